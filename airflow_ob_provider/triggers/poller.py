"""Readings of a cluster at a cadence, for any number of triggers: one kept connection, no exception."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook, OceanBaseSession
from airflow_ob_provider.triggers.waiting import ReadFailure

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.base import Dialect

MIN_POLL_SECONDS = 1.0
MAX_BACK_OFF = 5.0
JITTER = 0.1
CONNECTION_SECONDS = 600.0
"""A poller's connection is renewed this often, so that it follows a proxy's or a server's fail-over."""

READ_SECONDS = 300.0
"""No reading takes this long: the driver's timeouts end it much earlier. What they do not bound (a name server, a
secrets backend) counts as a failure each time this has passed."""


async def readings(
    take: Callable[[Dialect], Any], *, oceanbase_conn_id: str | None, label: str, interval: float
) -> AsyncGenerator[Any, None]:
    """What ``take`` reads, or :class:`ReadFailure`, for ever; at least a second apart, ±10 %, slower while it fails.

    :param take: reads once, through the dialect of the server; it runs in a thread.
    :param label: who reads, for the comment in front of each statement.
    """
    interval = max(interval, MIN_POLL_SECONDS)
    poller = _Poller(take, oceanbase_conn_id, label)
    failures = 0
    try:
        while True:
            reading = await poller.read()
            failures = failures + 1 if isinstance(reading, ReadFailure) else 0
            yield reading
            back_off = min(2.0 ** max(failures - 1, 0), MAX_BACK_OFF)
            await asyncio.sleep(interval * back_off * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
    finally:
        poller.close()


class _Poller:
    """Reads on one kept connection. Any error closes it; the next read opens a new one, with today's password.

    Each read has a thread of its own: in asyncio's pool, or one shared by all pollers, a cluster that hangs would hold
    up the triggers of every other one. Between two reads there is none, since an idle one keeps 34 KB.
    """

    def __init__(self, take: Callable[[Dialect], Any], conn_id: str | None, label: str) -> None:
        self._take = take
        self._conn_id = conn_id
        self._label = label
        self._session: OceanBaseSession | None = None
        self._opened = 0.0
        self._pending: Future[Any] | None = None

    async def read(self) -> Any:
        """A snapshot, or a :class:`ReadFailure`. A read that hangs is waited for again, so that only one ever hangs."""
        if self._pending is None:
            try:
                self._pending = _in_thread(self._read)
            except RuntimeError as error:  # the system has no thread left for this one
                return ReadFailure.of(error)
        done, _ = await asyncio.wait({asyncio.wrap_future(self._pending)}, timeout=READ_SECONDS)
        if not done:
            return ReadFailure(f"no answer within {READ_SECONDS:g} s", permanent=False)
        reading, self._pending = self._pending.result(), None
        return reading

    def close(self) -> None:
        """Close the connection when the read that may be at work has ended; does not wait for it."""
        if self._pending is None:
            self._disconnect_in_thread()
        else:
            self._pending.add_done_callback(lambda _: self._disconnect_in_thread())

    def _read(self) -> Any:
        try:
            if self._session is None or time.monotonic() - self._opened > CONNECTION_SECONDS:
                self._disconnect()
                self._session = OceanBaseHook(oceanbase_conn_id=self._conn_id, label=self._label).open_session()
                self._opened = time.monotonic()
            return self._take(self._session.dialect)
        except Exception as error:  # every subscriber decides for itself what it means
            self._disconnect()
            return ReadFailure.of(error)

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session:
            session.close()

    def _disconnect_in_thread(self) -> None:
        with suppress(RuntimeError):  # no thread to be had: what holds the connection ends, and it with that
            _in_thread(self._disconnect)


def _in_thread(work: Callable[[], Any]) -> Future[Any]:
    """In a thread that ends with it."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="oceanbase-poller")
    try:
        return thread.submit(work)
    finally:
        thread.shutdown(wait=False)
