"""Keys of object stores on 4.x, which the server itself shows in clear text, reach the server and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.operators.settings import SetArchiveOptionOperator, SetBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor, ArchiveDoingSensor, PieceStatusSensor
from tests.ears import Ears, ears
from tests.unit.operators.harness import Time, drive, ending, writes
from tests.unit.operators.harness4 import builds, clock, cluster, last_try, put, sql, state_of

__all__ = ["clock", "cluster", "ears"]

ID, KEY = "LTAI5tExampleId", "9bQ/zX+secretKey==%41"
HOST = "oss-cn.example.com"
URI = f"oss://bucket/{{tenant}}?host={HOST}"
ONE = ["tenant1"]


def heard_no_key(ears: Ears) -> None:
    heard = ears.heard
    assert KEY not in heard
    assert ID not in heard
    assert "secretKey" not in heard


@pytest.fixture
def keys(add_connection: Callable[..., str]) -> str:
    return add_connection({"conn_type": "generic", "login": ID, "password": KEY, "host": HOST}, "keys")


def set_destination(**kwargs: Any) -> SetBackupDestinationOperator:
    return SetBackupDestinationOperator(task_id="destination", **{"destination": URI, "dest_conn_id": "keys", **kwargs})


def with_keys(box: Sandbox, *names: str) -> None:
    for name in names or ("tenant1", "tenant2"):
        value = f"LOCATION=oss://bucket/{name}?host={HOST}&access_id={ID}&access_key={KEY}"
        sql(box, f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = '{value}' TENANT = {name}")


def shown_by(context: Any) -> str:
    return json.dumps(context["ti"].xcom)


@builds("4.0.0", "4.2.5")
def test_the_keys_reach_the_server_and_nothing_else(cluster: Sandbox, clock: Time, keys: str, ears: Ears) -> None:
    context = last_try()
    result = set_destination().execute(context)
    assert writes(cluster)[0] == (
        f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=oss://bucket/tenant1?host={HOST}&access_id={ID}"
        f"&access_key={KEY} BINDING=Optional PIECE_SWITCH_INTERVAL=1d' TENANT = 'tenant1'"
    )
    assert KEY in state_of(cluster).path
    again = set_destination().execute(context)
    assert (result["tenants"], again["changed"], len(writes(cluster))) == (["tenant1", "tenant2"], False, 2)
    assert f"oss://bucket/tenant1?host={HOST}" in result["after"]["tenant1"]
    ears.hear(result, again, shown_by(context))
    heard_no_key(ears)


def test_new_keys_of_the_same_place_are_no_change(
    cluster: Sandbox, clock: Time, keys: str, ears: Ears, add_connection: Callable[..., str]
) -> None:
    with_keys(cluster)
    add_connection({"conn_type": "generic", "login": ID, "password": "another", "host": HOST}, "keys")
    result = set_destination().execute(last_try())
    assert (result["changed"], cluster.writes) == (False, ())
    ears.hear(result)
    heard_no_key(ears)


def test_another_host_is_another_place(cluster: Sandbox, clock: Time, keys: str, ears: Ears) -> None:
    with_keys(cluster)
    result = set_destination(destination="oss://bucket/{tenant}?host=other.example.com").execute(last_try())
    assert len(result["statements"]) == 2
    ears.hear(result)
    heard_no_key(ears)


@pytest.mark.parametrize("fault", ["refused", "quoting", "lost", "timeout"])
def test_errors_hold_no_key(cluster: Sandbox, clock: Time, keys: str, ears: Ears, fault: str) -> None:
    message = f"'oss://bucket/t?host={HOST}&access_id={ID}&access_key={KEY}' is not a valid uri"
    if fault == "lost":
        cluster.faults.drop_before = ("LOG_ARCHIVE_DEST", 1)
    else:
        errno = {"refused": 9070, "quoting": 9026, "timeout": 4012}[fault]
        cluster.faults.error_once = ("SET LOG_ARCHIVE_DEST", errno, message)
    context = last_try()
    end = ending(lambda: set_destination().execute(context))
    assert end.error is not None
    error: BaseException | None = end.error
    while error is not None:
        ears.hear(error, error.args, getattr(error, "__notes__", ""), vars(error))
        error = error.__cause__ or error.__context__
    ears.hear(shown_by(context))
    heard_no_key(ears)


def test_keys_in_the_argument_are_refused_unseen(cluster: Sandbox, ears: Ears) -> None:
    uri = f"oss://bucket/t?host={HOST}&access_id={ID}&access_key={KEY}"
    end = ending(lambda: SetBackupDestinationOperator(task_id="t", destination=uri).execute(last_try()))
    assert isinstance(end.error, ValueError)
    assert cluster.statements == ()
    ears.hear(end.error)
    heard_no_key(ears)


def test_a_dry_run_shows_no_key(cluster: Sandbox, clock: Time, keys: str, ears: Ears) -> None:
    result = set_destination(dry_run=True).execute(last_try())
    assert len(result["plan"]) == 2
    assert cluster.writes == ()
    ears.hear(result)
    heard_no_key(ears)


@builds("4.0.0", "4.2.5")
def test_the_mode_is_written_with_the_keys_that_the_server_shows(cluster: Sandbox, clock: Time, ears: Ears) -> None:
    with_keys(cluster)
    result = SetArchiveOptionOperator(task_id="option", mode="mandatory", tenants=ONE).execute(last_try())
    assert f"access_key={KEY} BINDING=Mandatory" in writes(cluster)[0]
    assert state_of(cluster).binding == "MANDATORY"
    ears.hear(result)
    heard_no_key(ears)


@builds("4.0.0", "4.2.5")
def test_every_task_is_silent_about_them(cluster: Sandbox, clock: Time, ears: Ears, keys: str) -> None:
    with_keys(cluster)
    context = last_try()
    check = CheckBackupPrerequisitesOperator(task_id="check", destination=URI, dest_conn_id="keys")
    ears.hear(check.execute(context))
    ears.hear(drive(StartArchivelogOperator(task_id="start"), context, clock))
    for kind in (ArchiveDoingSensor, PieceStatusSensor, ArchiveCheckpointSensor):
        task = kind(task_id="sensor")
        try:
            task.execute(context)
        except TaskDeferred as deferred:
            ears.hear(deferred.trigger.serialize(), deferred.kwargs, deferred)
        ears.hear(drive(kind(task_id="sensor"), context, clock))
    end = ending(lambda: set_destination(destination="oss://other/{tenant}").execute(context))
    assert end.state == "failed"
    ears.hear(end.error)
    try:
        StopArchivelogOperator(task_id="stop", confirm=True).execute(context)
    except TaskDeferred as deferred:
        ears.hear(deferred.trigger.serialize(), deferred.kwargs)
    ears.hear(drive(StopArchivelogOperator(task_id="stop", confirm=True), context, clock), shown_by(context))
    heard_no_key(ears)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM oceanbase.CDB_OB_ARCHIVE_DEST",
        "select name, value from oceanbase.cdb_ob_archive_dest where name = 'path'",
        "SELECT VALUE AS v FROM CDB_OB_ARCHIVE_DEST",
        "SELECT * FROM oceanbase.CDB_OB_BACKUP_PARAMETER",
        "SELECT CONCAT('x', VALUE) FROM oceanbase.`CDB_OB_BACKUP_PARAMETER`",
    ],
)
def test_rows_leave_the_hook_masked(cluster: Sandbox, ears: Ears, query: str) -> None:
    with_keys(cluster)
    uri = f"oss://bucket/data?host={HOST}&access_id={ID}&access_key={KEY}"
    sql(cluster, f"ALTER SYSTEM SET DATA_BACKUP_DEST = '{uri}' TENANT = tenant1")
    hook = OceanBaseHook()
    rows = hook.get_records(query)
    assert "bucket" in str(rows)
    ears.hear(rows, hook.get_first(query), hook.run(query, handler=lambda cursor: cursor.fetchall()))
    heard_no_key(ears)


@pytest.mark.parametrize("view", ["DBA_OB_ARCHIVE_DEST", "DBA_OB_BACKUP_PARAMETER"])
def test_rows_of_a_user_tenant_leave_the_hook_masked(
    cluster: Sandbox, ears: Ears, add_connection: Callable[..., str], view: str
) -> None:
    with_keys(cluster)
    uri = f"oss://bucket/data?host={HOST}&access_id={ID}&access_key={KEY}"
    sql(cluster, f"ALTER SYSTEM SET DATA_BACKUP_DEST = '{uri}' TENANT = tenant1")
    add_connection(cluster.connection("root", "tenant1"))
    rows = OceanBaseHook().get_records(f"SELECT * FROM oceanbase.{view}")
    assert "bucket" in str(rows)
    ears.hear(rows)
    heard_no_key(ears)


def test_a_round_that_keeps_the_keys_of_an_older_place(cluster: Sandbox, clock: Time, ears: Ears, keys: str) -> None:
    """Refused with both places named, and no key of either."""
    with_keys(cluster)
    put(cluster, "DOING")
    context = last_try()
    end = ending(lambda: set_destination(destination="oss://other/{tenant}", tenants=ONE).execute(context))
    assert end.state == "failed"
    assert "oss://other/tenant1" in end.text
    ears.hear(end.error, shown_by(context))
    heard_no_key(ears)
