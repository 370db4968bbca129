"""Windows and holes against a model that decides moment by moment, for anything a server could show."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus
from airflow_ob_provider.oceanbase.windows import FullBackup, Recovery, Round, SetProblem, Stretch, recovery
from tests.unit.oceanbase.windows_model import TICKS, at, goes_on, moments, restorable, tick, waits


def mostly(rng: Random, usual: Any, *rare: Any) -> Any:
    """Nineteen times out of twenty the usual: there are many things that can be odd."""
    return usual if rng.random() < 0.95 else rng.choice(rare)


def a_piece(rng: Random, piece_id: int, cursor: int, *, newest: bool) -> Stretch:
    start = max(0, cursor + mostly(rng, 0, 1, 3, -1, -4))
    end = start + rng.randint(0, 8)
    return Stretch(
        first_id=piece_id,
        last_id=piece_id + mostly(rng, 0, 1, 2),
        file_status=mostly(rng, FileStatus.AVAILABLE, FileStatus.INCOMPLETE, *FileStatus),
        start=mostly(rng, at(start), None),
        end=None if newest and rng.random() < 0.5 else mostly(rng, at(end), None),
        checkpoint=mostly(rng, at(start + rng.randint(0, 8)), None),
        is_open=mostly(rng, newest, not newest),
    )


def a_round(rng: Random, round_id: int, cursor: int, *, newest: bool) -> Round:
    """A round as it should be, most of the time."""
    started = cursor
    pieces: list[Stretch] = []
    piece_id = rng.randint(0, 3)
    how_many = rng.choice([0, 1, 2, 2, 3, 3, 4, 5])
    for number in range(how_many):
        pieces.append(a_piece(rng, piece_id, cursor, newest=newest and number + 1 == how_many))
        piece_id = pieces[-1].last_id + mostly(rng, 1, 2, 0)
        last = pieces[-1].end or pieces[-1].start
        cursor = tick(last) if last else cursor
    checkpoint = max(0, cursor + rng.randint(-4, 4))
    return Round(
        round_id=round_id,
        state=mostly(rng, ArchiveState.DOING if newest else ArchiveState.STOP, *ArchiveState),
        started=mostly(rng, at(started), None),
        checkpoint=mostly(rng, at(checkpoint), None),
        stretches=tuple(pieces),
        was_interrupted=rng.random() < 0.3,
    )


def some_rounds(rng: Random) -> list[Round]:
    cursor = rng.randint(0, 8)
    found = []
    count = rng.choice([0, 1, 1, 2, 2, 2, 3, 3, 3])
    for number in range(count):
        one = a_round(rng, number + 1, cursor, newest=number + 1 == count)
        found.append(one)
        ends = [tick(end) for s in one.stretches for end in (s.start, s.end) if end]
        ends += [tick(one.checkpoint)] if one.checkpoint else []
        cursor = max([cursor, *ends]) + rng.randint(1, 6)
    return found


def a_backup(rng: Random, set_id: int, around: Sequence[int]) -> FullBackup:
    since = max(0, rng.choice(around) + rng.randint(-1, 6))
    return FullBackup(
        set_id=set_id,
        logs_from=mostly(rng, at(since), None),
        logs_past=mostly(rng, at(since + rng.randint(0, 4)), None),
        restores_from=mostly(rng, at(max(0, since + rng.choice([0, 0, 0, 1, 2, 3, -2]))), None),
        problem=mostly(rng, None, *SetProblem),
        stands_for=rng.randint(1, 3),
    )


def a_catalog(rng: Random) -> tuple[list[Round], list[FullBackup]]:
    rounds = some_rounds(rng)
    around = [tick(s.start) for one in rounds for s in one.stretches if s.start] or [0]
    backups = [a_backup(rng, n + 1, around) for n in range(rng.choice([0, 1, 2, 3, 4, 5, 6]))]
    note(f"{rounds}\n{backups}")
    return rounds, backups


# Drawn from a seed: a hundred things for each catalog would take hypothesis ten times as long as all the rest.
seeds = st.randoms(use_true_random=True)
catalogs = pytest.mark.parametrize("partial", [pytest.param(True, id="3.x"), pytest.param(False, id="4.x")])


def any_overlap(rounds: Sequence[Round]) -> bool:
    """Whether pieces share more than the moment where one ends and another begins."""
    pieces = [(one, piece) for one in rounds for piece in one.stretches]
    held = [
        {half for half in range(2 * tick(piece.start), 2 * tick(end) + 1) if half % 2}
        for one, piece in pieces
        if piece.start and (end := one.checkpoint if piece.is_open else piece.end)
    ]
    return sum(map(len, held)) > len(set().union(*held))


@catalogs
@settings(max_examples=1000)
@given(rng=seeds)
def test_any_catalog(rng: Random, partial: bool) -> None:
    catalog = a_catalog(rng)
    found = recovery(*catalog, partial_pieces=partial)
    event(f"{len(found.windows)} windows, a hole {'grows' if found.open_gap else 'does not grow'}")
    expected = restorable(*catalog, partial_pieces=partial)
    assert {m for m in range(TICKS + 1) if found.covers(at(m))} == expected
    windows_are_in_order_and_each_has_its_backup(*catalog, found, partial)
    holes_lie_between_windows(*catalog, found, partial)


def windows_are_in_order_and_each_has_its_backup(
    rounds: Sequence[Round], fulls: Sequence[FullBackup], found: Recovery, partial: bool
) -> None:
    assert all(window.start <= window.end for window in found.windows)
    assert all(one.start <= two.start and one.end < two.end for one, two in pairwise(found.windows))
    if not any_overlap(rounds):
        assert all(one.end <= two.start for one, two in pairwise(found.windows))
    for window in found.windows:
        (carrier,) = [full for full in fulls if full.set_id == window.set_id]
        own = [one for one in rounds if one.round_id == window.round_id]
        of_it = moments(carrier, own, partial_pieces=partial)
        assert of_it == set(range(tick(window.start), tick(window.end) + 1))
        theirs = [(full, moments(full, own, partial_pieces=partial)) for full in fulls]
        assert any_overlap(rounds) or window.full_backups == sum(
            full.stands_for for full, its in theirs if max(its, default=-1) == max(of_it)
        )


def holes_lie_between_windows(
    rounds: Sequence[Round], fulls: Sequence[FullBackup], found: Recovery, partial: bool
) -> None:
    pairs = [(one, two) for one, two in pairwise(found.windows) if one.end < two.start]
    expected = [(one.end, two.start, two.set_id) for one, two in pairs]
    closed = [gap for gap in found.gaps if gap.end]
    assert [(gap.start, gap.end, gap.ended_by) for gap in closed] == expected
    assert all(gap.causes for gap in found.gaps)
    assert all(gap.pending is None for gap in closed)
    still_open = found.gaps[len(closed) :]
    archived = any(one.started for one in rounds)
    overlap = any_overlap(rounds)  # then nobody knows which piece will go on
    if not overlap:
        assert bool(still_open) == (archived and not goes_on(rounds, fulls, partial_pieces=partial))
    assert found.open_gap == (still_open[0] if still_open else None)
    if still_open:
        (gap,) = still_open
        assert (gap.end, gap.ended_by) == (None, None)
        assert gap.start == found.windows[-1].end if found.windows else gap.start <= at(TICKS)
        assert overlap or gap.pending == next(iter(waits(rounds, fulls, partial_pieces=partial)), None)


@catalogs
@given(rng=seeds)
def test_the_order_of_backups_does_not_matter(rng: Random, partial: bool) -> None:
    rounds, fulls = a_catalog(rng)
    other = rng.sample(fulls, len(fulls))
    assert recovery(rounds, other, partial_pieces=partial) == recovery(rounds, fulls, partial_pieces=partial)


@catalogs
@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=6),
    lag=st.integers(-2, 9),
    starts=st.lists(st.integers(0, 50), min_size=2, max_size=6, unique=True),
    last_is_open=st.booleans(),
)
def test_joined_pieces_and_the_oldest_and_newest_set_say_the_same(
    lengths: list[int], lag: int, starts: list[int], last_is_open: bool, partial: bool
) -> None:
    ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
    ok, count = FileStatus.AVAILABLE, len(lengths)
    pieces = [
        Stretch(n + 1, n + 1, ok, at(end - length), at(end), is_open=last_is_open and n + 1 == count)
        for n, (end, length) in enumerate(zip(ends, lengths, strict=True))
    ]
    joined = Stretch(1, count, ok, at(0), at(ends[-1]), is_open=last_is_open)
    checkpoint = at(max(0, ends[-1] - lag))
    fulls = [FullBackup(n + 1, at(s), at(s + 2), at(s)) for n, s in enumerate(sorted(starts))]
    rounds = [[Round(1, ArchiveState.DOING, at(0), checkpoint, tuple(stretches))] for stretches in (pieces, [joined])]
    usable = [full for full in fulls if moments(full, rounds[0], partial_pieces=partial)]
    others = [full for full in fulls if full not in usable]
    if len(usable) > 2:
        oldest, newest = usable[0], usable[-1]
        usable = [
            FullBackup(oldest.set_id, oldest.logs_from, oldest.logs_past, oldest.restores_from, None, len(usable) - 1),
            newest,
        ]
    whole = recovery(rounds[0], fulls, partial_pieces=partial)
    short = recovery(rounds[1], usable + others, partial_pieces=partial)
    assert short.windows == whole.windows
