"""The page as a FastAPI application, mounted by Airflow's API server.

Every route but that of style sheets asks Airflow who the user is (401 without a login), and shows the clusters whose
checks were made by a DAG that the user may read. No route changes anything.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.providers.common.compat.sdk import conf
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from airflow_ob_provider.exceptions import ReportStoreError
from airflow_ob_provider.reports import html
from airflow_ob_provider.reports.view import LEVELS
from airflow_ob_provider.web.access import ReadableDags, may_see
from airflow_ob_provider.web.events import connections_of_run, last_done
from airflow_ob_provider.web.pages import Asked, cluster_page, fleet_page, ledger_run, message_page
from airflow_ob_provider.web.stored import Cluster, Stored
from airflow_ob_provider.web.words import wanted

_WEB, _REPORTS = "airflow_ob_provider.web", "airflow_ob_provider.reports"
_STATIC = {
    "page.css": (_WEB, "static/page.css", "text/css"),
    "page.js": (_WEB, "static/page.js", "text/javascript"),
    "icon.svg": (_WEB, "static/icon.svg", "image/svg+xml"),
    "icon-dark.svg": (_WEB, "static/icon-dark.svg", "image/svg+xml"),
    "report.css": (_REPORTS, "templates/compliance.css", "text/css"),
    "dark.css": (_REPORTS, "templates/dark.css", "text/css"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_REPORT_POLICY = "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
"""A report has a policy in itself, with the hash of its script."""
_NAME = re.compile(r"latest|\d{8}T\d{6}Z")

router = APIRouter(default_response_class=HTMLResponse)
Text = Annotated[str, Query(max_length=250)]
PageNumber = Annotated[int, Query(ge=1, le=100_000)]


@cache
def page() -> FastAPI:
    """The application; one for the process."""
    return create(Stored(str(conf.get("oceanbase", "report_path"))))


def create(stored: Stored) -> FastAPI:
    """An application that shows what is stored."""
    app = FastAPI(title="OceanBase log backup", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.stored = stored
    app.include_router(router)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _illegal)
    app.add_exception_handler(ReportStoreError, _broken)
    app.middleware("http")(_guarded)
    return app


def _stored(request: Request) -> Stored:
    stored: Stored = request.app.state.stored
    return stored


def _asked(
    request: Request, lang: Text = "", q: Text = "", level: Text = "", sort: Text = "", page: PageNumber = 1
) -> Asked:
    parameters = {"q": q, "level": level if level in LEVELS else "", "sort": sort, "page": page}
    words = wanted(lang, request.headers.get("accept-language"))
    return Asked(str(request.scope.get("root_path", "")), words, parameters)


StoredDep = Annotated[Stored, Depends(_stored)]
AskedDep = Annotated[Asked, Depends(_asked)]


def _visible(stored: StoredDep, dags: ReadableDags) -> list[Cluster]:
    return [one for one in stored.clusters() if may_see(one.line.get("run"), dags)]


VisibleDep = Annotated[list[Cluster], Depends(_visible)]


def _cluster(conn_id: str, visible: VisibleDep) -> Cluster:
    for one in visible:
        if one.conn_id == conn_id:
            return one
    raise HTTPException(404)


ClusterDep = Annotated[Cluster, Depends(_cluster)]


@router.get("/")
def fleet(asked: AskedDep, visible: VisibleDep, stored: StoredDep) -> Any:
    """All clusters at a glance."""
    return fleet_page(asked, visible, folder=stored.base)


@router.get("/clusters/{conn_id}")
def cluster(asked: AskedDep, found: ClusterDep, stored: StoredDep, dags: ReadableDags, session: SessionDep) -> Any:
    """One cluster."""
    report = stored.report(found.conn_id)
    if report is None or not may_see(report.get("run"), dags):
        raise HTTPException(404)
    return cluster_page(
        asked,
        found,
        report,
        names=stored.names(found.conn_id),
        done=last_done(session, found.conn_id, dags),
        recoveries=[one for one in stored.recoveries(found.conn_id) if ledger_run(one)["dag_id"] in dags],
    )


@router.get("/clusters/{conn_id}/reports/{name}")
def report(name: str, asked: AskedDep, found: ClusterDep, stored: StoredDep, dags: ReadableDags) -> Any:
    """A report that is kept, whole."""
    kept = stored.report(found.conn_id, name) if _NAME.fullmatch(name) else None
    if kept is None or not may_see(kept.get("run"), dags):
        raise HTTPException(404)
    page = html(kept, asked.words.code, theme_script=f"{asked.root}/static/page.js")
    return HTMLResponse(page, headers={"Content-Security-Policy": _REPORT_POLICY})


@router.get("/run")
def run(
    dag_id: Text, run_id: Text, asked: AskedDep, visible: VisibleDep, stored: StoredDep, dags: ReadableDags,
    session: SessionDep,
) -> Any:  # fmt: skip
    """The clusters that a run has checked, or told something of."""
    if dag_id not in dags:
        raise HTTPException(404)
    told = connections_of_run(session, dag_id, run_id)
    found = [one for one in visible if one.conn_id in told or one.was_checked_by(dag_id, run_id)]
    if not found:
        return message_page(asked, "nothing_of_run")
    if len(found) == 1:
        return RedirectResponse(asked.url(f"/clusters/{found[0].conn_id}"), 303)
    return fleet_page(asked, found, folder=stored.base)


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Style sheets, the script and the icons: nothing of anybody."""
    if name not in _STATIC:
        raise HTTPException(404)
    package, path, kind = _STATIC[name]
    return Response(_content(package, path), media_type=kind, headers={"Cache-Control": "public, max-age=300"})


@cache
def _content(package: str, path: str) -> bytes:
    return files(package).joinpath(path).read_bytes()


def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, StarletteHTTPException) else 500
    return _explained(request, status, "log_in" if status in {401, 403} else "not_found")


def _illegal(request: Request, error: Exception) -> Response:
    wrong = error.errors() if isinstance(error, RequestValidationError) else []
    return _explained(request, 422, "illegal", "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in wrong))


def _broken(request: Request, error: Exception) -> Response:
    return _explained(request, 503, "store_broken", str(error))


def _explained(request: Request, status: int, word: str, more: str = "") -> Response:
    return HTMLResponse(message_page(_asked(request, request.query_params.get("lang", "")), word, more), status)


async def _guarded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await go_on(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
