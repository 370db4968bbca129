"""Pieces of a round, and the back door that puts an archive into a state."""

from __future__ import annotations

from datetime import timedelta

import pytest

ON, OFF = "ALTER SYSTEM ARCHIVELOG TENANT = tenant1", "ALTER SYSTEM NOARCHIVELOG TENANT = tenant1"
PIECES = "SELECT * FROM CDB_OB_ARCHIVELOG_PIECE_FILES WHERE TENANT_ID = 1002 ORDER BY ROUND_ID, PIECE_ID"
DAY = timedelta(days=1)


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_first_piece(archive):
    archive.box.force_status("BEGINNING", "tenant1")
    (piece,) = archive.client.rows(PIECES)
    assert (piece["STATUS"], piece["FILE_STATUS"]) == ("ACTIVE", "INCOMPLETE")
    assert piece["START_SCN"] == archive.row()["START_SCN"]
    assert piece["END_SCN"] - piece["START_SCN"] == 86400 * 10**9
    archive.box.advance(30)
    (piece,) = archive.client.rows(PIECES)
    assert (piece["STATUS"], piece["FILE_STATUS"]) == ("ACTIVE", "AVAILABLE")
    assert piece["CHECKPOINT_SCN"] == archive.row()["CHECKPOINT_SCN"]
    assert piece["MAX_SCN"] >= piece["CHECKPOINT_SCN"]


def test_pieces_roll(make_archive):
    archive = make_archive("4.2.5")
    archive.client.do(archive.set(value="LOCATION=file:///x PIECE_SWITCH_INTERVAL=2d"))
    archive.client.do(ON)
    archive.box.advance(200)
    start = archive.row()["START_SCN_DISPLAY"]
    archive.box.advance(5 * 86400)
    pieces = archive.client.rows(PIECES)
    assert [p["PIECE_ID"] for p in pieces] == [1, 2, 3]
    assert [p["STATUS"] for p in pieces] == ["FROZEN", "FROZEN", "ACTIVE"]
    assert [p["START_SCN_DISPLAY"] for p in pieces] == [start, start + 2 * DAY, start + 4 * DAY]
    assert [p["END_SCN_DISPLAY"] for p in pieces] == [start + 2 * DAY, start + 4 * DAY, start + 6 * DAY]
    assert all(p["CHECKPOINT_SCN"] <= p["MAX_SCN"] < p["END_SCN"] for p in pieces)
    row = archive.row()
    assert (row["BASE_PIECE_ID"], row["USED_PIECE_ID"]) == (1, 3)
    assert row["PIECE_SWITCH_INTERVAL"] == 2 * 86400 * 10**6, "microseconds"
    assert archive.destination()["piece_switch_interval"] == "2d", "text"
    assert row["INPUT_BYTES"] == sum(p["INPUT_BYTES"] for p in pieces)
    assert row["INPUT_BYTES_DISPLAY"].endswith("GB")
    progress = archive.client.tuples("SELECT LS_ID, PIECE_ID FROM CDB_OB_LS_LOG_ARCHIVE_PROGRESS")
    assert len(progress) == 6

    archive.client.do(OFF)
    archive.box.advance(100)
    last = archive.client.rows(PIECES)[-1]
    assert (last["STATUS"], last["FILE_STATUS"]) == ("FROZEN", "AVAILABLE")
    assert last["END_SCN"] == archive.row()["CHECKPOINT_SCN"]
    archive.client.do(ON)
    archive.box.advance(100)
    assert archive.row()["BASE_PIECE_ID"] == 4


def test_a_new_piece_is_incomplete_first(make_archive):
    archive = make_archive("4.2.1", tenants=1)
    archive.start()
    archive.box.advance(86400 - 250)
    seen = []
    for _ in range(250):
        archive.box.advance(2)
        states = [p["FILE_STATUS"] for p in archive.client.rows(PIECES)]
        if states not in seen:
            seen.append(states)
    assert seen[0] == ["AVAILABLE"]
    assert seen[-1] == ["AVAILABLE", "AVAILABLE"]
    assert ["AVAILABLE", "INCOMPLETE"] in seen


# --- force_status -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "mode", "state"),
    [
        ("PREPARE", "ARCHIVELOG", "ENABLE"), ("BEGINNING", "ARCHIVELOG", "ENABLE"), ("DOING", "ARCHIVELOG", "ENABLE"),
        ("INTERRUPTED", "ARCHIVELOG", "ENABLE"), ("SUSPENDING", "ARCHIVELOG", "DEFER"),
        ("SUSPEND", "ARCHIVELOG", "DEFER"), ("STOPPING", "NOARCHIVELOG", "ENABLE"), ("STOP", "NOARCHIVELOG", "ENABLE"),
    ],
)  # fmt: skip
def test_force_status(archive, status, mode, state):
    for _ in range(2):
        archive.box.force_status(status)
        assert {archive.status("tenant1"), archive.status("tenant2")} == {status}
        assert archive.mode() == mode
        assert archive.destination()["state"] == state
        assert archive.destination()["path"] == "file:///data/nfs/backup/tenant1/archive"
        row = archive.row()
        assert bool(row["START_SCN"]) is (status != "PREPARE")
        assert (row["COMMENT"] != "") is (status == "INTERRUPTED")
        pieces = archive.client.rows(PIECES)
        assert (pieces[-1]["STATUS"] == "FROZEN") is (status == "STOP") if status != "PREPARE" else True
    settled = {"PREPARE": "DOING", "BEGINNING": "DOING", "SUSPENDING": "SUSPEND", "STOPPING": "STOP"}
    archive.box.advance(30)
    assert archive.status() == settled.get(status, status), "and the scheduler goes on from there"


def test_force_status_through_all_states(archive):
    box = archive.box
    states = ("DOING", "STOP", "SUSPEND", "DOING", "INTERRUPTED", "DOING", "STOPPING", "STOP", "STOP", "BEGINNING")
    for status in states:
        box.force_status(status, "tenant1")
        assert archive.status() == status
        assert archive.status("tenant2") == ""
    box.force_status("NONE", "tenant1")
    assert (archive.row(), archive.mode(), archive.client.rows(PIECES)) == ({}, "NOARCHIVELOG", [])
    box.force_status("NOARCHIVELOG")
    with pytest.raises(ValueError, match="unknown status 'PAUSED'"):
        box.force_status("PAUSED")
    with pytest.raises(ValueError, match="no user tenant"):
        box.force_status("DOING", "nobody")


def test_force_keeps_a_given_destination(archive):
    archive.client.do(archive.set(value="LOCATION=file:///mine BINDING=MANDATORY"))
    archive.box.force_status("DOING", "tenant1")
    assert archive.row()["PATH"] == "file:///mine"
    assert archive.destination()["binding"] == "MANDATORY"
