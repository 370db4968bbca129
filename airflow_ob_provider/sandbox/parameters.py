"""The cluster's parameters: one stored value, one visible value per server that follows it after a while.

A SET is stored centrally (``__all_sys_parameter``) and each OBServer refreshes its own copy about every two
seconds, so for 2 to 3 s the servers disagree (OceanBase 3.1.5 source, ``src/share/config``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from .clock import Timeline
from .errors import ServerError
from .faults import Faults
from .topology import Server
from .values import parse_bool, parse_size, parse_time

Check = Callable[[str], bool]


@dataclass(frozen=True)
class Parameter:
    name: str
    default: str
    info: str
    check: Check
    boolean: bool = False


@dataclass(frozen=True)
class Stored:
    """A row of ``__all_sys_parameter``: ``server`` is None for a cluster-wide SET."""

    name: str
    value: str
    version: int
    created: datetime
    modified: datetime
    server: Server | None = None


def anything(_: str) -> bool:
    return True


def integer(low: int, high: int | None = None) -> Check:
    def check(text: str) -> bool:
        return bool(re.fullmatch(r"\d+", text)) and low <= int(text) and (high is None or int(text) <= high)

    return check


def duration(low: float, high: float | None = None) -> Check:
    def check(text: str) -> bool:
        value = parse_time(text)
        return value is not None and low <= value and (high is None or value <= high)

    return check


def capacity(low: int) -> Check:
    def check(text: str) -> bool:
        value = parse_size(text)
        return value is not None and value >= low

    return check


def boolean(text: str) -> bool:
    return parse_bool(text) is not None


class Parameters:
    """Stored and visible values.

    ``parameters[name]`` and ``parameters[name, server_index]`` read a visible value; assigning presets it at
    once: on every server (stored too), or on one server only, which makes the servers disagree.
    """

    def __init__(
        self,
        known: dict[str, Parameter],
        servers: tuple[Server, ...],
        timeline: Timeline,
        faults: Faults,
    ) -> None:
        self.known = known
        self._servers = servers
        self._timeline = timeline
        self._faults = faults
        self._central = {name: p.default for name, p in known.items()}
        self._visible = [dict(self._central) for _ in servers]
        self._stored: dict[tuple[str, Server | None], Stored] = {}
        self._version = 1
        self._seen: dict[tuple[int, str], int] = {}

    def __getitem__(self, key: str | tuple[str, int]) -> str:
        name, index = key if isinstance(key, tuple) else (key, 0)
        return self._visible[index][name]

    def __setitem__(self, key: str | tuple[str, int], value: str) -> None:
        if isinstance(key, tuple):
            name, index = key
            self._show(index, self.find(name).name, value, self._version)
            return
        self._store(self.find(key).name, value, None)
        for server in self._servers:
            self._show(server.index, key, value, self._version)

    def find(self, name: str) -> Parameter:
        """The parameter of that name in any case, else 5099."""
        try:
            return self.known[name.lower()]
        except KeyError:
            raise ServerError(5099) from None

    def central(self, name: str) -> str:
        """What the RootService works with: it waits for the newest stored configuration before it acts."""
        return self._central.get(name, "")

    def validate(self, name: str, value: str) -> None:
        """The parameter's own checker, else 4147."""
        if not self.find(name).check(value):
            raise ServerError(4147)

    def set(self, name: str, value: str, servers: Iterable[Server] | None = None) -> None:
        """Store a value; the servers see it after their next refresh."""
        parameter = self.find(name)
        if parameter.boolean:
            value = str(parse_bool(value))
        targets = self._servers if servers is None else tuple(servers)
        if servers is None:
            self._store(parameter.name, value, None)
        else:
            for server in targets:
                self._store(parameter.name, value, server)
        for server in targets:
            self._propagate(server.index, parameter.name, value)

    def _propagate(self, index: int, name: str, value: str) -> None:
        first = self._faults.config_propagation_seconds
        spread = index / max(1, len(self._servers) - 1)
        delay = first * (1 + 0.5 * spread)

        version = self._version

        def refresh() -> None:
            if index in self._faults.dead_servers:
                # A dead server refreshes when it is back.
                self._timeline.after(2.0, refresh)
            else:
                self._show(index, name, value, version)

        if delay <= 0:
            refresh()
        else:
            self._timeline.after(delay, refresh)

    def _show(self, index: int, name: str, value: str, version: int) -> None:
        """A server takes over a value unless it has a newer one."""
        if self._seen.get((index, name), 0) <= version:
            self._seen[index, name] = version
            self._visible[index][name] = value

    def _store(self, name: str, value: str, server: Server | None) -> None:
        self._version += 1
        old = self._stored.get((name, server))
        now = self._timeline.now
        self._stored[name, server] = Stored(name, value, self._version, old.created if old else now, now, server)
        if server is None:
            self._central[name] = value

    def stored(self) -> list[Stored]:
        """Only parameters that were ever SET."""
        return sorted(self._stored.values(), key=lambda s: (s.name, s.server.index if s.server else -1))

    def visible(self) -> Iterable[tuple[Server, Parameter, str]]:
        """One row per server and parameter."""
        for server in self._servers:
            for name, parameter in self.known.items():
                yield server, parameter, self._visible[server.index][name]
