"""Where things lie on an axis of time or of lag, in per cent of its length. Arithmetic only: draws nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

SMALLEST = 0.6
"""Width in per cent below which a stretch of time could not be seen on a phone."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = (1, 5, 15, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR,
          12 * _HOUR, _DAY, 2 * _DAY, 5 * _DAY, 10 * _DAY)  # fmt: skip
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000)
_LONGEST_STEP_OF_DAYS = 12 * _DAY


@dataclass(frozen=True)
class Tick:
    """A mark at a round value of the axis.

    :ivar x: place in per cent.
    :ivar label: what to write there.
    :ivar minor: whether it can be left out where there is little room.
    :ivar anchor: where its label is held (``start``, ``middle``, ``end``), so that it stays inside the picture.
    """

    x: float
    label: str
    minor: bool
    anchor: str = "middle"


@dataclass(frozen=True)
class Axis:
    """A stretch of time, drawn from 0 to 100 per cent. All times are in one zone.

    :param start: the time at 0; an axis that would have no length begins an hour earlier.
    :param end: the time at 100.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end <= self.start:
            try:
                object.__setattr__(self, "start", self.end - timedelta(hours=1))
            except OverflowError:
                object.__setattr__(self, "end", self.start + timedelta(hours=1))

    @classmethod
    def around(cls, moments: Iterable[datetime], now: datetime) -> Axis:
        """From the first of ``moments`` until now or the last of them, with a little room after it for a marker."""
        known = [moment.astimezone(now.tzinfo) for moment in moments]
        start, end = min([*known, now]), max([*known, now])
        try:
            return cls(start, end + (end - start) / 50)
        except OverflowError:
            return cls(start, end)

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()

    def at(self, moment: datetime) -> float:
        """The place of a moment; what lies outside is put at the edge."""
        part = (moment - self.start).total_seconds() / self.seconds
        return round(100 * min(1.0, max(0.0, part)), 3)

    def span(
        self, start: datetime, end: datetime, smallest: float = SMALLEST, *, ends: bool = False
    ) -> tuple[float, float]:
        """Place and width of a stretch; one too short to be seen is widened, inside the axis.

        :param ends: widen it to the left only, because nothing is known of what comes after it; else to both sides.
        """
        left, right = self.at(start), self.at(max(start, end))
        if right - left < smallest:
            left = right - smallest if ends else (left + right - smallest) / 2
            left = min(max(0.0, left), 100 - smallest)
            right = left + smallest
        return round(left, 3), round(right - left, 3)

    def ticks(self, most: int = 8) -> list[Tick]:
        """Marks at round times of the zone, at most so many."""
        moments = self._by_seconds(most) or self._by_months(most)
        placed = [(self.at(moment), label) for moment, label in moments]
        return [
            Tick(x, label, bool(place % 2), "start" if x < 6 else "end" if x > 94 else "middle")
            for place, (x, label) in enumerate(placed)
        ]

    def _by_seconds(self, most: int) -> list[tuple[datetime, str]]:
        step = next((step for step in _STEPS if self.seconds / step <= most - 1), None)
        if step is None:
            return []
        # Round in the zone: full days begin at its midnight, not at that of UTC.
        begin = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        first = math.ceil((self.start - begin).total_seconds() / step)
        form = "%m-%d" if step >= _DAY else "%H:%M" if step >= _MINUTE else "%H:%M:%S"
        moments = []
        for place in range(first, first + most):
            try:
                moment = begin + timedelta(seconds=place * step)
            except OverflowError:
                break
            if moment > self.end:
                break
            midnight = step < _DAY and not (moment.hour or moment.minute or moment.second)
            moments.append((moment, moment.strftime("%m-%d" if midnight else form)))
        return moments

    def _by_months(self, most: int) -> list[tuple[datetime, str]]:
        months = self.seconds / (30.44 * _DAY)
        step = next((step for step in _MONTHS if months / step <= most - 1), _MONTHS[-1])
        begin = self.start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        index = begin.year * 12 + begin.month - 1
        index -= index % step
        moments = []
        for number in range(index, index + step * (most + 2), step):
            year, month = divmod(number, 12)
            if not 1 <= year <= 9999:
                continue
            moment = begin.replace(year=year, month=month + 1)
            if self.start <= moment <= self.end:
                moments.append((moment, f"{year:04}" if step >= 12 else f"{year:04}-{month + 1:02}"))
        return moments[:most]


@dataclass(frozen=True)
class Scale:
    """Lag in seconds, drawn from the bottom (100 per cent) up.

    A lag many times the threshold would press everything else flat, so the scale is then logarithmic.
    """

    top: float
    logarithmic: bool

    @classmethod
    def over(cls, delays: Iterable[float], threshold: float | None) -> Scale:
        """A scale on which all delays and the threshold can be seen."""
        worst = max(delays, default=0.0)
        top = max(worst, threshold or 0.0, 1.0) * 1.15
        return cls(top, bool(threshold) and worst > 6 * (threshold or 0.0))

    def at(self, delay: float) -> float:
        """The place of a lag."""
        part = math.log1p(max(0.0, delay)) / math.log1p(self.top) if self.logarithmic else delay / self.top
        return round(100 * (1 - min(1.0, max(0.0, part))), 3)

    def marks(self) -> list[float]:
        """Round values for lines across: four or five."""
        if self.logarithmic:
            return [value for value in (10.0, 60.0, 600.0, 3600.0, 86400.0, 864000.0, 8640000.0) if value < self.top]
        rounds = (0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
        step = next((step for step in rounds if self.top / step <= 4), self.top / 4)
        return [step * place for place in range(1, int(self.top / step) + 1)]


def broken(moments: Sequence[datetime], factor: float = 2.5) -> list[int]:
    """Before which of the moments (in order) one or more were left out: the places that are much later than usual."""
    steps = [(after - before).total_seconds() for before, after in pairwise(moments)]
    if len(steps) < 2:
        return []
    usual = median(steps)
    return [place for place, step in enumerate(steps, 1) if step > factor * usual]


def thinned(values: Sequence[float], most: int) -> list[int]:
    """Which of many values to draw: the largest of each stretch, and the last."""
    if len(values) <= most:
        return list(range(len(values)))
    edges = [round(place * len(values) / (most - 1)) for place in range(most)]
    kept = {max(range(low, high), key=values.__getitem__) for low, high in pairwise(edges) if high > low}
    return sorted(kept | {len(values) - 1})
