"""SELECT over the sandbox's tables: MySQL text is rewritten for SQLite, run there, and typed as MySQL would.

The engine knows nothing about OceanBase: tables, variables and functions of the session come from the
:class:`Scope` it is given.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError

from . import functions, resulttypes
from .errors import ServerError, syntax_error
from .lexer import tokenize
from .prepared import Cache, Context, Prepared, wanted_columns
from .rewrite import Rewriter


@dataclass(frozen=True)
class Column:
    """``kind``: bigint, ubigint, varchar, longtext, timestamp, datetime, date, time, double or decimal:<scale>."""

    name: str
    kind: str


@dataclass(frozen=True)
class Table:
    """A view or table as a session sees it. ``rows`` is called once per statement that uses it."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[Sequence[Any]]]


@dataclass(frozen=True)
class SomeRows:
    """The ``rows`` of a table that can also be made of some columns only, by their places, which is cheaper."""

    pick: Callable[[tuple[int, ...]], Iterable[Sequence[Any]]]
    width: int

    def __call__(self) -> Iterable[Sequence[Any]]:
        return self.pick(tuple(range(self.width)))


@dataclass
class Result:
    """A result set: columns in wire order and rows of str, int or None in them."""

    columns: list[Column]
    rows: list[tuple[Any, ...]]


@dataclass
class Scope:
    """What a statement can refer to. ``table`` raises for a name that can't be read."""

    table: Callable[[str, str], Table]
    variable: Callable[[str, str], Any]
    #: values of functions without arguments, by lower-case name
    constants: dict[str, Any]
    now: datetime
    #: how far the session's clock is ahead of UTC
    utc_offset: timedelta = timedelta()
    #: what to add to a stored cluster-local timestamp to show it in the session's time zone
    shift: timedelta = timedelta()


class _Backticks(SQLite):
    """SQLite with quoted identifiers that never fall back to string literals, as double quotes do."""

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ["`"]


#: Runs a SELECT: :func:`select`, or that of a real kernel.
Select = Callable[[str, Scope], Result]

_STORAGE = {"bigint": "INTEGER", "double": "REAL", "ubigint": "INTEGER"}
#: Columns whose values SQLite takes as they are.
_PLAIN = {"bigint", "double", "ubigint"}
_STORED = {int, str, type(None)}
#: They name who asks, and not what.
_LEADING_COMMENTS = re.compile(r"\A(?:\s*/\*(?!!).*?\*/)+", re.DOTALL)


_CACHE = Cache()


def select(sql: str, scope: Scope) -> Result:
    """Run one SELECT (or WITH … SELECT, or a UNION) and give its result."""
    # A translation that is known names its tables; they are looked up each time, for they may be lost meanwhile.
    bound: dict[str, Table] = {}

    def fits(known: Prepared) -> bool:
        bound.update((table.name.lower(), table) for table in (scope.table(*name) for name in known.names))
        return known.fits(scope, {key: table.columns for key, table in bound.items()})

    def make() -> Prepared:
        bound.clear()
        return _prepare(sql, scope, bound)

    prepared = _CACHE.get(_LEADING_COMMENTS.sub("", sql), make, fits)
    with prepared.database(_database) as connection:
        for key, table in bound.items():
            prepared.filled[key].fill(connection, table, scope.shift)
        return _execute(connection, prepared, sql, scope)


def _prepare(sql: str, scope: Scope, bound: dict[str, Table]) -> Prepared:
    """The translation of a statement; its tables are put into ``bound``."""
    query = _parsed(sql)
    names = _bind_tables(query, scope, bound)
    columns = {key: table.columns for key, table in bound.items()}
    alias = resulttypes.alias_in_where(query, columns)
    if alias:
        raise ServerError(1054, f"Unknown column '{alias}' in 'where clause'")
    wanted = wanted_columns(query)
    context = Context(scope)
    rewriter = Rewriter(context)
    rewriter.run(query)
    resulttypes.mark_unsigned(query, columns)
    resulttypes.mark_moments(query, columns)
    return Prepared(
        query=query,
        text=query.sql(dialect=_Backticks, identify=True, normalize_functions=False),
        names=names,
        columns=columns,
        kinds=resulttypes.columns_of(query, columns),
        aggregates=rewriter.aggregates,
        answers=context.answers,
        moments=rewriter.moments,
        filled={key: Filled(key, of_table, wanted) for key, of_table in columns.items()},
    )


def tables_of(sql: str, scope: Scope) -> list[Table]:
    """The tables that a SELECT refers to."""
    tables: dict[str, Table] = {}
    _bind_tables(_parsed(sql), scope, tables)
    return list(tables.values())


def _parsed(sql: str) -> exp.Query:
    try:
        statements = sqlglot.parse(sql, read="mysql")
    except SqlglotError as error:
        raise syntax_error(_near(error, sql)) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise syntax_error(sql)
    query = statements[0]
    while isinstance(query, exp.Subquery):
        query = query.this
    if not all(node.expressions for node in query.find_all(exp.Select)):
        raise syntax_error("FROM")
    return query


def _near(error: SqlglotError, sql: str) -> str:
    details = getattr(error, "errors", None) or [{}]
    highlight = details[0].get("highlight")
    return sql[sql.find(highlight) :] if highlight else sql


def _bind_tables(query: exp.Expr, scope: Scope, tables: dict[str, Table]) -> tuple[tuple[str, str], ...]:
    """Resolve every table name, which is the result; the query then refers to SQLite tables named by the keys."""
    ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    names: dict[tuple[str, str], None] = {}
    for node in list(query.find_all(exp.Table)):
        if node.name.lower() == "dual" and not node.db:
            parent = node.parent
            if isinstance(parent, exp.From):
                parent.pop()
            continue
        if node.name.lower() in ctes and not node.db:
            continue
        names[node.db, node.name] = None
        table = scope.table(node.db, node.name)
        key = table.name.lower()
        tables[key] = table
        node.set("db", None)
        node.this.replace(exp.to_identifier(key, quoted=True))
    for column in query.find_all(exp.Column):
        column.set("db", None)
    return tuple(names)


def _database(prepared: Prepared) -> sqlite3.Connection:
    """A database with the functions and the tables, without rows, of a statement."""
    # Whichever thread has the statement next; one at a time.
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    functions.register(connection)
    for name, aggregate in prepared.aggregates.items():
        connection.create_aggregate(name, 2, aggregate)
    for filled in prepared.filled.values():
        connection.execute(filled.create)
    return connection


class Filled:
    """A table of a statement with those columns that may matter, and how rows are put into it."""

    def __init__(self, key: str, columns: Sequence[Column], wanted: frozenset[str] | None) -> None:
        #: one at least: a table without columns can't be
        self._places = tuple(i for i, c in enumerate(columns) if wanted is None or c.name.lower() in wanted) or (0,)
        self._all = len(self._places) == len(columns)
        chosen = [columns[i] for i in self._places]
        # Integers are stored as they are.
        self._plain = all(c.kind in _PLAIN for c in chosen)
        self.create = f"CREATE TABLE `{key}` ({', '.join(f'`{c.name}` {_storage(c.kind)}' for c in chosen)})"
        self._insert = f"INSERT INTO `{key}` VALUES ({', '.join('?' * len(chosen))})"  # noqa: S608 - names of ours

    def fill(self, connection: sqlite3.Connection, table: Table, shift: timedelta) -> None:
        """With the rows as they are now."""
        rows: Iterable[Sequence[Any]]
        if isinstance(table.rows, SomeRows):
            rows = table.rows.pick(self._places)
        elif self._all:
            rows = table.rows()
        else:
            rows = ([row[i] for i in self._places] for row in table.rows())
        if not self._plain:
            rows = ([value if type(value) in _STORED else _stored(value, shift) for value in row] for row in rows)
        connection.executemany(self._insert, rows)


def _storage(kind: str) -> str:
    return _STORAGE.get(kind) or ("REAL" if kind.startswith("decimal") else "TEXT COLLATE NOCASE")


def _stored(value: Any, shift: timedelta) -> Any:
    if isinstance(value, datetime):
        return _shown(value, shift)
    return float(value) if isinstance(value, Decimal) else value


@lru_cache(maxsize=8192)
def _shown(value: datetime, shift: timedelta) -> str:
    """The same moments come again in many rows."""
    return functions.format_datetime(value + shift)


def _execute(connection: sqlite3.Connection, prepared: Prepared, sql: str, scope: Scope) -> Result:
    try:
        cursor = connection.execute(prepared.text, prepared.parameters(scope))
        rows = cursor.fetchall()
    except sqlite3.Error as error:
        raise _translate_error(str(error), prepared.query) from None
    described = [str(d[0]) for d in cursor.description]
    kinds = prepared.kinds
    if kinds is None or len(kinds) != len(described):
        kinds = [""] * len(described)
    kinds = [kind or _kind_of_values(row[i] for row in rows) for i, kind in enumerate(kinds)]
    prepared.labels = prepared.labels or _labels(prepared.query, sql, described)
    columns = [Column(name, kind) for name, kind in zip(prepared.labels, kinds, strict=True)]
    decimals = {i: kind.partition(":")[2] for i, kind in enumerate(kinds) if kind.startswith("decimal")}
    if decimals:
        rows = [_with_decimals(row, decimals) for row in rows]
    return Result(columns, rows)


def _kind_of_values(values: Iterable[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    return "bigint" if kinds == {int} else "double" if kinds and kinds <= {int, float} else "varchar"


def _with_decimals(row: Sequence[Any], places: dict[int, str]) -> tuple[Any, ...]:
    """A row as it goes to the wire; ``places``: digits behind the point, by the place of the column."""
    cells = list(row)
    for place, digits in places.items():
        if cells[place] is not None:
            cells[place] = f"{Decimal(str(cells[place])):.{digits}f}"
    return tuple(cells)


def _labels(query: exp.Expr, sql: str, described: list[str]) -> list[str]:
    """Column labels: the alias as written, a column in its documented case, an expression as its text."""
    selects = query.selects if isinstance(query, exp.Query) else []
    if len(selects) != len(described):
        return described
    texts = _select_list_texts(sql)
    labels = []
    for index, (node, label) in enumerate(zip(selects, described, strict=True)):
        if isinstance(node, exp.Alias):
            labels.append(node.alias)
        elif isinstance(node, exp.Column) or len(texts) != len(selects):
            labels.append(label)
        else:
            labels.append(texts[index])
    return labels


def _select_list_texts(sql: str) -> list[str]:
    """The texts between the commas of the outermost select list, if the statement starts with it."""
    tokens = tokenize(sql)
    if not tokens or not tokens[0].is_word("SELECT"):
        return []
    texts, depth, start = [], 0, tokens[0].end
    end = tokens[-1].end
    for token in tokens[1:]:
        if token.is_symbol("("):
            depth += 1
        elif token.is_symbol(")"):
            depth -= 1
        elif depth == 0 and token.is_symbol(","):
            texts.append(sql[start : token.start].strip())
            start = token.end
        elif depth == 0 and token.is_word("FROM", "LIMIT", "UNION", "WHERE", "ORDER"):
            end = token.start
            break
    texts.append(sql[start:end].strip())
    return texts


_CLAUSES: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Where, "where clause"),
    (exp.Having, "having clause"),
    (exp.Group, "group statement"),
    (exp.Order, "order clause"),
    (exp.Join, "on clause"),
)


def _translate_error(text: str, query: exp.Expr) -> ServerError:
    match = re.match(r"no such column: (\S+)", text)
    if match:
        name = match[1].strip("`")
        return ServerError(1054, f"Unknown column '{name}' in '{_clause_of(name, query)}'")
    match = re.match(r"ambiguous column name: (\S+)", text)
    if match:
        return ServerError(1052, f"Column '{match[1].strip('`')}' in field list is ambiguous")
    match = re.match(r"no such function: (\S+)", text)
    if match:
        return ServerError(1305, f"FUNCTION {match[1].strip('`')} does not exist")
    if "user-defined function raised exception" in text:
        return ServerError(1690, "BIGINT UNSIGNED value is out of range")
    if "SELECTs to the left and right" in text:
        return ServerError(1222, "The used SELECT statements have a different number of columns")
    return syntax_error(text)


def _clause_of(name: str, query: exp.Expr) -> str:
    wanted = name.rpartition(".")[2].lower()
    for column in query.find_all(exp.Column):
        if column.name.lower() == wanted:
            for kind, clause in _CLAUSES:
                if column.find_ancestor(kind):
                    return clause
    return "field list"
