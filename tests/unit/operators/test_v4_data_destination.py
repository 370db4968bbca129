"""SetDataBackupDestinationOperator, and the keys in DATA_BACKUP_DEST, which the server shows in clear text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_ob_provider.exceptions import RequestRefusedError, TenantsRefusedError
from airflow_ob_provider.operators.settings import SetDataBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.ears import Ears, ears
from tests.unit.operators.harness import Time, drive, ending, make_context, writes
from tests.unit.operators.harness4 import builds, clock, cluster, last_try, place_of, put, sql
from tests.unit.operators.harness_backup import FULL, backup, before_sending
from tests.unit.test_secrets import shown as shown_error

__all__ = ["clock", "cluster", "ears"]

BOTH = ["tenant1", "tenant2"]
NFS = "file:///data/nfs/{tenant}/data"
ID, KEY, HOST = "LTAI5tExampleId", "9bQ/zX+secretKey==%41", "oss-cn.example.com"
OSS = f"oss://bucket/{{tenant}}?host={HOST}"


def set_data(destination: str | None = NFS, **kwargs: Any) -> SetDataBackupDestinationOperator:
    return SetDataBackupDestinationOperator(task_id="data", destination=destination, **kwargs)


def sets(uri: str, *names: str) -> list[str]:
    return [
        f"ALTER SYSTEM SET DATA_BACKUP_DEST = '{uri.format(tenant=name)}' TENANT = '{name}'" for name in names or BOTH
    ]


def shown(box: Sandbox) -> dict[str, str]:
    names = {tenant.tenant_id: tenant.name for tenant in box._cluster.user_tenants}
    return {names[number]: rows.parameter.get("data_backup_dest", "") for number, rows in box._cluster.backups.items()
            if number in names}  # fmt: skip


@pytest.fixture
def keys(add_connection: Callable[..., str]) -> str:
    return add_connection({"conn_type": "generic", "login": ID, "password": KEY, "host": HOST}, "keys")


@pytest.fixture
def secret(ears: Ears) -> Iterator[Ears]:
    yield ears
    heard = ears.heard
    assert not [word for word in (KEY, ID, "secretKey") if word in heard]


@builds()
def test_each_tenant_gets_a_place_of_its_own_once(cluster: Sandbox, clock: Time) -> None:
    context = make_context()
    first = drive(set_data(), context, clock)
    second = drive(set_data(), context, clock)
    assert writes(cluster) == first["statements"] == sets(NFS)
    assert (first["changed"], second["changed"], second["statements"]) == (True, False, [])
    assert first["before"] == dict.fromkeys(BOTH, "not set")
    assert first["after"] == second["before"] == {name: NFS.format(tenant=name) for name in BOTH}
    assert (first["tenants"], second["tenants"]) == (BOTH, BOTH)
    assert shown(cluster) == first["after"]


def test_one_tenant_and_one_that_is_not_there(cluster: Sandbox, clock: Time) -> None:
    task = set_data(tenants=["tenant1", "tenant9"], on_partial_failure="continue")
    result = drive(task, last_try(), clock)
    assert writes(cluster) == sets(NFS, "tenant1")
    assert "no user tenant of that name is NORMAL here" in result["failed"]["tenant9"]


def test_a_tenant_that_is_not_normal_is_left_alone(cluster: Sandbox, clock: Time) -> None:
    cluster.set_tenant("tenant2", status="CREATING")
    assert drive(set_data(), make_context(), clock)["tenants"] == ["tenant1"]
    end = ending(lambda: drive(set_data(tenants=["tenant2"]), make_context(), clock))
    assert isinstance(end.error, RequestRefusedError)


@pytest.mark.parametrize("owner", ["its own log backup", "log backup of another", "data of another"])
def test_a_place_that_somebody_uses_is_refused(cluster: Sandbox, clock: Time, owner: str) -> None:
    for name in BOTH:
        put(cluster, "DOING", name)
    sql(cluster, "ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/of2' TENANT = tenant2")
    place, word = {
        "its own log backup": (place_of("tenant1"), "log backup of tenant1"),
        "log backup of another": (place_of("tenant2"), "log backup of tenant2"),
        "data of another": ("file:///data/of2", "tenant2"),
    }[owner]
    end = ending(lambda: drive(set_data(place, tenants=["tenant1"]), make_context(), clock))
    assert isinstance(end.error, RequestRefusedError)
    assert f"would be shared with {word} (9081)" in end.text
    assert writes(cluster) == []


def test_one_place_for_two_is_refused(cluster: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(set_data("file:///data/all"), make_context(), clock))
    assert isinstance(end.error, TenantsRefusedError)
    assert "would be shared with 2 tenants" in end.text
    assert writes(cluster) == []


def test_it_does_not_change_while_a_backup_runs(cluster: Sandbox, clock: Time) -> None:
    for name in BOTH:
        put(cluster, "DOING", name)
    drive(set_data(), make_context(), clock)
    sql(cluster, "ALTER SYSTEM BACKUP TENANT = tenant1")
    clock.sleep(3)
    cluster.clear_statements()
    moved = "file:///data/new/{tenant}"
    result = drive(set_data(moved, on_partial_failure="continue"), last_try(), clock)
    assert (writes(cluster), result["tenants"]) == (sets(moved, "tenant2"), ["tenant2"])
    assert "(9036): wait for its end" in result["failed"]["tenant1"]
    assert drive(set_data(tenants=["tenant1"]), make_context(), clock)["changed"] is False, "the same is no change"
    clock.sleep(60)
    assert drive(set_data(moved), make_context(), clock)["tenants"] == BOTH


def test_without_a_destination_the_present_one_stays(cluster: Sandbox, clock: Time) -> None:
    end = ending(lambda: drive(set_data(None), make_context(), clock))
    assert isinstance(end.error, TenantsRefusedError)
    assert "no destination of data backups is set: give one" in end.text
    drive(set_data(), make_context(), clock)
    assert drive(set_data(""), make_context(), clock)["changed"] is False
    assert len(writes(cluster)) == 2


def test_a_dry_run(cluster: Sandbox, clock: Time) -> None:
    result = drive(set_data(dry_run=True), make_context(), clock)
    assert (result["plan"], writes(cluster)) == (sets(NFS), [])


def test_a_place_that_cannot_be_read_is_replaced(cluster: Sandbox, clock: Time, secret: Ears) -> None:
    cluster.faults.malformed = {"CDB_OB_BACKUP_PARAMETER.VALUE": f"weird://x?access_id={ID}&access_key={KEY}"}
    end = ending(lambda: drive(set_data(tenants=["tenant1"]), make_context(), clock))
    assert writes(cluster) == sets(NFS, "tenant1")
    secret.hear(end.error, end.result)


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
def test_a_lost_connection_never_sends_twice(cluster: Sandbox, clock: Time, moment: str) -> None:
    setattr(cluster.faults, moment, ("DATA_BACKUP_DEST = ", 1))
    end = ending(lambda: drive(set_data(tenants=["tenant1"]), make_context(), clock))
    assert (end.state, len(writes(cluster))) == ("success" if moment == "drop_after" else "retry", 1)


@pytest.mark.parametrize("errno", [9026, 9070, 9080, 9081, 4009])
def test_a_refusal_names_the_way_out(cluster: Sandbox, clock: Time, errno: int) -> None:
    cluster.faults.error_once = ("DATA_BACKUP_DEST = ", errno)
    end = ending(lambda: drive(set_data(tenants=["tenant1"]), make_context(), clock))
    assert end.state == "failed"
    assert f"[{errno}]" in end.text
    assert len(end.text) > 100


@pytest.mark.parametrize("value", ["file:///data/it's", "file://relative", "obs://b/d", "file:///d?x"])
def test_an_illegal_destination_is_refused_before_any_sql(cluster: Sandbox, value: str) -> None:
    with pytest.raises(ValueError, match="destination"):
        set_data(value).execute(make_context())
    assert cluster.writes == ()


def test_3x_has_one_destination(add_connection: Callable[..., str]) -> None:
    with Sandbox(profile="3.2.4", manual_clock=True) as box:
        add_connection(box)
        end = ending(lambda: set_data("file:///data").execute(make_context()))
        assert "has one destination for logs and data" in end.text
        assert ending(lambda: set_data(None).execute(make_context())).result["changed"] is False
        assert ending(lambda: set_data("file:///d", tenants=["tenant1"]).execute(make_context())).state != "success"
        assert box.writes == ()


def test_a_user_of_the_tenant(cluster: Sandbox, clock: Time, add_connection: Callable[..., str]) -> None:
    add_connection(cluster.connection("root", "tenant1"), "own")
    result = drive(set_data(oceanbase_conn_id="own"), make_context(), clock)
    assert writes(cluster) == ["ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///data/nfs/tenant1/data'"]
    assert result["tenants"] == ["tenant1"]


# --- keys -------------------------------------------------------------------------------------------------------------


@builds("4.0.0", "4.2.5")
def test_the_keys_reach_the_server_and_nothing_else(
    cluster: Sandbox, clock: Time, keys: str, secret: Ears, add_connection: Callable[..., str]
) -> None:
    context = last_try()
    result = drive(set_data(OSS, dest_conn_id="keys"), context, clock)
    assert writes(cluster) == sets(f"{OSS}&access_id={ID}&access_key={KEY}")
    assert all(KEY in value for value in shown(cluster).values())
    again = drive(set_data(OSS, dest_conn_id="keys"), context, clock)
    add_connection({"conn_type": "generic", "login": ID, "password": "another", "host": HOST}, "keys")
    new_keys = drive(set_data(OSS, dest_conn_id="keys"), context, clock)
    assert (again["changed"], new_keys["changed"], len(writes(cluster))) == (False, False, 2)
    for name in BOTH:
        put(cluster, "DOING", name)
    taken = drive(backup(), context, clock)
    assert taken["tenants"] == BOTH
    cluster.faults.failed_backups = {"tenant1": 4016}
    failed = ending(lambda: drive(backup(), context, clock))
    secret.hear(result, again, new_keys, taken, failed, json.dumps(context["ti"].xcom))
    secret.hear(json.dumps(context["task_state_store"].values))


def test_another_host_is_another_place(cluster: Sandbox, clock: Time, keys: str, secret: Ears) -> None:
    drive(set_data(OSS, dest_conn_id="keys"), make_context(), clock)
    moved = drive(set_data(OSS.replace("oss-cn", "oss-us"), dest_conn_id="keys", dry_run=True), make_context(), clock)
    assert len(moved["plan"]) == 2
    secret.hear(moved)


@pytest.mark.parametrize("fault", ["refused", "grammar", "lost", "timeout"])
def test_errors_hold_no_key(cluster: Sandbox, clock: Time, keys: str, secret: Ears, fault: str) -> None:
    message = f"near 'access_id={ID}&access_key={KEY}' is not a valid uri"
    if fault == "lost":
        cluster.faults.drop_before = ("DATA_BACKUP_DEST = ", 1)
    else:
        errno = {"refused": 9070, "grammar": 1064, "timeout": 4012}[fault]
        cluster.faults.error_once = ("DATA_BACKUP_DEST = ", errno, message)
    context = last_try()
    end = ending(lambda: drive(set_data(OSS, dest_conn_id="keys"), context, clock))
    assert end.error is not None
    secret.hear(shown_error(end.error), json.dumps(context["ti"].xcom))


def test_a_comment_that_holds_a_key(cluster: Sandbox, clock: Time, keys: str, secret: Ears) -> None:
    for name in BOTH:
        put(cluster, "DOING", name)
    drive(set_data(OSS, dest_conn_id="keys"), make_context(), clock)
    cluster.faults.failed_backups = {"tenant2": 4016}
    comment = f"oss://bucket/x?host={HOST}&access_id={ID}&access_key={KEY} cannot be written"
    clock.at(1, lambda: setattr(cluster.faults, "malformed", {"CDB_OB_BACKUP_JOB_HISTORY.COMMENT": comment}))
    context = last_try()
    end = ending(lambda: drive(backup(), context, clock))
    assert "cannot be written" in end.text
    secret.hear(shown_error(end.error), json.dumps(context["ti"].xcom))


def test_keys_in_the_argument_are_refused_unseen(cluster: Sandbox, secret: Ears) -> None:
    end = ending(lambda: set_data(f"oss://b/d?host={HOST}&access_id={ID}&access_key={KEY}").execute(make_context()))
    assert isinstance(end.error, ValueError)
    assert cluster.statements == ()
    secret.hear(end.error)


def test_a_backup_that_runs_for_a_whole_cluster_is_not_moved(cluster: Sandbox, clock: Time) -> None:
    for name in BOTH:
        put(cluster, "DOING", name)
    drive(set_data(), make_context(), clock)
    with pytest.MonkeyPatch.context() as patch:
        before_sending(patch, lambda: (sql(cluster, FULL), cluster.advance(2)))
        end = ending(lambda: drive(set_data("file:///data/new/{tenant}"), make_context(), clock))
    assert "[9036]" in end.text
    assert end.state == "failed"
