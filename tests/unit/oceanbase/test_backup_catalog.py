"""The backup catalog of every build, over a socket: what it says, what it costs, and what is missing when a part is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_ob_provider.exceptions import OceanBaseServerError
from airflow_ob_provider.oceanbase.catalog import Attempt, Part
from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus, Scope
from airflow_ob_provider.oceanbase.windows import Window
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.oceanbase.catalog_box import DAY, NOW, V3, V4, at, cluster, day, healthy, read

EVERY = pytest.mark.parametrize("profile", [*V3, *V4])
EITHER = pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])
SETS = "CDB_OB_BACKUP_SET_FILES"
ROUNDS = {"3": "CDB_OB_BACKUP_ARCHIVELOG_SUMMARY", "4": "CDB_OB_ARCHIVELOG_SUMMARY"}
PIECES = {"3": "CDB_OB_BACKUP_PIECE_FILES", "4": "CDB_OB_ARCHIVELOG_PIECE_FILES"}
EVENTS = {"3": "__all_rootservice_event_history", "4": "DBA_OB_ROOTSERVICE_EVENT_HISTORY"}


def generation(profile: str) -> str:
    return "4" if profile in V4 else "3"


# --- a healthy cluster ------------------------------------------------------------------------------------------------


@EVERY
def test_healthy_cluster_takes_five_statements(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        found = read(box)
    assert len(found.statements) == 5
    assert found.views[3:] == [ROUNDS[generation(profile)], SETS]
    catalog = found.catalog
    assert (catalog.unread, catalog.absent, catalog.out_of_scope) == ((), (), ())
    assert catalog.version.startswith(profile)
    assert catalog.cluster == "obcluster"
    assert catalog.cluster_id.isdecimal()
    assert catalog.read_at == at(20, 12)
    assert catalog.scope is (Scope.TENANT if profile in V4 else Scope.CLUSTER)
    assert [record.tenant.name for record in catalog.tenants] == ["tenant1", "tenant2"]
    for record in catalog.tenants:
        (one,) = record.rounds
        assert (one.round_id, one.state, one.started, one.comment) == (1, ArchiveState.DOING, at(10), "")
        assert one.checkpoint is not None
        assert timedelta(0) < catalog.read_at - one.checkpoint < timedelta(minutes=5)
        (stretch,) = one.stretches
        assert (stretch.first_id, stretch.last_id, stretch.is_open, stretch.start) == (1, 11, True, at(10))
        assert stretch.file_status is FileStatus.AVAILABLE
        first = at(11, 3) if profile in V4 else at(11, 2)
        assert record.recovery is not None
        assert record.recovery.windows == (Window(first, one.checkpoint, 1, 1, 1),)
        assert record.recovery.gaps == ()
        (full,) = record.fulls
        assert record.newest_full == full
        assert (full.set_id, full.logs_from, full.logs_past, full.restores_from) == (1, at(11, 2), at(11, 3), first)
        assert record.newest_full_at == at(11, 3)
        assert record.attempt == Attempt(1, "SUCCESS", at(11, 2), is_full=True)
        assert (record.doubt, record.suspects, record.bad_pieces, record.incarnation) == ("", (), (), 1)
        assert (record.state_since, record.streams) == (None, None)
        assert catalog.state_of(record) is ArchiveState.DOING


@EVERY
def test_statements_do_not_grow_with_tenants_rounds_pieces_and_sets(profile: str) -> None:
    with cluster(profile, tenants=6) as box:
        box.history.clear()
        for number in range(1, 8):
            box.history.round(number, day(2 * number), day(2 * number + 1) if number < 7 else None)
        for number in range(7):
            box.history.backup_set(number + 1, day(14, 1 + number), day(14, 1.5 + number))
        found = read(box)
    assert len(found.statements) == 5
    for record in found.catalog.tenants:
        assert [one.round_id for one in record.rounds] == [1, 2, 3, 4, 5, 6, 7]
        assert [(full.set_id, full.stands_for) for full in record.fulls] == [(1, 6), (7, 1)]
        assert record.newest_full is not None
        assert record.newest_full.set_id == 7
        assert record.recovery is not None
        assert [window.full_backups for window in record.recovery.windows] == [7]


@EVERY
def test_cluster_that_never_archived(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        found = read(box)
    assert len(found.statements) == 5
    for record in found.catalog.tenants:
        assert (record.rounds, record.fulls, record.attempt, record.newest_full_at) == ((), (), None, None)
        assert record.incarnation is None
        assert record.recovery is not None
        assert (record.recovery.windows, record.recovery.gaps) == ((), ())
        assert found.catalog.state_of(record) is ArchiveState.STOP


@EVERY
def test_no_user_tenant(profile: str) -> None:
    with cluster(profile, tenants=0) as box:
        found = read(box)
    assert len(found.statements) == 5
    assert found.catalog.tenants == ()
    assert found.catalog.cluster == "obcluster"


@EVERY
def test_incarnation(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.incarnation(2)
        assert {record.incarnation for record in read(box).catalog.tenants} == {2}


@EITHER
def test_failed_and_incremental_sets_are_attempts_only(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.backup_set(2, day(12), day(12, 1), kind="incremental")
        found = read(box)["tenant1"]
        assert found.attempt == Attempt(2, "SUCCESS", at(12), is_full=False)
        box.history.backup_set(3, day(13), day(13, 1), status="FAILED")
        found = read(box)["tenant1"]
        assert found.attempt == Attempt(3, "FAILED", at(13), is_full=True)
        assert [full.set_id for full in found.fulls] == [1]


# --- parts that cannot be read ----------------------------------------------------------------------------------------


def refuse(box: Sandbox, view: str, errno: int, message: str = "") -> None:
    box.faults.error_once = {
        "pattern": rf"oceanbase\.{view.replace('$', '[$]')}\b", "errno": errno, "count": 9,
        **({"message": message} if message else {}),
    }  # fmt: skip


@pytest.mark.parametrize("errno", [1142, 1227, 1146, 1054])
@EITHER
def test_pieces_that_cannot_be_read_are_a_doubt(profile: str, errno: int) -> None:
    with cluster(profile) as box:
        healthy(box)
        refuse(box, PIECES[generation(profile)], errno, "no such thing")
        found = read(box)
    catalog = found.catalog
    assert (catalog.unread, catalog.absent) == (((Part.PIECES, f"[{errno}] no such thing"),), ())
    for record in catalog.tenants:
        assert (record.rounds, record.recovery, record.doubt) == ((), None, f"[{errno}] no such thing")
        assert record.newest_full is not None
        assert record.settings is not None
    assert len(found.statements) == 5


@pytest.mark.parametrize("errno", [1142, 1146])
@EITHER
def test_backups_that_cannot_be_read_are_a_doubt(profile: str, errno: int) -> None:
    with cluster(profile) as box:
        healthy(box)
        refuse(box, SETS, errno, "no")
        found = read(box)
    assert (found.catalog.absent or found.catalog.unread) == ((Part.BACKUPS, f"[{errno}] no"),)
    for record in found.catalog.tenants:
        assert (record.fulls, record.recovery, record.doubt) == ((), None, f"[{errno}] no")
        assert len(record.rounds[0].stretches) == 1


@EITHER
def test_closer_look_that_is_refused_is_a_doubt_of_those_only(profile: str) -> None:
    for pattern in (r"AS piece_id, STATUS", r"AS set_id"):
        with cluster(profile) as box:
            healthy(box)
            box.history.piece(4, tenant="tenant2", file_status="BROKEN")
            box.faults.error_once = {"pattern": pattern, "errno": 1142, "message": "no", "count": 9}
            found = read(box)
        assert found["tenant1"].recovery is not None
        assert (found["tenant2"].recovery, found["tenant2"].doubt) == (None, "[1142] no")
        assert found.catalog.unread == ()


@EITHER
def test_events_and_streams_that_are_refused_hide_nothing(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(10), status="INTERRUPTED", checkpoint=day(19))
        box.history.backup_set(1, day(11), day(11, 1))
        expected = read(box)
        box.faults.error_once = {"pattern": "event_history|PROGRESS", "errno": 1142, "message": "no", "count": 9}
        if profile in V4:
            box.faults.error_once = {"pattern": "EVENT_HISTORY|PROGRESS", "errno": 1142, "message": "no", "count": 9}
        found = read(box)
    assert [part for part, _ in found.catalog.unread] == [Part.EVENTS, Part.STREAMS]
    assert [record.streams for record in found.catalog.tenants] == [None, None]
    assert [record.state_since for record in found.catalog.tenants] == [None, None]
    for before, after in zip(expected.catalog.tenants, found.catalog.tenants, strict=True):
        assert before.recovery is not None
        assert after.recovery is not None
        assert before.recovery.windows == after.recovery.windows


@pytest.mark.parametrize("pattern", ["SUMMARY", "SET_FILES", "PARAMETERS|sys_parameter_stat", "AS piece_id, STATUS"])
@EITHER
def test_lost_connection_is_no_answer(profile: str, pattern: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.piece(4, file_status="BROKEN")
        box.faults.drop_before = pattern
        with pytest.raises(OceanBaseServerError) as caught:
            read(box)
    assert caught.value.is_transient


# --- secrets and evidence ---------------------------------------------------------------------------------------------

KEY = "Zq7/CANARY+Zq7="
PLACE = f"oss://bucket/archive?host=oss.example&access_id=AK1CANARY&access_key={KEY}"


@EVERY
def test_keys_are_nowhere(profile: str) -> None:
    with cluster(profile, tenants=1) as box:
        box.history.clear()
        box.history.round(1, day(10), destination=PLACE)
        box.history.piece(3, file_status="BROKEN")
        found = read(box)
    assert found["tenant1"].settings is not None
    assert "oss://bucket/archive" in found["tenant1"].settings.shown
    for text in (repr(found.catalog), str(found.catalog), repr(found.recorder.answers), str(found.recorder.to_json())):
        assert "CANARY" not in text
    assert len(found.recorder.answers) == len(found.statements)


@EITHER
def test_keys_in_an_error_are_nowhere(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        refuse(box, SETS, 1142, f"denied at {PLACE}")
        found = read(box)
    assert "denied at oss://bucket/archive" in found["tenant1"].doubt
    assert "CANARY" not in repr(found.catalog)


@EITHER
def test_evidence_is_the_same_for_the_same_rows(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        first, second = read(box).recorder.to_json(), read(box).recorder.to_json()
        assert first == second
        box.history.piece(3, tenant="tenant2", file_status="BROKEN")
        third = read(box).recorder.to_json()
    assert first["sha256"] != third["sha256"]
    assert [query["sha256"] for query in first["queries"]][:3] == [query["sha256"] for query in third["queries"]][:3]


def test_catalog_knows_its_parts() -> None:
    with cluster("4.2.5") as box:
        catalog = replace(read(box).catalog, unread=((Part.BACKUPS, "why"),), absent=((Part.STREAMS, "never"),))
    assert (catalog.why_unread(Part.BACKUPS), catalog.why_unread(Part.STREAMS)) == ("why", "")
    assert (catalog.why_absent(Part.STREAMS), catalog.why_absent(Part.BACKUPS)) == ("never", "")
    assert NOW + DAY > NOW
