"""How long after log backup is DOING a wait for it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from random import Random
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any

from airflow_ob_provider.sandbox import Sandbox
from benchmarks.figures import Benchmark, Figure, check
from benchmarks.home import add_connection, airflow_home

AIRFLOW_SECONDS = 1.0
"""Airflow's triggerer hands events over once a second."""
CONTEXT: Any = {"ti": SimpleNamespace(dag_id="benchmark", task_id="wait", run_id="manual__2026-01-01", try_number=1)}


@dataclass(frozen=True)
class Sample:
    """One wait, one tenant."""

    due: float
    """When the tenant becomes DOING, by ``time.monotonic``."""
    seen: float
    """When the wait had ended."""


@dataclass(frozen=True)
class Transition:
    """A tenant has become DOING, not before these moments."""

    at: float
    server_time: datetime


class Fleet:
    """Clusters whose tenants become DOING one after the other, each at a moment of its own."""

    def __init__(self, clusters: int, tenants: int, apart: float, life: ExitStack) -> None:
        self.boxes = [
            life.enter_context(Sandbox("4.2.5", tenants=tenants, tick_seconds=3600.0)) for _ in range(clusters)
        ]
        self.places = list(product(range(clusters), (f"tenant{number + 1}" for number in range(tenants))))
        self._apart = apart
        for number, box in enumerate(self.boxes):
            add_connection(f"cluster_{number}", box.connection())
            extra = {"client": "mysql-connector-python"}
            add_connection(f"mysql_{number}", box.connection(), conn_type="mysql", extra=extra)

    def begin(self) -> None:
        """Every tenant is on the way to DOING, and gets there by :meth:`go` only."""
        for box in self.boxes:
            box.force_status("BEGINNING")

    def go(self) -> list[Transition]:
        """Make them DOING, in the order of :attr:`places`; returns when it is done."""
        times: list[Transition | None] = [None] * len(self.places)
        order = list(range(len(self.places)))
        chance = Random(7)  # the same for both sides, and no multiple of the cadence
        chance.shuffle(order)
        for number in order:
            time.sleep(self._apart * chance.uniform(0.5, 1.5))
            cluster, tenant = self.places[number]
            times[number] = Transition(time.monotonic(), self.boxes[cluster].now)
            self.boxes[cluster].force_status("DOING", tenant)
        return [one for one in times if one is not None]


def _ours(fleet: Fleet, cadence: float) -> list[Sample]:
    from airflow.sdk.exceptions import TaskDeferred

    from airflow_ob_provider.sensors.archivelog import ArchiveDoingSensor
    from benchmarks.triggerer_process import triggerer

    triggers = []
    for cluster, tenant in fleet.places:
        sensor = ArchiveDoingSensor(
            task_id="wait", oceanbase_conn_id=f"cluster_{cluster}", tenants=[tenant], poke_interval=cadence
        )
        try:
            sensor.execute(CONTEXT)
        except TaskDeferred as deferred:
            triggers.append(deferred.trigger)
    check(len(triggers) == len(fleet.places), "a sensor saw DOING too early")
    with triggerer() as process, ThreadPoolExecutor(1) as other:
        process.add(triggers)
        process.turn_until(process.started, 60, "all waits have started")
        process.turn_until(lambda: all(_looked(box) for box in fleet.boxes), 60, "every poller has looked")
        check(not process.fired, "a wait has ended before log backup was DOING")
        going = other.submit(fleet.go)
        process.turn_until(lambda: len(process.fired) == len(triggers), 300, "every wait has ended")
        check(not process.troubles, f"the triggerer complains: {process.troubles[:3]}")
        fired = [process.fired[number] for number in sorted(process.fired)]
        for one, moved in zip(fired, going.result(), strict=True):
            check(one.payload["status"] == "ready", f"a wait was not ready: {one.payload}")
            # By the server's own clock: what was judged had been read after the tenant had become DOING.
            read_at = datetime.fromisoformat(one.payload["summary"]["read_at"]).replace(tzinfo=None)
            check(read_at >= moved.server_time - timedelta(milliseconds=1), f"{read_at} is before {moved}")
        return [Sample(moved.at, one.at) for one, moved in zip(fired, going.result(), strict=True)]


def _looked(box: Sandbox) -> bool:
    return any("tenant_id" in one.sql.lower() and "label" not in one.sql for one in box.statements)


def _theirs(fleet: Fleet, cadence: float) -> list[Sample]:
    from airflow.providers.common.sql.sensors.sql import SqlSensor

    def ended(cluster: int, tenant: str) -> float:
        sensor = SqlSensor(
            task_id="wait",
            conn_id=f"mysql_{cluster}",
            sql=(
                "SELECT a.STATUS FROM oceanbase.CDB_OB_ARCHIVELOG a JOIN oceanbase.DBA_OB_TENANTS t "
                f"ON t.TENANT_ID = a.TENANT_ID WHERE t.TENANT_NAME = '{tenant}'"
            ),
            success=lambda status: status == "DOING",
            poke_interval=cadence,
            timeout=600,
        )
        poking.release()
        sensor.execute(CONTEXT)
        return time.monotonic()

    poking = threading.Semaphore(0)
    with ThreadPoolExecutor(len(fleet.places)) as workers:
        waits = [workers.submit(ended, *place) for place in fleet.places]
        for _ in waits:
            poking.acquire()
        moved = fleet.go()
        return [Sample(one.at, wait.result()) for one, wait in zip(moved, waits, strict=True)]


def measure(quick: bool) -> Iterator[Figure]:
    cadence = 1.0 if quick else 2.0
    clusters, tenants, apart = (2, 2, 0.2) if quick else (6, 10, 0.5)
    with airflow_home(), ExitStack() as life:
        fleet = Fleet(clusters, tenants, apart, life)
        sides: list[list[float]] = []
        for side in (_ours, _theirs):
            fleet.begin()
            samples = side(fleet, cadence)
            check(len(samples) == clusters * tenants, "a wait was lost")
            sides.append([one.seen - one.due for one in samples])
        ours, theirs = sides
        shown = f"{len(ours)} waits at a cadence of {cadence:g} s"
        yield Figure(
            what=f"Events before the tenant was DOING, {shown}",
            ours=sum(one < 0 for one in ours),
            baseline=sum(one < 0 for one in theirs),
            unit="",
            exactly=0,
        )
        figures: list[tuple[str, Callable[[list[float]], float], float | None]] = [
            ("median", median, None),
            ("95 %", _p95, cadence + AIRFLOW_SECONDS),
            ("longest", max, None),
        ]
        for name, of, limit in figures:
            yield Figure(
                what=f"From DOING to the event, {name}, {shown}",
                ours=of(ours),
                baseline=of(theirs),
                unit="s",
                at_most=limit,
                note=NOTE if limit else "",
            )


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1]


NOTE = (
    "The provider's cadence is drawn anew from ± 10 % each time, so that pollers do not fall into step; the triggerer "
    "then hands events over once a second. A poke loop keeps a worker slot for it, and needs neither."
)

BENCHMARK = Benchmark(
    title="From DOING on the server to the end of the wait",
    baseline=(
        "SqlSensor in mode poke at the same cadence, a worker (here a thread) each: STATUS of the tenant's row of "
        "CDB_OB_ARCHIVELOG. The provider: until the event leaves Airflow's own triggerer process."
    ),
    measure=measure,
)
