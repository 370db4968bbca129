"""Conditions of log backup, from one snapshot.

Facts: the states and who governs them are those of :class:`~airflow_ob_provider.oceanbase.models.ArchiveState`. 3.x:
tenant sys stands for the cluster, its checkpoint is the least of all tenants (source, ob_log_archive_scheduler.cpp);
the row of a tenant that is younger than the round is BEGINNING until its archive runs. 4.x: every tenant archives by
itself, and a new one is not archived until somebody asks for it (V4.2.5 manual, log archive).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from airflow_ob_provider.oceanbase.models import (
    MAX_AHEAD_SECONDS,
    ArchiveRow,
    ArchiveSnapshot,
    ArchiveState,
    Scope,
    Tenant,
)
from airflow_ob_provider.oceanbase.statements import check_seconds

MOST_SECONDS = 30 * 86400.0


class Condition(StrEnum):
    """How the log backup of a tenant is, or of a 3.x cluster; from bad to good."""

    INTERRUPTED = "interrupted"
    """The log stream is broken; it never heals by itself."""
    STOPPED = "stopped"
    """It was archived, or should be, and is not."""
    OUT_OF_SCOPE = "out_of_scope"
    """4.x: a user tenant that nobody has ever archived."""
    STUCK = "stuck"
    """On its way up or down for too long."""
    SUSPENDED = "suspended"
    """4.1+: paused (DEFER) for too long."""
    LATE = "late"
    """It archives, but its checkpoint is too far behind."""
    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    """It cannot be judged: neither healthy nor broken, so it changes nothing."""

    @property
    def is_broken(self) -> bool:
        """Whether somebody should do something."""
        return self not in {Condition.HEALTHY, Condition.UNKNOWN}


WORST_FIRST = tuple(Condition)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """When a watch calls something broken, in seconds by the server's clock."""

    max_lag: float = 600.0
    """The checkpoint of a round that archives may be this far behind the server's clock."""
    max_suspended: float = 3600.0
    """A suspended tenant is let be for this long."""
    max_in_transition: float = 1800.0
    """PREPARE, BEGINNING and STOPPING may last this long."""
    max_stopped: float = 60.0
    """STOP, and a tenant that nobody archives, are let be for this long: a restart passes through STOP, and servers act
    in passes of up to a minute."""
    max_unreadable: float = 900.0
    """Readings may fail, or not be understood, for this long; failed readings by the clock of whoever reads."""
    hysteresis: float = 900.0
    """A tenant that keeps changing is told of once in this time."""

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> Self:
        """Bounds as somebody has written them.

        :raises ValueError: not a number of seconds, from 0 to 30 days.
        """
        return cls(**{name: _seconds(value, name) for name, value in given.items()})

    @classmethod
    def lenient(cls, given: Mapping[str, Any]) -> tuple[Self, list[str]]:
        """The defaults where something cannot be understood, and what that was: a watch must not die of a word."""
        understood, problems = {}, []
        for name, value in given.items():
            try:
                understood[name] = _seconds(value, name)
            except ValueError as error:
                problems.append(str(error))
        return cls(**understood), problems


def _seconds(value: Any, name: str) -> float:
    return check_seconds(value, field_name=name, least=0, most=MOST_SECONDS)


BOUNDS = tuple(item.name for item in fields(Bounds))


@dataclass(frozen=True)
class Sighting:
    """What one snapshot shows of one tenant, or of a 3.x cluster."""

    tenant: Tenant
    condition: Condition
    """What it is, once it has lasted for ``patience``."""
    reason: str
    seen: str = ""
    """What must last; time spent starting is not time spent stopping."""
    patience: float = 0.0
    row: ArchiveRow | None = field(default=None, repr=False)
    lag: float | None = None
    """Seconds between the checkpoint and the server's clock."""

    @property
    def name(self) -> str:
        """Whom to call it in a message; the row of tenant sys is a cluster's."""
        return self.tenant.name if self.tenant.is_user else str(Scope.CLUSTER)


@dataclass(frozen=True)
class View:
    """A snapshot as a watch sees it."""

    read_at: datetime
    sightings: tuple[Sighting, ...]
    present: frozenset[int]
    """Numbers of those that exist, also where nothing can be said of them: not NORMAL, or covered by the cluster."""
    not_found: tuple[str, ...] = ()
    """Names that are watched, and that no tenant has."""


def view(snapshot: ArchiveSnapshot, bounds: Bounds, tenants: Sequence[str] = ()) -> View:
    """Look at a snapshot.

    :param tenants: names of user tenants to watch, all if none is given. The row of a 3.x cluster is always watched.
    """
    known = {tenant.name for tenant in (*snapshot.tenants, *snapshot.out_of_scope)}
    strange = [tenant for tenant in snapshot.out_of_scope if not tenants or tenant.name in tenants]
    missing = tuple(name for name in tenants if name not in known)
    if snapshot.scope is Scope.CLUSTER:
        sightings = tuple(_cluster(snapshot, bounds, tenants))
        watched = [tenant for tenant in snapshot.tenants if not tenants or tenant.name in tenants]
    else:
        snapshot = snapshot.of(tenants)
        sightings = tuple(_tenants(snapshot, bounds))
        watched = list(snapshot.tenants)
    present = {tenant.tenant_id for tenant in (*strange, *watched)} | {one.tenant.tenant_id for one in sightings}
    return View(snapshot.read_at, sightings, frozenset(present), missing)


def _tenants(snapshot: ArchiveSnapshot, bounds: Bounds) -> Iterator[Sighting]:
    for row in snapshot.rows:
        yield _sighting(row, snapshot.read_at, bounds)
    for tenant in snapshot.without_row(()):
        yield _never(tenant, None, bounds)


def _cluster(snapshot: ArchiveSnapshot, bounds: Bounds, tenants: Sequence[str]) -> Iterator[Sighting]:
    """The cluster's row governs; while it archives, each tenant's own must be in its round."""
    if not snapshot.governing:
        yield Sighting(Tenant(1, "sys"), Condition.UNKNOWN, "the server shows no state of log backup")
        return
    row = snapshot.governing[0]
    yield _sighting(row, snapshot.read_at, bounds)
    if row.state is not ArchiveState.DOING:
        return
    for own in snapshot.select(tenants):
        yield _member(own, row, bounds)
    for tenant in snapshot.without_row(tenants):
        yield _starting(tenant, None, f"{tenant.name} has no row in round {row.round_id} yet", bounds)


def _member(row: ArchiveRow, cluster: ArchiveRow, bounds: Bounds) -> Sighting:
    """A tenant in a cluster that archives; its lag is in the cluster's."""
    if row.state is ArchiveState.UNKNOWN:
        return Sighting(row.tenant, Condition.UNKNOWN, str(row), row=row)
    if row.round_id < cluster.round_id or (row.state.is_running and row.state is not ArchiveState.DOING):
        return _starting(row.tenant, row, f"{row} is not in round {cluster.round_id} of the cluster yet", bounds)
    if row.state is ArchiveState.INTERRUPTED:
        return Sighting(row.tenant, Condition.INTERRUPTED, str(row), "interrupted", row=row)
    if row.state is ArchiveState.DOING:
        return Sighting(row.tenant, Condition.HEALTHY, str(row), "healthy", row=row)
    return Sighting(row.tenant, Condition.UNKNOWN, f"{row} while the cluster is {cluster.status}", row=row)


def _sighting(row: ArchiveRow, now: datetime, bounds: Bounds) -> Sighting:
    """What a governing row says."""
    match row.state:
        case ArchiveState.INTERRUPTED:
            return Sighting(row.tenant, Condition.INTERRUPTED, str(row), "interrupted", row=row, lag=_lag(row, now))
        case ArchiveState.DOING:
            return _doing(row, now, bounds)
        case ArchiveState.SUSPENDING | ArchiveState.SUSPEND:
            patience, lag = bounds.max_suspended, _lag(row, now)
            return Sighting(row.tenant, Condition.SUSPENDED, str(row), "suspended", patience, row, lag)
        case ArchiveState.PREPARE | ArchiveState.BEGINNING:
            return _starting(row.tenant, row, str(row), bounds)
        case ArchiveState.STOPPING:
            return Sighting(row.tenant, Condition.STUCK, str(row), "stopping", bounds.max_in_transition, row)
        case ArchiveState.STOP:
            if row.tenant.is_user and not row.round_id and not row.archivelog:
                return _never(row.tenant, row, bounds)
            blocked = f"; {row.blocked}" if row.blocked else ""
            return Sighting(row.tenant, Condition.STOPPED, f"{row}{blocked}", "stopped", bounds.max_stopped, row)
        case _:
            return Sighting(row.tenant, Condition.UNKNOWN, str(row), row=row)


def _doing(row: ArchiveRow, now: datetime, bounds: Bounds) -> Sighting:
    lag = _lag(row, now)
    if lag is None:
        return Sighting(row.tenant, Condition.UNKNOWN, f"{row} shows no checkpoint that can be", row=row)
    if lag > bounds.max_lag:
        reason = f"{row}, its checkpoint is {lag:.0f} s behind, allowed are {bounds.max_lag:g} s"
        return Sighting(row.tenant, Condition.LATE, reason, "late", row=row, lag=lag)
    return Sighting(row.tenant, Condition.HEALTHY, str(row), "healthy", row=row, lag=lag)


def _lag(row: ArchiveRow, now: datetime) -> float | None:
    """Where a round has no checkpoint yet, its start; None for neither, or a time that cannot be."""
    reached = row.checkpoint or row.started
    if reached is None or (reached - now).total_seconds() > MAX_AHEAD_SECONDS:
        return None
    return max((now - reached).total_seconds(), 0.0)


def _starting(tenant: Tenant, row: ArchiveRow | None, reason: str, bounds: Bounds) -> Sighting:
    return Sighting(tenant, Condition.STUCK, reason, "starting", bounds.max_in_transition, row)


def _never(tenant: Tenant, row: ArchiveRow | None, bounds: Bounds) -> Sighting:
    reason = f"{tenant.name} has never been archived"
    return Sighting(tenant, Condition.OUT_OF_SCOPE, reason, "out_of_scope", bounds.max_stopped, row)
