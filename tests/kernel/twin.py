"""Asks the simulator's SQL engine and, where there is one, a real kernel the same question over the same rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox import engine as sqlite
from airflow_ob_provider.sandbox.engine import Result, Scope, Table
from airflow_ob_provider.sandbox.errors import ServerError as Refused
from airflow_ob_provider.sandbox.kernel import KernelEngine
from airflow_ob_provider.sandbox.session import Session

Rows = Sequence[Sequence[Any]]

_ABOUT_THE_SESSION = ("version()", "CURRENT_USER()")
"""What each server truly answers for itself, and differently."""


@dataclass
class Twin:
    """A query function for a dialect that fails where the two engines differ; without a kernel there is only one.

    ``rows`` replaces the simulator's rows of a table; it gets the table.
    """

    box: Sandbox
    kernel: KernelEngine | None
    rows: Callable[[Table], Rows] | None = None
    tenant: str = "sys"
    zone: str = "+08:00"
    asked: set[str] = field(default_factory=set)
    """The SELECTs of tables that both have answered."""

    def __call__(self, statement: Statement) -> Sequence[Mapping[str, Any]]:
        sql = statement.text
        session = self._session()
        if not sql.startswith("SELECT") or any(word in sql for word in _ABOUT_THE_SESSION):
            result = session.execute(sql)
            assert result is not None
            return _as_driver(result)
        left = _answer(sqlite.select, sql, self._scope(session))
        right = _answer(self.kernel.select, sql, self._scope(session)) if self.kernel else left
        assert left is right or _without_ties(left, sql) == _without_ties(right, sql), (
            f"the engines differ on\n{sql}\nsimulator: {left}\nkernel:    {right}"
        )
        if isinstance(left, Refused):
            raise ServerError(left.errno, left.message)
        self.asked.add(sql)
        return _as_driver(left)

    def _session(self) -> Session:
        account = self.box._world.account("root", self.tenant)
        assert account is not None
        with self.box._world.locked():
            session = Session(self.box._world, 1, *account, {})
        session.variables["time_zone"] = self.zone
        return session

    def _scope(self, session: Session) -> Scope:
        scope = session.scope()

        def table(database: str, name: str) -> Table:
            found = scope.table(database, name)
            rows = self.rows(found) if self.rows else list(found.rows())
            return replace(found, rows=lambda: rows)

        return replace(scope, table=table)


def _answer(select: Callable[[str, Scope], Result], sql: str, scope: Scope) -> Result | Refused:
    try:
        return select(sql, scope)
    except Refused as error:
        return error


def _without_ties(answer: Result | Refused, sql: str) -> object:
    """What must be equal: an error; or columns with their types, all rows, and the order as far as it is asked for."""
    if isinstance(answer, Refused):
        return answer.errno, answer.message
    names = [column.name.lower() for column in answer.columns]
    ordered_by = sql.rpartition(" ORDER BY ")[2].partition(" LIMIT ")[0] if " ORDER BY " in sql else ""
    order = re.findall(r"([\w.]+)(?: DESC)?(?:,|$)", ordered_by)
    keys = [names.index(name.rpartition(".")[2].lower()) for name in order]
    ordered = [tuple(row[key] for key in keys) for row in answer.rows]
    return answer.columns, sorted(answer.rows, key=repr), ordered


def _as_driver(result: Result) -> list[dict[str, Any]]:
    """The rows as a driver gives them."""
    kinds = [column.kind.partition(":")[0] for column in result.columns]
    names = [column.name.lower() for column in result.columns]
    return [dict(zip(names, map(_value, row, kinds), strict=True)) for row in result.rows]


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind in {"datetime", "timestamp"}:
        return datetime.fromisoformat(value)
    return Decimal(value) if kind == "decimal" else value
