"""Every SELECT of the dialects, on a real OceanBase kernel and on the simulator's engine: equal results and types.

The views are real tables of the documented columns on the kernel. What they hold is, in turn, what the simulated
clusters show in every state, and rows made at random of what the columns may hold.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import airflow_ob_provider.oceanbase.dialects as dialects
from airflow_ob_provider.oceanbase.catalog import Part
from airflow_ob_provider.oceanbase.destination import Destination, WantedDestination
from airflow_ob_provider.oceanbase.dialects import Dialect, detect_version, dialect_for
from airflow_ob_provider.oceanbase.dialects.backup_reader import BackupReader
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.dialects.v3_backups import V3Backups
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.dialects.v4_backups import V4Backups
from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.engine import Table
from airflow_ob_provider.sandbox.kernel import Kernel, KernelEngine
from tests.kernel import samples
from tests.kernel.twin import Twin

START = datetime.fromisoformat("2026-03-01T12:00:00.250000")
#: 3.1.0 has no view of the current state; 4.0 no LOG_MODE, no lag target and no timestamp service.
V3 = ("3.1.0", "3.2.4")
V4 = ("4.0.0", "4.2.5", "4.3.3")


@pytest.fixture(scope="module")
def engines(kernel: Kernel) -> Iterator[Callable[[str], KernelEngine]]:
    """One database on the kernel a profile: its views differ in their columns."""
    with contextlib.ExitStack() as stack:
        made: dict[str, KernelEngine] = {}

        def engine(profile: str) -> KernelEngine:
            if profile not in made:
                made[profile] = KernelEngine(kernel, native=())
                stack.callback(made[profile].close)
            return made[profile]

        yield engine


def ask_everything(twin: Twin) -> None:
    """All the questions that a dialect can be asked, whatever it makes of the answers."""
    dialect = dialect_for(detect_version(twin), twin)
    for question in questions(dialect):
        with contextlib.suppress(UnreadableError, ServerError):
            question()


def questions(dialect: Dialect) -> Iterator[Callable[[], Any]]:
    yield dialect.identity
    yield dialect.server_time
    yield dialect.tenants
    yield dialect.archive
    yield dialect.pieces
    yield lambda: dialect.pieces(1)
    for since in (None, START.astimezone() - timedelta(minutes=1)):
        for tenant_ids in ((), (1001, 1002)):
            yield lambda since=since, ids=tenant_ids: dialect.freeze_progress(since=since, tenant_ids=ids)
    yield dialect.checkpoint_delay
    for where in (None, Destination.parse("file:///data/nfs/{tenant}")):
        yield lambda where=where: dialect.prerequisites(destination=where, restart_interrupted=False)
    if isinstance(dialect, V4Dialect):
        yield dialect.all_tenants
        yield dialect.servers
        yield dialect.destinations
        yield lambda: dialect.parameters("archive_lag_target", "log_archive_concurrency")
        yield lambda: dialect.read(dialect.catalogue.log_streams({1002: 1, 1004: 2}))
    yield dialect.data_backups.readiness
    for number in (0, 1, 2):
        yield lambda number=number: dialect.data_backups.started(number)
        yield lambda number=number: dialect.data_backups.job(number)
    yield lambda: dialect.data_backups.plan_destination(WantedDestination(None), ())
    yield from backup_questions(dialect)


def backup_questions(dialect: Dialect) -> Iterator[Callable[[], Any]]:
    """The backup catalog, and each query of it whether or not something is wrong."""
    yield dialect.backup_catalog
    reader: BackupReader
    if isinstance(dialect, V4Dialect):
        reader = V4Backups(dialect)
    else:
        assert isinstance(dialect, V3Dialect)
        reader = V3Backups(dialect)
    yield reader.state  # by which a user tenant of 4.x is known
    groups = [(1001, 1), (1002, 1), (1002, 2)]
    yield lambda: dialect.read(reader.rounds_query())
    yield lambda: dialect.read(reader.links_query(groups) or "SELECT 1 AS one")
    yield lambda: dialect.read(reader.links_query(groups * 100) or "SELECT 1 AS one")
    yield lambda: dialect.read(reader.backups_query())
    yield lambda: dialect.read(reader.pieces_query(groups))
    yield lambda: dialect.read(reader.sets_query([1001, 1002]))
    yield lambda: dialect.read(reader.events_query())
    yield lambda: dialect.read(reader.streams_query(groups) or "SELECT 1 AS one")
    yield lambda: dialect.read(" UNION ALL ".join(reader.upkeep_queries().values()))
    for part in Part:
        yield lambda part=part: dialect.read(reader.upkeep_queries().get(part, "SELECT 1 AS one"))


# --- what the manuals show  ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "shown", "states", "proven_until"),
    [
        ("3.2.4", samples.DOING_3, {"sys": "DOING", "mysql_tenant": "DOING", "oracle_tenant": "DOING"},
         "2021-07-22T15:18:10.116704+08:00"),
        ("3.2.4", samples.STOP_3, {"sys": "STOP"}, "2024-04-13T16:33:43.624022+08:00"),
        ("3.2.4", samples.BEGINNING_3, {"sys": "BEGINNING", "mysql_tenant": "BEGINNING"}, None),
        ("4.2.5", samples.DOING_4, {"mysql_tenant": "DOING"}, "2022-06-21T08:00:00+08:00"),
    ],
)  # fmt: skip
def test_samples_of_the_manuals(
    profile: str,
    shown: samples.Samples,
    states: dict[str, str],
    proven_until: str | None,
    engines: Callable[[str], KernelEngine],
) -> None:
    with Sandbox(profile, manual_clock=True, start_time=START) as box:
        twin = Twin(box, engines(profile), rows=samples.rows_of(shown))
        ask_everything(twin)
        archive = dialect_for(detect_version(twin), twin).archive()
    assert {row.tenant.name: row.status for row in archive.rows} == states
    oldest = min(row.checkpoint for row in archive.rows) if proven_until else None
    assert (oldest and oldest.isoformat()) == proven_until


def test_backup_catalog_of_the_manuals(engines: Callable[[str], KernelEngine]) -> None:
    """What can be restored by the rows that the manuals print."""
    with Sandbox("3.2.4", manual_clock=True, start_time=START) as box:
        twin = Twin(box, engines("3.2.4"), rows=samples.rows_of(samples.DOING_3))
        first, other = dialect_for(detect_version(twin), twin).backup_catalog().tenants
    assert first.recovery is not None
    assert (first.recovery.windows, len(first.recovery.gaps)) == ((), 1)
    assert [full.set_id for full in first.fulls] == [3]
    assert other.fulls == ()
    with Sandbox("4.2.5", manual_clock=True, start_time=START) as box:
        twin = Twin(box, engines("4.2.5"), rows=samples.rows_of(samples.DOING_4))
        (found,) = dialect_for(detect_version(twin), twin).backup_catalog().tenants
    assert found.recovery is not None
    (window,) = found.recovery.windows
    assert (window.start.isoformat(), window.set_id) == ("2022-06-20T12:23:08.756316+08:00", 1)
    assert window.end.isoformat() == "2022-06-21T08:00:00+08:00"
    assert found.attempt is not None
    assert (found.attempt.set_id, found.attempt.status, found.attempt.is_full) == (2, "FAILED", False)
    assert found.cleanup is not None
    assert (found.cleanup.window, found.cleanup.last_status) == ("7d", "COMPLETED")
    assert found.log_disk is not None
    assert (found.log_disk.in_use, found.log_disk.size) == (2097152000, 5798205849)
    assert found.storage_checked is not None


# --- what the simulated clusters show ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["STOP", "BEGINNING", "DOING", "STOPPING", "INTERRUPTED"])
@pytest.mark.parametrize("profile", V3)
def test_cluster_in_each_state(profile: str, status: str, engines: Callable[[str], KernelEngine]) -> None:
    with Sandbox(profile, manual_clock=True, start_time=START) as box:
        box.force_status(status)
        box.advance(90)
        ask_everything(Twin(box, engines(profile)))


@pytest.mark.parametrize("status", ["NONE", "STOP", "BEGINNING", "DOING", "SUSPEND", "STOPPING", "INTERRUPTED"])
@pytest.mark.parametrize(("profile", "tenant"), [("4.0.0", "sys"), ("4.2.5", "tenant1"), ("4.3.3", "sys")])
def test_tenants_in_each_state(profile: str, status: str, tenant: str, engines: Callable[[str], KernelEngine]) -> None:
    if status == "SUSPEND" and profile == "4.0.0":
        pytest.skip("4.0 knows no SUSPEND")
    with Sandbox(profile, manual_clock=True, start_time=START) as box:
        box.force_status(status, "tenant1")
        box.create_tenant("tenant3")
        box.advance(90)
        ask_everything(Twin(box, engines(profile), tenant=tenant))


# --- what the columns may hold ----------------------------------------------------------------------------------------

_WORDS = {
    "STATUS": ("STOP", "PREPARE", "BEGINNING", "DOING", "SUSPENDING", "SUSPEND", "STOPPING", "INTERRUPTED", "MIXED",
               "COMPLETED", "FAILED", "CANCELING", "SUCCESS",
               "NORMAL", "DROPPING", "ACTIVE", "active", "FROZEN", "INACTIVE", "doing", "", "停止"),
    "FILE_STATUS": ("AVAILABLE", "INCOMPLETE", "INCOMPELTE", "BROKEN", "EXPIRED", "DELETING", "DELETED", "COPYING", ""),
    "TENANT_TYPE": ("USER", "SYS", "META", "user"),
    "IN_RECYCLEBIN": ("YES", "NO"),
    "LOG_MODE": ("ARCHIVELOG", "NOARCHIVELOG", ""),
    "TENANT_NAME": ("sys", "tenant1", "租户", "it's", "__recycle_$_1_2"),
    "TYPE": ("MINI_MERGE", "MINI", "MINOR_MERGE", "MAJOR_MERGE", "mini_merge"),
    "ACTION": ("minor merge", "major merge", ""),
    "NAME": ("path", "binding", "state", "piece_switch_interval", "PATH", "archive_lag_target", "data_backup_dest",
             "log_archive_concurrency", "backup_dest", "ob_timestamp_service"),
    "BACKUP_TYPE": ("FULL", "INC", "D", "I", ""),
    "EXECUTOR_TENANT_ID": ("1002", "1002,1004", ""),
    "POLICY_NAME": ("default", "log_only"),
    "RECOVERY_WINDOW": ("7d", ""),
    "COMMENT": ("", "no space | left", "备份"),
    "MODULE": ("log_archive", "backup"),
    "EVENT": ("change_status", "handle_start_log_archive", "freeze_piece"),
    "VALUE": ("file:///data/nfs", "ENABLE", "DEFER", "OPTIONAL", "", "1d", "120s", "0", "1"),
}  # fmt: skip
_NUMBERS = {
    "TENANT_ID": (1, 1001, 1002, 1003, 1004),
    "ROUND_ID": (0, 1, 2),
    "LOG_ARCHIVE_ROUND": (0, 1, 2),
    "DEST_NO": (0, 0, 0, 1),
    "COPY_ID": (0, 0, 0, 1),
    "IS_ACTIVE": (0, 1),
    "PIECE_ID": (1, 2, 3),
    "BACKUP_PIECE_ID": (0, 1, 2, 3),
    "LS_ID": (1, 1001, 1002),
    "BACKUP_SET_ID": (1, 2, 9, 10),
    "BS_KEY": (1, 2, 9, 10),
    "JOB_ID": (1, 2),
    "INITIATOR_JOB_ID": (0, 1, 2),
    "INITIATOR_TENANT_ID": (1, 1002),
    "DEST_ID": (1001, 1002),
}
_TEXTS = ("", "MAX", "2026-03-01 11:58:00.000000", "2026-03-01 11:59:30.5", "x", "1")


class RandomRows:
    """Rows of every table as the seed has them, the same each time a table is read."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._made: dict[str, list[tuple[Any, ...]]] = {}

    def __call__(self, table: Table) -> list[tuple[Any, ...]]:
        if table.name not in self._made:
            count = self._random.choice((0, 1, 3, 8))
            self._made[table.name] = [
                tuple(self._value(column.name.upper(), column.kind) for column in table.columns) for _ in range(count)
            ]
        return self._made[table.name]

    def _value(self, name: str, kind: str) -> Any:
        if name != "TENANT_ID" and self._random.random() < 0.1:
            return None
        if kind in {"varchar", "longtext"}:
            return self._random.choice(_WORDS.get(name, _TEXTS))
        if kind in {"timestamp", "datetime"}:
            return START - timedelta(microseconds=self._random.choice((0, 1, 999_999, 5_500_000, 86_400_000_000)))
        if kind == "time":
            return "00:00:01.500000"
        if kind.startswith("decimal"):
            return 0.25
        if name.endswith(("SCN", "_TS", "TS_VALUE")):
            return self._random.choice((0, 1, 1_772_337_599_123_456_789, 2**63 - 1))
        return self._random.choice(_NUMBERS.get(name, (0, 1, 2, 2_000_000)))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("profile", V3 + V4)
def test_rows_at_random(profile: str, seed: int, engines: Callable[[str], KernelEngine]) -> None:
    with Sandbox(profile, manual_clock=True, start_time=START) as box:
        tenant = "tenant1" if profile in V4 and seed % 3 == 2 else "sys"
        zone = ("+08:00", "+00:00", "-05:30")[seed % 3]
        ask_everything(Twin(box, engines(profile), rows=RandomRows(seed), tenant=tenant, zone=zone))


# --- nothing is left out ----------------------------------------------------------------------------------------------


def test_every_view_of_the_dialects_was_read(engines: Callable[[str], KernelEngine]) -> None:
    """A view that the code names and these tests never read would be untested."""
    asked: set[str] = set()
    for profile in V3 + V4:
        with Sandbox(profile, manual_clock=True, start_time=START) as box:
            for status in ("STOP", "INTERRUPTED"):
                box.force_status(status)
                box.advance(600)
                twins = [Twin(box, engines(profile), tenant=name) for name in ("sys", "tenant1")][: 1 + (profile in V4)]
                for twin in twins:
                    ask_everything(twin)
                    asked |= twin.asked
    read = {name.upper() for sql in asked for name in re.findall(r"oceanbase\.([\w$]+)", sql)}
    named = set()
    for module in Path(dialects.__file__).parent.glob("v*.py"):
        source = module.read_text()
        named |= {name.upper() for name in re.findall(r"oceanbase\.([a-z_]*v?\$?[A-Z_a-z$]+)", source)}
    named = {name for name in named if re.match(r"(GV?\$|V\$|DBA_|CDB_|__ALL)", name)}
    assert named
    assert named <= read, f"never read: {sorted(named - read)}"
