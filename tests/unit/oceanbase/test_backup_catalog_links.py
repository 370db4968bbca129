"""4.x: pieces of one length are whole at one look; others are compared with their neighbours, in one statement more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, Part
from airflow_ob_provider.oceanbase.dialects import detect_version, dialect_for, v4_backups
from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.engine import Table
from tests.kernel.twin import Rows, Twin
from tests.unit.oceanbase.catalog_box import V4, cluster, day, healthy, read

PIECES = "CDB_OB_ARCHIVELOG_PIECE_FILES"
LINKS = "SELECT tenant_id, round_id, MAX(shift)"
EVERY = pytest.mark.parametrize("profile", V4)


def uneven(box: Sandbox, *, tenant: str | None = None) -> None:
    """Piece 4 ends an hour early, where piece 5 begins."""
    healthy(box)
    box.history.piece(4, tenant=tenant, end=day(13, 11))
    box.history.piece(5, tenant=tenant, start=day(13, 11))


def is_whole(catalog: BackupCatalog) -> list[bool]:
    """Of each tenant, by the aggregates alone."""
    return [
        record.suspects == () and record.recovery is not None and record.recovery.gaps == ()
        for record in catalog.tenants
    ]


@EVERY
def test_even_pieces_are_not_compared(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        found = read(box)
    assert is_whole(found.catalog) == [True, True]
    assert len(found.statements) == 5
    assert not any(" OVER " in sql for sql in found.statements)


@EVERY
@pytest.mark.parametrize("named", [200, 2])
def test_uneven_pieces_of_any_number_of_tenants_cost_one_statement(
    profile: str, named: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v4_backups, "_MAX_NAMED", named)
    with cluster(profile, tenants=25) as box:
        uneven(box)
        found = read(box)
    assert is_whole(found.catalog) == [True] * 25
    (links,) = [sql for sql in found.statements if sql.startswith(LINKS)]
    assert ("WHERE" in links) is (named == 200)
    assert len(found.statements) == 6


@EVERY
def test_a_user_tenants_own_pieces(profile: str) -> None:
    with cluster(profile) as box:
        uneven(box)
        found = read(box, tenant="tenant1")
    assert is_whole(found.catalog) == [True]
    assert sum(sql.startswith(LINKS) for sql in found.statements) == 1


def test_only_the_tenant_with_a_hole_is_looked_at() -> None:
    with cluster("4.2.5", tenants=25) as box:
        uneven(box)
        box.history.piece(7, tenant="tenant9", removed=True)
        found = read(box)
    assert is_whole(found.catalog).count(False) == 1
    assert found["tenant9"].suspects == (1,)


@pytest.mark.parametrize(
    ("piece_id", "change"),
    [
        (5, {"start": day(13, 13)}),
        (5, {"start": day(13, 11)}),
        (5, {"start": day(14, 1), "end": day(15, 1)}),
        (6, {"removed": True}),
    ],
    ids=["a hole", "an overlap", "a hole and an overlap of one size", "the one in the middle is missing"],
)
def test_one_piece_that_is_not_where_it_must_be(piece_id: int, change: dict[str, Any]) -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        box.history.piece(piece_id, tenant="tenant1", **change)
        found = read(box)
    assert (found["tenant1"].suspects, found["tenant2"].suspects) == ((1,), ())


def test_numbers_too_large_for_the_product_are_compared() -> None:
    with cluster("4.2.5") as box:
        box.history.clear()
        box.history.round(1, day(10), first_piece_id=9_996)
        found = read(box)
    assert all(record.suspects == () and len(record.rounds[0].stretches) == 1 for record in found.catalog.tenants)
    assert sum(sql.startswith(LINKS) for sql in found.statements) == 1


# --- rows that no history makes -------------------------------------------------------------------------------------


def with_rows(box: Sandbox, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> BackupCatalog:
    """The catalog where the view of pieces has changed rows."""

    def rows(table: Table) -> Rows:
        found = [list(row) for row in table.rows()]
        if table.name != PIECES:
            return found
        names = [column.name for column in table.columns]
        changed = change([dict(zip(names, row, strict=True)) for row in found])
        return [[row[name] for name in names] for row in changed]

    twin = Twin(box, None, rows=rows)
    return dialect_for(detect_version(twin), twin).backup_catalog()


def test_a_piece_that_is_there_twice_does_not_make_up_for_one_that_is_missing() -> None:
    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        fourth = next(row for row in rows if row["TENANT_ID"] == 1002 and row["PIECE_ID"] == 4)
        return [fourth if row["TENANT_ID"] == 1002 and row["PIECE_ID"] == 5 else row for row in rows]

    with cluster("4.2.5") as box:
        healthy(box)
        first, second = with_rows(box, change).tenants
    assert (first.suspects, second.suspects) == ((1,), ())


def test_pieces_of_two_destinations_are_compared() -> None:
    """Their numbers 1, 5 and 6 twice, and 2, 3 and 7 not at all: so many, and of the same sum, as without a hole."""

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        mine = {row["PIECE_ID"]: row for row in rows if row["TENANT_ID"] == 1002}
        twice = {2: mine[1], 3: mine[5], 7: mine[6]}
        moved = {number: {**row, "DEST_ID": 2002} for number, row in twice.items()}
        return [moved.get(row["PIECE_ID"], row) if row["TENANT_ID"] == 1002 else row for row in rows]

    with cluster("4.2.5") as box:
        healthy(box)
        first, second = with_rows(box, change).tenants
    assert (first.suspects, second.suspects) == ((1,), ())


@pytest.mark.parametrize("value", [0, None, 2**62 - 1])
@pytest.mark.parametrize("name", ["START_SCN", "END_SCN"])
def test_bounds_that_are_not_set(name: str, value: int | None) -> None:
    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, name: value} if row["TENANT_ID"] == 1002 and row["PIECE_ID"] == 5 else row for row in rows]

    with cluster("4.2.5") as box:
        healthy(box)
        first, second = with_rows(box, change).tenants
    assert (first.suspects, second.suspects) == ((1,), ())


# --- answers that say nothing ---------------------------------------------------------------------------------------


def with_links(box: Sandbox, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> BackupCatalog:
    """The catalog where the comparison is answered otherwise."""
    twin = Twin(box, None)

    def query(statement: Statement) -> list[dict[str, Any]]:
        rows = [dict(row) for row in twin(statement)]
        return change(rows) if statement.text.startswith(LINKS) else rows

    return dialect_for(detect_version(query), query).backup_catalog()


@pytest.mark.parametrize(
    "change",
    [
        lambda _: [],
        lambda rows: [{**row, "tenant_id": "who"} for row in rows],
        lambda rows: [{**row, "jumps": None, "breaks": None} for row in rows],
        lambda rows: [{"tenant_id": row["tenant_id"], "round_id": row["round_id"]} for row in rows],
    ],
    ids=["no row", "of nobody", "null", "no column"],
)
def test_a_comparison_that_says_nothing_leaves_each_piece_to_be_looked_at(change: Any) -> None:
    with cluster("4.2.5") as box:
        uneven(box)
        catalog = with_links(box, change)
    for record in catalog.tenants:
        assert record.suspects == (1,)
        assert record.recovery is not None
        assert (len(record.recovery.windows), record.recovery.gaps) == (1, ())


def test_a_comparison_that_fails_leaves_the_pieces_unread() -> None:
    def refuse(_: list[dict[str, Any]]) -> list[dict[str, Any]]:
        raise ServerError(1142, "SELECT command denied")

    with cluster("4.2.5") as box:
        uneven(box)
        catalog = with_links(box, refuse)
    assert "1142" in catalog.why_unread(Part.PIECES)
    assert all(record.recovery is None for record in catalog.tenants)
