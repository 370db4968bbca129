"""A gate in front of any data backup: log backup must be alive now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from airflow.sdk import BaseOperator, TaskGroup, XComArg, task

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.statements import check_tenant_names
from airflow_ob_provider.sensors.archivelog import ArchiveCheckpointSensor, ArchiveDoingSensor


def log_archive_gate(
    oceanbase_conn_id: str | XComArg,
    *,
    tenants: Sequence[str] | str | None = None,
    timeout: float | str = 1800.0,
    poke_interval: float | str = 15.0,
    on_partial_failure: str = "fail",
    group_id: str = "log_archive_gate",
    group_display_name: str = "",
    **kwargs: Any,
) -> TaskGroup:
    """Tasks that succeed only while log backup archives, by fresh reads and not by what an earlier run has found.

    ``tenants`` lists whom it is about; ``doing`` waits for DOING, and fails at once where it is stopped or
    INTERRUPTED; ``proof`` waits until everything written before now is archived. Put it in front of the tasks of a
    backup DAG that you have already: ``log_archive_gate("oceanbase_default") >> my_backup``. It reads only, holds no
    worker slot while it waits, and a retry is safe.

    :param oceanbase_conn_id: connection to the cluster; SELECT on ``oceanbase.*`` is enough.
    :param tenants: 4.x user tenants, also as text with commas or a template; None means all that are NORMAL.
    :param timeout: seconds that each of the two may wait.
    :param poke_interval: seconds between reads.
    :param on_partial_failure: 4.x: ``"continue"`` goes on with the tenants that pass; they stand in XCom of ``proof``
        under ``tenants``.
    :param group_display_name: what the graph calls the group, instead of its id.
    :param kwargs: more arguments for all of its tasks, such as ``retries``.
    :return: the group.
    """
    with TaskGroup(
        group_id,
        group_display_name=group_display_name,
        tooltip="Succeeds only while log backup archives, by fresh reads.",
    ) as gate:
        whom = {"task_display_name": "Whom it is about", "map_index_template": "{{ task.op_args[0] }}", **kwargs}
        names = task(task_id="tenants", **whom)(_names)(oceanbase_conn_id, tenants)
        common: dict[str, Any] = {
            "oceanbase_conn_id": oceanbase_conn_id,
            "timeout": timeout,
            "poke_interval": poke_interval,
            "on_partial_failure": on_partial_failure,
            "map_index_template": "{{ task.oceanbase_conn_id }}",
            **kwargs,
        }
        doing = ArchiveDoingSensor(
            task_id="doing",
            tenants=names,
            **{
                "task_display_name": "DOING now",
                "doc_md": "Waits for DOING; STOP and INTERRUPTED fail it. Reads only.",
                **common,
            },
        )
        passed = XComArg(doing, "tenants") if on_partial_failure == "continue" else names
        proof = ArchiveCheckpointSensor(
            task_id="proof",
            tenants=passed,
            after="now",
            **{
                "task_display_name": "Proof: archived up to now",
                "doc_md": "Waits until everything written before now (the server's clock) is archived. Reads only.",
                **common,
            },
        )
        doing >> proof
    return gate


def tenants_of(gate: TaskGroup) -> XComArg:
    """The tenants that have passed a gate with ``on_partial_failure="continue"``, for the tasks behind it."""
    proof = gate.get_child_by_label("proof")
    return XComArg(cast("BaseOperator", proof), "tenants")


def _names(oceanbase_conn_id: Any, tenants: Any = None) -> list[str]:
    """Names of the tenants that archive each for itself: those asked for, or all; none where a cluster does."""
    asked = check_tenant_names(tenants)
    if asked:
        return list(asked)
    with OceanBaseHook(oceanbase_conn_id=oceanbase_conn_id).session() as session:
        return [tenant.name for tenant in session.dialect.tenants_in_scope(())]
