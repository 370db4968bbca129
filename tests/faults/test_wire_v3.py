"""One fault on the socket, at each step of every operator and sensor, on 3.x."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.rig import Rig
from tests.faults.wire import Case, run, single


@pytest.mark.parametrize("case", list(single("3.2.4")), ids=str)
def test_a_fault_on_the_way(case: Case, make_rig: Callable[..., Rig]) -> None:
    run(case, make_rig(case.profile))
