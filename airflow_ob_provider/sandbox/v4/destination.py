"""LOG_ARCHIVE_DEST: what its value may hold, and the rows of CDB_OB_ARCHIVE_DEST it becomes.

Rules as in kernel source, ``share/backup/ob_backup_config.cpp``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from airflow_ob_provider.sandbox.errors import ServerError, not_supported
from airflow_ob_provider.sandbox.values import DAY, parse_time

from .profiles import Profile
from .uri import Place, parse_uri

#: Bytes, measured on a 4.3.5 kernel.
LONGEST_VALUE = 2047
DEST_STATES = ("ENABLE", "DEFER")


@dataclass
class Destination:
    """The rows of one tenant and DEST_NO, by NAME, and what they mean."""

    rows: dict[str, str] = field(default_factory=dict)
    place: Place | None = None
    interval: float = DAY

    @property
    def enabled(self) -> bool:
        return self.rows.get("state", "ENABLE").upper() == "ENABLE"

    def store(self, wanted: Wanted, dest_id: int) -> None:
        """Rows are upserted: a row of an attribute that isn't in ``wanted`` stays (COMPRESSION)."""
        self.place, self.interval = wanted.place, wanted.interval
        self.rows |= {
            "binding": wanted.binding,
            "dest_id": str(dest_id),
            "path": wanted.place.text,
            "piece_switch_interval": f"{int(wanted.interval // DAY)}d",
            "state": "ENABLE",
        }
        if wanted.compression:
            self.rows["compression"] = wanted.compression

    def clear(self) -> None:
        self.rows.clear()
        self.place = None


@dataclass(frozen=True)
class Wanted:
    """A checked value of LOG_ARCHIVE_DEST. ``interval`` in seconds, whole days."""

    place: Place
    binding: str = "OPTIONAL"
    interval: float = DAY
    compression: str = ""


def parse_destination(text: str, profile: Profile) -> Wanted:
    """Check the value token by token, in its order; a missing LOCATION is noticed last."""
    place: Place | None = None
    binding, interval, compression = "OPTIONAL", DAY, ""
    if len(text.encode()) > LONGEST_VALUE:
        raise ServerError(4019)
    for token in text.split():
        key, _, value = token.partition("=")
        name = key.upper()
        if name not in {"LOCATION", "BINDING", "PIECE_SWITCH_INTERVAL", "COMPRESSION"}:
            raise ServerError(1235)
        if not value:
            raise ServerError(1210)
        if name == "LOCATION":
            place = parse_uri(value, profile.schemes)
        elif name == "BINDING":
            binding = value.upper()
            if binding not in {"OPTIONAL", "MANDATORY"}:
                raise ServerError(1210)
        elif name == "PIECE_SWITCH_INTERVAL":
            interval = _interval(value)
        else:
            compression = value
            if value.upper() not in {"ENABLE", "DISABLE"}:
                raise ServerError(1235)
    if place is None:
        raise not_supported("set archive dest without location is")
    return Wanted(place, binding, interval, compression)


def _interval(text: str) -> float:
    """Seconds, rounded down to days. What a bare number means isn't known; the kernel's helper takes seconds."""
    seconds = parse_time(text) if re.fullmatch(r"\d+\w*", text) else None
    if seconds is None or seconds < 60:
        raise ServerError(1210)
    if not DAY <= seconds <= 7 * DAY:
        raise not_supported("invalid piece_switch_interval out of range [1d,7d] is")
    return seconds // DAY * DAY
