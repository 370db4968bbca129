"""Links from tasks to OceanBase's own page on log backup, and to the report of a check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import XCom, conf
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

VIEW_PAGE = "https://www.oceanbase.com/docs/enterprise-oceanbase-database-cn-10000000000945458"
"""Columns and states of CDB_OB_BACKUP_ARCHIVELOG, in OceanBase's manual."""


class RunbookLink(BaseOperatorLink):
    """OceanBase's page on the state of log backup."""

    name = "OceanBase log backup manual"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """The same page for every task."""
        return VIEW_PAGE


class ComplianceReportLink(BaseOperatorLink):
    """The report of a compliance check."""

    name = "Compliance report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Where a web server shows the folder of reports (``[oceanbase] report_url``), else the file itself."""
        result = XCom.get_value(ti_key=ti_key, key="return_value")
        path = ((result or {}).get("files") or {}).get("en.html", "")
        base = conf.get("oceanbase", "report_url", fallback="")
        if not path or not base:
            return str(path)
        return f"{base.rstrip('/')}/{_place(path)}"


def _place(path: str) -> str:
    """The last three parts of a report's path: connection, folder, file."""
    return "/".join(path.rstrip("/").split("/")[-3:])
