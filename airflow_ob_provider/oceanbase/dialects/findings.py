"""How prerequisites are checked, and the checks that all generations share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from airflow_ob_provider.oceanbase.errors import Kind, ServerError
from airflow_ob_provider.oceanbase.models import Finding, Identity, Level, Server
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.words import few

Check = tuple[str, Callable[[], Finding]]

NOT_VISIBLE = "that it is mounted and writable on every OBServer cannot be seen in SQL: only the start proves it"


class _Asked(Protocol):
    def identity(self) -> Identity: ...
    def servers(self) -> tuple[Server, ...]: ...


def run(checks: Iterable[Check]) -> tuple[Finding, ...]:
    """Every check; one that cannot be read is UNKNOWN and does not hide the others. A lost connection ends all."""
    return tuple(_guarded(name, check) for name, check in checks)


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ServerError as error:
        if error.fact.kind is Kind.TRANSIENT:
            raise
        return Finding(name, Level.UNKNOWN, f"[{error.errno}] {error.message}", "an answer", error.fact.hint)
    except (UnreadableError, ValueError) as error:
        return Finding(name, Level.UNKNOWN, redact(str(error)), "an answer that can be read")


def privilege(dialect: _Asked, *, administrator: str) -> Finding:
    """ALTER SYSTEM."""
    return privilege_of(dialect.identity(), administrator=administrator)


def privilege_of(identity: Identity, *, administrator: str) -> Finding:
    """As :func:`privilege`, of what was read already."""
    expected = "ALTER SYSTEM on *.* and SELECT on oceanbase.*"
    if not identity.grants:
        return Finding("privilege", Level.UNKNOWN, "SHOW GRANTS gave no answer", expected)
    if identity.may_alter:
        return Finding("privilege", Level.OK, f"{identity.account} may ALTER SYSTEM", expected)
    return Finding(
        "privilege",
        Level.FAIL,
        redact("; ".join(identity.grants)),
        expected,
        f"As {administrator}: GRANT ALTER SYSTEM ON *.* TO {identity.account.partition('@')[0] or 'the account'}",
    )


def servers(dialect: _Asked, *, running: Callable[[], bool]) -> Finding:
    """Every OBServer serves.

    A dead one does not interrupt a round that runs; whether it holds it up, the checkpoint shows.
    """
    found = dialect.servers()
    idle = [f"{server.address} ({server.zone}): {server.status}" for server in found if not server.active]
    observed = f"{len(found) - len(idle)} of {len(found)} active"
    if not found:
        return Finding("servers", Level.UNKNOWN, "no server listed", "every OBServer active")
    if idle:
        return Finding(
            "servers",
            Level.WARN if running() else Level.FAIL,
            f"{observed}; {few(idle, '; ')}",
            "every OBServer active",
            "Log backup needs every OBServer to report: bring it back, or remove it from the cluster.",
        )
    return Finding("servers", Level.OK, observed, "every OBServer active")
