"""CancelBackupOperator in both generations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_ob_provider.exceptions import OceanBasePermanentError, OceanBaseTransientError, WaitTimeoutError
from airflow_ob_provider.operators.backup import CancelBackupOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, ending, make_context, writes
from tests.unit.operators.harness4 import sql
from tests.unit.operators.harness_backup import FULL, archiving, before_sending

CANCEL = "ALTER SYSTEM CANCEL BACKUP"


@pytest.fixture
def cluster(request: pytest.FixtureRequest, add_connection: Callable[..., str]) -> Iterator[Sandbox]:
    with archiving(getattr(request, "param", "4.2.5")) as box:
        add_connection(box)
        yield box


def on(*versions: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cluster", versions, indirect=True)


def cancel(**kwargs: Any) -> CancelBackupOperator:
    return CancelBackupOperator(task_id="cancel", **{"confirm": True, **kwargs})


@on("3.1.2", "3.2.4", "4.0.0", "4.2.5")
@pytest.mark.parametrize("deferrable", [True, False])
def test_it_cancels_and_waits_for_the_end(cluster: Sandbox, clock: Time, deferrable: bool) -> None:
    sql(cluster, FULL)
    clock.sleep(5)
    result = drive(cancel(deferrable=deferrable), make_context(), clock)
    ended = "CANCELED" if cluster._cluster.build.name[0] == "4" else "FAILED"
    assert (result["changed"], result["statements"], result["jobs"]) == (True, [CANCEL], {"1": ended})
    assert writes(cluster) == [CANCEL]


@on("3.2.4", "4.2.5")
def test_where_none_runs_nothing_is_sent(cluster: Sandbox, clock: Time) -> None:
    result = drive(cancel(), make_context(), clock)
    assert (result["changed"], result["jobs"], writes(cluster)) == (False, {}, [])
    sql(cluster, FULL)
    clock.sleep(60)
    result = drive(cancel(), make_context(), clock)
    assert (result["changed"], result["jobs"], writes(cluster)) == (False, {}, [])


@on("3.2.4", "4.2.5")
def test_it_must_be_confirmed_before_any_sql(cluster: Sandbox) -> None:
    cluster.clear_statements()
    for value in (False, "False", "perhaps"):
        with pytest.raises(ValueError, match="confirm"):
            cancel(confirm=value).execute(make_context())
    assert cluster.statements == ()


@on("3.2.4", "4.2.5")
def test_a_dry_run(cluster: Sandbox, clock: Time) -> None:
    assert drive(cancel(confirm=False, dry_run=True), make_context(), clock)["plan"] == []
    sql(cluster, FULL)
    result = drive(cancel(confirm=False, dry_run=True), make_context(), clock)
    assert result["plan"] == [f"{CANCEL}, which ends the full data backup 1"]
    assert (result["jobs"], writes(cluster)) == ({}, [])


@on("3.2.4")
def test_while_it_prepares_it_is_tried_again(cluster: Sandbox, clock: Time) -> None:
    """9041: nothing was cancelled, and nothing says so."""
    sql(cluster, FULL)
    context = make_context()
    end = ending(lambda: drive(cancel(), context, clock))
    assert isinstance(end.error, OceanBaseTransientError)
    assert "[9041]" in end.text
    assert "try again in a moment" in end.text
    clock.sleep(5)
    assert drive(cancel(), context, clock)["jobs"] == {"1": "FAILED"}


@on("3.2.4")
def test_one_that_ends_in_the_same_moment(cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """9049: it was not this task that ended it."""
    sql(cluster, FULL)
    clock.sleep(5)
    before_sending(monkeypatch, lambda: cluster.advance(60))
    result = drive(cancel(), make_context(), clock)
    assert (result["changed"], result["statements"], result["jobs"]) == (False, [], {"1": "COMPLETED"})


@on("3.2.4", "4.2.5")
@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
def test_a_lost_connection(cluster: Sandbox, clock: Time, moment: str) -> None:
    sql(cluster, FULL)
    clock.sleep(5)
    setattr(cluster.faults, moment, ("CANCEL BACKUP", 1))
    end = ending(lambda: drive(cancel(), make_context(), clock))
    assert end.state in {"success", "retry"}
    assert len(writes(cluster)) == 1
    state = next(iter(end.result["jobs"].values())) if end.state == "success" else None
    if moment == "drop_after":
        assert state in {"CANCELED", "FAILED"}
    else:
        assert state in {None, "COMPLETED"}, "what is told is what has become of it"


@on("3.2.4", "4.2.5")
def test_who_may_not(cluster: Sandbox, clock: Time) -> None:
    sql(cluster, FULL)
    clock.sleep(5)
    cluster.faults.error_once = ("CANCEL BACKUP", 1227, "Access denied")
    end = ending(lambda: drive(cancel(), make_context(), clock))
    assert isinstance(end.error, OceanBasePermanentError)


@on("4.2.5")
def test_tenants_of_4x(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.stuck_backups = {"tenant1", "tenant2"}
    sql(cluster, "ALTER SYSTEM BACKUP TENANT = tenant1", "ALTER SYSTEM BACKUP TENANT = tenant2")
    clock.sleep(10)
    result = drive(cancel(tenants=["tenant2"]), make_context(), clock)
    assert result["statements"] == [f"{CANCEL} TENANT = 'tenant2'"]
    assert result["jobs"] == {"2": "CANCELED"}
    result = drive(cancel(), make_context(), clock)
    assert result["jobs"] == {"1": "CANCELED"}


@on("4.2.5")
def test_several_jobs_are_all_waited_for(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.stuck_backups = {"tenant1", "tenant2"}
    sql(cluster, "ALTER SYSTEM BACKUP TENANT = tenant1", "ALTER SYSTEM BACKUP TENANT = tenant2")
    clock.sleep(10)
    assert drive(cancel(), make_context(), clock)["jobs"] == {"1": "CANCELED", "2": "CANCELED"}


@on("3.2.4")
def test_tenants_on_3x(cluster: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(cancel(tenants=["tenant1"]), make_context(), clock))
    assert isinstance(end.error, ValueError)
    assert writes(cluster) == []


@on("4.2.5")
def test_one_that_does_not_end(cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.faults.stuck_backups = {"tenant1", "tenant2"}
    sql(cluster, FULL)
    clock.sleep(10)
    monkeypatch.setattr(cluster._cluster.backup, "cancel", lambda *_: None)
    end = ending(lambda: drive(cancel(timeout=300), make_context(), clock))
    assert isinstance(end.error, WaitTimeoutError)
