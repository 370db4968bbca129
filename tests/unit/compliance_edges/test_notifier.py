"""LogBackupAlarmNotifier: which text is sent, and how, with and without a check to tell of."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.callback import CallbackState
from airflow.sdk import DAG, BaseNotifier
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.serialization.serialized_objects import DagSerialization
from airflow.triggers.callback import CallbackTrigger

from airflow_ob_provider.notifications.oceanbase import LogBackupAlarmNotifier, _plain
from tests.ears import Ears

PATH = "airflow_ob_provider.notifications.oceanbase.LogBackupAlarmNotifier"
UNDONE = {
    "en": "alarm: no compliance check of OceanBase log backup, DAG {dag}, run {run}: it failed before it had a report, "
    "or did not end in time",
    "zh": "告警：OceanBase 日志备份合规检查未完成，DAG {dag}，运行 {run}：在产生报告前失败或未按时结束",
}
XCOM = {"alarm_en": "late by 700 s", "alarm_zh": "延迟 700 秒"}
DAG_RUN = {"dag_run_id": "scheduled__1", "dag_id": "ob_archive_compliance", "logical_date": None}
"""As :class:`airflow.models.deadline.Deadline` shows a run: what the REST API answers."""


class Pager(BaseNotifier):
    """Keeps what it is to send."""

    def __init__(self, text: str, sent: list[tuple[str, Any]]) -> None:
        super().__init__()
        self.text, self.sent = text, sent

    def notify(self, context: Any) -> None:
        self.sent.append((self.text, context))

    async def async_notify(self, context: Any) -> None:
        self.sent.append((f"async {self.text}", context))


class Ti:
    task_id, map_index = "cluster.verdict", 3

    def __init__(self, values: Any) -> None:
        self.values, self.asked = values, None

    def xcom_pull(self, **asked: Any) -> Any:
        self.asked = asked
        if isinstance(self.values, Exception):
            raise self.values
        return self.values.get(asked["key"])


def task_context(values: Any) -> Any:
    return {"ti": Ti(values), "dag_run": SimpleNamespace(dag_id="d", run_id="r")}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_text_is_that_of_the_tasks_own_check(language: str) -> None:
    context = task_context(XCOM)
    assert LogBackupAlarmNotifier(language=language).text(context) == XCOM[f"alarm_{language}"]
    assert context["ti"].asked == {"task_ids": "cluster.verdict", "map_indexes": 3, "key": f"alarm_{language}"}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("values", [{}, {"alarm_en": 7, "alarm_zh": ["x"]}, RuntimeError("no comms")])
def test_without_a_report_the_text_says_so(language: str, values: Any) -> None:
    text = LogBackupAlarmNotifier(language=language).text(task_context(values))
    assert text == UNDONE[language].format(dag="d", run="r")


@pytest.mark.parametrize(
    ("context", "dag", "run"),
    [
        ({}, "?", "?"),
        ({"dag_run": None}, "?", "?"),
        ({"dag_run": DAG_RUN, "deadline": {"id": "x"}}, "ob_archive_compliance", "scheduled__1"),
        ({"dag_run": {"dag_id": "d", "run_id": "r"}}, "d", "r"),
        ({"ti": object(), "dag_run": {"dag_id": "d"}}, "d", "?"),
    ],
)
def test_the_run_is_named_as_far_as_it_is_known(context: Any, dag: str, run: str) -> None:
    assert LogBackupAlarmNotifier().text(context) == UNDONE["en"].format(dag=dag, run=run)


def test_another_language_is_refused() -> None:
    with pytest.raises(ValueError, match="language must be en or zh, not 'de'"):
        LogBackupAlarmNotifier(language="de")


def test_another_notifier_sends_it() -> None:
    sent: list[Any] = []
    context = task_context(XCOM)
    LogBackupAlarmNotifier(lambda text: Pager(text, sent))(context)
    assert sent == [("late by 700 s", context)]


def test_without_another_notifier_it_is_an_error_in_the_log(ears: Ears) -> None:
    LogBackupAlarmNotifier()(task_context(XCOM))
    assert "late by 700 s" in ears.heard


def test_keys_in_a_text_are_masked(ears: Ears) -> None:
    sent: list[Any] = []
    context = task_context({"alarm_en": "cannot write oss://b/d?access_id=Id8G&access_key=Kq7X/+=%"})
    LogBackupAlarmNotifier(lambda text: Pager(text, sent))(context)
    LogBackupAlarmNotifier()(context)
    assert sent[0][0] == "cannot write oss://b/d?access_id=***&access_key=***"
    assert "Kq7X" not in ears.heard


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("{{ x }}", "{ { x }}"),
        ("{{{ x }}}", "{ { { x }}}"),
        ("{{{{", "{ { { {"),
        ("{% x %}", "{ % x %}"),
        ("{{% x %}}", "{ { % x %}}"),
        ("{# x #}", "{ # x #}"),
        ('{"a": {}}', '{"a": {}}'),
    ],
)
def test_a_text_is_no_template(text: str, plain: str) -> None:
    assert _plain(text) == plain


# --- as deadline alerts call it: a path, arguments in a row of the database, the triggerer ---


def fired(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The last event of the triggerer's callback."""
    path, arguments = CallbackTrigger(PATH, json.loads(json.dumps(kwargs))).serialize()
    assert path == "airflow.triggers.callback.CallbackTrigger"

    async def run() -> list[Any]:
        return [event.payload async for event in CallbackTrigger(**arguments).run()]

    return dict(asyncio.run(run())[-1])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_missed_deadline_is_told_by_the_triggerer(language: str, ears: Ears) -> None:
    end = fired({"language": language, "context": {"dag_run": DAG_RUN, "deadline": {"id": "x"}}})
    assert end["state"] == CallbackState.SUCCESS, end
    assert UNDONE[language].format(dag="ob_archive_compliance", run="scheduled__1") in ears.heard


def test_a_deadline_without_a_context_is_told_too(ears: Ears) -> None:
    assert fired({})["state"] == CallbackState.SUCCESS
    assert UNDONE["en"].format(dag="?", run="?") in ears.heard


def test_another_notifier_sends_it_from_the_triggerer() -> None:
    sent: list[Any] = []

    async def send() -> None:
        await LogBackupAlarmNotifier(lambda text: Pager(text, sent), context={"dag_run": DAG_RUN})

    asyncio.run(send())
    assert sent[0][0] == "async " + UNDONE["en"].format(dag="ob_archive_compliance", run="scheduled__1")


@pytest.mark.parametrize("kwargs", [None, {"language": "zh"}])
def test_a_dag_with_the_deadline_can_be_stored(kwargs: dict[str, Any] | None) -> None:
    alert = DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=30),
        callback=AsyncCallback(LogBackupAlarmNotifier, kwargs),
    )
    dag = DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), deadline=alert)
    stored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert PATH in json.dumps(DagSerialization.to_dict(dag))
    assert stored.deadline
