"""Parameters of the cluster and of tenants: scopes, ranges, the TENANT clause, who sees which."""

from __future__ import annotations

import pytest

UNKNOWN = (5099, "System config unknown")
SHOWN = "SELECT DISTINCT VALUE FROM GV$OB_PARAMETERS WHERE NAME = '{}' AND TENANT_ID = {}"


def value(client, name, tenant_id=1002):
    rows = client.tuples(SHOWN.format(name, tenant_id))
    assert len(rows) <= 1
    return rows[0][0] if rows else None


def test_show_parameters(archive, own):
    client = archive.client
    rows = client.rows("SHOW PARAMETERS LIKE 'archive_lag_target' TENANT = tenant1")
    assert list(rows[0]) == [
        "zone",
        "svr_type",
        "svr_ip",
        "svr_port",
        "name",
        "data_type",
        "value",
        "info",
        "section",
        "scope",
        "source",
        "edit_level",
        "default_value",
        "isdefault",
    ]
    assert [(r["zone"], r["value"], r["scope"], r["isdefault"]) for r in rows] == [
        ("zone1", "120s", "TENANT", 1), ("zone2", "120s", "TENANT", 1), ("zone3", "120s", "TENANT", 1),
    ]  # fmt: skip
    archive.configure()
    client.do("ALTER SYSTEM SET archive_lag_target = '60s' TENANT = tenant1")
    archive.box.advance(5)
    changed = client.rows("SHOW PARAMETERS LIKE 'archive_lag_target' TENANT = tenant1")[0]
    assert (changed["value"], changed["default_value"], changed["isdefault"]) == ("60s", "120s", 0)
    assert {r["value"] for r in client.rows("SHOW PARAMETERS LIKE 'archive_lag_target'")} == {"120s"}, "sys's own"
    assert {r["value"] for r in own.rows("SHOW PARAMETERS LIKE 'archive_lag_target'")} == {"60s"}
    assert {r["value"] for r in own.rows("SHOW PARAMETERS LIKE 'cluster'")} == {"obcluster"}
    assert own.rows("SHOW PARAMETERS WHERE name = 'ha_low_thread_score' TENANT = tenant1")
    assert own.error("SHOW PARAMETERS LIKE 'x' TENANT = tenant2")[0] == 1227
    assert client.error("SHOW PARAMETERS LIKE 'x' TENANT = nobody")[0] == 5160
    assert client.rows("SHOW PARAMETERS LIKE '%backup_idle_time'") == [], "hidden"
    archive.box.faults.dead_servers = {1}
    assert len(client.rows("SHOW PARAMETERS LIKE 'cluster'")) == 2


@pytest.mark.parametrize(
    ("profile", "lag", "concurrency", "file_size_scope"),
    [
        ("4.0.0", None, None, "CLUSTER"), ("4.1.0", None, "1", "CLUSTER"), ("4.2.1", "120s", "0", "TENANT"),
        ("4.2.5", "120s", "0", "TENANT"), ("4.3.3", "120s", "0", "TENANT"),
    ],
)  # fmt: skip
def test_parameters_of_a_build(make_archive, profile, lag, concurrency, file_size_scope):
    archive = make_archive(profile)
    client = archive.client
    assert value(client, "archive_lag_target") == lag
    assert value(client, "log_archive_concurrency") == concurrency
    scopes = client.tuples("SELECT DISTINCT SCOPE FROM GV$OB_PARAMETERS WHERE NAME = 'backup_data_file_size'")
    assert scopes == [(file_size_scope,)]
    archive.configure()
    for name, known in (("archive_lag_target = '60s'", lag), ("log_archive_concurrency = 0", concurrency == "0")):
        statement = f"ALTER SYSTEM SET {name} TENANT = tenant1"
        if known:
            assert client.do(statement) == 0
        else:
            assert client.error(statement)[0] in {5099, 4147}


@pytest.mark.parametrize(
    "name",
    ["backup_dest", "backup_dest_option", "backup_log_archive_option", "backup_backup_dest", "backup_concurrency",
     "backup_net_limit", "backup_recovery_window", "backup_region", "backup_zone", "restore_concurrency",
     "enable_log_archive", "log_archive_checkpoint_interval", "log_archive_batch_buffer_limit", "gc_wait_archive"],
)  # fmt: skip
def test_parameters_of_3_x_are_gone(client, own, name):
    assert client.error(f"ALTER SYSTEM SET {name} = '1'") == UNKNOWN
    assert own.error(f"ALTER SYSTEM SET {name} = '1'") == UNKNOWN
    assert client.rows(f"SHOW PARAMETERS LIKE '{name}'") == []


@pytest.mark.parametrize(
    ("assignment", "ok"),
    [
        ("archive_lag_target = '0ms'", True), ("archive_lag_target = '7200s'", True),
        ("archive_lag_target = '2h'", True), ("archive_lag_target = '7201s'", False),
        ("archive_lag_target = 'soon'", False), ("log_archive_concurrency = 100", True),
        ("log_archive_concurrency = 101", False), ("log_archive_concurrency = -1", False),
        ("ha_low_thread_score = 100", True), ("ha_low_thread_score = 101", False),
        ("backup_data_file_size = '512M'", True), ("backup_data_file_size = '511M'", False),
        ("backup_data_file_size = '5G'", False),
    ],
)  # fmt: skip
def test_ranges(archive, assignment, ok):
    archive.configure()
    statement = f"ALTER SYSTEM SET {assignment} TENANT = tenant1"
    if ok:
        assert archive.client.do(statement) == 0
    else:
        assert archive.client.error(statement) == (4147, "Invalid config")


def test_lag_target_needs_a_destination(archive, own):
    error = (4179, "log_archive_dest has not been set, set archive_lag_target is not allowed")
    assert own.error("ALTER SYSTEM SET archive_lag_target = '60s'") == error
    assert archive.client.error("ALTER SYSTEM SET archive_lag_target = '60s'") == error, "sys has none"
    archive.configure("tenant1")
    assert own.do("ALTER SYSTEM SET archive_lag_target = '60s'") == 0
    assert archive.client.error("ALTER SYSTEM SET archive_lag_target = '60s' TENANT = all_user") == error
    archive.configure("tenant2")
    assert archive.client.do("ALTER SYSTEM SET archive_lag_target = '61s' TENANT = all_user") == 0
    archive.box.advance(5)
    assert (value(own, "archive_lag_target"), value(archive.client, "archive_lag_target", 1)) == ("61s", "120s")


@pytest.mark.parametrize("name", ["all", "ALL", "all_meta"])
def test_lag_target_of_all(client, name):
    assert client.error(f"ALTER SYSTEM SET archive_lag_target = '60s' TENANT = {name}")[0] == 1235


@pytest.mark.parametrize(
    ("profile", "clause", "changed"),
    [
        ("4.2.1", "", {1}), ("4.2.1", "TENANT = all", {1002, 1004}), ("4.2.1", "TENANT = all_user", {1002, 1004}),
        ("4.2.1", "TENANT = all_meta", set()), ("4.2.1", "TENANT = tenant2", {1004}), ("4.2.1", "TENANT = sys", {1}),
        ("4.1.0", "TENANT = all", {1, 1002, 1004}), ("4.2.1", "TENANT = META$1002", set()),
    ],
)  # fmt: skip
def test_tenants_of_a_parameter(make_archive, profile, clause, changed):
    archive = make_archive(profile)
    archive.client.do(f"ALTER SYSTEM SET ha_low_thread_score = 7 {clause}")
    archive.box.advance(5)
    rows = archive.client.tuples("SELECT DISTINCT TENANT_ID FROM GV$OB_PARAMETERS WHERE NAME='ha_low_thread_score' "
                                 "AND VALUE='7'")  # fmt: skip
    assert {tenant_id for (tenant_id,) in rows} == changed


def test_errors_of_the_tenant_clause(make_archive, own):
    old = make_archive("4.1.0").client
    assert old.error("ALTER SYSTEM SET ha_low_thread_score = 7 TENANT = all_user")[0] == 5160
    assert old.error("ALTER SYSTEM SET ha_low_thread_score = 7 TENANT = nobody")[0] == 5160
    assert old.error("ALTER SYSTEM SET cluster_id = 7 TENANT = tenant1")[0] == 1235
    assert own.error("ALTER SYSTEM SET ha_low_thread_score = 7 TENANT = tenant1")[0] == 1227
    assert own.error("ALTER SYSTEM SET enable_upgrade_mode = True") == UNKNOWN, "the cluster's"
    assert own.do("ALTER SYSTEM SET ha_low_thread_score = 7") == 0


def test_servers_disagree_for_a_while(archive):
    client = archive.client
    client.do("ALTER SYSTEM SET ha_low_thread_score = 7 TENANT = tenant1")
    archive.box.advance(2.5)
    rows = client.tuples("SELECT VALUE FROM GV$OB_PARAMETERS WHERE NAME = 'ha_low_thread_score' AND TENANT_ID = 1002")
    assert sorted(rows) == [("0",), ("7",), ("7",)]
    archive.box.advance(1)
    assert value(client, "ha_low_thread_score") == "7"


def test_preset_from_python(archive):
    parameters = archive.box.parameters
    parameters["ha_low_thread_score"] = "5"
    parameters["ha_low_thread_score", "tenant1"] = "9"
    parameters["enable_upgrade_mode"] = "True"
    parameters["cluster", 1] = "other"
    assert [parameters["ha_low_thread_score", name] for name in ("sys", "tenant1", "tenant2")] == ["5", "9", "5"]
    assert (parameters["ha_low_thread_score"], parameters["ha_low_thread_score", 2]) == ("5", "5")
    assert (parameters["enable_upgrade_mode"], parameters["cluster"], parameters["cluster", 1]) == (
        "True", "obcluster", "other",
    )  # fmt: skip
    parameters["ha_low_thread_score", 2] = "1"
    assert parameters["ha_low_thread_score", 2] == "1"
    with pytest.raises(KeyError):
        _ = parameters["ha_low_thread_score", "nobody"]


def test_several_assignments_and_clauses(archive):
    archive.configure()
    client = archive.client
    client.do(
        "ALTER SYSTEM SET ha_low_thread_score = 3 COMMENT = 'c' SCOPE = BOTH TENANT = tenant1, "
        "archive_lag_target = '90s' TENANT = tenant1"
    )
    archive.box.advance(5)
    assert (value(client, "ha_low_thread_score"), value(client, "archive_lag_target")) == ("3", "90s")
    for bad in ("x", "x = ", "x = y", "cluster = 'a' SCOPE = ALL", "cluster = 'a' SERVER = x"):
        assert client.error(f"ALTER SYSTEM SET {bad}")[0] == 1064
