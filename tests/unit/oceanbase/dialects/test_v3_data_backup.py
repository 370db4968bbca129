"""Data backups of 3.x from rows as the server may show them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.oceanbase.data_backup import BackupKind, BackupRequest, JobState, RunningBackup
from airflow_ob_provider.oceanbase.destination import Destination, WantedDestination
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.models import Scope
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from tests.unit.oceanbase import fake_server

NOW = {"server_time": "2024-04-13 17:00:00.000000", "utc_offset": 28800}


class Rows:
    """A healthy cluster of the manual's shape, whose data backups are what was put there."""

    def __init__(self, status: str = "DOING", **answers: list[dict[str, Any]]) -> None:
        self.cluster = fake_server.healthy()
        self.cluster._db.execute("UPDATE oceanbase.CDB_OB_BACKUP_ARCHIVELOG SET STATUS = ?", (status,))
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, statement: Statement) -> list[dict[str, Any]]:
        text = statement.text
        self.asked.append(text)
        if "MAX(CASE WHEN STATUS = 'FAILED'" in text:
            return self.answers.get("running", [])
        if "SELECT MAX(BS_KEY)" in text:
            return self.answers.get("newest", [{"job_id": None}])
        if "p.STATUS AS progress" in text:
            return [NOW | row for row in self.answers.get("job", [{}])]
        if "MAX(kind) AS kind" in text:
            return self.answers.get("started", [])
        return self.cluster(statement)


def backups(number: str = "3.1.5", **answers: Any) -> Any:
    return V3Dialect(OceanBaseVersion.parse(f"OceanBase {number} (r1)"), Rows(**answers)).data_backups


def row(number: int = 1001, name: str | None = "shop", **more: Any) -> dict[str, Any]:
    defaults = {
        "tenant_id": number, "tenant_name": name, "kind": "D", "running_kind": None, "status": "DOING",
        "file_status": "COPYING", "started": "2024-04-13 16:00:00.000001", "ended": None, "progress": None,
        "running_since": None, "partitions": None, "partitions_done": None, "blocks": None, "blocks_done": None,
    }  # fmt: skip
    return {**defaults, **more}


GOOD = {"status": "SUCCESS", "file_status": "AVAILABLE", "ended": "2024-04-13 16:30:00.000009"}


# --- readiness --------------------------------------------------------------------------------------------------------


def test_ready() -> None:
    running = [
        {"job_id": 4, "kind": "I", "failed": 0},
        {"job_id": 5, "kind": "D", "failed": 1},
        {"job_id": 6, "kind": None, "failed": None},
    ]
    found = backups(running=running, newest=[{"job_id": 5}]).readiness()
    names = tuple(tenant.name for tenant in found.candidates)
    assert names
    assert (found.scope, found.obstacles, found.newest_job) == (Scope.CLUSTER, (), 5)
    assert found.running == (
        RunningBackup(4, False, names),
        RunningBackup(5, True, names, is_ending=True),
        RunningBackup(6, None, names),
    )


@pytest.mark.parametrize("status", ["STOP", "BEGINNING", "STOPPING", "INTERRUPTED", "MIXED", "WEIRD"])
def test_log_backup_that_is_not_doing(status: str) -> None:
    found = backups(status=status).readiness()
    assert found.candidates == ()
    ((where, why),) = found.obstacles
    assert (where, why) == ("cluster", f"log backup is {status}, and a data backup needs DOING (9040): start it first")


def test_log_backup_that_is_not_shown_and_no_tenant() -> None:
    found = backups(newest=[])
    cluster = found._dialect._query.cluster
    cluster.clear("CDB_OB_BACKUP_ARCHIVELOG")
    cluster.clear("gv$tenant")
    cluster.tenant(1, "sys")
    ready = found.readiness()
    assert [why for _, why in ready.obstacles] == [
        "log backup is not shown, and a data backup needs DOING (9040): start it first",
        "there is no user tenant to back up (1235)",
    ]
    assert (ready.candidates, ready.newest_job) == ((), 0)


def test_newer_jobs() -> None:
    found = backups(started=[{"job_id": 7, "kind": "D"}, {"job_id": 8, "kind": "I"}])
    assert found.started(6) == (RunningBackup(7, True, ()), RunningBackup(8, False, ()))
    assert "BS_KEY > 6" in found._dialect._query.asked[-1]
    with pytest.raises(ValueError, match="invalid literal"):
        found.started("6 OR 1=1")


# --- one job ----------------------------------------------------------------------------------------------------------


def test_a_job_that_is_in_no_view() -> None:
    found = backups(job=[{"tenant_id": None}]).job(9)
    assert (found.state, found.job_id, found.is_missing) == (None, 9, True)


def test_a_job_under_way() -> None:
    running = {"progress": "RUNNING", "running_since": "2024-04-13 15:00:00.5", "running_kind": "I"}
    rows = [
        row(1, "sys", **running),
        row(**running, blocks=163, blocks_done=40),
        row(1002, None, kind=None, status=None, file_status=None, started=None, **running, partitions=9,
            partitions_done=3),
    ]  # fmt: skip
    found = backups(job=rows).job(9)
    shop, nameless = found.parts
    assert (found.state, found.ended) == (JobState.DOING, None)
    assert (str(shop), shop.is_full) == ("shop DOING/COPYING: 40 of 163 macro blocks", True)
    assert (str(nameless), nameless.is_full) == ("tenant 1002 RUNNING: 3 of 9 partitions", False)
    assert found.started == nameless.started
    assert found.started is not None
    assert found.started.isoformat() == "2024-04-13T15:00:00.500000+08:00"


@pytest.mark.parametrize("progress", ["RUNNING", "COMPLETED", "FAILED", "NEW"])
def test_the_end_is_not_told_before_the_progress_is_gone(progress: str) -> None:
    found = backups(job=[row(progress=progress, **GOOD)]).job(9)
    assert found.state is JobState.DOING
    assert found.parts[0].restore_point is None


def test_a_job_that_has_ended() -> None:
    rows = [row(1, None, **GOOD), row(**GOOD), row(1002, "bank", **GOOD | {"ended": "2024-04-13 16:30:00.000010"})]
    found = backups(job=rows).job(9)
    shop, bank = found.parts
    assert (found.state, found.words) == (JobState.COMPLETED, "SUCCESS/AVAILABLE")
    assert (shop.is_usable, shop.set_id, shop.problem) == (True, 9, "")
    assert shop.restore_point is not None
    assert shop.restore_point.isoformat() == "2024-04-13T16:30:00.000010+08:00", "the checkpoint must be larger"
    assert found.ended == bank.ended


@pytest.mark.parametrize(
    ("more", "state", "problem"),
    [
        ({"status": "FAILED", "file_status": "INCOMPLETE"}, JobState.FAILED, "marked it FAILED and gives no reason"),
        ({"status": "FAILED", "file_status": "AVAILABLE"}, JobState.FAILED, "rootservice.log"),
        ({"file_status": "INCOMPLETE"}, JobState.COMPLETED, "its set is SUCCESS/INCOMPLETE"),
        ({"file_status": "DELETED"}, JobState.COMPLETED, "its set is SUCCESS/DELETED"),
        ({"file_status": "EXPIRED"}, JobState.COMPLETED, "its set is SUCCESS/EXPIRED"),
        ({"file_status": "COPYING"}, JobState.UNKNOWN, ""),
        ({"file_status": "NEW"}, JobState.UNKNOWN, ""),
        ({"status": "DOING", "file_status": "COPYING"}, JobState.UNKNOWN, ""),
        ({"status": "NEW"}, JobState.UNKNOWN, ""),
        ({"status": None, "file_status": None}, JobState.UNKNOWN, ""),
    ],
)
def test_what_is_no_success(more: dict[str, Any], state: JobState, problem: str) -> None:
    found = backups(job=[row(1, "sys", **GOOD), row(1002, "bank", **GOOD), row(**{**GOOD, **more})]).job(9)
    bank, shop = found.parts
    assert (found.state, shop.state) == (state, state)
    assert problem in shop.problem
    assert not shop.is_usable
    assert shop.restore_point is None
    assert bank.is_usable
    assert (shop.ended is None) is (state is JobState.UNKNOWN)


def test_the_row_of_sys_counts_too() -> None:
    found = backups(job=[row(1, "sys", status="FAILED", file_status="INCOMPLETE"), row(**GOOD)]).job(9)
    assert found.state is JobState.FAILED
    assert [part.tenant.name for part in found.parts] == ["shop"]
    alone = backups(job=[row(1, None, **GOOD)]).job(9)
    assert [part.tenant.name for part in alone.parts] == ["sys"]


@pytest.mark.parametrize("value", ["soon", "MAX", ""])
def test_a_time_that_cannot_be_read_is_no_restore_point(value: str) -> None:
    found = backups(job=[row(**{**GOOD, "ended": value})]).job(9)
    assert (found.parts[0].restore_point, found.parts[0].is_usable, found.ended) == (None, False, None)


# --- statements -------------------------------------------------------------------------------------------------------


def test_statements() -> None:
    found = backups()
    full = found.start(BackupRequest(), (), "abc")
    assert full.text == "ALTER SYSTEM BACKUP DATABASE"
    increment = found.start(BackupRequest(BackupKind.INCREMENTAL, description="x"), (), "abc")
    assert increment.text == "ALTER SYSTEM BACKUP INCREMENTAL DATABASE"
    cancel = found.cancel(())
    assert cancel.text == "ALTER SYSTEM CANCEL BACKUP"
    assert all(statement.writes for statement in (full, increment, cancel))
    assert "MAJOR FREEZE" in full.hint(9040)
    assert "waits for that one" in full.hint(9036)
    assert "in a moment" in cancel.hint(9041)


def test_what_3x_cannot() -> None:
    found = backups()
    found.check(BackupRequest(BackupKind.INCREMENTAL, description="dropped"), ())
    with pytest.raises(ValueError, match="backs up the whole cluster"):
        found.check(BackupRequest(), ["shop"])
    with pytest.raises(ValueError, match="has no PLUS ARCHIVELOG"):
        found.check(BackupRequest(plus_archivelog=True), ())
    with pytest.raises(ValueError, match=r"3\.1\.0"):
        backups("3.1.0").check(BackupRequest(), ())


def test_there_is_one_destination() -> None:
    found = backups()
    (change,) = found.plan_destination(WantedDestination(None), ())
    assert (change.refusal, change.statements, change.scope) == ("", (), Scope.CLUSTER)
    (change,) = found.plan_destination(WantedDestination(Destination.parse("file:///d")), ())
    assert "has one destination for logs and data" in change.refusal
    with pytest.raises(ValueError, match="whole cluster"):
        found.plan_destination(WantedDestination(None), ("shop",))
