"""A 4.x server for the dialect: tables in SQLite, so that its SQL is really run, and SHOW by hand.

It knows the column lists of the specification (3.1 - 3.13, 5) as each version has them and nothing of the dialect.
What tenant sys sees in ``CDB_OB_…`` a user tenant sees in ``DBA_OB_…``: its own rows, without TENANT_ID.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from tests.unit.oceanbase.builders import NOW


def _columns(text: str) -> list[str]:
    return text.split()


ARCHIVELOG = _columns(
    "TENANT_ID DEST_ID ROUND_ID INCARNATION DEST_NO STATUS START_SCN START_SCN_DISPLAY CHECKPOINT_SCN "
    "CHECKPOINT_SCN_DISPLAY COMPATIBLE BASE_PIECE_ID USED_PIECE_ID PIECE_SWITCH_INTERVAL UNIT_SIZE COMPRESSION "
    "INPUT_BYTES INPUT_BYTES_DISPLAY OUTPUT_BYTES OUTPUT_BYTES_DISPLAY COMPRESSION_RATIO DELETED_INPUT_BYTES "
    "DELETED_INPUT_BYTES_DISPLAY DELETED_OUTPUT_BYTES DELETED_OUTPUT_BYTES_DISPLAY COMMENT PATH"
)
SUMMARY = [*ARCHIVELOG[:-2], "PATH", "COMMENT"]
"""The last two the other way round."""
ARCHIVE_DEST = _columns("TENANT_ID DEST_NO NAME VALUE")
PIECE_FILES = _columns(
    "TENANT_ID DEST_ID ROUND_ID PIECE_ID INCARNATION DEST_NO STATUS START_SCN START_SCN_DISPLAY CHECKPOINT_SCN "
    "CHECKPOINT_SCN_DISPLAY MAX_SCN END_SCN END_SCN_DISPLAY COMPATIBLE UNIT_SIZE COMPRESSION INPUT_BYTES "
    "INPUT_BYTES_DISPLAY OUTPUT_BYTES OUTPUT_BYTES_DISPLAY COMPRESSION_RATIO FILE_STATUS PATH"
)
LS_PROGRESS = _columns(
    "TENANT_ID DEST_ID LS_ID ROUND_ID PIECE_ID INCARNATION START_SCN MIN_LSN MAX_LSN CHECKPOINT_SCN STATUS FILE_ID "
    "FILE_OFFSET INPUT_BYTES OUTPUT_BYTES"
)
SERVERS = _columns(
    "SVR_IP SVR_PORT ID ZONE SQL_PORT WITH_ROOTSERVER STATUS START_SERVICE_TIME STOP_TIME BLOCK_MIGRATE_IN_TIME "
    "CREATE_TIME MODIFY_TIME BUILD_VERSION LAST_OFFLINE_TIME"
)
_TENANTS_4_0 = _columns(
    "TENANT_ID TENANT_NAME TENANT_TYPE CREATE_TIME MODIFY_TIME PRIMARY_ZONE LOCALITY PREVIOUS_LOCALITY "
    "COMPATIBILITY_MODE STATUS IN_RECYCLEBIN LOCKED"
)
_TENANTS_4_1 = _columns(
    "TENANT_ROLE SWITCHOVER_STATUS SWITCHOVER_EPOCH SYNC_SCN REPLAYABLE_SCN READABLE_SCN RECOVERY_UNTIL_SCN LOG_MODE "
    "ARBITRATION_SERVICE_STATUS"
)
PARAMETERS = _columns("SVR_IP SVR_PORT ZONE SCOPE TENANT_ID NAME DATA_TYPE VALUE INFO SECTION EDIT_LEVEL")
TIMESTAMPS = _columns("TENANT_ID TS_TYPE TS_VALUE SVR_IP SVR_PORT")
MERGES = _columns("SVR_IP SVR_PORT TENANT_ID TYPE LS_ID TABLET_ID COMPACTION_SCN TASK_ID STATUS START_TIME")
MERGED = _columns("SVR_IP SVR_PORT TENANT_ID LS_ID TABLET_ID TYPE COMPACTION_SCN START_TIME FINISH_TIME TASK_ID")

_OWN = {
    # Name after CDB_OB_ or DBA_OB_: a user tenant sees its own rows without TENANT_ID.
    "ARCHIVELOG": ARCHIVELOG,
    "ARCHIVELOG_SUMMARY": SUMMARY,
    "ARCHIVE_DEST": ARCHIVE_DEST,
    "ARCHIVELOG_PIECE_FILES": PIECE_FILES,
    "LS_LOG_ARCHIVE_PROGRESS": LS_PROGRESS,
}
_WITH_ID = {
    # A user tenant sees its own rows, TENANT_ID and all.
    "V$OB_TIMESTAMP_SERVICE": TIMESTAMPS,
    "GV$OB_PARAMETERS": PARAMETERS,
    "GV$OB_TABLET_COMPACTION_PROGRESS": MERGES,
    "GV$OB_TABLET_COMPACTION_HISTORY": MERGED,
}


def scn(moment: datetime) -> int:
    """Nanoseconds since 1970."""
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def version(number: str) -> OceanBaseVersion:
    return OceanBaseVersion.parse(f"OceanBase {number} (r1)")


def _concat(*values: Any) -> str | None:
    return None if None in values else "".join(map(str, values))


class FakeServer4:
    """One cluster, seen from tenant sys or, with ``own``, from that user tenant.

    ``asked`` are the statements it was sent, ``faults`` errors by a part of the statement.
    """

    def __init__(self, number: str = "4.2.5.0", *, own: int | None = None) -> None:
        self.version = version(number)
        self.own = own
        self.asked: list[Statement] = []
        self.faults: dict[str, int] = {}
        self.as_bytes = self.as_decimal = self.as_datetime = False
        self.now = "2024-04-13 17:00:00.000000"
        self.utc_offset: Any = 28800
        self.shows: dict[str, list[dict[str, Any]]] = {
            "SHOW TENANT": [{"current_tenant_name": "sys"}],
            "SHOW GRANTS": [{"grants for root@%": "GRANT ALL PRIVILEGES ON *.* TO 'root' WITH GRANT OPTION"}],
            "SELECT CURRENT_USER()": [{"account": "root@%"}],
        }
        self.shown_parameters: dict[str, str] = {"cluster": "obdemo", "cluster_id": "1"}
        self._db = sqlite3.connect(":memory:")
        self._db.execute("ATTACH ':memory:' AS oceanbase")
        self._db.create_function("NOW", 1, lambda _: self.now)
        self._db.create_function("CONCAT", -1, _concat)
        at_least = self.version.at_least
        tenants = [*_TENANTS_4_0, *(_TENANTS_4_1 if at_least(4, 1) else [])]
        tenants += [*(["UNIT_NUM", "COMPATIBLE", "MAX_LS_ID"] if at_least(4, 2) else [])]
        tenants += [*(["RESTORE_DATA_MODE"] if at_least(4, 3, 3) else [])]
        self.create("DBA_OB_TENANTS", tenants)
        for name, columns in _OWN.items():
            if name != "LS_LOG_ARCHIVE_PROGRESS" or at_least(4, 1):
                # In sys the DBA views are there as well, with sys's own rows: none.
                self.create(f"DBA_OB_{name}", columns[1:])
                if own is None:
                    self.create(f"CDB_OB_{name}", columns)
        for name, columns in _WITH_ID.items():
            self.create(name, columns)
        if own is None:
            self.create("DBA_OB_SERVERS", SERVERS)

    # --- what it holds ----------------------------------------------------------------------------------------------

    def create(self, name: str, columns: Sequence[str]) -> None:
        self._db.execute(f'DROP TABLE IF EXISTS oceanbase."{name}"')
        self._db.execute(f'CREATE TABLE oceanbase."{name}" ({", ".join(columns)})')

    def name_of(self, view: str) -> str:
        if view in _OWN:
            return f"{'CDB' if self.own is None else 'DBA'}_OB_{view}"
        return view

    def drop(self, view: str) -> None:
        self._db.execute(f'DROP TABLE oceanbase."{self.name_of(view)}"')

    def clear(self, view: str) -> None:
        self._db.execute(f'DELETE FROM oceanbase."{self.name_of(view)}"')

    def insert(self, view: str, /, **values: Any) -> None:
        if self.own is not None and view != "DBA_OB_SERVERS":
            if values["TENANT_ID"] != self.own:
                return
            if view in _OWN:
                del values["TENANT_ID"]
        self._db.execute(
            f'INSERT INTO oceanbase."{self.name_of(view)}" ({", ".join(values)}) '
            f"VALUES ({', '.join('?' * len(values))})",
            list(values.values()),
        )

    def update(self, view: str, tenant_id: int | None = None, /, **values: Any) -> None:
        """Change these columns in the rows of one tenant, or in all."""
        where = "" if tenant_id is None or (self.own and view in _OWN) else f" WHERE TENANT_ID = {tenant_id}"
        settings = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f'UPDATE oceanbase."{self.name_of(view)}" SET {settings}{where}', list(values.values()))

    def tenant(
        self,
        tenant_id: int,
        name: str,
        kind: str = "USER",
        *,
        status: str = "NORMAL",
        log_mode: str | None = "ARCHIVELOG",
        recycled: str = "NO",
    ) -> None:
        row = {"TENANT_ID": tenant_id, "TENANT_NAME": name, "TENANT_TYPE": kind, "STATUS": status}
        row |= {"IN_RECYCLEBIN": recycled, "LOCKED": "NO", "COMPATIBILITY_MODE": "MYSQL"}
        if self.version.at_least(4, 1):
            row |= {"LOG_MODE": log_mode, "TENANT_ROLE": "PRIMARY"}
        self.insert("DBA_OB_TENANTS", **row)

    def archive(self, tenant_id: int, status: str | None, **values: Any) -> None:
        """The round of a tenant; what is not given is as in a running one. Takes the place of an older row."""
        self.remove("ARCHIVELOG", tenant_id)
        started, checkpoint = scn(NOW - timedelta(hours=1)), scn(NOW - timedelta(minutes=2))
        row = {"TENANT_ID": tenant_id, "DEST_ID": 1001, "ROUND_ID": 3, "INCARNATION": 1, "DEST_NO": 0}
        row |= {"STATUS": status, "START_SCN": started, "CHECKPOINT_SCN": checkpoint, "COMPATIBLE": 1}
        row |= {"BASE_PIECE_ID": 1, "USED_PIECE_ID": 2, "PIECE_SWITCH_INTERVAL": 86_400_000_000}
        row |= {"UNIT_SIZE": 1, "COMPRESSION": "none", "COMMENT": ""}
        self.insert("ARCHIVELOG", **row | values)

    def row(self, view: str, text: str, columns: Sequence[str] = ()) -> None:
        """A row as the manual prints it, its columns in the order of the view."""
        self.insert(view, **dict(zip(columns or _OWN.get(view, ()), _words(text), strict=True)))

    def destination(
        self,
        tenant_id: int,
        path: str,
        *,
        binding: str | None = "OPTIONAL",
        interval: str | None = "1d",
        state: str | None = "ENABLE",
        dest_no: int = 0,
        **more: str,
    ) -> None:
        """Rows of ARCHIVE_DEST; None leaves one out. Takes the place of older ones."""
        if not dest_no:
            self.remove("ARCHIVE_DEST", tenant_id)
        rows = {"binding": binding, "dest_id": "1001", "path": path, "piece_switch_interval": interval, "state": state}
        for name, value in {**rows, **more}.items():
            if value is not None:
                self.insert("ARCHIVE_DEST", TENANT_ID=tenant_id, DEST_NO=dest_no, NAME=name, VALUE=value)

    def remove(self, view: str, tenant_id: int) -> None:
        if self.own is None or view not in _OWN:
            self._db.execute(f'DELETE FROM oceanbase."{self.name_of(view)}" WHERE TENANT_ID = ?', [tenant_id])
        elif tenant_id == self.own:
            self.clear(view)

    def piece(self, tenant_id: int, piece_id: int, **values: Any) -> None:
        row = {"TENANT_ID": tenant_id, "DEST_ID": 1001, "ROUND_ID": 3, "PIECE_ID": piece_id, "INCARNATION": 1}
        row |= {"DEST_NO": 0, "STATUS": "ACTIVE", "FILE_STATUS": "AVAILABLE"}
        row |= {"START_SCN": scn(NOW - timedelta(hours=1)), "CHECKPOINT_SCN": scn(NOW - timedelta(minutes=2))}
        self.insert("ARCHIVELOG_PIECE_FILES", **row | values)

    def log_stream(self, tenant_id: int, ls_id: int, checkpoint: datetime | None, **values: Any) -> None:
        row = {"TENANT_ID": tenant_id, "DEST_ID": 1001, "LS_ID": ls_id, "ROUND_ID": 3, "PIECE_ID": 1, "STATUS": "DOING"}
        self.insert(
            "LS_LOG_ARCHIVE_PROGRESS", **row | {"CHECKPOINT_SCN": scn(checkpoint) if checkpoint else 0} | values
        )

    def timestamp(self, tenant_id: int, moment: datetime, extra_ns: int = 0) -> None:
        self.insert("V$OB_TIMESTAMP_SERVICE", TENANT_ID=tenant_id, TS_TYPE="GTS", TS_VALUE=scn(moment) + extra_ns)

    def parameter(self, tenant_id: int | None, name: str, *values: str) -> None:
        """One row a server. Takes the place of older ones."""
        self._db.execute(
            'DELETE FROM oceanbase."GV$OB_PARAMETERS" WHERE TENANT_ID IS ? AND NAME = ?', [tenant_id, name]
        )
        for number, value in enumerate(values, 1):
            self.insert(
                "GV$OB_PARAMETERS",
                TENANT_ID=tenant_id,
                SVR_IP=f"10.0.0.{number}",
                SVR_PORT=2882,
                SCOPE="TENANT" if tenant_id else "CLUSTER",
                NAME=name,
                VALUE=value,
            )

    def server(self, number: int, **values: Any) -> None:
        row = {"SVR_IP": f"10.0.0.{number}", "SVR_PORT": 2882, "ID": number, "ZONE": f"zone{number}", "SQL_PORT": 2881}
        row |= {"WITH_ROOTSERVER": "YES" if number == 1 else "NO", "STATUS": "ACTIVE"}
        row |= {"START_SERVICE_TIME": "2024-04-01 08:00:00.000000", "STOP_TIME": None}
        self.insert("DBA_OB_SERVERS", **row | values)

    # --- how it answers ---------------------------------------------------------------------------------------------

    def __call__(self, statement: Statement) -> list[dict[str, Any]]:
        assert not statement.writes, f"a write was sent as a read: {statement}"
        self.asked.append(statement)
        for part, errno in self.faults.items():
            if part in statement.text:
                raise ServerError(errno, f"fault on {part}")
        return [self._coded(row) for row in self._answer(statement.text)]

    def asked_for(self, part: str) -> list[str]:
        return [one.text for one in self.asked if part in one.text]

    def _answer(self, sql: str) -> list[dict[str, Any]]:
        for start, rows in self.shows.items():
            if sql.startswith(start):
                return rows
        if sql.startswith("SHOW PARAMETERS LIKE "):
            matches = _like(sql.removeprefix("SHOW PARAMETERS LIKE "))
            return [{"name": name, "value": value} for name, value in self.shown_parameters.items() if matches(name)]
        assert sql.startswith("SELECT ")
        offset = "NULL" if self.utc_offset is None else repr(self.utc_offset)
        cursor = self._execute(sql.replace("TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), NOW(6))", offset))
        names = [column[0].lower() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _execute(self, sql: str) -> sqlite3.Cursor:
        if re.search(r"\(\s*\)", sql):
            raise ServerError(1064, "You have an error in your SQL syntax: an empty list")
        try:
            return self._db.execute(sql)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                raise ServerError(1146, str(error)) from None
            if "no such column" in str(error):
                raise ServerError(1054, str(error)) from None
            raise

    def _coded(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(value) for name, value in row.items()}

    def _value(self, value: Any) -> Any:
        if self.as_datetime and isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d .*", value):
            return datetime.fromisoformat(value)
        if self.as_bytes and isinstance(value, str):
            return value.encode()
        if self.as_decimal and isinstance(value, int):
            return Decimal(value)
        return value


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


def healthy(number: str = "4.2.5.0", *, own: int | None = None) -> FakeServer4:
    """Two servers and two user tenants: shop DOING in round 3, bank in round 5, each in a place of its own."""
    server = FakeServer4(number, own=own)
    server.tenant(1, "sys", "SYS", log_mode="NOARCHIVELOG")
    for tenant_id, name, round_id in ((1002, "shop", 3), (1004, "bank", 5)):
        server.tenant(tenant_id - 1, f"META${tenant_id}", "META", log_mode="NOARCHIVELOG")
        server.tenant(tenant_id, name)
        server.archive(tenant_id, "DOING", ROUND_ID=round_id)
        server.destination(tenant_id, f"file:///data/nfs/{name}")
        server.piece(tenant_id, 1, ROUND_ID=round_id, STATUS="FROZEN")
        server.piece(tenant_id, 2, ROUND_ID=round_id)
        server.timestamp(tenant_id, NOW - timedelta(seconds=1))
        if server.version.at_least(4, 2):
            server.parameter(tenant_id, "archive_lag_target", "120s", "120s")
        if server.version.at_least(4, 1):
            default = "0" if server.version.at_least(4, 2) else "1"
            server.parameter(tenant_id, "log_archive_concurrency", default, default)
            for ls_id in (1, 1001):
                server.log_stream(tenant_id, ls_id, NOW - timedelta(minutes=2), ROUND_ID=round_id)
    if own is None:
        server.server(1)
        server.server(2)
        server.parameter(1, "archive_lag_target", "7200s")
        server.parameter(None, "memory_limit", "8G")
    else:
        server.shows["SHOW TENANT"] = [{"current_tenant_name": {1002: "shop", 1004: "bank"}[own]}]
    return server
