"""`make demo`: run the log backup DAG through Airflow, against the simulator or a real cluster, and tell what happened.

Exit code: 0 if all went as it should, 1 if not, 2 if nothing was tried because the caller's wishes are not legal.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TextIO

from rich.console import Console

from airflow_ob_provider.report import DRY_RUN, PROVEN
from airflow_ob_provider.sandbox import Sandbox
from demo import home, report
from demo.wanted import Wanted, WantedError

TENANTS, SERVERS, SPEED = 2, 3, 30


def main() -> int:
    """Run the demo; return its exit code."""
    try:
        wanted = Wanted.take(os.environ)
        terminal = home.redirect_output()
    except (WantedError, home.HomeError) as error:
        print(report.paragraph(str(error)), file=sys.stderr)
        return 2

    def say(line: str) -> None:
        print(line, file=terminal, flush=True)

    try:
        return _demo(wanted, say, terminal)
    except KeyboardInterrupt:
        say("Interrupted. What was sent to the cluster until then has taken effect.")
    except BrokenPipeError:
        pass  # nobody reads on
    except Exception as error:  # the terminal gets one line, the log all
        traceback.print_exc()
        home.discard()
        say(report.paragraph(f"The demo itself failed: {type(error).__name__}: {error}"))
        say(f"Full log: {home.LOG}")
    return 1


def _demo(wanted: Wanted, say: Callable[[str], None], terminal: TextIO) -> int:
    home.prepare(say)
    with ExitStack() as stack:
        box = None
        connection = wanted.connection
        if connection is None:
            box = stack.enter_context(Sandbox(wanted.profile, tenants=TENANTS, servers=SERVERS, speed=SPEED))
            connection = box.connection()
        os.environ["AIRFLOW_CONN_OCEANBASE_DEFAULT"] = json.dumps(connection)
        say(report.paragraph(_title(wanted)))
        say(f"Airflow's own log: {home.LOG}\nStarting Airflow ...")
        from demo import runs  # imports Airflow, which reads its home

        runner = runs.Runner(say, box)
        done = []
        for number in range(1, wanted.runs + 1):
            say(f"\nRun {number} of {wanted.runs} of the DAG {runs.DAG_ID}")
            done.append(runner.run(wanted.conf()))
            if done[-1].state != "success":
                break
        say("\n" + "=" * report.WIDTH)
        for number, run in enumerate(done, start=1):
            for part in report.of_run(number, run, dry_run=not wanted.writes):
                say(part)
        if not wanted.refusal and not isinstance(done[-1].changes, str):
            for table in runs.views().archive:
                sql = f"SELECT * FROM oceanbase.{table}"  # noqa: S608 - a constant
                for part in report.of_rows(f"After it all: {sql}", runs.read(sql)):
                    say(part)
        problems: list[str] = []
        if not wanted.refusal and done[-1].state == "success":
            from demo import compliance

            console = Console(file=terminal, width=report.WIDTH)
            problems = compliance.show(runner, box, say, console)
    return _verdict(wanted, done, problems, say)


def _title(wanted: Wanted) -> str:
    if wanted.connection is None:
        return (
            f"A simulated OceanBase {wanted.profile} cluster: {TENANTS} user tenants, {SERVERS} servers, living "
            f"{SPEED} times as fast as real time. Nothing outside this machine is touched."
        )
    where = f"{wanted.connection['host']}:{wanted.connection.get('port', 2881)}"
    how = "APPLY=1: the DAG may write" if wanted.apply else "dry run: the DAG only reads (APPLY=1 lets it write)"
    return f"The cluster at {where}. {how}."


def _verdict(wanted: Wanted, done: Sequence[report.Run], compliance: Sequence[str], say: Callable[[str], None]) -> int:
    say("\nVERDICT\n")
    for number, run in enumerate(done, start=1):
        sent = f"{run.writes} statements that write" if wanted.writes else "dry run: only reads were sent"
        say(f"  Run {number}: {run.state}, {run.verdict}, {sent}")
    problems = [
        f"Run {number}: {text}" for number, run in enumerate(done, 1) for text in _problems(wanted, number, run)
    ] + list(compliance)
    for text in [*problems, f"Full log: {home.LOG}"] if problems else [_conclusion(wanted, done[-1])]:
        say("\n" + report.paragraph(text))
    return 1 if problems else 0


def _conclusion(wanted: Wanted, last: report.Run) -> str:
    if wanted.refusal:
        return f"Refused, and nothing written: this is the expected result for OceanBase {wanted.profile}."
    proof = last.results.get("cluster.verify.checkpoint")
    if not proof:
        return "Log backup does not run, so nothing was proven. APPLY=1 sends the plan above."
    return (
        f"Proven: round {proof['round']} is {' '.join(proof['states'])}, and everything before {proof['after']} is "
        "archived. Not proven: that the files can be read back; only a restore proves that."
    )


def _problems(wanted: Wanted, number: int, run: report.Run) -> list[str]:
    """What is not as it should be, in words."""
    if wanted.refusal:
        refused = any(finding["level"] == "FAIL" for finding in run.findings) and run.state == "failed"
        problems = [] if refused else ["the prerequisites did not refuse the cluster"]
        return problems + ([f"{run.writes} statements that write were sent"] if run.writes else [])
    problems = []
    if run.state != "success" or run.verdict not in ((PROVEN,) if wanted.writes else (PROVEN, DRY_RUN)):
        failed = [f"{task} failed. {run.errors.get(task, '')}" for task, state, _ in run.tasks if state == "failed"]
        problems += failed[:1] or [f"it ended as {run.state}, {run.verdict}"]
    if any(one["check"] == "destination_set" and one["level"] == "FAIL" for one in run.findings):
        problems.append("DESTINATION=file:///<directory mounted on every OBServer> names a destination for this demo")
    if number == 2 and run.writes:
        problems.append(f"it sent {run.writes} statements that write, and should send none")
    if wanted.connection is None and number == 1 and not run.writes:
        problems.append("it wrote nothing to a cluster without log backup")
    return problems


if __name__ == "__main__":
    sys.exit(main())
