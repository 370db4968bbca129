"""Whole runs of the template DAG on one cluster: what is written, what is proven, what the run ends as."""

from __future__ import annotations

import threading
import time

import pytest

from .conftest import DEST, sent

SET_DEST = f"ALTER SYSTEM SET backup_dest = '{DEST}'"
SET_ZSTD = "ALTER SYSTEM SET backup_log_archive_option = 'optional compression= zstd_1.3.8'"
FREEZE = "ALTER SYSTEM MINOR FREEZE"
START = "ALTER SYSTEM ARCHIVELOG"
STOP = "ALTER SYSTEM NOARCHIVELOG"

STEPS = ("prerequisites", "destination", "option", "start", "verify.doing", "verify.pieces", "verify.checkpoint")


@pytest.mark.parametrize("profile", ["2.2.77", "3.1.2", "3.1.5", "3.2.4"])
def test_first_run_proves_and_the_second_writes_nothing(profile, new_cluster, run_dag):
    box = new_cluster(profile=profile)

    first = run_dag(destination=DEST, compression="zstd_1.3.8")

    assert first.state == "success"
    assert sent(box.writes) == [SET_DEST, SET_ZSTD, FREEZE, START]
    assert {step: first.state_of(f"cluster.{step}") for step in STEPS} == dict.fromkeys(STEPS, "success")
    report = first.report_of()
    assert report["verdict"] == "proven"
    assert report["statements"] == [SET_DEST, SET_ZSTD, FREEZE, START]
    proof = first.result_of("cluster.verify.checkpoint")
    assert proof["states"] == ["DOING"]
    assert proof["checkpoint"] >= proof["after"]
    assert [(row["connection"], row["verdict"], row["round"]) for row in first.fleet["clusters"]] == [
        ("oceanbase_default", "proven", 1)
    ]
    (event,) = first.asset_events
    assert event[0] == "oceanbase://oceanbase_default/log-archive"
    assert event[1]["round"] == 1
    assert event[1]["started"] == proof["started"]
    assert event[1]["checkpoint"] == proof["checkpoint"]

    box.clear_statements()
    second = run_dag(destination=DEST, compression="zstd_1.3.8")

    assert second.state == "success"
    assert sent(box.writes) == []
    assert second.report_of()["verdict"] == "proven"
    assert second.report_of()["statements"] == []
    assert second.state_of("cluster.freeze.minor_freeze") == "skipped"
    assert second.result_of("cluster.start") | {"changed": False, "round": 1} == second.result_of("cluster.start")
    # Proven anew: a later moment than the first run's.
    assert second.result_of("cluster.verify.checkpoint")["after"] > proof["after"]
    assert all(tries <= 1 for tries in (*first.tries.values(), *second.tries.values()))


def test_a_release_without_log_backup_is_refused(new_cluster, run_dag):
    box = new_cluster(profile="3.1.0")

    done = run_dag(destination=DEST, compression="zstd_1.3.8")

    assert done.state == "failed"
    assert sent(box.writes) == []
    assert done.state_of("cluster.prerequisites") == "failed"
    assert done.tries["cluster.prerequisites", 0] == 1, "no retry helps"
    assert done.state_of("cluster.destination") == done.state_of("cluster.start") == "upstream_failed"
    failed = [one for one in done.result_of("cluster.prerequisites")["findings"] if one["level"] == "FAIL"]
    assert [one["check"] for one in failed] == ["version"]
    assert "3.1.2 or later" in done.report_of()["markdown"]
    assert done.asset_events == []


def test_a_step_that_fails_still_gives_a_report_and_a_red_run(new_cluster, run_dag):
    box = new_cluster()
    box.faults.dest_io_error = True

    done = run_dag(destination=DEST, compression="zstd_1.3.8")

    assert done.state == "failed"
    assert done.state_of("cluster.destination") == "failed"
    assert set(sent(box.writes)) == {SET_DEST}
    assert [done.state_of(f"cluster.{step}") for step in STEPS[2:]] == ["upstream_failed"] * 5
    report = done.report_of()
    assert report["verdict"] == "NOT PROVEN"
    assert report["steps"]["prerequisites"].endswith("OK")
    assert report["row"]["version"] == "3.2.4.3"
    assert done.state_of("cluster.summary") == done.state_of("report") == "failed"
    assert done.fleet["verdict"] == "NOT PROVEN"
    assert done.asset_events == []


def test_a_step_that_fails_once_is_tried_again_and_writes_once(new_cluster, run_dag):
    box = new_cluster()
    # The connection is lost in the middle of the start, after the server has taken it.
    box.faults.drop_after = {"pattern": "SYSTEM ARCHIVELOG", "count": 1}
    box.faults.drop_before = {"pattern": "SET backup_dest ", "count": 1}

    done = run_dag(destination=DEST)

    assert done.state == "success"
    assert [(sql, one.outcome) for sql, one in zip(sent(box.writes), box.writes, strict=True)] == [
        (SET_DEST, "LOST"),
        (SET_DEST, "OK"),
        (FREEZE, "OK"),
        (START, "LOST"),
    ]
    assert done.tries["cluster.destination", 0] == 2
    assert done.tries["cluster.start", 0] == 1


def test_the_minor_freeze_can_be_left_out(new_cluster, run_dag):
    box = new_cluster()

    done = run_dag(destination=DEST, minor_freeze="no")

    assert done.state == "success"
    assert sent(box.writes) == [SET_DEST, START]
    assert done.state_of("cluster.freeze.needed") == done.state_of("cluster.freeze.minor_freeze") == "skipped"
    assert done.report_of()["verdict"] == "proven"


def test_an_interrupted_round_is_replaced_only_if_the_form_says_so(new_cluster, run_dag):
    box = new_cluster()
    box.parameters["backup_dest"] = DEST
    box.force_status("INTERRUPTED")

    kept = run_dag()

    assert kept.state == "failed"
    assert sent(box.writes) == []
    assert kept.state_of("cluster.prerequisites") == "failed"
    assert "INTERRUPTED" in kept.report_of()["markdown"]
    assert kept.asset_events == []

    replaced = run_dag(restart_interrupted=True)

    assert replaced.state == "success"
    assert sent(box.writes) == [FREEZE, STOP, START]
    assert replaced.result_of("cluster.start")["round"] == 2
    assert replaced.report_of()["row"]["round"] == 2
    assert [extra["round"] for _, extra in replaced.asset_events] == [2]


def test_a_round_that_is_stopping_is_waited_for(new_cluster, run_dag):
    box = new_cluster()
    box.parameters["backup_dest"] = DEST
    box.faults.destination_unwritable = True  # holds the round in STOPPING
    box.force_status("STOPPING")
    polled = threading.Event()

    def heal() -> None:
        """Once the start has looked, let the stop end."""
        while not polled.wait(0.02):
            if any("task=cluster.start" in one.sql and "CDB_OB_BACKUP_ARCHIVELOG" in one.sql for one in box.statements):
                time.sleep(0.5)
                box.faults.destination_unwritable = False
                return

    healer = threading.Thread(target=heal)
    healer.start()
    try:
        done = run_dag()
    finally:
        polled.set()
        healer.join()

    assert done.state == "success"
    assert sent(box.writes) == [FREEZE, START]
    assert done.result_of("cluster.start")["round"] == 2
    assert done.report_of()["verdict"] == "proven"
