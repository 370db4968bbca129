"""ob_archive_recovery and ob_archive_destination_move by dag.test(): approved, rejected, interrupted, run again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_ob_provider.report_recovery import NOT_RESTORED, NOTHING, PLANNED, RESTORED
from airflow_ob_provider.sandbox import Sandbox
from tests.airflow.conftest import DEST, Done
from tests.airflow.test_log_archive_approval import answer
from tests.recorded import sent
from tests.unit.operators.harness4 import sql

__all__ = ["answer"]

STOP, START = "ALTER SYSTEM NOARCHIVELOG", "ALTER SYSTEM ARCHIVELOG"
PAST = 3600.0


@pytest.fixture
def doing(new_cluster: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    """A cluster that archives, and on 4.x has a place for data backups."""

    def start(profile: str = "4.2.5", **options: Any) -> Sandbox:
        box = new_cluster(profile=profile, **options)
        if profile.startswith("3"):
            box.parameters["backup_dest"] = DEST
        box.force_status("DOING")
        if profile.startswith("4"):
            for name in ("tenant1", "tenant2"):
                sql(box, f"ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/nfs/{name}/data' TENANT = {name}")
        return box

    return start


@pytest.fixture
def recover(run_dag: Callable[..., Done], tmp_path: Path) -> Callable[..., Done]:
    def run(dag_id: str = "ob_archive_recovery", **params: Any) -> Done:
        return run_dag(dag_id, poll_interval=1, report_path=str(tmp_path), **params)

    return run


@pytest.fixture
def ledger(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    def read() -> list[dict[str, Any]]:
        path = tmp_path / "oceanbase_default" / "recoveries.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    return read


def verdict(done: Done) -> str:
    return str(done.result_of("summary")["verdict"])


def break_off(box: Sandbox, profile: str) -> None:
    """The cluster of 3.x, or tenant1 of 4.x, is INTERRUPTED."""
    box.force_status("INTERRUPTED", None if profile.startswith("3") else "tenant1")


@pytest.mark.parametrize(
    ("profile", "whom"), [("3.2.4", ""), ("4.0.0", " TENANT = 'tenant1'"), ("4.2.5", " TENANT = 'tenant1'")]
)
def test_from_a_break_to_restorable_with_each_statement_once(profile, whom, doing, recover, answer, ledger):
    box = doing(profile)
    break_off(box, profile)
    asked = answer(box, "Approve")

    done = recover()

    assert done.state == "success"
    assert verdict(done) == RESTORED
    [question] = asked
    assert "INTERRUPTED" in question
    writes = sent(box.writes)
    assert writes[:2] == [STOP + whom, START + whom]
    assert len(writes) == 3
    assert "BACKUP" in writes[2]
    [entry] = ledger()
    assert (entry["kind"], entry["verdict"], entry["approved_by"]) == ("recovery", RESTORED, "dba")
    place = "tenant1" if whom else "cluster"
    told = entry["tenants"][place]
    assert told["state"] == "INTERRUPTED"
    assert told["new_round"] == told["round"] + 1
    assert told["gap"]["from"] < told["gap"]["to"]["tenant1"]
    assert told["sets"]["tenant1"] == 1
    assert told["left"] == []


def test_without_a_yes_nothing_is_sent(doing, recover, answer, ledger):
    box = doing()
    break_off(box, "4.2.5")
    asked = answer(box, "Reject")
    done = recover()
    assert len(asked) == 1
    assert done.state == "failed"
    assert verdict(done) == NOT_RESTORED
    assert sent(box.writes) == []
    assert ledger() == []


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
def test_what_is_restorable_is_left_alone(profile, doing, run_dag, recover, answer, ledger):
    box = doing(profile)
    assert run_dag("ob_data_backup", poll_interval=1).state == "success"
    box.clear_statements()
    asked = answer(box, "Approve")
    done = recover()
    assert done.state == "success"
    assert verdict(done) == NOTHING
    assert asked == []
    assert sent(box.writes) == []
    assert ledger() == []


def test_a_dry_run_shows_the_plan_and_asks_nobody(doing, recover, answer, ledger):
    box = doing()
    break_off(box, "4.2.5")
    asked = answer(box, "Approve")
    done = recover(dry_run=True)
    assert done.state == "success"
    assert verdict(done) == PLANNED
    assert asked == []
    assert sent(box.writes) == []
    assert ledger() == []
    assert done.result_of("diagnose")["by_step"]["stop"] == ["tenant1"]


def test_a_run_that_failed_in_the_middle_is_gone_on_with(doing, recover, ledger):
    box = doing()
    break_off(box, "4.2.5")
    box.faults.failed_backups = {"tenant1": 9086, "tenant2": 9086}
    first = recover(approved=True)
    assert first.state == "failed"
    assert ledger()[0]["verdict"] == NOT_RESTORED
    box.faults.failed_backups = {}
    box.clear_statements()

    second = recover(approved=True)

    assert second.state == "success"
    assert verdict(second) == RESTORED
    assert [text.partition(" DESC")[0] for text in sent(box.writes)] == [
        "ALTER SYSTEM BACKUP TENANT = 'tenant1', 'tenant2'"
    ]
    assert [entry["verdict"] for entry in ledger()] == [NOT_RESTORED, RESTORED]


def test_what_somebody_has_healed_while_the_plan_waited_is_not_stopped(doing, recover, pauses, answer):
    box = doing("3.2.4")
    break_off(box, "3.2.4")
    healed: list[str] = []

    def heal() -> None:
        if not healed and _is_asked():
            healed.append("by hand")
            box.force_status("DOING")

    pauses.append(heal)
    answer(box, "Approve")
    done = recover()
    assert healed
    assert STOP not in sent(box.writes)
    assert done.state == "success"


def test_a_suspended_tenant_goes_on_without_a_gap(doing, run_dag, recover):
    box = doing()
    assert run_dag("ob_data_backup", poll_interval=1).state == "success"
    sql(box, "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'DEFER' TENANT = tenant1")
    box.advance(120)
    box.clear_statements()
    done = recover(approved=True)
    assert done.state == "success"
    assert sent(box.writes) == ["ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE' TENANT = 'tenant1'"]


def test_a_stop_by_force_needs_a_yes_of_its_own_and_a_new_destination(doing, recover, answer, ledger):
    box = doing("3.2.4")
    box.faults.dead_servers = {1}
    sql(box, STOP)
    box.advance(PAST)
    asked: list[str] = answer(box, "Approve")
    new = "file:///data/nfs2/backup"
    repair = threading.Thread(target=_repair_when_forced, args=(box,), daemon=True)
    repair.start()

    done = recover(destination=new, approved=True, proof_timeout=60)

    repair.join(10)
    assert done.state == "success"

    [question] = asked
    assert question.startswith("force.approve")
    assert sent(box.writes)[:2] == [
        "ALTER SYSTEM CANCEL ALL BACKUP FORCE",
        f"ALTER SYSTEM SET backup_dest = '{new}'",
    ]
    assert done.result_of("force.stop")["after"] == new
    assert ledger()[0]["force_approved_by"] == "dba"


@pytest.mark.parametrize(("profile", "new"), [("3.2.4", "file:///data/nfs2"), ("4.2.5", "file:///data/nfs2/{tenant}")])
def test_a_move_ends_with_a_full_backup_and_is_made_once(profile, new, doing, recover, answer, ledger):
    box = doing(profile)
    asked = answer(box, "Approve")

    done = recover("ob_archive_destination_move", destination=new)

    assert done.state == "success"
    assert verdict(done) == RESTORED
    assert len(asked) == 1
    assert new.partition("{")[0] in asked[0]
    [entry] = ledger()
    assert entry["kind"] == "move"
    for told in entry["tenants"].values():
        assert told["gap"]["from"] < min(told["gap"]["to"].values())

    box.clear_statements()
    again = recover("ob_archive_destination_move", destination=new)

    assert verdict(again) == NOTHING
    assert sent(box.writes) == []


def test_a_destination_that_is_refused_leaves_log_backup_running_where_it_was(doing, recover):
    box = doing()
    for name in ("tenant1", "tenant2"):
        box.medium.put(f"file:///data/nfs2/{name}", "unformatted")
    done = recover("ob_archive_destination_move", destination="file:///data/nfs2/{tenant}", approved=True)
    assert done.state == "failed"
    assert verdict(done) == NOT_RESTORED
    left = done.result_of("left")["tenants"]
    assert {one["state"] for one in left.values()} == {"DOING"}
    assert "9080" in done.result_of("summary")["markdown"]


def _repair_when_forced(box: Sandbox) -> None:
    """Somebody brings the dead server back once the round is no longer in the way."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any("SET backup_dest" in text for text in sent(box.writes)):
        threading.Event().wait(0.01)
    box.faults.dead_servers = set()


def _is_asked() -> bool:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return session.scalar(select(TaskInstance).where(TaskInstance.state == "awaiting_input")) is not None
