"""Inner tables and views about servers, tenants, parameters, zones, memtables, merges and events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.cluster import CLUSTER_ID
from airflow_ob_provider.sandbox.events import HistoryEvent
from airflow_ob_provider.sandbox.parameters import Parameter, Parameters
from airflow_ob_provider.sandbox.topology import RPC_PORT, SQL_PORT, Server, Tenant
from airflow_ob_provider.sandbox.views import Row, View, columns, microseconds

if TYPE_CHECKING:
    from .cluster import Cluster

_STAMPS = "gmt_create/timestamp gmt_modified/timestamp "
_PARAMETER_STAT = columns(
    "zone/varchar svr_type/varchar svr_ip/varchar svr_port name/varchar data_type/varchar value/varchar "
    "value_strict/varchar info/varchar need_reboot section/varchar visible_level/varchar scope/varchar source/varchar "
    "edit_level/varchar"
)
_SYS_PARAMETER = columns(
    _STAMPS + "zone/varchar svr_type/varchar svr_ip/varchar svr_port name/varchar data_type/varchar value/varchar "
    "value_strict/varchar info/varchar need_reboot section/varchar visible_level/varchar config_version "
    "scope/varchar source/varchar edit_level/varchar"
)


def _visible_parameters(cluster: Cluster, tenant: Tenant) -> Iterable[tuple[Server, Parameter, str]]:
    """Cluster parameters belong to the sys tenant; a dead server doesn't answer."""
    for server, parameter, value in cluster.parameters.visible() if tenant.is_sys else ():
        if server.index not in cluster.faults.dead_servers:
            yield server, parameter, value


def _parameter_stat(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    for server, parameter, value in _visible_parameters(cluster, tenant):
        place = (server.zone, "observer", server.ip, RPC_PORT)
        # data_type is NULL and source stays DEFAULT even after a SET, as on a live 3.1.5.
        yield (*place, parameter.name, None, value, None, parameter.info, None, "OBSERVER", None,
               "CLUSTER", "DEFAULT", "DYNAMIC_EFFECTIVE")  # fmt: skip


def _sys_parameter(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    known: Parameters = cluster.parameters
    for stored in known.stored():
        server = stored.server
        place = (server.zone, "observer", server.ip, RPC_PORT) if server else ("", "observer", "ANY", 0)
        yield (stored.created, stored.modified, *place, stored.name, "varchar", stored.value, "",
               known.find(stored.name).info, None, "OBSERVER", None, stored.version,
               "CLUSTER", "DEFAULT", "DYNAMIC_EFFECTIVE")  # fmt: skip


def _servers(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    created = cluster.created
    started = microseconds(created + timedelta(seconds=30))
    for server in cluster.servers:
        dead = server.index in cluster.faults.dead_servers
        status, offline = ("inactive", microseconds(cluster.timeline.now)) if dead else ("active", 0)
        # An inactive server keeps the start_service_time of its last life.
        yield (created, created, server.ip, RPC_PORT, server.index + 1, server.zone, SQL_PORT,
               int(server.index == 0), status, 0, cluster.profile.build_version, 0, started, 0, 1, offline)  # fmt: skip


def _server_stat(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    for server in cluster.servers:
        dead = server.index in cluster.faults.dead_servers
        deviation = cluster.faults.clock_deviation_us.get(server.index, 0)
        # The RootService accepts a deviation below half a second.
        sync = "NOT SYNC" if abs(deviation) > 500_000 else "SYNC"
        beat = "lease_expired" if dead else "alive"
        yield (server.ip, RPC_PORT, server.zone, deviation, 500 + 37 * server.index, sync, "NORMAL", beat)


def _ob_cluster(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    role = "PHYSICAL STANDBY" if cluster.faults.standby else "PRIMARY"
    scn = microseconds(cluster.timeline.now)
    yield (CLUSTER_ID, cluster.name, cluster.created, role, "VALID", 0, "NOT ALLOWED", "", scn,
           "MAXIMUM PERFORMANCE", "MAXIMUM PERFORMANCE", "")  # fmt: skip


def _sys_variables(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    for tenant in cluster.tenants:
        # '1' is the global timestamp service, '0' local timestamps.
        value = "0" if tenant.name in cluster.faults.no_gts_tenants else "1"
        yield (cluster.created, cluster.created, tenant.tenant_id, "", "ob_timestamp_service", 5, value,
               "service to provide timestamps: 0 LTS, 1 GTS, 2 HA_GTS", 1)  # fmt: skip


def _zones(cluster: Cluster) -> list[str]:
    return sorted({server.zone for server in cluster.servers})


def _gv_tenant(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    zones = _zones(cluster)
    locality = ", ".join(f"FULL{{1}}@{zone}" for zone in zones)
    for other in cluster.tenants:
        if tenant.is_sys or other is tenant:
            primary, info = (";".join(zones), "system tenant") if other.is_sys else ("RANDOM", "")
            yield (other.tenant_id, other.name, ";".join(zones), primary, 0, info, 0, locality)


def _all_tenant(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    zones = ";".join(_zones(cluster))
    for other in cluster.tenants:
        info = "system tenant" if other.is_sys else ""
        yield (other.created, other.created, other.tenant_id, other.name, zones, "RANDOM", 0, 0, info,
               "TENANT_STATUS_NORMAL")  # fmt: skip


def _all_zone(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    created = cluster.created
    state = "MERGING" if cluster.freezer.merging else "IDLE"
    yield (created, created, "", "cluster", 0, cluster.name)
    yield (created, created, "", "merge_status", int(cluster.freezer.merging), state)
    for zone in _zones(cluster):
        yield (created, created, zone, "merge_status", int(cluster.freezer.merging), state)
        yield (created, created, zone, "status", 2, "ACTIVE")


def _memstore_info(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    for memtable in cluster.freezer.memtables:
        if memtable.server.index in cluster.faults.dead_servers:
            continue
        if not tenant.is_sys and memtable.tenant_id != tenant.tenant_id:
            continue
        base = microseconds(memtable.base)
        snapshot = microseconds(memtable.snapshot) if memtable.snapshot else 2**63 - 1
        place = (memtable.tenant_id, memtable.server.ip, RPC_PORT, memtable.table_id, memtable.partition_id)
        yield (*place, "2-0-0", base, base, snapshot, int(memtable.active), memtable.used, 128, 128)


def _merge_info(cluster: Cluster, tenant: Tenant) -> Iterable[Row]:
    for merge in cluster.freezer.merges:
        if tenant.is_sys or merge.tenant_id == tenant.tenant_id:
            place = (merge.server.ip, RPC_PORT, merge.tenant_id, merge.table_id, merge.partition_id)
            version = str(microseconds(merge.version))
            yield (*place, merge.kind, merge.action, version, merge.start, merge.end, merge.macro_blocks, None, 1)


def _nothing(_cluster: Cluster, _tenant: Tenant) -> Iterable[Row]:
    """gv$minor_merge_info: a manual freeze never fills it (OceanBase 3.1.x source)."""
    return ()


def _pairs(event: HistoryEvent) -> list[str]:
    flat = [text for pair in event.values[:6] for text in pair]
    return flat + [""] * (12 - len(flat))


def _rootservice_events(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    for event in cluster.events.rootservice:
        yield (event.at, event.module, event.event, *_pairs(event), "", event.server.ip, RPC_PORT)


def _server_events(cluster: Cluster, _: Tenant) -> Iterable[Row]:
    for event in cluster.events.server:
        yield (event.at, event.server.ip, RPC_PORT, event.module, event.event, *_pairs(event), "")


_PAIRS = " ".join(f"name{n}/varchar value{n}/varchar" for n in range(1, 7))

SYSTEM_VIEWS = [
    View("__all_virtual_sys_parameter_stat", _PARAMETER_STAT, _parameter_stat, everywhere=True),
    View("__all_sys_parameter", _SYS_PARAMETER, _sys_parameter),
    View("__all_server", columns(
        _STAMPS + "svr_ip/varchar svr_port id zone/varchar inner_port with_rootserver status/varchar "
        "block_migrate_in_time build_version/varchar stop_time start_service_time first_sessid with_partition "
        "last_offline_time"), _servers),
    View("__all_virtual_server_stat", columns(
        "svr_ip/varchar svr_port zone/varchar clock_deviation heartbeat_latency clock_sync_status/varchar "
        "admin_status/varchar heartbeat_status/varchar"), _server_stat),
    View("v$ob_cluster", columns(
        "CLUSTER_ID CLUSTER_NAME/varchar CREATED/timestamp CLUSTER_ROLE/varchar CLUSTER_STATUS/varchar "
        "SWITCHOVER_COUNT SWITCHOVER_STATUS/varchar SWITCHOVER_INFO/varchar CURRENT_SCN PROTECTION_MODE/varchar "
        "PROTECTION_LEVEL/varchar REDO_TRANSPORT_OPTIONS/varchar"), _ob_cluster),
    View("__all_virtual_sys_variable", columns(
        _STAMPS + "tenant_id zone/varchar name/varchar data_type value/longtext info/varchar flags"), _sys_variables),
    View("gv$tenant", columns(
        "tenant_id tenant_name/varchar zone_list/varchar primary_zone/varchar collation_type info/varchar read_only "
        "locality/varchar"), _gv_tenant, everywhere=True),
    View("__all_tenant", columns(
        _STAMPS + "tenant_id tenant_name/varchar zone_list/varchar primary_zone/varchar locked collation_type "
        "info/varchar status/varchar"), _all_tenant),
    View("__all_zone", columns(_STAMPS + "zone/varchar name/varchar value info/varchar"), _all_zone),
    View("gv$memstore_info", columns(
        "TENANT_ID IP/varchar PORT TABLE_ID PARTITION_ID VERSION/varchar BASE_VERSION MULTI_VERSION_START "
        "SNAPSHOT_VERSION IS_ACTIVE USED HASH_ITEMS BTREE_ITEMS"), _memstore_info, everywhere=True),
    View("gv$merge_info", columns(
        "SVR_IP/varchar SVR_PORT TENANT_ID TABLE_ID PARTITION_ID TYPE/varchar ACTION/varchar VERSION/varchar "
        "START_TIME/timestamp END_TIME/timestamp MACRO_BLOCK_COUNT REUSE_PCT/decimal:2 PARALLEL_DEGREE"),
        _merge_info, everywhere=True),
    View("gv$minor_merge_info", columns(
        "SVR_IP/varchar SVR_PORT TENANT_ID/varchar FREEZE_SNAPSHOT/longtext START_TIME/timestamp "
        "FINISH_TIME/timestamp"), _nothing, everywhere=True),
    View("__all_rootservice_event_history", columns(
        f"gmt_create/timestamp module/varchar event/varchar {_PAIRS} extra_info/varchar rs_svr_ip/varchar "
        "rs_svr_port"), _rootservice_events),
    View("__all_server_event_history", columns(
        f"gmt_create/timestamp svr_ip/varchar svr_port module/varchar event/varchar {_PAIRS} extra_info/varchar"),
        _server_events),
]  # fmt: skip
