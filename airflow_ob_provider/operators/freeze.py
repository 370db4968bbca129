"""Minor freeze: bring the start point of log backup near, so that it starts sooner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.arguments import check_flag
from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    NotVerifiedError,
    OceanBaseServerError,
    WaitReadError,
    WaitRefusedError,
    WaitTimeoutError,
)
from airflow_ob_provider.oceanbase.models import to_json
from airflow_ob_provider.oceanbase.waits import FreezeDone
from airflow_ob_provider.operators.base import WaitingOperator, carried

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from airflow_ob_provider.oceanbase.dialects import Dialect
    from airflow_ob_provider.oceanbase.statements import Statement

_ON_TIMEOUT = ("warn", "fail")
_UNANSWERED = "unanswered"
"""What the wait carries where the answer was lost: only merges then tell that the freeze was done."""


class MinorFreezeOperator(WaitingOperator):
    """Freeze the memtables and wait until they are on disk.

    Log backup starts from the latest minor compaction, so a freeze before it shortens the start; it is not required,
    and so the wait is best effort. The server has no sign of completion: that no frozen memtable is left
    (``gv$memstore_info``, IS_ACTIVE = 0) is the best there is, and on a cluster under heavy load new ones may follow
    without end. Repeating a freeze is harmless, so a retry is safe. One whose answer was lost is looked for; a retry
    sends it again where nothing shows that it was done, or where the server could not be read until the end.

    On 4.x the manual does not advise it: log backup needs none. There the sign is that no mini merge has been under way
    for a while (``GV$OB_TABLET_COMPACTION_PROGRESS`` and ``_HISTORY``).

    :param tenants: tenants to freeze, on 3.x as well; None means all of them.
    :param wait: False returns as soon as memtables are frozen.
    :param on_timeout: when the server refuses the freeze, or it was not seen on disk in time: ``"warn"`` (default)
        succeeds with ``completed`` False, ``"fail"`` fails.
    :return: ``changed``, ``statements``, ``frozen_at`` (the server's clock), ``completed``, ``merges`` (minor merges
        that ended since; 0 is normal on an idle cluster). ``frozen_at`` is None after a deferred wait that timed out.
    """

    template_fields: Sequence[str] = (*WaitingOperator.template_fields, "wait", "on_timeout")

    def __init__(
        self,
        *,
        wait: bool | str = True,
        on_timeout: str = "warn",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait = wait
        self.on_timeout = on_timeout

    def execute(self, context: Context) -> Any:
        """Freeze, then wait."""
        self.check_arguments()
        names = self.names
        waits = check_flag(self.wait, "wait")
        if self.on_timeout not in _ON_TIMEOUT:
            raise ValueError(f"on_timeout must be one of {', '.join(_ON_TIMEOUT)}; not {self.on_timeout!r}")
        statement, tenant_ids, now = self.read(lambda dialect: _prepare(dialect, names))
        if self.is_dry_run:
            return self.planned([statement]) | {"oceanbase_conn_id": self.oceanbase_conn_id}
        result: dict[str, Any] = {
            "oceanbase_conn_id": self.oceanbase_conn_id,
            "changed": True,
            "statements": [str(statement)],
            "frozen_at": to_json(now),
        }
        unanswered: dict[str, str] = {}
        try:
            self.send(statement)
        except OceanBaseServerError as error:
            if error.may_have_happened and waits:
                self.log.warning("Whether memtables are frozen is not known; looking for it: %s", error)
                unanswered = {_UNANSWERED: str(error)}
            elif self.on_timeout == "fail":
                raise
            else:
                self.log.warning("Going on without a freeze; log backup may take longer to start: %s", error)
                # What is answered in passing may have frozen some servers; a refusal has changed nothing.
                sent = result["statements"] if error.is_transient else []
                return result | {"changed": error.is_transient, "statements": sent, "completed": False, "merges": None}
        if not waits:
            return result | {"completed": None}
        wait = FreezeDone(since=now, tenant_ids=tenant_ids)
        return self.wait_for(wait, context, "frozen", result | unanswered)

    def frozen(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG002
        """End of the wait. Best effort: only a freeze that is on disk is called complete, and none stops the DAG."""
        result = dict(carried(event))
        unanswered = result.pop(_UNANSWERED, None)
        try:
            merges = self.settle(event).get("merges")
            if unanswered and not merges:
                raise NotVerifiedError(f"The freeze was not answered, and nothing shows that it was done: {unanswered}")
        except (ArchiveStateError, NotVerifiedError, WaitReadError, WaitRefusedError, WaitTimeoutError) as error:
            if self.on_timeout == "fail":
                raise
            self.log.warning("Going on without a finished freeze; log backup may take longer to start: %s", error)
            return {**result, "completed": False, "merges": None}
        return {**result, "completed": True, "merges": merges}

    def timed_out(self, context: Context) -> Any:
        """Go on with a warning, or fail. What was sent is read from the arguments: the wait's own memory is gone."""
        if self.on_timeout == "fail":
            return super().timed_out(context)
        self.log.warning("Going on without a finished freeze; log backup may take longer to start: not on disk in time")
        try:
            sent = [str(self.read(lambda dialect: dialect.minor_freeze(self.names)))]
        except (OceanBaseServerError, ValueError) as error:
            self.log.warning("What was sent cannot be shown: %s", error)
            sent = []
        return {
            "oceanbase_conn_id": self.oceanbase_conn_id,
            "changed": True,
            "statements": sent,
            "frozen_at": None,
            "completed": False,
            "merges": None,
        }


def _prepare(dialect: Dialect, names: tuple[str, ...]) -> tuple[Statement, tuple[int, ...], datetime]:
    tenants = {tenant.name: tenant.tenant_id for tenant in dialect.tenants()}
    unknown = [name for name in names if name not in tenants]
    if unknown:
        raise ValueError(f"tenants: {', '.join(unknown)} do not exist; the cluster has {', '.join(tenants) or 'none'}")
    return dialect.minor_freeze(names), tuple(tenants[name] for name in names), dialect.server_time()
