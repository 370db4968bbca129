"""The fields of the DAGs' forms. What is illegal is refused before a run begins, and the error names the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Param

from airflow_ob_provider.oceanbase.destination import PLACEHOLDERS
from airflow_ob_provider.oceanbase.redact import KEY_NAMES
from airflow_ob_provider.oceanbase.words import LANGUAGES

LIMITS = "Time limits (seconds)"
_END = r"$(?!\n)"
"""Python's ``$`` also matches before a line break at the end."""
CONN_ID = rf"^[\w.-]+{_END}"
TENANT = rf"^[A-Za-z_][A-Za-z0-9_$]{{0,127}}{_END}"
_BRACES = rf"\{{(?:{'|'.join(PLACEHOLDERS)})\}}"
_STEP = rf"(?:[^\s'\"`\\{{}}?]|{_BRACES})"
_BUCKET = rf"(?:[^\s'\"`\\{{}}?/@]|{_BRACES})+"
_PLACE = rf"(?:file:///{_STEP}*|(?:oss|cos|s3|azblob)://{_BUCKET}(?:/{_STEP}*)?(?:\?[^\s'\"`\\]*)?)"
_NO_KEYS = rf"(?!.*[?&](?i:{'|'.join(KEY_NAMES)})=)"
DESTINATION = rf"^ *{_NO_KEYS}{_PLACE} *{_END}"
"""What no version takes as a destination is refused, and keys: what is typed into a form is kept and shown."""
MAX_DESTINATION = 2047


def conn_ids(default: Sequence[str], privilege: str, more: str = "") -> Param:
    """Connections of clusters, one or many.

    :param default: those of a run that names none.
    :param privilege: what the account needs.
    :param more: text behind it.
    """
    return Param(
        list(default),
        type="array",
        items={"type": "string", "pattern": CONN_ID},
        minItems=1,
        uniqueItems=True,
        section="Clusters",
        title="Connections",
        description_md="One Airflow connection of type OceanBase a cluster: tenant `sys` (4.x: or a user tenant, for "
        f"itself), {privilege}. One a line.{more}",
    )


def tenants(more: str = "", section: str = "Clusters") -> Param:
    """Names of user tenants; none means all."""
    return Param(
        [],
        type="array",
        items={"type": "string", "pattern": TENANT},
        uniqueItems=True,
        section=section,
        title="Tenants (4.x)",
        description_md=f"One a line. Empty: all user tenants that are NORMAL.{more}",
    )


def destination(description: str, section: str = "Destination", *, required: bool = False) -> Param:
    """Where backups go: a place without keys.

    :param required: it must be given.
    """
    examples = [
        "file:///data/nfs/backup",
        "file:///data/nfs/{cluster}/{tenant}",
        "oss://bucket/ob?host=oss.example.com",
    ]
    shape: dict[str, Any] = {"maxLength": MAX_DESTINATION, "section": section, "examples": examples}
    shape |= {"title": "Destination", "description_md": f"{description} Never type keys here: that is refused."}
    if required:
        return Param(type="string", minLength=8, pattern=DESTINATION, **shape)
    return Param(None, type=["null", "string"], pattern=f"^ *$|{DESTINATION}", **shape)


def dest_conn_id(description: str, section: str = "Destination") -> Param:
    """The connection with the keys of an object store."""
    return Param(
        None,
        type=["null", "string"],
        pattern=rf"^[\w.-]*{_END}",
        section=section,
        title="Connection with the keys",
        description_md=description,
    )


def seconds(default: int, description: str, title: str, least: int = 10) -> Param:
    """A time limit."""
    return Param(
        default,
        type="integer",
        minimum=least,
        maximum=604_800,
        section=LIMITS,
        title=title,
        description_md=description,
    )


def poll_interval(default: int = 15) -> Param:
    """How often is looked."""
    return Param(
        default,
        type="integer",
        minimum=1,
        maximum=3600,
        section=LIMITS,
        title="Between two looks",
        description_md="The server itself moves every 10 s.",
    )


def dry_run(description: str = "Read, show the plan and write nothing.") -> Param:
    """Whether anything is written."""
    return Param(
        False,
        type="boolean",
        section="Dry run",
        title="Dry run",
        description_md=f"{description} Tasks that would write show the exact SQL under *Rendered Templates*.",
    )


def policy(description: str, section: str) -> Param:
    """What a compliance check holds clusters to."""
    from airflow_ob_provider.oceanbase.compliance.policy import POLICY_SCHEMA

    return Param({}, **POLICY_SCHEMA, section=section, title="Policy", description_md=description)


def report_path(description: str) -> Param:
    """Where reports are kept."""
    return Param(
        None,
        type=["null", "string"],
        section="Report",
        title="Folder of reports",
        description_md=f"{description} Empty: `[oceanbase] report_path`.",
    )


def language(description: str) -> Param:
    """English or Chinese."""
    return Param(
        "en",
        type="string",
        enum=list(LANGUAGES),
        section="Report",
        title="Language",
        values_display={"en": "English", "zh": "中文"},
        description_md=description,
    )


def recovery_params(destination: Param) -> dict[str, Param]:
    """Params that :func:`~airflow_ob_provider.task_groups.recovery.recovery_tasks` reads.

    :param destination: the one that differs: where log backup is to go.
    """
    return {
        "oceanbase_conn_id": Param(
            "oceanbase_default",
            type="string",
            pattern=CONN_ID,
            section="Cluster",
            title="Connection",
            description_md="Airflow connection of type OceanBase: tenant `sys` (4.x: or a user tenant, for itself), "
            "ALTER SYSTEM privilege. A run that an asset has started takes the cluster of the asset.",
        ),
        "tenants": tenants(section="Cluster"),
        "destination": destination,
        "dest_conn_id": dest_conn_id(
            "For object stores: login is the access id, password the access key, host the endpoint."
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
        "policy": policy("Of the compliance check at the end; as of `ob_archive_compliance`.", "Report"),
        "report_path": report_path("Report and ledger; a path or URL, shared by all workers."),
        "language": language("Of the plan and the report."),
        "stuck_after": seconds(600, "After this time STOPPING and SUSPENDING count as stuck.", "Stuck after", least=60),
        "waited": seconds(
            0,
            "How long it has been seen in STOPPING or SUSPENDING: for a server whose events do not tell since when.",
            "Seen stuck for",
            least=0,
        ),
        "stop_timeout": seconds(
            3600, "Wait for STOP. 4.2.3+ ends it after 10 minutes if the destination is dead.", "Stop"
        ),
        "doing_timeout": seconds(1800, "Wait for DOING.", "Start"),
        "backup_timeout": seconds(
            86_400, "Wait for the end of the full backup, which goes on if this passes.", "Full backup"
        ),
        "proof_timeout": seconds(1800, "Wait until log backup has passed the backup.", "Proof"),
        "poll_interval": poll_interval(),
        "dry_run": dry_run("Look and show the plan; write nothing."),
    }
