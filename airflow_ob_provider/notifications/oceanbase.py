"""Alarms of compliance checks, through any notifier of Airflow."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from airflow_ob_provider.oceanbase.redact import redact

if TYPE_CHECKING:
    from airflow.sdk import Context

ALARM_XCOM = {"en": "alarm_en", "zh": "alarm_zh"}
"""XCom keys under which a check leaves the text of its alarm."""
_UNDONE = {
    "en": "alarm: no compliance check of OceanBase log backup, DAG {dag}, run {run}: it failed before it had a report, "
    "or did not end in time",
    "zh": "告警：OceanBase 日志备份合规检查未完成，DAG {dag}，运行 {run}：在产生报告前失败或未按时结束",
}


class LogBackupAlarmNotifier(BaseNotifier):
    """Send the alarm of a compliance check, its fields in OCP's order.

    As ``on_failure_callback`` of the task that fails, or as the callback of a deadline alert, where there is no check
    to tell of and the alarm says just that::

        on_failure_callback=LogBackupAlarmNotifier(lambda text: SlackNotifier(text=text, channel="dba"))

    :param notifier: makes the notifier that sends a text; None: the text goes to the task's log, as an error.
    :param language: ``en`` or ``zh``.
    :raises ValueError: another language.
    """

    def __init__(
        self,
        notifier: Callable[[str], BaseNotifier] | None = None,
        *,
        language: str = "en",
        context: Context | None = None,
    ) -> None:
        super().__init__(**({"context": context} if context else {}))
        if language not in ALARM_XCOM:
            raise ValueError(f"language must be en or zh, not {language!r}")
        self.notifier = notifier
        self.language = language

    def text(self, context: Context) -> str:
        """The alarm of the task, or of a run without a report."""
        found = self._left(context.get("ti"))
        return found if isinstance(found, str) else _UNDONE[self.language].format(**_run(context.get("dag_run")))

    def _left(self, ti: Any) -> object:
        if not hasattr(ti, "xcom_pull"):
            return None
        try:
            return ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index, key=ALARM_XCOM[self.language])
        except Exception:  # whatever keeps the text from being read, an alarm must be sent
            self.log.exception("The alarm of the check cannot be read")
            return None

    def notify(self, context: Context) -> None:
        """Send it."""
        text = redact(self.text(context))
        if self.notifier is None:
            self.log.error("%s", text)
            return
        self.notifier(_plain(text))(context)

    async def async_notify(self, context: Context) -> None:
        """Send it from the triggerer, as deadline alerts do."""
        text = redact(self.text(context))
        if self.notifier is None:
            self.log.error("%s", text)
            return
        await self.notifier(_plain(text)).async_notify(context)


def _run(run: Any) -> dict[str, str]:
    """Names of a run: a task has an object, a deadline what the REST API shows."""
    shown = run if isinstance(run, dict) else {name: getattr(run, name, None) for name in ("dag_id", "run_id")}
    return {"dag": shown.get("dag_id") or "?", "run": shown.get("dag_run_id") or shown.get("run_id") or "?"}


def _plain(text: str) -> str:
    """A text that no template engine takes for more: notifiers render theirs, and this one quotes the server."""
    return re.sub(r"\{(?=[{%#])", "{ ", text)
