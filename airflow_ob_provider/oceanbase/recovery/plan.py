"""The steps that are left from the state that is to a log backup that can be restored, and what they cost.

A plan is made of what the server shows and of nothing that a run remembers, so one that was interrupted at any step
goes on. A log backup that archives is stopped by :func:`plan_move` alone, which is asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from airflow_ob_provider.oceanbase.compliance.words import Text, both
from airflow_ob_provider.oceanbase.destination import NO_CLUSTER_NAME, Destination
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveState, Scope
from airflow_ob_provider.oceanbase.recovery import runbook
from airflow_ob_provider.oceanbase.recovery.cost import Cost, cost_of
from airflow_ob_provider.oceanbase.recovery.diagnosis import Diagnosis
from airflow_ob_provider.oceanbase.recovery.unit import Unit


class RecoveryStep(StrEnum):
    """One step, in the order in which they are taken."""

    FORCE_STOP = "force_stop"
    """3.x: CANCEL ALL BACKUP FORCE, wait for STOP, and set a new destination."""
    STOP = "stop"
    WAIT_STOP = "wait_stop"
    SET_DESTINATION = "set_destination"
    RESUME = "resume"
    """4.x: switch the destination on again."""
    START = "start"
    WAIT_DOING = "wait_doing"
    FULL_BACKUP = "full_backup"
    WAIT_BACKUP = "wait_backup"
    """A full backup that runs already."""
    WAIT_CHECKPOINT = "wait_checkpoint"
    """A full backup is there that the logs have not passed yet."""
    CHECK = "check"


@dataclass(frozen=True)
class UnitPlan:
    """What is left to do for one cluster or tenant."""

    place: str
    steps: tuple[RecoveryStep, ...]
    reason: Text
    """Why these steps, or why none."""
    cost: Cost | None = None
    """None where nothing is lost."""
    refusal: str = ""
    """Why nothing can be planned; '' if something can."""

    @property
    def is_done(self) -> bool:
        """Nothing is to be done, and that is known."""
        return not self.steps and not self.refusal


@dataclass(frozen=True)
class RecoveryPlan:
    """What is left to do for a cluster's log backup."""

    scope: Scope
    plans: tuple[UnitPlan, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        """Every step that some unit needs, in alphabetical order."""
        return tuple(sorted({str(step) for plan in self.plans for step in plan.steps}))

    def places(self, *steps: RecoveryStep) -> tuple[str, ...]:
        """Units that need one of these steps."""
        return tuple(plan.place for plan in self.plans if set(steps) & set(plan.steps))

    @property
    def refused(self) -> dict[str, str]:
        """Why a unit has no plan, by its name."""
        return {plan.place: plan.refusal for plan in self.plans if plan.refusal}

    @property
    def is_done(self) -> bool:
        """Nothing is left to be done anywhere, and that is known."""
        return all(plan.is_done for plan in self.plans)


def plan_recovery(diagnoses: Sequence[Diagnosis], *, stop_suspended: bool = False) -> RecoveryPlan:
    """From any state to restorable. A state that is not known is refused.

    :param stop_suspended: stop a round that is stuck in SUSPENDING instead of waiting for its destination: a gap.
    """
    return _plan(diagnoses, lambda diagnosis, unit, row: _recover(diagnosis, unit, row, stop_suspended=stop_suspended))


def plan_move(diagnoses: Sequence[Diagnosis], wanted: Destination, *, cluster: str = "") -> RecoveryPlan:
    """From wherever log backup goes to ``wanted``, and on to restorable; what is there already needs what is left only.

    :param wanted: may hold ``{cluster}``, and on 4.x ``{tenant}`` and ``{tenant_id}``.
    :param cluster: the cluster's name.
    """
    return _plan(diagnoses, lambda diagnosis, unit, row: _move(diagnosis, unit, row, wanted, cluster))


def _plan(diagnoses: Sequence[Diagnosis], one: Callable[[Diagnosis, Unit, ArchiveRow], UnitPlan]) -> RecoveryPlan:
    plans = []
    for diagnosis in diagnoses:
        unit, row = diagnosis.unit, diagnosis.unit.row
        plans.append(
            _refused(unit, diagnosis.refusal) if diagnosis.refusal or row is None else one(diagnosis, unit, row)
        )
    return RecoveryPlan(diagnoses[0].unit.scope if diagnoses else Scope.TENANT, tuple(plans))


def _recover(diagnosis: Diagnosis, unit: Unit, row: ArchiveRow, *, stop_suspended: bool) -> UnitPlan:
    state = unit.state
    if _never(unit, row):
        return UnitPlan(unit.place, (), runbook.NEVER)
    if state is ArchiveState.INTERRUPTED:
        return _restart(unit, row, (RecoveryStep.STOP, RecoveryStep.WAIT_STOP), diagnosis.runbook)
    if state is ArchiveState.STOPPING:
        if _has_no_destination(unit, row):  # 3.x, after a stop by force: it ends by itself
            return _restart(unit, row, (RecoveryStep.WAIT_STOP, RecoveryStep.SET_DESTINATION), runbook.STOPPING)
        return _restart(unit, row, _until_stop(diagnosis), diagnosis.runbook)
    if state is ArchiveState.STOP or _is_kept_from_starting(row):
        resumes = (RecoveryStep.RESUME,) if row.deferred else ()
        sets = (RecoveryStep.SET_DESTINATION,) if _has_no_destination(unit, row) else ()
        return _restart(unit, row, (*sets, *resumes), runbook.NO_DESTINATION if sets else diagnosis.runbook)
    if _hangs(diagnosis) and stop_suspended:
        return _restart(unit, row, (RecoveryStep.STOP, RecoveryStep.WAIT_STOP), diagnosis.runbook)
    if state in {ArchiveState.SUSPENDING, ArchiveState.SUSPEND}:
        return _forward(diagnosis, unit, (RecoveryStep.RESUME, RecoveryStep.WAIT_DOING))
    if state in {ArchiveState.PREPARE, ArchiveState.BEGINNING}:
        return _forward(diagnosis, unit, (RecoveryStep.WAIT_DOING,))
    return _archiving(diagnosis, unit)


def _move(diagnosis: Diagnosis, unit: Unit, row: ArchiveRow, wanted: Destination, cluster: str) -> UnitPlan:
    if _never(unit, row):
        return UnitPlan(unit.place, (), runbook.NEVER)
    now = next((one.settings for one in unit.records if one.settings), None)
    if unit.why_no_settings or now is None:
        return _refused(unit, f"where it archives to cannot be told: {unit.why_no_settings or 'it is not shown'}")
    if "cluster" in wanted.placeholders and not cluster:
        return _refused(unit, NO_CLUSTER_NAME)
    if unit.scope is Scope.CLUSTER and wanted.placeholders & {"tenant", "tenant_id"}:
        return _refused(unit, f"{wanted}: {{tenant}} has no meaning where the whole cluster archives to one place")
    target = wanted.filled(cluster=cluster, tenant=unit.place, tenant_id=str(unit.tenant_id))
    if now.destination is not None and now.destination.same_place(target):
        left = _recover(diagnosis, unit, row, stop_suspended=False)
        return replace(left, reason=both("it goes to {d} already. {r}", "已指向 {d}。{r}", d=target, r=left.reason))
    reason = both("from {a} to {b}", "由 {a} 迁移到 {b}", a=now.shown or both("no destination", "无目的端"), b=target)
    return _restart(unit, row, _until_moved(diagnosis, unit, row), reason, moves=True)


def _never(unit: Unit, row: ArchiveRow) -> bool:
    """Whether log backup is off and has never been on: to begin with it is no recovery."""
    return not unit.has_archived and (unit.state is ArchiveState.STOP or _is_kept_from_starting(row))


def _is_kept_from_starting(row: ArchiveRow) -> bool:
    """4.x: no round runs, the mode is on, and DEFER keeps the scheduler from starting one."""
    return row.deferred and row.idle


def _refused(unit: Unit, why: str) -> UnitPlan:
    return UnitPlan(unit.place, (), runbook.UNTOLD.filled(why=why), refusal=why)


def _until_stop(diagnosis: Diagnosis) -> tuple[RecoveryStep, ...]:
    """Of 3.x, what is stuck is ended by force where there is one; with an empty destination it ends by itself."""
    if diagnosis.is_stuck and diagnosis.can_force:
        return (RecoveryStep.FORCE_STOP,)
    return (RecoveryStep.WAIT_STOP,)


def _until_moved(diagnosis: Diagnosis, unit: Unit, row: ArchiveRow) -> tuple[RecoveryStep, ...]:
    if unit.state is ArchiveState.STOP or _is_kept_from_starting(row):
        return (RecoveryStep.SET_DESTINATION,)
    if unit.state is ArchiveState.STOPPING and not row.archivelog:
        stop = _until_stop(diagnosis)
        # The stop by force sets the destination: the statement empties it.
        return stop if RecoveryStep.FORCE_STOP in stop else (*stop, RecoveryStep.SET_DESTINATION)
    # 4.x: a round that is being stopped while the mode is on is followed by the next one.
    return (RecoveryStep.STOP, RecoveryStep.WAIT_STOP, RecoveryStep.SET_DESTINATION)


def _hangs(diagnosis: Diagnosis) -> bool:
    return diagnosis.is_stuck and diagnosis.status.startswith(ArchiveState.SUSPENDING)


def _has_no_destination(unit: Unit, row: ArchiveRow) -> bool:
    """4.x says so itself; of 3.x a setting that was read and is empty says so."""
    if unit.scope is Scope.TENANT:
        return bool(row.blocked)
    return not unit.why_no_settings and any(one.settings and not one.settings.shown for one in unit.records)


def _restart(
    unit: Unit, row: ArchiveRow, first: Iterable[RecoveryStep], reason: Text, *, moves: bool = False
) -> UnitPlan:
    """These steps, then a new round with a full backup."""
    comes_by_itself = unit.state is ArchiveState.STOPPING and bool(row.archivelog) and not moves
    back = (RecoveryStep.WAIT_DOING,) if comes_by_itself else (RecoveryStep.START, RecoveryStep.WAIT_DOING)
    backup = (RecoveryStep.FULL_BACKUP,) if unit.records else ()
    return UnitPlan(unit.place, (*first, *back, *backup, RecoveryStep.CHECK), reason, cost_of(unit))


def _forward(diagnosis: Diagnosis, unit: Unit, first: tuple[RecoveryStep, ...]) -> UnitPlan:
    """These steps, and a full backup where the hole is open already; the round goes on."""
    backup = (RecoveryStep.FULL_BACKUP,) if unit.open_gaps else ()
    cost = cost_of(unit) if unit.open_gaps else None
    return UnitPlan(unit.place, (*first, *backup, RecoveryStep.CHECK), diagnosis.runbook, cost)


def _archiving(diagnosis: Diagnosis, unit: Unit) -> UnitPlan:
    """DOING: never stopped, whatever is open."""
    gaps = unit.open_gaps
    if unit.why_untold and not gaps:  # one hole that is known needs a full backup, whatever else is not
        why = f"log backup is DOING, but whether a full backup is needed cannot be told: {unit.why_untold}"
        return _refused(unit, why)
    if not gaps:
        return UnitPlan(unit.place, (), runbook.FINE)
    if _full_backup_runs(unit):
        step = RecoveryStep.WAIT_BACKUP
    elif all(gap.pending is not None for gap in gaps.values()):
        step = RecoveryStep.WAIT_CHECKPOINT
    else:
        step = RecoveryStep.FULL_BACKUP
    return UnitPlan(unit.place, (step, RecoveryStep.CHECK), diagnosis.runbook, cost_of(unit))


def _full_backup_runs(unit: Unit) -> bool:
    """A full backup that began in the round that archives now: it will end the hole of every tenant in it."""
    if unit.row is None or unit.row.started is None:
        return False
    running = [
        record.tenant.name
        for record in unit.records
        if record.attempt
        and record.attempt.is_full
        and record.attempt.status.strip().upper() in {"DOING", "RUNNING"}
        and record.attempt.started is not None
        and record.attempt.started >= unit.row.started
    ]
    return bool(running) and set(unit.open_gaps) <= set(running)
