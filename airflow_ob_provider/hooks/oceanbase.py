"""The hook: connect, read, write; rows become models, driver errors become this package's errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException
from airflow.providers.common.sql.hooks import handlers
from airflow.providers.common.sql.hooks.lineage import send_sql_hook_lineage
from airflow.providers.mysql.hooks.mysql import MySqlHook
from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException

from airflow_ob_provider.hooks.drivers import connect
from airflow_ob_provider.hooks.failures import (
    RedactingLog,
    connect_error,
    own_sql_error,
    redacted_rows,
    shown_parameters,
    statement_error,
    translated,
)
from airflow_ob_provider.hooks.settings import ConnectionFieldError, ConnectionSettings, Driver, ocp_url
from airflow_ob_provider.oceanbase.dialects import Dialect, detect_version, dialect_for
from airflow_ob_provider.oceanbase.redact import redact, shows_keys
from airflow_ob_provider.oceanbase.statements import Statement

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

    from airflow_ob_provider.oceanbase.version import OceanBaseVersion

T = TypeVar("T")

_UNSAFE_IN_COMMENT = re.compile(r"[^\w.:+@=,~ -]|--")
_READ_MARGIN_SECONDS = 10.0
"""The driver waits this much longer than ob_query_timeout, so that the server's own answer arrives."""


class OceanBaseSession:
    """One open connection, on which several reads see one server.

    Every statement carries a leading comment that names the DAG and task, so that the server's DBA finds it in
    ``gv$sql_audit``.
    """

    def __init__(self, connection: Any, *, where: str, tag: str) -> None:
        self.connection = connection
        self._where = where
        self._tag = tag

    @cached_property
    def version(self) -> OceanBaseVersion:
        """The server's version.

        :raises ValueError: the server is not OceanBase.
        """
        return detect_version(self.query)

    @cached_property
    def dialect(self) -> Dialect:
        """What this server can be asked.

        :raises UnsupportedVersionError: no dialect for this version.
        """
        return dialect_for(self.version, self.query)

    def query(self, statement: Statement) -> list[dict[str, Any]]:
        """Run a statement that reads; rows by lower-case column name. May be repeated.

        Keys of an object store that the server shows in clear text are masked, unless the statement says that it
        needs them (``holds_secrets``), as the dialects do to write them back.
        """

        def rows(cursor: Any) -> list[dict[str, Any]]:
            names = [str(column[0]).lower() for column in cursor.description or ()]
            found = cursor.fetchall() if names else []
            shown = found if statement.holds_secrets else redacted_rows(found)
            return [dict(zip(names, row, strict=True)) for row in shown]

        return self._run(statement, rows)

    def execute(self, statement: Statement) -> None:
        """Run a statement that writes. After an error of kind transient, read before anything is sent again."""
        self._run(statement, lambda _: None)

    def _run(self, statement: Statement, answer: Callable[[Any], T]) -> T:
        def run() -> T:
            with closing(self.connection.cursor()) as cursor:
                cursor.execute(self._tag + statement.text)
                return answer(cursor)

        return translated(run, lambda error: statement_error(error, statement, self._where))

    def close(self) -> None:
        """Close the connection; a connection that is gone already is no error."""
        try:
            self.connection.close()
        except Exception:  # nothing is left to save, whatever the driver says
            return


class OceanBaseHook(MySqlHook):
    """Connect to OceanBase with its own login, timeouts and TLS.

    Log in as a user of tenant ``sys`` with ALTER SYSTEM and SELECT on ``oceanbase.*``. Retrying a read is always
    safe; a write is never repeated here.

    :param oceanbase_conn_id: connection of type ``oceanbase``. Extras: ``tenant``, ``cluster`` (make the login
        ``user@tenant#cluster``), ``driver`` (pymysql, mysqlclient, mysql-connector-python), ``connect_timeout`` 5,
        ``read_timeout`` 15, ``write_timeout`` 15, ``query_timeout`` 10 (all seconds), ``ssl_mode`` (DISABLED,
        REQUIRED, VERIFY_CA, VERIFY_IDENTITY), ``ssl_ca``, ``ssl_cert``, ``ssl_key``; ``ocp_url``, for a
        link on tasks. Other extras are not passed on.
    :param schema: database, instead of the connection's (``oceanbase`` by default).
    :param label: who asks, for the comment in front of each statement, where there is no task to name (triggers).
    """

    conn_name_attr = "oceanbase_conn_id"
    default_conn_name = "oceanbase_default"
    conn_type = "oceanbase"
    hook_name = "OceanBase"

    def __init__(self, *args: Any, label: str = "", **kwargs: Any) -> None:
        # SQLExecuteQueryOperator hands over all extras as arguments; one may happen to have this name.
        if isinstance(kwargs.get("connection"), str | int | list | dict):
            del kwargs["connection"]
        super().__init__(*args, **kwargs)
        self.label = label
        self._settings: ConnectionSettings | None = None
        self._masks_rows = False

    def __getstate__(self) -> dict[str, Any]:
        # A copy in a pickle knows where to look the connection up, not its password.
        kept = {name: value for name, value in vars(self).items() if name not in {"inspector", "_log"}}
        return {**kept, "_connection": None, "_settings": None}

    @property
    def log(self) -> Any:
        """The logger, which also keeps the secrets out of common-sql's lines about users' own SQL."""
        return RedactingLog(super().log)

    @property
    def dialect_name(self) -> str:
        """common-sql has no dialect of OceanBase; MySQL's quoting is the same."""
        return "mysql"

    @property  # a cached_property has a frame of its own, which holds everything the hook has
    def settings(self) -> ConnectionSettings:
        """The connection, checked.

        :raises ConnectionFieldError: a field of it is not legal.
        """

        def anew(error: Exception) -> Exception:
            # Without the frames that hold the Airflow connection, whose repr shows the password.
            return ConnectionFieldError(str(error)) if isinstance(error, ConnectionFieldError) else error

        if self._settings is None:
            self._settings = translated(lambda: ConnectionSettings.of(self.connection, self.schema), anew)
        return self._settings

    @contextmanager
    def session(self, *, statement_timeout: float | None = None) -> Iterator[OceanBaseSession]:
        """One connection for several statements.

        :param statement_timeout: seconds (``ob_query_timeout``) for statements that take long.
        :raises OceanBaseTransientError: the server cannot be reached.
        :raises OceanBasePermanentError: the login was refused.
        """
        session = self.open_session(statement_timeout=statement_timeout)
        try:
            yield session
        finally:
            session.close()

    def open_session(self, *, statement_timeout: float | None = None) -> OceanBaseSession:
        """As :meth:`session`; the caller closes it."""
        return self._open(statement_timeout)

    def execute(self, statement: Statement) -> None:
        """Send one statement that writes on a connection of its own, given the time it needs."""
        self.log.info("Sending to %s: %s", self._where, statement)
        with self.session(statement_timeout=statement.timeout) as session:
            session.execute(statement)

    def get_conn(self) -> Any:
        """An open DB-API connection of the driver that the connection names."""
        return self._open(None).connection

    def _open(self, statement_timeout: float | None) -> OceanBaseSession:
        settings, where = self.settings, self._where
        query_timeout = max(settings.query_timeout, statement_timeout or 0.0)
        read_timeout = max(settings.read_timeout, query_timeout + _READ_MARGIN_SECONDS if statement_timeout else 0.0)
        set_timeout = Statement.read(f"SET SESSION ob_query_timeout = {int(query_timeout * 1_000_000)}")

        def failure(error: Exception) -> Exception:
            mine = isinstance(error, ConnectionFieldError | AirflowOptionalProviderFeatureException)
            return error if mine else connect_error(error, where)

        tag = self._tag()
        connection = translated(lambda: connect(settings, read_timeout=read_timeout, program=tag), failure)
        session = OceanBaseSession(connection, where=where, tag=_comment(tag))
        try:
            session.execute(set_timeout)
        except BaseException:
            session.close()
            raise
        return session

    @property
    def _where(self) -> str:
        return f"{self.get_conn_id()} ({self.settings.host}:{self.settings.port})"

    def _tag(self) -> str:
        label = self.label
        if not label:
            try:
                ti = get_current_context()["ti"]
                label = f"dag={ti.dag_id} task={ti.task_id} run={ti.run_id} try={ti.try_number}"
                if (map_index := getattr(ti, "map_index", -1)) is not None and map_index >= 0:
                    label += f" map={map_index}"
            except (RuntimeError, LookupError, ImportError):
                label = "no task"
        return _UNSAFE_IN_COMMENT.sub("_", f"airflow-ob-provider {label}")[:200]

    def test_connection(self) -> tuple[bool, str]:  # type: ignore[override]  # common-sql has no annotation there
        """Read-only: version, cluster, tenant, privileges found and missing, TLS; see :mod:`.tested`.

        It fails where log backup could not be asked at all, and tells why and what to do.
        """
        from airflow_ob_provider.hooks.tested import told

        try:
            ocp_url(self.connection)
            with self.session() as session:
                return True, told(session, self.settings)
        except (AirflowException, ValueError) as error:
            return False, redact(str(error))

    def get_uri(self) -> str:
        """SQLAlchemy URL with every part percent-encoded; extras stay out of it."""
        settings = self.settings
        prefix = {
            Driver.PYMYSQL: "mysql+pymysql",
            Driver.MYSQLCLIENT: "mysql",
            Driver.CONNECTOR: "mysql+mysqlconnector",
        }[settings.driver]
        auth = quote(settings.user, safe="") + (f":{quote(settings.password, safe='')}" if settings.password else "")
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return f"{prefix}://{auth}@{host}:{settings.port}/{quote(settings.schema, safe='')}"

    @property
    def sqlalchemy_url(self) -> URL:
        """As :meth:`get_uri`; shown, it hides the password."""
        from sqlalchemy.engine import make_url

        return make_url(self.get_uri())

    def get_sqlalchemy_engine(self, engine_kwargs: dict[str, Any] | None = None) -> Engine:
        """An engine whose connections are this hook's own: the URL says nothing of timeouts and TLS."""
        return super().get_sqlalchemy_engine({"creator": self.get_conn, **(engine_kwargs or {})})

    def get_df(self, sql: Any, parameters: Any = None, **kwargs: Any) -> Any:
        """As common-sql's, but not for a statement that holds a secret: pandas and lineage would show it.

        :raises ValueError: the statement or its parameters hold a secret.
        """
        _check_harmless(sql, parameters)
        return super().get_df(sql, parameters, **kwargs)

    def get_df_by_chunks(self, sql: Any, parameters: Any = None, **kwargs: Any) -> Any:
        """As :meth:`get_df`."""
        _check_harmless(sql, parameters)
        return super().get_df_by_chunks(sql, parameters, **kwargs)

    def _make_common_data_structure(self, result: Any) -> Any:
        """Rows of views in which the server shows keys in clear text leave the hook with the keys masked."""
        return super()._make_common_data_structure(redacted_rows(result) if self._masks_rows else result)

    def _run_command(self, cur: Any, sql_statement: str, parameters: Any) -> None:
        """Run users' own SQL as common-sql does, but log, raise and report lineage without its secrets."""
        sql = str(sql_statement)
        self._masks_rows = shows_keys(sql)
        shown, parameters_shown = redact(sql), shown_parameters(sql, parameters)
        if self.log_sql:
            self.log.info("Running statement: %s, parameters: %s", shown, parameters_shown)
        translated(
            lambda: cur.execute(_comment(self._tag()) + sql, parameters or None),
            lambda error: own_sql_error(error, sql, parameters, self._where),
        )
        send_sql_hook_lineage(context=self, sql=shown, sql_parameters=parameters_shown, cur=cur)
        if (row_count := handlers.get_row_count(cur)) is not None:
            self.log.info("Rows affected: %s", row_count)


def _check_harmless(sql: object, parameters: Any) -> None:
    text = str(sql)
    if shows_keys(text):
        raise ValueError(
            "the server shows keys of object stores in these rows: use run or get_records, which mask them"
        )
    if redact(text) != text or shown_parameters(text, parameters) is not parameters:
        raise ValueError("a statement that holds a secret is not read into a data frame; use run or get_records")


def _comment(tag: str) -> str:
    return f"/* {tag} */ "
