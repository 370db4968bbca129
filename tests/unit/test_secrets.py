"""A canary in every key and password, run through every class: it may reach the server, and nothing else.

Airflow's own masker is switched off, so that what keeps the canary in is this package alone.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk.lineage import get_hook_lineage_collector

from airflow_ob_provider.operators import settings
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator
from airflow_ob_provider.operators.backup import BackupDatabaseOperator, CancelBackupOperator
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.operators.settings import SetArchiveOptionOperator, SetBackupDestinationOperator
from airflow_ob_provider.report import cluster_report, fleet_report
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor, ArchiveDoingSensor, PieceStatusSensor
from airflow_ob_provider.sensors.backup import BackupSetSensor
from airflow_ob_provider.triggers.oceanbase import OceanBaseWaitTrigger
from tests.unit.operators.harness import Ending, Time, drive, ending, make_context, patch_time

# Every part between two marks is unique, so that a leak of any part is seen, in any spelling.
KEY = "Kq7X/Zx1Q+Wv9J=Pt3B%41Rs5H=="
ID = "Id8G/Yh2F+Ub6D=Nm4S%2BLj0T"
PASSWORD = "Pw5C/Ae6V+Ro7M=Ce8L%25Ti9P"
PARTS = [part for secret in (KEY, ID, PASSWORD) for part in secret.translate(str.maketrans("/+=%", "    ")).split()]
PARTS = [part.removeprefix("41").removeprefix("2B").removeprefix("25") for part in PARTS]
OSS = "oss://bucket/dir?host=oss.example.com"
URI = f"{OSS}&access_id={ID}&access_key={KEY}"


def leaks(text: str) -> list[str]:
    return [part for part in PARTS if part in text]


def shown(error: BaseException | None) -> str:
    """An error as error trackers take it: everything chained, and every local variable of every frame of ours."""
    if error is None:
        return ""
    texts = [repr(error), str(error)]
    trace: traceback.TracebackException | None = traceback.TracebackException.from_exception(error, capture_locals=True)
    while trace:
        texts += [str(line) for line in trace.format_exception_only()]
        texts += [str(frame.locals) for frame in trace.stack if "/airflow_ob_provider/" in frame.filename
                  and "/sandbox/" not in frame.filename]  # fmt: skip
        trace = trace.__cause__ or trace.__context__
    return "\n".join(texts)


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was registered with Airflow's masker, which itself does nothing here."""
    values: list[str] = []
    monkeypatch.setattr(settings, "mask_secret", values.append)
    masker = "airflow.sdk._shared.secrets_masker.SecretsMasker.redact"
    monkeypatch.setattr(masker, lambda self, item, *args, **kwargs: item)
    return values


@pytest.fixture
def box(add_connection: Any, masked: list[str]) -> Iterator[Sandbox]:
    with Sandbox(tenants=2, servers=3, manual_clock=True, password=PASSWORD) as sandbox:
        add_connection(sandbox)
        add_connection({"conn_type": "generic", "login": ID, "password": KEY}, "keys")
        add_connection({"conn_type": "generic", "login": ID, "password": f"{KEY}&x"}, "bad_keys")
        sandbox.parameters["backup_dest"] = URI
        yield sandbox


@pytest.fixture
def time(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time(box)
    patch_time(time, monkeypatch)
    return time


SECRET_SQL = f"near 'access_id={ID}&access_key={KEY}' at line 1; alter system set backup_dest = '{URI}'"


def _faults(**faults: Any) -> Callable[[Sandbox], None]:
    def set_all(box: Sandbox) -> None:
        for name, value in faults.items():
            setattr(box.faults, name, value)

    return set_all


def _run(box: Sandbox, *states: str) -> None:
    for state in states:
        box.force_status(state)


def _differ(box: Sandbox) -> None:
    box.parameters["backup_dest", 1] = URI.replace("bucket", "other")


def _wrong_password(box: Sandbox) -> None:
    box._cluster.tenant_named("sys").users["root"].password = "changed"


def _backing_up(box: Sandbox) -> None:
    _run(box, "DOING")
    box._cluster.backup.start(incremental=False)
    box.advance(5)


def _unset(box: Sandbox) -> None:
    box.parameters["backup_dest"] = ""


DEST = {"destination": OSS, "dest_conn_id": "keys"}
MOVED = {"destination": OSS.replace("dir", "dir2"), "dest_conn_id": "keys"}
WAITS = {"timeout": 300, "poll_interval": 30}
POKES = {"timeout": 300, "poke_interval": 30}
Scenario = tuple[type, dict[str, Any], Callable[[Sandbox], Any] | None, str]
SCENARIOS: dict[str, Scenario] = {
    "check": (CheckBackupPrerequisitesOperator, {}, None, "success"),
    "check the same": (CheckBackupPrerequisitesOperator, DEST, None, "success"),
    "check another": (CheckBackupPrerequisitesOperator, MOVED, None, "success"),
    "check while it runs": (CheckBackupPrerequisitesOperator, MOVED, lambda box: _run(box, "DOING"), "failed"),
    "check servers that differ": (CheckBackupPrerequisitesOperator, {}, _differ, "failed"),
    "check, login refused": (CheckBackupPrerequisitesOperator, {}, _wrong_password, "failed"),
    "check, keys in the open": (CheckBackupPrerequisitesOperator, {"destination": "KEYS"}, None, "retry"),
    "check, illegal key": (CheckBackupPrerequisitesOperator, {**DEST, "dest_conn_id": "bad_keys"}, None, "retry"),
    "set": (SetBackupDestinationOperator, MOVED, None, "success"),
    "set the first": (SetBackupDestinationOperator, DEST, _unset, "success"),
    "set the same": (SetBackupDestinationOperator, DEST, None, "success"),
    "set, servers differ": (SetBackupDestinationOperator, MOVED, _differ, "success"),
    "set, dry run": (SetBackupDestinationOperator, {**MOVED, "dry_run": True}, None, "success"),
    "set, refused": (
        SetBackupDestinationOperator,
        MOVED,
        _faults(error_once=("SET backup_dest", 9026, SECRET_SQL)),
        "failed",
    ),
    "set, grammar": (
        SetBackupDestinationOperator,
        MOVED,
        _faults(error_once=("SET backup_dest", 1064, f"You have an error in your SQL syntax {SECRET_SQL}")),
        "failed",
    ),
    "set, cut in a key": (
        SetBackupDestinationOperator,
        MOVED,
        _faults(error_once=("SET backup_dest", 1064, f"syntax error near '{KEY[9:]}' at line 1")),
        "failed",
    ),
    "set, state": (SetBackupDestinationOperator, MOVED, lambda box: _run(box, "DOING"), "failed"),
    "set, lost before": (SetBackupDestinationOperator, MOVED, _faults(drop_before=("SET backup_dest", 1)), "retry"),
    "set, lost after": (SetBackupDestinationOperator, MOVED, _faults(drop_after=("SET backup_dest", 1)), "success"),
    "set, timeout": (
        SetBackupDestinationOperator,
        MOVED,
        _faults(error_once=("SET backup_dest", 4012, SECRET_SQL, True)),
        "success",
    ),
    "set, no effect": (SetBackupDestinationOperator, MOVED, _faults(config_propagation_seconds=9999), "retry"),
    "set, keys in the open": (SetBackupDestinationOperator, {"destination": "KEYS"}, None, "retry"),
    "set, no scheme": (SetBackupDestinationOperator, {"destination": "NO SCHEME"}, None, "retry"),
    "set, illegal key": (SetBackupDestinationOperator, {**DEST, "dest_conn_id": "bad_keys"}, None, "retry"),
    "set, file with keys": (
        SetBackupDestinationOperator,
        {"destination": "file:///x", "dest_conn_id": "keys"},
        None,
        "retry",
    ),
    "option": (SetArchiveOptionOperator, {"mode": "mandatory"}, None, "success"),
    "option, refused": (
        SetArchiveOptionOperator,
        {"mode": "mandatory"},
        _faults(error_once=("SET backup_log", 4147, SECRET_SQL)),
        "failed",
    ),
    "freeze": (MinorFreezeOperator, WAITS, None, "success"),
    "freeze, unreadable": (
        MinorFreezeOperator,
        {**WAITS, "on_timeout": "fail"},
        _faults(error_once=("memstore_info", 1142, SECRET_SQL, False, 99)),
        "failed",
    ),
    "start": (StartArchivelogOperator, WAITS, None, "success"),
    "start, refused": (
        StartArchivelogOperator,
        WAITS,
        _faults(error_once=("ALTER SYSTEM ARCHIVELOG", 9026, SECRET_SQL)),
        "failed",
    ),
    "start, stopping": (StartArchivelogOperator, WAITS, lambda box: _run(box, "DOING", "STOPPING"), "success"),
    "start, login refused": (StartArchivelogOperator, WAITS, _wrong_password, "failed"),
    "stop": (StopArchivelogOperator, {**WAITS, "confirm": True}, lambda box: _run(box, "DOING"), "success"),
    "doing": (ArchiveDoingSensor, POKES, lambda box: _run(box, "BEGINNING"), "success"),
    "doing, refused": (
        ArchiveDoingSensor,
        POKES,
        lambda box: (_run(box, "BEGINNING"), _faults(error_once=("gv.tenant", 1142, SECRET_SQL, False, 99))(box)),
        "failed",
    ),
    "doing, lost": (
        ArchiveDoingSensor,
        {**POKES, "timeout": 3000},
        lambda box: (_run(box, "BEGINNING"), _faults(error_once=("gv.tenant", 4012, SECRET_SQL, False, 999))(box)),
        "retry",
    ),
    "doing, login refused": (ArchiveDoingSensor, POKES, _wrong_password, "failed"),
    "pieces": (PieceStatusSensor, POKES, lambda box: _run(box, "DOING"), "success"),
    "checkpoint": (ArchiveCheckpointSensor, POKES, lambda box: _run(box, "DOING"), "success"),
    "backup": (BackupDatabaseOperator, WAITS, lambda box: _run(box, "DOING"), "success"),
    "backup, not ready": (BackupDatabaseOperator, WAITS, None, "failed"),
    "backup, refused": (
        BackupDatabaseOperator,
        WAITS,
        lambda box: (_run(box, "DOING"), _faults(error_once=("SYSTEM BACKUP", 9040, SECRET_SQL))(box)),
        "failed",
    ),
    "backup, lost": (
        BackupDatabaseOperator,
        WAITS,
        lambda box: (_run(box, "DOING"), _faults(error_once=("SYSTEM BACKUP", 4012, SECRET_SQL))(box)),
        "retry",
    ),
    "backup, login refused": (BackupDatabaseOperator, WAITS, _wrong_password, "failed"),
    "cancel": (CancelBackupOperator, {**WAITS, "confirm": True}, lambda box: _backing_up(box), "success"),
    "cancel, refused": (
        CancelBackupOperator,
        {**WAITS, "confirm": True},
        lambda box: (_backing_up(box), _faults(error_once=("CANCEL BACKUP", 1227, SECRET_SQL))(box)),
        "failed",
    ),
    "sets": (BackupSetSensor, {**POKES, "job": 1}, lambda box: _backing_up(box), "success"),
    "sets, unreadable": (
        BackupSetSensor,
        {**POKES, "job": 1},
        _faults(error_once=("SET_FILES", 1142, SECRET_SQL, False, 99)),
        "failed",
    ),
}


@pytest.mark.parametrize(
    ("name", "deferrable"),
    [(name, deferrable) for name in SCENARIOS for deferrable in (True, False) if deferrable or "," in name],
)
def test_the_canary_reaches_nothing_but_the_server(
    box: Sandbox,
    time: Time,
    name: str,
    deferrable: bool,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind, arguments, prepare, expected = SCENARIOS[name]
    caplog.set_level(logging.DEBUG)
    if prepare:
        prepare(box)
    given = dict(arguments)
    secret_argument = given.get("destination") in {"KEYS", "NO SCHEME"}
    if given.get("destination") == "KEYS":
        given["destination"] = URI
    if given.get("destination") == "NO SCHEME":
        given["destination"] = URI.replace("://", ":")
    if kind in _WAITING:
        given["deferrable"] = deferrable
    rows: list[Any] = []
    serialize = OceanBaseWaitTrigger.serialize
    monkeypatch.setattr(OceanBaseWaitTrigger, "serialize", lambda self: rows.append(serialize(self)) or rows[-1])
    task, context = kind(task_id="task", **given), make_context()
    end: Ending = ending(lambda: drive(task, context, time))
    assert end.state == expected, end
    out, err = capfd.readouterr()
    places = {
        "log": out + err + "\n".join(str(vars(record)) + record.getMessage() for record in caplog.records),
        "result": json.dumps(end.result),
        "xcom": json.dumps(context["ti"].xcom),
        "trigger rows": str(rows),
        "lineage": _lineage(),
    }
    if not secret_argument:  # what a user types into a field of a task is shown; it is refused for that reason
        places["error"] = shown(end.error)
        places["rendered"] = str({field: getattr(task, field) for field in task.template_fields})
        places["task"] = str(vars(task)) + repr(task)
    else:
        places["error"] = str(end.error) + repr(end.error)
    assert {place: leaks(text) for place, text in places.items() if leaks(text)} == {}
    assert places["log"], "what is searched is there"
    if end.error:
        assert str(end.error)


_WAITING = (
    MinorFreezeOperator,
    StartArchivelogOperator,
    StopArchivelogOperator,
    ArchiveDoingSensor,
    PieceStatusSensor,
    ArchiveCheckpointSensor,
    BackupDatabaseOperator,
    CancelBackupOperator,
    BackupSetSensor,
)


def _lineage() -> str:
    collector = get_hook_lineage_collector()
    return str(vars(collector)) if hasattr(collector, "__dict__") else ""


def test_the_canary_did_reach_the_server(box: Sandbox, time: Time, masked: list[str]) -> None:
    """Otherwise the test above would prove nothing."""
    drive(SetBackupDestinationOperator(task_id="task", **MOVED), make_context(), time)
    assert box.parameters["backup_dest"] == URI.replace("dir", "dir2")
    assert set(masked) == {ID, KEY}, "and Airflow's masker knows them, for what others log"


def test_the_report_shows_no_canary(box: Sandbox, time: Time) -> None:
    def result(task: Any) -> Any:
        return drive(task, make_context(), time)

    results = {
        "prerequisites": result(CheckBackupPrerequisitesOperator(task_id="a", **MOVED)),
        "destination": result(SetBackupDestinationOperator(task_id="b", **MOVED)),
        "start": result(StartArchivelogOperator(task_id="c")),
    }
    report = cluster_report("oceanbase_default", results, None, dry_run=False)
    whole = fleet_report(["oceanbase_default"], [report], dry_run=False)
    text = json.dumps([report, whole])
    assert leaks(text) == []
    assert "access_key=***" in text


def test_the_parts_are_found_in_any_spelling() -> None:
    from urllib.parse import quote

    for text in (URI, quote(URI), quote(URI, safe=""), repr(URI), json.dumps(URI), PASSWORD[5:12]):
        assert leaks(text)
