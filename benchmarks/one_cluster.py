"""The tasks of one cluster without Airflow's processes, on a cluster whose clock moves only where somebody sleeps.

So every count is the same each time, and three minutes take none.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Literal, Protocol

import pytest

from airflow_ob_provider.sandbox import Sandbox
from benchmarks.figures import check
from benchmarks.home import add_connection, airflow_home
from demo.clusters import ask

CONN_ID, MYSQL_CONN_ID = "ob", "ob_mysql"
COMPRESSION, DESTINATION = "zstd_1.3.8", "file:///data/nfs/backup"


class Task(Protocol):
    """An operator or a sensor."""

    def execute(self, context: Any) -> Any: ...


Step = Callable[[], Task]
"""Makes a task, as every worker does that gets it."""


@dataclass(frozen=True)
class Worked:
    """What the work on one cluster has come to.

    :param starts: how often a worker has begun or resumed each task.
    :param slept: seconds of the cluster's clock that workers have slept in each task; a trigger holds no slot.
    :param told: statements that the cluster got while each task was under way.
    :param written: statements that write, in their order, without comments.
    """

    starts: dict[str, int]
    slept: dict[str, float]
    told: dict[str, int]
    written: list[str]


@contextmanager
def quiet_airflow() -> Iterator[None]:
    """An Airflow of our own that logs nothing; nothing of Airflow may be imported before."""
    with airflow_home():
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
        import airflow.settings  # noqa: F401 - after it has set up its logging

        logging.disable(logging.WARNING)
        yield


def work(steps: Mapping[str, Step], *, slow_start: float = 0.0) -> Worked:
    """Do all steps on a new cluster, one after the other.

    :param slow_start: seconds for which every tenant stays in BEGINNING longer than it must.
    :raises WrongResultError: log backup is not DOING at the end, or was not started last of all that was written.
    """
    random.seed(0)  # triggers spread their polls
    worked = Worked({}, {}, {}, [])
    with Sandbox("3.2.4", manual_clock=True) as box, pytest.MonkeyPatch.context() as patch:
        add_connection(CONN_ID, box.connection())
        mysql = {"conn_type": "mysql", "extra": {"client": "mysql-connector-python"}}
        add_connection(MYSQL_CONN_ID, box.connection(), **mysql)
        box.faults.slow_start_seconds = slow_start
        harness: Any = import_module("tests.unit.operators.harness")
        clock = harness.Time(box)
        harness.patch_time(clock, patch)
        for name, step in steps.items():
            before = len(box.statements)
            worked.starts[name], worked.slept[name] = _done(step, harness, clock)
            worked.told[name] = len(box.statements) - before
        worked.written.extend(one.sql.rpartition("*/ ")[2] for one in box.writes)
        check(worked.written[-1:] == ["ALTER SYSTEM ARCHIVELOG"], f"written: {worked.written}")
        statuses = {row[0] for row in ask(box, "SELECT STATUS FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG")}
        check(statuses == {"DOING"}, f"log backup is {statuses}")
    return worked


def _done(make: Step, harness: Any, clock: Any) -> tuple[int, float]:
    """A task to its end, through every deferral and every pause; how often a worker has begun, and what it slept."""
    from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred

    context = harness.make_context()
    stay: Callable[[], Any] = partial(make().execute, context)
    starts, slept = 0, 0.0
    while True:
        starts, began = starts + 1, clock.elapsed
        try:
            stay()
            return starts, slept + clock.elapsed - began
        except TaskDeferred as deferred:
            slept += clock.elapsed - began
            kwargs = {**(deferred.kwargs or {}), "event": harness.fired(deferred.trigger)}
            task: Any = make()
            stay = partial(task.resume_execution, deferred.method_name, kwargs, context)
        except AirflowRescheduleException as again:
            slept += clock.elapsed - began
            now = clock.utcnow()
            context["ti"].first_reschedule = context["ti"].first_reschedule or now
            clock.sleep((again.reschedule_date - now).total_seconds())
            stay = partial(make().execute, context)


class _Function:
    """A task that is a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._do = partial(function, *arguments)

    def execute(self, context: Any) -> Any:  # noqa: ARG002 - as operators have it
        return self._do()


def provider_steps(seconds: float) -> dict[str, Step]:
    """What the template DAG asks of one cluster, by task; it looks every so many seconds."""
    from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, freeze_is_useful, present_state
    from airflow_ob_provider.operators.freeze import MinorFreezeOperator
    from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
    from airflow_ob_provider.operators.settings import SetArchiveOptionOperator, SetBackupDestinationOperator
    from airflow_ob_provider.sensors.archivelog import (
        ArchiveCheckpointSensor,
        ArchiveDoingSensor,
        PieceStatusSensor,
    )

    def make(kind: type, task_id: str, **arguments: Any) -> Step:
        return partial(kind, task_id=task_id, oceanbase_conn_id=CONN_ID, **arguments)

    place, waits, sensor = {"destination": DESTINATION}, {"poll_interval": seconds}, {"poke_interval": seconds}
    mode = {"mode": "optional", "compression": COMPRESSION}
    return {
        "prerequisites": make(CheckBackupPrerequisitesOperator, "prerequisites", **place),
        "destination": make(SetBackupDestinationOperator, "destination", **place),
        "option": make(SetArchiveOptionOperator, "option", **mode),
        "needed": partial(_Function, freeze_is_useful, CONN_ID, "advised"),
        "minor_freeze": make(MinorFreezeOperator, "minor_freeze", **waits),
        "start": make(StartArchivelogOperator, "start", **waits),
        "doing": make(ArchiveDoingSensor, "doing", **sensor),
        "pieces": make(PieceStatusSensor, "pieces", **sensor),
        "checkpoint": make(ArchiveCheckpointSensor, "checkpoint", **sensor),
        "summary": partial(_Function, present_state, CONN_ID),
    }


def generic_steps(mode: Literal["poke", "reschedule"], poke_interval: float) -> dict[str, Step]:
    """What the baseline asks of one cluster, by task."""
    from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
    from airflow.providers.common.sql.sensors.sql import SqlSensor

    from benchmarks.dags import generic_log_archive as generic

    def run(task_id: str, sql: str | list[str]) -> Step:
        return partial(SQLExecuteQueryOperator, task_id=task_id, conn_id=MYSQL_CONN_ID, sql=sql)

    def wait(task_id: str, sql: str) -> Step:
        return partial(
            SqlSensor, task_id=task_id, conn_id=MYSQL_CONN_ID, sql=sql, mode=mode, poke_interval=poke_interval
        )

    return {
        "prerequisites": run("prerequisites", generic.PREREQUISITES),
        "destination": run("destination", generic.DESTINATION),
        "option": run("option", generic.OPTION),
        "freeze": run("freeze", generic.FREEZE),
        "frozen": wait("frozen", generic.FROZEN),
        "start": run("start", generic.START),
        "doing": wait("doing", generic.DOING),
        "pieces": wait("pieces", generic.PIECES),
    }
