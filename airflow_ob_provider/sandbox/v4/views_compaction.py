"""Memstores and compactions of 4.x."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.topology import RPC_PORT, Tenant
from airflow_ob_provider.sandbox.views import Row, View, columns

from .freeze import MEMSTORE_LIMIT
from .profiles import Profile
from .scn import to_scn
from .tenants import LOG_STREAMS
from .twins import twins

if TYPE_CHECKING:
    from .cluster import Cluster

_PROGRESS = (
    "SVR_IP/varchar SVR_PORT TENANT_ID TYPE/varchar LS_ID TABLET_ID COMPACTION_SCN/ubigint TASK_ID STATUS/varchar "
    "DATA_SIZE UNFINISHED_DATA_SIZE PROGRESSIVE_COMPACTION_ROUND CREATE_TIME/timestamp START_TIME/timestamp "
    "ESTIMATED_FINISH_TIME/timestamp"
)
_HISTORY = (
    "SVR_IP/varchar SVR_PORT TENANT_ID LS_ID TABLET_ID TYPE/varchar COMPACTION_SCN/ubigint START_TIME/timestamp "
    "FINISH_TIME/timestamp TASK_ID OCCUPY_SIZE MACRO_BLOCK_COUNT MULTIPLEXED_MACRO_BLOCK_COUNT "
    "NEW_MICRO_COUNT_IN_NEW_MACRO MULTIPLEXED_MICRO_COUNT_IN_NEW_MACRO TOTAL_ROW_COUNT INCREMENTAL_ROW_COUNT "
    "COMPRESSION_RATIO/decimal:2 NEW_FLUSH_DATA_RATE PROGRESSIVE_COMPACTION_ROUND PROGRESSIVE_COMPACTION_NUM "
    "PARALLEL_DEGREE PARALLEL_INFO/varchar PARTICIPANT_TABLE/varchar MACRO_ID_LIST/varchar COMMENTS/varchar"
)
_HISTORY_43 = (
    " START_CG_ID END_CG_ID KEPT_SNAPSHOT/varchar MERGE_LEVEL/varchar EXEC_MODE/varchar IS_FULL_MERGE/varchar "
    "IO_COST_TIME_PERCENTAGE MERGE_REASON/varchar BASE_MAJOR_STATUS/varchar CO_MERGE_TYPE/varchar"
)
_MEMSTORE = columns(
    "TENANT_ID SVR_IP/varchar SVR_PORT ACTIVE_SPAN FREEZE_TRIGGER FREEZE_CNT MEMSTORE_USED MEMSTORE_LIMIT"
)
TYPE = "MINI_MERGE"
ROW_BYTES = 128


def _progress(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
    for merge in cluster.freezer.running:
        memstore = merge.memstore
        if _hidden(cluster, viewer, memstore.tenant_id, memstore.server.index):
            continue
        yield (memstore.server.ip, RPC_PORT, memstore.tenant_id, TYPE, LOG_STREAMS[-1], merge.tablet_id,
               to_scn(merge.frozen), merge.task_id, "NODE_RUNNING", merge.size, merge.size // 2, 0, merge.start,
               merge.start, cluster.freezer.estimated_end(merge))  # fmt: skip


def _history(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
    for merge in cluster.freezer.finished:
        memstore = merge.memstore
        if _hidden(cluster, viewer, memstore.tenant_id, memstore.server.index):
            continue
        rows = merge.size // ROW_BYTES
        row = (memstore.server.ip, RPC_PORT, memstore.tenant_id, LOG_STREAMS[-1], merge.tablet_id, TYPE,
               to_scn(merge.frozen), merge.start, merge.end, merge.task_id, merge.size // 4,
               1 + merge.size // (8 * 2**20), 0, 12, 0, rows, rows, 0.25, 1 + merge.size // 4, 0, 0, 1, "-", "", "",
               "")  # fmt: skip
        yield (
            (*row, 0, 0, "", "NORMAL", "EXEC_MODE_LOCAL", "FALSE", 3, "", "", "")
            if (cluster.profile.compaction_groups)
            else row
        )


def _hidden(cluster: Cluster, viewer: Tenant, tenant_id: int, server: int) -> bool:
    """Other tenants' rows, and those of a server that doesn't answer."""
    return server in cluster.faults.dead_servers or not (viewer.is_sys or viewer.tenant_id == tenant_id)


def _memstore(cluster: Cluster, viewer: Tenant) -> Iterable[Row]:
    for memstore in cluster.freezer.memstores:
        if not _hidden(cluster, viewer, memstore.tenant_id, memstore.server.index):
            yield (memstore.tenant_id, memstore.server.ip, RPC_PORT, memstore.active, MEMSTORE_LIMIT // 5,
                   memstore.freezes, memstore.active + memstore.frozen, MEMSTORE_LIMIT)  # fmt: skip


def _nothing(_: Cluster, __: Tenant) -> Iterable[Row]:
    return ()


def _no_rows(_: Cluster) -> Iterable[Row]:
    """Major freezes aren't simulated."""
    return ()


def compaction_views(profile: Profile) -> list[View]:
    groups = profile.compaction_groups
    diagnose = columns(
        "SVR_IP/varchar SVR_PORT TENANT_ID LS_ID TABLET_ID TYPE/varchar COMPACTION_SCN/ubigint STATUS/varchar "
        "CREATE_TIME/timestamp DIAGNOSE_INFO/varchar"
    )
    progress = columns(_PROGRESS)
    return [
        View("GV$OB_TABLET_COMPACTION_PROGRESS", progress, _progress, everywhere=True),
        View("GV$OB_TABLET_COMPACTION_HISTORY", columns(_HISTORY + (_HISTORY_43 if groups else "")), _history,
             everywhere=True),
        View("GV$OB_COMPACTION_DIAGNOSE_INFO", diagnose, _nothing, everywhere=True),
        View("GV$OB_MEMSTORE", _MEMSTORE, _memstore, everywhere=True),
        *twins("OB_FREEZE_INFO", "FROZEN_SCN/ubigint CLUSTER_VERSION SCHEMA_VERSION GMT_CREATE/timestamp "
               "GMT_MODIFIED/timestamp", _no_rows),
    ]  # fmt: skip
