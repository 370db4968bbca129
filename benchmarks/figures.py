"""What a benchmark tells: figures next to those of their baseline, and what they must reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self


class WrongResultError(Exception):
    """What was measured has not done its work, so its figures count for nothing."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the results; less is better, but for what is counted a second.

    :param what: what was measured, at what size.
    :param baseline: the same figure of what a user would do instead; None where there is nothing to compare with.
    :param more_is_better: for throughput.
    :param times: how many times better than the baseline it must be.
    :param at_most: what it must not be above, in the unit.
    :param at_least: what it must not be below, in the unit.
    :param exactly: a count (statements, connections, queries, bytes) that has one right value everywhere; anything else
        is a defect, in a quick run as well.
    :param note: why a target is missed, or what to bear in mind.
    """

    what: str
    ours: float
    unit: str
    baseline: float | None = None
    more_is_better: bool = False
    times: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    exactly: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the baseline."""
        if self.baseline is None:
            return None
        better, worse = (self.ours, self.baseline) if self.more_is_better else (self.baseline, self.ours)
        if better == worse:
            return 1.0
        return better / worse if worse else float("inf")

    @property
    def is_wrong(self) -> bool:
        """A count is not what it must be."""
        return self.exactly is not None and self.ours != self.exactly

    @property
    def is_reached(self) -> bool | None:
        """Whether it is as good as it must be; None where it only informs."""
        ratio = self.ratio
        checks = [
            self.ours <= self.at_most if self.at_most is not None else None,
            self.ours >= self.at_least if self.at_least is not None else None,
            ratio is not None and ratio >= self.times if self.times is not None else None,
            not self.is_wrong if self.exactly is not None else None,
        ]
        made = [one for one in checks if one is not None]
        return all(made) if made else None

    @classmethod
    def of(cls, known: dict[str, Any]) -> Self:
        """From :meth:`known`."""
        return cls(**known)

    def known(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One question, answered by figures.

    :param title: what is compared.
    :param baseline: what the baseline is, and how it is built.
    :param measure: measures; with True as its argument, in seconds, at a small size, where only counts matter.
    """

    title: str
    baseline: str
    measure: Callable[[bool], Iterator[Figure]]


def check(is_right: bool, what: str) -> None:
    """A benchmark checks its own result before its figures count.

    :raises WrongResultError: it is not right.
    """
    if not is_right:
        raise WrongResultError(what)
