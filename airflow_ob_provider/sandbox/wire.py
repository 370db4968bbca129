"""The MySQL client/server protocol, server side: packets in and out of a socket, nothing about their meaning.

What is in a packet is mysql-mimic's. Its connections aren't used: they go on to the command phase after a refused
login, know sixteen error codes, and stand on asyncio's streams, which lose a TLS hello that comes with the request.
"""

from __future__ import annotations

import socket
from functools import lru_cache

from mysql_mimic import packets, types
from mysql_mimic.auth import NativePasswordAuthPlugin, User
from mysql_mimic.charset import CharacterSet
from mysql_mimic.results import ResultColumn
from mysql_mimic.types import Capabilities, ColumnDefinition, ColumnType, ServerStatus
from mysql_mimic.utils import nonce

from .engine import Column, Result
from .errors import ServerError

MAX_PACKET = 2**24 - 1

#: What servers of that age have: no DEPRECATE_EOF, no query attributes.
CAPABILITIES = (
    Capabilities.CLIENT_LONG_PASSWORD | Capabilities.CLIENT_FOUND_ROWS | Capabilities.CLIENT_LONG_FLAG
    | Capabilities.CLIENT_CONNECT_WITH_DB | Capabilities.CLIENT_PROTOCOL_41 | Capabilities.CLIENT_TRANSACTIONS
    | Capabilities.CLIENT_SECURE_CONNECTION | Capabilities.CLIENT_MULTI_RESULTS | Capabilities.CLIENT_PLUGIN_AUTH
    | Capabilities.CLIENT_CONNECT_ATTRS | Capabilities.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
)  # fmt: skip
STATUS = ServerStatus.SERVER_STATUS_AUTOCOMMIT
CHARSET = CharacterSet.utf8mb4
AUTH = NativePasswordAuthPlugin()

#: kind: (protocol type, character set, display length)
_TYPES = {
    "bigint": (ColumnType.LONGLONG, CharacterSet.binary, 20),
    "ubigint": (ColumnType.LONGLONG, CharacterSet.binary, 20),
    "double": (ColumnType.DOUBLE, CharacterSet.binary, 23),
    "decimal": (ColumnType.NEWDECIMAL, CharacterSet.binary, 38),
    "datetime": (ColumnType.DATETIME, CharacterSet.binary, 26),
    "timestamp": (ColumnType.TIMESTAMP, CharacterSet.binary, 26),
    "date": (ColumnType.DATE, CharacterSet.binary, 10),
    "time": (ColumnType.TIME, CharacterSet.binary, 17),
    "varchar": (ColumnType.VAR_STRING, CHARSET, 1024),
    "longtext": (ColumnType.BLOB, CHARSET, 2**24),
}

_EOF = packets.make_eof(CAPABILITIES, STATUS)


class DisconnectedError(Exception):
    """The peer is gone."""


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
        data = bytearray()
        for payload in payloads:
            for start in range(0, len(payload) + 1, MAX_PACKET):
                chunk = payload[start : start + MAX_PACKET]
                data += len(chunk).to_bytes(3, "little") + bytes([self._sequence]) + chunk
                self._sequence = (self._sequence + 1) % 256
        try:
            self.socket.sendall(data)
        except OSError:
            raise DisconnectedError from None


def new_scramble() -> bytes:
    return nonce(20)


def handshake(version: str, connection_id: int, scramble: bytes, *, tls: bool) -> bytes:
    capabilities = CAPABILITIES | (Capabilities.CLIENT_SSL if tls else Capabilities(0))
    return packets.make_handshake_v10(
        capabilities, CHARSET, version, connection_id, scramble + b"\0", STATUS, AUTH.name
    )


def parse_handshake_response(data: bytes) -> packets.HandshakeResponse41 | packets.SSLRequest:
    # mysql-mimic looks for the NUL at the end of a text forever, but tells a request for TLS by its 32 bytes.
    return packets.parse_handshake_response(CAPABILITIES, data + b"\0" * 4 if len(data) > 32 else data)


def auth_switch(scramble: bytes) -> bytes:
    """For clients whose own default is another plugin (8.0 clients)."""
    return packets.make_auth_switch_request(CHARSET, AUTH.name, scramble + b"\0")


def native_password_ok(password: str, scramble: bytes, response: bytes) -> bool:
    user = User("", AUTH.create_auth_string(password) if password else None)
    return AUTH.password_matches(user, response, scramble)


def ok_packet() -> bytes:
    """Every OceanBase admin statement answers OK with 0 affected rows."""
    return packets.make_ok(CAPABILITIES, STATUS)


def error_packet(error: ServerError) -> bytes:
    """With the SQLSTATE of the error; mysql-mimic's is HY000 for all but ten codes of MySQL."""
    return b"\xff" + types.uint_2(error.errno) + b"#" + error.sqlstate.encode() + error.message.encode()


def result_packets(result: Result) -> list[bytes]:
    """A text result set."""
    columns, head = _head(tuple(result.columns))
    rows = (packets.make_text_resultset_row(row, columns) for row in result.rows)
    return [*head, *rows, _EOF]


@lru_cache(maxsize=512)
def _head(columns: tuple[Column, ...]) -> tuple[list[ResultColumn], list[bytes]]:
    """Columns, which are the same for all answers to a statement, and the packets that tell them."""
    known = [ResultColumn(column.name, _TYPES[column.kind.partition(":")[0]][0]) for column in columns]
    return known, [types.uint_len(len(columns)), *map(_definition, columns), _EOF]


def _definition(column: Column) -> bytes:
    base, _, scale = column.kind.partition(":")
    code, charset, length = _TYPES[base]
    return packets.make_column_definition_41(
        CHARSET,
        name=column.name,
        character_set=charset,
        column_length=length,
        column_type=code,
        flags=ColumnDefinition.UNSIGNED_FLAG if base == "ubigint" else ColumnDefinition(0),
        decimals=6 if base in {"datetime", "timestamp", "time"} else int(scale or 0),
    )
