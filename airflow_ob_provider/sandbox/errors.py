"""What an OBServer answers when it refuses: client errno, SQLSTATE, text.

The client sees the MySQL errno where OceanBase defines one and the absolute OceanBase code otherwise
(OceanBase 3.1.5 source, ``src/share/ob_errno.def``).
"""

from __future__ import annotations

# SQLSTATE is HY000 for every code that is not listed (ob_errno.def).
_SQLSTATES = {
    1044: "42000",
    1045: "42000",
    1046: "3D000",
    1049: "42000",
    1052: "23000",
    1054: "42S22",
    1064: "42000",
    1142: "42000",
    1146: "42S02",
    1227: "42501",
    1235: "0A000",
    1690: "22003",
    4009: "58030",
    4103: "42000",
    4114: "08S01",
    4527: "F0000",
    5099: "42000",
}

#: Default texts, for errors that carry no detail of their own.
TEXTS = {
    1210: "Invalid argument",
    1227: "Access denied",
    1235: "Not supported feature or function",
    4009: "IO error",
    4012: "Timeout",
    4016: "Internal error",
    4019: "Size not enough",
    4023: "Try again",
    4025: "Partial failed",
    4114: "In STOP state",
    4147: "Invalid config",
    4179: "Operation not allowed now",
    4527: "Configuration not sync",
    4637: "server is not active",
    4017: "Entry already exist",
    4018: "Entry not exist",
    4072: "The operation is canceled",
    4103: "Data checksum error",
    4263: "Minor freeze not allowed now",
    5099: "System config unknown",
    5157: "Unknown tenant",
    5160: "invalid tenant name specified in connection string",
    5260: "Tenant is locked",
    9001: "URI error",
    9003: "OSS error",
    9023: "cannot start log archive backup",
    9024: "log archive backup is already disabled",
    9025: "log archive backup info not exists",
    9026: "backup destination is not valid",
    9027: "ob log archive interrupted",
    9036: "Backup is in progress",
    9041: "cancel backup do not allow",
    9042: "backup data version gap over limit",
    9044: "delete backup data is in progress",
    9049: "backup status is stopped, can not cancel",
    9051: "backup mount file is not valid",
    9022: "physical backup switch is on",
    9029: "log archive is not running",
    9040: "backup can not start",
    9063: "backup io is prohibited",
    9070: "can not connect to backup destination",
    9071: "no I/O operation permission at the backup destination",
    9077: "log discontinuous between two archive rounds",
    9080: "format file does not exist",
    9081: "format file does not match",
    9082: "backup device out of space",
    9086: "backup advance checkpoint by flush timeout",
    9087: "observer clog is recycled before archive",
    9091: "Already in ARCHIVELOG mode",
    9092: "Already in NOARCHIVELOG mode",
    9113: "checksum type is not supported",
    9117: "the specified s3_region does not match the endpoint",
    9118: "object storage endpoint is invalid",
    9129: "object storage io error",
    9140: "the object is locked by worm",
}


class ServerError(Exception):
    """An error packet. ``blocks`` is how long (simulated seconds) the server works before it answers."""

    def __init__(self, errno: int, message: str | None = None, *, blocks: float = 0.0) -> None:
        self.errno = errno
        self.message = TEXTS.get(errno, "Internal error") if message is None else message
        self.sqlstate = _SQLSTATES.get(errno, "HY000")
        self.blocks = blocks
        super().__init__(f"{errno} ({self.sqlstate}): {self.message}")


class ConnectionCutError(Exception):
    """A fault cut the connection: no answer is sent."""


def not_supported(what: str) -> ServerError:
    """OB_NOT_SUPPORTED with a reason: the text is always ``<reason> not supported``."""
    return ServerError(1235, f"{what} not supported")


def syntax_error(near: str = "") -> ServerError:
    """The parser's refusal, in the words of an OBServer."""
    return ServerError(
        1064,
        "You have an error in your SQL syntax; check the manual that corresponds to your OceanBase version "
        f"for the right syntax to use near '{near[:80]}' at line 1",
    )
