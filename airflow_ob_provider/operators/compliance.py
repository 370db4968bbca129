"""Check again and again whether log backup is alive, how late it is, and to what moment can be restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Stats, conf
from airflow.sdk import BaseOperator

from airflow_ob_provider.assets.oceanbase import COMPLIANCE_ALIAS, compliance_asset
from airflow_ob_provider.exceptions import ComplianceError
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.links.oceanbase import TASK_LINKS, ComplianceReportLink
from airflow_ob_provider.notifications.oceanbase import ALARM_XCOM
from airflow_ob_provider.oceanbase.models import Level

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_ob_provider.compliance.check import Check
    from airflow_ob_provider.oceanbase.compliance.policy import Policy

FAIL_ON = {
    "FAIL": frozenset({Level.FAIL}),
    "UNKNOWN": frozenset({Level.FAIL, Level.UNKNOWN}),
    "WARN": frozenset({Level.FAIL, Level.UNKNOWN, Level.WARN}),
    "never": frozenset[Level](),
}
"""Verdicts that fail a task. What could not be read is worse than a warning: it may be anything."""


class ArchiveComplianceOperator(BaseOperator):
    """Judge log backup of a cluster by what the server's catalog holds, and write a report. It only reads.

    Five queries a cluster where all is well, a few more where not. Running it again is always safe.

    Each check updates the asset ``…/log-archive/compliant`` (OK or WARN) or ``…/violated`` (FAIL); where nothing is
    known, neither. A task that fails emits no asset event (Airflow does not), so where events are wanted take
    ``fail_on="never"`` and fail in a task behind it with :func:`fail_on_verdict`, as ``ob_archive_compliance`` does.

    The result has ``verdict``, ``levels``, ``summary``, ``delay``, ``restorable_until``, ``open_gaps``, ``alarm`` and
    the places of the report.

    A cluster that cannot be read is tried again as often as the task may be retried, and is UNKNOWN then.

    :param oceanbase_conn_id: connection to the cluster: SELECT on ``oceanbase.*`` in tenant sys; on 4.x also a user
        tenant, which sees itself. No other privilege is needed.
    :param policy: what the cluster is held to: a mapping, or YAML text; see
        :class:`~airflow_ob_provider.oceanbase.compliance.policy.Policy`.
    :param policy_file: path or URL of such a YAML file, instead of ``policy``.
    :param report_path: folder of reports and lag history, a path or URL of any file system that Airflow can reach;
        by default ``[oceanbase] report_path`` of Airflow's configuration.
    :param fail_on: ``FAIL``, ``UNKNOWN`` (the default: FAIL or UNKNOWN), ``WARN`` (all that is not OK) or ``never``.
    :param language: of the report in the log, ``en`` or ``zh``; the files are in both.
    :raises ComplianceError: the verdict is one that ``fail_on`` names; the report is written.
    :raises PolicyError: the policy is not legal; nothing was read.
    :raises ReportStoreError: the folder of reports cannot be read or written; another try may help.
    """

    template_fields: Sequence[str] = (
        "oceanbase_conn_id", "policy", "policy_file", "report_path", "fail_on", "language",
    )  # fmt: skip
    ui_color = "#e3f1e3"
    operator_extra_links = (ComplianceReportLink(), *TASK_LINKS)

    def __init__(
        self,
        *,
        oceanbase_conn_id: str = OceanBaseHook.default_conn_name,
        policy: Mapping[str, Any] | str | None = None,
        policy_file: str | None = None,
        report_path: str | None = None,
        fail_on: str = "UNKNOWN",
        language: str = "en",
        **kwargs: Any,
    ) -> None:
        outlets = kwargs.pop("outlets", None) or []
        own = [outlets] if not isinstance(outlets, list | tuple) else list(outlets)
        super().__init__(outlets=[*own, COMPLIANCE_ALIAS], **kwargs)
        self.oceanbase_conn_id = oceanbase_conn_id
        self.policy = policy
        self.policy_file = policy_file
        self.report_path = report_path
        self.fail_on = fail_on
        self.language = language

    def execute(self, context: Context) -> dict[str, Any]:
        """Read, judge, report."""
        # The rules and the reports are for workers: a DAG file is parsed without them.
        from airflow_ob_provider.compliance.check import check
        from airflow_ob_provider.compliance.store import ReportStore
        from airflow_ob_provider.reports import markdown

        check_fail_on(self.fail_on)
        if self.language not in ALARM_XCOM:
            raise ValueError(f"language must be en or zh, not {self.language!r}")
        policy = self._policy()
        store = ReportStore(self.report_path or default_report_path(), self.oceanbase_conn_id)
        hook = OceanBaseHook(oceanbase_conn_id=self.oceanbase_conn_id)
        ti = context["ti"]
        run = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}
        made = check(hook, policy, store, is_last_try=ti.try_number > (ti.max_tries or 0), run=run)
        self.log.info("Compliance of log backup:\n%s", markdown(made.report, self.language))
        result = summarized(made, hook)
        for language, key in ALARM_XCOM.items():
            ti.xcom_push(key=key, value=result["alarm"][language])
        ti.xcom_push(key="return_value", value=result)
        _measure(made.report)
        _tell(context, self.oceanbase_conn_id, result)
        fail_on_verdict(result, self.fail_on)
        return result

    def _policy(self) -> Policy:
        from airflow_ob_provider.compliance.check import read_policy
        from airflow_ob_provider.oceanbase.compliance.policy import Policy, PolicyError

        if self.policy_file and self.policy:
            raise PolicyError("give either policy or policy_file, not both")
        return read_policy(self.policy_file) if self.policy_file else Policy.parse(self.policy)


def check_fail_on(word: object) -> str:
    """:raises ValueError: not one of :data:`FAIL_ON`."""
    if word not in FAIL_ON:
        raise ValueError(f"fail_on must be one of {', '.join(FAIL_ON)}, not {word!r}")
    return str(word)


def fail_on_verdict(result: Mapping[str, Any], fail_on: str) -> None:
    """Fail if the verdict is one that ``fail_on`` names.

    :raises ComplianceError: it is.
    """
    if Level(result["verdict"]) in FAIL_ON[check_fail_on(fail_on)]:
        where = result["files"].get("md", "the task's log")
        raise ComplianceError(f"log backup of {result['connection']}: {result['summary']['en']} Report: {where}")


def default_report_path() -> str:
    """Where reports go if nobody says: ``[oceanbase] report_path``."""
    return str(conf.get("oceanbase", "report_path"))


def summarized(made: Check, hook: OceanBaseHook) -> dict[str, Any]:
    """What other tasks need of a check; the whole report is in its files."""
    from airflow_ob_provider.oceanbase.compliance.alarm import alarm

    report = made.report
    delays = [one["delay"] for one in report["tenants"] if one["delay"] is not None]
    until = [one["restorable_until"] for one in report["tenants"]]
    try:
        host = f"{hook.settings.host}:{hook.settings.port}"
    except ValueError:
        host = ""
    history = {name: value for name, value in report["lag_history"].items() if name != "samples"}
    return {
        "connection": report["connection"],
        "verdict": report["verdict"],
        "checked_at": report["checked_at"],
        "summary": report["summary"],
        "levels": report["levels"],
        "cluster": report["cluster"],
        "delay": max(delays, default=None),
        "restorable_until": None if None in until else min(until, default=None),
        "open_gaps": sum(gap["open"] for one in report["tenants"] for gap in one["gaps"]),
        "lag_history": history,
        "alarm": {language: alarm(report, language, host=host) for language in ALARM_XCOM},
        "files": dict(made.files),
    }


def _tell(context: Context, conn_id: str, result: Mapping[str, Any]) -> None:
    """An event of one asset or the other; of neither where nothing is known."""
    if result["verdict"] == Level.UNKNOWN:
        return
    asset = compliance_asset(conn_id, compliant=result["verdict"] != Level.FAIL)
    extra = {name: result[name] for name in ("verdict", "checked_at", "delay", "open_gaps", "restorable_until")}
    context["outlet_events"][COMPLIANCE_ALIAS].add(asset, extra={**extra, "report": result["files"].get("json")})


def _measure(report: Mapping[str, Any]) -> None:
    """Gauges through Airflow's own metrics."""
    tags = {"conn_id": report["connection"], "cluster": report["cluster"]["clusterName"]}
    for one in report["tenants"]:
        own = {**tags, "tenant": one["tenantName"]}
        if one["delay"] is not None:
            Stats.gauge("oceanbase.archive.lag_seconds", one["delay"], tags=own)
        Stats.gauge("oceanbase.archive.gap_count", sum(gap["open"] for gap in one["gaps"]), tags=own)
    for level in (Level.FAIL, Level.WARN, Level.UNKNOWN):
        Stats.gauge(f"oceanbase.archive.findings.{level.lower()}", report["levels"][level], tags=tags)
    if report["verdict"] != Level.UNKNOWN:
        Stats.gauge("oceanbase.archive.compliant", int(report["verdict"] != Level.FAIL), tags=tags)
