"""A worker's clock that is set by an hour in the middle of a task: the worker's clock decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.incidents import Happens, Row, after, both, faults, row, run
from tests.faults.rig import Rig
from tests.faults.tasks import tasks
from tests.faults.verdict import Expect, expect

PROFILES = ("3.2.4", "4.2.5")
HOUR = 3600.0


def step(seconds: float) -> Happens:
    return lambda rig: setattr(rig.time, "skew", seconds)


def healthy() -> Iterator[Row]:
    """Right before the first thing that is waited for, and a while later."""
    for profile in PROFILES:
        for task in tasks(profile):
            steps = {"deferred": [(HOUR, 0.5)], "blocking": [(-HOUR, 20.0)]}
            for seconds, moment in steps.get(task.name.partition("-")[2], [(HOUR, 0.5), (-HOUR, 0.5)]):
                name = f"clock{seconds:+g}-at-{moment:g}"
                yield row(profile, name, after(moment, step(seconds)), task.name, expect())


def one_by_one() -> Iterator[Row]:
    """4.x: the first tenant has stopped, the clock is set, and the second one is waited for on."""
    for mode in ("deferred", "blocking"):
        for seconds in (HOUR, -HOUR):
            slow = faults(dead_medium={"tenant2"})
            mended = after(200, lambda rig: rig.box.faults.reset())
            happens = both(slow, mended, after(30, step(seconds)))
            yield row("4.2.5", f"clock{seconds:+g}-between-tenants", happens, f"restart-{mode}", expect())


def never() -> Iterator[Row]:
    """As :func:`one_by_one`, but the second one never stops (4.0 has no end by force)."""
    for mode in ("deferred", "blocking"):
        for seconds in (HOUR, -HOUR):
            happens = both(faults(dead_medium={"tenant2"}), after(5, step(seconds)))
            wanted = expect("failed", "failed", "900 s", "tenant2 STOPPING", settles=False)
            yield row("4.0.0", f"clock{seconds:+g}-between-tenants", happens, f"restart-{mode}", wanted)


def stuck() -> Iterator[Row]:
    """What never ends is ended in its bound, neither an hour early nor an hour late."""
    stopping: Expect = expect("failed", "failed", "900 s", settles=False)
    for mode in ("deferred", "blocking"):
        for seconds in (HOUR, -HOUR):
            for task in ("stop", "restart", "frozen"):
                happens = both(faults(destination_unwritable=True), after(30, step(seconds)))
                yield row("3.2.4", f"clock{seconds:+g}-stuck", happens, f"{task}-{mode}", stopping)


@pytest.mark.parametrize("case", [*healthy(), *one_by_one(), *never(), *stuck()], ids=str)
def test_a_clock_that_is_set(case: Row, make_rig: Callable[..., Rig]) -> None:
    run(case, make_rig(case.profile))
