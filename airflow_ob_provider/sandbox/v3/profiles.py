"""The 2.2.77 and 3.x builds the sandbox can be, as data: only what differs between them.

Facts come from the public CE history (tags 3.1.0 to 3.1.5), the documentation branches V3.1.0 to V3.1.5 and
version banners users posted. Enterprise 3.2.x and 2.2.77 have no public source; where nothing is known about
them the value is that of the closest CE build and the comment says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_ob_provider.sandbox import build


@dataclass(frozen=True, kw_only=True)
class Profile(build.Profile):
    """One build. Booleans say what the build can do or refuses."""

    #: backup pieces: backup_dest_option, CDB_OB_BACKUP_ARCHIVELOG, _PIECE_FILES, _SET_FILES (3.1.1+, 2.2.77+)
    pieces: bool = True
    #: False: ARCHIVELOG answers 4114 on a stopped cluster (CE 3.1.0, oceanbase/oceanbase#281)
    archivelog_works: bool = True
    #: errno of ARCHIVELOG while a round exists: 1235 since 3.1.1, 9023 before
    second_archivelog: int = 1235
    #: ALTER SYSTEM CANCEL ALL BACKUP FORCE is in the grammar (3.1.3+)
    force_cancel: bool = True
    #: an NFS destination with ``?`` is refused (3.1.3+)
    nfs_rejects_parameters: bool = True
    #: the CHECKPOINT_TS of an ACTIVE piece follows the archive (3.1.5+); empty before
    active_piece_checkpoint: bool = True
    #: number of columns of CDB_OB_BACKUP_SET_DETAILS: 19, 20 or 23
    set_details_columns: int = 20
    #: default of backup_log_archive_option
    archive_option: str = "OPTIONAL"
    #: backup_log_archive_option accepts encryption_mode / encryption_algorithm (enterprise)
    encryption_tokens: bool = False
    #: ALTER SYSTEM BACKUP TENANT … TO … is in the grammar (enterprise 3.2.x)
    tenant_backup: bool = False


def _comment(version: str, revision: str, built: str) -> str:
    return f"OceanBase {version} (r{revision}) (Built {built})"


BUILDS = (
    Profile(
        name="2.2.77",
        version="2.2.77",
        version_comment=_comment(
            "2.2.77", "20210712224820-a153ceb17c858db62c8f35fa4acf61ec7b0a4877", "Jul 12 2021 23:21:12"
        ),
        # Nothing is public about version() of 2.2.77; the enterprise form of 3.2.x is used.
        version_function="5.7.25-OceanBase-v2.2.77",
        build_version="2.2.77_20210712224820-a153ceb17c858db62c8f35fa4acf61ec7b0a4877(Jul 12 2021 23:21:12)",
        # Unknown for 2.2.77; the documentation of the family lists 9023, so a client meets both codes.
        second_archivelog=9023,
        force_cancel=False,
        nfs_rejects_parameters=False,
        active_piece_checkpoint=False,
        encryption_tokens=True,
    ),
    Profile(
        name="3.1.0",
        version="3.1.0",
        version_comment=_comment("3.1.0", "3-b20901e8c84d3ea774beeaca963c67d7802e4b4e", "Aug 10 2021 07:51:04"),
        version_function="3.1.0",
        build_version="3.1.0_3-b20901e8c84d3ea774beeaca963c67d7802e4b4e(Aug 10 2021 07:51:04)",
        pieces=False,
        archivelog_works=False,
        second_archivelog=9023,
        force_cancel=False,
        nfs_rejects_parameters=False,
        active_piece_checkpoint=False,
        set_details_columns=19,
    ),
    Profile(
        name="3.1.2",
        version="3.1.2",
        version_comment=_comment(
            "3.1.2", "10000392021123010-d4ace121deae5b81d8f0b40afbc4c02705b7fc1d", "Dec 30 2021 02:47:29"
        ),
        version_function="3.1.2-OceanBase CE",
        build_version="3.1.2_10000392021123010-d4ace121deae5b81d8f0b40afbc4c02705b7fc1d(Dec 30 2021 02:47:29)",
        force_cancel=False,
        nfs_rejects_parameters=False,
        active_piece_checkpoint=False,
    ),
    Profile(
        name="3.1.5",
        version="3.1.5",
        version_comment=_comment(
            "3.1.5", "100010012023060910-24fcb10fb5f1d6a1c2d1b9a4b1e2c7d5a6f0e9b3", "Jun  9 2023 10:20:36"
        ),
        version_function="3.1.5-OceanBase CE",
        build_version="3.1.5_100010012023060910-24fcb10fb5f1d6a1c2d1b9a4b1e2c7d5a6f0e9b3(Jun  9 2023 10:20:36)",
        archive_option="OPTIONAL COMPRESSION=ENABLE",
    ),
    Profile(
        name="3.2.4",
        version="3.2.4.3",
        version_comment=_comment(
            "3.2.4.3", "103020012023051810-a562da822afa7979edf77bb00d0b4f8e222dc937", "May 18 2023 10:41:35"
        ),
        version_function="5.7.25-OceanBase-v3.2.4.3",
        build_version="3.2.4.3_103020012023051810-a562da822afa7979edf77bb00d0b4f8e222dc937(May 18 2023 10:41:35)",
        set_details_columns=23,
        archive_option="OPTIONAL COMPRESSION=ENABLE",
        encryption_tokens=True,
        tenant_backup=True,
    ),
)
