"""Pasts that a simulated cluster is given."""

from __future__ import annotations

from datetime import timedelta

from airflow_ob_provider.sandbox import Sandbox


def two_good_days(box: Sandbox) -> None:
    """Log backup for two days without a break, and a full backup of yesterday."""
    now = box.now
    box.history.clear()
    box.history.round(1, now - timedelta(days=2))
    box.history.backup_set(1, now - timedelta(days=1), now - timedelta(hours=23))
