"""What the sensors on log backup have in common: look once, wait in the triggerer or poke, end alike in every mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from airflow.sdk import BaseSensorOperator, XComArg
from airflow.sdk.bases.sensor import PokeReturnValue
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferralTimeout,
)

from airflow_ob_provider.arguments import check_number
from airflow_ob_provider.exceptions import WaitReadError
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.links.oceanbase import TASK_LINKS
from airflow_ob_provider.oceanbase.models import Scope
from airflow_ob_provider.oceanbase.waits import (
    ArchiveDoing,
    BackupDone,
    CheckpointPassed,
    PiecesReady,
    Terminal,
    Wait,
    Waiting,
    from_wire,
)
from airflow_ob_provider.triggers.waiting import (
    ON_PARTIAL_FAILURE,
    OUTER_SECONDS,
    FailureBudget,
    Look,
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

_Result = TypeVar("_Result")
TenantWait = ArchiveDoing | BackupDone | CheckpointPassed | PiecesReady


class OceanBaseSensor(BaseSensorOperator):
    """Base of the sensors: one decision in every mode, and the same outcome.

    A state that cannot heal raises :class:`~airflow_ob_provider.exceptions.ArchiveStateError` at once. Passing read
    faults are borne: at least five in a row over at least two minutes end the wait with
    :class:`~airflow_ob_provider.exceptions.WaitReadError`, which Airflow retries; with ``silent_fail``, and in
    reschedule mode, where no count survives, only the timeout does. Sensors read only, so a retry is always safe. They
    need SELECT on ``oceanbase.*`` in tenant sys.

    :param oceanbase_conn_id: connection to read from.
    :param deferrable: wait in the triggerer, without a worker slot. Default True; False waits by ``mode``.
    :param poke_interval: seconds between reads, 15 by default: the server itself steps every 10 s.
    :param timeout: seconds after which the wait fails, 1,800 by default.
    :param on_partial_failure: ``"fail"`` (default) when one of the named ``tenants`` can never be what is waited for,
        or ``"continue"`` with the others (4.x, deferrable only): the result then has ``failed`` ones with their
        reasons, those that are left stand in XCom under ``tenants``, and the task fails when none is left.
    """

    template_fields: Sequence[str] = ("oceanbase_conn_id", "tenants", "poke_interval", "timeout", "on_partial_failure")
    ui_color = "#d7ecff"
    operator_extra_links = TASK_LINKS

    def __init__(
        self,
        *,
        oceanbase_conn_id: str = OceanBaseHook.default_conn_name,
        tenants: Sequence[str] | XComArg | None = None,
        deferrable: bool = True,
        poke_interval: timedelta | float | str = 15.0,
        timeout: timedelta | float | str = 1800.0,
        on_partial_failure: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=15.0 if isinstance(poke_interval, str) else poke_interval,
            timeout=1800.0 if isinstance(timeout, str) else timeout,
            **kwargs,
        )
        # Airflow takes numbers only here; a template becomes one when it is rendered.
        if isinstance(poke_interval, str):
            self.poke_interval = poke_interval  # type: ignore[assignment]
        if isinstance(timeout, str):
            self.timeout = timeout  # type: ignore[assignment]
        self.oceanbase_conn_id = oceanbase_conn_id
        self.tenants = tenants
        self.deferrable = deferrable
        self.on_partial_failure = on_partial_failure

    def wanted(self) -> Wait:
        """What to wait for.

        :raises ValueError: an argument is not legal.
        """
        raise NotImplementedError

    @property
    def hook(self) -> OceanBaseHook:
        """The hook of the connection."""
        return OceanBaseHook(oceanbase_conn_id=self.oceanbase_conn_id)

    def execute(self, context: Context) -> Any:
        """Look once, then wait in the triggerer; or poke."""
        self.take_limits()
        self.check_arguments(context)
        self.lengthen()
        if self.deferrable:
            return self._flagged(lambda: self._look_and_defer(context))
        return self._flagged(lambda: self._poke_on(context))

    def _poke_on(self, context: Context) -> Any:
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            raise self._timeout_error(self.__dict__.get("_poke_reason")) from error

    def take_limits(self) -> None:
        """Numbers of what may be rendered templates, in each process anew.

        :raises ValueError: one of them is not legal.
        """
        self.poke_interval = check_number(self.poke_interval, "poke_interval", 0.0, 86_400.0)
        self.timeout = check_number(self.timeout, "timeout", 0.0, 31_536_000.0)

    def lengthen(self) -> None:
        """Give a wait the time that it may need on a healthy server; a hook for sensors that know it."""

    def check_arguments(self, context: Context) -> None:  # noqa: ARG002 - the checkpoint sensor needs it
        """Before any flag can turn a mistake into a skipped task, or into a wait for nothing, and before any SQL.

        :raises ValueError: an argument, or a field of the connection, is not legal.
        :raises AirflowNotFoundException: there is no such connection.
        """
        self.wanted()
        if self.on_partial_failure not in ON_PARTIAL_FAILURE:
            raise ValueError(
                f"on_partial_failure must be one of {', '.join(ON_PARTIAL_FAILURE)}; not {self.on_partial_failure!r}"
            )
        if self._goes_on and not self.deferrable:
            raise ValueError("on_partial_failure='continue' needs deferrable=True")
        _ = self.hook.settings

    def _look_and_defer(self, context: Context) -> Any:
        wait = self.wanted()
        seen = look(self.hook, wait)
        if isinstance(seen, ReadFailure):
            self.log.warning("The first look failed: %s", seen.reason)
            if seen.permanent:
                return self._conclude(unreadable_event(seen), wait, {}, context)
        elif isinstance(seen.verdict, Waiting):
            ProgressLog(self.log).show(seen.verdict, seen.waited)
            wait = seen.wait
        else:
            return self._conclude(verdict_event(seen.verdict), seen.wait, {}, context)
        return self._defer(wait, context)

    @property
    def _goes_on(self) -> bool:
        return self.on_partial_failure == "continue"

    def _conclude(self, event: dict[str, Any], wait: Wait, failed: dict[str, str], context: Context) -> Any:
        """The result; or, where some tenants have failed and others have not, go on with those."""
        if not self._goes_on:
            return self._settle(event)
        wait = cast("TenantWait", wait)
        status = event.get("status")
        reason = f"{event.get('reason') or 'it could not be read in time'}. {event.get('hint') or ''}".rstrip()
        seen = look(self.hook, wait) if status in {"terminal", "timeout"} else None
        if isinstance(seen, Look):
            failed |= self._failures(wait, seen, timed_out=status == "timeout")
            left = tuple(name for name in wait.tenants if name not in failed)
            if left and len(left) < len(wait.tenants):
                for name in failed:
                    self.log.error("Failed: %s: %s", name, failed[name])
                self.log.warning("Going on with the tenants that have not failed: %s", ", ".join(left))
                return self._again(replace(wait, tenants=left), seen, failed, context)
            if status == "timeout" and isinstance(seen.verdict, Waiting):
                reason = seen.verdict.reason
        if status != "ready":
            everybody = dict.fromkeys(wait.tenants or [str(Scope.CLUSTER)], reason)
            context["ti"].xcom_push(key="return_value", value={"failed": everybody | failed})
            if status == "timeout":
                raise self._timeout_error(reason)
        result = self._settle(event)
        context["ti"].xcom_push(key="tenants", value=list(wait.tenants))
        return result | {"failed": failed}

    def _failures(self, wait: TenantWait, seen: Look, *, timed_out: bool) -> dict[str, str]:
        """Tenants that can never be what is waited for, or are not in time."""
        found = {}
        for name in wait.tenants:
            verdict = replace(wait, tenants=(name,)).judge(seen.snapshot)
            if isinstance(verdict, Terminal):
                found[name] = f"{verdict.reason}. {verdict.hint}"
            elif isinstance(verdict, Waiting) and timed_out:
                found[name] = f"not within {self.timeout:g} s: {verdict.reason}"
        return found

    def _again(self, wait: TenantWait, seen: Look, failed: dict[str, str], context: Context) -> Any:
        verdict = wait.judge(seen.snapshot)
        if isinstance(verdict, Waiting):
            return self._defer(wait, context, failed)
        return self._conclude(verdict_event(verdict), wait, failed, context)

    def _defer(self, wait: Wait, context: Context, failed: dict[str, str] | None = None) -> NoReturn:
        from airflow_ob_provider.triggers.oceanbase import OceanBaseWaitTrigger

        longest = bound(self.timeout, self.execution_timeout)
        self.defer(
            trigger=OceanBaseWaitTrigger(
                oceanbase_conn_id=self.oceanbase_conn_id,
                wait=wait.to_wire(),
                poll_interval=self.poke_interval,
                label=label_of(context),
                patient=self.silent_fail,
                seconds=longest.total_seconds(),
                carry={"wait": wait.to_wire(), "failed": failed or {}} if self._goes_on else None,
            ),
            method_name="execute_complete",
            timeout=longest + timedelta(seconds=OUTER_SECONDS),
        )
        raise AssertionError("defer() returned")  # pragma: no cover

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Turn the trigger's event into a result or an error."""
        carry = (event or {}).get("carry")
        if event and carry and self._goes_on:
            self.take_limits()
            self.lengthen()
            return self._conclude(event, from_wire(carry["wait"]), dict(carry["failed"]), context)
        if event and event.get("status") == "timeout":
            self.take_limits()
            self.lengthen()
            raise self._timeout_error(event.get("reason"))
        return outcome(event, what=self.task_id, log=self.log)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """A wait that the scheduler had to end, as it did not end itself, fails as every other that timed out."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as error:
            if not isinstance(error.__cause__, TaskDeferralTimeout):
                raise
            self.take_limits()
            raise self._timeout_error() from error

    def _timeout_error(self, reason: str | None = None) -> AirflowSensorTimeout:
        limit = bound(self.timeout, self.execution_timeout).total_seconds()
        reason = (reason or "the log of the trigger says for what it waited").rstrip(".")
        return AirflowSensorTimeout(
            f"{self.task_id}: not within {limit:g} s: {reason}. "
            "Raise timeout, or remove the cause and run the task again."
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; False while it is not there yet."""
        wait = self._remembered(context)
        seen = look(self.hook, wait)
        if isinstance(seen, ReadFailure):
            self.__dict__["_poke_reason"] = f"the state could not be read: {seen.reason}"
            self.log.warning("Reading failed (%s in a row): %s", self._budget.failures + 1, seen.reason)
            if self._budget.spent_by(seen):
                self._settle(unreadable_event(seen))
            return PokeReturnValue(is_done=False)
        self._budget.reset()
        self._remember(seen.wait, context)
        if isinstance(seen.verdict, Waiting):
            self.__dict__["_poke_reason"] = seen.verdict.reason
            self._progress.show(seen.verdict, seen.waited)
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._settle(verdict_event(seen.verdict)))

    def _settle(self, event: dict[str, Any]) -> dict[str, Any]:
        return outcome(event, what=self.task_id, log=self.log)

    @property
    def _budget(self) -> FailureBudget:
        budget: FailureBudget = self.__dict__.setdefault("_poke_budget", FailureBudget(patient=self.silent_fail))
        return budget

    @property
    def _progress(self) -> ProgressLog:
        progress: ProgressLog = self.__dict__.setdefault("_poke_progress", ProgressLog(self.log))
        return progress

    # The first look fixes moments on the server's clock. Between pokes they live in this object; between the
    # processes of reschedule mode in the task's state store, which Airflow has from 3.3 on.

    def _remembered(self, context: Context) -> Wait:
        wait: Wait | None = self.__dict__.get("_poke_wait")
        store = self._store(context)
        if wait is None and store is not None:
            stored = store.get(self._store_key(context))
            wait = from_wire(stored) if isinstance(stored, dict) else None
        return wait or self.wanted()

    def _remember(self, wait: Wait, context: Context) -> None:
        if self.__dict__.get("_poke_wait") == wait:
            return
        self.__dict__["_poke_wait"] = wait
        store = self._store(context)
        if store is not None:
            store.set(self._store_key(context), wait.to_wire())

    def _store(self, context: Context) -> Any:
        return context.get("task_state_store") if self.reschedule else None

    @staticmethod
    def _store_key(context: Context) -> str:
        return f"oceanbase-wait-{context['ti'].try_number}"

    def _flagged(self, run: Callable[[], _Result]) -> _Result:
        """Give ``soft_fail`` and ``never_fail`` in every mode the outcome that they have after a deferral."""
        try:
            return run()
        except (AirflowFailException, AirflowSensorTimeout, WaitReadError) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"skipped by soft_fail or never_fail: {error}") from error
            raise
