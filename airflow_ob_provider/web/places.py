"""Where the page is. It imports nothing of a web server: every process of Airflow loads it."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import conf

PREFIX = "/oceanbase"
"""Of the page in Airflow's API server."""
ROUTE = "oceanbase-log-backup"
"""Of the frame around it in the user interface."""


def airflow_root() -> str:
    """The path under which Airflow is served, without a slash at its end: '' or ``/airflow``."""
    return urlsplit(_base_url()).path.rstrip("/")


def report_url(conn_id: str, name: str) -> str:
    """Where the user interface shows a report.

    :param name: its time, as the files of the report store have it.
    """
    inner = f"{airflow_root()}{PREFIX}/clusters/{quote(conn_id, safe='')}/reports/{quote(name, safe='')}"
    return f"{_base_url().rstrip('/')}/plugin/{ROUTE}{inner}"


def _base_url() -> str:
    return str(conf.get("api", "base_url", fallback="") or "")
