"""What all cases of the fault table come to, over all of xdist's workers.

A plugin of its own, because the process that prints the summary collects no test and so loads no conftest down here.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

PROPERTY = "fault_case"
COUNTED = ("wrong outcomes", "duplicate writes", "hangs", "leaks")
_totals: Counter[str] = Counter()


def count(node: pytest.Item, cases: int, found: dict[str, int]) -> None:
    """One test's cases and what was found in them; it travels with the test's report."""
    node.user_properties.append((PROPERTY, {"cases": cases, **found}))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, dict):
                _totals.update({str(key): int(number) for key, number in value.items()})


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _totals["cases"]:
        found = ", ".join(f"{_totals[name]:,} {name}" for name in COUNTED)
        terminalreporter.section("fault table")
        terminalreporter.write_line(f"fault table: {_totals['cases']:,} cases, {found}")
