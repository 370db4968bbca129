"""The sensors: one decision in every mode, and the same outcome under every flag."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.bases.operator import TriggerFailureReason
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSensorTimeout, TaskDeferred

from airflow_ob_provider.exceptions import ArchiveStateError, OceanBaseError, WaitReadError, WaitRefusedError
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import (
    ArchiveCheckpointSensor,
    ArchiveDoingSensor,
    OceanBaseSensor,
    PieceStatusSensor,
)
from tests.unit.operators.harness import Ending, Time, drive, drive_rescheduled, ending, make_context

MODES: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False, "mode": "poke"},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferrable": {"deferrable": True},
}
FLAGS: dict[str, dict[str, Any]] = {
    "no flag": {},
    "soft_fail": {"soft_fail": True},
    "never_fail": {"never_fail": True},
    "silent_fail": {"silent_fail": True},
}
modes = pytest.mark.parametrize("mode", MODES)
flags = pytest.mark.parametrize("flag", FLAGS)


def wait_with(kind: type[OceanBaseSensor], time: Time, mode: str, context: Any = None, **kwargs: Any) -> Ending:
    """Run a sensor to its end in one mode."""

    def make() -> OceanBaseSensor:
        return kind(task_id="sensor", **MODES[mode], **{"timeout": 1800, "poke_interval": 30, **kwargs})

    context = context or make_context()
    if mode == "reschedule":
        return ending(lambda: drive_rescheduled(make, context, time))
    return ending(lambda: drive(make(), context, time))


@pytest.fixture
def doing(cluster: Sandbox) -> Sandbox:
    cluster.parameters["backup_dest"] = "file:///data/nfs/backup"
    cluster.force_status("DOING")
    return cluster


# --- every terminal state x mode x flag -------------------------------------------------------------------------------


def _interrupted(box: Sandbox, time: Time) -> None:
    box.force_status("INTERRUPTED")


def _interrupted_later(box: Sandbox, time: Time) -> None:
    box.force_status("BEGINNING")
    box.faults.destination_unwritable = True
    time.at(100, lambda: box.force_status("INTERRUPTED"))


def _stopped(box: Sandbox, time: Time) -> None:
    box.force_status("STOP")
    time.sleep(10)


def _stopped_later(box: Sandbox, time: Time) -> None:
    box.force_status("BEGINNING")
    box.faults.destination_unwritable = True
    time.at(100, lambda: box.force_status("STOP"))


def _refused(box: Sandbox, time: Time) -> None:
    box.faults.error_once = ("gv.tenant", 1142, "SELECT command denied", False, 10_000)


def _refused_later(box: Sandbox, time: Time) -> None:
    box.force_status("BEGINNING")
    box.faults.destination_unwritable = True
    time.at(100, lambda: _refused(box, time))


def _endless(box: Sandbox, time: Time) -> None:
    box.force_status("BEGINNING")
    box.faults.destination_unwritable = True


def _dropped(box: Sandbox, time: Time) -> None:
    _endless(box, time)
    time.at(100, lambda: box.drop_tenant("tenant1"))


def _doing(box: Sandbox, time: Time) -> None:
    box.force_status("DOING")


def _doing_later(box: Sandbox, time: Time) -> None:
    box.force_status("BEGINNING")


SKIPS = {"soft_fail", "never_fail"}
TERMINAL: dict[str, tuple[Callable[[Sandbox, Time], None], type[OceanBaseSensor], dict[str, Any], str]] = {
    "DOING": (_doing, ArchiveDoingSensor, {}, "success"),
    "DOING in a while": (_doing_later, ArchiveDoingSensor, {}, "success"),
    "INTERRUPTED": (_interrupted, ArchiveDoingSensor, {}, "failed"),
    "INTERRUPTED in mid-wait": (_interrupted_later, ArchiveDoingSensor, {}, "failed"),
    "STOP": (_stopped, ArchiveDoingSensor, {}, "failed"),
    "STOP in mid-wait": (_stopped_later, ArchiveDoingSensor, {}, "failed"),
    "refused": (_refused, ArchiveDoingSensor, {}, "failed"),
    "refused in mid-wait": (_refused_later, ArchiveDoingSensor, {}, "failed"),
    "timeout": (_endless, ArchiveDoingSensor, {"timeout": 200}, "failed"),
    "tenant dropped in mid-wait": (_dropped, ArchiveDoingSensor, {"tenants": ["tenant1"]}, "failed"),
    "no such tenant": (_doing, ArchiveDoingSensor, {"tenants": ["nobody"]}, "failed"),
    "checkpoint": (_doing, ArchiveCheckpointSensor, {}, "success"),
    "checkpoint, INTERRUPTED": (_interrupted, ArchiveCheckpointSensor, {}, "failed"),
    "checkpoint, STOP": (_stopped, ArchiveCheckpointSensor, {}, "failed"),
    "pieces": (_doing, PieceStatusSensor, {}, "success"),
    "pieces, timeout": (_doing, PieceStatusSensor, {"statuses": ["FREEZING"], "timeout": 200}, "failed"),
}


@flags
@modes
@pytest.mark.parametrize("case", TERMINAL)
def test_the_outcome_is_the_same_in_every_mode(doing: Sandbox, clock: Time, case: str, mode: str, flag: str) -> None:
    prepare, kind, arguments, expected = TERMINAL[case]
    prepare(doing, clock)
    end = wait_with(kind, clock, mode, **FLAGS[flag], **arguments)
    assert end.state == ("skipped" if expected == "failed" and flag in SKIPS else expected), end
    if end.state == "success":
        json.dumps(end.result)
        assert "DOING" in end.result.get("states", ["DOING"])
    if "timeout" in case:
        assert 200 <= clock.elapsed < 260
        assert end.state == "skipped" or isinstance(end.error, AirflowSensorTimeout)
    assert doing.writes == (), "a sensor only reads"


@modes
def test_lost_for_good_is_neither_success_nor_broken(doing: Sandbox, clock: Time, mode: str) -> None:
    """Five failures over two minutes end a wait, to be retried; where no count survives, the timeout does."""
    _endless(doing, clock)
    clock.at(60, lambda: setattr(doing.faults, "drop_before", ("gv.tenant", 10_000)))
    end = wait_with(ArchiveDoingSensor, clock, mode)
    if mode == "reschedule":
        assert isinstance(end.error, AirflowSensorTimeout)
    else:
        assert end.state == "retry", end
        assert isinstance(end.error, WaitReadError)
        assert "nothing is known about it" in end.text
        assert 120 <= clock.elapsed - 60 < 600


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
@pytest.mark.parametrize(
    ("flag", "state"), [("soft_fail", "skipped"), ("never_fail", "skipped"), ("silent_fail", "failed")]
)
def test_lost_for_good_under_a_flag(doing: Sandbox, clock: Time, mode: str, flag: str, state: str) -> None:
    doing.faults.drop_before = ("gv.tenant", 10_000)
    end = wait_with(ArchiveDoingSensor, clock, mode, **FLAGS[flag])
    assert end.state == state
    if flag == "silent_fail":
        assert isinstance(end.error, AirflowSensorTimeout)
        assert clock.elapsed >= 1800


@flags
@modes
@pytest.mark.parametrize("fault", ["lost", "nonsense", "no row"])
def test_a_passing_fault_is_borne(doing: Sandbox, clock: Time, mode: str, flag: str, fault: str) -> None:
    """From the very first look on."""
    if fault == "lost":
        doing.faults.drop_before = ("gv.tenant", 4)
    else:
        wrong = {
            "nonsense": {"CDB_OB_BACKUP_ARCHIVELOG.MAX_NEXT_TIME": "yesterday"},
            "no row": {"CDB_OB_BACKUP_ARCHIVELOG.TENANT_ID": 99},
        }
        doing.faults.malformed = wrong[fault]
        clock.at(50, doing.faults.reset)
    end = wait_with(ArchiveDoingSensor, clock, mode, **FLAGS[flag])
    assert end.state == "success", end


@modes
@pytest.mark.parametrize("flag", ["never_fail", "silent_fail"])
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ArchiveDoingSensor, {"min_round": "two"}),
        (ArchiveDoingSensor, {"min_round": -1}),
        (ArchiveDoingSensor, {"min_round": 1.5}),
        (ArchiveDoingSensor, {"min_round": True}),
        (ArchiveDoingSensor, {"min_round": {"cluster": "two"}}),
        (ArchiveDoingSensor, {"tenants": "tenant1; tenant2"}),
        (ArchiveDoingSensor, {"tenants": ["a b"]}),
        (ArchiveDoingSensor, {"timeout": "soon"}),
        (ArchiveDoingSensor, {"poke_interval": "often"}),
        (ArchiveDoingSensor, {"poke_interval": "-1"}),
        (PieceStatusSensor, {"statuses": ["DONE"]}),
        (PieceStatusSensor, {"statuses": ["UNKNOWN"]}),
        (PieceStatusSensor, {"statuses": []}),
        (PieceStatusSensor, {"round_id": "last"}),
        (ArchiveCheckpointSensor, {"after": "yesterday"}),
        (ArchiveCheckpointSensor, {"after": None}),
        (ArchiveCheckpointSensor, {"after": 5}),
    ],
    ids=str,
)
def test_a_mistake_is_a_mistake_under_every_flag(
    doing: Sandbox, clock: Time, mode: str, flag: str, kind: Any, arguments: dict[str, Any]
) -> None:
    end = wait_with(kind, clock, mode, **FLAGS[flag], **arguments)
    assert end.state == "retry"
    assert type(end.error) is ValueError
    assert next(iter(arguments)) in end.text
    assert doing.statements == ()
    assert clock.elapsed == 0


@flags
@modes
def test_a_connection_that_does_not_exist(doing: Sandbox, clock: Time, mode: str, flag: str) -> None:
    end = wait_with(ArchiveDoingSensor, clock, mode, **FLAGS[flag], oceanbase_conn_id="nobody_knows_it")
    assert isinstance(end.error, AirflowNotFoundException)
    assert clock.elapsed == 0


@flags
@modes
def test_a_connection_with_an_illegal_field(
    doing: Sandbox, clock: Time, add_connection: Any, mode: str, flag: str
) -> None:
    add_connection(doing, "illegal", read_timeout="for ever")
    end = wait_with(ArchiveDoingSensor, clock, mode, **FLAGS[flag], oceanbase_conn_id="illegal")
    assert isinstance(end.error, ValueError)
    assert "read_timeout" in end.text
    assert clock.elapsed == 0


# --- never a false green ----------------------------------------------------------------------------------------------


@modes
def test_doing_means_every_tenant(doing: Sandbox, clock: Time, mode: str) -> None:
    doing.faults.mixed_tenants = True
    clock.at(90, lambda: setattr(doing.faults, "mixed_tenants", False))
    end = wait_with(ArchiveDoingSensor, clock, mode)
    assert end.state == "success"
    assert 90 <= clock.elapsed < 130
    assert end.result["tenants_doing"] == 2


@modes
@pytest.mark.parametrize("word", ["WEIRD", "MIXED", "PAUSED", "", "doing?"])
def test_a_word_nobody_knows_is_waited_out(doing: Sandbox, clock: Time, mode: str, word: str) -> None:
    doing.faults.mixed_tenants = {"tenant2": word}
    end = wait_with(ArchiveDoingSensor, clock, mode, timeout=300)
    assert isinstance(end.error, AirflowSensorTimeout)


@modes
@pytest.mark.parametrize("kind", [ArchiveDoingSensor, ArchiveCheckpointSensor])
@pytest.mark.parametrize(
    "wrong",
    [
        {"CDB_OB_BACKUP_ARCHIVELOG.STATUS": "WEIRD"},
        {"CDB_OB_BACKUP_ARCHIVELOG.MAX_NEXT_TIME": "soon"},
        {"CDB_OB_BACKUP_ARCHIVELOG.MIN_FIRST_TIME": "0000-00-00 00:00:00"},
        {"CDB_OB_BACKUP_ARCHIVELOG.TENANT_ID": 77},
    ],
    ids=str,
)
def test_rows_of_nonsense_prove_nothing(
    doing: Sandbox, clock: Time, mode: str, kind: Any, wrong: dict[str, Any]
) -> None:
    doing.faults.malformed = wrong
    end = wait_with(kind, clock, mode, timeout=200, silent_fail=True)
    assert isinstance(end.error, AirflowSensorTimeout), end


@modes
def test_an_older_round_is_not_the_one_that_was_started(doing: Sandbox, clock: Time, mode: str) -> None:
    assert wait_with(ArchiveDoingSensor, clock, mode, min_round=1).state == "success"
    end = wait_with(ArchiveDoingSensor, clock, mode, min_round="2", timeout=300)
    assert isinstance(end.error, AirflowSensorTimeout)
    end = wait_with(ArchiveDoingSensor, clock, mode, min_round={"cluster": 2}, timeout=300)
    assert isinstance(end.error, AirflowSensorTimeout)


@modes
def test_the_rounds_that_a_start_tells_are_those_to_wait_for(doing: Sandbox, clock: Time, mode: str) -> None:
    rounds = StartArchivelogOperator(task_id="start").execute(make_context())["rounds"]
    end = wait_with(ArchiveDoingSensor, clock, mode, min_round=rounds)
    assert end.state == "success", end
    assert end.result["rounds"] == rounds == {"cluster": 1}
    assert end.result["out_of_scope"] == []


@modes
def test_a_new_round_is_waited_for(doing: Sandbox, clock: Time, mode: str) -> None:
    clock.at(100, lambda: (doing.force_status("STOP"), doing.force_status("BEGINNING")))
    end = wait_with(ArchiveDoingSensor, clock, mode, min_round=2)
    assert end.state == "success"
    assert end.result["round"] == 2


@modes
def test_a_tenant_created_in_mid_wait_is_waited_for(doing: Sandbox, clock: Time, mode: str) -> None:
    doing.force_status("BEGINNING")
    doing.faults.slow_start_seconds = 60
    clock.at(20, lambda: doing.create_tenant("latecomer"))
    end = wait_with(ArchiveDoingSensor, clock, mode)
    assert end.result["tenants_doing"] == 3


@modes
def test_a_tenant_dropped_in_mid_wait_is_not_waited_for(doing: Sandbox, clock: Time, mode: str) -> None:
    doing.faults.mixed_tenants = True
    clock.at(60, lambda: doing.drop_tenant("tenant2"))
    clock.at(200, lambda: setattr(doing.faults, "mixed_tenants", False))
    end = wait_with(ArchiveDoingSensor, clock, mode)
    assert end.state == "success"
    assert end.result["tenants_doing"] == 1


@modes
def test_only_the_tenants_asked_for(doing: Sandbox, clock: Time, mode: str) -> None:
    doing.faults.mixed_tenants = {"tenant2": "BEGINNING"}
    assert wait_with(ArchiveDoingSensor, clock, mode, tenants=["tenant1"]).result["tenants_doing"] == 1
    assert wait_with(ArchiveDoingSensor, clock, mode, tenants="tenant1").result["tenants_doing"] == 1
    end = wait_with(ArchiveDoingSensor, clock, mode, tenants=["tenant1", "tenant2"], timeout=100)
    assert isinstance(end.error, AirflowSensorTimeout)


@modes
def test_a_cluster_without_user_tenants_is_doing_with_a_warning(
    add_connection: Any, clock: Time, mode: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(tenants=0, manual_clock=True) as box:
        box.force_status("DOING")
        add_connection(box)
        end = wait_with(ArchiveDoingSensor, clock, mode)
    assert end.result["tenants_doing"] == 0
    assert "nothing is archived" in capsys.readouterr().out + caplog.text


@modes
def test_now_is_the_servers_clock_at_the_first_look(doing: Sandbox, clock: Time, mode: str) -> None:
    """In reschedule mode a new process must not take a new "now", or the wait would never end."""
    doing.faults.frozen_checkpoint = True
    doing.advance(1)
    first = doing.now
    clock.at(120, lambda: setattr(doing.faults, "frozen_checkpoint", False))
    end = wait_with(ArchiveCheckpointSensor, clock, mode)
    assert end.state == "success", end
    assert datetime.fromisoformat(end.result["after"]).replace(tzinfo=None) == first
    assert datetime.fromisoformat(end.result["checkpoint"]).replace(tzinfo=None) >= first
    assert clock.elapsed >= 120


@modes
def test_a_server_that_cannot_be_reached_at_first_is_tried_again(doing: Sandbox, clock: Time, mode: str) -> None:
    doing.faults.drop_before = ("version_comment", 1)
    end = wait_with(ArchiveCheckpointSensor, clock, mode)
    assert end.state == "success", end


@modes
def test_a_checkpoint_that_stands_still_proves_nothing(doing: Sandbox, clock: Time, mode: str) -> None:
    doing.faults.frozen_checkpoint = True
    clock.sleep(1)
    end = wait_with(ArchiveCheckpointSensor, clock, mode, timeout=600)
    assert isinstance(end.error, AirflowSensorTimeout)


@modes
def test_a_moment_before_the_round_cannot_be_proven(doing: Sandbox, clock: Time, mode: str) -> None:
    before = (doing.now - timedelta(hours=1)).isoformat()
    end = wait_with(ArchiveCheckpointSensor, clock, mode, after=before)
    assert end.state == "failed"
    assert isinstance(end.error, ArchiveStateError)
    assert "before the start of the round" in end.text


@modes
@pytest.mark.parametrize("shape", ["text", "text with offset", "text with blanks", "datetime", "datetime with zone"])
def test_moments_in_every_shape(doing: Sandbox, clock: Time, mode: str, shape: str) -> None:
    clock.sleep(300)
    moment = doing.now - timedelta(seconds=100)
    after = {
        "text": moment.isoformat(sep=" "),
        "text with offset": moment.isoformat() + "+08:00",
        "text with blanks": f"  {moment.isoformat()} ",
        "datetime": moment,
        "datetime with zone": (moment - timedelta(hours=8)).replace(tzinfo=UTC),
    }[shape]
    end = wait_with(ArchiveCheckpointSensor, clock, mode, after=after)
    assert end.state == "success", end
    assert datetime.fromisoformat(end.result["after"]) == (moment - timedelta(hours=8)).replace(tzinfo=UTC)


@pytest.mark.parametrize("flag", FLAGS)
def test_now_needs_a_memory_in_reschedule_mode(doing: Sandbox, clock: Time, flag: str) -> None:
    """Before Airflow 3.3 no such thing exists: that is said at once, whatever the flags."""
    context = make_context(store=False)
    end = wait_with(ArchiveCheckpointSensor, clock, "reschedule", context, **FLAGS[flag])
    assert type(end.error) is ValueError
    assert "deferrable=True" in end.text
    moment = (doing.now + timedelta(seconds=1)).isoformat()
    assert wait_with(ArchiveCheckpointSensor, clock, "reschedule", make_context(store=False), after=moment).result


def test_without_a_store_a_rescheduled_sensor_still_ends(doing: Sandbox, clock: Time) -> None:
    doing.force_status("STOP")
    end = wait_with(ArchiveDoingSensor, clock, "reschedule", make_context(store=False), timeout=300)
    assert isinstance(end.error, AirflowSensorTimeout)


def test_a_retry_does_not_inherit_the_memory_of_the_try_before(doing: Sandbox, clock: Time) -> None:
    context = make_context(1)
    doing.faults.frozen_checkpoint = True
    doing.advance(1)
    wait_with(ArchiveCheckpointSensor, clock, "reschedule", context, timeout=60)
    doing.faults.reset()
    later = make_context(2)
    later["task_state_store"] = context["task_state_store"]
    moment = doing.now
    end = wait_with(ArchiveCheckpointSensor, clock, "reschedule", later)
    assert datetime.fromisoformat(end.result["after"]).replace(tzinfo=None) == moment


# --- pieces -----------------------------------------------------------------------------------------------------------


@modes
def test_pieces_of_every_tenant(doing: Sandbox, clock: Time, mode: str) -> None:
    end = wait_with(PieceStatusSensor, clock, mode, statuses="ACTIVE", round_id="")
    assert (end.result["round"], end.result["tenants"]) == (1, 2)
    assert {piece["status"] for piece in end.result["newest"]} == {"ACTIVE"}


@modes
def test_pieces_of_a_stopped_round_are_frozen(doing: Sandbox, clock: Time, mode: str) -> None:
    doing.force_status("STOP")
    end = wait_with(PieceStatusSensor, clock, mode, statuses=["FROZEN"], round_id="1", tenants=["tenant1"])
    assert end.state == "success", end
    end = wait_with(PieceStatusSensor, clock, mode, timeout=100)
    assert isinstance(end.error, AirflowSensorTimeout), "a frozen piece is not an ACTIVE one"


@modes
@pytest.mark.parametrize(
    ("wrong", "state"),
    [
        ({"CDB_OB_BACKUP_PIECE_FILES.FILE_STATUS": "BROKEN"}, "failed at once"),
        ({"CDB_OB_BACKUP_PIECE_FILES.FILE_STATUS": "COPYING"}, "timeout"),
        ({"CDB_OB_BACKUP_PIECE_FILES.FILE_STATUS": "FINE"}, "timeout"),
        ({"CDB_OB_BACKUP_PIECE_FILES.STATUS": "WEIRD"}, "timeout"),
        ({"CDB_OB_BACKUP_PIECE_FILES.ROUND_ID": 7}, "timeout"),
        ({"CDB_OB_BACKUP_PIECE_FILES.TENANT_ID": 1}, "timeout"),
    ],
    ids=str,
)
def test_pieces_that_prove_nothing(doing: Sandbox, clock: Time, mode: str, wrong: Any, state: str) -> None:
    doing.faults.malformed = wrong
    end = wait_with(PieceStatusSensor, clock, mode, timeout=300)
    if state == "timeout":
        assert isinstance(end.error, AirflowSensorTimeout), end
    else:
        assert isinstance(end.error, ArchiveStateError)
        assert clock.elapsed == 0


@modes
def test_a_tenant_without_a_piece_is_waited_for(doing: Sandbox, clock: Time, mode: str) -> None:
    doing.create_tenant("latecomer")
    end = wait_with(PieceStatusSensor, clock, mode)
    assert end.result["tenants"] == 3


# --- deferring --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(77, 77), ("77", 77), (timedelta(minutes=2), 120), (0.5, 0.5)], ids=str
)
def test_the_deferral_has_the_sensors_timeout(doing: Sandbox, clock: Time, timeout: Any, seconds: float) -> None:
    doing.force_status("BEGINNING")
    sensor = ArchiveDoingSensor(task_id="sensor", timeout=timeout, poke_interval="3", silent_fail=True)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(make_context())
    trigger = deferred.value.trigger
    assert trigger.seconds == seconds
    assert deferred.value.timeout.total_seconds() > seconds, (
        "the wait ends itself: the scheduler does not know for what"
    )
    assert (trigger.poll_interval, trigger.patient) == (3, True)
    assert trigger.label == "dag=dag task=task run=manual__2026-01-01"
    assert trigger.wait["since"] is not None, "the first look has begun the wait"


def test_a_wait_past_its_timeout_says_for_what(doing: Sandbox, clock: Time) -> None:
    doing.force_status("BEGINNING")
    doing.faults.destination_unwritable = True
    end = wait_with(ArchiveDoingSensor, clock, "deferrable", timeout="77", poke_interval=10)
    assert end.state == "failed"
    assert "sensor: not within 77 s: 0 of 3 are DOING; sys BEGINNING" in end.text


def test_a_wait_that_only_the_scheduler_can_end_says_so(doing: Sandbox, clock: Time) -> None:
    sensor = ArchiveDoingSensor(task_id="sensor", timeout="77")
    with pytest.raises(AirflowSensorTimeout, match="sensor: not within 77 s: the log of the trigger says for what"):
        sensor.resume_execution("__fail__", {"error": TriggerFailureReason.TRIGGER_TIMEOUT}, make_context())


def test_what_is_there_already_does_not_defer(doing: Sandbox, clock: Time) -> None:
    result = ArchiveDoingSensor(task_id="sensor").execute(make_context())
    assert result["states"] == ["DOING"]


@pytest.mark.parametrize("fault", [_refused, _interrupted], ids=["refused", "INTERRUPTED"])
def test_what_cannot_heal_does_not_defer(doing: Sandbox, clock: Time, fault: Any) -> None:
    fault(doing, clock)
    with pytest.raises(OceanBaseError):
        ArchiveDoingSensor(task_id="sensor").execute(make_context())


def test_the_grace_of_stop_counts_from_the_first_look(doing: Sandbox, clock: Time) -> None:
    doing.force_status("STOP")
    end = wait_with(ArchiveDoingSensor, clock, "deferrable", poke_interval=10)
    assert end.state == "failed"
    assert 60 <= clock.elapsed < 80, "not at once, and not when the sensor times out"


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (None, WaitReadError),
        ({}, WaitReadError),
        ({"status": "success"}, WaitReadError),
        ({"status": "ready"}, WaitReadError),
        ({"status": "ready", "summary": "fine"}, WaitReadError),
        ({"status": "unreadable", "reason": "x"}, WaitReadError),
        ({"status": "unreadable", "reason": "x", "permanent": True}, WaitRefusedError),
        ({"status": "terminal", "reason": "x", "hint": "y"}, ArchiveStateError),
    ],
)
def test_an_event_that_is_not_ready_is_never_a_success(event: Any, error: type[OceanBaseError]) -> None:
    with pytest.raises(error):
        ArchiveDoingSensor(task_id="sensor").execute_complete(make_context(), event=event)


@modes
def test_progress_is_logged(doing: Sandbox, clock: Time, mode: str, capsys: pytest.CaptureFixture[str],
                            caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    doing.force_status("BEGINNING")
    wait_with(ArchiveDoingSensor, clock, mode)
    shown = capsys.readouterr().out + caplog.text
    assert "of 3 are DOING" in shown
    assert "tenant1 BEGINNING (round 2)" in shown


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ArchiveDoingSensor, {"min_round"}),
        (PieceStatusSensor, {"round_id", "statuses"}),
        (ArchiveCheckpointSensor, {"after"}),
    ],
)
def test_template_fields(kind: type[OceanBaseSensor], fields: set[str]) -> None:
    expected = {"oceanbase_conn_id", "tenants", "poke_interval", "timeout", "on_partial_failure"} | fields
    assert set(kind.template_fields) == expected
    sensor = kind(task_id="sensor", timeout="{{ params.timeout }}", poke_interval="{{ params.poll }}")
    assert all(hasattr(sensor, name) for name in expected)
    assert (sensor.timeout, sensor.poke_interval) == ("{{ params.timeout }}", "{{ params.poll }}")


def test_the_base_waits_for_nothing() -> None:
    with pytest.raises(NotImplementedError):
        OceanBaseSensor(task_id="sensor").wanted()
