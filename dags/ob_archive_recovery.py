"""# OceanBase log backup: recovery from a break.

From INTERRUPTED (or stuck in STOPPING or SUSPENDING) to a log backup that can be restored again. A broken stream never
heals by itself, a restart leaves a hole, and a hole ends only with a new full backup: this run does all of it, and a
person approves it before anything is sent.

1. `diagnose` - reads the server's catalog, COMMENT, log streams and event history: what broke (destination, recycled,
   discontinuous, GC or unknown, never guessed), the runbook step for it, and the plan with its cost: from when nothing
   can be restored, until when.
2. `approve` - a person sees the plan and says yes. **Remove the cause first** where the plan says so: a restart on a
   dead destination breaks again. The form can say that it is approved already.
3. `plan` - made anew from the state that is now: what was healed meanwhile is left alone.
4. `force` - 3.x only, where a round does not stop: `CANCEL ALL BACKUP FORCE`, on an approval of its own, with a new
   destination, because the statement empties `backup_dest` and the server takes no directory twice.
5. `restart` - stop, wait for STOP, start, wait for DOING, **full backup**, and log backup past it; SUSPEND is resumed
   without a gap. Each step for those tenants only that need it.
6. `left`, `check` - nothing is left to do, and the compliance check.
7. `summary` - the report, and an entry in the ledger of recoveries: cause, gap from - to, sets, who approved.

**Run it again** after any failure: it goes on from the state that the server shows. It never stops log backup that
archives.

**Start it by itself** when a watch sees a break: in your copy, `SCHEDULE = archive_watch_asset("oceanbase_default")`
from `airflow_ob_provider.assets.oceanbase`; the run then waits for approval.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_ob_provider.task_groups.params import destination, recovery_params
from airflow_ob_provider.task_groups.recovery import recovery_tasks

SCHEDULE = None

with DAG(
    dag_id="ob_archive_recovery",
    dag_display_name="OceanBase log backup: recovery from a break",
    schedule=SCHEDULE,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params=recovery_params(
        destination(
            "Only where log backup has lost its own, and for a stop by force (3.x): an empty directory that this "
            "cluster has never archived to."
        )
    ),
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["oceanbase", "backup"],
) as dag:
    recovery_tasks(kind="recovery", subject="Restart OceanBase log backup?")
