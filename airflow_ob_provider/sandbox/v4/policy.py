"""Delete policies: their rows. The hourly cleaning itself isn't simulated; nothing here is ever old enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_ob_provider.sandbox.cluster import Caller
from airflow_ob_provider.sandbox.errors import ServerError, not_supported
from airflow_ob_provider.sandbox.values import parse_time

from .statements import CancelDelete, Names, Policy
from .targets import named_tenant, own
from .tenants import Tenant4

if TYPE_CHECKING:
    from .cluster import Cluster


class Policies:
    """RECOVERY_WINDOW by tenant id; the only name there can be is ``default``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.windows: dict[int, str] = {}

    def change(self, command: Policy, caller: Caller) -> None:
        """ADD or DROP DELETE BACKUP POLICY, with the resolver's refusals (all 1235)."""
        if command.name != "default":
            raise not_supported("The policy name is not 'default', it is")
        tenant = self._tenant(command.tenants, caller)
        if not command.add:
            self.windows.pop(tenant.tenant_id, None)
            return
        if command.recovery_window is None and command.redundancy is None:
            raise not_supported("Neither recovery_window nor redundancy is set")
        if command.redundancy not in {None, 1}:
            raise not_supported("Redundancy not equal to 1 is")
        window = command.recovery_window or ""
        if window and parse_time(window) is None:
            raise not_supported("recovery window is not be time string")
        if tenant.tenant_id in self.windows:
            # The table's key refuses it; the text isn't verified.
            raise ServerError(1062, f"Duplicate entry '{tenant.tenant_id}-default' for key 'PRIMARY'")
        self.windows[tenant.tenant_id] = window

    def cancel_delete(self, command: CancelDelete, caller: Caller) -> None:
        """Without a running deletion this is a silent OK."""
        if command.tenants is not None and not caller.tenant.is_sys:
            raise not_supported("user tenant cannot specify tenant names")
        for name in command.tenants or ():
            named_tenant(self._cluster, name)

    def _tenant(self, names: Names, caller: Caller) -> Tenant4:
        if not caller.tenant.is_sys:
            if names is not None:
                raise not_supported("user tenant cannot specify tenant names")
            return own(caller)
        if names is None:
            raise not_supported("Too little tenant names specified, only one tenant name can be specified")
        if len(names) > 1:
            raise not_supported("Too many tenant names specified, only one tenant name can be specified")
        return named_tenant(self._cluster, names[0])
