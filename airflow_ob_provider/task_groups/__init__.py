"""Groups of tasks to put into DAGs of one's own."""

from airflow_ob_provider.task_groups.gate import log_archive_gate, tenants_of
from airflow_ob_provider.task_groups.restart import restart_group

__all__ = ["log_archive_gate", "restart_group", "tenants_of"]
