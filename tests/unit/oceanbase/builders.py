"""Short ways to write what a server shows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_ob_provider.oceanbase.models import (
    ArchiveRow,
    ArchiveSnapshot,
    ArchiveState,
    FileStatus,
    PieceSnapshot,
    PieceStatus,
    Scope,
    Tenant,
    TenantPieces,
)

CST = timezone(timedelta(hours=8))
NOW = datetime(2024, 4, 13, 17, 0, 0, tzinfo=CST)
SYS = Tenant(1, "sys")
SHOP = Tenant(1001, "shop")
BANK = Tenant(1002, "bank")
STARTED = NOW - timedelta(hours=1)
CHECKPOINT = NOW - timedelta(minutes=2)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def row(
    tenant: Tenant = SYS,
    state: ArchiveState | str = ArchiveState.DOING,
    *,
    round_id: int = 3,
    started: datetime | None = STARTED,
    checkpoint: datetime | None = CHECKPOINT,
    status: str | None = None,
    **more: Any,
) -> ArchiveRow:
    state = ArchiveState(state)
    word = str(state) if status is None else status
    return ArchiveRow(tenant, state, word, round_id, 0, started, checkpoint, **more)


def snapshot(
    *rows: ArchiveRow,
    tenants: tuple[Tenant, ...] | None = None,
    read_at: datetime = NOW,
    scope: Scope = Scope.CLUSTER,
    out_of_scope: tuple[Tenant, ...] = (),
) -> ArchiveSnapshot:
    if tenants is None:
        tenants = tuple(item.tenant for item in rows if item.tenant.is_user)
    return ArchiveSnapshot(read_at, scope, rows, tenants, out_of_scope)


def by_tenant(*rows: ArchiveRow, **more: Any) -> ArchiveSnapshot:
    """Where each tenant archives by itself."""
    return snapshot(*rows, scope=Scope.TENANT, **more)


def pieces(
    tenant: Tenant = SYS,
    *,
    count: int = 1,
    first_id: int = 0,
    newest_id: int = 0,
    status: PieceStatus = PieceStatus.ACTIVE,
    file_status: FileStatus = FileStatus.AVAILABLE,
    broken: int = 0,
    unready: int = 0,
    cleaned: int = 0,
    round_id: int = 3,
) -> TenantPieces:
    return TenantPieces(
        tenant=tenant,
        round_id=round_id,
        count=count,
        first_id=first_id,
        newest_id=newest_id,
        status=status,
        file_status=file_status,
        words=f"{status}/{file_status}",
        started=STARTED,
        checkpoint=CHECKPOINT,
        broken=broken,
        unready=unready,
        cleaned=cleaned,
    )


def piece_snapshot(
    *rows: TenantPieces,
    tenants: tuple[Tenant, ...] | None = None,
    round_id: int = 3,
    scope: Scope = Scope.CLUSTER,
) -> PieceSnapshot:
    if tenants is None:
        tenants = tuple(item.tenant for item in rows if item.tenant.is_user)
    return PieceSnapshot(NOW, round_id, rows, tenants, scope=scope)
