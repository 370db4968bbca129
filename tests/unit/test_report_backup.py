"""The report of the data backup DAG: green only where every tenant can be restored with its new set."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.report_backup import (
    DRY_RUN,
    NOT_NEEDED,
    NOT_RESTORABLE,
    RESTORABLE,
    backup_fleet,
    backup_report,
)

WINDOW = {"restorable": True, "from": "2024-06-01 10:00:00+08:00", "until": "2024-06-01 11:00:00+08:00", "round": 1}


def made(*names: str, **more: Any) -> dict[str, Any]:
    return {
        "job": 7,
        "kind": "full",
        "kinds": dict.fromkeys(names, "full"),
        "sets": dict.fromkeys(names, 3),
        "statements": ["ALTER SYSTEM BACKUP DATABASE"],
        "failed": {},
        "started": "2024-06-01 09:00:00+08:00",
        "ended": "2024-06-01 09:30:00+08:00",
        **more,
    }


def results(*names: str, **more: Any) -> dict[str, Any]:
    return {"backup": made(*names), "windows": dict.fromkeys(names, WINDOW), **more}


def report(found: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
    return backup_report("prod", found, dry_run=dry_run)


def test_every_tenant_in_a_window_is_restorable() -> None:
    told = report(results("a", "b"))
    assert told["verdict"] == RESTORABLE
    assert told["row"]["tenants"] == "2 of 2"
    assert told["row"]["restorable until"] == WINDOW["until"]
    assert told["asset_extra"]["sets"] == {"a": 3, "b": 3}
    assert "only a restore does" in told["markdown"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"windows": {"a": WINDOW}}, "was not read"),
        ({"windows": {"a": WINDOW, "b": {"restorable": False, "reason": "no window"}}}, "no window"),
        ({"backup": made("a", failed={"b": "[9086] slow"})}, "backup: [9086] slow"),
        ({"archived": {"failed": {"b": "not in time"}}}, "archived: not in time"),
        ({"doing": {"failed": {"b": "INTERRUPTED"}}}, "doing: INTERRUPTED"),
    ],
)
def test_one_tenant_that_is_not_makes_the_cluster_red_and_is_named_first(more: dict[str, Any], reason: str) -> None:
    told = report(results("a", "b") | more)
    assert told["verdict"] == NOT_RESTORABLE
    first, second = told["tenants"]
    assert (first["tenant"], first["verdict"]) == ("b", NOT_RESTORABLE)
    assert reason in first["reason"]
    assert (second["tenant"], second["verdict"], second["reason"]) == ("a", RESTORABLE, "")
    assert "only a restore does" not in told["markdown"]


def test_nothing_at_all_is_red_and_says_where_to_look() -> None:
    told = report({})
    assert told["verdict"] == NOT_RESTORABLE
    assert "the log of the first task that failed" in told["markdown"]


def test_a_backup_without_any_tenant_is_red() -> None:
    assert report({"backup": made()})["verdict"] == NOT_RESTORABLE


def test_where_nobody_needs_one() -> None:
    told = report({"needed": []})
    assert told["verdict"] == NOT_NEEDED
    assert "nothing that writes" in told["markdown"]


def test_who_needs_one_is_no_reason_to_be_green() -> None:
    assert report({"needed": ["a"]})["verdict"] == NOT_RESTORABLE


def test_a_dry_run_shows_what_would_be_sent() -> None:
    told = report({"backup": {"dry_run": True, "plan": ["ALTER SYSTEM BACKUP DATABASE"], "failed": {}}}, dry_run=True)
    assert told["verdict"] == DRY_RUN
    assert "Would be sent: `ALTER SYSTEM BACKUP DATABASE`" in told["markdown"]


def test_a_dry_run_in_which_a_tenant_would_fail_is_red() -> None:
    told = report({"backup": {"dry_run": True, "plan": [], "failed": {"a": "9040"}}}, dry_run=True)
    assert told["verdict"] == NOT_RESTORABLE


def test_what_is_worth_a_word_is_said() -> None:
    told = report(results("a") | {"backup": made("a", became_full=["a"], attached=True)})
    assert "made full, as there was none to build on: a" in told["markdown"]
    assert "ran already (job 7)" in told["markdown"]


def test_many_tenants_are_cut_and_counted() -> None:
    told = report(results(*(f"t{number:03}" for number in range(60))))
    assert "and 10 more" in told["markdown"]


def test_a_fleet_is_as_bad_as_its_worst_and_a_missing_report_is_bad() -> None:
    good, none = report(results("a")), report({"needed": []})
    assert backup_fleet(["prod"], [good])["verdict"] == RESTORABLE
    assert backup_fleet(["prod"], [none])["verdict"] == NOT_NEEDED
    whole = backup_fleet(["prod", "other"], [good, None])
    assert whole["verdict"] == NOT_RESTORABLE
    assert [row["verdict"] for row in whole["clusters"]] == [RESTORABLE, NOT_RESTORABLE]
    assert backup_fleet([], [])["verdict"] == NOT_RESTORABLE
