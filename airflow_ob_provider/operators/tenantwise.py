"""Operators that may change several tenants, each for itself: one that fails never hides or stops another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_ob_provider.exceptions import (
    OceanBaseError,
    OceanBaseServerError,
    RequestRefusedError,
    TenantsFailedError,
    TenantsRefusedError,
)
from airflow_ob_provider.oceanbase.changes import Change
from airflow_ob_provider.oceanbase.dialects import Dialect
from airflow_ob_provider.oceanbase.models import Scope
from airflow_ob_provider.operators.base import OceanBaseOperator
from airflow_ob_provider.triggers.waiting import ON_PARTIAL_FAILURE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_ob_provider.oceanbase.statements import Statement

Plan = Callable[[Dialect, Sequence[str]], tuple[Change, ...]]


class TenantwiseOperator(OceanBaseOperator):
    """An operator that may change several tenants: one that fails never hides or stops another.

    :param on_partial_failure: what to do when some tenants have failed and others have not: ``"fail"`` (default) the
        task when all have had their turn, or ``"continue"``, so that tasks behind it go on with ``tenants`` of the
        result. A failure that may heal is tried again first, as long as the task has retries. When all have failed, so
        does the task.
    """

    template_fields: Sequence[str] = (*OceanBaseOperator.template_fields, "sql_plan", "on_partial_failure")

    def __init__(self, *, on_partial_failure: str = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_partial_failure = on_partial_failure

    def check_arguments(self) -> None:
        """:raises ValueError: an argument is not legal; nothing was sent."""
        super().check_arguments()
        if self.on_partial_failure not in ON_PARTIAL_FAILURE:
            raise ValueError(
                f"on_partial_failure must be one of {', '.join(ON_PARTIAL_FAILURE)}; not {self.on_partial_failure!r}"
            )

    def conclude(
        self, result: dict[str, Any], failures: Mapping[str, Exception], succeeded: Sequence[str], context: Context
    ) -> dict[str, Any]:
        """The result, with ``tenants`` that succeeded and ``failed`` ones with their reasons.

        It is in XCom also when this raises; ``tenants`` are there under a key of their own as well, for the tasks that
        go on with them: ``tenants=XComArg(task, "tenants")``.

        :raises Exception: the one failure, or :class:`~airflow_ob_provider.exceptions.TenantsFailedError` or
            :class:`~airflow_ob_provider.exceptions.TenantsRefusedError` for several.
        """
        result |= {"tenants": list(succeeded), "failed": {name: str(error) for name, error in failures.items()}}
        ti = context["ti"]
        ti.xcom_push(key="tenants", value=result["tenants"])
        if not failures:
            return result
        ti.xcom_push(key="return_value", value=result)
        heals = any(not isinstance(error, AirflowFailException) for error in failures.values())
        tries_left = ti.try_number <= int(getattr(ti, "max_tries", 0) or 0)
        if succeeded and self.on_partial_failure == "continue" and not (heals and tries_left):
            for name, error in failures.items():
                self.log.error("Failed: %s", _named(name, error))
            self.log.warning("Going on with the tenants that have not failed: %s", ", ".join(succeeded))
            return result
        if len(failures) == 1 and not succeeded:
            raise next(iter(failures.values()))
        text = "; ".join(_named(name, error) for name, error in failures.items())
        message = f"{len(failures)} of {len(failures) + len(succeeded)} tenants failed. {text}"
        raise TenantsFailedError(message) if heals else TenantsRefusedError(message)

    def apply(
        self, plan: Plan, context: Context, *, approve: Callable[[Sequence[Change]], None] | None = None
    ) -> dict[str, Any]:
        """Read, change what differs, read back; place by place.

        :param plan: what each place lacks. It is asked again after each statement, and must have got shorter.
        :param approve: looks at all changes before the first is made.
        """
        names = self.names
        read = lambda dialect: plan(dialect, names)  # noqa: E731
        changes = self.read_until(read, lambda found: all(change.settled for change in found)) or self.read(read)
        for change in changes:
            self.log.info("%s: %s", change.place, _described(change))
        dry_run = self.is_dry_run
        failures: dict[str, Exception] = {
            change.place: RequestRefusedError(f"{change.place}: {change.refusal}")
            for change in changes
            if change.refusal and not (dry_run and change.unset)
        }
        if dry_run:
            lines: list[Statement | str] = [statement for change in changes for statement in change.statements]
            lines += [f"{change.place}: {change.refusal}" for change in changes if change.refusal and change.unset]
            return self.conclude(self.planned(lines), failures, _succeeded(changes, failures), context)
        if approve:
            approve(changes)
        if not changes:
            raise RequestRefusedError("there is no NORMAL user tenant, so there is nothing to set")
        sent: list[str] = []
        after = {change.place: change.before for change in changes}
        for change in changes:
            if change.place in failures:
                continue
            try:
                self._change(plan, change, sent, after)
            except (OceanBaseError, ValueError) as error:
                failures[change.place] = error
                if isinstance(error, OceanBaseServerError) and error.is_transient:
                    self.read(read)  # a server that cannot be reached at all ends it for every tenant
        result = {
            "changed": bool(sent),
            "statements": sent,
            "before": {change.place: change.before for change in changes},
            "after": after,
        }
        return self.conclude(result, failures, _succeeded(changes, failures), context)

    def _change(self, plan: Plan, change: Change, sent: list[str], after: dict[str, str]) -> None:
        names = () if change.scope is Scope.CLUSTER else (change.place,)

        def read(dialect: Dialect) -> Change:
            return next(found for found in plan(dialect, names) if found.place == change.place)

        while change.statements:
            statement, left = change.statements[0], len(change.statements)
            change = self.write(
                statement,
                read,
                lambda found, left=left: found.settled and not found.refusal and len(found.statements) < left,  # type: ignore[misc]
            )
            sent.append(str(statement))
            after[change.place] = change.before


def _named(name: str, error: Exception) -> str:
    text = str(error)
    return text if text.startswith(f"{name}:") else f"{name}: {text}"


def _described(change: Change) -> str:
    if change.refusal:
        return f"refused, {change.refusal}"
    return f"{change.before} becomes {change.after}" if change.statements else f"stays {change.before}"


def _succeeded(changes: Sequence[Change], failures: Mapping[str, Exception]) -> list[str]:
    """Tenants to go on with; none for a cluster, which goes on as a whole."""
    return [change.place for change in changes if change.place not in failures and change.scope is Scope.TENANT]
