"""Minor freeze and major freeze."""

from __future__ import annotations

import pytest

FROZEN = "SELECT COUNT(*) FROM oceanbase.gv$memstore_info WHERE IS_ACTIVE = 0"
TENANTS = "SELECT DISTINCT TENANT_ID FROM gv$memstore_info WHERE IS_ACTIVE = 0 ORDER BY TENANT_ID"


def test_freeze_of_the_whole_cluster(box, client):
    assert client.value(FROZEN) == 0
    assert client.rows("SELECT * FROM gv$merge_info") == []
    assert client.do("ALTER SYSTEM MINOR FREEZE;") == 0
    frozen_at = client.value("SELECT NOW(6)")
    assert [row["TENANT_ID"] for row in client.rows(TENANTS)] == [1, 1001, 1002]
    total = client.value(FROZEN)
    assert client.value("SELECT COUNT(*) FROM gv$memstore_info WHERE IS_ACTIVE = 1") == total
    box.advance(8)
    assert 0 < client.value(FROZEN) < total, "servers and tenants don't finish together"
    box.advance(30)
    assert client.value(FROZEN) == 0
    merges = client.rows("SELECT * FROM gv$merge_info")
    assert {m["ACTION"] for m in merges} == {"mini merge", "mini minor merge", "history mini minor merge"}
    assert {m["TYPE"] for m in merges} == {"minor"}
    assert all(m["END_TIME"] >= frozen_at for m in merges)
    assert client.rows("SELECT * FROM gv$minor_merge_info") == []
    assert client.do("ALTER SYSTEM MINOR FREEZE") == 0, "repeating is harmless"


@pytest.mark.parametrize(
    ("clause", "tenants"),
    [
        ("TENANT = ('tenant1')", [1001]),
        ("TENANT ('tenant1', 'tenant2')", [1001, 1002]),
        ("TENANT = (tenant2) SERVER = ('10.10.10.1:2882') ZONE = 'zone1'", [1002]),
        ("SERVER = ('10.10.10.1:2882', '10.10.10.2:2882')", [1, 1001, 1002]),
        ("ZONE = 'zone2'", [1, 1001, 1002]),
        ("PARTITION_ID = '8%0@110061113945388'", [1, 1001, 1002]),
    ],
)
def test_clauses(client, clause, tenants):
    assert client.do(f"ALTER SYSTEM MINOR FREEZE {clause}") == 0
    assert [row["TENANT_ID"] for row in client.rows(TENANTS)] == tenants


def test_server_clause_limits_the_servers(client):
    client.do("ALTER SYSTEM MINOR FREEZE SERVER = ('10.10.10.2:2882')")
    assert client.tuples("SELECT DISTINCT IP FROM gv$memstore_info WHERE IS_ACTIVE = 0") == [("10.10.10.2",)]


@pytest.mark.parametrize(
    "clause",
    [
        "TENANT = all",
        "TENANT = tenant1",
        "TENANT = 'tenant1'",
        "TENANT = ()",
        "SERVER = '10.10.10.1:2882'",
        "SERVER = ('10.10.10.1:2882'",
        "TENANT = ('a') PARTITION_ID = '0%0@1'",
        "NOW",
    ],
)
def test_spellings_of_other_versions_are_syntax_errors(client, clause):
    assert client.error(f"ALTER SYSTEM MINOR FREEZE {clause}")[0] == 1064


def test_errors(box, client):
    assert client.error("ALTER SYSTEM MINOR FREEZE TENANT = ('nobody')")[0] == 5157
    box.faults.dead_servers = {1}
    dead = "ALTER SYSTEM MINOR FREEZE SERVER = ('10.10.10.1:2882', '10.10.10.2:2882')"
    assert client.error(dead) == (4637, "server is not active")
    assert client.error("ALTER SYSTEM MINOR FREEZE SERVER = ('10.9.9.9:2882')")[0] == 4637
    assert client.do("ALTER SYSTEM MINOR FREEZE") == 0, "all alive servers"
    assert client.tuples("SELECT DISTINCT IP FROM gv$memstore_info WHERE IS_ACTIVE=0 ORDER BY IP") == [
        ("10.10.10.1",),
        ("10.10.10.3",),
    ]


def test_idle_tenant_has_nothing_to_freeze(box, client):
    box.create_tenant("idle", idle=True)
    client.do("ALTER SYSTEM MINOR FREEZE TENANT = ('idle')")
    assert client.value(FROZEN) == 0


def test_stuck_memtables(box, client):
    box.faults.stuck_memtables = True
    client.do("ALTER SYSTEM MINOR FREEZE")
    box.advance(3600)
    assert client.value(FROZEN) > 0
    box.drop_tenant("tenant1")
    box.faults.stuck_memtables = False
    box.advance(30)
    assert client.value(FROZEN) == 0


def test_events_of_a_freeze(client):
    client.do("ALTER SYSTEM MINOR FREEZE")
    events = client.rows("SELECT svr_ip, event FROM __all_server_event_history WHERE module = 'freeze'")
    assert [e["event"] for e in events] == ["do minor freeze", "do minor freeze success"] * 3
    assert client.value("SELECT event FROM __all_rootservice_event_history") == "root_minor_freeze"


def test_major_freeze(box, client):
    state = "SELECT zone, info FROM __all_zone WHERE name = 'merge_status' ORDER BY zone"
    assert client.tuples(state) == [("", "IDLE"), ("zone1", "IDLE"), ("zone2", "IDLE"), ("zone3", "IDLE")]
    client.do("ALTER SYSTEM MAJOR FREEZE")
    client.do("ALTER SYSTEM MAJOR FREEZE")
    assert {info for _, info in client.tuples(state)} == {"MERGING"}
    box.advance(60)
    assert {info for _, info in client.tuples(state)} == {"IDLE"}
    assert {a for (a,) in client.tuples("SELECT action FROM gv$merge_info WHERE type='major'")} == {"major merge"}
    client.do("ALTER SYSTEM SET enable_major_freeze = false")
    assert client.error("ALTER SYSTEM MAJOR FREEZE") == (4179, "Operation not allowed now")
