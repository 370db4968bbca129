"""A data backup of 4.x is started once: connections lost, workers killed, retries, tasks cleared."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_ob_provider.exceptions import OceanBaseTransientError
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, effects, ending, make_context
from tests.unit.operators.harness4 import builds, clock, cluster, first_try, put, sql
from tests.unit.operators.harness_backup import (
    FULL,
    INCREMENTAL,
    KilledError,
    backup,
    before_sending,
    jobs,
    kill,
    next_try,
    set_up,
    started,
)

__all__ = ["clock", "cluster"]

BOTH = ["tenant1", "tenant2"]


@pytest.fixture
def doing(cluster: Sandbox) -> Sandbox:
    set_up(cluster)
    return cluster


@builds("4.0.0", "4.2.5")
@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("drop_after", ("SYSTEM BACKUP", 1)),
        ("error_once", ("SYSTEM BACKUP", 4012, "Timeout", True)),
        ("error_once", ("SYSTEM BACKUP", 4023, "Try again", True)),
    ],
)
def test_a_lost_answer_is_not_asked_for_again(
    doing: Sandbox, clock: Time, fault: str, value: Any, deferrable: bool
) -> None:
    setattr(doing.faults, fault, value)
    result = drive(backup(deferrable=deferrable), first_try(), clock)
    assert (result["changed"], result["tenants"], len(result["statements"])) == (True, BOTH, 1)
    assert len(started(doing)) == jobs(doing) == 1


@pytest.mark.parametrize(
    ("fault", "value"),
    [("drop_before", ("SYSTEM BACKUP", 1)), ("error_once", ("SYSTEM BACKUP", 4012, "Timeout", False))],
)
def test_a_statement_that_never_arrived_is_a_retry(doing: Sandbox, clock: Time, fault: str, value: Any) -> None:
    setattr(doing.faults, fault, value)
    context = first_try()
    end = ending(lambda: drive(backup(), context, clock))
    assert (end.state, len(started(doing)), jobs(doing)) == ("retry", 1, 0)
    assert isinstance(end.error, OceanBaseTransientError)
    result = drive(backup(), next_try(context), clock)
    assert (result["changed"], result["tenants"]) == (True, BOTH)
    assert jobs(doing) == 1


@pytest.mark.parametrize("other", [FULL, INCREMENTAL, "ALTER SYSTEM BACKUP TENANT = tenant2"])
def test_a_job_without_our_mark_is_not_ours(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """The statement never arrived, and somebody else has started one in the same moment."""
    doing.faults.drop_before = ("SYSTEM BACKUP", 1)
    clock.at(2, lambda: sql(doing, other))
    context = first_try()
    end = ending(lambda: drive(backup(), context, clock))
    assert end.state == "retry", end
    result = drive(backup(), next_try(context), clock)
    assert result["attached"] is (other == FULL), "its own look decides what that one is good for"
    assert (result["tenants"], set(result["kinds"].values())) == (BOTH, {"full"})
    assert jobs(doing) == 1 + (other != FULL)


def test_reading_that_fails_after_the_statement_is_a_retry_that_attaches(doing: Sandbox, clock: Time) -> None:
    with pytest.MonkeyPatch.context() as patch:
        before_sending(patch, lambda: setattr(doing.faults, "drop_before", ("^.*SELECT", 1000)))
        context = first_try()
        end = ending(lambda: drive(backup(), context, clock))
    assert end.state == "retry"
    doing.faults.reset()
    clock.sleep(120)
    result = drive(backup(), next_try(context), clock)
    assert (result["changed"], result["attached"], result["tenants"]) == (True, False, BOTH)
    assert re.match(FULL, *result["statements"])
    assert len(started(doing)) == jobs(doing) == 1


@builds("4.0.0", "4.2.5")
@pytest.mark.parametrize("later", [0, 5, 3600])
@pytest.mark.parametrize("sent", [True, False])
def test_a_worker_that_is_killed_around_the_statement(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, sent: bool, later: float
) -> None:
    kill(monkeypatch, sent=sent)
    context = first_try()
    with pytest.raises(KilledError):
        drive(backup(), context, clock)
    clock.sleep(later)
    result = drive(backup(timeout=600), next_try(context), clock)
    assert (result["changed"], result["tenants"], len(result["statements"])) == (True, BOTH, 1)
    assert len(started(doing)) == jobs(doing) == 1


def test_the_newer_one_of_somebody_else_is_not_taken_for_ours(
    doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(monkeypatch, sent=True)
    context = first_try()
    with pytest.raises(KilledError):
        drive(backup(), context, clock)
    clock.sleep(60)
    sql(doing, INCREMENTAL)
    clock.sleep(60)
    result = drive(backup(), next_try(context), clock)
    assert (result["job"], result["kinds"], jobs(doing)) == (1, dict.fromkeys(BOTH, "full"), 2)


def test_a_retry_in_mid_wait_attaches(doing: Sandbox, clock: Time) -> None:
    context = first_try()
    clock.at(15, lambda: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError):
        drive(backup(deferrable=False, poll_interval=5), context, clock)
    clock.on_sleep.clear()
    result = drive(backup(), next_try(context), clock)
    assert (result["job"], result["changed"], len(started(doing))) == (1, True, 1)


def test_a_retry_has_its_own_time(doing: Sandbox, clock: Time) -> None:
    """One that comes after the first try's timeout still finds what that one has made."""
    context = first_try()
    clock.at(15, lambda: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError):
        drive(backup(deferrable=False, poll_interval=5, timeout=60), context, clock)
    clock.on_sleep.clear()
    clock.sleep(3600)
    result = drive(backup(timeout=60), next_try(context), clock)
    assert (result["job"], result["tenants"], len(started(doing))) == (1, BOTH, 1)


def test_a_retry_after_success_finds_the_same(doing: Sandbox, clock: Time) -> None:
    """The worker dies between the success and its report."""
    context = first_try()
    first = drive(backup(), context, clock)
    again = drive(backup(), next_try(context), clock)
    assert {**again, "read_at": first["read_at"]} == first
    assert len(started(doing)) == 1


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_retry_after_a_failure_takes_only_what_is_missing(doing: Sandbox, clock: Time, deferrable: bool) -> None:
    doing.faults.failed_backups = {"tenant2": 9086}
    context = first_try()
    assert ending(lambda: drive(backup(deferrable=deferrable), context, clock)).state == "retry"
    assert ending(lambda: drive(backup(deferrable=deferrable), next_try(context), clock)).state == "retry"
    doing.faults.reset()
    result = drive(backup(deferrable=deferrable), next_try(context), clock)
    sent = started(doing)
    assert sent[0].startswith(FULL)
    assert [text.partition(" DESCRIPTION")[0] for text in sent[1:]] == ["ALTER SYSTEM BACKUP TENANT = 'tenant2'"] * 2
    assert (result["tenants"], result["failed"]) == (BOTH, {})
    assert result["sets"] == {"tenant1": 1, "tenant2": 3}
    assert set(result["restore_points"]) == set(result["kinds"]) == set(BOTH)
    assert result["restore_point"] == result["restore_points"]["tenant2"]
    assert result["job"] == 3


def test_a_retry_of_what_cannot_be_had_any_more_keeps_what_there_is(doing: Sandbox, clock: Time) -> None:
    doing.faults.failed_backups = {"tenant2": 9086}
    context = first_try()
    assert ending(lambda: drive(backup(), context, clock)).state == "retry"
    for name in BOTH:
        put(doing, "STOP", name)
    end = ending(lambda: drive(backup(on_partial_failure="continue"), next_try(context), clock))
    assert end.state == "success", "tenant1 has its set, whatever its log backup does now"
    assert (end.result["tenants"], list(end.result["failed"])) == (["tenant1"], ["tenant2"])
    assert "its log backup is STOP" in end.result["failed"]["tenant2"]
    assert end.result["sets"] == {"tenant1": 1}
    assert end.result["restore_point"] == end.result["restore_points"]["tenant1"]
    assert len(started(doing)) == 1


def test_a_refusal_forgets_no_set(doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    doing.faults.failed_backups = {"tenant2": 9086}
    context = first_try(5)
    assert ending(lambda: drive(backup(), context, clock)).state == "retry"
    doing.faults.reset()
    before_sending(monkeypatch, lambda: put(doing, "STOP", "tenant2"))
    end = ending(lambda: drive(backup(), next_try(context), clock))
    assert "[9040]" in end.text
    put(doing, "DOING", "tenant2")
    result = drive(backup(), next_try(context), clock)
    assert (result["tenants"], result["sets"]["tenant1"]) == (BOTH, 1)
    assert "TENANT = 'tenant2'" in started(doing)[-1]


def test_a_lost_race_leaves_nothing_behind(doing: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """9036, then killed while waiting for that one: the retry looks anew and sends one of its own."""
    sql(doing, FULL)
    clock.sleep(60)
    before_sending(monkeypatch, lambda: (sql(doing, INCREMENTAL), doing.advance(2)))
    context = first_try()
    clock.at(10, lambda: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError):
        drive(backup(deferrable=False, poll_interval=5), context, clock)
    clock.on_sleep.clear()
    result = drive(backup(), next_try(context), clock)
    assert (result["job"], set(result["kinds"].values()), result["changed"]) == (3, {"full"}, True)
    assert effects(doing, "SYSTEM BACKUP") == 1


def test_clearing_takes_a_new_one(doing: Sandbox, clock: Time) -> None:
    first = drive(backup(), make_context(), clock)
    second = drive(backup(), make_context(), clock)
    assert (first["job"], second["job"], len(started(doing))) == (1, 2, 2)


def test_without_a_state_store_a_retry_finds_what_still_runs(doing: Sandbox, clock: Time) -> None:
    """Airflow 3.2."""
    context = make_context(store=False)
    clock.at(15, lambda: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError):
        drive(backup(deferrable=False, poll_interval=5), context, clock)
    clock.on_sleep.clear()
    result = drive(backup(), next_try(context), clock)
    assert (result["attached"], result["job"], len(started(doing))) == (True, 1, 1)
    doing.faults.failed_backups = {"tenant2": 4016}
    assert ending(lambda: drive(backup(), make_context(store=False), clock)).state == "retry"


def test_what_a_newer_release_has_stored_is_read(doing: Sandbox, clock: Time) -> None:
    context = first_try()
    drive(backup(), context, clock)
    store = context["task_state_store"]
    (key,) = store.values
    store.set(key, {**store.get(key), "newer": [1]})
    assert drive(backup(), next_try(context), clock)["job"] == 1
