"""The report of a restart, and its entry in the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.report_recovery import (
    NOT_RESTORED,
    NOTHING,
    PLANNED,
    RESTORED,
    approver,
    recovery_report,
)

FROM, TO = "2024-06-01 10:00:00+08:00", "2024-06-01 12:00:00+08:00"


def tenant(**more: Any) -> dict[str, Any]:
    return {
        "state": "INTERRUPTED",
        "status": "INTERRUPTED",
        "round": 1,
        "tenants": ["a"],
        "class": "recycled",
        "evidence": ["one", "two", "three", "four"],
        "steps": ["stop", "start", "full_backup"],
        "gap": {"from": FROM, "to": None},
        **more,
    }


def look(**more: Any) -> dict[str, Any]:
    return {"read_at": FROM, "is_done": False, "unknown": {}, "tenants": {"a": tenant()}, **more}


def after(**more: Any) -> dict[str, Any]:
    healthy = tenant(state="DOING", status="DOING", round=2, steps=[], gap=None)
    return look(is_done=True, read_at=TO, tenants={"a": healthy}) | more


def results(**more: Any) -> dict[str, Any]:
    return {
        "diagnose": look(),
        "plan": look(),
        "stop": {"statements": ["ALTER SYSTEM NOARCHIVELOG"]},
        "start": {"statements": ["ALTER SYSTEM ARCHIVELOG"]},
        "backup": {"statements": ["ALTER SYSTEM BACKUP DATABASE"], "sets": {"a": 4}},
        "windows": {"a": {"restorable": True, "from": TO}},
        "approved": {"responded_by_user": {"id": "7", "name": "wang"}},
        "left": after(),
        "check": {"verdict": "OK", "summary": {"en": "As it should be."}},
        **more,
    }


def report(found: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
    return recovery_report("prod", found, run="dag/run", kind="recovery", dry_run=dry_run)


def test_restored_with_the_hole_and_who_said_yes_in_the_ledger() -> None:
    told = report(results())
    assert told["verdict"] == RESTORED
    entry = told["entry"]
    assert entry["approved_by"] == "wang"
    assert entry["statements"] == [
        "ALTER SYSTEM NOARCHIVELOG",
        "ALTER SYSTEM ARCHIVELOG",
        "ALTER SYSTEM BACKUP DATABASE",
    ]
    assert entry["tenants"]["a"] == {
        "state": "INTERRUPTED",
        "class": "recycled",
        "evidence": ["one", "two", "three"],
        "round": 1,
        "new_round": 2,
        "gap": {"from": FROM, "to": {"a": TO}},
        "sets": {"a": 4},
        "left": [],
    }
    assert "Approved by wang." in told["markdown"]
    assert "Compliance: OK. As it should be." in told["markdown"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"left": None}, ""),
        ({"left": after(is_done=False, tenants={"a": tenant(steps=["full_backup"])})}, "left to do: full_backup"),
        ({"doing": {"failed": {"a": "INTERRUPTED again"}}}, "doing: INTERRUPTED again"),
        ({"left": after(unknown={"a": "cannot be read"})}, "cannot be read"),
    ],
)
def test_anything_left_failed_or_unknown_is_not_restored(more: dict[str, Any], reason: str) -> None:
    told = report(results(**more))
    assert told["verdict"] == NOT_RESTORED
    assert reason in told["markdown"]
    assert "Run it again" in told["markdown"]
    assert told["entry"]["verdict"] == NOT_RESTORED


def test_nothing_to_do_leaves_no_entry() -> None:
    told = report({"diagnose": after()})
    assert (told["verdict"], told["entry"]) == (NOTHING, None)


def test_a_plan_that_was_only_looked_at_leaves_no_entry() -> None:
    told = report({"diagnose": look()}, dry_run=True)
    assert (told["verdict"], told["entry"]) == (PLANNED, None)


def test_a_rejected_plan_leaves_no_entry() -> None:
    told = report({"diagnose": look()})
    assert (told["verdict"], told["entry"]) == (NOT_RESTORED, None)


def test_a_run_that_could_not_even_look() -> None:
    told = report({})
    assert (told["verdict"], told["entry"]) == (NOT_RESTORED, None)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (None, ""),
        ("odd", ""),
        ({}, ""),
        ({"responded_by_user": "dba"}, "dba"),
        ({"responded_by_user": {"id": "7", "name": ""}}, "7"),
        ({"responded_by_user": {"id": "7", "name": "wang"}}, "wang"),
    ],
)
def test_who_has_answered(answer: object, name: str) -> None:
    assert approver(answer) == name
