"""Data backup: jobs, their progress rows that vanish, and the sets they leave.

Rules as in OceanBase 3.1.5 source, ``src/rootserver/backup/ob_backup_scheduler.cpp`` and ``ob_root_backup.cpp``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.errors import ServerError, not_supported
from airflow_ob_provider.sandbox.topology import SYS_TENANT_ID, Tenant

from .status import DOING

if TYPE_CHECKING:
    from .cluster import Cluster

PREPARE_SECONDS = 2.0
STEP_SECONDS = 3.0
STEPS = 10
CLEANUP_SECONDS = 2.0
#: After this many increments on one full set, the next incremental backup silently becomes a full one.
MAX_INCREMENTS = 64
MACRO_BLOCK = 2 * 1024 * 1024


@dataclass
class TenantBackup:
    """One tenant's part of a job; tenant 1 carries the cluster's state and no data."""

    tenant_id: int
    partitions: int
    macro_blocks: int
    start: datetime
    end: datetime
    finished_partitions: int = 0
    finished_macro_blocks: int = 0
    status: str = "RUNNING"

    @property
    def input_bytes(self) -> int:
        return self.finished_macro_blocks * MACRO_BLOCK

    @property
    def output_bytes(self) -> int:
        return self.finished_macro_blocks * MACRO_BLOCK // 20


@dataclass
class BackupSet:
    """A backup set (BS_KEY); failed jobs use up an id too."""

    key: int
    kind: str
    level: str
    encryption: str
    tenants: list[TenantBackup] = field(default_factory=list)
    #: PREPARE, RUNNING, CLEANUP or DONE
    phase: str = "PREPARE"
    status: str = "DOING"
    file_status: str = "COPYING"
    cancelled: bool = False
    #: START_REPLAY_LOG_TS
    replay: datetime | None = None


class DataBackup:
    """At most one job at a time, cluster-wide."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.sets: list[BackupSet] = []

    @property
    def running(self) -> BackupSet | None:
        return next((s for s in self.sets if s.phase != "DONE"), None)

    def start(
        self, *, incremental: bool, encryption: str = "NONE", tenants: tuple[str, ...] | None = None
    ) -> BackupSet:
        """BACKUP DATABASE, BACKUP INCREMENTAL DATABASE or (enterprise) BACKUP TENANT. Returns once scheduled."""
        cluster = self._cluster
        cluster.check_root_service()
        if not cluster.user_tenants:
            raise not_supported("backup only sys tenant is")
        cluster.check_gts()
        status = cluster.archive.sys.status
        if status != DOING:
            raise ServerError(
                9040, f"backup can not start, because log archive is not doing. log archive status : {status}."
            )
        if self.running:
            raise ServerError(9036)
        chosen = [cluster.tenant_named(n) for n in tenants] if tenants else list(cluster.user_tenants)
        kind = "I" if incremental and self._increment_is_possible() else "D"
        job = BackupSet(
            key=max((s.key for s in self.sets), default=0) + 1,
            kind=kind,
            level="TENANT" if tenants else "CLUSTER",
            encryption=encryption,
        )
        job.tenants = [self._part(None), *(self._part(tenant) for tenant in chosen)]
        self.sets.append(job)
        cluster.events.add_rootservice("backup", "start_backup_cluster", bs_key=job.key, backup_type=kind)
        cluster.timeline.after(PREPARE_SECONDS, lambda: self._run(job))
        return job

    def cancel(self) -> None:
        """CANCEL BACKUP: 9049 when nothing runs, 9041 while the job prepares or cleans up."""
        job = self.running
        if job is None:
            raise ServerError(9049)
        if job.phase != "RUNNING":
            raise ServerError(9041)
        job.cancelled = True

    def force_cancel(self) -> None:
        job = self.running
        if job is not None:
            job.cancelled = True

    def latest_deletable(self, key: int) -> BackupSet:
        """Sets are deleted oldest first, and one valid set must remain."""
        kept = [s for s in self.sets if s.status == "SUCCESS" and s.file_status == "AVAILABLE"]
        chosen = next((s for s in self.sets if s.key == key), None)
        if chosen is None or chosen.phase != "DONE":
            raise ServerError(4016)
        if chosen in kept and (chosen is not kept[0] or len(kept) == 1):
            raise not_supported("delete backup set which is still needed is")
        return chosen

    def put(self, backup_set: BackupSet) -> None:
        """Test back door: a set of the past, or one that goes on from here."""
        self.sets.append(backup_set)
        self.sets.sort(key=lambda s: s.key)
        if backup_set.phase == "RUNNING":
            self._cluster.timeline.after(0, lambda: self._step(backup_set, 1))

    def part_sizes(self, tenant: Tenant | None) -> tuple[int, int]:
        """(partitions, macro blocks) of a tenant, None for sys."""
        return (0, 0) if tenant is None else (120 + tenant.tenant_id % 7, 163)

    def _increment_is_possible(self) -> bool:
        increments = 0
        for backup_set in reversed(self.sets):
            if backup_set.status != "SUCCESS" or backup_set.file_status != "AVAILABLE":
                continue
            if backup_set.kind == "D":
                return increments < MAX_INCREMENTS
            increments += 1
        return False

    def _part(self, tenant: Tenant | None) -> TenantBackup:
        now = self._cluster.timeline.now
        # COMPLETION_TIME is filled from the first progress report on.
        end = now + timedelta(milliseconds=317)
        tenant_id = tenant.tenant_id if tenant else SYS_TENANT_ID
        return TenantBackup(tenant_id, *self.part_sizes(tenant), now, end)

    def _run(self, job: BackupSet) -> None:
        job.phase = "RUNNING"
        self._step(job, 1)

    def _step(self, job: BackupSet, step: int) -> None:
        faults = self._cluster.faults
        if job.cancelled or faults.destination_unwritable:
            self._clean_up(job, "FAILED")
            return
        done = step / STEPS
        for part in job.tenants:
            part.end = self._cluster.timeline.now
            part.finished_partitions = int(part.partitions * done)
            part.finished_macro_blocks = int(part.macro_blocks * done)
        if step < STEPS:
            self._cluster.timeline.after(STEP_SECONDS, lambda: self._step(job, step + 1))
        else:
            self._clean_up(job, "COMPLETED")

    def _clean_up(self, job: BackupSet, status: str) -> None:
        job.phase = "CLEANUP"
        now = self._cluster.timeline.now
        for part in job.tenants:
            part.status = status
            part.end = now + timedelta(microseconds=part.tenant_id % 977)
        self._cluster.timeline.after(CLEANUP_SECONDS, lambda: self._end(job, status))

    def _end(self, job: BackupSet, status: str) -> None:
        job.phase = "DONE"
        job.status = "SUCCESS" if status == "COMPLETED" else "FAILED"
        job.file_status = "AVAILABLE" if status == "COMPLETED" else "INCOMPLETE"
        self._cluster.events.add_rootservice("backup", "finish_backup_cluster", bs_key=job.key, result=status)
