"""Policies: from YAML or a mapping, what is legal, per-tenant overrides, and no secret anywhere."""

from __future__ import annotations

import json
from datetime import date

import pytest

from airflow_ob_provider.oceanbase.compliance.judge import RULES
from airflow_ob_provider.oceanbase.compliance.policy import RULE_IDS, Limits, Policy, PolicyError
from tests.unit.compliance.world import DAY, NOW

SECONDS = (
    "rpo", "lag_warn", "lag_fail", "transition_max", "suspend_warn", "suspend_fail", "recovery_window",
    "full_backup_max_age", "piece_switch_interval", "lag_target", "destination_check_max_age", "log_disk_horizon",
    "restore_drill_max_age",
)  # fmt: skip
TEN_YEARS = 3660 * 86400


def refused(source):
    with pytest.raises(PolicyError) as caught:
        Policy.parse(source)
    return str(caught.value)


def test_the_ids_that_can_be_waived_are_those_of_the_rules():
    assert tuple(rule.id for rule in RULES) == RULE_IDS


@pytest.mark.parametrize("source", [None, {}, "", "# nothing\n", "version: 1"])
def test_no_policy_is_a_policy_of_defaults(source):
    assert Policy.parse(source) == Policy()


def test_yaml_and_a_mapping_say_the_same():
    text = """
    cluster: prod
    check_max_age: 2h
    defaults: {rpo: 15m, recovery_window: 7d, mode: optional}
    tenants:
      dev_*: {archive: no}
      dev_9: {archive: yes, last_restore_drill: 2024-06-01}
    waivers:
    - {rule: lag, tenant: a, owner: me, reason: because, expires: 2024-07-01}
    """
    policy = Policy.parse(text)
    assert policy == Policy.parse({
        "cluster": "prod", "check_max_age": 7200,
        "defaults": {"rpo": "15m", "recovery_window": "7d", "mode": "optional"},
        "tenants": {"dev_*": {"archive": False}, "dev_9": {"archive": True, "last_restore_drill": date(2024, 6, 1)}},
        "waivers": [{"rule": "lag", "tenant": "a", "owner": "me", "reason": "because", "expires": "2024-07-01"}],
    })  # fmt: skip
    assert (policy.limits("x").rpo, policy.limits("x").recovery_window) == (900, 7 * 86400)
    assert not policy.limits("dev_1").archive
    assert policy.limits("dev_9").archive, "a later one wins"
    shown = json.loads(json.dumps(policy.shown()))
    assert shown["tenants"] == {
        "dev_*": {"archive": False},
        "dev_9": {"archive": True, "last_restore_drill": "2024-06-01"},
    }
    assert shown["defaults"]["rpo"] == 900


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15M", 900), (" 12h ", 43200), ("8d", 691200)])
def test_lengths_of_time(text, seconds):
    assert Policy.parse({"check_max_age": text}).check_max_age == seconds


@pytest.mark.parametrize("name", SECONDS)
def test_the_legal_range_of_a_length_of_time(name):
    others = {"suspend_warn": 0} if name == "suspend_fail" else {"suspend_fail": TEN_YEARS}
    for good in (1, "10m", TEN_YEARS):
        Policy.parse({"defaults": {**others, name: good}})
    if name != "rpo":
        Policy.parse({"defaults": {**others, name: 0}})
    for bad in (-1, TEN_YEARS + 1, float("nan"), float("inf"), "soon", "", "1w", "7", [], True, {}):
        words = refused({"defaults": {**others, name: bad}})
        assert words.startswith(f"policy: defaults: {name}: "), words
        assert f"(given: {bad!r})" in words
    assert "90s, 15m, 12h or 8d" in refused({"defaults": {name: "soon"}})
    assert "greater than or equal to 0" in refused({"defaults": {name: -1}})
    assert f"less than or equal to {TEN_YEARS}" in refused({"defaults": {name: TEN_YEARS + 1}})


@pytest.mark.parametrize(
    ("name", "good", "bad", "legal"),
    [
        ("archive", [True, False, "no"], ["maybe", None, 2], "boolean"),
        ("mode", ["optional", "mandatory", None], ["OPTIONAL", "", 1], "'optional' or 'mandatory'"),
        ("compression", ["disable", "enable", "lz4_1.0", "zstd_1.3.8"], ["zip"], "'zstd_1.3.8'"),
        ("concurrency", [0, 100, None], [-1, 101], "equal to"),
        ("log_disk_warn", [0, 100, 50.5], [-0.1, 100.1], "equal to"),
        ("cleanup_required", [True, False], ["often"], "boolean"),
        ("last_restore_drill", ["2024-06-01", None], ["yesterday"], "date"),
        ("destination", ["file:///a/{tenant}", "oss://b/p?host=h", None], ["nowhere", 5, "file:///{user}"], ""),
    ],
)
def test_the_legal_values_of_the_other_fields(name, good, bad, legal):
    for value in good:
        Policy.parse({"defaults": {name: value}})
    for value in bad:
        words = refused({"tenants": {"t1": {name: value}}})
        assert words.startswith(f"policy: tenants.t1: {name}: ")
        assert legal in words
        assert f"(given: {value!r})" in words


def test_every_field_has_a_test_of_its_range():
    others = {"archive", "mode", "compression", "concurrency", "log_disk_warn", "cleanup_required",
              "last_restore_drill", "destination"}  # fmt: skip
    assert set(Limits.model_fields) == {*SECONDS, *others}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("a: [", "policy is not YAML: expected the node content, but found '<stream end>' in line 1, column 5"),
        ("\x01", "policy is not YAML: unreadable"),
        ("just text", "policy must be a mapping with the fields version, cluster, check_max_age, defaults"),
        ([1], "policy must be a mapping"),
        ({"polcy": 1}, "policy: polcy: no such field (given: 1); legal fields: version, cluster, check_max_age, def"),
        ({"version": 2}, "policy: version: Input should be 1 (given: 2)"),
        ({"defaults": {"rpx": 1}}, "policy: defaults: rpx: no such field (given: 1); legal fields: archive, rpo"),
        ({"tenants": {"t": {"rpx": 1}}}, "policy: tenants.t: rpx: no such field (given: 1); legal fields: archive"),
        ({"tenants": {"t": None}}, "policy: tenants.t: Input should be a valid dictionary"),
        ({"defaults": {"rpo": 0}}, "policy: defaults: rpo must be more than 0 s: archiving is asynchronous"),
        (
            {"defaults": {"lag_warn": 10, "lag_fail": 5}},
            "policy: defaults: lag_warn (10 s) is more than what fails (5 s)",
        ),
        ({"defaults": {"lag_warn": "2m", "rpo": "1m"}}, "lag_warn (120 s) is more than what fails (60 s)"),
        ({"defaults": {"suspend_warn": "1d"}}, "suspend_warn (86400 s) is more than suspend_fail"),
        ({"waivers": [{"rule": "lag"}]}, "policy: waivers.0.owner: Field required; waivers.0.reason: Field required"),
        (
            {"waivers": [{"rule": "lag", "owner": "a", "reason": "b", "expires": "2024-07-01", "x": 1}]},
            "policy: waivers.0.x: no such field (given: 1); legal fields: rule, tenant, owner, reason, expires",
        ),
        (
            {"waivers": [{"rule": "lag", "owner": "", "reason": "b", "expires": "soon"}]},
            "policy: waivers.0.owner: String should have at least 1 character (given: ''); waivers.0.expires: Input",
        ),
    ],
)
def test_what_is_wrong_is_named(source, words):
    assert words in refused(source)


def test_limits_that_are_equal_are_in_order():
    limits = Policy.parse({"defaults": {"lag_warn": 60, "lag_fail": 60, "suspend_warn": 9, "suspend_fail": 9}}).limits(
        "t"
    )
    assert (limits.lag_warn, limits.lag_fail) == (60, 60)


@pytest.mark.parametrize("rule", ["lagg", "LAG", "waiver_expired", "", "drift", "x*"])
def test_a_waiver_of_a_rule_that_does_not_exist_is_refused(rule):
    words = refused({"waivers": [{"rule": rule, "owner": "a", "reason": "b", "expires": "2024-07-01"}]})
    assert words.startswith("policy: waivers.0.rule: there is no such rule; rules are log_mode, status, ")
    assert "reachable, or a pattern such as drift_*" in words


@pytest.mark.parametrize("rule", ["lag", "drift_*", "*", "l?g"])
def test_a_waiver_may_be_of_several_rules(rule):
    Policy.parse({"waivers": [{"rule": rule, "owner": "a", "reason": "b", "expires": "2024-07-01"}]})


def test_patterns_that_contradict_each_other_for_one_tenant_are_named():
    policy = Policy.parse({"tenants": {"a*": {"lag_warn": 500}, "*b": {"lag_fail": 400}}})
    assert policy.limits("ax").lag_warn == 500
    assert policy.limits("xb").lag_fail == 400
    words = r"tenants a\*, \*b together, for tenant ab: lag_warn \(500 s\) is more than what fails \(400 s\)"
    with pytest.raises(PolicyError, match=words):
        policy.limits("ab")


# --- secrets ---


@pytest.mark.parametrize(
    "place",
    [
        "oss://b/p?host=h&access_id=AKID&access_key=hush",
        "s3://b/p?access_key=hush",
        "s3://me:hush@b/p",
        "s3://hush@b/p",
        "cos://b/p?host=h&secret_key=hush",
        "s3://b/p?session_hush&sas_token=hush",
    ],
)
@pytest.mark.parametrize("where", ["defaults", "tenants"])
def test_a_destination_with_keys_is_refused_and_not_shown(place, where):
    own = {"destination": place}
    words = refused({where: own if where == "defaults" else {"t1": own}})
    assert "leave them out" in words
    if "//hush@" not in place and "session_hush" not in place:
        assert "hush" not in words
    assert "AKID" not in words


@pytest.mark.parametrize(
    "source",
    [
        {"defaults": {"access_key": "hush"}},
        {"tenants": {"t": {"password": "hush"}}},
        {"defaults": {"destination": {"access_key": "hush"}}},
        {"password": "hush"},
        "defaults: {access_key: hush",
        "access_key: hush\n bad",
        {"waivers": [{"secret": "hush"}]},
        {"waivers": [{"rule": "lag", "owner": "a", "reason": "b", "expires": {"password": "hush"}}]},
    ],
)
def test_no_error_shows_a_secret(source):
    assert "hush" not in refused(source)


# --- waivers at work ---


def waiver(rule, tenant="*", expires="2024-06-21", reason="moved on Monday"):
    return {"rule": rule, "tenant": tenant, "owner": "ops", "reason": reason, "expires": expires}


@pytest.mark.parametrize("tenant", ["*", "tenant1", "ten*", "tenant?"])
def test_a_waiver_that_holds(world, tenant):
    """The finding is shown, with who answers for it, and does not count. The last day still holds."""
    report = world().lag(200).check({"waivers": [waiver("lag", tenant)]})
    assert report.verdict == report.tenant()["verdict"] == "OK"
    assert report.findings["lag/tenant1"]["waiver"] == {
        "owner": "ops",
        "reason": "moved on Monday",
        "expires": "2024-06-21",
    }
    assert report.findings["lag/tenant1"]["level"] == "WARN"
    assert report.rule("lag")["tenants"] == {"WAIVED": 1}
    assert (report.rule("lag")["level"], report.data["levels"]["WAIVED"]) == ("OK", 1)
    assert report.data["waivers"][0]["state"] == "active"
    assert report.data["summary"]["en"].endswith("; 1 findings are waived.")
    assert "已豁免" in report.data["summary"]["zh"]


def test_a_waiver_of_a_finding_of_the_cluster(world):
    one = world(tenants=0)
    assert one.check({"waivers": [waiver("scope")]}).verdict == "OK"
    assert one.check({"waivers": [waiver("scope", "tenant1")]}).verdict == "WARN"


def test_a_waiver_for_some_tenants_only(world):
    report = world(tenants=2).lag(200).check({"waivers": [waiver("lag", "tenant2")]})
    assert report.verdict == "WARN"
    assert report.rule("lag")["tenants"] == {"WARN": 1, "WAIVED": 1}
    assert report.rule("lag")["level"] == "WARN"
    assert [one["id"] for one in report.data["findings"]] == ["lag/tenant1", "lag/tenant2"], "waived ones last"


def test_a_waiver_hides_no_other_rule(world):
    report = world().lag(400).check({"waivers": [waiver("lag")]})
    assert report.verdict == report.level("slowest_stream") == "FAIL"
    report = world().lag(400).check({"waivers": [waiver("*")]})
    assert report.verdict == "OK"


def test_a_waiver_that_has_expired_counts_as_a_warning(world):
    report = (
        world()
        .healthy()
        .check({"waivers": [waiver("lag", expires="2024-06-20"), waiver("lag", "tenant1", "2024-06-19")]})
    )
    assert report.verdict == report.level("waiver_expired") == "WARN"
    assert report.rule("waiver_expired")["number"] == 23
    found = [one for one in report.data["findings"] if one["rule"] == "waiver_expired"]
    assert [one["tenantName"] for one in found] == [None, "tenant1"]
    assert found[0]["observed"]["en"] == "ops's waiver of lag for * expired on 2024-06-20: moved on Monday"
    assert "已于 2024-06-20 过期" in found[0]["observed"]["zh"]
    assert found[0]["hint"]["en"] == "Renew it with a reason, or remove it."
    assert [one["state"] for one in report.data["waivers"]] == ["expired", "expired"]


def test_an_expired_waiver_covers_nothing(world):
    report = (
        world().lag(200).check({"waivers": [waiver("lag", expires="2024-06-20"), waiver("lag", expires="2024-06-20")]})
    )
    assert report.level("lag", "tenant1") == "WARN"
    assert report.findings["lag/tenant1"]["waiver"] is None
    assert len(report.data["findings"]) == 2, "the same waiver twice is one finding"


def test_a_renewed_waiver_holds_beside_the_old_one(world):
    report = world().lag(200).check({"waivers": [waiver("lag", expires="2024-06-20"), waiver("lag", reason="again")]})
    assert report.findings["lag/tenant1"]["waiver"]["reason"] == "again"
    assert report.verdict == "WARN", "the old one is to be removed"


def test_a_waiver_that_nobody_needs(world):
    report = world().healthy().check({"waivers": [waiver("lag"), waiver("status", "nobody")]})
    assert report.verdict == "OK"
    assert [one["state"] for one in report.data["waivers"]] == ["unused", "unused"]


def test_the_day_of_a_waiver_is_one_of_the_servers_zone(world):
    """Half past midnight there is still yesterday in UTC."""
    early = NOW.replace(hour=0, minute=30)
    assert world(start_time=early).lag(200).check({"waivers": [waiver("lag", expires="2024-06-21")]}).verdict == "OK"
    report = world(start_time=early).lag(200).check({"waivers": [waiver("lag", expires="2024-06-20")]})
    assert report.level("waiver_expired") == "WARN"


def test_tenants_have_limits_of_their_own(world):
    one = world(tenants=3).lag(250)
    report = one.check({"defaults": {"rpo": "3m"}, "tenants": {"tenant2": {"rpo": "4m"}, "tenant3": {"rpo": "5m"}}})
    assert [report.level("lag", f"tenant{n}") for n in (1, 2, 3)] == ["FAIL", "FAIL", "WARN"]
    report = one.check({"tenants": {"tenant*": {"lag_warn": "1d"}, "tenant2": {"lag_warn": 60}}})
    assert [report.level("lag", f"tenant{n}") for n in (1, 2, 3)] == ["OK", "WARN", "OK"]
    assert one.advance(DAY).check({"tenants": {"nobody": {"rpo": 1}}}).rule("lag")["level"] == "OK"
