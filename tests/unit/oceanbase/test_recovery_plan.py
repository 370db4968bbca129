"""The steps that are left: by state and build, through any interruption, and never a stop of what archives."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.breaks import BreakEvent, BreakHistory
from airflow_ob_provider.oceanbase.catalog import Part
from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.models import ArchiveState, Scope, Tenant
from airflow_ob_provider.oceanbase.recovery import RecoveryStep, diagnose, plan_move, plan_recovery
from tests.unit.oceanbase.recovery_world import NEW, OLD, SHOP, ModelRound, S, World, at, follow, version

V3 = ("2.2.77", "3.1.2", "3.1.5", "3.2.4")
V4 = ("4.0.0", "4.1.0", "4.2.1", "4.2.5", "4.3.3")
BUILDS = (*V3, *V4)
STATES_3 = ("STOP", "BEGINNING", "DOING", "STOPPING", "INTERRUPTED")
STATES_4 = (*STATES_3, "PREPARE", "SUSPENDING", "SUSPEND")
AFTER = (S.START, S.WAIT_DOING, S.FULL_BACKUP, S.CHECK)
A = ArchiveState
FORCES = {"3.1.5", "3.2.4"}


def world(build: str, state: str = "DOING", **changes: Any) -> World:
    found = World(build, A(state))
    if state in {"SUSPENDING", "SUSPEND"}:
        found.deferred = True
    if state in {"STOPPING", "STOP"}:
        found.mode = False
    if state == "INTERRUPTED":
        found.rounds[-1].broke = True
    return replace(found, **changes)


# --- by state ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize(
    ("state", "steps"),
    [
        ("DOING", ()),
        ("BEGINNING", (S.WAIT_DOING, S.CHECK)),
        ("INTERRUPTED", (S.STOP, S.WAIT_STOP, *AFTER)),
        ("STOPPING", (S.WAIT_STOP, *AFTER)),
        ("STOP", AFTER),
    ],
)
def test_by_state(build: str, state: str, steps: tuple[RecoveryStep, ...]) -> None:
    assert world(build, state).steps() == steps


@pytest.mark.parametrize("build", V4[1:])
@pytest.mark.parametrize("state", ["SUSPENDING", "SUSPEND"])
def test_a_suspended_round_goes_on_without_a_hole(build: str, state: str) -> None:
    one = world(build, state)
    (plan,) = one.plan().plans
    assert plan.steps == (S.RESUME, S.WAIT_DOING, S.CHECK)
    assert plan.cost is None
    assert follow(one, World.plan) == [S.RESUME, S.WAIT_DOING]


@pytest.mark.parametrize("build", BUILDS)
def test_a_stop_that_is_stuck(build: str) -> None:
    one = world(build, "STOPPING", now=120, is_dead=True)
    assert one.diagnosis().is_stuck
    first = S.FORCE_STOP if build in FORCES else S.WAIT_STOP
    assert one.steps() == (first, *AFTER)
    assert one.diagnosis().ends_after == (600.0 if build in {"4.2.5", "4.3.3"} else None)


@pytest.mark.parametrize(("age", "stuck"), [(9, False), (10, True)])
def test_when_a_stop_is_stuck(age: int, stuck: bool) -> None:
    one = world("3.1.5", "STOPPING", now=100 + age)
    assert one.diagnosis().is_stuck is stuck
    assert (S.FORCE_STOP in one.steps()) is stuck
    assert world("3.1.5", "STOPPING", now=105).diagnosis(stuck_after=300.0).is_stuck


def test_what_the_caller_has_waited_counts_where_no_event_tells() -> None:
    one = world("3.1.5", "STOPPING", now=200)
    one.since = 200
    one.history = lambda: BreakHistory()  # type: ignore[method-assign]
    assert not one.diagnosis().is_stuck, "nobody knows since when: not a reason for force"
    assert one.diagnosis(waited=600.0).is_stuck
    assert not one.diagnosis(waited=599.0).is_stuck
    running = world("3.1.5", "DOING")
    assert not running.diagnosis(waited=9999.0).is_stuck


def test_force_is_not_needed_twice() -> None:
    """The statement has emptied the destination: STOPPING ends by itself, and a destination is set then."""
    one = world("3.1.5", "STOPPING", now=200, destination="")
    assert one.steps() == (S.WAIT_STOP, S.SET_DESTINATION, *AFTER)
    assert world("3.1.5", "STOP", destination="").steps() == (S.SET_DESTINATION, *AFTER)
    (move,) = world("3.1.5", "STOP", destination="").move().plans
    assert move.steps == (S.SET_DESTINATION, *AFTER)
    (move,) = one.move().plans
    assert move.steps[-5:] == (S.SET_DESTINATION, *AFTER) or move.steps[0] is S.FORCE_STOP


@pytest.mark.parametrize("build", V4)
def test_a_stopped_tenant_without_a_destination(build: str) -> None:
    one = world(build, "STOP", destination="")
    assert one.steps() == (S.SET_DESTINATION, *AFTER)
    assert "no destination" in one.plan().plans[0].reason.en


@pytest.mark.parametrize("build", V4[1:])
def test_what_defer_keeps_from_starting(build: str) -> None:
    one = world(build, "STOP", mode=True, deferred=True)
    assert one.steps() == (S.RESUME, *AFTER)
    assert follow(one, World.plan)[0] is S.RESUME


@pytest.mark.parametrize("build", V4[1:])
def test_a_next_round_that_comes_by_itself(build: str) -> None:
    """ARCHIVELOG in STOPPING: after STOP the scheduler starts the next round."""
    one = world(build, "STOPPING", mode=True)
    assert one.steps() == (S.WAIT_STOP, S.WAIT_DOING, S.FULL_BACKUP, S.CHECK)
    assert one.move().plans[0].steps[:3] == (S.STOP, S.WAIT_STOP, S.SET_DESTINATION)


@pytest.mark.parametrize("build", BUILDS)
def test_never_archived_is_not_recovered(build: str) -> None:
    one = world(build, "STOP", rounds=[], fulls=[])
    for plan in (one.plan(), one.move()):
        assert (plan.needs, plan.is_done) == ((), True)
        assert "never been archived" in plan.plans[0].reason.en
    deferred = world("4.2.5", "STOP", rounds=[], fulls=[], mode=True, deferred=True)
    assert deferred.steps() == ()


@pytest.mark.parametrize("build", BUILDS)
def test_a_new_round_lacks_its_full_backup(build: str) -> None:
    one = world(build, rounds=[ModelRound(1, 0, 50, broke=True), ModelRound(2, 60, 100)])
    (plan,) = one.plan().plans
    assert plan.steps == (S.FULL_BACKUP, S.CHECK)
    assert plan.cost is not None
    assert (plan.cost.gap_from, plan.cost.gap_to, plan.cost.is_new) == (at(50), None, False)
    assert plan.cost.full_backups == {name: (1,) for name in one.diagnosis().tenants}
    one.running_full = (2, 70)
    assert one.steps() == (S.WAIT_BACKUP, S.CHECK)
    one.running_full = (2, 55)
    assert one.steps() == (S.FULL_BACKUP, S.CHECK), "it began before the round and ends no hole"
    one.running_full = None
    one.fulls.append((3, 95, 101))
    assert one.steps() == (S.WAIT_CHECKPOINT, S.CHECK), "its logs are not all there yet"
    one.wait(5)
    assert one.steps() == ()


def test_a_backup_of_another_kind_is_no_full_one() -> None:
    one = world("3.1.5", rounds=[ModelRound(1, 0, 50, broke=True), ModelRound(2, 60, 100)], running_full=(2, 70))
    for wrong in ({"is_full": False}, {"status": "FAILED"}, {"started": None}):
        attempt = replace(one.catalog().tenants[0].attempt, **wrong)  # type: ignore[type-var]
        changed = replace(one, record_changes={"attempt": attempt})
        assert changed.steps() == (S.FULL_BACKUP, S.CHECK), wrong
    unknown_start = replace(one, row_changes={"started": None})
    assert unknown_start.steps() == (S.FULL_BACKUP, S.CHECK)


def test_a_cluster_without_user_tenants_needs_no_backup() -> None:
    one = world("3.1.5", "INTERRUPTED")
    found = diagnose(one.catalog(tenants=()), one.history(), version("3.1.5"))
    (plan,) = plan_recovery(found).plans
    assert plan.steps == (S.STOP, S.WAIT_STOP, S.START, S.WAIT_DOING, S.CHECK)


# --- what is not known ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", BUILDS)
def test_an_unknown_state_is_refused(build: str) -> None:
    one = world(build, row_changes={"state": A.UNKNOWN, "status": "WEIRD access_key=abc"})
    plan = one.plan()
    assert (plan.needs, plan.is_done) == ((), False)
    (why,) = plan.refused.values()
    assert "WEIRD" in why
    assert "abc" not in why
    assert one.move().refused


def test_no_row_at_all() -> None:
    one = world("3.1.5")
    (found,) = diagnose(one.catalog(governing=None), one.history(), version("3.1.5"))
    assert "no state" in found.refusal
    assert plan_recovery([found]).refused == {"cluster": found.refusal}
    assert plan_recovery([]).scope is Scope.TENANT


def test_tenants_that_contradict_their_cluster_are_not_stopped() -> None:
    one = world("3.1.5")
    catalog = one.catalog()
    odd = replace(catalog.tenants[0], archive=replace(catalog.tenants[0].archive, state=A.INTERRUPTED))
    found = diagnose(replace(catalog, tenants=(odd, *catalog.tenants[1:])), one.history(), version("3.1.5"))
    assert "shop INTERRUPTED" in plan_recovery(found).refused["cluster"]
    left_over = replace(odd, archive=replace(odd.archive, round_id=0))
    found = diagnose(replace(catalog, tenants=(left_over,)), one.history(), version("3.1.5"))
    assert plan_recovery(found).is_done, "a row of another round says nothing"


@pytest.mark.parametrize(
    ("build", "state"),
    [("3.1.5", "DOING"), ("3.1.5", "INTERRUPTED"), ("4.2.5", "DOING"), ("4.2.5", "INTERRUPTED"), ("4.2.5", "SUSPEND")],
)
def test_where_it_cannot_be_told_what_can_be_restored(build: str, state: str) -> None:
    untold = world(build, state, record_changes={"recovery": None, "doubt": "odd rows"})
    unread = world(build, state)
    unread_catalog = unread.catalog(unread=((Part.BACKUPS, "[1142] denied"),))
    absent_catalog = unread.catalog(absent=((Part.PIECES, "no view"),))
    for catalog in (untold.catalog(), unread_catalog, absent_catalog):
        (plan,) = plan_recovery(diagnose(catalog, untold.history(), version(build))).plans
        if state == "DOING":
            assert not plan.is_done
            assert "cannot be told" in plan.refusal
        elif state == "SUSPEND":
            assert plan.steps == (S.RESUME, S.WAIT_DOING, S.CHECK)
        else:
            assert plan.steps == (S.STOP, S.WAIT_STOP, *AFTER), "a new round needs one anyway"


def test_one_hole_that_is_known_is_enough_for_a_backup() -> None:
    """Of a cluster: what cannot be told of another tenant does not keep this one from its backup."""
    one = world("3.1.5", rounds=[ModelRound(1, 0, 50, broke=True), ModelRound(2, 60, 100)])
    catalog = one.catalog()
    odd = replace(catalog.tenants[1], recovery=None, doubt="odd rows")
    (plan,) = plan_recovery(
        diagnose(replace(catalog, tenants=(catalog.tenants[0], odd)), one.history(), version("3.1.5"))
    ).plans
    assert plan.steps == (S.FULL_BACKUP, S.CHECK)
    one.fulls.append((2, 80, 85))
    catalog = one.catalog()
    found = diagnose(replace(catalog, tenants=(catalog.tenants[0], odd)), one.history(), version("3.1.5"))
    assert "bank: odd rows" in plan_recovery(found).refused["cluster"]


def test_a_tenant_that_is_not_there() -> None:
    one = world("4.2.5")
    catalog = one.catalog(out_of_scope=(Tenant(1006, "gone", "DROPPING"),))
    found = diagnose(catalog, one.history(), version("4.2.5"), tenants=("gone", "shop", "nobody"))
    plan = plan_recovery(found)
    assert [p.place for p in plan.plans] == ["gone", "shop", "nobody"]
    assert "DROPPING" in plan.refused["gone"]
    assert "no user tenant" in plan.refused["nobody"]
    assert (plan.needs, plan.is_done) == ((), False)


# --- several tenants --------------------------------------------------------------------------------------------------


def test_needs_and_places_of_several() -> None:
    one, two = world("4.2.5", "INTERRUPTED"), world("4.2.5")
    second = replace(two.catalog().tenants[0], tenant=Tenant(1004, "bank"))
    catalog = one.catalog()
    found = diagnose(replace(catalog, tenants=(*catalog.tenants, second)), one.history(), version("4.2.5"))
    plan = plan_recovery(found)
    assert plan.needs == ("check", "full_backup", "start", "stop", "wait_doing", "wait_stop")
    assert plan.places(S.STOP) == ("shop",)
    assert plan.places(S.RESUME, S.START) == ("shop",)
    assert plan.places(S.FORCE_STOP) == ()
    assert not plan.is_done


# --- moves ------------------------------------------------------------------------------------------------------------

MOVED = (S.SET_DESTINATION, *AFTER)


@pytest.mark.parametrize(
    ("build", "state"),
    [(build, state) for build in BUILDS for state in (STATES_3 if build in (*V3, "4.0.0") else STATES_4)],
)
def test_a_move_by_state(build: str, state: str) -> None:
    one = world(build, state)
    (plan,) = one.move().plans
    expected = {"STOP": MOVED, "STOPPING": (S.WAIT_STOP, *MOVED)}.get(state, (S.STOP, S.WAIT_STOP, *MOVED))
    assert plan.steps == expected
    assert plan.reason.en == f"from {OLD} to {NEW}"
    assert plan.cost is not None
    assert plan.cost.gap_from == at(100)
    assert plan.cost.is_new is (state not in {"INTERRUPTED", "STOP", "STOPPING"})
    follow(one, World.move)
    assert one.destination == NEW
    assert one.taken.count(S.STOP) <= 1
    assert not one.move().needs, "run again, there is nothing left"


def test_a_move_of_what_is_stuck_uses_force_once() -> None:
    one = world("3.1.5", "STOPPING", now=120, is_dead=True)
    assert one.move().plans[0].steps == (S.FORCE_STOP, *AFTER), "which sets the destination"


@pytest.mark.parametrize("build", ["3.1.5", "4.2.5"])
@pytest.mark.parametrize("state", ["DOING", "INTERRUPTED", "STOP"])
def test_at_the_new_place_a_move_is_a_recovery(build: str, state: str) -> None:
    one = world(build, state, destination=NEW)
    (plan,) = one.move().plans
    assert plan.steps == one.steps()
    assert plan.reason.en.startswith(f"it goes to {NEW} already. ")


def test_a_move_needs_to_know_where_it_is() -> None:
    unset = world("3.1.5", record_changes={"settings": None})
    differs = world("3.1.5", settings={"differs": ("backup_dest",)})
    assert "not shown" in unset.move().refused["cluster"]
    assert "different values" in differs.move().refused["cluster"]
    unread = world("4.2.5")
    catalog = unread.catalog(unread=((Part.SETTINGS, "[1142] denied"),))
    found = diagnose(catalog, unread.history(), version("4.2.5"))
    assert "denied" in plan_move(found, Destination.parse(NEW)).refused["shop"]


def test_places_of_their_own() -> None:
    assert world("3.1.5").move("file:///data/{tenant}").refused
    assert not world("3.1.5").move("file:///data/{cluster}").refused
    tenant = world("4.2.5", destination="file:///data/obcluster/shop/1002")
    assert tenant.move("file:///data/{cluster}/{tenant}/{tenant_id}").is_done
    found = tenant.diagnoses()
    assert "cluster" in plan_move(found, Destination.parse("file:///data/{cluster}")).refused["shop"]
    no_place = world("4.2.5", "STOP", destination="", rounds=[ModelRound(1, 0, 100)])
    assert "from no destination to" in no_place.move().plans[0].reason.en


# --- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", ["3.1.5", "4.2.5"])
def test_the_cost_of_a_break(build: str) -> None:
    one = world(build, "INTERRUPTED", now=160)
    one.fulls.append((2, 40, 42))
    (plan,) = one.plan().plans
    assert plan.cost is not None
    assert (plan.cost.gap_from, plan.cost.gap_to) == (at(100), None)
    assert set(plan.cost.full_backups.values()) == {(1, 2)}
    assert "2026-03-01 01:40:00+08:00" in plan.cost.words.en
    assert "Users' writes go on" in plan.cost.writes.en
    blocked = replace(one, settings={"mode": "mandatory"}).plan().plans[0]
    assert blocked.cost is not None
    assert "may be blocked" in blocked.cost.writes.en


def test_the_cost_where_nothing_could_be_restored() -> None:
    one = world("4.2.5", "INTERRUPTED", fulls=[])
    (plan,) = one.plan().plans
    assert plan.cost is not None
    assert "nothing of shop can be restored" in plan.cost.words.en
    assert plan.cost.full_backups == {}


def test_the_cost_where_it_is_not_told() -> None:
    one = world("4.2.5", "INTERRUPTED", record_changes={"recovery": None, "doubt": "odd rows"})
    (plan,) = one.plan().plans
    assert plan.cost is not None
    assert (plan.cost.gap_from, plan.cost.is_new) == (at(100), False), "the checkpoint is all that is known"


# --- through any interruption -----------------------------------------------------------------------------------------


def anything(rng: Random) -> World:
    build = rng.choice(BUILDS)
    state = rng.choice(STATES_3 if build in (*V3, "4.0.0") else STATES_4)
    now = rng.choice([100, 105, 130, 2000])
    one = world(build, state, now=now, is_dead=rng.random() < 0.4, since=rng.choice([100, now]))
    if rng.random() < 0.3:
        one.rounds = [
            ModelRound(1, 0, 40, broke=rng.random() < 0.5),
            ModelRound(2, 60, 100, broke=state == "INTERRUPTED"),
        ]
    one.fulls = rng.choice([[(1, 10, 12)], [], [(1, 65, 70)], [(1, 10, 12), (2, 98, 103)]])
    if one.has_mode and state == "STOPPING":
        one.mode = rng.random() < 0.3
    if one.has_mode and state == "STOP" and rng.random() < 0.3:
        one.mode = one.deferred = True
    if state == "STOP" and rng.random() < 0.3:
        one.destination = ""
    return one


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([World.plan, World.move]))
def test_any_state_ends_restorable_however_often_it_is_interrupted(rng: Random, plan: Any) -> None:
    one = anything(rng)
    breaks = rng.choice([0, 0, 1, 2])

    def disturb(one: World) -> None:
        nonlocal breaks
        if breaks and rng.random() < 0.3:
            breaks -= 1
            one.break_off()

    follow(one, plan, on_step=disturb)
    assert one.state is A.DOING
    (record, *_) = one.catalog().tenants
    assert record.recovery is not None
    assert record.recovery.open_gap is None
    assert plan is World.plan or one.destination == NEW


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_archives_or_is_on_its_way_is_never_stopped(rng: Random) -> None:
    one = anything(rng)
    rows = [one.row(SHOP)]
    one.events = [
        BreakEvent(
            rng.choice([None, at(rng.randint(0, 120))]),
            rng.choice(["log_archive", "backup"]),
            "change_status",
            rng.choice([0, 1002, 1004]),
            rng.choice([0, 1, 2]),
            rng.choice([None, *A]),
            ((rng.choice(["result", "reason"]), rng.choice(["-9087", "-9051", "0", "LOG_RECYCLE", "GC"])),),
        )
        for _ in range(rng.randint(0, 5))
    ]
    found = one.diagnoses(waited=rng.choice([0.0, 1e6]), stuck_after=rng.choice([60.0, 600.0]))
    plan = plan_recovery(found)
    fine = {A.DOING, A.BEGINNING, A.PREPARE, A.SUSPENDING, A.SUSPEND}
    if rows[0].state in fine:
        assert not {"stop", "force_stop"} & set(plan.needs)
    if rows[0].state is not A.STOPPING:
        assert "force_stop" not in plan.needs
    if rows[0].state is not A.INTERRUPTED:
        assert "stop" not in plan.needs


@pytest.mark.parametrize("build", V4[1:])
def test_a_stuck_suspension_is_stopped_only_on_request(build: str) -> None:
    one = world(build, "SUSPENDING", now=130, is_dead=True)
    assert one.diagnosis().is_stuck
    assert one.steps() == (S.RESUME, S.WAIT_DOING, S.CHECK)
    assert one.steps(stop_suspended=True) == (S.STOP, S.WAIT_STOP, *AFTER)
    resumed = replace(one, deferred=False)
    assert resumed.row(SHOP).state is A.BEGINNING, "ENABLE was sent, and nothing has come of it"
    assert resumed.steps(stop_suspended=True) == (S.STOP, S.WAIT_STOP, *AFTER)
    young = world(build, "SUSPENDING", now=101)
    assert young.steps(stop_suspended=True) == (S.RESUME, S.WAIT_DOING, S.CHECK)
    assert world(build, "SUSPEND", now=999).steps(stop_suspended=True) == (S.RESUME, S.WAIT_DOING, S.CHECK)
    assert world(build, "DOING", now=999).steps(stop_suspended=True) == ()
