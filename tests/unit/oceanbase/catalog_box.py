"""A simulated cluster with a past, asked for its backup catalog over a socket by the session that users have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_ob_provider.hooks.drivers import connect
from airflow_ob_provider.hooks.oceanbase import OceanBaseSession
from airflow_ob_provider.hooks.settings import ConnectionSettings
from airflow_ob_provider.oceanbase.catalog import BackupCatalog, TenantRecord
from airflow_ob_provider.oceanbase.dialects import detect_version, dialect_for
from airflow_ob_provider.oceanbase.evidence import Recorder
from airflow_ob_provider.sandbox import Sandbox

V3 = ("2.2.77", "3.1.2", "3.1.5", "3.2.4")
"""With pieces; 3.1.0 has none."""
V4 = ("4.0.0", "4.1.0", "4.2.1", "4.2.5", "4.3.3")
_VIEW = re.compile(r"oceanbase\.(?!gv\$tenant|DBA_OB_TENANTS)([\w$]+)")
CST = timezone(timedelta(hours=8))
NOW = datetime.fromisoformat("2026-03-20T12:00:00")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def day(number: int, hour: float = 0) -> datetime:
    """A moment of March 2026 as the sandbox has it: local time of the cluster."""
    return datetime.fromisoformat(f"2026-03-{number:02d}T00:00:00") + timedelta(hours=hour)


def at(number: int, hour: float = 0) -> datetime:
    """The same moment as the catalog has it."""
    return day(number, hour).replace(tzinfo=CST)


@contextmanager
def cluster(profile: str, **options: Any) -> Iterator[Sandbox]:
    """Two user tenants and three servers, the clock moved by hand."""
    with Sandbox(profile, **{"start_time": NOW, "manual_clock": True, **options}) as box:
        yield box


@dataclass
class Read:
    """A catalog, and what it took."""

    catalog: BackupCatalog
    statements: list[str]
    """As the server has received them, without what a session says at its beginning."""
    recorder: Recorder = field(repr=False)

    def __getitem__(self, name: str) -> TenantRecord:
        return next(record for record in self.catalog.tenants if record.tenant.name == name)

    @property
    def views(self) -> list[str]:
        """The first view of each statement that is not the tenants'; '' where it asks for the version."""
        return [next(iter(_VIEW.findall(sql)), "") for sql in self.statements]


def read(box: Sandbox, *, user: str = "root", tenant: str = "sys") -> Read:
    """The catalog as a check reads it."""
    login = box.connection(user, tenant)
    settings = ConnectionSettings(
        host=login["host"], port=login["port"], user=login["login"], password=login["password"], schema="oceanbase"
    )
    with closing(OceanBaseSession(connect(settings), where="sandbox", tag="/* test */ ")) as session:
        box.clear_statements()
        recorder = Recorder(session.query)
        catalog = dialect_for(detect_version(recorder), recorder).backup_catalog()
        sent = [entry.sql.partition("*/ ")[2] for entry in box.statements if entry.sql.startswith("/* test */")]
        return Read(catalog, sent, recorder)


def healthy(box: Sandbox, *, first: int = 10) -> None:
    """A round since a day of March, and a full backup the day after."""
    box.history.clear()
    box.history.round(1, day(first))
    box.history.backup_set(1, day(first + 1, 2), day(first + 1, 3))
