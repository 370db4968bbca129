"""What a server has recorded about log backup that broke off, was stopped or was suspended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.models import ArchiveState, Server
    from airflow_ob_provider.oceanbase.statements import Statement

STUCK_SECONDS = 600.0
"""STOPPING and SUSPENDING take some passes of 10 s, the slowest build 50 s; longer is no progress."""


@dataclass(frozen=True)
class BreakEvent:
    """One event of the RootService's history."""

    at: datetime | None
    """By the server's clock; None where it cannot be read."""
    module: str
    event: str
    tenant_id: int
    """0 where it names no tenant, as on 3.x."""
    round_id: int
    """0 where it names no round."""
    state: ArchiveState | None
    """The state it tells of; None where it tells of none."""
    values: tuple[tuple[str, str], ...]
    """Everything it says, redacted."""

    def __str__(self) -> str:
        said = ", ".join(f"{name}={value}" for name, value in self.values)
        return f"{self.module}/{self.event}" + (f" ({said})" if said else "")


@dataclass(frozen=True)
class BreakHistory:
    """Events, the newest first, and OBServers that are not active."""

    events: tuple[BreakEvent, ...] = ()
    inactive: tuple[Server, ...] = ()
    unread: tuple[str, ...] = ()
    """What could not be read, and why: nothing follows from its absence."""


@dataclass(frozen=True)
class Lag:
    """How late log backup was at an earlier check."""

    at: datetime
    seconds: float
    tenant: str
    """The one that was the latest."""


@dataclass(frozen=True)
class ForceStop:
    """3.x: where a round that does not stop is, what ends it by force, and what must be set again after that."""

    state: ArchiveState
    status: str
    """The server's word."""
    round_id: int
    statements: tuple[Statement, ...]
    """What is left to be sent, for a dry run."""
    before: str
    """The destination as it is, redacted."""
    is_emptied: bool
    """No server has a destination: the force has had its effect, or there never was one."""
    is_wanted: bool
    """Every server has the wanted one."""
    is_settled: bool
    """Whether the servers show the same."""
    second: str
    """``backup_backup_dest``, which the statement empties as well; redacted, '' where none is set."""
    data_backup_runs: bool
