"""A 4.x cluster's past, put up in words: what the views show of it, and that a running round goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from airflow_ob_provider.sandbox.v4.profiles import BUILDS

PROFILES = [build.name for build in BUILDS]
NOW = datetime.fromisoformat("2024-06-21 08:00:00")
DAY = timedelta(days=1)
SUMMARY = "SELECT * FROM CDB_OB_ARCHIVELOG_SUMMARY WHERE TENANT_ID = 1002 ORDER BY ROUND_ID"
CURRENT = "SELECT * FROM CDB_OB_ARCHIVELOG WHERE TENANT_ID = 1002"
PIECES = "SELECT * FROM CDB_OB_ARCHIVELOG_PIECE_FILES WHERE TENANT_ID = 1002 ORDER BY ROUND_ID, PIECE_ID"
SETS = "SELECT * FROM CDB_OB_BACKUP_SET_FILES WHERE TENANT_ID = 1002 ORDER BY BACKUP_SET_ID"
STREAMS = "SELECT * FROM CDB_OB_LS_LOG_ARCHIVE_PROGRESS WHERE TENANT_ID = 1002 ORDER BY PIECE_ID DESC, LS_ID"
GIB = 2**30


def day(number: int, hour: int = 0) -> datetime:
    return datetime.fromisoformat(f"2024-06-{number:02d} {hour:02d}:00:00")


@pytest.fixture
def box(make_box):
    return make_box("4.2.5", start_time=NOW)


@pytest.fixture
def history(box):
    return box.history


@pytest.fixture
def events(client):
    def read(round_id, tenant_id=1002):
        return client.tuples(
            "SELECT TIMESTAMP, VALUE5 FROM DBA_OB_ROOTSERVICE_EVENT_HISTORY WHERE MODULE = 'log_archive' "
            f"AND VALUE1 = '{tenant_id}' AND VALUE3 = '{round_id}' AND EVENT = 'change_status' ORDER BY 1"
        )

    return read


# --- rounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_rounds_of_every_build(make_box, connect, profile):
    box = make_box(profile, start_time=NOW)
    client = connect(box)
    box.history.round(3, day(1), day(4, 6))
    box.history.round(5, day(5), comment="restarted by hand")
    rows = client.rows(SUMMARY)
    assert [(r["ROUND_ID"], r["STATUS"], r["BASE_PIECE_ID"], r["USED_PIECE_ID"], r["COMMENT"]) for r in rows] == [
        (3, "STOP", 1, 4, ""), (5, "DOING", 5, 21, "restarted by hand"),
    ]  # fmt: skip
    assert client.rows(CURRENT)[0]["ROUND_ID"] == 5
    shown = str if profile == "4.0.0" else lambda moment: moment
    marks = [(shown(r["START_SCN_DISPLAY"]), shown(r["CHECKPOINT_SCN_DISPLAY"])) for r in rows]
    expected = [(day(1), day(4, 6)), (day(5), NOW - timedelta(seconds=60))]
    if profile == "4.0.0":
        expected = [tuple(f"{moment:%Y-%m-%d %H:%M:%S.%f}" for moment in pair) for pair in expected]
    assert marks == expected
    pieces = client.rows(PIECES)
    assert [p["PIECE_ID"] for p in pieces] == list(range(1, 22))
    assert {p["STATUS"] for p in pieces[:-1]} == {"FROZEN"}
    assert (pieces[-1]["STATUS"], {p["FILE_STATUS"] for p in pieces}) == ("ACTIVE", {"AVAILABLE"})
    for before, after in pairwise(pieces):
        assert (before["END_SCN"] == after["START_SCN"]) is (after["PIECE_ID"] != 5)
        assert before["CHECKPOINT_SCN"] <= before["MAX_SCN"] <= before["END_SCN"]
    assert client.value("SELECT COUNT(*) FROM CDB_OB_ARCHIVELOG") == 2, "of both tenants"
    if profile != "4.0.0":
        assert client.value("SELECT LOG_MODE FROM DBA_OB_TENANTS WHERE TENANT_ID = 1002") == "ARCHIVELOG"

    box.advance(2 * 86400)
    row = client.rows(CURRENT)[0]
    assert (row["STATUS"], row["USED_PIECE_ID"]) == ("DOING", 23)
    assert row["CHECKPOINT_SCN"] > rows[-1]["CHECKPOINT_SCN"] + 2 * 86400 * 10**9 - 200 * 10**9
    client.do("ALTER SYSTEM NOARCHIVELOG TENANT = tenant1")
    box.advance(200)
    client.do("ALTER SYSTEM ARCHIVELOG TENANT = tenant1")
    box.advance(200)
    row = client.rows(CURRENT)[0]
    assert (row["ROUND_ID"], row["BASE_PIECE_ID"], row["STATUS"]) == (6, 24, "DOING")


def test_the_latest_round_may_be_a_stopped_one(history, box, client, events):
    history.round(1, day(1), day(3), tenant="tenant1", piece_days=7, checkpoint=day(2, 23))
    row = client.rows(CURRENT)[0]
    assert (row["STATUS"], row["CHECKPOINT_SCN_DISPLAY"], row["USED_PIECE_ID"]) == ("STOP", day(2, 23), 1)
    assert row["PIECE_SWITCH_INTERVAL"] == 7 * 86400 * 10**6
    (piece,) = client.rows(PIECES)
    assert (piece["STATUS"], piece["END_SCN_DISPLAY"]) == ("FROZEN", day(2, 23))
    assert client.value("SELECT LOG_MODE FROM DBA_OB_TENANTS WHERE TENANT_ID = 1002") == "NOARCHIVELOG"
    assert client.value("SELECT COUNT(*) FROM CDB_OB_ARCHIVELOG WHERE TENANT_ID = 1004") == 0
    assert events(1) == [
        (day(1), "PREPARE"), (day(1) + timedelta(seconds=2), "BEGINNING"), (day(1) + timedelta(seconds=6), "DOING"),
        (day(3), "STOPPING"), (day(3), "STOP"),
    ]  # fmt: skip
    box.advance(3600)
    assert client.rows(CURRENT) == [row]


def test_a_round_that_stopped_where_a_piece_ends(history, client):
    history.round(1, day(1), day(3))
    assert [(p["PIECE_ID"], p["END_SCN_DISPLAY"], p["CHECKPOINT_SCN_DISPLAY"]) for p in client.rows(PIECES)] == [
        (1, day(2), day(2) - timedelta(seconds=1)), (2, day(3), day(3)),
    ]  # fmt: skip
    assert client.rows(CURRENT)[0]["USED_PIECE_ID"] == 2


@pytest.mark.parametrize(
    ("status", "mode", "state", "settled"),
    [
        ("PREPARE", "ARCHIVELOG", "ENABLE", "DOING"), ("BEGINNING", "ARCHIVELOG", "ENABLE", "DOING"),
        ("DOING", "ARCHIVELOG", "ENABLE", "DOING"), ("INTERRUPTED", "ARCHIVELOG", "ENABLE", "INTERRUPTED"),
        ("SUSPENDING", "ARCHIVELOG", "DEFER", "SUSPEND"), ("SUSPEND", "ARCHIVELOG", "DEFER", "SUSPEND"),
        ("STOPPING", "NOARCHIVELOG", "ENABLE", "STOP"),
    ],
)  # fmt: skip
def test_states_of_a_running_round(history, box, client, events, status, mode, state, settled):
    history.round(1, day(1), status=status, checkpoint=day(20, 3))
    row = client.rows(CURRENT)[0]
    assert row["STATUS"] == status
    assert client.value("SELECT LOG_MODE FROM DBA_OB_TENANTS WHERE TENANT_ID = 1002") == mode
    assert client.value("SELECT VALUE FROM CDB_OB_ARCHIVE_DEST WHERE TENANT_ID = 1002 AND NAME = 'state'") == state
    if status == "PREPARE":
        assert (row["START_SCN"], client.rows(PIECES)) == (0, [])
    else:
        assert row["CHECKPOINT_SCN_DISPLAY"] == day(20, 3)
        assert client.rows(PIECES)[-1]["CHECKPOINT_SCN_DISPLAY"] == day(20, 3)
    assert events(1)[-1][1] == status
    assert (row["COMMENT"] != "") is (status == "INTERRUPTED")
    box.advance(300)
    assert client.rows(CURRENT)[0]["STATUS"] == settled


def test_a_beginning_is_young_unless_told_otherwise(history, client):
    history.round(1, NOW - timedelta(seconds=5), status="BEGINNING")
    row = client.rows(CURRENT)[0]
    assert row["CHECKPOINT_SCN"] == row["START_SCN"]
    assert client.rows(PIECES)[0]["FILE_STATUS"] == "INCOMPLETE"


def test_a_checkpoint_that_is_behind_catches_up_but_for_a_fault(history, box, client):
    history.round(1, day(1), checkpoint=day(20))
    box.faults.frozen_checkpoint = True
    box.advance(600)
    assert client.rows(CURRENT)[0]["CHECKPOINT_SCN_DISPLAY"] == day(20)
    box.faults.frozen_checkpoint = False
    box.advance(200)
    assert client.rows(CURRENT)[0]["CHECKPOINT_SCN_DISPLAY"] > NOW


def test_destinations(history, client):
    history.round(1, day(1), day(2), destination="file:///old")
    assert client.value("SELECT COUNT(*) FROM CDB_OB_ARCHIVE_DEST") == 0, "the past needs no setting"
    history.round(2, day(3), day(4))
    history.round(3, day(5), destination="oss://b/new?host=h&access_id=i&access_key=k", piece_days=2)
    rows = client.rows(SUMMARY)
    assert [r["PATH"] for r in rows] == ["file:///old", "file:///data/nfs/backup/tenant1/archive", "oss://b/new?host=h"]
    assert [r["DEST_ID"] for r in rows] == [1001, 1002, 1003]
    assert dict(client.tuples("SELECT NAME, VALUE FROM CDB_OB_ARCHIVE_DEST WHERE TENANT_ID = 1002")) == {
        "binding": "OPTIONAL", "dest_id": "1003", "path": "oss://b/new?host=h&access_id=i&access_key=k",
        "piece_switch_interval": "2d", "state": "ENABLE",
    }  # fmt: skip
    assert {p["PATH"] for p in client.rows(PIECES)} == {r["PATH"] for r in rows}


def test_settings_that_are_there_stay(history, box, client):
    client.do("ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///mine BINDING=MANDATORY' TENANT = tenant1")
    history.round(1, day(1), tenant="tenant1")
    assert client.rows(CURRENT)[0]["PATH"] == "file:///mine"
    sql = "SELECT VALUE FROM CDB_OB_ARCHIVE_DEST WHERE TENANT_ID = 1002 AND NAME = 'binding'"
    assert client.value(sql) == "MANDATORY"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"round_id": 0}, "round_id is an integer of at least 1, not 0"),
        ({"round_id": True}, "round_id is an integer"),
        ({"round_id": 2}, "after the rounds that are there, is an integer of at least 3, not 2"),
        ({"start": day(1)}, "start, after the round before, is between 2024-06-04 00:00:00 and 2024-06-21 08:00:00"),
        ({"start": NOW + DAY}, "start is between any time and 2024-06-21 08:00:00"),
        ({"start": NOW.replace(tzinfo=UTC)}, "start is the cluster's local time, a naive datetime"),
        ({"start": "2024-06-05"}, "start is the cluster's local time"),
        ({"end": day(4)}, "end is between 2024-06-05 00:00:00 and 2024-06-21 08:00:00"),
        ({"end": NOW + DAY}, "end is between"),
        ({"end": day(7), "status": "DOING"}, "status of a round with an end is one of STOP, not 'DOING'"),
        ({"status": "STOP"}, "status of a round without an end is one of PREPARE, .*, STOPPING, not 'STOP'"),
        ({"checkpoint": day(4)}, "checkpoint is between 2024-06-05 00:00:00 and 2024-06-21 08:00:00"),
        ({"end": day(6), "checkpoint": day(7)}, "checkpoint is between 2024-06-05 00:00:00 and 2024-06-06 00:00:00"),
        ({"piece_days": 0}, "piece_days is an integer from 1 to 7, not 0"),
        ({"piece_days": 8}, "piece_days is an integer from 1 to 7, not 8"),
        ({"first_piece_id": 3}, "first_piece_id, after the pieces that are there, is an integer of at least 4"),
        ({"first_piece_id": -1}, "first_piece_id is an integer of at least 0"),
        ({"destination": "http://x"}, "destination is a URI of file://, .*, s3://: http://x is not a valid"),
        ({"tenant": "nobody"}, "no user tenant called 'nobody'"),
    ],
)  # fmt: skip
def test_rounds_that_cannot_be(history, client, arguments, text):
    history.round(2, day(1), day(4))
    before = client.rows(SUMMARY)
    with pytest.raises(ValueError, match=text):
        history.round(**{"round_id": 3, "start": day(5)} | arguments)
    assert client.rows(SUMMARY) == before


def test_nothing_after_a_running_round(history):
    history.round(1, day(1), tenant="tenant1")
    with pytest.raises(ValueError, match=r"round 1 is running: put its end first, or clear\(\)"):
        history.round(2, day(2))
    history.round(1, day(2), tenant="tenant2")


def test_no_suspend_on_4_0(make_box):
    history = make_box("4.0.0", start_time=NOW).history
    with pytest.raises(ValueError, match="INTERRUPTED, STOPPING, not 'SUSPEND'"):
        history.round(1, day(1), status="SUSPEND")
    history.round(1, day(1))
    with pytest.raises(ValueError, match=r"4\.0\.0 has no CDB_OB_LS_LOG_ARCHIVE_PROGRESS"):
        history.stream(1001, day(2), tenant="tenant1")


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_changes_of_pieces(history, box, client):
    history.round(1, day(1), day(3), first_piece_id=10)
    history.round(2, day(18, 12))
    history.piece(10, file_status="DELETED", tenant="tenant1")
    history.piece(11, status="ACTIVE", start=day(2, 1), checkpoint=day(2, 2), end=day(2, 3))
    history.piece(12, round_id=2, removed=True)
    pieces = client.rows(PIECES)
    assert [(p["PIECE_ID"], p["STATUS"], p["FILE_STATUS"]) for p in pieces] == [
        (10, "FROZEN", "DELETED"), (11, "ACTIVE", "AVAILABLE"), (13, "FROZEN", "AVAILABLE"),
        (14, "ACTIVE", "AVAILABLE"),
    ]  # fmt: skip
    times = [pieces[1][f"{name}_SCN_DISPLAY"] for name in ("START", "CHECKPOINT", "END")]
    assert times == [day(2, 1), day(2, 2), day(2, 3)]
    assert pieces[1]["MAX_SCN"] == pieces[1]["CHECKPOINT_SCN"]
    other = "SELECT FILE_STATUS FROM CDB_OB_ARCHIVELOG_PIECE_FILES WHERE TENANT_ID = 1004 AND PIECE_ID = 10"
    assert client.value(other) == "AVAILABLE"
    assert 12 not in {row["PIECE_ID"] for row in client.rows(STREAMS)}

    history.piece(12, removed=False)
    assert [p["PIECE_ID"] for p in client.rows(PIECES)] == [10, 11, 12, 13, 14]
    history.piece(12, removed=True)
    history.piece(14, removed=True)
    box.advance(86400)
    assert [p["PIECE_ID"] for p in client.rows(PIECES)] == [10, 11, 13, 15], "ids go on, whatever is gone"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"piece_id": 9}, "no piece 9; there are 1 to 3"),
        ({"round_id": 2}, "no piece 1; there are 1 to 3"),
        ({"tenant": "nobody"}, "no user tenant called 'nobody'"),
        ({"colour": "red"}, "a change of a piece is one of status, .*removed, not 'colour'"),
        ({"status": "OPEN"}, "status is one of ACTIVE, FREEZING, FROZEN, INACTIVE, not 'OPEN'"),
        ({"file_status": "GONE"}, "file_status is one of AVAILABLE, .*, not 'GONE'"),
        ({"removed": "yes"}, "removed is True or False"),
        ({"end": "tomorrow"}, "end is the cluster's local time"),
        ({"end": None}, "end of a 4.x piece is a datetime, not None"),
    ],
)
def test_pieces_that_cannot_be(history, arguments, text):
    history.round(1, day(1), day(4))
    with pytest.raises(ValueError, match=text):
        history.piece(**{"piece_id": 1} | arguments)


def test_no_piece_at_all(history):
    with pytest.raises(ValueError, match="no piece 1; there are none"):
        history.piece(1, removed=True)


# --- log streams ------------------------------------------------------------------------------------------------------


def test_a_slow_log_stream(history, box, client):
    history.round(1, day(18))
    history.stream(1001, day(19, 12), tenant="tenant1")
    history.stream(1002, day(20), tenant="tenant1")
    row = client.rows(CURRENT)[0]
    assert (row["STATUS"], row["CHECKPOINT_SCN_DISPLAY"], row["USED_PIECE_ID"]) == ("DOING", day(19, 12), 2)
    (newest, *_) = client.rows(PIECES)[::-1]
    assert (newest["STATUS"], newest["CHECKPOINT_SCN_DISPLAY"], newest["END_SCN_DISPLAY"]) == (
        "ACTIVE",
        day(19, 12),
        day(20),
    )
    box.advance(3600)
    assert client.rows(CURRENT)[0]["CHECKPOINT_SCN_DISPLAY"] == day(19, 12), "it holds the round"
    marks = {r["LS_ID"]: (r["CHECKPOINT_SCN"], r["STATUS"]) for r in client.rows(STREAMS)[:3]}
    assert set(marks) == {1, 1001, 1002}
    assert marks[1001][0] == row["CHECKPOINT_SCN"] < marks[1002][0] < marks[1][0]
    assert {status for _, status in marks.values()} == {"DOING"}


def test_a_log_stream_that_broke_off(history, box, client):
    history.round(1, day(18))
    history.stream(1, NOW, tenant="tenant1", status="INTERRUPTED")
    box.advance(60)
    row = client.rows(CURRENT)[0]
    assert (row["STATUS"], row["COMMENT"]) == ("INTERRUPTED", "log stream 1 interrupted")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"ls_id": 0}, "ls_id is an integer of at least 1"),
        ({"status": "STOP"}, "status is one of DOING, INTERRUPTED, not 'STOP'"),
        ({"checkpoint": day(17)}, "checkpoint is between 2024-06-18 00:00:00 and 2024-06-21 08:00:00"),
        ({"tenant": "tenant2"}, "tenant tenant2 has no round that archives"),
    ],
)
def test_log_streams_that_cannot_be(history, arguments, text):
    history.round(1, day(18), tenant="tenant1")
    with pytest.raises(ValueError, match=text):
        history.stream(**{"ls_id": 1001, "checkpoint": day(19), "tenant": "tenant1"} | arguments)


# --- backups ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_backup_sets_of_every_build(make_box, connect, profile):
    box = make_box(profile, start_time=NOW)
    client = connect(box)
    box.history.backup_set(2, day(2), day(2, 1))
    box.history.backup_set(3, day(3), day(3, 1), kind="incremental", restore_point=day(3, 2), replay_from=day(2, 23))
    box.history.backup_set(5, day(4), day(4, 1), status="FAILED", comment="disk")
    box.history.backup_set(6, day(5), day(5, 1), file_status="EXPIRED", plus_archivelog=True, tenant="tenant1")
    rows = client.rows(SETS)
    assert [(r["BACKUP_SET_ID"], r["BACKUP_TYPE"], r["STATUS"], r["FILE_STATUS"]) for r in rows] == [
        (2, "FULL", "SUCCESS", "AVAILABLE"), (3, "INC", "SUCCESS", "AVAILABLE"), (5, "FULL", "FAILED", "INCOMPLETE"),
        (6, "FULL", "SUCCESS", "EXPIRED"),
    ]  # fmt: skip
    assert [(r["PREV_FULL_BACKUP_SET_ID"], r["PREV_INC_BACKUP_SET_ID"]) for r in rows] == [
        (0, 0),
        (2, 2),
        (0, 0),
        (0, 0),
    ]
    scns = "SELECT BACKUP_SET_ID, SCN_TO_TIMESTAMP(START_REPLAY_SCN), SCN_TO_TIMESTAMP(MIN_RESTORE_SCN)"
    assert client.tuples(f"{scns} FROM CDB_OB_BACKUP_SET_FILES WHERE TENANT_ID = 1002 AND BACKUP_SET_ID < 4") == [
        (2, day(2), day(2, 1)), (3, day(2, 23), day(3, 2)),
    ]  # fmt: skip
    assert (rows[2]["MIN_RESTORE_SCN"], rows[2]["COMMENT"], rows[3]["PLUS_ARCHIVELOG"]) == (0, "disk", "ON")
    jobs = client.tuples(
        "SELECT JOB_ID, BACKUP_SET_ID, JOB_LEVEL, STATUS, RESULT FROM CDB_OB_BACKUP_JOB_HISTORY "
        "WHERE TENANT_ID = 1002 ORDER BY 1"
    )
    failure = -4016 if profile in {"4.2.5", "4.3.3"} else 4016
    assert jobs == [
        (1, 2, "USER_TENANT", "COMPLETED", 0), (2, 3, "USER_TENANT", "COMPLETED", 0),
        (3, 5, "USER_TENANT", "FAILED", failure), (4, 6, "USER_TENANT", "COMPLETED", 0),
    ]  # fmt: skip
    tasks = "SELECT STATUS, COUNT(*) FROM CDB_OB_BACKUP_TASK_HISTORY GROUP BY STATUS ORDER BY 1"
    assert client.tuples(tasks) == [("COMPLETED", 5), ("FAILED", 2)]
    assert client.value("SELECT COUNT(*) FROM CDB_OB_BACKUP_JOBS") == 0
    path = "SELECT VALUE FROM CDB_OB_BACKUP_PARAMETER WHERE TENANT_ID = 1002"
    assert client.value(path) == rows[0]["PATH"] == "file:///data/nfs/backup/tenant1/data"


def test_a_set_that_is_being_made_goes_on(history, box, client):
    history.round(1, day(1))
    history.backup_set(7, NOW - timedelta(minutes=1), status="DOING", tenant="tenant1")
    (row,) = client.rows(SETS)
    assert (row["STATUS"], row["FILE_STATUS"], row["END_TIMESTAMP"]) == ("DOING", "COPYING", None)
    running = "SELECT BACKUP_SET_ID, STATUS FROM CDB_OB_BACKUP_JOBS"
    assert client.tuples(running) == [(7, "DOING")]
    box.advance(60)
    (row,) = client.rows(SETS)
    assert (row["STATUS"], row["FILE_STATUS"]) == ("SUCCESS", "AVAILABLE")
    assert client.tuples(running) == []
    client.do("ALTER SYSTEM BACKUP INCREMENTAL TENANT = tenant1")
    box.advance(60)
    assert [(r["BACKUP_SET_ID"], r["BACKUP_TYPE"]) for r in client.rows(SETS)] == [(7, "FULL"), (8, "INC")]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"set_id": 0}, "set_id is an integer of at least 1"),
        ({"set_id": 1}, "set_id 1 is taken; free from 2"),
        ({"kind": "half"}, "kind is one of full, incremental, not 'half'"),
        ({"status": "COMPLETED"}, "status is one of SUCCESS, FAILED, DOING"),
        ({"status": "DOING"}, "end of a set that is DOING is None"),
        ({"end": None}, "end is the cluster's local time"),
        ({"end": day(1)}, "end is between"),
        ({"file_status": "GONE"}, "file_status is one of"),
        ({"restore_point": NOW + DAY}, "restore_point is between any time and 2024-06-21 08:00:00"),
        ({"replay_from": day(4)}, "replay_from is up to restore_point, 2024-06-03 00:00:00, not 2024-06-04 00:00:00"),
        ({"tenant": "nobody"}, "no user tenant"),
    ],
)
def test_backup_sets_that_cannot_be(history, client, arguments, text):
    history.backup_set(1, day(1), day(2))
    with pytest.raises(ValueError, match=text):
        history.backup_set(**{"set_id": 2, "start": day(2), "end": day(3)} | arguments)
    assert len(client.rows(SETS)) == 1


def test_clean_jobs(history, client):
    history.policy("7d", tenant="tenant1")
    history.clean_job(day(3), tenant="tenant1")
    history.clean_job(day(4), tenant="tenant1", status="FAILED", result=-9026, comment="no")
    history.clean_job(NOW, status="DOING")
    columns = "JOB_ID, TYPE, PARAMETER, START_TIMESTAMP, END_TIMESTAMP, STATUS, RESULT, COMMENT"
    view = f"SELECT {columns} FROM CDB_OB_BACKUP_DELETE_"
    minute = timedelta(minutes=1)
    what = ("DELETE OBSOLETE BACKUP", "RECOVERY_WINDOW=7d")
    assert client.tuples(f"{view}JOB_HISTORY ORDER BY 1") == [
        (1, *what, day(3), day(3) + minute, "COMPLETED", 0, ""),
        (2, *what, day(4), day(4) + minute, "FAILED", -9026, "no"),
    ]  # fmt: skip
    assert client.tuples(f"{view}JOBS WHERE TENANT_ID = 1002") == [(3, *what, NOW, None, "DOING", 0, "")]
    for arguments, text in (({"at": NOW + DAY}, "at is between"), ({"at": NOW, "status": "OK"}, "one of COMPLETED")):
        with pytest.raises(ValueError, match=text):
            history.clean_job(**arguments)


def test_policies(history, client):
    history.policy("7d")
    history.policy("14d", tenant="tenant2")
    sql = "SELECT * FROM CDB_OB_BACKUP_DELETE_POLICY ORDER BY 1"
    assert client.tuples(sql) == [(1002, "default", "7d"), (1004, "default", "14d")]
    history.policy(None, tenant="tenant1")
    assert client.tuples(sql) == [(1004, "default", "14d")]
    with pytest.raises(ValueError, match="window is a time such as 7d, or None, not 'long'"):
        history.policy("long")


def test_storage_checks(history, client):
    history.round(1, day(1))
    history.backup_set(1, day(2), day(3))
    history.storage_check(day(20), tenant="tenant1")
    history.storage_check(None, tenant="tenant2")
    rows = client.tuples(
        "SELECT TENANT_ID, DEST_TYPE, LAST_CHECK_TIMESTAMP FROM CDB_OB_BACKUP_STORAGE_INFO ORDER BY 1, 2"
    )
    created = NOW - DAY
    assert rows == [
        (1002, "archive_log", day(20)), (1002, "backup_data", created), (1004, "backup_data", created),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="at is between"):
        history.storage_check(NOW + DAY)


# --- log disks --------------------------------------------------------------------------------------------------------


def used(client, tenant_id=1002):
    columns = "MIN(LOG_DISK_IN_USE), MAX(LOG_DISK_IN_USE), MAX(LOG_DISK_SIZE)"
    low, high, size = client.tuples(f"SELECT {columns} FROM GV$OB_UNITS WHERE TENANT_ID = {tenant_id}")[0]
    assert low == high, "all units of a tenant are alike"
    return high, size


def test_units(box, client, connect):
    rows = client.rows("SELECT * FROM GV$OB_UNITS ORDER BY TENANT_ID, SVR_IP")
    assert [r["TENANT_ID"] for r in rows] == [n for n in (1, 1001, 1002, 1003, 1004) for _ in range(3)]
    assert list(rows[0]) == [
        "SVR_IP",
        "SVR_PORT",
        "UNIT_ID",
        "TENANT_ID",
        "ZONE",
        "ZONE_TYPE",
        "REGION",
        "MAX_CPU",
        "MIN_CPU",
        "MEMORY_SIZE",
        "MAX_IOPS",
        "MIN_IOPS",
        "IOPS_WEIGHT",
        "LOG_DISK_SIZE",
        "LOG_DISK_IN_USE",
        "DATA_DISK_IN_USE",
        "STATUS",
        "CREATE_TIME",
    ]
    units = client.tuples("SELECT COUNT(DISTINCT UNIT_ID), COUNT(*) FROM GV$OB_UNITS")
    assert units == [(9, 15)], "a meta tenant is in the unit of its tenant"
    own = connect(box, "root@tenant1")
    assert own.tuples("SELECT DISTINCT TENANT_ID FROM GV$OB_UNITS") == [(1002,)]
    box.faults.dead_servers = {0}
    assert client.value("SELECT COUNT(*) FROM GV$OB_UNITS") == 10


@pytest.mark.parametrize(("binding", "limit"), [("OPTIONAL", 80), ("MANDATORY", 95)])
def test_a_log_disk_fills_while_nothing_is_archived(history, box, client, binding, limit):
    client.do(f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///x BINDING={binding}' TENANT = tenant1")
    history.round(1, day(1), tenant="tenant1")
    history.log_disk(5 * GIB, 10 * GIB, tenant="tenant1")
    assert used(client) == (5 * GIB, 10 * GIB)
    box.advance(86400)
    assert used(client) == (5 * GIB, 10 * GIB), "healthy"
    box.faults.frozen_checkpoint = True
    box.advance(3600)
    after_an_hour = used(client)[0]
    assert 5 * GIB < after_an_hour < 6 * GIB
    box.advance(3600)
    assert after_an_hour < used(client)[0]
    box.advance(86400)
    assert used(client)[0] == 10 * GIB * limit // 100
    other = used(client, 1004)
    box.faults.frozen_checkpoint = False
    box.advance(300)
    assert used(client) == (5 * GIB, 10 * GIB)
    assert used(client, 1004) == other, "it doesn't archive"


def test_a_log_disk_that_is_full_of_what_is_not_archived(history, box, client):
    history.round(1, day(1), status="INTERRUPTED", checkpoint=day(10))
    history.log_disk(9 * GIB, 10 * GIB)
    assert used(client) == used(client, 1004) == (9 * GIB, 10 * GIB)
    box.advance(3600)
    assert used(client)[0] == 9 * GIB, "past the threshold already"
    for in_use, size, text in ((-1, 5, "in_use is an integer from 0 to 5"), (6, 5, "from 0 to 5"), (0, 0, "size is")):
        with pytest.raises(ValueError, match=text):
            history.log_disk(in_use, size)


def test_a_round_that_cannot_be_prepared_fills_the_disk_too(history, box, client):
    history.round(1, NOW - timedelta(hours=2), status="PREPARE", tenant="tenant1")
    before = used(client)
    assert before[0] == before[1] * 45 // 100


@pytest.mark.parametrize("profile", PROFILES)
def test_parameters_of_the_log_disk(make_box, connect, profile):
    client = connect(make_box(profile))
    names = "'log_disk_utilization_threshold', 'log_disk_utilization_limit_threshold'"
    rows = client.tuples(
        f"SELECT DISTINCT TENANT_ID, NAME, VALUE FROM GV$OB_PARAMETERS WHERE NAME IN ({names}) ORDER BY 1, 2"
    )
    assert rows == [
        (tenant, f"log_disk_utilization_{name}", value)
        for tenant in (1, 1002, 1004)
        for name, value in (("limit_threshold", "95"), ("threshold", "80"))
    ]
    client.do("ALTER SYSTEM SET log_disk_utilization_threshold = 70 TENANT = tenant1")
    assert client.error("ALTER SYSTEM SET log_disk_utilization_threshold = 5 TENANT = tenant1")[0] == 4147


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_clear(history, box, client):
    history.round(1, day(1), day(2))
    history.round(2, day(3))
    history.backup_set(1, day(2), day(3))
    history.backup_set(2, NOW, status="DOING")
    history.clean_job(day(3))
    history.policy("7d")
    client.do("ALTER SYSTEM SET archive_lag_target = '60s' TENANT = tenant1")
    box.advance(1)
    history.clear()
    views = (
        "ARCHIVELOG", "ARCHIVELOG_SUMMARY", "ARCHIVELOG_PIECE_FILES", "LS_LOG_ARCHIVE_PROGRESS", "BACKUP_SET_FILES",
        "BACKUP_JOBS", "BACKUP_TASKS", "BACKUP_JOB_HISTORY", "BACKUP_TASK_HISTORY", "BACKUP_DELETE_JOB_HISTORY",
    )  # fmt: skip
    assert {view: client.value(f"SELECT COUNT(*) FROM CDB_OB_{view}") for view in views} == dict.fromkeys(views, 0)
    assert client.value("SELECT COUNT(*) FROM DBA_OB_ROOTSERVICE_EVENT_HISTORY WHERE MODULE = 'log_archive'") == 0
    assert client.value("SELECT COUNT(*) FROM CDB_OB_ARCHIVE_DEST") == 10
    assert client.value("SELECT COUNT(*) FROM CDB_OB_BACKUP_DELETE_POLICY") == 2
    assert client.value("SELECT LOG_MODE FROM DBA_OB_TENANTS WHERE TENANT_ID = 1002") == "ARCHIVELOG"
    box.advance(200)
    rows = client.tuples("SELECT ROUND_ID, STATUS, BASE_PIECE_ID FROM CDB_OB_ARCHIVELOG")
    assert rows == [(1, "DOING", 1)] * 2, "the mode has stayed"
    assert client.rows(SETS) == [], "the job that ran is gone for good"
    history.clear()
    history.round(7, day(1), day(2))
    box.advance(200)
    assert [r["ROUND_ID"] for r in client.rows(SUMMARY)] == [7]


def test_a_backup_from_sys_that_is_cleared_away(history, box, client):
    history.round(1, day(1))
    for tenant in ("tenant1", "tenant2"):
        client.do(f"ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/{tenant}' TENANT = {tenant}")
    client.do("ALTER SYSTEM BACKUP DATABASE")
    history.clear()
    box.advance(120)
    assert client.value("SELECT COUNT(*) FROM CDB_OB_BACKUP_JOB_HISTORY") <= 2
    assert client.value("SELECT COUNT(*) FROM CDB_OB_BACKUP_JOBS") == 0


def test_events(history, client):
    history.event(day(2), "backup_data", "second", tenant_id=1002, result=-4016)
    history.event(day(1), "log_archive", "first")
    rows = client.tuples(
        "SELECT TIMESTAMP, MODULE, EVENT, NAME1, VALUE1, NAME2, VALUE2 FROM DBA_OB_ROOTSERVICE_EVENT_HISTORY LIMIT 2"
    )
    assert rows == [
        (day(1), "log_archive", "first", "", "", "", ""),
        (day(2), "backup_data", "second", "tenant_id", "1002", "result", "-4016"),
    ]
    with pytest.raises(ValueError, match="up to 6 values, not 7"):
        history.event(day(1), "m", "e", a=1, b=2, c=3, d=4, e=5, f=6, g=7)
    with pytest.raises(ValueError, match="at is between"):
        history.event(NOW + DAY, "m", "e")


def test_incarnation(history, client):
    history.round(1, day(19), day(20))
    history.round(2, day(20))
    history.incarnation(2)
    for view in ("ARCHIVELOG", "ARCHIVELOG_SUMMARY", "ARCHIVELOG_PIECE_FILES", "LS_LOG_ARCHIVE_PROGRESS"):
        assert client.tuples(f"SELECT DISTINCT INCARNATION FROM CDB_OB_{view}") == [(2,)]
    with pytest.raises(ValueError, match="incarnation is an integer of at least 1"):
        history.incarnation(0)


def test_renumber(history, client):
    history.round(1, day(1))
    history.log_disk(1, 2)
    history.renumber("tenant1", 1010)
    ids = client.tuples("SELECT TENANT_NAME, TENANT_ID FROM DBA_OB_TENANTS WHERE TENANT_TYPE = 'USER' ORDER BY 1")
    assert ids == [("tenant1", 1010), ("tenant2", 1004)]
    assert client.tuples("SELECT TENANT_ID FROM CDB_OB_ARCHIVELOG") == [(1004,)], "it has no past"
    history.round(1, day(20), tenant="tenant1")
    assert client.value("SELECT COUNT(*) FROM CDB_OB_ARCHIVELOG_PIECE_FILES WHERE TENANT_ID = 1010") == 2
    for tenant, number, text in (
        ("tenant1", 1010, "at least 1012"), ("tenant1", 1013, "is even"), ("sys", 1014, "no user tenant"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=text):
            history.renumber(tenant, number)


def test_history_over_sql(client):
    def put(name, arguments):
        return client.do(f"SANDBOX HISTORY {name} {json.dumps(arguments)}")

    put("round", {"round_id": 1, "start": "2024-06-01 00:00:00", "end": "2024-06-03T00:00:00"})
    put("ROUND", [2, "2024-06-18T00:00:00"])
    put("piece", {"piece_id": 2, "checkpoint": "2024-06-02 12:00:00", "file_status": "BROKEN"})
    put("backup_set", [1, "2024-06-02", "2024-06-03"])
    put("event", {"at": "2024-06-01", "module": "m", "event": "e", "start": "2024-06-02"})
    put("log_disk", [5, 10])
    put("policy", {"window": "3d", "tenant": "tenant1"})
    assert [(r["ROUND_ID"], r["STATUS"]) for r in client.rows(SUMMARY)] == [(1, "STOP"), (2, "DOING")]
    piece = client.rows(PIECES)[1]
    assert (piece["FILE_STATUS"], piece["CHECKPOINT_SCN_DISPLAY"]) == ("BROKEN", day(2, 12))
    assert client.rows(SETS)[0]["END_TIMESTAMP"] == day(3)
    assert client.value("SELECT VALUE1 FROM DBA_OB_ROOTSERVICE_EVENT_HISTORY WHERE MODULE = 'm'") == "2024-06-02"
    assert used(client) == (5, 10)
    assert client.value("SELECT RECOVERY_WINDOW FROM CDB_OB_BACKUP_DELETE_POLICY") == "3d"
    client.do("SANDBOX HISTORY clear")
    assert client.rows(SUMMARY) == []


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("nothing {}", "no history called 'nothing'; known: backup_set, clean_job, clear, event,"),
        ("run {}", "no history called 'run'"),
        ("round {}", "missing 2 required positional arguments"),
        ('round {"round_id": 1, "start": "soon"}', "Invalid isoformat string"),
        ('round {"round_id": 0, "start": "2024-06-01"}', "round_id is an integer of at least 1, not 0"),
        ("clear [1]", "clear takes 0 arguments in a list, not 1"),
        ('round {"round_id" 1}', "Expecting ':' delimiter"),
    ],
)
def test_history_over_sql_that_cannot_be(client, statement, text):
    errno, message = client.error(f"SANDBOX HISTORY {statement}")
    assert errno == 1210
    assert text in message
    assert client.error("SANDBOX HISTORY")[0] == 1064


def test_a_thousand_tenants(make_box, connect):
    """365 pieces and 30 sets each; seconds, not minutes."""
    box = make_box("4.2.5", tenants=1000, start_time=NOW)
    client = connect(box)
    start = NOW - timedelta(days=364, hours=1)
    box.history.round(1, start)
    for number in range(1, 31):
        at = start + number * 10 * DAY
        box.history.backup_set(number, at, at + timedelta(hours=1))
    rows = client.tuples(
        "SELECT TENANT_ID, ROUND_ID, COUNT(*), MIN(PIECE_ID), MAX(PIECE_ID) "
        "FROM oceanbase.CDB_OB_ARCHIVELOG_PIECE_FILES GROUP BY TENANT_ID, ROUND_ID"
    )
    assert (len(rows), set(rows[0][1:4])) == (1000, {1, 365})
    assert {row[2:] for row in rows} == {(365, 1, 365)}
    assert client.value("SELECT COUNT(*) FROM CDB_OB_BACKUP_SET_FILES") == 30_000
