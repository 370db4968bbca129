"""What waits cost the server: statements and connections, counted on the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pymysql

from airflow_ob_provider.sandbox import Recorded, Sandbox
from benchmarks.figures import Benchmark, Figure, check
from benchmarks.home import add_connection, airflow_home

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

CADENCE = 1.0
"""Seconds. What is counted is counted a cadence, so the shortest legal one will do."""
CONTEXT: Any = {"ti": SimpleNamespace(dag_id="benchmark", task_id="wait", run_id="manual__2026-01-01", try_number=1)}


class Cluster:
    """A simulated cluster whose log backup is about to run, so many waits on it, and what it has been asked."""

    def __init__(self, profile: str, waits: int) -> None:
        self.waits = waits
        self.name = f"{waits} {'wait' if waits == 1 else 'waits'} on {profile}"
        self.box = Sandbox(profile, tenants=3, tick_seconds=3600.0 if profile.startswith("4") else None)
        view = "CDB_OB_ARCHIVELOG" if profile.startswith("4") else "CDB_OB_BACKUP_ARCHIVELOG"
        self.sql = f"SELECT COUNT(*) FROM oceanbase.{view} WHERE STATUS <> 'DOING'"
        self._conn_id = f"cluster_{profile.replace('.', '_')}_{waits}"
        self._first_connection = 0

    def open(self, life: ExitStack) -> None:
        """It stays on the way to DOING until :meth:`finish`."""
        life.enter_context(self.box)
        if self._conn_id.startswith("cluster_3"):
            self.box.parameters["backup_dest"] = "file:///data/backup"
            self.box.faults.destination_unwritable = True
        self.box.force_status("BEGINNING")
        add_connection(self._conn_id, self.box.connection())
        extra = {"client": "mysql-connector-python"}
        add_connection(f"{self._conn_id}_mysql", self.box.connection(), conn_type="mysql", extra=extra)

    def finish(self) -> None:
        """Log backup is DOING."""
        self.box.force_status("DOING")

    def count_anew(self) -> None:
        """What is asked from now on counts."""
        self._first_connection = self._connection_id()
        self.box.clear_statements()

    def _connection_id(self) -> int:
        with pymysql.connect(**self._address(), user="root@sys") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            (number,) = cursor.fetchone() or ()
            return int(number)

    def _address(self) -> dict[str, Any]:
        return {"host": self.box.host, "port": self.box.port}

    def connections(self) -> int:
        """Handshakes since :meth:`count_anew`, also those of connections that asked nothing: the server numbers all."""
        return self._connection_id() - self._first_connection - 1

    def asked(self) -> list[Recorded]:
        """Statements since then, without those of this object."""
        known = tuple(one for one in self.box.statements if one.connection_id != self._first_connection)
        return [one for one in known if "CONNECTION_ID()" not in one.sql]

    def looks(self) -> list[int]:
        """Where in :meth:`asked` the state of log backup was asked for."""
        return [number for number, one in enumerate(self.asked()) if "ARCHIVELOG" in one.sql]

    # --- ours -------------------------------------------------------------------------------------------------------

    def defer(self) -> list[BaseTrigger]:
        """Run the sensors' tasks, each of which looks once; the triggers that they hand over."""
        from airflow.sdk.exceptions import TaskDeferred

        from airflow_ob_provider.sensors.archivelog import ArchiveDoingSensor

        triggers = []
        for number in range(self.waits):
            sensor = ArchiveDoingSensor(
                task_id=f"wait_{number}", oceanbase_conn_id=self._conn_id, poke_interval=CADENCE
            )
            try:
                sensor.execute(CONTEXT)
            except TaskDeferred as deferred:
                triggers.append(deferred.trigger)
        check(len(triggers) == self.waits, "a sensor did not defer, though log backup is not DOING")
        return triggers

    # --- the baseline -----------------------------------------------------------------------------------------------

    def sql_sensor(self, mode: str) -> Any:
        """What a user writes today."""
        from airflow.providers.common.sql.sensors.sql import SqlSensor

        return SqlSensor(
            task_id="wait",
            conn_id=f"{self._conn_id}_mysql",
            sql=self.sql,
            success=lambda others: others == 0,
            poke_interval=CADENCE,
            mode=mode,
        )


def measure(quick: bool) -> Iterator[Figure]:
    with airflow_home(), ExitStack() as life:
        sizes = (1, 5) if quick else (1, 20, 200)
        cadences = 2 if quick else 10
        clusters = [Cluster("4.2.5", waits) for waits in sizes] + [Cluster("3.2.4", sizes[1])]
        for one in clusters:
            one.open(life)
        yield from _first_looks(clusters[0])
        ours = _polled(clusters, cadences)
        for one, asked in zip(clusters, ours, strict=True):
            yield from _compared(one, asked, cadences)
        yield from _set_up(clusters[0], ours[0])
        for one in clusters:
            check(one.sql_sensor("poke").poke(CONTEXT) is True, "SqlSensor does not see DOING")


def _polled(clusters: list[Cluster], cadences: int) -> list[list[Recorded]]:
    """What each cluster was asked by the triggerer, up to the last look of so many."""
    from benchmarks.triggerer_process import triggerer

    triggers = [trigger for one in clusters for trigger in one.defer()]
    for one in clusters:
        one.count_anew()
    with triggerer() as process:
        process.add(triggers)
        process.turn_until(process.started, 60, "all waits have started")
        seconds = 60 + 2 * cadences * CADENCE
        process.turn_until(lambda: min(len(one.looks()) for one in clusters) >= cadences, seconds, "the last look")
        check(not process.fired, "a wait has ended before log backup was DOING")
        asked = [one.asked()[: one.looks()[cadences - 1] + 1] for one in clusters]
        for one in clusters:
            one.finish()
        process.turn_until(lambda: len(process.fired) == len(triggers), 60, "every wait has ended")
        check(all(one.payload["status"] == "ready" for one in process.fired.values()), "a wait was not ready")
        check(not process.troubles, f"the triggerer complains: {process.troubles[:3]}")
    for one in clusters:
        check(one.connections() == 1, f"{one.name}: {one.connections()} connections")
    return asked


def _compared(one: Cluster, asked: list[Recorded], cadences: int) -> Iterator[Figure]:
    looks = [number for number, statement in enumerate(asked) if "ARCHIVELOG" in statement.sql]
    took = (asked[-1].at - asked[looks[0]].at).total_seconds()
    check(took >= 0.9 * CADENCE * (cadences - 1), f"{cadences} looks in {took} s: faster than the cadence")
    ours, connections = len(asked) - looks[0], len({statement.connection_id for statement in asked})
    one.box.force_status("BEGINNING")
    one.count_anew()
    sensors = [one.sql_sensor("poke") for _ in range(one.waits)]
    for _ in range(cadences):
        check(not any([sensor.poke(CONTEXT) for sensor in sensors]), "SqlSensor sees DOING too early")
    theirs, their_connections = len(one.asked()), one.connections()
    one.finish()
    yield Figure(
        what=f"Statements a cadence, {one.name}",
        ours=ours / cadences,
        baseline=theirs / cadences,
        unit="",
        exactly=1,
    )
    yield Figure(
        what=f"Connections in all, {one.name}, {cadences} cadences",
        ours=connections,
        baseline=their_connections,
        unit="",
        exactly=1,
        note="The poller's connection is renewed every 10 minutes, and after an error." if one.waits == 1 else "",
    )


def _first_looks(one: Cluster) -> Iterator[Figure]:
    """What a sensor's task asks before it defers, and what one poke of a rescheduled SqlSensor asks."""
    from airflow.sdk.exceptions import AirflowRescheduleException

    one.count_anew()
    one.defer()
    ours, connections = len(one.asked()) / one.waits, one.connections() / one.waits
    one.count_anew()
    sensor = one.sql_sensor("reschedule")
    context = {"ti": SimpleNamespace(**vars(CONTEXT["ti"]), get_first_reschedule_date=lambda _: None)}
    try:
        sensor.execute(context)
    except AirflowRescheduleException:
        pass
    else:
        check(False, "SqlSensor sees DOING too early")
    note = (
        "Once a wait, in the worker: SET NAMES, the statement timeout, the version, on 4.x whether this is tenant sys, "
        "and the look. SqlSensor in mode reschedule asks as much again at every poke, in a new process each time."
    )
    yield Figure(
        what="Statements of a wait's first look, 4.2.5", ours=ours, baseline=len(one.asked()), unit="", note=note
    )
    yield Figure(
        what="Connections of a wait's first look, 4.2.5", ours=connections, baseline=one.connections(), unit=""
    )


def _set_up(one: Cluster, asked: list[Recorded]) -> Iterator[Figure]:
    looks = [number for number, statement in enumerate(asked) if "ARCHIVELOG" in statement.sql]
    yield Figure(
        what="Statements that set up a poller's connection, 4.2.5",
        ours=looks[0],
        unit="",
        exactly=4,
        note="As in a first look, without the look. Once a connection, whatever the number of waits.",
    )


BENCHMARK = Benchmark(
    title="Load on the server while N waits for DOING are on one cluster",
    baseline=(
        "SqlSensor of common-sql on a `mysql` connection (mysql-connector-python), at the same cadence: SELECT COUNT(*) "
        "FROM CDB_OB_ARCHIVELOG WHERE STATUS <> 'DOING', until it is 0. The provider: ArchiveDoingSensor's triggers in "
        "Airflow's own triggerer process. Counted by the server, handshakes too."
    ),
    measure=measure,
)
