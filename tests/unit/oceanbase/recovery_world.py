"""Log backup of a cluster as a model: states by the manuals, and a catalog as a server would show it.

A tick is a minute. What can be restored is computed by the package's own windows, which have a model of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_ob_provider.oceanbase.breaks import BreakEvent, BreakHistory
from airflow_ob_provider.oceanbase.catalog import Attempt, BackupCatalog, Settings, TenantRecord
from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveState, FileStatus, Scope, Tenant
from airflow_ob_provider.oceanbase.recovery import (
    Diagnosis,
    RecoveryPlan,
    RecoveryStep,
    diagnose,
    plan_move,
    plan_recovery,
)
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from airflow_ob_provider.oceanbase.windows import FullBackup, Round, SetProblem, Stretch, recovery
from tests.unit.oceanbase.builders import CST

EPOCH = datetime(2026, 3, 1, tzinfo=CST)
OLD, NEW = "file:///data/old", "file:///data/new"
SHOP, BANK = Tenant(1002, "shop"), Tenant(1004, "bank")
SYS = Tenant(1, "sys")
S = RecoveryStep
RISING = (ArchiveState.PREPARE, ArchiveState.BEGINNING)


def at(tick: int) -> datetime:
    return EPOCH + timedelta(minutes=tick)


def version(text: str) -> OceanBaseVersion:
    return OceanBaseVersion.parse(f"OceanBase {text}.0 (r1)" if text.count(".") == 1 else f"OceanBase {text} (r1)")


@dataclass
class ModelRound:
    round_id: int
    start: int
    checkpoint: int
    broke: bool = False
    comment: str = ""


@dataclass
class World:
    """One cluster of 3.x with two tenants, or one tenant of 4.x."""

    build: str
    state: ArchiveState = ArchiveState.DOING
    now: int = 100
    rounds: list[ModelRound] = field(default_factory=lambda: [ModelRound(1, 0, 100)])
    fulls: list[tuple[int, int, int]] = field(default_factory=lambda: [(1, 10, 12)])
    """(id, from, until)."""
    running_full: tuple[int, int] | None = None
    mode: bool = True
    deferred: bool = False
    destination: str = OLD
    is_dead: bool = False
    """The destination cannot be written: nothing stops, nothing is suspended."""
    since: int = 100
    events: list[BreakEvent] = field(default_factory=list)
    taken: list[RecoveryStep] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    row_changes: dict[str, Any] = field(default_factory=dict)
    record_changes: dict[str, Any] = field(default_factory=dict)

    # --- what a server shows ------------------------------------------------------------------------------------------

    @property
    def is_cluster(self) -> bool:
        return self.build.startswith(("2.", "3."))

    @property
    def has_mode(self) -> bool:
        return not self.is_cluster and not self.build.startswith("4.0")

    @property
    def round(self) -> ModelRound | None:
        return self.rounds[-1] if self.rounds else None

    @property
    def is_over(self) -> bool:
        return self.state is ArchiveState.STOP or not self.rounds

    def row(self, tenant: Tenant) -> ArchiveRow:
        one = self.round
        word = str(self.state)
        state, deferred = self.state, self.deferred and self.has_mode
        mode = self.mode if self.has_mode else None
        if self.has_mode and self.is_over and self.mode:
            state, word = (
                (ArchiveState.SUSPEND, "STOP, DEFER") if deferred else (ArchiveState.PREPARE, "STOP, ARCHIVELOG")
            )
        elif self.has_mode and not self.mode and not self.is_over:
            state, word = ArchiveState.STOPPING, f"{self.state}, NOARCHIVELOG"
        elif state in {ArchiveState.SUSPENDING, ArchiveState.SUSPEND} and not deferred:
            state, word = ArchiveState.BEGINNING, f"{self.state}, ENABLE, not resumed yet"
        row = ArchiveRow(
            tenant,
            state,
            word,
            one.round_id if one else 0,
            0,
            at(one.start) if one else None,
            at(one.checkpoint) if one else None,
            mode,
            deferred,
            "" if self.destination or self.is_cluster else "it has no destination",
            idle=not self.is_cluster and self.is_over,
            remark=one.comment if one and not self.is_cluster else "",
        )
        return replace(row, **self.row_changes)

    def _record(self, tenant: Tenant) -> TenantRecord:
        row = self.row(tenant)
        rounds = [
            Round(
                one.round_id,
                self.row(SYS).state if one is self.round else ArchiveState.STOP,
                at(one.start),
                at(one.checkpoint),
                (
                    Stretch(1, 1, FileStatus.AVAILABLE, at(one.start), at(one.checkpoint),
                            is_open=one is self.round and not self.is_over),
                ),
                one.comment,
                one.broke,
            )
            for one in self.rounds
        ]  # fmt: skip
        fulls = [FullBackup(number, at(start), at(end), at(start)) for number, start, end in self.fulls]
        attempt = None
        if self.running_full:
            number, start = self.running_full
            fulls.append(FullBackup(number, at(start), None, None, SetProblem.RUNNING))
            attempt = Attempt(number, "DOING", at(start), is_full=True)
        place = Destination.parse(self.destination) if self.destination else None
        found = TenantRecord(
            tenant,
            row,
            rounds=tuple(rounds),
            fulls=tuple(fulls),
            attempt=attempt,
            settings=Settings(place, self.destination, **{"mode": "optional", **self.settings}),
            recovery=recovery(rounds, fulls, partial_pieces=self.is_cluster),
        )
        return replace(found, **self.record_changes)

    def catalog(self, **changes: Any) -> BackupCatalog:
        tenants = (SHOP, BANK) if self.is_cluster else (SHOP,)
        scope = Scope.CLUSTER if self.is_cluster else Scope.TENANT
        found = BackupCatalog(
            at(self.now), self.build, scope, "obcluster", "1", self.row(SYS) if self.is_cluster else None,
            tuple(self._record(tenant) for tenant in tenants),
        )  # fmt: skip
        return replace(found, **changes)

    def history(self) -> BreakHistory:
        number = 0 if self.is_cluster else SHOP.tenant_id
        now = BreakEvent(
            at(self.since), "log_archive", "change_status", number, self.round.round_id if self.round else 0,
            self.state, (("new_status", str(self.state)),),
        )  # fmt: skip
        return BreakHistory((now, *self.events))

    def diagnoses(self, **options: Any) -> tuple[Diagnosis, ...]:
        return diagnose(self.catalog(), self.history(), version(self.build), **options)

    def diagnosis(self, **options: Any) -> Diagnosis:
        (one,) = self.diagnoses(**options)
        return one

    def plan(self, **options: Any) -> RecoveryPlan:
        return plan_recovery(self.diagnoses(), **options)

    def steps(self, **options: Any) -> tuple[RecoveryStep, ...]:
        (one,) = self.plan(**options).plans
        return one.steps

    def move(self, to: str = NEW) -> RecoveryPlan:
        return plan_move(self.diagnoses(), Destination.parse(to), cluster="obcluster")

    # --- what happens to it -------------------------------------------------------------------------------------------

    def become(self, state: ArchiveState) -> None:
        self.state, self.since = state, self.now

    def wait(self, ticks: int = 1) -> None:
        """Logs are archived while a round is DOING and its destination alive."""
        self.now += ticks
        if self.state is ArchiveState.DOING and not self.is_dead and self.round:
            self.round.checkpoint = self.now

    def break_off(self) -> None:
        if self.round and self.state in {ArchiveState.DOING, ArchiveState.BEGINNING}:
            self.become(ArchiveState.INTERRUPTED)
            self.round.broke = True

    def new_round(self) -> None:
        number = self.round.round_id + 1 if self.round else 1
        self.rounds.append(ModelRound(number, self.now, self.now))
        self.become(ArchiveState.BEGINNING)

    def take(self, step: RecoveryStep) -> None:
        """A step as the server answers it; what it refuses is an error of the plan."""
        self.taken.append(step)
        self.now += 1
        getattr(self, f"_{step.value}")()

    def _stop(self) -> None:
        assert self.state is not ArchiveState.STOP, "9024"
        self.mode = False
        if self.state is not ArchiveState.STOPPING:
            self.become(ArchiveState.STOPPING)

    def _force_stop(self) -> None:
        assert self.is_cluster, "4.x has none"
        assert self.build not in {"2.2.77", "3.1.2"}, "1064"
        assert self.state is ArchiveState.STOPPING
        self.destination = NEW
        self.is_dead = False
        self.become(ArchiveState.STOP)

    def _wait_stop(self) -> None:
        assert self.state in {ArchiveState.STOPPING, ArchiveState.STOP}
        # It ends by itself, is forced by a 4.x server, or somebody has repaired it.
        self.now += 10
        self.is_dead = False
        self.become(ArchiveState.STOP)

    def _set_destination(self) -> None:
        assert self.is_over, "9036, 1235"
        self.destination, self.deferred = NEW, False

    def _resume(self) -> None:
        assert self.has_mode, "no such state"
        self.deferred = False
        if self.is_over and self.mode:
            self.new_round()
        elif self.state in {ArchiveState.SUSPENDING, ArchiveState.SUSPEND}:
            self.become(ArchiveState.BEGINNING)

    def _start(self) -> None:
        assert self.destination, "9026"
        self.mode = True
        if self.is_over:
            self.new_round()
        assert self.state in {*RISING, ArchiveState.DOING}

    def _wait_doing(self) -> None:
        if self.is_over and self.mode and not self.deferred:
            self.new_round()  # the scheduler
        if self.state in {ArchiveState.SUSPENDING, ArchiveState.SUSPEND} and not self.deferred:
            self.become(ArchiveState.BEGINNING)
        assert self.state in {*RISING, ArchiveState.DOING}, f"it will never be DOING: {self.state}"
        self.is_dead = False
        self.become(ArchiveState.DOING)
        self.wait()

    def _full_backup(self) -> None:
        assert self.state is ArchiveState.DOING, "9040"
        number = max((one[0] for one in self.fulls), default=0) + 1
        self.fulls.append((number, self.now, self.now + 2))
        self.now += 2  # the checkpoint is not past it yet

    def _wait_backup(self) -> None:
        assert self.running_full
        number, start = self.running_full
        self.fulls.append((number, start, self.now))
        self.running_full = None

    def _wait_checkpoint(self) -> None:
        self.is_dead = False
        self.wait(5)

    def _check(self) -> None:
        pass


def follow(world: World, plan: Any, *, on_step: Any = None) -> Sequence[RecoveryStep]:
    """Plan anew before every step, as a DAG does that was interrupted after each."""
    for _ in range(60):
        (one,) = plan(world).plans
        assert not one.refusal, one.refusal
        if one.is_done:
            return world.taken
        todo = [step for step in one.steps if step is not S.CHECK]
        assert todo, "a plan with nothing but a check never ends"
        world.take(todo[0])
        if on_step:
            on_step(world)
    raise AssertionError(f"no end: {world.taken}")
