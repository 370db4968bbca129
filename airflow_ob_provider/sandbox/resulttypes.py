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

UNSIGNED_TYPES = {exp.DataType.Type.UBIGINT, exp.DataType.Type.UINT}
TIME_TYPES = {exp.DataType.Type.DATETIME, exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ}
_INTEGERS = (
    exp.Count, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.And, exp.Or, exp.Not, exp.Is, exp.In,
    exp.Like, exp.Between, exp.Exists, exp.Length, exp.NullSafeEQ, exp.IntDiv, exp.Boolean,
    exp.RegexpLike, exp.Ntile,
)  # fmt: skip
_TEXTS = (exp.Concat, exp.Upper, exp.Lower, exp.Substring, exp.Trim, exp.GroupConcat, exp.Pad)
_NUMBERS_OF_ROWS = (exp.RowNumber, exp.Rank, exp.DenseRank)
_FIXED = ((_INTEGERS, "bigint"), (_NUMBERS_OF_ROWS, "ubigint"), (_TEXTS, "varchar"), ((exp.Avg,), "decimal:4"))
_SAME_AS_ARGUMENT = (
    exp.Alias, exp.Window, exp.Neg, exp.Max, exp.Min, exp.Paren, exp.Abs, exp.Nullif, exp.FirstValue, exp.LastValue,
    exp.Lag, exp.Lead,
)  # fmt: skip
_CASTS = {
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
        return _literal_kind(node)
    if isinstance(node, exp.Anonymous):
        return _function_kind(node, sources, tables)
    if isinstance(node, exp.Cast):
        return _cast_kind(node)
    if isinstance(node, exp.Subquery):
        columns = _columns(node.this, tables | sources)
        return columns[0][1] if columns else ""
    if isinstance(node, exp.Collate):
        return _kind(node.this, sources, tables)
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
    if {"ubigint", "bigint"} <= kinds:
        # Neither holds all values of the other.
        kinds.add("decimal:0")
    return max(kinds, key=_rank, default="")


def _rank(kind: str) -> tuple[int, int]:
    """Which of two kinds a mixture has: the wider one."""
    base, _, scale = kind.partition(":")
    return _RANKS.index(base) if base in _RANKS else len(_RANKS), int(scale or 0)


_RANKS = ("", "bigint", "ubigint", "decimal", "double", "date", "time", "datetime", "timestamp")


def _literal_kind(node: exp.Literal) -> str:
    if node.is_string:
        return "varchar"
    text = str(node.this).lower()
    return "double" if "e" in text else f"decimal:{len(text.partition('.')[2])}" if "." in text else "bigint"


def _cast_kind(node: exp.Cast) -> str:
    if node.to.this == exp.DataType.Type.DECIMAL:
        sizes = node.to.expressions
        return f"decimal:{sizes[1].name if len(sizes) > 1 else 0}"
    return _CASTS.get(node.to.this, "")


def _function_kind(node: exp.Anonymous, sources: Sources, tables: Sources) -> str:
    kinds = [_kind(argument, sources, tables) for argument in node.expressions]
    if node.name == "ob_div":
        return _quotient_kind(*kinds)
    if node.name == "ob_intdiv":
        return "ubigint" if "ubigint" in kinds else "bigint"
    if node.name == "ob_mod":
        return _widest(*kinds)
    if node.name in {"ob_round", "ob_truncate"}:
        places = node.expressions[1]
        if kinds[0] in {"double", ""} or not isinstance(places, exp.Literal):
            return "double" if kinds[0] == "double" else ""
        return kinds[0] if kinds[0].endswith("bigint") else f"decimal:{places.name}"
    return FUNCTIONS[node.name][2] if node.name in FUNCTIONS else ""


def _quotient_kind(dividend: str, divisor: str) -> str:
    """A decimal with four more places than the dividend has; a double if one side is one."""
    if "double" in {dividend, divisor}:
        return "double"
    if not _is_number(dividend) or not _is_number(divisor):
        return ""
    return f"decimal:{int(dividend.partition(':')[2] or 0) + 4}"


def _is_number(kind: str) -> bool:
    return kind.partition(":")[0] in {"bigint", "ubigint", "decimal", "double"}


def _widest(*kinds: str) -> str:
    return max(kinds, key=_rank) if all(map(_is_number, kinds)) else ""


_UNSIGNED: dict[type[exp.Expr], str] = {
    exp.Add: "ob_unsigned_add",
    exp.Sub: "ob_unsigned_sub",
    exp.Mul: "ob_unsigned_mul",
}


def mark_unsigned(query: exp.Expr, tables: Mapping[str, Sequence[TypedColumn]]) -> None:
    """Make arithmetic with a BIGINT UNSIGNED fail out of its range, as in MySQL (innermost first)."""
    known = _known(query, tables)
    for node in reversed(list(query.find_all(*_UNSIGNED))):
        select = node.find_ancestor(exp.Select)
        if select is not None and _kind(node, _sources(select, known), known) == "ubigint":
            node.replace(exp.Anonymous(this=_UNSIGNED[type(node)], expressions=[node.this, node.expression]))


_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.Between, exp.In)
_MOMENTS = {"timestamp", "datetime"}


def mark_moments(query: exp.Expr, tables: Mapping[str, Sequence[TypedColumn]]) -> None:
    """A moment is text with six digits in the engine: so must be what it is compared with, NOW() as well as a text."""
    known = _known(query, tables)
    for node in list(query.find_all(*_COMPARISONS)):
        select = node.find_ancestor(exp.Select)
        if select is None or (isinstance(node, exp.In) and node.args.get("query")):
            continue
        sources = _sources(select, known)
        named = (node.this, node.args.get("expression"), node.args.get("low"), node.args.get("high"))
        sides = [side for side in (*named, *node.expressions) if isinstance(side, exp.Expr)]
        kinds = [_kind(side, sources, known) for side in sides]
        if not _MOMENTS.intersection(kinds):
            continue
        for side, kind in zip(sides, kinds, strict=True):
            if not (isinstance(side, exp.Column | exp.Null) and kind in {*_MOMENTS, ""}):
                call = exp.Anonymous(this="ob_to_datetime", expressions=[side.copy(), exp.Literal.number(6)])
                side.replace(call)


def _known(query: exp.Expr, tables: Mapping[str, Sequence[TypedColumn]]) -> Sources:
    """The columns of the tables and of the statement's CTEs."""
    known: Sources = {name: [(c.name, c.kind) for c in columns] for name, columns in tables.items()}
    for cte in query.args["with_"].expressions if query.args.get("with_") else ():
        known[cte.alias.lower()] = _columns(cte.this, known) or []
    return known


def _sum_kind(argument: str) -> str:
    return argument if argument.startswith("decimal") else "double" if argument == "double" else "decimal:0"


def _arithmetic_kind(node: exp.Binary, sources: Sources, tables: Sources) -> str:
    left, right = _kind(node.this, sources, tables), _kind(node.expression, sources, tables)
    widest = _widest(left, right)
    if isinstance(node, exp.Mul) and widest.startswith("decimal"):
        return f"decimal:{sum(int(kind.partition(':')[2] or 0) for kind in (left, right))}"
    return widest


def _column_kind(node: exp.Column, sources: Sources) -> str:
    wanted = node.name.lower()
    candidates = [sources.get(node.table.lower(), [])] if node.table else list(sources.values())
    return next((kind for columns in candidates for name, kind in columns if name.lower() == wanted), "")
