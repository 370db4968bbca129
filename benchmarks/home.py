"""An Airflow of a benchmark's own: a home that vanishes, connections from the environment, no database.

Nothing of Airflow may be imported before :func:`airflow_home` is entered, so benchmarks import what needs it inside.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


@contextmanager
def airflow_home() -> Iterator[Path]:
    """For the rest of this process: whoever runs the benchmark has an Airflow of his own, which is never read."""
    with TemporaryDirectory(prefix="airflow-ob-provider-bench-") as home:
        for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
            del os.environ[name]
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
        yield Path(home)


def add_connection(conn_id: str, connection: Mapping[str, Any], **changes: Any) -> str:
    """Make a connection known to Airflow under an id."""
    os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps({**connection, **changes})
    return conn_id
