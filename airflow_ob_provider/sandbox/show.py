"""SHOW and DESC statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .catalogue import DATABASES
from .engine import Column, Result, Table, select
from .errors import syntax_error
from .lexer import Token, tokenize
from .variables import shown

if TYPE_CHECKING:
    from .session import Session


def show(sql: str, session: Session) -> Result:
    """Run a SHOW, DESC or DESCRIBE statement, else 1064."""
    tokens = tokenize(sql)
    if tokens[0].is_word("DESC", "DESCRIBE") and len(tokens) > 1:
        return _columns(sql, tokens[1:], session)
    rest = tokens[1:]
    while rest and rest[0].is_word("SESSION", "GLOBAL", "FULL", "LOCAL"):
        rest = rest[1:]
    if not rest:
        raise syntax_error()
    handler = _HANDLERS.get(rest[0].text.upper())
    if handler is None:
        raise syntax_error(sql[rest[0].start :])
    return handler(sql, rest[1:], session)


def _parameters(sql: str, rest: list[Token], session: Session) -> Result:
    """One row per server; the pattern's ``_`` is a wildcard and hidden parameters (``_x``) never show."""
    condition = "name NOT LIKE '\\_%'"
    named = None
    if len(rest) > 2 and rest[-3].is_word("TENANT") and rest[-2].is_symbol("="):
        named = rest[-1].text
        sql, rest = sql[: rest[-3].start], rest[:-3]
    if rest:
        condition += f" AND {_condition(sql, rest, 'name')}"

    def table(database: str, name: str) -> Table:
        # SHOW needs no privilege on the table it reads.
        return session.world.catalogue.table(session.world.cluster, session.tenant, database, name)

    cluster = session.world.cluster
    extra = cluster.parameter_filter(session.tenant, named)
    condition += f" AND {extra}" if extra else ""
    source = f"oceanbase.{cluster.PARAMETER_VIEW}"
    query = f"SELECT {cluster.PARAMETER_COLUMNS} FROM {source} WHERE {condition}"  # noqa: S608 - the client's own text
    return select(query, replace(session.scope(), table=table))


def _condition(sql: str, rest: list[Token], column: str) -> str:
    """The SQL of a LIKE or WHERE at the end of a SHOW statement."""
    if rest[0].is_word("LIKE") and len(rest) == 2 and rest[1].kind == "string":
        return f"{column} LIKE {sql[rest[1].start : rest[1].end]}"
    if rest[0].is_word("WHERE") and len(rest) > 1:
        return f"({sql[rest[1].start : rest[-1].end]})"
    raise syntax_error(sql[rest[0].start :])


def _listing(
    sql: str, rest: list[Token], session: Session, names: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> Result:
    listing = Table("listing", tuple(Column(name, "varchar") for name in names), lambda: rows)
    condition = f" WHERE {_condition(sql, rest, names[0])}" if rest else ""
    scope = replace(session.scope(), table=lambda _database, _name: listing)
    return select(f"SELECT * FROM listing{condition}", scope)  # noqa: S608 - that is the client's own text


def _variables(sql: str, rest: list[Token], session: Session) -> Result:
    rows = [(name, shown(name, value)) for name, value in sorted(session.variables.items())]
    return _listing(sql, rest, session, ("Variable_name", "Value"), rows)


def _tenant(sql: str, rest: list[Token], session: Session) -> Result:
    return _listing(sql, rest, session, ("Current_tenant_name",), [(session.tenant.name,)])


def _databases(sql: str, rest: list[Token], session: Session) -> Result:
    return _listing(sql, rest, session, ("Database",), [(name,) for name in DATABASES])


def _warnings(sql: str, _: list[Token], session: Session) -> Result:
    return _listing(sql, [], session, ("Level", "Code", "Message"), [])


def _grants(_sql: str, _rest: list[Token], session: Session) -> Result:
    user = session.user
    if "ALL" in user.privileges:
        text = f"GRANT ALL PRIVILEGES ON *.* TO '{user.name}' WITH GRANT OPTION"
    else:
        text = f"GRANT {', '.join(sorted(user.privileges)) or 'USAGE'} ON *.* TO '{user.name}'"
    return Result([Column(f"Grants for {user.name}@%", "varchar")], [(text,)])


def _tables(sql: str, rest: list[Token], session: Session) -> Result:
    database = session.database
    if len(rest) > 1 and rest[0].is_word("FROM", "IN"):
        database, rest = rest[1].text, rest[2:]
    names = session.world.catalogue.names(session.world.cluster, session.tenant)
    rows = [(name,) for name in names] if database.lower() == "oceanbase" else []
    return _listing(sql, rest, session, (f"Tables_in_{database}",), rows)


def _columns(sql: str, rest: list[Token], session: Session) -> Result:
    rest = [token for token in rest if not token.is_word("FROM", "IN")]
    names = [token.text for token in rest if not token.is_symbol(".")]
    if not 1 <= len(names) <= 2:
        raise syntax_error(sql)
    table = session.table(names[0] if len(names) == 2 else "", names[-1])
    rows = [(c.name, _TYPES.get(c.kind, c.kind.partition(":")[0]), "YES", "", None, "") for c in table.columns]
    return Result([Column(n, "varchar") for n in ("Field", "Type", "Null", "Key", "Default", "Extra")], list(rows))


_TYPES = {
    "bigint": "bigint(20)",
    "datetime": "datetime(6)",
    "time": "time(6)",
    "timestamp": "timestamp(6)",
    "ubigint": "bigint(20) unsigned",
    "varchar": "varchar(256)",
}

_HANDLERS: dict[str, Callable[[str, list[Token], Session], Result]] = {
    "PARAMETERS": _parameters,
    "VARIABLES": _variables,
    "GRANTS": _grants,
    "TENANT": _tenant,
    "DATABASES": _databases,
    "SCHEMAS": _databases,
    "TABLES": _tables,
    "COLUMNS": _columns,
    "FIELDS": _columns,
    "WARNINGS": _warnings,
    "ERRORS": _warnings,
}
