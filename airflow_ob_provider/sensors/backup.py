"""Sensor on a data backup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import XComArg

from airflow_ob_provider.arguments import check_round
from airflow_ob_provider.oceanbase.statements import check_tenant_names
from airflow_ob_provider.oceanbase.waits import BackupDone
from airflow_ob_provider.sensors.base import OceanBaseSensor


class BackupSetSensor(OceanBaseSensor):
    """Wait until a data backup has ended and every tenant has a usable set of it.

    Shows progress in percent, with blocks and an estimate. Success is told by the history only (3.x
    CDB_OB_BACKUP_SET_FILES; 4.x CDB_OB_BACKUP_JOB_HISTORY and the set): a job whose row has vanished has not succeeded.
    A failed or cancelled job, a tenant without a set, and a job that is nowhere to be seen for five minutes fail at
    once, with what the server says. It reads only, so a retry is safe.

    :param job: number of the job, ``job`` of a :class:`~airflow_ob_provider.operators.backup.BackupDatabaseOperator`:
        3.x BS_KEY, 4.x JOB_ID of tenant sys (of the tenant, where its user reads).
    :param tenants: user tenants that must have a set; None means those that the server shows in it.
    :param poke_interval: seconds between reads, 30 by default.
    :param timeout: seconds until the wait fails, 86,400 by default; the backup goes on.
    :return: ``job``, ``state``, ``kinds``, ``sets`` and ``restore_points`` by tenant, ``restore_point``, ``started``,
        ``ended``, ``seconds``, ``read_at``.
    """

    template_fields: Sequence[str] = (*OceanBaseSensor.template_fields, "job")

    def __init__(
        self,
        *,
        job: int | str | XComArg | None = None,
        poke_interval: float | str = 30.0,
        timeout: float | str = 86_400.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, timeout=timeout, **kwargs)
        self.job = job

    def wanted(self) -> BackupDone:
        """See :class:`~airflow_ob_provider.oceanbase.waits.BackupDone`."""
        number = check_round(self.job, "job")
        if not number:
            raise ValueError("job must be the number of a data backup, as BackupDatabaseOperator returns it; not empty")
        return BackupDone(job_id=number, tenants=check_tenant_names(self.tenants))
