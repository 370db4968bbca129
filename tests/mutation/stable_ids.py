"""Whether every test of the core has the same id when it is collected again in one process.

mutmut collects the tests once and names them again in a fork for each mutant. A name that is not found there ends
pytest with an error, which mutmut takes for a test that failed: every mutant reached by such a test would count as
killed. It happens to an id given in ``ids=`` that has to be escaped, because pytest escapes it once more each time.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest


class Collector:
    def __init__(self) -> None:
        self.ids: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.ids = [item.nodeid for item in items]


def collected(arguments: list[str]) -> list[str]:
    collector = Collector()
    code = pytest.main(["--collect-only", "-qqq", "--no-summary", *arguments], plugins=[collector])
    return [] if code else collector.ids


def main() -> int:
    settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    arguments = settings["pytest_add_cli_args"] + settings["pytest_add_cli_args_test_selection"]
    first, second = collected(arguments), collected(arguments)
    changed = sorted(set(first) - set(second))
    for name in changed:
        sys.stderr.write(f"has another id when collected again; give it one of plain letters: {name}\n")
    return int(bool(changed) or not first)


if __name__ == "__main__":
    sys.exit(main())
