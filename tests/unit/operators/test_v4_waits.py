"""What a task on 4.x knows after a wait: what it has sent, for whom it was decided, and how far each tenant is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.operators.settings import SetArchiveOptionOperator, SetBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor, ArchiveDoingSensor
from tests.unit.operators.harness import Ending, Time, drive, effects, ending, writes
from tests.unit.operators.harness4 import arch, archive_of, clock, cluster, first_try, last_try, noarch, put
from tests.unit.operators.test_v4_option import lag

__all__ = ["clock", "cluster"]

ONE = ["tenant1"]
deferrables = pytest.mark.parametrize("deferrable", [True, False])


def start(**kwargs: Any) -> StartArchivelogOperator:
    return StartArchivelogOperator(task_id="start", **kwargs)


def stop(**kwargs: Any) -> StopArchivelogOperator:
    return StopArchivelogOperator(task_id="stop", confirm=True, **kwargs)


def result(end: Ending, context: Any) -> dict[str, Any]:
    return dict(end.result or context["ti"].xcom["return_value"])


@deferrables
def test_a_start_that_times_out_tells_all_that_it_has_done(cluster: Sandbox, clock: Time, deferrable: bool) -> None:
    put(cluster, "INTERRUPTED")
    put(cluster, "INTERRUPTED", "tenant2")
    cluster.faults.dead_medium = {"tenant1"}
    task = start(
        tenants=["tenant1", "tenant2", "gone"],
        restart_interrupted=True,
        timeout=300,
        deferrable=deferrable,
        on_partial_failure="continue",
    )
    context = last_try()
    found = result(ending(lambda: drive(task, context, clock)), context)
    assert found["statements"] == [noarch(), noarch("tenant2"), arch("tenant2")] == writes(cluster)
    assert found["changed"] is True
    assert found["tenants"] == ["tenant2"]
    assert set(found["failed"]) == {"tenant1", "gone"}
    assert "STOPPING" in found["failed"]["tenant1"] or "INTERRUPTED" in found["failed"]["tenant1"]


@deferrables
def test_a_stop_that_times_out_tells_all_that_it_has_done(cluster: Sandbox, clock: Time, deferrable: bool) -> None:
    put(cluster, "DOING")
    put(cluster, "DOING", "tenant2")
    cluster.faults.dead_medium = {"tenant1"}
    context = last_try()
    task = stop(timeout=300, deferrable=deferrable, on_partial_failure="continue")
    found = result(ending(lambda: drive(task, context, clock)), context)
    assert found["tenants"] == ["tenant2"]
    assert found["statements"] == [noarch(), noarch("tenant2")] == writes(cluster)
    assert list(found["failed"]) == ["tenant1"]


def test_all_are_those_of_the_first_look(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOPPING")
    put(cluster, "STOPPING", "tenant2")
    clock.at(3, lambda: cluster.create_tenant("late"))
    found = drive(start(), last_try(), clock)
    assert found["tenants"] == ["tenant1", "tenant2"]
    assert found["out_of_scope"] == ["late"]
    assert not writes(cluster, "late")


def test_a_tenant_created_later_is_named_and_not_waited_for(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    put(cluster, "STOP", "tenant2")
    started = drive(start(), last_try(), clock)
    cluster.create_tenant("late")
    doing = ArchiveDoingSensor(task_id="doing", tenants=started["tenants"], min_round=started["rounds"])
    assert drive(doing, last_try(), clock)["out_of_scope"] == ["late"]


def test_a_start_does_not_show_the_round_before_as_its_own(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "INTERRUPTED")
    put(cluster, "STOP")
    found = drive(start(tenants=ONE), last_try(), clock)
    assert found["running"] is True
    assert (found["started"], found["checkpoint"]) == (None, None)


def test_a_setting_that_was_reached_half_way_is_told_so(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    cluster.faults.error_once = ("LOG_ARCHIVE_DEST", 9070)
    context = last_try()
    task = SetArchiveOptionOperator(task_id="option", mode="mandatory", lag_target=60, tenants=ONE)
    end = ending(lambda: task.execute(context))
    assert end.state == "failed"
    found = result(end, context)
    assert found["statements"] == [lag(60)]
    assert "60s" in found["after"]["tenant1"]
    assert "OPTIONAL" in found["after"]["tenant1"]


def test_a_server_lost_in_the_middle_of_a_list(cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.create_tenant("tenant3")
    for tenant in ("tenant1", "tenant2", "tenant3"):
        put(cluster, "STOP", tenant)
    run = cluster._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        answer = run(statement, caller)
        if statement.endswith(arch()):
            cluster.faults.drop_before = (".", 10_000)
        return answer

    monkeypatch.setattr(cluster._cluster, "execute", execute)
    end = ending(lambda: drive(start(), first_try(), clock))
    assert end.state == "retry"
    assert arch("tenant3") not in writes(cluster), "who cannot be read is not written to"
    cluster.faults.drop_before = None
    found = drive(start(), last_try(2), clock)
    assert found["tenants"] == ["tenant1", "tenant2", "tenant3"]
    assert effects(cluster, arch()) == 1


@pytest.mark.parametrize("name", ["tenant1", "tenant2"])
def test_a_tenant_dropped_while_its_destination_is_set(
    cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run = cluster._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        if f"TENANT = '{name}'" in statement:
            cluster._cluster.drop_tenant(name)
        return run(statement, caller)

    monkeypatch.setattr(cluster._cluster, "execute", execute)
    task = SetBackupDestinationOperator(
        task_id="destination",
        destination="file:///d/{tenant}",
        tenants=["tenant1", "tenant2"],
        on_partial_failure="continue",
    )
    found = task.execute(last_try())
    assert list(found["failed"]) == [name]
    assert found["tenants"] == [other for other in ("tenant1", "tenant2") if other != name]


def test_no_tenant_is_nothing_set(cluster: Sandbox, clock: Time) -> None:
    for name in ("tenant1", "tenant2"):
        cluster.set_tenant(name, status="CREATING")
    end = ending(
        lambda: SetBackupDestinationOperator(task_id="d", destination="file:///d/{tenant}").execute(last_try())
    )
    assert end.state == "failed"
    assert "no NORMAL user tenant" in end.text


def test_a_name_that_is_not_there_holds_up_no_other_check(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    task = CheckBackupPrerequisitesOperator(
        task_id="prerequisites", tenants=["gone", "tenant1"], on_partial_failure="continue"
    )
    found = task.execute(last_try())
    assert found["tenants"] == ONE
    assert list(found["failed"]) == ["gone"]


@pytest.mark.parametrize(("seconds", "state"), [(60, "success"), (400, "retry")])
def test_a_slow_medium_gets_more_time_than_a_query(cluster: Sandbox, clock: Time, seconds: float, state: str) -> None:
    cluster.faults.medium_seconds = seconds
    task = SetBackupDestinationOperator(task_id="d", destination="file:///d/{tenant}", tenants=ONE)
    assert ending(lambda: task.execute(first_try())).state == state
    assert len(writes(cluster)) == 1


def test_the_log_stream_that_lags_is_named(
    cluster: Sandbox, clock: Time, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    put(cluster, "DOING")
    clock.sleep(200)
    archive_of(cluster, "tenant1").streams[1].ready = cluster.now + timedelta(days=1)
    clock.sleep(600)
    end = ending(
        lambda: drive(ArchiveCheckpointSensor(task_id="s", tenants=ONE, timeout=300), last_try(), clock),
    )
    assert end.state != "success"
    assert "log stream 1001 is the slowest" in capsys.readouterr().out + caplog.text
