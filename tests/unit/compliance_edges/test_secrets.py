"""A canary in the password and in the keys of every destination: a check shows it nowhere.

Airflow's own masker is switched off, so that what keeps the canary in is this package alone.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest
from airflow.sdk.execution_time.xcom import XCom
from airflow.sdk.types import TaskInstanceKey

from airflow_ob_provider.assets.oceanbase import COMPLIANCE_ALIAS
from airflow_ob_provider.exceptions import OceanBaseTransientError
from airflow_ob_provider.links.oceanbase import ComplianceReportLink
from airflow_ob_provider.notifications.oceanbase import LogBackupAlarmNotifier
from airflow_ob_provider.operators.compliance import ArchiveComplianceOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.ears import Ears

from .conftest import context

# Between two marks every part is unique, so that a leak of any part is seen, in any spelling.
KEY = "Kq7X/Zx1Q+Wv9J=Pt3B%41Rs5H=="
ID = "Id8G/Yh2F+Ub6D=Nm4S%2BLj0T"
PASSWORD = "Pw5C/Ae6V+Ro7M=Ce8L%25Ti9P"
PARTS = ("Kq7X", "Zx1Q", "Wv9J", "Pt3B", "Rs5H", "Id8G", "Yh2F", "Ub6D", "Nm4S", "Lj0T",
         "Pw5C", "Ae6V", "Ro7M", "Ce8L", "Ti9P")  # fmt: skip
WHERE = f"host=oss.example.com&access_id={ID}&access_key={KEY}"
URI = f"oss://bucket/dir?{WHERE}"
MakeTask = Callable[..., ArchiveComplianceOperator]
TI_KEY = TaskInstanceKey(dag_id="dag", task_id="task", run_id="r", try_number=1, map_index=-1)


def leaks(text: str) -> list[str]:
    return [part for part in PARTS if part in text]


@pytest.fixture(params=["3.2.4", "4.2.5"])
def box(request: pytest.FixtureRequest, new: Callable[..., Sandbox]) -> Sandbox:
    """A cluster whose destinations hold keys, also in what its catalog remembers of them."""
    box: Sandbox = new(profile=request.param, password=PASSWORD, destination=URI)
    if request.param.startswith("4"):
        for name in ("tenant1", "tenant2"):
            _sql(box, f"ALTER SYSTEM SET DATA_BACKUP_DEST = 'oss://data/{name}?{WHERE}' TENANT = {name}")
    return box


def _sql(box: Sandbox, text: str) -> None:
    account = box.connection()
    with (
        pymysql.connect(host=box.host, port=box.port, user=account["login"], password=account["password"]) as opened,
        opened.cursor() as cursor,
    ):
        cursor.execute(text)


def _wrong_password(box: Sandbox, add_connection: Callable[..., str]) -> None:
    add_connection({**box.connection(), "password": PASSWORD + "x"})


def _quoted(box: Sandbox, add_connection: Callable[..., str]) -> None:
    message = f"You have an error in your SQL syntax; near 'access_key={KEY}' at line 1; SET backup_dest = '{URI}'"
    box.faults.error_once = {"pattern": "SELECT", "errno": 1064, "message": message, "count": 99}


def _lost(box: Sandbox, add_connection: Callable[..., str]) -> None:
    box.faults.error_once = {"pattern": "SELECT", "errno": 4012, "message": f"timeout of {URI}", "count": 99}


def _interrupted(box: Sandbox, add_connection: Callable[..., str]) -> None:
    now = box.now
    box.history.clear()
    comment = f"cannot write {URI}: RequestId access_key={KEY}"
    box.history.round(1, now.replace(hour=0), status="INTERRUPTED", comment=comment)


SCENES: dict[str, Callable[[Sandbox, Callable[..., str]], None]] = {
    "healthy": lambda box, add: None,
    "the server tells of the keys": _interrupted,
    "wrong password": _wrong_password,
    "the server quotes the keys": _quoted,
    "no answer": _lost,
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_check_shows_no_secret(
    box: Sandbox,
    add_connection: Callable[..., str],
    task: MakeTask,
    tmp_path: Path,
    ears: Ears,
    monkeypatch: pytest.MonkeyPatch,
    scene: str,
) -> None:
    SCENES[scene](box, add_connection)
    given, errors = context(tries_left=1), []
    for number in (1, 2):
        given["ti"].try_number = number
        try:
            task().execute(given)
            break
        except OceanBaseTransientError as error:
            errors.append(error)
        except Exception as error:
            errors.append(error)
            break
    monkeypatch.setattr(XCom, "get_value", lambda **_: given["ti"].xcom["return_value"])
    given["ti"].map_index = -1
    given["ti"].xcom_pull = lambda key, **_: given["ti"].xcom[key]
    for language in ("en", "zh"):
        LogBackupAlarmNotifier(language=language).notify(given)
    events = given["outlet_events"][COMPLIANCE_ALIAS].asset_alias_events
    places = {
        "log": ears.heard,
        "xcom": json.dumps(given["ti"].xcom),
        "events": str(events),
        "link": ComplianceReportLink().get_link(task(), ti_key=TI_KEY),
        "errors": "".join("".join(traceback.format_exception(error)) for error in errors),
        **{path.name: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()},
    }
    assert {place: leaks(text) for place, text in places.items() if leaks(text)} == {}
    assert {
        "latest.json",
        "latest.md",
        "latest.en.html",
        "latest.zh.html",
        "overview.json",
        "state.json",
    } <= places.keys()
    assert len(events) == (given["ti"].xcom["return_value"]["verdict"] != "UNKNOWN")
    if scene == "healthy":
        evidence = json.loads(places["latest.json"])["evidence"]
        assert "access_key=***" in json.dumps(evidence), "the canary was there to be read"
