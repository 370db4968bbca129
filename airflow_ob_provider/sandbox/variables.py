"""System variables of a session, and the SET statement for them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .build import Profile
from .errors import ServerError, syntax_error
from .lexer import Token, tokenize

Value = str | int

READ_ONLY = {"version", "version_comment", "system_time_zone", "lower_case_table_names", "license"}


def defaults(profile: Profile) -> dict[str, Value]:
    """The variables clients ask for, with an OBServer's defaults."""
    return {
        "auto_increment_increment": 1,
        "autocommit": 1,
        "character_set_client": "utf8mb4",
        "character_set_connection": "utf8mb4",
        "character_set_database": "utf8mb4",
        "character_set_results": "utf8mb4",
        "character_set_server": "utf8mb4",
        "collation_connection": "utf8mb4_general_ci",
        "collation_database": "utf8mb4_general_ci",
        "collation_server": "utf8mb4_general_ci",
        "foreign_key_checks": 1,
        "init_connect": "",
        "interactive_timeout": 28800,
        "license": "",
        "lower_case_table_names": 1,
        "max_allowed_packet": 4194304,
        "net_read_timeout": 30,
        "net_write_timeout": 60,
        "ob_compatibility_mode": "MYSQL",
        "ob_query_timeout": 10_000_000,
        "ob_read_consistency": "STRONG",
        "ob_trx_idle_timeout": 120_000_000,
        "ob_trx_timeout": 100_000_000,
        "sql_mode": "STRICT_ALL_TABLES",
        "sql_select_limit": 2**63 - 1,
        "system_time_zone": "CST",
        "time_zone": "+8:00",
        "transaction_isolation": "READ-COMMITTED",
        "tx_isolation": "READ-COMMITTED",
        "tx_read_only": 0,
        "unique_checks": 1,
        "version": profile.version_function,
        "version_comment": profile.version_comment,
        "wait_timeout": 28800,
    }


#: Shown as ON or OFF by SHOW VARIABLES.
SWITCHES = {"autocommit", "foreign_key_checks", "tx_read_only", "unique_checks"}


def shown(name: str, value: Value) -> str:
    return ("ON" if value else "OFF") if name in SWITCHES else str(value)


def parse_offset(text: str, cluster: timedelta) -> timedelta:
    """The offset from UTC that a time_zone value means, else 1298."""
    match = re.fullmatch(r"([+-])(\d{1,2}):(\d{2})", text)
    if match:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return offset if match[1] == "+" else -offset
    if text.upper() == "SYSTEM":
        return cluster
    try:
        # Zones with daylight saving aren't worth their trouble here: the offset of a day in winter.
        return datetime(2024, 1, 1, tzinfo=ZoneInfo(text)).utcoffset() or timedelta()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ServerError(1298, f"Unknown or incorrect time zone: '{text}'") from None


def parse_set(sql: str) -> list[tuple[str, str, Value | None]]:
    """(scope, name, value) of each assignment; value None is DEFAULT. Scope: session, global or user."""
    tokens = tokenize(sql)[1:]
    if not tokens:
        raise syntax_error()
    if tokens[0].is_word("NAMES", "CHARSET") or (
        len(tokens) > 1 and tokens[0].is_word("CHARACTER") and tokens[1].is_word("SET")
    ):
        charset = tokens[2 if tokens[0].is_word("CHARACTER") else 1 :]
        if not charset:
            raise syntax_error(sql)
        name = charset[0].text.lower()
        return [("session", f"character_set_{part}", name) for part in ("client", "connection", "results")]
    if any(token.is_word("TRANSACTION") for token in tokens[:2]):
        return []
    assignments = []
    start = 0
    depth = 0
    for index, token in enumerate([*tokens, Token("symbol", ",", len(sql), len(sql))]):
        depth += token.is_symbol("(") - token.is_symbol(")")
        if depth == 0 and token.is_symbol(","):
            assignments.append(_assignment(tokens[start:index], sql))
            start = index + 1
    return assignments


def _assignment(tokens: list[Token], sql: str) -> tuple[str, str, Value | None]:
    scope = "session"
    rest = list(tokens)
    if rest and rest[0].is_symbol("@"):
        return "user", rest[1].text if len(rest) > 1 else "", None
    marked = bool(rest) and rest[0].is_symbol("@@")
    if marked:
        rest.pop(0)
    if len(rest) > 1 and rest[0].is_word("SESSION", "LOCAL", "GLOBAL"):
        scope = "global" if rest.pop(0).is_word("GLOBAL") else "session"
        if marked:
            rest.pop(0)
    if len(rest) < 3 or not (rest[1].is_symbol("=") or rest[1].is_symbol(":=")):
        raise syntax_error(sql[tokens[0].start :] if tokens else sql)
    return scope, rest[0].text.lower(), _value(rest[2:], sql)


def _value(tokens: list[Token], sql: str) -> Value | None:
    text = "".join(token.text for token in tokens)
    if len(tokens) == 1 and tokens[0].kind == "string":
        return text
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if len(tokens) == 1 and tokens[0].kind == "word":
        known: dict[str, Value | None] = {"ON": 1, "TRUE": 1, "OFF": 0, "FALSE": 0, "DEFAULT": None}
        return known.get(text.upper(), text)
    raise syntax_error(sql[tokens[0].start :])
