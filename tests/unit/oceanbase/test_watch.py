"""What a watch sees: the condition of every tenant in every state, and what it lets be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_ob_provider.oceanbase.models import ArchiveSnapshot, ArchiveState, Scope, Tenant
from airflow_ob_provider.oceanbase.watch import Bounds, Condition, Sighting, view

from .builders import BANK, CHECKPOINT, NOW, SHOP, STARTED, SYS, by_tenant, minutes, row, snapshot

BOUNDS = Bounds()


def seen(shot: ArchiveSnapshot, *tenants: str, bounds: Bounds = BOUNDS) -> dict[str, Sighting]:
    found = {one.name: one for one in view(shot, bounds, tenants).sightings}
    assert len(found) == len(view(shot, bounds, tenants).sightings)
    return found


def only(shot: ArchiveSnapshot, **kwargs: Any) -> Sighting:
    (one,) = seen(shot, **kwargs).values()
    return one


# --- 4.x: each tenant for itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "more", "condition", "patience"),
    [
        ("DOING", {}, Condition.HEALTHY, 0),
        ("DOING", {"deferred": True}, Condition.HEALTHY, 0),
        ("DOING", {"checkpoint": NOW - minutes(10)}, Condition.HEALTHY, 0),
        ("DOING", {"checkpoint": NOW - timedelta(seconds=600.001)}, Condition.LATE, 0),
        ("DOING", {"checkpoint": None, "started": NOW - minutes(9)}, Condition.HEALTHY, 0),
        ("DOING", {"checkpoint": None, "started": NOW - minutes(11)}, Condition.LATE, 0),
        ("DOING", {"checkpoint": None, "started": None}, Condition.UNKNOWN, 0),
        ("DOING", {"checkpoint": NOW + minutes(5)}, Condition.HEALTHY, 0),
        ("DOING", {"checkpoint": NOW + minutes(6)}, Condition.UNKNOWN, 0),
        ("INTERRUPTED", {}, Condition.INTERRUPTED, 0),
        ("INTERRUPTED", {"checkpoint": None, "started": None}, Condition.INTERRUPTED, 0),
        ("SUSPENDING", {}, Condition.SUSPENDED, 3600),
        ("SUSPEND", {"checkpoint": NOW - minutes(500)}, Condition.SUSPENDED, 3600),
        ("PREPARE", {}, Condition.STUCK, 1800),
        ("BEGINNING", {"checkpoint": NOW - minutes(500)}, Condition.STUCK, 1800),
        ("STOPPING", {}, Condition.STUCK, 1800),
        ("STOP", {}, Condition.STOPPED, 60),
        ("STOP", {"round_id": 0}, Condition.OUT_OF_SCOPE, 60),
        ("STOP", {"round_id": 0, "archivelog": False}, Condition.OUT_OF_SCOPE, 60),
        ("STOP", {"round_id": 0, "archivelog": True}, Condition.STOPPED, 60),
        ("UNKNOWN", {"status": "MIXED"}, Condition.UNKNOWN, 0),
    ],
    ids=str,
)
def test_conditions(state: str, more: dict[str, Any], condition: Condition, patience: float) -> None:
    found = only(by_tenant(row(SHOP, state, **more)))
    assert (found.condition, found.patience) == (condition, patience)
    assert found.name == "shop"
    assert "shop" in found.reason
    if condition is not Condition.OUT_OF_SCOPE:
        assert more.get("status", state) in found.reason


def test_every_state_is_judged() -> None:
    found = {state: only(by_tenant(row(SHOP, state))).condition for state in ArchiveState}
    assert [state for state, condition in found.items() if condition is Condition.UNKNOWN] == [ArchiveState.UNKNOWN]
    assert [state for state, condition in found.items() if condition is Condition.HEALTHY] == [ArchiveState.DOING]


def test_which_conditions_are_broken() -> None:
    assert {one for one in Condition if not one.is_broken} == {Condition.HEALTHY, Condition.UNKNOWN}


def test_starting_and_stopping_are_timed_apart() -> None:
    words = {state: only(by_tenant(row(SHOP, state))).seen for state in ("PREPARE", "BEGINNING", "STOPPING")}
    assert words["PREPARE"] == words["BEGINNING"] != words["STOPPING"]


def test_lag() -> None:
    assert only(by_tenant(row(SHOP, checkpoint=NOW - minutes(2)))).lag == 120
    assert only(by_tenant(row(SHOP, checkpoint=NOW + minutes(2)))).lag == 0, "a clock a little ahead"
    assert only(by_tenant(row(SHOP, "INTERRUPTED", checkpoint=NOW - minutes(20)))).lag == 1200
    assert only(by_tenant(row(SHOP, "STOP"))).lag is None
    late = only(by_tenant(row(SHOP, checkpoint=NOW - minutes(2))), bounds=Bounds(max_lag=60))
    assert late.condition is Condition.LATE
    assert "120 s behind, allowed are 60 s" in late.reason


def test_the_servers_remark_and_what_blocks_it_are_told() -> None:
    assert "log stream 1001" in only(by_tenant(row(SHOP, "INTERRUPTED", remark="log stream 1001 interrupted"))).reason
    assert "no destination" in only(by_tenant(row(SHOP, "STOP", blocked="it has no destination"))).reason


def test_a_tenant_without_a_row_is_out_of_scope() -> None:
    found = seen(by_tenant(row(SHOP), tenants=(SHOP, BANK)))
    assert found["bank"].condition is Condition.OUT_OF_SCOPE
    assert found["bank"].patience == 60
    assert found["bank"].row is None
    assert "never been archived" in found["bank"].reason


def test_only_named_tenants() -> None:
    shot = by_tenant(row(SHOP), row(BANK, "INTERRUPTED"))
    assert set(seen(shot, "shop")) == {"shop"}
    found = view(shot, BOUNDS, ("shop", "shpo"))
    assert found.not_found == ("shpo",)
    assert found.present == {1001}


def test_tenants_that_are_not_normal_exist_and_say_nothing() -> None:
    restoring = Tenant(1003, "copy", "RESTORE")
    found = view(by_tenant(row(SHOP), out_of_scope=(restoring,)), BOUNDS)
    assert [one.name for one in found.sightings] == ["shop"]
    assert found.present == {1001, 1003}
    named = view(by_tenant(row(SHOP), out_of_scope=(restoring,)), BOUNDS, ("copy",))
    assert (named.sightings, named.present, named.not_found) == ((), {1003}, ())


def test_a_cluster_without_tenants_has_nothing_to_watch() -> None:
    assert view(by_tenant(), BOUNDS).sightings == ()


# --- 3.x: the cluster's row governs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "more", "condition"),
    [
        ("DOING", {}, Condition.HEALTHY),
        ("DOING", {"checkpoint": NOW - minutes(11)}, Condition.LATE),
        ("INTERRUPTED", {}, Condition.INTERRUPTED),
        ("BEGINNING", {"checkpoint": None}, Condition.STUCK),
        ("STOPPING", {}, Condition.STUCK),
        ("STOP", {}, Condition.STOPPED),
        ("STOP", {"round_id": 0, "started": None, "checkpoint": None}, Condition.STOPPED),
        ("UNKNOWN", {}, Condition.UNKNOWN),
    ],
    ids=str,
)
def test_conditions_of_a_cluster(state: str, more: dict[str, Any], condition: Condition) -> None:
    """A tenant that says something else is not heard, unless the cluster archives."""
    found = seen(snapshot(row(SYS, state, **more), row(SHOP, "STOPPING" if state == "STOP" else state, **more)))
    assert found["cluster"].condition is condition
    assert set(found) == ({"cluster", "shop"} if state == "DOING" else {"cluster"})
    assert view(snapshot(row(SYS, state, **more), row(SHOP)), BOUNDS).present == {1, 1001}


@pytest.mark.parametrize(
    ("state", "more", "condition"),
    [
        ("DOING", {}, Condition.HEALTHY),
        ("DOING", {"checkpoint": NOW - minutes(500)}, Condition.HEALTHY),
        ("DOING", {"round_id": 2}, Condition.STUCK),
        ("BEGINNING", {}, Condition.STUCK),
        ("INTERRUPTED", {}, Condition.INTERRUPTED),
        ("INTERRUPTED", {"round_id": 2}, Condition.STUCK),
        ("STOPPING", {}, Condition.UNKNOWN),
        ("STOP", {}, Condition.UNKNOWN),
        ("UNKNOWN", {"round_id": 0}, Condition.UNKNOWN),
    ],
    ids=str,
)
def test_a_tenant_of_a_cluster_that_archives(state: str, more: dict[str, Any], condition: Condition) -> None:
    """The cluster's checkpoint is the least of all, so its lag is judged there."""
    found = seen(snapshot(row(SYS), row(SHOP, state, **more)))
    assert found["cluster"].condition is Condition.HEALTHY
    assert found["shop"].condition is condition
    assert found["shop"].patience == (1800 if condition is Condition.STUCK else 0)


def test_a_tenant_of_a_cluster_without_a_row_has_not_begun() -> None:
    found = seen(snapshot(row(SYS), tenants=(SHOP, BANK)))
    assert found["bank"].condition is Condition.STUCK
    assert found["bank"].patience == 1800
    assert set(seen(snapshot(row(SYS), tenants=(SHOP, BANK)), "bank")) == {"cluster", "bank"}
    assert view(snapshot(row(SYS), tenants=(SHOP, BANK)), BOUNDS, ("bank",)).present == {1, 1002}


def test_a_server_that_shows_no_state() -> None:
    found = only(snapshot(tenants=(SHOP,)))
    assert (found.name, found.condition) == ("cluster", Condition.UNKNOWN)


def test_a_tenant_called_cluster_is_another() -> None:
    twins = view(snapshot(row(SYS), row(Tenant(1001, "cluster"))), BOUNDS).sightings
    assert [one.tenant.tenant_id for one in twins] == [1, 1001]
    assert snapshot(row(SYS)).scope is Scope.CLUSTER
    assert STARTED < CHECKPOINT


# --- bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["60", None, -1, float("nan"), float("inf"), True, [60]])
def test_a_bound_that_is_no_time(value: Any) -> None:
    with pytest.raises(ValueError, match="max_lag must be a number of seconds from 0 to"):
        Bounds.checked({"max_lag": value})
    bounds, problems = Bounds.lenient({"max_lag": value, "hysteresis": 5})
    assert bounds == Bounds(hysteresis=5)
    assert len(problems) == 1
    assert "max_lag" in problems[0]


def test_bounds_that_are_right() -> None:
    assert Bounds.checked({"max_lag": 60, "hysteresis": 0}) == Bounds(max_lag=60.0, hysteresis=0.0)
    assert Bounds.lenient({"max_lag": 60}) == (Bounds(max_lag=60), [])
    with pytest.raises(TypeError, match="max_lagg"):
        Bounds.checked({"max_lagg": 60})
