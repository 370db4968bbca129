"""What may come of a case, in one place: right outcomes, no statement twice, an end in time, useful words, no secret.

The truth is the cluster's record (``truth``) and the proxy's (what was sent, what arrived); nothing is taken from what
the product says of itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.faults import truth
from tests.faults.rig import ENDLESS, Rig, Try
from tests.faults.tasks import TIMEOUT, Task
from tests.faults.totals import COUNTED, count
from tests.unit.test_secrets import leaks

WRONG, DUPLICATE, HANG, LEAK = COUNTED
SLACK = 300.0
"""Simulated seconds that a task may take past its timeout: the scheduler's own minute, the longest back-off between two
reads that fail, and reads that stall."""
SETTLING_SECONDS = 900.0

LOST = r"\[(2003|2006|2013|2055)\]"
LOST_HINT = r"read the state|Check host and port"


@dataclass(frozen=True)
class Expect:
    """What a case may come to.

    ``first``: the outcomes that its first try may have; ``last``: what its last one must; ``words``: regular
    expressions that every failure's text must hold, the cause and the way out.
    """

    first: frozenset[str] = frozenset({"success"})
    last: frozenset[str] = frozenset({"success"})
    words: tuple[str, ...] = ()
    may_write: bool = True
    settles: bool = True
    """A start that has succeeded becomes DOING."""


def expect(first: str = "success", last: str = "success", *words: str, **more: bool) -> Expect:
    """``expect("success retry", "success", …)``."""
    return Expect(frozenset(first.split()), frozenset(last.split()), words, **more)


@dataclass
class Findings:
    """What is wrong in a case, by what is counted."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, text: str) -> None:
        self.found.append((kind, text))


def check(rig: Rig, task: Task, wanted: Expect, *, struck: bool = True) -> list[Try]:
    """Run a case, judge it, count it, and fail the test if anything is wrong.

    :param struck: a fault of the proxy must have met a statement, or the case would prove nothing.
    """
    tries = rig.tries(task)
    findings = Findings()
    if task.settles and wanted.settles and tries[-1].end.state == "success":
        rig.box.advance(SETTLING_SECONDS)
        if late := truth.doing(rig.box):
            findings.add(WRONG, f"the success comes to nothing: {late}")
    _outcomes(tries, wanted, findings)
    _time(tries, findings)
    _writes(rig, task, tries, wanted, findings)
    for part in dict.fromkeys(leaks(rig.ears.heard)):
        findings.add(LEAK, f"a part of a secret was shown: {part}")
    kinds = Counter(kind for kind, _ in findings.found)
    count(rig.node, 1, {kind: min(kinds[kind], 1) for kind in COUNTED})
    story = "\n".join(f"  {kind}: {text}" for kind, text in findings.found)
    assert not findings.found, f"{task.name}:\n{story}\n{told(tries)}"
    if struck:
        assert rig.proxy.struck, f"{task.name}: no statement met the fault\n{told(tries)}"
    return tries


def told(tries: Iterable[Try]) -> str:
    """The story of a case."""
    return "\n".join(
        f"  try {number}: {each.end.state} after {each.seconds:g} s, {type(each.end.error).__name__}: "
        f"{each.end.error or each.end.result}"
        for number, each in enumerate(tries, 1)
    )


def _outcomes(tries: list[Try], wanted: Expect, findings: Findings) -> None:
    for number, each in enumerate(tries, 1):
        end = each.end
        if each.untrue:
            findings.add(WRONG, f"try {number} was a success, but {each.untrue}")
        if end.error is None:
            continue
        missing = [word for word in wanted.words if not re.search(word, end.text)]
        if missing:
            findings.add(WRONG, f"the error of try {number} does not say {' nor '.join(missing)}")
    if tries[0].end.state not in wanted.first:
        findings.add(WRONG, f"the first try is {tries[0].end.state}, not {' or '.join(sorted(wanted.first))}")
    if tries[-1].end.state not in wanted.last:
        findings.add(WRONG, f"it ends as {tries[-1].end.state}, not {' or '.join(sorted(wanted.last))}")


def _time(tries: list[Try], findings: Findings) -> None:
    for number, each in enumerate(tries, 1):
        if each.seconds > TIMEOUT + SLACK or each.end.state == "hung" or ENDLESS in each.end.text:
            findings.add(HANG, f"try {number} took {each.seconds:g} s: {each.end.error}")


def _writes(rig: Rig, task: Task, tries: list[Try], wanted: Expect, findings: Findings) -> None:
    """No statement twice in one try, and none again after it took effect, whatever its answer was or became of it."""
    outcomes = iter(rig.box.writes)  # the proxy loses answers, so the server's record has their true outcome
    acted = Counter(rig.acted)
    done: set[str] = set()
    for number, each in enumerate(tries, 1):
        sent = [passed for passed in each.sent if passed.sql.startswith("ALTER")]
        for sql, times in Counter(_unmarked(passed.sql) for passed in sent).items():
            if times > 1:
                findings.add(DUPLICATE, f"try {number} sent {times} times: {sql}")
        for passed in sent:
            sql = passed.sql
            if not wanted.may_write or not any(re.search(pattern, sql) for pattern in task.sends):
                findings.add(WRONG, f"try {number} sent what it has no business to send: {sql}")
            if _unmarked(sql) in done:
                findings.add(DUPLICATE, f"try {number} sent what had taken effect: {sql}")
            if passed.reached and (next(outcomes).outcome in {"OK", "LOST"} or acted[sql] > 0):
                done.add(_unmarked(sql))


def _unmarked(sql: str) -> str:
    """Without the mark by which the job of a data backup is found again: each statement has its own."""
    return re.sub(r"\[airflow-[0-9a-f]+\]", "", sql)
