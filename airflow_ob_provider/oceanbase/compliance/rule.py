"""What a rule is: one question to the catalog, answered for a tenant or for the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, Part, TenantRecord
from airflow_ob_provider.oceanbase.compliance.memory import Memory, TenantMemory
from airflow_ob_provider.oceanbase.compliance.policy import Limits, Policy
from airflow_ob_provider.oceanbase.compliance.words import Text, both
from airflow_ob_provider.oceanbase.models import ArchiveRow, ArchiveState, Level, Scope
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from airflow_ob_provider.oceanbase.windows import Round

NO_TEXT = Text("", "")
ANSWERED = Text("an answer", "可读取的结果")
CATALOG = Text("the server's catalog says so; nothing was read back", "仅为服务器目录所述，未读取备份文件验证")
"""What every rule proves at most."""


@dataclass(frozen=True)
class Answer:
    """What a rule found."""

    level: Level
    observed: Text
    expected: Text = NO_TEXT
    hint: Text = NO_TEXT


def ok(observed: Text, expected: Text = NO_TEXT) -> Answer:
    """All is well."""
    return Answer(Level.OK, observed, expected)


def not_applicable(reason: Text) -> Answer:
    """The question is not asked here."""
    return Answer(Level.NOT_APPLICABLE, reason)


def unknown(observed: Text, hint: Text = NO_TEXT) -> Answer:
    """Nothing is known to be good or bad."""
    return Answer(Level.UNKNOWN, observed, ANSWERED, hint)


@dataclass(frozen=True)
class Case:
    """A tenant, or a cluster, in front of the rules."""

    catalog: BackupCatalog
    policy: Policy
    memory: Memory | None
    version: OceanBaseVersion

    @property
    def now(self) -> datetime:
        """The server's clock."""
        return self.catalog.read_at

    @property
    def is_cluster(self) -> bool:
        """3.x: the cluster archives as a whole."""
        return self.catalog.scope is Scope.CLUSTER

    def unread(self, part: Part) -> Answer | None:
        """The answer to a question about a part that could not be read, or that this version does not have."""
        if why := self.catalog.why_unread(part):
            return unknown(both("{why}", "{why}", why=why), PRIVILEGE)
        if why := self.catalog.why_absent(part):
            return not_applicable(
                both("OceanBase {v} does not show it: {why}", "OceanBase {v} 无此视图：{why}", v=self.version, why=why)
            )
        return None


PRIVILEGE = both(
    "Give the account SELECT on oceanbase.*, or look at the error.",
    "请授予该账号 oceanbase.* 的 SELECT 权限，或查看报错。",
)


@dataclass(frozen=True)
class TenantCase(Case):
    """One user tenant in front of the rules."""

    record: TenantRecord
    limits: Limits

    @property
    def name(self) -> str:
        """The tenant's name."""
        return self.record.tenant.name

    @property
    def row(self) -> ArchiveRow | None:
        """Its current row."""
        return self.record.archive

    @property
    def state(self) -> ArchiveState:
        """The state that decides: its own or its cluster's."""
        return self.catalog.state_of(self.record)

    @property
    def is_joining(self) -> bool:
        """3.x: a tenant that is younger than the round, and whose logs are not in it yet."""
        own = self.row.state if self.row else ArchiveState.BEGINNING
        return self.is_cluster and self.state is ArchiveState.DOING and own is ArchiveState.BEGINNING

    @property
    def words(self) -> str:
        """The server's own words for the state."""
        row = self.catalog.governing if self.is_cluster else self.row
        return row.status if row else "no row"

    @property
    def remembered(self) -> TenantMemory | None:
        """The tenant at the last check; None where it was another one or none."""
        last = self.memory.tenants.get(self.name) if self.memory else None
        return last if last and last.tenant_id == self.record.tenant.tenant_id else None

    @property
    def lag(self) -> float | None:
        """Seconds from the checkpoint to now; None without a checkpoint."""
        return (self.now - self.row.checkpoint).total_seconds() if self.row and self.row.checkpoint else None

    @property
    def since_last(self) -> float | None:
        """Seconds since the last check; None for a first one, or where the clock was set back."""
        passed = (self.now - self.memory.checked_at).total_seconds() if self.memory else -1.0
        return passed if passed >= 0 else None

    @property
    def lag_target(self) -> float:
        """How often a healthy archive moves: ``archive_lag_target``, or the checkpoint interval of 3.x."""
        found = self.record.settings.lag_target if self.record.settings else None
        return DEFAULT_LAG if found is None else found

    @property
    def lag_fail(self) -> float:
        """Seconds of lag from which on it fails."""
        wanted = self.limits.lag_fail if self.limits.lag_fail is not None else self.limits.rpo
        if wanted is not None:
            return wanted
        return max(300.0, self.lag_target + 180.0, (self.limits.lag_warn or 0.0) + 120.0)

    @property
    def lag_warn(self) -> float:
        """Seconds of lag from which on it warns."""
        wanted = self.limits.lag_warn if self.limits.lag_warn is not None else max(180.0, self.lag_target + 60.0)
        return min(wanted, self.lag_fail)

    @property
    def newest_round(self) -> Round | None:
        """The latest round, running or not."""
        return self.record.rounds[-1] if self.record.rounds else None

    @property
    def never_archived(self) -> bool:
        """There is no round and nobody has asked for one: a question of scope, not of health."""
        asked = bool(self.row and self.row.archivelog)
        return not self.record.rounds and not asked and self.state is ArchiveState.STOP and not self.record.doubt

    def is_needed(self, moment: datetime | None) -> bool:
        """Whether a moment lies in what shall be restorable: the policy's window, or all that no full backup ended.

        Without a wanted window, a hole that a full backup has ended asks nothing of anybody any more.
        """
        if moment is None:
            return True
        window = self.limits.recovery_window
        if window is not None:
            return moment >= self.now - timedelta(seconds=window)
        recovery = self.record.recovery
        return recovery is None or not any(one.start >= moment for one in recovery.windows)

    @property
    def runs_full_backup(self) -> bool:
        """A full backup is under way; one that takes longer than a full backup may be old has hung up."""
        attempt = self.record.attempt
        if attempt is None or not attempt.is_full or attempt.status.upper() not in {"DOING", "RUNNING"}:
            return False
        started = attempt.started
        return started is None or (self.now - started).total_seconds() <= self.limits.full_backup_max_age


DEFAULT_LAG = 120.0
"""``archive_lag_target`` and the checkpoint interval where they are not shown."""


@dataclass(frozen=True)
class Rule:
    """One question."""

    number: int
    """As in the list of checks that this follows; several questions may share one."""
    id: str
    title: Text
    proves: Text
    judge: Callable[[TenantCase], Answer] | None = None
    judge_cluster: Callable[[Case], list[tuple[str, Answer]]] | None = None
    """Answers with the tenant each is about, '' for the cluster."""
