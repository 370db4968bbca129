"""What a view is, and the formats several of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .clock import CLUSTER_UTC_OFFSET
from .engine import Column
from .functions import EPOCH
from .topology import Tenant

Row = Sequence[Any]


@dataclass(frozen=True)
class View:
    """A view or inner table. ``everywhere``: user tenants have it too and see their own rows."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[Any, Tenant], Iterable[Row]]
    everywhere: bool = False
    #: rows of the columns at these places only
    pick: Callable[[Any, Tenant, tuple[int, ...]], Iterable[Row]] | None = None


def columns(text: str) -> tuple[Column, ...]:
    """Columns from ``NAME[/kind] NAME …``; the kind is bigint unless given."""
    pairs = (word.partition("/") for word in text.split())
    return tuple(Column(name, kind or "bigint") for name, _, kind in pairs)


def time_text(value: datetime | None) -> str:
    """The backup views' own time type: varchar(26) in cluster local time, '' when unset, never NULL."""
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if value else ""


def megabytes(value: int) -> str:
    return f"{value / 2**20:.2f}MB"


def duration_text(value: timedelta) -> str:
    """A duration as time(6)."""
    seconds, micros = divmod(value // timedelta(microseconds=1), 10**6)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micros:06d}"


def microseconds(value: datetime) -> int:
    """Microseconds since 1970 (UTC), as OceanBase stores versions and timestamps in bigint columns."""
    return (value - CLUSTER_UTC_OFFSET - EPOCH) // timedelta(microseconds=1)
