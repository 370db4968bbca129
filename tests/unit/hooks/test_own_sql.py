"""Users' own SQL: common-sql's operators and methods work, and no secret gets into a log, lineage or error."""

from __future__ import annotations

import contextlib
import json
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.providers.common.sql.operators.sql import SQLCheckOperator, SQLExecuteQueryOperator
from airflow.providers.common.sql.sensors.sql import SqlSensor

from airflow_ob_provider.exceptions import OceanBasePermanentError, OceanBaseServerError, OceanBaseTransientError
from airflow_ob_provider.hooks.failures import redacted_rows
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox

MakeHook = Callable[..., OceanBaseHook]

KEY = "Ab/cd+EF=gh%2Fij"
PASSWORD = "identified-by-me"
DESTINATION = f"oss://bucket/dir?host=h&access_id=LTAIme&access_key={KEY}"
SECRETS = (KEY, PASSWORD, "LTAIme", "cd+EF", "%2Fij")
SECRET_SQL = [
    pytest.param(f"ALTER SYSTEM SET backup_dest = '{DESTINATION}'", None, id="destination"),
    pytest.param("ALTER SYSTEM SET backup_dest = %s", (DESTINATION,), id="destination as parameter"),
    pytest.param("ALTER SYSTEM SET backup_dest = %(d)s", {"d": DESTINATION}, id="destination as named parameter"),
    pytest.param(f"CREATE USER u IDENTIFIED BY '{PASSWORD}'", None, id="identified by"),
    pytest.param("CREATE USER u IDENTIFIED BY %s", (PASSWORD,), id="identified by parameter"),
    pytest.param("CREATE USER u IDENTIFIED BY %(p)s", {"p": PASSWORD}, id="identified by named parameter"),
    pytest.param(f"SET ENCRYPTION ON IDENTIFIED BY '{PASSWORD}' ONLY", None, id="encryption"),
    pytest.param("SELECT %s AS a, %s AS b", ("access_key", KEY), id="name and value"),
    pytest.param("SELECT 1 AS access_key, %s AS b", [KEY], id="name in the statement"),
    pytest.param("SELECT %s AS b", (f"access_key={KEY}".encode(),), id="bytes"),
]


def clean(text: str) -> bool:
    return not any(secret in text for secret in SECRETS)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# --- it works ---------------------------------------------------------------------------------------------------------


def test_the_methods_of_a_database_hook(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    hook = make_hook(cluster, driver=driver)
    assert isinstance(hook, DbApiHook)
    assert [tuple(row) for row in hook.get_records("SELECT tenant_name FROM gv$tenant ORDER BY tenant_id")] == [
        ("sys",),
        ("tenant1",),
        ("tenant2",),
    ]
    assert hook.get_first("SELECT tenant_id FROM gv$tenant ORDER BY tenant_id") == (1,)
    assert hook.get_first("SELECT %s AS x, %s AS y", parameters=("it's 100%", 2)) == ("it's 100%", 2)
    assert hook.get_first("SELECT %(x)s AS x", parameters={"x": "密"}) == ("密",)
    assert hook.get_first("SELECT '100%' AS x") == ("100%",)
    answers = hook.run(
        "SELECT 1; SELECT 2;", handler=lambda cursor: cursor.fetchall()[0][0], split_statements=True, return_last=False
    )
    assert answers == [1, 2]
    assert hook.run("SET SESSION ob_trx_timeout = 1000000") is None
    assert [column[0] for column in (hook.last_description or ())] == []
    hook.get_records("SELECT 1 AS One")
    assert [column[0] for column in (hook.last_description or ())] == ["One"]
    assert hook.dialect_name == "mysql"
    assert hook.placeholder == "%s"


@pytest.mark.parametrize("autocommit", [True, False])
def test_autocommit(cluster: Sandbox, make_hook: MakeHook, driver: str, autocommit: bool) -> None:
    hook = make_hook(cluster, driver=driver)
    answer = hook.run("SELECT @@autocommit AS a", autocommit=autocommit, handler=lambda cursor: cursor.fetchone()[0])
    assert answer == int(autocommit)


def test_sqlalchemy(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    hook = make_hook(cluster, driver=driver, query_timeout=7)
    engine = hook.get_sqlalchemy_engine({"pool_size": 1})
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT @@ob_query_timeout").scalar() == 7_000_000
    engine.dispose()


def test_sql_execute_query_operator(cluster: Sandbox, add_connection: Callable[..., str], driver: str) -> None:
    # The operator hands all extras over as arguments of the hook, whatever they are called.
    extras = {"driver": driver, "ssl_mode": "DISABLED", "connection": "x", "init_command": "DROP", "color": [1]}
    add_connection(cluster, "ob", **extras)
    operator = SQLExecuteQueryOperator(task_id="t", conn_id="ob", sql="SELECT 1; SELECT %s", parameters=("a",))
    operator.split_statements = False
    operator.sql = "SELECT %s AS x"
    assert [tuple(row) for row in operator.execute({})] == [("a",)]
    listed = SQLExecuteQueryOperator(task_id="l", conn_id="ob", sql=["SELECT 1", "SELECT 2"])
    assert [[tuple(row) for row in rows] for rows in listed.execute({})] == [[(1,)], [(2,)]]
    nothing = SQLExecuteQueryOperator(task_id="n", conn_id="ob", sql="SET SESSION ob_trx_timeout = 1", database="test")
    assert nothing.execute({}) is None
    assert nothing.get_db_hook().settings.schema == "test"


def test_check_operator(cluster: Sandbox, add_connection: Callable[..., str]) -> None:
    add_connection(cluster, "ob")
    SQLCheckOperator(task_id="c", conn_id="ob", sql="SELECT COUNT(*) FROM gv$tenant").execute({})


def test_sql_sensor(cluster: Sandbox, add_connection: Callable[..., str], driver: str) -> None:
    add_connection(cluster, "ob", driver=driver)
    doing = "SELECT COUNT(*) FROM CDB_OB_BACKUP_ARCHIVELOG WHERE STATUS = %(status)s"
    assert not SqlSensor(task_id="s", conn_id="ob", sql=doing, parameters={"status": "DOING"}).poke({})
    assert SqlSensor(task_id="s", conn_id="ob", sql=doing, parameters={"status": "STOP"}).poke({})


def test_data_frames(cluster: Sandbox, make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch, output: Any) -> None:
    """Pandas reads through a connection of this hook; a statement that holds a secret is not given to it."""
    seen: list[str] = []

    def read_sql(sql: str, con: Any, params: Any, **kwargs: Any) -> Any:
        with con.cursor() as cursor:
            cursor.execute(sql, params)
            seen.append(sql)
            return iter([cursor.fetchall()]) if kwargs else cursor.fetchall()

    parts = {"pandas": {}, "pandas.io": {}, "pandas.io.sql": {"read_sql": read_sql}}
    for name, content in parts.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys.modules["pandas.io"], "sql", sys.modules["pandas.io.sql"], raising=False)
    hook = make_hook(cluster)
    assert hook.get_df("SELECT %s AS x", ("a",)) == (("a",),)
    assert list(hook.get_df_by_chunks("SELECT 1", chunksize=5)) == [((1,),)]
    for read in (hook.get_df, hook.get_df_by_chunks):
        for sql, parameters in [(f"SELECT '{DESTINATION}'", None), ("SELECT %s", (DESTINATION,))]:
            with pytest.raises(ValueError, match="not read into a data frame") as caught:
                read(sql, parameters)
            assert clean(str(caught.value))
    assert seen == ["SELECT %s AS x", "SELECT 1"]
    assert clean(output.all)


# --- rows in which the server shows keys ------------------------------------------------------------------------------

SHOWN = "oss://bucket/dir?host=h&access_id=***&access_key=***"
SHOWS_KEYS = [
    "SHOW PARAMETERS LIKE 'backup_dest'",
    "show parameters like 'backup_des%'",
    "SELECT name, value FROM oceanbase.__all_sys_parameter WHERE name = 'backup_dest'",
]


@pytest.fixture
def with_keys(cluster: Sandbox) -> Sandbox:
    cluster.parameters["backup_dest"] = DESTINATION
    return cluster


@pytest.mark.parametrize("sql", SHOWS_KEYS)
def test_keys_that_the_server_shows_stay_in_the_hook(
    with_keys: Sandbox, make_hook: MakeHook, driver: str, output: Any, sql: str
) -> None:
    hook = make_hook(with_keys, driver=driver)
    answers = [
        hook.get_records(sql),
        hook.get_first(sql),
        hook.run(sql, handler=lambda cursor: cursor.fetchall()),
        hook.run([sql, "SELECT 1"], handler=lambda cursor: cursor.fetchall()),
        hook.run(f"SELECT 1; {sql}", handler=lambda cursor: cursor.fetchall(), split_statements=True),
        hook.run(sql, handler=lambda cursor: [dict(enumerate(row)) for row in cursor.fetchall()]),
        hook.run(sql, handler=lambda cursor: str(cursor.fetchall())),
    ]
    for answer in answers:
        assert answer
        assert clean(str(answer)), answer
        assert "access_key=***" in str(answer)
    assert clean(output.all)


def test_a_row_that_leaves_the_hook_is_as_it_was_but_for_the_keys(with_keys: Sandbox, make_hook: MakeHook) -> None:
    hook = make_hook(with_keys)
    rows = hook.get_records("SHOW PARAMETERS LIKE 'backup_dest'")
    names = [column[0].lower() for column in hook.last_description or ()]
    assert [row[names.index("value")] for row in rows] == [SHOWN] * 3
    assert [row[names.index("name")] for row in rows] == ["backup_dest"] * 3
    assert len({row[names.index("svr_port")] for row in rows} | {row[names.index("svr_ip")] for row in rows}) > 1


def test_other_rows_leave_the_hook_as_they_are(with_keys: Sandbox, make_hook: MakeHook, driver: str) -> None:
    """Users' own tables are their own matter, also after a statement whose rows were masked."""
    hook = make_hook(with_keys, driver=driver)
    hook.get_records("SHOW PARAMETERS LIKE 'backup_dest'")
    assert hook.get_first("SELECT 'access_key=mine' AS x") == ("access_key=mine",)


def test_rows_that_show_keys_are_not_read_into_a_data_frame(with_keys: Sandbox, make_hook: MakeHook) -> None:
    hook = make_hook(with_keys)
    with_keys.clear_statements()
    for sql in SHOWS_KEYS:
        for read in (hook.get_df, hook.get_df_by_chunks):
            with pytest.raises(ValueError, match="use run or get_records, which mask them"):
                read(sql)
    assert with_keys.statements == ()


@pytest.mark.parametrize("sql", SHOWS_KEYS)
def test_the_operators_result_shows_no_key(
    with_keys: Sandbox, add_connection: Callable[..., str], output: Any, sql: str
) -> None:
    add_connection(with_keys, "ob")
    result = SQLExecuteQueryOperator(task_id="t", conn_id="ob", sql=sql).execute({})
    assert clean(str(result))
    assert "access_key=***" in str(result)
    assert clean(output.all)


def test_what_the_package_reads_is_masked_unless_it_is_needed(with_keys: Sandbox, make_hook: MakeHook) -> None:
    sql = r"SHOW PARAMETERS LIKE 'backup\_dest'"
    with make_hook(with_keys).session() as session:
        shown = session.query(Statement.read(sql))
        needed = session.query(Statement.read(sql, holds_secrets=True))
    assert {row["value"] for row in shown} == {SHOWN}
    assert {row["value"] for row in needed} == {DESTINATION}


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (None, None),
        (7, 7),
        ("plain", "plain"),
        (DESTINATION, SHOWN),
        (b"plain \xff", b"plain \xff"),
        (DESTINATION.encode() + b"&x=\xff", SHOWN.encode() + b"&x=\xff"),
        (bytearray(DESTINATION.encode()), SHOWN.encode()),
        ([(DESTINATION, 1, None)], [(SHOWN, 1, None)]),
        ((DESTINATION,), (SHOWN,)),
        ([{"value": DESTINATION, "n": 1}], [{"value": SHOWN, "n": 1}]),
        ([[DESTINATION]], [[SHOWN]]),
        ([("plain", 1), ("plain", DESTINATION), ("plain", None)], [("plain", 1), ("plain", SHOWN), ("plain", None)]),
        ([("plain", DESTINATION.encode())], [("plain", SHOWN.encode())]),
        ([("plain", 1.5, [DESTINATION])], [("plain", 1.5, [SHOWN])]),
        ([], []),
    ],
)
def test_rows_of_any_shape_are_masked(rows: Any, shown: Any) -> None:
    assert redacted_rows(rows) == shown
    assert type(redacted_rows(rows)) is type(shown)


# --- nothing gets out -------------------------------------------------------------------------------------------------


class Recorder:
    """In place of a logger: everything, at every level."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        def write(event: str, *args: object, **kwargs: object) -> None:
            self.lines.append(f"{level}: {event % args if args else event} {kwargs or ''}")

        return write


@pytest.fixture
def recorded(cluster: Sandbox, make_hook: MakeHook, driver: str) -> Iterator[tuple[OceanBaseHook, Recorder]]:
    """A hook, and what it logs."""
    hook, recorder = make_hook(cluster, driver=driver), Recorder()
    hook._log = recorder  # type: ignore[assignment]
    yield hook, recorder
    logged = "\n".join(recorder.lines)
    assert "info: Running statement: " in logged
    assert "debug: Executing following statements against DB: " in logged
    assert clean(logged)
    assert any(r"*/ " in entry.sql and not entry.sql.endswith("000") for entry in cluster.statements), "it was sent"


WHERE_IT_FAILS = r"\*/ (SELECT|ALTER|CREATE|SET ENC)"


@pytest.mark.parametrize(("sql", "parameters"), SECRET_SQL)
def test_neither_log_nor_lineage_shows_a_secret(
    cluster: Sandbox, recorded: tuple[OceanBaseHook, Recorder], output: Any, sql: str, parameters: Any
) -> None:
    hook, _ = recorded
    with contextlib.suppress(OceanBaseServerError):  # the sandbox knows neither users nor all destinations
        hook.run(sql, parameters=parameters, handler=lambda cursor: None)
        assert len(output.lineage) == 1
    assert clean(output.all)


@pytest.mark.parametrize(("sql", "parameters"), SECRET_SQL)
def test_nor_does_an_error(
    cluster: Sandbox, recorded: tuple[OceanBaseHook, Recorder], output: Any, sql: str, parameters: Any
) -> None:
    hook, _ = recorded
    near = f"You have an error in your SQL syntax near '{KEY[4:]}&x={PASSWORD}' at line 1"
    cluster.faults.error_once = (WHERE_IT_FAILS, 1064, near)
    with pytest.raises(OceanBaseServerError) as caught:
        hook.run(sql, parameters=parameters, handler=lambda cursor: None)
    assert type(caught.value) is OceanBaseServerError
    assert "near '***' at line 1" in caught.value.message
    for one in chain(caught.value):
        assert clean(f"{one} {one!r} {one.args} {vars(one)}")
    assert clean(output.all)
    assert not output.lineage


def test_a_secret_in_a_single_parameter(cluster: Sandbox, make_hook: MakeHook) -> None:
    """PyMySQL takes one value that is no list."""
    cluster.faults.error_once = ("CREATE USER", 1210, f"Incorrect argument {PASSWORD} to CREATE USER")
    with pytest.raises(OceanBaseServerError) as caught:
        make_hook(cluster).run("CREATE USER u IDENTIFIED BY %s", parameters=PASSWORD)
    assert caught.value.message == "Incorrect argument *** to CREATE USER"


def test_a_driver_that_does_not_count_rows(cluster: Sandbox, make_hook: MakeHook, output: Any) -> None:
    hook = make_hook(cluster)

    class Cursor:
        rowcount = -1

        def execute(self, sql: str, parameters: object) -> None:
            assert sql == "/* airflow-ob-provider no task */ SELECT 1"
            assert parameters is None

    hook._run_command(Cursor(), "SELECT 1", ())
    assert "Rows affected" not in output.logs


def test_the_server_may_quote_a_parameter_anywhere(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    cluster.faults.error_once = ("CREATE USER", 1210, f"Incorrect argument {PASSWORD} to CREATE USER")
    with pytest.raises(OceanBaseServerError) as caught:
        make_hook(cluster, driver=driver).run("CREATE USER u IDENTIFIED BY %s", parameters=[PASSWORD])
    assert caught.value.message == "Incorrect argument *** to CREATE USER"


def test_harmless_sql_is_shown_as_it_is(cluster: Sandbox, make_hook: MakeHook, output: Any) -> None:
    hook = make_hook(cluster)
    hook.run("SELECT %s AS x", parameters=("a",), handler=fetch_quietly)
    assert "Running statement: SELECT %s AS x, parameters: ('a',)" in output.logs
    assert "Rows affected: 1" in output.logs
    assert output.lineage == [{"sql": "SELECT %s AS x", "sql_parameters": ("a",), "row_count": 1}]


def fetch_quietly(cursor: Any) -> Any:
    return cursor.fetchall()


def test_log_sql_off(cluster: Sandbox, make_hook: MakeHook, output: Any) -> None:
    make_hook(cluster, hook={"log_sql": False}).get_first("SELECT 1")
    assert "Running statement" not in output.logs


def test_the_operator_with_parameters(cluster: Sandbox, add_connection: Callable[..., str], output: Any) -> None:
    """What the operator itself logs is the text of its field ``sql``, which is why secrets belong in parameters."""
    add_connection(cluster, "ob")
    cluster.parameters["backup_dest"] = ""
    sql = "ALTER SYSTEM SET backup_dest = %s"
    SQLExecuteQueryOperator(task_id="t", conn_id="ob", sql=sql, parameters=(DESTINATION,)).execute({})
    assert f"Executing: {sql}" in output.logs
    assert DESTINATION in cluster.writes[-1].sql
    assert clean(output.all)


def test_the_operator_with_a_secret_in_its_text(
    cluster: Sandbox, add_connection: Callable[..., str], output: Any
) -> None:
    """Only the operator's own line, which is written before the hook is asked, shows its own text."""
    add_connection(cluster, "ob")
    sql = f"ALTER SYSTEM SET backup_dest = '{DESTINATION}'"
    SQLExecuteQueryOperator(task_id="t", conn_id="ob", sql=sql).execute({})
    others = [line for line in output.logs.splitlines() if "Executing: " not in line]
    assert any("Running statement: ALTER SYSTEM SET backup_dest" in line for line in others)
    assert clean("\n".join(others))
    assert clean(json.dumps(output.lineage))


def test_the_sensor_with_a_secret_in_its_text(
    cluster: Sandbox, add_connection: Callable[..., str], output: Any
) -> None:
    add_connection(cluster, "ob")
    with pytest.raises(OceanBaseServerError) as caught:
        SqlSensor(task_id="s", conn_id="ob", sql=f"SELECT nothing FROM x WHERE access_key = '{KEY}'").poke({})
    assert all(clean(f"{one!r}") for one in chain(caught.value))
    others = [line for line in output.logs.splitlines() if "Poking: " not in line]
    assert any("Running statement: " in line for line in others)
    assert clean("\n".join(others))


# --- errors of users' own SQL -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "errno"), [("SELEC 1", 1064), ("SELECT * FROM nowhere", 1146), ("ALTER SYSTEM SET nothing = 1", 5099)]
)
def test_an_error_is_neither_permanent_nor_transient(
    cluster: Sandbox, make_hook: MakeHook, driver: str, sql: str, errno: int
) -> None:
    with pytest.raises(OceanBaseServerError) as caught:
        make_hook(cluster, driver=driver).run(sql)
    assert caught.value.errno == errno
    assert caught.value.statement == sql
    assert caught.value.__context__ is None
    assert not isinstance(caught.value, OceanBasePermanentError | OceanBaseTransientError)


@pytest.mark.parametrize("parameters", [("a", "b"), ("a", object())])
def test_parameters_that_do_not_fit(cluster: Sandbox, make_hook: MakeHook, driver: str, parameters: Any) -> None:
    """Nothing was sent, so it must not read like a lost connection."""
    with pytest.raises(OceanBaseServerError) as caught:
        make_hook(cluster, driver=driver).run("SELECT %s AS x", parameters=parameters)
    assert caught.value.errno == 2000
    assert not caught.value.is_transient
    assert "do the parameters fit the statement?" in str(caught.value)


def test_a_text_that_cannot_be_sent_is_not_in_the_error(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    """The arguments of a UnicodeEncodeError are the whole statement."""
    with pytest.raises(OceanBaseServerError) as caught:
        make_hook(cluster, driver=driver).run(f"SELECT '\ud800', '{PASSWORD}'")
    assert caught.value.errno == 2000
    assert "surrogate" in caught.value.message or caught.value.message == "a text cannot be encoded or decoded"
    assert clean(f"{caught.value.message} {caught.value.args[0].split('Statement:')[0]}")
    assert caught.value.__context__ is None
