"""The report: proven only when everything was, and one line for every step whatever came of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_ob_provider.report import DRY_RUN, NOT_PROVEN, PROVEN, cluster_report, fleet_report

NOW = "2026-11-23 10:00:00.000000+08:00"
WHOLE = {"cluster": 3}
OTHER = {"cluster": 2}
PROOF = {"round": 3, "rounds": WHOLE, "states": ["DOING"], "started": NOW, "checkpoint": NOW, "after": NOW,
         "read_at": NOW, "out_of_scope": []}  # fmt: skip
RESULTS: dict[str, Any] = {
    "prerequisites": {
        "passed": True,
        "findings": [
            {"check": "version", "level": "OK", "observed": "3.2.4", "expected": "", "hint": ""},
            {"check": "clocks", "level": "WARN", "observed": "900 ms", "expected": "", "hint": "Repair NTP"},
        ],
        "identity": {"version": "3.2.4.3", "cluster": "obcluster"},
    },
    "destination": {"changed": True, "statements": ["SET dest"], "before": {"cluster": "not set"},
                    "after": {"cluster": "file:///x"}, "tenants": [], "failed": {}},
    "option": {"changed": False, "statements": [], "before": {"cluster": "optional"}, "after": {"cluster": "optional"},
               "tenants": [], "failed": {}},
    "freeze": {"changed": True, "statements": ["FREEZE"], "completed": True, "merges": 3},
    "start": {"changed": True, "statements": ["ARCHIVELOG"], "round": 3, "rounds": WHOLE, "state": "BEGINNING",
              "states": {"sys": "BEGINNING"}, "running": True, "started": NOW, "tenants": [], "failed": {},
              "out_of_scope": []},
    "doing": {"round": 3, "rounds": WHOLE, "states": ["DOING"], "started": NOW, "checkpoint": NOW, "read_at": NOW,
              "tenants_doing": 2},
    "pieces": {"round": 3, "rounds": WHOLE, "tenants": 2, "pieces": 3, "cleaned": 0, "read_at": NOW,
               "newest": [{"tenant": "a", "status": "ACTIVE", "file_status": "AVAILABLE"}]},
    "checkpoint": PROOF,
}  # fmt: skip


def state(word: str = "DOING", round_id: int = 3) -> dict[str, Any]:
    """As :func:`~airflow_ob_provider.operators.archivelog.present_state` tells it of a cluster."""
    return {
        "state": word,
        "states": {"sys": word},
        "round": round_id,
        "rounds": {"cluster": round_id},
        "checkpoints": {"sys": NOW},
        "remarks": {},
    }


STATE = state()


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
        "tenants": "2",
        "round": 3,
        "state": "DOING",
        "started": NOW,
        "checkpoint": NOW,
    }
    assert made["tenants"] == []
    assert made["asset_extra"] == {
        "round": 3,
        "rounds": {"cluster": 3},
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
        "Sent and seen to take effect: `SET dest`; `FREEZE`; `ARCHIVELOG`",
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
        {"checkpoint": {**PROOF, "rounds": {"cluster": 4}}},
        {"checkpoint": {**PROOF, "rounds": {}}},
        {"checkpoint": {name: value for name, value in PROOF.items() if name != "rounds"}},
        {"pieces": {**RESULTS["pieces"], "rounds": OTHER}},
        {"doing": {**RESULTS["doing"], "rounds": OTHER}},
        {name: {**RESULTS[name], "rounds": {}} for name in ("doing", "pieces", "checkpoint")},
        {"option": {**RESULTS["option"], "failed": {"cluster": "cluster: refused"}}},
        {"doing": {**RESULTS["doing"], "tenants_doing": 0}},
        {"start": None},
        {"start": {**RESULTS["start"], "running": False}},
        {"prerequisites": None},
        {"prerequisites": {**RESULTS["prerequisites"], "passed": False}},
        {"now": None},
        {"now": state("INTERRUPTED")},
        {"now": state(round_id=4)},
        {"now": {**state(), "states": {}}},
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
    assert "Sent and seen to take effect: nothing that writes" in made["markdown"]
    assert "A task that failed without a result may have sent more" in made["markdown"]
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
                      "rounds": OTHER, "running": False},
        },
        state("STOP", 2),
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


def test_a_task_that_failed_tells_why() -> None:
    refused = {**RESULTS["destination"], "changed": False, "failed": {"cluster": "cluster: it can be set only in STOP"}}
    made = report(destination=refused)
    assert made["verdict"] == NOT_PROVEN
    assert made["steps"]["destination"] == "left as it was: file:///x; FAILED for cluster"
    assert "* destination failed. cluster: it can be set only in STOP" in made["markdown"]


# --- tenant by tenant -------------------------------------------------------------------------------------------------

ROUNDS = {"shop": 7, "bank": 2}
NEWS: dict[str, Any] = {
    "state": "DOING",
    "states": {"shop": "DOING", "bank": "DOING"},
    "round": 7,
    "rounds": ROUNDS,
    "checkpoints": {"shop": NOW, "bank": NOW},
    "remarks": {},
}


def tenants_report(now: dict[str, Any] | None = NEWS, **changes: Any) -> dict[str, Any]:
    whole = {name: {**result} for name, result in RESULTS.items()}
    for name in ("start", "doing", "pieces", "checkpoint"):
        whole[name] |= {"round": 7, "rounds": ROUNDS}
    for name in ("destination", "option", "start"):
        whole[name]["tenants"] = ["shop", "bank"]
    whole["destination"]["after"] = {"shop": "file:///x/shop", "bank": "file:///x/bank"}
    whole["option"]["after"] = {"shop": "Optional", "bank": "Optional"}
    for name, change in changes.items():
        whole[name] |= change
    return report(now=now, **whole)


def verdicts_of(made: dict[str, Any]) -> dict[str, str]:
    return {line["tenant"]: line["verdict"] for line in made["tenants"]}


def test_all_tenants_proven() -> None:
    made = tenants_report()
    assert made["verdict"] == PROVEN
    assert verdicts_of(made) == {"bank": PROVEN, "shop": PROVEN}
    assert made["tenants"][0] == {
        "tenant": "bank", "verdict": PROVEN, "state": "DOING", "round": 2, "checkpoint": NOW, "reason": ""
    }  # fmt: skip
    assert (made["row"]["tenants"], made["row"]["round"]) == ("2 of 2", "2 to 7")
    assert made["asset_extra"]["rounds"] == ROUNDS
    assert made["steps"]["destination"] == "changed: shop file:///x/shop; bank file:///x/bank"
    assert made["steps"]["start"] == "changed: BEGINNING, round 2 to 7"
    assert "At the time of this report: DOING, round 2 to 7." in made["markdown"]
    assert "| bank" in made["markdown"]


@pytest.mark.parametrize(
    ("now", "changes", "bank", "reason"),
    [
        ({}, {"option": {"failed": {"bank": "bank: refused"}}}, NOT_PROVEN, "option: bank: refused"),
        (
            {"states": {"shop": "DOING", "bank": "INTERRUPTED"}},
            {},
            NOT_PROVEN,
            "was proven in round 2, and has left it since",
        ),
        (
            {"states": {"shop": "DOING", "bank": "INTERRUPTED"}, "remarks": {"bank": "log was recycled"}},
            {},
            NOT_PROVEN,
            "log was recycled",
        ),
        ({"rounds": {"shop": 7, "bank": 3}}, {}, NOT_PROVEN, "was proven in round 2, and has left it since"),
        (
            {"states": {"shop": "DOING"}, "rounds": {"shop": 7}},
            {},
            NOT_PROVEN,
            "was proven in round 2, and has left it since",
        ),
        ({}, {"checkpoint": {"rounds": {"shop": 7, "bank": 3}}}, NOT_PROVEN,
         "its round changed during this run: 2, then 2, then 3"),
        ({}, {name: {"rounds": {"shop": 7}} for name in ("doing", "pieces", "checkpoint")}, NOT_PROVEN,
         "in no proof of this run"),
    ],
)  # fmt: skip
def test_one_tenant_that_is_not_proven(now: dict[str, Any], changes: dict[str, Any], bank: str, reason: str) -> None:
    made = tenants_report({**NEWS, **now}, **changes)
    assert made["verdict"] == NOT_PROVEN
    assert verdicts_of(made) == {"bank": bank, "shop": PROVEN}
    first = made["tenants"][0]
    assert (first["tenant"], first["reason"]) == ("bank", reason), "what needs a look comes first"
    assert made["row"]["tenants"] == "1 of 2"
    assert "Proven by the server" not in made["markdown"]


@pytest.mark.parametrize("step", ["doing", "pieces", "checkpoint"])
def test_a_tenant_that_one_step_has_not_seen_is_not_proven_and_hides_no_other(step: str) -> None:
    made = tenants_report(**{step: {"rounds": {"shop": 7}}})
    assert made["verdict"] == NOT_PROVEN
    assert verdicts_of(made) == {"bank": NOT_PROVEN, "shop": PROVEN}


@pytest.mark.parametrize("step", ["doing", "pieces", "checkpoint"])
def test_a_step_that_failed_tells_why(step: str) -> None:
    results = {"bank": "bank INTERRUPTED", "shop": "shop too"}
    made = tenants_report(**{step: {"rounds": {}, "states": [], "checkpoint": "", "failed": results}})
    assert made["verdict"] == NOT_PROVEN
    assert {row["tenant"]: row["reason"] for row in made["tenants"]} == {
        "bank": f"{step}: bank INTERRUPTED",
        "shop": f"{step}: shop too",
    }


def test_a_tenant_that_has_failed_is_not_called_left_out() -> None:
    made = tenants_report(option={"failed": {"gone": "gone: refused"}}, start={"out_of_scope": ["gone", "other"]})
    assert "not asked for or not NORMAL: other." in made["markdown"]
    assert made["row"]["tenants"] == "2 of 3, 1 left out"


def test_a_failure_of_a_tenant_is_told_once() -> None:
    failed = {"failed": {"bank": "bank: no such place"}}
    made = tenants_report(destination=failed, start=failed)
    assert made["steps"]["destination"].endswith("; FAILED for bank")
    assert [line["reason"] for line in made["tenants"] if line["tenant"] == "bank"] == [
        "destination: bank: no such place"
    ]


def test_tenants_left_out_are_named() -> None:
    made = tenants_report(start={"out_of_scope": ["gone", *(f"t{number}" for number in range(9))]})
    assert made["verdict"] == PROVEN
    assert "Not archived by this run, because not asked for or not NORMAL: gone, t0, t1, t2" in made["markdown"]


def test_many_tenants_are_not_all_shown() -> None:
    rounds = {f"t{number:04}": 1 for number in range(60)}
    start = {"rounds": rounds, "tenants": list(rounds)}
    now = {**NEWS, "rounds": rounds, "states": dict.fromkeys(rounds, "DOING")}
    now["states"]["t0059"] = "STOP"
    made = tenants_report(now, start=start, **{name: {"rounds": rounds} for name in ("doing", "pieces", "checkpoint")})
    assert made["tenants"][0]["tenant"] == "t0059"
    assert len(made["tenants"]) == 60
    assert "and 10 more, 10 of them proven" in made["markdown"]
    assert made["row"]["tenants"] == "59 of 60"


def test_a_state_that_cannot_be_read_proves_no_tenant() -> None:
    made = tenants_report(None)
    assert (made["verdict"], made["tenants"], made["row"]["state"]) == (NOT_PROVEN, [], "unknown")


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
