"""How long the backup catalog of a large fleet takes on a real kernel, against SELECT * and a look at every row.

``python -m benchmarks.backup_catalog [tenants [pieces [sets]]]``; it needs the extra ``kernel`` and fills tables first.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pymysql

from airflow_ob_provider.oceanbase.catalog import BackupCatalog
from airflow_ob_provider.oceanbase.compliance.judge import judge
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from airflow_ob_provider.oceanbase.dialects import detect_version
from airflow_ob_provider.oceanbase.dialects.backups import backup_catalog
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.dialects.v4_backups import V4Backups
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.windows import Round, Stretch, recovery
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.kernel import Kernel, KernelEngine
from tests.kernel.twin import Twin

NOW = datetime.fromisoformat("2026-03-20T12:00:00")
CST = timezone(timedelta(hours=8))
PIECES, SETS = "CDB_OB_ARCHIVELOG_PIECE_FILES", "CDB_OB_BACKUP_SET_FILES"
ROUNDS = 5
"""The best of so many runs counts."""


class Fleet:
    """A kernel whose tables are a fleet's views; a query function for a dialect."""

    def __init__(self, kernel: Kernel, tenants: int, pieces: int, sets: int) -> None:
        box = Sandbox("4.2.5", tenants=tenants, servers=3, start_time=NOW, manual_clock=True)
        box.history.clear()
        box.history.round(1, NOW - timedelta(days=pieces) + timedelta(hours=1))
        for number in range(sets):
            start = NOW - timedelta(hours=6 * (sets - number) + 6)
            box.history.backup_set(number + 1, start, start + timedelta(hours=1))
        self._engine = KernelEngine(kernel, native=())
        twin = Twin(box, self._engine)
        backup_catalog(V4Backups(V4Dialect(detect_version(twin), twin)))  # fills the tables, and both engines agree
        self._version = twin(Statement.read("SELECT version() AS version, @@version_comment AS comment"))
        self._connection = pymysql.connect(host=kernel.host, port=kernel.port, user="root@sys", read_timeout=600)
        with self._connection.cursor() as cursor:  # the clock of the fleet; all rows take more than the usual 10 s
            cursor.execute("SET ob_query_timeout = 600000000, ob_trx_timeout = 600000000")
            cursor.execute(f"SET time_zone = '+08:00', timestamp = {NOW.replace(tzinfo=CST).timestamp():.0f}")
        self.times: dict[str, float] = {}

    def __call__(self, statement: Statement) -> Any:
        began = time.perf_counter()
        with self._connection.cursor() as cursor:
            if "version()" in statement.text:
                return self._version
            cursor.execute(self._engine._in_own_database(statement.text))
            names = [str(column[0]).lower() for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        self.times[statement.text] = min(time.perf_counter() - began, self.times.get(statement.text, 9e9))
        return rows

    def aggregated(self) -> BackupCatalog:
        """Everything, and what can be restored of each tenant by it."""
        return backup_catalog(V4Backups(V4Dialect(detect_version(self), self)))

    def row_by_row(self) -> None:
        """All pieces and sets, and what can be restored of each tenant by them; nothing else."""
        dialect = V4Dialect(detect_version(self), self)
        reader = V4Backups(dialect)
        records = reader.state().tenants
        stretches: dict[int, list[Stretch]] = defaultdict(list)
        for row in dialect.read(f"SELECT * FROM oceanbase.{PIECES}"):
            named = {"started": row["start_scn"], "ended": row["end_scn"], "checkpoint": row["checkpoint_scn"]}
            stretches[reader.tenant_of(row)].append(reader.stretch({**row, **named}))
        fulls = defaultdict(list)
        for row in dialect.read(f"SELECT * FROM oceanbase.{SETS}"):
            named = {"set_id": row["backup_set_id"], "kind": row["backup_type"], "logs_from": row["start_replay_scn"],
                     "restores_from": row["min_restore_scn"], "started_at": row["start_timestamp"]}  # fmt: skip
            if full := reader.full({**row, **named}):
                fulls[reader.tenant_of(row)].append(full)
        for record in records:
            number, now = record.tenant.tenant_id, record.archive
            assert now is not None
            pieces = tuple(sorted(stretches[number], key=lambda one: one.first_id))
            one = Round(now.round_id, now.state, now.started, now.checkpoint, pieces)
            assert recovery([one], fulls[number], partial_pieces=False).windows


def best(action: Callable[[], object], runs: int) -> float:
    """Seconds of the fastest run."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def main(tenants: int = 1000, pieces: int = 365, sets: int = 30) -> None:
    """Print both, and what each statement took."""
    with Kernel() as kernel:
        fleet = Fleet(kernel, tenants, pieces, sets)
        ours, theirs = best(fleet.aggregated, ROUNDS), best(fleet.row_by_row, 2)
        catalog = fleet.aggregated()
        rules = best(lambda: judge(catalog, Policy()), ROUNDS)
        for sql, seconds in fleet.times.items():
            print(f"{seconds:8.3f} s  {sql[:100]}")
        print(f"{ours:8.3f} s  the catalog, {rules:.3f} s all rules over it")
        print(f"{theirs:8.3f} s  every row of pieces and sets, judged in Python; {theirs / ours:.1f} times as long")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
