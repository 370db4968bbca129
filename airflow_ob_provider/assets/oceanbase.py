"""Assets of log backup, for chaining DAGs: ``oceanbase://<connection id>/log-archive``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_CONN_ID = re.compile(r"[\w.-]+")
LOG_ARCHIVE_ALIAS = AssetAlias("ob_log_archive")
"""Updated whenever log backup of any cluster has been proven."""
COMPLIANCE_ALIAS = AssetAlias("ob_archive_compliance")
"""Updated by each compliance check of any cluster."""


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
