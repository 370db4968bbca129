"""Sensors that go on with the tenants that have not failed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.exceptions import ArchiveStateError
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor, ArchiveDoingSensor, PieceStatusSensor
from tests.unit.operators.harness import Time, drive, ending
from tests.unit.operators.harness4 import clock, cluster, last_try, put

__all__ = ["clock", "cluster"]

BOTH = ["tenant1", "tenant2"]


def both(kind: Any, **kwargs: Any) -> Any:
    return kind(task_id="wait", tenants=BOTH, on_partial_failure="continue", **kwargs)


def test_a_tenant_that_breaks_in_mid_wait_stops_no_other(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.slow_start_tenants = {"tenant1": 100.0}
    put(cluster, "BEGINNING")
    put(cluster, "DOING", "tenant2")
    clock.at(20, lambda: put(cluster, "INTERRUPTED", "tenant2"))
    context = last_try()
    found = drive(both(ArchiveDoingSensor), context, clock)
    assert found["rounds"] == {"tenant1": 1}
    assert list(found["failed"]) == ["tenant2"]
    assert "INTERRUPTED" in found["failed"]["tenant2"]
    assert context["ti"].xcom["tenants"] == ["tenant1"]


@pytest.mark.parametrize("kind", [ArchiveDoingSensor, PieceStatusSensor, ArchiveCheckpointSensor])
def test_one_that_is_broken_at_the_first_look(cluster: Sandbox, clock: Time, kind: type) -> None:
    put(cluster, "DOING")
    cluster.drop_tenant("tenant2")
    context = last_try()
    found = drive(both(kind), context, clock)
    assert context["ti"].xcom["tenants"] == ["tenant1"]
    assert "no such user tenant: tenant2" in found["failed"]["tenant2"]


def test_all_are_broken(cluster: Sandbox, clock: Time) -> None:
    for name in BOTH:
        put(cluster, "INTERRUPTED", name)
    context = last_try()
    end = ending(lambda: drive(both(ArchiveDoingSensor), context, clock))
    assert isinstance(end.error, ArchiveStateError)
    assert set(context["ti"].xcom["return_value"]["failed"]) == set(BOTH), "the report can tell why"


def test_one_that_is_not_in_time(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    cluster.faults.slow_start_tenants = {"tenant2": 1e6}
    put(cluster, "BEGINNING", "tenant2")
    context = last_try()
    found = drive(both(ArchiveDoingSensor, timeout="300", poke_interval="15"), context, clock)
    assert found["rounds"] == {"tenant1": 1}
    assert found["failed"]["tenant2"].startswith("not within 300 s: ")
    assert 300 <= clock.elapsed < 340


def test_none_is_in_time(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.slow_start_tenants = {name: 1e6 for name in BOTH}
    for name in BOTH:
        put(cluster, "BEGINNING", name)
    context = last_try()
    end = ending(lambda: drive(both(ArchiveDoingSensor, timeout=300), context, clock))
    assert end.state == "failed"
    assert "not within 300 s" in end.text
    assert set(context["ti"].xcom["return_value"]["failed"]) == set(BOTH)


def test_a_server_that_cannot_be_read_is_nobodys_failure(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "BEGINNING")
    clock.at(5, cluster.stop)
    context = last_try()
    end = ending(lambda: drive(both(ArchiveDoingSensor), context, clock))
    assert end.state == "retry"
    assert set(context["ti"].xcom["return_value"]["failed"]) == set(BOTH)


def test_a_proof_keeps_its_moment_when_it_goes_on(cluster: Sandbox, clock: Time) -> None:
    for name in BOTH:
        put(cluster, "DOING", name)
    began = cluster.now
    clock.at(20, lambda: put(cluster, "INTERRUPTED", "tenant2"))
    found = drive(both(ArchiveCheckpointSensor), last_try(), clock)
    assert list(found["failed"]) == ["tenant2"]
    assert found["after"].startswith(str(began)[:18])


def test_by_default_one_ends_it(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    put(cluster, "INTERRUPTED", "tenant2")
    end = ending(lambda: drive(ArchiveDoingSensor(task_id="wait", tenants=BOTH), last_try(), clock))
    assert isinstance(end.error, ArchiveStateError)


@pytest.mark.parametrize(
    ("wish", "words"),
    [({"on_partial_failure": "never"}, "must be one of"), ({"deferrable": False}, "needs deferrable=True")],
)
def test_what_it_takes(cluster: Sandbox, clock: Time, wish: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ArchiveDoingSensor(task_id="wait", **{"on_partial_failure": "continue", **wish}).execute(last_try())
    assert cluster.statements == ()
