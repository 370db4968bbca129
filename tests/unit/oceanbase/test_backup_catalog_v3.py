"""The backup catalog of 3.x: settings of the cluster, switches of pieces, tenants that come and go."""

from __future__ import annotations

import pytest

from airflow_ob_provider.oceanbase.catalog import Cleanup, Part, Settings
from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.oceanbase.catalog_box import V3, at, cluster, day, healthy, read

EVERY = pytest.mark.parametrize("profile", V3)
OPTION = "log_archive_checkpoint_interval=90s&recovery_window=7d&auto_delete_obsolete_backup=true"


def settings_of(box: Sandbox) -> Settings:
    first, second = (record.settings for record in read(box).catalog.tenants)
    assert first is not None
    assert first == second
    return first


@EVERY
def test_settings(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.parameters["backup_log_archive_option"] = "MANDATORY COMPRESSION = lz4_1.0"
        box.parameters["log_archive_concurrency"] = "8"
        found = settings_of(box)
        assert str(found.destination) == found.shown == "file:///data/nfs/backup"
        assert (found.mode, found.compression, found.concurrency) == ("mandatory", "lz4_1.0", 8)
        assert (found.piece_days, found.lag_target, found.differs) == (1, 120.0, ())
        box.parameters["log_archive_checkpoint_interval"] = "5M"
        assert settings_of(box).lag_target == 300.0
        box.parameters["backup_dest_option"] = f"{OPTION}&log_archive_piece_switch_interval=3D"
        found = settings_of(box)
        assert (found.lag_target, found.piece_days) == (90.0, 3)
        box.parameters["log_archive_concurrency", 1] = "9"
        assert settings_of(box).differs == ("log_archive_concurrency",)


@EVERY
def test_settings_that_are_not_set(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        for name in ("backup_dest", "backup_dest_option", "backup_log_archive_option"):
            box.parameters[name] = ""
        for name in ("log_archive_checkpoint_interval", "log_archive_concurrency"):
            box.parameters[name] = ""
        found = read(box)
    record = found["tenant1"]
    assert record.settings == Settings(None, "", None, None, 0, None, None, ())
    assert record.cleanup == Cleanup("", is_automatic=False)


def test_settings_that_are_no_settings() -> None:
    with cluster("3.1.5") as box:
        healthy(box)
        box.parameters["backup_dest"] = "s3:/nowhere?access_key=CANARY"
        box.parameters["backup_dest_option"] = "log_archive_piece_switch_interval=36h"
        box.parameters["log_archive_checkpoint_interval"] = "soon"
        box.parameters["log_archive_concurrency"] = "²"
        found = read(box)
    settings = found["tenant1"].settings
    assert settings is not None
    assert settings.destination is None
    assert settings.shown.startswith("s3:/nowhere")
    assert "CANARY" not in repr(found.catalog)
    assert (settings.piece_days, settings.lag_target, settings.concurrency) == (None, None, None)
    assert found["tenant1"].recovery is not None


@EVERY
def test_cleanup(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.parameters["backup_recovery_window"] = "0"
        assert read(box)["tenant1"].cleanup == Cleanup("", is_automatic=False)
        box.parameters["backup_recovery_window"] = "3d"
        box.parameters["auto_delete_expired_backup"] = "True"
        assert read(box)["tenant2"].cleanup == Cleanup("3d", is_automatic=True)
        box.parameters["backup_dest_option"] = OPTION.replace("true", "false")
        assert read(box)["tenant1"].cleanup == Cleanup("7d", is_automatic=False)


@pytest.mark.parametrize("errno", [1142, 1146])
def test_settings_that_cannot_be_read(errno: int) -> None:
    with cluster("3.1.5") as box:
        healthy(box)
        box.faults.error_once = {"pattern": "sys_parameter_stat", "errno": errno, "message": "no", "count": 9}
        found = read(box)
    assert found.views[1:] == ["CDB_OB_BACKUP_ARCHIVELOG", "__all_virtual_sys_parameter_stat",
                               "__all_virtual_sys_parameter_stat", "CDB_OB_BACKUP_ARCHIVELOG_SUMMARY",
                               "CDB_OB_BACKUP_SET_FILES"]  # fmt: skip
    assert (found.catalog.unread, found.catalog.absent) == (((Part.SETTINGS, f"[{errno}] no"),), ())
    for record in found.catalog.tenants:
        assert (record.settings, record.cleanup) == (None, None)
        assert record.recovery is not None
        assert record.doubt == ""
    assert (found.catalog.cluster, found.catalog.cluster_id) == ("", "")


def test_build_without_pieces_tells_no_recovery() -> None:
    with cluster("3.1.0") as box:
        box.history.clear()
        found = read(box)
    assert dict(found.catalog.absent).keys() == {Part.PIECES, Part.BACKUPS}
    for record in found.catalog.tenants:
        assert (record.recovery, record.rounds) == (None, ())
        assert "1146" in record.doubt
        assert record.settings is not None


@EVERY
def test_switch_of_pieces_is_whole(profile: str) -> None:
    """The piece that is being left is FREEZING without an end, the next one has no beginning yet."""
    with cluster(profile, start_time=day(12, 23.9)) as box:
        box.history.clear()
        box.history.round(1, day(10))
        box.history.backup_set(1, day(10, 1), day(10, 2))
        seen = set()
        for _ in range(60):
            box.advance(20)
            found = read(box)
            assert len(found.statements) == 5
            for record in found.catalog.tenants:
                (stretch,) = record.rounds[0].stretches
                assert (stretch.file_status, stretch.is_open) == (FileStatus.AVAILABLE, True)
                assert record.recovery is not None
                assert record.recovery.gaps == ()
                seen.add(stretch.last_id)
    assert seen == {3, 4}


def test_switch_that_is_looked_at_closely() -> None:
    with cluster("3.1.5") as box:
        healthy(box)
        box.history.piece(10, status="FREEZING", end=None)
        box.history.piece(11, start=None)
        assert len(read(box).statements) == 5
        box.history.piece(10, status="FROZEN")
        found = read(box)
        assert found["tenant1"].suspects == (1,)
        box.history.piece(10, status="FREEZING", end=day(20))
        box.history.piece(11, start=day(19, 23))
        assert read(box)["tenant1"].suspects == (1,)


def test_rounds_without_splitting_have_one_piece() -> None:
    with cluster("3.1.5") as box:
        box.history.clear()
        box.history.round(1, day(10), piece_days=0)
        box.history.backup_set(1, day(11), day(11, 1))
        found = read(box)
    (stretch,) = found["tenant1"].rounds[0].stretches
    assert (stretch.first_id, stretch.last_id, stretch.is_open) == (0, 0, True)
    assert len(found.statements) == 5


def test_partial_piece_is_looked_at_and_good_up_to_its_checkpoint() -> None:
    with cluster("3.1.5") as box:
        healthy(box)
        box.history.piece(11, file_status="INCOMPLETE", checkpoint=day(20, 6))
        found = read(box)
    assert found["tenant1"].suspects == (1,)
    assert found["tenant1"].recovery is not None
    assert found["tenant1"].recovery.windows[-1].end == at(20, 6)


def test_copies_do_not_count() -> None:
    """Backups of the backup have rows of their own, with another COPY_ID; tenant sys has rows for the cluster."""
    with cluster("3.1.5") as box:
        healthy(box)
        box.history.piece(3, tenant="sys", file_status="BROKEN")
        assert len(read(box).statements) == 5


def test_state_is_that_of_the_cluster() -> None:
    with cluster("3.1.5") as box:
        box.history.clear()
        box.history.round(1, day(10), status="STOPPING")
        found = read(box)
    assert found.catalog.governing is not None
    assert found.catalog.governing.state is ArchiveState.STOPPING
    for record in found.catalog.tenants:
        assert found.catalog.state_of(record) is ArchiveState.STOPPING
        assert record.rounds[0].state is ArchiveState.STOPPING
        assert record.state_since is not None


def test_tenant_that_came_later_and_one_that_went() -> None:
    with cluster("3.1.5") as box:
        healthy(box)
        box.create_tenant("late")
        box.drop_tenant("tenant2")
        box.advance(600)
        found = read(box)
    assert [record.tenant.name for record in found.catalog.tenants] == ["tenant1", "late"]
    assert found["late"].fulls == ()
    assert found["late"].recovery is not None
    assert found["late"].recovery.windows == ()
    assert found["tenant1"].recovery is not None
    assert found["tenant1"].recovery.gaps == ()


def test_partition_groups_behind() -> None:
    with cluster("3.1.5") as box:
        healthy(box)
        box.faults.frozen_checkpoint = True
        box.advance(1200)
        found = read(box)
    assert found.views[-1] == "CDB_OB_BACKUP_ARCHIVELOG_PROGRESS"
    (first, *_) = found["tenant1"].streams
    assert first.name.startswith("partition ")
    assert first.name.endswith(":2882")
    assert not first.is_broken
    assert first.checkpoint is not None
    assert first.checkpoint < found.catalog.read_at
