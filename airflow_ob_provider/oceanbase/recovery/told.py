"""A diagnosis and its plan as plain JSON, for the tasks that branch on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_ob_provider.oceanbase.catalog import BackupCatalog
from airflow_ob_provider.oceanbase.compliance.words import Text, both
from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.models import to_json
from airflow_ob_provider.oceanbase.recovery.cost import Cost
from airflow_ob_provider.oceanbase.recovery.diagnosis import Diagnosis
from airflow_ob_provider.oceanbase.recovery.plan import RecoveryPlan, RecoveryStep, UnitPlan


def recovery_title(oceanbase_conn_id: str, wanted: Destination | None) -> Text:
    """What the table is about."""
    if wanted is None:
        return both("## Recovery of log backup of {c}", "## {c} 日志备份恢复", c=oceanbase_conn_id)
    return both("## Move of log backup of {c} to {d}", "## {c} 日志备份迁移到 {d}", c=oceanbase_conn_id, d=wanted)


def recovery_result(
    oceanbase_conn_id: str, catalog: BackupCatalog, found: Sequence[Diagnosis], plan: RecoveryPlan, text: Text
) -> dict[str, Any]:
    """What other tasks need of a diagnosis and its plan: plain JSON."""
    return {
        "oceanbase_conn_id": oceanbase_conn_id,
        "read_at": to_json(catalog.read_at),
        "version": catalog.version,
        "scope": str(catalog.scope),
        "tenants": {one.place: _told(one, what) for one, what in zip(found, plan.plans, strict=True)},
        "needs": list(plan.needs),
        "by_step": {step: list(plan.places(RecoveryStep(step))) for step in plan.needs},
        "unknown": plan.refused,
        "is_done": plan.is_done,
        "plan_markdown": text._asdict(),
    }


def _told(diagnosis: Diagnosis, plan: UnitPlan) -> dict[str, Any]:
    return {
        "state": str(diagnosis.state),
        "status": diagnosis.status,
        "round": diagnosis.round_id,
        "tenants": list(diagnosis.tenants),
        "class": str(diagnosis.cause),
        "classes": [str(cause) for cause in diagnosis.causes],
        "evidence": list(diagnosis.evidence),
        "runbook": diagnosis.runbook._asdict(),
        "needs_person": bool(plan.steps) and diagnosis.needs_person,
        "is_stuck": diagnosis.is_stuck,
        "since": to_json(diagnosis.since),
        "ends_after": diagnosis.ends_after,
        "steps": [str(step) for step in plan.steps],
        "reason": plan.reason._asdict(),
        "gap": _gap(plan.cost) if plan.cost else None,
        "unknown": plan.refusal,
    }


def _gap(cost: Cost) -> dict[str, Any]:
    return {
        "from": to_json(cost.gap_from),
        "to": to_json(cost.gap_to),
        "is_new": cost.is_new,
        "tenants": list(cost.tenants),
        "full_backups": {name: list(sets) for name, sets in cost.full_backups.items()},
        "words": cost.words._asdict(),
        "writes": cost.writes._asdict(),
    }
