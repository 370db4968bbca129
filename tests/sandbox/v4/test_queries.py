"""What SELECT must answer as OceanBase would: arithmetic on SCNs, aggregates, joins, derived tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pymysql
import pytest


@pytest.fixture
def running(make_box, connect):
    box = make_box("4.2.5", tick_seconds=2.0, start_time=datetime.fromisoformat("2024-06-21 08:00:00.123456"))
    client = connect(box)
    box.force_status("DOING")
    box.advance(100)
    return client


SCN = 1718928000123456000  # 2024-06-21 08:00:00.123456 +8


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 / 2", Decimal("3.5000")),
        ("6 / 2", Decimal("3.0000")),
        ("1 / 3", Decimal("0.3333")),
        ("-1 / 3", Decimal("-0.3333")),
        ("1.50 / 2", Decimal("0.750000")),
        ("1 / 0", None),
        ("1 DIV 0", None),
        ("1 % 0", None),
        ("NULL / 2", None),
        ("7 DIV 2", 3),
        ("-7 DIV 2", -3),
        ("7.5 DIV 2", 3),
        ("-7 % 3", -1),
        ("MOD(7, 3)", 1),
        ("7.5 % 2", Decimal("1.5")),
        (f"{SCN} / 1000", Decimal("1718928000123456.0000")),
        (f"{SCN} DIV 1000", 1718928000123456),
        (f"{SCN} DIV 1000000000", 1718928000),
        (f"{SCN} / 1e9", 1718928000.123456),
        ("4611686018427387903 - 1", 4611686018427387902),
        ("4611686018427387904 + 4611686018427387903", 9223372036854775807),
        ("4611686018427387903 DIV 1", 4611686018427387903),
        ("9223372036854775807 DIV 10", 922337203685477580),
        (f"SCN_TO_TIMESTAMP({SCN})", datetime.fromisoformat("2024-06-21 08:00:00.123456")),
        ("SCN_TO_TIMESTAMP(NULL)", None),
        ("TIMESTAMP_TO_SCN('2024-06-21 08:00:00.123456')", SCN),
        (f"FROM_UNIXTIME({SCN} / 1e9)", datetime.fromisoformat("2024-06-21 08:00:00.123456")),
        ("FROM_UNIXTIME(1718928000)", datetime.fromisoformat("2024-06-21 08:00:00")),
        ("FROM_UNIXTIME(1718928000, '%Y%m%d %H:%i')", "20240621 08:00"),
        ("FROM_UNIXTIME(NULL)", None),
        ("TIME_TO_USEC('2024-06-21 08:00:00')", 1718928000000000),
        ("USEC_TO_TIME(1718928000000000)", datetime.fromisoformat("2024-06-21 08:00:00")),
        ("UNIX_TIMESTAMP('2024-06-21 08:00:00')", 1718928000),
        ("TRUNCATE(1.23456, 2)", Decimal("1.23")),
        ("TRUNCATE(-1.239, 2)", Decimal("-1.23")),
        ("ROUND(2.5)", Decimal(3)),
        ("ROUND(-2.5)", Decimal(-3)),
        ("ROUND(10 / 3, 2)", Decimal("3.33")),
        ("FLOOR(-1.5)", -2),
        ("CEIL(1.2)", 2),
        ("18446744073709551615", 18446744073709551615),
        ("CAST(9223372036854775807 AS UNSIGNED) + 1", 9223372036854775808),
        ("CAST(9223372036854775807 AS UNSIGNED) * 2 - 1", 18446744073709551613),
        ("CAST(NULL AS UNSIGNED) + 1", None),
        ("1 < 18446744073709551615", 1),
        ("ROUND(7)", 7),
        ("ROUND(1e0 / 3, 1)", 0.3),
        ("ROUND(NULL, 1)", None),
        ("7 % NULL", None),
        ("NULL DIV 2", None),
        ("CAST('1.5e1' AS SIGNED)", 15),
        ("CAST('12abc' AS SIGNED)", 12),
        ("CAST('abc' AS SIGNED)", 0),
        ("CAST('1.9' AS SIGNED)", 1),
        ("CAST(1.5 AS SIGNED)", 2),
        ("CAST(NULL AS UNSIGNED)", None),
        ("CAST('4611686018427387903' AS UNSIGNED)", 4611686018427387903),
        ("CAST(7 / 2 AS DECIMAL(20, 1))", Decimal("3.5")),
        ("CAST(5 AS UNSIGNED) - 5", 0),
        ("'3' / 2", 1.5),
        ("SUBSTRING_INDEX('file:///a/b?host=x', '?', 1)", "file:///a/b"),
        ("SUBSTRING_INDEX(SUBSTRING_INDEX('s3://b/d?host=h&k=v', 'host=', -1), '&', 1)", "h"),
        ("TIMESTAMPDIFF(MICROSECOND, '2024-06-21 08:00:00', '2024-06-21 08:00:01.5')", 1500000),
        ("NULLIF(0, 0)", None),
        ("IFNULL(NULL, 0)", 0),
        ("COALESCE(NULL, '-')", "-"),
    ],
)
def test_expressions(running, expression, value):
    result = running.value(f"SELECT {expression}")
    if isinstance(value, float):
        assert float(result) == pytest.approx(value, abs=1e-6)
        return
    assert result == value
    assert type(result) is type(value)


def test_unsigned_differences_below_zero(running):
    error = (1690, "BIGINT UNSIGNED value is out of range")
    for expression in (
        "START_SCN - CHECKPOINT_SCN", "0 - START_SCN", "START_SCN - (CHECKPOINT_SCN + 1) + 1",
        "CAST(START_SCN AS UNSIGNED) - CHECKPOINT_SCN", "START_SCN * 20",
    ):  # fmt: skip
        assert running.error(f"SELECT {expression} FROM CDB_OB_ARCHIVELOG") == error
    derived = "SELECT x.a - x.b FROM (SELECT START_SCN a, CHECKPOINT_SCN b FROM CDB_OB_ARCHIVELOG) x"
    assert running.error(derived) == error
    cte = "WITH x AS (SELECT START_SCN a, CHECKPOINT_SCN b FROM CDB_OB_ARCHIVELOG) SELECT a - b FROM x"
    assert running.error(cte) == error
    for fine in (
        "CHECKPOINT_SCN - START_SCN", "START_SCN / 1 - CHECKPOINT_SCN / 1", "CHECKPOINT_SCN - NULL",
        "CAST(START_SCN AS SIGNED) - CAST(CHECKPOINT_SCN AS SIGNED)", "TENANT_ID - 5000",
    ):  # fmt: skip
        assert running.rows(f"SELECT {fine} FROM CDB_OB_ARCHIVELOG")
    assert running.value("SELECT TENANT_ID - 5000 FROM CDB_OB_ARCHIVELOG") == -3998


def test_lag(running):
    box = running.box
    checkpoint = running.value("SELECT MIN(CHECKPOINT_SCN) FROM CDB_OB_ARCHIVELOG")
    now_us = round((box.now - timedelta(hours=8) - datetime.fromisoformat("1970-01-01")) / timedelta(microseconds=1))
    expected = (now_us - checkpoint // 1000) / 1e6
    for sql in (
        "SELECT MAX(TRUNCATE((TIME_TO_USEC(NOW(6)) - CHECKPOINT_SCN / 1000) / 1000000, 4)) FROM CDB_OB_ARCHIVELOG",
        "SELECT MAX(TIMESTAMPDIFF(MICROSECOND, CHECKPOINT_SCN_DISPLAY, NOW(6))) / 1000000 FROM CDB_OB_ARCHIVELOG",
        "SELECT MAX(TIMESTAMPDIFF(MICROSECOND, SCN_TO_TIMESTAMP(CHECKPOINT_SCN), NOW(6))) / 1e6 FROM CDB_OB_ARCHIVELOG",
        "SELECT (s.TS_VALUE - a.CHECKPOINT_SCN) / 1000000000 FROM CDB_OB_ARCHIVELOG a "
        "JOIN V$OB_TIMESTAMP_SERVICE s USING (TENANT_ID) ORDER BY a.CHECKPOINT_SCN LIMIT 1",
    ):  # fmt: skip
        assert float(running.value(sql)) == pytest.approx(expected, abs=1e-3)
        running.do("SET time_zone = '+00:00'")
        assert float(running.value(sql)) == pytest.approx(expected, abs=1e-3), "in any time zone"
        running.do("SET time_zone = '+8:00'")


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (
            "SELECT t.TENANT_NAME, a.STATUS, d.path FROM DBA_OB_TENANTS t LEFT JOIN CDB_OB_ARCHIVELOG a "
            "ON a.TENANT_ID = t.TENANT_ID LEFT JOIN (SELECT TENANT_ID, "
            "MAX(CASE WHEN NAME = 'path' THEN VALUE END) path FROM CDB_OB_ARCHIVE_DEST WHERE DEST_NO = 0 "
            "GROUP BY TENANT_ID) d ON d.TENANT_ID = t.TENANT_ID WHERE t.TENANT_TYPE <> 'META' ORDER BY t.TENANT_ID",
            [
                ("sys", None, None),
                ("tenant1", "DOING", "file:///data/nfs/backup/tenant1/archive"),
                ("tenant2", "DOING", "file:///data/nfs/backup/tenant2/archive"),
            ],
        ),
        ("SELECT SUM(CASE WHEN STATUS = 'DOING' THEN 1 ELSE 0 END), COUNT(*) FROM CDB_OB_ARCHIVELOG",
         [(Decimal(2), 2)]),
        ("SELECT COUNT(DISTINCT STATUS), COUNT(DISTINCT LS_ID) FROM CDB_OB_LS_LOG_ARCHIVE_PROGRESS", [(1, 2)]),
        ("SELECT GROUP_CONCAT(NAME ORDER BY NAME SEPARATOR ',') FROM CDB_OB_ARCHIVE_DEST WHERE TENANT_ID = 1002",
         [("binding,dest_id,path,piece_switch_interval,state",)]),
        ("SELECT GROUP_CONCAT(DISTINCT NAME ORDER BY NAME DESC) FROM CDB_OB_ARCHIVE_DEST",
         [("state,piece_switch_interval,path,dest_id,binding",)]),
        ("SELECT GROUP_CONCAT(TENANT_NAME ORDER BY TENANT_ID DESC) FROM DBA_OB_TENANTS WHERE TENANT_TYPE = 'USER'",
         [("tenant2,tenant1",)]),
        ("SELECT TENANT_ID, n FROM (SELECT TENANT_ID, ROW_NUMBER() OVER (PARTITION BY TENANT_ID ORDER BY ROUND_ID DESC)"
         " n FROM CDB_OB_ARCHIVELOG_SUMMARY) x WHERE n = 1 ORDER BY 1", [(1002, 1), (1004, 1)]),
        ("SELECT TENANT_ID, MAX(PIECE_ID) OVER (PARTITION BY TENANT_ID) FROM CDB_OB_ARCHIVELOG_PIECE_FILES ORDER BY 1",
         [(1002, 1), (1004, 1)]),
        ("SELECT 'a' k, COUNT(*) FROM CDB_OB_ARCHIVELOG UNION ALL SELECT 'b', COUNT(*) FROM CDB_OB_BACKUP_JOBS",
         [("a", 2), ("b", 0)]),
        ("SELECT IFNULL(MAX(ROUND_ID), 0), COALESCE(MIN(ROUND_ID), -1) FROM CDB_OB_ARCHIVELOG WHERE TENANT_ID = 1",
         [(0, -1)]),
        ("SELECT STATUS, COUNT(*) c FROM CDB_OB_ARCHIVELOG GROUP BY STATUS HAVING c > 1 ORDER BY c DESC LIMIT 1",
         [("DOING", 2)]),
        ("SELECT COUNT(*) FROM CDB_OB_ARCHIVELOG a WHERE EXISTS (SELECT 1 FROM DBA_OB_TENANTS t WHERE "
         "t.TENANT_ID = a.TENANT_ID AND t.LOG_MODE = 'ARCHIVELOG')", [(2,)]),
        ("SELECT PIECE_SWITCH_INTERVAL / 1000000, PIECE_SWITCH_INTERVAL DIV 86400000000 FROM CDB_OB_ARCHIVELOG LIMIT 1",
         [(Decimal("86400.0000"), 1)]),
        ("SELECT SVR_IP, VALUE FROM GV$OB_PARAMETERS WHERE NAME = 'archive_lag_target' AND TENANT_ID = 1002 ORDER BY 1",
         [("10.10.10.1", "120s"), ("10.10.10.2", "120s"), ("10.10.10.3", "120s")]),
        ("SELECT TENANT_ID FROM CDB_OB_ARCHIVELOG WHERE CHECKPOINT_SCN < 18446744073709551615 ORDER BY 1 "
         "LIMIT 1, 18446744073709551615", [(1004,)]),
        ("SELECT IFNULL(MAX(START_SCN_DISPLAY), '-') FROM CDB_OB_ARCHIVELOG WHERE TENANT_ID = 1", [("-",)]),
        ("SELECT TENANT_NAME FROM DBA_OB_TENANTS WHERE TENANT_NAME LIKE 'META$%' ORDER BY 1",
         [("META$1002",), ("META$1004",)]),
        ("SELECT TENANT_ID FROM CDB_OB_ARCHIVELOG WHERE (TENANT_ID, STATUS) IN ((1002, 'DOING'))", [(1002,)]),
        ("SELECT DISTINCT SCOPE, TENANT_ID FROM GV$OB_PARAMETERS WHERE NAME = 'cluster'", [("CLUSTER", None)]),
    ],
)  # fmt: skip
def test_queries(running, query, rows):
    assert running.tuples(query) == rows


def test_types_of_expressions(running):
    sql = (
        "SELECT MAX(CHECKPOINT_SCN) m, MIN(START_SCN_DISPLAY) d, CHECKPOINT_SCN - START_SCN s, "
        "CHECKPOINT_SCN / 1000 q, IFNULL(CHECKPOINT_SCN, 0) i, CASE WHEN 1 = 1 THEN START_SCN_DISPLAY END c, "
        "SUM(INPUT_BYTES) t, SCN_TO_TIMESTAMP(CHECKPOINT_SCN) f FROM CDB_OB_ARCHIVELOG"
    )
    with running.connection.cursor() as cursor:
        cursor.execute(sql)
        kinds = {f.name: (f.type_code, bool(f.flags & 32)) for f in cursor._result.fields}
    types = pymysql.constants.FIELD_TYPE
    assert kinds == {
        "m": (types.LONGLONG, True), "d": (types.DATETIME, False), "s": (types.LONGLONG, True),
        "q": (types.NEWDECIMAL, False), "i": (types.NEWDECIMAL, False), "c": (types.DATETIME, False),
        "t": (types.NEWDECIMAL, False), "f": (types.DATETIME, False),
    }  # fmt: skip
