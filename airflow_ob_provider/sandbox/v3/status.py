"""The words of STATUS and the row that carries them (CDB_OB_BACKUP_ARCHIVELOG)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

STOP, BEGINNING, DOING, STOPPING, INTERRUPTED = "STOP", "BEGINNING", "DOING", "STOPPING", "INTERRUPTED"
STATUSES = (STOP, BEGINNING, DOING, STOPPING, INTERRUPTED)


@dataclass
class StatusRow:
    """A row of CDB_OB_BACKUP_ARCHIVELOG."""

    tenant_id: int
    round_id: int = 0
    status: str = STOP
    start_piece_id: int = 0
    piece_id: int = 0
    first: datetime | None = None
    next: datetime | None = None
