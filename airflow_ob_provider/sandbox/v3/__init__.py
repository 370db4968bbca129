"""OceanBase 2.2.77 and 3.x: one log archive for the cluster, everything managed from the ``sys`` tenant."""

from __future__ import annotations

from .cluster import Cluster
from .profiles import Profile

__all__ = ["Cluster", "Profile"]
