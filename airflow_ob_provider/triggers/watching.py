"""A watch at work: takes in readings, and keeps what it remembers where a restart of the triggerer does not lose it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.watch import Bounds, Step, WatchMemory
from airflow_ob_provider.oceanbase.words import few
from airflow_ob_provider.triggers.waiting import ReadFailure

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.models import ArchiveSnapshot

KEY = "oceanbase_archive_watch"
"""Where in the asset's state store the memory is. An asset has one watch of a cluster, so bounds may change."""
SETTLE_SECONDS = 15.0
"""Time for an event to get from a trigger into Airflow's database: the triggerer hands on once a second."""
STORE_SECONDS = 10.0
RETRY_SECONDS = 60.0
"""A store that fails is left alone for so long: readings go on meanwhile, and must not pile up behind it."""
MAX_LOADS = 3
"""After so many failures the watch goes on as one that has seen nothing; it must not wait for a store for ever."""


class Watching:
    """What one trigger knows. Nothing here raises but what cancels it.

    :param bounds: as they were given, to be checked here.
    :param store: the asset's state store, with ``aget`` and ``aset``; None where there is none.
    """

    def __init__(self, bounds: Mapping[str, Any], tenants: Any, *, store: Any, log: Any) -> None:
        self._bounds, problems = Bounds.lenient(bounds)
        self._tenants = tuple(map(str, tenants)) if isinstance(tenants, list | tuple) else ()
        if tenants and not self._tenants:
            problems.append(f"tenants must be a list of names, not {tenants!r}")
        self._store = store
        self._log = log
        self._memory = WatchMemory()
        self._loads = 0
        self._is_loaded = store is None
        self._saved = self._memory.to_json()
        self._told_at: float | None = None
        self._no_save_before = 0.0
        self._failing_since: float | None = None
        self._not_found: tuple[str, ...] = ()
        for problem in problems:
            log.warning("The watch goes on without an argument that it does not understand: %s", redact(problem))

    async def events(self, reading: Any) -> AsyncGenerator[dict[str, Any], None]:
        """What is to be told of one reading: nothing, or one event."""
        if not self._is_loaded:
            await self._load()
            if not self._is_loaded:
                return  # without its memory it would tell again what it has told
        await self._save()
        step = self._step(reading)
        self._memory = step.memory
        if step.event:
            self._told_at = time.monotonic()
            self._log.info("Log backup: %s", step.event["summary"])
            yield step.event

    def _step(self, reading: Any) -> Step:
        if not isinstance(reading, ReadFailure):
            try:
                step = self._memory.after(reading, self._bounds, self._tenants)
                self._failing_since = None
                self._warn_of_names(reading)
                return step
            except Exception as error:  # a watch that cannot judge cannot see
                reading = ReadFailure.of(error)
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        self._log.warning("Reading failed: %s", reading.reason)
        return self._memory.unreadable(now - self._failing_since, reading.reason, self._bounds)

    def _warn_of_names(self, snapshot: ArchiveSnapshot) -> None:
        known = {tenant.name for tenant in (*snapshot.tenants, *snapshot.out_of_scope)}
        missing = tuple(name for name in self._tenants if name not in known)
        if missing and missing != self._not_found:
            self._log.warning("Watched, but no tenant has this name: %s", few(missing))
        self._not_found = missing

    # --- the memory ---------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS):  # wait_for() of Python 3.11 may swallow a cancellation
                found = await self._store.aget(KEY)
        except Exception as error:  # whatever is wrong with the store, the watch goes on
            self._loads += 1
            self._is_loaded = self._loads >= MAX_LOADS
            self._warn_of_store("read", error)
            return
        self._is_loaded = True
        memory = WatchMemory.from_json(found) if found else None
        if found and memory is None:
            self._log.warning("What the watch remembered cannot be understood; it begins anew")
        if memory:
            self._memory, self._saved = memory, memory.to_json()

    async def _save(self) -> None:
        """Keep what the reading before has changed, but not before its event is safe."""
        now = time.monotonic()
        if self._store is None or now < self._no_save_before:
            return
        if self._told_at is not None and now - self._told_at < SETTLE_SECONDS:
            return
        memory = self._memory.to_json()
        if memory == self._saved:
            return
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._store.aset(KEY, memory)
        except Exception as error:  # as above; a later reading tries again
            self._no_save_before = time.monotonic() + RETRY_SECONDS
            self._warn_of_store("write", error)
            return
        self._saved, self._told_at = memory, None

    def _warn_of_store(self, what: str, error: Exception) -> None:
        self._log.warning(
            "The watch could not %s its memory in the asset's state store, so a restart may tell again what it has "
            "told: %s: %s", what, type(error).__name__, redact(str(error)),
        )  # fmt: skip
