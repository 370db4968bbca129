"""Numbers as MySQL computes them, for SQLite, which divides integers into integers and rounds in binary.

SQLite has no decimals. A quotient that is a whole number stays an exact integer (an SCN through 1000 is), any other
is a double; the wire shows it with the decimals of its type.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any


class OutOfRangeError(ArithmeticError):
    """A BIGINT UNSIGNED below zero or too big: 1690."""


def _number(value: Any) -> int | float:
    """A number out of a value, as MySQL converts: the numeric start of a text."""
    if isinstance(value, int | float):
        return value
    match = re.match(r"\s*[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", str(value))
    if match is None:
        return 0
    return float(match[0]) if match[1] or match[2] else int(match[0])


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def divide(a: Any, b: Any) -> int | float | None:
    """``/``: NULL for a zero divisor."""
    if a is None or b is None:
        return None
    dividend, divisor = _number(a), _number(b)
    if not divisor:
        return None
    if isinstance(dividend, int) and isinstance(divisor, int) and dividend % divisor == 0:
        return dividend // divisor
    return dividend / divisor


def integer_divide(a: Any, b: Any) -> int | None:
    """DIV: truncates toward zero."""
    if a is None or b is None:
        return None
    divisor = Decimal(str(_number(b)))
    return int(Decimal(str(_number(a))) / divisor) if divisor else None


def modulo(a: Any, b: Any) -> int | float | None:
    """% and MOD: the sign of the dividend."""
    if a is None or b is None:
        return None
    divisor = Decimal(str(_number(b)))
    return _plain(Decimal(str(_number(a))) % divisor) if divisor else None


def _to_places(rounding: str) -> Callable[[Any, Any], int | float | None]:
    def function(value: Any, places: Any) -> int | float | None:
        if value is None or places is None:
            return None
        try:
            step = Decimal(1).scaleb(-int(places))
            return _plain((Decimal(str(_number(value))) / step).quantize(Decimal(1), rounding) * step)
        except InvalidOperation:
            return _number(value)

    return function


def to_integer(value: Any) -> int | None:
    """CAST AS SIGNED or UNSIGNED: numbers are rounded, texts are cut."""
    if value is None:
        return None
    number = _number(value)
    if isinstance(value, str):
        return int(number)
    return int(Decimal(str(number)).quantize(Decimal(1), ROUND_HALF_UP))


def _unsigned(operation: Callable[[Any, Any], int | float]) -> Callable[[Any, Any], int | float | str | None]:
    """An operation with a BIGINT UNSIGNED on one side: nothing below zero or above 2^64 - 1."""

    def function(a: Any, b: Any) -> int | float | str | None:
        if a is None or b is None:
            return None
        result = operation(_number(a), _number(b))
        if not 0 <= result < 2**64:
            raise OutOfRangeError
        # SQLite's integers are signed; a text is bigger than all of them and goes to the wire as it is.
        return str(result) if result >= 2**63 else result

    return function


#: name: (number of arguments, function, kind of its result), as in :data:`.functions.FUNCTIONS`
NUMERIC: dict[str, tuple[int, Callable[..., Any], str]] = {
    "ob_div": (2, divide, ""),
    "ob_intdiv": (2, integer_divide, "bigint"),
    "ob_mod": (2, modulo, ""),
    "ob_round": (2, _to_places(ROUND_HALF_UP), ""),
    "ob_truncate": (2, _to_places(ROUND_DOWN), ""),
    "ob_floor": (2, _to_places(ROUND_FLOOR), "bigint"),
    "ob_ceil": (2, _to_places(ROUND_CEILING), "bigint"),
    "ob_to_integer": (1, to_integer, "bigint"),
    "ob_to_unsigned": (1, to_integer, "ubigint"),
    "ob_unsigned_add": (2, _unsigned(operator.add), "ubigint"),
    "ob_unsigned_sub": (2, _unsigned(operator.sub), "ubigint"),
    "ob_unsigned_mul": (2, _unsigned(operator.mul), "ubigint"),
    "ob_big": (1, lambda text: text, "ubigint"),
}
