"""What broke off log backup, by evidence: each class, what is no evidence, and what is only told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_ob_provider.oceanbase.breaks import BreakEvent, BreakHistory, Lag
from airflow_ob_provider.oceanbase.catalog import LogDisk, Stream
from airflow_ob_provider.oceanbase.models import ArchiveState, Server, to_json
from airflow_ob_provider.oceanbase.recovery import BreakCause, Diagnosis, diagnose, plan_markdown, plan_recovery
from airflow_ob_provider.oceanbase.recovery.cause import causes_in, causes_of, failed
from airflow_ob_provider.oceanbase.recovery.diagnosis import MAX_EVIDENCE, MAX_LINE
from tests.unit.oceanbase.recovery_world import SHOP, ModelRound, World, at, version

A = ArchiveState
C = BreakCause


def broken(build: str = "4.2.5", comment: str = "", state: str = "INTERRUPTED", **changes: Any) -> World:
    one = World(build, A(state), now=160, rounds=[ModelRound(1, 0, 100, broke=True, comment=comment)], **changes)
    one.mode = state != "STOP"
    return one


def event(
    *values: tuple[str, str], round_id: int = 1, tenant: int = 0, module: str = "log_archive", minute: int | None = 120
) -> BreakEvent:
    return BreakEvent(
        at(minute) if minute is not None else None, module, "change_status", tenant, round_id, None, values
    )


# --- words of the server ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "causes"),
    [
        ("log stream 1001 interrupted", set()),
        ("log stream 9087 interrupted", set()),
        ("tenant 9070 no logging is open", set()),
        ("log stream 1001 interrupted, result: -9087(observer clog is recycled before archive)", {C.RECYCLED}),
        ("observer clog is recycled before archive", {C.RECYCLED}),
        ("interrupt reason: LOG_RECYCLE", {C.RECYCLED}),
        ("reason=SEND_ERROR", {C.DESTINATION}),
        ("force stop, result: -4009(IO error)", {C.DESTINATION}),
        ("ret=-9051", {C.DESTINATION}),
        ("error code: 9070", {C.DESTINATION}),
        ("NOT_CONTINUOUS", {C.DISCONTINUOUS}),
        ("reason GC", {C.GC}),
        ("gc ts is bigger", set()),
        ("GCP bucket", set()),
        ("trace_id YB42-9087-0", set()),
        ("lsn -90870", set()),
        ("10.0.0.-9087.1", set()),
        ("ret=-9027", set()),
        ("SEND_ERROR after LOG_RECYCLE", {C.DESTINATION, C.RECYCLED}),
    ],
)
def test_texts(text: str, causes: set[BreakCause]) -> None:
    assert causes_in(text) == causes


@pytest.mark.parametrize("code", [4009, 9003, 9026, 9051, 9063, 9070, 9071, 9080, 9081, 9082, 9129, 9140])
def test_codes_of_a_destination(code: int) -> None:
    assert causes_of([("result", f"-{code}")]) == {C.DESTINATION}
    assert causes_of([("Result", str(code))]) == {C.DESTINATION}
    assert causes_of([("round_id", str(code))]) == set(), "a number that is no code"


def test_values_of_events() -> None:
    assert causes_of([("result", "0"), ("comment", "LOG_RECYCLE")]) == {C.RECYCLED}
    assert causes_of([("result", "-4016"), ("error", "²")]) == set()
    assert failed([("result", "-4016")])
    assert not failed([("result", "0"), ("round_id", "7"), ("error", "words")])


# --- classes ----------------------------------------------------------------------------------------------------------

WAYS = {
    C.DESTINATION: ("result", "-9070"),
    C.RECYCLED: ("reason", "LOG_RECYCLE"),
    C.DISCONTINUOUS: ("reason", "NOT_CONTINUOUS"),
    C.GC: ("reason", "GC"),
}


@pytest.mark.parametrize("build", ["3.1.2", "3.2.4", "4.0.0", "4.2.5", "4.3.3"])
@pytest.mark.parametrize("cause", WAYS)
@pytest.mark.parametrize("state", ["INTERRUPTED", "STOP", "STOPPING", "DOING"])
def test_a_class_from_an_event_of_the_round(build: str, cause: BreakCause, state: str) -> None:
    """It stays known through the stop and until the next full backup, for the record of the run."""
    one = broken(build, state=state)
    if state == "DOING":
        one.rounds.append(ModelRound(2, 150, 160))
    tenant = 0 if one.is_cluster else SHOP.tenant_id
    one.events = [event(WAYS[cause], tenant=tenant)]
    found = one.diagnosis()
    assert (found.cause, found.causes) == (cause, (cause,))
    assert any(WAYS[cause][1] in line for line in found.evidence)
    if state == "INTERRUPTED":
        assert found.needs_person is (cause is C.DESTINATION)
        assert found.runbook.zh
        assert found.runbook != broken(build).diagnosis().runbook


@pytest.mark.parametrize("build", ["4.1.0", "4.3.3"])
def test_a_class_from_the_comment(build: str) -> None:
    found = broken(build, "log stream 1001 interrupted, ret=-9087").diagnosis()
    assert (found.cause, found.restart_suffices) == (C.RECYCLED, True)
    assert "faster destination" in found.runbook.en


def test_a_stop_by_force_tells_of_a_dead_destination() -> None:
    one = World(
        "4.2.5", A.STOP, mode=False, rounds=[ModelRound(1, 0, 100, comment="force stop, result: -4009(IO error)")]
    )
    found = one.diagnosis()
    assert (found.cause, found.needs_person) == (C.DESTINATION, True)
    plain = World("4.2.5", A.STOP, mode=False).diagnosis()
    assert (plain.cause, plain.needs_person) == (C.NONE, False)


@pytest.mark.parametrize(
    "other",
    [
        event(("reason", "LOG_RECYCLE"), tenant=1004),
        event(("reason", "LOG_RECYCLE"), tenant=1002, round_id=7),
        event(("reason", "LOG_RECYCLE"), tenant=1002, round_id=0),
        event(("reason", "LOG_RECYCLE"), tenant=1002, module="backup_data"),
    ],
    ids=["another tenant", "another round", "no round", "another module"],
)
def test_what_is_no_evidence(other: BreakEvent) -> None:
    one = broken("4.2.5", "log stream 1001 interrupted", events=[other])
    found = one.diagnosis()
    assert (found.cause, found.causes, found.needs_person) == (C.UNKNOWN, (), True)


def test_the_destination_is_seen_to_first() -> None:
    one = broken(events=[event(("reason", "LOG_RECYCLE"), tenant=1002), event(("result", "-9071"), tenant=1002)])
    found = one.diagnosis()
    assert (found.cause, found.causes) == (C.DESTINATION, (C.DESTINATION, C.RECYCLED))
    assert found.needs_person


@pytest.mark.parametrize(("checkpoint", "cause"), [(0, C.DESTINATION), (1, C.UNKNOWN)])
def test_a_3x_round_that_never_got_past_its_start(checkpoint: int, cause: BreakCause) -> None:
    one = broken("3.1.5")
    one.rounds = [ModelRound(1, 0, checkpoint, broke=True)]
    assert one.diagnosis().cause is cause
    no_time = replace(one, row_changes={"checkpoint": None})
    assert no_time.diagnosis().cause is C.DESTINATION
    unknown = replace(one, row_changes={"started": None})
    assert unknown.diagnosis().cause is C.UNKNOWN
    stopped = replace(one, state=A.STOP)
    assert stopped.diagnosis().cause is cause, "it is still so after the stop"
    by_hand = World("3.1.5", A.STOP, rounds=[ModelRound(1, 0, 0)])
    assert by_hand.diagnosis().cause is C.NONE, "it was stopped, not INTERRUPTED"
    tenant = replace(one, build="4.2.5")
    assert tenant.diagnosis().cause is C.UNKNOWN, "the FAQ tells of 3.x"


@pytest.mark.parametrize("build", ["3.1.2", "3.1.5", "4.0.0", "4.2.5"])
@pytest.mark.parametrize("state", ["DOING", "BEGINNING", "STOPPING", "STOP"])
def test_nothing_broken(build: str, state: str) -> None:
    found = World(build, A(state), mode=state != "STOP").diagnosis()
    assert (found.cause, found.needs_person, found.is_stuck, found.refusal) == (C.NONE, False, False, "")


@pytest.mark.parametrize(
    ("build", "words"),
    [
        ("3.1.2", "no stop by force"),
        ("2.2.77", "no stop by force"),
        ("3.1.5", "CANCEL ALL BACKUP FORCE"),
        ("3.2.4", "CANCEL ALL BACKUP FORCE"),
        ("4.0.0", "no stop by force"),
        ("4.2.1", "no stop by force"),
        ("4.2.5", "after 10 minutes"),
        ("4.3.3", "after 10 minutes"),
    ],
)
def test_a_stuck_stop_by_version(build: str, words: str) -> None:
    found = World(build, A.STOPPING, mode=False, now=200).diagnosis()
    assert (found.cause, found.needs_person, found.is_stuck) == (C.UNKNOWN, True, True)
    assert words in found.runbook.en
    assert found.since == at(100)


def test_a_start_that_hangs() -> None:
    late = World("3.1.5", A.BEGINNING, now=130).diagnosis()
    assert (late.is_stuck, late.needs_person) == (True, True)
    assert "rootservice.log" in late.runbook.en
    early = World("3.1.5", A.BEGINNING, now=129).diagnosis()
    assert (early.is_stuck, early.needs_person) == (False, False)


@pytest.mark.parametrize(("state", "stuck"), [("SUSPENDING", True), ("SUSPEND", False)])
def test_suspended(state: str, stuck: bool) -> None:
    found = World("4.2.5", A(state), deferred=True, now=200).diagnosis()
    assert (found.is_stuck, found.needs_person) == (stuck, stuck)
    assert ("same round" in found.runbook.en) is True
    assert found.cause is (C.UNKNOWN if stuck else C.NONE)


def test_an_event_of_another_state_does_not_tell_since_when() -> None:
    one = World("3.1.5", A.STOPPING, now=200)
    newer = BreakEvent(at(150), "log_archive", "change_status", 0, 1, A.DOING, ())
    history = BreakHistory((newer, *one.history().events))
    (found,) = diagnose(one.catalog(), history, version("3.1.5"))
    assert (found.since, found.is_stuck) == (None, False)
    untimed = BreakHistory((replace(one.history().events[0], at=None),))
    (found,) = diagnose(one.catalog(), untimed, version("3.1.5"))
    assert (found.since, found.is_stuck) == (None, False)


# --- what is told -----------------------------------------------------------------------------------------------------


def told(one: World, **history: Any) -> Diagnosis:
    (found,) = diagnose(one.catalog(), replace(one.history(), **history), version(one.build))
    return found


def test_circumstances_are_told_and_prove_nothing() -> None:
    stream = Stream("partition 5/1 on 10.0.0.1:2882", at(100), is_broken=True)
    one = broken("3.1.5", record_changes={"streams": (stream, Stream("fine", at(100)))})
    one.since = 150
    server = Server("10.0.0.3:2882", "zone3", active=False, status="INACTIVE")
    found = told(one, inactive=(server,), unread=("the OBServers cannot be read: [1142] denied",))
    text = "\n".join(found.evidence)
    assert "it broke off at 2026-03-01 02:30:00+08:00, 50 min behind" in text
    assert "partition 5/1 on 10.0.0.1:2882 of shop" in text
    assert "fine" not in text
    assert "10.0.0.3:2882 (zone3) is INACTIVE" in text
    assert "mode is optional" in text
    assert "[1142] denied" in text
    assert (found.cause, found.needs_person) == (C.UNKNOWN, True)


def test_the_lag_history_before_the_break() -> None:
    one = broken("4.2.5")
    one.since = 150
    lags = [
        Lag(at(-2000), 9999.0, "shop"),
        Lag(at(20), 900.0, "shop"),
        Lag(at(140), 300.0, "shop"),
        Lag(at(155), 5000.0, "shop"),
        Lag(at(100), 7000.0, "bank"),
    ]
    (line,) = [line for line in one.diagnosis(lags=lags).evidence if "lag history" in line]
    assert "at most 15 min late (shop, 2026-03-01 00:20:00+08:00), 5 min at the last check" in line
    assert not any("lag history" in line for line in one.diagnosis(lags=lags[-1:]).evidence)
    healthy = World("4.2.5").diagnosis(lags=lags)
    assert not any("lag history" in line for line in healthy.evidence)
    one.history = lambda: BreakHistory()  # type: ignore[method-assign]
    assert any("1 h 23 min" in line for line in one.diagnosis(lags=lags).evidence), "up to now"


def test_mode_and_log_disk() -> None:
    one = broken(settings={"mode": "mandatory"}, record_changes={"log_disk": LogDisk(85, 100)})
    text = "\n".join(one.diagnosis().evidence)
    assert "writes may block" in text
    assert "85 % full now; logs are recycled from 80 % on" in text
    roomy = replace(one, settings={"mode": None}, record_changes={"log_disk": LogDisk(10, 100)})
    assert "mode" not in "\n".join(roomy.diagnosis().evidence)
    assert "log disk" not in "\n".join(roomy.diagnosis().evidence)


def test_many_streams() -> None:
    streams = tuple(Stream(f"s{n}", at(100), is_broken=True) for n in range(7))
    found = broken("4.2.5", record_changes={"streams": streams}).diagnosis()
    assert any("and 2 more" in line for line in found.evidence)


def test_errors_of_that_time_are_told() -> None:
    one = broken("3.1.5")
    one.events = [
        event(("result", "-9070"), module="backup", round_id=0),
        event(("result", "-9070"), module="backup", round_id=0, minute=None),
        event(("result", "-4016"), module="backup_dest", round_id=0),
        event(("result", "0"), module="backup", round_id=0),
        event(("result", "-9070"), module="old", round_id=0, minute=-5),
        event(("result", "-9070"), module="other", round_id=0, tenant=77),
    ]
    found = one.diagnosis()
    errors = [line for line in found.evidence if line.startswith("error at")]
    assert len(errors) == 2
    assert all("backup/change_status (result=-9070)" in line for line in errors)
    assert found.cause is C.UNKNOWN, "a data backup that fails does not say what broke the log stream"
    unknown_start = replace(one, row_changes={"started": None})
    assert any("error at" in line for line in unknown_start.diagnosis().evidence)


def test_a_break_without_an_event_of_it() -> None:
    one = broken("4.2.5")
    one.history = lambda: BreakHistory()  # type: ignore[method-assign]
    text = "\n".join(one.diagnosis().evidence)
    assert "broke off at" not in text
    ahead = broken("4.2.5")
    ahead.since = 100
    assert "it broke off at 2026-03-01 01:40:00+08:00" in ahead.diagnosis().evidence
    untimed = replace(ahead.history().events[0], at=None)
    (found,) = diagnose(ahead.catalog(), BreakHistory((untimed,)), version("4.2.5"))
    assert not any("broke off" in line for line in found.evidence)


def test_evidence_is_redacted_and_capped() -> None:
    secret = "k3y/+="
    one = broken("4.2.5", f"log stream interrupted oss://b/d?access_key={secret} ret=-9070 " + "x" * 900)
    one.events = [event(("reason", f"GC password='{secret}' {n}"), tenant=1002) for n in range(30)]
    found = one.diagnosis()
    shown = repr(found) + str(to_json(found))
    assert secret not in shown
    assert len(found.evidence) == MAX_EVIDENCE + 1
    assert max(map(len, found.evidence)) <= MAX_LINE
    assert found.evidence[-1].endswith("more")
    assert found.cause is C.DESTINATION
    assert "unit" not in to_json(found), "the catalog is not part of the result"


# --- the table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", ["3.1.5", "4.2.5"])
@pytest.mark.parametrize("state", ["INTERRUPTED", "STOPPING", "DOING", "STOP", "UNKNOWN"])
def test_the_table(build: str, state: str) -> None:
    one = World(build, A(state))
    one.now = 200
    one.mode = state not in {"STOP", "STOPPING"}
    if state == "INTERRUPTED":
        one.rounds[-1].broke = True
    found = one.diagnoses()
    text = plan_markdown(found, plan_recovery(found))
    lines = text.en.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 3
    assert {line.count("|") for line in table} == {7}
    place = "cluster" if build == "3.1.5" else "shop"
    assert table[-1].startswith(f"| {place} | {state}")
    assert len(text.zh.splitlines()) == len(lines)
    assert ("**a person has to look first**" in text.en) is (state in {"INTERRUPTED", "STOPPING"})
    assert ("cost:" in text.en) is (state not in {"DOING", "UNKNOWN"})
    assert ("the server ends it by force after 10 min" in text.en) is (build == "4.2.5" and state == "STOPPING")
    assert "{" not in text.en + text.zh


def test_a_table_of_many() -> None:
    one = World("4.2.5", A.INTERRUPTED)
    found = one.diagnoses() * 120
    text = plan_markdown(found, plan_recovery(found))
    assert sum(line.startswith("| shop") for line in text.en.splitlines()) == 100
    assert "and 20 more" in text.en
    assert "120 个中有 120 个需要处理" in text.zh


def test_hostile_words_do_not_break_the_table() -> None:
    one = World("4.2.5", A.UNKNOWN, row_changes={"status": "a|b\n| c"})
    one.row_changes = {"status": "a|b\nc", "state": A.UNKNOWN}
    found = one.diagnoses()
    table = [line for line in plan_markdown(found, plan_recovery(found)).en.splitlines() if line.startswith("| shop")]
    assert len(table) == 1
    assert table[0].count("|") == 7


def test_the_age_of_a_state_is_by_the_servers_clock() -> None:
    found = World("4.2.5", A.STOPPING, mode=False, now=103).diagnosis()
    assert "(3 min)" in found.evidence[0]
    assert found.since == at(103) - timedelta(minutes=3)
