"""DAGs that only the tests of a real Airflow have. A connection is called as the DAG that uses it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.triggers.base import BaseTrigger

from airflow_ob_provider.notifications.oceanbase import LogBackupAlarmNotifier
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.operators.settings import SetBackupDestinationOperator
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor, ArchiveDoingSensor, PieceStatusSensor

COMMON: dict[str, Any] = {
    "schedule": None,
    # Before the many tasks of the first DAG.
    "default_args": {"retries": 1, "retry_delay": timedelta(0), "priority_weight": 10, "weight_rule": "absolute"},
}

with DAG("many", **COMMON):
    ArchiveDoingSensor.partial(
        task_id="doing", oceanbase_conn_id="many", poke_interval=2, timeout=3000, priority_weight=1
    ).expand(tenants=[[f"tenant{number}"] for number in range(1, 51)])

with DAG("all_waits", **COMMON):
    # Every way to wait, and every statement that comes before or after a wait.
    on = {"oceanbase_conn_id": "all_waits_stopping", "poll_interval": 1, "timeout": 3000}
    MinorFreezeOperator(task_id="freeze", **on)
    StartArchivelogOperator(task_id="start", **on)
    on = {"oceanbase_conn_id": "all_waits_beginning", "poke_interval": 1, "timeout": 3000}
    ArchiveDoingSensor(task_id="doing", **on)
    PieceStatusSensor(task_id="pieces", **on)
    on = {"oceanbase_conn_id": "all_waits_hanging", "timeout": 3000}
    StopArchivelogOperator(task_id="stop", tenants=["tenant1"], confirm=True, poll_interval=1, **on)
    ArchiveCheckpointSensor(
        task_id="checkpoint", tenants=["tenant2"], on_partial_failure="continue", poke_interval=1, **on
    )

with DAG("killed_worker", **COMMON):
    StartArchivelogOperator(task_id="start", oceanbase_conn_id="killed_worker", poll_interval=1)

with DAG("marked", **COMMON):
    on = {"oceanbase_conn_id": "marked", "timeout": 3000}
    StartArchivelogOperator(task_id="start", poll_interval=1, **on)
    ArchiveDoingSensor(task_id="doing", poke_interval=1, **on)

OVERDUE = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT,
    interval=timedelta(seconds=1),
    callback=AsyncCallback(LogBackupAlarmNotifier, {"language": "zh"}),
)

with DAG("late", deadline=OVERDUE, **COMMON):
    on = {"oceanbase_conn_id": "late", "timeout": 3}
    StartArchivelogOperator(task_id="start", poll_interval=1, retries=0, **on)
    ArchiveDoingSensor(task_id="doing", poke_interval=1, **on)
    ArchiveDoingSensor(task_id="soft", poke_interval=1, soft_fail=True, **on)

with DAG("refused", **COMMON):
    SetBackupDestinationOperator(
        task_id="destination", oceanbase_conn_id="refused", destination="oss://bucket/refused", dest_conn_id="keys"
    )


class Row(BaseTrigger):
    """A row of the trigger table as some release has written it."""

    def __init__(self, classpath: str, kwargs: dict[str, Any]) -> None:
        super().__init__()
        self._row = classpath, kwargs

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return self._row

    async def run(self) -> Any:
        raise NotImplementedError("the triggerer makes the trigger that the row names")
        yield


class Deferred(BaseOperator):
    """A task that waits by such a row, and returns the event that ends it."""

    def __init__(self, *, row: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.row = row

    def execute(self, context: Any) -> Any:
        self.defer(trigger=Row(self.row["classpath"], self.row["kwargs"]), method_name="resume")

    def resume(self, context: Any, event: Any) -> Any:
        return {"row": self.row["name"], "event": event}


ROWS = [json.loads(line) for line in (Path(__file__).parent / "rows.jsonl").read_text().splitlines()]

with DAG("yesterday", **COMMON):
    # One row of each kind; the unit tests have them all.
    Deferred.partial(task_id="wait").expand(row=list({row["kwargs"]["wait"]["kind"]: row for row in ROWS}.values()))
