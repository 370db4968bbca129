"""Rows as the manuals and a live 3.1.5 print them, by view and column; a column they leave out is NULL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_ob_provider.sandbox.engine import Table

Samples = Mapping[str, Sequence[Mapping[str, Any]]]


def _rows(columns: str, *rows: str) -> list[dict[str, Any]]:
    """Rows of text divided by ``|``; digits are numbers and ``-`` is NULL."""
    names = columns.split()
    return [
        {name: _value(text) for name, text in zip(names, row.split("|"), strict=True)}
        for row in rows
    ]  # fmt: skip


def _value(text: str) -> Any:
    return None if text == "-" else int(text) if text.isdigit() else text


_ARCHIVELOG_3 = (
    "INCARNATION LOG_ARCHIVE_ROUND TENANT_ID STATUS START_PIECE_ID BACKUP_PIECE_ID MIN_FIRST_TIME MAX_NEXT_TIME "
    "INPUT_BYTES OUTPUT_BYTES COMPRESSION_RATIO INPUT_BYTES_DISPLAY OUTPUT_BYTES_DISPLAY"
)
_PIECES_3 = (
    "INCARNATION TENANT_ID ROUND_ID BACKUP_PIECE_ID COPY_ID CREATE_DATE START_TS CHECKPOINT_TS MAX_TS STATUS "
    "FILE_STATUS COMPATIBLE START_PIECE_ID"
)
_SETS_3 = (
    "INCARNATION TENANT_ID BS_KEY COPY_ID BACKUP_TYPE ENCRYPTION_MODE STATUS FILE_STATUS START_TIME COMPLETION_TIME "
    "ELAPSED_SECONDES KEEP KEEP_UNTIL COMPRESSED OUTPUT_BYTES COMPRESSION_RATIO OUTPUT_BYTES_DISPLAY "
    "OUTPUT_RATE_BYTES_DISPLAY TIME_TAKEN_DISPLAY"
)
_TENANTS_3 = _rows("tenant_id tenant_name", "1|sys", "1001|mysql_tenant", "1002|oracle_tenant")

#: V3.1.5 manual, log backup with pieces.
DOING_3 = {
    "gv$tenant": _TENANTS_3,
    "CDB_OB_BACKUP_ARCHIVELOG": _rows(
        _ARCHIVELOG_3,
        "1|1|1|DOING|1|1|2021-07-22 15:18:06.135913|2021-07-22 15:18:10.116704|0|0|-|0.00MB|0.00MB",
        "1|1|1001|DOING|1|1|2021-07-22 15:18:06.135913|2021-07-22 15:18:10.483601|0|0|-|0.00MB|0.00MB",
        "1|1|1002|DOING|1|1|2021-07-22 15:18:06.135913|2021-07-22 15:18:10.116704|0|0|-|0.00MB|0.00MB",
    ),
    "CDB_OB_BACKUP_PIECE_FILES": _rows(
        _PIECES_3,
        "1|1|1|1|0|20210722|2021-07-22 15:18:06.135913||MAX|ACTIVE|AVAILABLE|1|1",
        "1|1001|1|1|0|20210722|2021-07-22 15:18:06.135913||MAX|ACTIVE|AVAILABLE|1|1",
        "1|1002|1|1|0|20210722|2021-07-22 15:18:06.135913||MAX|ACTIVE|AVAILABLE|1|1",
    ),
    "CDB_OB_BACKUP_ARCHIVELOG_SUMMARY": _rows(
        _ARCHIVELOG_3,
        "1|1|1|DOING|1|1|2021-07-22 15:18:06.135913|2021-07-22 15:18:10.116704|0|0|-|0.00MB|0.00MB",
        "1|1|1001|DOING|1|1|2021-07-22 15:18:06.135913|2021-07-22 15:18:10.483601|0|0|-|0.00MB|0.00MB",
        "1|1|1002|DOING|1|1|2021-07-22 15:18:06.135913|2021-07-22 15:18:10.116704|0|0|-|0.00MB|0.00MB",
    ),
    "CDB_OB_BACKUP_SET_FILES": _rows(
        _SETS_3,
        "1|1|3|0|D|NONE|SUCCESS|AVAILABLE|2022-10-28 11:19:56.883788|2022-10-28 11:19:59.629990|3|NO||NO|3376538|"
        "0.02|3.22MB|1.17MB/S|00:00:02.746202",
        "1|1001|3|0|D|NONE|SUCCESS|AVAILABLE|2022-10-28 11:19:56.883788|2022-10-28 11:19:59.629990|3|NO||NO|3376538|"
        "0.02|3.22MB|1.17MB/S|00:00:02.746202",
    ),
}
#: A live 3.1.5 after NOARCHIVELOG, and right after the next ARCHIVELOG.
STOP_3 = {
    "gv$tenant": _TENANTS_3[:2],
    "CDB_OB_BACKUP_ARCHIVELOG": _rows(
        _ARCHIVELOG_3, "1|1|1|STOP|0|0|2024-04-13 08:53:47.460682|2024-04-13 16:33:43.624022|0|0|-|0.00MB|0.00MB"
    ),
    "CDB_OB_BACKUP_PIECE_FILES": _rows(
        _PIECES_3,
        "1|1|1|0|0|20221028|2022-10-28 10:58:38.325595|2022-10-28 14:50:29.834598|2022-10-28 14:50:39.280049|FROZEN|"
        "AVAILABLE|1|0",
    ),
}
BEGINNING_3 = {
    "gv$tenant": _TENANTS_3[:2],
    "CDB_OB_BACKUP_ARCHIVELOG": _rows(
        _ARCHIVELOG_3,
        "1|2|1|BEGINNING|0|0|2024-04-13 16:35:56.854341||0|0|-|0.00MB|0.00MB",
        "1|2|1001|BEGINNING|0|0|2024-04-13 09:19:46.345823||0|0|-|0.00MB|0.00MB",
    ),
    "CDB_OB_BACKUP_PIECE_FILES": [],
}
#: V4.2.5 manual, log archive.
DOING_4 = {
    "DBA_OB_TENANTS": _rows(
        "TENANT_ID TENANT_NAME TENANT_TYPE STATUS IN_RECYCLEBIN LOG_MODE",
        "1|sys|SYS|NORMAL|NO|NOARCHIVELOG",
        "1001|META$1002|META|NORMAL|NO|NOARCHIVELOG",
        "1002|mysql_tenant|USER|NORMAL|NO|ARCHIVELOG",
    ),
    "CDB_OB_ARCHIVE_DEST": _rows(
        "TENANT_ID DEST_NO NAME VALUE",
        "1002|0|binding|OPTIONAL",
        "1002|0|dest_id|1002",
        "1002|0|path|file:///data/nfs/backup/archive",
        "1002|0|piece_switch_interval|1d",
        "1002|0|state|ENABLE",
    ),
    "CDB_OB_ARCHIVELOG": _rows(
        "TENANT_ID DEST_ID ROUND_ID INCARNATION DEST_NO STATUS START_SCN CHECKPOINT_SCN COMPATIBLE BASE_PIECE_ID "
        "USED_PIECE_ID UNIT_SIZE COMPRESSION COMMENT PATH",
        "1002|1002|2|1|0|DOING|1655697600000000000|1655769600000000000|1|4|4|1|none||file:///data/nfs/backup/archive",
    ),
    "CDB_OB_ARCHIVELOG_PIECE_FILES": _rows(
        "TENANT_ID DEST_ID ROUND_ID PIECE_ID INCARNATION DEST_NO STATUS START_SCN CHECKPOINT_SCN MAX_SCN END_SCN "
        "COMPATIBLE FILE_STATUS PATH",
        "1002|1002|1|1|1|0|FROZEN|1654034400000000000|1654120740000000000|1654120770000000000|1654120800000000000|1|"
        "DELETED|file:///data/nfs/backup/archive",
        "1002|1002|2|4|1|0|ACTIVE|1655697600000000000|1655769600000000000|1655769600000000000|1655784000000000000|1|"
        "AVAILABLE|file:///data/nfs/backup/archive",
    ),
    "CDB_OB_ARCHIVELOG_SUMMARY": _rows(
        "TENANT_ID DEST_ID ROUND_ID INCARNATION DEST_NO STATUS START_SCN CHECKPOINT_SCN COMPATIBLE BASE_PIECE_ID "
        "USED_PIECE_ID UNIT_SIZE COMPRESSION PATH COMMENT",
        "1002|1002|1|1|0|STOP|1654034400000000000|1654120740000000000|1|1|3|1|none|file:///data/nfs/backup/archive|",
        "1002|1002|2|1|0|DOING|1655697600000000000|1655769600000000000|1|4|4|1|none|file:///data/nfs/backup/archive|",
    ),
    "CDB_OB_BACKUP_SET_FILES": _rows(
        "TENANT_ID BACKUP_SET_ID DEST_ID INCARNATION BACKUP_TYPE PREV_FULL_BACKUP_SET_ID PREV_INC_BACKUP_SET_ID "
        "START_TIMESTAMP END_TIMESTAMP STATUS FILE_STATUS PLUS_ARCHIVELOG START_REPLAY_SCN MIN_RESTORE_SCN RESULT "
        "COMMENT ENCRYPTION_MODE PATH",
        "1002|1|1003|1|FULL|0|0|2022-06-20 12:20:59.804836|2022-06-20 12:23:08.773566|SUCCESS|AVAILABLE|OFF|"
        "1655698860627179000|1655698988756316000|0||NONE|file:///data/nfs/backup/data",
        "1002|2|1003|1|INC|1|1|2022-06-21 00:20:59.804836|2022-06-21 00:23:08.773566|FAILED|INCOMPLETE|OFF|"
        "0|0|4016|(server)ls_id: 1002, addr: 127.0.0.1:4004, module:BACKUP_DATA, result: -4016(Internal error)|NONE|"
        "file:///data/nfs/backup/data",
    ),
    "CDB_OB_BACKUP_DELETE_POLICY": _rows("TENANT_ID POLICY_NAME RECOVERY_WINDOW", "1002|default|7d"),
    "CDB_OB_BACKUP_DELETE_JOB_HISTORY": _rows(
        "TENANT_ID JOB_ID INCARNATION INITIATOR_TENANT_ID INITIATOR_JOB_ID EXECUTOR_TENANT_ID TYPE PARAMETER JOB_LEVEL "
        "START_TIMESTAMP END_TIMESTAMP STATUS TASK_COUNT SUCCESS_TASK_COUNT RESULT COMMENT",
        "1002|1|1|1002|0|1002|DELETE OBSOLETE BACKUP|0|USER_TENANT|2022-06-20 11:00:00.000001|"
        "2022-06-20 11:00:05.000001|COMPLETED|2|2|0|",
    ),
    "CDB_OB_BACKUP_STORAGE_INFO": _rows(
        "TENANT_ID PATH ENDPOINT DEST_ID DEST_TYPE AUTHORIZATION EXTENSION CHECK_FILE_NAME LAST_CHECK_TIMESTAMP",
        "1002|file:///data/nfs/backup/archive||1002|archive_log|||1002_connect_file.obbak|2022-06-21 07:59:00.000001",
    ),
    "GV$OB_UNITS": _rows(
        "TENANT_ID LOG_DISK_SIZE LOG_DISK_IN_USE",
        "1002|5798205849|1048576000",
        "1002|5798205849|2097152000",
    ),
}


def rows_of(samples: Samples) -> Callable[[Table], list[tuple[Any, ...]]]:
    """What each table shows: its sample, or the simulator's own rows where there is none."""
    by_name = {name.lower(): rows for name, rows in samples.items()}

    def rows(table: Table) -> list[tuple[Any, ...]]:
        found = by_name.get(table.name.lower())
        if found is None:
            return [tuple(row) for row in table.rows()]
        return [tuple(row.get(column.name, row.get(column.name.upper())) for column in table.columns) for row in found]

    return rows
