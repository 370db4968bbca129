"""What the tasks of this run have returned, for a report at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def results_of(ti: Any, steps: Mapping[str, str]) -> dict[str, Any]:
    """The result of each step for the map index of ``ti``: of tasks that have run now, well or not.

    A task that failed may have returned why. One that is cleared and never starts again keeps the result of its last
    run, so only tasks that ended in this one count. They are pulled by name: as arguments they would draw a line from
    every task to the report.

    :param steps: task ids by the name of the step.
    :return: by step; None where it returned nothing.
    """
    states = ti.get_task_states(
        dag_id=ti.dag_id, run_ids=[ti.run_id], map_index=ti.map_index, task_ids=list(steps.values())
    )[ti.run_id]
    mapped = ti.map_index is not None and ti.map_index >= 0
    return {
        step: ti.xcom_pull(task_ids=task_id, map_indexes=ti.map_index if mapped else None)
        for step, task_id in steps.items()
        if states.get(f"{task_id}_{ti.map_index}" if mapped else task_id) in {"success", "failed"}
    }
