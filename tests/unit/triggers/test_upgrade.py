"""Waits that were in flight when the provider was upgraded end as they would have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk.module_loading import import_string

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase import waits
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, fired, patch_time

from .rows import ROWS, clusters, finish

rows = pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])


def inflate(row: dict[str, Any], **changes: Any) -> Any:
    return import_string(row["classpath"])(**row["kwargs"], **changes)


@pytest.fixture
def boxes(add_connection: Callable[..., str]) -> Iterator[dict[str, Sandbox]]:
    with clusters(manual_clock=True) as made:
        for name, box in made.items():
            add_connection(box, name)
        yield made


@pytest.fixture
def box(row: dict[str, Any], boxes: dict[str, Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The cluster of the row, its clock moved by the wait."""
    found = boxes[row["kwargs"]["oceanbase_conn_id"]]
    patch_time(Time(found), monkeypatch)
    return found


@rows
def test_every_row_ends_with_what_it_carries(row: dict[str, Any], boxes: dict[str, Sandbox], box: Sandbox) -> None:
    finish(boxes)
    event = fired(inflate(row))
    assert event["status"] == "ready", event
    assert event["summary"]["read_at"] > "2026-11-24 11:00"
    assert event["carry"] == row["kwargs"]["carry"]
    assert not box.writes


@rows
def test_every_row_waits_for_what_it_waited_for(row: dict[str, Any], box: Sandbox) -> None:
    box.faults.destination_unwritable = True
    box.faults.dead_medium = True
    box.faults.stuck_memtables = True
    match row["kwargs"]["wait"]["kind"]:
        case "PiecesReady":
            box.faults.malformed = {"CDB_OB_BACKUP_PIECE_FILES.FILE_STATUS": "COPYING"}
        case "ArchiveStopped":
            box.force_status("STOPPING")
        case "FreezeDone":
            OceanBaseHook(oceanbase_conn_id=row["kwargs"]["oceanbase_conn_id"]).run("ALTER SYSTEM MINOR FREEZE")
    row = row | {"kwargs": row["kwargs"] | {"seconds": 30}}
    assert fired(inflate(row))["status"] == "timeout"


@rows
def test_no_argument_of_a_row_is_lost(row: dict[str, Any]) -> None:
    """What a release does not know it leaves out, so a renamed argument would be lost without a word."""
    written = inflate(row).serialize()[1]
    assert {name: written.get(name) for name in row["kwargs"]} == row["kwargs"]
    wait = row["kwargs"]["wait"]
    again = waits.from_wire(wait).to_wire()
    assert {name: again.get(name) for name in wait} == wait


def test_every_kind_of_wait_has_a_row() -> None:
    """A new kind needs lines of its own in ``rows.jsonl`` before it is released."""
    assert {row["kwargs"]["wait"]["kind"] for row in ROWS} >= set(waits._KINDS)
