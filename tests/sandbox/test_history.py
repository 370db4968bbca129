"""A 3.x cluster's past, put up in words: what the views show of it, and that a running round goes on."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from airflow_ob_provider.sandbox.v3.profiles import BUILDS

PROFILES = [build.name for build in BUILDS]
SPLITTING = [build.name for build in BUILDS if build.pieces]
NOW = datetime.fromisoformat("2024-06-21 08:00:00")
DAY = timedelta(days=1)
CURRENT = "SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG ORDER BY TENANT_ID"
SUMMARY = "SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG_SUMMARY ORDER BY LOG_ARCHIVE_ROUND, TENANT_ID"
PIECES = "SELECT * FROM CDB_OB_BACKUP_PIECE_FILES WHERE TENANT_ID = {} ORDER BY ROUND_ID, BACKUP_PIECE_ID"
EVENTS = "SELECT gmt_create, event, value1 FROM __all_rootservice_event_history WHERE module = 'log_archive' ORDER BY 1"


def day(number: int, hour: int = 0) -> datetime:
    return datetime.fromisoformat(f"2024-06-{number:02d} {hour:02d}:00:00")


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


@pytest.fixture
def box(make_box):
    return make_box("3.1.5", start_time=NOW)


@pytest.fixture
def history(box):
    return box.history


# --- rounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", SPLITTING)
def test_rounds_of_every_build(make_box, connect, profile):
    box = make_box(profile, start_time=NOW)
    client = connect(box)
    box.history.round(3, day(1), day(4, 6))
    box.history.round(5, day(18))
    rows = client.rows(SUMMARY)
    shown = [
        (r["LOG_ARCHIVE_ROUND"], r["TENANT_ID"], r["STATUS"], r["START_PIECE_ID"], r["BACKUP_PIECE_ID"]) for r in rows
    ]
    assert shown == [
        *((3, tenant, "STOP", 1, 4) for tenant in (1, 1001, 1002)),
        *((5, tenant, "DOING", 5, 8) for tenant in (1, 1001, 1002)),
    ]
    assert {(r["MIN_FIRST_TIME"], r["MAX_NEXT_TIME"]) for r in rows} == {
        (text(day(1)), text(day(4, 6))), (text(day(18)), text(NOW - timedelta(seconds=60))),
    }  # fmt: skip
    assert client.statuses() == {1: "DOING", 1001: "DOING", 1002: "DOING"}
    assert client.tuples("SELECT DISTINCT STATUS FROM CDB_OB_BACKUP_ARCHIVELOG_PROGRESS") == [("DOING",)]
    for tenant in (1, 1001, 1002):
        pieces = client.rows(PIECES.format(tenant))
        assert [(p["ROUND_ID"], p["BACKUP_PIECE_ID"], p["STATUS"]) for p in pieces] == [
            *((3, number, "FROZEN") for number in (1, 2, 3, 4)), *((5, number, "FROZEN") for number in (5, 6, 7)),
            (5, 8, "ACTIVE"),
        ]  # fmt: skip
        assert (pieces[1]["START_TS"], pieces[1]["MAX_TS"]) == (text(day(2)), text(day(3)))
        assert (pieces[3]["CHECKPOINT_TS"], pieces[3]["MAX_TS"]) == (text(day(4, 6)), text(day(4, 6)))
        finite = profile not in {"2.2.77", "3.1.2"}
        assert pieces[-1]["CHECKPOINT_TS"] == (text(NOW - timedelta(seconds=60)) if finite else "")
        assert (pieces[-1]["MAX_TS"], pieces[-1]["CREATE_DATE"]) == ("MAX", 20240621)
    option = "SHOW PARAMETERS LIKE 'backup\\_dest\\_option'"
    assert client.rows(option)[0]["value"] == "log_archive_piece_switch_interval=1d"
    assert client.rows("SHOW PARAMETERS LIKE 'backup\\_dest'")[0]["value"] == "file:///data/nfs/backup"
    assert client.rows("SHOW PARAMETERS LIKE 'enable_log_archive'")[0]["value"] in {"True", "False"}

    box.advance(2 * 86400)
    current = client.rows(CURRENT)
    assert {(r["STATUS"], r["BACKUP_PIECE_ID"]) for r in current} == {("DOING", 10)}
    assert current[0]["MAX_NEXT_TIME"] == min(r["MAX_NEXT_TIME"] for r in current[1:])
    assert current[0]["MAX_NEXT_TIME"] > text(NOW + 2 * DAY - timedelta(seconds=400))
    client.stop()
    client.do("ALTER SYSTEM ARCHIVELOG")
    box.advance(30)
    assert {(r["LOG_ARCHIVE_ROUND"], r["START_PIECE_ID"], r["STATUS"]) for r in client.rows(CURRENT)} == {
        (6, 11, "DOING")
    }


def test_a_build_without_pieces(make_box, connect):
    box = make_box("3.1.0", start_time=NOW)
    client = connect(box)
    box.history.round(1, day(1), day(2))
    box.history.round(2, day(3))
    rows = client.tuples(
        "SELECT LOG_ARCHIVE_ROUND, TENANT_ID, STATUS, MIN_FIRST_TIME FROM CDB_OB_BACKUP_ARCHIVELOG_SUMMARY"
    )
    expected = [(n, t, s, d) for n, s, d in ((1, "STOP", day(1)), (2, "DOING", day(3))) for t in (1, 1001, 1002)]
    assert sorted(rows) == expected


def test_without_splitting(history, box, client):
    history.round(1, day(1), day(3), piece_days=0)
    history.round(2, day(4), piece_days=0, checkpoint=day(20))
    pieces = client.rows(PIECES.format(1001))
    assert [(p["ROUND_ID"], p["BACKUP_PIECE_ID"], p["START_PIECE_ID"], p["STATUS"]) for p in pieces] == [
        (1, 0, 0, "FROZEN"), (2, 0, 0, "ACTIVE"),
    ]  # fmt: skip
    assert client.rows("SHOW PARAMETERS LIKE 'backup\\_dest\\_option'")[0]["value"] == ""
    box.advance(3 * 86400)
    assert [p["BACKUP_PIECE_ID"] for p in client.rows(PIECES.format(1001))] == [0, 0]
    assert {r["BACKUP_PIECE_ID"] for r in client.rows(CURRENT)} == {0}


def test_a_splitting_round_after_one_that_does_not(history, client):
    history.round(1, day(1), day(3), piece_days=2, first_piece_id=5)
    history.round(2, day(4), day(6), piece_days=0)
    history.round(3, day(7), day(8))
    rows = client.tuples(
        "SELECT ROUND_ID, BACKUP_PIECE_ID FROM CDB_OB_BACKUP_PIECE_FILES WHERE TENANT_ID = 1 ORDER BY 1"
    )
    assert rows == [(1, 5), (2, 0), (3, 6)]
    (row,) = client.rows(CURRENT)
    assert (row["LOG_ARCHIVE_ROUND"], row["TENANT_ID"], row["STATUS"], row["BACKUP_PIECE_ID"]) == (3, 1, "STOP", 6)


def test_the_latest_round_may_be_a_stopped_one(history, box, client):
    history.round(1, day(1), day(3), checkpoint=day(2, 23))
    (row,) = client.rows(CURRENT)
    assert (row["STATUS"], row["MAX_NEXT_TIME"]) == ("STOP", text(day(2, 23)))
    assert client.tuples(EVENTS) == [
        (day(1), "handle_start_log_archive", "BEGINNING"),
        (day(1) + timedelta(seconds=30), "change_status", "DOING"),
        (day(3), "handle_stop_log_archive", "STOPPING"),
        (day(3), "change_status", "STOP"),
    ]
    box.advance(3600)
    assert client.rows(CURRENT) == [row]
    assert client.error("ALTER SYSTEM NOARCHIVELOG")[0] == 9024
    assert client.error("ALTER SYSTEM SET backup_dest = 'file:///data/nfs/backup'")[0] == 9026, "it has been used"


@pytest.mark.parametrize(
    ("status", "tenants", "settled"),
    [
        ("BEGINNING", "BEGINNING", {"DOING"}), ("DOING", "DOING", {"DOING"}),
        ("INTERRUPTED", "INTERRUPTED", {"INTERRUPTED"}), ("STOPPING", "DOING", {"STOP"}),
    ],
)  # fmt: skip
def test_states_of_a_running_round(history, box, client, status, tenants, settled):
    history.round(1, day(1), status=status, checkpoint=day(20, 3))
    assert client.statuses() == {1: status, 1001: tenants, 1002: tenants}
    marks = {row["MAX_NEXT_TIME"] for row in client.rows(CURRENT)}
    assert marks == {"" if status == "BEGINNING" else text(day(20, 3))}
    assert client.tuples(EVENTS)[-1][2] == status
    box.advance(100)
    assert set(client.statuses().values()) == settled
    enabled = client.rows("SHOW PARAMETERS LIKE 'enable_log_archive'")[0]["value"]
    assert enabled == str(status in {"BEGINNING", "DOING"})
    client.box.history.clear()
    assert client.statuses() == {1: "STOP"}


def test_a_checkpoint_that_is_behind_catches_up_but_for_a_fault(history, box, client):
    history.round(1, day(1), checkpoint=day(20))
    box.faults.frozen_checkpoint = True
    box.advance(600)
    assert {row["MAX_NEXT_TIME"] for row in client.rows(CURRENT)} == {text(day(20))}
    box.faults.frozen_checkpoint = False
    box.advance(300)
    assert {row["MAX_NEXT_TIME"] > text(NOW) for row in client.rows(CURRENT)} == {True}


def test_settings_that_are_there_stay(history, box, client):
    box.parameters["backup_dest"] = "file:///mine"
    box.parameters["backup_dest_option"] = "recovery_window=7d&log_archive_piece_switch_interval=3d"
    history.round(1, day(1), day(2), destination="file:///old")
    assert box.parameters["backup_dest"] == "file:///mine"
    history.round(2, day(3))
    assert box.parameters["backup_dest"] == "file:///mine"
    assert box.parameters["backup_dest_option"] == "recovery_window=7d&log_archive_piece_switch_interval=1d"
    history.clear()
    history.round(1, day(1), destination="file:///other")
    assert box.parameters["backup_dest"] == "file:///other"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"round_id": 2}, "after the rounds that are there, is an integer of at least 3, not 2"),
        ({"start": day(3)}, "start, after the round before, is between 2024-06-04 00:00:00 and 2024-06-21 08:00:00"),
        ({"tenant": "tenant1"}, "a round of 3.x is of all tenants"),
        ({"status": "SUSPEND"}, "one of BEGINNING, DOING, STOPPING, INTERRUPTED, not 'SUSPEND'"),
        ({"status": "STOP"}, "not 'STOP'"),
        ({"end": day(5), "status": "DOING"}, "is one of STOP"),
        ({"piece_days": 8}, "piece_days is an integer from 0 to 7, not 8"),
        ({"first_piece_id": 3}, "first_piece_id, after the pieces that are there, is an integer of at least 4"),
        ({"first_piece_id": 4, "piece_days": 0}, "that doesn't split is an integer from 0 to 0, not 4"),
        ({"destination": "s3://x"}, "destination is a URI of file://, oss://, cos://"),
    ],
)
def test_rounds_that_cannot_be(history, client, arguments, message):
    history.round(2, day(1), day(4))
    before = client.rows(SUMMARY)
    with pytest.raises(ValueError, match=message):
        history.round(**{"round_id": 3, "start": day(5)} | arguments)
    assert client.rows(SUMMARY) == before
    history.round(3, day(5))
    with pytest.raises(ValueError, match="round 3 is running"):
        history.round(4, day(6))


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_changes_of_pieces(history, client):
    history.round(1, day(1), day(5))
    history.piece(1, file_status="EXPIRED")
    history.piece(2, round_id=1, tenant="tenant1", removed=True)
    history.piece(3, status="FREEZING", start=day(3, 1), checkpoint=None, end=None, tenant="sys")
    columns = "BACKUP_PIECE_ID, STATUS, FILE_STATUS, START_TS, CHECKPOINT_TS, MAX_TS"
    sql = f"SELECT TENANT_ID, {columns} FROM CDB_OB_BACKUP_PIECE_FILES WHERE BACKUP_PIECE_ID < 4 ORDER BY 1, 2"
    rows = {row[:2]: row[2:] for row in client.tuples(sql)}
    assert sorted(rows) == [(t, n) for t in (1, 1001, 1002) for n in (1, 2, 3) if (t, n) != (1001, 2)]
    assert {rows[tenant, 1][1] for tenant in (1, 1001, 1002)} == {"EXPIRED"}
    assert rows[1, 3] == ("FREEZING", "AVAILABLE", text(day(3, 1)), "", "MAX")
    assert rows[1002, 3][0] == "FROZEN"
    history.piece(2, removed=False)
    assert len(client.tuples(sql)) == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"piece_id": 9}, "no piece 9; there are 1 to 3"),
        ({"round_id": 2}, "no piece 1; there are 1 to 3"),
        ({"tenant": "nobody"}, "no tenant called 'nobody'"),
        ({"status": "OPEN"}, "status is one of"),
    ],
)
def test_pieces_that_cannot_be(history, arguments, message):
    history.round(1, day(1), day(4))
    with pytest.raises(ValueError, match=message):
        history.piece(**{"piece_id": 1} | arguments)
    history.clear()
    with pytest.raises(ValueError, match="there are none"):
        history.piece(1, removed=True)


# --- backups ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_backup_sets_of_every_build(make_box, connect, profile):
    box = make_box(profile, start_time=NOW)
    client = connect(box)
    box.history.backup_set(2, day(2), day(2, 1))
    box.history.backup_set(3, day(3), day(3, 1), kind="incremental", file_status="EXPIRED")
    box.history.backup_set(1, day(1), day(1, 1), status="FAILED", tenant="tenant1")
    rows = client.tuples(
        "SELECT BS_KEY, TENANT_ID, BACKUP_TYPE, STATUS, COMPLETION_TIME, ELAPSED_SECONDES "
        "FROM CDB_OB_BACKUP_SET_DETAILS ORDER BY 1, 2"
    )
    hour = Decimal(3600)
    assert rows == [
        *((1, tenant, "D", "FAILED", day(1, 1), hour) for tenant in (1, 1001)),
        *((2, tenant, "D", "COMPLETED", day(2, 1), hour) for tenant in (1, 1001, 1002)),
        *((3, tenant, "I", "COMPLETED", day(3, 1), hour) for tenant in (1, 1001, 1002)),
    ]
    if profile != "3.1.0":
        files = client.tuples("SELECT DISTINCT BS_KEY, STATUS, FILE_STATUS FROM CDB_OB_BACKUP_SET_FILES ORDER BY 1")
        assert files == [(1, "FAILED", "INCOMPLETE"), (2, "SUCCESS", "AVAILABLE"), (3, "SUCCESS", "EXPIRED")]
    assert client.tuples("SELECT * FROM CDB_OB_BACKUP_PROGRESS") == []


def test_levels_and_replay(make_box, connect):
    box = make_box("3.2.4", start_time=NOW)
    box.history.backup_set(1, day(2), day(3), replay_from=day(1))
    box.history.backup_set(2, day(2), day(3), tenant="tenant2")
    rows = connect(box).tuples(
        "SELECT DISTINCT BS_KEY, BACKUP_LEVEL, USEC_TO_TIME(START_REPLAY_LOG_TS) "
        "FROM CDB_OB_BACKUP_SET_DETAILS ORDER BY 1"
    )
    assert rows[0] == (1, "CLUSTER", day(1))
    assert rows[1][1] == "TENANT"


def test_a_set_that_is_being_made_goes_on(history, box, client):
    history.round(1, day(1))
    history.backup_set(4, NOW - timedelta(minutes=1), status="DOING")
    sql = "SELECT DISTINCT BS_KEY, STATUS, FILE_STATUS FROM CDB_OB_BACKUP_SET_FILES"
    assert client.tuples(sql) == [(4, "DOING", "COPYING")]
    assert client.value("SELECT COUNT(*) FROM CDB_OB_BACKUP_PROGRESS") == 3
    with pytest.raises(ValueError, match="set 4 is DOING: one at a time"):
        history.backup_set(5, NOW, status="DOING")
    box.advance(60)
    assert client.tuples(sql) == [(4, "SUCCESS", "AVAILABLE")]
    client.do("ALTER SYSTEM BACKUP DATABASE")
    assert client.value("SELECT MAX(BS_KEY) FROM CDB_OB_BACKUP_SET_FILES") == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"set_id": 1}, "set_id 1 is taken; free from 2"),
        ({"tenant": "nobody"}, "no user tenant called 'nobody'"),
        ({"tenant": "sys"}, "no user tenant called 'sys'"),
        ({"restore_point": day(3)}, "a backup set of profile 3.1.5 has no restore_point"),
        ({"replay_from": day(3)}, "has no replay_from"),
        ({"result": -1}, "has no result"),
        ({"comment": "x"}, "has no comment"),
        ({"plus_archivelog": True}, "has no plus_archivelog"),
    ],
)
def test_backup_sets_that_cannot_be(history, client, arguments, message):
    history.backup_set(1, day(1), day(2))
    with pytest.raises(ValueError, match=message):
        history.backup_set(**{"set_id": 2, "start": day(2), "end": day(3)} | arguments)
    assert client.tuples("SELECT DISTINCT BS_KEY FROM CDB_OB_BACKUP_SET_FILES") == [(1,)]


def test_clean_jobs(history, client, connect):
    history.clean_job(day(4), status="FAILED", result=-9026, comment="no", tenant="tenant1")
    history.clean_job(day(3))
    rows = client.tuples(
        "SELECT * FROM CDB_OB_BACKUP_CLEAN_HISTORY WHERE TENANT_ID IN (1, 1001) ORDER BY TENANT_ID, BS_KEY"
    )
    what = "DELETE OBSOLETE BACKUP"
    minute = timedelta(minutes=1)
    assert rows == [
        (tenant, *row)
        for tenant in (1, 1001)
        for row in (
            (1, 0, day(3), day(3) + minute, 1, what, "COMPLETED", "", "", ""),
            (2, 0, day(4), day(4) + minute, 1, what, "FAILED", "", "-9026", "no"),
        )
    ]
    assert client.value("SELECT COUNT(*) FROM CDB_OB_BACKUP_CLEAN_HISTORY WHERE TENANT_ID = 1002") == 1
    for arguments, message in (
        ({"at": NOW + DAY}, "at is between"),
        ({"at": NOW, "status": "DOING"}, "status is one of COMPLETED, FAILED, CANCELED"),
        ({"at": NOW, "tenant": "nobody"}, "no tenant called"),
    ):
        with pytest.raises(ValueError, match=message):
            history.clean_job(**arguments)


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_clear(history, box, client):
    history.round(1, day(1), day(2))
    history.round(2, day(3))
    history.backup_set(1, day(2), day(3))
    history.backup_set(2, NOW, status="DOING")
    history.clean_job(day(3))
    box.advance(1)
    history.clear()
    (row,) = client.rows(CURRENT)
    assert (row["LOG_ARCHIVE_ROUND"], row["STATUS"], row["MIN_FIRST_TIME"], row["MAX_NEXT_TIME"]) == (0, "STOP", "", "")
    views = ("ARCHIVELOG_SUMMARY", "PIECE_FILES", "SET_FILES", "SET_DETAILS", "PROGRESS", "CLEAN_HISTORY")
    assert {view: client.value(f"SELECT COUNT(*) FROM CDB_OB_BACKUP_{view}") for view in views} == dict.fromkeys(
        views, 0
    )
    assert client.tuples(EVENTS) == []
    assert box.parameters["backup_dest"] == "file:///data/nfs/backup"
    box.advance(3600)
    assert client.statuses() == {1: "STOP"}
    client.start()
    assert {r["LOG_ARCHIVE_ROUND"] for r in client.rows(CURRENT)} == {1}
    client.do("ALTER SYSTEM BACKUP DATABASE")
    assert client.value("SELECT MAX(BS_KEY) FROM CDB_OB_BACKUP_SET_FILES") == 1


def test_incarnation_and_events(history, client):
    history.round(1, day(1), day(2))
    history.round(2, day(3))
    history.incarnation(3)
    for view in ("ARCHIVELOG", "ARCHIVELOG_SUMMARY", "ARCHIVELOG_PROGRESS", "PIECE_FILES"):
        assert client.tuples(f"SELECT DISTINCT INCARNATION FROM CDB_OB_BACKUP_{view}") == [(3,)]
    history.event(day(2), "backup_clean", "done", result=0)
    sql = "SELECT gmt_create, event, name1, value1 FROM __all_rootservice_event_history WHERE module = 'backup_clean'"
    assert client.tuples(sql) == [(day(2), "done", "result", "0")]


def test_renumber(history, client):
    history.round(1, day(1), day(2))
    history.renumber("tenant1", 1007)
    assert client.tuples("SELECT tenant_id, tenant_name FROM gv$tenant ORDER BY 1") == [
        (1, "sys"), (1002, "tenant2"), (1007, "tenant1"),
    ]  # fmt: skip
    assert client.value("SELECT COUNT(*) FROM CDB_OB_BACKUP_ARCHIVELOG_SUMMARY WHERE TENANT_ID = 1001") == 1
    history.round(2, day(3))
    assert client.statuses() == {1: "DOING", 1002: "DOING", 1007: "DOING"}
    for tenant, number, message in (
        ("tenant1", 1007, "at least 1008"),
        ("sys", 1010, "no user tenant"),
        ("x", 1010, "no"),
    ):
        with pytest.raises(ValueError, match=message):
            history.renumber(tenant, number)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("policy", ["7d"]), ("storage_check", [NOW]), ("log_disk", [1, 2]),
    ],
)  # fmt: skip
def test_what_only_4_has(history, name, arguments):
    with pytest.raises(ValueError, match=r"profile 3\.1\.5 has no"):
        getattr(history, name)(*arguments)
    with pytest.raises(ValueError, match=r"3\.1\.5 has no log streams"):
        history.stream(1, NOW, tenant="tenant1")


def test_history_over_sql(client):
    client.do(f"SANDBOX HISTORY round {json.dumps({'round_id': 1, 'start': text(day(1)), 'piece_days': 7})}")
    client.do('SANDBOX HISTORY backup_set \'[1, "2024-06-02", "2024-06-03"]\';')
    assert client.statuses() == {1: "DOING", 1001: "DOING", 1002: "DOING"}
    assert client.tuples("SELECT DISTINCT COMPLETION_TIME FROM CDB_OB_BACKUP_SET_FILES") == [(day(3),)]
    assert client.error('SANDBOX HISTORY policy {"window": "7d"}')[0] == 1210
