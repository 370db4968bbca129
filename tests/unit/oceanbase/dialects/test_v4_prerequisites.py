"""Every prerequisite of 4.x at every level; it names the tenants it is about, and a failed read hides no other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.dialects import findings as shared
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.models import Finding, Level
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.waits import RECOVERY
from tests.unit.oceanbase.builders import NOW
from tests.unit.oceanbase.fake_server4 import FakeServer4, healthy, scn

CHECKS = [
    "version",
    "scope",
    "privilege",
    "servers",
    "user_tenants",
    "out_of_scope",
    "destination_set",
    "destination_legal",
    "lag_target",
    "archive_state",
]
IN_TENANT = [name for name in CHECKS if name != "servers"]
KEYS = "host=h&access_id=AKID42zq&access_key=wJalrZq/+="
S3 = f"s3://bucket/{{tenant}}?{KEYS}"


def findings(
    server: FakeServer4, *tenants: str, destination: str | None = None, restart_interrupted: bool = False
) -> dict[str, Finding]:
    found = V4Dialect(server.version, server).prerequisites(
        destination=Destination.parse(destination) if destination else None,
        restart_interrupted=restart_interrupted,
        tenants=tenants,
    )
    assert [one.check for one in found] == (CHECKS if server.own is None else IN_TENANT)
    for one in found:
        assert one.observed
        assert one.expected
        assert one.hint or one.level in {Level.OK, Level.UNKNOWN} or "will become" in one.observed
        assert "wJalr" not in repr(one)
        assert "AKID42" not in repr(one)
    return {one.check: one for one in found}


def levels(found: dict[str, Finding]) -> dict[str, Level]:
    return {name: one.level for name, one in found.items() if one.level is not Level.OK}


def stop(server: FakeServer4, *tenant_ids: int) -> FakeServer4:
    for tenant_id in tenant_ids or (1002, 1004):
        server.archive(tenant_id, "STOP")
        if server.version.at_least(4, 1):
            server.update("DBA_OB_TENANTS", tenant_id, LOG_MODE="NOARCHIVELOG")
    return server


@pytest.mark.parametrize("coding", ["", "as_bytes", "as_decimal", "as_datetime"])
@pytest.mark.parametrize("number", ["4.0.0.0", "4.1.0.0", "4.2.0.0", "4.2.5.6", "4.3.5.3"])
@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_a_healthy_cluster(own: int | None, number: str, coding: str) -> None:
    for stopped in (False, True):
        server = healthy(number, own=own)
        if coding:
            setattr(server, coding, True)
        if stopped:
            stop(server)
        found = findings(server)
        assert levels(found) == {}
        assert {one.tenants for one in found.values()} == {()}


def test_what_a_healthy_cluster_tells() -> None:
    found = findings(healthy())
    assert "root@%" in found["privilege"].observed
    assert "2 of 2" in found["servers"].observed
    assert "shop, bank" in found["user_tenants"].observed
    assert "2" in found["destination_set"].observed
    assert "file://" in found["destination_legal"].observed
    assert shared.NOT_VISIBLE in found["destination_legal"].expected
    assert "2 of 2" in found["archive_state"].observed
    assert "all user tenants" in found["scope"].observed
    assert "shop" in findings(healthy(), "shop")["scope"].observed
    assert "shop" in findings(healthy(own=1002))["scope"].observed


@pytest.mark.parametrize(
    ("number", "level"),
    [("4.0.0.0", Level.OK), ("4.3.5.3", Level.OK), ("4.4.0.0", Level.WARN), ("4.10.0.0", Level.WARN)],
)
def test_version(number: str, level: Level) -> None:
    found = findings(healthy(number))["version"]
    assert (found.level, found.observed) == (level, number)


# --- privilege and servers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grants", "level"),
    [
        (["GRANT ALTER SYSTEM ON *.* TO 'backup'"], Level.OK),
        (["GRANT SELECT ON `oceanbase`.* TO 'backup'"], Level.FAIL),
        (["GRANT ALL PRIVILEGES ON `oceanbase`.* TO 'backup'"], Level.FAIL),
        ([], Level.UNKNOWN),
    ],
)
@pytest.mark.parametrize(("own", "who"), [(None, "root@sys"), (1002, "root of this tenant")], ids=["sys", "tenant"])
def test_privilege(own: int | None, who: str, grants: list[str], level: Level) -> None:
    server = healthy(own=own)
    server.shows["SHOW GRANTS"] = [{"grants": grant} for grant in grants]
    server.shows["SELECT CURRENT_USER()"] = [{"account": "backup@%"}]
    found = findings(server)["privilege"]
    assert (found.level, found.tenants) == (level, ())
    if level is Level.FAIL:
        assert who in found.hint
        assert "GRANT ALTER SYSTEM ON *.* TO backup" in found.hint
    server.shows["SELECT CURRENT_USER()"] = []
    assert findings(server)["privilege"].level is level


@pytest.mark.parametrize(
    ("running", "level"), [((), Level.FAIL), ((1002,), Level.FAIL), ((1002, 1004), Level.WARN)], ids=["0", "1", "2"]
)
def test_a_dead_server(running: tuple[int, ...], level: Level) -> None:
    server = healthy()
    stopped = [tenant_id for tenant_id in (1002, 1004) if tenant_id not in running]
    if stopped:
        stop(server, *stopped)
    server.server(3, STATUS="INACTIVE")
    found = findings(server)["servers"]
    assert found.level is level
    assert "2 of 3" in found.observed
    assert "10.0.0.3:2882" in found.observed


def test_no_server_listed() -> None:
    server = healthy()
    server.clear("DBA_OB_SERVERS")
    assert findings(server)["servers"].level is Level.UNKNOWN


def test_many_dead_servers_are_counted() -> None:
    server = healthy()
    for number in range(3, 13):
        server.server(number, STATUS="INACTIVE")
    found = findings(server)["servers"]
    assert "2 of 12" in found.observed
    assert "and 5 more" in found.observed


# --- tenants ----------------------------------------------------------------------------------------------------------


def test_tenants_that_are_not_there() -> None:
    found = findings(healthy(), "shop", "nobody")
    assert (found["user_tenants"].level, found["user_tenants"].tenants) == (Level.FAIL, ("nobody",))
    assert "nobody" in found["user_tenants"].observed
    assert "bank" in found["user_tenants"].hint
    assert levels(found) == {"user_tenants": Level.FAIL, "out_of_scope": Level.WARN}
    found = findings(healthy(), "somebody", "nobody")
    assert (found["user_tenants"].level, found["user_tenants"].tenants) == (Level.FAIL, ())


def test_tenants_that_are_not_normal() -> None:
    server = healthy()
    server.update("DBA_OB_TENANTS", 1004, STATUS="RESTORE")
    found = findings(server, "bank")
    assert found["user_tenants"].level is Level.FAIL
    assert "bank" in found["user_tenants"].observed
    found = findings(server)
    assert found["user_tenants"].level is Level.OK
    assert found["out_of_scope"].level is Level.WARN
    assert "bank (RESTORE)" in found["out_of_scope"].observed


def test_only_the_tenants_that_are_missing_are_named() -> None:
    server = healthy()
    server.update("DBA_OB_TENANTS", 1004, STATUS="RESTORE")
    found = findings(server, "shop", "bank", "nobody")["user_tenants"]
    assert (found.level, found.tenants) == (Level.FAIL, ("bank", "nobody"))
    assert "shop" not in found.observed


def test_a_user_tenant_is_asked_for_another() -> None:
    assert findings(healthy(own=1002), "bank")["user_tenants"].level is Level.FAIL


def test_no_user_tenant_at_all() -> None:
    server = FakeServer4()
    server.tenant(1, "sys", "SYS", log_mode="NOARCHIVELOG")
    server.server(1)
    found = findings(server)
    assert found["user_tenants"].level is Level.FAIL
    assert found["archive_state"].level is Level.UNKNOWN
    assert found["destination_set"].level is Level.UNKNOWN
    assert found["destination_legal"].level is Level.UNKNOWN
    assert found["lag_target"].level is Level.UNKNOWN
    assert "none" in findings(server, "shop")["user_tenants"].hint


def test_tenants_left_out_are_named() -> None:
    found = findings(healthy(), "shop")["out_of_scope"]
    assert (found.level, found.observed) == (Level.WARN, "bank")
    found = findings(healthy())["out_of_scope"]
    assert found.level is Level.OK
    assert "later" in found.hint, "4.x does not archive tenants that are created later (2.3)"


# --- destination ------------------------------------------------------------------------------------------------------


def test_a_destination_that_is_not_set() -> None:
    server = stop(healthy())
    server.remove("ARCHIVE_DEST", 1002)
    found = findings(server)["destination_set"]
    assert (found.level, found.tenants) == (Level.FAIL, ("shop",))
    assert "shop: not set" in found.observed
    assert "bank" not in found.observed
    assert "starts nothing" in found.hint
    assert findings(server, "bank")["destination_set"].level is Level.OK
    assert findings(server, "shop")["destination_set"].tenants == ()
    server.remove("ARCHIVE_DEST", 1004)
    found = findings(server)["destination_set"]
    assert (found.level, found.tenants) == (Level.FAIL, ())


def test_a_destination_that_will_be_set() -> None:
    server = stop(healthy())
    server.remove("ARCHIVE_DEST", 1002)
    found = findings(server, destination="file:///data/nfs/{tenant}")["destination_set"]
    assert (found.level, found.tenants) == (Level.OK, ())
    assert "will be set for 1" in found.observed


def test_a_destination_that_will_move() -> None:
    found = findings(stop(healthy()), destination="file:///data/new/{tenant}")["destination_set"]
    assert (found.level, found.tenants) == (Level.WARN, ())
    assert "file:///data/nfs/shop" in found.observed
    assert "file:///data/new/shop" in found.observed
    server = stop(healthy())
    server.destination(1004, "file:///data/new/bank")
    assert findings(server, destination="file:///data/new/{tenant}")["destination_set"].tenants == ("shop",)


@pytest.mark.parametrize(
    "rows", [{"binding": None}, {"binding": "MAYBE"}, {"interval": None}, {"interval": "36h"}, {"interval": "²"}]
)
def test_a_destination_of_which_a_part_cannot_be_read(rows: dict[str, str | None]) -> None:
    """It is there, and nothing has to be written of it; only a change would need what cannot be read."""
    server = stop(healthy())
    server.destination(1002, "file:///data/nfs/shop", **rows)  # type: ignore[arg-type]
    for place in (None, "file:///data/nfs/{tenant}"):
        assert findings(server, destination=place)["destination_set"].level is Level.OK
    found = findings(server, destination="file:///data/new/{tenant}")["destination_set"]
    assert (found.level, found.tenants) == (Level.FAIL, ("shop",))
    assert "cannot be read" in found.observed


def test_a_destination_that_is_garbled() -> None:
    server = stop(healthy())
    server.destination(1002, "backuparchive")
    found = findings(server)
    assert levels(found) == {}
    server.destination(1004, "backuparchive2")
    assert findings(server)["destination_legal"].level is Level.UNKNOWN


def test_a_destination_that_cannot_move() -> None:
    server = stop(healthy(), 1002)
    found = findings(server, destination="file:///data/new/{tenant}")["destination_set"]
    assert (found.level, found.tenants) == (Level.FAIL, ("bank",))
    assert "DOING" in found.observed
    found = findings(healthy(), destination="file:///data/new/{tenant}")["destination_set"]
    assert (found.level, found.tenants) == (Level.FAIL, ())
    found = findings(healthy(), destination="file:///data/nfs/{tenant}")["destination_set"]
    assert found.level is Level.OK


@pytest.mark.parametrize("uri", ["file:///data/new", "obs://b/{tenant}?host=h", "oss://b/{tenant}"])
def test_a_destination_that_is_not_legal(uri: str) -> None:
    found = findings(stop(healthy()), destination=uri)["destination_set"]
    assert (found.level, found.tenants) == (Level.FAIL, ())


def test_a_place_needs_the_name_of_the_cluster() -> None:
    server = stop(healthy())
    server.shown_parameters.clear()
    found = findings(server, destination="file:///data/{cluster}/{tenant}")["destination_set"]
    assert (found.level, found.tenants) == (Level.FAIL, ())
    assert "{cluster}" in found.observed
    assert findings(server, destination="file:///data/{tenant}")["destination_set"].level is Level.WARN, "not needed"


@pytest.mark.parametrize(
    ("number", "uri", "level"),
    [
        ("4.2.1.0", S3, Level.WARN),
        ("4.2.1.7", S3, Level.OK),
        ("4.2.5.0", f"azblob://b/{{tenant}}?{KEYS}", Level.WARN),
        ("4.2.5.6", f"azblob://b/{{tenant}}?{KEYS}", Level.OK),
        ("4.3.5.0", f"azblob://b/{{tenant}}?{KEYS}", Level.WARN),
        ("4.2.5.0", "file:///data/new/{tenant}", Level.OK),
    ],
)
def test_a_destination_that_depends_on_the_patch(number: str, uri: str, level: Level) -> None:
    found = findings(stop(healthy(number)), destination=uri)
    assert found["destination_legal"].level is level
    server = stop(healthy(number))
    server.destination(1002, uri.replace("{tenant}", "shop"))
    assert findings(server)["destination_legal"].level is level
    if level is Level.WARN:
        assert "BP" in found["destination_legal"].hint


@pytest.mark.parametrize("number", ["4.0.0.0", "4.1.0.0", "4.2.0.0"])
def test_a_destination_that_this_version_does_not_know(number: str) -> None:
    assert findings(stop(healthy(number)), destination=S3)["destination_set"].level is Level.FAIL


def test_no_destination_to_judge() -> None:
    server = stop(healthy())
    for tenant_id in (1002, 1004):
        server.remove("ARCHIVE_DEST", tenant_id)
    assert findings(server)["destination_legal"].level is Level.UNKNOWN


# --- lag target -------------------------------------------------------------------------------------------------------


def test_s3_and_a_lag_target_that_is_too_small() -> None:
    server = stop(healthy())
    server.parameter(1002, "archive_lag_target", "59s")
    found = findings(server, destination=S3)["lag_target"]
    assert (found.level, found.tenants) == (Level.FAIL, ("shop",))
    assert "59 s" in found.observed
    assert "60" in found.hint
    assert findings(server)["lag_target"].level is Level.OK, "not S3"
    server.parameter(1004, "archive_lag_target", "0ms")
    assert findings(server, destination=S3)["lag_target"].tenants == ()
    server.parameter(1002, "archive_lag_target", "60s")
    assert findings(server, "shop", destination=S3)["lag_target"].level is Level.OK
    server.destination(1004, S3.replace("{tenant}", "bank"))
    assert findings(server)["lag_target"].tenants == ("bank",)


def test_a_lag_target_that_is_not_shown() -> None:
    server = healthy()
    server.clear("GV$OB_PARAMETERS")
    assert findings(server, destination=S3)["lag_target"].level is Level.UNKNOWN


@pytest.mark.parametrize("number", ["4.0.0.0", "4.1.0.0"])
def test_before_4_2_there_is_no_lag_target(number: str) -> None:
    found = findings(healthy(number))["lag_target"]
    assert found.level is Level.OK
    assert number in found.observed


# --- state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "level", "words"),
    [
        ("INTERRUPTED", Level.FAIL, "never heals"),
        ("WHATEVER", Level.UNKNOWN, "not know"),
        ("STOPPING", Level.WARN, "waits"),
        ("PREPARE", Level.OK, ""),
        ("BEGINNING", Level.OK, ""),
        ("STOP", Level.OK, ""),
    ],
)
def test_state(status: str, level: Level, words: str) -> None:
    server = healthy()
    server.archive(1002, status)
    found = findings(server)["archive_state"]
    assert found.level is level
    assert found.tenants == (() if level is Level.OK else ("shop",))
    assert words in found.hint
    if level is not Level.OK:
        assert f"shop {status}" in found.observed
        assert "bank" not in found.observed
        server.archive(1004, status)
        assert findings(server)["archive_state"].tenants == ()
        assert findings(server, "shop")["archive_state"].tenants == ()


@pytest.mark.parametrize("status", ["INTERRUPTED", "WHATEVER", "STOPPING"])
def test_the_state_of_tenants_that_are_not_asked_for_does_not_count(status: str) -> None:
    server = healthy()
    server.archive(1002, status)
    assert findings(server, "bank")["archive_state"].level is Level.OK


STATES = {
    # FAIL names the tenants that fail; else every tenant that something is said of is named.
    ("INTERRUPTED", "WHATEVER"): (Level.FAIL, ("shop",)),
    ("WHATEVER", "INTERRUPTED"): (Level.FAIL, ("bank",)),
    ("INTERRUPTED", "STOPPING"): (Level.FAIL, ("shop",)),
    ("INTERRUPTED", "INTERRUPTED"): (Level.FAIL, ()),
    ("STOPPING", "WHATEVER"): (Level.UNKNOWN, ()),
    ("WHATEVER", "STOPPING"): (Level.UNKNOWN, ()),
    ("STOPPING", "DOING"): (Level.WARN, ("shop",)),
}


@pytest.mark.parametrize(("shop", "bank"), STATES)
def test_one_state_hides_no_other_and_the_worst_counts(shop: str, bank: str) -> None:
    server = healthy()
    server.archive(1002, shop)
    server.archive(1004, bank)
    found = findings(server)["archive_state"]
    assert (found.level, found.tenants) == STATES[shop, bank]
    for name, status in (("shop", shop), ("bank", bank)):
        assert (f"{name} {status}" in found.observed) is (status != "DOING")
        for word, hint in (("INTERRUPTED", RECOVERY), ("WHATEVER", "not know"), ("STOPPING", "waits for STOP")):
            assert status != word or hint in found.hint


def test_an_unknown_state_beside_a_round_that_is_to_be_restarted() -> None:
    server = healthy()
    server.archive(1002, "INTERRUPTED")
    server.archive(1004, "WHATEVER")
    found = findings(server, restart_interrupted=True)["archive_state"]
    assert (found.level, found.tenants) == (Level.UNKNOWN, ())
    assert "shop INTERRUPTED" in found.observed
    assert "bank WHATEVER" in found.observed


def test_an_interrupted_round_that_is_to_be_restarted() -> None:
    server = healthy()
    server.archive(
        1002, "INTERRUPTED", COMMENT="log stream 1 interrupted", CHECKPOINT_SCN=scn(NOW - timedelta(hours=1))
    )
    found = findings(server, restart_interrupted=True)["archive_state"]
    assert (found.level, found.tenants, found.hint) == (Level.WARN, ("shop",), RECOVERY)
    assert "log stream 1 interrupted" in found.observed


@pytest.mark.parametrize("status", ["DOING", "SUSPENDING", "SUSPEND", "STOP"])
def test_a_destination_that_is_switched_off(status: str) -> None:
    server = healthy()
    server.archive(1002, status)
    server.destination(1002, "file:///data/nfs/shop", state="DEFER")
    found = findings(server)["archive_state"]
    assert (found.level, found.tenants) == (Level.WARN, ("shop",))
    assert "ENABLE" in found.hint


@pytest.mark.parametrize(
    ("number", "forced"),
    [
        ("4.0.0.0", False),
        ("4.1.0.0", False),
        ("4.2.0.0", False),
        ("4.2.1.7", False),
        ("4.2.3.0", True),
        ("4.2.5.0", True),
        ("4.3.3.0", True),
        ("4.4.0.0", True),
    ],
)
def test_a_stop_that_may_hang_or_is_ended_by_the_server(number: str, forced: bool) -> None:
    server = healthy(number)
    server.archive(1002, "STOPPING")
    assert ("10 minutes" in findings(server)["archive_state"].hint) is forced


# --- what cannot be read ----------------------------------------------------------------------------------------------

READS = [
    ("SVR_IP", {"servers"}),
    ("SHOW GRANTS", {"privilege"}),
    (
        "CDB_OB_ARCHIVELOG ",
        {"out_of_scope", "destination_set", "archive_state"},
    ),
    ("AS binding", {"destination_set", "destination_legal", "lag_target"}),
    ("GV$OB_PARAMETERS", {"lag_target"}),
]


@pytest.mark.parametrize("errno", [1142, 1146, 4016])
@pytest.mark.parametrize(("part", "checks"), READS)
def test_a_read_that_fails_is_unknown_and_hides_no_other(part: str, checks: set[str], errno: int) -> None:
    server = healthy()
    server.faults[part] = errno
    found = findings(server)
    assert set(levels(found)) == checks
    assert set(levels(found).values()) == {Level.UNKNOWN}
    for name in checks - {"privilege"}:
        assert str(errno) in found[name].observed


@pytest.mark.parametrize("errno", [2006, 2013, 2003])
@pytest.mark.parametrize("part", [part for part, _ in READS])
def test_a_lost_connection_ends_all(part: str, errno: int) -> None:
    server = healthy()
    server.faults[part] = errno
    with pytest.raises(ServerError, match=str(errno)):
        findings(server)


def test_a_clock_that_cannot_be_read() -> None:
    server = healthy()
    server.utc_offset = None
    found = findings(server)
    checks = ("out_of_scope", "destination_set", "archive_state")
    assert levels(found) == dict.fromkeys(checks, Level.UNKNOWN)


@pytest.mark.parametrize("error", [UnreadableError, ValueError])
def test_what_cannot_be_understood_is_unknown_without_its_secrets(error: type[ValueError]) -> None:
    def check() -> Finding:
        raise error("oss://b/d?access_key=wJalrZq is what it said")

    (found,) = shared.run([("some", check)])
    assert (found.check, found.level) == ("some", Level.UNKNOWN)
    assert "wJalr" not in found.observed


def test_the_first_few_of_many() -> None:
    assert shared.few([]) == ""
    assert shared.few(["a", "b"], "; ") == "a; b"
    assert shared.few(list("abcdefg")) == "a, b, c, d, e and 2 more"
