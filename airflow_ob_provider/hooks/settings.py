"""The settings of a connection, read from an Airflow connection and checked field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

from airflow_ob_provider.oceanbase.redact import redact

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

_Word = TypeVar("_Word", bound=StrEnum)

DIRECT_PORT = 2881
DEFAULT_SCHEMA = "oceanbase"
TLS_FILES = ("ssl_ca", "ssl_cert", "ssl_key")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OCP_URL = "connection field ocp_url must be the http or https address of a page"


class ConnectionFieldError(ValueError):
    """A field of the Airflow connection is not legal; its name and what it may hold are in the text."""


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

        :raises ConnectionFieldError: a field of the connection is not legal.
        """
        extra = _extra_of(connection)
        tls = _word(extra, "ssl_mode", TlsMode, TlsMode.DISABLED)
        files = {name: _text(extra, name) for name in TLS_FILES}
        _check_tls(tls, files, extra)
        password = connection.password or ""
        if not _is_utf8(password):
            raise ConnectionFieldError("connection field password holds a character that UTF-8 cannot write")
        return cls(
            host=_host(connection.host or ""),
            port=_port(connection.port),
            user=_plain("login", compose_login(connection.login or "", extra.get("tenant"), extra.get("cluster"))),
            password=password,
            schema=_plain("schema", schema or connection.schema or DEFAULT_SCHEMA),
            driver=_word(extra, "driver", Driver, Driver.PYMYSQL),
            connect_timeout=_seconds(extra, "connect_timeout", cls.connect_timeout),
            read_timeout=_seconds(extra, "read_timeout", cls.read_timeout),
            write_timeout=_seconds(extra, "write_timeout", cls.write_timeout),
            query_timeout=_seconds(extra, "query_timeout", cls.query_timeout),
            tls=tls,
            **files,
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("connection settings hold a password and are not pickled; pickle the connection id")


def ocp_url(connection: Connection) -> str:
    """The address of OCP in the connection's extra, '' if there is none. It becomes a link that everybody sees.

    Not a part of :class:`ConnectionSettings`: a link that is wrong must not end log backup.

    :raises ConnectionFieldError: it is no address of a web page, or holds a login or a secret.
    """
    value = _text(_extra_of(connection), "ocp_url")
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or _CONTROL.search(value) or not _is_utf8(value) or set(' <>"\\`{}|^') & set(value):
        raise ConnectionFieldError(f"{_OCP_URL}, such as https://ocp.example.com/cluster/1; it is not one")
    if parts.username is not None or parts.password is not None or redact(value) != value:
        raise ConnectionFieldError(f"{_OCP_URL}; remove the login or secret in it, because everybody sees the link")
    return value


def compose_login(login: str, tenant: object, cluster: object) -> str:
    """``user@tenant`` (direct) or ``user@tenant#cluster`` (OBProxy); a login that names its tenant is taken as typed.

    A server cuts the login at the first '@' and a proxy also at '#' and ':', and neither knows an escape; so a part
    that holds one of them is refused here instead of reaching another tenant.

    :raises ConnectionFieldError: the parts cannot be put together without doubt.
    """
    parts = {"tenant": tenant, "cluster": cluster}
    tenant_name, cluster_name = (_text(parts, name) for name in parts)
    if not login.strip():
        raise ConnectionFieldError("connection field login is empty; give the user, for instance root or root@sys")
    if not tenant_name and not cluster_name:
        return login
    login = login.strip()
    for name, part in (("login", login), ("tenant", tenant_name), ("cluster", cluster_name)):
        found = [mark for mark in "@#:" if mark in part]
        if found:
            raise ConnectionFieldError(
                f"connection field {name} {part!r} holds {' '.join(found)}: with the fields tenant or cluster filled, "
                "give the bare user name in login, or leave both empty and type user@tenant#cluster in login"
            )
    return f"{login}@{tenant_name or 'sys'}" + (f"#{cluster_name}" if cluster_name else "")


def _extra_of(connection: Connection) -> dict[str, Any]:
    """The extra. Airflow reads one that is no JSON as empty, which would take TLS away without a word."""
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = ""
    if not isinstance(extra, dict):
        raise ConnectionFieldError('connection field extra is not a JSON object, like {"ssl_mode": "REQUIRED"}')
    return connection.extra_dejson


def _check_tls(tls: TlsMode, files: Mapping[str, str], extra: Mapping[str, Any]) -> None:
    meant = [name for name in extra if re.match("ssl|tls", name, re.IGNORECASE) and name not in {"ssl_mode", *files}]
    if meant:
        raise ConnectionFieldError(
            f"connection field extra holds {', '.join(sorted(meant))}, which this provider does not read; TLS is set "
            f"by ssl_mode, {', '.join(files)}"
        )
    given = ", ".join(name for name, value in files.items() if value)
    if tls is TlsMode.DISABLED and given:
        raise ConnectionFieldError(
            f"connection field ssl_mode is DISABLED although {given} is given; set ssl_mode to VERIFY_IDENTITY, "
            "VERIFY_CA or REQUIRED, or remove the files"
        )
    if tls in {TlsMode.VERIFY_CA, TlsMode.VERIFY_IDENTITY} and not files["ssl_ca"]:
        raise ConnectionFieldError(
            f"connection field ssl_mode={tls} needs ssl_ca, the file of the certificate authority"
        )
    if bool(files["ssl_cert"]) != bool(files["ssl_key"]):
        raise ConnectionFieldError("connection fields ssl_cert and ssl_key are given together or not at all")


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(name: str, value: str) -> str:
    """A name that a packet can carry: a NUL would end it there."""
    if _CONTROL.search(value) or not _is_utf8(value):
        raise ConnectionFieldError(f"connection field {name} {value!r} holds a control character; remove it")
    return value


def _host(value: str) -> str:
    host = _plain("host", value.strip()) or "127.0.0.1"
    try:
        host.encode("idna")
    except UnicodeError:
        known = False
    else:
        known = not set("/@ ") & set(host)
    if not known:
        raise ConnectionFieldError(f"connection field host {value!r} is neither a name nor an address")
    return host


def _text(extra: Mapping[str, Any], name: str) -> str:
    value = extra.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ConnectionFieldError(f"connection field {name} must be text, not {value!r}")
    return value.strip()


def _word(extra: Mapping[str, Any], name: str, words: type[_Word], default: _Word) -> _Word:
    value = extra.get(name)
    if value is None or value == "":
        return default
    if value not in tuple(words):
        raise ConnectionFieldError(f"connection field {name} must be one of {', '.join(words)}; not {value!r}")
    return words(value)


def _port(value: object) -> int:
    if value is None:
        return DIRECT_PORT
    if not isinstance(value, int) or not 1 <= value <= 65535:
        raise ConnectionFieldError(f"connection field port must be a whole number from 1 to 65535, not {value!r}")
    return value


def _seconds(extra: Mapping[str, Any], name: str, default: float) -> float:
    value = extra.get(name)
    if value is None or value == "":
        return default
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise ConnectionFieldError(f"connection field {name} must be seconds from 0.1 to 3600, not {value!r}")
    return seconds
