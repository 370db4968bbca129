"""The 3.x dialect: its SQL run on tables of the specification's shape, its statements' exact text."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from airflow_ob_provider.oceanbase.destination import Destination, DestinationOption, Keys, WantedDestination
from airflow_ob_provider.oceanbase.dialects import UnsupportedVersionError, detect_version, dialect_for
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus, PieceStatus, Scope, Setting, Tenant
from airflow_ob_provider.oceanbase.options import ArchiveMode, ArchiveOption, Compression, WantedOption
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from airflow_ob_provider.oceanbase.waits import ArchiveDoing, CheckpointPassed, PiecesReady, Ready, Terminal, Waiting
from tests.unit.oceanbase.builders import BANK, CST, NOW, SHOP, SYS, row
from tests.unit.oceanbase.fake_server import ARCHIVELOG, SUMMARY_3_1_0, FakeServer, healthy


def version(number: str = "3.1.5") -> OceanBaseVersion:
    return OceanBaseVersion.parse(f"OceanBase {number} (r1)")


def dialect(server: FakeServer, number: str = "3.1.5") -> V3Dialect:
    return V3Dialect(version(number), server)


def when(clock: str) -> datetime:
    return datetime.fromisoformat(f"2024-04-13 {clock}").replace(tzinfo=CST)


def stopped() -> FakeServer:
    server = healthy()
    server._db.execute("UPDATE oceanbase.CDB_OB_BACKUP_ARCHIVELOG SET STATUS = 'STOP'")
    return server


both_codings = pytest.mark.parametrize("as_bytes", [False, True], ids=["text", "bytes"])


# --- which dialect ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["2.2.77", "3.1.0", "3.1.5", "3.2.4.3"])
def test_everything_before_4_speaks_it(number: str) -> None:
    found = dialect_for(version(number), FakeServer())
    assert isinstance(found, V3Dialect)
    assert found.version == version(number)


@pytest.mark.parametrize("number", ["4.0.0.0", "4.2.5.1", "4.3.5.1"])
def test_4_speaks_another(number: str) -> None:
    found = dialect_for(version(number), FakeServer())
    assert isinstance(found, V4Dialect)
    assert found.version == version(number)


@pytest.mark.parametrize("number", ["5.0.0.0", "5.1.2", "10.0.0.0"])
def test_later_versions_are_refused_before_anything_is_sent(number: str) -> None:
    server = FakeServer()
    with pytest.raises(UnsupportedVersionError, match=f"OceanBase {number} is not supported .* nothing was changed"):
        dialect_for(version(number), server)
    assert server.asked == []


@pytest.mark.parametrize(
    ("row", "number"),
    [
        ({"comment": "OceanBase 3.1.4 (r1) (Built x)", "version": "3.1.4-OceanBase CE"}, "3.1.4"),
        ({"comment": b"OceanBase 3.1.4 (r1) (Built x)", "version": b"3.1.4-OceanBase CE"}, "3.1.4"),
        ({"comment": "MySQL", "version": "5.7.25-OceanBase-v3.2.4.3"}, "3.2.4.3"),
        ({"comment": None, "version": b"3.1.5-OceanBase CE"}, "3.1.5"),
    ],
)
def test_detects_the_version(row: dict[str, object], number: str) -> None:
    assert str(detect_version(lambda _: [row])) == number


@pytest.mark.parametrize("rows", [[{"comment": "MySQL Community", "version": "8.0.36"}], []])
def test_a_server_that_is_not_oceanbase(rows: list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match="not an OceanBase server"):
        detect_version(lambda _: rows)


def test_the_version_is_asked_with_one_statement() -> None:
    asked: list[Statement] = []

    def query(statement: Statement) -> list[dict[str, object]]:
        asked.append(statement)
        return [{"comment": "OceanBase 3.1.4", "version": ""}]

    detect_version(query)
    assert [(one.text, one.writes) for one in asked] == [
        ("SELECT @@version_comment AS comment, version() AS version", False)
    ]


# --- archive ----------------------------------------------------------------------------------------------------------


@both_codings
def test_a_running_round(as_bytes: bool) -> None:
    server = healthy(as_bytes=as_bytes)
    found = dialect(server).archive()
    assert found.read_at == NOW
    assert found.read_at.utcoffset() == timedelta(hours=8)
    assert found.scope is Scope.CLUSTER
    assert found.tenants == (SHOP, BANK)
    started = when("16:00:00.250000")
    assert found.rows == (
        row(SYS, round_id=3, started=started, checkpoint=when("16:58:00.000001")),
        row(SHOP, round_id=3, started=started, checkpoint=when("16:58:00.000001")),
        row(BANK, round_id=3, started=started, checkpoint=when("16:58:30.500000")),
    )
    assert len(server.asked) == 1


def test_the_manuals_rows_with_splitting() -> None:
    server = FakeServer()
    server.tenant(1, "sys")
    server.tenant(1001, "shop")
    server.archive("1|1|1|DOING|1|4|2021-07-22 15:18:06.135913|2021-07-22 15:18:10.116704|0|0|NULL|0.00MB|0.00MB")
    server.archive("1|1|1001|DOING|1|4|2021-07-22 15:18:06.135913|2021-07-22 15:18:10.483601|0|0|NULL|0.00MB|0.00MB")
    sys_row, shop_row = dialect(server).archive().rows
    assert (sys_row.round_id, sys_row.piece_id, shop_row.piece_id) == (1, 4, 4)
    assert sys_row.checkpoint == datetime(2021, 7, 22, 15, 18, 10, 116704, tzinfo=CST)


def test_a_fresh_cluster() -> None:
    server = FakeServer()
    server.tenant(1, "sys")
    server.archive("1|0|1|STOP|0|0|||0|0|NULL|0.00MB|0.00MB")
    found = dialect(server).archive()
    assert found.rows == (row(SYS, ArchiveState.STOP, round_id=0, started=None, checkpoint=None),)
    assert found.tenants == ()


def test_begun_and_stopped_as_a_live_cluster_showed_it() -> None:
    server = FakeServer()
    server.tenant(1, "sys")
    server.tenant(1001, "shop")
    server.archive("1|2|1|BEGINNING|0|0|2024-04-13 16:35:56.854341||0|0|NULL|0.00MB|0.00MB")
    server.archive("1|2|1001|BEGINNING|0|0|2024-04-13 09:19:46.345823||0|0|NULL|0.00MB|0.00MB")
    begun = dialect(server).archive()
    assert [one.state for one in begun.rows] == ["BEGINNING", "BEGINNING"]
    assert [one.checkpoint for one in begun.rows] == [None, None]
    assert begun.rows[1].started == when("09:19:46.345823")

    server.clear("CDB_OB_BACKUP_ARCHIVELOG")
    server.archive("1|1|1|STOP|0|0|2024-04-13 08:53:47.460682|2024-04-13 16:33:43.624022|0|0|NULL|0.00MB|0.00MB")
    stopped = dialect(server).archive()
    assert [one.tenant for one in stopped.rows] == [SYS]
    assert stopped.without_row(()) == (SHOP,)
    assert stopped.governing[0].checkpoint == when("16:33:43.624022")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("MAX_NEXT_TIME", "0000-00-00 00:00:00.000000"),
        ("MIN_FIRST_TIME", "not a time"),
        ("LOG_ARCHIVE_ROUND", "three"),
        ("BACKUP_PIECE_ID", "x"),
    ],
)
def test_a_row_that_cannot_be_read_is_unknown_and_hides_no_other(column: str, value: str) -> None:
    server = healthy()
    server._db.execute(f"UPDATE oceanbase.CDB_OB_BACKUP_ARCHIVELOG SET {column} = ? WHERE TENANT_ID = 1001", [value])
    found = dialect(server).archive().rows
    assert [one.state for one in found] == ["DOING", "UNKNOWN", "DOING"]
    assert repr(value) in found[1].status
    assert (found[1].round_id, found[1].piece_id, found[1].started, found[1].checkpoint) == (0, 0, None, None)
    assert isinstance(ArchiveDoing().judge(dialect(server).archive()), Waiting)


@pytest.mark.parametrize(("word", "shown"), [("MIXED", "MIXED"), ("PAUSED", "PAUSED"), ("", "NULL"), (None, "NULL")])
def test_a_word_that_is_not_in_the_manuals(word: str | None, shown: str) -> None:
    server = healthy()
    server._db.execute("UPDATE oceanbase.CDB_OB_BACKUP_ARCHIVELOG SET STATUS = ? WHERE TENANT_ID = 1", [word])
    found = dialect(server).archive().governing[0]
    assert (found.state, found.status, found.round_id) == (ArchiveState.UNKNOWN, shown, 3)


@pytest.mark.parametrize("value", [None, "MAX"])
def test_a_checkpoint_that_is_null_or_open_is_none(value: str | None) -> None:
    server = healthy()
    server._db.execute("UPDATE oceanbase.CDB_OB_BACKUP_ARCHIVELOG SET MAX_NEXT_TIME = ?", [value])
    found = dialect(server).archive()
    assert [one.checkpoint for one in found.rows] == [None] * 3
    assert isinstance(CheckpointPassed(after=NOW - timedelta(minutes=30)).judge(found), Waiting)


def test_rows_of_a_dropped_tenant_are_left_out() -> None:
    server = healthy()
    server._db.execute("DELETE FROM oceanbase.gv$tenant WHERE tenant_id = 1002")
    found = dialect(server).archive()
    assert [one.tenant for one in found.rows] == [SYS, SHOP]


def test_a_tenant_in_the_recycle_bin_is_not_waited_for() -> None:
    server = healthy()
    server.tenant(1003, "__recycle_$_1_1712999999000000")
    assert dialect(server).archive().tenants == (SHOP, BANK)
    assert dialect(server).tenants() == (SHOP, BANK)
    assert dialect(server).pieces().tenants == (SHOP, BANK)
    assert isinstance(ArchiveDoing().judge(dialect(server).archive()), Ready)


def test_what_a_tenant_in_the_recycle_bin_left_behind_is_not_judged() -> None:
    server = healthy()
    server._db.execute("UPDATE oceanbase.gv$tenant SET tenant_name = '__recycle_$_1' WHERE tenant_id = 1002")
    assert [one.tenant for one in dialect(server).archive().rows] == [SYS, SHOP]
    assert [one.tenant for one in dialect(server).pieces().rows] == [SYS, SHOP]


def test_no_sys_row_is_no_state() -> None:
    server = healthy()
    server._db.execute("DELETE FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG WHERE TENANT_ID = 1")
    found = dialect(server).archive()
    assert found.governing == ()
    assert isinstance(ArchiveDoing().judge(found), Waiting)


def test_an_empty_answer_is_no_state() -> None:
    with pytest.raises(UnreadableError, match="no row, not even its own time"):
        dialect(FakeServer()).archive()
    with pytest.raises(UnreadableError, match="no row"):
        dialect(FakeServer()).pieces(1)


@pytest.mark.parametrize(
    ("offset", "hours"), [(0, 0.0), (28800, 8.0), (28799, 8.0), (-18000, -5.0), ("28800", 8.0), (20700, 5.75)]
)
def test_times_are_in_the_servers_zone(offset: object, hours: float) -> None:
    server = healthy()
    server.utc_offset = offset
    found = dialect(server).archive()
    for moment in (found.read_at, found.rows[0].started, found.rows[0].checkpoint, dialect(server).server_time()):
        assert moment is not None
        assert moment.utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("now", "offset"), [("", 28800), (None, 28800), ("soon", 28800), ("2024-04-13 17:00:00", None)]
)
def test_a_server_that_does_not_tell_its_time(now: str | None, offset: object) -> None:
    server = healthy()
    server.now, server.utc_offset = now, offset  # type: ignore[assignment]
    with pytest.raises(UnreadableError):
        dialect(server).archive()
    with pytest.raises(UnreadableError):
        dialect(server).server_time()


# --- 3.1.0, whose view of the current state does not exist ------------------------------------------------------------


def server_3_1_0() -> FakeServer:
    server = FakeServer()
    server.tenant(1, "sys")
    server.tenant(1001, "shop")
    server.drop("CDB_OB_BACKUP_ARCHIVELOG")
    server.create("CDB_OB_BACKUP_ARCHIVELOG_SUMMARY", SUMMARY_3_1_0)
    return server


def test_3_1_0_that_never_archived() -> None:
    found = dialect(server_3_1_0(), "3.1.0").archive()
    assert found.rows == (row(SYS, ArchiveState.STOP, round_id=0, started=None, checkpoint=None),)
    assert found.tenants == (SHOP,)


def test_3_1_0_shows_the_newest_round_of_its_summary() -> None:
    server = server_3_1_0()
    view = "CDB_OB_BACKUP_ARCHIVELOG_SUMMARY"
    for tenant_id in (1, 1001):
        server.archive(f"1|1|{tenant_id}|STOP|2024-04-12 08:00:00|2024-04-12 09:00:00|0|0|NULL|0.00MB|0.00MB", view)
        server.archive(f"1|2|{tenant_id}|DOING|2024-04-13 08:00:00|2024-04-13 16:58:00|0|0|NULL|0.00MB|0.00MB", view)
    found = dialect(server, "3.1.0").archive()
    assert [(one.tenant, one.state, one.round_id, one.checkpoint) for one in found.rows] == [
        (SYS, "DOING", 2, when("16:58:00")),
        (SHOP, "DOING", 2, when("16:58:00")),
    ]


@pytest.mark.parametrize("number", ["2.2.77", "3.1.1", "3.1.5", "3.2.4.3"])
def test_a_missing_view_is_an_error_on_any_other_version(number: str) -> None:
    with pytest.raises(ServerError) as caught:
        dialect(server_3_1_0(), number).archive()
    assert caught.value.errno == 1146


@pytest.mark.parametrize("errno", [1142, 1227, 2013, 4012])
def test_any_other_error_is_an_error_on_3_1_0_too(errno: int) -> None:
    server = server_3_1_0()
    server.faults["CDB_OB_BACKUP_ARCHIVELOG a"] = errno
    with pytest.raises(ServerError) as caught:
        dialect(server, "3.1.0").archive()
    assert caught.value.errno == errno
    assert len(server.asked) == 1


def test_3_1_0_with_no_view_at_all() -> None:
    server = server_3_1_0()
    server.drop("CDB_OB_BACKUP_ARCHIVELOG_SUMMARY")
    with pytest.raises(ServerError, match="1146"):
        dialect(server, "3.1.0").archive()


# --- pieces -----------------------------------------------------------------------------------------------------------


@both_codings
def test_pieces_without_splitting(as_bytes: bool) -> None:
    found = dialect(healthy(as_bytes=as_bytes)).pieces()
    assert (found.round_id, found.read_at, found.tenants) == (3, NOW, (SHOP, BANK))
    assert [one.tenant for one in found.rows] == [SYS, SHOP, BANK]
    one = found.rows[1]
    assert (one.count, one.first_id, one.newest_id, one.missing) == (1, 0, 0, 0)
    assert (one.status, one.file_status, one.words) == ("ACTIVE", "AVAILABLE", "ACTIVE/AVAILABLE")
    assert (one.broken, one.unready, one.cleaned) == (0, 0, 0)
    assert (one.started, one.checkpoint, one.round_id) == (when("16:00:00.250000"), None, 3)
    assert isinstance(PiecesReady().judge(found), Ready)


def splitting(*file_statuses: str, first: int = 1, status: str = "ACTIVE") -> FakeServer:
    """One tenant with a piece a word ('' leaves it out); all but the newest are FROZEN."""
    server = FakeServer()
    server.tenant(1, "sys")
    server.archive("1|3|1|DOING|1|9|2024-04-13 16:00:00|2024-04-13 16:58:00|0|0|NULL|0.00MB|0.00MB")
    for number, word in enumerate(file_statuses, first):
        if word:
            newest = number == first + len(file_statuses) - 1
            state = status if newest else "FROZEN"
            server.piece(f"1|1|3|{number}|0|20240413|2024-04-13 16:00:00|2024-04-13 16:30:00|MAX|{state}|{word}|1|1")
    return server


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        # count, first, newest, broken, unready, cleaned, missing
        (("AVAILABLE",), (1, 1, 1, 0, 0, 0, 0)),
        (("AVAILABLE", "AVAILABLE", "AVAILABLE"), (3, 1, 3, 0, 0, 0, 0)),
        (("BROKEN", "AVAILABLE"), (2, 1, 2, 1, 0, 0, 0)),
        (("EXPIRED", "DELETING", "DELETED", "AVAILABLE"), (4, 1, 4, 0, 0, 3, 0)),
        (("AVAILABLE", "", "AVAILABLE"), (2, 1, 3, 0, 0, 0, 1)),
        (("COPYING", "INCOMPLETE", "INCOMPELTE", "WHATEVER", "AVAILABLE"), (5, 1, 5, 0, 4, 0, 0)),
        (("NULL", "AVAILABLE"), (2, 1, 2, 0, 1, 0, 0)),
    ],
)
def test_pieces_are_counted(words: tuple[str, ...], counts: tuple[int, ...]) -> None:
    found = dialect(splitting(*words)).pieces().rows[0]
    assert (
        found.count,
        found.first_id,
        found.newest_id,
        found.broken,
        found.unready,
        found.cleaned,
        found.missing,
    ) == counts
    assert found.status is PieceStatus.ACTIVE
    assert found.file_status is FileStatus.AVAILABLE


def test_a_prefix_that_was_cleaned_away_is_no_hole() -> None:
    found = dialect(splitting("AVAILABLE", "AVAILABLE", first=7)).pieces().rows[0]
    assert (found.first_id, found.newest_id, found.missing) == (7, 8, 0)


def test_other_rounds_and_copies_do_not_count() -> None:
    server = splitting("AVAILABLE", "AVAILABLE")
    server.piece("1|1|2|0|0|20240412|2024-04-12 16:00:00|2024-04-12 17:00:00|2024-04-12 17:01:00|FROZEN|BROKEN|1|0")
    server.piece("1|1|3|9|1|20240413|2024-04-13 16:00:00||MAX|INACTIVE|BROKEN|1|1")
    server.piece("1|1|3|2|1|20240413|2024-04-13 16:00:00||MAX|INACTIVE|BROKEN|1|1")
    current = dialect(server).pieces()
    assert [(one.count, one.broken, one.newest_id, one.status) for one in current.rows] == [(2, 0, 2, "ACTIVE")]
    old = dialect(server).pieces(2)
    assert old.round_id == 2
    assert [(one.count, one.broken, one.newest_id, one.status) for one in old.rows] == [(1, 1, 0, "FROZEN")]


@pytest.mark.parametrize(("round_id", "is_open"), [(None, True), (4, True), (3, True), (2, False), (0, False)])
def test_which_round_can_still_gain_tenants(round_id: int | None, is_open: bool) -> None:
    assert dialect(healthy()).pieces(round_id).is_open is is_open


def test_a_round_that_has_stopped_gains_no_tenant() -> None:
    server = healthy()
    server._db.execute("UPDATE oceanbase.CDB_OB_BACKUP_ARCHIVELOG SET STATUS = 'STOP' WHERE TENANT_ID = 1")
    assert not dialect(server).pieces(None).is_open


def test_right_after_the_start_only_sys_has_a_piece() -> None:
    server = healthy()
    server._db.execute("DELETE FROM oceanbase.CDB_OB_BACKUP_PIECE_FILES WHERE TENANT_ID > 1")
    for round_id in (None, 3):
        assert isinstance(PiecesReady(round_id=round_id).judge(dialect(server).pieces(round_id)), Waiting)


def test_times_of_a_frozen_piece() -> None:
    server = FakeServer()
    server.tenant(1, "sys")
    server.piece(
        "1|1|1|0|0|20221028|2022-10-28 10:58:38.325595|2022-10-28 14:50:29.834598|2022-10-28 14:50:39.280049"
        "|FROZEN|AVAILABLE|1|0"
    )
    found = dialect(server).pieces(1).rows[0]
    assert found.started == datetime(2022, 10, 28, 10, 58, 38, 325595, tzinfo=CST)
    assert found.checkpoint == datetime(2022, 10, 28, 14, 50, 29, 834598, tzinfo=CST)
    assert (found.status, found.file_status) == ("FROZEN", "AVAILABLE")


@pytest.mark.parametrize("column", ["START_TS", "CHECKPOINT_TS"])
def test_a_piece_whose_times_cannot_be_read_is_unknown(column: str) -> None:
    server = healthy()
    server._db.execute(f"UPDATE oceanbase.CDB_OB_BACKUP_PIECE_FILES SET {column} = 'x' WHERE TENANT_ID = 1001")
    found = dialect(server).pieces()
    assert [one.status for one in found.rows] == ["ACTIVE", "UNKNOWN", "ACTIVE"]
    assert (
        found.rows[1].words
        == f"ACTIVE/AVAILABLE ({'started' if column == 'START_TS' else 'checkpoint'} is 'x', not a time)"
    )
    assert isinstance(PiecesReady().judge(found), Waiting)


def test_a_piece_without_words() -> None:
    server = splitting("NULL", status="NULL")
    found = dialect(server).pieces().rows[0]
    assert (found.status, found.file_status, found.words) == ("UNKNOWN", "UNKNOWN", "NULL/NULL")


def test_no_pieces_yet() -> None:
    server = healthy()
    server.clear("CDB_OB_BACKUP_PIECE_FILES")
    found = dialect(server).pieces()
    assert (found.round_id, found.rows, found.tenants) == (3, (), (SHOP, BANK))


def test_pieces_of_a_cluster_that_never_archived() -> None:
    server = FakeServer()
    server.tenant(1, "sys")
    assert dialect(server).pieces().round_id == 0
    server.archive("1|0|1|STOP|0|0|||0|0|NULL|0.00MB|0.00MB")
    assert dialect(server).pieces().round_id == 0
    assert isinstance(PiecesReady().judge(dialect(server).pieces()), Waiting)


def test_a_round_is_a_number_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        dialect(healthy()).pieces("1 OR 1=1")  # type: ignore[arg-type]


# --- freeze -----------------------------------------------------------------------------------------------------------


def freezing() -> FakeServer:
    server = healthy()
    for tenant_id, active in ((1, 1), (1, 0), (1001, 0), (1001, 0), (1001, 1), (1002, 0)):
        server.insert("gv$memstore_info", TENANT_ID=tenant_id, IS_ACTIVE=active)
    for tenant_id, kind, end in (
        (1, "minor", "2024-04-13 16:59:59.999999"),
        (1001, "minor", "2024-04-13 17:00:00.000000"),
        (1001, "minor", "2024-04-13 17:00:10.000000"),
        (1002, "major", "2024-04-13 17:00:10.000000"),
        (1002, "minor", "2024-04-13 17:00:10.000000"),
    ):
        server.insert("gv$merge_info", TENANT_ID=tenant_id, TYPE=kind, END_TIME=end)
    return server


@both_codings
def test_a_freeze_of_everything(as_bytes: bool) -> None:
    server = freezing()
    server.as_bytes = as_bytes
    found = dialect(server).freeze_progress(since=NOW)
    assert (found.read_at, found.frozen_memtables, found.merges) == (NOW, 4, 3)
    assert dialect(server).freeze_progress(since=None).merges == 4


@pytest.mark.parametrize(
    ("tenant_ids", "frozen", "merges"), [((), 4, 3), ([1], 1, 0), ([1001], 2, 2), ((1, 1002), 2, 1), ([1003], 0, 0)]
)
def test_a_freeze_of_tenants(tenant_ids: list[int], frozen: int, merges: int) -> None:
    found = dialect(freezing()).freeze_progress(since=NOW, tenant_ids=tenant_ids)
    assert (found.frozen_memtables, found.merges) == (frozen, merges)


@pytest.mark.parametrize("errno", [1146, 1054])
def test_a_server_that_does_not_show_memtables(errno: int) -> None:
    server = freezing()
    server.faults["gv$memstore_info"] = errno
    assert dialect(server).freeze_progress(since=NOW).frozen_memtables is None
    server.faults["gv$merge_info"] = errno
    assert dialect(server).freeze_progress(since=NOW).merges is None


@pytest.mark.parametrize("errno", [1142, 2013])
def test_memtables_that_may_not_be_read_are_not_zero(errno: int) -> None:
    server = freezing()
    server.faults["gv$memstore_info"] = errno
    with pytest.raises(ServerError, match=str(errno)):
        dialect(server).freeze_progress(since=NOW)


@pytest.mark.parametrize("rows", [[], [{}], [{"count": 0}]])
def test_a_count_that_was_not_returned_is_not_zero(rows: list[dict[str, object]]) -> None:
    server = freezing()
    server.shows["SELECT COUNT(*) AS n FROM oceanbase.gv$memstore_info"] = rows
    with pytest.raises(UnreadableError):
        dialect(server).freeze_progress(since=NOW)


def test_the_moment_of_a_freeze_is_the_servers_local_time() -> None:
    server = freezing()
    dialect(server).freeze_progress(since=NOW)
    assert any("END_TIME >= '2024-04-13 17:00:00.000000'" in one.text for one in server.asked)


def test_tenant_numbers_are_numbers() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        dialect(freezing()).freeze_progress(since=None, tenant_ids=["1) OR (1=1"])  # type: ignore[list-item]


# --- settings ---------------------------------------------------------------------------------------------------------


@both_codings
def test_settings_of_all_servers(as_bytes: bool) -> None:
    server = healthy(as_bytes=as_bytes)
    found = dialect(server)
    places = ("10.0.0.1:2882", "10.0.0.2:2882")
    assert found.destination_setting() == Setting(
        "backup_dest", tuple((place, "file:///data/nfs/backup") for place in places)
    )
    assert found.option_setting().agreed == "OPTIONAL COMPRESSION=ENABLE"
    assert found.destination_option_setting().agreed == "recovery_window=7d"
    assert [one.text for one in server.asked] == [
        r"SHOW PARAMETERS LIKE 'backup\_dest'",
        r"SHOW PARAMETERS LIKE 'backup\_log\_archive\_option'",
        r"SHOW PARAMETERS LIKE 'backup\_dest\_option'",
    ]
    assert all(one.holds_secrets is True for one in server.asked), "a masked value cannot be compared"
    found.cluster_name(), found.archive()
    assert not any(one.holds_secrets for one in server.asked[3:])


@pytest.mark.parametrize("wildcards", [True, False])
def test_look_alikes_are_left_out(wildcards: bool) -> None:
    """``_`` is a wildcard of LIKE; a server that takes the escape for something else may return more."""
    server = FakeServer()
    server.wildcards = wildcards
    server.parameter("backupXdest", "file:///wrong")
    server.parameter("backup_backup_dest", "file:///wrong")
    server.parameter("BACKUP_DEST", "file:///right")
    server.parameter("backup_dest_option", "wrong")
    assert dialect(server).destination_setting().values == (("10.0.0.1:2882", "file:///right"),)


def test_servers_that_differ() -> None:
    server = FakeServer()
    server.parameter("backup_dest", "file:///new", "")
    setting = dialect(server).destination_setting()
    assert setting.agreed is None
    assert setting.values == (("10.0.0.1:2882", "file:///new"), ("10.0.0.2:2882", ""))


@pytest.mark.parametrize("value", ["", None])
def test_a_setting_that_was_never_set(value: str | None) -> None:
    server = FakeServer()
    server.parameter("backup_dest", value, value)
    assert dialect(server).destination_setting().agreed == ""
    assert dialect(server).destination_option_setting().agreed is None


# --- who and where ----------------------------------------------------------------------------------------------------


@both_codings
def test_identity(as_bytes: bool) -> None:
    found = dialect(healthy(as_bytes=as_bytes)).identity()
    assert (found.version, found.cluster, found.cluster_id) == ("3.1.5", "obdemo", "1")
    assert (found.tenant, found.account) == ("sys", "root@%")
    assert found.grants == ("GRANT ALL PRIVILEGES ON *.* TO 'root' WITH GRANT OPTION",)
    assert found.may_alter


def test_identity_of_which_nothing_may_be_read() -> None:
    server = FakeServer()
    server.faults["SHOW"] = server.faults["CURRENT_USER"] = 1142
    found = dialect(server).identity()
    assert (found.cluster, found.cluster_id, found.tenant, found.account, found.grants) == ("", "", "", "", ())
    assert not found.may_alter


def test_identity_of_empty_answers() -> None:
    server = FakeServer()
    server.shows = {"SHOW TENANT": [], "SHOW GRANTS": [], "SELECT CURRENT_USER()": []}
    found = dialect(server).identity()
    assert (found.cluster, found.tenant, found.account, found.grants) == ("", "", "", ())


@pytest.mark.parametrize("part", ["SHOW GRANTS", "SHOW TENANT", "SHOW PARAMETERS", "CURRENT_USER"])
def test_a_lost_connection_is_not_an_empty_identity(part: str) -> None:
    server = healthy()
    server.faults[part] = 2013
    with pytest.raises(ServerError, match="2013"):
        dialect(server).identity()


@both_codings
def test_servers(as_bytes: bool) -> None:
    server = healthy(as_bytes=as_bytes)
    for address, status, stopped, serving in (
        ("10.0.0.3", "INACTIVE", 0, 1),
        ("10.0.0.4", "active", 1712999999000000, 1),
        ("10.0.0.5", "ACTIVE", 0, 0),
        ("10.0.0.6", "ACTIVE", None, 1),
    ):
        server.insert(
            "__all_server",
            svr_ip=address,
            svr_port=2882,
            zone="zone3",
            status=status,
            stop_time=stopped,
            start_service_time=serving,
        )
    found = dialect(server).servers()
    assert [(one.address, one.zone, one.active, one.status) for one in found] == [
        ("10.0.0.1:2882", "zone1", True, "active"),
        ("10.0.0.2:2882", "zone2", True, "active"),
        ("10.0.0.3:2882", "zone3", False, "INACTIVE"),
        ("10.0.0.4:2882", "zone3", False, "active, stopped by an administrator"),
        ("10.0.0.5:2882", "zone3", False, "ACTIVE, not serving"),
        ("10.0.0.6:2882", "zone3", True, "ACTIVE"),
    ]


@both_codings
def test_facts_of_the_prerequisites(as_bytes: bool) -> None:
    found = dialect(healthy(as_bytes=as_bytes))
    assert found.timestamp_services() == {1: "1", 1001: "1", 1002: "1"}
    assert found.cluster_role() == "PRIMARY"
    assert found.clock_deviations() == {"10.0.0.1:2882": (0, "SYNC"), "10.0.0.2:2882": (1000, "SYNC")}


def test_no_role() -> None:
    assert dialect(FakeServer()).cluster_role() == ""


def test_reading_sends_nothing_but_reads() -> None:
    server = freezing()
    found = dialect(server)
    found.archive(), found.pieces(), found.identity(), found.servers(), found.tenants(), found.server_time()
    found.freeze_progress(since=NOW), found.destination_setting()
    found.prerequisites(destination=None, restart_interrupted=False)
    for one in server.asked:
        assert not one.writes
        assert one.text.startswith(("SELECT ", "SHOW "))
        assert one.redacted == one.text
        assert "\n" not in one.text


# --- statements that change the server --------------------------------------------------------------------------------


def test_switches() -> None:
    found = dialect(FakeServer())
    for statement, text in (
        (found.start_archive(row()), "ALTER SYSTEM ARCHIVELOG"),
        (found.stop_archive(row()), "ALTER SYSTEM NOARCHIVELOG"),
    ):
        assert (statement.text, statement.redacted, statement.writes) == (text, text, True)
        assert statement.timeout == 60


def test_setting_the_option() -> None:
    option = ArchiveOption(ArchiveMode.MANDATORY, Compression.LZ4)
    statement = dialect(FakeServer()).set_option(option)
    assert statement.text == "ALTER SYSTEM SET backup_log_archive_option = 'mandatory compression= lz4_1.0'"
    assert statement.redacted == statement.text
    assert statement.writes


def test_setting_the_destination_of_a_file_system() -> None:
    statement = dialect(FakeServer()).set_destination(Destination.parse("file:///data/nfs/backup"))
    assert statement.text == "ALTER SYSTEM SET backup_dest = 'file:///data/nfs/backup'"
    assert statement.redacted == statement.text


def test_setting_the_destination_of_an_object_store() -> None:
    destination = Destination.parse("oss://b/d?host=h.example.com").with_keys(Keys("AK/I+D=", "wJal rX%/+="))
    statement = dialect(FakeServer()).set_destination(destination)
    assert statement.text == (
        "ALTER SYSTEM SET backup_dest = 'oss://b/d?host=h.example.com&access_id=AK/I+D=&access_key=wJal%20rX%/+='"
    )
    assert statement.redacted == (
        "ALTER SYSTEM SET backup_dest = 'oss://b/d?host=h.example.com&access_id=***&access_key=***'"
    )
    assert "wJal" not in f"{statement} {statement!r}"
    assert statement.writes


def test_a_key_that_also_stands_elsewhere_in_a_destination_is_not_shown_there() -> None:
    destination = Destination.parse("oss://b/wJal?host=h.example.com").with_keys(Keys("id", "wJal"))
    statement = dialect(FakeServer()).set_destination(destination)
    assert "oss://b/wJal?" in statement.text
    assert "wJal" not in statement.redacted


@pytest.mark.parametrize(
    ("errno", "words"),
    [
        (9026, "archived to before"),
        (9036, "only while log backup is STOP"),
        (1235, "backup_backup_dest"),
        (4009, "mount it on every OBServer"),
        (4012, ""),
    ],
)
def test_a_destination_has_its_own_hints(errno: int, words: str) -> None:
    statement = dialect(FakeServer()).set_destination(Destination.parse("file:///d"))
    assert words in statement.hint(errno)
    assert bool(statement.hint(errno)) is bool(words)
    assert dialect(FakeServer()).start_archive(row()).hint(errno) == ""


def test_a_hostile_destination_is_not_sent_and_not_shown() -> None:
    destination = Destination.parse("oss://b/d?host=h").with_keys(Keys("id", "hunter2';DROP"))
    with pytest.raises(ValueError, match="destination holds a quote") as caught:
        dialect(FakeServer()).set_destination(destination)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("s3://b/d", "scheme 's3' is not one of file, oss, cos; S3 is not supported by OceanBase 3.x"),
        ("azblob://b/d", "scheme 'azblob' is not one of file, oss, cos"),
        ("file:///data/{tenant}", "{tenant} has no meaning on OceanBase 3.x"),
        ("file:///data/{tenant_id}", "{tenant} has no meaning on OceanBase 3.x"),
        ("file:///data/{cluster}/{tenant}", "{tenant} has no meaning on OceanBase 3.x"),
    ],
)
def test_a_destination_of_4_is_refused_before_anything_is_sent(wanted: str, problem: str) -> None:
    keys = Keys("id", "hunter2", "h.example.com")
    destination = Destination.parse(wanted)
    if destination.scheme != "file":
        destination = destination.with_keys(keys)
    assert destination.problem() is None
    (change,) = dialect(stopped()).plan_destination(WantedDestination(destination))
    assert change.refusal.startswith(f"destination {destination}: {problem}")
    assert ("S3" in change.refusal) is (destination.scheme == "s3")
    assert change.refusal.endswith("file, oss, cos") is (destination.scheme == "azblob")
    assert change.statements == ()
    assert change.after == change.before == "file:///data/nfs/backup with recovery_window=7d"
    assert "hunter2" not in f"{change}"


def test_the_cluster_in_a_destination() -> None:
    wanted = WantedDestination(Destination.parse("file:///data/{cluster}"))
    (change,) = dialect(stopped()).plan_destination(wanted)
    assert [one.text for one in change.statements] == ["ALTER SYSTEM SET backup_dest = 'file:///data/obdemo'"]
    assert (change.place, change.scope) == ("cluster", Scope.CLUSTER)
    assert change.after == "file:///data/obdemo"
    there = stopped()
    there.parameters = [one for one in there.parameters if one["name"] != "backup_dest"]
    there.parameter("backup_dest", "file:///data/obdemo", "file:///data/obdemo")
    (change,) = dialect(there).plan_destination(wanted)
    assert (change.statements, change.refusal) == ((), "")
    assert change.before == change.after == "file:///data/obdemo with recovery_window=7d"
    (change,) = dialect(with_parameter(there, "backup_dest_option", "", "")).plan_destination(wanted)
    assert change.before == "file:///data/obdemo"


def test_the_cluster_is_asked_for_only_where_its_name_is_needed() -> None:
    server = stopped()
    dialect(server).plan_destination(WantedDestination(Destination.parse("file:///data/new")))
    assert "SHOW PARAMETERS LIKE 'cluster'" not in [one.text for one in server.asked]


def test_a_clusters_name_that_is_not_shown_is_not_left_out() -> None:
    server = stopped()
    server.parameters = [one for one in server.parameters if one["name"] != "cluster"]
    with pytest.raises(ValueError, match=r"destination file:///data/\{cluster\}: this account cannot read the clust"):
        dialect(server).plan_destination(WantedDestination(Destination.parse("file:///data/{cluster}")))


def test_settings_of_4_are_refused_with_those_of_3() -> None:
    found = dialect(healthy())
    (change,) = found.plan_destination(WantedDestination(piece_switch_days=2))
    assert change.refusal.startswith("piece_switch_interval is of 4.x; OceanBase 3.x takes it as ")
    assert change.refusal.endswith("destination_option='log_archive_piece_switch_interval=2d'")
    for wanted in (WantedOption(lag_target=60), WantedOption(concurrency=1), WantedOption(lag_target=0)):
        (change,) = found.plan_option(wanted)
        assert change.refusal.startswith("lag_target and concurrency are of 4.x; OceanBase 3.x takes ")
        assert change.refusal.endswith("destination_option='log_archive_checkpoint_interval=…s'")
        assert change.statements == ()
    two = WantedDestination(Destination.parse("file:///data/{tenant}"), piece_switch_days=2)
    (change,) = found.plan_destination(two)
    assert "_interval=2d'; destination file:///data/{tenant}: " in change.refusal
    two = WantedDestination(Destination.parse("file:///data/new"), piece_switch_days=2)
    (change,) = found.plan_destination(two)
    assert change.refusal.startswith("piece_switch_interval")
    assert "9036" in change.refusal, "also what stands in the way of the other wish"


def test_what_is_to_be_set_is_planned_for_the_cluster_only() -> None:
    found = dialect(healthy())
    assert found.tenants_in_scope(()) == found.tenants_in_scope(["shop"]) == ()
    assert found.checkpoint_delay(["shop"]) == 0
    for plan in (
        lambda: found.plan_destination(WantedDestination(), ["shop"]),
        lambda: found.plan_option(WantedOption(), ["shop"]),
        lambda: found.prerequisites(destination=None, restart_interrupted=False, tenants=["shop"]),
    ):
        with pytest.raises(ValueError, match="archives the whole cluster"):
            plan()


def test_nothing_wanted_is_nothing_to_do() -> None:
    found = dialect(healthy())
    (place,) = found.plan_destination(WantedDestination())
    (option,) = found.plan_option(WantedOption())
    for change in (place, option):
        assert (change.statements, change.refusal, change.settled, change.unset) == ((), "", True, False)
        assert change.before == change.after
    assert place.before == "file:///data/nfs/backup with recovery_window=7d"
    assert option.before == "optional, compression lz4_1.0"


def with_parameter(server: FakeServer, name: str, *values: object) -> FakeServer:
    server.parameters = [one for one in server.parameters if one["name"] != name]
    server.parameter(name, *values)
    return server


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (healthy(), "file:///data/nfs/backup"),
        (with_parameter(healthy(), "backup_dest", "file:///a", "file:///b"), "not the same on all servers"),
        (with_parameter(healthy(), "backup_dest", "", ""), "not the same on all servers"),
    ],
)
def test_a_destination_is_set_only_in_stop(server: FakeServer, words: str) -> None:
    wanted = WantedDestination(Destination.parse("file:///data/new"))
    (change,) = dialect(server).plan_destination(wanted)
    assert change.statements == ()
    assert change.refusal.startswith(f"the destination is {words} and log backup is DOING (round 3); file:///data/new ")
    for part in ("only in STOP (9036). Stop log backup (a gap: take a full data backup", "or keep the destination"):
        assert part in change.refusal


def without_state() -> FakeServer:
    """A round may run there as well as not."""
    server = stopped()
    server._db.execute("DELETE FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG WHERE TENANT_ID = 1")
    return server


def test_a_destination_is_not_set_where_the_state_is_not_shown() -> None:
    server = without_state()
    (change,) = dialect(server).plan_destination(WantedDestination(Destination.parse("file:///data/new")))
    assert change.statements == ()
    assert "log backup is unknown" in change.refusal


@pytest.mark.parametrize("values", [("file:///data/nfs/backup", ""), ("", "")])
def test_a_destination_that_not_all_servers_have_is_set_again(values: tuple[str, ...]) -> None:
    server = with_parameter(stopped(), "backup_dest", *values)
    (change,) = dialect(server).plan_destination(WantedDestination(Destination.parse("file:///data/nfs/backup")))
    assert [one.text for one in change.statements] == ["ALTER SYSTEM SET backup_dest = 'file:///data/nfs/backup'"]
    assert change.before.startswith("not set" if values[0] == "" else "not the same everywhere")
    assert change.settled is (values[0] == values[1])


def test_the_option_of_a_destination_may_change_while_a_round_runs() -> None:
    wanted = WantedDestination(option=DestinationOption.check("recovery_window=14d"))
    (change,) = dialect(healthy()).plan_destination(wanted)
    assert [one.text for one in change.statements] == ["ALTER SYSTEM SET backup_dest_option = 'recovery_window=14d'"]
    assert (change.refusal, change.after) == ("", "recovery_window=14d")
    same = WantedDestination(option=DestinationOption.check("recovery_window=168h"))
    (change,) = dialect(healthy()).plan_destination(same)
    assert (change.statements, change.refusal, change.after) == ((), "", change.before)
    one_differs = with_parameter(healthy(), "backup_dest_option", "recovery_window=7d", "")
    (change,) = dialect(one_differs).plan_destination(same)
    assert (len(change.statements), change.settled) == (1, False)


SPLITTING = "log_archive_piece_switch_interval=1d"


@pytest.mark.parametrize(
    ("now", "wanted"), [("recovery_window=7d", SPLITTING), (SPLITTING, "recovery_window=7d"), ("", SPLITTING)]
)
def test_splitting_is_switched_only_in_stop(now: str, wanted: str) -> None:
    wish = WantedDestination(option=DestinationOption.check(wanted))
    (change,) = dialect(with_parameter(healthy(), "backup_dest_option", now, now)).plan_destination(wish)
    assert change.statements == ()
    assert change.refusal.startswith("log_archive_piece_switch_interval cannot be switched on or off while log backup")
    assert f"(1235); keep it as it is (now: {now or 'no option'}), or stop log backup first" in change.refusal
    (change,) = dialect(with_parameter(stopped(), "backup_dest_option", now, now)).plan_destination(wish)
    assert (len(change.statements), change.refusal) == (1, "")
    (change,) = dialect(with_parameter(without_state(), "backup_dest_option", now, now)).plan_destination(wish)
    assert change.statements == ()
    assert "1235" in change.refusal


def test_place_and_option_go_together_or_not_at_all() -> None:
    wanted = WantedDestination(Destination.parse("file:///data/new"), DestinationOption.check(SPLITTING))
    (change,) = dialect(stopped()).plan_destination(wanted)
    assert [one.text for one in change.statements] == [
        "ALTER SYSTEM SET backup_dest = 'file:///data/new'",
        f"ALTER SYSTEM SET backup_dest_option = '{SPLITTING}'",
    ]
    assert change.after == f"file:///data/new with {SPLITTING}"
    (change,) = dialect(healthy()).plan_destination(wanted)
    assert change.statements == ()
    for errno in ("9036", "1235"):
        assert errno in change.refusal


@pytest.mark.parametrize(
    ("now", "wanted", "sent", "refused", "to_mandatory"),
    [
        ("OPTIONAL COMPRESSION=ENABLE", WantedOption(ArchiveMode.MANDATORY), 1, False, True),
        ("MANDATORY COMPRESSION=ENABLE", WantedOption(ArchiveMode.MANDATORY), 0, False, False),
        ("MANDATORY COMPRESSION=ENABLE", WantedOption(ArchiveMode.OPTIONAL), 1, False, False),
        ("OPTIONAL COMPRESSION=ENABLE", WantedOption(compression=Compression.DISABLE), 1, False, False),
        ("OPTIONAL", WantedOption(ArchiveMode.MANDATORY), 0, True, True),
        ("COMPRESSION=ENABLE", WantedOption(ArchiveMode.MANDATORY, lag_target=60), 0, True, True),
        ("MANDATORY", WantedOption(ArchiveMode.MANDATORY, concurrency=4), 0, True, False),
        ("MANDATORY COMPRESSION=ENABLE", WantedOption(ArchiveMode.MANDATORY, Compression.DISABLE), 0, True, False),
    ],
)
def test_a_switch_to_mandatory_is_told_also_where_it_is_refused(
    now: str, wanted: WantedOption, sent: int, refused: bool, to_mandatory: bool
) -> None:
    server = with_parameter(healthy(), "backup_log_archive_option", now, now)
    (change,) = dialect(server).plan_option(wanted)
    assert (len(change.statements), change.to_mandatory) == (sent, to_mandatory)
    assert bool(change.refusal) is refused


@pytest.mark.parametrize(("server", "sent"), [(healthy(), 0), (without_state(), 0), (stopped(), 2)])
def test_logs_are_not_risked_on_the_way_to_mandatory_while_a_round_may_run(server: FakeServer, sent: int) -> None:
    now = "MANDATORY COMPRESSION=ENABLE"
    wanted = WantedOption(ArchiveMode.MANDATORY, Compression.DISABLE)
    (change,) = dialect(with_parameter(server, "backup_log_archive_option", now, now)).plan_option(wanted)
    assert len(change.statements) == sent
    assert ("while log backup runs" in change.refusal) is (sent == 0)
    assert (change.place, change.scope) == ("cluster", Scope.CLUSTER)
    assert change.before == "mandatory, compression lz4_1.0"
    assert change.after == ("mandatory, compression disable" if sent else change.before)


def test_servers_with_different_options_are_not_settled() -> None:
    server = with_parameter(healthy(), "backup_log_archive_option", "OPTIONAL", "MANDATORY COMPRESSION=ENABLE")
    (change,) = dialect(server).plan_option(WantedOption(ArchiveMode.MANDATORY, Compression.LZ4))
    assert (change.settled, change.to_mandatory, len(change.statements)) == (False, True, 1)
    assert change.before == "10.0.0.1:2882 'OPTIONAL'; 10.0.0.2:2882 'MANDATORY COMPRESSION=ENABLE'"


def test_a_state_that_3_does_not_know_is_not_resumed() -> None:
    with pytest.raises(NotImplementedError, match="does not suspend"):
        dialect(FakeServer()).resume_archive(row())


@pytest.mark.parametrize(("tenant", "note"), [("sys", ""), ("", ""), ("shop", "in tenant sys only, and this is shop")])
def test_the_note_of_a_connection(tenant: str, note: str) -> None:
    server = healthy()
    server.shows["SHOW TENANT"] = [{"current_tenant_name": tenant}]
    found = dialect(server)
    assert found.connection_note(found.identity()).endswith(note)
    assert bool(found.connection_note(found.identity())) is bool(note)


def test_setting_the_destinations_option() -> None:
    option = DestinationOption.check("recovery_window=7d&log_archive_piece_switch_interval=1d")
    statement = dialect(FakeServer()).set_destination_option(option)
    assert statement.text == (
        "ALTER SYSTEM SET backup_dest_option = 'recovery_window=7d&log_archive_piece_switch_interval=1d'"
    )
    assert (statement.redacted, statement.writes) == (statement.text, True)


@pytest.mark.parametrize(
    ("tenants", "text"),
    [
        ((), "ALTER SYSTEM MINOR FREEZE"),
        (["shop"], "ALTER SYSTEM MINOR FREEZE TENANT = ('shop')"),
        (("shop", "bank"), "ALTER SYSTEM MINOR FREEZE TENANT = ('shop', 'bank')"),
    ],
)
def test_minor_freeze(tenants: list[str], text: str) -> None:
    statement = dialect(FakeServer()).minor_freeze(tenants)
    assert (statement.text, statement.redacted, statement.writes, statement.timeout) == (text, text, True, 120)


def test_a_hostile_tenant_is_not_frozen() -> None:
    with pytest.raises(ValueError, match="holds a quote"):
        dialect(FakeServer()).minor_freeze(["a') ZONE = ('z1"])


def test_the_scope_is_the_cluster() -> None:
    dialect(FakeServer()).check_scope(())
    with pytest.raises(ValueError, match=r"tenants=\['shop'\]: OceanBase 3\.1\.5 archives the whole cluster"):
        dialect(FakeServer()).check_scope(("shop",))


def test_columns_are_read_by_name_whatever_their_order_and_number() -> None:
    """13 columns as documented, in another order and with one more, read the same."""
    plain, other = healthy(), healthy()
    rows = plain._db.execute(f"SELECT {', '.join(ARCHIVELOG)} FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG").fetchall()
    other.create("CDB_OB_BACKUP_ARCHIVELOG", ["BACKUP_LEVEL", *reversed(ARCHIVELOG)])
    for values in rows:
        other.insert("CDB_OB_BACKUP_ARCHIVELOG", BACKUP_LEVEL="CLUSTER", **dict(zip(ARCHIVELOG, values, strict=True)))
    assert dialect(other).archive() == dialect(plain).archive()


def test_the_whole_way_to_a_broken_stream() -> None:
    server = healthy()
    server._db.execute("UPDATE oceanbase.CDB_OB_BACKUP_ARCHIVELOG SET STATUS = 'INTERRUPTED' WHERE TENANT_ID = 1")
    verdict = ArchiveDoing().judge(dialect(server).archive())
    assert isinstance(verdict, Terminal)
    assert "sys INTERRUPTED (round 3)" in verdict.reason
    assert Tenant(1, "sys") == SYS
