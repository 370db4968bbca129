"""An Airflow of its own for every test run, and clusters to talk to."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling, Scheduling

# Before anything imports Airflow: the home of whoever runs the tests is never read.
_HOME = tempfile.mkdtemp(prefix="airflow-ob-provider-tests-")
for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{_HOME}/airflow.db"

from airflow_ob_provider.sandbox import Sandbox  # noqa: E402

# Here, because it sums up what xdist's workers report to a process that loads no conftest below this one.
pytest_plugins = ("tests.faults.totals",)


class _OneAirflow(LoadFileScheduling):
    """A file of tests stays on one core, and those of a folder that share an Airflow are one."""

    def _split_scope(self, nodeid: str) -> str:
        sharing = [folder for folder in ("tests/stack", "tests/browser") if nodeid.startswith(f"{folder}/")]
        return sharing[0] if sharing else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    return _OneAirflow(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture
def add_connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Make a simulated cluster (or a whole connection) known to Airflow under an id, by default the hook's own."""

    def add(box: Sandbox | dict[str, object], conn_id: str = "oceanbase_default", **extra: object) -> str:
        connection = box.connection() if isinstance(box, Sandbox) else dict(box)
        connection["extra"] = {**dict(connection.get("extra") or {}), **extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return conn_id

    return add


@pytest.fixture
def cluster(add_connection: Callable[..., str]) -> Iterator[Sandbox]:
    """A 3.2.4 cluster with two user tenants and three servers, its clock moved by hand, known to Airflow."""
    with Sandbox(profile="3.2.4", tenants=2, servers=3, manual_clock=True) as box:
        add_connection(box)
        yield box
