"""Parameters of a 4.x cluster: some belong to the cluster, some to each tenant (sys included).

Both kinds are stored once and seen by the servers after a while, as in 3.x; ranges and defaults are those of
``src/share/parameter/ob_parameter_seed.ipp``, as far as the documentation shows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.cluster import CLUSTER_ID
from airflow_ob_provider.sandbox.errors import ServerError
from airflow_ob_provider.sandbox.parameters import Parameter, Parameters, anything, boolean, duration, integer
from airflow_ob_provider.sandbox.topology import Server
from airflow_ob_provider.sandbox.values import HOUR, parse_size

from .profiles import Profile
from .tenants import Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster


def _file_size(text: str) -> bool:
    size = parse_size(text)
    return size is not None and 512 * 2**20 <= size <= 4 * 2**30


def definitions(profile: Profile, cluster: str) -> tuple[dict[str, Parameter], dict[str, Parameter]]:
    """(cluster parameters, tenant parameters) of a build."""
    file_size = Parameter(
        "backup_data_file_size", "4G", "backup data file size. Range: [512M, 4G] in integer", _file_size
    )
    of_cluster = [
        Parameter("cluster", cluster, "Name of the cluster", anything),
        Parameter("cluster_id", str(CLUSTER_ID), "ID of the cluster", integer(1)),
        Parameter("enable_rich_error_msg", "False", "whether error messages carry the server's address", boolean, True),
        Parameter("enable_upgrade_mode", "False", "whether the cluster is being upgraded", boolean, True),
    ]
    of_tenant = [
        Parameter("freeze_trigger_percentage", "20", "the memstore usage that triggers a freeze. Range: (0, 100)",
                  integer(1, 99)),
        Parameter("ha_low_thread_score", "0", "high availability low thread score. Range: [0,100] in integer",
                  integer(0, 100)),
        Parameter("log_disk_utilization_limit_threshold", "95",
                  "maximum of log disk usage percentage before stop submitting or receiving logs, should be bigger "
                  "than log_disk_utilization_threshold. Range: [80, 100]", integer(80, 100)),
        Parameter("log_disk_utilization_threshold", "80",
                  "log disk utilization threshold before reuse log files, should be smaller than "
                  "log_disk_utilization_limit_threshold. Range: [10, 100)", integer(10, 99)),
        Parameter("_backup_idle_time", "5m", "the time interval between the schedules of backup", duration(10)),
    ]  # fmt: skip
    (of_tenant if profile.tenant_file_size else of_cluster).append(file_size)
    if profile.lag_target:
        of_tenant.append(
            Parameter("archive_lag_target", "120s", "archive lag target. Range: [0ms,7200s]", duration(0, 2 * HOUR))
        )
    low = profile.lowest_concurrency
    if low is not None:
        of_tenant.append(
            Parameter("log_archive_concurrency", str(low), f"log archive concurrency. Range: [{low}, 100] in integer",
                      integer(low, 100))
        )  # fmt: skip

    def named(parameters: list[Parameter]) -> dict[str, Parameter]:
        return {p.name: p for p in sorted(parameters, key=lambda p: p.name)}

    return named(of_cluster), named(of_tenant)


class AllParameters:
    """The cluster's parameters and every tenant's.

    ``parameters[name]`` (of a tenant parameter: sys's value), ``parameters[name, tenant]`` and
    ``parameters[name, server index]`` read a visible value; assigning presets it at once, without a tenant for all.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        of_cluster, self._of_tenant = definitions(cluster.profile, cluster.name)
        self.cluster = self._make(of_cluster)
        self.tenants: dict[int, Parameters] = {}

    def _make(self, known: dict[str, Parameter]) -> Parameters:
        return Parameters(known, self._cluster.servers, self._cluster.timeline, self._cluster.faults)

    def add_tenant(self, tenant_id: int) -> None:
        self.tenants[tenant_id] = self._make(self._of_tenant)

    def drop_tenant(self, tenant_id: int) -> None:
        del self.tenants[tenant_id]

    def is_tenant_parameter(self, name: str) -> bool:
        """Whose parameter it is; 5099 if nobody's."""
        if name.lower() in self._of_tenant:
            return True
        self.cluster.find(name)
        return False

    def value(self, name: str, tenant: Tenant4) -> str:
        """What the tenant's own services work with; '' if the build has no such parameter."""
        return self.tenants[tenant.tenant_id].central(name)

    def __getitem__(self, key: str | tuple[str, int | str]) -> str:
        name, where = key if isinstance(key, tuple) else (key, 0)
        if not self.is_tenant_parameter(name):
            return self.cluster[name, int(where)]
        tenant_id = self._tenant_id(where) if isinstance(where, str) else 1
        return self.tenants[tenant_id][name, where if isinstance(where, int) else 0]

    def __setitem__(self, key: str | tuple[str, int | str], value: str) -> None:
        name, where = key if isinstance(key, tuple) else (key, None)
        if not self.is_tenant_parameter(name):
            if where is None:
                self.cluster[name] = value
            else:
                self.cluster[name, int(where)] = value
            return
        chosen = [self._tenant_id(where)] if isinstance(where, str) else list(self.tenants)
        for tenant_id in chosen:
            if isinstance(where, int):
                self.tenants[tenant_id][name, where] = value
            else:
                self.tenants[tenant_id][name] = value

    def _tenant_id(self, name: str) -> int:
        tenant = self._cluster.find_tenant(name)
        if tenant is None:
            raise KeyError(name)
        return int(tenant.tenant_id)

    def visible(self) -> Iterable[tuple[int | None, Server, Parameter, str]]:
        """(tenant id or None for the cluster, server, parameter, value): a dead server doesn't answer."""
        owners: list[tuple[int | None, Parameters]] = [(None, self.cluster), *self.tenants.items()]
        for tenant_id, parameters in owners:
            for server, parameter, value in parameters.visible():
                if server.index not in self._cluster.faults.dead_servers:
                    yield tenant_id, server, parameter, value


def assign(cluster: Cluster, name: str, value: str, tenants: list[Tenant4]) -> None:
    """Check and store one assignment; ``tenants`` is ignored for a parameter of the cluster."""
    parameters = cluster.parameters
    if not parameters.is_tenant_parameter(name):
        parameters.cluster.validate(name, value)
        parameters.cluster.set(name, value)
        return
    for tenant in tenants:
        parameters.tenants[tenant.tenant_id].validate(name, value)
        if name.lower() == "archive_lag_target":
            _check_lag_target(cluster, value, tenant)
    for tenant in tenants:
        parameters.tenants[tenant.tenant_id].set(name, value)


def _check_lag_target(cluster: Cluster, value: str, tenant: Tenant4) -> None:
    archive = cluster.archives.get(tenant.tenant_id)
    place = archive.destination.place if archive else None
    if place is None:
        raise ServerError(4179, "log_archive_dest has not been set, set archive_lag_target is not allowed")
    if place.scheme == "s3" and cluster.is_short_lag(value):
        raise ServerError(4179, "set archive_lag_target smaller than 60s when log_archive_dest is S3 is not allowed")
