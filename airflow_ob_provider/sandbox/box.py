"""The Python face of the sandbox: start it, look at it, move its clock, switch its faults."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from .clock import CLUSTER_UTC_OFFSET, Clock
from .engine import select
from .faults import Faults
from .generations import make_cluster
from .history import History
from .kernel import Kernel, KernelEngine
from .profiles import get_profile
from .recorder import Recorded
from .server import WireServer
from .topology import User
from .world import World


class Sandbox:
    """A simulated OceanBase cluster that listens on the loopback interface.

    :param profile: the build: 2.2.77, 3.1.0, 3.1.2, 3.1.5, 3.2.4, 4.0.0, 4.1.0, 4.2.1, 4.2.5 or 4.3.3.
    :param tenants: number of user tenants, called tenant1, tenant2 …
    :param servers: number of OBServers, over at most three zones.
    :param port: 0 takes a free port.
    :param speed: how many times faster than real time the cluster lives.
    :param manual_clock: time stands still except for :meth:`advance`.
    :param proxy: behave like an OBProxy: other login names, other handshake version.
    :param start_time: cluster local time at the start (naive); default: now, in the cluster's zone (UTC+8).
    :param password: of root@sys.
    :param cluster: the cluster's name.
    :param tls: offer TLS with this context; without it the server doesn't advertise TLS.
    :param engine: what runs SELECTs: "sqlite", or "kernel", a real OceanBase kernel (or one that runs already), which
        also freezes and dumps memtables. It lives in real time and is of version 4.3: profile 4.3.3 only.
    :param tick_seconds: 4.x: seconds between two looks of a tenant's archive scheduler, instead of the build's own.
    """

    def __init__(
        self,
        profile: str = "3.2.4",
        *,
        tenants: int = 2,
        servers: int = 3,
        port: int = 0,
        speed: float = 1.0,
        manual_clock: bool = False,
        proxy: bool = False,
        start_time: datetime | None = None,
        password: str = "",
        cluster: str = "obcluster",
        tls: ssl.SSLContext | None = None,
        tick_seconds: float | None = None,
        engine: str | Kernel = "sqlite",
    ) -> None:
        start = start_time or datetime.now(UTC).replace(tzinfo=None) + CLUSTER_UTC_OFFSET
        if start.tzinfo is not None:
            raise ValueError("start_time is naive: the cluster's local time")
        self._clock = Clock(start, speed, manual=manual_clock)
        self._cluster = make_cluster(
            get_profile(profile),
            name=cluster,
            servers=servers,
            tenants=tenants,
            password=password,
            now=start,
            tick_seconds=tick_seconds,
        )
        self._world = World(self._cluster, self._clock, select)
        self._engine = engine
        if engine != "sqlite":
            self._check_kernel(engine, in_real_time=not manual_clock and speed == 1.0 and start_time is None)
        self._proxy = proxy
        self._requested_port = port
        self._tls = tls
        self._life = ExitStack()
        self._server: WireServer | None = None
        self.host = "127.0.0.1"

    # --- life -----------------------------------------------------------------------------------------

    def start(self) -> Self:
        if self._server is None:
            if self._engine != "sqlite":
                self._use_kernel()
            self._server = WireServer(self._world, port=self._requested_port, proxy=self._proxy, tls=self._tls)
            self._life.callback(self._server.stop)
            self._server.start()
        return self

    def stop(self) -> None:
        self._life.close()
        self._server = None

    def _check_kernel(self, engine: str | Kernel, *, in_real_time: bool) -> None:
        if engine != "kernel" and not isinstance(engine, Kernel):
            raise ValueError(f"engine is 'sqlite', 'kernel' or a Kernel, not {engine!r}")
        if not self._cluster.fits_kernel:
            raise ValueError(f"engine='kernel' is of version 4.3: profile 4.3.3, not {self._cluster.build.name}")
        if not in_real_time:
            raise ValueError("engine='kernel' lives in real time: no speed, manual_clock or start_time")

    def _use_kernel(self) -> None:
        kernel = self._engine if isinstance(self._engine, Kernel) else self._life.enter_context(Kernel())
        engine = KernelEngine(kernel)
        self._life.callback(engine.close)
        self._world.select = engine.select
        self._cluster.freeze_with(engine.minor_freeze)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the sandbox isn't running")
        return self._server.port

    def connection(self, user: str = "root", tenant: str = "sys") -> dict[str, Any]:
        """An Airflow connection to this sandbox, as its JSON form."""
        account = self._world.account(user, tenant)
        login = f"{user}@{tenant}#{self._cluster.name}" if self._proxy else f"{user}@{tenant}"
        return {
            "conn_type": "oceanbase",
            "host": self.host,
            "port": self.port,
            "login": login,
            "password": account[1].password if account else "",
            "schema": "oceanbase",
            "extra": {},
        }

    # --- time -----------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The cluster's local time (naive)."""
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        """Move the clock and run everything that is due on the way, in order."""
        self._world.advance(seconds)

    # --- the record -----------------------------------------------------------------------------------

    @property
    def statements(self) -> tuple[Recorded, ...]:
        return self._world.recorder.all()

    @property
    def writes(self) -> tuple[Recorded, ...]:
        return tuple(entry for entry in self.statements if entry.writes)

    def clear_statements(self) -> None:
        self._world.recorder.clear()

    # --- the cluster ----------------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        return self._cluster.faults

    @property
    def parameters(self) -> Any:
        """``parameters["backup_dest"] = …`` presets every server, ``parameters["backup_dest", 1] = …`` one.

        4.x: ``parameters["archive_lag_target", "tenant1"]`` is a tenant's own; without it, every tenant's.
        """
        with self._world.locked() as cluster:
            return cluster.parameters

    def create_tenant(self, name: str, *, idle: bool = False) -> None:
        """A new tenant; ``idle``: nothing is ever written to it."""
        with self._world.locked() as cluster:
            cluster.create_tenant(name, idle=idle)

    def drop_tenant(self, name: str) -> None:
        with self._world.locked() as cluster:
            cluster.drop_tenant(name)

    def add_user(
        self,
        name: str,
        tenant: str = "sys",
        password: str = "",
        privileges: tuple[str, ...] = ("SELECT",),
    ) -> None:
        """An account with these privileges, e.g. ``("ALTER SYSTEM", "SELECT")``."""
        with self._world.locked() as cluster:
            granted = frozenset(privilege.upper() for privilege in privileges)
            found = cluster.find_tenant(tenant)
            if found is None:
                raise ValueError(f"no tenant called {tenant!r}")
            found.users[name] = User(name, password, granted)

    def force_status(self, status: str, tenant: str | None = None) -> None:
        """Test back door: put the log archive into a state, rows and pieces consistent with it.

        4.x: the archive of one user tenant, or of all; NONE is NOARCHIVELOG without a row.
        """
        with self._world.locked() as cluster:
            cluster.force_status(status, tenant)

    @property
    def history(self) -> History:
        """Test back door to the past: ``box.history.round(1, start, end)``."""
        return History(self._world)

    # --- 4.x only -------------------------------------------------------------------------------------

    def interrupt(self, tenant: str, ls_id: int = 1001) -> None:
        """Break a log stream's archive for good; STATUS becomes INTERRUPTED at the scheduler's next look."""
        with self._world.locked() as cluster:
            cluster.interrupt(tenant, ls_id)

    def set_tenant(self, name: str, **changes: Any) -> None:
        """Change a tenant's ``status``, ``role``, ``in_recyclebin``, ``locked`` or ``compatibility_mode``."""
        with self._world.locked() as cluster:
            cluster.set_tenant(name, **changes)

    @property
    def medium(self) -> Any:
        """The simulated storage: ``box.medium.put(uri, "unformatted")``, ``box.medium.directories``."""
        with self._world.locked() as cluster:
            return cluster.medium
