"""What a user may get wrong: the words it is refused with, and what a kernel says of such a statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_ob_provider.operators.archivelog import StartArchivelogOperator, StopArchivelogOperator
from airflow_ob_provider.operators.base import OceanBaseOperator
from airflow_ob_provider.operators.freeze import MinorFreezeOperator
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.operators.settings import SetArchiveOptionOperator, SetBackupDestinationOperator

DONE, SYNTAX, CUT, NO_TENANT = 0, 1064, 1235, 5160


@dataclass(frozen=True)
class Wrong:
    """An argument that a public operator or the hook refuses, and what it says of it."""

    arguments: dict[str, Any]
    says: tuple[str, ...]
    """Field, value, what is legal, what to do."""
    raw: str = ""
    """The statement it would have made, where a kernel of 4.x can judge it."""
    errno: int = DONE
    text: str = ""
    stricter: str = ""
    """Why it is refused although the kernel takes it, or cannot tell."""


def wrong_name(name: object, errno: int, stricter: str = "") -> Wrong:
    raw = f"ALTER SYSTEM ARCHIVELOG TENANT = '{name}'" if isinstance(name, str) else ""
    return Wrong({"tenants": [name]}, ("tenants: ", repr(name), "letters, digits"), raw, errno, stricter=stricter)


NOBODY = "no tenant can have that name, so it is a slip; the kernel says only that there is none"
START = [
    wrong_name("", 1210),
    wrong_name("sh op", NO_TENANT, NOBODY),
    wrong_name("1shop", NO_TENANT, NOBODY),
    wrong_name("shop'", SYNTAX),
    wrong_name("shop' FOO", SYNTAX),
    wrong_name('shop"', NO_TENANT, NOBODY),
    wrong_name("shop`", NO_TENANT, NOBODY),
    wrong_name("shop\\", SYNTAX),
    wrong_name("sh\\op", NO_TENANT, "a backslash is taken away, or not, as sql_mode has it"),
    wrong_name("sh\nop", NO_TENANT, NOBODY),
    wrong_name("sh\0op", NO_TENANT, NOBODY),
    wrong_name("shop;", NO_TENANT, NOBODY),
    wrong_name("订单", NO_TENANT, "manual: letters, digits and '_'"),
    wrong_name("a" * 129, NO_TENANT, NOBODY),
    wrong_name(7, 0),
    Wrong({"tenants": {"shop": 1}}, ("tenants must be a list", "{'shop': 1}")),
    Wrong({"restart_interrupted": "maybe"}, ("restart_interrupted must be true or false", "'maybe'")),
    Wrong({"dry_run": "maybe"}, ("dry_run must be true or false", "'maybe'")),
    Wrong({"poll_interval": 0}, ("poll_interval", "from 1 to 3600", "not 0")),
    Wrong({"timeout": "soon"}, ("timeout", "from 1 to 604800", "'soon'")),
    Wrong({"on_partial_failure": "ignore"}, ("on_partial_failure", "fail, continue", "'ignore'")),
]


def wrong_place(uri: str, *says: str, errno: int, text: str = "", stricter: str = "") -> Wrong:
    raw = f"ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION={uri} BINDING=Optional' TENANT = 'sys'"
    return Wrong({"destination": uri}, ("destination ", *says), raw, errno, text, stricter)


INVALID_PLACE = 9026
TOO_LONG = 4019
TAKEN = {"errno": CUT, "text": "Not supported feature or function"}
AS_ONE = "a blank ends an attribute; the rest is an attribute that is not known, which is also 1235"
KEYED = "host=h&access_id=me&access_key=Zq7Zq7"
CHARACTER = "a blank, a quote, a backslash or a control character"
PLACES = [
    wrong_place("/data", "'/data' is not <scheme>://<path>", "write for instance", errno=INVALID_PLACE),
    wrong_place("file:/data", "is not <scheme>://<path>", errno=INVALID_PLACE),
    wrong_place("nfs:///data", "scheme 'nfs' is not one of file, oss", errno=INVALID_PLACE),
    wrong_place("FILE:///data", "scheme 'FILE'", "(lower case)", errno=INVALID_PLACE),
    wrong_place("obs://b/d?host=h", "scheme 'obs'", "reached as s3://", errno=INVALID_PLACE),
    wrong_place("file://data", "needs an absolute path", "not 'data'", **TAKEN, stricter="relative to each observer"),
    wrong_place("file:///da ta", "file:///da ta", CHARACTER, **TAKEN, stricter=AS_ONE),
    wrong_place("file:///da'ta", CHARACTER, errno=SYNTAX),
    wrong_place('file:///da"ta', CHARACTER, **TAKEN, stricter="no path needs one, and tools break on it"),
    wrong_place("file:///da`ta", CHARACTER, **TAKEN, stricter="no path needs one, and tools break on it"),
    wrong_place("file:///da\\ta", CHARACTER, **TAKEN, stricter="the kernel reads a tab here"),
    wrong_place("file:///da\nta", CHARACTER, **TAKEN, stricter="it would be archived to a path with a line break"),
    wrong_place("file:///da\0ta", CHARACTER, **TAKEN, stricter="a NUL ends a text in C"),
    wrong_place("file:///data?host=h", "takes no parameters after '?'", errno=INVALID_PLACE),
    wrong_place("file:///{zone}", "{cluster}, {tenant}, {tenant_id} only", **TAKEN, stricter="a slip in a placeholder"),
    wrong_place("file:///" + "x" * 1016, "1024 bytes, more than 1023", errno=INVALID_PLACE),
    wrong_place("file:///" + "x" * 2040, "2048 bytes, more than 2047", errno=TOO_LONG),
    wrong_place("s3://b/d", "s3:// needs host, access_id, access_key", "dest_conn_id", errno=INVALID_PLACE),
    wrong_place("s3://b/d?host=h", "s3:// needs access_id, access_key", errno=INVALID_PLACE),
    wrong_place("s3://u@b/d?host=h", "a login before '@'", "dest_conn_id", errno=INVALID_PLACE),
    wrong_place(
        f"s3://b/d?{KEYED}", "holds access_id or access_key", "dest_conn_id", **TAKEN, stricter="shown in the UI"
    ),
    Wrong(
        {"piece_switch_interval": "8d"},
        ("piece_switch_interval must be 1d to 7d, not '8d'",),
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///d PIECE_SWITCH_INTERVAL=8d' TENANT = 'sys'",
        CUT,
        "invalid piece_switch_interval out of range [1d,7d] is not supported",
    ),
    Wrong(
        {"piece_switch_interval": "0d"},
        ("piece_switch_interval must be 1d to 7d, not '0d'",),
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///d PIECE_SWITCH_INTERVAL=0d' TENANT = 'sys'",
        1210,
    ),
    Wrong(
        {"piece_switch_interval": "36h"},
        ("piece_switch_interval must be 1d to 7d, not '36h'",),
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///d PIECE_SWITCH_INTERVAL=36h' TENANT = 'sys'",
        **TAKEN,
        stricter="stored rounded down to 1d",
    ),
    # 3.x only: a kernel of 4.x knows none of its parameters.
    Wrong({"destination_option": "recovery_window=7 d"}, ("destination_option", "'recovery_window=7 d'", "a blank")),
    Wrong({"destination_option": "window=7d"}, ("destination_option", "unknown key 'window'", "recovery_window")),
    Wrong({"destination_option": "backup_copies=1"}, ("destination_option", "backup_copies='1'", "it takes 0")),
    Wrong({"destination_option": "recovery_window='"}, ("destination_option", 'recovery_window="\'"', "7d")),
]
OPTIONS_4 = [
    Wrong(
        {"mode": "fast"},
        ("mode must be one of optional, mandatory, keep; not 'fast'",),
        "ALTER SYSTEM SET LOG_ARCHIVE_DEST = 'LOCATION=file:///d BINDING=Fast' TENANT = 'sys'",
        1210,
    ),
    Wrong({"compression": "gzip"}, ("compression must be one of disable, enable", "'gzip'")),
    *(
        Wrong(
            {"lag_target": value},
            ("lag_target must be a whole number of seconds from 0 to 7200", repr(value)),
            f"ALTER SYSTEM SET archive_lag_target = '{value}s' TENANT = 'sys'",
            errno,
        )
        for value, errno in ((7201, 4147), (-1, 4179), ("1.5", 4179), ("60'", SYNTAX))
    ),
    *(
        Wrong(
            {"concurrency": value},
            ("concurrency must be a whole number from 0 to 100", repr(value)),
            f"ALTER SYSTEM SET log_archive_concurrency = '{value}' TENANT = 'sys'",
            errno,
        )
        for value, errno in ((101, 4147), (-1, 4147), ("many", 4147), ("4'", SYNTAX))
    ),
    Wrong({"allow_mandatory": "maybe"}, ("allow_mandatory must be true or false", "'maybe'")),
]
FREEZES = [
    Wrong({"on_timeout": "ignore"}, ("on_timeout must be one of warn, fail", "'ignore'")),
    Wrong({"wait": "maybe"}, ("wait must be true or false", "'maybe'")),
    Wrong({"timeout": 604_801}, ("timeout", "604800", "604801")),
]
STOPS = [
    Wrong({}, ("confirm must be True", "gap")),
    Wrong({"confirm": True, "tenants": []}, ("tenants is empty", "leave it out for all")),
    Wrong({"confirm": "maybe"}, ("confirm must be true or false", "'maybe'")),
]
TASKS: list[tuple[type[OceanBaseOperator], Wrong]] = [
    *((StartArchivelogOperator, one) for one in START),
    *((SetBackupDestinationOperator, one) for one in PLACES),
    *((SetArchiveOptionOperator, one) for one in OPTIONS_4),
    *((MinorFreezeOperator, one) for one in FREEZES),
    *((StopArchivelogOperator, one) for one in STOPS),
    *((CheckBackupPrerequisitesOperator, one) for one in (START[4], PLACES[0], START[16])),
]
CONNECTIONS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"login": " "}, ("login is empty", "root@sys")),
    ({"login": "ro\0ot"}, ("login", "'ro\\x00ot'", "control character", "remove it")),
    ({"login": "root@sys", "tenant": "sys"}, ("login 'root@sys' holds @", "bare user name")),
    ({"login": "root", "tenant": "sys#c"}, ("tenant 'sys#c' holds #",)),
    ({"driver": "odbc"}, ("driver must be one of pymysql", "'odbc'")),
    ({"ssl_mode": "PREFERRED"}, ("ssl_mode must be one of DISABLED, REQUIRED", "'PREFERRED'")),
    ({"ssl_mode": "VERIFY_CA"}, ("ssl_mode=VERIFY_CA needs ssl_ca",)),
    ({"sslmode": "REQUIRED"}, ("sslmode", "ssl_mode")),
    *(
        ({name: value}, (f"{name} must be seconds from 0.1 to 3600", repr(value)))
        for name in ("query_timeout", "read_timeout", "connect_timeout")
        for value in (0, -1, 3601, "soon", "nan")
    ),
]
