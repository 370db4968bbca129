"""Tenants with something wrong: what more is asked about them, whatever their number, and where the limits are."""

from __future__ import annotations

import pytest

from airflow_ob_provider.oceanbase.dialects import backup_reader, closer, v3_backups, v4_backups
from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus
from airflow_ob_provider.oceanbase.windows import CauseKind, SetProblem
from tests.unit.oceanbase.catalog_box import V3, V4, at, cluster, day, healthy, read

EVERY = pytest.mark.parametrize("profile", [*V3, *V4])
EITHER = pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])
SETS = "CDB_OB_BACKUP_SET_FILES"
ROUNDS = {"3": "CDB_OB_BACKUP_ARCHIVELOG_SUMMARY", "4": "CDB_OB_ARCHIVELOG_SUMMARY"}
PIECES = {"3": "CDB_OB_BACKUP_PIECE_FILES", "4": "CDB_OB_ARCHIVELOG_PIECE_FILES"}
EVENTS = {"3": "__all_rootservice_event_history", "4": "DBA_OB_ROOTSERVICE_EVENT_HISTORY"}


def generation(profile: str) -> str:
    return "4" if profile in V4 else "3"


def limit(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    for module in (backup_reader, closer, v3_backups, v4_backups):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, value)


# --- offenders --------------------------------------------------------------------------------------------------------


@EVERY
def test_broken_pieces_cost_three_statements_whatever_their_number(profile: str) -> None:
    costs = []
    for tenants in (1, 5):
        with cluster(profile, tenants=tenants) as box:
            healthy(box)
            for number in (3, 5):
                box.history.piece(number, file_status="BROKEN")
            found = read(box)
        costs.append(found.views[5:])
        for record in found.catalog.tenants:
            assert record.suspects == (1,)
            assert record.bad_pieces == ("round 1 piece 5 FROZEN/BROKEN", "round 1 piece 3 FROZEN/BROKEN")
            assert [stretch.first_id for stretch in record.rounds[0].stretches] == list(range(1, 12))
            assert record.recovery is not None
            assert record.recovery.open_gap is not None
            kinds = {cause.kind for cause in record.recovery.open_gap.causes}
            assert CauseKind.PIECE_BROKEN in kinds
            assert record.recovery.windows[0].end == at(12)
    version = generation(profile)
    assert costs == [[PIECES[version], SETS, EVENTS[version]]] * 2


@EVERY
def test_gap_of_two_rounds_asks_for_sets_and_events(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(1), day(5))
        box.history.backup_set(1, day(2), day(2, 1))
        box.history.backup_set(2, day(5, 1), day(5, 2), status="FAILED")
        box.history.round(2, day(6))
        box.history.backup_set(3, day(7), day(7, 1))
        found = read(box)
    assert found.views[5:] == [SETS, EVENTS[generation(profile)]]
    for record in found.catalog.tenants:
        assert record.recovery is not None
        (gap,) = record.recovery.gaps
        assert (gap.start, gap.ended_by) == (at(5), 3)
        assert {CauseKind.STOP_START, CauseKind.SET_FAILED} <= {cause.kind for cause in gap.causes}
        assert [full.problem for full in record.fulls] == [None, SetProblem.FAILED, None] or [
            full.set_id for full in record.fulls
        ] == [3, 2, 1]
        assert record.suspects == ()
        assert not any(one.was_interrupted for one in record.rounds)


@EVERY
def test_interrupted_round_says_since_when(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(10), status="INTERRUPTED", checkpoint=day(19), comment="disk" if profile in V4 else "")
        box.history.backup_set(1, day(11), day(11, 1))
        found = read(box)
    for record in found.catalog.tenants:
        assert record.rounds[0].state is ArchiveState.INTERRUPTED
        assert record.rounds[0].was_interrupted
        assert record.rounds[0].comment == ("disk" if profile in V4 else "")
        assert record.state_since is not None
        assert at(19) <= record.state_since <= at(20, 12)
        assert found.catalog.state_of(record) is ArchiveState.INTERRUPTED
        assert record.recovery is not None
        assert record.recovery.open_gap is not None
        assert CauseKind.INTERRUPTED in {cause.kind for cause in record.recovery.open_gap.causes}
        assert record.streams or profile == "4.0.0"
    assert len(found.statements) <= 9


@EITHER
def test_everything_wrong_at_once_costs_four_more(profile: str) -> None:
    with cluster(profile, tenants=4) as box:
        box.history.clear()
        box.history.round(1, day(1), day(5))
        box.history.round(2, day(6), status="INTERRUPTED", checkpoint=day(10))
        box.history.piece(2, file_status="BROKEN")
        found = read(box)
    version = generation(profile)
    streams = "CDB_OB_LS_LOG_ARCHIVE_PROGRESS" if version == "4" else "CDB_OB_BACKUP_ARCHIVELOG_PROGRESS"
    assert found.views[5:] == [PIECES[version], SETS, EVENTS[version], streams]
    assert all(0 < len(record.streams) <= 5 for record in found.catalog.tenants)


@EITHER
def test_set_that_waits_is_looked_at_and_no_hole(profile: str) -> None:
    """Its logs are not all archived yet."""
    with cluster(profile) as box:
        healthy(box)
        box.history.backup_set(2, day(20, 11), day(20, 12))
        found = read(box)
    assert found.views[5:] == [SETS]
    for record in found.catalog.tenants:
        assert record.recovery is not None
        assert record.recovery.gaps == ()
        assert [window.full_backups for window in record.recovery.windows] == [1]
        assert record.newest_full_at == at(20, 12)


@EITHER
def test_one_of_many_tenants_is_wrong(profile: str) -> None:
    with cluster(profile, tenants=3) as box:
        healthy(box)
        box.history.piece(4, tenant="tenant2", removed=True)
        found = read(box)
    assert [record.suspects for record in found.catalog.tenants] == [(), (1,), ()]
    assert len(found["tenant1"].rounds[0].stretches) == 1
    assert len(found["tenant2"].rounds[0].stretches) == 10
    recovery = found["tenant2"].recovery
    assert recovery is not None
    assert recovery.open_gap is not None
    missing = next(cause for cause in recovery.open_gap.causes if cause.kind is CauseKind.PIECE_MISSING)
    assert (missing.first_id, missing.last_id, missing.at) == (4, 4, at(13))


@EITHER
def test_cleaned_pieces_are_one_stretch(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.backup_set(2, day(15), day(15, 1))
        for number, word in ((1, "DELETED"), (2, "DELETING"), (3, "EXPIRED")):
            box.history.piece(number, file_status=word)
        found = read(box)
    for record in found.catalog.tenants:
        gone, kept = record.rounds[0].stretches
        assert (gone.first_id, gone.last_id, gone.file_status) == (1, 3, FileStatus.DELETED)
        assert (gone.start, gone.end, gone.is_open) == (at(10), at(13), False)
        assert (kept.first_id, kept.last_id, kept.start, kept.is_open) == (4, 11, at(13), True)
        assert record.recovery is not None
        assert [window.set_id for window in record.recovery.windows] == [2]
        assert [full.set_id for full in record.fulls] == [2, 1]


@EITHER
def test_round_whose_pieces_are_all_cleaned(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(1), day(3))
        for number in (1, 2):
            box.history.piece(number, file_status="DELETED")
        box.history.round(2, day(10))
        box.history.backup_set(1, day(11), day(11, 1))
        found = read(box)
    assert len(found.statements) == 5
    (gone,) = found["tenant1"].rounds[0].stretches
    assert (gone.first_id, gone.last_id, gone.start, gone.end) == (1, 2, at(1), at(3))
    assert gone.file_status is FileStatus.DELETED


# --- limits -----------------------------------------------------------------------------------------------------------


@EITHER
def test_pieces_beyond_the_limit_are_unknown(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, "MAX_PIECES", 14)
    with cluster(profile, tenants=3) as box:
        healthy(box)
        box.history.piece(3, file_status="BROKEN")
        found = read(box)
    first, second, third = (record.rounds[0].stretches for record in found.catalog.tenants)
    assert [s.first_id for s in first] == list(range(1, 12)), "all of the first was read"
    assert [(s.first_id, s.last_id) for s in second] == [(0, 8), (9, 9), (10, 10), (11, 11)]
    assert (second[0].file_status, second[0].start, second[0].end) == (FileStatus.UNKNOWN, at(10), None)
    assert [(s.first_id, s.last_id, s.file_status) for s in third] == [(0, 0, FileStatus.UNKNOWN)]
    for record in found.catalog.tenants[1:]:
        assert record.recovery is not None
        assert record.recovery.windows == ()
        assert record.recovery.open_gap is not None
    assert {c.kind for c in found["tenant3"].recovery.open_gap.causes} >= {CauseKind.UNKNOWN}  # type: ignore[union-attr]


@EITHER
def test_as_many_pieces_as_the_limit_may_be_cut(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, "MAX_PIECES", 11)
    with cluster(profile, tenants=1) as box:
        healthy(box)
        box.history.piece(3, file_status="BROKEN")
        stretches = read(box)["tenant1"].rounds[0].stretches
    assert (stretches[0].first_id, stretches[0].last_id, stretches[0].file_status) == (0, 0, FileStatus.UNKNOWN)


@EITHER
def test_sets_beyond_the_limit(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all were read the aggregates must do, or nothing is said."""
    limit(monkeypatch, "MAX_SETS", 5)
    with cluster(profile, tenants=3) as box:
        box.history.clear()
        box.history.round(1, day(1), day(5))
        box.history.round(2, day(6))
        box.history.backup_set(1, day(2), day(2, 1), tenant="tenant2")
        for number in (2, 3, 4, 5):
            box.history.backup_set(number, day(5 + number), day(5 + number, 1))
        for tenant in ("tenant1", "tenant3"):
            box.history.piece(7, tenant=tenant, file_status="BROKEN")
        found = read(box)
    assert [len(record.fulls) for record in found.catalog.tenants] == [4, 3, 2]
    assert [[w.full_backups for w in record.recovery.windows] for record in found.catalog.tenants[:2]
            if record.recovery] == [[1, 2], [1, 4]]  # fmt: skip
    assert found["tenant3"].recovery is None
    assert found["tenant3"].doubt == "more than 5 backup sets: look at this one by itself"


@EITHER
def test_more_offenders_than_are_looked_at(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closer, "MAX_OFFENDERS", 2)
    with cluster(profile, tenants=4) as box:
        healthy(box)
        box.history.piece(3, file_status="BROKEN")
        found = read(box)
    assert len(found.statements) == 8
    assert [record.recovery is None for record in found.catalog.tenants] == [False, False, True, True]
    assert {record.doubt for record in found.catalog.tenants[2:]} == {
        "more than 2 tenants need a closer look: look at this one by itself"
    }
    assert [len(record.rounds[0].stretches) for record in found.catalog.tenants] == [11, 11, 0, 0]


@EITHER
def test_those_who_leave_something_open_are_looked_at_first(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closer, "MAX_OFFENDERS", 1)
    with cluster(profile, tenants=3) as box:
        box.history.clear()
        box.history.round(1, day(1), day(5))
        box.history.backup_set(1, day(2), day(2, 1))
        box.history.round(2, day(6))
        box.history.backup_set(2, day(7), day(7, 1))
        box.history.piece(9, tenant="tenant3", file_status="BROKEN")
        found = read(box)
    assert [record.doubt for record in found.catalog.tenants] == ["", "", ""]
    assert found["tenant3"].bad_pieces == ("round 2 piece 9 FROZEN/BROKEN",)
    assert [len(record.recovery.gaps) for record in found.catalog.tenants if record.recovery] == [1, 1, 2]


@EITHER
def test_oldest_of_many_sets_without_logs_needs_a_look(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies between it and the newest may be a window."""
    with cluster(profile, tenants=2) as box:
        healthy(box)
        for number, start in ((2, 14), (3, 16)):
            box.history.backup_set(number, day(start), day(start, 1))
        for number in (1, 2):
            box.history.piece(number, file_status="DELETED")
        assert [w.set_id for record in read(box).catalog.tenants for w in record.recovery.windows] == [2, 2]  # type: ignore[union-attr]
        monkeypatch.setattr(closer, "MAX_OFFENDERS", 1)
        found = read(box)
    assert [record.recovery is None for record in found.catalog.tenants] == [False, True]
    assert "need a closer look" in found["tenant2"].doubt
