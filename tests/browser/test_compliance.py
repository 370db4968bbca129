"""What the hourly check has found, where a person looks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright", reason="no browser: playwright is not installed")

from playwright.sync_api import expect

from demo.browser import run_path, task_path

from .conftest import THEMES, Stack
from .looks import hard_to_read

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAG_ID = "ob_archive_compliance"


def test_a_broken_cluster_is_red_and_says_why(page: Page, stack: Stack) -> None:
    run = stack.runs["broken"]
    assert run.wait() == "failed", run.story()

    page.goto(run_path(DAG_ID, run.run_id))
    verdict = page.get_by_role("row").filter(has=page.get_by_role("link", name="Verdict"))
    expect(verdict).to_contain_text("Failed")
    page.goto(task_path(DAG_ID, run.run_id, "cluster.verdict", 0))
    log = page.get_by_test_id("virtualized-list")
    expect(log).to_contain_text("INTERRUPTED")
    expect(log).to_contain_text("tenant1")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("conn_id", "verdict"), [("healthy", "OK"), ("broken", "FAIL")])
def test_the_report_opens_from_the_task_that_made_it(
    page: Page, stack: Stack, theme: str, conn_id: str, verdict: str
) -> None:
    run = stack.runs[conn_id]
    run.wait()

    page.goto(task_path(DAG_ID, run.run_id, "cluster.check", 0) + "/details")
    page.get_by_role("link", name="Compliance report").click()
    report = page.frame_locator("iframe")

    expect(report.get_by_role("heading", name=f"Verdict: {verdict}")).to_be_visible()
    expect(report.get_by_role("region", name="Recoverable windows", exact=True)).to_contain_text("tenant1")
    assert hard_to_read(report.locator("body")) == []
