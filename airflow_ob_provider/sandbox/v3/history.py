"""Test back door: the past of a 2.2.77 or 3.x cluster. Rounds and their pieces are of all tenants, with a row each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.errors import ServerError
from airflow_ob_provider.sandbox.past import NewCleanJob, NewRound, NewSet, Past, PieceChange, moment, whole, word
from airflow_ob_provider.sandbox.topology import SYS_TENANT_ID

from .backup import BackupSet, TenantBackup
from .options import check_destination, destination_key
from .pieces import FROZEN, Piece
from .status import BEGINNING, DOING, INTERRUPTED, STATUSES, STOP, STOPPING, StatusRow

if TYPE_CHECKING:
    from .cluster import Cluster

MODULES = ("log_archive", "backup")
LONGEST_PIECE = 7
DEFAULT_DESTINATION = "file:///data/nfs/backup"
SWITCH = "log_archive_piece_switch_interval"
CLEAN_STATUSES = ("COMPLETED", "FAILED", "CANCELED")
#: The last log of a piece is a little older than its end.
BEHIND = timedelta(seconds=1)


class Past3(Past):
    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._cluster = cluster

    def clear(self) -> None:
        cluster = self._cluster
        cluster.archive.clear()
        cluster.backup.force_cancel()
        cluster.backup.sets.clear()
        cluster.clean_jobs.clear()
        cluster.events.forget(*MODULES)

    # --- rounds -----------------------------------------------------------------------------------------

    def round(self, new: NewRound) -> None:
        archive = self._cluster.archive
        self.check_round(new, [status for status in STATUSES if status != STOP])
        if new.tenant is not None:
            raise ValueError("a round of 3.x is of all tenants: tenant is None")
        last = archive.sys
        last_end = max((p.end for p in archive.pieces.rows if p.end), default=last.next)
        self.check_follows(new, last.round_id, last_end, running=last.status != STOP)
        days = self._days(new)
        first = self._first_piece(new, days)
        if new.destination is not None:
            self._check_destination(new.destination)
        status = STOP if new.end else new.status or DOING
        checkpoint = self._checkpoint(new, status)
        self._put_pieces(new, days, first, checkpoint)
        newest = max((p.piece_id for p in archive.pieces.rows), default=0) if days else last.piece_id
        row = StatusRow(SYS_TENANT_ID, new.round_id, status, first, newest, new.start, checkpoint)
        self._events(row, new)
        if new.end:
            self._stop(row, new)
        else:
            self._run(row, new, days)

    def _days(self, new: NewRound) -> int:
        pieces = self._cluster.profile.pieces
        days = (1 if pieces else 0) if new.piece_days is None else new.piece_days
        return whole("piece_days", days, 0, LONGEST_PIECE if pieces else 0)

    def _first_piece(self, new: NewRound, days: int) -> int:
        free = self._cluster.archive.pieces.next_id()
        if not days:
            return whole("first_piece_id of a round that doesn't split", new.first_piece_id or 0, 0, 0)
        number = free if new.first_piece_id is None else new.first_piece_id
        return whole("first_piece_id, after the pieces that are there,", number, free)

    def _check_destination(self, uri: str) -> None:
        try:
            check_destination(uri, nfs_rejects_parameters=self._cluster.profile.nfs_rejects_parameters)
        except ServerError as error:
            raise ValueError(f"destination is a URI of file://, oss://, cos://: {error.message}") from None

    def _checkpoint(self, new: NewRound, status: str) -> datetime | None:
        """A healthy lag is one checkpoint interval, and half of it more until it is published."""
        if status == BEGINNING:
            return None
        lag = timedelta(seconds=self._cluster.archive.interval / 2)
        return new.checkpoint or new.end or max(new.start, self.now - lag)

    def _put_pieces(self, new: NewRound, days: int, first: int, checkpoint: datetime | None) -> None:
        """One after the other; the last one is open while the round runs."""
        tenants = [SYS_TENANT_ID, *(tenant.tenant_id for tenant in self._cluster.user_tenants)]
        number, start = first, new.start
        mark = checkpoint or new.start
        shown = self._cluster.profile.active_piece_checkpoint
        while True:
            end = start + timedelta(days=days)
            full = bool(days) and end <= mark and (new.end is None or end < new.end)
            for tenant_id in tenants:
                piece = Piece(tenant_id, new.round_id, number, first, int(start.strftime("%Y%m%d")), start)
                if full:
                    piece.status, piece.checkpoint, piece.end = FROZEN, end - BEHIND, end
                elif new.end:
                    piece.status, piece.checkpoint, piece.end = FROZEN, max(start, mark), new.end
                elif shown:
                    piece.checkpoint = checkpoint
                self._cluster.archive.pieces.rows.append(piece)
            if not full:
                return
            number, start = number + 1, end

    def _destination(self, new: NewRound) -> str:
        return new.destination or self._cluster.parameters.central("backup_dest") or DEFAULT_DESTINATION

    def _stop(self, row: StatusRow, new: NewRound) -> None:
        archive = self._cluster.archive
        archive.sys = row
        for tenant_id in (SYS_TENANT_ID, *(tenant.tenant_id for tenant in self._cluster.user_tenants)):
            archive.history.append(StatusRow(tenant_id, row.round_id, STOP, row.start_piece_id, row.piece_id, row.first,
                                             row.next))  # fmt: skip
        archive.used_destinations.add(destination_key(self._destination(new)))

    def _run(self, row: StatusRow, new: NewRound, days: int) -> None:
        parameters, destination = self._cluster.parameters, self._destination(new)
        parameters["backup_dest"] = destination
        if self._cluster.profile.pieces:
            parameters["backup_dest_option"] = self._option(days)
        self._cluster.archive.adopt(row, destination)

    def _option(self, days: int) -> str:
        """backup_dest_option with the switch of pieces as it must be."""
        text = self._cluster.parameters.central("backup_dest_option")
        others = [pair for pair in text.split("&") if pair and not pair.startswith(f"{SWITCH}=")]
        return "&".join([*others, f"{SWITCH}={days}d"] if days else others)

    def _events(self, row: StatusRow, new: NewRound) -> None:
        def log(at: datetime, event: str, **values: object) -> None:
            self._cluster.events.put_rootservice(min(at, new.end or self.now), "log_archive", event, values)

        number = row.round_id
        log(new.start, "handle_start_log_archive", new_status=BEGINNING, round_id=number, piece_id=row.start_piece_id,
            result=0)  # fmt: skip
        if row.status == BEGINNING:
            return
        log(new.start + timedelta(seconds=30), "change_status", new_status=DOING, round_id=number)
        if row.status in {STOP, STOPPING}:
            log(new.end or self.now, "handle_stop_log_archive", status=STOPPING, round_id=number, result=0)
        if row.status in {STOP, INTERRUPTED}:
            log(new.end or row.next or self.now, "change_status", new_status=row.status, round_id=number)

    def piece(self, change: PieceChange) -> None:
        self.check_change(change)
        rows = [p for p in self._cluster.archive.pieces.rows if not p.removed or "removed" in change.values]
        if change.tenant is not None:
            tenant = self._cluster.find_tenant(change.tenant)
            if tenant is None:
                raise ValueError(f"no tenant called {change.tenant!r}")
            rows = [p for p in rows if p.tenant_id == tenant.tenant_id]
        found = [p for p in rows if p.piece_id == change.piece_id and change.round_id in (None, p.round_id)]
        if not found:
            ids = sorted({p.piece_id for p in rows})
            raise ValueError(f"no piece {change.piece_id}; there are {f'{ids[0]} to {ids[-1]}' if ids else 'none'}")
        for piece in found:
            for key, value in change.values.items():
                setattr(piece, key, value)

    # --- backups ----------------------------------------------------------------------------------------

    def backup_set(self, new: NewSet) -> None:
        backup = self._cluster.backup
        file_status = self.check_set(new, [s.key for s in backup.sets])
        self._check_what_exists(new)
        if new.status == "DOING" and backup.running:
            raise ValueError(f"set {backup.running.key} is DOING: one at a time")
        tenants = self._cluster.user_tenants
        if new.tenant is not None:
            tenants = [tenant for tenant in tenants if tenant.name == new.tenant]
            if not tenants:
                raise ValueError(f"no user tenant called {new.tenant!r}")
        found = BackupSet(
            key=new.set_id,
            kind="I" if new.kind == "incremental" else "D",
            level="CLUSTER" if new.tenant is None else "TENANT",
            encryption="NONE",
            phase="DONE" if new.end else "RUNNING",
            status=new.status,
            file_status=file_status,
            replay=new.replay_from,
        )
        words = {"SUCCESS": "COMPLETED", "FAILED": "FAILED", "DOING": "RUNNING"}
        for tenant in (None, *tenants):
            partitions, blocks = backup.part_sizes(tenant)
            done = new.status == "SUCCESS"
            found.tenants.append(
                TenantBackup(tenant.tenant_id if tenant else SYS_TENANT_ID, partitions, blocks, new.start,
                             new.end or self.now, partitions if done else 0, blocks if done else 0, words[new.status])
            )  # fmt: skip
        backup.put(found)

    def _check_what_exists(self, new: NewSet) -> None:
        missing = {
            "restore_point": new.restore_point is not None,
            "replay_from": new.replay_from is not None and self._cluster.profile.set_details_columns < 23,
            "result": new.result != 0,
            "comment": new.comment != "",
            "plus_archivelog": new.plus_archivelog,
        }
        for name, given in missing.items():
            if given:
                raise ValueError(f"a backup set of profile {self._cluster.profile.name} has no {name}")

    def clean_job(self, new: NewCleanJob) -> None:
        moment("at", new.at, None, self.now)
        word("status", new.status, CLEAN_STATUSES)
        if new.tenant is not None and self._cluster.find_tenant(new.tenant) is None:
            raise ValueError(f"no tenant called {new.tenant!r}")
        self._cluster.clean_jobs.append(new)
        self._cluster.clean_jobs.sort(key=lambda job: job.at)

    def renumber(self, tenant: str, tenant_id: int) -> None:
        found = self._cluster.find_tenant(tenant)
        if found is None or found.is_sys:
            raise ValueError(f"no user tenant called {tenant!r}")
        self._cluster.replace_tenant(tenant, whole("tenant_id", tenant_id, self._cluster.next_tenant_id))
