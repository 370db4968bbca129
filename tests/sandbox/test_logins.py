"""Logins: direct and through a proxy, passwords, tenants, privileges, TLS."""

from __future__ import annotations

import datetime
import socket
import ssl

import pymysql
import pytest

STATUS = "SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG"


def refused(connect, box, login, **options):
    with pytest.raises(pymysql.OperationalError) as caught:
        connect(box, login, **options)
    return caught.value.args[0], caught.value.args[1]


def test_direct(make_box, connect):
    box = make_box()
    for login in ("root@sys", "root"):
        client = connect(box, login)
        assert client.connection.server_version == "5.7.25"
        assert client.tuples("SHOW TENANT") == [("sys",)]
    assert connect(box, "root@tenant1").tuples("SHOW TENANT") == [("tenant1",)]


def test_everything_wrong_looks_like_a_wrong_password(make_box, connect):
    box = make_box(password="s3cret")
    assert connect(box, "root@sys", password="s3cret").value("SELECT 1") == 1
    wrong = refused(connect, box, "root@sys", password="no")
    assert wrong == (1045, "Access denied for user 'root'@'127.0.0.1' (using password: YES)")
    for login in ("root@sys#obcluster", "root@nobody", "obcluster:sys:root@sys"):
        errno, text = refused(connect, box, login, password="s3cret")
        assert errno == 1045
        assert text.endswith("(using password: YES)")
    assert refused(connect, box, "obcluster:sys:root", password="s3cret")[0] == 1045
    assert refused(connect, box, "nobody@sys", password="s3cret")[0] == 1045
    assert refused(connect, box, "root@sys") == (1045, "Access denied for user 'root'@'127.0.0.1' (using password: NO)")


def test_empty_password_is_not_any_password(make_box, connect):
    assert refused(connect, make_box(), "root@sys", password="x")[0] == 1045


def test_proxy(make_box, connect):
    box = make_box(proxy=True, cluster="prod", password="pw")
    for login in ("root@sys#prod", "prod:sys:root", "root@sys", "root"):
        client = connect(box, login, password="pw")
        assert client.connection.server_version == "5.6.25"
    for login in ("root@sys#other", "other:sys:root", "root@nobody#prod"):
        assert refused(connect, box, login, password="pw")[0] == 1045
    assert box.connection()["login"] == "root@sys#prod"


def test_connection_json(make_box):
    box = make_box(password="pw")
    assert box.connection() == {
        "conn_type": "oceanbase",
        "host": "127.0.0.1",
        "port": box.port,
        "login": "root@sys",
        "password": "pw",
        "schema": "oceanbase",
        "extra": {},
    }
    assert box.connection(user="nobody", tenant="tenant1")["login"] == "nobody@tenant1"
    box.stop()
    with pytest.raises(RuntimeError, match="isn't running"):
        _ = box.port


def test_connection_attributes_are_kept(make_box, connect):
    box = make_box()
    client = connect(box, program_name="probe")
    client.value("SELECT 1")
    (session,) = box._server.sessions
    assert session.attributes["program_name"] == "probe"
    assert session.attributes["_client_name"] == "pymysql"


def test_user_tenant_cannot_manage_the_cluster(make_box, connect):
    box = make_box()
    client = connect(box, "root@tenant1")
    for what in ("ARCHIVELOG", "NOARCHIVELOG", "BACKUP DATABASE", "MINOR FREEZE", "CANCEL ALL BACKUP FORCE"):
        assert client.error(f"ALTER SYSTEM {what}") == (1227, "Access denied")
    assert client.error("CREATE TENANT x")[0] == 1227
    assert client.error("ALTER SYSTEM SET backup_dest = ''") == (5099, "System config unknown")
    assert client.error(STATUS) == (1146, "Table 'oceanbase.CDB_OB_BACKUP_ARCHIVELOG' doesn't exist")
    assert client.rows("SHOW PARAMETERS LIKE 'backup_dest'") == []
    assert [r["tenant_name"] for r in client.rows("SELECT * FROM gv$tenant")] == ["tenant1"]
    assert client.tuples("SELECT DISTINCT tenant_id FROM gv$memstore_info") == [(1001,)]


def test_privileges(make_box, connect):
    box = make_box()
    box.add_user("reader", password="r", privileges=("SELECT",))
    box.add_user("writer", privileges=("alter system",))
    box.add_user("ops", privileges=("ALTER SYSTEM", "SELECT"))
    reader = connect(box, "reader@sys", password="r")
    assert reader.rows(STATUS)
    assert reader.error("ALTER SYSTEM ARCHIVELOG")[0] == 1227
    assert "ALTER SYSTEM" in reader.error("ALTER SYSTEM SET backup_dest=''")[1]
    writer = connect(box, "writer@sys")
    denied = (1142, "SELECT command denied to user 'writer'@'%' for table 'CDB_OB_BACKUP_ARCHIVELOG'")
    assert writer.error(STATUS) == denied
    assert writer.do("ALTER SYSTEM MINOR FREEZE") == 0
    assert len(writer.rows("SHOW PARAMETERS LIKE 'backup_dest'")) == 3
    ops = connect(box, "ops@sys")
    assert ops.rows("SHOW GRANTS") == [{"Grants for ops@%": "GRANT ALTER SYSTEM, SELECT ON *.* TO 'ops'"}]
    root = connect(box)
    grant = [{"Grants for root@%": "GRANT ALL PRIVILEGES ON *.* TO 'root' WITH GRANT OPTION"}]
    assert root.rows("SHOW GRANTS FOR CURRENT_USER()") == grant
    box.add_user("none", privileges=())
    assert connect(box, "none@sys").value("SHOW GRANTS") == "GRANT USAGE ON *.* TO 'none'"


def test_database_at_login(make_box, connect):
    box = make_box()
    assert refused(connect, box, "root@sys", database="nowhere") == (1049, "Unknown database 'nowhere'")
    client = connect(box, database=None)
    assert client.value("SELECT DATABASE()") is None
    assert client.error(STATUS) == (1046, "No database selected")
    assert client.rows("SELECT * FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG")
    client.connection.select_db("oceanbase")
    assert client.rows(STATUS)
    with pytest.raises(pymysql.OperationalError, match="Unknown database"):
        client.connection.select_db("nowhere")
    client.do("USE test")
    assert client.error(STATUS) == (1146, "Table 'test.CDB_OB_BACKUP_ARCHIVELOG' doesn't exist")
    assert client.error("USE")[0] == 1064


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory):
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


def test_tls(make_box, connect, tls_files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls_files)
    box = make_box(tls=context)
    client = connect(box, ssl={"ca": str(tls_files[0]), "check_hostname": False})
    assert isinstance(client.connection._sock, ssl.SSLSocket)
    assert client.rows(STATUS)
    assert connect(box).rows(STATUS), "TLS is offered, not demanded"


def test_tls_hello_in_one_segment_with_the_request_for_tls(make_box, tls_files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls_files)
    box = make_box(tls=context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=str(tls_files[0])).wrap_bio(
        incoming, outgoing, server_hostname="localhost"
    )
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    capabilities = pymysql.constants.CLIENT.PROTOCOL_41 | pymysql.constants.CLIENT.SSL
    request = b"\x20\0\0\x01" + capabilities.to_bytes(4, "little") + bytes(4) + b"\x2d" + bytes(23)
    with socket.create_connection((box.host, box.port), timeout=10) as raw:
        raw.recv(1024)
        raw.sendall(request + outgoing.read())
        incoming.write(raw.recv(65536))
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(raw.recv(65536))
    assert client.version()


def test_without_tls_none_is_advertised(make_box, connect):
    client = connect(make_box(), ssl={"check_hostname": False, "verify_mode": ssl.CERT_NONE})
    assert not client.connection.server_capabilities & pymysql.constants.CLIENT.SSL
    assert not isinstance(client.connection._sock, ssl.SSLSocket)
