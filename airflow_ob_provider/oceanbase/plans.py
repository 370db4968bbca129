"""From the state that is to the state that is wanted: what to do, and what to leave alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveSnapshot, ArchiveState
from airflow_ob_provider.oceanbase.waits import RECOVERY


class Action(StrEnum):
    """The next step for what one row governs."""

    NOTHING = "nothing"
    START = "start"
    STOP = "stop"
    WAIT = "wait"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Step:
    """One step, with the state it was decided on."""

    action: Action
    row: ArchiveRow
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.row.tenant.name}: {self.action}, because {self.reason}"


def plan_start(
    snapshot: ArchiveSnapshot, *, restart_interrupted: bool = False, stopped_rounds: tuple[int, ...] = ()
) -> tuple[Step, ...]:
    """One step for each governing row.

    STOP is the only state ARCHIVELOG is accepted in. ``stopped_rounds`` are rounds this start has already asked to
    stop: none is asked twice.
    """
    return tuple(_start(row, restart_interrupted, stopped_rounds) for row in snapshot.governing)


def _start(row: ArchiveRow, restart_interrupted: bool, stopped_rounds: tuple[int, ...]) -> Step:
    state = f"it is {row.status} (round {row.round_id})"
    if row.state is ArchiveState.STOP:
        return Step(Action.START, row, state)
    if row.state.is_running:
        return Step(Action.NOTHING, row, state)
    if row.state is ArchiveState.STOPPING:
        return Step(Action.WAIT, row, state)
    if row.state is ArchiveState.INTERRUPTED:
        if not restart_interrupted:
            return Step(Action.REFUSE, row, state, RECOVERY)
        if row.round_id in stopped_rounds:
            return Step(Action.REFUSE, row, f"{state} although it was asked to stop", "Look into rootservice.log.")
        return Step(Action.STOP, row, f"{state} and restart_interrupted is set")
    return Step(Action.REFUSE, row, state, "A state this release does not know; nothing was changed.")


def plan_stop(snapshot: ArchiveSnapshot) -> tuple[Step, ...]:
    """One step for each governing row; NOARCHIVELOG is accepted in every state but STOP and STOPPING."""
    steps = []
    for row in snapshot.governing:
        state = f"it is {row.status} (round {row.round_id})"
        if row.state is ArchiveState.STOP:
            steps.append(Step(Action.NOTHING, row, state))
        elif row.state is ArchiveState.STOPPING:
            steps.append(Step(Action.WAIT, row, state))
        elif row.state is ArchiveState.UNKNOWN:
            steps.append(Step(Action.REFUSE, row, state, "A state this release does not know; nothing was changed."))
        else:
            steps.append(Step(Action.STOP, row, state))
    return tuple(steps)
