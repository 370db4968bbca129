"""A real Airflow in processes of its own: scheduler, dag processor, triggerer, API server, LocalExecutor, SQLite."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

_Found = TypeVar("_Found")

_LAUNCH = """
import ctypes, os, signal, sys
if hasattr(ctypes.CDLL(None), "prctl"):
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: it ends with the tests, however these end
if os.getppid() != int(sys.argv.pop(1)):
    sys.exit("the tests are gone")
for module in filter(None, sys.argv.pop(1).split(",")):
    __import__(module)
from airflow.__main__ import main
main()
"""
_PRELOADED = (
    "airflow.sdk.execution_time.task_runner",
    "airflow.dag_processing.dagbag",
    "airflow.providers.standard.operators.hitl",
    "airflow_ob_provider.operators.archivelog",
    "airflow_ob_provider.operators.backup",
    "airflow_ob_provider.operators.compliance",
    "airflow_ob_provider.operators.prerequisites",
    "airflow_ob_provider.operators.settings",
    "airflow_ob_provider.report",
    "airflow_ob_provider.report_backup",
    "airflow_ob_provider.sensors.archivelog",
    "airflow_ob_provider.task_groups.recovery",
)
"""What every task imports. Workers are forked, so what the scheduler has imported they have."""

COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_WORKER = "airflow worker -- LocalExecutor"
HEARTBEAT_TIMEOUT_SECONDS = 20
"""A worker that has said nothing for this long is given up."""
LOCKED_SECONDS = 60
"""SQLite lets one process write at a time; on a machine that is busy the others wait."""
START_SECONDS = 300.0
"""Two cores that do something else besides need this long at worst."""


def wait_until(
    found: Callable[[], _Found | None], what: str | Callable[[], str], seconds: float = 60.0, every: float = 0.25
) -> _Found:
    """Call until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(every)


def hold(seconds: float) -> None:
    """Let what goes on go on."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, "time passes", seconds + 5)


class Processes:
    """The processes of one Airflow, each component in a process group of its own.

    :param connections: those that are there before any DAG is, by id.
    """

    def __init__(self, home: Path, files: list[Path], connections: Mapping[str, Mapping[str, Any]]) -> None:
        self.home = home
        self.database = home / "airflow.db"
        self.fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.port = _free_port()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._descendants: set[psutil.Process] = set()
        folder = home / "dags"
        folder.mkdir(parents=True)
        for path in files:
            shutil.copy(path, folder)
        self._environment = _inherited() | _settings(home, self.port, self.fernet_key)
        for conn_id, fields in connections.items():
            self._environment[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(fields)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Make the database."""
        with self._output("db-migrate") as output:
            subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=True,
                timeout=START_SECONDS,
            )

    def start(self, *names: str) -> None:
        """Start components, all of them if none is named."""
        for name in names or COMPONENTS:
            with self._output(name) as output:
                self._running[name] = subprocess.Popen(
                    [sys.executable, "-c", _LAUNCH, str(os.getpid()), *self._arguments(name)],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def wait_healthy(self) -> None:
        """Wait until every component says that it is well."""

        def healthy() -> bool:
            self._check_alive()
            try:
                health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
            except (httpx.HTTPError, ValueError):
                return False
            return all(health[name]["status"] == "healthy" for name in ("scheduler", "dag_processor", "triggerer"))

        wait_until(healthy, "every component is healthy", START_SECONDS)

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

    def stop(self) -> list[str]:
        """End everything, politely first; what was left then outside of the components' groups."""
        self._remember()
        running = list(self._running.values())
        self._running.clear()
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        _, orphans = psutil.wait_procs(self._descendants, 10)
        described = [f"{process.pid} {' '.join(process.cmdline())[:80]}" for process in orphans]
        for process in orphans:
            process.kill()
        psutil.wait_procs(orphans, 10)
        return described

    def output(self, name: str) -> str:
        """What a component has printed."""
        return (self.home / "output" / f"{name}.log").read_text(errors="replace")

    def _arguments(self, name: str) -> list[str]:
        preloaded = ",".join(_PRELOADED) if name == "scheduler" else ""
        port = ["--port", str(self.port)] if name == "api-server" else []
        return [preloaded, *COMPONENTS[name], *port]

    @contextlib.contextmanager
    def _output(self, name: str) -> Iterator[int]:
        folder = self.home / "output"
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _check_alive(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} has ended: {self.output(name)[-4000:]}")

    def _remember(self) -> None:
        """What a component has started can be found through it only while it lives."""
        for process in self._running.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                self._descendants |= set(psutil.Process(process.pid).children(recursive=True))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _inherited() -> dict[str, str]:
    """This process's environment without its own Airflow; nor is coverage measured in processes that are killed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "COV", "PYTEST"))}
    return kept | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])}


def _settings(home: Path, port: int, fernet_key: str) -> dict[str, str]:
    """Settings of this Airflow. What differs from the defaults makes it small, alone, or quick to notice."""
    url = f"http://127.0.0.1:{port}"
    sections: dict[str, dict[str, object]] = {
        "core": {
            "executor": "LocalExecutor",
            "load_examples": False,
            "dags_folder": home / "dags",
            "dags_are_paused_at_creation": False,
            "execution_api_server_url": f"{url}/execution/",
            "fernet_key": fernet_key,
            "parallelism": 4,
            "max_active_tasks_per_dag": 64,
            "simple_auth_manager_all_admins": True,
        },
        "api": {
            "base_url": url,
            "host": "127.0.0.1",
            "port": port,
            "workers": 1,
            "secret_key": secrets.token_urlsafe(32),
            "expose_config": False,
        },
        "api_auth": {"jwt_secret": secrets.token_urlsafe(48)},
        "database": {"sql_alchemy_conn": f"sqlite:///{home}/airflow.db?timeout={LOCKED_SECONDS}"},
        "dag_processor": {"min_file_process_interval": 3600, "parsing_processes": 1, "refresh_interval": 3600},
        "logging": {"base_log_folder": home / "logs"},
        "scheduler": {
            "scheduler_heartbeat_sec": 1,
            "job_heartbeat_sec": 1,
            "scheduler_idle_sleep_time": 0.2,
            "task_instance_heartbeat_timeout": HEARTBEAT_TIMEOUT_SECONDS,
            "task_instance_heartbeat_timeout_detection_interval": 2,
            "trigger_timeout_check_interval": 1,
        },
        "triggerer": {"job_heartbeat_sec": 1, "triggerer_health_check_threshold": 6},
        "usage_data_collection": {"enabled": False},
        "workers": {"min_heartbeat_interval": 2, "execution_api_timeout": 20},
    }
    named = {
        f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
        for section, values in sections.items()
        for name, value in values.items()
    }
    return named | {"AIRFLOW_HOME": str(home)}
