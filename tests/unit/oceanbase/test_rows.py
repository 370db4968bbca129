"""Values of rows: every form a driver hands over, and nothing doubtful becomes a good value."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.rows import UnreadableError, moment, scn, text, whole, zone_of
from tests.unit.oceanbase.builders import CST


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), ("7", 7), (b"7", 7), (Decimal("7"), 7), (-1, -1), (0, 0), (None, 0), ("", 0), (b"", 0), (" 7 ", 7)],
)
def test_whole_numbers(value: object, number: int) -> None:
    found = whole({"n": value}, "n")
    assert found == number
    assert isinstance(found, int)


@pytest.mark.parametrize(
    "value", ["seven", "7.5", 7.5, Decimal("7.5"), "0x7", b"x", [7], object(), float("inf"), float("nan"), "NULL"]
)
def test_what_is_no_whole_number(value: object) -> None:
    with pytest.raises(UnreadableError, match=r"n is .*, not a whole number"):
        whole({"n": value}, "n")


def test_a_column_that_is_not_there_is_not_zero() -> None:
    with pytest.raises(UnreadableError, match="n was not returned"):
        whole({"m": 1}, "n")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), (b"a", "a"), (bytearray(b"a"), "a"), ("数".encode(), "数"), (None, ""), ("", ""), (7, "7")],
)
def test_texts(value: object, expected: str) -> None:
    assert text({"t": value}, "t") == expected


def test_a_text_in_another_encoding_is_shown_not_raised() -> None:
    assert text({"t": b"\xff"}, "t") == "\ufffd"


@pytest.mark.parametrize("value", ["", None, "MAX", b"", b"MAX", "NULL", "  "])
def test_times_that_are_not_set(value: object) -> None:
    assert moment({"t": value}, "t", CST) is None


@pytest.mark.parametrize(
    "value",
    [
        "2021-07-22 15:18:06.135913",
        b"2021-07-22 15:18:06.135913",
        " 2021-07-22 15:18:06.135913 ",
        datetime(2021, 7, 22, 15, 18, 6, 135913),  # noqa: DTZ001 - as drivers hand it over
    ],
)
def test_times(value: object) -> None:
    found = moment({"t": value}, "t", CST)
    assert found == datetime(2021, 7, 22, 15, 18, 6, 135913, tzinfo=CST)
    assert found is not None
    assert found.utcoffset() == timedelta(hours=8)


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001 - naive is what it takes
    st.integers(-14 * 60, 14 * 60),
)
def test_any_time_is_read_back(when: datetime, offset: int) -> None:
    zone = timezone(timedelta(minutes=offset))
    shown = when.strftime("%Y-%m-%d %H:%M:%S.%f")
    assert moment({"t": shown}, "t", zone) == when.replace(tzinfo=zone)


@pytest.mark.parametrize(
    "value",
    [
        "0000-00-00 00:00:00.000000",
        "9223372036854775807",
        "294247-01-10 04:00:54.775807",
        "2021-02-30 00:00:00",
        "2021-07-22",
        "20210722",
        "2021-07-22 15:18:06+00:00",
        "2021-07-22T15:18:06Z",
        "max",
        "yesterday",
        "15:18:06",
        datetime(2021, 7, 22, 15, 18, 6, tzinfo=CST),  # no driver does that; which zone would be meant?
        0,
        1626938286135913,
    ],
)
def test_what_is_no_time_raises(value: object) -> None:
    with pytest.raises(UnreadableError, match=r"t is .*, not a time"):
        moment({"t": value}, "t", CST)


# --- system change numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [1699425347000135913, "1699425347000135913", b"1699425347000135913", Decimal(1699425347000135913)]
)
def test_system_change_numbers(value: object) -> None:
    found = scn({"s": value}, "s", CST)
    assert found == datetime(2023, 11, 8, 14, 35, 47, 135, tzinfo=CST)
    assert found is not None
    assert found.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize("value", [0, "0", None, ""])
def test_system_change_numbers_that_are_not_set(value: object) -> None:
    assert scn({"s": value}, "s", CST) is None


@given(st.integers(1, 2**62), st.integers(0, 999), st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_never_claimed_too_early_nor_too_late(microseconds: int, rest: int, offset: int) -> None:
    """Rounded down to microseconds, whatever the zone."""
    microseconds %= 8 * 10**15
    number = microseconds * 1000 + rest
    found = scn({"s": number}, "s", timezone(timedelta(minutes=offset)))
    if not number:
        assert found is None
        return
    assert found is not None
    assert (found - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1) == microseconds  # noqa: UP017


@pytest.mark.parametrize("value", [2**63 * 1000, 10**30, -(10**30)])
def test_a_system_change_number_that_is_no_time(value: int) -> None:
    with pytest.raises(UnreadableError, match=f"s is {value}, not a system change number"):
        scn({"s": value}, "s", CST)


@pytest.mark.parametrize("value", ["MAX", "2021-07-22 15:18:06", 1.5])
def test_what_is_no_system_change_number(value: object) -> None:
    with pytest.raises(UnreadableError, match="not a whole number"):
        scn({"s": value}, "s", CST)


# --- the server's offset ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "offset"),
    [
        (0, timedelta()),
        (28800, timedelta(hours=8)),
        (28799, timedelta(hours=8)),
        (28801, timedelta(hours=8)),
        ("28800", timedelta(hours=8)),
        (-18000, -timedelta(hours=5)),
        (20700, timedelta(hours=5, minutes=45)),
        (50400, timedelta(hours=14)),
    ],
)
def test_the_servers_offset(seconds: object, offset: timedelta) -> None:
    assert zone_of({"utc_offset": seconds}).utcoffset(None) == offset


@pytest.mark.parametrize("seconds", [86400, -86400, 86399, 10**9])
def test_an_offset_of_a_day_is_not_believed(seconds: int) -> None:
    with pytest.raises(UnreadableError, match="minutes off UTC"):
        zone_of({"utc_offset": seconds})


@pytest.mark.parametrize("value", [None, ""])
def test_an_offset_that_is_not_told_is_not_utc(value: object) -> None:
    with pytest.raises(UnreadableError, match="utc_offset"):
        zone_of({"utc_offset": value})
