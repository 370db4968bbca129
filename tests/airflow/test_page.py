"""The page in Airflow's API server: who sees what, and that it says no more than is stored."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_ob_provider.compliance.store import ReportStore
from tests.unit.reports import samples

DAG, OTHER = "ob_archive_compliance", "ob_log_archive"
PAGES = ["/", "/clusters/prod", "/clusters/prod/reports/latest", f"/run?dag_id={DAG}&run_id=r1"]


class Browser:
    """Somebody at the page, in Airflow's API server."""

    def __init__(self, api: Any, token: str = "", root_path: str = "") -> None:
        self._transport = httpx.ASGITransport(api, root_path=root_path)
        self._url = f"http://airflow{root_path}/oceanbase"
        self._cookies = {"_token": token} if token else {}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask for a path of the page."""

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url=self._url, cookies=self._cookies
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Look."""
        return self.request("GET", path, **options)


@pytest.fixture(scope="module")
def airflow_api(airflow_db: None) -> Iterator[Any]:
    """Airflow's API server with the plugins that are installed."""
    from airflow.api_fastapi.app import create_app, purge_cached_app

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "tests.airflow.readers.ReadersAuthManager")
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "0123456789abcdef" * 4)
        purge_cached_app()
        yield create_app("core")
    purge_cached_app()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of reports that the page reads."""
    from airflow_ob_provider.web.app import page

    monkeypatch.setenv("AIRFLOW__OCEANBASE__REPORT_PATH", str(tmp_path))
    page.cache_clear()
    return tmp_path


@pytest.fixture
def login(airflow_api: Any, folder: Path) -> Callable[..., Browser]:
    """A browser whose user may read these DAGs."""

    def make(*dags: str, **options: Any) -> Browser:
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="+".join(dags), role="viewer"))
        return Browser(airflow_api, token, **options)

    return make


@pytest.fixture
def client(login: Callable[..., Browser]) -> Browser:
    return login(DAG)


def keep(folder: Path, conn_id: str, report: dict[str, Any], *, dag_id: str | None = DAG, age: float = 0.0) -> Path:
    """Store what a check has found so long ago."""
    report["connection"] = conn_id
    report["run"] = {"dag_id": dag_id, "run_id": "r1", "task_id": "cluster.check", "map_index": 0} if dag_id else None
    ReportStore(str(folder), conn_id).keep(report, {})
    line = folder / conn_id / "overview.json"
    stored = json.loads(line.read_text())
    stored["kept_at"] = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    line.write_text(json.dumps(stored))
    return line


def rows(text: str) -> list[str]:
    """Connections of the rows of the list, in order."""
    return re.findall(r'href="/oceanbase/clusters/([\w.-]+)\?', text)


def text_of(page: str) -> str:
    """What can be read on a page."""
    return " ".join(re.sub(r"<(style|script|svg)\b.*?</\1>|<[^>]+>", " ", page, flags=re.S).split())


# --- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_without_a_login_nothing_is_shown(airflow_api: Any, folder: Path, path: str) -> None:
    keep(folder, "prod", samples.green())
    anybody = Browser(airflow_api)
    answer = anybody.get(path)
    assert answer.status_code == 401
    assert "Log in to Airflow first." in answer.text
    assert "prod" not in answer.text.replace("prod/reports", "")
    assert anybody.get(path, headers={"Authorization": "Bearer nonsense"}).status_code == 403


def test_a_user_sees_the_clusters_whose_dag_may_be_read(login: Callable[..., Browser], folder: Path) -> None:
    keep(folder, "prod", samples.green())
    keep(folder, "secret", samples.red(), dag_id=OTHER)
    keep(folder, "nobodys", samples.red(), dag_id=None)
    keep(folder, "gone", samples.red(), dag_id="a_dag_that_is_not_there")
    assert rows(login(DAG).get("/").text) == ["prod"]
    assert sorted(rows(login(DAG, OTHER).get("/").text)) == ["prod", "secret"]
    answer = login("another").get("/")
    assert answer.status_code == 200
    assert "No check of a cluster that you may see" in answer.text
    for path in ("/clusters/secret", "/clusters/secret/reports/latest", "/clusters/nobodys", "/clusters/none"):
        refused = login(DAG).get(path)
        assert refused.status_code == 404, path
        assert "There is nothing here that you may see." in refused.text
    assert login(DAG).get(f"/run?dag_id={OTHER}&run_id=r1").status_code == 404
    assert login(OTHER).get("/clusters/secret").status_code == 200


def test_an_earlier_report_of_another_dag_is_not_shown(login: Callable[..., Browser], folder: Path) -> None:
    report = samples.green()
    report["checked_at"] = "2026-11-01T00:00:00+08:00"
    keep(folder, "prod", report, dag_id=OTHER)
    keep(folder, "prod", samples.green())
    assert login(DAG).get("/clusters/prod/reports/20261031T160000Z").status_code == 404
    assert login(DAG, OTHER).get("/clusters/prod/reports/20261031T160000Z").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(client: Browser, folder: Path, method: str) -> None:
    keep(folder, "prod", samples.green())
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in PAGES:
        assert client.request(method, path).status_code == 405
        client.get(path)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_pages_forbid_what_they_do_not_need(client: Browser, folder: Path) -> None:
    keep(folder, "prod", samples.green())
    for path in PAGES:
        headers = client.get(path).headers
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    report = client.get("/clusters/prod/reports/latest").text
    assert re.findall("<script([^>]*)>", report) == [' src="/oceanbase/static/page.js" defer', ""]
    assert re.search("script-src 'sha256-[^']+' 'self';", report)
    for name in ("page.css", "page.js", "report.css", "dark.css", "icon.svg", "icon-dark.svg"):
        assert client.get(f"/static/{name}").status_code == 200
    assert client.get("/static/app.py").status_code == 404
    assert client.get("/clusters/prod/reports/..%2Foverview").status_code == 404


def test_what_is_stored_is_escaped(client: Browser, folder: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    report = samples.red()
    report["cluster"]["clusterName"] = hostile
    report["cluster"]["obVersion"] = hostile
    report["summary"] = {"en": hostile, "zh": hostile}
    for tenant in report["tenants"]:
        tenant["tenantName"] = hostile + tenant["tenantName"]
    keep(folder, "prod", report)
    store = ReportStore(str(folder), "prod")
    store.enter({"run": f"{DAG}/<b>", "kind": hostile, "verdict": hostile, "approved_by": hostile, "tenants": {}})
    for path in ("/", "/clusters/prod", "/clusters/prod/reports/latest"):
        page = client.get(path).text
        assert "<img" not in page, path
        assert "&lt;img" in page, path
        assert "<b>" not in page


# --- what -------------------------------------------------------------------------------------------------------------


def test_an_old_check_is_never_green(client: Browser, folder: Path) -> None:
    limit = 3 * 3600
    keep(folder, "fresh", samples.green(), age=limit - 60)
    keep(folder, "old", samples.green(), age=limit + 60)
    keep(folder, "bad", samples.red(), age=limit + 90)
    page = client.get("/").text
    shown = {name: re.search(rf'<tr class="(\w+)">\s*<th[^>]*><a href="/oceanbase/clusters/{name}\?', page)[1]
             for name in ("fresh", "old", "bad")}  # fmt: skip
    assert shown == {"fresh": "OK", "old": "UNKNOWN", "bad": "FAIL"}
    assert rows(page) == ["bad", "old", "fresh"], "worst first"
    assert "was OK" in page
    cluster = text_of(client.get("/clusters/old").text)
    assert "UNKNOWN Nobody has checked since: what is true now is not known. The last check said OK." in cluster
    assert rows(client.get("/?level=OK").text) == ["fresh"]
    assert rows(client.get("/?sort=age").text) == ["bad", "old", "fresh"]


def test_a_policy_says_how_old_a_check_may_be(client: Browser, folder: Path) -> None:
    report = samples.green()
    report["policy"] = {"check_max_age": 600}
    keep(folder, "strict", report, age=700)
    assert '<tr class="UNKNOWN">' in client.get("/").text


def test_a_check_without_a_time_is_old(client: Browser, folder: Path) -> None:
    line = keep(folder, "prod", samples.green())
    stored = json.loads(line.read_text())
    del stored["kept_at"], stored["checked_at"]
    line.write_text(json.dumps(stored))
    page = client.get("/").text
    assert '<tr class="UNKNOWN">' in page
    assert "no time known" in page


def test_the_figures_of_a_list(client: Browser, folder: Path) -> None:
    report = samples.red()
    keep(folder, "prod", report)
    shown = text_of(client.get("/").text)
    gaps = sum(gap["open"] for tenant in report["tenants"] for gap in tenant["gaps"])
    worst = max(tenant["delay"] or 0 for tenant in report["tenants"])
    assert f"FAIL {worst:,.0f} s" in shown
    assert f" {gaps} " in shown
    assert f"0 of {len(report['tenants'])} just now" in shown
    assert f'href="/dags/{DAG}/runs/r1/tasks/cluster.check/mapped/0"' in client.get("/").text


def test_long_lists_come_in_pages(client: Browser, folder: Path) -> None:
    for number in range(120):
        report = samples.green()
        report["cluster"]["clusterName"] = f"City {number:03d}"
        keep(folder, f"c{number:03d}", report)
    assert rows(client.get("/?sort=name").text) == [f"c{number:03d}" for number in range(50)]
    last = client.get("/?sort=name&page=3").text
    assert rows(last) == [f"c{number:03d}" for number in range(100, 120)]
    assert "Page 3 of 3" in last
    assert 'rel="next"' not in last
    assert 'href="/oceanbase/?lang=en&amp;sort=name&amp;page=2"' in last
    assert rows(client.get("/?sort=name&page=99").text) == rows(last)
    assert rows(client.get("/?q=CITY 007").text) == ["c007"]
    assert rows(client.get("/?q=c11").text) == [f"c11{number}" for number in range(10)]
    assert "Nothing matches." in client.get("/?level=FAIL").text
    assert client.get("/?page=0").status_code == 422
    assert "A parameter of the address is not legal. page:" in text_of(client.get("/?page=x").text)


def test_a_cluster_with_many_tenants(client: Browser, folder: Path) -> None:
    report = samples.green()
    report["tenants"] = [samples.tenant(f"t{number:03d}", 1000 + number) for number in range(95)]
    report["tenants"][70]["verdict"] = "WARN"
    keep(folder, "prod", report)

    def tenants(path: str) -> list[str]:
        return re.findall(r'<h3 id="tenant-\d+"><bdi>(t\d+)</bdi>', client.get(path).text)

    everyone = ["t070", *(f"t{number:03d}" for number in range(95) if number != 70)]
    assert tenants("/clusters/prod") == everyone[:20]
    assert tenants("/clusters/prod?page=5") == everyone[80:]
    assert tenants("/clusters/prod?q=T09") == ["t090", "t091", "t092", "t093", "t094"]
    assert tenants("/clusters/prod?level=WARN") == ["t070"]


def test_a_cluster_shows_windows_lag_pieces_and_findings_with_hints(client: Browser, folder: Path) -> None:
    keep(folder, "prod", samples.mixed())
    page = client.get("/clusters/prod").text
    assert '<svg class="timeline"' in page
    assert '<svg class="lag"' in page
    shown = text_of(page)
    assert "3 DOING 3 – 22 AVAILABLE" in shown
    assert "written now" in shown
    assert (
        "INTERRUPTED since 2026-11-26 16:13:59 Expected DOING What to do Stop and start log backup of this tenant."
        in shown
    )
    assert "Last check: r1 · Full report" in shown
    assert page.count("<h1>") == 1


def test_both_languages(client: Browser, folder: Path) -> None:
    keep(folder, "prod", samples.mixed())
    for path in ("/", "/clusters/prod", "/clusters/prod/reports/latest"):
        english, chinese = client.get(path), client.get(path, params={"lang": "zh"})
        assert '<html lang="en">' in english.text
        assert '<html lang="zh-Hans">' in chinese.text
        by_browser = client.get(path, headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})
        assert '<html lang="zh-Hans">' in by_browser.text
    assert "lang=zh" in client.get("/").text
    assert "全部集群" in client.get("/clusters/prod?lang=zh").text
    assert '<html lang="en">' in client.get("/?lang=xx").text


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tell() -> Iterator[Callable[..., None]]:
    """Put an asset event into Airflow's database."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    made: list[int] = []

    def told(uri: str, dag_id: str, run_id: str) -> None:
        with create_session() as session:
            asset = session.query(AssetModel).filter_by(uri=uri).one_or_none()
            if asset is None:
                asset = AssetModel(name=uri, uri=uri, group="asset")
                session.add(asset)
                session.flush()
            event = AssetEvent(asset_id=asset.id, source_dag_id=dag_id, source_run_id=run_id, source_task_id="t")
            session.add(event)
            session.flush()
            made.append(event.id)

    yield told
    with create_session() as session:
        session.query(AssetEvent).filter(AssetEvent.id.in_(made)).delete()


def test_a_run_leads_to_its_cluster(client: Browser, folder: Path, tell: Callable[..., None]) -> None:
    keep(folder, "prod", samples.green())
    keep(folder, "test", samples.green())
    assert sorted(rows(client.get(f"/run?dag_id={DAG}&run_id=r1").text)) == ["prod", "test"]
    assert "has stored nothing about log backup" in client.get(f"/run?dag_id={DAG}&run_id=r2").text
    tell("oceanbase://test/log-archive", DAG, "r2")
    tell("s3://bucket/x", DAG, "r2")
    answer = client.get(f"/run?dag_id={DAG}&run_id=r2&lang=zh")
    assert (answer.status_code, answer.headers["location"]) == (303, "/oceanbase/clusters/test?lang=zh")


def test_a_cluster_leads_to_the_runs_that_did_it(
    login: Callable[..., Browser], folder: Path, tell: Callable[..., None]
) -> None:
    keep(folder, "prod", samples.green())
    tell("oceanbase://prod/log-archive", OTHER, "manual__1")
    tell("oceanbase://prod/log-archive", OTHER, "manual__2/+")
    tell("oceanbase://prod/data-backup", "ob_data_backup", "asset__1")
    page = login(DAG, OTHER).get("/clusters/prod").text
    assert f'data-airflow href="/dags/{OTHER}/runs/manual__2%2F%2B"' in page
    assert "manual__1" not in page
    assert "asset__1" not in page, "its DAG may not be read"
    assert "asset__1" in login(DAG, "ob_data_backup").get("/clusters/prod").text


def test_the_ledger_of_recoveries(login: Callable[..., Browser], folder: Path) -> None:
    keep(folder, "prod", samples.green())
    store = ReportStore(str(folder), "prod")
    gap = {"from": "2026-11-20T10:00:00+08:00", "to": {"pay": "2026-11-20T12:00:00+08:00"}}
    entry = {
        "run": "ob_archive_recovery/manual__7", "kind": "recovery", "verdict": "restorable again",
        "approved_by": "Wang",
        "began": "2026-11-20T11:00:00+08:00", "ended": "2026-11-20T12:30:00+08:00", "tenants": {"pay": {"gap": gap}},
    }  # fmt: skip
    store.enter(entry)
    assert "manual__7" not in login(DAG).get("/clusters/prod").text
    shown = text_of(login(DAG, "ob_archive_recovery").get("/clusters/prod").text)
    assert (
        "manual__7 recovery restorable again 2026-11-20 11:00:00 2026-11-20 12:30:00 Wang pay 2026-11-20 10:00:00"
        in shown
    )
    assert "– 2026-11-20 12:00:00" in shown


# --- what is wrong with the store -------------------------------------------------------------------------------------


def test_an_empty_folder_says_what_to_do(client: Browser, folder: Path) -> None:
    shown = text_of(client.get("/").text)
    assert "Run the DAG ob_archive_compliance." in shown
    assert str(folder) in shown


def test_one_broken_file_hides_no_other_cluster(client: Browser, folder: Path) -> None:
    keep(folder, "prod", samples.green())
    (keep(folder, "torn", samples.green())).write_text("{")
    (folder / "torn" / "latest.json").write_text("[]")
    (folder / "a file").write_text("x")
    assert rows(client.get("/").text) == ["prod"]


@pytest.mark.parametrize("run", [{"dag_id": DAG}, {"dag_id": DAG, "run_id": 7, "map_index": "x", "task_id": []}])
def test_a_file_of_somebody_else_hides_no_other_cluster(client: Browser, folder: Path, run: dict[str, Any]) -> None:
    keep(folder, "prod", samples.green())
    odd: dict[str, Any] = {"tenants": {}, "delay": "x", "verdict": 7, "checked_at": [], "open_gaps": "", "version": {}}
    keep(folder, "odd", samples.green()).write_text(json.dumps({**odd, "run": run}))
    keep(folder, "list", samples.green()).write_text(json.dumps({"run": {"dag_id": [DAG]}}))
    assert sorted(rows(client.get("/").text)) == ["odd", "prod"]
    assert client.get("/?sort=name&q=o&level=UNKNOWN").status_code == 200


def test_a_newer_report_of_another_dag_is_not_shown(login: Callable[..., Browser], folder: Path) -> None:
    line = keep(folder, "prod", samples.green())
    text = line.read_text()
    keep(folder, "prod", samples.red(), dag_id=OTHER)
    line.write_text(text)  # as between the writing of the one file and of the other
    assert login(DAG).get("/clusters/prod").status_code == 404


def test_a_store_of_an_older_release_is_read(client: Browser, folder: Path) -> None:
    keep(folder, "prod", samples.green()).unlink()
    page = client.get("/").text
    assert rows(page) == ["prod"]


def test_a_folder_that_cannot_be_read_is_no_empty_one(client: Browser, folder: Path) -> None:
    keep(folder, "prod", samples.green())
    (folder / "prod" / "recoveries.json").write_text("{}")
    answer = client.get("/clusters/prod")
    assert answer.status_code == 503
    assert "The folder of reports cannot be read." in answer.text
    (folder / "prod" / "recoveries.json").unlink()
    (folder / "prod" / "latest.json").unlink()
    assert client.get("/clusters/prod").status_code == 404


# --- in Airflow -------------------------------------------------------------------------------------------------------


def test_airflow_shows_it_in_the_navigation_and_on_runs(client: Browser) -> None:
    answer = client.get("http://airflow/api/v2/plugins", params={"limit": 1000})
    (plugin,) = [one for one in answer.json().get("plugins", []) if one["name"] == "oceanbase"]
    assert {view["destination"]: view["href"] for view in plugin["external_views"]} == {
        "nav": "/oceanbase/",
        "dag_run": "/oceanbase/run?dag_id={DAG_ID}&run_id={RUN_ID}",
    }


def test_behind_a_base_path(login: Callable[..., Browser], folder: Path) -> None:
    keep(folder, "prod", samples.green())
    page = login(DAG, root_path="/airflow").get("/").text
    assert 'href="/airflow/oceanbase/clusters/prod?lang=en"' in page
    assert 'src="/airflow/oceanbase/static/page.js"' in page
