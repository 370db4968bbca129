"""`make ui`: a real Airflow with the template DAGs and two simulated clusters, to click through, until Ctrl-C.

Exit code: 0 when it was told to end, 1 if it could not go on, 2 if it could not begin.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import httpx

from airflow_ob_provider.sandbox import Sandbox
from demo import clusters
from demo.processes import Airflow, AirflowError, wait_until
from demo.rest import Rest, RestError, Run
from demo.stack import Change, connections, copy_template, running, served

FOLDER = Path(__file__).resolve().parent.parent / ".airflow-ui"
RUN_SECONDS = 600.0
"""For each of the first runs; on two cores that do nothing else it takes a minute."""

_CONNECTIONS = connections(*(one.conn_id for one in clusters.CLUSTERS))
CHECKED = clusters.CLUSTERS[-1].conn_id
COPIES: Mapping[str, Sequence[Change]] = {
    "ob_log_archive": [_CONNECTIONS],
    # What an asset starts has no form, so the copy says how often it looks.
    "ob_data_backup": [
        _CONNECTIONS,
        ("    report(clusters,", '    dag.params["poll_interval"] = 5\n    report(clusters,'),
    ],
    "ob_archive_compliance": [_CONNECTIONS],
    "ob_archive_recovery": [
        (
            "SCHEDULE = None",
            "from airflow_ob_provider.assets.oceanbase import archive_watch_asset\n\n"
            f'SCHEDULE = archive_watch_asset("{CHECKED}", poll_interval=5)',
        )
    ],
    "ob_archive_destination_move": [],
}
"""The template DAGs, as a team that copies them changes them: with its own connections."""

SETTINGS: Mapping[str, Mapping[str, object]] = {
    "core": {"dags_are_paused_at_creation": True, "test_connection": "Enabled"},  # unpaused in the order of a runbook
    "dag_processor": {"min_file_process_interval": 30, "refresh_interval": 30},
}


class WantedError(Exception):
    """It cannot begin."""


def main() -> int:
    """Show it until somebody wants it to end; return the exit code."""
    try:
        port = _wanted_port(os.environ.get("PORT", ""))
    except WantedError as error:
        print(error, file=sys.stderr)
        return 2
    return orderly(lambda: _show(port))


def orderly(do: Callable[[], None]) -> int:
    """Do something with the folder of our own; end it in an orderly way when somebody wants it to; the exit code."""
    _end_by_signal()
    _end_with_parent()
    try:
        with lock():
            do()
    except WantedError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("All of it has ended.")
    except (AirflowError, TimeoutError) as error:
        say(f"{error}\nAll of it has ended.")
        return 1
    return 0


def say(line: str) -> None:
    """Tell the person at the terminal, who may be gone."""
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the rest of this process


def _show(port: int | None) -> None:
    with shown(port) as (airflow, rest, live):
        try:
            say(
                f"\n    Airflow is ready: {airflow.url}\n\n"
                "No login; it listens on this machine only, where anybody can use it. Ctrl-C ends all of it.\n"
            )
            make_connections(rest, live.boxes)
            first_runs(rest, live)
            _what_next(airflow.url, live.boxes)
            _wait_forever(airflow.check_alive)
        finally:
            say("\nEnding ...")


@contextmanager
def shown(port: int | None = None) -> Iterator[tuple[Airflow, Rest, clusters.Clusters]]:
    """Airflow with the DAGs, and the clusters by the connections that they are to have; nothing is left afterwards.

    :raises AirflowError: it does not come up, or something outlives it.
    """
    home = FOLDER / "airflow"
    shutil.rmtree(home, ignore_errors=True)
    with served(home / "oceanbase-reports") as reports:
        airflow = Airflow(home, port=port, settings={**SETTINGS, "oceanbase": {"report_url": reports}})
        for name, changes in COPIES.items():
            copy_template(name, airflow.dags, changes)
        say(f"Starting Airflow in {home} (about a minute) ...")
        with running(airflow, COPIES) as rest, clusters.Clusters() as live:
            yield airflow, rest, live


def make_connections(rest: Rest, boxes: Mapping[str, Sandbox]) -> None:
    """Make the clusters known to Airflow."""
    for one in clusters.CLUSTERS:
        about = f"Simulated OceanBase {one.profile} cluster {one.name}"
        rest.add_connection(one.conn_id, boxes[one.conn_id].connection() | {"description": about})
        say(f"Connection {one.conn_id}: {about}, {one.tenants} user tenants.")


def first_runs(rest: Rest, live: clusters.Clusters) -> None:
    """Give the pages something to show. What fails here can be looked at there, so it ends nothing."""
    try:
        started = _start_log_backup(rest)
        _chained_data_backup(rest, {run.run_id for run in started})
        live.catch_up()
        rest.unpause("ob_archive_compliance")
        say("The first hourly check begins: ob_archive_compliance ...")
        _tell(rest.scheduled("ob_archive_compliance"))
        for name in COPIES:
            rest.unpause(name)
    except (RestError, TimeoutError, httpx.HTTPError) as error:
        say(f"One of the first runs is not as it should be: {error}")


def _start_log_backup(rest: Rest) -> list[Run]:
    rest.unpause("ob_data_backup")
    rest.unpause("ob_log_archive")
    runs = []
    for one in clusters.CLUSTERS:
        conf: dict[str, Any] = {**one.conf, "oceanbase_conn_ids": [one.conn_id], "poll_interval": 2}
        runs.append(rest.trigger("ob_log_archive", **conf))
        say(f"Log backup of {one.conn_id} is started and proven: ob_log_archive ...")
    for run in runs:
        _tell(run)
    return runs


def _chained_data_backup(rest: Rest, log_backups: set[str]) -> None:
    """What the proof has started by itself."""
    say("The proof starts a data backup by itself: ob_data_backup ...")
    wanted = {one.conn_id for one in clusters.CLUSTERS}
    seen: set[str] = set()

    def done() -> bool:
        for run in rest.started_by_assets("ob_data_backup"):
            if run.run_id not in seen:
                seen.add(run.run_id)
                _tell(run)
                wanted.difference_update(run.result("list_clusters"))
        return not wanted

    wait_until(done, lambda: f"a data backup begins on {wanted} after {log_backups}", RUN_SECONDS, 1)


def _tell(run: Run) -> None:
    state = run.wait(RUN_SECONDS)
    bad = [task for task, state in run.states().items() if state in {"failed", "upstream_failed"}]
    say(f"    {state}: {run.rest.url}/dags/{run.dag_id}/runs/{run.run_id}" + (f" ({', '.join(bad)})" if bad else ""))


def _what_next(url: str, boxes: Mapping[str, Sandbox]) -> None:
    box = boxes[CHECKED]
    say(
        f"\nThe connections: {url}/connections\nThe DAGs: {url}/dags\n\n"
        f"To see a break: SANDBOX INTERRUPT tenant1 (MySQL protocol: {box.host}:{box.port}, root@sys, password "
        f"'{clusters.PASSWORD}'). ob_archive_recovery begins by itself and waits for you.\nCtrl-C ends all of it."
    )


def _wait_forever(check: Callable[[], None]) -> None:
    """Wait for a signal, and look now and then whether it is worth waiting."""
    never = threading.Event()
    while not never.wait(1):
        check()


def _end_by_signal() -> None:
    """The first signal ends it in an orderly way, and nothing disturbs the end."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(*_: object) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, end)


def _end_with_parent() -> None:
    """When make is gone, nobody can press Ctrl-C any more."""
    parent = os.getppid()

    def watch() -> None:
        never = threading.Event()
        while os.getppid() == parent:
            never.wait(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _wanted_port(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdigit() or not 1024 <= int(text) <= 65535:
        raise WantedError(f"PORT must be a number from 1024 to 65535, not {text!r}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            raise WantedError(f"PORT={text} cannot be used: {error.strerror}.") from None
    return int(text)


def lock() -> TextIO:
    """The right to use the folder, until it is closed.

    :raises WantedError: another has it.
    """
    FOLDER.mkdir(exist_ok=True)
    held = (FOLDER / "lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise WantedError(f"Another `make ui` is running in {FOLDER}. End it, or use another checkout.") from None
    return held


if __name__ == "__main__":
    sys.exit(main())
