"""MySQL functions SQLite lacks, as Python functions over the engine's values (times are text)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from .arithmetic import NUMERIC

EPOCH = datetime.fromisoformat("1970-01-01")
TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"
_MICROSECONDS = {
    "MICROSECOND": 1,
    "SECOND": 10**6,
    "MINUTE": 60 * 10**6,
    "HOUR": 3600 * 10**6,
    "DAY": 86400 * 10**6,
    "WEEK": 7 * 86400 * 10**6,
}


def parse_datetime(value: Any) -> datetime | None:
    """A MySQL datetime text, or None for anything that isn't one (also '')."""
    text = str(value).strip() if value is not None else ""
    if not re.match(r"\d{4}-\d{1,2}-\d{1,2}", text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def format_datetime(value: datetime, digits: int = 6) -> str:
    text = value.strftime(TIME_FORMAT)
    return text[:19] if digits == 0 else text[: 20 + digits]


def _timestampdiff(unit: str, start: Any, end: Any) -> int | None:
    a, b = parse_datetime(start), parse_datetime(end)
    if a is None or b is None:
        return None
    if unit in {"MONTH", "QUARTER", "YEAR"}:
        months = (b.year - a.year) * 12 + b.month - a.month
        return int(months / {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit])
    microseconds = (b - a) // timedelta(microseconds=1)
    # MySQL truncates toward zero.
    whole = abs(microseconds) // _MICROSECONDS[unit]
    return whole if microseconds >= 0 else -whole


def _timestampadd(value: Any, amount: Any, unit: str) -> str | None:
    moment = parse_datetime(value)
    if moment is None or amount is None:
        return None
    moved = moment + timedelta(microseconds=float(amount) * _MICROSECONDS[unit])
    return format_datetime(moved, 6 if moved.microsecond or "." in str(value) else 0)


def _to_datetime(value: Any, digits: int) -> str | None:
    moment = parse_datetime(value)
    return None if moment is None else format_datetime(moment, digits)


def _unix_timestamp(value: Any) -> float | int | None:
    moment = parse_datetime(value)
    if moment is None:
        return None
    seconds = moment.replace(tzinfo=UTC).timestamp()
    return seconds if moment.microsecond else int(seconds)


def _time_to_usec(value: Any) -> int | None:
    moment = parse_datetime(value)
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)


def _usec_to_time(value: Any) -> str | None:
    return None if value is None else format_datetime(EPOCH + timedelta(microseconds=int(value)))


def _scn_to_timestamp(scn: Any, offset: int) -> str | None:
    """``offset``: microseconds the session's clock is ahead of UTC."""
    return None if scn is None else _usec_to_time(int(scn) // 1000 + offset)


def _timestamp_to_scn(value: Any, offset: int) -> int | None:
    usec = _time_to_usec(value)
    return None if usec is None else (usec - offset) * 1000


def _from_unixtime(seconds: Any, offset: int) -> str | None:
    if seconds is None:
        return None
    moment = EPOCH + timedelta(microseconds=round(float(seconds) * 10**6) + offset)
    return format_datetime(moment, 6 if isinstance(seconds, float) else 0)


def _strftime(value: Any, pattern: str) -> str | None:
    moment = parse_datetime(value)
    return None if moment is None else moment.strftime(pattern)


def _strptime(value: Any, pattern: str) -> str | None:
    try:
        moment = datetime.strptime(str(value), pattern)  # noqa: DTZ007 - a DATETIME has no zone
    except ValueError:
        return None
    return format_datetime(moment, 6 if "%f" in pattern else 0)


@lru_cache(maxsize=256)
def _like_pattern(pattern: str, escape: str) -> re.Pattern[str]:
    parts, index = [], 0
    while index < len(pattern):
        char = pattern[index]
        if char == escape and index + 1 < len(pattern):
            index += 1
            parts.append(re.escape(pattern[index]))
        else:
            parts.append({"%": ".*", "_": "."}.get(char, re.escape(char)))
        index += 1
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def like(pattern: Any, value: Any, escape: str = "\\") -> bool | None:
    """LIKE of utf8mb4_general_ci: case-insensitive, backslash escapes unless another character is named."""
    if pattern is None or value is None:
        return None
    return _like_pattern(str(pattern), escape).fullmatch(str(value)) is not None


def _regexp(pattern: Any, value: Any) -> bool | None:
    if pattern is None or value is None:
        return None
    return re.search(str(pattern), str(value), re.IGNORECASE) is not None


def _substring_index(text: Any, delimiter: str, count: int) -> str | None:
    if text is None:
        return None
    parts = str(text).split(delimiter)
    return delimiter.join(parts[:count] if count >= 0 else parts[count:])


def _concat_ws(separator: Any, *values: Any) -> str | None:
    return None if separator is None else str(separator).join(str(v) for v in values if v is not None)


def _lpad(text: Any, length: int | None, fill: str | None) -> str | None:
    if text is None or length is None or fill is None or length < 0:
        return None
    return (str(fill) * length)[: max(0, length - len(str(text)))] + str(text)[:length]


def make_group_concat(separator: str, ordering: str, *, distinct: bool = False) -> type:
    """The class of a GROUP_CONCAT aggregate with this separator; ``ordering``: '', 'ASC' or 'DESC' of the key."""

    class GroupConcat:
        def __init__(self) -> None:
            self.values: list[tuple[Any, Any]] = []

        def step(self, value: Any, key: Any) -> None:
            if value is not None and not (distinct and value in [v for v, _ in self.values]):
                self.values.append((value, key))

        def finalize(self) -> str | None:
            if ordering:
                # NULL is the smallest.
                self.values.sort(key=lambda pair: (pair[1] is not None, pair[1] or 0), reverse=ordering == "DESC")
            return separator.join(str(v) for v, _ in self.values) if self.values else None

    return GroupConcat


#: name: (number of arguments, function, kind of its result)
FUNCTIONS: dict[str, tuple[int, Callable[..., Any], str]] = {
    "ob_timestamp": (1, lambda value: value, "datetime"),
    "ob_timestampdiff": (3, _timestampdiff, "bigint"),
    "ob_timestampadd": (3, _timestampadd, "datetime"),
    "ob_to_datetime": (2, _to_datetime, "datetime"),
    "ob_date": (1, lambda value: (_to_datetime(value, 0) or "")[:10] or None, "date"),
    "ob_strftime": (2, _strftime, "varchar"),
    "ob_strptime": (2, _strptime, "datetime"),
    "ob_left": (2, lambda text, count: None if text is None else str(text)[:count], "varchar"),
    "ob_right": (2, lambda text, count: None if text is None else str(text)[-count:], "varchar"),
    "lpad": (3, _lpad, "varchar"),
    "ob_length": (1, lambda text: None if text is None else len(str(text).encode()), "bigint"),
    "ob_unix_timestamp": (1, _unix_timestamp, ""),
    "time_to_usec": (1, _time_to_usec, "bigint"),
    "usec_to_time": (1, _usec_to_time, "timestamp"),
    "substring_index": (3, _substring_index, "varchar"),
    "concat_ws": (-1, _concat_ws, "varchar"),
    "regexp": (2, _regexp, "bigint"),
    "ob_scn_to_timestamp": (2, _scn_to_timestamp, "datetime"),
    "ob_timestamp_to_scn": (2, _timestamp_to_scn, "ubigint"),
    "ob_from_unixtime": (2, _from_unixtime, "datetime"),
    **NUMERIC,
}


def register(connection: sqlite3.Connection) -> None:
    """Make the functions known to a SQLite connection."""
    for name, (arguments, function, _) in FUNCTIONS.items():
        connection.create_function(name, arguments, function, deterministic=True)
    connection.create_function("like", 2, like, deterministic=True)
    connection.create_function("like", 3, like, deterministic=True)
