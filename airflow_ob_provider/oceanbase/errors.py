"""What an OceanBase error code means, and what to do now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a client may do after an error."""

    TRANSIENT = "transient"
    """Read the state again, then decide: the statement may have taken effect."""
    STATE = "state"
    """The answer lies in the state: read it; the wanted state may be there already."""
    UNKNOWN = "unknown"
    """A code this library does not know: it may be a server in the middle of something, so handled as transient."""
    PERMANENT = "permanent"
    """The same statement will fail again until somebody changes something."""


LOST_CONNECTION = 2013
DENIED = frozenset({1044, 1142, 1143, 1227})
"""The account lacks a privilege: on a database, a table, a column, or for the statement."""
_MAY_HAVE_HAPPENED = frozenset({2006, LOST_CONNECTION, 2055, 4012, 4023, 4114, 4527})


@dataclass(frozen=True)
class ErrorFact:
    """One error code: its meaning, its kind and the way out."""

    code: int
    meaning: str
    kind: Kind
    hint: str


def _facts(*rows: tuple[int, str, Kind, str]) -> dict[int, ErrorFact]:
    return {code: ErrorFact(code, meaning, kind, hint) for code, meaning, kind, hint in rows}


# Codes and texts: OceanBase 3.1.5 and 4.3.5 source, ob_errno.def; causes: the error code manuals (9000-9499).
FACTS = _facts(
    (1040, "too many connections", Kind.TRANSIENT, "Wait, or raise the server's connection limit."),
    (
        1044,
        "the account may not use this database",
        Kind.PERMANENT,
        "GRANT SELECT ON oceanbase.* to the account of the connection.",
    ),
    (
        1045,
        "login refused: wrong password or unknown tenant",
        Kind.PERMANENT,
        "Check login and password. Direct connections (2881) take user@tenant without #cluster; "
        "OBProxy (2883) takes user@tenant#cluster.",
    ),
    (1054, "a column is missing", Kind.PERMANENT, "The server's version differs from what was detected."),
    (
        1064,
        "the server's grammar has no such statement",
        Kind.PERMANENT,
        "The statement does not exist in this version; check the version table of the README.",
    ),
    (
        1142,
        "the account may not read this table",
        Kind.PERMANENT,
        "GRANT SELECT ON oceanbase.* to the account of the connection.",
    ),
    (
        1146,
        "the view does not exist here",
        Kind.PERMANENT,
        "Connect to tenant sys (3.x has backup views there only) of a supported version; seekdb has no log backup.",
    ),
    (1062, "such an entry exists already", Kind.STATE, "Read it: it may be what was wanted."),
    (1149, "the statement is not understood", Kind.PERMANENT, "Check the version table of the README."),
    (1193, "a system variable is unknown", Kind.PERMANENT, "Is the server OceanBase?"),
    (1205, "lock wait timeout", Kind.TRANSIENT, "Try again."),
    (
        1210,
        "invalid argument",
        Kind.PERMANENT,
        "Check the arguments; 3.x backup_dest_option takes key=value joined by '&', without any blank.",
    ),
    (
        1227,
        "access denied",
        Kind.PERMANENT,
        "Use an account of tenant sys with ALTER SYSTEM; at login also check ob_tcp_invited_nodes.",
    ),
    (
        1235,
        "not supported now or here",
        Kind.STATE,
        "Read the state: ARCHIVELOG is accepted only in STOP, on a primary cluster whose user tenants use GTS.",
    ),
    (
        2000,
        "the driver refused the statement before sending it",
        Kind.PERMANENT,
        "Check that the parameters fit the statement.",
    ),
    (2002, "cannot reach the server", Kind.TRANSIENT, "Check host and port (2881 direct, 2883 OBProxy)."),
    (2003, "cannot reach the server", Kind.TRANSIENT, "Check host and port (2881 direct, 2883 OBProxy)."),
    (
        2006,
        "the server has gone away",
        Kind.TRANSIENT,
        "The statement may have taken effect: read the state.",
    ),
    (2013, "the connection was lost", Kind.TRANSIENT, "The statement may have taken effect: read the state."),
    (2014, "the connection is out of step", Kind.TRANSIENT, "Open a new connection."),
    (2026, "the TLS handshake failed", Kind.PERMANENT, "Check ssl_mode, ssl_ca, ssl_cert and ssl_key."),
    (2055, "the connection was lost", Kind.TRANSIENT, "The statement may have taken effect: read the state."),
    (
        4009,
        "I/O error at the backup destination",
        Kind.PERMANENT,
        "Mount the destination on every OBServer and check that the observer user may read and write there.",
    ),
    (
        4012,
        "the statement ran into ob_query_timeout",
        Kind.TRANSIENT,
        "It may have taken effect: read the state.",
    ),
    (4016, "internal error of the server", Kind.PERMANENT, "Look into rootservice.log and observer.log."),
    (4017, "such an entry exists already", Kind.STATE, "Read it: it may be what was wanted."),
    (4018, "there is no such entry, or not enough log to restore", Kind.PERMANENT, "Read what the message names."),
    (4019, "a value is too long for the server", Kind.PERMANENT, "Shorten it: a destination has 2,047 bytes at most."),
    (4023, "the server asks to try again", Kind.TRANSIENT, "Try again."),
    (
        4025,
        "some servers failed",
        Kind.TRANSIENT,
        "A minor freeze failed on part of the servers: check for inactive ones.",
    ),
    (4103, "data does not match its checksum", Kind.PERMANENT, "Check the NFS mount options and the disks."),
    (
        4114,
        "the RootService is switching (In STOP state)",
        Kind.TRANSIENT,
        "Wait until a new RootService leader serves. On 3.1.0 log archive is not usable at all.",
    ),
    (
        4147,
        "the value of a parameter is not legal",
        Kind.PERMANENT,
        "backup_log_archive_option takes optional|mandatory and "
        "compression= enable|disable|lz4_1.0|zstd_1.3.8, separated by blanks.",
    ),
    (4263, "a minor freeze is not allowed now", Kind.TRANSIENT, "Try again later; log backup starts without it."),
    (
        4179,
        "the operation is not allowed now",
        Kind.PERMANENT,
        "Check for an upgrade in progress and whether enable_major_freeze is on.",
    ),
    (4527, "the configuration is not in sync yet", Kind.TRANSIENT, "Try again in some seconds."),
    (
        4637,
        "a server is not active",
        Kind.PERMANENT,
        "Bring the OBServer back, or leave it out of the statement.",
    ),
    (
        5099,
        "the parameter is unknown here",
        Kind.PERMANENT,
        "Connect to tenant sys of a 2.2.77 - 3.x cluster; backup_dest does not exist in user tenants or 4.x.",
    ),
    (
        5260,
        "the tenant is locked",
        Kind.PERMANENT,
        "As root@sys: ALTER TENANT … UNLOCK.",
    ),
    (5157, "the tenant is unknown", Kind.PERMANENT, "Check the tenant names against gv$tenant."),
    (5160, "the tenant is unknown", Kind.PERMANENT, "Check the tenant names."),
    (9001, "the destination's URI is wrong", Kind.PERMANENT, "Write file:///dir, oss://… or cos://…."),
    (
        9003,
        "the object store answered with an error",
        Kind.PERMANENT,
        "Check host, access_id, access_key and the bucket.",
    ),
    (
        9023,
        "log archive cannot be started now",
        Kind.STATE,
        "It is running already or is stopping: read STATUS.",
    ),
    (
        9024,
        "log archive is closed already",
        Kind.STATE,
        "Read STATUS: STOP or STOPPING is what was asked for.",
    ),
    (9025, "no log archive information", Kind.PERMANENT, "Log archive was never started on this cluster."),
    (
        9026,
        "the backup destination is not valid",
        Kind.PERMANENT,
        "Set backup_dest to an empty directory that this cluster has never used; a used one cannot be set again.",
    ),
    (
        9027,
        "log archive is interrupted",
        Kind.PERMANENT,
        "Fix the cause, stop, start a new round and take a full backup.",
    ),
    (9028, "log archive state does not match", Kind.PERMANENT, "Look into rootservice.log."),
    (9029, "log archive is not running", Kind.STATE, "Read STATUS."),
    (9030, "the archive round is not valid", Kind.PERMANENT, "Read LOG_ARCHIVE_ROUND."),
    (9034, "log archive is stopped already", Kind.STATE, "Read STATUS."),
    (
        9036,
        "a backup is in progress",
        Kind.PERMANENT,
        "Stop data backup and log backup first, then change it.",
    ),
    (9037, "log archive status is not valid", Kind.PERMANENT, "Look into rootservice.log."),
    (9040, "a data backup cannot start", Kind.PERMANENT, "Wait until log archive is DOING."),
    (9041, "the backup cannot be cancelled now", Kind.TRANSIENT, "Try again when the job has left PREPARE."),
    (9042, "too many major versions during the backup", Kind.PERMANENT, "Take the data backup again."),
    (9044, "backup data is being deleted", Kind.TRANSIENT, "Wait for the clean-up job."),
    (9045, "backup data is being deleted", Kind.TRANSIENT, "Wait for the clean-up job."),
    (9046, "backup data is being deleted", Kind.TRANSIENT, "Wait for the clean-up job."),
    (9047, "the backup's password is wrong", Kind.PERMANENT, "Give the password the set was written with."),
    (9048, "the backup set lies between two archive rounds", Kind.PERMANENT, "Take a new full data backup."),
    (9049, "no data backup is running", Kind.STATE, "There is nothing to cancel."),
    (9053, "backup data is being deleted", Kind.TRANSIENT, "Wait for the clean-up job."),
    (9051, "the backup mount is not valid", Kind.PERMANENT, "Check the NFS mount of every OBServer."),
    (
        9057,
        "backup_region cannot be set",
        Kind.PERMANENT,
        "backup_region and backup_zone exclude each other.",
    ),
    (9058, "backup_zone cannot be set", Kind.PERMANENT, "backup_region and backup_zone exclude each other."),
    (9063, "backup I/O is prohibited", Kind.PERMANENT, "Check the NFS mount of every OBServer."),
    (9022, "log archive is on", Kind.STATE, "Read STATUS."),
    (
        9070,
        "the backup destination cannot be reached",
        Kind.PERMANENT,
        "Mount it on every OBServer, or check network, host and keys.",
    ),
    (
        9071,
        "the backup destination does not permit an operation",
        Kind.PERMANENT,
        "Let the observer's user (or the keys) list, read, write and delete there.",
    ),
    (9069, "a clean-up job cannot be cancelled now", Kind.TRANSIENT, "Wait for the clean-up job."),
    (9077, "logs are discontinuous between two rounds", Kind.PERMANENT, "Take a new full data backup."),
    (9078, "the archived logs end too early", Kind.PERMANENT, "Restore to an earlier moment."),
    (9079, "archived logs were recycled", Kind.PERMANENT, "Restore to a later moment, from a later backup set."),
    (
        9080,
        "the destination is not empty and holds no format file",
        Kind.PERMANENT,
        "Give an empty directory that nothing else uses.",
    ),
    (
        9081,
        "the destination belongs to another cluster, tenant or kind of backup",
        Kind.PERMANENT,
        "Give an empty directory that nothing else uses.",
    ),
    (9082, "the backup destination is full", Kind.PERMANENT, "Make room there."),
    (9083, "the backup file was written at the wrong place", Kind.PERMANENT, "Check the NFS mount options."),
    (9084, "the backup file holds other content", Kind.PERMANENT, "Check the NFS mount options."),
    (9085, "major and minor backups do not join", Kind.PERMANENT, "Take the data backup again."),
    (9086, "the backup waited too long for checkpoints", Kind.PERMANENT, "Take the data backup again."),
    (
        9087,
        "logs were recycled before they were archived",
        Kind.PERMANENT,
        "Start a new round, take a full backup, and give log backup a faster place or Mandatory mode.",
    ),
    (9091, "the tenant is in ARCHIVELOG mode already", Kind.STATE, "Nothing to do: read STATUS."),
    (9092, "the tenant is in NOARCHIVELOG mode already", Kind.STATE, "Nothing to do: read STATUS."),
    (9113, "the checksum type is not supported", Kind.PERMANENT, "Take checksum_type out of the URI."),
    (9117, "s3_region does not fit the endpoint", Kind.PERMANENT, "Check host and s3_region."),
    (9118, "the endpoint of the object store is not valid", Kind.PERMANENT, "Check host."),
    (9129, "the object store failed", Kind.PERMANENT, "Check bucket, keys and network."),
    (9140, "the bucket is locked by WORM", Kind.PERMANENT, "Add enable_worm=true, or use another bucket."),
    (9064, "logs and backup data do not join", Kind.PERMANENT, "Take a new full data backup."),
)


def fact(errno: int) -> ErrorFact:
    """Meaning, kind and hint of ``errno``."""
    return FACTS.get(errno) or ErrorFact(
        errno, "not a code this library knows", Kind.UNKNOWN, "See OceanBase's error code manual."
    )


class ServerError(Exception):
    """A statement failed. Carries the code, the server's redacted message and the redacted statement."""

    def __init__(self, errno: int, message: str, *, statement: str = "", where: str = "", hint: str = "") -> None:
        self.errno = errno
        self.message = message
        self.statement = statement
        self.where = where
        self.fact = fact(errno)
        self.hint = hint or self.fact.hint
        place = f" on {where}" if where else ""
        sent = f" Statement: {statement}." if statement else ""
        super().__init__(f"[{errno}] {message}{place}: {self.fact.meaning}.{sent} {self.hint}")

    @property
    def is_transient(self) -> bool:
        """Whether the state should be read again before anything is decided."""
        return self.fact.kind in {Kind.TRANSIENT, Kind.UNKNOWN}

    @property
    def may_have_happened(self) -> bool:
        """Whether the statement may have taken effect as a whole, so that only the state tells."""
        return self.errno in _MAY_HAVE_HAPPENED

    @property
    def is_state(self) -> bool:
        """Whether the state tells what the answer meant."""
        return self.fact.kind is Kind.STATE
