"""The event history and the stop by force, asked over a socket of every build; odd rows by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest

from airflow_ob_provider.hooks.drivers import connect
from airflow_ob_provider.hooks.oceanbase import OceanBaseSession
from airflow_ob_provider.hooks.settings import ConnectionSettings
from airflow_ob_provider.oceanbase.breaks import BreakHistory, ForceStop
from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.dialects import Dialect
from airflow_ob_provider.oceanbase.dialects.breaks import MAX_VALUE
from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect
from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect
from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.models import ArchiveState
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.oceanbase.catalog_box import V3, V4, at, cluster, day, healthy
from tests.unit.oceanbase.recovery_world import version

A = ArchiveState
FORCE = "ALTER SYSTEM CANCEL ALL BACKUP FORCE"
FORCES = ("3.1.5", "3.2.4")
NEW = Destination.parse("file:///data/new")


@contextmanager
def asking(box: Sandbox, *, user: str = "root", tenant: str = "sys") -> Iterator[Dialect]:
    login = box.connection(user, tenant)
    settings = ConnectionSettings(
        host=login["host"], port=login["port"], user=login["login"], password=login["password"], schema="oceanbase"
    )
    with closing(OceanBaseSession(connect(settings), where="sandbox", tag="/* test */ ")) as session:
        yield session.dialect


def history(box: Sandbox, **login: str) -> BreakHistory:
    with asking(box, **login) as dialect:
        return dialect.break_history()


# --- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", V3)
def test_events_of_a_cluster(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.clear()
        box.history.round(1, day(10), day(12))
        box.history.round(2, day(13), status="INTERRUPTED", checkpoint=day(14))
        box.history.event(day(15), "backup_dest", "set_backup_dest", result=-9026)
        box.history.event(day(15), "log_archive", "frozen_piece", round_id=2)
        box.history.event(day(15), "leader_coordinator", "switch", result=-9070)
        found = history(box)
    said = {(event.module, event.state, event.round_id, event.tenant_id) for event in found.events}
    first = {("log_archive", state, 1, 0) for state in (A.BEGINNING, A.DOING, A.STOPPING, A.STOP)}
    second = {("log_archive", state, 2, 0) for state in (A.BEGINNING, A.DOING, A.INTERRUPTED)}
    assert said == first | second | {("backup_dest", None, 0, 0)}
    assert [event.at for event in found.events][:2] == [at(15), at(14)]
    assert found.events[0].values == (("result", "-9026"),)
    assert str(found.events[0]) == "backup_dest/set_backup_dest (result=-9026)"
    assert (found.inactive, found.unread) == ((), ())


@pytest.mark.parametrize("profile", V4)
def test_events_of_tenants(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(10), tenant="tenant1", status="INTERRUPTED", checkpoint=day(14))
        box.history.round(1, day(11), tenant="tenant2")
        box.history.event(day(15), "backup_data", "start_backup_data", result=-9040)
        found = history(box)
    newest = found.events[0]
    assert (newest.at, newest.state, newest.tenant_id, newest.round_id) == (at(14), A.INTERRUPTED, 1002, 1)
    assert {event.tenant_id for event in found.events} == {1002, 1004}
    assert {event.module for event in found.events} == {"log_archive"}
    assert ("old_status", "DOING") in newest.values
    moments = [event.at for event in found.events]
    assert moments == sorted(moments, reverse=True)  # type: ignore[type-var]


@pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])
def test_servers_that_are_down(profile: str) -> None:
    with cluster(profile) as box:
        box.faults.dead_servers = {2}
        (server,) = history(box).inactive
    assert (server.zone, server.active) == ("zone3", False)


@pytest.mark.parametrize(
    ("profile", "view"), [("3.1.5", "__all_rootservice_event_history"), ("4.2.5", "DBA_OB_ROOTSERVICE_EVENT_HISTORY")]
)
def test_what_cannot_be_read_is_named(profile: str, view: str) -> None:
    with cluster(profile) as box:
        box.force_status("INTERRUPTED")
        box.faults.lost_views = {view}
        box.faults.dead_servers = {1}
        found = history(box)
        assert found.events == ()
        assert len(found.inactive) == 1
        (why,) = found.unread
        assert "the event history cannot be read: [1146]" in why
        box.faults.lost_views = {"__all_server", "DBA_OB_SERVERS"}
        found = history(box)
        assert found.events
        assert "the OBServers cannot be read: [1146]" in found.unread[0]
        box.faults.error_once = (view, 4012)
        with pytest.raises(ServerError):
            history(box)


def test_a_user_tenant_sees_neither() -> None:
    with cluster("4.2.5") as box:
        box.force_status("INTERRUPTED")
        found = history(box, tenant="tenant1")
    assert (found.events, found.inactive, len(found.unread)) == ((), (), 2)


@pytest.mark.parametrize(
    ("profile", "column"),
    [("3.1.5", "__all_rootservice_event_history.gmt_create"), ("4.2.5", "DBA_OB_ROOTSERVICE_EVENT_HISTORY.TIMESTAMP")],
)
def test_a_time_that_is_none(profile: str, column: str) -> None:
    with cluster(profile) as box:
        box.force_status("INTERRUPTED")
        box.faults.malformed = {column: "yesterday"}
        found = history(box)
    assert found.events
    assert {event.at for event in found.events} == {None}


def test_secrets_in_events_are_redacted_before_they_are_cut() -> None:
    key = "9bQ/zX+secretKey==" * 40
    with cluster("3.1.5") as box:
        uri = f"oss://b/d?host=h&access_id=LTAI5t&access_key={key}"
        box.history.event(day(15), "backup_dest", "set_backup_dest", value=uri, access_key=key, long="x" * 999)
        (event,) = [event for event in history(box).events if event.module == "backup_dest"]
    assert "secretKey" not in repr(event)
    assert "LTAI5t" not in repr(event)
    values = dict(event.values)
    assert values["value"].startswith("oss://b/d?host=h&access_id=***")
    assert values["access_key"] == "***"
    assert len(values["long"]) == MAX_VALUE


def by_hand(rows: Sequence[dict[str, Any]], kind: Any = V3Dialect, build: str = "3.1.5") -> BreakHistory:
    def query(statement: Statement) -> Sequence[dict[str, Any]]:
        return rows if "event_history" in statement.text.lower() else []

    found: BreakHistory = kind(version(build), query).break_history()
    return found


NOW_ROW = {"server_time": "2026-03-20 12:00:00.000000", "utc_offset": 28800}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"name1": "tenant_id", "value1": "abc"}, (0, 0, None)),
        ({"name1": "tenant_id", "value1": "²"}, (0, 0, None)),
        ({"name3": b"round_id", "value3": b"7", "name1": None}, (0, 7, None)),
        ({"name6": "new_status", "value6": "doing"}, (0, 0, A.DOING)),
        ({"name1": "new_status", "value1": "NEWER_WORD"}, (0, 0, A.UNKNOWN)),
        ({"name1": "status", "value1": ""}, (0, 0, None)),
    ],
)
def test_values_by_name(values: dict[str, Any], expected: tuple[Any, ...]) -> None:
    (event,) = by_hand(
        [{**NOW_ROW, "at": "2026-03-20 11:00:00", "module": "log_archive", "event": "e", **values}]
    ).events
    assert (event.tenant_id, event.round_id, event.state) == expected


def test_extra_info_is_told() -> None:
    row = {**NOW_ROW, "at": "2026-03-20 11:00:00", "module": "log_archive", "event": "e", "extra_info": " ret=-9087 "}
    for kind, build in ((V3Dialect, "3.1.5"), (V4Dialect, "4.2.5")):
        (event,) = by_hand([row], kind, build).events
        assert event.values == (("extra_info", "ret=-9087"),)
        assert str(event) == "log_archive/e (extra_info=ret=-9087)"
    (plain,) = by_hand([{**row, "extra_info": None}]).events
    assert str(plain) == "log_archive/e"


def test_a_server_that_does_not_tell_its_time() -> None:
    found = by_hand([{"at": "2026-03-20 11:00:00", "module": "log_archive", "event": "e"}])
    assert found.events == ()
    assert "the event history" in found.unread[0]
    assert by_hand([]) == BreakHistory()


# --- the stop by force ------------------------------------------------------------------------------------------------


def texts(found: ForceStop) -> list[str]:
    """What is left to send."""
    return [str(statement) for statement in found.statements]


def forced(box: Sandbox, wanted: Destination = NEW) -> Any:
    with asking(box) as dialect:
        return dialect.force_stop_state(wanted)


@pytest.mark.parametrize("profile", FORCES)
def test_the_statement(profile: str) -> None:
    with cluster(profile) as box, asking(box) as dialect:
        statement = dialect.force_stop_archive()
    assert (statement.text, statement.writes) == (FORCE, True)


@pytest.mark.parametrize("profile", ["2.2.77", "3.1.2", *V4])
def test_versions_without_it(profile: str) -> None:
    with cluster(profile) as box, asking(box) as dialect:
        asks: list[Callable[[], Any]] = [dialect.force_stop_archive, lambda: dialect.force_stop_state(NEW)]
        for ask in asks:
            with pytest.raises(ValueError, match="has no CANCEL ALL BACKUP FORCE"):
                ask()
        assert box.writes == ()


def test_4x_says_what_ends_a_stop() -> None:
    for build, words in (("4.2.5", "after 10 minutes"), ("4.2.1", "bring the OBServer back")):
        with pytest.raises(ValueError, match=words):
            V4Dialect(version(build), lambda _: []).force_stop_archive()


@pytest.mark.parametrize("profile", FORCES)
def test_where_it_is(profile: str) -> None:
    set_new = "ALTER SYSTEM SET backup_dest = 'file:///data/new'"
    with cluster(profile) as box:
        box.parameters["backup_dest"] = "file:///data/old"
        box.force_status("STOPPING")
        seen = forced(box)
        assert (seen.state, seen.status, seen.round_id) == (A.STOPPING, "STOPPING", 1)
        assert (seen.before, seen.is_emptied, seen.is_wanted, seen.is_settled) == (
            "file:///data/old",
            False,
            False,
            True,
        )
        assert texts(seen) == [FORCE, set_new]
        assert (seen.second, seen.data_backup_runs) == ("", False)
        box.parameters["backup_dest"] = ""
        seen = forced(box)
        assert (seen.is_emptied, seen.before, texts(seen)) == (True, "not set", [set_new])
        box.force_status("STOP")
        assert texts(forced(box)) == [set_new]
        box.parameters["backup_dest"] = "file:///data/new"
        seen = forced(box)
        assert (seen.is_wanted, seen.statements) == (True, ())
        box.parameters["backup_dest"] = "no uri"
        assert (forced(box).is_wanted, forced(box).before) == (False, "no uri")
        box.parameters["backup_dest"] = "file:///data/old"
        box.force_status("DOING")
        assert forced(box).statements == ()


def test_servers_that_differ() -> None:
    with cluster("3.1.5") as box:
        box.parameters["backup_dest"] = "file:///data/old"
        box.parameters["backup_dest", 1] = ""
        seen = forced(box)
    assert (seen.is_settled, seen.is_emptied, seen.is_wanted) == (False, False, False)
    assert seen.before == "not set / file:///data/old"


def test_a_second_destination_and_a_data_backup() -> None:
    with cluster("3.1.5") as box:
        box.parameters["backup_backup_dest"] = "oss://b/d?host=h&access_id=LTAI5t&access_key=k3y"
        box.history.round(1, day(10))
        box.history.backup_set(1, day(20), status="DOING")
        seen = forced(box)
    assert seen.second == "oss://b/d?host=h&access_id=***&access_key=***"
    assert seen.data_backup_runs


def test_a_destination_that_cannot_be_set() -> None:
    with cluster("3.1.5") as box:
        for uri in ("file:///data/{tenant}", "s3://b/d?host=h"):
            with pytest.raises(ValueError, match="destination"):
                forced(box, Destination.parse(uri))
        box.force_status("STOPPING")
        named = forced(box, Destination.parse("file:///data/{cluster}"))
        assert texts(named)[-1] == "ALTER SYSTEM SET backup_dest = 'file:///data/obcluster'"


def test_nothing_is_shown() -> None:
    with cluster("3.1.5") as box:
        box.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.TENANT_ID": 9, "gv$tenant.tenant_id": 9}
        with pytest.raises(UnreadableError):
            forced(box)
    empty = V3Dialect(version("3.1.5"), lambda statement: [NOW_ROW] if "ARCHIVELOG" in statement.text else [])
    with pytest.raises(UnreadableError):
        empty.force_stop_state(NEW)
