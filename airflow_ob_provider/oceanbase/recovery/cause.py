"""Why a log stream broke off, by what the server itself says: a code or a reason that names it, and nothing less.

Codes: ``ob_errno.def`` of 3.1.5 and 4.3.5. Reasons: ``ob_archive_define.h`` of 4.x (SEND_ERROR, LOG_RECYCLE,
NOT_CONTINUOUS, GC). Which of them a release writes where is not documented, so each place is looked at and none needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum


class BreakCause(StrEnum):
    """Class of a break."""

    NONE = "none"
    """Nothing has broken off."""
    DESTINATION = "destination"
    """It cannot be reached, read or written from every OBServer."""
    RECYCLED = "recycled"
    """Logs were recycled before they were archived."""
    DISCONTINUOUS = "discontinuous"
    """The logs that were to be archived do not join."""
    GC = "gc"
    """The log stream was removed."""
    UNKNOWN = "unknown"
    """Nothing that the server says names a cause."""


_CODES = {
    **dict.fromkeys(
        (4009, 9001, 9003, 9026, 9051, 9063, 9070, 9071, 9080, 9081, 9082, 9083, 9084, 9117, 9118, 9129, 9140),
        BreakCause.DESTINATION,
    ),
    9087: BreakCause.RECYCLED,
}
_REASONS = (
    (re.compile(r"\bSEND_ERROR\b"), BreakCause.DESTINATION),
    (re.compile(r"\b(?:LOG_RECYCLE|clog is recycled before archive)\b"), BreakCause.RECYCLED),
    (re.compile(r"\bNOT_CONTINUOUS\b"), BreakCause.DISCONTINUOUS),
    (re.compile(r"\bGC\b"), BreakCause.GC),
)
# A bare number may be a log stream, a tenant or a piece: only what is written as a code is one.
_WRITTEN_CODE = re.compile(
    r"(?:(?<![\w.-])-(?P<minus>\d{4})(?![\w.])|\b(?:result|ret|errno|error|code)\b\s*[:=]\s*-?(?P<named>\d{4})(?![\w.]))"
)
_CODE_NAMES = frozenset({"result", "ret", "errno", "error", "error_code", "ret_code"})
FIRST = (BreakCause.DESTINATION, BreakCause.RECYCLED, BreakCause.DISCONTINUOUS, BreakCause.GC)
"""Which of several is to be seen to first: without a destination no other repair helps."""


def causes_in(text: str) -> frozenset[BreakCause]:
    """The causes that a text of the server names."""
    codes = {int(match["minus"] or match["named"]) for match in _WRITTEN_CODE.finditer(text)}
    reasons = {cause for pattern, cause in _REASONS if pattern.search(text)}
    return frozenset(reasons | {_CODES[code] for code in codes if code in _CODES})


def causes_of(values: Iterable[tuple[str, str]]) -> frozenset[BreakCause]:
    """The causes that the values of an event name."""
    found: set[BreakCause] = set()
    for name, value in values:
        text = value.strip()
        number = text.removeprefix("-")
        if name.lower() in _CODE_NAMES and number.isdecimal() and number.isascii():
            found |= {_CODES[int(number)]} if int(number) in _CODES else set()
        else:
            found |= causes_in(text)
    return frozenset(found)


def failed(values: Iterable[tuple[str, str]]) -> bool:
    """Whether an event tells of an error."""
    return any(
        name.lower() in _CODE_NAMES and (number := value.strip().removeprefix("-")).isdecimal() and int(number) != 0
        for name, value in values
    )
