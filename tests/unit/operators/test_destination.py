"""SetBackupDestinationOperator: compares first, writes in STOP only, and keeps keys to itself."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_ob_provider.exceptions import NotVerifiedError, OceanBaseTransientError, RequestRefusedError
from airflow_ob_provider.operators.settings import SetBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, ending, make_context, writes

NFS, OTHER = "file:///data/nfs/backup", "file:///data/nfs/other"
OSS = "oss://bucket/dir?host=oss.example.com"
SET, SET_OPTION = "ALTER SYSTEM SET backup_dest = ", "ALTER SYSTEM SET backup_dest_option = "
ID, KEY = "LTAI/5t+id==", "abc/DEF+gh==%41"


def task(**kwargs: Any) -> SetBackupDestinationOperator:
    return SetBackupDestinationOperator(task_id="destination", **kwargs)


def execute(**kwargs: Any) -> dict[str, Any]:
    return task(**kwargs).execute(make_context())


@pytest.fixture
def keys(add_connection: Any) -> str:
    return str(add_connection({"conn_type": "generic", "login": ID, "password": KEY}, "keys"))


def test_it_sets_and_reads_back_on_every_server(cluster: Sandbox, clock: Time) -> None:
    result = execute(destination=NFS)
    assert writes(cluster) == [f"{SET}'{NFS}'"]
    assert [cluster.parameters["backup_dest", server] for server in range(3)] == [NFS] * 3
    assert result == {
        "changed": True,
        "statements": [f"{SET}'{NFS}'"],
        "before": {"cluster": "not set"},
        "after": {"cluster": NFS},
        "tenants": [],
        "failed": {},
    }


@pytest.mark.parametrize("state", ["STOP", "BEGINNING", "DOING", "STOPPING", "INTERRUPTED"])
@pytest.mark.parametrize("again", [NFS, f"  {NFS}/ "])
def test_the_same_place_is_left_alone_in_every_state(cluster: Sandbox, clock: Time, state: str, again: str) -> None:
    cluster.parameters["backup_dest"] = NFS
    cluster.force_status("DOING")
    cluster.force_status(state)
    result = execute(destination=again)
    assert (result["changed"], result["statements"]) == (False, [])
    assert result["before"] == result["after"] == {"cluster": NFS}
    assert cluster.writes == ()


@pytest.mark.parametrize("state", ["BEGINNING", "DOING", "STOPPING", "INTERRUPTED"])
def test_another_place_is_refused_while_a_round_runs(cluster: Sandbox, clock: Time, state: str) -> None:
    cluster.parameters["backup_dest"] = NFS
    cluster.force_status(state)
    end = ending(lambda: execute(destination=OTHER))
    assert isinstance(end.error, RequestRefusedError)
    assert end.state == "failed"
    assert end.text.startswith(f"cluster: the destination is {NFS} and log backup is {state} (round 1); {OTHER} can")
    assert "(9036)" in end.text
    assert "Stop log backup" in end.text
    assert cluster.writes == ()


def test_a_state_that_is_not_shown_is_not_stop(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.TENANT_ID": 99}
    end = ending(lambda: execute(destination=OTHER))
    assert isinstance(end.error, RequestRefusedError)
    assert end.state == "failed"
    assert "log backup is unknown" in end.text
    assert cluster.writes == ()


def test_servers_that_differ_in_a_round_are_refused(cluster: Sandbox, clock: Time) -> None:
    cluster.parameters["backup_dest"] = NFS
    cluster.parameters["backup_dest", 1] = OTHER
    cluster.force_status("DOING")
    end = ending(lambda: execute(destination=NFS))
    assert isinstance(end.error, RequestRefusedError)
    assert end.state == "failed"
    assert "not the same on all servers" in end.text


def test_servers_that_differ_for_good_are_set_alike(cluster: Sandbox, clock: Time) -> None:
    cluster.parameters["backup_dest", 1] = OTHER
    assert execute(destination=NFS)["changed"] is True
    assert {cluster.parameters["backup_dest", server] for server in range(3)} == {NFS}


def test_an_earlier_change_on_its_way_is_waited_for(cluster: Sandbox, clock: Time) -> None:
    """The try before has died after its SET took effect: the same one is not sent again, it may answer 9026."""
    cluster._cluster.parameters.set("backup_dest", NFS)
    cluster._cluster.parameters.set("backup_dest_option", "recovery_window=7d")
    cluster.advance(2.2)
    assert len({cluster.parameters["backup_dest", server] for server in range(3)}) == 2
    result = execute(destination=NFS, destination_option="recovery_window=7d")
    assert result["changed"] is False
    assert cluster.writes == ()


def test_a_server_that_never_takes_it_over(cluster: Sandbox, clock: Time) -> None:
    show = cluster.parameters._show
    cluster.parameters._show = lambda index, *rest: index == 1 or show(index, *rest)  # type: ignore[method-assign]
    end = ending(lambda: execute(destination=NFS))
    assert isinstance(end.error, NotVerifiedError)
    assert "not seen on every server" in end.text
    assert len(writes(cluster)) == 1


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
@pytest.mark.parametrize("what", ["destination", "destination_option"])
def test_a_lost_connection_never_sends_twice(cluster: Sandbox, clock: Time, moment: str, what: str) -> None:
    arguments = {what: NFS if what == "destination" else "recovery_window=7d"}
    setattr(cluster.faults, moment, ("SET backup_dest", 1))
    end = ending(lambda: execute(**arguments))
    assert len(writes(cluster)) == 1
    if moment == "drop_before":
        assert isinstance(end.error, OceanBaseTransientError)
        end = ending(lambda: execute(**arguments))
        assert len(writes(cluster)) == 2
    assert end.result["changed"] is True
    assert cluster.parameters["backup_dest" if what == "destination" else "backup_dest_option"] == arguments[what]
    assert arguments[what] in end.result["after"]["cluster"]


@pytest.mark.parametrize(
    ("fault", "errno", "words"),
    [
        ({"dest_io_error": True}, 4009, "mount it on every OBServer"),
        ({"error_once": ("SET backup_dest", 9036)}, 9036, "StopArchivelogOperator, wait for STOP"),
        ({"error_once": ("SET backup_dest", 9026)}, 9026, "can never be set again"),
        ({"error_once": ("SET backup_dest", 1235)}, 1235, "set backup_backup_dest to '' first"),
    ],
)
def test_errors_say_the_way_out(cluster: Sandbox, clock: Time, fault: dict[str, Any], errno: int, words: str) -> None:
    for name, value in fault.items():
        setattr(cluster.faults, name, value)
    end = ending(lambda: execute(destination=NFS))
    assert end.state == "failed"
    assert end.error.errno == errno
    assert words in end.text
    assert len(writes(cluster)) == 1


def test_a_used_destination_is_a_9026_with_the_way_out(cluster: Sandbox, clock: Time) -> None:
    """Not injected: the cluster's own rule."""
    cluster.parameters["backup_dest"] = NFS
    cluster.force_status("DOING")
    cluster.force_status("STOP")
    assert execute(destination=NFS)["changed"] is False
    assert execute(destination=OTHER)["changed"] is True
    end = ending(lambda: execute(destination=NFS))
    assert end.error.errno == 9026
    assert "leave the destination as it is" in end.text


def test_a_data_backup_is_a_9036_with_the_way_out(cluster: Sandbox, clock: Time, monkeypatch: Any) -> None:
    monkeypatch.setattr(type(cluster._cluster.backup), "running", True, raising=False)
    cluster.faults.error_once = ("SET backup_dest", 9036)
    end = ending(lambda: execute(destination=NFS))
    assert "cancel or await the data backup" in end.text


# --- object stores ----------------------------------------------------------------------------------------------------


def test_keys_come_from_the_second_connection(cluster: Sandbox, clock: Time, keys: str) -> None:
    result = execute(destination=OSS, dest_conn_id=keys)
    assert cluster.parameters["backup_dest"] == f"{OSS}&access_id={ID}&access_key={KEY}"
    assert result["after"] == {"cluster": f"{OSS}&access_id=***&access_key=***"}
    assert result["statements"] == [f"{SET}'{OSS}&access_id=***&access_key=***'"]
    again = execute(destination=OSS, dest_conn_id=keys)
    assert again["changed"] is False
    assert again["before"] == result["after"]
    assert KEY not in str((result, again))


def test_the_host_may_come_from_the_connection(cluster: Sandbox, clock: Time, add_connection: Any) -> None:
    add_connection({"conn_type": "generic", "login": ID, "password": KEY, "host": "oss.example.com"}, "keys")
    result = execute(destination="oss://bucket/dir", dest_conn_id="keys")
    assert result["after"]["cluster"].startswith(f"{OSS}&")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"destination": "/data/backup"}, "is not <scheme>://<path>"),
        ({"destination": "file://data"}, "absolute path"),
        ({"destination": "nfs://bucket/dir"}, "scheme 'nfs' is not one of"),
        ({"destination": "obs://bucket/dir"}, "OBS is reached as s3://"),
        ({"destination": "file:///data/{host}"}, "braces may hold"),
        ({"piece_switch_interval": "8d"}, "piece_switch_interval must be 1d to 7d"),
        ({"piece_switch_interval": "1h"}, "piece_switch_interval must be 1d to 7d"),
        ({"destination": f"{NFS}?x=1"}, "takes no parameters"),
        ({"destination": "file:///a b"}, "blank"),
        ({"destination": OSS}, "needs access_id, access_key"),
        ({"destination": f"{OSS}&access_id=a&access_key=SECRET"}, "give its id as dest_conn_id"),
        ({"destination_option": "recovery_window = 7d"}, "blank"),
        ({"destination_option": "window=7d"}, "unknown key"),
        ({"destination": NFS, "dry_run": "x"}, "dry_run"),
        ({"destination": NFS, "dest_conn_id": "keys"}, "takes no parameters"),
        ({"destination": "cos://bucket/dir?host=h", "dest_conn_id": "keys"}, "needs appid"),
    ],
)
def test_illegal_arguments_are_refused_before_any_sql(
    cluster: Sandbox, keys: str, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        execute(**arguments)
    assert cluster.statements == ()
    assert "SECRET" not in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"destination": "s3://bucket/dir?host=h", "dest_conn_id": "keys"},
            "cluster: destination s3://bucket/dir?host=h&access_id=***&access_key=***: scheme 's3' is not one of file, "
            "oss, cos; S3 is not supported by OceanBase 3.x",
        ),
        ({"destination": "azblob://bucket/dir?host=h", "dest_conn_id": "keys"}, "scheme 'azblob' is not one of file"),
        ({"destination": "file:///data/{tenant}"}, "archives the whole cluster to one place"),
        ({"piece_switch_interval": "2d"}, "destination_option='log_archive_piece_switch_interval=2d'"),
        ({"destination": NFS, "piece_switch_interval": "1d"}, "piece_switch_interval is of 4.x"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_3x_does_not_know_is_refused_before_any_write(
    cluster: Sandbox, keys: str, arguments: dict[str, Any], words: str, dry_run: bool
) -> None:
    end = ending(lambda: execute(**arguments, dry_run=dry_run))
    assert end.state == "failed", end
    assert isinstance(end.error, RequestRefusedError)
    assert words in end.text
    assert KEY not in end.text
    assert cluster.writes == ()


def test_a_refusal_is_in_the_result_as_well(cluster: Sandbox) -> None:
    context = make_context()
    end = ending(lambda: task(destination="file:///data/{tenant}").execute(context))
    assert context["ti"].xcom["return_value"]["failed"] == {"cluster": end.text}
    assert context["ti"].xcom["tenants"] == []


def test_the_cluster_in_a_destination(cluster: Sandbox, clock: Time) -> None:
    name = cluster.parameters["cluster"]
    assert name
    result = execute(destination="file:///data/{cluster}")
    assert cluster.parameters["backup_dest"] == f"file:///data/{name}"
    assert result["after"] == {"cluster": f"file:///data/{name}"}
    assert execute(destination="file:///data/{cluster}")["changed"] is False


def test_a_second_connection_that_does_not_exist(cluster: Sandbox) -> None:
    with pytest.raises(AirflowNotFoundException):
        execute(destination=OSS, dest_conn_id="nobody")
    assert cluster.statements == ()


@pytest.mark.parametrize("nothing", [None, "", " ", "None"])
def test_what_is_not_given_is_kept(cluster: Sandbox, clock: Time, nothing: Any) -> None:
    cluster.parameters["backup_dest"] = NFS
    cluster.parameters["backup_dest_option"] = "recovery_window=7d"
    result = execute(
        destination=nothing, destination_option=nothing, piece_switch_interval=nothing, dest_conn_id=nothing
    )
    kept = {"cluster": f"{NFS} with recovery_window=7d"}
    assert result == {
        "changed": False, "statements": [], "before": kept, "after": kept, "tenants": [], "failed": {}
    }  # fmt: skip
    assert cluster.writes == ()


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "wanted", "changes"),
    [
        ("", "recovery_window=7d", True),
        ("recovery_window=7d", "recovery_window=168h", False),
        ("recovery_window=7d&backup_copies=0", "backup_copies=0&recovery_window=7d", False),
        ("recovery_window=7d&backup_copies=0", "recovery_window=7d", True),
    ],
)
def test_options(cluster: Sandbox, clock: Time, stored: str, wanted: str, changes: bool) -> None:
    cluster.parameters["backup_dest_option"] = stored
    result = execute(destination_option=wanted)
    assert result["changed"] is changes
    assert writes(cluster) == ([f"{SET_OPTION}'{wanted}'"] if changes else [])
    assert cluster.parameters["backup_dest_option"] == (wanted if changes else stored)
    assert result["after"] == {"cluster": f"not set with {wanted if changes else stored}"}


def test_both_in_order(cluster: Sandbox, clock: Time) -> None:
    result = execute(destination=NFS, destination_option="log_archive_piece_switch_interval=1d")
    assert [text.partition(" = ")[0] for text in result["statements"]] == [
        "ALTER SYSTEM SET backup_dest",
        "ALTER SYSTEM SET backup_dest_option",
    ]


def test_the_second_is_not_sent_where_the_first_failed(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.dest_io_error = True
    context = make_context()
    end = ending(lambda: task(destination=NFS, destination_option="recovery_window=7d").execute(context))
    assert end.error.errno == 4009
    assert writes(cluster) == [f"{SET}'{NFS}'"]
    assert context["ti"].xcom["return_value"]["changed"] is False


def test_what_was_sent_before_a_failure_is_told(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.error_once = ("SET backup_dest_option", 1235)
    context = make_context()
    end = ending(lambda: task(destination=NFS, destination_option="recovery_window=7d").execute(context))
    assert end.error.errno == 1235
    result = context["ti"].xcom["return_value"]
    assert (result["changed"], result["statements"]) == (True, [f"{SET}'{NFS}'"])
    assert execute(destination=NFS, destination_option="recovery_window=7d")["statements"] == [
        f"{SET_OPTION}'recovery_window=7d'"
    ]


def test_splitting_is_not_switched_in_a_round(cluster: Sandbox, clock: Time) -> None:
    cluster.parameters["backup_dest"] = NFS
    cluster.force_status("DOING")
    end = ending(lambda: execute(destination_option="log_archive_piece_switch_interval=1d"))
    assert isinstance(end.error, RequestRefusedError)
    assert end.state == "failed"
    assert "(1235)" in end.text
    assert cluster.writes == ()
    assert execute(destination_option="log_archive_checkpoint_interval=60s")["changed"] is True


@pytest.mark.parametrize("dry_run", [True, "true"])
def test_a_dry_run_sends_nothing_and_shows_no_key(cluster: Sandbox, clock: Time, keys: str, dry_run: Any) -> None:
    result = execute(destination=OSS, dest_conn_id=keys, destination_option="recovery_window=7d", dry_run=dry_run)
    assert result["plan"] == [f"{SET}'{OSS}&access_id=***&access_key=***'", f"{SET_OPTION}'recovery_window=7d'"]
    assert cluster.writes == ()
