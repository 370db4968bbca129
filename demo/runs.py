"""Running the template DAG for real and reading back what happened. Imported once Airflow's home is ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.listeners import hookimpl
from airflow.models.xcom import XComModel
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.listener import get_listener_manager
from airflow.utils.session import create_session

from airflow_ob_provider.exceptions import OceanBaseServerError
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox
from demo.home import ROOT
from demo.report import Run

DAG_ID = "ob_log_archive"
CHECK_ID = "ob_archive_compliance"
BACKUP_ID = "ob_data_backup"
_DATA = "file:///data/nfs/data/{tenant}"
_SILENCE_SECONDS = 10.0
_NOW = "SELECT NOW(6) AS now"


@dataclass(frozen=True)
class Views:
    """What is shown of a server after a run."""

    archive: tuple[str, ...]
    events: str
    time: str


_V3 = Views(("CDB_OB_BACKUP_ARCHIVELOG", "CDB_OB_BACKUP_PIECE_FILES"), "__all_rootservice_event_history", "gmt_create")
_V4 = Views(("CDB_OB_ARCHIVELOG", "CDB_OB_ARCHIVELOG_PIECE_FILES"), "DBA_OB_ROOTSERVICE_EVENT_HISTORY", "TIMESTAMP")
_V4_TENANT = Views(tuple(view.replace("CDB", "DBA") for view in _V4.archive), _V4.events, _V4.time)


def views() -> Views:
    """The views of the connected server's generation, as its tenant sees them."""
    with OceanBaseHook().session() as session:
        if session.version.major < 4:
            return _V3
        return _V4 if session.dialect.identity().tenant in {"sys", ""} else _V4_TENANT


def _events(since: Any) -> Sequence[Mapping[str, Any]] | str:
    try:
        seen = views()
    except (AirflowException, ValueError) as error:
        return str(error)
    return read(
        f"SELECT {seen.time} AS happened, e.* FROM oceanbase.{seen.events} e "  # noqa: S608 - constants
        f"WHERE module = 'log_archive' AND {seen.time} >= '{since}' ORDER BY {seen.time} LIMIT 200"
    )


class Progress:
    """An Airflow listener that says a line a finished task, and what takes long."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._running = ""
        self._began = self._spoke = time.monotonic()
        self.errors: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:
        """A task begins, or goes on after a wait."""
        if task_instance.task_id != self._running:
            self._running = task_instance.task_id
            self._began = self._spoke = time.monotonic()

    @hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        """A task is done."""
        self._finished(task_instance, "success")

    @hookimpl
    def on_task_instance_skipped(self, task_instance: Any) -> None:
        """A task has skipped itself."""
        self._finished(task_instance, "skipped")

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: Any) -> None:
        """A task has failed, perhaps to be tried again."""
        self.errors[task_instance.task_id] = redact(str(error or "no reason given"))
        again = str(task_instance.state).endswith("up_for_retry")
        self._finished(task_instance, "failed, will be tried again" if again else "FAILED")

    def _finished(self, task_instance: Any, state: str) -> None:
        task = task_instance.task_id
        self.seconds[task] = time.monotonic() - self._began
        self._say(f"  {self.seconds[task]:5.1f} s  {task:<28} {state}")
        self._running = ""

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            now = time.monotonic()
            if self._running and now - self._spoke > _SILENCE_SECONDS:
                self._spoke = now
                self._say(f"  {now - self._began:5.1f} s  {self._running:<28} ...")


class Runner:
    """Runs the DAG against the cluster that Airflow knows as ``oceanbase_default``."""

    def __init__(self, say: Callable[[str], None], box: Sandbox | None) -> None:
        """Load the DAG; no task runs yet.

        :raises RuntimeError: the DAG cannot be loaded.
        """
        self._box = box
        self._progress = Progress(say)
        get_listener_manager().add_listener(self._progress)
        bag = DagBag(ROOT / "dags")
        if bag.import_errors:
            raise RuntimeError(f"The DAGs do not load: {bag.import_errors}")
        DagBundlesManager().sync_bundles_to_db()
        sync_bag_to_db(bag, "dags-folder", None)
        self._dag = bag.dags[DAG_ID]
        self._backup = bag.dags[BACKUP_ID]
        self._check = bag.dags[CHECK_ID]
        self._check.deadline = None  # Airflow 3.3.2: dag.test() looks it up by its definition, and fails

    def check(self, folder: str) -> Mapping[str, Any]:
        """Run the compliance check; its result.

        :raises RuntimeError: it made no report.
        """
        conf = {"report_path": folder, "fail_on": "never", "policy": {"defaults": {"cleanup_required": False}}}
        done = self._check.test(run_conf=conf)
        return self._result(done.run_id, CHECK_ID, "cluster.check")

    def back_up(self) -> Mapping[str, Any]:
        """Run the data backup; its report.

        :raises RuntimeError: it made no report.
        """
        is_4 = views() is not _V3
        done = self._backup.test(run_conf={"poll_interval": 2, **({"destination": _DATA} if is_4 else {})})
        return self._result(done.run_id, BACKUP_ID, "cluster.summary")

    def _result(self, run_id: str, dag_id: str, task_id: str) -> Mapping[str, Any]:
        with create_session() as session:
            query = XComModel.get_many(run_id=run_id, key="return_value", dag_ids=dag_id, task_ids=task_id)
            found: list[Any] = list(session.scalars(query))
            if found:
                return dict(XComModel.deserialize_value(found[0]))
        raise RuntimeError(f"{dag_id} made no report: {self._progress.errors}")

    def run(self, conf: Mapping[str, Any]) -> Run:
        """Run the DAG to its end."""
        before = read(_NOW)
        if self._box:
            self._box.clear_statements()
        self._progress.errors.clear()
        self._progress.seconds.clear()
        began = time.monotonic()
        done = self._dag.test(run_conf=dict(conf))
        seconds = time.monotonic() - began
        sent = [(one.at, one.sql, one.outcome) for one in self._box.writes] if self._box else None
        with create_session() as session:
            query = XComModel.get_many(run_id=done.run_id, key="return_value", dag_ids=DAG_ID)
            xcoms: list[Any] = list(session.scalars(query))
            results = {one.task_id: XComModel.deserialize_value(one) for one in xcoms}
            instances = [
                (one.task_id, str(one.state), self._progress.seconds.get(one.task_id))
                for one in done.get_task_instances()
            ]
        order = [task.task_id for task in self._dag.topological_sort()]
        return Run(
            state=str(done.state),
            seconds=seconds,
            tasks=sorted(instances, key=lambda one: order.index(one[0])),
            results=results,
            errors=dict(self._progress.errors),
            sent=sent,
            changes=before if isinstance(before, str) else _events(before[0]["now"]),
        )


def read(sql: str) -> Sequence[Mapping[str, Any]] | str:
    """Rows, through the hook; or why there are none."""
    try:
        with OceanBaseHook().session() as session:
            return session.query(Statement.read(sql))
    except (OceanBaseServerError, ValueError) as error:
        return str(error)
