"""Simulated time: a clock that is either real (times a factor) or moved by hand, and an event queue.

Nothing in the sandbox runs by itself. Every state change is an event on the :class:`Timeline`, run in order of
its due time when somebody looks (a statement arrives) or when a test advances the clock. With the manual clock
the same calls therefore always give the same answers.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import datetime, timedelta

#: OceanBase's default time zone. Deliberately not that of most workers: a client that uses its own clock is seen.
CLUSTER_UTC_OFFSET = timedelta(hours=8)


class Clock:
    """The cluster's local time: ``speed`` times as fast as the wall clock, or still until moved."""

    def __init__(self, start: datetime, speed: float = 1.0, *, manual: bool = False) -> None:
        if speed <= 0:
            raise ValueError("speed must be positive")
        self.speed = speed
        self.manual = manual
        self._start = start
        self._moved = timedelta()
        self._origin = time.monotonic()

    def now(self) -> datetime:
        if self.manual:
            return self._start + self._moved
        elapsed = (time.monotonic() - self._origin) * self.speed
        return self._start + self._moved + timedelta(seconds=elapsed)

    def advance(self, seconds: float) -> datetime:
        """Jump forward; a running clock goes on from there."""
        if seconds < 0:
            raise ValueError("time only moves forward")
        self._moved += timedelta(seconds=seconds)
        return self.now()

    def real_seconds(self, simulated: float) -> float:
        """How long a simulated duration takes for somebody outside: nothing under the manual clock."""
        return 0.0 if self.manual else simulated / self.speed


class Event:
    """A scheduled action; ``cancel`` makes it a no-op. ``action`` is None once it has run."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class Timeline:
    """Events in order of due time, first scheduled first at equal times."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._queue: list[tuple[datetime, int, Event]] = []
        self._sequence = itertools.count()

    def after(self, seconds: float, action: Callable[[], None]) -> Event:
        event = Event(action)
        due = self.now + timedelta(seconds=seconds)
        heapq.heappush(self._queue, (due, next(self._sequence), event))
        return event

    def run_until(self, moment: datetime) -> None:
        """Run every event due by ``moment``; during each one ``now`` is its own due time."""
        while self._queue and self._queue[0][0] <= moment:
            due, _, event = heapq.heappop(self._queue)
            action, event.action = event.action, None
            if action is not None:
                self.now = max(self.now, due)
                action()
        self.now = max(self.now, moment)
