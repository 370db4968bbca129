"""What must be true before log backup starts on 3.x, one finding each.

ARCHIVELOG itself checks the destination's presence, the cluster's role, the state and GTS, and answers with the
first fault only; it does not look at the destination, the servers or the clocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.destination import NO_CLUSTER_NAME, Destination
from airflow_ob_provider.oceanbase.dialects import findings, v3_settings
from airflow_ob_provider.oceanbase.models import ArchiveState, Finding, Level, Setting
from airflow_ob_provider.oceanbase.waits import RECOVERY
from airflow_ob_provider.oceanbase.words import few

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect

MAX_CLOCK_DEVIATION_US = 100_000
"""OceanBase's installation manual asks for clocks within 100 ms of each other."""

_GTS = {"1", "2", "GTS", "HA_GTS"}


class V3Prerequisites:
    """Runs every check; one that cannot be read is UNKNOWN and does not hide the others. A lost connection ends all."""

    def __init__(self, dialect: V3Dialect, destination: Destination | None, *, restart_interrupted: bool) -> None:
        self._dialect = dialect
        self._destination = destination
        self._restart_interrupted = restart_interrupted

    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order a DBA would look."""
        dialect = self._dialect
        return findings.run(
            (
                ("version", self._version),
                ("sys_tenant", self._sys_tenant),
                ("privilege", lambda: findings.privilege(dialect, administrator="root@sys")),
                ("servers", lambda: findings.servers(dialect, running=self._archives)),
                ("clocks", self._clocks),
                ("primary_cluster", self._primary),
                ("user_tenants", self._user_tenants),
                ("gts", self._gts),
                ("destination_set", self._destination_set),
                ("destination_legal", self._destination_legal),
                ("archive_state", self._archive_state),
            )
        )

    def _archives(self) -> bool:
        return any(row.state.is_running for row in self._dialect.archive().governing)

    def _version(self) -> Finding:
        version = self._dialect.version
        expected = "2.2.77 - 3.2.x, not 3.1.0"
        if version.archive_unusable:
            return Finding("version", Level.FAIL, str(version), expected, version.archive_unusable)
        return Finding("version", Level.OK, str(version), expected)

    def _sys_tenant(self) -> Finding:
        tenant = self._dialect.identity().tenant
        if not tenant:
            return Finding("sys_tenant", Level.UNKNOWN, "SHOW TENANT gave no answer", "sys")
        if tenant != "sys":
            return Finding("sys_tenant", Level.FAIL, tenant, "sys", "Log in as <user>@sys; 3.x archives from there.")
        return Finding("sys_tenant", Level.OK, tenant, "sys")

    def _clocks(self) -> Finding:
        expected = f"SYNC, within {MAX_CLOCK_DEVIATION_US // 1000} ms"
        clocks = self._dialect.clock_deviations()
        if not clocks:
            return Finding("clocks", Level.UNKNOWN, "no server listed", expected)
        off = [
            f"{address} {deviation / 1000:g} ms {status}"
            for address, (deviation, status) in clocks.items()
            if status.upper() != "SYNC" or abs(deviation) > MAX_CLOCK_DEVIATION_US
        ]
        if off:
            hint = "Repair NTP or chrony: clock skew can keep log backup in BEGINNING and falsifies its times."
            return Finding("clocks", Level.WARN, "; ".join(off[:5]), expected, hint)
        worst = max(abs(deviation) for deviation, _ in clocks.values())
        return Finding("clocks", Level.OK, f"{len(clocks)} in SYNC, at most {worst / 1000:g} ms off", expected)

    def _primary(self) -> Finding:
        role = self._dialect.cluster_role()
        if not role:
            return Finding("primary_cluster", Level.UNKNOWN, "no role shown", "PRIMARY")
        if role.upper() != "PRIMARY":
            hint = "A standby cluster cannot archive (1235); connect to the primary cluster."
            return Finding("primary_cluster", Level.FAIL, role, "PRIMARY", hint)
        return Finding("primary_cluster", Level.OK, role, "PRIMARY")

    def _user_tenants(self) -> Finding:
        tenants = self._dialect.tenants()
        if not tenants:
            return Finding(
                "user_tenants",
                Level.FAIL,
                "none",
                "at least one",
                "Without a user tenant log backup becomes DOING and archives nothing: create a tenant first.",
            )
        names = few([tenant.name for tenant in tenants])
        return Finding("user_tenants", Level.OK, f"{len(tenants)}: {names}", "at least one")

    def _gts(self) -> Finding:
        services = self._dialect.timestamp_services()
        tenants = self._dialect.tenants()
        unknown = [tenant.name for tenant in tenants if not services.get(tenant.tenant_id)]
        without = [
            f"{tenant.name} ({services[tenant.tenant_id]})"
            for tenant in tenants
            if services.get(tenant.tenant_id) and services[tenant.tenant_id].upper() not in _GTS
        ]
        expected = "GTS or HA_GTS in every user tenant"
        if without:
            hint = "In each of them: SET GLOBAL ob_timestamp_service = 'GTS' (ARCHIVELOG answers 1235 otherwise)."
            return Finding("gts", Level.FAIL, ", ".join(without[:5]), expected, hint)
        if unknown:
            return Finding("gts", Level.UNKNOWN, f"not shown for {', '.join(unknown[:5])}", expected)
        return Finding("gts", Level.OK, f"{len(tenants)} tenants use it", expected)

    def _destination_set(self) -> Finding:
        setting = self._dialect.destination_setting()
        expected = str(self._destination) if self._destination else "one destination, the same on every OBServer"
        if not setting.values:
            return Finding("destination_set", Level.UNKNOWN, "no server answered", expected)
        if setting.agreed is None:
            return Finding(
                "destination_set",
                Level.WARN if self._destination else Level.FAIL,
                _by_server(setting),
                expected,
                "It reaches all servers 2-3 s after SET. If it still differs, set it again while log backup is STOP.",
            )
        if not setting.agreed:
            if self._destination:
                return self._change("not set; it will be", Level.OK, expected)
            hint = "Give the DAG a destination, or ALTER SYSTEM SET backup_dest='file:///…' (9026 otherwise)."
            return Finding("destination_set", Level.FAIL, "not set", expected, hint)
        current = Destination.parse(setting.agreed)
        observed = f"{current} on {len(setting.values)} servers"
        if self._destination is None or self._destination.same_place(current):
            return Finding("destination_set", Level.OK, observed, expected)
        if self._running():
            hint = "Log backup runs to the other place. Stop it first (a gap: take a full backup), or keep the place."
            return Finding("destination_set", Level.FAIL, observed, expected, hint)
        return self._change(f"{observed}; it will be changed", Level.WARN, expected)

    def _change(self, observed: str, level: Level, expected: str) -> Finding:
        """What else refuses a new destination, in the server's order (ob_alter_system_resolver.cpp)."""
        if self._dialect.data_backup_runs():
            hint = "A data backup runs (9036): wait for its end, or cancel it, then set the destination."
            return Finding("destination_set", Level.FAIL, observed, expected, hint)
        if any(value for _, value in self._dialect.second_destination_setting().values):
            hint = "backup_backup_dest is set (1235): ALTER SYSTEM SET backup_backup_dest = '' first."
            return Finding("destination_set", Level.FAIL, observed, expected, hint)
        return Finding("destination_set", level, observed, expected)

    def _destination_legal(self) -> Finding:
        expected = "file://, oss:// or cos:// that 3.x accepts"
        if self._destination:
            problem = self._destination.problem() or v3_settings.destination_problem(self._destination)
            if not problem and self._destination.placeholders:
                problem = NO_CLUSTER_NAME
            if problem:
                return Finding("destination_legal", Level.FAIL, str(self._destination), expected, problem)
            if self._destination.scheme != "file" and self._dialect.version.is_community:
                hint = "Community Edition is built without object stores by default; its manual knows NFS only."
                return Finding("destination_legal", Level.WARN, str(self._destination), expected, hint)
            return Finding("destination_legal", Level.OK, str(self._destination), f"{expected}; {findings.NOT_VISIBLE}")
        agreed = self._dialect.destination_setting().agreed
        if not agreed:
            return Finding("destination_legal", Level.UNKNOWN, "no one destination is set", expected)
        current = Destination.parse(agreed)
        # What the server accepted is legal; it may show keys in a form of its own.
        return Finding("destination_legal", Level.OK, str(current), f"{expected}; {findings.NOT_VISIBLE}")

    def _running(self) -> bool:
        return any(row.state is not ArchiveState.STOP for row in self._dialect.archive().governing)

    def _archive_state(self) -> Finding:
        expected = "STOP, or DOING already"
        rows = self._dialect.archive().governing
        if not rows:
            return Finding("archive_state", Level.UNKNOWN, "no state shown", expected)
        row = rows[0]
        observed = f"{row.status}, round {row.round_id}"
        if row.state is ArchiveState.STOP:
            return Finding("archive_state", Level.OK, observed, expected)
        if row.state.is_running:
            return Finding("archive_state", Level.OK, f"{observed}: archives already, nothing to start", expected)
        if row.state is ArchiveState.STOPPING:
            hint = "The start waits for STOP. It stays STOPPING while an OBServer is down or the destination fails."
            if self._dialect.version.has_force_cancel:
                hint += " Last way out by hand: ALTER SYSTEM CANCEL ALL BACKUP FORCE, which also empties backup_dest."
            return Finding("archive_state", Level.WARN, observed, expected, hint)
        if row.state is ArchiveState.INTERRUPTED:
            level = Level.WARN if self._restart_interrupted else Level.FAIL
            return Finding("archive_state", level, observed, expected, RECOVERY)
        return Finding("archive_state", Level.UNKNOWN, observed, expected, "A state this release does not know.")


def _by_server(setting: Setting) -> str:
    groups: dict[str, list[str]] = {}
    for place, value in setting.values:
        shown = str(Destination.parse(value)) if value else "not set"
        groups.setdefault(shown, []).append(place)
    return "; ".join(f"{value} on {', '.join(places[:3])}" for value, places in list(groups.items())[:4])
