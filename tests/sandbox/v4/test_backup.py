"""BACKUP, CANCEL BACKUP, delete policies, and statements of 3.x sent to 4.x."""

from __future__ import annotations

import pytest

JOBS = "SELECT * FROM CDB_OB_BACKUP_JOBS ORDER BY TENANT_ID, JOB_ID"
HISTORY = "SELECT * FROM CDB_OB_BACKUP_JOB_HISTORY ORDER BY TENANT_ID, JOB_ID"
TASKS = "SELECT * FROM CDB_OB_BACKUP_TASKS ORDER BY TENANT_ID, TASK_ID"
SETS = "SELECT * FROM CDB_OB_BACKUP_SET_FILES ORDER BY TENANT_ID, BACKUP_SET_ID"
NOT_SUPPORTED = (1235, "Not supported feature or function")


def reason(text):
    return 9040, f"backup can not start, because {text}"


@pytest.fixture
def ready(archive):
    """Both tenants archive and have a place for their data."""
    prepare(archive)
    return archive


def prepare(archive, *tenants):
    for tenant in tenants or ("tenant1", "tenant2"):
        archive.box.force_status("DOING", tenant)
        archive.client.do(f"ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/{tenant}' TENANT = {tenant}")


def states(client, sql):
    return [(row["TENANT_ID"], row["STATUS"]) for row in client.rows(sql)]


def backed_up(archive, statement="ALTER SYSTEM BACKUP TENANT = tenant1"):
    archive.client.do(statement)
    archive.box.advance(60)
    assert archive.client.rows(JOBS) == []


# --- from sys -----------------------------------------------------------------------------------------------------


def test_life_of_a_backup_from_sys(ready):
    client, box = ready.client, ready.box
    assert client.do("ALTER SYSTEM BACKUP DATABASE PLUS ARCHIVELOG DESCRIPTION = 'nightly'") == 0
    (parent,) = client.rows(JOBS)
    assert parent["EXECUTOR_TENANT_ID"] == "1002,1004"
    assert (parent["TENANT_ID"], parent["JOB_LEVEL"], parent["STATUS"]) == (1, "CLUSTER", "INIT")
    assert (parent["BACKUP_SET_ID"], parent["PATH"], parent["END_TIMESTAMP"]) == (0, "", None)
    box.advance(1.5)
    rows = client.rows(JOBS)
    assert states(client, JOBS) == [(1, "DOING"), (1002, "INIT"), (1004, "INIT")]
    child = rows[1]
    assert (child["JOB_LEVEL"], child["INITIATOR_TENANT_ID"]) == ("USER_TENANT", 1)
    assert child["INITIATOR_JOB_ID"] == parent["JOB_ID"] == parent["INITIATOR_JOB_ID"]
    assert (child["PLUS_ARCHIVELOG"], child["BACKUP_TYPE"], child["DESCRIPTION"]) == ("ON", "FULL", "nightly")
    assert (child["PATH"], child["ENCRYPTION_MODE"], child["RESULT"]) == ("file:///data/tenant1", "NONE", 0)
    assert {(s["STATUS"], s["FILE_STATUS"]) for s in client.rows(SETS)} == {("DOING", "COPYING")}
    assert {s["MIN_RESTORE_SCN_DISPLAY"] for s in client.rows(SETS)} == {None}

    seen, progress = [], []
    while client.rows(TASKS) or not seen:
        for task in client.rows(TASKS)[:1]:
            if task["STATUS"] not in seen:
                seen.append(task["STATUS"])
            progress.append(task["DATA_PROGRESS"])
        box.advance(1)
    assert seen == ["BACKUP_SYS_META", "BACKUP_USER_META", "BACKUP_META_FINISH", "BACKUP_DATA_SYS",
                    "BACKUP_DATA_MINOR", "BACKUP_DATA_MAJOR", "BEFORE_BACKUP_LOG", "BACKUP_LOG",
                    "COMPLETED"]  # fmt: skip
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert states(client, JOBS) == [(1, "DOING")], "the parent ends after its children"
    box.advance(3)
    assert client.rows(JOBS) == []
    assert states(client, HISTORY) == [(1, "COMPLETED"), (1002, "COMPLETED"), (1004, "COMPLETED")]
    assert all(row["END_TIMESTAMP"] > row["START_TIMESTAMP"] for row in client.rows(HISTORY))
    done = client.rows(SETS)[0]
    assert (done["STATUS"], done["FILE_STATUS"]) == ("SUCCESS", "AVAILABLE")
    assert done["START_REPLAY_SCN"] < done["MIN_RESTORE_SCN"]
    restorable = ready.row()["CHECKPOINT_SCN"] > done["MIN_RESTORE_SCN"]
    assert not restorable, "the archive is behind the backup for a while"
    box.advance(130)
    assert ready.row()["CHECKPOINT_SCN"] > done["MIN_RESTORE_SCN"]
    (task, _) = client.rows("SELECT * FROM CDB_OB_BACKUP_TASK_HISTORY ORDER BY TENANT_ID")
    assert (task["STATUS"], task["FINISH_MACRO_BLOCK_COUNT"]) == ("COMPLETED", task["MACRO_BLOCK_COUNT"])


def test_from_the_tenant_itself(ready, connect):
    own = connect(ready.box, "root@tenant1")
    own.do("SET ENCRYPTION ON IDENTIFIED BY 'pw' ONLY")
    own.do("ALTER SYSTEM BACKUP DATABASE")
    (job,) = ready.client.rows(JOBS)
    assert (job["TENANT_ID"], job["JOB_LEVEL"]) == (1002, "USER_TENANT")
    assert (job["INITIATOR_TENANT_ID"], job["INITIATOR_JOB_ID"]) == (1002, 0)
    assert job["ENCRYPTION_MODE"] == "PASSWORD"
    assert own.error("ALTER SYSTEM BACKUP DATABASE") == (9036, "Backup is in progress")
    assert ready.client.do("ALTER SYSTEM BACKUP TENANT = tenant1") == 0, "counted separately"
    ready.box.advance(2)
    assert ready.client.error("ALTER SYSTEM BACKUP TENANT = tenant1") == (9036, "Backup is in progress")
    ready.box.advance(60)
    assert states(own, "SELECT 1002 TENANT_ID, STATUS FROM DBA_OB_BACKUP_JOB_HISTORY") == [(1002, "COMPLETED")] * 2
    own.do("SET ENCRYPTION OFF")
    own.do("ALTER SYSTEM BACKUP DATABASE")
    assert ready.client.rows(JOBS)[0]["ENCRYPTION_MODE"] == "NONE"


def test_incremental_sets(ready):
    backed_up(ready, "ALTER SYSTEM BACKUP INCREMENTAL TENANT = tenant1")
    backed_up(ready, "ALTER SYSTEM BACKUP INCREMENTAL TENANT = tenant1 PLUS ARCHIVELOG")
    backed_up(ready, "ALTER SYSTEM BACKUP INCREMENTAL DATABASE")
    found = [
        (
            s["TENANT_ID"],
            s["BACKUP_SET_ID"],
            s["BACKUP_TYPE"],
            s["PREV_FULL_BACKUP_SET_ID"],
            s["PREV_INC_BACKUP_SET_ID"],
        )
        for s in ready.client.rows(SETS)
    ]
    assert found == [
        (1002, 1, "FULL", 0, 0),
        (1002, 2, "INC", 1, 1),
        (1002, 3, "INC", 1, 2),
        (1004, 1, "FULL", 0, 0),
    ], "without a full set the first one becomes full"


# --- what stops a start -------------------------------------------------------------------------------------------


def test_preconditions_in_their_order(archive, own):
    client, box = archive.client, archive.box
    named, database = "ALTER SYSTEM BACKUP TENANT = tenant1", "ALTER SYSTEM BACKUP DATABASE"
    nobody = reason(
        "no tenant meets the backup condition, please check the tenant status, log archive status, backup data dest, "
        "and backup status for each tenant"
    )
    box.parameters["enable_upgrade_mode"] = "True"
    box.set_tenant("tenant1", status="RESTORE")
    assert client.error(named) == own.error(database) == reason("cluster upgrading")
    box.parameters["enable_upgrade_mode"] = "False"
    assert client.error(named) == own.error(database) == reason("tenant status is not normal.")
    box.set_tenant("tenant1", status="NORMAL")
    for status in ("NONE", "PREPARE", "BEGINNING", "SUSPEND", "INTERRUPTED", "STOPPING", "STOP"):
        box.force_status(status, "tenant1")
        assert client.error(named) == own.error(database) == reason("log archive status is not doing.")
        assert client.error(database) == nobody
    box.force_status("DOING", "tenant1")
    assert client.error(named) == reason("backup dest is not set.")
    assert own.error(database) == (9040, "backup can not start")
    assert client.error(database) == nobody
    prepare(archive, "tenant1")
    assert client.do(database) == 0, "tenant2 is skipped silently"
    box.advance(2)
    assert client.error(named) == (9036, "Backup is in progress")
    events = client.tuples(
        "SELECT VALUE1, VALUE2 FROM DBA_OB_ROOTSERVICE_EVENT_HISTORY WHERE MODULE = 'backup_data' "
        "AND EVENT = 'start_backup_data' AND NAME1 = 'tenant_id' AND NAME2 = 'result'"
    )
    assert {result for _, result in events} == {"-9040", "-9036"}


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("BACKUP TENANT = tenant1, nobody", (5160, "invalid tenant name specified in connection string")),
        ("BACKUP TENANT = ALL", (5160, "invalid tenant name specified in connection string")),
        ("BACKUP TENANT = sys", (4016, "Internal error")),
        ("BACKUP DATABASE TO 'file:///x'", (1235, "backup do not support using specify path not supported")),
        ("BACKUP TENANT tenant1 TO 'file:///x'", (1235, "backup do not support using specify path not supported")),
        ("CANCEL BACKUP TENANT = nobody", (5160, "invalid tenant name specified in connection string")),
        ("CANCEL ALL BACKUP FORCE", NOT_SUPPORTED),
        ("SUSPEND BACKUP", NOT_SUPPORTED),
        ("RESUME BACKUP", NOT_SUPPORTED),
        ("START BACKUP ARCHIVELOG", NOT_SUPPORTED),
        ("STOP BACKUP ARCHIVELOG", NOT_SUPPORTED),
        ("BACKUP BACKUPSET ALL", NOT_SUPPORTED),
        ("BACKUP BACKUPPIECE ALL", NOT_SUPPORTED),
        ("VALIDATE DATABASE", NOT_SUPPORTED),
        ("DELETE BACKUPSET 1", (1235, "function is not supported")),
        ("DELETE BACKUPPIECE 1", (1235, "function is not supported")),
        ("DELETE OBSOLETE BACKUP", (1235, "function is not supported")),
        ("SET backup_dest = 'file:///x'", (5099, "System config unknown")),
    ],
)
def test_refused_statements(client, statement, error):
    assert client.error(f"ALTER SYSTEM {statement}") == error


@pytest.mark.parametrize(
    "statement",
    ["BACKUP", "BACKUP NOTHING", "BACKUP TENANT", "CANCEL", "CANCEL NOTHING", "DELETE NOTHING", "DELETE BACKUPSET x",
     "DELETE BACKUPSET 1.5", "BACKUP DATABASE DESCRIPTION", "MAJOR", "DROP DELETE BACKUP POLICY x"],
)  # fmt: skip
def test_grammar(client, statement):
    assert client.error(f"ALTER SYSTEM {statement}")[0] == 1064


def test_user_tenants_name_nobody(own):
    error = (1235, "user tenant cannot specify tenant names not supported")
    for statement in (
        "BACKUP TENANT = tenant1", "CANCEL BACKUP TENANT = tenant1", "CANCEL DELETE BACKUP TENANT = tenant1",
        "DROP DELETE BACKUP POLICY 'default' TENANT = tenant1",
    ):  # fmt: skip
        assert own.error(f"ALTER SYSTEM {statement}") == error


@pytest.mark.parametrize(("profile", "accepted"), [("4.0.0", False), ("4.1.0", True), ("4.3.3", True)])
def test_plus_archivelog(make_archive, profile, accepted):
    archive = make_archive(profile)
    prepare(archive)
    statement = "ALTER SYSTEM BACKUP TENANT = tenant1, tenant1 PLUS ARCHIVELOG"
    if accepted:
        assert archive.client.do(statement) == 0
        assert archive.client.rows(JOBS)[0]["EXECUTOR_TENANT_ID"] == "1002", "duplicates are merged"
    else:
        assert archive.client.error(statement) == (1235, "plus archive is not supported not supported")


# --- what goes wrong later -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("profile", "sign"), [("4.2.1", 1), ("4.3.3", -1)])
def test_a_tenant_that_fails(make_archive, profile, sign):
    archive = make_archive(profile, tick_seconds=2.0)
    prepare(archive)
    archive.box.faults.failed_backups = {"tenant2": 4016}
    backed_up(archive, "ALTER SYSTEM BACKUP DATABASE")
    rows = archive.client.rows(HISTORY)
    assert [(r["TENANT_ID"], r["STATUS"], r["RESULT"]) for r in rows] == [
        (1, "FAILED", sign * 4016),
        (1002, "COMPLETED", 0),
        (1004, "FAILED", sign * 4016),
    ]
    assert "module: BACKUP_DATA, result: -4016(Internal error)" in rows[2]["COMMENT"]
    assert [(s["STATUS"], s["FILE_STATUS"]) for s in archive.client.rows(SETS)] == [
        ("SUCCESS", "AVAILABLE"),
        ("FAILED", "INCOMPLETE"),
    ]
    archive.box.faults.reset()
    backed_up(archive, "ALTER SYSTEM BACKUP INCREMENTAL TENANT = tenant2")
    assert archive.client.rows(SETS)[-1]["BACKUP_TYPE"] == "FULL", "a failed set is no base"


@pytest.mark.parametrize(("statement", "code"), [("interrupt", 9027), ("stop", 9029)])
def test_the_archive_ends_during_a_backup(ready, statement, code):
    ready.client.do("ALTER SYSTEM BACKUP TENANT = tenant1")
    ready.box.advance(6)
    if statement == "interrupt":
        ready.box.interrupt("tenant1")
    else:
        ready.client.do("ALTER SYSTEM NOARCHIVELOG TENANT = tenant1")
    ready.box.advance(20)
    rows = ready.client.rows(HISTORY)
    assert [(r["STATUS"], abs(r["RESULT"])) for r in rows] == [("FAILED", code)] * 2


def test_a_child_that_cannot_start_is_left_out(ready):
    ready.client.do("ALTER SYSTEM BACKUP DATABASE")
    ready.box.force_status("STOP", "tenant2")
    ready.client.do("DROP TENANT tenant1")
    ready.box.advance(10)
    assert states(ready.client, HISTORY) == [(1, "COMPLETED")]
    sql = "SELECT VALUE1, VALUE2 FROM DBA_OB_ROOTSERVICE_EVENT_HISTORY WHERE EVENT = 'handle_user_tenant_backup_failed'"
    assert ready.client.tuples(sql) == [("1002", "-5157"), ("1004", "-9040")]


def test_cancel(ready, connect):
    client, box = ready.client, ready.box
    own = connect(box, "root@tenant1")
    assert client.do("ALTER SYSTEM CANCEL BACKUP") == 0, "nothing to cancel is fine"
    client.do("ALTER SYSTEM BACKUP DATABASE")
    box.advance(6)
    assert own.do("ALTER SYSTEM CANCEL BACKUP") == 0
    assert states(client, JOBS) == [(1, "DOING"), (1002, "CANCELING"), (1004, "DOING")]
    assert own.do("ALTER SYSTEM CANCEL BACKUP") == 0
    box.advance(60)
    assert states(client, HISTORY) == [(1, "CANCELED"), (1002, "CANCELED"), (1004, "COMPLETED")]
    client.do("ALTER SYSTEM BACKUP DATABASE")
    client.do("ALTER SYSTEM CANCEL BACKUP")
    assert states(client, JOBS) == [(1, "CANCELING")]
    box.advance(10)
    assert client.rows(JOBS) == []
    client.do("ALTER SYSTEM BACKUP DATABASE")
    box.advance(1)
    client.do("ALTER SYSTEM CANCEL BACKUP TENANT = tenant1, tenant2")
    box.advance(30)
    assert states(client, HISTORY)[:3] == [(1, "CANCELED")] * 3


@pytest.mark.parametrize("fault", [("stuck_backups", "tenant1"), ("dead_medium", {"tenant1"})])
def test_a_backup_that_hangs(ready, fault):
    ready.client.do("ALTER SYSTEM BACKUP DATABASE")
    setattr(ready.box.faults, *fault)
    ready.box.advance(600)
    assert states(ready.client, JOBS) == [(1, "DOING"), (1002, "DOING")]
    ready.box.faults.reset()
    ready.box.advance(60)
    assert states(ready.client, HISTORY) == [(1, "COMPLETED"), (1002, "COMPLETED"), (1004, "COMPLETED")]


def test_a_dropped_tenant_takes_its_backup_along(ready):
    ready.client.do("ALTER SYSTEM BACKUP DATABASE")
    ready.box.advance(6)
    ready.client.do("DROP TENANT tenant1")
    ready.box.advance(60)
    assert states(ready.client, HISTORY) == [(1, "COMPLETED"), (1004, "COMPLETED")]


def test_the_data_destination_is_kept_during_a_backup(ready):
    statement = "ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///other' TENANT = tenant1"
    ready.client.do("ALTER SYSTEM BACKUP TENANT = tenant1")
    ready.box.advance(2)
    assert ready.client.error(statement) == (9036, "Backup is in progress")
    ready.box.advance(60)
    assert ready.client.do(statement) == 0
    backed_up(ready, "ALTER SYSTEM BACKUP INCREMENTAL TENANT = tenant1")
    assert ready.client.rows(SETS)[-1]["BACKUP_TYPE"] == "FULL", "a new place has no full set"


# --- deleting -----------------------------------------------------------------------------------------------------


def test_policies(client, own):
    add = "ALTER SYSTEM ADD DELETE BACKUP POLICY = 'default' RECOVERY_WINDOW = '7d' TENANT = tenant1"
    assert client.do(add) == 0
    assert client.tuples("SELECT * FROM CDB_OB_BACKUP_DELETE_POLICY") == [(1002, "default", "7d")]
    assert client.error(add)[0] == 1062
    assert own.do("ALTER SYSTEM DROP DELETE BACKUP POLICY 'default'") == 0
    assert own.do("ALTER SYSTEM DROP DELETE BACKUP POLICY 'default'") == 0
    assert own.do("ALTER SYSTEM ADD DELETE BACKUP POLICY 'default' REDUNDANCY 1") == 0
    assert own.tuples("SELECT * FROM DBA_OB_BACKUP_DELETE_POLICY") == [("default", "")]
    assert client.do("ALTER SYSTEM CANCEL DELETE BACKUP TENANT = tenant1, tenant2") == 0
    assert own.do("ALTER SYSTEM CANCEL DELETE BACKUP") == 0


@pytest.mark.parametrize(
    ("rest", "text"),
    [
        ("'other' RECOVERY_WINDOW '7d' TENANT tenant1", "The policy name is not 'default', it is"),
        ("'default' RECOVERY_WINDOW '7d'",
         "Too little tenant names specified, only one tenant name can be specified"),
        ("'default' RECOVERY_WINDOW '7d' TENANT tenant1, tenant2",
         "Too many tenant names specified, only one tenant name can be specified"),
        ("'default' TENANT tenant1", "Neither recovery_window nor redundancy is set"),
        ("'default' REDUNDANCY 2 TENANT tenant1", "Redundancy not equal to 1 is"),
        ("'default' RECOVERY_WINDOW 'soon' TENANT tenant1", "recovery window is not be time string"),
    ],
)  # fmt: skip
def test_bad_policies(client, rest, text):
    assert client.error(f"ALTER SYSTEM ADD DELETE BACKUP POLICY {rest}") == (1235, f"{text} not supported")


@pytest.mark.parametrize("profile", ["4.0.0", "4.1.0"])
def test_manual_delete_of_the_older_builds(make_archive, connect, profile):
    archive = make_archive(profile)
    prepare(archive)
    backed_up(archive)
    client, own = archive.client, connect(archive.box, "root@tenant1")
    assert client.do("ALTER SYSTEM DELETE BACKUPSET 1 TENANT = tenant1") == 0
    assert client.rows(SETS)[0]["FILE_STATUS"] == "DELETED"
    assert own.error("ALTER SYSTEM DELETE BACKUPSET 7") == (4018, "Entry not exist")
    assert own.error("ALTER SYSTEM DELETE BACKUPPIECE 1")[0] == 4018, "it isn't frozen"
    archive.box.force_status("STOP")
    assert own.do("ALTER SYSTEM DELETE BACKUPPIECE 1") == 0
    assert own.do("ALTER SYSTEM DELETE OBSOLETE BACKUP") == 0
    assert client.error("ALTER SYSTEM DELETE BACKUPSET 1") == NOT_SUPPORTED


def test_storage_info(ready):
    rows = ready.client.tuples("SELECT TENANT_ID, PATH, DEST_TYPE FROM CDB_OB_BACKUP_STORAGE_INFO WHERE TENANT_ID=1002")
    assert rows == [
        (1002, "file:///data/nfs/backup/tenant1/archive", "archive_log"),
        (1002, "file:///data/tenant1", "backup_data"),
    ]
