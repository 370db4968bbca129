"""Values of rows as Python has them; what cannot be read raises, and never becomes a good value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")


class UnreadableError(ValueError):
    """A row holds something no manual mentions."""


def whole(row: Mapping[str, Any], name: str) -> int:
    """A whole number; NULL and '' are 0."""
    if name not in row:
        raise UnreadableError(f"{name} was not returned")
    value = row[name]
    if type(value) is int:
        return value
    if value is None or value in ("", b""):
        return 0
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError(f"{name} is {value!r}, not a whole number") from None
    if not isinstance(value, str | bytes) and number != value:
        raise UnreadableError(f"{name} is {value!r}, not a whole number")
    return number


def text(row: Mapping[str, Any], name: str) -> str:
    """A text; NULL is ''. Some drivers hand varchar over as bytes."""
    value = row.get(name)
    if type(value) is str:
        return value
    if value is None:
        return ""
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)


def moment(row: Mapping[str, Any], name: str, zone: timezone) -> datetime | None:
    """A moment in the server's zone; '' and NULL (not set) and MAX (open end) are None.

    Times of the 3.x backup views are texts ``YYYY-MM-DD HH:MM:SS.ffffff`` in the cluster's local time.
    """
    word = text(row, name).strip()
    if word in {"", "MAX", "NULL"}:
        return None
    try:
        found = datetime.fromisoformat(word) if _MOMENT.fullmatch(word) else None
    except ValueError:
        found = None
    if found is None:
        raise UnreadableError(f"{name} is {word!r}, not a time")
    return found.replace(tzinfo=zone)


def scn(row: Mapping[str, Any], name: str, zone: timezone) -> datetime | None:
    """A system change number of 4.x, nanoseconds since 1970, as a moment in the server's zone; 0 and NULL are None.

    Rounded down to microseconds, so that a moment is never claimed too early.
    """
    nanoseconds = whole(row, name)
    if not nanoseconds:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).astimezone(zone)
    except OverflowError:
        raise UnreadableError(f"{name} is {nanoseconds}, not a system change number") from None


def zone_of(row: Mapping[str, Any], name: str = "utc_offset") -> timezone:
    """The server's offset from UTC, given in seconds and rounded to minutes."""
    if text(row, name) == "":
        raise UnreadableError(f"{name} is {row.get(name)!r}, not the server's offset from UTC")
    minutes = round(whole(row, name) / 60)
    if abs(minutes) >= 24 * 60:
        raise UnreadableError(f"the server's clock is {minutes} minutes off UTC")
    return timezone(timedelta(minutes=minutes))
