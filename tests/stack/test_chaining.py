"""DAGs that start each other through assets: log backup, then data backup; a break, then the recovery.

The tests go on from one another, in this order. Both stories go on side by side, and what waits long loses its worker
and its triggerer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import pytest

from airflow_ob_provider.report_backup import NOT_NEEDED, RESTORABLE
from airflow_ob_provider.report_recovery import NOTHING, RESTORED
from airflow_ob_provider.sandbox import Sandbox
from tests.recorded import sent

from .canaries import files_with, rows_of
from .conftest import CANARY, ID_CANARY, Scene, Stack, ask, place_data_backups, polls
from .processes import hold, wait_until
from .rest import Run

WATCH = "oceanbase://watched/log-archive/watch"
CADENCE = 1.0


@dataclass(frozen=True)
class Chain:
    """Two clusters whose log backup is proven again, so that a data backup begins by itself."""

    stack: Stack
    boxes: dict[str, Sandbox]
    killed: Future[Run]
    """The run that the asset has started, when its worker is dead."""

    def prove(self, *conn_ids: str) -> Run:
        return self.stack.rest.trigger(
            "ob_log_archive",
            oceanbase_conn_ids=conn_ids,
            poll_interval=1,
        )


@pytest.fixture(scope="module", autouse=True)
def chain(stack: Stack, template: Scene) -> Iterator[Chain]:
    assert template.run.wait() == "success"
    v4 = template.boxes["v4"]
    place_data_backups(v4)
    v4.faults.stuck_backups = {"tenant1"}
    v4.faults.slow_answers_pattern = "ALTER SYSTEM BACKUP"
    v4.faults.slow_answers_seconds = 9
    for box in template.boxes.values():
        box.clear_statements()
    stack.rest.unpause("ob_data_backup")

    def kill() -> Run:
        wait_until(lambda: ask(v4, "SELECT 1 FROM oceanbase.CDB_OB_BACKUP_JOBS"), "a backup is started", 180, 0.1)
        (run,) = stack.rest.started_by_assets("ob_data_backup")[:1]
        kill_worker_of(stack, run, "cluster.backup", "v4")
        v4.faults.slow_answers_seconds = 0
        return run

    with ThreadPoolExecutor(1) as pool:
        made = Chain(stack, dict(template.boxes), pool.submit(kill))
        made.prove("v3", "v4")
        yield made


def kill_worker_of(stack: Stack, run: Run, task_id: str, conn_id: str = "") -> None:
    """Kill the worker that runs a task now, of that cluster if it is mapped."""
    tasks = [one for one in run.tasks(task_id) if one["state"] == "running"]
    (task,) = [one for one in tasks if one["rendered_map_index"] == conn_id] if conn_id else tasks
    stack.processes.kill_worker(task["pid"])


def restart_triggerer(stack: Stack, *boxes: Sandbox) -> None:
    """SIGKILL the triggerer and start another; come back when it polls these clusters."""
    stack.processes.kill("triggerer")
    seen = [{one.connection_id for one in box.statements} for box in boxes]
    stack.processes.start("triggerer")
    for number, box in enumerate(boxes):
        wait_until(
            lambda box=box, seen=seen[number]: {one.connection_id for one in polls(box)} - seen,
            "it is polled again",
            120,
        )


def test_a_quiet_cluster_costs_one_query_a_cadence_and_tells_nothing(stack: Stack, watched: Sandbox) -> None:
    wait_until(lambda: polls(watched), "it is watched", 60)
    before = len(watched.statements)
    hold(8)
    made = watched.statements[before:]
    assert 8 / 1.1 / CADENCE - 2 <= len(made) <= 8 / 0.9 / CADENCE + 2, len(made)
    assert all("CDB_OB_ARCHIVELOG" in one.sql for one in made)
    assert stack.rest.events(WATCH) == []
    assert stack.rest.started_by_assets("ob_archive_recovery") == []


def test_a_break_is_told_once_and_starts_one_run_that_waits_for_a_person(stack: Stack, watched: Sandbox) -> None:
    watched.interrupt("tenant1")
    wait_until(lambda: stack.rest.events(WATCH), "the break is told", 60)
    (run,) = wait_until(lambda: stack.rest.started_by_assets("ob_archive_recovery"), "the recovery begins", 60)
    run.wait_for_tasks("awaiting_input", "approve")
    wait_until(lambda: '"interrupted"' in memory(stack), lambda: f"the watch remembers it: {memory(stack)}", 60)

    restart_triggerer(stack, watched)
    hold(6)

    (event,) = stack.rest.events(WATCH)
    assert event["payload"]["kind"] == "interrupted"
    assert [change["tenant"] for change in event["payload"]["changes"]] == ["tenant1"]
    assert len(stack.rest.started_by_assets("ob_archive_recovery")) == 1
    assert watched.writes == ()
    assert run.states()["approve"] == "awaiting_input"


def memory(stack: Stack) -> str:
    """All that is stored for assets."""
    return str([row for table, row in rows_of(stack.processes.database) if table.startswith("asset_state")])


def test_both_stories(stack: Stack, watched: Sandbox, chain: Chain) -> None:
    (run,) = stack.rest.started_by_assets("ob_archive_recovery")
    watched.faults.stuck_backups = {"tenant1"}
    watched.faults.slow_answers_pattern = "ALTER SYSTEM NOARCHIVELOG"
    watched.faults.slow_answers_seconds = 9
    run.answer("approve", "Approve")
    wait_until(
        lambda: ask(watched, "SELECT 1 FROM oceanbase.CDB_OB_ARCHIVELOG WHERE STATUS IN ('STOPPING', 'STOP')"),
        "it is stopped", 60, 0.1,
    )
    kill_worker_of(stack, run, "restart.stop")
    watched.faults.slow_answers_seconds = 0
    run.wait_for_tasks("deferred", "restart.backup")
    chained = chain.killed.result(120)
    def parked():
        return [one["state"] for one in chained.tasks("cluster.backup") if one["rendered_map_index"] == "v4"] == ["deferred"]
    wait_until(parked, "v4 waits", 120)
    restart_triggerer(stack, watched, chain.boxes["v4"])
    watched.faults.reset()
    chain.boxes["v4"].faults.reset()
    try:
        assert run.wait() == "success", run.states()
        assert chained.wait() == "success", chained.states()
    finally:
        for one in (run, chained):
            print(one.states(), one.rest.get(one._path))
            for t in one.tasks():
                print(t["task_id"], t["map_index"], t["state"], t["try_number"], t["start_date"], t["end_date"])
        for box in (watched, *chain.boxes.values()):
            print(sent(box.writes))
        print(stack.rest.events(WATCH))
        print([ (r.run_id, r.states()) for r in stack.rest.started_by_assets("ob_archive_recovery")])
        print([ (r.run_id, r.states()) for r in stack.rest.started_by_assets("ob_data_backup")])
        import shutil; shutil.copytree(stack.processes.home, "/tmp/stack_home", dirs_exist_ok=True)
