"""Destinations: what is legal, what is the same place, and that no key ever shows."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.destination import (
    MAX_LENGTH,
    MAX_PLACE_LENGTH,
    Destination,
    DestinationOption,
    Keys,
    check_piece_switch_interval,
)
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.statements import quote

OSS = "oss://bucket/dir?host=oss-cn.example.com&access_id=AKID42&access_key=wJalrX/+=%2B"
COS = "cos://bucket-1250000000/dir?host=cos.example.com&access_id=AKID42&access_key=wJalrX&appid=1250000000"

keys = st.text(string.ascii_letters + string.digits + "/+=%-_.~!#$,:;@", min_size=1, max_size=60)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_parts_of_a_file_destination() -> None:
    destination = Destination.parse("file:///data/nfs/backup")
    assert (destination.scheme, destination.path) == ("file", "/data/nfs/backup")
    assert destination.uri == destination.redacted == str(destination) == "file:///data/nfs/backup"
    assert destination.parameters == destination.secrets == destination.secret_values == ()
    assert destination.problem() is None


def test_parts_of_an_object_store_destination() -> None:
    destination = Destination.parse(OSS)
    assert (destination.scheme, destination.path) == ("oss", "bucket/dir")
    assert destination.parameters == (("host", "oss-cn.example.com"),)
    assert destination.secrets == (("access_id", "AKID42"), ("access_key", "wJalrX/+=%2B"))
    assert destination.secret_values == ("AKID42", "wJalrX/+=%2B")
    assert destination.uri == OSS
    assert str(destination) == "oss://bucket/dir?host=oss-cn.example.com&access_id=***&access_key=***"
    assert destination.problem() is None


@pytest.mark.parametrize(
    "uri", ["", "/data/backup", "file:/data", "file://", "://x", "file", "oss://?host=h", "?", "a?b"]
)
def test_what_is_no_destination(uri: str) -> None:
    with pytest.raises(ValueError, match=r"is not <scheme>://<path>; write for instance file:///data/nfs/backup"):
        Destination.parse(uri)


def test_an_error_shows_no_key() -> None:
    with pytest.raises(ValueError, match="is not <scheme>") as caught:
        Destination.parse("oss:/bucket/dir?host=h&access_id=AKID42&access_key=wJalrX")
    assert "AKID42" not in str(caught.value)
    assert "wJalrX" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "sent"),
    [
        ("file:///data/backup/", "file:///data/backup"),
        ("file:///data/backup///", "file:///data/backup"),
        ("file:///data/backup?", "file:///data/backup"),  # 1235 from 3.1.3 on
        ("file:///", "file:///"),
        ("oss://b/d?host=h&&access_id=i&access_key=k&", "oss://b/d?host=h&access_id=i&access_key=k"),
    ],
)
def test_small_faults_are_mended(uri: str, sent: str) -> None:
    assert Destination.parse(uri).uri == sent


# --- secrets ----------------------------------------------------------------------------------------------------------


@given(keys, keys)
def test_keys_never_show(access_id: str, access_key: str) -> None:
    # Marked, so that a short key is not found by chance in other words.
    access_id, access_key = f"\u2620{access_id}", f"\u2620{access_key}"
    plain = Destination.parse("oss://bucket/dir?host=h.example.com")
    destination = plain.with_keys(Keys(access_id, access_key))
    assert destination.uri == f"oss://bucket/dir?host=h.example.com&access_id={access_id}&access_key={access_key}"
    assert "\u2620" not in f"{destination} {destination!r} {destination.redacted}"
    assert destination.redacted == redact(destination.uri) == redact(destination.redacted)
    assert destination.secret_values == (access_id, access_key)
    assert destination.same_place(plain)
    assert Destination.parse(destination.uri) == destination


@pytest.mark.parametrize(
    "name", ["ACCESS_KEY", "Access_Key", "access_key_secret", "encrypt_key", "secret_key", "password", "sts_credential"]
)
def test_a_misspelt_or_foreign_key_does_not_show_either(name: str) -> None:
    destination = Destination.parse(f"oss://bucket/dir?host=h&access_id=i&{name}=hunter2")
    assert "hunter2" in destination.uri
    assert "hunter2" not in f"{destination} {destination!r}"
    assert "hunter2" in destination.secret_values
    assert "access_key" in str(destination.problem())


def test_keys_replace_the_ones_in_the_uri() -> None:
    destination = Destination.parse(OSS).with_keys(Keys("other", "keys"))
    assert destination.secrets == (("access_id", "other"), ("access_key", "keys"))


@pytest.mark.parametrize(
    ("uri", "host", "expected"),
    [
        ("oss://b/d", "", None),
        ("oss://b/d", "conn.example.com", "conn.example.com"),
        ("oss://b/d?host=uri.example.com", "conn.example.com", "uri.example.com"),
    ],
)
def test_the_endpoint_comes_from_the_uri_first(uri: str, host: str, expected: str | None) -> None:
    assert dict(Destination.parse(uri).with_keys(Keys("i", "k", host)).parameters).get("host") == expected


def test_a_key_with_a_blank_is_percent_encoded_without_harm_to_the_rest() -> None:
    destination = Destination.parse("oss://b/d?host=h").with_keys(Keys("id", "a b/c+d="))
    assert destination.uri.endswith("access_key=a%20b/c+d=")
    assert destination.problem() is None
    # The log masker is told what is in the text, and what was given is found in it too.
    assert "a%20b" not in redact(destination.uri.replace("access_key=", ""), ["a b/c+d="])


def test_a_key_with_an_ampersand_is_refused() -> None:
    destination = Destination.parse("oss://b/d?host=h").with_keys(Keys("id", "a&host=evil"))
    assert destination.problem() == "a parameter holds '&', which begins the next parameter"
    assert "evil" not in str(destination)


# --- the same place ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("file:///data/a", "file:///data/a", True),
        ("file:///data/a", "file:///data/a/", True),
        ("file:///data/a", "file:///data/a?", True),
        ("file:///data/a", "file:///data/A", False),
        ("file:///data/a", "file:///data/ab", False),
        ("file:///data/a", "file:///data", False),
        (OSS, OSS.replace("AKID42", "other").replace("wJalrX", "other"), True),
        (OSS, "oss://bucket/dir?host=oss-cn.example.com", True),
        (OSS, "oss://bucket/dir?access_key=a&access_id=b&host=oss-cn.example.com&encrypt_key=c", True),
        (OSS, OSS.replace("oss-cn", "oss-us"), False),
        (OSS, OSS.replace("bucket", "bucket2"), False),
        (OSS, OSS.replace("oss://", "cos://"), False),
        (OSS, "oss://bucket/dir", False),
    ],
)
def test_same_place(one: str, other: str, same: bool) -> None:
    assert Destination.parse(one).same_place(Destination.parse(other)) is same
    assert Destination.parse(other).same_place(Destination.parse(one)) is same


# --- what every server would refuse -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "file:///data/nfs/backup",
        "file:///",
        "file:///数据/备份",
        OSS,
        "oss://bucket?host=h&access_id=i&access_key=k",
        COS,
        "s3://bucket/dir?host=h&access_id=i&access_key=k",
        "s3://bucket/dir?host=s3.us-west-2.amazonaws.com&s3_region=us-west-2&access_id=i&access_key=k",
        "azblob://container/dir?host=h&access_id=i&access_key=k",
        "file:///data/{cluster}/{tenant}",
        "oss://bucket/{tenant_id}?host=h&access_id=i&access_key=k",
    ],
)
def test_legal(uri: str) -> None:
    destination = Destination.parse(uri)
    assert destination.problem() is None
    assert quote(destination.uri)


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("nfs:///data", "scheme 'nfs' is not one of file, oss, cos, s3, azblob (lower case)"),
        ("FILE:///data", "scheme 'FILE' is not one of file, oss, cos, s3, azblob (lower case)"),
        ("S3://bucket/dir?host=h&access_id=i&access_key=k", "scheme 'S3' is not one of"),
        (
            "obs://bucket/dir",
            "scheme 'obs' is not one of file, oss, cos, s3, azblob (lower case); OBS is reached as s3",
        ),
        (
            "OBS://bucket/dir",
            "scheme 'OBS' is not one of file, oss, cos, s3, azblob (lower case); OBS is reached as s3",
        ),
        ("OSS://bucket/dir?host=h&access_id=i&access_key=k", "scheme 'OSS' is not one of"),
        ("file://data/backup", "file:// needs an absolute path (file:///data/…), not 'data/backup'"),
        ("file://./backup", "file:// needs an absolute path"),
        ("file:///data?host=h", "file:// takes no parameters after '?'"),
        ("file:///data?access_key=k", "file:// takes no parameters after '?'"),
        ("file:///data/my backup", "it holds a blank, a quote, a backslash or a control character"),
        ("file:///data/b'; DROP", "it holds a blank"),
        ('file:///data/"b"', "it holds a blank"),
        ("file:///data/\\b", "it holds a blank"),
        ("file:///data/`b`", "it holds a blank"),
        ("file:///data/b\n", "it holds a blank"),
        ("file:///data/b\0", "it holds a blank"),
        ("file:///data/b\x7f", "it holds a blank"),
        ("file:///data/b\u3000", "it holds a blank"),
        ("oss://bucket/dir", "oss:// needs host, access_id, access_key (keys come from the connection dest_conn_id)"),
        ("oss://bucket/dir?host=h", "oss:// needs access_id, access_key ("),
        ("oss://bucket/dir?access_id=i&access_key=k", "oss:// needs host ("),
        ("oss://bucket/dir?host=&access_id=i&access_key=", "oss:// needs host, access_key ("),
        ("cos://bucket/dir?host=h&access_id=i&access_key=k", "cos:// needs appid ("),
        ("cos://bucket/dir", "cos:// needs host, access_id, access_key, appid ("),
        ("s3://bucket/dir", "s3:// needs host, access_id, access_key ("),
        ("s3://bucket/dir?host=s3.us-west-2.amazonaws.com&access_id=i&access_key=k", "s3:// needs s3_region ("),
        ("s3://bucket/dir?host=s3.cn-north-1.amazonaws.com.cn&access_id=i&access_key=k", "s3:// needs s3_region ("),
        ("azblob://container/dir", "azblob:// needs host, access_id, access_key ("),
    ],
)
def test_refused(uri: str, problem: str) -> None:
    found = str(Destination.parse(uri).problem())
    assert found.startswith(problem)
    assert ("OBS is reached as s3://" in found) is uri.lower().startswith("obs:")
    if " is not one of " in found and "OBS" not in found:
        assert found.endswith("file, oss, cos, s3, azblob (lower case)")


@pytest.mark.parametrize(
    "path", ["{Tenant}", "{tenants}", "{}", "{tenant", "tenant}", "{{tenant}}", "{tenant}}", "{x}/{tenant}"]
)
def test_braces_that_name_nothing(path: str) -> None:
    problem = Destination.parse(f"file:///data/{path}").problem()
    assert str(problem).startswith("braces may hold {cluster}, {tenant}, {tenant_id} only")


@pytest.mark.parametrize(
    ("path", "names", "filled"),
    [
        ("/data/backup", set(), "/data/backup"),
        ("/data/{tenant}", {"tenant"}, "/data/shop"),
        ("/data/{cluster}/{tenant}/{tenant_id}", {"cluster", "tenant", "tenant_id"}, "/data/prod/shop/1002"),
        ("/data/{tenant}-{tenant}", {"tenant"}, "/data/shop-shop"),
        ("/data/{nothing}", {"nothing"}, "/data/{nothing}"),
    ],
)
def test_a_place_of_its_own_for_each_tenant(path: str, names: set[str], filled: str) -> None:
    destination = Destination.parse(f"file://{path}")
    assert destination.placeholders == names
    assert (destination.problem() is None) is ("nothing" not in names)
    one = destination.filled(cluster="prod", tenant="shop", tenant_id="1002")
    assert (one.scheme, one.path) == ("file", filled)
    assert destination.filled() == destination, "what is not told stays open"


def test_filling_a_place_leaves_host_and_keys() -> None:
    destination = Destination.parse("oss://bucket/{tenant}?host={tenant}").with_keys(Keys("{tenant}", "{tenant}"))
    assert destination.placeholders == {"tenant"}
    assert destination.filled(tenant="a").uri == "oss://bucket/a?host={tenant}&access_id={tenant}&access_key={tenant}"


def test_keys_are_not_shown() -> None:
    assert repr(Keys("AKID42", "wJalrX", "h.example.com")) == "Keys(host='h.example.com')"


@pytest.mark.parametrize(("text", "days"), [("1d", 1), ("7d", 7), (" 3d ", 3)])
def test_piece_switch_intervals(text: str, days: int) -> None:
    assert check_piece_switch_interval(text) == days


@pytest.mark.parametrize("text", ["0d", "8d", "1", "24h", "1D", "", "1.5d", "11d", "-1d", "٣d", None, 1, ["1d"]])
def test_other_piece_switch_intervals_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="piece_switch_interval must be 1d to 7d, not ") as caught:
        check_piece_switch_interval(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("letter", ["a", "备"])
def test_length_is_counted_in_bytes(letter: str) -> None:
    def of_length(size: int) -> Destination:
        path = "file:///"
        path += letter * ((size - len(path)) // len(letter.encode()))
        return Destination.parse(path + "x" * (size - len(path.encode())))

    assert (MAX_PLACE_LENGTH, MAX_LENGTH) == (1023, 2047)
    assert of_length(1023).problem() is None
    assert of_length(1024).problem() == "scheme and path have 1024 bytes, more than 1023"
    assert of_length(2048).problem() == "the destination has 2048 bytes, more than 2047"


def test_length_counts_the_keys() -> None:
    plain = Destination.parse("oss://b/d?host=h")
    room = 2047 - len(plain.with_keys(Keys("i", "")).uri)
    assert plain.with_keys(Keys("i", "k" * room)).problem() is None
    assert "2048 bytes" in str(plain.with_keys(Keys("i", "k" * (room + 1))).problem())


@given(st.text(min_size=1, max_size=30))
def test_what_is_legal_can_be_quoted(text: str) -> None:
    try:
        destination = Destination.parse(f"file:///{text}")
    except ValueError:
        return
    if destination.problem() is None:
        assert quote(destination.uri) == f"'{destination.uri}'"


# --- backup_dest_option -----------------------------------------------------------------------------------------------

LEGAL = [
    ("log_archive_checkpoint_interval", ["5s", "1h", "2m", "120s", "60m", "3600s", "5000ms", "5000000us"]),
    ("recovery_window", ["0", "0s", "0d", "7d", "1s", "36500d", "9999999999h"]),
    ("log_archive_piece_switch_interval", ["0", "0s", "0d", "1d", "24h", "7d", "168h", "86400s"]),
    ("auto_delete_obsolete_backup", ["true", "false"]),
    ("auto_update_reserved_backup_timestamp", ["true", "false"]),
    ("backup_copies", ["0"]),
]
ILLEGAL = [
    (
        "log_archive_checkpoint_interval",
        [
            "0",
            "4s",
            "4999ms",
            "4999999us",
            "3601s",
            "61m",
            "2h",
            "1d",
            "120",
            "",
            "-5s",
            "5.5s",
            "5 s",
            "s",
            "5S",
            "٥s",
        ],
        "it takes 5s to 1h",
    ),
    ("recovery_window", ["7", "-1d", "", "7w", "7 d", "for ever", "1" * 30 + "d"], "it takes 0 (keep for ever)"),
    (
        "log_archive_piece_switch_interval",
        ["1s", "23h", "86399s", "169h", "8d", "604801s", "86400", "", "-1d", "on"],
        "it takes 0 (no splitting) or 1d to 7d",
    ),
    ("auto_delete_obsolete_backup", ["True", "1", "yes", "", "TRUE", "0"], "it takes true or false"),
    ("auto_update_reserved_backup_timestamp", ["True", "on", ""], "it takes true or false"),
    ("backup_copies", ["1", "2", "", "00", "-0"], "it takes 0"),
]


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in LEGAL for value in values])
def test_legal_options(key: str, value: str) -> None:
    option = DestinationOption.check(f"{key}={value}")
    assert option.values == ((key, value),)
    assert option.text == f"{key}={value}"


@pytest.mark.parametrize(
    ("key", "value", "takes"), [(key, value, takes) for key, values, takes in ILLEGAL for value in values]
)
def test_illegal_options(key: str, value: str, takes: str) -> None:
    with pytest.raises(ValueError, match="destination_option") as caught:
        DestinationOption.check(f"{key}={value}")
    if " " in value:
        assert "holds a blank" in str(caught.value)
    else:
        assert f"{key}={value!r} is not legal; {takes}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be text such as 'recovery_window=7d'"),
        ("&", "must be text such as 'recovery_window=7d'"),
        ("&&", "must be text such as 'recovery_window=7d'"),
        (None, "must be text such as"),
        (7, "must be text such as"),
        (["recovery_window=7d"], "must be text such as"),
        ("recovery_window = 7d", "holds a blank; none is legal"),
        ("recovery_window=7d & backup_copies=0", "holds a blank; none is legal"),
        ("recovery_window=7d\n", "holds a blank; none is legal"),
        ("Recovery_Window=7d", "unknown key 'Recovery_Window'; legal keys are log_archive_checkpoint_interval, recov"),
        ("recovery_windows=7d", "unknown key 'recovery_windows'"),
        ("=7d", "unknown key ''"),
        ("recovery_window", "recovery_window='' is not legal"),
        ("recovery_window=7d,backup_copies=0", "recovery_window='7d,backup_copies=0' is not legal"),
        ("recovery_window=7d&recovery_window=8d", "key 'recovery_window' is given twice"),
        (
            "auto_delete_obsolete_backup=true&auto_update_reserved_backup_timestamp=true",
            "auto_delete_obsolete_backup and auto_update_reserved_backup_timestamp exclude each other",
        ),
    ],
)
def test_options_that_are_refused(text: object, message: str) -> None:
    with pytest.raises(ValueError, match="destination_option") as caught:
        DestinationOption.check(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("pair", [("true", "false"), ("false", "true"), ("false", "false")])
def test_the_two_that_exclude_each_other_only_when_both_are_true(pair: tuple[str, str]) -> None:
    DestinationOption.check(
        f"auto_delete_obsolete_backup={pair[0]}&auto_update_reserved_backup_timestamp={pair[1]}&recovery_window=7d"
    )


def test_the_manuals_option() -> None:
    text = (
        "log_archive_checkpoint_interval=2m&recovery_window=7d&auto_delete_obsolete_backup=true"
        "&log_archive_piece_switch_interval=1d"
    )
    option = DestinationOption.check(text)
    assert option.text == text
    assert option.splits


@given(st.text())
def test_reading_never_fails_and_loses_nothing(text: str) -> None:
    option = DestinationOption.parse(text)
    assert DestinationOption.parse(option.text) == option
    assert option.same_as(option)
    assert isinstance(option.splits, bool)
    try:
        checked = DestinationOption.check(text)
    except ValueError:
        return
    assert checked == option
    assert quote(checked.text)


@given(st.integers(0, 10**17), st.sampled_from([("us", 1), ("ms", 10**3), ("s", 10**6), ("m", 6 * 10**7)]))
def test_equal_times_in_other_units_are_the_same(count: int, unit: tuple[str, int]) -> None:
    name, microseconds = unit
    one = DestinationOption.parse(f"recovery_window={count}{name}")
    assert one.same_as(DestinationOption.parse(f"recovery_window={count}{name.upper()}"))
    if count * microseconds < 10**18:
        assert one.same_as(DestinationOption.parse(f"recovery_window={count * microseconds}us"))
        assert not one.same_as(DestinationOption.parse(f"recovery_window={count * microseconds + 1}us"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("", "", True),
        ("recovery_window=7d&backup_copies=0", "backup_copies=0&recovery_window=7d", True),
        ("recovery_window=7d", "recovery_window=168h", True),
        ("recovery_window=0", "recovery_window=0d", True),
        ("auto_delete_obsolete_backup=true", "auto_delete_obsolete_backup=True", True),
        ("recovery_window=7d", "recovery_window=8d", False),
        ("recovery_window=7", "recovery_window=7d", False),
        ("recovery_window=7d", "", False),
        ("recovery_window=7d", "recovery_window=7d&backup_copies=0", False),
        ("auto_delete_obsolete_backup=true", "auto_delete_obsolete_backup=false", False),
    ],
)
def test_same_option(one: str, other: str, same: bool) -> None:
    assert DestinationOption.parse(one).same_as(DestinationOption.parse(other)) is same
    assert DestinationOption.parse(other).same_as(DestinationOption.parse(one)) is same


@pytest.mark.parametrize(
    ("text", "splits"),
    [
        ("", False),
        ("recovery_window=7d", False),
        ("log_archive_piece_switch_interval=", False),
        ("log_archive_piece_switch_interval=0", False),
        ("log_archive_piece_switch_interval=0d", False),
        ("log_archive_piece_switch_interval=1d", True),
        ("log_archive_piece_switch_interval=1D", True),
        ("log_archive_piece_switch_interval=86400000000", True),  # a unit this library does not guess, but not 0
    ],
)
def test_splitting(text: str, splits: bool) -> None:
    assert DestinationOption.parse(text).splits is splits


def test_a_login_in_the_place_of_the_bucket_is_refused_and_not_shown() -> None:
    destination = Destination.parse("oss://AKID42:wJalr@bucket/dir?host=h.example.com")
    assert str(destination.problem()).startswith("it holds a login before '@'")
    assert "wJalr" not in str(destination)


def test_an_at_sign_in_a_directory_is_no_login() -> None:
    assert Destination.parse("file:///data/@archive/logs").problem() is None


@pytest.mark.parametrize(
    ("uri", "scheme", "path"),
    [("s3://bucket/dir?host=http://h", "s3", "bucket/dir"), ("file:///data/X//", "file", "/data/X")],
)
def test_only_slashes_end_a_path_and_only_the_first_sign_ends_a_scheme(uri: str, scheme: str, path: str) -> None:
    found = Destination.parse(uri)
    assert (found.scheme, found.path) == (scheme, path)
