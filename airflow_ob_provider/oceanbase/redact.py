"""Take secrets out of any text before it reaches a log, an error, an XCom or a report."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

MASK = "***"

_KEY_NAMES = (
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
# A key of an object store may hold / + = % and commas, so its value ends only where a URI parameter ends.
_KEY_VALUE = re.compile(rf"(?P<name>\b(?:{'|'.join(_KEY_NAMES)})\s*=\s*)(?P<value>[^&'\"\s`]+)", re.IGNORECASE)
_QUOTED = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\""
_KEY_QUOTED = re.compile(
    rf"(?P<name>[\"']?\b(?:{'|'.join(_KEY_NAMES)})[\"']?\s*[=:,]\s*)(?P<value>{_QUOTED})", re.IGNORECASE
)
_IDENTIFIED = re.compile(
    rf"(?P<name>\bIDENTIFIED\s+(?:WITH\s+\S+\s+)?(?:BY|AS)\s+(?:PASSWORD\s+)?)(?P<value>{_QUOTED}|[^\s;'\",)]+)",
    re.IGNORECASE,
)
_PASSWORD_CALL = re.compile(rf"(?P<name>\bPASSWORD\s*\(\s*)(?P<value>{_QUOTED})", re.IGNORECASE)
_SET_PASSWORD = re.compile(rf"(?P<name>\bSET\s+PASSWORD\b[^=]*=\s*)(?P<value>{_QUOTED})", re.IGNORECASE)
_DECRYPTION = re.compile(
    rf"(?P<name>\b(?:SET\s+DECRYPTION|DECRYPTION)\b[^'\"]*\bBY\s+)(?P<value>(?:{_QUOTED})(?:\s*,\s*(?:{_QUOTED}))*)",
    re.IGNORECASE,
)
_PATTERNS = (_DECRYPTION, _IDENTIFIED, _PASSWORD_CALL, _SET_PASSWORD, _KEY_QUOTED, _KEY_VALUE)

_SENSITIVE = re.compile(rf"\b(?:{'|'.join(_KEY_NAMES)}|IDENTIFIED|DECRYPTION|ENCRYPTION)\b", re.IGNORECASE)
# "You have an error … near '<the statement from here on>' at line 1" quotes the statement from any point on,
# also from the middle of a secret, where no key name is left to find it by.
_NEAR = re.compile(r"\bnear\s+'.*'", re.IGNORECASE | re.DOTALL)


def is_sensitive(text: str) -> bool:
    """Whether a statement may carry a secret, also one that sits in its parameters."""
    return bool(_SENSITIVE.search(text))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Mask the secrets in ``text``: by the names they go by, and the values given in ``secrets``.

    Values are also masked where they appear percent-encoded, decoded or escaped for SQL. Masking a text
    twice gives the same text.
    """
    for spelling in sorted(_spellings(secrets), key=len, reverse=True):
        text = text.replace(spelling, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: match["name"] + _mask(match["value"]), text)
    return text


def redact_server_message(message: str, statement: str, secrets: Iterable[str] = ()) -> str:
    """Mask a server's answer to ``statement``; the part that quotes a sensitive statement is dropped."""
    if is_sensitive(statement):
        message = _NEAR.sub(f"near '{MASK}'", message)
    return redact(message, secrets)


def _mask(value: str) -> str:
    quote_mark = value[0] if value[:1] in {"'", '"'} else ""
    return f"{quote_mark}{MASK}{quote_mark}"


def _spellings(secrets: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for secret in secrets:
        if secret:
            escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
            found |= {secret, quote(secret, safe=""), quote(secret), unquote(secret), escaped}
    return {spelling for spelling in found if spelling}
