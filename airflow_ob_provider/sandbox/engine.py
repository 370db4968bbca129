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
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError

from . import functions, resulttypes
from .errors import ServerError, syntax_error
from .lexer import tokenize


@dataclass(frozen=True)
class Column:
    """``kind``: bigint, varchar, longtext, timestamp, time, double or decimal:<scale>."""

    name: str
    kind: str


@dataclass(frozen=True)
class Table:
    """A view or table as a session sees it. ``rows`` is called once per statement that uses it."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[Sequence[Any]]]


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
        IDENTIFIERS = ["`"]


_STORAGE = {"bigint": "INTEGER", "double": "REAL"}
_NOW_NAMES = {"now", "sysdate", "localtime", "localtimestamp", "current_timestamp"}


def select(sql: str, scope: Scope) -> Result:
    """Run one SELECT (or WITH … SELECT, or a UNION) and give its result."""
    try:
        statements = sqlglot.parse(sql, read="mysql")
    except SqlglotError as error:
        raise syntax_error(_near(error, sql)) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise syntax_error(sql)
    query = statements[0]
    tables = _bind_tables(query, scope)
    aggregates: dict[str, type] = {}
    # Children before parents: a rewritten parent takes its rewritten children along.
    for node in reversed(list(query.walk())):
        changed = _rewrite(node, scope, aggregates)
        if changed is not node:
            node.replace(changed)
    with_types = resulttypes.columns_of(query, {key: table.columns for key, table in tables.items()})
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        functions.register(connection)
        for name, aggregate in aggregates.items():
            connection.create_aggregate(name, 1, aggregate)
        for key, table in tables.items():
            _create(connection, key, table, scope.shift)
        return _execute(connection, query, sql, with_types)
    finally:
        connection.close()


def _near(error: SqlglotError, sql: str) -> str:
    details = getattr(error, "errors", None) or [{}]
    highlight = details[0].get("highlight")
    return sql[sql.find(highlight) :] if highlight else sql


def _bind_tables(query: exp.Expression, scope: Scope) -> dict[str, Table]:
    """Resolve every table name; the query then refers to SQLite tables named by the keys."""
    ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    tables: dict[str, Table] = {}
    for node in list(query.find_all(exp.Table)):
        if node.name.lower() == "dual" and not node.db:
            parent = node.parent
            if isinstance(parent, exp.From):
                parent.pop()
            continue
        if node.name.lower() in ctes and not node.db:
            continue
        table = scope.table(node.db, node.name)
        key = table.name.lower()
        tables[key] = table
        node.set("db", None)
        node.this.replace(exp.to_identifier(key, quoted=True))
    for column in query.find_all(exp.Column):
        column.set("db", None)
    return tables


def _call(name: str, *arguments: exp.Expression) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _constant(value: Any) -> exp.Expression:
    return exp.null() if value is None else exp.convert(value)


def _digits(node: exp.Expression | None) -> int:
    return int(node.name) if isinstance(node, exp.Literal) else 0


def _timestamp(moment: datetime, digits: int) -> exp.Expression:
    return _call("ob_timestamp", exp.Literal.string(functions.format_datetime(moment, digits)))


def _rewrite(node: exp.Expression, scope: Scope, aggregates: dict[str, type]) -> exp.Expression:
    """One node of the tree from MySQL's meaning to something SQLite can compute."""
    if isinstance(node, exp.GroupConcat):
        return _group_concat(node, aggregates)
    if isinstance(node, exp.Anonymous):
        return _rewrite_call(node, scope)
    if isinstance(node, exp.CurrentTimestamp | exp.Localtimestamp):
        return _timestamp(scope.now, _digits(node.this))
    if isinstance(node, exp.UtcTimestamp):
        return _timestamp(scope.now - scope.utc_offset, _digits(node.this))
    if isinstance(node, exp.CurrentDate):
        return exp.Literal.string(scope.now.strftime("%Y-%m-%d"))
    if isinstance(node, exp.SessionParameter):
        return _constant(scope.variable(node.name, str(node.args.get("kind") or "")))
    if isinstance(node, exp.Parameter):
        return exp.null()
    if isinstance(node, exp.CurrentVersion):
        return _constant(scope.constants["version"])
    if isinstance(node, exp.CurrentUser):
        return _constant(scope.constants["current_user"])
    if isinstance(node, exp.CurrentSchema):
        return _constant(scope.constants["database"])
    if isinstance(node, exp.Select):
        # Hints and locking reads have no meaning here.
        node.set("hint", None)
        node.set("locks", None)
        return node
    return _rewrite_time(node)


def _rewrite_call(node: exp.Anonymous, scope: Scope) -> exp.Expression:
    name = node.name.lower()
    arguments = node.expressions
    if name in _NOW_NAMES:
        return _timestamp(scope.now, _digits(arguments[0] if arguments else None))
    if name in scope.constants and not arguments:
        return _constant(scope.constants[name])
    if name == "unix_timestamp":
        argument = arguments[0] if arguments else _timestamp(scope.now, 0)
        call = _call("ob_unix_timestamp", argument)
        seconds = exp.Literal.number(int(scope.utc_offset.total_seconds()))
        return exp.Paren(this=exp.Sub(this=call, expression=seconds))
    if name not in functions.FUNCTIONS:
        # Known to SQLite or to nobody.
        return node
    return _call(name, *arguments)


def _group_concat(node: exp.GroupConcat, aggregates: dict[str, type]) -> exp.Expression:
    """An aggregate of our own per use: SQLite 3.40 has neither its ORDER BY nor DISTINCT with a separator."""
    value, separator, ordering = node.this, node.args.get("separator"), ""
    if isinstance(value, exp.Order):
        ordering = "DESC" if value.expressions[0].args.get("desc") else "ASC"
        value = value.this
    name = f"ob_group_concat_{len(aggregates)}"
    aggregates[name] = functions.make_group_concat(separator.name if separator else ",", ordering)
    return _call(name, value)


def _rewrite_time(node: exp.Expression) -> exp.Expression:
    """Time arithmetic, time formats and casts to times; the string functions SQLite lacks."""
    interval = node.args.get("expression")
    if isinstance(node, exp.Add | exp.Sub) and isinstance(interval, exp.Interval):
        sign = 1 if isinstance(node, exp.Add) else -1
        return _add(node.this, interval.this, interval.args["unit"], sign)
    if isinstance(node, exp.DateAdd | exp.TimestampAdd | exp.DateSub):
        sign = -1 if isinstance(node, exp.DateSub) else 1
        return _add(node.this, node.expression, node.args.get("unit") or exp.var("DAY"), sign)
    if isinstance(node, exp.TimestampDiff):
        unit = exp.Literal.string(node.args["unit"].name.upper())
        return _call("ob_timestampdiff", unit, node.expression, node.this)
    if isinstance(node, exp.DateDiff):
        return _call("ob_timestampdiff", exp.Literal.string("DAY"), node.expression, node.this)
    if isinstance(node, exp.TsOrDsToTimestamp | exp.TsOrDsToDate):
        return node.this
    if isinstance(node, exp.Date):
        return _call("ob_date", node.this)
    if isinstance(node, exp.TimeToStr):
        return _call("ob_strftime", node.this, node.args["format"])
    if isinstance(node, exp.StrToDate | exp.StrToTime):
        return _call("ob_strptime", node.this, node.args["format"])
    if isinstance(node, exp.Left):
        return _call("ob_left", node.this, node.expression)
    if isinstance(node, exp.Right):
        return _call("ob_right", node.this, node.expression)
    if isinstance(node, exp.Cast) and node.to.this in resulttypes.TIME_TYPES:
        digits = node.to.expressions[0].name if node.to.expressions else "0"
        return _call("ob_to_datetime", node.this, exp.Literal.number(digits))
    return node


def _add(value: exp.Expression, amount: exp.Expression, unit: exp.Expression, sign: int) -> exp.Expression:
    scaled = exp.Mul(this=exp.Paren(this=amount.copy()), expression=exp.Literal.number(1))
    if sign < 0:
        scaled = exp.Mul(this=scaled, expression=exp.Neg(this=exp.Literal.number(1)))
    return _call("ob_timestampadd", value.copy(), scaled, exp.Literal.string(unit.name.upper()))


def _create(connection: sqlite3.Connection, key: str, table: Table, shift: timedelta) -> None:
    columns = ", ".join(
        f"`{c.name}` {_STORAGE.get(c.kind) or ('REAL' if c.kind.startswith('decimal') else 'TEXT COLLATE NOCASE')}"
        for c in table.columns
    )
    connection.execute(f"CREATE TABLE `{key}` ({columns})")
    marks = ", ".join("?" * len(table.columns))
    rows = [tuple(_stored(value, shift) for value in row) for row in table.rows()]
    connection.executemany(f"INSERT INTO `{key}` VALUES ({marks})", rows)


def _stored(value: Any, shift: timedelta) -> Any:
    if isinstance(value, datetime):
        return functions.format_datetime(value + shift)
    return float(value) if isinstance(value, Decimal) else value


def _execute(connection: sqlite3.Connection, query: exp.Expression, sql: str, kinds: list[str] | None) -> Result:
    try:
        cursor = connection.execute(query.sql(dialect=_Backticks, identify=True))
        rows = cursor.fetchall()
    except sqlite3.Error as error:
        raise _translate_error(str(error), query) from None
    described = [str(d[0]) for d in cursor.description]
    if kinds is None or len(kinds) != len(described):
        kinds = [""] * len(described)
    kinds = [kind or _kind_of_values(row[i] for row in rows) for i, kind in enumerate(kinds)]
    names = _labels(query, sql, described)
    columns = [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return Result(columns, [tuple(map(_wire_value, row, kinds)) for row in rows])


def _kind_of_values(values: Iterable[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    return "bigint" if kinds == {int} else "double" if kinds and kinds <= {int, float} else "varchar"


def _wire_value(value: Any, kind: str) -> Any:
    if value is not None and kind.startswith("decimal"):
        return f"{float(value):.{kind.partition(':')[2]}f}"
    return value


def _labels(query: exp.Expression, sql: str, described: list[str]) -> list[str]:
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


_CLAUSES: tuple[tuple[type[exp.Expression], str], ...] = (
    (exp.Where, "where clause"),
    (exp.Having, "having clause"),
    (exp.Group, "group statement"),
    (exp.Order, "order clause"),
    (exp.Join, "on clause"),
)


def _translate_error(text: str, query: exp.Expression) -> ServerError:
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
    if "SELECTs to the left and right" in text:
        return ServerError(1222, "The used SELECT statements have a different number of columns")
    return syntax_error(text)


def _clause_of(name: str, query: exp.Expression) -> str:
    wanted = name.rpartition(".")[2].lower()
    for column in query.find_all(exp.Column):
        if column.name.lower() == wanted:
            for kind, clause in _CLAUSES:
                if column.find_ancestor(kind):
                    return clause
    return "field list"
