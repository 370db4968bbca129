"""An auth manager whose users may read the DAGs that their names list."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser


class ReadersAuthManager(SimpleAuthManager):
    """Of user ``a+b``: the DAGs ``a`` and ``b``."""

    def filter_authorized_dag_ids(self, *, dag_ids: set[str], user: SimpleAuthManagerUser, **_: Any) -> set[str]:
        """Those that its name lists."""
        return dag_ids & set(user.username.split("+"))
