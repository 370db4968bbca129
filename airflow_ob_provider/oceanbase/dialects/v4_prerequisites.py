"""What must be true before log backup starts on 4.x, one finding each, naming the tenants it is about.

From 4.1 on ARCHIVELOG asks for nothing: without a destination, or with one in DEFER, it answers OK and starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.destination import Destination, WantedDestination
from airflow_ob_provider.oceanbase.dialects import findings
from airflow_ob_provider.oceanbase.dialects.v4_places import NOT_SET, Place, scheme_doubt
from airflow_ob_provider.oceanbase.dialects.v4_settings import S3_LEAST_LAG_SECONDS
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveSnapshot, ArchiveState, Finding, Level
from airflow_ob_provider.oceanbase.waits import RECOVERY
from airflow_ob_provider.oceanbase.words import few

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect

_NEWEST_KNOWN = (4, 3)


class V4Prerequisites:
    """Runs every check. A finding about some tenants names them, so that the others can go on."""

    def __init__(
        self,
        dialect: V4Dialect,
        destination: Destination | None,
        tenants: Sequence[str],
        *,
        restart_interrupted: bool,
    ) -> None:
        self._dialect = dialect
        self._destination = destination
        self._tenants = tuple(tenants)
        self._restart_interrupted = restart_interrupted

    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order a DBA would look."""
        dialect = self._dialect
        administrator = "root@sys" if dialect.is_sys else "root of this tenant"
        checks: list[findings.Check] = [
            ("version", self._version),
            ("scope", self._scope),
            ("privilege", lambda: findings.privilege(dialect, administrator=administrator)),
        ]
        if dialect.is_sys:
            checks.append(("servers", lambda: findings.servers(dialect, running=self._runs)))
        checks += [
            ("user_tenants", self._user_tenants),
            ("out_of_scope", self._out_of_scope),
            ("destination_set", self._destination_set),
            ("destination_legal", self._destination_legal),
            ("lag_target", self._lag_target),
            ("archive_state", self._archive_state),
        ]
        return findings.run(checks)

    @cached_property
    def _snapshot(self) -> ArchiveSnapshot:
        return self._dialect.archive().of(self._tenants)

    def _places(self) -> list[Place]:
        names = self._tenants
        places = [place for place in self._dialect.destinations() if place.tenant.is_normal]
        return [place for place in places if not names or place.tenant.name in names]

    def _runs(self) -> bool:
        rows = self._snapshot.rows
        return bool(rows) and all(row.state.is_running for row in rows)

    def _version(self) -> Finding:
        version = self._dialect.version
        expected = "4.0 - 4.3"
        if version.numbers[:2] > _NEWEST_KNOWN:
            hint = "Newer than what this release was written for; start with a dry run."
            return Finding("version", Level.WARN, str(version), expected, hint)
        return Finding("version", Level.OK, str(version), expected)

    def _scope(self) -> Finding:
        expected = "tenant sys, for all user tenants, or a user tenant, for itself"
        if self._dialect.is_sys:
            asked = few(self._tenants) or "all user tenants"
            return Finding("scope", Level.OK, f"tenant sys: {asked}", expected)
        return Finding("scope", Level.OK, self._dialect.connection_note(self._dialect.identity()), expected)

    def _user_tenants(self) -> Finding:
        there = self._dialect.tenants()
        names = [tenant.name for tenant in there]
        expected = "at least one, NORMAL"
        unknown = [name for name in self._tenants if name not in names]
        if unknown:
            hint = f"NORMAL user tenants here: {few(names, limit=20) or 'none'}."
            about = tuple(unknown) if len(unknown) < len(self._tenants) else ()
            observed = f"not NORMAL or not there: {few(unknown)}"
            return Finding("user_tenants", Level.FAIL, observed, expected, hint, about)
        if not there:
            hint = "There is nothing to archive: create a tenant first."
            return Finding("user_tenants", Level.FAIL, "none", expected, hint)
        return Finding("user_tenants", Level.OK, f"{len(there)}: {few(names)}", expected)

    def _out_of_scope(self) -> Finding:
        expected = "every user tenant is archived by this run"
        left = self._snapshot.out_of_scope
        if not left:
            hint = "4.x does not archive tenants that are created later: run this DAG again for them."
            return Finding("out_of_scope", Level.OK, "none", expected, hint)
        names = [tenant.name if tenant.status == "NORMAL" else f"{tenant.name} ({tenant.status})" for tenant in left]
        hint = "4.x archives no tenant by itself: name them too, or run this again when they are NORMAL."
        return Finding("out_of_scope", Level.WARN, few(names), expected, hint)

    def _destination_set(self) -> Finding:
        expected = str(self._destination) if self._destination else "a destination for every tenant"
        changes = self._dialect.plan_destination(WantedDestination(self._destination), self._tenants)
        there = {row.tenant.name for row in self._snapshot.rows}
        changes = tuple(change for change in changes if change.place in there)
        if not changes:
            return Finding("destination_set", Level.UNKNOWN, "no tenant to look at", expected)
        refused = [change for change in changes if change.refusal]
        if refused:
            return self._about(
                "destination_set",
                Level.FAIL,
                [(change.place, change.refusal) for change in refused],
                expected,
                "See what is said of each tenant.",
            )
        unset = [change for change in changes if change.before == NOT_SET and not change.statements]
        if unset:
            hint = (
                "Give a destination such as file:///data/nfs/{tenant}. Without one ARCHIVELOG answers OK and starts "
                "nothing."
            )
            about = [(change.place, change.before) for change in unset]
            return self._about("destination_set", Level.FAIL, about, expected, hint)
        moved = [change for change in changes if change.statements and change.before != NOT_SET]
        if moved:
            about = [(change.place, f"{change.before} will become {change.after}") for change in moved]
            return self._about("destination_set", Level.WARN, about, expected, "")
        new = sum(bool(change.statements) for change in changes)
        observed = f"set for {len(changes) - new} tenants" + (f", will be set for {new}" if new else "")
        return Finding("destination_set", Level.OK, observed, expected)

    def _destination_legal(self) -> Finding:
        expected = "a place that this version accepts"
        places = self._places()
        schemes = {found.scheme for place in places if (found := place.destination)}
        schemes |= {self._destination.scheme} if self._destination else set()
        doubts = [doubt for scheme in sorted(schemes) if (doubt := scheme_doubt(scheme, self._dialect.version))]
        if doubts:
            return Finding("destination_legal", Level.WARN, ", ".join(sorted(schemes)), expected, "; ".join(doubts))
        if not schemes:
            return Finding("destination_legal", Level.UNKNOWN, "no destination is set", expected)
        observed = ", ".join(f"{scheme}://" for scheme in sorted(schemes))
        return Finding("destination_legal", Level.OK, observed, f"{expected}; {findings.NOT_VISIBLE}")

    def _lag_target(self) -> Finding:
        version = self._dialect.version
        expected = f"archive_lag_target of at least {S3_LEAST_LAG_SECONDS} s where the destination is S3"
        if not version.has_lag_target:
            return Finding("lag_target", Level.OK, f"{version} has no archive_lag_target", expected)
        lags = self._dialect.lag_targets()
        places = self._places()
        small = []
        for place in places:
            goes_to = self._destination or place.destination
            least, _ = lags.get(place.tenant.tenant_id, (S3_LEAST_LAG_SECONDS, 0))
            if goes_to and goes_to.scheme == "s3" and least < S3_LEAST_LAG_SECONDS:
                small.append((place.tenant.name, f"{least:g} s"))
        if small:
            hint = "ALTER SYSTEM SET archive_lag_target = '60s' for them: SET LOG_ARCHIVE_DEST answers 4179 otherwise."
            return self._about("lag_target", Level.FAIL, small, expected, hint)
        shown = [lags[place.tenant.tenant_id] for place in places if place.tenant.tenant_id in lags]
        least, most = min((one[0] for one in shown), default=0.0), max((one[1] for one in shown), default=0.0)
        observed = f"{least:g} s to {most:g} s" if shown else "not shown"
        return Finding("lag_target", Level.OK if shown else Level.UNKNOWN, observed, expected)

    def _archive_state(self) -> Finding:
        expected = "without a round, STOP, SUSPEND or DOING already"
        rows = self._snapshot.rows
        if not rows:
            return Finding("archive_state", Level.UNKNOWN, "no state shown", expected)
        found = [
            (level, [(row.tenant.name, str(row)) for row in rows if wanted(row)], hint)
            for level, wanted, hint in self._state_rules()
        ]
        wrong = [(level, about, hint) for level, about, hint in found if about]
        if not wrong:
            running = sum(row.state.is_running for row in rows)
            return Finding("archive_state", Level.OK, f"{running} of {len(rows)} tenants archive already", expected)
        levels = {level for level, *_ in wrong}
        worst = next(level for level in (Level.FAIL, Level.UNKNOWN, Level.WARN) if level in levels)
        about = [item for level, items, _ in wrong for item in items]
        hint = " ".join(hint for *_, hint in wrong)
        names = {name for level, items, _ in wrong if level is Level.FAIL for name, _ in items}
        finding = self._about("archive_state", worst, about, expected, hint)
        if worst is Level.FAIL:
            return replace(finding, tenants=() if len(names) == len(rows) else tuple(sorted(names)))
        return finding

    def _state_rules(self) -> tuple[tuple[Level, Callable[[ArchiveRow], bool], str], ...]:
        """How bad a state is for a start, and what to do."""
        stopping = "STOPPING: the start waits for STOP, which does not come while the destination fails"
        stopping += "; after 10 minutes the server ends it." if self._dialect.version.forces_stop else "."
        return (
            (
                Level.WARN if self._restart_interrupted else Level.FAIL,
                lambda row: row.state is ArchiveState.INTERRUPTED,
                RECOVERY,
            ),
            (
                Level.UNKNOWN,
                lambda row: row.state is ArchiveState.UNKNOWN,
                "A state this release does not know is not touched.",
            ),
            (Level.WARN, lambda row: row.state is ArchiveState.STOPPING, stopping),
            (
                Level.WARN,
                lambda row: row.deferred and row.state not in {ArchiveState.INTERRUPTED, ArchiveState.STOPPING},
                "DEFER: somebody has suspended log backup; the start switches it on again (ENABLE).",
            ),
        )

    def _about(self, check: str, level: Level, about: Sequence[tuple[str, str]], expected: str, hint: str) -> Finding:
        observed = few([f"{name}: {words}" for name, words in about], "; ")
        everybody = len(about) == len(self._snapshot.rows)
        names = () if everybody else tuple(name for name, _ in about)
        return Finding(check, level, observed, expected, hint, names)
