"""A report, read for showing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_ob_provider.reports import html, markdown
from airflow_ob_provider.reports.charts import lag_chart, timelines
from airflow_ob_provider.reports.cleaning import cleaned, number
from airflow_ob_provider.reports.language import Language
from airflow_ob_provider.reports.view import View
from tests.unit.reports.samples import Json, at, gap, green, history, mixed, tenant, text, window

WHY = text("why", "why")


def levels(report: Json) -> list[str]:
    return [figure.level for figure in View(report, "en").figures()]


def figure(report: Json, place: int) -> tuple[str, str, str]:
    found = View(report, "en").figures()[place]
    return found.value, found.note, found.level


def with_tenants(*tenants: Json) -> Json:
    return green() | {"tenants": list(tenants)}


@pytest.mark.parametrize(
    ("delay", "level"), [(77.6, "OK"), (300, "WARN"), (899.9, "WARN"), (900, "FAIL"), (None, "UNKNOWN")]
)
def test_worst_lag_is_held_to_the_thresholds_of_its_tenant(delay: float | None, level: str) -> None:
    assert figure(with_tenants(tenant("a", 1, delay=delay)), 0)[2] == level


def test_worst_lag_is_not_ok_while_one_is_unknown() -> None:
    report = with_tenants(tenant("a", 1), tenant("b", 2, delay=None))
    assert figure(report, 0) == ("77.6 s", "a · 1 of 2 tenants: unknown", "UNKNOWN")
    report["tenants"][0]["delay"] = 7261
    assert figure(report, 0) == ("7,261 s", "a · 2 h 1 min · 1 of 2 tenants: unknown", "FAIL")


def test_all_can_be_restored_until_the_earliest_end() -> None:
    report = with_tenants(tenant("a", 1), tenant("b", 2, restorable_until=at(days=2)))
    assert figure(report, 1) == ("2026-11-24 18:15:00", "", "")
    report["tenants"].append(tenant("c", 3, restorable_until=None, verdict="WARN"))
    assert figure(report, 1) == ("2026-11-24 18:15:00", "1 of 3 tenants: no window", "WARN")
    report["tenants"][-1]["verdict"] = "OK"
    assert figure(report, 1)[2] == ""


def test_an_open_gap_is_never_ok() -> None:
    report = with_tenants(tenant("a", 1, gaps=[gap("g", at(days=1), None, "unknown", WHY)]))
    assert figure(report, 2) == ("1", "in 1 of 1 tenants", "WARN")
    report["tenants"][0]["verdict"] = "FAIL"
    assert figure(report, 2)[2] == "FAIL"
    report["tenants"][0]["gaps"][0].pop("open")
    assert figure(report, 2)[0] == "1"


def test_nothing_is_ok_in_a_report_without_tenants() -> None:
    assert levels(with_tenants())[:3] == ["UNKNOWN", "", "UNKNOWN"]


@pytest.mark.parametrize(("percent", "shown"), [(100, "100 %"), (99.96, "99.9 %"), (64.1, "64.1 %"), (None, "unknown")])
def test_per_cent_are_cut(percent: float | None, shown: str) -> None:
    report = green()
    report["lag_history"]["percent_green"] = percent
    assert figure(report, 4)[0] == shown


def test_times_are_shown_in_the_zone_of_the_check_and_cut_to_seconds() -> None:
    view = View(
        green() | {"lag_history": {"checks": 1, "from": "2026-11-26T10:15:00.999Z", "to": "2026-11-26T18:15"}}, "en"
    )
    assert view.zone_name == "UTC+08:00"
    assert "1 check from 2026-11-26 18:15:00 to 2026-11-26 18:15:00" in view.history_facts()
    assert view.clock("soon") == "soon"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00Z"])
def test_times_at_the_ends_of_the_calendar(moment: str) -> None:
    row = tenant("a", 1, windows=[window(moment, moment, 1, 1)], checkpoint=moment)
    for report in (with_tenants(row), with_tenants(row) | {"checked_at": moment}):
        assert "<svg" in html(report)
        assert markdown(report)


@pytest.mark.parametrize(
    ("seconds", "short", "words"),
    [(0, "0 s", ""), (77.6421, "77.6 s", ""), (300, "300 s", "5 min"), (7261, "7,261 s", "2 h 1 min"),
     (86400, "86,400 s", "1 d"), (90060, "90,060 s", "1 d 1 h"), (86460, "86,460 s", "1 d")],
)  # fmt: skip
def test_lag_is_in_seconds_and_a_long_one_in_words_as_well(seconds: float, short: str, words: str) -> None:
    language = Language("en")
    assert (language.seconds(seconds), language.span(seconds)) == (short, words)


def test_texts_fall_back_to_the_other_language() -> None:
    words = Language("zh")
    assert words.pair({"en": "only"}) == "only"
    assert words.pair("bare") == "bare"
    assert words.pair(None) == ""


def test_open_gaps_end_now_and_lie_above_windows() -> None:
    report = with_tenants(
        tenant("a", 1, windows=[window(at(days=10), at(seconds=5), 1, 1)],
               gaps=[gap("g", at(seconds=5), None, "interrupted", WHY)])
    )  # fmt: skip
    view = View(report, "en")
    drawn = timelines(view)
    assert drawn
    assert drawn.now is not None
    bars = drawn.bars(view.tenants[0])
    assert [bar.kind for bar in bars] == ["window", "open"]
    assert bars[1].x + bars[1].width == pytest.approx(drawn.now)
    assert bars[1].title.startswith("Open gap: 2026-11-26 18:14:55 – open; interrupted: why; Ended by: nothing yet")


def test_windows_without_an_end_are_not_drawn() -> None:
    row = tenant("a", 1, windows=[{"from": at(days=1)}], gaps=[{"open": False, "from": at(days=1)}])
    view = View(with_tenants(row), "en")
    drawn = timelines(view)
    assert drawn
    assert drawn.bars(view.tenants[0]) == []
    assert View({}, "en").tenants == []
    assert timelines(View({}, "en")) is None


def test_lag_is_drawn_in_one_line_for_each_stretch_without_a_break() -> None:
    chart = lag_chart(View(mixed(), "en"))
    assert chart
    assert len(chart.paths) == 3
    assert len(chart.pauses) == 1
    assert [limit.level for limit in chart.limits] == ["FAIL", "WARN"]
    assert chart.limits[0].y < chart.limits[1].y


def test_a_single_check_is_a_dot() -> None:
    chart = lag_chart(View(green() | {"lag_history": history([70])}, "en"))
    assert chart
    assert chart.paths == ["M100 93.237h0"]


def test_labels_of_thresholds_that_are_close_keep_apart() -> None:
    row = tenant("a", 1, lag_warn=899, lag_fail=900)
    chart = lag_chart(View(with_tenants(row), "en"))
    assert chart
    assert chart.limits[1].label_y - chart.limits[0].label_y >= 15


def test_many_checks_are_thinned_and_the_worst_is_kept() -> None:
    delays: list[float | None] = [70.0] * 5000
    delays[1234] = 4000.0
    chart = lag_chart(View(green() | {"lag_history": history(delays, timedelta(minutes=1))}, "en"))
    assert chart
    assert len(chart.checks) <= 300
    assert [check.level for check in chart.checks].count("FAIL") == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1.0), (True, None), ("1", None), (float("inf"), None), (float("nan"), None), (10**400, None), (None, None)],
)
def test_numbers(value: Any, expected: float | None) -> None:
    assert number(value) == expected


def test_cleaning() -> None:
    assert cleaned({"password": "x", "secret": None, "a": ("\u202ex\x1b", 1, 2.5, None, True)}) == {
        "password": "***", "secret": None, "a": ["\\u202ex\\x1b", 1, 2.5, None, True]
    }  # fmt: skip
    deep: Any = "end"
    for _ in range(5000):
        deep = [deep]
    assert "end" not in str(cleaned(deep))
    assert len(cleaned("x" * 100_000)) < 5000
    assert cleaned(timedelta(1)) == "1 day, 0:00:00"
