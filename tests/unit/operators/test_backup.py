"""BackupDatabaseOperator on 3.x: one job of the whole cluster, known by its BS_KEY."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_ob_provider.compliance.restorable import restorable
from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    DataBackupFailedError,
    OceanBasePermanentError,
    OceanBaseTransientError,
    PrerequisitesNotMetError,
    WaitTimeoutError,
)
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, ending, make_context, writes
from tests.unit.operators.harness4 import first_try, sql
from tests.unit.operators.harness_backup import (
    FULL,
    INCREMENTAL,
    KilledError,
    backup,
    before_sending,
    jobs,
    kill,
    next_try,
    started,
)

BOTH = ["tenant1", "tenant2"]
BUILDS = ("3.1.2", "3.1.5", "3.2.4")


@pytest.fixture
def cluster(request: pytest.FixtureRequest, add_connection: Callable[..., str]) -> Iterator[Sandbox]:
    """Two user tenants and three servers of a build of 3.x (3.2.4, or the parameter)."""
    options = getattr(request, "param", "3.2.4")
    options = {"profile": options} if isinstance(options, str) else options
    with Sandbox(**{"tenants": 2, "servers": 3, "manual_clock": True, **options}) as box:
        add_connection(box)
        yield box


@pytest.fixture
def doing(cluster: Sandbox) -> Sandbox:
    cluster.parameters["backup_dest"] = "file:///data/nfs/backup"
    cluster.force_status("DOING")
    return cluster


def builds(*versions: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cluster", versions or BUILDS, indirect=True)


def take(box: Sandbox, clock: Time, statement: str = FULL) -> None:
    """A data backup of somebody else's, from its beginning to its end."""
    sql(box, statement)
    clock.sleep(60)
    assert box._cluster.backup.running is None


def killed_in_mid_wait(clock: Time, context: Any, **kwargs: Any) -> None:
    clock.at(15, lambda: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError):
        drive(backup(deferrable=False, poll_interval=5, **kwargs), context, clock)
    clock.on_sleep.clear()


@builds()
@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_a_backup(doing: Sandbox, clock: Time, deferrable: bool, kind: str) -> None:
    take(doing, clock)
    result = drive(backup(deferrable=deferrable, kind=kind), make_context(), clock)
    assert writes(doing) == result["statements"] == [FULL if kind == "full" else INCREMENTAL]
    assert (result["changed"], result["attached"], result["job"], result["kind"]) == (True, False, 2, kind)
    assert (result["sets"], result["kinds"]) == (dict.fromkeys(BOTH, 2), dict.fromkeys(BOTH, kind))
    assert (result["became_full"], result["failed"], result["tenants"]) == ([], {}, [])
    assert result["restore_point"] == max(result["restore_points"].values())
    assert result["started"] < result["ended"] < result["restore_point"] <= result["read_at"]
    assert 20 < result["seconds"] < 60


def test_a_mark_has_no_place_and_a_description_is_dropped(doing: Sandbox, clock: Time) -> None:
    drive(backup(description="nightly"), make_context(), clock)
    assert writes(doing) == [FULL]


@builds()
def test_an_incremental_one_that_becomes_full_is_told(doing: Sandbox, clock: Time) -> None:
    result = drive(backup(kind="incremental"), make_context(), clock)
    assert (result["became_full"], result["kinds"]) == (BOTH, dict.fromkeys(BOTH, "full"))
    assert writes(doing) == [INCREMENTAL]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"plus_archivelog": True}, "has no PLUS ARCHIVELOG"), ({"tenants": ["tenant1"]}, "backs up the whole cluster")],
)
def test_what_3x_does_not_have_is_refused(doing: Sandbox, clock: Time, arguments: Any, word: str) -> None:
    doing.clear_statements()
    end = ending(lambda: drive(backup(**arguments), make_context(), clock))
    assert isinstance(end.error, ValueError)
    assert word in end.text
    assert not [entry for entry in doing.statements if "oceanbase." in entry.sql], "nothing but the version was read"


@pytest.mark.parametrize("cluster", [{"profile": "3.1.0"}], indirect=True)
def test_a_build_whose_log_backup_does_not_work(doing: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(backup(), make_context(), clock))
    assert isinstance(end.error, ValueError)
    assert writes(doing) == []


@pytest.mark.parametrize("state", ["STOP", "BEGINNING", "STOPPING", "INTERRUPTED"])
def test_log_backup_that_is_not_doing(doing: Sandbox, clock: Time, state: str) -> None:
    doing.force_status(state)
    end = ending(lambda: drive(backup(), make_context(), clock))
    assert (end.state, type(end.error)) == ("failed", PrerequisitesNotMetError)
    assert f"cluster: log backup is {state}, and a data backup needs DOING (9040)" in end.text
    assert writes(doing) == []


@pytest.mark.parametrize("column", ["STATUS", "TENANT_ID"])
def test_log_backup_of_which_nothing_is_known(doing: Sandbox, clock: Time, column: str) -> None:
    doing.faults.malformed = {f"CDB_OB_BACKUP_ARCHIVELOG.{column}": {"STATUS": "WEIRD", "TENANT_ID": 77}[column]}
    end = ending(lambda: drive(backup(), make_context(), clock))
    assert isinstance(end.error, PrerequisitesNotMetError)
    assert writes(doing) == []


@pytest.mark.parametrize("cluster", [{"profile": "3.2.4", "tenants": 0}], indirect=True)
def test_a_cluster_without_tenants(doing: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(backup(), make_context(), clock))
    assert isinstance(end.error, PrerequisitesNotMetError)
    assert writes(doing) == []


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("backup can not start, because log archive is not doing. log archive status : STOP.", "MAJOR FREEZE"),
        ("backup can not start, because snapshot gc ts is bigger than backup snapshot version.", "MAJOR FREEZE"),
    ],
)
def test_a_refusal_names_the_way_out(doing: Sandbox, clock: Time, message: str, hint: str) -> None:
    doing.faults.error_once = ("SYSTEM BACKUP", 9040, message)
    context = first_try()
    end = ending(lambda: drive(backup(), context, clock))
    assert isinstance(end.error, OceanBasePermanentError)
    assert message in end.text
    assert hint in end.text
    assert len(writes(doing)) == 1


def test_a_tenant_without_a_timestamp_service(doing: Sandbox, clock: Time) -> None:
    doing.faults.no_gts_tenants = {"tenant1"}
    end = ending(lambda: drive(backup(), make_context(), clock))
    assert "ob_timestamp_service" in end.text
    assert jobs(doing) == 0


# --- what runs already ------------------------------------------------------------------------------------------------


@builds("3.1.2", "3.2.4")
@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_one_that_serves_is_attached_to(doing: Sandbox, clock: Time, kind: str, deferrable: bool) -> None:
    sql(doing, FULL)
    clock.sleep(5)
    result = drive(backup(kind=kind, deferrable=deferrable), make_context(), clock)
    assert (result["changed"], result["attached"], result["job"], result["became_full"]) == (False, True, 1, [])
    assert writes(doing) == []


def test_log_backup_that_has_stopped_since_a_job_began(doing: Sandbox, clock: Time) -> None:
    """The job fails by itself, or does not: no reason to start another one."""
    sql(doing, FULL)
    doing.force_status("STOP")
    result = drive(backup(), make_context(), clock)
    assert (result["attached"], writes(doing)) == (True, [])


@pytest.mark.parametrize("deferrable", [True, False])
def test_one_that_does_not_serve_is_waited_for(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    take(doing, clock)
    sql(doing, INCREMENTAL)
    result = drive(backup(deferrable=deferrable), make_context(), clock)
    assert (writes(doing), jobs(doing), result["job"]) == ([FULL], 3, 3)
    assert result["kinds"] == dict.fromkeys(BOTH, "full")


@pytest.mark.parametrize("deferrable", [True, False])
def test_one_that_has_failed_and_cleans_up_is_no_backup_to_attach_to(
    doing: Sandbox, clock: Time, deferrable: bool
) -> None:
    sql(doing, FULL)
    clock.sleep(4)
    sql(doing, "ALTER SYSTEM CANCEL BACKUP")
    while doing._cluster.backup.running.phase != "CLEANUP":
        clock.sleep(0.5)
    result = drive(backup(deferrable=deferrable), make_context(), clock)
    assert (writes(doing), result["job"]) == ([FULL], 2)


@pytest.mark.parametrize(("other", "sent"), [(FULL, 1), (INCREMENTAL, 2)])
@pytest.mark.parametrize("deferrable", [True, False])
def test_somebody_who_is_faster(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, other: str, sent: int, deferrable: bool
) -> None:
    take(doing, clock)
    before_sending(monkeypatch, lambda: sql(doing, other))
    result = drive(backup(deferrable=deferrable), make_context(), clock)
    assert (len(started(doing)), jobs(doing), result["job"]) == (sent, 1 + sent, 1 + sent)
    assert result["attached"] is (sent == 1)
    assert result["kinds"] == dict.fromkeys(BOTH, "full")


# --- what becomes of it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_that_fails_is_taken_again(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    clock.at(10, lambda: setattr(doing.faults, "destination_unwritable", True))
    context = first_try()
    end = ending(lambda: drive(backup(deferrable=deferrable, poll_interval=5), context, clock))
    assert end.state == "retry", end
    for name in BOTH:
        assert f"{name}: the server has marked it FAILED and gives no reason" in end.text
    assert "rootservice.log" in end.text
    assert context["ti"].xcom["return_value"]["tenants"] == []
    doing.faults.reset()
    result = drive(backup(deferrable=deferrable), next_try(context), clock)
    assert (writes(doing), result["job"], result["sets"]) == ([FULL, FULL], 2, dict.fromkeys(BOTH, 2))


@pytest.mark.parametrize("cluster", [{"tenants": 1}], indirect=True)
def test_the_error_of_one_tenant(doing: Sandbox, clock: Time) -> None:
    clock.at(10, lambda: setattr(doing.faults, "destination_unwritable", True))
    end = ending(lambda: drive(backup(on_partial_failure="continue", poll_interval=5), make_context(), clock))
    assert type(end.error) is DataBackupFailedError


def test_one_that_does_not_end_and_a_new_run_attaches(doing: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(backup(timeout=8, poll_interval=2), make_context(), clock))
    assert isinstance(end.error, WaitTimeoutError)
    assert doing._cluster.backup.running
    result = drive(backup(), make_context(), clock)
    assert (result["attached"], jobs(doing), len(started(doing))) == (True, 1, 1)


def test_an_unknown_word_is_neither_success_nor_failure(doing: Sandbox, clock: Time) -> None:
    doing.faults.malformed = {"CDB_OB_BACKUP_SET_FILES.STATUS": "WEIRD"}
    end = ending(lambda: drive(backup(timeout=300), make_context(), clock))
    assert isinstance(end.error, WaitTimeoutError), end


@pytest.mark.parametrize(("files", "word"), [("BROKEN", "SUCCESS/BROKEN"), ("DELETED", "SUCCESS/DELETED")])
def test_a_set_that_is_not_available_is_no_set(doing: Sandbox, clock: Time, files: str, word: str) -> None:
    doing.faults.malformed = {"CDB_OB_BACKUP_SET_FILES.FILE_STATUS": files}
    end = ending(lambda: drive(backup(), first_try(), clock))
    assert end.state == "retry"
    assert f"tenant1: its set is {word}" in end.text


def test_a_time_that_cannot_be_read_is_no_restore_point(doing: Sandbox, clock: Time) -> None:
    doing.faults.malformed = {"CDB_OB_BACKUP_SET_FILES.COMPLETION_TIME": "soon"}
    end = ending(lambda: drive(backup(), first_try(), clock))
    assert end.state == "retry", end
    assert "without the moment from which it can be restored" in end.text


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_that_vanishes_is_no_success(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    clock.at(10, lambda: doing._cluster.backup.sets.clear())
    end = ending(lambda: drive(backup(deferrable=deferrable, poll_interval=10), first_try(), clock))
    assert (end.state, type(end.error)) == ("failed", ArchiveStateError), end
    assert "shown neither under way nor as ended" in end.text


def test_a_tenant_that_is_dropped_meanwhile(doing: Sandbox, clock: Time) -> None:
    context = first_try()
    clock.at(10, lambda: doing.drop_tenant("tenant2"))
    end = ending(lambda: drive(backup(poll_interval=1), context, clock))
    assert end.state == "retry", end
    assert "tenant2: the server shows no part of it in this backup: it was dropped" in end.text
    result = drive(backup(), next_try(context), clock)
    assert result["sets"] == {"tenant1": 2}


def test_a_tenant_that_is_created_meanwhile(doing: Sandbox, clock: Time) -> None:
    clock.at(10, lambda: doing.create_tenant("tenant3"))
    result = drive(backup(poll_interval=1), make_context(), clock)
    assert set(result["sets"]) == set(BOTH)


def test_progress_in_percent(doing: Sandbox, clock: Time, capsys: pytest.CaptureFixture[str]) -> None:
    drive(backup(poll_interval=5), make_context(), clock)
    shown = capsys.readouterr().out
    assert "% done: data backup 1 is" in shown
    assert "of 163 macro blocks" in shown
    assert "s to go at this pace" in shown


def test_restorable(doing: Sandbox, clock: Time) -> None:
    result = drive(backup(), make_context(), clock)
    clock.sleep(300)
    found = restorable("oceanbase_default", result["restore_points"])
    assert [one["restorable"] for one in found.values()] == [True, True], found


def test_a_dry_run_sends_nothing(doing: Sandbox, clock: Time) -> None:
    take(doing, clock)
    sql(doing, INCREMENTAL)
    result = drive(backup(dry_run=True), make_context(), clock)
    assert result["plan"] == ["wait for the incremental data backup 2", FULL]
    assert (result["tenants"], writes(doing)) == ([], [])


# --- once, whatever happens -------------------------------------------------------------------------------------------


@builds("3.1.2", "3.2.4")
@pytest.mark.parametrize(
    ("fault", "value"),
    [("drop_after", ("SYSTEM BACKUP", 1)), ("error_once", ("SYSTEM BACKUP", 4012, "Timeout", True))],
)
def test_a_lost_answer_is_not_asked_for_again(doing: Sandbox, clock: Time, fault: str, value: Any) -> None:
    take(doing, clock)
    setattr(doing.faults, fault, value)
    result = drive(backup(), first_try(), clock)
    assert (result["changed"], result["job"], len(started(doing)), jobs(doing)) == (True, 2, 1, 2)


def test_a_statement_that_never_arrived_is_a_retry(doing: Sandbox, clock: Time) -> None:
    doing.faults.drop_before = ("SYSTEM BACKUP", 1)
    context = first_try()
    end = ending(lambda: drive(backup(), context, clock))
    assert isinstance(end.error, OceanBaseTransientError)
    result = drive(backup(), next_try(context), clock)
    assert (result["changed"], len(started(doing)), jobs(doing)) == (True, 2, 1)


def test_an_incremental_one_that_others_have_begun_is_not_our_full_one(doing: Sandbox, clock: Time) -> None:
    take(doing, clock)
    doing.faults.drop_before = ("SYSTEM BACKUP", 1)
    clock.at(2, lambda: sql(doing, INCREMENTAL))
    context = first_try()
    end = ending(lambda: drive(backup(), context, clock))
    assert isinstance(end.error, OceanBaseTransientError), end
    result = drive(backup(), next_try(context), clock)
    assert (result["kinds"], result["job"], jobs(doing)) == (dict.fromkeys(BOTH, "full"), 3, 3)


@pytest.mark.parametrize("later", [0, 3, 15, 3600])
@pytest.mark.parametrize("sent", [True, False])
def test_a_worker_that_is_killed_around_the_statement(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, sent: bool, later: float
) -> None:
    take(doing, clock)
    kill(monkeypatch, sent=sent)
    context = first_try()
    with pytest.raises(KilledError):
        drive(backup(), context, clock)
    clock.sleep(later)
    result = drive(backup(timeout=600), next_try(context), clock)
    assert (result["changed"], result["job"], result["statements"]) == (True, 2, [FULL])
    assert (len(started(doing)), jobs(doing)) == (1, 2)


def test_the_newer_one_of_somebody_else_is_not_taken_for_ours(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(monkeypatch, sent=True)
    context = first_try()
    with pytest.raises(KilledError):
        drive(backup(), context, clock)
    clock.sleep(60)
    take(doing, clock, INCREMENTAL)
    result = drive(backup(), next_try(context), clock)
    assert (result["job"], result["kinds"], jobs(doing)) == (1, dict.fromkeys(BOTH, "full"), 2)


def test_a_retry_in_mid_wait_attaches(doing: Sandbox, clock: Time) -> None:
    context = first_try()
    killed_in_mid_wait(clock, context)
    result = drive(backup(), next_try(context), clock)
    assert (result["job"], result["changed"], len(started(doing))) == (1, True, 1)


def test_a_retry_has_its_own_time(doing: Sandbox, clock: Time) -> None:
    context = first_try()
    killed_in_mid_wait(clock, context, timeout=60)
    clock.sleep(3600)
    result = drive(backup(timeout=60), next_try(context), clock)
    assert (result["job"], len(started(doing))) == (1, 1)


def test_a_retry_after_success_finds_the_same(doing: Sandbox, clock: Time) -> None:
    context = first_try()
    first = drive(backup(), context, clock)
    again = drive(backup(), next_try(context), clock)
    assert {**again, "read_at": first["read_at"]} == first
    assert len(started(doing)) == 1


def test_clearing_takes_a_new_one(doing: Sandbox, clock: Time) -> None:
    for _ in range(2):
        drive(backup(), make_context(), clock)
    assert jobs(doing) == 2


def test_without_a_state_store_a_retry_finds_what_still_runs(doing: Sandbox, clock: Time) -> None:
    context = make_context(store=False)
    killed_in_mid_wait(clock, context)
    result = drive(backup(), next_try(context), clock)
    assert (result["attached"], result["job"], len(started(doing))) == (True, 1, 1)
