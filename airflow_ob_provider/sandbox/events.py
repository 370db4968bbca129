"""The event histories operators read: ``__all_rootservice_event_history`` and ``__all_server_event_history``."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from datetime import datetime

from .clock import Timeline
from .topology import Server

#: Older events are recycled; far more than any test or demo looks back.
KEPT = 5000


@dataclass(frozen=True)
class HistoryEvent:
    at: datetime
    module: str
    event: str
    values: tuple[tuple[str, str], ...]
    server: Server


class EventHistory:
    """Both histories, oldest first."""

    def __init__(self, timeline: Timeline, rootservice: Server) -> None:
        self._timeline = timeline
        self._rootservice = rootservice
        self.rootservice: list[HistoryEvent] = []
        self.server: list[HistoryEvent] = []

    def add_rootservice(self, module: str, event: str, **values: object) -> None:
        self.put_rootservice(self._timeline.now, module, event, values)

    def put_rootservice(self, at: datetime, module: str, event: str, values: dict[str, object]) -> None:
        """An event of any moment up to now."""
        self._add(self.rootservice, HistoryEvent(at, module, event, _pairs(values), self._rootservice))

    def forget(self, *modules: str) -> None:
        self.rootservice[:] = [event for event in self.rootservice if event.module not in modules]

    def add_server(self, server: Server, module: str, event: str, **values: object) -> None:
        self._add(self.server, HistoryEvent(self._timeline.now, module, event, _pairs(values), server))

    @staticmethod
    def _add(history: list[HistoryEvent], event: HistoryEvent) -> None:
        insort(history, event, key=lambda e: e.at)
        del history[:-KEPT]


def _pairs(values: dict[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in values.items())
