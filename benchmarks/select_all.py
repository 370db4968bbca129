"""Recoverable windows as a competent user works them out today: SELECT * of each view, and the rest in Python."""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import Any

import pymysql

Span = tuple[int, int]
"""From and until, system change numbers."""


def recoverable(port: int) -> dict[int, list[Span]]:
    """The windows that each user tenant can be restored into, by its number."""
    # All pieces of a large fleet take longer than the usual 10 s.
    limit = "SET SESSION ob_query_timeout = 600000000"
    with pymysql.connect(host="127.0.0.1", port=port, user="root@sys", init_command=limit) as connection:
        states = dict(_rows(connection, "CDB_OB_ARCHIVELOG", "tenant_id", "status"))
        for view in ("CDB_OB_ARCHIVE_DEST", "CDB_OB_BACKUP_STORAGE_INFO", "CDB_OB_BACKUP_DELETE_POLICY"):
            _rows(connection, view, *["tenant_id"] * 2)
        _rows(connection, "GV$OB_UNITS", "tenant_id", "log_disk_in_use", "log_disk_size")
        rounds = _rows(connection, "CDB_OB_ARCHIVELOG_SUMMARY", "tenant_id", "round_id", "checkpoint_scn")
        checkpoints = {(tenant, number): checkpoint for tenant, number, checkpoint in rounds}
        of_pieces = ("tenant_id", "round_id", "piece_id", "start_scn", "end_scn", "status", "file_status")
        pieces = defaultdict(list)
        for tenant, number, *piece in _rows(connection, "CDB_OB_ARCHIVELOG_PIECE_FILES", *of_pieces):
            pieces[tenant, number].append(piece)
        of_sets = ("tenant_id", "backup_type", "status", "file_status", "start_replay_scn", "min_restore_scn")
        sets = defaultdict(list)
        for tenant, kind, *words, logs_from, restores_from in _rows(connection, "CDB_OB_BACKUP_SET_FILES", *of_sets):
            if kind == "FULL" and words == ["SUCCESS", "AVAILABLE"]:
                sets[tenant].append((logs_from, restores_from))
    windows: dict[int, list[Span]] = {tenant: [] for tenant in states}
    for (tenant, number), found in sorted(pieces.items()):
        for run in _runs(sorted(found), checkpoints[tenant, number]):
            if firsts := [max(full) for full in sets[tenant] if run[0] <= full[0] and full[1] < run[1]]:
                windows[tenant].append((min(firsts), run[1]))
    return windows


def _rows(connection: Any, view: str, *columns: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM oceanbase.{view}")
        names = [column[0].lower() for column in cursor.description]
        return [*map(itemgetter(*map(names.index, columns)), cursor.fetchall())]


def _runs(pieces: list[list[Any]], checkpoint: int) -> list[Span]:
    """Logs of a round without a hole, up to its checkpoint."""
    runs: list[Span] = []
    last = None
    for piece_id, start, end, status, file_status in pieces:
        if file_status != "AVAILABLE":
            last = None
            continue
        until = min(end if status == "FROZEN" else checkpoint, checkpoint)
        if last is not None and last == (piece_id - 1, start):
            runs[-1] = (runs[-1][0], until)
        elif start <= checkpoint:
            runs.append((start, until))
        last = (piece_id, end)
    return runs
