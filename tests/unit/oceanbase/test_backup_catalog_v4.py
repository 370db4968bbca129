"""The backup catalog of 4.x: settings and log disk of each tenant, clean-up, storage, and a tenant seen from within."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_ob_provider.oceanbase.catalog import Cleanup, LogDisk, Part
from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus
from tests.unit.oceanbase.catalog_box import V4, at, cluster, day, healthy, read

EVERY = pytest.mark.parametrize("profile", V4)
GB = 1 << 30
UPKEEP = ("GV$OB_PARAMETERS", "GV$OB_UNITS", "CDB_OB_BACKUP_DELETE_POLICY", "CDB_OB_BACKUP_STORAGE_INFO")


@EVERY
def test_settings(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(10), piece_days=2, destination="file:///data/one", tenant="tenant1")
        if profile != "4.0.0":
            box.parameters["log_archive_concurrency", "tenant1"] = "8"
        if profile not in {"4.0.0", "4.1.0"}:
            box.parameters["archive_lag_target", "tenant1"] = "600s"
        found = read(box)
    first, second = found["tenant1"].settings, found["tenant2"].settings
    assert first is not None
    assert second is not None
    assert str(first.destination) == first.shown == "file:///data/one"
    assert (first.mode, first.compression, first.piece_days, first.concurrency) == (
        "optional", None, 2, None if profile == "4.0.0" else 8,
    )  # fmt: skip
    assert first.lag_target == (None if profile in {"4.0.0", "4.1.0"} else 600.0)
    assert (second.destination, second.shown, second.mode, second.piece_days) == (None, "", None, None)
    assert first.differs == second.differs == ()


@EVERY
def test_log_disk(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.log_disk(6 * GB, 8 * GB, tenant="tenant1")
        box.history.log_disk(1 * GB, 4 * GB, tenant="tenant2")
        box.parameters["log_disk_utilization_threshold", "tenant2"] = "70"
        box.parameters["log_disk_utilization_limit_threshold", "tenant2"] = "90"
        found = read(box)
    assert found["tenant1"].log_disk == LogDisk(6 * GB, 8 * GB, 80, 95)
    assert found["tenant2"].log_disk == LogDisk(1 * GB, 4 * GB, 70, 90)
    assert found["tenant1"].log_disk.percent == 75.0  # type: ignore[union-attr]
    assert LogDisk(1, 0).percent == 0.0


@EVERY
def test_cleanup(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.policy(None)
        assert read(box)["tenant1"].cleanup == Cleanup()
        box.history.policy("7d", tenant="tenant1")
        box.history.clean_job(day(15), tenant="tenant1")
        box.history.clean_job(day(16), tenant="tenant1", status="FAILED", result=-4016, comment="a | b")
        found = read(box)
    assert found["tenant1"].cleanup == Cleanup("7d", True, "FAILED", at(16), "a | b")
    assert found["tenant2"].cleanup == Cleanup()


@EVERY
def test_storage_check(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.storage_check(day(20, 11), tenant="tenant1")
        box.history.storage_check(None, tenant="tenant2")
        found = read(box)
    expected = None if profile == "4.0.0" else at(20, 11)
    assert (found["tenant1"].storage_checked, found["tenant2"].storage_checked) == (expected, None)


@pytest.mark.parametrize("errno", [1142, 1146])
@pytest.mark.parametrize("place", range(4))
def test_part_of_the_upkeep_that_cannot_be_read(place: int, errno: int) -> None:
    part = (Part.SETTINGS, Part.LOG_DISK, Part.CLEANUP, Part.STORAGE)[place]
    with cluster("4.2.5") as box:
        healthy(box)
        box.history.log_disk(6 * GB, 8 * GB)
        box.history.policy("7d")
        box.history.storage_check(day(20, 11))
        box.parameters["log_archive_concurrency"] = "8"
        pattern = UPKEEP[place].replace("$", "[$]")
        box.faults.error_once = {"pattern": pattern, "errno": errno, "message": "no", "count": 9}
        found = read(box)
    assert found.views[1:] == ["CDB_OB_ARCHIVELOG", "GV$OB_PARAMETERS", *UPKEEP, "CDB_OB_ARCHIVELOG_SUMMARY",
                               "CDB_OB_BACKUP_SET_FILES"]  # fmt: skip
    told = found.catalog.absent if errno == 1146 and part is not Part.SETTINGS else found.catalog.unread
    assert told == ((part, f"[{errno}] no"),)
    for record in found.catalog.tenants:
        assert record.doubt == ""
        assert record.recovery is not None
        assert record.settings is not None
        assert record.cleanup is not None
        shown = (record.settings.concurrency, record.log_disk, record.cleanup.window, record.storage_checked)
        good = (8, LogDisk(6 * GB, 8 * GB), "7d", at(20, 11))
        bad = (None, None, "", None)
        assert shown == (*good[:place], bad[place], *good[place + 1 :])


# --- pieces -----------------------------------------------------------------------------------------------------------


@EVERY
def test_newest_piece_may_be_incomplete(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.piece(11, file_status="INCOMPLETE")
        found = read(box)
        assert len(found.statements) == 5
        for record in found.catalog.tenants:
            kept, new = record.rounds[0].stretches
            assert (kept.first_id, kept.last_id, kept.end, kept.is_open) == (1, 10, at(20), False)
            assert (new.first_id, new.file_status, new.start, new.end) == (11, FileStatus.INCOMPLETE, at(20), None)
            assert new.is_open
            assert record.recovery is not None
            assert record.recovery.windows[-1].end == at(20)
            assert record.recovery.gaps == ()
        box.history.piece(10, status="ACTIVE")
        (kept, new), _ = (record.rounds[0].stretches for record in read(box).catalog.tenants)
        assert (kept.is_open, new.is_open) == (True, True)


@EVERY
def test_only_piece_may_be_incomplete(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(20, 11))
        box.history.piece(1, file_status="INCOMPLETE")
        found = read(box)
    assert len(found.statements) <= 7
    (new,) = found["tenant1"].rounds[0].stretches
    assert (new.first_id, new.last_id, new.file_status) == (1, 1, FileStatus.INCOMPLETE)
    assert found["tenant1"].suspects == ()


@pytest.mark.parametrize(
    "changes",
    [
        {10: {"file_status": "INCOMPLETE"}},
        {11: {"file_status": "INCOMPLETE", "status": "FROZEN"}},
        {10: {"file_status": "INCOMPLETE"}, 11: {"file_status": "INCOMPLETE"}},
        {11: {"file_status": "BROKEN"}},
        {11: {"file_status": "COPYING"}},
        {5: {"file_status": "DELETED"}},
        {1: {"file_status": "DELETED"}, 3: {"file_status": "DELETED"}},
        {5: {"status": "ACTIVE"}},
        {9: {"status": "ACTIVE"}},
        {5: {"removed": True}},
        {5: {"start": day(14, 0.0001)}},
        {5: {"end": day(15, 0.0001)}},
        {5: {"start": day(16), "end": day(15)}},
        {1: {"file_status": "DELETED", "status": "ACTIVE"}},
    ],
    ids=str,
)
def test_rounds_that_are_looked_at_closely(changes: dict[int, dict[str, object]]) -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        for number, values in changes.items():
            box.history.piece(number, tenant="tenant1", **values)
        found = read(box)
    assert [record.suspects for record in found.catalog.tenants] == [(1,), ()]
    assert len(found["tenant1"].rounds[0].stretches) >= 10


def test_round_that_is_being_prepared_has_no_piece_and_is_there() -> None:
    """A column of the pieces once had the name of the tenant's, and was NULL."""
    with cluster("4.2.5") as box:
        healthy(box)
        for number in range(1, 12):
            box.history.piece(number, tenant="tenant1", removed=True)
        found = read(box)
    assert [one.round_id for one in found["tenant1"].rounds] == [1]
    assert found["tenant1"].rounds[0].stretches == ()
    assert found["tenant1"].incarnation == 1


# --- tenants ----------------------------------------------------------------------------------------------------------


@EVERY
def test_tenant_seen_from_within(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.log_disk(6 * GB, 8 * GB)
        box.history.policy("7d")
        box.history.storage_check(day(20, 11))
        whole = read(box)
        found = read(box, tenant="tenant1")
    views = [view for view in found.views if view]
    assert views[:2] == ["CDB_OB_ARCHIVELOG", "DBA_OB_ARCHIVELOG"]
    assert not [view for view in views[1:] if view.startswith("CDB")]
    assert len(found.statements) == 6
    (record,) = found.catalog.tenants
    expected = whole["tenant1"]
    assert replace(record, archive=None) == replace(expected, archive=None)
    assert found.catalog.unread == ()


@EVERY
def test_everything_wrong_with_a_tenant_seen_from_within(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(1), day(5))
        box.history.round(2, day(6), status="INTERRUPTED", checkpoint=day(10))
        for number in (2, 6):
            box.history.piece(number, file_status="BROKEN")
        expected = read(box)["tenant1"]
        found = read(box, tenant="tenant1")
    (record,) = found.catalog.tenants
    assert record.suspects == expected.suspects == (1, 2)
    assert record.bad_pieces == expected.bad_pieces
    assert record.rounds[0].stretches == expected.rounds[0].stretches
    assert record.streams == expected.streams
    assert len(found.statements) <= 10
    assert not [view for view in found.views[2:] if view.startswith("CDB")]


def test_streams_name_what_is_behind() -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        box.history.stream(1001, day(20, 1), tenant="tenant2")
        box.history.stream(1002, day(20, 2), tenant="tenant2", status="INTERRUPTED")
        found = read(box)
    assert found["tenant1"].streams is None
    first, second, *_ = found["tenant2"].streams or ()
    assert (first.name, first.checkpoint, first.is_broken) == ("log stream 1002", at(20, 2), True)
    assert (second.name, second.checkpoint, second.is_broken) == ("log stream 1001", at(20, 1), False)
    assert len(found.statements) <= 9


def test_tenants_that_are_not_normal_are_out_of_scope() -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        box.set_tenant("tenant2", status="DROPPING")
        found = read(box)
    assert [record.tenant.name for record in found.catalog.tenants] == ["tenant1"]
    assert [tenant.name for tenant in found.catalog.out_of_scope] == ["tenant2"]


def test_since_when_a_tenant_is_stopping() -> None:
    with cluster("4.2.5") as box:
        box.history.clear()
        box.history.round(1, day(10), tenant="tenant1", status="STOPPING")
        box.history.round(1, day(10), tenant="tenant2")
        found = read(box)
    assert found["tenant1"].rounds[0].state is ArchiveState.STOPPING
    assert found["tenant1"].state_since is not None
    assert found.views[-1] == "DBA_OB_ROOTSERVICE_EVENT_HISTORY"
