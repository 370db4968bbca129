"""What log backup is held to: limits, wanted settings, waivers; from a YAML file or from the parameters of a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from airflow_ob_provider.oceanbase.destination import PLACEHOLDERS, Destination, microseconds
from airflow_ob_provider.oceanbase.redact import MASK, redact

ANY = "*"
RULE_IDS = (
    "log_mode", "status", "state_age", "lag", "checkpoint_moved", "checkpoint_proof", "pieces_available",
    "pieces_adjacent", "rounds_adjacent", "holes_covered", "full_backup", "restore_point", "retention",
    "drift_destination", "drift_mode", "drift_compression", "drift_piece_interval", "drift_lag_target",
    "drift_concurrency", "destination_check", "log_disk", "slowest_stream", "scope", "identity", "cleanup",
    "restore_drill", "check_recent", "reachable",
)  # fmt: skip
"""Rules that can be waived: all of :data:`~airflow_ob_provider.oceanbase.compliance.judge.RULES`."""
_LENGTH = "a length of time is a number of seconds or a text such as 90s, 15m, 12h or 8d"
_YEAR = 366 * 86400.0


class PolicyError(ValueError):
    """A policy is not legal; the text names each field, its value and what is legal."""


def _seconds(value: object) -> object:
    """Seconds of a text such as ``15m`` or ``8d``; a number is of seconds already."""
    if isinstance(value, bool):
        raise ValueError(_LENGTH)
    if not isinstance(value, str):
        return value
    found = microseconds(value.strip().lower())
    if found is None:
        raise ValueError(_LENGTH)
    return found / 1e6


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=10 * _YEAR)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Model):
    """What one tenant is held to; a field that is not given does not ask its question, or has the default named."""

    archive: bool = True
    """Its logs shall be archived; a tenant that need not be is not judged."""
    rpo: Seconds | None = None
    """Most seconds that may be lost: the lag from which on it fails; not 0, since archiving is asynchronous."""
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
        if value is None:
            return value
        place = Destination.parse(value)
        if place.secrets or "@" in place.path.partition("/")[0]:
            raise ValueError("it holds keys or a login: the place alone is compared, so leave them out")
        if not place.placeholders <= set(PLACEHOLDERS):
            raise ValueError(f"braces may hold {', '.join(PLACEHOLDERS)} only")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Limits:
        if self.rpo == 0:
            raise ValueError(
                "rpo must be more than 0 s: archiving is asynchronous, so some seconds are always in flight"
            )
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
        return fnmatchcase(rule, self.rule) and _fits(tenant, self.tenant)

    @field_validator("rule")
    @classmethod
    def _known(cls, value: str) -> str:
        if not any(fnmatchcase(rule, value) for rule in RULE_IDS):
            raise ValueError(f"there is no such rule; rules are {', '.join(RULE_IDS)}, or a pattern such as drift_*")
        return value


def _fits(tenant: str, pattern: str) -> bool:
    """Whether a pattern speaks of a tenant; its very name does, also where it holds brackets."""
    return tenant == pattern or fnmatchcase(tenant, pattern)


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
        for name, own in (("defaults", {}), *((f"tenants.{name}", own) for name, own in self.tenants.items())):
            try:
                Limits.model_validate({**self.defaults, **own})
            except ValidationError as error:
                raise ValueError(f"{name}: {_words(error, Limits.model_fields)}") from None
        return self

    def limits(self, tenant: str) -> Limits:
        """What one tenant is held to.

        :raises PolicyError: two patterns, legal each by itself, contradict each other for this tenant.
        """
        merged = dict(self.defaults)
        fitting = [pattern for pattern in self.tenants if _fits(tenant, pattern)]
        for pattern in fitting:
            merged |= self.tenants[pattern]
        try:
            return Limits.model_validate(merged)
        except ValidationError as error:
            which = ", ".join(fitting)
            words = _words(error, Limits.model_fields)
            raise PolicyError(f"policy: tenants {which} together, for tenant {tenant}: {words}") from None

    @classmethod
    def parse(cls, source: str | Mapping[str, Any] | None) -> Policy:
        """A policy from YAML text or from a mapping; nothing at all is a policy of defaults.

        :raises PolicyError: it is not legal.
        """
        if isinstance(source, str):
            try:
                source = yaml.safe_load(source)
            except yaml.YAMLError as error:
                mark = getattr(error, "problem_mark", None)  # the line itself may hold anything
                where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
                raise PolicyError(f"policy is not YAML: {getattr(error, 'problem', 'unreadable')}{where}") from None
        if source is None:
            source = {}
        if not isinstance(source, Mapping):
            raise PolicyError(f"policy must be a mapping with the fields {', '.join(cls.model_fields)}")
        try:
            return cls.model_validate(dict(source))
        except ValidationError as error:
            raise PolicyError(f"policy: {_words(error, cls.model_fields)}") from None

    def shown(self) -> dict[str, Any]:
        """The policy in force, as JSON."""
        return {
            "version": self.version,
            "cluster": self.cluster,
            "check_max_age": self.check_max_age,
            "defaults": Limits.model_validate(self.defaults).model_dump(mode="json", exclude_none=True),
            "tenants": {
                name: Limits.model_validate({**self.defaults, **own}).model_dump(mode="json", include=set(own))
                for name, own in self.tenants.items()
            },
        }


_TENANT_FIELDS: dict[str, Any] = {"type": "object", "propertyNames": {"enum": list(Limits.model_fields)}}
POLICY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "version": {"const": 1},
        "cluster": {"type": ["string", "null"]},
        "check_max_age": {"type": ["number", "string"]},
        "defaults": _TENANT_FIELDS,
        "tenants": {"type": "object", "additionalProperties": _TENANT_FIELDS},
        "waivers": {
            "type": "array",
            "items": {
                "type": "object",
                "propertyNames": {"enum": list(Waiver.model_fields)},
                "required": [name for name, item in Waiver.model_fields.items() if item.is_required()],
            },
        },
    },
}
"""JSON schema of a policy's fields, for forms. It knows their names; :meth:`Policy.parse` also judges their values."""


def _words(error: ValidationError, fields: Mapping[str, Any]) -> str:
    """Each field that is wrong, its value, and what is legal; ``fields`` are those of the outermost mapping."""
    found = []
    for item in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in item["loc"])
        message, given = item["msg"].removeprefix("Value error, "), ""
        if where and item["type"] != "missing":
            given = f" (given: {_shown(str(item['loc'][-1]), item['input'])})"
        if item["type"] == "extra_forbidden":
            legal = Waiver.model_fields if item["loc"][0] == "waivers" else fields
            message = f"no such field{given}; legal fields: {', '.join(legal)}"
            given = ""
        found.append(redact(f"{where}: {message}{given}" if where else message))
    return "; ".join(found)


def _shown(name: str, value: object) -> str:
    """A value as it may be shown: what goes by the name of a secret is one."""
    text = repr(value)
    return MASK if redact(f"{name}='x'") != f"{name}='x'" else redact(text)
