"""Execution of the parsed admin commands on the cluster."""

from __future__ import annotations

from . import statements as st
from .cluster import Cluster
from .errors import ServerError, not_supported
from .options import parse_time
from .topology import Server, Tenant, User


def authorize(command: st.Command, tenant: Tenant, user: User) -> None:
    """Who may do it: ALTER SYSTEM is for the sys tenant and its users with that privilege.

    In a user tenant a cluster parameter doesn't even exist (5099); everything else is refused (1227).
    """
    if isinstance(command, st.SetParameters) and not tenant.is_sys:
        raise ServerError(5099)
    if isinstance(command, st.SetEncryption):
        return
    if not tenant.is_sys or not user.may("ALTER SYSTEM"):
        privilege = "ALTER SYSTEM" if tenant.is_sys else "SUPER"
        raise ServerError(
            1227, f"Access denied; you need (at least one of) the {privilege} privilege(s) for this operation"
        )


def execute(command: st.Command, cluster: Cluster, *, encrypted: bool) -> None:
    """Run a command; the client gets OK with 0 affected rows, or the ServerError. ``encrypted``: the session
    has set a password for its backup sets."""
    cluster.check_not_switching() if not isinstance(command, _WITH_OWN_CHECK) else None
    match command:
        case st.Archivelog(start=True):
            cluster.archive.start()
        case st.Archivelog():
            cluster.archive.stop()
        case st.MinorFreeze(tenants, servers, zone, _):
            cluster.freezer.minor(tenants, servers, zone)
        case st.MajorFreeze():
            cluster.freezer.major()
        case st.CancelAllBackupForce():
            cluster.cancel_all_backup_force()
        case st.CancelBackup():
            cluster.backup.cancel()
        case st.BackupDatabase(incremental):
            cluster.backup.start(incremental=incremental, encryption=_encryption(encrypted))
        case st.BackupTenant(names, _):
            cluster.backup.start(incremental=False, encryption=_encryption(encrypted), tenants=names)
        case st.DeleteBackup(what, key):
            cluster.delete_backup(what, key)
        case st.DeleteObsolete():
            _delete_obsolete(cluster)
        case st.InGrammarOnly(what):
            raise not_supported(f"{what} is")
        case st.SetParameters(assignments, server, zone):
            cluster.set_parameters(assignments, _targets(cluster, server, zone))
        case st.CreateTenant(name, if_not_exists):
            if not (if_not_exists and cluster.find_tenant(name)):
                cluster.create_tenant(name)
        case st.DropTenant(name, if_exists):
            if not if_exists or cluster.find_tenant(name):
                cluster.drop_tenant(name)
        case st.SetEncryption():
            pass


#: These look at their own configuration first, then at the RootService's state.
_WITH_OWN_CHECK = (st.Archivelog, st.BackupDatabase, st.BackupTenant, st.SetEncryption)


def _encryption(encrypted: bool) -> str:
    return "PASSWORD" if encrypted else "NONE"


def _targets(cluster: Cluster, server: str | None, zone: str | None) -> list[Server] | None:
    if server is not None:
        found = [s for s in cluster.servers if s.address == server]
        if not found:
            raise ServerError(4018, "Entry not exist")
        return found
    return None if zone is None else [s for s in cluster.servers if s.zone == zone]


def _delete_obsolete(cluster: Cluster) -> None:
    """Needs a recovery window; nothing of the sandbox is ever old enough to be deleted."""
    window = cluster.archive.option.recovery_window
    if not window and not parse_time(cluster.parameters.central("backup_recovery_window")):
        raise not_supported("delete obsolete backup without recovery window is")
