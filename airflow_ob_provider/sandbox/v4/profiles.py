"""The 4.x builds the sandbox can be, as data: only what differs between them.

Facts come from the documentation branches V4.0.0 to V4.3.3 and public kernel source of the 4.x line. In which release
the scheduler's pause went from 2 s to 50 s isn't known (after 4.2.0, at the latest 4.3.5): here from 4.2.5 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_ob_provider.sandbox import build


@dataclass(frozen=True, kw_only=True)
class Profile(build.Profile):
    """One build. Booleans say what the build has."""

    #: DBA_OB_TENANTS.LOG_MODE; ARCHIVELOG flips it (4.1+). Without it ARCHIVELOG starts the round itself (4.0)
    log_mode: bool = True
    #: LOG_ARCHIVE_DEST_STATE and the states SUSPENDING and SUSPEND (4.1+)
    suspend: bool = True
    #: DEFER also acts on an INTERRUPTED round (4.2 and early 4.3)
    suspends_interrupted: bool = False
    #: LOG_ARCHIVE_DEST = '' (kernel 4.1+; nothing is known about 4.0, which refuses it here)
    clear_destination: bool = True
    #: archive_lag_target (4.2.0+); before that the sandbox's log streams behave as with its default
    lag_target: bool = True
    #: lowest log_archive_concurrency, which is also its default; None: no such parameter (4.0)
    lowest_concurrency: int | None = 0
    #: TENANT = all_user, which all then means too (4.2.1+)
    all_user: bool = True
    #: backup_data_file_size belongs to the tenant (4.2.1+)
    tenant_file_size: bool = True
    schemes: tuple[str, ...] = ("file", "oss", "cos", "s3")
    #: BACKUP … PLUS ARCHIVELOG (4.1+)
    plus_archivelog: bool = True
    #: DELETE BACKUPSET, DELETE BACKUPPIECE, DELETE OBSOLETE BACKUP work (4.0 and 4.1)
    manual_delete: bool = False
    #: NOARCHIVELOG is refused while the tenant has snapshots (4.3)
    snapshots: bool = False
    #: a STOPPING that can't end is ended after ten minutes (documentation 4.2.3+)
    force_stop: bool = False
    #: seconds between two looks of the archive scheduler: in a steady state, and on the way to one
    steady_tick: float = 2.0
    moving_tick: float = 2.0
    #: ARCHIVELOG and NOARCHIVELOG of exactly one tenant wake its scheduler
    wakes: bool = False
    #: SCN displays are datetime(6); varchar(26) before 4.1
    datetime_displays: bool = True
    #: columns of DBA_OB_TENANTS and others that came later
    tenant_units: bool = True
    restore_data_mode: bool = False
    task_columns: int = 27
    set_columns: int = 36
    compaction_groups: bool = False
    #: BACKUP_*.RESULT of a failure is the negative OceanBase code; docs samples show it positive
    negative_results: bool = False


def _build(name: str, version: str, number: str, revision: str, built: str, *, community: bool) -> dict[str, Any]:
    """The four ways a build names itself. In DBA_OB_SERVERS a day of one digit has two blanks before it."""
    edition = "OceanBase_CE" if community else "OceanBase"
    day, clock = built[:11], built[12:]
    tight = " ".join(day.split())
    function = f"5.7.25-{edition}-v{version}"
    return {
        "name": name,
        "version": version,
        "version_comment": f"{edition} {version} (r{number}-{revision}) (Built {tight} {clock})",
        "version_function": function,
        "build_version": f"{version}_{number}-{revision}({built})",
        "handshake": function,
    }


BUILDS = (
    Profile(
        **_build("4.0.0", "4.0.0.0", "101000022022120716", "0d7927892ad6d830e28437af099f018b0ad9a322",
                 "Dec  7 2022 16:22:15", community=True),
        log_mode=False, suspend=False, clear_destination=False, lag_target=False, lowest_concurrency=None,
        all_user=False, tenant_file_size=False, schemes=("file", "oss"), plus_archivelog=False, manual_delete=True,
        datetime_displays=False, tenant_units=False, set_columns=35,
    ),
    Profile(
        **_build("4.1.0", "4.1.0.0", "100000202023040520", "0765e69043c31bf86e83b5d618db0530cf31b707",
                 "Apr  5 2023 20:26:14", community=True),
        lag_target=False, lowest_concurrency=1, all_user=False, tenant_file_size=False, schemes=("file", "oss"),
        manual_delete=True, tenant_units=False, set_columns=35,
    ),
    Profile(
        **_build("4.2.1", "4.2.1.7", "107000102024060611", "c4c0c18741e45a1d40889b6147c3132574d6e7ea",
                 "Jun  6 2024 11:02:31", community=False),
        suspends_interrupted=True,
    ),
    Profile(
        **_build("4.2.5", "4.2.5.0", "100000082024102022", "f9d6dae4ac4b5a4cd8e6a7e2a1b0c9d8e7f60512",
                 "Oct 20 2024 22:23:05", community=False),
        force_stop=True, steady_tick=50.0, moving_tick=10.0, task_columns=30, set_columns=39, negative_results=True,
    ),
    Profile(
        **_build("4.3.3", "4.3.3.0", "100000142024092520", "0193a343bc60b4699ec47792c3fc4ce166a182f9",
                 "Sep 25 2024 20:31:12", community=True),
        snapshots=True, force_stop=True, steady_tick=50.0, moving_tick=10.0, wakes=True, restore_data_mode=True,
        task_columns=33, set_columns=39, compaction_groups=True, negative_results=True,
    ),
)  # fmt: skip
