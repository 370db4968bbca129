"""Names to tables: which views a build and a tenant have, with the faults that lose or falsify them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from .cluster import BaseCluster
from .engine import SomeRows, Table
from .errors import ServerError
from .topology import Tenant
from .views import Row, View

#: Databases every tenant has.
DATABASES = ("oceanbase", "information_schema", "mysql", "test")


class Catalogue:
    """The views of one build."""

    def __init__(self, views: Iterable[View]) -> None:
        self._views = {view.name.lower(): view for view in views}

    def names(self, cluster: BaseCluster, tenant: Tenant) -> list[str]:
        """What the tenant finds in ``oceanbase``."""
        return sorted(v.name for v in self._views.values() if self._exists(v, cluster, tenant))

    def table(self, cluster: BaseCluster, tenant: Tenant, database: str, name: str) -> Table:
        """The table as the tenant sees it, else 1146 with the name as it was written."""
        view = self._views.get(name.lower())
        if database.lower() != "oceanbase" or view is None or not self._exists(view, cluster, tenant):
            raise ServerError(1146, f"Table '{database}.{name}' doesn't exist")
        found = view
        table = Table(view.name, view.columns, lambda: found.rows(cluster, tenant))
        if found.pick is not None:
            pick = partial(found.pick, cluster, tenant)
            table = Table(view.name, view.columns, SomeRows(pick, len(view.columns)))
        return self._falsified(cluster.present(table), cluster)

    @staticmethod
    def _exists(view: View, cluster: BaseCluster, tenant: Tenant) -> bool:
        lost = {name.lower() for name in cluster.faults.lost_views}
        return view.name.lower() not in lost and (tenant.is_sys or view.everywhere)

    @staticmethod
    def _falsified(table: Table, cluster: BaseCluster) -> Table:
        if not cluster.faults.malformed:
            return table
        malformed = {key.lower(): value for key, value in cluster.faults.malformed.items()}
        wrong = {
            index: malformed[f"{table.name}.{column.name}".lower()]
            for index, column in enumerate(table.columns)
            if f"{table.name}.{column.name}".lower() in malformed
        }
        if not wrong:
            return table

        def rows() -> Iterable[Row]:
            for row in table.rows():
                yield [wrong.get(index, value) for index, value in enumerate(row)]

        return Table(table.name, table.columns, rows)
