"""StopArchivelogOperator: only when asked twice, idempotent, and STOP before it says so."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    NotVerifiedError,
    OceanBaseTransientError,
    WaitTimeoutError,
)
from airflow_ob_provider.operators.archivelog import StopArchivelogOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, ending, make_context, round_of, status, writes

STOP = "ALTER SYSTEM NOARCHIVELOG"


def stop(**kwargs: Any) -> StopArchivelogOperator:
    return StopArchivelogOperator(task_id="stop", **{"confirm": True, **kwargs})


@pytest.fixture
def running(cluster: Sandbox) -> Sandbox:
    cluster.parameters["backup_dest"] = "file:///data/nfs/backup"
    cluster.force_status("DOING")
    return cluster


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("state", ["STOP", "BEGINNING", "DOING", "STOPPING", "INTERRUPTED"])
def test_it_acts_by_state(running: Sandbox, clock: Time, state: str, deferrable: bool) -> None:
    running.force_status(state)
    running.clear_statements()
    sent = [STOP] if state in {"BEGINNING", "DOING", "INTERRUPTED"} else []
    result = drive(stop(deferrable=deferrable), make_context(), clock)
    assert writes(running) == sent
    assert (result["state"], result["running"], status(running)) == ("STOP", False, "STOP")
    assert (result["changed"], result["statements"]) == (bool(sent), sent)
    assert (result["states"], result["rounds"]) == ({"sys": "STOP"}, {"cluster": round_of(running)})
    assert (result["tenants"], result["failed"], result["out_of_scope"]) == ([], {}, [])


@pytest.mark.parametrize("confirm", [False, "False", "0"])
def test_it_refuses_without_confirm(running: Sandbox, confirm: Any) -> None:
    with pytest.raises(ValueError, match=r"confirm must be True .* gap that no restore can cross"):
        stop(confirm=confirm).execute(make_context())
    assert running.statements == ()


def test_the_default_is_no(running: Sandbox) -> None:
    with pytest.raises(ValueError, match="confirm"):
        StopArchivelogOperator(task_id="stop").execute(make_context())


@pytest.mark.parametrize(("argument", "value"), [("confirm", "yes please"), ("dry_run", "x"), ("timeout", -1)])
def test_illegal_arguments_are_refused_before_any_sql(running: Sandbox, argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=argument):
        stop(**{argument: value}).execute(make_context())
    assert running.statements == ()


def test_a_dry_run_needs_no_confirm_and_sends_nothing(running: Sandbox) -> None:
    result = stop(confirm=False, dry_run=True).execute(make_context())
    assert result["plan"] == [STOP]
    assert result["decisions"] == ["sys: stop, because it is DOING (round 1)"]
    assert result["running"] is True
    assert running.writes == ()


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
def test_a_lost_connection_never_sends_twice(running: Sandbox, clock: Time, moment: str) -> None:
    setattr(running.faults, moment, (STOP, 1))
    end = ending(lambda: drive(stop(), make_context(1), clock))
    assert writes(running) == [STOP]
    if moment == "drop_before":
        assert isinstance(end.error, OceanBaseTransientError)
        assert status(running) == "DOING"
        end = ending(lambda: drive(stop(), make_context(2), clock))
        assert len(writes(running)) == 2
    assert end.state == "success"
    assert status(running) == "STOP"


@pytest.mark.parametrize("deferrable", [True, False])
def test_stopping_that_never_ends(running: Sandbox, clock: Time, deferrable: bool) -> None:
    running.faults.dead_servers = {2}
    end = ending(lambda: drive(stop(timeout=200, deferrable=deferrable), make_context(), clock))
    assert isinstance(end.error, WaitTimeoutError)
    assert end.state == "failed"
    assert 200 <= clock.elapsed < 220
    assert "Now log backup is sys STOPPING (round 1)" in end.text


def test_what_somebody_starts_again_is_not_stopped_again(running: Sandbox, clock: Time) -> None:
    """The task has stopped round 1; round 2 is somebody's will."""
    clock.at(8, lambda: running.force_status("STOP"))
    task = stop(poll_interval=10)
    settle = task.settle

    def restarted(event: Any) -> Any:
        assert len(writes(running)) == 1
        running.force_status("DOING")
        return settle(event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "settle", restarted)
        end = ending(lambda: drive(task, make_context(), clock))
    assert isinstance(end.error, ArchiveStateError), end
    assert "DOING (round 2) although it was asked to stop" in end.text
    assert "Somebody may have changed it meanwhile" in end.text
    assert writes(running) == [STOP]
    assert (status(running), round_of(running)) == ("DOING", 2)


def test_a_round_that_does_not_stop(running: Sandbox, clock: Time) -> None:
    """Accepted, STOPPING, and then DOING once more: terminal after the grace, not a wait to the end."""
    running.faults.dead_servers = {1}
    clock.at(20, lambda: setattr(running._cluster.archive.sys, "status", "DOING"))
    end = ending(lambda: drive(stop(), make_context(), clock))
    assert isinstance(end.error, ArchiveStateError)
    assert "DOING (round 1) although it was asked to stop" in end.text
    assert clock.elapsed < 200


def test_an_ok_without_effect_is_not_a_success(running: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running._cluster.archive, "stop", lambda: None)
    end = ending(lambda: drive(stop(), make_context(), clock))
    assert isinstance(end.error, NotVerifiedError)
    assert writes(running) == [STOP]


@pytest.mark.parametrize("wrong", [{"STATUS": "WEIRD"}, {"TENANT_ID": 9}], ids=str)
def test_no_state_that_can_be_read(running: Sandbox, clock: Time, wrong: dict[str, Any]) -> None:
    running.faults.malformed = {f"CDB_OB_BACKUP_ARCHIVELOG.{name}": value for name, value in wrong.items()}
    end = ending(lambda: drive(stop(), make_context(), clock))
    assert isinstance(end.error, ArchiveStateError | NotVerifiedError)
    assert running.writes == ()


@pytest.mark.parametrize(
    ("errno", "after", "expected"),
    [
        (9024, False, "failed"),
        (9024, True, "success"),
        (1235, True, "success"),
        (1227, False, "failed"),
        (4012, True, "success"),
        (4012, False, "retry"),
        (4114, False, "retry"),
        (4527, False, "retry"),
    ],
)
def test_what_the_server_answers(running: Sandbox, clock: Time, errno: int, after: bool, expected: str) -> None:
    running.faults.error_once = (STOP, errno, "words", after)
    end = ending(lambda: drive(stop(), make_context(), clock))
    assert (end.state, writes(running)) == (expected, [STOP]), end


def test_somebody_else_stops_it_at_the_same_time(
    running: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """9024: the state was read as DOING, and is STOPPING when the statement arrives."""
    archive = running._cluster.archive
    real = archive.stop

    def late() -> None:
        real()
        real()

    monkeypatch.setattr(archive, "stop", late)
    result = drive(stop(), make_context(), clock)
    assert result["state"] == "STOP"
    assert result["changed"] is False, "it was not this task that changed it"
