"""Checks of parameter values: backup_dest, backup_dest_option, log archive option.

Rules as in OceanBase 3.1.5 source: ``src/sql/resolver/cmd/ob_alter_system_resolver.cpp`` (check_backup_dest,
check_backup_dest_opt), ``src/share/backup/ob_backup_struct.cpp`` (ObBackupDestOpt) and
``src/share/config/ob_config_helper.cpp`` (the log archive option checker).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from airflow_ob_provider.sandbox.errors import ServerError, not_supported
from airflow_ob_provider.sandbox.values import DAY, HOUR, parse_bool, parse_time

#: OB_MAX_BACKUP_DEST_LENGTH
MAX_DESTINATION = 2048


@dataclass(frozen=True)
class DestOption:
    """backup_dest_option; None where the string doesn't name the key (then the global parameter counts)."""

    checkpoint_interval: float | None = None
    recovery_window: float | None = None
    piece_switch_interval: float = 0.0
    auto_delete: bool = False
    auto_touch: bool = False
    backup_copies: int = 0


@lru_cache(maxsize=64)
def parse_dest_option(text: str) -> DestOption:
    """Check backup_dest_option: ``key=value`` joined by ``&``, case-sensitive keys, no blanks at all.

    Raises 1210 for the form, 1235 for the range.
    """
    if re.search(r"\s", text):
        raise ServerError(1210)
    values: dict[str, float | bool | int] = {}
    for pair in text.split("&") if text else ():
        key, equals, value = pair.partition("=")
        parsed = _dest_option_value(key, value) if equals else None
        if parsed is None:
            raise ServerError(1210)
        values[_DEST_OPTION_KEYS[key]] = parsed
    option = DestOption(**values)  # type: ignore[arg-type]
    _check_dest_option(option)
    return option


_DEST_OPTION_KEYS = {
    "log_archive_checkpoint_interval": "checkpoint_interval",
    "recovery_window": "recovery_window",
    "log_archive_piece_switch_interval": "piece_switch_interval",
    "auto_delete_obsolete_backup": "auto_delete",
    "auto_update_reserved_backup_timestamp": "auto_touch",
    "backup_copies": "backup_copies",
}


def _dest_option_value(key: str, value: str) -> float | bool | int | None:
    field = _DEST_OPTION_KEYS.get(key)
    if field in {"checkpoint_interval", "recovery_window", "piece_switch_interval"}:
        return parse_time(value)
    if field in {"auto_delete", "auto_touch"}:
        return parse_bool(value)
    if field == "backup_copies":
        return int(value) if re.fullmatch(r"-?\d+", value) else None
    return None


def _check_dest_option(option: DestOption) -> None:
    interval = option.checkpoint_interval
    if interval is not None and interval < 5:
        raise not_supported("log_archive_checkpoint_interval_ less than 5s is")
    if interval is not None and interval > HOUR:
        raise not_supported("invalid log_archive_checkpoint_interval out of range [5s,1h] is")
    if option.recovery_window is not None and option.recovery_window < 0:
        raise not_supported("recovery_window less than 0 is")
    switch = option.piece_switch_interval
    if switch and not DAY <= switch <= 7 * DAY:
        raise not_supported("invalid piece_switch_interval out of range [1d,7d] is")
    if option.auto_delete and option.auto_touch:
        raise not_supported("auto delete and touch backup at same time is")
    if option.backup_copies:
        raise not_supported("backup copies is")


def check_destination(dest: str, *, nfs_rejects_parameters: bool) -> None:
    """Form of a non-empty backup_dest: prefix and length (9026), parameters of NFS (1235) and OSS/COS (4016)."""
    if not dest.startswith(("file://", "oss://", "cos://")) or len(dest.encode()) > MAX_DESTINATION:
        raise ServerError(9026)
    path, question, parameters = dest.partition("?")
    if path.endswith("://"):
        raise ServerError(9026)
    if dest.startswith("file://"):
        if question and nfs_rejects_parameters:
            what = "additional parameters are" if parameters else "setting '?' is"
            raise not_supported(f"backup device is nfs, {what}")
    elif not parameters:
        raise ServerError(4016)


def destination_key(dest: str) -> str:
    """What identifies a place: two strings for the same directory or bucket path have one key."""
    return dest.partition("?")[0].rstrip("/")


_COMPRESSIONS = {"disable", "enable", "lz4_1.0", "zstd_1.3.8"}
_ENCRYPTIONS = {
    "encryption_mode": {"none", "transparent_encryption"},
    "encryption_algorithm": {"none", "", "aes-128", "aes-192", "aes-256", "sm4"},
}


def archive_option_is_valid(text: str, *, encryption_tokens: bool) -> bool:
    """Check backup_log_archive_option.

    Tokens are separated by blanks only (a tab isn't one) and ``=`` stands by itself. MANDATORY or OPTIONAL stand
    alone, COMPRESSION takes a value; any order and subset, but not nothing; the last of a repeated one wins.
    """
    tokens = [token for token in text.lower().replace("=", " = ").split(" ") if token]
    if not tokens:
        return False
    while tokens:
        name = tokens.pop(0)
        if name in {"mandatory", "optional"}:
            continue
        allowed = _COMPRESSIONS if name == "compression" else None
        if encryption_tokens:
            allowed = _ENCRYPTIONS.get(name, allowed)
        if allowed is None or len(tokens) < 2 or tokens.pop(0) != "=" or tokens.pop(0) not in allowed:
            return False
    return True
