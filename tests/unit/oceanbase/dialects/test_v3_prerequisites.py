"""Every prerequisite at every level; a read that fails hides no other and is never good or bad."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.errors import ServerError, fact
from airflow_ob_provider.oceanbase.models import Finding, Level
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from airflow_ob_provider.oceanbase.waits import RECOVERY
from tests.unit.oceanbase.fake_server import FakeServer, healthy

CHECKS = [
    "version",
    "sys_tenant",
    "privilege",
    "servers",
    "clocks",
    "primary_cluster",
    "user_tenants",
    "gts",
    "destination_set",
    "destination_legal",
    "archive_state",
]
EXPECTED = {
    "version": "2.2.77 - 3.2.x, not 3.1.0",
    "sys_tenant": "sys",
    "privilege": "ALTER SYSTEM on *.* and SELECT on oceanbase.*",
    "servers": "every OBServer active",
    "clocks": "SYNC, within 100 ms",
    "primary_cluster": "PRIMARY",
    "user_tenants": "at least one",
    "gts": "GTS or HA_GTS in every user tenant",
    "destination_set": "one destination, the same on every OBServer",
    "destination_legal": "file://, oss:// or cos:// that 3.x accepts",
    "archive_state": "STOP, or DOING already",
}
OSS = "oss://bucket/dir?host=h.example.com&access_id=AKID42&access_key=wJalr/+="


def findings(
    server: FakeServer,
    *,
    number: str = "3.1.5",
    destination: str | None = None,
    restart_interrupted: bool = False,
) -> dict[str, Finding]:
    dialect = V3Dialect(OceanBaseVersion.parse(f"OceanBase {number}"), server)
    found = dialect.prerequisites(
        destination=Destination.parse(destination) if destination else None, restart_interrupted=restart_interrupted
    )
    assert [one.check for one in found] == CHECKS
    for one in found:
        assert one.observed
        assert one.expected
        assert one.hint or one.level in {Level.OK, Level.UNKNOWN} or "it will be changed" in one.observed
        assert "wJalr" not in repr(one)
        assert "AKID42" not in repr(one)
    return {one.check: one for one in found}


def sql(server: FakeServer, statement: str, *values: object) -> None:
    server._db.execute(statement.replace("UPDATE ", "UPDATE oceanbase."), values)


def set_parameter(server: FakeServer, name: str, *values: str) -> None:
    server.parameters = [row for row in server.parameters if row["name"] != name]
    server.parameter(name, *values)


def set_state(server: FakeServer, word: str) -> None:
    sql(server, "UPDATE CDB_OB_BACKUP_ARCHIVELOG SET STATUS = ?", word)


def stopped(server: FakeServer | None = None) -> FakeServer:
    server = server or healthy()
    set_state(server, "STOP")
    return server


@pytest.mark.parametrize("as_bytes", [False, True], ids=["text", "bytes"])
def test_a_healthy_cluster(as_bytes: bool) -> None:
    found = findings(healthy(as_bytes=as_bytes))
    assert {one.level for one in found.values()} == {Level.OK}
    assert {name: one.observed for name, one in found.items()} == {
        "version": "3.1.5",
        "sys_tenant": "sys",
        "privilege": "root@% may ALTER SYSTEM",
        "servers": "2 of 2 active",
        "clocks": "2 in SYNC, at most 1 ms off",
        "primary_cluster": "PRIMARY",
        "user_tenants": "2: shop, bank",
        "gts": "2 tenants use it",
        "destination_set": "file:///data/nfs/backup on 2 servers",
        "destination_legal": "file:///data/nfs/backup",
        "archive_state": "DOING, round 3: archives already, nothing to start",
    }
    proof = "that it is mounted and writable on every OBServer cannot be seen in SQL: only the start proves it"
    assert {name: one.expected for name, one in found.items()} == EXPECTED | {
        "destination_legal": f"{EXPECTED['destination_legal']}; {proof}"
    }


@pytest.mark.parametrize(
    ("number", "level", "hint"),
    [
        ("2.2.60", Level.FAIL, "older than 2.2.77"),
        ("2.2.77", Level.OK, ""),
        ("3.1.0", Level.FAIL, "4114"),
        ("3.1.1", Level.OK, ""),
        ("3.2.4.3", Level.OK, ""),
    ],
)
def test_version(number: str, level: Level, hint: str) -> None:
    found = findings(healthy(), number=number)["version"]
    assert (found.level, found.observed) == (level, number)
    assert hint in found.hint
    assert found.expected == "2.2.77 - 3.2.x, not 3.1.0"


def without_parameter(name: str) -> Callable[[FakeServer], None]:
    def change(server: FakeServer) -> None:
        server.parameters = [row for row in server.parameters if row["name"] != name]

    return change


def shows(start: str, *rows: dict[str, object]) -> Callable[[FakeServer], None]:
    return lambda server: server.shows.update({start: list(rows)})


def runs(statement: str, *values: object) -> Callable[[FakeServer], None]:
    return lambda server: sql(server, statement, *values)


def empties(table: str) -> Callable[[FakeServer], None]:
    return lambda server: server.clear(table)


def forgets_tenants(server: FakeServer) -> None:
    server._db.execute("DELETE FROM oceanbase.gv$tenant WHERE tenant_id > 1")


def many_tenants(server: FakeServer) -> None:
    for number in range(1003, 1008):
        server.tenant(number, f"t{number}")
        server.insert("__all_virtual_sys_variable", tenant_id=number, name="ob_timestamp_service", value="2")


def five_tenants(server: FakeServer) -> None:
    for number in range(1003, 1006):
        server.tenant(number, f"t{number}")


def gts(value: str) -> tuple[object, ...]:
    return "gts", runs("UPDATE __all_virtual_sys_variable SET value = ?", value), Level.OK, "2 tenants use it", ""


GRANT = "grants for m@%"
CASES = [
    ("sys_tenant", shows("SHOW TENANT", {"t": "shop"}), Level.FAIL, "shop", "Log in as <user>@sys"),
    ("sys_tenant", shows("SHOW TENANT"), Level.UNKNOWN, "SHOW TENANT gave no answer", ""),
    ("privilege", shows("SHOW GRANTS"), Level.UNKNOWN, "SHOW GRANTS gave no answer", ""),
    (
        "privilege",
        shows("SHOW GRANTS", {GRANT: "GRANT ALTER SYSTEM, SELECT ON *.* TO 'm'"}),
        Level.OK,
        "root@% may ALTER SYSTEM",
        "",
    ),
    (
        "privilege",
        shows(
            "SHOW GRANTS", {GRANT: "GRANT USAGE ON *.* TO 'm' IDENTIFIED BY PASSWORD '*AB'"}, {GRANT: "GRANT SELECT"}
        ),
        Level.FAIL,
        "GRANT USAGE ON *.* TO 'm' IDENTIFIED BY PASSWORD '***'; GRANT SELECT",
        "GRANT ALTER SYSTEM ON *.* TO root",
    ),
    ("servers", empties("__all_server"), Level.UNKNOWN, "no server listed", ""),
    (
        "servers",
        runs("UPDATE __all_server SET status = 'inactive' WHERE svr_ip = '10.0.0.2'"),
        Level.WARN,
        "1 of 2 active; 10.0.0.2:2882 (zone2): inactive",
        "bring it back",
    ),
    (
        "servers",
        runs("UPDATE __all_server SET stop_time = 1 WHERE svr_ip = '10.0.0.2'"),
        Level.WARN,
        "1 of 2 active; 10.0.0.2:2882 (zone2): active, stopped by an administrator",
        "bring it back",
    ),
    (
        "servers",
        runs("UPDATE __all_server SET start_service_time = 0"),
        Level.WARN,
        "0 of 2 active; 10.0.0.1:2882 (zone1): active, not serving; 10.0.0.2:2882 (zone2): active, not serving",
        "bring it back",
    ),
    ("clocks", empties("__all_virtual_server_stat"), Level.UNKNOWN, "no server listed", ""),
    (
        "clocks",
        runs("UPDATE __all_virtual_server_stat SET clock_deviation = -100000"),
        Level.OK,
        "2 in SYNC, at most 100 ms off",
        "",
    ),
    (
        "clocks",
        runs("UPDATE __all_virtual_server_stat SET clock_deviation = -100001 WHERE svr_ip = '10.0.0.2'"),
        Level.WARN,
        "10.0.0.2:2882 -100.001 ms SYNC",
        "NTP",
    ),
    (
        "clocks",
        runs("UPDATE __all_virtual_server_stat SET clock_sync_status = 'NOT SYNC' WHERE svr_ip = '10.0.0.1'"),
        Level.WARN,
        "10.0.0.1:2882 0 ms NOT SYNC",
        "NTP",
    ),
    ("primary_cluster", empties("v$ob_cluster"), Level.UNKNOWN, "no role shown", ""),
    ("primary_cluster", runs("UPDATE v$ob_cluster SET CLUSTER_ROLE = 'primary'"), Level.OK, "primary", ""),
    (
        "primary_cluster",
        runs("UPDATE v$ob_cluster SET CLUSTER_ROLE = 'PHYSICAL STANDBY'"),
        Level.FAIL,
        "PHYSICAL STANDBY",
        "1235",
    ),
    ("user_tenants", forgets_tenants, Level.FAIL, "none", "archives nothing"),
    ("user_tenants", many_tenants, Level.OK, "7: shop, bank, t1003, t1004, t1005 and 2 more", ""),
    ("user_tenants", five_tenants, Level.OK, "5: shop, bank, t1003, t1004, t1005", ""),
    *(gts(value) for value in ("1", "2", "GTS", "HA_GTS", "gts")),
    ("gts", many_tenants, Level.OK, "7 tenants use it", ""),
    (
        "gts",
        runs("UPDATE __all_virtual_sys_variable SET value = 'ha_gts' WHERE tenant_id = 1001"),
        Level.OK,
        "2 tenants use it",
        "",
    ),
    (
        "gts",
        runs("UPDATE __all_virtual_sys_variable SET value = '0' WHERE tenant_id = 1001"),
        Level.FAIL,
        "shop (0)",
        "ob_timestamp_service = 'GTS'",
    ),
    (
        "gts",
        runs("UPDATE __all_virtual_sys_variable SET value = NULL WHERE tenant_id = 1001"),
        Level.UNKNOWN,
        "not shown for shop",
        "",
    ),
    ("gts", empties("__all_virtual_sys_variable"), Level.UNKNOWN, "not shown for shop, bank", ""),
    (
        "gts",
        runs("UPDATE __all_virtual_sys_variable SET value = 'LTS' WHERE tenant_id = 1"),
        Level.OK,
        "2 tenants use it",
        "",
    ),
    ("destination_set", without_parameter("backup_dest"), Level.UNKNOWN, "no server answered", ""),
    ("destination_legal", without_parameter("backup_dest"), Level.UNKNOWN, "no one destination is set", ""),
    ("archive_state", empties("CDB_OB_BACKUP_ARCHIVELOG"), Level.UNKNOWN, "no state shown", ""),
]


@pytest.mark.parametrize(("check", "change", "level", "observed", "hint"), CASES)
def test_one_finding(check: str, change: Callable[[FakeServer], None], level: Level, observed: str, hint: str) -> None:
    server = healthy()
    change(server)
    found = findings(server)[check]
    assert (found.level, found.observed) == (level, observed)
    assert found.expected == EXPECTED[check]
    assert hint in found.hint
    assert bool(hint) is bool(found.hint)


def test_a_dead_server_refuses_a_start_but_not_a_look_at_a_round_that_runs() -> None:
    server = stopped()
    sql(server, "UPDATE __all_server SET status = 'inactive' WHERE svr_ip = '10.0.0.2'")
    assert findings(server)["servers"].level is Level.FAIL
    for state, level in (("BEGINNING", Level.WARN), ("DOING", Level.WARN), ("INTERRUPTED", Level.FAIL)):
        set_state(server, state)
        assert findings(server)["servers"].level is level


def test_only_the_first_offenders_are_named() -> None:
    server = healthy()
    for number in range(3, 30):
        server.insert(
            "__all_server", svr_ip=f"10.0.1.{number}", svr_port=2882, zone="z", status="gone", start_service_time=1
        )
        server.insert("__all_virtual_server_stat", svr_ip=f"10.0.1.{number}", svr_port=2882, clock_sync_status="?")
        server.tenant(1000 + number, f"t{number}")
    found = findings(server)
    assert found["servers"].observed.startswith("2 of 29 active; ")
    assert found["servers"].observed.count("gone") == 5
    assert found["clocks"].observed.count("?") == 5
    assert found["gts"].observed.count(", ") == 4


# --- the destination --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "now", "wanted", "level", "observed"),
    [
        ("STOP", ["", ""], None, Level.FAIL, "not set"),
        ("STOP", ["", ""], "file:///new", Level.OK, "not set; it will be"),
        ("STOP", ["file:///old", ""], None, Level.FAIL, "file:///old on 10.0.0.1:2882; not set on 10.0.0.2:2882"),
        ("STOP", ["file:///old", ""], "file:///old", Level.WARN, "file:///old on 10.0.0.1:2882; not set on 10.0"),
        ("STOP", ["file:///old"], None, Level.OK, "file:///old on 1 servers"),
        ("STOP", ["file:///old"], "file:///old/", Level.OK, "file:///old on 1 servers"),
        ("STOP", ["file:///old"], "file:///new", Level.WARN, "file:///old on 1 servers; it will be changed"),
        ("DOING", ["file:///old"], "file:///old", Level.OK, "file:///old on 1 servers"),
        ("DOING", ["file:///old"], "file:///new", Level.FAIL, "file:///old on 1 servers"),
        ("BEGINNING", ["file:///old"], "file:///new", Level.FAIL, "file:///old on 1 servers"),
        ("STOPPING", ["file:///old"], "file:///new", Level.FAIL, "file:///old on 1 servers"),
        ("INTERRUPTED", ["file:///old"], "file:///new", Level.FAIL, "file:///old on 1 servers"),
        ("WHATEVER", ["file:///old"], "file:///new", Level.FAIL, "file:///old on 1 servers"),
        ("STOP", [OSS], OSS.replace("AKID42", "other"), Level.OK, "oss://bucket/dir?host=h.example.com&access_id=***&"),
        ("STOP", [OSS, OSS.replace("AKID42", "other")], None, Level.FAIL, "oss://bucket/dir?host=h.example.com&acc"),
        ("STOP", ["nonsense?access_key=wJalr"], None, Level.UNKNOWN, "destination 'nonsense?access_key=***' is not"),
        ("STOP", ["nonsense", ""], None, Level.UNKNOWN, "destination 'nonsense' is not"),
    ],
)
def test_destination_set(state: str, now: list[str], wanted: str | None, level: Level, observed: str) -> None:
    server = healthy()
    set_state(server, state)
    set_parameter(server, "backup_dest", *now)
    found = findings(server, destination=wanted)["destination_set"]
    assert found.level is level
    assert found.observed.startswith(observed)


@pytest.mark.parametrize(
    ("now", "wanted", "level", "observed", "hint"),
    [
        ("", None, Level.UNKNOWN, "no one destination is set", ""),
        ("file:///old", None, Level.OK, "file:///old", ""),
        (OSS, None, Level.OK, "oss://bucket/dir?host=h.example.com&access_id=***&access_key=***", ""),
        ("nonsense", None, Level.UNKNOWN, "destination 'nonsense' is not <scheme>://<path>", ""),
        ("", "file:///new", Level.OK, "file:///new", ""),
        ("", OSS, Level.WARN, "oss://bucket/dir?host=h.example.com&access_id=***&access_key=***", "NFS only"),
        ("file:///old", OSS.replace("oss:", "s3:"), Level.FAIL, "s3://bucket", "S3 is not supported by OceanBase 3.x"),
        ("file:///old", OSS.replace("oss:", "azblob:"), Level.FAIL, "azblob://bucket", "not one of file, oss, cos"),
        ("file:///old", "file:///{tenant}", Level.FAIL, "file:///{tenant}", "archives the whole cluster to one place"),
        ("file:///old", "file:///{cluster}", Level.OK, "file:///obdemo", ""),
        ("file:///old", "oss://b/d", Level.FAIL, "oss://b/d", "oss:// needs host, access_id, access_key"),
        ("file:///old", "file:///d?x=y", Level.FAIL, "file:///d?x=y", "file:// takes no parameters"),
    ],
)
def test_destination_legal(now: str, wanted: str | None, level: Level, observed: str, hint: str) -> None:
    server = stopped()
    set_parameter(server, "backup_dest", now)
    found = findings(server, destination=wanted)["destination_legal"]
    assert found.level is level
    assert found.observed.startswith(observed)
    assert hint in found.hint


def test_a_clusters_name_that_is_needed_and_not_shown() -> None:
    """The plan refuses such a destination, so it must not be called fine before."""
    server = stopped()
    server.parameters = [one for one in server.parameters if one["name"] != "cluster"]
    found = findings(server, destination="file:///data/{cluster}")["destination_legal"]
    assert (found.level, found.observed) == (Level.FAIL, "file:///data/{cluster}")
    assert "cannot read the cluster's name" in found.hint


@pytest.mark.parametrize(("now", "level"), [("file:///old", Level.WARN), ("", Level.OK)])
def test_what_else_refuses_a_new_destination(now: str, level: Level) -> None:
    server = stopped()
    set_parameter(server, "backup_dest", now)
    assert findings(server, destination="file:///new")["destination_set"].level is level
    server.insert("CDB_OB_BACKUP_PROGRESS", BS_KEY=1, TENANT_ID=1, STATUS="RUNNING")
    found = findings(server, destination="file:///new")["destination_set"]
    assert found.level is Level.FAIL
    assert "9036" in found.hint
    server.clear("CDB_OB_BACKUP_PROGRESS")
    server.parameter("backup_backup_dest", "file:///copy")
    found = findings(server, destination="file:///new")["destination_set"]
    assert found.level is Level.FAIL
    assert "backup_backup_dest" in found.hint


def test_a_data_backup_is_no_matter_where_the_destination_stays() -> None:
    server = stopped()
    set_parameter(server, "backup_dest", "file:///old")
    server.insert("CDB_OB_BACKUP_PROGRESS", BS_KEY=1, TENANT_ID=1, STATUS="RUNNING")
    assert findings(server, destination="file:///old")["destination_set"].level is Level.OK


def test_enterprise_may_use_an_object_store() -> None:
    assert findings(stopped(), number="3.2.4.3", destination=OSS)["destination_legal"].level is Level.OK


def test_what_is_wanted_is_expected_without_its_keys() -> None:
    found = findings(stopped(), destination=OSS)["destination_set"]
    assert found.expected == "oss://bucket/dir?host=h.example.com&access_id=***&access_key=***"


# --- the state --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "restart", "level", "hint"),
    [
        ("STOP", False, Level.OK, ""),
        ("BEGINNING", False, Level.OK, ""),
        ("DOING", False, Level.OK, ""),
        ("STOPPING", False, Level.WARN, "CANCEL ALL BACKUP FORCE"),
        ("INTERRUPTED", False, Level.FAIL, RECOVERY),
        ("INTERRUPTED", True, Level.WARN, RECOVERY),
        ("MIXED", False, Level.UNKNOWN, "does not know"),
        ("MIXED", True, Level.UNKNOWN, "does not know"),
        ("SUSPEND", False, Level.UNKNOWN, "does not know"),
        ("", False, Level.UNKNOWN, "does not know"),
    ],
)
def test_archive_state(word: str, restart: bool, level: Level, hint: str) -> None:
    server = healthy()
    set_state(server, word)
    found = findings(server, restart_interrupted=restart)["archive_state"]
    assert found.level is level
    assert found.observed.startswith(f"{word or 'NULL'}, round 3")
    assert hint in found.hint


@pytest.mark.parametrize(("number", "offered"), [("2.2.77", False), ("3.1.2", False), ("3.1.3", True)])
def test_the_last_way_out_is_offered_where_it_exists(number: str, offered: bool) -> None:
    server = healthy()
    set_state(server, "STOPPING")
    hint = findings(server, number=number)["archive_state"].hint
    assert ("CANCEL ALL BACKUP FORCE" in hint) is offered
    assert "waits for STOP" in hint


# --- failed reads -----------------------------------------------------------------------------------------------------

READS = {
    "__all_server": {"servers"},
    "__all_virtual_server_stat": {"clocks"},
    "v$ob_cluster": {"primary_cluster"},
    "SELECT tenant_id, tenant_name": {"user_tenants", "gts"},
    "__all_virtual_sys_variable": {"gts"},
    r"backup\_dest": {"destination_set", "destination_legal"},
    "CDB_OB_BACKUP_ARCHIVELOG": {"archive_state"},
    "SHOW TENANT": {"sys_tenant"},
    "SHOW GRANTS": {"privilege"},
}


@pytest.mark.parametrize("part", READS)
@pytest.mark.parametrize("errno", [1142, 1146, 1235, 9999])
def test_a_refused_read_is_unknown_and_hides_no_other(part: str, errno: int) -> None:
    server = healthy()
    server.faults[part] = errno
    found = findings(server)
    assert {name for name, one in found.items() if one.level is Level.UNKNOWN} == READS[part]
    assert {one.level for one in found.values()} == {Level.OK, Level.UNKNOWN}
    for name in READS[part] - {"sys_tenant", "privilege"}:
        assert found[name].observed == f"[{errno}] fault on {part}"
        assert found[name].hint == fact(errno).hint


@pytest.mark.parametrize("part", READS)
@pytest.mark.parametrize("errno", [2013, 4012, 4114])
def test_a_passing_fault_ends_all(part: str, errno: int) -> None:
    server = healthy()
    server.faults[part] = errno
    with pytest.raises(ServerError) as caught:
        findings(server)
    assert caught.value.errno == errno


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (runs("UPDATE __all_server SET stop_time = 'x'"), "servers"),
        (runs("UPDATE __all_virtual_server_stat SET clock_deviation = 'x'"), "clocks"),
        (runs("UPDATE __all_virtual_sys_variable SET tenant_id = 'x'"), "gts"),
        (lambda server: setattr(server, "now", "x"), "archive_state"),
    ],
)
def test_an_unreadable_row_is_unknown(change: Callable[[FakeServer], None], check: str) -> None:
    server = healthy()
    change(server)
    found = findings(server)
    assert {name for name, one in found.items() if one.level is not Level.OK} == {check}
    assert found[check].level is Level.UNKNOWN
    assert "'x'" in found[check].observed
