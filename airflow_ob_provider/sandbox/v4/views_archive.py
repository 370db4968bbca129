"""The log archive's views of 4.x: destinations, rounds, pieces, log streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.sandbox.topology import Tenant
from airflow_ob_provider.sandbox.views import Row, View, columns

from .archive import TenantArchive
from .profiles import Profile
from .rounds import DOING, INTERRUPTED, Piece, Round
from .scn import display, to_scn
from .tenants import Tenant4
from .twins import bytes_display, twins

if TYPE_CHECKING:
    from .cluster import Cluster

_DEST = "DEST_NO NAME/varchar VALUE/varchar"
_ROUND_HEAD = (
    "DEST_ID ROUND_ID INCARNATION DEST_NO STATUS/varchar START_SCN/ubigint START_SCN_DISPLAY/{display} "
    "CHECKPOINT_SCN/ubigint CHECKPOINT_SCN_DISPLAY/{display} COMPATIBLE BASE_PIECE_ID USED_PIECE_ID "
    "PIECE_SWITCH_INTERVAL UNIT_SIZE COMPRESSION/varchar INPUT_BYTES INPUT_BYTES_DISPLAY/varchar OUTPUT_BYTES "
    "OUTPUT_BYTES_DISPLAY/varchar COMPRESSION_RATIO/decimal:2 DELETED_INPUT_BYTES DELETED_INPUT_BYTES_DISPLAY/varchar "
    "DELETED_OUTPUT_BYTES DELETED_OUTPUT_BYTES_DISPLAY/varchar "
)
_PIECES = (
    "DEST_ID ROUND_ID PIECE_ID INCARNATION DEST_NO STATUS/varchar START_SCN/ubigint START_SCN_DISPLAY/{display} "
    "CHECKPOINT_SCN/ubigint CHECKPOINT_SCN_DISPLAY/{display} MAX_SCN/ubigint END_SCN/ubigint "
    "END_SCN_DISPLAY/{display} COMPATIBLE UNIT_SIZE COMPRESSION/varchar INPUT_BYTES INPUT_BYTES_DISPLAY/varchar "
    "OUTPUT_BYTES OUTPUT_BYTES_DISPLAY/varchar COMPRESSION_RATIO/decimal:2 FILE_STATUS/varchar PATH/varchar"
)
_STREAMS = (
    "DEST_ID LS_ID ROUND_ID PIECE_ID INCARNATION START_SCN/ubigint MIN_LSN/ubigint MAX_LSN/ubigint "
    "CHECKPOINT_SCN/ubigint STATUS/varchar FILE_ID FILE_OFFSET INPUT_BYTES OUTPUT_BYTES"
)
_DEST_STATUS = columns(
    "TENANT_ID DEST_ID PATH/varchar STATUS/varchar CHECKPOINT_SCN/ubigint SYNCHRONIZED/varchar COMMENT/varchar"
)
#: A log file of a log stream.
FILE_BYTES = 64 * 2**20


def _archives(cluster: Cluster) -> Iterator[TenantArchive]:
    """In the order of the tenants' ids."""
    for tenant_id in sorted(cluster.archives):
        yield cluster.archives[tenant_id]


def _destinations(cluster: Cluster) -> Iterable[Row]:
    for archive in _archives(cluster):
        for number, destination in sorted(archive.destinations.items()):
            for name in sorted(destination.rows):
                yield (archive.tenant.tenant_id, number, name, destination.rows[name])


def _shown_status(cluster: Cluster, tenant: Tenant4, status: str) -> Any:
    """With the fault of mixed tenants."""
    mixed = cluster.faults.mixed_tenants
    if isinstance(mixed, bool):
        return status
    return mixed.get(tenant.name, mixed.get(str(tenant.tenant_id), status))


def _sizes(count: int) -> tuple[Any, ...]:
    """Bytes in and out are the same: nothing is compressed."""
    shown = bytes_display(count)
    return count, shown, count, shown, 1.0 if count else 0.0


def _round_row(cluster: Cluster, tenant: Tenant4, found: Round) -> Row:
    return (tenant.tenant_id, found.dest_id, found.round_id, cluster.incarnation, 0,
            _shown_status(cluster, tenant, found.status), found.start_scn, display(found.start_scn),
            found.checkpoint_scn, display(found.checkpoint_scn), 1, found.base_piece_id, found.used_piece_id,
            int(found.interval * 10**6), 1, "none", *_sizes(found.bytes), 0, "0.00MB", 0, "0.00MB")  # fmt: skip


def _archivelog(cluster: Cluster) -> Iterable[Row]:
    for archive in _archives(cluster):
        if archive.round:
            tail = (archive.round.comment, archive.round.path)
            yield (*_round_row(cluster, archive.tenant, archive.round), *tail)


def _summary(cluster: Cluster) -> Iterable[Row]:
    for archive in _archives(cluster):
        for found in archive.rounds:
            yield (*_round_row(cluster, archive.tenant, found), found.path, found.comment)


#: The columns of a piece after TENANT_ID, but for INCARNATION, which is the cluster's.
_PIECE_CELLS: tuple[Callable[[Piece], Any], ...] = (
    attrgetter("dest_id"), attrgetter("round_id"), attrgetter("piece_id"), lambda _: 1, lambda _: 0,
    attrgetter("status"), attrgetter("start_scn"), lambda p: display(p.start_scn), attrgetter("checkpoint_scn"),
    lambda p: display(p.checkpoint_scn), attrgetter("max_scn"), attrgetter("end_scn"), lambda p: display(p.end_scn),
    lambda _: 1, lambda _: 1, lambda _: "none", attrgetter("bytes"), lambda p: bytes_display(p.bytes),
    attrgetter("bytes"), lambda p: bytes_display(p.bytes), lambda p: 1.0 if p.bytes else 0.0,
    attrgetter("file_status"), attrgetter("path"),
)  # fmt: skip
_INCARNATION = 4


def _some_of_pieces(cluster: Cluster, places: tuple[int, ...]) -> Iterable[Row]:
    """There may be hundreds of thousands of pieces, and most SELECTs want little of each."""
    incarnation = cluster.incarnation
    for archive in _archives(cluster):
        tenant_id = archive.tenant.tenant_id
        own: dict[int, Callable[[Piece], Any]] = {
            0: lambda _, tenant_id=tenant_id: tenant_id,  # type: ignore[misc]
            _INCARNATION: lambda _: incarnation,
        }
        cells = [own.get(place) or _PIECE_CELLS[place - 1] for place in places]
        for found in archive.rounds:
            for piece in found.visible_pieces:
                yield [cell(piece) for cell in cells]


def _pieces(cluster: Cluster) -> Iterable[Row]:
    return _some_of_pieces(cluster, tuple(range(len(_PIECE_CELLS) + 1)))


def _stream_rows(cluster: Cluster) -> Iterable[Row]:
    """One row per log stream and piece of the latest round."""
    for archive in _archives(cluster):
        current = archive.round
        for piece in current.visible_pieces if current else ():
            assert current is not None  # noqa: S101 - it has pieces
            last = piece is current.pieces[-1]
            for stream in archive.streams:
                share = piece.bytes // len(archive.streams)
                # A log stream that isn't broken goes on by itself when the round is INTERRUPTED.
                own = DOING if current.status == INTERRUPTED else current.status
                status = INTERRUPTED if stream.broken and last else own if last else DOING
                checkpoint = max(piece.start_scn, to_scn(stream.checkpoint)) if last else piece.checkpoint_scn
                yield (archive.tenant.tenant_id, current.dest_id, stream.ls_id, current.round_id, piece.piece_id,
                       cluster.incarnation, piece.start_scn, 0, share, checkpoint, status, 1 + share // FILE_BYTES,
                       share % FILE_BYTES, share, share)  # fmt: skip


def _dest_status(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
    for archive in _archives(cluster):
        found = archive.round
        if found and (viewer.is_sys or archive.tenant is viewer):
            # NO while anything is written, which is always the case here but for an idle tenant.
            synchronized = "YES" if archive.tenant.idle and found.status == DOING else "NO"
            yield (archive.tenant.tenant_id, found.dest_id, found.path, found.status, found.checkpoint_scn,
                   synchronized, found.comment)  # fmt: skip


def archive_views(profile: Profile) -> list[View]:
    kind = "datetime" if profile.datetime_displays else "varchar"
    head = _ROUND_HEAD.format(display=kind)
    views = [
        *twins("OB_ARCHIVE_DEST", _DEST, _destinations),
        *twins("OB_ARCHIVELOG", f"{head} COMMENT/longtext PATH/varchar", _archivelog),
        *twins("OB_ARCHIVELOG_SUMMARY", f"{head} PATH/varchar COMMENT/longtext", _summary),
        *twins("OB_ARCHIVELOG_PIECE_FILES", _PIECES.format(display=kind), _pieces, _some_of_pieces),
    ]
    if profile.suspend:
        views += twins("OB_LS_LOG_ARCHIVE_PROGRESS", _STREAMS, _stream_rows)
        views.append(View("V$OB_ARCHIVE_DEST_STATUS", _DEST_STATUS, _dest_status, everywhere=True))
    return views
