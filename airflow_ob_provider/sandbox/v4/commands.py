"""Execution of the parsed admin commands on a 4.x cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.sandbox.cluster import Caller, Effect
from airflow_ob_provider.sandbox.errors import ServerError, not_supported

from . import statements as st
from .archivelog import archivelog
from .settings import set_system

if TYPE_CHECKING:
    from .cluster import Cluster


def authorize(command: st.Command, caller: Caller) -> None:
    """ALTER SYSTEM needs that privilege in any tenant; tenants are created and dropped by sys only."""
    if isinstance(command, st.SetEncryption):
        return
    if isinstance(command, st.CreateTenant | st.DropTenant) and not caller.tenant.is_sys:
        raise ServerError(1227)
    if not caller.user.may("ALTER SYSTEM"):
        what = "Access denied; you need (at least one of) the ALTER SYSTEM privilege(s) for this operation"
        raise ServerError(1227, what)


def execute(command: st.Command, cluster: Cluster, caller: Caller) -> Effect:
    """Run a command; the client gets OK with 0 affected rows, or the ServerError."""
    if isinstance(command, st.SetEncryption):
        return Effect(encrypted=command.on)
    cluster.check_not_switching()
    return Effect(seconds=_HANDLERS[type(command)](cluster, command, caller) or 0.0)


def _refuse(_cluster: Cluster, _command: st.InGrammarOnly, _caller: Caller) -> None:
    raise ServerError(1235)


def _delete(cluster: Cluster, command: st.DeleteBackup, caller: Caller) -> None:
    if not cluster.profile.manual_delete:
        raise not_supported("function is")
    cluster.delete_backup(command, caller)


def _create_tenant(cluster: Cluster, command: st.CreateTenant, _: Caller) -> None:
    if not (command.if_not_exists and cluster.find_tenant(command.name)):
        cluster.create_tenant(command.name)


def _drop_tenant(cluster: Cluster, command: st.DropTenant, _: Caller) -> None:
    if not command.if_exists or cluster.find_tenant(command.name):
        cluster.drop_tenant(command.name)


_HANDLERS: dict[type, Callable[[Cluster, Any, Caller], float | None]] = {
    st.Archivelog: archivelog,
    st.SetSystem: set_system,
    st.Backup: lambda cluster, command, caller: cluster.backup.start(command, caller),
    st.CancelBackup: lambda cluster, command, caller: cluster.backup.cancel(command, caller),
    st.Policy: lambda cluster, command, caller: cluster.policies.change(command, caller),
    st.CancelDelete: lambda cluster, command, caller: cluster.policies.cancel_delete(command, caller),
    st.DeleteBackup: _delete,
    st.MinorFreeze: lambda cluster, command, caller: cluster.freezer.minor(command, caller),
    # Major freezes of a tenant end in views that aren't simulated.
    st.MajorFreeze: lambda _cluster, _command, _caller: None,
    st.InGrammarOnly: _refuse,
    st.CreateTenant: _create_tenant,
    st.DropTenant: _drop_tenant,
}
