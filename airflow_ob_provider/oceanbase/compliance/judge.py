"""All rules over a whole catalog: findings, levels, waivers and one verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_ob_provider.oceanbase.catalog import BackupCatalog
from airflow_ob_provider.oceanbase.compliance import continuity, drift, scope, streaming, upkeep
from airflow_ob_provider.oceanbase.compliance.memory import Memory
from airflow_ob_provider.oceanbase.compliance.policy import Policy, Waiver
from airflow_ob_provider.oceanbase.compliance.rule import Answer, Case, Rule, TenantCase, not_applicable, unknown
from airflow_ob_provider.oceanbase.compliance.words import Text, both, same
from airflow_ob_provider.oceanbase.models import Level
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (*streaming.RULES, *continuity.RULES, *upkeep.RULES, *drift.RULES, *scope.RULES),
        key=lambda rule: rule.number,
    )
)
BY_BADNESS = (Level.FAIL, Level.UNKNOWN, Level.WARN, Level.OK, Level.NOT_APPLICABLE)
"""The worst first. What is not known may be the worst, but it is not known to be."""
MAX_FINDINGS = 100
"""Findings of one rule that a report lists; all of them count."""

_NEVER_ARCHIVED = both("never archived: see the rule scope", "从未归档：见规则 scope")
_NEVER_ARCHIVED_3 = both("never archived: see the rule status", "从未归档：见规则 status")
_EXCLUDED = both("the policy does not ask for it", "策略不要求归档该租户")
_EXPIRED = both("a waiver that holds", "有效的豁免")


@dataclass(frozen=True)
class Finding:
    """An answer that is not OK."""

    rule: str
    tenant: str
    """'' for the cluster."""
    tenant_id: int | None
    answer: Answer
    waiver: Waiver | None = None
    part: str = ""
    """Tells findings of one rule about one tenant apart."""

    @property
    def id(self) -> str:
        """The same in every check."""
        if self.part:
            return f"{self.rule}/{self.part}"
        return f"{self.rule}/{self.tenant}" if self.tenant else self.rule

    @property
    def counts(self) -> bool:
        """Whether nobody answers for it."""
        return self.waiver is None


@dataclass(frozen=True)
class RuleResult:
    """One rule over all tenants."""

    rule: Rule
    level: Level
    counts: dict[str, int]
    """Tenants by level, waived ones as WAIVED."""
    reason: Text | None
    """Why it is not applicable."""


@dataclass(frozen=True)
class Judgement:
    """Everything that a check has found out."""

    verdict: Level
    rules: tuple[RuleResult, ...]
    findings: tuple[Finding, ...]
    """The worst first, at most :data:`MAX_FINDINGS` of each rule."""
    left_out: dict[str, int]
    """Findings that are not listed, by rule."""
    tenants: dict[str, Level]
    waivers: tuple[tuple[Waiver, str], ...]
    """Each with ``active``, ``expired`` or ``unused``."""


def worst(levels: Iterable[Level]) -> Level:
    """The worst of these levels; OK of none."""
    return min((level for level in levels if level is not Level.NOT_APPLICABLE), key=BY_BADNESS.index, default=Level.OK)


def judge(catalog: BackupCatalog, policy: Policy, memory: Memory | None = None) -> Judgement:
    """Apply every rule to every tenant.

    :param memory: the check before this one; None makes it a first one.
    """
    version = OceanBaseVersion.parse(f"OceanBase {catalog.version}")
    case = Case(catalog, policy, memory, version)
    results: list[RuleResult] = []
    findings: list[Finding] = []
    levels: dict[str, list[Level]] = {record.tenant.name: [] for record in catalog.tenants}
    ids = {record.tenant.name: record.tenant.tenant_id for record in catalog.tenants}
    cases = [
        TenantCase(catalog, policy, memory, version, record, policy.limits(record.tenant.name))
        for record in catalog.tenants
    ]
    for rule in RULES:
        answers = _answers(rule, case, cases)
        found = [
            Finding(rule.id, name, ids.get(name), answer, _waiver(policy, catalog, rule.id, name))
            for name, answer in answers
            if answer.level not in {Level.OK, Level.NOT_APPLICABLE}
        ]
        findings += found
        for finding in found:
            if finding.tenant in levels and finding.counts:
                levels[finding.tenant].append(finding.answer.level)
        results.append(_result(rule, answers, found))
    waivers = _waivers(policy, catalog, findings)
    expired = _expired(waivers)
    findings += expired
    if expired:
        results.append(_result(_WAIVERS, [(one.tenant, one.answer) for one in expired], expired))
    listed, left_out = _listed(findings)
    return Judgement(
        worst(finding.answer.level for finding in findings if finding.counts),
        tuple(results),
        listed,
        left_out,
        {name: worst(found_levels) for name, found_levels in levels.items()},
        waivers,
    )


def _answers(rule: Rule, case: Case, cases: Sequence[TenantCase]) -> list[tuple[str, Answer]]:
    if rule.judge_cluster is not None:
        return rule.judge_cluster(case)
    return [(one.name, _one(rule, one)) for one in cases]


def _one(rule: Rule, case: TenantCase) -> Answer:
    if not case.limits.archive:
        return not_applicable(_EXCLUDED)
    if case.never_archived and not (case.is_cluster and rule.id == "status"):
        return not_applicable(_NEVER_ARCHIVED_3 if case.is_cluster else _NEVER_ARCHIVED)
    assert rule.judge is not None  # noqa: S101 - a rule has one of the two
    try:
        return rule.judge(case)
    except (UnreadableError, OverflowError) as error:
        return unknown(same(redact(str(error))))


def _result(rule: Rule, answers: Sequence[tuple[str, Answer]], found: Sequence[Finding]) -> RuleResult:
    waived = {finding.tenant for finding in found if not finding.counts}
    counts = Counter(
        "WAIVED" if name in waived and answer.level not in {Level.OK, Level.NOT_APPLICABLE} else str(answer.level)
        for name, answer in answers
    )
    asked = [
        answer.level for name, answer in answers if answer.level is not Level.NOT_APPLICABLE and name not in waived
    ]
    reasons = {answer.observed for _, answer in answers if answer.level is Level.NOT_APPLICABLE}
    level = worst(asked) if asked else Level.OK if waived else Level.NOT_APPLICABLE
    shown = next(iter(reasons)) if len(reasons) == 1 else both("for various reasons", "原因各异") if reasons else None
    no_tenant = both("there is no user tenant", "没有用户租户")
    reason = (shown or no_tenant) if level is Level.NOT_APPLICABLE else None
    return RuleResult(rule, level, dict(counts), reason)


def _waiver(policy: Policy, catalog: BackupCatalog, rule: str, tenant: str) -> Waiver | None:
    today = catalog.read_at.date()
    return next((one for one in policy.waivers if one.expires >= today and one.covers(rule, tenant)), None)


def _waivers(policy: Policy, catalog: BackupCatalog, findings: Sequence[Finding]) -> tuple[tuple[Waiver, str], ...]:
    today = catalog.read_at.date()
    used = [finding.waiver for finding in findings if finding.waiver]
    return tuple(
        (one, "expired" if one.expires < today else "active" if one in used else "unused") for one in policy.waivers
    )


_WAIVERS = Rule(
    23,
    "waiver_expired",
    both("No waiver has expired", "没有过期的豁免"),
    both("what the policy says", "依据策略"),
)


def _expired(waivers: Iterable[tuple[Waiver, str]]) -> list[Finding]:
    found = []
    for one, state in waivers:
        if state != "expired":
            continue
        observed = both(
            "{o}'s waiver of {r} for {t} expired on {d}: {w}",
            "{o} 对 {t} 的 {r} 豁免已于 {d} 过期：{w}",
            o=one.owner,
            r=one.rule,
            t=one.tenant,
            d=one.expires.isoformat(),
            w=one.reason,
        )
        hint = both("Renew it with a reason, or remove it.", "请说明原因后续期，或删除该豁免。")
        tenant = "" if one.tenant == "*" else one.tenant
        part = f"{one.rule}/{one.tenant}/{one.expires.isoformat()}/{one.owner}"
        found.append(Finding(_WAIVERS.id, tenant, None, Answer(Level.WARN, observed, _EXPIRED, hint), part=part))
    return list({finding.id: finding for finding in found}.values())


def _listed(findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], dict[str, int]]:
    order = sorted(findings, key=lambda one: (not one.counts, BY_BADNESS.index(one.answer.level)))
    shown: Counter[str] = Counter()
    listed = []
    for finding in order:
        shown[finding.rule] += 1
        if shown[finding.rule] <= MAX_FINDINGS:
            listed.append(finding)
    return tuple(listed), {rule: count - MAX_FINDINGS for rule, count in shown.items() if count > MAX_FINDINGS}
