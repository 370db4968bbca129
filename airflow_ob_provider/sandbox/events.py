"""The event histories operators read: ``__all_rootservice_event_history`` and ``__all_server_event_history``."""

from __future__ import annotations

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
        self._add(self.rootservice, self._rootservice, module, event, values)

    def add_server(self, server: Server, module: str, event: str, **values: object) -> None:
        self._add(self.server, server, module, event, values)

    def _add(
        self, history: list[HistoryEvent], server: Server, module: str, event: str, values: dict[str, object]
    ) -> None:
        pairs = tuple((name, str(value)) for name, value in values.items())
        history.append(HistoryEvent(self._timeline.now, module, event, pairs, server))
        del history[:-KEPT]
