"""Logins, names of the version, privileges, sessions of user tenants."""

from __future__ import annotations

import pymysql
import pytest

DENIED = (1227, "Access denied; you need (at least one of) the ALTER SYSTEM privilege(s) for this operation")


def refused(connect, box, login, **options):
    with pytest.raises(pymysql.OperationalError) as caught:
        connect(box, login, **options)
    return caught.value.args[0]


@pytest.mark.parametrize(
    ("profile", "version", "edition"),
    [
        ("4.0.0", "4.0.0.0", "OceanBase_CE"), ("4.1.0", "4.1.0.0", "OceanBase_CE"), ("4.2.1", "4.2.1.7", "OceanBase"),
        ("4.2.5", "4.2.5.0", "OceanBase"), ("4.3.3", "4.3.3.0", "OceanBase_CE"),
    ],
)  # fmt: skip
def test_versions(make_box, connect, profile, version, edition):
    client = connect(make_box(profile))
    assert client.value("SELECT OB_VERSION()") == version
    assert client.value("SELECT VERSION()") == f"5.7.25-{edition}-v{version}"
    assert client.value("SELECT @@version") == f"5.7.25-{edition}-v{version}"
    assert client.connection.server_version == f"5.7.25-{edition}-v{version}"
    assert client.value("SELECT @@version_comment").startswith(f"{edition} {version} (r")
    assert client.value("SELECT BUILD_VERSION FROM DBA_OB_SERVERS LIMIT 1").startswith(f"{version}_1")


def test_a_day_of_one_digit(make_box, connect):
    client = connect(make_box("4.0.0"))
    assert client.value("SELECT BUILD_VERSION FROM DBA_OB_SERVERS LIMIT 1").endswith("(Dec  7 2022 16:22:15)")
    assert client.value("SELECT @@version_comment").endswith("(Built Dec 7 2022 16:22:15)")


def test_direct(make_box, connect):
    box = make_box("4.2.5")
    for login, tenant in (("root", "sys"), ("root@sys", "sys"), ("root@tenant1", "tenant1")):
        assert connect(box, login).tuples("SHOW TENANT") == [(tenant,)]
    for login in ("root@META$1002", "root@nobody", "root@sys#obcluster", "nobody@tenant1", "obcluster:sys:root"):
        assert refused(connect, box, login) == 1045


def test_proxy(make_box, connect):
    box = make_box("4.2.5", proxy=True, cluster="prod")
    for login in ("root@tenant1#prod", "prod:tenant1:root", "prod-tenant1-root", "prod.tenant1.root", "root@tenant1"):
        client = connect(box, login)
        assert client.connection.server_version == "5.6.25"
        assert client.value("SHOW TENANT") == "tenant1"
        assert client.value("SELECT OB_VERSION()") == "4.2.5.0"
    for login in ("root@tenant1#other", "other:tenant1:root", "root@META$1002#prod"):
        assert refused(connect, box, login) == 1045
    assert box.connection(tenant="tenant1")["login"] == "root@tenant1#prod"
    assert connect(box, "root@sys#prod").value("SELECT value FROM __all_virtual_tenant_parameter_stat "
                                               "WHERE name = 'cluster' LIMIT 1") == "prod"  # fmt: skip


def test_connection_of_a_user_tenant(make_box, connect):
    box = make_box("4.2.1", password="pw")
    box.add_user("ops", "tenant1", "secret", ("ALTER SYSTEM", "SELECT"))
    assert box.connection("ops", "tenant1")["password"] == "secret"
    assert box.connection()["password"] == "pw"
    assert connect(box, "ops@tenant1", password="secret").value("SELECT CURRENT_USER()") == "ops@%"
    with pytest.raises(ValueError, match="no tenant called 'nobody'"):
        box.add_user("x", "nobody")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER SYSTEM ARCHIVELOG", "ALTER SYSTEM NOARCHIVELOG", "ALTER SYSTEM SET LOG_ARCHIVE_DEST='LOCATION=file:///x'",
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE='DEFER'", "ALTER SYSTEM SET DATA_BACKUP_DEST='file:///x'",
        "ALTER SYSTEM SET archive_lag_target='60s'", "ALTER SYSTEM BACKUP DATABASE", "ALTER SYSTEM CANCEL BACKUP",
        "ALTER SYSTEM ADD DELETE BACKUP POLICY 'default' RECOVERY_WINDOW '7d'", "ALTER SYSTEM MINOR FREEZE",
    ],
)  # fmt: skip
def test_alter_system_needs_its_privilege(make_box, connect, statement):
    box = make_box("4.2.5")
    for tenant in ("sys", "tenant1"):
        box.add_user("reader", tenant)
        client = connect(box, f"reader@{tenant}")
        assert client.error(statement) == DENIED
        assert client.do("SET ENCRYPTION ON IDENTIFIED BY 'x' ONLY") == 0, "needs no privilege"
        assert client.rows("SELECT * FROM DBA_OB_TENANTS")


def test_select_needs_its_privilege(make_box, connect):
    box = make_box("4.2.5")
    box.add_user("writer", "tenant1", privileges=("ALTER SYSTEM",))
    client = connect(box, "writer@tenant1")
    denied = (1142, "SELECT command denied to user 'writer'@'%' for table 'DBA_OB_ARCHIVELOG'")
    assert client.error("SELECT * FROM DBA_OB_ARCHIVELOG") == denied
    assert client.do("ALTER SYSTEM ARCHIVELOG") == 0
    assert client.value("SHOW GRANTS") == "GRANT ALTER SYSTEM ON *.* TO 'writer'"
    assert client.rows("SHOW PARAMETERS LIKE 'archive_lag_target'")


def test_user_tenants_make_no_tenants(own):
    assert own.error("CREATE TENANT x")[0] == 1227
    assert own.error("DROP TENANT tenant2")[0] == 1227


def test_command_line_and_profiles():
    from airflow_ob_provider.sandbox.profiles import PROFILES

    assert {"4.0.0", "4.1.0", "4.2.1", "4.2.5", "4.3.3"} < set(PROFILES)
    assert [p.name for p in PROFILES.values()] == list(PROFILES)


def test_back_doors_are_for_4_x(make_box):
    box = make_box("3.1.5")
    with pytest.raises(ValueError, match="no log streams"):
        box.interrupt("tenant1")
    with pytest.raises(ValueError, match="no such state"):
        box.set_tenant("tenant1", status="CREATING")
    with pytest.raises(ValueError, match="no simulated medium"):
        _ = box.medium
    with pytest.raises(ValueError, match="one state for all tenants"):
        box.force_status("DOING", "tenant1")


def test_sandbox_statements(archive):
    client, box = archive.client, archive.box
    client.do("SANDBOX FORCE doing tenant1")
    assert (archive.status("tenant1"), archive.status("tenant2")) == ("DOING", "")
    client.do("SANDBOX INTERRUPT tenant1 1")
    client.do("SANDBOX ADVANCE 4")
    assert archive.row()["COMMENT"] == "log stream 1 interrupted"
    client.do("SANDBOX FORCE doing")
    client.do("SANDBOX INTERRUPT 'tenant2'")
    client.do("SANDBOX ADVANCE 4")
    assert archive.row("tenant2")["COMMENT"] == "log stream 1001 interrupted"
    client.do('SANDBOX TENANT tenant1 {"status": "RESTORE", "locked": true}')
    assert client.tuples("SELECT STATUS, LOCKED FROM DBA_OB_TENANTS WHERE TENANT_ID = 1002") == [("RESTORE", "YES")]
    for bad in ("FORCE paused", "FORCE doing nobody", "INTERRUPT nobody", 'TENANT tenant1 {"x": 1}', "TENANT a {x}"):
        assert client.error(f"SANDBOX {bad}")[0] == 1210
    values = {
        "dead_medium": '["tenant1"]', "dest_error": "9082", "media": '{"file:///x": "full"}', "rs_switching": "4023",
        "slow_start_tenants": '{"tenant1": 5}', "failed_backups": '{"tenant1": 4016}', "tenant_snapshots": "tenant1",
    }  # fmt: skip
    for name, value in values.items():
        client.do(f"SANDBOX SET {name} = {value}")
    faults = box.faults
    assert faults.dead_medium == {"tenant1"}
    assert (faults.dest_error, faults.media, faults.rs_switching) == (9082, {"file:///x": "full"}, 4023)
    assert (faults.slow_start_tenants, faults.failed_backups) == ({"tenant1": 5.0}, {"tenant1": 4016})
    assert faults.tenant_snapshots == {"tenant1"}
    client.do("SANDBOX RESET FAULTS")
    assert faults.dead_medium is False


@pytest.mark.parametrize(("value", "error"), [(True, 4114), (4114, 4114), (4023, 4023), (4012, 4012), (False, None)])
def test_rootservice_is_moving(archive, own, value, error):
    archive.box.faults.rs_switching = value
    statements = {
        archive.client: (archive.set(), "ALTER SYSTEM ARCHIVELOG TENANT = tenant1", "ALTER SYSTEM MINOR FREEZE"),
        own: ("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'DEFER'",),
    }
    for client, texts in statements.items():
        for text in texts:
            if error:
                assert client.error(text)[0] == error
            else:
                assert client.do(text) == 0
        assert client.do("SET ENCRYPTION OFF") == 0
    assert (archive.mode() == "ARCHIVELOG") is (error is None)


def test_rich_error_messages(archive):
    archive.box.parameters["enable_rich_error_msg"] = "True"
    errno, text = archive.client.error("ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'x' TENANT = nobody")
    first, second = text.split("\n")
    assert (errno, first) == (5160, "invalid tenant name specified in connection string")
    assert second.startswith("[10.10.10.1:2882] [20")


def test_generic_faults_work(archive, connect, box):
    client = archive.client
    archive.configure()
    box.faults.error_once = ("ARCHIVELOG", 4016)
    assert client.error("ALTER SYSTEM ARCHIVELOG") == (4016, "Internal error")
    assert archive.mode() == "NOARCHIVELOG"
    box.faults.error_once = ("ARCHIVELOG", 4012, None, True)
    assert client.error("ALTER SYSTEM ARCHIVELOG") == (4012, "Timeout")
    assert archive.mode() == "ARCHIVELOG"
    for when, mode in (("drop_before", "ARCHIVELOG"), ("drop_after", "NOARCHIVELOG")):
        setattr(box.faults, when, "NOARCHIVELOG TENANT")
        with pytest.raises(pymysql.OperationalError):
            connect(box).do("ALTER SYSTEM NOARCHIVELOG TENANT = tenant1")
        assert archive.mode() == mode
    assert [entry.outcome for entry in box.writes][-2:] == ["LOST", "LOST"]
    assert {entry.tenant for entry in box.statements} == {"sys"}
