"""BackupDatabaseOperator on 4.x: what it looks at first, what it attaches to, what it tells of each tenant."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.exceptions import TaskDeferred

from airflow_ob_provider.compliance.restorable import restorable
from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    DataBackupFailedError,
    OceanBasePermanentError,
    PrerequisitesNotMetError,
    TenantsFailedError,
    TenantsRefusedError,
    WaitTimeoutError,
)
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import TRIGGER_TIMEOUT, Time, drive, effects, ending, make_context, writes
from tests.unit.operators.harness4 import builds, clock, cluster, first_try, last_try, put, sql
from tests.unit.operators.harness_backup import (
    FULL,
    INCREMENTAL,
    backup,
    before_sending,
    jobs,
    next_try,
    set_up,
    started,
)

__all__ = ["clock", "cluster"]

BOTH = ["tenant1", "tenant2"]
MARK = r"\[airflow-[0-9a-f]{12}\]"


@pytest.fixture
def doing(cluster: Sandbox) -> Sandbox:
    set_up(cluster)
    return cluster


def take(box: Sandbox, clock: Time, statement: str = FULL) -> None:
    """A data backup of somebody else's, from its beginning to its end."""
    sql(box, statement)
    clock.sleep(60)
    assert not box._cluster.backups[1].jobs


# --- what is sent, and what is told -----------------------------------------------------------------------------------


@builds()
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_full_backup(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    context = make_context()
    result = drive(backup(description="nightly", deferrable=deferrable), context, clock)
    (sent,) = writes(doing)
    assert re.fullmatch(rf"ALTER SYSTEM BACKUP DATABASE DESCRIPTION = 'nightly {MARK}'", sent)
    assert (result["changed"], result["attached"], result["statements"]) == (True, False, [sent])
    assert (result["job"], result["kind"], result["tenants"], result["failed"]) == (1, "full", BOTH, {})
    assert result["kinds"] == dict.fromkeys(BOTH, "full")
    assert result["sets"] == dict.fromkeys(BOTH, 1)
    assert result["became_full"] == []
    assert result["restore_point"] == max(result["restore_points"].values())
    assert result["started"] < result["restore_point"] < result["ended"] <= result["read_at"]
    assert 15 < result["seconds"] < 60
    assert context["ti"].xcom["tenants"] == BOTH


def test_the_restore_point_is_past_the_number_that_the_checkpoint_must_exceed(doing: Sandbox, clock: Time) -> None:
    """The server's MIN_RESTORE_SCN has nanoseconds, and the checkpoint must be larger than it."""
    result = drive(backup(tenants=["tenant1"]), make_context(), clock)
    (found,) = doing._cluster.backups[1002].sets
    assert found.restore_scn
    moment = datetime.fromisoformat(result["restore_points"]["tenant1"])
    assert 0 < round(moment.timestamp() * 1e6) * 1000 - found.restore_scn <= 1000


@builds("4.0.0", "4.2.5")
def test_an_incremental_one_after_a_full_one(doing: Sandbox, clock: Time) -> None:
    take(doing, clock)
    result = drive(backup(kind="incremental"), make_context(), clock)
    assert re.fullmatch(rf"{INCREMENTAL} DESCRIPTION = '{MARK}'", *writes(doing))
    assert (result["kinds"], result["became_full"]) == (dict.fromkeys(BOTH, "incremental"), [])
    assert result["sets"] == dict.fromkeys(BOTH, 2)


@builds()
def test_an_incremental_one_that_becomes_full_is_told(doing: Sandbox, clock: Time) -> None:
    take(doing, clock, "ALTER SYSTEM BACKUP TENANT = tenant1")
    result = drive(backup(kind="incremental"), make_context(), clock)
    assert result["kinds"] == {"tenant1": "incremental", "tenant2": "full"}
    assert result["became_full"] == ["tenant2"]


@builds("4.1.0", "4.3.3")
@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_logs_in_the_set(doing: Sandbox, clock: Time, kind: str) -> None:
    result = drive(backup(plus_archivelog=True, kind=kind), make_context(), clock)
    assert " DATABASE PLUS ARCHIVELOG DESCRIPTION = " in started(doing)[0]
    assert result["tenants"] == BOTH
    assert all(job.plus_archivelog for job in doing._cluster.backups[1002].job_history)


@builds("4.0.0")
def test_logs_in_the_set_are_refused_before_they_are_asked_for(doing: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(backup(plus_archivelog=True), make_context(), clock))
    assert isinstance(end.error, ValueError)
    assert "came with 4.1" in end.text
    assert writes(doing) == []


def test_named_tenants(doing: Sandbox, clock: Time) -> None:
    result = drive(backup(tenants=["tenant2"]), make_context(), clock)
    assert re.fullmatch(rf"ALTER SYSTEM BACKUP TENANT = 'tenant2' DESCRIPTION = '{MARK}'", *writes(doing))
    assert (result["tenants"], result["sets"], result["kinds"]) == (["tenant2"], {"tenant2": 1}, {"tenant2": "full"})


def test_progress_in_percent_with_blocks_and_an_estimate(
    doing: Sandbox, clock: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    drive(backup(poll_interval=5), make_context(), clock)
    shown = capsys.readouterr().out
    assert re.search(
        r"Waiting for \d+ s, \d\d% done, about \d+ s to go at this pace: data backup 1 is DOING: "
        r"tenant1 DOING \(BACKUP_\w+\): \d+ of 94 macro blocks "
        r"\(\d\d%, about \d+ s to go\), tenant2 DOING",
        shown,
    ), shown


def test_restorable(doing: Sandbox, clock: Time) -> None:
    result = drive(backup(), make_context(), clock)
    first = restorable("oceanbase_default", result["restore_points"])
    assert [found["restorable"] for found in first.values()] == [False, False]
    assert "no window of the catalog holds" in first["tenant1"]["reason"]
    clock.sleep(200)
    found = restorable("oceanbase_default", {**result["restore_points"], "tenant9": result["restore_point"]})
    assert found["tenant1"]["restorable"] is found["tenant2"]["restorable"] is True
    assert (found["tenant1"]["round"], found["tenant1"]["set"]) == (1, 1)
    assert found["tenant1"]["from"] <= result["restore_points"]["tenant1"] <= found["tenant1"]["until"]
    assert found["tenant9"]["restorable"] is False
    assert "the tenant is not in the catalog" in found["tenant9"]["reason"]


# --- what is in the way -----------------------------------------------------------------------------------------------


def _hinder(box: Sandbox, how: str, tenant: str) -> None:
    if how == "no destination":
        sql(box, f"ALTER SYSTEM SET DATA_BACKUP_DEST = '' TENANT = {tenant}")
    elif how in {"RESTORE", "CREATING"}:
        box.set_tenant(tenant, status=how)
    else:
        put(box, how, tenant)


OBSTACLES = {
    "STOP": "its log backup is STOP, and a data backup needs DOING (9040): start it first",
    "NONE": "its log backup is not started, and a data backup needs DOING (9040)",
    "INTERRUPTED": "its log backup is INTERRUPTED",
    "no destination": "it has no DATA_BACKUP_DEST to back up to (9040): SetDataBackupDestinationOperator sets it",
    "RESTORE": "it is RESTORE, and only a NORMAL tenant can be backed up (9040)",
}


@pytest.mark.parametrize("how", OBSTACLES)
@pytest.mark.parametrize("named", [True, False])
def test_an_obstacle_of_every_tenant(doing: Sandbox, clock: Time, how: str, named: bool) -> None:
    for name in BOTH:
        _hinder(doing, how, name)
    end = ending(lambda: drive(backup(tenants=BOTH if named else None), make_context(), clock))
    assert end.state == "failed"
    assert isinstance(end.error, TenantsRefusedError)
    for name in BOTH:
        assert f"{name}: {OBSTACLES[how]}" in end.text
    assert writes(doing) == []


@pytest.mark.parametrize("how", OBSTACLES)
@pytest.mark.parametrize("partial", ["fail", "continue"])
@pytest.mark.parametrize("named", [True, False])
def test_an_obstacle_of_one_tenant(doing: Sandbox, clock: Time, how: str, partial: str, named: bool) -> None:
    _hinder(doing, how, "tenant2")
    context = last_try()
    task = backup(on_partial_failure=partial, tenants=BOTH if named else None)
    end = ending(lambda: drive(task, context, clock))
    (sent,) = started(doing)
    assert sent.startswith("ALTER SYSTEM BACKUP TENANT = 'tenant1'" if named else FULL)
    told = context["ti"].xcom["return_value"]
    assert (told["tenants"], told["sets"]) == (["tenant1"], {"tenant1": 1})
    assert OBSTACLES[how] in told["failed"]["tenant2"]
    if partial == "continue":
        assert end.state == "success"
        assert end.result["tenants"] == ["tenant1"]
    else:
        assert isinstance(end.error, TenantsRefusedError)
        assert OBSTACLES[how] in end.text


@pytest.mark.parametrize("word", ["WEIRD", "PAUSED"])
def test_a_word_nobody_knows_starts_nothing(doing: Sandbox, clock: Time, word: str) -> None:
    doing.faults.malformed = {"CDB_OB_ARCHIVELOG.STATUS": word}
    end = ending(lambda: drive(backup(), make_context(), clock))
    assert f"its log backup is {word}, which this release does not know" in end.text
    assert (end.state, writes(doing)) == ("failed", [])


@pytest.mark.parametrize("runs", [True, False])
def test_a_tenant_that_is_not_there(doing: Sandbox, clock: Time, runs: bool) -> None:
    """Another tenant's backup is not an answer for it."""
    if runs:
        sql(doing, FULL)
    end = ending(lambda: drive(backup(tenants=["tenant9"], on_partial_failure="continue"), last_try(), clock))
    assert isinstance(end.error, PrerequisitesNotMetError), end
    assert "tenant9: there is no user tenant of that name" in end.text
    assert writes(doing) == []


def test_one_of_two_that_is_not_there(doing: Sandbox, clock: Time) -> None:
    task = backup(tenants=["tenant1", "tenant9"], on_partial_failure="continue")
    result = drive(task, last_try(), clock)
    assert (result["tenants"], list(result["failed"])) == (["tenant1"], ["tenant9"])


@pytest.mark.parametrize("cluster", [{"profile": "4.2.5", "tenants": 0}], indirect=True)
def test_a_cluster_without_tenants(cluster: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(backup(), make_context(), clock))
    assert isinstance(end.error, PrerequisitesNotMetError)
    assert writes(cluster) == []


def test_a_refusal_of_the_server_names_the_way_out(doing: Sandbox, clock: Time) -> None:
    """What is true at the look may be untrue a moment later."""
    with pytest.MonkeyPatch.context() as patch:
        before_sending(patch, lambda: [put(doing, "STOP", name) for name in BOTH])
        end = ending(lambda: drive(backup(), make_context(), clock))
    assert isinstance(end.error, OceanBasePermanentError)
    assert "[9040]" in end.text
    assert "log backup DOING" in end.text
    assert jobs(doing) == 0


# --- what runs already ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "incremental"])
@pytest.mark.parametrize("deferrable", [True, False])
def test_one_that_serves_is_attached_to(doing: Sandbox, clock: Time, kind: str, deferrable: bool) -> None:
    sql(doing, FULL)
    clock.sleep(5)
    result = drive(backup(kind=kind, deferrable=deferrable), make_context(), clock)
    assert (result["changed"], result["attached"], result["statements"]) == (False, True, [])
    assert (result["job"], result["tenants"], result["kinds"]) == (1, BOTH, dict.fromkeys(BOTH, "full"))
    assert result["became_full"] == [], "nobody asked that one for an incremental backup"
    assert writes(doing) == []


def test_one_of_all_serves_one_tenant_and_tells_of_no_other(doing: Sandbox, clock: Time) -> None:
    sql(doing, FULL)
    result = drive(backup(tenants=["tenant2"]), make_context(), clock)
    assert (result["tenants"], result["sets"], result["attached"]) == (["tenant2"], {"tenant2": 1}, True)


def test_the_failure_of_a_tenant_that_is_not_asked_for_is_no_failure(doing: Sandbox, clock: Time) -> None:
    doing.faults.failed_backups = {"tenant1": 4016}
    sql(doing, FULL)
    result = drive(backup(tenants=["tenant2"]), make_context(), clock)
    assert (result["tenants"], result["failed"], result["attached"]) == (["tenant2"], {}, True)


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("other", "wish"),
    [
        (INCREMENTAL, {}),
        (FULL, {"plus_archivelog": True}),
        ("ALTER SYSTEM BACKUP TENANT = tenant1", {}),
        (INCREMENTAL, {"tenants": ["tenant2"]}),
    ],
)
def test_one_that_does_not_serve_is_waited_for(
    doing: Sandbox, clock: Time, other: str, wish: dict[str, Any], deferrable: bool
) -> None:
    take(doing, clock)
    sql(doing, other)
    result = drive(backup(deferrable=deferrable, **wish), make_context(), clock)
    assert len(started(doing)) == effects(doing, "SYSTEM BACKUP") == 1
    assert (result["job"], result["changed"], set(result["kinds"].values())) == (3, True, {"full"})


def test_one_of_another_tenant_does_not_hold_it_up(doing: Sandbox, clock: Time) -> None:
    doing.faults.stuck_backups = {"tenant1"}
    sql(doing, "ALTER SYSTEM BACKUP TENANT = tenant1")
    result = drive(backup(tenants=["tenant2"]), make_context(), clock)
    assert (result["job"], result["tenants"], len(started(doing))) == (2, ["tenant2"], 1)


@pytest.mark.parametrize("deferrable", [True, False])
def test_one_that_is_being_cancelled_is_no_backup_to_attach_to(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    sql(doing, FULL)
    clock.sleep(5)
    sql(doing, "ALTER SYSTEM CANCEL BACKUP")
    result = drive(backup(deferrable=deferrable), make_context(), clock)
    assert (result["job"], result["changed"], len(started(doing))) == (2, True, 1)


def test_a_tenants_own_one_holds_up_nothing(doing: Sandbox, clock: Time) -> None:
    doing.faults.stuck_backups = {"tenant1"}
    sql(doing, "ALTER SYSTEM BACKUP DATABASE", tenant="tenant1")
    clock.at(10, lambda: setattr(doing.faults, "stuck_backups", set()))
    result = drive(backup(), make_context(), clock)
    assert (result["attached"], result["tenants"], len(started(doing))) == (False, BOTH, 1)


@pytest.mark.parametrize(("other", "sent", "attached"), [(FULL, 1, True), (INCREMENTAL, 2, False)])
def test_somebody_who_is_faster(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, other: str, sent: int, attached: bool
) -> None:
    take(doing, clock)
    before_sending(monkeypatch, lambda: (sql(doing, other), doing.advance(2)))
    result = drive(backup(), make_context(), clock)
    assert len(started(doing)) == sent, "a 9036, and once that one has ended another try"
    assert effects(doing, "SYSTEM BACKUP") == (not attached)
    assert (result["attached"], result["changed"], len(result["statements"])) == (attached, not attached, sent - 1)
    assert set(result["kinds"].values()) == {"full"}


def test_somebody_who_is_faster_by_less_than_a_moment(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No part of a tenant is there yet, so the server takes the second job, and leaves everybody out of it."""
    before_sending(monkeypatch, lambda: sql(doing, FULL))
    context = first_try()
    end = ending(lambda: drive(backup(poll_interval=1), context, clock))
    assert (end.state, jobs(doing)) == ("retry", 2), end
    assert "has left it out" in end.text
    result = drive(backup(), next_try(context), clock)
    assert (result["attached"], result["job"], result["tenants"], jobs(doing)) == (True, 1, BOTH, 2)


def test_somebody_who_is_always_faster_is_not_raced_without_end(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    doing.faults.error_once = ("SYSTEM BACKUP", 9036, "Backup is in progress", False, 99)
    end = ending(lambda: drive(backup(), make_context(), clock))
    assert end.state == "retry"
    assert "nothing was started" in end.text
    assert len(started(doing)) == 3


# --- what becomes of it -----------------------------------------------------------------------------------------------


@builds("4.0.0", "4.2.5")
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_tenant_that_fails_is_named_with_the_servers_words(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    doing.faults.failed_backups = {"tenant2": 9086}
    context = first_try()
    task = backup(deferrable=deferrable, on_partial_failure="continue")
    end = ending(lambda: drive(task, context, clock))
    assert end.state == "retry"
    assert isinstance(end.error, TenantsFailedError)
    told = context["ti"].xcom["return_value"]
    assert (told["tenants"], list(told["failed"])) == (["tenant1"], ["tenant2"])
    for word in ("[9086]", "the backup waited too long for checkpoints", "ls_id: 1001", "result: -9086"):
        assert word in told["failed"]["tenant2"]
        assert word in end.text


def test_a_single_tenant_that_fails(doing: Sandbox, clock: Time) -> None:
    doing.faults.failed_backups = {"tenant2": 4016}
    end = ending(lambda: drive(backup(tenants=["tenant2"]), make_context(), clock))
    assert (end.state, type(end.error)) == ("retry", DataBackupFailedError)


def test_the_last_try_goes_on_with_the_others(doing: Sandbox, clock: Time) -> None:
    doing.faults.failed_backups = {"tenant2": 9086}
    result = drive(backup(on_partial_failure="continue"), last_try(), clock)
    assert (result["tenants"], list(result["failed"])) == (["tenant1"], ["tenant2"])
    assert result["restore_point"] == result["restore_points"]["tenant1"]


@pytest.mark.parametrize("deferrable", [True, False])
def test_one_that_does_not_end_and_a_new_run_attaches(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    doing.faults.stuck_backups = {"tenant1"}
    before = clock.elapsed
    end = ending(lambda: drive(backup(timeout=600, deferrable=deferrable), make_context(), clock))
    assert (end.state, type(end.error)) == ("failed", WaitTimeoutError)
    assert "has not ended within 600 s" in end.text
    assert 600 <= clock.elapsed - before < 700
    doing.faults.stuck_backups = set()
    result = drive(backup(timeout=600, deferrable=deferrable), make_context(), clock)
    assert (result["attached"], result["job"], result["tenants"]) == (True, 1, BOTH)
    assert len(started(doing)) == jobs(doing) == 1


def test_waiting_for_another_one_counts_too(doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    take(doing, clock)
    doing.faults.stuck_backups = {"tenant1"}
    sql(doing, INCREMENTAL)
    before = clock.elapsed
    clock.at(400, lambda: setattr(doing.faults, "stuck_backups", set()))
    before_sending(monkeypatch, lambda: setattr(doing.faults, "stuck_backups", {"tenant1"}))
    end = ending(lambda: drive(backup(timeout=600), make_context(), clock))
    assert isinstance(end.error, WaitTimeoutError)
    assert 600 <= clock.elapsed - before < 700
    assert len(started(doing)) == 1


def test_when_the_time_is_over_nothing_is_started_any_more(doing: Sandbox, clock: Time) -> None:
    """The other one ends in the very moment in which the waiting does."""
    take(doing, clock)
    doing.faults.stuck_backups = {"tenant1"}
    sql(doing, INCREMENTAL)
    clock.at(150, lambda: setattr(doing.faults, "stuck_backups", set()))
    end = ending(lambda: drive(backup(timeout=300, poll_interval=100, deferrable=False), make_context(), clock))
    assert isinstance(end.error, WaitTimeoutError)
    assert started(doing) == []
    assert not doing._cluster.backups[1].jobs, "it has ended"


@pytest.mark.parametrize("deferrable", [True, False])
def test_another_one_that_vanishes_is_waited_for_no_longer(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    take(doing, clock)
    doing.faults.stuck_backups = {"tenant1", "tenant2"}
    sql(doing, INCREMENTAL)

    def clear() -> None:
        doing.faults.stuck_backups = set()
        for rows in doing._cluster.backups.values():
            rows.jobs.clear()

    clock.at(400, clear)
    result = drive(backup(deferrable=deferrable), make_context(), clock)
    assert (result["changed"], result["tenants"], len(started(doing))) == (True, BOTH, 1)


def test_a_wait_that_the_scheduler_has_to_end(doing: Sandbox, clock: Time) -> None:
    task, context = backup(timeout=600), make_context()
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    assert 590 < deferred.value.trigger.seconds <= 600
    end = ending(lambda: task.resume_execution(TRIGGER_FAIL_REPR, {"error": TRIGGER_TIMEOUT}, context))
    assert isinstance(end.error, WaitTimeoutError)
    assert "It goes on: run the task again, which attaches to it" in end.text


@pytest.mark.parametrize("deferrable", [True, False])
def test_one_that_somebody_cancels_is_not_started_again(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    clock.at(10, lambda: sql(doing, "ALTER SYSTEM CANCEL BACKUP"))
    context = first_try()
    end = ending(lambda: drive(backup(deferrable=deferrable, poll_interval=5), context, clock))
    assert end.state == "failed", end
    assert isinstance(end.error, ArchiveStateError | TenantsRefusedError)
    assert "CANCELED" in end.text
    assert len(started(doing)) == 1


def test_one_tenants_part_that_somebody_cancels_is_not_started_again(doing: Sandbox, clock: Time) -> None:
    clock.at(10, lambda: sql(doing, "ALTER SYSTEM CANCEL BACKUP TENANT = tenant2"))
    context = first_try()
    end = ending(lambda: drive(backup(poll_interval=5), context, clock))
    assert (end.state, type(end.error)) == ("failed", TenantsRefusedError), end
    assert context["ti"].xcom["return_value"]["tenants"] == ["tenant1"]
    assert "tenant2: it is CANCELED" in end.text


def test_a_part_that_is_cancelled_where_another_fails(doing: Sandbox, clock: Time) -> None:
    doing.faults.failed_backups = {"tenant1": 4016}
    doing.faults.stuck_backups = {"tenant2"}
    clock.at(60, lambda: sql(doing, "ALTER SYSTEM CANCEL BACKUP TENANT = tenant2"))
    context = first_try()
    end = ending(lambda: drive(backup(poll_interval=5), context, clock))
    assert (end.state, type(end.error)) == ("retry", TenantsFailedError), end
    assert "tenant2: it is CANCELED" in end.text


@pytest.mark.parametrize("state", ["INTERRUPTED", "STOP"])
def test_log_backup_that_breaks_in_mid_backup_is_named(doing: Sandbox, clock: Time, state: str) -> None:
    clock.at(10, lambda: put(doing, state, "tenant1"))
    end = ending(lambda: drive(backup(poll_interval=5), first_try(), clock))
    assert (end.state, type(end.error)) == ("retry", TenantsFailedError)
    if state == "INTERRUPTED":
        assert "tenant1: [9027] log archive is interrupted" in end.text
    else:
        assert "tenant1: [9029] log archive is not running" in end.text


@pytest.mark.parametrize("seconds", [0.5, 10])
def test_a_tenant_that_is_dropped_meanwhile_is_no_success(doing: Sandbox, clock: Time, seconds: float) -> None:
    context = first_try()
    clock.at(seconds, lambda: doing.drop_tenant("tenant2"))
    end = ending(lambda: drive(backup(poll_interval=1), context, clock))
    assert end.state == "retry", end
    assert context["ti"].xcom["return_value"]["tenants"] == ["tenant1"]
    assert "tenant2: the server shows no part of it" in end.text
    result = drive(backup(), context, clock)
    assert (result["tenants"], result["failed"], len(started(doing))) == (["tenant1"], {}, 1)
    assert (result["sets"], result["kinds"]) == ({"tenant1": 1}, {"tenant1": "full"})
    assert result["restore_point"] == result["restore_points"]["tenant1"]


def test_a_tenant_that_the_server_leaves_out_is_told(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_sending(monkeypatch, lambda: put(doing, "STOP", "tenant2"))
    context = first_try()
    end = ending(lambda: drive(backup(), context, clock))
    assert end.state == "retry", end
    assert "tenant2: the server shows no part of it" in end.text
    assert "has left it out" in end.text
    assert context["ti"].xcom["return_value"]["sets"] == {"tenant1": 1}


def test_a_tenant_that_is_created_meanwhile_is_no_part_of_it(doing: Sandbox, clock: Time) -> None:
    clock.at(5, lambda: doing.create_tenant("tenant3"))
    result = drive(backup(poll_interval=1), make_context(), clock)
    assert (result["tenants"], result["failed"]) == (BOTH, {})


def test_a_set_that_is_not_available_is_no_set(doing: Sandbox, clock: Time) -> None:
    doing.faults.malformed = {"CDB_OB_BACKUP_SET_FILES.FILE_STATUS": "BROKEN"}
    end = ending(lambda: drive(backup(), first_try(), clock))
    assert end.state == "retry"
    assert "tenant1: its set is SUCCESS/BROKEN" in end.text


def test_a_full_one_that_came_out_incremental_is_no_success(doing: Sandbox, clock: Time) -> None:
    clock.at(5, lambda: setattr(doing.faults, "malformed", {"CDB_OB_BACKUP_JOB_HISTORY.BACKUP_TYPE": "INC"}))
    end = ending(lambda: drive(backup(poll_interval=10), first_try(), clock))
    assert end.state == "retry"
    assert "a full backup was asked for, and what was made is incremental" in end.text


def test_a_row_that_vanishes_is_no_success(doing: Sandbox, clock: Time) -> None:
    """After hours of waiting, too, it is waited for five minutes and no longer."""
    doing.faults.stuck_backups = {"tenant1"}
    vanished: list[float] = []

    def clear() -> None:
        vanished.append(clock.elapsed)
        for rows in doing._cluster.backups.values():
            rows.jobs.clear()

    clock.at(4000, clear)
    end = ending(lambda: drive(backup(), first_try(), clock))
    assert (end.state, type(end.error)) == ("failed", ArchiveStateError), end
    assert "shown neither under way nor as ended" in end.text
    assert 300 <= clock.elapsed - vanished[0] < 400


def test_a_row_that_vanishes_for_a_moment_ends_nothing(doing: Sandbox, clock: Time) -> None:
    """Its row goes from one view to the other, and a look may find it in neither."""
    doing.faults.stuck_backups = {"tenant1"}
    hidden: dict[int, list[Any]] = {}

    def hide() -> None:
        for number, rows in doing._cluster.backups.items():
            hidden[number], rows.jobs = rows.jobs, []

    def show() -> None:
        for number, rows in doing._cluster.backups.items():
            rows.jobs = hidden[number]
        doing.faults.stuck_backups = set()
        for number in hidden:
            for found in doing._cluster.backups[number].sets:
                tenant = next(t for t in doing._cluster.tenants if t.tenant_id == number)
                if found.job.status == "DOING":
                    doing._cluster.backup.go_on(tenant, found)

    clock.at(1000, hide)
    clock.at(1100, show)
    clock.at(
        1101,
        lambda: (
            doing._cluster.backup._watch(
                doing._cluster.backups[1].jobs[0],
                [job for number in (1002, 1004) for job in doing._cluster.backups[number].jobs],
            )
            if doing._cluster.backups[1].jobs
            else None
        ),
    )
    end = ending(lambda: drive(backup(poll_interval=10), first_try(), clock))
    assert end.state == "success", end


# --- a tenant's own user, dry runs, arguments -------------------------------------------------------------------------


@builds("4.0.0", "4.2.5")
@pytest.mark.parametrize("named", [True, False])
def test_a_user_of_the_tenant(doing: Sandbox, clock: Time, add_connection: Any, named: bool) -> None:
    add_connection(doing.connection("root", "tenant1"), "own")
    take(doing, clock)
    doing.faults.stuck_backups = {"tenant2"}
    sql(doing, FULL)
    task = backup(oceanbase_conn_id="own", tenants=["tenant1"] if named else None, description="mine")
    result = drive(task, make_context(), clock)
    assert re.fullmatch(rf"{FULL} DESCRIPTION = 'mine {MARK}'", *writes(doing))
    assert (result["tenants"], result["kinds"], result["failed"]) == (["tenant1"], {"tenant1": "full"}, {})
    own = doing._cluster.backups[1002]
    assert [job.job_id for job in own.job_history if job.initiator_tenant_id == 1002] == [result["job"]]
    again = drive(backup(oceanbase_conn_id="own", kind="incremental"), make_context(), clock)
    assert (again["kinds"], again["became_full"]) == ({"tenant1": "incremental"}, [])


def test_a_user_of_the_tenant_attaches_to_its_own(doing: Sandbox, clock: Time, add_connection: Any) -> None:
    add_connection(doing.connection("root", "tenant1"), "own")
    sql(doing, FULL, tenant="tenant1")
    result = drive(backup(oceanbase_conn_id="own"), make_context(), clock)
    assert (result["attached"], result["tenants"], writes(doing)) == (True, ["tenant1"], [])


@pytest.mark.parametrize("runs", [None, FULL, INCREMENTAL])
def test_a_dry_run_sends_nothing(doing: Sandbox, clock: Time, runs: str | None) -> None:
    take(doing, clock)
    if runs:
        sql(doing, runs)
    result = drive(backup(dry_run=True, tenants=["tenant1"], description="x"), make_context(), clock)
    statement = "ALTER SYSTEM BACKUP TENANT = 'tenant1' DESCRIPTION = 'x [airflow-000000000000]'"
    wanted = {
        None: [statement],
        FULL: ["wait for the full data backup 2"],
        INCREMENTAL: ["wait for the incremental data backup 2", statement],
    }
    assert (result["plan"], result["changed"], result["dry_run"]) == (wanted[runs], False, True)
    assert writes(doing) == []


def test_a_dry_run_tells_what_is_in_the_way(doing: Sandbox, clock: Time) -> None:
    put(doing, "STOP", "tenant2")
    end = ending(lambda: drive(backup(dry_run=True), make_context(), clock))
    assert isinstance(end.error, TenantsRefusedError)
    assert OBSTACLES["STOP"] in end.text
    assert writes(doing) == []


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("kind", "differential"),
        ("kind", None),
        ("plus_archivelog", "perhaps"),
        ("description", "it's"),
        ("description", 'a"b'),
        ("description", "a\\b"),
        ("description", "a`b"),
        ("description", "two\nlines"),
        ("description", "x" * 201),
        ("tenants", "a b"),
        ("on_partial_failure", "ignore"),
        ("poll_interval", "often"),
        ("timeout", 0),
        ("dry_run", "maybe"),
    ],
)
def test_illegal_arguments_are_refused_before_any_sql(doing: Sandbox, argument: str, value: Any) -> None:
    doing.clear_statements()
    with pytest.raises(ValueError, match=argument):
        backup(**{argument: value}).execute(make_context())
    assert doing.statements == ()


def test_rendered_text_is_as_good_as_the_value(doing: Sandbox, clock: Time) -> None:
    task = backup(
        plus_archivelog="True", dry_run="False", timeout="600", poll_interval="5", tenants="tenant1", description="备份"
    )
    assert drive(task, make_context(), clock)["tenants"] == ["tenant1"]
    assert "PLUS ARCHIVELOG DESCRIPTION = '备份 [airflow-" in started(doing)[0]


@pytest.mark.parametrize("name", ["all", "ALL_USER"])
def test_a_word_for_many_tenants_is_refused(doing: Sandbox, clock: Time, name: str) -> None:
    end = ending(lambda: drive(backup(tenants=[name]), make_context(), clock))
    assert end.state != "success"
    assert writes(doing) == []
