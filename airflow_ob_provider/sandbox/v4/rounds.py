"""Rounds, log streams and pieces: what a tenant's log archive consists of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .scn import to_scn

PREPARE, BEGINNING, DOING, INTERRUPTED = "PREPARE", "BEGINNING", "DOING", "INTERRUPTED"
SUSPENDING, SUSPEND, STOPPING, STOP = "SUSPENDING", "SUSPEND", "STOPPING", "STOP"
STATUSES = (PREPARE, BEGINNING, DOING, INTERRUPTED, SUSPENDING, SUSPEND, STOPPING, STOP)
#: The scheduler looks more often while a round is in one of these.
MOVING = frozenset({PREPARE, BEGINNING, SUSPENDING, STOPPING})
ACTIVE, FROZEN = "ACTIVE", "FROZEN"

#: How much log a log stream writes; nothing is compressed in 4.x.
BYTES_PER_SECOND = 256 * 1024
#: How long a log stream needs until it has heard of a change.
STREAM_SECONDS = 1.0


@dataclass
class Stream:
    """The archiving of one log stream in the present round."""

    ls_id: int
    start: datetime
    ready: datetime
    checkpoint: datetime
    next_flush: datetime
    broken: bool = False
    #: stays where it is, and the round's checkpoint with it
    held: bool = False

    def flush(self, now: datetime, period: float) -> None:
        """Archive what is due: at once when ready, then once per period; with period 0 all the time."""
        if self.broken or self.held or now < self.ready:
            return
        self.checkpoint = max(self.checkpoint, self.ready)
        if period <= 0:
            self.checkpoint = max(self.checkpoint, now - timedelta(milliseconds=300))
            return
        # A period that has become shorter counts at once.
        self.next_flush = min(self.next_flush, now + timedelta(seconds=period))
        if self.next_flush <= now:
            step = timedelta(seconds=period)
            missed = (now - self.next_flush) // step
            self.checkpoint = self.next_flush + missed * step
            self.next_flush = self.checkpoint + step


@dataclass(slots=True)
class Piece:
    """A row of CDB_OB_ARCHIVELOG_PIECE_FILES: the log of [start, end)."""

    dest_id: int
    round_id: int
    piece_id: int
    path: str
    start_scn: int
    end_scn: int
    checkpoint_scn: int = 0
    max_scn: int = 0
    status: str = ACTIVE
    file_status: str = "INCOMPLETE"
    #: the row is gone; the archive goes on
    removed: bool = False

    @property
    def bytes(self) -> int:
        return max(0, self.checkpoint_scn - self.start_scn) // 10**9 * BYTES_PER_SECOND


@dataclass
class Round:
    """A row of CDB_OB_ARCHIVELOG. ``since``: when the present status began."""

    dest_id: int
    round_id: int
    path: str
    #: seconds
    interval: float
    base_piece_id: int
    used_piece_id: int
    since: datetime
    status: str = PREPARE
    start_scn: int = 0
    checkpoint_scn: int = 0
    comment: str = ""
    pieces: list[Piece] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(piece.bytes for piece in self.pieces)

    @property
    def visible_pieces(self) -> Iterator[Piece]:
        return (piece for piece in self.pieces if not piece.removed)

    def open_piece(self, start_scn: int) -> None:
        """The next piece (the first one has the round's base id), INCOMPLETE until every log stream is in it."""
        self.used_piece_id = self.base_piece_id + len(self.pieces)
        end = start_scn + int(self.interval) * 10**9
        self.pieces.append(Piece(self.dest_id, self.round_id, self.used_piece_id, self.path, start_scn, end, start_scn,
                                 start_scn))  # fmt: skip

    def publish(self, checkpoint: datetime, newest: datetime) -> None:
        """Take over how far the slowest (and the fastest) log stream is, and roll pieces that are full."""
        self.checkpoint_scn = max(self.checkpoint_scn, to_scn(checkpoint))
        while self.pieces and self.checkpoint_scn >= self.pieces[-1].end_scn:
            full = self.pieces[-1]
            # The last log of a piece is a little older than its end.
            full.checkpoint_scn = full.max_scn = full.end_scn - 10**9
            full.status, full.file_status = FROZEN, "AVAILABLE"
            self.open_piece(full.end_scn)
        if not self.pieces:
            return
        piece = self.pieces[-1]
        if piece.start_scn < piece.checkpoint_scn:
            piece.file_status = "AVAILABLE"
        piece.checkpoint_scn = max(piece.checkpoint_scn, self.checkpoint_scn)
        piece.max_scn = max(piece.max_scn, piece.checkpoint_scn, min(to_scn(newest), piece.end_scn - 1))

    def rewind(self, checkpoint: datetime) -> None:
        """Test back door: back to an older checkpoint, and to the piece it is in."""
        scn = to_scn(checkpoint)
        while len(self.pieces) > 1 and self.pieces[-1].start_scn > scn:
            self.pieces.pop()
            last = self.pieces[-1]
            last.status, last.end_scn = ACTIVE, last.start_scn + int(self.interval) * 10**9
            self.used_piece_id = last.piece_id
        self.checkpoint_scn = scn
        for piece in self.pieces[-1:]:
            piece.checkpoint_scn = scn
            piece.max_scn = max(piece.max_scn, scn)

    def freeze(self) -> None:
        """The round has stopped: its last piece ends where it is."""
        if self.pieces:
            piece = self.pieces[-1]
            piece.status, piece.file_status = FROZEN, "AVAILABLE"
            piece.end_scn = max(piece.checkpoint_scn, piece.start_scn)
            piece.max_scn = min(piece.max_scn, piece.end_scn)

    def trim(self) -> None:
        """Test back door: a round that stopped where a piece ends has no empty piece after it."""
        if len(self.pieces) > 1 and self.pieces[-1].start_scn == self.pieces[-1].end_scn:
            self.pieces.pop()
            last = self.pieces[-1]
            last.checkpoint_scn = last.max_scn = last.end_scn
            self.used_piece_id = last.piece_id
