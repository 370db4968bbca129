"""What a check leaves for other tasks stays small, and what it measures reaches Airflow's metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_ob_provider.operators.compliance import ArchiveComplianceOperator
from airflow_ob_provider.sandbox import Sandbox

from .conftest import context, red

MakeTask = Callable[..., ArchiveComplianceOperator]
Gauge = tuple[str, float, dict[str, str]]
LAG, GAPS = "oceanbase.archive.lag_seconds", "oceanbase.archive.gap_count"


@pytest.fixture
def gauges(monkeypatch: pytest.MonkeyPatch) -> list[Gauge]:
    """What the backend of Airflow's metrics is given."""
    found: list[Gauge] = []

    class Backend:
        def gauge(self, stat: str, value: float, *, tags: dict[str, str], **_: Any) -> None:
            found.append((stat, value, tags))

        def __getattr__(self, name: str) -> Any:  # Airflow's own counters and timers
            return lambda *_, **__: None

    monkeypatch.setattr("airflow.sdk._shared.observability.metrics.stats._backend", Backend())
    return found


def of(gauges: list[Gauge], stat: str) -> dict[str | None, float]:
    """By tenant."""
    return {tags.get("tenant"): value for name, value, tags in gauges if name == stat}


def test_gauges_of_tenants_and_of_the_cluster(box: Sandbox, task: MakeTask, gauges: list[Gauge]) -> None:
    result = task().execute(context())
    assert of(gauges, LAG).keys() == {"tenant1", "tenant2"}
    assert max(of(gauges, LAG).values()) == result["delay"]
    assert of(gauges, GAPS) == {"tenant1": 0, "tenant2": 0}
    assert of(gauges, "oceanbase.archive.compliant") == {None: 1}
    for level in ("fail", "warn", "unknown"):
        assert of(gauges, f"oceanbase.archive.findings.{level}") == {None: 0}
    assert len(gauges) == 8
    cluster = {"conn_id": "oceanbase_default", "cluster": "obcluster"}
    assert all(cluster.items() <= tags.items() for _, _, tags in gauges)
    assert all(tags.keys() <= {"conn_id", "cluster", "tenant"} for _, _, tags in gauges)


def test_gauges_of_a_broken_stream_are_sent_before_the_task_fails(
    box: Sandbox, task: MakeTask, gauges: list[Gauge]
) -> None:
    red(box)
    with pytest.raises(Exception, match="log backup of"):
        task().execute(context())
    assert of(gauges, GAPS) == {"tenant1": 1, "tenant2": 0}
    assert of(gauges, LAG)["tenant1"] > 600
    assert of(gauges, "oceanbase.archive.compliant") == {None: 0}
    assert of(gauges, "oceanbase.archive.findings.fail")[None] > 0


def test_a_cluster_that_cannot_be_read_has_no_lag(
    box: Sandbox, add_connection: Callable[..., str], task: MakeTask, gauges: list[Gauge]
) -> None:
    add_connection({**box.connection(), "password": "wrong"})
    task(fail_on="never").execute(context())
    assert of(gauges, LAG) == {}
    assert of(gauges, "oceanbase.archive.findings.unknown") == {None: 1}
    assert of(gauges, "oceanbase.archive.compliant") == {}, "neither good nor bad"


def test_a_tenant_that_does_not_archive_has_no_lag(box: Sandbox, task: MakeTask, gauges: list[Gauge]) -> None:
    now = box.now
    box.history.clear()
    box.history.round(1, now - timedelta(days=2), tenant="tenant1")
    result = task(fail_on="never").execute(context())
    assert of(gauges, LAG) == {"tenant1": result["delay"]}
    assert of(gauges, GAPS).keys() == {"tenant1", "tenant2"}


@pytest.mark.parametrize("is_red", [False, True])
def test_the_result_for_a_thousand_tenants_is_small(
    new: Callable[..., Sandbox], task: MakeTask, gauges: list[Gauge], is_red: bool
) -> None:
    box = new(tenants=1000)
    if is_red:
        now = box.now
        box.history.clear()
        box.history.round(1, now - timedelta(days=2), status="INTERRUPTED", checkpoint=now - timedelta(hours=1),
                          comment="x" * 1000)  # fmt: skip
    given = context()
    result = task(fail_on="never").execute(given)
    assert result["cluster"]["tenants"] == 1000
    assert result["verdict"] == ("FAIL" if is_red else "OK")
    assert len(json.dumps(given["ti"].xcom["return_value"], ensure_ascii=False).encode()) < 10_000
    assert all(len(given["ti"].xcom[key].encode()) < 4_000 for key in ("alarm_en", "alarm_zh"))
    assert len(of(gauges, LAG)) == 1000


def test_an_error_as_long_as_it_likes_makes_no_long_result(box: Sandbox, task: MakeTask) -> None:
    box.faults.error_once = {"pattern": "SELECT", "errno": 1064, "message": "near 'x" + "y" * 60_000, "count": 99}
    given = context()
    task(fail_on="never").execute(given)
    assert len(json.dumps(given["ti"].xcom["return_value"]).encode()) < 10_000
