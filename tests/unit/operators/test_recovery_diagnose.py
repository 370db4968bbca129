"""DiagnoseArchiveOperator over a socket, and its plans followed with the operators that they name, to the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_ob_provider.compliance.store import ReportStore
from airflow_ob_provider.exceptions import ArchiveStateError, OceanBaseTransientError
from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator
from airflow_ob_provider.operators.recovery import DiagnoseArchiveOperator, ForceStopArchiveOperator
from airflow_ob_provider.operators.settings import SetBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sensors.archivelog import ArchiveDoingSensor
from tests.ears import Ears, ears
from tests.unit.operators.harness import Time, clock, drive, ending, make_context
from tests.unit.operators.harness4 import put, sql

__all__ = ["clock", "ears"]

START = datetime.fromisoformat("2026-03-20T12:00:00")
HOUR = timedelta(hours=1)
V3 = ("3.1.2", "3.1.5", "3.2.4")
V4 = ("4.0.0", "4.2.5", "4.3.3")
KEY, ID = "9bQ/zX+secretKey==%41", "LTAI5tExampleId"
AFTER = ["start", "wait_doing", "full_backup", "check"]
NEW = "file:///data/fresh"


@pytest.fixture
def cluster(request: pytest.FixtureRequest, add_connection: Callable[..., str]) -> Iterator[Sandbox]:
    """A build (3.2.4, or the parameter) with a round since yesterday and a full backup in it."""
    profile = getattr(request, "param", "3.2.4")
    with Sandbox(profile, tenants=2, servers=3, manual_clock=True, start_time=START) as box:
        add_connection(box)
        box.history.clear()
        if profile.startswith("3"):
            box.history.round(1, START - 24 * HOUR, destination="file:///data/old")
        else:
            for name in ("tenant1", "tenant2"):
                box.history.round(1, START - 24 * HOUR, tenant=name)
        box.history.backup_set(1, START - 23 * HOUR, START - 22 * HOUR)
        yield box


def builds(*versions: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cluster", versions, indirect=True)


def is_3(box: Sandbox) -> bool:
    return str(box._cluster.build.name).startswith("3")


def diagnose(context: Any = None, **kwargs: Any) -> dict[str, Any]:
    task = DiagnoseArchiveOperator(task_id="diagnose", **kwargs)
    found: dict[str, Any] = task.execute(context or make_context())
    assert json.loads(json.dumps(found)) == found
    return found


def one(found: dict[str, Any], name: str = "") -> dict[str, Any]:
    told: dict[str, Any] = found["tenants"][name or next(iter(found["tenants"]))]
    return told


def break_off(box: Sandbox, comment: str = "", reason: str = "") -> None:
    """The running round broke off some minutes ago."""
    box.history.clear()
    at = START - HOUR / 6
    if is_3(box):
        box.history.round(1, START - 24 * HOUR, status="INTERRUPTED", checkpoint=at, destination="file:///data/old")
    else:
        for name in ("tenant1", "tenant2"):
            broken = name == "tenant1"
            box.history.round(
                1, START - 24 * HOUR, tenant=name, comment=comment if broken else "",
                **({"status": "INTERRUPTED", "checkpoint": at} if broken else {}),  # type: ignore[arg-type]
            )  # fmt: skip
    box.history.backup_set(1, START - 23 * HOUR, START - 22 * HOUR)
    if reason:
        who = {} if is_3(box) else {"tenant_id": 1002}
        box.history.event(at, "log_archive", "archive_interrupted", **who, round_id=1, reason=reason)


# --- what it tells ----------------------------------------------------------------------------------------------------


@builds(*V3, *V4)
def test_a_healthy_cluster_needs_nothing(cluster: Sandbox, clock: Time) -> None:
    found = diagnose()
    assert (found["needs"], found["is_done"], found["unknown"], found["by_step"]) == ([], True, {}, {})
    assert cluster.writes == ()
    names = ["cluster"] if is_3(cluster) else ["tenant1", "tenant2"]
    assert list(found["tenants"]) == names
    told = one(found)
    assert (told["state"], told["class"], told["steps"], told["gap"], told["needs_person"]) == (
        "DOING", "none", [], None, False,
    )  # fmt: skip
    assert found["scope"] == ("cluster" if is_3(cluster) else "tenant")


@builds(*V3, *V4)
@pytest.mark.parametrize(
    ("reason", "cause", "person"), [("LOG_RECYCLE", "recycled", False), ("SEND_ERROR", "destination", True)]
)
def test_a_break_with_a_reason(cluster: Sandbox, clock: Time, reason: str, cause: str, person: bool) -> None:
    break_off(cluster, reason=reason)
    found = diagnose()
    told = one(found)
    assert (told["state"], told["class"], told["classes"], told["needs_person"]) == (
        "INTERRUPTED", cause, [cause], person,
    )  # fmt: skip
    assert any(reason in line for line in told["evidence"])
    assert told["steps"] == ["stop", "wait_stop", *AFTER]
    assert found["needs"] == sorted(told["steps"])
    assert found["by_step"]["stop"] == (["cluster"] if is_3(cluster) else ["tenant1"])
    assert told["gap"]["from"] == "2026-03-20 11:50:00.000000+08:00"
    assert (told["gap"]["to"], told["gap"]["is_new"]) == (None, False)
    assert set(map(tuple, told["gap"]["full_backups"].values())) == {(1,)}
    if not is_3(cluster):
        assert one(found, "tenant2")["steps"] == []
    assert told["runbook"]["zh"]
    assert "| INTERRUPTED" in found["plan_markdown"]["en"]
    assert cluster.writes == ()


@builds("4.2.5", "4.3.3")
def test_logs_that_were_recycled(cluster: Sandbox, clock: Time) -> None:
    break_off(cluster, "log stream 1001 interrupted, result: -9087(observer clog is recycled before archive)")
    told = one(diagnose(), "tenant1")
    assert (told["class"], told["needs_person"]) == ("recycled", False)


@builds(*V3)
def test_a_mount_that_is_missing_from_the_start(cluster: Sandbox, clock: Time) -> None:
    """INTERRUPTED right after the start: what the FAQ says of a destination that is not mounted everywhere."""
    cluster.force_status("STOP")
    sql(cluster, "ALTER SYSTEM ARCHIVELOG")
    cluster.faults.unmounted_servers = {2}
    cluster.advance(60)
    told = one(diagnose())
    assert (told["state"], told["class"], told["needs_person"]) == ("INTERRUPTED", "destination", True)
    assert "mounted on every OBServer" in told["runbook"]["en"]


@builds(*V3)
def test_a_mount_that_is_lost_later_is_not_guessed(cluster: Sandbox, clock: Time) -> None:
    cluster.advance(600)
    cluster.faults.unmounted_servers = {2}
    cluster.advance(120)
    told = one(diagnose())
    assert (told["state"], told["class"], told["needs_person"]) == ("INTERRUPTED", "unknown", True)
    assert any(line.startswith("INTERRUPTED: partition") for line in told["evidence"])


@builds(*V3, *V4)
def test_a_stop_that_is_stuck(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.dead_servers = {2}
    sql(cluster, "ALTER SYSTEM NOARCHIVELOG")
    cluster.advance(300)
    young = one(diagnose())
    assert (young["state"], young["is_stuck"], young["steps"][0]) == ("STOPPING", False, "wait_stop")
    cluster.advance(200)
    told = one(diagnose(stuck_after="400"))
    assert (told["state"], told["is_stuck"], told["class"]) == ("STOPPING", True, "unknown")
    assert told["since"].startswith("2026-03-20 12:0")
    assert any("10.10.10.3" in line or "zone3" in line for line in told["evidence"])
    forces = cluster._cluster.build.name in {"3.1.5", "3.2.4"}
    assert told["steps"] == ["force_stop" if forces else "wait_stop", *AFTER]
    assert told["ends_after"] == (600.0 if cluster._cluster.build.name in {"4.2.5", "4.3.3"} else None)
    assert cluster.writes == ()


@builds("4.2.5", "4.3.3")
def test_suspended_and_stuck_on_the_way(cluster: Sandbox, clock: Time) -> None:
    sql(cluster, "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'DEFER' TENANT = tenant1")
    cluster.advance(120)
    told = one(diagnose(), "tenant1")
    assert (told["state"], told["steps"], told["gap"]) == ("SUSPEND", ["resume", "wait_doing", "check"], None)
    found = diagnose(tenants=["tenant1"])
    assert list(found["tenants"]) == ["tenant1"]
    assert found["by_step"] == {step: ["tenant1"] for step in ("check", "resume", "wait_doing")}
    cluster.faults.dead_medium = {"tenant2"}
    sql(cluster, "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'DEFER' TENANT = tenant2")
    cluster.advance(800)
    told = one(diagnose(), "tenant2")
    assert (told["state"], told["is_stuck"], told["needs_person"]) == ("SUSPENDING", True, True)
    assert told["steps"] == ["resume", "wait_doing", "check"]
    stopped = one(diagnose(stop_suspended=True), "tenant2")
    assert stopped["steps"] == ["stop", "wait_stop", *AFTER]


# --- what it cannot tell ----------------------------------------------------------------------------------------------


@builds("3.1.5", "4.2.5")
def test_nothing_that_can_be_judged_fails(cluster: Sandbox, clock: Time) -> None:
    view = "CDB_OB_BACKUP_ARCHIVELOG" if is_3(cluster) else "CDB_OB_ARCHIVELOG"
    cluster.faults.malformed = {f"{view}.STATUS": "WEIRD"}
    context = make_context()
    end = ending(lambda: diagnose(context))
    assert isinstance(end.error, ArchiveStateError)
    assert end.state == "failed"
    assert "WEIRD" in end.text
    result = context["ti"].xcom["return_value"]
    assert (result["needs"], result["is_done"]) == ([], False)
    assert result["unknown"]


@builds("4.2.5")
def test_a_tenant_that_cannot_be_judged_hides_no_other(cluster: Sandbox, clock: Time) -> None:
    break_off(cluster)
    cluster.set_tenant("tenant2", status="RESTORE")
    found = diagnose(tenants="tenant1, tenant2, nobody")
    assert list(found["unknown"]) == ["tenant2", "nobody"]
    assert "RESTORE" in found["unknown"]["tenant2"]
    assert found["by_step"]["stop"] == ["tenant1"]
    assert found["is_done"] is False
    end = ending(lambda: diagnose(tenants=["nobody"]))
    assert isinstance(end.error, ArchiveStateError)


@builds("4.2.5")
def test_a_cluster_without_tenants(cluster: Sandbox, clock: Time) -> None:
    for name in ("tenant1", "tenant2"):
        cluster.set_tenant(name, status="RESTORE")
    end = ending(diagnose)
    assert isinstance(end.error, ArchiveStateError)
    assert "no NORMAL user tenant" in end.text


@builds("3.1.5", "4.2.5")
def test_a_history_that_cannot_be_read_is_told(cluster: Sandbox, clock: Time) -> None:
    break_off(cluster, reason="LOG_RECYCLE")
    cluster.faults.lost_views = {"__all_rootservice_event_history", "DBA_OB_ROOTSERVICE_EVENT_HISTORY"}
    told = one(diagnose())
    assert (told["class"], told["needs_person"]) == ("unknown", True)
    assert any("cannot be read: [1146]" in line for line in told["evidence"])
    assert told["steps"] == ["stop", "wait_stop", *AFTER]


@builds("3.2.4", "4.2.5")
def test_the_lag_history_of_the_checks_is_told(cluster: Sandbox, clock: Time, tmp_path: Path) -> None:
    break_off(cluster)
    sample = {"checked_at": "2026-03-20T11:40:00+08:00", "verdict": "FAIL", "delay": 1800.0, "tenantName": "tenant1"}
    quiet = {**sample, "checked_at": "2026-03-20T11:00:00+08:00", "delay": None, "tenantName": None}
    ReportStore(str(tmp_path), "oceanbase_default").remember(None, [quiet, sample])
    told = one(diagnose(report_path=str(tmp_path)))
    assert any("at most 30 min late (tenant1" in line for line in told["evidence"])
    assert told["class"] == "unknown", "to be late proves nothing"
    (tmp_path / "oceanbase_default" / "state.json").unlink()
    (tmp_path / "oceanbase_default" / "state.json").mkdir()
    for path in (str(tmp_path), "nowhere://x"):
        assert one(diagnose(report_path=path))["steps"] == told["steps"], "what cannot be read stops nothing"


@builds("4.2.5")
def test_a_user_tenant_judges_itself(cluster: Sandbox, clock: Time, add_connection: Callable[..., str]) -> None:
    break_off(cluster, "log stream 1001 interrupted, result: -9087")
    add_connection(cluster.connection("root", "tenant1"), "own")
    found = diagnose(oceanbase_conn_id="own")
    assert list(found["tenants"]) == ["tenant1"]
    told = one(found)
    assert (told["class"], told["steps"], told["since"]) == ("recycled", ["stop", "wait_stop", *AFTER], None)
    assert any("cannot be read" in line for line in told["evidence"]), "it sees no events"


def test_a_lost_connection_is_tried_again(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.drop_before = ("event_history", 1)
    break_off(cluster)
    end = ending(diagnose)
    assert isinstance(end.error, OceanBaseTransientError)
    assert end.state == "retry"


def test_a_version_without_log_archive(add_connection: Callable[..., str]) -> None:
    with Sandbox("3.1.0", manual_clock=True) as box:
        add_connection(box, "old")
        end = ending(lambda: diagnose(oceanbase_conn_id="old"))
    assert isinstance(end.error, ArchiveStateError)
    assert "3.1.0" in end.text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"language": "de"}, "language"),
        ({"stuck_after": 1}, "stuck_after"),
        ({"waited": -1}, "waited"),
        ({"stop_suspended": "perhaps"}, "stop_suspended"),
        ({"destination": "/data"}, "destination"),
        ({"dry_run": "perhaps"}, "dry_run"),
    ],
)
def test_arguments_are_refused_before_any_sql(cluster: Sandbox, clock: Time, wrong: Any, words: str) -> None:
    end = ending(lambda: diagnose(**wrong))
    assert isinstance(end.error, ValueError)
    assert words in end.text
    assert cluster.statements == ()


def test_a_list_of_tenants_on_3x(cluster: Sandbox, clock: Time) -> None:
    end = ending(lambda: diagnose(tenants=["tenant1"]))
    assert isinstance(end.error, ValueError)
    assert "archives the whole cluster" in end.text


# --- secrets ----------------------------------------------------------------------------------------------------------


@builds("3.2.4", "4.2.5")
def test_nothing_that_is_told_holds_a_key(
    cluster: Sandbox, clock: Time, ears: Ears, add_connection: Callable[..., str]
) -> None:
    uri = f"oss://bucket/d?host=h&access_id={ID}&access_key={KEY}"
    break_off(cluster, f"cannot write {uri}, ret=-9003", reason=f"SEND_ERROR {uri}")
    cluster.history.event(START, "backup_dest", "set_backup_dest", value=uri, result=-9026)
    if is_3(cluster):
        cluster.parameters["backup_dest"] = uri
    add_connection({"conn_type": "generic", "login": ID, "password": KEY, "host": "h"}, "keys")
    context = make_context()
    found = diagnose(context, language="zh")
    moved = diagnose(context, destination="oss://bucket/other", dest_conn_id="keys")
    assert one(found)["class"] == "destination"
    ears.hear(found, moved, json.dumps(context["ti"].xcom))
    heard = ears.heard
    assert "SEND_ERROR" in heard
    for secret in (KEY, ID, "secretKey"):
        assert secret not in heard


@pytest.mark.parametrize(("language", "words"), [("en", "## Recovery of log backup of"), ("zh", "日志备份恢复")])
def test_the_table_is_in_the_log(
    cluster: Sandbox, clock: Time, capsys: pytest.CaptureFixture[str], language: str, words: str
) -> None:
    diagnose(language=language)
    assert words in capsys.readouterr().out


# --- to the end -------------------------------------------------------------------------------------------------------


def full_backup(box: Sandbox, names: list[str] | None) -> None:
    if names is None:
        sql(box, "ALTER SYSTEM BACKUP DATABASE")
    else:
        for name in names:
            sql(
                box,
                f"ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/backup/{name}' TENANT = {name}",
                f"ALTER SYSTEM BACKUP TENANT = {name}",
            )


def follow(box: Sandbox, clock: Time, **options: Any) -> list[str]:
    """The first step of each plan with the operator that is for it, until nothing is left."""
    taken: list[str] = []
    for _ in range(20):
        found = diagnose(**options)
        if found["is_done"]:
            return taken
        places = {step: [n for n in names if n != "cluster"] or None for step, names in found["by_step"].items()}
        step = next(word for word in told_order(found) if word != "check")
        taken.append(step)
        names = places[step]
        context = make_context()
        if step in {"stop", "wait_stop"}:
            if step == "wait_stop":
                box.faults.dead_servers = set()  # somebody has repaired it, where nothing else helps
            drive(StopArchivelogOperator(task_id="stop", tenants=names, confirm=True), context, clock)
        elif step == "force_stop":
            drive(ForceStopArchiveOperator(task_id="force", confirm=True, destination=NEW), context, clock)
        elif step == "set_destination":
            place = options.get("destination", NEW)
            SetBackupDestinationOperator(task_id="destination", tenants=names, destination=place).execute(context)
        elif step in {"start", "resume"}:
            box.faults.dead_servers, box.faults.dead_medium = set(), set()
            drive(StartArchivelogOperator(task_id="start", tenants=names), context, clock)
        elif step == "wait_doing":
            box.faults.dead_servers = set()
            sensor = ArchiveDoingSensor(task_id="doing", tenants=names or (), poke_interval=10, timeout=1800)
            drive(sensor, context, clock)
        elif step == "full_backup":
            full_backup(box, names)
            clock.sleep(1)
        else:
            clock.sleep(60)
    raise AssertionError(f"no end: {taken}, {found['plan_markdown']['en']}")


def told_order(found: dict[str, Any]) -> list[str]:
    return [step for told in found["tenants"].values() for step in told["steps"]]


@builds(*V3, *V4)
def test_from_a_break_to_restorable(cluster: Sandbox, clock: Time) -> None:
    break_off(cluster)
    taken = follow(cluster, clock)
    assert [step for step in taken if step not in {"wait_backup", "wait_checkpoint", "wait_stop", "wait_doing"}] == [
        "stop", "start", "full_backup",
    ]  # fmt: skip
    found = diagnose()
    assert found["needs"] == []
    assert {told["round"] for told in found["tenants"].values()} == ({2} if is_3(cluster) else {1, 2})


@builds(*V3, "4.0.0", "4.2.5")
def test_from_a_stuck_stop_to_restorable(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.dead_servers = {2}
    sql(cluster, "ALTER SYSTEM NOARCHIVELOG")
    cluster.advance(595 if cluster._cluster.build.name == "4.2.5" else 700)
    taken = follow(cluster, clock)
    forces = cluster._cluster.build.name in {"3.1.5", "3.2.4"}
    assert taken[0] == ("force_stop" if forces else "wait_stop")
    assert taken.count("force_stop") == int(forces)
    if forces:
        assert cluster.parameters["backup_dest"] == NEW


@builds("4.2.5")
def test_from_suspended_to_restorable_without_a_hole(cluster: Sandbox, clock: Time) -> None:
    sql(cluster, "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'DEFER' TENANT = tenant1")
    cluster.advance(120)
    assert set(follow(cluster, clock)) <= {"resume", "wait_doing"}
    assert one(diagnose(), "tenant1")["round"] == 1


@builds("3.1.2", "3.2.4", "4.0.0", "4.2.5", "4.3.3")
def test_a_move_to_restorable(cluster: Sandbox, clock: Time) -> None:
    place = NEW if is_3(cluster) else f"{NEW}/{{tenant}}"
    found = diagnose(destination=place)
    told = one(found)
    assert told["steps"] == ["stop", "wait_stop", "set_destination", *AFTER]
    assert told["gap"]["is_new"] is True
    assert f"to {NEW}" in told["reason"]["en"]
    taken = follow(cluster, clock, destination=place)
    assert [step for step in taken if step in {"stop", "set_destination", "full_backup"}] == [
        "stop", "set_destination", "full_backup",
    ]  # fmt: skip
    again = diagnose(destination=place)
    assert (again["needs"], again["is_done"]) == ([], True)
    assert NEW in one(again)["reason"]["en"]


@builds("4.2.5")
def test_a_tenant_without_a_round_is_left_alone(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "NONE", "tenant2")
    found = diagnose()
    assert one(found, "tenant2")["steps"] == []
    assert "start" not in found["by_step"]
