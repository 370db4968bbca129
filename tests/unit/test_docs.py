"""The documents name what is there: each rule, each field of a policy, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_ob_provider.oceanbase.compliance.judge import RULES
from airflow_ob_provider.oceanbase.compliance.policy import Limits, Policy

ROOT = Path(__file__).resolve().parents[2]
CHAINING = ("docs/chaining.md", "docs/chaining.zh-CN.md")
COMPLIANCE = ("docs/compliance.md", "docs/compliance.zh-CN.md")
BESIDE = {"waiver_expired"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMPLIANCE)
def test_every_rule_is_described_under_its_number(name: str) -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \|", text_of(name), re.MULTILINE)
    found = {(int(number), rule) for number, ids in rows for rule in re.findall(r"`(\w+)`", ids)}
    assert {pair for pair in found if pair[1] not in BESIDE} == {(rule.number, rule.id) for rule in RULES}
    assert {rule for _, rule in found} >= BESIDE


@pytest.mark.parametrize("name", [*COMPLIANCE, "README.md", "README.zh-CN.md"])
def test_policies_that_are_shown_are_legal(name: str) -> None:
    shown = re.findall(r"```yaml\n(.*?)```", text_of(name), re.DOTALL)
    assert shown
    for one in shown:
        Policy.parse(one)


@pytest.mark.parametrize("name", COMPLIANCE)
def test_every_field_of_a_policy_is_named(name: str) -> None:
    text = text_of(name)
    missing = [field for field in (*Limits.model_fields, *Policy.model_fields) if field not in text]
    assert not missing


@pytest.mark.parametrize("name", CHAINING)
def test_dags_that_are_shown_can_be_loaded(name: str) -> None:
    shown = re.findall(r"```python\n(.*?)```", text_of(name), re.DOTALL)
    assert len(shown) == 4
    for one in shown:
        there: dict[str, object] = {}
        exec(compile(one, name, "exec"), there)


def test_both_languages_show_the_same_dags() -> None:
    english, chinese = (re.findall(r"with DAG\(.*|schedule=.*", text_of(name)) for name in CHAINING)
    assert english == chinese
