"""Whom a statement is for: its TENANT clause against the session's own tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.cluster import Caller
from airflow_ob_provider.sandbox.errors import ServerError, not_supported

from .statements import Names
from .tenants import Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster

RESERVED = {"all", "all_user", "all_meta"}


def named_tenant(cluster: Cluster, name: str) -> Tenant4:
    """The user tenant of that name: 5160 unknown, 1235 sys or meta, 5260 locked."""
    if cluster.is_meta_name(name):
        raise ServerError(1235)
    tenant: Tenant4 | None = cluster.find_tenant(name)
    if tenant is None:
        raise ServerError(5160)
    if tenant.is_sys:
        raise ServerError(1235)
    if tenant.locked:
        raise ServerError(5260, f"Tenant '{name}' is locked")
    return tenant


def one_tenant(cluster: Cluster, caller: Caller, name: str | None) -> Tenant4:
    """For destinations: sys must name one user tenant, a user tenant must name none."""
    if not caller.tenant.is_sys:
        if name is not None:
            raise ServerError(1227)
        return own(caller)
    if name is None:
        raise ServerError(1235)
    return named_tenant(cluster, name)


def own(caller: Caller) -> Tenant4:
    assert isinstance(caller.tenant, Tenant4)  # noqa: S101 - what this generation logs in to
    return caller.tenant


def archive_tenants(cluster: Cluster, names: Names) -> list[Tenant4] | None:
    """For ARCHIVELOG and NOARCHIVELOG from sys: the named tenants, or None for all."""
    if names is None:
        return None
    lowered = [name.lower() for name in names]
    if set(lowered) & {"all_user", "all_meta"} and len(names) == 1:
        raise not_supported("use all_user/all_meta in 'ALTER SYSTEM ARCHIVELOG' syntax is")
    if lowered == ["all"]:
        return None
    if set(lowered) & RESERVED:
        raise not_supported("all/all_user/all_meta in combination with other names is")
    found: list[Tenant4] = []
    for name in names:
        tenant = named_tenant(cluster, name)
        if tenant in found:
            raise not_supported(f"duplicate tenant {name} is")
        found.append(tenant)
    return found


def many_tenants(cluster: Cluster, names: Names) -> list[Tenant4]:
    """For parameters and MINOR FREEZE from sys: itself without a clause; ``all`` and its kin, or names."""
    if names is None:
        return [cluster.sys]
    lowered = [name.lower() for name in names]
    if set(lowered) & RESERVED and len(names) > 1:
        raise not_supported("all/all_user/all_meta in combination with other names is")
    if lowered == ["all"]:
        # Before 4.2.1 all is everybody; since then it is what all_user is.
        return list(cluster.user_tenants) if cluster.profile.all_user else list(cluster.tenants)
    if cluster.profile.all_user and lowered == ["all_user"]:
        return list(cluster.user_tenants)
    if cluster.profile.all_user and lowered == ["all_meta"]:
        # Nothing of a meta tenant is simulated.
        return []
    found: list[Tenant4] = []
    for name in names:
        tenant: Tenant4 | None = cluster.find_tenant(name)
        if tenant is None and not cluster.is_meta_name(name):
            raise ServerError(5160)
        if tenant is not None and tenant not in found:
            found.append(tenant)
    return found
