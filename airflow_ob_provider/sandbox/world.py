"""One simulated cluster with its clock, its catalogue and its record, shared by all connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from .catalogue import Catalogue
from .clock import Clock
from .cluster import BaseCluster
from .engine import Select
from .errors import ServerError
from .recorder import Recorder
from .topology import Tenant, User


class World:
    """What every connection shares. State is touched only inside :meth:`locked`."""

    def __init__(self, cluster: BaseCluster, clock: Clock, select: Select) -> None:
        self.cluster = cluster
        self.clock = clock
        self.select = select
        self.catalogue = Catalogue(cluster.views())
        self.recorder = Recorder()
        self.global_variables: dict[str, str | int] = {}
        self._lock = threading.RLock()

    @contextmanager
    def locked(self) -> Iterator[BaseCluster]:
        """The cluster, brought up to the present."""
        with self._lock:
            self.cluster.timeline.run_until(self.clock.now())
            yield self.cluster

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.cluster.timeline.run_until(self.clock.now())
            self.cluster.timeline.run_until(self.clock.advance(seconds))

    def now(self) -> datetime:
        return self.clock.now()

    def account(self, user: str, tenant: str) -> tuple[Tenant, User] | None:
        with self.locked() as cluster:
            found = cluster.find_tenant(tenant)
            return (found, found.users[user]) if found and user in found.users else None

    def split_login(self, login: str, *, proxy: bool) -> tuple[str, str]:
        """(user, tenant) of a login name.

        An OBServer takes everything after the first ``@`` as the tenant (``src/observer/mysql/obmp_connect.cpp``),
        so a cluster name makes an unknown tenant. A proxy also reads ``user@tenant#cluster`` and
        ``cluster:tenant:user`` (also with ``-`` or ``.``); another cluster's name is an unknown tenant for it too.
        """
        for delimiter in ":-." if proxy and "@" not in login else "":
            if login.count(delimiter) == 2:
                cluster, tenant, user = login.split(delimiter)
                return user, tenant if cluster == self.cluster.name else f"{tenant}#{cluster}"
        user, at, tenant = login.partition("@")
        if not at:
            return user, "sys"
        if proxy:
            name, hash_sign, cluster = tenant.partition("#")
            if not hash_sign or cluster == self.cluster.name:
                return user, name
        return user, tenant


def access_denied(login: str, host: str, *, password: bool) -> ServerError:
    """A wrong password and an unknown user or tenant look the same."""
    using = "YES" if password else "NO"
    return ServerError(1045, f"Access denied for user '{login}'@'{host}' (using password: {using})")
