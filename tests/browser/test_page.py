"""The page "OceanBase log backup", inside Airflow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright", reason="no browser: playwright is not installed")

from playwright.sync_api import expect

from .conftest import THEMES, Stack
from .looks import hard_to_read

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Page

ROUTE = "/plugin/oceanbase-log-backup"
DAG_ID = "ob_archive_compliance"
TITLES = {"en": "OceanBase log backup", "zh": "OceanBase 日志备份"}


@pytest.fixture(autouse=True)
def _checked(stack: Stack) -> None:
    for run in stack.runs.values():
        run.wait()


def inside(page: Page, path: str = "") -> FrameLocator:
    """The page in Airflow's frame."""
    page.goto(ROUTE + path)
    return page.frame_locator("iframe")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_clusters_at_a_glance(page: Page, theme: str, language: str) -> None:
    frame = inside(page)
    expect(frame.get_by_role("heading", level=1)).to_have_text(TITLES[language])
    rows = frame.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("broken")
    expect(rows.nth(1)).to_contain_text("FAIL" if language == "en" else "严重")
    expect(rows.nth(2)).to_contain_text("healthy")
    assert hard_to_read(frame.locator("body")) == []
    ground = frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert ground == {"light": "rgb(238, 241, 244)", "dark": "rgb(15, 21, 27)"}[theme]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_cluster_that_is_broken(page: Page, theme: str, language: str) -> None:
    frame = inside(page)
    frame.get_by_role("link", name="obcluster").first.click()
    expect(frame.get_by_role("heading", level=2).first).to_contain_text("FAIL" if language == "en" else "严重")
    findings = frame.get_by_role("region", name="Findings" if language == "en" else "检查发现", exact=True)
    expect(findings).to_contain_text("INTERRUPTED")
    expect(findings).to_contain_text("What to do" if language == "en" else "处理建议")
    windows = "Recoverable windows" if language == "en" else "可恢复时间窗口"
    expect(frame.get_by_role("img", name=re.compile(f"^{windows}.{{1,2}}tenant1"))).to_be_visible()
    assert hard_to_read(frame.locator("body")) == []
    expect(page).to_have_url(re.compile(f"{ROUTE}/oceanbase/clusters/broken"))


def test_the_language_is_switched_and_kept(page: Page) -> None:
    frame = inside(page)
    frame.get_by_role("link", name="中文").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text(TITLES["zh"])
    frame.get_by_role("link", name="obcluster").first.click()
    expect(frame.get_by_role("link", name="全部集群")).to_be_visible()
    frame.get_by_role("link", name="完整报告").click()
    expect(frame.get_by_role("heading", name=re.compile("结论.*严重"))).to_be_visible()


def test_it_follows_a_change_of_the_theme(page: Page) -> None:
    frame = inside(page)
    expect(frame.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    body = frame.locator("body")
    expect(body).to_have_css("background-color", "rgb(15, 21, 27)")


def test_the_full_report_follows_the_theme_too(page: Page) -> None:
    frame = inside(page, "/oceanbase/clusters/broken/reports/latest")
    body = frame.locator("body")
    expect(body).to_have_css("background-color", "rgb(238, 241, 244)")
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    expect(body).to_have_css("background-color", "rgb(15, 21, 27)")


def test_a_run_is_opened_in_airflow_itself(page: Page, stack: Stack) -> None:
    frame = inside(page, "/oceanbase/clusters/broken")
    run_id = stack.runs["broken"].run_id
    frame.get_by_role("link", name=run_id).click()
    expect(page).to_have_url(re.compile(f"/dags/{DAG_ID}/runs/{re.escape(run_id)}/tasks/cluster.check/mapped/0"))
    expect(page.get_by_text("cluster.check").first).to_be_visible()


def test_a_run_has_a_tab_for_its_cluster(page: Page, stack: Stack) -> None:
    page.goto(f"/dags/{DAG_ID}/runs/{stack.runs['broken'].run_id}")
    page.get_by_role("link", name="OceanBase log backup", exact=True).click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=2).first).to_contain_text("FAIL")


def test_it_is_in_the_navigation(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="OceanBase log backup").click()
    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text(TITLES["en"])


def test_it_is_used_with_the_keyboard_alone(page: Page) -> None:
    page.goto("/oceanbase/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    search = page.get_by_role("searchbox")
    for _ in range(10):
        page.keyboard.press("Tab")
        if search.evaluate("field => field === document.activeElement"):
            break
    page.keyboard.type("healthy")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("healthy")


@pytest.mark.parametrize("path", ["/oceanbase/", "/oceanbase/clusters/broken"])
def test_a_phone_shows_it_without_scrolling_sideways(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert hard_to_read(page.locator("body")) == []
