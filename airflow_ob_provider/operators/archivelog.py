"""Start and stop log backup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from airflow_ob_provider.arguments import check_flag
from airflow_ob_provider.exceptions import ArchiveStateError, NotVerifiedError, OceanBaseServerError, WaitTimeoutError
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.dialects import Dialect
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveSnapshot, ArchiveState, to_json
from airflow_ob_provider.oceanbase.plans import Action, Step, plan_start, plan_stop
from airflow_ob_provider.oceanbase.statements import Statement, check_tenant_names
from airflow_ob_provider.oceanbase.waits import RECOVERY, ArchiveStopped
from airflow_ob_provider.operators.base import WaitingOperator, carried

if TYPE_CHECKING:
    from airflow.sdk import Context


class _SwitchOperator(WaitingOperator):
    """Start or stop: one plan from the state that is read, again after every wait."""

    def execute(self, context: Context) -> Any:
        """Check the arguments, then act by state."""
        self.check_arguments()
        return self._act(context, statements=[], stopped_rounds=[])

    def plan(self, snapshot: ArchiveSnapshot, stopped_rounds: tuple[int, ...]) -> tuple[Step, ...]:
        """What to do next for each governing row."""
        raise NotImplementedError

    def script(self, dialect: Dialect, step: Step) -> list[Statement]:
        """What a step leads to; the first statement is sent now, the rest after the wait that follows it."""
        raise NotImplementedError

    def resume(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Go on after STOPPING: read the state and plan anew."""
        before = carried(event)
        self.settle(event)
        return self._act(
            context,
            statements=list(before.get("statements") or ()),
            stopped_rounds=list(before.get("stopped_rounds") or ()),
        )

    def _act(self, context: Context, statements: list[str], stopped_rounds: list[int]) -> Any:
        snapshot, steps, scripts = self._decide(stopped_rounds)
        for step in steps:
            self.log.info("%s", step)
        refused = [step for step in steps if step.action is Action.REFUSE]
        if self.is_dry_run:
            plan = self.planned([str(statement) for script in scripts for statement in script])
            return plan | {"decisions": [str(step) for step in steps]} | self._facts(snapshot)
        if not steps:
            raise NotVerifiedError("the server shows no state of log backup, so nothing was sent")
        if any(step.row.state is ArchiveState.UNKNOWN for step in refused):
            raise NotVerifiedError(f"{'; '.join(map(str, refused))}. Nothing was sent; the next try reads again")
        if refused:
            raise ArchiveStateError("; ".join(f"{step}. {step.hint}" for step in refused))
        for step, script in zip(steps, scripts, strict=True):
            if step.action not in _SENDING:
                continue
            snapshot, accepted = self._send(step, script[0])
            statements += [str(script[0])] if accepted else []
            if step.action is Action.STOP:
                stopped_rounds.append(step.row.round_id)
        if any(step.action in {Action.WAIT, Action.STOP} for step in steps):
            return self.wait_for(
                ArchiveStopped(or_running=self.or_running),
                context,
                "resume",
                {"statements": statements, "stopped_rounds": stopped_rounds},
            )
        self.check_effect(snapshot)
        return {"changed": bool(statements), "statements": statements} | self._facts(snapshot)

    def check_effect(self, snapshot: ArchiveSnapshot) -> None:
        """:raises ArchiveStateError: what was read back last is not what was asked for."""
        raise NotImplementedError

    def _timeout_error(self) -> WaitTimeoutError:
        now = present_state(self.oceanbase_conn_id)
        seen = f"log backup is {now['state']} (round {now['round']})" if now else "the state cannot be read"
        return WaitTimeoutError(f"{super()._timeout_error()} Now {seen}.")

    or_running = False

    def _decide(self, stopped_rounds: list[int]) -> tuple[ArchiveSnapshot, tuple[Step, ...], list[list[Statement]]]:
        def read(dialect: Dialect) -> tuple[ArchiveSnapshot, tuple[Step, ...], list[list[Statement]]]:
            if dialect.version.archive_unusable:
                raise ArchiveStateError(dialect.version.archive_unusable)
            dialect.check_scope(check_tenant_names(getattr(self, "tenants", None)))
            snapshot = dialect.archive()
            steps = self.plan(snapshot, tuple(stopped_rounds))
            return snapshot, steps, [self.script(dialect, step) for step in steps]

        return self.read(read)

    def _send(self, step: Step, statement: Statement) -> tuple[ArchiveSnapshot, bool]:
        """Send it once. A refusal that hangs on the state is settled by the state: somebody else was faster."""
        try:
            return self.write(statement, _archive, lambda snapshot: _has_moved(snapshot, step.row)), True
        except OceanBaseServerError as error:
            if not error.is_state:
                raise
            snapshot = self.read(_archive)
            if not _has_moved(snapshot, step.row):
                raise
            self.log.warning("The server refused %s (%s), but the state has moved meanwhile", statement, error.errno)
            return snapshot, False

    def _facts(self, snapshot: ArchiveSnapshot) -> dict[str, Any]:
        rows = snapshot.governing
        return {
            "oceanbase_conn_id": self.oceanbase_conn_id,
            "round": snapshot.round_id,
            "state": _words(snapshot),
            "running": bool(rows) and all(row.state.is_running for row in rows),
            "started": to_json(max((row.started for row in rows if row.started), default=None)),
            "checkpoint": to_json(min((row.checkpoint for row in rows if row.checkpoint), default=None)),
            "read_at": to_json(snapshot.read_at),
        }


class StartArchivelogOperator(_SwitchOperator):
    """Start log backup, any number of times: ``ALTER SYSTEM ARCHIVELOG`` where it is STOP, nothing where it runs.

    STOP starts a new round; BEGINNING and DOING succeed without a write; STOPPING waits for STOP, then starts;
    INTERRUPTED fails with the recovery steps. OK of the server means accepted, not archiving: follow with
    :class:`~airflow_ob_provider.sensors.archivelog.ArchiveDoingSensor` and ``min_round`` of the result.

    A retry is safe: the statement is not idempotent on the server (1235, on old builds 9023), so the state is read
    first, and again after any error that may have hidden its effect.

    :param tenants: 4.x tenants; on 3.x, which archives the whole cluster, it must be left out.
    :param restart_interrupted: stop an INTERRUPTED round and start a new one. That leaves a gap: take a full data
        backup inside the new round.
    :return: ``changed``, ``statements`` that took effect, ``round``, ``state``, ``running``, ``started``,
        ``checkpoint``, ``read_at`` (the server's clock).
    """

    template_fields: Sequence[str] = (*WaitingOperator.template_fields, "tenants", "restart_interrupted")
    or_running = True

    def __init__(
        self, *, tenants: Sequence[str] | None = None, restart_interrupted: bool | str = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.tenants = tenants
        self.restart_interrupted = restart_interrupted

    def check_arguments(self) -> None:
        """:raises ValueError: an argument is not legal; nothing was sent."""
        super().check_arguments()
        check_tenant_names(self.tenants)
        check_flag(self.restart_interrupted, "restart_interrupted")

    def plan(self, snapshot: ArchiveSnapshot, stopped_rounds: tuple[int, ...]) -> tuple[Step, ...]:
        """See :func:`~airflow_ob_provider.oceanbase.plans.plan_start`."""
        restart = check_flag(self.restart_interrupted, "restart_interrupted")
        return plan_start(snapshot, restart_interrupted=restart, stopped_rounds=stopped_rounds)

    def script(self, dialect: Dialect, step: Step) -> list[Statement]:
        """An interrupted round is stopped, then as any other started."""
        starts = [dialect.start_archive(step.row)] if step.action in {*_SENDING, Action.WAIT} else []
        return [dialect.stop_archive(step.row), *starts] if step.action is Action.STOP else starts

    def check_effect(self, snapshot: ArchiveSnapshot) -> None:
        """Accepted is not running: a round may break, or be stopped by somebody, before it is read back."""
        gone = [row for row in snapshot.governing if not row.state.is_running]
        if gone:
            states = ", ".join(f"{row.tenant.name} {row.status} (round {row.round_id})" for row in gone)
            raise ArchiveStateError(f"log backup was started, but it runs no more: {states}. {RECOVERY}")


class StopArchivelogOperator(_SwitchOperator):
    """Stop log backup and wait for STOP. Nothing in this package stops it by itself.

    Stopping makes a gap: what is written until the next start is in no round, and data backups taken before cannot be
    restored past it. STOP succeeds without a write, so a retry is safe.

    :param confirm: must be True, so that nobody stops log backup by copying a line.
    :return: as :class:`StartArchivelogOperator`.
    """

    template_fields: Sequence[str] = (*WaitingOperator.template_fields, "confirm")
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

    def plan(self, snapshot: ArchiveSnapshot, stopped_rounds: tuple[int, ...]) -> tuple[Step, ...]:
        """See :func:`~airflow_ob_provider.oceanbase.plans.plan_stop`. What was asked to stop is not asked again."""
        steps = plan_stop(snapshot)
        if not stopped_rounds:
            return steps
        hint = "It stopped, and somebody has started it again; decide with them, then run this task again."
        return tuple(
            replace(step, action=Action.REFUSE, hint=hint) if step.action is Action.STOP else step for step in steps
        )

    def script(self, dialect: Dialect, step: Step) -> list[Statement]:
        """One statement, where there is something to stop."""
        return [dialect.stop_archive(step.row)] if step.action is Action.STOP else []

    def check_effect(self, snapshot: ArchiveSnapshot) -> None:
        """The plan has seen STOP everywhere."""


def present_state(oceanbase_conn_id: str) -> dict[str, Any] | None:
    """State and round now; None where they cannot be read."""
    try:
        with OceanBaseHook(oceanbase_conn_id=oceanbase_conn_id).session() as session:
            snapshot = session.dialect.archive()
    except (AirflowException, ValueError):
        return None
    return {"state": _words(snapshot), "round": snapshot.round_id} if snapshot.governing else None


def start_is_needed(oceanbase_conn_id: str) -> bool:
    """Whether no round runs on this cluster, so that a start, and a freeze before it, has something to do."""
    with OceanBaseHook(oceanbase_conn_id=oceanbase_conn_id).session() as session:
        rows = session.dialect.archive().governing
    return not rows or not all(row.state.is_running for row in rows)


_SENDING = (Action.START, Action.STOP)


def _words(snapshot: ArchiveSnapshot) -> str:
    return " ".join(sorted({row.status for row in snapshot.governing}))


def _archive(dialect: Dialect) -> ArchiveSnapshot:
    return dialect.archive()


def _has_moved(snapshot: ArchiveSnapshot, before: ArchiveRow) -> bool:
    """Whether the row is in another state or round than the one the statement was sent in; UNKNOWN tells nothing."""
    return any(
        row.tenant == before.tenant
        and row.state is not ArchiveState.UNKNOWN
        and (row.state, row.round_id) != (before.state, before.round_id)
        for row in snapshot.governing
    )
