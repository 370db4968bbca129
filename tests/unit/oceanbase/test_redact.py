"""No secret survives redaction, by name or by value, whole or cut; harmless text does."""

from __future__ import annotations

import json
import string
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.redact import (
    MASK,
    is_secret_name,
    is_sensitive,
    redact,
    redact_server_message,
    shows_keys,
)

# What object stores put into keys, and a few they do not. At least 6 long, so that no key is part of ordinary words.
KEY_ALPHABET = string.ascii_letters + string.digits + "/+=%-_.~!#$,:;@"
keys = st.text(KEY_ALPHABET, min_size=6, max_size=60).filter(lambda key: "%" in key or not key.isalpha())
NAMES = [
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
]
names = st.sampled_from([*NAMES, *(name.upper() for name in NAMES), "Access_Key"])
passwords = st.text(
    st.characters(codec="utf-8", exclude_characters="'\"\\", exclude_categories=["C"]), min_size=6, max_size=40
).filter(lambda text: set(text) - set(" *"))


# --- by name ----------------------------------------------------------------------------------------------------------


@given(names, keys)
def test_keys_of_a_destination(name: str, key: str) -> None:
    text = f"ALTER SYSTEM SET backup_dest = 'oss://b/d?host=h&access_id=i&{name}={key}&delete_mode=x'"
    shown = redact(text)
    assert f"{name}={MASK}&delete_mode=x'" in shown
    assert shown.startswith("ALTER SYSTEM SET backup_dest = 'oss://b/d?host=h&access_id=***&")


@given(names, keys)
def test_a_destination_cut_anywhere_after_the_name_of_the_key(name: str, key: str) -> None:
    text = f"backup_dest='oss://b/d?host=h&{name}={key}'"
    for end in range(text.index(f"{name}=") + len(name) + 2, len(text) + 1):
        assert redact(text[:end]).startswith(f"backup_dest='oss://b/d?host=h&{name}={MASK}")


@given(names, keys)
def test_a_destination_inside_an_encoded_uri(name: str, key: str) -> None:
    encoded = quote(f"oss://b/d?host=h&{name}={key}", safe="")
    assert redact(encoded) == quote(f"oss://b/d?host=h&{name}", safe="") + f"%3D{MASK}"


@given(names, passwords, st.sampled_from(["'", '"']), st.sampled_from(["=", " = ", ":", " : "]))
def test_quoted_values(name: str, password: str, mark: str, sign: str) -> None:
    assert redact(f"({name}{sign}{mark}{password}{mark})") == f"({name}{sign}{mark}{MASK}{mark})"


@given(names, passwords)
def test_a_quoted_value_cut_before_its_end(name: str, password: str) -> None:
    assert redact(f"... {name} = '{password}") == f"... {name} = '{MASK}"


@given(names, st.text(min_size=6).filter(lambda text: set(text) - set("*\\\"' ")))
def test_dicts_tuples_and_json(name: str, secret: str) -> None:
    # Letters that only ever stand in the secret, so that any rest of it shows.
    secret = f"\u2620{secret}\u2620"
    for shown in (
        repr({name: secret, "host": "h"}),
        repr((name, secret)),
        repr([(name, secret), ("host", "h")]),
        repr({name: secret.encode(), "host": "h"}),
        json.dumps({name: secret, "host": "h"}, ensure_ascii=False),
        json.dumps({name: secret}, ensure_ascii=False, separators=(",", ":")),
        json.dumps({"extra": json.dumps({name: secret, "host": "h"}, ensure_ascii=False)}, ensure_ascii=False),
        repr({"extra": json.dumps({name: secret, "host": "h"}, ensure_ascii=False)}),
    ):
        masked = redact(shown)
        assert "\u2620" not in masked, masked
        assert "\\xe2\\x98\\xa0" not in masked, masked
        assert MASK in masked
        assert ("host" in masked) == ("host" in shown)


def test_values_that_are_no_text() -> None:
    assert redact('{"password": 8675309, "port": 2881}') == '{"password": ***, "port": 2881}'
    assert redact("{'pwd': None, 'port': 2881}") == "{'pwd': ***, 'port': 2881}"


@pytest.mark.parametrize(
    "name", ["backup_password", "client_secret", "aws_secret_access_key", "dest.access_key", "oldpwd"]
)
def test_longer_names(name: str) -> None:
    assert redact(f"{name}=hunter2 x") == f"{name}=*** x"
    assert redact(f"{{'{name}': 'hunter2'}}") == f"{{'{name}': '***'}}"


@pytest.mark.parametrize("sign", [":=", " := ", "=>", " != ", " <> ", "<=>", " like ", ","])
def test_other_signs_between_name_and_value(sign: str) -> None:
    assert redact(f"SET @password{sign}'hunter2', x = 'y'") == f"SET @password{sign}'***', x = 'y'"


@pytest.mark.parametrize("uri", ["mysql://root%40sys:hunter2@db:2881/oceanbase", "see oceanbase://:hunter2@db now"])
def test_the_password_of_a_connection_uri(uri: str) -> None:
    assert redact(uri) == uri.replace("hunter2", MASK)


def test_names_in_a_row_hide_no_value() -> None:
    assert "hunter2" not in redact("('access_id', 'access_key', 'hunter2')")


STATEMENTS = [
    "SET ENCRYPTION ON IDENTIFIED BY {} ONLY",
    "set encryption on  identified\n by {} only",
    "SET DECRYPTION IDENTIFIED BY {}",
    "SET DECRYPTION IDENTIFIED BY {0},{0}",
    "SET DECRYPTION IDENTIFIED BY {0} , {0} , {0}",
    "CREATE USER 'monitor'@'%' IDENTIFIED BY {}",
    "CREATE USER monitor IDENTIFIED WITH mysql_native_password BY {}",
    "CREATE USER monitor IDENTIFIED WITH mysql_native_password AS {}",
    "CREATE USER monitor IDENTIFIED BY PASSWORD {}",
    "GRANT SELECT ON oceanbase.* TO monitor IDENTIFIED BY {}",
    "ALTER USER root IDENTIFIED BY {};",
    "SET PASSWORD = {}",
    "SET PASSWORD FOR 'monitor'@'%' = {}",
    "SET PASSWORD FOR monitor = PASSWORD({})",
    "SELECT PASSWORD ( {} )",
    "CREATE LINK WITH (password = {})",
]


@pytest.mark.parametrize("statement", STATEMENTS)
@given(password=passwords)
def test_passwords_in_sql(statement: str, password: str) -> None:
    for mark in "'\"":
        masked = redact(statement.format(f"{mark}{password}\u2620{mark}"))
        assert "\u2620" not in masked
        assert masked.count(MASK) == 1
        # What stands around it stays.
        assert masked.split(mark + MASK)[0] == statement.split("{")[0].removesuffix("0}")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_passwords_with_escaped_quotes(statement: str) -> None:
    for literal in (r"'it\'s hunter2'", "'it''s hunter2'", r"'back\\slash hunter2'", r'"say \"hunter2\""'):
        assert "hunter2" not in redact(statement.format(literal))


@pytest.mark.parametrize("statement", [one for one in STATEMENTS if "{0}" not in one])
def test_sql_cut_inside_the_password(statement: str) -> None:
    start = statement.split("{")[0]
    assert redact(f"{start}'hunter2 and the re") == f"{start}'{MASK}"


def test_the_second_of_two_passwords_cut() -> None:
    assert "hunter2" not in redact("SET DECRYPTION IDENTIFIED BY 'one', 'hunter2 an")


def test_a_password_without_quotes() -> None:
    assert redact("CREATE USER u IDENTIFIED BY hunter2; SELECT 1") == "CREATE USER u IDENTIFIED BY ***; SELECT 1"


def test_every_secret_of_a_statement() -> None:
    text = "ALTER SYSTEM SET backup_dest='oss://b?host=h&access_id=AAA&access_key=B/+=%B', p='x', password='CCC'"
    assert redact(text) == (
        "ALTER SYSTEM SET backup_dest='oss://b?host=h&access_id=***&access_key=***', p='x', password='***'"
    )


# --- by value ---------------------------------------------------------------------------------------------------------


@given(st.text(min_size=4).filter(lambda text: "*" not in text and text.strip()), st.text(), st.text())
def test_values_however_they_are_spelt(secret: str, before: str, after: str) -> None:
    encodable = secret.isascii() or secret.encode("utf-8", "ignore").decode() == secret
    assume(encodable)
    for spelling in {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        secret.replace(" ", "%20"),
        quote(secret, safe="/+=%"),
        secret.replace("\\", "\\\\").replace("'", "\\'"),
        secret.replace("\\", "\\\\").replace("'", "''"),
        secret.replace("'", "''"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }:
        assert spelling not in redact(f"{before}{spelling}{after}", [secret]).replace(MASK, "\0")


def test_a_secret_given_encoded_is_found_decoded() -> None:
    assert redact("key a b/c+d= here", ["a%20b%2Fc%2Bd%3D"]) == "key *** here"
    assert redact("key a%2fb here", ["a/b"]) == "key *** here"


def test_a_secret_that_holds_another_is_masked_as_a_whole() -> None:
    assert redact("abcdef abc", ["abc", "abcdef"]) == "*** ***"
    assert redact("abcdef", ["abcd", "cdef"]) == "***"


def test_a_value_with_a_blank_is_masked_to_its_end() -> None:
    assert redact("access_key=one two&host=h", ["one two"]) == "access_key=***&host=h"


@pytest.mark.parametrize("secret", ["password", "access", "key", "access_key", "secret", "_", "=", "IDENTIFIED", "'"])
def test_a_value_that_is_a_name_does_not_hide_the_name_of_another(secret: str) -> None:
    text = "access_key=hunter2&password='hunter3' secret=hunter4 IDENTIFIED BY 'hunter5'"
    assert "hunter" not in redact(text, [secret])


def test_empty_secrets_mask_nothing() -> None:
    assert redact("nothing here", ["", "***", "*"]) == "nothing here"


# --- both -------------------------------------------------------------------------------------------------------------

fragments = st.sampled_from(
    [
        "access_key=",
        "'access_key': ",
        "password",
        "PASSWORD(",
        "IDENTIFIED BY ",
        "SET DECRYPTION IDENTIFIED BY ",
        "SET PASSWORD FOR x = ",
        "'",
        '"',
        "\\",
        '\\"',
        "&",
        ",",
        " ",
        "\n",
        "=",
        "%3D",
        ":",
        "***",
        "abc",
        "hunter2",
        "file:///a",
        "near '",
    ]
)

ALIKE = ["pa\u017f\u017fword", "acce\u017f\u017f_key", "access_\u212aey", "sas_to\u212aen"]
"""A long s and a Kelvin sign: to a regular expression that ignores case they are s and k."""


@given(st.lists(fragments | st.text(max_size=5), max_size=14).map("".join))
def test_twice_is_once(text: str) -> None:
    once = redact(text, ["hunter2"])
    assert redact(once, ["hunter2"]) == once
    assert "hunter2" not in once


@given(st.lists(fragments | st.sampled_from(ALIKE) | st.text(max_size=5), max_size=14).map("".join))
def test_a_text_without_a_clue_is_not_searched_and_nothing_is_missed(text: str) -> None:
    assert redact(text) == redact(text, ["a value that is nowhere"])


@pytest.mark.parametrize("letters", ALIKE)
def test_letters_that_match_ascii_hide_no_name(letters: str) -> None:
    assert "hunter2" not in redact(f"{letters}='hunter2'")


@given(st.text(string.ascii_letters + string.digits + " .,()/:-_<>\n"))
def test_harmless_text_is_unchanged(text: str) -> None:
    assume(not is_sensitive(text))
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "SHOW PARAMETERS LIKE 'backup\\_dest'",
        "SELECT COUNT(*) AS n FROM oceanbase.gv$memstore_info WHERE IS_ACTIVE = 0",
        "ALTER SYSTEM SET backup_dest = 'file:///data/nfs/backup'",
        "ALTER SYSTEM SET backup_log_archive_option = 'optional compression= lz4_1.0'",
        "[1045] login refused: wrong password or unknown tenant. Check login and password.",
        "access_key and password are read from the connection",
        "round 3, piece 12: a = b, key = value, https://host/?id=7&x=y",
        "http://db:8080/path/a@b and file:///data/a:b@c and oss://bucket/dir?host=a@b",
        "it's the users' own text, isn't it",
    ],
)
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert redact(text) == text


# --- the server's answers ---------------------------------------------------------------------------------------------

SENSITIVE_STATEMENT = (
    "ALTER SYSTEM SETT backup_dest = 'oss://b/d?host=h&access_id=AKIAID&access_key=wJal/rX+Utn=FEMI%4K'"
)
SYNTAX_ERROR = (
    "You have an error in your SQL syntax; check the manual that corresponds to your OceanBase version for the "
    "right syntax to use near '{}' at line 1"
)


@pytest.mark.parametrize("start", range(0, len(SENSITIVE_STATEMENT), 3))
def test_a_quoted_statement_is_dropped_wherever_it_begins_and_ends(start: int) -> None:
    quoted = SENSITIVE_STATEMENT[start:]
    for message in (
        SYNTAX_ERROR.format(quoted),
        SYNTAX_ERROR.format(quoted[:80]),
        SYNTAX_ERROR.format(quoted).removesuffix("' at line 1"),
        SYNTAX_ERROR.format(quoted[: len(quoted) // 2]).removesuffix("' at line 1"),
        SYNTAX_ERROR.format(quoted).replace("near '", 'near "'),
    ):
        shown = redact_server_message(message, SENSITIVE_STATEMENT)
        assert shown.startswith("You have an error in your SQL syntax")
        rest = shown.partition("near ")[2]
        assert rest in {f"'{MASK}'", f"'{MASK}' at line 1"}


def test_the_line_number_stays() -> None:
    shown = redact_server_message(SYNTAX_ERROR.format("FEMI%4K'"), SENSITIVE_STATEMENT)
    assert shown.endswith(f"near '{MASK}' at line 1")


def test_an_answer_that_quotes_two_lines() -> None:
    message = "error near 'key=abc'\nand near 'def' at line 2"
    assert redact_server_message(message, SENSITIVE_STATEMENT) == f"error near '{MASK}' at line 2"


def test_a_harmless_statement_is_quoted() -> None:
    message = SYNTAX_ERROR.format("FOO BAR")
    assert redact_server_message(message, "ALTER SYSTEM FOO BAR") == message


def test_secrets_are_masked_in_any_answer() -> None:
    message = "Access denied, destination oss://b?access_key=abc not writable by hunter2"
    shown = redact_server_message(message, "ALTER SYSTEM ARCHIVELOG", ["hunter2"])
    assert shown == f"Access denied, destination oss://b?access_key={MASK} not writable by {MASK}"


@pytest.mark.parametrize(
    "statement", [SENSITIVE_STATEMENT, *STATEMENTS, "set decryption", "SELECT * FROM t WHERE pwd=?"]
)
def test_statements_that_may_carry_a_secret(statement: str) -> None:
    assert is_sensitive(statement)


@pytest.mark.parametrize("statement", ["ALTER SYSTEM ARCHIVELOG", "SELECT 1", "SHOW PARAMETERS", "passwords", ""])
def test_statements_that_carry_none(statement: str) -> None:
    assert not is_sensitive(statement)


@pytest.mark.parametrize("name", [*NAMES, "ACCESS_KEY", "Access_Id", " access_key "])
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["host", "appid", "", "access", "delete_mode"])
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW PARAMETERS LIKE 'backup_dest'",
        "show parameters",
        "SELECT * FROM oceanbase.CDB_OB_ARCHIVE_DEST",
        "SELECT * FROM oceanbase.dba_ob_archive_dest",
        "SELECT value FROM CDB_OB_BACKUP_PARAMETER",
        "SELECT * FROM oceanbase.__all_virtual_backup_storage_info",
        "SELECT value FROM GV$OB_PARAMETERS WHERE name = 'x'",
        "SELECT * FROM __all_virtual_tenant_parameter_stat",
        "SELECT backup_dest FROM oceanbase.CDB_OB_BACKUP_SET_DETAILS",
        "SELECT * FROM (\n  SELECT * FROM oceanbase.CDB_OB_ARCHIVE_DEST\n) d",
    ],
)
def test_statements_whose_rows_may_hold_keys(sql: str) -> None:
    assert shows_keys(sql)


@pytest.mark.parametrize("sql", ["", "SELECT 1", "SELECT * FROM gv$tenant", "SELECT * FROM CDB_OB_ARCHIVELOG"])
def test_statements_whose_rows_hold_none(sql: str) -> None:
    assert not shows_keys(sql)


def test_occurrences_that_overlap_are_masked_whole() -> None:
    assert redact("the key aaaaa, and aa", ["aa"]) == "the key ***, and ***"


SPELLED = {
    "as it is": "it's a/b+c=d%e\\f\"gé",
    "a blank encoded": "it's%20a/b+c=d%e\\f\"gé",
    "all encoded": "it%27s%20a%2Fb%2Bc%3Dd%25e%5Cf%22g%C3%A9",
    "all encoded, lower case": "it%27s%20a%2fb%2bc%3dd%25e%5cf%22g%c3%a9",
    "encoded for a path": "it%27s%20a/b%2Bc%3Dd%25e%5Cf%22g%C3%A9",
    "encoded as OceanBase takes it": "it%27s%20a/b+c=d%e%5Cf%22g%C3%A9",
    "encoded for a form": "it%27s+a%2Fb%2Bc%3Dd%25e%5Cf%22g%C3%A9",
    "SQL without escapes": "it''s a/b+c=d%e\\f\"gé",
    "SQL, quotes doubled": "it''s a/b+c=d%e\\\\f\"gé",
    "SQL, quotes escaped": "it\\'s a/b+c=d%e\\\\f\"gé",
    "JSON": "it's a/b+c=d%e\\\\f\\\"g\\u00e9",
    "JSON in UTF-8": "it's a/b+c=d%e\\\\f\\\"gé",
}


@pytest.mark.parametrize("spelling", SPELLED)
def test_a_value_is_masked_in_every_spelling(spelling: str) -> None:
    """Without any name beside it to know it by."""
    assert redact(f"before {SPELLED[spelling]} after", [SPELLED["as it is"]]) == "before *** after"


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("a%2Fb", "a/b"),
        ("ab\x01cd", r"ab\x01cd"),
        ("it's", r"it\'s"),
        ("x", "x"),
        ("XX", "XX"),
        ("no\ud800text", "no\ud800text"),
    ],
    ids=["given encoded", "in a representation", "SQL", "short", "short capitals", "not Unicode"],
)
def test_other_secrets_by_value(secret: str, shown: str) -> None:
    assert redact(f"1 {shown} 2", [secret]) == "1 *** 2"


def test_what_looks_like_a_mask_is_none() -> None:
    """It would be masked for ever."""
    assert redact("2 * 3 *** 4", ["*", "***"]) == "2 * 3 *** 4"
