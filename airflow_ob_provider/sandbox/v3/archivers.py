"""What the OBServers do for the log archive: one stream per server and tenant, and what they report about it."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.clock import Event
from airflow_ob_provider.sandbox.topology import Server, Tenant

from .status import BEGINNING, DOING, STOPPING

if TYPE_CHECKING:
    from .archive import LogArchive
    from .cluster import Cluster

#: OBServers re-read the round, and look for the mount, every 10 s.
SERVER_READ_SECONDS = 10.0


@dataclass
class Stream:
    """What one server reports about one tenant's log."""

    ready: datetime
    start: datetime
    checkpoint: datetime
    interrupted: bool = False
    stopped: bool = False


class Archivers:
    """The archive processes of all servers during a round."""

    def __init__(self, cluster: Cluster, archive: LogArchive) -> None:
        self._cluster = cluster
        self._archive = archive
        self.streams: dict[tuple[int, int], Stream] = {}
        self._events: list[Event] = []

    # --- reports --------------------------------------------------------------------------------------

    @property
    def _now(self) -> datetime:
        return self._cluster.timeline.now

    def live(self, tenant_id: int | None = None) -> list[Stream]:
        """Reports of the servers that are alive, of all tenants or one."""
        dead = self._cluster.faults.dead_servers
        return [
            stream
            for (server, tenant), stream in self.streams.items()
            if server not in dead and tenant_id in (None, tenant)
        ]

    def is_running(self, tenant: Tenant) -> bool:
        """Every alive server archives the tenant."""
        alive = [s for s in self._cluster.servers if s.index not in self._cluster.faults.dead_servers]
        streams = self.live(tenant.tenant_id)
        return len(streams) == len(alive) and all(s.ready <= self._now for s in streams)

    def checkpoint(self, tenant_id: int) -> datetime:
        """How far the slowest server is with a tenant that has streams."""
        return min(s.checkpoint for (_, tenant), s in self.streams.items() if tenant == tenant_id)

    @property
    def all_stopped(self) -> bool:
        return all(stream.stopped for stream in self.streams.values())

    @property
    def any_interrupted(self) -> bool:
        return any(stream.interrupted for stream in self.streams.values())

    # --- life of a round ------------------------------------------------------------------------------

    def start(self) -> None:
        self.stop()
        for server in self._cluster.servers:
            # Spread over one period, deterministically; with up to three servers the second pass sees all.
            self._schedule(server, 1.5 + server.index * 3.1 % 7.5, self._read_round)

    def stop(self) -> None:
        for event in self._events:
            event.cancel()
        self._events.clear()
        self.streams.clear()

    def keep(self, tenants: Container[int]) -> None:
        """Forget the streams of dropped tenants."""
        self.streams = {key: stream for key, stream in self.streams.items() if key[1] in tenants}

    def _schedule(self, server: Server, seconds: float, act: Callable[[Server], None]) -> None:
        self._events = [event for event in self._events if event.action is not None]
        self._events.append(self._cluster.timeline.after(seconds, lambda: act(server)))

    def _of(self, server: Server) -> list[Stream]:
        return [stream for (index, _), stream in self.streams.items() if index == server.index]

    def _read_round(self, server: Server) -> None:
        """A server's periodic look: new tenants to archive, its mount, the end of the round."""
        faults = self._cluster.faults
        status = self._archive.sys.status
        if server.index in faults.dead_servers:
            pass
        elif status == STOPPING:
            for stream in self._of(server):
                stream.stopped = True
        elif status in {BEGINNING, DOING}:
            for tenant_id, row in self._archive.tenants.items():
                if row.status == BEGINNING:
                    self._open(server, tenant_id)
            for stream in self._of(server):
                stream.interrupted |= server.index in faults.unmounted_servers
        self._schedule(server, SERVER_READ_SECONDS, self._read_round)

    def _open(self, server: Server, tenant_id: int) -> None:
        key = (server.index, tenant_id)
        tenant = self._cluster.tenant_by_id(tenant_id)
        if tenant is None or key in self.streams:
            return
        delay = timedelta(seconds=1.0 + self._cluster.faults.slow_start_seconds)
        start = max(self._archive.sys.first or self._now, tenant.created)
        self.streams[key] = Stream(ready=self._now + delay, start=start, checkpoint=max(start, self._now))
        self._schedule(server, self._archive.interval, lambda s: self._advance(s, key))

    def _advance(self, server: Server, key: tuple[int, int]) -> None:
        """A cold partition's checkpoint advances once per interval."""
        stream = self.streams.get(key)
        if stream is None:
            return
        faults = self._cluster.faults
        held = faults.frozen_checkpoint or faults.dead_servers or faults.destination_unwritable
        if not held and not stream.interrupted and self._archive.sys.status in {BEGINNING, DOING}:
            # Each tenant's last log is a little older than the moment the server looks.
            behind = timedelta(microseconds=100_000 + key[1] * 7919 % 400_000)
            stream.checkpoint = max(stream.checkpoint, self._now - behind)
        self._schedule(server, self._archive.interval, lambda s: self._advance(s, key))

    # --- the test back door ---------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Every server archives every tenant, up to now."""
        for server in self._cluster.servers:
            for tenant_id in self._archive.tenants:
                self._open(server, tenant_id)
        for stream in self.streams.values():
            stream.ready, stream.interrupted = self._now, False
            stream.checkpoint = max(stream.checkpoint, self._now)

    def resume(self, start: datetime, checkpoint: datetime) -> None:
        """Every server has archived every tenant since the round's start, up to the checkpoint."""
        self.catch_up()
        for stream in self.streams.values():
            stream.start, stream.checkpoint = start, checkpoint

    def interrupt(self) -> None:
        for stream in self.streams.values():
            stream.interrupted = True
