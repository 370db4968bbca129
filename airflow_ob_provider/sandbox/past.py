"""What a test can put into a cluster's past: the words for it, checked, and what each generation must do with them.

:mod:`.history` is the door; ``v3/history.py`` and ``v4/history.py`` make rows of the words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cluster import BaseCluster

FILE_STATUSES = ("AVAILABLE", "COPYING", "INCOMPLETE", "DELETING", "EXPIRED", "BROKEN", "DELETED")
PIECE_STATUSES = ("ACTIVE", "FREEZING", "FROZEN", "INACTIVE")
CHANGES = ("status", "file_status", "start", "checkpoint", "end", "removed")
SET_STATUSES = ("SUCCESS", "FAILED", "DOING")
KINDS = ("full", "incremental")
#: FILE_STATUS of a set that nobody has named one for.
FILE_STATUS_OF = {"SUCCESS": "AVAILABLE", "FAILED": "INCOMPLETE", "DOING": "COPYING"}
#: Events have six pairs of columns.
MOST_VALUES = 6


@dataclass(frozen=True)
class NewRound:
    """A round; ``end`` is None while it runs. ``piece_days`` is None for the build's own default."""

    round_id: int
    start: datetime
    end: datetime | None = None
    tenant: str | None = None
    status: str | None = None
    comment: str = ""
    piece_days: int | None = None
    checkpoint: datetime | None = None
    first_piece_id: int | None = None
    destination: str | None = None


@dataclass(frozen=True)
class PieceChange:
    """``values``: what becomes of the pieces of that id."""

    piece_id: int
    round_id: int | None
    tenant: str | None
    values: dict[str, Any]


@dataclass(frozen=True)
class NewSet:
    """A backup set."""

    set_id: int
    start: datetime
    end: datetime | None = None
    tenant: str | None = None
    kind: str = "full"
    status: str = "SUCCESS"
    file_status: str | None = None
    restore_point: datetime | None = None
    replay_from: datetime | None = None
    result: int = 0
    comment: str = ""
    plus_archivelog: bool = False


@dataclass(frozen=True)
class NewCleanJob:
    """A deletion of backups that began ``at``."""

    at: datetime
    tenant: str | None = None
    status: str = "COMPLETED"
    result: int = 0
    comment: str = ""


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """An integer within the range, else ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        limit = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise ValueError(f"{name} is an integer {limit}, not {value!r}")
    return value


def moment(name: str, value: Any, low: datetime | None, high: datetime | None) -> datetime:
    """A naive datetime within the range, else ValueError."""
    if not isinstance(value, datetime) or value.tzinfo is not None:
        raise ValueError(f"{name} is the cluster's local time, a naive datetime, not {value!r}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"{name} is between {low or 'any time'} and {high or 'any time'}, not {value}")
    return value


def word(name: str, value: Any, known: Sequence[str]) -> str:
    """One of the known words, else ValueError."""
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}, not {value!r}")
    return str(value)


class Past(ABC):
    """The past of one cluster. What a build doesn't have is a ValueError."""

    def __init__(self, cluster: BaseCluster) -> None:
        self._base = cluster

    @property
    def now(self) -> datetime:
        return self._base.timeline.now

    # --- checks that hold for every build -------------------------------------------------------------

    def check_round(self, new: NewRound, statuses: Sequence[str]) -> None:
        """``statuses``: those of a running round."""
        whole("round_id", new.round_id, 1)
        moment("start", new.start, None, self.now)
        if new.end is not None:
            moment("end", new.end, new.start, self.now)
            word("status of a round with an end", new.status or "STOP", ("STOP",))
        elif new.status is not None:
            word("status of a round without an end", new.status, statuses)
        if new.checkpoint is not None:
            moment("checkpoint", new.checkpoint, new.start, new.end or self.now)
        if new.first_piece_id is not None:
            whole("first_piece_id", new.first_piece_id, 0)

    def check_follows(self, new: NewRound, last_id: int, last_end: datetime | None, *, running: bool) -> None:
        """A new round comes after the one before."""
        if running:
            raise ValueError(f"round {last_id} is running: put its end first, or clear()")
        whole("round_id, after the rounds that are there,", new.round_id, last_id + 1)
        if last_end is not None:
            moment("start, after the round before,", new.start, last_end, self.now)

    def check_change(self, change: PieceChange) -> None:
        for key, value in change.values.items():
            word("a change of a piece", key, CHANGES)
            if key == "status":
                word("status", value, PIECE_STATUSES)
            elif key == "file_status":
                word("file_status", value, FILE_STATUSES)
            elif key == "removed":
                if not isinstance(value, bool):
                    raise ValueError(f"removed is True or False, not {value!r}")
            elif value is not None:
                moment(key, value, None, None)

    def check_set(self, new: NewSet, taken: Iterable[int]) -> str:
        """FILE_STATUS of the set."""
        whole("set_id", new.set_id, 1)
        if new.set_id in taken:
            raise ValueError(f"set_id {new.set_id} is taken; free from {max(taken) + 1}")
        word("kind", new.kind, KINDS)
        word("status", new.status, SET_STATUSES)
        moment("start", new.start, None, self.now)
        if new.status == "DOING":
            if new.end is not None:
                raise ValueError("end of a set that is DOING is None")
        else:
            moment("end", new.end, new.start, self.now)
        for name, value in (("restore_point", new.restore_point), ("replay_from", new.replay_from)):
            if value is not None:
                moment(name, value, None, self.now)
        return word("file_status", new.file_status or FILE_STATUS_OF[new.status], FILE_STATUSES)

    # --- what every build has ---------------------------------------------------------------------------

    def event(self, at: datetime, module: str, event: str, values: dict[str, object]) -> None:
        if len(values) > MOST_VALUES:
            raise ValueError(f"an event has up to {MOST_VALUES} values, not {len(values)}")
        self._base.events.put_rootservice(moment("at", at, None, self.now), module, event, values)

    def incarnation(self, number: int) -> None:
        self._base.incarnation = whole("incarnation", number, 1)

    @abstractmethod
    def clear(self) -> None: ...

    @abstractmethod
    def round(self, new: NewRound) -> None: ...

    @abstractmethod
    def piece(self, change: PieceChange) -> None: ...

    @abstractmethod
    def backup_set(self, new: NewSet) -> None: ...

    @abstractmethod
    def clean_job(self, new: NewCleanJob) -> None: ...

    @abstractmethod
    def renumber(self, tenant: str, tenant_id: int) -> None: ...

    # --- 4.x ----------------------------------------------------------------------------------------------

    def policy(self, window: str | None, tenant: str | None) -> None:  # noqa: ARG002 - for subclasses
        raise self._missing("delete policies of its tenants; set backup_dest_option")

    def storage_check(self, at: datetime | None, tenant: str | None) -> None:  # noqa: ARG002 - for subclasses
        raise self._missing("CDB_OB_BACKUP_STORAGE_INFO")

    def log_disk(self, in_use: int, size: int, tenant: str | None) -> None:  # noqa: ARG002 - for subclasses
        raise self._missing("log disks of its tenants")

    def stream(self, ls_id: int, checkpoint: datetime, tenant: str, status: str) -> None:  # noqa: ARG002 - likewise
        raise self._missing("log streams")

    def _missing(self, what: str) -> ValueError:
        return ValueError(f"profile {self._base.build.name} has no {what}")
