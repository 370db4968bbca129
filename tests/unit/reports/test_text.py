"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from airflow_ob_provider.reports import LANGUAGES, markdown
from airflow_ob_provider.reports.text import inline
from tests.unit.reports.hostile import HOSTILE, with_text
from tests.unit.reports.samples import SAMPLES, green, large, mixed, red

UNESCAPED = re.compile(r"(?<!\\)(?:\\\\)*[<>`\[\]|]")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SAMPLES)
def test_golden(name: str, language: str, same_as_golden: Callable[[str, str], None]) -> None:
    same_as_golden(f"{name}-{language}.md", markdown(SAMPLES[name](), language))


def test_verdict_comes_first_and_worst_tenants_before_others() -> None:
    lines = markdown(mixed()).splitlines()
    assert lines[0] == "# Log backup compliance · obprod: FAIL"
    table = [line for line in lines if re.match(r"\| (FAIL|UNKNOWN|WARN|OK) ", line)]
    assert [line.split()[3] for line in table] == ["pay_core", "crm", "fresh", "archive_test", "orders"]


def test_many_tenants_are_cut() -> None:
    text = markdown(large())
    assert "and 950 more, 930 of them OK" in text
    assert len(text) < 60_000


def test_another_language_is_refused() -> None:
    with pytest.raises(ValueError, match="one of en, zh, not in 'de'"):
        markdown(green(), "de")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("report", [{}, {"tenants": None, "rules": 3, "lag_history": [], "cluster": "x"}])
def test_a_report_of_nothing_is_unknown(report: dict[str, Any], language: str) -> None:
    first = markdown(report, language).splitlines()[0]
    assert first.endswith({"en": "UNKNOWN", "zh": "未知"}[language])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("a\r\n\n# b", "a # b"),
        ("# a", r"\# a"),
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("77.6 s", "77.6 s"),
        ("oceanbase_default", "oceanbase_default"),
        ("_a_", r"\_a\_"),
        ("![x](y)", r"\!\[x\](y)"),
        ("<b>", r"\<b\>"),
        ("a!", "a!"),
        (7, "7"),
    ],
)
def test_text_stays_text(text: object, shown: str) -> None:
    assert inline(text) == shown


@settings(max_examples=60, deadline=None)
@given(HOSTILE)
def test_hostile_text_does_not_break_out(text: str) -> None:
    report = mixed()
    plain, hostile = (markdown(with_text(report, word)) for word in ("x", text))
    hostile.encode()
    assert shape(hostile) == shape(plain)


def shape(text: str) -> list[tuple[str, list[str]]]:
    """How each line begins, and what in it is markup."""
    return [(line[:2] if line[:1] in "#*|" else "", UNESCAPED.findall(line)) for line in text.split("\n")]


def test_secrets_are_masked_once_more() -> None:
    report = red()
    report["tenants"][0]["backupUri"] = "oss://b/p?host=h&access_id=AKID7&access_key=hush%2Fhush"
    report["findings"][0]["observed"] = {"en": "access_key=hush%2Fhush", "zh": "access_key=hush%2Fhush"}
    assert "hush" not in markdown(report)
