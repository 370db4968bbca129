"""What a wait is: plain data that looks at a snapshot and says Ready, Waiting or Terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Self

from airflow_ob_provider.oceanbase.data_backup import BackupSnapshot
from airflow_ob_provider.oceanbase.models import ArchiveSnapshot, FreezeProgress, PieceSnapshot, to_json
from airflow_ob_provider.oceanbase.words import few


@dataclass(frozen=True)
class Ready:
    """What was waited for is there."""

    summary: dict[str, Any]
    warning: str = ""


@dataclass(frozen=True)
class Waiting:
    """Not yet. ``unknown``: the server said something that cannot be judged; it is never success, never broken."""

    reason: str
    progress: float | None = None
    """From 0 to 1, where there is a measure."""
    unknown: bool = False
    left: float | None = None
    """Seconds until it is there if it goes on as it has gone so far; None where nothing tells."""
    usual: str = ""
    """How long it usually takes, where that is known of the server and nothing tells more; '' where it is not."""

    @property
    def expected(self) -> str:
        """What is to be expected, in words; '' where nothing is known."""
        if self.left is not None:
            return f"about {self.left:.0f} s to go at this pace"
        return self.usual


@dataclass(frozen=True)
class Terminal:
    """It will never be."""

    reason: str
    hint: str


Verdict = Ready | Waiting | Terminal
Snapshot = ArchiveSnapshot | PieceSnapshot | FreezeProgress | BackupSnapshot
Reads = Literal["archive", "pieces", "freeze", "backup"]


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Base of all waits. ``since`` is the server's time of the first look."""

    reads: ClassVar[Reads]
    since: datetime | None = None

    def begun(self, snapshot: Snapshot) -> Self:
        """This wait with its first look at ``snapshot``, unless it has begun already."""
        return self if self.since else replace(self, since=snapshot.read_at)

    def elapsed(self, now: datetime) -> timedelta:
        """How long it has waited by the server's clock; a clock set back counts as no time."""
        return max(now - self.since, timedelta()) if self.since else timedelta()

    def read_arguments(self) -> dict[str, Any]:
        """What the reader must know; waits with equal arguments can share one reading."""
        return {}

    def judge(self, snapshot: Any) -> Verdict:
        """Decide on one snapshot."""
        raise NotImplementedError

    def to_wire(self) -> dict[str, Any]:
        """Plain JSON for trigger arguments and events."""
        return {"kind": type(self).__name__, **to_json(asdict(self))}


def time_left(began: datetime | None, now: datetime, share: float | None) -> float | None:
    """Seconds, if it goes on as it has gone since it began; None before a tenth of it is done."""
    if began is None or not share or share < 0.1 or now <= began:
        return None
    return (now - began).total_seconds() * (1 - share) / share


def no_tenants(names: Iterable[str]) -> Terminal:
    """No NORMAL user tenants of these names."""
    return Terminal(
        f"no such user tenant: {few(names)}", "It was dropped, is not NORMAL or is misspelt; check the tenants."
    )
