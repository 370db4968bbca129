"""Switches that make the sandbox misbehave. All off by default; plain attributes, settable at run time.

Each assignment is checked and brought into shape, so the same values can come from Python, or as JSON through
``SANDBOX SET <fault> = <value>`` from another process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .errors import TEXTS

#: Contradictions between the documentation of 4.x and its kernel that ``doc_conflicts`` can show.
DOC_CONFLICTS = ("base_scn", "create_timestamp", "enbale", "incompelte", "interval_text", "no_end_scn_display")


@dataclass
class Cut:
    """Cut the connection on the next ``count`` statements that match ``pattern``."""

    pattern: str
    count: int = 1


@dataclass
class Fail:
    """Answer ``errno`` to the next ``count`` statements that match; ``after``: they have taken effect."""

    pattern: str
    errno: int
    message: str
    after: bool = False
    count: int = 1


def _indexes(value: Any) -> set[int]:
    return {value} if isinstance(value, int) else {int(v) for v in value or ()}


def _names(value: Any) -> set[str]:
    return {value} if isinstance(value, str) else {str(v) for v in value or ()}


def _cut(value: Any) -> Cut | None:
    if value is None or isinstance(value, Cut):
        return value
    if isinstance(value, str):
        cut = Cut(value)
    elif isinstance(value, Mapping):
        cut = Cut(**value)
    else:
        cut = Cut(*value)
    re.compile(cut.pattern)
    return cut


def _fail(value: Any) -> Fail:
    if isinstance(value, Fail):
        return value
    fields = dict(value) if isinstance(value, Mapping) else dict(zip(_FAIL_FIELDS, value, strict=False))
    errno = int(fields["errno"])
    message = fields.get("message") or TEXTS.get(errno, "Internal error")
    re.compile(fields["pattern"])
    return Fail(fields["pattern"], errno, message, bool(fields.get("after", False)), int(fields.get("count", 1)))


_FAIL_FIELDS = ("pattern", "errno", "message", "after", "count")


def _fails(value: Any) -> list[Fail]:
    if not value:
        return []
    if isinstance(value, Fail | Mapping) or isinstance(value[0], str):
        return [_fail(value)]
    return [_fail(v) for v in value]


def _mapping(value: Any) -> dict[str, Any]:
    return {str(k): v for k, v in dict(value or {}).items()}


def _switch(value: Any) -> bool | int:
    return value if isinstance(value, int) else bool(value)


def _conflicts(value: Any) -> set[str]:
    names = _names(value)
    if names - set(DOC_CONFLICTS):
        raise ValueError(f"unknown conflicts; known: {', '.join(DOC_CONFLICTS)}")
    return names


def _deviations(value: Any) -> dict[int, int]:
    return {int(k): int(v) for k, v in dict(value or {}).items()}


class Faults:
    """See the attribute comments; :meth:`reset` switches everything off."""

    #: the destination can't be written: BEGINNING and STOPPING stay (no error anywhere in SQL)
    destination_unwritable: bool
    #: indexes of servers without the NFS mount: the round goes to INTERRUPTED (index 0, the RootService's own
    #: server, keeps a starting round in BEGINNING instead)
    unmounted_servers: set[int]
    #: indexes of servers that are down: inactive, checkpoints freeze, STOPPING is stuck
    dead_servers: set[int]
    #: checkpoints stop advancing while STATUS stays DOING
    frozen_checkpoint: bool
    #: extra simulated seconds every tenant needs before it reports DOING
    slow_start_seconds: float
    #: real seconds before each answer whose statement matches slow_answers_pattern
    slow_answers_seconds: float
    slow_answers_pattern: str
    #: pattern or (pattern, count): connection cut before / after the statement takes effect
    drop_before: Cut | None
    drop_after: Cut | None
    #: (pattern, errno[, message[, after effect[, count]]]) or a list of those
    error_once: list[Fail]
    #: every ALTER SYSTEM is refused: True is 4114, a number that errno (4.x: 4023, 4012 …)
    rs_switching: bool | int
    #: 4527 on ARCHIVELOG, NOARCHIVELOG and BACKUP
    config_not_synced: bool
    #: 1235: the cluster was upgraded from before 2.2.77 and the upgrade isn't finished
    inner_tables_old: bool
    #: True: the last user tenant's row shows BEGINNING; or {tenant id or name: status}
    mixed_tenants: bool | dict[str, Any]
    #: 4009 on SET backup_dest
    dest_io_error: bool
    #: names of tenants without a global timestamp service
    no_gts_tenants: set[str]
    #: the cluster is a physical standby
    standby: bool
    #: simulated seconds until the first server has a new configuration (the last one needs half as long again)
    config_propagation_seconds: float
    #: frozen memtables never get to disk
    stuck_memtables: bool
    #: names of views that answer 1146
    lost_views: set[str]
    #: {"VIEW.COLUMN": value} shown in every row instead of the real value
    malformed: dict[str, Any]
    #: microseconds of clock deviation by server index (4.x: index 0 is the server that answers NOW())
    clock_deviation_us: dict[int, int]

    # 4.x only. Of the switches above, config_not_synced, inner_tables_old, no_gts_tenants and standby mean nothing
    # there, nor does mixed_tenants = True; an unmounted server or an unwritable destination is a dead medium for all,
    # a dead server keeps the log streams from writing, and dest_io_error is also for DATA_BACKUP_DEST.

    #: True, or names or ids of tenants whose medium is dead: checkpoints stand still in DOING, SUSPENDING and
    #: STOPPING hang, a new destination is 9070
    dead_medium: bool | set[str]
    #: {tenant: extra simulated seconds its log streams need before they archive}
    slow_start_tenants: dict[str, float]
    #: errno of every LOG_ARCHIVE_DEST and DATA_BACKUP_DEST, or {tenant: errno}
    dest_error: int | dict[str, Any] | None
    #: {uri: what is there}: unreachable, no_permission, io_error, full, worm, empty, unformatted, foreign or an errno
    media: dict[str, Any]
    #: simulated seconds the medium takes to set a destination; past ob_query_timeout that is 4012
    medium_seconds: float
    #: whether a destination that ended in 4012 has been set all the same
    medium_slow_effect: bool
    #: names of tenants with snapshots: 4.3 refuses their NOARCHIVELOG (4179)
    tenant_snapshots: set[str]
    #: names of tenants whose LOG_MODE can't be changed: 4016 to themselves, mostly a silent OK to sys
    unswitchable_tenants: set[str]
    #: {tenant: errno its next backups fail with}
    failed_backups: dict[str, int]
    #: names of tenants whose backups make no progress
    stuck_backups: set[str]
    #: MINOR FREEZE answers 4025 although it was issued
    freeze_partial: bool
    #: documentation instead of kernel, names in DOC_CONFLICTS
    doc_conflicts: set[str]

    _SHAPES: ClassVar[dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]] = {
        "destination_unwritable": (bool, bool),
        "unmounted_servers": (set, _indexes),
        "dead_servers": (set, _indexes),
        "frozen_checkpoint": (bool, bool),
        "slow_start_seconds": (float, float),
        "slow_answers_seconds": (float, float),
        "slow_answers_pattern": (str, str),
        "drop_before": (lambda: None, _cut),
        "drop_after": (lambda: None, _cut),
        "error_once": (list, _fails),
        "rs_switching": (bool, _switch),
        "config_not_synced": (bool, bool),
        "inner_tables_old": (bool, bool),
        "mixed_tenants": (bool, lambda v: v if isinstance(v, bool) else _mapping(v)),
        "dest_io_error": (bool, bool),
        "no_gts_tenants": (set, _names),
        "standby": (bool, bool),
        "config_propagation_seconds": (lambda: 2.0, float),
        "stuck_memtables": (bool, bool),
        "lost_views": (set, _names),
        "malformed": (dict, _mapping),
        "clock_deviation_us": (dict, _deviations),
        "dead_medium": (bool, lambda v: v if isinstance(v, bool) else _names(v)),
        "slow_start_tenants": (dict, lambda v: {k: float(s) for k, s in _mapping(v).items()}),
        "dest_error": (lambda: None, lambda v: _mapping(v) if isinstance(v, Mapping) else int(v) if v else None),
        "media": (dict, _mapping),
        "medium_seconds": (float, float),
        "medium_slow_effect": (bool, bool),
        "tenant_snapshots": (set, _names),
        "unswitchable_tenants": (set, _names),
        "failed_backups": (dict, lambda v: {k: int(e) for k, e in _mapping(v).items()}),
        "stuck_backups": (set, _names),
        "freeze_partial": (bool, bool),
        "doc_conflicts": (set, _conflicts),
    }

    def __init__(self) -> None:
        self.reset()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._SHAPES:
            raise AttributeError(f"no fault called {name!r}; known: {', '.join(self.names())}")
        super().__setattr__(name, self._SHAPES[name][1](value))

    @classmethod
    def names(cls) -> Iterable[str]:
        return tuple(cls._SHAPES)

    def reset(self) -> None:
        """Every switch off."""
        for name, (default, _) in self._SHAPES.items():
            setattr(self, name, default())

    def set_text(self, name: str, text: str) -> None:
        """Set a fault from the text of a SANDBOX SET statement: JSON, or a bare string."""
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        setattr(self, name.lower(), value)

    def as_text(self, name: str) -> str:
        return json.dumps(getattr(self, name), default=lambda v: sorted(v) if isinstance(v, set) else vars(v))

    def delay(self, sql: str) -> float:
        """Real seconds to wait before the answer to ``sql``."""
        seconds = self.slow_answers_seconds
        return seconds if seconds and re.search(self.slow_answers_pattern, sql, re.IGNORECASE) else 0.0

    def take_cut(self, when: str, sql: str) -> bool:
        """Whether the connection is to be cut (``drop_before`` or ``drop_after``), counting it."""
        cut: Cut | None = getattr(self, when)
        if cut is None or cut.count < 1 or not re.search(cut.pattern, sql, re.IGNORECASE):
            return False
        cut.count -= 1
        return True

    def take_error(self, sql: str, *, after: bool) -> Fail | None:
        """The error to answer to ``sql`` before (or after) it takes effect, counting it."""
        for fail in self.error_once:
            if fail.after == after and fail.count > 0 and re.search(fail.pattern, sql, re.IGNORECASE):
                fail.count -= 1
                return fail
        return None
