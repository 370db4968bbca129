"""Views of the data backup: CDB_OB_BACKUP_PROGRESS, CDB_OB_BACKUP_SET_DETAILS and CDB_OB_BACKUP_SET_FILES.

ELAPSED_SECONDES is the real column's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.sandbox.topology import Tenant
from airflow_ob_provider.sandbox.views import Row, View, columns, duration_text, megabytes, microseconds

from .backup import BackupSet, TenantBackup
from .profiles import Profile

if TYPE_CHECKING:
    from .cluster import Cluster

_PROGRESS_COLUMNS = columns(
    "INCARNATION BS_KEY BACKUP_TYPE/varchar TENANT_ID PARTITION_COUNT MACRO_BLOCK_COUNT FINISH_PARTITION_COUNT "
    "FINISH_MACRO_BLOCK_COUNT INPUT_BYTES OUTPUT_BYTES START_TIME/timestamp COMPLETION_TIME/timestamp STATUS/varchar"
)
_SET_FILES_COLUMNS = columns(
    "INCARNATION TENANT_ID BS_KEY COPY_ID BACKUP_TYPE/varchar ENCRYPTION_MODE/varchar STATUS/varchar "
    "FILE_STATUS/varchar START_TIME/timestamp COMPLETION_TIME/timestamp ELAPSED_SECONDES/decimal:0 KEEP/varchar "
    "KEEP_UNTIL/varchar COMPRESSED/varchar OUTPUT_BYTES OUTPUT_RATE_BYTES/decimal:4 COMPRESSION_RATIO/decimal:2 "
    "OUTPUT_BYTES_DISPLAY/varchar OUTPUT_RATE_BYTES_DISPLAY/varchar TIME_TAKEN_DISPLAY/time"
)
_CLEAN_COLUMNS = columns(
    "TENANT_ID BS_KEY COPY_ID START_TIME/timestamp END_TIME/timestamp INCARNATION TYPE/varchar STATUS/varchar "
    "PARAMETER/varchar ERROR_MSG/varchar COMMENT/varchar"
)
#: How long a deletion takes.
CLEAN_TIME = timedelta(minutes=1)
_DETAILS_HEAD = "INCARNATION TENANT_ID BS_KEY "
_DETAILS_TAIL = (
    "BACKUP_TYPE/varchar ENCRYPTION_MODE/varchar START_TIME/timestamp COMPLETION_TIME/timestamp "
    "ELAPSED_SECONDES/decimal:0 KEEP/varchar KEEP_UNTIL/varchar DEVICE_TYPE/varchar COMPRESSED/varchar OUTPUT_BYTES "
    "OUTPUT_RATE_BYTES/decimal:4 COMPRESSION_RATIO/decimal:2 OUTPUT_BYTES_DISPLAY/varchar "
    "OUTPUT_RATE_BYTES_DISPLAY/varchar TIME_TAKEN_DISPLAY/time STATUS/varchar"
)
_ENTERPRISE_TAIL = " START_REPLAY_LOG_TS DATE BACKUP_LEVEL/varchar"


def _visible(cluster: Cluster, tenant: Tenant) -> Iterable[tuple[BackupSet, TenantBackup]]:
    for backup_set in cluster.backup.sets:
        for part in backup_set.tenants:
            if tenant.is_sys or tenant.tenant_id == part.tenant_id:
                yield backup_set, part


def _progress(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    """Rows of the running job only: empty means nothing runs."""
    for job, part in _visible(cluster, tenant):
        if job.phase != "DONE":
            counts = (part.partitions, part.macro_blocks, part.finished_partitions, part.finished_macro_blocks)
            sizes = (part.input_bytes, part.output_bytes)
            yield (1, job.key, job.kind, part.tenant_id, *counts, *sizes, part.start, part.end, part.status)


def _measures(part: TenantBackup) -> tuple[Any, ...]:
    """OUTPUT_BYTES … TIME_TAKEN_DISPLAY."""
    taken = part.end - part.start
    rate = part.output_bytes / max(taken.total_seconds(), 1e-6)
    ratio = round(part.output_bytes / part.input_bytes, 2) if part.input_bytes else None
    texts = (megabytes(part.output_bytes), f"{rate / 2**20:.2f}MB/S", duration_text(taken))
    return (part.output_bytes, rate, ratio, *texts)


def _elapsed(part: TenantBackup) -> int:
    return round((part.end - part.start) / timedelta(seconds=1))


def _set_files(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    """All sets, the running one too."""
    for job, part in _visible(cluster, tenant):
        what = (job.kind, job.encryption, job.status, job.file_status, part.start, part.end, _elapsed(part))
        yield (1, part.tenant_id, job.key, 0, *what, "NO", "", "NO", *_measures(part))


def _set_details(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    """Finished sets, in the 19, 20 or 23 columns of the build."""
    width = cluster.profile.set_details_columns
    for job, part in _visible(cluster, tenant):
        if job.phase != "DONE" or job.file_status == "DELETED":
            continue
        status = "COMPLETED" if job.status == "SUCCESS" else "FAILED"
        copy = () if width == 19 else ("0",)
        what = (job.kind, job.encryption, part.start, part.end, _elapsed(part), "NO", "", "FILE", "NO")
        more = (
            (microseconds(job.replay) if job.replay else 0, int(part.start.strftime("%Y%m%d")), job.level)
            if width == 23
            else ()
        )
        yield (1, part.tenant_id, job.key, *copy, *what, *_measures(part), status, *more)


def _clean_history(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    """The words of TYPE and STATUS aren't verified; the columns are."""
    numbers: dict[int, int] = {}
    for job in cluster.clean_jobs:
        names = ("sys", *(t.name for t in cluster.user_tenants)) if job.tenant is None else ("sys", job.tenant)
        for owner in filter(None, map(cluster.find_tenant, names)):
            numbers[owner.tenant_id] = numbers.get(owner.tenant_id, 0) + 1
            if tenant.is_sys or owner is tenant:
                error = "" if not job.result else str(job.result)
                yield (owner.tenant_id, numbers[owner.tenant_id], 0, job.at, job.at + CLEAN_TIME, 1,
                       "DELETE OBSOLETE BACKUP", job.status, "", error, job.comment)  # fmt: skip


def backup_views(profile: Profile) -> list[View]:
    everywhere = not profile.pieces
    copy = "" if profile.set_details_columns == 19 else "COPY_ID/varchar "
    tail = _ENTERPRISE_TAIL if profile.set_details_columns == 23 else ""
    details = columns(_DETAILS_HEAD + copy + _DETAILS_TAIL + tail)
    views = [
        View("CDB_OB_BACKUP_PROGRESS", _PROGRESS_COLUMNS, _progress, everywhere),
        View("CDB_OB_BACKUP_SET_DETAILS", details, _set_details, everywhere),
        View("CDB_OB_BACKUP_CLEAN_HISTORY", _CLEAN_COLUMNS, _clean_history, everywhere),
    ]
    if profile.pieces:
        views.append(View("CDB_OB_BACKUP_SET_FILES", _SET_FILES_COLUMNS, _set_files))
    return views
