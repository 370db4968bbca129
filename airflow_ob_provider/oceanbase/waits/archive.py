"""Waits on the state of log backup: that it archives, has stopped, has passed a moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from airflow_ob_provider.oceanbase.models import (
    MAX_AHEAD_SECONDS,
    ArchiveRow,
    ArchiveSnapshot,
    ArchiveState,
    Scope,
    to_json,
)
from airflow_ob_provider.oceanbase.waits.base import Ready, Snapshot, Terminal, Verdict, Wait, Waiting, no_tenants
from airflow_ob_provider.oceanbase.words import few

START_GRACE_SECONDS = 60.0
"""How long STOP is still believed to be on its way up: the RootService acts in passes of up to 10 s while a round
starts, and 4.x switches the mode first and starts the round in a later pass."""

PACE_SECONDS = 120.0
"""How long a checkpoint is watched before its pace tells anything: the server moves it in steps of up to a minute."""
LONGEST_SECONDS = 7 * 86_400.0
"""What would take longer at its pace stands still, for all that anybody can tell."""
_USUAL_START = {
    Scope.CLUSTER: "a start usually takes 10 s to some minutes, longer where the last minor compaction is long ago",
    Scope.TENANT: "a start usually takes 10 to 90 s",
}
_USUAL_STOP = {
    Scope.CLUSTER: "a stop usually takes 10 to 20 s",
    Scope.TENANT: "a stop usually takes less than a minute",
}
_USUAL_LAG = {
    Scope.CLUSTER: "the checkpoint is usually 2 to 3 minutes behind",
    Scope.TENANT: "the checkpoint is usually behind by archive_lag_target, 120 s unless set",
}
"""By the passes of the RootService (3.1.5 source, ob_log_archive_scheduler.cpp: 10 s while starting and stopping, 50 s
while archiving) and of 4.x (2 s, or 10 and 50 s): what a healthy server needs, no promise."""

_AT_REST = frozenset({ArchiveState.STOP, ArchiveState.SUSPENDING, ArchiveState.SUSPEND})
"""States that nothing but a statement leads out of."""
_RISING = frozenset({ArchiveState.PREPARE, ArchiveState.BEGINNING})

RECOVERY = (
    "An interrupted log backup never heals by itself. Fix the cause (destination mounted and writable on every "
    "OBServer? logs recycled in Optional mode?), ALTER SYSTEM NOARCHIVELOG, wait for STOP, ALTER SYSTEM ARCHIVELOG "
    "(a new round), wait for DOING, then take a full data backup: older sets cannot be restored past the gap. "
    "StartArchivelogOperator(restart_interrupted=True) does the stop and the start."
)


@dataclass(frozen=True, kw_only=True)
class ArchiveDoing(Wait):
    """Every tenant archives: the governing rows and all (or the named) user tenants are DOING."""

    reads = "archive"
    tenants: tuple[str, ...] = ()
    min_round: int = 0
    """A lower round is an older one: what was started is not there yet."""
    min_rounds: dict[str, int] = field(default_factory=dict)
    """The same by tenant, as ``rounds`` of a start tells it."""

    def judge(self, snapshot: ArchiveSnapshot) -> Verdict:
        """DOING everywhere; INTERRUPTED and a round that does not start are terminal."""
        early = _unreadable(snapshot) or _no_such_tenant(snapshot, self.tenants) or _interrupted(snapshot, self.tenants)
        if early:
            return early
        snapshot = snapshot.of(self.tenants)
        rows = _judged(snapshot, self.tenants)
        stopped = [row for row in _governing(snapshot, self.tenants) if row.state in _AT_REST]
        if stopped and self.elapsed(snapshot.read_at).total_seconds() >= START_GRACE_SECONDS:
            return Terminal(
                f"log backup is not running: {_states(stopped)}, {START_GRACE_SECONDS:g} s after the first look",
                "Start it (StartArchivelogOperator, which also resumes what was suspended), or find out who stopped "
                "it: module 'log_archive' of the server's rootservice event history.",
            )
        # A cluster has one round: a row of another is left over, or cannot be read.
        newest, least = self.min_round, self.min_rounds
        if snapshot.scope is Scope.CLUSTER:
            newest, least = max(newest, least.get(Scope.CLUSTER, 0), snapshot.round_id), {}
        old = [row for row in rows if row.round_id < max(newest, least.get(row.tenant.name, 0))]
        missing = snapshot.without_row(self.tenants)
        pending = [row for row in rows if row.state is not ArchiveState.DOING]
        doing = len(rows) - len(pending)
        total = len(rows) + len(missing)
        if old:
            return Waiting(
                f"{f'round {newest} or later' if newest else 'a later round'} has not begun everywhere; the server is "
                f"at {_states(old)}",
                0.0,
                unknown=any(row.state is ArchiveState.UNKNOWN for row in rows),
            )
        if pending or missing:
            parts = [_states(pending)] if pending else []
            parts += [f"no archive row yet: {few(tenant.name for tenant in missing)}"] if missing else []
            rises = all(row.state in _RISING for row in pending)
            return Waiting(
                f"{doing} of {total} are DOING; {'; '.join(parts)}",
                doing / total,
                unknown=any(row.state is ArchiveState.UNKNOWN for row in pending),
                usual=_USUAL_START[snapshot.scope] if rises else "",
            )
        users = snapshot.select(self.tenants)
        return Ready(
            _summary(snapshot, rows) | {"tenants_doing": len(users)},
            "" if users else "log backup is DOING, but the cluster has no user tenant: nothing is archived",
        )


@dataclass(frozen=True, kw_only=True)
class ArchiveStopped(Wait):
    """No round is being stopped any more. ``or_running``: a round that runs is as good as STOP."""

    reads = "archive"
    or_running: bool = False
    tenants: tuple[str, ...] = ()
    one_by_one: bool = False
    """Ready as soon as one of several has stopped: it need not wait for the others to go on."""

    def judge(self, snapshot: ArchiveSnapshot) -> Verdict:
        """STOP everywhere; anything that is not on its way there is terminal after a grace."""
        early = _unreadable(snapshot) or _no_such_tenant(snapshot, self.tenants)
        if early:
            return early
        snapshot = snapshot.of(self.tenants)
        rows = snapshot.governing
        fine = {ArchiveState.STOP} | (
            {ArchiveState.PREPARE, ArchiveState.BEGINNING, ArchiveState.DOING} if self.or_running else set()
        )
        pending = [row for row in rows if row.state not in fine]
        if not pending or (self.one_by_one and len(pending) < len(rows)):
            return Ready(_summary(snapshot, rows))
        stuck = [row for row in pending if row.state not in {ArchiveState.STOPPING, ArchiveState.UNKNOWN}]
        if stuck and self.elapsed(snapshot.read_at).total_seconds() >= START_GRACE_SECONDS:
            return Terminal(
                f"log backup is not stopping: {_states(stuck)}",
                "Somebody may have started it again; read the state and decide anew.",
            )
        return Waiting(
            f"not stopped yet: {_states(pending)} (STOPPING lasts while an OBServer is down or the destination "
            "cannot be written)",
            1 - len(pending) / len(rows),
            unknown=any(row.state is ArchiveState.UNKNOWN for row in pending),
            usual=_USUAL_STOP[snapshot.scope] if all(row.state is ArchiveState.STOPPING for row in pending) else "",
        )


@dataclass(frozen=True, kw_only=True)
class CheckpointPassed(Wait):
    """Everything written before ``after`` is archived. None: before the server's time of the first look."""

    reads = "archive"
    after: datetime | None = None
    tenants: tuple[str, ...] = ()
    seen: datetime | None = None
    """The lowest checkpoint when it was first seen; from it, how fast it moves."""
    seen_at: datetime | None = None
    """When that was, by the server's clock."""
    seen_rows: int = 0
    """Of how many rows it was the lowest: of others it says nothing."""

    def begun(self, snapshot: Snapshot) -> Self:
        """Also remembers a checkpoint to measure the pace from."""
        wait = self._with_moment(snapshot)
        if not isinstance(snapshot, ArchiveSnapshot):
            return wait
        rows = _proving(snapshot.of(wait.tenants), wait.tenants)
        lowest = _lowest(rows)
        if lowest is None or (wait.seen and wait.seen <= lowest and wait.seen_rows == len(rows)):
            return wait
        return replace(wait, seen=lowest, seen_at=snapshot.read_at, seen_rows=len(rows))

    def _left(self, rows: tuple[ArchiveRow, ...], after: datetime, now: datetime) -> float | None:
        """Seconds until the lowest checkpoint is there, at the pace it has gone since it was first seen."""
        lowest = _lowest(rows)
        if lowest is None or self.seen is None or self.seen_at is None or self.seen_rows != len(rows):
            return None
        watched, moved = (now - self.seen_at).total_seconds(), (lowest - self.seen).total_seconds()
        if watched < PACE_SECONDS or moved <= 0:
            return None
        left = max((after - lowest).total_seconds(), 0.0) * watched / moved
        return left if left <= LONGEST_SECONDS else None

    def _with_moment(self, snapshot: Snapshot) -> Self:
        """Fixes ``after`` at the server's now if no moment was given; a bare time is the server's local time.

        Now is the moment that everything written so far lies before: the server's clock, or where tenants have a
        timestamp service that is ahead of it, that.
        """
        wait = super().begun(snapshot)
        if wait.after is None and isinstance(snapshot, ArchiveSnapshot):
            return replace(wait, after=snapshot.of(wait.tenants).written_until)
        if wait.after and wait.after.tzinfo is None:
            return replace(wait, after=wait.after.replace(tzinfo=snapshot.read_at.tzinfo))
        return wait

    def judge(self, snapshot: ArchiveSnapshot) -> Verdict:
        """The checkpoint of the governing rows and of every tenant has reached the moment, in one unbroken round."""
        after = self.begun(snapshot).after
        if after is None:  # pragma: no cover - begun() has set it
            raise ValueError("a checkpoint wait has no moment")
        early = _unreadable(snapshot) or _no_such_tenant(snapshot, self.tenants) or _interrupted(snapshot, self.tenants)
        if early:
            return early
        snapshot = snapshot.of(self.tenants)
        governing = _governing(snapshot, self.tenants)
        running = any(row.state.is_running for row in governing)
        rows = _proving(snapshot, self.tenants)
        late_start = [row for row in governing if row.started and row.started > after]
        if late_start:
            return Terminal(
                f"{to_json(after)} lies before the start of the round: {_times(late_start, 'started')}",
                "This round cannot prove it. Ask for a moment after the start, and take a full data backup inside "
                "the round.",
            )
        pending = [row for row in rows if not (_has_begun(row) and row.checkpoint and row.checkpoint >= after)]
        rising = [row for row in governing if row not in rows and not _has_begun(row)]
        doubtful = [row for row in dict.fromkeys((*governing, *rows)) if _is_doubtful(row, snapshot.read_at)]
        # A round that is being stopped has its rows still, so a tenant without one is not in it.
        ended = all(row.state is ArchiveState.STOP for row in governing)
        missing = () if ended else snapshot.without_row(self.tenants)
        if not pending and not rising and not missing and not doubtful:
            return Ready(
                _summary(snapshot, rows) | {"after": to_json(after)},
                "" if snapshot.select(()) or not running else "no user tenant: nothing is archived",
            )
        over = [row for row in pending if row in governing and row.state in _AT_REST]
        if over and self.elapsed(snapshot.read_at).total_seconds() >= START_GRACE_SECONDS:
            return Terminal(
                f"the round ended before {to_json(after)}: {_times(over, 'checkpoint')}",
                "Start log backup; after a stop also take a full data backup: what was written in between is in no "
                "round.",
            )
        parts = [_times(pending, "checkpoint")] if pending else []
        parts += [f"the round has not begun: {_states(rising)}"] if rising else []
        parts += [f"cannot be judged: {_times(doubtful, 'checkpoint')}"] if doubtful else []
        parts += [f"no archive row yet: {few(tenant.name for tenant in missing)}"] if missing else []
        moves = not (rising or missing or doubtful) and all(row.state is ArchiveState.DOING for row in pending)
        return Waiting(
            f"the checkpoint has not reached {to_json(after)}: {'; '.join(parts)}",
            (len(rows) - len(pending)) / max(len(rows) + len(missing), 1),
            unknown=bool(doubtful),
            left=self._left(rows, after, snapshot.read_at) if moves else None,
            usual=_USUAL_LAG[snapshot.scope] if moves else "",
        )


def _proving(snapshot: ArchiveSnapshot, tenants: tuple[str, ...]) -> tuple[ArchiveRow, ...]:
    """The rows whose checkpoint counts.

    The cluster's own is the lowest of all tenants, so named tenants are judged by their own rows; those are deleted
    when the round has stopped.
    """
    running = any(row.state.is_running for row in _governing(snapshot, tenants))
    return snapshot.select(tenants) if tenants and running else _judged(snapshot, tenants)


def _lowest(rows: Iterable[ArchiveRow]) -> datetime | None:
    """The lowest checkpoint; None while one of them has none."""
    found = [row.checkpoint for row in rows]
    known = [checkpoint for checkpoint in found if checkpoint]
    return min(known) if known and len(known) == len(found) else None


def _governing(snapshot: ArchiveSnapshot, tenants: tuple[str, ...]) -> tuple[ArchiveRow, ...]:
    """The rows whose state decides for these tenants: the cluster's, or where each archives by itself, their own."""
    return snapshot.governing if snapshot.scope is Scope.CLUSTER else snapshot.select(tenants)


def _judged(snapshot: ArchiveSnapshot, tenants: tuple[str, ...]) -> tuple[ArchiveRow, ...]:
    """The governing rows and the user tenants asked for, each once."""
    return tuple(dict.fromkeys((*_governing(snapshot, tenants), *snapshot.select(tenants))))


def _unreadable(snapshot: ArchiveSnapshot) -> Waiting | None:
    if snapshot.governing:
        return None
    if snapshot.scope is Scope.TENANT and not snapshot.tenants:
        return Waiting("there is no NORMAL user tenant, so nothing is archived", unknown=True)
    return Waiting("the server shows no state of log backup", unknown=True)


def _no_such_tenant(snapshot: ArchiveSnapshot, tenants: tuple[str, ...]) -> Terminal | None:
    unknown = snapshot.unknown_names(tenants)
    if not unknown:
        return None
    status = {tenant.name: tenant.status for tenant in snapshot.out_of_scope}
    return no_tenants(f"{name} ({status[name]})" if name in status else name for name in unknown)


def _interrupted(snapshot: ArchiveSnapshot, tenants: tuple[str, ...]) -> Terminal | None:
    # A row left over from an older round of the cluster says nothing about this one.
    newest = snapshot.round_id if snapshot.scope is Scope.CLUSTER else 0
    rows = [
        row for row in _judged(snapshot, tenants) if row.state is ArchiveState.INTERRUPTED and row.round_id >= newest
    ]
    return Terminal(f"the log stream is broken: {_states(rows)}", RECOVERY) if rows else None


def _has_begun(row: ArchiveRow) -> bool:
    """Whether the round's start is final: while it is on its way up, the common start of all tenants may still move."""
    return row.started is not None and row.state not in _RISING


def _is_doubtful(row: ArchiveRow, now: datetime) -> bool:
    """Whether a row proves nothing: logs of the future are not archived, so such a checkpoint is read wrongly."""
    ahead = row.checkpoint is not None and row.checkpoint - now > timedelta(seconds=MAX_AHEAD_SECONDS)
    return ahead or row.state is ArchiveState.UNKNOWN


def _summary(snapshot: ArchiveSnapshot, rows: Iterable[ArchiveRow]) -> dict[str, Any]:
    rows = tuple(rows)
    checkpoints = [row.checkpoint for row in rows if row.checkpoint]
    starts = [row.started for row in snapshot.governing if row.started]
    return {
        "round": snapshot.round_id,
        "rounds": snapshot.rounds,
        "out_of_scope": [tenant.name for tenant in snapshot.out_of_scope],
        "states": sorted({str(row.state) for row in rows}),
        "started": to_json(max(starts, default=None)),
        "checkpoint": to_json(min(checkpoints, default=None)),
        "read_at": to_json(snapshot.read_at),
    }


def _states(rows: Iterable[ArchiveRow]) -> str:
    return few(str(row) for row in rows)


def _times(rows: Iterable[ArchiveRow], name: str) -> str:
    return few(f"{row}, {name} {to_json(getattr(row, name)) or 'none yet'}" for row in rows)
