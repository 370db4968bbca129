"""What every simulated OceanBase build has, whatever its generation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One build: how it names itself. What it can do is in the subclass of its generation."""

    name: str
    version: str
    version_comment: str
    version_function: str
    build_version: str
    #: the version in the handshake of a direct connection
    handshake: str = "5.7.25"
