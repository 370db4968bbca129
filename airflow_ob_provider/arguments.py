"""Arguments of tasks: what a rendered template, a form or a mapped task hands over, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from airflow_ob_provider.oceanbase.statements import check_seconds


def check_flag(value: object, name: str) -> bool:
    """A yes or no; rendered templates arrive as text.

    :raises ValueError: neither.
    """
    words = {"true": True, "false": False, "1": True, "0": False}
    word = str(value).strip().lower()
    if word not in words:
        raise ValueError(f"{name} must be true or false, not {value!r}")
    return words[word]


def check_number(value: object, name: str, least: float, most: float) -> float:
    """A number of seconds in a range; rendered templates arrive as text.

    :raises ValueError: not a number, or out of range.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            value = float(value)
    return check_seconds(value, field_name=name, least=least, most=most)


def check_round(value: object, name: str) -> int | None:
    """A round number; None and '' mean not given. Rendered templates arrive as text.

    :raises ValueError: not a whole number from 0 on.
    """
    text = "" if value is None else str(value).strip()
    if text in {"", "None"}:
        return None
    # isdigit() also takes '²' and the digits of other scripts.
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,18}", text):
        raise ValueError(f"{name} must be a whole number from 0 on, not {value!r}")
    return int(text)


def check_rounds(value: object, name: str) -> tuple[int, dict[str, int]]:
    """A round number for all, or one a tenant.

    :raises ValueError: not whole numbers from 0 on.
    """
    if isinstance(value, Mapping):
        return 0, {str(tenant): check_round(number, f"{name}[{tenant}]") or 0 for tenant, number in value.items()}
    return check_round(value, name) or 0, {}
