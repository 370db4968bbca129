"""OceanBase 4.0 to 4.3: every tenant has its own log archive; it is managed from ``sys`` or from the tenant itself."""

from __future__ import annotations

from .cluster import Cluster
from .profiles import Profile

__all__ = ["Cluster", "Profile"]
