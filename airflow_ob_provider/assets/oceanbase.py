"""Assets of log backup, for chaining DAGs: ``oceanbase://<connection id>/log-archive``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import Asset, AssetAlias, AssetWatcher

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_PART = re.compile(r"[\w.-]+")
LOG_ARCHIVE_ALIAS = AssetAlias("ob_log_archive")
"""Updated whenever log backup of any cluster has been proven."""
COMPLIANCE_ALIAS = AssetAlias("ob_archive_compliance")
"""Updated by each compliance check of any cluster."""

DATA_BACKUP_ALIAS = AssetAlias("ob_data_backup")
"""Updated whenever a data backup of any cluster can be restored."""


def log_archive_asset(oceanbase_conn_id: str) -> Asset:
    """The log backup of the cluster behind a connection; known when a DAG is parsed, without asking anybody.

    Its events carry ``round``, ``started``, ``checkpoint``, ``cluster`` and ``version`` as extra.

    :raises ValueError: the connection id cannot stand in a URI.
    """
    return Asset(f"oceanbase://{_checked(oceanbase_conn_id)}/log-archive")


def compliance_asset(oceanbase_conn_id: str, *, compliant: bool) -> Asset:
    """The log backup of a cluster as a check has found it: ``compliant`` (OK or WARN) or ``violated`` (FAIL).

    Its events carry ``verdict``, ``checked_at``, ``delay``, ``open_gaps`` and ``report`` as extra.

    :raises ValueError: the connection id cannot stand in a URI.
    """
    word = "compliant" if compliant else "violated"
    return Asset(f"oceanbase://{_checked(oceanbase_conn_id)}/log-archive/{word}")


def data_backup_asset(oceanbase_conn_id: str) -> Asset:
    """The data backups of a cluster; updated when a new one can be restored, with the logs that follow it.

    Its events carry ``kind``, ``sets`` by tenant, ``windows`` by tenant, ``started`` and ``ended`` as extra.

    :raises ValueError: the connection id cannot stand in a URI.
    """
    return Asset(f"oceanbase://{_checked(oceanbase_conn_id)}/data-backup")


def connections_of(triggering_asset_events: Mapping[Any, Any] | None) -> list[str]:
    """The connections whose assets have started a run, each once, in their order; none where no asset has.

    :param triggering_asset_events: of the run's context.
    """
    uris = [asset.uri for asset in triggering_asset_events or () if isinstance(asset, Asset)]
    return list(dict.fromkeys(conn_id for uri in uris if (conn_id := connection_of(uri))))


def connection_of(uri: str) -> str:
    """The connection whose asset a URI names; '' if it is an asset of something else."""
    return urlsplit(uri).netloc if uri.startswith("oceanbase://") else ""


def archive_watch_asset(
    oceanbase_conn_id: str,
    *,
    tenants: Sequence[str] = (),
    poll_interval: float = 30.0,
    name: str = "",
    **bounds: float,
) -> Asset:
    """An asset that is updated when the log backup of a cluster breaks, and when it is healthy again.

    ``schedule=archive_watch_asset("oceanbase_default")`` starts a DAG on each event; the triggerer watches while such a
    DAG is active. What an event holds tells :class:`~airflow_ob_provider.triggers.watch.ArchiveWatchTrigger`; a task
    reads it as ``extra["payload"]`` of ``triggering_asset_events``, where ``kind`` says whether anything is to be done.
    Airflow keeps one set of arguments for an asset: two DAGs that name the same asset must give the same, and an
    ``Asset`` of this URI without a watcher anywhere ends the watch. Call this function everywhere, and give the second
    of two watches on one connection a name.

    :param tenants: names of the user tenants to watch, all if none is given. 3.x: the cluster is always watched.
    :param poll_interval: seconds between reads, at least 1. Watches with the same cadence share them.
    :param name: of this watch, where a connection has several; a part of the asset's URI.
    :param bounds: ``max_lag``, ``max_suspended``, ``max_in_transition``, ``max_stopped``, ``max_unreadable`` and
        ``hysteresis``, in seconds; see :class:`~airflow_ob_provider.oceanbase.watch.Bounds`.
    :raises ValueError: the connection id or the name cannot stand in a URI, a bound is no number of seconds from 0 to
        30 days, the cadence is not from 1 second to a day, or ``tenants`` is no list of names.
    :raises TypeError: there is no such bound.
    """
    # Only here: most DAGs that import this module watch nothing.
    from airflow_ob_provider.oceanbase.statements import check_seconds
    from airflow_ob_provider.oceanbase.watch import Bounds
    from airflow_ob_provider.triggers.watch import ArchiveWatchTrigger

    if isinstance(tenants, str) or not all(isinstance(one, str) for one in tenants) or "" in tenants:
        raise ValueError(f"tenants must be a list of names, not {tenants!r}")
    uri = f"oceanbase://{_checked(oceanbase_conn_id)}/log-archive/watch"
    if name:
        uri += f"/{_checked(name, 'name')}"
    trigger = ArchiveWatchTrigger(
        oceanbase_conn_id=oceanbase_conn_id,
        tenants=list(tenants),
        poll_interval=check_seconds(poll_interval, field_name="poll_interval", least=1, most=86400),
        **vars(Bounds.checked(bounds)),
    )
    return Asset(uri, watchers=[AssetWatcher(name="oceanbase_archive_watch", trigger=trigger)])


def _checked(word: str, what: str = "oceanbase_conn_id") -> str:
    if not _PART.fullmatch(word):
        raise ValueError(f"{what} {word!r} may hold letters, digits, '_', '-' and '.' only")
    return word


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check an ``oceanbase://`` asset URI. It never holds a login, and nothing after the path.

    :raises ValueError: it is not of that form.
    """
    if not uri.netloc or "@" in uri.netloc or uri.query or uri.fragment or not uri.path.strip("/"):
        raise ValueError("an OceanBase asset is oceanbase://<connection id>/<what>, without a login or parameters")
    return uri
