"""What a call of the hook costs: connections, statements, and time over a bare driver."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, cycle, islice, permutations
from typing import Any

from airflow_ob_provider.oceanbase.statements import Statement
from benchmarks.figures import Benchmark, Figure, check
from benchmarks.home import add_connection, airflow_home
from benchmarks.simulated import Simulator, simulator, status_read

READS = 100
MOST_PERCENT = 20.0
GENERATIONS = {"4.2.5": "4.x", "3.2.4": "3.x"}
TENANTS = 2
DRIVER = "mysql-connector-python"
"""Of MySqlHook's two drivers the one that needs no system library."""


def measure(quick: bool) -> Iterator[Figure]:
    """Each generation on a simulator of its own."""
    with airflow_home():
        for profile, generation in GENERATIONS.items():
            with simulator(profile, tenants=TENANTS) as box:
                box.send("SANDBOX FORCE DOING")
                address = {"host": "127.0.0.1", "port": box.port, "login": "root@sys", "schema": "oceanbase"}
                add_connection("ours", address, conn_type="oceanbase")
                add_connection("theirs", address, conn_type="mysql", extra={"client": DRIVER})
                yield from _calls(box, generation, quick=quick)
                connections, rounds = (1, 6) if quick else (12, 120)
                yield from _reads(box, generation, connections, rounds)


def _calls(box: Simulator, generation: str, *, quick: bool) -> Iterator[Figure]:
    """One call, and :data:`READS` reads, each against as many ``get_records``."""
    from airflow.providers.mysql.hooks.mysql import MySqlHook

    from airflow_ob_provider.hooks.oceanbase import OceanBaseHook

    with box.connect() as connection:
        sql = status_read(connection, TENANTS)
    rows = TENANTS + (generation == "3.x")  # 3.x has a row of the cluster itself

    def ours(reads: int) -> None:
        with OceanBaseHook(oceanbase_conn_id="ours").session() as session:
            for _ in range(reads):
                found = session.dialect.archive()
                check([row.state.value for row in found.rows] == ["DOING"] * rows, f"log backup is {found.rows}")

    def theirs(reads: int) -> None:
        for _ in range(reads):
            found = MySqlHook(mysql_conn_id="theirs").get_records(sql)
            check(sum("DOING" in row for row in found) == rows, f"log backup is {found}")

    for reads in (1, 10 if quick else READS):
        runs = 1 if quick else 20 if reads == 1 else 5
        (mine, others), counts = _alternated([partial(ours, reads), partial(theirs, reads)], runs, box)
        what = f"{generation}: {reads} status read{'s' if reads > 1 else ''} in one session of the hook"
        (connections, statements), (their_connections, their_statements) = counts
        counted = f"{what}: connections"
        yield Figure(what=counted, ours=connections, unit="", baseline=their_connections, exactly=1)
        yield Figure(what=f"{what}: statements", ours=statements, unit="", baseline=their_statements)
        yield Figure(what=f"{what}: time", ours=mine * 1000, unit="ms", baseline=others * 1000)


def _alternated(
    actions: Sequence[Callable[[], None]], runs: int, box: Simulator
) -> tuple[list[float], list[tuple[int, int]]]:
    """Median seconds of each, and the connections and statements of its last run, counted by the server."""
    times: list[list[float]] = [[] for _ in actions]
    counts = []
    for action in actions:  # not timed: imports of drivers, translation of statements
        box.send("SANDBOX CLEAR STATEMENTS")
        action()
        recorded = box.recorded()
        counts.append((len({row["connection_id"] for row in recorded}), len(recorded)))
    for _ in range(runs):
        for action, taken in zip(actions, times, strict=True):
            began = time.perf_counter()
            action()
            taken.append(time.perf_counter() - began)
    return [statistics.median(taken) for taken in times], counts


def _reads(box: Simulator, generation: str, connections: int, rounds: int) -> Iterator[Figure]:
    """The same statement over PyMySQL alone and through each layer of the hook, each on a connection of its own.

    So many times a connection: which core a thread of the server is on favours one or another.
    """
    parts = [_reads_in_turns(box, rounds) for _ in range(connections)]
    bare, queried, modelled = (statistics.median(chain.from_iterable(one)) * 1e3 for one in zip(*parts, strict=True))
    for layer, ours in (("session.query, rows", queried), ("dialect.archive, models", modelled)):
        what = f"{generation}: a status read by {layer}"
        yield Figure(what=what, ours=ours, unit="ms", baseline=bare)
        percent = (ours / bare - 1) * 100
        note = _WHY.format((ours - bare) * 1000) if percent > MOST_PERCENT else ""
        yield Figure(what=f"{what}: over PyMySQL", ours=percent, unit="%", at_most=MOST_PERCENT, note=note)


def _reads_in_turns(box: Simulator, rounds: int) -> list[list[float]]:
    """Seconds of each read of PyMySQL, of the session and of the dialect."""
    from airflow_ob_provider.hooks.oceanbase import OceanBaseHook

    hook = OceanBaseHook(oceanbase_conn_id="ours")
    with hook.session() as session, hook.session() as other, box.connect() as plain:
        dialect = other.dialect
        dialect.archive()  # what a dialect asks once
        box.send("SANDBOX CLEAR STATEMENTS")
        dialect.archive()
        (sent,) = [row["sql"] for row in box.recorded()]
        statement = Statement.read(sent.rpartition("*/ ")[2])

        def raw() -> list[dict[str, Any]]:
            with plain.cursor() as cursor:
                cursor.execute(sent)
                return list(cursor.fetchall())

        expected = [{name.lower(): value for name, value in row.items()} for row in raw()]
        found = session.query(statement)
        check(_still(found) == _still(expected), f"{found} is not {expected}")
        box.send("SANDBOX CLEAR STATEMENTS")
        times = _in_turns([raw, partial(session.query, statement), dialect.archive], rounds)
        check(Counter(row["sql"] for row in box.recorded()) == {sent: 3 * rounds}, "not the same statement was sent")
    return times


def _in_turns(reads: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Seconds of each, so many times; every order of them comes again and again."""
    times: list[list[float]] = [[] for _ in reads]
    orders = cycle(permutations(range(len(reads))))
    for order in islice(orders, rounds):
        for place in order:
            began = time.perf_counter()
            reads[place]()
            times[place].append(time.perf_counter() - began)
    return times


def _still(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what moves from one read to the next."""
    return [{name: value for name, value in row.items() if name not in _MOVING} for row in rows]


_WHY = (
    "it takes {:.0f} µs more, for checked models of the rows and a look for secrets in them; the share is that large "
    "because the simulator answers in a fraction of a millisecond."
)
_MOVING = {"server_time", "checkpoint", "newest"}


BENCHMARK = Benchmark(
    title="Calls of the hook: connections, statements, time",
    baseline="`MySqlHook.get_records` with the statement of the status read, so one connection a call (driver "
    f"{DRIVER}). For a single read: PyMySQL with the very same statement on one connection, its rows as "
    "dictionaries (DictCursor) and nothing made of them. Taken in turns; medians.",
    measure=measure,
)
