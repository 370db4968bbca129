"""Faults under the compliance check: what is lost makes it try again, or know nothing; never a false green."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_ob_provider.operators import compliance
from airflow_ob_provider.operators.compliance import ArchiveComplianceOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.faults.proxy import BREAKING, LOGIN, Fault, Kind
from tests.faults.rig import Rig
from tests.faults.tasks import Task
from tests.faults.verdict import LOST, LOST_HINT, check, expect
from tests.faults.wire import FOR_EVER, READ

POLICY = {"defaults": {"cleanup_required": False}}
QUERIES = 5
"""Of a healthy cluster; a broken one is asked up to three more."""


def _two_days(box: Sandbox, *, broken: bool) -> None:
    box.history.clear()
    box.history.round(1, box.now - timedelta(days=2, hours=6))
    box.history.backup_set(1, box.now - timedelta(days=1), box.now - timedelta(hours=23))
    if broken:
        box.history.piece(2, file_status="BROKEN", tenant="tenant1")


def _task(folder: Path, verdict: str) -> Task:
    def make() -> Any:
        return ArchiveComplianceOperator(
            task_id="check", policy=POLICY, report_path=f"file://{folder}", fail_on="UNKNOWN"
        )

    def holds(box: Sandbox, result: Any, began: datetime) -> str:
        kept = json.loads((folder / "oceanbase_default" / "latest.json").read_text(encoding="utf-8"))
        if kept["verdict"] != result["verdict"]:
            return f"the report says {kept['verdict']}, the task {result['verdict']}"
        return "" if result["verdict"] == verdict else f"it says {result['verdict']}, and the cluster is {verdict}"

    return Task(f"compliance-{verdict}", make, lambda box: _two_days(box, broken=verdict != "OK"), holds)


@pytest.fixture(autouse=True)
def _events(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contexts of the harness know no asset events; what is told of a check is heard all the same."""
    monkeypatch.setattr(compliance, "_tell", lambda *_: None)
    monkeypatch.setattr(compliance, "_measure", lambda *_: None)


def _places() -> Iterator[tuple[str, Fault]]:
    for kind in BREAKING:
        yield f"{kind}-at-login", Fault(kind, LOGIN)
        for skip in range(QUERIES):
            yield f"{kind}-at-read-{skip + 1}", Fault(kind, READ, skip)


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
@pytest.mark.parametrize("fault", [pytest.param(fault, id=name) for name, fault in _places()])
def test_a_fault_on_the_way_is_tried_again(
    fault: Fault, profile: str, make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = make_rig(profile)
    task = _task(tmp_path, "OK")
    task.prepare(rig.box)
    rig.proxy.faults.append(Fault(fault.kind, fault.on, fault.skip))
    check(rig, task, expect("retry", "success", LOST, LOST_HINT, may_write=False))


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
def test_a_slow_server_is_no_fault(profile: str, make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    rig = make_rig(profile)
    task = _task(tmp_path, "OK")
    task.prepare(rig.box)
    rig.proxy.faults.append(Fault(Kind.SLOW, count=FOR_EVER))
    check(rig, task, expect("success", "success", may_write=False))


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
@pytest.mark.parametrize("skip", range(QUERIES + 3))
def test_a_fault_that_lasts_is_unknown_and_red(
    skip: int, profile: str, make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    """A broken cluster, of which less and less can be read: never green, and the report is there."""
    rig = make_rig(profile)
    task = _task(tmp_path, "FAIL")
    task.prepare(rig.box)

    def strike() -> None:
        rig.proxy.heal()
        rig.proxy.faults.append(Fault(Kind.RESET, READ, skip, FOR_EVER))

    rig.on_retry = [strike]
    strike()
    struck = skip < QUERIES
    check(rig, task, expect("retry failed", "failed", may_write=False), struck=struck)
    report = json.loads((tmp_path / "oceanbase_default" / "latest.json").read_text(encoding="utf-8"))
    assert report["verdict"] in ({"UNKNOWN"} if struck else {"UNKNOWN", "FAIL"})


ERRORS = (1142, 1227, 1146, 1054, 1064, 4012, 4016, 4023, 4114, 4179, 5099)
"""What a server may answer to a read: not allowed, not there, not understood, busy, broken inside."""


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
@pytest.mark.parametrize("errno", ERRORS)
@pytest.mark.parametrize("view", ["SUMMARY", "SET_FILES", "GV.OB_PARAMETERS|sys_parameter"])
def test_what_cannot_be_read_is_never_green(
    view: str, errno: int, profile: str, make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    """A cluster that is fine, and one part of its catalog answers an error for ever."""
    rig = make_rig(profile)
    task = _task(tmp_path, "UNKNOWN")
    _two_days(rig.box, broken=False)
    rig.on_retry = []
    rig.box.faults.error_once = {"pattern": view, "errno": errno, "count": FOR_EVER}
    check(rig, task, expect("retry failed", "failed", may_write=False), struck=False)
    report = json.loads((tmp_path / "oceanbase_default" / "latest.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "UNKNOWN"
    assert f"[{errno}]" in json.dumps(report["findings"])
