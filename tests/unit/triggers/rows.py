"""Rows of Airflow's trigger table as releases have written them, and clusters on which their waits are over.

``rows.jsonl`` is only ever added to: never edit or remove a line of it. A line that a change of the code breaks stands
for the waits that users have in flight while they upgrade, so it is the code that is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness4 import sql
from tests.unit.operators.harness_backup import FULL, set_up

ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("rows.jsonl").read_text().splitlines()
]
NINE = datetime(2026, 11, 24, 9)  # noqa: DTZ001 - the cluster's local time
"""When, by the clusters' clocks, the rows of 0.1.0 were written."""
_BEFORE = timedelta(minutes=1)


@contextmanager
def clusters(**options: Any) -> Iterator[dict[str, Sandbox]]:
    """The clusters that the rows name, shortly before nine, with log backup BEGINNING."""
    with ExitStack() as stack:
        boxes = {
            name: stack.enter_context(Sandbox(profile, start_time=NINE - _BEFORE, tenants=tenants, **options))
            for name, profile, tenants in (
                ("yesterday_v3", "3.2.4", 2),
                ("yesterday_stopped", "3.1.5", 2),
                ("yesterday_v4", "4.2.5", 3),
            )
        }
        for name, box in boxes.items():
            if name != "yesterday_v4":
                box.parameters["backup_dest"] = "file:///data/nfs/backup"
            box.force_status("BEGINNING")
        yield boxes


def finish(boxes: dict[str, Sandbox]) -> None:
    """Hours later everything that the rows wait for has come."""
    for name, box in boxes.items():
        box.faults.reset()
        box.force_status("STOP" if name == "yesterday_stopped" else "DOING")
        if name == "yesterday_v4":
            set_up(box, "tenant1", "tenant2", "tenant3")
        if name != "yesterday_stopped":
            sql(box, FULL)
        box.advance(3 * 3600)
