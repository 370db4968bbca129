"""Assets of log backup, for chaining DAGs: ``oceanbase://<connection id>/log-archive``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_CONN_ID = re.compile(r"[\w.-]+")
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
    return list(dict.fromkeys(urlsplit(uri).netloc for uri in uris if uri.startswith("oceanbase://")))


def _checked(oceanbase_conn_id: str) -> str:
    if not _CONN_ID.fullmatch(oceanbase_conn_id):
        raise ValueError(f"oceanbase_conn_id {oceanbase_conn_id!r} may hold letters, digits, '_', '-' and '.' only")
    return oceanbase_conn_id


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check an ``oceanbase://`` asset URI. It never holds a login, and nothing after the path.

    :raises ValueError: it is not of that form.
    """
    if not uri.netloc or "@" in uri.netloc or uri.query or uri.fragment or not uri.path.strip("/"):
        raise ValueError("an OceanBase asset is oceanbase://<connection id>/<what>, without a login or parameters")
    return uri
