"""Mandatory mode can block users' writes, so somebody must say yes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_ob_provider.exceptions import OceanBaseTransientError
from airflow_ob_provider.sandbox import Sandbox

from .conftest import DEST, sent

MANDATORY = "ALTER SYSTEM SET backup_log_archive_option = 'mandatory compression= lz4_1.0'"


@pytest.fixture
def answer(pauses: list[Callable[[], None]]) -> Callable[[Sandbox, str], list[str]]:
    """Answer the approval the way the REST API does. Returns what was asked, to be filled during the run."""

    def prepare(box: Sandbox, option: str) -> list[str]:
        asked: list[str] = []

        def pause() -> None:
            question = _respond(option)
            if question:
                assert box.writes == ()
                asked.append(question)

        pauses.append(pause)
        return asked

    return prepare


def _respond(option: str) -> str:
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.triggers.base import TriggerEvent
    from airflow.utils import timezone
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        waiting = session.scalar(select(TaskInstance).where(TaskInstance.state == "awaiting_input"))
        if waiting is None:
            return ""
        detail = session.get_one(HITLDetail, waiting.id)
        detail.responded_by = {"id": "dba", "name": "dba"}
        detail.responded_at = timezone.utcnow()
        detail.chosen_options = [option]
        handle_event_submit(TriggerEvent(detail.as_resume_event_payload()), task_instance=waiting, session=session)
        return f"{waiting.task_id}: {detail.body}"


def test_a_rejected_switch_writes_nothing(new_cluster, run_dag, answer):
    box = new_cluster()
    asked = answer(box, "Reject")

    done = run_dag(destination=DEST, mode="mandatory")

    assert len(asked) == 1
    assert asked[0].startswith("approve_mandatory_mode: Clusters: oceanbase_default.")
    assert done.state == "failed"
    assert sent(box.writes) == []
    assert done.state_of("approve_mandatory_mode") == "failed"
    assert done.fleet["verdict"] == "NOT PROVEN"


def test_an_approved_switch_goes_through_and_is_not_asked_for_again(new_cluster, run_dag, answer):
    box = new_cluster()
    asked = answer(box, "Approve")

    done = run_dag(destination=DEST, mode="mandatory")

    assert len(asked) == 1
    assert done.state == "success"
    assert MANDATORY in sent(box.writes)
    assert done.report_of()["verdict"] == "proven"

    box.clear_statements()
    again = run_dag(destination=DEST, mode="mandatory")

    assert len(asked) == 1, "the cluster is mandatory already"
    assert again.state == "success"
    assert again.state_of("approve_mandatory_mode") == "skipped"
    assert sent(box.writes) == []


def test_the_form_can_approve(new_cluster, run_dag, answer):
    box = new_cluster()
    asked = answer(box, "Reject")

    done = run_dag(destination=DEST, mode="mandatory", mandatory_approved=True)

    assert asked == []
    assert done.state == "success"
    assert MANDATORY in sent(box.writes)


def test_a_cluster_that_cannot_be_read_holds_up_no_other_and_is_not_switched_unasked(
    new_cluster, run_dag, answer, monkeypatch
):
    from airflow_ob_provider.operators import settings

    dead, fine = new_cluster("dead"), new_cluster("fine")
    asked = answer(fine, "Reject")
    run_dag(oceanbase_conn_ids=["fine"], destination=DEST, mode="mandatory", mandatory_approved=True)
    fine.clear_statements()
    real = settings.OceanBaseHook.session
    at_the_gate = [True]

    def session(self, **kwargs):
        if self.oceanbase_conn_id == "dead" and at_the_gate:
            at_the_gate.clear()
            raise OceanBaseTransientError(2003, "not now")
        return real(self, **kwargs)

    monkeypatch.setattr(settings.OceanBaseHook, "session", session)
    done = run_dag(oceanbase_conn_ids=["dead", "fine"], destination=DEST, mode="mandatory")

    assert asked == [], "the one that could be read is mandatory already"
    assert [done.report_of(number)["verdict"] for number in (0, 1)] == ["NOT PROVEN", "proven"]
    assert done.state_of("cluster.option", 0) == "failed"
    assert MANDATORY not in sent(dead.writes)
    assert sent(fine.writes) == []
