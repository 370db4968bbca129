"""How the backup catalog is read: four queries for a healthy cluster, and a closer look at the few that are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, Part, TenantRecord
from airflow_ob_provider.oceanbase.dialects.aggregates import attempt_of, finished_at, fulls_of, stretches_of
from airflow_ob_provider.oceanbase.dialects.backup_reader import Answer, BackupReader, Group, RoundRow
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.closer import CloserLook, without
from airflow_ob_provider.oceanbase.models import ArchiveRow
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError, whole
from airflow_ob_provider.oceanbase.windows import Round


def backup_catalog(reader: BackupReader) -> BackupCatalog:
    """Everything; a part that cannot be read is named in it and does not hide the others.

    :raises ServerError: the connection was lost, or not even the state can be read.
    """
    catalog = _upkeep(reader, reader.state())
    rounds = _all_rounds(reader)
    backups = reader.part(Part.BACKUPS, reader.backups_query)
    catalog = without(without(catalog, Part.PIECES, rounds), Part.BACKUPS, backups)
    rounds_of, why_rounds = reader.by_tenant(rounds if isinstance(rounds, list) else [])
    sets_of, why_sets = reader.by_tenant(backups if isinstance(backups, list) else [])
    catalog = _unreadable(_unreadable(catalog, Part.PIECES, why_rounds), Part.BACKUPS, why_sets)
    records = [
        _with_rounds(reader, _with_sets(reader, record, sets_of[number]), _rounds(reader, rounds_of[number]), catalog)
        for record in catalog.tenants
        for number in [record.tenant.tenant_id]
    ]
    return CloserLook(reader).at(replace(catalog, tenants=tuple(records)))


def _upkeep(reader: BackupReader, catalog: BackupCatalog) -> BackupCatalog:
    queries = reader.upkeep_queries()
    answer = reader.part(Part.SETTINGS, lambda: "\nUNION ALL ".join(queries.values()))
    if isinstance(answer, list):
        return reader.upkeep(catalog, answer)
    rows: list[Row] = []
    for part, query in queries.items():  # one view is not readable, so each is asked for itself
        one = reader.part(part, lambda query=query: query)  # type: ignore[misc]
        rows += one if isinstance(one, list) else []
        catalog = without(catalog, part, one)
    return reader.upkeep(catalog, rows)


def _all_rounds(reader: BackupReader) -> Answer:
    """Rounds with their pieces counted; pieces of uneven length are compared with their neighbours."""
    rounds = reader.part(Part.PIECES, reader.rounds_query)
    if not isinstance(rounds, list):
        return rounds
    uneven = {group: number for number, row in enumerate(rounds) if (group := _uneven(reader, row))}
    query = reader.links_query(list(uneven)) if uneven else None
    if query is None:
        return rounds
    links = reader.part(Part.PIECES, lambda: query)
    if not isinstance(links, list):
        return links
    for link in links:
        number = uneven.get(group) if (group := _group(reader, link)) else None
        if number is not None:  # what is not told stays uneven, and each piece of it is looked at
            told = {name: link[name] for name in ("jumps", "breaks") if link.get(name) is not None}
            rounds[number] = {**rounds[number], **told}
    return rounds


def _uneven(reader: BackupReader, row: Row) -> Group | None:
    try:
        return _group(reader, row) if whole(row, "breaks") else None
    except UnreadableError:
        return None


def _group(reader: BackupReader, row: Row) -> Group | None:
    """Tenant and round; None where they cannot be read."""
    try:
        return reader.tenant_of(row), whole(row, "round_id")
    except UnreadableError:
        return None


def _rounds(reader: BackupReader, rows: Iterable[Row]) -> dict[int, RoundRow | str]:
    """Rounds of a tenant by their numbers; -1 is why one cannot be read."""
    found: dict[int, RoundRow | str] = {}
    for row in rows:
        try:
            one = reader.round_row(row)
        except UnreadableError as error:
            found[-1] = redact(str(error))
            continue
        found[one.round_id] = one
    return found


def _with_rounds(
    reader: BackupReader, record: TenantRecord, rows: Mapping[int, RoundRow | str], catalog: BackupCatalog
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
            stretches = stretches_of(one.row, reader.at, new_may_be_incomplete=not reader.partial_pieces)
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


def _with_sets(reader: BackupReader, record: TenantRecord, rows: Sequence[Row]) -> TenantRecord:
    try:
        by_row = [(row, fulls_of(row, reader.at)) for row in rows]
        ends = {found[-1].set_id: finished_at(row, reader.clock) for row, found in by_row if found}
        attempts = [attempt for row in rows if (attempt := attempt_of(row, reader.clock))]
    except UnreadableError as error:
        return replace(record, doubt=f"data backups: {redact(str(error))}")
    fulls = tuple(full for _, found in by_row for full in found)
    newest = max(fulls, key=lambda full: full.set_id, default=None)
    return replace(
        record,
        fulls=fulls,
        newest_full=newest,
        newest_full_at=ends.get(newest.set_id) if newest else None,
        attempt=max(attempts, key=lambda attempt: attempt.set_id, default=None),
    )


def _by_round(one: RoundRow) -> int:
    return one.round_id


def _with_state(rounds: Sequence[Round], row: ArchiveRow | None) -> tuple[Round, ...]:
    """The current round is where the row that governs it says, which may say more than the history."""
    if not rounds or row is None or row.round_id != rounds[-1].round_id:
        return tuple(rounds)
    return (*rounds[:-1], replace(rounds[-1], state=row.state))


def _unreadable(catalog: BackupCatalog, part: Part, why: str) -> BackupCatalog:
    return without(catalog, part, (part, why, False)) if why else catalog
