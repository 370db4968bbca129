"""The watch over a real socket: one query a cadence, an event a change, and a memory that outlives the triggerer."""

from __future__ import annotations

import asyncio
import json
import threading
import time as real_time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk.serde import deserialize, serialize
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from airflow.triggers.shared_stream import SharedStreamManager

from airflow_ob_provider.oceanbase.watch import WatchMemory
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.triggers import poller, watching
from airflow_ob_provider.triggers.watch import ArchiveWatchTrigger
from tests.unit.operators.harness import Time, patch_time

PATH = "airflow_ob_provider.triggers.watch.ArchiveWatchTrigger"
WIRE_0_2 = {
    "oceanbase_conn_id": "oceanbase_default", "tenants": ["tenant1"], "poll_interval": 10.0, "max_lag": 600.0,
    "max_suspended": 3600.0, "max_in_transition": 1800.0, "max_stopped": 60.0, "max_unreadable": 900.0,
    "hysteresis": 900.0, "label": "",
}  # fmt: skip
"""A row as the first release with a watch has written it. Never edit it: it stands for watches at work."""


class Store:
    """An asset's state store: text in, text out, and out of order when told so."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.writes: list[str] = []
        self.fails: set[str] = set()
        self.hangs = False
        self.asked = Counter[str]()

    async def aget(self, key: str, default: Any = None) -> Any:
        await self._trouble("get")
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key: str, value: Any) -> None:
        await self._trouble("set")
        self.values[key] = json.dumps(value)
        self.writes.append(self.values[key])

    async def _trouble(self, what: str) -> None:
        self.asked[what] += 1
        if self.hangs:
            await asyncio.Event().wait()
        if what in self.fails:
            raise RuntimeError("no such asset; access_key=C4N4RY")


def watch(**kwargs: Any) -> ArchiveWatchTrigger:
    return ArchiveWatchTrigger(**{"poll_interval": 10, **kwargs})


def inflated(trigger: ArchiveWatchTrigger, store: Store | None = None) -> ArchiveWatchTrigger:
    """The trigger as the triggerer makes it from the row in Airflow's database."""
    path, kwargs = trigger.serialize()
    assert path == PATH
    assert json.loads(json.dumps(kwargs)) == kwargs, "the row must be plain JSON"
    made = ArchiveWatchTrigger(**deserialize(json.loads(json.dumps(serialize(kwargs)))))
    made.asset_state_store = store  # type: ignore[assignment]
    return made


Told = list[dict[str, Any]]


def watched(
    time: Time, seconds: float, *triggers: ArchiveWatchTrigger, store: Store | None = None, shared: bool = True
) -> list[Told]:
    """What each trigger tells until this much later, when the triggerer ends: by Airflow's own shared streams."""
    told: list[Told] = [[] for _ in triggers]

    async def one(number: int, trigger: ArchiveWatchTrigger, manager: SharedStreamManager) -> None:
        key = trigger.shared_stream_key() if shared else None
        if key is None:
            stream: Any = trigger.run()
        else:
            subscribed = manager.subscribe(trigger_id=number, trigger=trigger, key=key)
            stream = trigger.filter_shared_stream(subscribed)
        try:
            async for event in stream:
                assert isinstance(event, TriggerEvent)
                assert json.loads(json.dumps(event.payload)) == event.payload, "an event must be plain JSON"
                told[number].append(event.payload)
        finally:
            if key is not None:
                await manager.unsubscribe(number, key)
            await stream.aclose()

    async def main() -> None:
        manager = SharedStreamManager()
        tasks = [
            asyncio.create_task(one(number, inflated(trigger, store), manager))
            for number, trigger in enumerate(triggers)
        ]
        time.at(seconds, lambda: [task.cancel() for task in tasks])
        done, _ = await asyncio.wait(tasks)
        await manager.stop_all()
        for task in done:
            assert task.cancelled(), task.exception()

    asyncio.run(main())
    return told


def kinds(told: Told) -> list[str]:
    return [event["kind"] for event in told]


def gone(box: Sandbox) -> bool:
    """Whether the poller has closed its connection; it does so in its own thread."""
    deadline = real_time.monotonic() + 5
    while box._server and box._server.sessions and real_time.monotonic() < deadline:
        real_time.sleep(0.01)
    return not (box._server and box._server.sessions)


@pytest.fixture
def box(add_connection: Callable[..., str]) -> Iterator[Sandbox]:
    """A 4.2.5 cluster whose two tenants are archived."""
    with Sandbox("4.2.5", tenants=2, servers=3, manual_clock=True) as made:
        add_connection(made)
        made.force_status("DOING")
        made.advance(60)
        made.clear_statements()
        yield made


@pytest.fixture
def time(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time(box)
    patch_time(made, monkeypatch)
    return made


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_a_quiet_cluster_costs_a_query_a_cadence(box: Sandbox, time: Time) -> None:
    time.at(5, box.clear_statements)  # what opens the connection
    assert watched(time, 500, watch()) == [[]]
    assert 44 <= len(time.sleeps) <= 56
    assert_one_query_a_poll(box, time)
    assert gone(box)


def assert_one_query_a_poll(box: Sandbox, time: Time) -> None:
    """All statements since the first pause, after each of which is a poll; the last one may have been cancelled."""
    assert len(time.sleeps) - 1 <= len(box.statements) <= len(time.sleeps), [one.sql for one in box.statements]
    assert len({one.sql for one in box.statements}) == 1
    assert len({one.connection_id for one in box.statements}) == 1
    assert not box.writes


def test_watches_with_other_bounds_share_the_polls(box: Sandbox, time: Time) -> None:
    time.at(5, box.clear_statements)
    triggers = [watch(), watch(max_lag=500, hysteresis=30), watch(tenants=["tenant2"]), watch(max_stopped=0)]
    assert watched(time, 500, *triggers) == [[], [], [], []]
    assert_one_query_a_poll(box, time)


def test_each_watch_tells_what_concerns_it(box: Sandbox, time: Time) -> None:
    box.force_status("STOP", "tenant1")
    triggers = [watch(), watch(max_stopped=200), watch(tenants=["tenant2"]), watch(tenants=("tenant1", "nobody"))]
    told = watched(time, 150, *triggers)
    assert [kinds(events) for events in told] == [["stopped"], [], [], ["stopped"]]
    assert told[3][0]["not_found"] == ["nobody"]
    assert told[0][0]["watched"] == 2


def test_the_key_is_the_connection_and_the_cadence() -> None:
    key = watch().shared_stream_key()
    assert key is not None
    assert key == watch(max_lag=1, hysteresis=2, tenants=["t"], label="x").shared_stream_key()
    assert key == watch(poll_interval="10").shared_stream_key()
    assert (
        len({key, watch(oceanbase_conn_id="b").shared_stream_key(), watch(poll_interval=11).shared_stream_key()}) == 3
    )


def test_3x(cluster: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(cluster)
    patch_time(time, monkeypatch)
    cluster.parameters["backup_dest"] = "file:///data/nfs/backup"
    cluster.force_status("DOING")
    cluster.advance(1)
    time.at(5, cluster.clear_statements)
    assert watched(time, 300, watch()) == [[]]
    assert_one_query_a_poll(cluster, time)
    time.at(100, lambda: cluster.force_status("INTERRUPTED"))
    (told,) = watched(time, 400, watch())
    assert kinds(told) == ["interrupted"]
    assert told[0]["changes"][0]["tenant"] == "cluster"


# --- what it tells ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "alone"])
def test_a_break_and_the_repair_are_an_event_each(box: Sandbox, time: Time, shared: bool) -> None:
    time.at(100, lambda: box.interrupt("tenant2"))
    time.at(1500, lambda: box.force_status("DOING", "tenant2"))
    (told,) = watched(time, 3000, watch(), shared=shared)
    assert kinds(told) == ["interrupted", "healthy"]
    assert [change["tenant"] for event in told for change in event["changes"]] == ["tenant2", "tenant2"]
    assert told[0]["changes"][0]["round"] == 1
    assert told[0]["changes"][0]["checkpoint"] is not None
    assert gone(box)


def test_flapping_is_an_event_a_window(box: Sandbox, time: Time) -> None:
    for number in range(40):
        time.at(
            50 + number * 50, lambda word=("DOING" if number % 2 else "INTERRUPTED"): box.force_status(word, "tenant1")
        )
    (told,) = watched(time, 2050, watch(hysteresis=900))
    assert len(told) == 3
    assert [event["changes"][0]["changes"] > 10 for event in told] == [False, True, True]


def test_a_lag_is_told_when_it_is_over_the_bound(box: Sandbox, time: Time) -> None:
    box.faults.frozen_checkpoint = True
    (told,) = watched(time, 900, watch(max_lag=600))
    assert kinds(told) == ["late"]
    assert 600 < told[0]["changes"][0]["lag_seconds"] < 680


def test_a_new_tenant_that_nobody_archives(box: Sandbox, time: Time) -> None:
    time.at(100, lambda: box.create_tenant("fresh"))
    (told,) = watched(time, 400, watch())
    assert kinds(told) == ["out_of_scope"]
    assert told[0]["changes"][0]["tenant"] == "fresh"


def test_a_dropped_tenant_is_no_event(box: Sandbox, time: Time) -> None:
    time.at(100, lambda: box.drop_tenant("tenant2"))
    assert watched(time, 2000, watch()) == [[]]


def test_a_suspended_tenant_after_its_time(box: Sandbox, time: Time) -> None:
    box.force_status("SUSPEND", "tenant1")
    (told,) = watched(time, 1400, watch(max_suspended=1200))
    assert kinds(told) == ["suspended"]
    assert time.elapsed >= 1200


# --- readings that fail -----------------------------------------------------------------------------------------------


def test_readings_that_fail_are_an_event_after_their_time(box: Sandbox, time: Time) -> None:
    time.at(100, lambda: setattr(box.faults, "drop_before", ("DBA_OB_TENANTS", 100_000)))
    time.at(3000, box.faults.reset)
    (told,) = watched(time, 5000, watch())
    assert kinds(told) == ["unreadable", "readable"]
    assert "could not be read" in told[0]["summary"]
    assert told[1]["changes"] == []
    assert gone(box)


def test_a_short_fault_is_no_event(box: Sandbox, time: Time) -> None:
    for moment in range(100, 4000, 500):
        time.at(moment, lambda: setattr(box.faults, "drop_before", ("DBA_OB_TENANTS", 5)))
    assert watched(time, 4500, watch()) == [[]]


def test_a_refusal_is_not_the_end(box: Sandbox, time: Time) -> None:
    """A password that is rotated is refused for a while; a watch waits for it."""
    time.at(100, lambda: setattr(box.faults, "error_once", ("DBA_OB_TENANTS", 1142, "denied", False, 10_000)))
    time.at(2000, box.faults.reset)
    time.at(2000, lambda: box.interrupt("tenant1"))
    (told,) = watched(time, 2500, watch())
    assert kinds(told) == ["unreadable", "interrupted"]
    assert told[1]["readable_again"] is True


def test_a_connection_that_is_deleted(box: Sandbox, time: Time) -> None:
    (told,) = watched(time, 2000, watch(oceanbase_conn_id="deleted"))
    assert kinds(told) == ["unreadable"]
    assert "deleted" in told[0]["summary"]


def test_a_defect_in_judging_is_told_as_not_seeing(box: Sandbox, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    def after(*_: Any) -> Any:
        raise ZeroDivisionError("a defect of this package")

    monkeypatch.setattr(WatchMemory, "after", after)
    (told,) = watched(time, 2000, watch())
    assert kinds(told) == ["unreadable"]
    assert "ZeroDivisionError: a defect" in told[0]["summary"]


def test_a_reading_that_hangs(box: Sandbox, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(poller, "READ_SECONDS", 0.02)
    monkeypatch.setattr(poller.OceanBaseHook, "open_session", lambda self: release.wait(20) and None)
    try:
        (told,) = watched(time, 3000, watch(poll_interval=200))
    finally:
        release.set()
    assert kinds(told) == ["unreadable"]
    assert "no answer within" in told[0]["summary"]


@pytest.mark.parametrize("how", ["ends", "breaks"])
def test_a_shared_stream_that_ends_is_replaced(box: Sandbox, time: Time, how: str) -> None:
    """A watch that ended would be one that nobody misses."""
    box.interrupt("tenant1")
    told: Told = []

    async def stream() -> Any:
        if how == "breaks":
            raise RuntimeError("queue full")
        return
        yield

    async def main() -> None:
        async def collect() -> None:
            async for event in watch().filter_shared_stream(stream()):
                told.append(event.payload)

        task = asyncio.create_task(collect())
        time.at(50, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert kinds(told) == ["interrupted"]
    assert gone(box)


# --- restarts ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def store() -> Store:
    return Store()


def test_a_restart_with_the_memory_tells_nothing_again(box: Sandbox, time: Time, store: Store) -> None:
    time.at(100, lambda: box.interrupt("tenant1"))
    (told,) = watched(time, 200, watch(), store=store)
    assert kinds(told) == ["interrupted"]
    assert watched(time, 200, watch(), store=store) == [[]]
    assert watched(time, 200, watch(max_lag=500), store=store) == [[]], "bounds may change"
    box.force_status("DOING", "tenant1")
    (told,) = watched(time, 1000, watch(), store=store)
    assert kinds(told) == ["healthy"], "healed while nobody watched"


def test_without_a_memory_a_lasting_break_is_told_again_once(box: Sandbox, time: Time) -> None:
    box.interrupt("tenant1")
    assert [kinds(told) for told in watched(time, 200, watch())] == [["interrupted"]]
    assert [kinds(told) for told in watched(time, 2000, watch())] == [["interrupted"]]


def test_a_triggerer_that_dies_with_the_event_tells_it_again(box: Sandbox, time: Time, store: Store) -> None:
    """The event may not have reached Airflow's database; lost it must not be."""
    time.at(100, lambda: box.force_status("INTERRUPTED", "tenant1"))
    (told,) = watched(time, 112, watch(poll_interval=2), store=store)
    assert kinds(told) == ["interrupted"]
    assert "interrupted" not in "".join(store.writes)
    (told,) = watched(time, 200, watch(), store=store)
    assert kinds(told) == ["interrupted"]
    assert "interrupted" in store.writes[-1]
    assert told[0]["changes"][0]["before"] == "healthy", "as what it had been told of before"


def test_a_quiet_cluster_writes_its_memory_once(box: Sandbox, time: Time, store: Store) -> None:
    assert watched(time, 500, watch(), store=store) == [[]]
    assert len(store.writes) == 1
    assert watched(time, 500, watch(), store=store) == [[]]
    assert len(store.writes) == 1


@pytest.mark.parametrize("trouble", [{"get"}, {"set"}, {"get", "set"}], ids=["get", "set", "both"])
def test_a_store_that_fails_ends_nothing(
    box: Sandbox, time: Time, store: Store, trouble: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    store.fails = trouble
    box.interrupt("tenant1")
    (told,) = watched(time, 200, watch(), store=store)
    assert kinds(told) == ["interrupted"]
    shown = capsys.readouterr().out
    assert "asset's state store" in shown
    assert "C4N4RY" not in shown
    store.fails = set()
    (told,) = watched(time, 200, watch(), store=store)
    assert kinds(told) == ([] if trouble == {"get"} else ["interrupted"])


def test_a_store_that_comes_back_is_used(box: Sandbox, time: Time, store: Store) -> None:
    box.interrupt("tenant1")
    watched(time, 100, watch(), store=store)
    store.fails = {"get", "set"}
    time.at(12, store.fails.clear)
    assert watched(time, 300, watch(), store=store) == [[]], "the first look waits for what has been told"


def test_a_store_that_hangs(box: Sandbox, time: Time, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "STORE_SECONDS", 0.02)
    store.hangs = True
    box.force_status("INTERRUPTED", "tenant1")
    (told,) = watched(time, 100, watch(), store=store, shared=False)
    assert kinds(told) == ["interrupted"]


def test_a_store_that_fails_is_not_asked_each_time(box: Sandbox, time: Time, store: Store) -> None:
    store.fails = {"set"}
    watched(time, 600, watch(poll_interval=5), store=store)
    assert 9 <= store.asked["set"] <= 11


def test_a_memory_that_cannot_be_understood(box: Sandbox, time: Time, store: Store) -> None:
    store.values[watching.KEY] = '{"colour": "blue"}'
    box.interrupt("tenant1")
    (told,) = watched(time, 100, watch(), store=store)
    assert kinds(told) == ["interrupted"]
    assert WatchMemory.from_json(json.loads(store.values[watching.KEY])) is not None


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_in_an_event_a_log_or_the_memory(
    store: Store,
    add_connection: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "C4N4RY/+=%"
    remark = f"cannot write oss://b/p?host=h&access_id=C4N4RY&access_key={secret}"
    with Sandbox("4.2.5", tenants=2, manual_clock=True, password=secret) as box:
        time = Time(box)
        patch_time(time, monkeypatch)
        add_connection(box)
        box.force_status("DOING")
        time.at(50, lambda: box.force_status("INTERRUPTED", "tenant1"))
        time.at(50, lambda: setattr(box.faults, "malformed", {"CDB_OB_ARCHIVELOG.COMMENT": remark}))
        time.at(500, lambda: setattr(box.faults, "error_once", ("DBA_OB_TENANTS", 1142, remark, False, 100_000)))
        store.fails = {"set"}
        time.at(300, store.fails.clear)
        (told,) = watched(time, 3000, watch(), store=store)
    assert kinds(told) == ["interrupted", "unreadable"]
    assert json.dumps(told).count("access_key=***") == 2
    shown = capsys.readouterr()
    assert "Log backup: tenant1" in shown.out
    for text in (json.dumps(told), "".join(store.writes), shown.out, shown.err, repr(watch())):
        assert "C4N4RY" not in text


# --- the wire ---------------------------------------------------------------------------------------------------------


def test_a_row_of_the_first_release(box: Sandbox, time: Time) -> None:
    assert ArchiveWatchTrigger(**WIRE_0_2).serialize() == (PATH, WIRE_0_2)  # type: ignore[arg-type]
    assert isinstance(ArchiveWatchTrigger(), BaseEventTrigger)
    box.interrupt("tenant1")
    (told,) = watched(time, 100, ArchiveWatchTrigger(**WIRE_0_2))  # type: ignore[arg-type]
    assert kinds(told) == ["interrupted"]


def test_airflow_finds_the_row_again() -> None:
    """It compares the rows of its database with the DAG's by this hash; if they differ, each parse restarts a watch."""
    one = encode_trigger(watch(tenants=("a", "b")))
    row = Trigger(classpath=one["classpath"], kwargs=one["kwargs"])
    assert BaseEventTrigger.hash(one["classpath"], one["kwargs"]) == BaseEventTrigger.hash(row.classpath, row.kwargs)


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"max_lag": "much"}, "max_lag"),
        ({"hysteresis": None}, "hysteresis"),
        ({"tenants": "tenant2"}, "tenants"),
        ({"tenants": 7}, "tenants"),
        ({"poll_interval": "often"}, ""),
        ({"poll_interval": None}, ""),
        ({"poll_interval": float("nan")}, ""),
        ({"colour": "blue"}, ""),
    ],
    ids=str,
)
def test_an_argument_of_nonsense_ends_nothing(
    box: Sandbox, time: Time, kwargs: dict[str, Any], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    box.interrupt("tenant1")
    made = watch(**kwargs)
    assert made.shared_stream_key() is not None
    task = made
    (told,) = watched(time, 100, task) if not _is_nan(kwargs) else watched_as_is(time, 100, made)
    assert kinds(told) == ["interrupted"]
    assert word in capsys.readouterr().out


def _is_nan(kwargs: dict[str, Any]) -> bool:
    return kwargs.get("poll_interval") != kwargs.get("poll_interval")


def watched_as_is(time: Time, seconds: float, trigger: ArchiveWatchTrigger) -> list[Told]:
    """Without the way through JSON, which has no NaN that equals itself."""
    told: Told = []

    async def main() -> None:
        async def collect() -> None:
            async for event in trigger.run():
                told.append(event.payload)

        task = asyncio.create_task(collect())
        time.at(seconds, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    return [told]


@pytest.mark.parametrize("interval", [0, -5, 0.01])
def test_never_faster_than_once_a_second(box: Sandbox, time: Time, interval: float) -> None:
    watched(time, 20, watch(poll_interval=interval))
    assert min(time.sleeps) >= 0.9


def test_cancelling_during_a_read_closes_the_connection_after_it(box: Sandbox) -> None:
    box.faults.slow_answers_seconds = 0.4
    box.faults.slow_answers_pattern = "DBA_OB_TENANTS"

    async def main() -> float:
        async def collect() -> None:
            async for _ in watch().run():
                pass

        task = asyncio.create_task(collect())
        while not (box._server and box._server.sessions):  # noqa: ASYNC110 - the other side is a thread
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        started = real_time.monotonic()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return real_time.monotonic() - started

    assert asyncio.run(main()) < 0.3, "the event loop is not held up"
    assert gone(box)
