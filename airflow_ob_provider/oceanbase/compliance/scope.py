"""Whether nothing is left out, whether it is the same cluster as before, and whether the check itself is alive."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_ob_provider.oceanbase.catalog import TenantRecord
from airflow_ob_provider.oceanbase.compliance.memory import Memory, TenantMemory
from airflow_ob_provider.oceanbase.compliance.rule import (
    ANSWERED,
    CATALOG,
    PRIVILEGE,
    Answer,
    Case,
    Rule,
    not_applicable,
    ok,
)
from airflow_ob_provider.oceanbase.compliance.words import Text, at, both, joined, length, same
from airflow_ob_provider.oceanbase.models import ArchiveState, Level


def _scope(case: Case) -> list[tuple[str, Answer]]:
    catalog = case.catalog
    expected = both("every user tenant is archived", "所有用户租户均已归档")
    if not catalog.tenants and not catalog.out_of_scope:
        words = both("there is no user tenant, so nothing is archived", "没有用户租户，因此没有归档任何日志")
        return [("", Answer(Level.WARN, words, expected, _NOBODY))]
    found: list[tuple[str, Answer]] = []
    for record in catalog.tenants:
        if not case.policy.limits(record.tenant.name).archive:
            continue
        row = record.archive
        asked = bool(row and (row.archivelog or row.state is not ArchiveState.STOP))
        if case.is_cluster or record.rounds or asked or record.doubt:
            continue
        words = both("it was never archived", "从未归档")
        found.append((record.tenant.name, Answer(Level.FAIL, words, expected, _NEW)))
    for tenant in catalog.out_of_scope:
        if case.policy.limits(tenant.name).archive:
            words = both("it is not archived: {s}", "未归档：{s}", s=tenant.status)
            found.append((tenant.name, Answer(Level.WARN, words, expected, _NOT_NORMAL)))
    if found:
        return found
    wanted = sum(case.policy.limits(record.tenant.name).archive for record in catalog.tenants)
    left = len(catalog.tenants) - wanted
    if left and not wanted:
        words = both("the policy excludes all {n} user tenants, so nothing is checked",
                     "策略排除了全部 {n} 个用户租户，因此未检查任何租户", n=left)  # fmt: skip
        return [("", Answer(Level.WARN, words, expected, _NOBODY))]
    tail = both(", {n} excluded by the policy", "，策略排除 {n} 个", n=left) if left else Text("", "")
    return [("", ok(both("{n} user tenants{t}", "{n} 个用户租户{t}", n=wanted, t=tail), expected))]


_NOBODY = both(
    "Is it the right cluster and account, and does the policy say what it should?", "请确认集群、账号与策略是否正确。"
)


_NEW = both(
    "OceanBase 4.x archives no tenant by itself: run the DAG ob_log_archive, or exclude it in the policy "
    "(tenants: {name: {archive: false}}).",
    "OceanBase 4.x 不会自动归档新租户：请运行 DAG ob_log_archive，或在策略中排除该租户"
    "（tenants: {名称: {archive: false}}）。",
)
_NOT_NORMAL = both(
    "A tenant that is not NORMAL is not archived: look again when it is, or purge it, or exclude it in the policy.",
    "非 NORMAL 状态的租户不会归档：恢复正常后请再检查，或将其彻底删除，或在策略中排除。",
)


def _identity(case: Case) -> list[tuple[str, Answer]]:
    catalog, last = case.catalog, case.memory
    here = f"{catalog.cluster or '?'} ({catalog.cluster_id or '?'}), OceanBase {catalog.version}"
    found = [("", _cluster(case)), *(() if last is None else _tenants(case, last))]
    wrong = [(name, answers) for name, answers in found if answers]
    return [(name, _together(answers)) for name, answers in wrong] or [("", ok(same(here), _AS_BEFORE))]


def _together(answers: list[Answer]) -> Answer:
    """One answer, since a finding of a rule about a tenant has one id."""
    worst = min(answers, key=lambda answer: _BY_BADNESS.index(answer.level))
    return Answer(
        worst.level,
        joined(answer.observed for answer in answers),
        joined(dict.fromkeys(answer.expected for answer in answers)),
        joined(dict.fromkeys(answer.hint for answer in answers)),
    )


def _cluster(case: Case) -> list[Answer]:
    catalog, last, wanted = case.catalog, case.memory, case.policy.cluster
    found: list[Answer] = []
    if wanted and not catalog.cluster:
        words = both("the cluster's name is not shown to this account", "该账号看不到集群名")
        hint = both("Give the account SELECT on oceanbase.*, or leave cluster out of the policy.",
                    "请授予该账号 oceanbase.* 的 SELECT 权限，或从策略中去掉 cluster。")  # fmt: skip
        found.append(Answer(Level.UNKNOWN, words, both("{w!r}", "{w!r}", w=wanted), hint))
    elif wanted and catalog.cluster != wanted:
        words = both("the cluster is {c!r}", "集群名为 {c!r}", c=catalog.cluster)
        hint = both("The connection leads to another cluster than the policy is for.", "该连接指向的集群与策略不符。")
        found.append(Answer(Level.FAIL, words, both("{w!r}", "{w!r}", w=wanted), hint))
    if last is None:
        return found
    if last.cluster_id and catalog.cluster_id and last.cluster_id != catalog.cluster_id:
        words = both("cluster id {a}, was {b}", "集群 ID {a}，之前为 {b}", a=catalog.cluster_id, b=last.cluster_id)
        found.append(Answer(Level.FAIL, words, _AS_BEFORE, _OTHER))
    if last.version and last.version != catalog.version:
        words = both("OceanBase {a}, was {b}", "OceanBase {a}，之前为 {b}", a=catalog.version, b=last.version)
        hint = both("After an upgrade take a full backup.", "升级后请做一次全量备份。")
        found.append(Answer(Level.WARN, words, _AS_BEFORE, hint))
    return found


def _tenants(case: Case, last: Memory) -> Iterator[tuple[str, list[Answer]]]:
    catalog = case.catalog
    known = {tenant.name for tenant in (*(record.tenant for record in catalog.tenants), *catalog.out_of_scope)}
    for name, then in last.tenants.items():
        if name not in known and case.policy.limits(name).archive:
            words = both("tenant {n} ({i}) is gone", "租户 {n}（{i}）已不存在", n=name, i=then.tenant_id)
            hint = both(
                "If nobody dropped or renamed it on purpose, look for it.", "若非有意删除或重命名，请立即排查。"
            )
            yield name, [Answer(Level.WARN, words, _AS_BEFORE, hint)]
    for record in catalog.tenants:
        if before := last.tenants.get(record.tenant.name):
            yield record.tenant.name, _tenant(case, record, before, last.incarnation)


def _tenant(case: Case, record: TenantRecord, then: TenantMemory, incarnation: int | None) -> list[Answer]:
    if then.tenant_id != record.tenant.tenant_id:
        words = both("tenant id {a}, was {b}", "租户 ID {a}，之前为 {b}", a=record.tenant.tenant_id, b=then.tenant_id)
        return [Answer(Level.FAIL, words, _AS_BEFORE, _OTHER)]
    found = []
    number = max([record.archive.round_id if record.archive else 0, *(one.round_id for one in record.rounds)])
    if number < then.round_id and not (case.is_cluster and record.archive is None and not record.rounds):
        words = both("round {a}, was {b}", "轮次 {a}，之前为 {b}", a=number, b=then.round_id)
        found.append(Answer(Level.FAIL, words, _AS_BEFORE, _OTHER))
    if incarnation is not None and record.incarnation is not None and record.incarnation != incarnation:
        words = both("incarnation {a}, was {b}", "incarnation {a}，之前为 {b}", a=record.incarnation, b=incarnation)
        found.append(Answer(Level.FAIL, words, _AS_BEFORE, _OTHER))
    return found


_AS_BEFORE = both("the same cluster, tenants and rounds as before", "集群、租户与轮次与之前一致")
_BY_BADNESS = (Level.FAIL, Level.UNKNOWN, Level.WARN)
_OTHER = both(
    "It may be another cluster or tenant under the same name: earlier backups are not of this one.",
    "可能是同名的另一个集群或租户：之前的备份不属于它。",
)


def _check_recent(case: Case) -> list[tuple[str, Answer]]:
    limit = case.policy.check_max_age
    expected = both("checks at most {t} apart", "两次检查间隔不超过 {t}", t=length(limit))
    if case.memory is None:
        return [("", not_applicable(both("this is the first check", "首次检查")))]
    age = (case.now - case.memory.checked_at).total_seconds()
    observed = both(
        "the last one was {a} ago, at {t}", "上次检查在 {a} 前（{t}）", a=length(age), t=at(case.memory.checked_at)
    )
    if age < 0:
        words = both("the last check lies {a} in the future", "上次检查在 {a} 之后", a=length(-age))
        return [("", Answer(Level.WARN, words, expected, _CLOCK))]
    if age <= limit:
        return [("", ok(observed, expected))]
    hint = both(
        "Nobody looked in between: is the DAG paused, or the scheduler down? A deadline alert tells in time.",
        "期间没有检查：DAG 是否被暂停，或调度器停止？可配置 Deadline 告警。",
    )
    return [("", Answer(Level.WARN, observed, expected, hint))]


def _reachable(case: Case) -> list[tuple[str, Answer]]:
    """What could not be read is not known, whether or not a rule asks for it."""
    unread = [both("{p}: {w}", "{p}：{w}", p=part, w=why) for part, why in case.catalog.unread]
    if unread:
        return [("", Answer(Level.UNKNOWN, joined(unread), ANSWERED, PRIVILEGE))]
    return [("", ok(both("every part of the catalog", "目录的所有部分"), ANSWERED))]


_CLOCK = both("The server's clock was set back, or it is another server.", "服务器时钟被回拨，或连接到了另一台服务器。")

RULES = (
    Rule(18, "scope", both("No tenant is left out", "没有遗漏的租户"), CATALOG, judge_cluster=_scope),
    Rule(19, "identity", both("The same cluster as before", "集群身份未变"), CATALOG, judge_cluster=_identity),
    Rule(
        22, "check_recent", both("The check itself is alive", "检查本身持续运行"),
        both("that checks were made, not that they will be", "证明曾经检查过，不代表今后会检查"),
        judge_cluster=_check_recent,
    ),
    Rule(
        24, "reachable", both("The cluster answers, to every query", "集群可访问，且所有查询均有应答"),
        both("a login and answers", "可登录并得到应答"), judge_cluster=_reachable,
    ),
)  # fmt: skip
