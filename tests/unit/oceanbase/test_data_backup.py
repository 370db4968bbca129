"""What to do for a data backup that is asked for, and what has become of one: the decisions, without a server."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_ob_provider.oceanbase.data_backup import (
    MAX_DESCRIPTION,
    BackupKind,
    BackupPart,
    BackupReadiness,
    BackupRequest,
    BackupSnapshot,
    JobState,
    RunningBackup,
    Turn,
    decide,
    mark,
    own_job,
)
from airflow_ob_provider.oceanbase.models import Scope, Tenant
from airflow_ob_provider.oceanbase.waits import BackupDone, Ready, Terminal, Waiting, from_wire
from airflow_ob_provider.oceanbase.waits.backup import UNSEEN_SECONDS
from tests.unit.oceanbase.builders import NOW

SHOP, BANK = Tenant(1002, "shop"), Tenant(1004, "bank")
FULL, INC = BackupRequest(), BackupRequest(BackupKind.INCREMENTAL)
ENDS = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELED)


def ready(*running: RunningBackup, scope: Scope = Scope.TENANT, tenants: Any = (SHOP, BANK), **more: Any) -> Any:
    return BackupReadiness(NOW, scope, tenants, running=running, **more)


def job(number: int = 5, is_full: bool | None = True, names: Any = ("shop", "bank"), **more: Any) -> RunningBackup:
    return RunningBackup(number, is_full, names, **more)


# --- what is asked for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "incremental", BackupKind.FULL])
def test_what_is_legal(kind: str) -> None:
    request = BackupRequest.check(kind, plus_archivelog=True, description="  nightly, 备份 100% [x] ")
    assert (request.kind, request.plus_archivelog, request.description) == (kind, True, "nightly, 备份 100% [x]")
    assert request.told("abc") == "nightly, 备份 100% [x] [airflow-abc]"
    assert BackupRequest.check(kind).told("abc") == mark("abc")
    assert BackupRequest.check(kind, description="x" * MAX_DESCRIPTION).description


@pytest.mark.parametrize("kind", ["FULL", "inc", "", None, 1, ["full"]])
def test_kinds_that_are_not(kind: object) -> None:
    with pytest.raises(ValueError, match="kind must be one of full, incremental, not"):
        BackupRequest.check(kind)


@pytest.mark.parametrize("text", ["'", '"', "`", "\\", "a\nb", "a\x00", "a\x7f", "x" * (MAX_DESCRIPTION + 1)])
def test_descriptions_that_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="description must be at most 200 characters without quotes"):
        BackupRequest.check("full", description=f"a{text}b")


# --- decide -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("running", "request_", "serves"),
    [
        (job(), FULL, True),
        (job(), INC, True),
        (job(is_full=False), INC, True),
        (job(is_full=False), FULL, False),
        (job(is_full=None), FULL, False),
        (job(is_full=None), INC, False),
        (job(names=("shop",)), FULL, False),
        (job(names=("shop", "bank", "more")), FULL, True),
        (job(names=()), FULL, False),
        (job(is_ending=True), FULL, False),
        (job(), BackupRequest(plus_archivelog=True), False),
        (job(plus_archivelog=True), BackupRequest(plus_archivelog=True), True),
        (job(plus_archivelog=True), FULL, True),
    ],
)
@pytest.mark.parametrize("scope", Scope)
def test_one_that_runs_is_attached_to_or_waited_for(
    running: RunningBackup, request_: BackupRequest, serves: bool, scope: Scope
) -> None:
    decision = decide(ready(running, scope=scope), request_, None)
    assert decision.turn is (Turn.ATTACH if serves else Turn.WAIT)
    assert decision.job is running
    assert str(running) in decision.reason
    assert decision.tenants == (SHOP, BANK)


def test_of_several_the_one_that_serves() -> None:
    other, good = job(5, False), job(6)
    assert decide(ready(other, good), FULL, None).job is good
    assert decide(ready(other, job(6, names=("shop",))), FULL, None).job is other


def test_one_of_other_tenants_holds_up_nothing() -> None:
    decision = decide(ready(job(names=("bank",)), tenants=(SHOP,)), FULL, None)
    assert (decision.turn, decision.job, decision.tenants) == (Turn.SEND, None, (SHOP,))


def test_what_this_task_has_started_comes_first() -> None:
    mine = job(3, None, ())
    decision = decide(ready(job(4)), FULL, mine)
    assert (decision.turn, decision.job) == (Turn.ATTACH, mine)
    assert "data backup 3 is this task's own" in decision.reason
    assert decide(ready(tenants=()), FULL, mine).turn is Turn.ATTACH, "also where nothing could be started now"


def test_nobody_to_back_up() -> None:
    obstacles = (("shop", "its log backup is STOP"), ("bank", "it is DROPPING"))
    for running in ((), (job(),), (job(names=()),)):
        decision = decide(ready(*running, tenants=(), obstacles=obstacles), FULL, None)
        assert decision.turn is Turn.REFUSE
        assert decision.reason == "shop: its log backup is STOP; bank: it is DROPPING"
    assert decide(ready(tenants=()), FULL, None).reason == "there is no user tenant"


def test_a_cluster_whose_log_backup_is_not_doing() -> None:
    why = (("cluster", "log backup is STOP"),)
    nobody = {"scope": Scope.CLUSTER, "tenants": (), "obstacles": why}
    assert decide(ready(**nobody), FULL, None).turn is Turn.REFUSE
    assert decide(ready(job(), **nobody), FULL, None).turn is Turn.ATTACH
    assert decide(ready(job(names=()), **nobody), FULL, None).turn is Turn.ATTACH
    assert decide(ready(job(is_full=False), **nobody), FULL, None).turn is Turn.REFUSE


def test_only_these_tenants() -> None:
    found = ready(tenants=(SHOP,), obstacles=(("bank", "STOP"), ("old", "DROPPING")), newest_job=4)
    assert found.of(()) is found
    some = found.of(["shop", "bank", "typo"])
    assert (some.candidates, some.newest_job) == ((SHOP,), 4)
    assert some.obstacles == (("bank", "STOP"), ("typo", "there is no user tenant of that name"))
    assert found.of(["bank"]).candidates == ()
    cluster = ready(scope=Scope.CLUSTER)
    assert cluster.of(["shop"]) is cluster
    left = found.without({"shop": {}, "old": {}})
    assert (left.candidates, left.obstacles) == ((), (("bank", "STOP"),))


@pytest.mark.parametrize(
    ("kind", "is_full", "text"),
    [(True, True, "full"), (False, False, "incremental"), (None, None, "unknown kind of")],
)
def test_one_that_runs_in_words(kind: Any, is_full: Any, text: str) -> None:
    assert str(job(7, is_full)) == f"{text} data backup 7"


# --- own_job ----------------------------------------------------------------------------------------------------------


def test_a_mark_tells_which_is_ours() -> None:
    others = [job(5, description=""), job(6, description="nightly"), job(8, description=mark("bbb"))]
    ours = job(7, False, description=f"nightly {mark('aaa')}")
    assert own_job([*others, ours], "aaa", BackupKind.FULL) is ours
    assert own_job(others, "aaa", BackupKind.FULL) is None
    assert own_job([], "aaa", BackupKind.FULL) is None


def test_without_a_place_for_a_mark_the_oldest_that_can_be_ours() -> None:
    inc, full, unknown, later = job(5, False), job(6), job(7, None), job(8)
    assert own_job([inc, full, later], "", BackupKind.FULL) is full
    assert own_job([unknown, later], "", BackupKind.FULL) is unknown
    assert own_job([full, inc], "", BackupKind.INCREMENTAL) is full, "an incremental one may become full"
    assert own_job([inc], "", BackupKind.FULL) is None


# --- parts and snapshots ----------------------------------------------------------------------------------------------


def part(tenant: Tenant = SHOP, state: JobState = JobState.COMPLETED, **more: Any) -> BackupPart:
    defaults: dict[str, Any] = {"set_id": 3, "is_full": True}
    if state is JobState.COMPLETED:
        defaults["restore_point"] = NOW
    return BackupPart(tenant, state, str(state), **{**defaults, **more})


def snapshot(*parts: BackupPart, state: JobState | None = JobState.COMPLETED, **more: Any) -> BackupSnapshot:
    return BackupSnapshot(more.pop("read_at", NOW), 9, state, str(state or ""), parts=parts, **more)


def test_shares() -> None:
    doing = part(state=JobState.DOING, done=5, total=10)
    assert (doing.share, part().share, part(state=JobState.DOING).share) == (0.5, 1.0, None)
    assert part(state=JobState.DOING, done=12, total=10).share == 0.99, "not quite all before it ends"
    assert snapshot(state=JobState.DOING).share is None
    assert snapshot(part(state=JobState.INIT), state=JobState.DOING).share is None
    assert snapshot(doing, part(BANK, JobState.INIT), state=JobState.DOING).share == 0.25
    assert snapshot(doing, part(BANK), state=JobState.DOING).share == 0.75


def test_parts_in_words() -> None:
    assert str(part()) == "shop COMPLETED"
    assert str(part(state=JobState.FAILED, problem="full disk")) == "shop FAILED (full disk)"
    assert str(part(state=JobState.DOING)) == "shop DOING"
    assert str(part(state=JobState.DOING, done=3, total=9, unit="tablets")) == "shop DOING: 3 of 9 tablets"


# --- BackupDone -------------------------------------------------------------------------------------------------------


def judged(found: BackupSnapshot, **more: Any) -> Any:
    wait = BackupDone(job_id=9, **more).begun(found)
    return wait.judge(found)


@pytest.mark.parametrize("state", [JobState.INIT, JobState.DOING, JobState.CANCELING, JobState.UNKNOWN])
@pytest.mark.parametrize("parts", [(), (part(),), (part(state=JobState.FAILED, problem="x"),)])
@pytest.mark.parametrize("ended", [True, False])
def test_one_under_way_is_waited_for(state: JobState, parts: Any, ended: bool) -> None:
    """Also where its parts are over: the whole tells the end, and a word nobody knows tells none."""
    verdict = judged(snapshot(*parts, state=state), ended_is_enough=ended)
    assert isinstance(verdict, Waiting)
    assert verdict.unknown is (state is JobState.UNKNOWN)
    assert f"data backup 9 is {state}: " in verdict.reason
    assert ("no tenant yet" in verdict.reason) is (not parts)


@pytest.mark.parametrize(
    ("seconds", "share", "left", "words"),
    [
        (100, 0.5, 100, "about 100 s to go at this pace"),
        (100, 0.8, 25, "about 25 s to go at this pace"),
        (100, 0.05, None, ""),
        (0, 0.5, None, ""),
    ],
)
def test_an_estimate(seconds: float, share: float, left: float | None, words: str) -> None:
    found = snapshot(
        part(state=JobState.DOING, done=int(share * 100), total=100),
        state=JobState.DOING,
        started=NOW - timedelta(seconds=seconds),
    )
    verdict = judged(found)
    assert verdict.progress == share
    assert verdict.left == (pytest.approx(left) if left else None)
    assert verdict.expected == words
    assert "to go" not in verdict.reason, "what is waited for does not change with it"
    assert judged(snapshot(*found.parts, state=JobState.DOING)).left is None, "no beginning is known"


def test_each_tenant_has_a_measure_and_an_estimate_of_its_own() -> None:
    found = snapshot(
        part(state=JobState.DOING, done=8, total=10, started=NOW - timedelta(seconds=40)),
        part(BANK, JobState.DOING, done=1, total=20, unit="tablets", started=NOW - timedelta(seconds=40)),
        state=JobState.DOING,
        started=NOW - timedelta(seconds=100),
    )
    reason = judged(found).reason
    assert "shop DOING: 8 of 10 macro blocks (80%, about 10 s to go)" in reason
    assert "bank DOING: 1 of 20 tablets (5%)" in reason


def test_success() -> None:
    found = snapshot(
        part(),
        part(BANK, is_full=False, set_id=4, restore_point=NOW + timedelta(seconds=5)),
        started=NOW - timedelta(seconds=90),
        ended=NOW,
    )
    verdict = judged(found, tenants=("shop", "bank"))
    assert isinstance(verdict, Ready)
    summary = verdict.summary
    assert json.loads(json.dumps(summary)) == summary
    assert (summary["job"], summary["state"], summary["seconds"]) == (9, "COMPLETED", 90.0)
    assert (summary["kinds"], summary["sets"]) == ({"shop": "full", "bank": "incremental"}, {"shop": 3, "bank": 4})
    assert summary["restore_point"] == summary["restore_points"]["bank"] > summary["restore_points"]["shop"]
    assert (summary["failed"], summary["cancelled"]) == ({}, [])
    assert judged(snapshot(part(is_full=None))).summary["kinds"] == {"shop": "unknown"}
    assert judged(snapshot(part())).summary["seconds"] is None


@pytest.mark.parametrize(
    ("found", "expected", "failed"),
    [
        (snapshot(), (), {"job": "it has copied no tenant"}),
        (snapshot(), ("shop",), {"shop": "has left it out"}),
        (snapshot(part()), ("shop", "bank"), {"bank": "has left it out"}),
        (snapshot(part(), part(BANK, problem="its set is SUCCESS/BROKEN")), (), {"bank": "SUCCESS/BROKEN"}),
        (snapshot(part(restore_point=None)), (), {"shop": "without the moment from which it can be restored"}),
        (snapshot(part(state=JobState.FAILED), state=JobState.FAILED), (), {"shop": "it is FAILED"}),
        (snapshot(part(state=JobState.FAILED, problem="[4016] no")), (), {"shop": "[4016] no"}),
        (snapshot(part(), part(BANK, JobState.CANCELED), state=JobState.CANCELED), (), {"bank": "it is CANCELED"}),
        (snapshot(part(), state=JobState.FAILED), (), {"job": "it is FAILED, whatever the sets of its tenants say"}),
        (snapshot(part(), state=JobState.CANCELED), ("shop",), {"job": "it is CANCELED, whatever"}),
        (snapshot(state=JobState.FAILED, problem="[4012] slow"), (), {"job": "of the job it says: [4012] slow"}),
        (snapshot(state=JobState.FAILED, problem="[4012] slow"), ("shop",), {"shop": "the job it says: [4012] slow"}),
    ],
)  # fmt: skip
def test_failure(found: BackupSnapshot, expected: tuple[str, ...], failed: dict[str, str]) -> None:
    verdict = judged(found, tenants=expected)
    assert isinstance(verdict, Terminal)
    assert f"data backup 9 is {found.state}: " in verdict.reason
    assert verdict.hint
    told = judged(found, tenants=expected, ended_is_enough=True).summary
    assert list(told["failed"]) == list(failed)
    for name, words in failed.items():
        assert words in told["failed"][name]
        assert f"{name}: {told['failed'][name]}" in verdict.reason
    assert not set(told["sets"]) & set(told["failed"])


def test_only_the_tenants_that_are_waited_for_count() -> None:
    found = snapshot(part(), part(BANK, JobState.FAILED, problem="[4016] no"), state=JobState.FAILED)
    verdict = judged(found, tenants=("shop",))
    assert isinstance(verdict, Ready)
    assert (verdict.summary["sets"], verdict.summary["failed"]) == ({"shop": 3}, {})
    assert isinstance(judged(found, tenants=("bank",)), Terminal)
    assert isinstance(judged(found), Terminal)


def test_who_was_cancelled() -> None:
    some = snapshot(part(BANK, JobState.CANCELED), part(state=JobState.FAILED), state=JobState.FAILED)
    assert judged(some, ended_is_enough=True).summary["cancelled"] == ["bank"]
    nobody = snapshot(state=JobState.CANCELED)
    assert judged(nobody, tenants=("shop",), ended_is_enough=True).summary["cancelled"] == ["shop"]
    assert judged(nobody, ended_is_enough=True).summary["cancelled"] == ["job"]


MISSING = {
    "no row": (snapshot(state=None), "is shown neither under way nor as ended"),
    "a part that still runs": (
        snapshot(part(BANK), part(state=JobState.DOING)),
        "is COMPLETED, but not all of it is: shop DOING",
    ),
    "a part that nobody knows": (snapshot(part(state=JobState.UNKNOWN), state=JobState.FAILED), "shop UNKNOWN"),
}


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("what", MISSING)
def test_one_that_is_missing_is_no_success_and_waited_for_five_minutes(what: str, ended: bool) -> None:
    found, words = MISSING[what]
    wait = BackupDone(job_id=9, ended_is_enough=ended).begun(found)
    for seconds in (0, UNSEEN_SECONDS - 1):
        later = _at(found, seconds)
        wait = wait.begun(later)
        verdict = wait.judge(later)
        assert isinstance(verdict, Waiting)
        assert verdict.unknown
        assert words in verdict.reason
    later = _at(found, UNSEEN_SECONDS)
    verdict = wait.begun(later).judge(later)
    assert isinstance(verdict, Terminal)
    assert words in verdict.reason
    assert "Nothing is known of its result" in verdict.hint


def _at(found: BackupSnapshot, seconds: float) -> BackupSnapshot:
    return BackupSnapshot(
        NOW + timedelta(seconds=seconds), found.job_id, found.state, found.words, parts=found.parts
    )  # fmt: skip


@pytest.mark.parametrize("what", MISSING)
def test_the_five_minutes_begin_when_it_goes_missing(what: str) -> None:
    """A backup takes hours; its row goes from one view to the other in a moment, which a look may meet."""
    found, _ = MISSING[what]
    under_way = snapshot(part(state=JobState.DOING), state=JobState.DOING)
    wait = BackupDone(job_id=9).begun(under_way)
    for seconds in (10_000, 10_200):
        gone = _at(found, seconds)
        wait = wait.begun(gone)
        assert isinstance(wait.judge(gone), Waiting)
    back = _at(under_way, 10_250)
    wait = wait.begun(back)
    assert wait.missing_since is None
    gone = _at(found, 10_400)
    assert isinstance(wait.begun(gone).judge(gone), Waiting)
    assert isinstance(wait.judge(gone), Waiting), "also without a first look"


def test_a_clock_set_back_ends_nothing() -> None:
    wait = BackupDone(job_id=9).begun(_at(snapshot(state=None), 0))
    earlier = _at(snapshot(state=None), -5000)
    assert isinstance(wait.begun(earlier).judge(earlier), Waiting)


@pytest.mark.parametrize("found", [snapshot(state=None), snapshot(part(state=JobState.DOING), state=JobState.DOING)])
def test_over_the_wire(found: BackupSnapshot) -> None:
    wait = BackupDone(job_id=9, tenants=("shop",), ended_is_enough=True).begun(found)
    wire = json.loads(json.dumps(wait.to_wire()))
    assert from_wire(wire) == wait
    assert from_wire({"kind": "BackupDone", "job_id": 9}) == BackupDone(job_id=9), "as an older release wrote it"
    assert wait.read_arguments() == {"job_id": 9}
    assert wait.reads == "backup"


def test_states() -> None:
    assert {state for state in JobState if state.is_over} == set(ENDS)
    assert JobState.parse("completed ") in {JobState.COMPLETED, JobState.UNKNOWN}
    assert JobState.parse("DONE") is JobState.UNKNOWN
