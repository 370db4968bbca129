"""Imports in an interpreter of their own: ``python -m benchmarks.imported <what comes first> <what is measured>``.

Both are names of modules and paths of DAG files, with commas between; the answer is one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType


def main() -> None:
    """Import, and print milliseconds, what came to :data:`sys.modules`, and the tasks of each DAG by its id."""
    first, measured = (argument.split(",") for argument in sys.argv[1:])
    _, before_ms = _loaded(first)
    before = set(sys.modules)
    modules, added_ms = _loaded(measured)
    added = sorted(set(sys.modules) - before)
    print(json.dumps({"before_ms": before_ms, "added_ms": added_ms, "added": added, "tasks": _tasks(modules)}))


def _loaded(names: Iterable[str]) -> tuple[list[ModuleType], float]:
    began = time.perf_counter()
    modules = [_dag_file(Path(name)) if name.endswith(".py") else import_module(name) for name in names]
    return modules, (time.perf_counter() - began) * 1000


def _dag_file(path: Path) -> ModuleType:
    """As Airflow's DagBag does it, with the byte code of the last time."""
    name = f"unusual_prefix_{path.stem}"
    loader = SourceFileLoader(name, str(path))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = sys.modules[name] = module_from_spec(spec)
    loader.exec_module(module)
    return module


def _tasks(modules: Iterable[ModuleType]) -> dict[str, int]:
    from airflow.sdk import DAG

    return {
        found.dag_id: len(found.tasks) for module in modules for found in vars(module).values() if type(found) is DAG
    }


if __name__ == "__main__":
    main()
