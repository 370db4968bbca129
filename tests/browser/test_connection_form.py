"""A cluster is made known to Airflow in the form, by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_ob_provider.get_provider_info import get_provider_info

pytest.importorskip("playwright", reason="no browser: playwright is not installed")

from playwright.sync_api import expect

from demo.browser import ConnectionForm, press_test

from .conftest import PASSWORD, THEMES, Stack
from .looks import hard_to_read

if TYPE_CHECKING:
    from playwright.sync_api import Page

(TYPE,) = get_provider_info()["connection-types"]
BEHAVIOUR: dict[str, Any] = TYPE["ui-field-behaviour"]
FIELDS: dict[str, dict[str, Any]] = TYPE["conn-fields"]


@pytest.fixture
def form(page: Page) -> ConnectionForm:
    """The form of a new connection of our type."""
    form = ConnectionForm.open(page)
    form.choose_type(TYPE["hook-name"])
    return form


@pytest.mark.parametrize("theme", THEMES)
def test_the_form_says_what_goes_where(form: ConnectionForm, theme: str) -> None:
    for name, text in BEHAVIOUR["placeholders"].items():
        if name in FIELDS:
            continue
        expect(form.standard(name)).to_have_attribute("placeholder", text)
    for label in BEHAVIOUR["relabeling"].values():
        expect(form.dialog.get_by_text(label, exact=True)).to_be_visible()
    for name in BEHAVIOUR["hidden-fields"]:
        expect(form.standard(name)).to_have_count(0)
    assert hard_to_read(form.dialog) == []

    form.show("Extra Fields")
    for name, field in FIELDS.items():
        group = form.extra(name)
        expect(group).to_be_visible()
        expect(group).to_contain_text(field["label"])
        expect(group).to_contain_text(field["description"])
        if field["schema"].get("format") == "password":
            expect(group.locator("input")).to_have_attribute("type", "password")
    assert hard_to_read(form.dialog) == []


def test_a_connection_of_the_form_works_and_its_password_is_hidden(
    form: ConnectionForm, page: Page, stack: Stack
) -> None:
    account = stack.boxes["new"].connection()
    form.fill(
        connection_id="by_hand",
        host=account["host"],
        port=account["port"],
        login=account["login"],
        password=account["password"],
    )
    password = form.standard("password")
    expect(password).to_have_attribute("type", "password")
    form.dialog.get_by_role("button", name="Show value").click()
    expect(password).to_have_attribute("type", "text")
    form.save()

    answer = press_test(page, "by_hand")
    expect(answer).to_contain_text("Test Connection Successful")
    expect(answer).to_contain_text("OceanBase 4.2.5")
    expect(answer).to_contain_text("sys")
    saved = stack.rest.get("connections/by_hand")
    assert (saved["conn_type"], saved["password"]) == ("oceanbase", "***")


def test_a_connection_that_does_not_work_says_why(page: Page, stack: Stack) -> None:
    account = stack.boxes["new"].connection()
    stack.rest.add_connection("mistyped", account | {"password": f"{PASSWORD} mistyped"})

    answer = press_test(page, "mistyped")

    expect(answer).to_contain_text("Test Connection Failed")
    expect(answer).to_contain_text("1045")
    expect(answer).not_to_contain_text(PASSWORD)
