"""All tasks of a DAG that brings log backup of one cluster to where it should be: look, ask, act, prove, write down."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import TaskGroup, TriggerRule, XComArg, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_ob_provider.assets.oceanbase import connections_of
from airflow_ob_provider.compliance.restorable import restorable
from airflow_ob_provider.operators.compliance import ArchiveComplianceOperator, default_report_path
from airflow_ob_provider.operators.recovery import DiagnoseArchiveOperator, ForceStopArchiveOperator
from airflow_ob_provider.report_recovery import NOT_RESTORED, recovery_report
from airflow_ob_provider.results import results_of
from airflow_ob_provider.task_groups.restart import restart_group, tenants_for

log = logging.getLogger(__name__)

_CONN = "{{ ti.xcom_pull(task_ids='cluster') }}"
_PLAN = "{{ ti.xcom_pull(task_ids='diagnose')['plan_markdown'][params.language] }}"
_DESTINATION = "{{ params.destination or '' }}"
_KEYS = "{{ params.dest_conn_id or '' }}"
_REPORTS = "{{ params.report_path or '' }}"
_APPROVAL: dict[str, Any] = {"fail_on_reject": True, "response_timeout": timedelta(days=1), "retries": 0}


def recovery_tasks(*, kind: str, subject: str, moves: bool = False) -> None:
    """The tasks of ``ob_archive_recovery`` and ``ob_archive_destination_move``, to be called in a DAG.

    Nothing is sent before a person has approved the plan, or the param ``approved`` says that somebody has. The plan is
    made anew after that: what was healed meanwhile is left alone. A stop by force (3.x) has an approval of its own. The
    DAG's params are those of :func:`~airflow_ob_provider.task_groups.params.recovery_params`.

    :param kind: what the run is called in the ledger.
    :param subject: of the approval; a template.
    :param moves: log backup is to go to the param ``destination``. Else that is used only where it has lost its own.
    """
    common: dict[str, Any] = {"oceanbase_conn_id": _CONN}
    diagnosis: dict[str, Any] = {
        **common,
        "destination": _DESTINATION if moves else "",
        "dest_conn_id": _KEYS,
        "language": "{{ params.language }}",
        "stuck_after": "{{ params.stuck_after }}",
        "waited": "{{ params.waited }}",
        "stop_suspended": "{{ params.stop_suspended }}",
        "report_path": _REPORTS,
    }
    diagnose = DiagnoseArchiveOperator(
        task_id="diagnose",
        task_display_name="What is wrong, and what would help",
        doc_md="Reads catalog, comments, log streams and event history; says what broke, by evidence, and makes the "
        "plan with its cost. Sends nothing.",
        tenants="{{ params.tenants | join(',') }}",
        **diagnosis,
    )
    decided = task.branch(task_id="decide", task_display_name="Is anything to be done?")(_decide)(diagnose.output)
    approve = ApprovalOperator(
        task_id="approve",
        task_display_name="Approve the plan",
        doc_md="A person sees the plan and says yes or no. No, or no answer within a day, ends the run before anything "
        "is sent.",
        subject=subject,
        body=_PLAN,
        **_APPROVAL,
    )
    going = task(task_id="go", task_display_name="Approved", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)(
        _yes
    )()
    allowed = task(task_id="allowed", task_display_name="Who may be touched")(_allowed)(diagnose.output)
    plan = DiagnoseArchiveOperator(
        task_id="plan",
        task_display_name="The plan, made anew",
        doc_md="The same reading once more, for those of the approved plan: what was healed meanwhile is left alone. "
        "Sends nothing.",
        tenants=allowed,
        **diagnosis,
    )
    force = _force_group(plan)
    ready = task(task_id="ready", task_display_name="Ready to begin", trigger_rule=TriggerRule.NONE_FAILED)(_yes)()
    restart = restart_group(_CONN, XComArg(plan), ready, destination=_DESTINATION, dest_conn_id=_KEYS)
    over = task(task_id="over", task_display_name="The steps are over", trigger_rule=TriggerRule.ALL_DONE)(_over)(going)
    left = DiagnoseArchiveOperator(
        task_id="left",
        task_display_name="Is anything left to do?",
        doc_md="The same reading at the end: **proves** that the plan is empty, or tells what is left. Sends nothing.",
        tenants=allowed,
        **diagnosis,
    )
    check = ArchiveComplianceOperator(
        task_id="check",
        task_display_name="Compliance check",
        doc_md="Judges log backup by the policy and writes the report. **Proves** what the catalog says, not that "
        "files can be read back. Reads only.",
        policy="{{ params.policy | tojson if params.policy else '' }}",
        report_path=_REPORTS,
        language="{{ params.language }}",
        fail_on="never",
        **common,
    )
    summary = task(
        task_id="summary", task_display_name="Report, and ledger", trigger_rule=TriggerRule.ALL_DONE, retries=0
    )(_summary)(kind)

    task(task_id="cluster", task_display_name="Which cluster")(_cluster)() >> diagnose
    decided >> [approve, going]
    approve >> going >> allowed >> plan >> force >> ready
    [plan, ready] >> restart >> over >> [left, check]
    [decided, left, check] >> summary


def _force_group(plan: DiagnoseArchiveOperator) -> TaskGroup:
    """3.x: a round that does not stop is ended by force, when a person has said so to that alone."""
    with TaskGroup(
        "force",
        group_display_name="Stop by force (3.x)",
        tooltip="CANCEL ALL BACKUP FORCE, only for a round that is stuck in STOPPING, on an approval of its own.",
    ) as group:
        needed = task.branch(task_id="needed", task_display_name="Is force needed?")(_force_needed)(plan.output)
        approve = ApprovalOperator(
            task_id="approve",
            task_display_name="Approve force",
            doc_md="A person says yes or no to this statement alone: it ends **every** backup of the cluster.",
            subject="End OceanBase log backup by force?",
            body="`ALTER SYSTEM CANCEL ALL BACKUP FORCE` ends **every** backup of the cluster, a running data backup "
            "too, and empties `backup_dest`. It is then set to {{ params.destination or 'nothing: give one' }}.\n\n"
            + _PLAN,
            **_APPROVAL,
        )
        stop = ForceStopArchiveOperator(
            task_id="stop",
            task_display_name="End it by force, set the destination",
            doc_md="Sends `ALTER SYSTEM CANCEL ALL BACKUP FORCE` once, waits for STOP and sets the new destination. "
            "**It cancels every backup of the cluster** and empties `backup_dest`. Log backup stays stopped until "
            "it is started.",
            oceanbase_conn_id=_CONN,
            confirm=True,
            destination=_DESTINATION,
            dest_conn_id=_KEYS,
            cancel_data_backup=True,
            timeout="{{ params.stop_timeout }}",
            poll_interval="{{ params.poll_interval }}",
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        )
        needed >> [approve, stop]
        approve >> stop
    return group


def _cluster(params: Any = None, triggering_asset_events: Any = None) -> str:
    """The cluster: of the asset that has started the run, or of the form."""
    found = connections_of(triggering_asset_events)
    if len(found) > 1:
        raise AirflowFailException(f"assets of several clusters have started this run: {', '.join(found)}")
    return found[0] if found else str(params["oceanbase_conn_id"])


def _decide(found: Any, params: Any = None) -> str:
    """Nothing to do, a plan to look at, or a plan to be approved."""
    if not found["needs"] or params["dry_run"]:
        return "summary"
    return "go" if params["approved"] else "approve"


def _yes() -> bool:
    """It may go on from here."""
    return True


def _allowed(found: Any) -> list[str] | None:
    """Who may be touched: those of the approved plan, and nobody who has broken since."""
    return tenants_for(found, found["needs"])


def _force_needed(found: Any, params: Any = None) -> str:
    """Whether somebody must say yes to force."""
    if "force_stop" not in found["needs"]:
        raise AirflowSkipException("nothing is stuck that could be ended by force")
    return "force.stop" if params["force_approved"] else "force.approve"


def _over(going: Any) -> None:
    """Whatever has become of the steps, what is there now is looked at."""
    if not going:
        raise AirflowSkipException("nothing was to be done, or it was not approved")


def _summary(kind: str, params: Any = None, ti: Any = None) -> dict[str, Any]:
    """The report, and the entry in the ledger; red unless nothing is left to do."""
    from airflow_ob_provider.compliance.store import ReportStore

    conn_id = ti.xcom_pull(task_ids="cluster")
    results = results_of(ti, _RESULTS)
    points = (results.get("backup") or {}).get("restore_points")
    windows = restorable(conn_id, points) if points else {}
    run = f"{ti.dag_id}/{ti.run_id}"
    report = recovery_report(conn_id, {**results, "windows": windows}, run=run, kind=kind, dry_run=params["dry_run"])
    log.info("%s", report["markdown"])
    ti.xcom_push(key="return_value", value=report)
    if report["entry"]:
        where = ReportStore(params["report_path"] or default_report_path(), conn_id).enter(report["entry"])
        log.info("Entered in the ledger: %s", where)
    if report["verdict"] == NOT_RESTORED:
        raise AirflowFailException(f"log backup of {conn_id} is not where it should be yet; see the report")
    return report


_RESULTS = {
    "diagnose": "diagnose",
    "approved": "approve",
    "plan": "plan",
    "force_approved": "force.approve",
    "force": "force.stop",
    **{step: f"restart.{step}" for step in ("stop", "destination", "start", "doing", "backup", "archived")},
    "left": "left",
    "check": "check",
}
