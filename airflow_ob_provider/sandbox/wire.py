"""The MySQL client/server protocol, server side: packets in and out of a socket, nothing about their meaning.

Protocol 4.1 as an OBServer speaks it: handshake v10, ``mysql_native_password``, text result sets.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .engine import Result
from .errors import ServerError

MAX_PACKET = 2**24 - 1

LONG_PASSWORD = 1
FOUND_ROWS = 1 << 1
LONG_FLAG = 1 << 2
CONNECT_WITH_DB = 1 << 3
PROTOCOL_41 = 1 << 9
SSL = 1 << 11
TRANSACTIONS = 1 << 13
SECURE_CONNECTION = 1 << 15
MULTI_RESULTS = 1 << 17
PLUGIN_AUTH = 1 << 19
CONNECT_ATTRS = 1 << 20
PLUGIN_AUTH_LENENC = 1 << 21
DEPRECATE_EOF = 1 << 24

CAPABILITIES = (
    LONG_PASSWORD | FOUND_ROWS | LONG_FLAG | CONNECT_WITH_DB | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION
    | MULTI_RESULTS | PLUGIN_AUTH | CONNECT_ATTRS | PLUGIN_AUTH_LENENC
)  # fmt: skip

AUTH_PLUGIN = "mysql_native_password"
UTF8MB4 = 45
BINARY = 63
AUTOCOMMIT = 0x0002

COM_QUIT, COM_INIT_DB, COM_QUERY, COM_PING, COM_RESET_CONNECTION = 0x01, 0x02, 0x03, 0x0E, 0x1F

#: kind: (protocol type, character set, display length)
_TYPES = {
    "bigint": (8, BINARY, 20),
    "double": (5, BINARY, 23),
    "decimal": (246, BINARY, 38),
    "timestamp": (7, BINARY, 26),
    "date": (10, BINARY, 10),
    "time": (11, BINARY, 17),
    "varchar": (253, UTF8MB4, 1024),
    "longtext": (252, UTF8MB4, 2**24),
}


class DisconnectedError(Exception):
    """The peer is gone."""


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def native_password_ok(password: str, scramble: bytes, response: bytes) -> bool:
    """mysql_native_password: the answer is SHA1(password) XOR SHA1(scramble + SHA1(SHA1(password)))."""
    if not password:
        return not response
    # SHA1 is what the protocol says; no secret of value is kept here.
    stage1 = _sha1(password.encode())
    mask = _sha1(scramble + _sha1(stage1))
    expected = bytes(a ^ b for a, b in zip(stage1, mask, strict=True))
    return hmac.compare_digest(expected, response)


@dataclass
class HandshakeResponse:
    user: str
    auth: bytes = field(repr=False)
    database: str
    plugin: str
    attributes: dict[str, str]
    capabilities: int
    wants_tls: bool = False


def _lenenc_int(value: int) -> bytes:
    if value < 251:
        return bytes([value])
    if value < 2**16:
        return b"\xfc" + struct.pack("<H", value)
    if value < 2**24:
        return b"\xfd" + struct.pack("<I", value)[:3]
    return b"\xfe" + struct.pack("<Q", value)


def _lenenc(data: bytes) -> bytes:
    return _lenenc_int(len(data)) + data


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        chunk = self._data[self._at : self._at + count]
        self._at += count
        return chunk

    def null_terminated(self) -> bytes:
        end = self._data.find(b"\0", self._at)
        end = len(self._data) if end < 0 else end
        chunk = self._data[self._at : end]
        self._at = end + 1
        return chunk

    def lenenc_int(self) -> int:
        first = self.take(1)[0]
        if first < 251:
            return first
        return int.from_bytes(self.take({0xFC: 2, 0xFD: 3, 0xFE: 8}[first]), "little")

    def lenenc(self) -> bytes:
        return self.take(self.lenenc_int())

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._data)


def parse_handshake_response(data: bytes) -> HandshakeResponse:
    """A HandshakeResponse41, or an SSLRequest (``wants_tls``)."""
    capabilities = int.from_bytes(data[:4], "little")
    if capabilities & SSL and len(data) == 32:
        return HandshakeResponse("", b"", "", "", {}, capabilities, wants_tls=True)
    reader = _Reader(data[32:])
    user = reader.null_terminated().decode()
    if capabilities & PLUGIN_AUTH_LENENC:
        auth = reader.lenenc()
    elif capabilities & SECURE_CONNECTION:
        auth = reader.take(reader.take(1)[0])
    else:
        auth = reader.null_terminated()
    database = reader.null_terminated().decode() if capabilities & CONNECT_WITH_DB else ""
    plugin = reader.null_terminated().decode() if capabilities & PLUGIN_AUTH else ""
    attributes: dict[str, str] = {}
    if capabilities & CONNECT_ATTRS and not reader.at_end:
        inner = _Reader(reader.lenenc())
        while not inner.at_end:
            key = inner.lenenc().decode()
            attributes[key] = inner.lenenc().decode()
    return HandshakeResponse(user, auth, database, plugin, attributes, capabilities)


class PacketStream:
    """One client connection's packets."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._sequence = 0

    def read(self) -> bytes:
        data = b""
        while True:
            header = self._exactly(4)
            length = int.from_bytes(header[:3], "little")
            self._sequence = (header[3] + 1) % 256
            data += self._exactly(length)
            if length < MAX_PACKET:
                return data

    def _exactly(self, count: int) -> bytes:
        chunks = []
        while count:
            try:
                chunk = self.socket.recv(count)
            except OSError:
                chunk = b""
            if not chunk:
                raise DisconnectedError
            chunks.append(chunk)
            count -= len(chunk)
        return b"".join(chunks)

    def write(self, *payloads: bytes) -> None:
        """Send payloads as consecutive packets of one answer."""
        packets = []
        for payload in payloads:
            while True:
                chunk, payload = payload[:MAX_PACKET], payload[MAX_PACKET:]
                packets.append(struct.pack("<I", len(chunk))[:3] + bytes([self._sequence]) + chunk)
                self._sequence = (self._sequence + 1) % 256
                if len(chunk) < MAX_PACKET:
                    break
        try:
            self.socket.sendall(b"".join(packets))
        except OSError:
            raise DisconnectedError from None


def new_scramble() -> bytes:
    """20 bytes without NUL, so that old clients read it whole."""
    return bytes(1 + byte % 127 for byte in os.urandom(20))


def handshake(version: str, connection_id: int, scramble: bytes, *, tls: bool) -> bytes:
    capabilities = CAPABILITIES | (SSL if tls else 0)
    return b"".join(
        (
            b"\x0a",
            version.encode() + b"\0",
            struct.pack("<I", connection_id),
            scramble[:8] + b"\0",
            struct.pack("<H", capabilities & 0xFFFF),
            bytes([UTF8MB4]),
            struct.pack("<H", AUTOCOMMIT),
            struct.pack("<H", capabilities >> 16),
            bytes([len(scramble) + 1]),
            b"\0" * 10,
            scramble[8:] + b"\0",
            AUTH_PLUGIN.encode() + b"\0",
        )
    )


def auth_switch(scramble: bytes) -> bytes:
    """For clients whose own default is another plugin (8.0 clients)."""
    return b"\xfe" + AUTH_PLUGIN.encode() + b"\0" + scramble + b"\0"


def ok_packet() -> bytes:
    """Every OceanBase admin statement answers OK with 0 affected rows."""
    return b"\x00\x00\x00" + struct.pack("<HH", AUTOCOMMIT, 0)


def error_packet(error: ServerError) -> bytes:
    state = error.sqlstate.encode().ljust(5, b"0")[:5]
    return b"\xff" + struct.pack("<H", error.errno) + b"#" + state + error.message.encode()


def _eof_packet() -> bytes:
    return b"\xfe" + struct.pack("<HH", 0, AUTOCOMMIT)


def _column(name: str, kind: str) -> bytes:
    base, _, scale = kind.partition(":")
    code, charset, length = _TYPES[base]
    decimals = 6 if base in {"timestamp", "time"} else int(scale or 0) if base == "decimal" else 0
    label = _lenenc(name.encode())
    return b"".join(
        (
            _lenenc(b"def"), _lenenc(b""), _lenenc(b""), _lenenc(b""), label, label,
            b"\x0c", struct.pack("<HIBHB", charset, length, code, 0, decimals), b"\0\0",
        )
    )  # fmt: skip


def _row(values: Sequence[Any]) -> bytes:
    return b"".join(b"\xfb" if value is None else _lenenc(str(value).encode()) for value in values)


def result_packets(result: Result) -> list[bytes]:
    """A text result set."""
    columns = [_column(column.name, column.kind) for column in result.columns]
    rows = [_row(row) for row in result.rows]
    return [_lenenc_int(len(columns)), *columns, _eof_packet(), *rows, _eof_packet()]
