"""The text of an alarm, its fields in the order of OCP's alarm ``inc_backup_delay``, so that rules for those fit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_ob_provider.oceanbase.words import few

_FORMS = {
    "zh": (
        "集群：{cluster}[{cluster_id}]，主机：{host}，告警：日志备份{what}，检查点：{checkpoint}，当前时间：{now}，租户列表：{tenants}"
    ),
    "en": (
        "cluster: {cluster}[{cluster_id}], host: {host}, alarm: log backup {what}, checkpoint: {checkpoint}, "
        "current time: {now}, tenants: {tenants}"
    ),
}
_DELAYS = {
    "zh": "延迟 {lag:g} 秒, 超过告警阈值：{limit:g} 秒",
    "en": "delayed by {lag:g} seconds, more than the threshold: {limit:g} seconds",
}
_OTHERS = {"zh": "不符合要求（{verdict}）：{summary}", "en": "not as it should be ({verdict}): {summary}"}
_MAX_TENANTS = 20


def alarm(report: Mapping[str, Any], language: str, *, host: str = "") -> str:
    """The alarm of a report.

    OCP's template names cluster, host, lag, threshold, checkpoint, current time and tenants, in this order. Where
    the lag is not what is wrong, its place says what is.

    :param language: ``en`` or ``zh``.
    :raises ValueError: another language.
    """
    if language not in _FORMS:
        raise ValueError(f"language must be en or zh, not {language!r}")
    counting = [one for one in report["findings"] if not one["waiver"]]
    late = {one["tenantName"] for one in counting if one["rule"] == "lag" and one["level"] == report["verdict"]}
    tenants = [one for one in report["tenants"] if one["tenantName"] in late and _is_late(one)]
    if tenants:
        worst = max(tenants, key=lambda one: one["delay"])
        limit = worst["lag_fail"] if worst["delay"] > worst["lag_fail"] else worst["lag_warn"]
        what = _DELAYS[language].format(lag=worst["delay"], limit=limit)
        names, checkpoint = [one["tenantName"] for one in tenants], worst["checkpoint"]
    else:
        what = _OTHERS[language].format(verdict=report["verdict"], summary=report["summary"][language].rstrip(".。"))
        names = list(dict.fromkeys(one["tenantName"] for one in counting if one["tenantName"]))
        points = [one["checkpoint"] for one in report["tenants"] if one["tenantName"] in names and one["checkpoint"]]
        checkpoint = min(points, default=None)
    cluster = report["cluster"]
    return _FORMS[language].format(
        cluster=cluster["clusterName"] or report["connection"],
        cluster_id=cluster["obClusterId"],
        host=host,
        what=what,
        checkpoint=_time(checkpoint),
        now=_time(report["checked_at"]),
        tenants=few(names, limit=_MAX_TENANTS) if names else "-",
    )


def _is_late(tenant: Mapping[str, Any]) -> bool:
    """Not so a tenant whose archive has broken off a moment ago, or whose lag is not known."""
    return tenant["delay"] is not None and tenant["delay"] > tenant["lag_warn"]


def _time(text: str | None) -> str:
    """As OCP writes times in alarms."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S") if text else "-"
