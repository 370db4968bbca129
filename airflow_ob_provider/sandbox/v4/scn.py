"""System change numbers: nanoseconds since 1970 (UTC), as the 4.x kernel counts."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from airflow_ob_provider.sandbox.clock import CLUSTER_UTC_OFFSET
from airflow_ob_provider.sandbox.functions import EPOCH
from airflow_ob_provider.sandbox.views import microseconds

#: No upper limit: RECOVERY_UNTIL_SCN of a tenant that isn't restored to a point in time.
MAX_SCN = 2**62 - 1


def to_scn(moment: datetime) -> int:
    """The SCN of a moment of the cluster's clock."""
    return microseconds(moment) * 1000


def to_time(scn: int) -> datetime:
    """The cluster's clock at an SCN."""
    return EPOCH + timedelta(microseconds=scn // 1000) + CLUSTER_UTC_OFFSET


@lru_cache(maxsize=8192)
def display(scn: int) -> datetime | None:
    """What SCN_TO_TIMESTAMP shows in a ``_DISPLAY`` column: NULL for 0."""
    return to_time(scn) if scn else None
