"""Data backup of 4.x: a job of tenant sys with one part a tenant, or a job of a tenant of its own.

Facts: V4.2.5 manual, data backup and dictionary views (BACKUP_JOBS, BACKUP_JOB_HISTORY, BACKUP_TASKS,
BACKUP_SET_FILES, BACKUP_PARAMETER); ob_backup_data_scheduler.cpp of 4.2: what a start checks, that a tenant which
cannot start any more is left out without a word, and that jobs of sys and of a tenant do not hold up each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.changes import Change
from airflow_ob_provider.oceanbase.data_backup import (
    BackupPart,
    BackupReadiness,
    BackupRequest,
    BackupSnapshot,
    JobState,
    RunningBackup,
)
from airflow_ob_provider.oceanbase.destination import WantedDestination
from airflow_ob_provider.oceanbase.dialects import v4_statements
from airflow_ob_provider.oceanbase.dialects.aggregates import kind_of, set_problem
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.reading import NOW, read_at
from airflow_ob_provider.oceanbase.dialects.v4_places import NOT_SET, Place, wanted_places
from airflow_ob_provider.oceanbase.errors import fact
from airflow_ob_provider.oceanbase.models import SYS_TENANT_ID, ArchiveState, Scope, Tenant
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError, moment, scn, text, whole
from airflow_ob_provider.oceanbase.statements import Statement

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect


_NO_DESTINATION = "it has no DATA_BACKUP_DEST to back up to (9040): SetDataBackupDestinationOperator sets it"


class V4DataBackups:
    """See :class:`~airflow_ob_provider.oceanbase.dialects.base.DataBackups`."""

    def __init__(self, dialect: V4Dialect) -> None:
        self._dialect = dialect

    @property
    def _is_sys(self) -> bool:
        return self._dialect.is_sys

    @property
    def _own(self) -> str:
        """Jobs started from here: those of tenant sys stand under it, a tenant's own views show nothing else."""
        return f"TENANT_ID = {SYS_TENANT_ID}" if self._is_sys else "INITIATOR_JOB_ID = 0"

    # --- reading ------------------------------------------------------------------------------------------------

    def readiness(self) -> BackupReadiness:
        """Which user tenants can be backed up now, what is in the way of the others, and what runs."""
        rows = self._dialect.read(self._dialect.catalogue.data_backup())
        now, _ = read_at(rows)
        names = {whole(row, "tenant_id"): text(row, "tenant_name") for row in rows if row.get("tenant_id") is not None}
        candidates, obstacles, unset = [], [], []
        for row in rows:
            if row.get("tenant_id") is None:
                continue
            status = text(row, "tenant_status").upper().removeprefix("TENANT_STATUS_")
            tenant = Tenant(whole(row, "tenant_id"), text(row, "tenant_name"), status)
            if why := _obstacle(tenant, row):
                obstacles.append((tenant.name, why))
                unset += [tenant] if why == _NO_DESTINATION else []
            else:
                candidates.append(tenant)
        running = self._running(names)
        return BackupReadiness(
            now, Scope.TENANT, tuple(candidates), tuple(obstacles), running, self._newest(), tuple(unset)
        )

    def _running(self, names: dict[int, str]) -> tuple[RunningBackup, ...]:
        rows = self._dialect.read(
            "SELECT JOB_ID AS job_id, BACKUP_TYPE AS kind, EXECUTOR_TENANT_ID AS executors, STATUS AS status, "
            f"PLUS_ARCHIVELOG AS plus, DESCRIPTION AS description FROM {self._view('BACKUP_JOBS')} WHERE {self._own} "
            "ORDER BY JOB_ID"
        )
        return tuple(
            RunningBackup(
                whole(row, "job_id"),
                kind_of(text(row, "kind")),
                tuple(names[number] for number in _numbers(text(row, "executors")) if number in names),
                text(row, "description"),
                plus_archivelog=text(row, "plus").strip().upper() == "ON",
                is_ending=_state(row) is JobState.CANCELING,
            )
            for row in rows
            if not _state(row).is_over
        )

    def _newest(self) -> int:
        rows = self._dialect.read(f"SELECT MAX(JOB_ID) AS job_id FROM {self._jobs('JOB_ID', self._own)}")
        return whole(rows[0], "job_id") if rows else 0

    def started(self, after: int) -> tuple[RunningBackup, ...]:
        """Jobs with a higher number, under way or ended, the oldest first."""
        columns = "JOB_ID, BACKUP_TYPE, DESCRIPTION"
        rows = self._dialect.read(
            "SELECT j.JOB_ID AS job_id, j.BACKUP_TYPE AS kind, j.DESCRIPTION AS description FROM "
            f"{self._jobs(columns, f'{self._own} AND JOB_ID > {int(after)}')} ORDER BY j.JOB_ID"
        )
        return tuple(
            RunningBackup(whole(row, "job_id"), kind_of(text(row, "kind")), (), text(row, "description"))
            for row in rows
        )

    def job(self, job_id: int) -> BackupSnapshot:
        """One job, its parts and their sets."""
        rows = self._dialect.read(self._job_query(int(job_id)))
        now, zone = read_at(rows)
        found = [row for row in rows if row.get("job_id") is not None]
        heads = [row for row in found if _is_head(row, int(job_id), is_sys=self._is_sys)]
        if not heads:
            return BackupSnapshot(now, job_id, None)
        head = max(heads, key=lambda row: whole(row, "ended_row"))
        parts = {}
        for row in sorted(found, key=lambda row: whole(row, "ended_row")):
            if row is not head and _is_head(row, int(job_id), is_sys=self._is_sys):
                continue
            if self._is_sys and row is head:
                continue  # it stands for all, and copies nothing itself
            part = _part(row, zone)
            parts[part.tenant.tenant_id] = part
        return BackupSnapshot(
            now,
            job_id,
            _state(head),
            _words(head),
            _moment(head, "started", zone),
            _moment(head, "ended", zone),
            tuple(parts[number] for number in sorted(parts)),
            _failure(head),
        )

    def _job_query(self, job_id: int) -> str:
        which = f"(TENANT_ID = {SYS_TENANT_ID} AND JOB_ID = {job_id}) OR (TENANT_ID <> {SYS_TENANT_ID} AND "
        which += f"INITIATOR_TENANT_ID = {SYS_TENANT_ID} AND INITIATOR_JOB_ID = {job_id})"
        own = "TENANT_ID, " if self._is_sys else ""
        columns = f"{own}JOB_ID, BACKUP_SET_ID, BACKUP_TYPE, STATUS, RESULT, COMMENT, START_TIMESTAMP, END_TIMESTAMP"
        jobs = self._jobs(columns, which if self._is_sys else f"JOB_ID = {job_id} AND {self._own}", ended=True)
        same = "{0}.TENANT_ID = j.TENANT_ID AND " if self._is_sys else ""
        tenant = "t.TENANT_ID = j.TENANT_ID" if self._is_sys else "t.TENANT_TYPE = 'USER'"
        return f"""
SELECT {NOW}, {"j.TENANT_ID" if self._is_sys else "t.TENANT_ID"} AS tenant_id, t.TENANT_NAME AS tenant_name,
       j.JOB_ID AS job_id, j.BACKUP_TYPE AS kind, j.STATUS AS status, j.RESULT AS result,
       j.COMMENT AS comment, j.START_TIMESTAMP AS started, j.END_TIMESTAMP AS ended, j.ended_row AS ended_row,
       j.BACKUP_SET_ID AS set_id, s.STATUS AS set_status, s.FILE_STATUS AS file_status,
       s.MIN_RESTORE_SCN AS restore_scn, k.STATUS AS step, k.TABLET_COUNT AS tablets,
       k.FINISH_TABLET_COUNT AS tablets_done, k.MACRO_BLOCK_COUNT AS blocks, k.FINISH_MACRO_BLOCK_COUNT AS blocks_done
  FROM (SELECT 1 AS one) o
  LEFT JOIN {jobs} ON 1 = 1
  LEFT JOIN oceanbase.DBA_OB_TENANTS t ON {tenant}
  LEFT JOIN {self._view("BACKUP_SET_FILES")} s ON {same.format("s")}s.BACKUP_SET_ID = j.BACKUP_SET_ID
  LEFT JOIN {self._view("BACKUP_TASKS")} k ON {same.format("k")}k.JOB_ID = j.JOB_ID
 ORDER BY tenant_id"""

    def _jobs(self, columns: str, which: str, *, ended: bool = False) -> str:
        """Jobs under way and jobs that have ended, as a table ``j``."""
        flags = (", 0 AS ended_row", ", 1 AS ended_row") if ended else ("", "")
        return (
            f"(SELECT {columns}{flags[0]} FROM {self._view('BACKUP_JOBS')} WHERE {which} UNION ALL "
            f"SELECT {columns}{flags[1]} FROM {self._view('BACKUP_JOB_HISTORY')} WHERE {which}) j"
        )

    def _view(self, name: str) -> str:
        return self._dialect.catalogue.view(name)

    # --- statements ---------------------------------------------------------------------------------------------

    def check(self, request: BackupRequest, tenants: Sequence[str]) -> None:  # noqa: ARG002
        """:raises ValueError: this version cannot do what is asked for."""
        version = self._dialect.version
        if request.plus_archivelog and not version.has_log_mode:
            raise ValueError(f"plus_archivelog: OceanBase {version} has no PLUS ARCHIVELOG, which came with 4.1 (1235)")

    def start(self, request: BackupRequest, tenants: Sequence[str], token: str) -> Statement:
        """``BACKUP DATABASE`` is every user tenant that meets the conditions; the description bears our mark."""
        which = self._dialect.of_tenants(tenants) or " DATABASE"
        return v4_statements.backup(request, which, request.told(token))

    def cancel(self, tenants: Sequence[str]) -> Statement:
        """Marks the jobs that run; OK also where none does."""
        return v4_statements.cancel_backup(self._dialect.of_tenants(tenants))

    def plan_destination(self, wanted: WantedDestination, tenants: Sequence[str]) -> tuple[Change, ...]:
        """DATA_BACKUP_DEST of each tenant: another directory than that of log backup, and of its own."""
        rows = self._dialect.read(self._dialect.catalogue.data_backup(paths=True), holds_secrets=True)
        shown = [row for row in rows if row.get("tenant_id") is not None]
        places = [_place(row, "data_path", "") for row in shown]
        everybody = [*places, *(_place(row, "log_path", "log backup of ") for row in shown)]
        normal = [place for place in places if place.tenant.is_normal]
        here = [place for place in normal if not tenants or place.tenant.name in tenants]
        names = {place.tenant.name for place in normal}
        refusal = "no user tenant of that name is NORMAL here"
        changes = [Change(name, NOT_SET, NOT_SET, refusal=refusal) for name in tenants if name not in names]
        targets = wanted_places(self._dialect, wanted.destination, here, everybody) if wanted.destination else {}
        busy = {whole(row, "tenant_id") for row in shown if whole(row, "jobs")}
        for place in here:
            target, before = targets.get(place.tenant.tenant_id), _shown(place)
            if isinstance(target, str):
                changes.append(Change(place.tenant.name, before, before, refusal=target))
            elif target is None or (place.destination and target.same_place(place.destination)):
                unset = "" if place.uri else "no destination of data backups is set: give one"
                changes.append(Change(place.tenant.name, before, before, refusal=unset, unset=not place.uri))
            elif place.tenant.tenant_id in busy:
                why = f"a data backup of it runs, so its destination cannot become {target} (9036): wait for its end"
                changes.append(Change(place.tenant.name, before, before, refusal=why))
            else:
                clause = self._dialect.of_tenant(place.tenant)
                statement = v4_statements.data_destination(clause, target)
                changes.append(Change(place.tenant.name, before, str(target), (statement,)))
        return tuple(changes)


def _place(row: Row, name: str, what: str) -> Place:
    status = text(row, "tenant_status").upper().removeprefix("TENANT_STATUS_")
    tenant = Tenant(whole(row, "tenant_id"), what + text(row, "tenant_name"), status)
    return Place(tenant, text(row, name).strip(), None, None, "")


def _shown(place: Place) -> str:
    if not place.uri:
        return NOT_SET
    return str(place.destination or redact(place.uri))


def _obstacle(tenant: Tenant, row: Row) -> str:
    """What would make the server refuse, or leave out, this tenant; '' if nothing."""
    if not tenant.is_normal:
        return f"it is {tenant.status or 'of no known status'}, and only a NORMAL tenant can be backed up (9040)"
    status = text(row, "archive_status").strip()
    state = ArchiveState.parse(status)
    if state is ArchiveState.UNKNOWN and status:
        return f"its log backup is {status}, which this release does not know; a data backup needs DOING (9040)"
    if state is not ArchiveState.DOING:
        return f"its log backup is {status or 'not started'}, and a data backup needs DOING (9040): start it first"
    if not whole(row, "has_data_path"):
        return _NO_DESTINATION
    return ""


def _numbers(executors: str) -> Iterable[int]:
    return (int(number) for number in re.findall("[0-9]{1,18}", executors))


def _is_head(row: Row, job_id: int, *, is_sys: bool) -> bool:
    mine = whole(row, "job_id") == job_id
    return mine and whole(row, "tenant_id") == SYS_TENANT_ID if is_sys else mine


def _state(row: Row) -> JobState:
    return JobState.parse(text(row, "status"))


def _words(row: Row) -> str:
    """The server's word, the step that a tenant is at, and why it has failed."""
    step = text(row, "step")
    word = text(row, "status") or "NULL"
    return f"{word} ({step})" if step and step != word and not _state(row).is_over else word


def _moment(row: Row, name: str, zone: timezone) -> datetime | None:
    try:
        return moment(row, name, zone)
    except UnreadableError:
        return None


def _part(row: Row, zone: timezone) -> BackupPart:
    name = text(row, "tenant_name") or f"tenant {whole(row, 'tenant_id')}"
    state = _state(row)
    blocks, tablets = whole(row, "blocks"), whole(row, "tablets")
    unit, total, done = ("macro blocks", blocks, "blocks_done") if blocks else ("tablets", tablets, "tablets_done")
    point, problem = None, _failure(row) if state.is_over else ""
    if state is JobState.COMPLETED:
        bad = set_problem(text(row, "set_status"), text(row, "file_status"))
        words = f"{text(row, 'set_status') or 'not shown'}/{text(row, 'file_status') or 'not shown'}"
        problem = problem or (f"its set is {words}" if bad else "")
        try:
            point = scn(row, "restore_scn", zone)
        except UnreadableError as error:
            problem = problem or redact(str(error))
    return BackupPart(
        Tenant(whole(row, "tenant_id"), name),
        state,
        _words(row),
        whole(row, "set_id"),
        kind_of(text(row, "kind")),
        _moment(row, "started", zone),
        _moment(row, "ended", zone),
        whole(row, done),
        total,
        unit,
        problem,
        # A number of nanoseconds, rounded down, that the checkpoint must be larger than.
        point + timedelta(microseconds=1) if point else None,
    )


def _failure(row: Row) -> str:
    """RESULT and COMMENT; the sign of RESULT differs by release and edition."""
    comment = redact(text(row, "comment").strip())
    code = abs(whole(row, "result"))
    if _state(row) is JobState.CANCELED:  # its RESULT says no more
        return f"it is CANCELED{f': {comment}' if comment else ''}"
    if not code:
        return comment if _state(row) is not JobState.COMPLETED else ""
    known = fact(code)
    return f"[{code}] {known.meaning}{f': {comment}' if comment else ''}. {known.hint}"
