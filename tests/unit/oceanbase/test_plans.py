"""From the state that is to the one that is wanted: what is sent, and what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.models import ArchiveState, Scope
from airflow_ob_provider.oceanbase.plans import Action, plan_start, plan_stop
from airflow_ob_provider.oceanbase.waits import RECOVERY
from tests.unit.oceanbase.builders import BANK, SHOP, SYS, by_tenant, row, snapshot

START = {
    # state: without and with restart_interrupted
    "STOP": ("start", "start"),
    "PREPARE": ("nothing", "nothing"),
    "BEGINNING": ("nothing", "nothing"),
    "DOING": ("nothing", "nothing"),
    "SUSPENDING": ("refuse", "refuse"),
    "SUSPEND": ("refuse", "refuse"),
    "STOPPING": ("wait", "wait"),
    "INTERRUPTED": ("refuse", "stop"),
    "UNKNOWN": ("refuse", "refuse"),
}
STOP = {
    "STOP": "nothing",
    "PREPARE": "stop",
    "BEGINNING": "stop",
    "DOING": "stop",
    "SUSPENDING": "stop",
    "SUSPEND": "stop",
    "STOPPING": "wait",
    "INTERRUPTED": "stop",
    "UNKNOWN": "refuse",
}


def test_the_tables_are_whole() -> None:
    assert set(START) == set(STOP) == set(ArchiveState)
    assert {action for pair in START.values() for action in pair} == set(Action) - {Action.RESUME}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("state", list(ArchiveState))
def test_start(state: ArchiveState, restart: bool) -> None:
    (step,) = plan_start(snapshot(row(SYS, state), row(SHOP), row(BANK)), restart_interrupted=restart)
    assert step.action == START[state][restart]
    assert step.row.tenant == SYS
    assert step.reason.startswith(f"it is {state} (round 3)")
    assert str(step) == f"sys: {step.action}, because {step.reason}"
    assert bool(step.hint) is (step.action is Action.REFUSE)


@pytest.mark.parametrize("state", list(ArchiveState))
def test_stop(state: ArchiveState) -> None:
    (step,) = plan_stop(snapshot(row(SYS, state), row(SHOP)))
    assert step.action == STOP[state]
    assert step.row.tenant == SYS
    assert step.reason == f"it is {state} (round 3)"
    assert bool(step.hint) is (step.action is Action.REFUSE)


def test_an_interrupted_round_is_not_touched_unasked() -> None:
    (step,) = plan_start(snapshot(row(SYS, "INTERRUPTED")))
    assert step.action is Action.REFUSE
    assert step.hint == RECOVERY


def test_an_interrupted_round_is_asked_to_stop_once() -> None:
    interrupted = snapshot(row(SYS, "INTERRUPTED", round_id=3))
    (first,) = plan_start(interrupted, restart_interrupted=True, asked={("shop", Action.STOP)})
    assert first.action is Action.STOP
    (again,) = plan_start(interrupted, restart_interrupted=True, asked={("sys", Action.STOP)})
    assert again.action is Action.REFUSE
    assert again.reason == ("it is INTERRUPTED (round 3) and restart_interrupted is set although it was asked to stop")
    assert "look into rootservice.log" in again.hint


def test_the_servers_own_word_is_told() -> None:
    (step,) = plan_start(snapshot(row(SYS, "UNKNOWN", status="MIXED")))
    assert "it is MIXED (round 3)" in str(step)
    for (one,) in (plan_start(snapshot(step.row)), plan_stop(snapshot(step.row))):
        assert one.hint.startswith("A state this release does not know")
        assert one.hint.endswith("nothing was changed.")


def test_one_step_a_governing_row() -> None:
    rows = (row(SHOP, "STOP"), row(BANK, "DOING"))
    tenants = snapshot(*rows, scope=Scope.TENANT)
    assert [(step.row.tenant, step.action) for step in plan_start(tenants)] == [(SHOP, "start"), (BANK, "nothing")]
    assert [(step.row.tenant, step.action) for step in plan_stop(tenants)] == [(SHOP, "nothing"), (BANK, "stop")]


def test_no_governing_row_no_step() -> None:
    """Nothing is sent on no knowledge; that nothing is known is for the caller to tell."""
    assert plan_start(snapshot(row(SHOP))) == plan_stop(snapshot(row(SHOP))) == ()


@given(
    st.sampled_from(ArchiveState),
    st.lists(st.sampled_from(ArchiveState), max_size=2),
    st.booleans(),
    st.booleans(),
    st.sets(st.tuples(st.sampled_from(["sys", "shop"]), st.sampled_from(["start", "stop", "resume"]))),
)
def test_only_stop_is_ever_started_and_nothing_is_stopped_unasked(
    state: ArchiveState, others: list[ArchiveState], deferred: bool, restart: bool, asked: set[tuple[str, Action]]
) -> None:
    rows = [row(tenant, other) for tenant, other in zip((SHOP, BANK), others, strict=False)]
    found = snapshot(row(SYS, state, deferred=deferred), *rows)
    for step in plan_start(found, restart_interrupted=restart, asked=asked):
        assert ("sys", step.action) not in asked, "nothing is sent twice"
        if step.action is Action.START:
            assert state is ArchiveState.STOP
        if step.action is Action.RESUME:
            assert deferred
            assert state in {ArchiveState.SUSPENDING, ArchiveState.SUSPEND, ArchiveState.STOP}
        if step.action is Action.STOP:
            assert restart
            assert state is ArchiveState.INTERRUPTED


# --- each tenant by itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "action", "words"),
    [
        ("STOP", Action.START, "start"),
        ("SUSPEND", Action.RESUME, "go on"),
        ("SUSPENDING", Action.RESUME, "go on"),
        ("INTERRUPTED", Action.STOP, "stop"),
    ],
)
def test_what_was_sent_is_not_sent_again(state: str, action: Action, words: str) -> None:
    deferred = action is Action.RESUME
    found = by_tenant(row(SHOP, state, deferred=deferred), row(BANK, state, deferred=deferred))
    shop, bank = plan_start(found, restart_interrupted=True, asked=[("shop", action)])
    assert shop.action is Action.REFUSE
    assert shop.reason.endswith(f" although it was asked to {words}")
    assert "run this task again" in shop.hint
    assert (shop.row.tenant, bank.row.tenant) == (SHOP, BANK)
    assert bank.action is action
    assert str(bank) == f"bank: {action}, because {bank.reason}"


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("state", ["SUSPEND", "SUSPENDING"])
def test_only_what_somebody_has_switched_off_is_resumed(state: str, deferred: bool) -> None:
    (step,) = plan_start(by_tenant(row(SHOP, state, deferred=deferred)))
    assert step.action is (Action.RESUME if deferred else Action.REFUSE)
    assert step.reason == f"it is {state} (round 3)" + (", suspended by somebody" if deferred else "")
    if not deferred:
        assert "does not know" in step.hint


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("state", list(ArchiveState))
def test_what_was_asked_to_start_runs_or_is_refused(state: ArchiveState, restart: bool, deferred: bool) -> None:
    """An accepted start that is not running has broken, or somebody has stopped it: nothing more is done about it."""
    found = by_tenant(row(SHOP, state, deferred=deferred, blocked="it has no destination"))
    (step,) = plan_start(found, restart_interrupted=restart, asked=[("shop", Action.START)])
    if state.is_running:
        assert (step.action, step.hint) == (Action.NOTHING, "")
        return
    assert (step.action, step.row.tenant) == (Action.REFUSE, SHOP)
    assert step.reason == f"it is {state} (round 3) although it was asked to start"
    if state is ArchiveState.INTERRUPTED:
        assert step.hint == RECOVERY
    else:
        assert "run this task again" in step.hint


def test_a_start_of_another_tenant_is_not_ones_own() -> None:
    (step,) = plan_start(by_tenant(row(SHOP, "STOP")), asked=[("bank", Action.START)])
    assert step.action is Action.START


@pytest.mark.parametrize("state", ["DOING", "BEGINNING", "SUSPEND", "INTERRUPTED"])
def test_what_was_asked_to_stop_is_not_asked_again(state: str) -> None:
    (step,) = plan_stop(by_tenant(row(SHOP, state)), asked={("shop", Action.STOP)})
    assert step.action is Action.REFUSE
    assert step.reason == f"it is {state} (round 3) although it was asked to stop"


@pytest.mark.parametrize("state", ["DOING", "STOPPING", "STOP"])
def test_what_is_not_sent_may_be_planned_again(state: str) -> None:
    """A start that was sent does not stand in the way of a stop, nor of waiting for it, nor of leaving it alone."""
    asked = {("shop", action) for action in (Action.START, Action.RESUME)}
    (step,) = plan_stop(by_tenant(row(SHOP, state)), asked=asked)
    assert step.action == STOP[state]


def test_a_tenant_without_a_usable_destination_is_not_started() -> None:
    stuck = row(SHOP, "STOP", round_id=0, blocked="it has no destination")
    shop, bank = plan_start(by_tenant(stuck, row(BANK, "STOP")))
    assert shop.action is Action.REFUSE
    assert shop.reason == "it is STOP (round 0), and it has no destination"
    assert shop.hint.startswith("SetBackupDestinationOperator")
    assert bank.action is Action.START
    (running,) = plan_start(by_tenant(row(SHOP, blocked="it has no destination")))
    assert running.action is Action.NOTHING, "it runs all the same"


@pytest.mark.parametrize(("deferred", "action"), [(False, Action.START), (True, Action.RESUME)])
def test_in_a_dry_run_a_step_before_would_have_set_the_destination(deferred: bool, action: Action) -> None:
    stuck = by_tenant(row(SHOP, "STOP", round_id=0, blocked="it has no destination", deferred=deferred))
    (step,) = plan_start(stuck, hypothetical=True)
    assert (step.action, step.hint) == (action, "")


@pytest.mark.parametrize("state", [state for state in ArchiveState if state is not ArchiveState.STOP])
@pytest.mark.parametrize("restart", [False, True])
def test_a_dry_run_forgives_nothing_else(state: ArchiveState, restart: bool) -> None:
    found = by_tenant(row(SHOP, state, blocked="it has no destination"))
    (real,) = plan_start(found, restart_interrupted=restart)
    assert plan_start(found, restart_interrupted=restart, hypothetical=True) == (real,)


def test_a_destination_that_is_switched_off_is_switched_on_before_the_start() -> None:
    (step,) = plan_start(by_tenant(row(SHOP, "STOP", deferred=True)))
    assert step.action is Action.RESUME
    (again,) = plan_start(by_tenant(row(SHOP, "STOP", deferred=True)), asked={("shop", Action.RESUME)})
    assert again.action is Action.REFUSE
    (switched_on,) = plan_start(by_tenant(row(SHOP, "STOP")), asked={("shop", Action.RESUME)})
    assert switched_on.action is Action.START


@pytest.mark.parametrize(
    ("state", "archivelog", "action"),
    [
        ("STOP", True, "stop"),
        ("STOP", False, "nothing"),
        ("STOP", None, "nothing"),
        ("STOPPING", True, "stop"),
        ("STOPPING", False, "wait"),
        ("STOPPING", None, "wait"),
        ("DOING", True, "stop"),
    ],
)
def test_a_mode_that_would_start_the_next_round_is_switched_off(
    state: str, archivelog: bool | None, action: str
) -> None:
    (step,) = plan_stop(by_tenant(row(SHOP, state, archivelog=archivelog)))
    assert step.action == action


def test_what_the_server_remarks_is_told() -> None:
    (step,) = plan_start(by_tenant(row(SHOP, "INTERRUPTED", remark="-4184 (server out of disk space)")))
    assert step.reason == "it is INTERRUPTED (round 3): -4184 (server out of disk space)"
