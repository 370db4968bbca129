"""States, rows and settings: what a server's word means, and what is shown of a model."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.models import (
    MAX_AHEAD_SECONDS,
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
from tests.unit.oceanbase.builders import BANK, NOW, SHOP, SYS, by_tenant, piece_snapshot, pieces, row, snapshot

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


def test_a_row_tells_its_state_and_what_the_server_remarks() -> None:
    assert str(row(SHOP)) == "shop DOING (round 3)"
    assert str(row(SHOP, "UNKNOWN", status="MIXED")) == "shop MIXED (round 3)"
    assert str(row(SHOP, "INTERRUPTED", remark="log was recycled")) == "shop INTERRUPTED (round 3; log was recycled)"


@pytest.mark.parametrize(
    "change", [{"state": "STOP"}, {"round_id": 4}, {"archivelog": True}, {"archivelog": False}, {"deferred": True}]
)
def test_a_phase_is_what_a_statement_moves(change: dict[str, Any]) -> None:
    assert row(SHOP, **change).phase != row(SHOP).phase


def test_time_passing_is_no_other_phase() -> None:
    later = row(SHOP, checkpoint=NOW, started=NOW, timestamp=NOW, remark="slow", blocked="x", idle=True)
    assert later.phase == row(SHOP).phase


def test_a_tenant_of_another_status_is_the_same_tenant() -> None:
    assert Tenant(1001, "shop", "DROPPING") == SHOP
    assert Tenant(1001, "shop").status == "NORMAL"


def test_some_tenants_of_a_snapshot() -> None:
    rows = (row(SHOP, round_id=5), row(BANK, round_id=7))
    gone = Tenant(1003, "gone", "RESTORE")
    whole = by_tenant(*rows, out_of_scope=(gone,))
    assert whole.of([]) is whole
    one = whole.of(["bank", "nobody"])
    assert (one.rows, one.tenants, one.out_of_scope) == (rows[1:], (BANK,), (gone, SHOP))
    assert one.rounds == {"bank": 7}
    assert one.of(["bank"]) == one
    assert whole.of(["nobody"]).rows == ()


def test_a_cluster_is_not_divided() -> None:
    whole = snapshot(row(SYS), row(SHOP), row(BANK))
    assert whole.of(["shop"]) is whole


def test_rounds_by_what_they_govern() -> None:
    assert snapshot(row(SYS, round_id=4), row(SHOP, round_id=3)).rounds == {"cluster": 4}
    assert snapshot().rounds == {"cluster": 0}
    assert by_tenant(row(SHOP, round_id=5), row(BANK, round_id=0)).rounds == {"shop": 5, "bank": 0}
    assert by_tenant().rounds == {}


@pytest.mark.parametrize(
    ("timestamps", "until"),
    [
        ((), 0.0),
        ((None, None), 0.0),
        ((-5.0, None), 0.0),
        ((2.0, None), 2.0),
        ((2.0, 7.5), 7.5),
        ((MAX_AHEAD_SECONDS, 1.0), MAX_AHEAD_SECONDS),
        ((MAX_AHEAD_SECONDS + 0.001, 1.0), 1.0),
        ((28_800.0, None), 0.0),
    ],
)
def test_the_moment_that_everything_written_lies_before(timestamps: tuple[float | None, ...], until: float) -> None:
    rows = [
        row(tenant, timestamp=None if ahead is None else NOW + timedelta(seconds=ahead))
        for tenant, ahead in zip((SHOP, BANK), timestamps, strict=False)
    ]
    assert by_tenant(*rows).written_until == NOW + timedelta(seconds=until)


def test_some_tenants_of_pieces() -> None:
    rows = (pieces(SHOP, round_id=5), pieces(BANK, round_id=7))
    whole = piece_snapshot(*rows, scope=Scope.TENANT)
    assert whole.of([]) is whole
    assert whole.rounds == {"shop": 5, "bank": 7}
    one = whole.of(["bank", "nobody"])
    assert (one.rows, one.tenants, one.rounds) == (rows[1:], (BANK,), {"bank": 7})
    cluster = piece_snapshot(pieces(SYS), pieces(SHOP), round_id=4)
    assert cluster.of(["shop"]) is cluster
    assert cluster.rounds == {"cluster": 4}


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
        "finding": {
            "check": "version",
            "level": "OK",
            "observed": "3.1.5",
            "expected": "3.x",
            "hint": "",
            "tenants": [],
        },
        "rows": [
            {
                "tenant": {"tenant_id": 1001, "name": "shop", "status": "NORMAL"},
                "state": "DOING",
                "status": "DOING",
                "round_id": 3,
                "piece_id": 0,
                "started": "2024-04-13 16:00:00.000000+08:00",
                "checkpoint": None,
                "archivelog": None,
                "deferred": False,
                "blocked": "",
                "idle": False,
                "remark": "",
                "timestamp": None,
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
