"""Static types of a query's result columns, so that the wire says what a real server would.

Only what the values can't tell is needed here (a timestamp is text in the engine, SUM of integers a decimal); an
unknown type is '' and the engine then goes by the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlglot import exp

from .functions import FUNCTIONS


class TypedColumn(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...


Columns = Sequence[tuple[str, str]]
Sources = dict[str, Columns]

TIME_TYPES = {exp.DataType.Type.DATETIME, exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ}
_INTEGERS = (
    exp.Count, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.And, exp.Or, exp.Not, exp.Is, exp.In,
    exp.Like, exp.Between, exp.Exists, exp.RowNumber, exp.Length, exp.NullSafeEQ, exp.IntDiv, exp.Boolean,
    exp.RegexpLike,
)  # fmt: skip
_TEXTS = (exp.Concat, exp.Upper, exp.Lower, exp.Substring, exp.Trim, exp.GroupConcat)
_FIXED = ((_INTEGERS, "bigint"), (_TEXTS, "varchar"), ((exp.Avg,), "decimal:4"))
_SAME_AS_ARGUMENT = (
    exp.Alias, exp.Window, exp.Neg, exp.Max, exp.Min, exp.Paren, exp.Abs, exp.Nullif, exp.FirstValue, exp.LastValue,
    exp.Lag, exp.Lead,
)  # fmt: skip
_CASTS = {
    exp.DataType.Type.BIGINT: "bigint",
    exp.DataType.Type.UBIGINT: "bigint",
    exp.DataType.Type.INT: "bigint",
    exp.DataType.Type.CHAR: "varchar",
    exp.DataType.Type.VARCHAR: "varchar",
    exp.DataType.Type.DOUBLE: "double",
}


def columns_of(query: exp.Expr, tables: Mapping[str, Sequence[TypedColumn]]) -> list[str] | None:
    """The kind of each result column, or None when the shape of the result isn't plain."""
    known: Sources = {name: [(c.name, c.kind) for c in columns] for name, columns in tables.items()}
    columns = _columns(query, known)
    return None if columns is None else [kind for _, kind in columns]


def alias_in_where(query: exp.Expr, tables: Mapping[str, Sequence[TypedColumn]]) -> str:
    """A select alias that a WHERE refers to, else ''. SQLite allows it, MySQL doesn't know that column there."""
    known: Sources = {name: [(c.name, c.kind) for c in columns] for name, columns in tables.items()}
    for select in query.find_all(exp.Select):
        where = select.args.get("where")
        columns = _sources(select, known).values()
        if where is None or not all(columns):
            # The columns of a CTE aren't known here.
            continue
        names = {name.lower() for source in columns for name, _ in source}
        aliases = {node.alias.lower() for node in select.expressions if isinstance(node, exp.Alias)}
        for column in where.find_all(exp.Column):
            own = column.find_ancestor(exp.Select) is select and not column.table
            if own and column.name.lower() in aliases - names:
                return str(column.name)
    return ""


def _columns(query: exp.Expr, tables: Sources) -> Columns | None:
    tables = dict(tables)
    for cte in query.args["with_"].expressions if query.args.get("with_") else ():
        tables[cte.alias.lower()] = _columns(cte.this, tables) or []
    if isinstance(query, exp.SetOperation):
        return _columns(query.this, tables)
    if isinstance(query, exp.Subquery):
        return _columns(query.this, tables)
    if not isinstance(query, exp.Select):
        return None
    sources = _sources(query, tables)
    result: list[tuple[str, str]] = []
    for node in query.expressions:
        if isinstance(node, exp.Star):
            result += [column for columns in sources.values() for column in columns]
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            result += sources.get(node.table.lower(), [])
        else:
            result.append((node.alias_or_name, _kind(node, sources, tables)))
    return result


def _sources(query: exp.Select, tables: Sources) -> Sources:
    sources: Sources = {}
    origin = query.args.get("from_")
    nodes = [origin.this] if origin else []
    nodes += [join.this for join in query.args.get("joins") or ()]
    for node in nodes:
        if isinstance(node, exp.Table):
            sources[node.alias_or_name.lower()] = tables.get(node.name.lower(), [])
        elif isinstance(node, exp.Subquery):
            sources[node.alias_or_name.lower()] = _columns(node.this, tables) or []
    return sources


def _kind(node: exp.Expr | None, sources: Sources, tables: Sources) -> str:
    fixed = next((kind for types, kind in _FIXED if isinstance(node, types)), None)
    if node is None or fixed is not None:
        return fixed or ""
    if isinstance(node, exp.Column):
        return _column_kind(node, sources)
    if isinstance(node, exp.Literal):
        return "varchar" if node.is_string else "bigint" if node.is_int else "decimal:1"
    if isinstance(node, exp.Anonymous):
        return FUNCTIONS[node.name][2] if node.name in FUNCTIONS else ""
    if isinstance(node, exp.Cast):
        return _CASTS.get(node.to.this, "")
    if isinstance(node, exp.Subquery):
        columns = _columns(node.this, tables | sources)
        return columns[0][1] if columns else ""
    if isinstance(node, exp.Binary):
        return _arithmetic_kind(node, sources, tables)
    if isinstance(node, exp.Sum):
        return _sum_kind(_kind(node.this, sources, tables))
    return _first_kind(_branches(node), sources, tables)


def _branches(node: exp.Expr) -> list[exp.Expr | None]:
    """The expressions one of which is the value."""
    if isinstance(node, _SAME_AS_ARGUMENT):
        return [node.this]
    if isinstance(node, exp.If):
        return [node.args.get("true"), node.args.get("false")]
    if isinstance(node, exp.Coalesce | exp.Greatest | exp.Least):
        return [node.this, *node.expressions]
    if isinstance(node, exp.Case):
        return [*(branch.args.get("true") for branch in node.args["ifs"]), node.args.get("default")]
    return []


def _first_kind(nodes: list[exp.Expr | None], sources: Sources, tables: Sources) -> str:
    kinds = {kind for kind in (_kind(node, sources, tables) for node in nodes) if kind}
    if len(kinds) > 1 and "varchar" in kinds:
        # A branch of text makes the whole text, also next to a timestamp.
        return "varchar"
    return max(kinds, default="")


def _sum_kind(argument: str) -> str:
    return argument if argument.startswith("decimal") else "double" if argument == "double" else "decimal:0"


def _arithmetic_kind(node: exp.Binary, sources: Sources, tables: Sources) -> str:
    kinds = {_kind(node.this, sources, tables), _kind(node.expression, sources, tables)}
    if "double" in kinds or "" in kinds or "varchar" in kinds:
        return ""
    if isinstance(node, exp.Div):
        return "decimal:4"
    decimals = [kind for kind in kinds if kind.startswith("decimal")]
    return max(decimals) if decimals else "bigint"


def _column_kind(node: exp.Column, sources: Sources) -> str:
    wanted = node.name.lower()
    candidates = [sources.get(node.table.lower(), [])] if node.table else list(sources.values())
    return next((kind for columns in candidates for name, kind in columns if name.lower() == wanted), "")
