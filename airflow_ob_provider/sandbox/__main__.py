"""``python -m airflow_ob_provider.sandbox``: a sandbox until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from collections.abc import Sequence

from .box import Sandbox
from .profiles import PROFILES


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m airflow_ob_provider.sandbox", description=__doc__)
    parser.add_argument("--profile", choices=tuple(PROFILES), default="3.2.4")
    parser.add_argument("--tenants", type=int, default=2, help="number of user tenants")
    parser.add_argument("--servers", type=int, default=3, help="number of OBServers")
    parser.add_argument("--port", type=int, default=2881, help="0 takes a free port")
    parser.add_argument("--speed", type=float, default=1.0, help="times real time")
    parser.add_argument("--tick-seconds", type=float, help="4.x: pause of the archive schedulers, not the build's own")
    parser.add_argument("--engine", choices=("sqlite", "kernel"), default="sqlite", help="what runs SELECTs")
    parser.add_argument("--proxy", action="store_true", help="behave like an OBProxy")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Sandbox(
        options.profile,
        tenants=options.tenants,
        servers=options.servers,
        port=options.port,
        speed=options.speed,
        proxy=options.proxy,
        tick_seconds=options.tick_seconds,
        engine=options.engine,
    ) as box:
        login = box.connection()["login"]
        ready = f"sandbox ready: host={box.host} port={box.port} login={login} profile={options.profile}"
        print(ready, flush=True)  # noqa: T201 - the line a caller waits for
        stop.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
