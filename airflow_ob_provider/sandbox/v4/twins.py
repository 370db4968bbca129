"""Most views of 4.x come twice: CDB_ for sys, with all tenants, and DBA_ for every tenant, with its own rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.engine import Column
from airflow_ob_provider.sandbox.topology import Tenant
from airflow_ob_provider.sandbox.views import Row, View, columns

if TYPE_CHECKING:
    from .cluster import Cluster

#: All rows of a view, the tenant's id first.
AllRows = Callable[["Cluster"], Iterable[Row]]
#: The same, but only the columns at these places.
SomeColumns = Callable[["Cluster", tuple[int, ...]], Iterable[Row]]


def twins(name: str, described: str, rows: AllRows, pick: SomeColumns | None = None) -> list[View]:
    """``CDB_<name>`` and ``DBA_<name>``; ``described``: the columns after TENANT_ID. sys's DBA_ view shows sys only."""
    choose = pick
    shown: tuple[Column, ...] = columns(described)

    def cdb(cluster: Cluster, _: Tenant) -> Iterable[Row]:
        return rows(cluster)

    def dba(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
        return [row[1:] for row in rows(cluster) if row[0] == viewer.tenant_id]

    def pick_cdb(cluster: Cluster, _: Tenant, places: tuple[int, ...]) -> Iterable[Row]:
        assert choose is not None  # noqa: S101 - else nobody comes here
        return choose(cluster, places)

    def pick_dba(cluster: Cluster, viewer: Tenant, places: tuple[int, ...]) -> Iterable[Row]:
        assert choose is not None  # noqa: S101 - likewise
        rows = choose(cluster, (0, *(place + 1 for place in places)))
        return (row[1:] for row in rows if row[0] == viewer.tenant_id)

    return [
        View(f"CDB_{name}", (Column("TENANT_ID", "bigint"), *shown), cdb, pick=pick and pick_cdb),
        View(f"DBA_{name}", shown, dba, everywhere=True, pick=pick and pick_dba),
    ]


def bytes_display(value: int) -> str:
    """Two decimals, in MB below one GiB (also 0), then GB, TB, PB."""
    for power, unit in ((5, "PB"), (4, "TB"), (3, "GB")):
        if value >= 1024**power:
            return f"{value / 1024**power:.2f}{unit}"
    return f"{value / 1024**2:.2f}MB"
