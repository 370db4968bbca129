"""Views of the log archive: CDB_OB_BACKUP_ARCHIVELOG, _SUMMARY, _PROGRESS and CDB_OB_BACKUP_PIECE_FILES.

Column lists as in OceanBase 3.1.5 source, ``src/share/inner_table/ob_inner_table_schema_def.py``, and for CE 3.1.0
as in that version's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.sandbox.topology import RPC_PORT, SYS_TENANT_ID, Tenant
from airflow_ob_provider.sandbox.views import Row, View, columns, microseconds, time_text

from .archivers import Stream
from .pieces import Piece
from .profiles import Profile
from .status import DOING, STATUSES, STOP, StatusRow

if TYPE_CHECKING:
    from .cluster import Cluster

_STATUS_TAIL = (
    "INPUT_BYTES OUTPUT_BYTES COMPRESSION_RATIO/decimal:2 INPUT_BYTES_DISPLAY/varchar OUTPUT_BYTES_DISPLAY/varchar"
)
_STATUS_COLUMNS = columns(
    "INCARNATION LOG_ARCHIVE_ROUND TENANT_ID STATUS/varchar START_PIECE_ID BACKUP_PIECE_ID "
    f"MIN_FIRST_TIME/varchar MAX_NEXT_TIME/varchar {_STATUS_TAIL}"
)
_STATUS_COLUMNS_310 = columns(
    "INCARNATION LOG_ARCHIVE_ROUND TENANT_ID STATUS/varchar MIN_FIRST_TIME/timestamp MAX_NEXT_TIME/timestamp "
    f"{_STATUS_TAIL}"
)
_PIECE_COLUMNS = columns(
    "INCARNATION TENANT_ID ROUND_ID BACKUP_PIECE_ID COPY_ID CREATE_DATE START_TS/varchar CHECKPOINT_TS/varchar "
    "MAX_TS/varchar STATUS/varchar FILE_STATUS/varchar COMPATIBLE START_PIECE_ID"
)
_PROGRESS_HEAD = "INCARNATION TENANT_ID LOG_ARCHIVE_ROUND "
_PROGRESS_TAIL = (
    "SVR_IP/varchar SVR_PORT TABLE_ID PARTITION_ID MIN_FIRST_TIME/timestamp MAX_NEXT_TIME/timestamp STATUS/varchar"
)
_PG_COLUMNS = columns(
    "svr_ip/varchar svr_port tenant_id table_id partition_id incarnation log_archive_round log_archive_start_ts "
    "log_archive_status log_archive_cur_log_id log_archive_cur_ts max_log_id max_log_ts cur_piece_id"
)

# The byte counts are always zero, so the ratio is 0/0.
_NO_BYTES = (0, 0, None, "0.00MB", "0.00MB")


def _shown_status(cluster: Cluster, row: StatusRow) -> Any:
    """The row's status, or another word for the tenants of the ``mixed_tenants`` fault."""
    mixed = cluster.faults.mixed_tenants
    if not mixed or row.status == STOP:
        return row.status
    if mixed is True:
        last = max(cluster.archive.tenants, default=SYS_TENANT_ID)
        return "BEGINNING" if row.tenant_id == last and last != SYS_TENANT_ID else row.status
    tenant = cluster.tenant_by_id(row.tenant_id)
    return mixed.get(str(row.tenant_id), mixed.get(tenant.name if tenant else "", row.status))


def _status_row(cluster: Cluster, row: StatusRow, status: Any) -> Row:
    times = (time_text(row.first), time_text(row.next))
    head = (cluster.incarnation, row.round_id, row.tenant_id, status)
    return (*head, row.start_piece_id, row.piece_id, *times, *_NO_BYTES)


def _status_row_310(cluster: Cluster, row: StatusRow, status: Any) -> Row:
    return (cluster.incarnation, row.round_id, row.tenant_id, status, row.first, row.next, *_NO_BYTES)


def _current_rows(cluster: Cluster) -> list[StatusRow]:
    archive = cluster.archive
    return [archive.sys, *(archive.tenants[key] for key in sorted(archive.tenants))]


def _archivelog(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    return [_status_row(cluster, row, _shown_status(cluster, row)) for row in _current_rows(cluster)]


def _summary_rows(cluster: Cluster, tenant: Tenant) -> list[tuple[StatusRow, Any]]:
    """The history, shown as STOP, and the current rows that aren't STOP."""
    history = sorted(cluster.archive.history, key=lambda row: (row.round_id, row.tenant_id))
    rows = [(row, STOP) for row in history]
    rows += [(row, _shown_status(cluster, row)) for row in _current_rows(cluster) if row.status != STOP]
    return [(row, status) for row, status in rows if tenant.is_sys or row.tenant_id == tenant.tenant_id]


def _summary(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    return [_status_row(cluster, row, status) for row, status in _summary_rows(cluster, tenant)]


def _summary_310(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    return [_status_row_310(cluster, row, status) for row, status in _summary_rows(cluster, tenant)]


def _piece_row(cluster: Cluster, piece: Piece) -> Row:
    end = time_text(piece.end) or "MAX"
    times = (time_text(piece.start), time_text(piece.checkpoint), end)
    key = (cluster.incarnation, piece.tenant_id, piece.round_id, piece.piece_id, 0, piece.create_date)
    return (*key, *times, piece.status, piece.file_status, 1, piece.start_piece_id)


def _piece_files(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    pieces = sorted(cluster.archive.pieces.rows, key=lambda p: (p.tenant_id, p.round_id, p.piece_id))
    return [_piece_row(cluster, piece) for piece in pieces if not piece.removed]


def _partitions(cluster: Cluster, tenant: Tenant) -> list[tuple[Tenant, int, int, Stream]]:
    """(tenant, server index, partition, stream) of every partition-group leader."""
    found = []
    for (index, tenant_id), stream in sorted(cluster.archive.archivers.streams.items()):
        owner = cluster.tenant_by_id(tenant_id)
        if owner is not None and (tenant.is_sys or tenant.tenant_id == tenant_id):
            found.append((owner, index, index, stream))
    return found


def _stream_status(cluster: Cluster, stream: Stream) -> str:
    if stream.interrupted:
        return "INTERRUPTED"
    if stream.stopped:
        return STOP
    return DOING if stream.ready <= cluster.timeline.now else "BEGINNING"


def _table_id(tenant: Tenant) -> int:
    return (tenant.tenant_id << 40) + 50001


def _progress(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    archive = cluster.archive
    for owner, index, partition, stream in _partitions(cluster, tenant):
        head: tuple[Any, ...] = (cluster.incarnation, owner.tenant_id, archive.sys.round_id)
        if cluster.profile.pieces:
            head += (archive.sys.piece_id,)
        place = (cluster.servers[index].ip, RPC_PORT, _table_id(owner), partition)
        yield (*head, *place, stream.start, stream.checkpoint, _stream_status(cluster, stream))


def _log_id(moment: datetime, start: datetime) -> int:
    return 1 + int((moment - start).total_seconds())


def _pg_status(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    archive, now = cluster.archive, cluster.timeline.now
    for owner, index, partition, stream in _partitions(cluster, tenant):
        status = STATUSES.index(_stream_status(cluster, stream)) + 1
        current = (_log_id(stream.checkpoint, stream.start), microseconds(stream.checkpoint))
        newest = (_log_id(now, stream.start), microseconds(now))
        place = (cluster.servers[index].ip, RPC_PORT, owner.tenant_id, _table_id(owner), partition)
        yield (*place, cluster.incarnation, archive.sys.round_id, microseconds(stream.start), status, *current, *newest,
               archive.sys.piece_id)  # fmt: skip


def archive_views(profile: Profile) -> list[View]:
    """The archive's views of a build; CE 3.1.0 has them in every tenant, later builds in sys only."""
    pg_status = View("__all_virtual_pg_backup_log_archive_status", _PG_COLUMNS, _pg_status)
    if not profile.pieces:
        progress = columns(_PROGRESS_HEAD + _PROGRESS_TAIL)
        return [
            View("CDB_OB_BACKUP_ARCHIVELOG_SUMMARY", _STATUS_COLUMNS_310, _summary_310, everywhere=True),
            View("CDB_OB_BACKUP_ARCHIVELOG_PROGRESS", progress, _progress, everywhere=True),
            pg_status,
        ]
    progress = columns(f"{_PROGRESS_HEAD}CUR_PIECE_ID {_PROGRESS_TAIL}")
    return [
        View("CDB_OB_BACKUP_ARCHIVELOG", _STATUS_COLUMNS, _archivelog),
        View("CDB_OB_BACKUP_ARCHIVELOG_SUMMARY", _STATUS_COLUMNS, _summary),
        View("CDB_OB_BACKUP_ARCHIVELOG_PROGRESS", progress, _progress),
        View("CDB_OB_BACKUP_PIECE_FILES", _PIECE_COLUMNS, _piece_files),
        pg_status,
    ]
