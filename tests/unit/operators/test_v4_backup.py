"""BackupDatabaseOperator on 4.x."""

from __future__ import annotations

from typing import Any

from airflow_ob_provider.compliance.restorable import restorable
from airflow_ob_provider.operators.backup import BackupDatabaseOperator
from airflow_ob_provider.operators.settings import SetDataBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, ending, make_context, writes
from tests.unit.operators.harness4 import builds, clock, cluster, put

__all__ = ["clock", "cluster"]


def backup(**kwargs: Any) -> BackupDatabaseOperator:
    return BackupDatabaseOperator(task_id="backup", **kwargs)


@builds()
def test_full(cluster: Sandbox, clock: Time):
    put(cluster, "DOING", "tenant1")
    put(cluster, "DOING", "tenant2")
    e = ending(lambda: drive(backup(), make_context(), clock))
    print(e)
    s = SetDataBackupDestinationOperator(task_id="d", destination="file:///data/nfs/{tenant}/data")
    print(drive(s, make_context(), clock))
    print(drive(s, make_context(), clock))
    result = drive(backup(description="nightly"), make_context(), clock)
    print(result)
    print(writes(cluster))
    print(restorable("oceanbase_default", result["restore_points"]))
    cluster.advance(200)
    print(restorable("oceanbase_default", result["restore_points"]))
    assert 0
