"""The format of a report: the samples keep to it, and what does not is rejected."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest

from airflow_ob_provider import reports
from tests.unit.reports.samples import SAMPLES, Json, green, large, mixed

CHECKER = jsonschema.Draft202012Validator(
    reports.schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


@pytest.mark.parametrize("make", [*SAMPLES.values(), large])
def test_samples_are_valid(make: Callable[[], Json]) -> None:
    assert [error.message for error in CHECKER.iter_errors(make())] == []


def test_schema_is_a_schema_and_describes_every_field() -> None:
    schema = reports.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert [path for path, field in fields(schema) if not field.get("description") and "$ref" not in field] == []


def test_schema_is_a_copy() -> None:
    reports.schema().clear()
    assert reports.schema()["title"]


def fields(schema: Any, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            yield f"{path}/{name}", field
        for name, inner in schema.items():
            yield from fields(inner, f"{path}/{name}")
    elif isinstance(schema, list):
        for place, inner in enumerate(schema):
            yield from fields(inner, f"{path}/{place}")


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from places(inner, (*path, place))


def without(report: Json, path: tuple[str | int, ...]) -> Json:
    broken = copy.deepcopy(report)
    inner: Any = broken
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return broken


def test_every_field_is_required() -> None:
    report = mixed()
    report["findings"] = report["findings"][-1:]  # the one with a waiver
    report["tenants"] = report["tenants"][1:2]
    report["rules"] = report["rules"][:1]
    report["lag_history"]["samples"] = report["lag_history"]["samples"][:1]
    free = {"policy", "levels", "findings_left_out"}
    named = [
        path
        for path in places(report)
        if isinstance(path[-1], str) and not (set(path[:-1]) & {*free, "sample"}) and path[-2:-1] != ("tenants",)
    ]
    # Counts by level are open: a level that nothing has may be left out.
    named = [path for path in named if not (path[0] == "rules" and "tenants" in path[:-1])]
    accepted = [path for path in named if CHECKER.is_valid(without(report, path))]
    # A minor version only adds: what came with one may be missing in a report of an older one.
    assert sorted(accepted, key=str) == [("run",), ("tenants", 0, "rounds")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), "2.0"),
        (("schema_version",), "1"),
        (("verdict",), "GREEN"),
        (("verdict",), None),
        (("checked_at",), "2026-11-26 18:15:00"),
        (("checked_at",), "2026-11-26T18:15:00"),
        (("summary",), "All is well."),
        (("summary", "de"), "Alles gut."),
        (("cluster", "obClusterId"), 1001),
        (("cluster", "scope"), "server"),
        (("levels", "FINE"), 3),
        (("tenants", 0, "delay"), "77 s"),
        (("tenants", 0, "lag_state"), "late"),
        (("tenants", 0, "password"), "x"),
        (("tenants", 0, "windows", 0, "to"), None),
        (("tenants", 2, "gaps", 0, "causes", 0, "kind"), "bad_luck"),
        (("rules", 0, "number"), 0),
        (("findings_left_out", "lag"), -1),
        (("lag_history", "percent_green"), 101),
        (("evidence", "sha256"), "abc"),
        (("evidence", "queries", 0, "left_out"), -1),
        (("more",), {}),
    ],
)
def test_broken_reports_are_rejected(path: tuple[str | int, ...], value: Any) -> None:
    report = green()
    inner: Any = report
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert not CHECKER.is_valid(report)


def test_findings_are_never_ok() -> None:
    report = mixed()
    report["findings"][0]["level"] = "OK"
    assert not CHECKER.is_valid(report)


def test_policy_and_rows_are_free_in_form() -> None:
    report = green()
    report["policy"]["anything"] = {"deep": [1, None, {"x": "y"}]}
    report["evidence"]["queries"][0]["sample"] = [{"any_column": [1]}]
    assert CHECKER.is_valid(report)


def test_reports_need_no_airflow() -> None:
    code = (
        "import sys; from airflow_ob_provider import reports; reports.html({}); "
        "print([name for name in ('airflow', 'pymysql', 'MySQLdb', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
