"""Data backup: BACKUP, CANCEL BACKUP, and the engine that runs the jobs.

A backup from sys is a parent row and, a moment later, one child per tenant; a backup from a tenant is one row. Rules
as in kernel source, ``rootserver/backup/ob_backup_data_scheduler.cpp``; a job ends in its history, well or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.cluster import Caller
from airflow_ob_provider.sandbox.errors import TEXTS, ServerError, not_supported
from airflow_ob_provider.sandbox.topology import RPC_PORT, SYS_TENANT_ID

from . import rounds
from .jobs import (
    CANCELED,
    CANCELING,
    COMPLETED,
    DOING,
    FAILED,
    INIT,
    BackupSet,
    Job,
    Task,
    TenantBackups,
)
from .scn import to_scn
from .statements import Backup, CancelBackup
from .targets import named_tenant, own
from .tenants import Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster

CHILD_SECONDS = 1.0
STEP_SECONDS = 3.0
RETRY_SECONDS = 5.0
#: How often a parent looks for its children.
WATCH_SECONDS = 1.7
#: How long a row with a final status stays in the view of running jobs.
RETIRE_SECONDS = 1.0
#: The statuses of a task between DOING and its end.
STEPS = (
    "BACKUP_SYS_META", "BACKUP_USER_META", "BACKUP_META_FINISH", "BACKUP_DATA_SYS", "BACKUP_DATA_MINOR",
    "BACKUP_DATA_MAJOR", "BEFORE_BACKUP_LOG",
)  # fmt: skip
FAILING_STEP = "BACKUP_DATA_MINOR"
CANCELED_CODE = 4072
NOBODY = (
    "no tenant meets the backup condition, please check the tenant status, log archive status, backup data dest, "
    "and backup status for each tenant"
)


class DataBackup:
    """The backup service of the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    # --- statements -------------------------------------------------------------------------------------

    def start(self, command: Backup, caller: Caller) -> None:
        """ALTER SYSTEM BACKUP. OK means that the job row exists."""
        if command.destination is not None:
            raise not_supported("backup do not support using specify path")
        if command.plus_archivelog and not self._cluster.profile.plus_archivelog:
            raise not_supported("plus archive is not supported")
        if not caller.tenant.is_sys:
            if command.tenants is not None:
                raise not_supported("user tenant cannot specify tenant names")
            tenant = own(caller)
            self._check(tenant, tenant.tenant_id)
            self._child(tenant, command, tenant.tenant_id, 0, encrypted=caller.encrypted)
            return
        if command.tenants is None:
            tenants = [t for t in self._cluster.user_tenants if self._refusal(t, SYS_TENANT_ID) is None]
            if not tenants:
                raise ServerError(9040, f"backup can not start, because {NOBODY}")
        else:
            tenants = self._named(command.tenants)
            for tenant in tenants:
                self._check(tenant, SYS_TENANT_ID)
        self._parent(tenants, command, encrypted=caller.encrypted)

    def cancel(self, command: CancelBackup, caller: Caller) -> None:
        """ALTER SYSTEM CANCEL BACKUP: a plain update of the rows that run; none is fine too."""
        if not caller.tenant.is_sys:
            if command.tenants is not None:
                raise not_supported("user tenant cannot specify tenant names")
            chosen = {caller.tenant.tenant_id}
        elif command.tenants is None:
            chosen = set(self._cluster.backups)
        else:
            chosen = {named_tenant(self._cluster, name).tenant_id for name in command.tenants}
        for tenant_id in chosen:
            for job in self._cluster.backups[tenant_id].jobs:
                if job.status in {INIT, DOING}:
                    job.status = CANCELING

    def _named(self, names: tuple[str, ...]) -> list[Tenant4]:
        """Duplicates are merged; ALL is looked up like any name; sys is an internal error."""
        found: list[Tenant4] = []
        for name in names:
            tenant: Tenant4 | None = self._cluster.find_tenant(name)
            if tenant is None:
                raise ServerError(5160)
            if tenant.is_sys:
                raise ServerError(4016)
            if tenant not in found:
                found.append(tenant)
        return found

    def _check(self, tenant: Tenant4, initiator: int) -> None:
        refusal = self._refusal(tenant, initiator)
        self._cluster.events.add_rootservice(
            "backup_data", "start_backup_data", tenant_id=tenant.tenant_id, result=-refusal.errno if refusal else 0
        )
        if refusal:
            raise refusal

    def _refusal(self, tenant: Tenant4, initiator: int) -> ServerError | None:
        backups = self._cluster.backups[tenant.tenant_id]
        archive = self._cluster.archives[tenant.tenant_id]
        reason = ""
        if self._cluster.parameters["enable_upgrade_mode"] == "True":
            reason = "cluster upgrading"
        elif not tenant.normal:
            reason = "tenant status is not normal."
        elif archive.status != rounds.DOING:
            reason = "log archive status is not doing."
        elif backups.place is None:
            if initiator != SYS_TENANT_ID:
                return ServerError(9040)
            reason = "backup dest is not set."
        if reason:
            return ServerError(9040, f"backup can not start, because {reason}")
        if any(job.initiator_tenant_id == initiator for job in backups.jobs):
            return ServerError(9036)
        return None

    # --- parents ----------------------------------------------------------------------------------------

    def _parent(self, tenants: list[Tenant4], command: Backup, *, encrypted: bool) -> None:
        cluster = self._cluster
        own_rows = cluster.backups[SYS_TENANT_ID]
        job = Job(
            tenant_id=SYS_TENANT_ID,
            job_id=own_rows.next_job_id(),
            set_id=0,
            initiator_tenant_id=SYS_TENANT_ID,
            initiator_job_id=0,
            executors=",".join(str(tenant.tenant_id) for tenant in tenants),
            plus_archivelog=command.plus_archivelog,
            kind="INC" if command.incremental else "FULL",
            level="CLUSTER",
            encrypted=encrypted,
            start=cluster.timeline.now,
            description=command.description,
            path="",
        )
        # The docs sample shows the job's own id here.
        job.initiator_job_id = job.job_id
        own_rows.jobs.append(job)
        cluster.timeline.after(CHILD_SECONDS, lambda: self._children(job, tenants, command))

    def _children(self, parent: Job, tenants: list[Tenant4], command: Backup) -> None:
        """Children appear later than the parent; a tenant that can't start any more is left out silently."""
        if parent.status == INIT:
            parent.status = DOING
        children = []
        for tenant in tenants if parent.status == DOING else ():
            refusal = None if tenant in self._cluster.tenants else ServerError(5157)
            refusal = refusal or self._refusal(tenant, SYS_TENANT_ID)
            if refusal is None:
                child = self._child(tenant, command, SYS_TENANT_ID, parent.job_id, encrypted=parent.encrypted)
                children.append(child)
            else:
                self._cluster.events.add_rootservice(
                    "backup_data", "handle_user_tenant_backup_failed", tenant_id=tenant.tenant_id,
                    result=-refusal.errno,
                )  # fmt: skip
        self._watch(parent, children)

    def _watch(self, parent: Job, children: list[Job]) -> None:
        running = [job for backups in self._cluster.backups.values() for job in backups.jobs]
        if any(child in running for child in children):
            self._cluster.timeline.after(WATCH_SECONDS, lambda: self._watch(parent, children))
            return
        failed = next((child for child in children if child.status == FAILED), None)
        canceled = next((child for child in children if child.status == CANCELED), None)
        if failed is not None:
            self._end_job(parent, FAILED, failed.result)
        elif canceled is not None or parent.status == CANCELING:
            self._end_job(parent, CANCELED, self.code(CANCELED_CODE))
        else:
            self._end_job(parent, COMPLETED, 0)

    # --- children ---------------------------------------------------------------------------------------

    def _child(self, tenant: Tenant4, command: Backup, initiator: int, parent: int, *, encrypted: bool) -> Job:
        cluster = self._cluster
        backups = cluster.backups[tenant.tenant_id]
        place = backups.place
        assert place is not None  # noqa: S101 - a precondition of every job
        incremental = command.incremental and backups.last_set(full=True) > 0
        job = Job(
            tenant_id=tenant.tenant_id,
            job_id=backups.next_job_id(),
            set_id=backups.next_set_id(),
            initiator_tenant_id=initiator,
            initiator_job_id=parent,
            executors=str(tenant.tenant_id),
            plus_archivelog=command.plus_archivelog,
            kind="INC" if incremental else "FULL",
            level="USER_TENANT",
            encrypted=encrypted,
            start=cluster.timeline.now,
            description=command.description,
            path=place.shown,
        )
        backups.jobs.append(job)
        scn = to_scn(cluster.timeline.now)
        task = Task(job, job.job_id, cluster.timeline.now, scn, blocks=9 if incremental else 94)
        backup_set = BackupSet(
            job, task, job.set_id, backups.dest_id,
            previous_full=backups.last_set(full=True) if incremental else 0,
            previous_incremental=backups.last_set(full=False) if incremental else 0,
            path=place.shown,
        )  # fmt: skip
        backups.sets.append(backup_set)
        cluster.timeline.after(CHILD_SECONDS, lambda: self._begin(tenant, backup_set))
        return job

    def _begin(self, tenant: Tenant4, backup_set: BackupSet) -> None:
        job = backup_set.job
        if job.status == INIT and self._is_known(tenant, job):
            job.status = DOING
            self._cluster.backups[tenant.tenant_id].tasks.append(backup_set.task)
        self.go_on(tenant, backup_set)

    def go_on(self, tenant: Tenant4, backup_set: BackupSet) -> None:
        """The steps of a set whose job is DOING."""
        steps = [*STEPS, "BACKUP_LOG"] if backup_set.job.plus_archivelog else list(STEPS)
        self._step(tenant, backup_set, steps, 0)

    def _is_known(self, tenant: Tenant4, job: Job) -> bool:
        """The tenant hasn't been dropped, nor the job cleared away."""
        return tenant in self._cluster.tenants and job in self._cluster.backups[tenant.tenant_id].jobs

    def _step(self, tenant: Tenant4, backup_set: BackupSet, steps: list[str], step: int) -> None:
        """One step of a running job, or what keeps it from going on."""
        cluster, job, task = self._cluster, backup_set.job, backup_set.task
        if not self._is_known(tenant, job):
            return
        if job.status == CANCELING:
            self._end_child(backup_set, CANCELED, CANCELED_CODE)
            return
        status = cluster.archives[tenant.tenant_id].status
        if status != rounds.DOING:
            self._end_child(backup_set, FAILED, 9027 if status == rounds.INTERRUPTED else 9029)
            return
        if tenant.name in cluster.faults.stuck_backups or cluster.is_dead(tenant.tenant_id):
            cluster.timeline.after(RETRY_SECONDS, lambda: self._step(tenant, backup_set, steps, step))
            return
        if step == len(steps):
            self._end_child(backup_set, COMPLETED, 0)
            return
        task.status = steps[step]
        errno = cluster.faults.failed_backups.get(tenant.name)
        if errno and task.status == FAILING_STEP:
            self._end_child(backup_set, FAILED, int(errno))
            return
        task.done = (step + 1) / len(steps)
        if task.status == "BACKUP_USER_META":
            task.user_start_scn = to_scn(cluster.timeline.now)
        cluster.timeline.after(STEP_SECONDS, lambda: self._step(tenant, backup_set, steps, step + 1))

    def _end_child(self, backup_set: BackupSet, status: str, errno: int) -> None:
        job, task, now = backup_set.job, backup_set.task, self._cluster.timeline.now
        task.status, task.end, task.result = status, now, self.code(errno)
        if status == FAILED:
            server = self._cluster.servers[0]
            text = TEXTS.get(errno, "Internal error")
            task.comment = job.comment = (
                f"(server)ls_id: 1001, addr: {server.ip}:{RPC_PORT}, module: BACKUP_DATA, "
                f"result: -{errno}({text}), trace_id: YB420A0A0A01-0005F1E2D3C4B5A6-0-0"
            )
        done = status == COMPLETED
        backup_set.status = "SUCCESS" if done else "FAILED"
        backup_set.file_status = "AVAILABLE" if done else "INCOMPLETE"
        if done:
            task.end_scn = to_scn(now)
            backup_set.replay_scn = task.start_scn
            backup_set.restore_scn = task.end_scn
        self._end_job(job, status, self.code(errno))

    def _end_job(self, job: Job, status: str, result: int) -> None:
        """The row shows its end for a moment, then it is history."""
        job.status, job.result, job.end = status, result, self._cluster.timeline.now
        backups = self._cluster.backups.get(job.tenant_id)
        if backups is not None:
            self._cluster.timeline.after(RETIRE_SECONDS, lambda: self._retire(backups, job))

    @staticmethod
    def _retire(backups: TenantBackups, job: Job) -> None:
        backups.retire(job)

    def code(self, errno: int) -> int:
        """RESULT of an error: its sign differs between the builds' documentation."""
        return -errno if self._cluster.profile.negative_results else errno
