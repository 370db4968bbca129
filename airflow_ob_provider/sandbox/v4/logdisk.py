"""The log disk of each unit: level while the log is archived, fuller the longer it isn't.

Log that isn't archived can't be recycled. With an OPTIONAL destination it is all the same once the disk has reached
log_disk_utilization_threshold, which breaks the archive; with a MANDATORY one the disk fills up to
log_disk_utilization_limit_threshold, where nothing more is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from .rounds import BYTES_PER_SECOND, PREPARE
from .scn import to_time
from .tenants import Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster

GIB = 2**30
DEFAULT_SIZE = 18 * GIB
#: How full a disk is on which the log is recycled as it should be, in per cent.
LEVEL = 45
#: A meta tenant's share of a unit, and what is on it.
META_SIZE, META_IN_USE = 2 * GIB, GIB // 2


@dataclass(frozen=True)
class LogDisk:
    """The bytes of a unit when archiving had stalled for so many seconds."""

    in_use: int
    size: int
    stalled: float = 0.0


class LogDisks:
    """By tenant; all units of a tenant are alike."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._disks: dict[int, LogDisk] = {}

    def put(self, tenant: Tenant4, in_use: int, size: int) -> None:
        self._disks[tenant.tenant_id] = LogDisk(in_use, size, self._stalled(tenant))

    def drop_tenant(self, tenant_id: int) -> None:
        self._disks.pop(tenant_id, None)

    def of(self, tenant: Tenant4) -> tuple[int, int]:
        """(LOG_DISK_IN_USE, LOG_DISK_SIZE) now."""
        disk = self._disks.get(tenant.tenant_id, LogDisk(DEFAULT_SIZE * LEVEL // 100, DEFAULT_SIZE))
        if tenant.is_sys:
            return disk.in_use, disk.size
        more = int(max(0.0, self._stalled(tenant) - disk.stalled) * BYTES_PER_SECOND)
        limit = disk.size * self._threshold(tenant) // 100
        return max(disk.in_use, min(disk.in_use + more, limit)), disk.size

    def _threshold(self, tenant: Tenant4) -> int:
        binding = self._cluster.archives[tenant.tenant_id].destination.rows.get("binding", "OPTIONAL")
        name = "log_disk_utilization_limit_threshold" if binding == "MANDATORY" else "log_disk_utilization_threshold"
        return int(self._cluster.parameters.value(name, tenant))

    def _stalled(self, tenant: Tenant4) -> float:
        """Seconds of log that are on the disk only because nobody archives them."""
        archive = self._cluster.archives[tenant.tenant_id]
        found = archive.round
        if found is None or not archive.running:
            return 0.0
        mark = found.since if found.status == PREPARE else to_time(found.checkpoint_scn)
        # Two lag targets and two looks of a scheduler are nothing unusual.
        usual = 2 * (archive.lag + self._cluster.tick_seconds(moving=False))
        return max(0.0, (self._cluster.timeline.now - mark - timedelta(seconds=usual)).total_seconds())
