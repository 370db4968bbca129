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


def twins(name: str, described: str, rows: AllRows) -> list[View]:
    """``CDB_<name>`` and ``DBA_<name>``; ``described``: the columns after TENANT_ID. sys's DBA_ view shows sys only."""
    shown: tuple[Column, ...] = columns(described)

    def cdb(cluster: Cluster, _: Tenant) -> Iterable[Row]:
        return rows(cluster)

    def dba(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
        return [row[1:] for row in rows(cluster) if row[0] == viewer.tenant_id]

    return [
        View(f"CDB_{name}", (Column("TENANT_ID", "bigint"), *shown), cdb),
        View(f"DBA_{name}", shown, dba, everywhere=True),
    ]


def bytes_display(value: int) -> str:
    """Two decimals, in MB below one GiB (also 0), then GB, TB, PB."""
    for power, unit in ((5, "PB"), (4, "TB"), (3, "GB")):
        if value >= 1024**power:
            return f"{value / 1024**power:.2f}{unit}"
    return f"{value / 1024**2:.2f}MB"
