"""How the backup catalog is read: four queries for a healthy cluster, and a closer look at the few that are not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, Part, Stream, TenantRecord
from airflow_ob_provider.oceanbase.dialects.aggregates import attempt_of, finished_at, fulls_of, stretches_of
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.reading import MISSING, DialectBase
from airflow_ob_provider.oceanbase.errors import Kind, ServerError
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveState, FileStatus, Scope
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError, moment, text, whole
from airflow_ob_provider.oceanbase.windows import FullBackup, Recovery, Round, Stretch, recovery

Group = tuple[int, int]
"""A tenant's number and a round."""
MAX_PIECES = 2000
"""Pieces that a closer look reads in all."""
MAX_SETS = 1000
MAX_OFFENDERS = 20
"""Tenants that are looked at closely; of all others the aggregates must do."""
LATE_SECONDS = 300.0
"""Behind by more: worth the question which log stream it is."""
_MOVING = frozenset({
    ArchiveState.PREPARE, ArchiveState.BEGINNING, ArchiveState.SUSPENDING, ArchiveState.SUSPEND, ArchiveState.STOPPING,
    ArchiveState.INTERRUPTED,
})  # fmt: skip

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


class BackupReader(ABC):
    """Reads the backup catalog of one generation."""

    scope: Scope
    partial_pieces: bool
    """What INCOMPLETE means; see :func:`~airflow_ob_provider.oceanbase.windows.recovery`."""

    def __init__(self, dialect: DialectBase) -> None:
        self._reading = dialect
        self.zone: timezone = UTC

    # --- what each generation says in its own words ------------------------------------------------------------------

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

    # --- the whole ---------------------------------------------------------------------------------------------------

    def catalog(self) -> BackupCatalog:
        """Everything; a part that cannot be read is named in it and does not hide the others.

        :raises ServerError: the connection was lost, or not even the state can be read.
        """
        catalog = self._upkeep(self.state())
        rounds = self._part(Part.PIECES, self.rounds_query)
        backups = self._part(Part.BACKUPS, self.backups_query)
        catalog = _missing(_missing(catalog, Part.PIECES, rounds), Part.BACKUPS, backups)
        by_tenant = self._rounds(rounds if isinstance(rounds, list) else [])
        records = [
            self._with_rounds(record, by_tenant.get(record.tenant.tenant_id, {}), catalog)
            for record in self._with_backups(catalog.tenants, backups if isinstance(backups, list) else [])
        ]
        return self._closer(replace(catalog, tenants=tuple(records)))

    def _part(self, part: Part, query: Callable[[], str]) -> Answer:
        try:
            return list(self._reading.read(query()))
        except ServerError as error:
            if error.fact.kind is Kind.TRANSIENT:
                raise
            return (part, f"[{error.errno}] {error.message}", error.errno in MISSING)

    def _upkeep(self, catalog: BackupCatalog) -> BackupCatalog:
        queries = self.upkeep_queries()
        answer = self._part(Part.SETTINGS, lambda: "\nUNION ALL ".join(queries.values()))
        if isinstance(answer, list):
            return self.upkeep(catalog, answer)
        rows: list[Row] = []
        for part, query in queries.items():  # one view is not readable, so each is asked for itself
            one = self._part(part, lambda query=query: query)  # type: ignore[misc]
            rows += one if isinstance(one, list) else []
            catalog = _missing(catalog, part, one)
        return self.upkeep(catalog, rows)

    def _rounds(self, rows: Iterable[Row]) -> dict[int, dict[int, RoundRow | str]]:
        found: dict[int, dict[int, RoundRow | str]] = defaultdict(dict)
        for row in rows:
            tenant_id = self.tenant_of(row)
            try:
                one = self.round_row(row)
            except UnreadableError as error:
                found[tenant_id][-1] = redact(str(error))
                continue
            found[tenant_id][one.round_id] = one
        return found

    def _with_rounds(
        self, record: TenantRecord, rows: Mapping[int, RoundRow | str], catalog: BackupCatalog
    ) -> TenantRecord:
        rounds: list[Round] = []
        suspects: list[int] = []
        whys = [catalog.why_unread(part) or catalog.why_absent(part) for part in (Part.PIECES, Part.BACKUPS)]
        doubts = [why for why in (record.doubt, *whys) if why]
        for _, one in sorted(rows.items()):
            if isinstance(one, str):
                doubts.append(one)
                continue
            try:
                stretches = stretches_of(one.row, self.at, new_may_be_incomplete=not self.partial_pieces)
            except UnreadableError as error:
                doubts.append(f"pieces of round {one.round_id}: {redact(str(error))}")
                stretches = ()
            if stretches is None:
                suspects.append(one.round_id)
            rounds.append(Round(one.round_id, one.state, one.started, one.checkpoint, stretches or (), one.comment))
        newest = max((one for one in rows.values() if isinstance(one, RoundRow)), key=_by_round, default=None)
        return replace(
            record,
            rounds=_with_state(rounds, catalog.governing or record.archive),
            incarnation=newest.incarnation if newest else None,
            doubt="; ".join(doubts),
            suspects=tuple(suspects),
        )

    def _with_backups(self, records: Iterable[TenantRecord], rows: Iterable[Row]) -> list[TenantRecord]:
        by_tenant: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            by_tenant[self.tenant_of(row)].append(row)
        return [self._with_sets(record, by_tenant[record.tenant.tenant_id]) for record in records]

    def _with_sets(self, record: TenantRecord, rows: Sequence[Row]) -> TenantRecord:
        try:
            fulls = [full for row in rows for full in fulls_of(row, self.at)]
            ends = {full.set_id: finished_at(row, self.clock) for row in rows for full in fulls_of(row, self.at)[-1:]}
            attempts = [attempt for row in rows if (attempt := attempt_of(row, self.clock))]
        except UnreadableError as error:
            return replace(record, doubt=f"data backups: {redact(str(error))}")
        newest = max(fulls, key=lambda full: full.set_id, default=None)
        return replace(
            record,
            fulls=tuple(fulls),
            newest_full=newest,
            newest_full_at=ends.get(newest.set_id) if newest else None,
            attempt=max(attempts, key=lambda attempt: attempt.set_id, default=None),
        )

    # --- a closer look -----------------------------------------------------------------------------------------------

    def _closer(self, catalog: BackupCatalog) -> BackupCatalog:
        """Recovery of each tenant, after another look at those where the aggregates do not tell enough."""
        judged = [self._judged(record) for record in catalog.tenants]
        wrong = [record for record in judged if _is_wrong(record)]
        closer = {record.tenant.tenant_id for record in wrong[:MAX_OFFENDERS]}
        for record in wrong[MAX_OFFENDERS:]:
            if record.suspects:
                more = f"more than {MAX_OFFENDERS} tenants have pieces that are not whole: look at this one by itself"
                judged[judged.index(record)] = replace(record, recovery=None, doubt=more)
        if closer:
            judged = self._looked_at(judged, closer)
        catalog = replace(catalog, tenants=tuple(judged))
        return self._with_streams(self._with_events(catalog))

    def _judged(self, record: TenantRecord) -> TenantRecord:
        if record.doubt or record.suspects:
            return replace(record, recovery=None)
        return replace(record, recovery=self._recovery(record))

    def _recovery(self, record: TenantRecord) -> Recovery:
        return recovery(record.rounds, record.fulls, partial_pieces=self.partial_pieces)

    def _looked_at(self, records: Sequence[TenantRecord], closer: set[int]) -> list[TenantRecord]:
        groups = [
            (record.tenant.tenant_id, number)
            for record in records
            if record.tenant.tenant_id in closer
            for number in record.suspects
        ]
        pieces = self._part(Part.PIECES, lambda: self.pieces_query(groups)) if groups else []
        sets = self._part(Part.BACKUPS, lambda: self.sets_query(closer))
        if not isinstance(pieces, list) or not isinstance(sets, list):
            why = next(answer[1] for answer in (pieces, sets) if not isinstance(answer, list))
            return [replace(r, recovery=None, doubt=why) if r.tenant.tenant_id in closer else r for r in records]
        return [
            self._with_details(record, pieces, sets) if record.tenant.tenant_id in closer else record
            for record in records
        ]

    def _with_details(self, record: TenantRecord, pieces: Sequence[Row], sets: Sequence[Row]) -> TenantRecord:
        tenant_id = record.tenant.tenant_id
        try:
            by_round: dict[int, list[tuple[Stretch, Row]]] = defaultdict(list)
            for row in pieces:
                if self.tenant_of(row) == tenant_id:
                    by_round[whole(row, "round_id")].append((self.stretch(row), row))
            fulls = [full for row in sets if self.tenant_of(row) == tenant_id and (full := self.full(row))]
        except UnreadableError as error:
            return replace(record, recovery=None, doubt=redact(str(error)))
        rounds = []
        for one in record.rounds:
            stretches = tuple(sorted((s for s, _ in by_round[one.round_id]), key=lambda s: s.first_id))
            if one.round_id in record.suspects:
                if len(pieces) == MAX_PIECES:  # what was not read may be anything
                    older = stretches[0].first_id - 1 if stretches else 0
                    stretches = (Stretch(0, older, FileStatus.UNKNOWN, one.started, None), *stretches)
                one = replace(one, stretches=stretches)
            rounds.append(one)
        bad = tuple(
            f"round {number} piece {stretch.first_id} {text(row, 'status')}/{text(row, 'file_status')}"
            for number, found in sorted(by_round.items(), reverse=True)
            for stretch, row in found
            if stretch.file_status is not FileStatus.AVAILABLE
        )
        looked = replace(record, rounds=tuple(rounds), bad_pieces=bad, fulls=tuple(fulls) if fulls else record.fulls)
        return replace(looked, recovery=None if record.doubt else self._recovery(looked))

    def _with_events(self, catalog: BackupCatalog) -> BackupCatalog:
        """Since when a state has held, and which rounds broke off, where that matters."""
        rows_of_state = [catalog.governing] if catalog.governing else [record.archive for record in catalog.tenants]
        moving = any(row is not None and row.state in _MOVING for row in rows_of_state)
        holes = any(record.recovery and record.recovery.gaps for record in catalog.tenants)
        if not moving and not holes:
            return catalog
        answer = self._part(Part.EVENTS, self.events_query)
        if not isinstance(answer, list):
            return _missing(catalog, Part.EVENTS, answer)
        since: dict[int, tuple[datetime | None, ArchiveState]] = {}
        broken: set[Group] = set()
        for row in answer:
            values = {text(row, f"name{n}"): text(row, f"value{n}") for n in range(1, 7)}
            who, number = values.get("tenant_id", "0"), values.get("round_id", "")
            status = values.get("new_status") or values.get("status", "")
            if not (who.isdigit() and number.isdigit()):
                continue
            since.setdefault(int(who), (self._happened(row), ArchiveState.parse(status)))
            if status == ArchiveState.INTERRUPTED:
                broken.add((int(who), int(number)))
        return replace(
            catalog,
            tenants=tuple(
                self._with_event(record, catalog.state_of(record), since, broken) for record in catalog.tenants
            ),
        )

    def _with_event(
        self,
        record: TenantRecord,
        state: ArchiveState,
        since: Mapping[int, tuple[datetime | None, ArchiveState]],
        broken: set[Group],
    ) -> TenantRecord:
        key = 0 if self.scope is Scope.CLUSTER else record.tenant.tenant_id
        rounds = tuple(
            replace(one, was_interrupted=one.was_interrupted or (key, one.round_id) in broken) for one in record.rounds
        )
        at, told = since.get(key, (None, None))
        # From 4.1 on mode and destination tell of a state a pass before STATUS and its event do.
        found = replace(record, rounds=rounds, state_since=at if told is state else None, state_told=told)
        return replace(found, recovery=self._recovery(found)) if record.recovery else found

    def _happened(self, row: Row) -> datetime | None:
        try:
            return self.clock(row, "at")
        except UnreadableError:
            return None

    def _with_streams(self, catalog: BackupCatalog) -> BackupCatalog:
        late = [
            record
            for record in catalog.tenants
            if record.archive
            and record.archive.state in {ArchiveState.DOING, ArchiveState.INTERRUPTED, ArchiveState.BEGINNING}
            and record.archive.checkpoint
            and (
                record.archive.state is ArchiveState.INTERRUPTED
                or catalog.read_at - record.archive.checkpoint > timedelta(seconds=LATE_SECONDS)
            )
        ][:MAX_OFFENDERS]
        asked = {record.tenant.tenant_id for record in late}
        query = self.streams_query([(r.tenant.tenant_id, r.archive.round_id) for r in late if r.archive])
        if not late or query is None:
            return catalog
        answer = self._part(Part.STREAMS, lambda: query)
        if not isinstance(answer, list):
            return _missing(catalog, Part.STREAMS, answer)
        by_tenant: dict[int, list[Stream]] = defaultdict(list)
        try:
            for row in answer:
                tenant_id, stream = self.stream(row)
                by_tenant[tenant_id].append(stream)
        except UnreadableError as error:
            return _missing(catalog, Part.STREAMS, (Part.STREAMS, redact(str(error)), False))
        return replace(
            catalog,
            tenants=tuple(
                replace(record, streams=tuple(by_tenant[record.tenant.tenant_id][:5]))
                if record.tenant.tenant_id in asked
                else record
                for record in catalog.tenants
            ),
        )


def _by_round(one: RoundRow) -> int:
    return one.round_id


def _with_state(rounds: Sequence[Round], row: ArchiveRow | None) -> tuple[Round, ...]:
    """The current round is where the row that governs it says, which may say more than the history."""
    if not rounds or row is None or row.round_id != rounds[-1].round_id:
        return tuple(rounds)
    return (*rounds[:-1], replace(rounds[-1], state=row.state))


def _missing(catalog: BackupCatalog, part: Part, answer: Answer) -> BackupCatalog:
    """The catalog without a part: unread, or absent where the version has no such view."""
    if isinstance(answer, list):
        return catalog
    _, why, is_absent = answer
    if is_absent:
        return replace(catalog, absent=(*catalog.absent, (part, why)))
    return replace(catalog, unread=(*catalog.unread, (part, why)))


def _is_wrong(record: TenantRecord) -> bool:
    """Whether the aggregates do not tell all: pieces that are not whole, a hole, a backup that carries no window."""
    if record.recovery is None:
        return bool(record.suspects) and not record.doubt
    carrying = sum(window.full_backups for window in record.recovery.windows)
    return bool(record.recovery.gaps) or carrying < sum(full.stands_for for full in record.fulls)
