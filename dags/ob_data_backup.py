"""# OceanBase data backup, chained to log backup.

Takes a data backup of one or many OceanBase clusters and proves that it can be restored. Without a data backup the logs
restore nothing, and a data backup that log backup has not passed cannot be restored either.

**What it does, cluster by cluster** (each has a branch of its own; a failure in one never hides another):

1. `needed` - started by an asset (log backup was proven), it goes on only where no data backup carries the present
   moment yet; started by hand or by time, always. The form can choose.
2. `gate` - log backup must be alive **now**: DOING, and everything written before this moment archived. Fresh reads.
3. `destination` - 4.x `DATA_BACKUP_DEST` of each tenant, if one is given and differs; 3.x has one destination for both.
4. `backup` - `ALTER SYSTEM BACKUP [INCREMENTAL] DATABASE`, once. A backup that runs already is waited for instead of
   starting another. Success is told by the server's history, tenant by tenant.
5. `archived` - log backup has passed the restore point of the new sets.
6. `windows` - from when to when each tenant can be restored with it. Red where one cannot.

**What it proves**: what the server's catalog says. **What it does not prove**: that the files can be read back. Only a
restore proves that.

**Running it again is safe**: a retry attaches to the backup that it has started, a new run to one that still runs.
Nothing here ever stops log backup, or cancels a backup. Each cluster with a new backup that can be restored updates the
asset `oceanbase://<connection>/data-backup`.

**Schedule**: as it is, whenever `ob_log_archive` has proven the log backup of a cluster. Change `SCHEDULE` in your copy
for a time table, or both: `AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 1 * * *", timezone="UTC"),
assets=[LOG_ARCHIVE_ALIAS])`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, TriggerRule, XComArg, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_ob_provider.assets.oceanbase import (
    DATA_BACKUP_ALIAS,
    LOG_ARCHIVE_ALIAS,
    connections_of,
    data_backup_asset,
)
from airflow_ob_provider.compliance.restorable import restorable, without_full_backup
from airflow_ob_provider.oceanbase.data_backup import MAX_DESCRIPTION
from airflow_ob_provider.operators.backup import BackupDatabaseOperator
from airflow_ob_provider.operators.settings import SetDataBackupDestinationOperator
from airflow_ob_provider.report_backup import NOT_RESTORABLE, RESTORABLE, backup_fleet, backup_report
from airflow_ob_provider.results import results_of
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor
from airflow_ob_provider.task_groups import log_archive_gate, tenants_of
from airflow_ob_provider.task_groups import params as form

log = logging.getLogger(__name__)

SCHEDULE = [LOG_ARCHIVE_ALIAS]

CONN_IDS = ["oceanbase_default"]
"""The clusters of a run that names none: put your connections here in your copy."""

PARAMS = {
    "oceanbase_conn_ids": form.conn_ids(
        CONN_IDS, "ALTER SYSTEM privilege", " A run that an asset has started takes the cluster of the asset."
    ),
    "tenants": form.tenants(" 3.x backs up the whole cluster and refuses a list."),
    "kind": Param(
        "full",
        type="string",
        enum=["full", "incremental"],
        values_display={"full": "full: everything", "incremental": "incremental: since the last backup"},
        section="Data backup",
        title="Kind",
        description_md="**incremental** becomes full where there is no backup to build on. Only a full one ends a gap.",
    ),
    "only_if_needed": Param(
        "auto",
        type="string",
        enum=["auto", "yes", "no"],
        values_display={
            "auto": "auto: yes, if an asset has started the run",
            "yes": "yes: where no backup carries the present moment",
            "no": "no: always",
        },
        section="Data backup",
        title="Only where it is needed",
        description_md="**yes**: only where no data backup carries the present moment. **auto**: so when an asset has "
        "started the run, else always.",
    ),
    "plus_archivelog": Param(
        False,
        type="boolean",
        section="Data backup",
        title="With logs (4.1+)",
        description_md="PLUS ARCHIVELOG: copy the logs that the set needs into it.",
    ),
    "description": Param(
        None,
        type=["null", "string"],
        maxLength=MAX_DESCRIPTION,
        pattern=r"^[^'\"`\\\x00-\x1f\x7f]*$(?!\n)",
        section="Data backup",
        title="Description (4.x)",
        description_md="Shown in the server's job views. Without quotes and backslashes.",
    ),
    "destination": form.destination(
        "For instance `file:///data/nfs/{cluster}/{tenant}/data`: an empty directory of its own for each tenant, apart "
        "from log backup. Empty: keep the one set.",
        "Destination (4.x)",
    ),
    "dest_conn_id": form.dest_conn_id(
        "For object stores: login is the access id, password the access key, host the endpoint.", "Destination (4.x)"
    ),
    "gate_timeout": form.seconds(
        1800, "Wait for log backup to be DOING, and for its proof; before the backup and after it.", "Log backup"
    ),
    "backup_timeout": form.seconds(
        86_400, "Wait for the end of the backup, which goes on if this passes.", "Data backup"
    ),
    "poll_interval": form.poll_interval(30),
    "dry_run": form.dry_run(),
}

with DAG(
    dag_id="ob_data_backup",
    dag_display_name="OceanBase data backup, chained to log backup",
    schedule=SCHEDULE,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["oceanbase", "backup"],
) as dag:

    @task(task_display_name="List the clusters")
    def list_clusters(params: Any = None, triggering_asset_events: Any = None) -> list[str]:
        """One branch a connection: of the asset that has started the run, or of the form."""
        return connections_of(triggering_asset_events) or list(params["oceanbase_conn_ids"])

    @task_group(group_id="cluster", group_display_name="Data backup of one cluster")
    def cluster(conn_id: str) -> Any:
        """Everything for one cluster: is log backup alive, back up, prove that it can be restored."""
        common = {"oceanbase_conn_id": conn_id, "map_index_template": "{{ task.oceanbase_conn_id }}"}
        writes = common | {"dry_run": "{{ params.dry_run }}", "on_partial_failure": "continue"}
        waits = {"timeout": "{{ params.gate_timeout }}", "poke_interval": "{{ params.poll_interval }}"}

        @task(map_index_template="{{ task.op_args[0] }}", task_display_name="Is a backup needed?")
        def needed(conn_id: str, params: Any = None, ti: Any = None, triggering_asset_events: Any = None) -> Any:
            """Skip the rest where nobody needs a backup; the tenants that do, where that was asked. Reads only."""
            by_asset = bool(connections_of(triggering_asset_events))
            if params["only_if_needed"] == "no" or (params["only_if_needed"] == "auto" and not by_asset):
                return None
            without = without_full_backup(conn_id, params["tenants"])
            log.info("Without a data backup that carries the present moment: %s", ", ".join(without) or "nobody")
            if not without:
                ti.xcom_push(key="return_value", value=without)
                raise AirflowSkipException("every tenant can be restored up to now with a data backup that exists")
            return without

        gate = log_archive_gate(
            conn_id,
            tenants="{{ params.tenants | join(',') }}",
            on_partial_failure="continue",
            group_id="gate",
            group_display_name="Is log backup alive now?",
            **waits,
        )
        destination = SetDataBackupDestinationOperator(
            task_id="destination",
            task_display_name="Destination (4.x)",
            doc_md="Sets `DATA_BACKUP_DEST` of each tenant, if one is given and differs, and reads it back. 3.x has "
            "one destination for logs and data.",
            tenants=tenants_of(gate),
            destination="{{ params.destination or '' }}",
            dest_conn_id="{{ params.dest_conn_id or '' }}",
            **writes,
        )
        backup = BackupDatabaseOperator(
            task_id="backup",
            task_display_name="Back up, until it has ended",
            doc_md="Sends `ALTER SYSTEM BACKUP [INCREMENTAL] DATABASE` once, or waits for a backup that runs already. "
            "**Proves**, by the server's history, that every tenant has a set that is SUCCESS and AVAILABLE.",
            tenants=XComArg(destination, "tenants"),
            kind="{{ params.kind }}",
            plus_archivelog="{{ params.plus_archivelog }}",
            description="{{ params.description or '' }}",
            timeout="{{ params.backup_timeout }}",
            poll_interval="{{ params.poll_interval }}",
            **writes,
        )

        @task(
            map_index_template="{{ task.op_args[0].oceanbase_conn_id }}",
            task_display_name="From when on it can be restored",
        )
        def restore_point(made: Any) -> str:
            """What log backup must pass; nothing in a dry run. Asks the server nothing."""
            if made.get("dry_run") or not made.get("restore_point"):
                raise AirflowSkipException("no data backup was made")
            return str(made["restore_point"])

        archived = ArchiveCheckpointSensor(
            task_id="archived",
            task_display_name="Proof: log backup has passed it",
            doc_md="Waits until log backup has passed the restore point of the new sets. Before that they cannot be "
            "restored. Reads only.",
            tenants=XComArg(backup, "tenants"),
            after=restore_point(backup.output),
            on_partial_failure="continue",
            **common,
            **waits,
        )

        @task(
            map_index_template="{{ task.op_args[0].oceanbase_conn_id }}",
            task_display_name="From when to when can be restored",
        )
        def windows(made: Any) -> dict[str, Any]:
            """From when to when each tenant can be restored with it, by the server's catalog. Reads only."""
            found = restorable(made["oceanbase_conn_id"], made["restore_points"])
            for name, window in found.items():
                words = f"from {window['from']} until {window['until']}" if window["restorable"] else window["reason"]
                log.info("%s is %s: %s", name, "restorable" if window["restorable"] else "NOT restorable", words)
            return found

        @task(
            trigger_rule=TriggerRule.ALL_DONE,
            outlets=[DATA_BACKUP_ALIAS],
            retries=0,
            task_display_name="Report of the cluster",
            map_index_template="{{ task.op_args[0] }}",
        )
        def summary(conn_id: str, params: Any = None, outlet_events: Any = None, ti: Any = None) -> dict[str, Any]:
            """The report of one cluster, in this task's log; red unless every tenant can be restored with the backup.

            Updates the asset of the cluster's data backup, if so.
            """
            # Nothing but itself skips the first task, so that what it has left is of this run.
            asked = ti.xcom_pull(task_ids="cluster.needed", map_indexes=ti.map_index)
            report = backup_report(conn_id, results_of(ti, steps) | {"needed": asked}, dry_run=params["dry_run"])
            log.info("%s", report["markdown"])
            ti.xcom_push(key="return_value", value=report)
            if report["verdict"] == NOT_RESTORABLE:
                bad = [f"{row['tenant']} ({row['reason']})" for row in report["tenants"] if row["reason"]]
                what = f"{conn_id} has no new data backup that can be restored"
                raise AirflowFailException(": ".join([what, *(["; ".join(bad[:5])] if bad else [])]))
            if report["verdict"] == RESTORABLE:
                outlet_events[DATA_BACKUP_ALIAS].add(data_backup_asset(conn_id), extra=report["asset_extra"])
            return report

        asked = needed(conn_id)
        found = windows(backup.output)
        asked >> gate >> destination >> backup
        archived >> found
        steps = {
            "doing": "cluster.gate.doing",
            "proof": "cluster.gate.proof",
            "destination": destination.task_id,
            "backup": backup.task_id,
            "archived": archived.task_id,
            "windows": "cluster.windows",
        }
        done = summary(conn_id)
        [asked, found] >> done
        return done

    @task(trigger_rule=TriggerRule.ALL_DONE, retries=0, task_display_name="Report of all clusters")
    def report(conn_ids: Any, reports: Any, ti: Any = None) -> dict[str, Any]:
        """All clusters in one table, in this task's log; red if one of them has no backup that can be restored."""
        # Airflow hands over the report of a single cluster bare, and of none as None.
        given = [reports] if isinstance(reports, dict) else reports or []
        whole = backup_fleet(conn_ids or [], given)
        log.info("%s", whole["markdown"])
        ti.xcom_push(key="return_value", value=whole)
        if whole["verdict"] == NOT_RESTORABLE:
            raise AirflowFailException("not every cluster has a new data backup that can be restored")
        return whole

    clusters = list_clusters()
    report(clusters, cluster.expand(conn_id=clusters))
