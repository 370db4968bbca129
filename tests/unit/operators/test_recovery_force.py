"""ForceStopArchiveOperator over a socket: by state and build, lost connections, what it refuses, and going on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    NotVerifiedError,
    OceanBasePermanentError,
    OceanBaseTransientError,
    RequestRefusedError,
    WaitTimeoutError,
)
from airflow_ob_provider.operators.recovery import ForceStopArchiveOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.ears import Ears, ears
from tests.unit.operators.harness import Time, clock, drive, effects, ending, fired, make_context, status, writes

__all__ = ["clock", "ears"]

FORCE = "ALTER SYSTEM CANCEL ALL BACKUP FORCE"
OLD, NEW = "file:///data/old", "file:///data/new"
SET = "ALTER SYSTEM SET backup_dest = "
ID, KEY = "LTAI5tExampleId", "9bQ/zX+secretKey==%41"
HOST = "oss-cn.example.com"


@pytest.fixture
def cluster(request: pytest.FixtureRequest, add_connection: Callable[..., str]) -> Iterator[Sandbox]:
    """A build (3.1.5, or the parameter) with a round that is stuck in STOPPING: an OBServer is down."""
    with Sandbox(profile=getattr(request, "param", "3.1.5"), tenants=2, servers=3, manual_clock=True) as box:
        add_connection(box)
        if box._cluster.build.name.startswith("3"):
            box.parameters["backup_dest"] = OLD
        yield box


@pytest.fixture
def stuck(cluster: Sandbox) -> Sandbox:
    cluster.force_status("DOING")
    cluster.faults.dead_servers = {2}
    cluster.force_status("STOPPING")
    cluster.advance(700)
    assert status(cluster) == "STOPPING"
    return cluster


def force(**kwargs: Any) -> ForceStopArchiveOperator:
    return ForceStopArchiveOperator(task_id="force", **{"confirm": True, "destination": NEW, **kwargs})


@pytest.mark.parametrize("cluster", ["3.1.5", "3.2.4"], indirect=True)
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_round_that_is_stuck_ends_and_has_a_new_destination(stuck: Sandbox, clock: Time, deferrable: bool) -> None:
    context = make_context()
    result = drive(force(deferrable=deferrable), context, clock)
    assert writes(stuck) == [FORCE, f"{SET}'{NEW}'"]
    assert result == {
        "oceanbase_conn_id": "oceanbase_default",
        "changed": True,
        "forced": True,
        "statements": [FORCE, f"{SET}'{NEW}'"],
        "before": OLD,
        "after": NEW,
        "second_destination": "",
        "state": "STOP",
        "round": 1,
    }
    assert (status(stuck), stuck.parameters["backup_dest"]) == ("STOP", NEW)
    json.dumps(result)
    again = drive(force(), make_context(), clock)
    assert (again["changed"], again["forced"], again["after"], len(writes(stuck))) == (False, False, NEW, 2)


def test_a_dead_destination_too(cluster: Sandbox, clock: Time) -> None:
    cluster.force_status("DOING")
    cluster.faults.destination_unwritable = True
    cluster.force_status("STOPPING")
    cluster.advance(700)
    result = drive(force(), make_context(), clock)
    assert (result["forced"], status(cluster), cluster.parameters["backup_dest"]) == (True, "STOP", NEW)


# --- what it refuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"confirm": False}, "confirm must be True"),
        ({"confirm": "perhaps"}, "confirm"),
        ({"destination": None}, "destination is missing"),
        ({"destination": "  "}, "destination is missing"),
        ({"destination": "/data"}, "is not <scheme>"),
        ({"destination": f"oss://b/d?host=h&access_id=a&access_key={KEY}"}, "shown in the UI"),
        ({"cancel_data_backup": "perhaps"}, "cancel_data_backup"),
        ({"timeout": 0}, "timeout"),
    ],
)
def test_arguments_are_refused_before_any_sql(stuck: Sandbox, clock: Time, wrong: dict[str, Any], words: str) -> None:
    stuck.clear_statements()
    end = ending(lambda: drive(force(**wrong), make_context(), clock))
    assert isinstance(end.error, ValueError)
    assert words in end.text
    assert KEY not in end.text
    assert stuck.statements == ()


@pytest.mark.parametrize("cluster", ["3.1.2", "2.2.77", "4.0.0", "4.2.5", "4.3.3"], indirect=True)
def test_versions_without_the_statement(cluster: Sandbox, clock: Time) -> None:
    cluster.force_status("STOPPING")
    end = ending(lambda: drive(force(), make_context(), clock))
    assert isinstance(end.error, RequestRefusedError)
    assert end.state == "failed"
    assert "has no CANCEL ALL BACKUP FORCE" in end.text
    assert cluster.writes == ()
    assert clock.elapsed == 0


@pytest.mark.parametrize("state", ["DOING", "BEGINNING", "INTERRUPTED"])
def test_only_in_stopping(cluster: Sandbox, clock: Time, state: str) -> None:
    cluster.force_status(state)
    end = ending(lambda: drive(force(), make_context(), clock))
    assert isinstance(end.error, ArchiveStateError)
    assert end.state == "failed"
    assert f"log backup is {state} (round 1); nothing was sent" in end.text
    assert cluster.writes == ()
    assert (status(cluster), cluster.parameters["backup_dest"]) == (state, OLD)


def test_a_state_that_is_not_known_sends_nothing(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.STATUS": "WEIRD"}
    end = ending(lambda: drive(force(), make_context(), clock))
    assert isinstance(end.error, NotVerifiedError)
    assert end.state == "retry"
    stuck.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.TENANT_ID": 9, "gv$tenant.tenant_id": 9}
    end = ending(lambda: drive(force(), make_context(), clock))
    assert isinstance(end.error, NotVerifiedError), end
    assert "shows no state" in end.text
    assert stuck.writes == ()


def test_a_list_of_tenants_is_refused(stuck: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(force(tenants=["tenant1"]), make_context(), clock))
    assert isinstance(end.error, RequestRefusedError)
    assert stuck.writes == ()


@pytest.mark.parametrize(("uri", "keys"), [("file:///data/{tenant}", None), ("s3://b/d?host=h", "keys")])
def test_a_destination_that_3x_does_not_take(
    stuck: Sandbox, clock: Time, uri: str, keys: str | None, add_connection: Callable[..., str]
) -> None:
    add_connection({"conn_type": "generic", "login": ID, "password": KEY, "host": HOST}, "keys")
    end = ending(lambda: drive(force(destination=uri, dest_conn_id=keys), make_context(), clock))
    assert isinstance(end.error, RequestRefusedError)
    assert stuck.writes == (), "nothing is forced before it is known where log backup goes then"


def test_a_data_backup_is_cancelled_only_on_request(cluster: Sandbox, clock: Time) -> None:
    cluster.force_status("DOING")
    cluster._cluster.backup.start(incremental=False)
    cluster.advance(3)
    cluster.faults.dead_servers = {2}
    cluster.force_status("STOPPING")
    end = ending(lambda: drive(force(), make_context(), clock))
    assert isinstance(end.error, RequestRefusedError)
    assert "a data backup runs" in end.text
    assert cluster.writes == ()
    assert cluster._cluster.backup.running
    result = drive(force(cancel_data_backup=True), make_context(), clock)
    assert (result["forced"], result["after"]) == (True, NEW)
    assert cluster._cluster.backup.sets[-1].status == "FAILED"


def test_a_data_backup_that_is_not_gone_yet(stuck: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """9036 as long as it is there; the next try has only the destination left."""
    stuck.history.backup_set(1, stuck.now, status="DOING")
    monkeypatch.setattr(stuck._cluster.backup, "force_cancel", lambda: None)
    monkeypatch.setattr(type(stuck._cluster.backup), "_step", lambda self, job, step: None)
    end = ending(lambda: drive(force(cancel_data_backup=True), make_context(), clock))
    assert isinstance(end.error, NotVerifiedError)
    assert (end.state, writes(stuck)) == ("retry", [FORCE])
    assert clock.elapsed < 240
    stuck._cluster.backup.sets[-1].phase = "DONE"
    result = drive(force(), make_context(2), clock)
    assert (writes(stuck), result["after"]) == ([FORCE, f"{SET}'{NEW}'"], NEW)


# --- lost connections -------------------------------------------------------------------------------------------------


def test_an_answer_that_is_lost_is_not_asked_for_again(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.drop_after = FORCE
    result = drive(force(), make_context(), clock)
    assert (effects(stuck, FORCE), result["forced"], result["after"]) == (1, True, NEW)


def test_a_statement_that_never_arrived_is_sent_by_the_next_try(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.drop_before = FORCE
    end = ending(lambda: drive(force(), make_context(), clock))
    assert isinstance(end.error, OceanBaseTransientError)
    assert (end.state, writes(stuck), status(stuck)) == ("retry", [FORCE], "STOPPING")
    result = drive(force(), make_context(2), clock)
    assert (writes(stuck), result["after"]) == ([FORCE, FORCE, f"{SET}'{NEW}'"], NEW)


@pytest.mark.parametrize(
    ("errno", "after", "state"), [(4012, True, "success"), (4114, False, "retry"), (1227, False, "failed")]
)
def test_what_the_server_answers(stuck: Sandbox, clock: Time, errno: int, after: bool, state: str) -> None:
    stuck.faults.error_once = (FORCE, errno, "words", after)
    end = ending(lambda: drive(force(), make_context(), clock))
    assert (end.state, len(writes(stuck, FORCE))) == (state, 1), end


@pytest.mark.parametrize("when", ["drop_before", "drop_after"])
def test_a_destination_whose_answer_is_lost(stuck: Sandbox, clock: Time, when: str) -> None:
    setattr(stuck.faults, when, "SET backup_dest")
    end = ending(lambda: drive(force(), make_context(), clock))
    assert end.state == ("retry" if when == "drop_before" else "success")
    result = drive(force(), make_context(2), clock)
    assert (stuck.parameters["backup_dest"], result["after"]) == (NEW, NEW)
    assert (effects(stuck, FORCE), len(writes(stuck, SET))) == (1, 2 if when == "drop_before" else 1)


# --- going on ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def slow(stuck: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """It takes some passes until a round that was cancelled is STOP."""
    monkeypatch.setattr("airflow_ob_provider.sandbox.v3.archive.WAKE_SECONDS", 60.0)
    return stuck


def test_a_worker_that_died_after_the_statement(slow: Sandbox, clock: Time) -> None:
    """STOPPING without a destination: it was sent, and is not sent again."""
    stuck = slow
    with pytest.raises(TaskDeferred):
        force().execute(make_context())
    assert (status(stuck), stuck.parameters["backup_dest"]) == ("STOPPING", "")
    result = drive(force(), make_context(2), clock)
    assert (effects(stuck, FORCE), result["forced"], result["changed"], result["after"]) == (1, False, True, NEW)


@pytest.mark.parametrize("state", ["STOPPING", "STOP"])
def test_without_a_destination_only_that_is_left(cluster: Sandbox, clock: Time, state: str) -> None:
    cluster.force_status("DOING")
    cluster.force_status(state)
    cluster.parameters["backup_dest"] = ""
    result = drive(force(), make_context(), clock)
    assert writes(cluster) == [f"{SET}'{NEW}'"]
    assert (result["forced"], result["changed"], result["before"], result["after"]) == (False, True, "not set", NEW)


@pytest.mark.parametrize("place", [OLD, NEW])
def test_a_stop_that_came_by_itself_keeps_its_destination(cluster: Sandbox, clock: Time, place: str) -> None:
    cluster.force_status("DOING")
    cluster.force_status("STOP")
    cluster.parameters["backup_dest"] = place
    result = drive(force(), make_context(), clock)
    assert cluster.writes == ()
    assert (result["changed"], result["after"]) == (False, place)


def test_the_effect_of_a_try_before_that_is_still_on_its_way(stuck: Sandbox, clock: Time) -> None:
    """STOP is seen before every server has the emptied destination."""
    stuck.faults.config_propagation_seconds = 8
    stuck._cluster.cancel_all_backup_force()
    stuck.advance(1)
    assert status(stuck) == "STOP"
    result = drive(force(), make_context(), clock)
    assert (writes(stuck), result["after"]) == ([f"{SET}'{NEW}'"], NEW)


def test_slow_configuration(stuck: Sandbox, clock: Time) -> None:
    stuck.faults.config_propagation_seconds = 8
    result = drive(force(), make_context(), clock)
    assert (writes(stuck), result["after"]) == ([FORCE, f"{SET}'{NEW}'"], NEW)


def test_a_used_directory_is_refused_by_the_server(
    stuck: Sandbox, clock: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    """9026; the cluster is without a destination then, and the log says so."""
    stuck._cluster.archive.used_destinations.add("file:///data/used")
    end = ending(lambda: drive(force(destination="file:///data/used/"), make_context(), clock))
    assert isinstance(end.error, OceanBasePermanentError)
    assert end.error.errno == 9026
    assert "can never be set again" in end.text
    assert "backup_dest is EMPTY" in capsys.readouterr().out
    assert (status(stuck), stuck.parameters["backup_dest"]) == ("STOP", "")
    result = drive(force(), make_context(), clock)
    assert (effects(stuck, FORCE), result["after"]) == (1, NEW)


def test_the_destination_that_is_set_now_is_refused_before_it_is_emptied(stuck: Sandbox, clock: Time) -> None:
    for same in (OLD, f"{OLD}/"):
        end = ending(lambda same=same: drive(force(destination=same), make_context(), clock))  # type: ignore[misc]
        assert isinstance(end.error, RequestRefusedError)
        assert "(9026)" in end.text
    assert stuck.writes == ()
    assert (status(stuck), stuck.parameters["backup_dest"]) == ("STOPPING", OLD)


def test_a_wait_that_ends_without_stop(stuck: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stuck._cluster.archive, "force_cancel", lambda: None)
    monkeypatch.setattr(stuck._cluster.archive, "_pass_stopping", lambda: None)
    end = ending(lambda: drive(force(timeout=120), make_context(), clock))
    assert isinstance(end.error, WaitTimeoutError)
    assert effects(stuck, FORCE) == 1
    monkeypatch.undo()


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_stop_that_takes_its_time(slow: Sandbox, clock: Time, deferrable: bool) -> None:
    result = drive(force(deferrable=deferrable), make_context(), clock)
    assert (writes(slow), result["forced"], result["before"], result["after"], result["state"]) == (
        [FORCE, f"{SET}'{NEW}'"], True, OLD, NEW, "STOP",
    )  # fmt: skip


def test_somebody_else_starts_it_meanwhile(slow: Sandbox, clock: Time) -> None:
    """After STOP, before the destination is set: it is left alone."""
    stuck = slow
    task = force()
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(make_context())
    event = fired(deferred.value.trigger)
    stuck.faults.dead_servers = set()
    stuck.parameters["backup_dest"] = "file:///data/theirs"
    stuck.force_status("DOING")
    end = ending(lambda: task.resume(make_context(), event))
    assert isinstance(end.error, ArchiveStateError)
    assert "somebody has changed it" in end.text
    assert writes(stuck) == [FORCE]


def test_a_copy_of_backups_is_emptied_too_and_told(
    stuck: Sandbox, clock: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    stuck.parameters["backup_backup_dest"] = "file:///data/second"
    result = drive(force(), make_context(), clock)
    assert result["second_destination"] == "file:///data/second"
    assert "backup_backup_dest (file:///data/second) is emptied as well" in capsys.readouterr().out


# --- dry run and secrets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "place", "plan"),
    [
        ("STOPPING", OLD, [FORCE, f"{SET}'{NEW}'"]),
        ("STOPPING", "", [f"{SET}'{NEW}'"]),
        ("STOP", "", [f"{SET}'{NEW}'"]),
        ("STOP", OLD, []),
    ],
)
def test_a_dry_run_sends_nothing(cluster: Sandbox, clock: Time, state: str, place: str, plan: list[str]) -> None:
    cluster.force_status("DOING")
    cluster.force_status(state)
    cluster.parameters["backup_dest"] = place
    result = drive(force(dry_run=True, confirm=False), make_context(), clock)
    assert (result["plan"], result["dry_run"], result["changed"]) == (plan, True, False)
    assert cluster.writes == ()


def test_the_keys_reach_the_server_and_nothing_else(
    stuck: Sandbox, clock: Time, ears: Ears, add_connection: Callable[..., str]
) -> None:
    add_connection({"conn_type": "generic", "login": ID, "password": KEY, "host": HOST}, "keys")
    stuck.parameters["backup_dest"] = f"oss://old/d?host={HOST}&access_id={ID}&access_key={KEY}"
    stuck.parameters["backup_backup_dest"] = f"oss://second/d?host={HOST}&access_id={ID}&access_key={KEY}"
    context = make_context()
    task = force(destination="oss://bucket/new", dest_conn_id="keys")
    dry = drive(force(destination="oss://bucket/new", dest_conn_id="keys", dry_run=True), context, clock)
    try:
        task.execute(context)
    except TaskDeferred as deferred:
        ears.hear(deferred.trigger.serialize(), deferred.kwargs)
    result = drive(force(destination="oss://bucket/new", dest_conn_id="keys"), context, clock)
    assert f"access_id={ID}&access_key={KEY}'" in writes(stuck)[-1]
    stuck.faults.error_once = ("SET backup_dest", 9026, f"'oss://x?access_key={KEY}' is not a valid uri")
    stuck.parameters["backup_dest"] = ""
    end = ending(lambda: drive(force(destination="oss://bucket/b", dest_conn_id="keys"), context, clock))
    error: BaseException | None = end.error
    assert error is not None
    while error is not None:
        ears.hear(error, error.args, vars(error))
        error = error.__cause__ or error.__context__
    ears.hear(dry, result, json.dumps(context["ti"].xcom), task.__dict__)
    assert KEY not in ears.heard
    assert ID not in ears.heard
    assert "secretKey" not in ears.heard
