"""Tables of Markdown. What makes them is loaded with the first one, not whenever a DAG file is parsed."""

from __future__ import annotations

from typing import Any


def table(rows: Any, **options: Any) -> str:
    """As ``tabulate`` makes it.

    :param options: of ``tabulate``, but for the format.
    """
    from tabulate import tabulate

    return tabulate(rows, tablefmt="github", **options)
