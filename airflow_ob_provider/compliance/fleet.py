"""All clusters of a run in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_ob_provider.oceanbase.models import Level
from airflow_ob_provider.tables import table as markdown_table

_HEADS = {
    "en": ("connection", "verdict", "version", "tenants OK", "worst lag (s)", "restorable until", "open gaps",
           "green", "summary"),
    "zh": ("连接", "结论", "版本", "正常租户", "最大延迟（秒）", "可恢复到", "未结束断档", "正常率", "摘要"),
}  # fmt: skip
_NONE = {"en": "no report", "zh": "没有报告"}
_TITLES = {"en": "# Log backup: {n} of {m} clusters compliant", "zh": "# 日志备份：{m} 个集群中 {n} 个符合要求"}


def fleet_table(conn_ids: Sequence[str], checks: Iterable[Mapping[str, Any]], language: str) -> dict[str, Any]:
    """The results of :class:`~airflow_ob_provider.operators.compliance.ArchiveComplianceOperator` in one table.

    :return: plain JSON: ``verdict`` (the worst; a cluster without a report is UNKNOWN, and so is no cluster),
        ``markdown``, ``clusters`` (level by connection) and ``missing`` (connections without a report).
    """
    from airflow_ob_provider.oceanbase.compliance.judge import BY_BADNESS, worst

    found = {check["connection"]: check for check in checks}
    missing = [conn_id for conn_id in conn_ids if conn_id not in found]
    levels = {conn_id: Level(found[conn_id]["verdict"]) if conn_id in found else Level.UNKNOWN for conn_id in conn_ids}
    order = sorted(conn_ids, key=lambda conn_id: (BY_BADNESS.index(levels[conn_id]), conn_id))
    rows = [_row(conn_id, levels[conn_id], found.get(conn_id), language) for conn_id in order]
    good = sum(level is Level.OK for level in levels.values())
    title = _TITLES[language].format(n=good, m=len(conn_ids))
    table = markdown_table(rows, headers=_HEADS[language], disable_numparse=True)
    return {
        "verdict": str(worst(levels.values()) if levels else Level.UNKNOWN),
        "markdown": f"{title}\n\n{table}",
        "clusters": {conn_id: str(level) for conn_id, level in levels.items()},
        "missing": missing,
    }


def _row(conn_id: str, level: Level, check: Mapping[str, Any] | None, language: str) -> tuple[str, ...]:
    if check is None:
        return (conn_id, str(level), "", "", "", "", "", "", _NONE[language])
    cluster, green = check["cluster"], check["lag_history"]["percent_green"]
    return (
        conn_id,
        str(level),
        cluster["obVersion"],
        f"{cluster['tenants_ok']} / {cluster['tenants']}",
        "" if check["delay"] is None else f"{check['delay']:.0f}",
        (check["restorable_until"] or "")[:19].replace("T", " "),
        str(check["open_gaps"]),
        "" if green is None else f"{green:g} %",
        " ".join(check["summary"][language].replace("|", "/").split()),
    )
