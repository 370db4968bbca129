"""What is started together ends together, however the process that has started it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from demo import processes
from demo.processes import Airflow, AirflowError, wait_until

ROOT = Path(__file__).resolve().parents[3]
# Instead of Airflow: a component that neither SIGTERM nor the death of its parent ends, with a task like Airflow's.
STUBBORN = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
    pathlib.Path(os.environ["AIRFLOW_HOME"], f"task-{os.getpid()}").touch()
signal.pause()
"""
PARENT = """
import pathlib, signal, sys
from demo import processes
processes._LAUNCH = sys.argv[2]
processes._KEEPER = processes._KEEPER.replace("+ 15", "+ 1")
processes.Airflow(pathlib.Path(sys.argv[1])).start("scheduler", "triggerer")
signal.pause()
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with two components."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "home"), STUBBORN], cwd=ROOT) as process:
        yield process
        process.kill()


def tasks(home: Path) -> list[psutil.Process]:
    """The tasks, and what has started them."""
    numbers = [int(path.name.removeprefix("task-")) for path in home.glob("task-*")]
    return [one for number in numbers for one in (psutil.Process(number), psutil.Process(number).parent()) if one]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_process_that_has_started_it(
    parent: subprocess.Popen[bytes], tmp_path: Path, number: int
) -> None:
    wait_until(lambda: len(list((tmp_path / "home").glob("task-*"))) == 2, "both have a task")
    started = tasks(tmp_path / "home")
    assert len(started) == 4

    os.kill(parent.pid, number)

    _, left = psutil.wait_procs(started, 30)
    for process in left:
        process.kill()
    assert left == []


def test_stop_tells_what_had_to_be_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LAUNCH", STUBBORN)
    monkeypatch.setattr(processes, "STOP_SECONDS", 1.0)
    monkeypatch.setattr(processes, "ORPHAN_SECONDS", 1.0)
    airflow = Airflow(tmp_path / "home")
    airflow.start("scheduler")
    wait_until(lambda: list((tmp_path / "home").glob("task-*")), "it has a task")
    started = tasks(tmp_path / "home")

    assert len(airflow.stop()) == 1
    assert [process for process in started if process.is_running()] == []


def test_a_component_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LAUNCH", "import sys\nsys.exit('no such thing as a scheduler')")
    airflow = Airflow(tmp_path / "home")
    airflow.start("scheduler")
    try:
        with pytest.raises(AirflowError, match=r"scheduler has ended with 1\n(.|\n)*no such thing as a scheduler"):
            airflow.wait_healthy()
    finally:
        assert airflow.stop() == []
