"""# OceanBase log backup: alive, late, restorable.

Checks log backup of one or many OceanBase clusters every hour, and **only reads**: nothing on a server is ever changed.
3.x is checked as a cluster, 4.x tenant by tenant; an account with SELECT on `oceanbase.*` is enough.

**What it does, cluster by cluster:**

1. `check` - reads the server's catalog in five queries, judges it by 22 kinds of rules (is it DOING, how late, has the
   checkpoint moved, are pieces and rounds without a hole, is each hole ended by a full backup, is a full backup recent,
   is everything set up as the policy wants it, ...), and writes a report: JSON, Markdown and a page in English and
   Chinese, with the windows that can be restored and the holes between them. The Markdown is in the task's log.
2. `verdict` - red if the verdict is one that *Fail on* names. The report exists before, whatever comes.

`fleet` shows all clusters in one table.

**What it proves**: what the server's catalog says. **What it does not prove**: that the files can be read back. Only a
restore proves that.

**Report, history, events.** Each check compares itself with the one before, so the folder of reports (`[oceanbase]
report_path`, or the field below) must be one that all workers share. The lag of each check is kept there: "how late has
it been in the last days" is in every report. Each check updates the asset
`oceanbase://<connection>/log-archive/compliant` (OK or WARN) or `.../violated` (FAIL), and sends the gauges
`oceanbase.archive.lag_seconds` and `oceanbase.archive.gap_count`.

**Alarms.** The failure callback writes the alarm, in the order of OCP's fields, into the log; give
`LogBackupAlarmNotifier` a notifier to send it. A deadline alert tells if a check has not ended within half an hour:
the dead man's switch.

**UNKNOWN is not OK**: what could not be read is neither good nor bad, and fails the run unless *Fail on* says
otherwise.
"""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, TriggerRule, task, task_group
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.exceptions import AirflowFailException

from airflow_ob_provider.compliance.fleet import fleet_table
from airflow_ob_provider.notifications.oceanbase import ALARM_XCOM, LogBackupAlarmNotifier
from airflow_ob_provider.operators.compliance import FAIL_ON, ArchiveComplianceOperator, fail_on_verdict
from airflow_ob_provider.task_groups import params as form

log = logging.getLogger(__name__)

# Send alarms with any notifier: LogBackupAlarmNotifier(lambda text: SlackNotifier(text=text, channel="dba")).
ALARM = LogBackupAlarmNotifier()

CONN_IDS = ["oceanbase_default"]
"""The clusters of a run that names none: put your connections here in your copy."""

PARAMS = {
    "oceanbase_conn_ids": form.conn_ids(CONN_IDS, "SELECT on `oceanbase.*`"),
    "policy": form.policy(
        'What the clusters are held to, for instance `{"defaults": {"rpo": "15m", "recovery_window": "7d"}}`; empty: '
        "the defaults. See the README for all fields.",
        "Policy",
    ),
    "policy_file": Param(
        None,
        type=["null", "string"],
        section="Policy",
        title="Policy file",
        description_md="Path or URL of a YAML file with the policy, instead of the field above.",
    ),
    "fail_on": Param(
        "UNKNOWN",
        type="string",
        enum=list(FAIL_ON),
        section="Report",
        title="Fail on",
        description_md="**UNKNOWN**: FAIL or UNKNOWN. **WARN**: all that is not OK. **never**: report only.",
        values_display={
            "FAIL": "FAIL only",
            "UNKNOWN": "FAIL or UNKNOWN (could not be read)",
            "WARN": "everything that is not OK",
            "never": "never: report only",
        },
    ),
    "report_path": form.report_path("Path or URL, shared by all workers."),
    "language": form.language("Of the report in the log; the files are in both."),
}

with DAG(
    dag_id="ob_archive_compliance",
    dag_display_name="OceanBase log backup: alive, late, restorable?",
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    params=PARAMS,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=30),
        callback=AsyncCallback(LogBackupAlarmNotifier),
    ),
    doc_md=__doc__,
    tags=["oceanbase", "backup"],
) as dag:

    @task(task_display_name="List the clusters")
    def list_clusters(params: Any = None) -> list[str]:
        """One branch a connection. Reads the form only."""
        return list(params["oceanbase_conn_ids"])

    @task_group(group_id="cluster", group_display_name="Check of one cluster")
    def cluster(conn_id: str) -> Any:
        """Everything for one cluster: read, judge, report. Nothing on a server is changed."""
        check = ArchiveComplianceOperator(
            task_id="check",
            task_display_name="Alive, late, restorable?",
            doc_md="Reads the server's catalog, judges it by the policy and writes the report (link *Compliance "
            "report* where a web server shows the folder). **Proves** what the catalog says, not that files can be "
            "read back.",
            oceanbase_conn_id=conn_id,
            policy="{{ params.policy | tojson if params.policy else '' }}",
            policy_file="{{ params.policy_file or '' }}",
            report_path="{{ params.report_path or '' }}",
            language="{{ params.language }}",
            fail_on="never",  # a task that fails emits no asset event: the next one fails instead
            map_index_template="{{ task.oceanbase_conn_id }}",
            on_failure_callback=ALARM,
            execution_timeout=timedelta(minutes=20),
        )

        @task(
            retries=0,
            on_failure_callback=ALARM,
            task_display_name="Verdict",
            map_index_template="{{ task.op_args[0].connection }}",
        )
        def verdict(checked: Any, params: Any = None, ti: Any = None) -> dict[str, Any]:
            """Red, with an alarm, if the verdict is one that *Fail on* names. The report is written already."""
            for language, key in ALARM_XCOM.items():
                ti.xcom_push(key=key, value=checked["alarm"][language])
            fail_on_verdict(checked, params["fail_on"])
            return dict(checked)

        verdict(check.output)
        return check.output

    @task(trigger_rule=TriggerRule.ALL_DONE, retries=0, task_display_name="All clusters")
    def fleet(checks: Any, params: Any = None, ti: Any = None) -> dict[str, Any]:
        """All clusters in one table, in this task's log; red if one of them has no report at all."""
        # Airflow hands over the result of a single cluster bare, and of none as None.
        given = [checks] if isinstance(checks, dict) else [one for one in checks or [] if one]
        table = fleet_table(params["oceanbase_conn_ids"], given, params["language"])
        log.info("%s", table["markdown"])
        ti.xcom_push(key="return_value", value=json.loads(json.dumps(table)))
        if table["missing"]:
            raise AirflowFailException(f"no report of {', '.join(table['missing'])}")
        return table

    fleet(cluster.expand(conn_id=list_clusters()))
