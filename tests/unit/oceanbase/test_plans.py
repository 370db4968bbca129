"""From the state that is to the one that is wanted: what is sent, and what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.models import ArchiveState, Scope
from airflow_ob_provider.oceanbase.plans import Action, plan_start, plan_stop
from airflow_ob_provider.oceanbase.waits import RECOVERY
from tests.unit.oceanbase.builders import BANK, SHOP, SYS, row, snapshot

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
    assert {action for pair in START.values() for action in pair} == set(Action)


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
    assert step.reason == f"it is {state} (round 3)"
    assert bool(step.hint) is (step.action is Action.REFUSE)


def test_an_interrupted_round_is_not_touched_unasked() -> None:
    (step,) = plan_start(snapshot(row(SYS, "INTERRUPTED")))
    assert step.action is Action.REFUSE
    assert step.hint == RECOVERY


def test_an_interrupted_round_is_asked_to_stop_once() -> None:
    interrupted = snapshot(row(SYS, "INTERRUPTED", round_id=3))
    (first,) = plan_start(interrupted, restart_interrupted=True, stopped_rounds=(1, 2))
    assert first.action is Action.STOP
    (again,) = plan_start(interrupted, restart_interrupted=True, stopped_rounds=(3,))
    assert again.action is Action.REFUSE
    assert again.reason == "it is INTERRUPTED (round 3) although it was asked to stop"
    assert again.hint == "Look into rootservice.log."
    (later,) = plan_start(snapshot(row(SYS, "INTERRUPTED", round_id=4)), restart_interrupted=True, stopped_rounds=(3,))
    assert later.action is Action.STOP


def test_the_servers_own_word_is_told() -> None:
    (step,) = plan_start(snapshot(row(SYS, "UNKNOWN", status="MIXED")))
    assert "it is MIXED (round 3)" in str(step)
    assert "nothing was changed" in step.hint


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
    st.sets(st.integers(1, 4)).map(tuple),
)
def test_only_stop_is_ever_started_and_nothing_is_stopped_unasked(
    state: ArchiveState, others: list[ArchiveState], restart: bool, stopped_rounds: tuple[int, ...]
) -> None:
    rows = [row(tenant, other) for tenant, other in zip((SHOP, BANK), others, strict=False)]
    for step in plan_start(
        snapshot(row(SYS, state), *rows), restart_interrupted=restart, stopped_rounds=stopped_rounds
    ):
        if step.action is Action.START:
            assert state is ArchiveState.STOP
        if step.action is Action.STOP:
            assert restart
            assert state is ArchiveState.INTERRUPTED
            assert 3 not in stopped_rounds
