"""MinorFreezeOperator on 4.x: its spelling, and completion by the compaction views."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.exceptions import OceanBaseServerError, WaitTimeoutError
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, ending, writes
from tests.unit.operators.harness4 import builds, clock, cluster, last_try

__all__ = ["clock", "cluster"]

FREEZE = "ALTER SYSTEM MINOR FREEZE"


def freeze(**kwargs: Any) -> MinorFreezeOperator:
    return MinorFreezeOperator(task_id="freeze", **kwargs)


@pytest.mark.parametrize(
    ("cluster", "everyone"),
    [("4.0.0", "all"), ("4.1.0", "all"), ("4.2.1", "all_user"), ("4.2.5", "all_user"), ("4.3.3", "all_user")],
    indirect=["cluster"],
)
@pytest.mark.parametrize("deferrable", [True, False])
def test_it_freezes_every_user_tenant_and_waits_for_the_merges(
    cluster: Sandbox, clock: Time, everyone: str, deferrable: bool
) -> None:
    result = drive(freeze(deferrable=deferrable), last_try(), clock)
    assert writes(cluster) == [f"{FREEZE} TENANT = {everyone}"]
    assert result["completed"] is True
    assert result["merges"] >= 2 * 3
    frozen = [m for m in cluster._cluster.freezer.merges if m.memstore.tenant_id in {1002, 1004}]
    assert frozen
    assert all(merge.end for merge in frozen), "not one merge may be under way"


@builds("4.0.0", "4.3.3")
def test_it_freezes_the_tenants_asked_for(cluster: Sandbox, clock: Time) -> None:
    result = drive(freeze(tenants=["tenant2"]), last_try(), clock)
    assert writes(cluster) == [f"{FREEZE} TENANT = 'tenant2'"]
    assert result["completed"] is True
    assert {m.memstore.tenant_id for m in cluster._cluster.freezer.merges} == {1004}


@builds("4.0.0", "4.2.5")
def test_a_user_tenant_freezes_itself(cluster: Sandbox, clock: Time, add_connection: Any) -> None:
    add_connection(cluster.connection("root", "tenant1"))
    for tenants in (None, ["tenant1"]):
        result = drive(freeze(tenants=tenants), last_try(), clock)
        assert result["completed"] is True
    assert writes(cluster) == [FREEZE, FREEZE]
    assert cluster.writes[0].outcome == "OK"


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("on_timeout", ["warn", "fail"])
def test_a_stuck_dump_is_never_called_complete(
    cluster: Sandbox, clock: Time, deferrable: bool, on_timeout: str
) -> None:
    cluster.faults.stuck_memtables = True
    task = freeze(timeout=300, deferrable=deferrable, on_timeout=on_timeout)
    end = ending(lambda: drive(task, last_try(), clock))
    assert 300 <= clock.elapsed < 330
    assert len(writes(cluster)) == 1
    if on_timeout == "warn":
        assert (end.state, end.result["completed"]) == ("success", False)
    else:
        assert end.state == "failed"
        assert isinstance(end.error, WaitTimeoutError)


def test_nothing_scheduled_yet_is_not_complete(cluster: Sandbox, clock: Time) -> None:
    """Right after the freeze no merge is under way, because none has been scheduled."""
    result = drive(freeze(poll_interval=1, deferrable=False), last_try(), clock)
    assert result["completed"] is True
    assert all(merge.end for merge in cluster._cluster.freezer.merges)


def test_an_idle_cluster_has_nothing_to_dump(cluster: Sandbox, clock: Time) -> None:
    for memstore in cluster._cluster.freezer.memstores:
        memstore.active = 0
    result = drive(freeze(), last_try(), clock)
    assert (result["completed"], result["merges"]) == (True, 0)


@pytest.mark.parametrize("on_timeout", ["warn", "fail"])
@pytest.mark.parametrize("errno", [4025, 4263, 1227])
def test_a_freeze_that_is_refused(cluster: Sandbox, clock: Time, errno: int, on_timeout: str) -> None:
    cluster.faults.error_once = ("MINOR FREEZE", errno)
    end = ending(lambda: drive(freeze(on_timeout=on_timeout), last_try(), clock))
    assert len(writes(cluster)) == 1
    if on_timeout == "warn":
        assert (end.state, end.result["completed"]) == ("success", False)
    else:
        assert isinstance(end.error, OceanBaseServerError)
        assert str(errno) in end.text


def test_a_tenant_that_nobody_has(cluster: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(freeze(tenants=["gone"]), last_try(), clock))
    assert end.state != "success"
    assert "gone" in end.text
    assert cluster.writes == ()


@builds("4.1.0", "4.2.5")
def test_a_dry_run_writes_nothing(cluster: Sandbox, clock: Time) -> None:
    result = freeze(dry_run=True).execute(last_try())
    everyone = "all" if cluster._cluster.profile.name == "4.1.0" else "all_user"
    assert result["plan"] == [f"{FREEZE} TENANT = {everyone}"]
    assert cluster.writes == ()


def test_what_somebody_else_merges_does_not_hide_ours(cluster: Sandbox, clock: Time) -> None:
    """One tenant's stuck dump does not hold up another tenant's freeze."""
    drive(freeze(tenants=["tenant1"], wait=False), last_try(), clock)
    cluster.faults.stuck_memtables = True
    clock.sleep(20)
    cluster.faults.stuck_memtables = False
    result = drive(freeze(tenants=["tenant2"]), last_try(), clock)
    assert result["completed"] is True
