"""How long a start of log backup keeps worker slots, while log backup is BEGINNING for three minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.clusters import Cluster, clusters
from benchmarks.figures import Benchmark, Figure, check
from benchmarks.one_cluster import generic_steps, provider_steps, quiet_airflow, work
from benchmarks.slots import OURS, Stack, Stay, stack
from demo.processes import wait_until
from demo.rest import Run

BEGINNING_SECONDS = 180.0
SLOW_START = 170
"""With the server's own steps it comes to a little more than three minutes."""
POLL_SECONDS = 15
RUN_SECONDS = 600.0
WAITS = ("minor_freeze", "frozen", "doing", "pieces", "checkpoint")
SETTINGS = ("destination", "option")
POKE, RESCHEDULE = "generic_poke", "generic_reschedule"
_EVENTS = (
    "SELECT gmt_create, value1 FROM oceanbase.__all_rootservice_event_history "
    "WHERE module = 'log_archive' AND event IN ('handle_start_log_archive', 'change_status') ORDER BY gmt_create"
)


def measure(quick: bool) -> Iterator[Figure]:
    """By the cluster's clock, without Airflow's processes; then on a real Airflow."""
    with quiet_airflow():
        yield from _by_clock()
    if not quick:
        yield from _on_airflow()


# --- by the cluster's clock ---------------------------------------------------------------------------------------


def _by_clock() -> Iterator[Figure]:
    ours = work(provider_steps(POLL_SECONDS), slow_start=SLOW_START)
    poke = work(generic_steps("poke", POLL_SECONDS), slow_start=SLOW_START)
    reschedule = work(generic_steps("reschedule", POLL_SECONDS), slow_start=SLOW_START)
    check(sorted(ours.written) == sorted(poke.written) == sorted(reschedule.written), "not the same was written")
    yield Figure(
        what="workers asleep in their slots, BEGINNING for 3 min, by the cluster's clock",
        ours=sum(ours.slept.values()),
        baseline=sum(poke.slept.values()),
        unit="s",
        exactly=6,
        times=20,
        note="ours: 3 s after each of two settings, until every server has them; the baseline does not look.",
    )
    yield Figure(
        what="the same in the wait for DOING",
        ours=ours.slept["doing"],
        baseline=poke.slept["doing"],
        unit="s",
        exactly=0,
    )
    yield Figure(
        what="starts of a worker for the wait for DOING; baseline in mode reschedule",
        ours=ours.starts["doing"],
        baseline=reschedule.starts["doing"],
        unit="",
        exactly=2,
        note="one look and a deferral, then one resumption, however long it takes.",
    )


# --- on a real Airflow --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Used:
    """The stays of a run in worker slots."""

    stays: list[Stay]

    def seconds(self, *tasks: str) -> float:
        """Of all tasks, or those."""
        return sum(stay.seconds for stay in self.stays if not tasks or stay.name in tasks)

    @property
    def idle_task(self) -> float:
        """What a task costs that does nothing but to read the form."""
        return self.seconds("list_clusters")


def _on_airflow() -> Iterator[Figure]:
    """All three at a time, each on a cluster of its own; ours begins last, so the others disturb it."""
    prepare = [
        f"SANDBOX SET slow_start_seconds = {SLOW_START}",
        "ALTER SYSTEM SET log_archive_checkpoint_interval = '5s'",  # the proof takes no slot, but would take minutes
    ]
    with ExitStack() as life:
        boxes = life.enter_context(clusters(3, prepare))
        airflow = life.enter_context(stack())
        runs = {
            dag_id: (_begun(airflow, dag_id, box), box)
            for dag_id, box in zip((POKE, RESCHEDULE, OURS), boxes, strict=True)
        }
        used = {dag_id: _used(airflow, run, box) for dag_id, (run, box) in runs.items()}
        written = {dag_id: sorted(box.writes()) for dag_id, (_, box) in runs.items()}
    check(written[OURS] == written[POKE] == written[RESCHEDULE], f"not the same was written: {written}")
    ours, poke, reschedule = used[OURS], used[POKE], used[RESCHEDULE]

    start, settings = ours.idle_task, ours.seconds(*SETTINGS)
    note = (
        f"a worker is started {len(ours.stays)} times, for {start:.2f} s if it does nothing, which makes "
        f"{len(ours.stays) * start:.1f} s; the two settings take {settings:.1f} s, most of it until every server has "
        "them. The baseline does not look at that, nor does it wait for the checkpoint or report."
    )
    yield Figure(
        what="slot seconds of a run, BEGINNING for 3 min; baseline in mode poke",
        ours=ours.seconds(),
        baseline=poke.seconds(),
        unit="s",
        times=20,
        note=note,
    )
    yield Figure(
        what="of these in the tasks that wait: freeze, DOING, pieces, only ours: checkpoint",
        ours=ours.seconds(*WAITS),
        baseline=poke.seconds(*WAITS),
        unit="s",
        times=20,
    )
    yield Figure(
        what="of these in the wait for DOING",
        ours=ours.seconds("doing"),
        baseline=poke.seconds("doing"),
        unit="s",
        times=20,
    )
    yield Figure(
        what="slot seconds of a run; baseline in mode reschedule",
        ours=ours.seconds(),
        baseline=reschedule.seconds(),
        unit="s",
        note="in mode reschedule each look costs the start of a worker: the longer BEGINNING lasts, the more of them.",
    )
    yield Figure(
        what="of these in the wait for DOING; baseline in mode reschedule",
        ours=ours.seconds("doing"),
        baseline=reschedule.seconds("doing"),
        unit="s",
    )
    yield Figure(
        what="starts of a worker in a run; baseline in mode reschedule",
        ours=len(ours.stays),
        baseline=len(reschedule.stays),
        unit="",
    )


def _begun(airflow: Stack, dag_id: str, box: Cluster) -> Run:
    """A run, when it has started log backup."""
    run, _ = airflow.start(dag_id, [box], POLL_SECONDS)
    wait_until(lambda: box.status() != {"STOP"}, f"{dag_id} starts log backup", 180, 1)
    return run


def _used(airflow: Stack, run: Run, box: Cluster) -> Used:
    """What a run has used, when it has ended well and done its work."""
    check(run.wait(RUN_SECONDS) == "success", f"{run.dag_id} has ended with {run.states()}")
    check(box.status() == {"DOING"}, f"log backup of {run.dag_id} is {box.status()}")
    (first, *_, last) = box.ask(_EVENTS)
    check((first["value1"], last["value1"]) == ("BEGINNING", "DOING"), f"log backup went from {first} to {last}")
    took = (last["gmt_create"] - first["gmt_create"]).total_seconds()
    check(BEGINNING_SECONDS <= took < BEGINNING_SECONDS + 20, f"BEGINNING took {took:g} s")
    return Used(airflow.stays(run))


BENCHMARK = Benchmark(
    title="Worker slots while log backup is BEGINNING for three minutes",
    baseline="the same steps from SQLExecuteQueryOperator and SqlSensor "
    "(`benchmarks/dags/generic_log_archive.py`), on a connection of type mysql. On a real Airflow (scheduler, "
    "triggerer, LocalExecutor) in real time; a slot second is a second in which a task instance is `running`, told by "
    "a trigger in Airflow's database at each change of state.",
    measure=measure,
)
