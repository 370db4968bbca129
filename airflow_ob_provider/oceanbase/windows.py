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
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus

_DEAD = frozenset({ArchiveState.STOP, ArchiveState.STOPPING, ArchiveState.INTERRUPTED})
_NO_END = timedelta(days=36500)
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
class RoundLogs:
    """The logs of one round."""

    runs: tuple[LogRun, ...]
    breaks: tuple[Cause, ...]
    grows_from: datetime | None
    """Since when they are whole up to the piece that is written now, were the round to go on."""


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
    """Moments that cannot be restored, after the first window; with no window at all, since the first known logs."""

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
    logs = [log_runs(one, partial_pieces=partial_pieces) for one in rounds]
    runs = [run for found in logs for run in found.runs]
    windows = _in_order(window for run in runs if (window := _window(run, fulls)))
    causes = [cause for found in logs for cause in found.breaks]
    causes += [_end_of(one) for one in rounds if one is not rounds[-1] or one.state in _DEAD]
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
        if before.end < after.start
    ]
    growing = logs[-1].grows_from if rounds and rounds[-1].state not in _DEAD else None
    going_on = {full.set_id for full in fulls if growing and full.logs_from and full.logs_from >= growing}
    since = _open_since(rounds, runs, windows, going_on)
    if since is not None:
        why = _between(causes, since, None) or (Cause(CauseKind.NO_FULL_BACKUP, since, rounds[-1].round_id),)
        gaps.append(Gap(since, None, why, pending=_pending(growing, fulls)))
    return Recovery(windows, tuple(gaps))


def log_runs(one: Round, *, partial_pieces: bool) -> RoundLogs:
    """Logs of a round without a hole, and what breaks them."""
    if one.started is None or one.checkpoint is None:
        return RoundLogs((), (), None)
    runs: list[LogRun] = []
    causes: list[Cause] = []
    before: Stretch | None = None
    whole: LogRun | None = None  # what the pieces up to the one before hold, or will hold, without a hole
    is_new = False  # the one before does not hold it yet
    for stretch in one.stretches:
        if before is not None and stretch.first_id > before.last_id + 1:
            at = before.end if not before.is_open else one.checkpoint
            missing = (before.last_id + 1, stretch.first_id - 1)
            causes.append(Cause(CauseKind.PIECE_MISSING, at or stretch.start, one.round_id, *missing))
            whole = None
        if stretch.start is None and stretch.is_open and before is not None and before.is_open:
            continue  # 3.x in a switch: the piece before is still the one that the checkpoint is in
        extent, cause = _extent(stretch, one, one.checkpoint, partial_pieces=partial_pieces)
        if whole is not None and extent is not None and not whole.start <= extent.start <= whole.end:
            at = min(whole.end, extent.start)
            causes.append(Cause(CauseKind.NOT_ADJACENT, at, one.round_id, *_ids(stretch)))
            whole = None
        if whole is not None and extent is not None and is_new and before is not None:
            causes.append(Cause(CauseKind.PIECE_INCOMPLETE, before.start, one.round_id, *_ids(before)))
            whole = None
        if cause:
            causes.append(cause)
        is_new = _is_new(stretch, partial_pieces=partial_pieces)
        if extent is not None:
            joined = replace(whole, end=max(whole.end, extent.end)) if whole else extent
            if not is_new:
                runs[len(runs) - bool(whole) :] = [joined]
            whole = joined
        if cause:
            whole = None
        before = stretch
    ended = one.state is ArchiveState.STOP  # how far the last piece of a stopped round reaches, no manual says
    if whole and before is not None and not before.is_open and before.end and before.end < one.checkpoint and not ended:
        next_id = before.last_id + 1
        causes.append(Cause(CauseKind.PIECE_MISSING, before.end, one.round_id, next_id, next_id))
        whole = None
    kept = (replace(run, end=min(run.end, one.checkpoint)) for run in runs if run.start <= one.checkpoint)
    return RoundLogs(tuple(kept), tuple(causes), whole.start if whole else None)


def _ids(stretch: Stretch) -> tuple[int, int]:
    return (stretch.first_id, stretch.last_id)


_FILE_CAUSES = {
    FileStatus.BROKEN: CauseKind.PIECE_BROKEN,
    FileStatus.INCOMPLETE: CauseKind.PIECE_INCOMPLETE,
    FileStatus.COPYING: CauseKind.PIECE_INCOMPLETE,
    **dict.fromkeys(CLEANED, CauseKind.PIECE_CLEANED),
}


def _is_new(stretch: Stretch, *, partial_pieces: bool) -> bool:
    """4.x: a piece that is normal and yet of no use, because it has just begun."""
    return stretch.is_open and stretch.file_status is FileStatus.INCOMPLETE and not partial_pieces


def _extent(
    stretch: Stretch, one: Round, checkpoint: datetime, *, partial_pieces: bool
) -> tuple[LogRun | None, Cause | None]:
    """What these pieces hold, or will hold once the checkpoint is past them, and why not all."""
    available = stretch.file_status is FileStatus.AVAILABLE or _is_new(stretch, partial_pieces=partial_pieces)
    partial = partial_pieces and stretch.file_status is FileStatus.INCOMPLETE
    ends = [checkpoint + _NO_END if stretch.is_open else stretch.end] + ([stretch.checkpoint] if partial else [])
    known = [end for end in ends if end is not None]
    end = min(known) if len(known) == len(ends) else None
    cause = None
    if not available and not (partial and stretch.is_open):
        kind = _FILE_CAUSES.get(stretch.file_status, CauseKind.UNKNOWN)
        cause = Cause(kind, end if partial else stretch.start, one.round_id, *_ids(stretch))
    if not (available or partial):
        return None, cause
    if stretch.start is None or end is None or end < stretch.start:
        return None, cause or Cause(CauseKind.UNKNOWN, stretch.start, one.round_id, *_ids(stretch))
    return LogRun(one.round_id, stretch.start, end), cause


def _window(run: LogRun, fulls: Sequence[FullBackup]) -> Window | None:
    carriers = [(first, full) for full in fulls if (first := _first(full)) and _carries(full, first, run)]
    if not carriers:
        return None
    start, oldest = min(carriers, key=lambda carrier: (carrier[0], carrier[1].set_id))
    return Window(start, run.end, oldest.set_id, run.round_id, sum(full.stands_for for _, full in carriers))


def _in_order(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Without those that lie in another one, which only rounds or pieces that overlap give."""
    kept: list[Window] = []
    for window in sorted(sorted(windows, key=lambda w: w.end, reverse=True), key=lambda w: w.start):
        if not kept or window.end > kept[-1].end:
            kept.append(window)
    return tuple(kept)


def _first(full: FullBackup) -> datetime | None:
    """The first moment a backup restores to, whenever the logs are there."""
    if full.problem is not None or full.logs_from is None or full.logs_past is None or full.restores_from is None:
        return None
    return max(full.restores_from, full.logs_from)


def _carries(full: FullBackup, first: datetime, run: LogRun) -> bool:
    return run.start <= full.logs_from and full.logs_past < run.end and first <= run.end  # type: ignore[operator]


def _pending(growing: datetime | None, fulls: Sequence[FullBackup]) -> int | None:
    """The first backup whose logs will all be there; its own may lie after the checkpoint of today."""
    if growing is None:
        return None
    return next((f.set_id for f in fulls if _first(f) and f.logs_from and f.logs_from >= growing), None)


def _unusable(full: FullBackup, rounds: Sequence[Round]) -> Cause | None:
    """A full backup that would have carried a window."""
    kinds = {
        SetProblem.FAILED: CauseKind.SET_FAILED,
        SetProblem.DELETED: CauseKind.SET_DELETED,
        SetProblem.BROKEN: CauseKind.SET_FAILED,
        SetProblem.UNKNOWN: CauseKind.SET_FAILED,
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
    rounds: Sequence[Round], runs: Sequence[LogRun], windows: Sequence[Window], going_on: set[int]
) -> datetime | None:
    """Since when nothing can be restored, up to now; None where that is not so.

    A round that has no logs to show yet is on its way, and one whose state is not known is not called broken.
    """
    if not windows:
        beginnings = [run.start for run in runs] or [one.started for one in rounds if one.started]
        return min(beginnings, default=None)
    return None if windows[-1].set_id in going_on else windows[-1].end
