"""`make pictures`: the pictures of docs/pictures, taken from what `make ui` shows.

One more picture is one more function here, with ``@picture``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.web.places import PREFIX, ROUTE
from demo import ui
from demo.browser import (
    ConnectionForm,
    NoBrowserError,
    TriggerForm,
    browser,
    open_graph,
    open_page,
    program,
    settled,
    task_path,
)
from demo.rest import Rest, Run

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
MOST_BYTES = 200_000


@dataclass(frozen=True)
class Shown:
    """What there is to take pictures of."""

    rest: Rest
    boxes: dict[str, Sandbox]

    def first(self, dag_id: str) -> Run:
        """The first run of a DAG."""
        runs = self.rest.get(f"dags/{dag_id}/dagRuns", order_by="id")["dag_runs"]
        return Run(self.rest, dag_id, runs[0]["dag_run_id"])

    def params(self, dag_id: str) -> dict[str, Any]:
        """Params of a DAG."""
        return dict(self.rest.get(f"dags/{dag_id}/details")["params"])


Take = Callable[[Page, Shown], Page]
"""Makes a page show something; the page to take the picture of."""
PICTURES: dict[str, tuple[Take, str]] = {}


def picture(*themes: str) -> Callable[[Take], Take]:
    """A picture, in these themes; of the dark one ``-dark`` is behind its name."""

    def add(take: Take) -> Take:
        name = take.__name__.replace("_", "-")
        for theme in themes:
            PICTURES[name + ("-dark" if theme == "dark" else "")] = (take, theme)
        return take

    return add


@picture("light")
def connection_form(page: Page, shown: Shown) -> Page:
    """A new connection, filled in."""
    account = next(iter(shown.boxes.values())).connection()
    form = ConnectionForm.open(page)
    form.choose_type("OceanBase")
    form.fill(
        connection_id="ob_orders", host="10.0.0.11", port=2881, login=account["login"], password=account["password"]
    )
    return page


@picture("light", "dark")
def trigger_form(page: Page, shown: Shown) -> Page:
    """The form of a new run of log backup, with the section that decides most."""
    form = TriggerForm.open(page, "ob_log_archive", shown.params("ob_log_archive"))
    form.section("mode")
    return page


@picture("light")
def graph(page: Page, shown: Shown) -> Page:
    """A run of log backup that has ended well."""
    run = shown.first("ob_log_archive")
    open_graph(page, run.dag_id, run.run_id, opened=False)
    page.get_by_role("button", name="Collapse Details Panel").click()
    page.get_by_test_id("rf__node-cluster").get_by_role("button").click()
    page.get_by_role("button", name="Options").click()
    page.get_by_role("combobox", name="Graph Direction").click()
    page.get_by_role("option", name="Top to Bottom").click()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("rf__node-cluster.summary")).to_be_visible()
    page.get_by_role("button", name=re.compile("fit view", re.IGNORECASE)).click()
    expect(page.get_by_test_id("rf__node-report")).to_contain_text("success")
    return page


@picture("light", "dark")
def compliance_report(page: Page, shown: Shown) -> Page:
    """The report of the cluster that has a past."""
    run = shown.first("ob_archive_compliance")
    tasks = run.tasks("cluster.check")
    (number,) = [task["map_index"] for task in tasks if task["rendered_map_index"] == ui.CHECKED]
    page.goto(task_path(run.dag_id, run.run_id, "cluster.check", number) + "/details")
    page.get_by_role("link", name="Compliance report").click()
    expect(page.frame_locator("iframe").get_by_role("heading", name=re.compile("Verdict"))).to_be_visible()
    return page


@picture("light", "dark")
def clusters(page: Page, shown: Shown) -> Page:  # noqa: ARG001
    """All clusters at a glance."""
    page.goto(f"/plugin/{ROUTE}")
    expect(page.frame_locator("iframe").get_by_role("row")).to_have_count(3)
    return page


@picture("light")
def cluster(page: Page, shown: Shown) -> Page:  # noqa: ARG001
    """One cluster."""
    page.goto(f"/plugin/{ROUTE}{PREFIX}/clusters/{ui.CHECKED}")
    expect(page.frame_locator("iframe").get_by_role("heading", name=re.compile("Verdict"))).to_be_visible()
    return page


def main() -> int:
    """Take all pictures; return the exit code."""
    try:
        program()
    except NoBrowserError as error:
        print(error, file=sys.stderr)
        return 2
    return ui.orderly(_take_all)


def _take_all() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ui.shown() as (airflow, rest, live):
        ui.make_connections(rest, live.boxes)
        ui.first_runs(rest, live)
        there = Shown(rest, live.boxes)
        with browser() as one:
            for name, (take, theme) in PICTURES.items():
                size = _take(one, airflow.url, theme, take, there, name)
                ui.say(f"docs/pictures/{name}.png, {size} kB")


def _take(one: Browser, url: str, theme: str, take: Take, shown: Shown, name: str) -> int:
    page = open_page(one, url, theme=theme)
    try:
        target = take(page, shown)
        settled(target.locator("body"))
        path = FOLDER / f"{name}.png"
        target.screenshot(path=path, animations="disabled", caret="hide")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"{path} has {size} bytes, and is to have {MOST_BYTES} at most")
        return size // 1000
    finally:
        page.context.close()


if __name__ == "__main__":
    sys.exit(main())
