"""Rows of a tenant's data backups: jobs, their tasks, the sets they leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .uri import Place

INIT, DOING, COMPLETED, FAILED = "INIT", "DOING", "COMPLETED", "FAILED"
CANCELING, CANCELED = "CANCELING", "CANCELED"
MACRO_BLOCK = 2 * 2**20


@dataclass(eq=False)
class Job:
    """A row of CDB_OB_BACKUP_JOBS and, later, of CDB_OB_BACKUP_JOB_HISTORY."""

    tenant_id: int
    job_id: int
    set_id: int
    initiator_tenant_id: int
    initiator_job_id: int
    executors: str
    plus_archivelog: bool
    kind: str
    level: str
    encrypted: bool
    start: datetime
    description: str
    path: str
    status: str = INIT
    end: datetime | None = None
    result: int = 0
    comment: str = ""

    @property
    def ended(self) -> bool:
        return self.status in {COMPLETED, FAILED, CANCELED}


@dataclass(eq=False)
class Task:
    """A row of CDB_OB_BACKUP_TASKS and of its history. ``done``: the share of the data that is backed up."""

    job: Job
    task_id: int
    start: datetime
    start_scn: int
    status: str = INIT
    end: datetime | None = None
    end_scn: int = 0
    user_start_scn: int = 0
    done: float = 0.0
    result: int = 0
    comment: str = ""
    tablets: int = 617
    blocks: int = 94

    @property
    def finished_tablets(self) -> int:
        return int(self.tablets * self.done)

    @property
    def finished_blocks(self) -> int:
        return int(self.blocks * self.done)

    @property
    def input_bytes(self) -> int:
        return self.finished_blocks * MACRO_BLOCK

    @property
    def output_bytes(self) -> int:
        return self.input_bytes // 12

    @property
    def progress(self) -> float:
        return 100.0 * self.finished_blocks / self.blocks if self.blocks else 0.0


@dataclass(eq=False)
class BackupSet:
    """A row of CDB_OB_BACKUP_SET_FILES."""

    job: Job
    task: Task
    set_id: int
    dest_id: int
    previous_full: int
    previous_incremental: int
    path: str
    status: str = DOING
    file_status: str = "COPYING"
    replay_scn: int = 0
    restore_scn: int = 0


@dataclass(eq=False)
class DeleteJob:
    """A row of CDB_OB_BACKUP_DELETE_JOBS or, with an end, of its history."""

    tenant_id: int
    job_id: int
    window: str
    start: datetime
    status: str
    result: int
    comment: str
    end: datetime | None = None


@dataclass
class TenantBackups:
    """What one tenant has: its destination, its jobs, its sets."""

    tenant_id: int
    place: Place | None = None
    dest_id: int = 0
    #: rows of CDB_OB_BACKUP_PARAMETER
    parameter: dict[str, str] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    job_history: list[Job] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    task_history: list[Task] = field(default_factory=list)
    sets: list[BackupSet] = field(default_factory=list)
    delete_jobs: list[DeleteJob] = field(default_factory=list)

    def clear(self) -> None:
        """Test back door: nothing has ever been backed up or deleted; the destination stays."""
        for rows in (self.jobs, self.job_history, self.tasks, self.task_history, self.sets, self.delete_jobs):
            rows.clear()

    def set_destination(self, place: Place | None, dest_id: int) -> None:
        self.place, self.dest_id = place, dest_id
        self.parameter["data_backup_dest"] = place.text if place else ""

    def next_job_id(self) -> int:
        return max((job.job_id for job in (*self.jobs, *self.job_history)), default=0) + 1

    def next_set_id(self) -> int:
        return max((backup_set.set_id for backup_set in self.sets), default=0) + 1

    def last_set(self, *, full: bool) -> int:
        """The newest usable set (or full set) in the present destination, 0 if there is none."""
        usable = [
            s.set_id
            for s in self.sets
            if s.status == "SUCCESS"
            and s.file_status == "AVAILABLE"
            and s.dest_id == self.dest_id
            and (not full or s.job.kind == "FULL")
        ]
        return max(usable, default=0)

    def retire(self, job: Job) -> None:
        """A job that has ended becomes history, its task with it, unless it has been cleared away."""
        if job not in self.jobs:
            return
        self.jobs.remove(job)
        self.job_history.append(job)
        for task in [task for task in self.tasks if task.job is job]:
            self.tasks.remove(task)
            self.task_history.append(task)
