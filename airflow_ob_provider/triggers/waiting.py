"""What waits in a worker and waits in the triggerer share: looking once, bearing failures, telling the outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    OceanBaseServerError,
    WaitReadError,
    WaitRefusedError,
)
from airflow_ob_provider.oceanbase.reader import read_for
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.waits import Ready, Terminal, Verdict, Wait, Waiting

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_ob_provider.hooks.oceanbase import OceanBaseHook

MAX_FAILURES = 5
"""This many failed reads in a row end a wait, but not before …"""
MIN_FAILURE_SECONDS = 120.0
"""… this long: a RootService switch takes a minute or two."""
LOG_EVERY_SECONDS = 60.0
OUTER_SECONDS = 60.0
"""How much later the scheduler ends a deferred wait that has not ended itself, for instance because a read hangs."""
ON_PARTIAL_FAILURE = ("fail", "continue")
"""What a task may do when some tenants have failed and others have not."""


@dataclass(frozen=True)
class Look:
    """One snapshot judged."""

    wait: Wait
    """The wait, begun."""
    verdict: Verdict
    waited: timedelta
    """Since the first look, by the server's clock."""
    snapshot: Any = field(repr=False, compare=False)


def look(hook: OceanBaseHook, wait: Wait) -> Look | ReadFailure:
    """Take one snapshot in the worker and judge it; what is no snapshot is borne as the trigger bears it."""
    try:
        with hook.session() as session:
            snapshot = read_for(wait, session.dialect)
        return judge(wait, snapshot)
    except Exception as error:  # the same fault must not end a wait in one mode and pass in another
        return ReadFailure.of(error)


def judge(wait: Wait, snapshot: Any) -> Look:
    """Judge one snapshot, beginning the wait with it if it is the first."""
    wait = wait.begun(snapshot)
    return Look(wait, wait.judge(snapshot), wait.elapsed(snapshot.read_at), snapshot)


@dataclass(frozen=True)
class ReadFailure:
    """A read that gave no snapshot."""

    reason: str
    permanent: bool
    error: Exception | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, error: Exception) -> ReadFailure:
        """An error as a reading. Only what the server refuses is permanent; anything else may be a passing fault."""
        permanent = isinstance(error, OceanBaseServerError) and not error.is_transient
        return cls(f"{type(error).__name__}: {redact(str(error))}", permanent, error)


class FailureBudget:
    """How many reads may fail in a row, and for how long, before a wait gives up.

    :param patient: never give up on passing faults; the wait's timeout is the only bound.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.failures = 0
        self._patient = patient
        self._first = 0.0

    def reset(self) -> None:
        """A read has succeeded."""
        self.failures = 0

    def spent_by(self, failure: ReadFailure) -> bool:
        """Count a failure; whether the wait should give up now."""
        if not self.failures:
            self._first = time.monotonic()
        self.failures += 1
        if failure.permanent:
            return True
        long_enough = time.monotonic() - self._first >= MIN_FAILURE_SECONDS
        return not self._patient and self.failures >= MAX_FAILURES and long_enough


class ProgressLog:
    """Logs what is waited for when it changes, and once a minute while it does not."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._reason = ""
        self._shown = 0.0

    def show(self, waiting: Waiting, waited: timedelta) -> None:
        """Log one verdict, if it is news, how long it has been waited for by the server's clock, and what to expect."""
        now = time.monotonic()
        if waiting.reason == self._reason and now - self._shown < LOG_EVERY_SECONDS:
            return
        self._reason, self._shown = waiting.reason, now
        share = "" if waiting.progress is None else f", {waiting.progress:.0%} done"
        expected = f", {waiting.expected}" if waiting.expected else ""
        level = self._log.warning if waiting.unknown else self._log.info
        level("Waiting for %.0f s%s%s: %s", waited.total_seconds(), share, expected, waiting.reason)


def label_of(context: Context) -> str:
    """Who waits, for the comment in front of the poller's statements."""
    ti = context["ti"]
    return f"dag={ti.dag_id} task={ti.task_id} run={ti.run_id}"


def bound(timeout: float, execution_timeout: timedelta | None) -> timedelta:
    """How long a deferred wait may last. Airflow does not apply ``execution_timeout`` to it, so this does."""
    longest = timedelta(seconds=timeout)
    return min(longest, execution_timeout) if execution_timeout else longest


def verdict_event(verdict: Ready | Terminal) -> dict[str, Any]:
    """The trigger's event of a final verdict."""
    if isinstance(verdict, Ready):
        return {"status": "ready", "summary": verdict.summary, "warning": verdict.warning}
    return {"status": "terminal", "reason": verdict.reason, "hint": verdict.hint}


def unreadable_event(failure: ReadFailure) -> dict[str, Any]:
    """The event of a wait that cannot see: neither success nor a broken archive."""
    return {"status": "unreadable", "reason": failure.reason, "permanent": failure.permanent}


def outcome(event: Mapping[str, Any] | None, *, what: str, log: Any) -> dict[str, Any]:
    """The summary of a wait that is ready; every other event raises, also one nobody knows.

    :raises ArchiveStateError: it will never be ready.
    :raises WaitReadError: the state could not be read; nothing is known.
    :raises WaitRefusedError: the state may not be read.
    """
    event = event or {}
    status = event.get("status")
    if status == "ready" and isinstance(event.get("summary"), dict):
        if event.get("warning"):
            log.warning("%s: %s", what, event["warning"])
        log.info("%s: %s", what, event["summary"])
        return dict(event["summary"])
    reason = event.get("reason") or f"an event this release does not understand: {dict(event)!r}"
    if status == "terminal":
        raise ArchiveStateError(f"{what}: {reason}. {event.get('hint') or ''}".rstrip())
    if status == "unreadable" and event.get("permanent"):
        raise WaitRefusedError(f"{what}: the state may not be read: {reason}")
    raise WaitReadError(f"{what}: the state could not be read, so nothing is known about it: {reason}")
