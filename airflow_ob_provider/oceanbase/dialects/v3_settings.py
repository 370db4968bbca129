"""Destination and option of 3.x: cluster parameters, the same on every OBServer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.changes import Change
from airflow_ob_provider.oceanbase.destination import NO_CLUSTER_NAME, Destination, DestinationOption, WantedDestination
from airflow_ob_provider.oceanbase.models import ArchiveSnapshot, ArchiveState, Scope, Setting
from airflow_ob_provider.oceanbase.options import ArchiveMode, ArchiveOption, WantedOption, plan_option
from airflow_ob_provider.oceanbase.statements import Statement

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect

_SCHEMES = ("file", "oss", "cos")
_CLUSTER = str(Scope.CLUSTER)


def destination_problem(destination: Destination) -> str | None:
    """What 3.x refuses in a destination that is legal elsewhere."""
    if destination.scheme not in _SCHEMES:
        hint = "; S3 is not supported by OceanBase 3.x" if destination.scheme == "s3" else ""
        return f"scheme {destination.scheme!r} is not one of {', '.join(_SCHEMES)}{hint}"
    if destination.placeholders & {"tenant", "tenant_id"}:
        return "{tenant} has no meaning on OceanBase 3.x, which archives the whole cluster to one place"
    return None


def place_of(destination: Destination, cluster: str) -> Destination:
    """The destination on this cluster.

    :raises ValueError: the cluster's name is needed and not shown.
    """
    if "cluster" in destination.placeholders and not cluster:
        raise ValueError(f"destination {destination}: {NO_CLUSTER_NAME}")
    return destination.filled(cluster=cluster)


def destination_change(dialect: V3Dialect, wanted: WantedDestination) -> Change:
    """``backup_dest`` only in STOP; ``backup_dest_option`` at any time, but for switching splitting on or off."""
    place, place_option = dialect.destination_setting(), dialect.destination_option_setting()
    statements: list[Statement] = []
    refusals: list[str] = []
    after = []
    if wanted.piece_switch_days is not None:
        refusals.append(
            "piece_switch_interval is of 4.x; OceanBase 3.x takes it as "
            f"destination_option='log_archive_piece_switch_interval={wanted.piece_switch_days}d'"
        )
    if wanted.destination:
        problem = destination_problem(wanted.destination)
        if problem:
            refusals.append(f"destination {wanted.destination}: {problem}")
        else:
            cluster = dialect.cluster_name() if wanted.destination.placeholders else ""
            target = place_of(wanted.destination, cluster)
            after.append(str(target))
            if not _all_at(place, target):
                refusals += _not_stopped(dialect.archive(), place, target)
                statements.append(dialect.set_destination(target))
    if wanted.option:
        after.append(wanted.option.text)
        if not _all_option(place_option, wanted.option):
            refusals += _switches_splitting(dialect.archive(), place_option, wanted.option)
            statements.append(dialect.set_destination_option(wanted.option))
    before = _shown(place, place_option)
    return Change(
        _CLUSTER,
        before,
        " with ".join(after) if statements and not refusals else before,
        () if refusals else tuple(statements),
        "; ".join(refusals),
        scope=Scope.CLUSTER,
        settled=_agree(place) and _agree(place_option),
    )


def option_change(dialect: V3Dialect, wanted: WantedOption) -> Change:
    """Mode and compression, always sent together."""
    setting = dialect.option_setting()
    current = ArchiveOption.parse(setting.agreed or "")
    before = str(current) if _agree(setting) else "; ".join(f"{place} {text!r}" for place, text in setting.values)
    refusal = ""
    steps: tuple[ArchiveOption, ...] = ()
    if wanted.lag_target is not None or wanted.concurrency is not None:
        refusal = (
            "lag_target and concurrency are of 4.x; OceanBase 3.x takes a checkpoint interval as "
            "destination_option='log_archive_checkpoint_interval=…s'"
        )
    else:
        rows = dialect.archive().governing
        runs = not rows or any(row.state is not ArchiveState.STOP for row in rows)
        try:
            steps = plan_option(current, wanted, round_runs=runs)
        except ValueError as error:
            refusal = str(error)
    return Change(
        _CLUSTER,
        before,
        str(steps[-1]) if steps else before,
        tuple(dialect.set_option(step) for step in steps),
        refusal,
        to_mandatory=wanted.mode is ArchiveMode.MANDATORY and current.mode is not ArchiveMode.MANDATORY,
        scope=Scope.CLUSTER,
        settled=_agree(setting),
    )


def _agree(setting: Setting) -> bool:
    return len({value for _, value in setting.values}) <= 1


def _shown(place: Setting, option: Setting) -> str:
    where = str(Destination.parse(place.agreed)) if place.agreed else "not the same everywhere"
    if place.agreed == "" or not place.values:
        where = "not set"
    return f"{where} with {option.agreed}" if option.agreed else where


def _all_at(setting: Setting, wanted: Destination) -> bool:
    return bool(setting.values) and all(
        value and Destination.parse(value).same_place(wanted) for _, value in setting.values
    )


def _all_option(setting: Setting, wanted: DestinationOption) -> bool:
    return bool(setting.values) and all(DestinationOption.parse(value).same_as(wanted) for _, value in setting.values)


def _not_stopped(snapshot: ArchiveSnapshot, place: Setting, wanted: Destination) -> list[str]:
    running = [row for row in snapshot.governing if row.state is not ArchiveState.STOP]
    if snapshot.governing and not running:
        return []
    state = ", ".join(f"{row.status} (round {row.round_id})" for row in running) or "unknown"
    now = str(Destination.parse(place.agreed)) if place.agreed else "not the same on all servers"
    return [
        f"the destination is {now} and log backup is {state}; {wanted} can be set only in STOP (9036). Stop log backup "
        "(a gap: take a full data backup afterwards), or keep the destination"
    ]


def _switches_splitting(snapshot: ArchiveSnapshot, place: Setting, wanted: DestinationOption) -> list[str]:
    running = not snapshot.governing or any(row.state is not ArchiveState.STOP for row in snapshot.governing)
    if not running or DestinationOption.parse(place.agreed or "").splits == wanted.splits:
        return []
    return [
        "log_archive_piece_switch_interval cannot be switched on or off while log backup runs (1235); keep it as it is "
        f"(now: {place.agreed or 'no option'}), or stop log backup first"
    ]
