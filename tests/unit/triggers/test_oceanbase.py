"""The trigger: one event whatever happens, one poller for many waits, and a connection that is closed again."""

from __future__ import annotations

import asyncio
import json
import threading
import time as real_time
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest
from airflow.sdk.serde import deserialize, serialize
from airflow.triggers.base import BaseEventTrigger
from airflow.triggers.shared_stream import SharedStreamManager

from airflow_ob_provider.oceanbase.waits import ArchiveDoing, ArchiveStopped, CheckpointPassed, FreezeDone, PiecesReady
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.triggers import oceanbase as module
from airflow_ob_provider.triggers import poller
from airflow_ob_provider.triggers.oceanbase import OceanBaseWaitTrigger
from airflow_ob_provider.triggers.waiting import ReadFailure
from tests.unit.operators.harness import Time, events_of, fired, over_the_wire, run

DOING = ArchiveDoing().to_wire()
ARCHIVE_READ = "CDB_OB_BACKUP_ARCHIVELOG a"


def trigger(wait: Any = None, **kwargs: Any) -> OceanBaseWaitTrigger:
    return OceanBaseWaitTrigger(**{"wait": DOING if wait is None else wait, "label": "test", **kwargs})


def polls(box: Sandbox) -> int:
    return sum(ARCHIVE_READ in entry.sql for entry in box.statements)


def connections(box: Sandbox) -> int:
    return len(box._server.sessions) if box._server else 0


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("oceanbase-poller")]


def gone(box: Sandbox) -> bool:
    """Whether the poller has closed its connection; it does so in a thread."""
    return vanishes(lambda: connections(box))


def vanishes(what: Callable[[], object]) -> bool:
    deadline = real_time.monotonic() + 5
    while what() and real_time.monotonic() < deadline:
        real_time.sleep(0.01)
    return not what()


@pytest.fixture
def starting(cluster: Sandbox) -> Sandbox:
    cluster.parameters["backup_dest"] = "file:///data/nfs/backup"
    cluster.force_status("BEGINNING")
    return cluster


@pytest.fixture
def stuck(starting: Sandbox) -> Sandbox:
    starting.faults.destination_unwritable = True
    return starting


# --- one event --------------------------------------------------------------------------------------------------------


def test_ready(starting: Sandbox, clock: Time) -> None:
    event = fired(trigger(carry={"statements": ["x"]}))
    assert event["status"] == "ready"
    assert event["summary"]["states"] == ["DOING"]
    assert event["warning"] == ""
    assert event["carry"] == {"statements": ["x"]}
    assert gone(starting)


@pytest.mark.parametrize(("trigger_id", "seconds"), [(7, 5), (None, 0)])
@pytest.mark.parametrize("status", ["DOING", "INTERRUPTED"])
def test_a_triggerer_fires_only_when_airflow_has_heard_of_the_deferral(
    starting: Sandbox, clock: Time, trigger_id: int | None, seconds: float, status: str
) -> None:
    """A task that goes on earlier is taken for killed, and begun again."""
    starting.force_status(status)
    made = trigger()
    made.trigger_id = trigger_id  # type: ignore[assignment]
    assert [event["status"] for event in run(events_of(made))] == ["ready" if status == "DOING" else "terminal"]
    assert clock.elapsed == seconds


def test_an_event_that_comes_late_is_not_held_back(starting: Sandbox, clock: Time) -> None:
    made = trigger(poll_interval=30)
    made.trigger_id = 7  # type: ignore[assignment]
    (event,) = run(events_of(made))
    assert event["status"] == "ready"
    assert clock.sleeps[-1] == 0


def test_terminal(stuck: Sandbox, clock: Time) -> None:
    clock.at(60, lambda: stuck.force_status("INTERRUPTED"))
    event = fired(trigger())
    assert event["status"] == "terminal"
    assert "broken" in event["reason"]
    assert "NOARCHIVELOG" in event["hint"]


def test_a_permanent_refusal_ends_it_at_once(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.error_once = ("gv.tenant", 1142, "denied", False, 99)
    event = fired(trigger())
    assert event["status"] == "unreadable"
    assert event["permanent"] is True
    assert "1142" in event["reason"]
    assert clock.elapsed == 0
    assert gone(stuck)


def test_passing_faults_need_a_number_and_a_time(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.drop_before = ("gv.tenant", 10_000)
    event = fired(trigger(poll_interval=1))
    assert (event["status"], event["permanent"]) == ("unreadable", False)
    assert 120 <= clock.elapsed <= 130, "a RootService switch lasts a minute or two"
    clock.elapsed = 0
    event = fired(trigger(poll_interval=3600))
    assert event["status"] == "unreadable"
    assert len(clock.sleeps[-4:]) == 4
    assert clock.elapsed > 4 * 3600, "five in a row, however long that takes"


def test_a_success_in_between_starts_the_count_anew(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.drop_before = ("gv.tenant", 4)
    clock.at(700, lambda: setattr(stuck.faults, "drop_before", ("gv.tenant", 4)))
    clock.at(2000, lambda: stuck.force_status("DOING"))
    assert fired(trigger(poll_interval=30))["status"] == "ready"


def test_a_patient_wait_never_gives_up(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.drop_before = ("gv.tenant", 60)
    stuck.faults.destination_unwritable = False
    assert fired(trigger(patient=True))["status"] == "ready"
    assert clock.elapsed > 1800


def test_a_patient_wait_is_still_refused(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.error_once = ("gv.tenant", 1045, "denied", False, 99)
    assert fired(trigger(patient=True))["permanent"] is True


def test_a_wait_begins_with_the_first_reading(stuck: Sandbox, clock: Time) -> None:
    """When the worker's first look has failed, the trigger's own fixes what "now" is, and when the grace begins."""
    stuck.force_status("DOING")
    stuck.faults.frozen_checkpoint = True
    stuck.advance(1)
    first = stuck.now
    clock.at(100, stuck.faults.reset)
    event = fired(trigger(CheckpointPassed().to_wire()))
    assert event["summary"]["after"].startswith(str(first))
    stuck.force_status("STOP")
    before = clock.elapsed
    assert fired(trigger())["status"] == "terminal"
    assert 60 <= clock.elapsed - before < 90


# --- cadence ----------------------------------------------------------------------------------------------------------


def test_jitter_and_back_off(stuck: Sandbox, clock: Time) -> None:
    clock.at(2000, lambda: setattr(stuck.faults, "drop_before", ("gv.tenant", 6)))
    clock.at(5000, lambda: stuck.force_status("DOING"))
    fired(trigger(poll_interval=100, patient=True))
    normal = [seconds for seconds in clock.sleeps if seconds <= 110]
    assert all(90 <= seconds <= 110 for seconds in normal)
    assert len({round(seconds, 3) for seconds in normal}) > 10, "no two waits poll in step"
    slow = [seconds for seconds in clock.sleeps if seconds > 110]
    assert slow == sorted(slow, key=lambda seconds: min(seconds // 90, 5)), "longer and longer"
    assert 400 < max(slow) <= 550


@pytest.mark.parametrize("interval", [0, -5, 0.01])
def test_never_faster_than_once_a_second(starting: Sandbox, clock: Time, interval: float) -> None:
    fired(trigger(poll_interval=interval))
    assert min(clock.sleeps) >= 0.9


def test_one_connection_is_kept_and_renewed(stuck: Sandbox, clock: Time) -> None:
    clock.at(1500, lambda: stuck.force_status("DOING"))
    fired(trigger(poll_interval=30))
    used = {entry.connection_id for entry in stuck.statements}
    assert len(used) == 3, "renewed every ten minutes"
    assert polls(stuck) > 40
    assert gone(stuck)


def test_a_new_connection_has_todays_password(stuck: Sandbox, clock: Time, add_connection: Any) -> None:
    """The password is rotated while the wait is on; the kept connection dies an hour later."""
    user = stuck._cluster.tenant_named("sys").users["root"]

    def rotate() -> None:
        user.password = "tomorrow"
        add_connection(stuck)

    clock.at(100, rotate)
    clock.at(300, lambda: setattr(stuck.faults, "drop_before", ("gv.tenant", 1)))
    clock.at(400, lambda: stuck.force_status("DOING"))
    assert fired(trigger())["status"] == "ready"


def test_between_two_reads_a_poller_has_a_connection_and_no_thread(stuck: Sandbox, clock: Time) -> None:
    seen = []

    def look() -> None:
        seen.append((connections(stuck), vanishes(threads)))
        stuck.force_status("DOING")

    clock.at(40, look)
    assert fired(trigger())["status"] == "ready"
    assert seen == [(1, True)]


def test_no_thread_to_be_had_is_a_failed_read(stuck: Sandbox, clock: Time, capsys: pytest.CaptureFixture[str]) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        clock.at(20, lambda: patch.setattr(threading.Thread, "start", start))
        clock.at(50, patch.undo)
        clock.at(60, lambda: stuck.force_status("DOING"))
        assert fired(trigger())["status"] == "ready"
    assert "RuntimeError: can't start new thread" in capsys.readouterr().out


# --- hung, broken, or from another release ----------------------------------------------------------------------------


def test_a_poller_that_hangs_becomes_an_event(stuck: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver timeout bounds a name server or a secrets backend."""
    release = threading.Event()
    monkeypatch.setattr(poller, "READ_SECONDS", 0.05)
    monkeypatch.setattr(poller.OceanBaseHook, "open_session", lambda self: release.wait(20) and None)
    try:
        event = fired(trigger(poll_interval=60))
        hanging = threads()
    finally:
        release.set()
    assert (event["status"], event["permanent"]) == ("unreadable", False)
    assert event["reason"] == "no answer within 0.05 s"
    assert len(hanging) == 1, "one thread hangs, however often it is waited for"


def test_a_poller_that_hung_once_goes_on(stuck: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.read_for
    hung = threading.Event()
    release = threading.Event()

    def read_for(*args: Any) -> Any:
        if not hung.is_set():
            hung.set()
            release.wait(20)
        return real(*args)

    monkeypatch.setattr(poller, "READ_SECONDS", 0.1)
    clock.at(40, release.set)
    monkeypatch.setattr(module, "read_for", read_for)
    stuck.force_status("DOING")
    try:
        assert fired(trigger())["status"] == "ready"
    finally:
        release.set()
    assert clock.elapsed >= 40
    assert gone(stuck)


def test_a_hung_cluster_holds_up_no_other(
    starting: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, add_connection: Any
) -> None:
    release = threading.Event()
    real = poller.OceanBaseHook.open_session

    def open_session(hook: Any) -> Any:
        if hook.get_conn_id().startswith("hung"):
            release.wait(20)
        return real(hook)

    monkeypatch.setattr(poller.OceanBaseHook, "open_session", open_session)
    starting.force_status("DOING")

    async def both() -> Any:
        hung = [
            asyncio.create_task(events_of(trigger(oceanbase_conn_id=add_connection(starting, f"hung{number}"))))
            for number in range(8)
        ]
        await asyncio.sleep(0.05)
        events = await asyncio.wait_for(events_of(trigger()), 5)
        release.set()
        await asyncio.gather(*hung)
        return events

    assert run(both())[0]["status"] == "ready"


@pytest.mark.parametrize(
    "wait",
    [
        {},
        {"kind": "ArchiveForecast"},
        {"kind": None},
        [],
        "ArchiveDoing",
        {"kind": "ArchiveDoing", "since": "yesterday"},
        {"kind": "ArchiveDoing", "since": 5},
        {"kind": "CheckpointPassed", "after": "soon"},
        {"kind": "ArchiveDoing", "tenants": 7},
        {"kind": "PiecesReady", "round_id": "last"},
    ],
    ids=str,
)
def test_a_wait_of_another_release_is_one_event(starting: Sandbox, clock: Time, wait: Any) -> None:
    starting.force_status("DOING")
    made = trigger(wait)
    made.wait = wait
    made.shared_stream_key()
    events = run(events_of(made))
    assert len(events) == 1
    assert events[0]["status"] == "unreadable", events
    assert gone(starting)


@pytest.mark.parametrize(
    "wait",
    [
        {"kind": "ArchiveDoing"},
        {"kind": "ArchiveDoing", "tenants": ["tenant1"], "min_round": 1, "since": None},
        {**DOING, "mood": "sunny", "retries": 5},
    ],
    ids=["older", "older with fields", "newer"],
)
def test_missing_and_extra_fields_are_borne(starting: Sandbox, clock: Time, wait: Any) -> None:
    starting.force_status("DOING")
    assert fired(trigger(wait))["status"] == "ready"


def test_arguments_of_a_newer_release_do_not_break_the_row(starting: Sandbox, clock: Time) -> None:
    """A row that cannot be made a trigger loses the triggerer a slot for good."""
    starting.force_status("DOING")
    made = OceanBaseWaitTrigger(**{**trigger().serialize()[1], "colour": "blue"})
    assert run(events_of(made))[0]["status"] == "ready"
    assert run(events_of(OceanBaseWaitTrigger()))[0]["status"] == "unreadable"


@pytest.mark.parametrize("interval", ["often", None, [1]])
def test_an_interval_of_nonsense(starting: Sandbox, clock: Time, interval: Any) -> None:
    starting.force_status("DOING")
    made = trigger(poll_interval=interval)
    key = made.shared_stream_key()
    event = run(events_of(made))[0]
    assert key is None
    assert event["status"] == ("ready" if interval is None else "unreadable")


def test_a_connection_that_is_deleted(starting: Sandbox, clock: Time) -> None:
    event = fired(trigger(oceanbase_conn_id="deleted"))
    assert (event["status"], event["permanent"]) == ("unreadable", False)
    assert "deleted" in event["reason"]


def test_a_connection_with_an_illegal_field(starting: Sandbox, clock: Time, add_connection: Any) -> None:
    event = fired(trigger(oceanbase_conn_id=add_connection(starting, "illegal", driver="pigeon")))
    assert event["status"] == "unreadable"
    assert "driver" in event["reason"]


def test_an_error_in_judging_is_an_event(starting: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(*_: Any) -> Any:
        raise ZeroDivisionError("a defect of this package")

    monkeypatch.setattr(module, "judge", judge)
    event = fired(trigger())
    assert event["status"] == "unreadable"
    assert "ZeroDivisionError: a defect" in event["reason"]


def test_a_stream_that_ends_is_an_event(starting: Sandbox) -> None:
    async def main() -> list[Any]:
        async def empty() -> Any:
            return
            yield

        return [event.payload async for event in trigger().filter_shared_stream(empty())]

    assert run(main()) == [
        {"status": "unreadable", "reason": "the stream of readings ended", "permanent": False, "carry": {}}
    ]


def test_a_stream_that_breaks_is_an_event(starting: Sandbox) -> None:
    async def main() -> list[Any]:
        async def broken() -> Any:
            raise RuntimeError("queue full")
            yield

        return [event.payload async for event in trigger().filter_shared_stream(broken())]

    assert "queue full" in run(main())[0]["reason"]


# --- cancelling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.0, 0.2], ids=["while connecting", "between polls"])
def test_cancelling_closes_the_connection(stuck: Sandbox, delay: float) -> None:
    async def main() -> list[Any]:
        events: list[Any] = []

        async def collect() -> None:
            events.extend(await events_of(trigger()))

        task = asyncio.create_task(collect())
        await asyncio.sleep(delay)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return events

    assert run(main()) == []
    real_time.sleep(0.1)
    assert gone(stuck)


def test_cancelling_during_a_read_closes_the_connection_after_it(stuck: Sandbox) -> None:
    stuck.faults.slow_answers_seconds = 0.4
    stuck.faults.slow_answers_pattern = "gv.tenant"

    async def main() -> float:
        task = asyncio.create_task(events_of(trigger()))
        while not connections(stuck):  # noqa: ASYNC110 - the other side is a thread
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        started = real_time.monotonic()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return real_time.monotonic() - started

    assert run(main()) < 0.3, "the event loop is not held up"
    assert gone(stuck)
    assert all(entry.outcome == "OK" for entry in stuck.statements)


# --- the shared stream ------------------------------------------------------------------------------------------------


def test_the_key_is_connection_cadence_and_reading() -> None:
    base = trigger().shared_stream_key()
    assert base == trigger(label="other", patient=True, carry={"a": 1}).shared_stream_key()
    assert base == trigger(ArchiveDoing(tenants=("tenant1",), min_round=9).to_wire()).shared_stream_key()
    assert base == trigger(CheckpointPassed().to_wire()).shared_stream_key()
    assert base == trigger(ArchiveStopped().to_wire()).shared_stream_key()
    others = [
        trigger(oceanbase_conn_id="other"),
        trigger(poll_interval=16),
        trigger(PiecesReady().to_wire()),
        trigger(PiecesReady(round_id=2).to_wire()),
        trigger(FreezeDone().to_wire()),
        trigger(FreezeDone(tenant_ids=(1001,)).to_wire()),
    ]
    keys = [other.shared_stream_key() for other in others]
    assert len({base, *keys}) == len(others) + 1
    assert trigger({"kind": "?"}).shared_stream_key() is None
    assert trigger().supports_triggerer_queue is True
    assert isinstance(trigger(), BaseEventTrigger)


def _share(triggers: list[OceanBaseWaitTrigger], manager: SharedStreamManager) -> Any:
    async def one(number: int, made: OceanBaseWaitTrigger) -> list[Any]:
        key = made.shared_stream_key()
        stream = manager.subscribe(trigger_id=number, trigger=made, key=key)
        try:
            return [event.payload async for event in made.filter_shared_stream(stream)]
        finally:
            await manager.unsubscribe(number, key)

    async def main() -> Any:
        try:
            return await asyncio.gather(*(one(number, over_the_wire(made)) for number, made in enumerate(triggers)))
        finally:
            await manager.stop_all()

    return run(main())


def test_twenty_waits_make_the_polls_of_one(starting: Sandbox, clock: Time) -> None:
    """Airflow's own manager feeds them; each judges for itself."""
    waits = [ArchiveDoing(tenants=("tenant1",)), ArchiveDoing(), CheckpointPassed(), ArchiveDoing(tenants=("nobody",))]
    triggers = [trigger(waits[number % 4].to_wire(), carry={"number": number}) for number in range(20)]
    answers = _share(triggers, SharedStreamManager())
    assert all(len(events) == 1 for events in answers)
    for number, (event,) in enumerate(answers):
        assert event["carry"] == {"number": number}
        assert event["status"] == ("terminal" if number % 4 == 3 else "ready")
    assert polls(starting) == len(clock.sleeps) + 1 < 40
    assert len({entry.connection_id for entry in starting.statements}) == 1
    assert gone(starting)


def test_a_fault_ends_each_wait_by_its_own_rule(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.drop_before = ("gv.tenant", 40)
    stuck.faults.destination_unwritable = False
    answers = _share([trigger(), trigger(patient=True)], SharedStreamManager())
    assert [events[0]["status"] for events in answers] == ["unreadable", "ready"]


def test_open_shared_stream_goes_on_for_ever(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.error_once = ("gv.tenant", 1142, "denied", False, 2)

    async def main() -> list[Any]:
        readings = []
        async with aclosing(OceanBaseWaitTrigger.open_shared_stream(trigger().serialize()[1])) as stream:
            async for reading in stream:
                readings.append(reading)
                if len(readings) == 5:
                    return readings
        raise AssertionError

    readings = run(main())
    assert [isinstance(reading, ReadFailure) for reading in readings] == [True, True, False, False, False]
    assert gone(stuck)


# --- the wire format --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wait",
    [
        ArchiveDoing(tenants=("a",), min_round=3),
        ArchiveStopped(or_running=True),
        CheckpointPassed(),
        PiecesReady(round_id=2, statuses=("FROZEN",)),
        FreezeDone(tenant_ids=(1001, 1002)),
    ],
    ids=lambda wait: type(wait).__name__,
)
def test_the_row_is_plain_json_and_comes_back(wait: Any) -> None:
    made = trigger(wait.to_wire(), poll_interval=7, patient=True, carry={"x": [1, None]}, oceanbase_conn_id="c")
    path, kwargs = made.serialize()
    assert json.loads(json.dumps(kwargs)) == kwargs
    back = deserialize(json.loads(json.dumps(serialize(kwargs))))
    assert OceanBaseWaitTrigger(**back).serialize() == (path, kwargs)
    assert kwargs["wait"] == wait.to_wire()


def test_the_arguments_are_only_ever_added_to() -> None:
    """These names are in rows of Airflow's database: none may go, none may become mandatory."""
    path, kwargs = OceanBaseWaitTrigger().serialize()
    assert path == "airflow_ob_provider.triggers.oceanbase.OceanBaseWaitTrigger"
    assert kwargs == {
        "oceanbase_conn_id": "oceanbase_default",
        "wait": {},
        "poll_interval": 15.0,
        "label": "",
        "patient": False,
        "seconds": None,
        "carry": {},
    }


@pytest.mark.parametrize("gone", [False, True])
def test_a_wait_that_is_over_brings_back_what_it_carries(starting: Sandbox, clock: Time, gone: bool) -> None:
    if gone:
        clock.at(5, starting.stop)
    event = fired(trigger(ArchiveDoing(min_round=9).to_wire(), seconds=60, carry={"statements": ["A"]}, patient=True))
    reason = event.pop("reason")
    assert event == {"status": "timeout", "carry": {"statements": ["A"]}}
    assert ("the state could not be read" if gone else "round 9 or later has not begun") in reason
    assert 60 <= clock.elapsed < 60 + 5 * 15 * 1.1


def test_statements_name_who_waits(starting: Sandbox, clock: Time) -> None:
    starting.force_status("DOING")
    fired(trigger(label="dag=d task=t run=r"))
    assert all("dag=d task=t run=r" in entry.sql for entry in starting.statements if "SELECT" in entry.sql)


def test_it_never_writes(starting: Sandbox, clock: Time) -> None:
    for wait in (ArchiveDoing(), CheckpointPassed(), PiecesReady(), FreezeDone(), ArchiveStopped(or_running=True)):
        assert fired(trigger(wait.to_wire()))["status"] == "ready"
    assert starting.writes == ()
