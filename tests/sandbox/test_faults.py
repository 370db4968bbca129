"""Every fault switch, from Python and through SANDBOX statements."""

from __future__ import annotations

import json
import time

import pymysql
import pytest

from airflow_ob_provider.sandbox import Cut, Fail, Faults

STATUS = "SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG ORDER BY TENANT_ID"
DEST = "file:///data/nfs/backup"
START, STOP = "ALTER SYSTEM ARCHIVELOG", "ALTER SYSTEM NOARCHIVELOG"


def begin(box, client):
    box.parameters["backup_dest"] = DEST
    client.do(START)


def lost(client, sql):
    with pytest.raises(pymysql.OperationalError) as caught:
        client.do(sql)
    return caught.value.args[0] == 2013


def test_unwritable_destination_keeps_beginning(box, client):
    box.faults.destination_unwritable = True
    begin(box, client)
    box.advance(3600)
    assert client.statuses() == {1: "BEGINNING"}
    box.faults.destination_unwritable = False
    box.advance(30)
    assert set(client.statuses().values()) == {"DOING"}
    published = client.rows(STATUS)
    box.faults.destination_unwritable = True
    box.advance(600)
    assert client.rows(STATUS) == published, "IO errors don't interrupt, but nothing moves"
    client.do(STOP)
    box.advance(600)
    assert client.statuses()[1] == "STOPPING"
    box.faults.destination_unwritable = False
    box.advance(15)
    assert client.statuses() == {1: "STOP"}


def test_unmounted_server_interrupts_the_start(box, client):
    box.faults.unmounted_servers = {1}
    begin(box, client)
    box.advance(11)
    assert client.statuses() == {1: "INTERRUPTED", 1001: "BEGINNING", 1002: "BEGINNING"}
    box.advance(60)
    assert set(client.statuses().values()) == {"INTERRUPTED"}, "the tenants one pass later"
    box.advance(5)
    assert {r["value"] for r in client.rows("SHOW PARAMETERS LIKE 'enable_log_archive'")} == {"False"}
    box.faults.unmounted_servers = set()
    box.advance(3600)
    assert client.statuses()[1] == "INTERRUPTED", "no automatic resume"
    client.do(STOP)
    box.advance(30)
    client.do(START)
    box.advance(30)
    assert {(r["STATUS"], r["LOG_ARCHIVE_ROUND"]) for r in client.rows(STATUS)} == {("DOING", 2)}


def test_mount_that_gets_lost_interrupts_a_running_round(box, client):
    client.start()
    box.faults.unmounted_servers = {0}
    box.advance(65)
    assert client.statuses() == {1: "INTERRUPTED", 1001: "DOING", 1002: "DOING"}
    box.advance(55)
    assert set(client.statuses().values()) == {"INTERRUPTED"}
    client.do(STOP)
    box.advance(30)
    assert client.statuses() == {1: "STOP"}, "a failing mount check doesn't hold the stop"


def test_unmounted_rootservice_keeps_beginning(box, client):
    box.faults.unmounted_servers = {0}
    begin(box, client)
    box.advance(600)
    assert client.statuses() == {1: "BEGINNING"}


def test_sys_only_cluster_cannot_be_interrupted(make_box, connect):
    box = make_box(tenants=0)
    client = connect(box)
    client.start()
    box.faults.unmounted_servers = {1}
    box.advance(300)
    assert client.statuses() == {1: "DOING"}


def test_dead_server(box, client):
    client.start()
    box.advance(300)
    before = client.rows(STATUS)
    box.faults.dead_servers = {2}
    box.advance(600)
    assert client.rows(STATUS) == before, "DOING with frozen checkpoints"
    servers = client.rows(
        "SELECT svr_ip, status, stop_time, start_service_time > 0 serving FROM __all_server ORDER BY id"
    )
    assert [s["status"] for s in servers] == ["active", "active", "inactive"]
    beats = client.tuples("SELECT heartbeat_status FROM __all_virtual_server_stat ORDER BY svr_ip")
    assert beats == [("alive",), ("alive",), ("lease_expired",)]
    client.do(STOP)
    box.advance(600)
    assert client.statuses()[1] == "STOPPING"
    box.faults.dead_servers = set()
    box.advance(25)
    assert client.statuses() == {1: "STOP"}


def test_dead_server_does_not_hold_the_start(box, client):
    box.faults.dead_servers = {1}
    begin(box, client)
    box.advance(30)
    assert set(client.statuses().values()) == {"DOING"}
    box.advance(600)
    sys = client.rows(STATUS)[0]
    assert sys["STATUS"] == "DOING"


def test_sys_only_checkpoint_freezes_too(make_box, connect):
    box = make_box(tenants=0)
    client = connect(box)
    client.start()
    box.faults.frozen_checkpoint = True
    box.advance(120)
    before = client.rows(STATUS)
    box.advance(600)
    assert client.rows(STATUS) == before


def test_frozen_checkpoint(box, client):
    client.start()
    box.advance(300)
    box.faults.frozen_checkpoint = True
    box.advance(60)
    before = client.rows(STATUS)
    box.advance(600)
    assert client.rows(STATUS) == before
    box.faults.frozen_checkpoint = False
    box.advance(200)
    assert client.rows(STATUS)[0]["MAX_NEXT_TIME"] > before[0]["MAX_NEXT_TIME"]


def test_slow_start(box, client):
    box.faults.slow_start_seconds = 300
    begin(box, client)
    box.advance(290)
    assert set(client.statuses().values()) == {"BEGINNING"}
    box.advance(40)
    assert set(client.statuses().values()) == {"DOING"}


def test_slow_answers_only_where_asked(box, client):
    box.faults.slow_answers_seconds = 0.4
    box.faults.slow_answers_pattern = "archivelog"
    started = time.monotonic()
    client.do("SELECT 1")
    assert time.monotonic() - started < 0.4
    client.statuses()
    assert time.monotonic() - started >= 0.4


def test_slow_answer_past_the_query_timeout_is_4012_after_the_effect(box, client):
    box.parameters["backup_dest"] = DEST
    client.do("SET SESSION ob_query_timeout = 50000")
    box.faults.slow_answers_seconds = 5
    box.faults.slow_answers_pattern = "^ALTER SYSTEM ARCHIVELOG"
    started = time.monotonic()
    assert client.error(START) == (4012, "Timeout")
    assert time.monotonic() - started < 4
    assert client.statuses()[1] == "BEGINNING", "the statement may have succeeded"


def test_blocking_check_past_the_query_timeout_is_4012(client):
    client.do("SET ob_query_timeout = 1000000")
    assert client.error(START) == (4012, "Timeout"), "the empty destination is looked at for 2 s"
    client.do("SET ob_query_timeout = 10000000")
    assert client.error(START)[0] == 9026


def test_blocking_takes_simulated_time(make_box, connect):
    box = make_box(speed=20)
    client = connect(box)
    started = time.monotonic()
    assert client.error(START)[0] == 9026
    assert time.monotonic() - started > 0.08


def test_drop_before_and_after(box, client, connect):
    box.parameters["backup_dest"] = DEST
    box.faults.drop_before = r"^alter system archivelog$"
    assert lost(client, START)
    client = connect(box)
    assert client.statuses() == {1: "STOP"}
    box.faults.drop_after = ("ALTER SYSTEM (NO)?ARCHIVELOG", 1)
    assert lost(client, START)
    client = connect(box)
    assert client.statuses()[1] == "BEGINNING"
    assert client.do(STOP) == 0, "once only"
    assert [r.outcome for r in box.writes] == ["LOST", "LOST", "OK"]


def test_error_once(box, client):
    box.parameters["backup_dest"] = DEST
    box.faults.error_once = ("^alter system archivelog", 4023, "Try again")
    assert client.error(START) == (4023, "Try again")
    assert client.statuses() == {1: "STOP"}
    box.faults.error_once = [("ARCHIVELOG$", 4012, "", True, 1), ("^SELECT 1$", 4016, "Internal error", False, 2)]
    assert client.error(START) == (4012, "Timeout")
    assert client.statuses()[1] == "BEGINNING", "after the effect"
    assert [client.error("SELECT 1")[0] for _ in range(2)] == [4016, 4016]
    assert client.value("SELECT 1") == 1


def test_rootservice_switching_and_configuration(box, client):
    box.faults.rs_switching = True
    for statement in (START, STOP, "ALTER SYSTEM MINOR FREEZE", "ALTER SYSTEM SET backup_dest=''",
                      "ALTER SYSTEM BACKUP DATABASE", "ALTER SYSTEM CANCEL ALL BACKUP FORCE"):  # fmt: skip
        assert client.error(statement) == (4114, "In STOP state")
    assert client.statuses() == {1: "STOP"}
    box.faults.rs_switching = False
    box.faults.config_not_synced = True
    for statement in (START, STOP, "ALTER SYSTEM BACKUP DATABASE"):
        assert client.error(statement) == (4527, "Configuration not sync")


def test_mixed_tenants(box, client):
    box.faults.mixed_tenants = True
    assert client.statuses() == {1: "STOP"}
    box.force_status("DOING")
    assert client.statuses() == {1: "DOING", 1001: "DOING", 1002: "BEGINNING"}
    box.faults.mixed_tenants = {"tenant1": "INTERRUPTED", 1002: "STOPPING"}
    assert client.statuses() == {1: "DOING", 1001: "INTERRUPTED", 1002: "STOPPING"}


def test_gts_and_standby_are_visible(box, client):
    gts = "SELECT tenant_id, value FROM __all_virtual_sys_variable WHERE name='ob_timestamp_service' ORDER BY 1"
    role = "SELECT CLUSTER_ROLE, CLUSTER_STATUS FROM v$ob_cluster"
    assert client.tuples(gts) == [(1, "1"), (1001, "1"), (1002, "1")]
    assert client.tuples(role) == [("PRIMARY", "VALID")]
    box.faults.no_gts_tenants = "tenant2"
    box.faults.standby = True
    assert client.tuples(gts)[2] == (1002, "0")
    assert client.tuples(role) == [("PHYSICAL STANDBY", "VALID")]


def test_clock_deviation(box, client):
    box.faults.clock_deviation_us = {1: 600_000, 2: -90}
    rows = client.tuples("SELECT clock_deviation, clock_sync_status FROM __all_virtual_server_stat ORDER BY svr_ip")
    assert rows == [(0, "SYNC"), (600_000, "NOT SYNC"), (-90, "SYNC")]


def test_lost_views(box, client):
    box.faults.lost_views = {"CDB_OB_BACKUP_ARCHIVELOG", "gv$memstore_info"}
    assert client.error(STATUS) == (1146, "Table 'oceanbase.CDB_OB_BACKUP_ARCHIVELOG' doesn't exist")
    assert client.error("SELECT 1 FROM oceanbase.gv$MEMSTORE_info")[0] == 1146
    assert client.rows("SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG_SUMMARY") == []


def test_malformed(box, client):
    box.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.STATUS": "PAUSED", "cdb_ob_backup_piece_files.max_ts": None}
    box.force_status("DOING")
    assert set(client.statuses().values()) == {"PAUSED"}
    assert {p["MAX_TS"] for p in client.rows("SELECT MAX_TS FROM CDB_OB_BACKUP_PIECE_FILES")} == {None}


# --- the switches themselves ------------------------------------------------------------------------------


def test_unknown_fault_is_refused():
    with pytest.raises(AttributeError, match="no fault called 'typo'"):
        Faults().typo = True


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("dead_servers", 1, {1}),
        ("dead_servers", [0, 2], {0, 2}),
        ("lost_views", None, set()),
        ("drop_after", {"pattern": "x", "count": 2}, Cut("x", 2)),
        ("drop_after", Cut("y"), Cut("y", 1)),
        ("drop_after", None, None),
        ("error_once", [], []),
        ("error_once", Fail("a", 1, "m"), [Fail("a", 1, "m")]),
        ("error_once", {"pattern": "a", "errno": 4016}, [Fail("a", 4016, "Internal error")]),
        ("mixed_tenants", {1001: "X"}, {"1001": "X"}),
        ("clock_deviation_us", {"1": "5"}, {1: 5}),
    ],
)
def test_shapes(name, value, kept):
    faults = Faults()
    setattr(faults, name, value)
    assert getattr(faults, name) == kept
    faults.reset()
    assert getattr(faults, name) == getattr(Faults(), name)


def test_bad_pattern_is_refused():
    with pytest.raises(Exception, match="unterminated"):
        Faults().drop_after = "("


def test_sandbox_statements(box, client):
    client.do("SANDBOX CLEAR STATEMENTS")
    client.do("SANDBOX SET dead_servers = [1, 2]")
    client.do("SANDBOX SET slow_answers_pattern = 'archive'")
    client.do('SANDBOX SET error_once = ["^SELECT 1$", 4016, "it is broken"]')
    client.do('SANDBOX SET drop_before = \'{"pattern": "never", "count": 3}\'')
    assert box.faults.dead_servers == {1, 2}
    assert client.error("SELECT 1") == (4016, "it is broken")
    shown = {row["fault"]: json.loads(row["value"]) for row in client.rows("SANDBOX SHOW FAULTS")}
    assert set(shown) == set(Faults.names())
    assert shown["dead_servers"] == [1, 2]
    assert shown["slow_answers_pattern"] == "archive"
    assert shown["drop_before"] == {"pattern": "never", "count": 3}
    client.do("SANDBOX RESET FAULTS")
    assert box.faults.dead_servers == set()
    before = box.now
    client.do("SANDBOX ADVANCE 12.5;")
    assert (box.now - before).total_seconds() == 12.5
    client.do("SANDBOX FORCE doing")
    assert set(client.statuses().values()) == {"DOING"}
    recorded = client.rows("SANDBOX SHOW STATEMENTS")
    assert [(r["sql"], r["outcome"]) for r in recorded] == [("SELECT 1", "4016"), (STATUS, "OK")]
    assert list(recorded[0]) == ["seq", "at", "user", "tenant", "connection_id", "sql", "writes", "outcome"]
    client.do("SANDBOX CLEAR STATEMENTS")
    assert client.rows("SANDBOX SHOW STATEMENTS") == []


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("SANDBOX SET no_such_fault = 1", 1210),
        ("SANDBOX SET dead_servers = many", 1210),
        ("SANDBOX SET drop_after = (", 1210),
        ("SANDBOX SET error_once = [1]", 1210),
        ("SANDBOX DANCE", 1064),
        ("SANDBOX ADVANCE -1", 1064),
    ],
)
def test_bad_sandbox_statements(client, statement, errno):
    assert client.error(statement)[0] == errno


def test_sandbox_statements_are_for_root_of_sys(box, connect):
    box.add_user("ops", privileges=("ALTER SYSTEM", "SELECT"))
    assert connect(box, "ops@sys").error("SANDBOX SHOW FAULTS")[0] == 1227
    assert connect(box, "root@tenant1").error("SANDBOX SHOW FAULTS")[0] == 1227
