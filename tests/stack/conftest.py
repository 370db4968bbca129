"""One Airflow for all tests of this folder, and the scenes that they look at.

A scene is a run of a DAG on clusters of its own. The scenes of all selected tests are begun before the first test, so
that they go on side by side.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_ob_provider.sandbox import Recorded, Sandbox
from demo.clusters import ask, user_tenants
from demo.processes import wait_until
from demo.rest import Rest, Run
from demo.stack import copy_template, running
from tests.pasts import two_good_days
from tests.unit.triggers import rows

from .canaries import rows_of
from .processes import Processes

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    ROOT / "dags" / "ob_archive_compliance.py",
    ROOT / "dags" / "ob_log_archive.py",
    ROOT / "tests" / "stack" / "dags" / "waits.py",
    ROOT / "tests" / "unit" / "triggers" / "rows.jsonl",
]
QUICK = ("timedelta(seconds=30)", "timedelta(0)")
COPIES = {
    "ob_data_backup": [
        QUICK,
        ("max_active_runs=1,", "max_active_runs=1, is_paused_upon_creation=True,"),
        ("    report(clusters,", '    dag.params["poll_interval"] = 1\n    report(clusters,'),
    ],
    "ob_archive_recovery": [
        QUICK,
        (
            "SCHEDULE = None",
            "from airflow_ob_provider.assets.oceanbase import archive_watch_asset\n\n"
            'SCHEDULE = archive_watch_asset("watched", poll_interval=1, hysteresis=60, max_stopped=3600)',
        ),
        ("    recovery_tasks(kind", '    dag.params["poll_interval"] = 1\n    recovery_tasks(kind'),
    ],
}
"""DAGs as a team that copies a template has changed them. What an asset starts has no form, so it looks once a second
by default; data backups are chained when the tests of that have begun."""
DAGS = [
    "all_waits",
    "killed_worker",
    "late",
    "many",
    "marked",
    "ob_archive_compliance",
    "ob_archive_recovery",
    "ob_data_backup",
    "ob_log_archive",
    "refused",
    "yesterday",
]
SCENES = ["killed_worker", "template", "refused", "marked", "late", "all_waits", "yesterday", "many"]
"""In this order they are begun: the first needs a worker at once, the last keeps all of them busy."""

DEST = "file:///data/nfs/backup"
CANARY = "C4N4RY"
"""In every secret, and in nothing else."""
ID_CANARY = "1DC4N4"
"""The same of the access id, which Airflow does not take for a secret: it is the login of a connection."""
ACCESS_ID = f"LTAI{ID_CANARY}+id/=="
ACCESS_KEY = f"k%2F{CANARY}/+=secret%=="


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.airflow)


def polls(box: Sandbox) -> list[Recorded]:
    """The readings of the triggerer. A worker's comments name the attempt."""
    return [one for one in box.statements if "airflow-ob-provider" in one.sql and " try=" not in one.sql]


def status_of(box: Sandbox) -> str:
    """STATUS of a 3.x cluster, as its own DBA sees it."""
    found = ask(box, "SELECT STATUS FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG WHERE TENANT_ID = 1")
    return str(found[0][0]) if found else "none"


@dataclass(frozen=True)
class Stack:
    """A running Airflow."""

    processes: Processes
    rest: Rest

    @contextmanager
    def cluster(self, conn_id: str, profile: str, status: str = "", **options: Any) -> Iterator[Sandbox]:
        """A simulated cluster with a secret password, known to Airflow."""
        with Sandbox(profile, password=f"{conn_id}{CANARY}/+=%", **options) as box:
            if status:
                # What would lead out of the state is held up until the test lets it go.
                box.faults.destination_unwritable = True
                box.faults.dead_medium = True
                if profile.startswith("3"):
                    box.parameters["backup_dest"] = DEST
                box.force_status(status)
            self.rest.add_connection(conn_id, box)
            yield box

    def told(self, uri: str) -> list[dict[str, Any]]:
        """Extras of all events of an asset, in their order.

        From the database: the API of Airflow 3.3.2 answers 500 while a run that an event has made is queued.
        """
        rows = list(rows_of(self.processes.database))
        numbers = [row["id"] for table, row in rows if table == "asset" and row["uri"] == uri]
        events = [row for table, row in rows if table == "asset_event" and row["asset_id"] in numbers]
        return [json.loads(row["extra"]) for row in sorted(events, key=lambda row: row["id"])]

    def restart_triggerer(self, *boxes: Sandbox) -> None:
        """SIGKILL the triggerer and start another; come back when it polls these clusters."""
        self.processes.kill("triggerer")
        seen = [{one.connection_id for one in box.statements} for box in boxes]
        self.processes.start("triggerer")
        for before, box in zip(seen, boxes, strict=True):
            wait_until(
                lambda before=before, box=box: {one.connection_id for one in polls(box)} - before,
                lambda box=box: f"{box.port} is polled again",
                120,
            )


@dataclass(frozen=True)
class Scene:
    """A run and its clusters, by connection."""

    run: Run
    boxes: Mapping[str, Sandbox]

    @property
    def box(self) -> Sandbox:
        """The only cluster."""
        (box,) = self.boxes.values()
        return box


@pytest.fixture(scope="session")
def checked() -> Iterator[Sandbox]:
    """A healthy cluster, which the scheduler has checked as soon as it knows the DAG."""
    with Sandbox("4.2.5", tenants=2, password=f"checked{CANARY}/+=%") as box:
        two_good_days(box)
        box.history.policy("7d")
        yield box


@pytest.fixture(scope="session")
def watched() -> Iterator[Sandbox]:
    """A healthy cluster that can be restored; the triggerer watches it from the beginning."""
    with Sandbox("4.2.5", tenants=2, speed=10, password=f"watched{CANARY}/+=%") as box:
        two_good_days(box)
        place_data_backups(box)
        yield box


def place_data_backups(box: Sandbox) -> None:
    """What the DBA of a 4.x cluster does before the first data backup, to an object store with keys."""
    for name in user_tenants(box):
        keys = f"host=oss.example.com&access_id={ACCESS_ID}&access_key={ACCESS_KEY}"
        ask(box, f"ALTER SYSTEM SET DATA_BACKUP_DEST = 'oss://bucket/data/{name}?{keys}' TENANT = {name}")
    box.clear_statements()


@pytest.fixture(scope="session")
def stack(checked: Sandbox, watched: Sandbox) -> Iterator[Stack]:
    """Airflow, all of it, in a home of its own; nothing of it is left afterwards."""
    home = Path(tempfile.mkdtemp(prefix="airflow-ob-provider-stack-"))
    boxes = {"oceanbase_default": checked, "watched": watched}
    processes = Processes(home, FILES, {conn_id: box.connection() for conn_id, box in boxes.items()})
    for name, changes in COPIES.items():
        copy_template(name, processes.dags, changes)
    try:
        with running(processes, DAGS) as rest:
            yield Stack(processes, rest)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _begin(request: pytest.FixtureRequest, stack: Stack) -> None:
    needed = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    for name in SCENES:
        if name in needed:
            request.getfixturevalue(name)


@pytest.fixture(autouse=True)
def _alive(stack: Stack) -> None:
    """A component that has ended by itself is told at once, and not waited for by every test."""
    stack.processes.check_alive()


@pytest.fixture(scope="session")
def keys(stack: Stack) -> str:
    """A connection with keys of an object store."""
    fields = {"conn_type": "generic", "login": ACCESS_ID, "password": ACCESS_KEY, "host": "oss.example.com"}
    return stack.rest.add_connection("keys", fields)


@pytest.fixture(scope="session")
def killed_worker(stack: Stack) -> Iterator[Scene]:
    """A worker that is killed when the server has started log backup, and has not answered yet."""
    with stack.cluster("killed_worker", "3.2.4") as box:
        box.parameters["backup_dest"] = DEST
        box.faults.slow_answers_pattern = "ALTER SYSTEM ARCHIVELOG"
        box.faults.slow_answers_seconds = 20
        run = stack.rest.trigger("killed_worker")
        wait_until(lambda: status_of(box) != "STOP", "log backup is started", 120, 0.1)
        (task,) = run.tasks("start")
        stack.processes.kill_worker(task["pid"])
        box.faults.reset()
        yield Scene(run, {"killed_worker": box})


@pytest.fixture(scope="session")
def template(stack: Stack, keys: str) -> Iterator[Scene]:
    """The template DAG on both generations at once, to a destination that needs keys."""
    with (
        stack.cluster("v3", "3.1.5", speed=100) as v3,
        stack.cluster("v4", "4.2.5", speed=100, tenants=1) as v4,
    ):
        run = stack.rest.trigger(
            "ob_log_archive",
            oceanbase_conn_ids=["v3", "v4"],
            destination="oss://bucket/ob",
            dest_conn_id=keys,
            poll_interval=1,
        )
        yield Scene(run, {"v3": v3, "v4": v4})


@pytest.fixture(scope="session")
def refused(stack: Stack, keys: str) -> Iterator[Scene]:
    """A server that refuses a statement, and quotes it from the middle of the key on."""
    with stack.cluster("refused", "3.2.4") as box:
        message = f"You have an error in your SQL syntax; check near '{ACCESS_KEY[4:]}'' at line 1"
        box.faults.error_once = {"pattern": "SET backup_dest ", "errno": 1064, "message": message, "count": 9}
        yield Scene(stack.rest.trigger("refused"), {"refused": box})


@pytest.fixture(scope="session")
def marked(stack: Stack) -> Iterator[Scene]:
    """Waits that a person marks as failed."""
    with stack.cluster("marked", "3.2.4", "STOPPING", speed=20) as box:
        yield Scene(stack.rest.trigger("marked"), {"marked": box})


@pytest.fixture(scope="session")
def late(stack: Stack) -> Iterator[Scene]:
    """Waits that take too long."""
    with stack.cluster("late", "3.2.4", "STOPPING") as box:
        box.faults.malformed = {"CDB_OB_BACKUP_PIECE_FILES.FILE_STATUS": "COPYING"}
        yield Scene(stack.rest.trigger("late"), {"late": box})


@pytest.fixture(scope="session")
def all_waits(stack: Stack) -> Iterator[Scene]:
    """One wait of each kind."""
    with ExitStack() as clusters:
        boxes = {
            name: clusters.enter_context(stack.cluster(f"all_waits_{name}", profile, status))
            for name, profile, status in (
                ("stopping", "3.2.4", "STOPPING"),
                ("beginning", "3.1.5", "BEGINNING"),
                ("hanging", "4.2.5", "DOING"),
            )
        }
        boxes["stopping"].faults.stuck_memtables = True
        boxes["beginning"].faults.malformed = {"CDB_OB_BACKUP_PIECE_FILES.FILE_STATUS": "COPYING"}
        yield Scene(stack.rest.trigger("all_waits"), boxes)


@pytest.fixture(scope="session")
def yesterday(stack: Stack) -> Iterator[Scene]:
    """Waits that another release has begun."""
    with rows.clusters(password=f"yesterday{CANARY}/+=%") as boxes:
        rows.finish(boxes)
        for name, box in boxes.items():
            stack.rest.add_connection(name, box)
        yield Scene(stack.rest.trigger("yesterday"), boxes)


@pytest.fixture(scope="session")
def many(stack: Stack) -> Iterator[Scene]:
    """Fifty tenants, each with a sensor of its own."""
    with stack.cluster("many", "3.2.4", "BEGINNING", tenants=50) as box:
        yield Scene(stack.rest.trigger("many"), {"many": box})
