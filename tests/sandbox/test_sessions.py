"""Sessions: variables, SHOW statements, the record, the protocol."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from datetime import timedelta

import pymysql
import pytest
from pymysql.constants import CLIENT

from airflow_ob_provider.sandbox import Recorded

STATUS = "SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG"


@pytest.mark.parametrize(
    ("statement", "variable", "value"),
    [
        ("SET SESSION ob_query_timeout = 100000000", "ob_query_timeout", 100000000),
        ("SET ob_query_timeout = 5", "ob_query_timeout", 5),
        ("SET @@ob_query_timeout = 6", "ob_query_timeout", 6),
        ("SET @@session.ob_query_timeout = 7, autocommit = 0", "ob_query_timeout", 7),
        ("SET ob_query_timeout = DEFAULT", "ob_query_timeout", 10000000),
        ("SET autocommit = OFF", "autocommit", 0),
        ("SET AUTOCOMMIT = 1", "autocommit", 1),
        ("SET sql_mode = 'ANSI'", "sql_mode", "ANSI"),
        ("SET sql_mode := TRADITIONAL", "sql_mode", "TRADITIONAL"),
        ("SET NAMES utf8mb4 COLLATE utf8mb4_bin", "character_set_client", "utf8mb4"),
        ("SET NAMES 'gbk'", "character_set_results", "gbk"),
        ("SET CHARACTER SET gbk", "character_set_connection", "gbk"),
        ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "tx_isolation", "READ-COMMITTED"),
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "autocommit", 1),
        ("SET @x = 1", "autocommit", 1),
    ],
)
def test_set_session(client, statement, variable, value):
    assert client.do(statement) == 0
    assert client.value(f"SELECT @@{variable}") == value


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("SET nope = 1", 1193),
        ("SET version = 'x'", 1238),
        ("SET ob_query_timeout = 'soon'", 1232),
        ("SET time_zone = 'Mars/Olympus'", 1298),
        ("SET", 1064),
        ("SET NAMES", 1064),
        ("SET autocommit", 1064),
        ("SET autocommit = (SELECT 1)", 1064),
        ("INSERT INTO t VALUES (1)", 1235),
        ("DROP TABLE t", 1235),
        ("FLY", 1064),
        ("SHOW", 1064),
        ("SHOW NOTHING", 1064),
        ("DESC", 1064),
        ("DESC a b c", 1064),
        ("SHOW VARIABLES FOR x", 1064),
    ],
)
def test_refused_statements(client, statement, errno):
    assert client.error(statement)[0] == errno


def test_global_variables_are_for_new_sessions(box, client, connect):
    client.do("SET GLOBAL ob_query_timeout = 77")
    assert client.value("SELECT @@ob_query_timeout") == 10000000
    assert client.value("SELECT @@global.ob_query_timeout") == 77
    assert connect(box).value("SELECT @@ob_query_timeout") == 77


def test_transactions_ping_and_reset(client):
    for statement in ("START TRANSACTION", "BEGIN", "COMMIT", "ROLLBACK"):
        assert client.do(statement) == 0
    client.connection.ping(reconnect=False)
    client.connection._execute_command(pymysql.constants.COMMAND.COM_STMT_PREPARE, "SELECT 1")
    with pytest.raises(pymysql.MySQLError, match="Unknown command"):
        client.connection._read_ok_packet()
    assert client.value("SELECT 1") == 1, "the connection goes on"


def test_show(client):
    assert client.tuples("SHOW VARIABLES LIKE 'autocommit'") == [("autocommit", "ON")]
    assert client.rows("SHOW SESSION VARIABLES WHERE variable_name = 'version'") == [
        {"Variable_name": "version", "Value": "3.1.5-OceanBase CE"}
    ]
    assert client.tuples("SHOW DATABASES LIKE 'ocean%'") == [("oceanbase",)]
    assert client.tuples("SHOW TABLES FROM oceanbase LIKE 'CDB_OB_BACKUP_PIECE%'") == [("CDB_OB_BACKUP_PIECE_FILES",)]
    assert client.tuples("SHOW TABLES IN test") == []
    assert ("gv$tenant",) in client.tuples("SHOW FULL TABLES")
    assert client.tuples("SHOW WARNINGS") == []
    assert client.tuples("DESC CDB_OB_BACKUP_PIECE_FILES")[6][:2] == ("START_TS", "varchar(256)")
    assert len(client.tuples("SHOW COLUMNS FROM oceanbase.__all_server")) == 16


def test_version_comment(make_box, connect):
    for profile, start in {
        "2.2.77": "OceanBase 2.2.77 (r", "3.1.0": "OceanBase 3.1.0 (r", "3.1.2": "OceanBase 3.1.2 (r",
        "3.1.5": "OceanBase 3.1.5 (r", "3.2.4": "OceanBase 3.2.4.3 (r",
    }.items():  # fmt: skip
        assert connect(make_box(profile)).value("SELECT @@version_comment").startswith(start)


# --- profiles ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "version", "bare"),
    [
        ("3.1.0", "3.1.0", "3.1.0"),
        ("3.1.2", "3.1.2-OceanBase CE", "3.1.2"),
        ("3.1.5", "3.1.5-OceanBase CE", "3.1.5"),
        ("3.2.4", "5.7.25-OceanBase-v3.2.4.3", "3.2.4.3"),
    ],
)
def test_version_functions(make_box, connect, profile, version, bare):
    client = connect(make_box(profile))
    assert client.tuples("SELECT version(), @@version, ob_version()") == [(version, version, bare)]
    assert client.value("SHOW VARIABLES LIKE 'version'") == "version"
    assert client.value("SELECT build_version FROM __all_server LIMIT 1").startswith(bare + "_")


def test_3_1_0(make_box, connect):
    box = make_box("3.1.0")
    client = connect(box)
    for view in ("ARCHIVELOG", "PIECE_FILES", "SET_FILES"):
        assert client.error(f"SELECT * FROM CDB_OB_BACKUP_{view}")[0] == 1146
    client.do("ALTER SYSTEM SET backup_dest = 'file:///data'")
    assert client.error("ALTER SYSTEM ARCHIVELOG") == (4114, "In STOP state")
    assert client.error("ALTER SYSTEM SET backup_dest_option = ''")[0] == 5099
    assert client.error("ALTER SYSTEM SET backup_zone = ''")[0] == 5099
    box.force_status("DOING")
    assert client.error("ALTER SYSTEM ARCHIVELOG") == (9023, "cannot start log archive backup")
    row = client.rows("SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG_SUMMARY")[1]
    assert len(row) == 11
    assert "START_PIECE_ID" not in row
    assert row["MAX_NEXT_TIME"] == box.now
    assert "CUR_PIECE_ID" not in client.rows("SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG_PROGRESS")[0]
    own = connect(box, "root@tenant1").rows("SELECT TENANT_ID FROM CDB_OB_BACKUP_ARCHIVELOG_SUMMARY")
    assert own == [{"TENANT_ID": 1001}], "every tenant has the views, with its own rows"
    client.do("ALTER SYSTEM NOARCHIVELOG")
    box.advance(15)
    assert client.value("SELECT STATUS FROM CDB_OB_BACKUP_ARCHIVELOG_SUMMARY WHERE TENANT_ID=1") == "STOP"


def test_2_2_77_refuses_a_second_start_in_the_old_way(make_box, connect):
    client = connect(make_box("2.2.77"))
    client.start()
    assert client.error("ALTER SYSTEM ARCHIVELOG") == (9023, "cannot start log archive backup")


@pytest.mark.parametrize(("profile", "option"), [("3.1.2", "OPTIONAL"), ("3.1.5", "OPTIONAL COMPRESSION=ENABLE")])
def test_default_archive_option(make_box, connect, profile, option):
    rows = connect(make_box(profile)).rows("SHOW PARAMETERS LIKE 'backup_log_archive_option'")
    assert {r["value"] for r in rows} == {option}


# --- the record -------------------------------------------------------------------------------------------


def test_record(box, client, connect):
    assert [entry.sql for entry in box.statements] == ["SET NAMES utf8mb4"], "what a driver sends counts too"
    box.clear_statements()
    sql = "/* dag=a task=b */ ALTER SYSTEM SET backup_dest='file:///x'"
    client.do(sql)
    assert client.error("SELECT nope")[0] == 1054
    other = connect(box, "root@tenant1")
    other.do("SET SESSION ob_query_timeout = 1000000")
    first, second, _, third = box.statements
    assert isinstance(first, Recorded)
    assert (first.sql, first.writes, first.outcome) == (sql, True, "OK")
    assert (second.sql, second.writes, second.outcome) == ("SELECT nope", False, 1054)
    assert (third.user, third.tenant, third.writes) == ("root", "tenant1", False)
    assert [first.seq, second.seq, third.seq] == sorted([first.seq, second.seq, third.seq])
    assert first.at == box.now
    assert first.connection_id == second.connection_id != third.connection_id
    assert client.value("SELECT CONNECTION_ID()") == first.connection_id
    assert box.writes == (first,)
    box.clear_statements()
    assert box.statements == box.writes == ()


def test_statements_of_many_connections(make_box, connect):
    box = make_box(speed=50)
    clients = [connect(box) for _ in range(6)]
    box.clear_statements()
    failures = []

    def work(client):
        try:
            for _ in range(10):
                assert client.rows(STATUS)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(box.statements) == 60
    assert len({entry.seq for entry in box.statements}) == 60


# --- time -------------------------------------------------------------------------------------------------


def test_manual_clock_is_deterministic(make_box, connect):
    views = (
        "CDB_OB_BACKUP_ARCHIVELOG",
        "CDB_OB_BACKUP_PIECE_FILES",
        "CDB_OB_BACKUP_SET_FILES",
        "gv$merge_info",
        "__all_rootservice_event_history",
    )

    def run():
        box = make_box(tenants=3, servers=5, start_time=start)
        client = connect(box)
        seen = []
        client.do("ALTER SYSTEM SET backup_dest='file:///x'")
        client.do("ALTER SYSTEM MINOR FREEZE")
        client.do("ALTER SYSTEM ARCHIVELOG")
        for step in range(40):
            box.advance(7.3)
            if step == 5:
                box.create_tenant("late")
            if step == 20:
                client.do("ALTER SYSTEM BACKUP DATABASE")
            seen += [client.tuples(f"SELECT * FROM {view}") for view in views]
        return seen

    start = make_box().now
    assert run() == run()


def test_many_small_steps_equal_one_big_step(make_box, connect):
    start = make_box().now
    results = []
    for steps in (1, 600):
        box = make_box(start_time=start)
        client = connect(box)
        client.do("ALTER SYSTEM SET backup_dest='file:///x'")
        client.do("ALTER SYSTEM ARCHIVELOG")
        for _ in range(steps):
            box.advance(600 / steps)
        results.append(client.tuples(STATUS))
    assert results[0] == results[1]


def test_running_clock(make_box, connect):
    box = make_box(speed=100)
    client = connect(box)
    client.do("ALTER SYSTEM SET backup_dest='file:///x'")
    client.do("ALTER SYSTEM ARCHIVELOG")
    limit = box.now + timedelta(seconds=300)
    while set(client.statuses().values()) != {"DOING"}:
        assert box.now < limit
    before = box.now
    box.advance(1000)
    assert box.now - before >= timedelta(seconds=1000)


def test_bad_arguments(make_box):
    with pytest.raises(ValueError, match=r"unknown profile '4\.2'"):
        make_box("4.2")
    with pytest.raises(ValueError, match="at least one server"):
        make_box(servers=0)
    with pytest.raises(ValueError, match="positive"):
        make_box(speed=0)
    with pytest.raises(ValueError, match="naive"):
        make_box(start_time=make_box().now.astimezone())
    with pytest.raises(ValueError, match="forward"):
        make_box().advance(-1)


def test_tenant_names_are_unique_and_sys_stays(box, client):
    assert client.error("CREATE TENANT tenant1")[0] == 5156
    assert client.error("DROP TENANT sys")[0] == 1235


# --- protocol ---------------------------------------------------------------------------------------------


class Raw:
    """A client that speaks the protocol by hand."""

    def __init__(self, box, user="root@sys", auth=b"", plugin="mysql_native_password"):
        self.socket = socket.create_connection((box.host, box.port), timeout=10)
        greeting = self.read()
        salt = greeting[greeting.index(b"\0", 1) + 5 :]
        self.salt = salt[:8] + salt[27:39]
        capabilities = CLIENT.PROTOCOL_41 | CLIENT.SECURE_CONNECTION | (CLIENT.PLUGIN_AUTH if plugin else 0)
        hello = capabilities.to_bytes(4, "little") + bytes(4) + b"\x2d" + bytes(23)
        hello += user.encode() + b"\0" + bytes([len(auth)]) + auth
        self.write(hello + (plugin.encode() + b"\0" if plugin else b""), number=1)
        self.answer = self.read()

    def read(self):
        header = self._exactly(4)
        return self._exactly(int.from_bytes(header[:3], "little"))

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            chunk = self.socket.recv(count - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data

    def write(self, payload, number=0):
        self.socket.sendall(len(payload).to_bytes(3, "little") + bytes([number]) + payload)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def test_error_packets_carry_the_sqlstate(box):
    with Raw(box) as raw:
        for errno, state in {1045: b"42000", 1146: b"42S02", 1227: b"42501", 1235: b"0A000", 4009: b"58030",
                             4114: b"08S01", 4527: b"F0000", 5099: b"42000", 9036: b"HY000"}.items():  # fmt: skip
            box.faults.error_once = ("SELECT 1", errno, "why")
            raw.write(b"\x03SELECT 1")
            assert raw.read() == b"\xff" + errno.to_bytes(2, "little") + b"#" + state + b"why"


def test_long_values_and_many_rows(box, client):
    text = "x" * 70000
    assert client.value(f"SELECT '{text}'") == text
    big = "y" * (2**24 + 100)
    box.parameters["backup_region"] = big
    assert client.value("SELECT value FROM __all_sys_parameter WHERE name='backup_region'") == big


def test_other_auth_plugins_are_switched(make_box):
    with Raw(make_box(password="pw"), auth=b"abc", plugin="caching_sha2_password") as raw:
        assert raw.answer == b"\xfemysql_native_password\0" + raw.salt + b"\0"
        raw.write(pymysql._auth.scramble_native_password(b"pw", raw.salt), number=3)
        assert raw.read()[0] == 0


def test_handshake_of_a_client_without_plugins(box):
    with Raw(box, plugin="") as raw:
        assert raw.answer[0] == 0
        raw.write(b"\x03SELECT 1")
        assert raw.read() == b"\x01"


def test_a_refused_login_ends_the_connection(box, caplog):
    with Raw(box, auth=b"x" * 20) as raw:
        assert raw.answer[:3] == b"\xff\x15\x04"
        assert raw.socket.recv(1) == b""
    assert box.statements == box._server.sessions == ()
    assert not caplog.records


@pytest.mark.parametrize("packet", [b"root@sys", b"root@sys\0\0test", b"root@sys\0\0test\0mysql_native_password"])
def test_login_without_its_last_nul(box, packet):
    with socket.create_connection((box.host, box.port), timeout=10) as raw:
        raw.recv(1024)
        capabilities = CLIENT.PROTOCOL_41 | CLIENT.SECURE_CONNECTION
        for part, flag in enumerate((CLIENT.CONNECT_WITH_DB, CLIENT.PLUGIN_AUTH), start=2):
            capabilities |= flag if packet.count(b"\0") >= part else 0
        packet = capabilities.to_bytes(4, "little") + bytes(4) + b"\x2d" + bytes(23) + packet
        raw.sendall(len(packet).to_bytes(3, "little") + b"\x01" + packet)
        assert raw.recv(1024)[3:] == b"\x02\0\0\0\x02\0\0\0"


def test_header_in_pieces(box):
    with Raw(box) as raw:
        for piece in (b"\x09", b"\0\0", b"\0\x03SELE", b"CT 1"):
            raw.socket.sendall(piece)
            time.sleep(0.02)
        assert raw.read() == b"\x01"


def test_a_command_of_two_packets(box):
    with Raw(box) as raw:
        raw.write(b"\x0e" + bytes(2**24 - 2))
        raw.write(b"the rest", number=1)
        assert raw.read()[0] == 0


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x04\0\0"])
def test_client_that_vanishes_leaves_nothing(box, client, caplog, sent):
    with socket.create_connection((box.host, box.port)) as raw:
        raw.sendall(sent)
    assert client.value("SELECT 1") == 1
    assert len(box._server.sessions) == 1
    box.stop()
    assert not caplog.records


def test_client_that_does_not_wait_for_its_answer(box, client, caplog):
    box.faults.slow_answers_seconds = 0.1
    box.faults.slow_answers_pattern = "SELECT (2|nope)"
    for sql in (b"SELECT 2", b"SELECT nope"):
        with Raw(box) as raw:
            raw.write(b"\x03" + sql)
            raw.write(b"\x03" + sql)
            # Closing with a reset: the answer meets a dead connection.
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + 10
    while len(box._server.sessions) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert client.value("SELECT 1") == 1
    assert not caplog.records


def test_a_defect_of_the_sandbox_is_in_the_log(box, client, caplog, monkeypatch):
    monkeypatch.setattr(type(box._server.sessions[0]), "execute", lambda *_: 1 / 0)
    assert client.error("SELECT 1")[0] == 2013
    (record,) = caplog.records
    assert record.exc_info[0] is ZeroDivisionError


def test_start_and_stop_are_idempotent(make_box):
    box = make_box()
    assert box.start() is box
    box.stop()
    box.stop()


def test_stopping_does_not_wait_for_clients(make_box, connect, caplog):
    box = make_box()
    client, other = connect(box), connect(box)
    box.faults.slow_answers_seconds = 5
    box.faults.slow_answers_pattern = "SELECT 2"

    def ask():
        with contextlib.suppress(pymysql.MySQLError):
            other.do("SELECT 2")

    waiting = threading.Thread(target=ask)
    waiting.start()
    while "SELECT 2" not in [entry.sql for entry in list(box._server.world.recorder._entries.values())]:
        time.sleep(0.01)
    threads = {thread for thread in threading.enumerate() if thread.name.startswith("sandbox-")}
    started = time.monotonic()
    box.stop()
    assert time.monotonic() - started < 4
    with pytest.raises(pymysql.MySQLError):
        client.do("SELECT 1")
    waiting.join()
    assert not threads & set(threading.enumerate())
    assert not caplog.records


def test_tenants_and_zones(client):
    names = client.tuples("SELECT tenant_id, tenant_name, locked, status FROM __all_tenant ORDER BY tenant_id")
    assert names[:2] == [(1, "sys", 0, "TENANT_STATUS_NORMAL"), (1001, "tenant1", 0, "TENANT_STATUS_NORMAL")]
    locality = "FULL{1}@zone1, FULL{1}@zone2, FULL{1}@zone3"
    zones = "zone1;zone2;zone3"
    assert client.tuples("SELECT * FROM gv$tenant WHERE tenant_id < 1002") == [
        (1, "sys", zones, zones, 0, "system tenant", 0, locality),
        (1001, "tenant1", zones, "RANDOM", 0, "", 0, locality),
    ]
    servers = client.rows("SELECT * FROM __all_server ORDER BY id")
    assert [(s["svr_ip"], s["svr_port"], s["inner_port"], s["with_rootserver"]) for s in servers] == [
        ("10.10.10.1", 2882, 2881, 1),
        ("10.10.10.2", 2882, 2881, 0),
        ("10.10.10.3", 2882, 2881, 0),
    ]
    assert all(s["stop_time"] == 0 < s["start_service_time"] for s in servers)


def test_states_of_partition_groups(box, client):
    states = "SELECT DISTINCT STATUS FROM CDB_OB_BACKUP_ARCHIVELOG_PROGRESS"
    box.faults.slow_start_seconds = 60
    box.parameters["backup_dest"] = "file:///data"
    client.do("ALTER SYSTEM ARCHIVELOG")
    assert client.tuples(states) == []
    box.advance(15)
    assert client.tuples(states) == [("BEGINNING",)]
    box.advance(120)
    assert client.tuples(states) == [("DOING",)]
    box.drop_tenant("tenant1")
    assert client.tuples("SELECT DISTINCT TENANT_ID FROM CDB_OB_BACKUP_ARCHIVELOG_PROGRESS") == [(1002,)]
    box.faults.unmounted_servers = {0, 1, 2}
    box.advance(11)
    assert client.tuples(states) == [("INTERRUPTED",)]
    box.faults.destination_unwritable = True
    box.force_status("DOING")
    client.do("ALTER SYSTEM NOARCHIVELOG")
    box.advance(20)
    assert client.tuples(states) == [("STOP",)]
