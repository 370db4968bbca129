"""Where a password or a key could still get out: URIs, reprs, pickles, frames of tracebacks, debug logs."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy.engine import make_url

from airflow_ob_provider.exceptions import OceanBasePermanentError, OceanBaseServerError
from airflow_ob_provider.hooks.failures import RedactingLog, connect_error, statement_error
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.hooks.settings import ConnectionFieldError
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox

MakeHook = Callable[..., OceanBaseHook]
PASSWORD = "p@ss#w:o/r%d+=?&"
KEY = "Ab/cd+EF=gh%2Fij"
CONNECTION: dict[str, object] = {
    "conn_type": "oceanbase",
    "host": "db.example",
    "port": 2883,
    "login": "root@sys#prod",
    "password": PASSWORD,
}


def frames(error: BaseException) -> str:
    """A traceback as error trackers take it: with every local variable of every frame and of everything chained."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format())


# --- URIs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "scheme"),
    [("pymysql", "mysql+pymysql"), ("mysqlclient", "mysql"), ("mysql-connector-python", "mysql+mysqlconnector")],
)
def test_a_uri_encodes_every_part_and_has_no_extras(make_hook: MakeHook, driver: str, scheme: str) -> None:
    uri = make_hook(CONNECTION, driver=driver, unknown="x", access_key=KEY).get_uri()
    assert uri == (f"{scheme}://root%40sys%23prod:p%40ss%23w%3Ao%2Fr%25d%2B%3D%3F%26@db.example:2883/oceanbase")
    url = make_url(uri)
    assert (url.username, url.password, url.host, url.port) == ("root@sys#prod", PASSWORD, "db.example", 2883)
    assert dict(url.query) == {}


def test_a_uri_without_password(make_hook: MakeHook) -> None:
    assert make_hook({**CONNECTION, "password": None}).get_uri().startswith("mysql+pymysql://root%40sys%23prod@db")


def test_a_uri_with_an_address_of_ipv6(make_hook: MakeHook) -> None:
    uri = make_hook({**CONNECTION, "host": "::1", "schema": "a/b"}).get_uri()
    assert uri.endswith("@[::1]:2883/a%2Fb")
    assert urlsplit(uri).hostname == "::1"
    assert make_url(uri).database == "a/b"


def test_the_url_of_sqlalchemy_hides_the_password(make_hook: MakeHook) -> None:
    hook = make_hook(CONNECTION)
    url = hook.sqlalchemy_url
    assert url.password == PASSWORD
    engine = hook.get_sqlalchemy_engine()
    for shown in (str(url), repr(url), repr(engine), f"{engine.url}"):
        assert "***" in shown
        assert "w%3Ao" not in shown
        assert PASSWORD not in shown


def test_debug_logs_of_an_engine_hide_it(make_hook: MakeHook) -> None:
    hook = make_hook(CONNECTION)
    spy = Spy()
    hook._log = spy  # type: ignore[assignment]
    hook.get_sqlalchemy_engine()
    ((event, url), _), *_ = spy.calls
    assert event == "url: %s"
    assert "***" in str(url)
    assert "w%3Ao" not in str(url)


# --- objects ----------------------------------------------------------------------------------------------------------


def test_a_pickled_hook_holds_no_password(cluster: Sandbox, make_hook: MakeHook) -> None:
    hook = make_hook(cluster.connection() | {"schema": "test"}, hook={"label": "me", "log_sql": False})
    assert hook.get_first("SELECT 1") == (1,)
    pickled = make_hook({**CONNECTION, "password": PASSWORD}, hook={"label": "me"})
    assert pickled.settings.password == PASSWORD
    assert pickled.connection.password == PASSWORD
    assert PASSWORD.encode() not in pickle.dumps(pickled)
    make_hook(cluster)
    again = pickle.loads(pickle.dumps(hook))
    assert (again.label, again.log_sql, again.get_conn_id()) == ("me", False, "oceanbase_default")
    assert again.get_first("SELECT 1") == (1,), "it looks its connection up again"
    assert copy.deepcopy(hook).get_first("SELECT 1") == (1,)


def test_reprs(cluster: Sandbox, make_hook: MakeHook) -> None:
    hook = make_hook({**cluster.connection(), "password": "s3cret"})
    assert "s3cret" not in f"{hook!r} {hook.settings!r} {vars(hook.settings) and hook.settings}"
    with make_hook(cluster).session() as session:
        assert "password" not in repr(session)


def test_an_error_survives_the_way_between_processes() -> None:
    error = OceanBasePermanentError(1227, "Access denied", statement="ALTER SYSTEM", where="ob (h:1)", hint="ask")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is OceanBasePermanentError
        assert str(again) == str(error)
        assert (again.errno, again.where, again.statement, again.hint) == (1227, "ob (h:1)", "ALTER SYSTEM", "ask")
    name, arguments, options = error.serialize()
    assert name == "airflow_ob_provider.exceptions.OceanBasePermanentError"
    assert str(OceanBasePermanentError(*arguments, **options)) == str(error)


# --- tracebacks -------------------------------------------------------------------------------------------------------


def test_frames_of_a_failed_login(make_box: Callable[..., Sandbox], make_hook: MakeHook, driver: str) -> None:
    connection = {**CONNECTION, "host": "127.0.0.1", "port": make_box().port}
    with pytest.raises(OceanBaseServerError) as caught:
        make_hook(connection, driver=driver).get_conn()
    # The first frame is this one, and holds the connection.
    shown = frames(caught.value.with_traceback(caught.value.__traceback__.tb_next))  # type: ignore[union-attr]
    assert "1045" in shown
    assert PASSWORD not in shown


def test_frames_of_a_bad_field(make_hook: MakeHook) -> None:
    """The frame that reads the fields holds Airflow's connection, whose repr shows the password."""
    hook = make_hook(CONNECTION, read_timeout="soon", access_key=KEY)
    with pytest.raises(ConnectionFieldError) as caught:
        _ = hook.settings
    shown = frames(caught.value)
    assert "read_timeout" in shown
    assert PASSWORD not in shown
    assert KEY not in shown


def test_frames_of_a_failed_statement(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    cluster.faults.error_once = ("backup_dest", 9026, f"near '{KEY[3:]}' at line 1")
    text = f"ALTER SYSTEM SET backup_dest = 'oss://b/d?host=h&access_id=i&access_key={KEY}'"
    statement = Statement.write(text, secrets=(KEY,))
    hook = make_hook(cluster, driver=driver)

    def send() -> None:
        hook.execute(statement)

    with pytest.raises(OceanBaseServerError) as caught:
        send()
    shown = frames(caught.value.with_traceback(caught.value.__traceback__.tb_next))  # type: ignore[union-attr]
    assert "9026" in shown
    assert "access_key=***" in shown
    assert KEY not in shown
    assert KEY[3:] not in shown


def test_a_statement_sent_is_logged_redacted(cluster: Sandbox, make_hook: MakeHook, output: Any) -> None:
    text = f"ALTER SYSTEM SET backup_dest = 'oss://b/d?host=h&access_id=LTAI&access_key={KEY}'"
    make_hook(cluster).execute(Statement.write(text, secrets=(KEY, "LTAI")))
    assert cluster.writes[-1].sql.endswith(text)
    assert "Sending to oceanbase_default (127.0.0.1:" in output.logs
    assert "access_key=***" in output.logs
    assert KEY not in output.all
    assert "LTAI" not in output.all


@pytest.mark.parametrize(
    "error",
    [
        UnicodeEncodeError("latin-1", f"password={PASSWORD}", 0, 1, "ordinal not in range(256)"),
        Exception(1045, f"no, password='{PASSWORD}'"),
        Exception(f"connect(password='{PASSWORD}')"),
    ],
)
def test_errors_of_drivers_that_show_too_much(error: Exception) -> None:
    for made in (connect_error(error, "here"), statement_error(error, Statement.read("SELECT 1"), "here")):
        assert PASSWORD not in f"{made!r} {made.args} {vars(made)}"


def test_our_own_errors_pass_as_they_are() -> None:
    error = OceanBasePermanentError(1064, "no")
    assert statement_error(error, Statement.read("SELECT 1"), "here") is error


# --- the logger -------------------------------------------------------------------------------------------------------


class Spy:
    def __init__(self) -> None:
        self.calls: list[Any] = []

    def debug(self, *args: Any, **kwargs: Any) -> None:
        self.calls.append((args, kwargs))

    info = warning = error = exception = critical = debug

    def bind(self, **kwargs: Any) -> Any:
        return kwargs


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "exception", "critical"])
def test_every_level_is_redacted(level: str) -> None:
    spy = Spy()
    secret = f"access_key={KEY}"
    getattr(RedactingLog(spy), level)(
        "password=%s", secret, [secret, 5], (secret,), {"access_key": KEY}, secret.encode(), 7, None, exc_info=False
    )
    ((arguments, options),) = spy.calls
    assert KEY not in str(arguments)
    assert arguments[:2] == ("password=%s", "access_key=***")
    assert arguments[2] == ["access_key=***", 5]
    assert arguments[-2:] == (7, None)
    assert options == {"exc_info": False}
    getattr(RedactingLog(spy), level)(secret)
    assert spy.calls[-1] == (("access_key=***",), {})


def test_the_rest_of_a_logger_is_as_it_was() -> None:
    assert RedactingLog(Spy()).bind(a=1) == {"a": 1}


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset by peer"), TimeoutError("timed out"), OSError()])
def test_errors_of_the_network_are_transient(error: OSError) -> None:
    """104 is the system's number and not one of MySQL's."""
    assert connect_error(error, "here").errno == 2003
    made = statement_error(error, Statement.read("SELECT 1"), "here")
    assert made.errno == 2013
    assert made.is_transient
