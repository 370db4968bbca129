"""One fault on the socket, at each step of every operator and sensor, on 3.x."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.rig import Rig
from tests.faults.verdict import check
from tests.faults.wire import Case, single


@pytest.mark.parametrize("case", list(single("3.2.4")), ids=str)
def test_a_fault_on_the_way(case: Case, make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(case.profile)
    case.task.prepare(rig.box)
    rig.proxy.faults.append(replace(case.fault))
    check(rig, case.task, case.wanted)
