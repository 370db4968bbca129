"""What happens to a server, as rows of the table: when, to which task in which state, and what may come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.faults.rig import Rig
from tests.faults.tasks import Task, in_state, tasks
from tests.faults.truth import is_v3
from tests.faults.verdict import Expect, check

Happens = Callable[[Rig], object]


@dataclass(frozen=True)
class Row:
    """An incident, a task in a state, and what may come of it."""

    profile: str
    incident: str
    happens: Happens
    task: Task
    wanted: Expect
    state: str = ""

    def __str__(self) -> str:
        state = f"-in-{self.state}" if self.state else ""
        return f"{self.profile}-{self.incident}-{self.task.name}{state}"


def row(profile: str, incident: str, happens: Happens, task: str, wanted: Expect, state: str = "") -> Row:
    """A row by the name of its task; ``state`` instead of the one that the task would begin in."""
    found = next(each for each in tasks(profile) if each.name == task)
    return Row(profile, incident, happens, replace(found, prepare=in_state(state)) if state else found, wanted, state)


def run(case: Row, rig: Rig) -> None:
    """Run and judge one."""
    case.task.prepare(rig.box)
    case.happens(rig)
    check(rig, case.task, case.wanted, struck=False)


# --- what can happen --------------------------------------------------------------------------------------------------


def faults(**values: Any) -> Happens:
    """Faults of the simulator, from the beginning."""

    def happens(rig: Rig) -> None:
        for name, value in values.items():
            setattr(rig.box.faults, name, value)

    return happens


def passing(seconds: float, **values: Any) -> Happens:
    """As :func:`faults`, until this much has been waited."""
    return both(faults(**values), after(seconds, lambda rig: rig.box.faults.reset()))


def after(seconds: float, happens: Happens) -> Happens:
    """Later, while the task waits."""
    return lambda rig: rig.time.at(seconds, lambda: happens(rig))


def both(*several: Happens) -> Happens:
    return lambda rig: [happens(rig) for happens in several]


def interrupted(*names: str) -> Happens:
    """The log stream breaks: of the cluster (3.x), or of these tenants."""

    def happens(rig: Rig) -> None:
        if is_v3(rig.box):
            rig.box.force_status("INTERRUPTED")
        else:
            for name in names or ("tenant1",):
                rig.box.force_status("INTERRUPTED", name)

    return happens


def dropped(name: str) -> Happens:
    return lambda rig: rig.box.drop_tenant(name)


def created(name: str) -> Happens:
    return lambda rig: rig.box.create_tenant(name)
