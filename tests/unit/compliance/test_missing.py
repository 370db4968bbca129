"""Catalogs with holes in them: whatever is missing is UNKNOWN, and nothing crashes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_ob_provider.oceanbase.catalog import LogDisk
from airflow_ob_provider.oceanbase.compliance.judge import judge
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from airflow_ob_provider.oceanbase.compliance.rule import TenantCase
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from tests.unit.compliance.world import NOW

POLICY = Policy.parse({"defaults": {"recovery_window": "7d", "mode": "optional"}})


@pytest.fixture
def catalog(world):
    return world("4.2.5").healthy().catalog()


def levels(catalog, **changes):
    record = replace(catalog.tenants[0], **changes)
    judgement = judge(replace(catalog, tenants=(record,)), POLICY)
    return {finding.rule: str(finding.answer.level) for finding in judgement.findings}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"recovery": None}, {"holes_covered": "UNKNOWN", "retention": "UNKNOWN"}),
        ({"settings": None}, {"drift_mode": "UNKNOWN"}),
        ({"cleanup": None}, {"cleanup": "UNKNOWN"}),
        ({"log_disk": None}, {"log_disk": "UNKNOWN"}),
        ({"log_disk": LogDisk(1, 0)}, {"log_disk": "UNKNOWN"}),
        ({"newest_full_at": None}, {"full_backup": "UNKNOWN"}),
    ],
)
def test_what_is_missing_is_unknown(catalog, changes, expected):
    assert levels(catalog, **changes) == expected


def test_a_tenant_that_is_late_without_any_log_stream(world):
    catalog = world("4.2.5").lag(900).catalog()
    assert levels(catalog, streams=())["slowest_stream"] == "UNKNOWN"
    assert "slowest_stream" not in levels(catalog, streams=None)


def test_a_tenant_without_a_row(catalog):
    found = levels(catalog, archive=None)
    assert found["log_mode"] == "UNKNOWN"
    assert found["status"] == "FAIL"


def test_a_size_of_nothing_is_not_full():
    assert LogDisk(1, 0).percent == 0


def test_whatever_has_no_time_is_needed(catalog):
    record = catalog.tenants[0]
    case = TenantCase(catalog, POLICY, None, OceanBaseVersion.parse("OceanBase 4.2.5.0"), record, POLICY.limits("t"))
    assert case.is_needed(None)
    assert case.is_needed(catalog.read_at)
    assert case.now.replace(tzinfo=None) == NOW
