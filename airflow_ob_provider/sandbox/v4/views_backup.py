"""The data backup's views of 4.x: parameters, jobs, tasks, sets, delete policies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.sandbox.views import Row, View

from .jobs import BackupSet, DeleteJob, Job, Task
from .profiles import Profile
from .scn import display
from .twins import twins

if TYPE_CHECKING:
    from .cluster import Cluster

_JOBS = (
    "JOB_ID INCARNATION BACKUP_SET_ID INITIATOR_TENANT_ID INITIATOR_JOB_ID EXECUTOR_TENANT_ID/varchar "
    "PLUS_ARCHIVELOG/varchar BACKUP_TYPE/varchar JOB_LEVEL/varchar ENCRYPTION_MODE/varchar PASSWD/varchar "
    "START_TIMESTAMP/timestamp END_TIMESTAMP/{end} STATUS/varchar RESULT COMMENT/varchar DESCRIPTION/varchar "
    "PATH/varchar"
)
_TASKS = (
    "TASK_ID JOB_ID INCARNATION BACKUP_SET_ID START_TIMESTAMP/timestamp END_TIMESTAMP/{end} STATUS/varchar "
    "START_SCN/ubigint END_SCN/ubigint USER_LS_START_SCN/ubigint ENCRYPTION_MODE/varchar PASSWD/varchar INPUT_BYTES "
    "OUTPUT_BYTES OUTPUT_RATE_BYTES/decimal:4 EXTRA_META_BYTES TABLET_COUNT FINISH_TABLET_COUNT MACRO_BLOCK_COUNT "
    "FINISH_MACRO_BLOCK_COUNT FILE_COUNT META_TURN_ID DATA_TURN_ID RESULT COMMENT/varchar PATH/varchar"
)
_TURNS = " MINOR_TURN_ID MAJOR_TURN_ID"
_PROGRESS = " DATA_PROGRESS/decimal:2"
_LOG_PROGRESS = " LOG_FILE_COUNT FINISH_LOG_FILE_COUNT LOG_PROGRESS/decimal:2"
_SETS = (
    "BACKUP_SET_ID DEST_ID INCARNATION BACKUP_TYPE/varchar PREV_FULL_BACKUP_SET_ID PREV_INC_BACKUP_SET_ID "
    "START_TIMESTAMP/timestamp END_TIMESTAMP/{end} STATUS/varchar FILE_STATUS/varchar ELAPSED_SECONDES "
    "PLUS_ARCHIVELOG/varchar START_REPLAY_SCN/ubigint START_REPLAY_SCN_DISPLAY/{display} MIN_RESTORE_SCN/ubigint "
    "MIN_RESTORE_SCN_DISPLAY/{display} INPUT_BYTES OUTPUT_BYTES OUTPUT_RATE_BYTES/decimal:4 EXTRA_META_BYTES "
    "TABLET_COUNT FINISH_TABLET_COUNT MACRO_BLOCK_COUNT FINISH_MACRO_BLOCK_COUNT FILE_COUNT META_TURN_ID DATA_TURN_ID "
    "RESULT COMMENT/varchar ENCRYPTION_MODE/varchar PASSWD/varchar TENANT_COMPATIBLE/varchar BACKUP_COMPATIBLE "
    "PATH/varchar"
)
_DELETE_JOBS = (
    "JOB_ID INCARNATION INITIATOR_TENANT_ID INITIATOR_JOB_ID EXECUTOR_TENANT_ID/varchar TYPE/varchar "
    "PARAMETER/varchar JOB_LEVEL/varchar START_TIMESTAMP/timestamp END_TIMESTAMP/timestamp STATUS/varchar TASK_COUNT "
    "SUCCESS_TASK_COUNT RESULT COMMENT/varchar"
)
_DELETE_TASKS = (
    "TASK_ID INCARNATION JOB_ID TASK_TYPE/varchar ID ROUND_ID DEST_ID START_TIMESTAMP/timestamp "
    "END_TIMESTAMP/timestamp STATUS/varchar TOTAL_LS_COUNT FINISH_LS_COUNT TOTAL_BYTES DELETE_BYTES "
    "TOTAL_FILES_COUNT DELETE_FILES_COUNT RESULT COMMENT/varchar PATH/varchar"
)
_STORAGE_INFO = (
    "PATH/varchar ENDPOINT/varchar DEST_ID DEST_TYPE/varchar AUTHORIZATION/varchar EXTENSION/varchar "
    "CHECK_FILE_NAME/varchar LAST_CHECK_TIMESTAMP/timestamp"
)


def _parameters(cluster: Cluster) -> Iterable[Row]:
    for backups in cluster.backups.values():
        for name, value in backups.parameter.items():
            yield (backups.tenant_id, name, value)


def _encryption(job: Job) -> tuple[str, str]:
    return ("PASSWORD", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19") if job.encrypted else ("NONE", "")


def _job_row(job: Job) -> Row:
    plus = "ON" if job.plus_archivelog else "OFF"
    return (job.tenant_id, job.job_id, 1, job.set_id, job.initiator_tenant_id, job.initiator_job_id, job.executors,
            plus, job.kind, job.level, *_encryption(job), job.start, job.end, job.status, job.result, job.comment,
            job.description, job.path)  # fmt: skip


def _jobs(cluster: Cluster) -> Iterable[Row]:
    return [_job_row(job) for backups in cluster.backups.values() for job in backups.jobs]


def _job_history(cluster: Cluster) -> Iterable[Row]:
    return [_job_row(job) for backups in cluster.backups.values() for job in backups.job_history]


def _rate(task: Task, cluster: Cluster) -> float:
    seconds = ((task.end or cluster.timeline.now) - task.start).total_seconds()
    return task.output_bytes / seconds if seconds > 0 else 0.0


def _work(task: Task, cluster: Cluster) -> tuple[Any, ...]:
    """From INPUT_BYTES to DATA_TURN_ID."""
    return (task.input_bytes, task.output_bytes, _rate(task, cluster), 0, task.tablets, task.finished_tablets,
            task.blocks, task.finished_blocks, 0, 1, 0)  # fmt: skip


def _task_row(cluster: Cluster, task: Task, *, history: bool) -> Row:
    job, width = task.job, cluster.profile.task_columns
    row = [job.tenant_id, task.task_id, job.job_id, 1, job.set_id, task.start, task.end, task.status, task.start_scn,
           task.end_scn, task.user_start_scn, *_encryption(job), *_work(task, cluster), task.result, task.comment,
           job.path]  # fmt: skip
    if width > 27:
        row += [1, 1]
    if width > 27 and not history:
        row.append(task.progress)
    if width > 30 and not history:
        files = 12 if job.plus_archivelog else 0
        row += [files, files if job.ended else 0, 100.0 if files and job.ended else 0.0]
    return row


def _tasks(cluster: Cluster) -> Iterable[Row]:
    return [_task_row(cluster, task, history=False) for b in cluster.backups.values() for task in b.tasks]


def _task_history(cluster: Cluster) -> Iterable[Row]:
    return [_task_row(cluster, task, history=True) for b in cluster.backups.values() for task in b.task_history]


def _set_row(cluster: Cluster, found: BackupSet) -> Row:
    job, task, width = found.job, found.task, cluster.profile.set_columns
    elapsed = int(((task.end or cluster.timeline.now) - task.start).total_seconds())
    row = [job.tenant_id, found.set_id, found.dest_id, 1, job.kind, found.previous_full, found.previous_incremental,
           task.start, task.end, found.status, found.file_status, elapsed, "ON" if job.plus_archivelog else "OFF",
           found.replay_scn, display(found.replay_scn), found.restore_scn, display(found.restore_scn),
           *_work(task, cluster), task.result, task.comment, *_encryption(job), cluster.profile.version, 1,
           found.path]  # fmt: skip
    if width > 35:
        row.append(cluster.profile.version)
    if width > 36:
        row += [found.restore_scn, 1, 1]
    return row


def _sets(cluster: Cluster) -> Iterable[Row]:
    return [_set_row(cluster, found) for backups in cluster.backups.values() for found in backups.sets]


def _policies(cluster: Cluster) -> Iterable[Row]:
    return [(tenant_id, "default", window) for tenant_id, window in sorted(cluster.policies.windows.items())]


def _delete_row(job: DeleteJob) -> Row:
    return (job.tenant_id, job.job_id, 1, job.tenant_id, 0, str(job.tenant_id), "DELETE OBSOLETE BACKUP", job.window,
            "USER_TENANT", job.start, job.end, job.status, 0, 0, job.result, job.comment)  # fmt: skip


def _delete_jobs(cluster: Cluster) -> Iterable[Row]:
    return [_delete_row(job) for b in cluster.backups.values() for job in b.delete_jobs if job.end is None]


def _delete_job_history(cluster: Cluster) -> Iterable[Row]:
    return [_delete_row(job) for b in cluster.backups.values() for job in b.delete_jobs if job.end is not None]


def _nothing(_: Cluster) -> Iterable[Row]:
    """Deleting isn't simulated, so a job has no tasks."""
    return ()


def _storage(cluster: Cluster) -> Iterable[Row]:
    for tenant_id, archive in sorted(cluster.archives.items()):
        archived, backed_up = archive.destination.place, cluster.backups[tenant_id].place
        for kind, place in (("archive_log", archived), ("backup_data", backed_up)):
            checked = cluster.storage_checks.get(tenant_id, cluster.created) if place is archived else cluster.created
            if place is not None and checked is not None:
                yield (tenant_id, place.path, place.host, archive.dest_id(place.key), kind, "", "",
                       f"{tenant_id}_check_file", checked)  # fmt: skip


def backup_views(profile: Profile) -> list[View]:
    kinds = {
        "end": "timestamp" if profile.tenant_file_size else "varchar",
        "display": "datetime" if profile.datetime_displays else "varchar",
    }
    tasks = history = _TASKS
    if profile.task_columns > 27:
        tasks, history = _TASKS + _TURNS + _PROGRESS, _TASKS + _TURNS
    if profile.task_columns > 30:
        tasks += _LOG_PROGRESS
    sets = _SETS + (" CLUSTER_VERSION/varchar" if profile.set_columns > 35 else "")
    sets += f" CONSISTENT_SCN/ubigint{_TURNS}" if profile.set_columns > 36 else ""
    return [
        *twins("OB_BACKUP_PARAMETER", "NAME/varchar VALUE/longtext", _parameters),
        *twins("OB_BACKUP_JOBS", _JOBS.format(**kinds), _jobs),
        *twins("OB_BACKUP_JOB_HISTORY", _JOBS.format(**kinds), _job_history),
        *twins("OB_BACKUP_TASKS", tasks.format(**kinds), _tasks),
        *twins("OB_BACKUP_TASK_HISTORY", history.format(**kinds), _task_history),
        *twins("OB_BACKUP_SET_FILES", sets.format(**kinds), _sets),
        *twins("OB_BACKUP_DELETE_POLICY", "POLICY_NAME/varchar RECOVERY_WINDOW/varchar", _policies),
        *twins("OB_BACKUP_DELETE_JOBS", _DELETE_JOBS, _delete_jobs),
        *twins("OB_BACKUP_DELETE_JOB_HISTORY", _DELETE_JOBS, _delete_job_history),
        *twins("OB_BACKUP_DELETE_TASKS", _DELETE_TASKS, _nothing),
        *twins("OB_BACKUP_DELETE_TASK_HISTORY", _DELETE_TASKS, _nothing),
        *twins("OB_BACKUP_STORAGE_INFO", _STORAGE_INFO, _storage),
    ]
