"""ArchiveComplianceOperator: what fails, when, and what exists by then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_ob_provider.assets.oceanbase import COMPLIANCE_ALIAS, compliance_asset
from airflow_ob_provider.exceptions import ComplianceError, OceanBaseTransientError
from airflow_ob_provider.oceanbase.compliance.policy import PolicyError
from airflow_ob_provider.oceanbase.models import Level
from airflow_ob_provider.operators.compliance import FAIL_ON, ArchiveComplianceOperator, fail_on_verdict
from airflow_ob_provider.sandbox import Sandbox

from .conftest import CLEAN, context, red

FILES = {"json", "md", "en.html", "zh.html"}
MakeTask = Callable[..., ArchiveComplianceOperator]
LEVELS = ["OK", "WARN", "FAIL", "UNKNOWN"]
FAILING = {
    ("FAIL", "FAIL"),
    ("UNKNOWN", "FAIL"), ("UNKNOWN", "UNKNOWN"),
    ("WARN", "WARN"), ("WARN", "FAIL"), ("WARN", "UNKNOWN"),
}  # fmt: skip
"""``fail_on`` and verdict."""


@pytest.fixture
def brought_to(box: Sandbox, add_connection: Callable[..., str]) -> Callable[[str], dict[str, Any]]:
    """Bring the cluster to a verdict; the policy under which it has it."""

    def bring(verdict: str) -> dict[str, Any]:
        if verdict == "FAIL":
            red(box)
        if verdict == "UNKNOWN":
            add_connection({**box.connection(), "password": "wrong"})
        return {} if verdict == "WARN" else CLEAN  # by default a cluster shall clean up

    return bring


@pytest.mark.parametrize("verdict", LEVELS)
@pytest.mark.parametrize("fail_on", FAIL_ON)
def test_a_task_fails_on_the_verdicts_that_its_word_names(
    brought_to: Callable[[str], dict[str, Any]], task: MakeTask, folder: Path, fail_on: str, verdict: str
) -> None:
    policy = brought_to(verdict)
    given = context()
    check = task(policy=policy, fail_on=fail_on)
    if (fail_on, verdict) in FAILING:
        with pytest.raises(ComplianceError, match="log backup of oceanbase_default: ") as caught:
            check.execute(given)
        assert isinstance(caught.value, AirflowFailException), "a retry would find the same"
        assert f"Report: {folder}/reports/" in str(caught.value)
    else:
        assert check.execute(given)["verdict"] == verdict
    # Whatever the end, everything is there.
    result = given["ti"].xcom["return_value"]
    assert result["verdict"] == verdict
    assert set(result["files"]) == FILES
    assert all(Path(path).stat().st_size > 0 for path in result["files"].values())
    assert {f"latest.{ending}" for ending in FILES} | {"overview.json", "state.json", "reports"} == {
        path.name for path in folder.iterdir()
    }
    assert json.loads((folder / "latest.json").read_text(encoding="utf-8"))["verdict"] == verdict


def test_every_verdict_has_been_tried_with_every_word() -> None:
    assert set(LEVELS) == {*Level} - {Level.NOT_APPLICABLE}
    assert {(word, str(level)) for word, levels in FAIL_ON.items() for level in levels} == FAILING


def test_a_later_task_can_fail_instead() -> None:
    result = {"verdict": "FAIL", "connection": "ob", "summary": {"en": "late."}, "files": {}}
    fail_on_verdict(result, "never")
    with pytest.raises(ComplianceError, match=r"log backup of ob: late\. Report: the task's log"):
        fail_on_verdict(result, "FAIL")
    with pytest.raises(ValueError, match="fail_on must be one of FAIL, UNKNOWN, WARN, never, not 'fail'"):
        fail_on_verdict(result, "fail")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"fail_on": "ERROR"}, ValueError, "fail_on must be one of FAIL, UNKNOWN, WARN, never, not 'ERROR'"),
        ({"fail_on": None}, ValueError, "fail_on must be one of"),
        ({"language": "de"}, ValueError, "language must be en or zh, not 'de'"),
        ({"policy": CLEAN, "policy_file": "/policy.yaml"}, PolicyError, "either policy or policy_file, not both"),
        ({"policy": "defaults: ["}, PolicyError, "policy is not YAML"),
        ({"policy": {"defaults": {"rpo": "soon"}}}, PolicyError, "rpo"),
        ({"policy": "7"}, PolicyError, "policy must be a mapping"),
        ({"policy": None, "policy_file": "/no/such.yaml"}, PolicyError, r"policy_file '/no/such.yaml' cannot be read"),
        ({"policy": None, "policy_file": "/"}, PolicyError, "policy_file '/' cannot be read"),
        ({"policy": None, "policy_file": "no://b/p"}, PolicyError, "policy_file 'no://b/p' cannot be read"),
        ({"policy": None, "policy_file": "s3://b/p"}, PolicyError, "policy_file 's3://b/p' cannot be read.*s3fs"),
        ({"oceanbase_conn_id": "../up"}, ValueError, "oceanbase_conn_id '../up' may hold letters"),
        ({"report_path": "no://b/p"}, ValueError, "report_path 'no://b/p' is no path or URL"),
    ],
)
def test_a_wrong_argument_fails_before_anything_is_sent(
    box: Sandbox, task: MakeTask, tmp_path: Path, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    given = context()
    with pytest.raises(error, match=words):
        task(**arguments).execute(given)
    assert box.statements == ()
    assert given["ti"].xcom == {}
    assert list(tmp_path.iterdir()) == []


def test_a_policy_file_that_is_no_text_is_named(box: Sandbox, task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match=r"p\.yaml' cannot be read"):
        task(policy=None, policy_file=str(tmp_path / "p.yaml")).execute(context())
    assert box.statements == ()


def test_a_policy_file_is_read_when_the_task_runs(box: Sandbox, task: MakeTask, tmp_path: Path, folder: Path) -> None:
    check = task(policy=None, policy_file=f"file://{tmp_path}/p.yaml", fail_on="never")
    (tmp_path / "p.yaml").write_text("cluster: 生产\ndefaults: {cleanup_required: false}\n", encoding="utf-8")
    assert check.execute(context())["verdict"] == "FAIL"
    assert json.loads((folder / "latest.json").read_text(encoding="utf-8"))["policy"]["cluster"] == "生产"


def test_an_error_that_may_pass_is_raised_while_there_are_tries(box: Sandbox, task: MakeTask, tmp_path: Path) -> None:
    box.faults.error_once = {"pattern": "SELECT", "errno": 4012, "message": "timeout", "count": 999}
    given = context(tries_left=1)
    with pytest.raises(OceanBaseTransientError) as caught:
        task().execute(given)
    assert not isinstance(caught.value, AirflowFailException)
    assert given["ti"].xcom == {}
    assert not (tmp_path / "reports").exists()
    given["ti"].try_number = 2
    with pytest.raises(ComplianceError, match="could not be read"):
        task().execute(given)
    assert given["ti"].xcom["return_value"]["verdict"] == "UNKNOWN"


def test_an_error_that_has_passed_leaves_no_trace(box: Sandbox, task: MakeTask) -> None:
    box.faults.error_once = {"pattern": "SELECT", "errno": 4012, "message": "timeout", "count": 1}
    given = context(tries_left=1)
    try:
        task().execute(given)
    except OceanBaseTransientError:
        given["ti"].try_number = 2
        task().execute(given)
    result = given["ti"].xcom["return_value"]
    assert (result["verdict"], result["lag_history"]["checks"]) == ("OK", 1)


def test_a_wrong_password_is_unknown_at_the_first_try(
    box: Sandbox, add_connection: Callable[..., str], task: MakeTask
) -> None:
    add_connection({**box.connection(), "password": "wrong"})
    given = context(tries_left=5)
    with pytest.raises(ComplianceError):
        task().execute(given)
    result = given["ti"].xcom["return_value"]
    assert result["verdict"] == "UNKNOWN"
    assert (result["delay"], result["restorable_until"], result["open_gaps"]) == (None, None, 0)


def test_the_result_tells_what_other_tasks_need(box: Sandbox, task: MakeTask) -> None:
    given = context()
    result = task().execute(given)
    assert result == given["ti"].xcom["return_value"]
    assert result == json.loads(json.dumps(result))
    assert result["connection"] == "oceanbase_default"
    assert 0 <= result["delay"] < 300
    assert result["restorable_until"].startswith(str(box.now.date())[:4])
    assert result["lag_history"].keys() >= {"checks", "percent_green", "worst_delay"}
    report = json.loads(Path(result["files"]["json"]).read_text(encoding="utf-8"))
    assert report["run"] == {"dag_id": "dag", "run_id": "manual__2026-01-01", "task_id": "task", "map_index": -1}
    assert given["ti"].xcom["alarm_en"] == result["alarm"]["en"]
    assert given["ti"].xcom["alarm_zh"] == result["alarm"]["zh"]
    assert result["alarm"]["en"].startswith("cluster: obcluster[1], host: 127.0.0.1:")
    assert result["alarm"]["zh"].startswith("集群：obcluster[1]，主机：127.0.0.1:")


def test_a_connection_without_a_legal_field_has_no_host(add_connection: Callable[..., str], task: MakeTask) -> None:
    add_connection({"conn_type": "oceanbase", "host": "h", "login": "root@sys"}, connect_timeout="soon")
    result = task(fail_on="never").execute(context())
    assert "host: ," in result["alarm"]["en"]
    assert "connect_timeout" in result["summary"]["en"]


@pytest.mark.parametrize("is_red", [False, True])
def test_the_outlet_event_says_compliant_or_violated(box: Sandbox, task: MakeTask, is_red: bool) -> None:
    if is_red:
        red(box)
    given = context()
    result = task(fail_on="never").execute(given)
    (event,) = given["outlet_events"][COMPLIANCE_ALIAS].asset_alias_events
    assert event.dest_asset_key.uri == compliance_asset("oceanbase_default", compliant=not is_red).uri
    assert event.extra == {
        **{name: result[name] for name in ("verdict", "checked_at", "delay", "open_gaps", "restorable_until")},
        "report": result["files"]["json"],
    }


def test_the_report_is_in_the_log_in_the_language_asked_for(
    box: Sandbox, task: MakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    task(language="zh").execute(context())
    assert "# 日志备份合规报告 · obcluster：正常" in capsys.readouterr().out


def test_nothing_is_written_to_the_server(box: Sandbox, task: MakeTask) -> None:
    task().execute(context())
    assert box.statements
    assert box.writes == ()


def test_templates_are_rendered(box: Sandbox, task: MakeTask, tmp_path: Path) -> None:
    check = task(
        oceanbase_conn_id="{{ params.conn }}",
        policy="{{ params.policy | tojson }}",
        policy_file="{{ params.none or '' }}",
        report_path=str(tmp_path / "{{ params.conn }}"),
        fail_on="{{ params.word }}",
        language="{{ params.language }}",
    )
    params = {"conn": "oceanbase_default", "policy": {**CLEAN, "cluster": "{{ not rendered }}'\"&<"}, "none": None,
              "word": "never", "language": "zh"}  # fmt: skip
    given = context()
    check.render_template_fields({**given, "params": params})
    assert (check.oceanbase_conn_id, check.fail_on, check.language) == ("oceanbase_default", "never", "zh")
    result = check.execute(given)
    assert result["verdict"] == "FAIL"
    document = json.loads((tmp_path / "oceanbase_default/oceanbase_default/latest.json").read_text(encoding="utf-8"))
    assert document["policy"]["cluster"] == "{{ not rendered }}'\"&<"


def test_every_argument_of_its_own_is_a_template() -> None:
    assert set(ArchiveComplianceOperator.template_fields) == {
        "oceanbase_conn_id", "policy", "policy_file", "report_path", "fail_on", "language",
    }  # fmt: skip


def test_reports_go_where_the_configuration_says(
    box: Sandbox, task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OCEANBASE__REPORT_PATH", f"file://{tmp_path}/configured")
    for empty in (None, ""):
        result = task(report_path=empty).execute(context())
        assert result["files"]["md"].startswith(f"file://{tmp_path}/configured/oceanbase_default/reports/")
