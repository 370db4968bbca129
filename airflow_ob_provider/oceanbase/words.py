"""Lists in messages: the first few of many."""

from __future__ import annotations

from collections.abc import Iterable


def few(words: Iterable[str], separator: str = ", ", limit: int = 5) -> str:
    """The first ``limit`` words, and how many more there are."""
    shown = list(words)
    more = f" and {len(shown) - limit} more" if len(shown) > limit else ""
    return separator.join(shown[:limit]) + more
