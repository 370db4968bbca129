"""What tests of data backups need besides the harness: workers that die, others that are faster, retries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.operators.backup import BackupDatabaseOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import writes
from tests.unit.operators.harness4 import put, sql

FULL, INCREMENTAL = "ALTER SYSTEM BACKUP DATABASE", "ALTER SYSTEM BACKUP INCREMENTAL DATABASE"


class KilledError(BaseException):
    """The worker is killed here."""


def backup(**kwargs: Any) -> BackupDatabaseOperator:
    return BackupDatabaseOperator(task_id="backup", **kwargs)


def started(box: Sandbox) -> list[str]:
    """Backups that were asked for by the task, whatever came of them."""
    return writes(box, "SYSTEM BACKUP")


def jobs(box: Sandbox) -> int:
    """Backups that there have ever been, by the cluster's own record."""
    if box._cluster.build.name[0] in "23":
        return len(box._cluster.backup.sets)
    rows = box._cluster.backups[1]
    return len(rows.jobs) + len(rows.job_history)


def set_up(box: Sandbox, *names: str) -> None:
    """4.x: log backup is DOING and a destination of data backups is set."""
    for name in names or ("tenant1", "tenant2"):
        put(box, "DOING", name)
        sql(box, f"ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/nfs/data/{name}' TENANT = {name}")


@contextmanager
def archiving(profile: str) -> Iterator[Sandbox]:
    """A cluster of either generation whose log backup is DOING, ready for data backups."""
    with Sandbox(profile=profile, tenants=2, servers=3, manual_clock=True) as box:
        if profile.startswith("4"):
            set_up(box)
        else:
            box.parameters["backup_dest"] = "file:///data/nfs/backup"
            box.force_status("DOING")
        yield box


def next_try(context: Any) -> Any:
    """The retry of a task: a state store survives it."""
    context["ti"].try_number += 1
    return context


def before_sending(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Something happens between the task's look and its statement, once."""
    real = OceanBaseHook.execute

    def execute(hook: OceanBaseHook, statement: Any) -> None:
        monkeypatch.setattr(OceanBaseHook, "execute", real)
        action()
        real(hook, statement)

    monkeypatch.setattr(OceanBaseHook, "execute", execute)


def kill(monkeypatch: pytest.MonkeyPatch, *, sent: bool) -> None:
    """The worker dies before, or right after, its statement is sent."""
    real = OceanBaseHook.execute

    def execute(hook: OceanBaseHook, statement: Any) -> None:
        monkeypatch.setattr(OceanBaseHook, "execute", real)
        if sent:
            real(hook, statement)
        raise KilledError

    monkeypatch.setattr(OceanBaseHook, "execute", execute)
