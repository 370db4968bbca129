"""One Airflow for all tests of this folder, with simulated clusters, and a browser to look at it.

A test that is about looks runs in both themes: ``@pytest.mark.parametrize("theme", THEMES)``; one that is about words
in both languages: ``@pytest.mark.parametrize("language", ["en", "zh"])``. What fails leaves pictures in its tmp_path.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_ob_provider.sandbox import Sandbox
from demo.processes import Airflow
from demo.rest import Rest, Run
from demo.stack import connections, copy_template, running
from demo.ui import SETTINGS
from tests.pasts import two_good_days

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

THEMES = ("light", "dark")
DAGS = {
    "ob_log_archive": [],
    "ob_archive_compliance": [connections("healthy")],
}
PASSWORD = "S3CRET/+=% of the browser"
_FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    missing = _missing()
    items.sort(key=lambda item: item.path != here / "test_story.py")  # so its Airflow and ours do not run together
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            if missing:
                item.add_marker(pytest.mark.skip(reason=missing))


def _missing() -> str:
    """Why there is no browser here; nothing if there is one."""
    if find_spec("playwright") is None:
        return "no browser: playwright is not installed"
    from demo.browser import NoBrowserError, program

    try:
        program()
    except NoBrowserError as error:
        return str(error)
    return ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@dataclass(frozen=True)
class Stack:
    """A running Airflow and its clusters, by connection."""

    airflow: Airflow
    rest: Rest
    boxes: dict[str, Sandbox]
    runs: dict[str, Run]
    """The first compliance check of a cluster, by its connection."""


# Not of the session: while Playwright has a browser, nothing else in this process can use asyncio.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    from demo.browser import browser

    with browser() as one:
        yield one


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """Airflow with the template DAGs and three clusters; nothing of it is left afterwards."""
    home = Path(tempfile.mkdtemp(prefix="airflow-ob-provider-browser-"))
    with ExitStack() as life:
        life.callback(shutil.rmtree, home, ignore_errors=True)
        boxes = {
            "healthy": life.enter_context(_archiving(PASSWORD)),
            "broken": life.enter_context(_archiving(PASSWORD)),
            "new": life.enter_context(Sandbox("4.2.5", tenants=1, speed=100, password=PASSWORD)),
        }
        boxes["broken"].interrupt("tenant1")
        boxes["broken"].advance(600)
        airflow = Airflow(home, settings=SETTINGS)
        for name, changes in DAGS.items():
            copy_template(name, airflow.dags, changes)
        rest = life.enter_context(running(airflow, DAGS))
        for conn_id, box in boxes.items():
            if conn_id != "new":  # a test makes it known
                rest.add_connection(conn_id, box)
        for name in DAGS:
            rest.unpause(name)
        runs = {
            conn_id: rest.trigger("ob_archive_compliance", oceanbase_conn_ids=[conn_id])
            for conn_id in ("broken", "healthy")
        }
        yield Stack(airflow, rest, boxes, runs)


def _archiving(password: str) -> Sandbox:
    """A cluster with two days of logs and a full backup."""
    box = Sandbox("4.2.5", tenants=2, password=password)
    box.start()
    two_good_days(box)
    box.history.policy("7d")
    return box


@pytest.fixture
def theme() -> str:
    """What the person has chosen; a test overrides it."""
    return "light"


@pytest.fixture
def language() -> str:
    """The same of the language."""
    return "en"


@pytest.fixture
def open_page(
    request: pytest.FixtureRequest, browser: Browser, stack: Stack, theme: str, language: str, tmp_path: Path
) -> Iterator[Callable[..., Page]]:
    """Pages of people who have never been here: ``open_page(theme="dark")``."""
    from demo import browser as our

    pages: list[Page] = []

    def one(**chosen: str) -> Page:
        page = our.open_page(browser, stack.airflow.url, **{"theme": theme, "language": language, **chosen})
        pages.append(page)
        return page

    yield one
    for number, page in enumerate(page for first in pages for page in first.context.pages):
        if request.node.stash.get(_FAILED, False):
            page.screenshot(path=tmp_path / f"failed-{number}.png", full_page=True)
    for page in pages:
        page.context.close()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A page of somebody who has never been here, in the test's theme and language."""
    return open_page()
