"""How OceanBase writes durations, capacities and booleans (``src/share/config``); the same in every version."""

from __future__ import annotations

import re

HOUR = 3600.0
DAY = 24 * HOUR
_TIME_UNITS = {"us": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "h": HOUR, "d": DAY}
_SIZE_UNITS = {"": 2**20, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_TRUE = {"true", "on", "yes", "t", "1"}
_FALSE = {"false", "off", "no", "f", "0"}


def parse_time(text: str) -> float | None:
    """Seconds of an OceanBase duration (``120s``, ``2m``, ``7d``; a bare number is seconds), else None."""
    match = re.fullmatch(r"(-?\d+)(us|ms|s|m|h|d|)", text, re.IGNORECASE)
    return int(match[1]) * _TIME_UNITS[match[2].lower()] if match else None


def parse_size(text: str) -> int | None:
    """Bytes of an OceanBase capacity (``1G``; a bare number is MB), else None."""
    match = re.fullmatch(r"(\d+)([BKMGT]?)B?", text, re.IGNORECASE)
    return int(match[1]) * _SIZE_UNITS[match[2].upper()] if match else None


def parse_bool(text: str) -> bool | None:
    lowered = text.lower()
    return True if lowered in _TRUE else False if lowered in _FALSE else None
