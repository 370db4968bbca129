"""The link of each task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom
from airflow.sdk.types import TaskInstanceKey

from airflow_ob_provider.links.oceanbase import ComplianceReportLink, RunbookLink
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator
from airflow_ob_provider.operators.compliance import ArchiveComplianceOperator

KEY = TaskInstanceKey(dag_id="d", task_id="t", run_id="r", try_number=1, map_index=-1)


def test_it_leads_to_oceanbases_manual() -> None:
    link = RunbookLink()
    assert isinstance(link, BaseOperatorLink)
    page = urlsplit(link.get_link(BaseOperator(task_id="t"), ti_key=KEY))
    assert page.scheme == "https"
    assert page.netloc == "www.oceanbase.com"
    assert page.path.startswith("/docs/")
    assert link.name == "OceanBase log backup manual"


def test_tasks_have_it() -> None:
    assert any(isinstance(link, RunbookLink) for link in StartArchivelogOperator.operator_extra_links)


# --- the report of a check ---


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """The link of a task that has returned this."""

    def link(result: Any) -> Any:
        asked: list[Any] = []
        monkeypatch.setattr(XCom, "get_value", lambda **given: asked.append(given) or result)
        found = ComplianceReportLink().get_link(BaseOperator(task_id="t"), ti_key=KEY)
        assert asked == [{"ti_key": KEY, "key": "return_value"}]
        return found

    return link


PLACES = ["/kept/ob-1/reports/20260301T120000Z.en.html", "s3://c@bucket/kept/ob-1/reports/20260301T120000Z.en.html"]


@pytest.mark.parametrize("path", PLACES)
def test_without_a_web_server_it_is_the_file(linked: Callable[[Any], Any], path: str) -> None:
    assert linked({"files": {"en.html": path, "md": "x"}}) == path


@pytest.mark.parametrize("url", ["https://reports.example.com/ob", "https://reports.example.com/ob/"])
@pytest.mark.parametrize("path", PLACES)
def test_a_web_server_shows_the_same_folder(
    linked: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, path: str, url: str
) -> None:
    monkeypatch.setenv("AIRFLOW__OCEANBASE__REPORT_URL", url)
    shown = "https://reports.example.com/ob/ob-1/reports/20260301T120000Z.en.html"
    assert linked({"files": {"en.html": path}}) == shown


@pytest.mark.parametrize("result", [None, {}, {"files": {}}, {"files": None}, {"files": {"md": "x"}}])
@pytest.mark.parametrize("url", ["", "https://reports.example.com/ob"])
def test_without_a_report_there_is_no_link(
    linked: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, result: Any, url: str
) -> None:
    monkeypatch.setenv("AIRFLOW__OCEANBASE__REPORT_URL", url)
    assert linked(result) == ""


def test_checks_have_both_links() -> None:
    assert [type(link) for link in ArchiveComplianceOperator.operator_extra_links] == [
        ComplianceReportLink,
        RunbookLink,
    ]
    assert ComplianceReportLink().name == "Compliance report"
