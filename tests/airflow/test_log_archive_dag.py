"""The template DAG as Airflow loads it: what parsing touches, what the form takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from .conftest import DAGS

PARSE = """
import json, os, socket, sys, warnings
touched = []

def note(what):
    def call(*args, **kwargs):
        touched.append(f"{what} {args[1:]}")
        raise RuntimeError(what)
    return call

from airflow.sdk.definitions.connection import Connection
from airflow.secrets.environment_variables import EnvironmentVariablesBackend
from airflow.dag_processing.dagbag import DagBag
for name in ("connect", "connect_ex", "bind", "sendto"):
    setattr(socket.socket, name, note(f"socket.{name}"))
socket.getaddrinfo = note("getaddrinfo")
Connection.get = classmethod(note("Connection.get"))
EnvironmentVariablesBackend.get_conn_value = note("get_conn_value")
bag = DagBag(sys.argv[1])
print("RESULT" + json.dumps([sorted(bag.dags), bag.import_errors, bag.captured_warnings, touched]))
"""


@pytest.fixture
def server_params(load_dag):
    """The parameters as the scheduler has them: of the DAG in its serialized form."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(load_dag())).params


def test_parsing_warns_of_nothing_and_talks_to_nobody():
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(DAGS)],
        env={**os.environ, "AIRFLOW_CONN_OCEANBASE_DEFAULT": '{"conn_type": "oceanbase", "host": "127.0.0.1"}'},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    dags, errors, warnings, touched = json.loads(line.removeprefix("RESULT"))
    assert errors == {}
    assert warnings == {}
    assert touched == []
    assert "ob_log_archive" in dags


def test_nothing_runs_by_itself_or_twice_at_once(load_dag):
    dag = load_dag()
    assert dag.doc_md
    assert dag.doc_md.startswith("# OceanBase log backup")
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert dag.timetable.can_be_scheduled is False
    assert all(task.retries == (0 if task.task_id in NOT_RETRIED else 2) for task in dag.tasks)


NOT_RETRIED = {"approve_mandatory_mode", "cluster.summary", "report"}


@pytest.mark.parametrize(
    "bad",
    [
        {"mode": "Mandatory"},
        {"mode": "mandatry"},
        {"compression": "gzip"},
        {"oceanbase_conn_ids": []},
        {"oceanbase_conn_ids": ["a", "a"]},
        {"oceanbase_conn_ids": ["a b"]},
        {"oceanbase_conn_ids": "a"},
        {"doing_timeout": 5},
        {"freeze_timeout": 5},
        {"start_timeout": 5},
        {"proof_timeout": 5},
        {"proof_timeout": "1800"},
        {"poll_interval": 0},
        {"dry_run": "yes"},
        {"mandatory_approved": 1},
        {"destination": 7},
    ],
    ids=str,
)
def test_the_form_refuses(server_params, bad):
    from airflow.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        server_params.deep_merge(bad).validate()


def test_the_form_takes_what_it_offers(server_params):
    server_params.validate()
    given = {
        "oceanbase_conn_ids": ["prod-1", "prod_2.eu"],
        "destination": "oss://bucket/ob",
        "destination_option": "recovery_window=7d",
        "dest_conn_id": "keys",
        "doing_timeout": 10,
        "dry_run": True,
    }
    for mode in ("optional", "mandatory", "keep"):
        for compression in ("enable", "disable", "lz4_1.0", "zstd_1.3.8", "keep"):
            server_params.deep_merge({**given, "mode": mode, "compression": compression}).validate()


def test_a_bad_value_ends_before_a_run_begins(load_dag):
    from airflow.exceptions import ParamValidationError
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    def count() -> int:
        with create_session(scoped=False) as session:
            return session.scalar(select(func.count()).select_from(DagRun))

    before = count()
    with pytest.raises(ParamValidationError):
        load_dag().test(run_conf={"mode": "always"})
    assert count() == before
