"""Connecting over a real socket with the drivers installed here: timeouts, logins, servers that misbehave."""

from __future__ import annotations

import builtins
import socket
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
import pytest
from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

from airflow_ob_provider.exceptions import OceanBasePermanentError, OceanBaseServerError, OceanBaseTransientError
from airflow_ob_provider.hooks.drivers import connect
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox, wire

ONE = Statement.read("SELECT 1 AS one")
MakeHook = Callable[..., OceanBaseHook]


def ask(hook: OceanBaseHook, sql: str = ONE.text) -> list[dict[str, Any]]:
    with hook.session() as session:
        return session.query(Statement.read(sql))


def failure(hook: OceanBaseHook, kind: type[OceanBaseServerError], sql: str = ONE.text) -> OceanBaseServerError:
    with pytest.raises(OceanBaseServerError) as caught:
        ask(hook, sql)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "the driver's error would go with it into every log"
    return caught.value


def test_reads(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    assert ask(make_hook(cluster, driver=driver), "SELECT 1 AS One, NULL AS none, 'x' AS TEXT") == [
        {"one": 1, "none": None, "text": "x"}
    ]


@pytest.mark.parametrize(
    "password", [" blank at both ends ", "with 'quotes\" \\ and @#:/+=%", "pässword", "密码很长", "𝔭𝔴"]
)
def test_any_password_logs_in(
    make_box: Callable[..., Sandbox], make_hook: MakeHook, driver: str, password: str
) -> None:
    assert ask(make_hook(make_box(password=password), driver=driver)) == [{"one": 1}]


@pytest.mark.parametrize(
    ("errno", "sql", "kind"),
    [
        (1064, "SELEC 1", OceanBasePermanentError),
        (1146, "SELECT * FROM nowhere", OceanBasePermanentError),
        (5099, "ALTER SYSTEM SET nothing_known = 1", OceanBasePermanentError),
        (1235, "ALTER SYSTEM ARCHIVELOG /* no-GTS */", OceanBasePermanentError),
        (4012, "SELECT 1 /* slow */", OceanBaseTransientError),
    ],
)
def test_error_packets(
    cluster: Sandbox, make_hook: MakeHook, driver: str, errno: int, sql: str, kind: type[OceanBaseServerError]
) -> None:
    cluster.faults.error_once = [("no-GTS", 1235), ("slow", 4012)]
    error = failure(make_hook(cluster, driver=driver), kind, sql)
    assert error.errno == errno
    assert error.statement == sql
    assert f"[{errno}] " in str(error)
    assert f"on oceanbase_default (127.0.0.1:{cluster.port})" in str(error)
    assert error.fact.hint in str(error)
    assert not error.message.startswith(str(errno)), "the code is shown once"
    assert "\n" not in str(error)


def test_an_account_without_the_privilege(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    cluster.add_user("reader")
    error = failure(
        make_hook(cluster.connection("reader"), driver=driver), OceanBasePermanentError, "ALTER SYSTEM MINOR FREEZE"
    )
    assert error.errno == 1227
    assert "ALTER SYSTEM" in error.hint


def test_a_wrong_password(make_box: Callable[..., Sandbox], make_hook: MakeHook, driver: str) -> None:
    box = make_box(password="right")
    error = failure(make_hook({**box.connection(), "password": "wr0ng-one"}, driver=driver), OceanBasePermanentError)
    assert error.errno == 1045
    assert error.statement == ""
    assert "user@tenant" in str(error)
    assert "wr0ng-one" not in str(error)


def test_nobody_listens(make_hook: MakeHook, driver: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hook = make_hook({"conn_type": "oceanbase", "host": "127.0.0.1", "port": port, "login": "root"}, driver=driver)
    error = failure(hook, OceanBaseTransientError)
    assert error.errno == 2003
    assert f"127.0.0.1:{port}" in str(error)
    assert "2881 direct, 2883 OBProxy" in str(error)


def test_a_host_nobody_knows(make_hook: MakeHook, driver: str) -> None:
    hook = make_hook({"conn_type": "oceanbase", "host": "nowhere.invalid", "login": "root"}, driver=driver)
    assert failure(hook, OceanBaseTransientError).errno == 2003


@pytest.mark.parametrize("statement_timeout", [None, 60.0])
def test_a_listener_that_never_speaks(
    listen: Callable[..., Any], make_hook: MakeHook, driver: str, statement_timeout: float | None
) -> None:
    hook = make_hook(listen().connection(), driver=driver, connect_timeout=1, read_timeout=30)
    begun = time.monotonic()
    with pytest.raises(OceanBaseTransientError), hook.session(statement_timeout=statement_timeout):
        pass
    assert 0.9 < time.monotonic() - begun < 5, "a login takes as long as connect_timeout, not as long as a statement"


def test_a_listener_that_hangs_up(listen: Callable[..., Any], make_hook: MakeHook, driver: str) -> None:
    assert failure(make_hook(listen(lambda *_: None).connection(), driver=driver), OceanBaseTransientError)


def test_a_read_that_stalls(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    cluster.faults.slow_answers_seconds = 8
    cluster.faults.slow_answers_pattern = "nap"
    begun = time.monotonic()
    error = failure(make_hook(cluster, driver=driver, read_timeout=1), OceanBaseTransientError, "SELECT 1 AS nap")
    assert error.errno == 2013
    assert 0.9 < time.monotonic() - begun < 5


@pytest.mark.parametrize("when", ["drop_before", "drop_after"])
def test_a_connection_that_drops(cluster: Sandbox, make_hook: MakeHook, driver: str, when: str) -> None:
    hook = make_hook(cluster, driver=driver)
    setattr(cluster.faults, when, "MINOR FREEZE")
    with pytest.raises(OceanBaseTransientError) as caught:
        hook.execute(Statement.write("ALTER SYSTEM MINOR FREEZE"))
    assert caught.value.errno in {2013, 2055}
    assert "read the state" in str(caught.value)
    assert len(cluster.writes) == 1, "a write is never sent a second time"


def test_a_session_that_cannot_be_prepared_is_closed(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    cluster.faults.error_once = ("ob_query_timeout", 1193, "Unknown system variable 'ob_query_timeout'")
    error = failure(make_hook(cluster, driver=driver), OceanBasePermanentError)
    assert error.errno == 1193
    assert "Is the server OceanBase?" in str(error)
    assert wait_until(lambda: not cluster._server.sessions)


def wait_until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


# --- one connection ---------------------------------------------------------------------------------------------------


def test_a_session_is_one_connection_and_is_closed(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    hook = make_hook(cluster, driver=driver)
    with hook.session() as session:
        first, again = (session.query(Statement.read("SELECT CONNECTION_ID() AS id")) for _ in range(2))
        assert first == again
        assert str(session.version) == "3.2.4.3"
        assert session.dialect is session.dialect
        assert len(cluster._server.sessions) == 1
    assert wait_until(lambda: not cluster._server.sessions)
    with pytest.raises(ZeroDivisionError), hook.session():
        raise ZeroDivisionError
    assert wait_until(lambda: not cluster._server.sessions)


def test_closing_what_is_gone_is_no_error(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    session = make_hook(cluster, driver=driver).open_session()
    cluster.faults.drop_before = "SELECT"
    with pytest.raises(OceanBaseTransientError):
        session.query(ONE)
    session.close()
    session.close()


def test_a_statement_without_rows(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    assert ask(make_hook(cluster, driver=driver), "SET SESSION ob_trx_timeout = 1000000") == []


def test_an_answer_that_is_no_sense_is_transient_or_named(cluster: Sandbox, make_hook: MakeHook) -> None:
    """An error inside the driver never gets out as its own kind."""
    with make_hook(cluster).session() as session:
        session.connection.close()
        with pytest.raises(OceanBaseTransientError) as caught:
            session.query(ONE)
    assert caught.value.errno == 2013
    assert caught.value.message == "connection lost"


# --- timeouts on the server -------------------------------------------------------------------------------------------


def timeouts(box: Sandbox) -> list[str]:
    return [entry.sql.partition("*/ ")[2] for entry in box.statements if "SET SESSION ob" in entry.sql]


@pytest.mark.parametrize(
    ("extra", "statement_timeout", "microseconds"),
    [
        ({}, None, 10_000_000),
        ({"query_timeout": 2.5}, None, 2_500_000),
        ({}, 60.0, 60_000_000),
        ({"query_timeout": 300}, 60.0, 300_000_000),
    ],
)
def test_ob_query_timeout_is_set_and_only_ever_raised(
    cluster: Sandbox,
    make_hook: MakeHook,
    driver: str,
    extra: dict[str, Any],
    statement_timeout: float | None,
    microseconds: int,
) -> None:
    with make_hook(cluster, driver=driver, **extra).session(statement_timeout=statement_timeout) as session:
        assert session.query(Statement.read("SELECT @@ob_query_timeout AS t")) == [{"t": microseconds}]
    assert timeouts(cluster) == [f"SET SESSION ob_query_timeout = {microseconds}"]


def test_every_connection_gets_it(cluster: Sandbox, make_hook: MakeHook) -> None:
    hook = make_hook(cluster, query_timeout=3)
    connection = hook.get_conn()
    connection.close()
    hook.get_first("SELECT 1")
    assert timeouts(cluster) == ["SET SESSION ob_query_timeout = 3000000"] * 2


def test_a_slow_statement_has_its_time(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    """Neither the server's nor the driver's usual limit cuts it short."""
    hook = make_hook(cluster, driver=driver, read_timeout=0.5, query_timeout=0.5)
    cluster.faults.slow_answers_seconds = 1.5
    cluster.faults.slow_answers_pattern = "MINOR FREEZE"
    hook.execute(Statement.write("ALTER SYSTEM MINOR FREEZE"))
    assert [entry.outcome for entry in cluster.writes] == ["OK"]
    assert timeouts(cluster) == ["SET SESSION ob_query_timeout = 60000000"]


@pytest.mark.parametrize(
    ("read_timeout", "statement_timeout", "expected"), [(15, None, 15), (15, 60.0, 70), (100, 60.0, 100)]
)
def test_the_driver_waits_longer_than_the_server_works(
    cluster: Sandbox, make_hook: MakeHook, driver: str, read_timeout: int, statement_timeout: float, expected: float
) -> None:
    hook = make_hook(cluster, driver=driver, read_timeout=read_timeout)
    with hook.session(statement_timeout=statement_timeout) as session:
        assert session.connection._read_timeout == expected


def test_the_servers_own_timeout_is_heard(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    cluster.faults.slow_answers_seconds = 8
    cluster.faults.slow_answers_pattern = "nap"
    hook = make_hook(cluster, driver=driver, query_timeout=0.2)
    assert failure(hook, OceanBaseTransientError, "SELECT 1 AS nap").errno == 4012


# --- logins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "extra"),
    [
        ("root", {}),
        ("root@sys", {}),
        ("root@sys#prod", {}),
        ("prod:sys:root", {}),
        ("root", {"tenant": "sys"}),
        ("root", {"cluster": "prod"}),
        ("root", {"tenant": "sys", "cluster": "prod"}),
    ],
)
def test_logins_through_a_proxy(
    make_box: Callable[..., Sandbox], make_hook: MakeHook, driver: str, login: str, extra: dict[str, str]
) -> None:
    box = make_box(proxy=True, cluster="prod", password="pw")
    assert ask(make_hook({**box.connection(), "login": login}, driver=driver, **extra), "SHOW TENANT")
    (entry,) = [entry for entry in box.statements if "SHOW TENANT" in entry.sql]
    assert (entry.user, entry.tenant) == ("root", "sys")


def test_a_cluster_name_on_a_direct_connection(make_box: Callable[..., Sandbox], make_hook: MakeHook) -> None:
    box = make_box(cluster="prod")
    error = failure(make_hook({**box.connection(), "login": "root"}, cluster="prod"), OceanBasePermanentError)
    assert error.errno == 1045
    assert "without #cluster" in str(error)


def test_a_composed_login_reaches_its_tenant(cluster: Sandbox, make_hook: MakeHook) -> None:
    ask(make_hook({**cluster.connection(), "login": "root"}, tenant="tenant1"))
    assert {entry.tenant for entry in cluster.statements} == {"tenant1"}


def test_a_long_name_of_the_program(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    """mysql-connector-python fails past 255 characters of attributes."""
    connect(make_hook(cluster, driver=driver).settings, program="x" * 400).close()


# --- servers that want the password -----------------------------------------------------------------------------------


def asks_by(plugin: bytes) -> Callable[[wire.PacketStream, list[bytes]], None]:
    def script(stream: wire.PacketStream, received: list[bytes]) -> None:
        stream.write(wire.handshake("5.7.25", 1, wire.new_scramble(), tls=False))
        received.append(stream.read())
        stream.write(b"\xfe" + plugin + b"\0" + b"Password: \0")
        while True:
            received.append(stream.read())

    return script


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog", b"sha256_password", b"caching_sha2_password"])
def test_a_server_that_asks_for_the_password_itself(
    listen: Callable[..., Any], make_hook: MakeHook, driver: str, plugin: bytes
) -> None:
    """Anybody on the network can answer as the server while TLS is off."""
    listener = listen(asks_by(plugin))
    hook = make_hook(listener.connection(), driver=driver, connect_timeout=1)
    with pytest.raises(OceanBaseServerError) as caught:
        ask(hook)
    assert b"clear-me-not" not in b"".join(listener.received)
    assert "clear-me-not" not in str(caught.value)
    if driver == "pymysql":
        assert caught.value.errno == 2061
        assert f"by '{plugin.decode()}', which is not safe without TLS" in str(caught.value)
        assert len(listener.received) == 1, "not even a public key is asked for"


def test_a_server_that_offers_another_plugin_first(listen: Callable[..., Any], make_hook: MakeHook) -> None:
    """The first answer is that of mysql_native_password, whatever the greeting says."""

    def script(stream: wire.PacketStream, received: list[bytes]) -> None:
        greeting = wire.handshake("8.0.11", 1, wire.new_scramble(), tls=False)
        stream.write(greeting.replace(b"mysql_native_password", b"sha256_password"))
        received.append(stream.read())

    listener = listen(script)
    with pytest.raises(OceanBaseServerError):
        ask(make_hook(listener.connection()))
    (login,) = listener.received
    answer = wire.parse_handshake_response(login)
    assert answer.client_plugin == "mysql_native_password"
    assert len(answer.auth_response) == 20


def test_a_server_that_asks_for_a_file(
    listen: Callable[..., Any], make_hook: MakeHook, driver: str, tmp_path: Path
) -> None:
    """LOAD DATA LOCAL is the server's to ask for, at any statement."""
    (tmp_path / "id_rsa").write_text("private-key-of-the-worker")

    def script(stream: wire.PacketStream, received: list[bytes]) -> None:
        stream.write(wire.handshake("5.7.25", 1, wire.new_scramble(), tls=False))
        stream.read()
        stream.write(wire.ok_packet())
        while True:
            if b"ob_query_timeout" in stream.read():
                stream.write(b"\xfb" + str(tmp_path / "id_rsa").encode())
                received.append(stream.read())
            stream.write(wire.ok_packet())

    listener = listen(script)
    with pytest.raises(OceanBaseServerError):
        ask(make_hook(listener.connection(), driver=driver, read_timeout=1))
    assert b"private-key" not in b"".join(listener.received)


# --- drivers that are not installed -----------------------------------------------------------------------------------


@pytest.fixture
def fake_mysqlclient(monkeypatch: pytest.MonkeyPatch, cluster: Sandbox) -> list[dict[str, Any]]:
    """A MySQLdb that keeps the arguments and connects with PyMySQL."""
    calls: list[dict[str, Any]] = []

    def connect(**arguments: Any) -> Any:
        calls.append(arguments)
        return pymysql.connect(host=arguments["host"], port=arguments["port"], user=arguments["user"], db="oceanbase")

    module = types.ModuleType("MySQLdb")
    module.connect = connect  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "MySQLdb", module)
    return calls


def test_mysqlclient(cluster: Sandbox, make_hook: MakeHook, fake_mysqlclient: list[dict[str, Any]]) -> None:
    connection = {**cluster.connection(), "password": "pw", "schema": "test"}
    hook = make_hook(connection, driver="mysqlclient", connect_timeout=1.2, read_timeout=2.1, write_timeout=3)
    assert hook.get_first("SELECT 1") == (1,)
    (arguments,) = fake_mysqlclient
    assert arguments == {
        "host": "127.0.0.1",
        "port": cluster.port,
        "user": "root@sys",
        "passwd": "pw",
        "db": "test",
        "charset": "utf8mb4",
        "autocommit": True,
        "connect_timeout": 2,
        "read_timeout": 3,
        "write_timeout": 3,
        "local_infile": 0,
        "ssl_mode": "DISABLED",
        "ssl": {},
    }


def test_mysqlclient_with_tls(
    cluster: Sandbox, make_hook: MakeHook, fake_mysqlclient: list[dict[str, Any]], authority: Any
) -> None:
    certificate, key = map(str, authority.issue("client", []))
    files = {"ssl_ca": str(authority.file), "ssl_cert": certificate, "ssl_key": key}
    make_hook(cluster, driver="mysqlclient", ssl_mode="VERIFY_IDENTITY", **files).get_first("SELECT 1")
    make_hook(cluster, driver="mysqlclient", ssl_mode="REQUIRED").get_first("SELECT 1")
    assert [(call["ssl_mode"], call["ssl"]) for call in fake_mysqlclient] == [
        ("VERIFY_IDENTITY", {"ca": str(authority.file), "cert": certificate, "key": key}),
        ("REQUIRED", {}),
    ]


def test_mysqlclients_slow_statements(
    cluster: Sandbox, make_hook: MakeHook, fake_mysqlclient: list[dict[str, Any]]
) -> None:
    make_hook(cluster, driver="mysqlclient").execute(Statement.write("ALTER SYSTEM MINOR FREEZE"))
    assert fake_mysqlclient[0]["read_timeout"] == 70


@pytest.mark.parametrize(
    ("driver", "module", "extra"),
    [
        ("mysqlclient", "MySQLdb", "mysqlclient"),
        ("mysql-connector-python", "mysql.connector", "mysql-connector"),
    ],
)
def test_a_driver_that_is_not_installed(
    cluster: Sandbox, make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch, driver: str, module: str, extra: str
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name == module:
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(AirflowOptionalProviderFeatureException, match=rf"airflow-ob-provider\[{extra}\]"):
        make_hook(cluster, driver=driver).get_conn()
