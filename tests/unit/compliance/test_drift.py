"""Log backup is set up as the policy wants it; what it does not ask is not judged."""

from __future__ import annotations

import pytest

from tests.unit.compliance.world import DAY, NOW

RULES = ("destination", "mode", "compression", "piece_interval", "lag_target", "concurrency")
TWO = pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])


@TWO
def test_a_policy_that_says_nothing_asks_nothing(world, profile):
    report = world(profile).healthy().check()
    for rule in RULES:
        assert report.reason(f"drift_{rule}") == "the policy does not say"


@TWO
def test_the_destination(world, profile):
    one = world(profile).healthy()
    here = one.check().tenant()["backupUri"]
    assert here.startswith("file:///data/nfs/")
    assert one.check(destination=here).level("drift_destination") == "OK"
    assert one.check(destination=f"{here}/").level("drift_destination") == "OK"
    report = one.check(destination="file:///elsewhere/{cluster}/{tenant}/{tenant_id}")
    assert report.level("drift_destination", "tenant1") == report.verdict == "FAIL"
    assert report.says("drift_destination") == here
    wanted = report.findings["drift_destination/tenant1"]["expected"]["en"]
    assert wanted == f"file:///elsewhere/obcluster/tenant1/{report.tenant()['obTenantId']}"
    assert "a new round and a full backup" in report.hint("drift_destination")


def test_each_tenant_has_its_own_place(world):
    one = world("4.2.5", tenants=2).healthy()
    places = {name: one.check().tenant(name)["backupUri"] for name in ("tenant1", "tenant2")}
    assert len(set(places.values())) == 2
    pattern = places["tenant1"].replace("tenant1", "{tenant}").replace("1002", "{tenant_id}")
    assert one.check(destination=pattern).level("drift_destination") == "OK"


def test_no_destination_at_all(world):
    one = world("4.2.5")
    one.sql("ALTER SYSTEM ARCHIVELOG TENANT = tenant1")
    report = one.check(destination="file:///data/nfs/x", mode="optional", piece_switch_interval="1d")
    assert report.says("drift_destination") == "not set"
    assert report.says("drift_mode") == "the mode is not stated"
    assert report.says("drift_piece_interval") == "the interval cannot be read"
    assert report.level("status", "tenant1") == "FAIL"


def test_a_destination_that_cannot_be_read(world):
    one = world("3.1.5").healthy()
    one.box.parameters["backup_dest"] = "nowhere"
    report = one.check(destination="file:///data/nfs/backup")
    assert report.level("drift_destination", "tenant1") == "UNKNOWN"
    assert report.says("drift_destination") == "it cannot be read: nowhere"


def test_a_secret_in_the_destination_is_not_shown(world):
    one = world("3.1.5").healthy()
    one.box.parameters["backup_dest"] = "oss://bucket/path?host=h&access_id=AKID&access_key=hush"
    report = one.check(destination="oss://bucket/path?host=other")
    assert report.level("drift_destination", "tenant1") == "FAIL", "another host is another place"
    assert "hush" not in str(report.data)
    assert "AKID" not in str(report.data)


@TWO
def test_without_the_clusters_name_its_place_is_unknown(world, profile):
    one = world(profile).healthy()
    one.unreadable("__all_virtual_sys_parameter_stat", r"GV.OB_PARAMETERS")
    report = one.check(destination="file:///data/{cluster}")
    assert report.level("drift_destination", "tenant1") == "UNKNOWN"
    assert report.says("drift_destination") in {"the cluster's name is not shown", "[1142] SELECT command denied"}


@TWO
def test_the_mode(world, profile):
    one = world(profile).healthy()
    assert one.check(mode="optional").level("drift_mode") == "OK"
    report = one.check(mode="mandatory")
    assert report.level("drift_mode", "tenant1") == "FAIL"
    assert report.says("drift_mode") == "optional"
    assert "ob_log_archive" in report.hint("drift_mode")


def test_compression(world):
    one = world("3.1.5").healthy()
    one.box.parameters["backup_log_archive_option"] = "mandatory compression=enable"
    assert one.check(mode="mandatory", compression="lz4_1.0").level("drift_compression") == "OK"
    assert one.check(compression="enable").level("drift_compression") == "OK", "which means lz4"
    report = one.check(compression="zstd_1.3.8")
    assert report.level("drift_compression", "tenant1") == "WARN"
    assert report.says("drift_compression") == "lz4_1.0"
    one.box.parameters["backup_log_archive_option"] = "mandatory"
    assert one.check(compression="disable").level("drift_compression") in {"OK", "UNKNOWN"}
    one.box.parameters["backup_log_archive_option"] = "what"
    assert one.check(mode="optional").level("drift_mode", "tenant1") == "UNKNOWN"
    assert "does not compress" in world("4.2.5").healthy().check(compression="enable").reason("drift_compression")


@TWO
def test_the_piece_switch_interval(world, profile):
    one = world(profile).healthy()
    assert one.check(piece_switch_interval="1d").level("drift_piece_interval") == "OK"
    report = one.check(piece_switch_interval="2d")
    assert report.level("drift_piece_interval", "tenant1") == "WARN"
    assert report.says("drift_piece_interval") == "1 d"
    assert report.findings["drift_piece_interval/tenant1"]["expected"]["zh"] == "2 天"


def test_no_splitting_of_3_x_is_a_wish_as_well(world):
    one = world("3.1.5")
    one.history.round(1, NOW - DAY, piece_days=0)
    assert one.check(piece_switch_interval=0).level("drift_piece_interval") == "OK"
    assert one.check(piece_switch_interval="1d").says("drift_piece_interval") == "0 s"


@TWO
def test_the_lag_target(world, profile):
    one = world(profile).healthy()
    assert one.check(lag_target=120).level("drift_lag_target") == "OK"
    report = one.check(lag_target="1m")
    assert report.level("drift_lag_target", "tenant1") == "WARN"
    assert report.says("drift_lag_target") == "2 min"


@pytest.mark.parametrize("profile", ["4.0.0", "4.1.0"])
def test_archive_lag_target_came_with_4_2(world, profile):
    assert "has no archive_lag_target" in world(profile).healthy().check(lag_target=120).reason("drift_lag_target")


@pytest.mark.parametrize("profile", ["3.1.5", "4.1.0", "4.2.5"])
def test_the_concurrency(world, profile):
    one = world(profile).healthy()
    one.box.parameters["log_archive_concurrency"] = "8"
    assert one.check(concurrency=8).level("drift_concurrency") == "OK"
    report = one.check(concurrency=4)
    assert report.level("drift_concurrency", "tenant1") == "WARN"
    assert report.says("drift_concurrency") == "8"


def test_4_0_has_no_concurrency(world):
    report = world("4.0.0").healthy().check(concurrency=8)
    assert "has no log_archive_concurrency" in report.reason("drift_concurrency")


@pytest.mark.parametrize(
    ("profile", "name", "limit", "value"),
    [
        ("3.1.5", "backup_dest", "destination", "file:///data/nfs/backup"),
        ("3.1.5", "log_archive_concurrency", "concurrency", "4"),
        ("4.2.5", "log_archive_concurrency", "concurrency", "4"),
    ],
)
def test_servers_that_differ(world, profile, name, limit, value):
    one = world(profile).healthy()
    one.box.parameters[name, 1] = "7" if value == "4" else "file:///other"
    report = one.check(**{limit: value})
    assert report.says(f"drift_{limit}") == f"servers differ in {name}"
    assert report.findings[f"drift_{limit}/tenant1"]["expected"]["en"] == "the same everywhere"


@TWO
def test_settings_that_cannot_be_read_are_unknown(world, profile):
    one = world(profile).healthy()
    one.unreadable("__all_virtual_sys_parameter_stat", r"GV.OB_PARAMETERS")
    report = one.check(mode="optional", lag_target=120, concurrency=0)
    wanted = {"drift_lag_target", "drift_concurrency"} | ({"drift_mode", "cleanup"} if one.is_v3 else set())
    assert {rule: report.level(rule, "tenant1") for rule in wanted} == dict.fromkeys(wanted, "UNKNOWN")
    assert set(report.levels()) == {*wanted, "reachable"}


def test_parameters_without_a_value_are_unknown(world):
    one = world("4.2.5").healthy()
    one.box.faults.malformed = {"GV$OB_PARAMETERS.VALUE": "odd"}
    report = one.check(lag_target=120, concurrency=8)
    for rule in ("drift_lag_target", "drift_concurrency"):
        assert report.level(rule, "tenant1") == "UNKNOWN"
        assert report.says(rule) == "it is not shown"
