"""A SELECT translated once: clients ask the same again and again, and the translation is most of the work.

What a session contributes to the translation (a variable, its name, its time zone) is kept with its value, and the
translation is good for whoever has the same values. The time isn't part of it: it is a parameter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import functions

if TYPE_CHECKING:
    from .engine import Column, Filled, Scope

#: More statements than a test, or a demo, comes back to.
KEPT = 512


class Context:
    """What the session says, and a note of what has been asked."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.answers: dict[tuple[str, str, str], Any] = {}

    def variable(self, name: str, kind: str) -> Any:
        return self._note("variable", name, kind)

    def constant(self, name: str) -> Any:
        """The value of a function without arguments, by lower-case name."""
        return self._note("constant", name, "")

    def is_constant(self, name: str) -> bool:
        return name in self._scope.constants

    @property
    def utc_offset(self) -> timedelta:
        offset: timedelta = self._note("offset", "", "")
        return offset

    def _note(self, *question: str) -> Any:
        answer = self.answers[question[0], question[1], question[2]] = _ask(self._scope, *question)
        return answer


def _ask(scope: Scope, what: str, name: str, kind: str) -> Any:
    if what == "variable":
        return scope.variable(name, kind)
    return scope.constants[name] if what == "constant" else scope.utc_offset


@dataclass
class Prepared:
    """``query`` is the translated tree: only read."""

    query: exp.Query
    text: str
    #: tables by the names the statement has for them: (database, name)
    names: tuple[tuple[str, str], ...]
    #: columns of the tables, by the names that ``text`` has for them
    columns: dict[str, tuple[Column, ...]]
    kinds: list[str] | None
    aggregates: dict[str, type]
    answers: dict[tuple[str, str, str], Any]
    #: parameters of ``text``: moments
    moments: Collection[str]
    #: the tables in the database of the statement, by the names in ``columns``
    filled: dict[str, Filled]
    #: column labels, known after the first run
    labels: list[str] = field(default_factory=list)
    _idle: list[sqlite3.Connection] = field(default_factory=list)

    def fits(self, scope: Scope, columns: dict[str, tuple[Column, ...]]) -> bool:
        """Whether the translation would be the same now."""
        return self.columns == columns and all(_ask(scope, *asked) == was for asked, was in self.answers.items())

    @contextmanager
    def database(self, make: Callable[[Prepared], sqlite3.Connection]) -> Iterator[sqlite3.Connection]:
        """A database with the tables of the statement. What is put into them is gone afterwards, the tables stay."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = make(self)
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()
            self._idle.append(connection)
            while len(self._idle) > 1:
                self.close()

    def close(self) -> None:
        """Let go of a database that nobody uses."""
        with suppress(IndexError):
            self._idle.pop().close()

    def parameters(self, scope: Scope) -> dict[str, str]:
        return {name: _moment(name, scope) for name in self.moments}


def moment_name(kind: str, digits: int) -> str:
    """The parameter of a moment (now, utc or today) with so many digits of a second."""
    return f"{kind}_{digits}"


def _moment(name: str, scope: Scope) -> str:
    kind, _, digits = name.partition("_")
    now: datetime = scope.now - scope.utc_offset if kind == "utc" else scope.now
    text = functions.format_datetime(now, int(digits))
    return text[:10] if kind == "today" else text


def wanted_columns(query: exp.Query) -> frozenset[str] | None:
    """Lower-case names of all columns that may matter; None: all do.

    Every name in the query could be a column's; a star, other than that of COUNT(*), is all of them.
    """
    if any(not isinstance(star.parent, exp.Count) for star in query.find_all(exp.Star)):
        return None
    if any(join.method for join in query.find_all(exp.Join)):
        return None
    return frozenset(name.name.lower() for name in query.find_all(exp.Identifier))


class Cache:
    """The latest translations by the text of the statement."""

    def __init__(self) -> None:
        self._known: dict[str, Prepared] = {}

    def get(self, sql: str, make: Callable[[], Prepared], fits: Callable[[Prepared], bool]) -> Prepared:
        found = self._known.get(sql)
        if found is None or not fits(found):
            if found is not None:
                found.close()
            found = make()
            if len(self._known) >= KEPT:
                for known in self._known.values():
                    known.close()
                self._known.clear()
            self._known[sql] = found
        return found
