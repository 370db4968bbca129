"""Parameters: SHOW, propagation, and the checks of each SET in their order."""

from __future__ import annotations

import pytest

DEST = "file:///data/nfs/backup"
SHOW = "SHOW PARAMETERS LIKE 'backup_dest'"
STAT = "SELECT svr_ip, value FROM __all_virtual_sys_parameter_stat WHERE name = 'backup_dest' ORDER BY svr_ip"


def values(client, name="backup_dest"):
    return [row["value"] for row in client.rows(f"SHOW PARAMETERS LIKE '{name}'")]


def test_show_parameters_row(box, client):
    client.do(f"ALTER SYSTEM SET backup_dest = '{DEST}'")
    box.advance(5)
    rows = client.rows(SHOW)
    assert list(rows[0]) == [
        "zone", "svr_type", "svr_ip", "svr_port", "name", "data_type", "value", "info", "section", "scope", "source",
        "edit_level",
    ]  # fmt: skip
    assert [r["zone"] for r in rows] == ["zone1", "zone2", "zone3"]
    assert tuple(rows[0].values()) == (
        "zone1", "observer", "10.10.10.1", 2882, "backup_dest", None, DEST, "backup dest", "OBSERVER", "CLUSTER",
        "DEFAULT", "DYNAMIC_EFFECTIVE",
    )  # fmt: skip


def test_patterns_and_conditions(client):
    names = sorted({r["name"] for r in client.rows("SHOW PARAMETERS LIKE '%backup_dest%'")})
    assert names == ["backup_backup_dest", "backup_backup_dest_option", "backup_dest", "backup_dest_option"]
    assert len(client.rows(r"SHOW PARAMETERS LIKE 'backup\_dest'")) == 3
    assert client.rows(r"SHOW PARAMETERS LIKE 'backup\%'") == []
    assert len(client.rows("SHOW PARAMETERS LIKE 'backup.dest'".replace(".", "_"))) == 3
    assert client.rows("SHOW PARAMETERS LIKE '%idle_time%'") == [], "hidden parameters never show"
    chosen = client.rows("SHOW PARAMETERS WHERE name IN ('backup_dest', 'backup_zone') AND svr_ip LIKE '%.2'")
    assert [r["name"] for r in chosen] == ["backup_dest", "backup_zone"]
    assert len(client.rows("SHOW PARAMETERS LIKE 'cluster' TENANT = sys")) == 3
    assert {r["value"] for r in client.rows("SHOW PARAMETERS LIKE 'cluster'")} == {"obcluster"}
    assert {r["value"] for r in client.rows("SHOW PARAMETERS LIKE 'cluster_id'")} == {"1"}
    assert len(client.rows("SHOW PARAMETERS")) > 40
    assert client.error("SHOW PARAMETERS LIKE")[0] == 1064


def test_propagation_is_staggered(box, client):
    client.do(f"ALTER SYSTEM SET backup_dest = '{DEST}'")
    assert values(client) == ["", "", ""]
    box.advance(2.2)
    assert values(client) == [DEST, "", ""]
    box.advance(0.4)
    assert values(client) == [DEST, DEST, ""]
    box.advance(0.5)
    assert values(client) == [DEST, DEST, DEST]


def test_propagation_time_is_a_fault(box, client):
    box.faults.config_propagation_seconds = 0
    client.do(f"ALTER SYSTEM SET backup_dest = '{DEST}'")
    assert values(client) == [DEST] * 3
    box.faults.config_propagation_seconds = 20
    client.do("ALTER SYSTEM SET backup_dest = ''")
    box.advance(19)
    assert values(client) == [DEST] * 3
    box.advance(12)
    assert values(client) == [""] * 3


def test_a_newer_value_is_never_overwritten_by_an_older_one(box, client):
    box.faults.config_propagation_seconds = 20
    client.do("ALTER SYSTEM SET backup_concurrency = 1")
    box.faults.config_propagation_seconds = 1
    client.do("ALTER SYSTEM SET backup_concurrency = 2")
    box.advance(60)
    assert values(client, "backup_concurrency") == ["2"] * 3


def test_preset_and_disagreeing_servers(box, client):
    box.parameters["backup_dest"] = DEST
    box.parameters["backup_dest", 1] = "file:///elsewhere"
    assert [r["value"] for r in client.rows(STAT)] == [DEST, "file:///elsewhere", DEST]
    assert box.parameters["backup_dest"] == DEST
    assert box.parameters["backup_dest", 1] == "file:///elsewhere"
    assert client.value("SELECT value FROM __all_sys_parameter WHERE name = 'backup_dest'") == DEST


def test_a_dead_server_neither_answers_nor_refreshes(box, client):
    box.faults.dead_servers = {1}
    client.do(f"ALTER SYSTEM SET backup_dest = '{DEST}'")
    box.advance(10)
    assert [r["svr_ip"] for r in client.rows(SHOW)] == ["10.10.10.1", "10.10.10.3"]
    box.faults.dead_servers = set()
    assert values(client) == [DEST, "", DEST]
    box.advance(5)
    assert values(client) == [DEST] * 3


def test_stored_parameters(box, client):
    query = "SELECT svr_ip, svr_port, value FROM __all_sys_parameter WHERE name='backup_dest'"
    assert client.rows(query) == []
    client.do(f"ALTER SYSTEM SET backup_dest = '{DEST}'")
    assert client.tuples(query) == [("ANY", 0, DEST)]
    client.do("ALTER SYSTEM SET backup_concurrency = 3 SERVER = '10.10.10.2:2882'")
    client.do("ALTER SYSTEM backup_net_limit = '10M' ZONE = 'zone3'")
    box.advance(5)
    assert values(client, "backup_concurrency") == ["0", "3", "0"]
    assert values(client, "backup_net_limit") == ["0M", "0M", "10M"]
    assert client.error("ALTER SYSTEM SET backup_concurrency = 3 SERVER = '10.9.9.9:2882'")[0] == 4018


def test_forms_of_set(box, client):
    client.do(
        "alter system set BACKUP_CONCURRENCY = 7 comment 'why' scope = both tenant = sys, "
        "log_archive_concurrency=2 scope memory"
    )
    box.advance(5)
    assert values(client, "backup_concurrency") == ["7"] * 3
    assert values(client, "log_archive_concurrency") == ["2"] * 3


@pytest.mark.parametrize(
    "text",
    [
        "SET backup_dest",
        "SET backup_dest 'x'",
        "SET = 'x'",
        "SET backup_dest = ",
        "SET backup_dest = path",
        "SET backup_dest = 'x' 'y'",
        "SET backup_dest = 'x',",
        "SET backup_dest = 'x' SCOPE = NOWHERE",
        "SET backup_dest = 'x' SERVER = 10",
        "SET backup_concurrency = - ",
        "SET backup_dest = 'open",
        "SET backup_dest = 1.5.2",
    ],
)
def test_syntax_errors_of_set(box, client, text):
    assert client.error(f"ALTER SYSTEM {text}")[0] == 1064


@pytest.mark.parametrize(
    ("assignment", "errno"),
    [
        ("no_such_parameter = 1", 5099),
        ("backup_concurrency = 101", 4147),
        ("backup_concurrency = -1", 4147),
        ("backup_concurrency = 'x'", 4147),
        ("log_archive_checkpoint_interval = '4s'", 4147),
        ("log_archive_checkpoint_interval = '2h'", 4147),
        ("log_archive_checkpoint_interval = 'soon'", 4147),
        ("log_archive_batch_buffer_limit = '3M'", 4147),
        ("log_archive_batch_buffer_limit = 'big'", 4147),
        ("gc_wait_archive = 'perhaps'", 4147),
    ],
)
def test_refused_values(client, assignment, errno):
    assert client.error(f"ALTER SYSTEM SET {assignment}")[0] == errno


@pytest.mark.parametrize(
    "assignment",
    [
        "backup_concurrency = 100",
        "log_archive_checkpoint_interval = '5s'",
        "log_archive_checkpoint_interval = '1h'",
        "log_archive_batch_buffer_limit = '4M'",
        "log_archive_batch_buffer_limit = '2GB'",
        "gc_wait_archive = false",
        "backup_recovery_window = '7d'",
        "backup_zone = 'z1,z2;z3'",
    ],
)
def test_accepted_values(client, assignment):
    assert client.do(f"ALTER SYSTEM SET {assignment}") == 0


def test_one_bad_assignment_spoils_all(box, client):
    assert client.error("ALTER SYSTEM SET backup_concurrency = 5, no_such = 1")[0] == 5099
    box.advance(5)
    assert values(client, "backup_concurrency") == ["0"] * 3


def test_zone_and_region_exclude_each_other(client):
    client.do("ALTER SYSTEM SET backup_zone = 'z1'")
    assert client.error("ALTER SYSTEM SET backup_region = 'r1'")[0] == 9057
    client.do("ALTER SYSTEM SET backup_zone = ''")
    client.do("ALTER SYSTEM SET backup_region = 'r1'")
    assert client.error("ALTER SYSTEM SET backup_zone = 'z1'")[0] == 9058


# --- backup_dest: the checks in their order ---------------------------------------------------------------


def test_checks_of_backup_dest_come_in_their_order(box, client):
    def error(dest):
        return client.error(f"ALTER SYSTEM SET backup_dest = '{dest}'")

    client.start()
    for dest in (DEST, "", "ftp://x", "file:///new"):
        assert error(dest) == (9036, "Backup is in progress")
    client.do("ALTER SYSTEM BACKUP DATABASE")
    client.stop()
    assert error("file:///new")[0] == 9036, "a data backup still runs"
    box.advance(60)

    box.faults.dest_io_error = True
    box.parameters["backup_backup_dest"] = "file:///copy"
    assert client.do("ALTER SYSTEM SET backup_dest = ''") == 0
    assert error("ftp://host/dir") == (9026, "backup destination is not valid")
    assert error("/data/nfs/backup")[0] == 9026
    assert error("file://")[0] == 9026
    assert error("file:///" + "x" * 2048)[0] == 9026
    assert error(f"{DEST}?host=h") == (1235, "backup device is nfs, additional parameters are not supported")
    assert error(f"{DEST}?") == (1235, "backup device is nfs, setting '?' is not supported")
    assert error("oss://bucket/dir")[0] == 4016
    assert error("cos://bucket/dir?")[0] == 4016
    assert error(DEST) == (4009, "IO error")
    box.faults.dest_io_error = False
    assert error(DEST) == (9026, "backup destination is not valid"), "it holds archive info of this cluster"
    assert error(DEST + "/")[0] == 9026
    refused = (1235, "set backup dest with backup backup dest not empty is not supported")
    assert error("file:///new") == refused
    client.do("ALTER SYSTEM SET backup_backup_dest = ''")
    assert client.do("ALTER SYSTEM SET backup_dest = 'file:///new'") == 0
    assert client.do("ALTER SYSTEM SET backup_dest = 'oss://b/d?host=h&access_id=i&access_key=k/+='") == 0


@pytest.mark.parametrize("profile", ["3.1.2", "2.2.77"])
def test_older_builds_take_nfs_with_parameters(make_box, connect, profile):
    assert connect(make_box(profile)).do(f"ALTER SYSTEM SET backup_dest = '{DEST}?a=b'") == 0


@pytest.mark.parametrize("status", ["BEGINNING", "DOING", "STOPPING", "INTERRUPTED"])
def test_backup_dest_is_fixed_in_every_status_but_stop(box, client, status):
    box.force_status(status)
    assert client.error("ALTER SYSTEM SET backup_dest = ''")[0] == 9036


# --- backup_dest_option -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        "",
        "log_archive_checkpoint_interval=5s",
        "log_archive_checkpoint_interval=1h&recovery_window=7d",
        "recovery_window=7d&auto_delete_obsolete_backup=true&log_archive_piece_switch_interval=1d",
        "log_archive_piece_switch_interval=0",
        "log_archive_piece_switch_interval=7d",
        "auto_update_reserved_backup_timestamp=true",
        "auto_delete_obsolete_backup=false&auto_update_reserved_backup_timestamp=on",
        "backup_copies=0",
        "recovery_window=0",
    ],
)
def test_accepted_dest_options(box, client, option):
    assert client.do(f"ALTER SYSTEM SET backup_dest_option = '{option}'") == 0
    box.advance(5)
    assert values(client, "backup_dest_option") == [option] * 3, "stored verbatim"


RANGE = "invalid log_archive_checkpoint_interval out of range [5s,1h] is not supported"


@pytest.mark.parametrize(
    ("option", "errno", "text"),
    [
        ("recovery_window=7d & auto_delete_obsolete_backup=true", 1210, "Invalid argument"),
        (" recovery_window=7d", 1210, "Invalid argument"),
        ("RECOVERY_WINDOW=7d", 1210, "Invalid argument"),
        ("unknown=1", 1210, "Invalid argument"),
        ("recovery_window", 1210, "Invalid argument"),
        ("recovery_window=", 1210, "Invalid argument"),
        ("recovery_window=soon", 1210, "Invalid argument"),
        ("auto_delete_obsolete_backup=maybe", 1210, "Invalid argument"),
        ("backup_copies=two", 1210, "Invalid argument"),
        ("recovery_window=7d&&backup_copies=0", 1210, "Invalid argument"),
        ("log_archive_checkpoint_interval=61m", 1235, RANGE),
        ("log_archive_checkpoint_interval=4s", 1235, "log_archive_checkpoint_interval_ less than 5s is not supported"),
        ("recovery_window=-1d", 1235, "recovery_window less than 0 is not supported"),
        (
            "log_archive_piece_switch_interval=23h",
            1235,
            "invalid piece_switch_interval out of range [1d,7d] is not supported",
        ),
        (
            "log_archive_piece_switch_interval=8d",
            1235,
            "invalid piece_switch_interval out of range [1d,7d] is not supported",
        ),
        (
            "auto_delete_obsolete_backup=true&auto_update_reserved_backup_timestamp=true",
            1235,
            "auto delete and touch backup at same time is not supported",
        ),
        ("backup_copies=1", 1235, "backup copies is not supported"),
    ],
)
def test_refused_dest_options(client, option, errno, text):
    assert client.error(f"ALTER SYSTEM SET backup_dest_option = '{option}'") == (errno, text)


# --- backup_log_archive_option ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        "MANDATORY",
        "optional",
        "MANDATORY compression=disable",
        "MANDATORY compression =enable",
        "MANDATORY compression = lz4_1.0",
        "MANDATORY compression= zstd_1.3.8",
        "optional compression= enable",
        "compression= disable",
        "compression= zstd_1.3.8 optional ",
        "optional compression= disable compression= lz4_1.0",
        "optional   mandatory",
    ],
)
def test_accepted_archive_options(box, client, option):
    assert client.do(f"ALTER SYSTEM SET backup_log_archive_option = '{option}'") == 0
    box.advance(5)
    assert values(client, "backup_log_archive_option") == [option] * 3, "stored verbatim"


@pytest.mark.parametrize(
    "option",
    [
        "",
        " ",
        "optional compression= none",
        "optional compression",
        "optional biubiu",
        "optional compression disable",
        "= compression=disable",
        "compression=disable=",
        "compression=",
        "encryption_mode= none",
        "encryption_algorithm= aes-128",
        "optional\tcompression= enable",
        "backup_mode=optional backup_compress=disable backup_compress_algorithm=lz4_1.0",
    ],
)
def test_refused_archive_options(box, client, option):
    assert client.error(f"ALTER SYSTEM SET backup_log_archive_option = '{option}'") == (4147, "Invalid config")


def test_enterprise_knows_encryption_tokens(make_box, connect):
    client = connect(make_box("3.2.4"))
    option = "mandatory encryption_mode= transparent_encryption encryption_algorithm= aes-256"
    assert client.do(f"ALTER SYSTEM SET backup_log_archive_option = '{option}'") == 0
    assert client.error("ALTER SYSTEM SET backup_log_archive_option = 'encryption_mode= rot13'")[0] == 4147


def test_archive_option_changes_while_archiving(box, client):
    client.start()
    assert client.do("ALTER SYSTEM SET backup_log_archive_option = 'mandatory compression= zstd_1.3.8'") == 0
