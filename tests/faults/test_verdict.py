"""The judge itself: each kind of violation is seen, counted, and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.rig import Rig
from tests.faults.tasks import Task, tasks
from tests.faults.totals import PROPERTY
from tests.faults.verdict import Expect, check, expect
from tests.unit.test_secrets import KEY


class Restless:
    """A task that does what no task may."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act

    def execute(self, context: Any) -> Any:
        return self._act()


def broken(act: Callable[[], Any], **changes: Any) -> Task:
    found = next(task for task in tasks("3.2.4") if task.name == "start")
    return replace(found, make=lambda: Restless(act), settles=False, **changes)


def judged(rig: Rig, task: Task, wanted: Expect) -> tuple[str, dict[str, int]]:
    """What the judge says, taken out of the totals again."""
    with pytest.raises(AssertionError) as failure:
        check(rig, task, wanted, struck=False)
    name, found = rig.node.user_properties.pop()
    assert name == PROPERTY
    return str(failure.value), {kind: number for kind, number in found.items() if number and kind != "cases"}


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig("3.2.4")


def test_a_success_that_is_none(rig: Rig) -> None:
    text, found = judged(rig, broken(dict), expect())
    assert found == {"wrong outcomes": 1}
    assert "was a success, but not running: {'sys': 'STOP'" in text


def test_a_false_alarm_and_a_text_that_does_not_help(rig: Rig) -> None:
    text, found = judged(rig, broken(lambda: 1 // 0), expect("success", "success", r"\[2013\]"))
    assert found == {"wrong outcomes": 1}
    assert "the first try is retry, not success" in text
    assert "does not say" in text


def test_a_statement_sent_twice(rig: Rig) -> None:
    hook = tasks("3.2.4")[0].make().hook
    rig.box.parameters["backup_dest"] = "file:///data"

    def twice() -> None:
        for _ in range(2):
            with hook.session() as session, session.connection.cursor() as cursor:
                cursor.execute("ALTER SYSTEM MINOR FREEZE")

    text, found = judged(rig, broken(twice, holds=lambda *_: "", sends=("MINOR FREEZE",)), expect())
    assert found == {"duplicate writes": 1}
    assert "sent 2 times: ALTER SYSTEM MINOR FREEZE" in text


def test_a_statement_that_is_not_the_tasks_own(rig: Rig) -> None:
    rig.box.force_status("DOING")
    hook = tasks("3.2.4")[0].make().hook

    def stop() -> None:
        with hook.session() as session, session.connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM NOARCHIVELOG")

    text, found = judged(rig, broken(stop, holds=lambda *_: ""), expect())
    assert found == {"wrong outcomes": 1}
    assert "no business to send: ALTER SYSTEM NOARCHIVELOG" in text


def test_a_wait_past_its_bound(rig: Rig) -> None:
    text, found = judged(rig, broken(lambda: rig.time.sleep(5000), holds=lambda *_: ""), expect())
    assert found == {"hangs": 1}
    assert "took 5000 s" in text


def test_a_secret_that_is_shown(rig: Rig) -> None:
    _, found = judged(rig, broken(lambda: {"key": KEY}, holds=lambda *_: ""), expect())
    assert found == {"leaks": 1}


def test_one_that_hangs_in_a_system_call(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr("tests.faults.rig.REAL_SECONDS", 0.2)
    text, found = judged(rig, broken(lambda: threading.Event().wait(30)), expect())
    assert found["hangs"] == 1
    assert "still running after" in text
