"""A link from each task to OceanBase's own page on log backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
