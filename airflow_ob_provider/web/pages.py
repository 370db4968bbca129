"""What the page looks like: from what is stored to HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from jinja2 import Environment

from airflow_ob_provider.reports import charts
from airflow_ob_provider.reports.cleaning import cleaned, part
from airflow_ob_provider.reports.page import LIMITS, by_rule, templates
from airflow_ob_provider.reports.view import LEVELS, View
from airflow_ob_provider.web.events import Done
from airflow_ob_provider.web.places import airflow_root
from airflow_ob_provider.web.stored import Cluster, worst_first
from airflow_ob_provider.web.words import PageLanguage

CLUSTERS_A_PAGE = 50
TENANTS_A_PAGE = 20
_EARLIER = 48
_RECOVERIES = 20
_GAPS = 5
_ORDERS: Mapping[str, Callable[[Cluster], Any]] = {
    "worst": worst_first,
    "name": lambda one: (one.name, one.conn_id),
    "lag": lambda one: (one.delay is None, -(one.delay or 0.0), one.conn_id),
    "age": lambda one: (one.age is not None, -(one.age or 0.0), one.conn_id),
}
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    :ivar root: the path of the page, without a slash at its end.
    :ivar parameters: of the query, without the language.
    """

    root: str
    words: PageLanguage
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def url(self, path: str, **changes: Any) -> str:
        """A place of this page, in the same language."""
        query = {name: value for name, value in {"lang": self.words.code, **changes}.items() if value not in ("", None)}
        return f"{self.root}{quote(path)}?{urlencode(query)}"

    def here(self, path: str, **changes: Any) -> str:
        """The same place with other parameters."""
        return self.url(path, **{**self.parameters, **changes})


@dataclass(frozen=True)
class Paged:
    """One page of a long list."""

    items: Sequence[Any]
    number: int
    pages: int
    total: int


def paged(items: Sequence[_Item], number: int, size: int) -> Paged:
    """A page of a list; the last one where there are not so many."""
    pages = max(1, -(-len(items) // size))
    number = min(max(1, number), pages)
    return Paged(items[(number - 1) * size : number * size], number, pages, len(items))


def fleet_page(asked: Asked, clusters: Sequence[Cluster], *, folder: str) -> str:
    """All clusters at a glance."""
    wanted, level = str(asked.parameters.get("q", "")).strip().lower(), asked.parameters.get("level")
    order = asked.parameters.get("sort") if asked.parameters.get("sort") in _ORDERS else "worst"
    found = [
        one
        for one in clusters
        if (wanted in one.conn_id.lower() or wanted in one.name.lower()) and (not level or one.level == level)
    ]
    found.sort(key=_ORDERS[str(order)])
    counted = Counter(one.level for one in clusters)
    return _render(
        "fleet.html.jinja",
        asked,
        path="/",
        clusters=clusters,
        shown=paged(found, int(asked.parameters.get("page", 1)), CLUSTERS_A_PAGE),
        counts=[(name, counted[name]) for name in LEVELS if counted[name]],
        orders=list(_ORDERS),
        order=order,
        folder=folder,
    )


def cluster_page(
    asked: Asked,
    cluster: Cluster,
    report: Mapping[str, Any],
    *,
    names: Sequence[str],
    done: Sequence[Done],
    recoveries: Sequence[Mapping[str, Any]],
) -> str:
    """One cluster: its last check, and who has done what."""
    view = View(report, asked.words.code)
    wanted, level = str(asked.parameters.get("q", "")).strip().lower(), asked.parameters.get("level")
    tenants = [one for one in view.tenants if wanted in one.name.lower() and (not level or one.level == level)]
    return _render(
        "cluster.html.jinja",
        asked,
        path=f"/clusters/{cluster.conn_id}",
        cluster=cluster,
        view=view,
        shown=paged(tenants, int(asked.parameters.get("page", 1)), TENANTS_A_PAGE),
        timelines=charts.timelines(view),
        chart=charts.lag_chart(view),
        plot=charts.PLOT_HEIGHT,
        limits=LIMITS,
        findings=[(level, by_rule(found), len(found)) for level, found in view.grouped()],
        names=names[1 : _EARLIER + 1],
        done=done,
        recoveries=[_recovery(part(cleaned(one)), view) for one in recoveries[:_RECOVERIES]],
        report_name=names[0] if names else "latest",
    )


def message_page(asked: Asked, word: str, more: str = "") -> str:
    """A sentence."""
    return _render("message.html.jinja", asked, path="/", word=word, more=more)


def run_url(run: Mapping[str, Any]) -> str:
    """Where Airflow shows a run, or the task instance that is named with it."""
    parts = ["dags", run.get("dag_id"), "runs", run.get("run_id")]
    if run.get("task_id"):
        parts += ["tasks", run["task_id"]]
        if isinstance(run.get("map_index"), int) and run["map_index"] >= 0:
            parts += ["mapped", run["map_index"]]
    return f"{airflow_root()}/{'/'.join(quote(str(part), safe='') for part in parts)}"


def ledger_run(entry: Mapping[str, Any]) -> dict[str, str]:
    """The run of an entry of the ledger."""
    dag_id, _, run_id = str(entry.get("run") or "").partition("/")
    return {"dag_id": dag_id, "run_id": run_id}


@dataclass(frozen=True)
class Recovery:
    """An entry of the ledger.

    :ivar gaps: who could not be restored, and from when to when.
    """

    run: Mapping[str, str]
    kind: str
    verdict: str
    began: str
    ended: str
    approved_by: str
    gaps: list[tuple[str, str, str]]


def _recovery(entry: Mapping[str, Any], view: View) -> Recovery:
    gaps = []
    for name, tenant in list(part(entry.get("tenants")).items())[:_GAPS]:
        gap = part(part(tenant).get("gap"))
        if gap:
            ends = [view.clock(end) for end in part(gap.get("to")).values()]
            gaps.append((name, view.clock(gap.get("from")), max(ends, default="")))
    kind, verdict, by = (str(entry.get(key) or "") for key in ("kind", "verdict", "approved_by"))
    return Recovery(
        ledger_run(entry), kind, verdict, view.clock(entry.get("began")), view.clock(entry.get("ended")), by, gaps
    )


def _render(template: str, asked: Asked, **values: Any) -> str:
    return _environment().get_template(template).render(asked=asked, t=asked.words, levels=LEVELS, **values)


@cache
def _environment() -> Environment:
    environment = templates("airflow_ob_provider.web")
    environment.globals["run_url"] = run_url
    return environment
