"""A simulator of the ``sys`` tenant of an OceanBase 3.x cluster, over the real MySQL protocol.

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
