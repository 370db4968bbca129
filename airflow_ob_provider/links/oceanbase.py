"""Links from tasks: OCP's page of the cluster, the report of the run or of a check, OceanBase's page on log backup.

The worker makes them whenever a task defers or ends, and Airflow keeps them in XCom. The UI does not show empty ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import XCom, conf
from airflow.sdk import BaseHook, BaseOperatorLink, ObjectStoragePath
from airflow.sdk.exceptions import AirflowException

from airflow_ob_provider.hooks.settings import ocp_url
from airflow_ob_provider.web.places import report_url

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

VIEW_PAGE = "https://www.oceanbase.com/docs/enterprise-oceanbase-database-cn-10000000000945458"
"""Columns and states of CDB_OB_BACKUP_ARCHIVELOG, in OceanBase's manual."""
REPORT_TASKS = ("report", "summary", "fleet")
"""The tasks that end the DAGs of this provider with a report, which is in their log and XCom."""
DAG_TAG = "oceanbase"


class RunbookLink(BaseOperatorLink):
    """OceanBase's page on the state of log backup."""

    name = "OceanBase log backup manual"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """The same page for every task."""
        return VIEW_PAGE


class OcpLink(BaseOperatorLink):
    """OCP's page of the cluster, if the connection names one (extra ``ocp_url``): another way to see progress."""

    name = "OCP"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """The address in the connection of the task; '' where there is none, or one that must not be shown."""
        conn_id = getattr(operator, "oceanbase_conn_id", None)
        if not isinstance(conn_id, str) or not conn_id or "{{" in conn_id:  # it failed before it was rendered
            return ""
        try:
            return ocp_url(BaseHook.get_connection(conn_id))
        except (AirflowException, ValueError):  # the task itself tells what is wrong with the connection
            return ""


class RunReportLink(BaseOperatorLink):
    """The report at the end of this run: in DAGs with the tag ``oceanbase``, as the templates of this provider have it.

    It leads to the page of the task, whose log shows the report as soon as it is made.
    """

    name = "Report of this run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Relative to the base of Airflow's own pages; '' where the DAG has no such task."""
        dag = operator.dag if operator.has_dag() else None
        if dag is None or DAG_TAG not in dag.tags:
            return ""
        found = next((name for name in REPORT_TASKS if name in dag.task_dict), None)
        if found is None:
            return ""
        return f"dags/{quote(ti_key.dag_id, safe='')}/runs/{quote(ti_key.run_id, safe='')}/tasks/{found}"


class ComplianceReportLink(BaseOperatorLink):
    """The report of a compliance check."""

    name = "Compliance report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Where a web server shows the folder of reports (``[oceanbase] report_url``), or this provider's page does.

        The page shows the folder of ``[oceanbase] report_path``; '' for a report that was written elsewhere.
        """
        result = XCom.get_value(ti_key=ti_key, key="return_value")
        path = str(((result or {}).get("files") or {}).get("en.html", ""))
        if not path:
            return ""
        *_, conn_id, folder, file = path.split("/")
        base = conf.get("oceanbase", "report_url", fallback="")
        if base:
            return f"{base.rstrip('/')}/{conn_id}/{folder}/{file}"
        if path.startswith(f"{ObjectStoragePath(conf.get('oceanbase', 'report_path'))}/"):
            return report_url(conn_id, file.partition(".")[0])
        # No browser opens a path of a worker or of an object store.
        return path if urlsplit(path).scheme in {"http", "https"} else ""


TASK_LINKS = (OcpLink(), RunReportLink(), RunbookLink())
"""What every task on a cluster has."""
