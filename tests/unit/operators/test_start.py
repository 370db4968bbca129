"""StartArchivelogOperator: by state, by error, and with connections lost at the worst moment."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.exceptions import TaskDeferred

from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    NotVerifiedError,
    OceanBasePermanentError,
    OceanBaseTransientError,
    WaitTimeoutError,
)
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from airflow_ob_provider.operators import archivelog
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, freeze_is_useful, present_state
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.triggers.waiting import OUTER_SECONDS
from tests.unit.operators.harness import (
    TRIGGER_TIMEOUT,
    Time,
    drive,
    effects,
    ending,
    make_context,
    round_of,
    status,
    writes,
)

START, STOP = "ALTER SYSTEM ARCHIVELOG", "ALTER SYSTEM NOARCHIVELOG"


def start(**kwargs: Any) -> StartArchivelogOperator:
    return StartArchivelogOperator(task_id="start", **kwargs)


@pytest.fixture
def ready(cluster: Sandbox) -> Sandbox:
    cluster.parameters["backup_dest"] = "file:///data/nfs/backup"
    return cluster


# --- by state ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("state", "restart", "sent", "ends", "round_id"),
    [
        ("STOP", False, [START], "success", 1),
        ("BEGINNING", False, [], "success", 1),
        ("DOING", False, [], "success", 1),
        ("STOPPING", False, [START], "success", 2),
        ("INTERRUPTED", False, [], "failed", 1),
        ("STOP", True, [START], "success", 1),
        ("DOING", True, [], "success", 1),
        ("STOPPING", True, [START], "success", 2),
        ("INTERRUPTED", True, [STOP, START], "success", 2),
    ],
)
def test_it_acts_by_state(
    ready: Sandbox,
    clock: Time,
    state: str,
    restart: bool,
    sent: list[str],
    ends: str,
    round_id: int,
    deferrable: bool,
) -> None:
    if state != "STOP":
        ready.force_status(state)
    ready.clear_statements()
    task = start(restart_interrupted=restart, deferrable=deferrable)
    end = ending(lambda: drive(task, make_context(), clock))
    assert (end.state, writes(ready), round_of(ready)) == (ends, sent, round_id), end
    if ends == "success":
        assert end.result["changed"] is bool(sent)
        assert end.result["statements"] == sent
        assert end.result["round"] == round_id
        assert end.result["running"] is True
        assert end.result["state"] == status(ready)
        assert end.result["states"] == {"sys": status(ready)}
        assert end.result["rounds"] == {"cluster": round_id}
        assert (end.result["tenants"], end.result["failed"], end.result["out_of_scope"]) == ([], {}, [])
        assert end.result["oceanbase_conn_id"] == "oceanbase_default"
        assert end.result["started"].endswith("+08:00")
        assert end.result["read_at"].endswith("+08:00")
    else:
        assert isinstance(end.error, ArchiveStateError)
        assert "never heals by itself" in end.text
        assert "NOARCHIVELOG" in end.text
        assert "round 1" in end.text


def test_a_second_run_writes_nothing(ready: Sandbox, clock: Time) -> None:
    first = drive(start(), make_context(), clock)
    clock.sleep(120)
    second = drive(start(), make_context(), clock)
    assert (first["changed"], second["changed"]) == (True, False)
    assert second["state"] == "DOING"
    assert second["checkpoint"]
    assert writes(ready) == [START]


@pytest.mark.parametrize("state", ["STOPPING", "INTERRUPTED"])
def test_waiting_holds_no_worker(ready: Sandbox, clock: Time, state: str) -> None:
    ready.force_status(state)
    with pytest.raises(TaskDeferred) as deferred:
        start(timeout=77, poll_interval=7, restart_interrupted=True).execute(make_context())
    assert deferred.value.trigger.seconds == 77
    assert deferred.value.timeout.total_seconds() == 77 + OUTER_SECONDS
    assert deferred.value.trigger.poll_interval == 7
    assert not writes(ready, START)


def test_a_wait_that_the_scheduler_has_to_end(ready: Sandbox, clock: Time) -> None:
    """What it carried is gone; the state tells what became of it."""
    ready.force_status("STOPPING")
    task, context = start(), make_context()
    with pytest.raises(TaskDeferred):
        task.execute(context)
    end = ending(lambda: task.resume_execution(TRIGGER_FAIL_REPR, {"error": TRIGGER_TIMEOUT}, context))
    assert isinstance(end.error, WaitTimeoutError)
    assert "Now log backup is sys STOPPING (round 1)" in end.text
    ready.stop()
    end = ending(lambda: task.resume_execution(TRIGGER_FAIL_REPR, {"error": TRIGGER_TIMEOUT}, context))
    assert isinstance(end.error, WaitTimeoutError)
    assert "The state cannot be read now" in end.text


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_round_that_never_stops_ends_the_wait_at_its_timeout(ready: Sandbox, clock: Time, deferrable: bool) -> None:
    ready.force_status("STOPPING")
    ready.faults.dead_servers = {1}
    before = clock.elapsed
    end = ending(lambda: drive(start(timeout=300, deferrable=deferrable), make_context(), clock))
    assert end.state == "failed"
    assert isinstance(end.error, WaitTimeoutError)
    assert "still waiting after 300 s" in end.text
    assert "Now log backup is sys STOPPING (round 1)" in end.text
    assert 300 <= clock.elapsed - before < 320
    assert not writes(ready, START)


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_interrupted_round_is_asked_to_stop_only_once(ready: Sandbox, clock: Time, deferrable: bool) -> None:
    """The stop is accepted, but the round is INTERRUPTED again: nobody may loop on it."""
    ready.force_status("INTERRUPTED")
    clock.at(1, lambda: setattr(ready._cluster.archive.sys, "status", "INTERRUPTED"))
    ready.faults.dead_servers = {1}
    task = start(restart_interrupted=True, deferrable=deferrable)
    end = ending(lambda: drive(task, make_context(), clock))
    assert end.state == "failed"
    assert isinstance(end.error, ArchiveStateError)
    assert writes(ready) == [STOP]


def test_a_round_that_is_interrupted_again_after_it_stopped_is_not_asked_twice(ready: Sandbox, clock: Time) -> None:
    ready.force_status("INTERRUPTED")
    task = start(restart_interrupted=True)
    settle = task.settle

    def interrupted_again(event: Any) -> Any:
        assert len(writes(ready, STOP)) == 1
        ready._cluster.archive.sys.status = "INTERRUPTED"
        return settle(event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "settle", interrupted_again)
        end = ending(lambda: drive(task, make_context(), clock))
    assert isinstance(end.error, ArchiveStateError), end
    assert "although it was asked to stop" in end.text
    assert writes(ready) == [STOP]


def test_somebody_who_starts_in_between_is_as_good_as_we(ready: Sandbox, clock: Time) -> None:
    ready.force_status("STOPPING")
    clock.at(10, lambda: ready.force_status("STOP"))
    clock.at(10, lambda: ready.force_status("DOING"))
    result = drive(start(poll_interval=20), make_context(), clock)
    assert result["changed"] is False
    assert result["running"] is True
    assert writes(ready) == []


@pytest.mark.parametrize("word", ["SUSPEND", "SUSPENDING"])
def test_a_state_of_4_changes_nothing_on_3x(ready: Sandbox, clock: Time, word: str) -> None:
    ready.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.STATUS": word}
    end = ending(lambda: drive(start(restart_interrupted=True), make_context(), clock))
    assert isinstance(end.error, ArchiveStateError | NotVerifiedError), end
    assert word in end.text
    assert writes(ready) == []


@pytest.mark.parametrize("word", ["WEIRD", "PAUSED", ""])
def test_a_word_nobody_knows_changes_nothing(ready: Sandbox, clock: Time, word: str) -> None:
    ready.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.STATUS": word}
    end = ending(lambda: drive(start(restart_interrupted=True), make_context(), clock))
    assert end.state == "retry", "one odd answer may be a server in the middle of something"
    assert isinstance(end.error, NotVerifiedError)
    assert "nothing was changed" in end.text
    assert writes(ready) == []


def test_no_state_at_all_is_not_a_success(ready: Sandbox, clock: Time) -> None:
    """The sys row is missing: nothing is known, so nothing is sent and nothing is claimed."""
    ready.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.TENANT_ID": 77}
    end = ending(lambda: drive(start(), make_context(), clock))
    assert end.state == "retry", end
    assert isinstance(end.error, NotVerifiedError)
    assert writes(ready) == []


def test_an_ok_without_effect_is_not_a_success(ready: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready._cluster.archive, "start", lambda: None)
    end = ending(lambda: drive(start(), make_context(), clock))
    assert end.state == "retry"
    assert isinstance(end.error, NotVerifiedError)
    assert writes(ready) == [START]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("after", ["INTERRUPTED", "STOPPING", "STOP"])
def test_a_round_that_is_gone_when_read_back_is_not_a_success(
    ready: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, after: str, restart: bool
) -> None:
    """The start is accepted, and before it is read back the round has broken or somebody has stopped it."""
    archive = ready._cluster.archive
    begin = archive.start

    def start_and_end() -> None:
        begin()
        archive.force(after)

    monkeypatch.setattr(archive, "start", start_and_end)
    end = ending(lambda: drive(start(restart_interrupted=restart), make_context(), clock))
    assert end.state == "failed", end
    assert isinstance(end.error, ArchiveStateError)
    assert f"{after} (round 1)" in end.text
    assert ("never heals by itself" if after == "INTERRUPTED" else "although it was asked to start") in end.text
    assert writes(ready) == [START], "it is not this task's round that was broken before"


def test_a_row_that_cannot_be_read_is_no_effect(ready: Sandbox, clock: Time) -> None:
    """Connection lost before the statement took effect, then rows of nonsense: UNKNOWN is not 'it has moved'."""
    ready.faults.drop_before = ("ALTER SYSTEM ARCHIVELOG", 1)
    clock.at(0.5, lambda: None)
    task = start()
    hook_execute = archivelog.OceanBaseHook.execute

    def execute(hook: Any, statement: Any) -> None:
        ready.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.STATUS": "WEIRD"}
        hook_execute(hook, statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archivelog.OceanBaseHook, "execute", execute)
        end = ending(lambda: drive(task, make_context(), clock))
    assert end.state == "retry", end
    assert isinstance(end.error, OceanBaseTransientError)


# --- connections lost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
def test_a_lost_connection_never_sends_twice(ready: Sandbox, clock: Time, moment: str) -> None:
    setattr(ready.faults, moment, ("ALTER SYSTEM ARCHIVELOG", 1))
    end = ending(lambda: drive(start(), make_context(1), clock))
    assert len(writes(ready)) == 1, "never a second send within one execution"
    if moment == "drop_after":
        assert end.state == "success"
        assert end.result["changed"] is True
    else:
        assert end.state == "retry"
        assert isinstance(end.error, OceanBaseTransientError)
        end = ending(lambda: drive(start(), make_context(2), clock))
        assert end.state == "success"
    assert round_of(ready) == 1, "exactly one ARCHIVELOG took effect"


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
def test_a_lost_connection_at_the_stop_of_a_restart_never_sends_twice(ready: Sandbox, clock: Time, moment: str) -> None:
    ready.force_status("INTERRUPTED")
    setattr(ready.faults, moment, ("ALTER SYSTEM NOARCHIVELOG", 1))
    end = ending(lambda: drive(start(restart_interrupted=True), make_context(1), clock))
    assert len(writes(ready, STOP)) == 1
    if moment == "drop_before":
        assert end.state == "retry"
        end = ending(lambda: drive(start(restart_interrupted=True), make_context(2), clock))
    assert end.state == "success"
    assert round_of(ready) == 2


def test_a_slow_server_that_answers_too_late_has_started_all_the_same(ready: Sandbox, clock: Time) -> None:
    ready.faults.error_once = ("ALTER SYSTEM ARCHIVELOG", 4012, "Timeout", True)
    result = drive(start(), make_context(), clock)
    assert result["running"] is True
    assert writes(ready) == [START]


def test_reading_back_bears_a_lost_connection(ready: Sandbox, clock: Time) -> None:
    task = start()
    execute = archivelog.OceanBaseHook.execute

    def then_lost(hook: Any, statement: Any) -> None:
        execute(hook, statement)
        ready.faults.drop_before = ("CDB_OB_BACKUP_ARCHIVELOG", 3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archivelog.OceanBaseHook, "execute", then_lost)
        result = drive(task, make_context(), clock)
    assert result["running"] is True
    assert writes(ready) == [START]


@pytest.mark.parametrize(("bad", "state"), [(3, "success"), (1000, "retry")])
def test_reading_back_bears_rows_of_nonsense(
    ready: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, bad: int, state: str
) -> None:
    left = [bad]
    archive = V3Dialect.archive

    def nonsense(dialect: V3Dialect) -> Any:
        if writes(ready) and left[0]:
            left[0] -= 1
            raise UnreadableError("round_id is 'many', not a whole number")
        return archive(dialect)

    monkeypatch.setattr(V3Dialect, "archive", nonsense)
    end = ending(lambda: drive(start(), make_context(), clock))
    assert end.state == state, end
    assert writes(ready) == [START]


def test_reading_back_that_fails_to_the_end_is_a_retry(ready: Sandbox, clock: Time) -> None:
    task = start()
    execute = archivelog.OceanBaseHook.execute

    def then_lost(hook: Any, statement: Any) -> None:
        execute(hook, statement)
        ready.faults.drop_before = ("CDB_OB_BACKUP_ARCHIVELOG", 1000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archivelog.OceanBaseHook, "execute", then_lost)
        end = ending(lambda: drive(task, make_context(), clock))
    assert end.state == "retry"
    assert isinstance(end.error, OceanBaseTransientError)
    assert writes(ready) == [START]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_wait_bears_lost_connections(ready: Sandbox, clock: Time, deferrable: bool) -> None:
    """The first look and some of the next ones fail; the round stops all the same, and is started."""
    ready.force_status("STOPPING")
    task = start(deferrable=deferrable)
    act = task.wait_for

    def lose(*args: Any, **kwargs: Any) -> Any:
        ready.faults.drop_before = ("CDB_OB_BACKUP_ARCHIVELOG", 3)
        return act(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "wait_for", lose)
        result = drive(task, make_context(), clock)
    assert result["running"] is True
    assert round_of(ready) == 2


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("errno", "ends", "seconds"), [(1142, "failed", 60), (2013, "retry", 3600)], ids=["refused", "lost"]
)
def test_a_wait_that_cannot_read_ends_alike_in_both_modes(
    ready: Sandbox, clock: Time, deferrable: bool, errno: int, ends: str, seconds: float
) -> None:
    ready.force_status("STOPPING")
    ready.faults.dead_servers = {1}
    task = start(deferrable=deferrable, timeout=86_400)
    clock.at(30, lambda: setattr(ready.faults, "error_once", ("CDB_OB_BACKUP_ARCHIVELOG", errno, "no", False, 1000)))
    before = clock.elapsed
    end = ending(lambda: drive(task, make_context(), clock))
    assert end.state == ends, end
    assert "could not be read" in end.text or "may not be read" in end.text
    assert clock.elapsed - before < seconds
    assert not writes(ready, START)


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_first_look_that_is_refused_ends_at_once(ready: Sandbox, clock: Time, deferrable: bool) -> None:
    ready.force_status("STOPPING")
    task = start(deferrable=deferrable)
    act = task.wait_for

    def refuse(*args: Any, **kwargs: Any) -> Any:
        ready.faults.error_once = ("CDB_OB_BACKUP_ARCHIVELOG", 1142, "no", False, 1000)
        return act(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "wait_for", refuse)
        end = ending(lambda: drive(task, make_context(), clock))
    assert end.state == "failed", end
    assert clock.elapsed == 0


# --- what the server answers ------------------------------------------------------------------------------------------


PERMANENT = [1045, 1064, 1210, 1227, 4009, 4016, 4147, 4179, 4637, 5099, 5157, 9001, 9003, 9025, 9026, 9027, 9028,
             9030, 9036, 9037, 9040, 9042, 9047, 9048, 9051, 9057, 9058, 9063, 9064, 1146]  # fmt: skip
STATE = [1235, 9023, 9024, 9029, 9034, 9049]
TRANSIENT = [4012, 4023, 4025, 4114, 4527, 9041, 9044, 9045, 9046]


@pytest.mark.parametrize("errno", [*PERMANENT, *STATE, *TRANSIENT])
@pytest.mark.parametrize("after", [False, True], ids=["refused", "took_effect"])
def test_every_error_code(
    ready: Sandbox, clock: Time, errno: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One send, whatever the answer; a success only where the state proves it."""
    monkeypatch.setattr("airflow_ob_provider.operators.base.READ_BACK_INTERVAL_SECONDS", 10.0)
    ready.faults.error_once = ("ALTER SYSTEM ARCHIVELOG", errno, "words of the server", after)
    end = ending(lambda: drive(start(), make_context(), clock))
    assert writes(ready) == [START]
    if errno in PERMANENT:
        expected = "failed"
    elif after:
        expected = "success"
    else:
        expected = "failed" if errno in STATE else "retry"
    assert end.state == expected, end
    if end.error:
        assert f"[{errno}] words of the server on oceanbase_default (127.0.0.1:{ready.port})" in end.text
        assert end.error.fact.hint in end.text
        kind = OceanBaseTransientError if errno in TRANSIENT else OceanBasePermanentError
        assert type(end.error) is kind


@pytest.mark.parametrize(
    ("fault", "errno"),
    [
        ({"rs_switching": True}, 4114),
        ({"config_not_synced": True}, 4527),
        ({"standby": True}, 1235),
        ({"no_gts_tenants": {"tenant1"}}, 1235),
        ({"inner_tables_old": True}, 1235),
    ],
    ids=str,
)
def test_faults_of_a_cluster(ready: Sandbox, clock: Time, fault: dict[str, Any], errno: int) -> None:
    for name, value in fault.items():
        setattr(ready.faults, name, value)
    end = ending(lambda: drive(start(), make_context(), clock))
    assert end.error.errno == errno
    assert end.state == ("retry" if errno in TRANSIENT else "failed")
    assert effects(ready, START) == 0


def test_no_destination_says_the_way_out(cluster: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(start(), make_context(), clock))
    assert end.state == "failed"
    assert end.error.errno == 9026


def test_a_version_without_log_archive_is_refused_before_anything_is_sent(clock: Time, add_connection: Any) -> None:
    with Sandbox(profile="3.1.0", manual_clock=True) as box:
        add_connection(box)
        end = ending(lambda: drive(start(), make_context(), clock))
        assert end.state == "failed"
        assert isinstance(end.error, ArchiveStateError)
        assert "upgrade to 3.1.2" in end.text
        assert box.writes == ()


def test_a_version_that_is_not_known_is_refused_before_anything_is_sent(
    ready: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = OceanBaseVersion.parse("OceanBase_CE 5.0.0.0")
    monkeypatch.setattr("airflow_ob_provider.hooks.oceanbase.detect_version", lambda _: newer)
    end = ending(lambda: drive(start(), make_context(), clock))
    assert "5.0.0.0 is not supported" in end.text
    assert ready.writes == ()


# --- dry run, arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry_run", [True, "True", "true"])
@pytest.mark.parametrize(
    ("state", "restart", "decision", "plan"),
    [
        ("STOP", False, "sys: start, because it is STOP (round 0)", [START]),
        ("DOING", False, "sys: nothing, because it is DOING (round 1)", []),
        ("STOPPING", False, "sys: wait, because it is STOPPING (round 1)", [START]),
        ("INTERRUPTED", False, "sys: refuse, because it is INTERRUPTED (round 1)", []),
        (
            "INTERRUPTED",
            True,
            "sys: stop, because it is INTERRUPTED (round 1) and restart_interrupted is set",
            [STOP, START],
        ),
    ],
)
def test_a_dry_run_shows_the_plan_and_sends_nothing(
    ready: Sandbox, clock: Time, dry_run: Any, state: str, restart: bool, decision: str, plan: list[str]
) -> None:
    if state != "STOP":
        ready.force_status(state)
    result = start(dry_run=dry_run, restart_interrupted=restart).execute(make_context())
    assert result["plan"] == plan
    assert result["decisions"] == [decision]
    assert (result["dry_run"], result["changed"]) == (True, False)
    assert result["state"] == state
    assert ready.writes == ()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("restart_interrupted", "maybe"),
        ("restart_interrupted", None),
        ("dry_run", "perhaps"),
        ("tenants", "tenant1; tenant2"),
        ("tenants", ["a b"]),
        ("timeout", 0),
        ("timeout", "soon"),
        ("timeout", 604_801),
        ("timeout", float("nan")),
        ("timeout", True),
        ("poll_interval", 0.5),
        ("poll_interval", 3601),
        ("poll_interval", "often"),
    ],
)
def test_illegal_arguments_are_refused_before_any_sql(ready: Sandbox, argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=argument):
        start(**{argument: value}).execute(make_context())
    assert ready.statements == ()


def test_tenants_cannot_be_started_alone_on_3x(ready: Sandbox) -> None:
    with pytest.raises(ValueError, match="archives the whole cluster"):
        start(tenants=["tenant1"]).execute(make_context())
    assert ready.writes == ()


def test_rendered_text_is_as_good_as_the_value(ready: Sandbox, clock: Time) -> None:
    ready.force_status("INTERRUPTED")
    task = start(restart_interrupted="True", dry_run="False", timeout="300", poll_interval="5")
    assert drive(task, make_context(), clock)["round"] == 2


@pytest.mark.parametrize("wish", ["yes", "advised"])
def test_a_freeze_is_useful_only_without_a_round(ready: Sandbox, wish: str) -> None:
    answers = {"STOP": freeze_is_useful("oceanbase_default", wish)}
    for state in ("BEGINNING", "DOING", "INTERRUPTED", "STOPPING"):
        ready.force_status(state)
        answers[state] = freeze_is_useful("oceanbase_default", wish)
    runs = "log backup runs already: there is nothing to start"
    assert answers == {"STOP": "", "BEGINNING": runs, "DOING": runs, "INTERRUPTED": "", "STOPPING": ""}
    ready.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.TENANT_ID": 77}
    assert freeze_is_useful("oceanbase_default", wish) == ""


def test_a_freeze_that_is_not_wanted_needs_no_look(ready: Sandbox) -> None:
    assert "switches the minor freeze off" in freeze_is_useful("oceanbase_default", "no")
    assert ready.statements == ()


@pytest.mark.parametrize(("wish", "reason"), [("yes", ""), ("advised", "does not need a minor freeze")])
def test_a_freeze_is_not_advised_on_4x(add_connection: Any, wish: str, reason: str) -> None:
    with Sandbox(profile="4.2.5", manual_clock=True) as box:
        add_connection(box)
        assert reason in freeze_is_useful("oceanbase_default", wish)
        assert bool(freeze_is_useful("oceanbase_default", wish)) is bool(reason)


def test_a_timeout_of_which_the_state_cannot_be_read(ready: Sandbox, clock: Time) -> None:
    ready.force_status("STOPPING")
    ready.faults.dead_servers = {1}
    clock.at(290, ready.stop)
    end = ending(lambda: drive(start(timeout=300, poll_interval=100), make_context(), clock))
    assert isinstance(end.error, WaitTimeoutError), end
    assert "still waiting after 300 s" in end.text
    assert "The state cannot be read now" in end.text


def test_the_state_for_a_report(ready: Sandbox) -> None:
    ready.force_status("DOING")
    ready.advance(60)
    now = present_state("oceanbase_default")
    assert now is not None
    assert (now["state"], now["states"]) == ("DOING", {"sys": "DOING"})
    assert (now["round"], now["rounds"]) == (1, {"cluster": 1})
    assert now["checkpoints"]["sys"].endswith("+08:00")
    assert now["remarks"] == {}
    ready.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.TENANT_ID": 77}
    assert present_state("oceanbase_default") is None
    ready.stop()
    assert present_state("oceanbase_default") is None
