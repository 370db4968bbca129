"""A real OceanBase kernel for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from airflow_ob_provider.sandbox.kernel import Kernel


@pytest.fixture(scope="session")
def kernel() -> Iterator[Kernel]:
    """Started once a session in a process of its own, and ended with it."""
    if reason := Kernel.why_unavailable():
        pytest.skip(reason)
    with Kernel() as running:
        yield running


@pytest.fixture
def add_kernel(kernel: Kernel, add_connection: Callable[..., str]) -> Callable[..., str]:
    """Make the kernel known to Airflow under an id, with more of the connection if wanted."""

    def add(
        conn_id: str = "oceanbase_default",
        *,
        password: str = "",
        login: str = "root@sys",
        port: int = 0,
        **extra: object,
    ) -> str:
        connection: dict[str, object] = {
            "conn_type": "oceanbase",
            "host": kernel.host,
            "port": port or kernel.port,
            "login": login,
            "password": password,
            "schema": "oceanbase",
        }
        return add_connection(connection, conn_id, **extra)

    return add
