"""Who may see what: Airflow's own authentication, and its permission to read DAGs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends


def readable_dags(user: GetUserDep) -> frozenset[str]:
    """The DAGs that the user of a request may read. Without a valid login Airflow answers 401 or 403."""
    return frozenset(get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))


ReadableDags = Annotated[frozenset[str], Depends(readable_dags)]


def may_see(run: Any, dags: frozenset[str]) -> bool:
    """Whether what a run has stored may be seen: its DAG may be read. What names no run is for nobody."""
    return isinstance(run, Mapping) and str(run.get("dag_id")) in dags
