"""Rows that no manual knows: a doubt, or UNKNOWN, of that tenant; never an error, and never a good word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, Cleanup, Part, TenantRecord
from airflow_ob_provider.oceanbase.dialects import detect_version, dialect_for
from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.models import ArchiveState
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.windows import CauseKind, SetProblem
from airflow_ob_provider.sandbox import Sandbox
from tests.kernel.twin import Twin
from tests.unit.oceanbase.catalog_box import at, cluster, day, healthy

ROUNDS, BACKUPS, PIECES, SETS = "p.*", "AS usable", "AS piece_id, STATUS", "AS set_id"
UPKEEP = {"3.1.5": "sys_parameter_stat", "4.2.5": "'parameter' AS part"}
EITHER = pytest.mark.parametrize("profile", ["3.1.5", "4.2.5"])
SECOND = {"3.1.5": 1002, "4.2.5": 1004}
"""The number of tenant2."""

Change = Callable[[dict[str, Any]], dict[str, Any]]


def changed(box: Sandbox, sql: str, change: Change, *, of: int | None = None) -> BackupCatalog:
    """The catalog where the rows of one query come back changed."""
    twin = Twin(box, None)

    def query(statement: Statement) -> list[dict[str, Any]]:
        rows = [dict(row) for row in twin(statement)]
        if sql not in statement.text:
            return rows
        return [change(row) if of in {None, row.get("tenant_id")} else row for row in rows]

    return dialect_for(detect_version(query), query).backup_catalog()


def second(catalog: BackupCatalog) -> TenantRecord:
    """The tenant whose rows are malformed; nothing is wrong with the first."""
    first, found = catalog.tenants
    assert first.recovery is not None
    assert (first.doubt, first.recovery.gaps, len(first.recovery.windows)) == ("", (), 1)
    return found


def setting(name: str, value: Any) -> Change:
    return lambda row: {**row, name: value}


@pytest.mark.parametrize("value", ["x", "1.5", b"\xff", 1.5, "²"])
@pytest.mark.parametrize("name", ["round_id", "incarnation", "pieces", "breaks", "first_id", "open_first", "cleaned"])
@EITHER
def test_text_where_a_number_of_a_round_is(profile: str, name: str, value: Any) -> None:
    with cluster(profile) as box:
        healthy(box)
        found = second(changed(box, ROUNDS, setting(name, value), of=SECOND[profile]))
    assert found.recovery is None
    assert f"{name} is" in found.doubt
    assert "not a whole number" in found.doubt


@pytest.mark.parametrize("name", ["pieces", "round_id", "breaks"])
@EITHER
def test_column_that_is_not_there(profile: str, name: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        catalog = changed(box, ROUNDS, lambda row: {key: row[key] for key in row if key != name}, of=SECOND[profile])
        assert f"{name} was not returned" in second(catalog).doubt


@pytest.mark.parametrize("name", ["started", "checkpoint", "available_from", "newest_to"])
@pytest.mark.parametrize(("profile", "value"), [("3.1.5", "yesterday"), ("3.1.5", "2026-13-01 00:00:00"),
                                                ("4.2.5", "yesterday"), ("4.2.5", 10**30)])  # fmt: skip
def test_time_that_is_none(profile: str, name: str, value: Any) -> None:
    with cluster(profile) as box:
        healthy(box)
        found = second(changed(box, ROUNDS, setting(name, value), of=SECOND[profile]))
    assert (found.recovery, name in found.doubt) == (None, True)


@pytest.mark.parametrize("name", ["started", "checkpoint"])
@pytest.mark.parametrize(
    ("profile", "value"), [("3.1.5", ""), ("3.1.5", None), ("3.1.5", "MAX"), ("4.2.5", 0), ("4.2.5", None)]
)
def test_time_of_a_round_that_is_not_set_tells_nothing(profile: str, name: str, value: Any) -> None:
    with cluster(profile) as box:
        healthy(box)
        found = second(changed(box, ROUNDS, setting(name, value), of=SECOND[profile]))
    assert found.recovery is not None
    assert found.recovery.windows == ()


def test_negative_and_far_numbers_of_a_round() -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        for value in (-1, -(10**18), 2**63 - 1, 2**64 - 1):
            for name in ("started", "checkpoint", "available_from", "newest_to"):
                found = second(changed(box, ROUNDS, setting(name, value), of=1004))
                assert found.doubt == ""
                assert found.recovery is not None
    with cluster("3.1.5") as box:
        healthy(box)
        found = second(changed(box, ROUNDS, setting("checkpoint", "2262-04-11 23:47:16.854775"), of=1002))
        assert found.recovery is not None


@EITHER
def test_state_that_no_manual_knows(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        found = second(changed(box, ROUNDS, setting("status", "RESTING"), of=SECOND[profile]))
        assert found.rounds[0].state is ArchiveState.DOING, "the current state says more"
        rounds = changed(box, ROUNDS, lambda row: {**row, "status": "RESTING", "round_id": 7}, of=SECOND[profile])
        assert second(rounds).rounds[0].state is ArchiveState.UNKNOWN


@EITHER
def test_rows_that_name_no_tenant(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        for sql, part in ((ROUNDS, Part.PIECES), (BACKUPS, Part.BACKUPS)):
            catalog = changed(box, sql, setting("tenant_id", "who"), of=SECOND[profile])
            assert catalog.unread == ((part, "tenant_id is 'who', not a whole number"),)
            assert [record.recovery for record in catalog.tenants] == [None, None]
            assert {record.doubt for record in catalog.tenants} == {"tenant_id is 'who', not a whole number"}


def test_upkeep_that_names_no_tenant() -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        catalog = changed(box, UPKEEP["4.2.5"], setting("tenant_id", "who"), of=1004)
    assert [part for part, _ in catalog.unread] == [Part.SETTINGS, Part.LOG_DISK, Part.CLEANUP, Part.STORAGE]
    for record in catalog.tenants:
        assert (record.log_disk, record.cleanup) == (None, None)
        assert record.recovery is not None


@pytest.mark.parametrize("value", ["", None, "a|b", "1|2|3|4|5|6", "x|1|x|x|x", "|||||", b"\xff"])
@pytest.mark.parametrize("name", ["oldest", "newest"])
@EITHER
def test_backups_that_cannot_be_read(profile: str, name: str, value: Any) -> None:
    with cluster(profile) as box:
        healthy(box)
        found = second(changed(box, BACKUPS, setting(name, value), of=SECOND[profile]))
    assert found.recovery is None
    assert found.doubt.startswith("data backups: ")
    assert len(found.rounds) == 1


@pytest.mark.parametrize(("name", "value"), [("usable", "many"), ("attempt", "a|b"), ("attempt", "a|x|c|d")])
@EITHER
def test_counts_and_attempts_that_cannot_be_read(profile: str, name: str, value: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        found = second(changed(box, BACKUPS, setting(name, value), of=SECOND[profile]))
    assert (found.recovery, found.doubt[:14]) == (None, "data backups: ")


@EITHER
def test_attempt_without_a_beginning_is_none(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        found = second(changed(box, BACKUPS, setting("attempt", None), of=SECOND[profile]))
    assert (found.attempt, found.doubt) == (None, "")


@pytest.mark.parametrize("name", ["earliest", "latest"])
@EITHER
def test_bounds_of_many_sets_that_cannot_be_read(profile: str, name: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.backup_set(2, day(13), day(13, 1))
        found = second(changed(box, BACKUPS, setting(name, "x"), of=SECOND[profile]))
        assert found.doubt.startswith("data backups: ")
        unset = second(changed(box, BACKUPS, setting(name, None), of=SECOND[profile]))
        assert len(unset.fulls) == 2, "looked at closely, and both are there"
        assert unset.recovery is not None
        assert [window.full_backups for window in unset.recovery.windows] == [2]


@pytest.mark.parametrize("name", ["piece_id", "round_id", "started", "ended", "checkpoint"])
@EITHER
def test_piece_that_cannot_be_read(profile: str, name: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.piece(4, tenant="tenant2", file_status="BROKEN")
        found = second(changed(box, PIECES, setting(name, "x"), of=SECOND[profile]))
    assert (found.recovery, name in found.doubt) == (None, True)


@EITHER
def test_closer_look_at_rows_that_name_no_tenant(profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.piece(4, tenant="tenant2", file_status="BROKEN")
        for sql in (PIECES, SETS):
            found = second(changed(box, sql, setting("tenant_id", "who")))
            assert (found.recovery, found.doubt) == (None, "tenant_id is 'who', not a whole number")


@pytest.mark.parametrize(
    ("word", "kind"), [("RESTING", CauseKind.UNKNOWN), ("", CauseKind.UNKNOWN), (None, CauseKind.UNKNOWN),
                       ("INCOMPELTE", CauseKind.PIECE_INCOMPLETE)],
)  # fmt: skip
def test_words_of_a_piece(word: str | None, kind: CauseKind) -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        box.history.piece(4, tenant="tenant2", file_status="BROKEN")
        change = lambda row: {**row, "file_status": word} if row["piece_id"] == 4 else row  # noqa: E731
        found = second(changed(box, PIECES, change, of=1004))
    assert found.recovery is not None
    assert found.recovery.open_gap is not None
    assert kind in {cause.kind for cause in found.recovery.open_gap.causes}
    assert found.recovery.windows[-1].end == at(13)


@pytest.mark.parametrize(("status", "files", "problem"), [
    ("RESTING", "AVAILABLE", SetProblem.UNKNOWN), ("SUCCESS", "RESTING", SetProblem.UNKNOWN),
    ("SUCCESS", "BROKEN", SetProblem.BROKEN), ("SUCCESS", "INCOMPELTE", SetProblem.BROKEN),
    ("SUCCESS", "COPYING", SetProblem.RUNNING), ("DOING", "", SetProblem.RUNNING), ("running", "", SetProblem.RUNNING),
    ("FAILED", "DELETED", SetProblem.FAILED), ("SUCCESS", "EXPIRED", SetProblem.DELETED), ("", "", SetProblem.UNKNOWN),
    (" success ", "available", None),
])  # fmt: skip
@EITHER
def test_words_of_a_set(profile: str, status: str, files: str, problem: SetProblem | None) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.piece(4, tenant="tenant2", file_status="BROKEN")
        found = second(changed(box, SETS, lambda row: {**row, "status": status, "file_status": files}))
    assert [full.problem for full in found.fulls] == [problem]


def test_set_that_failed_early_begins_with_the_clock() -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        box.history.piece(4, tenant="tenant2", file_status="BROKEN")
        failed = {"status": "FAILED", "logs_from": 0, "restores_from": 0}
        found = second(changed(box, SETS, lambda row: {**row, **failed}))
        assert [(full.logs_from, full.problem) for full in found.fulls] == [(at(11, 2), SetProblem.FAILED)]
        found = second(changed(box, SETS, lambda row: {**row, **failed, "status": "SUCCESS"}))
        assert [(full.logs_from, full.problem) for full in found.fulls] == [(None, None)]
        assert second(changed(box, SETS, setting("kind", "INC"))).fulls == ()
        assert [full.set_id for full in second(changed(box, SETS, setting("kind", " d "))).fulls] == [1]


@pytest.mark.parametrize("high", ["", None, "x|COMPLETED|0|", "2026-03-15 00:00:00|COMPLETED|0", "|||", "|"])
def test_job_of_the_clean_up_that_cannot_be_read(high: str | None) -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        box.history.clean_job(day(15))
        clean = lambda row: {**row, "high": high} if row["part"] == "clean" else row  # noqa: E731
        found = second(changed(box, UPKEEP["4.2.5"], clean, of=1004))
    assert found.cleanup is not None
    assert found.cleanup.last_at is None or found.cleanup.last_status == "COMPLETED"
    assert found.recovery is not None


@pytest.mark.parametrize(("part", "low", "high"), [
    ("unit", "x", "1"), ("unit", "", ""), ("unit", "²", "²"), ("unit", None, None),
    ("parameter", "soon", "often"), ("parameter", None, None), ("storage", "", "soon"), ("policy", None, None),
])  # fmt: skip
def test_upkeep_that_cannot_be_read(part: str, low: str | None, high: str | None) -> None:
    with cluster("4.2.5") as box:
        healthy(box)
        box.history.policy("7d")
        box.history.storage_check(day(20))
        change = lambda row: {**row, "low": low, "high": high} if row["part"] == part else row  # noqa: E731
        found = second(changed(box, UPKEEP["4.2.5"], change, of=1004))
    assert found.settings is not None
    expected = {
        "unit": found.log_disk is None,
        "parameter": (found.settings.lag_target, found.settings.concurrency) == (None, None),
        "storage": found.storage_checked is None,
        "policy": found.cleanup == Cleanup(),
    }
    assert expected[part]


def test_parameters_that_servers_do_not_agree_on() -> None:
    with cluster("4.2.5") as box:
        healthy(box)

        def differ(row: dict[str, Any]) -> dict[str, Any]:
            return {**row, "low": "120s|1||||", "high": "5m|12||||"} if row["part"] == "parameter" else row

        settings = second(changed(box, UPKEEP["4.2.5"], differ, of=1004)).settings
    assert settings is not None
    assert (settings.lag_target, settings.concurrency) == (300.0, 12)
    assert settings.differs == ("archive_lag_target", "log_archive_concurrency")


@pytest.mark.parametrize("value", ["x", None])
@EITHER
def test_events_that_cannot_be_read(profile: str, value: str | None) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(10), status="INTERRUPTED", checkpoint=day(19))
        catalog = changed(box, "AS at", setting("at", value))
        assert [record.state_since for record in catalog.tenants] == [None, None]
        assert all(record.rounds[0].was_interrupted for record in catalog.tenants)
        nobody = {"name1": "round_id", "value1": "x", "name2": "round_id", "value2": None, "name3": None, "name4": ""}
        catalog = changed(box, "AS at", lambda row: {**row, **nobody})
        assert not any(record.rounds[0].was_interrupted for record in catalog.tenants)


@EITHER
def test_streams_that_cannot_be_read(profile: str) -> None:
    with cluster(profile) as box:
        box.history.clear()
        box.history.round(1, day(10), status="INTERRUPTED", checkpoint=day(19))
        name = "ls_id" if profile == "4.2.5" else "table_id"
        catalog = changed(box, "PROGRESS", setting(name, "x"))
    assert catalog.unread == ((Part.STREAMS, f"{name} is 'x', not a whole number"),)


def test_state_that_cannot_be_read_at_all() -> None:
    with cluster("4.2.5") as box:
        twin = Twin(box, None)

        def query(statement: Statement) -> Any:
            if "CDB_OB_ARCHIVELOG " in statement.text:
                raise ServerError(1142, "SELECT command denied")
            return twin(statement)

        with pytest.raises(ServerError, match="1142"):
            dialect_for(detect_version(query), query).backup_catalog()


ODD = st.sampled_from(
    ["", None, "x", "MAX", -1, 0, 1, 2**63 - 1, 2**64, 1.5, "0", "NULL", b"\xff", "2262-04-11 23:47:16", "|"]
)


@given(data=st.data(), profile=st.sampled_from(["3.1.5", "4.2.5"]))
def test_no_value_raises_or_spoils_another_tenant(data: st.DataObject, profile: str) -> None:
    with cluster(profile) as box:
        healthy(box)
        box.history.backup_set(2, day(13), day(13, 1))
        box.history.piece(4, tenant="tenant2", file_status="BROKEN")
        sql = data.draw(st.sampled_from([ROUNDS, BACKUPS, PIECES, SETS, UPKEEP[profile]]))

        def change(row: dict[str, Any]) -> dict[str, Any]:
            names = sorted(set(row) - {"tenant_id"})
            return {**row, **data.draw(st.dictionaries(st.sampled_from(names), ODD, max_size=4))}

        catalog = changed(box, sql, change, of=SECOND[profile])
    first, found = catalog.tenants
    assert first.recovery is not None
    assert first.doubt == ""
    assert found.doubt or found.recovery is not None
