"""Every code of the error table: what it means, what a client may do, and the way out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.errors import FACTS, LOST_CONNECTION, Kind, ServerError, fact

TRANSIENT, STATE, PERMANENT = Kind.TRANSIENT, Kind.STATE, Kind.PERMANENT

# Every errno of the specification's error table (11), with its kind and a word of the hint. Transient are those that
# the retry classification names, and those that pass by themselves; configuration errors are never retried.
TABLE = [
    (1045, PERMANENT, "user@tenant"),
    (1064, PERMANENT, "version"),
    (1146, PERMANENT, "tenant sys"),
    (1210, PERMANENT, "without any blank"),
    (1227, PERMANENT, "ALTER SYSTEM"),
    (1235, STATE, "Read the state"),
    (4009, PERMANENT, "Mount"),
    (4012, TRANSIENT, "may have taken effect: read the state"),
    (4016, PERMANENT, "rootservice.log"),
    (4019, PERMANENT, "Shorten it"),
    (4023, TRANSIENT, "Try again"),
    (4025, TRANSIENT, "inactive"),
    (4114, TRANSIENT, "3.1.0"),
    (4147, PERMANENT, "separated by blanks"),
    (4179, PERMANENT, "enable_major_freeze"),
    (4527, TRANSIENT, "Try again"),
    (4637, PERMANENT, "OBServer"),
    (5099, PERMANENT, "tenant sys"),
    (5157, PERMANENT, "gv$tenant"),
    (9001, PERMANENT, "file:///"),
    (9003, PERMANENT, "access_key"),
    (9023, STATE, "read STATUS"),
    (9024, STATE, "STOP or STOPPING"),
    (9025, PERMANENT, "never started"),
    (9026, PERMANENT, "never used"),
    (9027, PERMANENT, "new round"),
    (9028, PERMANENT, "rootservice.log"),
    (9029, STATE, "STATUS"),
    (9030, PERMANENT, "LOG_ARCHIVE_ROUND"),
    (9034, STATE, "STATUS"),
    (9036, PERMANENT, "Stop data backup and log backup"),
    (9037, PERMANENT, "rootservice.log"),
    (9040, PERMANENT, "DOING"),
    (9041, TRANSIENT, "PREPARE"),
    (9042, PERMANENT, "again"),
    (9044, TRANSIENT, "clean-up"),
    (9045, TRANSIENT, "clean-up"),
    (9046, TRANSIENT, "clean-up"),
    (9047, PERMANENT, "password"),
    (9048, PERMANENT, "full data backup"),
    (9049, STATE, "nothing to cancel"),
    (9051, PERMANENT, "NFS mount of every OBServer"),
    (9057, PERMANENT, "exclude each other"),
    (9058, PERMANENT, "exclude each other"),
    (9063, PERMANENT, "NFS"),
    (9064, PERMANENT, "full data backup"),
]
# What 4.x answers besides (V4.2.5 manual, ob_errno.def of 4.3.5).
TABLE_4 = [
    (1062, STATE, "may be what was wanted"),
    (1149, PERMANENT, "version table"),
    (4017, STATE, "may be what was wanted"),
    (4018, PERMANENT, "message"),
    (4103, PERMANENT, "NFS mount options"),
    (4263, TRANSIENT, "log backup starts without it"),
    (5260, PERMANENT, "UNLOCK"),
    (9022, STATE, "STATUS"),
    (9053, TRANSIENT, "clean-up"),
    (9069, TRANSIENT, "clean-up"),
    (9070, PERMANENT, "Mount it on every OBServer"),
    (9071, PERMANENT, "list, read, write and delete"),
    (9077, PERMANENT, "full data backup"),
    (9078, PERMANENT, "earlier moment"),
    (9079, PERMANENT, "later moment"),
    (9080, PERMANENT, "empty directory"),
    (9081, PERMANENT, "empty directory"),
    (9082, PERMANENT, "room"),
    (9083, PERMANENT, "NFS mount options"),
    (9084, PERMANENT, "NFS mount options"),
    (9085, PERMANENT, "data backup again"),
    (9086, PERMANENT, "data backup again"),
    (9087, PERMANENT, "Mandatory"),
    (9091, STATE, "read STATUS"),
    (9092, STATE, "read STATUS"),
    (9113, PERMANENT, "checksum_type"),
    (9117, PERMANENT, "s3_region"),
    (9118, PERMANENT, "host"),
    (9129, PERMANENT, "keys"),
    (9140, PERMANENT, "enable_worm"),
]
LOST = [2002, 2003, 2006, 2013, 2014, 2055]
REFUSED = [1044, 1054, 1142, 1193, 2026, 5160]
REST = [1040, 1205, 2000]


@pytest.mark.parametrize(("errno", "kind", "words"), [*TABLE, *TABLE_4])
def test_the_table(errno: int, kind: Kind, words: str) -> None:
    found = fact(errno)
    assert found.code == errno
    assert found.kind is kind
    assert words in found.hint
    assert found.meaning
    assert "not a code" not in found.meaning


@pytest.mark.parametrize("errno", LOST)
def test_a_lost_connection_is_transient(errno: int) -> None:
    assert fact(errno).kind is TRANSIENT
    assert LOST_CONNECTION in LOST


def test_after_a_lost_connection_the_state_is_read() -> None:
    for errno in (2006, 2013, 2055, 4012):
        assert "read the state" in fact(errno).hint


@pytest.mark.parametrize("errno", REFUSED)
def test_other_refusals_are_permanent(errno: int) -> None:
    assert fact(errno).kind is PERMANENT


def test_all_facts_can_be_shown() -> None:
    assert {code for code, _, _ in (*TABLE, *TABLE_4)} | {*LOST, *REFUSED, *REST} == set(FACTS)
    for code, found in FACTS.items():
        assert found.code == code
        assert found.meaning.strip() == found.meaning != ""
        assert found.meaning[-1] not in ".:"
        assert found.hint[-1] in ".?…"


@given(st.integers(-(10**6), 10**6).filter(lambda errno: errno not in FACTS))
def test_an_unknown_code_may_be_a_passing_fault(errno: int) -> None:
    found = fact(errno)
    assert found.code == errno
    assert found.kind is Kind.UNKNOWN
    assert ServerError(errno, "text").is_transient
    assert not ServerError(errno, "text").is_state
    assert found.meaning == "not a code this library knows"
    assert found.hint


def test_an_error_says_what_where_and_what_now() -> None:
    error = ServerError(
        9026, "backup destination is not valid", statement="ALTER SYSTEM ARCHIVELOG", where="oceanbase_default"
    )
    assert str(error) == (
        "[9026] backup destination is not valid on oceanbase_default: the backup destination is not valid. "
        f"Statement: ALTER SYSTEM ARCHIVELOG. {fact(9026).hint}"
    )
    assert (error.errno, error.message) == (9026, "backup destination is not valid")
    assert (error.statement, error.where) == ("ALTER SYSTEM ARCHIVELOG", "oceanbase_default")
    assert error.hint == error.fact.hint


def test_an_error_without_statement_and_place() -> None:
    assert str(ServerError(4023, "try")) == "[4023] try: the server asks to try again. Try again."


def test_a_statements_own_hint_comes_first() -> None:
    error = ServerError(1235, "x", hint="Set backup_backup_dest to '' first.")
    assert str(error).endswith("not supported now or here. Set backup_backup_dest to '' first.")
    assert fact(1235).hint not in str(error)


@pytest.mark.parametrize(
    ("errno", "transient", "state"),
    [(4012, True, False), (2013, True, False), (1235, False, True), (9024, False, True), (9026, False, False)],
)
def test_kinds_of_an_error(errno: int, transient: bool, state: bool) -> None:
    error = ServerError(errno, "x")
    assert error.is_transient is transient
    assert error.is_state is state


@pytest.mark.parametrize("errno", [2006, 2013, 2055, 4012, 4023, 4114, 4527])
def test_a_statement_that_may_have_happened(errno: int) -> None:
    error = ServerError(errno, "text")
    assert error.may_have_happened
    assert error.is_transient


@pytest.mark.parametrize("errno", [2003, 4025, 4263, 1227, 1235])
def test_an_answer_that_tells_what_became_of_the_statement(errno: int) -> None:
    """Never sent, done in part, or refused."""
    assert not ServerError(errno, "text").may_have_happened
