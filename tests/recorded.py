"""What a simulated cluster has recorded, without the comment that names the task."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_ob_provider.sandbox import Recorded


def bare(sql: str) -> str:
    """A statement without its comment."""
    return sql.partition("*/ ")[2] or sql


def sent(statements: Iterable[Recorded]) -> list[str]:
    """The SQL of statements."""
    return [bare(one.sql) for one in statements]
