"""Rows of 4.x as models, and what STATUS, LOG_MODE and the destination's state mean together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.models import (
    ArchiveRow,
    ArchiveState,
    FileStatus,
    PieceStatus,
    Tenant,
    TenantPieces,
    to_json,
)
from airflow_ob_provider.oceanbase.rows import UnreadableError, scn, text, whole

LATE_SECONDS = 240.0
"""Behind by more than a default lag target and two passes: worth the question which log stream it is."""


def user_tenants(rows: Sequence[Row]) -> tuple[Tenant, ...]:
    """User tenants of the catalogue, whatever their status."""
    return tuple(
        Tenant(whole(row, "tenant_id"), text(row, "tenant_name"), _status(row))
        for row in rows
        if row.get("tenant_id") is not None
    )


def _status(row: Row) -> str:
    """The manual of 4.0 writes TENANT_STATUS_NORMAL."""
    return text(row, "tenant_status").upper().removeprefix("TENANT_STATUS_")


def archive_row(tenant: Tenant, row: Row, zone: timezone, *, has_mode: bool) -> ArchiveRow:
    """Log archive of one tenant; UNKNOWN where the row cannot be read."""
    # A view without a row for this tenant gives NULL in every column: it has never archived.
    exists = any(row.get(name) is not None for name in ("status", "round_id", "started", "checkpoint"))
    raw = text(row, "status").strip() or ("NULL" if exists else "")
    mode = text(row, "log_mode").strip().upper()
    archivelog = {"ARCHIVELOG": True, "NOARCHIVELOG": False}.get(mode)
    dest_state = text(row, "dest_state").strip().upper() if has_mode else ""
    has_path = whole(row, "has_path") > 0
    deferred = dest_state == "DEFER"
    if has_mode and (archivelog is None or dest_state not in {"", "ENABLE", "ENBALE", "DEFER"}):
        state, status = ArchiveState.UNKNOWN, f"{raw or 'no round'} ({mode or 'no mode'}, destination {dest_state})"
    else:
        state, status = _phase(raw, archivelog, deferred=deferred, has_path=has_path)
    if state is ArchiveState.PREPARE and raw != ArchiveState.PREPARE:
        row = {**row, "started": None, "checkpoint": None, "remark": None}  # these are of the round before
    blocked = "" if has_path else "it has no destination (LOG_ARCHIVE_DEST), so ARCHIVELOG would start nothing"
    try:
        return ArchiveRow(
            tenant,
            state,
            status,
            whole(row, "round_id"),
            whole(row, "piece_id"),
            scn(row, "started", zone),
            scn(row, "checkpoint", zone),
            archivelog,
            deferred,
            blocked,
            ArchiveState.parse(raw) is ArchiveState.STOP or not raw,
            text(row, "remark").strip(),
            _after(scn(row, "newest", zone)),
        )
    except UnreadableError as error:
        return ArchiveRow(tenant, ArchiveState.UNKNOWN, f"{raw} ({error})", 0, 0, None, None, archivelog, deferred)


def _after(timestamp: datetime | None) -> datetime | None:
    """A moment behind a timestamp, which was rounded down to microseconds."""
    return timestamp + timedelta(microseconds=1) if timestamp else None


def _phase(raw: str, archivelog: bool | None, *, deferred: bool, has_path: bool) -> tuple[ArchiveState, str]:
    """What STATUS is on the way to: from 4.1 on the mode and the destination's state decide, a pass or two ahead of it.

    The order is the scheduler's own: no destination, NOARCHIVELOG, DEFER, and else the round is started or resumed
    (ob_archive_scheduler_service.cpp). INTERRUPTED is left only by NOARCHIVELOG.
    """
    state = ArchiveState.parse(raw) if raw else ArchiveState.STOP
    shown = raw or "no round"
    as_it_is = (state, shown)
    if archivelog is None or state is ArchiveState.UNKNOWN:
        return as_it_is
    if not archivelog:
        return as_it_is if state is ArchiveState.STOP else (ArchiveState.STOPPING, f"{shown}, NOARCHIVELOG")
    if state in {ArchiveState.INTERRUPTED, ArchiveState.STOPPING}:
        return as_it_is
    if not has_path:
        word = f"{shown}, ARCHIVELOG without destination"
        return state if state is ArchiveState.STOP else ArchiveState.UNKNOWN, word
    if deferred:
        still = state in {ArchiveState.STOP, ArchiveState.SUSPEND}
        return ArchiveState.SUSPEND if still else ArchiveState.SUSPENDING, f"{shown}, DEFER"
    if state is ArchiveState.STOP:
        return ArchiveState.PREPARE, f"{shown}, ARCHIVELOG, not begun yet"
    if state in {ArchiveState.SUSPEND, ArchiveState.SUSPENDING}:
        return ArchiveState.BEGINNING, f"{shown}, ENABLE, not resumed yet"
    return as_it_is


def is_late(row: ArchiveRow, now: datetime) -> bool:
    """Whether it is worth asking which log stream holds it up."""
    if row.state is ArchiveState.INTERRUPTED:
        return True
    behind = now - row.checkpoint if row.checkpoint else timedelta()
    return row.state not in {ArchiveState.STOP, ArchiveState.PREPARE} and behind.total_seconds() > LATE_SECONDS


def is_past(row: Row, round_id: int) -> bool:
    """Whether a tenant has left a round; one whose round cannot be read has not."""
    try:
        current = whole(row, "current_round")
    except UnreadableError:
        return False
    stopped = ArchiveState.parse(text(row, "round_status")) is ArchiveState.STOP
    return current > round_id or (current == round_id and stopped)


def slowest_stream(row: Row, zone: timezone) -> str:
    """A row of the log streams, in words."""
    word = "is INTERRUPTED, archived" if whole(row, "interrupted") else "is the slowest, archived"
    return f"log stream {whole(row, 'ls_id')} {word} until {to_json(scn(row, 'checkpoint', zone)) or 'nothing yet'}"


def pieces_row(tenant: Tenant, row: Row, zone: timezone) -> TenantPieces:
    """Pieces of one tenant; UNKNOWN where the row cannot be read."""
    status, file_status = text(row, "status"), text(row, "file_status")
    words = f"{status or 'NULL'}/{file_status or 'NULL'}"
    try:
        pieces, broken, cleaned = whole(row, "pieces"), whole(row, "broken"), whole(row, "cleaned")
        return TenantPieces(
            tenant=tenant,
            round_id=whole(row, "round_id"),
            count=pieces,
            first_id=whole(row, "first_id"),
            newest_id=whole(row, "newest_id"),
            status=PieceStatus.parse(status),
            file_status=FileStatus.parse(file_status),
            words=words,
            started=scn(row, "started", zone),
            checkpoint=scn(row, "checkpoint", zone),
            broken=broken,
            unready=pieces - broken - cleaned - whole(row, "available"),
            cleaned=cleaned,
        )
    except UnreadableError as error:
        unknown = (PieceStatus.UNKNOWN, FileStatus.UNKNOWN, f"{words} ({error})")
        return TenantPieces(tenant, 0, 1, 0, 0, *unknown, None, None, broken=0, unready=1, cleaned=0)
