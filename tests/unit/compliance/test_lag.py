"""How late it is, to the second; late is not lost; moved or not since the last check; the proof an interval late."""

from __future__ import annotations

import pytest

from tests.unit.compliance.world import DAY, HOUR, MINUTE, NOW, SECOND, V4

EDGES = [(180, "OK"), (181, "WARN"), (300, "WARN"), (301, "FAIL")]


@pytest.mark.parametrize(("seconds", "level"), EDGES)
@pytest.mark.parametrize("profile", ["2.2.77", "3.1.5", "3.2.4", "4.0.0", "4.1.0", "4.2.5", "4.3.3"])
def test_the_lag_to_the_second(world, profile, seconds, level):
    report = world(profile).lag(seconds).check()
    assert report.level("lag", "tenant1") == report.verdict == level, report.data["summary"]
    tenant = report.tenant()
    assert (tenant["delay"], tenant["lag_warn"], tenant["lag_fail"]) == (seconds, 180, 300)
    assert tenant["lag_state"] == ("in_flight" if level == "OK" else "delayed")


@pytest.mark.parametrize(
    ("profile", "name"), [("3.1.5", "log_archive_checkpoint_interval"), ("4.2.5", "archive_lag_target")]
)
@pytest.mark.parametrize(
    ("target", "warn", "fail"),
    [("600s", 660, 780), ("120s", 180, 300), ("121s", 181, 301), ("119s", 180, 300), ("5s", 180, 300)],
)
def test_a_slow_target_is_not_late(world, profile, name, target, warn, fail):
    """180 s or the target and a minute; 300 s or the target and three."""
    for seconds, level in ((warn, "OK"), (warn + 1, "WARN"), (fail, "WARN"), (fail + 1, "FAIL")):
        one = world(profile)
        one.lag(seconds)
        one.box.parameters[name] = target
        report = one.check()
        assert report.level("lag", "tenant1") == level, (seconds, report.says("lag"))
        assert (report.tenant()["lag_warn"], report.tenant()["lag_fail"]) == (warn, fail)


@pytest.mark.parametrize(
    ("limits", "warn", "fail"),
    [
        ({"rpo": "10m"}, 180, 600),
        ({"rpo": 60}, 60, 60),
        ({"rpo": "10m", "lag_fail": "20m"}, 180, 1200),
        ({"lag_warn": 30}, 30, 300),
        ({"lag_warn": "1h"}, 3600, 3720),
        ({"lag_warn": "1h", "lag_fail": "1h"}, 3600, 3600),
        ({"lag_fail": 90}, 90, 90),
    ],
)
def test_the_policy_says_what_is_late(world, limits, warn, fail):
    edges = {warn: "OK", warn + 1: "FAIL" if warn == fail else "WARN", fail + 1: "FAIL"}
    for seconds, level in edges.items():
        report = world().lag(seconds).check(**limits)
        assert report.level("lag", "tenant1") == level, (seconds, report.says("lag"))
        assert (report.tenant()["lag_warn"], report.tenant()["lag_fail"]) == (warn, fail)


def test_which_tenant_is_late_and_by_how_much(world):
    one = world(tenants=3).healthy()
    one.box.faults.dead_medium = {"tenant2"}
    report = one.advance(10 * MINUTE).check()
    assert report.level("lag", "tenant2") == "FAIL"
    assert "11 min behind" in report.says("lag", "tenant2")
    assert "落后 11 分" in report.says("lag", "tenant2", "zh")
    assert report.findings["lag/tenant2"]["expected"]["en"] == "at most 3 min (fails above 5 min)"
    assert "slowest_stream" in report.hint("lag", "tenant2")
    assert not [found for found in report.findings if found.endswith(("/tenant1", "/tenant3"))]
    assert report.rule("lag")["tenants"] == {"OK": 2, "FAIL": 1}
    assert [one["tenantName"] for one in report.data["tenants"]] == ["tenant2", "tenant1", "tenant3"]


def test_late_is_not_lost(world):
    """The same lag, once of an archive that goes on, once of one that stands still, once of a broken one."""
    states = {}
    one = world().lag(400)
    states["delayed"] = one.check()
    states["stalled"] = one.frozen(4 * MINUTE).check()
    states["lost"] = world().lag(400, status="INTERRUPTED").check()
    for state, report in states.items():
        assert report.tenant()["lag_state"] == state
    assert "(delayed)" in states["delayed"].says("lag")
    assert "(停滞)" not in states["delayed"].says("lag", language="zh")
    assert "停滞" in states["stalled"].says("lag", language="zh")


@pytest.mark.parametrize(("pause", "stuck"), [(180, False), (181, True)])
def test_a_checkpoint_that_does_not_move_is_stuck_after_the_time_a_healthy_one_stands_still(world, pause, stuck):
    one = world().lag(300)
    one.check()
    report = one.frozen(pause * SECOND).check()
    assert report.tenant()["lag_state"] == ("stalled" if stuck else "delayed")
    assert report.level("checkpoint_moved", "tenant1") == ("FAIL" if stuck else "OK")
    if stuck:
        assert "has not moved for 3 min 1 s" in report.says("checkpoint_moved")


def test_the_checkpoint_of_another_round_is_not_stuck(world):
    """Although it is where the one before was."""
    one = world().lag(300)
    one.check()
    one.store.memory = one.store.memory.replace('[1002, 1, "DOING"', '[1002, 0, "DOING"')
    report = one.frozen(HOUR).check()
    assert report.tenant()["lag_state"] == "delayed"
    assert report.rule("checkpoint_moved")["level"] == "OK"


def test_an_idle_tenant_is_archived_as_well(world):
    one = world("4.2.5", tenants=0)
    one.box.create_tenant("tenant1", idle=True)
    one.healthy()
    assert one.check().verdict == "OK"
    for _ in range(3):
        assert one.advance(HOUR).check().verdict == "OK"


@pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])
def test_no_checkpoint_at_all_is_unknown(world, profile):
    one = world(profile).healthy()
    one.box.faults.malformed = (
        {"CDB_OB_BACKUP_ARCHIVELOG.MAX_NEXT_TIME": ""}
        if profile == "3.1.5"
        else {"CDB_OB_ARCHIVELOG.CHECKPOINT_SCN": 0}
    )
    one.check()
    report = one.advance(MINUTE).check()
    assert report.level("lag", "tenant1") == "UNKNOWN"
    assert report.says("lag") == "no checkpoint is shown"
    assert report.tenant()["lag_state"] == "unknown"
    assert report.tenant()["delay"] is None
    assert report.reason("checkpoint_moved") == "there was no checkpoint to compare"
    assert report.verdict == "UNKNOWN"


@pytest.mark.parametrize(("ahead", "level"), [(300, "OK"), (301, "UNKNOWN")])
def test_a_checkpoint_in_the_future_is_unknown(world, ahead, level):
    one = world("3.1.5").healthy()
    one.box.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.MAX_NEXT_TIME": f"{NOW + ahead * SECOND:%Y-%m-%d %H:%M:%S}"}
    report = one.check()
    assert report.level("lag", "tenant1") == level
    if level == "UNKNOWN":
        assert report.says("lag") == "the checkpoint is 5 min 1 s ahead of the server's clock"
        assert "clocks and time zones" in report.hint("lag")
        assert report.tenant()["lag_state"] == "unknown"


# --- since the last check ---


def test_what_was_written_before_the_last_check_is_archived(world):
    one = world().healthy()
    one.check()
    one.frozen(2 * MINUTE)
    report = one.check()
    assert report.reason("checkpoint_proof") == "the last check is only 2 min ago"
    one.store.memory = one.store.memory.replace("08:02:00", "08:00:00")
    report = one.advance(3 * MINUTE).check()
    assert report.reason("checkpoint_proof") == "the last check is only 5 min ago"
    one.store.memory = one.store.memory.replace("08:05:00", "08:00:00")
    report = one.advance(SECOND).check()
    assert report.level("checkpoint_proof", "tenant1") == "FAIL"
    assert report.says("checkpoint_proof") == "archived until 2024-06-21 07:59:00+08:00 only, 5 min 1 s after"


def test_archived_up_to_the_very_moment_of_the_last_check(world):
    one = world().healthy()
    one.check()
    one.store.memory = one.store.memory.replace("2024-06-21T08:00:00", "2024-06-21T07:59:00")
    report = one.check()
    assert report.level("checkpoint_proof", "tenant1") == "OK"
    assert "checkpoint_proof" not in report.levels()
    assert report.rule("checkpoint_proof")["level"] == "OK"


@pytest.mark.parametrize("profile", ["3.1.5", "4.0.0", "4.2.5"])
def test_a_round_that_began_after_the_last_check_proves_nothing_about_before(world, profile):
    """What was written between two rounds is in neither, however far the new one is."""
    one = world(profile)
    one.history.round(1, NOW - 9 * DAY, NOW - HOUR)
    one.check()
    one.advance(HOUR)
    one.history.round(2, NOW + 30 * MINUTE)
    report = one.check()
    assert report.reason("checkpoint_proof") == "round 2 began at 2024-06-21 08:30:00+08:00, after the last check"
    assert report.level("checkpoint_moved") in {"OK", "NOT_APPLICABLE"}
    assert one.advance(HOUR).check().rule("checkpoint_proof")["level"] == "OK"


def test_a_new_round_has_moved(world):
    one = world()
    one.history.round(1, NOW - 9 * DAY)
    one.check()
    one.history.clear()
    one.history.round(2, NOW - 4 * DAY, checkpoint=NOW - 3 * MINUTE)
    report = one.check()
    assert report.rule("checkpoint_moved")["level"] == "OK"
    assert "checkpoint_moved" not in report.levels()


def test_a_checkpoint_that_went_back(world):
    one = world().healthy()
    one.check()
    one.history.clear()
    one.history.round(1, NOW - 20 * DAY, checkpoint=NOW - 2 * MINUTE)
    report = one.check()
    assert report.level("checkpoint_moved", "tenant1") == "FAIL"
    assert report.says("checkpoint_moved") == "went back by 1 min"


def test_nothing_is_concluded_where_the_clock_was_set_back(world):
    one = world().healthy()
    one.check()
    one.box.faults.clock_deviation_us = {0: -120 * 10**6}
    report = one.check()
    words = "the server's clock was set back since the last check"
    assert report.reason("checkpoint_moved") == report.reason("checkpoint_proof") == words
    assert report.level("check_recent") == "WARN"
    assert "in the future" in report.says("check_recent", "")


# --- the slowest log stream ---


@pytest.mark.parametrize("profile", ["3.1.5", *V4[1:]])
def test_the_slowest_log_stream_is_named(world, profile):
    report = world(profile).lag(900).check()
    assert report.level("slowest_stream", "tenant1") == "FAIL"
    assert "archived until 2024-06-21 07:45:00" in report.says("slowest_stream")
    assert "归档到" in report.says("slowest_stream", language="zh")


def test_4_0_does_not_show_log_streams(world):
    assert "does not show log streams" in world("4.0.0").lag(900).check().reason("slowest_stream")


@pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])
def test_a_little_late_is_a_warning_not_a_riddle(world, profile):
    """Log streams are asked for from five minutes on: before, a tenant that is late is WARN and nothing is unknown."""
    report = world(profile).lag(200).check()
    assert report.verdict == "WARN"
    assert set(report.levels()) == {"lag"}
    assert report.reason("slowest_stream") == "not late enough to ask for the log streams"


def test_one_log_stream_alone_is_behind(world):
    one = world().healthy()
    one.history.stream(1001, NOW - 7 * MINUTE, tenant="tenant1")
    report = one.check(lag_fail="1h")
    assert report.level("slowest_stream", "tenant1") == report.level("lag", "tenant1") == "WARN"
    assert report.says("slowest_stream").startswith("log stream 1001 archived until 2024-06-21 07:53:00")


def test_one_log_stream_is_broken_before_the_tenant_says_so(world):
    one = world().healthy()
    one.history.stream(1001, NOW - 7 * MINUTE, tenant="tenant1", status="INTERRUPTED")
    report = one.check(lag_fail="1h")
    assert report.level("slowest_stream", "tenant1") == "FAIL"
    assert "1001 INTERRUPTED at" in report.says("slowest_stream")


@pytest.mark.parametrize(
    ("profile", "view"),
    [("3.1.5", "CDB_OB_BACKUP_ARCHIVELOG_PROGRESS"), ("4.2.5", "CDB_OB_LS_LOG_ARCHIVE_PROGRESS")],
)
def test_log_streams_that_cannot_be_read(world, profile, view):
    one = world(profile).lag(900)
    one.unreadable(view)
    report = one.check()
    assert report.level("slowest_stream", "tenant1") == "UNKNOWN"
    assert "1142" in report.says("slowest_stream")
    assert "SELECT on oceanbase" in report.hint("slowest_stream")
    assert report.level("lag", "tenant1") == "FAIL" == report.verdict
    one.box.faults.reset()
    one.box.faults.lost_views = {view}
    assert "does not show it" in one.check().reason("slowest_stream")
    one.box.faults.reset()
    column = "MAX_NEXT_TIME" if profile == "3.1.5" else "CHECKPOINT_SCN"
    one.box.faults.malformed = {f"{view}.{column}": "soon"}
    assert one.check().level("slowest_stream", "tenant1") == "UNKNOWN"
