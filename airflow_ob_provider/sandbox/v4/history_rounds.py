"""Test back door: rounds, pieces and log streams of one tenant's past, and the running round that goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.errors import ServerError
from airflow_ob_provider.sandbox.past import NewRound, PieceChange, whole
from airflow_ob_provider.sandbox.values import DAY

from .archive import TenantArchive
from .destination import Wanted
from .forcing import set_destination
from .rounds import (
    BEGINNING,
    DOING,
    INTERRUPTED,
    PREPARE,
    STOP,
    STOPPING,
    SUSPEND,
    SUSPENDING,
    Piece,
    Round,
    Stream,
)
from .scn import to_scn, to_time
from .settings import ARCHIVE
from .tenants import LOG_STREAMS
from .uri import Place, parse_uri

if TYPE_CHECKING:
    from .cluster import Cluster

#: What a healthy round went through, and how long after its start.
FIRST_STATES = ((PREPARE, BEGINNING, 2.0), (BEGINNING, DOING, 6.0))
#: How far the other log streams are ahead of the slowest one, as a share of the lag target.
AHEAD = 0.3
TIMES = {"start": "start_scn", "checkpoint": "checkpoint_scn", "end": "end_scn"}


class PastRounds:
    """Puts rounds into a tenant's archive. The words have been checked, but for what depends on the tenant."""

    def __init__(self, cluster: Cluster, archive: TenantArchive) -> None:
        self._cluster = cluster
        self._archive = archive

    @property
    def _now(self) -> datetime:
        return self._cluster.timeline.now

    @property
    def last(self) -> Round | None:
        return self._archive.round or (self._archive.stopped[-1] if self._archive.stopped else None)

    def put(self, new: NewRound) -> None:
        archive, cluster = self._archive, self._cluster
        place = self._place(new)
        last = self.last
        first = new.first_piece_id or (last.used_piece_id + 1 if last else 1)
        status = STOP if new.end else new.status or DOING
        days = new.piece_days or 1
        found = Round(archive.dest_id(place.key), new.round_id, place.shown, days * DAY, first, first, new.start,
                      status, comment=new.comment)  # fmt: skip
        if status != PREPARE:
            self._fill(found, new, status)
        archive.round = found
        archive.streams = []
        if new.end:
            found.since = new.end
            archive.stopped.append(found)
            archive.tenant.log_mode = False
        else:
            self._run(found, place, int(days))
        self._events(found, new)
        cluster.medium.use(place, archive.tenant.tenant_id, ARCHIVE)

    def check_first_piece(self, new: NewRound) -> None:
        if new.first_piece_id is not None:
            whole("first_piece_id, after the pieces that are there,", new.first_piece_id,
                  self.last.used_piece_id + 1 if self.last else 1)  # fmt: skip

    def _place(self, new: NewRound) -> Place:
        if new.destination is None:
            set_destination(self._cluster, self._archive)
            place = self._archive.destination.place
            assert place is not None  # noqa: S101 - just set
            return place
        try:
            return parse_uri(new.destination, self._cluster.profile.schemes)
        except ServerError as error:
            schemes = ", ".join(f"{scheme}://" for scheme in self._cluster.profile.schemes)
            raise ValueError(f"destination is a URI of {schemes}: {error.message}") from None

    def _fill(self, found: Round, new: NewRound, status: str) -> None:
        """Its SCNs and pieces."""
        lag = timedelta(seconds=self._archive.lag / 2)
        healthy = new.start if status == BEGINNING else max(new.start, self._now - lag)
        checkpoint = new.checkpoint or new.end or healthy
        ahead = checkpoint + timedelta(seconds=self._archive.lag * AHEAD)
        newest = checkpoint if new.end or status == BEGINNING else min(self._now, ahead)
        found.start_scn = found.checkpoint_scn = to_scn(new.start)
        found.open_piece(found.start_scn)
        # The second time, the newest piece has got somewhere: every log stream is in it.
        for _ in range(2):
            found.publish(checkpoint, newest)
        if new.end:
            found.freeze()
            found.trim()

    def _run(self, found: Round, place: Place, days: int) -> None:
        """The running round: settings and log streams as it needs them, its scheduler goes on."""
        archive, status = self._archive, found.status
        destination = archive.destination
        if destination.place is None or destination.place.key != place.key or destination.interval != days * DAY:
            binding = destination.rows.get("binding", "OPTIONAL")
            destination.store(Wanted(place, binding, days * DAY), found.dest_id)
        destination.rows["state"] = "DEFER" if status in {SUSPENDING, SUSPEND} else "ENABLE"
        archive.tenant.log_mode = status not in {STOPPING}
        if status == BEGINNING:
            found.status = PREPARE
            archive.begin(resumed=False)
        elif status != PREPARE:
            archive.streams = self._streams(found)
        if status in {PREPARE, BEGINNING, SUSPENDING, STOPPING}:
            found.since = self._now
        if status == INTERRUPTED:
            archive.streams[-1].broken = True
            found.comment = found.comment or f"log stream {LOG_STREAMS[-1]} interrupted"

    def _streams(self, found: Round) -> list[Stream]:
        """The slowest one is where the round is; each goes on a lag target after where it is."""
        start, slowest, lag = to_time(found.start_scn), to_time(found.checkpoint_scn), self._archive.lag
        streams = []
        for index, ls_id in enumerate(LOG_STREAMS):
            mark = min(self._now, slowest + timedelta(seconds=lag * AHEAD * index))
            streams.append(Stream(ls_id, start, start, mark, mark + timedelta(seconds=lag)))
        return streams

    def _events(self, found: Round, new: NewRound) -> None:
        def log(at: datetime, old: str, status: str) -> None:
            values = {"tenant_id": self._archive.tenant.tenant_id, "dest_no": 0, "round_id": found.round_id,
                      "old_status": old, "new_status": status}  # fmt: skip
            self._cluster.events.put_rootservice(min(at, new.end or self._now), "log_archive", "change_status", values)

        log(new.start, "", PREPARE)
        if found.status in {PREPARE, BEGINNING}:
            # A beginning is an event of now, by itself.
            return
        before = PREPARE
        for old, status, seconds in FIRST_STATES:
            log(new.start + timedelta(seconds=seconds), old, status)
            before = status
        if found.status == STOP:
            log(found.since, DOING, STOPPING)
            before = STOPPING
        if found.status != before:
            log(found.since if found.status == STOP else self._when(found), before, found.status)

    def _when(self, found: Round) -> datetime:
        """When a running round got into its state, if that isn't the usual one."""
        return to_time(found.checkpoint_scn) if found.status in {INTERRUPTED, SUSPEND} else self._now

    # --- pieces ---------------------------------------------------------------------------------------

    def pieces(self, change: PieceChange) -> list[Piece]:
        return [
            piece
            for found in self._archive.rounds
            if change.round_id in (None, found.round_id)
            for piece in found.pieces
            if piece.piece_id == change.piece_id and (not piece.removed or "removed" in change.values)
        ]

    def ids(self) -> list[int]:
        return [piece.piece_id for found in self._archive.rounds for piece in found.visible_pieces]

    @staticmethod
    def change(piece: Piece, change: PieceChange) -> None:
        for key, value in change.values.items():
            setattr(piece, TIMES.get(key, key), to_scn(value) if key in TIMES else value)
        if "checkpoint" in change.values:
            piece.max_scn = piece.checkpoint_scn
        piece.max_scn = min(max(piece.max_scn, piece.checkpoint_scn), max(piece.end_scn, piece.checkpoint_scn))

    # --- log streams ------------------------------------------------------------------------------------

    def hold(self, ls_id: int, checkpoint: datetime, *, broken: bool) -> None:
        archive, found = self._archive, self._archive.round
        assert found is not None  # noqa: S101 - checked by the caller
        stream = next((s for s in archive.streams if s.ls_id == ls_id), None)
        if stream is None:
            start = to_time(found.start_scn)
            stream = Stream(ls_id, start, start, checkpoint, checkpoint)
            archive.streams.append(stream)
            archive.streams.sort(key=lambda s: s.ls_id)
        stream.checkpoint, stream.held, stream.broken = checkpoint, True, broken
        if to_scn(checkpoint) < found.checkpoint_scn:
            found.rewind(checkpoint)
