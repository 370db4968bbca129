"""Destination and options of 4.x: only a difference is written, whole, and only while nothing runs."""

from __future__ import annotations

import pytest

from airflow_ob_provider.oceanbase.changes import Change
from airflow_ob_provider.oceanbase.destination import Destination, DestinationOption, Keys, WantedDestination
from airflow_ob_provider.oceanbase.dialects import v4_places
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.models import Scope
from airflow_ob_provider.oceanbase.options import ArchiveMode, Compression, WantedOption
from tests.unit.oceanbase.fake_server4 import FakeServer4, healthy, version

ID, KEY, NEW_ID, NEW_KEY = "AKID42zq", "wJalrZq/+=", "AKNEW77x", "nEwKey81zq"
OSS = f"oss://bucket/dir?host=h.example.com&access_id={ID}&access_key={KEY}"
OSS_SHOWN = "oss://bucket/dir?host=h.example.com&access_id=***&access_key=***"
EE = f"oss://bucket/dir?host=h.example.com&access_id={ID}&encrypt_key=Zq9F3ACAF"
S3 = f"s3://bucket/dir?host=s3.example.com&access_id={ID}&access_key={KEY}&s3_region=eu-1"
SECRETS = (KEY, NEW_KEY, ID, NEW_ID, "Zq9F3ACAF")
NOT_STOP = ["PREPARE", "BEGINNING", "DOING", "INTERRUPTED", "SUSPENDING", "SUSPEND", "STOPPING", "WHATEVER"]


def dialect(server: FakeServer4) -> V4Dialect:
    return V4Dialect(server.version, server)


def stopped(number: str = "4.2.5.0", *, own: int | None = None) -> FakeServer4:
    server = healthy(number, own=own)
    stop(server)
    return server


def stop(server: FakeServer4) -> None:
    for tenant_id in (1002, 1004):
        server.archive(tenant_id, "STOP")
    if server.version.at_least(4, 1):
        server.update("DBA_OB_TENANTS", LOG_MODE="NOARCHIVELOG")


def keyless(*changes: Change) -> None:
    """No secret in anything that is ever shown of a change."""
    for change in changes:
        shown = [repr(change), str(change), change.before, change.after, change.refusal]
        shown += [part for one in change.statements for part in (str(one), repr(one), one.redacted)]
        for words in shown:
            for secret in SECRETS:
                assert secret not in words


def to(uri: str | None = None, *, days: int | None = None, keys: Keys | None = None) -> WantedDestination:
    return WantedDestination(Destination.parse(uri) if uri else None, None, days, keys)


def plan(server: FakeServer4, wanted: WantedDestination | WantedOption, *tenants: str) -> tuple[Change, ...]:
    found = dialect(server)
    ask = found.plan_destination if isinstance(wanted, WantedDestination) else found.plan_option
    changes = ask(wanted, tenants)  # type: ignore[arg-type]
    keyless(*changes)
    for change in changes:
        assert change.scope is Scope.TENANT
        assert not (change.refusal and change.statements)
        assert bool(change.statements) <= (change.before != change.after or not change.settled)
    return changes


def texts(change: Change) -> list[str]:
    return [one.text for one in change.statements]


# --- destination: what is written -------------------------------------------------------------------------------------


def test_a_destination_that_is_there_is_left_alone() -> None:
    for change, name in zip(plan(healthy(), to("file:///data/nfs/{tenant}")), ("shop", "bank"), strict=True):
        assert (change.place, change.statements, change.refusal) == (name, (), "")
        assert change.before == change.after == f"file:///data/nfs/{name}, OPTIONAL, pieces of 1d"


@pytest.mark.parametrize(("own", "clause"), [(None, " TENANT = 'shop'"), (1002, "")], ids=["sys", "tenant"])
def test_another_place_is_written_with_every_attribute(own: int | None, clause: str) -> None:
    server = stopped(own=own)
    server.destination(1002, "file:///data/nfs/shop", binding="MANDATORY", interval="3d")
    change = plan(server, to("file:///data/new"), "shop")[0]
    assert texts(change) == [
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/new BINDING=Mandatory PIECE_SWITCH_INTERVAL=3d'"
        + clause
    ]
    assert "file:///data/nfs/shop" in change.before
    assert "file:///data/new" in change.after
    assert not change.to_mandatory


def test_a_first_destination_gets_the_defaults() -> None:
    server = stopped()
    for tenant_id in (1002, 1004):
        server.remove("ARCHIVE_DEST", tenant_id)
        server.remove("ARCHIVELOG", tenant_id)
    changes = plan(server, to("file:///data/new/{tenant_id}"))
    assert [texts(change) for change in changes] == [
        [
            f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/new/{number} BINDING=Optional "
            f"PIECE_SWITCH_INTERVAL=1d' TENANT = '{name}'"
        ]
        for number, name in ((1002, "shop"), (1004, "bank"))
    ]
    assert {change.before for change in changes} == {"not set"}


@pytest.mark.parametrize("shown", ["1d", "86400000000", "1D"])
def test_the_interval_as_manual_and_kernel_write_it(shown: str) -> None:
    server = healthy()
    server.destination(1002, "file:///data/nfs/shop", interval=shown)
    assert dialect(server).destinations()[0].days == 1
    for wanted in (to("file:///data/nfs/shop"), to(days=1)):
        change = plan(server, wanted, "shop")[0]
        assert (change.statements, change.refusal) == ((), ""), "nothing to be done, and so nothing to refuse"


@pytest.mark.parametrize("shown", ["Optional", "OPTIONAL", "optional"])
def test_the_mode_as_manual_and_kernel_write_it(shown: str) -> None:
    server = healthy()
    server.destination(1002, "file:///data/nfs/shop", binding=shown)
    for wanted in (to("file:///data/nfs/shop"), WantedOption(mode=ArchiveMode.OPTIONAL)):
        change = plan(server, wanted, "shop")[0]
        assert (change.statements, change.refusal) == ((), "")


@pytest.mark.parametrize("interval", ["36h", "soon", "0", "", "90000000000"])
def test_an_interval_that_cannot_be_read_is_written_where_one_is_wanted(interval: str) -> None:
    server = stopped()
    server.destination(1002, "file:///data/nfs/shop", interval=interval)
    change = plan(server, to(days=2), "shop")[0]
    assert "PIECE_SWITCH_INTERVAL=2d" in texts(change)[0]


def test_the_interval_keeps_place_and_mode() -> None:
    server = stopped()
    server.destination(1002, "file:///data/nfs/shop", binding="MANDATORY")
    change = plan(server, to(days=7), "shop")[0]
    assert texts(change) == [
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/nfs/shop BINDING=Mandatory "
        "PIECE_SWITCH_INTERVAL=7d' TENANT = 'shop'"
    ]
    assert not change.to_mandatory


def test_the_mode_keeps_place_and_interval() -> None:
    server = stopped()
    server.destination(1002, "file:///data/nfs/shop", interval="5d")
    change = plan(server, WantedOption(mode=ArchiveMode.MANDATORY), "shop")[0]
    assert texts(change) == [
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/nfs/shop BINDING=Mandatory "
        "PIECE_SWITCH_INTERVAL=5d' TENANT = 'shop'"
    ]
    assert change.to_mandatory


def test_back_to_optional_is_not_to_mandatory() -> None:
    server = stopped()
    server.destination(1002, "file:///data/nfs/shop", binding="MANDATORY")
    change = plan(server, WantedOption(mode=ArchiveMode.OPTIONAL), "shop")[0]
    assert "BINDING=Optional" in texts(change)[0]
    assert not change.to_mandatory
    assert not plan(server, WantedOption(mode=ArchiveMode.MANDATORY), "shop")[0].to_mandatory


def test_a_written_destination_has_time_and_is_a_write() -> None:
    (statement,) = plan(stopped(), to("file:///data/new"), "shop")[0].statements
    assert statement.writes
    assert statement.timeout is not None
    assert statement.timeout >= 60, "object stores were seen to take longer than the default of 10 s (2.1)"


def test_only_the_tenants_asked_for() -> None:
    assert [change.place for change in plan(stopped(), to("file:///data/new/{tenant}"), "bank")] == ["bank"]
    assert [change.place for change in plan(stopped(), to("file:///data/new/{tenant}"))] == ["shop", "bank"]


@pytest.mark.parametrize("status", ["RESTORE", "CREATING", "DROPPING"])
@pytest.mark.parametrize("wanted", [to("file:///data/new"), WantedOption(lag_target=60)])
def test_tenants_that_are_not_there_or_not_normal_hold_up_no_other(
    wanted: WantedDestination | WantedOption, status: str
) -> None:
    server = stopped()
    server.update("DBA_OB_TENANTS", 1004, STATUS=status)
    for name in ("bank", "nobody", "sys", "META$1002"):
        found = {change.place: change for change in plan(server, wanted, name, "shop")}
        assert set(found) == {name, "shop"}
        assert found[name].refusal.startswith("no user tenant of that name is NORMAL")
        assert found[name].before == found[name].after == v4_places.NOT_SET
        assert found[name].statements == ()
        assert (len(found["shop"].statements), found["shop"].refusal) == (1, "")
    assert [change.place for change in plan(server, wanted)] == ["shop"]


@pytest.mark.parametrize("days", [1, 7])
def test_an_interval_alone_needs_a_destination(days: int) -> None:
    server = stopped()
    server.remove("ARCHIVE_DEST", 1002)
    shop, bank = plan(server, to(days=days))
    assert shop.statements == ()
    assert shop.unset
    assert shop.refusal.startswith("its destination is not set, and mode (BINDING) and piece interval")
    assert shop.refusal.endswith("set it first")
    assert (bank.refusal, len(bank.statements)) == ("", int(days != 1))


def test_an_option_of_3_x_is_refused() -> None:
    wanted = WantedDestination(None, DestinationOption.parse("recovery_window=7d"))
    for change in plan(stopped(), wanted):
        assert change.refusal.startswith("destination_option is of 3.x; 4.x has piece_switch_interval")


@pytest.mark.parametrize("wanted", [to(), WantedOption()])
@pytest.mark.parametrize("state", ["running", "stopped", "unset"])
def test_nothing_wanted_nothing_changed(state: str, wanted: WantedDestination | WantedOption) -> None:
    server = healthy() if state == "running" else stopped()
    if state == "unset":
        server.clear("ARCHIVE_DEST")
    for change in plan(server, wanted):
        assert (change.statements, change.refusal) == ((), "")
        assert change.before == change.after


# --- destination: when it may be written ------------------------------------------------------------------------------


@pytest.mark.parametrize("defer", [False, True], ids=["enable", "defer"])
@pytest.mark.parametrize("mode", ["ARCHIVELOG", "NOARCHIVELOG"])
@pytest.mark.parametrize("status", NOT_STOP)
@pytest.mark.parametrize("wanted", [to("file:///data/new"), to(days=2), WantedOption(mode=ArchiveMode.MANDATORY)])
def test_refused_while_a_round_exists_that_is_not_stop(
    wanted: WantedDestination | WantedOption, status: str, mode: str, defer: bool
) -> None:
    server = healthy()
    server.archive(1002, status)
    server.update("DBA_OB_TENANTS", 1002, LOG_MODE=mode)
    server.destination(1002, "file:///data/nfs/shop", state="DEFER" if defer else "ENABLE")
    change = plan(server, wanted, "shop")[0]
    assert change.statements == ()
    assert not change.to_mandatory
    for words in (status, "STOP", "1235", "gap", "Keep them as they are, or stop log backup of this tenant first"):
        assert words in change.refusal
    assert change.refusal.endswith("take a full data backup after the next start")
    assert change.before == change.after


@pytest.mark.parametrize("status", ["STOP", None], ids=["STOP", "no row"])
@pytest.mark.parametrize("mode", ["ARCHIVELOG", "NOARCHIVELOG"])
@pytest.mark.parametrize("state", ["ENABLE", "DEFER"])
@pytest.mark.parametrize("wanted", [to("file:///data/new"), to(days=2), WantedOption(mode=ArchiveMode.MANDATORY)])
def test_allowed_without_a_round_and_in_stop_by_status_alone(
    wanted: WantedDestination | WantedOption, state: str, mode: str, status: str | None
) -> None:
    server = healthy()
    server.remove("ARCHIVELOG", 1002)
    if status:
        server.archive(1002, status)
    server.update("DBA_OB_TENANTS", 1002, LOG_MODE=mode)
    server.destination(1002, "file:///data/nfs/shop", state=state)
    change = plan(server, wanted, "shop")[0]
    assert change.refusal == ""
    assert len(change.statements) == 1


def test_each_tenant_has_its_own_plan() -> None:
    server = healthy()
    server.archive(1002, "STOP")
    shop, bank = plan(server, to("file:///data/new/{tenant}"))
    assert (len(shop.statements), bool(shop.refusal)) == (1, False)
    assert (len(bank.statements), bool(bank.refusal)) == (0, True)


def test_what_a_round_stands_in_the_way_of_is_told() -> None:
    change = plan(healthy(), to("file:///data/new", days=2), "shop")[0]
    assert "can become file:///data/new, OPTIONAL, pieces of 2d only without a round" in change.refusal


def test_the_same_destination_is_fine_while_a_round_runs() -> None:
    """The server refuses even an identical one (2.1.2), so it is not sent."""
    assert plan(healthy(), to("file:///data/nfs/shop", days=1), "shop")[0].refusal == ""


def test_a_tenant_whose_state_is_not_shown_is_not_changed() -> None:
    """It came between two readings."""
    server = stopped()
    found = dialect(server)
    snapshot = found.archive()
    found.archive = lambda: snapshot.of(["bank"])  # type: ignore[method-assign]
    change = found.plan_destination(to("file:///data/new"), ["shop"])[0]
    assert change.statements == ()
    assert change.refusal.startswith("its state is not shown")


# --- destination: a place for each ------------------------------------------------------------------------------------


def test_a_place_for_each_tenant() -> None:
    changes = plan(stopped(), to("file:///data/{cluster}/{tenant_id}/{tenant}_{tenant_id}"))
    assert "LOCATION=file:///data/obdemo/1002/shop_1002 " in texts(changes[0])[0]
    assert "LOCATION=file:///data/obdemo/1004/bank_1004 " in texts(changes[1])[0]


def test_the_cluster_is_asked_for_only_where_its_name_is_needed() -> None:
    server = stopped()
    plan(server, to("file:///data/{tenant}"))
    assert server.asked_for("SHOW PARAMETERS") == []


def test_a_cluster_name_that_cannot_be_read() -> None:
    server = stopped()
    server.shown_parameters.clear()
    for change in plan(server, to("file:///data/{cluster}/{tenant}")):
        assert change.statements == ()
        assert "{cluster}" in change.refusal
    server.shows["SHOW PARAMETERS"] = [{"name": "cluster", "value": "a b"}]
    assert all(change.refusal for change in plan(server, to("file:///data/{cluster}/{tenant}")))


@pytest.mark.parametrize("uri", ["file:///data/new", "file:///data/{cluster}", OSS])
def test_two_tenants_cannot_share_a_place(uri: str) -> None:
    for change in plan(stopped(), to(uri)):
        assert change.statements == ()
        for words in ("9081", "{tenant}", "2 tenants"):
            assert words in change.refusal
        assert change.before == change.after == f"file:///data/nfs/{change.place}, OPTIONAL, pieces of 1d"


@pytest.mark.parametrize("uri", ["file:///data/nfs/bank", "file:///data/nfs/bank/"])
def test_a_place_that_another_tenant_has(uri: str) -> None:
    change = plan(stopped(), to(uri), "shop")[0]
    assert change.statements == ()
    assert "bank" in change.refusal
    assert "9081" in change.refusal


@pytest.mark.parametrize("status", ["RESTORE", "CREATING", "DROPPING"])
def test_a_place_of_a_tenant_that_is_not_normal_is_taken(status: str) -> None:
    server = stopped()
    server.update("DBA_OB_TENANTS", 1004, STATUS=status)
    for change in (*plan(server, to("file:///data/nfs/bank"), "shop"), *plan(server, to("file:///data/nfs/bank"))):
        assert change.statements == ()
        assert "bank" in change.refusal
        assert "9081" in change.refusal


def test_a_place_of_a_tenant_in_the_recycle_bin_is_taken() -> None:
    server = stopped()
    server.update("DBA_OB_TENANTS", 1004, IN_RECYCLEBIN="YES")
    assert "bank" in plan(server, to("file:///data/nfs/bank"), "shop")[0].refusal


def test_a_place_is_not_taken_over_from_one_that_is_to_leave_it() -> None:
    """Its files stay there, so the server refuses the directory (9081)."""
    server = stopped()
    server.destination(1002, "file:///data/nfs/1004")
    shop, bank = plan(server, to("file:///data/nfs/{tenant_id}"))
    assert (shop.refusal, len(shop.statements)) == ("", 1)
    assert bank.statements == ()
    assert "shop" in bank.refusal
    server.destination(1004, "file:///data/nfs/1002")
    for change, other in zip(plan(server, to("file:///data/nfs/{tenant_id}")), ("bank", "shop"), strict=True):
        assert change.statements == ()
        assert other in change.refusal


def test_tenants_that_share_a_place_already_keep_it() -> None:
    """The same place again is never refused, whoever else shows it."""
    server = stopped()
    for tenant_id in (1002, 1004):
        server.destination(tenant_id, OSS)
    for uri in (OSS, "oss://bucket/dir?host=h.example.com"):
        for change in (*plan(server, to(uri)), *plan(server, to(uri), "shop")):
            assert (change.statements, change.refusal) == ((), "")


def test_a_place_on_another_host_is_another_place() -> None:
    server = stopped()
    server.destination(1004, OSS)
    change = plan(server, to(OSS.replace("h.example", "i.example")), "shop")[0]
    assert (change.refusal, len(change.statements)) == ("", 1)
    assert "bank" in plan(server, to(f"{OSS}&checksum_type=md5"), "shop")[0].refusal


def test_one_tenants_own_place_needs_no_placeholder() -> None:
    assert plan(stopped(), to("file:///data/new"), "shop")[0].refusal == ""
    server = stopped(own=1002)
    assert plan(server, to("file:///data/new"))[0].refusal == ""


BAD_NAMES = ["a b", "a'b", 'a"b', "a\\b", "a`b", "a\nb", "a?b", "a/b", "a&b", "ä"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_cannot_stand_in_a_path_holds_up_no_other(name: str) -> None:
    server = stopped()
    server.update("DBA_OB_TENANTS", 1002, TENANT_NAME=name)
    (alone,) = plan(server, to("file:///data/{tenant}"), name)
    shop, bank = plan(server, to("file:///data/{tenant}"))
    for change in (alone, shop):
        assert (change.place, change.statements) == (name, ())
        assert "{tenant}" in change.refusal
        assert "path" in change.refusal
    assert (bank.refusal, len(bank.statements)) == ("", 1)


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a\\b", "a`b"])
@pytest.mark.parametrize(
    "wanted", [to("file:///data/{tenant_id}"), WantedOption(lag_target=60), WantedOption(concurrency=4)]
)
def test_a_name_that_cannot_be_quoted_holds_up_no_other(wanted: WantedDestination | WantedOption, name: str) -> None:
    server = stopped()
    server.update("DBA_OB_TENANTS", 1002, TENANT_NAME=name)
    shop, bank = plan(server, wanted)
    assert (shop.place, shop.statements) == (name, ())
    assert "tenant holds" in shop.refusal
    assert (bank.refusal, len(bank.statements)) == ("", 1)


@pytest.mark.parametrize(
    "uri", ["FILE:///data", "http://data", "oss://bucket/dir", "file:///a?b=c", "file:///a/{when}"]
)
def test_what_no_server_takes(uri: str) -> None:
    change = plan(stopped(), to(uri), "shop")[0]
    assert change.refusal
    assert change.statements == ()


def test_obs_is_reached_as_s3() -> None:
    change = plan(stopped(), to(f"obs://bucket/dir?host=h&access_id={ID}&access_key={KEY}"), "shop")[0]
    assert "s3://" in change.refusal


# --- destination: what is the same place ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        OSS,
        OSS.replace("dir?", "dir/?"),
        OSS.replace("dir?", "dir///?"),
        f"oss://bucket/dir?access_key={NEW_KEY}&access_id={NEW_ID}&host=h.example.com",
        f"{OSS}&delete_mode=tagging",
        f"{OSS}&checksum_type=md5",
    ],
)
@pytest.mark.parametrize("shown", [OSS, f"{OSS}&checksum_type=md5", f"{OSS}&delete_mode=delete", EE])
def test_the_same_root_and_host_is_the_same_place(shown: str, uri: str) -> None:
    server = healthy()
    server.destination(1002, shown)
    change = plan(server, to(uri), "shop")[0]
    assert (change.statements, change.refusal) == ((), "")


@pytest.mark.parametrize(
    "uri",
    [
        OSS.replace("h.example", "i.example"),
        OSS.replace("dir", "other"),
        OSS.replace("bucket", "pail"),
        OSS.replace("oss:", "s3:"),
    ],
)
def test_another_root_or_host_is_another_place(uri: str) -> None:
    server = stopped()
    server.destination(1002, OSS)
    change = plan(server, to(uri), "shop")[0]
    assert len(change.statements) == 1
    assert f"access_key={KEY}" in texts(change)[0]


@pytest.mark.parametrize("shown", ["file:///data/nfs/shop", "file:///data/nfs/shop/"])
@pytest.mark.parametrize("uri", ["file:///data/nfs/shop", "file:///data/nfs/shop//"])
def test_slashes_at_the_end_do_not_count(shown: str, uri: str) -> None:
    server = healthy()
    server.destination(1002, shown)
    assert plan(server, to(uri), "shop")[0].statements == ()


# --- keys -------------------------------------------------------------------------------------------------------------


def wish(kind: str, keys: Keys | None = None) -> WantedDestination | WantedOption:
    return to(days=2, keys=keys) if kind == "interval" else WantedOption(mode=ArchiveMode.MANDATORY, keys=keys)


@pytest.mark.parametrize("kind", ["interval", "mode"])
@pytest.mark.parametrize("uri", [OSS, S3, f"{OSS}&delete_mode=tagging&checksum_type=md5"])
def test_keys_that_the_server_shows_are_written_back_and_never_shown(uri: str, kind: str) -> None:
    server = stopped()
    server.destination(1002, uri)
    change = plan(server, wish(kind), "shop")[0]
    (text,) = texts(change)
    assert f"access_id={ID}" in text
    assert f"access_key={KEY}" in text
    for pair in uri.partition("?")[2].split("&"):
        assert pair in text
    assert f"access_key={KEY}" not in change.statements[0].redacted
    assert "access_key=***" in change.statements[0].redacted


@pytest.mark.parametrize("kind", ["interval", "mode"])
@pytest.mark.parametrize(
    "uri", [EE, f"{OSS}&encrypt_key=Zq9F3ACAF", "oss://bucket/dir?host=h.example.com", OSS.replace(KEY, "")]
)
def test_keys_that_are_not_shown_have_to_be_given(uri: str, kind: str) -> None:
    server = stopped()
    server.destination(1002, uri)
    change = plan(server, wish(kind), "shop")[0]
    assert change.statements == ()
    assert change.refusal.endswith("give the connection that holds them (dest_conn_id)")
    change = plan(server, wish(kind, Keys(NEW_ID, NEW_KEY)), "shop")[0]
    (text,) = texts(change)
    assert f"access_id={NEW_ID}&access_key={NEW_KEY}" in text
    assert "encrypt_key" not in text, "the server refuses it (9026)"
    assert ID not in text
    assert "host=h.example.com" in text


@pytest.mark.parametrize("kind", ["interval", "mode"])
@pytest.mark.parametrize("key", ["nEwKey&81zq", "nEwKey'81zq", 'nEwKey"81zq', "nEwKey\\81zq", "nEwKey`81zq"])
def test_keys_that_cannot_be_sent_hold_up_no_other(key: str, kind: str) -> None:
    server = stopped()
    server.destination(1002, EE)
    shop, bank = plan(server, wish(kind, Keys(NEW_ID, key)))
    assert shop.statements == ()
    assert shop.refusal
    assert "81zq" not in f"{shop}"
    assert (bank.refusal, len(bank.statements)) == ("", 1)


@pytest.mark.parametrize("kind", ["interval", "mode"])
def test_a_key_with_a_blank_is_sent_as_the_server_wants_it(kind: str) -> None:
    server = stopped()
    server.destination(1002, EE)
    (text,) = texts(plan(server, wish(kind, Keys(NEW_ID, "nEwKey 81")), "shop")[0])
    assert "access_key=nEwKey%2081 " in text


@pytest.mark.parametrize("kind", ["interval", "mode"])
def test_keys_are_not_for_a_directory(kind: str) -> None:
    (text,) = texts(plan(stopped(), wish(kind, Keys(NEW_ID, NEW_KEY, "h")), "shop")[0])
    assert "LOCATION=file:///data/nfs/shop " in text


def test_new_keys_alone_are_no_difference() -> None:
    server = stopped()
    server.destination(1002, OSS)
    change = plan(server, to(OSS.replace(KEY, NEW_KEY), keys=Keys(NEW_ID, NEW_KEY)), "shop")[0]
    assert change.statements == ()


def test_keys_are_nowhere_in_a_place() -> None:
    server = stopped()
    server.destination(1002, OSS)
    shop = dialect(server).destinations()[0]
    assert KEY in shop.uri
    for shown in (repr(shop), str(shop), str(shop.destination), repr(shop.destination), f"{shop!s}"):
        assert KEY not in shown
        assert ID not in shown
    assert OSS_SHOWN in str(shop)


def test_only_the_reading_of_destinations_may_hold_secrets() -> None:
    server = stopped()
    server.destination(1002, OSS)
    plan(server, to(days=2), "shop")
    holding = [one for one in server.asked if one.holds_secrets]
    assert holding
    assert all("ARCHIVE_DEST" in one.text for one in holding)
    dialect(server).archive()
    dialect(server).pieces()
    dialect(server).freeze_progress(since=None)
    assert not any(one.holds_secrets for one in server.asked[-8:] if "AS binding" not in one.text)


def test_a_refusal_of_a_place_holds_no_keys() -> None:
    server = healthy()
    server.destination(1002, OSS)
    for uri in (S3, OSS.replace("dir", "new"), OSS.replace("oss:", "obs:"), OSS.replace("dir", "a b")):
        change = plan(server, to(uri), "shop")[0]
        assert change.refusal
    stop(server)
    server.destination(1002, S3)
    server.destination(1004, OSS)
    assert "bank" in plan(server, to(OSS), "shop")[0].refusal


# --- schemes by version -----------------------------------------------------------------------------------------------

SCHEMES = {
    # version: cos, s3, azblob; - refused, ? a doubt, + fine
    "4.0.0.0": "---",
    "4.1.0.0": "---",
    "4.2.0.0": "+--",
    "4.2.1.0": "+?-",
    "4.2.1.6": "+?-",
    "4.2.1.7": "++-",
    "4.2.2.0": "+?-",
    "4.2.3.0": "++-",
    "4.2.4.0": "++-",
    "4.2.5.0": "++?",
    "4.2.5.6": "+++",
    "4.3.0.0": "++-",
    "4.3.3.0": "++-",
    "4.3.5.0": "++?",
    "4.3.5.3": "+++",
    "4.4.0.0": "+++",
}
URIS = {
    "file": "file:///data/new",
    "oss": OSS,
    "cos": f"cos://bucket/dir?host=h&access_id={ID}&access_key={KEY}&appid=7",
    "s3": S3,
    "azblob": f"azblob://bucket/dir?host=h&access_id={ID}&access_key={KEY}",
}


@pytest.mark.parametrize("number", SCHEMES)
@pytest.mark.parametrize("scheme", URIS)
def test_schemes_by_version(scheme: str, number: str) -> None:
    sign = dict(zip(("cos", "s3", "azblob"), SCHEMES[number], strict=True)).get(scheme, "+")
    change = plan(stopped(number), to(URIS[scheme]), "shop")[0]
    doubt = v4_places.scheme_doubt(scheme, version(number))
    assert bool(change.refusal) is (sign == "-")
    assert bool(change.statements) is (sign != "-")
    assert bool(doubt) is (sign == "?")
    assert bool(v4_places.scheme_problem(scheme, version(number))) is (sign == "-")
    if sign == "-":
        assert f"{scheme}://" in change.refusal
        assert number in change.refusal
    if doubt:
        assert "BP" in doubt
        assert "9026" in doubt


def test_the_version_that_is_needed_is_told() -> None:
    assert str(v4_places.scheme_problem("s3", version("4.1.0.0"))).endswith("which came with 4.2.1.7 and 4.3.0")
    assert str(v4_places.scheme_doubt("s3", version("4.2.1.0"))).startswith("s3:// needs 4.2.1 BP7 or later")


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("own", "clause"), [(None, " TENANT = 'shop'"), (1002, "")], ids=["sys", "tenant"])
def test_parameters_may_change_while_a_round_runs(own: int | None, clause: str) -> None:
    change = plan(healthy(own=own), WantedOption(lag_target=60, concurrency=8), "shop")[0]
    assert texts(change) == [
        f"ALTER SYSTEM SET archive_lag_target = '60s'{clause}",
        f"ALTER SYSTEM SET log_archive_concurrency = '8'{clause}",
    ]
    assert "archive_lag_target 120s" in change.before
    assert "archive_lag_target 60s" in change.after
    assert (change.refusal, change.unset, change.settled, change.to_mandatory) == ("", False, True, False)


@pytest.mark.parametrize(("shown", "same"), [("120s", True), ("2m", True), ("120000ms", True), ("119s", False)])
def test_a_lag_target_is_compared_as_a_time(shown: str, same: bool) -> None:
    server = healthy()
    server.parameter(1002, "archive_lag_target", shown, shown)
    change = plan(server, WantedOption(lag_target=120), "shop")[0]
    assert (change.statements == ()) is same


@pytest.mark.parametrize("shown", ["0ms", "0s", "0"])
def test_no_lag_target(shown: str) -> None:
    server = healthy()
    server.parameter(1002, "archive_lag_target", shown, shown)
    assert plan(server, WantedOption(lag_target=0), "shop")[0].statements == ()


@pytest.mark.parametrize(("shown", "same"), [("4", True), ("0", False)])
def test_concurrency_is_compared(shown: str, same: bool) -> None:
    server = healthy()
    server.parameter(1002, "log_archive_concurrency", shown, shown)
    assert (plan(server, WantedOption(concurrency=4), "shop")[0].statements == ()) is same


def test_parameters_that_are_not_shown_are_written() -> None:
    server = healthy()
    server.clear("GV$OB_PARAMETERS")
    change = plan(server, WantedOption(lag_target=120, concurrency=0), "shop")[0]
    assert len(change.statements) == 2
    shown = "archive_lag_target not shown, log_archive_concurrency not shown"
    assert change.before == f"file:///data/nfs/shop, OPTIONAL, pieces of 1d, {shown}"


def test_each_parameter_is_compared_by_itself() -> None:
    change = plan(healthy(), WantedOption(lag_target=120, concurrency=4), "shop")[0]
    assert texts(change) == ["ALTER SYSTEM SET log_archive_concurrency = '4' TENANT = 'shop'"]
    change = plan(healthy(), WantedOption(lag_target=60, concurrency=0), "shop")[0]
    assert texts(change) == ["ALTER SYSTEM SET archive_lag_target = '60s' TENANT = 'shop'"]


def test_servers_that_differ_are_not_settled() -> None:
    server = healthy()
    server.parameter(1002, "archive_lag_target", "120s", "60s")
    shop, bank = plan(server, WantedOption(lag_target=60))
    assert not shop.settled
    assert shop.before.endswith(", archive_lag_target 120s / 60s")
    assert bank.settled
    server.parameter(1002, "archive_lag_target", "60s", "60s")
    assert plan(server, WantedOption(lag_target=60), "shop")[0].settled
    server.parameter(1002, "log_archive_concurrency", "1", "2")
    assert plan(server, WantedOption(lag_target=60), "shop")[0].settled, "nobody asked for the other"


@pytest.mark.parametrize("lag", [60, 120])
def test_servers_that_differ_are_set_again_whichever_of_them_is_shown(lag: int) -> None:
    server = healthy()
    server.parameter(1002, "archive_lag_target", "120s", "60s")
    change = plan(server, WantedOption(lag_target=lag), "shop")[0]
    assert texts(change) == [f"ALTER SYSTEM SET archive_lag_target = '{lag}s' TENANT = 'shop'"]
    assert not change.settled


def test_parameters_are_not_read_where_none_is_wanted() -> None:
    server = stopped()
    plan(server, WantedOption(mode=ArchiveMode.MANDATORY))
    assert server.asked_for("GV$OB_PARAMETERS") == []


@pytest.mark.parametrize("uri", [S3, OSS, "file:///data/nfs/shop"])
@pytest.mark.parametrize("lag", [0, 59, 60, 7200])
def test_s3_has_a_least_lag_target(lag: int, uri: str) -> None:
    server = healthy()
    server.destination(1002, uri)
    change = plan(server, WantedOption(lag_target=lag), "shop")[0]
    refused = uri is S3 and lag < 60
    assert bool(change.refusal) is refused
    assert bool(change.statements) is not refused
    if refused:
        assert "60" in change.refusal
        assert "S3" in change.refusal


def test_without_a_destination_only_concurrency_can_be_set() -> None:
    server = stopped()
    server.remove("ARCHIVE_DEST", 1002)
    for wanted in (WantedOption(lag_target=60), WantedOption(mode=ArchiveMode.MANDATORY)):
        change = plan(server, wanted, "shop")[0]
        assert change.statements == ()
        assert "destination" in change.refusal
        assert "first" in change.refusal
        assert change.unset
        assert not change.to_mandatory
    both = plan(server, WantedOption(mode=ArchiveMode.MANDATORY, lag_target=60), "shop")[0]
    assert both.refusal.startswith("lag_target needs a destination (4179): set it first; its destination is not set, ")
    change = plan(server, WantedOption(concurrency=4), "shop")[0]
    assert (len(change.statements), change.refusal, change.unset) == (1, "", True)
    assert not plan(server, WantedOption(concurrency=4), "bank")[0].unset


@pytest.mark.parametrize("compression", list(Compression))
def test_4_x_does_not_compress(compression: Compression) -> None:
    changes = plan(stopped(), WantedOption(compression=compression, concurrency=4))
    assert [change.place for change in changes] == ["shop", "bank"]
    for change in changes:
        assert change.statements == ()
        assert "keep" in change.refusal
        assert change.before == change.after == f"file:///data/nfs/{change.place}, OPTIONAL, pieces of 1d"


@pytest.mark.parametrize(
    ("number", "lag", "concurrencies"),
    [
        # archive_lag_target, and the range of log_archive_concurrency
        ("4.1.0.0", False, range(1, 101)),
        ("4.2.0.0", True, range(101)),
        ("4.2.1.0", True, range(101)),
        ("4.2.5.6", True, range(101)),
        ("4.3.0.0", True, range(101)),
        ("4.3.5.3", True, range(101)),
        ("4.4.0.0", True, range(101)),
    ],
)
def test_parameters_by_version(number: str, lag: bool, concurrencies: range) -> None:
    server = healthy(number)
    server.parameter(1002, "log_archive_concurrency", "50", "50")
    change = plan(server, WantedOption(lag_target=60), "shop")[0]
    assert bool(change.statements) is lag
    assert bool(change.refusal) is not lag
    if not lag:
        assert "4.2.0" in change.refusal
    for value in (0, 1, 100):
        change = plan(server, WantedOption(concurrency=value), "shop")[0]
        assert bool(change.statements) is (value in concurrencies)
        assert bool(change.refusal) is (value not in concurrencies)


def test_4_0_has_no_log_archive_concurrency_but_the_mode() -> None:
    server = stopped("4.0.0.0")
    change = plan(server, WantedOption(mode=ArchiveMode.MANDATORY), "shop")[0]
    assert (change.refusal, len(change.statements)) == ("", 1)
    for wanted, since in (
        (WantedOption(concurrency=4), "4.1.0"),
        (WantedOption(concurrency=0), "4.1.0"),
        (WantedOption(lag_target=60), "4.2.0"),
        (WantedOption(mode=ArchiveMode.MANDATORY, lag_target=60), "4.2.0"),
    ):
        for change in plan(server, wanted):
            assert change.statements == ()
            assert since in change.refusal
            assert not change.unset
    server.remove("ARCHIVE_DEST", 1002)
    assert plan(server, WantedOption(lag_target=60), "shop")[0].unset


def test_mode_and_parameters_go_together_or_not_at_all() -> None:
    wanted = WantedOption(mode=ArchiveMode.MANDATORY, lag_target=60, concurrency=4)
    change = plan(stopped(), wanted, "shop")[0]
    assert len(change.statements) == 3
    assert change.to_mandatory
    tuned = "archive_lag_target 60s, log_archive_concurrency 4"
    assert change.after == f"file:///data/nfs/shop, MANDATORY, pieces of 1d, {tuned}"
    change = plan(healthy(), wanted, "shop")[0]
    assert change.statements == ()
    assert "1235" in change.refusal
    assert not change.to_mandatory


# --- what cannot be read ----------------------------------------------------------------------------------------------

UNREADABLE = [
    {"binding": None},
    {"binding": "MAYBE"},
    {"interval": None},
    {"interval": "36h"},
    {"interval": "²"},
    {"interval": "864" + "0" * 20},
]
NAMES = ["no mode", "another mode", "no interval", "hours", "no number", "too long"]
unreadable = pytest.mark.parametrize("rows", UNREADABLE, ids=NAMES)


@unreadable
def test_only_what_was_asked_for_is_changed_beside_what_cannot_be_read(rows: dict[str, str | None]) -> None:
    server = healthy()
    server.destination(1002, "file:///data/nfs/shop", **rows)  # type: ignore[arg-type]
    for wanted, count in (
        (WantedOption(lag_target=60), 1),
        (WantedOption(concurrency=4), 1),
        (WantedOption(), 0),
        (to(), 0),
        (to("file:///data/nfs/{tenant}"), 0),
    ):
        change = plan(server, wanted, "shop")[0]
        assert (change.refusal, len(change.statements)) == ("", count)
        assert not any("LOG_ARCHIVE_DEST" in text for text in texts(change))


@unreadable
def test_what_cannot_be_read_is_not_guessed_where_all_is_written_again(rows: dict[str, str | None]) -> None:
    server = stopped()
    server.destination(1002, "file:///data/nfs/shop", **rows)  # type: ignore[arg-type]
    other = to(days=2) if "binding" in rows else WantedOption(mode=ArchiveMode.MANDATORY)
    for wanted in (to("file:///data/new/{tenant}"), other):
        shop, bank = plan(server, wanted)
        assert shop.statements == ()
        assert shop.before == shop.after
        assert not shop.to_mandatory
        for words in ("cannot be read", "by hand, with LOCATION, BINDING and PIECE_SWITCH_INTERVAL"):
            assert words in shop.refusal
        assert (bank.refusal, len(bank.statements)) == ("", 1)


def test_what_the_catalogue_lacks_is_told() -> None:
    server = healthy()
    server.destination(1002, "file:///data/nfs/shop", binding=None, interval=None)
    assert str(dialect(server).destinations()[0]) == "file:///data/nfs/shop, no binding, pieces of no interval"


@pytest.mark.parametrize("mode", list(ArchiveMode))
def test_a_mode_that_cannot_be_read_is_written_where_one_is_wanted(mode: ArchiveMode) -> None:
    server = stopped()
    server.destination(1002, "file:///data/nfs/shop", binding="MAYBE", interval="3d")
    change = plan(server, WantedOption(mode=mode), "shop")[0]
    assert texts(change) == [
        f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/nfs/shop BINDING={mode.capitalize()} "
        "PIECE_SWITCH_INTERVAL=3d' TENANT = 'shop'"
    ]
    assert change.to_mandatory is (mode is ArchiveMode.MANDATORY), "it may have been optional"


SHOWN = "OPTIONAL, pieces of 1d"


@pytest.mark.parametrize("path", ["backuparchive", "://", f"bucket?access_id={ID}&access_key={KEY}"])
def test_a_place_that_cannot_be_read(path: str) -> None:
    server = stopped()
    server.destination(1002, path)
    place = dialect(server).destinations()[0]
    assert (place.uri, place.destination) == (path, None)
    assert str(place) == f"{path.partition('?')[0]}{'?access_id=***&access_key=***' if '?' in path else ''}, {SHOWN}"
    assert KEY not in str(place)
    shop, bank = plan(server, to("file:///data/new/{tenant}"))
    assert "LOCATION=file:///data/new/shop " in texts(shop)[0]
    assert len(bank.statements) == 1
    for wanted in (to(days=2), WantedOption(mode=ArchiveMode.MANDATORY)):
        shop, bank = plan(server, wanted)
        assert (shop.statements, shop.unset) == ((), False)
        assert "cannot be read" in shop.refusal
        assert len(bank.statements) == 1
    assert len(plan(server, WantedOption(lag_target=60), "shop")[0].statements) == 1


# --- DEFER and S3 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["DEFER", "defer", " Defer "])
@pytest.mark.parametrize("wanted", [to("file:///data/new"), to(days=2), WantedOption(mode=ArchiveMode.MANDATORY)])
def test_a_write_that_lifts_defer_is_told(wanted: WantedDestination | WantedOption, state: str) -> None:
    """SET LOG_ARCHIVE_DEST resets the destination's state to ENABLE (2.1)."""
    server = stopped()
    server.destination(1002, "file:///data/nfs/shop", state=state)
    assert dialect(server).destinations()[0].deferred
    change = plan(server, wanted, "shop")[0]
    assert len(change.statements) == 1
    assert "DEFER" in change.before
    assert change.after.endswith("d, no longer in DEFER")
    server.destination(1002, "file:///data/nfs/shop")
    change = plan(server, wanted, "shop")[0]
    assert "DEFER" not in change.before + change.after


def test_defer_stays_where_nothing_is_written() -> None:
    server = stopped()
    server.destination(1002, "file:///data/nfs/shop", state="DEFER")
    for wanted in (to("file:///data/nfs/shop"), WantedOption(mode=ArchiveMode.OPTIONAL)):
        change = plan(server, wanted, "shop")[0]
        assert (change.statements, change.refusal) == ((), "")
        assert change.before == change.after
        assert change.after.endswith(", DEFER")


@pytest.mark.parametrize(("lag", "refused"), [("0ms", True), ("59s", True), ("60s", False), ("2m", False)])
def test_s3_is_refused_while_the_lag_target_is_too_small_for_it(lag: str, refused: bool) -> None:
    server = stopped()
    server.parameter(1002, "archive_lag_target", lag, lag)
    shop, bank = plan(server, to(S3.replace("dir", "{tenant}")))
    assert bool(shop.refusal) is refused
    assert bool(shop.statements) is not refused
    if refused:
        assert "(4179): set lag_target (SetArchiveOptionOperator) first" in shop.refusal
        assert "60 s" in shop.refusal
        assert shop.before == shop.after == "file:///data/nfs/shop, OPTIONAL, pieces of 1d"
    assert (shop.place, bank.place) == ("shop", "bank")
    assert (bank.refusal, len(bank.statements)) == ("", 1)
    assert plan(server, to(OSS), "shop")[0].refusal == "", "of S3 only"


def test_s3_and_a_lag_target_that_is_not_shown_is_left_to_the_server() -> None:
    server = stopped()
    for shown in ((), ("soon",)):
        server.parameter(1002, "archive_lag_target", *shown)
        assert plan(server, to(S3), "shop")[0].refusal == ""


def test_lag_targets_are_read_for_s3_only() -> None:
    server = stopped()
    plan(server, to(OSS), "shop")
    plan(server, to(days=2))
    assert server.asked_for("GV$OB_PARAMETERS") == []


def s3_tenant(lag: str) -> FakeServer4:
    server = healthy()
    server.archive(1002, "STOP")
    server.destination(1002, "s3://bucket/dir?host=h&access_id=i&access_key=k")
    server.parameter(1002, "archive_lag_target", lag)
    return server


def test_an_s3_place_that_fits_is_left_alone_whatever_the_lag_target() -> None:
    wanted = WantedDestination(Destination.parse("s3://bucket/dir?host=h&access_id=i&access_key=k"))
    (change,) = dialect(s3_tenant("30s")).plan_destination(wanted, ["shop"])
    assert (change.statements, change.refusal) == ((), "")


@pytest.mark.parametrize(("lag", "refused"), [("30s", True), ("60s", False)])
def test_an_s3_place_is_written_again_only_with_a_lag_target_that_s3_allows(lag: str, refused: bool) -> None:
    (change,) = dialect(s3_tenant(lag)).plan_destination(WantedDestination(piece_switch_days=2), ["shop"])
    assert ("4179" in change.refusal) is refused
    assert bool(change.statements) is not refused


@pytest.mark.parametrize(
    ("path", "words"), [("/a/{when}", "braces may hold"), ("/a/{cluster}", "cannot read the cluster's name")]
)
def test_a_placeholder_that_cannot_be_filled_says_why(path: str, words: str) -> None:
    server = healthy()
    server.archive(1002, "STOP")
    server.faults["SHOW PARAMETERS"] = 1142
    (change,) = dialect(server).plan_destination(WantedDestination(Destination("file", path)), ["shop"])
    assert words in change.refusal
