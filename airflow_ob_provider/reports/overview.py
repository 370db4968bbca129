"""A compliance report in one line: what a list of many clusters shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from airflow_ob_provider.reports.cleaning import cleaned, count, items, moment, number, part


def overview(report: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a report, as JSON; what is missing in it is None.

    ``restorable_until`` and ``last_full_backup`` are those of the tenant that is worst off, and None where a tenant has
    none at all.

    :param report: see :func:`~airflow_ob_provider.reports.schema`.
    """
    cluster, tenants = part(report.get("cluster")), items(report.get("tenants"))
    slowest = max((one for one in tenants if number(one.get("delay")) is not None), key=_delay, default=None)
    line: dict[str, Any] = {
        "connection": report.get("connection"),
        "cluster": cluster.get("clusterName"),
        "version": cluster.get("obVersion"),
        "verdict": report.get("verdict"),
        "summary": report.get("summary"),
        "checked_at": report.get("checked_at"),
        "check_max_age": number(part(report.get("policy")).get("check_max_age")),
        "tenants": len(tenants),
        "tenants_ok": sum(one.get("verdict") == "OK" for one in tenants),
        "delay": _delay(slowest) if slowest else None,
        "delay_tenant": slowest.get("tenantName") if slowest else None,
        "restorable_until": _earliest(tenants, "restorable_until"),
        "last_full_backup": _earliest(tenants, "lastDataBackupTime"),
        "open_gaps": sum(gap.get("open") is not False for one in tenants for gap in items(one.get("gaps"))),
        "findings": {level: count(n) for level, n in part(report.get("levels")).items()},
        "run": report.get("run"),
    }
    return part(cleaned(line))


def _delay(tenant: Mapping[str, Any]) -> float:
    return number(tenant.get("delay")) or 0.0


def _earliest(tenants: list[dict[str, Any]], name: str) -> str | None:
    """The earliest of a time of all tenants; None where one of them has none."""
    found = [(moment(one.get(name), UTC), one.get(name)) for one in tenants]
    known = [(at, str(text)) for at, text in found if at]
    return min(known)[1] if known and len(known) == len(found) else None
