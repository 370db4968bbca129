"""No tenant is left out, it is the same cluster as before, and the check itself is alive."""

from __future__ import annotations

import json

import pytest

from tests.unit.compliance.world import DAY, HOUR, MINUTE, NOW, SECOND, V4

TWO = pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])


# --- scope ---


@pytest.mark.parametrize("profile", V4)
def test_a_tenant_created_later_is_out_of_scope(world, profile):
    """4.x archives no tenant by itself: one FAIL says so, and not twenty."""
    one = world(profile).healthy()
    one.check()
    one.box.create_tenant("newcomer")
    report = one.advance(MINUTE).check(recovery_window="7d", rpo="1h", mode="optional")
    assert report.level("scope", "newcomer") == report.verdict == "FAIL"
    assert report.says("scope", "newcomer") == "it was never archived"
    assert "archive: false" in report.hint("scope", "newcomer")
    assert [found for found in report.findings if "newcomer" in found] == ["scope/newcomer"]
    assert report.rule("status")["tenants"] == {"OK": 1, "NOT_APPLICABLE": 1}
    assert report.tenant("newcomer")["verdict"] == "FAIL"
    assert report.tenant("newcomer")["status"] == "NOT_ARCHIVED"
    policy = {"tenants": {"new*": {"archive": False}}}
    assert one.check(policy).verdict == "OK"
    assert one.check(policy).data["summary"]["en"].startswith("Log backup of 1 tenant is as it should be")


def test_a_3_x_cluster_that_never_archived_is_one_fail_a_tenant(world):
    report = world("3.1.5", tenants=2).check()
    assert sorted(report.findings) == ["status/tenant1", "status/tenant2"]
    assert report.verdict == "FAIL"
    assert report.reason("full_backup") == "never archived: see the rule status"
    assert world("4.2.5").check().reason("full_backup") == "never archived: see the rule scope"


@TWO
def test_a_tenant_that_need_not_be_archived_is_not_judged(world, profile):
    """Stopped on purpose: archive: false."""
    one = world(profile, tenants=2)
    one.history.round(1, NOW - 9 * DAY, NOW - 3 * DAY)
    report = one.check({"tenants": {"tenant2": {"archive": False}}})
    assert not [found for found in report.findings if found.endswith("tenant2")]
    assert report.level("status", "tenant1") == "FAIL"
    assert report.rule("status")["tenants"] == {"FAIL": 1, "NOT_APPLICABLE": 1}
    report = one.check(archive=False)
    assert report.verdict == report.level("scope") == "WARN"
    assert report.says("scope", "") == "the policy excludes all 2 user tenants, so nothing is checked"
    assert report.reason("status") == "the policy does not ask for it"


@TWO
def test_a_cluster_without_user_tenants_is_no_green_light(world, profile):
    report = world(profile, tenants=0).check()
    assert report.verdict == "WARN"
    assert report.says("scope", "") == "there is no user tenant, so nothing is archived"
    assert "right cluster" in report.hint("scope", "")
    assert report.reason("status") == "there is no user tenant"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "DROPPING"}, "DROPPING"),
        ({"status": "CREATING"}, "CREATING"),
        ({"status": "RESTORE"}, "RESTORE"),
        ({"in_recyclebin": "YES"}, "IN RECYCLE BIN"),
    ],
)
def test_a_tenant_that_is_not_normal_warns_and_may_be_excluded(world, change, words):
    one = world("4.2.5", tenants=2).healthy()
    one.box.set_tenant("tenant2", **change)
    report = one.check()
    assert report.level("scope", "tenant2") == report.verdict == "WARN"
    assert report.says("scope", "tenant2") == f"it is not archived: {words}"
    assert "exclude it" in report.hint("scope", "tenant2")
    assert one.check({"tenants": {"tenant2": {"archive": False}}}).verdict == "OK"


@pytest.mark.parametrize("name", ["Über_1", "a-b", "t[1]", "x{0}", "o'neil", 'q"q', "50%", "名"])
@TWO
def test_tenants_of_odd_names(world, profile, name):
    one = world(profile, tenants=0)
    one.box.create_tenant(name)
    one.healthy()
    report = one.check()
    assert report.verdict == "OK", report.findings
    assert report.tenant(name)["tenantName"] == name
    report = one.check({"tenants": {name: {"rpo": 1}}})
    assert report.level("lag", name) == "FAIL", "a name with brackets is not only a pattern"
    waiver = {"rule": "lag", "tenant": name, "owner": "a", "reason": "b", "expires": "2024-07-01"}
    assert one.check({"tenants": {name: {"rpo": 1}}, "waivers": [waiver]}).verdict == "OK"


@pytest.mark.parametrize("profile", V4)
def test_seen_from_within_a_tenant(world, profile):
    """DBA views show one tenant, and nobody is missed."""
    one = world(profile, tenants=2).healthy()
    one.as_user("root", "tenant2")
    report = one.check()
    assert report.verdict == "OK", report.levels()
    assert [tenant["tenantName"] for tenant in report.data["tenants"]] == ["tenant2"]
    one.history.piece(18, file_status="BROKEN", tenant="tenant2")
    one.history.piece(18, file_status="BROKEN", tenant="tenant1")
    one.full(3, NOW - 30 * MINUTE, tenant="tenant1")
    report = one.check(recovery_window="7d")
    assert report.says("pieces_available", "tenant2") == "round 1: piece 18 is BROKEN"
    one.as_user("watch", "tenant1")
    report = one.check()
    assert report.verdict == "UNKNOWN", "an account without SELECT"


@TWO
def test_an_account_without_select_sees_nothing_and_that_is_unknown(world, profile):
    one = world(profile).healthy()
    one.check()
    one.as_user("nobody", "sys")
    report = one.check()
    assert report.verdict == report.level("reachable") == "UNKNOWN"
    assert "the connection first" in report.hint("reachable", "")
    assert report.data["cluster"]["obVersion"].startswith(profile), "what was known of it"
    one.as_user("root")
    assert one.advance(HOUR).check().verdict == "OK"


# --- identity ---


def test_the_cluster_behind_the_connection_is_another_one(world):
    one = world("4.2.5").healthy()
    report = one.check({"cluster": "prod"})
    assert report.level("identity") == report.verdict == "FAIL"
    assert report.says("identity", "") == "the cluster is 'obcluster'"
    assert report.findings["identity"]["expected"]["en"] == "'prod'"
    assert "another cluster" in report.hint("identity", "")
    assert one.check({"cluster": "obcluster"}).verdict == "OK"


@TWO
def test_a_clusters_name_that_is_not_shown_is_not_another_one(world, profile):
    one = world(profile).healthy()
    one.unreadable("__all_virtual_sys_parameter_stat", r"GV.OB_PARAMETERS")
    report = one.check({"cluster": "obcluster", "defaults": {"cleanup_required": False}})
    assert report.level("identity") == "UNKNOWN"
    assert report.findings["identity"]["tenantName"] is None


def remembered(one, **changes):
    data = json.loads(one.store.memory)
    one.store.memory = json.dumps({**data, **changes})
    return one.check()


@TWO
def test_another_cluster_of_the_same_name(world, profile):
    one = world(profile).healthy()
    one.check()
    report = remembered(one, cluster_id="4711", version="2.2.75")
    assert report.level("identity") == "FAIL"
    assert "cluster id 1, was 4711; OceanBase " in report.says("identity", "")
    assert "was 2.2.75" in report.says("identity", "")
    assert "same name" in report.hint("identity", "")
    assert "After an upgrade" in report.hint("identity", "")


@TWO
def test_an_upgrade_warns_once(world, profile):
    one = world(profile).healthy()
    one.check()
    report = remembered(one, version="2.2.75")
    assert report.level("identity") == report.verdict == "WARN"
    assert report.hint("identity", "") == "After an upgrade take a full backup."
    assert one.check().verdict == "OK"
    assert remembered(one, version="", cluster_id="").verdict == "OK"


@TWO
def test_the_incarnation_has_changed(world, profile):
    one = world(profile, tenants=2).healthy()
    one.check()
    one.history.incarnation(2)
    report = one.check()
    assert report.level("identity", "tenant1") == report.level("identity", "tenant2") == "FAIL"
    assert report.says("identity") == "incarnation 2, was 1"


def test_a_tenant_recreated_under_another_id(world):
    one = world("4.2.5", tenants=2).healthy()
    one.check()
    one.history.renumber("tenant2", 1010)
    one.history.round(1, NOW - HOUR, tenant="tenant2")
    report = one.check()
    assert report.level("identity", "tenant2") == "FAIL"
    assert report.says("identity", "tenant2") == "tenant id 1010, was 1004"
    assert report.findings["identity/tenant2"]["obTenantId"] == 1010
    assert report.rule("checkpoint_moved")["tenants"] == {"OK": 1, "NOT_APPLICABLE": 1}, "it is compared with nobody"
    assert "identity/tenant2" not in one.check().findings


@TWO
def test_a_round_that_went_backwards(world, profile):
    one = world(profile)
    one.history.round(7, NOW - 9 * DAY)
    one.check()
    one.history.clear()
    one.history.round(2, NOW - 8 * DAY)
    one.history.incarnation(3)
    report = one.check()
    assert report.says("identity") == "round 2, was 7; incarnation 3, was 1"
    assert report.level("identity", "tenant1") == "FAIL"


def test_3_x_without_any_row_of_a_tenant_is_not_a_round_that_went_backwards(world):
    one = world("3.1.5")
    one.history.round(7, NOW - 9 * DAY, NOW - DAY)
    one.check()
    one.unreadable("CDB_OB_BACKUP_ARCHIVELOG_SUMMARY")
    assert "identity" not in one.check().levels()
    assert json.loads(one.store.memory)["tenants"]["tenant1"][1] == 7, "and it is not forgotten"


@TWO
def test_a_tenant_that_is_gone_is_told_once(world, profile):
    one = world(profile, tenants=3).healthy()
    one.check()
    one.box.drop_tenant("tenant2")
    one.box.drop_tenant("tenant3")
    report = one.advance(MINUTE).check({"tenants": {"tenant3": {"archive": False}}})
    assert report.level("identity", "tenant2") == report.verdict == "WARN"
    assert "is gone" in report.says("identity", "tenant2")
    assert "identity/tenant3" not in report.findings
    assert one.check().verdict == "OK"


def test_a_tenant_that_is_not_normal_any_more_is_not_gone(world):
    one = world("4.2.5", tenants=2).healthy()
    one.check()
    one.box.set_tenant("tenant2", in_recyclebin="YES")
    assert list(one.check().findings) == ["scope/tenant2"]


# --- the check itself ---


@pytest.mark.parametrize(("after", "level"), [(3 * HOUR, "OK"), (3 * HOUR + SECOND, "WARN")])
def test_two_checks_lie_at_most_three_hours_apart(world, after, level):
    one = world("4.2.5").healthy()
    assert one.check().reason("check_recent") == "this is the first check"
    report = one.advance(after).check()
    assert report.level("check_recent") == level
    if level == "WARN":
        assert report.says("check_recent", "") == "the last one was 3 h ago, at 2024-06-21 08:00:00+08:00"
        assert "scheduler" in report.hint("check_recent", "")
    one.advance(MINUTE)
    assert one.check({"check_max_age": 60}).level("check_recent") == "OK"
    one.advance(MINUTE)
    assert one.check({"check_max_age": 59}).level("check_recent") == "WARN"


def test_the_clock_was_set_back(world):
    one = world("4.2.5").healthy()
    one.check()
    report = remembered(one, checked_at="2024-06-21T09:00:00+08:00")
    assert report.level("check_recent") == "WARN"
    assert report.says("check_recent", "") == "the last check lies 1 h in the future"
    assert remembered(one, checked_at="2024-06-21T00:00:00+00:00").verdict == "OK", "another zone, the same moment"
