"""What can be restored, decided moment by moment: slow, stupid, and without arithmetic on intervals.

Time is a row of ticks. Between two ticks there is log as well, so logs are kept as a set of half ticks: 2*t is tick t,
2*t + 1 all that lies between t and t + 1. A piece has everything from its first to its last tick, both included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus
from airflow_ob_provider.oceanbase.windows import FullBackup, Round, Stretch

TICKS = 210
FAR = 300
"""A tick that only a round that goes on for long will reach."""
_ZERO = datetime(2024, 1, 1, tzinfo=UTC)


def at(tick: int) -> datetime:
    return _ZERO + timedelta(minutes=tick)


def tick(moment: datetime) -> int:
    return round((moment - _ZERO) / timedelta(minutes=1))


def _logs(piece: Stretch, one: Round, *, partial_pieces: bool) -> frozenset[int]:
    """The half ticks of a piece that a restore can use."""
    if piece.start is None or one.started is None or one.checkpoint is None:
        return frozenset()
    limits = [tick(one.checkpoint)]
    if not piece.is_open:
        if piece.end is None:
            return frozenset()
        limits.append(tick(piece.end))
    if piece.file_status is FileStatus.INCOMPLETE and partial_pieces:
        if piece.checkpoint is None:
            return frozenset()
        limits.append(tick(piece.checkpoint))
    elif piece.file_status is not FileStatus.AVAILABLE:
        return frozenset()
    first = tick(piece.start)
    return frozenset(half for half in range(2 * first, 2 * min(limits) + 1))


def unbroken_logs(one: Round, *, partial_pieces: bool) -> Iterator[frozenset[int]]:
    """The logs of each chain of pieces in which no piece and no moment is missing, the longest chains only."""
    chain: frozenset[int] = frozenset()
    last_id: int | None = None
    for piece in one.stretches:
        logs = _logs(piece, one, partial_pieces=partial_pieces)
        if chain and not (logs and last_id is not None and piece.first_id <= last_id + 1 and min(logs) in chain):
            yield chain
            chain = frozenset()
        chain |= logs
        last_id = piece.last_id
        if piece.file_status is FileStatus.INCOMPLETE and not piece.is_open:
            last_id = None  # whatever its own checkpoint says, something is missing at its end
    if chain:
        yield chain


def moments(full: FullBackup, rounds: Iterable[Round], *, partial_pieces: bool, until: int = TICKS) -> set[int]:
    """The ticks to which this backup restores."""
    if full.problem or full.logs_from is None or full.logs_past is None or full.restores_from is None:
        return set()
    found = set()
    since, past, first = tick(full.logs_from), tick(full.logs_past), tick(full.restores_from)
    for one in rounds:
        for logs in unbroken_logs(one, partial_pieces=partial_pieces):
            if past >= max(logs) / 2:
                continue
            half = 2 * since
            while half in logs and half <= 2 * until:
                if half % 2 == 0 and half >= 2 * first:
                    found.add(half // 2)
                half += 1
    return found


def restorable(
    rounds: Sequence[Round], fulls: Iterable[FullBackup], *, partial_pieces: bool, until: int = TICKS
) -> set[int]:
    """The ticks to which any of the backups restores."""
    return {m for full in fulls for m in moments(full, rounds, partial_pieces=partial_pieces, until=until)}


def later(rounds: Sequence[Round], *, partial_pieces: bool) -> tuple[Round, ...]:
    """The same rounds a long time after, when all goes well.

    Of a round that is over, or that was followed by another, nothing changes. In one that goes on the checkpoint moves;
    a piece that is written to is still the same, or has got a start and the logs that it did not have yet; after one
    that is closed, and that was not passed by the checkpoint without, there is another.
    """
    if not rounds or rounds[-1].state in {ArchiveState.STOP, ArchiveState.STOPPING, ArchiveState.INTERRUPTED}:
        return tuple(rounds)
    newest = rounds[-1]
    if newest.started is None or newest.checkpoint is None:
        return tuple(rounds)
    pieces = list(newest.stretches)
    for n, (piece, after) in enumerate(pairwise(newest.stretches)):
        in_switch = after is pieces[-1] and after.is_open and after.start is None
        if piece.is_open and not in_switch:  # the one that is written to is a later one
            pieces[n] = replace(piece, is_open=False, end=after.start or newest.checkpoint)
    if pieces and pieces[-1].is_open:
        pieces[-1] = _completed(pieces[-1], partial_pieces=partial_pieces)
        if pieces[-1].start is None and len(pieces) > 1 and pieces[-2].is_open:
            pieces[-1] = replace(pieces[-1], start=at(FAR))
    elif pieces and pieces[-1].end and pieces[-1].end >= newest.checkpoint:
        id_ = pieces[-1].last_id + 1
        pieces.append(Stretch(id_, id_, FileStatus.AVAILABLE, pieces[-1].end, None, is_open=True))
    return (*rounds[:-1], replace(newest, checkpoint=at(FAR), stretches=tuple(pieces)))


def _completed(piece: Stretch, *, partial_pieces: bool) -> Stretch:
    """4.x: a new piece that lacked logs has got them. 3.x: its checkpoint moves, too."""
    if piece.file_status is not FileStatus.INCOMPLETE:
        return piece
    if partial_pieces:
        return replace(piece, checkpoint=at(FAR)) if piece.checkpoint else piece
    return replace(piece, file_status=FileStatus.AVAILABLE)


def goes_on(rounds: Sequence[Round], fulls: Iterable[FullBackup], *, partial_pieces: bool) -> bool:
    """Whether a backup that restores to something now will restore to later moments without another backup."""
    now = [full for full in fulls if moments(full, rounds, partial_pieces=partial_pieces)]
    then = restorable(later(rounds, partial_pieces=partial_pieces), now, partial_pieces=partial_pieces, until=FAR)
    return max(then, default=0) == FAR


def waits(rounds: Sequence[Round], fulls: Iterable[FullBackup], *, partial_pieces: bool) -> list[int]:
    """The backups that restore to nothing now and will, once the round has gone on."""
    then = later(rounds, partial_pieces=partial_pieces)
    return [
        full.set_id
        for full in sorted(fulls, key=lambda full: full.set_id)
        if not moments(full, rounds, partial_pieces=partial_pieces)
        and FAR in moments(full, then, partial_pieces=partial_pieces, until=FAR)
    ]
