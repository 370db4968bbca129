"""From checked settings to an open DB-API connection, for each of the three MySQL drivers.

The timeouts and TLS settings of ``MySqlHook`` do not reach its drivers, so this provider builds the arguments itself.
"""

from __future__ import annotations

import math
import ssl
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

from airflow_ob_provider.hooks.settings import TLS_FILES, ConnectionFieldError, ConnectionSettings, Driver, TlsMode

TLS_FAILED = 2026
_AUTH_REFUSED = 2061
_CONNECTOR_NAME = 200
_NO_TLS = "the server offers no TLS, and ssl_mode demands it"


def connect(settings: ConnectionSettings, *, read_timeout: float | None = None, program: str = "") -> Any:
    """Open a connection with autocommit on. TLS, once asked for, is never given up silently.

    :param read_timeout: seconds, instead of the connection's own, for statements that take long.
    :param program: name shown to the server's DBA where the driver can send connection attributes.
    :raises ConnectionFieldError: a TLS file cannot be used.
    :raises AirflowOptionalProviderFeatureException: the driver is not installed.
    """
    opener = {
        Driver.PYMYSQL: _connect_pymysql,
        Driver.MYSQLCLIENT: _connect_mysqlclient,
        Driver.CONNECTOR: _connect_connector,
    }[settings.driver]
    # For every driver, because each has worse words for a file it cannot use, or asks for a passphrase.
    context = None if settings.tls is TlsMode.DISABLED else _tls_context(settings)
    return opener(settings, context, read_timeout or settings.read_timeout, program)


def _connect_pymysql(
    settings: ConnectionSettings, context: ssl.SSLContext | None, read_timeout: float, program: str
) -> Any:
    import pymysql
    from pymysql.constants import CLIENT

    class SafeConnection(pymysql.Connection):
        """PyMySQL sends the login in plain text when the server offers no TLS, and the password itself when it asks."""

        def _request_authentication(self) -> None:
            if context is None:
                self._auth_plugin_name = "mysql_native_password"
            elif not self.server_capabilities & CLIENT.SSL:  # type: ignore[attr-defined]
                raise pymysql.OperationalError(TLS_FAILED, _NO_TLS)
            super()._request_authentication()  # type: ignore[misc]

        def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
            if context is None and plugin_name != b"mysql_native_password":
                asked = plugin_name.decode(errors="replace")
                raise pymysql.OperationalError(
                    _AUTH_REFUSED, f"the server asks for the password by {asked!r}, which is not safe without TLS"
                )
            return super()._process_auth(plugin_name, auth_packet)  # type: ignore[misc]

    connection = SafeConnection(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password.encode(),  # PyMySQL takes text for Latin-1
        database=settings.schema,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.connect_timeout,  # a listener that never speaks
        write_timeout=settings.write_timeout,
        program_name=program,
        ssl=context,
        ssl_disabled=context is None,
    )
    connection._read_timeout = read_timeout  # type: ignore[attr-defined]
    return connection


def _tls_context(settings: ConnectionSettings) -> ssl.SSLContext:
    for name in TLS_FILES:
        path = getattr(settings, name)
        if path and not _is_readable(path):
            raise ConnectionFieldError(f"connection field {name}: {path!r} is not a readable file on this machine")
    try:
        context = ssl.create_default_context(cafile=settings.ssl_ca or None)
    except ssl.SSLError as error:
        raise ConnectionFieldError(
            f"connection field ssl_ca: {settings.ssl_ca!r} holds no certificate in PEM form"
        ) from error
    context.check_hostname = settings.tls is TlsMode.VERIFY_IDENTITY
    if not _verifies(settings):
        context.verify_mode = ssl.CERT_NONE
    if settings.ssl_cert:
        try:
            # An empty passphrase, so that an encrypted key does not ask for one at a terminal nobody sits at.
            context.load_cert_chain(settings.ssl_cert, settings.ssl_key, password="")
        except (ssl.SSLError, ValueError) as error:
            raise ConnectionFieldError(
                f"connection fields ssl_cert and ssl_key: {settings.ssl_cert!r} and {settings.ssl_key!r} are no "
                "certificate and its unencrypted key in PEM form"
            ) from error
    return context


def _verifies(settings: ConnectionSettings) -> bool:
    """Whether the server's certificate is checked: a CA that is given is used, as MySQL's clients do."""
    return settings.tls is not TlsMode.REQUIRED or bool(settings.ssl_ca)


def _is_readable(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except (OSError, ValueError):
        return False
    return True


def _connect_mysqlclient(
    settings: ConnectionSettings,
    context: ssl.SSLContext | None,  # noqa: ARG001  # the C library builds its own
    read_timeout: float,
    program: str,  # noqa: ARG001  # mysqlclient has no connection attributes
) -> Any:
    try:
        import MySQLdb
    except ImportError as error:
        raise _not_installed("mysqlclient") from error
    files = {"ca": settings.ssl_ca, "cert": settings.ssl_cert, "key": settings.ssl_key}
    return MySQLdb.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        passwd=settings.password,
        db=settings.schema,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=math.ceil(settings.connect_timeout),
        read_timeout=math.ceil(read_timeout),
        write_timeout=math.ceil(settings.write_timeout),
        local_infile=0,
        ssl_mode=str(settings.tls),
        ssl={name: path for name, path in files.items() if path},
    )


def _connect_connector(
    settings: ConnectionSettings, context: ssl.SSLContext | None, read_timeout: float, program: str
) -> Any:
    try:
        import mysql.connector
        from mysql.connector.connection import MySQLConnection
        from mysql.connector.constants import ClientFlag
    except ImportError as error:
        raise _not_installed("mysql-connector") from error

    class SafeConnection(MySQLConnection):
        """The connector logs in in plain text when the server offers no TLS, unless it verifies certificates."""

        def _add_default_conn_attrs(self) -> None:
            # It counts letters for bytes and fails past 255 of them, which its own (host name, system) nearly fill.
            name = program.encode("ascii", "replace").decode()
            self._conn_attrs = {"_client_name": "mysql-connector-python", "program_name": name[:_CONNECTOR_NAME]}

        def _do_handshake(self) -> None:
            super()._do_handshake()
            handshake: Any = self._handshake
            if context is not None and not handshake["capabilities"] & ClientFlag.SSL:
                raise mysql.connector.InterfaceError(msg=_NO_TLS, errno=TLS_FAILED)

    tls: dict[str, Any] = {"ssl_disabled": True}
    if context is not None:
        tls = {
            "ssl_disabled": False,
            "ssl_verify_cert": _verifies(settings),
            "ssl_verify_identity": settings.tls is TlsMode.VERIFY_IDENTITY,
            **{name: path for name in TLS_FILES if (path := getattr(settings, name))},
        }
    return SafeConnection(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password,
        database=settings.schema,
        charset="utf8mb4",
        collation="utf8mb4_general_ci",
        autocommit=True,
        buffered=True,  # rows that nobody fetches do not block the next statement, as with the other drivers
        connection_timeout=math.ceil(settings.connect_timeout),
        read_timeout=math.ceil(read_timeout),
        write_timeout=math.ceil(settings.write_timeout),
        **tls,
    )


def tls_in_use(connection: Any) -> tuple[str, ...]:
    """Protocol and cipher of an open connection; () without TLS, and for mysqlclient, which shows neither."""
    holder = getattr(connection, "_socket", None)
    sock = getattr(connection, "_sock", None) or getattr(holder, "sock", None)
    cipher = sock.cipher() if isinstance(sock, ssl.SSLSocket) else None
    return (cipher[1], cipher[0]) if cipher else ()


def _not_installed(extra: str) -> AirflowOptionalProviderFeatureException:
    return AirflowOptionalProviderFeatureException(
        f"this connection asks for driver {extra!r}, which is not installed: "
        f"pip install 'airflow-ob-provider[{extra}]', or leave the field driver empty to use PyMySQL"
    )
