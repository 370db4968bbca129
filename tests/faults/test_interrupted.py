"""A log stream that breaks, in every state and in mid-wait: never a success, never started again unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.incidents import Row, after, faults, interrupted, row, run
from tests.faults.rig import Rig
from tests.faults.tasks import Task, rescheduled, tasks
from tests.faults.verdict import check, expect

MODES = ("deferred", "blocking")
BROKEN = expect("failed", "failed", "INTERRUPTED", "never heals by itself|Somebody may have", settles=False)
UNTOUCHED = expect("failed", "failed", "INTERRUPTED", "restart_interrupted=True", may_write=False)
PROFILES = ("3.2.4", "4.0.0", "4.2.5")


def at_once() -> Iterator[Row]:
    """It is broken when the task comes."""
    for profile in PROFILES:
        yield row(profile, "interrupted", nothing, "start", UNTOUCHED, "INTERRUPTED")
        for name, words in (("prerequisites", "INTERRUPTED"), ("destination", "[Ss]top")):
            refused = expect("failed", "failed", "INTERRUPTED", words, may_write=False)
            yield row(profile, "interrupted", nothing, name, refused, "INTERRUPTED")
        for mode in MODES:
            yield row(profile, "interrupted", nothing, f"doing-{mode}", BROKEN, "INTERRUPTED")
            yield row(profile, "interrupted", nothing, f"checkpoint-{mode}", BROKEN, "INTERRUPTED")
            yield row(profile, "interrupted", nothing, f"stop-{mode}", expect(), "INTERRUPTED")


def meanwhile() -> Iterator[Row]:
    """It breaks while the task waits."""
    for profile in PROFILES:
        for mode in MODES:
            for state in ("BEGINNING", *(() if profile[0] == "3" else ("PREPARE",))):
                yield row(profile, "breaks", after(1, interrupted()), f"doing-{mode}", BROKEN, state)
            yield row(profile, "breaks", after(1, interrupted()), f"checkpoint-{mode}", BROKEN)


def again() -> Iterator[Row]:
    """3.x: it breaks while it is being stopped, and nobody may loop on that."""
    for profile in ("3.1.5",):
        for mode in MODES:
            for task in ("stop", "restart"):
                broken = after(1, lambda rig: setattr(rig.box._cluster.archive.sys, "status", "INTERRUPTED"))
                yield row(profile, "breaks-again", both_down(broken), f"{task}-{mode}", BROKEN)


def of_one() -> Iterator[Row]:
    """4.x: one tenant's is broken; the others are served, and the error names the one."""
    one = expect("failed", "failed", "INTERRUPTED", "tenant1", settles=False)
    for profile in ("4.2.5", "4.3.3"):
        yield row(profile, "interrupted-of-one", interrupted("tenant1"), "start", one)
        for mode in MODES:
            yield row(profile, "breaks-of-one", after(1, interrupted("tenant1")), f"doing-{mode}", one)


def nothing(rig: Rig) -> None:
    """The state it is in is all."""


def both_down(happens: Callable[[Rig], object]) -> Callable[[Rig], object]:
    """With a server down, so that the stop takes its time."""
    return lambda rig: [faults(dead_servers={1})(rig), happens(rig)]


@pytest.mark.parametrize("case", [*at_once(), *meanwhile(), *again(), *of_one()], ids=str)
def test_a_log_stream_that_breaks(case: Row, make_rig: Callable[..., Rig]) -> None:
    run(case, make_rig(case.profile))


RESCHEDULED = [
    pytest.param(profile, rescheduled(task), id=f"{profile}-{task.name}")
    for profile in ("3.2.4", "4.2.5")
    for task in tasks(profile)
    if task.name in {"doing-blocking", "checkpoint-blocking"}
]


@pytest.mark.parametrize(("profile", "task"), RESCHEDULED)
def test_a_log_stream_that_breaks_between_two_processes(profile: str, task: Task, make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(profile)
    task.prepare(rig.box)
    after(1, interrupted())(rig)
    check(rig, task, BROKEN, struck=False)
