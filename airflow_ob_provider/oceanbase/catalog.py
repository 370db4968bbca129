"""What the server's catalog holds about backup at one moment: all that a compliance check judges.

It is read in a few queries that the server aggregates, so its size grows with tenants and rounds, not with pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveState, Scope, Tenant

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.destination import Destination
    from airflow_ob_provider.oceanbase.windows import FullBackup, Recovery, Round


class Part(StrEnum):
    """A part of the catalog that may be unreadable, or not exist, without the others being so."""

    SETTINGS = "settings"
    PIECES = "pieces"
    """Rounds and their pieces."""
    BACKUPS = "backups"
    """Data backup sets."""
    LOG_DISK = "log_disk"
    CLEANUP = "cleanup"
    STORAGE = "storage"
    EVENTS = "events"
    STREAMS = "streams"


@dataclass(frozen=True)
class Settings:
    """How log backup of a tenant, or of a 3.x cluster, is set up; None where the server does not say."""

    destination: Destination | None = None
    shown: str = ""
    """The destination as it may be shown; '' where none is set."""
    mode: str | None = None
    """``optional`` or ``mandatory``."""
    compression: str | None = None
    """3.x."""
    piece_days: int | None = None
    """Days between two pieces; 0 (3.x) is no splitting."""
    lag_target: float | None = None
    """4.2+ ``archive_lag_target``, 3.x checkpoint interval; seconds, the largest of all servers."""
    concurrency: int | None = None
    differs: tuple[str, ...] = ()
    """Names of parameters that servers do not agree on."""


@dataclass(frozen=True)
class LogDisk:
    """The fullest log disk of a tenant's units; bytes."""

    in_use: int
    size: int
    recycles_at: int = 80
    """Per cent from which on logs are recycled (``log_disk_utilization_threshold``)."""
    stops_at: int = 95
    """Per cent at which writes stop (``log_disk_utilization_limit_threshold``)."""

    @property
    def percent(self) -> float:
        """How full it is."""
        return 100.0 * self.in_use / self.size if self.size else 0.0


@dataclass(frozen=True)
class Cleanup:
    """How old backups are removed."""

    window: str = ""
    """Recovery window of the policy (``7d``); '' where there is no policy."""
    is_automatic: bool = False
    last_status: str = ""
    """Of the newest clean-up job; '' where none is on record."""
    last_at: datetime | None = None
    last_comment: str = ""


@dataclass(frozen=True)
class Attempt:
    """The newest data backup, whatever became of it."""

    set_id: int
    status: str
    started: datetime | None
    is_full: bool


@dataclass(frozen=True)
class Stream:
    """Where one log stream (4.x) or partition group (3.x) is with archiving."""

    name: str
    checkpoint: datetime | None
    is_broken: bool = False


@dataclass(frozen=True)
class TenantRecord:
    """One user tenant."""

    tenant: Tenant
    archive: ArchiveRow | None
    """Its current state; None where it has no row."""
    incarnation: int | None = None
    rounds: tuple[Round, ...] = ()
    fulls: tuple[FullBackup, ...] = ()
    """Full backups: all of them where something is wrong, else the oldest and the newest of each round."""
    newest_full: FullBackup | None = None
    """The newest usable one, and when it was finished."""
    newest_full_at: datetime | None = None
    attempt: Attempt | None = None
    settings: Settings | None = None
    log_disk: LogDisk | None = None
    cleanup: Cleanup | None = None
    storage_checked: datetime | None = None
    """When the server last reached the destination."""
    state_since: datetime | None = None
    """When the event of its present state was; None where no event tells of that state."""
    state_told: ArchiveState | None = None
    """The state that the newest event tells of; None where none is on record, or none was asked for."""
    streams: tuple[Stream, ...] | None = None
    """The slowest first; None where nothing was late enough to ask."""
    recovery: Recovery | None = None
    """None where it cannot be told."""
    doubt: str = ""
    """Why it cannot be told."""
    suspects: tuple[int, ...] = ()
    """Rounds whose pieces are not whole."""
    bad_pieces: tuple[str, ...] = ()
    """Pieces that are not as they should be, in the server's words, the newest first."""


@dataclass(frozen=True)
class BackupCatalog:
    """One cluster, or one tenant seen from within."""

    read_at: datetime
    version: str
    scope: Scope
    cluster: str
    cluster_id: str
    governing: ArchiveRow | None
    """3.x: the row of tenant sys, which stands for the cluster."""
    tenants: tuple[TenantRecord, ...]
    out_of_scope: tuple[Tenant, ...] = ()
    """User tenants that are not NORMAL."""
    unread: tuple[tuple[Part, str], ...] = ()
    """Parts that could not be read, and why."""
    absent: tuple[tuple[Part, str], ...] = ()
    """Parts that this version does not have."""

    def why_unread(self, part: Part) -> str:
        """Why a part could not be read; '' if it could."""
        return dict(self.unread).get(part, "")

    def why_absent(self, part: Part) -> str:
        """Why there is no such part here; '' if there is."""
        return dict(self.absent).get(part, "")

    def state_of(self, record: TenantRecord) -> ArchiveState:
        """The state that decides for a tenant: its own, or its cluster's."""
        row = self.governing if self.scope is Scope.CLUSTER else record.archive
        return row.state if row else ArchiveState.STOP
