"""Whether log backup runs: mode, STATUS, and how long a state on the way may last."""

from __future__ import annotations

import pytest

from tests.unit.compliance.world import DAY, HOUR, MINUTE, NOW, SECOND, V3, V4

RUNS = {"log_mode", "status", "state_age", "lag", "checkpoint_moved", "checkpoint_proof", "slowest_stream"}


@pytest.mark.parametrize("profile", [*V3, *V4])
def test_a_healthy_cluster_is_green_and_stays_so(world, profile):
    one = world(profile).healthy()
    report = one.check()
    assert report.verdict == "OK"
    assert not report.findings
    assert report.reason("checkpoint_moved") == report.reason("checkpoint_proof") == "this is the first check"
    report = one.advance(HOUR).check()
    assert report.verdict == "OK"
    assert report.level("checkpoint_moved") == report.level("checkpoint_proof") == "OK"
    assert report.tenant()["lag_state"] in {"ok", "in_flight"}
    assert "at most " in report.data["summary"]["en"]
    assert "最大延迟" in report.data["summary"]["zh"]


@pytest.mark.parametrize("profile", [*V3, "4.0.0"])
def test_a_version_without_log_mode_is_not_asked_for_it(world, profile):
    report = world(profile).healthy().check()
    assert "has no LOG_MODE: STATUS alone tells" in report.reason("log_mode")
    assert report.reason("log_mode").startswith(f"OceanBase {profile}")


@pytest.mark.parametrize("profile", V4[1:])
def test_log_mode_is_off_after_a_stop(world, profile):
    report = world(profile).healthy(status="STOPPING").check()
    assert report.verdict == "FAIL"
    assert report.level("log_mode", "tenant1") == "FAIL"
    assert report.says("log_mode") == "NOARCHIVELOG"
    assert "ob_log_archive" in report.hint("log_mode")
    assert report.says("status") == "STOPPING, NOARCHIVELOG"
    assert "no round runs" in report.reason("lag")


def test_log_mode_without_a_value_is_unknown(world):
    one = world().healthy()
    one.box.faults.malformed = {"DBA_OB_TENANTS.LOG_MODE": "SOMETIMES"}
    report = one.check()
    assert report.verdict == "UNKNOWN"
    assert report.level("log_mode") == report.level("status") == "UNKNOWN"
    assert report.level("state_age") == report.level("lag") == "UNKNOWN" or report.says("lag") == ""
    assert report.tenant()["lag_state"] == "unknown"


@pytest.mark.parametrize("profile", ["3.1.5", "4.0.0", "4.2.5"])
def test_a_stopped_archive_fails(world, profile):
    one = world(profile)
    one.history.round(1, NOW - 9 * DAY, NOW - HOUR)
    one.full(1, NOW - 8 * DAY)
    report = one.check()
    assert report.level("status", "tenant1") == "FAIL"
    assert report.says("status").startswith("STOP")
    assert report.hint("status") == "Run the DAG ob_log_archive, then take a full data backup."
    assert report.level("state_age") == "OK", "nothing is on its way"
    tenant = report.tenant()
    assert (tenant["status"], tenant["lag_state"], tenant["delay"]) == ("STOPPED", "lost", None)
    for rule in ("lag", "checkpoint_moved", "checkpoint_proof", "slowest_stream"):
        assert report.rule(rule)["level"] == "NOT_APPLICABLE"
    report = one.advance(MINUTE).check()
    assert report.reason("checkpoint_moved") == report.reason("checkpoint_proof")
    assert report.reason("lag") == "no round runs; the rule status says more"


@pytest.mark.parametrize("profile", ["3.1.5", "4.0.0", "4.2.5"])
def test_a_broken_stream_fails_at_once_and_says_what_to_do(world, profile):
    report = world(profile).healthy(status="INTERRUPTED", comment="" if profile == "3.1.5" else "ls 1001").check()
    assert {report.level(rule, "tenant1") for rule in ("status", "state_age", "lag", "holes_covered")} == {"FAIL"}
    assert "INTERRUPTED" in report.says("status")
    assert "INTERRUPTED" in report.says("state_age", language="zh")
    assert ("ls 1001" in report.says("status")) is (profile != "3.1.5")
    assert "full data backup at once" in report.hint("status")
    assert report.tenant()["lag_state"] == "lost"
    assert "lost until a new full backup" in report.says("lag")
    if profile != "4.0.0":
        assert report.level("slowest_stream", "tenant1") == "FAIL", "the log stream that broke is named at once"
        assert "INTERRUPTED at" in report.says("slowest_stream")


@pytest.mark.parametrize("state", ["PREPARE", "BEGINNING"])
def test_a_round_that_has_just_been_started_is_on_its_way(world, state):
    one = world("4.2.5").cleaned()
    one.history.round(1, NOW - 10 * SECOND, status=state)
    report = one.check()
    assert report.level("status", "tenant1") == "WARN"
    assert report.hint("status") == "It is on its way; look again."
    assert report.level("state_age") == "OK"
    assert report.reason("lag") == "nothing is archived yet"
    assert report.tenant()["lag_state"] == "in_flight"
    assert report.tenant()["status"] == "BEGINNING"
    assert report.levels()["full_backup"] == "FAIL", "there is none yet"


def test_a_round_of_3_x_that_begins_has_no_checkpoint(world):
    one = world("3.1.5").cleaned()
    one.history.round(1, NOW - 10 * SECOND, status="BEGINNING")
    report = one.check()
    assert report.level("status", "tenant1") == "WARN"
    assert report.reason("lag") == "nothing is archived yet"
    assert report.reason("slowest_stream") == "no round runs; the rule status says more"


@pytest.mark.parametrize("profile", ["3.1.5", "4.0.0", "4.2.5"])
def test_a_round_that_hangs_in_beginning_is_late_by_its_state_not_by_its_lag(world, profile):
    one = world(profile)
    one.box.faults.slow_start_seconds = 1e6
    one.history.round(1, NOW, status="BEGINNING")
    one.advance(30 * MINUTE)
    assert one.check().level("state_age", "tenant1") == "OK", "half an hour is allowed"
    report = one.advance(SECOND).check()
    assert report.level("state_age", "tenant1") == "FAIL"
    assert "BEGINNING for 30 min 1 s" in report.says("state_age")
    assert "destination" in report.hint("state_age")
    assert report.reason("lag") == "nothing is archived yet"
    assert one.check(transition_max="1801s").level("state_age") == "OK"


@pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])
def test_a_round_that_begins_is_as_old_as_it_says_where_no_event_tells(world, profile):
    one = world(profile)
    one.history.round(1, NOW - HOUR, status="BEGINNING")
    one.unreadable("DBA_OB_ROOTSERVICE_EVENT_HISTORY", "__all_rootservice_event_history")
    report = one.check()
    assert report.level("state_age", "tenant1") == "FAIL"
    assert report.says("state_age") == "BEGINNING for 1 h"


def _suspended(one, since):
    start = NOW - 20 * DAY
    one.history.round(1, start, status="SUSPEND", checkpoint=since)
    one.full(1, start + HOUR)
    one.full(2, NOW - 2 * DAY)
    one.cleaned()
    one.history.event(since, "log_archive", "change_status", tenant_id=1002, dest_no=0, round_id=1,
                      old_status="SUSPENDING", new_status="SUSPEND")  # fmt: skip
    return one


@pytest.mark.parametrize(("seconds", "level"), [(7200, "OK"), (7201, "WARN"), (43200, "WARN"), (43201, "FAIL")])
@pytest.mark.parametrize("profile", V4[1:])
def test_a_suspended_archive_warns_after_2_hours_and_fails_after_12(world, profile, seconds, level):
    report = _suspended(world(profile), NOW - seconds * SECOND).check()
    assert report.level("state_age", "tenant1") == level, report.says("state_age")
    assert report.level("status", "tenant1") == "WARN"
    assert "ENABLE" in report.hint("status")
    assert report.level("lag", "tenant1") == "WARN", "somebody wanted it so"
    assert "ENABLE" in report.hint("lag")
    assert report.verdict == ("FAIL" if level == "FAIL" else "WARN")
    assert report.reason("slowest_stream") == "no round runs; the rule status says more"
    assert (report.tenant()["status"], report.tenant()["archive_status"]) == ("SUSPENDED", "SUSPEND, DEFER")


def test_a_suspended_archive_fails_by_its_lag_where_the_policy_names_one(world):
    one = _suspended(world(), NOW - HOUR)
    assert one.check(rpo="15m").level("lag", "tenant1") == "FAIL"
    assert one.check(lag_fail="15m").level("lag", "tenant1") == "FAIL"
    assert one.check(rpo="2h").level("lag", "tenant1") == "WARN"
    assert one.check(rpo="2h", lag_warn="70m").level("lag", "tenant1") == "OK"
    assert one.check(suspend_warn="30m", suspend_fail="59m").level("state_age", "tenant1") == "FAIL"


def test_since_when_it_is_suspended_is_remembered_where_events_are_gone(world):
    one = world().healthy(status="SUSPEND")
    one.unreadable("DBA_OB_ROOTSERVICE_EVENT_HISTORY")
    report = one.check()
    assert report.level("state_age", "tenant1") == "UNKNOWN"
    assert report.says("state_age") == "SUSPEND, DEFER; since when is not shown"
    assert report.level("status", "tenant1") == "WARN", "the rest is read all the same"
    assert one.advance(2 * HOUR).check().level("state_age", "tenant1") == "OK"
    report = one.advance(SECOND).check()
    assert report.level("state_age", "tenant1") == "WARN"
    assert "for 2 h" in report.says("state_age")


def test_a_state_that_began_in_the_future_is_unknown(world):
    one = _suspended(world(start_time=NOW), NOW)
    one.box.faults.clock_deviation_us = {0: -3600 * 10**6}
    report = one.check()
    assert report.level("state_age", "tenant1") == "UNKNOWN"
    assert "ahead" in report.says("state_age")


@pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])
def test_a_word_that_no_manual_mentions_is_unknown(world, profile):
    one = world(profile).healthy()
    view = "CDB_OB_BACKUP_ARCHIVELOG" if profile == "3.1.5" else "CDB_OB_ARCHIVELOG"
    one.box.faults.malformed = {f"{view}.STATUS": "MOSTLY"}
    report = one.check()
    assert report.verdict == "UNKNOWN"
    assert report.level("status", "tenant1") == report.level("state_age", "tenant1") == "UNKNOWN"
    assert "MOSTLY" in report.says("status")
    assert "by hand" in report.hint("status")
    assert report.tenant()["archive_status"].startswith("MOSTLY")
    assert report.tenant()["lag_state"] == "unknown"


def test_a_stop_that_hangs(world):
    one = world().healthy(status="STOPPING")
    one.box.faults.dead_medium = True
    one.history.event(NOW, "log_archive", "change_status", tenant_id=1002, round_id=1, new_status="STOPPING")
    assert one.check().level("state_age") == "OK"
    one.box.faults.dead_servers = {1}
    report = one.advance(31 * MINUTE).check()
    if "STOPPING" in report.says("status"):
        assert report.level("state_age", "tenant1") == "FAIL"
        assert "10 min" in report.hint("state_age")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SET LOG_ARCHIVE_DEST_STATE = 'DEFER' TENANT = tenant1", "DOING, DEFER"),
        ("NOARCHIVELOG TENANT = tenant1", "DOING, NOARCHIVELOG"),
    ],
)
def test_a_state_that_was_asked_for_a_moment_ago_has_not_lasted_for_weeks(world, statement, words):
    """Mode and destination tell of it a pass before STATUS does; the event on record is of the state before."""
    one = world("4.2.5").healthy()
    one.check()
    one.sql(f"ALTER SYSTEM {statement}")
    report = one.check()
    assert report.tenant()["archive_status"] == words
    assert report.level("state_age") == "OK"
    one.box.faults.dead_medium = True
    one.box.faults.error_once = []
    report = one.check(transition_max=0)
    assert report.level("state_age") == "OK", "remembered since the check before, at this very moment"


def test_a_round_that_was_asked_for_a_moment_ago_has_not_been_preparing_for_days(world):
    one = world("4.2.5")
    one.history.round(1, NOW - 9 * DAY, NOW - 3 * DAY)
    one.sql("ALTER SYSTEM ARCHIVELOG TENANT = tenant1")
    report = one.check()
    assert report.tenant()["archive_status"] == "STOP, ARCHIVELOG, not begun yet"
    assert report.level("state_age") == "OK"
    assert report.level("status", "tenant1") == "WARN"


def test_a_suspended_archive_that_goes_on_is_not_as_old_as_its_round(world):
    one = _suspended(world(), NOW - HOUR)
    one.sql("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE' TENANT = tenant1")
    report = one.check()
    assert report.tenant()["archive_status"] == "SUSPEND, ENABLE, not resumed yet"
    assert report.level("state_age") == "OK"
    assert report.level("lag", "tenant1") == "FAIL", "it is an hour behind"
    one = _suspended(world(), NOW - HOUR)
    one.sql("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE' TENANT = tenant1")
    one.unreadable("DBA_OB_ROOTSERVICE_EVENT_HISTORY")
    report = one.check()
    assert report.level("state_age", "tenant1") == "UNKNOWN", "not 20 days"
    one.check()
    assert one.check().level("state_age") == "OK", "remembered"


def test_a_round_of_3_x_that_begins_shows_when_its_tenant_was_created(world):
    """And not when it began itself, which would be a hole that ends before it starts."""
    one = world("3.1.5").healthy()
    one.sql("ALTER SYSTEM NOARCHIVELOG")
    one.advance(MINUTE)
    one.sql("ALTER SYSTEM ARCHIVELOG")
    report = one.advance(5 * SECOND).check()
    assert report.tenant()["archive_status"] == "BEGINNING"
    assert report.level("rounds_adjacent") == "OK"
    assert report.level("holes_covered", "tenant1") == "FAIL"
    report = one.advance(5 * MINUTE).check()
    assert "(round 1 to 2)" in report.says("rounds_adjacent")


# --- 3.x: tenants of a cluster ---


@pytest.mark.parametrize(
    ("status", "level", "words"),
    [("INTERRUPTED", "FAIL", "stop and start"), ("STOP", "WARN", "joins by itself"), ("PAUSED", "UNKNOWN", "by hand")],
)
def test_one_tenant_of_a_cluster_is_not_where_the_cluster_is(world, status, level, words):
    one = world("3.1.5", tenants=2).healthy()
    one.box.faults.mixed_tenants = {"tenant2": status}
    report = one.check()
    assert report.level("status", "tenant2") == level
    assert report.level("status", "tenant1") == "OK"
    assert report.says("status", "tenant2") == f"cluster DOING, tenant {status}"
    assert words in report.hint("status", "tenant2")
    assert report.level("state_age", "tenant2") == "OK", "it is not joining"
    assert report.tenant("tenant1")["verdict"] == "OK"
    assert report.tenant("tenant2")["verdict"] != "OK"


def test_a_tenant_without_a_row_in_a_cluster_that_archives_joins_by_itself(world):
    one = world("3.1.5").healthy()
    one.box.create_tenant("newcomer")
    report = one.check()
    assert report.level("status", "newcomer") == "WARN"
    assert report.says("status", "newcomer") in {"cluster DOING, tenant no row"}
    assert "joins by itself" in report.hint("status", "newcomer")
    assert report.level("lag", "newcomer") == "OK", "it has nothing that could be late"
    assert report.level("full_backup", "newcomer") == "FAIL", "nothing of it can be restored"
    for rule in ("pieces_available", "rounds_adjacent", "holes_covered"):
        assert report.level(rule, "newcomer") == "OK", "it has no round yet"
    assert not [found for found in report.findings if found.endswith("/tenant1")]
    report = one.advance(5 * MINUTE).check()
    assert report.level("status", "newcomer") == "OK"


@pytest.mark.parametrize(("before", "level"), [("07:30:00", "OK"), ("07:29:59", "FAIL")])
def test_a_tenant_that_never_joins_is_no_warning_for_ever(world, before, level):
    one = world("3.1.5").healthy()
    one.box.create_tenant("newcomer")
    assert one.check().level("state_age") == "OK"
    one.store.memory = one.store.memory.replace(
        '"checked_at": "2024-06-21T08:00:00', f'"checked_at": "2024-06-21T{before}'
    )
    report = one.check()
    assert report.level("state_age", "newcomer") == level
    assert report.level("state_age", "tenant1") == "OK"
    if level == "FAIL":
        assert report.says("state_age", "newcomer") == "no row for 30 min 1 s"


def test_a_tenant_that_is_joining_may_take_half_an_hour(world):
    one = world("3.1.5", tenants=2).healthy()
    one.box.faults.mixed_tenants = {"tenant2": "BEGINNING"}
    report = one.check()
    assert report.level("status") == "OK"
    assert report.level("state_age", "tenant2") == "FAIL", "BEGINNING since the round began"
    assert "BEGINNING for 20 d" in report.says("state_age", "tenant2")
    assert report.level("state_age", "tenant1") == "OK"
