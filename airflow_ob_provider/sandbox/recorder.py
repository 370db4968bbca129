"""The record of every statement the sandbox received, in order."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime

Outcome = str | int

#: A statement that has been received but not answered yet.
PENDING = "PENDING"


@dataclass(frozen=True)
class Recorded:
    """One statement. ``outcome``: "OK", the errno, or "LOST" when the connection was cut instead of an answer."""

    seq: int
    at: datetime
    user: str
    tenant: str
    connection_id: int
    sql: str
    writes: bool
    outcome: Outcome


class Recorder:
    """Thread-safe list of statements; a statement has its outcome before its client has the answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, Recorded] = {}
        self._next = 1

    def begin(self, *, at: datetime, user: str, tenant: str, connection_id: int, sql: str, writes: bool) -> int:
        with self._lock:
            seq, self._next = self._next, self._next + 1
            self._entries[seq] = Recorded(seq, at, user, tenant, connection_id, sql, writes, PENDING)
            return seq

    def end(self, seq: int, outcome: Outcome) -> None:
        with self._lock:
            if seq in self._entries:
                self._entries[seq] = replace(self._entries[seq], outcome=outcome)

    def all(self) -> tuple[Recorded, ...]:
        """The answered statements in order of arrival."""
        with self._lock:
            return tuple(entry for entry in self._entries.values() if entry.outcome != PENDING)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
