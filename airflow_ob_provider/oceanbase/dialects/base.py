"""What every dialect can be asked, and how it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from airflow_ob_provider.oceanbase.rows import text
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.breaks import BreakHistory, ForceStop
    from airflow_ob_provider.oceanbase.catalog import BackupCatalog
    from airflow_ob_provider.oceanbase.changes import Change
    from airflow_ob_provider.oceanbase.data_backup import BackupReadiness, BackupRequest, BackupSnapshot, RunningBackup
    from airflow_ob_provider.oceanbase.destination import Destination, WantedDestination
    from airflow_ob_provider.oceanbase.models import (
        ArchiveRow,
        ArchiveSnapshot,
        Finding,
        FreezeProgress,
        Identity,
        PieceSnapshot,
        Tenant,
    )
    from airflow_ob_provider.oceanbase.options import WantedOption

Row = Mapping[str, Any]
"""One row, its column names in lower case: releases differ in number and order of columns, so by name only."""
Query = Callable[[Statement], Sequence[Row]]
"""Runs a statement that reads. Raises :class:`~airflow_ob_provider.oceanbase.errors.ServerError`."""


class DataBackups(Protocol):
    """What a generation can be asked about data backups, and told. Reading methods may be repeated at will."""

    def readiness(self) -> BackupReadiness:
        """Whether one can start now, for each tenant, and which are under way."""

    def started(self, after: int) -> tuple[RunningBackup, ...]:
        """Jobs with a number higher than ``after``, under way or ended, the oldest first."""

    def job(self, job_id: int) -> BackupSnapshot:
        """One job, under way or ended."""

    def check(self, request: BackupRequest, tenants: Sequence[str]) -> None:
        """:raises ValueError: this version cannot do what is asked for."""

    def start(self, request: BackupRequest, tenants: Sequence[str], token: str) -> Statement:
        """Start one of these tenants, or of all. ``token`` marks the job where the version has a place for a mark."""

    def cancel(self, tenants: Sequence[str]) -> Statement:
        """Cancel those that run, of these tenants or of all."""

    def plan_destination(self, wanted: WantedDestination, tenants: Sequence[str]) -> tuple[Change, ...]:
        """What is to be set, in each place, until data backups go where they should."""


class Dialect(Protocol):
    """One generation of OceanBase: the questions it can be asked and the statements that change it.

    Reading methods send SELECT and SHOW only and may be repeated at will. Methods that return statements send
    nothing. All need an account that may read ``oceanbase.*``; the statements need ALTER SYSTEM.
    """

    version: OceanBaseVersion
    freeze_advised: bool
    """Whether a minor freeze makes log backup start sooner."""

    @property
    def data_backups(self) -> DataBackups:
        """Data backups."""

    def identity(self) -> Identity:
        """Cluster, tenant, account and privileges of the session."""

    def server_time(self) -> datetime:
        """Now, by the server's clock, with its offset from UTC."""

    def tenants(self) -> tuple[Tenant, ...]:
        """User tenants whose logs can be archived."""

    def tenants_in_scope(self, names: Sequence[str]) -> tuple[Tenant, ...]:
        """The tenants, of these or of all, that are started and stopped each by itself; none where a cluster is."""

    def archive(self) -> ArchiveSnapshot:
        """State of log archive, one row a tenant."""

    def pieces(self, round_id: int | None = None) -> PieceSnapshot:
        """Pieces of a round (None: the current one), counted on the server."""

    def backup_catalog(self) -> BackupCatalog:
        """Rounds, pieces, data backups and settings of every tenant, in at most five queries where all is well.

        :raises ServerError: not even the state of log backup can be read; any other part is named as unread.
        """

    def break_history(self) -> BreakHistory:
        """Events about log backup, the newest first, and OBServers that are not active, in two queries.

        :raises ServerError: the connection was lost; what may not be read is named in it.
        """

    def freeze_progress(self, *, since: datetime | None, tenant_ids: Sequence[int] = ()) -> FreezeProgress:
        """What a minor freeze begun at ``since`` has left to do."""

    def checkpoint_delay(self, tenants: Sequence[str] = ()) -> float:
        """How many seconds the checkpoint of a healthy log backup may stay behind; 0 where nothing tells."""

    def prerequisites(
        self, *, destination: Destination | None, restart_interrupted: bool, tenants: Sequence[str] = ()
    ) -> tuple[Finding, ...]:
        """Everything that must be true before log backup starts, one finding each; a failed read is UNKNOWN."""

    def check_scope(self, tenants: Sequence[str]) -> None:
        """:raises ValueError: log backup of these tenants alone cannot be started or stopped in this generation."""

    def plan_destination(self, wanted: WantedDestination, tenants: Sequence[str] = ()) -> tuple[Change, ...]:
        """What is to be set, in each place, until log backup goes where it should."""

    def plan_option(self, wanted: WantedOption, tenants: Sequence[str] = ()) -> tuple[Change, ...]:
        """What is to be set, in each place, until log backup works as it should."""

    def start_archive(self, row: ArchiveRow) -> Statement:
        """Start log backup of what ``row`` governs."""

    def resume_archive(self, row: ArchiveRow) -> Statement:
        """Switch a destination on again that somebody has switched off."""

    def stop_archive(self, row: ArchiveRow) -> Statement:
        """Stop log backup of what ``row`` governs."""

    def force_stop_state(self, wanted: Destination) -> ForceStop:
        """Where a stop by force is, for a cluster that is to archive to ``wanted`` after it.

        :raises ValueError: this generation has no such statement, or ``wanted`` cannot be set here.
        """

    def force_stop_archive(self) -> Statement:
        """End a round that does not stop, together with every other backup.

        :raises ValueError: this version has no such statement.
        """

    def minor_freeze(self, tenants: Sequence[str] = ()) -> Statement:
        """Freeze the memtables of these tenants, or of all."""

    def connection_note(self, identity: Identity) -> str:
        """What whoever made the connection should know about its tenant; '' if nothing."""


def detect_version(query: Query) -> OceanBaseVersion:
    """Ask the server for its version.

    ``@@version_comment`` has one form in all versions; ``version()`` is the second try.

    :raises ValueError: the server is not OceanBase.
    """
    rows = query(Statement.read("SELECT @@version_comment AS comment, version() AS version"))
    row = rows[0] if rows else {}
    try:
        return OceanBaseVersion.parse(text(row, "comment"))
    except ValueError:
        return OceanBaseVersion.parse(text(row, "version"))
