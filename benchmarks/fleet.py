"""One run over 1, 10 and 50 clusters: what each more of them costs, and that none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.clusters import Cluster, clusters
from benchmarks.figures import Benchmark, Figure, check
from benchmarks.one_cluster import Step, generic_steps, provider_steps, quiet_airflow, work
from benchmarks.slots import OURS, Stack, stack

SIZES = (1, 10, 50)
GENERIC = "generic_fleet"
SPEED = 100.0
"""The clusters live so much faster, so that nearly all of the time is Airflow's."""
POLL_SECONDS = 1
RUN_SECONDS = 1800.0
QUICK_CLUSTERS = 3


_RACE = (
    "Airflow takes a task for killed if it is queued again before the scheduler has heard that it was deferred "
    "(apache/airflow#67287, #72716); a retry, 30 s later, does it. Waits that end within a second, as here, and a busy "
    "machine make it likely."
)


def measure(quick: bool) -> Iterator[Figure]:
    """Statements without Airflow's processes; then the time on a real Airflow."""
    with quiet_airflow():
        yield Figure(
            what=f"statements to each of {QUICK_CLUSTERS} clusters, all tasks",
            ours=_told(provider_steps(15)),
            baseline=_told(generic_steps("poke", 15)),
            unit="",
            exactly=169,
            note="ours checks 12 prerequisites, reads back what it has set and waits for the proof; drivers send some "
            "of both counts by themselves.",
        )
    if not quick:
        yield from _on_airflow()


def _told(steps: dict[str, Step]) -> int:
    found = [work(steps) for _ in range(QUICK_CLUSTERS)]
    check(all(one == found[0] for one in found), f"one cluster is not treated as the other: {found}")
    return sum(found[0].told.values())


@dataclass(frozen=True)
class Took:
    """A run: its time, how many task instances a worker has had, how often, and which clusters are lost.

    :param retries: how often a task was given up and begun again.
    """

    seconds: float
    tasks: int
    starts: int
    retries: int
    lost: list[str]

    @property
    def each(self) -> float:
        """Seconds a task instance."""
        return self.seconds / self.tasks


def _on_airflow() -> Iterator[Figure]:
    took: dict[tuple[str, int], Took] = {}
    with stack() as airflow:
        for size in SIZES:
            for dag_id in (GENERIC, OURS):
                took[dag_id, size] = _took(airflow, dag_id, size)
            ours, generic = took[OURS, size], took[GENERIC, size]
            yield Figure(
                what=f"lost of {_clusters(size)}",
                ours=len(ours.lost),
                baseline=len(generic.lost),
                unit="",
                exactly=0,
                note=", ".join(ours.lost),
            )
            yield Figure(
                what=f"time of a run over {_clusters(size)}", ours=ours.seconds, baseline=generic.seconds, unit="s"
            )
            yield Figure(
                what=f"time a task instance, {_clusters(size)}",
                ours=ours.each,
                baseline=generic.each,
                unit="s",
                note=f"{ours.tasks} task instances, a worker was started {ours.starts} times; "
                f"baseline {generic.tasks}, {generic.starts} times.",
            )
            yield Figure(
                what=f"retries of tasks, {_clusters(size)}",
                ours=ours.retries,
                baseline=generic.retries,
                unit="",
                note=_RACE if ours.retries else "",
            )
    last = SIZES[-1]
    for first in SIZES[:-1]:
        yield Figure(
            what=f"growth of the time a task instance, from {_clusters(first)} to {last}",
            ours=took[OURS, last].each / took[OURS, first].each,
            baseline=took[GENERIC, last].each / took[GENERIC, first].each,
            unit="",
            times=1,
        )


def _clusters(size: int) -> str:
    return f"{size} cluster{'s' if size > 1 else ''}"


def _took(airflow: Stack, dag_id: str, size: int) -> Took:
    """One run; a cluster is lost if it has not started exactly one round, or is not proven in our report."""
    with clusters(size, speed=SPEED) as boxes:
        run, conn_ids = airflow.start(dag_id, boxes, POLL_SECONDS)
        state = run.wait(RUN_SECONDS)
        found = {conn_id for conn_id, box in zip(conn_ids, boxes, strict=True) if _is_archived(box)}
    if dag_id == OURS:
        found &= {row["connection"] for row in run.result("report")["clusters"] if row["verdict"] == "proven"}
    lost = sorted(set(conn_ids) - found)
    check(state == "success" or bool(lost), f"{dag_id} has ended with {run.states()}")
    stays = airflow.stays(run)
    tasks = {(stay.task_id, stay.map_index) for stay in stays}
    return Took(airflow.seconds(run), len(tasks), len(stays), airflow.retries(run), lost)


def _is_archived(box: Cluster) -> bool:
    return box.status() == {"DOING"} and box.writes().count("ALTER SYSTEM ARCHIVELOG") == 1


BENCHMARK = Benchmark(
    title="One run over a fleet of clusters",
    baseline="the same steps from SQLExecuteQueryOperator and SqlSensor (mode poke), mapped over the same number of "
    "clusters (`benchmarks/dags/generic_log_archive.py`), on connections of type mysql. On a real Airflow with SQLite "
    "and a LocalExecutor of 4 workers; simulated clusters in a process of their own that live 100 times as fast.",
    measure=measure,
)
