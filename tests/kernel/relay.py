"""Between a client and the kernel: sees what is sent, may change names in it, may stop answering."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from airflow_ob_provider.sandbox.kernel import Kernel

_QUERY = 3


@dataclass
class Relay:
    """A port that leads to the kernel.

    ``connections`` counts its clients, ``statements`` are the texts they have sent.
    """

    kernel: Kernel
    names: dict[str, str] = field(default_factory=dict)
    """What stands in a statement, and what the kernel gets instead."""
    stalls_on: str = ""
    """After a statement with this in it the kernel's answers are kept back."""
    port: int = 0
    connections: int = 0
    statements: list[str] = field(default_factory=list)

    def writes(self) -> list[str]:
        """Statements that change something, without their comment."""
        texts = [text.rpartition("*/ ")[2] for text in self.statements]
        return [text for text in texts if text.startswith("ALTER")]

    def _commands(self, client: socket.socket, server: socket.socket, stalled: threading.Event) -> None:
        while head := _exactly(client, 4):
            body = _exactly(client, int.from_bytes(head[:3], "little"))
            if head[3] == 0 and body[:1] == bytes([_QUERY]):  # numbers begin anew with each command
                text = body[1:].decode()
                self.statements.append(text)
                if self.stalls_on and self.stalls_on in text:
                    stalled.set()
                for name, other in self.names.items():
                    text = text.replace(name, other)
                body = bytes([_QUERY]) + text.encode()
                head = len(body).to_bytes(3, "little") + head[3:]
            server.sendall(head + body)

    def _answers(self, client: socket.socket, server: socket.socket, stalled: threading.Event) -> None:
        while data := server.recv(65536):
            if not stalled.is_set():
                client.sendall(data)


@contextlib.contextmanager
def relay(kernel: Kernel, *, names: dict[str, str] | None = None, stalls_on: str = "") -> Iterator[Relay]:
    """A :class:`Relay` with threads of its own, ended with everything that it has opened."""
    found = Relay(kernel, names or {}, stalls_on)
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(work: object, *arguments: object) -> None:
        threads.append(threading.Thread(target=_quietly, args=(work, *arguments), daemon=True))
        threads[-1].start()

    def pump(direction: object, client: socket.socket, server: socket.socket, stalled: threading.Event) -> None:
        try:
            _quietly(direction, client, server, stalled)
        finally:
            for one in (client, server):
                _shut(one)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            found.connections += 1
            server = socket.create_connection((kernel.host, kernel.port))
            sockets.extend((client, server))
            stalled = threading.Event()
            start(pump, found._commands, client, server, stalled)
            start(pump, found._answers, client, server, stalled)

    listener = socket.create_server((kernel.host, 0))
    found.port = listener.getsockname()[1]
    sockets.append(listener)
    start(accept)
    try:
        yield found
    finally:
        _shut(listener)
        threads[0].join(5)
        for one in sockets:
            _shut(one)
        for thread in threads:
            thread.join(5)
        for one in sockets:
            one.close()


def _exactly(source: socket.socket, size: int) -> bytes:
    """This many bytes; b'' when the peer has gone."""
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data


def _quietly(work: object, *arguments: object) -> None:
    with contextlib.suppress(OSError):
        work(*arguments)  # type: ignore[operator]


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
