"""A destination that is full, not mounted or dead, and a server that is down: in every state of log backup.

The server shows none of it: a round stays BEGINNING or STOPPING, and a checkpoint stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.incidents import Row, both, faults, passing, row, run
from tests.faults.rig import Rig
from tests.faults.verdict import Expect, expect

DEAD_3 = {"destination_unwritable": True}
DEAD_4 = {"dead_medium": True}
DOWN = {"dead_servers": {1}}
FORCED = {"4.2.5", "4.3.3"}
"""Builds that end a STOPPING by force after ten minutes."""
MODES = ("deferred", "blocking")
HELPS = "Raise timeout|Start it|Start log backup|Ask for a moment after"
STUCK = expect("failed", "failed", "900 s", "STOPPING|SUSPENDING", HELPS, settles=False)
FINE = expect(settles=False)
LATE = expect("failed", "failed", "checkpoint|round", HELPS, settles=False)
"""What is written while nothing is archived is never proven to be."""


def states(profile: str) -> tuple[str, ...]:
    """The states that a round can be in when its destination dies."""
    if profile in {"3.1.5", "3.2.4"}:
        return ("BEGINNING", "DOING", "STOPPING")
    old = profile == "4.0.0"
    return ("PREPARE", "BEGINNING", "DOING", "STOPPING", *(() if old else ("SUSPENDING", "SUSPEND")))


def of_start(profile: str, state: str) -> Expect:
    """A round that runs is not a start's business; one that never stops cannot be followed by another."""
    return STUCK if state == "STOPPING" and profile not in FORCED else FINE


def of_stop(profile: str, state: str) -> Expect:
    return FINE if profile in FORCED or state == "SUSPEND" else STUCK


def of_doing(state: str) -> Expect:
    """STATUS says DOING also while nothing is written any more: that is what the checkpoint is for."""
    if state == "DOING":
        return FINE
    return expect("failed", "failed", "STOP|SUSPEND|BEGINNING|PREPARE", HELPS, settles=False)


def dead() -> Iterator[Row]:
    """The destination dies in a state and stays dead."""
    for profile, fault in {"3.2.4": DEAD_3, "4.0.0": DEAD_4, "4.2.5": DEAD_4}.items():
        for state in states(profile):
            start = "resume" if state.startswith("SUSPEND") else "start"
            yield row(profile, "dead", faults(**fault), start, of_start(profile, state), state)
            for mode in MODES if profile != "4.0.0" else MODES[:1]:
                yield row(profile, "dead", faults(**fault), f"stop-{mode}", of_stop(profile, state), state)
                yield row(profile, "dead", faults(**fault), f"doing-{mode}", of_doing(state), state)
                later = both(faults(**fault), lambda rig: rig.box.advance(30))
                yield row(profile, "dead", later, f"checkpoint-{mode}", LATE, state)


def mended() -> Iterator[Row]:
    """The same for three minutes: every wait goes on, and nothing is a false alarm."""
    for profile, fault in {"3.2.4": DEAD_3, "4.0.0": DEAD_4, "4.2.5": DEAD_4, "4.3.3": DEAD_4}.items():
        for values, name in ((fault, "mended"), (DOWN, "back")):
            for mode in MODES if profile in {"3.2.4", "4.2.5"} else MODES[:1]:
                for task in ("doing", "checkpoint", "stop", "restart", *(("pieces", "frozen") * (mode == "deferred"))):
                    yield row(profile, name, passing(180, **values), f"{task}-{mode}", expect())


def refused() -> Iterator[Row]:
    """The server looks at a new destination, and says what is wrong with it."""
    yield row("3.2.4", "4009", faults(dest_io_error=True), "destination",
              expect("failed", "failed", r"\[4009\]", "mount it on every"))  # fmt: skip
    for errno, words in {4009: "[Mm]ount", 9070: "Mount|network", 9071: "permi|Let the", 9080: "empty directory",
                         9081: "empty directory", 9082: "Make room|room", 9140: "worm|WORM"}.items():  # fmt: skip
        for task in ("destination", "option"):
            wanted = expect("failed", "failed", rf"\[{errno}\]", words, "tenant1")
            yield row("4.2.5", str(errno), faults(dest_error=errno), task, wanted)
            one = expect("failed", "failed", rf"\[{errno}\]", words, "1 of 2 tenants failed. tenant1")
            yield row("4.2.5", f"{errno}-of-one", faults(dest_error={"tenant1": errno}), task, one)


def unmounted() -> Iterator[Row]:
    """3.x: without the mount on the RootService's own server a round never begins; on another it is broken."""
    broken = expect("failed", "failed", "INTERRUPTED", "mounted and writable", settles=False)
    for mode in MODES:
        for profile in ("3.1.5", "3.2.4") if mode == "deferred" else ("3.2.4",):
            yield row(profile, "unmounted-0", faults(unmounted_servers={0}), f"doing-{mode}", of_doing("BEGINNING"))
            yield row(profile, "unmounted-1", faults(unmounted_servers={1}), f"doing-{mode}", broken)
            yield row(profile, "unmounted-1", faults(unmounted_servers={1}), f"checkpoint-{mode}", broken)
            yield row(profile, "unmounted-1", faults(unmounted_servers={1}), f"stop-{mode}", FINE)
    yield row("3.2.4", "unmounted-1", faults(unmounted_servers={1}), "start", FINE)


def down() -> Iterator[Row]:
    """A server is down and stays down: log backup goes on with the others on 3.x, but no round ends."""
    for profile in ("3.2.4", "4.0.0"):
        yield row(profile, "down", faults(**DOWN), "prerequisites", expect("failed", "failed", "server"))
        yield row(profile, "down", faults(**DOWN), "start", FINE)
        for mode in MODES:
            yield row(profile, "down", faults(**DOWN), f"stop-{mode}", STUCK)
            yield row(profile, "down", faults(**DOWN), f"restart-{mode}", STUCK)
            yield row(profile, "down", faults(**DOWN), f"checkpoint-{mode}", LATE)
            yield row(profile, "down", faults(**DOWN), f"freeze-{mode}", FINE)
            doing = FINE if profile == "3.2.4" else of_doing("BEGINNING")
            yield row(profile, "down", faults(**DOWN), f"doing-{mode}", doing)
    for task in ("destination", "option"):
        yield row("3.2.4", "down", faults(**DOWN), task, FINE)


@pytest.mark.parametrize("case", [*dead(), *mended(), *refused(), *unmounted(), *down()], ids=str)
def test_a_destination_or_a_server_that_is_gone(case: Row, make_rig: Callable[..., Rig]) -> None:
    run(case, make_rig(case.profile))
