"""Runs tasks as Airflow does, without Airflow's processes: contexts, deferrals, reschedules, a clock that never sleeps.

Operators, sensors and triggers are the real ones and talk over a real socket to a simulated cluster. Wherever they
would sleep, the cluster's clock moves instead.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.bases.sensor import AirflowRescheduleException
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferralError, TaskDeferred
from airflow.sdk.serde import deserialize, serialize

from airflow_ob_provider.operators import base as operators_base
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.triggers import oceanbase as trigger_module
from airflow_ob_provider.triggers import poller, waiting, watching
from airflow_ob_provider.triggers.oceanbase import OceanBaseWaitTrigger

TRIGGER_TIMEOUT = "Trigger timeout"


class WaitIsOverError(BaseException):
    """The timeout given to ``defer()`` has passed: the scheduler ends the wait."""


class Time:
    """Stands in for module ``time``: sleeping moves the cluster's clock, and hooks run on the way."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box
        self.elapsed = 0.0
        self.sleeps: list[float] = []
        self.limit = float("inf")
        self.on_sleep: list[Callable[[float], None]] = []

    def monotonic(self) -> float:
        return self.elapsed

    def time(self) -> float:
        return 2.0**20 + self.elapsed

    def utcnow(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.elapsed += seconds
        assert len(self.sleeps) < 3000, "a wait without an end"
        self._box.advance(seconds)
        for hook in list(self.on_sleep):
            hook(self.elapsed)
        if self.elapsed >= self.limit:
            raise WaitIsOverError

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Run ``action`` once, when this much has been slept from now on."""
        due = self.elapsed + seconds

        def hook(elapsed: float) -> None:
            if elapsed >= due:
                self.on_sleep.remove(hook)
                action()

        self.on_sleep.append(hook)


@pytest.fixture
def clock(cluster: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Time:
    """No test sleeps; see :class:`Time`."""
    time = Time(cluster)
    patch_time(time, monkeypatch)
    return time


def patch_time(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (operators_base, waiting, trigger_module, poller, watching, tenacity, tenacity.nap):
        monkeypatch.setattr(module, "time", time)
    monkeypatch.setattr("airflow.sdk.bases.sensor.time", time)
    monkeypatch.setattr("airflow.sdk.bases.sensor.timezone", time)
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        await real_sleep(0)
        time.sleep(seconds)

    for module in (poller, trigger_module):
        monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))


@dataclass
class Ti:
    """What tasks use of a task instance."""

    task_id: str = "task"
    try_number: int = 1
    dag_id: str = "dag"
    run_id: str = "manual__2026-01-01"
    max_tries: int = 0
    map_index: int = -1
    first_reschedule: datetime | None = None
    xcom: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        json.dumps(value)
        self.xcom[key] = value

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_reschedule


class Store:
    """A task's state store: text in, text out."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, **_: Any) -> None:
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


def make_context(try_number: int = 1, *, store: bool = True) -> Any:
    context: dict[str, Any] = {"ti": Ti(try_number=try_number)}
    if store:
        context["task_state_store"] = Store()
    return context


def over_the_wire(trigger: Any) -> OceanBaseWaitTrigger:
    """The trigger as the triggerer makes it from the row in Airflow's database."""
    path, kwargs = trigger.serialize()
    assert path == "airflow_ob_provider.triggers.oceanbase.OceanBaseWaitTrigger"
    assert json.loads(json.dumps(kwargs)) == kwargs, "the row must be plain JSON"
    return OceanBaseWaitTrigger(**deserialize(json.loads(json.dumps(serialize(kwargs)))))


async def events_of(trigger: OceanBaseWaitTrigger) -> list[dict[str, Any]]:
    """Every event of a trigger's own loop; there must be exactly one."""
    return [event.payload async for event in trigger.run()]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def fired(trigger: Any) -> dict[str, Any]:
    """The one event of a trigger."""
    events = run(events_of(over_the_wire(trigger)))
    assert len(events) == 1, events
    event = events[0]
    assert json.loads(json.dumps(event)) == event, "an event must be plain JSON"
    return event


def drive(task: Any, context: Any, time: Time) -> Any:
    """Run a task to its end through every deferral, as scheduler, triggerer and worker do."""
    try:
        return task.execute(context)
    except TaskDeferred as error:
        deferred = error
    while True:
        time.limit = time.elapsed + deferred.timeout.total_seconds()
        try:
            event = fired(deferred.trigger)
            method, kwargs = deferred.method_name, {**(deferred.kwargs or {}), "event": event}
        except WaitIsOverError:
            method, kwargs = TRIGGER_FAIL_REPR, {"error": TRIGGER_TIMEOUT}
        finally:
            time.limit = float("inf")
        try:
            return task.resume_execution(method, kwargs, context)
        except TaskDeferred as error:
            deferred = error


def drive_rescheduled(make: Callable[[], Any], context: Any, time: Time) -> Any:
    """Run a sensor in reschedule mode: a new process, and so a new object, for every poke."""
    while True:
        try:
            return make().execute(context)
        except AirflowRescheduleException as again:
            context["ti"].first_reschedule = context["ti"].first_reschedule or time.utcnow()
            time.sleep((again.reschedule_date - time.utcnow()).total_seconds())


@dataclass
class Ending:
    """How a task ended: success, skipped, failed (for good) or retry."""

    state: str
    result: Any = None
    error: BaseException | None = None

    @property
    def text(self) -> str:
        return str(self.error)


def ending(action: Callable[[], Any]) -> Ending:
    """The task state Airflow's task runner gives to what ``action`` does."""
    from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout

    try:
        return Ending("success", action())
    except AirflowSkipException as error:
        return Ending("skipped", error=error)
    except (AirflowFailException, AirflowSensorTimeout) as error:
        return Ending("failed", error=error)
    except (TaskDeferralError, Exception) as error:
        return Ending("retry", error=error)


def writes(box: Sandbox, word: str = "") -> list[str]:
    """Statements that wrote, without their comment, whatever came of them."""
    return [entry.sql.partition("*/ ")[2] for entry in box.writes if word in entry.sql]


def effects(box: Sandbox, word: str) -> int:
    """How often a statement took effect, by the cluster's own record."""
    return sum(entry.outcome in {"OK", "LOST"} and word in entry.sql for entry in box.writes)


def status(box: Sandbox) -> str:
    return str(box._cluster.archive.sys.status)


def round_of(box: Sandbox) -> int:
    return int(box._cluster.archive.sys.round_id)
