"""What log backup is held to: limits, wanted settings, waivers; from a YAML file or from the parameters of a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from airflow_ob_provider.oceanbase.destination import Destination, microseconds
from airflow_ob_provider.oceanbase.redact import redact

ANY = "*"
_YEAR = 366 * 86400.0


class PolicyError(ValueError):
    """A policy is not legal; the text names each field, its value and what is legal."""


def _seconds(value: object) -> object:
    """Seconds of a text such as ``15m`` or ``8d``; a number is of seconds already."""
    if not isinstance(value, str):
        return value
    found = microseconds(value.strip().lower())
    if found is None:
        raise ValueError("a length of time is a number of seconds or a text such as 90s, 15m, 12h or 8d")
    return found / 1e6


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=10 * _YEAR)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Model):
    """What one tenant is held to; a field that is not given does not ask its question, or has the default named."""

    archive: bool = True
    """Its logs shall be archived; a tenant that need not be is not judged."""
    rpo: Seconds | None = None
    """Most seconds that may be lost: the lag from which on it fails; 0 is not possible with asynchronous archiving."""
    lag_warn: Seconds | None = None
    """By default the larger of 180 s and the lag target (3.x: checkpoint interval) + 60 s."""
    lag_fail: Seconds | None = None
    """By default ``rpo``, else the largest of 300 s, the lag target + 180 s and ``lag_warn`` + 120 s."""
    transition_max: Seconds = 1800.0
    """PREPARE, BEGINNING, SUSPENDING and STOPPING may last that long."""
    suspend_warn: Seconds = 7200.0
    suspend_fail: Seconds = 43200.0
    recovery_window: Seconds | None = None
    """Every moment of this last stretch of time shall be restorable."""
    full_backup_max_age: Seconds = 8 * 86400.0
    """A full backup older than that warns, one of twice that age fails."""
    destination: str | None = None
    """Where logs shall go; ``{cluster}``, ``{tenant}`` and ``{tenant_id}`` are filled in."""
    mode: Literal["optional", "mandatory"] | None = None
    compression: Literal["disable", "enable", "lz4_1.0", "zstd_1.3.8"] | None = None
    """3.x."""
    piece_switch_interval: Seconds | None = None
    lag_target: Seconds | None = None
    """4.2+ ``archive_lag_target``, 3.x ``log_archive_checkpoint_interval``."""
    concurrency: int | None = Field(default=None, ge=0, le=100)
    destination_check_max_age: Seconds | None = None
    """4.1+: how long ago the server may have reached the destination for the last time."""
    log_disk_warn: float = Field(default=75.0, ge=0, le=100)
    """Per cent of the log disk."""
    log_disk_horizon: Seconds = 86400.0
    """Warn when the log disk will reach its threshold within this time."""
    cleanup_required: bool = True
    restore_drill_max_age: Seconds | None = None
    last_restore_drill: date | None = None
    """The catalog keeps no record of drills, so whoever did one writes it down here."""

    @field_validator("destination")
    @classmethod
    def _destination(cls, value: str | None) -> str | None:
        if value is not None:
            Destination.parse(value)
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Limits:
        fail = self.lag_fail if self.lag_fail is not None else self.rpo
        if self.lag_warn is not None and fail is not None and self.lag_warn > fail:
            raise ValueError(f"lag_warn ({self.lag_warn:g} s) is more than what fails ({fail:g} s)")
        if self.suspend_warn > self.suspend_fail:
            raise ValueError(f"suspend_warn ({self.suspend_warn:g} s) is more than suspend_fail")
        return self


class Waiver(_Model):
    """A finding that somebody answers for, until a day."""

    rule: str
    """Id of the rule, or ``*``."""
    tenant: str = ANY
    """Its name, or a pattern such as ``dev_*``."""
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    expires: date
    """The last day that it holds, in the server's zone."""

    def covers(self, rule: str, tenant: str) -> bool:
        """Whether it speaks of this finding."""
        return fnmatchcase(rule, self.rule) and fnmatchcase(tenant, self.tenant)


class Policy(_Model):
    """What a cluster is held to."""

    version: Literal[1] = 1
    cluster: str | None = None
    """The name that the cluster shall have."""
    check_max_age: Seconds = 3 * 3600.0
    """Two checks shall not lie further apart."""
    defaults: Mapping[str, Any] = Field(default_factory=dict)
    """Fields of :class:`Limits` for every tenant."""
    tenants: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    """Fields of :class:`Limits` by tenant name or pattern; a later one wins."""
    waivers: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _legal(self) -> Policy:
        Limits.model_validate(self.defaults)
        for name, own in self.tenants.items():
            try:
                Limits.model_validate({**self.defaults, **own})
            except ValidationError as error:
                raise ValueError(f"tenants.{name}: {_words(error)}") from None
        return self

    def limits(self, tenant: str) -> Limits:
        """What one tenant is held to."""
        merged = dict(self.defaults)
        for pattern, own in self.tenants.items():
            if fnmatchcase(tenant, pattern):
                merged |= own
        return Limits.model_validate(merged)

    @classmethod
    def parse(cls, source: str | Mapping[str, Any] | None) -> Policy:
        """A policy from YAML text or from a mapping; nothing at all is a policy of defaults.

        :raises PolicyError: it is not legal.
        """
        if isinstance(source, str):
            try:
                source = yaml.safe_load(source)
            except yaml.YAMLError as error:
                raise PolicyError(f"policy is not YAML: {redact(str(error))}") from None
        if source is None:
            source = {}
        if not isinstance(source, Mapping):
            raise PolicyError(f"policy must be a mapping with the fields {', '.join(cls.model_fields)}")
        try:
            return cls.model_validate(dict(source))
        except ValidationError as error:
            raise PolicyError(f"policy: {_words(error)}") from None

    def shown(self) -> dict[str, Any]:
        """The policy in force, as JSON."""
        return {
            "version": self.version,
            "cluster": self.cluster,
            "check_max_age": self.check_max_age,
            "defaults": Limits.model_validate(self.defaults).model_dump(mode="json", exclude_none=True),
            "tenants": {name: dict(own) for name, own in self.tenants.items()},
        }


def _words(error: ValidationError) -> str:
    found = []
    for item in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in item["loc"])
        given = "" if item["type"] in {"missing", "value_error"} and not where else f" (given: {item.get('input')!r})"
        legal = f"; legal fields: {', '.join(Limits.model_fields)}" if item["type"] == "extra_forbidden" else ""
        message = item["msg"].removeprefix("Value error, ")
        found.append(redact(f"{where}: {message}{given}{legal}" if where else f"{message}{legal}"))
    return "; ".join(found)
