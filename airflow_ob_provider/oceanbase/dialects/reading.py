"""What the dialects share: how they ask, and the questions that all generations answer alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from functools import lru_cache

from airflow_ob_provider.oceanbase.dialects.base import Query, Row
from airflow_ob_provider.oceanbase.errors import Kind, ServerError
from airflow_ob_provider.oceanbase.models import Identity
from airflow_ob_provider.oceanbase.rows import UnreadableError, moment, text, whole, zone_of
from airflow_ob_provider.oceanbase.statements import Statement, like_literal
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

NOW = "NOW(6) AS server_time, TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), NOW(6)) AS utc_offset"
MISSING = frozenset({1054, 1146})
"""A view, or a column of it, does not exist here."""


class DialectBase:
    """Reads through one session."""

    def __init__(self, version: OceanBaseVersion, query: Query) -> None:
        self.version = version
        self._query = query

    def read(self, sql: str, *, holds_secrets: bool = False) -> Sequence[Row]:
        """Rows of a SELECT or SHOW."""
        return self._query(_statement(sql, holds_secrets))

    def server_time(self) -> datetime:
        """Now, by the server's clock."""
        return read_at(self.read(f"SELECT {NOW}"))[0]

    def cluster_name(self) -> str:
        """The cluster's name; '' where the account may not read it."""
        return self._first(f"SHOW PARAMETERS LIKE {like_literal('cluster')}", "value")

    def identity(self) -> Identity:
        """Cluster, tenant, account and privileges; each is '' where the account may not read it."""
        return Identity(
            version=str(self.version),
            cluster=self.cluster_name(),
            cluster_id=self._first(f"SHOW PARAMETERS LIKE {like_literal('cluster_id')}", "value"),
            tenant=self._first("SHOW TENANT", None),
            account=self._first("SELECT CURRENT_USER() AS account", "account"),
            grants=tuple(text(row, next(iter(row))) for row in self._readable("SHOW GRANTS")),
        )

    def _readable(self, sql: str) -> Sequence[Row]:
        try:
            return self.read(sql)
        except ServerError as error:
            if error.fact.kind is Kind.TRANSIENT:
                raise
            return ()

    def _first(self, sql: str, column: str | None) -> str:
        rows = self._readable(sql)
        return text(rows[0], column or next(iter(rows[0]))) if rows else ""

    def count(self, sql: str) -> int | None:
        """A count; None where there is no such view."""
        try:
            rows = self.read(sql)
        except ServerError as error:
            if error.errno in MISSING:
                return None
            raise
        return whole(rows[0] if rows else {}, "n")


@lru_cache(maxsize=64)
def _statement(sql: str, holds_secrets: bool) -> Statement:
    """In one line; a wait asks the same again and again."""
    return Statement.read(" ".join(sql.split()), holds_secrets=holds_secrets)


def read_at(rows: Sequence[Row]) -> tuple[datetime, timezone]:
    """The server's clock and zone, from the columns of :data:`NOW` in the first row."""
    if not rows:
        raise UnreadableError("the server returned no row, not even its own time")
    zone = zone_of(rows[0])
    found = moment(rows[0], "server_time", zone)
    if found is None:
        raise UnreadableError("the server did not tell its time")
    return found, zone


def address(row: Row) -> str:
    """An OBServer."""
    return f"{text(row, 'svr_ip')}:{text(row, 'svr_port')}"


def tenant_list(tenant_ids: Iterable[int]) -> str:
    """Tenant numbers for IN (…)."""
    return ", ".join(str(int(number)) for number in tenant_ids)
