"""The demo's report in plain text, at most 120 columns wide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from tabulate import tabulate

from airflow_ob_provider.oceanbase.redact import redact

WIDTH = 120
_SHOWN_ROWS = 12
_TAG = re.compile(r"^/\* airflow-ob-provider dag=\S+ task=(?P<task>\S+) .*?\*/ ")
_WORDS = {
    ("approval_gate", "success"): "no approval is needed",
    ("approve_mandatory_mode", "skipped"): "not needed: no cluster switches to mandatory mode",
    ("cluster.freeze.needed", "success"): "no round runs, so a freeze helps",
    ("cluster.freeze.needed", "skipped"): "no freeze is needed: log backup runs already, or is of 4.x",
    ("cluster.freeze.minor_freeze", "skipped"): "no freeze is needed: log backup runs already, or is of 4.x",
    ("cluster.verify.round_runs", "skipped"): "no round runs, so there is nothing to verify",
}
_STATE_WORDS = {"upstream_failed": "did not run: a step before it failed", "skipped": "not needed"}
_NAMES = {"minor_freeze": "freeze"}  # the report's name of a step, where it differs from the task's


@dataclass(frozen=True)
class Run:
    """One run of the DAG, as read from Airflow and the server afterwards."""

    state: str
    seconds: float
    tasks: Sequence[tuple[str, str, float | None]]
    """Task, state, seconds."""
    results: Mapping[str, Any]
    errors: Mapping[str, str]
    sent: Sequence[tuple[Any, str, Any]] | None
    """Time, statement and answer of each statement that writes, as the simulator saw them; None on a real cluster."""
    changes: Sequence[Mapping[str, Any]] | str
    """Events of log backup, or why they could not be read."""

    @property
    def summary(self) -> Mapping[str, Any]:
        """Result of the task ``summary``."""
        return self.results.get("cluster.summary") or {}

    @property
    def verdict(self) -> str:
        """The DAG's own word."""
        return str((self.results.get("report") or {}).get("verdict", "no report"))

    @property
    def findings(self) -> list[Mapping[str, Any]]:
        """What the prerequisites found, without what is as it should be."""
        found = (self.results.get("cluster.prerequisites") or {}).get("findings", [])
        return [finding for finding in found if finding["level"] != "OK"]

    @property
    def writes(self) -> int:
        """Statements that write, seen by the simulator, or else as the tasks tell."""
        return len(self.summary.get("statements", ())) if self.sent is None else len(self.sent)


def of_run(number: int, run: Run, *, dry_run: bool) -> Iterator[str]:
    """Everything about one run."""
    yield f"\nRUN {number}: {run.state}, {run.verdict}, {run.seconds:.0f} s\n"
    steps = [(task, state, seconds, _words(task, state, run)) for task, state, seconds in run.tasks]
    yield _table(steps, ("task", "state", "seconds", "result"), (None, None, None, 62))
    if run.findings:
        yield "\nPrerequisites that are not OK:\n"
        rows = [[finding[key] for key in ("level", "check", "observed", "hint")] for finding in run.findings]
        yield _table(rows, ("level", "check", "observed", "what to do"), (None, None, 42, 42))
    yield from _statements(run, dry_run=dry_run)
    yield from _changes(run.changes)


def of_rows(title: str, rows: Sequence[Mapping[str, Any]] | str) -> Iterator[str]:
    """All columns of a view: one line a column, because no terminal is as wide as the view."""
    yield f"\n{title}\n"
    if isinstance(rows, str):
        yield fill(f"  not readable: {rows}", WIDTH)
        return
    if not rows:
        yield "  no rows"
        return
    for first in range(0, min(len(rows), _SHOWN_ROWS), 3):
        block = rows[first : first + 3]
        lines = [(name.upper(), *(_text(row[name]) for row in block)) for name in rows[0]]
        yield _table(lines, (), (None, *(29 for _ in block))) + "\n"
    if len(rows) > _SHOWN_ROWS:
        yield f"  ... and {len(rows) - _SHOWN_ROWS} rows more"


def paragraph(text: str) -> str:
    """Text of any length, in lines."""
    return fill(redact(text), WIDTH)


def _statements(run: Run, *, dry_run: bool) -> Iterator[str]:
    if run.sent is not None:
        yield f"\nStatements that write: {len(run.sent)} (the simulator's record of all it received; server's time)\n"
        rows = [(f"{at:%Y-%m-%d %H:%M:%S}", *_sent(sql), outcome) for at, sql, outcome in run.sent]
        headers = ("received", "sent by", "statement", "answer")
        yield _table(rows, headers, (None, None, 58, None)) if rows else "  none"
        return
    statements = run.summary.get("statements", [])
    what = "Plan, nothing of it was sent" if dry_run else "Statements that write"
    yield f"\n{what}: {len(statements)} (from the tasks' results)\n"
    yield from [fill(f"  {redact(text)}", WIDTH, subsequent_indent="    ") for text in statements] or ["  none"]
    if run.errors and not dry_run:
        yield "  A task that failed has no result: whether it sent something is in the log."


def _changes(changes: Sequence[Mapping[str, Any]] | str) -> Iterator[str]:
    yield "\nChanges of STATUS (the server's own event history)\n"
    if isinstance(changes, str):
        yield fill(f"  not readable: {changes}", WIDTH)
        return
    rows = []
    for row in changes:
        values = {row.get(f"name{i}"): row.get(f"value{i}") for i in range(1, 7)}
        status = values.get("new_status") or values.get("status")
        if status:
            tenant = values.get("tenant_id") or "cluster"
            rows.append((_text(row["happened"]), tenant, status, values.get("round_id"), row["event"]))
    yield _table(rows, ("server's time", "tenant", "status", "round", "event")) if rows else "  none"


def _words(task: str, state: str, run: Run) -> str:
    if task in run.errors and state != "success":
        return redact(run.errors[task])
    name = task.rpartition(".")[2]
    steps = run.summary.get("steps", {})
    if state == "success" and (text := steps.get(_NAMES.get(name, name))):
        return str(text)
    if name in ("summary", "report") and (result := run.results.get(task)):
        return str(result["verdict"])
    if name == "round_runs" and state == "success":
        rounds = run.results.get(task) or {}
        return ", ".join(f"{name} round {number}" if number else f"{name} begins" for name, number in rounds.items())
    if name == "list_clusters" and state == "success":
        return ", ".join(run.results.get(task) or [])
    return _WORDS.get((task, state), _STATE_WORDS.get(state, ""))


def _sent(sql: str) -> tuple[str, str]:
    tag = _TAG.match(sql)
    return (tag["task"], redact(sql[tag.end() :])) if tag else ("", redact(sql))


def _text(value: Any) -> str:
    return "NULL" if value is None else redact(str(value))


def _table(rows: Sequence[Sequence[Any]], headers: Sequence[str], widths: Sequence[int | None] = ()) -> str:
    return tabulate(
        rows,
        headers=headers,
        tablefmt="simple" if headers else "plain",
        maxcolwidths=list(widths) or None,
        floatfmt=".1f",
        disable_numparse="seconds" not in headers,
    )
