"""The SQL that a task shows under Rendered Templates: over deferrals, tries, dry runs and rows of earlier releases."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, BaseOperator
from airflow.sdk.exceptions import TaskDeferred

from airflow_ob_provider.exceptions import OceanBaseError
from airflow_ob_provider.oceanbase.sqlplan import LOST, NOTHING_SENT
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator
from airflow_ob_provider.operators.backup import BackupDatabaseOperator, CancelBackupOperator
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.operators.recovery import DiagnoseArchiveOperator, ForceStopArchiveOperator
from airflow_ob_provider.operators.settings import (
    SetArchiveOptionOperator,
    SetBackupDestinationOperator,
    SetDataBackupDestinationOperator,
)
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import TRIGGER_TIMEOUT, Time, fired, make_context

START, FREEZE, BACKUP = "ALTER SYSTEM ARCHIVELOG;", "ALTER SYSTEM MINOR FREEZE;", "ALTER SYSTEM BACKUP DATABASE;"
WRITERS = (
    SetBackupDestinationOperator, SetDataBackupDestinationOperator, SetArchiveOptionOperator, MinorFreezeOperator,
    StartArchivelogOperator, StopArchivelogOperator, BackupDatabaseOperator, CancelBackupOperator,
    ForceStopArchiveOperator,
)  # fmt: skip


@pytest.fixture
def ready(cluster: Sandbox) -> Sandbox:
    cluster.parameters["backup_dest"] = "file:///data/nfs/backup"
    return cluster


def shown(task: Any) -> str:
    """What Airflow stores when a stretch of work ends: it renders the field first, so it must be text and legal."""
    assert "sql_plan" in task.template_fields
    assert task.template_fields_renderers["sql_plan"] == "sql"
    assert task.overwrite_rtif_after_execution
    return str(task.sql_plan)


def stretches(make: Callable[[], Any], *, deferred: Callable[[], object] = lambda: None) -> list[str]:
    """What is shown at the end of each stretch of work; each has a task of its own, as in another process."""
    context, seen = make_context(), []

    def stretch(work: Callable[[Any], Any]) -> TaskDeferred | None:
        task = copy.copy(make())
        assert task.sql_plan == "", "rendered as nothing before it runs"
        task.pre_execute(context)
        try:
            work(task)
        except TaskDeferred as waits:
            return waits
        except OceanBaseError:
            pass
        finally:
            seen.append(shown(task))
        return None

    waits = stretch(lambda task: task.execute(context))
    while waits:
        deferred()
        event, method = fired(waits.trigger), waits.method_name
        waits = stretch(lambda task: task.resume_execution(method, {"event": event}, context))  # noqa: B023
    return seen


@pytest.mark.parametrize("kind", WRITERS)
def test_who_writes_shows_it(kind: type[BaseOperator]) -> None:
    assert shown(kind(task_id="task")) == ""
    with pytest.raises(TypeError):
        kind(task_id="task", sql_plan="SELECT 1")


@pytest.mark.parametrize("kind", [CheckBackupPrerequisitesOperator, DiagnoseArchiveOperator])
def test_who_reads_does_not(kind: type[BaseOperator]) -> None:
    assert "sql_plan" not in kind.template_fields
    assert not kind.overwrite_rtif_after_execution


def test_one_statement(ready: Sandbox, clock: Time) -> None:
    assert stretches(lambda: StartArchivelogOperator(task_id="start")) == [START]
    assert stretches(lambda: StartArchivelogOperator(task_id="start")) == [NOTHING_SENT], "it runs already"


def test_a_task_that_fails_before_it_sends(ready: Sandbox, clock: Time) -> None:
    ready.force_status("INTERRUPTED")
    assert stretches(lambda: StartArchivelogOperator(task_id="start")) == [NOTHING_SENT]


def test_a_refusal_is_shown_with_its_code(ready: Sandbox, clock: Time) -> None:
    ready.faults.error_once = ("SYSTEM ARCHIVELOG", 1227)
    (text,) = stretches(lambda: StartArchivelogOperator(task_id="start"))
    assert text == f"{START}\n-- answered [1227]; see the log of this task"


@pytest.mark.parametrize("deferrable", [True, False])
def test_while_it_waits_and_when_it_has_ended(ready: Sandbox, clock: Time, deferrable: bool) -> None:
    seen = stretches(lambda: MinorFreezeOperator(task_id="freeze", deferrable=deferrable))
    assert seen == [FREEZE] * (2 if deferrable else 1)


def test_what_is_sent_after_a_wait_is_added(ready: Sandbox, clock: Time) -> None:
    ready.force_status("STOPPING")
    seen = stretches(lambda: StartArchivelogOperator(task_id="start"))
    assert seen == [NOTHING_SENT, START]


def test_several_waits(ready: Sandbox, clock: Time) -> None:
    ready.force_status("INTERRUPTED")
    seen = stretches(lambda: StartArchivelogOperator(task_id="start", restart_interrupted=True))
    assert seen[-1] == f"ALTER SYSTEM NOARCHIVELOG;\n{START}"
    assert seen[0] == "ALTER SYSTEM NOARCHIVELOG;"


def test_a_backup_and_its_end(ready: Sandbox, clock: Time) -> None:
    ready.force_status("DOING")
    assert stretches(lambda: BackupDatabaseOperator(task_id="backup")) == [BACKUP, BACKUP]


def test_results_hold_nothing_of_it(ready: Sandbox, clock: Time) -> None:
    context = make_context()
    with pytest.raises(TaskDeferred) as waits:
        MinorFreezeOperator(task_id="freeze").execute(context)
    event = fired(waits.value.trigger)
    result = MinorFreezeOperator(task_id="freeze").resume_execution("frozen", {"event": event}, context)
    assert sorted(result) == ["changed", "completed", "frozen_at", "merges", "oceanbase_conn_id", "statements"]


def test_a_row_of_an_earlier_release(ready: Sandbox, clock: Time) -> None:
    """Its wait carries no plan: what was sent before is not known, and not denied."""
    with pytest.raises(TaskDeferred) as waits:
        MinorFreezeOperator(task_id="freeze").execute(make_context())
    event = fired(waits.value.trigger)
    event["carry"] = {key: value for key, value in event["carry"].items() if not key.startswith("_")}
    assert event["carry"]["statements"] == [FREEZE.rstrip(";")], "the operator finds what it needs"
    task = MinorFreezeOperator(task_id="freeze")
    assert task.resume_execution("frozen", {"event": event}, make_context())["completed"]
    assert shown(task) == LOST


def test_a_wait_that_the_scheduler_has_ended(ready: Sandbox, clock: Time) -> None:
    task = MinorFreezeOperator(task_id="freeze")
    task.resume_execution(TRIGGER_FAIL_REPR, {"error": TRIGGER_TIMEOUT}, make_context())
    assert shown(task) == LOST


def test_tries_in_one_process_do_not_share_it(ready: Sandbox, clock: Time) -> None:
    """As in ``dag.test()``, where each try is a shallow copy."""
    original = StartArchivelogOperator(task_id="start")
    first, second = copy.copy(original), copy.copy(original)
    for one in (first, second):
        one.pre_execute(make_context())
        one.execute(make_context())
    assert (original.sql_plan, shown(first), shown(second)) == ("", START, NOTHING_SENT)


DRY = "-- dry run, nothing is sent"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: StartArchivelogOperator(task_id="t", dry_run=True), [START]),
        (lambda: StopArchivelogOperator(task_id="t", dry_run=True), ["-- nothing to do"]),
        (lambda: MinorFreezeOperator(task_id="t", dry_run=True), [FREEZE]),
        (
            lambda: SetBackupDestinationOperator(task_id="t", destination="file:///other", dry_run=True),
            ["ALTER SYSTEM SET backup_dest = 'file:///other';"],
        ),
        (
            lambda: SetArchiveOptionOperator(task_id="t", mode="mandatory", dry_run=True),
            ["ALTER SYSTEM SET backup_log_archive_option = 'mandatory compression= lz4_1.0';"],
        ),
    ],
    ids=["start", "stop", "freeze", "destination", "option"],
)
def test_a_dry_run_shows_what_it_would_send(
    ready: Sandbox, clock: Time, make: Callable[[], Any], expected: list[str]
) -> None:
    assert stretches(make) == ["\n".join([DRY, *expected])]
    assert not ready.writes


def test_dry_runs_about_data_backups(ready: Sandbox, clock: Time) -> None:
    ready.force_status("DOING")
    assert stretches(lambda: BackupDatabaseOperator(task_id="t", dry_run=True)) == [f"{DRY}\n{BACKUP}"]
    assert stretches(lambda: CancelBackupOperator(task_id="t", dry_run=True)) == [f"{DRY}\n-- nothing to do"]
    with pytest.raises(TaskDeferred):
        BackupDatabaseOperator(task_id="t").execute(make_context())
    (text,) = stretches(lambda: CancelBackupOperator(task_id="t", dry_run=True))
    assert text.splitlines() == [DRY, "ALTER SYSTEM CANCEL BACKUP;", "-- which ends the full data backup 1"]


def test_a_dry_run_of_a_stop_by_force(ready: Sandbox, clock: Time) -> None:
    ready.force_status("STOPPING")
    (text,) = stretches(lambda: ForceStopArchiveOperator(task_id="t", destination="file:///new", dry_run=True))
    assert text.splitlines() == [
        DRY,
        "ALTER SYSTEM CANCEL ALL BACKUP FORCE;",
        "ALTER SYSTEM SET backup_dest = 'file:///new';",
    ]


def test_the_arguments_of_a_wait_stay_plain(ready: Sandbox, clock: Time) -> None:
    with pytest.raises(TaskDeferred) as waits:
        MinorFreezeOperator(task_id="freeze").execute(make_context())
    kwargs = waits.value.trigger.serialize()[1]
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert kwargs["carry"]["_sql_plan"] == {"lines": [FREEZE], "more": 0}
