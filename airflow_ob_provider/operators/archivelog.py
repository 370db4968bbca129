"""Start and stop log backup."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_ob_provider.arguments import check_flag
from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    NotVerifiedError,
    OceanBaseServerError,
    WaitTimeoutError,
)
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveSnapshot, ArchiveState, Scope, to_json
from airflow_ob_provider.oceanbase.plans import Action, Asked, Step, plan_start, plan_stop
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.waits import ArchiveStopped
from airflow_ob_provider.operators.base import WaitingOperator, carried
from airflow_ob_provider.operators.tenantwise import TenantwiseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_ob_provider.oceanbase.dialects import Dialect

Script = list[Statement]
"""What a step leads to; the first statement is sent now, the rest when its effect is seen."""


@dataclass
class _Progress:
    """What a task has done so far; it travels with each wait."""

    until: float = 0.0
    """When ``timeout`` is over, in seconds of the server's clock; 0 before the first look. A worker's may be set in the
    middle of it, and the task may go on in another worker."""
    names: list[str] = field(default_factory=list)
    """The tenants it was decided for at first; one that is created later is not among "all"."""
    statements: list[str] = field(default_factory=list)
    asked: set[Asked] = field(default_factory=set)
    failures: dict[str, Exception] = field(default_factory=dict)

    def to_carry(self) -> dict[str, Any]:
        return {
            "until": self.until,
            "names": self.names,
            "statements": self.statements,
            "asked": sorted([name, str(action)] for name, action in self.asked),
            "failures": {
                name: [str(error), isinstance(error, AirflowFailException)] for name, error in self.failures.items()
            },
        }

    @classmethod
    def of_carry(cls, carry: dict[str, Any]) -> Self:
        return cls(
            float(carry.get("until") or 0.0),
            list(carry.get("names") or ()),
            list(carry.get("statements") or ()),
            {(name, Action(action)) for name, action in carry.get("asked") or ()},
            {
                name: ArchiveStateError(text) if final else NotVerifiedError(text)
                for name, (text, final) in (carry.get("failures") or {}).items()
            },
        )


class _SwitchOperator(TenantwiseOperator, WaitingOperator):
    """Start or stop: one plan from the state that is read, again after every statement and every wait."""

    template_fields: Sequence[str] = (*WaitingOperator.template_fields, "on_partial_failure")

    def execute(self, context: Context) -> Any:
        """Check the arguments, then act by state."""
        self.check_arguments()
        return self._act(context, _Progress())

    def plan(self, snapshot: ArchiveSnapshot, asked: set[Asked]) -> tuple[Step, ...]:
        """What to do next for each governing row."""
        raise NotImplementedError

    def script(self, dialect: Dialect, step: Step) -> Script:
        """What a step leads to."""
        raise NotImplementedError

    def wait(self, tenants: tuple[str, ...]) -> ArchiveStopped:
        """What to wait for after everything that can be sent was sent."""
        raise NotImplementedError

    def is_reached(self, row: ArchiveRow) -> bool:
        """Whether the row is where it should be."""
        raise NotImplementedError

    def resume(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Go on after STOPPING: read the state and plan anew."""
        progress = _Progress.of_carry(carried(event))
        if event and event.get("status") == "timeout":
            return self._timed_out(context, progress)
        self.settle(event)
        return self._act(context, progress)

    def _act(self, context: Context, progress: _Progress) -> Any:
        told: list[str] = []
        while True:
            snapshot, planned = self._decide(progress)
            lines = [str(step) for step, _ in planned]
            for line in lines:
                if line not in told:
                    self.log.info("%s", line)
            told += lines
            if self.is_dry_run:
                return self._dry(snapshot, planned, progress, context)
            if not planned and not progress.failures:
                raise NotVerifiedError("the server shows no state of log backup, so nothing was sent")
            _refuse(planned, progress)
            planned = [(step, script) for step, script in planned if step.row.tenant.name not in progress.failures]
            sending = [(step, script) for step, script in planned if step.action in _SENDING]
            if not sending:
                break
            self._send(sending, progress)
        waiting = tuple(step.row.tenant.name for step, _ in planned if step.action is Action.WAIT)
        if waiting:
            wait = self.wait(waiting if snapshot.scope is Scope.TENANT else ())
            left = progress.until - snapshot.read_at.timestamp()
            if left <= 0:
                return self._timed_out(context, progress)
            return self.wait_for(wait, context, "resume", progress.to_carry(), seconds=left)
        return self._finish(snapshot, progress, context)

    def _dry(
        self, snapshot: ArchiveSnapshot, planned: list[tuple[Step, Script]], progress: _Progress, context: Context
    ) -> dict[str, Any]:
        plan = self.planned([statement for _, script in planned for statement in script])
        facts = plan | {"decisions": [str(step) for step, _ in planned]} | self._facts(snapshot)
        return self.conclude(facts, progress.failures, _names(snapshot), context)

    def _finish(self, snapshot: ArchiveSnapshot, progress: _Progress, context: Context) -> dict[str, Any]:
        """One result for each tenant; facts are of those that are where they should be."""
        done = {row.tenant.name for row in snapshot.governing} - set(progress.failures)
        good = snapshot.of(done) if snapshot.scope is Scope.TENANT and done else snapshot
        result = {"changed": bool(progress.statements), "statements": progress.statements} | self._facts(good)
        result["out_of_scope"] = [tenant.name for tenant in snapshot.out_of_scope]
        return self.conclude(result, progress.failures, _names(good) if done else [], context)

    def timed_out(self, context: Context) -> Any:
        """The scheduler has ended the wait, and what it carried is gone: only the state tells what became of it."""
        return self._timed_out(context, _Progress())

    def _timed_out(self, context: Context, progress: _Progress) -> Any:
        try:
            snapshot = self.read(_archive).of(progress.names or self.names)
        except (AirflowException, ValueError):
            raise WaitTimeoutError(f"{self._timeout_error()} The state cannot be read now.") from None
        for row in snapshot.governing:
            if not self.is_reached(row):
                error = WaitTimeoutError(f"{self._timeout_error()} Now log backup is {row}.")
                progress.failures.setdefault(row.tenant.name, error)
        return self._finish(snapshot, progress, context)

    def settle(self, event: dict[str, Any] | None) -> dict[str, Any]:
        """As every wait's end; a wait that cannot be met is planned anew, for it may be met for other tenants."""
        if event and event.get("status") == "terminal":
            self.log.warning("%s. %s", event.get("reason"), event.get("hint"))
            return {}
        return super().settle(event)

    def _decide(self, progress: _Progress) -> tuple[ArchiveSnapshot, list[tuple[Step, Script]]]:
        names = tuple(progress.names) or self.names

        def read(dialect: Dialect) -> tuple[ArchiveSnapshot, list[tuple[Step, Script]]]:
            if dialect.version.archive_unusable:
                raise ArchiveStateError(dialect.version.archive_unusable)
            dialect.check_scope(names)
            whole = dialect.archive()
            for name in whole.unknown_names(names):
                progress.failures.setdefault(name, ArchiveStateError(f"{name}: no NORMAL user tenant of that name"))
            snapshot = whole.of(names)
            progress.names = progress.names or list(names) or _names(snapshot)
            progress.until = progress.until or snapshot.read_at.timestamp() + float(self.timeout)
            return snapshot, [self._scripted(dialect, step) for step in self.plan(snapshot, progress.asked)]

        return self.read(read)

    def _scripted(self, dialect: Dialect, step: Step) -> tuple[Step, Script]:
        try:
            return step, self.script(dialect, step)
        except ValueError as error:  # a name that cannot be written into a statement
            return replace(step, action=Action.REFUSE, reason=str(error)), []

    def _send(self, sending: list[tuple[Step, Script]], progress: _Progress) -> None:
        """Send each statement once, then read until all have had their effect.

        A refusal that hangs on the state is settled by the state: somebody else was faster.
        """
        sent: list[tuple[Step, Statement, OceanBaseServerError | None]] = []
        for number, (step, script) in enumerate(sending):
            name, statement = step.row.tenant.name, script[0]
            progress.asked.add((name, step.action))
            try:
                self.send(statement)
            except OceanBaseServerError as failure:
                if not failure.is_transient and not failure.is_state:
                    progress.failures[name] = failure
                    continue
                self.log.warning("%s Reading the state instead of sending it again.", failure)
                sent.append((step, statement, failure))
                if failure.is_transient and not self._is_readable():
                    _not_sent(sending[number + 1 :], failure, progress)
                    break
            else:
                sent.append((step, statement, None))
        awaited = [step.row for step, _, error in sent if error is None or error.is_transient]
        seen = self.read_until(_archive, lambda found: all(_has_moved(found, row) for row in awaited))
        snapshot = seen or self.read(_archive)
        for step, statement, error in sent:
            name = step.row.tenant.name
            if not _has_moved(snapshot, step.row):
                progress.failures[name] = error or NotVerifiedError(
                    f"{statement} was accepted, but its effect was not seen: log backup is still "
                    f"{_row_of(snapshot, step.row)}"
                )
            elif error and error.is_state:
                self.log.warning("%s was refused (%s), but the state has moved meanwhile", statement, error.errno)
            else:
                progress.statements.append(str(statement))

    def _is_readable(self) -> bool:
        with suppress(AirflowException, ValueError):
            self.read(_archive)
            return True
        return False

    def _facts(self, snapshot: ArchiveSnapshot) -> dict[str, Any]:
        rows = snapshot.governing
        return {
            "oceanbase_conn_id": self.oceanbase_conn_id,
            "round": snapshot.round_id,
            "rounds": snapshot.rounds,
            "state": _words(snapshot),
            "states": {row.tenant.name: row.status for row in rows},
            "running": bool(rows) and all(row.state.is_running for row in rows),
            "started": to_json(max((row.started for row in rows if row.started), default=None)),
            "checkpoint": to_json(min((row.checkpoint for row in rows if row.checkpoint), default=None)),
            "read_at": to_json(snapshot.read_at),
            "out_of_scope": [tenant.name for tenant in snapshot.out_of_scope],
        }


class StartArchivelogOperator(_SwitchOperator):
    """Start log backup, any number of times: ``ALTER SYSTEM ARCHIVELOG`` where it is STOP, nothing where it runs.

    STOP and no round start a new round; PREPARE, BEGINNING and DOING succeed without a write; SUSPEND (4.x, somebody
    sent DEFER) goes on as the same round; STOPPING waits for STOP, then starts; INTERRUPTED fails with the recovery
    steps. OK of the server means accepted, not archiving, and from tenant sys of 4.x not even that: LOG_MODE, the
    destination's state and STATUS are read back. Follow with
    :class:`~airflow_ob_provider.sensors.archivelog.ArchiveDoingSensor` and ``min_round=`` ``rounds`` of the result.

    A retry is safe: the statement is not idempotent on the server (1235, 9023, 9091), so the state is read first, and
    again after any error that may have hidden its effect.

    :param restart_interrupted: stop an INTERRUPTED round and start a new one. That leaves a gap: take a full data
        backup inside the new round.
    :return: ``changed``, ``statements`` that took effect, ``round`` (the highest), ``rounds`` by tenant (3.x:
        ``{"cluster": …}``), ``state``, ``states`` by tenant, ``running``, ``started``, ``checkpoint``, ``read_at`` (the
        server's clock), ``tenants`` that run, ``failed`` ones with their reasons, ``out_of_scope``: user tenants that
        nobody archives here, because they were not asked for or are not NORMAL.
    """

    template_fields: Sequence[str] = (*_SwitchOperator.template_fields, "restart_interrupted")

    def __init__(self, *, restart_interrupted: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.restart_interrupted = restart_interrupted

    def check_arguments(self) -> None:
        """:raises ValueError: an argument is not legal; nothing was sent."""
        super().check_arguments()
        check_flag(self.restart_interrupted, "restart_interrupted")

    def plan(self, snapshot: ArchiveSnapshot, asked: set[Asked]) -> tuple[Step, ...]:
        """See :func:`~airflow_ob_provider.oceanbase.plans.plan_start`."""
        restart = check_flag(self.restart_interrupted, "restart_interrupted")
        return plan_start(snapshot, restart_interrupted=restart, asked=asked, hypothetical=self.is_dry_run)

    def script(self, dialect: Dialect, step: Step) -> Script:
        """An interrupted round is stopped, then as any other started; what was switched off is switched on first."""
        resumes = [dialect.resume_archive(step.row)] if step.row.deferred else []
        if step.action is Action.RESUME and step.row.state is not ArchiveState.STOP:
            return resumes
        if step.action in {*_SENDING, Action.WAIT}:
            stops = [dialect.stop_archive(step.row)] if step.action is Action.STOP else []
            return [*stops, *resumes, dialect.start_archive(step.row)]
        return []

    def wait(self, tenants: tuple[str, ...]) -> ArchiveStopped:
        """Each tenant goes on as soon as it has stopped, whatever the others do."""
        return ArchiveStopped(or_running=True, tenants=tenants, one_by_one=True)

    def is_reached(self, row: ArchiveRow) -> bool:
        """On its way up, or archiving."""
        return row.state.is_running


class StopArchivelogOperator(_SwitchOperator):
    """Stop log backup and wait for STOP. Nothing in this package stops it by itself.

    Stopping makes a gap: what is written until the next start is in no round, and data backups taken before cannot be
    restored past it. STOP succeeds without a write, so a retry is safe.

    :param tenants: as everywhere, but an empty list is refused: it may have been a longer one.
    :param confirm: must be True, so that nobody stops log backup by copying a line.
    :return: as :class:`StartArchivelogOperator`.
    """

    template_fields: Sequence[str] = (*_SwitchOperator.template_fields, "confirm")
    ui_color = "#ffd9d0"

    def __init__(self, *, confirm: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.confirm = confirm

    def check_arguments(self) -> None:
        """:raises ValueError: an argument is not legal, or ``confirm`` is missing; nothing was sent."""
        super().check_arguments()
        if not check_flag(self.confirm, "confirm") and not self.is_dry_run:
            raise ValueError(
                "confirm must be True to stop log backup: it leaves a gap that no restore can cross, and a new full "
                "data backup is needed after the next start"
            )
        if self.tenants is not None and not self.names:
            raise ValueError("tenants is empty: name the tenants whose log backup is to stop, or leave it out for all")

    def plan(self, snapshot: ArchiveSnapshot, asked: set[Asked]) -> tuple[Step, ...]:
        """See :func:`~airflow_ob_provider.oceanbase.plans.plan_stop`."""
        return plan_stop(snapshot, asked=asked)

    def script(self, dialect: Dialect, step: Step) -> Script:
        """One statement, where there is something to stop."""
        return [dialect.stop_archive(step.row)] if step.action is Action.STOP else []

    def wait(self, tenants: tuple[str, ...]) -> ArchiveStopped:
        """All must stop."""
        return ArchiveStopped(tenants=tenants)

    def is_reached(self, row: ArchiveRow) -> bool:
        """Stopped, and nothing starts it again by itself."""
        return row.state is ArchiveState.STOP and not row.archivelog


def present_state(oceanbase_conn_id: str, tenants: Sequence[str] = ()) -> dict[str, Any] | None:
    """State and rounds now; None where they cannot be read."""
    try:
        with OceanBaseHook(oceanbase_conn_id=oceanbase_conn_id).session() as session:
            snapshot = session.dialect.archive().of(tenants)
    except (AirflowException, ValueError):
        return None
    if not snapshot.governing:
        return None
    return {
        "state": _words(snapshot),
        "states": {row.tenant.name: str(row.state) for row in snapshot.governing},
        "round": snapshot.round_id,
        "rounds": snapshot.rounds,
        "checkpoints": {row.tenant.name: to_json(row.checkpoint) for row in snapshot.governing},
        "remarks": {row.tenant.name: row.remark for row in snapshot.governing if row.remark},
    }


def freeze_is_useful(oceanbase_conn_id: str, wish: str, tenants: Sequence[str] = ()) -> str:
    """Why a minor freeze before the start would be of no use; '' if it is of use.

    :param wish: ``yes``, ``no``, or ``advised``: where it makes log backup start sooner, which is on 3.x.
    """
    if wish == "no":
        return "the form switches the minor freeze off"
    with OceanBaseHook(oceanbase_conn_id=oceanbase_conn_id).session() as session:
        dialect = session.dialect
        if wish == "advised" and not dialect.freeze_advised:
            return f"OceanBase {dialect.version} does not need a minor freeze before log backup"
        rows = dialect.archive().of(tenants).governing
    if rows and all(row.state.is_running for row in rows):
        return "log backup runs already: there is nothing to start"
    return ""


_SENDING = (Action.START, Action.RESUME, Action.STOP)


def _words(snapshot: ArchiveSnapshot) -> str:
    return " / ".join(sorted({row.status for row in snapshot.governing}))


def _names(snapshot: ArchiveSnapshot) -> list[str]:
    return [row.tenant.name for row in snapshot.rows] if snapshot.scope is Scope.TENANT else []


def _archive(dialect: Dialect) -> ArchiveSnapshot:
    return dialect.archive()


def _row_of(snapshot: ArchiveSnapshot, before: ArchiveRow) -> ArchiveRow | None:
    return next((row for row in snapshot.governing if row.tenant == before.tenant), None)


def _has_moved(snapshot: ArchiveSnapshot, before: ArchiveRow) -> bool:
    """Whether the row is in another phase than the one the statement was sent in; UNKNOWN tells nothing."""
    row = _row_of(snapshot, before)
    return row is not None and row.state is not ArchiveState.UNKNOWN and row.phase != before.phase


def _refuse(planned: list[tuple[Step, Script]], progress: _Progress) -> None:
    for step, _ in planned:
        if step.action is not Action.REFUSE:
            continue
        text = f"{step}. {step.hint}".rstrip()
        if step.row.state is ArchiveState.UNKNOWN:
            error: Exception = NotVerifiedError(f"{text} The next try reads again")
        else:
            error = ArchiveStateError(text)
        progress.failures.setdefault(step.row.tenant.name, error)


def _not_sent(rest: list[tuple[Step, Script]], error: OceanBaseServerError, progress: _Progress) -> None:
    for step, _ in rest:
        progress.failures[step.row.tenant.name] = NotVerifiedError(
            f"{step.row.tenant.name}: nothing was sent, because the server cannot be read any more: {error}"
        )
