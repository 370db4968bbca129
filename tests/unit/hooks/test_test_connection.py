"""The Test button: what it says about every kind of connection."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable

import pytest
from airflow.sdk import Connection

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.sandbox import Sandbox

MakeHook = Callable[..., OceanBaseHook]
PASSWORD = "s3cret/+=%"


@pytest.fixture
def box(make_box: Callable[..., Sandbox]) -> Sandbox:
    return make_box(password=PASSWORD, cluster="prod")


def pressed(hook: OceanBaseHook) -> tuple[bool, str]:
    ok, text = hook.test_connection()
    assert PASSWORD not in text
    assert "Traceback" not in text
    assert "\n" not in text
    return ok, text


def test_root(box: Sandbox, make_hook: MakeHook, driver: str) -> None:
    assert pressed(make_hook(box, driver=driver)) == (
        True,
        "OceanBase 3.2.4.3, tenant sys, cluster prod (1), account root@%: may read the log backup views, "
        "may ALTER SYSTEM",
    )


def test_it_changes_nothing(box: Sandbox, make_hook: MakeHook) -> None:
    pressed(make_hook(box))
    assert not box.writes


def test_an_account_that_may_not_alter(box: Sandbox, make_hook: MakeHook, driver: str) -> None:
    box.add_user("reader", password=PASSWORD)
    ok, text = pressed(make_hook(box.connection("reader"), driver=driver))
    assert ok
    assert "account reader@%: may read the log backup views, may NOT ALTER SYSTEM" in text


def test_an_account_that_may_not_read(box: Sandbox, make_hook: MakeHook, driver: str) -> None:
    box.add_user("blind", password=PASSWORD, privileges=("ALTER SYSTEM",))
    ok, text = pressed(make_hook(box.connection("blind"), driver=driver))
    assert ok
    assert "may NOT read the log backup views, may ALTER SYSTEM" in text


def test_an_account_of_4x_that_may_not_read(make_box: Callable[..., Sandbox], make_hook: MakeHook) -> None:
    box = make_box("4.2.5")
    box.add_user("blind", password=PASSWORD, privileges=("ALTER SYSTEM",))
    ok, text = pressed(make_hook(box.connection("blind")))
    assert ok
    assert text.endswith("may NOT read the log backup views, may ALTER SYSTEM")


def test_an_account_that_may_nothing(box: Sandbox, make_hook: MakeHook) -> None:
    box.add_user("nobody", password=PASSWORD, privileges=())
    ok, text = pressed(make_hook(box.connection("nobody")))
    assert ok
    assert "may NOT read the log backup views, may NOT ALTER SYSTEM" in text


def test_a_user_tenant(box: Sandbox, make_hook: MakeHook) -> None:
    ok, text = pressed(make_hook(box.connection(tenant="tenant1")))
    assert ok
    assert "tenant tenant1" in text
    assert "may NOT read the log backup views" in text
    assert "in tenant sys only, and this is tenant1" in text


def test_version_3_1_0(make_box: Callable[..., Sandbox], make_hook: MakeHook) -> None:
    ok, text = pressed(make_hook(make_box("3.1.0")))
    assert ok
    assert text.startswith("OceanBase 3.1.0, tenant sys")
    assert text.endswith("upgrade to 3.1.2 or later")


def test_a_wrong_password(box: Sandbox, make_hook: MakeHook, driver: str) -> None:
    ok, text = pressed(make_hook({**box.connection(), "password": f"{PASSWORD}x"}, driver=driver))
    assert not ok
    assert text.startswith("[1045] Access denied for user 'root'")
    assert "Check login and password" in text


def test_a_dead_host(make_hook: MakeHook, driver: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    connection = {"conn_type": "oceanbase", "host": "127.0.0.1", "port": port, "login": "root", "password": PASSWORD}
    ok, text = pressed(make_hook(connection, driver=driver))
    assert not ok
    assert text.startswith("[2003] ")
    assert "Check host and port" in text


def test_an_invalid_field(box: Sandbox, make_hook: MakeHook) -> None:
    ok, text = pressed(make_hook(box, read_timeout="soon"))
    assert (ok, text) == (False, "connection field read_timeout must be seconds from 0.1 to 3600, not 'soon'")


def test_a_driver_that_is_missing(box: Sandbox, make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "MySQLdb", None)
    ok, text = pressed(make_hook(box, driver="mysqlclient"))
    assert not ok
    assert "pip install 'airflow-ob-provider[mysqlclient]'" in text


def test_a_connection_nobody_made() -> None:
    ok, text = pressed(OceanBaseHook(oceanbase_conn_id="nowhere"))
    assert not ok
    assert "nowhere" in text


def calls_itself(box: Sandbox, comment: str, version: str) -> Sandbox:
    cluster = box._cluster
    cluster.build = dataclasses.replace(cluster.build, version_comment=comment, version_function=version)
    return box


@pytest.mark.parametrize("comment", ["MySQL Community Server - GPL", "MariaDB Server", ""])
def test_another_database(box: Sandbox, make_hook: MakeHook, comment: str) -> None:
    ok, text = pressed(make_hook(calls_itself(box, comment, "8.0.36")))
    assert not ok
    assert text == "not an OceanBase server: it calls itself '8.0.36'"


def test_a_real_mysql_does_not_get_that_far(box: Sandbox, make_hook: MakeHook) -> None:
    box.faults.error_once = ("ob_query_timeout", 1193, "Unknown system variable 'ob_query_timeout'")
    ok, text = pressed(make_hook(box))
    assert not ok
    assert "Is the server OceanBase?" in text


@pytest.mark.parametrize("profile", ["4.0.0", "4.2.5", "4.3.3"])
def test_version_4(make_box: Callable[..., Sandbox], make_hook: MakeHook, profile: str, driver: str) -> None:
    ok, text = pressed(make_hook(make_box(profile, password=PASSWORD, cluster="prod"), driver=driver))
    assert ok, text
    assert text.startswith(f"OceanBase {profile}.")
    assert text.endswith("account root@%: may read the log backup views, may ALTER SYSTEM")
    assert "tenant sys, cluster prod (1)" in text


def test_version_5(box: Sandbox, make_hook: MakeHook) -> None:
    ok, text = pressed(make_hook(calls_itself(box, "OceanBase_CE 5.0.0.1 (r1)", "5.7.25-OceanBase_CE-v5.0.0.1")))
    assert (ok, text) == (
        False,
        "OceanBase 5.0.0.1 is not supported by this release, which speaks 2.2.77 to 4.x; nothing was changed",
    )
    assert not box.writes


@pytest.mark.parametrize("where", ["SHOW GRANTS", "CDB_OB_BACKUP_ARCHIVELOG"])
def test_a_passing_fault_is_not_a_missing_privilege(box: Sandbox, make_hook: MakeHook, where: str) -> None:
    box.faults.error_once = (where, 4012)
    ok, text = pressed(make_hook(box))
    assert not ok
    assert text.startswith("[4012] ")


def test_airflows_own_button(box: Sandbox) -> None:
    fields = {name: value for name, value in box.connection().items() if name != "extra"}
    ok, text = Connection(conn_id="unsaved", **fields).test_connection()
    assert ok, text
    assert text.startswith("OceanBase 3.2.4.3")
