"""``python -m airflow_ob_provider copy-dags``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_ob_provider import __main__ as command

TEMPLATES = {"first.py": "first = 1\n", "second.py": "second = 2\n", "sql/third.sql": "SELECT 3\n"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with three templates."""
    package = tmp_path / "site-packages" / "airflow_ob_provider"
    for name, content in {**TEMPLATES, "__pycache__/first.cpython-311.pyc": "no template"}.items():
        path = package / "dag_templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(command, "_PACKAGE", package)
    return package


@pytest.fixture
def dags(package: Path, tmp_path: Path) -> Path:
    """A DAG folder that is not there yet."""
    return tmp_path / "airflow" / "dags"


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_creates_the_folder_and_prints_one_line_a_file(dags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["copy-dags", str(dags)]) == 0
    assert files(dags) == TEMPLATES
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"created   {dags / name}" for name in TEMPLATES]
    assert err == ""


def test_leaves_identical_files_alone(dags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["copy-dags", str(dags)])
    before = {path: path.stat().st_mtime_ns for path in dags.rglob("*")}
    capsys.readouterr()
    assert command.main(["copy-dags", str(dags)]) == 0
    assert {path: path.stat().st_mtime_ns for path in dags.rglob("*")} == before
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"unchanged {dags / name}" for name in TEMPLATES]
    assert err == ""


def test_refuses_to_overwrite_and_then_copies_nothing(dags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dags.mkdir(parents=True)
    (dags / "second.py").write_text("second = 'ours'\n")
    assert command.main(["copy-dags", str(dags)]) == 1
    assert files(dags) == {"second.py": "second = 'ours'\n"}
    out, err = capsys.readouterr()
    assert out == ""
    assert str(dags / "second.py") in err
    assert "first.py" not in err
    assert "--force" in err


def test_overwrites_with_force(dags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dags.mkdir(parents=True)
    (dags / "second.py").write_text("second = 'ours'\n")
    (dags / "own.py").write_text("own = 1\n")
    assert command.main(["copy-dags", str(dags), "--force"]) == 0
    assert files(dags) == {**TEMPLATES, "own.py": "own = 1\n"}
    assert f"replaced  {dags / 'second.py'}" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(lambda dags: dags.write_text(""), id="the folder is a file"),
        pytest.param(lambda dags: (dags / "second.py").mkdir(parents=True), id="a file is a folder"),
    ],
)
def test_says_what_it_cannot_write(
    block: Callable[[Path], object], dags: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dags.parent.mkdir()
    block(dags)
    assert command.main(["copy-dags", str(dags), "--force"]) == 1
    assert str(dags) in capsys.readouterr().err


def test_copies_from_a_checkout(package: Path, dags: Path) -> None:
    (package / "dag_templates").rename(package.parent / "dags")
    assert command.main(["copy-dags", str(dags)]) == 0
    assert files(dags) == TEMPLATES


def test_says_that_the_templates_are_missing(package: Path, dags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (package / "dag_templates").rename(package / "elsewhere")
    assert command.main(["copy-dags", str(dags)]) == 1
    assert "template DAGs are missing" in capsys.readouterr().err
    assert not dags.exists()


def test_default_is_the_folder_airflow_is_configured_with(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "configured"))
    assert command.main(["copy-dags"]) == 0
    assert files(tmp_path / "configured") == TEMPLATES


def test_a_named_folder_needs_no_airflow(tmp_path: Path) -> None:
    code = (
        "import sys; from airflow_ob_provider.__main__ import main; "
        "status = main(['copy-dags', sys.argv[1]]); "
        "sys.exit(status or any(name.partition('.')[0] == 'airflow' for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "dags")], check=True)
