"""Worlds that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.compliance.world import World


@pytest.fixture
def world(add_connection: Callable[..., str]) -> Iterator[Callable[..., World]]:
    """Make a world of a profile."""
    made: list[World] = []

    def make(profile: str = "4.2.5", **options: Any) -> World:
        made.append(World(profile, add_connection, **options))
        return made[-1]

    yield make
    for one in made:
        one.box.stop()
