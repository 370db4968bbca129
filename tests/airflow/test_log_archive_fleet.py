"""One run over several clusters: each goes its own way."""

from __future__ import annotations

from .conftest import DEST, sent


def test_broken_clusters_do_not_hold_up_the_others(new_cluster, add_connection, run_dag):
    first, interrupted, dead, last = (new_cluster(name) for name in ("first", "interrupted", "dead", "last"))
    interrupted.parameters["backup_dest"] = DEST
    interrupted.force_status("INTERRUPTED")
    add_connection(dead.connection() | {"password": "wrong"}, "dead")
    names = ["first", "interrupted", "dead", "last"]

    done = run_dag(oceanbase_conn_ids=names, destination=DEST)

    assert done.state == "failed"
    assert done.state_of("report") == "failed"
    verdicts = {row["connection"]: row["verdict"] for row in done.fleet["clusters"]}
    assert verdicts == {"first": "proven", "interrupted": "NOT PROVEN", "dead": "NOT PROVEN", "last": "proven"}
    assert done.fleet["markdown"].startswith("# Log backup: 2 of 4 clusters proven")
    assert [done.report_of(number)["row"]["connection"] for number in range(4)] == names
    assert [done.state_of("cluster.summary", number) for number in range(4)] == [
        "success",
        "failed",
        "failed",
        "success",
    ]
    assert "1045" in done.report_of(2)["markdown"]
    for healthy in (first, last):
        assert sent(healthy.writes)[-1] == "ALTER SYSTEM ARCHIVELOG"
    assert sent(interrupted.writes) == sent(dead.writes) == []
    assert sorted(uri for uri, _ in done.asset_events) == [
        "oceanbase://first/log-archive",
        "oceanbase://last/log-archive",
    ]


def test_nothing_is_written_where_a_prerequisite_fails(new_cluster, run_dag):
    no_gts, no_tenant, standby = new_cluster("no_gts"), new_cluster("no_tenant", tenants=0), new_cluster("standby")
    no_gts.faults.no_gts_tenants = {"tenant1"}
    standby.faults.standby = True

    done = run_dag(oceanbase_conn_ids=["no_gts", "no_tenant", "standby"], destination=DEST)

    assert done.state == "failed"
    assert [sent(box.writes) for box in (no_gts, no_tenant, standby)] == [[], [], []]
    failed = [
        [one["check"] for one in done.result_of("cluster.prerequisites", number)["findings"] if one["level"] == "FAIL"]
        for number in range(3)
    ]
    assert failed == [["gts"], ["user_tenants"], ["primary_cluster"]]
    assert {row["verdict"] for row in done.fleet["clusters"]} == {"NOT PROVEN"}
    assert done.asset_events == []


def test_a_dry_run_writes_nothing_and_verifies_what_runs(new_cluster, run_dag):
    stopped, running = new_cluster("stopped"), new_cluster("running")
    running.parameters["backup_dest"] = DEST
    running.force_status("DOING")

    done = run_dag(oceanbase_conn_ids=["stopped", "running"], destination=DEST, mode="mandatory", dry_run=True)

    assert done.state == "success"
    assert sent(stopped.writes) == sent(running.writes) == []
    assert done.state_of("approve_mandatory_mode") == "skipped", "nothing is switched, so nobody is asked"
    verify = ("round_runs", "doing", "pieces", "checkpoint")
    assert [done.state_of(f"cluster.verify.{step}", 0) for step in verify] == ["skipped"] * 4
    assert [done.state_of(f"cluster.verify.{step}", 1) for step in verify] == ["success"] * 4
    assert [done.report_of(number)["verdict"] for number in (0, 1)] == ["dry run", "proven"]
    assert done.fleet["verdict"] == "dry run"
    plan = "\n".join(done.report_of(0)["statements"])
    for text in (f"backup_dest = '{DEST}'", "mandatory", "MINOR FREEZE", "ALTER SYSTEM ARCHIVELOG"):
        assert text in plan
    assert done.report_of(1)["steps"]["start"] == "nothing to change: DOING, round 1"
    assert not any("ALTER SYSTEM SET backup_dest" in text for text in done.report_of(1)["statements"])
    assert done.asset_events == [], "an event says that a run has proven it for real"
