"""Faults on the socket as rows of the table: where each strikes a task, and what may come of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tests.faults.proxy import BREAKING, LOGIN, Fault, Kind
from tests.faults.rig import Rig
from tests.faults.tasks import Task, tasks
from tests.faults.verdict import LOST, LOST_HINT, Expect, check, expect

READ = r"^(SELECT|SHOW)"
FOR_EVER = 1_000_000
DEATH = Fault(Kind.RESET, count=FOR_EVER, after="^ALTER")


def run(case: Case, rig: Rig) -> None:
    """Run and judge one."""
    case.task.prepare(rig.box)
    rig.proxy.faults += [replace(fault) for fault in (case.fault, case.then) if fault]
    check(rig, case.task, case.wanted)


@dataclass(frozen=True)
class Case:
    """A task, a fault, and what may come of it."""

    profile: str
    task: Task
    fault: Fault
    where: str
    wanted: Expect
    then: Fault | None = None
    """What follows once the fault has met a statement."""

    def __str__(self) -> str:
        return f"{self.profile}-{self.task.name}-{self.fault.kind}-at-{self.where}"


def single(profile: str) -> Iterator[Case]:
    """One fault, once: every kind on every task, at each step that a task has."""
    for task in tasks(profile):
        yield from _at_reads(profile, task)
        blocking = task.name.endswith("blocking")
        yield from writes_of(profile, task, (Kind.DROP_BEFORE, Kind.RESET) if blocking else tuple(Kind))
        for sent in task.sends[:1]:
            for kind in (Kind.RESET,) if blocking else (Kind.HALF, Kind.STALL):
                yield Case(profile, task, Fault(kind, READ, after=sent), "read-back", _of_reads(task))


def _at_reads(profile: str, task: Task) -> Iterator[Case]:
    """Every kind at each step; of a task that waits, some in the triggerer and the others in the worker."""
    steps = {
        "deferred": [
            (LOGIN, 0, Kind.DROP_BEFORE),
            (READ, 0, Kind.HALF),
            (READ, 2, Kind.RESET),
            (READ, 2, Kind.DROP_AFTER),
        ],
        "blocking": [
            (LOGIN, 0, Kind.DROP_AFTER),
            (READ, 0, Kind.DROP_BEFORE),
            (READ, 2, Kind.STALL),
            (".", 0, Kind.SLOW),
        ],
    }
    mode = task.name.partition("-")[2]
    for when, found in steps.items():
        for on, skip, kind in found if not mode or when == mode else ():
            where = "everything" if kind is Kind.SLOW else "login" if on == LOGIN else f"read-{skip + 1}"
            wanted = expect() if kind is Kind.SLOW else _of_reads(task)
            yield Case(profile, task, Fault(kind, on, skip, FOR_EVER if kind is Kind.SLOW else 1), where, wanted)


def writes_of(profile: str, task: Task, kinds: Iterable[Kind] = tuple(Kind)) -> Iterator[Case]:
    """Every kind on every statement that a task sends."""
    for number, sent in enumerate(task.sends):
        for kind in kinds:
            where = f"write-{number + 1}" if number else "write"
            yield Case(profile, task, Fault(kind, sent), where, _of_writes(task, kind))


def lasting(profile: str) -> Iterator[Case]:
    """A server that cannot be reached, or answers nothing any more, until somebody mends it and the task runs again."""
    for task in tasks(profile):
        for kind in (Kind.DROP_BEFORE,) if task.name.endswith("blocking") else (Kind.RESET,):
            yield Case(profile, task, Fault(kind, count=FOR_EVER), "everything", expect("retry", "success", LOST,
                       LOST_HINT))  # fmt: skip
            ready_at_once = profile == "3.2.4" and task.name.startswith("pieces")
            fault = Fault(kind, READ, skip=0 if ready_at_once else 2, count=FOR_EVER)
            yield Case(profile, task, fault, "later-reads", expect("retry success", "success", LOST, LOST_HINT))


def dying(profile: str) -> Iterator[Case]:
    """A server that dies with a statement on its way: nobody can see what became of it before the next try.

    A freeze leaves no state that the next try could read: it is repeated, which its docstring says, and no case here.
    """
    for task in (task for task in tasks(profile) if not task.name.startswith("strict-freeze")):
        for sent in task.sends[:1]:
            for kind in (Kind.DROP_BEFORE, Kind.RESET):
                first = "success" if task.best_effort else "retry"
                fault = Fault(kind, sent)
                yield Case(profile, task, fault, "write-and-death", expect(first, "success", LOST, LOST_HINT), DEATH)


def stalling(profile: str) -> Iterator[Case]:
    """A server that takes statements and never answers: a wait must end all the same. Few, for each costs seconds."""
    for task in tasks(profile):
        if task.name in {"start", "doing-deferred", "checkpoint-blocking"}:
            fault = Fault(Kind.STALL, READ, count=FOR_EVER)
            yield Case(profile, task, fault, "reads", expect("retry", "success", LOST, LOST_HINT))


def _of_reads(task: Task) -> Expect:
    """Waits bear a fault that passes; whatever else reads may leave it to a retry."""
    return expect("success" if task.is_sensor else "success retry", "success", LOST, LOST_HINT)


def _of_writes(task: Task, kind: Kind) -> Expect:
    """What the server never had is a retry; what it has done is seen in its state, and is a success at once."""
    lost = kind is Kind.DROP_BEFORE and not task.best_effort
    wanted = expect("retry" if lost else "success", "success", LOST, LOST_HINT)
    return wanted if kind in BREAKING else replace(wanted, first=frozenset({"success"}))
