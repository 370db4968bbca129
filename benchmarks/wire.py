"""A port that leads to a server, and counts what goes through it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_QUERY = 3


@dataclass
class Wire:
    """``received`` are the bytes that the server has sent; ``statements`` the texts that it was sent.

    ``names``: what stands in a statement, and what the server gets instead.
    """

    server: int
    names: Mapping[str, str]
    port: int = 0
    received: int = 0
    statements: list[str] = field(default_factory=list)

    @property
    def queries(self) -> int:
        """SELECTs; the rest sets a session up."""
        return sum(text.rpartition("*/ ")[2].lstrip().startswith("SELECT") for text in self.statements)

    def reset(self) -> None:
        """Count anew."""
        self.received = 0
        self.statements.clear()

    async def _meet(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self.server)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await asyncio.gather(self._commands(client, to_server), self._answers(server, to_client))

    async def _commands(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        with contextlib.closing(to_server):
            while True:
                head = await client.readexactly(4)
                body = await client.readexactly(int.from_bytes(head[:3], "little"))
                if head[3] == 0 and body[:1] == bytes([_QUERY]):  # numbers begin anew with each command
                    text = body[1:].decode()
                    self.statements.append(text)
                    for name, other in self.names.items():
                        text = text.replace(name, other)
                    body = bytes([_QUERY]) + text.encode()
                    head = len(body).to_bytes(3, "little") + head[3:]
                to_server.write(head + body)

    async def _answers(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with contextlib.closing(to_client):
            while data := await server.read(1 << 16):
                self.received += len(data)
                to_client.write(data)
                await to_client.drain()


@contextlib.contextmanager
def wire(server: int, names: Mapping[str, str] | None = None) -> Iterator[Wire]:
    """A :class:`Wire` to a port of this machine, with a thread of its own."""
    found = Wire(server, names or {})
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listener = asyncio.run_coroutine_threadsafe(asyncio.start_server(found._meet, "127.0.0.1", 0), loop).result()
    found.port = listener.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(listener.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
