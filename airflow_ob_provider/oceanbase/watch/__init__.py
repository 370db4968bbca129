"""What a watch of log backup sees, remembers and tells: plain data, one decision for every caller."""

from __future__ import annotations

from airflow_ob_provider.oceanbase.watch.conditions import BOUNDS, Bounds, Condition, Sighting, View, view
from airflow_ob_provider.oceanbase.watch.events import MAX_LISTED, READABLE, UNREADABLE
from airflow_ob_provider.oceanbase.watch.memory import Step, Subject, WatchMemory

__all__ = [
    "BOUNDS",
    "MAX_LISTED",
    "READABLE",
    "UNREADABLE",
    "Bounds",
    "Condition",
    "Sighting",
    "Step",
    "Subject",
    "View",
    "WatchMemory",
    "view",
]
