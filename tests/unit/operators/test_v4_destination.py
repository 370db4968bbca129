"""SetBackupDestinationOperator on 4.x: each tenant its own place, each refusal of the server with its way out."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.exceptions import OceanBasePermanentError, OceanBaseTransientError
from airflow_ob_provider.operators.settings import SetBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, ending, writes
from tests.unit.operators.harness4 import (
    MODERN,
    VERSIONS,
    builds,
    clock,
    cluster,
    dest,
    first_try,
    last_try,
    place_of,
    put,
    state_of,
)

__all__ = ["clock", "cluster"]

NFS = "file:///data/nfs/{tenant}"
ONE = ["tenant1"]
BUSY = ("PREPARE", "BEGINNING", "DOING", "STOPPING", "INTERRUPTED")
BUSY_MODERN = ("SUSPEND", "SUSPENDING", "DOING+DEFER")


def task(**kwargs: Any) -> SetBackupDestinationOperator:
    return SetBackupDestinationOperator(task_id="destination", **kwargs)


def nfs(tenant: str = "tenant1") -> str:
    return f"file:///data/nfs/{tenant}"


@builds()
def test_each_tenant_gets_its_own_place_with_every_attribute(cluster: Sandbox, clock: Time) -> None:
    result = task(destination=NFS).execute(last_try())
    sent = [dest(nfs("tenant1")), dest(nfs("tenant2"), "tenant2")]
    assert (writes(cluster), result["statements"], result["changed"]) == (sent, sent, True)
    assert (result["tenants"], result["failed"]) == (["tenant1", "tenant2"], {})
    assert set(result["before"]) == set(result["after"]) == {"tenant1", "tenant2"}
    assert nfs("tenant2") in result["after"]["tenant2"]
    assert nfs("tenant2") not in result["before"]["tenant2"]
    for name in ("tenant1", "tenant2"):
        found = state_of(cluster, name)
        assert (found.path, found.binding, found.interval, found.dest_state) == (nfs(name), "OPTIONAL", "1d", "ENABLE")
    again = task(destination=NFS).execute(last_try())
    assert (again["changed"], again["statements"], writes(cluster)) == (False, [], sent)


@builds("4.0.0", "4.2.5")
def test_the_statement_has_time(cluster: Sandbox, clock: Time) -> None:
    task(destination=NFS, tenants=ONE).execute(last_try())
    connection = cluster.writes[0].connection_id
    settings = [
        int(entry.sql.rpartition("=")[2])
        for entry in cluster.statements
        if entry.connection_id == connection and "ob_query_timeout" in entry.sql
    ]
    assert settings[-1] >= 60_000_000


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("file:///b/{cluster}/{tenant}", "file:///b/obcluster/tenant1"),
        ("file:///b/{tenant_id}", "file:///b/1002"),
        ("file:///b/{tenant}/archive/", "file:///b/tenant1/archive"),
    ],
)
def test_a_template_makes_the_path(cluster: Sandbox, clock: Time, template: str, expected: str) -> None:
    task(destination=template, tenants=ONE).execute(last_try())
    assert writes(cluster) == [dest(expected)]


@pytest.mark.parametrize("destination", ["file:///data/nfs/all", "file:///data/{cluster}"])
def test_a_place_is_never_shared(cluster: Sandbox, clock: Time, destination: str) -> None:
    end = ending(lambda: task(destination=destination).execute(last_try()))
    assert end.state == "failed"
    assert "9081" in end.text
    assert "{tenant}" in end.text
    assert cluster.writes == ()


def test_a_place_of_a_tenant_that_was_not_asked_for_is_not_taken(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP", "tenant2")
    end = ending(lambda: task(destination=place_of("tenant2"), tenants=ONE).execute(last_try()))
    assert end.state == "failed"
    assert "tenant2" in end.text
    assert cluster.writes == ()


# --- by state ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cluster", "state"),
    [(version, state) for version in VERSIONS for state in ("NONE", "READY", "STOP")]
    + [(version, state) for version in MODERN for state in ("MODE", "STOP+DEFER")],
    indirect=["cluster"],
)
def test_it_is_set_without_a_round_or_in_stop(cluster: Sandbox, clock: Time, state: str) -> None:
    put(cluster, state)
    result = task(destination=NFS, tenants=ONE).execute(last_try())
    assert writes(cluster) == [dest(nfs())]
    assert result["changed"] is True
    assert state_of(cluster).path == nfs()
    assert state_of(cluster, "tenant2").path == ""


@pytest.mark.parametrize(
    ("cluster", "state"),
    [(version, state) for version in VERSIONS for state in BUSY]
    + [(version, state) for version in MODERN for state in BUSY_MODERN],
    indirect=["cluster"],
)
def test_it_is_refused_while_a_round_exists_and_the_same_place_is_left_alone(
    cluster: Sandbox, clock: Time, state: str
) -> None:
    put(cluster, state)
    end = ending(lambda: task(destination=NFS, tenants=ONE).execute(last_try()))
    assert end.state == "failed", end
    assert "1235" in end.text
    assert state.partition("+")[0] in end.text
    assert "tenant1" in end.text
    assert "top log backup" in end.text
    assert cluster.writes == ()
    same = task(destination="file:///data/nfs/backup/{tenant}/archive", tenants=ONE).execute(last_try())
    assert (same["changed"], same["tenants"]) == (False, ONE)
    assert cluster.writes == ()


@builds("4.0.0", "4.2.5")
@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_one_that_runs_stops_no_other(cluster: Sandbox, clock: Time, policy: str) -> None:
    put(cluster, "DOING")
    context = last_try()
    end = ending(lambda: task(destination=NFS, on_partial_failure=policy).execute(context))
    result = end.result or context["ti"].xcom["return_value"]
    assert (result["tenants"], list(result["failed"])) == (["tenant2"], ["tenant1"])
    assert writes(cluster) == [dest(nfs("tenant2"), "tenant2")]
    assert result["statements"] == writes(cluster)
    assert end.state == ("success" if policy == "continue" else "failed")


# --- attributes -------------------------------------------------------------------------------------------------------


def test_what_is_not_asked_for_is_kept(cluster: Sandbox, clock: Time) -> None:
    """Every attribute is written each time: one left out would return to its default."""
    put(cluster, "STOP")
    rows = cluster._cluster.archives[1002].destination.rows
    rows |= {"binding": "MANDATORY", "piece_switch_interval": "3d"}
    cluster._cluster.archives[1002].destination.interval = 3 * 86400.0
    task(destination=NFS, tenants=ONE).execute(last_try())
    assert writes(cluster) == [dest(nfs(), binding="Mandatory", interval="3d")]


@pytest.mark.parametrize("conflict", [(), ("enbale", "interval_text")])
def test_the_interval_alone(cluster: Sandbox, clock: Time, conflict: tuple[str, ...]) -> None:
    cluster.faults.doc_conflicts = set(conflict)
    put(cluster, "STOP")
    for _ in range(2):
        task(piece_switch_interval="7d", tenants=ONE).execute(last_try())
    assert writes(cluster) == [dest(place_of("tenant1"), interval="7d")]


def test_the_interval_alone_needs_stop_too(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    end = ending(lambda: task(piece_switch_interval="7d", tenants=ONE).execute(last_try()))
    assert end.state == "failed"
    assert "1235" in end.text
    assert cluster.writes == ()


@pytest.mark.parametrize("interval", ["8d", "0d", "36h", "1", "x"])
def test_an_interval_that_the_server_would_refuse_or_round_is_refused_before(cluster: Sandbox, interval: str) -> None:
    with pytest.raises(ValueError, match="1d to 7d"):
        task(destination=NFS, piece_switch_interval=interval).execute(last_try())
    assert cluster.statements == ()


@pytest.mark.parametrize(
    "destination",
    [
        "obs://b/{tenant}?host=h",
        "File:///data/{tenant}",
        "file://data/{tenant}",
        "file:///data/{tenant}?a=b",
        "file:///da ta/{tenant}",
        "file:///data/{x}",
    ],
)
def test_a_uri_that_no_server_takes_is_refused_before(cluster: Sandbox, destination: str) -> None:
    end = ending(lambda: task(destination=destination).execute(last_try()))
    assert isinstance(end.error, ValueError)
    assert cluster.writes == ()


@pytest.mark.parametrize(
    ("cluster", "scheme", "word"),
    [("4.0.0", "cos", "4.2.0"), ("4.1.0", "s3", "4.2.1"), ("4.1.0", "azblob", "4.2.5")],
    indirect=["cluster"],
)
def test_a_scheme_that_the_build_lacks_is_refused_with_the_version(
    cluster: Sandbox, clock: Time, add_connection: Any, scheme: str, word: str
) -> None:
    add_connection({"conn_type": "generic", "login": "AKID", "password": "secret-key", "host": "h.example"}, "keys")
    uri = f"{scheme}://b/{{tenant}}?appid=1" if scheme == "cos" else f"{scheme}://b/{{tenant}}"
    end = ending(lambda: task(destination=uri, dest_conn_id="keys", tenants=ONE).execute(last_try()))
    assert end.state == "failed", end
    assert word in end.text
    assert cluster.writes == ()


# --- what the server refuses ------------------------------------------------------------------------------------------

REFUSALS = [
    (9070, "mount the NFS directory on every one"),
    (9071, "list, read, write and delete"),
    (9080, "empty directory"),
    (9081, "empty directory"),
    (9082, "make room"),
    (4009, "mount it on every OBServer"),
    (4179, "archive_lag_target must be at least 60 s"),
    (1235, "only while the tenant has no round or it is STOP"),
    (1210, "BINDING"),
    (5160, "DBA_OB_TENANTS"),
    (5260, "UNLOCK"),
    (9026, "prefix, host and keys"),
    (9117, "s3_region"),
    (9118, "endpoint"),
    (9140, "WORM"),
    (1227, "ALTER SYSTEM"),
]


@pytest.mark.parametrize(("errno", "words"), REFUSALS)
def test_each_refusal_has_its_cause_and_way_out_and_stops_no_other(
    cluster: Sandbox, clock: Time, errno: int, words: str
) -> None:
    cluster.faults.error_once = (r"TENANT = 'tenant1'", errno)
    context = last_try()
    end = ending(lambda: task(destination=NFS).execute(context))
    assert end.state == "failed", end
    result = context["ti"].xcom["return_value"]
    assert writes(cluster) == [dest(nfs()), dest(nfs("tenant2"), "tenant2")]
    assert (result["tenants"], result["statements"]) == (["tenant2"], [dest(nfs("tenant2"), "tenant2")])
    for text in (end.text, result["failed"]["tenant1"]):
        assert f"[{errno}]" in text
        assert words in text
        assert text.count("tenant1") >= 1


@pytest.mark.parametrize(
    ("content", "errno"),
    [("unreachable", 9070), ("no_permission", 9071), ("io_error", 4009), ("full", 9082), ("unformatted", 9080),
     ("foreign", 9081), ("worm", 9140)],
)  # fmt: skip
def test_the_medium_itself_refuses(cluster: Sandbox, clock: Time, content: str, errno: int) -> None:
    cluster.faults.media = {nfs("tenant2"): content}
    context = last_try()
    end = ending(lambda: task(destination=NFS, on_partial_failure="continue").execute(context))
    assert end.state == "success"
    assert f"[{errno}]" in end.result["failed"]["tenant2"]
    assert end.result["tenants"] == ONE
    assert len(writes(cluster)) == 2
    assert state_of(cluster).path == nfs()


def test_a_directory_of_another_tenant(cluster: Sandbox, clock: Time) -> None:
    task(destination=NFS, tenants=["tenant2"]).execute(last_try())
    task(destination="file:///data/other", tenants=["tenant2"]).execute(last_try())
    end = ending(lambda: task(destination=nfs("tenant2"), tenants=ONE).execute(last_try()))
    assert isinstance(end.error, OceanBasePermanentError)
    assert "[9081]" in end.text


@pytest.mark.parametrize("effect", [True, False])
def test_a_slow_medium(cluster: Sandbox, clock: Time, effect: bool) -> None:
    """4012 says nothing of the effect: the destination is read again, and the statement is not sent again."""
    cluster.faults.error_once = {"pattern": "LOG_ARCHIVE_DEST", "errno": 4012, "after": effect}
    end = ending(lambda: task(destination=NFS, tenants=ONE).execute(first_try()))
    assert writes(cluster) == [dest(nfs())]
    assert end.state == ("success" if effect else "retry")
    if not effect:
        assert "[4012]" in end.text
        assert "ob_query_timeout" in end.text


@pytest.mark.parametrize(("moment", "sent"), [("drop_before", 2), ("drop_after", 1)])
@builds("4.0.0", "4.2.5")
def test_a_lost_connection_never_sends_twice(cluster: Sandbox, clock: Time, moment: str, sent: int) -> None:
    setattr(cluster.faults, moment, ("SET LOG_ARCHIVE_DEST", 1))
    end = ending(lambda: task(destination=NFS, tenants=ONE).execute(first_try()))
    assert writes(cluster) == [dest(nfs())]
    if moment == "drop_before":
        assert isinstance(end.error, OceanBaseTransientError)
        end = ending(lambda: task(destination=NFS, tenants=ONE).execute(last_try(2)))
    assert end.state == "success"
    assert (len(writes(cluster)), end.result["changed"]) == (sent, True)


@pytest.mark.parametrize("errno", [4023, 4114])
def test_a_passing_error_of_one_tenant_is_tried_again(cluster: Sandbox, clock: Time, errno: int) -> None:
    cluster.faults.error_once = (r"TENANT = 'tenant1'", errno)
    context = first_try()
    end = ending(lambda: task(destination=NFS, on_partial_failure="continue").execute(context))
    assert end.state == "retry"
    assert context["ti"].xcom["return_value"]["tenants"] == ["tenant2"]
    again = task(destination=NFS, on_partial_failure="continue").execute(last_try(2))
    assert (again["tenants"], again["statements"]) == (["tenant1", "tenant2"], [dest(nfs())])


def test_a_round_that_begins_in_between_is_the_servers_to_refuse(
    cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cluster._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        if statement.endswith(dest(nfs())):
            cluster._cluster.force_status("DOING", "tenant1")
        return run(statement, caller)

    monkeypatch.setattr(cluster._cluster, "execute", execute)
    end = ending(lambda: task(destination=NFS, tenants=ONE).execute(last_try()))
    assert end.state == "failed"
    assert "[1235]" in end.text


@pytest.mark.parametrize(("seconds", "state"), [(250, "success"), (400, "retry")])
def test_the_medium_may_take_its_time(cluster: Sandbox, clock: Time, seconds: int, state: str) -> None:
    """Longer than the server's default of 10 s is no failure; longer than what it was given is 4012."""
    cluster.faults.medium_seconds = seconds
    end = ending(lambda: task(destination=NFS, tenants=ONE).execute(first_try()))
    assert (end.state, writes(cluster)) == (state, [dest(nfs())])


@pytest.mark.parametrize("dropped", ["tenant1", "tenant2"])
def test_a_tenant_dropped_in_mid_run_stops_no_other(
    cluster: Sandbox, clock: Time, monkeypatch: pytest.MonkeyPatch, dropped: str
) -> None:
    run = cluster._cluster.execute

    def execute(statement: str, caller: Any) -> Any:
        if f"TENANT = '{dropped}'" in statement:
            cluster._cluster.drop_tenant(dropped)
        return run(statement, caller)

    monkeypatch.setattr(cluster._cluster, "execute", execute)
    end = ending(lambda: task(destination=NFS, on_partial_failure="continue").execute(last_try()))
    assert end.state == "success", end
    assert list(end.result["failed"]) == [dropped]
    assert "[5160]" in end.result["failed"][dropped]
    assert len(end.result["statements"]) == 1


# --- tenants ----------------------------------------------------------------------------------------------------------


@builds("4.0.0", "4.2.5")
def test_tenants_that_are_not_normal_are_left_out(cluster: Sandbox, clock: Time) -> None:
    cluster.set_tenant("tenant2", status="CREATING")
    result = task(destination=NFS).execute(last_try())
    assert (result["tenants"], writes(cluster)) == (ONE, [dest(nfs())])


@builds("4.0.0", "4.2.5")
@pytest.mark.parametrize("tenants", [None, ONE], ids=["all", "named"])
def test_a_user_tenant_sets_its_own(
    cluster: Sandbox, clock: Time, add_connection: Any, tenants: list[str] | None
) -> None:
    add_connection(cluster.connection("root", "tenant1"))
    for _ in range(2):
        result = task(destination=NFS, tenants=tenants).execute(last_try())
    assert writes(cluster) == [dest(nfs(), None)]
    assert (result["tenants"], state_of(cluster).path, state_of(cluster, "tenant2").path) == (ONE, nfs(), "")


def test_a_user_tenant_cannot_set_another(cluster: Sandbox, clock: Time, add_connection: Any) -> None:
    add_connection(cluster.connection("root", "tenant1"))
    end = ending(lambda: task(destination=NFS, tenants=["tenant2"]).execute(last_try()))
    assert end.state != "success"
    assert "tenant2" in end.text
    assert cluster.writes == ()


def test_a_dry_run_writes_nothing(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING", "tenant2")
    end = ending(lambda: task(destination=NFS, dry_run=True, on_partial_failure="continue").execute(last_try()))
    assert end.result["plan"] == [dest(nfs())]
    assert "DOING" in end.result["failed"]["tenant2"]
    assert cluster.writes == ()


@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_names_that_cannot_be_served_stop_no_other(cluster: Sandbox, clock: Time, policy: str) -> None:
    cluster.set_tenant("tenant2", status="CREATING")
    context = last_try()
    end = ending(
        lambda: task(destination=NFS, tenants=["gone", "tenant2", "tenant1"], on_partial_failure=policy).execute(
            context
        )
    )
    result = end.result or context["ti"].xcom["return_value"]
    assert (result["tenants"], set(result["failed"])) == (ONE, {"gone", "tenant2"})
    assert writes(cluster) == [dest(nfs())]
    assert end.state == ("success" if policy == "continue" else "failed")
