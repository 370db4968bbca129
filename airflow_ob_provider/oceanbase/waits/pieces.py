"""The wait for usable pieces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_ob_provider.oceanbase.models import FileStatus, PieceSnapshot, PieceStatus, Scope, TenantPieces, to_json
from airflow_ob_provider.oceanbase.waits.base import Ready, Terminal, Verdict, Wait, Waiting, no_tenants
from airflow_ob_provider.oceanbase.words import few


@dataclass(frozen=True, kw_only=True)
class PiecesReady(Wait):
    """Every tenant's newest piece of the round has a wanted status and is AVAILABLE, and no piece is damaged."""

    reads = "pieces"
    tenants: tuple[str, ...] = ()
    round_id: int | None = None
    """None: the current round."""
    statuses: tuple[str, ...] = (PieceStatus.ACTIVE,)

    def read_arguments(self) -> dict[str, Any]:
        """Pieces are read by round."""
        return {"round_id": self.round_id}

    def judge(self, snapshot: PieceSnapshot) -> Verdict:
        """BROKEN files and piece ids left out are terminal; pieces taken by clean-up are not a fault."""
        names = set(self.tenants)
        unknown = [name for name in self.tenants if name not in {tenant.name for tenant in snapshot.tenants}]
        if unknown:
            return no_tenants(unknown)
        snapshot = snapshot.of(self.tenants)
        cluster = snapshot.scope is Scope.CLUSTER
        where = f"round {snapshot.round_id}" if cluster else "a round"
        rows = [row for row in snapshot.rows if not names or row.tenant.name in names or not row.tenant.is_user]
        broken = [row for row in rows if row.broken]
        if broken:
            return Terminal(
                f"{where} has unusable pieces: {_pieces(broken)}",
                "Logs in these pieces cannot be restored. Check the destination, and take a full data backup now.",
            )
        holes = [row for row in rows if row.missing > 0]
        if holes:
            return Terminal(
                f"{where} has a hole in its pieces: {_pieces(holes)}",
                "Logs in the missing pieces cannot be restored. Take a full data backup now.",
            )
        present = {row.tenant.tenant_id for row in rows}
        missing = [
            tenant
            for tenant in snapshot.tenants
            if tenant.tenant_id not in present
            and (tenant.name in names if names else snapshot.is_open and tenant.tenant_id not in snapshot.past)
        ]
        # Pieces are numbered for the whole cluster, so a tenant whose newest is older lacks the ones since.
        newest = max((row.newest_id for row in snapshot.rows), default=0) if cluster else 0
        pending = [row for row in rows if not self._wanted(row) or row.newest_id < newest]
        if rows and not pending and not missing:
            users = [row for row in rows if row.tenant.is_user]
            return Ready(
                {
                    "round": snapshot.round_id,
                    "rounds": snapshot.rounds,
                    "read_at": to_json(snapshot.read_at),
                    "tenants": len(users),
                    "pieces": sum(row.count for row in rows),
                    "cleaned": sum(row.cleaned for row in rows),
                    "newest": [_piece_json(row) for row in rows[:20]],
                },
                "" if users else "the round holds no piece of a user tenant: nothing is archived",
            )
        parts = [_pieces(pending)] if pending else []
        parts += [f"the newest piece is {newest}"] if any(row.newest_id < newest for row in pending) else []
        parts += [f"no piece yet: {few(tenant.name for tenant in missing)}"] if missing else []
        parts = parts or ["the round has no piece yet"]
        total = len(rows) + len(missing)
        return Waiting(
            f"{where if cluster else 'newest pieces'}, wanted {' or '.join(self.statuses)} and AVAILABLE: "
            f"{'; '.join(parts)}",
            (len(rows) - len(pending)) / total if total else 0.0,
            unknown=any(PieceStatus.UNKNOWN is row.status or FileStatus.UNKNOWN is row.file_status for row in pending),
        )

    def _wanted(self, row: TenantPieces) -> bool:
        known = row.status is not PieceStatus.UNKNOWN and row.file_status is FileStatus.AVAILABLE
        return known and row.status in self.statuses and not row.unready


def _pieces(rows: Iterable[TenantPieces]) -> str:
    return few(
        f"{row.tenant.name} piece {row.newest_id} {row.words}, {row.count} pieces, {row.broken} broken, "
        f"{row.unready} not ready, {row.missing} missing"
        for row in rows
    )


def _piece_json(row: TenantPieces) -> dict[str, Any]:
    return {
        "tenant": row.tenant.name,
        "piece": row.newest_id,
        "status": str(row.status),
        "file_status": str(row.file_status),
        "checkpoint": to_json(row.checkpoint),
    }
