"""What a check of the whole catalogue asks: sub-selects joined to each other, gaps between rows, windows."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pymysql.constants import FIELD_TYPE

UNSIGNED = 32
NOW = datetime.fromisoformat("2024-06-21 08:00:00")
PIECES = "CDB_OB_ARCHIVELOG_PIECE_FILES"
DAY_NS = 86400 * 10**9


def day(number: int, hour: int = 0) -> datetime:
    return datetime.fromisoformat(f"2024-06-{number:02d} {hour:02d}:00:00")


@pytest.fixture
def client(make_box, connect):
    """Round 1 of pieces 1 to 3, of which 2 is missing, round 2 of pieces 4 to 6 that goes on, three full sets."""
    box = make_box("4.2.5", start_time=NOW)
    box.history.round(1, day(1), day(4))
    box.history.round(2, day(5), checkpoint=day(7, 12))
    for number in (1, 2, 3):
        box.history.backup_set(number, day(1 + number), day(1 + number, 1))
    box.history.piece(2, removed=True)
    box.history.piece(5, file_status="INCOMPLETE", tenant="tenant2")
    return connect(box)


def scn(client, moment):
    return client.value(f"SELECT TIMESTAMP_TO_SCN('{moment}')")


def test_rounds_joined_to_counts_of_pieces(client):
    rows = client.tuples(
        "SELECT r.TENANT_ID, r.ROUND_ID, c.N, c.LOW, r.USED_PIECE_ID - r.BASE_PIECE_ID + 1 - c.N AS MISSING, s.N "
        "FROM CDB_OB_ARCHIVELOG_SUMMARY r "
        f"LEFT JOIN (SELECT TENANT_ID, ROUND_ID, COUNT(*) AS N, MIN(PIECE_ID) AS LOW FROM {PIECES} "
        "GROUP BY TENANT_ID, ROUND_ID) c ON c.TENANT_ID = r.TENANT_ID AND c.ROUND_ID = r.ROUND_ID "
        "LEFT JOIN (SELECT TENANT_ID, COUNT(*) AS N FROM CDB_OB_BACKUP_SET_FILES GROUP BY TENANT_ID) s "
        "ON s.TENANT_ID = c.TENANT_ID ORDER BY 1, 2"
    )
    assert rows == [(tenant, *row) for tenant in (1002, 1004) for row in ((1, 2, 1, 1, 3), (2, 3, 4, 0, 3))]


def test_self_join_finds_the_gap(client):
    rows = client.tuples(
        f"SELECT p.PIECE_ID, n.PIECE_ID, p.END_SCN < n.START_SCN FROM {PIECES} p LEFT JOIN {PIECES} n "
        "ON n.TENANT_ID = p.TENANT_ID AND n.ROUND_ID = p.ROUND_ID AND n.PIECE_ID = p.PIECE_ID + 1 "
        "WHERE p.TENANT_ID = 1002 ORDER BY p.PIECE_ID"
    )
    assert rows == [(1, None, None), (3, None, None), (4, 5, 0), (5, 6, 0), (6, None, None)]


def test_case_in_aggregates_and_having(client):
    rows = client.tuples(
        "SELECT TENANT_ID, SUM(CASE WHEN STATUS = 'FROZEN' THEN 1 ELSE 0 END), "
        "MIN(CASE WHEN FILE_STATUS <> 'AVAILABLE' THEN PIECE_ID END), "
        "MAX(CASE WHEN STATUS = 'FROZEN' THEN END_SCN END), "
        "SUM(FILE_STATUS = 'AVAILABLE'), SUM(IF(STATUS = 'ACTIVE', 1, 0)), COUNT(*), COUNT(DISTINCT ROUND_ID) "
        f"FROM {PIECES} GROUP BY TENANT_ID HAVING COUNT(*) > 1 ORDER BY TENANT_ID"
    )
    end = scn(client, day(7))
    assert rows == [
        (1002, Decimal(4), None, end, Decimal(5), Decimal(1), 5, 2),
        (1004, Decimal(4), 5, end, Decimal(4), Decimal(1), 5, 2),
    ]
    assert [type(value) for value in rows[1]] == [int, Decimal, int, int, Decimal, Decimal, int, int]
    assert client.tuples(
        f"SELECT TENANT_ID FROM {PIECES} GROUP BY TENANT_ID HAVING SUM(FILE_STATUS <> 'AVAILABLE') > 0"
    ) == [(1004,)]


def test_sums_of_nothing(client):
    assert client.tuples(f"SELECT SUM(PIECE_ID), COUNT(*), MAX(END_SCN) FROM {PIECES} WHERE 1 = 0") == [(None, 0, None)]


def test_windows(client):
    window = "OVER (PARTITION BY TENANT_ID ORDER BY PIECE_ID)"
    rows = client.tuples(
        f"SELECT PIECE_ID, LAG(PIECE_ID) {window}, LEAD(START_SCN_DISPLAY) {window}, "
        f"START_SCN - LAG(END_SCN) {window}, "
        f"SUM(PIECE_ID) {window}, COUNT(*) OVER (PARTITION BY TENANT_ID), "
        "ROW_NUMBER() OVER (PARTITION BY TENANT_ID ORDER BY PIECE_ID DESC) "
        f"FROM {PIECES} ORDER BY TENANT_ID, PIECE_ID LIMIT 3"
    )
    assert rows == [
        (1, None, day(3), None, Decimal(1), 5, 5),
        (3, 1, day(5), DAY_NS, Decimal(4), 5, 4),
        (4, 3, day(6), DAY_NS, Decimal(8), 5, 3),
    ]
    newest = (
        "SELECT TENANT_ID, PIECE_ID FROM (SELECT TENANT_ID, PIECE_ID, ROW_NUMBER() OVER (PARTITION BY TENANT_ID "
        f"ORDER BY PIECE_ID DESC) AS R FROM {PIECES}) x WHERE R = 1 ORDER BY TENANT_ID"
    )
    assert client.tuples(newest) == [(1002, 6), (1004, 6)]


def test_union_all_with_order_and_limit(client):
    rows = client.tuples(
        "SELECT TENANT_ID, ROUND_ID AS ID, 'round' AS WHAT FROM CDB_OB_ARCHIVELOG UNION ALL "
        "SELECT TENANT_ID, BACKUP_SET_ID, 'set' FROM CDB_OB_BACKUP_SET_FILES ORDER BY 1, 2, 3 LIMIT 4"
    )
    assert rows == [(1002, 1, "set"), (1002, 2, "round"), (1002, 2, "set"), (1002, 3, "set")]


def test_sets_that_the_archive_covers(client):
    rows = client.tuples(
        f"SELECT BACKUP_SET_ID, EXISTS(SELECT 1 FROM {PIECES} p WHERE p.TENANT_ID = s.TENANT_ID "
        "AND p.START_SCN <= s.START_REPLAY_SCN AND p.END_SCN > s.START_REPLAY_SCN) FROM CDB_OB_BACKUP_SET_FILES s "
        "WHERE s.STATUS = 'SUCCESS' AND s.TENANT_ID = 1002 ORDER BY 1"
    )
    assert rows == [(1, 0), (2, 1), (3, 0)]
    last = client.tuples(
        "SELECT TENANT_ID, MAX(MIN_RESTORE_SCN), MAX(END_TIMESTAMP), "
        "MIN(MIN_RESTORE_SCN_DISPLAY), AVG(ELAPSED_SECONDES) "
        "FROM CDB_OB_BACKUP_SET_FILES WHERE FILE_STATUS = 'AVAILABLE' GROUP BY TENANT_ID ORDER BY 1 LIMIT 1"
    )
    assert last == [(1002, scn(client, day(4, 1)), day(4, 1), day(2, 1), Decimal("3600.0000"))]


def test_a_statement_with_cte(client):
    rows = client.tuples(
        "WITH f AS (SELECT TENANT_ID, MAX(BACKUP_SET_ID) AS S FROM CDB_OB_BACKUP_SET_FILES WHERE BACKUP_TYPE = 'FULL' "
        "GROUP BY TENANT_ID) SELECT f.TENANT_ID, f.S, s.END_TIMESTAMP FROM f JOIN CDB_OB_BACKUP_SET_FILES s "
        "ON s.TENANT_ID = f.TENANT_ID AND s.BACKUP_SET_ID = f.S "
        "WHERE s.END_TIMESTAMP <= '2024-06-04 01:00:00' ORDER BY 1"
    )
    assert rows == [(1002, 3, day(4, 1)), (1004, 3, day(4, 1))]


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("END_TIMESTAMP = '2024-06-03 01:00:00'", [2]),
        ("END_TIMESTAMP <= '2024-06-03 01:00:00'", [1, 2]),
        ("END_TIMESTAMP > '2024-06-03 01:00:00'", [3]),
        ("END_TIMESTAMP >= '2024-06-03'", [2, 3]),
        ("'2024-06-03 01:00:00.0' < END_TIMESTAMP", [3]),
        ("END_TIMESTAMP BETWEEN '2024-06-02 01:00:00' AND '2024-06-03 01:00:00'", [1, 2]),
        ("END_TIMESTAMP IN ('2024-06-02 01:00:00', '2024-06-04 01:00:00')", [1, 3]),
        ("END_TIMESTAMP = CAST('2024-06-03 01:00:00' AS DATETIME)", [2]),
        ("END_TIMESTAMP <= NOW() - INTERVAL 18 DAY", [1, 2]),
        ("MIN_RESTORE_SCN_DISPLAY = '2024-06-03 01:00:00'", [2]),
        ("MIN_RESTORE_SCN >= TIMESTAMP_TO_SCN('2024-06-03 01:00:00')", [2, 3]),
        ("END_TIMESTAMP IS NULL", []),
        ("END_TIMESTAMP = NULL", []),
        ("END_TIMESTAMP IN (SELECT MAX(END_TIMESTAMP) FROM CDB_OB_BACKUP_SET_FILES)", [3]),
    ],
)  # fmt: skip
def test_comparisons_of_times(client, condition, ids):
    sql = f"SELECT BACKUP_SET_ID FROM CDB_OB_BACKUP_SET_FILES WHERE TENANT_ID = 1002 AND {condition} ORDER BY 1"
    assert [number for (number,) in client.tuples(sql)] == ids


def test_a_group_by_its_latest_moment(client):
    sql = "SELECT TENANT_ID FROM CDB_OB_BACKUP_SET_FILES GROUP BY TENANT_ID HAVING MAX(END_TIMESTAMP)"
    assert client.tuples(f"{sql} = '2024-06-04 01:00:00'") == [(1002,), (1004,)]
    assert client.tuples(f"{sql} > '2024-06-04 01:00:00'") == []


def test_times_that_are_not_set(client):
    row = client.tuples(
        "SELECT TIMESTAMPDIFF(MICROSECOND, '', NOW(6)), TIMESTAMPDIFF(MICROSECOND, NULL, NOW(6)), "
        "TIMESTAMPDIFF(MICROSECOND, '2024-06-21 07:59:59', NOW(6)), TIME_TO_USEC(NOW(6)), TIME_TO_USEC('')"
    )
    assert row == [(None, None, 10**6, 1718928000000000, None)]
    lag = client.value(
        "SELECT TIME_TO_USEC(NOW(6)) - CAST(CHECKPOINT_SCN DIV 1000 AS SIGNED) FROM CDB_OB_ARCHIVELOG LIMIT 1"
    )
    assert timedelta(microseconds=lag) == NOW - day(7, 12)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("ROW_NUMBER() OVER (ORDER BY PIECE_ID)", "ubigint"),
        ("RANK() OVER (ORDER BY PIECE_ID)", "ubigint"),
        ("DENSE_RANK() OVER (ORDER BY PIECE_ID)", "ubigint"),
        ("NTILE(2) OVER (ORDER BY PIECE_ID)", "bigint"),
        ("LAG(END_SCN) OVER (ORDER BY PIECE_ID)", "ubigint"),
        ("COALESCE(START_SCN, 0)", "decimal"),
        ("IF(1, START_SCN, 0)", "decimal"),
        ("CASE WHEN 1 THEN START_SCN ELSE 0 END", "decimal"),
        ("CASE WHEN 1 THEN START_SCN END", "ubigint"),
        ("GREATEST(START_SCN, TENANT_ID)", "decimal"),
        ("GREATEST(START_SCN, END_SCN)", "ubigint"),
        ("COALESCE(PIECE_ID, 0)", "bigint"),
        ("CHECKPOINT_SCN DIV 1000", "ubigint"),
        ("PIECE_ID DIV 2", "bigint"),
        ("CAST(CHECKPOINT_SCN AS SIGNED)", "bigint"),
    ],
)
def test_kinds_as_a_kernel_has_them(client, expression, kind):
    """Measured on a 4.3.5."""
    with client.connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression} AS X FROM {PIECES} LIMIT 1")
        (field,) = cursor._result.fields
    shown = "decimal" if field.type_code == FIELD_TYPE.NEWDECIMAL else "ubigint" if field.flags & UNSIGNED else "bigint"
    assert shown == kind


# --- a translation is used again, but only where it fits --------------------------------------------------------------


def test_the_same_statement_at_another_time(client):
    sql = "SELECT NOW(6), UTC_TIMESTAMP(), CURRENT_DATE, CONNECTION_ID(), @@ob_query_timeout"
    number = client.value("SELECT CONNECTION_ID()")
    utc = NOW - timedelta(hours=8)
    assert client.tuples(sql) == [(NOW, utc, NOW.date(), number, 10_000_000)]
    client.box.advance(86400)
    client.do("SET SESSION ob_query_timeout = 20000000")
    later = timedelta(days=1)
    assert client.tuples(sql) == [(NOW + later, utc + later, (NOW + later).date(), number, 20_000_000)]
    client.do("SET time_zone = '+00:00'")
    assert client.value("SELECT NOW()") == utc + later


def test_the_same_statement_in_another_session(client, connect):
    sql = "SELECT CONNECTION_ID(), USER(), EFFECTIVE_TENANT_ID(), COUNT(*) FROM DBA_OB_TENANTS"
    first = client.tuples(sql)
    other = connect(client.box, "root@tenant1")
    assert other.tuples(sql) == [(first[0][0] + 1, "root@127.0.0.1", 1002, 1)]
    assert client.tuples(sql) == first


def test_the_same_statement_on_another_build(client, make_box, connect):
    sql = "SELECT * FROM DBA_OB_TENANTS"
    wide = client.rows(sql)[0]
    narrow = connect(make_box("4.0.0")).rows(sql)[0]
    assert "LOG_MODE" in wide
    assert "LOG_MODE" not in narrow
    assert client.rows(sql)[0].keys() == wide.keys()


def test_the_same_statement_when_the_view_is_lost(client):
    sql = "SELECT ROUND_ID FROM CDB_OB_ARCHIVELOG"
    assert client.tuples(sql)
    client.box.faults.lost_views = {"CDB_OB_ARCHIVELOG"}
    assert client.error(sql)[0] == 1146
    client.box.faults.reset()
    client.box.faults.malformed = {"CDB_OB_ARCHIVELOG.ROUND_ID": 7}
    assert client.tuples(sql) == [(7,), (7,)]


def test_only_some_columns(client):
    assert client.value(f"SELECT COUNT(*) FROM {PIECES}") == 10
    assert client.tuples(f"SELECT p.*, 1 FROM {PIECES} p LIMIT 1")[0][3:8] == (1, 1, 0, "FROZEN", scn(client, day(1)))
    assert client.tuples("SELECT PIECE_ID FROM DBA_OB_ARCHIVELOG_PIECE_FILES") == [], "sys archives nothing"
    sql = "SELECT COUNT(*) FROM CDB_OB_ARCHIVELOG NATURAL JOIN (SELECT TENANT_ID, ROUND_ID FROM CDB_OB_ARCHIVELOG) x"
    assert client.value(sql) == 2
    assert client.error(f"SELECT NOTHING FROM {PIECES}") == (1054, "Unknown column 'NOTHING' in 'field list'")


def test_a_tenant_reads_its_own_pieces(client, connect):
    own = connect(client.box, "root@tenant2")
    view = "DBA_OB_ARCHIVELOG_PIECE_FILES"
    assert own.tuples(f"SELECT PIECE_ID, FILE_STATUS FROM {view} WHERE ROUND_ID = 2 ORDER BY 1") == [
        (4, "AVAILABLE"), (5, "INCOMPLETE"), (6, "AVAILABLE"),
    ]  # fmt: skip
    assert own.value(f"SELECT COUNT(*) FROM {view}") == 5
    assert len(own.rows(f"SELECT * FROM {view}")[0]) == 23
