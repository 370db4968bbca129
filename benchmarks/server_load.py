"""What waits cost the server: statements and connections, counted on the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pymysql

from airflow_ob_provider.sandbox import Recorded, Sandbox
from benchmarks.figures import Benchmark, Figure, WrongResultError, check
from benchmarks.home import airflow_home

if TYPE_CHECKING:
    from airflow.providers.common.sql.sensors.sql import SqlSensor
    from airflow.triggers.base import BaseTrigger

CADENCE = 1.0
"""Seconds. What is counted is counted a cadence, so the shortest legal one will do."""


@dataclass(frozen=True)
class Asked:
    """What a server was asked in a while."""

    connections: int
    """Handshakes, also of connections on which nothing was asked: the server numbers all."""
    statements: list[Recorded]

    @property
    def looks(self) -> list[int]:
        """Where in the statements the state of log backup was asked for."""
        return [number for number, one in enumerate(self.statements) if "ARCHIVELOG" in one.sql]


class Cluster:
    """A simulated cluster whose log backup is about to run, so many waits on it, and what it is asked."""

    def __init__(self, profile: str, waits: int, life: ExitStack) -> None:
        from benchmarks.waits import add_connections

        self.waits = waits
        self.name = f"{waits} {'wait' if waits == 1 else 'waits'} on {profile}"
        self._conn_id = f"cluster_{profile.replace('.', '_')}_{waits}"
        self._is_v4 = profile.startswith("4")
        self._box = life.enter_context(Sandbox(profile, tenants=3, tick_seconds=3600.0 if self._is_v4 else None))
        if not self._is_v4:
            self._box.parameters["backup_dest"] = "file:///data/backup"
            self._box.faults.destination_unwritable = True
        add_connections(self._conn_id, self._box)
        self.begin()

    def begin(self) -> None:
        """Log backup is on the way to DOING; what is asked from now on counts. It stays so until :meth:`finish`."""
        self._box.force_status("BEGINNING")
        self._first = self._number_of_connection()
        self._box.clear_statements()

    def finish(self) -> None:
        """Log backup is DOING."""
        self._box.force_status("DOING")

    def _number_of_connection(self) -> int:
        with (
            pymysql.connect(host=self._box.host, port=self._box.port, user="root@sys") as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT CONNECTION_ID()")
            return int(cursor.fetchall()[0][0])

    def asked(self) -> Asked:
        """Since :meth:`begin`."""
        statements = [one for one in self._box.statements if one.connection_id > self._first]
        last = self._number_of_connection()
        return Asked(last - self._first - 1, statements)

    def number_of_looks(self) -> int:
        """Since :meth:`begin`."""
        return sum("ARCHIVELOG" in one.sql for one in self._box.statements)

    def deferred(self) -> list[BaseTrigger]:
        """Run the sensors' tasks, each of which looks once; the triggers that they hand over."""
        from benchmarks.waits import deferred

        return [deferred(self._conn_id, poke_interval=CADENCE) for _ in range(self.waits)]

    def sql_sensor(self, mode: str = "poke") -> SqlSensor:
        """What a user writes today."""
        from benchmarks.waits import sql_sensor

        view = "CDB_OB_ARCHIVELOG" if self._is_v4 else "CDB_OB_BACKUP_ARCHIVELOG"
        sql = f"SELECT COUNT(*) FROM oceanbase.{view} WHERE STATUS <> 'DOING'"
        return sql_sensor(self._conn_id, sql, lambda others: others == 0, poke_interval=CADENCE, mode=mode)


def measure(quick: bool) -> Iterator[Figure]:
    sizes = (1, 5) if quick else (1, 20, 200)
    cadences = 2 if quick else 10
    with airflow_home(), ExitStack() as life:
        clusters = [Cluster("4.2.5", waits, life) for waits in sizes] + [Cluster("3.2.4", sizes[1], life)]
        triggers = [trigger for one in clusters for trigger in one.deferred()]
        first_looks = [one.asked() for one in clusters]
        polled = _polled(clusters, triggers, cadences)
        poked = [_poked(one, cadences) for one in clusters]
        rescheduled = _rescheduled(clusters[0])
    for number, one in enumerate(clusters):
        yield from _compared(one.name, polled[number], poked[number], cadences)
    yield from _whole(clusters[-2], first_looks[-2], polled[-2], poked[-2], cadences)
    yield from _once(first_looks[0], polled[0], rescheduled)


def _polled(clusters: list[Cluster], triggers: list[BaseTrigger], cadences: int) -> list[Asked]:
    """What each cluster was asked by the triggerer, up to and with the last look of so many."""
    from benchmarks.triggerer_process import triggerer

    for one in clusters:
        one.begin()
    with triggerer() as process:
        process.add(triggers)
        process.turn_until(process.started, 60, "all waits have started")
        seconds = 60 + 2 * cadences * CADENCE
        process.turn_until(lambda: min(one.number_of_looks() for one in clusters) >= cadences, seconds, "the last look")
        check(not process.fired, "a wait has ended before log backup was DOING")
        for one in clusters:
            one.finish()
        process.turn_until(lambda: len(process.fired) == len(triggers), 60, "every wait has ended")
        check(all(one.payload["status"] == "ready" for one in process.fired.values()), "a wait was not ready")
        check(not process.troubles, f"the triggerer complains: {process.troubles[:3]}")
    asked = [one.asked() for one in clusters]
    return [Asked(one.connections, one.statements[: one.looks[cadences - 1] + 1]) for one in asked]


def _poked(one: Cluster, cadences: int) -> Asked:
    """What it is asked by so many SqlSensors, each of which pokes once a cadence; here, without a pause."""
    from benchmarks.waits import CONTEXT

    one.begin()
    sensors = [one.sql_sensor() for _ in range(one.waits)]
    for _ in range(cadences):
        check(not any([sensor.poke(CONTEXT) for sensor in sensors]), "SqlSensor sees DOING too early")
    asked = one.asked()
    one.finish()
    check(all(sensor.poke(CONTEXT) for sensor in sensors), "SqlSensor does not see DOING")
    return asked


def _rescheduled(one: Cluster) -> Asked:
    """What it is asked by one run of a task in mode reschedule."""
    from airflow.sdk.exceptions import AirflowRescheduleException

    from benchmarks.waits import CONTEXT

    one.begin()
    try:
        one.sql_sensor("reschedule").execute(CONTEXT)
    except AirflowRescheduleException:
        return one.asked()
    raise WrongResultError("SqlSensor sees DOING too early")


def _compared(name: str, ours: Asked, theirs: Asked, cadences: int) -> Iterator[Figure]:
    """A cadence, as long as a wait lasts."""
    looks = ours.looks
    took = (ours.statements[-1].at - ours.statements[looks[0]].at).total_seconds()
    check(took >= 0.9 * CADENCE * (cadences - 1), f"{cadences} looks in {took} s: faster than the cadence")
    yield Figure(
        what=f"Statements a cadence, {name}",
        ours=(len(ours.statements) - looks[0]) / cadences,
        baseline=len(theirs.statements) / cadences,
        unit="",
        exactly=1,
    )
    yield Figure(
        what=f"Connections in {cadences} cadences, {name}",
        ours=ours.connections,
        baseline=theirs.connections,
        unit="",
        exactly=1,
    )


def _whole(one: Cluster, first_looks: Asked, ours: Asked, theirs: Asked, cadences: int) -> Iterator[Figure]:
    """With what is asked once a wait and once a connection."""
    yield Figure(
        what=f"Statements in all of {cadences} cadences, {one.name}",
        ours=len(first_looks.statements) + len(ours.statements),
        baseline=len(theirs.statements),
        unit="",
        note="With each wait's first look, in the worker, and the set-up of the poller's connection.",
    )
    yield Figure(
        what=f"Connections in all of {cadences} cadences, {one.name}",
        ours=first_looks.connections + ours.connections,
        baseline=theirs.connections,
        unit="",
    )


def _once(first_look: Asked, ours: Asked, rescheduled: Asked) -> Iterator[Figure]:
    yield Figure(
        what="Statements of a wait's first look on 4.2.5; baseline: of each poke in mode reschedule",
        ours=len(first_look.statements),
        baseline=len(rescheduled.statements),
        unit="",
        exactly=5,
        note=(
            "SET NAMES, the statement timeout, the version, whether this is tenant sys (on 4.x), and the look. Most of "
            "SqlSensor's are its driver's as well: the session's character set, autocommit and the end of its "
            "transaction."
        ),
    )
    yield Figure(
        what="Connections of a wait's first look on 4.2.5; baseline: of each poke in mode reschedule",
        ours=first_look.connections,
        baseline=rescheduled.connections,
        unit="",
        exactly=1,
    )
    yield Figure(
        what="Statements that set up a poller's connection on 4.2.5",
        ours=ours.looks[0],
        unit="",
        exactly=4,
        note="Those of a first look, without the look: when a poller begins, every 10 minutes, and after an error.",
    )


BENCHMARK = Benchmark(
    title="Load on the server while N waits for DOING are on one cluster",
    baseline=(
        "SqlSensor of common-sql on a `mysql` connection (mysql-connector-python), at the same cadence, until SELECT "
        "COUNT(*) FROM CDB_OB_ARCHIVELOG WHERE STATUS <> 'DOING' is 0. The provider: ArchiveDoingSensor's triggers in "
        "Airflow's own triggerer process. Counted by the server, handshakes too; a cadence is 15 s by default."
    ),
    measure=measure,
)
