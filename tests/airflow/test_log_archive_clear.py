"""What a person clears runs again; results of tasks that did not run again prove nothing."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import DEST


def clear_and_run(dag: Any, run_id: str, first: str) -> tuple[str, dict[str, str]]:
    """Clear a task with all that follow it, as in the UI, and let the run go on; its end and its tasks' states."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import clear_task_instances
    from airflow.sdk.definitions.dag import _run_task
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState
    from sqlalchemy import select

    cleared = {first, *dag.get_task(first).get_flat_relative_ids(upstream=False)}
    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.run_id == run_id))
        run.dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        tasks = [one for one in run.get_task_instances(session=session) if one.task_id in cleared]
        clear_task_instances(tasks, session)
        run.state = DagRunState.RUNNING
        session.commit()
        for _ in range(200):
            if run.state != DagRunState.RUNNING:
                break
            session.expire_all()
            for one in run.update_state(session=session)[0]:
                one.try_number += 1
                one.state = TaskInstanceState.SCHEDULED
            session.commit()
            for one in run.get_task_instances(session=session):
                if one.state == TaskInstanceState.SCHEDULED:
                    _run_task(ti=one, task=dag.task_dict[one.task_id], run_triggerer=True)
            session.commit()
        return str(run.state), {one.task_id: str(one.state) for one in run.get_task_instances(session=session)}


@pytest.mark.parametrize("first", ["cluster.prerequisites", "cluster.start", "cluster.summary"])
def test_an_old_proof_is_none(first: str, new_cluster: Any, load_dag: Any, run_dag: Any) -> None:
    """Airflow keeps the results of tasks that are cleared and never start again."""
    box = new_cluster()
    done = run_dag(destination=DEST)
    assert (done.state, done.fleet["verdict"], len(done.asset_events)) == ("success", "proven", 1)

    box.force_status("INTERRUPTED")
    dag = load_dag()
    for task in dag.tasks:
        task.retries = 0
    state, states = clear_and_run(dag, done.run_id, first)

    assert state == "failed"
    assert states["cluster.summary"] == states["report"] == "failed"
    assert done.report_of()["verdict"] == done.fleet["verdict"] == "NOT PROVEN"
    assert "INTERRUPTED, round 1" in done.report_of()["markdown"]
    assert len(done.asset_events) == 1, "no second event starts a data backup"


def test_an_old_proof_is_none_also_where_the_round_still_runs(new_cluster: Any, load_dag: Any, run_dag: Any) -> None:
    """A step that fails now keeps the proof of before from being shown as this one's."""
    box = new_cluster()
    done = run_dag(destination=DEST)
    assert done.state == "success"

    box.faults.error_once = (r"archive\\?_option", 1227, "Access denied", False, 9)
    dag = load_dag()
    for task in dag.tasks:
        task.retries = 0
    state, states = clear_and_run(dag, done.run_id, "cluster.option")

    assert (states["cluster.option"], states["cluster.verify.checkpoint"]) == ("failed", "upstream_failed")
    assert state == "failed"
    assert done.report_of()["verdict"] == "NOT PROVEN"
    assert "At the time of this report: DOING, round 1" in done.report_of()["markdown"]
    assert len(done.asset_events) == 1
