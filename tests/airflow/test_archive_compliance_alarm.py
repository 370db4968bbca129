"""The alarm of a check, sent by real tasks that fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseNotifier
from airflow.sdk.bases.operator import BaseOperator

from airflow_ob_provider.notifications.oceanbase import LogBackupAlarmNotifier
from airflow_ob_provider.operators.compliance import ArchiveComplianceOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.pasts import two_good_days

SENT: list[str] = []


class Pager(BaseNotifier):
    """Somebody else's notifier, which renders its text."""

    template_fields = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        SENT.append(self.text)


class Broken(BaseOperator):
    """Fails before there is a report."""

    def execute(self, context: Any) -> None:
        raise RuntimeError("no check")


@pytest.fixture
def alarms(airflow_db: None, tmp_path: Path) -> Callable[..., list[str]]:
    """Run one task until it fails; what its callback has sent."""

    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    def run(kind: type[BaseOperator] = ArchiveComplianceOperator, language: str = "en") -> list[str]:
        SENT.clear()
        arguments = {"report_path": str(tmp_path)} if kind is ArchiveComplianceOperator else {}
        with DAG("alarms", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag:
            kind(task_id="check", on_failure_callback=LogBackupAlarmNotifier(Pager, language=language), **arguments)
        bag = DagBag(tmp_path / "empty")
        bag.bag_dag(dag)
        sync_bag_to_db(bag, "dags-folder", None)
        assert str(dag.test().state) == "failed"
        return list(SENT)

    return run


@pytest.mark.parametrize(
    ("language", "order"),
    [
        ("en", ["cluster: obcluster[1], ", "host: 127.0.0.1:", "alarm: log backup ", "checkpoint: ", "current time: ",
                "tenants: tenant1"]),
        ("zh", ["集群：obcluster[1]，", "主机：127.0.0.1:", "告警：日志备份", "检查点：", "当前时间：",
                "租户列表：tenant1"]),
    ],
)  # fmt: skip
def test_the_alarm_of_a_failed_check_has_the_fields_of_ocp_in_their_order(
    new_cluster: Callable[..., Sandbox], alarms: Callable[..., list[str]], language: str, order: list[str]
) -> None:
    box = new_cluster(profile="4.2.5", speed=1)
    two_good_days(box)
    box.interrupt("tenant1")
    box.advance(600)
    (text,) = alarms(language=language)
    assert re.search(".*".join(re.escape(part) for part in order), text), text


def test_text_of_a_server_is_no_template(new_cluster: Callable[..., Sandbox], alarms: Callable[..., list[str]]) -> None:
    box = new_cluster(profile="4.2.5", speed=1)
    hostile = "near '{{ 6 * 7 }} {{{ 6 * 7 }}} {% raw %} {{% raw %}} {# gone #} {{{{ dag }}}}'"
    box.faults.error_once = {"pattern": "SELECT", "errno": 1064, "message": hostile, "count": 99}
    (text,) = alarms()
    assert "gone" in text
    assert text.count("6 * 7") == 2
    assert "raw" in text


def test_a_check_without_a_report_says_just_that(alarms: Callable[..., list[str]]) -> None:
    (text,) = alarms(Broken)
    assert re.fullmatch(
        r"alarm: no compliance check of OceanBase log backup, DAG alarms, run manual__\S+: it failed before it had a "
        "report, or did not end in time",
        text,
    )
    (text,) = alarms(Broken, "zh")
    assert text.startswith("告警：OceanBase 日志备份合规检查未完成，DAG alarms，运行 manual__")
