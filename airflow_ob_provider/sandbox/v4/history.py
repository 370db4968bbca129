"""Test back door: the past of a 4.x cluster, tenant by tenant."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.past import (
    NewCleanJob,
    NewRound,
    NewSet,
    Past,
    PieceChange,
    moment,
    whole,
    word,
)
from airflow_ob_provider.sandbox.values import parse_time

from .history_backups import CLEAN_STATUSES, PastBackups
from .history_rounds import PastRounds
from .rounds import DOING, INTERRUPTED, STATUSES, STOP, SUSPEND, SUSPENDING
from .scn import to_time
from .tenants import Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster

#: Modules of the events that archiving and backing up leave.
MODULES = ("log_archive", "backup_data")
LONGEST_PIECE = 7


class Past4(Past):
    """Everything is checked for every tenant before the first one changes."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._cluster = cluster

    def _tenants(self, name: str | None) -> list[Tenant4]:
        return self._cluster.user_tenants if name is None else [self._cluster.user_tenant(name)]

    def _rounds(self, name: str | None) -> list[PastRounds]:
        archives = self._cluster.archives
        return [PastRounds(self._cluster, archives[tenant.tenant_id]) for tenant in self._tenants(name)]

    def clear(self) -> None:
        for archive in self._cluster.archives.values():
            archive.clear()
        for backups in self._cluster.backups.values():
            backups.clear()
        self._cluster.events.forget(*MODULES)

    def round(self, new: NewRound) -> None:
        known = [s for s in STATUSES if s != STOP and (self._cluster.profile.suspend or s not in {SUSPENDING, SUSPEND})]
        self.check_round(new, known)
        if new.piece_days is not None:
            whole("piece_days", new.piece_days, 1, LONGEST_PIECE)
        chosen = self._rounds(new.tenant)
        for rounds in chosen:
            last = rounds.last
            if last is not None:
                running = last.status != STOP
                self.check_follows(new, last.round_id, to_time(last.checkpoint_scn), running=running)
            rounds.check_first_piece(new)
        for rounds in chosen:
            rounds.put(new)

    def piece(self, change: PieceChange) -> None:
        self.check_change(change)
        for key in ("start", "checkpoint", "end"):
            if change.values.get(key, self.now) is None:
                raise ValueError(f"{key} of a 4.x piece is a datetime, not None")
        chosen = self._rounds(change.tenant)
        found = [piece for rounds in chosen for piece in rounds.pieces(change)]
        if not found:
            ids = sorted({number for rounds in chosen for number in rounds.ids()})
            raise ValueError(f"no piece {change.piece_id}; there are {f'{ids[0]} to {ids[-1]}' if ids else 'none'}")
        for piece in found:
            PastRounds.change(piece, change)

    def backup_set(self, new: NewSet) -> None:
        tenants = self._tenants(new.tenant)
        taken = [s.set_id for tenant in tenants for s in self._cluster.backups[tenant.tenant_id].sets]
        file_status = self.check_set(new, taken)
        for tenant in tenants:
            PastBackups(self._cluster, tenant).put(new, file_status)

    def clean_job(self, new: NewCleanJob) -> None:
        moment("at", new.at, None, self.now)
        word("status", new.status, CLEAN_STATUSES)
        for tenant in self._tenants(new.tenant):
            PastBackups(self._cluster, tenant).clean(new)

    def policy(self, window: str | None, tenant: str | None) -> None:
        if window is not None and parse_time(window) is None:
            raise ValueError(f"window is a time such as 7d, or None, not {window!r}")
        for each in self._tenants(tenant):
            if window is None:
                self._cluster.policies.windows.pop(each.tenant_id, None)
            else:
                self._cluster.policies.windows[each.tenant_id] = window

    def storage_check(self, at: datetime | None, tenant: str | None) -> None:
        if at is not None:
            moment("at", at, None, self.now)
        for each in self._tenants(tenant):
            self._cluster.storage_checks[each.tenant_id] = at

    def log_disk(self, in_use: int, size: int, tenant: str | None) -> None:
        whole("size", size, 1)
        whole("in_use", in_use, 0, size)
        for each in self._tenants(tenant):
            self._cluster.log_disks.put(each, in_use, size)

    def stream(self, ls_id: int, checkpoint: datetime, tenant: str, status: str) -> None:
        if not self._cluster.profile.suspend:
            raise self._missing("CDB_OB_LS_LOG_ARCHIVE_PROGRESS")
        whole("ls_id", ls_id, 1)
        word("status", status, (DOING, INTERRUPTED))
        (rounds,) = self._rounds(tenant)
        found = rounds.last
        if found is None or not found.pieces or found.status == STOP:
            raise ValueError(f"tenant {tenant} has no round that archives")
        moment("checkpoint", checkpoint, to_time(found.start_scn), self.now)
        rounds.hold(ls_id, checkpoint, broken=status == INTERRUPTED)

    def renumber(self, tenant: str, tenant_id: int) -> None:
        self._cluster.user_tenant(tenant)
        whole("tenant_id", tenant_id, self._cluster.next_tenant_id)
        if tenant_id % 2:
            raise ValueError(f"tenant_id of a user tenant is even, not {tenant_id}")
        self._cluster.replace_tenant(tenant, tenant_id)
