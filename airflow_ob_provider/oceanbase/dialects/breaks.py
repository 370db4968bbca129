"""The event history of both generations, as far as it tells what became of log backup.

Columns: OceanBase CE 3.1.5 source, ``__all_rootservice_event_history``; V4.2.5 manual,
DBA_OB_ROOTSERVICE_EVENT_HISTORY. Which events there are: source, ob_log_archive_scheduler.cpp (3.x: their tenant is the
cluster) and ob_archive_scheduler_service.cpp (4.x: each names its tenant). What they say beside that is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from airflow_ob_provider.oceanbase.breaks import BreakEvent, BreakHistory
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.reading import NOW, DialectBase, read_at
from airflow_ob_provider.oceanbase.errors import Kind, ServerError
from airflow_ob_provider.oceanbase.models import ArchiveState, Server
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError, moment, text

MAX_EVENTS = 1000
MAX_VALUE = 400
"""Characters of what an event says that are kept."""
_PAIRS = ", ".join(f"NAME{n} AS name{n}, VALUE{n} AS value{n}" for n in range(1, 7))

EVENTS_3 = (
    f"SELECT {NOW}, gmt_create AS at, module AS module, event AS event, {_PAIRS}, extra_info AS extra_info "
    "FROM oceanbase.__all_rootservice_event_history "
    "WHERE (module LIKE '%backup%' OR module LIKE '%archive%') "
    "AND event NOT IN ('freeze_piece', 'frozen_piece', 'prepare_new_tenant') "
    f"ORDER BY gmt_create DESC LIMIT {MAX_EVENTS}"
)
EVENTS_4 = (
    f"SELECT {NOW}, TIMESTAMP AS at, MODULE AS module, EVENT AS event, {_PAIRS}, EXTRA_INFO AS extra_info "
    "FROM oceanbase.DBA_OB_ROOTSERVICE_EVENT_HISTORY WHERE MODULE = 'log_archive' "
    f"ORDER BY TIMESTAMP DESC LIMIT {MAX_EVENTS}"
)


def break_history(dialect: DialectBase, events: str, servers: Callable[[], Sequence[Server]]) -> BreakHistory:
    """Events and servers; a part that may not be read is named and does not hide the other.

    :raises ServerError: the connection was lost, or another error that passes.
    """
    unread: list[str] = []
    rows: Sequence[Row] = ()
    inactive: tuple[Server, ...] = ()
    try:
        rows = dialect.read(events)
    except ServerError as error:
        unread.append(_why("the event history", error))
    try:
        inactive = tuple(server for server in servers() if not server.active)
    except ServerError as error:
        unread.append(_why("the OBServers", error))
    try:
        zone = read_at(rows)[1] if rows else None
    except UnreadableError as error:
        return BreakHistory((), inactive, (*unread, f"the event history: {error}"))
    return BreakHistory(tuple(_event(row, zone) for row in rows if zone), inactive, tuple(unread))


def _why(what: str, error: ServerError) -> str:
    if error.fact.kind is Kind.TRANSIENT:
        raise error
    return f"{what} cannot be read: [{error.errno}] {error.message}"


def _event(row: Row, zone: timezone) -> BreakEvent:
    named = [(text(row, f"name{n}").strip(), text(row, f"value{n}").strip()) for n in range(1, 7)]
    values = {name: value for name, value in named if name}
    word = values.get("new_status") or values.get("status") or ""
    extra = text(row, "extra_info").strip()
    said = [(name, redact(f"{name}={value}").removeprefix(f"{name}=")[:MAX_VALUE]) for name, value in values.items()]
    return BreakEvent(
        _moment(row, zone),
        text(row, "module"),
        text(row, "event"),
        _number(values.get("tenant_id", "")),
        _number(values.get("round_id", "")),
        ArchiveState.parse(word) if word else None,
        (*said, *([("extra_info", redact(extra)[:MAX_VALUE])] if extra else [])),
    )


def _moment(row: Row, zone: timezone) -> datetime | None:
    try:
        return moment(row, "at", zone)
    except UnreadableError:
        return None


def _number(value: str) -> int:
    return int(value) if value.isdecimal() and value.isascii() else 0
