from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_ob_provider.sandbox import Sandbox

PROFILES = ("4.0.0", "4.1.0", "4.2.1", "4.2.5", "4.3.3")
ROUNDS = "SELECT * FROM CDB_OB_ARCHIVELOG ORDER BY TENANT_ID"


class Archive:
    """What tests do again and again with a 4.x cluster, from sys."""

    def __init__(self, box: Sandbox, client: Any) -> None:
        self.box = box
        self.client = client

    def set(self, tenant: str = "tenant1", value: str = "", clause: str = "") -> str:
        """The statement that sets a tenant's destination."""
        location = value or f"LOCATION=file:///data/nfs/{tenant}"
        return f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = '{location}' TENANT = {clause or tenant}"

    def configure(self, *tenants: str) -> None:
        for tenant in tenants or ("tenant1",):
            assert self.client.do(self.set(tenant)) == 0

    def start(self, *tenants: str) -> None:
        """From nothing to DOING."""
        names = tenants or ("tenant1",)
        self.configure(*names)
        self.client.do(f"ALTER SYSTEM ARCHIVELOG TENANT = {', '.join(names)}")
        self.box.advance(200)
        assert {self.status(name) for name in names} == {"DOING"}

    def row(self, tenant: str = "tenant1") -> dict[str, Any]:
        rows = self.client.rows(
            f"SELECT a.* FROM CDB_OB_ARCHIVELOG a JOIN DBA_OB_TENANTS t USING (TENANT_ID) WHERE TENANT_NAME='{tenant}'"
        )
        return rows[0] if rows else {}

    def status(self, tenant: str = "tenant1") -> str:
        return self.row(tenant).get("STATUS", "")

    def destination(self, tenant_id: int = 1002) -> dict[str, str]:
        sql = f"SELECT NAME, VALUE FROM CDB_OB_ARCHIVE_DEST WHERE TENANT_ID = {tenant_id} AND DEST_NO = 0"
        return dict(self.client.tuples(sql))

    def mode(self, tenant: str = "tenant1") -> str:
        return self.client.value(f"SELECT LOG_MODE FROM DBA_OB_TENANTS WHERE TENANT_NAME = '{tenant}'")

    def watch(self, seconds: float, step: float = 1.0, tenant: str = "tenant1") -> list[str]:
        """The statuses on the way, each once."""
        seen = [self.status(tenant)]
        for _ in range(int(seconds / step)):
            self.box.advance(step)
            status = self.status(tenant)
            if status != seen[-1]:
                seen.append(status)
        return seen


@pytest.fixture
def box(make_box: Callable[..., Sandbox]) -> Sandbox:
    """A 4.2.5 whose schedulers look every 2 s, so that tests are short."""
    return make_box("4.2.5", tick_seconds=2.0)


@pytest.fixture
def archive(box: Sandbox, client: Any) -> Archive:
    return Archive(box, client)


@pytest.fixture
def make_archive(make_box: Callable[..., Sandbox], connect: Callable[..., Any]) -> Callable[..., Archive]:
    def make(profile: str, **options: Any) -> Archive:
        box = make_box(profile, **options)
        return Archive(box, connect(box))

    return make


@pytest.fixture
def own(box: Sandbox, connect: Callable[..., Any]) -> Any:
    """root of tenant1."""
    return connect(box, "root@tenant1")
