"""Versions: every form a server of 2.2.77 to 4.x gives, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.version import OceanBaseVersion

SAMPLES = [
    # @@version_comment
    (
        "OceanBase 2.2.77 (r20210712224820-a153ceb17c858db62c8f35fa4acf61ec7b0a4877) (Built Jul 12 2021 23:21:12)",
        (2, 2, 77, 0),
        "2.2.77",
    ),
    (
        "OceanBase 3.1.4 (r10000092022071511-a09d3134c10665f03fd56d7f8bdd413b2b771977) (Built Jul 15 2022 11:16:22)",
        (3, 1, 4, 0),
        "3.1.4",
    ),
    (
        "OceanBase 3.2.3.0 (r1-1b84d1f5d66d859e33f3a5d4bdd5bb66c00ea97e) (Built Jun 7 2022 12:36:17)",
        (3, 2, 3, 0),
        "3.2.3.0",
    ),
    (
        "OceanBase 3.2.4.3 (r103020012023051810-a562da822afa7979edf77bb00d0b4f8e222dc937) (Built May 18 2023 10:41:35)",
        (3, 2, 4, 3),
        "3.2.4.3",
    ),
    ("OceanBase 3.1.0 (r3-b20901e8c84d3ea774beeaca963c67d7802e4b4e) (Built ...)", (3, 1, 0, 0), "3.1.0"),
    ("OceanBase_CE 4.3.0.1 (r100000242024032211-0193a343bc60b4699ec47792c3fc4ce166a182f9)", (4, 3, 0, 1), "4.3.0.1"),
    ("OceanBase_CE 4.2.1.10 (r110000072024112010) (Built Nov 20 2024)", (4, 2, 1, 10), "4.2.1.10"),
    ("OceanBase CE 4.2.0.0", (4, 2, 0, 0), "4.2.0.0"),
    ("OceanBase 4.2.1.7 (r107000162024060611) (Built Jun  6 2024 11:00:00)", (4, 2, 1, 7), "4.2.1.7"),
    # version()
    ("3.1.2-OceanBase CE", (3, 1, 2, 0), "3.1.2"),
    ("3.1.5-OceanBase CE", (3, 1, 5, 0), "3.1.5"),
    ("3.1.5-OceanBase", (3, 1, 5, 0), "3.1.5"),
    ("5.7.25-OceanBase-v3.2.3.3", (3, 2, 3, 3), "3.2.3.3"),
    ("5.7.25-OceanBase-v3.2.4.3", (3, 2, 4, 3), "3.2.4.3"),
    ("5.7.25-OceanBase_CE-v4.2.0.0", (4, 2, 0, 0), "4.2.0.0"),
    ("5.7.25-OceanBase_CE-v4.3.5.1", (4, 3, 5, 1), "4.3.5.1"),
]


@pytest.mark.parametrize(("answer", "numbers", "text"), SAMPLES)
def test_reads_every_known_form(answer: str, numbers: tuple[int, ...], text: str) -> None:
    version = OceanBaseVersion.parse(answer)
    assert version.numbers == numbers
    assert str(version) == text
    assert version.major == numbers[0]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "5.7.25",  # the handshake of a server called directly
        "5.6.25",  # the handshake of OBProxy
        "3.1.0",  # version() of CE 3.1.0, and of a MySQL that does not exist: not to be told apart
        "8.0.36",
        "8.0.36-0ubuntu0.22.04.1",
        "MySQL Community Server - GPL",
        "mariadb.org binary distribution",
        "TiDB Server (Apache License 2.0) Community Edition, MySQL 8.0 compatible",
        "OceanBase",
        "OceanBase 3",
        "OceanBase 3.1",
        "OceanBase v3.1.5",
        "Not OceanBase 3.1.5",
        "my 3.1.5-OceanBase",
    ],
)
def test_another_server_is_refused_and_named(answer: str) -> None:
    with pytest.raises(ValueError, match="not an OceanBase server") as caught:
        OceanBaseVersion.parse(answer)
    assert repr(answer) in str(caught.value)


@given(st.text().filter(lambda text: "oceanbase" not in text.lower()))
def test_text_without_the_name_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="not an OceanBase server"):
        OceanBaseVersion.parse(text)


@given(st.lists(st.integers(0, 999), min_size=3, max_size=4))
def test_numbers_survive(numbers: list[int]) -> None:
    dotted = ".".join(map(str, numbers))
    for answer in (f"OceanBase {dotted} (r1)", f"5.7.25-OceanBase-v{dotted}", f"{dotted}-OceanBase CE"):
        assert OceanBaseVersion.parse(answer).numbers == (*numbers, 0)[:4]


def test_compares_numbers_not_text() -> None:
    old, new = OceanBaseVersion.parse("OceanBase 2.2.8"), OceanBaseVersion.parse("OceanBase 2.2.77")
    assert old < new
    short, long = OceanBaseVersion.parse("OceanBase 3.1.5"), OceanBaseVersion.parse("OceanBase 3.1.5.0")
    assert short == long
    assert len({short, long}) == 1


@pytest.mark.parametrize(
    ("answer", "numbers", "expected"),
    [
        ("OceanBase 3.1.5", (3, 1, 5), True),
        ("OceanBase 3.1.5", (3, 1, 5, 0), True),
        ("OceanBase 3.1.5", (3, 1, 5, 1), False),
        ("OceanBase 3.1.5", (3, 2), False),
        ("OceanBase 3.2.3.0", (3, 2), True),
        ("OceanBase 4.0.0", (3,), True),
    ],
)
def test_at_least(answer: str, numbers: tuple[int, ...], expected: bool) -> None:
    assert OceanBaseVersion.parse(answer).at_least(*numbers) is expected


@pytest.mark.parametrize(
    ("number", "unusable"),
    [
        ("1.4.79", "older than 2.2.77"),
        ("2.2.60", "older than 2.2.77"),
        ("2.2.76", "older than 2.2.77"),
        ("2.2.77", None),
        ("3.1.0", "4114"),
        ("3.1.0.5", "4114"),
        ("3.1.1", None),
        ("3.1.5", None),
        ("3.2.3.0", None),
        ("3.2.4.3", None),
    ],
)
def test_where_log_archive_cannot_work(number: str, unusable: str | None) -> None:
    found = OceanBaseVersion.parse(f"OceanBase {number}").archive_unusable
    assert found is None if unusable is None else unusable in str(found)


@pytest.mark.parametrize(
    ("number", "expected"), [("2.2.77", False), ("3.1.2", False), ("3.1.3", True), ("3.1.5", True), ("3.2.3.3", True)]
)
def test_force_cancel(number: str, expected: bool) -> None:
    assert OceanBaseVersion.parse(f"OceanBase {number}").has_force_cancel is expected


@pytest.mark.parametrize(
    ("number", "log_mode", "lag_target", "all_user", "forces_stop"),
    [
        ("3.2.4.3", False, False, False, False),
        ("4.0.0.0", False, False, False, False),
        ("4.1.0.0", True, False, False, False),
        ("4.1.0.2", True, False, False, False),
        ("4.2.0.0", True, True, False, False),
        ("4.2.1.0", True, True, True, False),
        ("4.2.2.1", True, True, True, False),
        ("4.2.3.0", True, True, True, True),
        ("4.2.5.1", True, True, True, True),
        ("4.3.0.1", True, True, True, False),
        ("4.3.2.1", True, True, True, False),
        ("4.3.3.0", True, True, True, True),
        ("4.3.5.1", True, True, True, True),
        ("4.4.0.0", True, True, True, True),
    ],
)
def test_what_4_can_do(number: str, log_mode: bool, lag_target: bool, all_user: bool, forces_stop: bool) -> None:
    version = OceanBaseVersion.parse(f"OceanBase {number}")
    assert (version.has_log_mode, version.has_lag_target) == (log_mode, lag_target)
    assert (version.has_all_user, version.forces_stop) == (all_user, forces_stop)


@pytest.mark.parametrize(
    ("number", "community"),
    [("2.2.77", False), ("3.1.0", True), ("3.1.5", True), ("3.2.4.3", False), ("4.2.5.1", False)],
)
def test_community_edition_of_3(number: str, community: bool) -> None:
    assert OceanBaseVersion.parse(f"OceanBase {number}").is_community is community
