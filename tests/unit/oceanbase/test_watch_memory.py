"""What a watch tells: changes only, once in a window, whatever is read in between and however often it is restarted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveSnapshot, Tenant
from airflow_ob_provider.oceanbase.watch import MAX_LISTED, Bounds, Condition, Step, Subject, WatchMemory

from .builders import BANK, NOW, SHOP, SYS, by_tenant, row, snapshot

BOUNDS = Bounds(hysteresis=100, max_suspended=40, max_in_transition=30, max_stopped=10, max_unreadable=50)
ODD = "MIXED"
LATE = "LATE"


def a_row(tenant: Tenant, word: str, seconds: float, **more: Any) -> ArchiveRow:
    now = NOW + timedelta(seconds=seconds)
    if word == LATE:
        return row(tenant, "DOING", checkpoint=now - timedelta(hours=1), **more)
    return row(tenant, "UNKNOWN" if word == ODD else word, status=word, checkpoint=now, **more)


@dataclass
class Watched:
    """A watch that is fed, and restarted after every look: what it knows goes through JSON each time."""

    memory: WatchMemory = field(default_factory=WatchMemory)
    bounds: Bounds = BOUNDS
    tenants: Sequence[str] = ()
    seconds: float = 0

    def take(self, step: Step) -> dict[str, Any] | None:
        again = WatchMemory.from_json(json.loads(json.dumps(step.memory.to_json())))
        assert again == step.memory
        self.memory = again
        if step.event is not None:
            assert json.loads(json.dumps(step.event)) == step.event, "an event must be plain JSON"
        return step.event

    def look(self, shot: ArchiveSnapshot) -> dict[str, Any] | None:
        return self.take(self.memory.after(shot, self.bounds, self.tenants))

    def at(self, seconds: float, *words: str | None, **more: Any) -> dict[str, Any] | None:
        """A look at tenants 1001, 1002, … of a 4.x cluster, by what they are."""
        rows = [
            a_row(replace(SHOP, tenant_id=1001 + number, name=("shop", "bank")[number]), word, seconds, **more)
            for number, word in enumerate(words)
            if word
        ]
        return self.look(by_tenant(*rows, read_at=NOW + timedelta(seconds=seconds)))

    def failing(self, seconds: float) -> dict[str, Any] | None:
        return self.take(self.memory.unreadable(seconds, "lost connection", self.bounds))


def told(event: dict[str, Any] | None) -> list[tuple[str, str | None, str, int]]:
    assert event is not None
    return [(one["tenant"], one["before"], one["after"], one["changes"]) for one in event["changes"]]


# --- one change, one event --------------------------------------------------------------------------------------------


def test_a_healthy_cluster_makes_no_event_and_no_new_memory() -> None:
    watched = Watched()
    assert watched.at(0, "DOING", "DOING") is None
    first = watched.memory
    for seconds in range(5, 500, 5):
        assert watched.at(seconds, "DOING", "DOING") is None
        assert watched.memory == first, "nothing to write down"


def test_a_break_and_the_repair() -> None:
    watched = Watched()
    watched.at(0, "DOING", "DOING")
    event = watched.at(5, "INTERRUPTED", "DOING", remark="log stream 1001 interrupted")
    assert event == {
        "kind": "interrupted",
        "summary": "shop interrupted, was healthy",
        "read_at": "2024-04-13 17:00:05.000000+08:00",
        "changes": [
            {
                "tenant": "shop",
                "tenant_id": 1001,
                "before": "healthy",
                "after": "interrupted",
                "reason": "shop INTERRUPTED (round 3; log stream 1001 interrupted)",
                "changes": 1,
                "since": "2024-04-13 17:00:05.000000+08:00",
                "round": 3,
                "checkpoint": "2024-04-13 17:00:05.000000+08:00",
                "lag_seconds": 0.0,
            }
        ],
        "changes_left_out": 0,
        "watched": 2,
        "broken": 1,
        "still_broken": [],
        "still_broken_left_out": 0,
        "unreadable": [],
        "readable_again": False,
        "not_found": [],
    }
    assert watched.at(90, "INTERRUPTED", "DOING") is None
    assert watched.at(300, "INTERRUPTED", "DOING") is None
    event = watched.at(400, "DOING", "DOING")
    assert told(event) == [("shop", "interrupted", "healthy", 1)]
    assert event
    assert (event["kind"], event["broken"], event["summary"]) == ("healthy", 0, "shop healthy, was interrupted")
    assert watched.at(900, "DOING", "DOING") is None
    assert all(one.is_quiet for one in watched.memory.subjects.values())


def test_a_first_look() -> None:
    assert told(Watched().at(0, "INTERRUPTED", "DOING")) == [("shop", None, "interrupted", 1)]
    assert told(Watched().at(0, LATE, "INTERRUPTED")) == [("bank", None, "interrupted", 1), ("shop", None, "late", 1)]
    assert Watched().at(0, "DOING") is None
    assert Watched().at(0, ODD) is None
    assert Watched().at(0) is None


@pytest.mark.parametrize(
    ("word", "seconds", "condition"),
    [("SUSPEND", 40, "suspended"), ("BEGINNING", 30, "stuck"), ("STOPPING", 30, "stuck"), ("STOP", 10, "stopped")],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_may_pass_is_let_be(word: str, seconds: float, condition: str, first: bool) -> None:
    watched = Watched()
    start = 0.0
    if not first:
        watched.at(0, "DOING")
        start = 7.0
    assert watched.at(start, word) is None
    assert watched.at(start + seconds - 0.001, word) is None
    assert told(watched.at(start + seconds, word)) == [("shop", None if first else "healthy", condition, 1)]


def test_a_restart_of_log_backup_is_no_event() -> None:
    watched = Watched()
    for seconds, word in enumerate(["DOING", "STOPPING", "STOP", "PREPARE", "BEGINNING", "DOING"]):
        assert watched.at(seconds * 9, word) is None


def test_time_goes_on_while_nothing_is_understood() -> None:
    watched = Watched()
    watched.at(0, "SUSPEND")
    watched.at(20, ODD)
    assert told(watched.at(40, "SUSPEND")) == [("shop", None, "suspended", 1)]


def test_a_new_tenant_that_nobody_archives() -> None:
    watched = Watched()
    watched.at(0, "DOING")
    assert watched.at(5, "DOING", "STOP", round_id=0) is None
    event = watched.at(15, "DOING", "STOP", round_id=0)
    assert told(event) == [("bank", None, "out_of_scope", 1)]
    assert told(watched.at(500, "DOING", "DOING")) == [("bank", "out_of_scope", "healthy", 1)]


def test_unknown_changes_nothing() -> None:
    watched = Watched()
    watched.at(0, "INTERRUPTED", "DOING")
    for seconds in (200, 210, 220):
        assert watched.at(seconds, ODD, ODD) is None
    assert watched.at(230, "INTERRUPTED", "DOING") is None, "it has been so all the time"
    assert watched.at(240, ODD, "INTERRUPTED") is not None


def test_what_is_still_broken_elsewhere() -> None:
    watched = Watched()
    watched.at(0, "INTERRUPTED", "DOING")
    event = watched.at(30, "INTERRUPTED", LATE)
    assert told(event) == [("bank", "healthy", "late", 1)]
    assert event
    assert event["still_broken"] == [
        {"tenant": "shop", "condition": "interrupted", "since": "2024-04-13 17:00:00.000000+08:00"}
    ]
    assert (event["watched"], event["broken"], event["kind"]) == (2, 2, "late")


def test_a_dropped_tenant_is_no_break_and_is_forgotten() -> None:
    watched = Watched()
    watched.at(0, "INTERRUPTED", "DOING")
    assert watched.at(10, "INTERRUPTED", None) is None
    assert set(watched.memory.subjects) == {1001}
    assert watched.at(20) is None
    assert set(watched.memory.subjects) == {1001}, "a reading may have left it out"
    assert watched.at(30, "INTERRUPTED") is None, "so it is not told again"
    watched.at(40)
    watched.at(139)
    assert set(watched.memory.subjects) == {1001}
    assert watched.at(140) is None
    assert watched.memory == WatchMemory()


def test_a_tenant_made_anew_is_another() -> None:
    watched = Watched()
    watched.at(0, "INTERRUPTED")
    again = replace(SHOP, tenant_id=1009)
    event = watched.look(by_tenant(a_row(again, "INTERRUPTED", 5), read_at=NOW + timedelta(seconds=5)))
    assert told(event) == [("shop", None, "interrupted", 1)]


def test_a_renamed_tenant_is_the_same() -> None:
    watched = Watched()
    watched.at(0, "INTERRUPTED")
    renamed = replace(SHOP, name="store")
    shot = by_tenant(a_row(renamed, "INTERRUPTED", 5), read_at=NOW + timedelta(seconds=5))
    assert watched.look(shot) is None
    assert watched.memory.subjects[1001].name == "store"


def test_a_3x_cluster_is_told_of_once() -> None:
    """Its tenants follow one pass later, and their rows are deleted when it has stopped."""
    watched = Watched()

    def at(seconds: float, cluster: str, shop: str | None) -> dict[str, Any] | None:
        rows = [a_row(SYS, cluster, seconds)] + ([a_row(SHOP, shop, seconds)] if shop else [])
        return watched.look(snapshot(*rows, tenants=(SHOP,), read_at=NOW + timedelta(seconds=seconds)))

    assert at(0, "DOING", "DOING") is None
    event = at(5, "INTERRUPTED", "DOING")
    assert told(event) == [("cluster", "healthy", "interrupted", 1)]
    assert event
    assert event["changes"][0]["tenant_id"] == 1
    assert at(10, "INTERRUPTED", "INTERRUPTED") is None
    assert at(15, "STOPPING", "INTERRUPTED") is None
    assert at(200, "STOP", None) is None
    assert told(at(210, "STOP", None)) == [("cluster", "interrupted", "stopped", 1)]
    assert at(220, "BEGINNING", None) is None
    assert at(230, "DOING", "DOING") is None, "the window is open"
    assert told(at(310, "DOING", "DOING")) == [("cluster", "stopped", "healthy", 1)]
    assert at(320, "DOING", "BEGINNING") is None
    assert told(at(350, "DOING", "BEGINNING")) == [("shop", "healthy", "stuck", 1)]


# --- a window ---------------------------------------------------------------------------------------------------------


def test_flapping_is_one_event_a_window_and_says_how_often() -> None:
    watched = Watched()
    watched.at(0, "DOING")
    events = []
    for number in range(100):
        event = watched.at(5 + number * 5, "DOING" if number % 2 else "INTERRUPTED")
        events += [(5 + number * 5, event)] if event else []
    assert [seconds for seconds, _ in events] == [5, 105, 205, 305, 405]
    assert [event["changes"][0]["changes"] for _, event in events] == [1, 20, 20, 20, 20]
    assert "interrupted, 20 changes since it was told of last" in events[1][1]["summary"]
    assert told(watched.at(505, "DOING")) == [("shop", "interrupted", "healthy", 19)]
    assert watched.at(605, "DOING") is None
    assert watched.memory.subjects[1001].is_quiet


def test_a_break_that_a_repair_did_not_end_is_told_again() -> None:
    watched = Watched()
    watched.at(0, "INTERRUPTED")
    assert watched.at(30, "DOING") is None
    assert watched.at(60, "INTERRUPTED") is None
    assert told(watched.at(100, "INTERRUPTED")) == [("shop", "interrupted", "interrupted", 2)]


def test_a_short_break_in_a_window_is_not_forgotten() -> None:
    watched = Watched()
    watched.at(0, "INTERRUPTED")
    watched.at(150, "DOING")
    assert watched.at(160, "INTERRUPTED") is None
    assert watched.at(170, "DOING") is None
    event = watched.at(250, "DOING")
    assert told(event) == [("shop", "healthy", "healthy", 2)]
    assert event
    assert event["summary"] == "shop healthy, 2 changes since it was told of last"


def test_a_window_does_not_end_in_between() -> None:
    """Nothing is told while it is on its way: it would be told healthy while it begins anew, or stops."""
    watched = Watched()
    watched.at(0, "INTERRUPTED")
    watched.at(50, "DOING")
    assert watched.at(110, "BEGINNING") is None
    assert watched.at(120, ODD) is None
    assert told(watched.at(130, "DOING")) == [("shop", "interrupted", "healthy", 1)]


def test_what_gets_worse_is_told_at_once() -> None:
    """First late, then logs are lost: the typical end of a slow destination."""
    watched = Watched()
    watched.at(0, "DOING")
    watched.at(5, LATE)
    assert told(watched.at(10, "INTERRUPTED")) == [("shop", "late", "interrupted", 1)]
    assert watched.at(15, LATE) is None
    assert watched.at(20, "INTERRUPTED") is None, "once"


@pytest.mark.parametrize("words", [["DOING", "INTERRUPTED"], ["DOING", LATE, "INTERRUPTED"]], ids=str)
def test_what_wavers_does_not_get_worse(words: list[str]) -> None:
    watched = Watched()
    watched.at(0, LATE)
    for number, word in enumerate(words):
        assert watched.at(5 + number, word) is None
    event = watched.at(100, LATE)
    assert told(event) == [("shop", "late", "late", len(words) + 1)]
    assert watched.at(105, "INTERRUPTED") is None


def test_tenants_have_windows_of_their_own() -> None:
    watched = Watched()
    watched.at(0, "INTERRUPTED", "DOING")
    assert told(watched.at(5, "DOING", "INTERRUPTED")) == [("bank", "healthy", "interrupted", 1)]
    assert told(watched.at(100, "DOING", "INTERRUPTED")) == [("shop", "interrupted", "healthy", 1)]


def test_without_hysteresis_every_change_is_told() -> None:
    watched = Watched(bounds=replace(BOUNDS, hysteresis=0))
    for seconds, word in enumerate(["INTERRUPTED", "DOING"] * 5):
        assert watched.at(seconds, word) is not None


# --- clocks -----------------------------------------------------------------------------------------------------------


def test_a_clock_set_back_is_no_time_and_holds_nothing_up() -> None:
    watched = Watched()
    watched.at(0, "SUSPEND")
    assert watched.at(-5000, "SUSPEND") is None
    assert watched.at(-4961, "SUSPEND") is None
    assert told(watched.at(-4960, "SUSPEND")) == [("shop", None, "suspended", 1)]
    assert watched.at(-90_000, "DOING") is None, "the window begins anew"
    assert told(watched.at(-89_900, "DOING")) == [("shop", "suspended", "healthy", 1)]


# --- what cannot be read ----------------------------------------------------------------------------------------------


def test_readings_that_fail_for_long() -> None:
    watched = Watched()
    watched.at(0, "INTERRUPTED", "DOING")
    assert watched.failing(0) is None
    assert watched.failing(49) is None
    event = watched.failing(50)
    assert event
    assert (event["kind"], event["changes"], event["read_at"]) == ("unreadable", [], None)
    assert event["still_broken"][0]["tenant"] == "shop", "as far as is known"
    assert event["summary"] == "the state of log backup could not be read for 50 s: lost connection"
    assert watched.failing(5000) is None, "told once"
    assert watched.at(5100, "INTERRUPTED", "DOING") is None
    assert watched.at(5199, "INTERRUPTED", "DOING") is None
    event = watched.at(5200, "INTERRUPTED", "DOING")
    assert event
    assert (event["kind"], event["readable_again"], event["broken"]) == ("readable", True, 1)
    assert watched.at(5300, "INTERRUPTED", "DOING") is None


def test_that_it_sees_again_is_told_along_with_what_it_sees() -> None:
    watched = Watched()
    watched.at(0, "DOING")
    watched.failing(60)
    event = watched.at(100, "INTERRUPTED")
    assert event
    assert (event["kind"], event["readable_again"]) == ("interrupted", True)
    assert event["summary"] == "shop interrupted, was healthy; the watch can read the state again"
    assert watched.at(300, "INTERRUPTED") is None


def test_sight_that_comes_and_goes_is_one_event() -> None:
    watched = Watched()
    assert watched.failing(60) is not None
    for seconds in range(100, 2000, 60):
        assert watched.at(seconds, "DOING") is None
        assert watched.failing(55) is None


def test_words_that_are_not_understood_for_long() -> None:
    watched = Watched()
    watched.at(0, "DOING", "DOING")
    assert watched.at(5, "DOING", ODD) is None
    event = watched.at(55, "DOING", ODD)
    assert event
    assert (event["kind"], event["unreadable"], event["broken"]) == ("unreadable", ["bank"], 0)
    assert event["summary"] == "not understood for too long: bank"
    assert watched.at(500, "DOING", ODD) is None, "told once"
    event = watched.failing(50)
    assert event, "not even the others can be seen now"
    assert event["kind"] == "unreadable"
    assert watched.at(600, "DOING", ODD) is None
    assert watched.at(700, "DOING", "DOING") is None
    assert watched.at(710, ODD, "DOING") is None
    assert watched.at(720, "DOING", "DOING") is None
    assert watched.at(819, "DOING", "DOING") is None
    assert watched.at(820, "DOING", "DOING") is not None


def test_a_row_that_is_understood_again_begins_the_time_anew() -> None:
    watched = Watched()
    watched.at(0, ODD)
    watched.at(40, "DOING")
    watched.at(45, ODD)
    assert watched.at(94, ODD) is None
    assert watched.at(95, ODD) is not None


# --- size, secrets, other releases ------------------------------------------------------------------------------------


def test_a_thousand_tenants_make_a_short_event() -> None:
    tenants = [Tenant(2000 + number, f"t{number}") for number in range(1000)]
    watched = Watched()
    watched.look(by_tenant(*(a_row(one, "INTERRUPTED", 0) for one in tenants[500:])))
    event = watched.look(by_tenant(*(a_row(one, "INTERRUPTED", 0, remark="x" * 9999) for one in tenants)))
    assert event
    assert (len(event["changes"]), event["changes_left_out"]) == (MAX_LISTED, 500 - MAX_LISTED)
    assert (len(event["still_broken"]), event["still_broken_left_out"]) == (MAX_LISTED, 500 - MAX_LISTED)
    assert (event["watched"], event["broken"]) == (1000, 1000)
    assert "and 495 more" in event["summary"]
    assert len(json.dumps(event)) < 25_000
    odd = Watched(tenants=[f"no{number}" for number in range(50)] + [one.name for one in tenants])
    odd.look(by_tenant(*(a_row(one, ODD, 0) for one in tenants)))
    event = odd.look(by_tenant(*(a_row(one, ODD, 60) for one in tenants), read_at=NOW + timedelta(seconds=60)))
    assert event
    assert len(event["unreadable"]) == len(event["not_found"]) == MAX_LISTED


def test_a_quiet_cluster_of_a_thousand_is_a_short_memory() -> None:
    tenants = [Tenant(2000 + number, f"t{number}") for number in range(1000)]
    step = WatchMemory().after(by_tenant(*(a_row(one, "DOING", 0) for one in tenants)), BOUNDS)
    assert len(json.dumps(step.memory.to_json())) < 20_000


def test_no_secret_is_told() -> None:
    remark = "cannot write oss://b/p?host=h&access_id=C4N4RY&access_key=C4N4RY/+="
    event = Watched().at(0, "INTERRUPTED", remark=remark)
    assert "C4N4RY" not in json.dumps(event)
    assert event
    assert "access_key=***" in event["changes"][0]["reason"]
    failed = WatchMemory().unreadable(60, f"lost: {remark}", BOUNDS).event
    assert "C4N4RY" not in json.dumps(failed)
    assert "C4N4RY" not in json.dumps(Watched().memory.to_json())


def test_a_long_reason_is_cut_where_it_is_redacted_already() -> None:
    remark = "y" * 470 + " access_key=C4N4RY" + "C4N4RY" * 20
    event = Watched().at(0, "INTERRUPTED", remark=remark)
    assert event
    reason = event["changes"][0]["reason"]
    assert len(reason) <= 500
    assert "C4N4RY" not in reason


GOOD = WatchMemory().after(by_tenant(a_row(SHOP, "INTERRUPTED", 0), a_row(BANK, "DOING", 0)), BOUNDS).memory.to_json()


def broken(**changes: Any) -> Any:
    return json.loads(json.dumps(GOOD)) | changes


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "memory",
        {},
        broken(quiet=None),
        broken(quiet={"x": "bank"}),
        broken(subjects={"1001": []}),
        broken(subjects={"1001": ["shop", "late", "yesterday", "late", "late", None, 0, False]}),
        broken(subjects={"1001": ["shop", "late", "2024-01-01T00:00:00", "late", "late", None, 0, False]}),
        broken(subjects={"1001": ["shop", "late", None, "sunny", "late", None, 0, False]}),
        broken(subjects={"1001": ["shop", "late", None, "late", "late", None, None, False]}),
        broken(blind_since=5),
    ],
    ids=str,
)
def test_a_memory_that_cannot_be_read(data: Any) -> None:
    assert WatchMemory.from_json(data) is None


def test_a_memory_of_a_newer_release() -> None:
    newer = broken(mood="sunny")
    assert WatchMemory.from_json(newer) == WatchMemory.from_json(GOOD)
    first = WatchMemory.from_json(GOOD)
    assert first
    assert first.subjects[1002] == Subject("bank", "healthy", None, Condition.HEALTHY, Condition.HEALTHY)


# --- against a person who has the whole history -----------------------------------------------------------------------

PATIENCE = {"SUSPEND": 40, "BEGINNING": 30, "STOPPING": 30, "STOP": 10}
MEANING = {
    "DOING": "healthy", LATE: "late", "INTERRUPTED": "interrupted", "SUSPEND": "suspended", "BEGINNING": "stuck",
    "STOPPING": "stuck", "STOP": "stopped",
}  # fmt: skip


def certain(history: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """What the person is sure of, and when: each look whose word has stood long enough; odd words are as if unread."""
    readable = [(moment, word) for moment, word in history if word != ODD]
    sure = []
    for index, (moment, word) in enumerate(readable):
        first = index
        while first and readable[first - 1][1] == word:
            first -= 1
        if moment - readable[first][0] >= PATIENCE.get(word, 0):
            sure.append((moment, MEANING[word]))
    return sure


def told_by_a_person(history: list[tuple[int, str]]) -> list[tuple[int, str, int]]:
    """When, what, and after how many changes. Looks back over everything each time."""
    sure = certain(history)
    letters: list[tuple[int, str, int]] = []
    last = None
    for index, (moment, what) in enumerate(sure):
        if last is None:
            if what != "healthy":
                letters.append((moment, what, 1))
            last = index
            continue
        turns = sum(sure[one][1] != sure[one - 1][1] for one in range(last + 1, index + 1))
        fresh = bool(letters) and moment - letters[-1][0] < BOUNDS.hysteresis
        worse = what == "interrupted" and sure[last][1] != "healthy" and turns == 1
        straight = bool(letters) and letters[-1][2] == 1
        if turns and (not fresh or (worse and straight)):
            letters.append((moment, what, turns))
            last = index
    return letters


histories = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from([*MEANING, "DOING", "INTERRUPTED", LATE, ODD])), max_size=40
)


@given(histories)
@settings(max_examples=600)
def test_a_person_with_the_whole_history_tells_the_same(steps: list[tuple[int, str]]) -> None:
    history, moment = [], 0
    for pause, word in steps:
        moment += pause
        history.append((moment, word))
    watched = Watched(bounds=replace(BOUNDS, max_unreadable=10_000))
    letters = []
    for seconds, word in history:
        event = watched.at(seconds, word)
        if event:
            (one,) = event["changes"]
            letters.append((seconds, one["after"], one["changes"]))
    assert letters == told_by_a_person(history)


@given(histories, st.sampled_from([*MEANING]))
@settings(max_examples=300)
def test_in_the_end_everybody_knows_how_it_is(steps: list[tuple[int, str]], last: str) -> None:
    """Nothing is lost: whatever has been, when it stays as it is, the last thing told is the truth."""
    watched, moment, known = Watched(), 0, "healthy"
    for pause, word in [*steps, *[(60, last)] * 5]:
        moment += pause
        event = watched.at(moment, word)
        known = event["changes"][0]["after"] if event and event["changes"] else known
    assert known == MEANING[last]


@given(histories)
@settings(max_examples=300)
def test_never_twice_in_a_window_but_once_for_the_worse(steps: list[tuple[int, str]]) -> None:
    watched, moment, letters = Watched(), 0, []
    for pause, word in steps:
        moment += pause
        event = watched.at(moment, word)
        if event and event["changes"]:
            letters.append((moment, event["changes"][0]))
    for (before, first), (after, second) in pairwise(letters):
        if after - before < BOUNDS.hysteresis:
            assert first["changes"] == second["changes"] == 1
            assert first["after"] not in {"healthy", "interrupted"}
            assert second["after"] == "interrupted"
