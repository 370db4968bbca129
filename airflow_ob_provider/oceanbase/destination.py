"""Backup destinations: where they point, what is secret in them, and what is legal to set."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from airflow_ob_provider.oceanbase.redact import MASK, is_secret_name, redact

_SCHEMES = ("file", "oss", "cos", "s3", "azblob")
PLACEHOLDERS = ("cluster", "tenant", "tenant_id")
"""What a path may leave open: ``file:///data/{cluster}/{tenant}`` is a place of its own for each tenant."""
NO_CLUSTER_NAME = "this account cannot read the cluster's name for {cluster}"
_BRACED = re.compile(r"\{([^{}]*)\}|[{}]")
_SECRET_PARAMETERS = ("access_id", "access_key")
_DURATION = re.compile(r"(?P<count>[0-9]{1,18})(?P<unit>us|ms|s|m|h|d)?")
_UNIT_US = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_DAY = 86400.0
MAX_LENGTH = 2047
"""A destination with its parameters must fit the server's buffer (OB_MAX_BACKUP_DEST_LENGTH is 2048)."""
MAX_PLACE_LENGTH = 1023
"""What stands before '?' has a buffer of its own (OB_MAX_BACKUP_PATH_LENGTH is 1024; a 4.3.5 kernel answers 9026)."""


@dataclass(frozen=True)
class Keys:
    """Keys of an object store, and its endpoint."""

    access_id: str = field(repr=False)
    access_key: str = field(repr=False)
    host: str = ""


@dataclass(frozen=True)
class Destination:
    """One backup destination, its secrets kept apart."""

    scheme: str
    path: str
    """What follows ``://`` and stands before ``?``, without slashes at the end."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Everything after ``?`` that is not secret, such as ``host``."""
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, uri: str) -> Destination:
        """Read a destination as the server shows it or a user writes it.

        :raises ValueError: no scheme or no path. Secrets are not in the text of the error.
        """
        scheme, separator, rest = uri.partition("://")
        path, _, query = rest.partition("?")
        if not separator or not scheme or not path:
            raise ValueError(
                f"destination {redact(uri)!r} is not <scheme>://<path>; write for instance file:///data/nfs/backup"
            )
        pairs = [tuple(pair.partition("=")[::2]) for pair in query.split("&") if pair]
        return cls(
            scheme,
            path.rstrip("/") or "/",
            tuple((name, value) for name, value in pairs if not is_secret_name(name)),
            tuple((name, value) for name, value in pairs if is_secret_name(name)),
        )

    def with_keys(self, keys: Keys) -> Destination:
        """The same place with the keys of an object store, and its endpoint if the URI names none."""
        parameters = dict(self.parameters)
        if keys.host:
            parameters.setdefault("host", keys.host)
        secrets = tuple(zip(_SECRET_PARAMETERS, (_blanks(keys.access_id), _blanks(keys.access_key)), strict=True))
        return Destination(self.scheme, self.path, tuple(parameters.items()), secrets)

    @property
    def uri(self) -> str:
        """The text to send, secrets in it."""
        return self._uri(self.secrets)

    @property
    def redacted(self) -> str:
        """The text to show."""
        return self._uri(tuple((name, MASK) for name, _ in self.secrets))

    def _uri(self, secrets: tuple[tuple[str, str], ...]) -> str:
        query = "&".join(f"{name}={value}" for name, value in (*self.parameters, *secrets))
        return f"{self.scheme}://{self.path}" + (f"?{query}" if query else "")

    def __str__(self) -> str:
        return redact(self.redacted)

    def same_place(self, other: Destination) -> bool:
        """Whether both name the same directory: scheme, path and host; keys and other parameters don't count."""
        return (self.scheme, self.path, dict(self.parameters).get("host")) == (
            other.scheme,
            other.path,
            dict(other.parameters).get("host"),
        )

    @property
    def placeholders(self) -> frozenset[str]:
        """Names in braces that the path leaves open."""
        return frozenset(match[1] or "" for match in _BRACED.finditer(self.path))

    def filled(self, **values: str) -> Destination:
        """The place with its placeholders replaced."""
        path = _BRACED.sub(lambda match: values.get(match[1] or "", match[0]), self.path)
        return replace(self, path=path)

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Every secret value in it, for the masker."""
        return tuple(value for _, value in self.secrets if value)

    def problem(self) -> str | None:
        """What every server would refuse in it, or None; what a version refuses, its dialect knows.

        Prefixes are lower case (9026 otherwise); file:// takes no parameters (1235), object stores need host,
        access_id and access_key, cos also appid, Amazon's s3 also s3_region; length below 2048, before '?' below 1024.
        OceanBase 3.1.5 source, ob_alter_system_resolver.cpp; V4.2.5 manual, log archive, preparation.
        """
        if self.scheme not in _SCHEMES:
            hint = "; OBS is reached as s3://" if self.scheme.lower() == "obs" else ""
            return f"scheme {self.scheme!r} is not one of {', '.join(_SCHEMES)} (lower case){hint}"
        length = len(self.uri.encode(errors="replace"))
        if length > MAX_LENGTH:
            return f"the destination has {length} bytes, more than {MAX_LENGTH}"
        length = len(f"{self.scheme}://{self.path}".encode(errors="replace"))
        if length > MAX_PLACE_LENGTH:
            return f"scheme and path have {length} bytes, more than {MAX_PLACE_LENGTH}"
        if re.search(r"[\s'\"`\\\x00-\x1f\x7f]", self.uri):
            return "it holds a blank, a quote, a backslash or a control character"
        if any("&" in value for _, value in (*self.parameters, *self.secrets)):
            return "a parameter holds '&', which begins the next parameter"
        if "@" in self.path.partition("/")[0]:
            return "it holds a login before '@'; keys come from the connection dest_conn_id"
        if not self.placeholders <= set(PLACEHOLDERS):
            names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            return f"braces may hold {names} only, to give each tenant a path of its own"
        given = {name for name, value in (*self.parameters, *self.secrets) if value}
        if self.scheme == "file":
            if not self.path.startswith("/"):
                return f"file:// needs an absolute path (file:///data/…), not {self.path!r}"
            return "file:// takes no parameters after '?'" if self.parameters or self.secrets else None
        needed = ["host", *_SECRET_PARAMETERS, *(["appid"] if self.scheme == "cos" else [])]
        if self.scheme == "s3" and "amazonaws." in dict(self.parameters).get("host", ""):
            needed.append("s3_region")
        missing = [name for name in needed if name not in given]
        if missing:
            return f"{self.scheme}:// needs {', '.join(missing)} (keys come from the connection dest_conn_id)"
        return None


@dataclass(frozen=True)
class WantedDestination:
    """What the user asks for; None keeps what is set."""

    destination: Destination | None = None
    option: DestinationOption | None = None
    """3.x ``backup_dest_option``."""
    piece_switch_days: int | None = None
    """4.x PIECE_SWITCH_INTERVAL."""
    keys: Keys | None = None
    """Keys of the object store, where a destination is written again that shows none."""


def check_piece_switch_interval(text: object) -> int:
    """Days between two pieces, from ``"1d"`` to ``"7d"``; the server rounds anything else down to days.

    :raises ValueError: not that.
    """
    match = re.fullmatch(r"\s*([1-7])d\s*", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"piece_switch_interval must be 1d to 7d, not {text!r}")
    return int(match[1])


@dataclass(frozen=True)
class _OptionKey:
    kind: str
    least: float = 0.0
    most: float = float("inf")
    zero: bool = False
    legal: str = ""


_OPTION_KEYS = {
    "log_archive_checkpoint_interval": _OptionKey("duration", 5, 3600, legal="5s to 1h"),
    "recovery_window": _OptionKey("duration", legal="0 (keep for ever) or a length of time such as 7d"),
    "log_archive_piece_switch_interval": _OptionKey(
        "duration", _DAY, 7 * _DAY, zero=True, legal="0 (no splitting) or 1d to 7d"
    ),
    "auto_delete_obsolete_backup": _OptionKey("bool", legal="true or false"),
    "auto_update_reserved_backup_timestamp": _OptionKey("bool", legal="true or false"),
    "backup_copies": _OptionKey("count", 0, 0, legal="0"),
}


_SHAPES = {"duration": r"[0-9]{1,18}(?:us|ms|s|m|h|d)?", "bool": "(?:true|false)", "count": "0"}
_PAIR = "|".join(f"{key}={_SHAPES[rule.kind]}" for key, rule in _OPTION_KEYS.items())
OPTION_PATTERN = rf"^(?:(?:{_PAIR})(?:&(?:{_PAIR}))*)?$(?!\n)"
"""The form of ``backup_dest_option``, for forms; ranges and what excludes each other :meth:`DestinationOption.check`
knows."""


@dataclass(frozen=True)
class DestinationOption:
    """Value of ``backup_dest_option``: ``key=value`` joined by ``&``; it replaces the old one completely."""

    values: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> DestinationOption:
        """Read an option string without judging it."""
        return cls(tuple(tuple(pair.partition("=")[::2]) for pair in text.split("&") if pair))  # type: ignore[misc]

    @classmethod
    def check(cls, text: object) -> DestinationOption:
        """Check an option string a user gave, key by key.

        Keys are case-sensitive and no blank is legal anywhere (1210); ranges answer 1235. OceanBase 3.1.5 source,
        ob_backup_struct.cpp ObBackupDestOpt.

        :raises ValueError: names the key, its value and its range.
        """
        if not isinstance(text, str) or not text:
            raise ValueError(f"destination_option must be text such as 'recovery_window=7d', not {text!r}")
        if re.search(r"\s", text):
            raise ValueError(f"destination_option {text!r} holds a blank; none is legal in backup_dest_option")
        option = cls.parse(text)
        if not option.values:
            raise ValueError(f"destination_option must be text such as 'recovery_window=7d', not {text!r}")
        seen: dict[str, str] = {}
        for key, value in option.values:
            rule = _OPTION_KEYS.get(key)
            if rule is None:
                raise ValueError(
                    f"destination_option: unknown key {key!r}; legal keys are {', '.join(_OPTION_KEYS)} (lower case)"
                )
            if key in seen:
                raise ValueError(f"destination_option: key {key!r} is given twice")
            seen[key] = value
            if not _legal(rule, value):
                raise ValueError(f"destination_option: {key}={value!r} is not legal; it takes {rule.legal}")
        if seen.get("auto_delete_obsolete_backup") == seen.get("auto_update_reserved_backup_timestamp") == "true":
            raise ValueError(
                "destination_option: auto_delete_obsolete_backup and auto_update_reserved_backup_timestamp "
                "exclude each other; set one of them"
            )
        return option

    @property
    def text(self) -> str:
        """The text to send."""
        return "&".join(f"{key}={value}" for key, value in self.values)

    @property
    def splits(self) -> bool:
        """Whether pieces are switched; switching that on or off needs a stopped round (1235)."""
        interval = dict(self.values).get("log_archive_piece_switch_interval")
        return bool(interval) and _normal(interval or "") != 0

    def same_as(self, other: DestinationOption) -> bool:
        """Whether both mean the same, whatever the order of keys and the unit of times."""
        return {k: _normal(v) for k, v in self.values} == {k: _normal(v) for k, v in other.values}


def _legal(rule: _OptionKey, value: str) -> bool:
    if rule.kind == "bool":
        return value in {"true", "false"}
    if rule.kind == "count":
        return value == "0"
    length = microseconds(value)
    if length is None:
        return False
    return (rule.zero and length == 0) or rule.least <= length / 1e6 <= rule.most


def microseconds(value: str) -> int | None:
    """A time with its unit; a bare number other than 0 is left alone, its unit differs by version."""
    match = _DURATION.fullmatch(value)
    if match is None or (match["unit"] is None and int(match["count"])):
        return None
    return int(match["count"]) * _UNIT_US[match["unit"] or "s"]


def _normal(value: str) -> str | int:
    length = microseconds(value.lower())
    return value.lower() if length is None else length


def _blanks(value: str) -> str:
    return value.replace(" ", "%20")
