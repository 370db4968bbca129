"""Whether all pieces are there and whole: rules pieces_available and pieces_adjacent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_ob_provider.oceanbase.compliance.judge import judge
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from tests.unit.compliance.world import DAY, HOUR, MINUTE, NOW, SECOND

BOTH = pytest.mark.parametrize("profile", ["2.2.77", "3.1.5", "3.2.4", "4.0.0", "4.1.0", "4.2.5", "4.3.3"])
GENERATIONS = pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])
RULES = ("pieces_available", "pieces_adjacent", "rounds_adjacent", "holes_covered", "restore_point")


def one_full(world, profile, **options):
    """Twenty pieces, one full backup in the first of them."""
    one = world(profile, **options).cleaned()
    one.history.round(1, NOW - 20 * DAY)
    one.full(1, NOW - 20 * DAY + HOUR)
    return one


@BOTH
@pytest.mark.parametrize(("status", "word"), [("BROKEN", "BROKEN"), ("COPYING", "INCOMPLETE")])
def test_a_piece_in_the_middle_is_broken(world, profile, status, word):
    """Nothing from there on can be restored, and a full backup is the way out."""
    one = one_full(world, profile, tenants=2)
    one.history.piece(7, file_status=status, tenant="tenant2")
    report = one.check(full_backup_max_age="30d")
    assert report.level("pieces_available", "tenant2") == "FAIL"
    assert report.says("pieces_available", "tenant2") == f"round 1: piece 7 is {word}"
    assert "take a full backup" in report.hint("pieces_available", "tenant2")
    assert "nothing after 2024-06-07 08:00:00+08:00" in report.says("holes_covered", "tenant2")
    assert report.hint("holes_covered", "tenant2") == "open: take a full backup now"
    assert report.level("pieces_adjacent", "tenant2") == "OK"
    assert not [found for found in report.findings if found.endswith("tenant1")]


@GENERATIONS
def test_pieces_of_which_the_server_says_what_no_manual_mentions(world, profile):
    """Neither good nor bad."""
    one = one_full(world, profile)
    view = "CDB_OB_BACKUP_PIECE_FILES" if one.is_v3 else "CDB_OB_ARCHIVELOG_PIECE_FILES"
    one.box.faults.malformed = {f"{view}.FILE_STATUS": "SHINY"}
    report = one.check(full_backup_max_age="30d")
    assert report.level("pieces_available", "tenant1") == report.verdict == "UNKNOWN", report.levels()
    assert "nothing certain about piece 1" in report.says("pieces_available")
    assert "and 15 more" in report.says("pieces_available")
    assert "另有 15 处" in report.says("pieces_available", language="zh")
    assert "by hand" in report.hint("pieces_available")
    one.box.faults.reset()
    one.history.piece(7, file_status="BROKEN")
    one.box.faults.malformed = {f"{view}.FILE_STATUS": "SHINY"}
    assert one.check().level("pieces_available") == "UNKNOWN"


def test_five_broken_pieces_are_all_named(world):
    one = one_full(world, "4.2.5")
    for number in (3, 5, 7, 9, 11):
        one.history.piece(number, file_status="BROKEN")
    assert one.check().says("pieces_available").count("BROKEN") == 5
    assert "more" not in one.check().says("pieces_available")


@GENERATIONS
def test_a_full_backup_after_the_broken_piece_is_the_way_out(world, profile):
    one = one_full(world, profile)
    one.history.piece(7, file_status="BROKEN")
    one.full(2, NOW - 2 * DAY)
    report = one.check()
    assert report.verdict == report.level("pieces_available", "tenant1") == "WARN"
    assert "waive it" in report.hint("pieces_available")
    assert report.level("holes_covered") == "OK"
    gap = report.tenant()["gaps"][0]
    assert gap["ended_by"]["backup_set_id"] == 2
    assert next(cause["kind"] for cause in gap["causes"]) == "piece_broken"
    assert gap["action"]["en"] == "ended by full backup 2"


@GENERATIONS
@pytest.mark.parametrize(("window", "level"), [("15d", "FAIL"), ("13d", "WARN")])
def test_a_broken_piece_matters_while_the_policy_wants_its_moments(world, profile, window, level):
    """Piece 7 begins 14 days ago."""
    one = one_full(world, profile)
    one.history.piece(7, file_status="BROKEN")
    one.full(2, NOW - 2 * DAY)
    assert one.check(recovery_window=window).level("pieces_available", "tenant1") == level


@GENERATIONS
def test_a_piece_is_missing(world, profile):
    one = one_full(world, profile)
    one.history.piece(7, removed=True)
    one.history.piece(8, removed=True)
    report = one.check(full_backup_max_age="30d")
    assert report.level("pieces_adjacent", "tenant1") == report.level("holes_covered", "tenant1") == "FAIL"
    assert report.says("pieces_adjacent") == "round 1: piece 7-8 is missing"
    assert report.says("pieces_adjacent", language="zh") == "轮次 1：缺少分片 7-8"
    assert report.level("pieces_available") == "OK"


@GENERATIONS
def test_a_piece_that_does_not_begin_where_the_one_before_ends(world, profile):
    one = one_full(world, profile)
    one.history.piece(7, start=NOW - 14 * DAY + MINUTE)
    report = one.check(full_backup_max_age="30d")
    assert report.level("pieces_adjacent", "tenant1") == "FAIL"
    assert "piece 7 does not begin where the one before ends" in report.says("pieces_adjacent")


@BOTH
def test_what_clean_up_has_taken_from_the_beginning_is_not_missed(world, profile):
    one = one_full(world, profile)
    for number in range(1, 10):
        one.history.piece(number, file_status=("EXPIRED", "DELETING", "DELETED")[number % 3])
    one.full(2, NOW - 2 * DAY)
    report = one.check()
    assert report.verdict == "OK"
    assert report.tenant()["restorable_from"].startswith("2024-06-19")


@GENERATIONS
def test_clean_up_took_one_from_the_middle(world, profile):
    one = one_full(world, profile)
    one.history.piece(1, file_status="DELETED")
    one.history.piece(7, file_status="DELETED")
    report = one.check(full_backup_max_age="30d")
    assert report.level("pieces_available", "tenant1") == "FAIL"
    assert "piece 7 was cleaned" in report.says("pieces_available")
    assert "piece 1 " not in report.says("pieces_available")


@GENERATIONS
def test_an_old_round_that_was_cleaned_altogether(world, profile):
    one = world(profile).cleaned()
    one.history.round(1, NOW - 30 * DAY, NOW - 25 * DAY)
    one.full(1, NOW - 29 * DAY, file_status="DELETED")
    for number in range(1, 6):
        one.history.piece(number, round_id=1, file_status="DELETED")
    one.history.round(2, NOW - 20 * DAY)
    one.full(2, NOW - 2 * DAY)
    report = one.check()
    assert report.verdict == "OK", report.levels()


def test_the_same_word_has_two_meanings(world):
    """INCOMPLETE: 3.x is good up to its own checkpoint, 4.x lacks logs of some log streams."""
    for profile, kind in (("3.1.5", "piece_incomplete"), ("4.2.5", "piece_incomplete")):
        one = one_full(world, profile)
        one.history.piece(7, file_status="INCOMPLETE", checkpoint=NOW - 14 * DAY + 6 * HOUR)
        report = one.check(full_backup_max_age="30d")
        assert report.level("pieces_available", "tenant1") == "FAIL"
        assert report.tenant()["gaps"][-1]["causes"][0]["kind"] == kind
        until = report.tenant()["restorable_until"]
        assert until.startswith("2024-06-07T14:00" if profile == "3.1.5" else "2024-06-07T08:00")


@pytest.mark.parametrize(("seconds", "level"), [(300, "OK"), (301, "WARN")])
def test_the_newest_piece_of_4_x_may_be_incomplete_while_it_is_new(world, seconds, level):
    one = world("4.2.5", tenants=2).cleaned()
    start = NOW - 10 * DAY - seconds * SECOND
    one.history.round(1, start)
    one.full(1, start + HOUR)
    one.full(2, NOW - DAY)
    one.history.piece(11, file_status="INCOMPLETE", tenant="tenant2")
    report = one.check()
    assert report.level("pieces_available", "tenant2") == report.verdict == level, report.levels()
    if level == "WARN":
        assert report.says("pieces_available", "tenant2") == "the newest piece is INCOMPLETE for 5 min 1 s"
        assert "slowest_stream" in report.hint("pieces_available", "tenant2")


@GENERATIONS
def test_pieces_switch_without_an_alarm(world, profile):
    one = world(profile).healthy()
    assert one.check().verdict == "OK"
    for step in range(16):
        report = one.advance(2 * HOUR).check(full_backup_max_age="30d")
        assert report.verdict == "OK", (step, report.levels())


@pytest.mark.parametrize("profile", ["3.1.2", "3.1.5", "3.2.4"])
def test_3_x_without_splitting(world, profile):
    one = world(profile)
    one.history.round(1, NOW - 20 * DAY, NOW - 10 * DAY, piece_days=0)
    one.history.round(2, NOW - 9 * DAY, piece_days=0)
    one.full(1, NOW - 2 * DAY)
    report = one.check(cleanup_required=False)
    assert report.verdict == "OK", report.findings
    one.history.piece(0, round_id=2, file_status="BROKEN")
    report = one.check(cleanup_required=False)
    assert report.says("pieces_available") == "round 2: piece 0 is BROKEN"
    assert report.level("holes_covered", "tenant1") == "FAIL"


@pytest.mark.parametrize(("after", "level"), [(300, "WARN"), (301, "FAIL")])
def test_a_round_that_archives_without_a_piece(world, after, level):
    one = world("3.1.5").cleaned()
    one.history.round(1, NOW - after * SECOND)
    one.history.piece(1, removed=True)
    report = one.check()
    assert report.level("pieces_available", "tenant1") == level
    assert report.says("pieces_available") == "the round has no piece"
    assert report.reason("pieces_adjacent") == "there is no piece"


def test_a_round_that_prepares_has_no_piece_yet(world):
    one = world("4.2.5")
    one.history.round(1, NOW, status="PREPARE")
    assert one.check().reason("pieces_available") == "there is no piece"


def test_a_round_that_is_not_on_record_is_no_reason_to_be_green(world):
    """STATUS is DOING, but ARCHIVELOG_SUMMARY does not show the round."""
    one = world("4.2.5").cleaned()
    one.history.round(1, NOW - HOUR)
    catalog = one.catalog()
    catalog = replace(catalog, tenants=tuple(replace(record, rounds=()) for record in catalog.tenants))
    found = {finding.id: finding.answer for finding in judge(catalog, Policy.parse(None)).findings}
    for rule in ("pieces_available", "pieces_adjacent", "rounds_adjacent", "holes_covered"):
        assert found[f"{rule}/tenant1"].level == "UNKNOWN"
        assert found[f"{rule}/tenant1"].observed.en == "STATUS is DOING, but no round is on record"


@GENERATIONS
def test_pieces_that_cannot_be_read_are_unknown_and_hide_nothing_else(world, profile):
    one = world(profile).lag(400)
    view = "CDB_OB_BACKUP_PIECE_FILES" if one.is_v3 else "CDB_OB_ARCHIVELOG_PIECE_FILES"
    one.unreadable(view)
    report = one.check(recovery_window="7d")
    for rule in (*RULES, "retention"):
        assert report.level(rule, "tenant1") == "UNKNOWN", rule
        assert report.says(rule) == "[1142] SELECT command denied"
        assert "SELECT on oceanbase" in report.hint(rule)
    assert report.level("lag", "tenant1") == report.verdict == "FAIL"
    assert report.level("full_backup") == "OK"
    assert report.tenant()["note"]["en"] == "[1142] SELECT command denied"
    one.box.faults.reset()
    one.box.faults.lost_views = {view}
    assert "[1146]" in one.check().says("pieces_available")


def test_rows_of_pieces_that_cannot_be_read_hide_nothing_else(world):
    one = world("3.1.5").healthy()
    one.box.faults.malformed = {"CDB_OB_BACKUP_PIECE_FILES.START_TS": "odd"}
    report = one.check(recovery_window="7d")
    assert report.verdict == report.level("pieces_available", "tenant1") == "UNKNOWN", report.levels()
    assert "odd" in report.says("holes_covered")
    assert report.level("status") == report.level("lag") == report.level("full_backup") == "OK"


def test_rounds_whose_rows_are_odd(world):
    one = world("3.1.5").healthy()
    one.box.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG_SUMMARY.MIN_FIRST_TIME": "odd"}
    report = one.check()
    assert report.verdict == "UNKNOWN"
    for rule in RULES[:4]:
        assert report.level(rule, "tenant1") == "UNKNOWN", rule
        assert "odd" in report.says(rule)
