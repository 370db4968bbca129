"""The sensors on 4.x: every tenant for itself, log streams and COMMENT named, bounds that know the scheduler."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_ob_provider.exceptions import ArchiveStateError
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.v4.scn import to_scn
from airflow_ob_provider.sensors.archivelog import (
    ArchiveCheckpointSensor,
    ArchiveDoingSensor,
    OceanBaseSensor,
    PieceStatusSensor,
)
from tests.unit.operators.harness import Ending, Time, drive, drive_rescheduled, ending
from tests.unit.operators.harness4 import (
    archive_of,
    builds,
    clock,
    cluster,
    last_try,
    put,
    sql,
    state_of,
)

__all__ = ["clock", "cluster"]

ONE = ["tenant1"]
MODES = ("poke", "reschedule", "deferrable")
in_all_modes = pytest.mark.parametrize("mode", MODES)


def wait(kind: type[OceanBaseSensor], mode: str, time: Time, **kwargs: Any) -> Ending:
    """Run a sensor to its end in one of the three ways of waiting."""

    def make() -> OceanBaseSensor:
        how = {"deferrable": True} if mode == "deferrable" else {"deferrable": False, "mode": mode}
        return kind(task_id="sensor", **how, **kwargs)

    if mode == "reschedule":
        return ending(lambda: drive_rescheduled(make, last_try(), time))
    return ending(lambda: _value(drive(make(), last_try(), time)))


def _value(result: Any) -> Any:
    return getattr(result, "xcom_value", None) or result


def start(tenants: list[str], time: Time) -> dict[str, Any]:
    result: dict[str, Any] = drive(StartArchivelogOperator(task_id="start", tenants=tenants), last_try(), time)
    return result


# --- DOING ------------------------------------------------------------------------------------------------------------


@in_all_modes
@pytest.mark.parametrize("cluster", ["4.0.0", "4.2.5"], indirect=True)
def test_from_the_start_to_doing(cluster: Sandbox, clock: Time, mode: str) -> None:
    put(cluster, "STOP")
    put(cluster, "DOING", "tenant2")
    started = start(ONE, clock)
    end = wait(ArchiveDoingSensor, mode, clock, tenants=started["tenants"], min_round=started["rounds"])
    assert end.state == "success", end
    assert (state_of(cluster).status, state_of(cluster).round_id) == ("DOING", 2)
    assert end.result["rounds"] == {"tenant1": 2}
    assert end.result["out_of_scope"] == ["tenant2"]
    assert end.result["tenants_doing"] == 1


@in_all_modes
@pytest.mark.parametrize(
    ("cluster", "kind"),
    [("4.1.0", ArchiveDoingSensor), ("4.2.5", ArchiveDoingSensor), ("4.3.3", ArchiveCheckpointSensor)],
    indirect=["cluster"],
)
def test_one_interrupted_log_stream_fails_at_once_and_is_named(
    cluster: Sandbox, clock: Time, mode: str, kind: type[OceanBaseSensor]
) -> None:
    cluster.faults.slow_start_tenants = {"tenant1": 3000.0}
    put(cluster, "BEGINNING")
    put(cluster, "DOING", "tenant2")
    clock.at(100, lambda: cluster.interrupt("tenant1", 1))
    end = wait(kind, mode, clock)
    assert end.state == "failed", end
    assert isinstance(end.error, ArchiveStateError)
    assert "tenant1 INTERRUPTED" in end.text
    assert "log stream 1 interrupted" in end.text, "COMMENT is shown"
    assert "never heals by itself" in end.text
    assert "tenant2" not in end.text
    assert clock.elapsed < 200


@in_all_modes
@builds("4.1.0", "4.2.5")
@pytest.mark.parametrize("state", ["SUSPEND", "STOP"])
def test_at_rest_it_fails_after_the_grace(cluster: Sandbox, clock: Time, mode: str, state: str) -> None:
    put(cluster, state)
    put(cluster, "DOING", "tenant2")
    end = wait(ArchiveDoingSensor, mode, clock)
    assert isinstance(end.error, ArchiveStateError), end
    assert f"tenant1 {state}" in end.text
    assert 60 <= clock.elapsed < 100


@builds("4.1.0", "4.2.5")
def test_suspended_while_waited_for(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.slow_start_tenants = {"tenant1": 3000.0}
    put(cluster, "BEGINNING")
    clock.at(30, lambda: cluster.force_status("SUSPEND", "tenant1"))
    end = wait(ArchiveDoingSensor, "deferrable", clock, tenants=ONE)
    assert isinstance(end.error, ArchiveStateError), end
    assert "SUSPEND" in end.text


@in_all_modes
def test_a_medium_that_dies_while_it_is_suspended(cluster: Sandbox, clock: Time, mode: str) -> None:
    """SUSPENDING hangs; nothing but a statement leads out of it."""
    put(cluster, "SUSPENDING")
    cluster.faults.dead_medium = {"tenant1"}
    end = wait(ArchiveDoingSensor, mode, clock, tenants=ONE)
    assert isinstance(end.error, ArchiveStateError), end
    assert "tenant1 SUSPENDING" in end.text
    assert clock.elapsed < 110


def test_resumed_while_waited_for(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "SUSPEND")
    clock.at(30, lambda: sql(cluster, "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE' TENANT = tenant1"))
    end = wait(ArchiveDoingSensor, "deferrable", clock, tenants=ONE)
    assert end.state == "success", end
    assert end.result["rounds"] == {"tenant1": 1}


@pytest.mark.parametrize("tenants", [None, ONE])
@builds("4.1.0", "4.2.5")
def test_the_mode_is_on_but_nothing_can_start(cluster: Sandbox, clock: Time, tenants: list[str] | None) -> None:
    """ARCHIVELOG without a destination: OK of the server, and no row ever."""
    put(cluster, "MODE")
    put(cluster, "DOING", "tenant2")
    end = wait(ArchiveDoingSensor, "deferrable", clock, tenants=tenants)
    assert isinstance(end.error, ArchiveStateError), end
    assert "destination" in end.text
    assert clock.elapsed < 100


@builds()
def test_slow_start_is_waited_for(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    cluster.faults.slow_start_tenants = {"tenant1": 600.0}
    start(ONE, clock)
    end = wait(ArchiveDoingSensor, "deferrable", clock, tenants=ONE)
    assert end.state == "success", end
    assert clock.elapsed > 600


@in_all_modes
def test_an_older_round_is_not_what_was_started(cluster: Sandbox, clock: Time, mode: str) -> None:
    """min_round is one for each tenant, because each counts for itself."""
    for _ in range(3):
        put(cluster, "DOING")
        put(cluster, "STOP")
    put(cluster, "DOING")
    put(cluster, "DOING", "tenant2")
    assert wait(ArchiveDoingSensor, mode, clock, min_round={"tenant1": 4, "tenant2": 1}).state == "success"

    def again() -> None:
        put(cluster, "STOP", "tenant2")
        put(cluster, "DOING", "tenant2")

    clock.at(60, again)
    before = clock.elapsed
    end = wait(ArchiveDoingSensor, mode, clock, min_round={"tenant1": 4, "tenant2": 2})
    assert end.state == "success", end
    assert clock.elapsed - before >= 60
    assert end.result["rounds"] == {"tenant1": 4, "tenant2": 2}


@pytest.mark.parametrize("round_", [{"tenant1": "x"}, {"tenant1": -1}, "x", -1])
def test_an_illegal_round_is_refused_before(cluster: Sandbox, clock: Time, round_: Any) -> None:
    end = wait(ArchiveDoingSensor, "deferrable", clock, min_round=round_)
    assert isinstance(end.error, ValueError)
    assert cluster.statements == ()


@in_all_modes
@pytest.mark.parametrize("kind", [ArchiveDoingSensor, ArchiveCheckpointSensor, PieceStatusSensor])
def test_a_tenant_dropped_in_mid_wait(cluster: Sandbox, clock: Time, mode: str, kind: type[OceanBaseSensor]) -> None:
    cluster.faults.slow_start_tenants = {"tenant1": 9000.0}
    put(cluster, "BEGINNING")
    clock.at(40, lambda: cluster.drop_tenant("tenant1"))
    end = wait(kind, mode, clock, tenants=ONE)
    assert isinstance(end.error, ArchiveStateError), end
    assert "tenant1" in end.text
    assert clock.elapsed < 120


def test_a_tenant_created_in_mid_wait_is_not_archived(cluster: Sandbox, clock: Time) -> None:
    """4.x does not switch it on: with a list it is named, without one it is asked for and fails after the grace."""
    cluster.faults.slow_start_tenants = {"tenant1": 120.0}
    put(cluster, "BEGINNING")
    put(cluster, "DOING", "tenant2")
    clock.at(10, lambda: cluster.create_tenant("late"))
    end = wait(ArchiveDoingSensor, "deferrable", clock, tenants=["tenant1", "tenant2"])
    assert end.state == "success", end
    assert end.result["out_of_scope"] == ["late"]
    end = wait(ArchiveDoingSensor, "deferrable", clock)
    assert isinstance(end.error, ArchiveStateError)
    assert "late" in end.text


@pytest.mark.parametrize("kind", [ArchiveDoingSensor, ArchiveCheckpointSensor, PieceStatusSensor])
@builds()
def test_a_user_tenant_watches_itself(
    cluster: Sandbox, clock: Time, add_connection: Any, kind: type[OceanBaseSensor]
) -> None:
    put(cluster, "DOING")
    put(cluster, "INTERRUPTED", "tenant2")
    add_connection(cluster.connection("root", "tenant1"))
    for tenants in (None, ONE):
        end = wait(kind, "deferrable", clock, tenants=tenants)
        assert end.state == "success", end
    end = wait(kind, "deferrable", clock, tenants=["tenant2"])
    assert end.state == "failed"


def test_an_interrupted_log_stream_is_named_to_its_own_tenant(
    cluster: Sandbox, clock: Time, add_connection: Any
) -> None:
    put(cluster, "INTERRUPTED")
    add_connection(cluster.connection("root", "tenant1"))
    end = wait(ArchiveDoingSensor, "deferrable", clock)
    assert isinstance(end.error, ArchiveStateError)
    assert "log stream 1001 interrupted" in end.text


@in_all_modes
def test_a_server_that_is_away_for_a_while_is_borne(cluster: Sandbox, clock: Time, mode: str) -> None:
    cluster.faults.slow_start_tenants = {"tenant1": 60.0}
    put(cluster, "BEGINNING")
    put(cluster, "DOING", "tenant2")
    clock.at(20, lambda: setattr(cluster.faults, "drop_before", ("DBA_OB_TENANTS", 3)))
    end = wait(ArchiveDoingSensor, mode, clock, poke_interval=10)
    assert end.state == "success", end


# --- the proof --------------------------------------------------------------------------------------------------------


@in_all_modes
@pytest.mark.parametrize("cluster", ["4.0.0", "4.2.5"], indirect=True)
def test_the_checkpoint_proves_that_it_moves(cluster: Sandbox, clock: Time, mode: str) -> None:
    put(cluster, "DOING")
    put(cluster, "DOING", "tenant2")
    moment = cluster.now
    end = wait(ArchiveCheckpointSensor, mode, clock)
    assert end.state == "success", end
    for name in ("tenant1", "tenant2"):
        archive = archive_of(cluster, name)
        assert archive.round.checkpoint_scn >= to_scn(moment)
    assert clock.elapsed <= 120 + 100 + 30


@in_all_modes
def test_a_lag_target_of_two_hours_lengthens_a_short_timeout(cluster: Sandbox, clock: Time, mode: str) -> None:
    cluster.parameters["archive_lag_target", "tenant1"] = "7200s"
    put(cluster, "DOING")
    clock.sleep(120)
    before = clock.elapsed
    end = wait(ArchiveCheckpointSensor, mode, clock, tenants=ONE, timeout=600, poke_interval=300)
    assert end.state == "success", end
    assert clock.elapsed - before > 600


@builds("4.0.0", "4.2.5")
def test_a_checkpoint_that_stands_still_fails_within_a_bound(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    cluster.faults.frozen_checkpoint = True
    clock.sleep(60)
    before = clock.elapsed
    end = wait(ArchiveCheckpointSensor, "poke", clock, tenants=ONE, timeout=10)
    assert end.state == "failed"
    assert 120 <= clock.elapsed - before < 400


@pytest.mark.parametrize("state", ["STOP", "SUSPEND"])
def test_a_round_at_rest_proves_nothing_new(cluster: Sandbox, clock: Time, state: str) -> None:
    put(cluster, "DOING")
    clock.sleep(300)
    put(cluster, state)
    clock.sleep(60)
    end = wait(ArchiveCheckpointSensor, "deferrable", clock, tenants=ONE)
    assert isinstance(end.error, ArchiveStateError), end
    assert clock.elapsed < 480


def test_a_moment_before_the_round_cannot_be_proven(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    clock.sleep(100)
    moment = cluster.now - timedelta(days=1)
    end = wait(ArchiveCheckpointSensor, "deferrable", clock, tenants=ONE, after=moment)
    assert isinstance(end.error, ArchiveStateError)
    assert "before the start of the round" in end.text


def test_one_tenant_that_does_not_move_is_not_hidden_by_the_other(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    put(cluster, "DOING", "tenant2")
    cluster.faults.dead_medium = {"tenant2"}
    clock.sleep(60)
    end = wait(ArchiveCheckpointSensor, "poke", clock, timeout=300)
    assert end.state == "failed"
    assert wait(ArchiveCheckpointSensor, "poke", clock, timeout=300, tenants=ONE).state == "success"


# --- pieces -----------------------------------------------------------------------------------------------------------


@in_all_modes
@builds("4.0.0", "4.3.3")
def test_a_new_piece_is_incomplete_for_a_while(cluster: Sandbox, clock: Time, mode: str) -> None:
    put(cluster, "STOP")
    start(ONE, clock)
    wait(ArchiveDoingSensor, "deferrable", clock, tenants=ONE)
    end = wait(PieceStatusSensor, mode, clock, tenants=ONE)
    assert end.state == "success", end
    (piece,) = end.result["newest"]
    assert (piece["tenant"], piece["status"], piece["file_status"]) == ("tenant1", "ACTIVE", "AVAILABLE")


@pytest.mark.parametrize("word", ["INCOMPLETE", "INCOMPELTE", "COPYING"])
def test_incomplete_is_waiting_and_not_broken(cluster: Sandbox, clock: Time, word: str) -> None:
    put(cluster, "DOING")
    cluster.faults.malformed = {"CDB_OB_ARCHIVELOG_PIECE_FILES.FILE_STATUS": word}
    clock.at(60, lambda: setattr(cluster.faults, "malformed", {}))
    end = wait(PieceStatusSensor, "deferrable", clock, tenants=ONE)
    assert end.state == "success", end
    assert clock.elapsed >= 60


def test_a_broken_piece_fails_at_once(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    cluster.faults.malformed = {"CDB_OB_ARCHIVELOG_PIECE_FILES.FILE_STATUS": "BROKEN"}
    end = wait(PieceStatusSensor, "deferrable", clock)
    assert isinstance(end.error, ArchiveStateError)
    assert "tenant1" in end.text
    assert clock.elapsed == 0


@builds("4.1.0", "4.3.3")
def test_frozen_after_a_stop(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    put(cluster, "STOP")
    end = wait(PieceStatusSensor, "deferrable", clock, tenants=ONE, statuses=["FROZEN"])
    assert end.state == "success", end


@pytest.mark.parametrize("before", [60, 20, 0, -20])
def test_the_moment_a_piece_ends(cluster: Sandbox, clock: Time, before: int) -> None:
    put(cluster, "DOING")
    end_of_piece = archive_of(cluster, "tenant1").round.pieces[-1].end_scn / 1e9
    now = to_scn(cluster.now) / 1e9
    clock.sleep(end_of_piece - now - before)
    end = wait(PieceStatusSensor, "deferrable", clock, tenants=ONE)
    assert end.state == "success", end
    assert end.result["newest"][0]["status"] == "ACTIVE"


def test_each_tenant_has_its_own_round(cluster: Sandbox, clock: Time) -> None:
    for _ in range(2):
        put(cluster, "DOING")
        put(cluster, "STOP")
    put(cluster, "DOING")
    put(cluster, "DOING", "tenant2")
    clock.sleep(120)
    end = wait(PieceStatusSensor, "deferrable", clock)
    assert end.state == "success", end
    assert end.result["rounds"] == {"tenant1": 3, "tenant2": 1}


# --- displays ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("conflict", ["base_scn", "create_timestamp", "enbale", "incompelte", "interval_text",
                                      "no_end_scn_display"])  # fmt: skip
def test_what_the_manual_shows_otherwise_is_understood(cluster: Sandbox, clock: Time, conflict: str) -> None:
    put(cluster, "DOING")
    put(cluster, "DOING", "tenant2")
    cluster.faults.doc_conflicts = {conflict}
    kinds: tuple[Callable[..., Any], ...] = (ArchiveDoingSensor, ArchiveCheckpointSensor, PieceStatusSensor)
    for kind in kinds:
        assert wait(kind, "deferrable", clock).state == "success"  # type: ignore[arg-type]
