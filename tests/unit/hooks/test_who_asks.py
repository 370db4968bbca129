"""What the server's DBA sees of a statement: the DAG and task it comes from, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.context import set_current_context

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.lexer import tokenize

MakeHook = Callable[..., OceanBaseHook]
ONE = "SELECT 1 AS one"


def task(**fields: Any) -> Any:
    run = {"run_id": "manual__2026-01-01T00:00:00+00:00", "try_number": 2, "map_index": -1}
    context: Any = {"ti": SimpleNamespace(**{"dag_id": "ob_log_archive", "task_id": "start", **run, **fields})}
    return set_current_context(context)


def sent(hook: OceanBaseHook, box: Sandbox) -> str:
    with hook.session() as session:
        assert session.query(Statement.read(ONE)) == [{"one": 1}]
    return box.statements[-1].sql


def test_the_task(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    with task():
        statement = sent(make_hook(cluster, driver=driver), cluster)
    who = "airflow-ob-provider dag=ob_log_archive task=start run=manual__2026-01-01T00:00:00+00:00 try=2"
    assert statement == f"/* {who} */ {ONE}"


def test_a_mapped_task(cluster: Sandbox, make_hook: MakeHook) -> None:
    with task(map_index=3):
        assert " try=2 map=3 */" in sent(make_hook(cluster), cluster)


@pytest.mark.parametrize("map_index", [-1, None])
def test_a_task_that_is_not_mapped(cluster: Sandbox, make_hook: MakeHook, map_index: int | None) -> None:
    with task(map_index=map_index):
        assert "map=" not in sent(make_hook(cluster), cluster)


def test_no_task(cluster: Sandbox, make_hook: MakeHook) -> None:
    assert sent(make_hook(cluster), cluster) == f"/* airflow-ob-provider no task */ {ONE}"


def test_a_label_comes_before_the_task(cluster: Sandbox, make_hook: MakeHook) -> None:
    with task():
        statement = sent(make_hook(cluster, hook={"label": "trigger archive"}), cluster)
    assert statement == f"/* airflow-ob-provider trigger archive */ {ONE}"


def test_a_context_without_a_task_does_not_stop_a_read(cluster: Sandbox, make_hook: MakeHook) -> None:
    context: Any = {}
    with set_current_context(context):
        assert "no task" in sent(make_hook(cluster), cluster)


@pytest.mark.parametrize(
    ("dag_id", "shown"),
    [
        ("*/ DROP TENANT t; /*", "__ DROP TENANT t_ __"),
        ("a\n-- b\r\0c", "a__ b__c"),
        ("'\"`;\\%s%(x)s{{}}", "______s__x_s____"),
        ("---", "_-"),
        ("日志备份·每日", "日志备份_每日"),
        ("/*+ PARALLEL(8) */", "__+ PARALLEL_8_ __"),
        ("/*!50000 DROP */", "___50000 DROP __"),
        ("\ud800", "_"),
        ("é" * 300, "é" * 300),
    ],
)
def test_names_cannot_break_out_of_the_comment(
    cluster: Sandbox, make_hook: MakeHook, driver: str, dag_id: str, shown: str
) -> None:
    with task(dag_id=dag_id):
        hook = make_hook(cluster, driver=driver)
        statement = sent(hook, cluster)
        assert hook.get_records("SELECT %s AS x", parameters=("y",)) in ((("y",),), [("y",)])
    comment = statement.removesuffix(ONE)
    assert comment.startswith("/* ")
    assert comment.endswith(" */ ")
    assert comment.count("*/") == comment.count("/*") == 1
    who = f"airflow-ob-provider dag={shown} task=start run=manual__2026-01-01T00:00:00+00:00 try=2"
    assert comment[3:-4] == who[:200]
    assert [token.text for token in tokenize(statement)] == ONE.split()


def test_users_own_sql_says_it_too(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    with task():
        make_hook(cluster, driver=driver).run(["SELECT 1", "SELECT 2"])
    statements = [entry.sql for entry in cluster.statements if "SELECT 1" in entry.sql or "SELECT 2" in entry.sql]
    assert len(statements) == 2
    assert all(
        statement.startswith("/* airflow-ob-provider dag=ob_log_archive task=start ") for statement in statements
    )


def test_connection_attributes(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    with task(), make_hook(cluster, driver=driver).session() as session:
        session.query(Statement.read(ONE))
        (seen,) = cluster._server.sessions
        assert seen.attributes["program_name"].startswith("airflow-ob-provider dag=ob_log_archive task=start run=")
        assert seen.attributes["_client_name"] in {"pymysql", "mysql-connector-python"}


def test_connection_attributes_in_chinese(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    """The connector writes ASCII only; the comment of each statement has the name as it is."""
    with task(dag_id="日志备份"), make_hook(cluster, driver=driver).session():
        (seen,) = cluster._server.sessions
    assert f"dag={'日志备份' if driver == 'pymysql' else '????'} task=start" in seen.attributes["program_name"]
