"""Airflow's own triggerer, without its database: its supervisor here, its runner in a process that it forks itself.

Nothing of it is replaced but what asks the database which triggers there are, and what becomes of their events.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import RawValue
from typing import Any, NamedTuple
from uuid import uuid4

import attrs
import psutil
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs.triggerer_job_runner import TriggerRunner, TriggerRunnerSupervisor
from airflow.models.trigger import Trigger
from airflow.triggers.base import BaseTrigger, TriggerEvent

from benchmarks.figures import check

TICK_SECONDS = 0.01
"""How often the runner's event loop is asked whether it still turns."""
TURN_SECONDS = 0.1
"""How long the supervisor waits for its runner at most."""
_longest_stall = RawValue("d", 0.0)
_longest_work = RawValue("d", 0.0)
_longest_collection = RawValue("d", 0.0)


class Fired(NamedTuple):
    """An event that has left the triggerer."""

    at: float
    """By ``time.monotonic``."""
    payload: dict[str, Any]


class Stall(NamedTuple):
    """The longest time in which the event loop did not turn, in seconds."""

    waited: float
    """As something that was due has seen it."""
    worked: float
    """CPU time of the loop's own thread: without what other processes and threads took meanwhile."""
    collected: float
    """CPU time of one pass of Python's garbage collector, which stops every thread."""


@dataclass(frozen=True)
class Load:
    """What a runner's process took in a stretch of time."""

    cpu_share: float
    """Of one core."""
    threads: int
    rss: int
    """Bytes."""


class _Runner(TriggerRunner):
    """Airflow's, with a watch over its event loop."""

    async def arun(self) -> None:
        watch = asyncio.create_task(self._watch())
        gc.callbacks.append(self._collecting)
        try:
            await super().arun()  # type: ignore[no-untyped-call]
        finally:
            watch.cancel()

    def _collecting(self, phase: str, _: dict[str, int]) -> None:
        now = time.thread_time()
        if phase == "start":
            self._collecting_since = now
        else:
            _longest_collection.value = max(_longest_collection.value, now - self._collecting_since)

    async def _watch(self) -> None:
        while True:
            due, before = time.monotonic() + TICK_SECONDS, time.thread_time()
            await asyncio.sleep(TICK_SECONDS)
            _longest_stall.value = max(_longest_stall.value, time.monotonic() - due)
            _longest_work.value = max(_longest_work.value, time.thread_time() - before)


@attrs.define(kw_only=True)
class Triggerer(TriggerRunnerSupervisor):
    """Airflow's, with a queue in place of its database."""

    added: int = attrs.field(default=0, init=False)
    queued: deque[RunTrigger] = attrs.field(factory=deque, init=False)
    fired: dict[int, Fired] = attrs.field(factory=dict, init=False)
    begun: set[int] = attrs.field(factory=set, init=False)
    """Triggers that the runner has started."""
    looked: set[int] = attrs.field(factory=set, init=False)
    """Triggers that have said what they wait for, as they do when they have judged a reading."""
    yielded: dict[int, float] = attrs.field(factory=dict, init=False)
    """When a trigger had its event, by ``time.monotonic``; Airflow hands events over once a second."""
    troubles: list[str] = attrs.field(factory=list, init=False)
    """What a runner or a trigger has logged as a warning or worse, and triggers that failed."""

    def add(self, triggers: Iterable[BaseTrigger]) -> None:
        """As if so many tasks had deferred themselves; numbers go up from 1."""
        for trigger in triggers:
            classpath, kwargs = trigger.serialize()
            self.added += 1
            number = self.added
            ti = TaskInstanceDTO(
                id=uuid4(),
                dag_id="benchmark",
                task_id="wait",
                run_id="manual__2026-01-01",
                map_index=number,
                try_number=1,
                dag_version_id=uuid4(),
                pool_slots=1,
                priority_weight=1,
            )
            encrypted = Trigger.encrypt_kwargs(kwargs)
            self.queued.append(RunTrigger(id=number, classpath=classpath, encrypted_kwargs=encrypted, ti=ti))

    def turn_until(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Do a supervisor's work until something is so; it is wrong that it is not, in the end."""
        deadline = time.monotonic() + seconds
        while not condition():
            check(time.monotonic() < deadline, f"not within {seconds:g} s: {what}; {self.troubles[:3]}")
            check(self.is_alive(), f"the runner has died before {what}; {self.troubles[:3]}")
            self.run_once()

    def started(self) -> bool:
        """Whether all that were added run, or have run."""
        return len(self.begun) == self.added

    def measure(self, seconds: float) -> Load:
        """What the runner takes in the next seconds."""
        process = psutil.Process(self.pid)
        began, before = time.monotonic(), process.cpu_times()
        end = began + seconds
        self.turn_until(lambda: time.monotonic() >= end, seconds + 60, "the end of a stretch of time")
        after, took = process.cpu_times(), time.monotonic() - began
        cpu = after.user + after.system - before.user - before.system
        return Load(cpu / took, process.num_threads(), process.memory_info().rss)

    def rss(self) -> int:
        """Memory of the runner's process in bytes."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def connections(self, port: int) -> int:
        """Of the runner's process, to a server."""
        found = psutil.Process(self.pid).net_connections("tcp")
        return sum(one.status == psutil.CONN_ESTABLISHED and one.raddr.port == port for one in found)

    @staticmethod
    def longest_stall() -> Stall:
        """Since the last call."""
        stall = Stall(_longest_stall.value, _longest_work.value, _longest_collection.value)
        _longest_stall.value = _longest_work.value = _longest_collection.value = 0.0
        return stall

    # --- in place of the database -----------------------------------------------------------------------------------

    def load_triggers(self) -> None:
        """As many at once as Airflow assigns; rather more often than it does, with no database to ask."""
        for _ in range(min(Trigger.max_trigger_to_select_per_loop, len(self.queued))):
            self.creating_triggers.append(self.queued.popleft())

    def on_trigger_event(self, trigger_id: int, event: TriggerEvent) -> None:
        check(trigger_id not in self.fired, f"trigger {trigger_id} has fired twice")
        self.fired[trigger_id] = Fired(time.monotonic(), event.payload)

    def on_trigger_failure(self, trigger_id: int, exc: list[str] | None) -> None:
        self.troubles.append(f"trigger {trigger_id} failed: {exc}")

    def heartbeat(self) -> None:
        """There is no scheduler to tell."""

    def clean_unused(self) -> None:
        """There are no rows to clean."""

    def _service_subprocess(self, max_wait_time: float, *args: Any, **options: Any) -> Any:
        """Airflow waits for a second when there is nothing to do, a benchmark's conditions do not."""
        return super()._service_subprocess(min(max_wait_time, TURN_SECONDS), *args, **options)

    def metric_tags(self) -> dict[str, str]:
        return {"hostname": socket.gethostname()}

    def _process_log_messages_from_subprocess(self) -> Generator[None, bytes | bytearray, None]:
        """What a task's log would get is decoded, as there; a benchmark wants to know of troubles only."""
        while True:
            line = yield
            entry = json.loads(line)
            event = str(entry.get("event"))
            if event == "Trigger fired event":
                self.yielded[entry["trigger_id"]] = time.monotonic()
            elif event.startswith("Waiting for "):
                self.looked.add(entry["trigger_id"])
            elif event.startswith("trigger ") and event.endswith(" starting"):
                self.begun.add(entry["trigger_id"])
            if entry.get("level") not in {"debug", "info"}:
                self.troubles.append(event)

    @classmethod
    def run_in_process(cls) -> None:
        _Runner().run()  # type: ignore[no-untyped-call]


@contextmanager
def triggerer(capacity: int = 10_000) -> Iterator[Triggerer]:
    """A triggerer that runs. Connections must be known before, and nothing else may be forked meanwhile."""
    process = Triggerer.start(capacity=capacity)
    try:
        yield process
    finally:
        process.kill(escalation_delay=2, force=True)
