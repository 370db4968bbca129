"""The log archive of a cluster: rounds, their STATUS per tenant, and what moves them.

One RootService loop decides, the OBServers archive and report. Rules as in OceanBase 3.1.5 source,
``src/rootserver/backup/ob_log_archive_scheduler.cpp``; delays as measured on 3.1.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.clock import Event
from airflow_ob_provider.sandbox.errors import ServerError, not_supported
from airflow_ob_provider.sandbox.topology import SYS_TENANT_ID
from airflow_ob_provider.sandbox.values import parse_time

from .archivers import Archivers
from .options import DestOption, destination_key, parse_dest_option
from .pieces import Pieces
from .status import BEGINNING, DOING, INTERRUPTED, STATUSES, STOP, STOPPING, StatusRow

if TYPE_CHECKING:
    from .cluster import Cluster

#: ARCHIVELOG and NOARCHIVELOG wake the RootService's loop at once.
WAKE_SECONDS = 0.3


class LogArchive:
    """The state machine STOP → BEGINNING → DOING (→ INTERRUPTED) → STOPPING → STOP."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.sys = StatusRow(SYS_TENANT_ID)
        self.tenants: dict[int, StatusRow] = {}
        self.history: list[StatusRow] = []
        self.pieces = Pieces()
        #: the destination is copied into the round when it starts; later changes don't affect it
        self.destination = ""
        #: destinations that hold archive info of this cluster
        self.used_destinations: set[str] = set()
        self.archivers = Archivers(cluster, self)
        self._pass: Event | None = None

    # --- statements -----------------------------------------------------------------------------------

    def start(self) -> None:
        """ALTER SYSTEM ARCHIVELOG. Not idempotent: only STOP can start."""
        cluster = self._cluster
        cluster.check_root_service()
        if not cluster.profile.archivelog_works:
            # CE 3.1.0 carries the code but the feature isn't available (oceanbase/oceanbase#281).
            raise ServerError(4114 if self.sys.status == STOP else cluster.profile.second_archivelog)
        if cluster.faults.inner_tables_old:
            raise not_supported("start/stop log archive before upgrade backup inner table is")
        if not cluster.parameters.central("backup_dest"):
            # The RootService looks three times, a second apart.
            raise ServerError(9026, blocks=2.0)
        if cluster.faults.standby:
            raise not_supported("backup in not primary cluster is")
        if self.sys.status != STOP:
            if cluster.profile.second_archivelog == 9023:
                raise ServerError(9023)
            raise not_supported("start log archive backup when not STOP is")
        cluster.check_gts()
        self._begin(cluster.parameters.central("backup_dest"))

    def stop(self) -> None:
        """ALTER SYSTEM NOARCHIVELOG. Asynchronous; complete when STATUS is STOP."""
        cluster = self._cluster
        cluster.check_root_service()
        if cluster.faults.inner_tables_old:
            raise not_supported("start/stop log archive before upgrade backup inner table is")
        if self.sys.status in {STOP, STOPPING}:
            raise ServerError(9024)
        self._stopping()

    def force_cancel(self) -> None:
        """The archive's part of CANCEL ALL BACKUP FORCE: like NOARCHIVELOG, errors swallowed."""
        if self.sys.status not in {STOP, STOPPING}:
            self._stopping()
        elif self.sys.status == STOPPING:
            self._wake(WAKE_SECONDS)

    def force(self, status: str) -> None:
        """Test back door: put the archive into a state, with rows, pieces and history that go with it."""
        if status not in STATUSES:
            raise ValueError(f"unknown status {status!r}, known: {', '.join(STATUSES)}")
        if status == STOP:
            self._force_stop()
        else:
            self._force_round(status)

    def _force_stop(self) -> None:
        if self.sys.status != STOP:
            self._finish()
            self._cluster.run_internal_set("enable_log_archive", "False")

    def _force_round(self, status: str) -> None:
        if status == BEGINNING:
            self._force_stop()
        if self.sys.status == STOP:
            self._begin(self._cluster.parameters.central("backup_dest") or "file:///data/nfs/backup")
        self.used_destinations.add(destination_key(self.destination))
        self._prepare_tenants()
        if status != BEGINNING:
            self._force_running()
        if status == STOPPING:
            self._stopping()
        elif status == INTERRUPTED:
            self.archivers.interrupt()
            self._pass_interrupted()
        if self.sys.status != status:
            self._change(self.sys, status)
        self._wake(WAKE_SECONDS if status == STOPPING else self._idle_seconds())

    def clear(self) -> None:
        """Test back door: nothing has ever been archived."""
        if self.sys.status != STOP:
            self._finish()
            self._cluster.run_internal_set("enable_log_archive", "False")
        self.sys = StatusRow(SYS_TENANT_ID)
        self.history.clear()
        self.pieces.rows.clear()
        self.used_destinations.clear()

    def adopt(self, row: StatusRow, destination: str) -> None:
        """Test back door: a round that has been running for a while, from here on. Its pieces are there."""
        self.sys, self.destination = row, destination
        self.used_destinations.add(destination_key(destination))
        self._cluster.run_internal_set("enable_log_archive", str(row.status not in {STOPPING, INTERRUPTED}))
        self.archivers.start()
        for tenant in self._cluster.user_tenants:
            first = tenant.created if row.status == BEGINNING else row.first
            status = DOING if row.status == STOPPING else row.status
            self.tenants[tenant.tenant_id] = replace(row, tenant_id=tenant.tenant_id, status=status, first=first)
        if row.status != BEGINNING:
            self.archivers.resume(row.first or self._now, row.next or self._now)
        if row.status == INTERRUPTED:
            self.archivers.interrupt()
        self._wake(WAKE_SECONDS if row.status == STOPPING else self._idle_seconds())

    def _force_running(self) -> None:
        """Every tenant archived by every server up to now."""
        self.archivers.catch_up()
        for row in self.tenants.values():
            self._run_tenant(row, self.sys.first or self._now)
        self.sys.status = BEGINNING
        self._run_sys(self.sys.first or self._now)

    # --- settings -------------------------------------------------------------------------------------

    @property
    def option(self) -> DestOption:
        return parse_dest_option(self._cluster.parameters.central("backup_dest_option"))

    @property
    def interval(self) -> float:
        """Effective checkpoint interval in seconds: backup_dest_option first, then the global parameter."""
        named = self.option.checkpoint_interval
        return named or parse_time(self._cluster.parameters.central("log_archive_checkpoint_interval")) or 120.0

    def _idle_seconds(self) -> float:
        """Pause between two passes: interval / 2 - 10 s, clipped; 10 s while something is on its way."""
        if not self._cluster.profile.pieces:
            return 10.0
        idle = self.interval / 2 - 10
        if idle <= 2:
            return 2.0
        if idle > 60:
            return 60.0
        return 10.0 if self.sys.status in {BEGINNING, STOPPING} else idle

    # --- transitions ----------------------------------------------------------------------------------

    @property
    def _now(self) -> datetime:
        return self._cluster.timeline.now

    def _begin(self, destination: str) -> None:
        self.destination = destination
        splitting = self.option.piece_switch_interval > 0
        piece = self.pieces.next_id() if splitting else 0
        # Without splitting the status row keeps the piece id of the last round that split.
        shown = piece if splitting else self.sys.piece_id
        self.sys = StatusRow(SYS_TENANT_ID, self.sys.round_id + 1, BEGINNING, piece, shown, self._now)
        self.pieces.open(SYS_TENANT_ID, self.sys.round_id, piece, piece, self._now, self._now)
        self._cluster.run_internal_set("enable_log_archive", "True")
        self._event("handle_start_log_archive", new_status=BEGINNING, round_id=self.sys.round_id,
                    piece_id=piece, result=0)  # fmt: skip
        self.archivers.start()
        self._wake(WAKE_SECONDS)

    def _stopping(self) -> None:
        self._cluster.run_internal_set("enable_log_archive", "False")
        self.sys.status = STOPPING
        self._event("handle_stop_log_archive", status=STOPPING, round_id=self.sys.round_id, result=0)
        self._wake(WAKE_SECONDS)

    def _change(self, row: StatusRow, status: str) -> None:
        row.status = status
        if row is self.sys:
            self._event("change_status", new_status=status, round_id=row.round_id)

    def _event(self, event: str, **values: object) -> None:
        self._cluster.events.add_rootservice("log_archive", event, **values)

    def _wake(self, seconds: float) -> None:
        if self._pass:
            self._pass.cancel()
        self._pass = self._cluster.timeline.after(seconds, self._run_pass)

    def _run_pass(self) -> None:
        passes: dict[str, Callable[[], None]] = {
            BEGINNING: self._pass_beginning,
            DOING: self._pass_doing,
            INTERRUPTED: self._pass_interrupted,
            STOPPING: self._pass_stopping,
        }
        passes[self.sys.status]()
        if self.sys.status != STOP:
            self._wake(self._idle_seconds())

    def _pass_beginning(self) -> None:
        """Mount check, tenant rows, then DOING once every alive server reports every tenant."""
        faults = self._cluster.faults
        if faults.destination_unwritable or 0 in faults.unmounted_servers:
            # The mount-check file can't be created: errors only in rootservice.log, the round stays.
            return
        self.used_destinations.add(destination_key(self.destination))
        self._prepare_tenants()
        if self._interrupt_if_reported():
            return
        if not all(self.archivers.is_running(tenant) for tenant in self._cluster.user_tenants):
            return
        starts = [s.start for s in self.archivers.live()]
        common = max(starts, default=self.sys.first or self._now)
        if starts and common > min(s.checkpoint for s in self.archivers.live()):
            return
        for row in self.tenants.values():
            self._run_tenant(row, common)
        # The sys row changes last, after the tenants' own transactions.
        self._cluster.timeline.after(0.2, lambda: self._run_sys(common))
        if not self.tenants:
            self._run_sys(common)

    def _run_sys(self, start: datetime) -> None:
        if self.sys.status == BEGINNING:
            self.sys.first = start
            self.pieces.restart(SYS_TENANT_ID, self.sys.round_id, start)
            self._change(self.sys, DOING)
            self._publish()
            self._wake(self._idle_seconds())

    def _run_tenant(self, row: StatusRow, start: datetime) -> None:
        row.first = start
        self._change(row, DOING)
        self.pieces.restart(row.tenant_id, row.round_id, start)
        row.next = self.archivers.checkpoint(row.tenant_id)

    def _pass_doing(self) -> None:
        self._prepare_tenants()
        if self._interrupt_if_reported():
            return
        for tenant in self._cluster.user_tenants:
            row = self.tenants[tenant.tenant_id]
            if row.status == BEGINNING and self.archivers.is_running(tenant):
                self._run_tenant(row, max(s.start for s in self.archivers.live(tenant.tenant_id)))
        self._publish()
        if not self._cluster.faults.dead_servers:
            self._split_pieces()

    def _pass_interrupted(self) -> None:
        """One pass after the sys row the tenants follow, then the RootService switches archiving off."""
        for row in self.tenants.values():
            if row.status != INTERRUPTED:
                self._change(row, INTERRUPTED)
        self._cluster.run_internal_set("enable_log_archive", "False")

    def _pass_stopping(self) -> None:
        """STOP needs every server alive and a writable destination; an empty backup_dest forces it."""
        faults = self._cluster.faults
        if self._cluster.parameters.central("backup_dest"):
            if faults.destination_unwritable or faults.dead_servers:
                return
            if not self.archivers.all_stopped:
                return
        self._finish()

    def _finish(self) -> None:
        self.pieces.freeze_round(self.sys.round_id, self._now, self._checkpoints())
        self.history += [replace(self.sys, status=STOP)]
        self.history += [replace(row, status=STOP) for row in self.tenants.values()]
        self.tenants.clear()
        self.archivers.stop()
        if self._pass:
            self._pass.cancel()
        self._change(self.sys, STOP)

    def _interrupt_if_reported(self) -> bool:
        if self.archivers.any_interrupted:
            self._change(self.sys, INTERRUPTED)
            return True
        return False

    # --- tenants --------------------------------------------------------------------------------------

    def _prepare_tenants(self) -> None:
        """A BEGINNING row and a piece for each new tenant; the rows of dropped tenants go."""
        living = {tenant.tenant_id: tenant for tenant in self._cluster.user_tenants}
        for tenant_id in [t for t in self.tenants if t not in living]:
            # The backup of a dropped tenant remains restorable, so its row moves to the history.
            row = self.tenants.pop(tenant_id)
            self.history.append(replace(row, status=STOP))
            checkpoints = {tenant_id: row.next} if row.next else {}
            self.pieces.freeze_round(row.round_id, self._now, checkpoints, tenant_id)
        self.archivers.keep(living)
        for tenant in living.values():
            if tenant.tenant_id in self.tenants:
                continue
            # Until the start is complete a tenant's row carries its creation time.
            self.tenants[tenant.tenant_id] = replace(
                self.sys, tenant_id=tenant.tenant_id, status=BEGINNING, first=tenant.created, next=None
            )
            current = self.pieces.current(SYS_TENANT_ID, self.sys.round_id)
            self.pieces.open(tenant.tenant_id, self.sys.round_id, current, self.sys.start_piece_id,
                             tenant.created, self._now)  # fmt: skip
            self._event("prepare_new_tenant", tenant_id=tenant.tenant_id, round_id=self.sys.round_id)

    def _publish(self) -> None:
        """Write the checkpoints into the rows: sys is the minimum over tenants, and nothing goes back."""
        faults = self._cluster.faults
        for row in self.tenants.values():
            if row.status == DOING and row.next:
                row.next = max(row.next, self.archivers.checkpoint(row.tenant_id))
        checkpoints = [row.next for row in self.tenants.values() if row.status == DOING and row.next]
        if checkpoints:
            lowest = min(checkpoints)
        elif faults.frozen_checkpoint or faults.dead_servers:
            lowest = self.sys.next or self.sys.first or self._now
        else:
            # A sys-only cluster archives nothing, yet its checkpoint moves.
            lowest = self._now - timedelta(milliseconds=800)
        start = self.sys.first or self._now
        self.sys.next = max(lowest, self.sys.next or start)
        if self._cluster.profile.active_piece_checkpoint:
            self.pieces.publish(self.sys.round_id, self._checkpoints())

    def _checkpoints(self) -> dict[int, datetime]:
        rows = [self.sys, *self.tenants.values()]
        return {row.tenant_id: row.next for row in rows if row.next}

    def _split_pieces(self) -> None:
        """With splitting on: close the piece that is full, and freeze one that every server has left."""
        round_id = self.sys.round_id
        if self.pieces.finish_switch(round_id, self._now):
            self._event("frozen_piece", round_id=round_id)
        switch = self.option.piece_switch_interval
        start = self.pieces.start_of_current(SYS_TENANT_ID, round_id)
        if not self.sys.start_piece_id or not switch or start is None:
            return
        if self._now < start + timedelta(seconds=switch):
            return
        piece = self.pieces.begin_switch(round_id, self._now, self._checkpoints())
        for row in (self.sys, *self.tenants.values()):
            row.piece_id = piece
        self._event("freeze_piece", round_id=round_id, piece_id=piece)
