"""ARCHIVELOG and NOARCHIVELOG: since 4.1 they flip LOG_MODE and nothing else; on 4.0 they work on the round itself.

Kernel source, ``rootserver/backup/ob_archive_scheduler_service.cpp`` of 4.0, 4.1 and 4.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.cluster import Caller
from airflow_ob_provider.sandbox.errors import ServerError

from .statements import Archivelog
from .targets import archive_tenants, own
from .tenants import Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster


def archivelog(cluster: Cluster, command: Archivelog, caller: Caller) -> None:
    """Run the statement; from sys the errors of single tenants are mostly lost, from the tenant itself they show."""
    switch = _flip if cluster.profile.log_mode else _act
    if not caller.tenant.is_sys:
        if command.tenants is not None:
            raise ServerError(1227)
        switch(cluster, own(caller), command.start)
        _wake(cluster, own(caller))
        return
    named = archive_tenants(cluster, command.tenants)
    tenants = [t for t in cluster.user_tenants if t.normal] if named is None else named
    errors = [_error_of(cluster, tenant, command.start) for tenant in tenants]
    if named is not None and len(named) == 1:
        _wake(cluster, named[0])
    shown = _shown_error(cluster, errors, start=command.start, everybody=named is None)
    if shown is not None:
        raise shown


def _error_of(cluster: Cluster, tenant: Tenant4, start: bool) -> ServerError | None:
    try:
        (_flip if cluster.profile.log_mode else _act)(cluster, tenant, start)
    except ServerError as error:
        return error
    return None


def _shown_error(
    cluster: Cluster, errors: list[ServerError | None], *, start: bool, everybody: bool
) -> ServerError | None:
    """Which of the tenants' errors the client sees."""
    if not cluster.profile.log_mode:
        # 4.0: the first one of a list; with ALL none.
        return None if everybody else next((error for error in errors if error), None)
    if start:
        return None
    # The loop overwrites its result: the last tenant wins.
    return errors[-1] if errors else None


def _flip(cluster: Cluster, tenant: Tenant4, start: bool) -> None:
    """LOG_MODE of one tenant, 4.1+."""
    if start:
        if not tenant.normal:
            raise ServerError(9023)
        if tenant.log_mode:
            raise ServerError(9091)
    else:
        if not tenant.log_mode:
            raise ServerError(9092)
        if cluster.profile.snapshots and tenant.name in cluster.faults.tenant_snapshots:
            raise ServerError(4179, "tenant snapshots exist, close log archive not allowed")
    if tenant.name in cluster.faults.unswitchable_tenants:
        raise ServerError(4016)
    tenant.log_mode = start
    event = "open_archive_mode" if start else "close_archive_mode"
    cluster.events.add_rootservice("log_archive", event, tenant_id=tenant.tenant_id)


def _act(cluster: Cluster, tenant: Tenant4, start: bool) -> None:
    """The round of one tenant, 4.0."""
    archive = cluster.archives[tenant.tenant_id]
    if start:
        archive.start_now()
    else:
        archive.stop_now()


def _wake(cluster: Cluster, tenant: Tenant4) -> None:
    if cluster.profile.wakes:
        cluster.archives[tenant.tenant_id].wake()
