"""Groups of tasks to put into DAGs of one's own."""

from airflow_ob_provider.task_groups.gate import log_archive_gate, tenants_of

__all__ = ["log_archive_gate", "tenants_of"]
