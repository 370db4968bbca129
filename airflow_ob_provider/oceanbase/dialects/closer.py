"""A second look at the tenants of whom the aggregates do not tell enough, and what became of their log backup."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, Part, Stream, TenantRecord
from airflow_ob_provider.oceanbase.dialects.backup_reader import MAX_PIECES, MAX_SETS, Answer, BackupReader, Group
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus, Scope
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError, text, whole
from airflow_ob_provider.oceanbase.windows import Recovery, Round, Stretch, recovery

MAX_OFFENDERS = 20
"""Tenants that are looked at closely; of all others the aggregates must do."""
LATE_SECONDS = 300.0
"""Behind by more: worth the question which log stream it is."""
_MOVING = frozenset({
    ArchiveState.PREPARE, ArchiveState.BEGINNING, ArchiveState.SUSPENDING, ArchiveState.SUSPEND, ArchiveState.STOPPING,
    ArchiveState.INTERRUPTED,
})  # fmt: skip


class CloserLook:
    """Reads more where it is worth a query: at most four, however many tenants there are."""

    def __init__(self, reader: BackupReader) -> None:
        self._reader = reader

    def at(self, catalog: BackupCatalog) -> BackupCatalog:
        """Recovery of each tenant, after another look at those where the aggregates do not tell enough."""
        judged = [self._judged(record) for record in catalog.tenants]
        wrong = sorted(filter(_is_wrong, judged), key=_is_untold, reverse=True)
        closer = {record.tenant.tenant_id for record in wrong[:MAX_OFFENDERS]}
        left_out = {record.tenant.tenant_id for record in wrong[MAX_OFFENDERS:] if _is_untold(record)}
        if left_out:
            more = f"more than {MAX_OFFENDERS} tenants need a closer look: look at this one by itself"
            judged = [replace(r, recovery=None, doubt=more) if r.tenant.tenant_id in left_out else r for r in judged]
        if closer:
            judged = self._looked_at(judged, closer)
        return self._with_streams(self._with_events(replace(catalog, tenants=tuple(judged))))

    def _judged(self, record: TenantRecord) -> TenantRecord:
        if record.doubt or record.suspects:
            return replace(record, recovery=None)
        return replace(record, recovery=self._recovery(record))

    def _recovery(self, record: TenantRecord) -> Recovery:
        return recovery(record.rounds, record.fulls, partial_pieces=self._reader.partial_pieces)

    def _looked_at(self, records: Sequence[TenantRecord], closer: set[int]) -> list[TenantRecord]:
        groups = [
            (record.tenant.tenant_id, number)
            for record in records
            if record.tenant.tenant_id in closer
            for number in record.suspects
        ]
        pieces = self._reader.part(Part.PIECES, lambda: self._reader.pieces_query(groups)) if groups else []
        sets = self._reader.part(Part.BACKUPS, lambda: self._reader.sets_query(closer))
        if not isinstance(pieces, list) or not isinstance(sets, list):
            why = next(answer[1] for answer in (pieces, sets) if not isinstance(answer, list))
            return [replace(r, recovery=None, doubt=why) if r.tenant.tenant_id in closer else r for r in records]
        (pieces_of, why_pieces), (sets_of, why_sets) = self._reader.by_tenant(pieces), self._reader.by_tenant(sets)
        # Of the tenant that a limit has cut, and of those behind it, not all was read.
        cut_pieces = max(pieces_of, default=0) if len(pieces) >= MAX_PIECES else None
        cut_sets = max(sets_of, default=0) if len(sets) >= MAX_SETS else None
        return [
            self._with_details(record, pieces_of[number], sets_of[number], why_pieces or why_sets,
                               all_pieces=cut_pieces is None or number < cut_pieces,
                               all_sets=cut_sets is None or number < cut_sets)
            if (number := record.tenant.tenant_id) in closer
            else record
            for record in records
        ]  # fmt: skip

    def _with_details(
        self, record: TenantRecord, pieces: Sequence[Row], sets: Sequence[Row], why: str, *,
        all_pieces: bool, all_sets: bool,
    ) -> TenantRecord:  # fmt: skip
        try:
            by_round: dict[int, list[tuple[Stretch, Row]]] = defaultdict(list)
            for row in pieces:
                by_round[whole(row, "round_id")].append((self._reader.stretch(row), row))
            fulls = tuple(full for row in sets if (full := self._reader.full(row)))
        except UnreadableError as error:
            why = redact(str(error))
        if why:
            return replace(record, recovery=None, doubt=why)
        rounds = tuple(
            replace(one, stretches=_stretches([s for s, _ in by_round[one.round_id]], one, is_all=all_pieces))
            if one.round_id in record.suspects
            else one
            for one in record.rounds
        )
        bad = tuple(
            f"round {number} piece {stretch.first_id} {text(row, 'status')}/{text(row, 'file_status')}"
            for number, found in sorted(by_round.items(), reverse=True)
            for stretch, row in found
            if stretch.file_status is not FileStatus.AVAILABLE
        )
        looked = replace(record, rounds=rounds, bad_pieces=bad, fulls=fulls if all_sets else record.fulls)
        looked = replace(looked, recovery=self._recovery(looked))
        if not all_sets and (_speaks_for_unknown(looked) or (record.suspects and _speaks_for_others(looked))):
            return replace(looked, recovery=None, doubt=f"more than {MAX_SETS} backup sets: look at this one by itself")
        return looked

    def _with_events(self, catalog: BackupCatalog) -> BackupCatalog:
        """Since when a state has held, and which rounds broke off, where that matters."""
        rows_of_state = [catalog.governing] if catalog.governing else [record.archive for record in catalog.tenants]
        moving = any(row is not None and row.state in _MOVING for row in rows_of_state)
        holes = any(record.recovery and record.recovery.gaps for record in catalog.tenants)
        if not moving and not holes:
            return catalog
        answer = self._reader.part(Part.EVENTS, self._reader.events_query)
        if not isinstance(answer, list):
            return without(catalog, Part.EVENTS, answer)
        since: dict[int, tuple[datetime | None, ArchiveState]] = {}
        broken: set[Group] = set()
        for row in answer:
            values = {text(row, f"name{n}"): text(row, f"value{n}") for n in range(1, 7)}
            who, number = values.get("tenant_id", "0"), values.get("round_id", "")
            status = values.get("new_status") or values.get("status", "")
            if not (who.isdigit() and number.isdigit()):
                continue
            since.setdefault(int(who), (self._reader.clock_or_none(text(row, "at")), ArchiveState.parse(status)))
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
        key = 0 if self._reader.scope is Scope.CLUSTER else record.tenant.tenant_id
        rounds = tuple(
            replace(one, was_interrupted=one.was_interrupted or (key, one.round_id) in broken) for one in record.rounds
        )
        at, told = since.get(key, (None, None))
        # From 4.1 on mode and destination tell of a state a pass before STATUS and its event do.
        found = replace(record, rounds=rounds, state_since=at if told is state else None, state_told=told)
        return replace(found, recovery=self._recovery(found)) if record.recovery else found

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
        query = self._reader.streams_query([(r.tenant.tenant_id, r.archive.round_id) for r in late if r.archive])
        if not late or query is None:
            return catalog
        answer = self._reader.part(Part.STREAMS, lambda: query)
        if not isinstance(answer, list):
            return without(catalog, Part.STREAMS, answer)
        by_tenant: dict[int, list[Stream]] = defaultdict(list)
        try:
            for row in answer:
                tenant_id, stream = self._reader.stream(row)
                by_tenant[tenant_id].append(stream)
        except UnreadableError as error:
            return without(catalog, Part.STREAMS, (Part.STREAMS, redact(str(error)), False))
        return replace(
            catalog,
            tenants=tuple(
                replace(record, streams=tuple(by_tenant[record.tenant.tenant_id][:5]))
                if record.tenant.tenant_id in asked
                else record
                for record in catalog.tenants
            ),
        )


def _stretches(pieces: Iterable[Stretch], one: Round, *, is_all: bool) -> tuple[Stretch, ...]:
    """Pieces of a round in order; what was not read of it may be anything."""
    found = tuple(sorted(pieces, key=lambda stretch: stretch.first_id))
    if is_all:
        return found
    older = found[0].first_id - 1 if found else 0
    return (Stretch(0, older, FileStatus.UNKNOWN, one.started, None), *found)


def without(catalog: BackupCatalog, part: Part, answer: Answer) -> BackupCatalog:
    """The catalog without a part: unread, or absent where the version has no such view."""
    if isinstance(answer, list):
        return catalog
    _, why, is_absent = answer
    if is_absent:
        return replace(catalog, absent=(*catalog.absent, (part, why)))
    return replace(catalog, unread=(*catalog.unread, (part, why)))


def _is_wrong(record: TenantRecord) -> bool:
    """Whether to look at a tenant closely: the aggregates do not tell all, or tell of a hole."""
    if record.recovery is None:
        return _is_untold(record)
    carrying = sum(window.full_backups for window in record.recovery.windows)
    has_idle_sets = carrying < sum(full.stands_for for full in record.fulls)
    return bool(record.recovery.gaps) or has_idle_sets or _is_untold(record)


def _is_untold(record: TenantRecord) -> bool:
    """Whether the aggregates leave open what can be restored."""
    if record.doubt:
        return False
    overlap = any(a.checkpoint and b.started and b.started <= a.checkpoint for a, b in pairwise(record.rounds))
    return bool(record.suspects) or overlap or _speaks_for_unknown(record)


def _speaks_for_unknown(record: TenantRecord) -> bool:
    """Whether a set that stands for others of its round can't be restored itself, so that nothing is known of them."""
    carriers = {window.set_id for window in record.recovery.windows} if record.recovery else set()
    return any(
        full.stands_for > 1
        and full.set_id not in carriers
        and any(_began_in(one, full.logs_from) for one in record.rounds)
        for full in record.fulls
    )


def _speaks_for_others(record: TenantRecord) -> bool:
    """Between the two sets of a round that is not whole may be some that can't be restored."""
    return any(full.stands_for > 1 for full in record.fulls)


def _began_in(one: Round, at: datetime | None) -> bool:
    return bool(at and one.started and one.checkpoint and one.started <= at <= one.checkpoint)
