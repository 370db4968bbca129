"""`make ui` before it begins: what it refuses, and that its copies of the templates can be made."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo import ui
from demo.stack import copy_template

ROOT = Path(__file__).resolve().parents[3]


def run(port: str) -> subprocess.CompletedProcess[str]:
    """`make ui PORT=...`, without make."""
    return subprocess.run(
        [sys.executable, "-m", "demo.ui"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PORT": port},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("port", ["80", "70000", "-1", "a port", "8080.5"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    done = run(port)
    assert done.returncode == 2
    assert done.stderr == f"PORT must be a number from 1024 to 65535, not {port!r}.\n"


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(str(port))
    assert done.returncode == 2
    assert done.stderr.startswith(f"PORT={port} cannot be used: ")


def test_two_cannot_use_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui, "FOLDER", tmp_path)
    with ui.lock(), pytest.raises(ui.WantedError, match="Another `make ui` is running"):
        ui.lock()
    ui.lock().close()


@pytest.mark.parametrize("name", list(ui.COPIES))
def test_the_copies_of_the_templates_are_python(tmp_path: Path, name: str) -> None:
    copy_template(name, tmp_path, ui.COPIES[name])
    compile((tmp_path / f"{name}.py").read_text(encoding="utf-8"), name, "exec")


def test_a_change_that_does_not_fit_the_template_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ob_data_backup has 0 times 'no such text', not once"):
        copy_template("ob_data_backup", tmp_path, [("no such text", "")])
