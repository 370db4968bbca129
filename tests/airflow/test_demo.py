"""The end of ``make demo``: the compliance check before and after a full data backup, and its report."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from airflow_ob_provider.operators.backup import BackupDatabaseOperator
from airflow_ob_provider.operators.compliance import ArchiveComplianceOperator
from airflow_ob_provider.operators.settings import SetDataBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor
from demo import compliance
from tests.unit.compliance_edges.conftest import CLEAN, context


class Runner:
    """Checks as the demo's DAG does, without its Airflow."""

    def __init__(self, *, is_4: bool) -> None:
        self.is_4 = is_4
        self.verdicts: list[str] = []

    def check(self, folder: str) -> Any:
        task = ArchiveComplianceOperator(task_id="check", report_path=folder, policy=CLEAN, fail_on="never")
        result = task.execute(context())
        self.verdicts.append(result["verdict"])
        return result

    def back_up(self) -> Any:
        data = SetDataBackupDestinationOperator(task_id="data", destination="file:///data/nfs/data/{tenant}")
        if self.is_4:
            data.execute(context())
        made = BackupDatabaseOperator(task_id="backup", deferrable=False, poll_interval=1).execute(context())
        passed = ArchiveCheckpointSensor(
            task_id="passed", after=made["restore_point"], poke_interval=1, deferrable=False
        )
        passed.execute(context())
        return made


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
def test_it_ends_with_the_report_of_a_cluster_that_can_be_restored(
    new_cluster: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    box = new_cluster(profile=profile, tenants=2)
    box.history.clear()
    box.history.round(1, box.now - timedelta(hours=1))
    monkeypatch.setattr(compliance, "REPORTS", tmp_path)
    said: list[str] = []
    shown = io.StringIO()
    runner = Runner(is_4=profile.startswith("4"))

    problems = compliance.show(runner, box, said.append, Console(file=shown, width=110))

    assert (problems, runner.verdicts) == ([], ["FAIL", "OK"]), shown.getvalue()
    text = "\n".join(said)
    assert "BACKUP DATABASE" in text
    assert f"{tmp_path}/oceanbase_default/latest.en.html" in text
    assert (tmp_path / "oceanbase_default" / "latest.zh.html").exists()
    assert "verdict: OK oceanbase_default" in shown.getvalue()
    assert "full backup 1, round 1" in " ".join(shown.getvalue().replace("│", " ").split())
