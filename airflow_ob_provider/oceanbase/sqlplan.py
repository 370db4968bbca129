"""What a task shows of its SQL: the statements that it has sent, or in a dry run would send, as text to copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from airflow_ob_provider.oceanbase.statements import Statement

MAX_CHARACTERS = 3500
"""Airflow cuts a field that is longer than ``[core] max_templated_field_length`` (4,096 by default) in the middle."""
NOTHING_SENT = "-- nothing was sent"
LOST = "-- what was sent before the wait is in the log of this task"


@dataclass(frozen=True)
class SqlPlan:
    """Statements in their redacted form, one a line, and remarks as comments. It never holds what is not shown."""

    lines: tuple[str, ...] = ()
    more: int = 0
    """Lines that had no room."""

    def sent(self, statement: Statement) -> Self:
        """With a statement that goes to the server now."""
        return self._with(f"{statement};")

    def answered(self, errno: int) -> Self:
        """With the error code that the last statement was answered with."""
        return self._with(f"-- answered [{errno}]; see the log of this task")

    def planned(self, plan: Sequence[Statement | str]) -> Self:
        """With what a dry run would do: statements, and words where there is none to show."""
        made = self._with("-- dry run, nothing is sent")
        for step in plan or ("nothing to do",):
            made = made._with(f"{step};" if isinstance(step, Statement) else _comment(step))
        return made

    def _with(self, line: str) -> Self:
        room = MAX_CHARACTERS - sum(len(shown) + 1 for shown in self.lines)
        if self.more or len(line) > room:
            return replace(self, more=self.more + 1)
        return replace(self, lines=(*self.lines, line))

    def __str__(self) -> str:
        rest = [f"-- and {self.more} lines more, in the log of this task"] if self.more else []
        return "\n".join([*self.lines, *rest]) or NOTHING_SENT

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for what waits."""
        return {"lines": list(self.lines), "more": self.more}

    @classmethod
    def of_json(cls, stored: object) -> Self:
        """From its JSON; a row of an earlier release has none, and one that the scheduler has ended has lost it."""
        if not isinstance(stored, Mapping):
            return cls((LOST,))
        return cls(tuple(map(str, stored.get("lines") or ())), int(stored.get("more") or 0))


def _comment(text: str) -> str:
    return "-- " + " ".join(text.split())
