"""Minor freeze (memtables to disk) and major freeze (the merge state of the zones).

MINOR FREEZE returns when the memtables are frozen; they are dumped later by the compaction scheduler, which looks
about every 30 s (OceanBase 3.1.5 source, ``src/rootserver/ob_root_minor_freeze.cpp``,
``src/storage/ob_partition_service.cpp``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.errors import ServerError
from airflow_ob_provider.sandbox.topology import SYS_TENANT_ID, Server, Tenant

if TYPE_CHECKING:
    from .cluster import Cluster

#: (ACTION, how many macro blocks): the kinds of merge that end a manual freeze.
MERGES = (("mini merge", 2), ("mini minor merge", 5))
PARTITIONS_PER_TENANT = 2
MAJOR_MERGE_SECONDS = 45.0
RECHECK_SECONDS = 5.0
#: The ring buffer of finished merges is bounded.
KEPT_MERGES = 2000


@dataclass
class Memtable:
    server: Server
    tenant_id: int
    table_id: int
    partition_id: int
    base: datetime
    snapshot: datetime | None = None
    used: int = 2 * 1024 * 1024

    @property
    def active(self) -> bool:
        return self.snapshot is None


@dataclass(frozen=True)
class Merge:
    server: Server
    tenant_id: int
    table_id: int
    partition_id: int
    kind: str
    action: str
    version: datetime
    start: datetime
    end: datetime
    macro_blocks: int


class Freezer:
    """Memtables of every server and tenant, and the merges that have finished."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.memtables: list[Memtable] = []
        self.merges: list[Merge] = []
        self.merging = False

    def add_tenant(self, tenant: Tenant) -> None:
        for server in self._cluster.servers:
            for partition in range(PARTITIONS_PER_TENANT):
                self.memtables.append(
                    Memtable(server, tenant.tenant_id, self._table_id(tenant), partition, tenant.created)
                )

    def drop_tenant(self, tenant: Tenant) -> None:
        self.memtables = [m for m in self.memtables if m.tenant_id != tenant.tenant_id]

    @staticmethod
    def _table_id(tenant: Tenant) -> int:
        return (tenant.tenant_id << 40) + 50001

    def minor(
        self,
        tenants: tuple[str, ...] | None = None,
        addresses: tuple[str, ...] | None = None,
        zone: str | None = None,
    ) -> None:
        """MINOR FREEZE of the whole cluster (all alive servers, all tenants) or of what is named."""
        cluster = self._cluster
        targets = list(cluster.tenants)
        if tenants is not None:
            targets = [cluster.tenant_named(name) for name in tenants]
        servers = self._targets(addresses, zone)
        cluster.events.add_rootservice("root_service", "root_minor_freeze", ret=0)
        for server in servers:
            cluster.events.add_server(server, "freeze", "do minor freeze")
            for tenant in targets:
                if not tenant.idle:
                    self._freeze(server, tenant)
            cluster.events.add_server(server, "freeze", "do minor freeze success")

    def _targets(self, addresses: tuple[str, ...] | None, zone: str | None) -> list[Server]:
        cluster = self._cluster
        dead = cluster.faults.dead_servers
        if addresses is not None:
            by_address = {server.address: server for server in cluster.servers}
            named = [by_address.get(address) for address in addresses]
            if any(server is None or server.index in dead for server in named):
                raise ServerError(4637)
            return [server for server in named if server is not None]
        servers = [s for s in cluster.servers if s.index not in dead]
        return [s for s in servers if zone is None or s.zone == zone]

    def _freeze(self, server: Server, tenant: Tenant) -> None:
        now = self._cluster.timeline.now
        fresh = []
        for memtable in self.memtables:
            if memtable.server == server and memtable.tenant_id == tenant.tenant_id and memtable.active:
                memtable.snapshot = now
                fresh.append(Memtable(server, tenant.tenant_id, memtable.table_id, memtable.partition_id, now))
                # Servers and tenants don't finish together.
                delay = 4.0 + 2.0 * server.index + 1.5 * (tenant.tenant_id % 5) + memtable.partition_id
                self._dump_after(delay, memtable, now)
        self.memtables += fresh

    def _dump_after(self, seconds: float, memtable: Memtable, frozen: datetime) -> None:
        self._cluster.timeline.after(seconds, lambda: self._dump(memtable, frozen))

    def _dump(self, memtable: Memtable, frozen: datetime) -> None:
        faults = self._cluster.faults
        if memtable not in self.memtables:
            return
        if faults.stuck_memtables or memtable.server.index in faults.dead_servers:
            self._dump_after(RECHECK_SECONDS, memtable, frozen)
            return
        self.memtables.remove(memtable)
        now = self._cluster.timeline.now
        for action, blocks in MERGES:
            self._merged(memtable, "minor", action, frozen, blocks, now)
        if memtable.tenant_id == SYS_TENANT_ID:
            self._merged(memtable, "minor", "history mini minor merge", frozen, 1, now)

    def _merged(
        self, memtable: Memtable, kind: str, action: str, version: datetime, blocks: int, end: datetime
    ) -> None:
        start = end - timedelta(milliseconds=350)
        self.merges.append(
            Merge(memtable.server, memtable.tenant_id, memtable.table_id, memtable.partition_id,
                  kind, action, version, start, end, blocks)
        )  # fmt: skip
        del self.merges[:-KEPT_MERGES]

    def major(self) -> None:
        """MAJOR FREEZE: the zones merge for a while, then are IDLE again; 4179 when it is switched off."""
        if self._cluster.parameters.central("enable_major_freeze") != "True":
            raise ServerError(4179)
        if not self.merging:
            self.merging = True
            self._cluster.timeline.after(MAJOR_MERGE_SECONDS, self._end_merge)

    def _end_merge(self) -> None:
        self.merging = False
        now = self._cluster.timeline.now
        for memtable in [m for m in self.memtables if m.active]:
            self._merged(memtable, "major", "major merge", now, 8, now)
