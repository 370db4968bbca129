"""SANDBOX statements: the faults, the record and the clock for a test in another process. Not recorded.

``SANDBOX SET <fault> = <value>`` (JSON or a bare word), ``SANDBOX RESET FAULTS``, ``SANDBOX SHOW FAULTS``,
``SANDBOX SHOW STATEMENTS``, ``SANDBOX CLEAR STATEMENTS``, ``SANDBOX ADVANCE <seconds>``,
``SANDBOX FORCE <status>``; 4.x also ``SANDBOX FORCE <status> <tenant>``, ``SANDBOX INTERRUPT <tenant> [<log stream>]``
and ``SANDBOX TENANT <tenant> <JSON>`` (see :meth:`.box.Sandbox.set_tenant`). ``SANDBOX HISTORY <name> <JSON>``
is what :class:`.history.History` has under that name, with an object of its arguments, or a list of the first ones, and
ISO texts for times: ``SANDBOX HISTORY round {"round_id": 1, "start": "2024-06-01 08:00:00"}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from .cluster import BaseCluster
from .engine import Column, Result
from .errors import ServerError, syntax_error
from .history import History
from .topology import Tenant, User
from .world import World


def sandbox_statement(sql: str, world: World, tenant: Tenant, user: User) -> Result | None:
    """Run one; only root of the sys tenant may."""
    if not tenant.is_sys or user.name != "root":
        raise ServerError(1227)
    text = sql.strip().rstrip(";").strip()
    match = re.fullmatch(r"SANDBOX\s+SET\s+(\w+)\s*=\s*(.*)", text, re.IGNORECASE | re.DOTALL)
    if match:
        _set(world, match[1], match[2].strip())
        return None
    match = re.fullmatch(r"SANDBOX\s+ADVANCE\s+(\d+(?:\.\d+)?)", text, re.IGNORECASE)
    if match:
        world.advance(float(match[1]))
        return None
    match = re.fullmatch(r"SANDBOX\s+FORCE\s+'?(\w+)'?(?:\s+'?([\w$]+)'?)?", text, re.IGNORECASE)
    if match:
        with _refusing(world) as cluster:
            cluster.force_status(match[1].upper(), match[2])
        return None
    match = re.fullmatch(r"SANDBOX\s+INTERRUPT\s+'?([\w$]+)'?(?:\s+(\d+))?", text, re.IGNORECASE)
    if match:
        with _refusing(world) as cluster:
            cluster.interrupt(match[1], int(match[2] or 1001))
        return None
    match = re.fullmatch(r"SANDBOX\s+TENANT\s+'?([\w$]+)'?\s+'?(\{.*\})'?", text, re.IGNORECASE | re.DOTALL)
    if match:
        with _refusing(world) as cluster:
            cluster.set_tenant(match[1], **json.loads(match[2]))
        return None
    match = re.fullmatch(r"SANDBOX\s+HISTORY\s+(\w+)(?:\s+'?([\[{].*[\]}])'?)?", text, re.IGNORECASE | re.DOTALL)
    if match:
        with _refusing(world):
            History(world).run(match[1].lower(), json.loads(match[2] or "{}"))
        return None
    words = tuple(text.upper().split())
    if words == ("SANDBOX", "SHOW", "FAULTS"):
        return _faults(world)
    if words == ("SANDBOX", "SHOW", "STATEMENTS"):
        return _statements(world)
    if words == ("SANDBOX", "RESET", "FAULTS"):
        world.cluster.faults.reset()
    elif words == ("SANDBOX", "CLEAR", "STATEMENTS"):
        world.recorder.clear()
    else:
        raise syntax_error(sql)
    return None


@contextmanager
def _refusing(world: World) -> Iterator[BaseCluster]:
    """A back door of the cluster; what it can't do is 1210."""
    with world.locked() as cluster:
        try:
            yield cluster
        except ValueError as error:
            raise ServerError(1210, str(error)) from None


def _set(world: World, name: str, text: str) -> None:
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1].replace("''", "'").replace("\\\\", "\\")
    try:
        world.cluster.faults.set_text(name, text)
    except (AttributeError, TypeError, ValueError, KeyError, re.error) as error:
        raise ServerError(1210, f"Invalid fault: {error}") from None


def _faults(world: World) -> Result:
    faults = world.cluster.faults
    rows = [(name, faults.as_text(name)) for name in faults.names()]
    return Result([Column("fault", "varchar"), Column("value", "varchar")], rows)


def _statements(world: World) -> Result:
    kinds = {"seq": "bigint", "at": "timestamp", "connection_id": "bigint", "writes": "bigint", "sql": "longtext"}
    names = ("seq", "at", "user", "tenant", "connection_id", "sql", "writes", "outcome")
    rows = [
        (r.seq, f"{r.at:%Y-%m-%d %H:%M:%S.%f}", r.user, r.tenant, r.connection_id, r.sql, int(r.writes), r.outcome)
        for r in world.recorder.all()
    ]
    return Result([Column(name, kinds.get(name, "varchar")) for name in names], rows)
