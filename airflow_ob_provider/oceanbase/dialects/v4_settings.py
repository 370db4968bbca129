"""Destination and options of 4.x: what each tenant lacks of what is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.changes import Change
from airflow_ob_provider.oceanbase.destination import Destination, Keys, WantedDestination, microseconds
from airflow_ob_provider.oceanbase.dialects import v4_statements
from airflow_ob_provider.oceanbase.dialects.v4_places import NOT_SET, Place, wanted_places
from airflow_ob_provider.oceanbase.models import ArchiveRow
from airflow_ob_provider.oceanbase.options import ArchiveMode, WantedOption
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect

DEFAULT_DAYS = 1
LAG_TARGET, CONCURRENCY = "archive_lag_target", "log_archive_concurrency"
S3_LEAST_LAG_SECONDS = 60


def _of(tenants: Sequence[str], places: Sequence[Place]) -> tuple[list[Place], list[Change]]:
    """Places of the NORMAL tenants asked for (or all), and a refusal for each that is not there."""
    normal = [place for place in places if place.tenant.is_normal]
    names = {place.tenant.name for place in normal}
    refusal = "no user tenant of that name is NORMAL here"
    missing = [Change(name, NOT_SET, NOT_SET, refusal=refusal) for name in tenants if name not in names]
    return [place for place in normal if not tenants or place.tenant.name in tenants], missing


def destination_changes(dialect: V4Dialect, wanted: WantedDestination, tenants: Sequence[str]) -> tuple[Change, ...]:
    """LOG_ARCHIVE_DEST, where place or interval differ; the mode stays, Optional where there was none."""
    everybody = dialect.destinations()
    places, changes = _of(tenants, everybody)
    targets = wanted_places(dialect, wanted.destination, places, everybody) if wanted.destination else {}
    goals = [*targets.values(), *(place.destination for place in places)]
    s3 = any(isinstance(goal, Destination) and goal.scheme == "s3" for goal in goals)
    lags = dialect.lag_targets() if s3 else {}
    rows = {row.tenant.tenant_id: row for row in dialect.archive().rows}
    for place in places:
        number, refusal = place.tenant.tenant_id, ""
        target = targets.get(number)
        if wanted.option:
            refusal = "destination_option is of 3.x; 4.x has piece_switch_interval, lag_target and clean-up policies"
        elif isinstance(target, str):
            refusal = target
        if refusal or isinstance(target, str):
            changes.append(Change(place.tenant.name, str(place), str(place), refusal=refusal))
            continue
        days, keys = wanted.piece_switch_days, wanted.keys
        change = _place_change(dialect, place, rows.get(number), target=target, days=days, keys=keys)
        lag, _ = lags.get(number, (S3_LEAST_LAG_SECONDS, 0))
        scheme = (target or place.destination or Destination("", "")).scheme
        if change.statements and scheme == "s3" and lag < S3_LEAST_LAG_SECONDS:
            refusal = (
                f"archive_lag_target is {lag:g} s, and S3 needs at least {S3_LEAST_LAG_SECONDS} s (4179): set "
                "lag_target (SetArchiveOptionOperator) first"
            )
            change = Change(place.tenant.name, str(place), str(place), refusal=refusal)
        changes.append(change)
    return tuple(changes)


def option_changes(dialect: V4Dialect, wanted: WantedOption, tenants: Sequence[str]) -> tuple[Change, ...]:
    """Parameters at any time; the mode only while the tenant has no round."""
    places, changes = _of(tenants, dialect.destinations())
    rows = {row.tenant.tenant_id: row for row in dialect.archive().rows}
    unfit = _not_here(dialect.version, wanted)
    tunes = not unfit and (wanted.lag_target is not None or wanted.concurrency is not None)
    names = [LAG_TARGET] * dialect.version.has_lag_target + [CONCURRENCY]
    known = dialect.parameters(*names) if tunes else {}
    for place in places:
        if unfit:
            changes.append(Change(place.tenant.name, str(place), str(place), refusal=unfit, unset=not place.uri))
            continue
        tuned = _parameters(dialect, wanted, place, known)
        row = rows.get(place.tenant.tenant_id)
        turned = _place_change(dialect, place, row, mode=wanted.mode, keys=wanted.keys)
        refusal = "; ".join(filter(None, (tuned.refusal, turned.refusal)))
        changes.append(
            Change(
                place.tenant.name,
                ", ".join(filter(None, (turned.before, tuned.before))),
                ", ".join(filter(None, (turned.after, tuned.after))),
                () if refusal else (*tuned.statements, *turned.statements),
                refusal,
                to_mandatory=turned.to_mandatory and not refusal,
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
    dialect: V4Dialect, wanted: WantedOption, place: Place, known: dict[tuple[int, str], frozenset[str]]
) -> Change:
    """``archive_lag_target`` and ``log_archive_concurrency`` of one tenant."""
    before, after, settled, refusal = [], [], True, ""
    statements: list[Statement] = []
    tenant = place.tenant
    for name, value, unit in ((LAG_TARGET, wanted.lag_target, "s"), (CONCURRENCY, wanted.concurrency, "")):
        if value is None:
            continue
        values = known.get((tenant.tenant_id, name), frozenset())
        agreed = len(values) <= 1
        shown = " / ".join(sorted(values))
        settled = settled and agreed
        before.append(f"{name} {shown or 'not shown'}")
        after.append(f"{name} {value}{unit}")
        length = microseconds(shown.lower()) if unit else None
        same = length == value * 1_000_000 if unit else shown == str(value)
        if agreed and same:
            continue
        here = place.destination
        if name == LAG_TARGET and not place.uri:
            refusal = "lag_target needs a destination (4179): set it first"
        elif name == LAG_TARGET and here and here.scheme == "s3" and value < S3_LEAST_LAG_SECONDS:
            refusal = f"lag_target must be at least {S3_LEAST_LAG_SECONDS} s for S3, not {value} s (4179)"
        try:
            statements.append(v4_statements.parameter(dialect.of_tenant(tenant), name, f"{value}{unit}"))
        except ValueError as error:
            refusal = str(error)
    return Change(tenant.name, ", ".join(before), ", ".join(after), tuple(statements), refusal, settled=settled)


def _place_change(
    dialect: V4Dialect,
    place: Place,
    row: ArchiveRow | None,
    *,
    target: Destination | None = None,
    mode: ArchiveMode | None = None,
    days: int | None = None,
    keys: Keys | None = None,
) -> Change:
    """One tenant's LOG_ARCHIVE_DEST; None keeps what is set. Places are compared by root and host, never by keys."""
    name, before, here = place.tenant.name, str(place), place.destination
    moves = target is not None and (here is None or not target.same_place(here))
    if not moves and mode in {None, place.mode} and days in {None, place.days}:
        return Change(name, before, before)
    goal = target if moves else here and (here.with_keys(keys) if keys and here.scheme != "file" else here)
    mode = mode or place.mode or (None if place.uri else ArchiveMode.OPTIONAL)
    days = days or place.days or (None if place.uri else DEFAULT_DAYS)
    if goal is None or mode is None or days is None:
        return Change(name, before, before, refusal=_unreadable(place), unset=not place.uri)
    after = f"{goal}, {mode.upper()}, pieces of {days}d{', no longer in DEFER' if place.deferred else ''}"
    refusal = _round_exists(row, after) or _keys_missing(goal)
    if not refusal and (moves or keys):
        problem = goal.problem()
        refusal = f"destination {goal}: {problem}" if problem else ""
    statements: tuple[Statement, ...] = ()
    if not refusal:
        try:
            statements = (v4_statements.destination(dialect.of_tenant(place.tenant), goal, mode, days),)
        except ValueError as error:
            refusal = str(error)
    switches = mode is ArchiveMode.MANDATORY and place.mode is not ArchiveMode.MANDATORY
    return Change(name, before, before if refusal else after, statements, refusal, to_mandatory=switches)


def _unreadable(place: Place) -> str:
    """Every attribute is written each time, and one left out returns to its default; so none may be guessed."""
    if not place.uri:
        return "its destination is not set, and mode (BINDING) and piece interval are parts of it: set it first"
    return (
        f"what is set cannot be read ({place}), and all of LOG_ARCHIVE_DEST has to be written again: set it once by "
        "hand, with LOCATION, BINDING and PIECE_SWITCH_INTERVAL"
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


def no_force(version: OceanBaseVersion) -> str:
    """Why there is no stop by force, and what ends a round that does not stop.

    The words parse, but do not go the way of a cancel (4.3.5 source); the manuals know none of them.
    """
    ends = (
        "the server itself ends STOPPING after 10 minutes if the destination is dead"
        if version.forces_stop
        else "nor does this version end STOPPING by itself: repair the destination, or bring the OBServer back"
    )
    return f"OceanBase {version} has no CANCEL ALL BACKUP FORCE; {ends}"
