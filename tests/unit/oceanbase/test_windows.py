"""What can be restored, and why not: stories as a catalog tells them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus
from airflow_ob_provider.oceanbase.windows import (
    Cause,
    CauseKind,
    FullBackup,
    Gap,
    Recovery,
    Round,
    SetProblem,
    Stretch,
    Window,
    recovery,
)
from tests.unit.oceanbase.windows_model import at

AVAILABLE = FileStatus.AVAILABLE
DOING, STOP = ArchiveState.DOING, ArchiveState.STOP


def piece(number: int, start: int | None, end: int | None, status: FileStatus = AVAILABLE, **more: Any) -> Stretch:
    """A piece; without an end it is the one that is written to."""
    return Stretch(
        more.pop("first_id", number),
        number,
        status,
        None if start is None else at(start),
        None if end is None else at(end),
        is_open=end is None,
        **more,
    )


def round_(
    number: int, start: int, checkpoint: int, *pieces: Stretch, state: ArchiveState = DOING, **more: Any
) -> Round:
    return Round(number, state, at(start), at(checkpoint), pieces, **more)


def full(set_id: int, start: int, completed: int, problem: SetProblem | None = None) -> FullBackup:
    """A set of 3.x: good from its start."""
    return FullBackup(set_id, at(start), at(completed), at(start), problem)


def full4(set_id: int, replay: int, min_restore: int) -> FullBackup:
    return FullBackup(set_id, at(replay), at(min_restore), at(min_restore))


def both(rounds: Sequence[Round], fulls: Sequence[FullBackup]) -> Recovery:
    """Where the generations do not differ."""
    found = recovery(rounds, fulls, partial_pieces=True)
    assert found == recovery(rounds, fulls, partial_pieces=False)
    return found


def spans(found: Recovery) -> list[tuple[int, int]]:
    minutes = [((w.start - at(0)).total_seconds() / 60, (w.end - at(0)).total_seconds() / 60) for w in found.windows]
    return [(int(start), int(end)) for start, end in minutes]


def kinds(gap: Gap | None) -> list[CauseKind]:
    assert gap is not None
    return [cause.kind for cause in gap.causes]


def test_the_example_of_the_manual() -> None:
    def day(number: int, hour: int) -> datetime:
        return datetime(2022, 6, number, hour, tzinfo=UTC)

    def whole(first: int, last: int, start: datetime, end: datetime | None) -> Stretch:
        return Stretch(first, last, AVAILABLE, start, end, is_open=end is None)

    rounds = [
        Round(1, STOP, day(1, 6), day(3, 6), (whole(1, 2, day(1, 6), day(3, 6)),)),
        Round(2, DOING, day(20, 12), day(21, 8), (whole(3, 4, day(20, 12), None),)),
    ]
    fulls = [
        FullBackup(1, day(1, 7), day(1, 8), day(1, 8)),
        FullBackup(2, day(20, 13), day(20, 14), day(20, 14)),
    ]
    stopped = Cause(CauseKind.STOP_START, day(3, 6), 1)
    assert recovery(rounds, fulls, partial_pieces=False) == Recovery(
        (Window(day(1, 8), day(3, 6), 1, 1, 1), Window(day(20, 14), day(21, 8), 2, 2, 1)),
        (Gap(day(3, 6), day(20, 14), (stopped,), ended_by=2),),
    )


FAULTS = [
    pytest.param(FileStatus.BROKEN, CauseKind.PIECE_BROKEN, id="broken"),
    pytest.param(FileStatus.COPYING, CauseKind.PIECE_INCOMPLETE, id="copying"),
    pytest.param(FileStatus.EXPIRED, CauseKind.PIECE_CLEANED, id="expired"),
    pytest.param(FileStatus.DELETING, CauseKind.PIECE_CLEANED, id="deleting"),
    pytest.param(FileStatus.DELETED, CauseKind.PIECE_CLEANED, id="deleted"),
    pytest.param(FileStatus.UNKNOWN, CauseKind.UNKNOWN, id="unknown"),
]


@pytest.mark.parametrize(("status", "kind"), FAULTS)
def test_a_piece_in_the_middle_that_cannot_be_used(status: FileStatus, kind: CauseKind) -> None:
    pieces = [piece(1, 0, 10), piece(2, 10, 20, status), piece(3, 20, None)]
    found = both([round_(1, 0, 30, *pieces)], [full(1, 2, 3), full(2, 22, 23)])
    assert spans(found) == [(2, 10), (22, 30)]
    assert found.gaps == (Gap(at(10), at(22), (Cause(kind, at(10), 1, 2, 2),), ended_by=2),)


@pytest.mark.parametrize(("status", "kind"), FAULTS)
def test_the_piece_that_is_written_cannot_be_used(status: FileStatus, kind: CauseKind) -> None:
    found = both([round_(1, 0, 15, piece(1, 0, 10), piece(2, 10, None, status))], [full(1, 2, 3), full(2, 12, 13)])
    assert spans(found) == [(2, 10)]
    assert found.open_gap == Gap(at(10), None, (Cause(kind, at(10), 1, 2, 2),))
    assert found.open_gap.pending is None


def test_a_piece_is_missing() -> None:
    found = both([round_(1, 0, 30, piece(1, 0, 10), piece(4, 20, None))], [full(1, 2, 3), full(2, 22, 23)])
    assert spans(found) == [(2, 10), (22, 30)]
    assert found.gaps == (Gap(at(10), at(22), (Cause(CauseKind.PIECE_MISSING, at(10), 1, 2, 3),), ended_by=2),)


def test_a_piece_is_missing_after_one_that_is_said_to_be_open() -> None:
    found = both([round_(1, 0, 15, piece(1, 0, None), piece(3, 12, None))], [full(1, 2, 3)])
    assert found.open_gap is not None
    assert found.open_gap.causes[0] == Cause(CauseKind.PIECE_MISSING, at(15), 1, 2, 2)


def test_the_newest_piece_is_missing() -> None:
    found = both([round_(1, 0, 15, piece(1, 0, 5), piece(2, 5, 10))], [full(1, 2, 3)])
    assert found.open_gap == Gap(at(10), None, (Cause(CauseKind.PIECE_MISSING, at(10), 1, 3, 3),))


@pytest.mark.parametrize("checkpoint", [8, 10])
def test_the_next_piece_is_not_there_yet(checkpoint: int) -> None:
    found = both([round_(1, 0, checkpoint, piece(1, 0, 10))], [full(1, 2, 3)])
    assert (spans(found), found.gaps) == ([(2, checkpoint)], ())


def test_two_pieces_do_not_meet() -> None:
    found = both([round_(1, 0, 30, piece(1, 0, 10), piece(2, 12, None))], [full(1, 2, 3)])
    assert spans(found) == [(2, 10)]
    assert found.open_gap is not None
    assert found.open_gap.causes[0] == Cause(CauseKind.NOT_ADJACENT, at(10), 1, 2, 2)


def test_a_hole_that_the_checkpoint_has_not_reached() -> None:
    found = both([round_(1, 0, 8, piece(1, 0, 10), piece(2, 12, None))], [full(1, 2, 3)])
    assert spans(found) == [(2, 8)]
    assert kinds(found.open_gap) == [CauseKind.NOT_ADJACENT]


def test_the_checkpoint_is_not_yet_in_the_newest_piece() -> None:
    for status in (AVAILABLE, FileStatus.INCOMPLETE):
        found = recovery(
            [round_(1, 0, 8, piece(1, 0, 10), piece(2, 10, None, status))], [full(1, 2, 3)], partial_pieces=False
        )
        assert (spans(found), found.gaps) == ([(2, 8)], ())


def test_incomplete_in_the_middle_is_good_up_to_its_checkpoint_in_3x_only() -> None:
    incomplete = piece(2, 10, 20, FileStatus.INCOMPLETE, checkpoint=at(14))
    rounds = [round_(1, 0, 30, piece(1, 0, 10), incomplete, piece(3, 20, None))]
    fulls = [full(1, 2, 3), full(2, 22, 23)]
    old, new = (recovery(rounds, fulls, partial_pieces=partial) for partial in (True, False))
    assert (spans(old), spans(new)) == ([(2, 14), (22, 30)], [(2, 10), (22, 30)])
    assert old.gaps[0].causes == (Cause(CauseKind.PIECE_INCOMPLETE, at(14), 1, 2, 2),)
    assert new.gaps[0].causes == (Cause(CauseKind.PIECE_INCOMPLETE, at(10), 1, 2, 2),)


def test_the_newest_piece_is_incomplete() -> None:
    """4.x: it has just begun, which is no hole. 3.x: it is good as far as it says, if it says so."""
    rounds = [
        [round_(1, 0, 16, piece(1, 0, 10), piece(2, 10, None, FileStatus.INCOMPLETE, checkpoint=mark))]
        for mark in (at(12), None)
    ]
    fulls = [full(1, 2, 3)]
    for one in rounds:
        new = recovery(one, fulls, partial_pieces=False)
        assert (spans(new), new.gaps) == ([(2, 10)], ())
    old = recovery(rounds[0], fulls, partial_pieces=True)
    assert (spans(old), old.gaps) == ([(2, 12)], ())
    assert kinds(recovery(rounds[1], fulls, partial_pieces=True).open_gap) == [CauseKind.UNKNOWN]


def test_an_open_incomplete_piece_that_is_not_the_newest_is_a_hole() -> None:
    pieces = [piece(1, 0, 10), piece(2, 10, None, FileStatus.INCOMPLETE), piece(3, 12, None)]
    found = recovery([round_(1, 0, 16, *pieces)], [full(1, 2, 3)], partial_pieces=False)
    assert spans(found) == [(2, 10)]
    assert found.open_gap is not None
    assert found.open_gap.causes[0] == Cause(CauseKind.PIECE_INCOMPLETE, at(10), 1, 2, 2)


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (SetProblem.FAILED, CauseKind.SET_FAILED),
        (SetProblem.BROKEN, CauseKind.SET_FAILED),
        (SetProblem.DELETED, CauseKind.SET_DELETED),
        (SetProblem.UNKNOWN, CauseKind.SET_FAILED),
        (SetProblem.RUNNING, None),
    ],
)
def test_a_set_that_would_have_ended_the_hole_sooner(problem: SetProblem, kind: CauseKind | None) -> None:
    rounds = [round_(1, 0, 10, piece(1, 0, 10), state=STOP), round_(2, 20, 40, piece(2, 20, None))]
    found = both(rounds, [full(1, 2, 3), full(2, 25, 26, problem), full(3, 30, 31)])
    assert spans(found) == [(2, 10), (30, 40)]
    named = [Cause(kind, at(25), 2, 2, 2)] if kind else []
    assert found.gaps == (Gap(at(10), at(30), (Cause(CauseKind.STOP_START, at(10), 1), *named), ended_by=3),)


def test_the_last_piece_of_a_stopped_round_may_end_before_its_checkpoint() -> None:
    rounds = [round_(1, 0, 12, piece(1, 0, 10), state=STOP), round_(2, 20, 40, piece(2, 20, None))]
    found = both(rounds, [full(1, 2, 3), full(2, 30, 31)])
    assert spans(found) == [(2, 10), (30, 40)]
    assert [cause.kind for cause in found.gaps[0].causes] == [CauseKind.STOP_START]


def test_a_set_of_unknown_time_is_named_with_every_hole() -> None:
    rounds = [round_(1, 0, 10, piece(1, 0, 10), state=STOP), round_(2, 20, 40, piece(2, 20, None))]
    odd = FullBackup(2, None, at(27), at(26), SetProblem.UNKNOWN)
    (gap,) = both(rounds, [full(1, 2, 3), odd, full(3, 30, 31)]).gaps
    assert gap.causes == (Cause(CauseKind.SET_FAILED, None, 0, 2, 2), Cause(CauseKind.STOP_START, at(10), 1))


def test_interrupted_says_why() -> None:
    comment = "log stream 1001 interrupted"
    broken = round_(1, 0, 10, piece(1, 0, None), state=ArchiveState.INTERRUPTED, comment=comment)
    found = both([broken], [full(1, 2, 3), full(2, 8, 12)])
    assert spans(found) == [(2, 10)]
    assert found.gaps == (Gap(at(10), None, (Cause(CauseKind.INTERRUPTED, at(10), 1, comment=comment),)),)


def test_interrupted_and_then_stopped_is_still_called_interrupted() -> None:
    one = round_(1, 0, 10, piece(1, 0, 12), state=STOP, was_interrupted=True)
    assert kinds(both([one], [full(1, 2, 3)]).open_gap) == [CauseKind.INTERRUPTED]


@pytest.mark.parametrize("state", list(ArchiveState))
def test_only_a_round_that_is_over_leaves_a_hole(state: ArchiveState) -> None:
    found = both([round_(1, 0, 10, piece(1, 0, None), state=state)], [full(1, 2, 3)])
    dead = {STOP: "stop_start", ArchiveState.STOPPING: "stop_start", ArchiveState.INTERRUPTED: "interrupted"}
    assert (kinds(found.open_gap) if found.open_gap else None) == ([dead[state]] if state in dead else None)


def test_a_new_round_and_no_full_backup_since() -> None:
    rounds = [round_(2, 0, 10, piece(2, 0, 10), state=STOP), round_(3, 50, 60, piece(3, 50, None))]
    found = both(rounds, [full(1, 2, 3)])
    assert spans(found) == [(2, 10)]
    causes = (Cause(CauseKind.STOP_START, at(10), 2), Cause(CauseKind.NO_FULL_BACKUP, at(50), 3))
    assert found.gaps == (Gap(at(10), None, causes),)


@pytest.mark.parametrize(("start", "completed"), [(55, 60), (58, 62), (61, 62)])
def test_a_full_backup_waits_for_the_checkpoint(start: int, completed: int) -> None:
    """A small one may begin and end before the checkpoint, two minutes behind, has come to its start."""
    rounds = [round_(2, 0, 10, piece(2, 0, 10), state=STOP), round_(3, 50, 60, piece(3, 50, None))]
    found = both(rounds, [full(1, 2, 3), full(2, 49, 54), full(3, start, completed), full(4, 62, 63)])
    assert found.open_gap is not None
    assert (found.open_gap.pending, found.open_gap.ended_by) == (3, None)
    then = both([rounds[0], round_(3, 50, 63, piece(3, 50, None))], [full(1, 2, 3), full(3, start, completed)])
    assert (spans(then), then.open_gap) == ([(2, 10), (start, 63)], None)
    assert then.gaps[0].ended_by == 3


def test_a_full_backup_waits_in_the_first_piece_of_4x() -> None:
    rounds = [round_(1, 0, 10, piece(1, 0, None, FileStatus.INCOMPLETE))]
    found = recovery(rounds, [full4(1, 3, 5)], partial_pieces=False)
    assert (found.windows, found.open_gap) == (
        (),
        Gap(at(0), None, (Cause(CauseKind.NO_FULL_BACKUP, at(0), 1),), pending=1),
    )


def test_4x_restores_from_min_restore_scn_and_needs_the_logs_before_it() -> None:
    rounds = [round_(1, 0, 20, piece(1, 0, 10), piece(2, 10, None))]
    assert spans(both(rounds, [full4(1, 4, 6)])) == [(6, 20)]
    cleaned = [round_(1, 0, 20, piece(1, 0, 10, FileStatus.DELETED), piece(2, 10, None))]
    found = both(cleaned, [full4(1, 4, 12)])
    assert (spans(found), found.open_gap and found.open_gap.start) == ([], at(10))


def test_3x_without_splitting() -> None:
    old = round_(1, 0, 10, piece(0, 0, 11), state=STOP)
    found = recovery(
        [old, round_(2, 20, 40, piece(0, 20, None))], [full(1, 2, 3), full(2, 22, 23)], partial_pieces=True
    )
    assert spans(found) == [(2, 10), (22, 40)]
    assert found.open_gap is None


def test_3x_in_a_piece_switch() -> None:
    pieces = [piece(1, 0, 10), piece(2, 10, None, checkpoint=at(21)), piece(3, None, None)]
    found = recovery([round_(1, 0, 22, *pieces)], [full(1, 2, 3)], partial_pieces=True)
    assert (spans(found), found.gaps) == ([(2, 22)], ())


def test_a_piece_without_a_start_after_one_that_is_closed() -> None:
    found = recovery([round_(1, 0, 22, piece(1, 0, 10), piece(2, None, None))], [full(1, 2, 3)], partial_pieces=True)
    assert spans(found) == [(2, 10)]
    assert kinds(found.open_gap) == [CauseKind.UNKNOWN]


def test_a_set_never_crosses_into_another_round() -> None:
    rounds = [round_(1, 0, 10, piece(1, 0, 11), state=STOP), round_(2, 12, 40, piece(2, 12, None))]
    found = both(rounds, [full(1, 8, 14)])
    assert (found.windows, found.open_gap is not None) == ((), True)
    assert found.open_gap is not None
    assert found.open_gap.pending is None


def test_without_a_full_backup_nothing_can_be_restored() -> None:
    """As when there are incremental ones only, or the first is still to come."""
    found = both([round_(1, 0, 10, piece(1, 0, None))], [])
    assert found == Recovery((), (Gap(at(0), None, (Cause(CauseKind.NO_FULL_BACKUP, at(0), 1),)),))
    assert not found.covers(at(5))


def test_a_round_that_has_no_piece_yet() -> None:
    found = both([round_(1, 4, 4, state=ArchiveState.BEGINNING)], [])
    assert found.gaps == (Gap(at(4), None, (Cause(CauseKind.NO_FULL_BACKUP, at(4), 1),)),)


def test_never_archived() -> None:
    assert both([], [full(1, 2, 3)]) == Recovery((), ())
    assert both([Round(1, ArchiveState.PREPARE, None, None)], []) == Recovery((), ())


def test_a_new_round_is_on_its_way() -> None:
    rounds = [round_(1, 0, 10, piece(1, 0, 10), state=STOP), Round(2, ArchiveState.PREPARE, None, None)]
    assert both(rounds, [full(1, 2, 3)]).gaps == (Gap(at(10), None, (Cause(CauseKind.STOP_START, at(10), 1),)),)


def test_cleaned_pieces_at_the_beginning_are_no_hole() -> None:
    cleaned = piece(2, 0, 20, FileStatus.DELETED, first_id=1)
    found = both([round_(1, 0, 40, cleaned, piece(3, 20, None))], [full(2, 22, 23)])
    assert (spans(found), found.gaps) == ([(22, 40)], ())


def test_the_logs_of_the_oldest_set_were_cleaned() -> None:
    cleaned = piece(2, 0, 20, FileStatus.DELETED, first_id=1)
    found = both([round_(1, 0, 40, cleaned, piece(3, 20, None))], [full(1, 15, 16), full(2, 22, 23)])
    assert (spans(found), found.gaps, found.windows[0].set_id) == ([(22, 40)], (), 2)


def test_the_checkpoint_must_be_past_the_set_and_not_just_there() -> None:
    rounds = [round_(1, 0, 10, piece(1, 0, None))]
    assert spans(both(rounds, [full(1, 2, 9)])) == [(2, 10)]
    assert spans(both(rounds, [full(1, 2, 10)])) == []


def test_the_oldest_set_carries_the_window_and_of_two_as_old_the_first() -> None:
    rounds = [round_(1, 0, 10, piece(1, 0, None))]
    (window,) = both(rounds, [full(4, 5, 6), full(3, 2, 3), full(2, 2, 4), full(1, 3, 5)]).windows
    assert window == Window(at(2), at(10), 2, 1, 4)


def test_a_round_starts_at_the_end_of_the_set_that_names_it() -> None:
    """Which round a failed set was in: the last that had begun by then."""
    rounds = [round_(1, 0, 10, piece(1, 0, 10), state=STOP), round_(2, 20, 40, piece(2, 20, None))]
    found = both(rounds, [full(1, 2, 3), full(2, 20, 26, SetProblem.FAILED)])
    assert found.open_gap is not None
    assert Cause(CauseKind.SET_FAILED, at(20), 2, 2, 2) in found.open_gap.causes


def test_pieces_that_overlap_may_give_windows_that_do() -> None:
    """No server should show that; a window within another one says nothing more, and there is no hole between."""
    broken = piece(2, 0, 4, FileStatus.BROKEN)
    nested = both([round_(1, 0, 30, piece(1, 0, 20), broken, piece(3, 5, 15))], [full(1, 2, 3), full(2, 6, 7)])
    assert spans(nested) == [(2, 20)]
    shifted = both([round_(1, 0, 30, piece(1, 0, 20), broken, piece(3, 15, None))], [full(1, 2, 3), full(2, 17, 18)])
    assert (spans(shifted), shifted.gaps) == ([(2, 20), (17, 30)], ())


def test_a_round_that_has_just_begun_lacks_a_full_backup() -> None:
    rounds = [round_(1, 0, 10, piece(1, 0, 10), state=STOP), round_(2, 20, 20, piece(2, 20, None))]
    assert kinds(both(rounds, [full(1, 2, 3)]).open_gap) == [CauseKind.STOP_START, CauseKind.NO_FULL_BACKUP]


def test_4x_a_closed_piece_that_is_incomplete_is_a_hole_though_it_is_the_last() -> None:
    rounds = [round_(1, 0, 18, piece(1, 0, 10), piece(2, 10, 20, FileStatus.INCOMPLETE))]
    found = recovery(rounds, [full(1, 2, 3)], partial_pieces=False)
    assert kinds(found.open_gap) == [CauseKind.PIECE_INCOMPLETE]


def test_pieces_ahead_of_the_checkpoint_hold_nothing_yet() -> None:
    found = both([round_(1, 0, 8, piece(1, 0, 10), piece(3, 12, None))], [full(1, 2, 3)])
    assert kinds(found.open_gap) == [CauseKind.PIECE_MISSING]


def test_a_piece_of_unknown_time_is_named_with_every_hole() -> None:
    rounds = [
        round_(1, 0, 10, piece(1, 0, 10), piece(2, None, None), state=STOP),
        round_(2, 20, 40, piece(2, 20, None)),
    ]
    (gap,) = both(rounds, [full(1, 2, 3), full(2, 22, 23)]).gaps
    assert gap.causes == (Cause(CauseKind.UNKNOWN, None, 1, 2, 2), Cause(CauseKind.STOP_START, at(10), 1))
