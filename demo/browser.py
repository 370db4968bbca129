"""Airflow's user interface in a real browser: for `make pictures`, and for the tests of tests/browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
THEMES = ("light", "dark")
LOCALES = {"en": "en-US", "zh": "zh-CN"}
SIZE = {"width": 1280, "height": 800}
SECONDS = 120.0
"""For whatever the page is to show; two cores that run Airflow besides are slow."""


class NoBrowserError(Exception):
    """There is no browser here."""


def program() -> str:
    """Path of a Chromium.

    Playwright's own builds are not used: they are large, and a firewall may keep them away.

    :raises NoBrowserError: none is on the PATH.
    """
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found
    raise NoBrowserError(f"no Chromium: none of {', '.join(PROGRAMS)} is on the PATH (Debian: apt install chromium)")


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window.

    :raises NoBrowserError: there is none.
    """
    path = program()
    with sync_playwright() as playwright:
        # Containers have neither the privileges for its sandbox nor much shared memory; only our own pages are opened.
        one = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield one
        finally:
            one.close()


def open_page(one: Browser, url: str = "", *, theme: str = "light", language: str = "en") -> Page:
    """A page of somebody who has never been here, and has chosen a theme and a language.

    :param url: what paths are relative to.
    """
    context = one.new_context(
        base_url=url,
        viewport={"width": SIZE["width"], "height": SIZE["height"]},
        color_scheme="dark" if theme == "dark" else "light",
        locale=LOCALES[language],
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    # The keys of Airflow's user interface.
    chosen = {"theme": theme, "i18nextLng": {"en": "en", "zh": "zh-CN"}[language]}
    for key, value in chosen.items():
        context.add_init_script(f"localStorage.getItem('{key}') ?? localStorage.setItem('{key}', '{value}')")
    context.set_default_timeout(SECONDS * 1000)
    context.set_default_navigation_timeout(SECONDS * 1000)
    expect.set_options(timeout=SECONDS * 1000)
    return context.new_page()


@dataclass(frozen=True)
class ConnectionForm:
    """The form of a new connection."""

    dialog: Locator

    @classmethod
    def open(cls, page: Page) -> ConnectionForm:
        """From the list of connections."""
        page.goto("/connections")
        page.get_by_role("button", name="Add Connection").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("heading", name="Add Connection")).to_be_visible()
        return cls(dialog)

    def choose_type(self, name: str) -> None:
        """Choose a type by its name, typed."""
        field = self.dialog.get_by_role("combobox", name="Connection Type")
        field.fill(name)
        self.dialog.page.get_by_role("option", name=name, exact=True).click()
        expect(self.dialog.get_by_role("button", name="Standard Fields")).to_be_visible()

    def fill(self, **values: object) -> None:
        """Fill standard fields, by Airflow's names of them."""
        for name, value in values.items():
            self.standard(name).fill(str(value))

    def standard(self, name: str) -> Locator:
        """A standard field, by Airflow's name of it."""
        return self.dialog.locator(f'[name="{name}"]')

    def extra(self, name: str) -> Locator:
        """A field of the extra, with its label and its description."""
        return self.dialog.get_by_role("group").filter(has=self.dialog.page.locator(f'[name="element_{name}"]')).last

    def show(self, part: str) -> Locator:
        """Open a part of the form."""
        return _opened(self.dialog, part)

    def save(self) -> None:
        """Save it, and see it close."""
        self.dialog.get_by_role("button", name="Save").click()
        expect(self.dialog).to_be_hidden()


def press_test(page: Page, conn_id: str) -> Locator:
    """Press Test in the list of connections; the answer."""
    page.goto("/connections")
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=conn_id, exact=True))
    row.get_by_role("button", name="Test Connection").click()
    return page.get_by_role("status").filter(has_text=re.compile("Test Connection"))


@dataclass(frozen=True)
class TriggerForm:
    """The form of a new run."""

    dialog: Locator
    params: Mapping[str, Any]
    """Params of the DAG, as the REST API tells."""

    @classmethod
    def open(cls, page: Page, dag_id: str, params: Mapping[str, Any]) -> TriggerForm:
        """From the page of the DAG."""
        page.goto(f"/dags/{dag_id}")
        page.get_by_role("button", name="Trigger").first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("heading", name="Trigger Dag")).to_be_visible()
        return cls(dialog, params)

    def section(self, name: str) -> Locator:
        """Open the section of a Param."""
        return _opened(self.dialog, self.params[name]["schema"]["section"])

    def field(self, name: str) -> Locator:
        """The field of a Param, in its section, which opens."""
        self.section(name)
        return self.dialog.locator(f'[name="element_{name}"]')

    def group(self, name: str) -> Locator:
        """The field of a Param with its label and its help."""
        self.section(name)
        return self.dialog.get_by_role("group").filter(has=self.dialog.page.locator(f'[name="element_{name}"]')).last

    def fill(self, name: str, value: object) -> None:
        """Type into a field."""
        self.field(name).fill(str(value))

    def choose(self, name: str, value: str) -> None:
        """Choose one of a list, by its value: what is shown of it is the DAG's affair."""
        shown = (self.params[name]["schema"].get("values_display") or {}).get(value, value)
        self.group(name).get_by_role("combobox").click()
        self.dialog.page.get_by_role("option", name=shown, exact=True).click()

    def switch(self, name: str) -> None:
        """Change a switch."""
        self.group(name).get_by_role("checkbox").press("Space")  # what is seen of it lies over the checkbox

    @property
    def submit(self) -> Locator:
        """The button that starts the run."""
        return self.dialog.get_by_role("button", name="Trigger", exact=True)


def open_graph(page: Page, dag_id: str, run_id: str, *, opened: bool = True) -> Locator:
    """The graph of a run, with all groups opened."""
    page.goto(run_path(dag_id, run_id))
    page.get_by_role("button", name="Show Graph").click()
    graph = page.get_by_role("application")
    expect(graph).to_be_visible()
    if opened:
        expand = page.get_by_role("button", name="Expand all task groups")
        expect(expand).to_be_enabled()
        expand.click()
        expect(expand).to_be_disabled()
    return graph


def run_path(dag_id: str, run_id: str) -> str:
    """Where the user interface shows a run."""
    return f"/dags/{dag_id}/runs/{quote(run_id)}"


def task_path(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """Where it shows a task of a run."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"{run_path(dag_id, run_id)}/tasks/{task_id}{mapped}"


def _opened(dialog: Locator, part: str) -> Locator:
    button = dialog.get_by_role("button", name=part, exact=True)
    if button.get_attribute("aria-expanded") != "true":
        button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    settled(dialog)
    return button


def settled(part: Locator) -> Locator:
    """A part of a page when nothing in it moves any more, but for what always does."""
    part.evaluate(
        """async element => {
          const moving = element.getAnimations({subtree: true});
          const ends = moving.filter(one => one.effect.getComputedTiming().iterations !== Infinity);
          await Promise.allSettled(ends.map(one => one.finished));
        }"""
    )
    return part
