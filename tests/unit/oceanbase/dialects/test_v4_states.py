"""STATUS, LOG_MODE and the destination's state: every combination, what it means and what is done about it.

The oracle is the specification's state machine (4.1, 4.2) and its statements (2.2, 2.3), not the dialect.
"""

from __future__ import annotations

import itertools

import pytest

from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveSnapshot, ArchiveState
from airflow_ob_provider.oceanbase.plans import Action, plan_start, plan_stop
from airflow_ob_provider.oceanbase.waits import ArchiveDoing, ArchiveStopped, Ready, Terminal, Waiting
from tests.unit.oceanbase.fake_server4 import FakeServer4

NO_ROW = "no row"
STATUSES = [
    NO_ROW,
    "PREPARE",
    "BEGINNING",
    "DOING",
    "SUSPENDING",
    "SUSPEND",
    "STOPPING",
    "STOP",
    "INTERRUPTED",
    "PAUSED",
    "NULL",
]
UNKNOWN_STATUSES = {"PAUSED", "NULL"}
"""A word that no manual of 4.x has, and a round without any."""
MODES = ["ARCHIVELOG", "NOARCHIVELOG", "absent", "MAYBE", "NULL"]
"""``absent``: 4.0 has no such column."""
DESTINATIONS = ["none", "ENABLE", "DEFER", "PERHAPS"]
RESTING = {NO_ROW, "STOP"}
RUNNING = {"PREPARE", "BEGINNING", "DOING"}
SUSPENDED = {"SUSPENDING", "SUSPEND"}


def impossible(status: str, mode: str) -> bool:
    """What no server of that version can show (2.2): 4.0 does not suspend."""
    return mode == "absent" and status in SUSPENDED


MATRIX = [one for one in itertools.product(STATUSES, MODES, DESTINATIONS) if not impossible(*one[:2])]
cells = pytest.mark.parametrize(("status", "mode", "destination"), MATRIX, ids=["-".join(one) for one in MATRIX])
sides = pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])


def server(status: str, mode: str, destination: str, own: int | None = None) -> FakeServer4:
    found = FakeServer4("4.0.0.0" if mode == "absent" else "4.2.5.0", own=own)
    found.tenant(1, "sys", "SYS", log_mode="NOARCHIVELOG")
    found.tenant(1002, "shop", log_mode=None if mode == "NULL" else mode)
    if status != NO_ROW:
        found.archive(1002, None if status == "NULL" else status)
    if destination != "none":
        found.destination(1002, "file:///data/nfs/shop", state=destination)
    return found


def snapshot(status: str, mode: str, destination: str, own: int | None = None) -> ArchiveSnapshot:
    found = server(status, mode, destination, own)
    return V4Dialect(found.version, found).archive()


def row(status: str, mode: str, destination: str, own: int | None = None) -> ArchiveRow:
    (found,) = snapshot(status, mode, destination, own).rows
    return found


def is_nonsense(status: str, mode: str, destination: str) -> bool:
    """Words that nobody knows, and what no server can be in: a round that goes on without destination (2.1.2)."""
    if status in UNKNOWN_STATUSES:
        return True
    if mode == "absent":
        return False  # the destination's state came with the mode
    homeless = mode == "ARCHIVELOG" and destination == "none" and status in RUNNING | SUSPENDED
    return homeless or mode in {"MAYBE", "NULL"} or destination == "PERHAPS"


def expected_state(status: str, mode: str, destination: str) -> set[str]:
    """The states that say what is going on, in the order of the scheduler's decisions (4.2)."""
    if is_nonsense(status, mode, destination):
        return {"UNKNOWN"}
    if mode == "absent":
        return {"STOP" if status == NO_ROW else status}
    if mode == "NOARCHIVELOG":
        return {"STOP"} if status in RESTING else {"STOPPING"}
    if status in {"INTERRUPTED", "STOPPING"}:
        return {status}
    if destination == "none":
        return {"STOP"}
    if destination == "DEFER":
        return {"SUSPEND"} if status in RESTING | {"SUSPEND"} else {"SUSPENDING"}
    if status in RESTING:
        return {"PREPARE"}
    return {"BEGINNING"} if status in SUSPENDED else {status}


def expected_start(status: str, mode: str, destination: str) -> Action:
    if is_nonsense(status, mode, destination):
        return Action.REFUSE
    if status in RESTING and destination == "none":
        return Action.REFUSE
    if mode == "NOARCHIVELOG" and status not in RESTING:
        return Action.WAIT
    if status == "INTERRUPTED":
        return Action.REFUSE
    if status == "STOPPING":
        return Action.WAIT
    if destination == "DEFER" and mode != "absent":
        return Action.RESUME
    if status in RESTING and mode != "ARCHIVELOG":
        return Action.START
    return Action.NOTHING


def expected_stop(status: str, mode: str, destination: str) -> Action:
    if is_nonsense(status, mode, destination):
        return Action.REFUSE
    if mode == "ARCHIVELOG":
        return Action.STOP
    if status in RESTING:
        return Action.NOTHING
    if mode == "NOARCHIVELOG" or status == "STOPPING":
        return Action.WAIT
    return Action.STOP


@sides
@cells
def test_state(status: str, mode: str, destination: str, own: int | None) -> None:
    found = row(status, mode, destination, own)
    assert found.state in expected_state(status, mode, destination)
    if status != NO_ROW:
        assert found.status.startswith(status), "the server's own word is told"
        assert found.round_id == 3
    else:
        assert found.status.startswith("no round")
        assert found.round_id == 0
    assert found.idle is (status in RESTING)
    assert found.deferred is (destination == "DEFER" and mode != "absent")
    assert found.archivelog is {"ARCHIVELOG": True, "NOARCHIVELOG": False}.get(mode)
    assert bool(found.blocked) is (destination == "none")


@cells
def test_doing_is_only_what_archives_and_goes_on_to(status: str, mode: str, destination: str) -> None:
    found = row(status, mode, destination)
    whole = status == "DOING" and (mode == "absent" or (mode, destination) == ("ARCHIVELOG", "ENABLE"))
    assert (found.state is ArchiveState.DOING) is whole
    assert isinstance(ArchiveDoing().judge(snapshot(status, mode, destination)), Ready) is whole


@cells
def test_a_word_nobody_knows_is_neither_healthy_nor_broken(status: str, mode: str, destination: str) -> None:
    found = snapshot(status, mode, destination)
    if not is_nonsense(status, mode, destination):
        return
    assert found.rows[0].state is ArchiveState.UNKNOWN
    for wait in (ArchiveDoing(), ArchiveStopped()):
        verdict = wait.begun(found).judge(found)
        assert isinstance(verdict, Waiting)
        assert verdict.unknown
    assert plan_start(found, restart_interrupted=True)[0].action is Action.REFUSE
    assert plan_stop(found)[0].action is Action.REFUSE


@cells
def test_interrupted_is_terminal_unless_it_is_being_stopped(status: str, mode: str, destination: str) -> None:
    verdict = ArchiveDoing().judge(snapshot(status, mode, destination))
    broken = status == "INTERRUPTED" and mode != "NOARCHIVELOG" and not is_nonsense(status, mode, destination)
    assert isinstance(verdict, Terminal) is broken


@sides
@cells
def test_start(status: str, mode: str, destination: str, own: int | None) -> None:
    (step,) = plan_start(snapshot(status, mode, destination, own))
    assert step.action is expected_start(status, mode, destination)
    assert bool(step.hint) is (step.action is Action.REFUSE)
    if status in RESTING and destination == "none" and not is_nonsense(status, mode, destination):
        assert "destination" in step.reason
        assert "SetBackupDestinationOperator" in step.hint


@sides
@cells
def test_restart(status: str, mode: str, destination: str, own: int | None) -> None:
    (step,) = plan_start(snapshot(status, mode, destination, own), restart_interrupted=True)
    broken = status == "INTERRUPTED" and mode != "NOARCHIVELOG" and not is_nonsense(status, mode, destination)
    assert step.action is (Action.STOP if broken else expected_start(status, mode, destination))


@sides
@cells
def test_stop(status: str, mode: str, destination: str, own: int | None) -> None:
    (step,) = plan_stop(snapshot(status, mode, destination, own))
    assert step.action is expected_stop(status, mode, destination)


@pytest.mark.parametrize("state", [" enable ", "Enable", "ENBALE", None])
def test_enable_as_it_may_be_stored(state: str | None) -> None:
    """The manual prints ENBALE, and the server stores the word as it was given; without one ENABLE is the default."""
    found = server("DOING", "ARCHIVELOG", "none")
    found.destination(1002, "file:///data/nfs/shop", state=state)
    shown = V4Dialect(found.version, found).archive().rows[0]
    assert (shown.state, shown.deferred) == (ArchiveState.DOING, False)


@pytest.mark.parametrize("state", ["defer", "Defer", " DEFER "])
def test_defer_as_it_may_be_stored(state: str) -> None:
    found = server("DOING", "ARCHIVELOG", "none")
    found.destination(1002, "file:///data/nfs/shop", state=state)
    shown = V4Dialect(found.version, found).archive().rows[0]
    assert (shown.state, shown.deferred) == (ArchiveState.SUSPENDING, True)


def test_defer_without_a_destination() -> None:
    """The server stores the state without asking for a destination (2.2)."""
    found = server(NO_ROW, "NOARCHIVELOG", "none")
    found.insert("ARCHIVE_DEST", TENANT_ID=1002, DEST_NO=0, NAME="state", VALUE="DEFER")
    (step,) = plan_start(V4Dialect(found.version, found).archive())
    assert step.action is Action.REFUSE
    assert "destination" in step.reason


def test_a_destination_that_was_cleared_is_none() -> None:
    found = server("STOP", "NOARCHIVELOG", "none")
    found.destination(1002, "")
    assert V4Dialect(found.version, found).archive().rows[0].blocked


@pytest.mark.parametrize("word", ["doing", " DOING "])
def test_a_status_in_another_case(word: str) -> None:
    assert row(word, "ARCHIVELOG", "ENABLE").state is ArchiveState.DOING


@pytest.mark.parametrize("word", ["archivelog", " ARCHIVELOG "])
def test_a_mode_in_another_case(word: str) -> None:
    assert row("DOING", word, "ENABLE").archivelog is True


# --- from state to state ----------------------------------------------------------------------------------------------


def step_of(found: FakeServer4, **arguments: bool) -> tuple[str, str]:
    dialect = V4Dialect(found.version, found)
    (step,) = plan_start(dialect.archive(), **arguments)
    sent = {
        Action.START: dialect.start_archive,
        Action.RESUME: dialect.resume_archive,
        Action.STOP: dialect.stop_archive,
    }
    return str(step.action), sent[step.action](step.row).text if step.action in sent else ""


@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_switched_off_and_deferred_is_enabled_first_and_then_switched_on(own: int | None) -> None:
    clause = " TENANT = 'shop'" if own is None else ""
    found = server("STOP", "NOARCHIVELOG", "DEFER", own)
    assert step_of(found) == ("resume", f"ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE'{clause}")
    found.destination(1002, "file:///data/nfs/shop", state="ENABLE")
    assert step_of(found) == ("start", f"ALTER SYSTEM ARCHIVELOG{clause}")
    found.update("DBA_OB_TENANTS", LOG_MODE="ARCHIVELOG")
    assert step_of(found) == ("nothing", "")
    found.archive(1002, "PREPARE", ROUND_ID=4, START_SCN=0)
    assert step_of(found) == ("nothing", "")
    found.archive(1002, "DOING", ROUND_ID=4)
    assert step_of(found) == ("nothing", "")


def test_a_suspended_round_goes_on_as_the_same_round() -> None:
    found = server("SUSPEND", "ARCHIVELOG", "DEFER")
    assert step_of(found) == ("resume", "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE' TENANT = 'shop'")
    found.destination(1002, "file:///data/nfs/shop", state="ENABLE")
    assert step_of(found) == ("nothing", "")
    found.archive(1002, "DOING")
    dialect = V4Dialect(found.version, found)
    assert isinstance(ArchiveDoing(min_rounds={"shop": 3}).judge(dialect.archive()), Ready)


def test_an_interrupted_round_is_stopped_waited_for_and_followed_by_a_new_one() -> None:
    found = server("INTERRUPTED", "ARCHIVELOG", "ENABLE")
    assert step_of(found)[0] == "refuse"
    assert step_of(found, restart_interrupted=True) == ("stop", "ALTER SYSTEM NOARCHIVELOG TENANT = 'shop'")
    found.update("DBA_OB_TENANTS", LOG_MODE="NOARCHIVELOG")
    assert step_of(found, restart_interrupted=True)[0] == "wait"
    found.archive(1002, "STOPPING")
    assert step_of(found, restart_interrupted=True)[0] == "wait"
    found.archive(1002, "STOP")
    assert step_of(found, restart_interrupted=True) == ("start", "ALTER SYSTEM ARCHIVELOG TENANT = 'shop'")


def test_4_0_starts_and_stops_by_status_alone() -> None:
    for status, start in ((NO_ROW, "start"), ("STOP", "start"), ("DOING", "nothing"), ("STOPPING", "wait")):
        assert step_of(server(status, "absent", "ENABLE"))[0] == start


def test_what_a_statement_moves_is_seen() -> None:
    """ARCHIVELOG answers OK whatever comes of it; only the phase tells whether it had an effect (2.3)."""
    before = row("STOP", "NOARCHIVELOG", "ENABLE")
    assert before.phase != row("STOP", "ARCHIVELOG", "ENABLE").phase
    assert before.phase != row("STOP", "NOARCHIVELOG", "DEFER").phase
    assert row("DOING", "ARCHIVELOG", "ENABLE").phase != row("DOING", "NOARCHIVELOG", "ENABLE").phase
    assert before.phase == row("STOP", "NOARCHIVELOG", "ENABLE").phase
