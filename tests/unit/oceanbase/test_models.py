"""States, rows and settings: what a server's word means, and what is shown of a model."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.models import (
    ArchiveState,
    FileStatus,
    Finding,
    Identity,
    Level,
    PieceStatus,
    Scope,
    Setting,
    Tenant,
    to_json,
)
from airflow_ob_provider.oceanbase.statements import Statement
from tests.unit.oceanbase.builders import BANK, NOW, SHOP, SYS, pieces, row, snapshot

WORDS = {
    ArchiveState: {
        "STOP",
        "PREPARE",
        "BEGINNING",
        "DOING",
        "SUSPENDING",
        "SUSPEND",
        "STOPPING",
        "INTERRUPTED",
    },
    PieceStatus: {"ACTIVE", "FREEZING", "FROZEN", "INACTIVE"},
    FileStatus: {"AVAILABLE", "COPYING", "INCOMPLETE", "DELETING", "EXPIRED", "BROKEN", "DELETED"},
}
CASES = [(kind, word) for kind, words in WORDS.items() for word in sorted(words)]


@pytest.mark.parametrize(("kind", "word"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_words_of_the_manuals(kind: type[ArchiveState], word: str) -> None:
    for spelling in (word, word.lower(), f" {word} "):
        assert kind.parse(spelling) == word
        assert kind.parse(spelling) is not kind.UNKNOWN


@pytest.mark.parametrize("kind", list(WORDS))
@given(word=st.text() | st.none() | st.integers() | st.binary() | st.sampled_from(["MIXED", "PAUSED", "INVALID"]))
def test_any_other_word_is_unknown(kind: type[ArchiveState], word: object) -> None:
    known = WORDS[kind] | {"INCOMPELTE"}
    assert (kind.parse(word) is kind.UNKNOWN) == (str(word).strip().upper() not in known)


@pytest.mark.parametrize("kind", list(WORDS))
@pytest.mark.parametrize(
    "word", ["", "UNKNOWN", "NULL", None, "DOING?", "DOING STOP", b"DOING", "MIXED", "PAUSED", "3"]
)
def test_words_that_are_unknown(kind: type[ArchiveState], word: object) -> None:
    assert kind.parse(word) is kind.UNKNOWN


def test_the_manuals_misspelling() -> None:
    assert FileStatus.parse("INCOMPELTE") is FileStatus.INCOMPLETE
    assert FileStatus.parse("incompelte") is FileStatus.INCOMPLETE


@pytest.mark.parametrize("state", list(ArchiveState))
def test_running(state: ArchiveState) -> None:
    assert state.is_running is (state in {"PREPARE", "BEGINNING", "DOING"})


# --- snapshots --------------------------------------------------------------------------------------------------------


def test_the_sys_row_governs_a_cluster() -> None:
    rows = (row(SYS, round_id=4), row(SHOP, round_id=5), row(BANK))
    cluster = snapshot(*rows)
    assert cluster.governing == rows[:1]
    assert cluster.round_id == 4
    assert cluster.select(()) == rows[1:]
    assert cluster.select(["bank"]) == rows[2:]
    assert cluster.select(["sys"]) == ()


def test_every_row_governs_its_tenant() -> None:
    rows = (row(SHOP, round_id=5), row(BANK, round_id=7))
    tenants = snapshot(*rows, scope=Scope.TENANT)
    assert tenants.governing == rows
    assert tenants.round_id == 7


def test_no_row_governs() -> None:
    assert snapshot(row(SHOP)).governing == ()
    assert snapshot(row(SHOP)).round_id == 0
    assert snapshot().round_id == 0


def test_tenants_without_a_row_and_names_without_a_tenant() -> None:
    found = snapshot(row(SYS), row(SHOP), tenants=(SHOP, BANK))
    assert found.without_row(()) == (BANK,)
    assert found.without_row(["bank"]) == (BANK,)
    assert found.without_row(["shop"]) == ()
    assert found.unknown_names(["shop", "bank", "sys", "Shop"]) == ("sys", "Shop")
    assert found.unknown_names([]) == ()


def test_a_tenant_of_an_old_name_is_told_by_its_number() -> None:
    renamed = snapshot(row(SYS), row(Tenant(1001, "old")), tenants=(Tenant(1001, "new"),))
    assert renamed.without_row(()) == ()


@pytest.mark.parametrize(
    ("count", "first", "newest", "missing"), [(1, 0, 0, 0), (3, 1, 3, 0), (2, 1, 3, 1), (2, 5, 6, 0), (1, 2, 2, 0)]
)
def test_pieces_left_out(count: int, first: int, newest: int, missing: int) -> None:
    assert pieces(count=count, first_id=first, newest_id=newest).missing == missing


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "agreed"),
    [
        ((), None),
        ((("a", "x"),), "x"),
        ((("a", "x"), ("b", "x")), "x"),
        ((("a", "x"), ("b", "y")), None),
        ((("a", ""), ("b", "y")), None),
        ((("a", ""), ("b", "")), ""),
        ((("a", "x"), ("b", "X")), None),
    ],
)
def test_a_setting_all_servers_agree_on(values: tuple[tuple[str, str], ...], agreed: str | None) -> None:
    setting = Setting("backup_dest", values)
    assert setting.agreed == agreed
    assert setting.places == tuple(place for place, _ in values)


# --- identity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grants", "may"),
    [
        ((), False),
        (("GRANT ALL PRIVILEGES ON *.* TO 'root' WITH GRANT OPTION",), True),
        (("GRANT ALTER SYSTEM ON *.* TO 'monitor'",), True),
        (("GRANT SELECT, ALTER SYSTEM, PROCESS ON *.* TO 'monitor'",), True),
        (("grant alter system on *.* to 'monitor'",), True),
        (("GRANT ALTER SYSTEM ON `*`.`*` TO 'monitor'",), True),
        (("GRANT USAGE ON *.* TO 'monitor'", "GRANT SELECT ON `oceanbase`.* TO 'monitor'"), False),
        (("GRANT ALL PRIVILEGES ON `oceanbase`.* TO 'monitor'",), False),
        (("GRANT SELECT ON *.* TO 'ALTER SYSTEM'",), False),
        (("GRANT ALTER, CREATE ON *.* TO 'monitor'",), False),
        (("nonsense",), False),
        (("",), False),
    ],
)
def test_alter_system(grants: tuple[str, ...], may: bool) -> None:
    assert Identity("3.1.5", "c", "1", "sys", "root@%", grants).may_alter is may


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_models_as_json() -> None:
    shown = to_json(
        {
            "finding": Finding("version", Level.OK, "3.1.5", "3.x"),
            "rows": [row(SHOP, checkpoint=None)],
            "when": (NOW, NOW + timedelta(microseconds=1)),
            7: True,
        }
    )
    assert json.loads(json.dumps(shown)) == {
        "finding": {"check": "version", "level": "OK", "observed": "3.1.5", "expected": "3.x", "hint": ""},
        "rows": [
            {
                "tenant": {"tenant_id": 1001, "name": "shop"},
                "state": "DOING",
                "status": "DOING",
                "round_id": 3,
                "piece_id": 0,
                "started": "2024-04-13 16:00:00.000000+08:00",
                "checkpoint": None,
            }
        ],
        "when": ["2024-04-13 17:00:00.000000+08:00", "2024-04-13 17:00:00.000001+08:00"],
        "7": True,
    }
    assert type(shown["finding"]["level"]) is str


def test_json_holds_no_field_that_may_be_secret() -> None:
    secretive = [
        Setting("backup_dest", (("server", "oss://b?access_key=hunter2"),)),
        Destination.parse("oss://b?host=h&access_key=hunter2"),
        Statement.write("ALTER SYSTEM SET backup_dest = 'oss://b?access_key=hunter2'"),
    ]
    assert "hunter2" not in json.dumps(to_json(secretive))
    assert "hunter2" not in repr(secretive)
    assert to_json(secretive[0]) == {"name": "backup_dest"}


def test_a_class_is_no_model() -> None:
    assert to_json(Finding) is Finding
