"""Whole runs of the template DAG on 4.x, where each tenant archives by itself."""

from __future__ import annotations

import threading
import time

import pytest

from .conftest import sent

PLACE = "file:///data/nfs/{cluster}/{tenant}"


def set_place(tenant: str, mode: str = "Optional", days: int = 1) -> str:
    return (
        f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/nfs/obcluster/{tenant} BINDING={mode} "
        f"PIECE_SWITCH_INTERVAL={days}d' TENANT = '{tenant}'"
    )


def start(tenant: str) -> str:
    return f"ALTER SYSTEM ARCHIVELOG TENANT = '{tenant}'"


@pytest.mark.parametrize("profile", ["4.0.0", "4.1.0", "4.2.1", "4.2.5", "4.3.3"])
def test_first_run_proves_and_the_second_writes_nothing(profile, new_cluster, run_dag):
    box = new_cluster(profile=profile)

    first = run_dag(destination=PLACE)

    assert first.state == "success"
    assert sent(box.writes) == [set_place("tenant1"), set_place("tenant2"), start("tenant1"), start("tenant2")]
    assert first.state_of("cluster.freeze.minor_freeze") == "skipped", "4.x is not frozen unless asked"
    report = first.report_of()
    assert report["verdict"] == "proven"
    assert [(row["tenant"], row["verdict"], row["state"], row["round"]) for row in report["tenants"]] == [
        ("tenant1", "proven", "DOING", 1),
        ("tenant2", "proven", "DOING", 1),
    ]
    proof = first.result_of("cluster.verify.checkpoint")
    assert proof["rounds"] == {"tenant1": 1, "tenant2": 1}
    assert proof["checkpoint"] >= proof["after"]
    (event,) = first.asset_events
    assert event[1]["rounds"] == {"tenant1": 1, "tenant2": 1}
    assert event[1]["version"].startswith(profile)

    box.clear_statements()
    second = run_dag(destination=PLACE)

    assert second.state == "success"
    assert sent(box.writes) == []
    assert second.report_of()["verdict"] == "proven"
    assert second.result_of("cluster.verify.checkpoint")["after"] > proof["after"]


def test_one_run_over_both_generations_of_which_one_cluster_is_broken(new_cluster, run_dag):
    boxes = {version: new_cluster(f"v{version}", profile=version) for version in ("3.1.5", "3.2.4", "4.2.5")}
    for version in ("3.1.5", "3.2.4"):
        boxes[version].parameters["backup_dest"] = "file:///data/nfs/backup"
    boxes["4.2.5"].force_status("STOP")
    boxes["3.2.4"].force_status("INTERRUPTED")

    done = run_dag(oceanbase_conn_ids=list(f"v{version}" for version in boxes))

    assert done.state == "failed"
    rows = {row["connection"]: row for row in done.fleet["clusters"]}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "v3.1.5": "proven",
        "v3.2.4": "NOT PROVEN",
        "v4.2.5": "proven",
    }
    assert done.fleet["markdown"].startswith("# Log backup: 2 of 3 clusters proven")
    assert (rows["v4.2.5"]["tenants"], rows["v3.1.5"]["tenants"]) == ("2 of 2", "2")
    assert sent(boxes["3.1.5"].writes) == ["ALTER SYSTEM MINOR FREEZE", "ALTER SYSTEM ARCHIVELOG"]
    assert sent(boxes["3.2.4"].writes) == []
    assert sent(boxes["4.2.5"].writes) == [start("tenant1"), start("tenant2")]
    assert "INTERRUPTED" in done.report_of(1)["markdown"]
    assert "take a full data backup" in done.report_of(1)["markdown"]
    assert sorted(uri for uri, _ in done.asset_events) == [
        "oceanbase://v3.1.5/log-archive",
        "oceanbase://v4.2.5/log-archive",
    ]


def test_a_broken_tenant_is_named_and_stops_no_other(new_cluster, run_dag):
    box = new_cluster(profile="4.2.5", tenants=3)
    box.force_status("STOP", tenant="tenant2")
    box.force_status("INTERRUPTED", tenant="tenant1")

    done = run_dag(destination=PLACE)

    assert done.state == "failed"
    report = done.report_of()
    assert report["verdict"] == "NOT PROVEN"
    verdicts = {row["tenant"]: row["verdict"] for row in report["tenants"]}
    assert verdicts == {"tenant1": "NOT PROVEN", "tenant2": "proven", "tenant3": "proven"}
    assert report["tenants"][0]["tenant"] == "tenant1", "what is wrong stands first"
    assert "INTERRUPTED" in report["tenants"][0]["reason"]
    assert "tenant1" not in "".join(sent(box.writes))
    assert start("tenant2") in sent(box.writes)
    assert start("tenant3") in sent(box.writes)
    assert done.asset_events == [], "an event says that every tenant asked for is proven"


def test_only_the_tenants_asked_for(new_cluster, run_dag):
    box = new_cluster(profile="4.2.5", tenants=3)

    done = run_dag(destination=PLACE, tenants=["tenant2"])

    assert done.state == "success"
    assert sent(box.writes) == [set_place("tenant2"), start("tenant2")]
    assert done.result_of("cluster.start")["out_of_scope"] == ["tenant1", "tenant3"]
    report = done.report_of()
    assert report["verdict"] == "proven"
    assert "tenant1, tenant3" in report["markdown"]
    found = {one["check"]: one for one in done.result_of("cluster.prerequisites")["findings"]}
    assert (found["out_of_scope"]["level"], found["out_of_scope"]["observed"]) == ("WARN", "tenant1, tenant3")


def test_a_tenant_that_is_created_later_is_not_called_proven(new_cluster, run_dag):
    box = new_cluster(profile="4.2.1")

    def create() -> None:
        while start("tenant2") not in sent(box.writes):
            time.sleep(0.01)
        box.create_tenant("late")

    creator = threading.Thread(target=create, daemon=True)
    creator.start()
    done = run_dag(destination=PLACE)
    creator.join(timeout=10)

    assert done.state == "failed"
    rows = {row["tenant"]: row for row in done.report_of()["tenants"]}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "late": "NOT PROVEN",
        "tenant1": "proven",
        "tenant2": "proven",
    }
    assert rows["late"]["reason"] == "in no proof of this run"
    box.clear_statements()

    again = run_dag(destination=PLACE)

    assert again.state == "success"
    assert sent(box.writes) == [set_place("late"), start("late")]


def test_a_user_tenant_archives_itself(new_cluster, add_connection, run_dag):
    box = new_cluster(profile="4.2.5")
    add_connection(box.connection("root", "tenant1"), "own")

    done = run_dag(oceanbase_conn_ids=["own"], destination="file:///data/nfs/own")

    assert done.state == "success"
    assert sent(box.writes) == [
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///data/nfs/own BINDING=Optional PIECE_SWITCH_INTERVAL=1d'",
        "ALTER SYSTEM ARCHIVELOG",
    ]
    assert [row["tenant"] for row in done.report_of()["tenants"]] == ["tenant1"]


def test_a_dry_run_shows_every_statement_and_sends_none(new_cluster, run_dag):
    box = new_cluster(profile="4.2.5")

    done = run_dag(destination=PLACE, mode="mandatory", lag_target=60, minor_freeze="yes", dry_run=True)

    assert done.state == "success"
    assert sent(box.writes) == []
    plan = done.report_of()["statements"]
    assert set_place("tenant1") in plan
    assert start("tenant2") in plan
    assert "ALTER SYSTEM MINOR FREEZE TENANT = 'tenant1', 'tenant2'" in plan
    assert done.report_of()["verdict"] == "dry run"


def test_mandatory_mode_and_parameters(new_cluster, run_dag):
    box = new_cluster(profile="4.2.5", tenants=1)

    done = run_dag(
        destination=PLACE,
        piece_switch_interval="2d",
        mode="mandatory",
        mandatory_approved=True,
        lag_target=60,
        concurrency=4,
    )

    assert done.state == "success"
    assert sent(box.writes) == [
        set_place("tenant1", days=2),
        "ALTER SYSTEM SET archive_lag_target = '60s' TENANT = 'tenant1'",
        "ALTER SYSTEM SET log_archive_concurrency = '4' TENANT = 'tenant1'",
        set_place("tenant1", "Mandatory", days=2),
        start("tenant1"),
    ]
    box.clear_statements()

    refused = run_dag(mode="optional")

    assert refused.state == "failed"
    assert sent(box.writes) == [], "the mode is never changed by stopping what runs"
    assert "only without a round or in STOP" in refused.report_of()["markdown"]
    assert refused.tries["cluster.option", 0] == 1, "no retry helps"


@pytest.mark.parametrize(
    ("wish", "reason"),
    [({"compression": "zstd_1.3.8"}, "does not compress"), ({"destination": "file:///data/nfs/one"}, "shared")],
)
def test_what_4x_cannot_do_is_refused_with_the_reason(new_cluster, run_dag, wish, reason):
    box = new_cluster(profile="4.2.5")
    box.force_status("STOP")

    done = run_dag(**wish)

    assert done.state == "failed"
    assert sent(box.writes) == []
    assert reason in done.report_of()["markdown"]


def test_a_tenant_that_fails_during_verification_hides_no_other(new_cluster, run_dag):
    box = new_cluster(profile="4.2.1", tenants=3)
    box.faults.slow_start_tenants = {"tenant2": 1e6}

    done = run_dag(destination=PLACE, doing_timeout=10)

    assert done.state == "failed"
    rows = {row["tenant"]: row for row in done.report_of()["tenants"]}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "tenant1": "proven",
        "tenant2": "NOT PROVEN",
        "tenant3": "proven",
    }
    assert "not within 10 s" in rows["tenant2"]["reason"]
    assert done.state_of("cluster.verify.checkpoint") == "success"
    assert done.asset_events == []
