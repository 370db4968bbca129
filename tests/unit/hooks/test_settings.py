"""Every field of the connection: what is taken, what is refused by name, and how a login is put together."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_ob_provider.get_provider_info import get_provider_info
from airflow_ob_provider.hooks.settings import (
    ConnectionFieldError,
    ConnectionSettings,
    Driver,
    TlsMode,
    compose_login,
    ocp_url,
)


def settings(extra: object = None, schema: str | None = None, **fields: Any) -> ConnectionSettings:
    fields = {"login": "root@sys", **fields}
    text = extra if isinstance(extra, str) else json.dumps(extra or {})
    return ConnectionSettings.of(Connection(conn_id="ob", conn_type="oceanbase", extra=text, **fields), schema)


def test_an_almost_empty_connection_has_defaults() -> None:
    found = ConnectionSettings.of(Connection(conn_id="ob", conn_type="oceanbase", login="root"))
    assert found == ConnectionSettings(
        host="127.0.0.1",
        port=2881,
        user="root",
        password="",
        schema="oceanbase",
        driver=Driver.PYMYSQL,
        connect_timeout=5.0,
        read_timeout=15.0,
        write_timeout=15.0,
        query_timeout=10.0,
        tls=TlsMode.DISABLED,
    )


def test_every_field_is_taken() -> None:
    extra = {
        "tenant": "sys",
        "cluster": "prod",
        "driver": "mysqlclient",
        "connect_timeout": "1",
        "read_timeout": 2,
        "write_timeout": 3.5,
        "query_timeout": 4,
        "ssl_mode": "VERIFY_CA",
        "ssl_ca": "/ca",
        "ssl_cert": "/cert",
        "ssl_key": "/key",
    }
    found = settings(extra, host=" db.example ", port=2883, login="ops", password="pw", schema="test")
    assert found == ConnectionSettings(
        host="db.example",
        port=2883,
        user="ops@sys#prod",
        password="pw",
        schema="test",
        driver=Driver.MYSQLCLIENT,
        connect_timeout=1.0,
        read_timeout=2.0,
        write_timeout=3.5,
        query_timeout=4.0,
        tls=TlsMode.VERIFY_CA,
        ssl_ca="/ca",
        ssl_cert="/cert",
        ssl_key="/key",
    )


class Reads(dict[str, Any]):
    """A dictionary that knows which keys were asked for."""

    asked: set[str]

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def test_the_form_offers_exactly_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = Reads()
    extra.asked = set()
    monkeypatch.setattr(Connection, "extra_dejson", extra)
    connection = Connection(conn_id="ob", conn_type="oceanbase", login="root")
    ConnectionSettings.of(connection)
    ocp_url(connection)
    (kind,) = get_provider_info()["connection-types"]
    assert extra.asked == set(kind["conn-fields"])


def test_schema_of_the_hook_comes_first() -> None:
    assert settings(schema="mine").schema == "mine"
    connection = Connection(conn_id="ob", conn_type="oceanbase", login="root", schema="theirs")
    assert ConnectionSettings.of(connection, "mine").schema == "mine"
    assert ConnectionSettings.of(connection).schema == "theirs"


@pytest.mark.parametrize("extra", [{"charset": "gbk"}, {"init_command": "DROP"}, {"local_infile": True}, {"iam": 1}])
def test_unknown_extras_are_ignored(extra: dict[str, Any]) -> None:
    assert settings(extra) == settings()


@pytest.mark.parametrize("name", ["ssl", "ssl_verify_cert", "SSL_MODE", "tls", "tls_versions", "ssl_disabled"])
def test_unknown_extras_about_tls_are_not_ignored(name: str) -> None:
    """A connection moved from MySqlHook would log in in plain text without a word."""
    with pytest.raises(ConnectionFieldError, match=rf"extra holds {name}, .* ssl_mode, ssl_ca, ssl_cert, ssl_key"):
        settings({name: {"ca": "/ca"}})


@pytest.mark.parametrize("extra", ["{'ssl_mode': 'REQUIRED'}", "[1]", "ssl_mode=REQUIRED", '"text"', "1"])
def test_an_extra_that_is_no_json_object_is_not_an_empty_one(extra: str) -> None:
    with pytest.raises(ConnectionFieldError, match="extra is not a JSON object") as caught:
        settings(extra)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("extra", ["", "{}"])
def test_no_extra(extra: str) -> None:
    assert settings(extra) == settings()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        *[
            (name, value, f"{name} must be seconds from 0.1 to 3600, not {value!r}")
            for name in ("connect_timeout", "read_timeout", "write_timeout", "query_timeout")
            for value in (0, -1, 3601, "soon", "nan", "inf", True, [5], 0.09)
        ],
        ("driver", "PyMySQL", "driver must be one of pymysql, mysqlclient, mysql-connector-python; not 'PyMySQL'"),
        ("driver", False, "driver must be one of pymysql, mysqlclient, mysql-connector-python; not False"),
        ("driver", ["pymysql"], "driver must be one of"),
        ("ssl_mode", "PREFERRED", "must be one of DISABLED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY; not 'PREFERRED'"),
        ("ssl_mode", "required", "ssl_mode must be one of"),
        ("ssl_mode", False, "ssl_mode must be one of"),
        ("ssl_ca", 5, "ssl_ca must be text, not 5"),
        ("ssl_cert", ["/c"], "ssl_cert must be text"),
        ("ssl_key", True, "ssl_key must be text"),
        ("tenant", 1001, "tenant must be text, not 1001"),
        ("cluster", {}, "cluster must be text"),
    ],
)
def test_bad_extras_are_refused_by_name_value_and_range(field: str, value: object, message: str) -> None:
    with pytest.raises(ConnectionFieldError) as caught:
        settings({field: value}, login="root")
    assert message in str(caught.value)
    assert f"connection field {field}" in str(caught.value)


@pytest.mark.parametrize("seconds", [0.1, 1, "2.5", 3600])
def test_limits_of_times(seconds: object) -> None:
    assert settings({"read_timeout": seconds}).read_timeout == float(str(seconds))


@pytest.mark.parametrize("value", [None, ""])
def test_fields_left_empty_in_the_form_have_their_defaults(value: object) -> None:
    (kind,) = get_provider_info()["connection-types"]
    assert settings(dict.fromkeys(kind["conn-fields"], value)) == settings()


@pytest.mark.parametrize("port", [0, -1, 65536, "2881", 28.81])
def test_bad_ports(port: Any) -> None:
    with pytest.raises(ConnectionFieldError, match=rf"port must be a whole number from 1 to 65535, not {port!r}"):
        settings(port=port)


@pytest.mark.parametrize("port", [1, 65535])
def test_limits_of_ports(port: int) -> None:
    assert settings(port=port).port == port


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "user@host", "host/path", "two hosts", "http://host"])
def test_bad_hosts(host: str) -> None:
    with pytest.raises(
        ConnectionFieldError, match=r"connection field host .* is neither a name nor an address"
    ) as caught:
        settings(host=host)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("host", ["::1", "10.0.0.1", "ob-1.example.com", "数据库.example"])
def test_good_hosts(host: str) -> None:
    assert settings(host=host).host == host


@pytest.mark.parametrize("field", ["host", "login", "schema"])
@pytest.mark.parametrize("bad", ["a\0b", "a\nb", "a\x7fb", "a\ud800b"])
def test_names_that_no_packet_can_carry(field: str, bad: str) -> None:
    with pytest.raises(ConnectionFieldError, match=f"connection field {field} .* holds a control character"):
        settings(**{field: bad})


def test_a_password_that_cannot_be_encoded_is_refused_without_showing_it() -> None:
    with pytest.raises(ConnectionFieldError, match="password holds a character that UTF-8 cannot write") as caught:
        settings(password="top\ud800secret")
    assert "secret" not in repr(caught.value)
    assert caught.value.__context__ is None


# --- contradictions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["ssl_ca", "ssl_cert", "ssl_key"])
@pytest.mark.parametrize("mode", [{}, {"ssl_mode": "DISABLED"}, {"ssl_mode": ""}])
def test_files_without_tls(field: str, mode: dict[str, str]) -> None:
    with pytest.raises(ConnectionFieldError, match=f"ssl_mode is DISABLED although {field} is given"):
        settings({**mode, field: "/file"})


@pytest.mark.parametrize("mode", ["VERIFY_CA", "VERIFY_IDENTITY"])
def test_verification_needs_an_authority(mode: str) -> None:
    with pytest.raises(ConnectionFieldError, match=f"ssl_mode={mode} needs ssl_ca"):
        settings({"ssl_mode": mode})


@pytest.mark.parametrize("field", ["ssl_cert", "ssl_key"])
def test_certificate_and_key_come_together(field: str) -> None:
    with pytest.raises(ConnectionFieldError, match="ssl_cert and ssl_key are given together or not at all"):
        settings({"ssl_mode": "REQUIRED", field: "/file"})


# --- logins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "tenant", "cluster", "composed"),
    [
        ("root", None, None, "root"),
        ("root", "", "", "root"),
        ("root", "sys", None, "root@sys"),
        ("root", " sys ", " ", "root@sys"),
        ("root", "sys", "prod", "root@sys#prod"),
        ("root", None, "prod", "root@sys#prod"),
        (" root ", "t1", None, "root@t1"),
        ("备份", "租户", "集群", "备份@租户#集群"),
        # As typed: not one letter is changed.
        ("root@sys", None, None, "root@sys"),
        ("root@sys#prod", "", None, "root@sys#prod"),
        ("prod:sys:root", None, "", "prod:sys:root"),
        ("o@ps@t1#c:d", None, None, "o@ps@t1#c:d"),
        (" root", None, None, " root"),
    ],
)
def test_logins(login: str, tenant: object, cluster: object, composed: str) -> None:
    assert compose_login(login, tenant, cluster) == composed
    assert settings({"tenant": tenant, "cluster": cluster}, login=login).user == composed


@pytest.mark.parametrize("mark", ["@", "#", ":"])
@pytest.mark.parametrize("field", ["login", "tenant", "cluster"])
@pytest.mark.parametrize("others", [{"tenant": "sys"}, {"cluster": "prod"}, {"tenant": "sys", "cluster": "prod"}])
def test_parts_that_would_be_cut_elsewhere(mark: str, field: str, others: dict[str, str]) -> None:
    part = f"a{mark}b"
    parts = {"login": "root", "tenant": "", "cluster": "", **others, field: part}
    with pytest.raises(ConnectionFieldError, match=rf"connection field {field} '{part}' holds {mark}: "):
        compose_login(**parts)


@pytest.mark.parametrize("login", ["", "  ", None])
def test_no_login(login: str | None) -> None:
    with pytest.raises(ConnectionFieldError, match="login is empty"):
        settings(login=login)


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_settings_show_no_password_and_go_into_no_pickle() -> None:
    found = settings(password="s3cret/+=%")
    assert "s3cret" not in f"{found} {found!r} {[found]}"
    with pytest.raises(TypeError, match="hold a password and are not pickled"):
        pickle.dumps(found)


def test_ssl_paths_stay_paths(tmp_path: Path) -> None:
    """What a file holds is checked when it is used, on the machine that uses it."""
    assert settings({"ssl_mode": "REQUIRED", "ssl_ca": f" {tmp_path} "}).ssl_ca == str(tmp_path)


# --- the address of OCP -----------------------------------------------------------------------------------------------


def address(value: object, **more: Any) -> str:
    extra = json.dumps({"ocp_url": value, **more})
    return ocp_url(Connection(conn_id="ob", conn_type="oceanbase", extra=extra))


@pytest.mark.parametrize(
    "url",
    [
        "https://ocp.example.com",
        "http://10.0.0.1:8080/cluster/1/overview?tab=backup#logs",
        "https://[fe80::1]:8443/",
        "https://例子.cn/集群",
    ],
)
def test_an_address_of_ocp(url: str) -> None:
    assert address(f" {url} ") == url


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_address_of_ocp(nothing: object) -> None:
    assert address(nothing) == ""
    assert ocp_url(Connection(conn_id="ob", conn_type="oceanbase")) == ""


@pytest.mark.parametrize(
    "bad",
    [
        "ocp.example.com",
        "/cluster/1",
        "//ocp.example.com",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://ocp",
        "https://",
        "https:///path",
        "https://ocp:99999",
        "https://ocp:0",
        "https://[fe80::1",
        "https://ocp/a b",
        "https://ocp/<script>",
        'https://ocp/"onclick',
        "https://ocp/a\x01b",
        "https://ocp/a\ud800",
        "https://ocp\\evil",
    ],
)
def test_what_is_no_address_of_ocp(bad: str) -> None:
    with pytest.raises(ConnectionFieldError, match=r"^connection field ocp_url must be the http or https address"):
        address(bad)


@pytest.mark.parametrize(
    "bad", ["https://root:hunter2@ocp", "https://root@ocp", "https://:hunter2@ocp", "https://ocp/?access_key=hunter2"]
)
def test_an_address_of_ocp_holds_no_secret(bad: str) -> None:
    with pytest.raises(ConnectionFieldError) as caught:
        address(bad)
    assert "remove the login or secret" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_address_of_ocp_that_is_no_text() -> None:
    with pytest.raises(ConnectionFieldError, match="ocp_url must be text"):
        address(["https://ocp"])


def test_a_wrong_address_of_ocp_does_not_end_log_backup() -> None:
    assert settings({"ocp_url": "nonsense"}) == settings()
