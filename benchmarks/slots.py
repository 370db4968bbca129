"""A real Airflow whose database writes down each change of a task's state, and worker slots told by it.

Airflow itself keeps when a task first began and when it ended, and not that it gave its slot back in between. So the
database gets a trigger of its own, and what it writes is exact to the millisecond: nothing is sampled.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.clusters import Cluster
from benchmarks.figures import check
from benchmarks.one_cluster import COMPRESSION, DESTINATION
from demo.processes import LOCKED_SECONDS, Airflow
from demo.rest import Rest, Run
from demo.stack import TEMPLATES, running

DAGS = [TEMPLATES / "ob_log_archive.py", Path(__file__).resolve().parent / "dags" / "generic_log_archive.py"]
OURS = "ob_log_archive"
_JOURNAL = """
CREATE TABLE benchmark_states (ti_id, run_id, task_id, map_index, state, at);
CREATE TRIGGER benchmark_states AFTER UPDATE OF state ON task_instance WHEN OLD.state IS NOT NEW.state BEGIN
  INSERT INTO benchmark_states VALUES (
    NEW.id, NEW.run_id, NEW.task_id, NEW.map_index, NEW.state, (julianday('now') - 2440587.5) * 86400.0
  );
END;
"""


@dataclass(frozen=True)
class Stay:
    """A task in a worker slot, from when it is running to when it is something else: done, deferred, rescheduled."""

    task_id: str
    map_index: int
    began: float
    ended: float

    @property
    def name(self) -> str:
        """The task without its groups."""
        return self.task_id.rpartition(".")[2]

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class _Journaled(Airflow):
    """As a user has it: workers have imported what Airflow imports, and nothing of a provider."""

    def prepare(self) -> None:
        super().prepare()
        with closing(sqlite3.connect(self.database)) as database:
            database.executescript(_JOURNAL)

    def _arguments(self, name: str) -> list[str]:
        return ["", *super()._arguments(name)[1:]]


@dataclass(frozen=True)
class Stack:
    """A running Airflow with the template DAG and the baselines."""

    rest: Rest
    database: Path

    def start(self, dag_id: str, boxes: Sequence[Cluster], poll_interval: int) -> tuple[Run, list[str]]:
        """The same work by any of the DAGs, and the connections it has; only ours has any of the provider's type."""
        ours = dag_id == OURS
        fields, extra = ({}, {}) if ours else ({"conn_type": "mysql"}, {"client": "mysql-connector-python"})
        conn_ids = [f"{dag_id}_{len(boxes)}_{number}" for number in range(len(boxes))]
        for conn_id, box in zip(conn_ids, boxes, strict=True):
            self.rest.add_connection(conn_id, box.connection | fields, **extra)
        if not ours:
            return self.rest.trigger(dag_id, conn_ids=conn_ids), conn_ids
        form = {"destination": DESTINATION, "mode": "optional", "compression": COMPRESSION}
        return self.rest.trigger(OURS, oceanbase_conn_ids=conn_ids, poll_interval=poll_interval, **form), conn_ids

    def seconds(self, run: Run) -> float:
        """From when the scheduler has found a task to begin with to the end of the last."""
        with closing(sqlite3.connect(self.database, timeout=LOCKED_SECONDS)) as database:
            query = "SELECT max(at) - min(at) FROM benchmark_states WHERE run_id = ?"
            return float(database.execute(query, [run.run_id]).fetchone()[0])

    def retries(self, run: Run) -> int:
        """How often a task was given up and begun again."""
        with closing(sqlite3.connect(self.database, timeout=LOCKED_SECONDS)) as database:
            query = "SELECT count(*) FROM benchmark_states WHERE run_id = ? AND state = 'up_for_retry'"
            return int(database.execute(query, [run.run_id]).fetchone()[0])

    def stays(self, run: Run) -> list[Stay]:
        """All stays of a run that has ended, in order of their begin.

        :raises WrongResultError: a task that had a process has none, or the other way round.
        """
        query = "SELECT ti_id, task_id, map_index, state, at FROM benchmark_states WHERE run_id = ? ORDER BY rowid"
        query_wanted = "SELECT task_id, map_index FROM task_instance WHERE run_id = ? AND pid IS NOT NULL"
        changes = defaultdict(list)
        with closing(sqlite3.connect(self.database, timeout=LOCKED_SECONDS)) as database:
            for ti_id, *change in database.execute(query, [run.run_id]):
                changes[ti_id].append(change)
            wanted = set(database.execute(query_wanted, [run.run_id]))
        stays = [
            Stay(task_id, map_index, at, then[-1])
            for one in changes.values()
            for (task_id, map_index, state, at), then in pairwise(one)
            if state == "running"
        ]
        found = {(stay.task_id, stay.map_index) for stay in stays}
        check(bool(found) and found == wanted, f"the journal of {run.dag_id} does not fit: {found ^ wanted}")
        return sorted(stays, key=lambda stay: stay.began)


@contextmanager
def stack() -> Iterator[Stack]:
    """Airflow, all of it, in a home of its own; nothing of it is left afterwards."""
    home = Path(tempfile.mkdtemp(prefix="airflow-ob-provider-bench-"))
    try:
        airflow = _Journaled(home)
        for path in DAGS:
            shutil.copy(path, airflow.dags)
        names = [OURS, "generic_poke", "generic_reschedule", "generic_fleet"]
        with running(airflow, names) as rest:
            yield Stack(rest, airflow.database)
    finally:
        shutil.rmtree(home, ignore_errors=True)
