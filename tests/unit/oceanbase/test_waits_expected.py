"""What a wait tells its readers to expect: an estimate where there is a basis for one, and never else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_ob_provider.oceanbase.models import ArchiveSnapshot, ArchiveState, FreezeProgress
from airflow_ob_provider.oceanbase.waits import ArchiveDoing, ArchiveStopped, CheckpointPassed, FreezeDone, Waiting
from airflow_ob_provider.oceanbase.waits.archive import LONGEST_SECONDS, PACE_SECONDS
from tests.unit.oceanbase.builders import BANK, NOW, SHOP, SYS, by_tenant, minutes, row, snapshot

DOING = ArchiveState.DOING


def waiting(verdict: object) -> Waiting:
    assert isinstance(verdict, Waiting), verdict
    return verdict


# --- in words ---------------------------------------------------------------------------------------------------------


def test_an_estimate_says_more_than_what_is_usual() -> None:
    assert Waiting("x").expected == ""
    assert Waiting("x", usual="a stop usually takes a second").expected == "a stop usually takes a second"
    assert Waiting("x", left=61.4, usual="y").expected == "about 61 s to go at this pace"
    assert Waiting("x", left=0.0, usual="y").expected == "about 0 s to go at this pace"


# --- the checkpoint ---------------------------------------------------------------------------------------------------


def at(passed: float, behind: float, *, tenants: tuple[str, ...] = ("shop", "bank")) -> ArchiveSnapshot:
    """A cluster 4.x so many seconds after NOW, its checkpoints so many before NOW; the first named is the latest."""
    known = {"shop": SHOP, "bank": BANK}
    rows = [
        row(known[name], checkpoint=NOW - timedelta(seconds=behind - 30 * number))
        for number, name in enumerate(tenants)
    ]
    return by_tenant(*rows, read_at=NOW + timedelta(seconds=passed))


def test_the_pace_of_the_checkpoint() -> None:
    wait = CheckpointPassed().begun(at(0, 400))
    assert (wait.after, wait.seen_rows) == (NOW, 2)
    found = waiting(wait.begun(at(200, 300)).judge(at(200, 300)))
    assert found.left == pytest.approx(600), "100 s of logs in 200 s, 300 s are left"
    assert found.expected == "about 600 s to go at this pace"


def test_a_wait_in_flight_keeps_where_it_began() -> None:
    wait = CheckpointPassed().begun(at(0, 400))
    later = wait.begun(at(60, 380)).begun(at(120, 340))
    assert (later.seen, later.seen_at) == (wait.seen, wait.seen_at)


@pytest.mark.parametrize(
    ("passed", "behind"),
    [
        pytest.param(PACE_SECONDS - 1, 200, id="watched too shortly: it moves in steps"),
        pytest.param(300, 400, id="it stands still"),
        pytest.param(300, 400 - 0.9 * 300 * 400 / LONGEST_SECONDS, id="as good as still"),
    ],
)
def test_a_checkpoint_whose_pace_says_nothing(passed: float, behind: float) -> None:
    found = waiting(CheckpointPassed().begun(at(0, 400)).judge(at(passed, behind)))
    assert found.left is None
    assert found.expected == "the checkpoint is usually behind by archive_lag_target, 120 s unless set"


def test_what_is_usual_on_3x() -> None:
    late = snapshot(row(SYS), row(SHOP))
    assert waiting(CheckpointPassed().begun(late).judge(late)).expected == (
        "the checkpoint is usually 2 to 3 minutes behind"
    )


@pytest.mark.parametrize("other", [None, "SUSPEND", "BEGINNING", "UNKNOWN"])
def test_nothing_is_expected_of_what_does_not_archive(other: str | None) -> None:
    rows = (row(SHOP),) if other is None else (row(SHOP), row(BANK, other))
    found = by_tenant(*rows, tenants=(SHOP, BANK), read_at=NOW + timedelta(seconds=30))
    wait = CheckpointPassed(since=NOW, after=NOW, seen=NOW - minutes(9), seen_at=NOW - minutes(5), seen_rows=len(rows))
    assert waiting(wait.judge(found)).expected == ""


def test_a_pace_is_measured_from_the_first_checkpoint_there_is() -> None:
    none_yet = replace(at(0, 400), rows=(row(SHOP, checkpoint=None), row(BANK)))
    wait = CheckpointPassed().begun(none_yet)
    assert wait.seen is None
    wait = wait.begun(at(30, 400))
    assert wait.seen_at == NOW + timedelta(seconds=30)
    assert waiting(wait.judge(at(230, 300))).left == pytest.approx(600)


def test_tenants_that_are_given_up_take_their_pace_with_them() -> None:
    wait = CheckpointPassed(tenants=("shop", "bank")).begun(at(0, 400))
    left = replace(wait, tenants=("bank",))
    only = at(200, 370, tenants=("bank",))
    assert waiting(left.judge(only)).left is None
    assert left.begun(only).seen_at == NOW + timedelta(seconds=200)


def test_a_checkpoint_that_fell_back_is_measured_anew() -> None:
    wait = CheckpointPassed().begun(at(0, 400)).begun(at(100, 500))
    assert (wait.seen_at, wait.seen) == (NOW + timedelta(seconds=100), NOW - timedelta(seconds=500))


def test_a_checkpoint_is_not_measured_by_another_reading() -> None:
    wait = CheckpointPassed().begun(FreezeProgress(NOW, 1, 0))
    assert (wait.since, wait.seen) == (NOW, None)


# --- start and stop ---------------------------------------------------------------------------------------------------


def test_what_is_usual_of_a_start() -> None:
    v3, v4 = snapshot(row(SYS, "BEGINNING"), row(SHOP, "BEGINNING")), by_tenant(row(SHOP, "PREPARE"))
    assert waiting(ArchiveDoing().judge(v3)).expected.startswith("a start usually takes 10 s to some minutes, longer")
    assert waiting(ArchiveDoing().judge(v4)).expected == "a start usually takes 10 to 90 s"
    for state in ("STOP", "STOPPING", "SUSPEND", "UNKNOWN"):
        found = by_tenant(row(SHOP, "BEGINNING"), row(BANK, state))
        assert waiting(ArchiveDoing(since=NOW).judge(found)).expected == "", "who waits for that may wait for ever"


def test_what_is_usual_of_a_stop_and_how_much_of_it_is_done() -> None:
    found = waiting(ArchiveStopped().judge(snapshot(row(SYS, "STOPPING"))))
    assert (found.expected, found.progress) == ("a stop usually takes 10 to 20 s", 0)
    found = waiting(ArchiveStopped().judge(by_tenant(row(SHOP, "STOP"), row(BANK, "STOPPING"))))
    assert (found.expected, found.progress) == ("a stop usually takes less than a minute", 0.5)
    found = waiting(ArchiveStopped(since=NOW).judge(by_tenant(row(SHOP, "DOING"), row(BANK, "STOPPING"))))
    assert found.expected == ""


# --- the freeze -------------------------------------------------------------------------------------------------------


def frozen(count: int | None, seconds: float) -> FreezeProgress:
    return FreezeProgress(NOW + timedelta(seconds=seconds), count, 0)


def test_how_much_of_a_freeze_is_on_disk() -> None:
    wait = FreezeDone(since=NOW).begun(frozen(8, 0))
    assert wait.most == 8
    found = waiting(wait.begun(frozen(2, 30)).judge(frozen(2, 30)))
    assert found.progress == pytest.approx(0.75)
    assert found.expected == "about 10 s to go at this pace"


def test_memtables_that_are_frozen_meanwhile() -> None:
    wait = FreezeDone(since=NOW).begun(frozen(8, 0))
    assert waiting(wait.judge(frozen(9, 30))).progress == 0, "a share is never negative"
    grown = wait.begun(frozen(9, 30))
    assert grown.most == 9
    found = waiting(grown.judge(frozen(9, 40)))
    assert (found.progress, found.left, found.expected) == (0, None, "")


def test_a_freeze_of_a_row_of_an_earlier_release() -> None:
    found = waiting(FreezeDone(since=NOW).judge(frozen(2, 30)))
    assert (found.progress, found.left) == (0, None)


@pytest.mark.parametrize("count", [None, 0])
def test_nothing_to_measure_a_freeze_by(count: int | None) -> None:
    assert FreezeDone(since=NOW).begun(frozen(count, 0)).most is None


def test_merges_of_4x_have_no_measure() -> None:
    found = waiting(FreezeDone(since=NOW).judge(FreezeProgress(NOW, None, 3, merging=2)))
    assert (found.progress, found.expected) == (None, "")
