"""A simulator in a process of its own, and what the provider's reads of its state look like."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pymysql
from pymysql.cursors import DictCursor

from airflow_ob_provider.oceanbase.dialects import detect_version, dialect_for
from airflow_ob_provider.oceanbase.statements import Statement
from benchmarks.figures import check

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Simulator:
    """A simulator that runs; ``started`` is seconds from the start of its process until it listens."""

    process: psutil.Process
    port: int
    started: float
    _control: Any
    """A connection that stands beside what is measured."""

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        return float(self.process.memory_info().rss) / 2**20

    def connect(self) -> Any:
        """A plain PyMySQL connection to tenant sys; rows are dictionaries."""
        return _connect(self.port)

    def send(self, statement: str) -> list[dict[str, Any]]:
        """A statement to the simulator itself, which is in no record."""
        with self._control.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def recorded(self) -> list[dict[str, Any]]:
        """The statements since the record was cleared."""
        return self.send("SANDBOX SHOW STATEMENTS")


@contextmanager
def simulator(profile: str, *, tenants: int = 2) -> Iterator[Simulator]:
    """Start one, and end it."""
    command = [sys.executable, "-m", "airflow_ob_provider.sandbox", "--port", "0"]
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--profile", profile, "--tenants", str(tenants)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            started = time.perf_counter() - began
            check(line.startswith("sandbox ready"), f"the simulator of {profile} says {line!r}")
            port = int(line.partition("port=")[2].split()[0])
            with _connect(port) as control:
                yield Simulator(psutil.Process(process.pid), port, started, control)
        finally:
            process.terminate()


def _connect(port: int) -> Any:
    return pymysql.connect(
        host="127.0.0.1", port=port, user="root@sys", database="oceanbase", autocommit=True, cursorclass=DictCursor
    )


def status_read(connection: Any, tenants: int) -> str:
    """The statement with which the provider reads the state of log backup; it is DOING everywhere."""
    sent: list[str] = []

    def query(statement: Statement) -> Sequence[dict[str, Any]]:
        sent.append(statement.text)
        with connection.cursor() as cursor:
            cursor.execute(statement.text)
            return [{name.lower(): value for name, value in row.items()} for row in cursor.fetchall()]

    dialect = dialect_for(detect_version(query), query)
    dialect.archive()
    before = len(sent)
    found = dialect.archive()
    check({row.state.value for row in found.rows} == {"DOING"}, f"log backup is {found.rows[:3]}")
    check(len(found.tenants) == tenants, f"{len(found.tenants)} tenants were read")
    check(len(sent) - before == 1, f"one read of the state is {sent[before:]}")
    return sent[-1]
