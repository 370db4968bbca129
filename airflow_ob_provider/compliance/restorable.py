"""What a data backup makes restorable, by the server's catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.models import to_json

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.catalog import TenantRecord


def restorable(oceanbase_conn_id: str, restore_points: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """To what moments tenants can be restored with a data backup, by the server's catalog. Reads only.

    :param restore_points: of the sets, by tenant, as :class:`BackupDatabaseOperator` returns them.
    :return: by tenant ``restorable``, ``from``, ``until``, ``round``, ``set`` (the oldest full one that carries the
        window), or the ``reason`` why not.
    :raises OceanBaseServerError: the catalog cannot be read.
    """
    with OceanBaseHook(oceanbase_conn_id=oceanbase_conn_id).session() as session:
        catalog = session.dialect.backup_catalog()
    records = {record.tenant.name: record for record in catalog.tenants}
    return {name: _restorable(records.get(name), datetime.fromisoformat(at)) for name, at in restore_points.items()}


def _restorable(record: TenantRecord | None, at: datetime) -> dict[str, Any]:
    if record is None or record.recovery is None:
        why = record.doubt if record else "the tenant is not in the catalog"
        return {"restorable": False, "reason": f"it cannot be told: {why or 'its rounds or sets cannot be read'}"}
    for window in record.recovery.windows:
        if window.start <= at <= window.end:
            return {
                "restorable": True,
                "from": to_json(window.start),
                "until": to_json(window.end),
                "round": window.round_id,
                "set": window.set_id,
            }
    return {"restorable": False, "reason": f"no window of the catalog holds {to_json(at)}, the set's restore point"}


def without_full_backup(oceanbase_conn_id: str, tenants: Sequence[str] = ()) -> list[str]:
    """Tenants whose present moment no data backup carries, so that they need a full one. Reads only.

    One of which it cannot be told is among them: a backup too many does no harm.

    :param tenants: 4.x: only these; on 3.x, and where none is named, all.
    :raises OceanBaseServerError: the catalog cannot be read.
    """
    with OceanBaseHook(oceanbase_conn_id=oceanbase_conn_id).session() as session:
        catalog = session.dialect.backup_catalog()
    return [
        record.tenant.name
        for record in catalog.tenants
        if not tenants or record.tenant.name in tenants
        if record.recovery is None or record.recovery.open_gap is not None or not record.recovery.windows
    ]
