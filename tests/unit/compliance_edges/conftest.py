"""Clusters to check, contexts to check them in, and a place for reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_ob_provider.operators.compliance import ArchiveComplianceOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.ears import ears
from tests.unit.operators.harness import make_context

__all__ = ["ears"]

CLEAN = {"defaults": {"cleanup_required": False}}
"""What the cluster of :func:`new` fulfils."""


@pytest.fixture
def new(add_connection: Callable[..., str]) -> Iterator[Callable[..., Sandbox]]:
    """Start a cluster with two days of logs and a full backup, its clock moved by hand, known to Airflow."""
    with ExitStack() as stack:

        def start(
            conn_id: str = "oceanbase_default", profile: str = "4.2.5", destination: str | None = None, **options: Any
        ) -> Sandbox:
            given = {"tenants": 2, "servers": 1, "manual_clock": True, **options}
            box = stack.enter_context(Sandbox(profile, **given))
            now = box.now
            box.history.clear()
            box.history.round(1, now - timedelta(days=2), destination=destination)
            box.history.backup_set(1, now - timedelta(days=1), now - timedelta(hours=23))
            add_connection(box, conn_id)
            return box

        yield start


@pytest.fixture
def box(new: Callable[..., Sandbox]) -> Sandbox:
    return new()


def red(box: Sandbox) -> None:
    """FAIL."""
    box.interrupt("tenant1")
    box.advance(600)


def context(*, tries_left: int = 0) -> Any:
    """What a task gets."""
    made = make_context()
    made["ti"].max_tries = tries_left
    made["outlet_events"] = OutletEventAccessors()
    return made


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., ArchiveComplianceOperator]:
    """A check with a folder of reports of its own."""

    def make(**arguments: Any) -> ArchiveComplianceOperator:
        given = {"report_path": str(tmp_path / "reports"), "policy": CLEAN, **arguments}
        return ArchiveComplianceOperator(task_id="task", **given)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where that check writes."""
    return tmp_path / "reports" / "oceanbase_default"
