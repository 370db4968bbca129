"""The hook and two operators on a real OceanBase kernel, with each driver that is installed."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import pymysql
import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_ob_provider.exceptions import (
    OceanBasePermanentError,
    OceanBaseServerError,
    OceanBaseTransientError,
)
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveState, Tenant
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.operators.settings import SetBackupDestinationOperator
from airflow_ob_provider.sandbox.kernel import Kernel
from tests.kernel.relay import Relay, relay
from tests.unit.operators.harness import ending, fired, make_context

DRIVERS = {"pymysql": "pymysql", "mysql-connector-python": "mysql.connector", "mysqlclient": "MySQLdb"}
"""And the module that is there when the driver is."""
SECRET = "s3cret-Word"
SHAPE = "documented"
"""The database of views in the documented shape, which this kernel's own do not have."""


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    module = DRIVERS[request.param]
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"driver {request.param} is not installed: no module {module}")
    return str(request.param)


@pytest.fixture
def hook(add_kernel: Callable[..., str], driver: str) -> OceanBaseHook:
    return OceanBaseHook(oceanbase_conn_id=add_kernel(driver=driver))


@pytest.fixture
def sql(kernel: Kernel) -> Iterator[Callable[[str], list[Any]]]:
    """The kernel without this package in between."""
    with closing(pymysql.connect(host=kernel.host, port=kernel.port, user="root@sys", autocommit=True)) as connection:

        def ask(text: str) -> list[Any]:
            with connection.cursor() as cursor:
                cursor.execute(text)
                return list(cursor.fetchall())

        yield ask


@pytest.fixture(scope="module", autouse=True)
def earlier_freeze(kernel: Kernel) -> None:
    """Its merges come in waves of 5 s, and are over when the last test wants its own."""
    with closing(pymysql.connect(host=kernel.host, port=kernel.port, user="root@sys")) as connection:
        connection.cursor().execute("ALTER SYSTEM MINOR FREEZE")


def refused(action: Callable[[], object], errno: int, kind: type[OceanBaseServerError]) -> OceanBaseServerError:
    """The error of ``action``, which must be exactly of this kind."""
    with pytest.raises(OceanBaseServerError) as caught:
        action()
    assert (caught.value.errno, type(caught.value)) == (errno, kind), caught.value
    assert "127.0.0.1" in str(caught.value), "it must say where"
    return caught.value


# --- logging in -------------------------------------------------------------------------------------------------------


def test_the_test_button_tells_the_truth(hook: OceanBaseHook, sql: Callable[[str], list[Any]]) -> None:
    passed, message = hook.test_connection()
    assert passed, message
    ((version, account),) = sql("SELECT OB_VERSION(), CURRENT_USER()")
    ((tenant,),) = sql("SHOW TENANT")
    (cluster,) = sql("SHOW PARAMETERS LIKE 'cluster'")
    assert version == "4.3.5.3"
    for words in (f"OceanBase {version},", f"tenant {tenant},", f"cluster {cluster[4]} (1),", f"account {account}."):
        assert words in message
    assert "Privileges found: ALTER SYSTEM on *.*;" in message
    assert "SELECT on oceanbase.* (log backup views: [" in message
    assert "Not encrypted (ssl_mode DISABLED). This server has no view of its tenants" in message
    sql("ALTER SYSTEM SET log_archive_concurrency = '0'")  # it may indeed


def test_an_account_that_may_not_alter_is_told_so(
    add_kernel: Callable[..., str], driver: str, sql: Callable[[str], list[Any]]
) -> None:
    sql("CREATE USER reader IDENTIFIED BY 'r3ader-Word'")
    try:
        sql("GRANT SELECT ON oceanbase.* TO reader")
        hook = OceanBaseHook(oceanbase_conn_id=add_kernel(login="reader@sys", password="r3ader-Word", driver=driver))
        passed, message = hook.test_connection()
        refusal = refused(
            lambda: hook.execute(Statement.write("ALTER SYSTEM MINOR FREEZE")), 1227, OceanBasePermanentError
        )
    finally:
        sql("DROP USER reader")
    assert passed, message
    assert "account reader@%. Privileges found: none; missing: ALTER SYSTEM on *.* (" in message
    assert "ALTER SYSTEM" in refusal.hint


@pytest.mark.parametrize(
    "login",
    [
        {"login": "root@sys", "password": SECRET},
        {"login": "root@nowhere", "password": SECRET},
        {"login": "nobody@sys", "password": SECRET},
        {"login": "root@sys#obcluster"},
    ],
    ids=["password", "tenant", "user", "cluster"],
)
def test_a_login_that_is_refused(add_kernel: Callable[..., str], driver: str, login: dict[str, str]) -> None:
    hook = OceanBaseHook(oceanbase_conn_id=add_kernel(driver=driver, **login))
    error = refused(lambda: hook.open_session(), 1045, OceanBasePermanentError)
    assert isinstance(error, AirflowFailException), "no retry can help"
    assert "without #cluster" in error.hint
    passed, message = hook.test_connection()
    assert not passed
    assert "[1045] Access denied" in message
    assert SECRET not in f"{error} {message}"


# --- what the kernel answers ------------------------------------------------------------------------------------------


def test_a_view_that_is_missing(hook: OceanBaseHook) -> None:
    with hook.session() as session:
        error = refused(lambda: session.dialect.archive(), 1146, OceanBasePermanentError)
    assert "dba_ob_tenants" in error.message.lower()
    assert "FROM oceanbase.DBA_OB_TENANTS" in error.statement
    assert "tenant sys" in error.hint


def test_a_parameter_of_3x(hook: OceanBaseHook) -> None:
    def unused(_: Statement) -> list[dict[str, Any]]:
        raise AssertionError

    place = Destination.parse(f"oss://b/d?host=h&access_id=me&access_key={SECRET}")
    statement = V3Dialect(OceanBaseVersion.parse("OceanBase 3.2.4.3"), unused).set_destination(place)
    error = refused(lambda: hook.execute(statement), 5099, OceanBasePermanentError)
    assert error.message == "System config unknown"
    assert "backup_dest does not exist in user tenants or 4.x" in error.hint
    assert "access_key=***" in error.statement
    assert SECRET not in str(error)


def test_a_statement_that_this_server_does_not_support(hook: OceanBaseHook) -> None:
    with hook.session() as session:
        dialect = V4Dialect(session.version, lambda _: [{"tenant_id": 1}])
        start = dialect.start_archive(ArchiveRow(Tenant(1, "sys"), ArchiveState.STOP, "STOP", 0, 0, None, None))
        error = refused(lambda: session.execute(start), 1235, OceanBasePermanentError)
    assert error.is_state, "the state says what it meant"
    assert "Only user tenants" in error.hint


def test_own_sql_that_is_wrong(hook: OceanBaseHook) -> None:
    error = refused(lambda: hook.run(f"CREATE USER x IDENTIFIED BY ab@{SECRET}"), 1064, OceanBaseServerError)
    assert "SQL syntax" in error.message
    assert SECRET not in str(error), "the kernel quotes the statement from its fault on, without the name of the secret"
    plain = refused(lambda: hook.run("ALTER SYSTEM ARCHIVELOG FOO BAR"), 1064, OceanBaseServerError)
    assert "'FOO BAR'" in plain.message


def test_own_sql_that_is_right(hook: OceanBaseHook) -> None:
    word = "订单 'x\\"
    assert list(hook.get_records("SELECT %s, OB_VERSION()", parameters=(word,))) == [(word, "4.3.5.3")]


@pytest.mark.parametrize("seconds", [0.1, 10.0, 3600.0])
def test_the_limit_of_a_session_is_the_kernels_own(add_kernel: Callable[..., str], driver: str, seconds: float) -> None:
    hook = OceanBaseHook(oceanbase_conn_id=add_kernel(driver=driver, query_timeout=seconds))
    with hook.session() as session:
        rows = session.query(Statement.read("SELECT @@ob_query_timeout AS t"))
    assert [int(row["t"]) for row in rows] == [seconds * 1_000_000]


# --- what does not answer ---------------------------------------------------------------------------------------------


def test_a_slow_statement_is_ended_by_the_kernel(add_kernel: Callable[..., str], driver: str) -> None:
    hook = OceanBaseHook(oceanbase_conn_id=add_kernel(driver=driver, query_timeout=0.3))
    with hook.session() as session:
        begun = time.monotonic()
        error = refused(lambda: session.query(Statement.read("SELECT SLEEP(9)")), 4012, OceanBaseTransientError)
        assert 0.25 < time.monotonic() - begun < 3
        assert "300000(us)" in error.message
        assert session.query(Statement.read("SELECT 1 AS one")) == [{"one": 1}], "the session goes on"


def test_a_slow_statement_is_ended_by_the_driver(add_kernel: Callable[..., str], driver: str) -> None:
    hook = OceanBaseHook(oceanbase_conn_id=add_kernel(driver=driver, query_timeout=20, read_timeout=1))
    with hook.session() as session:
        begun = time.monotonic()
        error = refused(lambda: session.query(Statement.read("SELECT SLEEP(9)")), 2013, OceanBaseTransientError)
        assert 0.9 < time.monotonic() - begun < 3
    assert "read the state" in error.hint


def test_a_socket_that_stalls(add_kernel: Callable[..., str], kernel: Kernel, driver: str) -> None:
    """The statement has arrived, and its answer never does."""
    with relay(kernel, stalls_on="CONNECTION_ID") as between:
        conn_id = add_kernel(port=between.port, driver=driver, read_timeout=1)
        begun = time.monotonic()
        with OceanBaseHook(oceanbase_conn_id=conn_id).session() as session:
            query = Statement.read("SELECT CONNECTION_ID() AS id")
            error = refused(lambda: session.query(query), 2013, OceanBaseTransientError)
        assert 0.9 < time.monotonic() - begun < 4
        assert f":{between.port}" in str(error)
        assert "SELECT CONNECTION_ID()" in error.statement
        assert sum("CONNECTION_ID" in text for text in between.statements) == 1


# --- operators --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shaped(kernel: Kernel, sql: Callable[[str], list[Any]]) -> Iterator[Relay]:
    """The kernel with the views that the dialect knows of 4.x, as a user tenant of the name sys sees its own.

    The kernel is one tenant, and shows its merges without TENANT_ID, SVR_IP and SVR_PORT. The rows are its own.
    """
    sql(f"CREATE DATABASE {SHAPE}")
    own = "1 AS TENANT_ID, '127.0.0.1' AS SVR_IP, 2882 AS SVR_PORT"
    for name in ("GV$OB_TABLET_COMPACTION_HISTORY", "GV$OB_TABLET_COMPACTION_PROGRESS"):
        sql(f"CREATE VIEW {SHAPE}.{name} AS SELECT {own}, k.* FROM oceanbase.{name} k")
    sql(
        f"CREATE VIEW {SHAPE}.DBA_OB_TENANTS AS SELECT 1 AS TENANT_ID, 'sys' AS TENANT_NAME, 'USER' AS TENANT_TYPE, "
        "'NORMAL' AS STATUS, 'NO' AS IN_RECYCLEBIN, 'NOARCHIVELOG' AS LOG_MODE"
    )
    ids = "DEST_ID BIGINT, ROUND_ID BIGINT, USED_PIECE_ID BIGINT"
    scns = "START_SCN BIGINT UNSIGNED, CHECKPOINT_SCN BIGINT UNSIGNED"
    sql(f"CREATE TABLE {SHAPE}.DBA_OB_ARCHIVELOG ({ids}, {scns}, STATUS VARCHAR(64), COMMENT VARCHAR(1000))")
    sql(f"CREATE TABLE {SHAPE}.DBA_OB_ARCHIVE_DEST (DEST_NO BIGINT, NAME VARCHAR(1024), VALUE VARCHAR(4096))")
    try:
        with relay(kernel, names={"oceanbase.": f"{SHAPE}."}) as between:
            yield between
    finally:
        sql(f"DROP DATABASE {SHAPE}")


def test_a_server_without_log_backup_is_named(add_kernel: Callable[..., str], kernel: Kernel) -> None:
    with relay(kernel) as between:
        task = StartArchivelogOperator(task_id="start", oceanbase_conn_id=add_kernel(port=between.port))
        end = ending(lambda: task.execute(make_context()))
        assert between.writes() == []
    assert end.state == "failed"
    assert isinstance(end.error, OceanBasePermanentError)
    for words in ("[1146]", "DBA_OB_TENANTS", "the view does not exist here", "a supported version"):
        assert words in end.text


def test_a_start_that_the_kernel_refuses(add_kernel: Callable[..., str], shaped: Relay, sql: Any) -> None:
    sql(f"INSERT INTO {SHAPE}.DBA_OB_ARCHIVE_DEST VALUES (0, 'path', 'file:///data'), (0, 'state', 'ENABLE')")
    task = StartArchivelogOperator(task_id="start", oceanbase_conn_id=add_kernel(port=shaped.port))
    end = ending(lambda: task.execute(make_context()))
    assert shaped.writes() == ["ALTER SYSTEM ARCHIVELOG"], "once, and the state read after it"
    assert end.state == "failed"
    assert isinstance(end.error, OceanBasePermanentError)
    assert end.error.errno == 1235
    assert "Only user tenants" in end.text


def test_a_destination_that_the_kernel_refuses(add_kernel: Callable[..., str], shaped: Relay) -> None:
    task = SetBackupDestinationOperator(
        task_id="place", oceanbase_conn_id=add_kernel(port=shaped.port), destination="file:///data/{tenant}"
    )
    end = ending(lambda: task.execute(make_context()))
    value = "LOCATION=file:///data/sys BINDING=Optional PIECE_SWITCH_INTERVAL=1d"
    assert shaped.writes() == [f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = '{value}'"]
    assert end.state == "failed"
    assert isinstance(end.error, OceanBasePermanentError)
    assert end.error.errno == 1235
    assert "Also check that the version knows" in end.text


ROWS = "SELECT START_TIME, FINISH_TIME FROM oceanbase.GV$OB_TABLET_COMPACTION_HISTORY WHERE TYPE = 'MINI_MERGE'"


@pytest.fixture
def tablet(sql: Callable[[str], list[Any]]) -> Iterator[int]:
    """The tablet of a table with a few MB in its memtable."""
    sql("CREATE DATABASE frozen")
    try:
        sql("CREATE TABLE frozen.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(2000))")
        sql("INSERT INTO frozen.t (v) VALUES " + ",".join(f"('{number:04}{'x' * 500}')" for number in range(1000)))
        for _ in range(3):
            sql("INSERT INTO frozen.t (v) SELECT CONCAT('again', v) FROM frozen.t")
        names = "o.owner = 'frozen' AND o.object_name = 't'"
        ((found,),) = sql(f"SELECT o.data_object_id FROM oceanbase.DBA_OBJECTS o WHERE {names}")
        yield int(found)
    finally:
        sql("DROP DATABASE frozen")


def run_freeze(task: MinorFreezeOperator) -> dict[str, Any]:
    """As Airflow runs it, in real time: worker, triggerer, worker."""
    context = make_context()
    try:
        task.execute(context)
    except TaskDeferred as deferred:
        event = fired(deferred.trigger)
        return dict(task.resume_execution(deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context))
    raise AssertionError("it did not wait")


def test_a_minor_freeze_ends_when_its_merges_have_ended(
    add_kernel: Callable[..., str], shaped: Relay, tablet: int, sql: Callable[[str], list[Any]]
) -> None:
    mine = f"{ROWS} AND TABLET_ID = {tablet}"
    assert sql(ROWS), "there are merges of before"
    assert sql(mine) == [], "and none of this table: all of it is in the memtable"
    task = MinorFreezeOperator(
        task_id="freeze", oceanbase_conn_id=add_kernel(port=shaped.port), poll_interval=1, timeout=60
    )
    result = run_freeze(task)
    ((ended, merging),) = sql("SELECT NOW(6), COUNT(*) FROM oceanbase.GV$OB_TABLET_COMPACTION_PROGRESS")
    merged = sql(mine)
    assert shaped.writes() == ["ALTER SYSTEM MINOR FREEZE"]
    assert merged, "it ended before the table was on disk"
    assert merging == 0
    frozen_at = datetime.fromisoformat(result["frozen_at"]).replace(tzinfo=None)
    for start, finish in merged:
        assert frozen_at <= start <= finish < ended
    seen = sql(f"{ROWS} AND START_TIME >= '{frozen_at}'")
    assert (result["completed"], result["merges"]) == (True, len(seen))
    assert max(finish for _, finish in seen) < ended
