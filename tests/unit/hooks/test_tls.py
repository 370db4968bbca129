"""TLS: what is asked for is what is had, or nothing is sent."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_ob_provider.exceptions import OceanBasePermanentError, OceanBaseTransientError
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.hooks.settings import ConnectionFieldError
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox, wire

MakeHook = Callable[..., OceanBaseHook]
MODES = ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
HOST = "localhost"


@pytest.fixture
def tls_box(make_box: Callable[..., Sandbox], authority: Any) -> Sandbox:
    """A cluster whose certificate is that of ``localhost``, and not of 127.0.0.1."""
    return make_box(tls=authority.server(HOST), password="pw")


def at(box: Sandbox, host: str) -> dict[str, Any]:
    return {**box.connection(), "host": host}


def is_encrypted(hook: OceanBaseHook) -> bool:
    with hook.session() as session:
        session.query(Statement.read("SELECT 1"))
        connection = session.connection
        sock = getattr(connection, "_sock", None) or connection._socket.sock
        return isinstance(sock, ssl.SSLSocket)


def refused(hook: OceanBaseHook) -> str:
    with pytest.raises(OceanBasePermanentError) as caught, hook.session():
        pass
    assert caught.value.errno == 2026
    assert caught.value.__context__ is None
    assert "Check ssl_mode, ssl_ca, ssl_cert and ssl_key" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_encrypts(tls_box: Sandbox, make_hook: MakeHook, authority: Any, driver: str, mode: str) -> None:
    hook = make_hook(at(tls_box, HOST), driver=driver, ssl_mode=mode, ssl_ca=str(authority.file))
    assert is_encrypted(hook)


def test_required_needs_no_authority(tls_box: Sandbox, make_hook: MakeHook, driver: str) -> None:
    assert is_encrypted(make_hook(at(tls_box, "127.0.0.1"), driver=driver, ssl_mode="REQUIRED"))


def test_disabled_is_plain_although_the_server_offers_tls(tls_box: Sandbox, make_hook: MakeHook, driver: str) -> None:
    assert not is_encrypted(make_hook(tls_box, driver=driver))


@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_authority_is_refused(
    tls_box: Sandbox, make_hook: MakeHook, other_authority: Any, driver: str, mode: str
) -> None:
    """Also under REQUIRED: an authority that is given is used."""
    hook = make_hook(at(tls_box, HOST), driver=driver, ssl_mode=mode, ssl_ca=str(other_authority.file))
    assert "CERTIFICATE_VERIFY_FAILED" in refused(hook)
    assert not tls_box.statements


def test_a_wrong_name_is_refused_under_verify_identity_only(
    tls_box: Sandbox, make_hook: MakeHook, authority: Any, driver: str
) -> None:
    files = {"ssl_ca": str(authority.file), "driver": driver}
    assert is_encrypted(make_hook(at(tls_box, "127.0.0.1"), ssl_mode="VERIFY_CA", **files))
    assert "127.0.0.1" in refused(make_hook(at(tls_box, "127.0.0.1"), ssl_mode="VERIFY_IDENTITY", **files))


@pytest.mark.parametrize("mode", MODES)
def test_a_server_without_tls_never_sees_the_login(
    listen: Callable[..., Any], make_hook: MakeHook, authority: Any, driver: str, mode: str
) -> None:
    def script(stream: wire.PacketStream, received: list[bytes]) -> None:
        stream.write(wire.handshake("5.7.25", 1, wire.new_scramble(), tls=False))
        received.append(stream.socket.recv(4096))

    listener = listen(script)
    hook = make_hook(listener.connection(), driver=driver, ssl_mode=mode, ssl_ca=str(authority.file))
    assert "offers no TLS" in refused(hook) or "doesn't support it" in refused(hook)
    assert not any(listener.received)


def test_a_real_server_without_tls_is_refused_too(cluster: Sandbox, make_hook: MakeHook, driver: str) -> None:
    refused(make_hook(cluster, driver=driver, ssl_mode="REQUIRED"))
    assert not cluster.statements


def test_a_handshake_that_breaks_off_may_be_tried_again(
    listen: Callable[..., Any], make_hook: MakeHook, driver: str
) -> None:
    """A proxy that restarts, not a wrong certificate."""

    def script(stream: wire.PacketStream, received: list[bytes]) -> None:
        stream.write(wire.handshake("5.7.25", 1, wire.new_scramble(), tls=True))
        received.append(stream.read())

    hook = make_hook(listen(script).connection(), driver=driver, ssl_mode="REQUIRED")
    with pytest.raises(OceanBaseTransientError), hook.session():
        pass


def test_the_driver_shows_its_own_certificate(
    make_box: Callable[..., Sandbox], make_hook: MakeHook, authority: Any, driver: str
) -> None:
    context = authority.server(HOST)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the client hears of a missing one only later
    box = make_box(tls=context)
    certificate, key = map(str, authority.issue("client", []))
    common = {"driver": driver, "ssl_mode": "VERIFY_IDENTITY", "ssl_ca": str(authority.file)}
    assert is_encrypted(make_hook(at(box, HOST), ssl_cert=certificate, ssl_key=key, **common))
    with pytest.raises((OceanBasePermanentError, OceanBaseTransientError)):
        is_encrypted(make_hook(at(box, HOST), **common))


def test_over_tls_the_server_chooses_how_to_ask(
    listen: Callable[..., Any], make_hook: MakeHook, authority: Any
) -> None:
    """The password itself goes only to a server whose identity is proven, or whom the connection trusts unseen."""

    def script(stream: wire.PacketStream, received: list[bytes]) -> None:
        stream.write(wire.handshake("5.7.25", 1, wire.new_scramble(), tls=True))
        stream.read()
        stream.socket = authority.server(HOST).wrap_socket(stream.socket, server_side=True)
        received.append(stream.read())
        stream.write(b"\xfemysql_clear_password\0")
        received.append(stream.read())
        stream.socket.close()

    listener = listen(script)
    hook = make_hook(listener.connection(host=HOST), ssl_mode="VERIFY_IDENTITY", ssl_ca=str(authority.file))
    with pytest.raises(OceanBaseTransientError), hook.session():
        pass
    assert listener.received[1] == b"clear-me-not\0"


# --- files ------------------------------------------------------------------------------------------------------------


def field_error(hook: OceanBaseHook) -> str:
    with pytest.raises(ConnectionFieldError) as caught, hook.session():
        pass
    return str(caught.value)


@pytest.fixture
def files(authority: Any) -> dict[str, str]:
    certificate, key = authority.issue("client", [])
    return {"ssl_ca": str(authority.file), "ssl_cert": str(certificate), "ssl_key": str(key)}


@pytest.mark.parametrize("field", ["ssl_ca", "ssl_cert", "ssl_key"])
@pytest.mark.parametrize("path", ["missing.pem", ".", "nul\0.pem"])
def test_files_that_cannot_be_read(
    cluster: Sandbox, make_hook: MakeHook, driver: str, files: dict[str, str], tmp_path: Path, field: str, path: str
) -> None:
    hook = make_hook(cluster, driver=driver, ssl_mode="VERIFY_CA", **{**files, field: str(tmp_path / path)})
    assert f"connection field {field}: " in field_error(hook)
    assert "is not a readable file on this machine" in field_error(hook)


@pytest.mark.parametrize(
    ("field", "named"),
    [("ssl_ca", "ssl_ca"), ("ssl_cert", "ssl_cert and ssl_key"), ("ssl_key", "ssl_cert and ssl_key")],
)
def test_files_that_hold_something_else(
    cluster: Sandbox,
    make_hook: MakeHook,
    driver: str,
    files: dict[str, str],
    tmp_path: Path,
    field: str,
    named: str,
) -> None:
    (tmp_path / "notes.txt").write_text("not a certificate")
    hook = make_hook(cluster, driver=driver, ssl_mode="VERIFY_CA", **{**files, field: str(tmp_path / "notes.txt")})
    assert named in field_error(hook)
    assert "PEM form" in field_error(hook)
    assert str(tmp_path / "notes.txt") in field_error(hook)


def test_a_key_of_another_certificate(
    cluster: Sandbox, make_hook: MakeHook, driver: str, files: dict[str, str], authority: Any
) -> None:
    other = {"ssl_key": str(authority.issue("other", [])[1])}
    assert "ssl_cert and ssl_key" in field_error(
        make_hook(cluster, driver=driver, ssl_mode="REQUIRED", **{**files, **other})
    )


def test_an_encrypted_key_does_not_ask_for_its_passphrase(
    cluster: Sandbox, make_hook: MakeHook, driver: str, authority: Any
) -> None:
    certificate, key = map(str, authority.issue("locked", [], passphrase="open sesame"))
    hook = make_hook(cluster, driver=driver, ssl_mode="REQUIRED", ssl_cert=certificate, ssl_key=key)
    assert "unencrypted key" in field_error(hook)


# --- SQLAlchemy -------------------------------------------------------------------------------------------------------


def test_sqlalchemy_is_encrypted_too(tls_box: Sandbox, make_hook: MakeHook, authority: Any, driver: str) -> None:
    hook = make_hook(at(tls_box, HOST), driver=driver, ssl_mode="VERIFY_IDENTITY", ssl_ca=str(authority.file))
    engine = hook.get_sqlalchemy_engine()
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        sock = getattr(raw, "_sock", None) or raw._socket.sock
        assert isinstance(sock, ssl.SSLSocket)
    engine.dispose()
