"""Values of a report, made fit for reading: they come from a server and from people, and none of them is trusted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import cache
from typing import Any

from airflow_ob_provider.oceanbase.redact import MASK, is_secret_name, redact

# Control characters move a terminal's cursor; those that change the direction of text or are invisible make one name
# look like another; half of a pair cannot be encoded.
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\ufeff\\ufff9-\\ufffb\\ufffe\\uffff\\ud800-\\udfff\\U000e0000-\\U000e0fff]"
)
_LONGEST = 4000
_DEEPEST = 12


def cleaned(value: Any) -> Any:
    """A copy of a JSON value without secrets, and with what cannot be seen in a text written out by its number.

    A secret should not be here at all. Looking once more costs little, and a report is passed on to many.
    """
    # A large report says the same of a thousand tenants.
    return _cleaned(value, cache(line), cache(is_secret_name), 0)


def _cleaned(value: Any, text: Callable[[str], str], secret: Callable[[str], bool], depth: int) -> Any:
    if isinstance(value, str):
        return text(value)
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {
            text(str(name)): MASK
            if secret(str(name)) and isinstance(inner, (str, int, float))
            else _cleaned(inner, text, secret, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_cleaned(inner, text, secret, depth + 1) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float)) else text(str(value))


def line(text: str) -> str:
    """One text: redacted, without anything unseen, and not endless."""
    text = _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), redact(text))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def count(value: Any) -> int:
    """A whole number; 0 for anything else."""
    return int(number(value) or 0)


def moment(value: Any, zone: tzinfo) -> datetime | None:
    """A time in the zone of the report, or None. One without an offset is taken to be in that zone."""
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(zone) if parsed.tzinfo else parsed.replace(tzinfo=zone)
    except (TypeError, ValueError, OverflowError):
        return None


def items(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def part(value: Any) -> dict[str, Any]:
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
