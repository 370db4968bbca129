"""SELECT and minor freeze on a real OceanBase kernel, over the sandbox's tables.

Each sandbox has a database of its own there. What a statement refers to is put into real tables of the documented
columns first; then the statement runs as it is, but for the name of the database ``oceanbase``. Compactions and
memstores aren't simulated: those views show the kernel's own, as if every tenant and the one server had them.

What a statement asks about its session (version, user, variables) is answered for ``root@sys`` of the kernel.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

import pymysql
from pymysql.constants import FIELD_TYPE, FLAG
from pymysql.converters import encoders

from airflow_ob_provider.sandbox.clock import CLUSTER_UTC_OFFSET
from airflow_ob_provider.sandbox.engine import Column, Result, Scope, Table, tables_of
from airflow_ob_provider.sandbox.errors import ServerError
from airflow_ob_provider.sandbox.functions import EPOCH
from airflow_ob_provider.sandbox.lexer import tokenize
from airflow_ob_provider.sandbox.topology import RPC_PORT

from .process import Kernel

TIMEOUT_SECONDS = 60
_STORAGE = {
    "bigint": "BIGINT",
    "ubigint": "BIGINT UNSIGNED",
    "varchar": "VARCHAR(4096)",
    "longtext": "LONGTEXT",
    "timestamp": "TIMESTAMP(6)",
    "datetime": "DATETIME(6)",
    "date": "DATE",
    "time": "TIME(6)",
    "double": "DOUBLE",
}
_KINDS = {
    FIELD_TYPE.DATE: "date",
    FIELD_TYPE.DATETIME: "datetime",
    FIELD_TYPE.DOUBLE: "double",
    FIELD_TYPE.TIME: "time",
    FIELD_TYPE.TIMESTAMP: "timestamp",
    FIELD_TYPE.BLOB: "longtext",
}
_INTEGERS = {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG}
#: Views the kernel has itself, without the columns of a cluster.
NATIVE = ("GV$OB_TABLET_COMPACTION_HISTORY", "GV$OB_TABLET_COMPACTION_PROGRESS", "GV$OB_MEMSTORE")
_TENANTS = "DBA_OB_TENANTS"


class KernelEngine:
    """One sandbox's database on a kernel. Not thread-safe, as the sandbox's state: the caller holds its lock.

    :param native: views that show what the kernel has, not what the sandbox has.
    """

    def __init__(self, kernel: Kernel, *, native: Collection[str] = NATIVE) -> None:
        self._native = native
        self._database = f"sandbox_{uuid.uuid4().hex[:12]}"
        self._connection = pymysql.connect(
            host=kernel.host,
            port=kernel.port,
            user="root@sys",
            autocommit=True,
            conv=dict(encoders),  # type: ignore[arg-type]  # values come as the text they are on the wire
            read_timeout=TIMEOUT_SECONDS,
            write_timeout=TIMEOUT_SECONDS,
        )
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._run(f"CREATE DATABASE {self._database}")
        self._run(f"USE {self._database}")

    def close(self) -> None:
        self._run(f"DROP DATABASE {self._database}")
        self._connection.close()

    def select(self, sql: str, scope: Scope) -> Result:
        """Run a SELECT over the session's tables."""
        for table in tables_of(sql, scope):
            if table.name.upper() in self._native:
                self._fill(scope.table("oceanbase", _TENANTS))
                self._show_native(table.name)
            else:
                self._fill(table)
        self._set_clock(scope.now, scope.utc_offset)
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(self._in_own_database(sql))
            except pymysql.MySQLError as error:
                raise ServerError(error.args[0], str(error.args[1]).replace(self._database, "oceanbase")) from None
            fields = cursor._result.fields  # type: ignore[attr-defined]
            columns = [Column(field.name, _kind(field)) for field in fields]
            return Result(columns, [tuple(map(_value, row, columns)) for row in cursor.fetchall()])

    def minor_freeze(self) -> None:
        """Freeze the kernel's memtables; they get to disk in the background."""
        self._run("ALTER SYSTEM MINOR FREEZE")

    def _run(self, sql: str, rows: Iterable[tuple[Any, ...]] | None = None) -> None:
        with self._connection.cursor() as cursor:
            if rows is None:
                cursor.execute(sql)
            else:
                cursor.executemany(sql, rows)

    def _set_clock(self, now: datetime, utc_offset: timedelta) -> None:
        """The session's clock and time zone are the sandbox's."""
        epoch = (now - utc_offset - EPOCH) // timedelta(microseconds=1)
        seconds, micros = divmod(epoch, 10**6)
        self._run(f"SET time_zone = '{_zone(utc_offset)}', timestamp = {seconds}.{micros:06d}")

    def _in_own_database(self, sql: str) -> str:
        tokens = tokenize(sql)
        for token, after in reversed(list(itertools.pairwise(tokens))):
            if token.kind in {"word", "quoted"} and token.text.lower() == "oceanbase" and after.is_symbol("."):
                sql = sql[: token.start] + self._database + sql[token.end :]
        return sql

    def _fill(self, table: Table) -> None:
        """Bring a real table up to date."""
        rows = [tuple(row) for row in table.rows()]
        known = self._rows.get(table.name)
        if known == rows:
            return
        # Rows are in the cluster's own zone, whatever the session's.
        self._run(f"SET time_zone = '{_zone(CLUSTER_UTC_OFFSET)}'")
        if known is None:
            columns = ", ".join(f"`{c.name}` {_storage(c.kind)} NULL" for c in table.columns)
            self._run(f"CREATE TABLE `{table.name}` ({columns})")
        else:
            self._run(f"DELETE FROM `{table.name}`")  # noqa: S608 - names of ours
        places = ", ".join(["%s"] * len(table.columns))
        if rows:
            self._run(f"INSERT INTO `{table.name}` VALUES ({places})", rows)  # noqa: S608 - names of ours
        self._rows[table.name] = rows

    def _show_native(self, name: str) -> None:
        if name in self._rows:
            return
        self._run(
            f"CREATE VIEW `{name}` AS SELECT t.TENANT_ID AS TENANT_ID, '127.0.0.1' AS SVR_IP, "  # noqa: S608 - names of ours
            f"{RPC_PORT} AS SVR_PORT, k.* FROM oceanbase.`{name}` k CROSS JOIN `{_TENANTS}` t"
        )
        self._rows[name] = []


def _storage(kind: str) -> str:
    base, _, scale = kind.partition(":")
    return f"DECIMAL(38, {scale})" if base == "decimal" else _STORAGE[base]


def _zone(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _kind(field: Any) -> str:
    if field.type_code in _INTEGERS:
        return "ubigint" if field.flags & FLAG.UNSIGNED else "bigint"
    if field.type_code == FIELD_TYPE.NEWDECIMAL:
        return f"decimal:{field.scale}"
    return _KINDS.get(field.type_code, "varchar")


def _value(value: str | bytes | None, column: Column) -> Any:
    if value is None:
        return None
    text = value.decode() if isinstance(value, bytes) else value
    return int(text) if column.kind in {"bigint", "ubigint"} else text
