"""What several benchmarks of waits share. It imports Airflow: only inside :func:`benchmarks.home.airflow_home`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.sdk.exceptions import TaskDeferred
from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import ArchiveDoingSensor
from airflow_ob_provider.triggers.oceanbase import OceanBaseWaitTrigger
from benchmarks.figures import WrongResultError
from benchmarks.home import add_connection

CONTEXT: Any = {
    "ti": SimpleNamespace(
        dag_id="benchmark",
        task_id="wait",
        run_id="manual__2026-01-01",
        try_number=1,
        get_first_reschedule_date=lambda _: None,
    )
}


def add_connections(conn_id: str, box: Sandbox) -> None:
    """A cluster as the provider's users know it, and under ``<conn_id>_mysql`` as those of the MySQL provider do."""
    add_connection(conn_id, box.connection())
    extra = {"client": "mysql-connector-python"}
    add_connection(f"{conn_id}_mysql", box.connection(), conn_type="mysql", extra=extra)


def deferred(conn_id: str, **arguments: Any) -> BaseTrigger:
    """The trigger that the task of an ArchiveDoingSensor hands over after its first look."""
    trigger = None
    try:
        ArchiveDoingSensor(task_id="wait", oceanbase_conn_id=conn_id, **arguments).execute(CONTEXT)
    except TaskDeferred as waiting:
        trigger = waiting.trigger
    if not isinstance(trigger, BaseTrigger):
        raise WrongResultError("a sensor sees DOING too early")
    return trigger


def sql_sensor(conn_id: str, sql: str, success: Callable[[Any], bool], **arguments: Any) -> SqlSensor:
    """What a user writes today."""
    return SqlSensor(task_id="wait", conn_id=f"{conn_id}_mysql", sql=sql, success=success, **arguments)


class AloneTrigger(OceanBaseWaitTrigger):
    """As on Airflow before 3.3: each trigger's own ``run()``, with a loop and a connection of its own."""

    def shared_stream_key(self) -> Hashable | None:
        return None


class IdleTrigger(BaseEventTrigger):
    """What Airflow itself needs for a trigger: one that shares a stream with others, in which nothing ever comes."""

    def __init__(self, *, key: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.key = key

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.IdleTrigger", {"key": self.key}

    def shared_stream_key(self) -> Hashable | None:
        return self.key

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[Any, None]:  # noqa: ARG003
        while True:
            await asyncio.sleep(15)
            yield None

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        async for _ in shared_stream:
            pass
        yield TriggerEvent(None)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(None)
