"""Looking for a secret in everything that a process has left on the disk."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet


def shapes(word: str) -> list[bytes]:
    """A plain word, which no quoting changes, as it may stand in a file: bare, in hex, or in base64 at any offset."""
    raw = word.encode()
    found = [raw, word.encode("utf-16-le"), raw.hex().encode(), raw.hex().upper().encode()]
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw)
        # Only the characters that hold no bit of a neighbour.
        found.append(text[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6])
    return found


def files_with(word: str, folder: Path) -> list[str]:
    """Files below a folder that hold the word: logs, the database with its deleted pages, whatever there is."""
    wanted = shapes(word)
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(shape in path.read_bytes() for shape in wanted)
    )


def rows_of(database: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield table, dict(row)


def in_clear(row: dict[str, Any], key: str) -> dict[str, Any]:
    """A row, with what Airflow has encrypted in it."""
    fernet = Fernet(key)
    return {
        name: fernet.decrypt(value.encode()).decode() if isinstance(value, str) and value.startswith("gAAAA") else value
        for name, value in row.items()
    }
