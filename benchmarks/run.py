"""`make bench` and `make bench-quick`: each benchmark in a process of its own.

To be measured, a benchmark has the machine to itself; where only counts are judged, two run side by side.

``python -m benchmarks.run [--quick] [--write] [name ...]``. Exit code: 0, or 1 when a benchmark failed or a count is
not what it must be; a missed target of time or memory is told, and is no failure.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module

from benchmarks.figures import Benchmark, Figure
from benchmarks.results import RESULTS, Section, as_text, keep, measured

NAMES = (
    "server_load",
    "worker_slots",
    "latency",
    "triggerer",
    "compliance",
    "imports",
    "hook_calls",
    "fleet",
    "simulator",
)
_MARK = "FIGURE "


def main() -> int:
    """Run what is wanted; the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.run", description="Measure the provider against its baselines.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all of them by default")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="small sizes; only counts are judged")
    kind.add_argument("--write", action="store_true", help=f"write what was measured into {RESULTS.name}")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    names = wanted.names or list(NAMES)
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if wanted.here:
        return _measure_here(names[0], quick=wanted.quick)

    sections = []
    # Modules are compiled once, as an installed provider's are, wherever this machine keeps byte code or does not.
    with tempfile.TemporaryDirectory(prefix="airflow-ob-provider-bench-") as byte_code:
        environment = dict(os.environ)
        if not wanted.quick:  # there no time is judged, and to compile Airflow takes some of it
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            environment["PYTHONPYCACHEPREFIX"] = byte_code
        measure = partial(_measured, environment=environment, quick=wanted.quick)
        with ThreadPoolExecutor(2 if wanted.quick else 1) as side_by_side:
            for section in side_by_side.map(measure, names):
                sections.append(section)
                if wanted.write:
                    keep(section, NAMES)
    wrong = [one.name for one in sections if one.has_failed or any(figure.is_wrong for figure in one.figures)]
    missed = [] if wanted.quick else [one.name for one in sections if one.missed]
    if missed:
        print(f"Targets are missed in: {', '.join(missed)}")
    if wrong:
        print(f"Wrong: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def _benchmark(name: str) -> Benchmark:
    found = import_module(f"benchmarks.{name}").BENCHMARK
    assert isinstance(found, Benchmark)
    return found


def _measure_here(name: str, *, quick: bool) -> int:
    for figure in _benchmark(name).measure(quick):
        print(_MARK + json.dumps(figure.known()), flush=True)
    return 0


def _measured(name: str, *, environment: Mapping[str, str], quick: bool) -> Section:
    """Run one in a process of its own, and print its figures as they come."""
    benchmark = _benchmark(name)
    tell = partial(print, f"{name}:", flush=True)
    tell(benchmark.title, "...")
    command = [sys.executable, "-m", "benchmarks.run", "--here", name, *(["--quick"] if quick else [])]
    began = time.monotonic()
    figures = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_MARK):
                figures.append(Figure.of(json.loads(line.removeprefix(_MARK))))
                tell(as_text(figures[-1], quick=quick))
    section = measured(name, benchmark, figures, time.monotonic() - began, has_failed=process.returncode != 0)
    tell("FAILED" if section.has_failed else "done", f"in {section.seconds:.0f} s")
    return section


if __name__ == "__main__":
    sys.exit(main())
