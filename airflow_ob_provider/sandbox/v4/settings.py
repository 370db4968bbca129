"""ALTER SYSTEM SET: destinations and their state, which are no parameters but look like some, and parameters.

The checks of a destination come in the order of the kernel: whose it is, its text, the round, archive_lag_target, the
medium.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.cluster import Caller
from airflow_ob_provider.sandbox.errors import ServerError, not_supported

from .destination import DEST_STATES, Destination, parse_destination
from .parameters import assign
from .statements import Assignment, SetSystem
from .targets import many_tenants, one_tenant, own
from .tenants import Tenant4
from .uri import Place, parse_uri

if TYPE_CHECKING:
    from .cluster import Cluster

ARCHIVE, DATA = "archive", "data"
_DEST = re.compile(r"log_archive_dest(?:_([1-8]))?", re.IGNORECASE)
_STATE = re.compile(r"log_archive_dest_state(?:_([1-8]))?", re.IGNORECASE)


def set_system(cluster: Cluster, command: SetSystem, caller: Caller) -> float:
    """Run every assignment in order; the result is how long they took (simulated seconds)."""
    return sum(_assign(cluster, assignment, caller) for assignment in command.assignments)


def _assign(cluster: Cluster, assignment: Assignment, caller: Caller) -> float:
    match = _DEST.fullmatch(assignment.name)
    if match:
        return _set_archive_dest(cluster, assignment, int(match[1] or 0), caller)
    match = _STATE.fullmatch(assignment.name)
    if match and cluster.profile.suspend:
        _set_state(cluster, assignment, int(match[1] or 0), caller)
        return 0.0
    if assignment.name.lower() == "data_backup_dest":
        return _set_data_dest(cluster, assignment, caller)
    _set_parameter(cluster, assignment, caller)
    return 0.0


# --- destinations ---------------------------------------------------------------------------------------------


def _set_archive_dest(cluster: Cluster, assignment: Assignment, number: int, caller: Caller) -> float:
    tenant = one_tenant(cluster, caller, assignment.tenant)
    archive = cluster.archives[tenant.tenant_id]
    if not assignment.value:
        if not cluster.profile.clear_destination:
            raise not_supported("set archive dest without location is")
        _check_not_running(cluster, tenant)
        archive.destinations.setdefault(number, Destination()).clear()
        return 0.0
    wanted = parse_destination(assignment.value, cluster.profile)
    _check_not_running(cluster, tenant)
    lag = cluster.parameters.value("archive_lag_target", tenant)
    if wanted.place.scheme == "s3" and cluster.is_short_lag(lag):
        raise ServerError(4179, "archive_lag_target is smaller than 60s, set log_archive_dest to S3 is not allowed")
    cluster.medium.check(wanted.place, tenant.tenant_id, ARCHIVE)

    def apply() -> None:
        cluster.medium.use(wanted.place, tenant.tenant_id, ARCHIVE)
        destination = archive.destinations.setdefault(number, Destination())
        destination.store(wanted, archive.dest_id(wanted.place.key))

    return _on_medium(cluster, caller, apply)


def _check_not_running(cluster: Cluster, tenant: Tenant4) -> None:
    if cluster.archives[tenant.tenant_id].running:
        raise not_supported("change archive dest when archive is running is")


def _set_state(cluster: Cluster, assignment: Assignment, number: int, caller: Caller) -> None:
    """No precondition: even without a destination the row appears. The value stays as it was written."""
    tenant = one_tenant(cluster, caller, assignment.tenant)
    if assignment.value.upper() not in DEST_STATES:
        raise ServerError(1210)
    archive = cluster.archives[tenant.tenant_id]
    archive.destinations.setdefault(number, Destination()).rows["state"] = assignment.value


def _set_data_dest(cluster: Cluster, assignment: Assignment, caller: Caller) -> float:
    tenant = one_tenant(cluster, caller, assignment.tenant)
    backups = cluster.backups[tenant.tenant_id]
    place: Place | None = None
    if assignment.value:
        place = parse_uri(assignment.value, cluster.profile.schemes)
    if backups.jobs:
        raise ServerError(9036)
    if place is None:
        backups.set_destination(None, 0)
        return 0.0
    cluster.medium.check(place, tenant.tenant_id, DATA)
    wanted = place

    def apply() -> None:
        cluster.medium.use(wanted, tenant.tenant_id, DATA)
        backups.set_destination(wanted, cluster.archives[tenant.tenant_id].dest_id(wanted.key))

    return _on_medium(cluster, caller, apply)


def _on_medium(cluster: Cluster, caller: Caller, apply: Callable[[], None]) -> float:
    """Do what the medium takes its time for: past ob_query_timeout the client gets 4012, done or not."""
    seconds = cluster.faults.medium_seconds
    if seconds <= caller.query_timeout:
        apply()
        return seconds
    if cluster.faults.medium_slow_effect:
        apply()
    limit = int(caller.query_timeout * 1e6)
    text = (
        f"Timeout, query has reached the maximum query timeout: {limit}(us), maybe you can adjust the session "
        "variable ob_query_timeout or query_timeout hint, and try again."
    )
    raise ServerError(4012, text, blocks=caller.query_timeout)


# --- parameters -----------------------------------------------------------------------------------------------


def _set_parameter(cluster: Cluster, assignment: Assignment, caller: Caller) -> None:
    name = assignment.name.lower()
    belongs_to_tenant = cluster.parameters.is_tenant_parameter(name)
    if not caller.tenant.is_sys:
        if not belongs_to_tenant:
            # A user tenant doesn't know the cluster's parameters.
            raise ServerError(5099)
        if assignment.tenant is not None:
            raise ServerError(1227)
        assign(cluster, name, assignment.value, [own(caller)])
        return
    if not belongs_to_tenant and assignment.tenant is not None:
        raise not_supported("cluster level parameter with a tenant is")
    if name == "archive_lag_target" and (assignment.tenant or "").lower() in {"all", "all_meta"}:
        raise not_supported(f"set {name} with tenant = {assignment.tenant} is")
    names = None if assignment.tenant is None else (assignment.tenant,)
    assign(cluster, name, assignment.value, many_tenants(cluster, names))
