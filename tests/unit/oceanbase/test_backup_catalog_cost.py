"""What a check of a large fleet costs: five statements, a row a tenant and round, memory that pieces do not add to.

The answers of the simulator are kept as the text that they were, and given again to a client that is measured alone.
"""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_ob_provider.oceanbase.compliance.judge import judge
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from airflow_ob_provider.oceanbase.dialects import detect_version, dialect_for
from airflow_ob_provider.oceanbase.models import Level
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox
from tests.kernel.twin import Twin
from tests.unit.oceanbase.catalog_box import DAY, HOUR

NOW = datetime.fromisoformat("2026-03-20T12:00:00")
TENANTS = 1000
SETS = 30
ALL_ROWS = {
    "3.1.5": ("CDB_OB_BACKUP_PIECE_FILES", "CDB_OB_BACKUP_SET_FILES"),
    "4.2.5": ("CDB_OB_ARCHIVELOG_PIECE_FILES", "CDB_OB_BACKUP_SET_FILES"),
}
PROFILES = tuple(ALL_ROWS)


@dataclass
class Fleet:
    """What the server answered, statement by statement, and what all rows would have been."""

    rows: list[int] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    everything: int = 0

    @property
    def bytes(self) -> int:
        return sum(map(len, self.answers.values()))

    def replay(self, statement: Statement) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = json.loads(self.answers[statement.text])
        return [{name: _value(value) for name, value in row.items()} for row in answer]


def _value(value: Any) -> Any:
    return datetime.fromisoformat(value["at"]) if isinstance(value, dict) else value


def _text(value: Any) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else int(value)


def fleet(profile: str, pieces: int) -> Fleet:
    box = Sandbox(profile, tenants=TENANTS, servers=3, start_time=NOW, manual_clock=True)
    box.history.clear()
    box.history.round(1, NOW - pieces * DAY + HOUR)
    for number in range(SETS):
        start = NOW - timedelta(hours=200 - 6 * number)
        box.history.backup_set(number + 1, start, start + HOUR)
    twin = Twin(box, None)
    found = Fleet()

    def query(statement: Statement) -> Any:
        rows = twin(statement)
        found.rows.append(len(rows))
        found.answers[statement.text] = json.dumps([dict(row) for row in rows], default=_text)
        return rows

    dialect_for(detect_version(query), query).backup_catalog()
    for view in ALL_ROWS[profile]:
        one = twin(Statement.read(f"SELECT * FROM oceanbase.{view} WHERE TENANT_ID = 1002"))
        found.everything += TENANTS * len(json.dumps([dict(row) for row in one], default=str))
    return found


@pytest.fixture(scope="module", params=PROFILES)
def fleets(request: pytest.FixtureRequest) -> dict[int, Fleet]:
    """By the number of pieces a tenant."""
    return {pieces: fleet(request.param, pieces) for pieces in (10, 365)}


def test_statements_and_rows_do_not_grow_with_pieces_and_sets(fleets: dict[int, Fleet]) -> None:
    small, large = fleets[10], fleets[365]
    assert len(large.rows) == 5
    assert large.rows == small.rows
    _, state, upkeep, rounds, backups = large.rows
    assert TENANTS <= state <= TENANTS + 1
    assert upkeep <= 8 * TENANTS + 10
    assert rounds == backups == TENANTS


def test_bytes_are_a_hundredth_of_all_rows(fleets: dict[int, Fleet]) -> None:
    assert fleets[365].bytes < fleets[365].everything / 100


def test_memory_does_not_grow_with_pieces(fleets: dict[int, Fleet]) -> None:
    peaks = {}
    for pieces, found in fleets.items():
        tracemalloc.start()
        catalog = dialect_for(detect_version(found.replay), found.replay).backup_catalog()
        judgement = judge(catalog, Policy())
        _, peaks[pieces] = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(catalog.tenants) == TENANTS
        assert all(record.recovery and not record.recovery.gaps for record in catalog.tenants)
        assert judgement.verdict is not Level.UNKNOWN
    assert peaks[365] < 1.1 * peaks[10]
