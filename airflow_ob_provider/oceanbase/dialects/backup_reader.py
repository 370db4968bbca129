"""What each generation says in its own words about backups, and how it is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timezone

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, Part, Stream
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.reading import MISSING, DialectBase
from airflow_ob_provider.oceanbase.errors import Kind, ServerError
from airflow_ob_provider.oceanbase.models import ArchiveState, Scope
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError, moment
from airflow_ob_provider.oceanbase.windows import FullBackup, Stretch

Group = tuple[int, int]
"""A tenant's number and a round."""
MAX_PIECES = 2000
"""Pieces that a closer look reads in all."""
MAX_SETS = 1000

Answer = list[Row] | tuple[Part, str, bool]
"""Rows, or the part that has none, why, and whether the version has no such view."""


@dataclass(frozen=True)
class RoundRow:
    """One round of one tenant as the server has aggregated it."""

    tenant_id: int
    round_id: int
    state: ArchiveState
    started: datetime | None
    checkpoint: datetime | None
    comment: str
    incarnation: int
    row: Row


_ESSENTIAL = frozenset({Part.SETTINGS, Part.PIECES, Part.BACKUPS})
"""What every version that archives has: a view of these that is missing is not to be seen, not absent."""


class BackupReader(ABC):
    """Reads the backup catalog of one generation."""

    scope: Scope
    partial_pieces: bool
    """What INCOMPLETE means; see :func:`~airflow_ob_provider.oceanbase.windows.recovery`."""

    def __init__(self, dialect: DialectBase) -> None:
        self._reading = dialect
        self.zone: timezone = UTC

    @abstractmethod
    def state(self) -> BackupCatalog:
        """Tenants and their current round."""

    @abstractmethod
    def upkeep_queries(self) -> Mapping[Part, str]:
        """One query a part, all with the same columns."""

    @abstractmethod
    def upkeep(self, catalog: BackupCatalog, rows: Sequence[Row]) -> BackupCatalog:
        """The catalog with what these rows tell."""

    @abstractmethod
    def rounds_query(self) -> str:
        """All rounds, each with its pieces counted."""

    @abstractmethod
    def links_query(self, groups: Sequence[Group]) -> str | None:
        """Whether the pieces of these rounds follow each other; None where :meth:`rounds_query` has told."""

    @abstractmethod
    def round_row(self, row: Row) -> RoundRow:
        """A row of :meth:`rounds_query`."""

    @abstractmethod
    def backups_query(self) -> str:
        """Data backups of each tenant by the round that they belong to."""

    @abstractmethod
    def pieces_query(self, groups: Iterable[Group]) -> str:
        """Each piece of these rounds."""

    @abstractmethod
    def stretch(self, row: Row) -> Stretch:
        """A row of :meth:`pieces_query`."""

    @abstractmethod
    def sets_query(self, tenant_ids: Iterable[int]) -> str:
        """Each full backup of these tenants."""

    @abstractmethod
    def full(self, row: Row) -> FullBackup | None:
        """A row of :meth:`sets_query`."""

    @abstractmethod
    def events_query(self) -> str:
        """Changes of STATUS, the newest first."""

    @abstractmethod
    def streams_query(self, groups: Iterable[Group]) -> str | None:
        """Log streams of these tenants; None where the version has no such view."""

    @abstractmethod
    def stream(self, row: Row) -> tuple[int, Stream]:
        """A row of :meth:`streams_query`."""

    @abstractmethod
    def tenant_of(self, row: Row) -> int:
        """The tenant that a row is about."""

    @abstractmethod
    def at(self, row: Row, name: str) -> datetime | None:
        """A time of the logs."""

    def clock(self, row: Row, name: str) -> datetime | None:
        """A time of the server's clock."""
        return moment(row, name, self.zone)

    def clock_or_none(self, value: str) -> datetime | None:
        """A time of the server's clock that nothing hangs on; None also where it cannot be read."""
        try:
            return self.clock({"at": value}, "at")
        except UnreadableError:
            return None

    # --- how all of them ask -------------------------------------------------------------------------------------

    def part(self, part: Part, query: Callable[[], str]) -> Answer:
        """Ask for a part of the catalog.

        :raises ServerError: the connection was lost, or another error that passes.
        """
        try:
            return list(self._reading.read(query()))
        except ServerError as error:
            if error.fact.kind is Kind.TRANSIENT:
                raise
            may_be_absent = part not in _ESSENTIAL or self._reading.version.archive_unusable is not None
            return (part, f"[{error.errno}] {error.message}", error.errno in MISSING and may_be_absent)

    def by_tenant(self, rows: Iterable[Row]) -> tuple[dict[int, list[Row]], str]:
        """Rows by the tenant that they are about, and why some name none; '' if all do."""
        found: dict[int, list[Row]] = defaultdict(list)
        why = ""
        for row in rows:
            try:
                found[self.tenant_of(row)].append(row)
            except UnreadableError as error:
                why = redact(str(error))
        return found, why
