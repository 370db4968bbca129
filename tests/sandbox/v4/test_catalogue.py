"""The views of each build: names, column orders, types, who sees what."""

from __future__ import annotations

from datetime import datetime

import pymysql
import pytest

from airflow_ob_provider.sandbox.faults import DOC_CONFLICTS
from airflow_ob_provider.sandbox.v4.conflicts import CONFLICTS

PROFILES = ("4.0.0", "4.1.0", "4.2.1", "4.2.5", "4.3.3")
TWINS = {
    "OB_ARCHIVE_DEST", "OB_ARCHIVELOG", "OB_ARCHIVELOG_SUMMARY", "OB_ARCHIVELOG_PIECE_FILES",
    "OB_LS_LOG_ARCHIVE_PROGRESS", "OB_BACKUP_PARAMETER", "OB_BACKUP_JOBS", "OB_BACKUP_JOB_HISTORY", "OB_BACKUP_TASKS",
    "OB_BACKUP_TASK_HISTORY", "OB_BACKUP_SET_FILES", "OB_BACKUP_DELETE_POLICY", "OB_BACKUP_DELETE_JOBS",
    "OB_BACKUP_DELETE_JOB_HISTORY", "OB_BACKUP_DELETE_TASKS", "OB_BACKUP_DELETE_TASK_HISTORY",
    "OB_BACKUP_STORAGE_INFO", "OB_FREEZE_INFO",
}  # fmt: skip
EVERYWHERE = {
    "GV$OB_UNITS",
    "DBA_OB_TENANTS", "V$OB_ARCHIVE_DEST_STATUS", "V$OB_TIMESTAMP_SERVICE", "GV$OB_PARAMETERS", "GV$OB_MEMSTORE",
    "GV$OB_TABLET_COMPACTION_PROGRESS", "GV$OB_TABLET_COMPACTION_HISTORY", "GV$OB_COMPACTION_DIAGNOSE_INFO",
    "__all_virtual_tenant_parameter_stat",
}  # fmt: skip
SYS_ONLY = {"DBA_OB_SERVERS", "DBA_OB_ZONES", "DBA_OB_ROOTSERVICE_EVENT_HISTORY"}
NOT_IN_4_0 = {"OB_LS_LOG_ARCHIVE_PROGRESS"}
ROUND = (
    "TENANT_ID DEST_ID ROUND_ID INCARNATION DEST_NO STATUS START_SCN START_SCN_DISPLAY CHECKPOINT_SCN "
    "CHECKPOINT_SCN_DISPLAY COMPATIBLE BASE_PIECE_ID USED_PIECE_ID PIECE_SWITCH_INTERVAL UNIT_SIZE COMPRESSION "
    "INPUT_BYTES INPUT_BYTES_DISPLAY OUTPUT_BYTES OUTPUT_BYTES_DISPLAY COMPRESSION_RATIO DELETED_INPUT_BYTES "
    "DELETED_INPUT_BYTES_DISPLAY DELETED_OUTPUT_BYTES DELETED_OUTPUT_BYTES_DISPLAY"
)
PIECE = (
    "TENANT_ID DEST_ID ROUND_ID PIECE_ID INCARNATION DEST_NO STATUS START_SCN START_SCN_DISPLAY CHECKPOINT_SCN "
    "CHECKPOINT_SCN_DISPLAY MAX_SCN END_SCN END_SCN_DISPLAY COMPATIBLE UNIT_SIZE COMPRESSION INPUT_BYTES "
    "INPUT_BYTES_DISPLAY OUTPUT_BYTES OUTPUT_BYTES_DISPLAY COMPRESSION_RATIO FILE_STATUS PATH"
)
UNSIGNED = 32


def names(client, view):
    return [row[0] for row in client.tuples(f"DESC `{view}`")]


def fields(client, sql):
    """{column: (protocol type, flags)}"""
    with client.connection.cursor() as cursor:
        cursor.execute(sql)
        return {f.name: (f.type_code, f.flags, f.scale) for f in cursor._result.fields}


@pytest.mark.parametrize("profile", PROFILES)
def test_names(make_archive, connect, profile):
    archive = make_archive(profile)
    twins = TWINS - NOT_IN_4_0 if profile == "4.0.0" else TWINS
    everywhere = EVERYWHERE - {"V$OB_ARCHIVE_DEST_STATUS"} if profile == "4.0.0" else EVERYWHERE
    of_sys = {name for (name,) in archive.client.tuples("SHOW TABLES")}
    assert of_sys == {f"{p}_{t}" for t in twins for p in ("CDB", "DBA")} | everywhere | SYS_ONLY
    own = connect(archive.box, "root@tenant1")
    of_tenant = {name for (name,) in own.tuples("SHOW TABLES")}
    assert of_tenant == {f"DBA_{t}" for t in twins} | everywhere
    for twin in twins:
        assert names(archive.client, f"CDB_{twin}") == ["TENANT_ID", *names(own, f"DBA_{twin}")]
        assert own.error(f"SELECT * FROM CDB_{twin}") == (1146, f"Table 'oceanbase.CDB_{twin}' doesn't exist")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "view", ["CDB_OB_BACKUP_ARCHIVELOG", "CDB_OB_BACKUP_PIECE_FILES", "CDB_OB_BACKUP_PROGRESS",
             "__all_virtual_sys_parameter_stat", "gv$tenant"],
)  # fmt: skip
def test_views_of_3_x_are_gone(make_archive, profile, view):
    assert make_archive(profile).client.error(f"SELECT * FROM {view}") == (
        1146,
        f"Table 'oceanbase.{view}' doesn't exist",
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_every_view_can_be_read_in_every_state(make_archive, connect, profile):
    archive = make_archive(profile, tick_seconds=1.0)
    client, own = archive.client, connect(archive.box, "root@tenant1")
    for status in ("NONE", "PREPARE", "DOING", "STOP", "DOING"):
        archive.box.force_status(status)
        if status == "DOING":
            client.do("ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/t1' TENANT = tenant1")
            client.do("ALTER SYSTEM BACKUP TENANT = tenant1")
            client.do("ALTER SYSTEM MINOR FREEZE TENANT = tenant1")
            archive.box.advance(4)
        for reader in (client, own):
            for (view,) in reader.tuples("SHOW TABLES"):
                reader.rows(f"SELECT * FROM `{view}`")
        archive.box.advance(60)


@pytest.mark.parametrize(
    ("profile", "extra"),
    [
        ("4.0.0", ""),
        ("4.1.0", "TENANT_ROLE SWITCHOVER_STATUS SWITCHOVER_EPOCH SYNC_SCN REPLAYABLE_SCN READABLE_SCN "
                  "RECOVERY_UNTIL_SCN LOG_MODE ARBITRATION_SERVICE_STATUS"),
        ("4.2.1", "TENANT_ROLE SWITCHOVER_STATUS SWITCHOVER_EPOCH SYNC_SCN REPLAYABLE_SCN READABLE_SCN "
                  "RECOVERY_UNTIL_SCN LOG_MODE ARBITRATION_SERVICE_STATUS UNIT_NUM COMPATIBLE MAX_LS_ID"),
        ("4.2.5", "TENANT_ROLE SWITCHOVER_STATUS SWITCHOVER_EPOCH SYNC_SCN REPLAYABLE_SCN READABLE_SCN "
                  "RECOVERY_UNTIL_SCN LOG_MODE ARBITRATION_SERVICE_STATUS UNIT_NUM COMPATIBLE MAX_LS_ID"),
        ("4.3.3", "TENANT_ROLE SWITCHOVER_STATUS SWITCHOVER_EPOCH SYNC_SCN REPLAYABLE_SCN READABLE_SCN "
                  "RECOVERY_UNTIL_SCN LOG_MODE ARBITRATION_SERVICE_STATUS UNIT_NUM COMPATIBLE MAX_LS_ID "
                  "RESTORE_DATA_MODE"),
    ],
)  # fmt: skip
def test_tenants(make_archive, connect, profile, extra):
    archive = make_archive(profile)
    head = ("TENANT_ID TENANT_NAME TENANT_TYPE CREATE_TIME MODIFY_TIME PRIMARY_ZONE LOCALITY PREVIOUS_LOCALITY "
            "COMPATIBILITY_MODE STATUS IN_RECYCLEBIN LOCKED")  # fmt: skip
    assert names(archive.client, "DBA_OB_TENANTS") == f"{head} {extra}".split()
    rows = archive.client.tuples("SELECT TENANT_ID, TENANT_NAME, TENANT_TYPE, STATUS FROM DBA_OB_TENANTS")
    assert rows == [
        (1, "sys", "SYS", "NORMAL"),
        (1001, "META$1002", "META", "NORMAL"),
        (1002, "tenant1", "USER", "NORMAL"),
        (1003, "META$1004", "META", "NORMAL"),
        (1004, "tenant2", "USER", "NORMAL"),
    ]
    own = connect(archive.box, "root@tenant1").rows("SELECT * FROM DBA_OB_TENANTS")
    assert [row["TENANT_NAME"] for row in own] == ["tenant1"]
    if extra:
        archive.client.do("ALTER SYSTEM ARCHIVELOG")
        modes = archive.client.tuples("SELECT TENANT_TYPE, LOG_MODE FROM DBA_OB_TENANTS")
        assert {kind for kind, mode in modes if mode == "ARCHIVELOG"} == {"USER"}
        until = {v for (v,) in archive.client.tuples("SELECT RECOVERY_UNTIL_SCN FROM DBA_OB_TENANTS")}
        assert until == {4611686018427387903}
        assert archive.client.value("SELECT RECOVERY_UNTIL_SCN - 1 FROM DBA_OB_TENANTS LIMIT 1") == 2**62 - 2
        assert archive.client.value("SELECT RECOVERY_UNTIL_SCN DIV 1000 FROM DBA_OB_TENANTS LIMIT 1") == (
            4611686018427387
        )


def test_own_rows_of_sys(archive):
    archive.box.force_status("DOING")
    client = archive.client
    client.do("ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data' TENANT = tenant1")
    client.do("ALTER SYSTEM BACKUP TENANT = tenant1")
    archive.box.advance(2)
    for view in ("ARCHIVELOG", "ARCHIVE_DEST", "ARCHIVELOG_PIECE_FILES", "BACKUP_PARAMETER", "BACKUP_SET_FILES"):
        assert client.rows(f"SELECT * FROM CDB_OB_{view}")
        assert client.rows(f"SELECT * FROM DBA_OB_{view}") == [], "sys is neither archived nor backed up"
    assert client.tuples("SELECT JOB_LEVEL FROM DBA_OB_BACKUP_JOBS") == [("CLUSTER",)]


def test_states_of_a_tenant(archive):
    archive.box.set_tenant("tenant1", status="RESTORE", role="RESTORE", in_recyclebin=True, locked=True)
    archive.box.set_tenant("tenant2", compatibility_mode="ORACLE")
    sql = "SELECT STATUS, TENANT_ROLE, IN_RECYCLEBIN, LOCKED, COMPATIBILITY_MODE FROM DBA_OB_TENANTS WHERE TENANT_ID ="
    assert archive.client.tuples(f"{sql} 1002") == [("RESTORE", "RESTORE", "YES", "YES", "MYSQL")]
    assert archive.client.tuples(f"{sql} 1004") == [("NORMAL", "PRIMARY", "NO", "NO", "ORACLE")]
    with pytest.raises(ValueError, match="unknown change 'colour'"):
        archive.box.set_tenant("tenant1", colour="x")
    with pytest.raises(ValueError, match="no user tenant"):
        archive.box.set_tenant("sys", status="x")


@pytest.mark.parametrize("profile", PROFILES)
def test_archive_columns(make_archive, profile):
    archive = make_archive(profile)
    client = archive.client
    assert names(client, "CDB_OB_ARCHIVE_DEST") == ["TENANT_ID", "DEST_NO", "NAME", "VALUE"]
    assert names(client, "CDB_OB_ARCHIVELOG") == [*ROUND.split(), "COMMENT", "PATH"]
    assert names(client, "CDB_OB_ARCHIVELOG_SUMMARY") == [*ROUND.split(), "PATH", "COMMENT"]
    assert names(client, "CDB_OB_ARCHIVELOG_PIECE_FILES") == PIECE.split()
    if profile != "4.0.0":
        assert names(client, "CDB_OB_LS_LOG_ARCHIVE_PROGRESS") == [
            "TENANT_ID",
            "DEST_ID",
            "LS_ID",
            "ROUND_ID",
            "PIECE_ID",
            "INCARNATION",
            "START_SCN",
            "MIN_LSN",
            "MAX_LSN",
            "CHECKPOINT_SCN",
            "STATUS",
            "FILE_ID",
            "FILE_OFFSET",
            "INPUT_BYTES",
            "OUTPUT_BYTES",
        ]
        assert names(client, "V$OB_ARCHIVE_DEST_STATUS") == [
            "TENANT_ID",
            "DEST_ID",
            "PATH",
            "STATUS",
            "CHECKPOINT_SCN",
            "SYNCHRONIZED",
            "COMMENT",
        ]
    archive.box.force_status("DOING")
    kinds = fields(client, "SELECT * FROM CDB_OB_ARCHIVELOG")
    types = pymysql.constants.FIELD_TYPE
    for column in ("START_SCN", "CHECKPOINT_SCN"):
        assert kinds[column][0] == types.LONGLONG
        assert kinds[column][1] & UNSIGNED
    assert not kinds["TENANT_ID"][1] & UNSIGNED
    assert kinds["COMPRESSION_RATIO"][::2] == (types.NEWDECIMAL, 2)
    display = types.VAR_STRING if profile == "4.0.0" else types.DATETIME
    assert kinds["START_SCN_DISPLAY"][0] == display
    shown = archive.row()["CHECKPOINT_SCN_DISPLAY"]
    assert isinstance(shown, str if profile == "4.0.0" else datetime)


def test_displays_follow_the_session(archive):
    archive.box.force_status("DOING")
    client = archive.client
    here = archive.row()["CHECKPOINT_SCN_DISPLAY"]
    client.do("SET time_zone = '+00:00'")
    there = archive.row()["CHECKPOINT_SCN_DISPLAY"]
    assert (here - there).total_seconds() == 8 * 3600
    assert client.value("SELECT SCN_TO_TIMESTAMP(CHECKPOINT_SCN) = CHECKPOINT_SCN_DISPLAY FROM CDB_OB_ARCHIVELOG") == 1
    assert client.value("SELECT TIMESTAMP_TO_SCN(CHECKPOINT_SCN_DISPLAY) = CHECKPOINT_SCN FROM CDB_OB_ARCHIVELOG") == 1
    seconds = client.value("SELECT CHECKPOINT_SCN DIV 1000000000 FROM CDB_OB_ARCHIVELOG WHERE TENANT_ID = 1002")
    assert (there - datetime.fromisoformat("1970-01-01")).total_seconds() // 1 == seconds


def test_dest_status(archive, own):
    client = archive.client
    assert client.rows("SELECT * FROM V$OB_ARCHIVE_DEST_STATUS") == []
    archive.box.create_tenant("quiet", idle=True)
    archive.box.force_status("DOING")
    archive.box.interrupt("tenant2")
    archive.box.advance(4)
    rows = {row["TENANT_ID"]: row for row in client.rows("SELECT * FROM V$OB_ARCHIVE_DEST_STATUS")}
    assert {key: row["SYNCHRONIZED"] for key, row in rows.items()} == {1002: "NO", 1004: "NO", 1006: "YES"}
    assert (rows[1004]["STATUS"], rows[1004]["COMMENT"]) == ("INTERRUPTED", "log stream 1001 interrupted")
    assert [row["TENANT_ID"] for row in own.rows("SELECT * FROM V$OB_ARCHIVE_DEST_STATUS")] == [1002]


@pytest.mark.parametrize(
    ("profile", "tasks", "history", "sets"),
    [("4.0.0", 27, 27, 35), ("4.1.0", 27, 27, 35), ("4.2.1", 27, 27, 36), ("4.2.5", 30, 29, 39), ("4.3.3", 33, 29, 39)],
)
def test_backup_columns(make_archive, profile, tasks, history, sets):
    client = make_archive(profile).client
    assert names(client, "CDB_OB_BACKUP_JOBS") == [
        "TENANT_ID",
        "JOB_ID",
        "INCARNATION",
        "BACKUP_SET_ID",
        "INITIATOR_TENANT_ID",
        "INITIATOR_JOB_ID",
        "EXECUTOR_TENANT_ID",
        "PLUS_ARCHIVELOG",
        "BACKUP_TYPE",
        "JOB_LEVEL",
        "ENCRYPTION_MODE",
        "PASSWD",
        "START_TIMESTAMP",
        "END_TIMESTAMP",
        "STATUS",
        "RESULT",
        "COMMENT",
        "DESCRIPTION",
        "PATH",
    ]
    assert names(client, "CDB_OB_BACKUP_JOBS") == names(client, "CDB_OB_BACKUP_JOB_HISTORY")
    assert len(names(client, "CDB_OB_BACKUP_TASKS")) == tasks
    assert len(names(client, "CDB_OB_BACKUP_TASK_HISTORY")) == history
    columns = names(client, "CDB_OB_BACKUP_SET_FILES")
    assert len(columns) == sets
    assert columns[11] == "ELAPSED_SECONDES"


def test_servers_zones_and_time(archive):
    client = archive.client
    archive.box.faults.dead_servers = {2}
    rows = client.rows("SELECT * FROM DBA_OB_SERVERS")
    assert list(rows[0]) == [
        "SVR_IP",
        "SVR_PORT",
        "ID",
        "ZONE",
        "SQL_PORT",
        "WITH_ROOTSERVER",
        "STATUS",
        "START_SERVICE_TIME",
        "STOP_TIME",
        "BLOCK_MIGRATE_IN_TIME",
        "CREATE_TIME",
        "MODIFY_TIME",
        "BUILD_VERSION",
        "LAST_OFFLINE_TIME",
    ]
    assert [(r["WITH_ROOTSERVER"], r["STATUS"]) for r in rows] == [
        ("YES", "ACTIVE"),
        ("NO", "ACTIVE"),
        ("NO", "INACTIVE"),
    ]
    assert [r["START_SERVICE_TIME"] is None for r in rows] == [False, False, True]
    assert {r["STOP_TIME"] for r in rows} == {None}
    assert [z["ZONE"] for z in client.rows("SELECT * FROM DBA_OB_ZONES")] == ["zone1", "zone2", "zone3"]
    scn = client.value("SELECT TS_VALUE FROM V$OB_TIMESTAMP_SERVICE WHERE TENANT_ID = 1002")
    assert client.value(f"SELECT SCN_TO_TIMESTAMP({scn})") == archive.box.now
    assert client.value("SELECT COUNT(*) FROM V$OB_TIMESTAMP_SERVICE") == 3


def test_clock_deviation_is_between_now_and_the_timestamp_service(archive, own):
    skew = "SELECT TS_VALUE DIV 1000 - TIME_TO_USEC(NOW(6)) FROM V$OB_TIMESTAMP_SERVICE"
    assert own.tuples(skew) == [(0,)]
    archive.box.faults.clock_deviation_us = {0: 2_500_000}
    assert own.tuples(skew) == [(-2_500_000,)]


# --- documentation against kernel ---------------------------------------------------------------------------------


def test_conflicts(archive):
    client, faults = archive.client, archive.box.faults
    archive.box.force_status("BEGINNING")
    assert set(CONFLICTS) == set(DOC_CONFLICTS)
    faults.doc_conflicts = DOC_CONFLICTS
    assert archive.destination()["state"] == "ENBALE"
    assert archive.row()["PIECE_SWITCH_INTERVAL"] == "1d"
    piece = client.rows("SELECT * FROM CDB_OB_ARCHIVELOG_PIECE_FILES")[0]
    assert piece["FILE_STATUS"] == "INCOMPELTE"
    assert "END_SCN_DISPLAY" not in piece
    assert (piece["CREATE_TIMESTAMP"], piece["BASE_SCN"]) == (None, 0)
    client.do('SANDBOX SET doc_conflicts = "enbale"')
    assert archive.row()["PIECE_SWITCH_INTERVAL"] == 86400000000
    assert client.error('SANDBOX SET doc_conflicts = "typo"')[0] == 1210


def test_malformed_and_lost(archive):
    archive.box.force_status("DOING")
    faults = archive.box.faults
    faults.malformed = {"CDB_OB_ARCHIVELOG.STATUS": "INVALID", "cdb_ob_archivelog.checkpoint_scn": 0}
    assert {(r["STATUS"], r["CHECKPOINT_SCN"]) for r in archive.client.rows("SELECT * FROM CDB_OB_ARCHIVELOG")} == {
        ("INVALID", 0)
    }
    faults.reset()
    faults.mixed_tenants = {"tenant2": "STOPPING"}
    assert (archive.status("tenant1"), archive.status("tenant2")) == ("DOING", "STOPPING")
    faults.lost_views = {"dba_ob_tenants"}
    assert archive.client.error("SELECT * FROM DBA_OB_TENANTS")[0] == 1146
