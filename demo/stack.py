"""Airflow with the template DAGs, as a team that has copied them runs it; its reports on a web server of their own."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from demo.processes import Airflow, AirflowError
from demo.rest import Rest

TEMPLATES = Path(__file__).resolve().parent.parent / "dags"

Change = tuple[str, str]
"""A text that a template has exactly once, and what stands there in the copy."""


def connections(*conn_ids: str) -> Change:
    """A template with other connections than the default one."""
    return '["oceanbase_default"],', "[" + ", ".join(f'"{conn_id}"' for conn_id in conn_ids) + "],"


def copy_template(name: str, folder: Path, changes: Sequence[Change] = ()) -> None:
    """Copy a template DAG, changed.

    :raises ValueError: a text to change is not there, or not once.
    """
    text = (TEMPLATES / f"{name}.py").read_text(encoding="utf-8")
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{name} has {text.count(old)} times {old!r}, not once")
        text = text.replace(old, new)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


@contextmanager
def running(airflow: Airflow, dags: Iterable[str]) -> Iterator[Rest]:
    """All of Airflow, healthy and with these DAGs; nothing of it is left afterwards.

    :raises AirflowError: it does not come up, or something outlives it.
    """
    try:
        airflow.prepare()
        airflow.start()
        airflow.wait_healthy()
        with closing(Rest(airflow.url)) as rest:
            try:
                rest.wait_for_dags(dags)
            except TimeoutError as error:
                raise AirflowError(f"{error}\n{airflow.tail('dag-processor')}") from None
            yield rest
    finally:
        orphans = airflow.stop()
    if orphans:
        raise AirflowError(f"Processes have outlived the component that started them: {orphans}")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nobody asks who has read a report."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A web server for the reports of compliance checks, on this machine only; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
