"""Execution of the parsed admin commands on the cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.sandbox.errors import ServerError, not_supported
from airflow_ob_provider.sandbox.topology import Server, Tenant, User
from airflow_ob_provider.sandbox.values import parse_time

from . import statements as st

if TYPE_CHECKING:
    from .cluster import Cluster


def authorize(command: st.Command, tenant: Tenant, user: User) -> None:
    """Who may do it: ALTER SYSTEM is for the sys tenant and its users with that privilege.

    In a user tenant a cluster parameter doesn't even exist (5099); everything else is refused (1227).
    """
    if isinstance(command, st.SetEncryption):
        return
    if not tenant.is_sys:
        raise ServerError(5099 if isinstance(command, st.SetParameters) else 1227)
    if not user.may("ALTER SYSTEM"):
        what = "Access denied; you need (at least one of) the ALTER SYSTEM privilege(s) for this operation"
        raise ServerError(1227, what)


def execute(command: st.Command, cluster: Cluster, *, encrypted: bool) -> None:
    """Run a command; the client gets OK with 0 affected rows, or the ServerError.

    ``encrypted``: the session has set a password for its backup sets.
    """
    if isinstance(command, st.BackupDatabase):
        cluster.backup.start(incremental=command.incremental, encryption=_encryption(encrypted))
    elif isinstance(command, st.BackupTenant):
        cluster.backup.start(incremental=False, encryption=_encryption(encrypted), tenants=command.tenants)
    elif isinstance(command, st.Archivelog):
        if command.start:
            cluster.archive.start()
        else:
            cluster.archive.stop()
    elif not isinstance(command, st.SetEncryption):
        # The ones above look at their own configuration before they notice the RootService's state.
        cluster.check_not_switching()
        _HANDLERS[type(command)](cluster, command)


def _encryption(encrypted: bool) -> str:
    return "PASSWORD" if encrypted else "NONE"


def _minor_freeze(cluster: Cluster, command: st.MinorFreeze) -> None:
    cluster.freezer.minor(command.tenants, command.servers, command.zone)


def _delete_backup(cluster: Cluster, command: st.DeleteBackup) -> None:
    cluster.delete_backup(command.what, command.key)


def _delete_obsolete(cluster: Cluster, _: st.DeleteObsolete) -> None:
    """Needs a recovery window; nothing of the sandbox is ever old enough to be deleted."""
    window = cluster.archive.option.recovery_window
    if not window and not parse_time(cluster.parameters.central("backup_recovery_window")):
        raise not_supported("delete obsolete backup without recovery window is")


def _refuse(_: Cluster, command: st.InGrammarOnly) -> None:
    raise not_supported(f"{command.what} is")


def _set_parameters(cluster: Cluster, command: st.SetParameters) -> None:
    cluster.set_parameters(command.assignments, _targets(cluster, command.server, command.zone))


def _targets(cluster: Cluster, server: str | None, zone: str | None) -> list[Server] | None:
    if server is not None:
        found = [s for s in cluster.servers if s.address == server]
        if not found:
            raise ServerError(4018, "Entry not exist")
        return found
    return None if zone is None else [s for s in cluster.servers if s.zone == zone]


def _create_tenant(cluster: Cluster, command: st.CreateTenant) -> None:
    if not (command.if_not_exists and cluster.find_tenant(command.name)):
        cluster.create_tenant(command.name)


def _drop_tenant(cluster: Cluster, command: st.DropTenant) -> None:
    if not command.if_exists or cluster.find_tenant(command.name):
        cluster.drop_tenant(command.name)


_HANDLERS: dict[type, Callable[[Cluster, Any], None]] = {
    st.MinorFreeze: _minor_freeze,
    st.MajorFreeze: lambda cluster, _: cluster.freezer.major(),
    st.CancelAllBackupForce: lambda cluster, _: cluster.cancel_all_backup_force(),
    st.CancelBackup: lambda cluster, _: cluster.backup.cancel(),
    st.DeleteBackup: _delete_backup,
    st.DeleteObsolete: _delete_obsolete,
    st.InGrammarOnly: _refuse,
    st.SetParameters: _set_parameters,
    st.CreateTenant: _create_tenant,
    st.DropTenant: _drop_tenant,
}
