"""What Airflow shows of a task: its SQL under Rendered Templates, and its links, as its own database has them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from .conftest import DEST

OCP = "https://ocp.example.com/cluster/1"
DRY = "-- dry run, nothing is sent"


def shown(run_id: str, task_id: str, map_index: int = 0) -> dict[str, Any]:
    """Rendered fields, as the UI gets them."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        ti = session.scalar(
            select(TaskInstance).where(
                TaskInstance.run_id == run_id, TaskInstance.task_id == task_id, TaskInstance.map_index == map_index
            )
        )
        return dict(RenderedTaskInstanceFields.get_templated_fields(ti, session=session) or {})


def links(dag: Any, run_id: str, task_id: str, map_index: int = 0) -> dict[str, str]:
    """Links, as the API server makes them of what the worker has left."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.session import create_session
    from sqlalchemy import select

    task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task(task_id)
    with create_session() as session:
        ti = session.scalar(
            select(TaskInstance).where(
                TaskInstance.run_id == run_id, TaskInstance.task_id == task_id, TaskInstance.map_index == map_index
            )
        )
        return {name: task.get_extra_links(ti, name) for name in task.extra_links}


@pytest.fixture
def done(new_cluster, add_connection, run_dag):
    box = new_cluster()
    add_connection(box, "oceanbase_default", ocp_url=OCP)
    return run_dag(destination=DEST)


def test_sql_and_links_of_a_run(done, load_dag):
    assert done.state == "success"
    sql = {step: shown(done.run_id, f"cluster.{step}") for step in ("destination", "freeze.minor_freeze", "start")}
    assert {step: fields["sql_plan"] for step, fields in sql.items()} == {
        "destination": f"ALTER SYSTEM SET backup_dest = '{DEST}';",
        "freeze.minor_freeze": "ALTER SYSTEM MINOR FREEZE;",  # it has waited in the triggerer
        "start": "ALTER SYSTEM ARCHIVELOG;",
    }
    assert sql["destination"]["destination"] == DEST
    assert "sql_plan" not in shown(done.run_id, "cluster.prerequisites")

    page = f"dags/ob_log_archive/runs/{quote(done.run_id, safe='')}/tasks/report"
    expected = {"OCP": OCP, "Report of this run": page}
    for step in ("prerequisites", "start", "freeze.minor_freeze", "verify.checkpoint"):
        found = links(load_dag(), done.run_id, f"cluster.{step}")
        assert {name: found[name] for name in expected} == expected


def test_a_dry_run_and_a_connection_without_ocp(new_cluster, run_dag, load_dag):
    new_cluster()
    dry = run_dag(destination=DEST, dry_run=True)
    assert shown(dry.run_id, "cluster.destination")["sql_plan"] == f"{DRY}\nALTER SYSTEM SET backup_dest = '{DEST}';"
    assert shown(dry.run_id, "cluster.start")["sql_plan"] == f"{DRY}\nALTER SYSTEM ARCHIVELOG;"
    assert links(load_dag(), dry.run_id, "cluster.start")["OCP"] == ""
