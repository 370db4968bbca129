"""DAGs that start each other through assets: log backup, then data backup; a break, then the recovery.

The tests go on from one another, in this order. What waits long loses its worker and its triggerer on the way.
"""

from __future__ import annotations

import json

import pytest

from airflow_ob_provider.report_backup import NOT_NEEDED, RESTORABLE
from airflow_ob_provider.report_recovery import NOTHING, RESTORED
from airflow_ob_provider.sandbox import Sandbox
from demo.processes import wait_until
from demo.rest import Run
from tests.recorded import sent

from .canaries import files_with, in_clear, rows_of
from .conftest import CANARY, ID_CANARY, Scene, Stack, ask, place_data_backups, polls
from .processes import hold

WATCH = "oceanbase://watched/log-archive/watch"
CADENCE = 1.0
QUIET = 8.0
SLOW = 9.0
"""Seconds that a statement takes whose worker is to be killed before the answer."""


@pytest.fixture(scope="module")
def chained(stack: Stack, template: Scene) -> dict[str, Sandbox]:
    """Two clusters whose log backup is proven again, so that a data backup begins by itself."""
    assert template.run.wait() == "success"
    v4 = template.boxes["v4"]
    place_data_backups(v4)
    v4.faults.stuck_backups = {"tenant1"}
    die_in(v4, "ALTER SYSTEM BACKUP")
    for box in template.boxes.values():
        box.clear_statements()
    stack.rest.unpause("ob_data_backup")
    stack.rest.trigger("ob_log_archive", oceanbase_conn_ids=["v3", "v4"], poll_interval=1)
    return dict(template.boxes)


def die_in(box: Sandbox, statement: str) -> None:
    """Let a statement take long enough for its worker to be killed in it."""
    box.faults.slow_answers_pattern = statement
    box.faults.slow_answers_seconds = SLOW


def kill_worker_of(stack: Stack, box: Sandbox, run: Run, task_id: str, conn_id: str = "") -> None:
    """Kill the worker that runs a task now, of that cluster if it is mapped; the next is answered at once."""
    (task,) = [
        one
        for one in run.tasks(task_id)
        if one["state"] == "running" and (not conn_id or one["rendered_map_index"] == conn_id)
    ]
    stack.processes.kill_worker(task["pid"])
    box.faults.slow_answers_seconds = 0


def wait_for(run: Run, state: str, task_id: str, conn_id: str) -> None:
    """Wait until the task of one cluster is in a state."""

    def there() -> bool:
        return [one["state"] for one in run.tasks(task_id) if one["rendered_map_index"] == conn_id] == [state]

    wait_until(there, lambda: f"{task_id} of {conn_id} is {state}; now {run.states()}", 180)


def memory_of_the_watch(stack: Stack) -> str:
    """All that is stored for assets."""
    return str([row for table, row in rows_of(stack.processes.database) if table.startswith("asset_state")])


def kinds(stack: Stack) -> list[str]:
    """What the watch has told, in its order."""
    return [event["payload"]["kind"] for event in stack.told(WATCH)]


def test_log_backup_that_is_proven_starts_a_data_backup_by_itself(stack: Stack, chained: dict[str, Sandbox]) -> None:
    jobs = "SELECT 1 FROM oceanbase.CDB_OB_BACKUP_JOBS"
    wait_until(lambda: ask(chained["v4"], jobs), "a data backup is started", 240, 0.1)
    (run,) = stack.rest.started_by_assets("ob_data_backup")[:1]
    assert run.states()["cluster.gate.proof[0]"] == "success"
    kill_worker_of(stack, chained["v4"], run, "cluster.backup", "v4")


def test_a_quiet_cluster_costs_one_query_a_cadence_and_tells_nothing(stack: Stack, watched: Sandbox) -> None:
    wait_until(lambda: polls(watched), "it is watched", 60)
    before = len(watched.statements)
    hold(QUIET)
    made = watched.statements[before:]
    assert QUIET / CADENCE / 2 <= len(made) <= QUIET / 0.9 / CADENCE + 2, len(made)
    assert all("CDB_OB_ARCHIVELOG" in one.sql for one in made)
    assert stack.told(WATCH) == []
    assert stack.rest.started_by_assets("ob_archive_recovery") == []


def test_a_break_is_told_once_and_starts_one_run_that_waits_for_a_person(
    stack: Stack, watched: Sandbox, chained: dict[str, Sandbox]
) -> None:
    watched.interrupt("tenant1")
    wait_until(lambda: stack.told(WATCH), "the break is told", 60)
    (run,) = wait_until(lambda: stack.rest.started_by_assets("ob_archive_recovery"), "the recovery begins", 60)
    run.wait_for_tasks("awaiting_input", "approve")
    wait_until(
        lambda: '"interrupted"' in memory_of_the_watch(stack),
        lambda: f"the watch remembers it: {memory_of_the_watch(stack)}",
    )
    (backup,) = stack.rest.started_by_assets("ob_data_backup")[:1]
    wait_for(backup, "deferred", "cluster.backup", "v4")

    stack.restart_triggerer(watched, chained["v4"])
    hold(6)

    (event,) = stack.told(WATCH)
    assert event["payload"]["kind"] == "interrupted"
    assert [change["tenant"] for change in event["payload"]["changes"]] == ["tenant1"]
    assert len(stack.rest.started_by_assets("ob_archive_recovery")) == 1
    assert watched.writes == ()
    assert run.states()["approve"] == "awaiting_input"
    assert "INTERRUPTED" in run.log("diagnose")


def test_an_approval_by_rest_brings_a_new_round_and_a_full_backup(stack: Stack, watched: Sandbox) -> None:
    (run,) = stack.rest.started_by_assets("ob_archive_recovery")
    watched.faults.stuck_backups = {"tenant1"}
    die_in(watched, "ALTER SYSTEM NOARCHIVELOG")
    stopped = "SELECT 1 FROM oceanbase.CDB_OB_ARCHIVELOG WHERE STATUS IN ('STOPPING', 'STOP')"
    run.answer("approve", "Approve")
    wait_until(lambda: ask(watched, stopped), "it is stopped", 120, 0.1)
    kill_worker_of(stack, watched, run, "restart.stop")
    run.wait_for_tasks("deferred", "restart.backup")
    wait_until(lambda: len(kinds(stack)) > 1, "that it is healthy again is told", 60)
    wait_until(lambda: '"interrupted"' not in memory_of_the_watch(stack), "the watch remembers that", 60)
    stack.restart_triggerer(watched)
    watched.faults.reset()

    assert run.wait() == "success", run.story()
    assert sent(watched.writes)[:2] == [
        "ALTER SYSTEM NOARCHIVELOG TENANT = 'tenant1'",
        "ALTER SYSTEM ARCHIVELOG TENANT = 'tenant1'",
    ]
    assert sent(watched.writes)[2].startswith("ALTER SYSTEM BACKUP TENANT = 'tenant1'")
    assert len(watched.writes) == 3
    assert [task["try_number"] for task in run.tasks("restart.stop")] == [2]
    state = "SELECT STATUS, ROUND_ID FROM oceanbase.CDB_OB_ARCHIVELOG WHERE TENANT_ID = 1002"
    assert ask(watched, state) == (("DOING", 2),)

    report = run.result("summary")
    assert report["verdict"] == RESTORED
    assert run.result("check")["verdict"] in {"OK", "WARN"}, run.result("check")["summary"]
    ledger = stack.processes.home / "oceanbase-reports" / "watched" / "recoveries.json"
    (entry,) = json.loads(ledger.read_text(encoding="utf-8"))
    assert entry["approved_by"]
    assert entry["run"] == f"ob_archive_recovery/{run.run_id}"
    gap = entry["tenants"]["tenant1"]["gap"]
    assert gap["from"] < gap["to"]["tenant1"]


def test_the_event_that_it_is_healthy_again_finds_nothing_to_do(stack: Stack, watched: Sandbox) -> None:
    # One run at a time: the second is made when the first has ended.
    runs = wait_until(
        lambda: found if len(found := stack.rest.started_by_assets("ob_archive_recovery")) > 1 else None,
        "the second event starts a run",
    )
    assert kinds(stack) == ["interrupted", "healthy"]
    assert [run.wait() for run in runs] == ["success", "success"]
    assert runs[1].result("summary")["verdict"] == NOTHING
    assert len(watched.writes) == 3


def test_the_data_backup_of_both_generations_is_proven_and_sent_once(stack: Stack, chained: dict[str, Sandbox]) -> None:
    chained["v4"].faults.reset()
    runs = stack.rest.started_by_assets("ob_data_backup")
    assert [run.wait() for run in runs] == ["success"] * len(runs), [run.states() for run in runs]

    report = runs[0].result("report")
    assert {row["connection"]: row["verdict"] for row in report["clusters"]} == {"v3": RESTORABLE, "v4": RESTORABLE}
    assert set(runs[0].asset_events()) == {"oceanbase://v3/data-backup", "oceanbase://v4/data-backup"}
    assert sent(chained["v3"].writes) == ["ALTER SYSTEM BACKUP DATABASE"]
    (statement,) = sent(chained["v4"].writes)
    assert statement.startswith("ALTER SYSTEM BACKUP TENANT = 'tenant1'")
    later = [row["verdict"] for run in runs[1:] for row in run.result("report")["clusters"]]
    assert set(later) <= {NOT_NEEDED}, "a second event finds what the first has made"
    assert {one["rendered_map_index"]: one["try_number"] for one in runs[0].tasks("cluster.backup")} == {
        "v3": 1,
        "v4": 2,
    }


def test_what_was_chained_is_compliant(stack: Stack, chained: dict[str, Sandbox]) -> None:
    writes = {name: len(box.writes) for name, box in chained.items()}
    run = stack.rest.trigger("ob_archive_compliance", oceanbase_conn_ids=["v3", "v4"])
    assert run.wait() == "success", [run.result("cluster.check", number)["summary"] for number in (0, 1)]
    assert set(run.asset_events()) == {f"oceanbase://{name}/log-archive/compliant" for name in chained}
    assert {name: len(box.writes) for name, box in chained.items()} == writes


def test_what_the_chain_has_stored_holds_no_secret(stack: Stack, chained: dict[str, Sandbox]) -> None:
    assert files_with(CANARY, stack.processes.home) == []
    rows = [(table, str(in_clear(row, stack.processes.fernet_key))) for table, row in rows_of(stack.processes.database)]
    assert {table for table, row in rows if CANARY in row} == {"connection"}
    assert {table for table, row in rows if ID_CANARY in row} == {"connection", "log"}
    assert "oceanbase-data-backup" in str([row for table, row in rows if table.startswith("task_state")])
