"""The simulated 4.x cluster: tenants, their archives and backups, parameters and the medium, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from airflow_ob_provider.sandbox.cluster import BaseCluster, Caller, Effect
from airflow_ob_provider.sandbox.engine import Table
from airflow_ob_provider.sandbox.errors import ServerError, not_supported
from airflow_ob_provider.sandbox.topology import SYS_TENANT_ID, Tenant, User
from airflow_ob_provider.sandbox.values import parse_time
from airflow_ob_provider.sandbox.views import View

from . import commands, forcing
from .archive import TenantArchive
from .backup import DataBackup
from .conflicts import as_documented
from .freeze import Freezer
from .grammar import parse_command
from .history import Past4
from .jobs import TenantBackups
from .logdisk import LogDisks
from .medium import Medium
from .parameters import AllParameters
from .policy import Policies
from .profiles import Profile
from .statements import DeleteBackup
from .targets import own
from .tenants import FIRST_USER_TENANT_ID, Tenant4
from .views_archive import archive_views
from .views_backup import backup_views
from .views_compaction import compaction_views
from .views_system import system_views

#: S3 can't be written to more often.
SHORTEST_S3_LAG = 60.0


class Cluster(BaseCluster):
    """A cluster of 4.x. ``tick_seconds`` replaces the pauses of the build's archive schedulers."""

    PARAMETER_VIEW = "__all_virtual_tenant_parameter_stat"
    PARAMETER_COLUMNS = (
        "zone, svr_type, svr_ip, svr_port, name, data_type, value, info, section, scope, source, edit_level, "
        "default_value, isdefault"
    )

    def __init__(
        self,
        profile: Profile,
        *,
        name: str,
        servers: int,
        tenants: int,
        password: str,
        now: datetime,
        tick_seconds: float | None = None,
    ) -> None:
        if tick_seconds is not None and tick_seconds <= 0:
            raise ValueError("tick_seconds must be positive")
        super().__init__(profile, name=name, servers=servers, password=password, now=now)
        self.profile = profile
        self.fits_kernel = profile.compaction_groups
        self._tick = tick_seconds
        self._medium = Medium(self)
        self._parameters = AllParameters(self)
        self.archives: dict[int, TenantArchive] = {}
        self.backups: dict[int, TenantBackups] = {SYS_TENANT_ID: TenantBackups(SYS_TENANT_ID)}
        self.backup: DataBackup = DataBackup(self)
        self.policies: Policies = Policies(self)
        self.freezer: Freezer = Freezer(self)
        #: LAST_CHECK_TIMESTAMP of archive destinations where it isn't the cluster's creation, None for no row
        self.storage_checks: dict[int, datetime | None] = {}
        self.log_disks: LogDisks = LogDisks(self)
        self._past: Past4 = Past4(self)
        self._next_tenant_id = FIRST_USER_TENANT_ID
        self._parameters.add_tenant(SYS_TENANT_ID)
        self.freezer.add_tenant(SYS_TENANT_ID, idle=False)
        for number in range(1, tenants + 1):
            created = self.created + timedelta(hours=number, microseconds=number * 345_823)
            self.create_tenant(f"tenant{number}", created=created)

    def freeze_with(self, minor_freeze: Callable[[], None]) -> None:
        self.freezer.kernel_freeze = minor_freeze

    # --- tenants --------------------------------------------------------------------------------------

    def new_tenant(self, tenant_id: int, name: str, created: datetime, *, idle: bool = False) -> Tenant4:
        return Tenant4(tenant_id, name, created, idle)

    @property
    def sys(self) -> Tenant4:
        tenant: Tenant4 = self.tenants[0]
        return tenant

    @property
    def user_tenants(self) -> list[Tenant4]:
        return self.tenants[1:]

    def is_meta_name(self, name: str) -> bool:
        return any(tenant.meta_name == name.upper() for tenant in self.user_tenants)

    def create_tenant(self, name: str, *, created: datetime | None = None, idle: bool = False) -> Tenant4:
        """A new tenant with an administrator ``root`` without a password; nobody archives it by itself."""
        if self.find_tenant(name) is not None:
            raise ServerError(5156, f"Tenant '{name}' already exists")
        tenant = self.new_tenant(self._next_tenant_id, name, created or self.timeline.now, idle=idle)
        self._next_tenant_id += 2
        tenant.users["root"] = User("root")
        self.tenants.append(tenant)
        tenant_id = tenant.tenant_id
        self._parameters.add_tenant(tenant_id)
        self.archives[tenant_id] = TenantArchive(self, tenant)
        self.backups[tenant_id] = TenantBackups(tenant_id)
        for each in (tenant_id, tenant.meta_id):
            self.freezer.add_tenant(each, idle=idle)
        return tenant

    def drop_tenant(self, name: str) -> None:
        tenant: Tenant4 | None = self.find_tenant(name)
        if tenant is None:
            raise ServerError(5157, f"Unknown tenant '{name}'")
        if tenant.is_sys:
            raise not_supported("drop system tenant is")
        self.tenants.remove(tenant)
        self._parameters.drop_tenant(tenant.tenant_id)
        self.archives.pop(tenant.tenant_id).end()
        del self.backups[tenant.tenant_id]
        self.policies.windows.pop(tenant.tenant_id, None)
        self.storage_checks.pop(tenant.tenant_id, None)
        self.log_disks.drop_tenant(tenant.tenant_id)
        for each in (tenant.tenant_id, tenant.meta_id):
            self.freezer.drop_tenant(each)

    # --- what a session can do --------------------------------------------------------------------------

    def execute(self, sql: str, caller: Caller) -> Effect:
        command = parse_command(sql)
        commands.authorize(command, caller)
        return commands.execute(command, self, caller)

    def views(self) -> Iterable[View]:
        profile = self.profile
        return [
            *system_views(profile),
            *archive_views(profile),
            *backup_views(profile),
            *compaction_views(profile),
        ]

    def present(self, table: Table) -> Table:
        return as_documented(table, self.faults.doc_conflicts)

    def parameter_filter(self, tenant: Tenant, named: str | None) -> str:
        """The cluster's parameters and those of one tenant: the named one, else the session's own."""
        chosen = tenant
        if named is not None:
            if not tenant.is_sys and named != tenant.name:
                raise ServerError(1227)
            found = self.find_tenant(named)
            if found is None:
                raise ServerError(5160)
            chosen = found
        return f"(tenant_id IS NULL OR tenant_id = {chosen.tenant_id})"

    def error_text(self, message: str) -> str:
        """With enable_rich_error_msg a second line says where and when."""
        if self._parameters.cluster.central("enable_rich_error_msg") != "True":
            return message
        server, now = self.servers[0], self.timeline.now
        return f"{message}\n[{server.address}] [{now:%Y-%m-%d %H:%M:%S.%f}] [YB420A0A0A01-0005F1E2D3C4B5A6-0-0]"

    def clock_skew(self) -> timedelta:
        """Sessions are on the first server."""
        return timedelta(microseconds=self.faults.clock_deviation_us.get(0, 0))

    # --- what the parts ask ---------------------------------------------------------------------------

    def tick_seconds(self, *, moving: bool) -> float:
        """Until an archive scheduler looks again."""
        if self._tick is not None:
            return self._tick
        return self.profile.moving_tick if moving else self.profile.steady_tick

    def is_dead(self, tenant_id: int) -> bool:
        """Whether the medium is dead for a tenant: nothing can be written or read there."""
        faults = self.faults
        if faults.destination_unwritable or faults.unmounted_servers:
            return True
        dead = faults.dead_medium
        if isinstance(dead, bool):
            return dead
        tenant = self.tenant_by_id(tenant_id)
        return str(tenant_id) in dead or (tenant is not None and tenant.name in dead)

    def slow_start(self, tenant: Tenant4) -> float:
        return self.faults.slow_start_seconds + self.faults.slow_start_tenants.get(tenant.name, 0.0)

    def is_short_lag(self, text: str) -> bool:
        seconds = parse_time(text) if text else None
        return seconds is not None and seconds < SHORTEST_S3_LAG

    def check_not_switching(self) -> None:
        """The RootService is moving: 4114, or the errno the fault names."""
        switching = self.faults.rs_switching
        if switching:
            raise ServerError(4114 if switching is True else int(switching))

    def delete_backup(self, command: DeleteBackup, caller: Caller) -> None:
        """DELETE BACKUPSET / BACKUPPIECE / OBSOLETE BACKUP of 4.0 and 4.1: marks the files of one tenant deleted."""
        tenant = own(caller)
        if tenant.is_sys and command.tenants:
            tenant = self.find_tenant(command.tenants[0]) or tenant
        if tenant.is_sys:
            raise ServerError(1235)
        if command.what == "OBSOLETE":
            return
        found: list[Any] = [s for s in self.backups[tenant.tenant_id].sets if s.set_id == command.key]
        if command.what == "BACKUPPIECE":
            pieces = [piece for r in self.archives[tenant.tenant_id].rounds for piece in r.pieces]
            found = [piece for piece in pieces if piece.piece_id == command.key and piece.status == "FROZEN"]
        if not found:
            raise ServerError(4018)
        for entry in found:
            entry.file_status = "DELETED"

    # --- test back doors ------------------------------------------------------------------------------

    @property
    def parameters(self) -> AllParameters:
        return self._parameters

    @property
    def medium(self) -> Medium:
        return self._medium

    @property
    def past(self) -> Past4:
        return self._past

    def replace_tenant(self, name: str, tenant_id: int) -> None:
        """Drop a tenant and create another of its name with this id."""
        self.drop_tenant(name)
        self._next_tenant_id = tenant_id
        self.create_tenant(name)

    @property
    def next_tenant_id(self) -> int:
        return self._next_tenant_id

    def force_status(self, status: str, tenant: str | None = None) -> None:
        chosen = self.user_tenants if tenant is None else [self.user_tenant(tenant)]
        for each in chosen:
            forcing.force(self, each, status)

    def interrupt(self, tenant: str, ls_id: int) -> None:
        self.archives[self.user_tenant(tenant).tenant_id].interrupt(ls_id)

    def set_tenant(self, name: str, **changes: Any) -> None:
        tenant = self.user_tenant(name)
        for key, value in changes.items():
            if key not in Tenant4.CHANGEABLE:
                raise ValueError(f"unknown change {key!r}, known: {', '.join(Tenant4.CHANGEABLE)}")
            setattr(tenant, key, value)

    def user_tenant(self, name: str) -> Tenant4:
        """The user tenant of that name, else ValueError."""
        found: Tenant4 | None = self.find_tenant(name)
        if found is None or found.is_sys:
            raise ValueError(f"no user tenant called {name!r}")
        return found
