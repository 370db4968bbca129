"""Data backup of 3.x: one job of the whole cluster at a time, known by its BS_KEY.

Facts: V3.1.5 manual, data backup; OceanBase CE 3.1.5 source, ob_backup_scheduler.cpp and ob_root_backup.cpp (what a
start checks) and ob_inner_table_schema_def.py (CDB_OB_BACKUP_PROGRESS, CDB_OB_BACKUP_SET_FILES). Failed jobs use up a
BS_KEY; progress rows vanish when a job is cleaned up, so that only the set tells how it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.changes import Change
from airflow_ob_provider.oceanbase.data_backup import (
    BackupKind,
    BackupPart,
    BackupReadiness,
    BackupRequest,
    BackupSnapshot,
    JobState,
    RunningBackup,
)
from airflow_ob_provider.oceanbase.destination import WantedDestination
from airflow_ob_provider.oceanbase.dialects.aggregates import kind_of, set_problem
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.reading import NOW, read_at
from airflow_ob_provider.oceanbase.models import SYS_TENANT_ID, ArchiveState, Scope, Tenant
from airflow_ob_provider.oceanbase.rows import UnreadableError, moment, text, whole
from airflow_ob_provider.oceanbase.statements import SLOW_SECONDS, Statement
from airflow_ob_provider.oceanbase.windows import SetProblem

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect

_HINTS = (
    (1227, "Log in to tenant sys as a user with ALTER SYSTEM."),
    (1235, "A user tenant needs GTS (SET GLOBAL ob_timestamp_service = 'GTS'), and there must be one."),
    (
        9040,
        "Log backup must be DOING. On a cluster that has never merged: ALTER SYSTEM MAJOR FREEZE first, and wait until "
        "merge_status is IDLE.",
    ),
    (9036, "A data backup runs: run the task again, which waits for that one."),
)
_CANCEL_HINTS = ((9041, "It prepares or cleans up just now: try again in a moment."),)

_RUNNING = """
SELECT BS_KEY AS job_id, MAX(BACKUP_TYPE) AS kind, MAX(CASE WHEN STATUS = 'FAILED' THEN 1 ELSE 0 END) AS failed
  FROM oceanbase.CDB_OB_BACKUP_PROGRESS GROUP BY BS_KEY ORDER BY job_id"""
_STARTED = """
SELECT BS_KEY AS job_id, MAX(kind) AS kind FROM (
SELECT BS_KEY, BACKUP_TYPE AS kind FROM oceanbase.CDB_OB_BACKUP_SET_FILES WHERE BS_KEY > {after} UNION ALL
SELECT BS_KEY, BACKUP_TYPE AS kind FROM oceanbase.CDB_OB_BACKUP_PROGRESS WHERE BS_KEY > {after}) j
 GROUP BY BS_KEY ORDER BY job_id"""
_NEWEST = """
SELECT MAX(BS_KEY) AS job_id FROM (
SELECT BS_KEY FROM oceanbase.CDB_OB_BACKUP_SET_FILES UNION ALL
SELECT BS_KEY FROM oceanbase.CDB_OB_BACKUP_PROGRESS) j"""
_JOB = """
SELECT {now}, j.TENANT_ID AS tenant_id, t.tenant_name AS tenant_name, s.BACKUP_TYPE AS kind,
       p.BACKUP_TYPE AS running_kind, s.STATUS AS status, s.FILE_STATUS AS file_status, s.START_TIME AS started,
       s.COMPLETION_TIME AS ended, p.STATUS AS progress, p.START_TIME AS running_since,
       p.PARTITION_COUNT AS partitions, p.FINISH_PARTITION_COUNT AS partitions_done, p.MACRO_BLOCK_COUNT AS blocks,
       p.FINISH_MACRO_BLOCK_COUNT AS blocks_done
  FROM (SELECT 1 AS one) o
  LEFT JOIN (SELECT TENANT_ID FROM oceanbase.CDB_OB_BACKUP_SET_FILES WHERE BS_KEY = {job_id} AND COPY_ID = 0 UNION
             SELECT TENANT_ID FROM oceanbase.CDB_OB_BACKUP_PROGRESS WHERE BS_KEY = {job_id}) j ON 1 = 1
  LEFT JOIN oceanbase.gv$tenant t ON t.tenant_id = j.TENANT_ID
  LEFT JOIN oceanbase.CDB_OB_BACKUP_SET_FILES s
         ON s.BS_KEY = {job_id} AND s.COPY_ID = 0 AND s.TENANT_ID = j.TENANT_ID
  LEFT JOIN oceanbase.CDB_OB_BACKUP_PROGRESS p ON p.BS_KEY = {job_id} AND p.TENANT_ID = j.TENANT_ID
 ORDER BY tenant_id"""


class V3DataBackups:
    """See :class:`~airflow_ob_provider.oceanbase.dialects.base.DataBackups`."""

    def __init__(self, dialect: V3Dialect) -> None:
        self._dialect = dialect

    # --- reading ------------------------------------------------------------------------------------------------

    def readiness(self) -> BackupReadiness:
        """Whether the cluster can be backed up now, and which backup runs."""
        snapshot = self._dialect.archive()
        names = tuple(tenant.name for tenant in snapshot.tenants)
        obstacles = []
        state = next((row for row in snapshot.governing), None)
        if state is None or state.state is not ArchiveState.DOING:
            obstacles.append(
                f"log backup is {state.status if state else 'not shown'}, and a data backup needs DOING (9040): start "
                "it first"
            )
        if not snapshot.tenants:
            obstacles.append("there is no user tenant to back up (1235)")
        running = tuple(
            RunningBackup(whole(row, "job_id"), kind_of(text(row, "kind")), names, is_ending=bool(whole(row, "failed")))
            for row in self._dialect.read(_RUNNING)
        )
        newest = self._dialect.read(_NEWEST)
        return BackupReadiness(
            snapshot.read_at,
            Scope.CLUSTER,
            () if obstacles else snapshot.tenants,
            tuple((str(Scope.CLUSTER), why) for why in obstacles),
            running,
            whole(newest[0], "job_id") if newest else 0,
        )

    def started(self, after: int) -> tuple[RunningBackup, ...]:
        """Jobs with a higher BS_KEY, the oldest first."""
        rows = self._dialect.read(_STARTED.format(after=int(after)))
        return tuple(RunningBackup(whole(row, "job_id"), kind_of(text(row, "kind")), ()) for row in rows)

    def job(self, job_id: int) -> BackupSnapshot:
        """One job and the set of each tenant."""
        rows = self._dialect.read(_JOB.format(now=NOW, job_id=int(job_id)))
        now, zone = read_at(rows)
        found = [row for row in rows if row.get("tenant_id") is not None]
        if not found:
            return BackupSnapshot(now, job_id, None)
        parts = tuple(_part(row, zone, job_id) for row in found)
        users = tuple(part for part in parts if part.tenant.is_user)
        state = _state(parts)
        started = [part.started for part in parts if part.started]
        ended = [part.ended for part in parts if part.ended] if state.is_over else []
        words = " / ".join(sorted({part.words for part in parts}))
        return BackupSnapshot(
            now, job_id, state, words, min(started, default=None), max(ended, default=None), users or parts
        )

    # --- statements ---------------------------------------------------------------------------------------------

    def check(self, request: BackupRequest, tenants: Sequence[str]) -> None:
        """:raises ValueError: 3.x backs up the whole cluster, without logs and without a description."""
        version = self._dialect.version
        if tenants:
            raise ValueError(
                f"tenants={list(tenants)!r}: OceanBase {version} backs up the whole cluster; leave tenants out"
            )
        if request.plus_archivelog:
            raise ValueError(f"plus_archivelog: OceanBase {version} has no PLUS ARCHIVELOG; leave it out")
        if version.archive_unusable:
            raise ValueError(version.archive_unusable)

    def start(self, request: BackupRequest, tenants: Sequence[str], token: str) -> Statement:  # noqa: ARG002
        """Not idempotent: 9036 while one runs. Asynchronous. There is no place for a mark."""
        kind = " INCREMENTAL" if request.kind is BackupKind.INCREMENTAL else ""
        return Statement.write(f"ALTER SYSTEM BACKUP{kind} DATABASE", timeout=2 * SLOW_SECONDS, hints=_HINTS)

    def cancel(self, tenants: Sequence[str]) -> Statement:  # noqa: ARG002
        """9049 where none runs, 9041 while it prepares or cleans up."""
        return Statement.write("ALTER SYSTEM CANCEL BACKUP", hints=_CANCEL_HINTS)

    def plan_destination(self, wanted: WantedDestination, tenants: Sequence[str]) -> tuple[Change, ...]:
        """There is one destination for logs and data."""
        self._dialect.check_scope(tenants)
        refusal = (
            f"OceanBase {self._dialect.version} has one destination for logs and data (backup_dest): leave the one of "
            "data backups out"
        )
        shown = "the same as that of log backup"
        refused = refusal if wanted.destination else ""
        return (Change(str(Scope.CLUSTER), shown, shown, refusal=refused, scope=Scope.CLUSTER),)


def _state(parts: Sequence[BackupPart]) -> JobState:
    """Of the whole job: over when no part is under way; good when every part is."""
    states = {part.state for part in parts}
    for state in (JobState.DOING, JobState.UNKNOWN, JobState.FAILED):
        if state in states:
            return state
    return JobState.COMPLETED


def _part(row: Row, zone: timezone, job_id: int) -> BackupPart:
    number = whole(row, "tenant_id")
    tenant = Tenant(number, text(row, "tenant_name") or ("sys" if number == SYS_TENANT_ID else f"tenant {number}"))
    status, files, progress = text(row, "status"), text(row, "file_status"), text(row, "progress")
    blocks, partitions = whole(row, "blocks"), whole(row, "partitions")
    unit, total, done = (
        ("macro blocks", blocks, "blocks_done") if blocks else ("partitions", partitions, "partitions_done")
    )
    try:
        started = moment(row, "started", zone) or moment(row, "running_since", zone)
        ended = moment(row, "ended", zone)
    except UnreadableError:
        started = ended = None
    state, problem = _judge(status, files, runs=bool(progress))
    words = f"{status or 'no set yet'}/{files}" if files else status or progress or "NULL"
    return BackupPart(
        tenant,
        state,
        words,
        job_id,
        kind_of(text(row, "kind") or text(row, "running_kind")),
        started,
        ended if state.is_over else None,
        whole(row, done),
        total,
        unit,
        problem,
        _after(ended) if state is JobState.COMPLETED and not problem else None,
    )


def _judge(status: str, files: str, *, runs: bool) -> tuple[JobState, str]:
    """The set's own words decide, but not before its progress rows are gone."""
    if runs:
        return JobState.DOING, ""
    problem = set_problem(status, files)
    if problem is None:
        return JobState.COMPLETED, ""
    if problem in {SetProblem.RUNNING, SetProblem.UNKNOWN}:
        return JobState.UNKNOWN, ""
    if problem is SetProblem.FAILED:
        return JobState.FAILED, (
            "the server has marked it FAILED and gives no reason: look into rootservice.log and module 'backup' of "
            "__all_rootservice_event_history"
        )
    return JobState.COMPLETED, f"its set is {status}/{files}"


def _after(moment: datetime | None) -> datetime | None:
    """What the checkpoint must be larger than, as a moment that it must have reached."""
    return moment + timedelta(microseconds=1) if moment else None
