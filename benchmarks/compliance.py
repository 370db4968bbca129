"""A check of log backup over a large fleet, on the simulator and on a real OceanBase kernel."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pymysql

from airflow_ob_provider.oceanbase.compliance.judge import RULES
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.kernel import Kernel
from benchmarks.figures import Benchmark, Figure, check
from benchmarks.wire import Wire, wire

NOW = datetime.fromisoformat("2026-03-20T12:00:00")
PIECES, FEW_PIECES, SETS = 365, 36, 30
QUICK_BYTES = 12_012
"""What the simulator sends for a check of 10 tenants."""
LIKE_FOR_LIKE = (
    "This is what the script does as well, and more: settings, log disk, clean-up, evidence. Half of it is the "
    "kernel's, 0.6 s for one pass over 365,000 pieces and one over 30,000 sets, which alone is 20 to 25 times "
    "as fast; the other half is PyMySQL, masking, hashes and models of 8,000 rows."
)
SIMULATED_GROWTH = (
    "Nearly all of it is the simulator's, which makes 365,000 rows in Python for one query, and takes a third more or "
    "less from one try to the next. What the provider does with the answer is the same on the kernel, see there."
)
VIEWS = (
    "DBA_OB_TENANTS", "CDB_OB_ARCHIVELOG", "CDB_OB_ARCHIVELOG_SUMMARY", "CDB_OB_ARCHIVELOG_PIECE_FILES",
    "CDB_OB_BACKUP_SET_FILES", "CDB_OB_ARCHIVE_DEST", "CDB_OB_BACKUP_DELETE_POLICY",
    "CDB_OB_BACKUP_DELETE_JOB_HISTORY", "CDB_OB_BACKUP_STORAGE_INFO", "GV$OB_PARAMETERS", "GV$OB_UNITS",
)  # fmt: skip

Fleet = Callable[[int, int], AbstractContextManager[Wire]]
"""So many tenants with so many pieces each."""


@dataclass(frozen=True)
class Side:
    """What one side took for a fleet."""

    seconds: float
    megabytes: float
    received: int
    queries: int
    windows: list[Any]


@dataclass(frozen=True)
class Result:
    """Both sides."""

    check: Side
    by_hand: Side


def measure(quick: bool) -> Iterator[Figure]:
    """Times, bytes, memory and queries of both sides."""
    with _simulated(10, FEW_PIECES, holes=True) as between:
        damaged = _result(between, tries=1)
    at = "simulator, 10 tenants × 36 pieces"
    yield _queries(f"{at}, 3 of them with holes", damaged, 9)
    if quick:
        with _simulated(10, FEW_PIECES) as between:
            result = _result(between, tries=1)
        yield _queries(at, result)
        got, by_hand = result.check.received, result.by_hand.received
        yield Figure(what=f"{at}: sent by the server", ours=got, unit="bytes", baseline=by_hand, exactly=QUICK_BYTES)
        return
    yield from _figures("simulator", _simulated, must_be_fast=False)
    with Kernel() as kernel:
        yield from _figures("kernel", lambda tenants, pieces: _in_kernel(kernel, tenants, pieces), must_be_fast=True)


def _figures(name: str, fleet: Fleet, *, must_be_fast: bool) -> Iterator[Figure]:
    taken: dict[int, Result] = {}
    for tenants in (10, 100, 1000):
        at = f"{name}, {tenants:,} tenants × {PIECES} pieces"
        began = time.monotonic()
        with fleet(tenants, PIECES) as between:
            filled = time.monotonic() - began
            tries = 3 if must_be_fast else 2
            result = taken[tenants] = _result(between, tries)
            read = _fastest(between, "read", tries)
        check(read.windows == result.by_hand.windows, "the two sides do not come to the same windows")
        ours, by_hand = result.check, result.by_hand
        note = f"{len(RULES)} rules and the report are on top of it. The fleet was put up in {filled:.0f} s."
        wanted = 20.0 if must_be_fast and tenants == 1000 else None
        yield Figure(what=f"{at}: the check, its rules and report", ours=ours.seconds, unit="s",
                     baseline=by_hand.seconds, note=note, times=wanted)  # fmt: skip
        yield Figure(what=f"{at}: only what is read for it, and the windows", ours=read.seconds, unit="s",
                     baseline=by_hand.seconds, times=wanted, note=LIKE_FOR_LIKE if wanted else "")  # fmt: skip
        yield _queries(at, result)
        yield Figure(what=f"{at}: sent by the server", ours=ours.received, unit="bytes", baseline=by_hand.received,
                     times=100 if tenants == 1000 else None)  # fmt: skip
        yield Figure(what=f"{at}: peak memory", ours=ours.megabytes, unit="MB", baseline=by_hand.megabytes)
    yield Figure(
        what=f"{name}: time of the check at 1,000 tenants over that at 100",
        ours=taken[1000].check.seconds / taken[100].check.seconds, unit="×",
        baseline=taken[1000].by_hand.seconds / taken[100].by_hand.seconds, at_most=10,
        note="" if must_be_fast else SIMULATED_GROWTH,
    )  # fmt: skip
    with fleet(1000, FEW_PIECES) as between:
        few = _result(between, tries=1)
    yield Figure(
        what=f"{name}, 1,000 tenants: peak memory with {PIECES} pieces over that with {FEW_PIECES}",
        ours=taken[1000].check.megabytes / few.check.megabytes, unit="×",
        baseline=taken[1000].by_hand.megabytes / few.by_hand.megabytes, at_most=1.1,
    )  # fmt: skip


def _queries(at: str, result: Result, wanted: int = 5) -> Figure:
    ours, by_hand = result.check.queries, result.by_hand.queries
    return Figure(what=f"{at}: queries", ours=ours, unit="", baseline=by_hand, exactly=wanted)


def _result(between: Wire, tries: int) -> Result:
    found = Result(_fastest(between, "check", tries), _side(between, "by_hand"))
    check(all(spans for _, spans in found.by_hand.windows), "there is a tenant of which nothing can be restored")
    check(found.check.windows == found.by_hand.windows, "the two sides do not come to the same windows")
    return found


def _fastest(between: Wire, name: str, tries: int) -> Side:
    return min((_side(between, name) for _ in range(tries)), key=lambda side: side.seconds)


def _side(between: Wire, name: str) -> Side:
    between.reset()
    command = [sys.executable, "-m", "benchmarks.compliance_sides", name, str(between.port)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    told = json.loads(answer.stdout.splitlines()[-1])
    return Side(told["seconds"], told["megabytes"], between.received, between.queries, told["windows"])


# --- fleets -----------------------------------------------------------------------------------------------------------


@contextmanager
def _simulated(tenants: int, pieces: int, *, holes: bool = False) -> Iterator[Wire]:
    with Sandbox("4.3.3", tenants=tenants, start_time=NOW, manual_clock=True) as box:
        _archive(box, NOW, pieces)
        if holes:
            box.history.piece(12, tenant="tenant2", removed=True)
            box.history.piece(30, tenant="tenant4", file_status="BROKEN")
            box.history.piece(32, tenant="tenant7", start=NOW - timedelta(days=4))
        with wire(box.port) as between:
            yield between


@contextmanager
def _in_kernel(kernel: Kernel, tenants: int, pieces: int) -> Iterator[Wire]:
    """The same rows in tables of the kernel, whose clock stands where they were put up."""
    now = datetime.now(UTC)
    with Sandbox("4.3.3", tenants=tenants, engine=kernel) as box:
        _archive(box, now.replace(tzinfo=None) + timedelta(hours=8), pieces)
        with pymysql.connect(host=box.host, port=box.port, user="root@sys") as connection:
            for view in VIEWS:
                connection.cursor().execute(f"SELECT COUNT(*) FROM oceanbase.{view}")
        clock = f"SET SESSION time_zone = '+08:00', timestamp = {now.timestamp() + 1:.6f}, ob_query_timeout"
        names = {"oceanbase.": f"{_database(kernel)}.", "SET SESSION ob_query_timeout": clock}
        with wire(kernel.port, names) as between:
            yield between


def _archive(box: Sandbox, now: datetime, pieces: int) -> None:
    box.history.clear()
    box.history.round(1, now - timedelta(days=pieces) + timedelta(hours=1))
    for number in range(SETS):
        start = now - timedelta(hours=6 * (SETS - number) + 6)
        box.history.backup_set(number + 1, start, start + timedelta(hours=1))


def _database(kernel: Kernel) -> str:
    with pymysql.connect(host=kernel.host, port=kernel.port, user="root@sys") as connection:
        cursor = connection.cursor()
        cursor.execute("SHOW DATABASES LIKE 'sandbox%'")
        ((name,),) = cursor.fetchall()
    return str(name)


BENCHMARK = Benchmark(
    title="The compliance check of a large fleet, against SELECT * judged in Python",
    baseline="PyMySQL with its default cursor: SELECT * of pieces, backup sets, rounds and the views around them, and "
    "the recoverable windows of each tenant worked out in Python (`benchmarks/select_all.py`); no rules, no report. "
    "Both sides run in a process of their own, through the same relay, and must come to the same windows. Memory is "
    "the high-water mark of the process above its size before the first connection.",
    measure=measure,
)
