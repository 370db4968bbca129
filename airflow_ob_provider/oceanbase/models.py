"""What a server told: states, rows and settings, one model for 3.x and 4.x."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

SYS_TENANT_ID = 1

MAX_AHEAD_SECONDS = 300.0
"""A time further ahead of the server's clock than clocks differ is in another time zone, or no time at all."""


class Word(StrEnum):
    """A word of the server; what the manuals do not know is UNKNOWN, the same as a word that cannot be read."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:  # noqa: ARG003
        return cls["UNKNOWN"]

    @classmethod
    def parse(cls, text: object) -> Self:
        """The member a server's word means."""
        return cls(str(text).strip().upper())


class ArchiveState(Word):
    """State of log archive. STOPPING to STOP and BEGINNING to DOING happen by themselves, INTERRUPTED never heals.

    3.x knows STOP, BEGINNING, DOING, STOPPING and INTERRUPTED (source, ob_backup_struct.cpp); 4.x adds PREPARE,
    SUSPENDING and SUSPEND.
    """

    STOP = "STOP"
    PREPARE = "PREPARE"
    BEGINNING = "BEGINNING"
    DOING = "DOING"
    SUSPENDING = "SUSPENDING"
    SUSPEND = "SUSPEND"
    STOPPING = "STOPPING"
    INTERRUPTED = "INTERRUPTED"
    UNKNOWN = "UNKNOWN"
    """Anything else the server says, or a row that cannot be read: neither healthy nor broken."""

    @property
    def is_running(self) -> bool:
        """A round is on its way up or archiving."""
        return self in {ArchiveState.PREPARE, ArchiveState.BEGINNING, ArchiveState.DOING}


class Scope(StrEnum):
    """What is started and stopped as one."""

    CLUSTER = "cluster"
    TENANT = "tenant"


@dataclass(frozen=True)
class Tenant:
    """A tenant of the cluster."""

    tenant_id: int
    name: str
    status: str = field(default="NORMAL", compare=False)
    """The server's word; a tenant that is not NORMAL (being created, restored, dropped) is not archived."""

    @property
    def is_normal(self) -> bool:
        """Whether it can be archived."""
        return self.status == "NORMAL"

    @property
    def is_user(self) -> bool:
        """Whether it holds users' data, and so logs worth archiving."""
        return self.tenant_id != SYS_TENANT_ID


@dataclass(frozen=True)
class ArchiveRow:
    """Current log archive of one tenant; the row of tenant sys stands for a 3.x cluster."""

    tenant: Tenant
    state: ArchiveState
    status: str
    """The server's own word."""
    round_id: int
    piece_id: int
    started: datetime | None
    """From when on logs are in the round."""
    checkpoint: datetime | None
    """Everything before it is archived."""
    archivelog: bool | None = None
    """4.1+: LOG_MODE, by which the server starts and stops rounds in later passes. None where there is no such mode."""
    deferred: bool = False
    """4.1+: the destination is switched off (DEFER), so ARCHIVELOG alone starts nothing."""
    blocked: str = ""
    """Why no start can succeed here as things stand; '' where nothing is known to be in its way."""
    idle: bool = False
    """4.x: there is no round, or it is STOP, by STATUS alone: only now may the destination change."""
    remark: str = ""
    """What the server says about it, and the log stream that holds it up."""
    timestamp: datetime | None = None
    """The tenant's timestamp service: whatever was committed before the reading has a smaller one. None: not shown."""

    @property
    def phase(self) -> tuple[object, ...]:
        """What a statement moves; it has had an effect when this has changed."""
        return (self.state, self.round_id, self.archivelog, self.deferred)

    def __str__(self) -> str:
        remark = f"; {self.remark}" if self.remark else ""
        return f"{self.tenant.name} {self.status} (round {self.round_id}{remark})"


@dataclass(frozen=True)
class ArchiveSnapshot:
    """Log archive of a cluster at one moment of the server's clock."""

    read_at: datetime
    scope: Scope
    rows: tuple[ArchiveRow, ...]
    tenants: tuple[Tenant, ...]
    """User tenants that exist; one without a row is not archived (yet)."""
    out_of_scope: tuple[Tenant, ...] = ()
    """User tenants that this snapshot leaves out: not NORMAL, or not asked for. Nobody archives them here."""

    def of(self, names: Iterable[str]) -> ArchiveSnapshot:
        """Where each tenant archives by itself: only these tenants (all, if none is named). A cluster stays whole."""
        wanted = set(names)
        if self.scope is Scope.CLUSTER or not wanted:
            return self
        left_out = tuple(tenant for tenant in self.tenants if tenant.name not in wanted)
        return replace(
            self,
            rows=tuple(row for row in self.rows if row.tenant.name in wanted),
            tenants=tuple(tenant for tenant in self.tenants if tenant.name in wanted),
            out_of_scope=(*self.out_of_scope, *left_out),
        )

    @property
    def rounds(self) -> dict[str, int]:
        """Round of each governing row, by what it governs."""
        if self.scope is Scope.CLUSTER:
            return {str(Scope.CLUSTER): self.round_id}
        return {row.tenant.name: row.round_id for row in self.rows}

    @property
    def written_until(self) -> datetime:
        """A moment that everything written before the reading lies before, by the server's clock and by the tenants'.

        A timestamp service far ahead of the clock (:data:`MAX_AHEAD_SECONDS`) is not believed.
        """
        latest = self.read_at + timedelta(seconds=MAX_AHEAD_SECONDS)
        clocks = [row.timestamp for row in self.rows if row.timestamp and row.timestamp <= latest]
        return max((self.read_at, *clocks))

    @property
    def governing(self) -> tuple[ArchiveRow, ...]:
        """Rows whose state decides: the sys row of a cluster, otherwise every tenant's own."""
        if self.scope is Scope.CLUSTER:
            return tuple(row for row in self.rows if not row.tenant.is_user)
        return self.rows

    @property
    def round_id(self) -> int:
        """Highest round of the governing rows; 0 before the first."""
        return max((row.round_id for row in self.governing), default=0)

    def select(self, names: Iterable[str]) -> tuple[ArchiveRow, ...]:
        """Rows of the named user tenants, or of all."""
        wanted = set(names)
        return tuple(row for row in self.rows if row.tenant.is_user and (not wanted or row.tenant.name in wanted))

    def without_row(self, names: Iterable[str]) -> tuple[Tenant, ...]:
        """Named (or all) user tenants that exist but have no row."""
        wanted = set(names)
        present = {row.tenant.tenant_id for row in self.rows}
        return tuple(
            tenant
            for tenant in self.tenants
            if tenant.tenant_id not in present and (not wanted or tenant.name in wanted)
        )

    def unknown_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names that no user tenant has."""
        existing = {tenant.name for tenant in self.tenants}
        return tuple(name for name in names if name not in existing)


class PieceStatus(Word):
    """Life of a piece (3.x source: ACTIVE, FREEZING, FROZEN; INACTIVE only for copies)."""

    ACTIVE = "ACTIVE"
    FREEZING = "FREEZING"
    FROZEN = "FROZEN"
    INACTIVE = "INACTIVE"
    UNKNOWN = "UNKNOWN"


class FileStatus(Word):
    """Whether a piece's files can be used."""

    AVAILABLE = "AVAILABLE"
    COPYING = "COPYING"
    INCOMPLETE = "INCOMPLETE"
    EXPIRED = "EXPIRED"
    DELETING = "DELETING"
    DELETED = "DELETED"
    BROKEN = "BROKEN"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, value: object) -> FileStatus | None:
        """Some manuals misspell INCOMPLETE."""
        return cls.INCOMPLETE if value == "INCOMPELTE" else super()._missing_(value)


@dataclass(frozen=True)
class TenantPieces:
    """Pieces of one tenant in one round: how many, and the newest of them."""

    tenant: Tenant
    round_id: int
    count: int
    first_id: int
    newest_id: int
    status: PieceStatus
    file_status: FileStatus
    words: str
    """The server's own two words of the newest piece."""
    started: datetime | None
    checkpoint: datetime | None
    broken: int
    """Pieces of the round whose files are BROKEN."""
    unready: int
    """Pieces that are neither AVAILABLE nor broken nor cleaned: COPYING, INCOMPLETE, or a word not in the manuals."""
    cleaned: int
    """Pieces that clean-up has taken or will take (EXPIRED, DELETING, DELETED)."""

    @property
    def missing(self) -> int:
        """Piece ids left out between the first and the newest."""
        return self.newest_id - self.first_id + 1 - self.count


@dataclass(frozen=True)
class PieceSnapshot:
    """Pieces of one round at one moment of the server's clock."""

    read_at: datetime
    round_id: int
    rows: tuple[TenantPieces, ...]
    tenants: tuple[Tenant, ...]
    is_open: bool = True
    """Whether the round can still gain tenants. One without a piece in a closed round may be younger than it."""
    scope: Scope = Scope.CLUSTER
    """CLUSTER: one round, pieces numbered for all tenants alike; TENANT: each tenant counts for itself."""
    past: frozenset[int] = frozenset()
    """Numbers of tenants that have left the round that was asked for: one of them without a piece has none there."""

    def of(self, names: Iterable[str]) -> PieceSnapshot:
        """As :meth:`ArchiveSnapshot.of`."""
        wanted = set(names)
        if self.scope is Scope.CLUSTER or not wanted:
            return self
        rows = tuple(row for row in self.rows if row.tenant.name in wanted)
        return replace(self, rows=rows, tenants=tuple(tenant for tenant in self.tenants if tenant.name in wanted))

    @property
    def rounds(self) -> dict[str, int]:
        """Round of each tenant, or of the cluster."""
        if self.scope is Scope.CLUSTER:
            return {str(Scope.CLUSTER): self.round_id}
        return {row.tenant.name: row.round_id for row in self.rows}


@dataclass(frozen=True)
class FreezeProgress:
    """What is left of a minor freeze."""

    read_at: datetime
    frozen_memtables: int | None
    """Memtables frozen but not on disk yet; None when this server does not show them."""
    merges: int | None
    """Minor merges that ended since the freeze; 0 is normal on an idle cluster."""
    merging: int | None = None
    """4.x, which does not show frozen memtables: their merges under way. None means queued ones are not seen."""
    quiet_since: datetime | None = None
    """When the last of ``merges`` ended."""


@dataclass(frozen=True)
class Setting:
    """A parameter as every server (3.x) or tenant (4.x) has it."""

    name: str
    values: tuple[tuple[str, str], ...] = field(repr=False)
    """(where, value); values may hold secrets."""

    @property
    def agreed(self) -> str | None:
        """The one value all have; None while they differ or nobody answered."""
        found = {value for _, value in self.values}
        return found.pop() if len(found) == 1 else None

    @property
    def places(self) -> tuple[str, ...]:
        """Where it was read."""
        return tuple(where for where, _ in self.values)


@dataclass(frozen=True)
class Server:
    """One OBServer."""

    address: str
    zone: str
    active: bool
    status: str


@dataclass(frozen=True)
class Identity:
    """Whom we are talking to."""

    version: str
    cluster: str
    cluster_id: str
    tenant: str
    account: str
    grants: tuple[str, ...]

    @property
    def may_alter(self) -> bool:
        """Whether the account has ALTER SYSTEM."""
        return any("ALL PRIVILEGES" in grant or "ALTER SYSTEM" in grant for grant in map(_scope_all, self.grants))


def _scope_all(grant: str) -> str:
    """Privileges of a grant on everything; ALTER SYSTEM counts on ``*.*`` only."""
    head, _, rest = grant.upper().partition(" ON ")
    return head if rest.replace("`", "").lstrip().startswith("*.*") else ""


class Level(StrEnum):
    """How bad a finding is. UNKNOWN is neither good nor bad: it was not read."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    """This version, or this policy, does not ask the question."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    check: str
    level: Level
    observed: str
    expected: str
    hint: str = ""
    tenants: tuple[str, ...] = ()
    """The tenants it is about; () for all, or the whole cluster."""


def to_json(value: Any) -> Any:
    """Plain JSON of a model: times in ISO 8601 with their offset, enums as words.

    Fields that may hold secrets, and so are not in ``repr``, are left out.
    """
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, StrEnum):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in fields(value) if item.repr}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value
