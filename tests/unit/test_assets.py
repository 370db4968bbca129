"""Assets: one a connection, and a URI that can hold no login."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from airflow.sdk import Asset, AssetAlias

from airflow_ob_provider.assets.oceanbase import LOG_ARCHIVE_ALIAS, log_archive_asset, sanitize_uri


@pytest.mark.parametrize("conn_id", ["oceanbase_default", "ob-prod.1", "OB", "备份"])
def test_the_asset_of_a_connection(conn_id: str) -> None:
    asset = log_archive_asset(conn_id)
    assert isinstance(asset, Asset)
    assert asset.uri == f"oceanbase://{conn_id}/log-archive"
    assert asset == log_archive_asset(conn_id)
    assert sanitize_uri(urlsplit(asset.uri)) == urlsplit(asset.uri)


@pytest.mark.parametrize("conn_id", ["", "a/b", "root@sys", "a b", "a?x=1", "a#b", "a:b", "a\n", "{{ conn }}"])
def test_ids_that_no_uri_can_hold(conn_id: str) -> None:
    with pytest.raises(ValueError, match=r"oceanbase_conn_id .* may hold letters, digits, '_', '-' and '.' only"):
        log_archive_asset(conn_id)


def test_two_connections_are_two_assets() -> None:
    assert log_archive_asset("ob_1") != log_archive_asset("ob_2")


def test_the_alias() -> None:
    assert isinstance(LOG_ARCHIVE_ALIAS, AssetAlias)
    assert LOG_ARCHIVE_ALIAS.name == "ob_log_archive"


@pytest.mark.parametrize(
    "uri",
    [
        "oceanbase:///log-archive",
        "oceanbase://ob",
        "oceanbase://ob/",
        "oceanbase://ob//",
        "oceanbase://root:secret@ob/log-archive",
        "oceanbase://root@ob/log-archive",
        "oceanbase://ob/log-archive?access_key=secret",
        "oceanbase://ob/log-archive#secret",
    ],
)
def test_other_uris_are_refused_without_being_shown(uri: str) -> None:
    with pytest.raises(ValueError, match="an OceanBase asset is oceanbase://<connection id>/<what>") as caught:
        sanitize_uri(urlsplit(uri))
    assert "secret" not in str(caught.value)


def test_airflow_asks_before_it_makes_an_asset() -> None:
    """Through the provider description, for every asset of this scheme in any DAG."""
    with pytest.raises(ValueError, match="without a login or parameters"):
        Asset("oceanbase://ob/log-archive?x=1")
