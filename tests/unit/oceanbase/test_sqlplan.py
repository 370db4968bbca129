"""What a task shows of its SQL."""

from __future__ import annotations

import json

import pytest

from airflow_ob_provider.oceanbase.sqlplan import LOST, MAX_CHARACTERS, NOTHING_SENT, SqlPlan
from airflow_ob_provider.oceanbase.statements import Statement

START = Statement.write("ALTER SYSTEM ARCHIVELOG")
KEYS = Statement.write(
    "ALTER SYSTEM SET backup_dest = 'oss://b/d?host=h&access_id=AKID&access_key=s3cret/='", secrets=("AKID", "s3cret/=")
)
AIRFLOWS_LIMIT = 4096


def test_nothing_was_sent() -> None:
    assert str(SqlPlan()) == NOTHING_SENT == "-- nothing was sent"


def test_what_was_sent_in_its_order() -> None:
    plan = SqlPlan().sent(KEYS).sent(START)
    assert str(plan) == (
        "ALTER SYSTEM SET backup_dest = 'oss://b/d?host=h&access_id=***&access_key=***';\nALTER SYSTEM ARCHIVELOG;"
    )


def test_it_never_holds_what_it_does_not_show() -> None:
    plan = SqlPlan().sent(KEYS).planned([KEYS])
    assert "s3cret" not in f"{plan!r} {plan.to_json()}"


def test_what_was_answered_with_an_error() -> None:
    assert str(SqlPlan().sent(START).answered(9026)) == (
        "ALTER SYSTEM ARCHIVELOG;\n-- answered [9026]; see the log of this task"
    )


def test_a_dry_run() -> None:
    plan = SqlPlan().planned([START, "wait for\nthe full data backup 1"])
    assert str(plan).splitlines() == [
        "-- dry run, nothing is sent",
        "ALTER SYSTEM ARCHIVELOG;",
        "-- wait for the full data backup 1",
    ]


def test_a_dry_run_with_nothing_to_do() -> None:
    assert str(SqlPlan().planned([])) == "-- dry run, nothing is sent\n-- nothing to do"


def test_airflow_never_cuts_it_in_the_middle_of_a_statement() -> None:
    plan = SqlPlan()
    for number in range(500):
        plan = plan.sent(Statement.write(f"ALTER SYSTEM ARCHIVELOG TENANT = tenant{number}"))
    lines = str(plan).splitlines()
    assert MAX_CHARACTERS * 0.9 < len(str(plan)) < AIRFLOWS_LIMIT
    assert lines[0] == "ALTER SYSTEM ARCHIVELOG TENANT = tenant0;"
    shown = len(lines) - 1
    assert lines[-2] == f"ALTER SYSTEM ARCHIVELOG TENANT = tenant{shown - 1};"
    assert lines[-1] == f"-- and {500 - shown} lines more, in the log of this task"
    later = SqlPlan.of_json(plan.to_json()).sent(START)
    assert str(later).splitlines() == [*lines[:-1], f"-- and {501 - shown} lines more, in the log of this task"]


def test_a_short_line_never_goes_ahead_of_a_long_one() -> None:
    plan = SqlPlan().sent(Statement.write("ALTER SYSTEM " + "X" * MAX_CHARACTERS)).sent(START)
    assert str(plan) == "-- and 2 lines more, in the log of this task"


def test_it_travels_as_json() -> None:
    plan = SqlPlan().sent(START).answered(1235)
    assert SqlPlan.of_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert SqlPlan.of_json({}) == SqlPlan()


@pytest.mark.parametrize("stored", [None, [], "x", 1])
def test_what_was_lost_on_the_way_is_told(stored: object) -> None:
    assert str(SqlPlan.of_json(stored)) == LOST
