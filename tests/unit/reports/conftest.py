"""Golden files: what the samples look like, checked to the letter.

After a wanted change, renew them with ``RENEW_GOLDEN=1 .venv/bin/pytest -n 0 tests/unit/reports`` and read the
difference; a page is best looked at in a browser, see ``samples.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def same_as_golden() -> Callable[[str, str], None]:
    """Compare a text with a golden file."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("RENEW_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{name} has changed; conftest.py says how to renew it"

    return check
