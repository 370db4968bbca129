"""Values of rows as Python has them; what cannot be read raises, and never becomes a good value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any


class UnreadableError(ValueError):
    """A row holds something no manual mentions."""


def whole(row: Mapping[str, Any], name: str) -> int:
    """A whole number; NULL and '' are 0."""
    value = row.get(name)
    if value is None or value == "":
        return 0
    try:
        return int(value)
    except (TypeError, ValueError):
        raise UnreadableError(f"{name} is {value!r}, not a whole number") from None


def text(row: Mapping[str, Any], name: str) -> str:
    """A text; NULL is ''. Some drivers hand varchar over as bytes."""
    value = row.get(name)
    if value is None:
        return ""
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)


def moment(row: Mapping[str, Any], name: str, zone: timezone) -> datetime | None:
    """A moment in the server's zone; '' and NULL (not set) and MAX (open end) are None.

    Times of the 3.x backup views are texts ``YYYY-MM-DD HH:MM:SS.ffffff`` in the cluster's local time.
    """
    value = row.get(name)
    if isinstance(value, datetime):
        return value.replace(tzinfo=zone)
    word = text(row, name).strip()
    if word in {"", "MAX", "NULL"}:
        return None
    try:
        return datetime.fromisoformat(word).replace(tzinfo=zone)
    except ValueError:
        raise UnreadableError(f"{name} is {word!r}, not a time") from None


def zone_of(row: Mapping[str, Any], name: str = "utc_offset") -> timezone:
    """The server's offset from UTC, given in seconds and rounded to minutes."""
    minutes = round(whole(row, name) / 60)
    if abs(minutes) >= 24 * 60:
        raise UnreadableError(f"the server's clock is {minutes} minutes off UTC")
    return timezone(timedelta(minutes=minutes))
