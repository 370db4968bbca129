"""StopArchivelogOperator on 4.x: every state of a tenant on every build, lists, a dead medium, lost connections."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.exceptions import ArchiveStateError, OceanBaseTransientError, WaitTimeoutError
from airflow_ob_provider.operators.archivelog import StopArchivelogOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, effects, ending, writes
from tests.unit.operators.harness4 import (
    MODERN,
    VERSIONS,
    builds,
    clock,
    cluster,
    first_try,
    last_try,
    noarch,
    put,
    sql,
    state_of,
)

__all__ = ["clock", "cluster"]

ONE = ["tenant1"]


def stop(**kwargs: Any) -> StopArchivelogOperator:
    return StopArchivelogOperator(task_id="stop", **{"confirm": True, **kwargs})


CASES = [
    ("NONE", []),
    ("READY", []),
    ("STOP", []),
    ("BEGINNING", [noarch()]),
    ("DOING", [noarch()]),
    ("INTERRUPTED", [noarch()]),
    ("PREPARE", [noarch()]),
    ("STOPPING", []),
]
MODERN_CASES = [
    ("MODE", [noarch()]),
    ("COMING", [noarch()]),
    ("SUSPEND", [noarch()]),
    ("SUSPENDING", [noarch()]),
    ("STOPPING+MODE", [noarch()]),
    ("STOP+DEFER", []),
]


@pytest.mark.parametrize(
    ("cluster", "state", "sent"),
    [(version, *case) for version in VERSIONS for case in CASES]
    + [(version, *case) for version in MODERN for case in MODERN_CASES],
    indirect=["cluster"],
)
def test_it_acts_by_state(cluster: Sandbox, clock: Time, state: str, sent: list[str]) -> None:
    put(cluster, state)
    put(cluster, "DOING", "tenant2")
    before = state_of(cluster).round_id
    result = drive(stop(tenants=ONE), last_try(), clock)
    assert writes(cluster) == sent
    assert state_of(cluster).round_id == before, "no new round has begun meanwhile"
    assert (result["changed"], result["statements"], result["tenants"], result["failed"]) == (bool(sent), sent, ONE, {})
    assert (result["running"], result["out_of_scope"]) == (False, ["tenant2"])
    clock.sleep(300)
    after = state_of(cluster)
    assert after.status in {"", "STOP"}, "nothing starts again by itself"
    assert after.log_mode is False or cluster._cluster.profile.name == "4.0.0", "4.0 has no mode"
    assert state_of(cluster, "tenant2").status == "DOING"
    again = drive(stop(tenants=ONE), last_try(), clock)
    assert (again["changed"], again["statements"], writes(cluster)) == (False, [], sent)


@builds("4.0.0", "4.3.3")
@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_each_tenant_has_its_own_result(cluster: Sandbox, clock: Time, policy: str) -> None:
    put(cluster, "DOING")
    put(cluster, "INTERRUPTED", "tenant2")
    cluster.faults.error_once = (noarch(), 1227)
    context = last_try()
    end = ending(lambda: drive(stop(on_partial_failure=policy), context, clock))
    assert writes(cluster) == [noarch(), noarch("tenant2")]
    result = end.result or context["ti"].xcom["return_value"]
    assert (result["tenants"], list(result["failed"])) == (["tenant2"], ["tenant1"])
    assert "1227" in result["failed"]["tenant1"]
    assert (result["states"], result["statements"]) == ({"tenant2": "STOP"}, [noarch("tenant2")])
    assert end.state == ("success" if policy == "continue" else "failed")
    assert state_of(cluster).status == "DOING"


def test_a_locked_tenant_stops_no_other(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    put(cluster, "DOING", "tenant2")
    cluster.set_tenant("tenant1", locked=True)
    end = ending(lambda: drive(stop(on_partial_failure="continue"), last_try(), clock))
    assert (end.result["tenants"], list(end.result["failed"])) == (["tenant2"], ["tenant1"])
    assert "[5260]" in end.result["failed"]["tenant1"]


@builds("4.3.3")
def test_snapshots_keep_a_tenant_from_being_stopped(cluster: Sandbox, clock: Time) -> None:
    """From sys the answer may be OK or 4179; only what is read back counts."""
    put(cluster, "DOING")
    put(cluster, "DOING", "tenant2")
    cluster.faults.tenant_snapshots = {"tenant1"}
    context = last_try()
    end = ending(lambda: drive(stop(), context, clock))
    result = context["ti"].xcom["return_value"]
    assert (result["tenants"], list(result["failed"])) == (["tenant2"], ["tenant1"])
    assert "snapshots" in result["failed"]["tenant1"]
    assert end.state == "failed"


@builds("4.2.5", "4.3.3")
def test_a_dead_medium_is_stopped_by_force_after_ten_minutes(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    cluster.faults.dead_medium = True
    result = drive(stop(tenants=ONE), last_try(), clock)
    assert (result["states"], writes(cluster)) == ({"tenant1": "STOP"}, [noarch()])
    assert clock.elapsed >= 600


@builds("4.1.0")
def test_before_4_2_3_it_hangs_and_the_timeout_names_it(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    cluster.faults.dead_medium = True
    end = ending(lambda: drive(stop(tenants=ONE, timeout=900), last_try(), clock))
    assert end.state == "failed"
    assert isinstance(end.error, WaitTimeoutError)
    assert "900 s" in end.text
    assert "tenant1 STOPPING" in end.text
    assert 900 <= clock.elapsed < 960


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
@builds("4.0.0", "4.2.5")
def test_a_lost_connection_never_sends_twice(cluster: Sandbox, clock: Time, moment: str) -> None:
    put(cluster, "DOING")
    setattr(cluster.faults, moment, (noarch(), 1))
    end = ending(lambda: drive(stop(tenants=ONE), first_try(), clock))
    assert writes(cluster) == [noarch()]
    if moment == "drop_before":
        assert isinstance(end.error, OceanBaseTransientError)
        assert end.state == "retry"
        end = ending(lambda: drive(stop(tenants=ONE), last_try(2), clock))
    assert end.state == "success", end
    assert effects(cluster, noarch()) == 1 + (moment == "drop_before")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("errno", "cluster"), [(4012, "4.0.0"), (4023, "4.2.5"), (4114, "4.2.5")], indirect=["cluster"]
)
def test_a_passing_error_is_settled_by_the_state(cluster: Sandbox, clock: Time, errno: int, after: bool) -> None:
    put(cluster, "DOING")
    cluster.faults.error_once = {"pattern": noarch(), "errno": errno, "after": after}
    end = ending(lambda: drive(stop(tenants=ONE), first_try(), clock))
    assert writes(cluster) == [noarch()]
    assert end.state == ("success" if after else "retry"), end


@pytest.mark.parametrize(
    ("errno", "cluster"), [(9024, "4.0.0"), (9092, "4.1.0"), (9092, "4.3.3")], indirect=["cluster"]
)
def test_somebody_else_was_faster(cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, errno: int) -> None:
    put(cluster, "DOING")
    run = cluster._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        if statement.endswith(noarch()):
            run(statement, caller)
        return run(statement, caller)

    monkeypatch.setattr(cluster._cluster, "execute", execute)
    end = ending(lambda: drive(stop(tenants=ONE), last_try(), clock))
    assert cluster.writes[0].outcome == errno
    assert end.state == "success", end
    assert writes(cluster) == [noarch()]


@builds()
def test_a_user_tenant_stops_itself(cluster: Sandbox, clock: Time, add_connection: Any) -> None:
    add_connection(cluster.connection("root", "tenant1"))
    put(cluster, "DOING")
    put(cluster, "DOING", "tenant2")
    result = drive(stop(), last_try(), clock)
    assert (writes(cluster), result["states"]) == ([noarch(None)], {"tenant1": "STOP"})
    assert state_of(cluster, "tenant2").status == "DOING"


def test_somebody_starts_it_again_while_it_stops(cluster: Sandbox, clock: Time) -> None:
    """Never a tug of war, and never a success: the mode is on."""
    put(cluster, "DOING")
    cluster.faults.dead_medium = {"tenant1"}
    clock.at(60, lambda: sql(cluster, "ALTER SYSTEM ARCHIVELOG TENANT = tenant1"))
    end = ending(lambda: drive(stop(tenants=ONE), last_try(), clock))
    assert isinstance(end.error, ArchiveStateError), end
    assert writes(cluster) == [noarch()]
    assert "asked to stop" in end.text


def test_a_dry_run_writes_nothing(cluster: Sandbox) -> None:
    put(cluster, "DOING")
    put(cluster, "STOP", "tenant2")
    result = stop(dry_run=True, confirm=False).execute(last_try())
    assert result["plan"] == [noarch()]
    assert cluster.writes == ()
