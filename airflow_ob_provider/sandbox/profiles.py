"""All builds the sandbox can be, by name."""

from __future__ import annotations

from .build import Profile
from .v3.profiles import BUILDS as V3
from .v4.profiles import BUILDS as V4

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (*V3, *V4)}


def get_profile(name: str) -> Profile:
    """The profile of that name; ValueError with the known names otherwise."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ValueError(f"unknown profile {name!r}, known: {', '.join(PROFILES)}") from None
