"""One side of the benchmark ``compliance``, in a process of its own.

``python -m benchmarks.compliance_sides {check|read|by_hand} port`` prints one line of JSON: seconds, MB of memory that
it has taken at its peak, and the windows that it has found.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pymysql  # noqa: F401 - both sides have their driver before they begin

Windows = dict[int, list[tuple[int, int]]]
"""By tenant; microseconds since 1970."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _check(port: int) -> tuple[Callable[[], Any], Callable[[Any], Windows]]:
    """The whole check: all rules, and the report."""
    from airflow_ob_provider.compliance.check import check
    from airflow_ob_provider.oceanbase.compliance.policy import Policy

    hook = _hook(port)

    def windows(made: Any) -> Windows:
        assert made.error is None
        return {
            one["obTenantId"]: [
                (
                    _microseconds(datetime.fromisoformat(window["from"])),
                    _microseconds(datetime.fromisoformat(window["to"])),
                )
                for window in one["windows"]
            ]
            for one in made.report["tenants"]
        }

    return lambda: check(hook, Policy()), windows


def _read(port: int) -> tuple[Callable[[], Any], Callable[[Any], Windows]]:
    """What can be restored of each tenant, and what the rules judge."""
    from airflow_ob_provider.compliance.check import read

    hook = _hook(port)

    def windows(found: Any) -> Windows:
        return {
            one.tenant.tenant_id: [(_microseconds(w.start), _microseconds(w.end)) for w in one.recovery.windows]
            for one in found[0].tenants
        }

    return lambda: read(hook), windows


def _by_hand(port: int) -> tuple[Callable[[], Any], Callable[[Any], Windows]]:
    from benchmarks.select_all import recoverable

    def windows(found: Any) -> Windows:
        return {
            tenant: [(first // 1000, last // 1000) for first, last in spans] for tenant, spans in sorted(found.items())
        }

    return lambda: recoverable(port), windows


def _hook(port: int) -> Any:
    from airflow_ob_provider.hooks.oceanbase import OceanBaseHook

    patient = {"read_timeout": 300, "query_timeout": 300}  # the simulator takes its time, as the script's server may
    place = {"conn_type": "oceanbase", "host": "127.0.0.1", "port": port, "login": "root@sys", "extra": patient}
    os.environ["AIRFLOW_CONN_OCEANBASE_DEFAULT"] = json.dumps(place)
    hook = OceanBaseHook()
    hook.settings.driver  # noqa: B018 - Airflow has looked its connection up, which no check is slow by
    return hook


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


SIDES = {"check": _check, "read": _read, "by_hand": _by_hand}


def main(side: str, port: int) -> None:
    """Measure one."""
    action, windows = SIDES[side](port)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _kilobytes("VmRSS")
    began = time.perf_counter()
    found = action()
    seconds = time.perf_counter() - began
    peak = (_kilobytes("VmHWM") - before) / 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak, "windows": sorted(windows(found).items())}))


def _kilobytes(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
