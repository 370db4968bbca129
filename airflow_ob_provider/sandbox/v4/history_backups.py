"""Test back door: data backups and deletions of one tenant's past."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.past import NewCleanJob, NewSet

from .jobs import CANCELED, COMPLETED, DOING, FAILED, BackupSet, DeleteJob, Job, Task
from .scn import to_scn
from .settings import DATA
from .tenants import Tenant4
from .uri import Place, parse_uri

if TYPE_CHECKING:
    from .cluster import Cluster

CLEAN_ENDS = (COMPLETED, FAILED, CANCELED)
CLEAN_STATUSES = (*CLEAN_ENDS, "INIT", DOING, "CANCELING")
JOB_STATUSES = {"SUCCESS": COMPLETED, "FAILED": FAILED, "DOING": DOING}
CLEAN_TIME = timedelta(minutes=1)
FULL_BLOCKS, INCREMENTAL_BLOCKS = 94, 9
FAILURE = 4016


class PastBackups:
    """Puts sets and clean jobs into a tenant's backups."""

    def __init__(self, cluster: Cluster, tenant: Tenant4) -> None:
        self._cluster = cluster
        self._tenant = tenant
        self._backups = cluster.backups[tenant.tenant_id]

    def put(self, new: NewSet, file_status: str) -> None:
        backups, tenant_id = self._backups, self._tenant.tenant_id
        place = self._place()
        incremental = new.kind == "incremental"
        job = Job(
            tenant_id=tenant_id, job_id=backups.next_job_id(), set_id=new.set_id, initiator_tenant_id=tenant_id,
            initiator_job_id=0, executors=str(tenant_id), plus_archivelog=new.plus_archivelog,
            kind="INC" if incremental else "FULL", level="USER_TENANT", encrypted=False, start=new.start,
            description="", path=place.shown, status=JOB_STATUSES[new.status], end=new.end,
            result=self._result(new), comment=new.comment,
        )  # fmt: skip
        good = new.status == "SUCCESS"
        task = Task(
            job, job.job_id, new.start, to_scn(new.start), job.status, new.end,
            end_scn=to_scn(new.end) if new.end and good else 0,
            user_start_scn=to_scn(new.start) if new.end else 0,
            done=1.0 if good else 0.0, result=job.result, comment=new.comment,
            blocks=INCREMENTAL_BLOCKS if incremental else FULL_BLOCKS,
        )  # fmt: skip
        replay = new.replay_from or (new.start if good else None)
        restore = new.restore_point or (new.end if good else None)
        if replay and restore and replay > restore:
            raise ValueError(f"replay_from is up to restore_point, {restore}, not {replay}")
        found = BackupSet(
            job, task, new.set_id, backups.dest_id,
            previous_full=backups.last_set(full=True) if incremental else 0,
            previous_incremental=backups.last_set(full=False) if incremental else 0,
            path=place.shown, status=new.status, file_status=file_status,
            replay_scn=to_scn(replay) if replay else 0, restore_scn=to_scn(restore) if restore else 0,
        )  # fmt: skip
        backups.sets.append(found)
        if new.end:
            backups.job_history.append(job)
            backups.task_history.append(task)
        else:
            backups.jobs.append(job)
            backups.tasks.append(task)
            self._cluster.timeline.after(0, lambda: self._cluster.backup.go_on(self._tenant, found))

    def _result(self, new: NewSet) -> int:
        failed = new.status == "FAILED" and not new.result
        return self._cluster.backup.code(FAILURE) if failed else new.result

    def _place(self) -> Place:
        """The configured destination, or one of the tenant's own."""
        backups, cluster = self._backups, self._cluster
        if backups.place is None:
            place = parse_uri(f"file:///data/nfs/backup/{self._tenant.name}/data", cluster.profile.schemes)
            cluster.medium.use(place, self._tenant.tenant_id, DATA)
            backups.set_destination(place, cluster.archives[self._tenant.tenant_id].dest_id(place.key))
        assert backups.place is not None  # noqa: S101 - just set
        return backups.place

    def clean(self, new: NewCleanJob) -> None:
        jobs = self._backups.delete_jobs
        end = min(new.at + CLEAN_TIME, self._cluster.timeline.now) if new.status in CLEAN_ENDS else None
        number = max((job.job_id for job in jobs), default=0) + 1
        window = self._cluster.policies.windows.get(self._tenant.tenant_id, "")
        parameter = f"RECOVERY_WINDOW={window}" if window else ""
        jobs.append(DeleteJob(self._tenant.tenant_id, number, parameter, new.at, new.status, new.result, new.comment,
                              end))  # fmt: skip
