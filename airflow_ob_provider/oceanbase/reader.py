"""The reading a wait needs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.base import Dialect
    from airflow_ob_provider.oceanbase.waits import Snapshot, Wait


def read_for(wait: Wait, dialect: Dialect) -> Snapshot:
    """Take the snapshot that ``wait`` judges."""
    arguments = wait.read_arguments()
    if wait.reads == "pieces":
        return dialect.pieces(arguments["round_id"])
    if wait.reads == "backup":
        return dialect.data_backups.job(arguments["job_id"])
    if wait.reads == "freeze":
        since = arguments["since"]
        return dialect.freeze_progress(
            since=datetime.fromisoformat(since) if since else None, tenant_ids=arguments["tenant_ids"]
        )
    return dialect.archive()
