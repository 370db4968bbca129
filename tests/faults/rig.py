"""The surroundings of one case: a cluster, a proxy in front of it, a worker's clock, and everything a task shows.

Tasks are run as Airflow runs them, with retries, by the harness of the unit tests; nothing sleeps.
"""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_ob_provider.hooks import oceanbase as hook_module
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.faults import Faults
from airflow_ob_provider.triggers import poller
from tests.ears import Ears
from tests.faults.proxy import FaultProxy, Passed
from tests.faults.tasks import Task
from tests.recorded import bare
from tests.unit.operators import harness
from tests.unit.operators.harness import Ending, Store, Time, drive, drive_rescheduled, ending, make_context, patch_time
from tests.unit.test_secrets import ID, KEY, PASSWORD, shown

REAL_SECONDS = 60.0
"""No case needs a tenth of it, on a machine that has time."""
STALL_SECONDS = 15.0
"""What a read that stalls costs a worker with the timeouts of a connection that sets none."""
PATIENCE = 0.05
"""What it costs here, in real seconds: the answer never comes, however long one waits."""
RETRY_DELAY = 60.0
ENDLESS = "a wait without an end"
"""How the harness's clock ends a wait that sleeps without end."""


class HungError(BaseException):
    """A case takes too long in real time."""


class WorkerTime(Time):
    """As :class:`Time`; the worker's clock on the wall can be set while the cluster's goes on."""

    def __init__(self, box: Sandbox) -> None:
        super().__init__(box)
        self.skew = 0.0

    def time(self) -> float:
        return 1_800_000_000.0 + self.elapsed + self.skew

    def utcnow(self) -> Any:
        return super().utcnow() + harness.timedelta(seconds=self.skew)

    def spend(self, seconds: float) -> None:
        """Time that passes while a worker is blocked."""
        self.elapsed += seconds
        self._box.advance(seconds)


@dataclass(frozen=True)
class Try:
    """One try of a task, and what was true when it ended."""

    end: Ending
    seconds: float
    sent: tuple[Passed, ...]
    untrue: str
    """Why its success would be no success; by the cluster's own record."""


class Rig:
    """See the module."""

    def __init__(self, node: pytest.Item, box: Sandbox, proxy: FaultProxy, time: WorkerTime, ears: Ears) -> None:
        self.node, self.box, self.proxy, self.time, self.ears = node, box, proxy, time, ears
        self.acted: list[str] = []
        """What took effect although the server's answer was an error."""
        self.on_retry: list[Callable[[], object]] = [proxy.heal, box.faults.reset]

    def tries(self, task: Task, *, retries: int = 3) -> list[Try]:
        """Run a task to its end. What is wrong is gone when it is tried again."""
        done: list[Try] = []
        store = Store()  # it survives retries
        for number in range(1, retries + 2):
            done.append(self._try(task, number, retries, store))
            if done[-1].end.state != "retry" or ENDLESS in done[-1].end.text:
                break
            for action in self.on_retry:
                action()
            self.time.sleep(RETRY_DELAY)
        return done

    def _try(self, task: Task, number: int, retries: int, store: Store) -> Try:
        context = make_context(number) | {"task_state_store": store}
        context["ti"].max_tries = retries
        began, before, now = self.time.elapsed, len(self.proxy.passed), self.box.now
        try:
            with _watched():
                end = ending(lambda: self._drive(task, context))
        except HungError as error:
            end = Ending("hung", error=error)
        self.ears.hear(end.result, context["ti"].xcom, shown(end.error), json.dumps(store.values))
        untrue = task.holds(self.box, end.result, now) if end.state == "success" else ""
        return Try(end, self.time.elapsed - began, tuple(self.proxy.passed[before:]), untrue)

    def _drive(self, task: Task, context: Any) -> Any:
        if task.rescheduled:
            return drive_rescheduled(task.make, context, self.time)
        return drive(task.make(), context, self.time)


@contextmanager
def _watched() -> Iterator[None]:
    """End what hangs, also in a system call, and go on with the next case."""

    def ring(*_: Any) -> None:
        raise HungError(f"still running after {REAL_SECONDS:g} real seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, REAL_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def rig(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    add_connection: Callable[..., str],
    ears: Ears,
    profile: str,
    **options: Any,
) -> Iterator[Rig]:
    """A rig around a new cluster of this build. ``options`` are the cluster's."""
    settings = {"tenants": 2, "servers": 3, "manual_clock": True, "password": PASSWORD, **options}
    with Sandbox(profile=profile, **settings) as box:
        proxy = FaultProxy(box.port)
        try:
            add_connection({**box.connection(), "port": proxy.port})
            add_connection({"conn_type": "generic", "login": ID, "password": KEY}, "keys")
            time = WorkerTime(box)
            patch_time(time, monkeypatch)
            proxy.on_stall = lambda: time.spend(STALL_SECONDS)
            made = Rig(request.node, box, proxy, time, ears)
            _patch(monkeypatch, made)
            yield made
        finally:
            proxy.close()


def _patch(monkeypatch: pytest.MonkeyPatch, rig: Rig) -> None:
    """The same jitter every time; triggers and events are heard; an answer that never comes is not waited for long."""
    monkeypatch.setattr(poller, "random", random.Random(0))
    ears, proxy = rig.ears, rig.proxy
    real_fired, real_connect, real_error = harness.fired, hook_module.connect, Faults.take_error

    def fired(trigger: Any) -> dict[str, Any]:
        ears.hear(json.dumps(trigger.serialize()))
        event = real_fired(trigger)
        ears.hear(json.dumps(event))
        return event

    def connect(settings: Any, **kwargs: Any) -> Any:
        connection = real_connect(settings, **kwargs)
        real_query = connection.query

        def query(sql: str | bytes, *args: Any) -> Any:
            if not proxy.will_stall(sql if isinstance(sql, str) else sql.decode()):
                return real_query(sql, *args)
            connection._read_timeout = PATIENCE
            try:
                return real_query(sql, *args)
            finally:
                proxy.stalled.wait(REAL_SECONDS)  # the server has acted, as it has long before a real time-out

        connection.query = query
        return connection

    def take_error(faults: Faults, sql: str, *, after: bool) -> Any:
        taken = real_error(faults, sql, after=after)
        if taken and after:
            rig.acted.append(bare(sql))
        return taken

    monkeypatch.setattr(Faults, "take_error", take_error)
    monkeypatch.setattr(harness, "fired", fired)
    monkeypatch.setattr(hook_module, "connect", connect)
