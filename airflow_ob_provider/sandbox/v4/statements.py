"""What the grammar of 4.x makes of an admin statement: one small object each."""

from __future__ import annotations

from dataclasses import dataclass

#: The tenants of a TENANT clause; None without one.
Names = tuple[str, ...] | None


@dataclass(frozen=True)
class Archivelog:
    start: bool
    tenants: Names = None


@dataclass(frozen=True)
class Assignment:
    name: str
    value: str
    #: one name; None without a TENANT clause
    tenant: str | None = None
    server: str | None = None
    zone: str | None = None


@dataclass(frozen=True)
class SetSystem:
    """ALTER SYSTEM SET: parameters, and the destinations, which look like parameters."""

    assignments: tuple[Assignment, ...]


@dataclass(frozen=True)
class Backup:
    incremental: bool
    plus_archivelog: bool
    tenants: Names = None
    description: str = ""
    destination: str | None = None


@dataclass(frozen=True)
class CancelBackup:
    tenants: Names = None


@dataclass(frozen=True)
class Policy:
    """ADD or DROP DELETE BACKUP POLICY."""

    add: bool
    name: str
    tenants: Names = None
    recovery_window: str | None = None
    redundancy: int | None = None


@dataclass(frozen=True)
class CancelDelete:
    tenants: Names = None


@dataclass(frozen=True)
class DeleteBackup:
    """``what``: BACKUPSET, BACKUPPIECE or OBSOLETE."""

    what: str
    key: int = 0
    tenants: Names = None


@dataclass(frozen=True)
class MinorFreeze:
    tenants: Names = None
    servers: tuple[str, ...] | None = None
    zone: str | None = None
    #: LS or TABLET_ID is given
    part: bool = False


@dataclass(frozen=True)
class MajorFreeze:
    pass


@dataclass(frozen=True)
class InGrammarOnly:
    """The parser knows the statement, the server refuses it (1235)."""


@dataclass(frozen=True)
class SetEncryption:
    """The password itself is of no use to the sandbox and isn't kept."""

    on: bool


@dataclass(frozen=True)
class CreateTenant:
    name: str
    if_not_exists: bool = False


@dataclass(frozen=True)
class DropTenant:
    name: str
    if_exists: bool = False


Command = (
    Archivelog | SetSystem | Backup | CancelBackup | Policy | CancelDelete | DeleteBackup | MinorFreeze | MajorFreeze
    | InGrammarOnly | SetEncryption | CreateTenant | DropTenant
)  # fmt: skip
