"""The one place that tells the generations apart: which cluster a profile makes."""

from __future__ import annotations

from datetime import datetime

from . import v3, v4
from .build import Profile
from .cluster import BaseCluster


def make_cluster(
    profile: Profile,
    *,
    name: str,
    servers: int,
    tenants: int,
    password: str,
    now: datetime,
    tick_seconds: float | None,
) -> BaseCluster:
    """A cluster of the profile's generation."""
    if isinstance(profile, v4.Profile):
        return v4.Cluster(
            profile, name=name, servers=servers, tenants=tenants, password=password, now=now, tick_seconds=tick_seconds
        )
    assert isinstance(profile, v3.Profile)  # noqa: S101 - there is no third generation
    return v3.Cluster(profile, name=name, servers=servers, tenants=tenants, password=password, now=now)
