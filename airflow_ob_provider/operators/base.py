"""What all operators share: a connection, a dry run, waits without a worker slot, reading back what was written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from airflow.sdk import BaseOperator, XComArg
from airflow.sdk.exceptions import TaskDeferralTimeout
from tenacity import RetryError, Retrying, retry_if_exception, retry_if_result, stop_after_delay, wait_fixed

from airflow_ob_provider.arguments import check_flag, check_number
from airflow_ob_provider.exceptions import (
    NotVerifiedError,
    OceanBaseServerError,
    WaitTimeoutError,
)
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.links.oceanbase import TASK_LINKS
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.sqlplan import SqlPlan
from airflow_ob_provider.oceanbase.statements import Statement, check_tenant_names
from airflow_ob_provider.oceanbase.waits import Wait, Waiting
from airflow_ob_provider.triggers.waiting import (
    OUTER_SECONDS,
    FailureBudget,
    ProgressLog,
    ReadFailure,
    bound,
    label_of,
    look,
    outcome,
    unreadable_event,
    verdict_event,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_ob_provider.oceanbase.dialects import Dialect

_Value = TypeVar("_Value")
_PLAN = "_sql_plan"
"""Where a wait carries what the task shows of its SQL: the task that goes on is another process."""

READ_BACK_SECONDS = 20.0
"""How long a change is read back. Parameters reach every server in 2-3 s; ARCHIVELOG, whose answer was lost, may still
be at work for 5 s."""
READ_BACK_INTERVAL_SECONDS = 1.0


class OceanBaseOperator(BaseOperator):
    """Base of the operators: read, decide, write only on a difference, read back.

    Running one twice writes once. After a lost connection the state is read, never the statement sent again; if the
    state does not show it, the task fails and Airflow's retry starts from reading.

    :param oceanbase_conn_id: connection to the cluster: a user of tenant sys with ALTER SYSTEM and SELECT on
        ``oceanbase.*``; on 4.x also of a user tenant, for itself.
    :param tenants: 4.x user tenants; None or an empty list means all that are NORMAL. 3.x, which archives the whole
        cluster, refuses a list for all but the minor freeze.
    :param dry_run: log the plan and send nothing but reads; the result has ``dry_run`` and ``plan``.

    Operators that write show their statements, redacted, in the UI under Rendered Templates, as ``sql_plan``: what was
    sent, or in a dry run would be; while they wait, and when they have ended, whatever came of it.
    """

    template_fields: Sequence[str] = ("oceanbase_conn_id", "tenants", "dry_run")
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql_plan": "sql"}
    overwrite_rtif_after_execution = True
    """Airflow stores template fields before a task runs, and because of this again when it defers and ends."""
    ui_color = "#fff4d6"
    operator_extra_links = TASK_LINKS

    def __init__(
        self,
        *,
        oceanbase_conn_id: str = OceanBaseHook.default_conn_name,
        tenants: Sequence[str] | XComArg | None = None,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.oceanbase_conn_id = oceanbase_conn_id
        self.tenants = tenants
        self.dry_run = dry_run  # type: ignore[assignment, method-assign]  # BaseOperator.dry_run() only prints fields
        self.sql_plan = ""
        self._plan = SqlPlan()

    def pre_execute(self, context: Any) -> None:
        """Nothing was sent yet; a task that never gets so far shows nothing."""
        super().pre_execute(context)
        self._show(self._plan)

    def _show(self, plan: SqlPlan) -> None:
        # A new object each time: in dag.test() the tries of a task are shallow copies of one.
        self._plan, self.sql_plan = plan, str(plan)

    @property
    def hook(self) -> OceanBaseHook:
        """The hook of the connection."""
        return OceanBaseHook(oceanbase_conn_id=self.oceanbase_conn_id)

    @property
    def is_dry_run(self) -> bool:
        """``dry_run``, also as rendered text."""
        return check_flag(self.dry_run, "dry_run")

    @property
    def names(self) -> tuple[str, ...]:
        """``tenants``, checked; () for all."""
        return check_tenant_names(self.tenants)

    def check_arguments(self) -> None:
        """:raises ValueError: an argument is not legal; nothing was sent."""
        check_flag(self.dry_run, "dry_run")
        check_tenant_names(self.tenants)

    def read(self, what: Callable[[Dialect], _Value]) -> _Value:
        """Read on one connection."""
        with self.hook.session() as session:
            return what(session.dialect)

    def read_until(self, what: Callable[[Dialect], _Value], accept: Callable[[_Value], bool]) -> _Value | None:
        """Read until ``accept``, for :data:`READ_BACK_SECONDS`; None if it never was. Passing faults are borne.

        :raises OceanBaseServerError: reading failed to the end, or may not be done.
        """
        attempts = Retrying(
            retry=retry_if_result(lambda value: not accept(value)) | retry_if_exception(_is_transient),
            stop=stop_after_delay(READ_BACK_SECONDS),
            wait=wait_fixed(READ_BACK_INTERVAL_SECONDS),
        )
        try:
            seen: _Value = attempts(self.read, what)
        except RetryError as error:
            if error.last_attempt.failed:
                raise error.last_attempt.exception() from None  # type: ignore[misc]
            return None
        return seen

    def send(self, statement: Statement) -> None:
        """Send a statement once, and show it.

        :raises OceanBaseServerError: the server refused it, or the connection was lost.
        """
        self._show(self._plan.sent(statement))
        try:
            self.hook.execute(statement)
        except OceanBaseServerError as error:
            self._show(self._plan.answered(error.errno))
            raise

    def write(
        self, statement: Statement, what: Callable[[Dialect], _Value], accept: Callable[[_Value], bool]
    ) -> _Value:
        """Send a statement once and read until its effect shows.

        :raises OceanBaseServerError: the server refused it, or the connection was lost and no effect shows.
        :raises NotVerifiedError: the server accepted it, but no effect shows.
        """
        failure: OceanBaseServerError | None = None
        try:
            self.send(statement)
        except OceanBaseServerError as error:
            if not error.is_transient:
                raise
            self.log.warning("%s Reading the state instead of sending it again.", error)
            failure = error
        seen = self.read_until(what, accept)
        if seen is not None:
            return seen
        raise failure or NotVerifiedError(
            f"{statement} was accepted, but within {READ_BACK_SECONDS:g} s its effect was not seen on every server"
        )

    def planned(
        self, plan: Sequence[Statement | str], *, sql: Sequence[Statement | str] | None = None
    ) -> dict[str, Any]:
        """The result of a dry run: statements, and words where there is none to show.

        :param sql: what to show as SQL plan instead.
        """
        for line in plan or ("nothing",):
            self.log.info("Dry run, would do: %s", line)
        self._show(self._plan.planned(plan if sql is None else sql))
        return {"changed": False, "dry_run": True, "plan": [str(line) for line in plan]}


class WaitingOperator(OceanBaseOperator):
    """An operator that waits, in the triggerer by default.

    :param deferrable: wait without a worker slot; False keeps it.
    :param poll_interval: seconds between reads while waiting, 1 to 3,600; 15 by default.
    :param timeout: seconds after which the wait ends, 1 to 604,800; 1,800 by default. A shorter
        ``execution_timeout`` bounds it too.
    """

    template_fields: Sequence[str] = (*OceanBaseOperator.template_fields, "sql_plan", "poll_interval", "timeout")

    def __init__(
        self,
        *,
        deferrable: bool = True,
        poll_interval: float | str = 15.0,
        timeout: float | str = 1800.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout

    def check_arguments(self) -> None:
        """:raises ValueError: an argument is not legal; nothing was sent."""
        super().check_arguments()
        self.poll_interval = check_number(self.poll_interval, "poll_interval", 1.0, 3600.0)
        self.timeout = check_number(self.timeout, "timeout", 1.0, 604_800.0)

    def wait_for(
        self, wait: Wait, context: Context, method: str, carry: dict[str, Any], *, seconds: float | None = None
    ) -> Any:
        """Wait, then go on in ``method`` with an ``event`` that holds ``carry``, which must be plain JSON.

        :param seconds: what is left of ``timeout`` when this is not the first wait.
        """
        self.check_arguments()
        longest = float(self.timeout) if seconds is None else seconds
        seen = look(self.hook, wait)
        event: dict[str, Any] | None = None
        if isinstance(seen, ReadFailure):
            self.log.warning("The first look failed: %s", seen.reason)
            event = unreadable_event(seen) if seen.permanent else None
        elif isinstance(seen.verdict, Waiting):
            ProgressLog(self.log).show(seen.verdict, seen.waited)
            wait = seen.wait
        else:
            event = verdict_event(seen.verdict)
        if event is None and self.deferrable:
            return self._defer(wait, context, method, carry, longest)
        return getattr(self, method)(context, event=(event or self._wait_here(wait, longest)) | {"carry": carry})

    def _defer(self, wait: Wait, context: Context, method: str, carry: dict[str, Any], seconds: float) -> NoReturn:
        from airflow_ob_provider.triggers.oceanbase import OceanBaseWaitTrigger

        longest = bound(seconds, self.execution_timeout)
        self.defer(
            trigger=OceanBaseWaitTrigger(
                oceanbase_conn_id=self.oceanbase_conn_id,
                wait=wait.to_wire(),
                poll_interval=float(self.poll_interval),
                label=label_of(context),
                seconds=longest.total_seconds(),
                carry={**carry, _PLAN: self._plan.to_json()},
            ),
            method_name=method,
            timeout=longest + timedelta(seconds=OUTER_SECONDS),
        )
        raise AssertionError("defer() returned")  # pragma: no cover

    def _wait_here(self, wait: Wait, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        budget, progress = FailureBudget(), ProgressLog(self.log)
        while True:
            time.sleep(min(float(self.poll_interval), max(deadline - time.monotonic(), 0.0)))
            seen = look(self.hook, wait)
            if isinstance(seen, ReadFailure):
                self.log.warning("Reading failed (%s in a row): %s", budget.failures + 1, seen.reason)
                if budget.spent_by(seen):
                    return unreadable_event(seen)
            else:
                budget.reset()
                if not isinstance(seen.verdict, Waiting):
                    return verdict_event(seen.verdict)
                progress.show(seen.verdict, seen.waited)
                wait = seen.wait
            if time.monotonic() >= deadline:
                return {"status": "timeout"}

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """A deferral that timed out ends as every other wait that timed out."""
        carry = ((next_kwargs or {}).get("event") or {}).get("carry")
        self._show(SqlPlan.of_json(carry.get(_PLAN) if isinstance(carry, Mapping) else None))
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            return self.timed_out(context)

    def timed_out(self, context: Context) -> Any:  # noqa: ARG002 - operators that go on may need it
        """The scheduler has ended the wait, and what the wait carried is gone with it.

        :raises WaitTimeoutError: always, unless an operator knows better.
        """
        raise self._timeout_error()

    def _timeout_error(self) -> WaitTimeoutError:
        return WaitTimeoutError(
            f"{self.task_id}: still waiting after {float(self.timeout):g} s; the log of the trigger says for what. "
            "Nothing was undone. Raise timeout, or remove the cause and run the task again."
        )

    def settle(self, event: dict[str, Any] | None) -> dict[str, Any]:
        """The summary of a wait that is ready; see :func:`~airflow_ob_provider.triggers.waiting.outcome`.

        :raises WaitTimeoutError: the wait timed out.
        """
        if event and event.get("status") == "timeout":
            raise self._timeout_error()
        return outcome(event, what=self.task_id, log=self.log)


def carried(event: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the task gave to its wait, from the event that ended it."""
    carry = (event or {}).get("carry")
    return {key: value for key, value in carry.items() if key != _PLAN} if isinstance(carry, Mapping) else {}


def _is_transient(error: BaseException) -> bool:
    """Whether a read may succeed when it is repeated; rows of nonsense may be a server in the middle of something."""
    return isinstance(error, UnreadableError) or (isinstance(error, OceanBaseServerError) and error.is_transient)
