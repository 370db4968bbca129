"""StartArchivelogOperator on 4.x: every state of a tenant on every build, lists with mixed ends, lost connections."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_ob_provider.exceptions import ArchiveStateError, OceanBaseTransientError
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, effects, ending, make_context, writes
from tests.unit.operators.harness4 import (
    MODERN,
    VERSIONS,
    arch,
    builds,
    clock,
    cluster,
    enable,
    first_try,
    last_try,
    noarch,
    put,
    sql,
    state_of,
)

__all__ = ["clock", "cluster"]

ONE = ["tenant1"]


def start(**kwargs: Any) -> StartArchivelogOperator:
    return StartArchivelogOperator(task_id="start", **kwargs)


# --- by state ---------------------------------------------------------------------------------------------------------

SAME, NEXT = 0, 1
CASES = [
    # state, restart_interrupted, statements, round after - round before; None: refused
    ("READY", False, [arch()], NEXT),
    ("STOP", False, [arch()], NEXT),
    ("BEGINNING", False, [], SAME),
    ("DOING", False, [], SAME),
    ("DOING", True, [], SAME),
    ("PREPARE", False, [], SAME),
    ("STOPPING", False, [arch()], NEXT),
    ("INTERRUPTED", True, [noarch(), arch()], NEXT),
    ("INTERRUPTED", False, [], None),
    ("NONE", False, [], None),
]
MODERN_CASES = [
    ("COMING", False, [], NEXT),
    ("MODE", False, [], None),
    ("SUSPEND", False, [enable()], SAME),
    ("SUSPENDING", False, [enable()], SAME),
    ("READY+DEFER", False, [enable(), arch()], NEXT),
    ("STOP+DEFER", False, [enable(), arch()], NEXT),
    ("COMING+DEFER", False, [enable()], NEXT),
    ("STOPPING+DEFER", False, [enable(), arch()], NEXT),
    ("STOPPING+MODE", False, [], NEXT),
    ("INTERRUPTED+DEFER", True, [noarch(), enable(), arch()], NEXT),
    ("DOING+DEFER", False, [enable()], SAME),
]


@pytest.mark.parametrize(
    ("cluster", "state", "restart", "sent", "step"),
    [(version, *case) for version in VERSIONS for case in CASES]
    + [(version, *case) for version in MODERN for case in MODERN_CASES],
    indirect=["cluster"],
)
def test_it_acts_by_state(
    cluster: Sandbox, clock: Time, state: str, restart: bool, sent: list[str], step: int | None
) -> None:
    put(cluster, state)
    before, other = state_of(cluster), state_of(cluster, "tenant2")
    task = start(tenants=ONE, restart_interrupted=restart)
    end = ending(lambda: drive(task, last_try(), clock))
    assert writes(cluster) == sent, end
    assert state_of(cluster, "tenant2") == other
    if step is None:
        assert end.state == "failed", end
        assert isinstance(end.error, ArchiveStateError)
        assert "tenant1" in end.text
        assert state_of(cluster) == before
        return
    assert end.state == "success", end
    result = end.result
    assert (result["changed"], result["statements"], result["tenants"], result["failed"]) == (bool(sent), sent, ONE, {})
    assert result["running"] is True
    assert result["out_of_scope"] == ["tenant2"]
    assert set(result["rounds"]) == set(result["states"]) == {"tenant1"}
    clock.sleep(600)
    after = state_of(cluster)
    assert (after.status, after.round_id) == ("DOING", before.round_id + step)
    cluster.clear_statements()
    again = drive(start(tenants=ONE, restart_interrupted=restart), last_try(), clock)
    assert (again["changed"], again["statements"], writes(cluster)) == (False, [], [])
    assert (again["states"], again["rounds"]) == ({"tenant1": "DOING"}, {"tenant1": after.round_id})
    assert again["checkpoint"]


@builds("4.0.0", "4.2.5")
@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("state", ["STOPPING", "INTERRUPTED"])
def test_it_waits_for_stop_in_the_triggerer_or_here(
    cluster: Sandbox, clock: Time, state: str, deferrable: bool
) -> None:
    put(cluster, state)
    task = start(tenants=ONE, restart_interrupted=True, deferrable=deferrable)
    if deferrable:
        with pytest.raises(TaskDeferred):
            task.execute(last_try())
    result = drive(start(tenants=ONE, restart_interrupted=True, deferrable=deferrable), last_try(), clock)
    assert result["running"] is True
    assert writes(cluster, " ARCHIVELOG") == [arch()]


@pytest.mark.parametrize("cluster", ["4.0.0", "4.2.5"], indirect=True)
@pytest.mark.parametrize("state", ["READY", "STOP", "DOING", "STOPPING"])
def test_a_dry_run_shows_the_plan_and_writes_nothing(cluster: Sandbox, clock: Time, state: str) -> None:
    put(cluster, state)
    before = state_of(cluster)
    result = start(tenants=ONE, dry_run=True).execute(last_try())
    assert result["plan"] == ([] if state == "DOING" else [arch()])
    assert "tenant1" in result["decisions"][0]
    assert result["changed"] is False
    assert cluster.writes == ()
    assert state_of(cluster) == before


def test_a_dry_run_shows_every_statement_of_the_way(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "INTERRUPTED+DEFER")
    put(cluster, "STOP+DEFER", "tenant2")
    result = start(dry_run=True, restart_interrupted=True).execute(last_try())
    assert result["plan"] == [noarch(), enable(), arch(), enable("tenant2"), arch("tenant2")]
    assert cluster.writes == ()


def test_a_refusal_tells_the_comment_and_the_way_out(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "INTERRUPTED")
    end = ending(lambda: drive(start(tenants=ONE), last_try(), clock))
    assert "log stream 1001 interrupted" in end.text
    assert "never heals by itself" in end.text
    assert "full data backup" in end.text


@builds(*MODERN)
def test_an_ok_from_sys_is_not_believed(cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tenant stops being NORMAL before the statement arrives: sys answers OK, and nothing happens."""
    put(cluster, "STOP")
    archive = cluster._cluster.find_tenant("tenant1")
    flip = cluster._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        if "ARCHIVELOG" in statement:
            archive.status = "RESTORE"
        return flip(statement, caller)

    monkeypatch.setattr(cluster._cluster, "execute", execute)
    end = ending(lambda: drive(start(), last_try(), clock))
    assert end.state != "success", end
    assert "tenant1" in end.text
    assert state_of(cluster).log_mode is False


# --- lists ------------------------------------------------------------------------------------------------------------

FOUR = {"tenants": 4}


@pytest.mark.parametrize("cluster", [{**FOUR, "profile": version} for version in VERSIONS], indirect=True)
@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_each_tenant_has_its_own_result(cluster: Sandbox, clock: Time, policy: str) -> None:
    for number, state in enumerate(("INTERRUPTED", "STOP", "DOING", "STOPPING"), 1):
        put(cluster, state, f"tenant{number}")
    context = last_try()
    end = ending(lambda: drive(start(on_partial_failure=policy), context, clock))
    assert writes(cluster) == [arch("tenant2"), arch("tenant4")]
    result = end.result or context["ti"].xcom["return_value"]
    assert result["tenants"] == ["tenant2", "tenant3", "tenant4"]
    assert set(result["failed"]) == {"tenant1"}
    assert "log stream 1001 interrupted" in result["failed"]["tenant1"]
    assert result["statements"] == [arch("tenant2"), arch("tenant4")]
    assert set(result["rounds"]) == {"tenant2", "tenant3", "tenant4"}
    assert set(result["states"]) == {"tenant2", "tenant3", "tenant4"}
    assert result["running"] is True
    if policy == "continue":
        assert end.state == "success"
    else:
        assert end.state == "failed", "an interrupted round does not heal: no retry"
        assert "1 of 4 tenants failed" in end.text
        assert "tenant1" in end.text


@pytest.mark.parametrize("retries", [True, False])
@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_what_may_heal_is_tried_again_while_there_are_retries(
    cluster: Sandbox, clock: Time, policy: str, retries: bool
) -> None:
    put(cluster, "STOP")
    put(cluster, "STOP", "tenant2")
    cluster.faults.drop_before = (arch("tenant2"), 1)
    context = first_try() if retries else last_try()
    end = ending(lambda: drive(start(on_partial_failure=policy), context, clock))
    assert writes(cluster) == [arch(), arch("tenant2")]
    result = end.result or context["ti"].xcom["return_value"]
    assert (result["tenants"], list(result["failed"])) == (["tenant1"], ["tenant2"])
    assert end.state == ("success" if policy == "continue" and not retries else "retry")
    again = drive(start(on_partial_failure=policy), last_try(2), clock)
    assert (again["tenants"], again["failed"], again["statements"]) == (["tenant1", "tenant2"], {}, [arch("tenant2")])


def test_all_failed_is_a_failure_whatever_the_policy(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "INTERRUPTED")
    put(cluster, "INTERRUPTED", "tenant2")
    end = ending(lambda: drive(start(on_partial_failure="continue"), last_try(), clock))
    assert end.state == "failed"
    assert "tenant1" in end.text
    assert "tenant2" in end.text


@builds()
@pytest.mark.parametrize(
    "change",
    [{"status": "CREATING"}, {"status": "DROPPING"}, {"status": "RESTORE"}],
    ids=lambda change: change["status"],
)
def test_a_tenant_that_is_not_normal_is_out_of_scope(cluster: Sandbox, clock: Time, change: dict[str, Any]) -> None:
    put(cluster, "STOP")
    put(cluster, "STOP", "tenant2")
    cluster.set_tenant("tenant2", **change)
    result = drive(start(), last_try(), clock)
    assert (result["tenants"], result["out_of_scope"]) == (ONE, ["tenant2"])
    assert writes(cluster) == [arch()]
    end = ending(lambda: drive(start(tenants=["tenant2"]), last_try(), clock))
    assert end.state == "failed"
    assert "tenant2" in end.text
    assert writes(cluster) == [arch()]


@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_a_name_that_nobody_has_stops_no_other(cluster: Sandbox, clock: Time, policy: str) -> None:
    put(cluster, "STOP")
    context = last_try()
    end = ending(lambda: drive(start(tenants=["gone", "tenant1"], on_partial_failure=policy), context, clock))
    result = end.result or context["ti"].xcom["return_value"]
    assert (result["tenants"], list(result["failed"])) == (ONE, ["gone"])
    assert writes(cluster) == [arch()]
    assert end.state == ("success" if policy == "continue" else "failed")


def test_a_locked_tenant_stops_no_other(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    put(cluster, "STOP", "tenant2")
    cluster.set_tenant("tenant1", locked=True)
    context = last_try()
    end = ending(lambda: drive(start(), context, clock))
    result = context["ti"].xcom["return_value"]
    assert (result["tenants"], list(result["failed"])) == (["tenant2"], ["tenant1"])
    assert "5260" in result["failed"]["tenant1"]
    assert "UNLOCK" in end.text
    assert state_of(cluster, "tenant2").log_mode is True


def test_a_tenant_dropped_in_mid_run_stops_no_other(
    cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cluster, "STOP")
    put(cluster, "STOP", "tenant2")
    run = cluster._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        if statement.endswith(arch()):
            cluster._cluster.drop_tenant("tenant1")
        return run(statement, caller)

    monkeypatch.setattr(cluster._cluster, "execute", execute)
    context = last_try()
    end = ending(lambda: drive(start(tenants=["tenant1", "tenant2"], on_partial_failure="continue"), context, clock))
    assert end.state == "success", end
    assert (end.result["tenants"], list(end.result["failed"])) == (["tenant2"], ["tenant1"])


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_tenant_dropped_while_waited_for_stops_no_other(cluster: Sandbox, clock: Time, deferrable: bool) -> None:
    put(cluster, "STOPPING")
    put(cluster, "STOPPING", "tenant2")
    cluster.faults.dead_medium = {"tenant1"}
    clock.at(120, lambda: cluster.drop_tenant("tenant1"))
    context = last_try()
    task = start(tenants=["tenant1", "tenant2"], deferrable=deferrable, on_partial_failure="continue")
    end = ending(lambda: drive(task, context, clock))
    assert end.state == "success", end
    assert (end.result["tenants"], list(end.result["failed"])) == (["tenant2"], ["tenant1"])
    assert end.result["statements"] == [arch("tenant2")]


def test_a_tenant_created_in_mid_wait_is_named_as_out_of_scope(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOPPING")
    clock.at(3, lambda: cluster.create_tenant("late"))
    result = drive(start(tenants=ONE), last_try(), clock)
    assert result["out_of_scope"] == ["tenant2", "late"]
    assert writes(cluster) == [arch()]


@pytest.mark.parametrize(("policy", "deferrable"), [("fail", True), ("continue", True), ("continue", False)])
@builds("4.1.0", "4.2.5")
def test_one_that_hangs_in_stopping_holds_up_no_other(
    cluster: Sandbox, clock: Time, policy: str, deferrable: bool
) -> None:
    put(cluster, "INTERRUPTED")
    put(cluster, "INTERRUPTED", "tenant2")
    cluster.faults.dead_medium = {"tenant1"}
    begun: list[float] = []
    clock.on_sleep.append(lambda at: begun.append(at) if writes(cluster, arch("tenant2")) and not begun else None)
    context = last_try()
    task = start(restart_interrupted=True, timeout=400, deferrable=deferrable, on_partial_failure=policy)
    end = ending(lambda: drive(task, context, clock))
    assert writes(cluster) == [noarch(), noarch("tenant2"), arch("tenant2")]
    assert begun[0] < 120, "the one that has stopped is started at once"
    assert 400 <= clock.elapsed < 460
    result = end.result or context["ti"].xcom["return_value"]
    assert (result["tenants"], list(result["failed"])) == (["tenant2"], ["tenant1"])
    assert "STOPPING" in result["failed"]["tenant1"]
    assert "400 s" in result["failed"]["tenant1"]
    assert end.state == ("success" if policy == "continue" else "failed")
    if policy == "fail":
        assert "tenant1" in end.text


@builds("4.2.5", "4.3.3")
def test_a_dead_medium_is_stopped_by_force_after_ten_minutes(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "INTERRUPTED")
    cluster.faults.dead_medium = {"tenant1"}
    result = drive(start(tenants=ONE, restart_interrupted=True), last_try(), clock)
    assert result["rounds"]["tenant1"] in {1, 2}
    assert writes(cluster) == [noarch(), arch()]
    assert clock.elapsed >= 600


# --- lost connections -------------------------------------------------------------------------------------------------

WRITING = [
    ("STOP", False, arch()),
    ("SUSPEND", False, enable()),
    ("STOP+DEFER", False, enable()),
    ("STOP+DEFER", False, arch()),
    ("INTERRUPTED", True, noarch()),
    ("INTERRUPTED", True, arch()),
]


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
@pytest.mark.parametrize(("state", "restart", "statement"), WRITING)
def test_a_lost_connection_never_sends_twice(
    cluster: Sandbox, clock: Time, state: str, restart: bool, statement: str, moment: str
) -> None:
    put(cluster, state)
    setattr(cluster.faults, moment, (statement, 1))
    end = ending(lambda: drive(start(tenants=ONE, restart_interrupted=restart), first_try(), clock))
    assert writes(cluster).count(statement) == 1
    if moment == "drop_before":
        assert end.state == "retry", end
        assert isinstance(end.error, OceanBaseTransientError)
        end = ending(lambda: drive(start(tenants=ONE, restart_interrupted=restart), last_try(2), clock))
    assert end.state == "success", end
    assert effects(cluster, statement) == 1 + (moment == "drop_before")
    clock.sleep(600)
    assert state_of(cluster).status == "DOING"
    assert state_of(cluster).round_id == (1 if state == "SUSPEND" else 2)


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
@builds("4.0.0", "4.1.0")
def test_a_lost_connection_never_sends_twice_on_other_builds(cluster: Sandbox, clock: Time, moment: str) -> None:
    put(cluster, "STOP")
    setattr(cluster.faults, moment, (arch(), 1))
    end = ending(lambda: drive(start(tenants=ONE), first_try(), clock))
    assert writes(cluster) == [arch()]
    assert end.state == ("retry" if moment == "drop_before" else "success")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("errno", [4012, 4023, 4114])
@pytest.mark.parametrize(("state", "restart", "statement"), [WRITING[i] for i in (0, 2, 4)])
def test_a_passing_error_is_settled_by_the_state(
    cluster: Sandbox, clock: Time, state: str, restart: bool, statement: str, errno: int, after: bool
) -> None:
    put(cluster, state)
    cluster.faults.error_once = {"pattern": statement, "errno": errno, "after": after}
    end = ending(lambda: drive(start(tenants=ONE, restart_interrupted=restart), first_try(), clock))
    assert writes(cluster).count(statement) == 1
    assert end.state == ("success" if after else "retry"), end
    if not after:
        assert str(errno) in end.text


@pytest.mark.parametrize(("state", "statement"), [("STOP", arch), ("SUSPEND", enable), ("INTERRUPTED", noarch)])
def test_a_passing_error_for_everybody_is_each_tenants_own(
    cluster: Sandbox, clock: Time, state: str, statement: Any
) -> None:
    put(cluster, state)
    put(cluster, state, "tenant2")
    cluster.faults.error_once = {"pattern": "ALTER SYSTEM", "errno": 4023, "count": 2}
    context = first_try()
    end = ending(lambda: drive(start(restart_interrupted=True), context, clock))
    assert end.state == "retry", end
    assert set(context["ti"].xcom["return_value"]["failed"]) == {"tenant1", "tenant2"}
    assert writes(cluster) == [statement("tenant1"), statement("tenant2")]
    end = ending(lambda: drive(start(restart_interrupted=True), last_try(2), clock))
    assert end.state == "success", end
    assert end.result["failed"] == {}


@pytest.mark.parametrize("errno", [4012, 4023, 4114])
def test_an_error_of_reading_sends_nothing_twice(cluster: Sandbox, clock: Time, errno: int) -> None:
    put(cluster, "STOP")
    cluster.faults.error_once = {"pattern": "SELECT NOW", "errno": errno, "count": 2}
    states = [ending(lambda: drive(start(tenants=ONE), first_try(), clock)).state for _ in range(3)]
    assert states[-1] == "success", states
    assert effects(cluster, arch()) == 1


@pytest.mark.parametrize(
    ("cluster", "errno"), [("4.2.5", 9091), ("4.0.0", 9023), ("4.2.5", 1235)], indirect=["cluster"]
)
def test_already_so_is_settled_by_the_state(cluster: Sandbox, clock: Time, errno: int) -> None:
    """Somebody else was faster: the server refuses, the state is what was asked for."""
    put(cluster, "STOP")
    cluster.faults.error_once = {"pattern": arch(), "errno": errno, "after": True}
    end = ending(lambda: drive(start(tenants=ONE), last_try(), clock))
    assert end.state == "success", end
    assert end.result["running"] is True


@builds("4.0.0")
def test_the_destination_of_4_0_may_be_refused(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    cluster.faults.error_once = (arch(), 9026)
    end = ending(lambda: drive(start(tenants=ONE), last_try(), clock))
    assert end.state == "failed"
    assert "9026" in end.text
    assert "SetBackupDestinationOperator" in end.text


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_server_that_dies_in_the_middle_of_a_list_is_asked_no_more(
    cluster: Sandbox, clock: Time, moment: str
) -> None:
    cluster.create_tenant("tenant3")
    for name in ("tenant1", "tenant2", "tenant3"):
        put(cluster, "STOP", name)
    run = cluster._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        last = statement.endswith(arch("tenant1" if moment == "before" else "tenant2"))
        result = run(statement, caller)
        if last:
            cluster.faults.drop_before = (".", 10_000)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster._cluster, "execute", execute)
        end = ending(lambda: drive(start(on_partial_failure="continue"), first_try(), clock))
    assert end.state == "retry", end
    assert arch("tenant3") not in writes(cluster)
    cluster.faults.drop_before = None
    result = drive(start(), last_try(2), clock)
    assert result["tenants"] == ["tenant1", "tenant2", "tenant3"]
    for name in result["tenants"]:
        assert effects(cluster, arch(name)) == 1
        assert state_of(cluster, name).log_mode is True


def test_a_server_that_answers_no_question_is_sent_nothing_more(cluster: Sandbox, clock: Time) -> None:
    """It still takes statements, but nobody can see what becomes of them."""
    cluster.create_tenant("tenant3")
    for name in ("tenant1", "tenant2", "tenant3"):
        put(cluster, "STOP", name)
    cluster.faults.error_once = {"pattern": arch("tenant2"), "errno": 4012, "after": True}
    run = cluster._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        if statement.endswith(arch("tenant2")):
            cluster.faults.drop_before = ("SELECT", 10_000)
        return run(statement, caller)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster._cluster, "execute", execute)
        end = ending(lambda: drive(start(), first_try(), clock))
    assert end.state == "retry", end
    assert writes(cluster) == [arch(), arch("tenant2")]
    cluster.faults.drop_before = None
    assert drive(start(), last_try(2), clock)["statements"] == [arch("tenant3")]


def test_an_account_that_may_only_read(cluster: Sandbox, clock: Time, add_connection: Any) -> None:
    cluster.add_user("reader", "sys", "", ("SELECT",))
    put(cluster, "STOP")
    put(cluster, "DOING", "tenant2")
    add_connection(cluster.connection("reader", "sys"))
    end = ending(lambda: drive(start(on_partial_failure="continue"), last_try(), clock))
    assert (end.state, end.result["tenants"]) == ("success", ["tenant2"])
    assert "[1227]" in end.result["failed"]["tenant1"]
    assert "ALTER SYSTEM" in end.result["failed"]["tenant1"]


# --- from a user tenant -----------------------------------------------------------------------------------------------


@pytest.fixture
def own(cluster: Sandbox, add_connection: Any) -> Sandbox:
    add_connection(cluster.connection("root", "tenant1"))
    return cluster


OWN = [
    ("STOP", False, [arch(None)]),
    ("DOING", False, []),
    ("STOPPING", False, [arch(None)]),
    ("INTERRUPTED", True, [noarch(None), arch(None)]),
]


@pytest.mark.parametrize(
    ("cluster", "state", "restart", "sent"),
    [(version, *case) for version in VERSIONS for case in OWN]
    + [(version, *case) for version in MODERN for case in [("SUSPEND", False, [enable(None)]),
                                                           ("STOP+DEFER", False, [enable(None), arch(None)])]],
    indirect=["cluster"],
)  # fmt: skip
@pytest.mark.parametrize("tenants", [None, ONE], ids=["all", "named"])
def test_a_user_tenant_starts_itself(
    own: Sandbox, clock: Time, state: str, restart: bool, sent: list[str], tenants: list[str] | None
) -> None:
    put(own, state)
    result = drive(start(tenants=tenants, restart_interrupted=restart), last_try(), clock)
    assert writes(own) == sent
    assert (result["tenants"], result["failed"], result["statements"]) == (ONE, {}, sent)
    assert result["running"] is True
    assert state_of(own, "tenant2").status == ""


def test_a_user_tenant_cannot_start_another(own: Sandbox, clock: Time) -> None:
    put(own, "STOP")
    end = ending(lambda: drive(start(tenants=["tenant2"]), last_try(), clock))
    assert end.state == "failed"
    assert "tenant2" in end.text
    assert writes(own) == []


@builds(*MODERN)
def test_somebody_else_was_faster_in_the_tenant_itself(
    own: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """9091 is "already so"."""
    put(own, "STOP")
    run = own._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        if statement.endswith(arch(None)):
            run(statement, caller)
        return run(statement, caller)

    monkeypatch.setattr(own._cluster, "execute", execute)
    result = drive(start(), last_try(), clock)
    assert result["running"] is True
    assert own.writes[-1].outcome == 9091


def test_slow_start_is_not_waited_for(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    cluster.faults.slow_start_tenants = {"tenant1": 900.0}
    result = drive(start(tenants=ONE), last_try(), clock)
    assert result["running"] is True
    assert result["states"]["tenant1"] != "DOING"
    assert clock.elapsed < 30


def test_somebody_suspends_meanwhile(cluster: Sandbox, clock: Time) -> None:
    """Stopped with DEFER by somebody while this waits for STOP."""
    put(cluster, "STOPPING")
    clock.at(1, lambda: sql(cluster, "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'DEFER' TENANT = tenant1"))
    result = drive(start(tenants=ONE), make_context(), clock)
    assert writes(cluster) == [enable(), arch()]
    assert result["running"] is True
