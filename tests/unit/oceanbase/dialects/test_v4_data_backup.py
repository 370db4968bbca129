"""Data backups of 4.x from rows as the server may show them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_ob_provider.oceanbase.data_backup import BackupKind, BackupRequest, JobState, RunningBackup
from airflow_ob_provider.oceanbase.destination import Destination, WantedDestination
from airflow_ob_provider.oceanbase.dialects.aggregates import kind_of
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

NOW = {"server_time": "2024-04-13 17:00:00.000000", "utc_offset": 28800}
SCN = 1_655_698_988_756_316_789


class Rows:
    """Answers each question with the rows that were put there for it."""

    def __init__(self, *, is_sys: bool = True, **answers: list[dict[str, Any]]) -> None:
        self.is_sys, self.answers = is_sys, answers
        self.asked: list[Statement] = []

    def __call__(self, statement: Statement) -> list[dict[str, Any]]:
        self.asked.append(statement)
        text = statement.text
        if "EXECUTOR_TENANT_ID" in text:
            return self.answers.get("running", [])
        if "MAX(JOB_ID)" in text:
            return self.answers.get("newest", [{"job_id": None}])
        if "j.STATUS AS status" in text:
            return [NOW | row for row in self.answers.get("job", [{}])]
        if "AS kind" in text:
            return self.answers.get("started", [])
        if "has_data_path" in text:
            return [NOW | row for row in self.answers.get("tenants", [{"tenant_id": None}])]
        return [{"tenant_id": 1}] if self.is_sys else []


def backups(number: str = "4.2.5.0", **answers: Any) -> Any:
    rows = Rows(**answers)
    dialect = V4Dialect(OceanBaseVersion.parse(f"OceanBase {number} (r1)"), rows)
    return dialect.data_backups


def asked(found: Any) -> list[str]:
    return [statement.text for statement in found._dialect._query.asked]


def tenant(number: int = 1002, name: str = "shop", **more: Any) -> dict[str, Any]:
    defaults = {"tenant_status": "NORMAL", "archive_status": "DOING", "has_data_path": 1, "jobs": 0, "data_path": None}
    return {"tenant_id": number, "tenant_name": name, **defaults, **more}


# --- readiness --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, ""),
        ({"tenant_status": "TENANT_STATUS_NORMAL"}, ""),
        ({"archive_status": "doing"}, ""),
        ({"tenant_status": "DROPPING"}, "it is DROPPING, and only a NORMAL tenant"),
        ({"tenant_status": "IN RECYCLE BIN"}, "it is IN RECYCLE BIN"),
        ({"tenant_status": None}, "it is of no known status"),
        ({"archive_status": None}, "its log backup is not started"),
        ({"archive_status": "SUSPEND"}, "its log backup is SUSPEND, and a data backup needs DOING (9040)"),
        ({"archive_status": "PAUSED"}, "its log backup is PAUSED, which this release does not know"),
        ({"has_data_path": 0}, "it has no DATA_BACKUP_DEST"),
        ({"has_data_path": None}, "it has no DATA_BACKUP_DEST"),
    ],
)
def test_what_is_in_the_way(more: dict[str, Any], why: str) -> None:
    found = backups(tenants=[tenant(**more), tenant(1004, "bank")], newest=[{"job_id": 8}]).readiness()
    assert [one.name for one in found.candidates] == (["bank"] if why else ["shop", "bank"])
    assert (found.obstacles[0][1] if found.obstacles else "").startswith(why)
    assert (found.newest_job, found.running) == (8, ())
    assert found.read_at.isoformat() == "2024-04-13T17:00:00+08:00"


def test_no_tenant_and_no_job() -> None:
    found = backups().readiness()
    assert (found.candidates, found.obstacles, found.newest_job) == ((), (), 0)
    assert backups(newest=[]).readiness().newest_job == 0


def test_what_runs() -> None:
    def row(number: int, **more: Any) -> dict[str, Any]:
        defaults = {"kind": "FULL", "executors": "1002,1004", "status": "DOING", "plus": "OFF", "description": None}
        return {"job_id": number, **defaults, **more}

    rows = [
        row(1),
        row(2, kind="INC", executors=" 1004 , 77 ", description="x"),
        row(3, status="COMPLETED"),
        row(4, status="FAILED"),
        row(5, status="CANCELED"),
        row(6, status="CANCELING", plus="ON"),
        row(7, status="NEW WORD", kind="D", executors=None),
        row(8, status="INIT", kind="?", executors=b"1002"),
    ]
    found = backups(tenants=[tenant(), tenant(1004, "bank")], running=rows).readiness()
    assert found.running == (
        RunningBackup(1, True, ("shop", "bank"), ""),
        RunningBackup(2, False, ("bank",), "x"),
        RunningBackup(6, True, ("shop", "bank"), "", plus_archivelog=True, is_ending=True),
        RunningBackup(7, True, (), ""),
        RunningBackup(8, None, ("shop",), ""),
    )


@pytest.mark.parametrize("is_sys", [True, False])
def test_only_jobs_from_here_count(is_sys: bool) -> None:
    found = backups(is_sys=is_sys, tenants=[tenant()], started=[{"job_id": 5, "kind": "INC", "description": "d"}])
    assert found.started(4) == (RunningBackup(5, False, (), "d"),)
    found.readiness()
    own, view = ("TENANT_ID = 1", "CDB_OB_BACKUP") if is_sys else ("INITIATOR_JOB_ID = 0", "DBA_OB_BACKUP")
    for text in asked(found)[1:]:
        assert view in text
        if "has_data_path" not in text:
            assert own in text
        assert f"{own} AND JOB_ID > 4" in text or "JOB_ID > 4" not in text


# --- one job ----------------------------------------------------------------------------------------------------------


def head(**more: Any) -> dict[str, Any]:
    defaults = {
        "tenant_id": 1, "tenant_name": "sys", "job_id": 9, "kind": "FULL", "status": "DOING", "result": 0,
        "comment": "", "started": "2024-04-13 16:00:00.000000", "ended": None, "ended_row": 0, "set_id": 0,
        "set_status": None, "file_status": None, "restore_scn": None, "step": None, "tablets": None,
        "tablets_done": None, "blocks": None, "blocks_done": None,
    }  # fmt: skip
    return {**defaults, **more}


def child(number: int = 1002, name: str | None = "shop", **more: Any) -> dict[str, Any]:
    own = {"tenant_id": number, "tenant_name": name, "job_id": 4, "set_id": 6}
    return head(**{**own, **more})


def over(status: str = "COMPLETED", **more: Any) -> dict[str, Any]:
    return {"status": status, "ended": "2024-04-13 16:30:00.5", "ended_row": 1, **more}


GOOD = over(set_status="SUCCESS", file_status="AVAILABLE", restore_scn=SCN)


def test_a_job_that_is_in_no_view() -> None:
    for rows in ([{}], [{"job_id": None, "tenant_id": None}], [child()]):
        found = backups(job=rows).job(9)
        assert (found.state, found.parts, found.is_missing) == (None, (), True)


def test_a_job_under_way() -> None:
    rows = [
        head(),
        child(step="BACKUP_DATA_MINOR", blocks=94, blocks_done=13, tablets=617, tablets_done=600),
        child(1004, "bank", status="INIT", tablets=617, tablets_done=7),
        child(1006, None, kind="x"),
    ]
    found = backups(job=rows).job(9)
    shop, bank, nameless = found.parts
    assert (found.state, found.words, found.ended, found.problem) == (JobState.DOING, "DOING", None, "")
    assert found.started is not None
    assert str(shop) == "shop DOING (BACKUP_DATA_MINOR): 13 of 94 macro blocks"
    assert str(bank) == "bank INIT: 7 of 617 tablets"
    assert str(nameless) == "tenant 1006 DOING"
    assert (shop.set_id, shop.is_full, nameless.is_full, shop.problem) == (6, True, None, "")


def test_a_job_that_has_ended() -> None:
    found = backups(job=[head(**over()), child(**GOOD)]).job(9)
    (shop,) = found.parts
    assert (found.state, shop.is_usable, shop.problem, shop.set_id) == (JobState.COMPLETED, True, "", 6)
    assert found.ended == shop.ended
    assert found.ended is not None
    assert shop.restore_point is not None
    nanoseconds = round(shop.restore_point.timestamp() * 1e6) * 1000
    assert 0 < nanoseconds - SCN <= 1000, "the first microsecond past it"


def test_a_row_in_both_views_has_ended() -> None:
    """While it goes over, each of them may be shown twice."""
    rows = [head(**over()), head(), child(), child(**GOOD)]
    for order in (rows, rows[::-1]):
        found = backups(job=order).job(9)
        assert (found.state, [part.state for part in found.parts]) == (JobState.COMPLETED, [JobState.COMPLETED])


def test_a_whole_that_is_over_before_its_parts() -> None:
    found = backups(job=[head(**over()), child()]).job(9)
    assert found.is_missing
    assert found.state is JobState.COMPLETED


@pytest.mark.parametrize("result", [-4016, 4016, "4016", "-4016"])
@pytest.mark.parametrize("comment", ["(server)ls_id: 1002, result: -4016", "", None])
def test_either_sign_of_result(result: Any, comment: str | None) -> None:
    rows = [head(**over("FAILED", result=result)), child(**over("FAILED", result=result, comment=comment))]
    found = backups(job=rows).job(9)
    (shop,) = found.parts
    assert shop.problem.startswith("[4016] internal error of the server")
    assert ((comment or "ls_id") in shop.problem) is bool(comment)
    assert found.problem.startswith("[4016]")
    assert not shop.is_usable


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (over("FAILED", comment="no reason"), "no reason"),
        (over("FAILED"), ""),
        (over("FAILED", result=-987654), "[987654] not a code this library knows"),
        (over("CANCELED", result=-4072), "it is CANCELED"),
        (over("CANCELED", result=-4072, comment="by root"), "it is CANCELED: by root"),
        ({**GOOD, "comment": "a remark"}, ""),
        ({**GOOD, "result": -4016}, "[4016] internal error"),
        ({**GOOD, "file_status": "BROKEN"}, "its set is SUCCESS/BROKEN"),
        ({**GOOD, "set_status": "DOING"}, "its set is DOING/AVAILABLE"),
        ({**GOOD, "set_status": None, "file_status": None}, "its set is not shown/not shown"),
        ({**GOOD, "file_status": "DELETED"}, "its set is SUCCESS/DELETED"),
        ({**GOOD, "restore_scn": 2**200}, "not a system change number"),
        ({**GOOD, "restore_scn": "soon"}, "not a whole number"),
        (over("FAILED", comment="oss://b?access_id=ab&access_key=cd"), "access_key=***"),
    ],
)
def test_why_there_is_no_set(more: dict[str, Any], problem: str) -> None:
    (shop,) = backups(job=[head(**over(str(more["status"]))), child(**more)]).job(9).parts
    assert problem in shop.problem
    assert bool(problem) is bool(shop.problem)
    assert shop.is_usable is (more["status"] == "COMPLETED" and not problem)


@pytest.mark.parametrize("scn", [None, 0])
def test_a_set_without_a_restore_point_is_not_usable(scn: Any) -> None:
    (shop,) = backups(job=[head(**over()), child(**{**GOOD, "restore_scn": scn})]).job(9).parts
    assert (shop.problem, shop.restore_point, shop.is_usable) == ("", None, False)


@pytest.mark.parametrize("status", ["DONE", "", None])
def test_words_nobody_knows(status: Any) -> None:
    found = backups(job=[head(status=status), child(status=status)]).job(9)
    assert (found.state, found.parts[0].state) == (JobState.UNKNOWN, JobState.UNKNOWN)
    assert found.words == (status or "NULL")
    assert not found.is_missing


def test_times_that_cannot_be_read_are_no_times() -> None:
    found = backups(job=[head(started="x", ended="y", status="COMPLETED"), child(**{**GOOD, "ended": "z"})]).job(9)
    assert (found.started, found.ended, found.parts[0].ended) == (None, None, None)
    assert found.parts[0].is_usable


def test_a_job_of_a_tenants_own() -> None:
    own = {"job_id": 9, "set_id": 2}
    dialect = backups(is_sys=False, job=[child(**own), child(**own, **GOOD)])
    found = dialect.job(9)
    assert (found.state, [str(part) for part in found.parts]) == (JobState.COMPLETED, ["shop COMPLETED"])
    assert "JOB_ID = 9 AND INITIATOR_JOB_ID = 0" in asked(dialect)[-1]
    assert backups(is_sys=False, job=[{}]).job(9).state is None


def test_job_numbers_reach_the_server_as_numbers() -> None:
    for call in (lambda found: found.job("1 OR 1=1"), lambda found: found.started("0; DROP")):
        with pytest.raises(ValueError, match="invalid literal"):
            call(backups())


# --- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_sys", [True, False])
@pytest.mark.parametrize("names", [(), ("shop", "bank")])
@pytest.mark.parametrize("kind", BackupKind)
@pytest.mark.parametrize("plus", [True, False])
def test_the_statement(is_sys: bool, names: tuple[str, ...], kind: BackupKind, plus: bool) -> None:
    request = BackupRequest(kind, plus, "nightly")
    statement = backups(is_sys=is_sys).start(request, names, "abc")
    which = "TENANT = 'shop', 'bank'" if is_sys and names else "DATABASE"
    words = ["ALTER SYSTEM BACKUP", "INCREMENTAL" if kind == "incremental" else "", which]
    words += ["PLUS ARCHIVELOG" if plus else "", "DESCRIPTION = 'nightly [airflow-abc]'"]
    assert statement.text == statement.redacted == " ".join(filter(None, words))
    assert statement.writes
    for errno in (1227, 9036, 9040, 5160):
        assert statement.hint(errno)


@pytest.mark.parametrize(("is_sys", "clause"), [(True, " TENANT = 'shop'"), (False, "")])
def test_the_statement_that_cancels(is_sys: bool, clause: str) -> None:
    found = backups(is_sys=is_sys)
    assert found.cancel(["shop"]).text == f"ALTER SYSTEM CANCEL BACKUP{clause}"
    assert found.cancel([]).text == "ALTER SYSTEM CANCEL BACKUP"


def test_what_a_version_cannot() -> None:
    plus = BackupRequest(plus_archivelog=True)
    with pytest.raises(ValueError, match=r"came with 4\.1"):
        backups("4.0.0.0").check(plus, [])
    backups("4.0.0.0").check(BackupRequest(), [])
    backups("4.1.0.0").check(plus, [])


# --- the destination --------------------------------------------------------------------------------------------------


def plan(wanted: str | None, *rows: dict[str, Any], names: Any = (), **more: Any) -> Any:
    destination = Destination.parse(wanted) if wanted else None
    return backups(tenants=list(rows), **more).plan_destination(WantedDestination(destination), names)


def test_a_destination_is_a_bare_uri() -> None:
    (change,) = plan("file:///d/{tenant}", tenant(log_path="file:///log"))
    (statement,) = change.statements
    assert statement.text == "ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///d/shop' TENANT = 'shop'"
    assert (change.before, change.after) == ("not set", "file:///d/shop")


def test_its_own_place_is_no_change_whoever_else_is_shown_there() -> None:
    (change,) = plan("file:///d", tenant(data_path=" file:///d ", log_path=""))
    assert (change.statements, change.refusal, change.before) == ((), "", "file:///d")


@pytest.mark.parametrize(
    ("wanted", "row", "refusal"),
    [
        ("file:///log", tenant(log_path="file:///log"), "would be shared with log backup of shop (9081)"),
        ("file:///new", tenant(data_path="file:///d", jobs=1), "a data backup of it runs"),
        (None, tenant(data_path=""), "no destination of data backups is set: give one"),
    ],
)
def test_refusals(wanted: str | None, row: dict[str, Any], refusal: str) -> None:
    (change,) = plan(wanted, row)
    assert refusal in change.refusal
    assert change.statements == ()


def test_tenants_that_cannot_have_one() -> None:
    changes = plan("file:///d/{tenant}", tenant(tenant_status="DROPPING"), tenant(1004, "bank"), names=["shop", "no"])
    assert {change.place: change.refusal for change in changes} == dict.fromkeys(
        ("shop", "no"), "no user tenant of that name is NORMAL here"
    )
    assert [change.place for change in plan("file:///d/{tenant}", tenant(tenant_status="DROPPING"))] == []


def test_a_place_that_cannot_be_read_is_shown_without_its_keys() -> None:
    (change,) = plan("file:///d", tenant(data_path="weird://x?access_id=ab1&access_key=cd2"))
    assert change.statements
    assert "cd2" not in change.before
    assert "weird://" in change.before


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind"),
    [("FULL", True), ("D", True), (" full ", True), ("INC", False), ("I", False), ("i", False), ("", None),
     ("INCREMENTAL?", None)],
)  # fmt: skip
def test_kinds(word: str, kind: bool | None) -> None:
    assert kind_of(word) is kind


def test_every_query_is_a_read_without_secrets_but_one() -> None:
    found = backups(tenants=[tenant()])
    found.readiness()
    found.started(0)
    found.job(9)
    assert not any(statement.holds_secrets or statement.writes for statement in found._dialect._query.asked)
    found.plan_destination(WantedDestination(None), ())
    assert found._dialect._query.asked[-1].holds_secrets
    assert all(re.match(r"\s*SELECT ", text) for text in asked(found))
