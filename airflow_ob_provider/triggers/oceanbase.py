"""The trigger behind every deferred wait: one poller a connection, whatever the number of waits.

It reads only, and it never raises: a trigger that crashes is silently skipped under ``soft_fail``, so every outcome,
also an unexpected one, becomes an event.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Hashable
from contextlib import aclosing
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.reader import read_for
from airflow_ob_provider.oceanbase.waits import Waiting, from_wire
from airflow_ob_provider.triggers.poller import readings
from airflow_ob_provider.triggers.waiting import (
    FailureBudget,
    ProgressLog,
    ReadFailure,
    judge,
    unreadable_event,
    verdict_event,
)

SETTLE_SECONDS = 5.0
"""No event in a triggerer comes earlier: a task that goes on before the scheduler has heard from the executor that it
was deferred is taken for killed (apache/airflow#67287, #72716), and tried again."""


class OceanBaseWaitTrigger(BaseEventTrigger):
    """Polls until a :class:`~airflow_ob_provider.oceanbase.waits.Wait` is Ready or Terminal.

    Fires exactly one event ``{"status": "ready" | "terminal" | "unreadable" | "timeout", …}``. On Airflow 3.3 waits on
    the same connection, kind of reading and cadence share one poller in each triggerer process; before, each has its
    own.

    :param oceanbase_conn_id: connection to read from.
    :param wait: the wait in its wire form.
    :param poll_interval: seconds between reads, at least 1, ±10 %; up to five times as long while reads fail.
    :param label: who waits, for the comment in front of each statement.
    :param patient: passing read faults never end the wait, however long they last.
    :param seconds: after this long, by this process's clock, the wait ends with status ``timeout``; None leaves that to
        the timeout given to ``defer()``, which also ends a wait that cannot read, but loses what the wait carries.
    :param carry: plain JSON that comes back in the event: what the task must know when it goes on. ``dag.test()``
        loses the arguments given to ``defer()``, an event it keeps.
    """

    supports_triggerer_queue = True

    def __init__(
        self,
        *,
        oceanbase_conn_id: str = OceanBaseHook.default_conn_name,
        wait: dict[str, Any] | None = None,
        poll_interval: float = 15.0,
        label: str = "",
        patient: bool = False,
        seconds: float | None = None,
        carry: dict[str, Any] | None = None,
        **newer: Any,  # noqa: ARG002 - a row that a newer release has written must not break a wait in flight
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.oceanbase_conn_id = oceanbase_conn_id
        self.wait = wait or {}
        self.poll_interval = poll_interval
        self.label = label
        self.patient = patient
        self.seconds = seconds
        self.carry = carry or {}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Arguments are a wire format: only ever added to, and always optional."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "oceanbase_conn_id": self.oceanbase_conn_id,
                "wait": self.wait,
                "poll_interval": self.poll_interval,
                "label": self.label,
                "patient": self.patient,
                "seconds": self.seconds,
                "carry": self.carry,
            },
        )

    def shared_stream_key(self) -> Hashable | None:
        """Connection, cadence and what is read; which tenants are waited for is each wait's own matter."""
        try:
            wait = from_wire(self.wait)
            interval = float(self.poll_interval)
        except (ValueError, TypeError, AttributeError):
            return None  # run() makes an event of it
        arguments = json.dumps(wait.read_arguments(), sort_keys=True)
        return (type(self).__qualname__, self.oceanbase_conn_id, interval, wait.reads, arguments)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Own loop: before Airflow 3.3 and in ``dag.test()``."""
        async with aclosing(self.open_shared_stream(self.serialize()[1])) as stream:
            async for event in self.filter_shared_stream(stream):
                yield event

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Full snapshots, or :class:`ReadFailure`, for ever. Never raises: that would end every wait on it."""
        interval = float(kwargs.get("poll_interval") or 0)
        wait = from_wire(kwargs["wait"])
        polled = readings(
            lambda dialect: read_for(wait, dialect),
            oceanbase_conn_id=kwargs.get("oceanbase_conn_id"),
            label=str(kwargs.get("label") or "trigger"),
            interval=interval,
        )
        async with aclosing(polled) as stream:
            async for reading in stream:
                yield reading

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Judge each snapshot for this wait; one event ends it, and not too soon for Airflow."""
        began = time.monotonic()
        try:
            payload = await self._end(shared_stream, began)
        except Exception as error:  # whatever it is, it must reach the task as an event
            payload = unreadable_event(ReadFailure.of(error))
        if self.trigger_id is not None:
            await asyncio.sleep(max(0.0, began + SETTLE_SECONDS - time.monotonic()))
        yield TriggerEvent(payload | {"carry": self.carry})

    async def _end(self, shared_stream: AsyncIterator[Any], began: float) -> dict[str, Any]:
        wait = from_wire(self.wait)
        budget = FailureBudget(patient=self.patient)
        progress = ProgressLog(self.log)
        reason = ""
        async for reading in shared_stream:
            if isinstance(reading, ReadFailure):
                reason = f"the state could not be read: {reading.reason}"
                self.log.warning("Reading failed (%s in a row): %s", budget.failures + 1, reading.reason)
                if budget.spent_by(reading):
                    return unreadable_event(reading)
            else:
                budget.reset()
                seen = judge(wait, reading)
                wait = seen.wait
                if not isinstance(seen.verdict, Waiting):
                    return verdict_event(seen.verdict)
                reason = seen.verdict.reason
                progress.show(seen.verdict, seen.waited)
            if self.seconds is not None and time.monotonic() - began >= self.seconds:
                return {"status": "timeout", "reason": reason}
        return unreadable_event(ReadFailure("the stream of readings ended", permanent=False))
