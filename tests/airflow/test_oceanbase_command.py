"""The real command ``airflow oceanbase``, in processes of its own: connections, exit codes, what is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_ob_provider.reports import schema
from airflow_ob_provider.sandbox import Sandbox

PASSWORD = "Pw5C/Ae6V+Ro7M=Ce8L%25Ti9P"
PARTS = ("Pw5C", "Ae6V", "Ro7M", "Ce8L", "Ti9P")
AIRFLOW = Path(sys.executable).with_name("airflow")
_IMPORTS = """
import sys
import airflow.cli.cli_config
before = set(sys.modules)
from airflow_ob_provider.cli.definition import get_commands
get_commands()
print(*sorted(set(sys.modules) - before))
from airflow.cli.cli_parser import get_parser
get_parser()
print(*sorted(name for name in sys.modules if name.startswith("airflow_ob_provider")))
"""
Ran = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def boxes() -> Iterator[dict[str, Sandbox]]:
    """A green cluster and a red one."""
    with Sandbox("4.2.5", tenants=2, password=PASSWORD) as green, Sandbox("3.2.4", password=PASSWORD) as red:
        for box in (green, red):
            now = box.now
            box.history.clear()
            box.history.round(1, now - timedelta(days=2), status="INTERRUPTED" if box is red else None)
            box.history.backup_set(1, now - timedelta(days=1), now - timedelta(hours=23))
        yield {"green": green, "red": red}


@pytest.fixture(scope="module")
def in_database(airflow_db: None, boxes: dict[str, Sandbox]) -> str:
    """The green cluster as a connection in Airflow's database."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection(conn_id="in_database", **{**boxes["green"].connection(), "extra": None}))
    return "in_database"


@pytest.fixture(scope="module")
def ran(
    in_database: str, boxes: dict[str, Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Callable[[], Ran]]:
    """All command lines, begun at once because each takes seconds to start."""
    folder = tmp_path_factory.mktemp("command")
    (folder / "policy.yaml").write_text("defaults: {cleanup_required: false}\n", encoding="utf-8")
    (folder / "kept" / "in_database").mkdir(parents=True)
    (folder / "kept" / "in_database" / "state.json").write_text("{", encoding="utf-8")
    commands = {
        "json": ["check", "--conn-id", in_database, "--json", "--policy-file", f"{folder}/policy.yaml",
                 "--report-path", f"{folder}/kept"],
        "red": ["windows", "--conn-id", "in_environment", "--language", "zh"],
        "nobody": ["status", "--conn-id", "nobody"],
    }  # fmt: skip
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "AIRFLOW_CONN_IN_ENVIRONMENT": json.dumps(boxes["red"].connection()),
        "COLUMNS": "60",
        "PYTHONIOENCODING": "utf-8",
    }
    lines = {name: [AIRFLOW, "oceanbase", "archive", *rest] for name, rest in commands.items()}
    lines["imports"] = [sys.executable, "-c", _IMPORTS]
    running = {
        name: subprocess.Popen(
            line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        for name, line in lines.items()
    }
    done = {}
    for name, process in running.items():
        out, err = process.communicate(timeout=180)
        done[name] = subprocess.CompletedProcess(lines[name], process.returncode, out, err)
    return done


def test_json_is_the_report_and_nothing_else(ran: dict[str, Ran]) -> None:
    done = ran["json"]
    report: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(report, schema())
    assert (done.returncode, report["verdict"], report["connection"]) == (0, "OK", "in_database")


def test_logs_are_no_part_of_it(ran: dict[str, Ran]) -> None:
    assert "state.json cannot be read, so this check is a first one" in ran["json"].stderr


def test_a_connection_of_the_environment_on_a_narrow_terminal_in_chinese(ran: dict[str, Ran]) -> None:
    done = ran["red"]
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith("结论: FAIL in_environment")
    assert max(len(line) for line in done.stdout.splitlines()) <= 60


def test_a_connection_that_nobody_made_is_3(ran: dict[str, Ran]) -> None:
    done = ran["nobody"]
    assert (done.returncode, done.stdout) == (3, "")
    assert "nobody" in done.stderr


def test_nothing_secret_and_no_traceback_is_printed(ran: dict[str, Ran]) -> None:
    for done in ran.values():
        text = done.stdout + done.stderr
        assert "Traceback" not in text
        assert [part for part in PARTS if part in text] == []


def test_the_command_makes_airflow_no_slower(ran: dict[str, Ran]) -> None:
    """Every ``airflow …`` reads the definition of the command, so it imports nothing more."""
    added, loaded = ran["imports"].stdout.splitlines()
    own = ["airflow_ob_provider.cli", "airflow_ob_provider.cli.definition"]
    assert added.split() == own
    assert set(loaded.split()) == {"airflow_ob_provider", "airflow_ob_provider.get_provider_info", *own}
