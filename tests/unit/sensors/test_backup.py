"""BackupSetSensor: in every mode, of both generations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_ob_provider.exceptions import ArchiveStateError
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.backup import BackupSetSensor
from tests.unit.operators.harness import Time, drive, drive_rescheduled, ending, make_context
from tests.unit.operators.harness4 import last_try, sql
from tests.unit.operators.harness_backup import FULL, archiving

BOTH = ["tenant1", "tenant2"]
MODES = {
    "deferred": {},
    "poke": {"deferrable": False},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
}


@pytest.fixture
def cluster(request: pytest.FixtureRequest, add_connection: Callable[..., str]) -> Iterator[Sandbox]:
    """A backup has just begun."""
    with archiving(getattr(request, "param", "4.2.5")) as box:
        add_connection(box)
        sql(box, FULL)
        yield box


def on(*versions: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cluster", versions, indirect=True)


def sensor(**kwargs: Any) -> BackupSetSensor:
    return BackupSetSensor(task_id="sensor", **{"job": 1, "poke_interval": 10, **kwargs})


def run(mode: str, clock: Time, context: Any = None, **kwargs: Any) -> Any:
    context = context or make_context()
    if mode == "reschedule":
        return drive_rescheduled(lambda: sensor(**MODES[mode], **kwargs), context, clock)
    return drive(sensor(**MODES[mode], **kwargs), context, clock)


@on("3.1.2", "3.2.4", "4.0.0", "4.3.3")
@pytest.mark.parametrize("mode", MODES)
def test_success(cluster: Sandbox, clock: Time, mode: str) -> None:
    before = clock.elapsed
    result = run(mode, clock, job="1")
    assert clock.elapsed - before >= 20, "not before it has ended"
    assert (result["job"], result["state"]) == (1, "COMPLETED")
    assert (result["sets"], result["kinds"]) == (dict.fromkeys(BOTH, 1), dict.fromkeys(BOTH, "full"))
    assert result["restore_point"] == max(result["restore_points"].values())
    assert cluster.writes == ()


@on("4.2.5")
@pytest.mark.parametrize("mode", MODES)
def test_a_tenant_that_fails(cluster: Sandbox, clock: Time, mode: str) -> None:
    cluster.faults.failed_backups = {"tenant2": 9086}
    end = ending(lambda: run(mode, clock))
    assert (end.state, type(end.error)) == ("failed", ArchiveStateError)
    assert "data backup 1 is FAILED: tenant2: [9086]" in end.text
    assert "result: -9086" in end.text
    assert "tenant1" not in end.text


@on("4.2.5")
@pytest.mark.parametrize("mode", MODES)
def test_the_failure_of_a_tenant_that_is_not_waited_for(cluster: Sandbox, clock: Time, mode: str) -> None:
    cluster.faults.failed_backups = {"tenant2": 9086}
    result = run(mode, clock, tenants=["tenant1"])
    assert (result["sets"], result["failed"]) == ({"tenant1": 1}, {})


@on("4.2.5")
def test_going_on_with_the_tenants_that_have_a_set(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.failed_backups = {"tenant2": 9086}
    context = last_try()
    result = run("deferred", clock, context, tenants=BOTH, on_partial_failure="continue")
    assert context["ti"].xcom["tenants"] == ["tenant1"]
    assert list(result["failed"]) == ["tenant2"]
    assert "[9086]" in result["failed"]["tenant2"]
    assert (result["sets"], result["restore_point"]) == ({"tenant1": 1}, result["restore_points"]["tenant1"])


@on("4.2.5")
def test_going_on_where_nobody_has_a_set(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.failed_backups = dict.fromkeys(BOTH, 9086)
    context = last_try()
    end = ending(lambda: run("deferred", clock, context, tenants=BOTH, on_partial_failure="continue"))
    assert isinstance(end.error, ArchiveStateError)
    assert set(context["ti"].xcom["return_value"]["failed"]) == set(BOTH)


@on("4.2.5")
def test_going_on_at_the_first_look(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.failed_backups = {"tenant1": 4016}
    clock.sleep(120)
    context = last_try()
    result = run("deferred", clock, context, tenants=BOTH, on_partial_failure="continue")
    assert (list(result["failed"]), context["ti"].xcom["tenants"]) == (["tenant1"], ["tenant2"])


@on("4.2.5")
def test_a_tenant_that_was_left_out(cluster: Sandbox, clock: Time) -> None:
    cluster.create_tenant("tenant3")
    end = ending(lambda: run("deferred", clock, tenants=[*BOTH, "tenant3"]))
    assert "tenant3: the server shows no part of it" in end.text
    assert "has left it out" in end.text


@on("3.2.4", "4.2.5")
@pytest.mark.parametrize("mode", MODES)
def test_one_that_is_cancelled(cluster: Sandbox, clock: Time, mode: str) -> None:
    clock.at(8, lambda: sql(cluster, "ALTER SYSTEM CANCEL BACKUP"))
    end = ending(lambda: run(mode, clock, poke_interval=4))
    assert (end.state, type(end.error)) == ("failed", ArchiveStateError)
    assert "CANCELED" in end.text or "FAILED" in end.text


@on("3.2.4", "4.2.5")
@pytest.mark.parametrize("mode", MODES)
def test_a_job_that_is_nowhere(cluster: Sandbox, clock: Time, mode: str) -> None:
    before = clock.elapsed
    end = ending(lambda: run(mode, clock, job=7))
    assert (end.state, type(end.error)) == ("failed", ArchiveStateError)
    assert "data backup 7 is shown neither under way nor as ended" in end.text
    assert 300 <= clock.elapsed - before < 350


@on("4.2.5")
@pytest.mark.parametrize("mode", MODES)
def test_one_that_does_not_end(cluster: Sandbox, clock: Time, mode: str) -> None:
    cluster.faults.stuck_backups = {"tenant1"}
    end = ending(lambda: run(mode, clock, timeout=300))
    assert isinstance(end.error, AirflowSensorTimeout)
    if mode != "reschedule":
        assert "tenant1 DOING" in end.text


@on("4.2.5")
def test_a_word_nobody_knows(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.malformed = {"CDB_OB_BACKUP_JOBS.STATUS": "PAUSED", "CDB_OB_BACKUP_JOB_HISTORY.STATUS": "DONE"}
    end = ending(lambda: run("deferred", clock, timeout=300))
    assert isinstance(end.error, AirflowSensorTimeout), "neither success nor failure"


@on("4.2.5")
def test_soft_fail(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.failed_backups = {"tenant2": 9086}
    with pytest.raises(AirflowSkipException):
        run("poke", clock, soft_fail=True)


@on("4.2.5")
@pytest.mark.parametrize(
    ("argument", "value"),
    [("job", None), ("job", ""), ("job", 0), ("job", "x"), ("job", True), ("tenants", "a b"),
     ("on_partial_failure", "x"), ("poke_interval", "often"), ("timeout", "long")],
)  # fmt: skip
def test_illegal_arguments_are_refused_before_any_sql(cluster: Sandbox, argument: str, value: Any) -> None:
    cluster.clear_statements()
    with pytest.raises(ValueError, match=argument):
        sensor(**{argument: value}).execute(make_context())
    assert cluster.statements == ()
