"""Simulated clusters in a process of their own, so that what they cost is nobody else's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pymysql

from airflow_ob_provider.sandbox import Sandbox

_COMMENT = re.compile(r"/\*.*?\*/")


@dataclass(frozen=True)
class Cluster:
    """A simulated cluster, seen from outside."""

    connection: dict[str, Any]

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """What a DBA at the cluster's own prompt gets."""
        where = {"host": self.connection["host"], "port": self.connection["port"]}
        login = {"user": self.connection["login"], "password": self.connection["password"]}
        with closing(pymysql.connect(**where, **login)) as connection:
            cursor = connection.cursor(pymysql.cursors.DictCursor)
            cursor.execute(sql)
            return list(cursor.fetchall())

    def status(self) -> set[str]:
        """STATUS of log backup, of the cluster and every tenant."""
        return {row["STATUS"] for row in self.ask("SELECT STATUS FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG")}

    def writes(self) -> list[str]:
        """What has been written to the cluster, without comments."""
        told = [row["sql"] for row in self.ask("SANDBOX SHOW STATEMENTS") if row["writes"]]
        return [" ".join(_COMMENT.sub(" ", sql).split()) for sql in told]


@contextmanager
def clusters(count: int, prepare: Sequence[str] = (), **options: Any) -> Iterator[list[Cluster]]:
    """So many clusters, all alike; they end with the context.

    :param prepare: statements that are sent first, and are in no record.
    :param options: see :class:`~airflow_ob_provider.sandbox.Sandbox`.
    """
    command = [sys.executable, "-m", "benchmarks.clusters", str(count), json.dumps(options)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:
            found = [Cluster(one) for one in json.loads(process.stdout.readline())]
            for cluster in found:
                for sql in (*prepare, "SANDBOX CLEAR STATEMENTS"):
                    cluster.ask(sql)
            yield found


def _serve(count: int, options: dict[str, Any]) -> None:
    """Until the other end is closed, by hand or by the death of its process."""
    with ExitStack() as life:
        boxes = [life.enter_context(Sandbox(cluster=f"ob{number}", **options)) for number in range(count)]
        print(json.dumps([box.connection() for box in boxes]), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), json.loads(sys.argv[2]))
