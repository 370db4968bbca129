"""What a driver raised or a user sent, as it may be shown: errors, log lines and parameters without secrets."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_ob_provider.exceptions import OceanBaseServerError, server_error
from airflow_ob_provider.hooks.drivers import TLS_FAILED
from airflow_ob_provider.oceanbase.errors import LOST_CONNECTION
from airflow_ob_provider.oceanbase.redact import MASK, is_sensitive, may_name_secret, redact, redact_server_message

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.statements import Statement

T = TypeVar("T")

_CANNOT_CONNECT = 2003
_CLIENT_ERROR = 2000
_CONNECTOR_TIMED_OUT = 3024
_REFUSED = {"ProgrammingError", "NotSupportedError", "DataError"}
"""Without a number, these come from the driver, which has sent nothing. Each driver has its own class of that name."""
_NOT_TEXT = {int, float, Decimal, date, datetime, timedelta, type(None)}
"""What drivers make of columns that hold no text, and so no secret."""
_SHOWN_AS_TEXT = (str, bytes, list, tuple, dict, set)


def translated(action: Callable[[], T], translate: Callable[[Exception], Exception]) -> T:
    """What ``action`` returns, or its error translated.

    The new error is raised after the driver's has been handled: ``raise … from None`` would still carry it as context,
    and with it the unredacted text and the frames that hold statement and password.
    """
    try:
        return action()
    except Exception as error:  # each driver has a tree of its own
        failure = translate(error)
    raise failure


def connect_error(error: Exception, where: str) -> OceanBaseServerError:
    """The error of a driver while connecting."""
    return server_error(_errno(error, lost=_CANNOT_CONNECT), redact(_text_of(error)), where=where)


def statement_error(error: Exception, statement: Statement, where: str) -> OceanBaseServerError:
    """The error of a driver while a statement of this package ran."""
    if isinstance(error, OceanBaseServerError):
        return error
    errno = _errno(error, lost=LOST_CONNECTION)
    return server_error(
        errno,
        redact_server_message(_text_of(error), statement.text),
        statement=statement.redacted,
        where=where,
        hint=statement.hint(errno),
    )


def own_sql_error(error: Exception, sql: str, parameters: Any, where: str) -> OceanBaseServerError:
    """The error of a driver while users' own SQL ran.

    Whether that is worth a retry is theirs to say, so it is neither permanent nor transient. PyMySQL writes parameters
    into the text, so the server may quote them.
    """
    errno = _errno(error, lost=LOST_CONNECTION)
    hint = "The driver refused it before it was sent: do the parameters fit the statement?"
    return OceanBaseServerError(
        errno,
        redact_server_message(_text_of(error), f"{sql} {parameters}", _secret_values(sql, parameters)),
        statement=redact(sql),
        where=where,
        hint=hint if errno == _CLIENT_ERROR else "",
    )


def shown_parameters(sql: str, parameters: Any) -> Any:
    """Parameters for a log: those of a statement about passwords or keys are masked whole, by the names in it."""
    if not parameters:
        return parameters
    if is_sensitive(sql):
        return MASK
    shown = redact(str(parameters))
    return parameters if shown == str(parameters) else shown


def _secret_values(sql: str, parameters: Any) -> list[str]:
    if shown_parameters(sql, parameters) is parameters:
        return []
    values = parameters.values() if isinstance(parameters, dict) else parameters
    return [value for value in values if isinstance(value, str)] if not isinstance(values, str) else [values]


def _text_of(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "a text cannot be encoded or decoded"  # the arguments of this error are the text
    numbered = len(error.args) > 1 and isinstance(error.args[0], int)
    text = getattr(error, "msg", None) or (error.args[1] if numbered else error)
    return " ".join(str(text).split()) or "connection lost"


def _errno(error: Exception, *, lost: int) -> int:
    cause = getattr(error, "original_exception", None) or error.__cause__ or error
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return TLS_FAILED
    if isinstance(error, OSError):
        return lost
    number = getattr(error, "errno", None) or (error.args[0] if error.args else None)
    if number == _CONNECTOR_TIMED_OUT:
        return lost
    if isinstance(number, int) and number > 0:
        return number
    refused = isinstance(error, TypeError | ValueError | LookupError) or type(error).__name__ in _REFUSED
    return _CLIENT_ERROR if refused else lost


def redacted_rows(rows: Any) -> Any:
    """Rows, a row or a cell as it may leave the hook: the server shows keys of object stores in clear text."""
    if isinstance(rows, str):
        return redact(rows)
    if isinstance(rows, bytes | bytearray):
        text = bytes(rows).decode(errors="surrogateescape")
        shown = redact(text)
        return rows if shown == text else shown.encode(errors="surrogateescape")
    if isinstance(rows, dict):
        return {name: redacted_rows(cell) for name, cell in rows.items()}
    if isinstance(rows, list | tuple):
        if _is_plain(rows):
            return rows
        kind = list if isinstance(rows, list) else tuple
        return kind([item if type(item) in _NOT_TEXT else redacted_rows(item) for item in rows])
    return rows


def _is_plain(row: Sequence[Any]) -> bool:
    """A row with nothing to hide in any cell; to look at all of them at once is several times as fast."""
    try:
        return not may_name_secret("\0".join([cell for cell in row if type(cell) not in _NOT_TEXT]))
    except TypeError:  # a list of rows, or a cell that is neither text nor number
        return False


class RedactingLog:
    """A logger for common-sql's own lines, of which some show whole statements and parameters at level DEBUG."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._log, name)

        def write(event: Any, *args: Any, **kwargs: Any) -> Any:
            # A text with arguments is a format: masking its '%s' would lose one of them.
            return method(event if args else redact(str(event)), *map(_shown, args), **kwargs)

        return write if name in _LEVELS else method


_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return redact(str(value)) if isinstance(value, _SHOWN_AS_TEXT) else value
