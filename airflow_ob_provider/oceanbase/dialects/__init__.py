"""The only home of SQL text: one dialect for each generation of OceanBase."""

from __future__ import annotations

from airflow_ob_provider.oceanbase.dialects.base import Dialect, Query, Row, detect_version
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

__all__ = ["Dialect", "Query", "Row", "UnsupportedVersionError", "detect_version", "dialect_for"]


class UnsupportedVersionError(ValueError):
    """No dialect speaks this server's version."""


def dialect_for(version: OceanBaseVersion, query: Query) -> Dialect:
    """The dialect of ``version``, reading through ``query``.

    :raises UnsupportedVersionError: this release has none.
    """
    # Each process speaks to one generation, mostly, and a scheduler that parses DAG files to none.
    if version.major < 4:
        from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect

        return V3Dialect(version, query)
    if version.major == 4:
        from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect

        return V4Dialect(version, query)
    raise UnsupportedVersionError(
        f"OceanBase {version} is not supported by this release, which speaks 2.2.77 to 4.x; nothing was changed"
    )
