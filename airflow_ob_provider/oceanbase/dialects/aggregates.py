"""Rows that the server has aggregated, as rounds, pieces and backups. Both generations name their columns alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from airflow_ob_provider.oceanbase.catalog import Attempt
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.models import FileStatus
from airflow_ob_provider.oceanbase.rows import UnreadableError, text, whole
from airflow_ob_provider.oceanbase.windows import CLEANED, FullBackup, SetProblem, Stretch

At = Callable[[Row, str], datetime | None]
"""Reads a time of a row: of the logs (4.x: a system change number), or of the server's clock."""

PIECE_COLUMNS = """CASE WHEN FILE_STATUS = 'AVAILABLE' THEN 1 WHEN FILE_STATUS IN ('INCOMPLETE', 'INCOMPELTE') THEN 2
            WHEN FILE_STATUS IN ('EXPIRED', 'DELETING', 'DELETED') THEN 3 ELSE 4 END AS kind,
       CASE WHEN STATUS = 'FROZEN' THEN NULL ELSE {piece} END AS open_id"""
"""Of one piece, next to ``piece_id``, ``begins`` and ``ends``."""
PIECE_SUMS = """COUNT(*) AS pieces, MIN(piece_id) AS first_id, MAX(piece_id) AS newest_id,
       COUNT(CASE WHEN kind = 1 THEN 1 END) AS available, COUNT(CASE WHEN kind = 2 THEN 1 END) AS incomplete,
       COUNT(CASE WHEN kind = 3 THEN 1 END) AS cleaned, MAX(CASE WHEN kind = 2 THEN piece_id END) AS incomplete_last,
       MAX(CASE WHEN kind = 3 THEN piece_id END) AS cleaned_last, COUNT(open_id) AS open_pieces,
       MIN(open_id) AS open_first, MIN(begins) AS oldest_from, MAX(begins) AS newest_from, MAX(ends) AS newest_to,
       MIN(CASE WHEN kind = 1 THEN begins END) AS available_from"""
"""Of the pieces of one round."""

LINK_COLUMNS = """{piece} - CAST(ROW_NUMBER() OVER {window} AS SIGNED) AS shift,
       CASE WHEN {linked} THEN 0 ELSE 1 END AS is_break"""
"""Of one piece, for :data:`LINK_SUMS`; ``linked``: it begins where the one before ends.

Only a look at each piece and the one before can tell: sums of lengths come out right where a hole and an overlap are
of one size, and so do counts of numbers where one is missing and another is there twice.
"""
LINK_SUMS = "MAX(shift) - MIN(shift) AS jumps, SUM(is_break) AS breaks"
"""Whether the pieces of one round are numbered, and follow each other, without a hole."""


def stretches_of(row: Row, at: At, *, new_may_be_incomplete: bool) -> tuple[Stretch, ...] | None:
    """The pieces of a round from one row about all of them; None if they are not whole, so each must be looked at.

    Whole is: numbered without a hole, each beginning where the one before ends, AVAILABLE; what clean-up has taken
    lies before all others, and what is written to behind them.

    :param new_may_be_incomplete: 4.x: the newest piece is INCOMPLETE until every log stream has archived into it.
    """
    pieces, cleaned = whole(row, "pieces"), whole(row, "cleaned")
    if not pieces:
        return ()
    first, newest, is_new = whole(row, "first_id"), whole(row, "newest_id"), whole(row, "incomplete")
    opened, open_from = whole(row, "open_pieces"), _maybe(row, "open_first")
    if whole(row, "jumps") or whole(row, "breaks") or pieces != cleaned + whole(row, "available") + is_new:
        return None
    if cleaned and whole(row, "cleaned_last") != first + cleaned - 1:
        return None
    if open_from is not None and (open_from < first + cleaned or open_from + opened - 1 != newest):
        return None
    if is_new and not (new_may_be_incomplete and is_new == 1 and whole(row, "incomplete_last") == newest and opened):
        return None
    found: list[Stretch] = []
    kept, last = first + cleaned, newest - is_new
    from_here = at(row, "newest_from" if kept > last else "available_from")
    if cleaned:
        until = at(row, "newest_to") if cleaned == pieces else from_here
        found.append(Stretch(first, kept - 1, FileStatus.DELETED, at(row, "oldest_from"), until))
    if kept <= last:
        end = at(row, "newest_from" if is_new else "newest_to")
        is_open = open_from is not None and open_from <= last
        found.append(Stretch(kept, last, FileStatus.AVAILABLE, from_here, end, is_open=is_open))
    if is_new:
        found.append(Stretch(newest, newest, FileStatus.INCOMPLETE, at(row, "newest_from"), None, is_open=True))
    return tuple(found)


def _maybe(row: Row, name: str) -> int | None:
    return None if row.get(name) is None else whole(row, name)


def fulls_of(row: Row, at: At) -> tuple[FullBackup, ...]:
    """The oldest and the newest usable full backup of a round, which stand for all.

    All others begin their logs no earlier and end them no later than these two are made to, so where both of them can
    be restored, so can the others.
    """
    count = whole(row, "usable")
    if not count:
        return ()
    oldest, newest = (_full(row, name, at) for name in ("oldest", "newest"))
    if count == 1:
        return (oldest,)
    others = replace(oldest, logs_from=at(row, "earliest"), stands_for=count - 1)
    return (others, replace(newest, logs_past=at(row, "latest")))


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


def kind_of(word: str) -> bool | None:
    """Whether a backup is full; None where the word is in no manual."""
    return True if is_full(word) else False if word.strip().upper() in {"INC", "I"} else None


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
