"""Clusters behind real sockets, servers that misbehave, certificates, and everything a hook writes anywhere."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.sandbox import Sandbox, wire

CONNECTORS = ("pymysql", "mysql-connector-python")


@pytest.fixture(params=CONNECTORS)
def driver(request: pytest.FixtureRequest) -> str:
    """Each driver that is installed here."""
    return str(request.param)


@pytest.fixture
def make_hook(add_connection: Callable[..., str]) -> Callable[..., OceanBaseHook]:
    """A hook on a cluster or a whole connection, with extras."""

    def make(box: Sandbox | dict[str, object], *, hook: dict[str, Any] | None = None, **extra: object) -> OceanBaseHook:
        return OceanBaseHook(oceanbase_conn_id=add_connection(box, **extra), **(hook or {}))

    return make


@pytest.fixture
def make_box() -> Iterator[Callable[..., Sandbox]]:
    boxes = contextlib.ExitStack()
    with boxes:
        yield lambda profile="3.2.4", **options: boxes.enter_context(Sandbox(profile, manual_clock=True, **options))


@dataclass
class Listener:
    """A server that follows a script; ``received`` is what its clients sent."""

    port: int
    received: list[bytes] = field(default_factory=list)

    def connection(self, **fields: object) -> dict[str, object]:
        return {
            "conn_type": "oceanbase",
            "host": "127.0.0.1",
            "port": self.port,
            "login": "root@sys",
            "password": "clear-me-not",
            **fields,
        }


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Listeners; their script gets the packets of each client and where to record what it receives."""
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def make(script: Callable[[wire.PacketStream, list[bytes]], None] | None = None) -> Listener:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)
        listener = Listener(server.getsockname()[1])

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    sockets.append(client)
                    if script is not None:
                        with client, contextlib.suppress(wire.DisconnectedError):
                            script(wire.PacketStream(client), listener.received)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return listener

    yield make
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
    for thread in threads:
        thread.join(5)


# --- certificates -----------------------------------------------------------------------------------------------------


class Authority:
    """A throw-away certificate authority."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._serial = 1
        self.file = folder / f"{name}.pem"
        certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0), [])
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, hosts: list[str], *, passphrase: str = "") -> tuple[Path, Path]:
        """Certificate and key of a host or client."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key, x509.BasicConstraints(ca=False, path_length=None), hosts)
        files = self._folder / f"{name}-{self._serial}.pem", self._folder / f"{name}-{self._serial}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        encryption = (
            serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        )
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        files[1].write_bytes(key.private_bytes(pem, form, encryption))
        return files

    def server(self, *hosts: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue("server", list(hosts)))
        return context

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, basic: x509.BasicConstraints, hosts: list[str]
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        self._serial += 1
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(self._serial)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(basic, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            names: list[x509.GeneralName] = [
                x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
                for host in hosts
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other-ca"), "other-ca")


# --- what gets out ----------------------------------------------------------------------------------------------------


class Output:
    """Everything written to logs of any kind, and everything reported as lineage."""

    def __init__(self, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
        self._capfd = capfd
        self._caplog = caplog
        self._printed = ""
        self.lineage: list[dict[str, Any]] = []

    def add_extra(self, context: object, key: str, value: dict[str, Any]) -> None:
        self.lineage.append(value)

    @property
    def logs(self) -> str:
        out, err = self._capfd.readouterr()
        self._printed += out + err
        return self._printed + self._caplog.text

    @property
    def all(self) -> str:
        return f"{self.logs}{self.lineage!r}"


@pytest.fixture
def output(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Output:
    caplog.set_level(logging.DEBUG)
    seen = Output(capfd, caplog)
    monkeypatch.setattr("airflow.providers.common.sql.hooks.lineage.get_hook_lineage_collector", lambda: seen)
    return seen
