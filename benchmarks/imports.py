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
AFTER_ANOTHER = (*GENERIC_DAG, GENERIC_FILE)
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

    def imported(self, first: Sequence[str | Path], measured: Sequence[str | Path]) -> Import:
        """Import ``measured`` after ``first``."""
        names = [",".join(map(str, first)), ",".join(map(str, measured))]
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
    measured: dict[tuple[str | Path, Sequence[str | Path]], Import] = {}
    wanted: list[tuple[str | Path, Sequence[str | Path]]] = [
        *((name, AIRFLOW) for name in MODULES),
        *((path, GENERIC_DAG) for path in (*DAG_FILES, GENERIC_FILE)),
        *((path, AFTER_ANOTHER) for path in DAG_FILES),
    ]
    # One after the other and then again, so that whatever else runs on the machine does not hit all runs of one.
    for one, first in wanted * RUNS:
        found = interpreters.imported(first, [one])
        measured[one, first] = min(measured.get((one, first), found), found, key=lambda run: run.added_ms)
    before = min(run.before_ms for (_, first), run in measured.items() if first is AIRFLOW)
    yield Figure(what="what is imported before modules", ours=before, unit="ms")
    for name in MODULES:
        what = f"{name.removeprefix(f'{PACKAGE}.')}, added by its import"
        yield Figure(what=what, ours=measured[name, AIRFLOW].added_ms, unit="ms", at_most=MOST_MS)
    generic = measured[GENERIC_FILE, GENERIC_DAG]
    for path in DAG_FILES:
        whole, later = measured[path, GENERIC_DAG], measured[path, AFTER_ANOTHER]
        yield Figure(
            what=f"{path.name}, added by imports and parse",
            ours=whole.added_ms,
            unit="ms",
            baseline=generic.added_ms,
            at_most=MOST_MS,
            note=_WHY if whole.added_ms > MOST_MS else "",
        )
        yield Figure(
            what=f"{path.name}, imports alone, after another DAG file",
            ours=later.added_ms - later.again_ms,
            unit="ms",
            at_most=MOST_MS,
        )
        yield Figure(what=f"{path.name}, parse alone", ours=later.again_ms, unit="ms", baseline=generic.again_ms)


_WHY = (
    "what the first DAG of a process loads of Airflow is in it, and is in the baseline beside it, a generic DAG file "
    "measured in the same way. Imports alone are what the operators of this DAG add to a process that has parsed a DAG "
    "file before: some 60 modules, of which the models, dataclasses and enumerations, take 8 ms, and where a person is "
    "asked 11 ms of Airflow's ApprovalOperator. Parse alone is the file once more, with all that it imports there: "
    "nearly all of it is Airflow's, which copies the fields of a DAG's form for each class of each task."
)

BENCHMARK = Benchmark(
    title="Import of each module, and parse of each DAG file, beyond what Airflow itself takes",
    baseline="`airflow.sdk` and the MySQL hook, imported first in the same interpreter; for DAG files also the modules "
    f"of SQLExecuteQueryOperator and SqlSensor. Beside a DAG file: what a generic one adds. Each in a fresh "
    f"interpreter, the best of {RUNS} runs.",
    measure=measure,
)
