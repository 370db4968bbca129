"""From a log backup that broke off to one that can be restored again: what is wrong, and what is left to do."""

from airflow_ob_provider.oceanbase.recovery.cause import BreakCause
from airflow_ob_provider.oceanbase.recovery.cost import Cost
from airflow_ob_provider.oceanbase.recovery.diagnosis import Diagnosis, diagnose
from airflow_ob_provider.oceanbase.recovery.plan import (
    RecoveryPlan,
    RecoveryStep,
    UnitPlan,
    plan_move,
    plan_recovery,
)
from airflow_ob_provider.oceanbase.recovery.table import plan_markdown
from airflow_ob_provider.oceanbase.recovery.unit import Unit, units

__all__ = [
    "BreakCause",
    "Cost",
    "Diagnosis",
    "RecoveryPlan",
    "RecoveryStep",
    "Unit",
    "UnitPlan",
    "diagnose",
    "plan_markdown",
    "plan_move",
    "plan_recovery",
    "units",
]
