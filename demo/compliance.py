"""The end of the demo: the compliance check, and in the simulator the data backup that it asks for."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from airflow_ob_provider.cli.archive import tables
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox
from demo import home, report, runs

REPORTS = home.HOME / "oceanbase-reports"
_WAIT_SECONDS = 90.0


def show(runner: runs.Runner, box: Sandbox | None, say: Callable[[str], None], console: Console) -> list[str]:
    """Check log backup, back up the data of the simulated cluster, and check again.

    :return: what is not as it should be, in words.
    """
    shutil.rmtree(REPORTS, ignore_errors=True)  # of another cluster under the same name
    say(f"\nThe compliance check: DAG {runs.CHECK_ID}")
    result = runner.check(f"file://{REPORTS}")
    if box:
        say(report.paragraph(f"  {result['summary']['en']}"))
        say("\nLog backup alone restores nothing, so the DBA takes a full data backup of the simulated cluster ...")
        for statement in _data_backup():
            say(report.paragraph(f"  {statement}"))
            OceanBaseHook().execute(statement)
        _wait_for_checkpoint()
        say(f"\nThe compliance check again: DAG {runs.CHECK_ID}")
        result = runner.check(f"file://{REPORTS}")
    document = _document(result)
    console.print()
    for name in ("check", "windows"):
        for part in tables(name, document, "en"):
            console.print(part, highlight=False)
    say(f"The page of this report, in English and Chinese: {REPORTS}/oceanbase_default/latest.en.html and .zh.html")
    return [f"the compliance check is {result['verdict']}"] if box and result["verdict"] != "OK" else []


def _document(result: Mapping[str, Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(Path(result["files"]["json"].removeprefix("file://")).read_text("utf-8"))
    return found


def _data_backup() -> list[Statement]:
    with OceanBaseHook().session() as session:
        tenants = [tenant.name for tenant in session.dialect.tenants()]
        is_4 = session.version.major >= 4
    places = [f"ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/nfs/data/{name}' TENANT = {name}" for name in tenants]
    return [Statement.write(text) for text in [*(places if is_4 else []), "ALTER SYSTEM BACKUP DATABASE"]]


def _wait_for_checkpoint() -> None:
    """Until the checkpoint has passed the backup: some minutes of the simulated cluster."""
    end = time.monotonic() + _WAIT_SECONDS
    view = runs.views()
    table = "CDB_OB_BACKUP_SET_FILES"
    column = "MIN_RESTORE_SCN" if view.time == "TIMESTAMP" else "COMPLETION_TIME"
    passed = "CHECKPOINT_SCN" if view.time == "TIMESTAMP" else "MAX_NEXT_TIME"
    ready = (
        f"SELECT (SELECT COUNT(*) FROM oceanbase.{table} WHERE STATUS = 'SUCCESS') > 0 AND "  # noqa: S608 - constants
        f"(SELECT MIN({passed}) FROM oceanbase.{view.archive[0]}) > (SELECT MAX({column}) FROM oceanbase.{table}) AS ok"
    )
    while time.monotonic() < end:
        rows = runs.read(ready)
        if not isinstance(rows, str) and rows and str(rows[0]["ok"]) == "1":
            return
        time.sleep(1)
