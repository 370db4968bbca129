"""From a plan to a log backup that can be restored again: stop, move, start, full backup, and the proof of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import TaskGroup, TriggerRule, XComArg, task
from airflow.sdk.exceptions import AirflowSkipException

from airflow_ob_provider.oceanbase.models import Scope
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator
from airflow_ob_provider.operators.backup import BackupDatabaseOperator
from airflow_ob_provider.operators.settings import SetBackupDestinationOperator
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor, ArchiveDoingSensor


def restart_group(
    oceanbase_conn_id: str | XComArg,
    plan: XComArg,
    ready: Any,
    *,
    destination: str = "",
    dest_conn_id: str = "",
    group_id: str = "restart",
) -> TaskGroup:
    """What a plan of :class:`~airflow_ob_provider.operators.recovery.DiagnoseArchiveOperator` needs, step by step.

    ``stop`` (a gap), ``destination``, ``start`` or resume, ``doing``, full ``backup``, ``archived``: each for those
    tenants that the plan names for it, skipped where it names none. Every step looks at the state first and writes only
    on a difference, so a group that was interrupted and is run again goes on. One tenant that fails does not stop the
    others. Limits come from the DAG's params ``stop_timeout``, ``doing_timeout``, ``backup_timeout``, ``proof_timeout``
    and ``poll_interval``.

    :param plan: output of the diagnosis.
    :param ready: the task behind which all of it may begin, which must return something true. Once it has, what was
        stopped is started again, whatever becomes of the steps in between.
    :param destination: template of where log backup is to go, for those whose plan has that step.
    :param dest_conn_id: template of the connection with the keys of an object store.
    :return: the group.
    """
    common: dict[str, Any] = {"oceanbase_conn_id": oceanbase_conn_id, "on_partial_failure": "continue"}
    polls = {"poll_interval": "{{ params.poll_interval }}"}
    pokes = {"poke_interval": "{{ params.poll_interval }}"}
    with TaskGroup(
        group_id,
        group_display_name="Stop, move, start, full backup, proof",
        tooltip="Each step for those tenants only that the plan names for it.",
    ) as group:
        stop_for = _who("stop_whom", plan, "stop", shown="Whom to stop")
        stop = StopArchivelogOperator(
            task_id="stop",
            task_display_name="Stop log backup (a gap)",
            doc_md="Sends `ALTER SYSTEM NOARCHIVELOG` and waits for STOP. **Makes a gap**: what is written until the "
            "next start is in no round, and older backups cannot be restored past it.",
            tenants=stop_for,
            confirm=True,
            timeout="{{ params.stop_timeout }}",
            **polls,
            **common,
        )
        move_for = _who("move_whom", plan, "set_destination", shown="Whose destination to set")
        move = SetBackupDestinationOperator(
            task_id="destination",
            task_display_name="Set the destination",
            doc_md="Sets where log backup goes, where it differs, and reads it back; only in STOP.",
            tenants=move_for,
            destination=destination,
            dest_conn_id=dest_conn_id,
            **common,
        )
        # Whatever became of the steps before: log backup that was stopped must not be left so.
        start_for = _who("start_whom", plan, "start", "resume", shown="Whom to start or resume", ready=ready)
        start = StartArchivelogOperator(
            task_id="start",
            task_display_name="Start, or resume, log backup",
            doc_md="Sends `ALTER SYSTEM ARCHIVELOG` in STOP (a new round), or resumes what was suspended (the same "
            "round, no gap); nothing where it runs. Also when a step before has failed: log backup is not left "
            "stopped.",
            tenants=start_for,
            timeout="{{ params.stop_timeout }}",
            **polls,
            **common,
        )
        watch_for = _who("watch_whom", plan, "wait_doing", shown="Whom to watch")
        doing = ArchiveDoingSensor(
            task_id="doing",
            task_display_name="DOING",
            doc_md="Waits until log backup is DOING. INTERRUPTED fails at once. Reads only.",
            tenants=watch_for,
            timeout="{{ params.doing_timeout }}",
            **pokes,
            **common,
        )
        backup_for = _who("back_up_whom", plan, "full_backup", "wait_backup", shown="Whom to back up")
        backup = BackupDatabaseOperator(
            task_id="backup",
            task_display_name="Full backup: the gap ends",
            doc_md="Takes a full data backup, or waits for one that runs. Only a full one inside the new round ends "
            "the gap.",
            tenants=backup_for,
            kind="full",
            description="after a restart of log backup",
            timeout="{{ params.backup_timeout }}",
            **polls,
            **common,
        )
        prove_for = _who(
            "prove_whom", plan, "full_backup", "wait_backup", "wait_checkpoint", shown="Whose proof to wait for"
        )
        archived = ArchiveCheckpointSensor(
            task_id="archived",
            task_display_name="Proof: log backup has passed it",
            doc_md="Waits until everything written before now is archived, the full backup too. Reads only.",
            tenants=prove_for,
            after="now",
            timeout="{{ params.proof_timeout }}",
            **pokes,
            **common,
        )
        ready >> stop_for >> stop >> move_for >> move >> start_for >> start >> watch_for >> doing
        doing >> backup_for >> backup >> prove_for >> archived
    return group


def _who(task_id: str, plan: XComArg, *steps: str, shown: str, ready: Any = None) -> Any:
    """A task that names the tenants that need one of these steps (None: the whole cluster), or skips the step.

    :param shown: what the graph calls it.
    :param ready: run whatever the tasks before have come to, if this one has succeeded.
    """
    anyway = ready is not None

    def whom(plan: Any, ready: Any) -> list[str] | None:
        if anyway and not ready:
            raise AirflowSkipException("nothing has begun")
        return tenants_for(plan, steps)

    whom.__doc__ = f"Who needs, by the plan: {', '.join(steps)}. Skips the step where nobody does; sends nothing."
    rule = TriggerRule.ALL_DONE if anyway else TriggerRule.NONE_FAILED
    return task(task_id=task_id, task_display_name=shown, trigger_rule=rule)(whom)(plan, ready)


def tenants_for(plan: Mapping[str, Any] | None, steps: Sequence[str]) -> list[str] | None:
    """Tenants of a plan that need one of these steps; None where the cluster is one.

    :raises AirflowSkipException: nobody does.
    """
    by_step = (plan or {}).get("by_step") or {}
    names = sorted({name for step in steps for name in by_step.get(step, ())})
    if not names:
        raise AirflowSkipException(f"nobody needs: {', '.join(steps)}")
    return None if plan and plan["scope"] == Scope.CLUSTER else names
