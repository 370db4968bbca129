"""How many statements a second the simulator answers, how soon it is there, and what memory a large fleet takes."""

from __future__ import annotations

import itertools
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.figures import Benchmark, Figure, check
from benchmarks.simulated import Simulator, simulator, status_read

GENERATIONS = {"4.2.5": "4.x", "3.2.4": "3.x"}
TENANTS = 2
FLEET = 1000
_WHY = (
    "all connections share one interpreter and one core. A status read makes the rows of three or four views anew and "
    "joins them in SQLite each time, because the cluster lives on between two reads. One connection gets the most "
    "out of the interpreter; several also contend for it."
)
FEWEST_PER_SECOND = 2000.0
LONGEST_START = 1.0
MOST_MEGABYTES = 300.0
CONNECTIONS = 4
SHARE = 0.25
"""Seconds of a round; the median of several rounds counts."""
_EOF, _ERROR, _OK = 0xFE, 0xFF, 0x00


class RawClient:
    """A client that costs next to nothing: it sends bytes made before, and only finds where the answer ends.

    PyMySQL logs in, and takes no part from then on.
    """

    def __init__(self, connection: Any, statements: Sequence[str]) -> None:
        self._connection = connection
        self._socket: socket.socket = connection._sock
        texts = [b"\x03" + statement.encode() for statement in statements]
        self._packets = [len(text).to_bytes(3, "little") + b"\0" + text for text in texts]
        self.answered = 0

    def run(self, until: float) -> None:
        """One statement after the other, until that moment of the monotonic clock."""
        for packet in itertools.cycle(self._packets):
            self._socket.sendall(packet)
            self._read_answer()
            self.answered += 1
            if time.monotonic() >= until:
                break

    def _read_answer(self) -> None:
        data, place, ends = b"", 0, 0
        while ends < 2:  # one after the columns, one after the rows
            while len(data) < place + 5:
                data += self._socket.recv(1 << 16)
            length, mark = int.from_bytes(data[place : place + 3], "little"), data[place + 4]
            if place == 0:
                check(mark != _ERROR, f"the simulator answers {data[13:]!r}")
                if mark == _OK:
                    return
            ends += mark == _EOF and length < 9
            place += 4 + length
        while len(data) < place:
            data += self._socket.recv(1 << 16)


def measure(quick: bool) -> Iterator[Figure]:
    """Throughput of each kind of statement, then start and memory."""
    rounds, seconds = (1, 0.05) if quick else (9, SHARE)
    for profile, generation in GENERATIONS.items():
        with simulator(profile, tenants=TENANTS) as box:
            box.send("SANDBOX FORCE DOING")
            for what, statements in _statements(box, generation).items():
                for connections in (1, CONNECTIONS):
                    rate = statistics.median(_rate(box, statements, connections, seconds) for _ in range(rounds))
                    yield Figure(
                        what=f"{generation}: {what}, {connections} connection{'s' if connections > 1 else ''}",
                        ours=rate,
                        unit="statements/s",
                        more_is_better=True,
                        at_least=FEWEST_PER_SECOND,
                        note=_WHY if rate < FEWEST_PER_SECOND else "",
                    )
    yield from _size(TENANTS, runs=1 if quick else 5)
    yield from _size(50 if quick else FLEET, runs=1 if quick else 3)


def _statements(box: Simulator, generation: str) -> dict[str, Sequence[str]]:
    with box.connect() as connection:
        kinds: dict[str, Sequence[str]] = {
            "SELECT 1": ["SELECT 1"],
            f"status read of {TENANTS} tenants": [status_read(connection, TENANTS)],
        }
    if generation == "4.x":
        kinds["ALTER SYSTEM SET"] = [f"ALTER SYSTEM SET freeze_trigger_percentage = {n}" for n in (30, 40)]
    else:
        options = ("optional", "mandatory")
        kinds["ALTER SYSTEM SET"] = [f"ALTER SYSTEM SET backup_log_archive_option = '{word}'" for word in options]
    return kinds


def _rate(box: Simulator, statements: Sequence[str], connections: int, seconds: float) -> float:
    """Statements a second of all connections; the record of the simulator says the same number."""
    with ExitStack() as stack:
        clients = [RawClient(stack.enter_context(box.connect()), statements) for _ in range(connections)]
        box.send("SANDBOX CLEAR STATEMENTS")
        began = time.monotonic()
        threads = [threading.Thread(target=client.run, args=(began + seconds,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
    answered = sum(client.answered for client in clients)
    recorded = Counter(row["outcome"] for row in box.recorded() if row["sql"] in statements)
    check(recorded == {"OK": answered}, f"{answered} answers were read, and the simulator recorded {recorded}")
    return answered / took


def _size(tenants: int, runs: int) -> Iterator[Figure]:
    starts = []
    for _ in range(runs):
        with simulator("4.2.5", tenants=tenants) as box:
            starts.append(box.started)
            before = box.megabytes
            box.send("SANDBOX FORCE DOING")
            with box.connect() as connection:
                status_read(connection, tenants)
            after = box.megabytes
    of = f"{tenants:,} tenants"
    yield Figure(what=f"4.2.5: process start until it listens, {of}", ours=min(starts), unit="s", at_most=LONGEST_START)
    yield Figure(what=f"4.2.5: memory after start, {of}", ours=before, unit="MB", at_most=MOST_MEGABYTES)
    yield Figure(what=f"4.2.5: memory after reads of all, {of}", ours=after, unit="MB", at_most=MOST_MEGABYTES)


BENCHMARK = Benchmark(
    title="The simulator: statements a second, start, memory",
    baseline="none. The client is a raw socket in another process, so it is the simulator that is measured.",
    measure=measure,
)
