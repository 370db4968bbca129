"""The log archive: the golden sequence of a live 3.1.5, the checks in their order, the life of the rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

STATUS = "SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG ORDER BY TENANT_ID"
PIECES = "SELECT * FROM CDB_OB_BACKUP_PIECE_FILES ORDER BY TENANT_ID, ROUND_ID, BACKUP_PIECE_ID"
SUMMARY = "SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG_SUMMARY ORDER BY LOG_ARCHIVE_ROUND, TENANT_ID"
DEST = "file:///data/nfs/backup"
START, STOP = "ALTER SYSTEM ARCHIVELOG", "ALTER SYSTEM NOARCHIVELOG"
NOT_STOP = (1235, "start log archive backup when not STOP is not supported")


def test_golden_sequence(make_box, connect):
    box = make_box("3.1.5", tenants=0, servers=1, start_time=datetime.fromisoformat("2024-04-13 08:53:00.460682"))
    client = connect(box)
    assert [row["value"] for row in client.rows("SHOW PARAMETERS LIKE 'backup_dest'")] == [""]
    assert client.do(f"ALTER SYSTEM SET backup_dest='{DEST}'") == 0
    box.advance(47)
    assert [row["value"] for row in client.rows("SHOW PARAMETERS LIKE 'backup_dest'")] == [DEST]

    assert client.do("alter system archivelog") == 0
    box.advance(1)
    assert client.statuses() == {1: "DOING"}, "without user tenants the first pass is enough"

    box.advance(60)
    box.create_tenant("tenant1")
    created = box.now
    box.advance(50)
    joining = client.rows(STATUS)[1]
    assert (joining["TENANT_ID"], joining["STATUS"], joining["MAX_NEXT_TIME"]) == (1001, "BEGINNING", "")
    box.advance(200)
    first_round = client.rows(STATUS)
    assert [row["STATUS"] for row in first_round] == ["DOING", "DOING"]
    assert first_round[1]["MIN_FIRST_TIME"] == created.strftime("%Y-%m-%d %H:%M:%S.%f")
    assert {row["LOG_ARCHIVE_ROUND"] for row in first_round} == {1}

    # An observer restart: the archive goes on in the same round.
    box.faults.dead_servers = {0}
    box.advance(60)
    box.faults.dead_servers = set()
    box.advance(300)
    assert client.rows(STATUS)[0]["MAX_NEXT_TIME"] > first_round[0]["MAX_NEXT_TIME"]

    client.do("alter system noarchivelog")
    box.advance(30)
    assert [(r["TENANT_ID"], r["LOG_ARCHIVE_ROUND"], r["STATUS"]) for r in client.rows(STATUS)] == [(1, 1, "STOP")]
    piece = client.rows(PIECES)[1]
    assert (piece["TENANT_ID"], piece["STATUS"], piece["BACKUP_PIECE_ID"]) == (1001, "FROZEN", 0)
    assert piece["START_TS"] == created.strftime("%Y-%m-%d %H:%M:%S.%f")
    assert piece["START_TS"] < piece["CHECKPOINT_TS"] < piece["MAX_TS"]

    second_start = box.now
    client.do("alter system archivelog")
    box.advance(1)
    rows = client.rows(STATUS)
    assert [(r["LOG_ARCHIVE_ROUND"], r["STATUS"], r["MAX_NEXT_TIME"]) for r in rows] == [(2, "BEGINNING", "")] * 2
    assert rows[1]["MIN_FIRST_TIME"] == created.strftime("%Y-%m-%d %H:%M:%S.%f"), "the tenant's creation time"
    box.advance(30)
    common = second_start.strftime("%Y-%m-%d %H:%M:%S.%f")
    assert {(r["STATUS"], r["MIN_FIRST_TIME"]) for r in client.rows(STATUS)} == {("DOING", common)}
    piece = client.rows(PIECES)[-1]
    assert (piece["ROUND_ID"], piece["STATUS"], piece["FILE_STATUS"]) == (2, "ACTIVE", "AVAILABLE")
    assert (piece["MAX_TS"], piece["START_PIECE_ID"], piece["START_TS"]) == ("MAX", 0, common)

    client.do("alter system backup database")
    box.advance(60)
    assert client.rows("SELECT * FROM CDB_OB_BACKUP_PROGRESS") == []
    client.do("alter system backup incremental database")
    box.advance(5)
    running = client.rows("SELECT BS_KEY, BACKUP_TYPE, TENANT_ID, STATUS FROM CDB_OB_BACKUP_PROGRESS")
    assert [tuple(row.values()) for row in running] == [(2, "I", 1, "RUNNING"), (2, "I", 1001, "RUNNING")]


# --- ARCHIVELOG: the checks in their order; each line clears the obstacle the one before ran into ----------


def test_checks_of_archivelog_come_in_their_order(box, client):
    faults = box.faults
    faults.config_not_synced = faults.rs_switching = faults.inner_tables_old = faults.standby = True
    faults.no_gts_tenants = {"tenant1"}
    assert client.error(START) == (4527, "Configuration not sync")
    faults.config_not_synced = False
    assert client.error(START) == (4114, "In STOP state")
    faults.rs_switching = False
    upgrade = "start/stop log archive before upgrade backup inner table is not supported"
    assert client.error(START) == (1235, upgrade)
    faults.inner_tables_old = False
    assert client.error(START) == (9026, "backup destination is not valid")
    box.parameters["backup_dest"] = DEST
    assert client.error(START) == (1235, "backup in not primary cluster is not supported")
    faults.standby = False
    box.force_status("INTERRUPTED")
    assert client.error(START) == NOT_STOP
    box.force_status("STOP")
    assert client.error(START) == (1235, "physical backup without GTS is not supported")
    faults.no_gts_tenants = set()
    assert client.do(START) == 0


@pytest.mark.parametrize("status", ["BEGINNING", "DOING", "STOPPING", "INTERRUPTED"])
def test_only_stop_can_start(box, client, status):
    box.parameters["backup_dest"] = DEST
    box.force_status(status)
    before = client.rows(STATUS)
    assert client.error(START) == NOT_STOP
    assert client.error(START) == NOT_STOP, "no idempotency"
    assert client.rows(STATUS) == before


def test_checks_of_noarchivelog_come_in_their_order(box, client):
    faults = box.faults
    faults.config_not_synced = faults.rs_switching = faults.inner_tables_old = True
    assert client.error(STOP)[0] == 4527
    faults.config_not_synced = False
    assert client.error(STOP)[0] == 4114
    faults.rs_switching = False
    assert client.error(STOP)[0] == 1235
    faults.inner_tables_old = False
    assert client.error(STOP) == (9024, "log archive backup is already disabled"), "before the first round"
    box.force_status("STOPPING")
    assert client.error(STOP)[0] == 9024
    for status in ("BEGINNING", "DOING", "INTERRUPTED"):
        box.force_status(status)
        assert client.do(STOP) == 0
        assert client.statuses()[1] == "STOPPING"


def test_round_keeps_its_destination_and_is_not_checked(box, client):
    client.do("ALTER SYSTEM SET backup_dest = 'file:///no/such/dir'")
    assert client.do(START) == 0, "reachability isn't checked by the statement"


# --- life of the rows -----------------------------------------------------------------------------------


def test_rows_of_a_round(box, client):
    fresh = client.tuples(STATUS)
    assert fresh == [(1, 0, 1, "STOP", 0, 0, "", "", 0, 0, None, "0.00MB", "0.00MB")]
    assert client.rows(SUMMARY) == []
    box.parameters["backup_dest"] = DEST

    client.do(START)
    returned = client.rows(STATUS)
    assert [(r["TENANT_ID"], r["STATUS"], r["MAX_NEXT_TIME"]) for r in returned] == [(1, "BEGINNING", "")]
    assert returned[0]["MIN_FIRST_TIME"] == box.now.strftime("%Y-%m-%d %H:%M:%S.%f")
    assert [(p["TENANT_ID"], p["MAX_TS"], p["CHECKPOINT_TS"]) for p in client.rows(PIECES)] == [(1, "MAX", "")]

    box.advance(0.5)
    assert client.statuses() == dict.fromkeys((1, 1001, 1002), "BEGINNING")
    box.advance(9.85)
    assert client.statuses() == {1: "BEGINNING", 1001: "DOING", 1002: "DOING"}, "the sys row is last"
    box.advance(0.2)
    rows = client.rows(STATUS)
    assert {r["STATUS"] for r in rows} == {"DOING"}
    assert len({r["MIN_FIRST_TIME"] for r in rows}) == 1
    assert rows[0]["MAX_NEXT_TIME"] == min(r["MAX_NEXT_TIME"] for r in rows)
    assert [r["STATUS"] for r in client.rows(SUMMARY)] == ["DOING"] * 3

    client.do(STOP)
    assert client.statuses() == {1: "STOPPING", 1001: "DOING", 1002: "DOING"}
    box.advance(11)
    stopped = client.rows(STATUS)
    assert [(r["TENANT_ID"], r["STATUS"], r["LOG_ARCHIVE_ROUND"]) for r in stopped] == [(1, "STOP", 1)]
    assert stopped[0]["MAX_NEXT_TIME"] == rows[0]["MAX_NEXT_TIME"], "the last published checkpoint stays"
    history = client.rows(SUMMARY)
    assert [(r["TENANT_ID"], r["STATUS"]) for r in history] == [(1, "STOP"), (1001, "STOP"), (1002, "STOP")]
    assert {p["STATUS"] for p in client.rows(PIECES)} == {"FROZEN"}


def test_second_round_adds_rows(box, client):
    client.start()
    client.stop()
    client.start()
    assert {r["LOG_ARCHIVE_ROUND"] for r in client.rows(STATUS)} == {2}
    assert [r["LOG_ARCHIVE_ROUND"] for r in client.rows(SUMMARY)] == [1, 1, 1, 2, 2, 2]
    assert [(p["TENANT_ID"], p["ROUND_ID"], p["STATUS"]) for p in client.rows(PIECES)][:2] == [
        (1, 1, "FROZEN"),
        (1, 2, "ACTIVE"),
    ]


def test_checkpoint_moves_and_lags(box, client):
    client.start()
    seen = []
    for _ in range(20):
        box.advance(30)
        rows = client.rows(STATUS)
        assert rows[0]["MAX_NEXT_TIME"] == min(r["MAX_NEXT_TIME"] for r in rows)
        seen.append(rows[0]["MAX_NEXT_TIME"])
        assert box.now - datetime.fromisoformat(seen[-1]) < timedelta(seconds=180)
    assert seen == sorted(seen)
    assert len(set(seen)) >= 4


def test_checkpoint_interval_of_the_destination_option(box, client):
    box.parameters["backup_dest_option"] = "log_archive_checkpoint_interval=10s"
    client.start()
    box.advance(120)
    newest = datetime.fromisoformat(client.rows(STATUS)[0]["MAX_NEXT_TIME"])
    assert box.now - newest < timedelta(seconds=15)


@pytest.mark.parametrize(
    ("interval", "seconds"), [("5s", 2.0), ("24s", 2.0), ("60s", 20.0), ("120s", 50.0), ("140s", 60.0), ("1h", 60.0)]
)
def test_pause_between_passes_while_doing(box, client, interval, seconds):
    box.parameters["log_archive_checkpoint_interval"] = interval
    box.force_status("DOING")
    assert box._cluster.archive._idle_seconds() == seconds


def test_new_tenant_joins_and_dropped_tenant_leaves(box, client):
    client.start()
    box.create_tenant("late")
    box.advance(50)
    assert client.statuses() == {1: "DOING", 1001: "DOING", 1002: "DOING", 1003: "BEGINNING"}
    box.advance(60)
    assert client.statuses()[1003] == "DOING"
    box.drop_tenant("tenant1")
    assert 1001 in client.statuses(), "until the RootService has noticed"
    box.advance(60)
    assert 1001 not in client.statuses()
    assert [r["STATUS"] for r in client.rows(SUMMARY) if r["TENANT_ID"] == 1001] == ["STOP"]
    assert [p["STATUS"] for p in client.rows(PIECES) if p["TENANT_ID"] == 1001] == ["FROZEN"]


def test_tenant_created_while_beginning(box, client):
    box.parameters["backup_dest"] = DEST
    client.do(START)
    box.advance(1)
    client.do("CREATE TENANT IF NOT EXISTS late")
    box.advance(40)
    assert client.statuses() == dict.fromkeys((1, 1001, 1002, 1003), "DOING")
    client.do("DROP TENANT late FORCE")
    assert client.error("DROP TENANT late")[0] == 5157
    assert client.do("DROP TENANT IF EXISTS late") == 0


def test_start_waits_until_every_checkpoint_is_past_every_start(box, client):
    box.parameters["backup_dest"] = DEST
    client.do(START)
    box.advance(8)
    box.create_tenant("late")
    box.advance(60)
    assert set(client.statuses().values()) == {"BEGINNING"}, "the other tenants' checkpoints are older than its start"
    box.advance(80)
    assert set(client.statuses().values()) == {"DOING"}


def test_enable_log_archive_is_a_side_effect(box, client):
    show = "SHOW PARAMETERS LIKE 'enable_log_archive'"
    refused = (1235, "set enable log archive true without archivelog is not supported")
    assert client.error("ALTER SYSTEM SET enable_log_archive = true") == refused
    client.start()
    assert {r["value"] for r in client.rows(show)} == {"True"}
    assert client.do("ALTER SYSTEM SET enable_log_archive = TRUE") == 0
    client.stop()
    assert {r["value"] for r in client.rows(show)} == {"False"}


# --- CANCEL ALL BACKUP FORCE ----------------------------------------------------------------------------


def test_force_cancel_empties_the_destination_and_stops(box, client):
    client.start()
    box.faults.dead_servers = {1}
    client.do(STOP)
    box.advance(600)
    assert client.statuses()[1] == "STOPPING", "a dead server holds the stop"
    client.do("ALTER SYSTEM CANCEL ALL BACKUP FORCE")
    box.faults.dead_servers = set()
    box.advance(5)
    assert client.statuses() == {1: "STOP"}
    assert {r["value"] for r in client.rows("SHOW PARAMETERS LIKE 'backup_dest'")} == {""}
    assert client.error(START) == (9026, "backup destination is not valid")
    assert client.error(f"ALTER SYSTEM SET backup_dest='{DEST}'")[0] == 9026, "that destination is used"


def test_force_cancel_of_a_running_round_and_backup(box, client):
    client.start()
    client.do("ALTER SYSTEM BACKUP DATABASE")
    box.advance(5)
    client.do("ALTER SYSTEM CANCEL ALL BACKUP FORCE")
    box.advance(15)
    assert client.statuses() == {1: "STOP"}
    assert {r["STATUS"] for r in client.rows("SELECT * FROM CDB_OB_BACKUP_SET_DETAILS")} == {"FAILED"}
    assert client.do("ALTER SYSTEM CANCEL ALL BACKUP FORCE") == 0, "nothing to cancel is no error"


@pytest.mark.parametrize("profile", ["3.1.2", "3.1.0", "2.2.77"])
def test_force_cancel_is_a_syntax_error_before_3_1_3(make_box, connect, profile):
    assert connect(make_box(profile)).error("ALTER SYSTEM CANCEL ALL BACKUP FORCE")[0] == 1064


def test_tenant_dropped_during_the_start(box, client):
    box.parameters["backup_dest"] = DEST
    box.faults.slow_start_seconds = 100
    client.do(START)
    box.advance(5)
    box.drop_tenant("tenant1")
    box.advance(200)
    assert client.statuses() == {1: "DOING", 1002: "DOING"}


# --- the back door --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["STOP", "BEGINNING", "DOING", "STOPPING", "INTERRUPTED"])
@pytest.mark.parametrize("before", ["STOP", "BEGINNING", "DOING", "STOPPING", "INTERRUPTED"])
def test_forced_status_has_consistent_rows(box, client, before, status):
    box.force_status(before)
    box.force_status(status)
    rows = client.rows(STATUS)
    assert rows[0]["STATUS"] == status
    tenants = {"STOPPING": "DOING"}.get(status, status)
    assert [r["STATUS"] for r in rows[1:]] == ([] if status == "STOP" else [tenants] * 2)
    for row in rows[1:]:
        assert bool(row["MAX_NEXT_TIME"]) == (status != "BEGINNING")
    # It goes on from there by itself.
    box.advance(120)
    goes_to = {"BEGINNING": "DOING", "STOPPING": "STOP"}.get(status, status)
    assert client.statuses()[1] == goes_to


def test_forced_status_must_exist(box, client):
    with pytest.raises(ValueError, match="PREPARE"):
        box.force_status("PREPARE")
    assert client.error("SANDBOX FORCE PREPARE")[0] == 1210


# --- events ---------------------------------------------------------------------------------------------


def test_rootservice_events(box, client):
    client.start()
    client.stop()
    events = client.rows(
        "SELECT event, name1, value1 FROM __all_rootservice_event_history WHERE module = 'log_archive'"
    )
    names = [row["event"] for row in events]
    assert names[0] == "handle_start_log_archive"
    assert "prepare_new_tenant" in names
    assert [r["value1"] for r in events if r["event"] == "change_status"] == ["DOING", "STOP"]
    assert {"event": "handle_stop_log_archive", "name1": "status", "value1": "STOPPING"} in events
