"""Data backup: preconditions, progress rows that vanish, sets in the columns of each build."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

BACKUP = "ALTER SYSTEM BACKUP DATABASE"
INCREMENTAL = "ALTER SYSTEM BACKUP INCREMENTAL DATABASE"
PROGRESS = "SELECT * FROM CDB_OB_BACKUP_PROGRESS ORDER BY TENANT_ID"
FILES = "SELECT * FROM CDB_OB_BACKUP_SET_FILES ORDER BY BS_KEY, TENANT_ID"
DETAILS = "SELECT * FROM CDB_OB_BACKUP_SET_DETAILS ORDER BY BS_KEY, TENANT_ID"


def test_preconditions_in_their_order(make_box, connect):
    box = make_box(tenants=0)
    client = connect(box)
    box.faults.config_not_synced = True
    assert client.error(BACKUP)[0] == 4527
    box.faults.config_not_synced = False
    assert client.error(BACKUP)[0] == 1235, "a cluster without user tenants"
    box.create_tenant("t1")
    box.faults.no_gts_tenants = {"t1"}
    assert client.error(BACKUP) == (1235, "physical backup without GTS is not supported")
    box.faults.no_gts_tenants = set()
    for status in ("STOP", "BEGINNING", "STOPPING", "INTERRUPTED"):
        box.force_status(status)
        expected = f"backup can not start, because log archive is not doing. log archive status : {status}."
        assert client.error(BACKUP) == (9040, expected)
    box.force_status("DOING")
    assert client.do(BACKUP) == 0
    assert client.error(BACKUP) == (9036, "Backup is in progress")
    assert client.error(INCREMENTAL)[0] == 9036


def test_a_full_backup(box, client):
    client.start()
    client.do(BACKUP)
    started = box.now
    assert client.rows(DETAILS) == []
    running = client.rows(PROGRESS)
    assert [(r["TENANT_ID"], r["BS_KEY"], r["BACKUP_TYPE"], r["STATUS"]) for r in running] == [
        (1, 1, "D", "RUNNING"),
        (1001, 1, "D", "RUNNING"),
        (1002, 1, "D", "RUNNING"),
    ]
    assert all(isinstance(r["COMPLETION_TIME"], datetime) for r in running), "filled even while running"
    assert running[0]["PARTITION_COUNT"] == 0 < running[1]["PARTITION_COUNT"]
    files = client.rows(FILES)
    assert {(f["STATUS"], f["FILE_STATUS"], f["COPY_ID"]) for f in files} == {("DOING", "COPYING", 0)}
    box.advance(15)
    part = client.rows(PROGRESS)[1]
    assert 0 < part["FINISH_MACRO_BLOCK_COUNT"] < part["MACRO_BLOCK_COUNT"]
    box.advance(60)
    assert client.rows(PROGRESS) == []
    assert {(f["STATUS"], f["FILE_STATUS"]) for f in client.rows(FILES)} == {("SUCCESS", "AVAILABLE")}
    details = client.rows(DETAILS)
    assert [(d["TENANT_ID"], d["STATUS"], d["COPY_ID"]) for d in details] == [
        (1, "COMPLETED", "0"),
        (1001, "COMPLETED", "0"),
        (1002, "COMPLETED", "0"),
    ]
    assert details[1]["START_TIME"] == started
    assert details[1]["ELAPSED_SECONDES"] == Decimal(29)
    assert isinstance(details[1]["TIME_TAKEN_DISPLAY"], timedelta)
    assert details[0]["COMPRESSION_RATIO"] is None
    assert str(details[1]["COMPRESSION_RATIO"]) == "0.05"


@pytest.mark.parametrize(
    ("profile", "count", "last"),
    [("2.2.77", 20, "STATUS"), ("3.1.2", 20, "STATUS"), ("3.1.5", 20, "STATUS"), ("3.2.4", 23, "BACKUP_LEVEL")],
)
def test_columns_of_set_details(make_box, connect, profile, count, last):
    box = make_box(profile)
    client = connect(box)
    client.start()
    client.do(BACKUP)
    box.advance(60)
    row = client.rows(DETAILS)[1]
    assert len(row) == count
    assert list(row)[:5] == ["INCARNATION", "TENANT_ID", "BS_KEY", "COPY_ID", "BACKUP_TYPE"]
    assert list(row)[-1] == last
    if count == 23:
        assert (row["START_REPLAY_LOG_TS"], row["BACKUP_LEVEL"]) == (0, "CLUSTER")
        assert row["DATE"] == int(row["START_TIME"].strftime("%Y%m%d"))


def test_set_details_of_3_1_0_has_no_copy(make_box, connect):
    box = make_box("3.1.0")
    client = connect(box)
    box.force_status("DOING")
    client.do(BACKUP)
    box.advance(60)
    row = client.rows(DETAILS)[0]
    assert len(row) == 19
    assert "COPY_ID" not in row
    assert client.error(FILES)[0] == 1146


def test_incremental(box, client):
    client.start()
    client.do(INCREMENTAL)
    assert client.rows(PROGRESS)[0]["BACKUP_TYPE"] == "D", "silently a full one without an earlier success"
    box.advance(60)
    client.do(INCREMENTAL)
    assert client.rows(PROGRESS)[0]["BACKUP_TYPE"] == "I"
    box.advance(60)
    assert [(r["BS_KEY"], r["BACKUP_TYPE"]) for r in client.rows(DETAILS) if r["TENANT_ID"] == 1] == [
        (1, "D"),
        (2, "I"),
    ]


def test_increments_are_limited(box, client):
    client.start()
    client.do(BACKUP)
    box.advance(60)
    for _ in range(64):
        client.do(INCREMENTAL)
        box.advance(40)
    client.do(INCREMENTAL)
    assert client.rows(PROGRESS)[0]["BACKUP_TYPE"] == "D"


def test_cancel(box, client):
    assert client.error("ALTER SYSTEM CANCEL BACKUP") == (9049, "backup status is stopped, can not cancel")
    client.start()
    client.do(BACKUP)
    assert client.error("ALTER SYSTEM CANCEL BACKUP") == (9041, "cancel backup do not allow"), "still preparing"
    box.advance(5)
    assert client.do("ALTER SYSTEM CANCEL BACKUP") == 0
    box.advance(3)
    assert client.error("ALTER SYSTEM CANCEL BACKUP")[0] == 9041, "cleaning up"
    assert {r["STATUS"] for r in client.rows(PROGRESS)} == {"FAILED"}
    box.advance(5)
    assert client.rows(PROGRESS) == []
    assert {r["STATUS"] for r in client.rows(DETAILS)} == {"FAILED"}
    assert {(r["STATUS"], r["FILE_STATUS"]) for r in client.rows(FILES)} == {("FAILED", "INCOMPLETE")}
    client.do(INCREMENTAL)
    assert {(r["BS_KEY"], r["BACKUP_TYPE"]) for r in client.rows(PROGRESS)} == {(2, "D")}, "a failed job uses up its id"


def test_destination_that_breaks_fails_the_job(box, client):
    client.start()
    client.do(BACKUP)
    box.faults.destination_unwritable = True
    box.advance(60)
    assert {r["STATUS"] for r in client.rows(DETAILS)} == {"FAILED"}


def test_encryption_is_of_the_session(box, client, connect):
    client.start()
    assert client.do("SET ENCRYPTION ON IDENTIFIED BY 'secret' ONLY") == 0
    client.do(BACKUP)
    box.advance(60)
    other = connect(box)
    other.do(BACKUP)
    box.advance(60)
    client.do("SET ENCRYPTION OFF")
    client.do(BACKUP)
    modes = {r["BS_KEY"]: r["ENCRYPTION_MODE"] for r in client.rows(FILES)}
    assert modes == {1: "PASSWORD", 2: "NONE", 3: "NONE"}
    assert client.error("SET ENCRYPTION ON IDENTIFIED BY 'secret'")[0] == 1064


def test_tenant_backup_is_enterprise_grammar(make_box, connect, client):
    statement = "ALTER SYSTEM BACKUP TENANT tenant1, tenant2 TO 'file:///data/t'"
    assert client.error(statement)[0] == 1064
    box = make_box("3.2.4", tenants=3)
    enterprise = connect(box)
    enterprise.start()
    assert enterprise.error("ALTER SYSTEM BACKUP TENANT nobody TO 'file:///data/t'")[0] == 5157
    enterprise.do(statement)
    box.advance(60)
    rows = enterprise.rows(DETAILS)
    assert [(r["TENANT_ID"], r["BACKUP_LEVEL"]) for r in rows] == [(1, "TENANT"), (1001, "TENANT"), (1002, "TENANT")]


def test_deleting_sets(box, client):
    client.start()
    assert client.error("ALTER SYSTEM DELETE BACKUPSET 1")[0] == 4016
    for _ in range(2):
        client.do(BACKUP)
        box.advance(60)
    assert client.error("ALTER SYSTEM DELETE BACKUPSET 2")[0] == 1235, "oldest first"
    assert client.do("ALTER SYSTEM DELETE BACKUPSET 1 COPY 0") == 0
    assert client.error("ALTER SYSTEM DELETE BACKUPSET 2")[0] == 1235, "one valid set stays"
    assert {(r["BS_KEY"], r["FILE_STATUS"]) for r in client.rows(FILES)} == {(1, "DELETED"), (2, "AVAILABLE")}
    assert {r["BS_KEY"] for r in client.rows(DETAILS)} == {2}
    assert client.error("ALTER SYSTEM DELETE OBSOLETE BACKUP")[0] == 1235, "no recovery window"
    client.do("ALTER SYSTEM SET backup_dest_option = 'recovery_window=7d'")
    assert client.do("ALTER SYSTEM DELETE OBSOLETE BACKUP") == 0


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("SUSPEND BACKUP", 1235),
        ("RESUME BACKUP", 1235),
        ("DELETE EXPIRED BACKUP COPY 1", 1235),
        ("VALIDATE DATABASE", 1235),
        ("VALIDATE BACKUPSET 1", 1235),
        ("CANCEL VALIDATE 1", 1235),
        ("CANCEL DELETE BACKUP", 1235),
        ("CANCEL BACKUP BACKUPSET", 1235),
        ("BACKUP", 1064),
        ("BACKUP DATABASE NOW", 1064),
        ("BACKUP DATABASE TENANT = t", 1064),
        ("CANCEL", 1064),
        ("DELETE", 1064),
        ("DELETE BACKUPSET one", 1064),
        ("DELETE BACKUPSET 1.5", 1064),
        ("ARCHIVELOG TENANT = x", 1064),
        ("ARCHIVELOG NOW", 1064),
        ("NOARCHIVELOG TENANT = ALL", 1064),
        ("", 1064),
    ],
)
def test_statements_out_of_scope_or_grammar(client, statement, errno):
    assert client.error(f"ALTER SYSTEM {statement}")[0] == errno
