"""Take secrets out of any text before it reaches a log, an error, an XCom or a report."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from urllib.parse import quote, quote_plus, unquote

MASK = "***"

KEY_NAMES = (
    "access_id",
    "access_key",
    "access_key_id",
    "access_key_secret",
    "secret_key",
    "secret",
    "encrypt_key",
    "sts_credential",
    "security_token",
    "sas_token",
    "passwd",
    "password",
    "pwd",
)
"""Names that what is secret goes by."""
# Whatever stands before: backup_password, client_secret and %26access_key (an encoded '&') are names as well.
_NAME = rf"(?:{'|'.join(KEY_NAMES)})"
# A text may be cut in the middle of a literal, so a literal also ends where the text ends. Any number of backslashes
# escapes a quote: each representation of a representation doubles them.
_QUOTED = r"(?:'(?:[^'\\]|\\++.|'')*(?:'|\\*\Z)|\"(?:[^\"\\]|\\++.|\"\")*(?:\"|\\*\Z))"

_SIGN = "[=:,]|:=|=>|!=|<>|<=>|LIKE"


# Every pattern below asks for one of these, so a text without them, as nearly all are, is not searched for any.
_CLUES = (
    *(name for name in KEY_NAMES if not any(other != name and other in name for other in KEY_NAMES)),
    "decryption",
    "identified",
    "://",
)


def _pattern(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE | re.DOTALL)


_EXPRESSIONS = (
    rf"\bDECRYPTION\b[^'\"]*\bBY\s+(?P<value>{_QUOTED}(?:\s*,\s*{_QUOTED})*)",
    rf"\bIDENTIFIED\s+(?:WITH\s+\S+\s+)?(?:BY|AS)\s+(?:PASSWORD\s+)?(?P<value>{_QUOTED}|[^\s;'\",)]+)",
    rf"\bPASSWORD\s*\(\s*(?P<value>{_QUOTED})",
    rf"\bSET\s+PASSWORD\b[^=]*=\s*(?P<value>{_QUOTED})",
    # key = 'value', {"key": "value"}, ('key', 'value'), {'key': b'value'}
    rf"{_NAME}[\"']?\s*(?:{_SIGN})\s*[bnux]?(?P<value>{_QUOTED})",
    # JSON inside JSON: {\"key\": \"value\"}
    rf"{_NAME}\\+[\"']\s*[=:,]\s*(?P<open>\\+[\"'])(?P<value>.*?)(?=(?<!\\)(?P=open)|\Z)",
    # {"key": 7}
    rf"{_NAME}\\*[\"']\s*:\s*(?P<value>[^\s'\"\\,)\]}}]+)(?=[\s,)\]}}]|\Z)",
    # mysql://user:password@host
    r"://[^/\s:@]*:(?P<value>[^/\s:@?]+)@",
    # A key of an object store may hold / + = % and commas, so its value ends only where a URI parameter ends.
    rf"{_NAME}\s*(?:=>?+|%3D)\s*(?P<value>[^&'\"\s`]+)",
)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Compiled when a text is searched first, since to parse a DAG file none is."""
    return tuple(map(_pattern, _EXPRESSIONS))


_SENSITIVE = _pattern(rf"{_NAME}\b|\b(?:IDENTIFIED|DECRYPTION|ENCRYPTION)\b")
_SHOWS_KEYS = _pattern(r"ARCHIVE_DEST|BACKUP_PARAMETER|BACKUP_STORAGE_INFO|BACKUP_DEST|\bPARAMETERS\b|_PARAMETER")
# "You have an error … near '<the statement from here on>' at line 1" quotes the statement from any point on,
# also from the middle of a secret, where no key name is left to find it by; a long answer is cut before its end.
_NEAR = _pattern(r"\bnear\s+['\"].*?(?P<line>['\"] at line \d+)?\Z")


def is_secret_name(name: str) -> bool:
    """Whether a parameter of this name holds a secret, however it is written."""
    return name.strip().lower() in KEY_NAMES


def is_sensitive(text: str) -> bool:
    """Whether a statement may carry a secret, also one that sits in its parameters."""
    return bool(_SENSITIVE.search(text))


def shows_keys(sql: str) -> bool:
    """Whether the rows of a SELECT or SHOW may hold keys of an object store, which the server shows in clear text.

    4.x: CDB_OB_ARCHIVE_DEST, CDB_OB_BACKUP_PARAMETER and their twins; 3.x: parameter backup_dest (V4.2.5 manual, log
    archive, change the destination).
    """
    return bool(_SHOWS_KEYS.search(sql))


def may_name_secret(text: str) -> bool:
    """Whether :func:`redact` may find something by a name; many texts may be asked about at once, joined by anything.

    Beyond ASCII there are letters that match these names as well: ſ is an s.
    """
    if not text.isascii():
        return True
    lower = text.lower()
    for clue in _CLUES:  # noqa: SIM110 - a generator costs more than the search
        if clue in lower:
            return True
    return False


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """Mask the secrets in ``text``: by the names they go by, and the values given in ``secrets``.

    Values are also masked where they appear percent-encoded, decoded or escaped for SQL or JSON. Both ways look at
    the text as it came, so that masking a value cannot hide the name of another. Masking a text twice gives the
    same text.
    """
    if not secrets and not may_name_secret(text):
        return text
    spellings = _spellings(secrets)
    while (masked := _masked(text, spellings)) != text:
        text = masked
    return text


def redact_server_message(message: str, statement: str, secrets: Collection[str] = ()) -> str:
    """Mask a server's answer to ``statement``; the part that quotes a sensitive statement is dropped."""
    if is_sensitive(statement):
        message = _NEAR.sub(lambda match: f"near '{MASK}'{(match['line'] or '')[1:]}", message)
    return redact(message, secrets)


def _masked(text: str, spellings: set[str]) -> str:
    shown, end = [], 0
    for start, stop in _merged(sorted((*_by_value(text, spellings), *_by_name(text)))):
        shown += [text[end:start], MASK]
        end = stop
    return "".join((*shown, text[end:]))


def _by_name(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _patterns():
        match = pattern.search(text)
        while match:
            start, end = match.span("value")
            # What was taken for a value may be a name: ('access_id', 'access_key', '…').
            match = pattern.search(text, start + 1)
            mark = text[start]
            if mark in "'\"":
                start += 1
                end -= end > start and text[end - 1] == mark
            yield start, end


def _by_value(text: str, spellings: set[str]) -> Iterator[tuple[int, int]]:
    for spelling in spellings:
        start = text.find(spelling)
        while start >= 0:
            yield start, start + len(spelling)
            start = text.find(spelling, start + 1)


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start = end = 0
    for next_start, next_end in spans:
        if next_start >= end:
            if end > start:
                yield start, end
            start, end = next_start, next_end
        else:
            end = max(end, next_end)
    if end > start:
        yield start, end


def _spellings(secrets: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for secret in secrets:
        for plain in {secret, unquote(secret)}:
            quoted = {
                quote(plain, safe="", errors="replace"),
                quote(plain, errors="replace"),
                quote(plain, safe="/+=%", errors="replace"),
                quote_plus(plain, errors="replace"),
            }
            lower = {re.sub("%..", lambda code: code[0].lower(), one) for one in quoted}
            backslashes = plain.replace("\\", "\\\\")
            found |= {plain, plain.replace(" ", "%20"), *quoted, *lower}
            found |= {plain.replace("'", "''"), backslashes.replace("'", "\\'"), backslashes.replace("'", "''")}
            found |= {json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1], repr(plain)[1:-1]}
    return {spelling for spelling in found if spelling.strip("*")}
