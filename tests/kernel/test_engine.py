"""``Sandbox(engine="kernel")``: SELECTs and the minor freeze go to the kernel, all else stays simulated."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pymysql
import pytest

from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.kernel import Kernel, KernelUnavailableError

Rows = Callable[[str], tuple[Any, ...]]


@pytest.fixture
def box(kernel: Kernel) -> Iterator[Sandbox]:
    with Sandbox("4.3.3", engine=kernel) as running:
        yield running


def ask(box: Sandbox, sql: str, user: str = "root", tenant: str = "sys") -> tuple[Any, ...]:
    with pymysql.connect(
        host=box.host, port=box.port, user=f"{user}@{tenant}", database="oceanbase", autocommit=True
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        cursor.execute(sql)
        return tuple(cursor.fetchall())


def test_selects_see_the_simulated_cluster(box: Sandbox) -> None:
    box.force_status("DOING", "tenant1")
    sql = "SELECT STATUS FROM oceanbase.CDB_OB_ARCHIVELOG WHERE TENANT_ID = 1002"
    assert ask(box, sql) == (("DOING",),)
    box.force_status("INTERRUPTED", "tenant1")
    assert ask(box, sql) == (("INTERRUPTED",),)
    assert ask(box, "SELECT TENANT_NAME FROM DBA_OB_TENANTS WHERE TENANT_TYPE = 'USER' ORDER BY 1") == (
        ("tenant1",),
        ("tenant2",),
    )


def test_a_user_tenant_sees_itself(box: Sandbox) -> None:
    sql = "SELECT TENANT_NAME FROM oceanbase.DBA_OB_TENANTS"
    assert len(ask(box, sql)) == 5
    assert ask(box, sql, tenant="tenant2") == (("tenant2",),)
    assert len(ask(box, sql)) == 5


def test_the_version_is_the_kernels(box: Sandbox) -> None:
    assert ask(box, "SELECT OB_VERSION()") == (("4.3.5.3",),)


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        ("SELECT NOPE FROM oceanbase.DBA_OB_TENANTS", 1054),
        ("SELECT 1 FROM oceanbase.CDB_OB_NOTHING", 1146),
        ("SELECT TENANT_ID FROM oceanbase.DBA_OB_TENANTS GROUP BY", 1064),
    ],
)
def test_errors_name_the_database_the_client_knows(box: Sandbox, sql: str, errno: int) -> None:
    with pytest.raises(pymysql.MySQLError) as caught:
        ask(box, sql)
    assert caught.value.args[0] == errno
    assert "sandbox_" not in caught.value.args[1]


def test_minor_freeze_is_real(box: Sandbox) -> None:
    """The kernel dumps what was written; the view shows it as every tenant's."""
    ask(box, "SELECT COUNT(*) FROM oceanbase.CDB_OB_ARCHIVE_DEST")
    sql = (
        "SELECT COUNT(*) FROM oceanbase.GV$OB_TABLET_COMPACTION_HISTORY "
        "WHERE TYPE = 'MINI_MERGE' AND TENANT_ID = 1002 AND SVR_PORT = 2882"
    )
    before = ask(box, sql)[0][0]
    frozen = ask(box, "SELECT FREEZE_CNT FROM oceanbase.GV$OB_MEMSTORE WHERE TENANT_ID = 1002")[0][0]
    ask(box, "ALTER SYSTEM MINOR FREEZE TENANT = 'tenant1'")
    deadline = time.monotonic() + 60
    while ask(box, sql)[0][0] == before:
        assert time.monotonic() < deadline, "no MINI_MERGE"
    assert ask(box, "SELECT FREEZE_CNT FROM oceanbase.GV$OB_MEMSTORE WHERE TENANT_ID = 1002")[0][0] >= frozen


def test_a_freeze_of_an_unknown_tenant_is_refused_by_the_simulator(box: Sandbox) -> None:
    with pytest.raises(pymysql.MySQLError) as caught:
        ask(box, "ALTER SYSTEM MINOR FREEZE TENANT = 'nobody'")
    assert caught.value.args[0] == 5160


def test_sandboxes_share_a_kernel_and_leave_nothing_behind(kernel: Kernel) -> None:
    def databases() -> set[str]:
        connection = pymysql.connect(host=kernel.host, port=kernel.port, user="root")
        with connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES")
            return {name for (name,) in cursor.fetchall() if name.startswith("sandbox_")}

    before = databases()
    with Sandbox("4.3.3", engine=kernel, tenants=1) as one, Sandbox("4.3.3", engine=kernel, tenants=3) as other:
        sql = "SELECT COUNT(*) FROM oceanbase.DBA_OB_TENANTS WHERE TENANT_TYPE = 'USER'"
        assert (ask(one, sql), ask(other, sql)) == (((1,),), ((3,),))
        assert len(databases() - before) == 2
    assert databases() == before


def serves(port: int) -> bool:
    try:
        pymysql.connect(host="127.0.0.1", port=port, user="root", connect_timeout=5).close()
    except pymysql.MySQLError:
        return False
    return True


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"profile": "4.2.5"}, "profile 4.3.3, not 4.2.5"),
        ({"profile": "3.2.4"}, "profile 4.3.3, not 3.2.4"),
        ({"profile": "4.3.3", "speed": 10.0}, "real time"),
        ({"profile": "4.3.3", "manual_clock": True}, "real time"),
        ({"profile": "4.3.3", "start_time": datetime.fromisoformat("2026-01-01")}, "real time"),
        ({"profile": "4.3.3", "engine": "postgres"}, "not 'postgres'"),
    ],
)
def test_what_the_kernel_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Sandbox(**{"engine": "kernel", **options})


def test_a_kernel_of_its_own_ends_with_the_sandbox(kernel: Kernel) -> None:
    with Sandbox("4.3.3", engine="kernel") as box:
        assert ask(box, "SELECT 1 + 1") == ((2,),)
        port = box._world.select.__self__._connection.port  # type: ignore[attr-defined]
        assert port != kernel.port
        assert serves(port)
    assert not serves(port)


def test_the_kernel_ends_when_its_owner_is_killed(kernel: Kernel) -> None:
    """Nobody is left to stop it then."""
    program = (
        "import os, sys; from airflow_ob_provider.sandbox.kernel import Kernel; kernel = Kernel().start(); "
        "print(kernel.port, kernel._directory, flush=True); sys.stdin.read(1)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    port, directory = owner.stdout.readline().split()
    assert serves(int(port))
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 30
    while serves(int(port)) or Path(directory).exists():
        assert time.monotonic() < deadline, "the kernel is still there"


def test_why_there_is_no_kernel_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(KernelUnavailableError, match=r"CPython 3\.11 on Linux x86-64"):
        Kernel().start()


def test_a_kernel_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, kernel: Kernel) -> None:
    monkeypatch.setattr("airflow_ob_provider.sandbox.kernel.process._PROGRAM", "raise SystemExit('no disk')")
    with pytest.raises(KernelUnavailableError, match="no disk"):
        Kernel().start()
