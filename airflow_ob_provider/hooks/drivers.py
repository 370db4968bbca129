"""From an Airflow connection to an open DB-API connection, for each of the three MySQL drivers.

The timeouts and TLS settings of ``MySqlHook`` do not reach its drivers, so this provider builds the arguments itself.
"""

from __future__ import annotations

import math
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

_Word = TypeVar("_Word", bound=StrEnum)

DIRECT_PORT = 2881
DEFAULT_SCHEMA = "oceanbase"


class Driver(StrEnum):
    """The Python MySQL driver to use."""

    PYMYSQL = "pymysql"
    MYSQLCLIENT = "mysqlclient"
    CONNECTOR = "mysql-connector-python"


class TlsMode(StrEnum):
    """MySQL's words, without PREFERRED: that one is plain text whenever the server likes."""

    DISABLED = "DISABLED"
    REQUIRED = "REQUIRED"
    VERIFY_CA = "VERIFY_CA"
    VERIFY_IDENTITY = "VERIFY_IDENTITY"


@dataclass(frozen=True)
class ConnectionSettings:
    """Everything a driver needs, checked. Times are seconds."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    schema: str
    driver: Driver = Driver.PYMYSQL
    connect_timeout: float = 5.0
    read_timeout: float = 15.0
    write_timeout: float = 15.0
    query_timeout: float = 10.0
    tls: TlsMode = TlsMode.DISABLED
    ssl_ca: str = ""
    ssl_cert: str = ""
    ssl_key: str = ""

    @classmethod
    def of(cls, connection: Connection, schema: str | None = None) -> Self:
        """Read host, port, login, password, schema and the known extras; every other extra is left alone.

        :raises ValueError: a field of the connection is not legal; its name and range are in the text.
        """
        extra = connection.extra_dejson
        tls = _word(extra, "ssl_mode", TlsMode, TlsMode.DISABLED)
        files = {name: str(extra.get(name) or "") for name in ("ssl_ca", "ssl_cert", "ssl_key")}
        given = ", ".join(name for name, value in files.items() if value)
        if tls is TlsMode.DISABLED and given:
            raise ValueError(
                f"connection field ssl_mode is DISABLED although {given} is given; set ssl_mode to VERIFY_IDENTITY, "
                "VERIFY_CA or REQUIRED, or remove the files"
            )
        if tls in {TlsMode.VERIFY_CA, TlsMode.VERIFY_IDENTITY} and not files["ssl_ca"]:
            raise ValueError(f"connection field ssl_mode={tls} needs ssl_ca, the file of the certificate authority")
        if bool(files["ssl_cert"]) != bool(files["ssl_key"]):
            raise ValueError("connection fields ssl_cert and ssl_key are given together or not at all")
        return cls(
            host=connection.host or "127.0.0.1",
            port=int(connection.port or DIRECT_PORT),
            user=compose_login(connection.login or "", extra.get("tenant"), extra.get("cluster")),
            password=connection.password or "",
            schema=schema or connection.schema or DEFAULT_SCHEMA,
            driver=_word(extra, "driver", Driver, Driver.PYMYSQL),
            connect_timeout=_seconds(extra, "connect_timeout", cls.connect_timeout),
            read_timeout=_seconds(extra, "read_timeout", cls.read_timeout),
            write_timeout=_seconds(extra, "write_timeout", cls.write_timeout),
            query_timeout=_seconds(extra, "query_timeout", cls.query_timeout),
            tls=tls,
            **files,
        )


def compose_login(login: str, tenant: object, cluster: object) -> str:
    """``user@tenant`` (direct) or ``user@tenant#cluster`` (OBProxy); a login that names its tenant is taken as typed.

    A server cuts the login at the first '@' and a proxy also at '#' and ':', and neither knows an escape; so a part
    that holds one of them is refused here instead of reaching another tenant.

    :raises ValueError: the parts cannot be put together without doubt.
    """
    tenant_name, cluster_name = str(tenant or "").strip(), str(cluster or "").strip()
    if not login:
        raise ValueError("connection field login is empty; give the user, for instance root or root@sys")
    if not tenant_name and not cluster_name:
        return login
    for name, part in (("login", login), ("tenant", tenant_name), ("cluster", cluster_name)):
        found = [mark for mark in "@#:" if mark in part]
        if found:
            raise ValueError(
                f"connection field {name} {part!r} holds {' '.join(found)}: with the fields tenant or cluster filled, "
                "give the bare user name in login, or leave both empty and type user@tenant#cluster in login"
            )
    return f"{login}@{tenant_name or 'sys'}" + (f"#{cluster_name}" if cluster_name else "")


def connect(settings: ConnectionSettings, *, read_timeout: float | None = None, program: str = "") -> Any:
    """Open a connection with autocommit on. TLS, once asked for, is never given up silently.

    :param read_timeout: seconds, instead of the connection's own, for statements that take long.
    :param program: name shown to the server's DBA where the driver can send connection attributes.
    :raises AirflowOptionalProviderFeatureException: the driver is not installed.
    """
    opener = {
        Driver.PYMYSQL: _connect_pymysql,
        Driver.MYSQLCLIENT: _connect_mysqlclient,
        Driver.CONNECTOR: _connect_connector,
    }[settings.driver]
    return opener(settings, read_timeout or settings.read_timeout, program)


def _connect_pymysql(settings: ConnectionSettings, read_timeout: float, program: str) -> Any:
    import pymysql
    from pymysql.constants import CLIENT

    class TlsConnection(pymysql.Connection):
        """PyMySQL goes on in plain text when the server offers no TLS; this one does not even log in."""

        def _request_authentication(self) -> None:
            if not self.server_capabilities & CLIENT.SSL:  # type: ignore[attr-defined]
                raise pymysql.OperationalError(2026, "the server offers no TLS, and ssl_mode demands it")
            super()._request_authentication()  # type: ignore[misc]

    connection_class = pymysql.Connection if settings.tls is TlsMode.DISABLED else TlsConnection
    return connection_class(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password,
        database=settings.schema,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=settings.connect_timeout,
        read_timeout=read_timeout,
        write_timeout=settings.write_timeout,
        program_name=program,
        ssl=None if settings.tls is TlsMode.DISABLED else _tls_context(settings),
        ssl_disabled=settings.tls is TlsMode.DISABLED,
    )


def _tls_context(settings: ConnectionSettings) -> ssl.SSLContext:
    for name in ("ssl_ca", "ssl_cert", "ssl_key"):
        path = getattr(settings, name)
        if path and not os.access(path, os.R_OK):
            raise ValueError(f"connection field {name}: {path!r} is not a readable file on this machine")
    context = ssl.create_default_context(cafile=settings.ssl_ca or None)
    context.check_hostname = settings.tls is TlsMode.VERIFY_IDENTITY
    if settings.tls is TlsMode.REQUIRED and not settings.ssl_ca:
        context.verify_mode = ssl.CERT_NONE
    if settings.ssl_cert:
        context.load_cert_chain(settings.ssl_cert, settings.ssl_key)
    return context


def _connect_mysqlclient(settings: ConnectionSettings, read_timeout: float, program: str) -> Any:  # noqa: ARG001
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
        ssl_mode=str(settings.tls),
        ssl={name: path for name, path in files.items() if path},
    )


def _connect_connector(settings: ConnectionSettings, read_timeout: float, program: str) -> Any:
    try:
        import mysql.connector
    except ImportError as error:
        raise _not_installed("mysql-connector") from error
    tls: dict[str, Any] = {"ssl_disabled": True}
    if settings.tls is not TlsMode.DISABLED:
        tls = {
            "ssl_disabled": False,
            "ssl_verify_cert": settings.tls is not TlsMode.REQUIRED,
            "ssl_verify_identity": settings.tls is TlsMode.VERIFY_IDENTITY,
            **{name: path for name in ("ssl_ca", "ssl_cert", "ssl_key") if (path := getattr(settings, name))},
        }
    connection = mysql.connector.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password,
        database=settings.schema,
        charset="utf8mb4",
        collation="utf8mb4_general_ci",
        autocommit=True,
        use_pure=True,
        connection_timeout=math.ceil(settings.connect_timeout),
        read_timeout=math.ceil(read_timeout),
        write_timeout=math.ceil(settings.write_timeout),
        conn_attrs={"program_name": program} if program else {},
        **tls,
    )
    if settings.tls is not TlsMode.DISABLED and not connection.is_secure:
        connection.close()
        raise mysql.connector.InterfaceError(msg="the server offers no TLS, and ssl_mode demands it", errno=2026)
    return connection


def _not_installed(extra: str) -> AirflowOptionalProviderFeatureException:
    return AirflowOptionalProviderFeatureException(
        f"this connection asks for driver {extra!r}, which is not installed: "
        f"pip install 'airflow-ob-provider[{extra}]', or leave the field driver empty to use PyMySQL"
    )


def _word(extra: Mapping[str, Any], name: str, words: type[_Word], default: _Word) -> _Word:
    value = str(extra.get(name) or default)
    if value not in tuple(words):
        raise ValueError(f"connection field {name} must be one of {', '.join(words)}; not {value!r}")
    return words(value)


def _seconds(extra: Mapping[str, Any], name: str, default: float) -> float:
    value = extra.get(name)
    if value in (None, ""):
        return default
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise ValueError(f"connection field {name} must be seconds from 0.1 to 3600, not {value!r}")
    return seconds
