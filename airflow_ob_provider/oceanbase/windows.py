"""To what moments a tenant can be restored, by the catalog, and the holes between them.

A full backup is brought forward by the logs that follow it without a hole in the same round. So a window begins at a
full backup and ends where those logs end; what lies between two windows can never be restored.

Rules. 3.x: from a set's START_TIME to MAX_NEXT_TIME of its round, once that has passed COMPLETION_TIME (manual V3.1.5,
restore); a set never crosses into another round (9048, 9064). 4.x: from MIN_RESTORE_SCN to CHECKPOINT_SCN, which must
be larger, with all logs since START_REPLAY_SCN (kernel source; 4018 otherwise). Incremental sets add no moment to the
window of their full set, and no source says that one ends a hole, so they are left out: a hole is ended by a full set.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus

_DEAD = frozenset({ArchiveState.STOP, ArchiveState.STOPPING, ArchiveState.INTERRUPTED})
CLEANED = frozenset({FileStatus.EXPIRED, FileStatus.DELETING, FileStatus.DELETED})


@dataclass(frozen=True)
class Stretch:
    """Adjacent pieces of a round whose files are in one condition; a single piece is a stretch too."""

    first_id: int
    last_id: int
    file_status: FileStatus
    start: datetime | None
    """From when on their logs are; None while the server has not told yet (3.x, in a switch of pieces)."""
    end: datetime | None
    """Where the next piece begins; of no meaning while ``is_open``."""
    checkpoint: datetime | None = None
    is_open: bool = False
    """The last of them is still written to: its logs end at the round's checkpoint."""


@dataclass(frozen=True)
class Round:
    """One round of one tenant."""

    round_id: int
    state: ArchiveState
    started: datetime | None
    checkpoint: datetime | None
    """Everything from ``started`` to here is archived."""
    stretches: tuple[Stretch, ...] = ()
    """Its pieces, oldest first."""
    comment: str = ""
    """What the server says about it."""
    was_interrupted: bool = False
    """It broke off before it was stopped."""


class SetProblem(StrEnum):
    """Why a full backup carries no window."""

    RUNNING = "running"
    FAILED = "failed"
    DELETED = "deleted"
    """Cleaned, or about to be."""
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """The server says about it what no manual mentions, or not from when its logs are needed."""


@dataclass(frozen=True)
class FullBackup:
    """A full backup set of one tenant."""

    set_id: int
    logs_from: datetime | None
    """Logs are needed since: 3.x START_TIME, 4.x START_REPLAY_SCN."""
    logs_past: datetime | None
    """Logs must have passed: 3.x COMPLETION_TIME, 4.x MIN_RESTORE_SCN."""
    restores_from: datetime | None
    """The first moment it restores to: 3.x START_TIME, 4.x MIN_RESTORE_SCN."""
    problem: SetProblem | None = None
    stands_for: int = 1
    """How many sets of its round it speaks for: the server names the oldest and the newest only."""


class CauseKind(StrEnum):
    """What made a hole."""

    INTERRUPTED = "interrupted"
    STOP_START = "stop_start"
    PIECE_BROKEN = "piece_broken"
    PIECE_INCOMPLETE = "piece_incomplete"
    PIECE_MISSING = "piece_missing"
    PIECE_CLEANED = "piece_cleaned"
    NOT_ADJACENT = "not_adjacent"
    SET_FAILED = "set_failed"
    SET_DELETED = "set_deleted"
    NO_FULL_BACKUP = "no_full_backup"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cause:
    """One reason for a hole, as far as the catalog tells."""

    kind: CauseKind
    at: datetime | None
    round_id: int
    first_id: int = 0
    last_id: int = 0
    """Pieces, or the set."""
    comment: str = ""


@dataclass(frozen=True)
class LogRun:
    """Logs without a hole."""

    round_id: int
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Window:
    """Moments that can be restored, the first and the last one included."""

    start: datetime
    end: datetime
    set_id: int
    """The oldest full backup of the window, which carries all of it."""
    round_id: int
    full_backups: int


@dataclass(frozen=True)
class Gap:
    """Moments after the first window that cannot be restored."""

    start: datetime
    end: datetime | None
    """Where the next window begins; None while it grows."""
    causes: tuple[Cause, ...]
    ended_by: int | None = None
    """The full backup that ends it."""
    pending: int | None = None
    """A full backup that will end it once the checkpoint has passed it."""


@dataclass(frozen=True)
class Recovery:
    """What can be restored of one tenant."""

    windows: tuple[Window, ...]
    gaps: tuple[Gap, ...]

    @property
    def open_gap(self) -> Gap | None:
        """The hole that grows now."""
        return next((gap for gap in self.gaps if gap.end is None), None)

    def covers(self, moment: datetime) -> bool:
        """Whether the tenant can be restored to ``moment``."""
        return any(window.start <= moment <= window.end for window in self.windows)


def recovery(rounds: Sequence[Round], backups: Iterable[FullBackup], *, partial_pieces: bool) -> Recovery:
    """Windows and holes of one tenant.

    :param rounds: all rounds, oldest first.
    :param backups: its full backups; of those without a problem the oldest of each unbroken stretch of logs suffices.
    :param partial_pieces: what INCOMPLETE means: 3.x, a piece that is good up to its own checkpoint (True); 4.x, one
        that lacks logs of some log streams, which is normal only while it is new (False).
    """
    fulls = sorted(backups, key=lambda full: full.set_id)
    runs: list[LogRun] = []
    breaks: list[Cause] = []
    for one in rounds:
        found, broken = log_runs(one, partial_pieces=partial_pieces)
        runs += found
        breaks += broken
    windows = tuple(window for run in runs if (window := _window(run, fulls)))
    causes = breaks + [_end_of(one) for one in rounds if one is not rounds[-1] or one.state in _DEAD]
    causes += [cause for full in fulls if (cause := _unusable(full, rounds))]
    carried = {(window.round_id, window.end) for window in windows}
    causes += [
        Cause(CauseKind.NO_FULL_BACKUP, run.start, run.round_id)
        for run in runs
        if (run.round_id, run.end) not in carried
    ]
    gaps = [
        Gap(before.end, after.start, _between(causes, before.end, after.start), after.set_id)
        for before, after in pairwise(windows)
    ]
    since = _open_since(rounds, runs, windows, breaks)
    if since is not None:
        last = runs[-1] if runs and rounds[-1].state not in _DEAD and runs[-1].round_id == rounds[-1].round_id else None
        gaps.append(Gap(since, None, _between(causes, since, None), pending=_pending(last, fulls)))
    return Recovery(windows, tuple(gaps))


def log_runs(one: Round, *, partial_pieces: bool) -> tuple[list[LogRun], list[Cause]]:
    """Logs of a round without a hole, and what breaks them."""
    runs: list[LogRun] = []
    causes: list[Cause] = []
    if one.started is None or one.checkpoint is None:
        return runs, causes
    before: Stretch | None = None
    goes_on = False
    for stretch in one.stretches:
        if before is not None and stretch.first_id > before.last_id + 1:
            at = before.end if not before.is_open else one.checkpoint
            missing = (before.last_id + 1, stretch.first_id - 1)
            causes.append(Cause(CauseKind.PIECE_MISSING, at or stretch.start, one.round_id, *missing))
            goes_on = False
        if stretch.start is None and stretch.is_open and before is not None and before.is_open:
            continue  # 3.x in a switch: the piece before is still the one that the checkpoint is in
        usable, cause = _usable(stretch, one, partial_pieces=partial_pieces)
        if cause:
            causes.append(cause)
        if usable is None:
            goes_on = False
        elif goes_on and runs[-1].end >= usable.start:
            runs[-1] = LogRun(one.round_id, runs[-1].start, max(runs[-1].end, usable.end))
        else:
            if goes_on:
                causes.append(Cause(CauseKind.NOT_ADJACENT, runs[-1].end, one.round_id, *_ids(stretch)))
            runs.append(usable)
            goes_on = True
        goes_on = goes_on and cause is None
        before = stretch
    return runs, causes


def _ids(stretch: Stretch) -> tuple[int, int]:
    return (stretch.first_id, stretch.last_id)


_FILE_CAUSES = {
    FileStatus.BROKEN: CauseKind.PIECE_BROKEN,
    FileStatus.INCOMPLETE: CauseKind.PIECE_INCOMPLETE,
    FileStatus.COPYING: CauseKind.PIECE_INCOMPLETE,
    **dict.fromkeys(CLEANED, CauseKind.PIECE_CLEANED),
}


def _usable(stretch: Stretch, one: Round, *, partial_pieces: bool) -> tuple[LogRun | None, Cause | None]:
    """What of these pieces can be used, and why not all."""
    available = stretch.file_status is FileStatus.AVAILABLE
    partial = partial_pieces and stretch.file_status is FileStatus.INCOMPLETE
    end = stretch.checkpoint if partial else one.checkpoint if stretch.is_open else stretch.end
    cause = None
    if not available and not (stretch.is_open and stretch.file_status is FileStatus.INCOMPLETE):
        kind = _FILE_CAUSES.get(stretch.file_status, CauseKind.UNKNOWN)
        cause = Cause(kind, end if partial else stretch.start, one.round_id, *_ids(stretch))
    if not (available or partial):
        return None, cause
    if stretch.start is None or end is None or one.checkpoint is None:
        return None, cause or Cause(CauseKind.UNKNOWN, stretch.start or end, one.round_id, *_ids(stretch))
    end = min(end, one.checkpoint)
    return (LogRun(one.round_id, stretch.start, end) if end >= stretch.start else None), cause


def _window(run: LogRun, fulls: Sequence[FullBackup]) -> Window | None:
    carriers = [full for full in fulls if _carries(full, run)]
    if not carriers:
        return None
    oldest = min(carriers, key=lambda full: (full.restores_from, full.set_id))
    assert oldest.restores_from is not None  # noqa: S101 - what _carries has seen
    return Window(oldest.restores_from, run.end, oldest.set_id, run.round_id, sum(full.stands_for for full in carriers))


def _is_inside(full: FullBackup, run: LogRun) -> bool:
    return full.problem is None and full.logs_from is not None and run.start <= full.logs_from <= run.end


def _carries(full: FullBackup, run: LogRun) -> bool:
    whole = full.logs_past is not None and full.restores_from is not None
    return _is_inside(full, run) and whole and full.logs_past < run.end  # type: ignore[operator]


def _pending(run: LogRun | None, fulls: Sequence[FullBackup]) -> int | None:
    if run is None:
        return None
    waiting = [full.set_id for full in fulls if _is_inside(full, run) and not _carries(full, run)]
    return waiting[0] if waiting else None


def _unusable(full: FullBackup, rounds: Sequence[Round]) -> Cause | None:
    """A full backup that would have carried a window."""
    kinds = {
        SetProblem.FAILED: CauseKind.SET_FAILED,
        SetProblem.DELETED: CauseKind.SET_DELETED,
        SetProblem.BROKEN: CauseKind.SET_FAILED,
        SetProblem.UNKNOWN: CauseKind.UNKNOWN,
    }
    if full.problem not in kinds:
        return None
    at = full.logs_from
    begun = [one.round_id for one in rounds if at and one.started and one.started <= at]
    return Cause(kinds[full.problem], at, begun[-1] if begun else 0, full.set_id, full.set_id)


def _end_of(one: Round) -> Cause:
    broken = one.was_interrupted or one.state is ArchiveState.INTERRUPTED
    kind = CauseKind.INTERRUPTED if broken else CauseKind.STOP_START
    return Cause(kind, one.checkpoint or one.started, one.round_id, comment=one.comment)


def _between(causes: Iterable[Cause], start: datetime, end: datetime | None) -> tuple[Cause, ...]:
    """The causes of a hole in their order; one without a time is of any hole."""
    found = [c for c in causes if c.at is None or (start <= c.at and (end is None or c.at <= end))]
    return tuple(sorted(found, key=lambda c: (c.at is not None, c.at or start, c.round_id)))


def _open_since(
    rounds: Sequence[Round], runs: Sequence[LogRun], windows: Sequence[Window], breaks: Iterable[Cause]
) -> datetime | None:
    """Since when nothing can be restored, up to now; None where that is not so.

    A round that has no logs to show yet is on its way, and one whose state is not known is not called broken.
    """
    if not rounds:
        return None
    newest = rounds[-1]
    last = windows[-1].end if windows else None
    if last is None:
        beginnings = [run.start for run in runs] or [one.started for one in rounds if one.started]
        return min(beginnings, default=None)
    is_newest = bool(runs) and (windows[-1].round_id, last) == (newest.round_id, runs[-1].end)
    is_whole = not any(one.round_id == newest.round_id and (one.at is None or one.at >= last) for one in breaks)
    return None if is_newest and is_whole and newest.state not in _DEAD else last
