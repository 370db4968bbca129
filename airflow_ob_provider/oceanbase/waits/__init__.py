"""What a wait waits for: one decision for a sensor's poke, the trigger and the worker that resumes.

A wait is plain data. It is begun on the server's clock, looks at a snapshot, and says Ready, Waiting or Terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from airflow_ob_provider.oceanbase.waits.archive import (
    RECOVERY,
    START_GRACE_SECONDS,
    ArchiveDoing,
    ArchiveStopped,
    CheckpointPassed,
)
from airflow_ob_provider.oceanbase.waits.backup import BackupDone
from airflow_ob_provider.oceanbase.waits.base import Ready, Snapshot, Terminal, Verdict, Wait, Waiting
from airflow_ob_provider.oceanbase.waits.freeze import IDLE_SECONDS, QUIET_SECONDS, FreezeDone
from airflow_ob_provider.oceanbase.waits.pieces import PiecesReady

__all__ = [
    "IDLE_SECONDS",
    "QUIET_SECONDS",
    "RECOVERY",
    "START_GRACE_SECONDS",
    "ArchiveDoing",
    "ArchiveStopped",
    "BackupDone",
    "CheckpointPassed",
    "FreezeDone",
    "PiecesReady",
    "Ready",
    "Snapshot",
    "Terminal",
    "Verdict",
    "Wait",
    "Waiting",
    "from_wire",
]

_KINDS: dict[str, type[Wait]] = {
    cls.__name__: cls for cls in (ArchiveDoing, ArchiveStopped, CheckpointPassed, PiecesReady, FreezeDone, BackupDone)
}
_MOMENTS = {"since", "after", "missing_since", "seen", "seen_at"}


def from_wire(data: Mapping[str, Any]) -> Wait:
    """A wait from its JSON. Fields this release does not know are left out: a newer one may have written them.

    :raises ValueError: an unknown kind.
    """
    kind = _KINDS.get(str(data.get("kind")))
    if kind is None:
        raise ValueError(f"unknown kind of wait {data.get('kind')!r}; this release knows {', '.join(_KINDS)}")
    values: dict[str, Any] = {}
    for name in (item.name for item in fields(kind)):
        if name in data:
            value = data[name]
            if name in _MOMENTS and value is not None:
                value = datetime.fromisoformat(value)
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)
