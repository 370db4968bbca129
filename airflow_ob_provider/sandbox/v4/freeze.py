"""Minor freeze of 4.x: active memstores are frozen at once and dumped ("mini merge") in the background.

Documentation V4.2.5, dump management; views GV$OB_MEMSTORE, GV$OB_TABLET_COMPACTION_PROGRESS and _HISTORY.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.cluster import Caller
from airflow_ob_provider.sandbox.errors import ServerError, not_supported
from airflow_ob_provider.sandbox.topology import Server

from .statements import MinorFreeze
from .targets import many_tenants, own
from .tenants import Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster

TABLETS = (200001, 200002)
#: What an active memstore holds after some time of writing, and right after a freeze.
BUSY_SPAN, FRESH_SPAN = 96 * 2**20, 2 * 2**20
MEMSTORE_LIMIT = 2 * 2**30
RECHECK_SECONDS = 5.0
#: The ring buffer of finished merges is bounded.
KEPT_MERGES = 2000


@dataclass(eq=False)
class Memstore:
    """The memstore of a tenant on a server; ``active`` and ``frozen`` in bytes."""

    server: Server
    tenant_id: int
    active: int
    frozen: int = 0
    freezes: int = 0


@dataclass(eq=False)
class Merge:
    """A MINI_MERGE: planned, then running, then finished."""

    memstore: Memstore
    tablet_id: int
    task_id: int
    frozen: datetime
    size: int
    start: datetime | None = None
    end: datetime | None = None


class Freezer:
    """Memstores of every server and tenant, and their merges."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.memstores: list[Memstore] = []
        self.merges: list[Merge] = []
        self._task_id = 0
        #: freezes a real kernel, which then has the memstores and merges that the views show
        self.kernel_freeze: Callable[[], None] | None = None

    def add_tenant(self, tenant_id: int, *, idle: bool) -> None:
        for server in self._cluster.servers:
            self.memstores.append(Memstore(server, tenant_id, 0 if idle else BUSY_SPAN))

    def drop_tenant(self, tenant_id: int) -> None:
        self.memstores = [m for m in self.memstores if m.tenant_id != tenant_id]
        self.merges = [m for m in self.merges if m.memstore.tenant_id != tenant_id]

    def minor(self, command: MinorFreeze, caller: Caller) -> None:
        """MINOR FREEZE: OK when the freeze is issued. A freeze that is already running counts as done."""
        tenants = self._tenants(command, caller)
        servers, missing = self._targets(command)
        if self.kernel_freeze is not None:
            self.kernel_freeze()
            servers = []
        for server in servers:
            for memstore in self.memstores:
                if memstore.server == server and memstore.tenant_id in {t.tenant_id for t in tenants}:
                    self._freeze(memstore)
        self._cluster.events.add_rootservice("root_service", "root_minor_freeze", ret=-4025 if missing else 0)
        if missing or self._cluster.faults.freeze_partial:
            raise ServerError(4025)

    def _tenants(self, command: MinorFreeze, caller: Caller) -> list[Tenant4]:
        if not caller.tenant.is_sys:
            if command.tenants is not None:
                raise ServerError(1227)
            return [own(caller)]
        tenants = many_tenants(self._cluster, command.tenants)
        if command.part and len(tenants) != 1:
            raise not_supported("LS or TABLET_ID with more than one tenant is")
        return tenants

    def _targets(self, command: MinorFreeze) -> tuple[list[Server], bool]:
        """(servers that can be reached, whether a named one can't)."""
        cluster = self._cluster
        alive = [s for s in cluster.servers if s.index not in cluster.faults.dead_servers]
        servers = [s for s in alive if command.zone in (None, s.zone)]
        if command.servers is None:
            return servers, False
        known = {server.address: server for server in servers}
        found = [known[address] for address in command.servers if address in known]
        return found, len(found) < len(command.servers)

    # --- dumps ------------------------------------------------------------------------------------------

    def _freeze(self, memstore: Memstore) -> None:
        now = self._cluster.timeline.now
        if memstore.active <= FRESH_SPAN:
            # Nothing was written since the last freeze.
            return
        size = memstore.active - FRESH_SPAN
        memstore.frozen += size
        memstore.active = FRESH_SPAN
        memstore.freezes += 1
        # Servers and tenants don't finish together; at first nothing is scheduled.
        delay = 1.5 + 1.0 * memstore.server.index + 0.5 * (memstore.tenant_id % 7)
        for index, tablet_id in enumerate(TABLETS):
            self._task_id += 1
            merge = Merge(memstore, tablet_id, self._task_id, now, size // len(TABLETS))
            self.merges.append(merge)
            self._cluster.timeline.after(delay + index, lambda merge=merge: self._begin(merge))  # type: ignore[misc]
        del self.merges[:-KEPT_MERGES]
        # The tenant goes on writing: its active memstore is busy again after a while.
        self._cluster.timeline.after(600.0, lambda: setattr(memstore, "active", BUSY_SPAN))

    def _begin(self, merge: Merge) -> None:
        merge.start = self._cluster.timeline.now
        self._cluster.timeline.after(4.0, lambda: self._end(merge))

    def _end(self, merge: Merge) -> None:
        faults = self._cluster.faults
        if faults.stuck_memtables or merge.memstore.server.index in faults.dead_servers:
            self._cluster.timeline.after(RECHECK_SECONDS, lambda: self._end(merge))
            return
        merge.end = self._cluster.timeline.now
        merge.memstore.frozen -= merge.size

    @property
    def running(self) -> list[Merge]:
        return [merge for merge in self.merges if merge.start and not merge.end]

    @property
    def finished(self) -> list[Merge]:
        return [merge for merge in self.merges if merge.end]

    def estimated_end(self, merge: Merge) -> datetime:
        """ESTIMATED_FINISH_TIME."""
        return (merge.start or merge.frozen) + timedelta(seconds=4)
