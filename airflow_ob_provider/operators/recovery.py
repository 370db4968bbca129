"""From a log backup that broke off to one that can be restored again: look, and end by force what does not stop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.arguments import check_flag, check_number
from airflow_ob_provider.exceptions import (
    ArchiveStateError,
    NotVerifiedError,
    OceanBaseError,
    ReportStoreError,
    RequestRefusedError,
)
from airflow_ob_provider.oceanbase.breaks import STUCK_SECONDS, BreakHistory, ForceStop, Lag
from airflow_ob_provider.oceanbase.destination import Destination, WantedDestination
from airflow_ob_provider.oceanbase.models import ArchiveState, Scope
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.waits import ArchiveStopped
from airflow_ob_provider.oceanbase.words import LANGUAGES
from airflow_ob_provider.operators.base import OceanBaseOperator, WaitingOperator, carried
from airflow_ob_provider.operators.compliance import default_report_path
from airflow_ob_provider.operators.settings import wanted_destination
from airflow_ob_provider.operators.tenantwise import TenantwiseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_ob_provider.oceanbase.catalog import BackupCatalog
    from airflow_ob_provider.oceanbase.dialects import Dialect
    from airflow_ob_provider.oceanbase.version import OceanBaseVersion

_CANCEL_LOOKS = 9
"""Looks of :data:`~airflow_ob_provider.operators.base.READ_BACK_SECONDS` each whether it is gone: 3 minutes."""


class DiagnoseArchiveOperator(OceanBaseOperator):
    """Say what is wrong with log backup, by evidence, and which steps are left until it can be restored again.

    It only reads: the backup catalog, the RootService's event history and the OBServers; five to ten queries. Running
    it again is always safe, and it is meant to be run between the steps: the plan is made of what the server shows, so
    one that was interrupted goes on. Log backup that archives is never planned to be stopped, but by a move.

    A class needs evidence: a code or reason in COMMENT or in an event of the round (4.x, 3.x), or the sign that the
    community FAQ knows (3.x, a round that never got past its start). What has none is ``unknown``, and a person looks.

    :param oceanbase_conn_id: SELECT on ``oceanbase.*`` in tenant sys. A user tenant of 4.x sees itself without events.
    :param tenants: 4.x, as everywhere; a name that no NORMAL user tenant has is told as not judged.
    :param destination: plan a move of log backup there (see
        :class:`~airflow_ob_provider.operators.settings.SetBackupDestinationOperator`) instead of a recovery.
    :param dest_conn_id: as there; only its endpoint counts here.
    :param stuck_after: seconds after which STOPPING and SUSPENDING count as stuck, 60 to 86,400; 600 by default, the
        time after which 4.2.3+ ends STOPPING itself. By the server's events.
    :param waited: seconds that somebody has seen it in STOPPING or SUSPENDING, 0 to 604,800: where no event tells since
        when.
    :param stop_suspended: plan to stop (a gap) a round that is stuck in SUSPENDING, instead of waiting for a person to
        repair its destination.
    :param report_path: folder of the compliance checks, whose lag history is told; by default ``[oceanbase]
        report_path``. One that cannot be read is told, and stops nothing.
    :param language: of the table in the log, ``en`` or ``zh``; the result has both.
    :return: ``tenants`` (by name; 3.x: ``cluster``): ``state``, ``status``, ``round``, ``class``, ``classes``,
        ``evidence``, ``runbook`` (en, zh), ``needs_person``, ``is_stuck``, ``since``, ``ends_after``, ``steps``,
        ``reason`` (en, zh), ``gap`` (None, or ``from``, ``to``, ``is_new``, ``tenants``, ``full_backups``, ``words``,
        ``writes``), ``unknown`` (why it is not judged); ``needs``: all steps of all of them, sorted; ``by_step``: whom
        each is for, where it is for anybody, as :func:`~airflow_ob_provider.task_groups.restart.restart_group` takes
        it; ``unknown``; ``is_done``: nothing is left, and that is known; ``plan_markdown`` (en, zh); ``read_at``,
        ``version``, ``scope``.
    :raises ArchiveStateError: none of the tenants (or not the cluster) can be judged.
    """

    template_fields: Sequence[str] = (
        *OceanBaseOperator.template_fields,
        "destination", "dest_conn_id", "stuck_after", "waited", "stop_suspended", "report_path", "language",
    )  # fmt: skip
    overwrite_rtif_after_execution = False
    ui_color = "#e3f1e3"

    def __init__(
        self,
        *,
        destination: str | None = None,
        dest_conn_id: str | None = None,
        stuck_after: float | str = STUCK_SECONDS,
        waited: float | str = 0.0,
        stop_suspended: bool | str = False,
        report_path: str | None = None,
        language: str = "en",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.dest_conn_id = dest_conn_id
        self.stuck_after = stuck_after
        self.waited = waited
        self.stop_suspended = stop_suspended
        self.report_path = report_path
        self.language = language

    def execute(self, context: Context) -> dict[str, Any]:
        """Read, judge, plan."""
        from airflow_ob_provider.oceanbase.recovery import diagnose, plan_markdown, plan_move, plan_recovery
        from airflow_ob_provider.oceanbase.recovery.told import recovery_result, recovery_title

        self.check_arguments()
        names = self.names
        stuck_after = check_number(self.stuck_after, "stuck_after", 60.0, 86_400.0)
        waited = check_number(self.waited, "waited", 0.0, 604_800.0)
        stop_suspended = check_flag(self.stop_suspended, "stop_suspended")
        if self.language not in LANGUAGES:
            raise ValueError(f"language must be en or zh, not {self.language!r}")
        wanted = wanted_destination(self.destination, self.dest_conn_id)

        def read(dialect: Dialect) -> tuple[BackupCatalog, BreakHistory, OceanBaseVersion]:
            if dialect.version.archive_unusable:
                raise ArchiveStateError(dialect.version.archive_unusable)
            dialect.check_scope(names)
            return dialect.backup_catalog(), dialect.break_history(), dialect.version

        catalog, history, version = self.read(read)
        found = diagnose(
            catalog, history, version, tenants=names, stuck_after=stuck_after, waited=waited, lags=self._lags()
        )
        if wanted is None:
            plan = plan_recovery(found, stop_suspended=stop_suspended)
        else:
            plan = plan_move(found, wanted, cluster=catalog.cluster)
        text = plan_markdown(found, plan, title=recovery_title(self.oceanbase_conn_id, wanted))
        self.log.info("%s", text.zh if self.language == "zh" else text.en)
        result = recovery_result(self.oceanbase_conn_id, catalog, found, plan, text)
        if not any(not diagnosis.refusal for diagnosis in found):
            context["ti"].xcom_push(key="return_value", value=result)
            whys = "; ".join(f"{place}: {why}" for place, why in plan.refused.items())
            raise ArchiveStateError(
                f"log backup of {self.oceanbase_conn_id} cannot be judged, so nothing is planned: "
                f"{whys or 'there is no NORMAL user tenant'}"
            )
        for place, why in plan.refused.items():
            self.log.warning("%s: %s", place, why)
        return result

    def _lags(self) -> list[Lag]:
        """What earlier compliance checks have seen; they need not have been."""
        from airflow_ob_provider.compliance.store import ReportStore

        try:
            _, samples = ReportStore(self.report_path or default_report_path(), self.oceanbase_conn_id).state()
        except (ReportStoreError, ValueError) as error:
            self.log.warning("The lag history is not told: %s", error)
            return []
        return [
            Lag(datetime.fromisoformat(one["checked_at"]), float(one["delay"]), str(one["tenantName"]))
            for one in samples
            if one["delay"] is not None
        ]


class ForceStopArchiveOperator(TenantwiseOperator, WaitingOperator):
    """3.1.3+: end a round that is stuck in STOPPING: ``ALTER SYSTEM CANCEL ALL BACKUP FORCE``, then a new destination.

    **The statement cancels every backup of the cluster, a running data backup too, and empties ``backup_dest`` and
    ``backup_backup_dest``.** The server refuses (9026) a directory that this cluster has archived to before, even the
    one that was set until now, so an empty one must be known before it is sent. Whether it can be written only the next
    start proves.

    It is sent in STOPPING only, once: log backup that archives, or is INTERRUPTED, is refused (StopArchivelogOperator
    stops it). Run again at any point it goes on from what the server shows: STOPPING without a destination is waited
    for, STOP without one gets the new one, STOP with one is left alone. ``backup_backup_dest`` is not set again; the
    result tells what it was. 4.x has no such statement: from 4.2.3 on its server ends STOPPING after 10 minutes.

    Privilege: ALTER SYSTEM, SELECT on ``oceanbase.*``, tenant sys.

    :param confirm: must be True: nobody sends this by copying a line.
    :param destination: where log backup is to go then: an empty directory this cluster has never archived to, as
        :class:`~airflow_ob_provider.operators.settings.SetBackupDestinationOperator` takes it.
    :param dest_conn_id: connection with the keys of an object store.
    :param cancel_data_backup: allow it while a data backup runs, which it cancels.
    :return: ``changed``, ``forced``, ``statements`` (redacted), ``before`` and ``after`` (the destination, redacted),
        ``second_destination`` (``backup_backup_dest`` before, redacted; '' if none), ``state``, ``round``.
    :raises ValueError: an argument is not legal; nothing was sent.
    :raises RequestRefusedError: the version has no such statement, ``destination`` is the one that is set now, or a
        data backup runs; nothing was sent.
    :raises ArchiveStateError: log backup is not STOPPING; nothing was sent.
    :raises WaitTimeoutError: it is still not STOP after ``timeout``.
    :raises NotVerifiedError: the state cannot be read, or a data backup is still being cancelled; another try goes on.
    """

    template_fields: Sequence[str] = (
        *WaitingOperator.template_fields, "confirm", "destination", "dest_conn_id", "cancel_data_backup",
    )  # fmt: skip
    ui_color = "#ffd9d0"

    def __init__(
        self,
        *,
        confirm: bool | str = False,
        destination: str | None = None,
        dest_conn_id: str | None = None,
        cancel_data_backup: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.confirm = confirm
        self.destination = destination
        self.dest_conn_id = dest_conn_id
        self.cancel_data_backup = cancel_data_backup

    def check_arguments(self) -> None:
        """:raises ValueError: an argument is not legal, or ``confirm`` is missing; nothing was sent."""
        super().check_arguments()
        check_flag(self.cancel_data_backup, "cancel_data_backup")
        if not check_flag(self.confirm, "confirm") and not self.is_dry_run:
            raise ValueError(
                "confirm must be True: CANCEL ALL BACKUP FORCE cancels every backup of the cluster, a running data "
                "backup too, and empties backup_dest and backup_backup_dest"
            )

    def execute(self, context: Context) -> Any:
        """Look, send at most once, wait for STOP, set the destination."""
        self.check_arguments()
        wanted = self._wanted()
        seen = self._look(wanted)
        result: dict[str, Any] = {
            "oceanbase_conn_id": self.oceanbase_conn_id,
            "changed": False,
            "forced": False,
            "statements": [],
            "before": seen.before,
            "after": seen.before,
            "second_destination": seen.second,
            "state": str(seen.state),
            "round": seen.round_id,
        }
        if seen.state is ArchiveState.STOP:
            if self.is_dry_run:
                return result | self.planned(seen.statements)
            return self._stopped(result, seen, context)
        self._refuse_state(seen)
        if not seen.is_emptied:
            self._refuse_same(seen)
            self._refuse_data_backup(seen)
        if self.is_dry_run:
            return result | self.planned(seen.statements)
        if not seen.is_emptied:
            self._force(wanted, seen, result)
        return self.wait_for(ArchiveStopped(), context, "resume", result)

    def resume(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """End of the wait for STOP."""
        result = carried(event)
        self.settle(event)
        return self._stopped(result, self._look(self._wanted()), context)

    def _wanted(self) -> Destination:
        wanted = wanted_destination(self.destination, self.dest_conn_id)
        if wanted is None:
            raise ValueError(
                "destination is missing: CANCEL ALL BACKUP FORCE empties backup_dest, and the server takes no "
                "directory that this cluster has archived to before (9026), so name an empty one"
            )
        return wanted

    def _look(self, wanted: Destination) -> ForceStop:
        names = self.names

        def read(dialect: Dialect) -> ForceStop:
            dialect.check_scope(names)
            return dialect.force_stop_state(wanted)

        try:
            seen = self.read_until(read, lambda found: found.is_settled) or self.read(read)
            if seen.state is ArchiveState.STOP and not (seen.is_emptied or seen.is_wanted):
                # A force of a try before, whose effect has not reached the servers yet, looks the same.
                seen = self.read_until(read, lambda found: found.is_emptied or found.is_wanted) or seen
        except UnreadableError as error:
            raise NotVerifiedError(f"{error}, so nothing was sent") from None
        except ValueError as error:
            raise RequestRefusedError(str(error)) from None
        return seen

    def _refuse_state(self, seen: ForceStop) -> None:
        where = f"log backup is {seen.status} (round {seen.round_id}); nothing was sent"
        if seen.state is ArchiveState.UNKNOWN:
            raise NotVerifiedError(f"{where}. Whether it is stuck is not known; the next try reads again")
        if seen.state is not ArchiveState.STOPPING:
            raise ArchiveStateError(
                f"{where}. A stop by force is for a round that is stuck in STOPPING; StopArchivelogOperator stops one "
                "that is not"
            )

    def _refuse_same(self, seen: ForceStop) -> None:
        if seen.is_wanted:
            raise RequestRefusedError(
                f"{seen.before} is the destination that is set now; nothing was sent. CANCEL ALL BACKUP FORCE empties "
                "it, and the server does not take a directory again that this cluster has archived to (9026): name an "
                "empty one"
            )

    def _refuse_data_backup(self, seen: ForceStop) -> None:
        if not seen.data_backup_runs:
            return
        if not check_flag(self.cancel_data_backup, "cancel_data_backup"):
            raise RequestRefusedError(
                "a data backup runs, and CANCEL ALL BACKUP FORCE cancels it; nothing was sent. Wait for its end, or "
                "allow it with cancel_data_backup=True"
            )
        self.log.warning("A data backup runs; CANCEL ALL BACKUP FORCE cancels it, as was allowed")

    def _force(self, wanted: Destination, seen: ForceStop, result: dict[str, Any]) -> None:
        """Send it once; its first effect is that the destination is gone, on every server within some seconds."""
        if seen.second:
            self.log.warning("backup_backup_dest (%s) is emptied as well, and is not set again", seen.second)
        self.log.warning("Ending round %s by force. From here on backup_dest is empty until it is set", seen.round_id)
        statement = self.read(lambda dialect: dialect.force_stop_archive())
        self.write(statement, lambda dialect: dialect.force_stop_state(wanted), lambda found: found.is_emptied)
        result["statements"].append(str(statement))
        result |= {"changed": True, "forced": True}

    def _stopped(self, result: dict[str, Any], seen: ForceStop, context: Context) -> dict[str, Any]:
        result |= {"state": str(seen.state), "after": seen.before}
        if seen.state is not ArchiveState.STOP:
            raise ArchiveStateError(
                f"log backup was STOP and is {seen.status} (round {seen.round_id}) now: somebody has changed it. The "
                f"destination is {seen.before}; it was not set"
            )
        if not seen.is_emptied:
            word = "the wanted one" if seen.is_wanted else "kept: there is no need for another one"
            self.log.info("Log backup is STOP, and its destination (%s) is %s", seen.before, word)
            return result
        self._await_data_backup(seen)
        wanted = WantedDestination(self._wanted())
        try:
            made = self.apply(lambda dialect, names: dialect.plan_destination(wanted, names), context)
        except (OceanBaseError, ValueError):
            self.log.error(
                "Log backup is STOP and backup_dest is EMPTY: nothing can be archived until it is set. Run this task "
                "again with an empty directory that this cluster has never archived to"
            )
            raise
        result["statements"] += made["statements"]
        return result | {"changed": True, "after": made["after"][str(Scope.CLUSTER)]}

    def _await_data_backup(self, seen: ForceStop) -> None:
        """A data backup that was cancelled is cleaned up first; as long as it is there, the server answers 9036."""
        for _ in range(_CANCEL_LOOKS):
            if not seen.data_backup_runs:
                return
            self.log.info("Waiting until the cancelled data backup is gone; backup_dest can be set then")
            found = self.read_until(
                lambda dialect: dialect.force_stop_state(self._wanted()), lambda found: not found.data_backup_runs
            )
            seen = found or seen
        raise NotVerifiedError(
            "log backup is STOP and backup_dest is empty, but a data backup is still being cancelled, so that it "
            "cannot be set yet (9036); the next try goes on from there"
        )
