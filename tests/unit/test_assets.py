"""Assets: one a connection, and a URI that can hold no login."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk import DAG, Asset, AssetAlias
from airflow.serialization.serialized_objects import DagSerialization

from airflow_ob_provider.assets.oceanbase import (
    LOG_ARCHIVE_ALIAS,
    archive_watch_asset,
    compliance_asset,
    connections_of,
    data_backup_asset,
    log_archive_asset,
    sanitize_uri,
)
from airflow_ob_provider.triggers.watch import ArchiveWatchTrigger


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


# --- the asset of a watch ---------------------------------------------------------------------------------------------


def test_the_asset_of_a_watch() -> None:
    asset = archive_watch_asset("ob_1", tenants=("shop",), poll_interval=60, max_lag=120)
    assert asset.uri == "oceanbase://ob_1/log-archive/watch"
    (watcher,) = asset.watchers
    trigger = watcher.trigger
    assert isinstance(trigger, ArchiveWatchTrigger)
    assert trigger.serialize()[1] == {
        **ArchiveWatchTrigger().serialize()[1],
        "oceanbase_conn_id": "ob_1",
        "tenants": ["shop"],
        "poll_interval": 60.0,
        "max_lag": 120.0,
    }
    assert asset == archive_watch_asset("ob_1", tenants=("shop",), poll_interval=60, max_lag=120)
    assert hash(asset) == hash(archive_watch_asset("ob_1"))


def test_a_dag_on_a_watch() -> None:
    """As the scheduler gets it."""
    with DAG("recovery", schedule=archive_watch_asset("ob_1") | log_archive_asset("ob_1")) as dag:
        pass
    data = json.dumps(DagSerialization.to_dict(dag))
    assert "airflow_ob_provider.triggers.watch.ArchiveWatchTrigger" in data
    assert "oceanbase://ob_1/log-archive/watch" in data


def test_the_second_watch_of_a_connection_has_a_name() -> None:
    assert archive_watch_asset("ob_1", name="strict", max_lag=60).uri == "oceanbase://ob_1/log-archive/watch/strict"
    for name in ("a/b", "a b", "x?y"):
        with pytest.raises(ValueError, match=r"name .* may hold letters"):
            archive_watch_asset("ob_1", name=name)
    with pytest.raises(ValueError, match=r"oceanbase_conn_id .* may hold letters"):
        archive_watch_asset("a/b")


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"max_lag": -1}, ValueError, "max_lag must be a number of seconds"),
        ({"hysteresis": "900"}, ValueError, "hysteresis must be a number of seconds"),
        ({"poll_interval": 0.5}, ValueError, "poll_interval must be a number of seconds from 1"),
        ({"poll_interval": None}, ValueError, "poll_interval must be a number of seconds from 1"),
        ({"tenants": "shop"}, ValueError, "tenants must be a list of names, not 'shop'"),
        ({"tenants": ["shop", ""]}, ValueError, "tenants must be a list of names"),
        ({"tenants": [1001]}, ValueError, "tenants must be a list of names"),
        ({"max_lagg": 60}, TypeError, "max_lagg"),
    ],
    ids=str,
)
def test_a_watch_that_cannot_be_meant(arguments: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        archive_watch_asset("ob_1", **arguments)


def test_a_dag_that_watches_nothing_imports_no_trigger_and_one_that_watches_no_driver() -> None:
    """Every DAG file is parsed in a process of its own."""
    code = (
        "import sys; from airflow_ob_provider.assets.oceanbase import archive_watch_asset as asset\n"
        "def found(word): return any(one.startswith('airflow_ob_provider.' + word) for one in sys.modules)\n"
        "print(found('triggers'), found('oceanbase.'), end=' ')\n"
        "asset('ob_1'); print(found('triggers.watch'), found('hooks'), found('triggers.poller'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": "."}
    )
    assert done.stdout.split()[-5:] == ["False", "False", "True", "False", "False"], done.stdout


def test_the_connections_of_a_run_are_those_of_its_assets() -> None:
    events = {
        log_archive_asset("one"): [],
        AssetAlias("ob_log_archive"): [],
        data_backup_asset("two"): [],
        compliance_asset("one", compliant=True): [],
        Asset("s3://bucket/else"): [],
    }
    assert connections_of(events) == ["one", "two"]


def test_a_run_that_no_asset_has_started_has_no_connections() -> None:
    assert connections_of(None) == []
    assert connections_of({}) == []
