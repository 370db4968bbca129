"""All clusters of a run in one table."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.compliance.fleet import fleet_table


def checked(conn_id: str, verdict: str = "OK", **fields: Any) -> dict[str, Any]:
    """What one check hands over."""
    return {
        "connection": conn_id,
        "verdict": verdict,
        "summary": {"en": f"{conn_id} is {verdict}.", "zh": f"{conn_id} 为 {verdict}。"},
        "cluster": {"obVersion": "4.2.5.0", "tenants": 3, "tenants_ok": 2},
        "delay": 12.6,
        "restorable_until": "2026-03-01T12:00:00.123456+08:00",
        "open_gaps": 1,
        "lag_history": {"percent_green": 99.5},
        **fields,
    }


def rows(table: dict[str, Any]) -> list[list[str]]:
    lines = [line for line in table["markdown"].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_a_cluster_is_a_row() -> None:
    table = fleet_table(["a"], [checked("a")], "en")
    assert table["markdown"].startswith("# Log backup: 1 of 1 clusters compliant\n\n| connection ")
    assert rows(table) == [["a", "OK", "4.2.5.0", "2 / 3", "13", "2026-03-01 12:00:00", "1", "99.5 %", "a is OK."]]
    assert {name: table[name] for name in ("verdict", "clusters", "missing")} == {
        "verdict": "OK",
        "clusters": {"a": "OK"},
        "missing": [],
    }


def test_the_worst_come_first_and_equal_ones_by_name() -> None:
    given = {"d": "OK", "c": "UNKNOWN", "f": "OK", "b": "WARN", "e": "FAIL", "a": "WARN"}
    table = fleet_table(list(given), [checked(name, verdict) for name, verdict in given.items()], "en")
    assert [row[0] for row in rows(table)] == ["e", "c", "a", "b", "d", "f"]
    assert table["verdict"] == "FAIL"
    assert list(table["clusters"]) == list(given)
    assert "2 of 6 clusters" in table["markdown"]


def test_a_cluster_without_a_report_is_unknown_and_named() -> None:
    table = fleet_table(["a", "b"], [checked("a")], "en")
    assert rows(table)[0] == ["b", "UNKNOWN", "", "", "", "", "", "", "no report"]
    assert table["verdict"] == "UNKNOWN"
    assert table["missing"] == ["b"]


def test_a_check_of_a_cluster_that_nobody_asked_for_is_no_row() -> None:
    assert len(rows(fleet_table(["a"], [checked("a"), checked("z", "FAIL")], "en"))) == 1


def test_nothing_at_all_is_unknown() -> None:
    table = fleet_table([], [], "en")
    assert table["verdict"] == "UNKNOWN"
    assert table["clusters"] == {}


def test_figures_that_are_not_known_stay_empty() -> None:
    given = checked("a", "UNKNOWN", delay=None, restorable_until=None, lag_history={"percent_green": None})
    assert rows(fleet_table(["a"], [given], "en"))[0][4:8] == ["", "", "1", ""]


def test_no_lag_is_a_figure() -> None:
    assert rows(fleet_table(["a"], [checked("a", delay=0.0)], "en"))[0][4] == "0"


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("en", ["1 of 2 clusters compliant", "| worst lag (s) ", "a is OK.", "no report"]),
        ("zh", ["2 个集群中 1 个符合要求", "| 最大延迟（秒） ", "a 为 OK。", "没有报告"]),
    ],
)
def test_both_languages(language: str, texts: list[str]) -> None:
    markdown = fleet_table(["a", "b"], [checked("a")], language)["markdown"]
    assert [text for text in texts if text not in markdown] == []


def test_text_of_a_server_stays_in_its_cell() -> None:
    hostile = checked("a", summary={"en": "one | two\n| three |\r\nfour", "zh": ""})
    (row,) = rows(fleet_table(["a"], [hostile], "en"))
    assert row[8].split() == ["one", "/", "two", "/", "three", "/", "four"]


def test_a_name_that_looks_like_a_number_stays_as_it_is() -> None:
    assert rows(fleet_table(["007"], [checked("007")], "en"))[0][0] == "007"
