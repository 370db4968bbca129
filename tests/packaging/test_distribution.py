"""What is published works: build it, install it into a clean environment, and ask the Airflow there."""

from __future__ import annotations

import email.message
import email.parser
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

import airflow_ob_provider
from airflow_ob_provider.get_provider_info import get_provider_info

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(
    str(path.relative_to(ROOT / "dags"))
    for path in (ROOT / "dags").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)
(CONNECTION,) = get_provider_info()["connection-types"]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command with nothing of the caller's Airflow or Python in its environment; return its output."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "COV", "PYTHON")) and name != "VIRTUAL_ENV"
    }
    done = subprocess.run(
        command, cwd=cwd, env={**inherited, **environment}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and with the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("distributions")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    """The wheel, built from the sdist."""
    (wheel,) = distributions.glob("*.whl")
    return wheel


class Installation:
    """A clean environment with the wheel and an Airflow home of its own."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        run(sys.executable, "-m", "uv", "venv", "--python", sys.executable, folder / "venv", cwd=folder)
        self.uv("install", "-c", ROOT / "constraints.txt", "--override", ROOT / "overrides.txt", wheel)

    def uv(self, command: str, *arguments: str | Path) -> str:
        return run(sys.executable, "-m", "uv", "pip", command, "--python", self.python, *arguments, cwd=self.folder)

    def run(self, *command: str | Path) -> str:
        """Run a program of the environment."""
        return run(
            self.python.with_name(str(command[0])),
            *command[1:],
            cwd=self.folder,
            AIRFLOW_HOME=str(self.folder / "airflow"),
            AIRFLOW__CORE__LOAD_EXAMPLES="True",
        )


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("installation"), wheel)


@pytest.fixture(scope="module")
def findings(installation: Installation) -> dict[str, Any]:
    """What Airflow there knows of the provider."""
    findings: dict[str, Any] = json.loads(
        installation.run("python", Path(__file__).with_name("probe.py")).splitlines()[-1]
    )
    return findings


def wheel_files(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.parser.Parser().parsestr(archive.read(name).decode())


def test_wheel_carries_the_package_and_nothing_else(wheel: Path) -> None:
    folders = {name.partition("/")[0] for name in wheel_files(wheel)}
    assert folders == {
        "airflow_ob_provider",
        f"airflow_ob_provider-{airflow_ob_provider.__version__}.dist-info",
    }
    assert "airflow_ob_provider/py.typed" in wheel_files(wheel)
    assert not [name for name in wheel_files(wheel) if "__pycache__" in name]


def test_wheel_carries_the_templates(wheel: Path) -> None:
    prefix = "airflow_ob_provider/dag_templates/"
    assert TEMPLATES
    assert sorted(name.removeprefix(prefix) for name in wheel_files(wheel) if name.startswith(prefix)) == TEMPLATES


def test_wheel_carries_what_reports_are_made_of(wheel: Path) -> None:
    prefix = "airflow_ob_provider/reports/"
    data = {name.removeprefix(prefix) for name in wheel_files(wheel) if name.startswith(prefix)}
    assert {name for name in data if not name.endswith(".py")} == {
        "schema/compliance-1.json",
        "templates/compliance.css",
        "templates/compliance.html.jinja",
        "templates/compliance.js",
        "templates/dark.css",
        "templates/parts.html.jinja",
    }


def test_wheel_carries_what_the_page_is_made_of(wheel: Path) -> None:
    prefix = "airflow_ob_provider/web/"
    data = {name.removeprefix(prefix) for name in wheel_files(wheel) if name.startswith(prefix)}
    assert {name for name in data if not name.endswith(".py")} == {
        "static/icon-dark.svg",
        "static/icon.svg",
        "static/page.css",
        "static/page.js",
        "templates/base.html.jinja",
        "templates/cluster.html.jinja",
        "templates/controls.html.jinja",
        "templates/fleet.html.jinja",
        "templates/message.html.jinja",
    }


def test_wheel_of_the_checkout_is_the_wheel_of_the_sdist(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_sdist_carries_what_the_tests_need(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "constraints.txt", "overrides.txt", "LICENSE", "tests/packaging/probe.py"} <= names


def test_metadata(wheel: Path) -> None:
    fields = metadata(wheel)
    assert fields["Name"] == "airflow-ob-provider"
    assert fields["Version"] == airflow_ob_provider.__version__
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields.get_all("License-File") == ["LICENSE"]
    assert sorted(fields.get_all("Provides-Extra", [])) == ["kernel", "mysql-connector", "mysqlclient", "sandbox"]
    # A cap here would keep users from an Airflow or a driver that works.
    requirements = [text.partition(";")[0] for text in fields.get_all("Requires-Dist", [])]
    # The kernel is only for tests, and its later releases have lost what they need.
    assert [text for text in requirements if "<" in text or "==" in text or "~=" in text] == ["pylibseekdb==1.2.0"]


def test_only_mysqlclient_is_missing(installation: Installation) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "check", "--python", installation.python],
        capture_output=True,
        text=True,
        timeout=60,
    )
    complaints = [line for line in done.stderr.splitlines() if line.startswith("The package")]
    assert all("`mysqlclient" in line and line.endswith("not installed") for line in complaints), done.stderr
    assert len(complaints) == 1


def test_airflow_lists_the_provider(installation: Installation) -> None:
    output = installation.run("airflow", "providers", "get", "airflow-ob-provider", "--output", "json")
    (provider,) = json.loads(output[output.index("[{") :])
    assert provider == {"Provider": "airflow-ob-provider", "Version": airflow_ob_provider.__version__}


def test_it_is_the_installed_package_that_was_asked(installation: Installation, findings: dict[str, Any]) -> None:
    assert Path(findings["package"]).is_relative_to(installation.folder)


def test_connection_form(findings: dict[str, Any]) -> None:
    form = findings["form"]
    assert form["hook_name"] == "OceanBase"
    assert form["standard_fields"]["url_schema"]["title"] == "Default database"
    assert "2883" in form["standard_fields"]["port"]["placeholder"]
    assert list(form["extra_fields"]) == list(CONNECTION["conn-fields"])
    assert form["extra_fields"]["driver"]["value"] == "pymysql"
    assert form["extra_fields"]["ssl_mode"]["schema"]["title"] == "TLS"


def test_hook_works_without_mysqlclient_and_without_the_sandbox(findings: dict[str, Any]) -> None:
    assert not findings["mysqlclient"]
    assert not findings["sandbox_dependencies"]
    assert findings["hook"] == CONNECTION["hook-class-name"]
    assert findings["hook_conn_type"] == "oceanbase"


def test_links_and_assets_are_registered(findings: dict[str, Any]) -> None:
    assert set(get_provider_info()["extra-links"]) <= set(findings["extra_links"])
    assert "oceanbase" in findings["asset_schemes"]


def test_alarm_command_and_configuration_are_registered(installation: Installation, findings: dict[str, Any]) -> None:
    assert findings["entry_point"] == "airflow-ob-provider"
    assert set(get_provider_info()["notifications"]) <= set(findings["notifications"])
    assert "oceanbase" in findings["commands"]
    assert findings["report_path"] == f"file://{installation.folder}/airflow/oceanbase-reports"


def test_reports_can_be_made(findings: dict[str, Any]) -> None:
    assert findings["schema"]
    assert findings["page"].lower().startswith("<!doctype html>")
    assert "<style" in findings["page"]
    assert "<script" in findings["page"]


def test_templates_can_be_loaded_and_are_not_loaded_as_examples(findings: dict[str, Any]) -> None:
    assert findings["import_errors"] == {}
    assert findings["dags"] == sorted(Path(name).stem for name in TEMPLATES if name.endswith(".py"))
    assert not [name for name in findings["bundles"] if "ob-provider" in name]


def test_copy_dags(installation: Installation) -> None:
    output = installation.run("python", "-m", "airflow_ob_provider", "copy-dags")
    dags = installation.folder / "airflow" / "dags"
    assert output.splitlines()[-len(TEMPLATES) :] == [f"created   {dags / name}" for name in TEMPLATES]
    for name in TEMPLATES:
        assert (dags / name).read_bytes() == (ROOT / "dags" / name).read_bytes()
