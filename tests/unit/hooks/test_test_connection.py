"""The Test button: what it says about every kind of connection."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_ob_provider.hooks.drivers import tls_in_use
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.rows import UnreadableError
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


PLAIN = "Not encrypted (ssl_mode DISABLED)"
ALL_THERE = "Privileges found: ALTER SYSTEM on *.*, SELECT on oceanbase.* (log backup views were read); missing: none. "


def test_root(box: Sandbox, make_hook: MakeHook, driver: str) -> None:
    assert pressed(make_hook(box, driver=driver)) == (
        True,
        f"OceanBase 3.2.4.3, cluster prod (1), tenant sys, account root@%. {ALL_THERE}{PLAIN}",
    )


def test_it_changes_nothing(box: Sandbox, make_hook: MakeHook) -> None:
    pressed(make_hook(box))
    assert not box.writes


def test_an_account_that_may_not_alter(box: Sandbox, make_hook: MakeHook, driver: str) -> None:
    box.add_user("reader", password=PASSWORD)
    ok, text = pressed(make_hook(box.connection("reader"), driver=driver))
    assert ok
    assert "account reader@%. Privileges found: SELECT on oceanbase.* (log backup views were read); missing: " in text
    assert (
        "missing: ALTER SYSTEM on *.* (only reading needs none; As root@sys: GRANT ALTER SYSTEM ON *.* TO reader)."
        in text
    )


def test_an_account_that_may_not_read(box: Sandbox, make_hook: MakeHook, driver: str) -> None:
    box.add_user("blind", password=PASSWORD, privileges=("ALTER SYSTEM",))
    ok, text = pressed(make_hook(box.connection("blind"), driver=driver))
    assert ok
    assert "Privileges found: ALTER SYSTEM on *.*; missing: SELECT on oceanbase.* (log backup views: [1142] " in text
    assert "; GRANT SELECT ON oceanbase.* to the account of the connection). " in text


def test_an_account_of_4x_that_may_not_read(make_box: Callable[..., Sandbox], make_hook: MakeHook) -> None:
    box = make_box("4.2.5")
    box.add_user("blind", password=PASSWORD, privileges=("ALTER SYSTEM",))
    ok, text = pressed(make_hook(box.connection("blind")))
    assert ok
    assert "Privileges found: ALTER SYSTEM on *.*; missing: SELECT on oceanbase.* (log backup views: [1142] " in text
    assert text.endswith(PLAIN)


def test_an_account_that_may_nothing(box: Sandbox, make_hook: MakeHook) -> None:
    box.add_user("nobody", password=PASSWORD, privileges=())
    ok, text = pressed(make_hook(box.connection("nobody")))
    assert ok
    assert "Privileges found: none; missing: ALTER SYSTEM on *.* (" in text
    assert "), SELECT on oceanbase.* (log backup views: [1142] " in text


def test_grants_that_cannot_be_read_are_not_missing(box: Sandbox, make_hook: MakeHook) -> None:
    box.faults.error_once = ("SHOW GRANTS", 1064)
    ok, text = pressed(make_hook(box))
    assert ok
    assert (
        "Privileges found: SELECT on oceanbase.* (log backup views were read); missing: none; "
        "not known: ALTER SYSTEM on *.* (SHOW GRANTS gave no answer)." in text
    )


def test_rows_that_cannot_be_read_are_not_forbidden(
    box: Sandbox, make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: V3Dialect) -> None:
        raise UnreadableError("column STATUS is missing")

    monkeypatch.setattr(V3Dialect, "archive", unreadable)
    ok, text = pressed(make_hook(box))
    assert ok
    assert "missing: none; not known: SELECT on oceanbase.* (log backup views: column STATUS is missing)." in text


def test_a_user_tenant_of_3x(box: Sandbox, make_hook: MakeHook) -> None:
    ok, text = pressed(make_hook(box.connection(tenant="tenant1")))
    assert ok
    assert "tenant tenant1" in text
    assert "not known: SELECT on oceanbase.* (log backup views: [1146] " in text
    assert "in tenant sys only, and this is tenant1" in text


def test_a_user_tenant_of_4x_is_told_whom_to_ask(make_box: Callable[..., Sandbox], make_hook: MakeHook) -> None:
    box = make_box("4.2.5")
    box.add_user("reader", password=PASSWORD, tenant="tenant1")
    ok, text = pressed(make_hook(box.connection("reader", tenant="tenant1")))
    assert ok
    assert "As root of tenant tenant1: GRANT ALTER SYSTEM ON *.* TO reader" in text
    assert text.endswith("Log backup of tenant tenant1 only; tenant sys sees all")


@pytest.mark.parametrize(
    ("mode", "checked"),
    [
        ("REQUIRED", "the server is not checked"),
        ("VERIFY_CA", "the certificate is checked"),
        ("VERIFY_IDENTITY", "certificate and host name are checked"),
    ],
)
def test_tls(
    make_box: Callable[..., Sandbox], make_hook: MakeHook, authority: Any, driver: str, mode: str, checked: str
) -> None:
    box = make_box(tls=authority.server("localhost"), password=PASSWORD)
    ca = {} if mode == "REQUIRED" else {"ssl_ca": str(authority.file)}
    ok, text = pressed(make_hook({**box.connection(), "host": "localhost"}, driver=driver, ssl_mode=mode, **ca))
    assert ok
    assert text.endswith(f"Encrypted with TLS (TLSv1.3, TLS_AES_256_GCM_SHA384, ssl_mode {mode}), {checked}")


def test_tls_required_with_an_authority_is_checked(
    make_box: Callable[..., Sandbox], make_hook: MakeHook, authority: Any
) -> None:
    box = make_box(tls=authority.server("localhost"), password=PASSWORD)
    at = {**box.connection(), "host": "localhost"}
    _, text = pressed(make_hook(at, ssl_mode="REQUIRED", ssl_ca=str(authority.file)))
    assert text.endswith("ssl_mode REQUIRED), the certificate is checked")


def test_a_driver_that_does_not_show_its_cipher(
    make_box: Callable[..., Sandbox], make_hook: MakeHook, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mysqlclient: the C library keeps it."""
    box = make_box(tls=authority.server("localhost"), password=PASSWORD)
    monkeypatch.setattr("airflow_ob_provider.hooks.tested.tls_in_use", lambda _: tls_in_use(object()))
    _, text = pressed(make_hook({**box.connection(), "host": "localhost"}, ssl_mode="REQUIRED"))
    assert text.endswith("Encrypted with TLS (ssl_mode REQUIRED; cipher not shown), the server is not checked")


@pytest.mark.parametrize("bad", ["https://root:s3cret/+=%@ocp.example.com", "javascript:alert(1)", "ocp.example.com"])
def test_an_address_of_ocp_that_is_none(box: Sandbox, make_hook: MakeHook, bad: str) -> None:
    ok, text = pressed(make_hook(box, ocp_url=bad))
    assert not ok
    assert text.startswith("connection field ocp_url must be the http or https address of a page")
    assert not box.statements


def test_version_3_1_0(make_box: Callable[..., Sandbox], make_hook: MakeHook) -> None:
    ok, text = pressed(make_hook(make_box("3.1.0")))
    assert ok
    assert text.startswith("OceanBase 3.1.0, cluster obcluster (1), tenant sys")
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
    assert text.endswith(f"account root@%. {ALL_THERE}{PLAIN}")
    assert "cluster prod (1), tenant sys" in text


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
