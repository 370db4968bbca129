"""The report: proven only when everything was, and one line for every step whatever came of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_ob_provider.report import DRY_RUN, NOT_PROVEN, PROVEN, cluster_report, fleet_report

NOW = "2026-11-23 10:00:00.000000+08:00"
PROOF = {"round": 3, "states": ["DOING"], "started": NOW, "checkpoint": NOW, "after": NOW, "read_at": NOW}
RESULTS: dict[str, Any] = {
    "prerequisites": {
        "passed": True,
        "findings": [
            {"check": "version", "level": "OK", "observed": "3.2.4", "expected": "", "hint": ""},
            {"check": "clocks", "level": "WARN", "observed": "900 ms", "expected": "", "hint": "Repair NTP"},
        ],
        "identity": {"version": "3.2.4.3", "cluster": "obcluster"},
    },
    "destination": {"changed": True, "statements": ["SET dest"], "destination": "file:///x", "destination_option": ""},
    "option": {"changed": False, "statements": [], "before": "optional", "after": "optional"},
    "freeze": {"changed": True, "statements": ["FREEZE"], "completed": True, "merges": 3},
    "start": {"changed": True, "statements": ["ARCHIVELOG"], "round": 3, "state": "BEGINNING", "running": True,
              "started": NOW},
    "doing": {"round": 3, "states": ["DOING"], "started": NOW, "checkpoint": NOW, "read_at": NOW, "tenants_doing": 2},
    "pieces": {"round": 3, "tenants": 2, "pieces": 3, "cleaned": 0, "read_at": NOW,
               "newest": [{"tenant": "a", "status": "ACTIVE", "file_status": "AVAILABLE"}]},
    "checkpoint": PROOF,
}  # fmt: skip


STATE = {"state": "DOING", "round": 3}


def report(dry_run: bool = False, now: dict[str, Any] | None = STATE, **changes: Any) -> dict[str, Any]:
    made = cluster_report("ob1", RESULTS | changes, now, dry_run=dry_run)
    assert json.loads(json.dumps(made)) == made
    return made


def test_proven() -> None:
    made = report()
    assert made["verdict"] == PROVEN
    assert made["statements"] == ["SET dest", "FREEZE", "ARCHIVELOG"]
    assert made["row"] == {
        "connection": "ob1",
        "verdict": PROVEN,
        "version": "3.2.4.3",
        "round": 3,
        "state": "DOING",
        "started": NOW,
        "checkpoint": NOW,
    }
    assert made["asset_extra"] == {
        "round": 3,
        "started": NOW,
        "checkpoint": NOW,
        "cluster": "obcluster",
        "version": "3.2.4.3",
    }
    words = made["markdown"]
    for expected in (
        "## ob1: proven",
        "OceanBase 3.2.4.3, cluster obcluster",
        "1 OK, 1 WARN",
        "changed: file:///x",
        "left as it was: optional",
        "on disk",
        "changed: BEGINNING, round 3",
        "DOING, round 3, 2 user tenants",
        "3 pieces of 2 tenants, newest ACTIVE/AVAILABLE",
        f"everything before {NOW} is archived (checkpoint {NOW})",
        "Repair NTP",
        "Sent by the tasks that succeeded: `SET dest`; `FREEZE`; `ARCHIVELOG`",
        "At the time of this report: DOING, round 3.",
        "Not proven: that the files can be read back",
    ):
        assert expected in words


@pytest.mark.parametrize(
    "changes",
    [
        {"checkpoint": None},
        {"pieces": None},
        {"doing": None},
        {"checkpoint": {**PROOF, "checkpoint": None}},
        {"checkpoint": {**PROOF, "states": ["DOING", "UNKNOWN"]}},
        {"checkpoint": {**PROOF, "states": ["STOP"]}},
        {"checkpoint": {**PROOF, "states": []}},
        {"checkpoint": {**PROOF, "round": 4}},
        {"pieces": {**RESULTS["pieces"], "round": 2}},
        {"doing": {**RESULTS["doing"], "round": 2}},
        {"doing": {**RESULTS["doing"], "tenants_doing": 0}},
        {"start": None},
        {"start": {**RESULTS["start"], "running": False}},
        {"prerequisites": None},
        {"prerequisites": {**RESULTS["prerequisites"], "passed": False}},
        {"now": None},
        {"now": {"state": "INTERRUPTED", "round": 3}},
        {"now": {"state": "DOING", "round": 4}},
    ],
    ids=str,
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_anything_less_is_not_proven(changes: dict[str, Any], dry_run: bool) -> None:
    """Also in a dry run: a round that runs is verified there, too."""
    made = report(dry_run, **changes)
    if dry_run and changes == {"start": {**RESULTS["start"], "running": False}}:
        assert made["verdict"] == DRY_RUN, "nothing runs that could be verified"
    else:
        assert made["verdict"] == NOT_PROVEN
    assert "Proven by the server" not in made["markdown"]


def test_every_step_has_a_line_whatever_happened() -> None:
    made = cluster_report("ob1", {}, None, dry_run=False)
    assert made["verdict"] == NOT_PROVEN
    assert set(made["steps"]) == set(RESULTS)
    assert all(line.startswith("no result") for line in made["steps"].values())
    assert "Sent by the tasks that succeeded: nothing that writes" in made["markdown"]
    assert "A task that failed may have sent more" in made["markdown"]
    assert "the state could not be read" in made["markdown"]
    assert made["row"]["state"] == "unknown"


def test_a_dry_run() -> None:
    made = cluster_report(
        "ob1",
        {
            "prerequisites": RESULTS["prerequisites"],
            "destination": {"changed": False, "dry_run": True, "plan": ["SET dest"]},
            "option": {"changed": False, "dry_run": True, "plan": []},
            "freeze": {"changed": False, "dry_run": True, "plan": ["FREEZE"]},
            "start": {"changed": False, "dry_run": True, "plan": ["ARCHIVELOG"], "state": "STOP", "round": 2,
                      "running": False},
        },
        {"state": "STOP", "round": 2},
        dry_run=True,
    )  # fmt: skip
    assert made["verdict"] == DRY_RUN
    assert made["steps"]["destination"] == "would change"
    assert made["steps"]["option"] == "nothing to change"
    assert made["steps"]["freeze"] == "would freeze"
    assert made["steps"]["start"] == "would change: STOP, round 2"
    assert "Would be sent: `SET dest`; `FREEZE`; `ARCHIVELOG`" in made["markdown"]
    assert (made["row"]["state"], made["row"]["round"]) == ("STOP", 2)
    assert cluster_report("ob1", {}, STATE, dry_run=True)["verdict"] == NOT_PROVEN, "not even the plan came back"


@pytest.mark.parametrize(
    ("completed", "words"), [(True, "on disk"), (False, "not on disk in time"), (None, "frozen, not waited for")]
)
def test_freezes(completed: bool | None, words: str) -> None:
    assert report(freeze={"changed": True, "completed": completed})["steps"]["freeze"].startswith(words)


def test_no_identity_and_no_piece() -> None:
    made = report(
        prerequisites={"passed": False, "identity": None, "findings": RESULTS["prerequisites"]["findings"][:1]},
        pieces={**RESULTS["pieces"], "newest": []},
    )
    assert "OceanBase unknown, cluster unknown" in made["markdown"]
    assert made["steps"]["pieces"].endswith("newest None/None")
    assert "what to do" not in made["markdown"]


# --- all clusters -----------------------------------------------------------------------------------------------------


def row(conn_id: str, verdict: str) -> dict[str, Any]:
    return {"row": {"connection": conn_id, "verdict": verdict, "version": "3.2", "round": 1, "state": "DOING"}}


@pytest.mark.parametrize(
    ("verdicts", "dry_run", "worst"),
    [
        ([PROVEN, PROVEN], False, PROVEN),
        ([PROVEN, NOT_PROVEN], False, NOT_PROVEN),
        ([PROVEN, DRY_RUN], False, NOT_PROVEN),
        ([PROVEN, "a word of a later release"], False, NOT_PROVEN),
        ([PROVEN, "a word of a later release"], True, NOT_PROVEN),
        ([DRY_RUN, PROVEN], True, DRY_RUN),
        ([PROVEN], True, DRY_RUN),
        ([DRY_RUN, NOT_PROVEN], True, NOT_PROVEN),
        ([], False, NOT_PROVEN),
        ([], True, NOT_PROVEN),
    ],
)
def test_the_worst_counts(verdicts: list[str], dry_run: bool, worst: str) -> None:
    names = [f"ob{number}" for number in range(len(verdicts))]
    made = fleet_report(names, [row(*pair) for pair in zip(names, verdicts, strict=True)], dry_run=dry_run)
    assert made["verdict"] == worst
    assert f"{verdicts.count(PROVEN)} of {len(verdicts)} clusters proven" in made["markdown"]


@pytest.mark.parametrize("missing", [[], [None], [row("other", PROVEN)]], ids=["none", "null", "another"])
def test_a_cluster_without_a_report_is_not_proven(missing: list[Any]) -> None:
    made = fleet_report(["ob1", "ob2"], [row("ob1", PROVEN), *missing], dry_run=False)
    assert made["verdict"] == NOT_PROVEN
    assert "no report" in made["markdown"]
    assert {"ob1", "ob2"} <= {line["connection"] for line in made["clusters"]}
    json.dumps(made)
