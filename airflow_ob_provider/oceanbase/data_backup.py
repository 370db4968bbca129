"""Data backups: what is asked for, what may be in its way, and what has become of one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from airflow_ob_provider.oceanbase.models import Scope, Tenant, Word

MAX_DESCRIPTION = 200


class BackupKind(StrEnum):
    """What is copied: all, or what has changed since the backup before."""

    FULL = "full"
    INCREMENTAL = "incremental"


class JobState(Word):
    """State of a data backup (4.x: CDB_OB_BACKUP_JOBS; 3.x, which has no words of its own for it, is put into these).

    4.x steps of a task (``BACKUP_DATA_MINOR``, …) stand for DOING.
    """

    INIT = "INIT"
    DOING = "DOING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_over(self) -> bool:
        """Nothing more comes of it."""
        return self in {JobState.COMPLETED, JobState.FAILED, JobState.CANCELED}


@dataclass(frozen=True)
class BackupRequest:
    """A data backup that is asked for."""

    kind: BackupKind = BackupKind.FULL
    plus_archivelog: bool = False
    """4.1+: copy the logs that the set needs into it."""
    description: str = ""
    """4.x: stands in the server's job views."""

    @classmethod
    def check(cls, kind: object, *, plus_archivelog: bool = False, description: object = None) -> Self:
        """Check what a user asks for.

        :raises ValueError: names the argument, its value and what is legal.
        """
        if kind not in tuple(BackupKind):
            raise ValueError(f"kind must be one of {', '.join(BackupKind)}, not {kind!r}")
        text = str(description or "").strip()
        if len(text) > MAX_DESCRIPTION or re.search(r"['\"`\\\x00-\x1f\x7f]", text):
            raise ValueError(
                f"description must be at most {MAX_DESCRIPTION} characters without quotes, backslashes and line "
                f"breaks, not {text!r}"
            )
        return cls(BackupKind(str(kind)), plus_archivelog, text)

    def told(self, token: str) -> str:
        """The description with the mark by which the job is found again."""
        return f"{self.description} {mark(token)}".strip()


def mark(token: str) -> str:
    """What stands in the description of a job that this package has started."""
    return f"[airflow-{token}]"


@dataclass(frozen=True)
class RunningBackup:
    """A data backup under way."""

    job_id: int
    """3.x: BS_KEY; 4.x: JOB_ID of whoever started it."""
    is_full: bool | None
    tenants: tuple[str, ...]
    description: str | None = None
    """None: this server has no place for one (3.x)."""
    plus_archivelog: bool = False
    is_ending: bool = False
    """It is being cancelled, or has failed and cleans up: no set comes of it."""

    def serves(self, request: BackupRequest, tenants: Collection[str]) -> bool:
        """Whether waiting for it gives what is asked for: a full one serves an incremental request too."""
        full_enough = self.is_full is True or (request.kind is BackupKind.INCREMENTAL and self.is_full is not None)
        enough = full_enough and (self.plus_archivelog or not request.plus_archivelog)
        return enough and not self.is_ending and set(tenants) <= set(self.tenants)

    def __str__(self) -> str:
        kind = {True: "full", False: "incremental", None: "unknown kind of"}[self.is_full]
        return f"{kind} data backup {self.job_id}"


@dataclass(frozen=True)
class BackupReadiness:
    """Whether a data backup can start, at one moment of the server's clock."""

    read_at: datetime
    scope: Scope
    candidates: tuple[Tenant, ...]
    """User tenants that it would copy."""
    obstacles: tuple[tuple[str, str], ...] = ()
    """What is in the way, with the way out, by tenant; of a whole 3.x cluster under ``cluster``."""
    running: tuple[RunningBackup, ...] = ()
    """Under way, started from where it is asked from now; only these hold up another one (9036)."""
    newest_job: int = 0
    """Highest number of a job so far: the next one has a higher one."""
    unset: tuple[Tenant, ...] = ()
    """4.x: tenants whose only obstacle is that they have no destination of data backups."""

    def of(self, names: Iterable[str]) -> BackupReadiness:
        """Only these tenants; all, if none is named."""
        wanted = tuple(names)
        if not wanted or self.scope is Scope.CLUSTER:
            return self
        known = {tenant.name for tenant in self.candidates} | {name for name, _ in self.obstacles}
        missing = [(name, "there is no user tenant of that name") for name in wanted if name not in known]
        return replace(
            self,
            candidates=tuple(tenant for tenant in self.candidates if tenant.name in wanted),
            obstacles=(*((name, why) for name, why in self.obstacles if name in wanted), *missing),
        )

    def with_destinations(self) -> BackupReadiness:
        """As it would be if every tenant had a destination: a dry run has not set it."""
        names = {tenant.name for tenant in self.unset}
        obstacles = tuple((name, why) for name, why in self.obstacles if name not in names)
        candidates = sorted((*self.candidates, *self.unset), key=lambda tenant: tenant.tenant_id)
        return replace(self, candidates=tuple(candidates), obstacles=obstacles, unset=())

    def without(self, names: Collection[str]) -> BackupReadiness:
        """Without these tenants, which need no backup."""
        return replace(
            self,
            candidates=tuple(tenant for tenant in self.candidates if tenant.name not in names),
            obstacles=tuple((name, why) for name, why in self.obstacles if name not in names),
        )


@dataclass(frozen=True)
class BackupPart:
    """One tenant's part of a data backup."""

    tenant: Tenant
    state: JobState
    words: str
    """The server's own words."""
    set_id: int = 0
    is_full: bool | None = None
    started: datetime | None = None
    ended: datetime | None = None
    done: int = 0
    total: int = 0
    unit: str = "macro blocks"
    problem: str = ""
    """Why there is no usable set of it; '' while it runs, and where there is one."""
    restore_point: datetime | None = None
    """Log backup must have passed it before the set can be restored: 3.x COMPLETION_TIME, 4.x MIN_RESTORE_SCN."""

    @property
    def is_usable(self) -> bool:
        """Whether it left a set that can be restored once log backup has passed its restore point."""
        return self.state is JobState.COMPLETED and not self.problem and self.restore_point is not None

    @property
    def share(self) -> float | None:
        """From 0 to 1, and not quite 1 before it ends; None where there is no measure."""
        if self.state.is_over:
            return 1.0
        return min(self.done / self.total, 0.99) if self.total else None

    def __str__(self) -> str:
        if self.state.is_over:
            return f"{self.tenant.name} {self.words}{f' ({self.problem})' if self.problem else ''}"
        progress = f": {self.done} of {self.total} {self.unit}" if self.total else ""
        return f"{self.tenant.name} {self.words}{progress}"


@dataclass(frozen=True)
class BackupSnapshot:
    """One data backup at one moment of the server's clock."""

    read_at: datetime
    job_id: int
    state: JobState | None
    """None: the server shows no such job, neither running nor ended."""
    words: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    parts: tuple[BackupPart, ...] = ()
    problem: str = ""
    """Why it has failed, where the server tells it of the whole job."""

    @property
    def is_missing(self) -> bool:
        """Whether it is in no view, or its end is shown while a part of it still runs: for a moment, both may be."""
        return self.state is None or (self.state.is_over and not all(part.state.is_over for part in self.parts))

    @property
    def share(self) -> float | None:
        """How much of it is done, over all tenants; None where there is no measure."""
        shares = [part.share for part in self.parts if part.share is not None]
        return sum(shares) / len(self.parts) if shares and self.parts else None


class Turn(StrEnum):
    """What to do next for a data backup that is asked for."""

    ATTACH = "attach"
    WAIT = "wait"
    SEND = "send"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Decision:
    """The next step, and why."""

    turn: Turn
    reason: str
    job: RunningBackup | None = None
    tenants: tuple[Tenant, ...] = ()
    """4.x: who is to be backed up."""


def decide(readiness: BackupReadiness, request: BackupRequest, mine: RunningBackup | None) -> Decision:
    """Attach to what serves, wait for what is in the way (9036), and start one only where neither is.

    :param readiness: of the tenants that are asked for.
    :param mine: the job that this task waits for already, under way or ended.
    """
    tenants = readiness.candidates
    if mine:
        return Decision(Turn.ATTACH, f"data backup {mine.job_id} is this task's own", mine, tenants)
    names = {tenant.name for tenant in tenants}
    if not tenants and readiness.scope is Scope.TENANT:
        return _refusal(readiness)
    for job in readiness.running:
        # Without log backup a job that runs fails by itself; and one that has begun is no reason to start another.
        if job.serves(request, names or job.tenants):
            return Decision(Turn.ATTACH, f"{job} runs already", job, tenants)
    blocking = [job for job in readiness.running if not job.tenants or names & set(job.tenants)]
    if blocking:
        return Decision(Turn.WAIT, f"{blocking[0]} runs, which is not what is asked for", blocking[0], tenants)
    if not tenants:
        return _refusal(readiness)
    return Decision(Turn.SEND, "no data backup is under way", None, tenants)


def _refusal(readiness: BackupReadiness) -> Decision:
    why = "; ".join(f"{name}: {why}" for name, why in readiness.obstacles) or "there is no user tenant"
    return Decision(Turn.REFUSE, why)


def own_job(jobs: Iterable[RunningBackup], token: str, kind: BackupKind) -> RunningBackup | None:
    """The job that a statement has started, from those that are newer than it, the oldest first: the one with our mark.

    Where there is no place for a mark (3.x) the oldest that the statement can have started: only one runs at a time, so
    any other has begun after it. A full one never comes out incremental.
    """
    for job in jobs:
        if job.description is None and (kind is BackupKind.INCREMENTAL or job.is_full is not False):
            return job
        if mark(token) in (job.description or ""):
            return job
    return None
