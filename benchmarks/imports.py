"""What each module of the provider, and each DAG file, adds to the imports of every Airflow process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_ob_provider.get_provider_info import get_provider_info
from benchmarks.figures import Benchmark, Figure, check

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "airflow_ob_provider"
AIRFLOW = ("airflow.sdk", "airflow.providers.mysql.hooks.mysql")
GENERIC_DAG = (*AIRFLOW, "airflow.providers.common.sql.operators.sql", "airflow.providers.common.sql.sensors.sql")
MODULES = tuple(
    name
    for kind in ("hooks", "operators", "sensors", "triggers")
    for group in get_provider_info()[kind]
    for name in group["python-modules"]
)
DAG_FILES = tuple(sorted((ROOT / "dags").glob("*.py")))
FORBIDDEN = ("pymysql", "MySQLdb", "mysql", "pendulum", "mysql_mimic", "sqlglot", "pandas", f"{PACKAGE}.sandbox")
"""Drivers, pendulum's own beyond what Airflow has loaded already, and the simulator with what it needs."""
MOST_MS = 60.0
RUNS = 5


@dataclass(frozen=True)
class Import:
    """One interpreter's answer; see :mod:`benchmarks.imported`."""

    before_ms: float
    added_ms: float
    added: Sequence[str]
    tasks: dict[str, int]

    @property
    def forbidden(self) -> list[str]:
        """Modules that nobody needs for a parse."""
        return [name for name in self.added if any(f"{name}.".startswith(f"{one}.") for one in FORBIDDEN)]


class Interpreters:
    """Starts fresh ones, which share an Airflow home that is empty."""

    def __init__(self, home: str) -> None:
        self._environment = {**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": str(ROOT)}

    def imported(self, first: Sequence[str], measured: Sequence[str | Path]) -> Import:
        """Import ``measured`` after ``first``."""
        names = [",".join(first), ",".join(map(str, measured))]
        command = [sys.executable, "-m", "benchmarks.imported", *names]
        done = subprocess.run(command, check=True, env=self._environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        found = Import(**json.loads(done.stdout.splitlines()[-1]))
        dags = {one.stem for one in measured if isinstance(one, Path)}
        check(found.tasks.keys() == dags and all(found.tasks.values()), f"{measured} has made the DAGs {found.tasks}")
        wanted = {one for one in measured if isinstance(one, str)}
        check(wanted <= set(found.added), f"{wanted} is not what was imported, or was imported before")
        return found


def measure(quick: bool) -> Iterator[Figure]:
    """Which modules all of it needs, and how long each of it takes."""
    with tempfile.TemporaryDirectory() as home:
        interpreters = Interpreters(home)
        yield from _forbidden("all modules", interpreters.imported(AIRFLOW, MODULES))
        yield from _forbidden("all DAG files", interpreters.imported(GENERIC_DAG, DAG_FILES))
        if not quick:
            yield from _times(interpreters)


def _forbidden(what: str, found: Import) -> Iterator[Figure]:
    yield Figure(
        what=f"Drivers, pendulum and simulator loaded by {what}",
        ours=len(found.forbidden),
        unit="modules",
        exactly=0,
        note=", ".join(found.forbidden),
    )


def _times(interpreters: Interpreters) -> Iterator[Figure]:
    measured: list[tuple[str, Sequence[str], str | Path]] = [
        *((f"import {name.removeprefix(f'{PACKAGE}.')}", AIRFLOW, name) for name in MODULES),
        *((f"parse {path.relative_to(ROOT)}, with its imports", GENERIC_DAG, path) for path in DAG_FILES),
    ]
    # One after the other and then again, so that whatever else runs on the machine does not hit all runs of one.
    rounds = [[interpreters.imported(first, [target]) for _, first, target in measured] for _ in range(RUNS)]
    for first, what in ((AIRFLOW, "modules"), (GENERIC_DAG, "DAG files")):
        before = [run.before_ms for runs in rounds for run, one in zip(runs, measured, strict=True) if one[1] is first]
        yield Figure(what=f"the baseline of {what} itself", ours=min(before), unit="ms")
    for (what, _, _), runs in zip(measured, zip(*rounds, strict=True), strict=True):
        yield Figure(what=f"added by {what}", ours=min(run.added_ms for run in runs), unit="ms", at_most=MOST_MS)


BENCHMARK = Benchmark(
    title="Import of each module, and parse of each DAG file, beyond what Airflow itself takes",
    baseline="`airflow.sdk` and the MySQL hook, imported first in the same interpreter; for DAG files also the modules "
    f"of SQLExecuteQueryOperator and SqlSensor. Each in a fresh interpreter, the best of {RUNS} runs.",
    measure=measure,
)
