"""The fixtures of the fault table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.ears import Ears, ears
from tests.faults.rig import Rig, rig

__all__ = ["ears"]


@pytest.fixture
def make_rig(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    add_connection: Callable[..., str],
    ears: Ears,
) -> Iterator[Callable[..., Rig]]:
    """A new cluster behind a proxy: ``make_rig("3.2.4", tenants=3)``."""
    with ExitStack() as stack:

        def make(profile: str, **options: Any) -> Rig:
            return stack.enter_context(rig(request, monkeypatch, add_connection, ears, profile, **options))

        yield make
