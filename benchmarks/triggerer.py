"""How many waits one triggerer process bears."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pymysql

from benchmarks.figures import Benchmark, Figure, check
from benchmarks.home import add_connection, airflow_home

if TYPE_CHECKING:
    from airflow_ob_provider.triggers.oceanbase import OceanBaseWaitTrigger
    from benchmarks.triggerer_process import Load, Triggerer

MAX_CPU = 25.0
MAX_STALL = 0.1
MAX_KB = 20.0
JUDGED = 1000
"""The size that has targets."""


@dataclass(frozen=True)
class Server:
    """A simulated cluster in a process of its own, so that the triggerer's CPU is the triggerer's."""

    host: str
    port: int
    login: str

    def __call__(self, sql: str) -> list[dict[str, Any]]:
        with (
            pymysql.connect(host=self.host, port=self.port, user=self.login) as connection,
            connection.cursor(pymysql.cursors.DictCursor) as cursor,
        ):
            cursor.execute(sql)
            return list(cursor.fetchall())

    def connections(self) -> set[int]:
        """Those on which the state of log backup was asked for."""
        return {row["connection_id"] for row in self("SANDBOX SHOW STATEMENTS") if "ARCHIVELOG" in row["sql"]}


@contextmanager
def server() -> Iterator[Server]:
    """Its log backup is on the way to DOING until somebody says so."""
    options = ("--port", "0", "--profile", "4.2.5", "--tenants", "2", "--servers", "1", "--tick-seconds", "86400")
    command = [sys.executable, "-m", "airflow_ob_provider.sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            ready = dict(word.split("=", 1) for word in words if "=" in word)
            found = Server(ready["host"], int(ready["port"]), ready["login"])
            found("SANDBOX FORCE BEGINNING")
            yield found
        finally:
            process.terminate()


@dataclass(frozen=True)
class Result:
    """What so many waits took."""

    connections: int
    load: Load
    stall: float
    """Seconds, from the first wait's start to the last one's end."""
    bytes_per_wait: float
    seconds_to_end: float
    """From DOING to the last event."""


def _run(waits: int, connections: int, *, shared: bool, cadence: float | None, seconds: float) -> Result:
    from benchmarks.triggerer_process import triggerer

    with server() as cluster:
        for number in range(connections):
            address = {"host": cluster.host, "port": cluster.port, "login": cluster.login}
            add_connection(f"cluster_{number}", address, conn_type="oceanbase")
        triggers = [_trigger(number, connections, shared=shared, cadence=cadence) for number in range(waits)]
        with triggerer() as process:
            process.add(triggers[:1])  # what every process needs once is no wait's own
            process.turn_until(_every(0.2, cluster.connections), 60, "the first look")
            before = process.rss()
            process.longest_stall()

            process.add(triggers[1:])
            process.turn_until(process.started, 300, f"{waits} waits have started")
            pollers = min(waits, connections) if shared else waits
            looked = _every(1.0, lambda: len(cluster.connections()) >= pollers)
            process.turn_until(looked, 300, f"{pollers} pollers have looked")
            stalls = [process.longest_stall()]

            load = process.measure(seconds)
            check(len(process.running_triggers) == waits, f"{len(process.running_triggers)} of {waits} waits run")
            check(not process.fired, "a wait has ended before log backup was DOING")
            stalls += [load.longest_stall, process.longest_stall()]
            asked_on = len(cluster.connections())

            doing = time.monotonic()
            cluster("SANDBOX FORCE DOING")
            process.turn_until(lambda: len(process.fired) == waits, 300, f"all {waits} waits have ended")
            stalls.append(process.longest_stall())
            _check_ends(process)
            return Result(
                connections=asked_on,
                load=load,
                stall=max(stalls),
                bytes_per_wait=(load.rss - before) / (waits - 1),
                seconds_to_end=max(one.at for one in process.fired.values()) - doing,
            )


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


def _every(seconds: float, condition: Callable[[], Any]) -> Callable[[], Any]:
    """Asks no more often than that: the question costs the server something."""
    asked = 0.0

    def limited() -> Any:
        nonlocal asked
        if time.monotonic() - asked < seconds:
            return False
        answer = condition()
        asked = time.monotonic()
        return answer

    return limited


def _check_ends(process: Triggerer) -> None:
    check(all(one.payload["status"] == "ready" for one in process.fired.values()), "a wait was not ready")
    check(not process.troubles, f"the triggerer complains: {process.troubles[:3]}")


def measure(quick: bool) -> Iterator[Figure]:
    sizes = {20: True} if quick else {100: True, JUDGED: True, 5000: False}
    connections = 5 if quick else 100
    with airflow_home():
        for waits, is_compared in sizes.items():
            seconds = 1.0 if quick else 60.0 if waits == JUDGED else 30.0
            cadence = 1.0 if quick else None
            ours = _run(waits, connections, shared=True, cadence=cadence, seconds=seconds)
            theirs = (
                _run(waits, connections, shared=False, cadence=cadence, seconds=30.0 if not quick else 1.0)
                if is_compared
                else None
            )
            yield from _figures(waits, min(waits, connections), ours, theirs)


def _figures(waits: int, connections: int, ours: Result, theirs: Result | None) -> Iterator[Figure]:
    is_judged = waits == JUDGED

    def figure(what: str, unit: str, of: Callable[[Result], float], limit: float | None = None, **more: Any) -> Figure:
        return Figure(
            what=f"{waits:,} waits: {what}",
            ours=of(ours),
            baseline=of(theirs) if theirs else None,
            unit=unit,
            at_most=limit if is_judged else None,
            **more,
        )

    yield figure("CPU of the triggerer process", "% of a core", lambda one: 100 * one.load.cpu_share, MAX_CPU)
    yield figure("longest stall of its event loop", "s", lambda one: one.stall, MAX_STALL)
    yield figure("memory a wait", "KB", lambda one: one.bytes_per_wait / 1024, MAX_KB)
    yield figure("threads", "", lambda one: one.load.threads)
    yield figure("connections", "", lambda one: one.connections, exactly=connections)
    yield figure("from DOING to the last event", "s", lambda one: one.seconds_to_end)


BENCHMARK = Benchmark(
    title="Many waits in one triggerer process, over 100 connections",
    baseline=(
        "A loop for each wait, as on Airflow before 3.3: every trigger's own `run()`, with a thread and a connection "
        "of its own. Both in Airflow's own triggerer (its supervisor, its runner in a process of its own), at the "
        "sensors' default cadence of 15 s; the cluster is simulated in another process."
    ),
    measure=measure,
)
