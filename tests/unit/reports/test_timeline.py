"""Places on the axes of time and of lag."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.reports.timeline import SMALLEST, Axis, Scale, broken, thinned

ZONE = timezone(timedelta(hours=8))
NOW = datetime(2026, 11, 26, 18, 15, tzinfo=ZONE)
MOMENTS = st.datetimes(timezones=st.just(ZONE))


def test_a_moment_lies_where_its_part_of_the_axis_ends() -> None:
    axis = Axis(NOW - timedelta(hours=4), NOW)
    assert [axis.at(NOW - timedelta(hours=hours)) for hours in (4, 3, 0)] == [0, 25, 100]
    assert axis.at(NOW - timedelta(days=1)) == 0
    assert axis.at(NOW + timedelta(days=1)) == 100
    assert axis.at((NOW - timedelta(hours=1)).astimezone(UTC)) == 75


def test_an_axis_without_length_gets_one() -> None:
    axis = Axis(NOW, NOW)
    assert axis.seconds == 3600
    assert axis.at(NOW) == 100, "nothing is shown of what is yet to come"
    early = datetime.min.replace(tzinfo=ZONE)
    assert Axis(early, early).at(early) == 0


def test_around_leaves_room_after_now() -> None:
    axis = Axis.around([NOW - timedelta(days=50), NOW - timedelta(days=3)], NOW)
    assert axis.start == NOW - timedelta(days=50)
    assert axis.end == NOW + timedelta(days=1)
    assert Axis.around([], NOW).end == NOW
    assert Axis.around([datetime.min.replace(tzinfo=UTC) + timedelta(days=9)], datetime.max.replace(tzinfo=UTC)).seconds


def test_seconds_in_a_year_can_be_seen() -> None:
    axis = Axis(NOW - timedelta(days=365), NOW)
    middle = NOW - timedelta(days=182, hours=12)
    assert axis.span(middle, middle + timedelta(seconds=9)) == (50 - SMALLEST / 2, SMALLEST)
    assert axis.span(NOW, NOW) == (100 - SMALLEST, SMALLEST)
    assert axis.span(axis.start, axis.start) == (0, SMALLEST)


def test_a_stretch_that_has_not_ended_is_widened_to_the_left() -> None:
    axis = Axis(NOW - timedelta(days=100), NOW + timedelta(days=100))
    assert axis.span(NOW - timedelta(hours=1), NOW, 1.5, ends=True) == (48.5, 1.5)


def test_a_stretch_that_ends_before_it_begins_is_a_moment() -> None:
    axis = Axis(NOW - timedelta(days=2), NOW)
    assert axis.span(NOW - timedelta(days=1), NOW - timedelta(days=2)) == (50 - SMALLEST / 2, SMALLEST)


@pytest.mark.parametrize(
    ("length", "labels"),
    [
        (timedelta(seconds=20), ["18:14:40", "18:14:45", "18:14:50", "18:14:55", "18:15:00"]),
        (timedelta(hours=6), ["13:00", "14:00", "15:00", "16:00", "17:00", "18:00"]),
        (timedelta(hours=20), ["11-26", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00"]),
        (timedelta(days=6), ["11-21", "11-22", "11-23", "11-24", "11-25", "11-26"]),
        (timedelta(days=150), ["2026-07", "2026-08", "2026-09", "2026-10", "2026-11"]),
        (timedelta(days=365), ["2026-01", "2026-03", "2026-05", "2026-07", "2026-09", "2026-11"]),
        (timedelta(days=3650), ["2018", "2020", "2022", "2024", "2026"]),
    ],
)
def test_ticks_are_round_in_the_zone_of_the_report(length: timedelta, labels: list[str]) -> None:
    assert [tick.label for tick in Axis(NOW - length, NOW).ticks()] == labels


def test_ticks_stop_where_the_calendar_does() -> None:
    end = datetime.max.replace(tzinfo=ZONE)
    assert [tick.label for tick in Axis(end - timedelta(hours=3), end).ticks()] == [
        "21:00", "21:30", "22:00", "22:30", "23:00", "23:30"
    ]  # fmt: skip


def test_every_other_tick_can_be_left_out_and_labels_stay_inside() -> None:
    ticks = Axis(datetime(2026, 11, 1, tzinfo=ZONE), datetime(2026, 11, 8, tzinfo=ZONE)).ticks()
    assert [tick.minor for tick in ticks] == [False, True] * 4
    assert [tick.anchor for tick in ticks] == ["start", *["middle"] * 6, "end"]


@given(MOMENTS, MOMENTS, st.lists(MOMENTS, max_size=4))
def test_nothing_leaves_the_axis(start: datetime, end: datetime, moments: list[datetime]) -> None:
    axis = Axis.around([start, *moments], end)
    for moment in (start, end, *moments):
        assert 0 <= axis.at(moment) <= 100
        x, width = axis.span(moment, end)
        assert x >= 0
        assert width >= SMALLEST - 0.001
        assert x + width <= 100.001
    ticks = axis.ticks()
    assert len(ticks) <= 8
    assert [tick.x for tick in ticks] == sorted(tick.x for tick in ticks)
    assert all(math.isfinite(tick.x) for tick in ticks)


def test_scale_is_linear_while_the_threshold_can_be_seen() -> None:
    scale = Scale.over([60, 120], 900)
    assert not scale.logarithmic
    assert scale.at(0) == 100
    assert scale.at(scale.top) == 0
    assert scale.marks() == [300, 600, 900]


def test_scale_is_logarithmic_for_a_lag_many_times_the_threshold() -> None:
    scale = Scale.over([60, 183600], 900)
    assert scale.logarithmic
    assert 30 < scale.at(900) < 60
    assert scale.marks() == [10, 60, 600, 3600, 86400]


@given(st.lists(st.floats(-1e18, 1e18), max_size=5), st.none() | st.floats(0, 1e18))
def test_no_lag_leaves_the_scale(delays: list[float], threshold: float | None) -> None:
    scale = Scale.over(delays, threshold)
    assert all(0 <= scale.at(delay) <= 100 for delay in delays)
    assert len(scale.marks()) <= 7


def test_checks_that_were_left_out() -> None:
    hours = [NOW + timedelta(hours=hour) for hour in (0, 1, 2, 7, 8, 9)]
    assert broken(hours) == [3]
    assert broken(hours[:2]) == []
    assert broken([NOW] * 5) == []


def test_the_worst_of_many_are_drawn() -> None:
    values = [1.0] * 1000
    values[417] = 9.0
    kept = thinned(values, 50)
    assert len(kept) <= 50
    assert 417 in kept
    assert kept[-1] == 999
    assert thinned([3.0, 1.0], 50) == [0, 1]
