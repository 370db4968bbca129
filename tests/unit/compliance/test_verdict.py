"""One verdict of many answers: what is worse, what counts, what is listed."""

from __future__ import annotations

import pytest

from airflow_ob_provider.oceanbase.compliance.judge import MAX_FINDINGS, RULES, judge, worst
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from airflow_ob_provider.oceanbase.models import Level
from airflow_ob_provider.oceanbase.rows import UnreadableError
from tests.unit.compliance.world import DAY, HOUR, MINUTE, NOW


@pytest.mark.parametrize(
    ("levels", "verdict"),
    [
        ("FAIL UNKNOWN WARN OK NOT_APPLICABLE", "FAIL"),
        ("NOT_APPLICABLE OK WARN UNKNOWN", "UNKNOWN"),
        ("OK WARN NOT_APPLICABLE", "WARN"),
        ("NOT_APPLICABLE OK", "OK"),
        ("NOT_APPLICABLE", "OK"),
        ("", "OK"),
    ],
)
def test_fail_is_worse_than_unknown_is_worse_than_warn(levels, verdict):
    assert worst(Level(level) for level in levels.split()) == verdict


def test_the_worst_of_all_findings_is_the_verdict(world):
    one = world("4.2.5", tenants=2).lag(200)
    assert one.check().verdict == "WARN"
    one.unreadable(r"GV.OB_UNITS")
    assert one.check().verdict == "UNKNOWN"
    report = one.check({"tenants": {"tenant2": {"rpo": 199}}})
    assert report.verdict == "FAIL"
    assert [(f["level"], f["rule"]) for f in report.data["findings"]] == [
        ("FAIL", "lag"), ("UNKNOWN", "log_disk"), ("UNKNOWN", "log_disk"), ("UNKNOWN", "reachable"), ("WARN", "lag"),
    ]  # fmt: skip
    assert [(t["tenantName"], t["verdict"]) for t in report.data["tenants"]] == [
        ("tenant2", "FAIL"),
        ("tenant1", "UNKNOWN"),
    ]
    assert report.rule("lag")["tenants"] == {"WARN": 1, "FAIL": 1}
    assert report.data["summary"]["en"].startswith(
        "Not as it should be: lag (tenant2). First: tenant2, 3 min 20 s behind"
    )
    assert report.data["cluster"]["tenants_ok"] == 0


def test_levels_count_rules(world):
    report = world("4.2.5").lag(200).check()
    assert report.data["levels"]["WARN"] == 1
    assert sum(n for level, n in report.data["levels"].items() if level != "WAIVED") == len(RULES)
    assert report.data["levels"]["WAIVED"] == 0


def test_150_tenants_that_were_never_archived(world):
    """One FAIL each, of which a hundred are listed and all are counted."""
    report = world("4.2.5", tenants=150).check()
    assert report.verdict == "FAIL"
    assert len(report.data["findings"]) == MAX_FINDINGS == 100
    assert report.data["findings_left_out"] == {"scope": 50}
    assert report.rule("scope")["tenants"] == {"FAIL": 150}
    assert [tenant["verdict"] for tenant in report.data["tenants"]] == ["FAIL"] * 150
    assert "tenant150" in {tenant["tenantName"] for tenant in report.data["tenants"]}


def test_150_tenants_that_are_well(world):
    one = world("4.2.5", tenants=150).healthy(days=5)
    report = one.check()
    assert report.verdict == "OK", report.levels()
    assert report.data["summary"]["en"].startswith("Log backup of 150 tenants is as it should be, at most 1 min behind")
    assert report.data["cluster"]["tenants_ok"] == report.data["cluster"]["tenants"] == 150
    one.box.faults.dead_medium = True
    report = one.advance(10 * MINUTE).check()
    assert report.data["findings_left_out"]["lag"] == 50
    assert report.rule("lag")["tenants"] == {"FAIL": 150}
    named = [found for found in report.findings if found.startswith("slowest_stream/")]
    assert len(named) == 20, "log streams of twenty are looked at"
    assert report.rule("slowest_stream")["tenants"] == {"FAIL": 20, "NOT_APPLICABLE": 130}


def test_pieces_of_more_tenants_than_are_looked_at_closely(world):
    one = world("4.2.5", tenants=23).healthy(days=5)
    one.history.piece(2, file_status="BROKEN")
    report = one.check(recovery_window="7d")
    counts = report.rule("pieces_available")["tenants"]
    assert counts == {"FAIL": 20, "UNKNOWN": 3}, "what was not looked at is not called good"
    assert "look at this one by itself" in report.says("pieces_available", "tenant23")


def test_findings_of_the_cluster_count_as_well(world):
    report = world("4.2.5").healthy().check({"cluster": "prod"})
    assert report.verdict == "FAIL"
    assert report.tenant()["verdict"] == "OK"
    assert report.data["summary"]["en"] == "Not as it should be: identity. First: the cluster is 'obcluster'."


def test_a_rule_that_meets_something_unreadable_is_unknown_and_the_others_go_on(world, monkeypatch):
    one = world("4.2.5").healthy()
    catalog = one.catalog()
    for error in (UnreadableError("access_key='hush' is odd"), OverflowError("too far")):
        rule = next(rule for rule in RULES if rule.id == "lag")

        def broken(case, error=error):
            raise error

        monkeypatch.setattr(
            "airflow_ob_provider.oceanbase.compliance.judge.RULES",
            tuple(r if r is not rule else type(r)(r.number, r.id, r.title, r.proves, broken) for r in RULES),
        )
        judgement = judge(catalog, Policy())
        assert judgement.verdict == Level.UNKNOWN
        assert [finding.id for finding in judgement.findings] == ["lag/tenant1"]
        assert "hush" not in judgement.findings[0].answer.observed.en


def test_why_a_rule_is_not_applicable_to_several_tenants(world):
    one = world("4.2.5", tenants=3)
    one.history.round(1, NOW - DAY, NOW - HOUR, tenant="tenant1")
    report = one.check({"tenants": {"tenant2": {"archive": False}}})
    assert report.reason("lag") == "for various reasons"
    assert report.rule("lag")["reason"]["zh"] == "原因各异"
    assert report.rule("status")["reason"] is None


def test_the_rules_are_in_the_order_of_their_numbers():
    assert [rule.number for rule in RULES] == sorted(rule.number for rule in RULES)
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert all(rule.title)
        assert all(rule.proves)
        assert (rule.judge is None) is not (rule.judge_cluster is None)
