"""The page "OceanBase log backup" in Airflow's navigation, and a tab of each DAG run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_ob_provider.web.places import PREFIX, ROUTE, airflow_root


class Page:
    """The page as an ASGI application that is imported when somebody first asks for it.

    Airflow loads plugins in all of its processes, and only the API server shows pages.
    """

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        """Answer a request."""
        from airflow_ob_provider.web.app import page

        await page()(scope, receive, send)


_NAME = "OceanBase log backup"
_APPS = [{"app": Page(), "url_prefix": PREFIX, "name": _NAME}]
_VIEWS = [
    {
        "name": _NAME,
        "href": f"{airflow_root()}{PREFIX}/",
        "destination": "nav",
        "category": "browse",
        "url_route": ROUTE,
        "icon": f"{airflow_root()}{PREFIX}/static/icon.svg",
        "icon_dark_mode": f"{airflow_root()}{PREFIX}/static/icon-dark.svg",
    },
    {
        "name": _NAME,
        "href": f"{airflow_root()}{PREFIX}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
        "destination": "dag_run",
        "url_route": f"{ROUTE}-run",
    },
]


class OceanBasePlugin(AirflowPlugin):
    """What the last checks have stored, for who may read their DAGs. It asks OceanBase nothing."""

    name = "oceanbase"
    fastapi_apps = _APPS
    external_views = _VIEWS
