"""A server that answers an error that passes, before or after it has acted, to writes and to reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.incidents import Row, faults, row, run
from tests.faults.rig import Rig
from tests.faults.tasks import tasks
from tests.faults.verdict import Expect, expect

PROFILES = ("3.2.4", "4.2.5")
HINTS = {4012: "read the state|is read again", 4023: "Try again", 4114: "RootService leader", 4527: "Try again"}
FREEZE = "freeze"


def refused(errno: int, first: str = "retry") -> Expect:
    return expect(first, "success", rf"\[{errno}\]", HINTS[errno])


def writes() -> Iterator[Row]:
    """Refused, the statement is sent again by a retry; done, it is not, whatever the answer was."""
    for profile in PROFILES:
        for task in tasks(profile):
            if task.name.endswith("blocking"):
                continue
            for sent in task.sends:
                for errno in HINTS:
                    for acted in (False, True) if errno in {4012, 4114} else (False,):
                        happens = faults(error_once={"pattern": sent, "errno": errno, "after": acted})
                        calm = acted or task.name.startswith(FREEZE)
                        name = f"{errno}-{'after' if acted else 'before'}-{'NO' * ('NOARCH' in sent)}write"
                        yield row(profile, name, happens, task.name, refused(errno, "success" if calm else "retry"))


def reads() -> Iterator[Row]:
    """Three reads in a row fail: waits bear it, everything else may leave it to a retry."""
    for profile in PROFILES:
        for task in tasks(profile):
            for errno in (4012, 4023, 4114) if task.name.endswith("deferred") else (4114,):
                happens = faults(error_once={"pattern": "SELECT|SHOW", "errno": errno, "count": 3})
                first = "success" if task.is_sensor else "success retry"
                yield row(profile, f"{errno}-reads", happens, task.name, refused(errno, first))


def switching() -> Iterator[Row]:
    """The RootService moves for longer than a task reads back."""
    for profile, codes in {"3.2.4": (4114,), "4.2.5": (4114, 4023, 4012)}.items():
        for code in codes:
            for name in ("destination", "option", "start", "restart-deferred", "stop-deferred", "freeze-deferred"):
                if code != 4114 and name in {"option", "restart-deferred", "stop-deferred"}:
                    continue
                happens = faults(rs_switching=True if code == 4114 else code)
                first = "success" if name.startswith(FREEZE) else "retry"
                yield row(profile, f"switch-{code}", happens, name, refused(code, first))
    for name in ("start", "restart-deferred", "stop-deferred"):
        yield row("3.2.4", "config-not-synced", faults(config_not_synced=True), name, refused(4527))


@pytest.mark.parametrize("case", [*writes(), *reads(), *switching()], ids=str)
def test_an_error_that_passes(case: Row, make_rig: Callable[..., Rig]) -> None:
    run(case, make_rig(case.profile))
