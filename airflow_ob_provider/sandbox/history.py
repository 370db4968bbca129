"""Test back door: any history of rounds, pieces and backup sets, put up in words.

Times are naive and of the cluster's zone, as everywhere in the sandbox; ``tenant=None`` is every user tenant. What
can't be is a ValueError with what can.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from .past import NewCleanJob, NewRound, NewSet, Past, PieceChange
from .world import World

#: Arguments that are times, for those who can only write texts.
TIMES = frozenset({"at", "start", "end", "checkpoint", "restore_point", "replay_from"})


class History:
    """The rows show what is put here at once; a running round goes on from there when the clock moves."""

    def __init__(self, world: World) -> None:
        self._world = world

    @contextmanager
    def _past(self) -> Iterator[Past]:
        with self._world.locked() as cluster:
            yield cluster.past

    def clear(self) -> None:
        """No rounds, pieces, backup sets, jobs and their events, as if neither had ever run.

        Destinations, parameters and LOG_MODE stay, so the scheduler of a 4.x tenant in ARCHIVELOG mode starts round 1
        at its next look.
        """
        with self._past() as past:
            past.clear()

    def round(
        self,
        round_id: int,
        start: datetime,
        end: datetime | None = None,
        *,
        tenant: str | None = None,
        status: str | None = None,
        comment: str = "",
        piece_days: int | None = None,
        checkpoint: datetime | None = None,
        first_piece_id: int | None = None,
        destination: str | None = None,
    ) -> None:
        """A round after those that are there, with its pieces and its events.

        :param end: when it stopped; None: it is the running one, and lives on.
        :param tenant: 4.x; a round of 3.x is the cluster's.
        :param status: of a running round: DOING unless given. LOG_MODE and the destination's state follow it.
        :param piece_days: 1 unless given; 0 (3.x only) is no splitting. It is set for a running round too.
        :param checkpoint: of a stopped round its end, of a running one a healthy lag ago, of BEGINNING its start,
            unless given. A log stream that is behind catches up when the clock moves, but for a fault or
            :meth:`stream`.
        :param first_piece_id: the next one unless given.
        :param destination: where it archives to: the configured place unless given, or one of the tenant's own. A
            running round's place becomes the configured one.
        """
        with self._past() as past:
            past.round(
                NewRound(round_id, start, end, tenant, status, comment, piece_days, checkpoint, first_piece_id,
                         destination)
            )  # fmt: skip

    def piece(self, piece_id: int, *, round_id: int | None = None, tenant: str | None = None, **changes: Any) -> None:
        """Change ``status``, ``file_status``, ``start``, ``checkpoint``, ``end`` of rows, or hide them: ``removed``.

        3.x: None for a time is one that isn't set.
        """
        with self._past() as past:
            past.piece(PieceChange(piece_id, round_id, tenant, changes))

    def backup_set(
        self,
        set_id: int,
        start: datetime,
        end: datetime | None = None,
        *,
        tenant: str | None = None,
        kind: str = "full",
        status: str = "SUCCESS",
        file_status: str | None = None,
        restore_point: datetime | None = None,
        replay_from: datetime | None = None,
        result: int = 0,
        comment: str = "",
        plus_archivelog: bool = False,
    ) -> None:
        """A backup set and its job.

        :param kind: full or incremental, which builds on the sets that are there.
        :param status: SUCCESS, FAILED, or DOING, which has no end and goes on by itself.
        :param file_status: AVAILABLE, INCOMPLETE or COPYING, as the status wants, unless given.
        :param restore_point: 4.x MIN_RESTORE_SCN: its end unless given, 0 if it isn't a SUCCESS.
        :param replay_from: 4.x START_REPLAY_SCN: its start unless given, 0 if it isn't a SUCCESS; 3.2.4
            START_REPLAY_LOG_TS.
        :param result: 4.x; 0 of a FAILED set becomes 4016 with the build's sign.
        """
        with self._past() as past:
            past.backup_set(
                NewSet(set_id, start, end, tenant, kind, status, file_status, restore_point, replay_from, result,
                       comment, plus_archivelog)
            )  # fmt: skip

    def clean_job(
        self, at: datetime, *, tenant: str | None = None, status: str = "COMPLETED", result: int = 0, comment: str = ""
    ) -> None:
        """A deletion of old backups that began ``at``; it took a minute if it has ended."""
        with self._past() as past:
            past.clean_job(NewCleanJob(at, tenant, status, result, comment))

    def policy(self, window: str | None, *, tenant: str | None = None) -> None:
        """4.x: the delete policy's RECOVERY_WINDOW, such as 7d; None: no policy."""
        with self._past() as past:
            past.policy(window, tenant)

    def storage_check(self, at: datetime | None, *, tenant: str | None = None) -> None:
        """4.x: LAST_CHECK_TIMESTAMP of the archive's destination; None: the destination has no row."""
        with self._past() as past:
            past.storage_check(at, tenant)

    def log_disk(self, in_use: int, size: int, *, tenant: str | None = None) -> None:
        """4.x: bytes of each of the tenant's units now; more come while its archive doesn't get on."""
        with self._past() as past:
            past.log_disk(in_use, size, tenant)

    def stream(self, ls_id: int, checkpoint: datetime, *, tenant: str, status: str = "DOING") -> None:
        """4.1+: hold a log stream of the running round at a checkpoint, DOING or INTERRUPTED; the round waits for it.

        The checkpoint is then never ahead of the round's; an id that is new makes one more log stream.
        """
        with self._past() as past:
            past.stream(ls_id, checkpoint, tenant, status)

    def event(self, at: datetime, module: str, event: str, **values: object) -> None:
        """An event of the RootService, with up to six values."""
        with self._past() as past:
            past.event(at, module, event, values)

    def renumber(self, tenant: str, tenant_id: int) -> None:
        """Drop a tenant and create another of its name: with the id, its own settings and no past."""
        with self._past() as past:
            past.renumber(tenant, tenant_id)

    def incarnation(self, number: int) -> None:
        """INCARNATION in every view of the archive."""
        with self._past() as past:
            past.incarnation(number)

    def run(self, name: str, arguments: dict[str, Any] | list[Any]) -> None:
        """One of these by its name, with times as ISO texts: what a SANDBOX HISTORY statement says."""
        names = [n for n, member in vars(History).items() if inspect.isfunction(member) and n[0] != "_" and n != "run"]
        if name not in names:
            raise ValueError(f"no history called {name!r}; known: {', '.join(sorted(names))}")
        method = getattr(self, name)
        positional = arguments if isinstance(arguments, list) else []
        given = dict(zip(inspect.signature(method).parameters, positional, strict=False))
        if len(given) < len(positional):
            raise ValueError(f"{name} takes {len(given)} arguments in a list, not {len(positional)}")
        given |= arguments if isinstance(arguments, dict) else {}
        times = {"at"} if name == "event" else TIMES
        try:
            method(**{key: _moment(value) if key in times else value for key, value in given.items()})
        except TypeError as error:
            raise ValueError(str(error).replace("History.", "")) from None


def _moment(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
