"""Tenants that are dropped or created while a task waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.faults import truth
from tests.faults.incidents import Row, after, created, dropped, row, run
from tests.faults.rig import Rig
from tests.faults.tasks import Task
from tests.faults.verdict import expect

MODES = ("deferred", "blocking")
V3, V4 = ("3.2.4",), ("4.0.0", "4.2.5")
GONE = expect("failed", "failed", "tenant2", "dropped|no NORMAL user tenant|exist", settles=False)
NOT_ARCHIVED = expect("failed", "failed", "late", "Start it", settles=False)


def named(task: Task, *names: str) -> Task:
    """The same task for these tenants only, and the truth about them only."""

    def make() -> Any:
        made = task.make()
        made.tenants = list(names)
        return made

    def holds(box: Any, result: Any, began: Any) -> str:
        kind = task.name.split("-")[0]
        if kind == "doing":
            return truth.doing(box, names)
        return truth.archived_up_to(box, began, names) if kind == "checkpoint" else task.holds(box, result, began)

    return replace(task, make=make, holds=holds)


def of(case: Row, *names: str) -> Row:
    return replace(case, task=named(case.task, *names), incident=f"{case.incident}-named")


def of_those_present(case: Row) -> Row:
    """4.x: asked for all, a start is for all that are there."""
    names = ("tenant1", "tenant2")
    return replace(case, task=replace(case.task, holds=lambda box, *_: truth.on_its_way(box, names)))


def sensors() -> Iterator[Row]:
    """3.x archives a new tenant by itself, 4.x does not; a dropped one is missed only by who asked for it."""
    for profile in (*V3, *V4):
        for mode in MODES:
            for name in (f"doing-{mode}", f"checkpoint-{mode}"):
                yield row(profile, "dropped", after(1, dropped("tenant2")), name, expect())
                yield of(row(profile, "dropped", after(1, dropped("tenant2")), name, GONE), "tenant1", "tenant2")
                yield of(row(profile, "dropped", after(1, dropped("tenant2")), name, expect()), "tenant1")
                new = expect() if profile in V3 else NOT_ARCHIVED
                if profile in V4 and name.startswith("checkpoint"):
                    new = expect("failed", "failed", "late", "Start log backup|not begun|no archive row")
                yield row(profile, "created", after(1, created("late")), name, new)
                yield of(row(profile, "created", after(1, created("late")), name, expect()), "tenant1", "tenant2")


def operators() -> Iterator[Row]:
    """A start or stop is for the tenants it was decided for."""
    for profile in (*V3, *V4):
        for mode in MODES:
            lost = expect() if profile in V3 else GONE
            for name in (f"stop-{mode}", f"restart-{mode}"):
                yield row(profile, "dropped", after(1, dropped("tenant2")), name, lost)
            yield row(profile, "dropped", after(1, dropped("tenant2")), f"freeze-{mode}", expect())
            yield row(profile, "created", after(1, created("late")), f"stop-{mode}", expect())
            restarted = row(profile, "created", after(1, created("late")), f"restart-{mode}", expect(settles=False))
            yield restarted if profile in V3 else of_those_present(restarted)
            yield row(profile, "created", after(1, created("late")), f"freeze-{mode}", expect())


@pytest.mark.parametrize("case", [*sensors(), *operators()], ids=str)
def test_a_tenant_that_comes_or_goes(case: Row, make_rig: Callable[..., Rig]) -> None:
    run(case, make_rig(case.profile))
