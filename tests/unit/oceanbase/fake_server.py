"""A server for the dialect: tables in SQLite, so that its SQL is really run, and SHOW by hand.

It knows the column lists of the specification (5.1, 6.1, 6.4) and nothing of the dialect.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.statements import Statement


def _columns(text: str) -> list[str]:
    return text.split()


ARCHIVELOG = _columns(
    "INCARNATION LOG_ARCHIVE_ROUND TENANT_ID STATUS START_PIECE_ID BACKUP_PIECE_ID MIN_FIRST_TIME MAX_NEXT_TIME "
    "INPUT_BYTES OUTPUT_BYTES COMPRESSION_RATIO INPUT_BYTES_DISPLAY OUTPUT_BYTES_DISPLAY"
)
SUMMARY_3_1_0 = [name for name in ARCHIVELOG if name not in {"START_PIECE_ID", "BACKUP_PIECE_ID"}]
PIECE_FILES = _columns(
    "INCARNATION TENANT_ID ROUND_ID BACKUP_PIECE_ID COPY_ID CREATE_DATE START_TS CHECKPOINT_TS MAX_TS STATUS "
    "FILE_STATUS COMPATIBLE START_PIECE_ID"
)
PARAMETERS = _columns("zone svr_type svr_ip svr_port name data_type value info section scope source edit_level")
TABLES = {
    "gv$tenant": _columns("tenant_id tenant_name zone_list primary_zone collation_type info read_only locality"),
    "CDB_OB_BACKUP_ARCHIVELOG": ARCHIVELOG,
    "CDB_OB_BACKUP_ARCHIVELOG_SUMMARY": ARCHIVELOG,
    "CDB_OB_BACKUP_PIECE_FILES": PIECE_FILES,
    "__all_server": _columns("svr_ip svr_port zone status stop_time start_service_time with_rootserver"),
    "__all_virtual_sys_variable": _columns("tenant_id zone name value"),
    "__all_virtual_server_stat": _columns("svr_ip svr_port zone clock_deviation clock_sync_status"),
    "v$ob_cluster": _columns("CLUSTER_ID CLUSTER_NAME CLUSTER_ROLE"),
    "CDB_OB_BACKUP_PROGRESS": _columns("INCARNATION BS_KEY BACKUP_TYPE TENANT_ID START_TIME COMPLETION_TIME STATUS"),
    "gv$memstore_info": _columns("TENANT_ID IP PORT TABLE_ID IS_ACTIVE USED"),
    "gv$merge_info": _columns("SVR_IP TENANT_ID TABLE_ID TYPE ACTION START_TIME END_TIME"),
}


class FakeServer:
    """One cluster. ``asked`` are the statements it was sent, ``faults`` errors by a part of the statement."""

    def __init__(self, *, as_bytes: bool = False) -> None:
        self.asked: list[Statement] = []
        self.faults: dict[str, int] = {}
        self.as_bytes = as_bytes
        self.now = "2024-04-13 17:00:00.000000"
        self.utc_offset: Any = 28800
        self.parameters: list[dict[str, Any]] = []
        self.shows: dict[str, list[dict[str, Any]]] = {
            "SHOW TENANT": [{"current_tenant_name": "sys"}],
            "SHOW GRANTS": [{"grants for root@%": "GRANT ALL PRIVILEGES ON *.* TO 'root' WITH GRANT OPTION"}],
            "SELECT CURRENT_USER()": [{"account": "root@%"}],
        }
        self.wildcards = True
        self._db = sqlite3.connect(":memory:")
        self._db.execute("ATTACH ':memory:' AS oceanbase")
        self._db.create_function("NOW", 1, lambda _: self.now)
        for name, columns in TABLES.items():
            self.create(name, columns)

    # --- what it holds ----------------------------------------------------------------------------------------------

    def create(self, name: str, columns: Sequence[str]) -> None:
        self._db.execute(f'DROP TABLE IF EXISTS oceanbase."{name}"')
        self._db.execute(f'CREATE TABLE oceanbase."{name}" ({", ".join(columns)})')

    def drop(self, name: str) -> None:
        self._db.execute(f'DROP TABLE oceanbase."{name}"')

    def clear(self, name: str) -> None:
        self._db.execute(f'DELETE FROM oceanbase."{name}"')

    def insert(self, table: str, /, **values: Any) -> None:
        self._db.execute(
            f'INSERT INTO oceanbase."{table}" ({", ".join(values)}) VALUES ({", ".join("?" * len(values))})',
            list(values.values()),
        )

    def tenant(self, tenant_id: int, name: str) -> None:
        self.insert("gv$tenant", tenant_id=tenant_id, tenant_name=name)

    def archive(self, text: str, view: str = "CDB_OB_BACKUP_ARCHIVELOG") -> None:
        """A row as the manual prints it: 1|1|1001|DOING|1|1|2021-…|2021-…|0|0|NULL|0.00MB|0.00MB."""
        values = _words(text)
        columns = ARCHIVELOG if len(values) == len(ARCHIVELOG) else SUMMARY_3_1_0
        self.insert(view, **dict(zip(columns, values, strict=True)))

    def piece(self, text: str) -> None:
        """A row as the manual prints it."""
        self.insert("CDB_OB_BACKUP_PIECE_FILES", **dict(zip(PIECE_FILES, _words(text), strict=True)))

    def parameter(self, name: str, *values: Any) -> None:
        """One row a server."""
        for number, value in enumerate(values, 1):
            row = dict.fromkeys(PARAMETERS)
            row |= {"zone": f"zone{number}", "svr_type": "observer", "svr_ip": f"10.0.0.{number}", "svr_port": 2882}
            row |= {"name": name, "value": value, "scope": "CLUSTER", "source": "DEFAULT"}
            self.parameters.append(row)

    # --- how it answers ---------------------------------------------------------------------------------------------

    def __call__(self, statement: Statement) -> list[dict[str, Any]]:
        assert not statement.writes, f"a write was sent as a read: {statement}"
        self.asked.append(statement)
        for part, errno in self.faults.items():
            if part in statement.text:
                raise ServerError(errno, f"fault on {part}")
        return [self._coded(row) for row in self._answer(statement.text)]

    def _answer(self, sql: str) -> list[dict[str, Any]]:
        for start, rows in self.shows.items():
            if sql.startswith(start):
                return rows
        if sql.startswith("SHOW PARAMETERS LIKE "):
            matches = _like(sql.removeprefix("SHOW PARAMETERS LIKE ")) if self.wildcards else lambda _: True
            return [row for row in self.parameters if matches(row["name"])]
        assert sql.startswith("SELECT ")
        offset = "NULL" if self.utc_offset is None else repr(self.utc_offset)
        cursor = self._execute(sql.replace("TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), NOW(6))", offset))
        names = [column[0].lower() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _execute(self, sql: str) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                raise ServerError(1146, str(error)) from None
            if "no such column" in str(error):
                raise ServerError(1054, str(error)) from None
            raise

    def _coded(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if not self.as_bytes:
            return dict(row)
        return {name: value.encode() if isinstance(value, str) else value for name, value in row.items()}


def _words(text: str) -> list[Any]:
    return [None if word == "NULL" else int(word) if word.isdigit() else word for word in text.split("|")]


def _like(literal: str) -> Callable[[str], bool]:
    """LIKE as the server has it: % any, _ one, backslash takes the next as it is."""
    assert literal[0] == literal[-1] == "'"
    parts = re.findall(r"\\.|.", literal[1:-1])
    pattern = "".join(
        re.escape(part[1]) if len(part) == 2 else {"%": ".*", "_": "."}.get(part, re.escape(part)) for part in parts
    )
    return lambda name: re.fullmatch(pattern, name, re.IGNORECASE) is not None


def healthy(*, as_bytes: bool = False) -> FakeServer:
    """A 3.1.5 cluster of two servers with two tenants, DOING in round 3, splitting off."""
    server = FakeServer(as_bytes=as_bytes)
    server.tenant(1, "sys")
    server.tenant(1001, "shop")
    server.tenant(1002, "bank")
    for tenant_id, checkpoint in ((1, "16:58:00.000001"), (1001, "16:58:00.000001"), (1002, "16:58:30.5")):
        server.archive(
            f"1|3|{tenant_id}|DOING|0|0|2024-04-13 16:00:00.250000|2024-04-13 {checkpoint}|0|0|NULL|0.00MB|0.00MB"
        )
        server.piece(f"1|{tenant_id}|3|0|0|20240413|2024-04-13 16:00:00.250000||MAX|ACTIVE|AVAILABLE|1|0")
    for number in (1, 2):
        server.insert(
            "__all_server",
            svr_ip=f"10.0.0.{number}",
            svr_port=2882,
            zone=f"zone{number}",
            status="active",
            stop_time=0,
            start_service_time=1712999999000000,
        )
        server.insert(
            "__all_virtual_server_stat",
            svr_ip=f"10.0.0.{number}",
            svr_port=2882,
            clock_deviation=number * 1000 - 1000,
            clock_sync_status="SYNC",
        )
    for tenant_id in (1, 1001, 1002):
        server.insert("__all_virtual_sys_variable", tenant_id=tenant_id, name="ob_timestamp_service", value="1")
    server.insert("v$ob_cluster", CLUSTER_ID=1, CLUSTER_NAME="obdemo", CLUSTER_ROLE="PRIMARY")
    server.parameter("backup_dest", "file:///data/nfs/backup", "file:///data/nfs/backup")
    server.parameter("backup_dest_option", "recovery_window=7d", "recovery_window=7d")
    server.parameter("backup_log_archive_option", "OPTIONAL COMPRESSION=ENABLE", "OPTIONAL COMPRESSION=ENABLE")
    server.parameter("backup_backup_dest", "", "")
    server.parameter("cluster", "obdemo", "obdemo")
    server.parameter("cluster_id", "1", "1")
    return server
