"""Rows that the server has aggregated, as rounds, pieces and backups. Both generations name their columns alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from airflow_ob_provider.oceanbase.catalog import Attempt
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.models import FileStatus
from airflow_ob_provider.oceanbase.rows import UnreadableError, text, whole
from airflow_ob_provider.oceanbase.windows import CLEANED, FullBackup, SetProblem, Stretch

At = Callable[[Row, str], datetime | None]
"""Reads a time of a row: of the logs (4.x: a system change number), or of the server's clock."""

FILE_STATUS_SUMS = """COUNT(*) AS pieces,
       SUM(CASE WHEN FILE_STATUS IN ('EXPIRED', 'DELETING', 'DELETED') THEN 1 ELSE 0 END) AS cleaned,
       SUM(CASE WHEN FILE_STATUS IN ('INCOMPLETE', 'INCOMPELTE') THEN 1 ELSE 0 END) AS incomplete,
       SUM(CASE WHEN FILE_STATUS = 'AVAILABLE' THEN 1 ELSE 0 END) AS available"""


def stretches_of(row: Row, at: At, *, new_may_be_incomplete: bool) -> tuple[Stretch, ...] | None:
    """The pieces of a round from one row about all of them; None if they are not whole, so each must be looked at.

    Whole is: numbered without a hole, each beginning where the one before ends, AVAILABLE; what clean-up has taken
    lies before all others.

    :param new_may_be_incomplete: 4.x: the newest piece is INCOMPLETE until every log stream has archived into it.
    """
    pieces, cleaned, available = whole(row, "pieces"), whole(row, "cleaned"), whole(row, "available")
    if not pieces:
        return ()
    newest, open_id = whole(row, "newest_id"), _maybe(row, "open_id")
    oldest_at = at(row, "oldest_from")
    if cleaned == pieces:
        return (Stretch(whole(row, "first_id"), newest, FileStatus.DELETED, oldest_at, at(row, "newest_to")),)
    first, last = _maybe(row, "available_first"), _maybe(row, "available_last")
    is_new = new_may_be_incomplete and whole(row, "incomplete") == 1 and open_id == newest and last != newest
    begins: tuple[Stretch, ...] = ()
    if is_new:
        begins = (Stretch(newest, newest, FileStatus.INCOMPLETE, at(row, "newest_from"), None, is_open=True),)
        if available == 0 and pieces == cleaned + 1:
            return begins
    if first is None or last is None or available != last - first + 1 or whole(row, "hole"):
        return None
    if pieces != cleaned + available + is_new or last != newest - is_new:
        return None
    if cleaned and whole(row, "cleaned_last") >= first:
        return None
    start = at(row, "available_from")
    kept = Stretch(first, last, FileStatus.AVAILABLE, start, at(row, "available_to"), is_open=open_id is not None)
    if is_new:
        kept = Stretch(first, last, FileStatus.AVAILABLE, start, at(row, "newest_from"))
    gone = (Stretch(whole(row, "first_id"), first - 1, FileStatus.DELETED, oldest_at, start),) if cleaned else ()
    return (*gone, kept, *begins)


def _maybe(row: Row, name: str) -> int | None:
    return None if row.get(name) is None else whole(row, name)


def fulls_of(row: Row, at: At) -> tuple[FullBackup, ...]:
    """The oldest and the newest usable full backup of a round, which stand for all."""
    count = whole(row, "usable")
    if not count:
        return ()
    oldest, newest = (_full(row, name, at) for name in ("oldest", "newest"))
    if oldest == newest:
        return (oldest,)
    others = FullBackup(oldest.set_id, oldest.logs_from, oldest.logs_past, oldest.restores_from, None, count - 1)
    return (others, newest)


def finished_at(row: Row, clock: At) -> datetime | None:
    """When the newest usable full backup was finished."""
    return clock({"at": _parts(text(row, "newest"), 5)[4]}, "at") if whole(row, "usable") else None


def _full(row: Row, name: str, at: At) -> FullBackup:
    restores_from, set_id, logs_from, logs_past, _ = _parts(text(row, name), 5)
    values = {"set_id": set_id, "from": logs_from, "past": logs_past, "restores": restores_from}
    return FullBackup(whole(values, "set_id"), at(values, "from"), at(values, "past"), at(values, "restores"))


def attempt_of(row: Row, clock: At) -> Attempt | None:
    """The newest data backup of a round."""
    if not text(row, "attempt"):
        return None
    started, set_id, status, kind = _parts(text(row, "attempt"), 4)
    values = {"set_id": set_id, "started": started}
    return Attempt(whole(values, "set_id"), status, clock(values, "started"), is_full(kind))


def is_full(kind: str) -> bool:
    """A manual of 4.x and 3.x write D for a full backup."""
    return kind.strip().upper() in {"FULL", "D"}


def _parts(value: str, count: int) -> Sequence[str]:
    parts = value.split("|")
    if len(parts) != count:
        raise UnreadableError(f"{value!r} does not have {count} parts")
    return parts


def set_problem(status: str, file_status: str) -> SetProblem | None:
    """Why a full backup of these two words cannot be used; None if it can."""
    done, files = status.strip().upper(), FileStatus.parse(file_status)
    if done in {"DOING", "RUNNING"} or (done == "SUCCESS" and files is FileStatus.COPYING):
        return SetProblem.RUNNING
    if done == "FAILED":
        return SetProblem.FAILED
    if files in CLEANED:
        return SetProblem.DELETED
    if done != "SUCCESS":
        return SetProblem.UNKNOWN
    if files is FileStatus.AVAILABLE:
        return None
    return SetProblem.UNKNOWN if files is FileStatus.UNKNOWN else SetProblem.BROKEN
