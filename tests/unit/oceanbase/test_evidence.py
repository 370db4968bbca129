"""What a report shows of what was asked: redacted, hashed, and only a sample of long answers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.evidence import SAMPLE_ROWS, Recorder
from airflow_ob_provider.oceanbase.statements import Statement


def recorder(*rows: dict[str, Any]) -> Recorder:
    return Recorder(lambda _: rows)


def test_rows_go_through_and_are_remembered() -> None:
    rows = ({"a": 1, "b": None}, {"a": 2.5, "b": True})
    found = recorder(*rows)
    assert list(found(Statement.read("SELECT  a,\n b"))) == list(rows)
    (one,) = found.answers
    assert (one.statement, one.rows, one.sample) == ("SELECT a, b", 2, rows)
    lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    assert one.sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_values_of_every_kind_are_shown_as_text_without_keys() -> None:
    found = recorder({"z": b"oss://b?access_key=CANARY", "y": bytearray(b"\xff"), "x": "备份", "w": 2**70})
    found(Statement.read("SELECT 'oss://b?access_key=CANARY'"))
    (one,) = found.answers
    assert "CANARY" not in repr(found.answers)
    assert (one.sample[0]["y"], one.sample[0]["x"], one.sample[0]["w"]) == ("\ufffd", "备份", 2**70)
    line = json.dumps(one.sample[0], sort_keys=True, ensure_ascii=False) + "\n"
    assert one.sha256 == hashlib.sha256(line.encode()).hexdigest()


def test_sample_is_short_and_the_hash_is_of_all() -> None:
    rows = [{"n": number} for number in range(SAMPLE_ROWS + 1)]
    long, other = recorder(*rows), recorder(*rows[:-1], {"n": -1})
    for found in (long, other):
        found(Statement.read("SELECT n"))
    assert len(long.answers[0].sample) == SAMPLE_ROWS == 20
    assert long.answers[0].sample == other.answers[0].sample
    assert long.answers[0].sha256 != other.answers[0].sha256
    shown = long.to_json()["queries"][0]
    assert (shown["name"], shown["rows"], shown["left_out"]) == ("query 1", 21, 1)
    assert shown["sample"] == rows[:20]


def test_hashes_are_chained_in_order() -> None:
    found = recorder({"a": 1})
    found(Statement.read("SELECT 1"))
    found(Statement.read("SELECT 2"))
    shown = found.to_json()
    text = "\n".join(f"{one.statement}\n{one.sha256}" for one in found.answers)
    assert shown["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert [query["statement"] for query in shown["queries"]] == ["SELECT 1", "SELECT 2"]
    assert json.loads(json.dumps(shown)) == shown
    assert recorder().to_json() == {"queries": [], "sha256": hashlib.sha256(b"").hexdigest()}


def test_failed_query_is_not_remembered() -> None:
    def fail(_: Statement) -> Any:
        raise ServerError(1142, "denied")

    found = Recorder(fail)
    with pytest.raises(ServerError):
        found(Statement.read("SELECT 1"))
    assert found.answers == []
