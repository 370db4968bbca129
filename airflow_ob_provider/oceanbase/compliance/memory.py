"""What a check remembers of the one before it, and the samples that a lag history is made of. Plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_ob_provider.oceanbase.catalog import BackupCatalog
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from airflow_ob_provider.oceanbase.models import ArchiveState, Level

MAX_SAMPLES = 2000
"""A sample a check: twelve weeks of hourly checks."""


@dataclass(frozen=True)
class TenantMemory:
    """One tenant at the last check."""

    tenant_id: int
    round_id: int
    state: str
    checkpoint: datetime | None = None
    state_since: datetime | None = None
    """Since when at the latest it has been in this state."""
    log_disk_in_use: int | None = None


@dataclass(frozen=True)
class Memory:
    """The last check of a cluster."""

    checked_at: datetime
    version: str = ""
    cluster: str = ""
    cluster_id: str = ""
    incarnation: int | None = None
    tenants: Mapping[str, TenantMemory] = field(default_factory=dict)

    @classmethod
    def of(cls, catalog: BackupCatalog, before: Memory | None) -> Memory:
        """What is worth remembering of this check."""
        tenants = {}
        for record in catalog.tenants:
            row = record.archive
            state = str(catalog.state_of(record))
            last = before.tenants.get(record.tenant.name) if before else None
            same = last is not None and last.state == state and last.tenant_id == record.tenant.tenant_id
            since = record.state_since or (last.state_since if last and same else catalog.read_at)
            tenants[record.tenant.name] = TenantMemory(
                record.tenant.tenant_id,
                max([row.round_id if row else 0, *(one.round_id for one in record.rounds)])
                or (last.round_id if last and last.tenant_id == record.tenant.tenant_id else 0),
                state,
                row.checkpoint if row else None,
                since,
                record.log_disk.in_use if record.log_disk else None,
            )
        incarnations = [record.incarnation for record in catalog.tenants if record.incarnation is not None]
        return cls(
            catalog.read_at,
            catalog.version,
            catalog.cluster,
            catalog.cluster_id,
            max(incarnations, default=before.incarnation if before else None),
            tenants,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "checked_at": self.checked_at.isoformat(),
            "version": self.version,
            "cluster": self.cluster,
            "cluster_id": self.cluster_id,
            "incarnation": self.incarnation,
            "tenants": {
                name: [one.tenant_id, one.round_id, one.state, _text(one.checkpoint), _text(one.state_since),
                       one.log_disk_in_use]
                for name, one in self.tenants.items()
            },
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Memory | None:
        """What :meth:`to_json` gave; None where it cannot be read, which makes the next check a first one."""
        if not data:
            return None
        try:
            return cls(
                _aware(data["checked_at"]),
                str(data["version"]),
                str(data["cluster"]),
                str(data["cluster_id"]),
                _number(data["incarnation"]),
                {
                    name: TenantMemory(
                        int(one[0]), int(one[1]), str(one[2]), _moment(one[3]), _moment(one[4]), _number(one[5])
                    )
                    for name, one in data["tenants"].items()
                },
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return _aware(text) if text else None


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return moment


_NOT_LATE = frozenset({ArchiveState.STOP, ArchiveState.STOPPING, ArchiveState.UNKNOWN})


def sample(catalog: BackupCatalog, policy: Policy, verdict: Level) -> dict[str, Any]:
    """One check in the lag history: the worst lag of those that shall be archived, and whose it is."""
    worst: tuple[float, str] | None = None
    for record in catalog.tenants:
        row = record.archive if policy.limits(record.tenant.name).archive else None
        if row and row.checkpoint and row.state not in _NOT_LATE:
            behind = (catalog.read_at - row.checkpoint).total_seconds()
            if worst is None or behind > worst[0]:
                worst = (behind, record.tenant.name)
    return {
        "checked_at": catalog.read_at.isoformat(),
        "verdict": str(verdict),
        "delay": round(worst[0], 4) if worst else None,
        "tenantName": worst[1] if worst else None,
    }


def with_sample(history: Iterable[Mapping[str, Any]], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The history with one more sample, the oldest ones dropped; a repeated check replaces its own."""
    kept = [dict(one) for one in history if one.get("checked_at") != new["checked_at"]]
    return [*kept, dict(new)][-MAX_SAMPLES:]


def history_of(samples: Sequence[Mapping[str, Any]], *, days: float | None = None) -> dict[str, Any]:
    """The lag history of a report: how late it has been, and how often all was well."""
    shown = list(samples)
    if days is not None and shown:
        first = datetime.fromisoformat(shown[-1]["checked_at"]) - timedelta(days=days)
        shown = [one for one in shown if datetime.fromisoformat(one["checked_at"]) >= first]
    delays = [(one["delay"], one) for one in shown if one["delay"] is not None]
    worst = max(delays, key=lambda pair: pair[0])[1] if delays else None
    green = sum(one["verdict"] == Level.OK for one in shown)
    return {
        "samples": shown,
        "from": shown[0]["checked_at"] if shown else None,
        "to": shown[-1]["checked_at"] if shown else None,
        "checks": len(shown),
        # Rounded down, so that one bad check in thousands is not "100 %".
        "percent_green": (1000 * green // len(shown)) / 10 if shown else None,
        "worst_delay": worst["delay"] if worst else None,
        "worst_at": worst["checked_at"] if worst else None,
        "worst_tenant": worst["tenantName"] if worst else None,
    }
