"""Test back door: put a tenant's archive into a state, with everything a client can see consistent with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .archive import TenantArchive
from .destination import Wanted
from .rounds import (
    BEGINNING,
    DOING,
    INTERRUPTED,
    PREPARE,
    STATUSES,
    STOP,
    STOPPING,
    SUSPEND,
    SUSPENDING,
)
from .scn import to_time
from .settings import ARCHIVE
from .tenants import LOG_STREAMS, Tenant4
from .uri import parse_uri

if TYPE_CHECKING:
    from .cluster import Cluster

#: How long a round that is made here has been running.
AGE = timedelta(minutes=5)
NONE = ("NONE", "NOARCHIVELOG")


def force(cluster: Cluster, tenant: Tenant4, status: str) -> None:
    """ValueError for a status the build doesn't have."""
    known = [s for s in STATUSES if cluster.profile.suspend or s not in {SUSPENDING, SUSPEND}]
    if status not in known and status not in NONE:
        raise ValueError(f"unknown status {status!r}, known: {', '.join((*NONE, *known))}")
    archive = cluster.archives[tenant.tenant_id]
    if status in NONE:
        tenant.log_mode = False
        archive.clear()
        return
    set_destination(cluster, archive)
    if archive.running and status in {PREPARE, BEGINNING}:
        archive.finish()
    if status == STOP and archive.status == STOP:
        tenant.log_mode = False
        return
    if not archive.running:
        archive.prepare()
    tenant.log_mode = status not in {STOPPING, STOP}
    archive.destination.rows["state"] = "DEFER" if status in {SUSPENDING, SUSPEND} else "ENABLE"
    if status != PREPARE:
        _run(cluster, archive, status)


def set_destination(cluster: Cluster, archive: TenantArchive) -> None:
    """One of the tenant's own, if it has none."""
    if archive.destination.place is None:
        place = parse_uri(f"file:///data/nfs/backup/{archive.tenant.name}/archive", cluster.profile.schemes)
        cluster.medium.use(place, archive.tenant.tenant_id, ARCHIVE)
        archive.destination.store(Wanted(place), archive.dest_id(place.key))


def _start(cluster: Cluster, archive: TenantArchive) -> datetime:
    """Some minutes ago, but after the round before."""
    now = cluster.timeline.now
    last = to_time(archive.stopped[-1].checkpoint_scn) if archive.stopped else now - AGE
    return min(max(now - AGE, last), now - timedelta(milliseconds=1))


def _run(cluster: Cluster, archive: TenantArchive, status: str) -> None:
    """From PREPARE (or wherever the round is) to the state, by the scheduler's own steps."""
    if archive.status == PREPARE:
        assert archive.round is not None  # noqa: S101 - it has just been made
        archive.pass_prepare(archive.round, start=None if status == BEGINNING else _start(cluster, archive))
    if status == BEGINNING:
        return
    archive.catch_up()
    # A round that was stopped in PREPARE has no log streams.
    if archive.round and archive.streams:
        marks = [stream.checkpoint for stream in archive.streams]
        archive.round.publish(min(marks), max(marks))
    if status == INTERRUPTED:
        archive.interrupt(LOG_STREAMS[-1])
        if archive.round:
            archive.interrupted(archive.round)
    elif status == STOP:
        archive.finish()
    elif archive.status != status:
        archive.change(status)
    if status in {DOING, SUSPENDING, SUSPEND} and archive.round:
        archive.round.comment = ""
        for stream in archive.streams:
            stream.broken = False
