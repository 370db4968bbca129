from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest

from airflow_ob_provider.sandbox import Sandbox

STATUS = "SELECT * FROM CDB_OB_BACKUP_ARCHIVELOG ORDER BY TENANT_ID"
DEST = "file:///data/nfs/backup"


class Client:
    """A PyMySQL connection to a sandbox, with the answers tests compare."""

    def __init__(
        self, box: Sandbox, login: str = "root@sys", database: str | None = "oceanbase", **options: Any
    ) -> None:
        self.box = box
        self.connection = pymysql.connect(
            host=box.host, port=box.port, user=login, database=database, autocommit=None, **options
        )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def tuples(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def value(self, sql: str) -> Any:
        return self.tuples(sql)[0][0]

    def do(self, sql: str) -> int:
        with self.connection.cursor() as cursor:
            return int(cursor.execute(sql))

    def error(self, sql: str) -> tuple[int, str]:
        """(errno, text) of a statement that must fail."""
        with pytest.raises(pymysql.MySQLError) as caught:
            self.do(sql)
        return caught.value.args[0], caught.value.args[1]

    def statuses(self) -> dict[int, str]:
        return {row["TENANT_ID"]: row["STATUS"] for row in self.rows(STATUS)}

    def start(self) -> None:
        """Set a destination where there is none, start archiving, wait for DOING."""
        if not self.box.parameters["backup_dest"]:
            self.box.parameters["backup_dest"] = DEST
        self.do("ALTER SYSTEM ARCHIVELOG")
        self.box.advance(30)
        assert set(self.statuses().values()) == {"DOING"}

    def stop(self) -> None:
        self.do("ALTER SYSTEM NOARCHIVELOG")
        self.box.advance(30)
        assert self.statuses() == {1: "STOP"}


@pytest.fixture
def make_box() -> Iterator[Callable[..., Sandbox]]:
    """Started sandboxes with a manual clock unless told otherwise; stopped at the end."""
    boxes: list[Sandbox] = []

    def make(profile: str = "3.1.5", **options: Any) -> Sandbox:
        options.setdefault("manual_clock", "speed" not in options)
        boxes.append(Sandbox(profile, **options).start())
        return boxes[-1]

    yield make
    for box in boxes:
        box.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Clients that are closed at the end."""
    clients: list[Client] = []

    def make(box: Sandbox, *arguments: Any, **options: Any) -> Client:
        clients.append(Client(box, *arguments, **options))
        return clients[-1]

    yield make
    for client in clients:
        if client.connection.open:
            client.connection.close()


@pytest.fixture
def box(make_box: Callable[..., Sandbox]) -> Sandbox:
    return make_box()


@pytest.fixture
def client(box: Sandbox, connect: Callable[..., Client]) -> Client:
    return connect(box)
