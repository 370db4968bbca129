"""A simulator of OceanBase clusters, over the real MySQL protocol: 3.x (tenant ``sys``) and 4.x (every tenant).

    >>> from airflow_ob_provider.sandbox import Sandbox
    >>> with Sandbox(profile="3.1.5", manual_clock=True) as box:
    ...     box.connection()["login"]
    'root@sys'

For tests, demonstrations and DAG development without a cluster. It needs mysql-mimic and sqlglot (extra ``sandbox``).
"""

from __future__ import annotations

from .box import Sandbox
from .faults import Cut, Fail, Faults
from .recorder import Recorded

__all__ = ["Cut", "Fail", "Faults", "Recorded", "Sandbox"]
