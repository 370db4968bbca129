"""CheckBackupPrerequisitesOperator: one finding each, red on FAIL only, all of them shown also when red."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_ob_provider.exceptions import OceanBasePermanentError, OceanBaseTransientError, PrerequisitesNotMetError
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Ending, ending, make_context

NFS = "file:///data/nfs/backup"
CHECKS = [
    "reachable", "version", "sys_tenant", "privilege", "servers", "clocks", "primary_cluster", "user_tenants", "gts",
    "destination_set", "destination_legal", "archive_state",
]  # fmt: skip


def check(context: Any = None, **kwargs: Any) -> Ending:
    task = CheckBackupPrerequisitesOperator(task_id="check", **kwargs)
    return ending(lambda: task.execute(context or make_context()))


@pytest.fixture
def ready(cluster: Sandbox) -> Sandbox:
    cluster.parameters["backup_dest"] = NFS
    return cluster


def test_all_is_well(ready: Sandbox, capsys: Any, caplog: Any) -> None:
    context = make_context()
    end = check(context)
    assert end.result["passed"] is True
    assert [found["check"] for found in end.result["findings"]] == CHECKS
    assert {found["level"] for found in end.result["findings"]} == {"OK"}
    keys = {"check", "level", "observed", "expected", "hint", "tenants"}
    assert all(set(found) == keys for found in end.result["findings"])
    assert all(found["tenants"] == [] for found in end.result["findings"])
    assert (end.result["tenants"], end.result["failed"]) == ([], {})
    assert end.result["identity"]["tenant"] == "sys"
    assert end.result["identity"]["version"].startswith("3.2.4")
    assert context["ti"].xcom == {"tenants": []}, "Airflow pushes what is returned"
    shown = capsys.readouterr().out + caplog.text
    assert all(f"| {name} " in shown for name in CHECKS)
    assert "what to do" in shown
    assert ready.writes == ()


def _fault(box: Sandbox, **faults: Any) -> None:
    for name, value in faults.items():
        setattr(box.faults, name, value)


@pytest.mark.parametrize(
    ("prepare", "name", "level"),
    [
        (lambda box: _fault(box, dead_servers={1}), "servers", "FAIL"),
        (lambda box: _fault(box, standby=True), "primary_cluster", "FAIL"),
        (lambda box: _fault(box, no_gts_tenants={"tenant2"}), "gts", "FAIL"),
        (lambda box: _fault(box, clock_deviation_us={1: 900_000}), "clocks", "WARN"),
        (lambda box: _fault(box, lost_views={"__all_virtual_server_stat"}), "clocks", "UNKNOWN"),
        (lambda box: _fault(box, lost_views={"v$ob_cluster"}), "primary_cluster", "UNKNOWN"),
        (lambda box: _fault(box, lost_views={"CDB_OB_BACKUP_ARCHIVELOG"}), "archive_state", "UNKNOWN"),
        (lambda box: box.force_status("INTERRUPTED"), "archive_state", "FAIL"),
        (lambda box: box.force_status("STOPPING"), "archive_state", "WARN"),
        (lambda box: box.force_status("DOING"), "archive_state", "OK"),
        (lambda box: box.parameters.__setitem__("backup_dest", ""), "destination_set", "FAIL"),
        (lambda box: box.parameters.__setitem__(("backup_dest", 1), ""), "destination_set", "FAIL"),
    ],
)
def test_red_on_fail_only_and_everything_is_shown(ready: Sandbox, prepare: Any, name: str, level: str) -> None:
    prepare(ready)
    context = make_context()
    end = check(context)
    result = end.result if level != "FAIL" else context["ti"].xcom["return_value"]
    found = {item["check"]: item for item in result["findings"]}
    assert list(found) == CHECKS, "one fault never hides another finding"
    assert found[name]["level"] == level
    assert result["passed"] is (level != "FAIL")
    if level == "FAIL":
        assert end.state == "failed"
        assert isinstance(end.error, PrerequisitesNotMetError)
        assert f"{name}: " in end.text
        assert found[name]["hint"] in end.text
    if level in {"FAIL", "WARN"}:
        assert found[name]["hint"]


@pytest.mark.parametrize("restart", [True, "True"])
def test_an_interrupted_round_that_will_be_replaced_is_a_warning(ready: Sandbox, restart: Any) -> None:
    ready.force_status("INTERRUPTED")
    end = check(restart_interrupted=restart)
    assert next(f for f in end.result["findings"] if f["check"] == "archive_state")["level"] == "WARN"


@pytest.mark.parametrize(
    ("destination", "state"), [(NFS, "success"), ("file:///data/other", "failed"), ("", "success")]
)
def test_the_destination_of_the_next_step(ready: Sandbox, destination: str, state: str) -> None:
    ready.force_status("DOING")
    assert check(destination=destination).state == state


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("restart_interrupted", "perhaps"),
        ("destination", "nowhere"),
        ("destination", "s3://x/y"),
        ("destination", "obs://x/y"),
        ("tenants", "a b"),
    ],
)
def test_illegal_arguments_are_refused_before_any_sql(ready: Sandbox, argument: str, value: str) -> None:
    end = check(**{argument: value})
    assert type(end.error) is ValueError
    assert argument in end.text
    assert ready.statements == ()


@pytest.mark.parametrize(
    ("fault", "error", "state"),
    [
        ({"error_once": ("version_comment", 1227, "Access denied", False, 9)}, OceanBasePermanentError, "failed"),
        ({"drop_before": ("SHOW GRANTS", 9)}, OceanBaseTransientError, "retry"),
    ],
)
def test_a_server_that_does_not_answer_is_a_finding(ready: Sandbox, fault: Any, error: Any, state: str) -> None:
    _fault(ready, **fault)
    context = make_context()
    end = check(context)
    assert isinstance(end.error, error)
    assert end.state == state
    result = context["ti"].xcom["return_value"]
    assert (result["passed"], result["identity"]) == (False, None)
    assert [(item["check"], item["level"]) for item in result["findings"]] == [("reachable", "FAIL")]


def test_nobody_listens(ready: Sandbox) -> None:
    ready.stop()
    context = make_context()
    end = check(context)
    assert end.state == "retry"
    assert context["ti"].xcom["return_value"]["findings"][0]["observed"].startswith("[2003]")


@pytest.mark.parametrize("answer", ["OceanBase_CE 5.0.0.0 (r1)", "MySQL Community Server - GPL"])
def test_a_version_that_is_not_supported_is_a_finding(
    ready: Sandbox, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("airflow_ob_provider.hooks.oceanbase.detect_version", lambda _: OceanBaseVersion.parse(answer))
    context = make_context()
    end = check(context)
    assert end.state == "failed"
    assert isinstance(end.error, PrerequisitesNotMetError)
    findings = context["ti"].xcom["return_value"]["findings"]
    assert [(item["check"], item["level"]) for item in findings] == [("reachable", "OK"), ("version", "FAIL")]
    assert answer.split()[1] in findings[1]["observed"]


def test_a_user_that_may_only_read(ready: Sandbox, add_connection: Any) -> None:
    ready.add_user("reader", privileges=("SELECT",))
    connection = ready.connection("reader")
    add_connection(connection, "reader")
    context = make_context()
    end = check(context, oceanbase_conn_id="reader")
    assert isinstance(end.error, PrerequisitesNotMetError)
    assert "GRANT ALTER SYSTEM ON *.* TO reader" in end.text


def test_the_hash_in_a_grant_is_not_shown(ready: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    real = V3Dialect.identity
    grant = "GRANT ALL PRIVILEGES ON *.* TO 'x' IDENTIFIED BY PASSWORD '*5ECRETHASH'"
    monkeypatch.setattr(V3Dialect, "identity", lambda dialect: replace(real(dialect), grants=(grant,)))
    result = check().result
    assert "GRANT ALL PRIVILEGES" in str(result)
    assert "5ECRETHASH" not in str(result)
