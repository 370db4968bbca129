"""ARCHIVELOG and NOARCHIVELOG: who sees which error, 4.0 against the later builds."""

from __future__ import annotations

import pytest

ON, OFF = "ALTER SYSTEM ARCHIVELOG", "ALTER SYSTEM NOARCHIVELOG"
ALREADY_ON = (9091, "Already in ARCHIVELOG mode")
ALREADY_OFF = (9092, "Already in NOARCHIVELOG mode")
CANNOT_START = (9023, "cannot start log archive backup")
ALREADY_DISABLED = (9024, "log archive backup is already disabled")


def modes(client):
    return dict(client.tuples("SELECT TENANT_NAME, LOG_MODE FROM DBA_OB_TENANTS WHERE TENANT_TYPE = 'USER'"))


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [ON, OFF])
@pytest.mark.parametrize("profile", ["4.0.0", "4.2.5"])
@pytest.mark.parametrize(
    ("clause", "error"),
    [
        ("TENANT = all_user",
         (1235, "use all_user/all_meta in 'ALTER SYSTEM ARCHIVELOG' syntax is not supported")),
        ("TENANT ALL_META",
         (1235, "use all_user/all_meta in 'ALTER SYSTEM ARCHIVELOG' syntax is not supported")),
        ("TENANT = ALL, tenant1",
         (1235, "all/all_user/all_meta in combination with other names is not supported")),
        ("TENANT = tenant1, all_user",
         (1235, "all/all_user/all_meta in combination with other names is not supported")),
        ("TENANT = tenant1, 'tenant1'", (1235, "duplicate tenant tenant1 is not supported")),
        ("TENANT = tenant1, nobody", (5160, "invalid tenant name specified in connection string")),
        ("TENANT = sys", (1235, "Not supported feature or function")),
        ("TENANT = `META$1002`", (1235, "Not supported feature or function")),
    ],
)  # fmt: skip
def test_arguments(make_archive, profile, verb, clause, error):
    assert make_archive(profile).client.error(f"{verb} {clause}") == error


@pytest.mark.parametrize("verb", [ON, OFF])
def test_a_user_tenant_names_nobody(own, verb):
    assert own.error(f"{verb} TENANT = tenant1") == (1227, "Access denied")
    assert own.error(f"{verb} TENANT = ALL") == (1227, "Access denied")


@pytest.mark.parametrize(
    ("statement", "switched"),
    [
        (f"{ON}", {"tenant1", "tenant2", "tenant3"}),
        (f"{ON} TENANT = ALL", {"tenant1", "tenant2", "tenant3"}),
        (f"{ON} TENANT all DESCRIPTION = 'why'", {"tenant1", "tenant2", "tenant3"}),
        (f"{ON} TENANT = tenant1", {"tenant1"}),
        (f"{ON} TENANT tenant1 , `tenant3` DESCRIPTION 'why'", {"tenant1", "tenant3"}),
        (f"{ON} TENANT = 'tenant2';", {"tenant2"}),
        (f"{ON} DESCRIPTION = 'x'", {"tenant1", "tenant2", "tenant3"}),
    ],
)
def test_tenants_of_a_statement(make_archive, statement, switched):
    client = make_archive("4.2.5", tenants=3).client
    assert client.do(statement) == 0
    assert {name for name, mode in modes(client).items() if mode == "ARCHIVELOG"} == switched


@pytest.mark.parametrize(
    "statement", [f"{ON} TENANT", f"{ON} TENANT = ('tenant1')", f"{ON} tenant1", f"{ON} TENANT = tenant1 tenant2",
                  f"{ON} DESCRIPTION why"],
)  # fmt: skip
def test_grammar(client, statement):
    assert client.error(statement)[0] == 1064


# --- 4.1 and later ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["4.1.0", "4.2.1", "4.2.5", "4.3.3"])
def test_on_from_sys_is_always_ok(make_archive, profile):
    client = make_archive(profile).client
    assert client.do(f"{ON} TENANT = tenant1") == 0
    assert client.do(f"{ON} TENANT = tenant1") == 0
    assert client.do(f"{ON} TENANT = ALL") == 0
    assert client.do(ON) == 0


@pytest.mark.parametrize("profile", ["4.1.0", "4.2.1", "4.2.5", "4.3.3"])
def test_from_the_tenant_itself(make_archive, connect, profile):
    own = connect(make_archive(profile).box, "root@tenant1")
    assert own.error(OFF) == ALREADY_OFF
    assert own.do(ON) == 0
    assert own.error(ON) == ALREADY_ON
    assert own.rows("SELECT LOG_MODE FROM DBA_OB_TENANTS") == [{"LOG_MODE": "ARCHIVELOG"}]
    assert own.do(f"{OFF} DESCRIPTION = 'why'") == 0
    assert own.error(OFF) == ALREADY_OFF


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ("TENANT = tenant1, tenant2", ALREADY_OFF),
        ("TENANT = tenant2, tenant1", None),
        ("TENANT = tenant2", ALREADY_OFF),
        ("TENANT = ALL", ALREADY_OFF),
        ("", ALREADY_OFF),
    ],
)
def test_the_last_tenant_wins(client, names, error):
    client.do(f"{ON} TENANT = tenant1")
    if error:
        assert client.error(f"{OFF} {names}") == error
    else:
        assert client.do(f"{OFF} {names}") == 0
    off = "NOARCHIVELOG" if "tenant1" in names or not names or "ALL" in names else "ARCHIVELOG"
    assert modes(client) == {"tenant1": off, "tenant2": "NOARCHIVELOG"}, "and the others were switched"


@pytest.mark.parametrize(
    "change",
    [{"status": "CREATING"}, {"status": "RESTORE"}, {"status": "DROPPING"}, {"in_recyclebin": True}],
)
def test_a_tenant_that_is_not_normal(box, client, own, change):
    box.set_tenant("tenant1", **change)
    assert own.error(ON) == CANNOT_START
    assert client.do(f"{ON} TENANT = tenant1") == 0, "only logged"
    assert client.do(f"{ON} TENANT = ALL") == 0, "skipped"
    assert modes(client) == {"tenant1": "NOARCHIVELOG", "tenant2": "ARCHIVELOG"}


def test_a_locked_tenant_cannot_be_named(box, client):
    box.set_tenant("tenant1", locked=True)
    assert client.error(f"{ON} TENANT = tenant1") == (5260, "Tenant 'tenant1' is locked")


def test_a_standby_can_be_archived(box, client):
    box.set_tenant("tenant1", role="STANDBY")
    assert client.do(f"{ON} TENANT = tenant1") == 0
    role = "SELECT TENANT_ROLE, LOG_MODE FROM DBA_OB_TENANTS WHERE TENANT_ID = 1002"
    assert client.tuples(role) == [("STANDBY", "ARCHIVELOG")]


def test_snapshots_keep_the_mode_on_4_3(make_archive, connect):
    error = (4179, "tenant snapshots exist, close log archive not allowed")
    for profile, refused in (("4.3.3", True), ("4.2.5", False)):
        archive = make_archive(profile)
        own = connect(archive.box, "root@tenant1")
        archive.box.faults.tenant_snapshots = "tenant1"
        own.do(ON)
        if refused:
            assert own.error(OFF) == error
            assert archive.client.error(f"{OFF} TENANT = tenant1") == error
            archive.box.faults.tenant_snapshots = ()
        assert own.do(OFF) == 0


def test_a_tenant_that_cannot_be_switched(box, client, own):
    box.faults.unswitchable_tenants = "tenant1"
    assert own.error(ON) == (4016, "Internal error")
    assert client.do(f"{ON} TENANT = tenant1, tenant2") == 0, "sys hears nothing of it"
    assert modes(client) == {"tenant1": "NOARCHIVELOG", "tenant2": "ARCHIVELOG"}


def test_no_destination_is_needed_and_a_later_one_starts(archive):
    archive.client.do(f"{ON} TENANT = tenant1")
    archive.box.advance(60)
    assert archive.mode() == "ARCHIVELOG"
    assert archive.status() == "", "no row: never archived"
    archive.configure()
    assert archive.watch(20)[-1] == "DOING"


def test_new_tenants_are_not_archived(archive):
    archive.client.do(ON)
    archive.client.do("CREATE TENANT late")
    assert archive.mode("late") == "NOARCHIVELOG"


# --- 4.0 --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def old(make_archive):
    return make_archive("4.0.0", tick_seconds=2.0)


def test_4_0_needs_a_destination(old, connect):
    own = connect(old.box, "root@tenant1")
    assert own.error(ON) == (9026, "backup destination is not valid")
    assert old.client.error(f"{ON} TENANT = tenant1") == (9026, "backup destination is not valid")
    assert old.client.do(f"{ON} TENANT = ALL") == 0, "with ALL errors are ignored"
    assert old.client.do(ON) == 0


def test_4_0_starts_the_round_at_once(old):
    old.configure()
    old.client.do(f"{ON} TENANT = tenant1")
    assert old.status() == "PREPARE"
    assert old.client.error(f"{ON} TENANT = tenant1") == CANNOT_START
    assert old.client.do(f"{ON} TENANT = ALL") == 0
    assert old.watch(20) == ["PREPARE", "BEGINNING", "DOING"]
    assert old.client.error(f"{ON} TENANT = tenant1") == CANNOT_START


def test_4_0_stops_at_once_from_four_states(old):
    assert old.client.error(f"{OFF} TENANT = tenant1") == ALREADY_DISABLED
    for status in ("PREPARE", "BEGINNING", "DOING", "INTERRUPTED"):
        old.box.force_status(status, "tenant1")
        assert old.client.do(f"{OFF} TENANT = tenant1") == 0
        assert old.status() == "STOPPING"
        assert old.client.error(f"{OFF} TENANT = tenant1") == ALREADY_DISABLED
        old.box.force_status("STOP", "tenant1")
        assert old.client.error(f"{OFF} TENANT = tenant1") == ALREADY_DISABLED
        assert old.client.do(OFF) == 0


def test_4_0_a_list_gives_the_first_error_and_goes_on(old):
    old.configure("tenant2")
    assert old.client.error(f"{ON} TENANT = tenant1, tenant2")[0] == 9026
    assert old.status("tenant2") == "PREPARE"
    old.configure("tenant1")
    assert old.client.error(f"{ON} TENANT = tenant2, tenant1") == CANNOT_START
    assert old.status("tenant1") == "PREPARE"


def test_4_0_has_no_mode_and_no_suspending(old):
    assert old.client.error("SELECT LOG_MODE FROM DBA_OB_TENANTS")[0] == 1054
    with pytest.raises(ValueError, match="unknown status"):
        old.box.force_status("SUSPEND")
    old.box.set_tenant("tenant1", status="CREATING")
    old.configure()
    assert old.client.error(f"{ON} TENANT = tenant1") == CANNOT_START
