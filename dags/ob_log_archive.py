"""# OceanBase log backup: prepare, start, prove.

Starts log backup (log archive) of one or many OceanBase clusters, any number of times, and proves that it works.
3.x archives a cluster as a whole, 4.x each tenant by itself: all NORMAL user tenants, or those named in the form.

**What it does, cluster by cluster** (each has a branch of its own; a failure in one never hides another):

1. `prerequisites` - version, privileges, servers, user tenants, destination, state; on 3.x also tenant sys, clocks,
   primary cluster and GTS. A FAIL of the cluster ends this cluster's branch before anything is written.
2. `destination` - 3.x `backup_dest`, 4.x `LOG_ARCHIVE_DEST` of each tenant, if one is given and differs. Only while
   log backup is STOP or has no round.
3. `option` - mode, 3.x compression (`backup_log_archive_option`), 4.x lag target and concurrency, if they differ. On
   4.x the mode is a part of the destination: it can change only without a round or in STOP, and is refused otherwise.
4. `freeze` - `ALTER SYSTEM MINOR FREEZE` and a wait, so that log backup starts sooner (3.x). Skipped when it runs.
5. `start` - `ALTER SYSTEM ARCHIVELOG` in STOP; nothing when it runs; waits in STOPPING; SUSPEND (4.x) goes on as the
   same round; INTERRUPTED fails with the recovery steps, unless the form allows a restart.
6. `verify` - STATUS is DOING for the cluster and every tenant; the newest piece of every tenant is ACTIVE and
   AVAILABLE; everything written before *now* (the server's clock) is archived.
7. `summary` - a report in the log and in XCom, and an event of the asset `oceanbase://<connection>/log-archive`.

On 4.x a tenant that fails in one step is left out of the next ones and named in the report, which is then red; the
other tenants go on. Tenants that are created later are not archived by 4.x: run this again for them.

**What it proves**: the server says that every tenant's logs up to the proven moment are in the archive. **What it does
not prove**: that the files can be read back. Only a restore proves that. And log backup alone restores nothing: take a
full data backup inside the round.

**Mandatory mode** puts log backup first: when archiving cannot keep up, users cannot write. Switching a cluster to it
asks for an approval, unless the form says that it is approved.

**Run it again** whenever in doubt: it reads first and writes only differences. A second run writes nothing.

Clear a failed task to go on from there; every step decides anew from the server's state.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, TaskGroup, TriggerRule, XComArg, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_ob_provider.assets.oceanbase import LOG_ARCHIVE_ALIAS, log_archive_asset
from airflow_ob_provider.oceanbase.destination import OPTION_PATTERN
from airflow_ob_provider.oceanbase.options import COMPRESSIONS, CONCURRENCY_RANGE, LAG_TARGET_RANGE, MODES
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, freeze_is_useful, present_state
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.operators.settings import (
    SetArchiveOptionOperator,
    SetBackupDestinationOperator,
    switches_to_mandatory,
)
from airflow_ob_provider.report import NOT_PROVEN, PROVEN, cluster_report, fleet_report
from airflow_ob_provider.results import results_of
from airflow_ob_provider.sensors.archivelog import (
    ArchiveCheckpointSensor,
    ArchiveDoingSensor,
    PieceStatusSensor,
)
from airflow_ob_provider.task_groups import params as form

log = logging.getLogger(__name__)


_APPROVED = "{{ params.mandatory_approved or ti.xcom_pull(task_ids='approve_mandatory_mode') is not none }}"


CONN_IDS = ["oceanbase_default"]
"""The clusters of a run that names none: put your connections here in your copy."""

PARAMS = {
    "oceanbase_conn_ids": form.conn_ids(CONN_IDS, "ALTER SYSTEM privilege"),
    "tenants": form.tenants(" 3.x archives the whole cluster and refuses a list."),
    "mode": Param(
        "optional",
        type="string",
        enum=list(MODES),
        values_display={
            "optional": "optional: users' writes first",
            "mandatory": "mandatory: log backup first",
            "keep": "keep: as it is set",
        },
        section="Log backup",
        title="Mode",
        description_md="**optional**: users' writes go on, whatever archiving does. Where it cannot keep up, logs may "
        "be recycled before they are archived: the stream breaks (INTERRUPTED), and nothing can be restored from there "
        "until a new full data backup. **mandatory**: logs wait until they are archived, so **users' writes may stop** "
        "when archiving falls behind, for instance when its destination is slow, full or not mounted; a switch to it "
        "asks for an approval. **keep**: neither is changed. 4.x can change it only while log backup is stopped.",
    ),
    "compression": Param(
        "keep",
        type="string",
        enum=[str(word) for word in COMPRESSIONS],
        values_display={
            "disable": "disable: as they are",
            "enable": "enable: the default, lz4_1.0",
            "lz4_1.0": "lz4_1.0",
            "zstd_1.3.8": "zstd_1.3.8",
            "keep": "keep: as it is set",
        },
        section="Log backup",
        title="Compression (3.x)",
        description_md="Of archived logs; it may change while log backup runs. 4.x does not compress them, so only "
        "**keep** is accepted there.",
    ),
    "mandatory_approved": Param(
        False,
        type="boolean",
        section="Log backup",
        title="Mandatory mode is approved",
        description_md="Skip the approval step when a cluster is switched to mandatory mode, in which **users' writes "
        "may stop**.",
    ),
    "minor_freeze": Param(
        "advised",
        type="string",
        enum=["advised", "yes", "no"],
        values_display={"advised": "where it is advised (3.x)", "yes": "yes, always", "no": "no, never"},
        section="Log backup",
        title="Minor freeze first",
        description_md="On 3.x it shortens the start: log backup begins at the latest minor compaction. On 4.x the "
        "manual does not advise it, and log backup does not need it.",
    ),
    "restart_interrupted": Param(
        False,
        type="boolean",
        section="Log backup",
        title="Restart an interrupted round",
        description_md="Stop an INTERRUPTED round and start a new one. **The gap stays**: take a full data backup. "
        "Without it such a cluster, or tenant, is left alone and the run is red.",
    ),
    "lag_target": Param(
        None,
        type=["null", "integer"],
        minimum=LAG_TARGET_RANGE[0],
        maximum=LAG_TARGET_RANGE[1],
        section="Log backup",
        title="Lag target (4.2+)",
        description_md="`archive_lag_target` in seconds; 120 unless set, at least 60 for S3. Empty: keep.",
    ),
    "concurrency": Param(
        None,
        type=["null", "integer"],
        minimum=CONCURRENCY_RANGE[0],
        maximum=CONCURRENCY_RANGE[1],
        section="Log backup",
        title="Concurrency (4.1+)",
        description_md="`log_archive_concurrency`, threads a tenant; 0: by the tenant's CPU (4.2+). Empty: keep.",
    ),
    "destination": form.destination(
        "For instance `file:///data/nfs/backup`, mounted on every OBServer. On 4.x each tenant needs an empty "
        "directory of its own: `file:///data/nfs/{cluster}/{tenant}` (also `{tenant_id}`). Empty: keep the one set. It "
        "changes only while log backup is stopped.",
    ),
    "dest_conn_id": form.dest_conn_id(
        "For `oss://`, `cos://` and 4.x `s3://`, `azblob://`: login is the access id, password the access key, host "
        "the endpoint.",
    ),
    "destination_option": Param(
        None,
        type=["null", "string"],
        pattern=OPTION_PATTERN,
        section="Destination",
        title="Destination option (3.x)",
        examples=["recovery_window=7d&log_archive_piece_switch_interval=1d"],
        description_md="`backup_dest_option`, replaced as a whole: `key=value` joined by `&`, without blanks. Empty: "
        "keep.",
    ),
    "piece_switch_interval": Param(
        None,
        type=["null", "string"],
        enum=[None, "", *(f"{days}d" for days in range(1, 8))],
        values_display={f"{days}d": f"{days} day{'s' if days > 1 else ''}" for days in range(1, 8)},
        section="Destination",
        title="Piece switch interval (4.x)",
        description_md="How much time one piece of the archive holds. Empty: keep, or one day. Like the destination, "
        "it changes only while log backup is stopped.",
    ),
    "freeze_timeout": form.seconds(1800, "Wait for the freeze; going on without it is harmless.", "Minor freeze"),
    "start_timeout": form.seconds(3600, "Wait while an earlier round is STOPPING.", "Before the start"),
    "doing_timeout": form.seconds(1800, "Wait for DOING, and for the pieces.", "Start"),
    "proof_timeout": form.seconds(
        1800, "Wait for the checkpoint; it normally lags 2-3 minutes, on 4.x by the lag target.", "Proof"
    ),
    "poll_interval": form.poll_interval(),
    "dry_run": form.dry_run(
        "Read, show the plan and write nothing. A round that runs already is verified all the same."
    ),
}

with DAG(
    dag_id="ob_log_archive",
    dag_display_name="OceanBase log backup: prepare, start, prove",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["oceanbase", "backup"],
) as dag:

    @task(task_display_name="List the clusters")
    def list_clusters(params: Any = None) -> list[str]:
        """One branch a connection. Reads the form only."""
        return list(params["oceanbase_conn_ids"])

    @task.branch(task_display_name="Is an approval needed?")
    def approval_gate(params: Any = None) -> str:
        """Only a switch to mandatory mode needs a person. A cluster that cannot be read now is not switched then.

        Reads mode of each cluster; changes nothing.
        """
        settled = params["mode"] != "mandatory" or params["mandatory_approved"] or params["dry_run"]
        conn_ids, tenants = params["oceanbase_conn_ids"], params["tenants"]
        if settled or not any(switches_to_mandatory(conn_id, tenants) for conn_id in conn_ids):
            return "proceed"
        return "approve_mandatory_mode"

    approve = ApprovalOperator(
        task_id="approve_mandatory_mode",
        task_display_name="Approve mandatory mode",
        doc_md="A person says yes or no: in mandatory mode **users cannot write** while archiving cannot keep up. "
        "No, or no answer within a day, ends the run before anything is written.",
        subject="Switch OceanBase log backup to mandatory mode?",
        body="Clusters: {{ params.oceanbase_conn_ids | join(', ') }}. "
        "{% if params.tenants %}Tenants: {{ params.tenants | join(', ') }}. {% endif %}"
        "In mandatory mode **users cannot write** while "
        "archiving cannot keep up, for instance when the destination is slow, full or not mounted.",
        fail_on_reject=True,
        response_timeout=timedelta(days=1),
        retries=0,
    )
    proceed = EmptyOperator(
        task_id="proceed",
        task_display_name="Approved, or nothing to approve",
        doc_md="Both ways meet here; changes nothing.",
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    )

    @task_group(group_id="cluster", group_display_name="Log backup of one cluster")
    def cluster(conn_id: str) -> Any:
        """Everything for one cluster: prepare, set, freeze, start, prove."""
        common = {"oceanbase_conn_id": conn_id, "map_index_template": "{{ task.oceanbase_conn_id }}"}
        writes = common | {"dry_run": "{{ params.dry_run }}"}
        # One tenant that fails must not stop the others; the report names it, and is red.
        each = {"on_partial_failure": "continue"}
        waits = {"poll_interval": "{{ params.poll_interval }}"}
        sensor = common | {"poke_interval": "{{ params.poll_interval }}"}
        place = {
            "destination": "{{ params.destination or '' }}",
            "dest_conn_id": "{{ params.dest_conn_id or '' }}",
        }
        restart = {"restart_interrupted": "{{ params.restart_interrupted }}"}

        prerequisites = CheckBackupPrerequisitesOperator(
            task_id="prerequisites",
            task_display_name="Before the start: prerequisites",
            doc_md="Checks what must be true before log backup: version, privileges, servers, tenants, destination, "
            "state. Reads only. **Does not prove** that the destination can be written: only the start does.",
            tenants="{{ params.tenants | join(',') }}",
            **common,
            **each,
            **place,
            **restart,
        )
        destination = SetBackupDestinationOperator(
            task_id="destination",
            task_display_name="Before the start: destination",
            doc_md="Sets where log backup goes, if one is given and differs, and reads it back: 3.x `backup_dest`, 4.x "
            "`LOG_ARCHIVE_DEST` of each tenant. Only while log backup is STOP or has no round.",
            tenants=XComArg(prerequisites, "tenants"),
            destination_option="{{ params.destination_option or '' }}",
            piece_switch_interval="{{ params.piece_switch_interval or '' }}",
            **writes,
            **each,
            **place,
        )
        option = SetArchiveOptionOperator(
            task_id="option",
            task_display_name="1. Mode and compression",
            doc_md="Sets mode (optional or mandatory), 3.x compression, 4.x lag target and concurrency, where they "
            "differ, and reads them back. **In mandatory mode users' writes may stop** when archiving falls behind; "
            "in optional mode logs may be lost to the archive instead.",
            tenants=XComArg(destination, "tenants"),
            mode="{{ params.mode }}",
            compression="{{ params.compression }}",
            lag_target="{{ params.lag_target }}",
            concurrency="{{ params.concurrency }}",
            dest_conn_id="{{ params.dest_conn_id or '' }}",
            allow_mandatory=_APPROVED,
            **writes,
            **each,
        )

        with TaskGroup(
            "freeze",
            group_display_name="2. Minor freeze before the start",
            tooltip="Brings the start point of log backup near, so that it starts sooner.",
        ) as freeze:

            @task(
                task_id="needed",
                task_display_name="Is a freeze of use?",
                map_index_template="{{ task.op_args[0] }}",
            )
            def needed(conn_id: str, params: Any = None) -> None:
                """A freeze helps a start, and nothing else. Reads version and state; skips it where it is of no use."""
                if useless := freeze_is_useful(conn_id, params["minor_freeze"], params["tenants"]):
                    raise AirflowSkipException(useless)

            minor_freeze = MinorFreezeOperator(
                task_id="minor_freeze",
                task_display_name="Freeze, until it is on disk",
                doc_md="Sends `ALTER SYSTEM MINOR FREEZE` and waits until no frozen memtable is left. Best effort: log "
                "backup starts without it too, maybe more slowly.",
                tenants=XComArg(option, "tenants"),
                timeout="{{ params.freeze_timeout }}",
                **waits,
                **writes,
            )
            needed(conn_id) >> minor_freeze

        start = StartArchivelogOperator(
            task_id="start",
            task_display_name="2. Start log backup",
            doc_md="Sends `ALTER SYSTEM ARCHIVELOG` where log backup is STOP; nothing where it runs. SUSPEND goes on "
            "as the same round, INTERRUPTED fails unless the form allows a restart. **Proves** that the server has "
            "begun a round, not yet that it archives.",
            tenants=XComArg(option, "tenants"),
            timeout="{{ params.start_timeout }}",
            trigger_rule=TriggerRule.NONE_FAILED,
            **each,
            **restart,
            **waits,
            **writes,
        )

        with TaskGroup(
            "verify",
            group_display_name="3. and 4. Has it begun, and does it work?",
            tooltip="DOING everywhere, pieces usable, everything written before now archived. Reads only.",
        ):

            @task(
                task_id="round_runs",
                task_display_name="Does a round run?",
                map_index_template="{{ task.op_args[0].oceanbase_conn_id }}",
            )
            def round_runs(started: Any) -> dict[str, int]:
                """Without a round, as in a dry run, there is nothing to verify. Asks the server nothing."""
                if not started["running"]:
                    raise AirflowSkipException(f"no round runs, log backup is {started['state']}")
                return dict(started["rounds"])

            running = round_runs(start.output)
            doing = ArchiveDoingSensor(
                task_id="doing",
                task_display_name="3. DOING everywhere",
                doc_md="Waits until STATUS is DOING for the cluster and every tenant, in the round that was started. "
                "**Proves** that log backup has begun. INTERRUPTED fails at once.",
                tenants=XComArg(start, "tenants"),
                min_round=running,
                timeout="{{ params.doing_timeout }}",
                **sensor,
                **each,
            )
            pieces = PieceStatusSensor(
                task_id="pieces",
                task_display_name="4. Pieces ACTIVE and AVAILABLE",
                doc_md="Waits until the newest piece of every tenant is ACTIVE and AVAILABLE. **Proves** that the "
                "server calls the archive's files usable, and that none is missing or broken.",
                tenants=XComArg(doing, "tenants"),
                timeout="{{ params.doing_timeout }}",
                **sensor,
                **each,
            )
            checkpoint = ArchiveCheckpointSensor(
                task_id="checkpoint",
                task_display_name="Proof: archived up to now",
                doc_md="Waits until everything written before *now* (the server's clock, taken at the first look) is "
                "archived. **This is the proof.** It does not prove that the files can be read back: only a restore "
                "does.",
                tenants=XComArg(pieces, "tenants"),
                after="now",
                timeout="{{ params.proof_timeout }}",
                **sensor,
                **each,
            )
            running >> doing >> pieces >> checkpoint

        @task(
            trigger_rule=TriggerRule.ALL_DONE,
            outlets=[LOG_ARCHIVE_ALIAS],
            retries=0,
            task_display_name="Report of the cluster",
            map_index_template="{{ task.op_args[0] }}",
        )
        def summary(conn_id: str, params: Any = None, outlet_events: Any = None, ti: Any = None) -> dict[str, Any]:
            """The report of one cluster, in this task's log; red unless log backup is proven, whatever failed before.

            Reads the state once more. Updates the asset of the cluster's log archive, if it is proven.
            """
            results = results_of(ti, steps)
            now = present_state(conn_id, params["tenants"])
            report = cluster_report(conn_id, results, now, dry_run=params["dry_run"])
            log.info("%s", report["markdown"])
            ti.xcom_push(key="return_value", value=report)
            if report["verdict"] == NOT_PROVEN:
                bad = [f"{row['tenant']} ({row['reason']})" for row in report["tenants"] if row["verdict"] != PROVEN]
                what = f"log backup of {conn_id} is not proven"
                raise AirflowFailException(": ".join([what, *(["; ".join(bad[:5])] if bad else [])]))
            if report["verdict"] == PROVEN and not params["dry_run"]:
                outlet_events[LOG_ARCHIVE_ALIAS].add(log_archive_asset(conn_id), extra=report["asset_extra"])
            return report

        prerequisites >> destination >> option >> freeze >> start
        steps = {
            "prerequisites": prerequisites.task_id,
            "destination": destination.task_id,
            "option": option.task_id,
            "freeze": minor_freeze.task_id,
            "start": start.task_id,
            "doing": doing.task_id,
            "pieces": pieces.task_id,
            "checkpoint": checkpoint.task_id,
        }
        done = summary(conn_id)
        checkpoint >> done
        return done

    @task(trigger_rule=TriggerRule.ALL_DONE, retries=0, task_display_name="Report of all clusters")
    def report(reports: Any, params: Any = None, ti: Any = None) -> dict[str, Any]:
        """All clusters in one table, in this task's log; red if one of them is not proven."""
        # Airflow hands over the report of a single cluster bare, and of none as None.
        given = [reports] if isinstance(reports, dict) else reports or []
        whole = fleet_report(params["oceanbase_conn_ids"], given, dry_run=params["dry_run"])
        log.info("%s", whole["markdown"])
        ti.xcom_push(key="return_value", value=whole)
        if whole["verdict"] == NOT_PROVEN:
            raise AirflowFailException("log backup is not proven on every cluster")
        return whole

    clusters = list_clusters()
    gate = approval_gate()
    gate >> [approve, proceed]
    approve >> proceed >> clusters
    report(cluster.expand(conn_id=clusters))
