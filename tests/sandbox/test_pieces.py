"""Backup pieces with and without splitting, and the texts of their times."""

from __future__ import annotations

from datetime import datetime

import pytest

PIECES = "SELECT * FROM CDB_OB_BACKUP_PIECE_FILES ORDER BY TENANT_ID, ROUND_ID, BACKUP_PIECE_ID"
SPLIT = "log_archive_checkpoint_interval=5s&log_archive_piece_switch_interval=1d"
DAY = 86400


def test_columns_of_a_frozen_piece_without_splitting(make_box, connect):
    box = make_box(start_time=datetime.fromisoformat("2022-10-28 10:58:38"))
    client = connect(box)
    client.start()
    client.stop()
    row = client.rows(PIECES)[1]
    assert list(row) == [
        "INCARNATION", "TENANT_ID", "ROUND_ID", "BACKUP_PIECE_ID", "COPY_ID", "CREATE_DATE", "START_TS",
        "CHECKPOINT_TS", "MAX_TS", "STATUS", "FILE_STATUS", "COMPATIBLE", "START_PIECE_ID",
    ]  # fmt: skip
    plain = {key: value for key, value in row.items() if not key.endswith("_TS")}
    assert tuple(plain.values()) == (1, 1001, 1, 0, 0, 20221028, "FROZEN", "AVAILABLE", 1, 0)
    for key in ("START_TS", "CHECKPOINT_TS", "MAX_TS"):
        assert datetime.fromisoformat(row[key]).strftime("%Y-%m-%d %H:%M:%S.%f") == row[key]


@pytest.mark.parametrize(
    ("profile", "follows"), [("2.2.77", False), ("3.1.2", False), ("3.1.5", True), ("3.2.4", True)]
)
def test_checkpoint_of_an_active_piece(make_box, connect, profile, follows):
    box = make_box(profile)
    client = connect(box)
    client.start()
    box.advance(300)
    pieces = client.rows(PIECES)
    assert {(p["STATUS"], p["MAX_TS"]) for p in pieces} == {("ACTIVE", "MAX")}
    published = {r["TENANT_ID"]: r["MAX_NEXT_TIME"] for r in client.rows("SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG")}
    for piece in pieces:
        assert piece["CHECKPOINT_TS"] == (published[piece["TENANT_ID"]] if follows else "")


def test_splitting(box, client):
    box.parameters["backup_dest_option"] = SPLIT
    client.start()
    first = client.rows("SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG")
    assert {(r["START_PIECE_ID"], r["BACKUP_PIECE_ID"]) for r in first} == {(1, 1)}
    box.advance(DAY - 60)
    assert {p["BACKUP_PIECE_ID"] for p in client.rows(PIECES)} == {1}

    for _ in range(100):
        box.advance(1)
        if len(client.rows(PIECES)) > 3:
            break
    switching = client.rows(
        "SELECT STATUS, START_TS, CHECKPOINT_TS, MAX_TS FROM CDB_OB_BACKUP_PIECE_FILES WHERE TENANT_ID=1"
    )
    assert [row["STATUS"] for row in switching] == ["FREEZING", "ACTIVE"]
    assert (switching[0]["MAX_TS"], switching[1]["START_TS"], switching[1]["CHECKPOINT_TS"]) == ("MAX", "", "")
    assert switching[0]["CHECKPOINT_TS"] != ""

    box.advance(3)
    for tenant in (1, 1001, 1002):
        old, new = client.rows(f"SELECT * FROM CDB_OB_BACKUP_PIECE_FILES WHERE TENANT_ID={tenant}")
        assert (old["STATUS"], old["BACKUP_PIECE_ID"], new["STATUS"], new["BACKUP_PIECE_ID"]) == (
            "FROZEN",
            1,
            "ACTIVE",
            2,
        )
        assert new["START_TS"] == old["MAX_TS"] >= old["CHECKPOINT_TS"]
        assert (new["START_PIECE_ID"], new["ROUND_ID"]) == (1, 1)
    rows = client.rows("SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG")
    assert {(r["START_PIECE_ID"], r["BACKUP_PIECE_ID"]) for r in rows} == {(1, 2)}

    frozen = client.rows(PIECES + " LIMIT 1")
    client.stop()
    assert client.rows(PIECES + " LIMIT 1") == frozen, "FROZEN never changes"
    client.start()
    assert {p["BACKUP_PIECE_ID"] for p in client.rows(PIECES) if p["ROUND_ID"] == 2} == {3}
    client.stop()
    client.do("ALTER SYSTEM SET backup_dest_option = ''")
    client.start()
    rows = client.rows("SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG")
    assert {(r["START_PIECE_ID"], r["BACKUP_PIECE_ID"]) for r in rows} == {(0, 3)}, "the id of the last splitting round"
    assert {p["BACKUP_PIECE_ID"] for p in client.rows(PIECES) if p["ROUND_ID"] == 3} == {0}


def test_no_switch_while_a_server_is_dead(box, client):
    box.parameters["backup_dest_option"] = SPLIT
    client.start()
    box.faults.dead_servers = {2}
    box.advance(DAY + 600)
    assert {p["BACKUP_PIECE_ID"] for p in client.rows(PIECES)} == {1}
    box.faults.dead_servers = set()
    box.advance(30)
    assert {p["BACKUP_PIECE_ID"] for p in client.rows(PIECES)} == {1, 2}


def test_tenant_that_joins_a_splitting_round(box, client):
    box.parameters["backup_dest_option"] = SPLIT
    client.start()
    box.advance(DAY + 60)
    box.create_tenant("late")
    box.advance(60)
    (piece,) = client.rows("SELECT * FROM CDB_OB_BACKUP_PIECE_FILES WHERE TENANT_ID = 1003")
    assert (piece["BACKUP_PIECE_ID"], piece["START_PIECE_ID"], piece["STATUS"]) == (2, 1, "ACTIVE")


def test_splitting_mode_is_fixed_while_archiving(box, client):
    refused = (1235, "change switch piece mode during log archive running is not supported")
    client.start()
    assert client.error(f"ALTER SYSTEM SET backup_dest_option = '{SPLIT}'") == refused
    assert client.do("ALTER SYSTEM SET backup_dest_option = 'log_archive_checkpoint_interval=30s'") == 0
    client.stop()
    assert client.do(f"ALTER SYSTEM SET backup_dest_option = '{SPLIT}'") == 0
    client.start()
    assert client.error("ALTER SYSTEM SET backup_dest_option = ''") == refused
    assert client.do(f"ALTER SYSTEM SET backup_dest_option = '{SPLIT.replace('1d', '7d')}'") == 0


def test_deleting_pieces_and_rounds(box, client):
    client.start()
    assert client.error("ALTER SYSTEM DELETE BACKUPROUND 1")[0] == 1235
    assert client.error("ALTER SYSTEM DELETE BACKUPPIECE 0 COPY 0")[0] == 1235
    client.stop()
    assert client.do("ALTER SYSTEM DELETE BACKUPROUND 1") == 0
    assert {p["FILE_STATUS"] for p in client.rows(PIECES)} == {"DELETED"}
    assert client.error("ALTER SYSTEM DELETE BACKUPPIECE 9")[0] == 4016
