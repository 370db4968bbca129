"""The link of each task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator, BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom
from airflow.sdk.types import TaskInstanceKey

from airflow_ob_provider.compliance.store import ReportStore
from airflow_ob_provider.links.oceanbase import ComplianceReportLink, OcpLink, RunbookLink, RunReportLink
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator
from airflow_ob_provider.operators.compliance import ArchiveComplianceOperator
from airflow_ob_provider.sensors.archivelog import ArchiveDoingSensor

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


PLACES = [
    "file:///kept/ob-1/reports/20260301T120000Z.en.html",
    "/kept/ob-1/reports/20260301T120000Z.en.html",
    "s3://c@bucket/kept/ob-1/reports/20260301T120000Z.en.html",
]


@pytest.mark.parametrize("path", PLACES)
def test_without_a_web_server_there_is_nothing_that_a_browser_opens(linked: Callable[[Any], Any], path: str) -> None:
    assert linked({"files": {"en.html": path, "md": "x"}}) == ""


@pytest.mark.parametrize("base", ["/kept", "file:///kept", "s3://c@bucket/kept/"])
@pytest.mark.parametrize("airflow", ["http://airflow.example.com", "https://example.com/airflow/"])
def test_what_the_page_shows_is_opened_there(
    linked: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, base: str, airflow: str
) -> None:
    monkeypatch.setenv("AIRFLOW__OCEANBASE__REPORT_PATH", base)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", airflow)
    root = "/airflow" if airflow.endswith("/") else ""
    page = f"{airflow.rstrip('/')}/plugin/oceanbase-log-backup{root}/oceanbase/clusters/ob-1/reports/20260301T120000Z"
    place = str(ReportStore(base, "ob-1").folder / "reports" / "20260301T120000Z.en.html")
    assert linked({"files": {"en.html": place}}) == page
    assert linked({"files": {"en.html": place.replace("kept", "kept2")}}) == ""


def test_a_folder_that_is_a_web_server(linked: Callable[[Any], Any]) -> None:
    page = "https://kept.example.com/ob-1/reports/20260301T120000Z.en.html"
    assert linked({"files": {"en.html": page}}) == page


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


def test_checks_have_all_links() -> None:
    assert [type(link) for link in ArchiveComplianceOperator.operator_extra_links] == [
        ComplianceReportLink,
        OcpLink,
        RunReportLink,
        RunbookLink,
    ]
    assert ComplianceReportLink().name == "Compliance report"


# --- OCP ---


def ocp_of(task: BaseOperator) -> str:
    return OcpLink().get_link(task, ti_key=KEY)


def test_it_leads_to_the_page_of_the_cluster(add_connection: Callable[..., str]) -> None:
    conn_id = add_connection({"conn_type": "oceanbase", "host": "db", "login": "root"}, ocp_url="https://ocp/cluster/1")
    assert ocp_of(StartArchivelogOperator(task_id="t", oceanbase_conn_id=conn_id)) == "https://ocp/cluster/1"
    assert ocp_of(ArchiveDoingSensor(task_id="t", oceanbase_conn_id=conn_id)) == "https://ocp/cluster/1"
    assert ocp_of(ArchiveComplianceOperator(task_id="t", oceanbase_conn_id=conn_id)) == "https://ocp/cluster/1"


@pytest.mark.parametrize("extra", [{}, {"ocp_url": None}, {"ocp_url": "https://root:pw@ocp"}, {"ocp_url": "ocp"}])
def test_without_an_address_that_may_be_shown_there_is_no_link(
    add_connection: Callable[..., str], extra: dict[str, Any]
) -> None:
    conn_id = add_connection({"conn_type": "oceanbase", "host": "db", "login": "root"}, **extra)
    assert ocp_of(StartArchivelogOperator(task_id="t", oceanbase_conn_id=conn_id)) == ""


@pytest.mark.parametrize("conn_id", ["nowhere", "", "{{ params.oceanbase_conn_id }}", None, ["a"]])
def test_a_task_that_never_knew_its_connection_has_no_link(conn_id: Any) -> None:
    assert ocp_of(StartArchivelogOperator(task_id="t", oceanbase_conn_id=conn_id)) == ""
    assert ocp_of(BaseOperator(task_id="t")) == ""


# --- the report of the run ---

RUN = TaskInstanceKey(
    dag_id="my dag", task_id="t", run_id="manual__2026-01-01T00:00:00+00:00", try_number=1, map_index=-1
)


@pytest.mark.parametrize("name", ["report", "summary", "fleet"])
def test_it_leads_to_the_task_that_tells_the_report(name: str) -> None:
    with DAG("d", schedule=None, tags=["oceanbase"]):
        task = StartArchivelogOperator(task_id="t")
        task >> EmptyOperator(task_id=name)
    link = RunReportLink().get_link(task, ti_key=RUN)
    assert link == f"dags/my%20dag/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/{name}"
    base = "https://airflow.example.com/team-a/"
    assert urljoin(base, link).startswith(base), "it stays below Airflow's own path"


def test_the_report_of_all_clusters_comes_first() -> None:
    with DAG("d", schedule=None, tags=["oceanbase"]):
        task = StartArchivelogOperator(task_id="t")
        task >> [EmptyOperator(task_id="summary"), EmptyOperator(task_id="report")]
    assert RunReportLink().get_link(task, ti_key=KEY) == "dags/d/runs/r/tasks/report"


def test_a_run_without_a_report_has_no_link() -> None:
    with DAG("d", schedule=None, tags=["oceanbase"]):
        task = StartArchivelogOperator(task_id="t")
    with DAG("e", schedule=None, tags=["sales"]):
        other = StartArchivelogOperator(task_id="t")
        other >> EmptyOperator(task_id="report")
    for one in (task, other, StartArchivelogOperator(task_id="t")):
        assert RunReportLink().get_link(one, ti_key=KEY) == ""
