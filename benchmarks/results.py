"""Figures as lines of a terminal, and as RESULTS.md.

``results.json`` holds what each benchmark has measured last, so that one can be measured anew alone.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from tabulate import tabulate

from benchmarks.figures import Benchmark, Figure

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
_KEPT = RESULTS.with_name("results.json")
_PACKAGES = ("apache-airflow", "apache-airflow-providers-mysql", "PyMySQL", "mysql-mimic", "sqlglot")


@dataclass(frozen=True)
class Section:
    """A benchmark that has been run."""

    name: str
    title: str
    baseline: str
    figures: Sequence[Figure]
    seconds: float
    has_failed: bool
    where: str
    """Date, machine and versions."""

    @property
    def missed(self) -> list[Figure]:
        """What has not reached its target."""
        return [one for one in self.figures if one.is_reached is False]


def as_text(figure: Figure, *, quick: bool) -> str:
    """One line for the terminal."""
    parts = [f"{figure.what}: {_value(figure.ours, figure.unit)}"]
    if figure.baseline is not None:
        parts.append(f"baseline {_value(figure.baseline, figure.unit)}, {_ratio(figure)}")
    if figure.exactly is not None or not quick:
        parts += [part for part in (_target(figure), _reached(figure)) if part]
    return "; ".join(parts)


def measured(
    name: str, benchmark: Benchmark, figures: Sequence[Figure], seconds: float, *, has_failed: bool
) -> Section:
    """What a benchmark has measured here and now."""
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    where = f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}; {packages}"
    return Section(name, benchmark.title, benchmark.baseline, figures, seconds, has_failed, where)


def keep(section: Section, names: Iterable[str]) -> None:
    """Put a section in the place of an earlier one, and write RESULTS.md anew.

    :param names: of all benchmarks, in their order.
    """
    kept = json.loads(_KEPT.read_text(encoding="utf-8")) if _KEPT.exists() else {}
    kept[section.name] = vars(section) | {"figures": [one.known() for one in section.figures]}
    kept = {name: kept[name] for name in names if name in kept}
    _KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sections = [Section(**{**one, "figures": [Figure.of(known) for known in one["figures"]]}) for one in kept.values()]
    RESULTS.write_text(_written(sections), encoding="utf-8")


def _written(sections: Sequence[Section]) -> str:
    missed = sum(len(one.missed) for one in sections)
    judged = sum(figure.is_reached is not None for one in sections for figure in one.figures)
    lines = [
        "# Results",
        "",
        "Made by `make bench`; do not edit. Each figure stands next to what a user would do instead, measured in the",
        "same run on the same machine. The ratio says how many times better the provider is; below 1 it is worse.",
        "",
        f"{judged - missed} of {judged} targets are reached.",
    ]
    for number, one in enumerate(sections, start=1):
        lines += ["", f"## {number}. {one.title}", "", f"Baseline: {one.baseline}", "", _table(one)]
        lines += [f"\n{'; '.join(what)}: {note}" for note, what in _notes(one).items()]
        if one.has_failed:
            lines += ["", "**This benchmark has failed; what it has measured is not complete.**"]
        lines += ["", f"{one.where}. It took {one.seconds:.0f} s."]
    return "\n".join(lines) + "\n"


def _notes(section: Section) -> dict[str, list[str]]:
    """Each note once, with all figures that it is about."""
    found: dict[str, list[str]] = {}
    for figure in section.figures:
        if figure.note:
            found.setdefault(figure.note, []).append(figure.what)
    return found


def _table(section: Section) -> str:
    rows = [
        [
            figure.what,
            _ratio(figure),
            _value(figure.ours, figure.unit),
            "" if figure.baseline is None else _value(figure.baseline, figure.unit),
            _target(figure),
            _reached(figure),
        ]
        for figure in section.figures
    ]
    heads = ["what", "ratio", "provider", "baseline", "must be", "reached"]
    return tabulate(rows, heads, tablefmt="github", disable_numparse=True)


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def _ratio(figure: Figure) -> str:
    ratio = figure.ratio
    if ratio is None:
        return ""
    return "∞" if ratio == float("inf") else f"{ratio:.3g}×" if ratio < 100 else f"{ratio:,.0f}×"


def _target(figure: Figure) -> str:
    parts = []
    if figure.times is not None:
        parts.append(f"≥ {figure.times:g}×")
    if figure.at_most is not None:
        parts.append(f"≤ {_value(figure.at_most, figure.unit)}")
    if figure.at_least is not None:
        parts.append(f"≥ {_value(figure.at_least, figure.unit)}")
    if figure.exactly is not None:
        parts.append(f"= {_value(figure.exactly, figure.unit)}")
    return ", ".join(parts)


def _reached(figure: Figure) -> str:
    return {True: "yes", False: "**no**", None: ""}[figure.is_reached]


def _value(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"
    return f"{number} {unit}".strip()
