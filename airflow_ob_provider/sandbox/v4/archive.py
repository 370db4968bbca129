"""The log archive of one tenant: a round, what a scheduler does with it, and the rounds before.

States and decisions as in kernel source, ``rootserver/backup/ob_archive_scheduler_service.cpp`` and
``share/backup/ob_archive_struct.h``. Nothing changes in a view but when the scheduler looks ("tick"), or, on 4.0, when
a statement acts on the round itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.clock import Event
from airflow_ob_provider.sandbox.errors import ServerError
from airflow_ob_provider.sandbox.values import parse_time

from .destination import Destination
from .rounds import (
    BEGINNING,
    DOING,
    INTERRUPTED,
    MOVING,
    PREPARE,
    STOP,
    STOPPING,
    STREAM_SECONDS,
    SUSPEND,
    SUSPENDING,
    Round,
    Stream,
)
from .scn import to_scn
from .tenants import LOG_STREAMS, Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster

#: How long a STOPPING may take before it is ended by force.
FORCE_SECONDS = 600.0
#: How soon a woken scheduler looks.
WAKE_SECONDS = 0.2
#: Without archive_lag_target (4.0, 4.1) the log streams behave as with its default.
DEFAULT_LAG = 120.0


class TenantArchive:
    """The state machine of one user tenant."""

    def __init__(self, cluster: Cluster, tenant: Tenant4) -> None:
        self._cluster = cluster
        self.tenant = tenant
        #: by DEST_NO; only 0 is ever used
        self.destinations: dict[int, Destination] = {0: Destination()}
        #: places this tenant has used, for the archive and for data backups
        self.dest_ids: dict[tuple[str, str], int] = {}
        self.round: Round | None = None
        self.stopped: list[Round] = []
        self.streams: list[Stream] = []
        # The schedulers of several tenants don't look at the same moment.
        phase = 0.1 + tenant.tenant_id % 5 * 0.17
        self._event: Event = cluster.timeline.after(phase * cluster.tick_seconds(moving=False), self._look)

    @property
    def destination(self) -> Destination:
        return self.destinations[0]

    @property
    def status(self) -> str:
        """STATUS of the latest round, '' before the first one."""
        return self.round.status if self.round else ""

    @property
    def running(self) -> bool:
        """A round exists that isn't STOP: the destination can't be changed."""
        return self.round is not None and self.round.status != STOP

    @property
    def rounds(self) -> list[Round]:
        """All rounds, oldest first: CDB_OB_ARCHIVELOG_SUMMARY."""
        return [*self.stopped, self.round] if self.round and self.running else list(self.stopped)

    def dest_id(self, key: tuple[str, str]) -> int:
        """The id of a place: the one it had, or the next."""
        return self.dest_ids.setdefault(key, 1001 + len(self.dest_ids))

    def clear(self) -> None:
        """Test back door: nothing has ever been archived."""
        self.round = None
        self.stopped.clear()
        self.streams = []

    def end(self) -> None:
        """The tenant is dropped."""
        self._event.cancel()

    # --- statements -------------------------------------------------------------------------------------

    def start_now(self) -> None:
        """ARCHIVELOG of 4.0."""
        if self.running or not self.tenant.normal:
            raise ServerError(9023)
        if self.destination.place is None:
            raise ServerError(9026)
        self.prepare()

    def stop_now(self) -> None:
        """NOARCHIVELOG of 4.0."""
        if self.status not in {PREPARE, BEGINNING, DOING, INTERRUPTED}:
            raise ServerError(9024)
        self.change(STOPPING)

    def wake(self) -> None:
        """Look at once instead of at the next tick."""
        self._schedule(WAKE_SECONDS)

    def interrupt(self, ls_id: int) -> None:
        """Break a log stream for good."""
        stream = next((s for s in self.streams if s.ls_id == ls_id), None)
        if stream is None:
            raise ValueError(f"tenant {self.tenant.name} archives no log stream {ls_id} now")
        stream.broken = True

    # --- the scheduler ----------------------------------------------------------------------------------

    @property
    def _now(self) -> datetime:
        return self._cluster.timeline.now

    def _schedule(self, seconds: float) -> None:
        self._event.cancel()
        self._event = self._cluster.timeline.after(seconds, self._look)

    def _look(self) -> None:
        self.tick()
        self._schedule(self._cluster.tick_seconds(moving=self.status in MOVING))

    def tick(self) -> None:
        """One look: how far the round is, then what the tenant's settings ask for."""
        passes: dict[str, Callable[[Round], None]] = {
            PREPARE: self.pass_prepare,
            BEGINNING: self._pass_beginning,
            DOING: self._pass_doing,
            SUSPENDING: self._pass_suspending,
            STOPPING: self._pass_stopping,
        }
        before = self.status
        if self.round and before in passes:
            passes[before](self.round)
        # PREPARE is left as it is: NOARCHIVELOG is applied at the next look.
        if self._cluster.profile.log_mode and before != PREPARE and self.destination.place is not None:
            self._decide(before)

    def _decide(self, before: str) -> None:
        """NOARCHIVELOG goes before DEFER, DEFER before a start; these two leave a round alone that has just moved."""
        status = self.status
        if self.tenant.log_mode and status != before:
            return
        if not self.tenant.log_mode:
            if status in {BEGINNING, DOING, INTERRUPTED, SUSPENDING, SUSPEND}:
                self._log("disable_archive")
                self.change(STOPPING)
        elif not self.destination.enabled:
            if status == DOING or (status == INTERRUPTED and self._cluster.profile.suspends_interrupted):
                self._log("defer_archive")
                self.change(SUSPENDING)
        elif status in {"", STOP}:
            if self.tenant.normal:
                self._log("enable_archive")
                self.prepare()
        elif status == SUSPEND:
            self._log("enable_archive")
            self.begin(resumed=True)

    def pass_prepare(self, current: Round, *, start: datetime | None = None) -> None:
        """The start SCN is taken: now, but for a test that wants a round of some age."""
        current.start_scn = current.checkpoint_scn = to_scn(start or self._now)
        current.open_piece(current.start_scn)
        self.begin(resumed=False)

    def _pass_beginning(self, current: Round) -> None:
        if self.interrupted(current):
            return
        self._archive(current, frozen=False)
        ready = all(stream.checkpoint >= stream.ready for stream in self.streams)
        if ready and current.checkpoint_scn > current.start_scn:
            self.change(DOING)

    def _pass_doing(self, current: Round) -> None:
        if not self.interrupted(current):
            self._archive(current, frozen=self._cluster.faults.frozen_checkpoint)

    def _pass_suspending(self, _: Round) -> None:
        if self._heard():
            self.change(SUSPEND)

    def _pass_stopping(self, current: Round) -> None:
        forced = self._cluster.profile.force_stop and self._waited(FORCE_SECONDS)
        if forced:
            current.comment = "force stop, result: -4009(IO error)"
        if forced or self._heard():
            self.finish()

    def _heard(self) -> bool:
        """Every log stream has followed; none does while it can't write its last log."""
        return self._waited(STREAM_SECONDS) and not self._stuck

    @property
    def _stuck(self) -> bool:
        """No log stream can write: its medium is dead, or a server is."""
        return bool(self._cluster.faults.dead_servers) or self._cluster.is_dead(self.tenant.tenant_id)

    def _waited(self, seconds: float) -> bool:
        return self.round is not None and self._now >= self.round.since + timedelta(seconds=seconds)

    # --- transitions --------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """A new round, with the destination as it is now."""
        destination, place = self.destination, self.destination.place
        assert place is not None  # noqa: S101 - checked by every caller
        last = self.stopped[-1] if self.stopped else None
        piece = last.used_piece_id + 1 if last else 1
        self.streams = []
        self.round = Round(
            dest_id=int(destination.rows["dest_id"]),
            round_id=last.round_id + 1 if last else 1,
            path=place.shown,
            interval=destination.interval,
            base_piece_id=piece,
            used_piece_id=piece,
            since=self._now,
        )
        self._log("change_status", old_status="", new_status=PREPARE)

    def begin(self, *, resumed: bool) -> None:
        """Every log stream is told to start, or to go on where it was."""
        slow = self._cluster.slow_start(self.tenant)
        now = self._now
        old = {stream.ls_id: stream for stream in self.streams} if resumed else {}
        streams = []
        for index, ls_id in enumerate(LOG_STREAMS):
            ready = now + timedelta(seconds=STREAM_SECONDS + index * 0.5 + slow)
            was = old.get(ls_id)
            # One log stream is due while the other waits, so the slowest one decides.
            first = ready + timedelta(seconds=self.lag * (index + 1) / (len(LOG_STREAMS) + 1))
            streams.append(
                Stream(ls_id, was.start if was else now, ready, was.checkpoint if was else now, first,
                       was.broken if was else False)
            )  # fmt: skip
        self.streams = streams
        self.change(BEGINNING)

    def change(self, status: str) -> None:
        """A new STATUS, and its event."""
        if self.round:
            self._log("change_status", old_status=self.round.status, new_status=status)
            self.round.status, self.round.since = status, self._now

    def finish(self) -> None:
        """STOP: the round is history, and still the tenant's latest."""
        self.change(STOP)
        if self.round:
            self.round.freeze()
            self.stopped.append(self.round)

    def interrupted(self, current: Round) -> bool:
        broken = next((stream for stream in self.streams if stream.broken), None)
        if broken is not None:
            current.comment = f"log stream {broken.ls_id} interrupted"
            self.change(INTERRUPTED)
        return broken is not None

    # --- the log streams ------------------------------------------------------------------------------------

    @property
    def lag(self) -> float:
        """archive_lag_target in seconds."""
        text = self._cluster.parameters.value("archive_lag_target", self.tenant)
        parsed = parse_time(text) if text else None
        return DEFAULT_LAG if parsed is None else parsed

    def _archive(self, current: Round, *, frozen: bool) -> None:
        if not (frozen or self._stuck):
            for stream in self.streams:
                stream.flush(self._now, self.lag)
        marks = [stream.checkpoint for stream in self.streams]
        current.publish(min(marks), max(marks))

    def catch_up(self) -> None:
        """Test back door: every log stream has started and archived up to now."""
        for stream in self.streams:
            stream.ready = min(stream.ready, self._now)
            stream.checkpoint = max(stream.checkpoint, self._now)
            stream.next_flush = self._now + timedelta(seconds=self.lag)

    def _log(self, event: str, **values: object) -> None:
        round_id = self.round.round_id if self.round else 0
        self._cluster.events.add_rootservice(
            "log_archive", event, tenant_id=self.tenant.tenant_id, dest_no=0, round_id=round_id, **values
        )
