"""Faults at the statements that write, on the builds whose statements or states differ from the others'."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.proxy import Kind
from tests.faults.rig import Rig
from tests.faults.tasks import tasks
from tests.faults.wire import Case, run, writes_of

KINDS = (Kind.DROP_BEFORE, Kind.DROP_AFTER)
CASES = [
    case
    for profile in ("3.1.5", "4.0.0", "4.3.3")
    for task in tasks(profile)
    for case in writes_of(profile, task, KINDS)
]


@pytest.mark.parametrize("case", [case for case in CASES if not case.task.name.endswith("blocking")], ids=str)
def test_a_fault_at_a_write(case: Case, make_rig: Callable[..., Rig]) -> None:
    run(case, make_rig(case.profile))
