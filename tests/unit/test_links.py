"""The link of each task."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.types import TaskInstanceKey

from airflow_ob_provider.links.oceanbase import RunbookLink
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator


def test_it_leads_to_oceanbases_manual() -> None:
    link = RunbookLink()
    assert isinstance(link, BaseOperatorLink)
    key = TaskInstanceKey(dag_id="d", task_id="t", run_id="r", try_number=1, map_index=-1)
    page = urlsplit(link.get_link(BaseOperator(task_id="t"), ti_key=key))
    assert page.scheme == "https"
    assert page.netloc == "www.oceanbase.com"
    assert page.path.startswith("/docs/")
    assert link.name == "OceanBase log backup manual"


def test_tasks_have_it() -> None:
    assert any(isinstance(link, RunbookLink) for link in StartArchivelogOperator.operator_extra_links)
