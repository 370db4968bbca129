"""The template DAG, run for real by ``dag.test()`` on Airflow's own database, against simulated clusters."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_ob_provider.sandbox import Sandbox
from tests.recorded import sent

__all__ = ["sent"]

DAGS = Path(__file__).resolve().parents[2] / "dags"
DEST = "file:///data/nfs/backup"
SPEED = 200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Airflow's own warnings are its own affair; ours still fail."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.airflow)
            item.add_marker(pytest.mark.filterwarnings("ignore"))
            item.add_marker(pytest.mark.filterwarnings(r"error:::airflow_ob_provider\..*"))


@pytest.fixture
def pauses() -> list[Callable[[], None]]:
    """Called whenever ``dag.test()`` has nothing to do: a task is to be skipped, or waits for a person."""
    return []


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, pauses: list[Callable[[], None]]) -> None:
    """Nothing waits for real seconds that it need not."""
    monkeypatch.setattr("airflow_ob_provider.operators.base.READ_BACK_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr("airflow_ob_provider.operators.base.READ_BACK_SECONDS", 3.0)
    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        if not sys._getframe(1).f_code.co_filename.endswith("airflow/sdk/definitions/dag.py"):
            real_sleep(seconds)
        for pause in pauses:
            pause()

    monkeypatch.setattr(time, "sleep", sleep)


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's database, migrated once, which knows the DAG."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    initdb()
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(DagBag(DAGS), "dags-folder", None)


@pytest.fixture
def airflow_home() -> Path:
    """Where Airflow keeps its database and its logs."""
    return Path(os.environ["AIRFLOW_HOME"])


@pytest.fixture
def load_dag(airflow_db: None) -> Callable[..., Any]:
    """Load the DAG anew: a run leaves its parameters behind in the object it ran. Retries come at once."""

    def load(dag_id: str = "ob_log_archive") -> Any:
        from airflow.dag_processing.dagbag import DagBag

        dag = DagBag(DAGS).dags[dag_id]
        dag.deadline = None  # Airflow 3.3.2: a run of dag.test() that succeeds looks a deadline up by its definition
        for task in dag.tasks:
            task.retry_delay = timedelta(0)
        return dag

    return load


@dataclass(frozen=True)
class Done:
    """A finished run, as Airflow's database has it."""

    run_id: str
    state: str
    states: Mapping[tuple[str, int], str]
    tries: Mapping[tuple[str, int], int]

    def state_of(self, task: str, cluster: int = 0) -> str:
        """State of a task; of the cluster with that number where there is one a cluster."""
        return self.states[task, cluster if task.startswith("cluster.") else -1]

    def result_of(self, task: str, cluster: int = 0) -> Any:
        """What a task has returned."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        with create_session() as session:
            number = cluster if task.startswith("cluster.") else -1
            query = XComModel.get_many(run_id=self.run_id, key="return_value", task_ids=task, map_indexes=number)
            found = session.scalar(query)
            return None if found is None else XComModel.deserialize_value(found)

    def report_of(self, cluster: int = 0) -> dict[str, Any]:
        """The report of one cluster."""
        report = self.result_of("cluster.summary", cluster)
        assert report is not None
        return dict(report)

    @property
    def fleet(self) -> dict[str, Any]:
        """The report of all clusters."""
        return dict(self.result_of("report"))

    @property
    def asset_events(self) -> list[tuple[str, dict[str, Any]]]:
        """URI and extra of each asset event of the run."""
        from airflow.models.asset import AssetEvent
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            query = select(AssetEvent).where(AssetEvent.source_run_id == self.run_id)
            return [(event.asset.uri, dict(event.extra)) for event in session.scalars(query)]


@pytest.fixture
def run_dag(load_dag: Callable[..., Any]) -> Callable[..., Done]:
    """Run a DAG to its end with these parameters."""

    def run(dag_id: str = "ob_log_archive", **conf: Any) -> Done:
        quick = {"poll_interval": 1} if dag_id == "ob_log_archive" else {}
        done = load_dag(dag_id).test(run_conf={**quick, **conf})
        instances = {(ti.task_id, ti.map_index): ti for ti in done.get_task_instances()}
        return Done(
            run_id=done.run_id,
            state=str(done.state),
            states={key: str(ti.state) for key, ti in instances.items()},
            tries={key: ti.try_number for key, ti in instances.items()},
        )

    return run


@pytest.fixture
def new_cluster(add_connection: Callable[..., str]) -> Iterator[Callable[..., Sandbox]]:
    """Start a simulated cluster and make it known under an id."""
    with contextlib.ExitStack() as stack:

        def start(conn_id: str = "oceanbase_default", **options: Any) -> Sandbox:
            box = stack.enter_context(Sandbox(**{"tenants": 2, "servers": 3, "speed": SPEED, **options}))
            add_connection(box, conn_id)
            return box

        yield start
