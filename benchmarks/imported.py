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


def main() -> None:
    """Import, and print milliseconds, what came to :data:`sys.modules`, and the tasks of each DAG by its id.

    A DAG file is then parsed again, when all that it imports is there already.
    """
    first, measured = (argument.split(",") for argument in sys.argv[1:])
    before_ms, _ = _loaded(first)
    before = set(sys.modules)
    added_ms, tasks = _loaded(measured)
    added = sorted(set(sys.modules) - before)
    again_ms, _ = _loaded(measured)
    answer = {"before_ms": before_ms, "added_ms": added_ms, "again_ms": again_ms, "added": added, "tasks": tasks}
    print(json.dumps(answer))


def _loaded(names: Iterable[str]) -> tuple[float, dict[str, int]]:
    began = time.perf_counter()
    tasks: dict[str, int] = {}
    for name in names:
        if name.endswith(".py"):
            tasks |= _dag_file(Path(name))
        else:
            import_module(name)
    return (time.perf_counter() - began) * 1000, tasks


def _dag_file(path: Path) -> dict[str, int]:
    """As Airflow's DagBag does it, with the byte code of the last time."""
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    name = DagContext.current_autoregister_module_name = f"unusual_prefix_{path.stem}"
    loader = SourceFileLoader(name, str(path))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = sys.modules[name] = module_from_spec(spec)
    loader.exec_module(module)
    found = {dag.dag_id: len(dag.tasks) for dag, _ in DagContext.autoregistered_dags}
    DagContext.autoregistered_dags.clear()
    return found


if __name__ == "__main__":
    main()
