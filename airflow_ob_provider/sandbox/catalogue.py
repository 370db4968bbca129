"""Names to tables: which views a build and a tenant have, with the faults that lose or falsify them."""

from __future__ import annotations

from collections.abc import Iterable

from .cluster import Cluster
from .engine import Table
from .errors import ServerError
from .profiles import Profile
from .topology import Tenant
from .views import Row, View
from .views_archive import archive_views
from .views_backup import backup_views
from .views_system import SYSTEM_VIEWS

#: Databases every tenant has.
DATABASES = ("oceanbase", "information_schema", "mysql", "test")


class Catalogue:
    """The views of one build."""

    def __init__(self, profile: Profile) -> None:
        views = [*archive_views(profile), *backup_views(profile), *SYSTEM_VIEWS]
        self._views = {view.name.lower(): view for view in views}

    def names(self, cluster: Cluster, tenant: Tenant) -> list[str]:
        """What the tenant finds in ``oceanbase``."""
        return sorted(v.name for v in self._views.values() if self._exists(v, cluster, tenant))

    def table(self, cluster: Cluster, tenant: Tenant, database: str, name: str) -> Table:
        """The table as the tenant sees it, else 1146 with the name as it was written."""
        view = self._views.get(name.lower())
        if database.lower() != "oceanbase" or view is None or not self._exists(view, cluster, tenant):
            raise ServerError(1146, f"Table '{database}.{name}' doesn't exist")
        found = view
        return Table(view.name, view.columns, lambda: self._rows(found, cluster, tenant))

    @staticmethod
    def _exists(view: View, cluster: Cluster, tenant: Tenant) -> bool:
        lost = {name.lower() for name in cluster.faults.lost_views}
        return view.name.lower() not in lost and (tenant.is_sys or view.everywhere)

    @staticmethod
    def _rows(view: View, cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
        rows = view.rows(cluster, tenant)
        malformed = {key.lower(): value for key, value in cluster.faults.malformed.items()}
        wrong = {
            index: malformed[f"{view.name}.{column.name}".lower()]
            for index, column in enumerate(view.columns)
            if f"{view.name}.{column.name}".lower() in malformed
        }
        for row in rows:
            yield [wrong.get(index, value) for index, value in enumerate(row)] if wrong else row
