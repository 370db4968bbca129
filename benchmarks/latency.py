"""How long after log backup is DOING a wait for it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from random import Random
from statistics import median, quantiles
from threading import Barrier
from typing import Any

from airflow_ob_provider.sandbox import Sandbox
from benchmarks.figures import Benchmark, Figure, check
from benchmarks.home import airflow_home

AIRFLOW_SECONDS = 1.0
"""Airflow's triggerer hands events over once a second."""
SQL = (
    "SELECT a.STATUS FROM oceanbase.CDB_OB_ARCHIVELOG a JOIN oceanbase.DBA_OB_TENANTS t ON t.TENANT_ID = a.TENANT_ID "
    "WHERE t.TENANT_NAME = '{tenant}'"
)


@dataclass(frozen=True)
class Sample:
    """One wait for one tenant; moments by ``time.monotonic``."""

    doing: float
    trigger: float
    """The trigger had its event."""
    event: float
    """The event was out of the triggerer; with a poke loop, the task had ended."""
    is_true: bool
    """It did not end before the tenant was DOING."""

    def to_trigger(self) -> float:
        return self.trigger - self.doing

    def to_event(self) -> float:
        return self.event - self.doing


@dataclass(frozen=True)
class Transition:
    """A tenant has become DOING, not before these moments."""

    at: float
    server_time: datetime


class Fleet:
    """Clusters whose tenants become DOING one after the other, each at a moment of its own."""

    def __init__(self, clusters: int, tenants: int, apart: float, life: ExitStack) -> None:
        from benchmarks.waits import add_connections

        self.boxes = [
            life.enter_context(Sandbox("4.2.5", tenants=tenants, tick_seconds=3600.0)) for _ in range(clusters)
        ]
        self.places = list(product(range(clusters), (f"tenant{number + 1}" for number in range(tenants))))
        self._apart = apart
        for number, box in enumerate(self.boxes):
            add_connections(f"cluster_{number}", box)

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
    from benchmarks.triggerer_process import triggerer
    from benchmarks.waits import deferred

    triggers = [
        deferred(f"cluster_{cluster}", tenants=[tenant], poke_interval=cadence) for cluster, tenant in fleet.places
    ]
    for box in fleet.boxes:
        box.clear_statements()
    with triggerer() as process, ThreadPoolExecutor(1) as other:
        process.add(triggers)
        process.turn_until(process.started, 60, "all waits have started")
        process.turn_until(lambda: all(map(_is_looked_at, fleet.boxes)), 60, "every poller has looked")
        check(not process.fired, "a wait has ended before log backup was DOING")
        going = other.submit(fleet.go)
        process.turn_until(lambda: len(process.fired) == len(triggers), 300, "every wait has ended")
        check(not process.troubles, f"the triggerer complains: {process.troubles[:3]}")
    samples = []
    for number, moved in enumerate(going.result(), start=1):
        event = process.fired[number]
        check(event.payload["status"] == "ready", f"a wait was not ready: {event.payload}")
        # By the server's own clock: what was judged had been read after the tenant had become DOING.
        read_at = datetime.fromisoformat(event.payload["summary"]["read_at"]).replace(tzinfo=None)
        samples.append(Sample(moved.at, process.yielded[number], event.at, is_true=read_at >= moved.server_time))
    return samples


def _is_looked_at(box: Sandbox) -> bool:
    return any("ARCHIVELOG" in one.sql for one in box.statements)


def _theirs(fleet: Fleet, cadence: float) -> list[Sample]:
    from benchmarks.waits import CONTEXT, sql_sensor

    def ended(cluster: int, tenant: str) -> float:
        sql = SQL.format(tenant=tenant)
        sensor = sql_sensor(f"cluster_{cluster}", sql, lambda status: status == "DOING", poke_interval=cadence)
        check(not sensor.poke(CONTEXT), "SqlSensor sees DOING too early")  # and has imported what it needs
        begun.wait()
        sensor.execute(CONTEXT)
        return time.monotonic()

    begun = Barrier(len(fleet.places) + 1)
    with ThreadPoolExecutor(len(fleet.places)) as workers:
        waits = [workers.submit(ended, *place) for place in fleet.places]
        begun.wait()
        moved = fleet.go()
        ends = [wait.result() for wait in waits]
    return [Sample(one.at, end, end, is_true=end >= one.at) for one, end in zip(moved, ends, strict=True)]


def measure(quick: bool) -> Iterator[Figure]:
    cadence = 1.0 if quick else 2.0
    clusters, tenants, apart = (2, 2, 0.2) if quick else (6, 10, 0.5)
    with airflow_home(), ExitStack() as life:
        fleet = Fleet(clusters, tenants, apart, life)
        fleet.begin()
        ours = _ours(fleet, cadence)
        fleet.begin()
        theirs = _theirs(fleet, cadence)
    check(len(ours) == len(theirs) == clusters * tenants, "a wait was lost")
    yield from _figures(ours, theirs, cadence)


def _figures(ours: list[Sample], theirs: list[Sample], cadence: float) -> Iterator[Figure]:
    waits = f"{len(ours)} waits at a cadence of {cadence:g} s"

    def figure(
        what: str, of: Callable[[list[float]], float], seconds: Callable[[Sample], float], **more: Any
    ) -> Figure:
        our_side, their_side = (of([seconds(one) for one in side]) for side in (ours, theirs))
        return Figure(what=f"{what}, {waits}", unit="s", ours=our_side, baseline=their_side, **more)

    yield Figure(
        what=f"Events before the tenant was DOING, {waits}",
        ours=sum(not one.is_true for one in ours),
        baseline=sum(not one.is_true for one in theirs),
        unit="",
        exactly=0,
    )
    yield figure("From DOING to the event, median", median, Sample.to_event)
    limit = cadence + AIRFLOW_SECONDS
    yield figure("From DOING to the event, 95 %", _p95, Sample.to_event, at_most=limit, note=NOTE)
    yield figure("From DOING to the event, longest", max, Sample.to_event)
    yield figure("Without Airflow's own second, median", median, Sample.to_trigger)
    yield figure("Without Airflow's own second, 95 %", _p95, Sample.to_trigger)


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1]


NOTE = (
    "Airflow's triggerer hands its events over once a second, which the baseline, a task that keeps its worker slot, "
    "does not need; the last two lines leave that out. The provider's cadence is drawn anew from ± 10 % each time, so "
    "that pollers do not fall into step."
)

BENCHMARK = Benchmark(
    title="From DOING on the server to the end of the wait",
    baseline=(
        "SqlSensor in mode poke at the same cadence, a worker (here a thread) each: STATUS of the tenant's row of "
        "CDB_OB_ARCHIVELOG. The provider: until the event leaves Airflow's own triggerer process."
    ),
    measure=measure,
)
