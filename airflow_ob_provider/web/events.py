"""Runs that have done something to a cluster, by the asset events that Airflow keeps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from airflow.models.asset import AssetEvent, AssetModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from airflow_ob_provider.assets.oceanbase import connection_of, data_backup_asset, log_archive_asset


@dataclass(frozen=True)
class Done:
    """The newest event of one kind, and the run that has made it."""

    kind: str
    """``log_archive`` (it was proven) or ``data_backup`` (it can be restored)."""
    at: datetime
    dag_id: str
    run_id: str


def last_done(session: Session, conn_id: str, dags: Iterable[str]) -> list[Done]:
    """The newest event of each kind that a DAG of ``dags`` has made for a cluster."""
    found = []
    for kind, asset in (("log_archive", log_archive_asset(conn_id)), ("data_backup", data_backup_asset(conn_id))):
        newest = session.execute(
            select(AssetEvent.timestamp, AssetEvent.source_dag_id, AssetEvent.source_run_id)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .where(AssetModel.uri == asset.uri, AssetEvent.source_dag_id.in_(list(dags)))
            .order_by(AssetEvent.id.desc())
            .limit(1)
        ).first()
        if newest:
            at, dag_id, run_id = newest
            found.append(Done(kind, at, str(dag_id), str(run_id)))
    return found


def connections_of_run(session: Session, dag_id: str, run_id: str) -> list[str]:
    """The connections of the clusters that a run has told something of, in order."""
    uris = session.scalars(
        select(AssetModel.uri)
        .join(AssetEvent, AssetModel.id == AssetEvent.asset_id)
        .where(AssetEvent.source_dag_id == dag_id, AssetEvent.source_run_id == run_id)
        .distinct()
    )
    return sorted({conn_id for uri in uris if (conn_id := connection_of(uri))})
