"""Sensors on log backup: that it runs, that its pieces are usable, that everything up to a moment is archived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import XComArg
from airflow.sdk.exceptions import AirflowException

from airflow_ob_provider.arguments import check_round, check_rounds
from airflow_ob_provider.oceanbase.models import PieceStatus
from airflow_ob_provider.oceanbase.statements import check_tenant_names
from airflow_ob_provider.oceanbase.waits import ArchiveDoing, CheckpointPassed, PiecesReady
from airflow_ob_provider.sensors.base import OceanBaseSensor

if TYPE_CHECKING:
    from airflow.sdk import Context


class ArchiveDoingSensor(OceanBaseSensor):
    """Wait until log backup is DOING, for the cluster and every user tenant.

    INTERRUPTED fails at once with the recovery steps; STOP, and on 4.x SUSPEND, fails when it is seen later than a
    minute (of the server's clock) after the first look; a status the manuals do not know is waited out. Source:
    CDB_OB_BACKUP_ARCHIVELOG, on 4.x CDB_OB_ARCHIVELOG, LOG_MODE and the destination's state; the manual's step "STATUS
    is DOING" looks at one row, here all must be.

    :param tenants: user tenants that must be DOING; None means all that exist (4.x: all that are NORMAL, also those
        that were created after the start, which 4.x does not archive).
    :param min_round: round that must have begun at least, for instance the start's; on 4.x, where each tenant counts
        its own, ``rounds`` of the start's result. 0 takes any.
    :return: ``round``, ``rounds``, ``states``, ``started``, ``checkpoint``, ``read_at``, ``tenants_doing``,
        ``out_of_scope``.
    """

    template_fields: Sequence[str] = (*OceanBaseSensor.template_fields, "min_round")

    def __init__(self, *, min_round: int | str | Mapping[str, int] | XComArg = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_round = min_round

    def wanted(self) -> ArchiveDoing:
        """See :class:`~airflow_ob_provider.oceanbase.waits.ArchiveDoing`."""
        lowest, by_tenant = check_rounds(self.min_round, "min_round")
        return ArchiveDoing(tenants=check_tenant_names(self.tenants), min_round=lowest, min_rounds=by_tenant)


class PieceStatusSensor(OceanBaseSensor):
    """Wait until the newest piece of every tenant has a wanted status and its files are AVAILABLE.

    BROKEN files and missing piece ids fail at once. Pieces that clean-up has taken are not a fault. Without splitting
    there is one piece, 0, a tenant and round. 4.x: a new piece is INCOMPLETE for a while, which is waited out. Source:
    CDB_OB_BACKUP_PIECE_FILES, on 4.x CDB_OB_ARCHIVELOG_PIECE_FILES.

    :param tenants: user tenants to look at; None means all that exist.
    :param round_id: archive round; None means the current one, on 4.x each tenant's own.
    :param statuses: wanted statuses of the newest piece: ACTIVE while archiving (default), FROZEN after a stop.
    :return: round, numbers of tenants and pieces, the newest piece of up to 20 tenants.
    """

    template_fields: Sequence[str] = (*OceanBaseSensor.template_fields, "round_id", "statuses")
    legal_statuses: ClassVar[tuple[str, ...]] = tuple(word for word in PieceStatus if word != PieceStatus.UNKNOWN)

    def __init__(
        self,
        *,
        round_id: int | str | XComArg | None = None,
        statuses: Sequence[str] = (PieceStatus.ACTIVE,),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.round_id = round_id
        self.statuses = statuses

    def wanted(self) -> PiecesReady:
        """See :class:`~airflow_ob_provider.oceanbase.waits.PiecesReady`."""
        words = [self.statuses] if isinstance(self.statuses, str) else list(self.statuses)
        wrong = [word for word in words if word not in self.legal_statuses]
        if wrong or not words:
            raise ValueError(f"statuses must be of {', '.join(self.legal_statuses)}; not {wrong or words!r}")
        return PiecesReady(
            tenants=check_tenant_names(self.tenants),
            round_id=check_round(self.round_id, "round_id"),
            statuses=tuple(str(word) for word in words),
        )


class ArchiveCheckpointSensor(OceanBaseSensor):
    """Wait until everything written before a moment is archived: the proof that log backup moves.

    Ready when the checkpoint (MAX_NEXT_TIME, on 4.x CHECKPOINT_SCN) of the cluster and of every tenant has reached the
    moment, in a round that began before it; a moment before the round's start cannot be proven and fails at once. It
    proves what the server's catalog says, not that the files can be read back: only a restore does. On 4.x a healthy
    checkpoint may stay behind by ``archive_lag_target`` and two passes of the scheduler; a ``timeout`` shorter than
    that and two looks is lengthened to it.

    :param after: ``"now"`` (at the first look, the server's clock, or the tenants' timestamp service where that is
        ahead), a datetime, or text in ISO 8601; without an offset it is the server's local time.
    :param tenants: user tenants that must have passed it; None means all that exist.
    :return: as :class:`ArchiveDoingSensor`, with ``after`` and the lowest checkpoint.
    """

    template_fields: Sequence[str] = (*OceanBaseSensor.template_fields, "after")

    def __init__(self, *, after: str | datetime | XComArg = "now", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.after = after

    def wanted(self) -> CheckpointPassed:
        """See :class:`~airflow_ob_provider.oceanbase.waits.CheckpointPassed`."""
        return CheckpointPassed(tenants=check_tenant_names(self.tenants), after=self._moment())

    def lengthen(self) -> None:
        """Never less time than ``archive_lag_target``, the scheduler and two looks take on a healthy server."""
        delay = self._delay()
        needed = delay + 2 * self.poke_interval if delay else 0.0
        if needed > self.timeout:
            self.log.warning("timeout=%g s is lengthened to %g s: archive_lag_target allows that", self.timeout, needed)
            self.timeout = needed

    def _delay(self) -> float:
        """0 where it cannot be read: the wait itself then tells why."""
        try:
            with self.hook.session() as session:
                return session.dialect.checkpoint_delay(check_tenant_names(self.tenants))
        except (AirflowException, ValueError):
            return 0.0

    def _moment(self) -> datetime | None:
        if isinstance(self.after, datetime):
            return self.after
        word = str(self.after).strip()
        if word.lower() == "now":
            return None
        try:
            return datetime.fromisoformat(word)
        except ValueError:
            raise ValueError(
                f"after must be 'now' or a moment such as 2026-11-23 10:00:00+08:00; not {self.after!r}"
            ) from None

    def check_arguments(self, context: Context) -> None:
        """As every sensor; a rescheduled task must be able to remember what "now" was."""
        super().check_arguments(context)
        if self.reschedule and not self.deferrable and self._store(context) is None and self._moment() is None:
            raise ValueError(
                "after='now' with mode='reschedule' needs Airflow 3.3, where a task has a state store: use "
                "deferrable=True, mode='poke', or give a moment"
            )
