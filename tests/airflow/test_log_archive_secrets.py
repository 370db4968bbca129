"""Keys of an object store reach the server, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError

from .conftest import sent

CORE = "C4N4RY"
ACCESS_ID = f"LTAI{CORE}+id/=="
ACCESS_KEY = f"k%2F{CORE}/+=secret%=="
PASSWORD = f"{CORE}pw/+="


@pytest.fixture
def keys(add_connection):
    return add_connection(
        {"conn_type": "generic", "login": ACCESS_ID, "password": ACCESS_KEY, "host": "oss.example.com"}, "keys"
    )


def test_keys_are_nowhere_but_on_the_server(new_cluster, add_connection, keys, run_dag, capfd, caplog, airflow_home):
    box = new_cluster(password=PASSWORD)
    # The server's answer quotes the statement from the middle of the key on.
    quoted = f"You have an error in your SQL syntax; check near '{ACCESS_KEY[4:]}'' at line 1"
    box.faults.error_once = {"pattern": "SET backup_dest ", "errno": 1064, "message": quoted}
    place = {"destination": "oss://bucket/ob", "dest_conn_id": keys}

    failed = run_dag(**place)
    proven = run_dag(**place)
    again = run_dag(**place)

    # The server has got the keys; the runs have told about them.
    full = f"oss://bucket/ob?host=oss.example.com&access_id={ACCESS_ID}&access_key={ACCESS_KEY}"
    assert f"ALTER SYSTEM SET backup_dest = '{full}'" in sent(box.writes)
    assert [done.state for done in (failed, proven, again)] == ["failed", "success", "success"]
    assert failed.state_of("cluster.destination") == "failed"
    assert again.report_of()["statements"] == []
    shown = proven.report_of()
    assert "oss://bucket/ob?host=oss.example.com&access_id=***&access_key=***" in shown["statements"][0]
    assert "access_key=***" in shown["markdown"]

    out, err = capfd.readouterr()
    log = out + err + caplog.text
    assert "1064" in log
    assert "ALTER SYSTEM SET backup_dest" in log
    assert CORE not in log
    files = [path for path in Path(airflow_home).rglob("*") if path.is_file()]
    assert b"access_key=***" in b"".join(path.read_bytes() for path in files), "the right files are searched"
    assert [path for path in files if CORE.encode() in path.read_bytes()] == []


def test_keys_in_the_open_are_refused(new_cluster, run_dag):
    box = new_cluster()

    with pytest.raises(ParamValidationError, match="Invalid input for param destination: "):
        run_dag(destination="oss://bucket/ob?host=h&access_id=a&access_key=0p3n")

    assert not box.statements
