"""The baseline: log backup by the runbook, with the SQL operator and the SQL sensor that Airflow brings.

What a user writes who knows both: one branch a cluster, the conditions in SQL, retries. The sensors of one DAG keep
their worker slot (``poke``, the default), those of the other give it back between two looks (``reschedule``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pendulum
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.sdk import DAG, Param, task, task_group

PREREQUISITES = [
    "SELECT svr_ip, svr_port, status FROM oceanbase.__all_server",
    "SHOW PARAMETERS LIKE 'backup_dest'",
    "SELECT TENANT_ID, STATUS FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG",
]
DESTINATION = "ALTER SYSTEM SET backup_dest = 'file:///data/nfs/backup'"
OPTION = "ALTER SYSTEM SET backup_log_archive_option = 'optional compression= zstd_1.3.8'"
FREEZE = "ALTER SYSTEM MINOR FREEZE"
FROZEN = "SELECT COUNT(*) = 0 FROM oceanbase.gv$memstore_info WHERE IS_ACTIVE = 0"
START = "ALTER SYSTEM ARCHIVELOG"
DOING = "SELECT COUNT(*) > 0 AND SUM(STATUS <> 'DOING') = 0 FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG"
PIECES = (
    "SELECT COUNT(*) > 0 AND SUM(STATUS <> 'ACTIVE' OR FILE_STATUS <> 'AVAILABLE') = 0 "
    "FROM oceanbase.CDB_OB_BACKUP_PIECE_FILES"
)


def log_archive(dag_id: str, mode: Literal["poke", "reschedule"], poke_interval: float) -> DAG:
    """The DAG; its sensors look every so many seconds."""
    with DAG(
        dag_id,
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        params={"conn_ids": Param([], type="array")},
        default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    ) as dag:

        @task
        def list_clusters(params: Any = None) -> list[str]:
            return list(params["conn_ids"])

        @task_group
        def cluster(conn_id: str) -> None:
            def run(task_id: str, sql: str | list[str]) -> SQLExecuteQueryOperator:
                return SQLExecuteQueryOperator(task_id=task_id, conn_id=conn_id, sql=sql)

            def wait(task_id: str, sql: str) -> SqlSensor:
                return SqlSensor(
                    task_id=task_id, conn_id=conn_id, sql=sql, mode=mode, poke_interval=poke_interval, timeout=1800
                )

            (
                run("prerequisites", PREREQUISITES)
                >> run("destination", DESTINATION)
                >> run("option", OPTION)
                >> run("freeze", FREEZE)
                >> wait("frozen", FROZEN)
                >> run("start", START)
                >> wait("doing", DOING)
                >> wait("pieces", PIECES)
            )

        cluster.expand(conn_id=list_clusters())
    return dag


log_archive("generic_poke", "poke", 15)
log_archive("generic_reschedule", "reschedule", 15)
log_archive("generic_fleet", "poke", 1)
