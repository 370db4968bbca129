"""What is stopped and started as one, with everything the catalog holds about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, Part, TenantRecord
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveState, Scope
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.windows import CauseKind, Gap, Window


@dataclass(frozen=True)
class Unit:
    """A 3.x cluster, or a 4.x tenant."""

    place: str
    """The tenant's name, or what stands for the cluster."""
    tenant_id: int
    """0 for a cluster, as its events have it."""
    scope: Scope
    row: ArchiveRow | None
    """The row that decides; None where the server shows none."""
    records: tuple[TenantRecord, ...]
    """Its user tenants: all of a cluster, or the one."""
    read_at: datetime
    why_unknown: str = ""
    """Why it cannot be judged at all; '' if it can."""
    why_untold: str = ""
    """Why it cannot be told what can be restored; '' if it can."""
    why_no_settings: str = ""
    """Why its destination cannot be told; '' if it can."""

    @property
    def state(self) -> ArchiveState:
        """Its state."""
        return self.row.state if self.row and not self.why_unknown else ArchiveState.UNKNOWN

    @property
    def has_archived(self) -> bool:
        """Whether there has ever been a round."""
        return self.row is not None and self.row.round_id > 0

    @property
    def open_gaps(self) -> dict[str, Gap]:
        """The hole that grows now, by tenant."""
        found = {one.tenant.name: one.recovery.open_gap for one in self.records if one.recovery}
        return {name: gap for name, gap in found.items() if gap is not None}

    @property
    def last_windows(self) -> dict[str, Window]:
        """The newest moments that can be restored, by tenant."""
        return {
            one.tenant.name: one.recovery.windows[-1] for one in self.records if one.recovery and one.recovery.windows
        }

    @property
    def broken_round(self) -> int | None:
        """The round that broke off, and so made the hole that is open now; None where none did."""
        number = self.row.round_id if self.row else 0
        if self.state is ArchiveState.INTERRUPTED or self._broke_off(number):
            return number
        causes = [cause for gap in self.open_gaps.values() for cause in gap.causes]
        broken = [cause.round_id for cause in causes if cause.kind is CauseKind.INTERRUPTED]
        return max(broken, default=None)

    def _broke_off(self, round_id: int) -> bool:
        rounds = [one for record in self.records for one in record.rounds if one.round_id == round_id]
        return any(one.was_interrupted for one in rounds)


def units(catalog: BackupCatalog, tenants: Sequence[str] = ()) -> tuple[Unit, ...]:
    """What is there to be judged: the cluster, or each of these tenants (all, if none is named).

    A name that no NORMAL user tenant has is a unit that cannot be judged.
    """
    if catalog.scope is Scope.CLUSTER:
        return (_unit(catalog, str(Scope.CLUSTER), 0, catalog.governing, catalog.tenants),)
    found = {record.tenant.name: record for record in catalog.tenants}
    status = {tenant.name: tenant.status for tenant in catalog.out_of_scope}
    return tuple(
        _unit(catalog, name, found[name].tenant.tenant_id, found[name].archive, (found[name],))
        if name in found
        else _missing(catalog, name, status.get(name, ""))
        for name in tenants or found
    )


def _missing(catalog: BackupCatalog, name: str, status: str) -> Unit:
    why = f"the tenant is {status}, not NORMAL" if status else "there is no user tenant of that name"
    return Unit(name, 0, Scope.TENANT, None, (), catalog.read_at, why)


def _unit(
    catalog: BackupCatalog, place: str, tenant_id: int, row: ArchiveRow | None, records: tuple[TenantRecord, ...]
) -> Unit:
    why = ""
    if row is None:
        why = "the server shows no state of log backup"
    elif row.state is ArchiveState.UNKNOWN:
        why = f"STATUS is {redact(row.status)}, which no manual mentions or which cannot be read"
    elif row.state is ArchiveState.DOING:
        why = _contradiction(row, records)
    untold = next(filter(None, (catalog.why_unread(part) for part in (Part.PIECES, Part.BACKUPS))), "")
    untold = untold or next(filter(None, (catalog.why_absent(part) for part in (Part.PIECES, Part.BACKUPS))), "")
    untold = untold or "; ".join(
        f"{one.tenant.name}: {one.doubt or 'not told'}" for one in records if one.recovery is None
    )
    settings = catalog.why_unread(Part.SETTINGS)
    if not settings and any("backup_dest" in one.settings.differs for one in records if one.settings):
        settings = "the servers show different values of backup_dest, as they do for a moment after a change"
    return Unit(place, tenant_id, catalog.scope, row, records, catalog.read_at, why, redact(untold), redact(settings))


def _contradiction(row: ArchiveRow, records: Sequence[TenantRecord]) -> str:
    """3.x sets the row of the cluster before those of its tenants, so the other way round is no state it has."""
    odd = [
        one.tenant.name
        for one in records
        if one.archive and one.archive.round_id == row.round_id and one.archive.state is ArchiveState.INTERRUPTED
    ]
    return f"the cluster is DOING, but {', '.join(odd[:5])} INTERRUPTED in the same round: read it again" if odd else ""
