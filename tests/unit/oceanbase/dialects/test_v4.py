"""What the 4.x dialect reads: its SQL run on tables of the specification's shape, the manual's rows in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_ob_provider.oceanbase.dialects import dialect_for
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus, PieceStatus, Scope, Tenant
from airflow_ob_provider.oceanbase.options import ArchiveMode
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.waits import (
    ArchiveDoing,
    ArchiveStopped,
    CheckpointPassed,
    FreezeDone,
    PiecesReady,
    Ready,
    Terminal,
    Waiting,
)
from tests.unit.oceanbase.builders import CST, NOW
from tests.unit.oceanbase.fake_server4 import ARCHIVELOG, PIECE_FILES, FakeServer4, healthy, scn, version

SHOP, BANK = Tenant(1002, "shop"), Tenant(1004, "bank")
STARTED, CHECKPOINT = NOW - timedelta(hours=1), NOW - timedelta(minutes=2)
VERSIONS = [
    "4.0.0.0",
    "4.1.0.0",
    "4.2.0.0",
    "4.2.1.0",
    "4.2.1.7",
    "4.2.3.0",
    "4.2.5.0",
    "4.2.5.6",
    "4.3.0.0",
    "4.3.3.0",
    "4.3.5.3",
    "4.4.0.0",
]


def dialect(server: FakeServer4) -> V4Dialect:
    return V4Dialect(server.version, server)


codings = pytest.mark.parametrize(
    "coding",
    [(), ("as_bytes",), ("as_decimal",), ("as_datetime",), ("as_bytes", "as_decimal")],
    ids=["plain", "bytes", "decimal", "datetime", "bytes-decimal"],
)


def coded(server: FakeServer4, coding: tuple[str, ...]) -> FakeServer4:
    for name in coding:
        setattr(server, name, True)
    return server


# --- which dialect --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", VERSIONS)
def test_all_of_4_speaks_it(number: str) -> None:
    server = FakeServer4(number)
    found = dialect_for(version(number), server)
    assert isinstance(found, V4Dialect)
    assert found.version == version(number)
    assert not found.freeze_advised
    assert server.asked == []


# --- the manual's rows ----------------------------------------------------------------------------------------------

SAMPLE_ARCHIVELOG = (
    "1002|1002|2|1|0|DOING|1655697600000000000|2022-06-20 12:00:00.000000|1655769600000000000"
    "|2022-06-21 08:00:00.000000|1|4|4|1d|1|none|16106127360|15.00GB|16106127360|15.00GB|1.00|0|0.00MB|0|0.00MB||"
    "file:///data/nfs/backup/archive"
)
SAMPLE_DEST = [
    "1002|0|binding|OPTIONAL",
    "1002|0|dest_id|1002",
    "1002|0|path|file:///data/nfs/backup/archive",
    "1002|0|piece_switch_interval|1d",
    "1002|0|state|ENABLE",
]
SAMPLE_PIECE = (
    "1002|1002|1|1|1|0|FROZEN|1654034400000000000|2022-06-01 06:00:00.000000|1654120740000000000"
    "|2022-06-02 05:59:00.000000|1654120770000000000|1654120800000000000|2022-06-02 06:00:00.000000|1|1|none"
    "|26843545600|25.00GB|26843545600|25.00GB|1.00|DELETED|file:///data/nfs/backup/archive"
)


def manual(number: str = "4.2.5.0", *, own: int | None = None) -> FakeServer4:
    """The sample rows of the manual's log archive chapter."""
    server = FakeServer4(number, own=own)
    server.now = "2022-06-21 08:01:00.000000"
    server.tenant(1, "sys", "SYS", log_mode="NOARCHIVELOG")
    server.tenant(1001, "META$1002", "META", log_mode="NOARCHIVELOG")
    server.tenant(1002, "mysql_tenant")
    server.row("ARCHIVELOG", SAMPLE_ARCHIVELOG)
    for line in SAMPLE_DEST:
        server.row("ARCHIVE_DEST", line)
    server.row("ARCHIVELOG_PIECE_FILES", SAMPLE_PIECE)
    return server


@codings
@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
@pytest.mark.parametrize("number", VERSIONS)
def test_the_manuals_round(number: str, own: int | None, coding: tuple[str, ...]) -> None:
    found = dialect(coded(manual(number, own=own), coding)).archive()
    assert found.scope is Scope.TENANT
    assert found.read_at == datetime(2022, 6, 21, 8, 1, tzinfo=CST)
    assert found.tenants == (Tenant(1002, "mysql_tenant"),)
    assert found.out_of_scope == ()
    (row,) = found.rows
    assert row.tenant == Tenant(1002, "mysql_tenant")
    assert (row.state, row.status, row.round_id, row.piece_id) == (ArchiveState.DOING, "DOING", 2, 4)
    assert row.started == datetime(2022, 6, 20, 12, 0, tzinfo=CST)
    assert row.checkpoint == datetime(2022, 6, 21, 8, 0, tzinfo=CST)
    assert row.archivelog is (True if number >= "4.1" else None)
    assert (row.deferred, row.blocked, row.idle, row.remark, row.timestamp) == (False, "", False, "", None)
    assert found.rounds == {"mysql_tenant": 2}
    assert isinstance(ArchiveDoing().judge(found), Ready)


@codings
@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_the_manuals_destination(own: int | None, coding: tuple[str, ...]) -> None:
    (place,) = dialect(coded(manual(own=own), coding)).destinations()
    assert place.tenant == Tenant(1002, "mysql_tenant")
    assert place.uri == "file:///data/nfs/backup/archive"
    assert (place.mode, place.days) == (ArchiveMode.OPTIONAL, 1)
    assert str(place) == "file:///data/nfs/backup/archive, OPTIONAL, pieces of 1d"


@codings
@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_the_manuals_piece(own: int | None, coding: tuple[str, ...]) -> None:
    found = dialect(coded(manual(own=own), coding)).pieces(1)
    assert (found.round_id, found.scope) == (1, Scope.TENANT)
    (row,) = found.rows
    assert (row.round_id, row.count, row.first_id, row.newest_id, row.missing) == (1, 1, 1, 1, 0)
    assert (row.broken, row.unready, row.cleaned) == (0, 0, 1)
    assert (row.status, row.file_status, row.words) == (PieceStatus.FROZEN, FileStatus.DELETED, "FROZEN/DELETED")
    assert row.started == datetime(2022, 6, 1, 6, 0, tzinfo=CST)
    assert row.checkpoint == datetime(2022, 6, 2, 5, 59, tzinfo=CST)


def test_the_manuals_piece_is_of_an_older_round() -> None:
    found = dialect(manual()).pieces()
    assert (found.round_id, found.rows, found.tenants) == (0, (), (Tenant(1002, "mysql_tenant"),))
    assert isinstance(PiecesReady().judge(found), Waiting)


@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_rows_without_columns_that_only_some_prints_have(own: int | None) -> None:
    """UNIT_SIZE and COMPRESSION are not in the manual's prints, END_SCN_DISPLAY not in that of 4.0."""
    server = manual(own=own)
    short = [name for name in ARCHIVELOG if name not in {"UNIT_SIZE", "COMPRESSION"}]
    view = server.name_of("ARCHIVELOG")
    server.create(view, short if own is None else short[1:])
    words = SAMPLE_ARCHIVELOG.split("|")
    server.row("ARCHIVELOG", "|".join([*words[:14], *words[16:]]), short)
    pieces = [name for name in PIECE_FILES if name != "END_SCN_DISPLAY"]
    server.create(server.name_of("ARCHIVELOG_PIECE_FILES"), pieces if own is None else pieces[1:])
    words = SAMPLE_PIECE.split("|")
    server.row("ARCHIVELOG_PIECE_FILES", "|".join([*words[:13], *words[14:]]), pieces)
    assert [row.status for row in dialect(server).archive().rows] == ["DOING"]
    assert [row.words for row in dialect(server).pieces(1).rows] == ["FROZEN/DELETED"]


def test_columns_in_another_order_and_new_ones() -> None:
    """SUMMARY has PATH before COMMENT; piece files of the manual have CREATE_TIMESTAMP and BASE_SCN."""
    server = manual()
    server.create("CDB_OB_ARCHIVELOG", ["NEW_COLUMN", *reversed(ARCHIVELOG)])
    server.row("ARCHIVELOG", SAMPLE_ARCHIVELOG)
    server.update("ARCHIVELOG", COMMENT="words", NEW_COLUMN="surprise")
    server.create("CDB_OB_ARCHIVELOG_PIECE_FILES", ["CREATE_TIMESTAMP", *PIECE_FILES, "BASE_SCN"])
    server.row("ARCHIVELOG_PIECE_FILES", SAMPLE_PIECE)
    (row,) = dialect(server).archive().rows
    assert (row.status, row.remark, row.round_id) == ("DOING", "words", 2)
    assert [one.words for one in dialect(server).pieces(1).rows] == ["FROZEN/DELETED"]


@pytest.mark.parametrize("display", [None, "2022-06-20 12:00:00.000000", "nonsense"])
def test_displays_are_not_read(display: str | None) -> None:
    server = manual("4.0.0.0")
    server.update("ARCHIVELOG", START_SCN_DISPLAY=display, CHECKPOINT_SCN_DISPLAY=display)
    (row,) = dialect(server).archive().rows
    assert row.checkpoint == datetime(2022, 6, 21, 8, 0, tzinfo=CST)


@pytest.mark.parametrize("interval", ["1d", 86_400_000_000, None])
def test_the_interval_of_a_round_is_not_read(interval: object) -> None:
    server = manual()
    server.update("ARCHIVELOG", PIECE_SWITCH_INTERVAL=interval)
    assert dialect(server).archive().rows[0].state is ArchiveState.DOING


def test_a_round_that_is_being_prepared_has_no_start() -> None:
    server = healthy()
    server.archive(1002, "PREPARE", START_SCN=0, START_SCN_DISPLAY=None, CHECKPOINT_SCN=0, CHECKPOINT_SCN_DISPLAY=None)
    row = dialect(server).archive().rows[0]
    assert (row.state, row.started, row.checkpoint) == (ArchiveState.PREPARE, None, None)


def test_while_the_next_round_is_being_prepared_nothing_is_told_of_the_last_one() -> None:
    """ARCHIVELOG over STOP: times and comment are of a round that has ended, and would prove what is not archived."""
    server = healthy()
    server.archive(1002, "STOP", COMMENT="of the last round")
    server.archive(1004, "PREPARE", COMMENT="of this one")
    shop, bank = dialect(server).archive().rows
    assert (shop.state, shop.round_id) == (ArchiveState.PREPARE, 3)
    assert (shop.started, shop.checkpoint, shop.remark) == (None, None, "")
    assert bank.state is ArchiveState.PREPARE
    assert (bank.started, bank.checkpoint, bank.remark) == (STARTED, CHECKPOINT, "of this one")
    server.update("DBA_OB_TENANTS", 1002, LOG_MODE="NOARCHIVELOG")
    shop = dialect(server).archive().rows[0]
    assert (shop.state, shop.checkpoint, shop.remark) == (ArchiveState.STOP, CHECKPOINT, "of the last round")


@pytest.mark.parametrize("hours", [8, -5])
def test_times_are_in_the_servers_zone(hours: int) -> None:
    server = healthy()
    server.utc_offset = hours * 3600
    row = dialect(server).archive().rows[0]
    for moment in (row.started, row.checkpoint, row.timestamp):
        assert moment is not None
        assert moment.utcoffset() == timedelta(hours=hours)


def test_what_cannot_be_so_is_told_word_by_word() -> None:
    server = healthy()
    server.update("DBA_OB_TENANTS", 1002, LOG_MODE=None)
    server.update("DBA_OB_TENANTS", 1004, LOG_MODE="MAYBE")
    server.remove("ARCHIVE_DEST", 1004)
    shop, bank = dialect(server).archive().rows
    assert (shop.state, shop.status) == (ArchiveState.UNKNOWN, "DOING (no mode, destination ENABLE)")
    assert bank.state is ArchiveState.UNKNOWN
    assert bank.status.startswith("DOING (MAYBE, ")
    assert bank.blocked.startswith("it has no destination (LOG_ARCHIVE_DEST)")


def test_a_system_change_number_is_never_claimed_too_early() -> None:
    server = healthy()
    server.archive(1002, "DOING", CHECKPOINT_SCN=scn(CHECKPOINT) + 999)
    assert dialect(server).archive().rows[0].checkpoint == CHECKPOINT


# --- from tenant sys and from a user tenant -------------------------------------------------------------------------


@codings
@pytest.mark.parametrize("number", VERSIONS)
def test_all_tenants_from_sys(number: str, coding: tuple[str, ...]) -> None:
    server = coded(healthy(number), coding)
    found = dialect(server).archive()
    assert (found.read_at, found.tenants, found.out_of_scope) == (NOW, (SHOP, BANK), ())
    assert [(row.tenant, row.state, row.round_id) for row in found.rows] == [(SHOP, "DOING", 3), (BANK, "DOING", 5)]
    assert [(row.started, row.checkpoint) for row in found.rows] == [(STARTED, CHECKPOINT)] * 2
    assert found.governing == found.rows


@codings
@pytest.mark.parametrize("number", VERSIONS)
def test_one_tenant_from_itself(number: str, coding: tuple[str, ...]) -> None:
    server = coded(healthy(number, own=1004), coding)
    found = dialect(server)
    assert not found.is_sys
    snapshot = found.archive()
    assert (snapshot.tenants, [(row.tenant, row.state, row.round_id) for row in snapshot.rows]) == (
        (BANK,),
        [(BANK, "DOING", 5)],
    )
    assert [(row.tenant, row.round_id, row.newest_id) for row in found.pieces().rows] == [(BANK, 5, 2)]
    assert [place.uri for place in found.destinations()] == ["file:///data/nfs/bank"]
    assert found.tenants() == (BANK,)
    assert found.checkpoint_delay() > 0
    found.freeze_progress(since=NOW)
    for one in server.asked:
        assert "CDB_" not in one.text
        assert "DBA_OB_SERVERS" not in one.text
        assert not one.writes


def test_sys_reads_no_twin() -> None:
    """In sys the DBA views show the rows of sys only; DBA_OB_TENANTS and DBA_OB_SERVERS are of the whole cluster."""
    server = healthy()
    found = dialect(server)
    found.archive()
    found.pieces()
    found.destinations()
    found.servers()
    for one in server.asked:
        assert "DBA_OB_ARCHIVE" not in one.text
        assert "DBA_OB_LS" not in one.text


def test_which_tenant_this_is_is_asked_once() -> None:
    server = healthy()
    found = dialect(server)
    for _ in range(3):
        found.archive()
        found.pieces()
    assert len(server.asked_for("TENANT_TYPE = 'SYS'")) == 1


@pytest.mark.parametrize("errno", [1146, 1142, 2013])
def test_a_session_that_cannot_tell_which_tenant_it_is_has_no_answer(errno: int) -> None:
    server = healthy()
    server.faults["DBA_OB_TENANTS"] = errno
    with pytest.raises(ServerError, match=str(errno)):
        dialect(server).archive()


def test_who_we_are() -> None:
    found = dialect(healthy()).identity()
    assert (found.version, found.cluster, found.cluster_id) == ("4.2.5.0", "obdemo", "1")
    assert (found.tenant, found.account, found.may_alter) == ("sys", "root@%", True)


@pytest.mark.parametrize("rows", [[], [{"current_tenant_name": None}]])
@pytest.mark.parametrize(("own", "name"), [(None, "sys"), (1002, "shop")])
def test_the_tenants_name_comes_from_the_catalogue_where_show_tenant_gives_none(
    own: int | None, name: str, rows: list[dict[str, object]]
) -> None:
    server = healthy(own=own)
    server.shows["SHOW TENANT"] = rows
    assert dialect(server).identity().tenant == name


def test_a_tenant_that_cannot_be_named() -> None:
    server = FakeServer4(own=1002)
    server.shows["SHOW TENANT"] = []
    found = dialect(server)
    assert found.identity().tenant == ""
    assert found.connection_note(found.identity()).startswith("Log backup of tenant unknown only; ")


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("SHOW PARAMETERS", "cluster", ""),
        ("SHOW TENANT", "tenant", "sys"),
        ("SHOW GRANTS", "grants", ()),
        ("CURRENT_USER", "account", ""),
    ],
)
def test_what_may_not_be_read_is_empty_and_a_lost_connection_is_an_error(part: str, name: str, value: object) -> None:
    server = healthy()
    server.faults[part] = 1227
    assert getattr(dialect(server).identity(), name) == value
    server.faults[part] = 2013
    with pytest.raises(ServerError, match="2013"):
        dialect(server).identity()


def test_the_note_on_the_connection() -> None:
    for own, words in ((None, ""), (1002, "shop")):
        found = dialect(healthy(own=own))
        note = found.connection_note(found.identity())
        assert words in note
        assert bool(note) is bool(own)


@pytest.mark.parametrize(("errno", "words"), [(1142, ""), (1146, "no log backup on it")])
def test_the_note_where_tenants_are_not_shown(errno: int, words: str) -> None:
    server = healthy()
    server.faults["DBA_OB_TENANTS"] = errno
    found = dialect(server)
    note = found.connection_note(found.identity())
    assert words in note
    assert bool(note) is bool(words)


def test_a_lost_connection_is_no_note() -> None:
    server = healthy()
    server.faults["DBA_OB_TENANTS"] = 2013
    found = dialect(server)
    identity = found.identity()
    with pytest.raises(ServerError, match="2013"):
        found.connection_note(identity)


def test_the_servers_clock() -> None:
    server = healthy()
    assert dialect(server).server_time() == NOW
    server.utc_offset = -18000
    assert dialect(server).server_time().utcoffset() == timedelta(hours=-5)


@pytest.mark.parametrize(("now", "offset"), [("", 28800), ("soon", 28800), ("2024-04-13 17:00:00", None)])
def test_a_server_that_does_not_tell_its_time(now: str, offset: object) -> None:
    server = healthy()
    server.now, server.utc_offset = now, offset
    for ask in (dialect(server).archive, dialect(server).server_time, dialect(server).pieces):
        with pytest.raises(UnreadableError):
            ask()


def test_an_empty_answer_is_no_state() -> None:
    server = healthy()
    server.shows["SELECT NOW(6)"] = []
    with pytest.raises(UnreadableError, match="no row"):
        dialect(server).archive()


# --- tenants --------------------------------------------------------------------------------------------------------


def crowded() -> FakeServer4:
    server = healthy()
    server.tenant(1006, "young", status="CREATING")
    server.tenant(1008, "back", status="RESTORE")
    server.tenant(1010, "gone", status="DROPPING")
    server.tenant(1012, "__recycle_$_1_1712999999", recycled="YES")
    for tenant_id in (1, 1001, 1006, 1008, 1010, 1012):
        server.archive(tenant_id, "INTERRUPTED")
        server.piece(tenant_id, 1, FILE_STATUS="BROKEN")
        server.destination(tenant_id, "file:///data/nfs/other")
    return server


@codings
def test_only_normal_user_tenants_and_the_others_are_named(coding: tuple[str, ...]) -> None:
    server = coded(crowded(), coding)
    found = dialect(server).archive()
    assert found.tenants == (SHOP, BANK)
    assert [row.tenant for row in found.rows] == [SHOP, BANK]
    assert {tenant.name: tenant.status for tenant in found.out_of_scope} == {
        "young": "CREATING",
        "back": "RESTORE",
        "gone": "DROPPING",
        "__recycle_$_1_1712999999": "IN RECYCLE BIN",
    }
    assert isinstance(ArchiveDoing().judge(found), Ready)
    assert dialect(server).tenants() == (SHOP, BANK)
    places = dialect(server).destinations()
    assert [place.tenant for place in places if place.tenant.is_normal] == [SHOP, BANK]
    assert {place.tenant.name for place in places} == {"shop", "bank", *(one.name for one in found.out_of_scope)}
    pieces = dialect(server).pieces()
    assert (pieces.tenants, [row.tenant for row in pieces.rows]) == ((SHOP, BANK), [SHOP, BANK])
    assert isinstance(PiecesReady().judge(pieces), Ready)


def test_a_tenant_out_of_scope_that_was_asked_for_is_terminal_with_its_status() -> None:
    verdict = ArchiveDoing(tenants=("back",)).judge(dialect(crowded()).archive())
    assert isinstance(verdict, Terminal)
    assert "back (RESTORE)" in verdict.reason


@pytest.mark.parametrize("status", ["NORMAL", "TENANT_STATUS_NORMAL", "normal"])
def test_normal_as_the_manuals_write_it(status: str) -> None:
    server = healthy("4.0.0.0")
    server.update("DBA_OB_TENANTS", 1002, STATUS=status)
    assert dialect(server).tenants() == (SHOP, BANK)


@pytest.mark.parametrize("status", ["TENANT_STATUS_CREATING", "", None, "WHATEVER"])
def test_any_other_word_is_not_normal(status: str | None) -> None:
    server = healthy("4.0.0.0")
    server.update("DBA_OB_TENANTS", 1002, STATUS=status)
    assert dialect(server).tenants() == (BANK,)
    assert [tenant.name for tenant in dialect(server).archive().out_of_scope] == ["shop"]


@pytest.mark.parametrize(
    ("names", "found"), [((), (SHOP, BANK)), (("bank",), (BANK,)), (("nobody",), ()), (("young", "shop"), (SHOP,))]
)
def test_tenants_in_scope(names: tuple[str, ...], found: tuple[Tenant, ...]) -> None:
    assert dialect(crowded()).tenants_in_scope(names) == found
    dialect(crowded()).check_scope(names)


def test_a_cluster_without_user_tenants() -> None:
    server = FakeServer4()
    server.tenant(1, "sys", "SYS", log_mode="NOARCHIVELOG")
    found = dialect(server)
    snapshot = found.archive()
    assert (snapshot.read_at, snapshot.rows, snapshot.tenants) == (NOW, (), ())
    assert found.tenants() == found.destinations() == ()
    assert found.pieces().rows == ()
    assert found.checkpoint_delay() == found.checkpoint_delay(["shop"]) >= 220, "as far behind as by default"
    assert isinstance(ArchiveDoing().judge(snapshot), Waiting)


# --- archive: what cannot be read, and what is told beside ------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[(name, "x") for name in ("START_SCN", "CHECKPOINT_SCN", "ROUND_ID", "USED_PIECE_ID")],
        ("CHECKPOINT_SCN", 1.5),
        ("CHECKPOINT_SCN", float(10**30)),
        ("CHECKPOINT_SCN", "2022-06-21 08:00:00"),
    ],
)
def test_a_row_that_cannot_be_read_is_unknown_and_hides_no_other(column: str, value: object) -> None:
    server = healthy()
    server.update("ARCHIVELOG", 1002, **{column: value})
    server.destination(1002, "file:///data/nfs/shop", state="DEFER")
    found = dialect(server).archive()
    shop, bank = found.rows
    assert (shop.state, bank.state) == (ArchiveState.UNKNOWN, ArchiveState.DOING)
    assert shop.status.startswith("DOING (")
    assert (shop.idle, shop.round_id, shop.piece_id, shop.started, shop.checkpoint) == (False, 0, 0, None, None)
    assert (shop.archivelog, shop.deferred) == (True, True), "what could be read"
    verdict = ArchiveDoing().judge(found)
    assert isinstance(verdict, Waiting)
    assert verdict.unknown


def test_a_comment_is_told() -> None:
    server = healthy()
    server.archive(1002, "STOPPING", COMMENT=" force stop, result: -9070(x) ")
    row = dialect(server).archive().rows[0]
    assert row.remark.startswith("force stop, result: -9070(x)")
    assert row.remark in str(row)


def test_only_destination_number_0_counts() -> None:
    """The scheduler runs no other."""
    server = healthy()
    for tenant_id in (1002, 1004):
        server.remove("ARCHIVE_DEST", tenant_id)
        server.destination(tenant_id, "file:///data/nfs/other", dest_no=1, state="DEFER")
        server.archive(tenant_id, "STOP")
    found = dialect(server).archive()
    assert [bool(row.blocked) for row in found.rows] == [True, True]
    assert [row.deferred for row in found.rows] == [False, False]
    assert [place.uri for place in dialect(server).destinations()] == ["", ""]


# --- the log stream that holds it up ----------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_a_healthy_cluster_costs_one_query(own: int | None) -> None:
    server = healthy(own=own)
    found = dialect(server)
    assert found.is_sys is (own is None)
    server.asked.clear()
    found.archive()
    assert len(server.asked) == 1


@codings
@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_the_broken_log_stream_is_named(own: int | None, coding: tuple[str, ...]) -> None:
    server = coded(healthy(own=own), coding)
    server.archive(1002, "INTERRUPTED", COMMENT="log stream 1003 interrupted")
    server.log_stream(1002, 1003, NOW - timedelta(minutes=30), STATUS="INTERRUPTED")
    server.log_stream(1002, 1003, NOW - timedelta(minutes=90), PIECE_ID=0)
    server.log_stream(1002, 1004, NOW - timedelta(minutes=50))
    server.log_stream(1002, 1009, NOW - timedelta(hours=9), ROUND_ID=2, STATUS="INTERRUPTED")
    row = dialect(server).archive().rows[0]
    assert row.remark.startswith("log stream 1003 interrupted")
    stream = "log stream 1003 is INTERRUPTED, archived until 2024-04-13 16:30:00.000000+08:00"
    assert row.remark == f"log stream 1003 interrupted; {stream}"


@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_the_slowest_log_stream_of_a_late_tenant_is_named(own: int | None) -> None:
    server = healthy(own=own)
    server.archive(1002, "DOING", CHECKPOINT_SCN=scn(NOW - timedelta(hours=1)))
    server.log_stream(1002, 1003, NOW - timedelta(hours=1))
    row = dialect(server).archive().rows[0]
    assert row.state is ArchiveState.DOING
    assert row.remark == "log stream 1003 is the slowest, archived until 2024-04-13 16:00:00.000000+08:00"
    if own is None:
        assert dialect(server).archive().rows[1].remark == ""
        assert "1004" not in server.asked_for("LS_LOG_ARCHIVE_PROGRESS")[0]


def test_a_log_stream_that_has_archived_nothing_is_the_slowest() -> None:
    server = healthy()
    server.archive(1002, "BEGINNING", CHECKPOINT_SCN=scn(NOW - timedelta(hours=1)))
    server.log_stream(1002, 1003, None)
    remark = dialect(server).archive().rows[0].remark
    assert remark == "log stream 1003 is the slowest, archived until nothing yet"


@pytest.mark.parametrize(
    ("behind", "asked"),
    [(timedelta(seconds=120), 0), (timedelta(seconds=240), 0), (timedelta(hours=2), 1), (timedelta(seconds=-60), 0)],
)
def test_only_late_tenants_are_asked(behind: timedelta, asked: int) -> None:
    server = healthy()
    server.archive(1002, "DOING", CHECKPOINT_SCN=scn(NOW - behind))
    dialect(server).archive()
    assert len(server.asked_for("LS_LOG_ARCHIVE_PROGRESS")) == asked


@pytest.mark.parametrize("status", ["STOP", "PREPARE"])
def test_a_round_that_does_not_run_is_not_late(status: str) -> None:
    server = healthy()
    server.archive(1002, status, CHECKPOINT_SCN=scn(NOW - timedelta(days=9)))
    server.update("DBA_OB_TENANTS", 1002, LOG_MODE="NOARCHIVELOG" if status == "STOP" else "ARCHIVELOG")
    dialect(server).archive()
    assert server.asked_for("LS_LOG_ARCHIVE_PROGRESS") == []


def test_at_most_five_tenants_are_asked() -> None:
    server = healthy()
    for number in range(20):
        tenant_id = 2002 + 2 * number
        server.tenant(tenant_id, f"t{tenant_id}")
        server.archive(tenant_id, "INTERRUPTED")
        server.destination(tenant_id, f"file:///data/nfs/{tenant_id}")
        server.log_stream(tenant_id, 1, NOW - timedelta(hours=1), STATUS="INTERRUPTED")
    found = dialect(server).archive()
    assert sum(row.state is ArchiveState.INTERRUPTED for row in found.rows) == 20
    assert sum("log stream 1 is INTERRUPTED" in row.remark for row in found.rows) == 5
    (asked,) = server.asked_for("LS_LOG_ARCHIVE_PROGRESS")
    assert asked.count("TENANT_ID = ") == 5


def test_a_tenant_of_many_broken_log_streams_hides_no_other() -> None:
    server = healthy()
    for tenant_id, round_id in ((1002, 3), (1004, 5)):
        server.archive(tenant_id, "INTERRUPTED", ROUND_ID=round_id)
    for number in range(2002, 2202):
        server.log_stream(1002, number, NOW - timedelta(hours=2), STATUS="INTERRUPTED")
    server.log_stream(1004, 1005, NOW - timedelta(hours=1), STATUS="INTERRUPTED", ROUND_ID=5)
    shop, bank = dialect(server).archive().rows
    assert "log stream 2002 is INTERRUPTED" in shop.remark
    assert "log stream 1005 is INTERRUPTED" in bank.remark


@pytest.mark.parametrize("errno", [1054, 1142, 1146, 1227, 4012])
def test_a_view_of_log_streams_that_cannot_be_read_costs_the_explanation_only(errno: int) -> None:
    server = healthy()
    server.archive(1002, "INTERRUPTED", COMMENT="broken")
    server.faults["LS_LOG_ARCHIVE_PROGRESS"] = errno
    row = dialect(server).archive().rows[0]
    assert (row.state, row.remark) == (ArchiveState.INTERRUPTED, "broken")


def test_log_streams_without_a_row_or_unreadable() -> None:
    server = healthy()
    server.archive(1002, "INTERRUPTED")
    server.clear("LS_LOG_ARCHIVE_PROGRESS")
    assert dialect(server).archive().rows[0].remark == ""
    server.log_stream(1002, 1, None, CHECKPOINT_SCN="x")
    assert dialect(server).archive().rows[0].remark == ""


def test_4_0_has_no_view_of_log_streams() -> None:
    server = healthy("4.0.0.0")
    server.archive(1002, "INTERRUPTED", COMMENT="broken")
    assert dialect(server).archive().rows[0].remark == "broken"
    assert server.asked_for("LS_LOG_ARCHIVE_PROGRESS") == []


# --- the timestamp service --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("errno", [1044, 1054, 1142, 1146, 1227])
def test_without_the_timestamp_service_there_is_still_an_answer(errno: int) -> None:
    server = healthy()
    server.faults["V$OB_TIMESTAMP_SERVICE"] = errno
    found = dialect(server)
    for _ in range(3):
        snapshot = found.archive()
        assert [row.state for row in snapshot.rows] == ["DOING", "DOING"]
        assert [row.timestamp for row in snapshot.rows] == [None, None]
        assert snapshot.written_until == NOW
    assert len(server.asked_for("V$OB_TIMESTAMP_SERVICE")) == 1


@pytest.mark.parametrize("errno", [2013, 4012, 4016])
def test_any_other_error_is_one(errno: int) -> None:
    server = healthy()
    server.faults["V$OB_TIMESTAMP_SERVICE"] = errno
    with pytest.raises(ServerError, match=str(errno)):
        dialect(server).archive()


@pytest.mark.parametrize("errno", [1142, 1146])
def test_archive_views_that_cannot_be_read_are_an_error(errno: int) -> None:
    server = healthy()
    server.faults["CDB_OB_ARCHIVELOG "] = errno
    with pytest.raises(ServerError, match=str(errno)):
        dialect(server).archive()


@codings
def test_several_rows_of_a_timestamp_service_the_newest_counts(coding: tuple[str, ...]) -> None:
    server = coded(healthy(), coding)
    ahead = NOW + timedelta(seconds=2)
    server.timestamp(1002, ahead)
    server.timestamp(1002, NOW - timedelta(days=1))
    found = dialect(server).archive()
    assert [row.tenant for row in found.rows] == [SHOP, BANK]
    for row, moment in zip(found.rows, (ahead, NOW - timedelta(seconds=1)), strict=True):
        assert row.timestamp is not None
        assert moment <= row.timestamp <= moment + timedelta(microseconds=1)
    assert found.written_until == found.rows[0].timestamp


def test_a_tenant_without_a_row_there() -> None:
    server = healthy()
    server.clear("V$OB_TIMESTAMP_SERVICE")
    found = dialect(server).archive()
    assert [row.timestamp for row in found.rows] == [None, None]
    assert found.written_until == NOW


@pytest.mark.parametrize(("ahead", "believed"), [(-5, False), (30, True), (299, True), (3600, False)])
def test_a_proof_uses_the_later_clock(ahead: int, believed: bool) -> None:
    server = healthy()
    server.timestamp(1004, NOW + timedelta(seconds=ahead))
    wait = CheckpointPassed().begun(dialect(server).archive())
    moment = NOW + timedelta(seconds=ahead) if believed else NOW
    microsecond = timedelta(microseconds=1)
    assert wait.after is not None
    assert moment <= wait.after <= moment + microsecond * believed

    server.now = "2024-04-13 17:10:00.000000"
    for passed, kind in ((-microsecond, Waiting), (microsecond, Ready)):
        for tenant_id, round_id in ((1002, 3), (1004, 5)):
            server.archive(tenant_id, "DOING", ROUND_ID=round_id, CHECKPOINT_SCN=scn(moment + passed))
        assert isinstance(wait.judge(dialect(server).archive()), kind)


@pytest.mark.parametrize("nanoseconds", [1, 500, 999])
def test_a_proof_is_not_had_within_the_microsecond_of_the_timestamp(nanoseconds: int) -> None:
    """Both are nanoseconds, and what was committed at the timestamp is not archived yet."""
    server = healthy()
    ahead = NOW + timedelta(seconds=1)
    server.timestamp(1002, ahead, nanoseconds)
    wait = CheckpointPassed().begun(dialect(server).archive())
    server.now = "2024-04-13 17:10:00.000000"
    for tenant_id, round_id in ((1002, 3), (1004, 5)):
        server.archive(tenant_id, "DOING", ROUND_ID=round_id, CHECKPOINT_SCN=scn(ahead) + nanoseconds - 1)
    assert isinstance(wait.judge(dialect(server).archive()), Waiting)


def test_a_named_tenants_proof_does_not_wait_for_the_clock_of_others() -> None:
    server = healthy()
    server.timestamp(1004, NOW + timedelta(seconds=30))
    assert CheckpointPassed(tenants=("shop",)).begun(dialect(server).archive()).after == NOW


# --- waits on what it returns -----------------------------------------------------------------------------------------


def test_one_interrupted_tenant_ends_the_wait_and_is_named_with_comment_and_log_stream() -> None:
    server = healthy()
    server.archive(1002, "INTERRUPTED", COMMENT="log stream 1001 interrupted (9087)")
    server.update("LS_LOG_ARCHIVE_PROGRESS", 1002, STATUS="INTERRUPTED")
    for wait in (ArchiveDoing(), CheckpointPassed(after=NOW), ArchiveDoing(tenants=("shop",))):
        verdict = wait.judge(dialect(server).archive())
        assert isinstance(verdict, Terminal)
        assert "shop INTERRUPTED" in verdict.reason
        assert "log stream 1001 interrupted (9087)" in verdict.reason
        assert "log stream 1 is INTERRUPTED" in verdict.reason
        assert "bank" not in verdict.reason
        assert "full data backup" in verdict.hint
    assert isinstance(ArchiveDoing(tenants=("bank",)).judge(dialect(server).archive()), Ready)


def test_noarchivelog_behind_doing_is_not_doing() -> None:
    server = healthy()
    server.update("DBA_OB_TENANTS", 1002, LOG_MODE="NOARCHIVELOG")
    snapshot = dialect(server).archive()
    verdict = ArchiveDoing().judge(snapshot)
    assert isinstance(verdict, Waiting)
    assert "1 of 2" in verdict.reason
    assert "NOARCHIVELOG" in verdict.reason
    assert not isinstance(ArchiveStopped().judge(snapshot), Ready)


def test_defer_behind_doing_ends_the_wait_after_its_grace() -> None:
    server = healthy()
    server.destination(1002, "file:///data/nfs/shop", state="DEFER")
    snapshot = dialect(server).archive()
    assert isinstance(ArchiveDoing().judge(snapshot), Waiting)
    verdict = ArchiveDoing(since=NOW - timedelta(minutes=2)).judge(snapshot)
    assert isinstance(verdict, Terminal)
    assert "DEFER" in verdict.reason


def test_each_tenant_has_its_own_round_to_wait_for() -> None:
    server = healthy()
    snapshot = dialect(server).archive()
    assert isinstance(ArchiveDoing(min_rounds={"shop": 3, "bank": 5}).judge(snapshot), Ready)
    assert isinstance(ArchiveDoing(min_rounds={"shop": 4, "bank": 5}).judge(snapshot), Waiting)


def test_stopped_needs_stop_and_noarchivelog() -> None:
    server = healthy()
    for status, mode, done in (
        ("STOP", "NOARCHIVELOG", True),
        ("STOPPING", "NOARCHIVELOG", False),
        ("STOP", "ARCHIVELOG", False),
        ("SUSPEND", "NOARCHIVELOG", False),
    ):
        for tenant_id in (1002, 1004):
            server.archive(tenant_id, status)
        server.update("DBA_OB_TENANTS", LOG_MODE=mode)
        assert isinstance(ArchiveStopped().judge(dialect(server).archive()), Ready) is done


# --- pieces -----------------------------------------------------------------------------------------------------------


@codings
def test_the_newest_piece_of_each_tenant_in_its_own_round(coding: tuple[str, ...]) -> None:
    server = coded(healthy(), coding)
    server.piece(1004, 3, ROUND_ID=5)
    server.piece(1002, 99, ROUND_ID=2, FILE_STATUS="BROKEN", STATUS="FROZEN")
    server.piece(1004, 1, ROUND_ID=3, FILE_STATUS="BROKEN", STATUS="FROZEN")
    found = dialect(server).pieces()
    assert (found.read_at, found.round_id, found.scope, found.is_open) == (NOW, 5, Scope.TENANT, True)
    assert found.rounds == {"shop": 3, "bank": 5}
    shop, bank = found.rows
    assert (shop.tenant, shop.count, shop.first_id, shop.newest_id, shop.missing) == (SHOP, 2, 1, 2, 0)
    assert (bank.tenant, bank.count, bank.first_id, bank.newest_id, bank.missing) == (BANK, 3, 1, 3, 0)
    assert (shop.status, shop.file_status, shop.words) == ("ACTIVE", "AVAILABLE", "ACTIVE/AVAILABLE")
    assert (shop.broken, shop.unready, shop.cleaned) == (0, 0, 0)
    assert (shop.started, shop.checkpoint) == (STARTED, CHECKPOINT)
    assert shop.started.utcoffset() == shop.checkpoint.utcoffset() == timedelta(hours=8), "in the server's zone"
    verdict = PiecesReady().judge(found)
    assert isinstance(verdict, Ready)
    assert verdict.summary["rounds"] == {"shop": 3, "bank": 5}
    assert verdict.summary["pieces"] == 5


def with_pieces(*words: str, first: int = 1, status: str = "ACTIVE") -> FakeServer4:
    """Tenant shop with a piece a word ('' leaves it out); all but the newest are FROZEN."""
    server = healthy()
    server.clear("ARCHIVELOG_PIECE_FILES")
    server.update("DBA_OB_TENANTS", 1004, STATUS="RESTORE")
    for number, word in enumerate(words, first):
        if word:
            newest = number == first + len(words) - 1
            server.piece(
                1002,
                number,
                STATUS=status if newest else "FROZEN",
                FILE_STATUS=None if word == "NULL" else word,
            )
    return server


@pytest.mark.parametrize(
    ("words", "counts", "kind"),
    [
        # count, first, newest, broken, unready, cleaned, missing
        (("AVAILABLE",), (1, 1, 1, 0, 0, 0, 0), Ready),
        (("AVAILABLE", "AVAILABLE", "AVAILABLE"), (3, 1, 3, 0, 0, 0, 0), Ready),
        (("BROKEN", "AVAILABLE"), (2, 1, 2, 1, 0, 0, 0), Terminal),
        (("AVAILABLE", "BROKEN"), (2, 1, 2, 1, 0, 0, 0), Terminal),
        (("EXPIRED", "DELETING", "DELETED", "AVAILABLE"), (4, 1, 4, 0, 0, 3, 0), Ready),
        (("AVAILABLE", "", "AVAILABLE"), (2, 1, 3, 0, 0, 0, 1), Terminal),
        (("COPYING", "INCOMPLETE", "INCOMPELTE", "WHATEVER", "AVAILABLE"), (5, 1, 5, 0, 4, 0, 0), Waiting),
        (("AVAILABLE", "INCOMPLETE"), (2, 1, 2, 0, 1, 0, 0), Waiting),
        (("AVAILABLE", "INCOMPELTE"), (2, 1, 2, 0, 1, 0, 0), Waiting),
        (("AVAILABLE", "COPYING"), (2, 1, 2, 0, 1, 0, 0), Waiting),
        (("NULL", "AVAILABLE"), (2, 1, 2, 0, 1, 0, 0), Waiting),
        (("AVAILABLE", "NULL"), (2, 1, 2, 0, 1, 0, 0), Waiting),
    ],
)
def test_pieces_are_counted_and_judged(words: tuple[str, ...], counts: tuple[int, ...], kind: type) -> None:
    found = dialect(with_pieces(*words)).pieces()
    (row,) = found.rows
    assert (row.count, row.first_id, row.newest_id, row.broken, row.unready, row.cleaned, row.missing) == counts
    verdict = PiecesReady().judge(found)
    assert isinstance(verdict, kind)
    if isinstance(verdict, Terminal):
        assert "shop" in verdict.reason
        assert "full data backup" in verdict.hint


@pytest.mark.parametrize("word", ["INCOMPLETE", "INCOMPELTE"])
def test_incomplete_in_both_spellings(word: str) -> None:
    assert dialect(with_pieces(word)).pieces().rows[0].file_status is FileStatus.INCOMPLETE


@pytest.mark.parametrize("status", ["FROZEN", "FREEZING", "INACTIVE", "WHATEVER", None])
def test_the_newest_piece_has_to_be_active(status: str | None) -> None:
    found = dialect(with_pieces("AVAILABLE", status=status)).pieces()  # type: ignore[arg-type]
    assert found.rows[0].status == (status if status not in {"WHATEVER", None} else "UNKNOWN")
    assert found.rows[0].words == f"{status or 'NULL'}/AVAILABLE"
    assert isinstance(PiecesReady().judge(found), Waiting)


def test_a_piece_without_words() -> None:
    assert dialect(with_pieces("NULL", status=None)).pieces().rows[0].words == "NULL/NULL"  # type: ignore[arg-type]


def test_a_prefix_that_was_cleaned_away_is_no_hole() -> None:
    (row,) = dialect(with_pieces("AVAILABLE", "AVAILABLE", first=7)).pieces().rows
    assert (row.first_id, row.newest_id, row.missing) == (7, 8, 0)


@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_pieces_of_a_round_given_by_number(own: int | None) -> None:
    server = healthy(own=own)
    server.piece(1002, 1, ROUND_ID=2, STATUS="FROZEN", FILE_STATUS="DELETED")
    server.piece(1002, 2, ROUND_ID=2, STATUS="FROZEN")
    found = dialect(server).pieces(2)
    assert (found.round_id, found.past) == (2, {1002, 1004} if own is None else {1002})
    assert [(row.tenant, row.count, row.newest_id, row.status, row.cleaned) for row in found.rows] == [
        (SHOP, 2, 2, "FROZEN", 1)
    ]
    verdict = PiecesReady(round_id=2, statuses=("FROZEN",)).judge(found)
    assert isinstance(verdict, Ready)
    if own is None:
        named = PiecesReady(round_id=2, statuses=("FROZEN",), tenants=("shop", "bank")).judge(found)
        assert isinstance(named, Waiting), "bank was asked for, and has no piece there"
        assert "bank" in named.reason


def test_a_round_by_number_does_not_wait_for_a_tenant_that_is_past_it() -> None:
    found = dialect(healthy()).pieces(3)
    assert [row.tenant for row in found.rows] == [SHOP]
    assert found.past == {BANK.tenant_id}
    assert isinstance(PiecesReady(round_id=3).judge(found), Ready)
    assert isinstance(PiecesReady(round_id=3, tenants=("bank",)).judge(found), Waiting)


def test_a_round_by_number_waits_for_a_tenant_that_has_yet_to_come_to_it() -> None:
    found = dialect(healthy()).pieces(5)
    assert [row.tenant for row in found.rows] == [BANK]
    assert found.past == set()
    verdict = PiecesReady(round_id=5).judge(found)
    assert isinstance(verdict, Waiting)
    assert "shop" in verdict.reason


def test_a_round_that_no_tenant_has_had_yet() -> None:
    found = dialect(healthy()).pieces(9)
    assert (found.round_id, found.rows, found.is_open) == (9, (), True)
    assert isinstance(PiecesReady(round_id=9).judge(found), Waiting)


@pytest.mark.parametrize(
    ("round_id", "past"),
    [(None, set()), (10, set()), (9, set()), (8, {1004}), (4, {1004}), (3, {1004}), (2, {1002, 1004})],
)
@pytest.mark.parametrize("own", [None, 1002], ids=["sys", "tenant"])
def test_which_tenants_can_still_get_a_first_piece_in_a_round(
    own: int | None, round_id: int | None, past: set[int]
) -> None:
    server = healthy(own=own)
    server.archive(1004, "DOING", ROUND_ID=9)
    server.clear("ARCHIVELOG_PIECE_FILES")
    found = dialect(server).pieces(round_id)
    assert found.past == (past if own is None else past & {own})
    assert found.rows == ()
    assert isinstance(PiecesReady(round_id=round_id).judge(found), Waiting)


def test_a_tenant_has_left_a_round_that_has_stopped() -> None:
    server = healthy()
    server.archive(1002, "STOP")
    server.archive(1004, "STOPPING", ROUND_ID=5)
    assert dialect(server).pieces(2).past == {1002, 1004}
    assert dialect(server).pieces(3).past == {1002, 1004}
    assert dialect(server).pieces(5).past == set(), "shop may begin it, bank has not left it"
    server.archive(1004, "STOP", ROUND_ID=5)
    assert dialect(server).pieces(5).past == {1004}


def test_no_pieces_yet() -> None:
    server = healthy()
    server.clear("ARCHIVELOG_PIECE_FILES")
    found = dialect(server).pieces()
    assert (found.rows, found.tenants) == ((), (SHOP, BANK))
    verdict = PiecesReady().judge(found)
    assert isinstance(verdict, Waiting)
    assert "shop, bank" in verdict.reason


def test_a_tenant_that_never_archived_is_waited_for() -> None:
    server = healthy()
    server.remove("ARCHIVELOG", 1004)
    server.remove("ARCHIVELOG_PIECE_FILES", 1004)
    found = dialect(server).pieces()
    assert [row.tenant for row in found.rows] == [SHOP]
    verdict = PiecesReady().judge(found)
    assert isinstance(verdict, Waiting)
    assert "bank" in verdict.reason
    assert isinstance(PiecesReady(tenants=("shop",)).judge(found), Ready)


@pytest.mark.parametrize("column", ["START_SCN", "CHECKPOINT_SCN"])
def test_a_piece_whose_numbers_cannot_be_read_is_unknown_and_hides_no_other(column: str) -> None:
    server = healthy()
    server.update("ARCHIVELOG_PIECE_FILES", 1002, **{column: "x"})
    found = dialect(server).pieces()
    shop, bank = found.rows
    assert (shop.status, shop.started, shop.checkpoint) == (PieceStatus.UNKNOWN, None, None)
    assert (shop.missing, shop.broken) == (0, 0), "not read is not broken"
    assert (shop.round_id, shop.count, shop.unready, shop.cleaned) == (0, 1, 1, 0)
    assert shop.words.startswith("ACTIVE/AVAILABLE (")
    assert (bank.status, bank.started, bank.checkpoint) == (PieceStatus.ACTIVE, STARTED, CHECKPOINT)
    verdict = PiecesReady().judge(found)
    assert isinstance(verdict, Waiting)
    assert verdict.unknown
    assert "bank" not in verdict.reason
    assert isinstance(PiecesReady(tenants=("bank",)).judge(found), Ready)


def test_a_round_that_cannot_be_read_hides_no_other_tenants_pieces() -> None:
    server = healthy()
    server.update("ARCHIVELOG", 1002, ROUND_ID="x")
    found = dialect(server).pieces(5)
    assert [row.tenant.name for row in found.rows] == ["bank"]
    assert found.past == frozenset()
    assert isinstance(PiecesReady(tenants=("bank",), round_id=5).judge(found), Ready)


def test_a_round_is_a_number_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        dialect(healthy()).pieces("1 OR 1=1")  # type: ignore[arg-type]


# --- minor freeze -----------------------------------------------------------------------------------------------------


def freezing(number: str = "4.2.5.0", kind: str = "MINI_MERGE") -> FakeServer4:
    server = healthy(number)
    for tenant_id, name in ((1002, kind), (1002, "MAJOR_MERGE"), (1002, "MINOR_MERGE"), (1004, kind)):
        server.insert("GV$OB_TABLET_COMPACTION_PROGRESS", TENANT_ID=tenant_id, TYPE=name, STATUS="NODE_RUNNING")
    for tenant_id, name, start, end in (
        (1002, kind, "16:59:59.999999", "17:00:20.000000"),
        (1002, kind, "17:00:00.000000", "17:00:05.000000"),
        (1004, kind, "17:00:01.000000", "17:00:09.500000"),
        (1004, "MAJOR_MERGE", "17:00:01.000000", "17:00:30.000000"),
    ):
        server.insert(
            "GV$OB_TABLET_COMPACTION_HISTORY",
            TENANT_ID=tenant_id,
            TYPE=name,
            START_TIME=f"2024-04-13 {start}",
            FINISH_TIME=f"2024-04-13 {end}",
        )
    return server


@codings
@pytest.mark.parametrize(
    ("tenant_ids", "merging", "merges", "last"),
    [((), 2, 2, 9.5), ((1002,), 1, 1, 5), ([1004], 1, 1, 9.5), ((1002, 1004), 2, 2, 9.5), ((1,), 0, 0, None)],
)
def test_a_freeze(
    tenant_ids: tuple[int, ...], merging: int, merges: int, last: float | None, coding: tuple[str, ...]
) -> None:
    found = dialect(coded(freezing(), coding)).freeze_progress(since=NOW, tenant_ids=tenant_ids)
    assert (found.read_at, found.frozen_memtables, found.merging, found.merges) == (NOW, None, merging, merges)
    assert found.quiet_since == (None if last is None else NOW + timedelta(seconds=last))


def test_a_freeze_without_a_moment_counts_all() -> None:
    server = freezing()
    found = dialect(server).freeze_progress(since=None)
    assert (found.merges, found.quiet_since) == (3, NOW + timedelta(seconds=20))
    assert not server.asked_for("START_TIME")


@pytest.mark.parametrize("offset", [28800, 0, -18000])
def test_the_moment_of_a_freeze_is_told_in_the_servers_zone(offset: int) -> None:
    """Times of merges are the server's local time, and the moment may have been kept in another zone."""
    server = freezing()
    server.utc_offset = offset
    now = dialect(server).server_time()
    for zone in (UTC, CST, now.tzinfo):
        found = dialect(server).freeze_progress(since=now.astimezone(zone))
        assert (found.merges, found.quiet_since) == (2, now + timedelta(seconds=9.5))


def test_the_manual_of_4_0_names_the_merge_mini() -> None:
    found = dialect(freezing("4.0.0.0", "MINI")).freeze_progress(since=NOW)
    assert (found.merging, found.merges) == (2, 2)


@pytest.mark.parametrize("errno", [1054, 1146])
def test_merges_under_way_that_are_not_shown_are_not_none_under_way(errno: int) -> None:
    server = freezing()
    server.faults["COMPACTION_PROGRESS"] = errno
    found = dialect(server).freeze_progress(since=NOW)
    assert (found.merging, found.merges) == (None, 2)
    assert not isinstance(FreezeDone(since=NOW).judge(found), Ready)


@pytest.mark.parametrize("errno", [1142, 2013])
def test_merges_that_may_not_be_read_are_not_zero(errno: int) -> None:
    server = freezing()
    server.faults["COMPACTION_PROGRESS"] = errno
    with pytest.raises(ServerError, match=str(errno)):
        dialect(server).freeze_progress(since=NOW)


def test_a_count_that_was_not_returned_is_not_zero() -> None:
    server = freezing()
    server.shows["SELECT COUNT(*)"] = []
    with pytest.raises(UnreadableError):
        dialect(server).freeze_progress(since=NOW)


def test_tenant_numbers_are_numbers() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        dialect(freezing()).freeze_progress(since=None, tenant_ids=["1) OR (1=1"])  # type: ignore[list-item]


# --- how far behind is healthy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "seconds"),
    [("120s", 120), ("2m", 120), ("7200s", 7200), ("2h", 7200), ("0ms", 0), ("60S", 60), ("soon", None), ("", None)],
)
def test_the_lag_target_is_the_least_that_is_healthy(shown: str, seconds: int | None) -> None:
    server = healthy()
    for tenant_id in (1002, 1004):
        server.parameter(tenant_id, "archive_lag_target", shown)
    found = dialect(server)
    if seconds is None:
        assert found.lag_targets().get(1002) is None
        seconds = 120
    else:
        assert found.lag_targets()[1002] == (seconds, seconds)
    # The checkpoint moves only every 50 s on some builds, and twice that may pass.
    assert seconds + 100 <= found.checkpoint_delay() <= seconds + 300


def test_the_largest_of_the_tenants_asked_for_counts() -> None:
    server = healthy()
    server.parameter(1004, "archive_lag_target", "3600s", "3600s")
    found = dialect(server)
    assert found.checkpoint_delay() == found.checkpoint_delay(["bank"]) >= 3600
    assert found.checkpoint_delay(["shop"]) < 600
    assert found.checkpoint_delay(["bank", "shop"]) >= 3600
    assert found.lag_targets()[1] == (7200, 7200), "of sys, which is not archived"


def test_servers_of_a_tenant_that_differ_in_mid_change() -> None:
    server = healthy()
    server.parameter(1002, "archive_lag_target", "7200s", "30s")
    found = dialect(server)
    assert found.lag_targets()[1002] == (30, 7200)
    assert found.checkpoint_delay(["shop"]) >= 7200, "as late as the slowest may be"


@pytest.mark.parametrize("shown", ["soon", None])
def test_a_lag_target_that_cannot_be_read_counts_as_the_default_beside_a_smaller_one(shown: str | None) -> None:
    server = healthy()
    server.parameter(1002, "archive_lag_target", *([shown] if shown else []))
    server.parameter(1004, "archive_lag_target", "10s")
    found = dialect(server)
    assert found.checkpoint_delay() == found.checkpoint_delay(["shop"]) >= 220
    assert found.checkpoint_delay(["bank"]) < 220


def test_parameters_that_are_not_shown() -> None:
    server = healthy()
    server.clear("GV$OB_PARAMETERS")
    assert 220 <= dialect(server).checkpoint_delay() <= 600


@pytest.mark.parametrize("number", VERSIONS)
def test_the_lag_target_came_with_4_2(number: str) -> None:
    server = healthy(number)
    assert 220 <= dialect(server).checkpoint_delay() <= 600
    assert bool(server.asked_for("archive_lag_target")) is (number >= "4.2")


def test_servers_that_differ_do_not_agree() -> None:
    server = healthy()
    server.parameter(1002, "archive_lag_target", "60s", "120s")
    found = dialect(server).parameters("archive_lag_target", "log_archive_concurrency")
    assert found[(1002, "archive_lag_target")] == {"60s", "120s"}
    assert found[(1004, "archive_lag_target")] == {"120s"}
    assert found[(1004, "log_archive_concurrency")] == {"0"}


# --- servers ----------------------------------------------------------------------------------------------------------


@codings
def test_servers(coding: tuple[str, ...]) -> None:
    server = coded(healthy(), coding)
    found = dialect(server).servers()
    assert [(one.address, one.zone, one.active) for one in found] == [
        ("10.0.0.1:2882", "zone1", True),
        ("10.0.0.2:2882", "zone2", True),
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"STATUS": "INACTIVE"}, "INACTIVE"),
        ({"STATUS": "DELETING"}, "DELETING"),
        ({"STATUS": None}, ""),
        ({"STOP_TIME": "2024-04-13 16:00:00.000000"}, "ACTIVE, stopped by an administrator"),
        ({"START_SERVICE_TIME": None}, "ACTIVE, not serving"),
    ],
)
def test_a_server_that_does_not_serve(values: dict[str, object], words: str) -> None:
    server = healthy()
    server._db.execute(
        f"UPDATE oceanbase.DBA_OB_SERVERS SET {next(iter(values))} = ? WHERE ID = 2", list(values.values())
    )
    found = dialect(server).servers()
    assert [one.active for one in found] == [True, False]
    assert found[1].status == words
