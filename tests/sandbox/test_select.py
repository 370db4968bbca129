"""SELECT: what a client may write, the types that come back, and the errors."""

from __future__ import annotations

import string
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_ob_provider.sandbox.functions import like
from airflow_ob_provider.sandbox.lexer import first_words, is_write, tokenize

VIEW = "CDB_OB_BACKUP_ARCHIVELOG"


@pytest.fixture
def running(make_box, connect):
    box = make_box(start_time=datetime.fromisoformat("2024-04-13 08:00:00.123456"))
    client = connect(box)
    client.start()
    return client


def test_types_on_the_wire(running):
    row = running.rows(f"SELECT * FROM {VIEW}")[0]
    assert list(row) == [
        "INCARNATION", "LOG_ARCHIVE_ROUND", "TENANT_ID", "STATUS", "START_PIECE_ID", "BACKUP_PIECE_ID",
        "MIN_FIRST_TIME", "MAX_NEXT_TIME", "INPUT_BYTES", "OUTPUT_BYTES", "COMPRESSION_RATIO",
        "INPUT_BYTES_DISPLAY", "OUTPUT_BYTES_DISPLAY",
    ]  # fmt: skip
    assert row["MIN_FIRST_TIME"] == "2024-04-13 08:00:00.123456"
    assert isinstance(row["TENANT_ID"], int)
    row = running.rows("SELECT MIN_FIRST_TIME, STATUS, SVR_PORT FROM CDB_OB_BACKUP_ARCHIVELOG_PROGRESS")[0]
    assert row["MIN_FIRST_TIME"] == datetime.fromisoformat("2024-04-13 08:00:00.123456")
    assert (row["STATUS"], row["SVR_PORT"]) == ("DOING", 2882)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("COUNT(*)", 3),
        ("MIN(TENANT_ID)", 1),
        ("SUM(CASE WHEN STATUS = 'DOING' THEN 1 ELSE 0 END)", Decimal(3)),
        ("SUM(STATUS <> 'DOING')", Decimal(0)),
        ("AVG(TENANT_ID)", Decimal("668.0000")),
        ("MAX(COMPRESSION_RATIO)", None),
        ("SUM(COMPRESSION_RATIO)", None),
        ("COUNT(*) / 2", Decimal("1.5000")),
        ("COUNT(*) * 2 + 1", 7),
        ("COUNT(*) DIV 2", 1),
        ("COUNT(DISTINCT STATUS)", 1),
        ("GROUP_CONCAT(TENANT_ID ORDER BY TENANT_ID DESC SEPARATOR ';')", "1002;1001;1"),
        ("GROUP_CONCAT(DISTINCT STATUS)", "DOING"),
        ("IF(COUNT(*) = 3, 'all', 'some')", "all"),
        ("MAX(STATUS = 'doing')", 1),
    ],
)
def test_aggregates(running, expression, value):
    result = running.value(f"SELECT {expression} AS x FROM {VIEW}")
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1", 1),
        ("1.5", Decimal("1.5")),
        ("'it''s'", "it's"),
        ('"double"', "double"),
        ("NULL", None),
        ("TRUE", 1),
        ("NULLIF('', '')", None),
        ("NULLIF('a', '')", "a"),
        ("IFNULL(NULL, 'x')", "x"),
        ("COALESCE(NULL, NULL, 3)", 3),
        ("CONCAT('a', NULL)", None),
        ("CONCAT('a', 1, 'b')", "a1b"),
        ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b"),
        ("CAST('12' AS SIGNED) + 1", 13),
        ("CAST(12 AS CHAR)", "12"),
        ("CAST('2024-01-02 03:04:05' AS DATETIME)", datetime.fromisoformat("2024-01-02 03:04:05")),
        ("CAST('' AS DATETIME(6))", None),
        ("TIMESTAMPDIFF(SECOND, '2024-01-01 00:00:00', '2024-01-01 00:01:00.9')", 60),
        ("TIMESTAMPDIFF(SECOND, '2024-01-01 00:01:00.9', '2024-01-01 00:00:00')", -60),
        ("TIMESTAMPDIFF(MICROSECOND, '2024-01-01 00:00:00.000001', '2024-01-01 00:00:01')", 999999),
        ("TIMESTAMPDIFF(MONTH, '2024-01-01', '2024-05-01')", 4),
        ("TIMESTAMPDIFF(SECOND, '', NOW(6))", None),
        ("TIMESTAMPDIFF(SECOND, NULL, NOW(6))", None),
        ("TIMESTAMPDIFF(SECOND, 'MAX', NOW(6))", None),
        ("TIMESTAMPDIFF(DAY, '2024-02-30', '2024-03-01')", None),
        ("DATEDIFF('2024-01-03', '2024-01-01')", 2),
        ("'2024-01-01 00:00:00' + INTERVAL 90 SECOND", datetime.fromisoformat("2024-01-01 00:01:30")),
        ("DATE_SUB('2024-01-02', INTERVAL 1 DAY)", datetime.fromisoformat("2024-01-01")),
        ("DATE_ADD('', INTERVAL 1 DAY)", None),
        ("TIMESTAMPADD(HOUR, 1, '2024-01-01 00:00:00')", datetime.fromisoformat("2024-01-01 01:00:00")),
        ("DATE_FORMAT('2024-01-02 03:04:05', '%Y%m%d')", "20240102"),
        ("STR_TO_DATE('20240102', '%Y%m%d')", datetime.fromisoformat("2024-01-02")),
        ("STR_TO_DATE('soon', '%Y%m%d')", None),
        ("DATE('2024-01-02 03:04:05')", date(2024, 1, 2)),
        ("UNIX_TIMESTAMP('2024-01-01 08:00:00')", 1704067200),
        ("UNIX_TIMESTAMP('')", None),
        (
            "USEC_TO_TIME(TIME_TO_USEC('2024-01-02 03:04:05.000006'))",
            datetime.fromisoformat("2024-01-02 03:04:05.000006"),
        ),
        ("SUBSTRING_INDEX('file:///a/b', '/', -1)", "b"),
        ("LEFT('abc', 2)", "ab"),
        ("RIGHT('abc', 2)", "bc"),
        ("LEFT(NULL, 2)", None),
        ("GREATEST(1, 3, 2)", 3),
        ("'Backup' LIKE 'backup'", 1),
        (r"'backup_dest' LIKE 'backup\_dest'", 1),
        (r"'backupXdest' LIKE 'backup\_dest'", 0),
        ("'backupXdest' LIKE 'backup_dest'", 1),
        ("'a%' LIKE 'a!%' ESCAPE '!'", 1),
        ("NULL LIKE 'a'", None),
        ("'file:///x' REGEXP '^FILE'", 1),
        ("NULL REGEXP 'a'", None),
        ("2 BETWEEN 1 AND 3", 1),
        ("NULL <=> NULL", 1),
        ("EXISTS(SELECT 1 FROM __all_server)", 1),
        ("(SELECT MAX(id) FROM __all_server)", 3),
        ("@not_set", None),
        ("DATABASE()", "oceanbase"),
        ("CURRENT_USER()", "root@%"),
        ("USER()", "root@127.0.0.1"),
        ("VERSION()", "3.1.5-OceanBase CE"),
        ("OB_VERSION()", "3.1.5"),
        ("-(1)", -1),
        ("1 + 1.50", Decimal("2.5")),
        ("CASE WHEN 1 = 0 THEN 'a' END", None),
    ],
)
def test_expressions(client, expression, value):
    result = client.value(f"SELECT {expression}")
    assert result == value
    assert type(result) is type(value)


def test_a_conditional_of_text_and_time_is_text(client):
    assert client.value("SELECT IF(1 = 1, NOW(), 'never')") == client.box.now.strftime("%Y-%m-%d %H:%M:%S")


def test_clock_and_time_zones(running):
    box = running.box
    assert running.value("SELECT NOW(6)") == box.now
    assert running.value("SELECT CURRENT_TIMESTAMP(6)") == box.now
    assert running.value("SELECT NOW(3)") == box.now.replace(microsecond=box.now.microsecond // 1000 * 1000)
    assert running.value("SELECT NOW()") == box.now.replace(microsecond=0)
    assert running.value("SELECT CURRENT_DATE()") == box.now.date()
    assert running.value("SELECT UTC_TIMESTAMP(6)") == box.now - timedelta(hours=8)
    assert running.value("SELECT @@time_zone") == "+8:00"
    text, stamp = running.tuples("SELECT MIN_FIRST_TIME, MIN_FIRST_TIME FROM CDB_OB_BACKUP_ARCHIVELOG_PROGRESS")[0]
    running.do("SET time_zone = '+00:00'")
    assert running.value("SELECT NOW(6)") == box.now - timedelta(hours=8)
    assert running.value("SELECT UTC_TIMESTAMP(6)") == box.now - timedelta(hours=8)
    moved = running.value("SELECT MIN_FIRST_TIME FROM CDB_OB_BACKUP_ARCHIVELOG_PROGRESS")
    assert moved == stamp - timedelta(hours=8), "a timestamp follows the session's zone"
    kept = running.value(f"SELECT MIN_FIRST_TIME FROM {VIEW} WHERE TENANT_ID = 1001")
    assert kept == text.strftime("%Y-%m-%d %H:%M:%S.%f"), "a text doesn't"
    lag = f"SELECT TIMESTAMPDIFF(SECOND, MAX_NEXT_TIME, UTC_TIMESTAMP(6)) FROM {VIEW}"
    assert running.value(lag) < -8 * 3600 + 60


@pytest.mark.parametrize(("zone", "hours"), [("SYSTEM", 8), ("Asia/Shanghai", 8), ("UTC", 0), ("-5:30", -5.5)])
def test_named_zones(client, zone, hours):
    client.do(f"SET time_zone = '{zone}'")
    assert client.value("SELECT NOW(6)") == client.box.now - timedelta(hours=8) + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (f"SELECT tenant_id FROM {VIEW} WHERE status IN ('doing') ORDER BY 1 LIMIT 1, 2", [(1001,), (1002,)]),
        (f"SELECT `STATUS`, COUNT(*) c FROM `oceanbase`.`{VIEW}` GROUP BY STATUS HAVING c > 1", [("DOING", 3)]),
        (f"SELECT oceanbase.{VIEW}.STATUS FROM oceanbase.{VIEW} WHERE {VIEW}.TENANT_ID = 1", [("DOING",)]),
        (
            f"SELECT a.TENANT_ID, t.tenant_name FROM {VIEW} a LEFT JOIN gv$tenant t ON t.tenant_id = a.TENANT_ID "
            "WHERE a.TENANT_ID > 1000 ORDER BY 1 DESC",
            [(1002, "tenant2"), (1001, "tenant1")],
        ),
        (
            f"SELECT x.n FROM (SELECT TENANT_ID n, ROW_NUMBER() OVER (ORDER BY TENANT_ID DESC) k FROM {VIEW}) x "
            "WHERE x.k = 1",
            [(1002,)],
        ),
        (
            f"WITH w AS (SELECT STATUS s FROM {VIEW}) SELECT DISTINCT s FROM w UNION ALL SELECT 'x' ORDER BY 1",
            [("DOING",), ("x",)],
        ),
        (f"(SELECT 1 FROM {VIEW} LIMIT 1) UNION (SELECT 1)", [(1,)]),
        ("SELECT 1 FROM DUAL", [(1,)]),
        ("((SELECT 1))", [(1,)]),
        (f"SELECT STATUS status FROM {VIEW} WHERE status = 'DOING' LIMIT 1", [("DOING",)]),
        (f"SELECT a.*, b.id FROM {VIEW} a JOIN __all_server b ON b.id = 1 WHERE FALSE", []),
        ("SELECT COUNT(*) FROM __all_server a JOIN __all_server b USING (id)", [(3,)]),
        (f"SELECT /*+ READ_CONSISTENCY(WEAK) */ TENANT_ID FROM {VIEW} WHERE TENANT_ID = '1' FOR UPDATE", [(1,)]),
        (f"/* dag=x */ SELECT 1 FROM {VIEW} WHERE TENANT_ID = (SELECT MIN(TENANT_ID) FROM {VIEW}) -- end", [(1,)]),
        (f"SELECT 1 FROM {VIEW} WHERE MAX_NEXT_TIME > '2024' AND NOT (STATUS = 'x' OR STATUS IS NULL) LIMIT 1", [(1,)]),
        (f"SELECT x.* FROM (SELECT TENANT_ID FROM {VIEW}) AS x ORDER BY 1 LIMIT 1", [(1,)]),
        ("SELECT value FROM __all_virtual_sys_variable WHERE tenant_id = 1", [("1",)]),
        ("SELECT SUM(max_log_id - log_archive_cur_log_id) > 0 FROM __all_virtual_pg_backup_log_archive_status", [(1,)]),
        ("SELECT DISTINCT log_archive_status FROM __all_virtual_pg_backup_log_archive_status", [(3,)]),
    ],
)  # fmt: skip
def test_queries(running, query, rows):
    assert running.tuples(query) == rows


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("SELECT tenant_id, Status AS sTaTe, now(6), count( * ) FROM cdb_ob_backup_archivelog",
         ["TENANT_ID", "sTaTe", "now(6)", "count( * )"]),
        ("SELECT @@version_comment LIMIT 1", ["@@version_comment"]),
        ("SELECT ob_version(), IF(1, 'a, b', (2))", ["ob_version()", "IF(1, 'a, b', (2))"]),
        ("SELECT SVR_IP FROM __ALL_SERVER", ["svr_ip"]),
        ("WITH a AS (SELECT 1 b) SELECT b, b c FROM a", ["b", "c"]),
    ],
)  # fmt: skip
def test_labels(client, query, labels):
    assert list(client.rows(query)[0]) == labels


@pytest.mark.parametrize(
    ("query", "errno", "text"),
    [
        ("SELECT * FROM nowhere", 1146, "Table 'oceanbase.nowhere' doesn't exist"),
        ("SELECT * FROM oceanbase.Nowhere", 1146, "Table 'oceanbase.Nowhere' doesn't exist"),
        ("SELECT * FROM other.__all_server", 1146, "Table 'other.__all_server' doesn't exist"),
        ("SELECT * FROM CDB_OB_ARCHIVELOG", 1146, "Table 'oceanbase.CDB_OB_ARCHIVELOG' doesn't exist"),
        (f"SELECT ROUND_ID FROM {VIEW}", 1054, "Unknown column 'ROUND_ID' in 'field list'"),
        (f"SELECT a.nope FROM {VIEW} a", 1054, "Unknown column 'a.nope' in 'field list'"),
        (f"SELECT 1 FROM {VIEW} WHERE nope = 1", 1054, "Unknown column 'nope' in 'where clause'"),
        (f"SELECT 1 FROM {VIEW} ORDER BY nope", 1054, "Unknown column 'nope' in 'order clause'"),
        (f"SELECT 1 FROM {VIEW} GROUP BY nope", 1054, "Unknown column 'nope' in 'group statement'"),
        (f"SELECT 1 FROM {VIEW} a JOIN {VIEW} b ON a.nope = 1", 1054, "Unknown column 'a.nope' in 'on clause'"),
        (f"SELECT STATUS s FROM {VIEW} WHERE s = 'STOP'", 1054, "Unknown column 's' in 'where clause'"),
        (f"SELECT `nope` FROM {VIEW}", 1054, "Unknown column 'nope' in 'field list'"),
        (f"SELECT STATUS FROM {VIEW} a JOIN {VIEW} b", 1052, "Column 'STATUS' in field list is ambiguous"),
        ("SELECT nope(1)", 1305, "FUNCTION nope does not exist"),
        ("SELECT 1 UNION SELECT 1, 2", 1222, "The used SELECT statements have a different number of columns"),
        ("SELECT @@nope", 1193, "Unknown system variable 'nope'"),
    ],
)
def test_errors(client, query, errno, text):
    assert client.error(query) == (errno, text)


@pytest.mark.parametrize(
    "query",
    ["SELECT", "SELECT FROM x", "SELECT 1 1 1", "SELECT 'open", "SELECT 1; SELECT 2", "SELEC 1", "", "/* only */"],
)
def test_parse_errors(client, query):
    errno, text = client.error(query)
    assert errno == 1064
    assert text.startswith("You have an error in your SQL syntax")


# --- properties -------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text(alphabet=string.ascii_letters + "%_\\ .*[", max_size=12))
def test_like_of_an_escaped_text_matches_only_it(text):
    pattern = "".join("\\" + char if char in "%_\\" else char for char in text)
    assert like(pattern, text)
    assert not like(pattern, text + "x")
    assert like(pattern + "%", text + "x")


@settings(deadline=None)
@given(st.text(max_size=30))
def test_strings_survive_the_lexer(text):
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    (token,) = tokenize(quoted)
    assert token.kind == "string"
    assert token.text == text


@settings(deadline=None)
@given(st.text(max_size=40))
def test_classification_never_fails(text):
    assert isinstance(is_write(text), bool)
    assert len(first_words(text)) <= 3


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        ("ALTER SYSTEM ARCHIVELOG", True),
        ("/* c */ alter system set x = 1", True),
        ("SET ENCRYPTION ON IDENTIFIED BY 'x' ONLY", True),
        ("SET GLOBAL ob_query_timeout = 1", True),
        ("SET @@global.autocommit = 1", True),
        ("-- x\nDELETE FROM t", True),
        ("CREATE TABLE t (a int)", True),
        ("SET SESSION ob_query_timeout = 1", False),
        ("SET @@session.autocommit = 1", False),
        ("SELECT 1", False),
        ("SHOW PARAMETERS", False),
        ("USE oceanbase", False),
        ("COMMIT", False),
        ("", False),
    ],
)
def test_what_writes(sql, writes):
    assert is_write(sql) is writes


# --- the same statement again -----------------------------------------------------------------------------------------


def test_a_comment_in_front_is_not_of_the_statement_but_one_in_a_text_is(running):
    assert running.value("/* one */ SELECT '/* a */'") == "/* a */"
    assert running.value("/* two */  /* of them */ SELECT '/* b */'") == "/* b */"
    assert running.value("SELECT '/* a */ x'") == "/* a */ x"
    assert running.value("SELECT '/* b */ x'") == "/* b */ x"


def test_rows_are_those_of_the_moment(running):
    sql = f"SELECT COUNT(*) AS n, MAX(LOG_ARCHIVE_ROUND) AS r FROM {VIEW}"
    assert running.rows(sql) == running.rows(sql) == [{"n": 3, "r": 1}]
    running.box.create_tenant("another")
    running.box.advance(60)
    assert running.rows(sql) == [{"n": 4, "r": 1}]
    running.box.drop_tenant("another")
    running.box.advance(60)
    assert running.rows(sql) == [{"n": 3, "r": 1}]


def test_after_an_error_at_run_time_nothing_is_left(running):
    sql = f"SELECT COUNT(*), MIN(CAST(TENANT_ID AS UNSIGNED) - CAST({{}} AS UNSIGNED)) FROM {VIEW}"
    for _ in range(2):
        assert running.error(sql.format(7))[0] == 1690
        assert running.tuples(sql.format(1)) == [(3, 0)]


def test_two_clusters_are_asked_the_same_at_once(make_box, connect):
    boxes = {tenants: make_box(tenants=tenants) for tenants in (1, 4)}
    clients = [(tenants, connect(box)) for tenants, box in boxes.items() for _ in range(2)]

    def ask(one):
        tenants, client = one
        return {client.value("SELECT COUNT(*) FROM gv$tenant") for _ in range(50)} == {tenants + 1}

    with ThreadPoolExecutor(len(clients)) as pool:
        assert all(pool.map(ask, clients))
