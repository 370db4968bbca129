"""Decisions: never Ready on what is not so, never Terminal on what may yet be so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.dialects.base import Dialect
from airflow_ob_provider.oceanbase.models import (
    MAX_AHEAD_SECONDS,
    ArchiveRow,
    ArchiveSnapshot,
    ArchiveState,
    FileStatus,
    FreezeProgress,
    PieceSnapshot,
    PieceStatus,
    Scope,
    Tenant,
)
from airflow_ob_provider.oceanbase.reader import read_for
from airflow_ob_provider.oceanbase.waits import (
    IDLE_SECONDS,
    QUIET_SECONDS,
    RECOVERY,
    START_GRACE_SECONDS,
    ArchiveDoing,
    ArchiveStopped,
    CheckpointPassed,
    FreezeDone,
    PiecesReady,
    Ready,
    Terminal,
    Verdict,
    Wait,
    Waiting,
    from_wire,
)
from tests.unit.oceanbase.builders import (
    BANK,
    CST,
    NOW,
    SHOP,
    STARTED,
    SYS,
    by_tenant,
    minutes,
    piece_snapshot,
    pieces,
    row,
    snapshot,
)

EARLY = NOW - timedelta(seconds=START_GRACE_SECONDS - 0.001)
LATE = NOW - timedelta(seconds=START_GRACE_SECONDS)
AFTER = NOW - minutes(30)


def kind(verdict: Verdict) -> str:
    """One letter a verdict: R, T, W, and ? for a wait on something that cannot be judged."""
    if isinstance(verdict, Waiting):
        return "?" if verdict.unknown else "W"
    return "R" if isinstance(verdict, Ready) else "T"


def ready(verdict: Verdict) -> Ready:
    assert isinstance(verdict, Ready), verdict
    return verdict


def waiting(verdict: Verdict) -> Waiting:
    assert isinstance(verdict, Waiting), verdict
    return verdict


def terminal(verdict: Verdict) -> Terminal:
    assert isinstance(verdict, Terminal), verdict
    assert verdict.hint
    return verdict


def whole(state: str, **kwargs: object) -> ArchiveSnapshot:
    """A cluster that is in this state altogether."""
    rows = [row(tenant, state, **kwargs) for tenant in (SYS, SHOP, BANK)]  # type: ignore[arg-type]
    return snapshot(*rows)


# --- every state, every wait ------------------------------------------------------------------------------------------

STATES = [*ArchiveState]
# STOP PREPARE BEGINNING DOING SUSPENDING SUSPEND STOPPING INTERRUPTED UNKNOWN
TABLE = [
    (ArchiveDoing(since=EARLY), "WWWRWWWT?"),
    (ArchiveDoing(since=LATE), "TWWRTTWT?"),
    (ArchiveDoing(), "WWWRWWWT?"),
    (ArchiveDoing(since=LATE, tenants=("shop",)), "TWWRTTWT?"),
    (ArchiveDoing(since=LATE, min_round=3), "TWWRTTWT?"),
    (ArchiveDoing(since=LATE, min_rounds={"cluster": 3, "shop": 9}), "TWWRTTWT?"),
    (ArchiveDoing(since=EARLY, min_round=4), "WWWWWWWT?"),
    (ArchiveDoing(since=EARLY, min_rounds={"cluster": 4}), "WWWWWWWT?"),
    (ArchiveStopped(since=EARLY), "RWWWWWWW?"),
    (ArchiveStopped(since=LATE), "RTTTTTWT?"),
    (ArchiveStopped(since=EARLY, or_running=True), "RRRRWWWW?"),
    (ArchiveStopped(since=LATE, or_running=True), "RRRRTTWT?"),
    (CheckpointPassed(since=EARLY, after=AFTER), "RWWRRRRT?"),
    (CheckpointPassed(since=LATE, after=AFTER), "RWWRRRRT?"),
    (CheckpointPassed(since=LATE, after=AFTER, tenants=("shop",)), "RWWRRRRT?"),
    (CheckpointPassed(since=EARLY, after=NOW), "WWWWWWWT?"),
    (CheckpointPassed(since=LATE, after=NOW), "TWWWTTWT?"),
    (CheckpointPassed(since=LATE, after=NOW, tenants=("shop",)), "TWWWTTWT?"),
    (CheckpointPassed(since=LATE, after=STARTED - minutes(1)), "TTTTTTTTT"),
]


def test_the_table_names_every_state() -> None:
    words = "STOP PREPARE BEGINNING DOING SUSPENDING SUSPEND STOPPING INTERRUPTED UNKNOWN"
    assert " ".join(STATES) == words
    assert {len(letters) for _, letters in TABLE} == {len(STATES)}


@pytest.mark.parametrize(
    ("wait", "state", "letter"),
    [(wait, state, letter) for wait, letters in TABLE for state, letter in zip(STATES, letters, strict=True)],
)
def test_a_cluster_in_one_state(wait: Wait, state: ArchiveState, letter: str) -> None:
    assert kind(wait.judge(whole(state))) == letter


@pytest.mark.parametrize("wait", [wait for wait, _ in TABLE])
def test_no_state_at_all_is_unknown(wait: Wait) -> None:
    assert kind(wait.judge(snapshot(row(SHOP), row(BANK)))) == "?"
    assert kind(wait.judge(snapshot(tenants=(SHOP, BANK)))) == "?"


# --- begin, elapsed ---------------------------------------------------------------------------------------------------


def test_the_first_look_is_kept() -> None:
    wait = ArchiveDoing().begun(snapshot())
    assert wait.since == NOW
    assert wait.begun(snapshot(read_at=NOW + minutes(5))) is wait
    assert PiecesReady().begun(piece_snapshot()).since == NOW
    assert FreezeDone().begun(FreezeProgress(NOW, 0, 0)).since == NOW


@pytest.mark.parametrize(
    ("since", "elapsed"),
    [(None, 0), (NOW, 0), (NOW - minutes(1), 60), (NOW + minutes(60), 0), (NOW - timedelta(microseconds=1), 1e-6)],
)
def test_time_passes_by_the_servers_clock_and_never_backwards(since: datetime | None, elapsed: float) -> None:
    assert ArchiveDoing(since=since).elapsed(NOW).total_seconds() == elapsed


def test_a_clock_set_back_ends_nothing() -> None:
    wait = ArchiveDoing(since=NOW + minutes(600))
    assert kind(wait.judge(whole("STOP"))) == "W"


def test_a_clock_in_another_zone_counts_the_same() -> None:
    wait = ArchiveDoing(since=LATE.astimezone(timezone.utc))  # noqa: UP017
    assert kind(wait.judge(whole("STOP"))) == "T"


def test_the_base_judges_nothing() -> None:
    with pytest.raises(NotImplementedError):
        Wait().judge(None)


# --- ArchiveDoing -----------------------------------------------------------------------------------------------------


def test_doing_tells_what_runs() -> None:
    found = ready(
        ArchiveDoing().judge(
            snapshot(row(SYS), row(SHOP, checkpoint=NOW - minutes(3)), row(BANK, checkpoint=None), tenants=(SHOP, BANK))
        )
    )
    assert found.warning == ""
    assert found.summary == {
        "round": 3,
        "rounds": {"cluster": 3},
        "out_of_scope": [],
        "states": ["DOING"],
        "started": "2024-04-13 16:00:00.000000+08:00",
        "checkpoint": "2024-04-13 16:57:00.000000+08:00",
        "read_at": "2024-04-13 17:00:00.000000+08:00",
        "tenants_doing": 2,
    }


def test_doing_without_a_user_tenant_archives_nothing() -> None:
    warning = ready(ArchiveDoing().judge(snapshot(row(SYS)))).warning
    assert warning.startswith("log backup is DOING, but the cluster has no user tenant")
    assert warning.endswith("nothing is archived")


@pytest.mark.parametrize("state", [state for state in ArchiveState if state not in {"DOING", "INTERRUPTED"}])
def test_one_tenant_that_is_not_doing_is_waited_for(state: ArchiveState) -> None:
    found = waiting(ArchiveDoing(since=NOW).judge(snapshot(row(SYS), row(SHOP), row(BANK, state))))
    assert found.reason == f"2 of 3 are DOING; bank {state} (round 3)"
    assert found.progress == pytest.approx(2 / 3)
    assert found.unknown is (state is ArchiveState.UNKNOWN)


def test_one_tenant_that_is_broken_ends_it() -> None:
    found = terminal(ArchiveDoing().judge(snapshot(row(SYS), row(SHOP), row(BANK, "INTERRUPTED"))))
    assert found.reason == "the log stream is broken: bank INTERRUPTED (round 3)"
    assert found.hint == RECOVERY


def test_sys_that_is_broken_ends_it_also_for_one_tenant() -> None:
    broken = snapshot(row(SYS, "INTERRUPTED"), row(SHOP), row(BANK))
    assert kind(ArchiveDoing(tenants=("shop",)).judge(broken)) == "T"


def test_a_row_left_over_from_a_broken_round_says_nothing_of_this_one() -> None:
    left = snapshot(row(SYS, round_id=4), row(SHOP, round_id=4), row(BANK, "INTERRUPTED", round_id=3))
    assert kind(ArchiveDoing(min_round=4).judge(left)) == "W"
    assert kind(ArchiveDoing(min_round=4, tenants=("shop",)).judge(left)) == "R"


def test_tenants_that_were_not_asked_for_do_not_count() -> None:
    found = snapshot(row(SYS), row(SHOP), row(BANK, "BEGINNING"), tenants=(SHOP, BANK, Tenant(1003, "new")))
    assert ready(ArchiveDoing(tenants=("shop",)).judge(found)).summary["tenants_doing"] == 1
    assert kind(ArchiveDoing(tenants=("bank",)).judge(found)) == "W"
    assert kind(ArchiveDoing(tenants=("shop", "bank")).judge(found)) == "W"


def test_a_tenant_created_in_mid_wait_is_waited_for() -> None:
    wait = ArchiveDoing(since=LATE)
    before = snapshot(row(SYS), row(SHOP))
    without_row = snapshot(row(SYS), row(SHOP), tenants=(SHOP, BANK))
    beginning = snapshot(row(SYS), row(SHOP), row(BANK, "BEGINNING", checkpoint=None))
    after = snapshot(row(SYS), row(SHOP), row(BANK))
    assert [kind(wait.judge(one)) for one in (before, without_row, beginning, after)] == ["R", "W", "W", "R"]
    found = waiting(wait.judge(without_row))
    assert found.reason == "2 of 3 are DOING; no archive row yet: bank"
    assert found.progress == pytest.approx(2 / 3)


def test_a_named_tenant_without_a_row_is_waited_for() -> None:
    found = ArchiveDoing(tenants=("bank",)).judge(snapshot(row(SYS), row(SHOP), tenants=(SHOP, BANK)))
    assert waiting(found).reason == "1 of 2 are DOING; no archive row yet: bank"


def test_a_tenant_dropped_in_mid_wait() -> None:
    dropped = snapshot(row(SYS), row(SHOP))
    assert kind(ArchiveDoing().judge(dropped)) == "R"
    found = terminal(ArchiveDoing(tenants=("shop", "bank")).judge(dropped))
    assert found.reason == "no such user tenant: bank"


@pytest.mark.parametrize("name", ["sys", "Shop", "nobody"])
def test_a_name_that_no_user_tenant_has(name: str) -> None:
    for wait in (ArchiveDoing(tenants=(name,)), CheckpointPassed(tenants=(name,), after=AFTER)):
        assert terminal(wait.judge(whole("DOING"))).reason == f"no such user tenant: {name}"
    assert kind(PiecesReady(tenants=(name,)).judge(piece_snapshot(pieces(SYS), pieces(SHOP)))) == "T"


def test_an_older_round_is_not_the_one_that_was_started() -> None:
    found = waiting(ArchiveDoing(min_round=4).judge(whole("DOING")))
    assert found.reason.startswith("round 4 or later has not begun everywhere; the server is at sys DOING (round 3)")
    assert found.progress == 0
    assert kind(ArchiveDoing(min_round=4).judge(whole("DOING", round_id=4))) == "R"
    assert kind(ArchiveDoing(min_round=4).judge(whole("DOING", round_id=5))) == "R"


@pytest.mark.parametrize("min_round", [0, 3, 4])
def test_a_tenants_row_of_an_older_round_is_not_doing_in_this_one(min_round: int) -> None:
    mixed = snapshot(row(SYS, round_id=4), row(SHOP, round_id=4), row(BANK, round_id=3))
    found = waiting(ArchiveDoing(min_round=min_round).judge(mixed))
    assert "round 4 or later has not begun everywhere; the server is at bank DOING (round 3)" in found.reason
    assert kind(ArchiveDoing(min_round=min_round, tenants=("shop",)).judge(mixed)) == "R"


def test_rounds_of_tenants_are_their_own_where_tenants_archive() -> None:
    rows = (row(SHOP, round_id=7), row(BANK, round_id=2))
    assert kind(ArchiveDoing().judge(snapshot(*rows, scope=Scope.TENANT))) == "R"
    assert kind(ArchiveDoing(min_round=3).judge(snapshot(*rows, scope=Scope.TENANT))) == "W"


def test_a_round_that_did_not_start() -> None:
    found = terminal(ArchiveDoing(since=LATE).judge(snapshot(row(SYS, "STOP"), tenants=(SHOP, BANK))))
    assert found.reason == "log backup is not running: sys STOP (round 3), 60 s after the first look"
    assert found.hint.startswith("Start it (StartArchivelogOperator, ")
    assert "or find out who stopped it: module 'log_archive' of" in found.hint


def test_the_very_first_round() -> None:
    """Where none is asked for, round 0 is no older one."""
    for found in (snapshot(row(SYS, "STOP", round_id=0)), by_tenant(row(SHOP, "STOP", round_id=0))):
        reason = waiting(ArchiveDoing(since=EARLY).judge(found)).reason
        assert reason.startswith("0 of 1 are DOING; ")
    assert kind(ArchiveDoing().judge(by_tenant(row(SHOP, "INTERRUPTED", round_id=0)))) == "T"


def test_all_that_is_waited_for_is_told() -> None:
    found = snapshot(row(SYS), row(SHOP), row(BANK, "BEGINNING"), tenants=(SHOP, BANK, Tenant(1003, "new")))
    reason = "2 of 4 are DOING; bank BEGINNING (round 3); no archive row yet: new"
    assert waiting(ArchiveDoing().judge(found)).reason == reason


# --- ArchiveStopped ---------------------------------------------------------------------------------------------------


def test_stopped_looks_at_the_cluster_only() -> None:
    assert kind(ArchiveStopped().judge(snapshot(row(SYS, "STOP"), tenants=(SHOP, BANK)))) == "R"
    assert kind(ArchiveStopped().judge(snapshot(row(SYS, "STOPPING"), row(SHOP), row(BANK)))) == "W"


def test_stopped_tells_the_last_checkpoint() -> None:
    found = ready(ArchiveStopped().judge(snapshot(row(SYS, "STOP"))))
    assert found.summary["checkpoint"] == "2024-04-13 16:58:00.000000+08:00"
    assert found.summary["states"] == ["STOP"]


def test_stopping_may_last() -> None:
    wait = ArchiveStopped(since=NOW - timedelta(days=3))
    reason = waiting(wait.judge(whole("STOPPING"))).reason
    assert reason.startswith("not stopped yet: sys STOPPING (round 3) (STOPPING lasts while an OBServer is down or ")
    assert reason.endswith("the destination cannot be written)")


def test_a_round_somebody_started_again() -> None:
    found = terminal(ArchiveStopped(since=LATE).judge(whole("DOING")))
    assert found.reason == "log backup is not stopping: sys DOING (round 3)"
    assert found.hint.startswith("Somebody may have started it again")


# --- CheckpointPassed: the proof --------------------------------------------------------------------------------------


def passed(
    *rows: object,
    after: datetime | None = AFTER,
    tenants: tuple[str, ...] = (),
    exist: tuple[Tenant, ...] | None = None,
) -> Verdict:
    wait = CheckpointPassed(since=LATE, after=after, tenants=tenants)
    return wait.judge(snapshot(*rows, tenants=exist))  # type: ignore[arg-type]


def test_the_checkpoint_must_reach_the_moment_exactly() -> None:
    just = [row(tenant, checkpoint=AFTER) for tenant in (SYS, SHOP)]
    assert kind(passed(*just)) == "R"
    missed = [row(tenant, checkpoint=AFTER - timedelta(microseconds=1)) for tenant in (SYS, SHOP)]
    assert kind(passed(*missed)) == "W"


def test_the_round_must_have_begun_by_the_moment() -> None:
    assert kind(passed(row(SYS, started=AFTER), row(SHOP, started=AFTER))) == "R"
    found = terminal(passed(row(SYS, started=AFTER + timedelta(microseconds=1)), row(SHOP)))
    assert found.reason == (
        "2024-04-13 16:30:00.000000+08:00 lies before the start of the round: sys DOING (round 3), started "
        "2024-04-13 16:30:00.000001+08:00"
    )
    assert found.hint.startswith("This round cannot prove it. ")
    assert found.hint.endswith("take a full data backup inside the round.")


@pytest.mark.parametrize("state", list(ArchiveState))
def test_a_new_round_after_a_gap_proves_nothing_of_before(state: ArchiveState) -> None:
    new_round = snapshot(
        row(SYS, state, round_id=4, started=NOW - minutes(10)), row(SHOP, round_id=4, started=NOW - minutes(10))
    )
    for tenants in ((), ("shop",)):
        assert kind(CheckpointPassed(after=AFTER, tenants=tenants).judge(new_round)) == "T"


def test_a_tenant_created_after_the_moment_has_nothing_before_it() -> None:
    young = row(BANK, started=AFTER + minutes(5), checkpoint=NOW - minutes(1))
    assert kind(passed(row(SYS), row(SHOP), young)) == "R"
    assert kind(passed(row(SYS), row(SHOP), young, tenants=("bank",))) == "R"
    behind = row(BANK, started=AFTER + minutes(5), checkpoint=AFTER - minutes(1))
    assert kind(passed(row(SYS), row(SHOP), behind)) == "W"


@pytest.mark.parametrize("which", [SYS, SHOP])
@pytest.mark.parametrize("fault", [{"checkpoint": None}, {"started": None}, {"checkpoint": None, "started": None}])
def test_a_row_without_its_times_proves_nothing(which: Tenant, fault: dict[str, None]) -> None:
    rows = [row(tenant, **(fault if tenant == which else {})) for tenant in (SYS, SHOP)]  # type: ignore[arg-type]
    assert kind(passed(*rows)) == "W"
    if which == SHOP or "started" in fault:
        assert kind(passed(*rows, tenants=("shop",))) == "W"


NOT_REACHED = "the checkpoint has not reached 2024-04-13 16:30:00.000000+08:00: "


@pytest.mark.parametrize("state", ["PREPARE", "BEGINNING"])
def test_while_the_round_is_on_its_way_up_its_start_may_still_move(state: str) -> None:
    """Tenants become DOING first, with the common start; the cluster's row follows, with an older start until then."""
    rising = (
        row(SYS, state, started=AFTER - minutes(1), checkpoint=None),
        row(SHOP, started=AFTER + minutes(1), checkpoint=NOW),
    )
    found = waiting(passed(*rising, tenants=("shop",)))
    assert found.reason == f"{NOT_REACHED}the round has not begun: sys {state} (round 3)"
    assert found.progress == 1, "of the tenants asked for"
    assert kind(passed(*rising)) == "W"
    assert kind(passed(row(SYS), row(SHOP, state))) == "W"


def test_named_tenants_are_judged_by_their_own_rows() -> None:
    slow_bank = (row(SYS, checkpoint=AFTER - minutes(1)), row(SHOP), row(BANK, checkpoint=AFTER - minutes(1)))
    assert kind(passed(*slow_bank, tenants=("shop",))) == "R"
    assert kind(passed(*slow_bank, tenants=("bank",))) == "W"
    assert kind(passed(*slow_bank, tenants=("shop", "bank"))) == "W"
    assert kind(passed(*slow_bank)) == "W"


def test_a_named_tenant_needs_a_row_of_its_own_while_the_round_runs() -> None:
    found = waiting(passed(row(SYS), row(SHOP), tenants=("bank",), exist=(SHOP, BANK)))
    assert "no archive row yet: bank" in found.reason
    assert kind(passed(row(SYS), row(SHOP), exist=(SHOP, BANK))) == "W"
    assert kind(passed(row(SYS), row(SHOP), tenants=("shop",), exist=(SHOP, BANK))) == "R"


def test_a_tenant_without_a_row_is_not_in_a_round_that_is_being_stopped() -> None:
    stopping = (row(SYS, "STOPPING"), row(SHOP))
    assert kind(passed(*stopping, exist=(SHOP, BANK))) == "W"
    assert kind(passed(*stopping, exist=(SHOP,))) == "R"


@pytest.mark.parametrize("tenants", [(), ("shop",)])
def test_after_the_stop_the_clusters_last_checkpoint_decides(tenants: tuple[str, ...]) -> None:
    """Tenants' rows are deleted when the round has stopped."""
    stopped = (row(SYS, "STOP", checkpoint=NOW - minutes(20)),)
    assert kind(passed(*stopped, tenants=tenants, exist=(SHOP, BANK))) == "R"
    found = terminal(passed(*stopped, tenants=tenants, exist=(SHOP, BANK), after=NOW - minutes(10)))
    assert found.reason.startswith("the round ended before 2024-04-13 16:50:00")
    assert found.hint.startswith("Start log backup; after a stop also take a full data backup")
    assert "in no round" in found.hint


def test_a_stop_is_not_believed_at_once() -> None:
    stopped = snapshot(row(SYS, "STOP", checkpoint=AFTER - minutes(1)))
    assert kind(CheckpointPassed(since=EARLY, after=AFTER).judge(stopped)) == "W"
    assert kind(CheckpointPassed(since=LATE, after=AFTER).judge(stopped)) == "T"


def test_a_cluster_that_never_archived() -> None:
    never = snapshot(row(SYS, "STOP", round_id=0, started=None, checkpoint=None), tenants=(SHOP,))
    assert kind(CheckpointPassed(since=EARLY, after=AFTER).judge(never)) == "W"
    assert "checkpoint none yet" in terminal(CheckpointPassed(since=LATE, after=AFTER).judge(never)).reason


@pytest.mark.parametrize("which", [SYS, SHOP])
def test_a_word_nobody_knows_is_not_proof_although_the_checkpoint_passed(which: Tenant) -> None:
    rows = [row(tenant, "UNKNOWN" if tenant == which else "DOING", status="MIXED") for tenant in (SYS, SHOP)]
    found = waiting(passed(*rows))
    assert found.unknown
    shown = f"cannot be judged: {which.name} MIXED (round 3), checkpoint 2024-04-13 16:58:00.000000+08:00"
    assert found.reason == f"{NOT_REACHED}{shown}"
    assert kind(passed(*rows, tenants=("shop",))) == "?"


@pytest.mark.parametrize("which", [SYS, SHOP])
def test_a_broken_stream_ends_it_although_the_checkpoint_passed(which: Tenant) -> None:
    rows = [row(tenant, "INTERRUPTED" if tenant == which else "DOING") for tenant in (SYS, SHOP)]
    assert terminal(passed(*rows)).hint == RECOVERY
    assert kind(passed(*rows, tenants=("shop",))) == "T"


@pytest.mark.parametrize("which", [SYS, SHOP])
def test_a_checkpoint_in_the_future_is_read_in_the_wrong_zone_or_is_none(which: Tenant) -> None:
    # Less than the smallest difference between two zones, more than clocks differ.
    assert 60 < MAX_AHEAD_SECONDS < 15 * 60
    limit = NOW + timedelta(seconds=MAX_AHEAD_SECONDS)
    for checkpoint, letter in (
        (limit, "R"),
        (limit + timedelta(microseconds=1), "?"),
        (NOW + timedelta(hours=8), "?"),
        (datetime(2262, 4, 11, 23, 47, 16, 854775, tzinfo=CST), "?"),
    ):
        rows = [row(tenant, **({"checkpoint": checkpoint} if tenant == which else {})) for tenant in (SYS, SHOP)]
        assert kind(passed(*rows)) == letter
        assert kind(passed(*rows, tenants=("shop",))) == letter


def test_no_moment_is_the_first_look() -> None:
    wait = CheckpointPassed()
    behind, there = whole("DOING"), whole("DOING", checkpoint=NOW)
    assert kind(wait.judge(behind)) == "W"
    assert kind(wait.judge(there)) == "R"
    begun = wait.begun(snapshot(read_at=NOW - minutes(3)))
    assert begun.after == begun.since == NOW - minutes(3)
    assert (begun.begun(there).after, begun.begun(there).since) == (begun.after, begun.since)
    assert kind(begun.judge(behind)) == "R"


def test_a_bare_moment_is_the_servers_local_time() -> None:
    bare = AFTER.replace(tzinfo=None)
    wait = CheckpointPassed(after=bare)
    assert wait.begun(snapshot()).after == AFTER
    assert kind(wait.judge(whole("DOING"))) == "R"
    assert kind(wait.judge(whole("DOING", checkpoint=AFTER - minutes(1)))) == "W"
    other = AFTER.astimezone(timezone(-timedelta(hours=5)))
    assert CheckpointPassed(after=other).begun(snapshot()).after == other


def test_a_moment_to_come_is_waited_for() -> None:
    assert kind(passed(row(SYS), row(SHOP), after=NOW + minutes(10))) == "W"


def test_the_proof_tells_the_lowest_checkpoint() -> None:
    found = ready(passed(row(SYS, checkpoint=NOW - minutes(5)), row(SHOP), row(BANK)))
    assert found.warning == ""
    assert found.summary["after"] == "2024-04-13 16:30:00.000000+08:00"
    assert found.summary["checkpoint"] == "2024-04-13 16:55:00.000000+08:00"


def test_a_proof_of_nothing_is_a_warning() -> None:
    assert ready(passed(row(SYS))).warning == "no user tenant: nothing is archived"
    assert ready(passed(row(SYS, "STOP"), exist=(SHOP,))).warning == ""


def test_progress_of_the_checkpoint() -> None:
    found = waiting(passed(row(SYS), row(SHOP), row(BANK, checkpoint=None), exist=(SHOP, BANK, Tenant(1003, "new"))))
    assert found.progress == pytest.approx(2 / 4)
    assert found.reason == f"{NOT_REACHED}bank DOING (round 3), checkpoint none yet; no archive row yet: new"


# --- pieces -----------------------------------------------------------------------------------------------------------

PIECES = [
    # the newest piece: status, file status, then the verdict for ACTIVE and for FROZEN
    ("ACTIVE", "AVAILABLE", "RW"),
    ("FREEZING", "AVAILABLE", "WW"),
    ("FROZEN", "AVAILABLE", "WR"),
    ("INACTIVE", "AVAILABLE", "WW"),
    ("UNKNOWN", "AVAILABLE", "??"),
    *((status, file, "WW") for status in ("ACTIVE", "FROZEN") for file in ("COPYING", "INCOMPLETE", "EXPIRED")),
    *((status, file, "WW") for status in ("ACTIVE", "FROZEN") for file in ("DELETING", "DELETED", "BROKEN")),
    *((status, "UNKNOWN", "??") for status in ("ACTIVE", "FROZEN", "UNKNOWN")),
]


@pytest.mark.parametrize(("status", "file_status", "letters"), PIECES)
@pytest.mark.parametrize("which", [SYS, SHOP])
def test_the_newest_piece(which: Tenant, status: str, file_status: str, letters: str) -> None:
    for wanted, letter in zip((PieceStatus.ACTIVE, PieceStatus.FROZEN), letters, strict=True):
        good = pieces(SHOP if which == SYS else SYS, status=wanted)
        found = piece_snapshot(good, pieces(which, status=PieceStatus(status), file_status=FileStatus(file_status)))
        assert kind(PiecesReady(statuses=(wanted,)).judge(found)) == letter
        assert kind(PiecesReady(statuses=(wanted,), tenants=("shop",)).judge(found)) == letter


def test_unknown_is_not_to_be_wished_for() -> None:
    unknown = piece_snapshot(pieces(SYS, status=PieceStatus.UNKNOWN))
    assert kind(PiecesReady(statuses=("UNKNOWN", "ACTIVE")).judge(unknown)) == "?"


def test_several_statuses() -> None:
    found = piece_snapshot(pieces(SYS, status=PieceStatus.FREEZING), pieces(SHOP))
    assert kind(PiecesReady(statuses=("ACTIVE", "FREEZING")).judge(found)) == "R"
    frozen = waiting(PiecesReady(statuses=("ACTIVE", "FROZEN")).judge(found))
    assert frozen.reason.startswith("round 3, wanted ACTIVE or FROZEN and AVAILABLE: sys piece 0 FREEZING/AVAILABLE")


@pytest.mark.parametrize("which", [SYS, SHOP])
def test_a_broken_piece_anywhere_in_the_round_ends_it(which: Tenant) -> None:
    good = pieces(SHOP if which == SYS else SYS, count=3, first_id=1, newest_id=3)
    broken = pieces(which, count=3, first_id=1, newest_id=3, broken=1)
    found = terminal(PiecesReady().judge(piece_snapshot(good, broken)))
    assert found.reason.startswith(
        f"round 3 has unusable pieces: {which.name} piece 3 ACTIVE/AVAILABLE, 3 pieces, 1 br"
    )
    assert found.hint.startswith("Logs in these pieces cannot be restored. ")
    assert found.hint.endswith("take a full data backup now.")
    assert kind(PiecesReady(tenants=("shop",)).judge(piece_snapshot(good, broken))) == "T"


def test_a_broken_piece_of_a_tenant_that_was_not_asked_for() -> None:
    found = piece_snapshot(pieces(SYS), pieces(SHOP), pieces(BANK, broken=1))
    assert kind(PiecesReady(tenants=("shop",)).judge(found)) == "R"


def test_a_hole_ends_it() -> None:
    found = terminal(PiecesReady().judge(piece_snapshot(pieces(SYS, count=2, first_id=1, newest_id=3))))
    assert found.reason.startswith("round 3 has a hole in its pieces: sys piece 3")
    assert found.reason.endswith("1 missing")
    assert found.hint.startswith("Logs in the missing pieces cannot be restored. ")
    assert found.hint.endswith("Take a full data backup now.")


def test_what_clean_up_took_is_no_fault() -> None:
    cleaned = pieces(SYS, count=2, first_id=7, newest_id=8)
    assert kind(PiecesReady().judge(piece_snapshot(cleaned))) == "R"
    listed = pieces(SYS, count=5, first_id=1, newest_id=5, cleaned=3)
    assert ready(PiecesReady().judge(piece_snapshot(listed))).summary["cleaned"] == 3


def test_an_older_piece_that_is_not_ready() -> None:
    found = waiting(PiecesReady().judge(piece_snapshot(pieces(SYS, count=3, first_id=1, newest_id=3, unready=1))))
    assert "1 not ready" in found.reason


def test_a_tenant_that_lacks_the_newest_pieces() -> None:
    """Pieces are numbered for the cluster: FROZEN of yesterday says nothing of today."""
    frozen = PieceStatus.FROZEN
    now = pieces(SYS, count=5, first_id=1, newest_id=5, status=frozen)
    behind = pieces(SHOP, count=3, first_id=1, newest_id=3, status=frozen)
    for tenants in ((), ("shop",)):
        found = waiting(PiecesReady(statuses=(frozen,), tenants=tenants).judge(piece_snapshot(now, behind)))
        assert found.reason.startswith("round 3, wanted FROZEN and AVAILABLE: shop piece 3")
        assert "; the newest piece is 5" in found.reason
    young = pieces(SHOP, count=1, first_id=5, newest_id=5, status=frozen)
    assert kind(PiecesReady(statuses=(frozen,)).judge(piece_snapshot(now, young))) == "R"


def test_an_empty_round() -> None:
    found = waiting(PiecesReady().judge(piece_snapshot()))
    assert found.reason.endswith("the round has no piece yet")
    assert found.progress == 0


def test_a_tenant_without_a_piece_in_the_current_round_is_waited_for() -> None:
    """Right after the start there is a piece of tenant sys only, ACTIVE and AVAILABLE at once."""
    just_begun = piece_snapshot(pieces(SYS), tenants=(SHOP, BANK))
    for round_id in (None, 3):
        found = waiting(PiecesReady(round_id=round_id).judge(just_begun))
        assert "no piece yet: shop, bank" in found.reason
        assert found.progress == pytest.approx(1 / 3)
    assert kind(PiecesReady(round_id=3, tenants=("bank",)).judge(just_begun)) == "W"


def test_a_tenant_without_a_piece_in_an_older_round_may_be_younger() -> None:
    older = PieceSnapshot(NOW, 2, (pieces(SYS, round_id=2), pieces(SHOP, round_id=2)), (SHOP, BANK), is_open=False)
    assert kind(PiecesReady(round_id=2).judge(older)) == "R"
    assert kind(PiecesReady(round_id=2, tenants=("bank",)).judge(older)) == "W"
    empty = PieceSnapshot(NOW, 2, (), (SHOP, BANK), is_open=False)
    assert kind(PiecesReady(round_id=2).judge(empty)) == "W"


def test_a_tenant_that_has_left_the_round_is_waited_for_where_it_is_named_only() -> None:
    found = replace(
        piece_snapshot(pieces(SHOP), tenants=(SHOP, BANK), scope=Scope.TENANT), past=frozenset({BANK.tenant_id})
    )
    assert kind(PiecesReady(round_id=3).judge(found)) == "R"
    for tenants in (("bank",), ("shop", "bank")):
        assert "no piece yet: bank" in waiting(PiecesReady(round_id=3, tenants=tenants).judge(found)).reason
    left = replace(found, past=frozenset({SHOP.tenant_id}))
    assert "no piece yet: bank" in waiting(PiecesReady(round_id=3).judge(left)).reason
    empty = replace(found, rows=(), past=frozenset({SHOP.tenant_id, BANK.tenant_id}))
    assert kind(PiecesReady(round_id=3).judge(empty)) == "W"


def test_pieces_of_no_user_tenant_are_a_warning() -> None:
    warning = ready(PiecesReady().judge(piece_snapshot(pieces(SYS)))).warning
    assert warning.startswith("the round holds no piece of a user tenant")
    assert warning.endswith("nothing is archived")


def test_pieces_tell_what_there_is() -> None:
    many = [pieces(Tenant(number, f"t{number}"), count=2, first_id=1, newest_id=2) for number in range(1001, 1031)]
    found = ready(PiecesReady().judge(piece_snapshot(pieces(SYS, count=2, first_id=1, newest_id=2), *many)))
    assert found.warning == ""
    assert {name: value for name, value in found.summary.items() if name != "newest"} == {
        "round": 3,
        "rounds": {"cluster": 3},
        "read_at": "2024-04-13 17:00:00.000000+08:00",
        "tenants": 30,
        "pieces": 62,
        "cleaned": 0,
    }
    assert len(found.summary["newest"]) == 20
    assert found.summary["newest"][1] == {
        "tenant": "t1001",
        "piece": 2,
        "status": "ACTIVE",
        "file_status": "AVAILABLE",
        "checkpoint": "2024-04-13 16:58:00.000000+08:00",
    }
    json.dumps(found.summary)


def test_only_the_first_offenders_are_named() -> None:
    many = [pieces(Tenant(number, f"t{number}"), broken=1) for number in range(1001, 1031)]
    found = terminal(PiecesReady().judge(piece_snapshot(*many)))
    assert found.reason.count("1 broken") == 5
    assert found.reason.endswith("and 25 more")


@pytest.mark.parametrize(("count", "tail"), [(1, "t1"), (5, "t5"), (6, "t5 and 1 more")])
def test_names_up_to_five(count: int, tail: str) -> None:
    exist = tuple(Tenant(1000 + number, f"t{number}") for number in range(1, count + 1))
    assert waiting(ArchiveDoing().judge(snapshot(row(SYS), tenants=exist))).reason.endswith(tail)


# --- freeze -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frozen", "merges", "letter"),
    [(0, 0, "R"), (0, 7, "R"), (0, None, "R"), (1, 0, "W"), (100, 7, "W"), (None, 7, "T"), (None, None, "T")],
)
def test_freeze(frozen: int | None, merges: int | None, letter: str) -> None:
    found = FreezeDone(since=LATE).judge(FreezeProgress(NOW, frozen, merges))
    assert kind(found) == letter
    if isinstance(found, Ready):
        assert found.summary == {
            "read_at": "2024-04-13 17:00:00.000000+08:00",
            "frozen_memtables": 0,
            "merges": merges,
        }
        return
    shown = "unknown" if merges is None else str(merges)
    if isinstance(found, Waiting):
        assert found.reason.endswith(f"merges ended: {shown}")
    else:
        assert found.reason.endswith(f"(merges ended so far: {shown})")
        assert found.hint.startswith("Whether the freeze is on disk cannot be seen; log backup starts without it")


def test_a_freeze_that_shows_its_merges_only() -> None:
    """4.x: none under way is 'done' or 'not yet scheduled', and time tells which."""
    assert IDLE_SECONDS > QUIET_SECONDS
    just, long_ago = timedelta(microseconds=1), minutes(600)

    def judged(merging: int | None, merges: int | None, ended: timedelta | None, waited: timedelta) -> str:
        quiet_since = None if ended is None else NOW - ended
        progress = FreezeProgress(NOW, None, merges, merging=merging, quiet_since=quiet_since)
        return kind(FreezeDone(since=NOW - waited).judge(progress))

    idle, quiet = timedelta(seconds=IDLE_SECONDS), timedelta(seconds=QUIET_SECONDS)
    assert judged(0, 0, None, idle) == "R", "nothing was to be put on disk"
    assert judged(0, 0, None, idle - just) == "W"
    assert judged(0, None, None, idle - just) == "W"
    assert judged(0, 7, quiet, long_ago) == "R"
    assert judged(0, 7, quiet - just, long_ago) == "W"
    assert judged(1, 7, quiet, long_ago) == "W", "one is under way"
    assert judged(1, 0, None, long_ago) == "W"
    assert judged(None, 7, quiet, long_ago) == "T", "those that are queued are not seen"
    assert kind(FreezeDone().judge(FreezeProgress(NOW, None, 0, merging=0))) == "W", "not begun"


def test_a_freeze_by_its_merges_tells_them() -> None:
    wait = FreezeDone(since=NOW - minutes(5))
    done = ready(wait.judge(FreezeProgress(NOW, None, 7, merging=0, quiet_since=NOW - minutes(1))))
    assert done.summary == {"read_at": "2024-04-13 17:00:00.000000+08:00", "merges": 7}
    assert waiting(wait.judge(FreezeProgress(NOW, None, 7, merging=2, quiet_since=NOW))).reason == (
        "2 mini merges under way, 7 ended since the freeze; on disk when none has been under way for 10 s"
    )
    assert "for 60 s" in waiting(wait.judge(FreezeProgress(NOW, None, 0, merging=1))).reason


def test_frozen_memtables_decide_where_they_are_shown() -> None:
    shown = FreezeProgress(NOW, 1, 7, merging=0, quiet_since=NOW - minutes(5))
    assert kind(FreezeDone(since=NOW - minutes(9)).judge(shown)) == "W"


# --- each tenant by itself --------------------------------------------------------------------------------------------

ALONE = [
    (ArchiveDoing(since=EARLY), "WWWRWWWT?"),
    (ArchiveDoing(since=LATE), "TWWRTTWT?"),
    (ArchiveDoing(since=LATE, tenants=("shop",)), "TWWRTTWT?"),
    (ArchiveStopped(since=EARLY), "RWWWWWWW?"),
    (ArchiveStopped(since=LATE), "RTTTTTWT?"),
    (ArchiveStopped(since=LATE, tenants=("shop",)), "RTTTTTWT?"),
    (ArchiveStopped(since=LATE, or_running=True), "RRRRTTWT?"),
    (CheckpointPassed(since=LATE, after=AFTER), "RWWRRRRT?"),
    (CheckpointPassed(since=EARLY, after=NOW), "WWWWWWWT?"),
    (CheckpointPassed(since=LATE, after=NOW), "TWWWTTWT?"),
    (CheckpointPassed(since=LATE, after=NOW, tenants=("shop",)), "TWWWTTWT?"),
]


@pytest.mark.parametrize(
    ("wait", "state", "letter"),
    [(wait, state, letter) for wait, letters in ALONE for state, letter in zip(STATES, letters, strict=True)],
)
def test_a_tenant_in_one_state(wait: Wait, state: ArchiveState, letter: str) -> None:
    assert kind(wait.judge(by_tenant(row(SHOP, state), row(BANK, state)))) == letter
    assert kind(wait.judge(by_tenant(row(SHOP, state)))) == letter


@pytest.mark.parametrize("state", [state for state in ArchiveState if state is not ArchiveState.DOING])
def test_the_state_of_a_tenant_that_was_not_asked_for_does_not_count(state: ArchiveState) -> None:
    found = by_tenant(row(SHOP), row(BANK, state, checkpoint=None))
    assert kind(ArchiveDoing(since=LATE, tenants=("shop",)).judge(found)) == "R"
    assert kind(CheckpointPassed(since=LATE, after=AFTER, tenants=("shop",)).judge(found)) == "R"
    stopped = by_tenant(row(SHOP, "STOP"), row(BANK, state))
    assert kind(ArchiveStopped(since=LATE, tenants=("shop",)).judge(stopped)) == "R"


def test_one_that_is_not_asked_for_is_told_as_out_of_scope() -> None:
    gone = Tenant(1003, "gone", "RESTORE")
    found = by_tenant(row(SHOP, round_id=7), row(BANK, round_id=2), out_of_scope=(gone,))
    summary = ready(ArchiveDoing(tenants=("shop",)).judge(found)).summary
    assert (summary["round"], summary["rounds"]) == (7, {"shop": 7})
    assert (summary["out_of_scope"], summary["tenants_doing"]) == (["gone", "bank"], 1)
    assert ready(ArchiveDoing().judge(found)).summary["out_of_scope"] == ["gone"]


def test_a_tenant_that_is_not_normal_is_named_with_its_status() -> None:
    found = by_tenant(row(SHOP), out_of_scope=(Tenant(1003, "gone", "RESTORE"),))
    for wait in (
        ArchiveDoing(tenants=("gone",)),
        ArchiveStopped(tenants=("gone",)),
        CheckpointPassed(tenants=("gone",)),
    ):
        verdict = terminal(wait.judge(found))
        assert verdict.reason == "no such user tenant: gone (RESTORE)"
        assert verdict.hint.startswith("It was dropped, is not NORMAL or is misspelt")
    assert terminal(ArchiveDoing(tenants=("nobody",)).judge(found)).reason == "no such user tenant: nobody"


@pytest.mark.parametrize("wait", [ArchiveDoing(), ArchiveStopped(), CheckpointPassed(after=AFTER)])
def test_no_tenant_to_archive_is_not_a_success(wait: Wait) -> None:
    found = waiting(wait.judge(by_tenant()))
    assert found.unknown
    assert found.reason == "there is no NORMAL user tenant, so nothing is archived"
    assert waiting(wait.judge(by_tenant(tenants=(SHOP,)))).reason == "the server shows no state of log backup"


@pytest.mark.parametrize(
    ("min_round", "min_rounds", "letter"),
    [
        (0, {}, "R"),
        (2, {}, "R"),
        (3, {}, "W"),
        (0, {"shop": 7, "bank": 2}, "R"),
        (0, {"shop": 6}, "R"),
        (0, {"shop": 8}, "W"),
        (0, {"bank": 3}, "W"),
        (2, {"shop": 7}, "R"),
        (3, {"shop": 7, "bank": 2}, "W"),
        (0, {"cluster": 9, "nobody": 9}, "R"),
    ],
)
def test_the_least_round_of_each_tenant(min_round: int, min_rounds: dict[str, int], letter: str) -> None:
    found = by_tenant(row(SHOP, round_id=7), row(BANK, round_id=2))
    wait = ArchiveDoing(min_round=min_round, min_rounds=min_rounds)
    assert kind(wait.judge(found)) == letter


def test_a_later_round_of_one_tenant_is_waited_for() -> None:
    found = waiting(ArchiveDoing(min_rounds={"bank": 3}).judge(by_tenant(row(SHOP), row(BANK, round_id=2))))
    assert found.reason == "a later round has not begun everywhere; the server is at bank DOING (round 2)"
    assert found.progress == 0
    first = waiting(ArchiveDoing(min_round=3).judge(by_tenant(row(SHOP), row(BANK, round_id=2))))
    assert first.reason.startswith("round 3 or later has not begun everywhere")


def test_an_older_round_of_a_tenant_that_is_broken_is_broken_all_the_same() -> None:
    """Its rounds are its own: that another tenant counts further says nothing of it."""
    found = by_tenant(row(SHOP, round_id=7), row(BANK, "INTERRUPTED", round_id=2, remark="log was recycled"))
    verdict = terminal(ArchiveDoing().judge(found))
    assert verdict.reason == "the log stream is broken: bank INTERRUPTED (round 2; log was recycled)"
    assert verdict.hint == RECOVERY


@pytest.mark.parametrize("state", ["STOP", "SUSPENDING", "SUSPEND"])
def test_one_tenant_at_rest_ends_it_after_a_grace(state: str) -> None:
    found = by_tenant(row(SHOP), row(BANK, state))
    assert kind(ArchiveDoing(since=EARLY).judge(found)) == "W"
    verdict = terminal(ArchiveDoing(since=LATE).judge(found))
    assert verdict.reason == f"log backup is not running: bank {state} (round 3), 60 s after the first look"
    assert "resumes what was suspended" in verdict.hint
    behind = by_tenant(row(SHOP), row(BANK, state, checkpoint=AFTER - minutes(1)))
    assert kind(CheckpointPassed(since=EARLY, after=AFTER).judge(behind)) == "W"
    assert "bank" in terminal(CheckpointPassed(since=LATE, after=AFTER).judge(behind)).reason


def test_one_by_one_the_first_that_stops_is_enough() -> None:
    wait, all_of_them = ArchiveStopped(since=EARLY, one_by_one=True), ArchiveStopped(since=EARLY)
    none = by_tenant(row(SHOP, "STOPPING"), row(BANK, "STOPPING"))
    one = by_tenant(row(SHOP, "STOP"), row(BANK, "STOPPING"))
    both = by_tenant(row(SHOP, "STOP"), row(BANK, "STOP"))
    assert [kind(wait.judge(found)) for found in (none, one, both)] == ["W", "R", "R"]
    assert [kind(all_of_them.judge(found)) for found in (none, one, both)] == ["W", "W", "R"]
    running = by_tenant(row(SHOP), row(BANK, "STOPPING"))
    assert kind(ArchiveStopped(since=EARLY, one_by_one=True, or_running=True).judge(running)) == "R"
    assert kind(ArchiveStopped(since=EARLY, one_by_one=True, tenants=("bank",)).judge(running)) == "W"


def test_the_first_look_is_the_tenants_time_where_that_is_ahead() -> None:
    """What was committed before the look has a smaller timestamp than the service shows, not than the clock."""
    ahead = NOW + timedelta(seconds=2)
    found = by_tenant(row(SHOP, timestamp=ahead), row(BANK, timestamp=NOW - minutes(1)))
    begun = CheckpointPassed().begun(found)
    assert (begun.since, begun.after) == (NOW, ahead)
    assert CheckpointPassed(tenants=("bank",)).begun(found).after == NOW
    assert CheckpointPassed().begun(by_tenant(row(SHOP, timestamp=NOW + minutes(60)))).after == NOW
    assert CheckpointPassed(after=AFTER).begun(found).after == AFTER
    there = by_tenant(row(SHOP, timestamp=ahead, checkpoint=ahead))
    assert kind(CheckpointPassed().judge(there)) == "R"
    assert kind(CheckpointPassed().judge(by_tenant(row(SHOP, timestamp=ahead, checkpoint=NOW)))) == "W"


def test_every_tenant_must_have_passed_the_moment_in_its_own_round() -> None:
    def passed_by(*rows: ArchiveRow, tenants: tuple[str, ...] = ()) -> str:
        return kind(CheckpointPassed(since=LATE, after=AFTER, tenants=tenants).judge(by_tenant(*rows)))

    assert passed_by(row(SHOP, round_id=7), row(BANK, round_id=2)) == "R"
    behind = row(BANK, round_id=2, checkpoint=AFTER - minutes(1))
    assert passed_by(row(SHOP, round_id=7), behind) == "W"
    assert passed_by(row(SHOP, round_id=7), behind, tenants=("shop",)) == "R"
    late = row(BANK, round_id=2, started=AFTER + minutes(1))
    assert passed_by(row(SHOP), late) == "T"
    assert passed_by(row(SHOP), late, tenants=("shop",)) == "R"
    assert passed_by(row(SHOP), row(BANK, "BEGINNING")) == "W"
    assert passed_by(row(SHOP), row(BANK, checkpoint=NOW + minutes(60))) == "?"


def test_pieces_of_rounds_that_differ_by_tenant() -> None:
    """Each tenant counts its own rounds and pieces: a lower number is no lack."""
    shop = pieces(SHOP, round_id=7, count=5, first_id=1, newest_id=5)
    bank = pieces(BANK, round_id=2, count=1, first_id=1, newest_id=1)
    found = piece_snapshot(shop, bank, scope=Scope.TENANT, round_id=7)
    summary = ready(PiecesReady().judge(found)).summary
    assert (summary["rounds"], summary["tenants"], summary["pieces"]) == ({"shop": 7, "bank": 2}, 2, 6)
    assert ready(PiecesReady(tenants=("bank",)).judge(found)).summary["rounds"] == {"bank": 2}
    as_a_cluster = piece_snapshot(shop, bank)
    assert kind(PiecesReady().judge(as_a_cluster)) == "W"


def test_pieces_of_each_tenant_that_are_not_ready() -> None:
    new = pieces(BANK, file_status=FileStatus.INCOMPLETE, unready=1)
    found = waiting(PiecesReady().judge(piece_snapshot(pieces(SHOP), new, scope=Scope.TENANT)))
    assert found.reason.startswith("newest pieces, wanted ACTIVE and AVAILABLE: bank piece 0 ACTIVE/INCOMPLETE")
    assert "the newest piece is" not in found.reason
    assert found.progress == pytest.approx(1 / 2)
    for fault, words in (({"broken": 1}, "unusable pieces"), ({"newest_id": 4}, "a hole in its pieces")):
        bad = piece_snapshot(pieces(SHOP), pieces(BANK, **fault), scope=Scope.TENANT)  # type: ignore[arg-type]
        assert terminal(PiecesReady().judge(bad)).reason.startswith(f"a round has {words}: bank piece")
        assert kind(PiecesReady(tenants=("shop",)).judge(bad)) == "R"
    without = piece_snapshot(pieces(SHOP), tenants=(SHOP, BANK), scope=Scope.TENANT)
    assert "no piece yet: bank" in waiting(PiecesReady().judge(without)).reason
    assert terminal(PiecesReady(tenants=("nobody",)).judge(without)).reason == "no such user tenant: nobody"


# --- properties on any snapshot ---------------------------------------------------------------------------------------

times = st.none() | st.integers(-120, 10).map(lambda count: NOW + minutes(count))
healthy_times = st.integers(-60, 0).map(lambda count: NOW + minutes(count))
tenant_pool = [SHOP, BANK, Tenant(1003, "mail")]
NAMES = tuple(tenant.name for tenant in tenant_pool)
states = st.sampled_from(ArchiveState) | st.just(ArchiveState.DOING)


@st.composite
def archive_snapshots(draw: st.DrawFn) -> ArchiveSnapshot:
    exist = tuple(tenant for tenant in tenant_pool if draw(st.booleans()))
    rows = tuple(
        row(
            tenant,
            draw(states),
            round_id=draw(st.sampled_from([3, 3, 3, 2, 4])),
            started=draw(times | st.just(STARTED)),
            checkpoint=draw(times | st.just(NOW)),
        )
        for tenant in (SYS, *exist)
        if draw(st.sampled_from([True, True, True, False]))
    )
    return snapshot(*rows, tenants=exist)


names = st.lists(st.sampled_from([*NAMES, "nobody"]), unique=True, max_size=2).map(tuple)
sinces = st.sampled_from([None, EARLY, LATE, NOW + minutes(60)])


@given(archive_snapshots(), names, sinces, st.integers(0, 4))
def test_doing_is_never_said_in_vain(
    found: ArchiveSnapshot, tenants: tuple[str, ...], since: datetime | None, min_round: int
) -> None:
    verdict = ArchiveDoing(tenants=tenants, since=since, min_round=min_round).judge(found)
    judged = [one for one in found.rows if not one.tenant.is_user or not tenants or one.tenant.name in tenants]
    if isinstance(verdict, Ready):
        assert judged[0].tenant == SYS
        assert {one.state for one in judged} == {ArchiveState.DOING}
        assert all(one.round_id >= max(min_round, judged[0].round_id) for one in judged)
        assert {one.tenant.name for one in judged} >= set(tenants or [tenant.name for tenant in found.tenants])
    if isinstance(verdict, Terminal):
        assert (
            {one.state for one in judged} & {"INTERRUPTED", "STOP", "SUSPENDING", "SUSPEND"}
            or "nobody" in tenants
            or set(tenants) - {tenant.name for tenant in found.tenants}
        )


@given(archive_snapshots(), names, sinces, st.integers(-90, 5).map(lambda count: NOW + minutes(count)))
def test_the_checkpoint_is_never_proven_in_vain(
    found: ArchiveSnapshot, tenants: tuple[str, ...], since: datetime | None, after: datetime
) -> None:
    verdict = CheckpointPassed(tenants=tenants, since=since, after=after).judge(found)
    if not isinstance(verdict, Ready):
        return
    rows = {one.tenant: one for one in found.rows}
    cluster = rows[SYS]
    assert cluster.started is not None
    assert cluster.started <= after
    assert cluster.state not in {"UNKNOWN", "INTERRUPTED", "BEGINNING", "PREPARE"}
    wanted = [tenant for tenant in found.tenants if not tenants or tenant.name in tenants]
    if cluster.state != "STOP":
        assert set(wanted) <= set(rows)
    for tenant in wanted:
        if one := rows.get(tenant):
            assert one.state not in {"UNKNOWN", "INTERRUPTED", "BEGINNING", "PREPARE"}
            assert one.checkpoint is not None
            assert one.checkpoint >= after
    if not tenants or cluster.state == "STOP":
        assert cluster.checkpoint is not None
        assert cluster.checkpoint >= after


@given(archive_snapshots(), st.booleans(), sinces)
def test_stopped_is_never_said_in_vain(found: ArchiveSnapshot, or_running: bool, since: datetime | None) -> None:
    verdict = ArchiveStopped(or_running=or_running, since=since).judge(found)
    cluster = next((one for one in found.rows if one.tenant == SYS), None)
    if isinstance(verdict, Ready):
        assert cluster is not None
        assert cluster.state == "STOP" or (or_running and cluster.state in {"PREPARE", "BEGINNING", "DOING"})
    if isinstance(verdict, Terminal):
        assert cluster is not None
        assert cluster.state not in {"STOP", "STOPPING", "UNKNOWN"}


ARCHIVE_WAITS = [wait for wait, _ in TABLE]


@settings(max_examples=500)
@given(
    wait=st.sampled_from(ARCHIVE_WAITS),
    found=archive_snapshots(),
    bad=st.sampled_from(["UNKNOWN", "INTERRUPTED"]),
    which=st.integers(0, 2),
)
def test_no_wait_is_ready_on_what_is_unknown_or_broken(
    wait: Wait, found: ArchiveSnapshot, bad: str, which: int
) -> None:
    """Whatever else the snapshot holds, one such row that the wait looks at is enough."""
    named = set(getattr(wait, "tenants", ()))
    candidates = [one for one in found.rows if not one.tenant.is_user]
    if not isinstance(wait, ArchiveStopped):
        candidates += [one for one in found.rows if one.tenant.is_user and (not named or one.tenant.name in named)]
    assume(which < len(candidates))
    chosen = candidates[which]
    spoilt = tuple(
        row(one.tenant, bad, started=one.started, checkpoint=one.checkpoint) if one is chosen else one
        for one in found.rows
    )
    assert kind(wait.judge(snapshot(*spoilt, tenants=found.tenants))) != "R"


@given(
    st.lists(st.tuples(healthy_times, healthy_times), min_size=1, max_size=3),
    st.integers(1, 9),
    sinces,
    names.filter(lambda chosen: "nobody" not in chosen),
)
def test_a_healthy_cluster_is_never_called_sick(
    spans: list[tuple[datetime, datetime]], round_id: int, since: datetime | None, tenants: tuple[str, ...]
) -> None:
    exist = tenant_pool[: len(spans)]
    tenants = tuple(name for name in tenants if name in {tenant.name for tenant in exist})
    checkpoints = [max(span) for span in spans]
    rows = [row(SYS, round_id=round_id, started=STARTED, checkpoint=min(checkpoints))]
    rows += [
        row(tenant, round_id=round_id, started=min(span), checkpoint=max(span))
        for tenant, span in zip(exist, spans, strict=True)
    ]
    found = snapshot(*rows)
    assert kind(ArchiveDoing(since=since, tenants=tenants, min_round=round_id).judge(found)) == "R"
    assert kind(CheckpointPassed(since=since, tenants=tenants, after=min(checkpoints)).judge(found)) == "R"
    assert kind(CheckpointPassed(since=since, tenants=tenants, after=NOW + minutes(1)).judge(found)) == "W"


piece_rows = st.builds(
    pieces,
    st.sampled_from([SYS, *tenant_pool]),
    count=st.integers(1, 4),
    first_id=st.integers(0, 3),
    newest_id=st.integers(0, 6),
    status=st.sampled_from(PieceStatus) | st.just(PieceStatus.ACTIVE),
    file_status=st.sampled_from(FileStatus) | st.just(FileStatus.AVAILABLE),
    broken=st.sampled_from([0, 0, 0, 1]),
    unready=st.sampled_from([0, 0, 0, 1]),
    cleaned=st.integers(0, 1),
)


@given(
    st.lists(piece_rows, max_size=4, unique_by=lambda one: one.tenant),
    st.sets(st.sampled_from(tenant_pool)),
    names,
    st.sampled_from([("ACTIVE",), ("FROZEN",), ("ACTIVE", "FREEZING", "FROZEN", "UNKNOWN")]),
    st.sampled_from([None, 3]),
    st.booleans(),
)
def test_pieces_are_never_called_ready_in_vain(
    rows: list[object],
    exist: set[Tenant],
    tenants: tuple[str, ...],
    statuses: tuple[str, ...],
    round_id: int | None,
    is_open: bool,
) -> None:
    found = PieceSnapshot(NOW, 3, tuple(rows), tuple(exist), is_open)  # type: ignore[arg-type]
    verdict = PiecesReady(tenants=tenants, statuses=statuses, round_id=round_id).judge(found)
    looked_at = [one for one in found.rows if not tenants or one.tenant.name in (*tenants, "sys")]
    if isinstance(verdict, Ready):
        assert looked_at
        assert all(one.status in statuses and one.status != "UNKNOWN" for one in looked_at)
        assert all(one.file_status == "AVAILABLE" for one in looked_at)
        assert all(one.broken == one.unready == 0 and one.missing <= 0 for one in looked_at)
        assert {one.newest_id for one in looked_at} == {max(one.newest_id for one in found.rows)}
        shown = {one.tenant.name for one in looked_at}
        assert shown >= set(tenants)
        assert not is_open or tenants or shown >= {tenant.name for tenant in exist}
    if isinstance(verdict, Terminal):
        gone = set(tenants) - {tenant.name for tenant in exist}
        assert gone or any(one.broken or one.missing > 0 for one in looked_at)


@given(archive_snapshots(), names, sinces)
def test_progress_is_a_share_and_verdicts_are_json(
    found: ArchiveSnapshot, tenants: tuple[str, ...], since: datetime | None
) -> None:
    for wait in (
        ArchiveDoing(tenants=tenants, since=since),
        ArchiveStopped(since=since),
        CheckpointPassed(tenants=tenants, since=since, after=AFTER),
    ):
        verdict = wait.judge(found)
        if isinstance(verdict, Ready):
            assert json.loads(json.dumps(verdict.summary)) == verdict.summary
        else:
            assert verdict.reason
        if isinstance(verdict, Waiting) and verdict.progress is not None:
            assert 0 <= verdict.progress <= 1


# --- the wire ---------------------------------------------------------------------------------------------------------

zones = st.integers(-14 * 60, 14 * 60).map(lambda count: timezone(timedelta(minutes=count)))
moments = st.none() | st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - the zone is drawn
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=zones,
)
tenant_names = st.lists(st.from_regex(r"[a-z_][a-z0-9_$]{0,9}", fullmatch=True), max_size=3).map(tuple)
waits = st.one_of(
    st.builds(
        ArchiveDoing,
        since=moments,
        tenants=tenant_names,
        min_round=st.integers(0, 99),
        min_rounds=st.dictionaries(st.sampled_from(["cluster", "shop"]), st.integers(0, 99)),
    ),
    st.builds(ArchiveStopped, since=moments, or_running=st.booleans(), tenants=tenant_names, one_by_one=st.booleans()),
    st.builds(CheckpointPassed, since=moments, after=moments, tenants=tenant_names),
    st.builds(
        PiecesReady,
        since=moments,
        tenants=tenant_names,
        round_id=st.none() | st.integers(0, 99),
        statuses=st.lists(st.sampled_from(PieceStatus), max_size=3).map(tuple),
    ),
    st.builds(FreezeDone, since=moments, tenant_ids=st.lists(st.integers(1, 2000), max_size=3).map(tuple)),
)
json_values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=2)


@given(
    waits,
    st.dictionaries(
        st.text(max_size=9).filter(
            lambda name: (
                name
                not in {
                    "kind",
                    "since",
                    "after",
                    "tenants",
                    "min_round",
                    "min_rounds",
                    "one_by_one",
                    "or_running",
                    "round_id",
                    "statuses",
                    "tenant_ids",
                }
            )
        )
        | st.sampled_from(["reads", "judge"]),
        json_values,
        max_size=3,
    ),
)
def test_a_wait_travels_as_json(wait: Wait, newer: dict[str, object]) -> None:
    """Also when a newer release has added fields that this one does not know."""
    sent = json.loads(json.dumps(wait.to_wire()))
    assert sent["kind"] == type(wait).__name__
    arrived = from_wire(newer | sent)
    assert arrived == wait
    assert type(arrived) is type(wait)
    assert arrived.to_wire() == wait.to_wire()


@given(waits)
def test_what_is_read_travels_as_json(wait: Wait) -> None:
    arguments = wait.read_arguments()
    assert json.loads(json.dumps(arguments)) == arguments
    assert from_wire(wait.to_wire()).read_arguments() == arguments


GOLDEN = [
    (ArchiveDoing(), {"kind": "ArchiveDoing", "since": None, "tenants": [], "min_round": 0, "min_rounds": {}}),
    (
        ArchiveDoing(min_rounds={"shop": 3}),
        {"kind": "ArchiveDoing", "since": None, "tenants": [], "min_round": 0, "min_rounds": {"shop": 3}},
    ),
    (
        ArchiveStopped(),
        {"kind": "ArchiveStopped", "since": None, "or_running": False, "tenants": [], "one_by_one": False},
    ),
    (
        CheckpointPassed(),
        {
            "kind": "CheckpointPassed", "since": None, "after": None, "tenants": [], "seen": None, "seen_at": None,
            "seen_rows": 0,
        },
    ),
    (
        PiecesReady(),
        {"kind": "PiecesReady", "since": None, "tenants": [], "round_id": None, "statuses": ["ACTIVE"]},
    ),
    (FreezeDone(), {"kind": "FreezeDone", "since": None, "tenant_ids": [], "most": None}),
    (
        CheckpointPassed(since=NOW, after=AFTER, tenants=("shop",), seen=AFTER, seen_at=NOW, seen_rows=2),
        {
            "kind": "CheckpointPassed",
            "since": "2024-04-13 17:00:00.000000+08:00",
            "after": "2024-04-13 16:30:00.000000+08:00",
            "tenants": ["shop"],
            "seen": "2024-04-13 16:30:00.000000+08:00",
            "seen_at": "2024-04-13 17:00:00.000000+08:00",
            "seen_rows": 2,
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("wait", "wire"), GOLDEN)
def test_the_wire_format(wait: Wait, wire: dict[str, object]) -> None:
    """Waits of deferred tasks lie in the database while the package is upgraded: names and forms stay."""
    assert wait.to_wire() == wire
    assert from_wire(wire) == wait
    old = {name: value for name, value in wire.items() if name not in {"seen", "seen_at", "seen_rows", "most"}}
    assert replace(from_wire(old), **vars(wait)) == wait, "a row of the release before is understood"


def test_fields_that_are_missing_have_their_defaults() -> None:
    """An older release has not sent them."""
    for name, default in (
        ("ArchiveDoing", ArchiveDoing()),
        ("ArchiveStopped", ArchiveStopped()),
        ("CheckpointPassed", CheckpointPassed()),
        ("PiecesReady", PiecesReady()),
        ("FreezeDone", FreezeDone()),
    ):
        assert from_wire({"kind": name}) == default


OLD = [
    (
        {"kind": "ArchiveDoing", "since": None, "tenants": ["shop"], "min_round": 2},
        ArchiveDoing(tenants=("shop",), min_round=2),
    ),
    ({"kind": "ArchiveStopped", "since": None, "or_running": True}, ArchiveStopped(or_running=True)),
]


@pytest.mark.parametrize(("wire", "wait"), OLD)
def test_waits_of_the_releases_before(wire: dict[str, object], wait: Wait) -> None:
    assert from_wire(wire) == wait


@pytest.mark.parametrize("data", [{}, {"kind": None}, {"kind": "Wait"}, {"kind": "Other"}, {"kind": "archivedoing"}])
def test_a_kind_nobody_knows(data: dict[str, object]) -> None:
    known = "this release knows ArchiveDoing, ArchiveStopped, "
    with pytest.raises(ValueError, match=f"unknown kind of wait {data.get('kind')!r}; {known}"):
        from_wire(data)


@pytest.mark.parametrize("moment", ["yesterday", ""])
def test_a_moment_that_is_none(moment: str) -> None:
    with pytest.raises(ValueError, match="isoformat"):
        from_wire({"kind": "ArchiveDoing", "since": moment})


# --- the reader -------------------------------------------------------------------------------------------------------


class Recorder:
    """A dialect that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def archive(self) -> str:
        self.asked.append("archive")
        return "archive"

    def pieces(self, round_id: int | None = None) -> str:
        self.asked.append(("pieces", round_id))
        return "pieces"

    def freeze_progress(self, *, since: datetime | None, tenant_ids: object = ()) -> str:
        self.asked.append(("freeze", since, tenant_ids))
        return "freeze"


@pytest.mark.parametrize(
    ("wait", "asked", "answer"),
    [
        (ArchiveDoing(), "archive", "archive"),
        (ArchiveStopped(), "archive", "archive"),
        (CheckpointPassed(), "archive", "archive"),
        (PiecesReady(), ("pieces", None), "pieces"),
        (PiecesReady(round_id=7), ("pieces", 7), "pieces"),
        (FreezeDone(), ("freeze", None, []), "freeze"),
        (FreezeDone(since=NOW, tenant_ids=(1, 1001)), ("freeze", NOW, [1, 1001]), "freeze"),
    ],
)
def test_the_reading_a_wait_needs(wait: Wait, asked: object, answer: str) -> None:
    dialect = Recorder()
    assert wait.reads == answer
    found: object = read_for(wait, dialect)  # type: ignore[arg-type]
    assert found == answer
    assert dialect.asked == [asked]
    assert {name for name in vars(Recorder) if not name.startswith("_")} <= set(vars(Dialect))
