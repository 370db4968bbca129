"""What was asked and answered, as a report shows it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.evidence import SAMPLE_ROWS, Recorder
from airflow_ob_provider.oceanbase.statements import Statement

ASKED = Statement.read("SELECT a,\n       b  FROM t")


def asked(*rows: dict[str, Any]) -> Recorder:
    recorder = Recorder(lambda statement: rows)
    assert recorder(ASKED) is rows
    return recorder


def sha256(*rows: dict[str, Any]) -> str:
    lines = "".join(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in rows)
    return hashlib.sha256(lines.encode()).hexdigest()


def test_statement_rows_and_hash_are_kept() -> None:
    rows = ({"b": 2, "a": "租户"}, {"a": None, "b": 1.5})
    (query,) = asked(*rows).to_json()["queries"]
    assert query == {
        "name": "1 version",
        "statement": "SELECT a, b FROM t",
        "rows": 2,
        "sha256": sha256(*rows),
        "sample": list(rows),
        "left_out": 0,
    }


def test_a_query_is_called_by_the_first_view_it_asks() -> None:
    recorder = Recorder(lambda statement: [])
    recorder(Statement.read("SELECT 1 AS one"))
    recorder(Statement.read("SELECT * FROM oceanbase.GV$OB_UNITS u JOIN oceanbase.DBA_OB_TENANTS t"))
    assert [query["name"] for query in recorder.to_json()["queries"]] == ["1 version", "2 GV$OB_UNITS"]


def test_rows_are_redacted_before_they_are_hashed() -> None:
    (query,) = asked({"value": "oss://b/d?access_id=Id8G&access_key=Kq7X/+="}).to_json()["queries"]
    shown = {"value": "oss://b/d?access_id=***&access_key=***"}
    assert query["sample"] == [shown]
    assert query["sha256"] == sha256(shown)


def test_the_statement_shown_is_the_redacted_one() -> None:
    recorder = Recorder(lambda statement: [])
    recorder(Statement("SELECT 's3cret'", "SELECT '***'", writes=False))
    assert recorder.answers[0].statement == "SELECT '***'"


def test_a_sample_is_shown_and_the_hash_is_of_all() -> None:
    rows = [{"n": number} for number in range(SAMPLE_ROWS + 5)]
    (query,) = asked(*rows).to_json()["queries"]
    assert query["sample"] == rows[:SAMPLE_ROWS]
    assert (query["rows"], query["left_out"]) == (SAMPLE_ROWS + 5, 5)
    assert query["sha256"] == sha256(*rows)
    assert query["sha256"] != asked(*rows[:-1]).to_json()["queries"][0]["sha256"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, True),
        (0, 0),
        (1.25, 1.25),
        (None, None),
        ("text", "text"),
        (b"\xe7\xa7\x9f\xff", "租\ufffd"),
        (bytearray(b"x"), "x"),
        (Decimal("1.50"), "1.50"),
        (datetime(2026, 3, 1, 12), "2026-03-01 12:00:00"),  # noqa: DTZ001 - drivers give naive ones
    ],
)
def test_any_value_becomes_plain_json(value: object, shown: object) -> None:
    (query,) = asked({"value": value}).to_json()["queries"]
    assert query["sample"] == [{"value": shown}]
    assert json.dumps(query)


def test_the_hash_of_all_depends_on_statements_answers_and_order() -> None:
    def chain(*statements: str, rows: tuple[dict[str, int], ...] = ()) -> str:
        recorder = Recorder(lambda statement: rows)
        for text in statements:
            recorder(Statement.read(text))
        return str(recorder.to_json()["sha256"])

    chains = [chain(), chain("SELECT 1"), chain("SELECT 1", "SELECT 2"), chain("SELECT 2", "SELECT 1"),
              chain("SELECT 1", rows=({"n": 1},))]  # fmt: skip
    assert len(set(chains)) == len(chains)
    assert chain("SELECT 1") == chain("SELECT   1")


def test_a_query_that_failed_is_not_remembered() -> None:
    def fail(statement: Statement) -> Any:
        raise ServerError(4012, "timeout")

    recorder = Recorder(fail)
    with pytest.raises(Exception, match="timeout"):
        recorder(ASKED)
    assert recorder.to_json()["queries"] == []
