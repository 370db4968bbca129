"""Where documentation and kernel disagree: the fault ``doc_conflicts`` shows what the documentation has.

A client that goes by the documentation's columns or texts, or by the kernel's only, is found out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from airflow_ob_provider.sandbox.engine import Column, Table
from airflow_ob_provider.sandbox.values import DAY

Row = Sequence[Any]
_PIECES = ("cdb_ob_archivelog_piece_files", "dba_ob_archivelog_piece_files")


def as_documented(table: Table, conflicts: set[str]) -> Table:
    """The table with the named conflicts applied; names in :data:`CONFLICTS`."""
    for name in sorted(conflicts):
        views, change = CONFLICTS[name]
        if table.name.lower() in views:
            table = change(table)
    return table


def _map(table: Table, column: str, function: Callable[[Any], Any], kind: str | None = None) -> Table:
    """Every value of a column through a function."""
    names = [c.name for c in table.columns]
    index = names.index(column)
    columns = tuple(Column(c.name, kind) if kind and c.name == column else c for c in table.columns)

    def rows() -> Iterable[Row]:
        for row in table.rows():
            yield [function(value) if i == index else value for i, value in enumerate(row)]

    return Table(table.name, columns, rows)


def _extra(column: Column, value: Any) -> Callable[[Table], Table]:
    """A column behind the others."""

    def change(table: Table) -> Table:
        return Table(table.name, (*table.columns, column), lambda: [(*row, value) for row in table.rows()])

    return change


def _without(name: str) -> Callable[[Table], Table]:
    def change(table: Table) -> Table:
        keep = [i for i, column in enumerate(table.columns) if column.name != name]
        columns = tuple(table.columns[i] for i in keep)
        return Table(table.name, columns, lambda: [[row[i] for i in keep] for row in table.rows()])

    return change


def _days(value: Any) -> str:
    return f"{int(value) // int(DAY * 10**6)}d"


CONFLICTS: dict[str, tuple[tuple[str, ...], Callable[[Table], Table]]] = {
    # the state of a destination is printed ENBALE in the samples
    "enbale": (
        ("cdb_ob_archive_dest", "dba_ob_archive_dest"),
        lambda table: _map(table, "VALUE", lambda value: "ENBALE" if value == "ENABLE" else value),
    ),
    # PIECE_SWITCH_INTERVAL of a round as text
    "interval_text": (
        ("cdb_ob_archivelog", "dba_ob_archivelog", "cdb_ob_archivelog_summary", "dba_ob_archivelog_summary"),
        lambda table: _map(table, "PIECE_SWITCH_INTERVAL", _days, "varchar"),
    ),
    "create_timestamp": (_PIECES, _extra(Column("CREATE_TIMESTAMP", "datetime"), None)),
    "base_scn": (_PIECES, _extra(Column("BASE_SCN", "ubigint"), 0)),
    "no_end_scn_display": (_PIECES, _without("END_SCN_DISPLAY")),
    "incompelte": (
        _PIECES,
        lambda table: _map(table, "FILE_STATUS", lambda value: "INCOMPELTE" if value == "INCOMPLETE" else value),
    ),
}
