"""Rounds, holes and full backups: to what moments a tenant can be restored, and what ends a hole."""

from __future__ import annotations

import pytest

from tests.unit.compliance.world import DAY, HOUR, MINUTE, NOW, SECOND

GENERATIONS = pytest.mark.parametrize("profile", ["2.2.77", "3.1.5", "4.0.0", "4.2.5"])
TWO = pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])


def two_rounds(world, profile, **options):
    """Round 3 began a day after round 2 ended; a full backup in the first of them."""
    one = world(profile).cleaned()
    one.history.round(2, NOW - 10 * DAY, NOW - 5 * DAY)
    one.full(1, NOW - 9 * DAY)
    one.history.round(3, NOW - 4 * DAY, **options)
    return one


@GENERATIONS
def test_round_3_began_a_day_after_round_2_ended_and_no_full_backup_since(world, profile):
    report = two_rounds(world, profile).check(full_backup_max_age="30d")
    assert report.level("rounds_adjacent", "tenant1") == "WARN"
    between = "no logs from 2024-06-16 08:00:00+08:00 to 2024-06-17 08:00:00+08:00 (round 2 to 3)"
    assert report.says("rounds_adjacent") == between
    assert "没有日志（轮次 2 到 3）" in report.says("rounds_adjacent", language="zh")
    assert report.level("holes_covered", "tenant1") == report.verdict == "FAIL"
    assert report.says("holes_covered").startswith("nothing after 2024-06-16 08:00:00+08:00 can be restored")
    assert report.hint("holes_covered") == "open: take a full backup now"
    tenant = report.tenant()
    assert tenant["restorable_until"].startswith("2024-06-16T08:00")
    assert [cause["kind"] for cause in tenant["gaps"][0]["causes"]] == ["stop_start", "no_full_backup"]
    assert report.rule("restore_point")["level"] == "OK", "the old backup was archived past, in its own round"


@GENERATIONS
def test_the_full_backup_that_ends_the_hole(world, profile):
    one = two_rounds(world, profile)
    one.full(2, NOW - 3 * DAY)
    report = one.check()
    assert report.verdict == "OK", report.levels()
    gap = report.tenant()["gaps"][0]
    assert (gap["ended_by"]["backup_set_id"], gap["open"]) == (2, False)
    assert len(report.tenant()["windows"]) == 2


def test_a_full_backup_from_the_very_moment_of_the_new_round_ends_the_hole(world):
    one = two_rounds(world, "3.1.5")
    one.full(2, NOW - 4 * DAY)
    assert one.check().verdict == "OK"


@TWO
@pytest.mark.parametrize(("window", "adjacent"), [("4d", "WARN"), ("3d", "OK")])
def test_the_policy_says_how_long_a_change_of_rounds_matters(world, profile, window, adjacent):
    one = two_rounds(world, profile)
    one.full(2, NOW - 3 * DAY - HOUR)
    report = one.check(recovery_window=window)
    assert report.level("rounds_adjacent", "tenant1") == adjacent, report.findings
    assert report.level("holes_covered") == "OK"


@TWO
def test_a_full_backup_that_runs_will_end_the_hole(world, profile):
    one = two_rounds(world, profile)
    one.history.backup_set(2, NOW - 20 * MINUTE, status="DOING")
    report = one.check(full_backup_max_age="30d")
    assert report.level("holes_covered", "tenant1") == report.verdict == "WARN"
    assert report.hint("holes_covered") == "open: the full backup that runs now will end it"


@TWO
def test_an_incremental_backup_that_runs_will_not(world, profile):
    one = two_rounds(world, profile)
    one.history.backup_set(2, NOW - 20 * MINUTE, status="DOING", kind="incremental")
    assert one.check(full_backup_max_age="30d").level("holes_covered", "tenant1") == "FAIL"


@TWO
def test_a_full_backup_that_runs_for_ever_ends_nothing(world, profile):
    one = two_rounds(world, profile)
    one.history.backup_set(2, NOW - 2 * DAY, status="DOING")
    if not one.is_v3:
        one.box.faults.stuck_backups = {"tenant1"}
    assert one.check(full_backup_max_age="3d").level("holes_covered", "tenant1") == "WARN"
    assert one.check(full_backup_max_age="2d").level("holes_covered", "tenant1") == "WARN"
    assert one.check(full_backup_max_age=2 * 86400 - 1).level("holes_covered", "tenant1") == "FAIL"


@TWO
def test_a_full_backup_that_ended_a_minute_ago(world, profile):
    """The checkpoint is not past it yet, and that is in order."""
    one = two_rounds(world, profile)
    one.full(2, NOW - 90 * SECOND)
    report = one.check()
    assert report.level("holes_covered", "tenant1") == report.verdict == "WARN"
    assert report.hint("holes_covered") == "open: full backup 2 will end it once the checkpoint has passed it"
    assert report.rule("restore_point")["level"] == "OK"
    report = one.advance(5 * MINUTE).check()
    assert report.verdict == "OK", report.levels()


@TWO
@pytest.mark.parametrize(("seconds", "level"), [(300, "OK"), (301, "FAIL")])
def test_a_full_backup_that_the_checkpoint_never_passes_restores_nothing(world, profile, seconds, level):
    one = world(profile).cleaned()
    done = NOW - seconds * SECOND
    one.history.round(1, NOW - 9 * DAY, checkpoint=done - SECOND)
    one.full(1, NOW - 8 * DAY)
    one.history.backup_set(2, done - MINUTE, done, replay_from=None if one.is_v3 else done - MINUTE)
    report = one.check(lag_fail="5m", lag_warn="5m")
    assert report.level("restore_point", "tenant1") == level, report.levels()
    if level == "FAIL":
        assert "is archived until 2024-06-21 07:54:58+08:00 only" in report.says("restore_point")
        assert "4018" in report.hint("restore_point")
        assert report.findings["restore_point/tenant1"]["expected"]["en"] == (
            "archived past 2024-06-21 07:54:59+08:00 (full backup 2)"
        )


@TWO
def test_log_backup_was_stopped_before_the_checkpoint_had_passed_the_backup(world, profile):
    one = world(profile)
    one.history.round(1, NOW - 9 * DAY, NOW - DAY, checkpoint=NOW - DAY - HOUR)
    one.full(1, NOW - DAY - HOUR - SECOND, MINUTE)
    report = one.check()
    assert report.level("restore_point", "tenant1") == "FAIL"
    assert "do not stop log backup" in report.hint("restore_point")


@TWO
@pytest.mark.parametrize(("past", "level"), [(0, "FAIL"), (1, "OK")])
def test_the_checkpoint_must_be_past_the_backup_not_at_it(world, profile, past, level):
    one = world(profile)
    done = NOW - DAY
    one.history.round(1, NOW - 9 * DAY, NOW - HOUR, checkpoint=done + past * SECOND)
    one.history.backup_set(1, done - MINUTE, done)
    assert one.check().level("restore_point", "tenant1") == level


def test_a_hole_that_ends_where_the_window_begins_is_not_in_it(world):
    one = two_rounds(world, "3.1.5")
    one.full(2, NOW - 3 * DAY)
    assert one.check(recovery_window="3d").level("retention") == "OK"
    assert one.check(recovery_window=3 * 86400 + 1).level("retention") == "WARN"


@TWO
def test_a_full_backup_from_before_the_first_round(world, profile):
    one = world(profile).cleaned()
    one.full(1, NOW - 3 * DAY)
    one.history.round(1, NOW - 2 * DAY)
    report = one.check()
    assert report.level("restore_point", "tenant1") == report.level("holes_covered", "tenant1") == "FAIL"
    assert report.says("restore_point") == "it lies in no round"
    assert report.hint("restore_point") == "Take a full data backup now."


@TWO
@pytest.mark.parametrize("state", ["BEGINNING", "STOPPING", "INTERRUPTED"])
def test_the_way_out_of_a_hole_depends_on_where_log_backup_is(world, profile, state):
    report = two_rounds(world, profile, status=state).check(full_backup_max_age="30d")
    hint = report.hint("holes_covered")
    if state == "BEGINNING":
        assert hint == "open: take a full backup as soon as log backup is DOING"
    else:
        assert hint == "open: start log backup again, then take a full backup"
    assert report.level("holes_covered", "tenant1") == "FAIL"


def test_the_way_out_of_a_hole_while_log_backup_is_suspended(world):
    one = two_rounds(world, "4.2.5", status="SUSPEND")
    report = one.check(full_backup_max_age="30d")
    assert "LOG_ARCHIVE_DEST_STATE = ENABLE" in report.hint("holes_covered")
    assert report.level("holes_covered", "tenant1") == "FAIL"


def test_a_round_that_was_interrupted_says_so(world):
    one = world("4.2.5")
    one.history.round(1, NOW - 9 * DAY, NOW - 5 * DAY, comment="log stream 1001 interrupted")
    one.history.event(NOW - 5 * DAY, "log_archive", "change_status", tenant_id=1002, dest_no=0, round_id=1,
                      old_status="DOING", new_status="INTERRUPTED")  # fmt: skip
    one.history.round(2, NOW - 4 * DAY)
    report = one.check()
    assert "round 1 was INTERRUPTED (log stream 1001 interrupted)" in report.says("holes_covered")
    assert "interrupted" in [cause["kind"] for cause in report.tenant()["gaps"][0]["causes"]]


@TWO
def test_started_an_hour_ago_and_nothing_else_yet(world, profile):
    one = world(profile).cleaned()
    one.history.round(1, NOW - HOUR)
    report = one.check(recovery_window="7d")
    for rule in ("full_backup", "holes_covered", "retention"):
        assert report.level(rule, "tenant1") == "FAIL"
    assert report.reason("restore_point") == "there is no usable full backup"
    assert report.says("retention") == "nothing can be restored"


# --- the recovery window ---


@TWO
def test_the_recovery_window_is_reached(world, profile):
    one = world(profile).healthy(days=20)
    report = one.check(recovery_window="7d")
    assert report.verdict == report.rule("retention")["level"] == "OK"
    assert "recovery_window" in one.check().reason("retention")


@TWO
def test_the_window_to_the_second(world, profile):
    """The full backup was started 20 days less an hour ago; 4.x restores from its end on, a minute later."""
    one = world(profile).healthy(days=20)
    reach = 20 * 86400 - 3600 - (0 if one.is_v3 else 60)
    assert one.check(recovery_window=reach, full_backup_max_age="9d").level("retention") == "OK"
    report = one.check(recovery_window=reach + 1)
    assert report.level("retention", "tenant1") == "WARN"
    assert report.says("retention").startswith("since 2024-06-01 09:0")
    assert "heals with time" in report.hint("retention")


@TWO
def test_a_hole_in_the_recovery_window(world, profile):
    one = two_rounds(world, profile)
    report = one.check(recovery_window="7d", full_backup_max_age="30d")
    assert report.says("retention") == "not from 2024-06-16 08:00:00+08:00 to now"
    assert report.hint("retention") == "open: take a full backup now", "time alone does not heal it"
    one.full(2, NOW - 3 * DAY)
    report = one.check(recovery_window="7d")
    assert report.says("retention").startswith("not from 2024-06-16 08:00:00+08:00 to 2024-06-18 08:0")
    assert "heals with time" in report.hint("retention")
    assert one.check(recovery_window="2d").level("retention") == "OK"


@TWO
def test_backups_that_cannot_be_read_are_unknown(world, profile):
    one = world(profile).healthy()
    one.unreadable("CDB_OB_BACKUP_SET_FILES")
    report = one.check(recovery_window="7d")
    for rule in ("holes_covered", "full_backup", "restore_point", "retention"):
        assert report.level(rule, "tenant1") == "UNKNOWN", rule
        assert report.says(rule) == "[1142] SELECT command denied"
    assert report.level("pieces_available") == report.level("rounds_adjacent") == report.level("lag") == "OK"
