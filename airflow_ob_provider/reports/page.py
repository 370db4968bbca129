"""A compliance report as one page of HTML that needs nothing else: no network, no script, no Airflow."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from airflow_ob_provider.reports import charts
from airflow_ob_provider.reports.cleaning import count, items, part
from airflow_ob_provider.reports.view import Finding, View, ok

_DRAWN = 30
_LISTED = 2000
LIMITS = {"gaps": 5, "stretches": 50, "findings": 8, "more_findings": 200, "kinds": 50, "samples": 30, "waivers": 200,
           "queries": 50, "rows": 20, "columns": 40, "policy": 200}  # fmt: skip


def html(report: Mapping[str, Any], language: str = "en", *, theme_script: str = "") -> str:
    """A compliance report as one self-contained page, bounded in size however many tenants there are.

    :param report: see :func:`~airflow_ob_provider.reports.schema`; a part that is missing is shown as missing. All of
        it is escaped. The page forbids itself to load anything, and to run any script but its own.
    :param language: ``en`` or ``zh``.
    :param theme_script: URL, on the server that shows the page, of a script that sets ``media`` of the element
        ``dark``; without it the page follows the theme of the operating system.
    :raises ValueError: for another language.
    """
    view = View(report, language)
    drawn, rest = view.tenants[:_DRAWN], view.tenants[_DRAWN:]
    script = _script()
    return (
        _environment()
        .get_template("compliance.html.jinja")
        .render(
            view=view,
            t=view.words,
            drawn=drawn,
            rest=rest[:_LISTED],
            rest_ok=ok(rest),
            rest_left=len(rest[_LISTED:]),
            rest_left_ok=ok(rest[_LISTED:]),
            timelines=charts.timelines(view),
            chart=charts.lag_chart(view),
            plot=charts.PLOT_HEIGHT,
            limits=LIMITS,
            findings=[(level, by_rule(found), len(found)) for level, found in view.grouped()],
            rules=_rules(view),
            policy=_policy(view.raw.get("policy")),
            evidence=part(view.raw.get("evidence")),
            queries=[_query(one) for one in items(part(view.raw.get("evidence")).get("queries"))],
            generator=part(view.raw.get("generator")),
            theme_script=theme_script,
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def templates(*packages: str) -> Environment:
    """The templates of a report, and before them those of other packages. Everything in them is escaped."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in (*packages, "airflow_ob_provider.reports")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    return environment


@cache
def _environment() -> Environment:
    return templates()


@cache
def _script() -> str:
    return files("airflow_ob_provider.reports").joinpath("templates/compliance.js").read_text(encoding="utf-8")


def by_rule(found: list[Finding]) -> list[tuple[str, list[list[Finding]]]]:
    """The findings of each rule, those together that ask for the same."""
    rules: dict[str, dict[tuple[str, ...], list[Finding]]] = {}
    for one in found:
        rules.setdefault(one.rule, {}).setdefault((one.expected, one.hint, one.waiver), []).append(one)
    return [(rule, list(alike.values())) for rule, alike in rules.items()]


def _rules(view: View) -> list[tuple[str, str, list[Any]]]:
    """The rules by what became of them: a word for the group, the level, the rules."""
    groups = (("rules_ok", "OK"), ("rules_na", "NOT_APPLICABLE"))
    rest = [rule for rule in view.rules if rule.level not in ("OK", "NOT_APPLICABLE")]
    listed = [(word, level, [rule for rule in view.rules if rule.level == level]) for word, level in groups]
    return [group for group in (*listed, ("rules_other", "", rest)) if group[2]]


def _policy(value: Any) -> list[tuple[str, str]]:
    return [(name, _cell(inner)) for name, inner in list(part(value).items())[: LIMITS["policy"]]]


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    rows = items(query.get("sample"))[: LIMITS["rows"]]
    columns = list(dict.fromkeys(name for row in rows for name in row))[: LIMITS["columns"]]
    return {
        "name": _cell(query.get("name")),
        "statement": _cell(query.get("statement")),
        "rows": count(query.get("rows")),
        "sha256": _cell(query.get("sha256")),
        "columns": columns,
        "sample": [[_cell(row.get(name)) for name in columns] for row in rows],
        "left_out": count(query.get("left_out")) + max(0, len(items(query.get("sample"))) - len(rows)),
    }


def _cell(value: Any) -> str:
    """Any JSON value as text."""
    if isinstance(value, list) and all(isinstance(one, (str, int, float)) for one in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
