"""What every dialect can be asked, and how it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from airflow_ob_provider.oceanbase.destination import Destination, DestinationOption
from airflow_ob_provider.oceanbase.models import (
    ArchiveRow,
    ArchiveSnapshot,
    Finding,
    FreezeProgress,
    Identity,
    PieceSnapshot,
    Setting,
    Tenant,
)
from airflow_ob_provider.oceanbase.options import ArchiveOption
from airflow_ob_provider.oceanbase.rows import text
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

Row = Mapping[str, Any]
"""One row, its column names in lower case: releases differ in number and order of columns, so by name only."""
Query = Callable[[Statement], Sequence[Row]]
"""Runs a statement that reads. Raises :class:`~airflow_ob_provider.oceanbase.errors.ServerError`."""


class Dialect(Protocol):
    """One generation of OceanBase: the questions it can be asked and the statements that change it.

    Reading methods send SELECT and SHOW only and may be repeated at will. Methods that return statements send
    nothing. All need an account that may read ``oceanbase.*``; the statements need ALTER SYSTEM.
    """

    version: OceanBaseVersion

    def identity(self) -> Identity:
        """Cluster, tenant, account and privileges of the session."""

    def server_time(self) -> datetime:
        """Now, by the server's clock, with its offset from UTC."""

    def tenants(self) -> tuple[Tenant, ...]:
        """User tenants whose logs can be archived."""

    def archive(self) -> ArchiveSnapshot:
        """State of log archive, one row a tenant."""

    def pieces(self, round_id: int | None = None) -> PieceSnapshot:
        """Pieces of a round (None: the current one), counted on the server."""

    def freeze_progress(self, *, since: datetime | None, tenant_ids: Sequence[int] = ()) -> FreezeProgress:
        """What a minor freeze begun at ``since`` has left to do."""

    def option_setting(self) -> Setting:
        """The archive option, as every place has it."""

    def destination_setting(self) -> Setting:
        """The archive destination, as every place has it. Values hold secrets."""

    def destination_option_setting(self) -> Setting:
        """Options of the destination, as every place has them."""

    def prerequisites(self, *, destination: Destination | None, restart_interrupted: bool) -> tuple[Finding, ...]:
        """Everything that must be true before log backup starts, one finding each; a failed read is UNKNOWN."""

    def check_scope(self, tenants: Sequence[str]) -> None:
        """:raises ValueError: log backup of these tenants alone cannot be started or stopped in this generation."""

    def start_archive(self, row: ArchiveRow) -> Statement:
        """Start log backup of what ``row`` governs."""

    def stop_archive(self, row: ArchiveRow) -> Statement:
        """Stop log backup of what ``row`` governs."""

    def set_option(self, option: ArchiveOption) -> Statement:
        """Set mode and compression."""

    def set_destination(self, destination: Destination) -> Statement:
        """Set the destination; the statement carries its secrets."""

    def set_destination_option(self, option: DestinationOption) -> Statement:
        """Replace the destination's options."""

    def minor_freeze(self, tenants: Sequence[str] = ()) -> Statement:
        """Freeze the memtables of these tenants, or of all."""


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
