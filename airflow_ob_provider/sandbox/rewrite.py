"""A parsed MySQL query, node by node, to something SQLite computes with MySQL's meaning."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlglot import exp

from . import functions
from .prepared import Context, moment_name
from .resulttypes import TIME_TYPES, UNSIGNED_TYPES

_INTEGER_TYPES = {exp.DataType.Type.BIGINT, exp.DataType.Type.INT, *UNSIGNED_TYPES}
_NOW_NAMES = {"now", "sysdate", "localtime"}


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _constant(value: Any) -> exp.Expr:
    return exp.null() if value is None else exp.convert(value)


def _digits(node: Any) -> int:
    return int(node.name) if isinstance(node, exp.Literal) else 0


def _text(text: str) -> exp.Expr:
    return exp.Literal.string(text)


class Rewriter:
    """Rewrites one query in place.

    ``aggregates`` are the aggregate functions the result needs, ``moments`` its parameters.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.aggregates: dict[str, type] = {}
        self.moments: set[str] = set()
        self._handlers: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
            exp.Anonymous: self._function,
            exp.CurrentTimestamp: lambda n: self._timestamp("now", _digits(n.this)),
            exp.Localtimestamp: lambda n: self._timestamp("now", _digits(n.this)),
            exp.UtcTimestamp: lambda n: self._timestamp("utc", _digits(n.this)),
            exp.CurrentDate: lambda _: _call("ob_date", self._moment("today", 0)),
            exp.SessionParameter: lambda n: _constant(context.variable(n.name, str(n.args.get("kind") or ""))),
            # A session has no user variables here.
            exp.Parameter: lambda _: exp.null(),
            exp.CurrentVersion: lambda _: _constant(context.constant("version")),
            exp.CurrentUser: lambda _: _constant(context.constant("current_user")),
            exp.CurrentSchema: lambda _: _constant(context.constant("database")),
            exp.Select: self._select,
            exp.Union: self._union,
            exp.GroupConcat: self._group_concat,
            exp.Max: self._extreme,
            exp.Min: self._extreme,
            exp.Add: lambda n: self._interval(n, 1),
            exp.Sub: lambda n: self._interval(n, -1),
            exp.DateAdd: lambda n: self._date_add(n, 1),
            exp.TimestampAdd: lambda n: self._date_add(n, 1),
            exp.DateSub: lambda n: self._date_add(n, -1),
            exp.TimestampDiff: lambda n: self._difference(n, n.args["unit"].name.upper()),
            exp.DateDiff: lambda n: self._difference(n, "DAY"),
            exp.TsOrDsToTimestamp: lambda n: n.this,
            exp.TsOrDsToDate: lambda n: _call("ob_date", n.this),
            exp.Date: lambda n: _call("ob_date", n.this),
            exp.TimeToStr: lambda n: _call("ob_strftime", n.this, n.args["format"]),
            exp.StrToDate: lambda n: _call("ob_strptime", n.this, n.args["format"]),
            exp.StrToTime: lambda n: _call("ob_strptime", n.this, n.args["format"]),
            exp.Length: lambda n: _call("ob_length", n.this) if n.args.get("binary") else n,
            exp.Left: lambda n: _call("ob_left", n.this, n.expression),
            exp.Right: lambda n: _call("ob_right", n.this, n.expression),
            exp.Cast: self._cast,
            exp.Literal: self._literal,
            exp.Div: lambda n: _call("ob_div", n.this, n.expression),
            exp.IntDiv: lambda n: _call("ob_intdiv", n.this, n.expression),
            exp.Mod: lambda n: _call("ob_mod", n.this, n.expression),
            exp.Round: lambda n: _call("ob_round", n.this, n.args.get("decimals") or exp.convert(0)),
            exp.Trunc: lambda n: _call("ob_truncate", n.this, n.args.get("decimals") or exp.convert(0)),
            exp.Floor: lambda n: _call("ob_floor", n.this, exp.convert(0)),
            exp.Ceil: lambda n: _call("ob_ceil", n.this, exp.convert(0)),
            exp.UnixToTime: self._from_unixtime,
        }

    def run(self, query: exp.Expr) -> None:
        """Children before parents: a rewritten parent takes its rewritten children along."""
        for node in reversed(list(query.walk())):
            handler = self._handlers.get(type(node))
            changed = handler(node) if handler else node
            if changed is not node:
                node.replace(changed)

    def _select(self, node: exp.Select) -> exp.Expr:
        # Hints and locking reads mean nothing here.
        node.set("hint", None)
        node.set("locks", None)
        return node

    @staticmethod
    def _union(node: exp.Union) -> exp.Expr:
        # SQLite has no parentheses around the parts of a UNION.
        for key in ("this", "expression"):
            if isinstance(node.args[key], exp.Subquery):
                node.set(key, exp.select("*").from_(node.args[key]))
        return node

    def _function(self, node: exp.Anonymous) -> exp.Expr:
        name, arguments = node.name.lower(), node.expressions
        if name in _NOW_NAMES:
            return self._timestamp("now", _digits(arguments[0] if arguments else None))
        if not arguments and self._context.is_constant(name):
            return _constant(self._context.constant(name))
        if name == "unix_timestamp":
            argument = arguments[0] if arguments else self._timestamp("now", 0)
            seconds = exp.Literal.number(int(self._context.utc_offset.total_seconds()))
            call = _call("ob_unix_timestamp", argument)
            return exp.Paren(this=exp.Sub(this=call, expression=seconds))
        if name in {"scn_to_timestamp", "timestamp_to_scn"}:
            return _call(f"ob_{name}", *arguments, self._offset())
        if name == "time_to_usec":
            return exp.Paren(this=exp.Sub(this=_call(name, *arguments), expression=self._offset()))
        if name == "usec_to_time":
            return _call(name, *(exp.Add(this=exp.Paren(this=a), expression=self._offset()) for a in arguments))
        # In lower case it is one of ours, else known to SQLite or to nobody.
        return _call(name, *arguments) if name in functions.FUNCTIONS else node

    def _moment(self, kind: str, digits: int) -> exp.Expr:
        name = moment_name(kind, digits)
        self.moments.add(name)
        return exp.Placeholder(this=name)

    def _timestamp(self, kind: str, digits: int) -> exp.Expr:
        return _call("ob_timestamp", self._moment(kind, digits))

    def _offset(self) -> exp.Expr:
        """Microseconds the session's clock is ahead of UTC."""
        return exp.convert(self._context.utc_offset // timedelta(microseconds=1))

    def _from_unixtime(self, node: exp.UnixToTime) -> exp.Expr:
        call = _call("ob_from_unixtime", node.this, self._offset())
        return _call("ob_strftime", call, node.args["format"]) if node.args.get("format") else call

    def _group_concat(self, node: exp.GroupConcat) -> exp.Expr:
        """An aggregate of our own per use: SQLite 3.40 has neither its ORDER BY nor DISTINCT with a separator."""
        value, separator, ordering, key = node.this, node.args.get("separator"), "", exp.null()
        if isinstance(value, exp.Order):
            key = value.expressions[0].this
            ordering = "DESC" if value.expressions[0].args.get("desc") else "ASC"
            value = value.this
        distinct = isinstance(value, exp.Distinct)
        if distinct:
            value = value.expressions[0]
        name = f"ob_group_concat_{len(self.aggregates)}"
        text = separator.name if separator else ","
        self.aggregates[name] = functions.make_group_concat(text, ordering, distinct=distinct)
        return _call(name, value, key)

    @staticmethod
    def _extreme(node: exp.Max | exp.Min) -> exp.Expr:
        """Texts are compared as utf8mb4_general_ci also where they are computed; numbers don't mind."""
        if not node.expressions:
            node.set("this", exp.Collate(this=node.this, expression=exp.var("NOCASE")))
        return node

    def _interval(self, node: exp.Add | exp.Sub, sign: int) -> exp.Expr:
        interval = node.expression
        if not isinstance(interval, exp.Interval):
            return node
        return self._add(node.this, interval.this, interval.args["unit"], sign)

    def _date_add(self, node: exp.Expr, sign: int) -> exp.Expr:
        return self._add(node.this, node.expression, node.args.get("unit") or exp.var("DAY"), sign)

    @staticmethod
    def _add(value: exp.Expr, amount: exp.Expr, unit: exp.Expr, sign: int) -> exp.Expr:
        # The amount may be a text (INTERVAL '60' SECOND): the multiplication makes it a number.
        scaled = exp.Mul(this=exp.Paren(this=amount), expression=exp.convert(sign))
        return _call("ob_timestampadd", value, scaled, _text(unit.name.upper()))

    @staticmethod
    def _difference(node: exp.TimestampDiff | exp.DateDiff, unit: str) -> exp.Expr:
        return _call("ob_timestampdiff", _text(unit), node.expression, node.this)

    @staticmethod
    def _literal(node: exp.Literal) -> exp.Expr:
        """A number that only fits BIGINT UNSIGNED would be a double in SQLite."""
        if not node.is_int or int(node.name) < 2**63:
            return node
        if isinstance(node.parent, exp.Limit):
            return exp.Literal.number(2**63 - 1)
        return _call("ob_big", _text(node.name))

    @staticmethod
    def _cast(node: exp.Cast) -> exp.Expr:
        if node.to.this in _INTEGER_TYPES:
            return _call("ob_to_unsigned" if node.to.this in UNSIGNED_TYPES else "ob_to_integer", node.this)
        if node.to.this not in TIME_TYPES:
            return node
        digits = node.to.expressions[0].name if node.to.expressions else "0"
        return _call("ob_to_datetime", node.this, exp.Literal.number(digits))
