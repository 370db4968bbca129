"""What tests of tasks on 4.x need besides the harness: clusters of each build, states of a tenant, and its own record.

A state is a word of STATUS, or one of the combinations that hide behind a STATUS; see :func:`put`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pymysql
import pytest

from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, make_context, patch_time

VERSIONS = ("4.0.0", "4.1.0", "4.2.5", "4.3.3")
MODERN = VERSIONS[1:]
"""Builds with LOG_MODE and DEFER."""


@pytest.fixture
def cluster(request: pytest.FixtureRequest, add_connection: Callable[..., str]) -> Iterator[Sandbox]:
    """Two user tenants and three servers of a build of 4.x (4.2.5, or the parameter), its clock moved by hand."""
    wanted = getattr(request, "param", "4.2.5")
    options = {"profile": wanted} if isinstance(wanted, str) else dict(wanted)
    with Sandbox(**{"tenants": 2, "servers": 3, "manual_clock": True, **options}) as box:
        add_connection(box)
        yield box


class Time4(Time):
    """As :class:`Time`, also for what measures by the clock on the wall."""

    def time(self) -> float:
        return 1_800_000_000.0 + self.elapsed


@pytest.fixture
def clock(cluster: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Time:
    """No test sleeps; see :class:`Time`."""
    time = Time4(cluster)
    patch_time(time, monkeypatch)
    return time


def builds(*versions: str) -> pytest.MarkDecorator:
    """The test runs on each of these builds, all by default."""
    return pytest.mark.parametrize("cluster", versions or VERSIONS, indirect=True)


def last_try(try_number: int = 1) -> Any:
    """A context of a task that has no retries left."""
    context = make_context(try_number)
    context["ti"].max_tries = try_number - 1
    return context


def first_try(retries: int = 2) -> Any:
    """A context of a task that has retries left."""
    context = make_context(1)
    context["ti"].max_tries = retries
    return context


def sql(box: Sandbox, *statements: str, user: str = "root", tenant: str = "sys") -> None:
    """What somebody else does meanwhile; it leaves no trace in the record."""
    before = dict(box._world.recorder._entries)
    login = box.connection(user, tenant)
    connection = pymysql.connect(
        host=login["host"], port=login["port"], user=login["login"], password=login["password"], autocommit=True
    )
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()
    with box._world.recorder._lock:
        box._world.recorder._entries = {
            seq: entry for seq, entry in box._world.recorder._entries.items() if seq in before
        }


@dataclass(frozen=True)
class State:
    """A tenant's log archive by the cluster's own record."""

    status: str
    round_id: int
    log_mode: bool
    dest_state: str
    path: str
    binding: str
    interval: str


def state_of(box: Sandbox, tenant: str = "tenant1") -> State:
    archive = archive_of(box, tenant)
    rows = archive.destination.rows
    return State(
        archive.status,
        archive.round.round_id if archive.round else 0,
        archive.tenant.log_mode,
        rows.get("state", ""),
        rows.get("path", ""),
        rows.get("binding", ""),
        rows.get("piece_switch_interval", ""),
    )


def archive_of(box: Sandbox, tenant: str) -> Any:
    return next(found for found in box._cluster.archives.values() if found.tenant.name == tenant)


def place_of(tenant: str) -> str:
    """Where :func:`put` lets a tenant archive to."""
    return f"file:///data/nfs/backup/{tenant}/archive"


def put(box: Sandbox, state: str, tenant: str = "tenant1") -> None:
    """Put a tenant into a state.

    A STATUS, ``NONE`` (no round and no destination), and what STATUS does not show: ``READY`` (destination, no round),
    ``MODE`` (ARCHIVELOG without destination), ``COMING`` (ARCHIVELOG and destination, the scheduler has not looked
    yet), ``X+DEFER`` (the destination is switched off), ``STOPPING+MODE`` (ARCHIVELOG while it is being stopped).
    """
    word, _, more = state.partition("+")
    archive = archive_of(box, tenant)
    if word in {"READY", "COMING"}:
        box.force_status("STOP", tenant)
        box.force_status("NONE", tenant)
        archive.tenant.log_mode = word == "COMING"
    elif word == "MODE":
        box.force_status("NONE", tenant)
        archive.tenant.log_mode = True
    else:
        box.force_status(word, tenant)
    if more == "DEFER":
        archive.destination.rows["state"] = "DEFER"
    elif more == "MODE":
        archive.tenant.log_mode = True


def arch(tenant: str | None = "tenant1") -> str:
    return f"ALTER SYSTEM ARCHIVELOG{of(tenant)}"


def noarch(tenant: str | None = "tenant1") -> str:
    return f"ALTER SYSTEM NOARCHIVELOG{of(tenant)}"


def enable(tenant: str | None = "tenant1") -> str:
    return f"ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE'{of(tenant)}"


def dest(uri: str, tenant: str | None = "tenant1", binding: str = "Optional", interval: str = "1d") -> str:
    value = f"LOCATION={uri} BINDING={binding} PIECE_SWITCH_INTERVAL={interval}"
    return f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = '{value}'{of(tenant)}"


def of(tenant: str | None) -> str:
    return f" TENANT = '{tenant}'" if tenant else ""
