"""# OceanBase log backup: move to another destination, without a silent gap.

A destination can change only while log backup is stopped, so a move always leaves a hole between the old round and the
new one, and the hole ends with a new full backup. This run makes the move, closes the hole and shows both ends of it;
it is not done before that.

1. `diagnose` - what goes where now, and the plan with its cost.
2. `approve` - a person sees the plan and says yes; the form can say that it is approved already.
3. `plan` - made anew from the state that is now: what has moved already is left alone.
4. `force` - 3.x only, where the old round does not stop, on an approval of its own.
5. `restart` - stop, wait for STOP, set the destination, start, wait for DOING, **full backup**, and log backup past it.
   If the new destination is refused, log backup is started again where it was, and the run is red.
6. `left`, `check`, `summary` - nothing is left to do, the compliance check, the report and the entry in the ledger.

**Run it again** after any failure: it goes on from the state that the server shows. The server does not clean up the
old directory any more: keep it as long as you want to restore from it.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_ob_provider.task_groups.params import destination, recovery_params
from airflow_ob_provider.task_groups.recovery import recovery_tasks

with DAG(
    dag_id="ob_archive_destination_move",
    dag_display_name="OceanBase log backup: move to another destination",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params=recovery_params(
        destination(
            "Where log backup is to go, for instance `file:///data/nfs2/backup`; 4.x: an empty directory for each "
            "tenant, `file:///data/nfs2/{cluster}/{tenant}`.",
            required=True,
        )
    ),
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    doc_md=__doc__,
    tags=["oceanbase", "backup"],
) as dag:
    recovery_tasks(
        kind="move",
        subject="Move OceanBase log backup to {{ params.destination }}?",
        moves=True,
    )
