"""SET LOG_ARCHIVE_DEST, LOG_ARCHIVE_DEST_STATE and DATA_BACKUP_DEST: checks in their order, rows, the medium."""

from __future__ import annotations

import pytest

OSS = "oss://bucket/dir?host=oss.example.com&access_id=ID&access_key=SECRET"
S3 = "s3://bucket/dir/?host=s3.example.com&access_id=ID&access_key=SECRET&s3_region=eu"
COS = "cos://bucket/dir?host=cos.example.com&access_id=ID&access_key=SECRET&appid=7"
NOT_SUPPORTED = (1235, "Not supported feature or function")
INVALID = (1210, "Invalid argument")
RUNNING = (1235, "change archive dest when archive is running is not supported")
NO_LOCATION = (1235, "set archive dest without location is not supported")


# --- whose it is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clause", "error"),
    [
        ("", NOT_SUPPORTED),
        ("TENANT = sys", NOT_SUPPORTED),
        ("TENANT = 'META$1002'", NOT_SUPPORTED),
        ("TENANT = nobody", (5160, "invalid tenant name specified in connection string")),
        ("TENANT = tenant2", (5260, "Tenant 'tenant2' is locked")),
    ],
)
@pytest.mark.parametrize("what", ["LOG_ARCHIVE_DEST='LOCATION=file:///x'", "DATA_BACKUP_DEST='file:///x'"])
def test_tenant_of_a_sys_statement(box, client, what, clause, error):
    box.set_tenant("tenant2", locked=True)
    assert client.error(f"ALTER SYSTEM SET {what} {clause}") == error


@pytest.mark.parametrize("name", ["tenant1", "`tenant1`", "'tenant1'", '"tenant1"'])
@pytest.mark.parametrize("equals", [" = ", " "])
def test_spellings_of_the_tenant(archive, name, equals):
    assert archive.client.do(f"alter system set log_archive_dest='location=file:///x' tenant{equals}{name}") == 0
    assert archive.destination()["path"] == "file:///x"


def test_one_tenant_per_statement(client):
    assert client.error("ALTER SYSTEM SET LOG_ARCHIVE_DEST='LOCATION=file:///x' TENANT = tenant1, tenant2")[0] == 1064


def test_user_tenant_sets_its_own(own, archive):
    assert own.error("ALTER SYSTEM SET LOG_ARCHIVE_DEST='LOCATION=file:///x' TENANT = tenant1") == (
        1227,
        "Access denied",
    )
    assert own.do("ALTER SYSTEM SET LOG_ARCHIVE_DEST='LOCATION=file:///x'") == 0
    assert dict(own.tuples("SELECT NAME, VALUE FROM DBA_OB_ARCHIVE_DEST")) == archive.destination()


# --- the value ----------------------------------------------------------------------------------------------------


def test_rows(archive):
    archive.client.do(archive.set(value="  binding=Mandatory   LOCATION=file:///a/b//  piece_switch_interval=36h "))
    rows = archive.client.tuples("SELECT * FROM CDB_OB_ARCHIVE_DEST")
    assert rows == [
        (1002, 0, "binding", "MANDATORY"),
        (1002, 0, "dest_id", "1001"),
        (1002, 0, "path", "file:///a/b"),
        (1002, 0, "piece_switch_interval", "1d"),
        (1002, 0, "state", "ENABLE"),
    ]


def test_every_statement_repeats_everything(archive):
    archive.client.do(archive.set(value="LOCATION=file:///a BINDING=MANDATORY PIECE_SWITCH_INTERVAL=7d"))
    archive.client.do("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE='DEFER' TENANT=tenant1")
    assert archive.destination()["state"] == "DEFER"
    archive.client.do(archive.set(value="LOCATION=file:///a"))
    rows = archive.destination()
    assert (rows["binding"], rows["piece_switch_interval"], rows["state"]) == ("OPTIONAL", "1d", "ENABLE")


def test_compression_is_a_row_that_stays(archive):
    archive.client.do(archive.set(value="LOCATION=file:///a COMPRESSION=enable"))
    archive.client.do(archive.set(value="LOCATION=file:///b"))
    assert archive.destination()["compression"] == "enable"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("LOCATION=file:///x FOO=1", NOT_SUPPORTED),
        ("LOCATION = file:///x", INVALID),
        ("LOCATION=", INVALID),
        ("LOCATION=file:///x BINDING=maybe", INVALID),
        ("LOCATION=file:///x BINDING=", INVALID),
        ("LOCATION=file:///x PIECE_SWITCH_INTERVAL=soon", INVALID),
        ("LOCATION=file:///x PIECE_SWITCH_INTERVAL=59s", INVALID),
        ("LOCATION=file:///x PIECE_SWITCH_INTERVAL=-1d", INVALID),
        ("LOCATION=file:///x PIECE_SWITCH_INTERVAL=23h",
         (1235, "invalid piece_switch_interval out of range [1d,7d] is not supported")),
        ("LOCATION=file:///x PIECE_SWITCH_INTERVAL=8d",
         (1235, "invalid piece_switch_interval out of range [1d,7d] is not supported")),
        ("LOCATION=file:///x COMPRESSION=lz4", NOT_SUPPORTED),
        ("LOCATION=obs://b/d?host=h&access_id=i&access_key=k", (9026, "obs://b/d is not a valid uri")),
        ("LOCATION=FILE:///x", (9026, "backup destination is not valid")),
        ("LOCATION=file://x", (9026, "file://x is not a valid uri")),
        ("LOCATION=file:///", (9026, "file:/// is not a valid uri")),
        (f"LOCATION=file:///{'x' * 1016}", (9026, f"file:///{'x' * 1016} is not a valid uri")),
        (f"LOCATION=file:///x BINDING={'x' * 2021}", (4019, "Size not enough")),
        ("LOCATION=file:///x?host=y", (9026, "file:///x is not a valid uri")),
        ("LOCATION=/x", (9026, "backup destination is not valid")),
        ("LOCATION=oss://b/d", (9026, "oss://b/d is not a valid uri")),
        ("LOCATION=oss://b/d?host=h&access_id=i", (9026, "oss://b/d is not a valid uri")),
        ("LOCATION=oss://b/d?host=h&access_id=i&access_key=", (9026, "oss://b/d is not a valid uri")),
        (f"LOCATION={OSS}&encrypt_key=x", (9026, "oss://bucket/dir is not a valid uri")),
        (f"LOCATION={OSS}&delete_mode=never", (9026, "oss://bucket/dir is not a valid uri")),
        (f"LOCATION={COS.replace('appid', 'app')}", (9026, "cos://bucket/dir is not a valid uri")),
        ("BINDING=Optional", NO_LOCATION),
        ("   ", NO_LOCATION),
    ],
)  # fmt: skip
def test_bad_values(archive, value, error):
    assert archive.client.error(archive.set(value=value)) == error
    assert archive.destination() == {}


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (OSS, "oss://bucket/dir?host=oss.example.com"),
        (f"{OSS}&delete_mode=tagging", "oss://bucket/dir?host=oss.example.com"),
        (S3, "s3://bucket/dir?host=s3.example.com"),
        (COS, "cos://bucket/dir?host=cos.example.com"),
    ],
)
def test_object_stores(archive, uri, shown):
    archive.client.do(archive.set(value=f"LOCATION={uri}"))
    path = archive.destination()["path"]
    assert "access_key=SECRET" in path, "in clear, as on a real server"
    assert path == uri.replace("/?", "?")
    archive.client.do("ALTER SYSTEM ARCHIVELOG TENANT=tenant1")
    archive.box.advance(20)
    assert archive.row()["PATH"] == shown, "no secrets anywhere else"


@pytest.mark.parametrize(
    ("profile", "accepted"),
    [
        ("4.0.0", {"oss"}), ("4.1.0", {"oss"}), ("4.2.1", {"oss", "cos", "s3"}), ("4.2.5", {"oss", "cos", "s3"}),
        ("4.3.3", {"oss", "cos", "s3"}),
    ],
)  # fmt: skip
def test_media_of_a_build(make_archive, profile, accepted):
    archive = make_archive(profile)
    for scheme, uri in {"oss": OSS, "cos": COS, "s3": S3}.items():
        statement = archive.set(value=f"LOCATION={uri}")
        if scheme in accepted:
            assert archive.client.do(statement) == 0
        else:
            assert archive.client.error(statement)[0] == 9026


# --- the round, the lag target --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["PREPARE", "BEGINNING", "DOING", "INTERRUPTED", "SUSPENDING", "SUSPEND", "STOPPING"]
)
def test_a_round_that_is_not_stop_keeps_its_destination(archive, status):
    archive.box.force_status(status, "tenant1")
    before = archive.destination()
    assert archive.client.error(archive.set(value="LOCATION=file:///other")) == RUNNING
    same = f"LOCATION={before['path']}"
    assert archive.client.error(archive.set(value=same)) == RUNNING, "also an identical one"
    assert archive.client.error("ALTER SYSTEM SET LOG_ARCHIVE_DEST = '' TENANT = tenant1") == RUNNING
    assert archive.client.error(archive.set(value="FOO=1")) == NOT_SUPPORTED, "the text is checked before"
    assert archive.client.error(archive.set(value="BINDING=Optional")) == NO_LOCATION
    assert archive.destination() == before
    assert archive.client.do(archive.set("tenant2")) == 0, "another tenant's round is of no interest"


def test_change_after_stop_makes_a_new_place(archive):
    archive.start()
    archive.box.force_status("STOP", "tenant1")
    first = archive.destination()
    archive.client.do(archive.set(value="LOCATION=file:///other"))
    assert (first["dest_id"], archive.destination()["dest_id"]) == ("1001", "1002")
    archive.client.do(archive.set(value=f"LOCATION={first['path']}"))
    assert archive.destination()["dest_id"] == "1001", "the same place keeps its id"


def test_identical_destination_is_idempotent(archive):
    archive.configure()
    before = archive.destination()
    archive.configure()
    assert archive.destination() == before


def test_s3_and_a_short_lag_target(archive):
    client = archive.client
    archive.configure()
    client.do("ALTER SYSTEM SET archive_lag_target = '59s' TENANT = tenant1")
    error = (4179, "archive_lag_target is smaller than 60s, set log_archive_dest to S3 is not allowed")
    assert client.error(archive.set(value=f"LOCATION={S3}")) == error
    assert client.do(archive.set(value=f"LOCATION={OSS}")) == 0
    client.do("ALTER SYSTEM SET archive_lag_target = '60s' TENANT = tenant1")
    assert client.do(archive.set(value=f"LOCATION={S3}")) == 0
    error = (4179, "set archive_lag_target smaller than 60s when log_archive_dest is S3 is not allowed")
    assert client.error("ALTER SYSTEM SET archive_lag_target = '59s' TENANT = tenant1") == error


# --- the medium -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        ("unreachable", (9070, "can not connect to backup destination")),
        ("no_permission", (9071, "no I/O operation permission at the backup destination")),
        ("io_error", (4009, "IO error")),
        ("unformatted", (9080, "format file does not exist, try to set a new directory.")),
        ("foreign", (9081, "format file does not match, try to set a new directory.")),
        ("full", (9082, "backup device out of space")),
        ("worm", (9140, "the object is locked by worm")),
        (9113, (9113, "checksum type is not supported")),
        (9117, (9117, "the specified s3_region does not match the endpoint")),
        (9118, (9118, "object storage endpoint is invalid")),
    ],
)
@pytest.mark.parametrize("what", ["LOG_ARCHIVE_DEST='LOCATION=file:///x'", "DATA_BACKUP_DEST='file:///x'"])
def test_what_is_wrong_with_a_place(box, client, what, condition, error):
    box.faults.media = {"file:///x/": condition}
    assert client.error(f"ALTER SYSTEM SET {what} TENANT = tenant1") == error
    assert client.do(f"ALTER SYSTEM SET {what.replace('///x', '///y')} TENANT = tenant1") == 0


def test_directories(archive):
    medium, client = archive.box.medium, archive.client
    medium.put("file:///full", "unformatted")
    medium.put("file:///theirs", "foreign")
    assert client.error(archive.set(value="LOCATION=file:///full"))[0] == 9080
    assert client.error(archive.set(value="LOCATION=file:///theirs"))[0] == 9081
    medium.put("file:///full", "empty")
    assert client.do(archive.set(value="LOCATION=file:///full")) == 0
    assert medium.directories["file:///full", ""] == "cluster 1 tenant 1002 archive"
    assert client.error(archive.set("tenant2", "LOCATION=file:///full"))[0] == 9081, "another tenant's"
    data = "ALTER SYSTEM SET DATA_BACKUP_DEST = 'file:///full' TENANT = tenant1"
    assert client.error(data)[0] == 9081, "another kind of backup"
    with pytest.raises(ValueError, match="unknown content"):
        medium.put("file:///x", "odd")


def test_errors_by_tenant_and_for_all(archive):
    faults, client = archive.box.faults, archive.client
    faults.dest_error = {"tenant1": 9129}
    assert client.error(archive.set())[0] == 9129
    archive.configure("tenant2")
    faults.dest_error = {"1004": 4009}
    assert client.error(archive.set("tenant2"))[0] == 4009
    faults.dest_error = 9082
    assert client.error(archive.set("tenant2"))[0] == 9082
    faults.dest_error = None
    faults.dest_io_error = True
    assert client.error(archive.set()) == (4009, "IO error")
    faults.dest_io_error = False
    faults.unmounted_servers = {1}
    assert client.error(archive.set())[0] == 9070
    faults.unmounted_servers = set()
    faults.dead_medium = {"tenant1"}
    assert client.error(archive.set())[0] == 9070
    archive.configure("tenant2")


@pytest.mark.parametrize("effect", [False, True])
def test_slow_medium_is_4012_done_or_not(archive, effect):
    archive.box.faults.medium_seconds = 12
    archive.box.faults.medium_slow_effect = effect
    errno, text = archive.client.error(archive.set())
    assert errno == 4012
    assert text.startswith("Timeout, query has reached the maximum query timeout: 10000000(us)")
    assert bool(archive.destination()) is effect
    archive.client.do("SET SESSION ob_query_timeout = 1000000000")
    archive.configure()
    assert archive.destination()


def test_slow_medium_takes_simulated_time(make_box, connect):
    box = make_box("4.2.1", speed=40)
    box.faults.medium_seconds = 8
    before = box.now
    connect(box).do("ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///x' TENANT = tenant1")
    assert (box.now - before).total_seconds() >= 8


# --- clearing, state, other numbers -----------------------------------------------------------------------------------


def test_clear(archive):
    archive.start()
    archive.client.do("ALTER SYSTEM NOARCHIVELOG TENANT = tenant1")
    archive.box.advance(10)
    assert archive.client.do("ALTER SYSTEM SET LOG_ARCHIVE_DEST = '' TENANT = tenant1") == 0
    assert archive.destination() == {}
    assert archive.status() == "STOP", "the round stays"
    archive.configure()
    assert archive.destination()["dest_id"] == "1001", "and the path may be used again"


def test_clear_on_4_0(make_archive):
    archive = make_archive("4.0.0")
    archive.configure()
    assert archive.client.error("ALTER SYSTEM SET LOG_ARCHIVE_DEST = '' TENANT = tenant1") == NO_LOCATION


def test_state_has_no_precondition(archive, own):
    client = archive.client
    assert client.do("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'defer' TENANT = tenant1") == 0
    assert archive.destination() == {"state": "defer"}, "as written, without a destination"
    assert client.error("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'off' TENANT = tenant1") == INVALID
    assert client.error("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'DEFER'") == NOT_SUPPORTED
    assert own.do("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'ENABLE'") == 0
    assert archive.destination() == {"state": "ENABLE"}


def test_state_is_unknown_to_4_0(make_archive):
    client = make_archive("4.0.0").client
    unknown = (5099, "System config unknown")
    assert client.error("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE = 'DEFER' TENANT = tenant1") == unknown


def test_other_numbers_are_stored_and_never_run(archive):
    client = archive.client
    client.do("ALTER SYSTEM SET LOG_ARCHIVE_DEST_2 = 'LOCATION=file:///second' TENANT = tenant1")
    client.do("ALTER SYSTEM SET LOG_ARCHIVE_DEST_STATE_2 = 'DEFER' TENANT = tenant1")
    client.do("ALTER SYSTEM ARCHIVELOG TENANT = tenant1")
    archive.box.advance(60)
    assert archive.status() == ""
    rows = dict(client.tuples("SELECT NAME, VALUE FROM CDB_OB_ARCHIVE_DEST WHERE DEST_NO = 2"))
    assert (rows["path"], rows["state"]) == ("file:///second", "DEFER")
    assert client.error("ALTER SYSTEM SET LOG_ARCHIVE_DEST_9 = 'LOCATION=file:///x' TENANT = tenant1")[0] == 5099


# --- data destination -------------------------------------------------------------------------------------------------


def test_data_destination(archive, own):
    client = archive.client
    client.do(f"ALTER SYSTEM SET DATA_BACKUP_DEST = '{OSS}' TENANT tenant1")
    assert client.tuples("SELECT * FROM CDB_OB_BACKUP_PARAMETER") == [(1002, "data_backup_dest", OSS)]
    assert client.error("ALTER SYSTEM SET DATA_BACKUP_DEST = 'LOCATION=file:///x' TENANT tenant1")[0] == 9026
    own.do("ALTER SYSTEM SET DATA_BACKUP_DEST = ''")
    assert own.tuples("SELECT * FROM DBA_OB_BACKUP_PARAMETER") == [("data_backup_dest", "")]
