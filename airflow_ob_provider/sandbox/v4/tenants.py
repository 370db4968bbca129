"""Tenants of a 4.x cluster: each user tenant has a meta tenant with the id before its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from airflow_ob_provider.sandbox.topology import Tenant

FIRST_USER_TENANT_ID = 1002
#: The log streams of a tenant: its own small one, and that of the user data.
LOG_STREAMS = (1, 1001)


@dataclass(eq=False)
class Tenant4(Tenant):
    """sys or a user tenant. Meta tenants have no sessions and no state of their own, so they are only rows."""

    status: str = "NORMAL"
    role: str = "PRIMARY"
    in_recyclebin: bool = False
    locked: bool = False
    compatibility_mode: str = "MYSQL"
    #: DBA_OB_TENANTS.LOG_MODE is ARCHIVELOG
    log_mode: bool = False

    CHANGEABLE: ClassVar[tuple[str, ...]] = ("status", "role", "in_recyclebin", "locked", "compatibility_mode")

    @property
    def normal(self) -> bool:
        return self.status == "NORMAL" and not self.in_recyclebin

    @property
    def meta_id(self) -> int:
        return self.tenant_id - 1

    @property
    def meta_name(self) -> str:
        return f"META${self.tenant_id}"
