"""Servers, tenants and users of the simulated cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

SYS_TENANT_ID = 1
RPC_PORT = 2882
SQL_PORT = 2881


@dataclass(frozen=True)
class Server:
    """One OBServer. The server of index 0 holds the RootService."""

    index: int
    zone: str
    ip: str

    @property
    def address(self) -> str:
        return f"{self.ip}:{RPC_PORT}"


@dataclass
class User:
    """An account of a tenant. ``ALL`` in the privileges is every privilege, with grant option."""

    name: str
    password: str = field(default="", repr=False)
    privileges: frozenset[str] = frozenset({"ALL"})

    def may(self, privilege: str) -> bool:
        return "ALL" in self.privileges or privilege in self.privileges


@dataclass
class Tenant:
    """A tenant. ``idle``: nothing is written to it, so a freeze finds no memtable to freeze."""

    tenant_id: int
    name: str
    created: datetime
    idle: bool = False
    users: dict[str, User] = field(default_factory=dict)

    @property
    def is_sys(self) -> bool:
        return self.tenant_id == SYS_TENANT_ID


def make_servers(count: int) -> tuple[Server, ...]:
    """``count`` servers spread over at most three zones, as an installer would place them."""
    if count < 1:
        raise ValueError("a cluster has at least one server")
    zones = min(count, 3)
    return tuple(Server(i, f"zone{i % zones + 1}", f"10.10.10.{i + 1}") for i in range(count))
