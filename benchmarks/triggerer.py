"""How many waits one triggerer process bears."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.clusters import clusters
from benchmarks.figures import Benchmark, Figure, WrongResultError, check
from benchmarks.home import add_connection, airflow_home

if TYPE_CHECKING:
    from airflow_ob_provider.triggers.oceanbase import OceanBaseWaitTrigger
    from benchmarks.triggerer_process import Load, Stall, Triggerer

MAX_CPU = 25.0
MAX_STALL = 0.1
MAX_KB = 20.0
PATIENCE = 120.0
"""Seconds in which all waits must have begun."""
JUDGED = 1000
"""The size that has targets."""
STALL_NOTE = (
    "From the first wait's start to the last one's end; what other processes took of the machine meanwhile is in it. "
    "The next two lines, in CPU time, are without that: what the loop's thread did between two ticks of a watch, and "
    "the longest pass of Python's garbage collector. A full pass goes over all of Airflow's objects, stops every "
    "thread, and comes as well where triggers do nothing (below)."
)
MEMORY_NOTE = (
    "Most of it is Airflow's own: its task, greenlet, queue and task instance of each trigger, see the trigger that "
    "does nothing, and 3 to 4 KB more of its once a reading has come. Of the wait are its arguments, some 2 KB, and "
    "what it has seen, as much again; the rest is its share of a poller, 30 to 40 KB."
)

_SLOW = {"profile": "4.2.5", "tenants": 2, "servers": 1, "tick_seconds": 86400}
"""Log backup stays on the way to DOING until somebody says so."""


@dataclass(frozen=True)
class Result:
    """What so many waits took."""

    connections: int
    load: Load
    stalls: list[Stall]
    """While the waits begin, while they wait, while they all end."""

    @property
    def stall(self) -> Stall:
        """The longest of each kind."""
        from benchmarks.triggerer_process import Stall

        return Stall(*map(max, zip(*self.stalls, strict=True)))

    bytes_per_wait: float
    seconds_to_end: float
    """From DOING to the last event."""


def _run(waits: int, connections: int, *, shared: bool, cadence: float | None, seconds: float) -> Result:
    from benchmarks.triggerer_process import triggerer

    with clusters(1, ["SANDBOX FORCE BEGINNING"], **_SLOW) as (cluster,):
        for number in range(connections):
            add_connection(f"cluster_{number}", cluster.connection)
        triggers = [_trigger(number, connections, shared=shared, cadence=cadence) for number in range(waits)]
        with triggerer() as process:
            process.add(triggers[:1])  # what every process needs once is no wait's own
            process.turn_until(lambda: process.looked, 60, "the first look")
            before = process.rss()
            process.longest_stall()

            process.add(triggers[1:])
            process.turn_until(lambda: len(process.looked) == waits, PATIENCE, f"{waits} waits have looked once")
            stalls = [process.longest_stall()]

            load = process.measure(seconds)
            check(len(process.running_triggers) == waits, f"{len(process.running_triggers)} of {waits} waits run")
            check(not process.fired, "a wait has ended before log backup was DOING")
            stalls.append(process.longest_stall())
            held = process.connections(cluster.connection["port"])

            doing = time.monotonic()
            cluster.ask("SANDBOX FORCE DOING")
            process.turn_until(lambda: len(process.fired) == waits, 300, f"all {waits} waits have ended")
            stalls.append(process.longest_stall())
            _check_ends(process)
            return Result(
                connections=held,
                load=load,
                stalls=stalls,
                bytes_per_wait=(load.rss - before) / (waits - 1),
                seconds_to_end=max(one.at for one in process.fired.values()) - doing,
            )


def _idle(triggers: int, streams: int) -> Iterator[Figure]:
    """What Airflow itself needs for as many triggers that do nothing, with as many shared streams."""
    from benchmarks.triggerer_process import triggerer
    from benchmarks.waits import IdleTrigger

    with triggerer() as process:
        process.add([IdleTrigger(key=0)])
        process.turn_until(process.started, 60, "the first has started")
        process.measure(1.0)
        before = process.rss()
        process.longest_stall()
        process.add(IdleTrigger(key=number % streams) for number in range(1, triggers))
        process.turn_until(process.started, PATIENCE, f"{triggers} triggers have started")
        load = process.measure(15.0)
        stall = process.longest_stall()
    name = f"{triggers:,} triggers that do nothing, Airflow's own"
    yield Figure(what=f"{name} memory a trigger", ours=(load.rss - before) / (triggers - 1) / 1024, unit="KB")
    yield Figure(what=f"{name} CPU", ours=100 * load.cpu_share, unit="% of a core")
    yield Figure(what=f"{name} longest stall", ours=stall.waited, unit="s")
    yield Figure(what=f"{name} longest garbage collection, CPU time", ours=stall.collected, unit="s")


def _trigger(number: int, connections: int, *, shared: bool, cadence: float | None) -> OceanBaseWaitTrigger:
    from airflow_ob_provider.sensors.archivelog import ArchiveDoingSensor
    from airflow_ob_provider.triggers.oceanbase import OceanBaseWaitTrigger
    from benchmarks.waits import AloneTrigger

    sensor = ArchiveDoingSensor(task_id="wait")
    return (OceanBaseWaitTrigger if shared else AloneTrigger)(
        oceanbase_conn_id=f"cluster_{number % connections}",
        wait=sensor.wanted().to_wire(),
        poll_interval=cadence or sensor.poke_interval,
        label=f"dag=benchmark task=wait run=manual__2026-01-01 map={number}",
        seconds=sensor.timeout,
    )


def _check_ends(process: Triggerer) -> None:
    check(all(one.payload["status"] == "ready" for one in process.fired.values()), "a wait was not ready")
    check(not process.troubles, f"the triggerer complains: {process.troubles[:3]}")


def measure(quick: bool) -> Iterator[Figure]:
    connections, cadence = (5, 1.0) if quick else (100, None)
    # Waits, seconds that ours are measured for, and the baseline.
    sizes = [(20, 1.0, None)] if quick else [(100, 15.0, 15.0), (JUDGED, 45.0, 30.0), (5000, 30.0, None)]
    with airflow_home():
        for waits, seconds, their_seconds in sizes:
            ours = _run(waits, connections, shared=True, cadence=cadence, seconds=seconds)
            theirs, what_happened = None, ""
            if their_seconds is not None:
                try:
                    theirs = _run(waits, connections, shared=False, cadence=cadence, seconds=their_seconds)
                except WrongResultError as error:  # a loop for each wait need not work at every size
                    what_happened = f"The baseline did not get there: {error}"
            yield from _figures(waits, min(waits, connections), ours, theirs, what_happened)
            if waits == JUDGED:
                yield from _idle(waits, connections)


def _figures(waits: int, connections: int, ours: Result, theirs: Result | None, what_happened: str) -> Iterator[Figure]:
    def figure(what: str, unit: str, of: Callable[[Result], float], limit: float | None = None, **more: Any) -> Figure:
        return Figure(
            what=f"{waits:,} waits: {what}",
            ours=of(ours),
            baseline=of(theirs) if theirs else None,
            unit=unit,
            at_most=limit,
            **more,
        )

    cpu, stall, memory = (MAX_CPU, MAX_STALL, MAX_KB) if waits == JUDGED else (None, None, None)
    share = "CPU of the triggerer process"
    yield figure(share, "% of a core", lambda one: 100 * one.load.cpu_share, cpu, note=what_happened)
    note = STALL_NOTE if stall else ""
    yield figure("longest stall of its event loop", "s", lambda one: one.stall.waited, stall, note=note)
    yield figure("longest work of the loop's thread, CPU time", "s", lambda one: one.stall.worked)
    yield figure("longest garbage collection, CPU time", "s", lambda one: one.stall.collected)
    note = MEMORY_NOTE if memory else ""
    yield figure("memory a wait", "KB", lambda one: one.bytes_per_wait / 1024, memory, note=note)
    yield figure("threads", "", lambda one: one.load.threads)
    yield figure("connections", "", lambda one: one.connections, exactly=connections)
    yield figure("from DOING to the last event", "s", lambda one: one.seconds_to_end)


BENCHMARK = Benchmark(
    title="Many waits in one triggerer process, over 100 connections",
    baseline=(
        "A loop for each wait, as on Airflow before 3.3: every trigger's own `run()`, with a connection of its "
        "own. Both in Airflow's own triggerer (its supervisor, its runner in a process of its own), at the "
        "sensors' default cadence of 15 s; the cluster is simulated in another process."
    ),
    measure=measure,
)
