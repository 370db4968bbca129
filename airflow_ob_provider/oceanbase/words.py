"""Texts that people read: their languages, and lists in them, the first few of many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Code = Literal["en", "zh"]
LANGUAGES: tuple[Code, ...] = ("en", "zh")


def few(words: Iterable[str], separator: str = ", ", limit: int = 5) -> str:
    """The first ``limit`` words, and how many more there are."""
    shown = list(words)
    more = f" and {len(shown) - limit} more" if len(shown) > limit else ""
    return separator.join(shown[:limit]) + more
