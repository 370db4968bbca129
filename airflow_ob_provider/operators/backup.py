"""Data backup: take one, cancel one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.arguments import check_flag
from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    DataBackupFailedError,
    NotVerifiedError,
    OceanBaseServerError,
    PrerequisitesNotMetError,
    WaitTimeoutError,
)
from airflow_ob_provider.oceanbase.data_backup import (
    BackupKind,
    BackupReadiness,
    BackupRequest,
    Decision,
    RunningBackup,
    Turn,
    decide,
    own_job,
)
from airflow_ob_provider.oceanbase.models import Scope, to_json
from airflow_ob_provider.oceanbase.waits import BackupDone
from airflow_ob_provider.operators.backup_progress import BackupProgress
from airflow_ob_provider.operators.base import WaitingOperator, carried
from airflow_ob_provider.operators.tenantwise import TenantwiseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_ob_provider.oceanbase.dialects import Dialect
    from airflow_ob_provider.oceanbase.statements import Statement

IN_PROGRESS, CANNOT_START = 9036, 9040
_SENDS = 3
"""How often a start may meet a backup that somebody else has started in the same moment."""


class BackupDatabaseOperator(TenantwiseOperator, WaitingOperator):
    """Take a data backup and wait for its end: ``ALTER SYSTEM BACKUP DATABASE``, 4.x also of named tenants.

    What the server would refuse is looked at first, with the way out (9040: log backup must be DOING; 4.x: the tenant
    NORMAL and DATA_BACKUP_DEST set). A backup that runs already and serves is waited for instead of starting another
    (9036); one that does not serve, such as an incremental one where a full one is asked for, is waited for first.
    Success is told by the history alone: every tenant has a set that is SUCCESS and AVAILABLE. 4.x leaves out tenants
    that cannot start any more without saying so, and both generations make a full backup of an incremental one where
    there is none to build on: both are told.

    The job is found by its number, higher than any before, and on 4.x by a mark in its description. With Airflow 3.3 or
    newer a retry finds it again, also when the worker was killed after the statement, and never starts a second one
    while it runs or once it has succeeded; a retry after a failure takes a new one, on 4.x of those tenants only that
    have no set yet. Clearing the task takes a new one. Airflow 3.2 has no task state store: there a retry finds only a
    backup that still runs.

    Needs a user of tenant sys with ALTER SYSTEM and SELECT on ``oceanbase.*``; on 4.x also of a user tenant, for
    itself.
    Log backup must pass ``restore_point`` before the backup can be restored: follow with
    :class:`~airflow_ob_provider.sensors.archivelog.ArchiveCheckpointSensor`.

    :param kind: ``full`` or ``incremental``.
    :param plus_archivelog: 4.1+: copy the logs that the set needs into it (PLUS ARCHIVELOG).
    :param tenants: 4.x user tenants; None means all that are NORMAL. 3.x backs up the whole cluster.
    :param description: 4.x: shown in the server's job views, at most 200 characters.
    :param timeout: seconds until the wait ends, 86,400 by default. The backup goes on; a new run attaches to it.
    :raises DataBackupFailedError: a tenant has no usable set; Airflow retries.
    :raises ArchiveStateError: somebody has cancelled it.
    :raises PrerequisitesNotMetError: nothing could be sent.
    :return: ``changed``, ``statements``, ``attached``, ``job``, ``kind`` (asked for) and ``kinds`` (as they are, by
        tenant), ``became_full``, ``sets`` by tenant, ``restore_points`` by tenant and the latest, ``restore_point``,
        ``started``, ``ended``, ``seconds``, ``tenants`` with a set, ``failed`` ones with their reasons.
    """

    template_fields: Sequence[str] = (
        *WaitingOperator.template_fields, "on_partial_failure", "kind", "plus_archivelog", "description",
    )  # fmt: skip

    def __init__(
        self,
        *,
        kind: str = "full",
        plus_archivelog: bool | str = False,
        description: str | None = None,
        poll_interval: float | str = 30.0,
        timeout: float | str = 86_400.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poll_interval=poll_interval, timeout=timeout, **kwargs)
        self.kind = kind
        self.plus_archivelog = plus_archivelog
        self.description = description

    @property
    def request(self) -> BackupRequest:
        """What is asked for, checked.

        :raises ValueError: an argument is not legal.
        """
        plus = check_flag(self.plus_archivelog, "plus_archivelog")
        return BackupRequest.check(self.kind, plus_archivelog=plus, description=self.description)

    def check_arguments(self) -> None:
        """:raises ValueError: an argument is not legal; nothing was sent."""
        super().check_arguments()
        _ = self.request

    def execute(self, context: Context) -> Any:
        """Look, attach or start, and wait."""
        self.check_arguments()
        progress = BackupProgress.recall(context)
        progress.until = 0.0
        return self._act(context, progress)

    def _act(self, context: Context, progress: BackupProgress) -> Any:
        for _ in range(_SENDS):
            readiness, decision = self.read(lambda dialect: self._look(dialect, progress))
            self.log.info("%s, because %s", decision.turn, decision.reason)
            if self.is_dry_run:
                return self._dry(context, readiness, decision)
            self._take(progress, readiness, decision)
            if decision.turn is Turn.REFUSE:
                return self._refused(context, readiness, progress)
            if progress.until <= readiness.read_at.timestamp():  # all of it was spent on waiting for others
                raise self._timeout_error()
            job = decision.job
            if decision.turn is Turn.WAIT and job:
                wait = BackupDone(job_id=job.job_id, ended_is_enough=True)
                return self._wait(wait, context, "again", progress, readiness)
            if job is None:
                job = self._send(context, readiness, decision, progress)
            if job is not None:
                progress.job = job.job_id
                progress.remember(context)
                wait = BackupDone(job_id=job.job_id, tenants=tuple(progress.names), ended_is_enough=True)
                return self._wait(wait, context, "ended", progress, readiness)
        raise NotVerifiedError(
            f"{self.task_id}: somebody else has started a data backup {_SENDS} times in a row just before this task; "
            "nothing was started"
        )

    def _look(self, dialect: Dialect, progress: BackupProgress) -> tuple[BackupReadiness, Decision]:
        backups, request, names = dialect.data_backups, self.request, self.names
        backups.check(request, names)
        found = backups.readiness()
        readiness = (found.with_destinations() if self.is_dry_run else found).of(names).without(progress.kept)
        mine = None
        if progress.job is not None:
            mine = RunningBackup(progress.job, None, tuple(progress.names))
        elif progress.after is not None:
            mine = own_job(backups.started(progress.after), progress.token, request.kind)
            if mine:
                progress.statements.append(progress.pending)
            else:
                progress.after = None  # it never arrived
        return readiness, decide(readiness, request, mine)

    def _take(self, progress: BackupProgress, readiness: BackupReadiness, decision: Decision) -> None:
        progress.until = progress.until or readiness.read_at.timestamp() + float(self.timeout)
        progress.whole_cluster = readiness.scope is Scope.CLUSTER
        if progress.after is None and progress.job is None:
            progress.names = [tenant.name for tenant in decision.tenants]
            progress.obstacles = {} if progress.whole_cluster else dict(readiness.obstacles)

    def _send(
        self, context: Context, readiness: BackupReadiness, decision: Decision, progress: BackupProgress
    ) -> RunningBackup | None:
        """Send it once, and find the job; None where somebody else was faster."""
        progress.token, progress.after = uuid.uuid4().hex[:12], readiness.newest_job
        progress.names = [tenant.name for tenant in decision.tenants]
        everybody = not self.names and not progress.kept
        statement = self.read(lambda dialect: self._statement(dialect, progress, everybody=everybody))
        progress.pending = str(statement)
        progress.remember(context)  # before it is sent: a worker that dies in between must not send it again
        failure: OceanBaseServerError | None = None
        try:
            self.send(statement)
        except OceanBaseServerError as error:
            if not error.is_transient:
                progress.after = None
                progress.forget_job(context)
                if not self._is_in_progress(error):
                    raise
                self.log.warning("%s Looking for it.", error)
                return None
            self.log.warning("%s Looking for the job instead of sending it again.", error)
            failure = error
        after, token, kind = progress.after, progress.token, self.request.kind
        found = self.read_until(lambda dialect: own_job(dialect.data_backups.started(after), token, kind), bool)
        if found is None:
            raise failure or NotVerifiedError(f"{statement} was accepted, but no job of it is shown")
        progress.statements.append(str(statement))
        return found

    def _is_in_progress(self, error: OceanBaseServerError) -> bool:
        """Whether another one is why it was refused: where every tenant has one, BACKUP DATABASE of 4.x says 9040."""
        if error.errno == CANNOT_START:
            return bool(self.read(lambda dialect: dialect.data_backups.readiness().running))
        return error.errno == IN_PROGRESS

    def _statement(self, dialect: Dialect, progress: BackupProgress, *, everybody: bool) -> Statement:
        names = () if everybody or progress.whole_cluster else tuple(progress.names)
        return dialect.data_backups.start(self.request, names, progress.token)

    def _wait(
        self, wait: BackupDone, context: Context, method: str, progress: BackupProgress, readiness: BackupReadiness
    ) -> Any:
        left = progress.until - readiness.read_at.timestamp()
        return self.wait_for(wait, context, method, asdict(progress), seconds=left)

    def again(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Another backup has ended, or is not shown any more: look again."""
        if not event or event.get("status") != "terminal":
            self.settle(event)
        return self._act(context, BackupProgress.of(carried(event)))

    def ended(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """The backup has ended: what it has left, tenant by tenant."""
        progress = BackupProgress.of(carried(event))
        return self._conclude(context, progress, self.settle(event))

    def _conclude(self, context: Context, progress: BackupProgress, summary: dict[str, Any]) -> dict[str, Any]:
        asked = self.request.kind
        failed = dict(summary["failed"])
        for name, kind in summary["kinds"].items():
            if kind != BackupKind.FULL and asked is BackupKind.FULL:
                failed[name] = f"a full backup was asked for, and what was made is {kind}"
        became_full = sorted(
            name
            for name, kind in summary["kinds"].items()
            if progress.statements and kind != asked and kind == BackupKind.FULL
        )
        if became_full:
            self.log.warning("There was no backup to build on, so the server has made full ones: %s", became_full)
        for name, number in summary["sets"].items():
            if name not in failed:
                point, kind = summary["restore_points"][name], summary["kinds"][name]
                progress.kept[name] = {"set": number, "kind": kind, "restore_point": point}
        cancelled = set(summary["cancelled"])
        failures: dict[str, Exception] = {
            name: (ArchiveStateError if name in cancelled else DataBackupFailedError)(f"{name}: {why}")
            for name, why in failed.items()
        }
        failures |= {name: PrerequisitesNotMetError(f"{name}: {why}") for name, why in progress.obstacles.items()}
        sets = dict(progress.kept)
        if failed:
            # The set of a cluster is whole or nothing.
            progress.kept = {} if progress.whole_cluster else sets
            progress.forget_job(context)
        else:
            progress.remember(context)
        result = self._result(progress, sets) | {
            "attached": not progress.statements,
            "became_full": became_full,
            **{name: summary[name] for name in ("job", "started", "ended", "seconds", "read_at")},
        }
        return self.conclude(result, failures, [] if progress.whole_cluster else list(sets), context)

    def _result(self, progress: BackupProgress, sets: dict[str, dict[str, Any]]) -> dict[str, Any]:
        points = {name: one["restore_point"] for name, one in sets.items()}
        return {
            "oceanbase_conn_id": self.oceanbase_conn_id,
            "changed": bool(progress.statements),
            "statements": progress.statements,
            "attached": False,
            "job": None,
            "kind": str(self.request.kind),
            "kinds": {name: one["kind"] for name, one in sets.items()},
            "became_full": [],
            "sets": {name: one["set"] for name, one in sets.items()},
            "restore_points": points,
            "restore_point": max(points.values(), key=datetime.fromisoformat, default=None),
            **dict.fromkeys(("started", "ended", "seconds", "read_at")),
        }

    def _refused(self, context: Context, readiness: BackupReadiness, progress: BackupProgress) -> dict[str, Any]:
        """Nothing can be sent. What an earlier try has made is made."""
        failures: dict[str, Exception] = {
            name: PrerequisitesNotMetError(f"{name}: {why}") for name, why in readiness.obstacles
        }
        if not failures and not progress.kept:
            raise PrerequisitesNotMetError("there is no user tenant to back up")
        result = self._result(progress, progress.kept) | {"read_at": to_json(readiness.read_at)}
        return self.conclude(result, failures, list(progress.kept), context)

    def _dry(self, context: Context, readiness: BackupReadiness, decision: Decision) -> dict[str, Any]:
        failures: dict[str, Exception] = {
            name: PrerequisitesNotMetError(f"{name}: {why}") for name, why in readiness.obstacles
        }
        plan: list[Statement | str] = []
        if decision.turn in {Turn.ATTACH, Turn.WAIT}:
            plan.append(f"wait for the {decision.job}")
        if decision.turn in {Turn.SEND, Turn.WAIT}:
            chosen = tuple(tenant.name for tenant in decision.tenants) if self.names else ()
            plan.append(self.read(lambda dialect: dialect.data_backups.start(self.request, chosen, "0" * 12)))
        names = [] if readiness.scope is Scope.CLUSTER else [tenant.name for tenant in decision.tenants]
        return self.conclude(self.planned(plan), failures, names, context)

    def timed_out(self, context: Context) -> Any:  # noqa: ARG002
        """The scheduler has ended the wait."""
        raise self._timeout_error()

    def _timeout_error(self) -> WaitTimeoutError:
        return WaitTimeoutError(
            f"{self.task_id}: the data backup has not ended within {float(self.timeout):g} s; the log of the trigger "
            "says how far it is. It goes on: run the task again, which attaches to it, or give it a longer timeout. "
            "CancelBackupOperator ends it."
        )


class CancelBackupOperator(WaitingOperator):
    """Cancel the data backups that run, and wait until they have ended. Nothing in this package does so by itself.

    What is copied so far is left behind as a set that cannot be used. Log backup is not touched. Where none runs
    nothing is sent, so a retry is safe. Privileges as :class:`BackupDatabaseOperator`.

    :param tenants: 4.x user tenants whose part is to be cancelled; None means all. 3.x cancels the cluster's.
    :param confirm: must be True, so that nobody cancels a backup by copying a line.
    :return: ``changed``, ``statements``, ``jobs`` by number with the state that they ended in.
    """

    template_fields: Sequence[str] = (*WaitingOperator.template_fields, "confirm")
    ui_color = "#ffd9d0"

    def __init__(self, *, confirm: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.confirm = confirm

    def check_arguments(self) -> None:
        """:raises ValueError: an argument is not legal, or ``confirm`` is missing; nothing was sent."""
        super().check_arguments()
        if not check_flag(self.confirm, "confirm") and not self.is_dry_run:
            raise ValueError("confirm must be True to cancel data backups: what they have copied so far is lost")

    def execute(self, context: Context) -> Any:
        """Look, cancel, wait."""
        self.check_arguments()
        names = self.names
        running, statement = self.read(lambda dialect: _to_cancel(dialect, names))
        result: dict[str, Any] = {"oceanbase_conn_id": self.oceanbase_conn_id, "changed": False, "statements": []}
        if self.is_dry_run or not running:
            plan = [f"{statement}, which ends the {job}" for job in running]
            ends = [f"which ends the {job}" for job in running]
            sql: list[Statement | str] = [statement, *ends] if running else []
            return result | {"jobs": {}} | (self.planned(plan, sql=sql) if self.is_dry_run else {})
        result |= {"changed": True, "statements": [str(statement)]}
        try:
            self.send(statement)
        except OceanBaseServerError as error:
            if not error.is_state and not error.may_have_happened:
                raise
            if error.is_state:  # it has ended in the same moment
                result |= {"changed": False, "statements": []}
            self.log.warning("%s Looking for what has become of it.", error)
        return self._await(context, result, [job.job_id for job in running], {})

    def _await(self, context: Context, result: dict[str, Any], left: list[int], jobs: dict[str, str]) -> Any:
        if not left:
            self.log.info("Ended: %s", jobs)
            return result | {"jobs": jobs}
        carry = {"result": result, "left": left, "jobs": jobs}
        return self.wait_for(BackupDone(job_id=left[0], ended_is_enough=True), context, "ended", carry)

    def ended(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """One of them has ended."""
        carry = carried(event)
        summary = self.settle(event)
        jobs = {**carry["jobs"], str(summary["job"]): summary["state"]}
        return self._await(context, carry["result"], carry["left"][1:], jobs)


def _to_cancel(dialect: Dialect, names: tuple[str, ...]) -> tuple[list[RunningBackup], Statement]:
    dialect.check_scope(names)
    readiness = dialect.data_backups.readiness()
    wanted = set(names)
    running = [job for job in readiness.running if not wanted or not job.tenants or wanted & set(job.tenants)]
    return running, dialect.data_backups.cancel(names)
