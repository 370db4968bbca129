"""Log backup is started from the form of the DAG, by a person, and followed to its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("playwright", reason="no browser: playwright is not installed")

from playwright.sync_api import expect

from demo.browser import TriggerForm, open_graph, settled
from demo.processes import wait_until
from demo.rest import RUN_SECONDS, Run
from tests.recorded import sent

from .conftest import THEMES, Stack
from .looks import hard_to_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

DAG_ID = "ob_log_archive"
STEPS = ["prerequisites", "destination", "option", "freeze", "start", "verify", "summary"]
"""Of the runbook, in its order."""


@pytest.fixture(scope="package")
def params(stack: Stack) -> dict[str, Any]:
    """Params of the DAG."""
    return dict(stack.rest.get(f"dags/{DAG_ID}/details")["params"])


@pytest.fixture
def form(page: Page, params: dict[str, Any]) -> TriggerForm:
    """The form of a new run."""
    return TriggerForm.open(page, DAG_ID, params)


def runs(stack: Stack) -> list[str]:
    """All runs of the DAG."""
    return [run["dag_run_id"] for run in stack.rest.get(f"dags/{DAG_ID}/dagRuns", order_by="id")["dag_runs"]]


@pytest.mark.parametrize("theme", THEMES)
def test_every_field_of_the_form_has_a_section_and_a_help(
    form: TriggerForm, params: dict[str, Any], theme: str
) -> None:
    for name, param in params.items():
        group = form.group(name)
        expect(group).to_be_visible()
        expect(group).to_contain_text(param["schema"].get("title") or name)
        assert param["schema"].get("description_md"), name
        assert hard_to_read(group) == []


def test_what_is_not_legal_is_told_in_the_form_and_starts_nothing(form: TriggerForm, page: Page, stack: Stack) -> None:
    before = runs(stack)
    required = form.field("oceanbase_conn_ids")
    required.fill("")
    required.blur()
    expect(form.group("oceanbase_conn_ids").get_by_text("required")).to_be_visible()
    expect(form.submit).to_be_disabled()

    # A number cannot even be typed.
    number = form.field("poll_interval")
    number.fill("0")
    number.blur()
    expect(number).to_have_value("1")

    form.fill("oceanbase_conn_ids", "no such; name")
    form.submit.click()
    expect(form.dialog.get_by_text("Invalid input for param oceanbase_conn_ids")).to_be_visible()
    expect(form.dialog.get_by_text("'no such; name'").first).to_be_visible()
    expect(form.field("oceanbase_conn_ids")).to_have_value("no such; name")
    assert runs(stack) == before


def test_a_person_starts_log_backup_and_follows_it_to_green(
    form: TriggerForm, page: Page, stack: Stack, open_page: Callable[..., Page]
) -> None:
    box = stack.boxes["new"]
    stack.rest.add_connection("started", box)
    before = runs(stack)
    form.fill("oceanbase_conn_ids", "started")
    form.choose("mode", "mandatory")
    form.switch("mandatory_approved")
    form.fill("destination", "file:///data/nfs/{cluster}/{tenant}")
    form.fill("poll_interval", 1)
    expect(form.submit).to_be_enabled()
    form.submit.click()
    expect(form.dialog).to_be_hidden()
    (run_id,) = wait_until(lambda: [one for one in runs(stack) if one not in before], "there is a run")

    run = Run(stack.rest, DAG_ID, run_id)
    open_graph(page, DAG_ID, run_id)
    expect(page.get_by_test_id("rf__node-report")).to_contain_text("success", timeout=RUN_SECONDS * 1000)

    assert run.wait() == "success", run.story()
    assert stack.rest.get(f"dags/{DAG_ID}/dagRuns/{run_id}")["conf"]["mode"] == "mandatory"
    *settings, start = sent(box.writes)
    assert any("BINDING=MANDATORY" in sql.upper() for sql in settings), settings
    assert start == "ALTER SYSTEM ARCHIVELOG TENANT = 'tenant1'"

    for theme in THEMES:
        page = open_page(theme=theme)
        graph = open_graph(page, DAG_ID, run_id)
        nodes = [page.get_by_test_id(f"rf__node-cluster.{step}") for step in STEPS]
        for node in nodes:
            expect(node).to_contain_text(re.compile("success|skipped"))
        lefts = [box["x"] for node in nodes if (box := node.bounding_box())]
        assert len(lefts) == len(STEPS)
        assert lefts == sorted(lefts), "they read from left to right"
        # Airflow cuts long names of operators off; those of the steps must be whole.
        settled(graph)
        assert [why for node in nodes for why in hard_to_read(node.get_by_role("link").first)] == []
