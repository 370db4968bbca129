"""What the checks have stored, read from the folder of reports."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_ob_provider.compliance.store import ReportStore, clusters_in
from airflow_ob_provider.exceptions import ReportStoreError
from airflow_ob_provider.reports import overview
from airflow_ob_provider.reports.cleaning import count, moment, number, part
from airflow_ob_provider.reports.view import LEVELS, level

log = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
"""How long a list of clusters is shown without looking again."""
NO_RUN: Mapping[str, Any] = {"dag_id": None, "run_id": None}
_READERS = 16
"""An object store answers slowly, but many at once."""
_MAX_AGE = 3 * 3600.0
"""Seconds between two checks at most, where a report does not name its policy's ``check_max_age``."""


@dataclass(frozen=True)
class Cluster:
    """The last check of a cluster, in a line."""

    conn_id: str
    line: Mapping[str, Any]
    age: float | None
    """Seconds since it was stored, by the clocks of the worker and of this server; None where that is not known."""

    @property
    def checked(self) -> str:
        """What the check has said."""
        return level(self.line.get("verdict"))

    @property
    def is_stale(self) -> bool:
        """Whether nobody has looked for longer than the policy allows."""
        return self.age is None or self.age > (number(self.line.get("check_max_age")) or _MAX_AGE)

    @property
    def level(self) -> str:
        """What can be said now: nothing of the present is known from an old check, and a bad one stays bad."""
        return "UNKNOWN" if self.is_stale and self.checked != "FAIL" else self.checked

    @property
    def name(self) -> str:
        """The cluster by its own name, or by its connection."""
        return str(self.line.get("cluster") or self.conn_id)

    @property
    def delay(self) -> float | None:
        """Its largest lag in seconds."""
        return number(self.line.get("delay"))

    @property
    def restorable_until(self) -> datetime | None:
        """Until when all of its tenants can be restored."""
        return self._time("restorable_until")

    @property
    def last_full_backup(self) -> datetime | None:
        """The last full backup of the tenant that has waited longest for one."""
        return self._time("last_full_backup")

    @property
    def checked_at(self) -> datetime | None:
        """When the check was made, by the clock of the server."""
        return self._time("checked_at")

    @property
    def open_gaps(self) -> int:
        """Holes that nothing has ended."""
        return count(self.line.get("open_gaps"))

    def was_checked_by(self, dag_id: str, run_id: str) -> bool:
        """Whether a run has made the last check."""
        run = part(self.line.get("run"))
        return (run.get("dag_id"), run.get("run_id")) == (dag_id, run_id)

    def _time(self, name: str) -> datetime | None:
        return moment(self.line.get(name), UTC) if self.line.get(name) else None


def worst_first(cluster: Cluster) -> tuple[Any, ...]:
    """The order of clusters in which somebody should look at them."""
    return LEVELS.index(cluster.level), -cluster.open_gaps, -(cluster.delay or 0.0), cluster.conn_id


class Stored:
    """The folder of reports.

    :param base: ``[oceanbase] report_path``.
    """

    def __init__(self, base: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.base = base
        self._now = now
        self._lock = threading.Lock()
        self._known: list[tuple[str, Mapping[str, Any]]] = []
        self._until = 0.0

    def clusters(self) -> list[Cluster]:
        """Every cluster of which a check is stored that can be read; the log tells of the others.

        :raises ReportStoreError: the folder cannot be read.
        """
        with self._lock:
            if time.monotonic() > self._until:
                names = clusters_in(self.base)
                with ThreadPoolExecutor(_READERS) as pool:
                    lines = list(zip(names, pool.map(self._line, names), strict=True))
                self._known = [(name, line) for name, line in lines if line is not None]
                self._until = time.monotonic() + FRESH_SECONDS
            known = self._known
        return [Cluster(name, line, self._age(line)) for name, line in known]

    def report(self, conn_id: str, name: str = "latest") -> dict[str, Any] | None:
        """A report that is kept; None where there is none.

        :param name: ``latest``, or its time as in :meth:`names`.
        :raises ReportStoreError: it cannot be read.
        """
        path = "latest.json" if name == "latest" else f"reports/{name}.json"
        return ReportStore(self.base, conn_id).read(path)

    def names(self, conn_id: str) -> list[str]:
        """The reports of a cluster that are kept, the newest first.

        :raises ReportStoreError: they cannot be listed.
        """
        return ReportStore(self.base, conn_id).reports()

    def recoveries(self, conn_id: str) -> list[dict[str, Any]]:
        """The ledger of recoveries, the newest first.

        :raises ReportStoreError: it cannot be read.
        """
        return ReportStore(self.base, conn_id).recoveries()[::-1]

    def _line(self, conn_id: str) -> Mapping[str, Any] | None:
        store = ReportStore(self.base, conn_id)
        try:
            found = store.read("overview.json")
            if found is None:  # of an older release
                report = store.read("latest.json")
                found = overview(report) if report else None
        except ReportStoreError as error:
            log.warning("%s", error)
            return None
        # Somebody else's file is shown as far as it goes; one without a run is for nobody.
        return {**overview({}), **found, "run": {**NO_RUN, **part(found.get("run"))}} if found else None

    def _age(self, line: Mapping[str, Any]) -> float | None:
        kept = moment(line.get("kept_at") or line.get("checked_at"), UTC)
        return max(0.0, (self._now() - kept).total_seconds()) if kept else None
