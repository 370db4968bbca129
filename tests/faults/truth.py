"""What is true of a simulated cluster, by its own record and never by what the product says.

Each check gives the reason why a success would be none, '' if it is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from airflow_ob_provider.sandbox import Sandbox
from airflow_ob_provider.sandbox.v4.scn import to_time
from tests.unit.operators.harness4 import archive_of

UP = {"PREPARE", "BEGINNING", "DOING"}


def is_v3(box: Sandbox) -> bool:
    return box._cluster.build.name[0] in "23"


def tenants(box: Sandbox) -> list[str]:
    return [tenant.name for tenant in box._cluster.user_tenants if is_v3(box) or tenant.normal]


def states(box: Sandbox, names: Iterable[str] = ()) -> dict[str, str]:
    """STATUS of the cluster (3.x) and of each user tenant (or the named ones); '' where there is no row."""
    chosen = list(names) or tenants(box)
    if not is_v3(box):
        return {name: archive_of(box, name).status for name in chosen}
    archive = box._cluster.archive
    rows = {tenant.name: archive.tenants.get(tenant.tenant_id) for tenant in box._cluster.user_tenants}
    return {"sys": archive.sys.status} | {name: row.status if (row := rows.get(name)) else "" for name in chosen}


def rounds(box: Sandbox) -> dict[str, int]:
    """The number of the round of the cluster (3.x), or of each user tenant."""
    if is_v3(box):
        return {"cluster": box._cluster.archive.sys.round_id}
    found = {name: archive_of(box, name).round for name in tenants(box)}
    return {name: each.round_id if each else 0 for name, each in found.items()}


def doing(box: Sandbox, names: Iterable[str] = ()) -> str:
    """Log backup archives, everywhere."""
    wrong = {name: state for name, state in states(box, names).items() if state != "DOING"}
    return f"not DOING: {wrong}" if wrong else ""


def on_its_way(box: Sandbox, names: Iterable[str] = ()) -> str:
    """Log backup archives, or nothing but time lacks for it: what a start answers for."""
    found = states(box, names)
    if is_v3(box):
        return "" if found["sys"] in UP else f"not running: {found}"
    wrong = {name: state for name, state in found.items() if state not in UP and not _coming(box, name)}
    return f"not running: {wrong}" if wrong else ""


def _coming(box: Sandbox, name: str) -> bool:
    """4.1+: the mode and the destination are on, and the scheduler has not done its part yet."""
    archive = archive_of(box, name)
    ready = box._cluster.profile.log_mode and archive.tenant.log_mode and archive.destination.enabled
    return bool(ready and archive.destination.place and archive.status in {"", "STOP", "SUSPENDING", "SUSPEND"})


def stopped(box: Sandbox, names: Iterable[str] = ()) -> str:
    """No round, and nothing that starts one."""
    found = states(box, names)
    if is_v3(box):
        return "" if found["sys"] == "STOP" else f"not STOP: {found}"
    on = box._cluster.profile.log_mode
    wrong = {n: s for n, s in found.items() if s not in {"", "STOP"} or (on and archive_of(box, n).tenant.log_mode)}
    return f"not STOP: {wrong}" if wrong else ""


def archived_up_to(box: Sandbox, moment: datetime, names: Iterable[str] = ()) -> str:
    """The checkpoint of every tenant has reached a moment (the cluster's local time)."""
    late = {name: at for name, at in _checkpoints(box, list(names) or tenants(box)).items() if not at or at < moment}
    return f"not archived up to {moment}: {late}" if late else ""


def _checkpoints(box: Sandbox, names: list[str]) -> dict[str, datetime | None]:
    if not is_v3(box):
        found = {name: archive_of(box, name).round for name in names}
        return {name: to_time(each.checkpoint_scn) if each else None for name, each in found.items()}
    rows = box._cluster.archive.tenants
    ids = {tenant.name: tenant.tenant_id for tenant in box._cluster.user_tenants}
    return {name: rows[ids[name]].next if ids.get(name) in rows else None for name in names}


def pieces(box: Sandbox, status: str) -> str:
    """The newest piece of every tenant has this status, and its files are there."""
    newest = _newest_pieces(box)
    wrong = {n: (p.status, p.file_status) if p else None for n, p in newest.items()
             if p is None or (p.status, p.file_status) != (status, "AVAILABLE")}  # fmt: skip
    return f"pieces not {status} and AVAILABLE: {wrong}" if wrong else ""


def _newest_pieces(box: Sandbox) -> dict[str, Any]:
    if is_v3(box):
        archive = box._cluster.archive
        found = archive.pieces.of_round(archive.sys.round_id)
        return {t.name: next((p for p in reversed(found) if p.tenant_id == t.tenant_id), None)
                for t in box._cluster.user_tenants}  # fmt: skip
    each = {name: archive_of(box, name).round for name in tenants(box)}
    return {name: found.pieces[-1] if found and found.pieces else None for name, found in each.items()}


def on_disk(box: Sandbox) -> str:
    """What a freeze has frozen is on disk."""
    freezer = box._cluster.freezer
    left = [m for m in freezer.memtables if not m.active] if is_v3(box) else freezer.running
    return f"{len(left)} memtables are not on disk" if left else ""


def backed_up_once(box: Sandbox, result: dict[str, Any]) -> str:
    """There has ever been one data backup, and it has left every tenant the set that the result tells of."""
    if is_v3(box):
        found = {each.key: {part.tenant_id for part in each.tenants} for each in box._cluster.backup.sets
                 if (each.status, each.file_status) == ("SUCCESS", "AVAILABLE")}  # fmt: skip
        jobs = len(box._cluster.backup.sets)
        ids = {tenant.name: tenant.tenant_id for tenant in box._cluster.user_tenants}
        good = {name: number for name, number in result["sets"].items() if ids[name] in found.get(number, ())}
    else:
        parents = box._cluster.backups[1]
        jobs = len(parents.jobs) + len(parents.job_history)
        sets = {name: box._cluster.backups[archive_of(box, name).tenant.tenant_id].sets for name in tenants(box)}
        good = {name: each.set_id for name, several in sets.items() for each in several
                if (each.status, each.file_status) == ("SUCCESS", "AVAILABLE")}  # fmt: skip
    if jobs != 1:
        return f"there were {jobs} data backups"
    return "" if good == result["sets"] and set(good) == set(tenants(box)) else f"the sets are {good}"


def setting(box: Sandbox, name: str, *parts: str) -> str:
    """Every server (3.x) or every tenant (4.x, a part of its destination) shows what was wanted."""
    if is_v3(box):
        alive = set(range(len(box._cluster.servers))) - box.faults.dead_servers  # it catches up when it is back
        shown = {f"server {index}": box.parameters[name, index] for index in alive}
    else:
        shown = {tenant: archive_of(box, tenant).destination.rows.get(name, "") for tenant in tenants(box)}
    wrong = {n: v for n, v in shown.items() if not all(part.format(tenant=n).lower() in v.lower() for part in parts)}
    return f"{name} is {wrong}" if wrong else ""
