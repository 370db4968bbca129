"""The simulated cluster: servers, tenants, parameters and the machines that work on them, in one place.

Everything an ALTER SYSTEM statement may do is a method here or on one of the parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from airflow_ob_provider.sandbox.cluster import CLUSTER_ID, BaseCluster, Caller, Effect
from airflow_ob_provider.sandbox.errors import ServerError, not_supported
from airflow_ob_provider.sandbox.parameters import Parameters
from airflow_ob_provider.sandbox.past import NewCleanJob
from airflow_ob_provider.sandbox.topology import Server, Tenant, User
from airflow_ob_provider.sandbox.values import parse_bool
from airflow_ob_provider.sandbox.views import View

from . import commands
from .archive import LogArchive
from .backup import DataBackup
from .freeze import Freezer
from .history import Past3
from .options import check_destination, destination_key, parse_dest_option
from .parameters import definitions
from .profiles import Profile
from .statements import SetEncryption, parse_command
from .status import STOP
from .views_archive import archive_views
from .views_backup import backup_views
from .views_system import SYSTEM_VIEWS

#: User tenants are numbered from 1001 on an OceanBase 3.x cluster.
FIRST_USER_TENANT_ID = 1001


class Cluster(BaseCluster):
    """A cluster of 2.2.77 or 3.x."""

    PARAMETER_VIEW = "__all_virtual_sys_parameter_stat"
    PARAMETER_COLUMNS = (
        "zone, svr_type, svr_ip, svr_port, name, data_type, value, info, section, scope, source, edit_level"
    )

    def __init__(
        self, profile: Profile, *, name: str, servers: int, tenants: int, password: str, now: datetime
    ) -> None:
        super().__init__(profile, name=name, servers=servers, password=password, now=now)
        self.profile = profile
        self._parameters = Parameters(definitions(profile, name, CLUSTER_ID), self.servers, self.timeline, self.faults)
        self.archive = LogArchive(self)
        self.backup: DataBackup = DataBackup(self)
        self.freezer: Freezer = Freezer(self)
        #: deletions of old backups, oldest first
        self.clean_jobs: list[NewCleanJob] = []
        self._past: Past3 = Past3(self)
        self._next_tenant_id = FIRST_USER_TENANT_ID
        self.freezer.add_tenant(self.tenants[0])
        for number in range(1, tenants + 1):
            created = self.created + timedelta(hours=number, microseconds=number * 345_823)
            self.create_tenant(f"tenant{number}", created=created)

    # --- tenants --------------------------------------------------------------------------------------

    @property
    def user_tenants(self) -> list[Tenant]:
        return [tenant for tenant in self.tenants if not tenant.is_sys]

    def tenant_named(self, name: str) -> Tenant:
        """The tenant of that name, else 5157."""
        tenant: Tenant | None = self.find_tenant(name)
        if tenant is None:
            raise ServerError(5157, f"Unknown tenant '{name}'")
        return tenant

    def create_tenant(self, name: str, *, created: datetime | None = None, idle: bool = False) -> Tenant:
        """A new tenant with an administrator ``root`` without a password; it joins a running round by itself."""
        if self.find_tenant(name) is not None:
            raise ServerError(5156, f"Tenant '{name}' already exists")
        tenant = self.new_tenant(self._next_tenant_id, name, created or self.timeline.now, idle=idle)
        self._next_tenant_id += 1
        tenant.users["root"] = User("root")
        self.tenants.append(tenant)
        self.freezer.add_tenant(tenant)
        return tenant

    def drop_tenant(self, name: str) -> None:
        tenant = self.tenant_named(name)
        if tenant.is_sys:
            raise not_supported("drop system tenant is")
        self.tenants.remove(tenant)
        self.freezer.drop_tenant(tenant)

    # --- what a session can do ------------------------------------------------------------------------

    def execute(self, sql: str, caller: Caller) -> Effect:
        command = parse_command(sql, self.profile)
        commands.authorize(command, caller.tenant, caller.user)
        commands.execute(command, self, encrypted=caller.encrypted)
        return Effect(encrypted=command.on if isinstance(command, SetEncryption) else None)

    def views(self) -> Iterable[View]:
        return [*archive_views(self.profile), *backup_views(self.profile), *SYSTEM_VIEWS]

    @property
    def parameters(self) -> Parameters:
        return self._parameters

    @property
    def past(self) -> Past3:
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
        if tenant is not None:
            raise ValueError("the log archive of 3.x has one state for all tenants")
        self.archive.force(status)

    # --- checks many statements share -----------------------------------------------------------------

    def check_root_service(self) -> None:
        """What the RootService checks before anything else: its configuration, then its own state."""
        if self.faults.config_not_synced:
            # Three attempts, a second apart.
            raise ServerError(4527, blocks=3.0)
        self.check_not_switching()

    def check_not_switching(self) -> None:
        if self.faults.rs_switching:
            raise ServerError(4114)

    def check_gts(self) -> None:
        if any(tenant.name in self.faults.no_gts_tenants for tenant in self.user_tenants):
            raise not_supported("physical backup without GTS is")

    # --- parameters -----------------------------------------------------------------------------------

    def set_parameters(self, assignments: Iterable[tuple[str, str]], servers: Iterable[Server] | None = None) -> None:
        """ALTER SYSTEM SET: every assignment is checked before the first one takes effect."""
        checked = []
        for name, value in assignments:
            parameter = self.parameters.find(name)
            self._check_assignment(parameter.name, value)
            self.parameters.validate(parameter.name, value)
            checked.append((parameter.name, value))
        targets = None if servers is None else tuple(servers)
        for name, value in checked:
            self.parameters.set(name, value, targets)
            if name == "backup_dest":
                self.events.add_rootservice("backup_dest", "set_backup_dest", result=0)

    def run_internal_set(self, name: str, value: str) -> None:
        """The RootService's own SET: none of the resolver's checks."""
        self.parameters.set(name, value)

    def _check_assignment(self, name: str, value: str) -> None:
        if name == "backup_dest":
            self._check_backup_dest(value)
        elif name in {"backup_dest_option", "backup_backup_dest_option"}:
            self._check_dest_option(name, value)
        elif name == "enable_log_archive" and parse_bool(value) and self.archive.sys.status == STOP:
            raise not_supported("set enable log archive true without archivelog is")
        elif name == "backup_region" and value and self.parameters.central("backup_zone"):
            raise ServerError(9057, "can not set backup region, because backup zone is set.")
        elif name == "backup_zone" and value and self.parameters.central("backup_region"):
            raise ServerError(9058, "can not set backup zone, because backup region is set.")

    def _check_backup_dest(self, value: str) -> None:
        """The order of check_backup_dest in ``ob_alter_system_resolver.cpp``."""
        if self.archive.sys.status != STOP or self.backup.running:
            raise ServerError(9036)
        if not value:
            return
        check_destination(value, nfs_rejects_parameters=self.profile.nfs_rejects_parameters)
        if self.faults.dest_io_error:
            raise ServerError(4009)
        if destination_key(value) in self.archive.used_destinations:
            raise ServerError(9026)
        if self.parameters.central("backup_backup_dest"):
            raise not_supported("set backup dest with backup backup dest not empty is")

    def _check_dest_option(self, name: str, value: str) -> None:
        option = parse_dest_option(value)
        if name != "backup_dest_option" or self.archive.sys.status == STOP:
            return
        if bool(option.piece_switch_interval) != bool(self.archive.option.piece_switch_interval):
            raise not_supported("change switch piece mode during log archive running is")

    # --- statements that concern several parts --------------------------------------------------------

    def cancel_all_backup_force(self) -> None:
        """Empties both destinations (past the check of a running backup), then cancels every scheduler."""
        self.check_not_switching()
        for name in ("backup_dest", "backup_backup_dest"):
            self.run_internal_set(name, "")
        self.archive.force_cancel()
        self.backup.force_cancel()

    def delete_backup(self, what: str, key: int) -> None:
        """DELETE BACKUPSET / BACKUPPIECE / BACKUPROUND: marks the files deleted where that is allowed."""
        if what == "BACKUPSET":
            self.backup.latest_deletable(key).file_status = "DELETED"
            return
        pieces = self.archive.pieces.rows
        if what == "BACKUPPIECE":
            chosen = [p for p in pieces if p.piece_id == key]
        else:
            chosen = [p for p in pieces if p.round_id == key]
        if not chosen:
            raise ServerError(4016)
        if any(p.status != "FROZEN" for p in chosen):
            raise not_supported(f"delete {what.lower()} which is not frozen is")
        for piece in chosen:
            piece.file_status = "DELETED"
