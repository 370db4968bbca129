"""What a watch tells: plain JSON without secrets, never long however many tenants a cluster has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_ob_provider.oceanbase.models import to_json
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.watch.conditions import WORST_FIRST, Condition, Sighting
from airflow_ob_provider.oceanbase.words import few

MAX_LISTED = 20
"""Tenants in a list of an event; what is left out is counted."""
MAX_TEXT = 500
"""Characters of a reason. The server's own remark may have 262,144."""
UNREADABLE = "unreadable"
"""Kind of an event of a watch that cannot see: neither healthy nor broken."""
READABLE = "readable"
"""Kind of an event of a watch that sees again, and has nothing else to tell."""


@dataclass(frozen=True)
class Change:
    """What is told of one tenant, or of a 3.x cluster."""

    sighting: Sighting
    before: Condition | None
    """As what it was told of last; None at a first look."""
    after: Condition
    changes: int
    """How often it has become something else since it was told of last; 1 where it has not wavered."""
    since: datetime

    @property
    def tenant_id(self) -> int:
        """Number of the tenant."""
        return self.sighting.tenant.tenant_id

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        row = self.sighting.row
        return {
            "tenant": self.sighting.name,
            "tenant_id": self.tenant_id,
            "before": self.before and str(self.before),
            "after": str(self.after),
            "reason": _plain(self.sighting.reason),
            "changes": self.changes,
            "since": to_json(self.since),
            "round": row.round_id if row else 0,
            "checkpoint": to_json(row.checkpoint) if row else None,
            "lag_seconds": None if self.sighting.lag is None else round(self.sighting.lag, 3),
        }

    def __str__(self) -> str:
        before = "" if self.before is None or self.before is self.after else f", was {self.before}"
        wavered = f", {self.changes} changes since it was told of last" if self.changes > 1 else ""
        return f"{self.sighting.name} {self.after}{before}{wavered}"


@dataclass(frozen=True)
class Standing:
    """How things are as far as is known."""

    watched: int
    broken: int
    elsewhere: tuple[tuple[str, Condition | None, datetime | None], ...]
    """Name, condition and since when of what is broken and has been told of before."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        listed = [
            {"tenant": name, "condition": str(condition), "since": to_json(since)}
            for name, condition, since in self.elsewhere[:MAX_LISTED]
        ]
        return {
            "watched": self.watched,
            "broken": self.broken,
            "still_broken": listed,
            "still_broken_left_out": len(self.elsewhere) - len(listed),
        }


def event_of(
    changes: Iterable[Change], standing: Standing, facts: dict[str, Any], *, unreadable: Sequence[str], readable: bool
) -> dict[str, Any]:
    """The event of one look.

    ``kind`` is the worst condition that something has now; a DAG can choose by it.
    """
    changes = sorted(changes, key=lambda change: WORST_FIRST.index(change.after))
    kind = str(changes[0].after) if changes else UNREADABLE if unreadable else READABLE
    parts = [few(str(change) for change in changes)] if changes else []
    parts += [f"not understood for too long: {few(unreadable)}"] if unreadable else []
    parts += ["the watch can read the state again"] if readable else []
    return {
        "kind": kind,
        "summary": _plain("; ".join(parts)),
        "read_at": to_json(facts["read_at"]),
        "changes": [change.to_json() for change in changes[:MAX_LISTED]],
        "changes_left_out": max(len(changes) - MAX_LISTED, 0),
        **standing.to_json(),
        "unreadable": list(unreadable[:MAX_LISTED]),
        "readable_again": readable,
        "not_found": list(facts["not_found"][:MAX_LISTED]),
    }


def unreadable_event(reason: str, seconds: float, standing: Standing) -> dict[str, Any]:
    """The event of a watch whose readings fail. What was broken is as it was when it could last see."""
    return {
        "kind": UNREADABLE,
        "summary": _plain(f"the state of log backup could not be read for {seconds:.0f} s: {reason}"),
        "read_at": None,
        "changes": [],
        "changes_left_out": 0,
        **standing.to_json(),
        "unreadable": [],
        "readable_again": False,
        "not_found": [],
    }


def _plain(text: str) -> str:
    shown = redact(text)
    return shown if len(shown) <= MAX_TEXT else f"{shown[: MAX_TEXT - 1]}…"
