"""ob_data_backup by dag.test(): both generations, chained to log backup by its asset, restorable or red."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_ob_provider.report_backup import DRY_RUN, NOT_NEEDED, NOT_RESTORABLE, RESTORABLE
from airflow_ob_provider.sandbox import Sandbox
from tests.airflow.conftest import DEST, Done
from tests.recorded import sent

DATA = "file:///data/nfs/{tenant}/data"
PROFILES = ("3.1.5", "3.2.4", "4.0.0", "4.2.5", "4.3.3")


def archiving(box: Sandbox, profile: str) -> Sandbox:
    """Log backup is DOING everywhere."""
    if profile.startswith("3"):
        box.parameters["backup_dest"] = DEST
    box.force_status("DOING")
    return box


def destination(profile: str) -> dict[str, Any]:
    return {} if profile.startswith("3") else {"destination": DATA}


def backups(box: Sandbox) -> list[str]:
    """Statements that start a data backup, without their comment."""
    return [text for text in sent(box.writes) if "BACKUP DATABASE" in text or "BACKUP TENANT" in text]


@pytest.mark.parametrize("profile", PROFILES)
def test_green(profile: str, new_cluster: Callable[..., Sandbox], run_dag: Callable[..., Done]):
    box = archiving(new_cluster(profile=profile), profile)
    done = run_dag("ob_data_backup", poll_interval=1, **destination(profile))
    print(done.report_of()["markdown"])
    assert done.state == "success", done.states
