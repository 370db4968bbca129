"""Statements of 4.x: their text by version and tenant, the way out of each error, and nothing unquoted in them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.destination import Destination, Keys, WantedDestination
from airflow_ob_provider.oceanbase.dialects import v4_statements
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.errors import fact
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveState, Tenant
from airflow_ob_provider.oceanbase.options import ArchiveMode, WantedOption
from airflow_ob_provider.oceanbase.statements import Statement
from tests.unit.oceanbase.fake_server4 import FakeServer4, healthy

NUMBERS = ["4.0.0.0", "4.1.0.0", "4.2.0.0", "4.2.1.0", "4.2.1.7", "4.2.5.6", "4.3.0.0", "4.3.5.3", "4.4.0.0"]


def dialect(number: str = "4.2.5.0", *, own: int | None = None) -> V4Dialect:
    server = healthy(number, own=own)
    return V4Dialect(server.version, server)


def row(name: str = "shop") -> ArchiveRow:
    return ArchiveRow(Tenant(1002, name), ArchiveState.STOP, "STOP", 3, 0, None, None)


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(("own", "clause"), [(None, " TENANT = 'shop'"), (1002, "")], ids=["sys", "tenant"])
def test_what_starts_and_stops(own: int | None, clause: str, number: str) -> None:
    found = dialect(number, own=own)
    assert found.start_archive(row()).text == f"ALTER SYSTEM ARCHIVELOG{clause}"
    assert found.stop_archive(row()).text == f"ALTER SYSTEM NOARCHIVELOG{clause}"
    assert found.resume_archive(row()).text == f"ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE'{clause}"
    for one in (found.start_archive(row()), found.stop_archive(row()), found.resume_archive(row())):
        assert one.writes
        assert one.redacted == one.text


@pytest.mark.parametrize("number", NUMBERS)
def test_a_freeze_from_sys(number: str) -> None:
    everyone = "all_user" if number >= "4.2.1" else "all"
    found = dialect(number)
    assert found.minor_freeze().text == f"ALTER SYSTEM MINOR FREEZE TENANT = {everyone}"
    assert found.minor_freeze(["shop"]).text == "ALTER SYSTEM MINOR FREEZE TENANT = 'shop'"
    assert found.minor_freeze(["shop", "bank"]).text == "ALTER SYSTEM MINOR FREEZE TENANT = 'shop', 'bank'"
    timeout = found.minor_freeze().timeout
    assert timeout is not None
    assert timeout > 31, "an RPC to every server may take 31 s (5)"


@pytest.mark.parametrize("name", ["all", "ALL", "all_user", "All_Meta"])
def test_a_tenant_whose_name_means_many_is_never_named(name: str) -> None:
    """A kernel takes them for many tenants in quotes too; a tenant may have got such a name before 4.2.1."""
    found = dialect()
    for make in (
        lambda: found.start_archive(row(name)),
        lambda: found.stop_archive(row(name)),
        lambda: found.resume_archive(row(name)),
        lambda: found.minor_freeze([name]),
    ):
        with pytest.raises(ValueError, match=f"tenant '{name}' cannot be named.*rename it"):
            make()
    assert "TENANT" not in dialect(own=1002).stop_archive(row(name)).text


@pytest.mark.parametrize("tenants", [(), ("shop",)])
def test_a_freeze_in_a_user_tenant_names_none(tenants: tuple[str, ...]) -> None:
    assert dialect(own=1002).minor_freeze(tenants).text == "ALTER SYSTEM MINOR FREEZE"


def test_a_user_tenant_is_given_no_tenant_clause_at_all() -> None:
    server = healthy(own=1002)
    server.archive(1002, "STOP")
    found = V4Dialect(server.version, server)
    changes = [
        *found.plan_destination(WantedDestination(Destination.parse("file:///data/new"))),
        *found.plan_option(WantedOption(ArchiveMode.MANDATORY, lag_target=60, concurrency=4)),
    ]
    statements = [one for change in changes for one in change.statements]
    assert len(statements) == 4
    for one in statements:
        assert "TENANT" not in one.text


# --- the way out of errors --------------------------------------------------------------------------------------------

DESTINATION = {
    # 2.1.2
    1210: "1d to 7d",
    1227: "ALTER SYSTEM",
    1235: "STOP",
    4009: "mount",
    4012: "again",
    4179: "60 ?s",
    5160: "tenant",
    5260: "UNLOCK",
    9026: "s3 from 4.2.1 BP7",
    9070: "mount",
    9071: "read, write",
    9080: "empty directory",
    9081: "empty directory",
    9082: "make room",
    9113: "checksum_type",
    9117: "s3_region",
    9118: "host",
    9129: "bucket",
    9140: "enable_worm=true",
}
START = {
    # 2.3
    1227: "ALTER SYSTEM",
    4179: "logging",
    5160: "tenant",
    5260: "UNLOCK",
    9023: "STATUS",
    9024: "STATUS",
    9026: "SetBackupDestinationOperator",
    9091: "STATUS",
    9092: "STATUS",
}
PARAMETER = {1227: "ALTER SYSTEM", 4179: "(?s)destination.*60 s", 5160: "tenant"}


def way_out(statement: Statement, errno: int) -> str:
    return statement.hint(errno) or fact(errno).hint


@pytest.mark.parametrize("errno", DESTINATION)
def test_the_way_out_of_a_destination_that_is_refused(errno: int) -> None:
    place = Destination.parse("file:///data")
    statement = v4_statements.destination("", place, ArchiveMode.OPTIONAL, 1)
    assert re.search(DESTINATION[errno], way_out(statement, errno), re.IGNORECASE)


def test_a_running_round_is_the_cause_of_1235_and_defer_is_no_way_out() -> None:
    statement = v4_statements.destination("", Destination.parse("file:///data"), ArchiveMode.OPTIONAL, 1)
    hint = statement.hint(1235)
    for words in ("no round", "STOP", "DEFER is not enough", "full data backup"):
        assert words in hint


def test_there_is_no_obs() -> None:
    statement = v4_statements.destination("", Destination.parse("file:///data"), ArchiveMode.OPTIONAL, 1)
    assert re.search("no obs.*s3", statement.hint(9026))


@pytest.mark.parametrize("errno", START)
def test_the_way_out_of_a_start_that_is_refused(errno: int) -> None:
    assert re.search(START[errno], way_out(v4_statements.start(""), errno))


@pytest.mark.parametrize(("errno", "words"), [(4179, "snapshots"), (9024, "STOP"), (9092, "STATUS"), (5160, "tenant")])
def test_the_way_out_of_a_stop_that_is_refused(errno: int, words: str) -> None:
    assert words in way_out(v4_statements.stop(""), errno)


SWITCHES = [v4_statements.start, v4_statements.stop, v4_statements.enable]
switches = pytest.mark.parametrize("switch", SWITCHES)


@switches
def test_1235_of_a_switch_is_about_the_tenant(switch: Callable[[str], Statement]) -> None:
    hint = way_out(switch(""), 1235)
    assert "user tenants" in hint
    assert "GTS" not in hint, "the general one is of 3.x"


@pytest.mark.parametrize(
    "make",
    [
        *SWITCHES,
        lambda tenant: v4_statements.destination(tenant, Destination.parse("file:///data"), ArchiveMode.OPTIONAL, 1),
        lambda tenant: v4_statements.parameter(tenant, "archive_lag_target", "60s"),
    ],
    ids=["start", "stop", "enable", "destination", "parameter"],
)
def test_1227_does_not_send_a_user_tenant_to_sys(make: Callable[[str], Statement]) -> None:
    hint = way_out(make(""), 1227)
    assert "ALTER SYSTEM" in hint
    assert "tenant sys" not in hint


@pytest.mark.parametrize("errno", PARAMETER)
def test_the_way_out_of_a_parameter_that_is_refused(errno: int) -> None:
    assert re.search(PARAMETER[errno], way_out(v4_statements.parameter("", "archive_lag_target", "60s"), errno))


@pytest.mark.parametrize("errno", [9023, 9024, 9091, 9092])
def test_what_is_so_already_is_read_and_no_failure(errno: int) -> None:
    assert fact(errno).kind == "state"


@switches
def test_an_errno_without_a_way_out_of_its_own(switch: Callable[[str], Statement]) -> None:
    assert switch("").hint(1) == ""


def test_statements_that_wait_for_other_servers_have_the_time() -> None:
    """The server's default of 10 s ends them in 4012 although they take effect."""
    place = Destination.parse("file:///data")
    assert v4_statements.destination("", place, ArchiveMode.OPTIONAL, 1).timeout == 300
    assert v4_statements.freeze("").timeout == 120
    assert [switch("").timeout for switch in SWITCHES] == [60, 60, 60]


@pytest.mark.parametrize("mode", ArchiveMode)
def test_the_whole_value_must_fit_the_servers_buffer(mode: ArchiveMode) -> None:
    def of(length: int) -> Statement:
        rest = f"LOCATION= BINDING={mode.capitalize()} PIECE_SWITCH_INTERVAL=7d"
        place = Destination.parse("oss://b/d?host=h&access_id=i").with_keys(Keys("i", "Zq7"))
        key = "Zq7" + "k" * (length - len(rest) - len(place.uri))
        return v4_statements.destination("", place.with_keys(Keys("i", key)), mode, 7)

    assert len(of(2047).text) == len("ALTER SYSTEM SET LOG_ARCHIVE_DEST = ''") + 2047
    with pytest.raises(ValueError, match="LOG_ARCHIVE_DEST would have 2048 bytes, more than 2047") as caught:
        of(2048)
    assert "Zq7" not in str(caught.value)


# --- nothing unquoted -------------------------------------------------------------------------------------------------

SKELETONS = {
    "ALTER SYSTEM ARCHIVELOG TENANT = ''",
    "ALTER SYSTEM NOARCHIVELOG TENANT = ''",
    "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = '' TENANT = ''",
    "ALTER SYSTEM SET LOG_ARCHIVE_DEST = '' TENANT = ''",
    "ALTER SYSTEM SET archive_lag_target = '' TENANT = ''",
    "ALTER SYSTEM SET log_archive_concurrency = '' TENANT = ''",
    "ALTER SYSTEM MINOR FREEZE TENANT = ''",
    "ALTER SYSTEM MINOR FREEZE TENANT = '', ''",
}
ILLEGAL = re.compile(r"['\"`\\\x00-\x1f\x7f]")
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.text(
    "ab'\"\\`;-- \n\x00/*", min_size=1, max_size=8
)


def skeleton(text: str) -> str:
    """The statement without what stands in quotes."""
    return re.sub(r"'[^']*'", "''", text)


@given(names)
def test_a_tenants_name_is_quoted_or_refused(name: str) -> None:
    found = dialect()
    for make in (
        lambda: found.start_archive(row(name)),
        lambda: found.stop_archive(row(name)),
        lambda: found.resume_archive(row(name)),
        lambda: found.minor_freeze([name]),
        lambda: found.minor_freeze([name, name]),
    ):
        if ILLEGAL.search(name):
            with pytest.raises(ValueError, match="holds a"):
                make()
        else:
            text = make().text
            assert skeleton(text) in SKELETONS
            assert f"'{name}'" in text
            assert not ILLEGAL.search(text.replace("'", ""))


secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=30).map(lambda word: f"Zq7{word}")
hosts = st.text("abc.:-", min_size=1, max_size=10).filter(lambda word: bool(word.strip()))


def stopped(uri: str) -> FakeServer4:
    server = healthy()
    for tenant_id in (1002, 1004):
        server.archive(tenant_id, "STOP")
    server.destination(1002, uri)
    return server


def test_a_hostile_destination_is_not_sent_and_not_shown() -> None:
    place = Destination.parse("oss://b/d?host=h").with_keys(Keys("id", "hunter2';DROP"))
    with pytest.raises(ValueError, match=r"^destination holds a quote") as caught:
        v4_statements.destination("", place, ArchiveMode.OPTIONAL, 1)
    assert "hunter2" not in str(caught.value)


@given(names, secrets, secrets, hosts)
def test_a_destination_is_quoted_or_refused_and_its_keys_are_never_shown(
    path: str, access_id: str, access_key: str, host: str
) -> None:
    server = stopped("file:///data/nfs/shop")
    found = V4Dialect(server.version, server)
    target = Destination("oss", path).with_keys(Keys(access_id, access_key, host))
    (change,) = found.plan_destination(WantedDestination(target), ["shop"])
    shown = [repr(change), str(change), change.refusal, change.before, change.after]
    for one in change.statements:
        shown += [str(one), repr(one), one.redacted]
        assert skeleton(one.text) in SKELETONS
        assert not ILLEGAL.search(one.text.replace("'", ""))
        value = one.text.partition("LOG_ARCHIVE_DEST = '")[2].partition("' TENANT")[0]
        assert [word.partition("=")[0] for word in re.split(r"\s", value)] == [
            "LOCATION",
            "BINDING",
            "PIECE_SWITCH_INTERVAL",
        ]
        assert one.text.endswith(" BINDING=Optional PIECE_SWITCH_INTERVAL=1d' TENANT = 'shop'")
    assert bool(change.statements) is not bool(change.refusal)
    for words in shown:
        for secret in (access_id, access_key, access_id.replace(" ", "%20"), access_key.replace(" ", "%20")):
            assert secret not in words


@given(secrets.filter(lambda word: not re.search(r"[&\s]", word) and not ILLEGAL.search(word)))
def test_keys_that_are_written_back_are_never_shown(key: str) -> None:
    server = stopped(f"oss://bucket/dir?host=h&access_id=Zq7{key}&access_key={key}")
    found = V4Dialect(server.version, server)
    for change in (
        *found.plan_destination(WantedDestination(piece_switch_days=2), ["shop"]),
        *found.plan_option(WantedOption(mode=ArchiveMode.MANDATORY), ["shop"]),
    ):
        (statement,) = change.statements
        assert f"access_key={key}" in statement.text
        for words in (repr(change), change.before, change.after, statement.redacted, str(statement)):
            assert key not in words


def test_a_key_is_masked_wherever_it_stands_in_the_statement() -> None:
    place = Destination("oss", "bucket/Zq7Zq7Zq7").with_keys(Keys("id1234", "Zq7Zq7Zq7", "h"))
    statement = v4_statements.destination("", place, ArchiveMode.OPTIONAL, 1)
    assert statement.text.count("Zq7Zq7Zq7") == 2
    assert "Zq7Zq7Zq7" not in statement.redacted
    assert "Zq7Zq7Zq7" not in repr(statement)


@given(st.integers(0, 7200), st.integers(0, 100))
def test_parameters_are_quoted(lag: int, concurrency: int) -> None:
    found = dialect()
    for change in found.plan_option(WantedOption(lag_target=lag, concurrency=concurrency)):
        assert {skeleton(one.text) for one in change.statements} <= SKELETONS


@given(names)
def test_a_parameters_value_is_quoted_or_refused(value: str) -> None:
    if ILLEGAL.search(value):
        with pytest.raises(ValueError, match="archive_lag_target holds"):
            v4_statements.parameter("", "archive_lag_target", value)
    else:
        text = v4_statements.parameter("", "archive_lag_target", value).text
        assert text == f"ALTER SYSTEM SET archive_lag_target = '{value}'"
