"""BackupDatabaseOperator on 3.x."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.operators.backup import BackupDatabaseOperator, CancelBackupOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, ending, make_context, writes

FULL = "ALTER SYSTEM BACKUP DATABASE"


def backup(**kwargs: Any) -> BackupDatabaseOperator:
    return BackupDatabaseOperator(task_id="backup", **kwargs)


@pytest.fixture
def doing(cluster: Sandbox) -> Sandbox:
    cluster.parameters["backup_dest"] = "file:///data/nfs/backup"
    cluster.force_status("DOING")
    return cluster


@pytest.mark.parametrize("deferrable", [True, False])
def test_full(doing: Sandbox, clock: Time, deferrable: bool):
    result = drive(backup(deferrable=deferrable), make_context(), clock)
    print(result)
    assert writes(doing) == [FULL]
    assert result["sets"] == {"tenant1": 1, "tenant2": 1}


def test_cancel(doing: Sandbox, clock: Time):
    clock.at(
        10,
        lambda: print(drive(CancelBackupOperator(task_id="c", confirm=True, deferrable=False), make_context(), clock)),
    )
    print(ending(lambda: drive(backup(), make_context(), clock)))
