"""Destination and options of 4.x: every tenant has its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.changes import Change
from airflow_ob_provider.oceanbase.destination import Destination, Keys, WantedDestination, microseconds
from airflow_ob_provider.oceanbase.dialects import v4_statements
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.models import ArchiveRow, Tenant
from airflow_ob_provider.oceanbase.options import ArchiveMode, WantedOption
from airflow_ob_provider.oceanbase.rows import text
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect

DEFAULT_DAYS = 1
NOT_SET = "not set"
_DAY_US = 86_400_000_000
LAG_TARGET, CONCURRENCY = "archive_lag_target", "log_archive_concurrency"
S3_LEAST_LAG_SECONDS = 60

_FIRST: dict[str, dict[tuple[int, int], tuple[int, ...]]] = {
    "cos": {(4, 2): (4, 2, 0)},
    "s3": {(4, 2): (4, 2, 1, 7), (4, 3): (4, 3, 0)},
    "azblob": {(4, 2): (4, 2, 5, 6), (4, 3): (4, 3, 5, 3)},
}
"""First version of each scheme by line; file and oss came with 4.0. A fourth number is the manual's BP number, which is
not known to be the server's, so it is worth a warning and no refusal."""


def scheme_problem(scheme: str, version: OceanBaseVersion) -> str | None:
    """Why this version cannot archive to such a place; None if it can, or may."""
    lines = _FIRST.get(scheme)
    line = version.numbers[:2]
    if lines is None or line > max(lines):
        return None
    first = lines.get(line)
    if first is None or version.numbers[:3] < first[:3]:
        names = " and ".join(".".join(map(str, numbers)) for numbers in lines.values())
        return f"OceanBase {version} cannot archive to {scheme}://, which came with {names}"
    return None


def scheme_doubt(scheme: str, version: OceanBaseVersion) -> str | None:
    """Which patch of this version is needed, where the version does not tell it."""
    first = _FIRST.get(scheme, {}).get(version.numbers[:2], ())
    if len(first) == 4 and version.numbers[:3] == first[:3] and version.numbers < first:
        return f"{scheme}:// needs {'.'.join(map(str, first[:3]))} BP{first[3]}; the server answers 9026 otherwise"
    return None


@dataclass(frozen=True)
class Place:
    """LOG_ARCHIVE_DEST of one tenant."""

    tenant: Tenant
    uri: str = field(repr=False)
    """As the server shows it, keys in it; '' where none is set."""
    mode: ArchiveMode | None
    days: int | None
    words: str
    """What the server shows for its attributes."""

    @classmethod
    def of(cls, tenant: Tenant, row: Row) -> Place:
        """From a row of the catalogue; manual and server differ in how they write mode and interval."""
        binding, interval = text(row, "binding").strip(), text(row, "piece_switch_interval").strip()
        word = binding.lower()
        return cls(
            tenant,
            text(row, "path").strip(),
            ArchiveMode(word) if word in tuple(ArchiveMode) else None,
            _days(interval),
            f"{binding or 'no binding'}, pieces of {interval or 'no interval'}",
        )

    @property
    def destination(self) -> Destination | None:
        """Where it is; None where none is set."""
        return Destination.parse(self.uri) if self.uri else None

    def __str__(self) -> str:
        return f"{self.destination}, {self.words}" if self.uri else NOT_SET


def _days(interval: str) -> int | None:
    """``1d``, or microseconds without a unit."""
    length = int(interval) if interval.isdigit() else microseconds(interval.lower())
    return length // _DAY_US if length and length % _DAY_US == 0 else None


def own_place(destination: Destination, tenant: Tenant, cluster: str) -> Destination:
    """The destination of one tenant.

    :raises ValueError: the cluster's name is needed and not shown.
    """
    if "cluster" in destination.placeholders and not cluster:
        raise ValueError(f"destination {destination}: this account cannot read the cluster's name for {{cluster}}")
    return destination.filled(cluster=cluster, tenant=tenant.name, tenant_id=str(tenant.tenant_id))


def in_scope(dialect: V4Dialect, tenants: Sequence[str]) -> tuple[Place, ...]:
    """Places of the tenants asked for, or of all."""
    return tuple(place for place in dialect.destinations() if not tenants or place.tenant.name in tenants)


def _unknown(tenants: Sequence[str], places: Sequence[Place]) -> list[Change]:
    """Tenants that were asked for and are not there; they hold up no other."""
    names = {place.tenant.name for place in places}
    return [
        Change(name, NOT_SET, NOT_SET, refusal="no user tenant of that name is NORMAL here")
        for name in tenants
        if name not in names
    ]


def wanted_places(
    dialect: V4Dialect, destination: Destination, places: Sequence[Place]
) -> dict[int, Destination | str]:
    """By tenant number: where it is to go, or why it cannot. Two tenants can never share a place (9081)."""
    cluster = dialect.identity().cluster if "cluster" in destination.placeholders else ""
    targets = {place.tenant.tenant_id: own_place(destination, place.tenant, cluster) for place in places}
    taken = {
        (here.scheme, here.path): other.tenant
        for other in dialect.destinations()
        if (here := other.destination) and other.tenant.tenant_id not in targets
    }
    shared = Counter((target.scheme, target.path) for target in targets.values())
    found: dict[int, Destination | str] = {}
    for place in places:
        target = targets[place.tenant.tenant_id]
        key = (target.scheme, target.path)
        problem = target.problem() or scheme_problem(target.scheme, dialect.version)
        if problem:
            found[place.tenant.tenant_id] = f"destination {target}: {problem}"
        elif shared[key] > 1 or key in taken:
            by = taken[key].name if key in taken else f"{shared[key]} tenants"
            found[place.tenant.tenant_id] = (
                f"destination {target} would be shared with {by} (9081): each tenant needs a directory of its own, "
                f"such as {target.scheme}://{target.path}/{{tenant}}"
            )
        else:
            found[place.tenant.tenant_id] = target
    return found


def destination_changes(dialect: V4Dialect, wanted: WantedDestination, tenants: Sequence[str]) -> tuple[Change, ...]:
    """LOG_ARCHIVE_DEST, where place or interval differ; the mode stays, Optional where there was none."""
    places = in_scope(dialect, tenants)
    targets = wanted_places(dialect, wanted.destination, places) if wanted.destination else {}
    rows = {row.tenant.tenant_id: row for row in dialect.archive().rows}
    changes = _unknown(tenants, places)
    for place in places:
        target = targets.get(place.tenant.tenant_id, place.destination)
        if wanted.option:
            refusal = "destination_option is of 3.x; 4.x has piece_switch_interval, lag_target and clean-up policies"
            changes.append(Change(place.tenant.name, str(place), str(place), refusal=refusal))
        elif isinstance(target, str):
            changes.append(Change(place.tenant.name, str(place), str(place), refusal=target))
        elif target is None and wanted.piece_switch_days:
            refusal = "its destination is not set, and the piece interval is a part of it: give both"
            changes.append(Change(place.tenant.name, str(place), str(place), refusal=refusal))
        else:
            days = wanted.piece_switch_days or place.days or DEFAULT_DAYS
            changes.append(
                _place_change(dialect, place, target, place.mode, days, rows.get(place.tenant.tenant_id), wanted.keys)
            )
    return tuple(changes)


def option_changes(dialect: V4Dialect, wanted: WantedOption, tenants: Sequence[str]) -> tuple[Change, ...]:
    """Parameters at any time; the mode only while the tenant has no round."""
    places = in_scope(dialect, tenants)
    rows = {row.tenant.tenant_id: row for row in dialect.archive().rows}
    names = [LAG_TARGET] * dialect.version.has_lag_target + [CONCURRENCY] * dialect.version.has_log_mode
    known = dialect.parameters(*names) if wanted.lag_target is not None or wanted.concurrency is not None else {}
    changes = _unknown(tenants, places)
    for place in places:
        tuned = _parameters(dialect, wanted, place, known)
        mode = wanted.mode or place.mode
        moved = _place_change(
            dialect, place, place.destination, mode, place.days, rows.get(place.tenant.tenant_id), wanted.keys
        )
        refusal = "; ".join(filter(None, (_not_here(dialect.version, wanted), tuned.refusal, moved.refusal)))
        if wanted.mode and not place.uri:
            refusal = refusal or "its destination is not set, and the mode is a part of it (BINDING): set it first"
        changes.append(
            Change(
                place.tenant.name,
                ", ".join(filter(None, (moved.before, tuned.before))),
                ", ".join(filter(None, (moved.after, tuned.after))),
                () if refusal else (*tuned.statements, *moved.statements),
                refusal,
                to_mandatory=not refusal and bool(moved.statements) and mode is ArchiveMode.MANDATORY,
                settled=tuned.settled,
                unset=not place.uri,
            )
        )
    return tuple(changes)


def _not_here(version: OceanBaseVersion, wanted: WantedOption) -> str:
    if wanted.compression is not None:
        return f"OceanBase {version} does not compress archived logs: compression must be 'keep' on 4.x"
    if wanted.lag_target is not None and not version.has_lag_target:
        return f"OceanBase {version} has no archive_lag_target, which came with 4.2.0: leave lag_target out"
    if wanted.concurrency is not None and not version.has_log_mode:
        return f"OceanBase {version} has no log_archive_concurrency, which came with 4.1.0: leave concurrency out"
    if wanted.concurrency == 0 and not version.has_lag_target:
        return f"concurrency must be 1 to 100 on OceanBase {version}; 0 (by the tenant's CPU) came with 4.2.0"
    return ""


def _parameters(
    dialect: V4Dialect, wanted: WantedOption, place: Place, known: dict[tuple[int, str], tuple[str, bool]]
) -> Change:
    """``archive_lag_target`` and ``log_archive_concurrency`` of one tenant."""
    before, after, settled, refusal = [], [], True, ""
    statements: list[Statement] = []
    tenant = place.tenant
    for name, value, unit in ((LAG_TARGET, wanted.lag_target, "s"), (CONCURRENCY, wanted.concurrency, "")):
        if value is None:
            continue
        shown, agreed = known.get((tenant.tenant_id, name), ("", True))
        settled = settled and agreed
        before.append(f"{name} {shown or 'not shown'}")
        after.append(f"{name} {value}{unit}")
        length = microseconds(shown.lower()) if unit else None
        same = length == value * 1_000_000 if unit else shown == str(value)
        if agreed and same:
            continue
        if name == LAG_TARGET and not place.uri:
            refusal = "lag_target needs a destination (4179): set it first"
        elif name == LAG_TARGET and place.destination and place.destination.scheme == "s3" and value < 60:
            refusal = f"lag_target must be at least {S3_LEAST_LAG_SECONDS} s for S3, not {value} s (4179)"
        statements.append(v4_statements.parameter(dialect.of_tenant(tenant), name, f"{value}{unit}"))
    return Change(tenant.name, ", ".join(before), ", ".join(after), tuple(statements), refusal, settled=settled)


def _place_change(
    dialect: V4Dialect,
    place: Place,
    target: Destination | None,
    mode: ArchiveMode | None,
    days: int | None,
    row: ArchiveRow | None,
    keys: Keys | None,
) -> Change:
    """One tenant's LOG_ARCHIVE_DEST; places are compared by root and host, never by their keys."""
    name, before = place.tenant.name, str(place)
    here = place.destination
    if target is None:
        return Change(name, before, before)
    mode, days = mode or ArchiveMode.OPTIONAL, days or DEFAULT_DAYS
    moves = here is None or not target.same_place(here)
    if not moves and here is not None:
        if mode is place.mode and days == place.days:
            return Change(name, before, before)
        target = here.with_keys(keys) if keys and here.scheme != "file" else here
    after = f"{target}, {mode.upper()}, pieces of {days}d"
    refusal = _round_exists(row, after) or _keys_missing(target)
    statement = v4_statements.destination(dialect.of_tenant(place.tenant), target, mode, days)
    return Change(
        name,
        before,
        before if refusal else after,
        () if refusal else (statement,),
        refusal,
        to_mandatory=mode is ArchiveMode.MANDATORY and place.mode is not ArchiveMode.MANDATORY,
    )


def _round_exists(row: ArchiveRow | None, after: str) -> str:
    """The server refuses any change while a round exists that is not STOP, also in DEFER (1235)."""
    if row is None:
        return "its state is not shown, so it is not changed"
    if row.idle:
        return ""
    return (
        f"log backup is {row.status} (round {row.round_id}); LOG_ARCHIVE_DEST, and with it BINDING and the piece "
        f"interval, can become {after} only without a round or in STOP (1235; DEFER is not enough). Keep them as they "
        "are, or stop log backup of this tenant first, which leaves a gap: take a full data backup after the next start"
    )


def _keys_missing(target: Destination) -> str:
    """An Enterprise Edition shows keys encrypted, and refuses them back (``encrypt_key`` answers 9026)."""
    names = {name for name, value in target.secrets if value}
    if target.scheme == "file" or ("access_key" in names and "encrypt_key" not in names):
        return ""
    return (
        f"the whole destination {target} has to be written again, and the server does not show its keys: give the "
        "connection that holds them (dest_conn_id)"
    )
