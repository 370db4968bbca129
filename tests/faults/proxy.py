"""A TCP proxy between a driver and a simulated cluster, which breaks the connection at a chosen statement.

It knows just enough of the MySQL protocol to tell a command from its answer. What it breaks is data: a :class:`Fault`
on statements that match, or :class:`RandomFaults` on one statement in N.
"""

from __future__ import annotations

import contextlib
import copy
import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.recorded import bare

LOGIN = "LOGIN"
"""Stands for the statement of a connection that is being opened."""
_QUIT, _QUERY = 0x01, 0x03
_OK, _EOF, _ERR = 0x00, 0xFE, 0xFF
_LONGEST_STALL = 30.0


class Kind(StrEnum):
    """What happens to a statement on its way."""

    DROP_BEFORE = "drop-before"
    """Closed before the server has it."""
    DROP_AFTER = "drop-after"
    """The server has acted; closed instead of its answer."""
    STALL = "stall"
    """The server has acted; its answer never comes, and the connection stays open."""
    HALF = "half-packet"
    """Half of the answer, then closed."""
    RESET = "reset"
    """The server has acted; a TCP reset instead of its answer."""
    SLOW = "slow"
    """The answer, byte by byte. The only one that is no fault to a client."""


BREAKING = tuple(kind for kind in Kind if kind is not Kind.SLOW)
UNSEEN = tuple(kind for kind in BREAKING if kind is not Kind.DROP_BEFORE)
"""The server acts, and the client does not learn it."""


@dataclass
class Fault:
    """``kind`` on ``count`` statements that match ``on``, after ``skip`` that pass, once ``after`` has passed."""

    kind: Kind
    on: str = "."
    skip: int = 0
    count: int = 1
    after: str = ""

    def strikes(self, sql: str) -> Kind | None:
        """What happens to this statement; counts it."""
        if self.after:
            if re.search(self.after, sql):
                self.after = ""
            return None
        if self.count < 1 or not re.search(self.on, sql):
            return None
        if self.skip:
            self.skip -= 1
            return None
        self.count -= 1
        return self.kind


@dataclass
class RandomFaults:
    """One statement in ``one_in``, logins among them, meets one of ``kinds``; the same ones for the same seed."""

    one_in: int
    seed: int
    kinds: Sequence[Kind] = tuple(kind for kind in Kind if kind is not Kind.STALL)
    _dice: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def strikes(self, sql: str) -> Kind | None:
        """What happens to this statement."""
        return self._dice.choice(list(self.kinds)) if self._dice.randrange(self.one_in) == 0 else None


@dataclass(frozen=True)
class Passed:
    """A statement that a client has sent, without its comment, and what happened to it."""

    sql: str
    kind: Kind | None

    @property
    def reached(self) -> bool:
        """Whether the server has it."""
        return self.kind is not Kind.DROP_BEFORE


class FaultProxy:
    """Listens on the loopback interface and passes everything on to ``port``, but for the faults."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.faults: list[Fault | RandomFaults] = []
        self.passed: list[Passed] = []
        self.on_stall: Callable[[], None] = lambda: None
        self.stalled = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def heal(self) -> None:
        """No more faults."""
        with self._lock:
            self.faults = []

    def will_stall(self, text: str) -> bool:
        """Whether the next statement, if it is this one, never gets its answer."""
        with self._lock:
            hits = (copy.deepcopy(fault).strikes(bare(text)) for fault in self.faults)
            stalls = next((hit for hit in hits if hit), None) is Kind.STALL
        if stalls:
            self.stalled.clear()
        return stalls

    @property
    def struck(self) -> list[Passed]:
        """What has met a fault so far."""
        with self._lock:
            return [passed for passed in self.passed if passed.kind]

    def close(self) -> None:
        """Close everything; returns when all threads have ended."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            sockets, threads = list(self._sockets), list(self._threads)
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=5)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="fault-proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets.add(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), client:
            kind = self._strikes(LOGIN)
            if kind is Kind.DROP_BEFORE:
                return
            with socket.create_connection(("127.0.0.1", self.upstream), timeout=_LONGEST_STALL) as server:
                with self._lock:
                    self._sockets.add(server)
                if self._login(client, server, kind):
                    while self._command(client, server):
                        pass

    def _strikes(self, sql: str) -> Kind | None:
        with self._lock:
            hits = [fault.strikes(sql) for fault in self.faults]
            kind = next((hit for hit in hits if hit), None)
            self.passed.append(Passed(sql, kind))
            return kind

    def _login(self, client: socket.socket, server: socket.socket, kind: Kind | None) -> bool:
        """The greeting meets the fault; an answer that is lost is the last one."""
        greeting = _packet(server)
        if not self._deliver(client, greeting, None if kind is Kind.DROP_AFTER else kind):
            return False
        while True:
            server.sendall(_packet(client))
            answer = _packet(server)
            if kind is Kind.DROP_AFTER:
                return False
            client.sendall(answer)
            if answer[4] in {_OK, _ERR}:
                return answer[4] == _OK

    def _command(self, client: socket.socket, server: socket.socket) -> bool:
        command = _packet(client)
        if command[4] == _QUIT:
            server.sendall(command)
            return False
        kind = None
        if command[4] == _QUERY:
            kind = self._strikes(bare(command[5:].decode("utf-8", "replace")))
        if kind is Kind.DROP_BEFORE:
            return False
        server.sendall(command)
        return self._deliver(client, _answer(server), kind)

    def _deliver(self, client: socket.socket, data: bytes, kind: Kind | None) -> bool:
        """Give an answer to the client as the fault wants it; whether the connection goes on."""
        if kind is None:
            client.sendall(data)
        elif kind is Kind.SLOW:
            for index in range(len(data)):
                client.sendall(data[index : index + 1])
        elif kind is Kind.HALF:
            client.sendall(data[: max(len(data) // 2, 1)])
        elif kind is Kind.RESET:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif kind is Kind.STALL:
            self.on_stall()
            self.stalled.set()
            client.settimeout(_LONGEST_STALL)
            client.recv(1)  # returns when the client gives up
        return kind in {None, Kind.SLOW}


def _packet(connection: socket.socket) -> bytes:
    """One packet with its header."""
    header = _exactly(connection, 4)
    return header + _exactly(connection, int.from_bytes(header[:3], "little"))


def _answer(server: socket.socket) -> bytes:
    """OK, an error, or a result set: columns and rows, each with an EOF behind it."""
    data = packet = _packet(server)
    ends = 0 if packet[4] in {_OK, _ERR} else 2
    while ends and packet[4] != _ERR:
        packet = _packet(server)
        data += packet
        ends -= packet[4] == _EOF and len(packet) < 13
    return data


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data
