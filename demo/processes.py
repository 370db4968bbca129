"""A real Airflow in processes of its own: scheduler, dag processor, triggerer, API server, LocalExecutor, SQLite.

``make ui`` shows it, and the tests of the stack and of the browser run on it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
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
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: it ends with its parent, however that ends
if os.getppid() != int(sys.argv.pop(1)):
    sys.exit("the parent is gone")
for module in filter(None, sys.argv.pop(1).split(",")):
    __import__(module)
from airflow.__main__ import main
main()
"""
_KEEPER = """
import contextlib, os, signal, sys, time, psutil
sessions = {int(line) for line in sys.stdin}  # until the other end is closed, by hand or by the death of its process
def left():
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) in sessions:
                yield pid
def tell(number):
    for pid in left():
        with contextlib.suppress(OSError):
            os.kill(pid, number)
tell(signal.SIGTERM)
end = time.monotonic() + 15
while any(left()) and time.monotonic() < end:
    time.sleep(0.2)
tell(signal.SIGKILL)
"""
"""Ends what is left of the components when the process that has started them is gone, and could not do it itself."""
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
LOCKED_SECONDS = 60
"""SQLite lets one process write at a time; on a machine that is busy the others wait."""
API_LOCKED_SECONDS = 15
"""The API server waits less. It may wait for itself: for one of its transactions, while its event loop, which would end
that, waits as well. Whoever gives up first ends it; a scheduler that gives up is gone, a request is made again."""
API_ANSWER_SECONDS = 30
"""A worker waits for longer than the API server waits for itself. One that gives up sooner asks again for what has been
done meanwhile, is refused, and its task fails."""
HEARTBEAT_TIMEOUT_SECONDS = 40
"""A worker that has said nothing for this long is given up; it must not be one that waits for the API server."""
START_SECONDS = 300.0
"""Two cores that do something else besides need this long at worst."""
STOP_SECONDS = 30.0
"""A component that has not ended by then is killed."""
ORPHAN_SECONDS = 10.0
"""The same of what it has started, after its end."""
_TAIL_LINES = 25


class AirflowError(RuntimeError):
    """Airflow does not run as it should; the message quotes the log of what fails."""


def wait_until(
    found: Callable[[], _Found | None], what: str | Callable[[], str], seconds: float = 60.0, every: float = 0.25
) -> _Found:
    """Call until the answer is true, and return it.

    :raises TimeoutError: it was not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(every)


class Airflow:
    """The processes of one Airflow, each component in a session of its own.

    :param home: a folder that is empty or not there yet.
    :param connections: those that are there before any DAG is, by id. They come from the environment, so the user
        interface does not list them.
    :param port: of the API server; None takes a free one.
    :param settings: more of Airflow's configuration, by section and name.
    """

    def __init__(
        self,
        home: Path,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        port: int | None = None,
        settings: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        self.home = home
        self.database = home / "airflow.db"
        self.dags = home / "dags"
        self.fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.port = port or _free_port()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._sessions: set[int] = set()
        self._descendants: set[psutil.Process] = set()
        self._keeper: subprocess.Popen[bytes] | None = None
        self.dags.mkdir(parents=True)
        self._environment = _inherited() | _settings(home, self.port, self.fernet_key) | _named(settings or {})
        for conn_id, fields in (connections or {}).items():
            self._environment[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(fields)

    @property
    def url(self) -> str:
        """Where the API server listens, on this machine only."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Make the database.

        :raises AirflowError: it could not be made, or not in time.
        """
        try:
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
        except subprocess.SubprocessError as error:
            raise AirflowError(f"Airflow's database could not be made: {error}\n{self.tail('db-migrate')}") from None

    def start(self, *names: str) -> None:
        """Start components, all of them if none is named."""
        if self._keeper is None:
            self._keeper = subprocess.Popen(
                [sys.executable, "-c", _KEEPER],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        for name in names or COMPONENTS:
            with self._output(name) as output:
                process = subprocess.Popen(
                    [sys.executable, "-c", _LAUNCH, str(os.getpid()), *self._arguments(name)],
                    env=self._environment | (_database(self.home, API_LOCKED_SECONDS) if name == "api-server" else {}),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._running[name] = process
            self._sessions.add(process.pid)
            self._keep(process.pid)

    def wait_healthy(self) -> None:
        """Wait until every component says that it is well.

        :raises AirflowError: one has ended, or says something else for too long.
        """
        sick = ["api-server"]

        def healthy() -> bool:
            self.check_alive()
            try:
                health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
            except (httpx.HTTPError, ValueError):
                sick[:] = ["api-server"]
                return False
            parts = {"scheduler": "scheduler", "dag_processor": "dag-processor", "triggerer": "triggerer"}
            sick[:] = [name for part, name in parts.items() if health[part]["status"] != "healthy"]
            return not sick

        try:
            wait_until(healthy, "", START_SECONDS)
        except TimeoutError:
            tails = "\n".join(self.tail(name) for name in sick)
            raise AirflowError(f"Not healthy within {START_SECONDS:g} s: {', '.join(sick)}\n{tails}") from None

    def check_alive(self) -> None:
        """Look whether every component still runs.

        :raises AirflowError: one has ended.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise AirflowError(f"Airflow's {name} has ended with {process.returncode}\n{self.tail(name)}")

    def stop(self) -> list[str]:
        """End everything, politely first; what was left then of that which the components had started."""
        self._remember()
        running = list(self._running.values())
        self._running.clear()
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        _, orphans = psutil.wait_procs(self._descendants | set(self._left()), ORPHAN_SECONDS)
        described = [described for process in orphans if (described := _described(process))]
        for process in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(orphans, 10)
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
            self._keeper.wait(30)
            self._keeper = None
        return described

    def output(self, name: str) -> str:
        """What a component has printed."""
        path = self._log(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def tail(self, name: str) -> str:
        """The end of it, with the name of the file."""
        lines = self.output(name).rstrip().splitlines()[-_TAIL_LINES:]
        return "\n".join([f"The end of {self._log(name)}:", *(f"  {line}" for line in lines or ["(empty)"])])

    def _arguments(self, name: str) -> list[str]:
        preloaded = ",".join(_PRELOADED) if name == "scheduler" else ""
        port = ["--port", str(self.port)] if name == "api-server" else []
        return [preloaded, *COMPONENTS[name], *port]

    def _log(self, name: str) -> Path:
        return self.home / "output" / f"{name}.log"

    @contextlib.contextmanager
    def _output(self, name: str) -> Iterator[int]:
        self._log(name).parent.mkdir(exist_ok=True)
        descriptor = os.open(self._log(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _keep(self, session: int) -> None:
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.write(f"{session}\n".encode())
            self._keeper.stdin.flush()

    def _remember(self) -> None:
        """What a component has started can be found through it only while it lives."""
        for process in self._running.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                self._descendants |= set(psutil.Process(process.pid).children(recursive=True))

    def _left(self) -> Iterator[psutil.Process]:
        """Tasks have process groups of their own, but stay in the session of the component that has started them."""
        for process in psutil.process_iter():
            with contextlib.suppress(OSError):
                if os.getsid(process.pid) in self._sessions:
                    yield process


def _described(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:80]}"
    except psutil.NoSuchProcess:
        return ""


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
        "workers": {"min_heartbeat_interval": 2, "execution_api_timeout": API_ANSWER_SECONDS},
    }
    return _named(sections) | _database(home, LOCKED_SECONDS) | {"AIRFLOW_HOME": str(home)}


def _database(home: Path, seconds: int) -> dict[str, str]:
    """The database, and how long to wait for it while another writes."""
    return _named({"database": {"sql_alchemy_conn": f"sqlite:///{home}/airflow.db?timeout={seconds}"}})


def _named(sections: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    return {
        f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
        for section, values in sections.items()
        for name, value in values.items()
    }
