"""The hook: connect, read, write; rows become models, driver errors become this package's errors."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException
from airflow.providers.common.sql.hooks import handlers
from airflow.providers.common.sql.hooks.lineage import send_sql_hook_lineage
from airflow.providers.mysql.hooks.mysql import MySqlHook
from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException

from airflow_ob_provider.exceptions import OceanBaseServerError, server_error
from airflow_ob_provider.hooks.drivers import ConnectionSettings, Driver, connect
from airflow_ob_provider.oceanbase.dialects import Dialect, detect_version, dialect_for
from airflow_ob_provider.oceanbase.errors import LOST_CONNECTION, ServerError
from airflow_ob_provider.oceanbase.redact import MASK, is_sensitive, redact, redact_server_message
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

_CANNOT_CONNECT = 2003
_TLS_FAILED = 2026
_UNSAFE_IN_COMMENT = re.compile(r"[^\w.:+@=,~ -]|--")
_READ_MARGIN_SECONDS = 10.0
"""The driver waits this much longer than ob_query_timeout, so that the server's own answer arrives."""


class OceanBaseSession:
    """One open connection, on which several reads see one server.

    Every statement carries a leading comment that names the DAG and task, so that the server's DBA finds it in
    ``gv$sql_audit``.
    """

    def __init__(self, connection: Any, *, where: str, tag: str) -> None:
        self._connection = connection
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
        """Run a statement that reads; rows by lower-case column name. May be repeated."""
        with self._cursor(statement) as cursor:
            names = [str(column[0]).lower() for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] if names else []

    def execute(self, statement: Statement) -> None:
        """Run a statement that writes. After an error of kind transient, read before anything is sent again."""
        with self._cursor(statement):
            pass

    @contextmanager
    def _cursor(self, statement: Statement) -> Iterator[Any]:
        try:
            with closing(self._connection.cursor()) as cursor:
                cursor.execute(self._tag + statement.text)
                yield cursor
        except ServerError:
            raise
        except Exception as error:  # each driver has a tree of its own
            raise _translate(error, statement, self._where) from None

    def close(self) -> None:
        """Close the connection; a connection that is gone already is no error."""
        try:
            self._connection.close()
        except Exception as error:  # nothing is left to save, whatever the driver says
            del error


class OceanBaseHook(MySqlHook):
    """Connect to OceanBase with its own login, timeouts and TLS.

    Log in as a user of tenant ``sys`` with ALTER SYSTEM and SELECT on ``oceanbase.*``. Retrying a read is always
    safe; a write is never repeated here.

    :param oceanbase_conn_id: connection of type ``oceanbase``. Extras: ``tenant``, ``cluster`` (make the login
        ``user@tenant#cluster``), ``driver`` (pymysql, mysqlclient, mysql-connector-python), ``connect_timeout`` 5,
        ``read_timeout`` 15, ``write_timeout`` 15, ``query_timeout`` 10 (all seconds), ``ssl_mode`` (DISABLED,
        REQUIRED, VERIFY_CA, VERIFY_IDENTITY), ``ssl_ca``, ``ssl_cert``, ``ssl_key``. Other extras are not passed on.
    :param schema: database, instead of the connection's (``oceanbase`` by default).
    :param label: who asks, for the comment in front of each statement, where there is no task to name (triggers).
    """

    conn_name_attr = "oceanbase_conn_id"
    default_conn_name = "oceanbase_default"
    conn_type = "oceanbase"
    hook_name = "OceanBase"

    def __init__(self, *args: Any, label: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label = label

    @property
    def dialect_name(self) -> str:
        """common-sql has no dialect of OceanBase; MySQL's quoting is the same."""
        return "mysql"

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The connection, checked.

        :raises ValueError: a field of it is not legal.
        """
        return ConnectionSettings.of(self.connection, self.schema)

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
        tag = f"/* {self._tag()} */ "
        return OceanBaseSession(self._open(statement_timeout), where=self._where, tag=tag)

    def execute(self, statement: Statement) -> None:
        """Send one statement that writes on a connection of its own, given the time it needs."""
        self.log.info("Sending to %s: %s", self._where, statement)
        with self.session(statement_timeout=statement.timeout) as session:
            session.execute(statement)

    def get_conn(self) -> Any:
        """An open DB-API connection of the driver that the connection names."""
        return self._open(None)

    def _open(self, statement_timeout: float | None) -> Any:
        settings = self.settings
        query_timeout = statement_timeout or settings.query_timeout
        read_timeout = max(settings.read_timeout, query_timeout + _READ_MARGIN_SECONDS if statement_timeout else 0.0)
        set_timeout = Statement.read(f"SET SESSION ob_query_timeout = {int(query_timeout * 1_000_000)}")
        try:
            connection = connect(settings, read_timeout=read_timeout, program=self._tag())
        except (ValueError, AirflowOptionalProviderFeatureException):
            raise
        except Exception as error:  # each driver has a tree of its own
            raise _translate(error, None, self._where) from None
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute(set_timeout.text)
        except Exception as error:
            connection.close()
            raise _translate(error, set_timeout, self._where) from None
        return connection

    @property
    def _where(self) -> str:
        return f"{self.get_conn_id()} ({self.settings.host}:{self.settings.port})"

    def _tag(self) -> str:
        label = self.label
        if not label:
            try:
                ti = get_current_context()["ti"]
                label = f"dag={ti.dag_id} task={ti.task_id} run={ti.run_id} try={ti.try_number}"
            except (RuntimeError, LookupError, ImportError):
                label = "no task"
        return _UNSAFE_IN_COMMENT.sub("_", f"airflow-ob-provider {label}")[:200]

    def test_connection(self) -> tuple[bool, str]:  # type: ignore[override]  # common-sql has no annotation there
        """Read-only: version, tenant, cluster and what the account may read and alter."""
        try:
            with self.session() as session:
                version = session.version
                identity = session.dialect.identity()
                sees = _can_read_archive(session)
        except (AirflowException, ValueError) as error:
            return False, redact(str(error))
        message = (
            f"OceanBase {version}, tenant {identity.tenant or 'unknown'}, cluster {identity.cluster or 'unknown'} "
            f"({identity.cluster_id or 'no id'}), account {identity.account or self.settings.user}: "
            f"{'may' if sees else 'may NOT'} read the log backup views, "
            f"{'may' if identity.may_alter else 'may NOT'} ALTER SYSTEM"
        )
        if version.archive_unusable:
            message += f". {version.archive_unusable}"
        return True, message

    def get_uri(self) -> str:
        """SQLAlchemy URL with every part percent-encoded; extras stay out of it."""
        settings = self.settings
        prefix = {
            Driver.PYMYSQL: "mysql+pymysql",
            Driver.MYSQLCLIENT: "mysql",
            Driver.CONNECTOR: "mysql+mysqlconnector",
        }[settings.driver]
        auth = quote(settings.user, safe="") + (f":{quote(settings.password, safe='')}" if settings.password else "")
        return f"{prefix}://{auth}@{settings.host}:{settings.port}/{quote(settings.schema, safe='')}"

    def _run_command(self, cur: Any, sql_statement: str, parameters: Any) -> None:
        """Run users' own SQL as common-sql does, but log, raise and report lineage without its secrets."""
        shown = redact(str(sql_statement))
        shown_parameters = _redact_parameters(sql_statement, parameters)
        if self.log_sql:
            self.log.info("Running statement: %s, parameters: %s", shown, shown_parameters)
        try:
            cur.execute(sql_statement, parameters or None)
        except Exception as error:
            known = _translate(error, Statement.read(str(sql_statement)), self._where)
            # Whether users' own SQL is worth a retry is theirs to say, so this is neither permanent nor transient.
            raise OceanBaseServerError(
                known.errno, known.message, statement=known.statement, where=known.where
            ) from None
        send_sql_hook_lineage(context=self, sql=shown, sql_parameters=shown_parameters, cur=cur)
        if (row_count := handlers.get_row_count(cur)) is not None:
            self.log.info("Rows affected: %s", row_count)


def _can_read_archive(session: OceanBaseSession) -> bool:
    try:
        session.dialect.archive()
    except OceanBaseServerError as error:
        if error.is_transient:
            raise
        return False
    return True


def _redact_parameters(sql: str, parameters: Any) -> Any:
    """Parameters of a statement about passwords or keys are masked whole: their names are in the statement."""
    if not parameters:
        return parameters
    if is_sensitive(str(sql)):
        return MASK
    if isinstance(parameters, dict):
        return {name: redact(value) if isinstance(value, str) else value for name, value in parameters.items()}
    if isinstance(parameters, Sequence) and not isinstance(parameters, str):
        return [redact(value) if isinstance(value, str) else value for value in parameters]
    return redact(str(parameters))


def _translate(error: Exception, statement: Statement | None, where: str) -> OceanBaseServerError:
    """The error of a driver as one of this package, its text redacted; ``statement`` None means while connecting."""
    errno = _errno(error, connecting=statement is None)
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    sent = statement.text if statement else ""
    return server_error(
        errno,
        redact_server_message(text or "connection lost", sent),
        statement=statement.redacted if statement else "",
        where=where,
        hint=statement.hint(errno) if statement else "",
    )


def _errno(error: Exception, *, connecting: bool) -> int:
    lost = _CANNOT_CONNECT if connecting else LOST_CONNECTION
    if isinstance(getattr(error, "original_exception", error.__cause__), ssl.SSLError):
        return _TLS_FAILED
    if isinstance(error, OSError):
        return lost
    number = getattr(error, "errno", None) or (error.args[0] if error.args else None)
    return number if isinstance(number, int) and number > 0 else lost
