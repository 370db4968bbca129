"""What was asked and answered, so that a report can be checked: redacted SQL, rows, hashes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_ob_provider.oceanbase.dialects.base import Query, Row
from airflow_ob_provider.oceanbase.redact import may_name_secret, redact
from airflow_ob_provider.oceanbase.statements import Statement

_VIEW = re.compile(r"\boceanbase\.([\w$]+)")
SAMPLE_ROWS = 20
"""Rows of each answer that a report shows; the hash is of all."""


@dataclass(frozen=True)
class Answered:
    """One query and what came of it."""

    statement: str
    rows: int
    sha256: str
    """Of all rows, each as JSON with sorted names, ended by a line feed."""
    sample: tuple[dict[str, Any], ...]


class Recorder:
    """A query that remembers. Only what may be shown is kept: rows are redacted before they are hashed."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self.answers: list[Answered] = []

    def __call__(self, statement: Statement) -> Sequence[Row]:
        """Run the statement.

        :raises ServerError: as the query does; nothing is remembered then.
        """
        rows = self._query(statement)
        digest = hashlib.sha256()
        sample = []
        for number, row in enumerate(rows):
            line = _encode(row)
            if may_name_secret(line):
                line = _encode(_shown(row))
            digest.update((line + "\n").encode())
            if number < SAMPLE_ROWS:
                sample.append(_shown(row))
        text = " ".join(statement.redacted.split())
        self.answers.append(Answered(text, len(rows), digest.hexdigest(), tuple(sample)))
        return rows

    def to_json(self) -> dict[str, Any]:
        """As a report has it."""
        queries = [
            {
                "name": f"{number} {_view(one.statement)}",
                "statement": one.statement,
                "rows": one.rows,
                "sha256": one.sha256,
                "sample": list(one.sample),
                "left_out": one.rows - len(one.sample),
            }
            for number, one in enumerate(self.answers, 1)
        ]
        chain = hashlib.sha256("\n".join(f"{one.statement}\n{one.sha256}" for one in self.answers).encode())
        return {"queries": queries, "sha256": chain.hexdigest()}


def _view(statement: str) -> str:
    """The first view that a statement asks; the very first asks for the version, and none."""
    found = _VIEW.search(statement)
    return found[1] if found else "version"


def _shown(row: Row) -> dict[str, Any]:
    return {name: _shown_cell(cell) for name, cell in row.items()}


def _shown_cell(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, bool | int | float) else redact(_text(cell))


def _text(cell: Any) -> str:
    return bytes(cell).decode(errors="replace") if isinstance(cell, bytes | bytearray) else str(cell)


_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_text).encode
