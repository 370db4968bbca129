"""The wait for the end of a data backup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from airflow_ob_provider.oceanbase.data_backup import BackupPart, BackupSnapshot, JobState
from airflow_ob_provider.oceanbase.models import to_json
from airflow_ob_provider.oceanbase.waits.base import Ready, Snapshot, Terminal, Verdict, Wait, Waiting, time_left
from airflow_ob_provider.oceanbase.words import few

UNSEEN_SECONDS = 300.0
"""How long a job that is neither under way nor in the history is waited for, each time it is missing. Its row goes from
one view to the other in a moment, and the parts of tenants appear a moment after the whole (4.x)."""
_UNSEEN = "is shown neither under way nor as ended"
_LEFT_OUT = (
    "the server shows no part of it in this backup: it was dropped, or the server has left it out without saying so"
)


@dataclass(frozen=True, kw_only=True)
class BackupDone(Wait):
    """A data backup has ended, and every tenant has a usable set of it.

    ``ended_is_enough``: the end is waited for, good or bad; what has become of each tenant stands in the summary.
    """

    reads = "backup"
    job_id: int = 0
    tenants: tuple[str, ...] = ()
    """Who must have a set, whatever becomes of others; () means all that the server shows in it. A server of 4.x may
    leave tenants out without a word."""
    ended_is_enough: bool = False
    missing_since: datetime | None = None
    """The server's time of the first look that has missed it; None while it is seen."""

    def begun(self, snapshot: Snapshot) -> Self:
        """Also remembers since when the job is missing."""
        wait = super().begun(snapshot)
        missing = isinstance(snapshot, BackupSnapshot) and snapshot.is_missing
        if missing is (wait.missing_since is not None):
            return wait
        return replace(wait, missing_since=snapshot.read_at if missing else None)

    def read_arguments(self) -> dict[str, Any]:
        """A job is read by its number."""
        return {"job_id": self.job_id}

    def judge(self, snapshot: BackupSnapshot) -> Verdict:
        """Success is told by the history only: a job whose row has vanished has not succeeded."""
        if snapshot.state is None or snapshot.is_missing:
            return self._missing(snapshot)
        if not snapshot.state.is_over:
            return _under_way(snapshot)
        failed = failures(snapshot, self.tenants)
        if failed and not self.ended_is_enough:
            reasons = few(f"{name}: {reason}" for name, reason in failed.items())
            return Terminal(
                f"data backup {snapshot.job_id} is {snapshot.words}: {reasons}",
                "Remove the cause and take another data backup; until then what it should have closed stays open.",
            )
        return Ready(summary(snapshot, failed, self.tenants))

    def _missing(self, snapshot: BackupSnapshot) -> Verdict:
        left = few(str(part) for part in snapshot.parts if not part.state.is_over)
        shown = f"is {snapshot.words}, but not all of it is: {left}" if left else _UNSEEN
        what = f"data backup {snapshot.job_id} {shown}"
        missing = snapshot.read_at - self.missing_since if self.missing_since else timedelta()
        if missing.total_seconds() < UNSEEN_SECONDS:
            return Waiting(what, unknown=True)
        return Terminal(
            f"{what}, for {UNSEEN_SECONDS:g} s now",
            "Nothing is known of its result. Look at the server's job history and backup sets, and take another one.",
        )


def failures(snapshot: BackupSnapshot, expected: Iterable[str]) -> dict[str, str]:
    """Of the ``expected`` tenants, or all: those without a usable set of an ended job, and why.

    Under ``job`` where it has failed and no tenant tells why.
    """
    parts = {part.tenant.name: part for part in snapshot.parts}
    of_job = f"; of the job it says: {snapshot.problem}" if snapshot.problem else ""
    found = {}
    for name in tuple(expected) or parts:
        part = parts.get(name)
        if part is None:
            found[name] = _LEFT_OUT + of_job
        elif not part.is_usable:
            found[name] = _why(part)
    explained = found or not all(part.is_usable for part in snapshot.parts)
    if snapshot.state is not JobState.COMPLETED and not explained:
        found["job"] = f"it is {snapshot.words}, whatever the sets of its tenants say{of_job}"
    if not parts and not found:
        found["job"] = "it has copied no tenant"
    return found


def _why(part: BackupPart) -> str:
    unclear = "the server shows a set without the moment from which it can be restored"
    return part.problem or (unclear if part.state is JobState.COMPLETED else f"it is {part.words}")


def summary(snapshot: BackupSnapshot, failed: dict[str, str], expected: Iterable[str] = ()) -> dict[str, Any]:
    """What a data backup has left to the ``expected`` tenants, or to all; times by the server's clock."""
    states = {part.tenant.name: part.state for part in snapshot.parts}
    wanted = tuple(expected) or tuple(states)
    usable = [part for part in snapshot.parts if part.is_usable and part.tenant.name in wanted]
    points = {part.tenant.name: part.restore_point for part in usable if part.restore_point}
    length = snapshot.ended - snapshot.started if snapshot.ended and snapshot.started else None
    return {
        "job": snapshot.job_id,
        "state": str(snapshot.state),
        "kinds": {part.tenant.name: kind_word(part.is_full) for part in usable},
        "sets": {part.tenant.name: part.set_id for part in usable},
        "restore_points": {name: to_json(point) for name, point in points.items()},
        "restore_point": to_json(max(points.values(), default=None)),
        "started": to_json(snapshot.started),
        "ended": to_json(snapshot.ended),
        "seconds": length.total_seconds() if length else None,
        "failed": failed,
        "cancelled": [name for name in failed if states.get(name, snapshot.state) is JobState.CANCELED],
        "read_at": to_json(snapshot.read_at),
    }


def kind_word(is_full: bool | None) -> str:
    """As a user writes it."""
    return {True: "full", False: "incremental", None: "unknown"}[is_full]


def _under_way(snapshot: BackupSnapshot) -> Waiting:
    share = snapshot.share
    parts = few(_progress(part, snapshot.read_at) for part in snapshot.parts) or "no tenant yet"
    return Waiting(
        f"data backup {snapshot.job_id} is {snapshot.words}: {parts}",
        share,
        unknown=snapshot.state is JobState.UNKNOWN,
        left=time_left(snapshot.started, snapshot.read_at, share),
    )


def _progress(part: BackupPart, now: datetime) -> str:
    share = part.share
    if part.state.is_over or share is None:
        return str(part)
    left = time_left(part.started, now, share)
    return f"{part} ({share:.0%}{f', about {left:.0f} s to go' if left is not None else ''})"
