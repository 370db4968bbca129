"""From the state that is to the state that is wanted: what to do, and what to leave alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveSnapshot, ArchiveState
from airflow_ob_provider.oceanbase.waits import RECOVERY


class Action(StrEnum):
    """The next step for what one row governs."""

    NOTHING = "nothing"
    START = "start"
    RESUME = "resume"
    STOP = "stop"
    WAIT = "wait"
    REFUSE = "refuse"


Asked = tuple[str, Action]
"""What was sent for which tenant."""


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
    snapshot: ArchiveSnapshot,
    *,
    restart_interrupted: bool = False,
    asked: Collection[Asked] = (),
    hypothetical: bool = False,
) -> tuple[Step, ...]:
    """One step for each governing row, in the order in which they are to be taken.

    STOP is the only state ARCHIVELOG is accepted in. ``asked`` is what this start has sent already: nothing is sent
    twice. ``hypothetical``: a dry run, in which the steps before have not set what they would.
    """
    return tuple(
        _gone(row)
        if (row.tenant.name, Action.START) in asked and not row.state.is_running
        else _once(_start(row, restart_interrupted, hypothetical), asked)
        for row in snapshot.governing
    )


def _start(row: ArchiveRow, restart_interrupted: bool, hypothetical: bool) -> Step:
    state = _state(row)
    if row.state is ArchiveState.STOP:
        if row.blocked and not hypothetical:
            return Step(Action.REFUSE, row, f"{state}, and {row.blocked}", "SetBackupDestinationOperator sets it.")
        # What was switched off stays off: ARCHIVELOG alone would start nothing, and say OK.
        return Step(Action.RESUME if row.deferred else Action.START, row, state)
    if row.deferred and row.state in {ArchiveState.SUSPEND, ArchiveState.SUSPENDING}:
        return Step(Action.RESUME, row, f"{state}, suspended by somebody")
    if row.state.is_running:
        return Step(Action.NOTHING, row, state)
    if row.state is ArchiveState.STOPPING:
        return Step(Action.WAIT, row, state)
    if row.state is ArchiveState.INTERRUPTED:
        if not restart_interrupted:
            return Step(Action.REFUSE, row, state, RECOVERY)
        return Step(Action.STOP, row, f"{state} and restart_interrupted is set")
    return Step(Action.REFUSE, row, state, "A state this release does not know; nothing was changed.")


def _gone(row: ArchiveRow) -> Step:
    """Accepted is not running: a round may break, or be stopped by somebody, before it is read back."""
    hint = RECOVERY if row.state is ArchiveState.INTERRUPTED else _ASK
    return Step(Action.REFUSE, row, f"{_state(row)} although it was asked to start", hint)


def plan_stop(snapshot: ArchiveSnapshot, *, asked: Collection[Asked] = ()) -> tuple[Step, ...]:
    """One step for each governing row; NOARCHIVELOG is accepted in every state but STOP and STOPPING."""
    return tuple(_once(_stop(row), asked) for row in snapshot.governing)


def _stop(row: ArchiveRow) -> Step:
    state = _state(row)
    if row.state is ArchiveState.STOP and not row.archivelog:
        return Step(Action.NOTHING, row, state)
    if row.state is ArchiveState.STOPPING:
        # 4.x: a round that is being stopped while the mode is on is followed by the next one.
        return Step(Action.STOP if row.archivelog else Action.WAIT, row, state)
    if row.state is ArchiveState.UNKNOWN:
        return Step(Action.REFUSE, row, state, "A state this release does not know; nothing was changed.")
    return Step(Action.STOP, row, state)


_ASK = "Somebody may have changed it meanwhile: decide with them, look into rootservice.log, and run this task again."


def _once(step: Step, asked: Collection[Asked]) -> Step:
    if (step.row.tenant.name, step.action) not in asked:
        return step
    words = {Action.STOP: "stop", Action.RESUME: "go on"}[step.action]
    return Step(Action.REFUSE, step.row, f"{step.reason} although it was asked to {words}", _ASK)


def _state(row: ArchiveRow) -> str:
    # In STOP the server still tells what became of the last round.
    remark = f": {row.remark}" if row.remark and row.state is not ArchiveState.STOP else ""
    return f"it is {row.status} (round {row.round_id}){remark}"
