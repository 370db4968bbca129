"""What the tests of the stack do to an Airflow that nobody else should."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from demo.processes import Airflow, wait_until

_WORKER = "airflow worker -- LocalExecutor"


def hold(seconds: float) -> None:
    """Let what goes on go on."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, "time passes", seconds + 5)


class Processes(Airflow):
    """The processes of one Airflow.

    :param connections: those that are there before any DAG is, by id.
    """

    def __init__(self, home: Path, files: list[Path], connections: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(home, connections)
        for path in files:
            shutil.copy(path, self.dags)

    def kill(self, name: str) -> None:
        """SIGKILL a component with everything that it has started."""
        self._remember()
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)

    def busy_workers(self) -> list[str]:
        """Titles of the workers that have a task. All are named after it, or after having none."""
        children = psutil.Process(self._running["scheduler"].pid).children()
        titles = [" ".join(process.cmdline()).strip() for process in children]
        workers = [title for title in titles if title.startswith(_WORKER)]
        assert workers, titles
        return [title for title in workers if not title.endswith("<idle>")]

    def kill_worker(self, pid: int) -> None:
        """SIGKILL the worker that runs the task of this process, and the task, as if the machine were gone."""
        task = psutil.Process(pid)
        worker = task.parent()
        assert worker is not None
        assert self._running["scheduler"].pid in {process.pid for process in worker.parents()}
        assert worker.cmdline()[0].startswith(_WORKER), worker.cmdline()
        for process in (worker, task):  # the worker first: it must have no time to tell what became of its task
            process.kill()
        psutil.wait_procs([task], 30)
