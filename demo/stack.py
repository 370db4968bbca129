"""Airflow with the template DAGs, as a team that has copied them runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from demo.processes import Airflow, AirflowError
from demo.rest import Rest

TEMPLATES = Path(__file__).resolve().parent.parent / "dags"

Change = tuple[str, str]
"""A text that a template has exactly once, and what stands there in the copy."""


def connections(*conn_ids: str) -> Change:
    """A template with other connections than the default one."""
    return 'CONN_IDS = ["oceanbase_default"]', f"CONN_IDS = {list(conn_ids)!r}"


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
