"""What goes into a statement is refused or arrives unchanged, and what is shown of it is harmless."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.statements import (
    SLOW_SECONDS,
    Statement,
    check_seconds,
    check_tenant_names,
    like_literal,
    quote,
)


def test_a_reading_statement() -> None:
    statement = Statement.read("SELECT 1")
    assert (statement.text, statement.redacted, statement.writes, statement.timeout) == (
        "SELECT 1",
        "SELECT 1",
        False,
        None,
    )
    assert str(statement) == "SELECT 1"
    assert not statement.holds_secrets, "its rows are masked as they are read, unless said otherwise"
    assert Statement.read("SELECT 1", holds_secrets=True).holds_secrets


def test_a_writing_statement_shows_only_its_redacted_twin() -> None:
    text = "ALTER SYSTEM SET backup_dest = 'oss://b?access_key=hunter2'"
    statement = Statement.write(text, secrets=("SET",))
    assert statement.text == text
    assert statement.writes
    assert statement.timeout == SLOW_SECONDS == 60
    assert "hunter2" not in f"{statement} {statement!r} {statement.redacted}"
    assert str(statement) == "ALTER SYSTEM *** backup_dest = 'oss://b?access_key=***'"
    assert Statement.write("ALTER SYSTEM MINOR FREEZE", timeout=5).timeout == 5


def test_a_reading_statement_is_redacted_too() -> None:
    statement = Statement.read("SELECT 1 WHERE password = 'hunter2'")
    assert "hunter2" not in f"{statement} {statement!r}"
    assert "hunter2" in statement.text


BAD = "'\"\\`\n\r\t\0\x1f\x7f"


@given(st.text(st.characters(exclude_characters=BAD, exclude_categories=["Cc"])))
def test_a_legal_value_is_quoted_unchanged(value: str) -> None:
    assert quote(value) == f"'{value}'"


@given(st.text(), st.sampled_from(BAD), st.text())
def test_a_value_that_could_end_its_literal_is_refused(before: str, bad: str, after: str) -> None:
    with pytest.raises(ValueError, match="destination holds a ") as caught:
        quote(before + bad + after, field_name="destination")
    # The value may be a key: it is not in the error.
    assert str(caught.value).endswith("remove it")
    assert len(str(caught.value)) < 90


def server_like(pattern: str, name: str) -> bool:
    r"""LIKE of the server: % any, _ one, \ escapes."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    expression = "".join(
        re.escape(part[1]) if len(part) == 2 else {"%": ".*", "_": "."}.get(part, re.escape(part)) for part in parts
    )
    return re.fullmatch(expression, name, re.DOTALL) is not None


@given(st.text("abc_%$.", max_size=8), st.text("abc_%$.", max_size=8))
def test_like_matches_the_name_and_no_other(name: str, other: str) -> None:
    literal = like_literal(name)
    assert literal[0] == literal[-1] == "'"
    assert server_like(literal[1:-1], name)
    assert server_like(literal[1:-1], other) == (name == other)


def test_a_name_that_cannot_be_quoted_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^value holds a quote"):
        like_literal("a'b")


def test_like_of_the_documented_pitfall() -> None:
    assert like_literal("backup_dest") == r"'backup\_dest'"
    assert like_literal("a%b") == r"'a\%b'"


@pytest.mark.parametrize("tenants", [None, [], (), set()])
def test_no_tenants_are_all(tenants: object) -> None:
    assert check_tenant_names(tenants) == ()


@given(st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_$]{0,127}", fullmatch=True)))
def test_legal_tenant_names_keep_their_order_and_case(names: list[str]) -> None:
    found = check_tenant_names(names)
    assert list(found) == sorted(set(names), key=names.index)
    assert set(check_tenant_names(set(names))) == set(names)
    assert check_tenant_names(tuple(names)) == found


@given(st.text().filter(lambda name: not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]{0,127}", name)))
def test_other_tenant_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"tenants: .* is not a tenant name"):
        check_tenant_names(["shop", name])


@pytest.mark.parametrize("name", ["a'); DROP TENANT sys; --", "a b", "1a", "a-b", "a" * 129, "", "ab\n", 7, None, b"a"])
def test_hostile_tenant_names(name: object) -> None:
    with pytest.raises(ValueError, match=r"is not a tenant name \(1 to 128 letters, .*, not starting with a digit\)$"):
        check_tenant_names([name])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("shop", ("shop",)),
        (" shop , bank,shop ", ("shop", "bank")),
        ("", ()),
        ("  ", ()),
    ],
)
def test_a_text_holds_names_separated_by_commas(text: str, names: tuple[str, ...]) -> None:
    """Rendered templates arrive as text."""
    assert check_tenant_names(text) == names


@pytest.mark.parametrize("text", ["shop bank", "shop;bank", "shop,", ",", "['shop']", '["shop", "bank"]', "a'); DROP"])
def test_other_texts_are_no_names(text: str) -> None:
    """Nor do they mean all tenants."""
    with pytest.raises(ValueError, match="is not a tenant name"):
        check_tenant_names(text)


@pytest.mark.parametrize("tenants", [b"shop", 1, {"shop": 1}, object(), True])
def test_what_is_no_list_of_tenants(tenants: object) -> None:
    with pytest.raises(ValueError, match="tenants must be a list"):
        check_tenant_names(tenants)


def test_the_field_is_named() -> None:
    with pytest.raises(ValueError, match="freeze_tenants must be"):
        check_tenant_names(7, field_name="freeze_tenants")
    with pytest.raises(ValueError, match="freeze_tenants: 'a b' is not"):
        check_tenant_names(["a b"], field_name="freeze_tenants")


@pytest.mark.parametrize("value", [1, 1.0, 5, 3600, 3599.9])
def test_seconds(value: float) -> None:
    found = check_seconds(value, field_name="timeout", least=1, most=3600)
    assert found == value
    assert isinstance(found, float)


@pytest.mark.parametrize("value", [0.99, 3600.1, -1, float("nan"), float("inf"), True, "5", None, [5]])
def test_no_seconds(value: object) -> None:
    with pytest.raises(ValueError, match="timeout must be a number of seconds from 1 to 3600, not"):
        check_seconds(value, field_name="timeout", least=1, most=3600)
