"""Full backups, the destination, the log disk, clean-up and drills."""

from __future__ import annotations

import pytest

from tests.unit.compliance.world import DAY, GIB, HOUR, MINUTE, NOW, SECOND, V3

TWO = pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])


# --- full backups ---


@TWO
@pytest.mark.parametrize(
    ("age", "level"),
    [(8 * DAY, "OK"), (8 * DAY + SECOND, "WARN"), (16 * DAY, "WARN"), (16 * DAY + SECOND, "FAIL")],
)
def test_a_full_backup_may_be_eight_days_old_and_twice_that_fails(world, profile, age, level):
    one = world(profile).cleaned()
    one.history.round(1, NOW - 20 * DAY)
    one.history.backup_set(1, NOW - age - MINUTE, NOW - age)
    report = one.check()
    assert report.level("full_backup", "tenant1") == report.verdict == level
    assert report.tenant()["lastDataBackupTime"] == f"{NOW - age:%Y-%m-%dT%H:%M:%S}+08:00"
    if level != "OK":
        assert report.says("full_backup").startswith("full backup 1 is ")
    assert one.check(full_backup_max_age="20d").level("full_backup") == "OK"


@TWO
def test_there_is_no_full_backup(world, profile):
    one = world(profile).cleaned()
    one.history.round(1, NOW - DAY)
    report = one.check()
    assert report.level("full_backup", "tenant1") == "FAIL"
    assert report.says("full_backup") == "there is none"
    assert report.says("full_backup", language="zh") == "没有可用的全量备份"
    assert report.hint("full_backup") == "Take a full data backup now."


@TWO
def test_the_first_full_backup_runs(world, profile):
    one = world(profile).cleaned()
    one.history.round(1, NOW - DAY)
    one.history.backup_set(1, NOW - HOUR, status="DOING")
    report = one.check()
    assert report.level("full_backup", "tenant1") == "WARN"
    assert report.says("full_backup") == "the first one runs since 2024-06-21 07:00:00+08:00"
    assert one.check(full_backup_max_age="59m").level("full_backup", "tenant1") == "FAIL", "it has hung up"


@TWO
def test_a_failed_backup_after_a_good_one_warns(world, profile):
    one = world(profile).healthy()
    one.full(3, NOW - HOUR, status="FAILED")
    report = one.check()
    assert report.level("full_backup", "tenant1") == "WARN"
    assert "backup 3 FAILED at 2024-06-21 07:00:00+08:00" in report.says("full_backup")
    assert "BACKUP_JOB_HISTORY" in report.hint("full_backup")
    assert one.check(full_backup_max_age="12h").level("full_backup", "tenant1") == "FAIL", "the worse one counts"
    one.full(4, NOW - 10 * MINUTE)
    assert one.check().level("full_backup") == "OK", "the newest one is good again"


@TWO
def test_a_backup_that_runs_is_mentioned(world, profile):
    one = world(profile).healthy()
    one.history.backup_set(3, NOW - HOUR, status="DOING", kind="incremental")
    assert one.check().verdict == "OK"
    assert "one runs now" in one.check(full_backup_max_age="1d").says("full_backup")


@TWO
def test_sets_that_clean_up_has_taken_do_not_count(world, profile):
    one = world(profile).cleaned()
    one.history.round(1, NOW - 20 * DAY)
    one.full(1, NOW - 19 * DAY, file_status="DELETED")
    one.full(2, NOW - 2 * DAY)
    assert one.check().verdict == "OK"


def test_only_incremental_sets_are_left(world):
    one = world("4.2.5").cleaned()
    one.history.round(1, NOW - 20 * DAY)
    one.full(1, NOW - 19 * DAY)
    one.full(2, NOW - DAY, kind="incremental")
    report = one.check()
    assert report.level("full_backup", "tenant1") == "FAIL"
    assert "full backup 1 is 18 d 23 h old" in report.says("full_backup")


def test_a_status_of_a_set_that_no_manual_mentions_is_unknown(world):
    one = world("4.2.5").healthy()
    one.box.faults.malformed = {"CDB_OB_BACKUP_SET_FILES.STATUS": "SHINY"}
    report = one.check()
    assert report.level("full_backup", "tenant1") == report.level("holes_covered", "tenant1") == "UNKNOWN"
    assert report.verdict == "UNKNOWN"


def test_rows_of_sets_that_cannot_be_read(world):
    one = world("4.2.5").healthy()
    one.box.faults.malformed = {"CDB_OB_BACKUP_SET_FILES.END_TIMESTAMP": "odd"}
    report = one.check()
    assert report.level("full_backup", "tenant1") == "UNKNOWN"
    assert "odd" in report.says("full_backup")
    assert report.level("pieces_available") == "OK"
    one.box.faults.malformed = {"CDB_OB_BACKUP_SET_FILES.END_TIMESTAMP": ""}
    assert one.check().says("full_backup") == "when it was finished is not shown"


def test_a_full_backup_from_the_future_is_unknown(world):
    one = world("4.2.5").healthy()
    one.box.faults.malformed = {"CDB_OB_BACKUP_SET_FILES.END_TIMESTAMP": "2024-06-21 08:05:00"}
    assert one.check().level("full_backup") == "OK"
    one.box.faults.malformed = {"CDB_OB_BACKUP_SET_FILES.END_TIMESTAMP": "2024-06-21 08:05:01"}
    report = one.check()
    assert report.level("full_backup", "tenant1") == "UNKNOWN"
    assert "lies ahead" in report.says("full_backup")


# --- the destination ---


def test_the_destination_is_reached(world):
    one = world("4.2.5").healthy()
    one.history.storage_check(NOW - HOUR)
    assert one.check().rule("destination_check")["level"] == "OK"
    assert one.check(destination_check_max_age=3600).level("destination_check") == "OK"
    report = one.check(destination_check_max_age=3599)
    assert report.level("destination_check", "tenant1") == "WARN"
    assert report.says("destination_check") == "reached 1 h ago"
    assert "every server write there" in report.hint("destination_check")
    one.history.storage_check(None)
    assert one.check().reason("destination_check") == "no check is on record"
    assert one.check(destination_check_max_age="1h").level("destination_check", "tenant1") == "UNKNOWN"


@pytest.mark.parametrize("profile", [*V3, "4.0.0"])
def test_versions_that_show_no_check_of_the_destination(world, profile):
    assert "shows no check of its destination" in world(profile).healthy().check().reason("destination_check")


def test_a_remark_of_the_server_while_it_archives(world):
    report = world("4.2.5").healthy(comment="io error, -4009").check()
    assert report.level("destination_check", "tenant1") == "WARN"
    assert report.says("destination_check") == "io error, -4009"
    assert "every server write there" in report.hint("destination_check")


@pytest.mark.parametrize("text", ["", "odd"])
def test_a_check_of_the_destination_that_cannot_be_read(world, text):
    one = world("4.2.5").healthy()
    if text:
        one.box.faults.malformed = {"CDB_OB_BACKUP_STORAGE_INFO.LAST_CHECK_TIMESTAMP": text}
    else:
        one.unreadable("CDB_OB_BACKUP_STORAGE_INFO")
    report = one.check()
    assert report.level("destination_check", "tenant1") == report.verdict == "UNKNOWN"
    assert set(report.levels()) == {"destination_check", "reachable"}, "it hides nothing else"


# --- the log disk ---


def disk(world, percent, seconds=60, **options):
    one = world("4.2.5").lag(seconds)
    one.history.log_disk(int(percent * GIB), 100 * GIB)
    return one.check(**options)


@pytest.mark.parametrize(
    ("percent", "seconds", "level"),
    [
        (80.9, 60, "OK"), (81, 60, "WARN"), (94.9, 60, "WARN"), (95, 60, "FAIL"),
        (74.9, 400, "OK"), (75, 400, "WARN"), (79.9, 400, "WARN"), (80, 400, "FAIL"),
    ],
)  # fmt: skip
def test_a_full_log_disk_is_normal_while_the_archive_keeps_up(world, percent, seconds, level):
    report = disk(world, percent, seconds)
    assert report.level("log_disk", "tenant1") == level, report.says("log_disk")
    if level != "OK":
        assert report.says("log_disk").startswith(f"{percent:.1f} % of 100.0 GiB")
        warn = "81.0 %" if seconds == 60 else "75.0 %"
        assert report.findings["log_disk/tenant1"]["expected"]["en"] == f"below {warn} and 80.0 % not near"
        assert "log disk" in report.hint("log_disk")


def test_the_policy_may_warn_earlier(world):
    assert disk(world, 70, log_disk_warn=70).level("log_disk", "tenant1") == "WARN"
    assert disk(world, 69.9, log_disk_warn=70).level("log_disk") == "OK"


@pytest.mark.parametrize(
    ("percent", "seconds", "level"),
    [(79, 60, "OK"), (81, 60, "WARN"), (94.9, 400, "WARN"), (95, 400, "FAIL"), (95, 60, "FAIL")],
)
def test_with_binding_mandatory_nothing_is_recycled_and_writes_stop(world, percent, seconds, level):
    one = world("4.2.5")
    one.sql("ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/nfs/m BINDING=MANDATORY' TENANT = tenant1")
    one.lag(seconds, destination="file:///data/nfs/m")
    one.history.log_disk((int(percent) - 10) * GIB, 100 * GIB)
    one.check()
    one.frozen(MINUTE)
    one.history.log_disk(int(percent * GIB), 100 * GIB)
    report = one.check(mode="mandatory")
    assert report.level("drift_mode") == "OK"
    assert report.level("log_disk", "tenant1") == level, report.says("log_disk")
    if seconds == 400:
        assert "writes stop" in report.says("log_disk")


def test_a_log_disk_that_grows_is_no_alarm_while_the_archive_is_healthy(world):
    one = world("4.2.5").healthy()
    one.history.log_disk(40 * GIB, 100 * GIB)
    one.check()
    one.advance(HOUR)
    one.history.log_disk(60 * GIB, 100 * GIB)
    assert one.check().verdict == "OK"


@pytest.mark.parametrize(("horizon", "level"), [("2h", "WARN"), ("1h", "OK")])
def test_a_log_disk_that_grows_while_the_archive_stands_still_is_forecast(world, horizon, level):
    """20 GiB more in an hour, 20 GiB left: in an hour logs are recycled that nobody has archived."""
    one = world("4.2.5").healthy()
    one.history.log_disk(40 * GIB, 100 * GIB)
    one.check()
    one.frozen(HOUR)
    one.history.log_disk(59 * GIB, 100 * GIB)
    report = one.check(log_disk_horizon=horizon)
    assert report.level("log_disk", "tenant1") == level
    if level == "WARN":
        assert "grows by 19456 MiB/h, so in about 1 h 6 min logs are recycled unarchived" in report.says("log_disk")
        assert "未归档日志将被回收" in report.says("log_disk", language="zh")


@pytest.mark.parametrize("profile", V3)
def test_3_x_shows_no_log_disk(world, profile):
    assert world(profile).healthy().check().reason("log_disk") == "OceanBase 3.x shows no log disk of tenants"


def test_a_log_disk_that_cannot_be_read(world):
    one = world("4.2.5").healthy()
    one.unreadable(r"GV.OB_UNITS")
    report = one.check()
    assert report.level("log_disk", "tenant1") == "UNKNOWN"
    assert set(report.levels()) == {"log_disk", "reachable"}


# --- clean-up ---


def test_clean_up_of_4_x(world):
    one = world("4.2.5").healthy()
    one.history.clean_job(NOW - HOUR)
    assert one.check(recovery_window="7d").level("cleanup") == "OK"
    report = one.check(recovery_window="8d")
    assert report.level("cleanup", "tenant1") == "WARN"
    assert report.says("cleanup") == "keeps 7d only, the policy wants 8 d"
    assert "DELETE BACKUP POLICY" in report.hint("cleanup")
    one.history.clean_job(NOW - MINUTE, status="FAILED", comment="no room")
    report = one.check()
    assert report.says("cleanup") == "the last clean-up FAILED at 2024-06-21 07:59:00+08:00 (no room)"
    assert "DELETE_JOB_HISTORY" in report.hint("cleanup")
    one.history.policy(None)
    assert one.check().says("cleanup").startswith("old backups are not cleaned automatically; the last clean-up FAILED")
    assert one.check(cleanup_required=False).reason("cleanup") == "the policy asks for no clean-up"


@pytest.mark.parametrize("profile", V3)
def test_clean_up_of_3_x(world, profile):
    one = world(profile).healthy()
    assert one.check(recovery_window="7d").level("cleanup") == "OK"
    assert one.check(recovery_window="8d").says("cleanup") == "keeps 7d only, the policy wants 8 d"
    one.box.parameters["backup_dest_option"] = "recovery_window=7d"
    report = one.check()
    assert report.level("cleanup", "tenant1") == "WARN"
    assert "auto_delete_obsolete_backup=true" in report.hint("cleanup")


def test_a_window_of_clean_up_that_says_nothing(world):
    one = world("4.2.5").healthy()
    one.box.faults.malformed = {"CDB_OB_BACKUP_DELETE_POLICY.RECOVERY_WINDOW": "for ever"}
    report = one.check()
    assert report.level("cleanup", "tenant1") == "UNKNOWN"
    assert "for ever" in report.says("cleanup")


@pytest.mark.parametrize("odd", [True, False])
def test_clean_up_that_cannot_be_read(world, odd):
    one = world("4.2.5").healthy()
    one.history.clean_job(NOW - HOUR)
    if odd:
        one.box.faults.malformed = {"CDB_OB_BACKUP_DELETE_JOB_HISTORY.START_TIMESTAMP": "odd"}
    else:
        one.unreadable("CDB_OB_BACKUP_DELETE_POLICY")
    report = one.check()
    assert report.level("cleanup", "tenant1") == "UNKNOWN"
    assert set(report.levels()) == {"cleanup", "reachable"}


# --- drills ---


def test_a_restore_drill(world):
    one = world("4.2.5").healthy()
    assert "no drills" in one.check().reason("restore_drill")
    report = one.check(restore_drill_max_age="90d")
    assert report.level("restore_drill", "tenant1") == "WARN"
    assert report.says("restore_drill") == "none is written down"
    assert "last_restore_drill" in report.hint("restore_drill")
    assert one.check(restore_drill_max_age="20d", last_restore_drill="2024-06-01").level("restore_drill") == "OK"
    report = one.check(restore_drill_max_age="19d", last_restore_drill="2024-06-01")
    assert report.says("restore_drill") == "20 d ago (2024-06-01)"
