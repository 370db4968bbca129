"""The proxy itself: what each fault does to a client, and whether the server has the statement."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest

from airflow_ob_provider.sandbox import Sandbox
from tests.faults.proxy import BREAKING, LOGIN, Fault, FaultProxy, Kind, RandomFaults

WRITE = "ALTER SYSTEM ARCHIVELOG"


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(manual_clock=True) as sandbox:
        sandbox.parameters["backup_dest"] = "file:///data"
        yield sandbox


@pytest.fixture
def proxy(box: Sandbox) -> Iterator[FaultProxy]:
    made = FaultProxy(box.port)
    yield made
    made.close()


def send(proxy: FaultProxy, sql: str, read_timeout: float = 10.0) -> tuple[tuple[object, ...], ...]:
    connection = pymysql.connect(
        host="127.0.0.1", port=proxy.port, user="root@sys", read_timeout=read_timeout, connect_timeout=10
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("kind", list(Kind), ids=str)
def test_what_becomes_of_a_write(box: Sandbox, proxy: FaultProxy, kind: Kind) -> None:
    proxy.faults.append(Fault(kind, "ARCHIVELOG"))
    if kind in BREAKING:
        with pytest.raises(pymysql.OperationalError, match=r"Lost connection|reset by peer"):
            send(proxy, WRITE, 0.2 if kind is Kind.STALL else 10.0)
    else:
        send(proxy, WRITE)
    assert [entry.sql for entry in box.writes] == ([] if kind is Kind.DROP_BEFORE else [WRITE])
    assert [(passed.kind, passed.reached) for passed in proxy.struck] == [(kind, kind is not Kind.DROP_BEFORE)]
    send(proxy, "SELECT 1")


@pytest.mark.parametrize("kind", [kind for kind in BREAKING if kind is not Kind.STALL], ids=str)
def test_what_becomes_of_a_login(proxy: FaultProxy, kind: Kind) -> None:
    proxy.faults.append(Fault(kind, LOGIN))
    with pytest.raises(pymysql.OperationalError):
        send(proxy, "SELECT 1")
    assert send(proxy, "SELECT 1") == ((1,),)


def test_which_statement_it_strikes(proxy: FaultProxy) -> None:
    proxy.faults.append(Fault(Kind.RESET, "^SELECT", skip=1, after="^SELECT 1"))
    for number in (0, 1, 2):
        assert send(proxy, f"SELECT {number}") == ((number,),)
    with pytest.raises(pymysql.OperationalError):
        send(proxy, "SELECT 3")
    assert send(proxy, "SELECT 4") == ((4,),)


def test_chance_is_the_same_for_the_same_seed() -> None:
    def strikes(seed: int) -> list[Kind | None]:
        faults = RandomFaults(5, seed)
        return [faults.strikes("SELECT 1") for _ in range(200)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert 20 < sum(hit is not None for hit in strikes(1)) < 60


def test_an_answer_of_many_packets_comes_through(proxy: FaultProxy) -> None:
    assert len(send(proxy, "SELECT * FROM oceanbase.__all_virtual_sys_parameter_stat")) > 50
