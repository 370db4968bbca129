"""Tokens of MySQL-mode SQL, and what can be told from the first words of a statement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .errors import syntax_error

_ESCAPES = {"0": "\0", "'": "'", '"': '"', "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "\\": "\\"}
_PATTERN = re.compile(
    r"""
    (?P<space>\s+|--(?=\s|$)[^\n]*|\#[^\n]*|/\*(?!!).*?\*/)
  | (?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
  | (?P<quoted>`(?:[^`]|``)*`)
  | (?P<word>[A-Za-z_$][\w$]*)
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<symbol>@@|:=|<=>|<=|>=|<>|!=|.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """``text`` is the meaning (a string without its quotes), ``start`` and ``end`` the place in the statement."""

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words

    def is_symbol(self, symbol: str) -> bool:
        return self.kind == "symbol" and self.text == symbol


def _unquote(raw: str) -> str:
    quote, body = raw[0], raw[1:-1]

    def replace(match: re.Match[str]) -> str:
        if match[0] == quote * 2:
            return quote
        escaped = match[0][1:]
        # \% and \_ keep their backslash: they matter to LIKE.
        return "\\" + escaped if escaped in "%_" else _ESCAPES.get(escaped, escaped)

    return re.sub(rf"\\.|{quote}{quote}", replace, body, flags=re.DOTALL)


def tokenize(sql: str) -> list[Token]:
    """All tokens without comments and the final ``;``. An open quote or comment is a syntax error."""
    tokens = []
    for match in _PATTERN.finditer(sql):
        kind = match.lastgroup or ""
        if kind == "space":
            continue
        text = match[0]
        if kind == "symbol" and text in {"'", '"', "`"}:
            raise syntax_error(sql[match.start() :])
        if kind == "string":
            text = _unquote(text)
        elif kind == "quoted":
            text = text[1:-1].replace("``", "`")
        tokens.append(Token(kind, text, match.start(), match.end()))
    while tokens and tokens[-1].is_symbol(";"):
        tokens.pop()
    return tokens


@lru_cache(maxsize=256)
def first_words(sql: str, count: int = 3) -> tuple[str, ...]:
    """The first tokens in upper case; for a text that can't be read, what can be."""
    words: list[str] = []
    for match in _PATTERN.finditer(sql):
        if match.lastgroup != "space":
            words.append(match[0].upper())
            if len(words) == count:
                break
    return tuple(words)


_WRITERS = {
    "ALTER", "ANALYZE", "CALL", "CREATE", "DELETE", "DROP", "FLASHBACK", "GRANT", "INSERT", "LOAD", "MERGE",
    "OPTIMIZE", "PURGE", "RENAME", "REPLACE", "REVOKE", "TRUNCATE", "UPDATE",
}  # fmt: skip


def is_write(sql: str) -> bool:
    """Whether a statement tries to change something that outlives the session (or the next backup's password)."""
    words = first_words(sql)
    if not words:
        return False
    if words[0] == "SET":
        return words[1:2] in {("GLOBAL",), ("ENCRYPTION",), ("PASSWORD",)} or words[1:] == ("@@", "GLOBAL")
    return words[0] in _WRITERS
