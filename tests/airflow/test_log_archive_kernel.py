"""The template DAG with a real OceanBase SQL engine under the simulated 4.3 cluster: its SELECTs, its minor freeze."""

from __future__ import annotations

import pytest

from airflow_ob_provider.sandbox.kernel import Kernel

from .conftest import sent


@pytest.mark.skipif(bool(Kernel.why_unavailable()), reason=Kernel.why_unavailable())
def test_start_is_proven(new_cluster, run_dag):
    box = new_cluster(profile="4.3.3", engine="kernel", speed=1, tick_seconds=1)
    box.parameters["archive_lag_target"] = "1s"

    done = run_dag(destination="file:///data/nfs/backup/{tenant}", minor_freeze="yes")

    assert done.state == "success"
    assert done.report_of()["verdict"] == "proven"
    ((_, proof),) = done.asset_events
    assert proof["version"] == "4.3.5.3", "the kernel's own"
    assert done.result_of("cluster.freeze.minor_freeze")["frozen_at"]
    assert [one.partition(" TENANT")[0] for one in sent(box.writes)] == [
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/nfs/backup/tenant1 BINDING=Optional "
        "PIECE_SWITCH_INTERVAL=1d'",
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/nfs/backup/tenant2 BINDING=Optional "
        "PIECE_SWITCH_INTERVAL=1d'",
        "ALTER SYSTEM MINOR FREEZE",
        "ALTER SYSTEM ARCHIVELOG",
        "ALTER SYSTEM ARCHIVELOG",
    ]
