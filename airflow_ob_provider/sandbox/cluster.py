"""What the sandbox needs of a simulated cluster, whatever its generation: servers, tenants, time, faults.

``sandbox/v3`` and ``sandbox/v4`` have one subclass each; :mod:`.generations` chooses it from the profile.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .build import Profile
from .clock import Timeline
from .engine import Table
from .events import EventHistory
from .faults import Faults
from .past import Past
from .topology import SYS_TENANT_ID, Tenant, User, make_servers
from .views import View

CLUSTER_ID = 1


@dataclass
class Caller:
    """The session that sends an admin statement."""

    tenant: Tenant
    user: User
    #: SET ENCRYPTION gave a password for the session's backup sets
    encrypted: bool
    #: ob_query_timeout in seconds
    query_timeout: float


@dataclass(frozen=True)
class Effect:
    """What an admin statement leaves to its session: the encryption state, and how long it took (simulated)."""

    encrypted: bool | None = None
    seconds: float = 0.0


class BaseCluster(ABC):
    """State of one cluster. Not thread-safe: the caller holds a lock and runs the timeline first."""

    #: the view SHOW PARAMETERS reads, and the columns it shows of it
    PARAMETER_VIEW: str
    PARAMETER_COLUMNS: str

    def __init__(self, profile: Profile, *, name: str, servers: int, password: str, now: datetime) -> None:
        self.build = profile
        self.name = name
        self.created = now - timedelta(days=1)
        self.timeline = Timeline(now)
        self.faults = Faults()
        self.servers = make_servers(servers)
        self.events = EventHistory(self.timeline, self.servers[0])
        sys_tenant = self.new_tenant(SYS_TENANT_ID, "sys", self.created)
        sys_tenant.users["root"] = User("root", password)
        self.tenants: list[Any] = [sys_tenant]
        #: INCARNATION of the archive
        self.incarnation = 1

    # --- tenants --------------------------------------------------------------------------------------

    def new_tenant(self, tenant_id: int, name: str, created: datetime, *, idle: bool = False) -> Tenant:
        return Tenant(tenant_id, name, created, idle)

    def find_tenant(self, name: str) -> Any | None:
        return next((t for t in self.tenants if t.name == name), None)

    def tenant_by_id(self, tenant_id: int) -> Any | None:
        return next((t for t in self.tenants if t.tenant_id == tenant_id), None)

    @abstractmethod
    def create_tenant(self, name: str, *, created: datetime | None = None, idle: bool = False) -> Tenant: ...

    @abstractmethod
    def drop_tenant(self, name: str) -> None: ...

    # --- what a session can do --------------------------------------------------------------------------

    @abstractmethod
    def execute(self, sql: str, caller: Caller) -> Effect:
        """Run an admin statement (ALTER SYSTEM and relatives); the client gets OK or the ServerError."""

    @abstractmethod
    def views(self) -> Iterable[View]:
        """The views of this build."""

    def present(self, table: Table) -> Table:
        """Last word on a table before a client reads it."""
        return table

    def parameter_filter(self, tenant: Tenant, named: str | None) -> str:  # noqa: ARG002 - for subclasses
        """SQL condition of SHOW PARAMETERS [TENANT = named] for a session of ``tenant``; '' for none."""
        return ""

    def error_text(self, message: str) -> str:
        """How the server words an error."""
        return message

    def clock_skew(self) -> timedelta:
        """How far the clock of the server that answers is ahead of the cluster's time."""
        return timedelta()

    #: whether the views are those of the kernel that engine="kernel" starts
    fits_kernel: bool = False

    def freeze_with(self, minor_freeze: Callable[[], None]) -> None:
        """Let a real kernel freeze and dump memtables."""
        raise NotImplementedError

    # --- test back doors ------------------------------------------------------------------------------

    @property
    @abstractmethod
    def parameters(self) -> Any:
        """Parameter values, see :attr:`.box.Sandbox.parameters`."""

    @property
    @abstractmethod
    def past(self) -> Past:
        """What :attr:`.box.Sandbox.history` puts there."""

    @abstractmethod
    def force_status(self, status: str, tenant: str | None = None) -> None:
        """Put the log archive into a state; ValueError for an unknown one."""

    def interrupt(self, tenant: str, ls_id: int) -> None:  # noqa: ARG002 - for subclasses
        raise ValueError(f"profile {self.build.name} has no log streams")

    def set_tenant(self, name: str, **changes: Any) -> None:  # noqa: ARG002 - for subclasses
        raise ValueError(f"tenants of profile {self.build.name} have no such state")

    @property
    def medium(self) -> Any:
        raise ValueError(f"profile {self.build.name} has no simulated medium; see Sandbox.faults")
