"""The statements of 4.x that change a tenant's log backup, each with the way out of the errors it may answer.

``tenant`` is the clause `` TENANT = '…'``, or nothing in the tenant's own session. Sources: V4.2.5 manual, ALTER
SYSTEM; ob_alter_system_resolver.cpp and ob_backup_config.cpp of 4.3.5; error codes 9000-9499 of the manual.
"""

from __future__ import annotations

from airflow_ob_provider.oceanbase.data_backup import BackupKind, BackupRequest
from airflow_ob_provider.oceanbase.destination import MAX_LENGTH, Destination
from airflow_ob_provider.oceanbase.options import ArchiveMode
from airflow_ob_provider.oceanbase.statements import SLOW_SECONDS, Statement, quote

DESTINATION_SECONDS = 300.0
"""``ob_query_timeout`` of SET LOG_ARCHIVE_DEST, which has every OBServer reach the place: object stores were reported
to take longer than the default of 10 s (apecloud/kubeblocks-addons#3127)."""

_EMPTY_DIRECTORY = "Give an empty directory that no other tenant, cluster or kind of backup uses."

_NOT_ALLOWED = (
    1227,
    "The account needs ALTER SYSTEM in the tenant it logs in to; a user tenant cannot act for another one.",
)

_DESTINATION_HINTS = (
    _NOT_ALLOWED,
    (
        1210,
        "A parameter of the URI is too long (host, access_id and access_key take some 250 bytes, s3_region 117), or is "
        "not a word it takes (delete_mode, addressing_model, checksum_type). Else: BINDING is Optional or Mandatory, "
        "PIECE_SWITCH_INTERVAL 1d to 7d.",
    ),
    (
        1235,
        "The destination can change only while the tenant has no round or it is STOP; DEFER is not enough. Stop log "
        "backup of this tenant first (a gap: take a full data backup afterwards). Also check that the version knows "
        "the attributes.",
    ),
    (4009, "The path does not exist or cannot be written: mount it on every OBServer and let the observer's user in."),
    (4012, "It took longer than ob_query_timeout, and may have taken effect: the destination is read again."),
    (
        4179,
        "archive_lag_target must be at least 60 s for S3: SetArchiveOptionOperator(lag_target=60) while a destination "
        "is set, or ALTER SYSTEM SET archive_lag_target = '60s' for this tenant.",
    ),
    (5160, "The tenant does not exist (any more): check DBA_OB_TENANTS."),
    (5260, "The tenant is locked: ALTER TENANT … UNLOCK."),
    (
        9026,
        "Check prefix, host and keys. Schemes by version: file and oss from 4.0, cos from 4.2, s3 from 4.2.1 BP7 and "
        "4.3.0, azblob from 4.2.5 BP6 and 4.3.5 BP3; there is no obs (use s3).",
    ),
    (9070, "Some OBServer cannot reach it: mount the NFS directory on every one, or check network, host and keys."),
    (9071, "Let the observer's user (or the keys) list, read, write and delete there."),
    (9080, f"The directory is not empty and was not made by log backup. {_EMPTY_DIRECTORY}"),
    (9081, f"It belongs to another cluster, tenant or kind of backup. {_EMPTY_DIRECTORY}"),
    (9082, "The destination is full: make room, or give another one."),
    (9113, "This version does not know the checksum_type of the URI."),
    (9117, "s3_region does not fit the endpoint (host)."),
    (9118, "The endpoint (host) of the object store is wrong."),
    (9129, "The object store answered with an error: check bucket, keys and network."),
    (9140, "The bucket is protected by WORM: it needs enable_worm=true, or another bucket."),
)

_START_HINTS = (
    _NOT_ALLOWED,
    (1235, "Only user tenants can be archived; sys and META$ tenants cannot. Check the tenant's name."),
    (4179, "The tenant does no logging now, so its logs cannot be archived: ask its owner."),
    (9023, "4.0: it has a round already or is stopping; later: the tenant is not NORMAL. Read STATUS of both."),
    (9026, "The destination is not set or not valid: SetBackupDestinationOperator first."),
)
_STOP_HINTS = (
    *_START_HINTS[:2],
    (4179, "The tenant has snapshots, which need log backup: drop them first."),
)
_ENABLE_HINTS = _START_HINTS[:2]
_PARAMETER_HINTS = (
    _NOT_ALLOWED,
    (4179, "Set the destination first; with S3 the lag target is at least 60 s."),
)


_BACKUP_HINTS = (
    _NOT_ALLOWED,
    (1235, "This version does not know PLUS ARCHIVELOG, or a user tenant has named a tenant."),
    (4016, "Tenant sys cannot be backed up; take it out of tenants."),
    (5160, "A tenant of the list does not exist (any more): check DBA_OB_TENANTS."),
    (
        9040,
        "The tenant must be NORMAL, its log backup DOING and DATA_BACKUP_DEST set. Where an incremental backup is "
        "refused after an upgrade, take a full one.",
    ),
    (9036, "A data backup of it runs: run the task again, which waits for that one."),
)


def destination(tenant: str, place: Destination, mode: ArchiveMode, days: int) -> Statement:
    """LOG_ARCHIVE_DEST, every attribute named: one left out returns to its default. It also resets DEFER.

    :raises ValueError: it holds what cannot be quoted, or is longer than the server's buffer (4019).
    """
    value = f"LOCATION={place.uri} BINDING={mode.value.capitalize()} PIECE_SWITCH_INTERVAL={days}d"
    if (length := len(value.encode(errors="replace"))) > MAX_LENGTH:
        raise ValueError(f"destination {place}: LOG_ARCHIVE_DEST would have {length} bytes, more than {MAX_LENGTH}")
    return Statement.write(
        f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = {quote(value, field_name='destination')}{tenant}",
        secrets=place.secret_values,
        timeout=DESTINATION_SECONDS,
        hints=_DESTINATION_HINTS,
    )


def enable(tenant: str) -> Statement:
    """Undo DEFER: a suspended round goes on; without a round, ARCHIVELOG starts one."""
    return Statement.write(f"ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE'{tenant}", hints=_ENABLE_HINTS)


def start(tenant: str) -> Statement:
    """From tenant sys OK says nothing; in the tenant itself 9091 is "already so"."""
    return Statement.write(f"ALTER SYSTEM ARCHIVELOG{tenant}", hints=_START_HINTS)


def stop(tenant: str) -> Statement:
    """9092 is "already so"."""
    return Statement.write(f"ALTER SYSTEM NOARCHIVELOG{tenant}", hints=_STOP_HINTS)


def parameter(tenant: str, name: str, value: str) -> Statement:
    """A parameter of a tenant."""
    return Statement.write(f"ALTER SYSTEM SET {name} = {quote(value, field_name=name)}{tenant}", hints=_PARAMETER_HINTS)


def freeze(tenants: str) -> Statement:
    """Without TENANT it freezes the session's own tenant only, also from sys."""
    return Statement.write(f"ALTER SYSTEM MINOR FREEZE{tenants}", timeout=2 * SLOW_SECONDS)


def backup(request: BackupRequest, which: str, description: str) -> Statement:
    """Asynchronous: OK means that the job stands in the job view. Not idempotent: 9036 while one runs."""
    kind = " INCREMENTAL" if request.kind is BackupKind.INCREMENTAL else ""
    plus = " PLUS ARCHIVELOG" if request.plus_archivelog else ""
    told = quote(description, field_name="description")
    return Statement.write(
        f"ALTER SYSTEM BACKUP{kind}{which}{plus} DESCRIPTION = {told}", timeout=2 * SLOW_SECONDS, hints=_BACKUP_HINTS
    )


def cancel_backup(tenants: str) -> Statement:
    """Asynchronous; leaves what is copied so far as a set that cannot be used."""
    return Statement.write(f"ALTER SYSTEM CANCEL BACKUP{tenants}", hints=_ENABLE_HINTS)


def data_destination(tenant: str, place: Destination) -> Statement:
    """DATA_BACKUP_DEST, a bare URI: with ``LOCATION=``, as older manuals have it, it answers 9026."""
    return Statement.write(
        f"ALTER SYSTEM SET DATA_BACKUP_DEST = {quote(place.uri, field_name='destination')}{tenant}",
        secrets=place.secret_values,
        timeout=DESTINATION_SECONDS,
        hints=_DESTINATION_HINTS,
    )
