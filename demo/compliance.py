"""The end of the demo: the compliance check, and in the simulator the data backup that it asks for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from airflow_ob_provider.cli.archive import tables
from airflow_ob_provider.sandbox import Sandbox
from demo import home, report, runs

REPORTS = home.HOME / "oceanbase-reports"


def show(runner: runs.Runner, box: Sandbox | None, say: Callable[[str], None], console: Console) -> list[str]:
    """Check log backup, back up the data of the simulated cluster through its DAG, and check again.

    :return: what is not as it should be, in words.
    """
    shutil.rmtree(REPORTS, ignore_errors=True)  # of another cluster under the same name
    say(f"\nThe compliance check: DAG {runs.CHECK_ID}")
    result = runner.check(f"file://{REPORTS}")
    if box:
        say(report.paragraph(f"  {result['summary']['en']}"))
        say(f"\nLog backup alone restores nothing, so a full data backup is chained to it: DAG {runs.BACKUP_ID}")
        made = runner.back_up()
        for statement in made["statements"]:
            say(report.paragraph(f"  {statement}"))
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
