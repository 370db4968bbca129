"""The archive scheduler of a tenant: states, decisions, times, pieces."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest

ON, OFF = "ALTER SYSTEM ARCHIVELOG TENANT = tenant1", "ALTER SYSTEM NOARCHIVELOG TENANT = tenant1"
DEFER = "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'DEFER' TENANT = tenant1"
ENABLE = "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE' TENANT = tenant1"
PIECES = "SELECT * FROM CDB_OB_ARCHIVELOG_PIECE_FILES WHERE TENANT_ID = 1002 ORDER BY ROUND_ID, PIECE_ID"
SUMMARY = "SELECT ROUND_ID, STATUS FROM CDB_OB_ARCHIVELOG_SUMMARY WHERE TENANT_ID = 1002 ORDER BY ROUND_ID"


# --- the whole life -----------------------------------------------------------------------------------------------


def test_life_of_two_rounds(archive):
    client, box = archive.client, archive.box
    archive.configure()
    client.do(ON)
    assert archive.mode() == "ARCHIVELOG"
    assert archive.row() == {}, "nothing has started yet"
    assert archive.watch(15) == ["", "PREPARE", "BEGINNING", "DOING"]
    first = archive.row()
    assert (first["ROUND_ID"], first["BASE_PIECE_ID"], first["USED_PIECE_ID"], first["DEST_ID"]) == (1, 1, 1, 1001)
    assert first["CHECKPOINT_SCN"] > first["START_SCN"]

    client.do(OFF)
    assert (archive.mode(), archive.status()) == ("NOARCHIVELOG", "DOING")
    assert archive.watch(10) == ["DOING", "STOPPING", "STOP"]
    assert client.tuples(SUMMARY) == [(1, "STOP")]
    assert archive.row()["ROUND_ID"] == 1, "the row stays"

    client.do(ON)
    assert archive.watch(15) == ["STOP", "PREPARE", "BEGINNING", "DOING"]
    second = archive.row()
    assert (second["ROUND_ID"], second["BASE_PIECE_ID"]) == (2, 2)
    assert client.tuples(SUMMARY) == [(1, "STOP"), (2, "DOING")]
    assert [(p["ROUND_ID"], p["PIECE_ID"], p["STATUS"]) for p in client.rows(PIECES)] == [
        (1, 1, "FROZEN"),
        (2, 2, "ACTIVE"),
    ]
    box.advance(100)
    assert archive.row("tenant2") == {}, "every tenant for itself"


def test_prepare_has_no_start(archive):
    archive.box.force_status("PREPARE", "tenant1")
    row = archive.row()
    assert (row["START_SCN"], row["START_SCN_DISPLAY"]) == (0, None)
    assert (row["CHECKPOINT_SCN"], row["CHECKPOINT_SCN_DISPLAY"]) == (0, None)
    assert archive.client.rows(PIECES) == []
    archive.client.do(OFF)
    assert archive.watch(10) == ["PREPARE", "BEGINNING", "STOPPING", "STOP"], "not honoured in PREPARE"


def test_archivelog_while_stopping_makes_a_new_round(archive):
    archive.start()
    archive.client.do(OFF)
    archive.box.advance(2)
    assert archive.status() == "STOPPING"
    archive.client.do(ON)
    assert archive.mode() == "ARCHIVELOG"
    assert archive.watch(20, step=0.5)[-4:] == ["STOP", "PREPARE", "BEGINNING", "DOING"]
    assert archive.row()["ROUND_ID"] == 2


def test_suspend_and_resume_in_the_same_round(archive):
    archive.start()
    before = archive.row()
    archive.client.do(DEFER)
    assert archive.watch(10) == ["DOING", "SUSPENDING", "SUSPEND"]
    assert archive.client.tuples(SUMMARY) == [(1, "SUSPEND")]
    archive.box.advance(600)
    assert archive.status() == "SUSPEND"
    suspended = archive.row()
    archive.client.do(ENABLE)
    assert archive.watch(10) == ["SUSPEND", "BEGINNING", "DOING"]
    archive.box.advance(200)
    after = archive.row()
    assert (after["ROUND_ID"], after["START_SCN"]) == (1, before["START_SCN"])
    assert after["CHECKPOINT_SCN"] > suspended["CHECKPOINT_SCN"] >= before["CHECKPOINT_SCN"]


def test_stop_of_a_suspended_round(archive):
    archive.box.force_status("SUSPEND", "tenant1")
    archive.client.do(OFF)
    assert archive.watch(10) == ["SUSPEND", "STOPPING", "STOP"]


def test_defer_in_beginning_waits_until_doing(archive):
    archive.box.faults.slow_start_seconds = 20
    archive.configure()
    archive.client.do(ON)
    archive.box.advance(6)
    archive.client.do(DEFER)
    assert archive.watch(40, step=0.5) == ["BEGINNING", "DOING", "SUSPENDING", "SUSPEND"]


def test_deferred_destination_is_never_started(archive):
    archive.configure()
    archive.client.do(DEFER)
    archive.client.do(ON)
    archive.box.advance(60)
    assert (archive.mode(), archive.status()) == ("ARCHIVELOG", "")
    archive.client.do(ENABLE)
    assert archive.watch(15)[-1] == "DOING"


# --- interruption -------------------------------------------------------------------------------------------------


def test_interrupted_never_heals(archive):
    client, box = archive.client, archive.box
    archive.start()
    box.interrupt("tenant1")
    streams = dict(client.tuples("SELECT LS_ID, STATUS FROM CDB_OB_LS_LOG_ARCHIVE_PROGRESS"))
    assert streams == {1: "DOING", 1001: "INTERRUPTED"}
    assert archive.watch(3)[-1] == "INTERRUPTED"
    row = archive.row()
    assert row["COMMENT"] == "log stream 1001 interrupted"
    client.do(DEFER)
    client.do(ENABLE)
    client.do(ON)
    box.advance(3600)
    assert archive.row() == row
    client.do(DEFER)
    box.advance(60)
    assert archive.status() == "INTERRUPTED"
    client.do(ENABLE)
    client.do(OFF)
    assert archive.watch(10) == ["INTERRUPTED", "STOPPING", "STOP"]
    client.do(ON)
    assert archive.watch(15)[-1] == "DOING"
    again = archive.row()
    assert (again["ROUND_ID"], again["COMMENT"]) == (2, "")
    assert again["START_SCN"] > row["CHECKPOINT_SCN"], "a gap"


def test_interrupted_while_beginning(archive):
    archive.box.faults.slow_start_tenants = {"tenant1": 30}
    archive.configure("tenant1", "tenant2")
    archive.client.do("ALTER SYSTEM ARCHIVELOG")
    archive.box.advance(8)
    assert (archive.status("tenant1"), archive.status("tenant2")) == ("BEGINNING", "DOING")
    archive.box.interrupt("tenant1", ls_id=1)
    assert archive.watch(4)[-1] == "INTERRUPTED"
    assert archive.row()["COMMENT"] == "log stream 1 interrupted"


def test_4_2_1_suspends_an_interrupted_round_in_vain(make_archive):
    archive = make_archive("4.2.1")
    archive.start()
    archive.box.interrupt("tenant1")
    archive.box.advance(4)
    archive.client.do(DEFER)
    assert archive.watch(10) == ["INTERRUPTED", "SUSPENDING", "SUSPEND"]
    archive.client.do(ENABLE)
    assert archive.watch(20) == ["SUSPEND", "BEGINNING", "INTERRUPTED"]


def test_interrupt_of_nothing(box):
    with pytest.raises(ValueError, match="archives no log stream 1001 now"):
        box.interrupt("tenant1")
    with pytest.raises(ValueError, match="no user tenant called 'sys'"):
        box.interrupt("sys")
    box.force_status("DOING")
    with pytest.raises(ValueError, match="no log stream 7"):
        box.interrupt("tenant1", 7)


# --- times --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "start", "stop"),
    [("4.0.0", 8, 5), ("4.1.0", 8, 6), ("4.2.1", 8, 6), ("4.2.5", 80, 70), ("4.3.3", 25, 15)],
)
def test_how_long_it_takes(make_archive, profile, start, stop):
    archive = make_archive(profile)
    archive.box.advance(75)
    archive.configure()
    archive.box.advance(7)
    archive.client.do(ON)
    before = archive.box.now
    while archive.status() != "DOING":
        archive.box.advance(0.5)
        assert archive.box.now - before < timedelta(seconds=start)
    if profile == "4.2.5":
        assert archive.box.now - before > timedelta(seconds=40), "nothing wakes the scheduler"
    before = archive.box.now
    archive.box.advance(1)
    archive.client.do(OFF)
    while archive.status() != "STOP":
        archive.box.advance(0.5)
        assert archive.box.now - before < timedelta(seconds=stop)


@pytest.mark.parametrize(
    ("statement", "woken"),
    [("TENANT = tenant1", {"tenant1"}), ("TENANT = tenant1, tenant2", set()), ("TENANT = ALL", set()), ("", set())],
)
def test_4_3_3_wakes_exactly_one_tenant(make_archive, statement, woken):
    archive = make_archive("4.3.3")
    archive.configure("tenant1", "tenant2")
    archive.box.advance(5)
    archive.client.do(f"ALTER SYSTEM ARCHIVELOG {statement}")
    archive.box.advance(1)
    assert {name for name in ("tenant1", "tenant2") if archive.status(name)} == woken


def test_4_3_3_wakes_the_tenant_that_asks(make_archive, connect):
    archive = make_archive("4.3.3")
    archive.configure()
    archive.box.advance(5)
    connect(archive.box, "root@tenant1").do("ALTER SYSTEM ARCHIVELOG")
    archive.box.advance(1)
    assert archive.status() == "PREPARE"


@pytest.mark.parametrize(("profile", "pause"), [("4.2.1", 2), ("4.2.5", 50), ("4.3.3", 50)])
def test_the_checkpoint_moves_at_ticks(make_archive, profile, pause):
    archive = make_archive(profile)
    archive.start()
    archive.client.do("ALTER SYSTEM SET archive_lag_target = '0ms' TENANT = tenant1")
    archive.box.advance(60)
    moves, last = [], archive.row()["CHECKPOINT_SCN"]
    for second in range(201):
        archive.box.advance(1)
        now = archive.row()["CHECKPOINT_SCN"]
        assert now >= last
        if now > last:
            moves.append(second)
        last = now
    gaps = {b - a for a, b in itertools.pairwise(moves)}
    assert gaps == {pause}


@pytest.mark.parametrize("lag", ["1s", "20s", "120s", "600s"])
def test_the_checkpoint_lags_by_the_target(archive, lag):
    client, box = archive.client, archive.box
    archive.start()
    client.do(f"ALTER SYSTEM SET archive_lag_target = '{lag}' TENANT = tenant1")
    box.advance(700)
    seconds = int(lag[:-1])
    behind = "SELECT TRUNCATE((TIME_TO_USEC(NOW(6)) - CHECKPOINT_SCN / 1000) / 1000000, 4) FROM CDB_OB_ARCHIVELOG"
    seen = []
    for _ in range(80):
        box.advance(max(1.0, seconds / 20))
        seen.append(float(client.value(behind)))
    assert min(seen) >= 0
    assert max(seen) <= seconds + 2.1
    assert max(seen) >= seconds * 0.6


def test_tick_seconds_must_be_positive(make_box):
    with pytest.raises(ValueError, match="positive"):
        make_box("4.2.5", tick_seconds=0)


# --- dead media -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"tenant1"}, ["1002"], True])
def test_dead_medium_in_doing(archive, fault):
    archive.start("tenant1", "tenant2")
    archive.box.faults.dead_medium = fault
    archive.box.advance(5)
    before = {name: archive.row(name)["CHECKPOINT_SCN"] for name in ("tenant1", "tenant2")}
    archive.box.advance(3600)
    row = archive.row()
    assert (row["STATUS"], row["COMMENT"], row["CHECKPOINT_SCN"]) == ("DOING", "", before["tenant1"])
    assert (archive.row("tenant2")["CHECKPOINT_SCN"] > before["tenant2"]) is (fault is not True)
    archive.box.faults.dead_medium = False
    archive.box.advance(200)
    assert archive.row()["CHECKPOINT_SCN"] > before["tenant1"]


@pytest.mark.parametrize(("profile", "ended"), [("4.1.0", False), ("4.2.1", False), ("4.2.5", True), ("4.3.3", True)])
def test_stopping_on_a_dead_medium(make_archive, profile, ended):
    archive = make_archive(profile)
    archive.start()
    archive.box.faults.dead_medium = True
    archive.client.do(OFF)
    archive.box.advance(60)
    assert archive.status() == "STOPPING"
    archive.box.advance(480)
    assert archive.status() == "STOPPING"
    archive.box.advance(130)
    row = archive.row()
    if ended:
        assert (row["STATUS"], row["COMMENT"]) == ("STOP", "force stop, result: -4009(IO error)")
        return
    assert (row["STATUS"], row["COMMENT"]) == ("STOPPING", "")
    archive.box.advance(24 * 3600)
    assert archive.status() == "STOPPING"
    archive.box.faults.dead_medium = False
    archive.box.advance(5)
    assert (archive.status(), archive.row()["COMMENT"]) == ("STOP", "")


def test_suspending_and_beginning_on_a_dead_medium(archive):
    archive.start()
    archive.box.faults.destination_unwritable = True
    archive.client.do(DEFER)
    archive.box.advance(24 * 3600)
    assert archive.status() == "SUSPENDING", "it hangs, and nothing forces it"
    archive.box.faults.reset()
    archive.box.advance(5)
    assert archive.status() == "SUSPEND"
    archive.box.faults.dead_medium = "tenant1"
    archive.client.do(ENABLE)
    archive.box.advance(600)
    assert archive.status() == "BEGINNING"


def test_frozen_from_the_start(archive):
    archive.box.faults.frozen_checkpoint = True
    archive.configure()
    archive.client.do(ON)
    archive.box.advance(20)
    row = archive.row()
    assert (row["STATUS"], row["CHECKPOINT_SCN"] > row["START_SCN"]) == ("DOING", True)
    archive.box.advance(600)
    assert archive.row() == row


def test_a_dead_server_holds_up_the_stop(archive):
    archive.start()
    archive.client.do(OFF)
    archive.box.faults.dead_servers = {0}
    archive.box.advance(60)
    assert archive.status() == "STOPPING"
    archive.box.faults.reset()
    archive.box.advance(5)
    assert archive.status() == "STOP"


@pytest.mark.parametrize("fault", [("frozen_checkpoint", True), ("dead_servers", {1}), ("unmounted_servers", {2})])
def test_checkpoints_stand_still(archive, fault):
    archive.start()
    setattr(archive.box.faults, *fault)
    archive.box.advance(5)
    before = archive.row()["CHECKPOINT_SCN"]
    archive.box.advance(600)
    assert (archive.status(), archive.row()["CHECKPOINT_SCN"]) == ("DOING", before)


# --- the clock --------------------------------------------------------------------------------------------------------


def test_deterministic(make_archive):
    views = ("CDB_OB_ARCHIVELOG", "CDB_OB_ARCHIVELOG_PIECE_FILES", "CDB_OB_LS_LOG_ARCHIVE_PROGRESS",
             "DBA_OB_ROOTSERVICE_EVENT_HISTORY", "GV$OB_MEMSTORE")  # fmt: skip

    def run(steps):
        archive = make_archive("4.2.5", start_time=datetime.fromisoformat("2024-04-13 08:00:00"))
        archive.configure("tenant1", "tenant2")
        archive.client.do("ALTER SYSTEM ARCHIVELOG")
        archive.client.do("ALTER SYSTEM MINOR FREEZE TENANT = all_user")
        for _ in range(steps):
            archive.box.advance(1800 / steps)
        return [archive.client.tuples(f"SELECT * FROM {view}") for view in views]

    assert run(1) == run(1) == run(600)


def test_events(archive):
    archive.start()
    archive.client.do(OFF)
    archive.box.advance(10)
    sql = "SELECT EVENT, NAME1, VALUE1 FROM DBA_OB_ROOTSERVICE_EVENT_HISTORY WHERE MODULE = 'log_archive'"
    events = archive.client.tuples(sql)
    assert {(name, value) for _, name, value in events} == {("tenant_id", "1002")}
    assert [event for event, _, _ in events] == [
        "open_archive_mode", "enable_archive", "change_status", "change_status", "change_status",
        "close_archive_mode", "disable_archive", "change_status", "change_status",
    ]  # fmt: skip


def test_dropped_tenant_leaves_nothing(archive):
    archive.start()
    archive.client.do("DROP TENANT tenant1 FORCE")
    archive.box.advance(100)
    assert archive.client.rows("SELECT * FROM CDB_OB_ARCHIVELOG") == []
    assert archive.client.error("DROP TENANT tenant1") == (5157, "Unknown tenant 'tenant1'")
    assert archive.client.error("DROP TENANT sys")[0] == 1235
    assert archive.client.do("DROP TENANT IF EXISTS tenant1") == 0
    archive.client.do("CREATE TENANT IF NOT EXISTS tenant3")
    ids = "SELECT TENANT_ID FROM DBA_OB_TENANTS WHERE TENANT_TYPE = 'USER' ORDER BY 1"
    assert archive.client.tuples(ids) == [(1004,), (1006,)]
