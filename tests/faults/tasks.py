"""Every operator and sensor as rows of the table: how it is made, the state before, and what its success must mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator
from airflow_ob_provider.operators.backup import BackupDatabaseOperator
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.operators.settings import SetArchiveOptionOperator, SetBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor, ArchiveDoingSensor, PieceStatusSensor
from tests.faults import truth
from tests.unit.operators.harness4 import put, sql
from tests.unit.test_secrets import ID, KEY

HOST = "oss.example.com"
KEYS = f"&access_id={ID}&access_key={KEY}"
TIMEOUT, INTERVAL = 900.0, 45.0

V3, V4 = ("3.1.5", "3.2.4"), ("4.0.0", "4.2.5", "4.3.3")


@dataclass(frozen=True)
class Task:
    """One operator or sensor, in one mode of waiting."""

    name: str
    make: Callable[[], Any]
    prepare: Callable[[Sandbox], object]
    holds: Callable[[Sandbox, Any, datetime], str]
    """Why a success is none, by the cluster's record; it knows the result and the cluster's time at the beginning."""
    sends: tuple[str, ...] = ()
    """Regular expressions of the statements it may send, in their order; sensors and checks send none."""
    settles: bool = False
    """A success is followed by DOING, if nothing is wrong with the cluster any more."""
    best_effort: bool = False
    """It goes on whatever becomes of its statement."""
    rescheduled: bool = False

    @property
    def is_sensor(self) -> bool:
        return self.name.split("-")[0] in {"doing", "pieces", "frozen", "checkpoint"}


def tasks(profile: str) -> list[Task]:
    """All of them for this build, the ones that wait in the triggerer and in the worker."""
    old = profile in V3
    found = [
        Task("prerequisites", _prerequisites, _ready, lambda box, result, _: "" if result["passed"] else "not passed"),
        Task("destination", _destination(old), _nowhere, _placed, (r"SET (backup_dest|LOG_ARCHIVE_DEST) = ",)),
        Task("option", lambda: SetArchiveOptionOperator(task_id="option", mode="mandatory"), _ready, _mandatory,
             (r"SET (backup_log_archive_option|LOG_ARCHIVE_DEST) = ",)),
        Task("start", _start, _ready, lambda box, *_: truth.on_its_way(box), (r"ALTER SYSTEM ARCHIVELOG",),
             settles=True),
    ]  # fmt: skip
    if profile not in {*V3, "4.0.0"}:
        found.append(
            Task("resume", _start, _in("SUSPEND"), lambda box, *_: truth.on_its_way(box),
                 (r"LOG_ARCHIVE_DEST_STATE = 'ENABLE'",), settles=True)
        )  # fmt: skip
    for mode in ("deferred", "blocking"):
        found += _waiting(mode)
    return found


def _waiting(mode: str) -> list[Task]:
    common: dict[str, Any] = {"deferrable": mode == "deferred", "timeout": TIMEOUT}
    operator, sensor = {**common, "poll_interval": INTERVAL}, {**common, "poke_interval": INTERVAL}
    return [
        Task(
            f"freeze-{mode}",
            lambda: MinorFreezeOperator(task_id="freeze", **operator),
            _ready,
            lambda box, result, _: truth.on_disk(box) if result["completed"] else "",
            (r"ALTER SYSTEM MINOR FREEZE",),
            best_effort=True,
        ),
        Task(
            f"strict-freeze-{mode}",
            lambda: MinorFreezeOperator(task_id="freeze", on_timeout="fail", **operator),
            _ready,
            lambda box, *_: truth.on_disk(box),
            (r"ALTER SYSTEM MINOR FREEZE",),
        ),
        Task(
            f"restart-{mode}",
            lambda: StartArchivelogOperator(task_id="start", restart_interrupted=True, **operator),
            _in("INTERRUPTED"),
            lambda box, *_: truth.on_its_way(box),
            (r"ALTER SYSTEM NOARCHIVELOG", r"ALTER SYSTEM ARCHIVELOG"),
            settles=True,
        ),
        Task(
            f"stop-{mode}",
            lambda: StopArchivelogOperator(task_id="stop", confirm=True, **operator),
            _in("DOING"),
            lambda box, *_: truth.stopped(box),
            (r"ALTER SYSTEM NOARCHIVELOG",),
        ),
        Task(
            f"backup-{mode}",
            lambda: BackupDatabaseOperator(task_id="backup", **operator),
            _ready_to_back_up,
            lambda box, result, _: truth.backed_up_once(box, result),
            (r"ALTER SYSTEM BACKUP DATABASE",),
        ),
        Task(
            f"doing-{mode}",
            lambda: ArchiveDoingSensor(task_id="doing", **sensor),
            _in("BEGINNING"),
            lambda box, *_: truth.doing(box),
        ),
        Task(
            f"pieces-{mode}",
            lambda: PieceStatusSensor(task_id="pieces", **sensor),
            _in("BEGINNING"),
            lambda box, *_: truth.pieces(box, "ACTIVE"),
        ),
        Task(
            f"frozen-{mode}",
            lambda: PieceStatusSensor(task_id="pieces", statuses=["FROZEN"], **sensor),
            _in("STOPPING"),
            lambda box, *_: truth.pieces(box, "FROZEN"),
        ),
        Task(
            f"checkpoint-{mode}",
            lambda: ArchiveCheckpointSensor(task_id="checkpoint", **sensor),
            _behind,
            lambda box, _, began: truth.archived_up_to(box, began),
        ),
    ]


def rescheduled(task: Task) -> Task:
    """A sensor in the mode in which each look is a process of its own."""
    kind, kwargs = type(task.make()), {"deferrable": False, "mode": "reschedule", "timeout": TIMEOUT}
    return replace(
        task,
        name=f"{task.name.partition('-')[0]}-rescheduled",
        make=lambda: kind(task_id="sensor", poke_interval=INTERVAL, **kwargs),
        rescheduled=True,
    )


def _prerequisites() -> Any:
    return CheckBackupPrerequisitesOperator(task_id="prerequisites")


def _start() -> Any:
    return StartArchivelogOperator(task_id="start", timeout=TIMEOUT, poll_interval=INTERVAL)


def _destination(old: bool) -> Callable[[], Any]:
    path = "oss://bucket/dir" if old else "oss://bucket/{tenant}"
    uri = f"{path}?host={HOST}"
    return lambda: SetBackupDestinationOperator(task_id="destination", destination=uri, dest_conn_id="keys")


# --- the state before -------------------------------------------------------------------------------------------------


def _ready(box: Sandbox) -> None:
    """STOP, with a destination whose keys the server shows in clear text."""
    if truth.is_v3(box):
        box.parameters["backup_dest"] = f"oss://bucket/used?host={HOST}{KEYS}"
        return
    where = "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=oss://bucket/used_{0}?host={1}{2}' TENANT = {0}"
    sql(box, *(where.format(name, HOST, KEYS) for name in truth.tenants(box)))


def _in(state: str) -> Callable[[Sandbox], None]:
    def prepare(box: Sandbox) -> None:
        _ready(box)
        if truth.is_v3(box):
            box.force_status(state)
        else:
            for name in truth.tenants(box):
                put(box, state, name)

    return prepare


in_state = _in


def _ready_to_back_up(box: Sandbox) -> None:
    """DOING, with a destination of data backups of its own on 4.x, whose keys the server shows in clear text."""
    _in("DOING")(box)
    if not truth.is_v3(box):
        where = "ALTER SYSTEM SET DATA_BACKUP_DEST = 'oss://bucket/data_{0}?host={1}{2}' TENANT = {0}"
        sql(box, *(where.format(name, HOST, KEYS) for name in truth.tenants(box)))


def _behind(box: Sandbox) -> None:
    """DOING, with a checkpoint that has not reached now."""
    _in("DOING")(box)
    box.advance(30)


def _nowhere(box: Sandbox) -> None:
    """As a cluster is made: no destination."""


# --- what success means -----------------------------------------------------------------------------------------------


def _placed(box: Sandbox, *_: Any) -> str:
    if truth.is_v3(box):
        return truth.setting(box, "backup_dest", "oss://bucket/dir", f"access_key={KEY}")
    return truth.setting(box, "path", "oss://bucket/{tenant}", f"access_key={KEY}")


def _mandatory(box: Sandbox, *_: Any) -> str:
    return truth.setting(box, "backup_log_archive_option" if truth.is_v3(box) else "binding", "mandatory")
