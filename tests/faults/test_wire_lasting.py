"""Faults that stay until somebody mends the server, and faults at random."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.proxy import RandomFaults
from tests.faults.rig import Rig
from tests.faults.tasks import Task, tasks
from tests.faults.verdict import LOST, LOST_HINT, check, expect
from tests.faults.wire import Case, dying, lasting, run, stalling

PROFILES = ("3.2.4", "4.2.5")
SEEDS = range(2)
ONE_IN = 12
MENDED_AFTER = 3


@pytest.mark.parametrize(
    "case", [case for name in PROFILES for table in (lasting, dying, stalling) for case in table(name)], ids=str
)
def test_a_fault_that_stays(case: Case, make_rig: Callable[..., Rig]) -> None:
    run(case, make_rig(case.profile))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("profile", "task"),
    [pytest.param(name, task, id=f"{name}-{task.name}") for name in PROFILES for task in tasks(name)],
)
def test_faults_at_random(profile: str, task: Task, seed: int, make_rig: Callable[..., Rig]) -> None:
    """They go on over several tries, at most until somebody has mended the network."""
    rig = make_rig(profile)
    task.prepare(rig.box)
    rig.proxy.faults.append(RandomFaults(ONE_IN, seed))
    left = [MENDED_AFTER]

    def mend() -> None:
        left[0] -= 1
        if not left[0]:
            rig.proxy.heal()

    rig.on_retry = [mend]
    check(rig, task, expect("success retry", "success", LOST, LOST_HINT), struck=False)
