"""Arguments of tasks, as Python, rendered templates and forms hand them over."""

from __future__ import annotations

import pytest

from airflow_ob_provider.arguments import check_flag, check_number, check_round, check_rounds


@pytest.mark.parametrize("value", [True, "True", "true", " TRUE ", 1, "1"])
def test_yes(value: object) -> None:
    assert check_flag(value, "wait") is True


@pytest.mark.parametrize("value", [False, "False", "false", " FALSE ", 0, "0"])
def test_no(value: object) -> None:
    assert check_flag(value, "wait") is False


@pytest.mark.parametrize("value", [None, "", "None", "yes", "no", 2, 1.0, [], "{{ params.wait }}"])
def test_neither(value: object) -> None:
    with pytest.raises(ValueError, match=r"^wait must be true or false, not ") as caught:
        check_flag(value, "wait")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(("value", "number"), [(1, 1.0), (60, 60.0), ("2.5", 2.5), (" 3 ", 3.0), ("1e1", 10.0)])
def test_numbers(value: object, number: float) -> None:
    found = check_number(value, "timeout", 1, 60)
    assert found == number
    assert isinstance(found, float)


@pytest.mark.parametrize("value", [0.9, 60.1, "0", "61", "", "soon", None, True, "nan", "inf", float("nan"), [5]])
def test_no_numbers(value: object) -> None:
    with pytest.raises(ValueError, match=r"^timeout must be a number of seconds from 1 to 60, not "):
        check_number(value, "timeout", 1, 60)


@pytest.mark.parametrize("value", [None, "", " ", "None"])
def test_no_round_given(value: object) -> None:
    assert check_round(value, "round_id") is None


@pytest.mark.parametrize(("value", "number"), [(0, 0), (7, 7), ("12", 12), (" 3 ", 3)])
def test_rounds(value: object, number: int) -> None:
    assert check_round(value, "round_id") == number


@pytest.mark.parametrize("value", [-1, "-1", 1.5, "1.0", True, False, "one", "²", "٣", [1], "1 2", "9" * 5000])
def test_no_rounds(value: object) -> None:
    with pytest.raises(ValueError, match=r"^round_id must be a whole number from 0 on, not ") as caught:
        check_round(value, "round_id")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("value", "lowest", "by_tenant"),
    [
        (None, 0, {}),
        ("", 0, {}),
        ("None", 0, {}),
        (0, 0, {}),
        ("7", 7, {}),
        ({}, 0, {}),
        ({"shop": 7, "bank": "2"}, 0, {"shop": 7, "bank": 2}),
        ({"cluster": 3}, 0, {"cluster": 3}),
        ({"shop": None, "bank": ""}, 0, {"shop": 0, "bank": 0}),
    ],
)
def test_one_round_for_all_or_one_a_tenant(value: object, lowest: int, by_tenant: dict[str, int]) -> None:
    assert check_rounds(value, "min_round") == (lowest, by_tenant)


@pytest.mark.parametrize("value", [-1, "one", [1], "{'shop': 1}", True])
def test_neither_a_round_nor_rounds(value: object) -> None:
    with pytest.raises(ValueError, match=r"^min_round must be a whole number from 0 on, not "):
        check_rounds(value, "min_round")


@pytest.mark.parametrize("number", [-1, "one", {"a": 1}, True, 1.5])
def test_the_tenant_of_a_round_that_is_none_is_named(number: object) -> None:
    with pytest.raises(ValueError, match=r"^min_round\[bank\] must be a whole number from 0 on, not "):
        check_rounds({"shop": 1, "bank": number}, "min_round")
