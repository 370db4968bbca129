"""Views of tenants, servers, zones, parameters, timestamps and events of 4.x.

Column orders are the kernel's, ``share/inner_table/ob_inner_table_schema_def.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.sandbox.events import HistoryEvent
from airflow_ob_provider.sandbox.topology import RPC_PORT, SQL_PORT, Server, Tenant
from airflow_ob_provider.sandbox.views import Row, View, columns

from .logdisk import META_IN_USE, META_SIZE
from .profiles import Profile
from .scn import MAX_SCN, to_scn
from .tenants import Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster

_TENANTS = (
    "TENANT_ID TENANT_NAME/varchar TENANT_TYPE/varchar CREATE_TIME/timestamp MODIFY_TIME/timestamp "
    "PRIMARY_ZONE/varchar LOCALITY/varchar PREVIOUS_LOCALITY/varchar COMPATIBILITY_MODE/varchar STATUS/varchar "
    "IN_RECYCLEBIN/varchar LOCKED/varchar"
)
_TENANTS_41 = (
    " TENANT_ROLE/varchar SWITCHOVER_STATUS/varchar SWITCHOVER_EPOCH SYNC_SCN/ubigint REPLAYABLE_SCN/ubigint "
    "READABLE_SCN/ubigint RECOVERY_UNTIL_SCN/ubigint LOG_MODE/varchar ARBITRATION_SERVICE_STATUS/varchar"
)
_TENANTS_42 = " UNIT_NUM COMPATIBLE/varchar MAX_LS_ID"
_TENANTS_433 = " RESTORE_DATA_MODE/varchar"
_PARAMETER_STAT = columns(
    "zone/varchar svr_type/varchar svr_ip/varchar svr_port name/varchar data_type/varchar value/varchar "
    "info/varchar section/varchar scope/varchar source/varchar edit_level/varchar default_value/varchar isdefault "
    "tenant_id"
)
_SERVERS = columns(
    "SVR_IP/varchar SVR_PORT ID ZONE/varchar SQL_PORT WITH_ROOTSERVER/varchar STATUS/varchar "
    "START_SERVICE_TIME/timestamp STOP_TIME/timestamp BLOCK_MIGRATE_IN_TIME/timestamp CREATE_TIME/timestamp "
    "MODIFY_TIME/timestamp BUILD_VERSION/varchar LAST_OFFLINE_TIME/timestamp"
)
#: No limit.
MAX_IOPS = 2**63 - 1
_PAIRS = " ".join(f"NAME{n}/varchar VALUE{n}/varchar" for n in range(1, 7))


def _tenant_columns(profile: Profile) -> str:
    text = _TENANTS
    text += _TENANTS_41 if profile.log_mode else ""
    text += _TENANTS_42 if profile.tenant_units else ""
    return text + (_TENANTS_433 if profile.restore_data_mode else "")


def _tenants(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
    """Sys sees all, a user tenant its own row; a meta tenant before its user tenant."""
    everybody: list[Tenant4] = cluster.tenants
    for tenant in everybody:
        if viewer.is_sys:
            if not tenant.is_sys:
                yield _tenant_row(cluster, tenant, meta=True)
            yield _tenant_row(cluster, tenant, meta=False)
        elif tenant is viewer:
            yield _tenant_row(cluster, tenant, meta=False)


def _tenant_row(cluster: Cluster, tenant: Tenant4, *, meta: bool) -> Row:
    profile = cluster.profile
    user = not meta and not tenant.is_sys
    zones = _zones(cluster)
    locality = ", ".join(f"FULL{{1}}@{zone}" for zone in zones)
    kind = "META" if meta else "SYS" if tenant.is_sys else "USER"
    row: list[Any] = [
        tenant.meta_id if meta else tenant.tenant_id,
        tenant.meta_name if meta else tenant.name,
        kind, tenant.created, tenant.created, ";".join(zones) if not user else "RANDOM", locality, None,
        tenant.compatibility_mode if user else "MYSQL", tenant.status,
        "YES" if user and tenant.in_recyclebin else "NO", "YES" if user and tenant.locked else "NO",
    ]  # fmt: skip
    if profile.log_mode:
        # A user tenant's SCNs are those of its log; sys and meta tenants have none.
        scn = to_scn(cluster.timeline.now - timedelta(milliseconds=150)) if user else None
        mode = "ARCHIVELOG" if user and tenant.log_mode else "NOARCHIVELOG"
        role = tenant.role if user else "PRIMARY"
        row += [role, "NORMAL", 0, scn, scn, scn, MAX_SCN, mode, "DISABLED"]
    if profile.tenant_units:
        row += [1, profile.version, 1001 if user else 1]
    if profile.restore_data_mode:
        row.append("NORMAL")
    return row


def _zones(cluster: Cluster) -> list[str]:
    return sorted({server.zone for server in cluster.servers})


def _servers(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    started = cluster.created + timedelta(seconds=30)
    for server in cluster.servers:
        dead = server.index in cluster.faults.dead_servers
        yield (server.ip, RPC_PORT, server.index + 1, server.zone, SQL_PORT, "YES" if server.index == 0 else "NO",
               "INACTIVE" if dead else "ACTIVE", None if dead else started, None, None, cluster.created,
               cluster.created, cluster.profile.build_version,
               cluster.timeline.now if dead else None)  # fmt: skip


def _zone_rows(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    for zone in _zones(cluster):
        yield (zone, cluster.created, cluster.created, "ACTIVE", "default_idc", "default_region", "ReadWrite")


def _units(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
    """One unit a server and tenant; a meta tenant lives in its user tenant's unit. A dead server is silent."""
    everybody: list[Tenant4] = cluster.tenants
    for number, tenant in enumerate(everybody):
        if not (viewer.is_sys or tenant is viewer):
            continue
        in_use, size = cluster.log_disks.of(tenant)
        disks = [] if tenant.is_sys or not viewer.is_sys else [(tenant.meta_id, META_IN_USE, META_SIZE)]
        disks.append((tenant.tenant_id, in_use, size))
        for server in cluster.servers:
            if server.index in cluster.faults.dead_servers:
                continue
            unit_id = (1 if tenant.is_sys else 1000 * number) + server.index
            for tenant_id, used, total in disks:
                yield (server.ip, RPC_PORT, unit_id, tenant_id, server.zone, "ReadWrite", "default_region", 4.0, 4.0,
                       8 * 2**30, MAX_IOPS, MAX_IOPS, 4, total, used, 3 * 2**30, "NORMAL",
                       tenant.created)  # fmt: skip


def _parameters(cluster: Cluster, viewer: Tenant) -> Iterable[tuple[int | None, Server, Any, str]]:
    """The cluster's for everybody; those of tenants for sys and for themselves."""
    for tenant_id, server, parameter, value in cluster.parameters.visible():
        if viewer.is_sys or tenant_id in {None, viewer.tenant_id}:
            yield tenant_id, server, parameter, value


def _parameter_stat(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
    for tenant_id, server, parameter, value in _parameters(cluster, viewer):
        scope = "CLUSTER" if tenant_id is None else "TENANT"
        yield (server.zone, "observer", server.ip, RPC_PORT, parameter.name, "NULL", value, parameter.info,
               "OBSERVER", scope, "DEFAULT", "DYNAMIC_EFFECTIVE", parameter.default, int(value == parameter.default),
               tenant_id)  # fmt: skip


def _gv_parameters(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
    for tenant_id, server, parameter, value in _parameters(cluster, viewer):
        scope = "CLUSTER" if tenant_id is None else "TENANT"
        yield (server.ip, RPC_PORT, server.zone, scope, tenant_id, parameter.name, "NULL", value, parameter.info,
               "OBSERVER", "DYNAMIC_EFFECTIVE")  # fmt: skip


def _timestamp_service(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
    now = to_scn(cluster.timeline.now)
    for tenant in cluster.tenants:
        if viewer.is_sys or tenant is viewer:
            yield (tenant.tenant_id, "GTS", now)


def _pairs(event: HistoryEvent) -> list[str]:
    flat = [text for pair in event.values[:6] for text in pair]
    return flat + [""] * (12 - len(flat))


def _rootservice_events(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    for event in cluster.events.rootservice:
        yield (event.at, event.module, event.event, *_pairs(event), "", event.server.ip, RPC_PORT)


def system_views(profile: Profile) -> list[View]:
    return [
        View("DBA_OB_TENANTS", columns(_tenant_columns(profile)), _tenants, everywhere=True),
        View("DBA_OB_SERVERS", _SERVERS, _servers),
        View("DBA_OB_ZONES", columns(
            "ZONE/varchar CREATE_TIME/timestamp MODIFY_TIME/timestamp STATUS/varchar IDC/varchar REGION/varchar "
            "TYPE/varchar"), _zone_rows),
        View("GV$OB_UNITS", columns(
            "SVR_IP/varchar SVR_PORT UNIT_ID TENANT_ID ZONE/varchar ZONE_TYPE/varchar REGION/varchar MAX_CPU/double "
            "MIN_CPU/double MEMORY_SIZE MAX_IOPS MIN_IOPS IOPS_WEIGHT LOG_DISK_SIZE LOG_DISK_IN_USE DATA_DISK_IN_USE "
            "STATUS/varchar CREATE_TIME/timestamp"), _units, everywhere=True),
        View("__all_virtual_tenant_parameter_stat", _PARAMETER_STAT, _parameter_stat, everywhere=True),
        View("GV$OB_PARAMETERS", columns(
            "SVR_IP/varchar SVR_PORT ZONE/varchar SCOPE/varchar TENANT_ID NAME/varchar DATA_TYPE/varchar "
            "VALUE/varchar INFO/varchar SECTION/varchar EDIT_LEVEL/varchar"), _gv_parameters, everywhere=True),
        View("V$OB_TIMESTAMP_SERVICE", columns(
            "TENANT_ID TS_TYPE/varchar TS_VALUE"), _timestamp_service, everywhere=True),
        View("DBA_OB_ROOTSERVICE_EVENT_HISTORY", columns(
            f"TIMESTAMP/timestamp MODULE/varchar EVENT/varchar {_PAIRS} EXTRA_INFO/varchar RS_SVR_IP/varchar "
            "RS_SVR_PORT"), _rootservice_events),
    ]  # fmt: skip
