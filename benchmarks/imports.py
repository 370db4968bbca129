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
GENERIC_FILE = ROOT / "benchmarks" / "dags" / "generic_log_archive.py"
FORBIDDEN = (
    "pymysql", "MySQLdb", "mysql", "pendulum", "mysql_mimic", "sqlglot", "pandas", "tabulate", f"{PACKAGE}.sandbox",
    f"{PACKAGE}.reports", f"{PACKAGE}.oceanbase.dialects.v3", f"{PACKAGE}.oceanbase.dialects.v4",
)  # fmt: skip
"""Drivers, more of pendulum than Airflow loads anyway, the simulator, and what only a running task needs."""
MOST_MS = 60.0
RUNS = 5


@dataclass(frozen=True)
class Import:
    """One interpreter's answer; see :mod:`benchmarks.imported`."""

    before_ms: float
    added_ms: float
    again_ms: float
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
        dags = {one.stem for one in measured if isinstance(one, Path) and one != GENERIC_FILE}
        check(dags <= found.tasks.keys() and all(found.tasks.values()), f"{measured} has made the DAGs {found.tasks}")
        wanted = {one for one in measured if isinstance(one, str)}
        check(wanted <= set(found.added), f"{wanted} is not what was imported, or was imported before")
        return found


def measure(quick: bool) -> Iterator[Figure]:
    """Which modules all of it needs, and how long each of it takes."""
    with tempfile.TemporaryDirectory() as home:
        interpreters = Interpreters(home)
        yield from _forbidden("All modules", interpreters.imported(AIRFLOW, MODULES))
        yield from _forbidden("All DAG files", interpreters.imported(GENERIC_DAG, DAG_FILES))
        if not quick:
            yield from _times(interpreters)


def _forbidden(what: str, found: Import) -> Iterator[Figure]:
    yield Figure(
        what=f"{what}: drivers, simulator and others that a parse must not load",
        ours=len(found.forbidden),
        unit="modules",
        exactly=0,
        note=", ".join(found.forbidden),
    )


def _times(interpreters: Interpreters) -> Iterator[Figure]:
    measured: dict[str | Path, Sequence[str]] = {
        **dict.fromkeys(MODULES, AIRFLOW),
        **dict.fromkeys((*DAG_FILES, GENERIC_FILE), GENERIC_DAG),
    }
    # One after the other and then again, so that whatever else runs on the machine does not hit all runs of one.
    rounds = [{one: interpreters.imported(first, [one]) for one, first in measured.items()} for _ in range(RUNS)]
    added = {one: min(runs[one].added_ms for runs in rounds) for one in measured}
    again = {one: min(runs[one].again_ms for runs in rounds) for one in measured}
    for first, what in ((AIRFLOW, "modules"), (GENERIC_DAG, "DAG files")):
        before = min(run[one].before_ms for run in rounds for one, its_first in measured.items() if its_first is first)
        yield Figure(what=f"what is imported before {what}", ours=before, unit="ms")
    for name in MODULES:
        what = f"{name.removeprefix(f'{PACKAGE}.')}, added by its import"
        yield Figure(what=what, ours=added[name], unit="ms", at_most=MOST_MS)
    for path in DAG_FILES:
        what, generic = path.name, added[GENERIC_FILE]
        yield Figure(
            what=f"{what}, added by imports and parse",
            ours=added[path],
            unit="ms",
            baseline=generic,
            at_most=MOST_MS,
            note=_WHY if added[path] > MOST_MS else "",
        )
        yield Figure(what=f"{what}, parse alone", ours=again[path], unit="ms", baseline=again[GENERIC_FILE])


_WHY = (
    "what the first DAG of a process loads of Airflow is in it, and is in the baseline beside it, a generic DAG file "
    "measured in the same way. Airflow copies the fields of a DAG's form for each class of each task: that is most of "
    "the time of a parse alone. The rest are the operators of this DAG."
)

BENCHMARK = Benchmark(
    title="Import of each module, and parse of each DAG file, beyond what Airflow itself takes",
    baseline="`airflow.sdk` and the MySQL hook, imported first in the same interpreter; for DAG files also the modules "
    f"of SQLExecuteQueryOperator and SqlSensor. Beside a DAG file: what a generic one adds. Each in a fresh "
    f"interpreter, the best of {RUNS} runs.",
    measure=measure,
)
