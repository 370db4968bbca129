"""MINOR FREEZE of 4.x: grammar, whom it freezes, and how its end shows."""

from __future__ import annotations

import pytest

FREEZE = "ALTER SYSTEM MINOR FREEZE"
FROZEN = "SELECT DISTINCT TENANT_ID FROM GV$OB_MEMSTORE WHERE FREEZE_CNT > 0 ORDER BY 1"
RUNNING = "SELECT * FROM GV$OB_TABLET_COMPACTION_PROGRESS"
FINISHED = "SELECT * FROM GV$OB_TABLET_COMPACTION_HISTORY"


@pytest.mark.parametrize(
    ("profile", "clause", "frozen"),
    [
        ("4.2.5", "", [1]),
        ("4.2.5", "TENANT = all", [1002, 1004]),
        ("4.2.5", "TENANT = all_user", [1002, 1004]),
        ("4.2.5", "TENANT = all_meta", []),
        ("4.2.1", "TENANT all_user", [1002, 1004]),
        ("4.1.0", "TENANT = all", [1, 1002, 1004]),
        ("4.0.0", "TENANT = ALL", [1, 1002, 1004]),
        ("4.0.0", "TENANT = sys", [1]),
        ("4.2.5", "TENANT = tenant1", [1002]),
        ("4.2.5", "TENANT = 'tenant1', `tenant2`, sys", [1, 1002, 1004]),
        ("4.2.5", "TENANT = tenant1 LS = 1001 TABLET_ID = 200001", [1002]),
        ("4.2.5", "TENANT = tenant1 ZONE = zone1", [1002]),
        ("4.2.5", "SERVER = ('10.10.10.1:2882', '10.10.10.2:2882') ZONE 'zone2'", None),
        ("4.2.5", "SERVER ('10.10.10.1:2882')", [1]),
    ],
)
def test_whom_it_freezes(make_archive, profile, clause, frozen):
    client = make_archive(profile).client
    if frozen is None:
        assert client.error(f"{FREEZE} {clause}")[0] == 4025, "one of the servers isn't in the zone"
        return
    assert client.do(f"{FREEZE} {clause}") == 0
    assert [tenant_id for (tenant_id,) in client.tuples(FROZEN)] == frozen


@pytest.mark.parametrize(
    ("profile", "clause", "errno"),
    [
        ("4.2.5", "TENANT = ('sys')", 1064),
        ("4.2.5", "TENANT = (sys)", 1064),
        ("4.2.5", "TENANT", 1064),
        ("4.2.5", "PARTITION_ID = '8%0@1'", 1064),
        ("4.2.5", "SERVER = '10.10.10.1:2882'", 1064),
        ("4.2.5", "SERVER = ('10.10.10.1:2882'", 1064),
        ("4.2.5", "TENANT = nobody", 5160),
        ("4.1.0", "TENANT = all_user", 5160),
        ("4.2.5", "TENANT = all, tenant1", 1235),
        ("4.2.5", "TENANT = all LS = 1001", 1235),
    ],
)
def test_refused(make_archive, profile, clause, errno):
    assert make_archive(profile).client.error(f"{FREEZE} {clause}")[0] == errno


def test_a_user_tenant_freezes_itself(own, client):
    assert own.error(f"{FREEZE} TENANT = tenant1") == (1227, "Access denied")
    assert own.error(f"{FREEZE} TENANT = tenant2") == (1227, "Access denied")
    assert own.do(FREEZE) == 0
    assert client.tuples(FROZEN) == [(1002,)]


@pytest.mark.parametrize("profile", ["4.0.0", "4.3.3"])
def test_end_of_a_freeze(make_archive, connect, profile):
    archive = make_archive(profile)
    client, box = archive.client, archive.box
    own = connect(box, "root@tenant1")
    memstore = "SELECT SUM(ACTIVE_SPAN), SUM(MEMSTORE_USED), MAX(FREEZE_CNT) FROM GV$OB_MEMSTORE WHERE TENANT_ID = 1002"
    span, used, _ = client.tuples(memstore)[0]
    assert client.do(f"{FREEZE} TENANT = tenant1") == 0
    since = client.value("SELECT NOW(6)")
    dropped = client.tuples(memstore)[0]
    assert dropped[0] < span
    assert dropped[1:] == (used, 1), "the frozen memstore is still in memory"
    assert client.rows(RUNNING) == client.rows(FINISHED) == [], "not scheduled yet"
    box.advance(3)
    running = client.rows(RUNNING)
    assert {(r["TYPE"], r["STATUS"], r["TENANT_ID"]) for r in running} == {("MINI_MERGE", "NODE_RUNNING", 1002)}
    assert own.rows(RUNNING) == running
    box.advance(30)
    assert client.rows(RUNNING) == []
    finished = client.rows(FINISHED)
    assert len(finished) == 3 * 2, "servers times tablets"
    assert {r["TYPE"] for r in finished} == {"MINI_MERGE"}
    assert all(since <= r["START_TIME"] < r["FINISH_TIME"] for r in finished)
    assert ("START_CG_ID" in finished[0]) is (profile == "4.3.3")
    assert own.rows(FINISHED) == finished
    assert connect(box, "root@tenant2").rows(FINISHED) == []
    assert client.tuples(memstore)[0][1] < used
    assert client.do(f"{FREEZE} TENANT = tenant1") == 0, "nothing to freeze is fine"
    box.advance(30)
    assert len(client.rows(FINISHED)) == 6
    box.advance(600)
    client.do(f"{FREEZE} TENANT = tenant1")
    box.advance(30)
    assert len(client.rows(FINISHED)) == 12


def test_idle_tenants_leave_no_trace(archive):
    archive.box.create_tenant("quiet", idle=True)
    archive.client.do(f"{FREEZE} TENANT = quiet")
    archive.box.advance(30)
    assert archive.client.rows(FINISHED) == []


def test_dumps_that_never_end(archive):
    faults, client = archive.box.faults, archive.client
    faults.stuck_memtables = True
    client.do(f"{FREEZE} TENANT = tenant1")
    archive.box.advance(3600)
    assert len(client.rows(RUNNING)) == 6
    assert client.rows(FINISHED) == []
    faults.reset()
    archive.box.advance(10)
    assert client.rows(RUNNING) == []


def test_partial_failure(archive):
    client, faults = archive.client, archive.box.faults
    faults.freeze_partial = True
    assert client.error(FREEZE) == (4025, "Partial failed")
    assert client.tuples(FROZEN) == [(1,)], "the rest was frozen"
    faults.reset()
    faults.dead_servers = {1}
    assert client.do(f"{FREEZE} TENANT = tenant1") == 0, "a dead server isn't asked"
    assert client.error(f"{FREEZE} SERVER = ('10.10.10.2:2882')")[0] == 4025
    assert client.value("SELECT COUNT(*) FROM GV$OB_MEMSTORE WHERE TENANT_ID = 1002") == 2


def test_major_freeze_leaves_minor_views_alone(client):
    assert client.do("ALTER SYSTEM MAJOR FREEZE TENANT = tenant1") == 0
    assert client.rows("SELECT * FROM CDB_OB_FREEZE_INFO") == []
    assert client.rows(FINISHED) == []


def test_dropped_tenant(archive):
    archive.client.do(f"{FREEZE} TENANT = tenant1")
    archive.client.do("DROP TENANT tenant1")
    archive.box.advance(60)
    assert archive.client.rows(FINISHED) == archive.client.rows(RUNNING) == []
