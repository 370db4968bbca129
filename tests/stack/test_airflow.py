"""A real Airflow: scheduler, dag processor, triggerer, API server and workers, some of which are killed.

The tests stay in one file, because they share one Airflow, and in this order: the triggerer is killed when the others
have seen it at work, and what Airflow has stored is searched when it has stored everything.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from airflow_ob_provider.oceanbase import waits
from airflow_ob_provider.sandbox import Sandbox
from demo.processes import wait_until
from tests.recorded import sent

from .canaries import files_with, in_clear, rows_of
from .conftest import ACCESS_ID, ACCESS_KEY, CANARY, ID_CANARY, Scene, Stack, polls, status_of
from .processes import hold

MANY_INTERVAL = 2.0
HOLD = 11 * MANY_INTERVAL


def wait_for_quiet(scene: Scene, seconds: float) -> None:
    """Wait until nobody has asked the cluster for so long."""
    seen, since = len(scene.box.statements), time.monotonic()

    def quiet() -> bool:
        nonlocal seen, since
        if (now := len(scene.box.statements)) != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > seconds

    wait_until(quiet, "nobody polls any more", 60)


def test_the_template_proves_both_generations_at_once(template: Scene) -> None:
    assert template.run.wait() == "success", template.run.story()
    report = template.run.result("report")
    assert {row["connection"]: row["verdict"] for row in report["clusters"]} == {"v3": "proven", "v4": "proven"}
    v3, v4 = (sent(template.boxes[name].writes) for name in ("v3", "v4"))
    keys = f"host=oss.example.com&access_id={ACCESS_ID}&access_key={ACCESS_KEY}"
    assert f"ALTER SYSTEM SET backup_dest = 'oss://bucket/ob?{keys}'" in v3
    assert v3.count("ALTER SYSTEM ARCHIVELOG") == 1
    assert f"'LOCATION=oss://bucket/ob?{keys}" in v4[0]
    assert v4[1:] == ["ALTER SYSTEM ARCHIVELOG TENANT = 'tenant1'"]
    events = template.run.rest.get("assets/events", source_run_id=template.run.run_id)["asset_events"]
    assert len(events) == 2


def test_tasks_show_their_sql_and_lead_to_the_report(template: Scene) -> None:
    """Also those that have waited in the triggerer, and gone on in another process."""
    assert template.run.wait() == "success", template.run.story()
    masked = "ALTER SYSTEM SET backup_dest = 'oss://bucket/ob?host=oss.example.com&access_id=***&access_key=***';"
    of_v3 = {
        "cluster.destination": masked,
        "cluster.freeze.minor_freeze": "ALTER SYSTEM MINOR FREEZE;",
        "cluster.start": "ALTER SYSTEM ARCHIVELOG;",
    }
    assert {task: template.run.rendered(task, 0)["sql_plan"] for task in of_v3} == of_v3
    links = template.run.links("cluster.freeze.minor_freeze", 0)
    assert links["OCP"] is None, "the connection names none"
    assert str(links["Report of this run"]).endswith("/tasks/report")


def test_the_check_runs_on_schedule_and_turns_red_when_the_archive_breaks(stack: Stack, checked: Sandbox) -> None:
    run = stack.rest.scheduled("ob_archive_compliance")
    assert run.wait() == "success", (run.states(), run.result("cluster.check", 0)["summary"])
    ((uri, extra),) = run.asset_events().items()
    assert (uri, extra["verdict"]) == ("oceanbase://oceanbase_default/log-archive/compliant", "OK")
    page = run.links("cluster.check", 0)["Compliance report"]
    folder = stack.processes.home / "oceanbase-reports" / "oceanbase_default"
    written = Path(run.result("cluster.check", 0)["files"]["en.html"].removeprefix("file://"))
    assert written.parent == folder / "reports"
    assert written.exists()
    inner = f"/oceanbase/clusters/oceanbase_default/reports/{written.name.partition('.')[0]}"
    assert page == f"{stack.processes.url}/plugin/oceanbase-log-backup{inner}"
    assert "OK" in stack.rest.page(inner)
    alerts = [row for table, row in rows_of(stack.processes.database) if table == "deadline_alert"]
    assert len([row for row in alerts if "LogBackupAlarmNotifier" in row["callback_def"]]) == 2, "late has one, too"

    checked.interrupt("tenant1")
    checked.advance(600)
    run = stack.rest.trigger("ob_archive_compliance")
    assert run.wait() == "failed"
    assert run.states()["cluster.check[0]"] == "success"
    assert run.states()["cluster.verdict[0]"] == "failed"
    ((uri, extra),) = run.asset_events().items()
    assert (uri, extra["verdict"]) == ("oceanbase://oceanbase_default/log-archive/violated", "FAIL")
    assert "alarm: log backup " in run.log("cluster.verdict", map_index=0)
    assert json.loads((folder / "latest.json").read_text(encoding="utf-8"))["lag_history"]["checks"] == 2
    assert checked.writes == ()


def test_a_worker_killed_after_archivelog_does_not_repeat_it(killed_worker: Scene) -> None:
    assert killed_worker.run.wait() == "success", killed_worker.run.story()
    (task,) = killed_worker.run.tasks("start")
    assert task["try_number"] == 2
    assert killed_worker.run.result("start")["running"]
    assert sent(killed_worker.box.writes) == ["ALTER SYSTEM ARCHIVELOG"]


def test_a_wait_marked_as_failed_leaves_the_archive_alone(stack: Stack, marked: Scene) -> None:
    marked.run.wait_for_tasks("deferred", "start", "doing")
    wait_until(lambda: len(polls(marked.box)) > 3, "both are polled for", 60)
    marked.run.mark("doing", "failed")
    marked.run.mark("start", "failed")
    assert marked.run.wait() == "failed"
    wait_for_quiet(marked, 4)
    # What the start has waited for comes now, and nobody is there to go on.
    marked.box.faults.reset()
    wait_until(lambda: status_of(marked.box) == "STOP", "log backup has stopped", 60)
    hold(3)
    assert marked.run.states() == {"start": "failed", "doing": "failed"}
    assert marked.box.writes == ()
    assert status_of(marked.box) == "STOP"


def test_a_wait_past_its_timeout_says_for_what(late: Scene) -> None:
    assert late.run.wait() == "failed"
    expected = {"start": "failed", "doing": "failed", "soft": "skipped"}
    assert late.run.states() == expected, late.run.story()
    assert {task["try_number"] for task in late.run.tasks()} == {1}, f"a retry waits as long again\n{late.run.story()}"
    assert "doing: not within 3 s: 2 of 3 are DOING; sys STOPPING (round 1)" in late.run.log("doing")
    assert "start: still waiting after 3 s" in late.run.log("start")
    assert "Now log backup is sys STOPPING (round 1)" in late.run.log("start")
    assert late.box.writes == ()


def test_a_missed_deadline_is_told_by_the_triggerer(stack: Stack, late: Scene) -> None:
    text = f"告警：OceanBase 日志备份合规检查未完成，DAG late，运行 {late.run.run_id}：在产生报告前失败或未按时结束"
    wait_until(lambda: text in stack.processes.output("triggerer"), "the alarm is in the triggerer's log", 60)


def test_waits_of_another_release_end_as_they_would_have(yesterday: Scene) -> None:
    assert yesterday.run.wait() == "success", yesterday.run.story()
    results = [yesterday.run.result("wait", task["map_index"]) for task in yesterday.run.tasks("wait")]
    assert len(results) == len(waits._KINDS)
    assert {one["row"]: one["event"]["status"] for one in results} == {one["row"]: "ready" for one in results}
    assert [box.writes for box in yesterday.boxes.values()] == [(), (), ()]


def test_fifty_waits_make_the_polls_of_one_and_hold_no_worker(stack: Stack, many: Scene) -> None:
    many.run.wait_for_tasks("deferred", "doing")
    assert len(many.run.tasks("doing")) == 50
    wait_until(lambda: stack.rest.pool()["occupied_slots"] == 0, "no worker is busy", 120)
    hold(HOLD)

    assert stack.processes.busy_workers() == []
    pool = stack.rest.pool()
    assert pool["occupied_slots"] == 0
    assert pool["deferred_slots"] >= 50
    assert {task["state"] for task in many.run.tasks("doing")} == {"deferred"}
    made = [one for one in polls(many.box) if "CDB_OB_BACKUP_ARCHIVELOG" in one.sql]
    waited = (made[-1].at - made[0].at).total_seconds()
    told = f"{len(made)} polls in {waited:.0f} s"
    assert len(made) <= waited / MANY_INTERVAL + 5, told
    assert len(made) >= HOLD / MANY_INTERVAL / 2, told
    assert len({one.connection_id for one in made}) == 1


def test_the_rows_of_waits_hold_no_secret(stack: Stack, many: Scene, all_waits: Scene) -> None:
    all_waits.run.wait_for_tasks("deferred", "freeze", "start", "doing", "pieces", "stop", "checkpoint")
    rows = [
        row
        for table, row in rows_of(stack.processes.database)
        if table == "trigger" and "OceanBase" in row["classpath"]
    ]
    clear = [in_clear(row, stack.processes.fernet_key)["kwargs"] for row in rows]
    assert len(clear) >= 56
    assert all("oceanbase_conn_id" in text for text in clear)
    assert not [text for text in clear if CANARY in text]


def test_a_killed_triggerer_loses_no_wait_and_repeats_no_statement(stack: Stack, many: Scene, all_waits: Scene) -> None:
    all_waits.run.wait_for_tasks("deferred", "freeze", "start", "doing", "pieces", "stop", "checkpoint")
    boxes = all_waits.boxes | many.boxes
    stack.restart_triggerer(*boxes.values())

    for box in boxes.values():
        box.faults.reset()
    all_waits.boxes["beginning"].force_status("DOING")
    many.box.force_status("DOING")

    assert all_waits.run.wait() == "success", all_waits.run.story()
    assert many.run.wait() == "success", many.run.story()
    assert {name: sent(box.writes) for name, box in boxes.items()} == {
        "stopping": ["ALTER SYSTEM MINOR FREEZE", "ALTER SYSTEM ARCHIVELOG"],
        "beginning": [],
        "hanging": ["ALTER SYSTEM NOARCHIVELOG TENANT = 'tenant1'"],
        "many": [],
    }
    assert all_waits.run.result("start")["statements"] == ["ALTER SYSTEM ARCHIVELOG"]
    assert all_waits.run.result("freeze")["completed"] is True
    proof = all_waits.run.result("checkpoint")
    assert proof["checkpoint"] >= proof["after"]
    assert {task["try_number"] for run in (all_waits.run, many.run) for task in run.tasks()} == {1}


def test_airflow_stores_no_secret(stack: Stack, template: Scene, refused: Scene) -> None:
    template.run.wait()
    assert refused.run.wait() == "failed"
    home = stack.processes.home
    assert "1064" in refused.run.log("destination")
    logs = [path.read_bytes() for path in (home / "logs").rglob("*.log")]
    assert any(b"access_id=***&access_key=***" in log for log in logs)
    tables = {"connection": [], "log": [], "trigger": [], "xcom": [], "rendered_task_instance_fields": []}
    for table, row in rows_of(stack.processes.database):
        tables.setdefault(table, []).append(str(in_clear(row, stack.processes.fernet_key)))
    assert all(rows for table, rows in tables.items() if table != "trigger"), "the right tables are searched"

    def tables_with(word: str) -> set[str]:
        return {table for table, rows in tables.items() if any(word in row for row in rows)}

    # Airflow encrypts the passwords of connections. Logins it keeps in clear, also in the audit log.
    assert tables_with(CANARY) == {"connection"}
    assert files_with(CANARY, home) == []
    assert tables_with(ID_CANARY) == {"connection", "log"}
    assert [row for row in tables["log"] if ID_CANARY in row and "post_connection" not in row] == []
    assert set(files_with(ID_CANARY, home)) <= {"airflow.db", "airflow.db-wal", "airflow.db-shm"}
    assert "airflow.db" in files_with("oss.example.com", home), "the right files are searched"
