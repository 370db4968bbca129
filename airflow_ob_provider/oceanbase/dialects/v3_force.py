"""3.x: the stop by force, and what it takes with it.

``ALTER SYSTEM CANCEL ALL BACKUP FORCE`` (3.1.3+; 1064 before, oceanbase/oceanbase#958) empties ``backup_dest`` and
``backup_backup_dest`` past the check of a running backup, then cancels log backup, data backup, the copy of backups,
validation and clean-up. With an empty ``backup_dest`` a round in STOPPING ends without touching the destination.
Sources: OceanBase CE 3.1.5 source; V3.1.5 manual, "force stop all backup related tasks".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.breaks import ForceStop
from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.dialects.v3_settings import destination_problem, place_of
from airflow_ob_provider.oceanbase.models import ArchiveState, Setting
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect

FORCE_STOP = Statement.write(
    "ALTER SYSTEM CANCEL ALL BACKUP FORCE",
    hints=((1064, "This version has no such statement: repair the destination, or bring the OBServer back."),),
)


def check_force(version: OceanBaseVersion) -> None:
    """:raises ValueError: the version has no such statement, or is not known to have it."""
    if not version.has_force_cancel:
        raise ValueError(
            f"OceanBase {version} has no CANCEL ALL BACKUP FORCE (it came with 3.1.3): mount the destination on every "
            "OBServer and make it writable, or bring the OBServer that is down back; STOPPING then ends by itself"
        )


def force_stop_state(dialect: V3Dialect, wanted: Destination) -> ForceStop:
    """See :meth:`~airflow_ob_provider.oceanbase.dialects.base.Dialect.force_stop_state`."""
    check_force(dialect.version)
    problem = destination_problem(wanted)
    if problem:
        raise ValueError(f"destination {wanted}: {problem}")
    target = place_of(wanted, dialect.cluster_name() if wanted.placeholders else "")
    rows = dialect.archive().governing
    if not rows:
        raise UnreadableError("the server shows no state of log backup")
    place, second = dialect.destination_setting(), dialect.second_destination_setting()
    values = {value for _, value in place.values}
    is_emptied = values == {""}
    is_wanted = bool(values) and all(value and _same(value, target) for value in values)
    state = rows[0].state
    left = [FORCE_STOP] if state is ArchiveState.STOPPING and not is_emptied else []
    restores = bool(left) or (is_emptied and state in {ArchiveState.STOP, ArchiveState.STOPPING})
    left += [dialect.set_destination(target)] if restores else []
    return ForceStop(
        state,
        rows[0].status,
        rows[0].round_id,
        tuple(left),
        _shown(place),
        is_emptied=is_emptied,
        is_wanted=is_wanted,
        is_settled=len(values) == 1,
        second="" if {value for _, value in second.values} <= {""} else _shown(second),
        data_backup_runs=dialect.data_backup_runs(),
    )


def _same(value: str, target: Destination) -> bool:
    try:
        return Destination.parse(value).same_place(target)
    except ValueError:
        return False


def _shown(setting: Setting) -> str:
    values = sorted({value for _, value in setting.values})
    return " / ".join(redact(value) if value else "not set" for value in values) or "not shown"
