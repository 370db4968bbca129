"""Backup pieces: the rows of CDB_OB_BACKUP_PIECE_FILES and how they are opened, switched and frozen.

Without splitting a round has one piece, id 0, per tenant. With ``log_archive_piece_switch_interval`` the ids
count up over all rounds (OceanBase 3.1.5 source, ``src/share/backup/ob_backup_struct.cpp`` and
``ob_log_archive_scheduler.cpp``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ACTIVE, FREEZING, FROZEN = "ACTIVE", "FREEZING", "FROZEN"


@dataclass
class Piece:
    """``end`` is None while MAX_TS is INT64_MAX (shown as ``MAX``)."""

    tenant_id: int
    round_id: int
    piece_id: int
    start_piece_id: int
    create_date: int
    start: datetime | None
    checkpoint: datetime | None = None
    end: datetime | None = None
    status: str = ACTIVE
    file_status: str = "AVAILABLE"
    #: the row is gone; the archive goes on
    removed: bool = False


class Pieces:
    """All pieces ever made; key (tenant, round, piece)."""

    def __init__(self) -> None:
        self.rows: list[Piece] = []

    def next_id(self) -> int:
        return max((piece.piece_id for piece in self.rows), default=0) + 1

    def of_round(self, round_id: int, *statuses: str) -> list[Piece]:
        return [p for p in self.rows if p.round_id == round_id and (not statuses or p.status in statuses)]

    def _active(self, tenant_id: int, round_id: int) -> Piece | None:
        return next((p for p in self.of_round(round_id, ACTIVE) if p.tenant_id == tenant_id), None)

    def open(self, tenant: int, round_id: int, piece: int, first: int, start: datetime, now: datetime) -> None:
        date = int(now.strftime("%Y%m%d"))
        self.rows.append(Piece(tenant, round_id, piece, first, date, start))

    def current(self, tenant_id: int, round_id: int) -> int:
        piece = self._active(tenant_id, round_id)
        return piece.piece_id if piece else 0

    def start_of_current(self, tenant_id: int, round_id: int) -> datetime | None:
        piece = self._active(tenant_id, round_id)
        return piece.start if piece else None

    def restart(self, tenant_id: int, round_id: int, start: datetime) -> None:
        """When the round is running the piece starts where the round does."""
        piece = self._active(tenant_id, round_id)
        if piece:
            piece.start = start

    def publish(self, round_id: int, checkpoints: dict[int, datetime]) -> None:
        for piece in self.of_round(round_id, ACTIVE):
            if piece.start is not None:
                piece.checkpoint = checkpoints.get(piece.tenant_id, piece.checkpoint)

    def begin_switch(self, round_id: int, now: datetime, checkpoints: dict[int, datetime]) -> int:
        """ACTIVE becomes FREEZING with its checkpoint; the next piece is ACTIVE without a start yet."""
        new_id = self.next_id()
        date = int(now.strftime("%Y%m%d"))
        for piece in self.of_round(round_id, ACTIVE):
            piece.status = FREEZING
            piece.checkpoint = checkpoints.get(piece.tenant_id, piece.checkpoint)
            self.rows.append(Piece(piece.tenant_id, round_id, new_id, piece.start_piece_id, date, None))
        return new_id

    def finish_switch(self, round_id: int, now: datetime) -> bool:
        """Every server has moved on: FREEZING becomes FROZEN, its MAX_TS is the next piece's START_TS."""
        freezing = self.of_round(round_id, FREEZING)
        for piece in freezing:
            self._freeze(piece, now)
            successor = self._active(piece.tenant_id, round_id)
            if successor:
                successor.start = piece.end
        return bool(freezing)

    def freeze_round(
        self, round_id: int, now: datetime, checkpoints: dict[int, datetime], tenant_id: int | None = None
    ) -> None:
        """The end of a round freezes what is open; so does, for one tenant, its drop."""
        for piece in self.of_round(round_id, ACTIVE, FREEZING):
            if tenant_id not in (None, piece.tenant_id):
                continue
            piece.checkpoint = checkpoints.get(piece.tenant_id, piece.checkpoint)
            piece.start = piece.start or now
            self._freeze(piece, now)

    def _freeze(self, piece: Piece, now: datetime) -> None:
        piece.status = FROZEN
        # Each tenant has its own global timestamp service, so the stamps differ a little.
        piece.end = now + timedelta(microseconds=piece.tenant_id * 13 % 1000)
