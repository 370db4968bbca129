"""MinorFreezeOperator: best effort, bounded, and honest about what it knows."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.exceptions import TaskDeferred

from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    NotVerifiedError,
    OceanBasePermanentError,
    OceanBaseTransientError,
    WaitReadError,
    WaitRefusedError,
    WaitTimeoutError,
)
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.triggers.waiting import OUTER_SECONDS
from tests.unit.operators.harness import TRIGGER_TIMEOUT, Time, drive, ending, make_context, writes

FREEZE = "ALTER SYSTEM MINOR FREEZE"

deferrables = pytest.mark.parametrize("deferrable", [True, False])


def freeze(**kwargs: Any) -> MinorFreezeOperator:
    return MinorFreezeOperator(task_id="freeze", **kwargs)


@deferrables
def test_it_waits_until_it_is_on_disk(cluster: Sandbox, clock: Time, deferrable: bool) -> None:
    before = cluster.now
    result = drive(freeze(deferrable=deferrable, poll_interval=5), make_context(), clock)
    assert writes(cluster) == [FREEZE]
    assert not [m for m in cluster._cluster.freezer.memtables if not m.active]
    assert datetime.fromisoformat(result.pop("frozen_at")).replace(tzinfo=None) == before
    merges = result.pop("merges")
    assert merges > 0
    assert result == {
        "oceanbase_conn_id": "oceanbase_default",
        "changed": True,
        "statements": [FREEZE],
        "completed": True,
    }
    assert 5 <= clock.elapsed <= 25


def test_named_tenants_only(cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others have frozen is not waited for, however long it takes."""
    freezer = cluster._cluster.freezer
    dump = freezer._dump
    stuck = cluster._cluster.tenant_named("tenant1").tenant_id
    monkeypatch.setattr(freezer, "_dump", lambda table, at: table.tenant_id == stuck or dump(table, at))
    freezer.minor(tenants=("tenant1",))
    result = drive(freeze(tenants=["tenant2"], timeout=120), make_context(), clock)
    assert writes(cluster) == [f"{FREEZE} TENANT = ('tenant2')"]
    assert result["completed"] is True
    whole = drive(freeze(timeout=120), make_context(2), clock)
    assert whole["completed"] is False


def test_a_second_freeze_waits_for_its_own(cluster: Sandbox, clock: Time) -> None:
    first = drive(freeze(), make_context(), clock)
    second = drive(freeze(), make_context(2), clock)
    assert (first["completed"], second["completed"]) == (True, True)
    assert second["frozen_at"] > first["frozen_at"]


@pytest.mark.parametrize("wait", [False, "False", "false"])
def test_without_waiting(cluster: Sandbox, clock: Time, wait: Any) -> None:
    result = drive(freeze(wait=wait), make_context(), clock)
    assert result["completed"] is None
    assert clock.elapsed == 0


@deferrables
@pytest.mark.parametrize("on_timeout", ["warn", "fail"])
def test_a_timeout(cluster: Sandbox, clock: Time, deferrable: bool, on_timeout: str) -> None:
    cluster.faults.stuck_memtables = True
    task = freeze(deferrable=deferrable, on_timeout=on_timeout, timeout="120")
    end = ending(lambda: drive(task, make_context(), clock))
    assert 120 <= clock.elapsed < 140
    assert writes(cluster) == [FREEZE]
    if on_timeout == "fail":
        assert isinstance(end.error, WaitTimeoutError)
    else:
        assert end.result["completed"] is False
        assert end.result["changed"] is True
        assert end.result["merges"] is None
        assert end.result["statements"] == [FREEZE]
        assert "frozen_at" in end.result


def test_a_timeout_of_a_server_that_is_gone(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.stuck_memtables = True
    clock.at(100, cluster.stop)
    result = drive(freeze(timeout=110), make_context(), clock)
    assert (result["completed"], result["statements"]) == (False, [FREEZE])


def test_a_wait_that_the_scheduler_has_to_end(cluster: Sandbox, clock: Time) -> None:
    """What it carried is gone; what was sent is known all the same, unless the server is gone as well."""
    task, context = freeze(timeout=110), make_context()
    with pytest.raises(TaskDeferred):
        task.execute(context)
    result = task.resume_execution(TRIGGER_FAIL_REPR, {"error": TRIGGER_TIMEOUT}, context)
    assert (result["completed"], result["frozen_at"], result["statements"]) == (False, None, [FREEZE])
    cluster.stop()
    result = task.resume_execution(TRIGGER_FAIL_REPR, {"error": TRIGGER_TIMEOUT}, context)
    assert (result["completed"], result["statements"]) == (False, [])
    with pytest.raises(WaitTimeoutError):
        freeze(on_timeout="fail").resume_execution(TRIGGER_FAIL_REPR, {"error": TRIGGER_TIMEOUT}, context)


@deferrables
@pytest.mark.parametrize("on_timeout", ["warn", "fail"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"lost_views": {"gv$memstore_info"}}, ArchiveStateError),
        ({"error_once": ("memstore_info", 1142, "denied", False, 1000)}, WaitRefusedError),
        ({"drop_before": ("memstore_info", 1000)}, WaitReadError),
    ],
    ids=["no such view", "refused", "lost"],
)
def test_a_freeze_that_cannot_be_seen(
    cluster: Sandbox, clock: Time, deferrable: bool, on_timeout: str, fault: dict[str, Any], error: Any
) -> None:
    """Nothing is known, so it is not called complete; and as it is not required, it stops nothing."""
    for name, value in fault.items():
        setattr(cluster.faults, name, value)
    task = freeze(deferrable=deferrable, on_timeout=on_timeout)
    end = ending(lambda: drive(task, make_context(), clock))
    if on_timeout == "fail":
        assert isinstance(end.error, error), end
    else:
        assert end.result["completed"] is False
        assert end.result["statements"] == [FREEZE]
    assert writes(cluster) == [FREEZE]


def test_progress_is_in_the_log(cluster: Sandbox, clock: Time, capsys: Any, caplog: Any) -> None:
    drive(freeze(poll_interval=2), make_context(), clock)
    shown = capsys.readouterr().out + caplog.text
    assert "frozen memtables are not on disk yet; merges ended: " in shown
    assert re.search(r"Waiting for \d+ s, \d+% done, about \d+ s to go at this pace: \d+ frozen memtables", shown), (
        shown
    )
    assert "Sending to oceanbase_default" in shown


def test_the_deferral_has_the_timeout(cluster: Sandbox, clock: Time) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        freeze(timeout=66).execute(make_context())
    assert deferred.value.trigger.seconds == 66
    assert deferred.value.timeout.total_seconds() == 66 + OUTER_SECONDS


@pytest.mark.parametrize(
    ("errno", "error"),
    [(4025, OceanBaseTransientError), (4179, OceanBasePermanentError), (5157, OceanBasePermanentError)],
)
def test_a_freeze_that_is_refused(cluster: Sandbox, clock: Time, errno: int, error: Any) -> None:
    cluster.faults.error_once = (FREEZE, errno)
    end = ending(lambda: drive(freeze(on_timeout="fail"), make_context(), clock))
    assert isinstance(end.error, error)
    assert writes(cluster) == [FREEZE]


@pytest.mark.parametrize(("errno", "may_have_happened"), [(4025, True), (4179, False), (5157, False)])
def test_a_freeze_that_is_refused_stops_no_start(
    cluster: Sandbox, clock: Time, errno: int, may_have_happened: bool
) -> None:
    cluster.faults.error_once = (FREEZE, errno)
    result = drive(freeze(), make_context(), clock)
    assert (result["completed"], result["changed"]) == (False, may_have_happened)
    assert result["statements"] == ([FREEZE] if may_have_happened else [])
    assert writes(cluster) == [FREEZE]


@deferrables
@pytest.mark.parametrize("on_timeout", ["warn", "fail"])
def test_a_freeze_whose_answer_is_lost_is_seen(
    cluster: Sandbox, clock: Time, on_timeout: str, deferrable: bool
) -> None:
    """The merges tell that it was done, so it is not sent again."""
    cluster.faults.drop_after = FREEZE
    result = drive(freeze(on_timeout=on_timeout, deferrable=deferrable), make_context(), clock)
    assert (result["completed"], result["changed"], result["statements"]) == (True, True, [FREEZE])
    assert result["merges"] > 0
    assert set(result) == {"oceanbase_conn_id", "changed", "statements", "frozen_at", "completed", "merges"}
    assert writes(cluster) == [FREEZE]


@pytest.mark.parametrize("on_timeout", ["warn", "fail"])
def test_a_freeze_that_got_lost_is_not_called_complete(cluster: Sandbox, clock: Time, on_timeout: str) -> None:
    cluster.faults.drop_before = FREEZE
    end = ending(lambda: drive(freeze(on_timeout=on_timeout), make_context(), clock))
    if on_timeout == "warn":
        assert (end.result["completed"], end.result["merges"]) == (False, None)
        return
    assert end.state == "retry"
    assert isinstance(end.error, NotVerifiedError)
    assert "nothing shows that it was done: [2013]" in end.text
    again = drive(freeze(on_timeout="fail"), make_context(2), clock)
    assert again["completed"] is True


@pytest.mark.parametrize("wait", [True, False])
def test_a_freeze_that_may_be_sent_again_only_where_nobody_waits(cluster: Sandbox, clock: Time, wait: bool) -> None:
    cluster.faults.drop_after = FREEZE
    end = ending(lambda: drive(freeze(on_timeout="fail", wait=wait), make_context(), clock))
    assert end.state == ("success" if wait else "retry")


@pytest.mark.parametrize("on_timeout", ["warn", "fail"])
@pytest.mark.parametrize(
    "event", [None, {}, {"status": "ready"}, {"status": "unreadable", "reason": "x"}, {"status": "new"}]
)
def test_an_event_that_is_not_ready_is_never_complete(event: Any, on_timeout: str) -> None:
    task = freeze(on_timeout=on_timeout)
    end = ending(lambda: task.frozen(make_context(), event=event))
    if on_timeout == "fail":
        assert isinstance(end.error, WaitReadError)
    else:
        assert end.result["completed"] is False


@pytest.mark.parametrize("dry_run", [True, "true"])
def test_a_dry_run_sends_nothing(cluster: Sandbox, dry_run: Any) -> None:
    result = freeze(dry_run=dry_run, tenants=("tenant1", "tenant2")).execute(make_context())
    assert result["plan"] == [f"{FREEZE} TENANT = ('tenant1', 'tenant2')"]
    assert result["changed"] is False
    assert cluster.writes == ()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("on_timeout", "shrug"),
        ("wait", "a while"),
        ("tenants", "tenant1; tenant2"),
        ("tenants", ["x'y"]),
        ("timeout", "long"),
        ("poll_interval", 0),
        ("dry_run", "no no"),
    ],
)
def test_illegal_arguments_are_refused_before_any_sql(cluster: Sandbox, argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=argument):
        freeze(**{argument: value}).execute(make_context())
    assert cluster.statements == ()


def test_a_tenant_that_does_not_exist_freezes_nothing(cluster: Sandbox) -> None:
    with pytest.raises(ValueError, match="nobody do not exist; the cluster has tenant1, tenant2"):
        freeze(tenants=["tenant1", "nobody"]).execute(make_context())
    assert cluster.writes == ()
