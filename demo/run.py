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

from airflow_ob_provider.report import DRY_RUN, PROVEN
from airflow_ob_provider.sandbox import Sandbox
from demo import home, report
from demo.wanted import Wanted, WantedError

TENANTS, SERVERS, SPEED = 2, 3, 30
_TABLES = ("CDB_OB_BACKUP_ARCHIVELOG", "CDB_OB_BACKUP_PIECE_FILES")


def main() -> int:
    """Run the demo; return its exit code."""
    try:
        wanted = Wanted.take(os.environ)
        terminal = home.redirect_output()
    except (WantedError, home.HomeError) as error:
        print(error, file=sys.stderr)
        return 2

    def say(line: str) -> None:
        print(line, file=terminal, flush=True)

    try:
        return _demo(wanted, say)
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


def _demo(wanted: Wanted, say: Callable[[str], None]) -> int:
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
        say("\n" + "=" * report.WIDTH)
        for number, run in enumerate(done, start=1):
            for part in report.of_run(number, run, dry_run=not wanted.writes):
                say(part)
        if not wanted.refusal:
            for table in _TABLES:
                sql = f"SELECT * FROM oceanbase.{table}"  # noqa: S608 - a constant
                for part in report.of_rows(f"After it all: {sql}", runs.read(sql)):
                    say(part)
    return _verdict(wanted, done, say)


def _title(wanted: Wanted) -> str:
    if wanted.connection is None:
        return (
            f"A simulated OceanBase {wanted.profile} cluster: {TENANTS} user tenants, {SERVERS} servers, living "
            f"{SPEED} times as fast as real time. Nothing outside this machine is touched."
        )
    where = f"{wanted.connection['host']}:{wanted.connection.get('port', 2881)}"
    how = "APPLY=1: the DAG may write" if wanted.apply else "dry run: the DAG only reads (APPLY=1 lets it write)"
    return f"The cluster at {where}. {how}."


def _verdict(wanted: Wanted, done: Sequence[report.Run], say: Callable[[str], None]) -> int:
    say("\nVERDICT\n")
    problems = [
        f"run {number}: {text}" for number, run in enumerate(done, 1) for text in _problems(wanted, number, run)
    ]
    for number, run in enumerate(done, start=1):
        sent = "nothing was sent that writes" if not wanted.writes else f"{run.writes} statements that write"
        say(f"  Run {number}: {run.state}, {run.verdict}, {sent}")
    for problem in problems:
        say(report.paragraph(f"  FAILED {problem}"))
    if problems:
        say(f"\nFailed. Full log: {home.LOG}")
        return 1
    if wanted.refusal:
        say(f"\nRefused, and nothing written: this is the expected result for OceanBase {wanted.profile}.")
    elif wanted.writes:
        proof = done[-1].results["cluster.verify.checkpoint"]
        text = (
            f"Proven: round {proof['round']} is {' '.join(proof['states'])}, and everything before {proof['after']} is "
            "archived. Not proven: that the files can be read back; only a restore proves that."
        )
        say("\n" + report.paragraph(text))
    return 0


def _problems(wanted: Wanted, number: int, run: report.Run) -> list[str]:
    """What is not as it should be, in words."""
    failed = [f"{task}: {run.errors[task]}" for task, state, _ in run.tasks if state == "failed" and task in run.errors]
    if wanted.refusal:
        refused = any(finding["level"] == "FAIL" for finding in run.findings)
        found = [] if run.state == "failed" and refused else ["it was not refused by the prerequisites"]
        return found + ([f"{run.writes} statements that write were sent"] if run.writes else [])
    expected = (PROVEN,) if wanted.writes else (PROVEN, DRY_RUN)
    found = [] if run.state == "success" and run.verdict in expected else failed or [f"{run.state}, {run.verdict}"]
    if number == 2 and run.writes:
        found.append(f"it sent {run.writes} statements that write, and should send none")
    return found


if __name__ == "__main__":
    sys.exit(main())
