"""The report as a document, and the text of an alarm. The schema is checked in every test of this folder."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from airflow_ob_provider.oceanbase.compliance.alarm import alarm
from airflow_ob_provider.oceanbase.compliance.words import both, few, joined, length
from tests.unit.compliance.world import ALL, DAY, HOUR, MINUTE, NOW, SECOND

TWO = pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])


def broken(world, profile):
    one = world(profile, tenants=2).cleaned()
    one.history.round(1, NOW - 20 * DAY)
    one.full(1, NOW - 19 * DAY)
    one.history.piece(7, file_status="BROKEN", tenant="tenant2")
    return one


@pytest.mark.parametrize("profile", ALL)
def test_what_a_report_says_of_a_tenant(world, profile):
    one = world(profile).healthy()
    report = one.check()
    tenant = report.tenant()
    assert tenant["status"] == "RUNNING"
    assert tenant["archive_status"] == "DOING"
    assert (tenant["logArchiveRound"], tenant["delay"], tenant["lag_state"]) == (1, 60, "ok")
    assert tenant["createTime"] == "2024-06-01T08:00:00+08:00"
    assert tenant["checkpoint"] == tenant["restorable_until"] == "2024-06-21T07:59:00+08:00"
    assert tenant["restorable_from"].startswith("2024-06-01T09:0")
    assert tenant["lastDataBackupTime"] == "2024-06-19T08:01:00+08:00"
    assert tenant["backupUri"].startswith("file:///")
    assert tenant["windows"] == [{
        "from": tenant["restorable_from"], "to": tenant["restorable_until"], "backup_set_id": 1, "round_id": 1,
        "full_backups": 2,
    }]  # fmt: skip
    assert (tenant["gaps"], tenant["note"]) == ([], None)
    assert report.data["checked_at"] == "2024-06-21T08:00:00+08:00"
    cluster = report.data["cluster"]
    assert (cluster["scope"], cluster["incarnation"]) == ("cluster" if one.is_v3 else "tenant", 1)
    assert (cluster["clusterName"], cluster["obClusterId"], cluster["tenants"], cluster["tenants_ok"]) == (
        "obcluster", "1", 1, 1,
    )  # fmt: skip
    assert cluster["obVersion"].startswith(profile)
    assert report.data["connection"] == "oceanbase_default"
    assert report.data["evidence"]["queries"]
    assert set(one.store.texts) == {"md", "en.html", "zh.html"}


@TWO
def test_ids_are_the_same_in_the_next_check(world, profile):
    one = broken(world, profile)
    first = one.check(full_backup_max_age="30d")
    second = one.advance(HOUR).check(full_backup_max_age="30d")
    assert set(first.findings) == set(second.findings)
    assert set(first.findings) >= {"pieces_available/tenant2", "holes_covered/tenant2"}
    gaps = [report.tenant("tenant2")["gaps"] for report in (first, second)]
    assert [gap["id"] for gap in gaps[0]] == [gap["id"] for gap in gaps[1]]
    assert gaps[0][0]["open"]
    one.full(2, one.now - MINUTE)
    gap = one.advance(HOUR).check().tenant("tenant2")["gaps"][0]
    assert gap["id"] == gaps[0][0]["id"], "also once it has ended"
    assert not gap["open"]
    assert gap["ended_by"]["at"] == gap["to"]


@TWO
def test_two_tenants_have_different_gaps(world, profile):
    one = broken(world, profile)
    one.history.piece(7, file_status="BROKEN", tenant="tenant1")
    report = one.check()
    ids = [report.tenant(name)["gaps"][0]["id"] for name in ("tenant1", "tenant2")]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"\d+-\d+", one) for one in ids)


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("PREPARE", "BEGINNING"), ("BEGINNING", "BEGINNING"), ("DOING", "RUNNING"), ("STOPPING", "STOPPING"),
        ("SUSPENDING", "SUSPENDING"), ("SUSPEND", "SUSPENDED"), ("INTERRUPTED", "INTERRUPTED"),
    ],
)  # fmt: skip
def test_states_in_the_words_of_ocp(world, state, shown):
    one = world("4.2.5")
    one.history.round(1, NOW - SECOND, status=state)
    assert one.check().tenant()["status"] == shown


def test_a_summary_tells_the_first_of_many(world):
    report = world("4.2.5", tenants=9).lag(400).check()
    assert report.data["summary"]["en"].startswith(
        "Not as it should be: lag, slowest_stream (tenant1, tenant2, tenant3, tenant4, tenant5 and 4 more). "
        "First: tenant1, 6 min 40 s behind"
    )
    assert "（tenant1、tenant2、tenant3、tenant4、tenant5 等共 9 个）" in report.data["summary"]["zh"]


def test_a_summary_without_a_checkpoint(world):
    one = world("4.2.5")
    one.history.round(1, NOW - SECOND, status="PREPARE")
    waivers = [{"rule": "*", "owner": "a", "reason": "b", "expires": "2024-07-01"}]
    assert (
        one.check({"waivers": waivers}).data["summary"]["en"].startswith("Log backup of 1 tenant is as it should be; ")
    )


# --- words ---


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (0, "0 s", "0 秒"), (0.25, "0.25 s", "0.25 秒"), (59.94, "59.9 s", "59.9 秒"), (60, "1 min", "1 分"),
        (3599, "59 min 59 s", "59 分 59 秒"), (3600, "1 h", "1 小时"), (3601, "1 h", "1 小时"),
        (86399, "23 h 59 min", "23 小时 59 分"),
        (90061, "1 d 1 h", "1 天 1 小时"), (-61, "-1 min 1 s", "-1 分 1 秒"), (-5, "-5 s", "-5 秒"),
        (HOUR, "1 h", "1 小时"),
    ],
)  # fmt: skip
def test_lengths_in_words(seconds, en, zh):
    assert length(seconds) == (en, zh)


def test_texts_are_filled_in_both_languages():
    assert both("{a} of {b}", "{b} 的 {a}", a=1, b=both("two", "二")) == ("1 of two", "二 的 1")
    assert str(both("yes", "是")) == "yes"
    assert joined([both("a", "甲"), both("b", "乙")]) == ("a; b", "甲；乙")
    assert few(["a", "b", "c"], limit=2) == ("a, b and 1 more", "a、b 等共 3 个")
    assert few(["a", "b"], limit=2) == ("a, b", "a、b")


# --- alarms ---


def test_the_alarm_has_the_fields_of_ocp_in_its_order(world):
    report = world("4.2.5", tenants=2).lag(400).check().data
    assert alarm(report, "en", host="10.0.0.1") == (
        "cluster: obcluster[1], host: 10.0.0.1, alarm: log backup delayed by 400 seconds, more than the threshold: "
        "300 seconds, checkpoint: 2024-06-21 07:53:20, current time: 2024-06-21 08:00:00, tenants: tenant1, tenant2"
    )
    assert alarm(report, "zh", host="10.0.0.1") == (
        "集群：obcluster[1]，主机：10.0.0.1，告警：日志备份延迟 400 秒, 超过告警阈值：300 秒，"
        "检查点：2024-06-21 07:53:20，当前时间：2024-06-21 08:00:00，租户列表：tenant1, tenant2"
    )


def test_the_alarm_names_the_threshold_that_was_passed(world):
    one = world("4.2.5", tenants=2)
    one.history.round(1, NOW - DAY, tenant="tenant1", checkpoint=NOW - 200 * SECOND)
    one.history.round(1, NOW - DAY, tenant="tenant2", checkpoint=NOW - 250 * SECOND)
    one.full(1, NOW - 23 * HOUR)
    text = alarm(one.cleaned().check().data, "en")
    assert "delayed by 250 seconds, more than the threshold: 180 seconds, checkpoint: 2024-06-21 07:55:50" in text


def test_an_alarm_does_not_speak_of_the_lag_where_something_worse_is_wrong(world):
    one = world("4.2.5", tenants=2).lag(200)
    one.history.piece(20, file_status="BROKEN", tenant="tenant2")
    text = alarm(one.check().data, "en")
    assert "alarm: log backup not as it should be (FAIL): Not as it should be: pieces_available" in text
    assert "不符合要求（FAIL）" in alarm(one.check().data, "zh")


def test_a_stream_that_broke_a_moment_ago_is_not_called_late(world):
    text = alarm(world("4.2.5").healthy(status="INTERRUPTED").check().data, "en")
    assert "delayed by" not in text
    assert "INTERRUPTED" in text
    assert text.endswith("checkpoint: 2024-06-21 07:59:00, current time: 2024-06-21 08:00:00, tenants: tenant1")


def test_a_checkpoint_in_the_future_is_not_called_late(world):
    one = world("3.1.5").healthy()
    one.box.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.MAX_NEXT_TIME": "2024-06-21 09:00:00"}
    text = alarm(one.check().data, "en")
    assert "delayed by" not in text
    assert "ahead of the server's clock" in text


def test_waived_findings_give_no_alarm(world):
    waivers = [{"rule": "lag", "tenant": "tenant1", "owner": "a", "reason": "b", "expires": "2024-07-01"}]
    text = alarm(world("4.2.5", tenants=2).lag(200).check({"waivers": waivers}).data, "en")
    assert text.endswith("tenants: tenant2")


def test_an_alarm_of_a_cluster_that_cannot_be_read(world):
    one = world("4.2.5").healthy()
    one.as_user("nobody")
    report = one.check().data
    text = alarm(report, "en")
    now = datetime.fromisoformat(report["checked_at"])
    assert text.startswith("cluster: oceanbase_default[], host: , alarm: log backup not as it should be (UNKNOWN): ")
    assert text.endswith(f"checkpoint: -, current time: {now:%Y-%m-%d %H:%M:%S}, tenants: -")
    assert "Statement" not in text
    assert "GRANT SELECT ON oceanbase.*" in text


def test_an_alarm_names_twenty_tenants_at_most(world):
    text = alarm(world("4.2.5", tenants=25).lag(400).check().data, "en")
    assert text.endswith(" and 5 more")


def test_alarms_are_in_english_or_chinese(world):
    with pytest.raises(ValueError, match="language must be en or zh, not 'fr'"):
        alarm(world("4.2.5").healthy().check().data, "fr")
