"""The DAG that checks log backup, run for real by ``dag.test()``: green, red, and unreadable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_ob_provider.reports import schema
from airflow_ob_provider.sandbox import Sandbox
from tests.pasts import two_good_days

DAG_ID = "ob_archive_compliance"
CLEAN = {"defaults": {"cleanup_required": False}}


@pytest.fixture
def check(run_dag: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Run the DAG with a folder of reports of its own."""

    def run(**conf: Any) -> Any:
        return run_dag(DAG_ID, **{"report_path": f"file://{tmp_path}", "policy": CLEAN, **conf})

    return run


@pytest.fixture
def healthy(new_cluster: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    """A cluster with two days of logs and a full backup."""

    def start(conn_id: str = "oceanbase_default", profile: str = "4.2.5") -> Sandbox:
        box = new_cluster(conn_id, profile=profile, speed=1)
        two_good_days(box)
        return box

    return start


def report_of(folder: Path, conn_id: str = "oceanbase_default") -> dict[str, Any]:
    """The newest report in a folder, which must fit its schema."""
    report = json.loads((folder / conn_id / "latest.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema())
    return dict(report)


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
def test_a_healthy_cluster_is_green_and_tells_so(
    healthy: Callable[..., Sandbox], check: Callable[..., Any], tmp_path: Path, profile: str
) -> None:
    box = healthy(profile=profile)
    run = check()
    assert run.state == "success"
    report = report_of(tmp_path)
    assert report["verdict"] == "OK", [(one["id"], one["observed"]["en"]) for one in report["findings"]]
    assert {one["verdict"] for one in report["tenants"]} == {"OK"}
    assert not box.writes
    ((uri, extra),) = run.asset_events
    assert uri == "oceanbase://oceanbase_default/log-archive/compliant"
    assert (extra["verdict"], extra["open_gaps"]) == ("OK", 0)
    assert Path(extra["report"].removeprefix("file://")).exists()
    for name in ("latest.md", "latest.en.html", "latest.zh.html"):
        assert (tmp_path / "oceanbase_default" / name).stat().st_size > 1000
    assert run.result_of("fleet")["clusters"] == {"oceanbase_default": "OK"}


def test_a_broken_stream_is_red_after_its_report_is_written(
    healthy: Callable[..., Sandbox], check: Callable[..., Any], tmp_path: Path
) -> None:
    box = healthy()
    box.interrupt("tenant1")
    box.advance(600)
    run = check()
    assert run.state == "failed"
    assert run.state_of("cluster.check") == "success"
    assert run.state_of("cluster.verdict") == "failed"
    report = report_of(tmp_path)
    assert report["verdict"] == "FAIL"
    assert {one["tenantName"] for one in report["findings"] if one["rule"] == "status"} == {"tenant1"}
    ((uri, extra),) = run.asset_events
    assert uri == "oceanbase://oceanbase_default/log-archive/violated"
    assert extra["open_gaps"] == 1
    assert not box.writes


def test_never_is_report_only(healthy: Callable[..., Sandbox], check: Callable[..., Any], tmp_path: Path) -> None:
    box = healthy()
    box.interrupt("tenant1")
    box.advance(600)
    run = check(fail_on="never")
    assert run.state == "success"
    assert report_of(tmp_path)["verdict"] == "FAIL"
    assert run.result_of("fleet")["verdict"] == "FAIL"


def test_one_unreachable_cluster_is_unknown_and_hides_no_other(
    healthy: Callable[..., Sandbox],
    add_connection: Callable[..., str],
    check: Callable[..., Any],
    tmp_path: Path,
) -> None:
    healthy("good")
    dead = {"conn_type": "oceanbase", "host": "127.0.0.1", "port": 1, "login": "root@sys", "password": "s3cret/+="}
    add_connection(dead, "dead")
    run = check(oceanbase_conn_ids=["dead", "good"])
    assert run.state == "failed"
    assert (run.state_of("cluster.verdict", 0), run.state_of("cluster.verdict", 1)) == ("failed", "success")
    assert run.tries["cluster.check", 0] > 1  # an error that may pass is tried again first
    assert report_of(tmp_path, "dead")["verdict"] == "UNKNOWN"
    assert report_of(tmp_path, "good")["verdict"] == "OK"
    assert run.result_of("fleet")["clusters"] == {"dead": "UNKNOWN", "good": "OK"}
    assert "s3cret" not in "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())


def test_checks_remember_each_other(healthy: Callable[..., Sandbox], check: Callable[..., Any], tmp_path: Path) -> None:
    box = healthy()
    check()
    box.advance(3600)
    run = check()
    report = report_of(tmp_path)
    levels = {one["id"]: one["level"] for one in report["rules"]}
    assert levels["checkpoint_moved"] == levels["checkpoint_proof"] == levels["check_recent"] == "OK"
    assert report["lag_history"]["checks"] == 2
    assert run.result_of("fleet")["verdict"] == "OK"


def test_a_policy_that_is_not_legal_fails_before_anything_is_read(
    healthy: Callable[..., Sandbox], check: Callable[..., Any], tmp_path: Path
) -> None:
    box = healthy()
    run = check(policy={"defaults": {"rpo": "soon"}})
    assert run.state == "failed"
    assert not box.statements
    assert not (tmp_path / "oceanbase_default").exists()


def test_the_policy_may_come_from_a_file(
    healthy: Callable[..., Sandbox], check: Callable[..., Any], tmp_path: Path
) -> None:
    """An empty field of the form is no second policy."""
    healthy()
    file = tmp_path / "policy.yaml"
    file.write_text("cluster: another\ndefaults:\n  cleanup_required: false\n", encoding="utf-8")
    run = check(policy={}, policy_file=str(file))
    assert run.state_of("cluster.check") == "success"
    report = report_of(tmp_path)
    assert report["policy"]["cluster"] == "another"
