"""What all operators share: error codes, template fields, links, results."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferralError

from airflow_ob_provider.exceptions import OceanBasePermanentError, OceanBaseTransientError
from airflow_ob_provider.oceanbase.errors import FACTS, Kind
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator, _SwitchOperator
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.operators.settings import SetArchiveOptionOperator, SetBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import ArchiveDoingSensor
from airflow_ob_provider.triggers.waiting import bound
from tests.unit.operators.harness import Time, drive, ending, make_context, writes

WRITERS: dict[str, tuple[type, dict[str, Any], str]] = {
    "stop": (StopArchivelogOperator, {"confirm": True}, "ALTER SYSTEM NOARCHIVELOG"),
    "destination": (SetBackupDestinationOperator, {"destination": "file:///x"}, "ALTER SYSTEM SET backup_dest ="),
    "destination option": (
        SetBackupDestinationOperator,
        {"destination_option": "recovery_window=7d"},
        "ALTER SYSTEM SET backup_dest_option =",
    ),
    "option": (SetArchiveOptionOperator, {"mode": "mandatory"}, "ALTER SYSTEM SET backup_log_archive_option ="),
    "freeze": (MinorFreezeOperator, {"on_timeout": "fail", "wait": False}, "ALTER SYSTEM MINOR FREEZE"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_every_error_code(cluster: Sandbox, clock: Time, writer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent once, whatever the answer; permanent or for a retry as the code's table says; with the way out."""
    monkeypatch.setattr("airflow_ob_provider.operators.base.READ_BACK_INTERVAL_SECONDS", 10.0)
    kind, arguments, statement = WRITERS[writer]
    for errno, fact in FACTS.items():
        if writer == "stop":
            cluster.force_status("DOING")
        cluster.clear_statements()
        cluster.faults.error_once = (statement, errno, "words of the server")
        end = ending(lambda: drive(kind(task_id="task", **arguments), make_context(), clock))
        transient = fact.kind is Kind.TRANSIENT
        assert end.state == ("retry" if transient else "failed"), (errno, end)
        assert type(end.error) is (OceanBaseTransientError if transient else OceanBasePermanentError)
        assert len(writes(cluster)) == 1, errno
        assert f"[{errno}] words of the server on oceanbase_default" in end.text
        assert end.error.hint
        assert end.error.hint in end.text
        assert statement in end.text


FIELDS: dict[type, set[str]] = {
    CheckBackupPrerequisitesOperator: {
        "oceanbase_conn_id", "tenants", "on_partial_failure", "destination", "dest_conn_id", "restart_interrupted"
    },
    SetBackupDestinationOperator: {
        "oceanbase_conn_id", "tenants", "dry_run", "on_partial_failure", "destination", "destination_option",
        "piece_switch_interval", "dest_conn_id",
    },
    SetArchiveOptionOperator: {
        "oceanbase_conn_id", "tenants", "dry_run", "on_partial_failure", "mode", "compression", "lag_target",
        "concurrency", "dest_conn_id", "allow_mandatory",
    },
    MinorFreezeOperator: {
        "oceanbase_conn_id", "dry_run", "poll_interval", "timeout", "tenants", "wait", "on_timeout"
    },
    StartArchivelogOperator: {
        "oceanbase_conn_id", "dry_run", "poll_interval", "timeout", "tenants", "on_partial_failure",
        "restart_interrupted",
    },
    StopArchivelogOperator: {
        "oceanbase_conn_id", "dry_run", "poll_interval", "timeout", "tenants", "on_partial_failure", "confirm"
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", FIELDS)
def test_every_template_field_takes_a_template(kind: type) -> None:
    """Nothing looks at a value before it is rendered."""
    writes = kind is not CheckBackupPrerequisitesOperator
    assert set(kind.template_fields) == FIELDS[kind] | ({"sql_plan"} if writes else set())  # type: ignore[attr-defined]
    template = "{{ params.x }}"
    task = kind(task_id="task", **dict.fromkeys(FIELDS[kind], template))
    assert {field: getattr(task, field) for field in FIELDS[kind]} == dict.fromkeys(FIELDS[kind], template)
    assert [link.name for link in task.operator_extra_links]
    assert task.overwrite_rtif_after_execution is writes


@pytest.mark.parametrize("kind", [*FIELDS, ArchiveDoingSensor])
def test_a_default_connection(kind: type) -> None:
    assert kind(task_id="task").oceanbase_conn_id == "oceanbase_default"


def test_results_are_plain_json(cluster: Sandbox, clock: Time) -> None:
    tasks = [
        CheckBackupPrerequisitesOperator(task_id="check", destination="file:///x"),
        SetBackupDestinationOperator(task_id="destination", destination="file:///x"),
        SetArchiveOptionOperator(task_id="option", mode="mandatory"),
        MinorFreezeOperator(task_id="freeze"),
        StartArchivelogOperator(task_id="start"),
        ArchiveDoingSensor(task_id="doing"),
        StopArchivelogOperator(task_id="stop", confirm=True),
    ]
    for task in tasks:
        result = drive(task, make_context(), clock)
        assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize("kind", [StartArchivelogOperator, MinorFreezeOperator])
def test_a_trigger_that_crashed_is_no_result(kind: type) -> None:
    with pytest.raises(TaskDeferralError):
        kind(task_id="task").resume_execution("__fail__", {"error": "Trigger failure"}, make_context())


def test_the_switch_itself_decides_nothing() -> None:
    switch = _SwitchOperator(task_id="task")
    for decide in (
        lambda: switch.plan(None, set()),  # type: ignore[arg-type]
        lambda: switch.script(None, None),  # type: ignore[arg-type]
        lambda: switch.wait(()),
        lambda: switch.is_reached(None),  # type: ignore[arg-type]
    ):
        with pytest.raises(NotImplementedError):
            decide()


TENANTWISE: dict[type, dict[str, Any]] = {
    CheckBackupPrerequisitesOperator: {},
    SetBackupDestinationOperator: {"destination": "file:///x"},
    SetArchiveOptionOperator: {"mode": "mandatory"},
    StartArchivelogOperator: {},
    StopArchivelogOperator: {"confirm": True},
}


@pytest.mark.parametrize("kind", TENANTWISE)
@pytest.mark.parametrize("word", ["ignore", "", None, "FAIL"])
def test_what_to_do_on_partial_failure_is_one_of_two(cluster: Sandbox, kind: type, word: Any) -> None:
    with pytest.raises(ValueError, match="on_partial_failure must be one of fail, continue; not "):
        kind(task_id="task", on_partial_failure=word, **TENANTWISE[kind]).execute(make_context())
    assert cluster.statements == ()


@pytest.mark.parametrize("kind", TENANTWISE)
def test_no_tenant_is_changed_alone_on_3x(cluster: Sandbox, kind: type) -> None:
    for tenants in (["tenant1"], "tenant1"):
        with pytest.raises(ValueError, match="archives the whole cluster; leave tenants out"):
            kind(task_id="task", tenants=tenants, **TENANTWISE[kind]).execute(make_context())
    assert cluster.writes == ()


@pytest.mark.parametrize("kind", TENANTWISE)
@pytest.mark.parametrize("nobody", [None, [], ""])
def test_no_tenants_are_the_whole_cluster(cluster: Sandbox, clock: Time, kind: type, nobody: Any) -> None:
    cluster.parameters["backup_dest"] = "file:///x"
    context = make_context()
    if kind is StopArchivelogOperator and nobody is not None:
        # A list that came out empty must not stop everybody.
        with pytest.raises(ValueError, match="tenants is empty"):
            kind(task_id="task", tenants=nobody, **TENANTWISE[kind]).execute(context)
        assert cluster.statements == ()
        return
    result = drive(kind(task_id="task", tenants=nobody, **TENANTWISE[kind]), context, clock)
    assert (result["tenants"], result["failed"]) == ([], {}), "a cluster goes on as a whole"
    assert context["ti"].xcom["tenants"] == []


@pytest.mark.parametrize(
    ("timeout", "execution_timeout", "bounded"),
    [(60, None, 60), (60, timedelta(seconds=20), 20), (60, timedelta(hours=1), 60)],
)
def test_a_deferred_wait_keeps_to_execution_timeout(
    timeout: float, execution_timeout: timedelta | None, bounded: float
) -> None:
    """Airflow itself does not apply it while a task is deferred."""
    assert bound(timeout, execution_timeout) == timedelta(seconds=bounded)
