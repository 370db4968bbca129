"""The storage every destination is on: which directories have been used, by whom, and what is wrong with them.

A destination belongs to one tenant of one cluster and one kind of backup; the server writes that into
``format.obbak`` when the destination is set, and reads it when the destination is set again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.sandbox.errors import ServerError

from .uri import Place

if TYPE_CHECKING:
    from .cluster import Cluster

#: Words for what a directory holds, besides a format of this cluster.
EMPTY, UNFORMATTED, FOREIGN = "empty", "unformatted", "foreign"
#: Words for what is wrong with a place, and the errno that shows it.
CONDITIONS = {"unreachable": 9070, "no_permission": 9071, "io_error": 4009, "full": 9082, "worm": 9140}
_TEXTS = {
    9080: "format file does not exist, try to set a new directory.",
    9081: "format file does not match, try to set a new directory.",
}


class Medium:
    """Directories by (root path, host). Unknown ones are empty."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.directories: dict[tuple[str, str], str] = {}

    def put(self, uri: str, content: str) -> None:
        """Test back door: make a directory ``empty``, ``unformatted`` or ``foreign`` (another cluster's)."""
        if content not in {EMPTY, UNFORMATTED, FOREIGN}:
            raise ValueError(f"unknown content {content!r}")
        self.directories[self._key(uri)] = content

    def check(self, place: Place, tenant_id: int, kind: str) -> None:
        """What the server finds when the destination is set: 9070, 9071, 4009, 9080, 9081, 9082 or nothing."""
        self._check_reachable(place, tenant_id)
        content = self.directories.get(place.key, EMPTY)
        if content == UNFORMATTED:
            raise ServerError(9080, _TEXTS[9080])
        if content not in {EMPTY, self._format(tenant_id, kind)}:
            raise ServerError(9081, _TEXTS[9081])

    def use(self, place: Place, tenant_id: int, kind: str) -> None:
        """Write format.obbak and check_file/."""
        self.directories[place.key] = self._format(tenant_id, kind)

    def _format(self, tenant_id: int, kind: str) -> str:
        return f"cluster 1 tenant {tenant_id} {kind}"

    def _check_reachable(self, place: Place, tenant_id: int) -> None:
        faults = self._cluster.faults
        error = faults.dest_error
        if isinstance(error, Mapping):
            tenant = self._cluster.tenant_by_id(tenant_id)
            error = error.get(tenant.name if tenant else "", error.get(str(tenant_id)))
        if error:
            raise ServerError(int(error))
        if faults.dest_io_error:
            raise ServerError(4009)
        if faults.unmounted_servers or faults.destination_unwritable or self._cluster.is_dead(tenant_id):
            raise ServerError(9070)
        condition = self._condition(place)
        if condition in {EMPTY, UNFORMATTED, FOREIGN}:
            self.directories[place.key] = condition
        elif condition:
            raise ServerError(CONDITIONS[condition] if condition in CONDITIONS else int(condition))

    def _condition(self, place: Place) -> Any:
        for uri, condition in self._cluster.faults.media.items():
            if self._key(uri)[0] == place.path:
                return condition
        return None

    @staticmethod
    def _key(uri: str) -> tuple[str, str]:
        path, _, query = uri.partition("?")
        host = next((pair[5:] for pair in query.split("&") if pair.startswith("host=")), "")
        return path.rstrip("/"), host
