"""Two simulated clusters for `make ui`, and what their DBAs have done before: one is new, one has a past."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import pymysql

from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.clock import CLUSTER_UTC_OFFSET

_BEHIND = timedelta(hours=2)
_FASTER = 20
_STEP_SECONDS = 0.25
PASSWORD = "a password"  # noqa: S105


@dataclass(frozen=True)
class Cluster:
    """A simulated cluster, and how log backup is started on it."""

    conn_id: str
    name: str
    profile: str
    tenants: int
    conf: Mapping[str, Any]
    past: Callable[[Sandbox], None]


def ask(box: Sandbox, sql: str) -> tuple[tuple[Any, ...], ...]:
    """What a DBA at the cluster's own prompt gets."""
    account = box.connection()
    with closing(
        pymysql.connect(host=box.host, port=box.port, user=account["login"], password=account["password"])
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        return tuple(cursor.fetchall())


def user_tenants(box: Sandbox) -> list[str]:
    """Names of the user tenants of a 4.x cluster."""
    rows = ask(box, "SELECT TENANT_NAME FROM oceanbase.DBA_OB_TENANTS WHERE TENANT_TYPE = 'USER'")
    return [str(name) for (name,) in rows]


def no_past(box: Sandbox) -> None:
    """Nobody has ever started log backup."""


def ten_days(box: Sandbox) -> None:
    """Ten days of log backup, with a break that a full backup has ended; one tenant is new and has none yet."""
    now = box.now
    *old, new = user_tenants(box)
    for name in old:
        box.history.round(1, now - timedelta(days=10), now - timedelta(days=6), tenant=name, destination=_place(name))
        box.history.round(2, now - timedelta(days=5, hours=18), tenant=name, destination=_place(name))
        for number, days in enumerate((9, 5.5, 2), start=1):
            start = now - timedelta(days=days)
            box.history.backup_set(number, start, start + timedelta(minutes=40), tenant=name)
    box.history.policy("7d")
    for name in [*old, new]:
        ask(box, f"ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/nfs/payments/{name}/data' TENANT = {name}")
    box.clear_statements()


def _place(tenant: str) -> str:
    return f"file:///data/nfs/payments/{tenant}/log"


CLUSTERS = (
    Cluster(
        "ob_3_2_4",
        "orders",
        "3.2.4",
        3,
        {"mode": "optional", "compression": "zstd_1.3.8", "destination": "file:///data/nfs/orders"},
        no_past,
    ),
    Cluster(
        "ob_4_2_5",
        "payments",
        "4.2.5",
        3,
        {"mode": "optional", "destination": "file:///data/nfs/{cluster}/{tenant}/log"},
        ten_days,
    ),
)


class Clusters:
    """The clusters, alive, by their connections.

    They begin some hours ago and live faster until they have caught up with now: so nobody waits for the minutes that
    log backup lags, and the times that are shown afterwards are those of the clock on the wall.
    """

    def __init__(self) -> None:
        self.boxes: dict[str, Sandbox] = {}
        self._life = ExitStack()
        self._hurry, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._catch_up, daemon=True)

    def __enter__(self) -> Self:
        with ExitStack() as life:
            start = datetime.now(UTC).replace(tzinfo=None) + CLUSTER_UTC_OFFSET - _BEHIND
            for one in CLUSTERS:
                box = Sandbox(one.profile, tenants=one.tenants, cluster=one.name, start_time=start, password=PASSWORD)
                self.boxes[one.conn_id] = life.enter_context(box)
                one.past(box)
            self._thread.start()
            life.callback(self._thread.join)
            life.callback(self._hurry.set)
            life.callback(self._ended.set)
            self._life = life.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._life.close()

    def catch_up(self) -> None:
        """It is now."""
        self._hurry.set()
        self._thread.join()

    def _catch_up(self) -> None:
        left = _BEHIND.total_seconds()
        while left > 0:
            at_once = self._hurry.wait(_STEP_SECONDS)
            if self._ended.is_set():
                return
            step = left if at_once else min(left, _STEP_SECONDS * (_FASTER - 1))
            for box in self.boxes.values():
                box.advance(step)
            left -= step
