"""The form of the DAGs that restart log backup."""

from __future__ import annotations

from airflow.sdk import Param

_LIMITS = "Time limits (seconds)"


def recovery_params(destination: Param) -> dict[str, Param]:
    """Params that :func:`~airflow_ob_provider.task_groups.recovery.recovery_tasks` reads.

    :param destination: the one that differs: where log backup is to go.
    """
    return {
        "oceanbase_conn_id": Param(
            "oceanbase_default",
            type="string",
            pattern=r"^[\w.-]+$",
            section="Cluster",
            title="Connection",
            description_md="Airflow connection of type OceanBase: tenant `sys` (4.x: or a user tenant, for itself), "
            "ALTER SYSTEM privilege. A run that an asset has started takes the cluster of the asset.",
        ),
        "tenants": Param(
            [],
            type="array",
            items={"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_$]*$"},
            uniqueItems=True,
            section="Cluster",
            title="Tenants (4.x)",
            description_md="Empty: all user tenants that are NORMAL.",
        ),
        "destination": destination,
        "dest_conn_id": Param(
            None,
            type=["null", "string"],
            section="Destination",
            title="Connection with the keys",
            description_md="For object stores: login is the access id, password the access key, host the endpoint.",
        ),
        "approved": Param(
            False,
            type="boolean",
            section="Approval",
            title="The plan is approved",
            description_md="Skip the approval step. **What is restarted or moved has a gap until its full backup.**",
        ),
        "force_approved": Param(
            False,
            type="boolean",
            section="Approval",
            title="A stop by force is approved (3.x)",
            description_md="Skip the second approval: `CANCEL ALL BACKUP FORCE` ends every backup of the cluster.",
        ),
        "stop_suspended": Param(
            False,
            type="boolean",
            section="Approval",
            title="Stop what is stuck in SUSPENDING (4.x)",
            description_md="Stop it and start a new round, **a gap**, instead of resuming it without one, which helps "
            "only when the destination is well again.",
        ),
        "policy": Param(
            {},
            type="object",
            section="Report",
            title="Policy",
            description_md="Of the compliance check at the end; as of `ob_archive_compliance`.",
        ),
        "report_path": Param(
            None,
            type=["null", "string"],
            section="Report",
            title="Folder of reports",
            description_md="Report and ledger; a path or URL, shared by all workers. Empty: `[oceanbase] report_path`.",
        ),
        "language": Param(
            "en",
            type="string",
            enum=["en", "zh"],
            section="Report",
            values_display={"en": "English", "zh": "中文"},
            description_md="Of the plan and the report.",
        ),
        "stuck_after": _seconds(600, "After this time STOPPING and SUSPENDING count as stuck.", least=60),
        "stop_timeout": _seconds(3600, "Wait for STOP. 4.2.3+ ends it after 10 minutes if the destination is dead."),
        "doing_timeout": _seconds(1800, "Wait for DOING."),
        "backup_timeout": _seconds(86_400, "Wait for the end of the full backup, which goes on if this passes."),
        "proof_timeout": _seconds(1800, "Wait until log backup has passed the backup."),
        "poll_interval": Param(
            15,
            type="integer",
            minimum=1,
            maximum=3600,
            section=_LIMITS,
            description_md="Between two looks.",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            section="Dry run",
            description_md="Look and show the plan; write nothing.",
        ),
    }


def _seconds(default: int, description: str, least: int = 10) -> Param:
    return Param(default, type="integer", minimum=least, maximum=604_800, section=_LIMITS, description_md=description)
