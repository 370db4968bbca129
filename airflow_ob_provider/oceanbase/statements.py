"""Statements with their redacted twin, and the check of everything that goes into one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from airflow_ob_provider.oceanbase.redact import redact

SLOW_SECONDS = 60.0
"""``ob_query_timeout`` of statements that wait for other servers. ARCHIVELOG blocks up to 5 s, MINOR FREEZE up to
31 s a server, SET backup_dest as long as the destination takes to answer; the server's default of 10 s makes
them end in 4012 although they take effect."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TENANT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,127}")


@dataclass(frozen=True)
class Statement:
    """One SQL statement. Only ``redacted`` is ever shown; ``text`` goes to the server and nowhere else."""

    text: str = field(repr=False)
    redacted: str
    writes: bool
    timeout: float | None = None
    """``ob_query_timeout`` in seconds when the session's own is too short."""
    hints: tuple[tuple[int, str], ...] = ()
    """Ways out of errors that mean something particular for this statement."""
    holds_secrets: bool = False
    """Its rows hold keys that are needed to write them back; every other row is redacted as it is read."""

    @classmethod
    def read(cls, text: str, *, holds_secrets: bool = False) -> Statement:
        """A statement that changes nothing."""
        return cls(text, redact(text), writes=False, holds_secrets=holds_secrets)

    @classmethod
    def write(
        cls,
        text: str,
        *,
        secrets: tuple[str, ...] = (),
        timeout: float = SLOW_SECONDS,
        hints: tuple[tuple[int, str], ...] = (),
    ) -> Statement:
        """A statement that changes the server, with the secret values it carries."""
        return cls(text, redact(text, secrets), writes=True, timeout=timeout, hints=hints)

    def hint(self, errno: int) -> str:
        """The way out of ``errno`` that is particular to this statement; '' if there is none."""
        return dict(self.hints).get(errno, "")

    def __str__(self) -> str:
        return self.redacted


def quote(value: str, *, field_name: str = "value") -> str:
    r"""Write ``value`` as a string literal.

    Quotes, backslashes and control characters are refused, not escaped: no legal destination, option or tenant
    name holds one, and how a backslash is read depends on the server's sql_mode.

    :raises ValueError: the value holds one of them.
    """
    for bad, name in (("'", "a quote"), ('"', "a double quote"), ("\\", "a backslash"), ("`", "a backtick")):
        if bad in value:
            raise ValueError(f"{field_name} holds {name}, which is not legal there; remove it")
    if _CONTROL.search(value):
        raise ValueError(f"{field_name} holds a control character (line break, tab, …); remove it")
    return f"'{value}'"


def like_literal(name: str) -> str:
    r"""A LIKE pattern that matches exactly ``name``: ``_`` and ``%`` are wildcards there (``backup\_dest``)."""
    return quote(name).replace("_", r"\_").replace("%", r"\%")


def check_tenant_names(tenants: object, *, field_name: str = "tenants") -> tuple[str, ...]:
    """Tenant names as a tuple without doubles; None and an empty list mean all.

    A text holds names separated by commas: rendered templates arrive as text.

    :raises ValueError: not a list of tenant names, or one that no tenant can have.
    """
    if tenants is None:
        return ()
    if isinstance(tenants, str):
        tenants = [name.strip() for name in tenants.split(",")] if tenants.strip() else []
    if not isinstance(tenants, list | tuple | set | frozenset):
        raise ValueError(f"{field_name} must be a list of tenant names, not {tenants!r}")
    names: dict[str, None] = {}
    for name in tenants:
        if not isinstance(name, str) or not _TENANT_NAME.fullmatch(name):
            raise ValueError(
                f"{field_name}: {name!r} is not a tenant name (1 to 128 letters, digits, '_' or '$', "
                "not starting with a digit)"
            )
        names[name] = None
    return tuple(names)


def check_seconds(value: object, *, field_name: str, least: float, most: float) -> float:
    """A length of time in seconds within [``least``, ``most``].

    :raises ValueError: not a number, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{field_name} must be a number of seconds from {least:g} to {most:g}, not {value!r}")
    return float(value)
