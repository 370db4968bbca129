"""Whether nothing is left out, whether it is the same cluster as before, and whether the check itself is alive."""

from __future__ import annotations

from airflow_ob_provider.oceanbase.compliance.rule import CATALOG, Answer, Case, Rule, not_applicable, ok
from airflow_ob_provider.oceanbase.compliance.words import at, both, length, same
from airflow_ob_provider.oceanbase.models import ArchiveState, Level


def _scope(case: Case) -> list[tuple[str, Answer]]:
    catalog = case.catalog
    expected = both("every user tenant is archived", "所有用户租户均已归档")
    if not catalog.tenants and not catalog.out_of_scope:
        words = both("there is no user tenant, so nothing is archived", "没有用户租户，因此没有归档任何日志")
        return [("", Answer(Level.WARN, words, expected))]
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
            words = both("status {s}", "状态 {s}", s=tenant.status)
            found.append((tenant.name, Answer(Level.WARN, words, expected, _NOT_NORMAL)))
    return found or [("", ok(both("{n} user tenants", "{n} 个用户租户", n=len(catalog.tenants)), expected))]


_NEW = both(
    "OceanBase 4.x archives no tenant by itself: run the DAG ob_log_archive, or exclude it in the policy "
    "(tenants: {name: {archive: false}}).",
    "OceanBase 4.x 不会自动归档新租户：请运行 DAG ob_log_archive，或在策略中排除该租户"
    "（tenants: {名称: {archive: false}}）。",
)
_NOT_NORMAL = both(
    "A tenant that is not NORMAL is not archived; look again when it is.",
    "非 NORMAL 状态的租户不会归档，恢复正常后请再检查。",
)


def _identity(case: Case) -> list[tuple[str, Answer]]:
    catalog, last = case.catalog, case.memory
    expected = both("the same cluster, tenants and rounds as before", "集群、租户与轮次与之前一致")
    found: list[tuple[str, Answer]] = []
    wanted = case.policy.cluster
    if wanted and catalog.cluster != wanted:
        words = both("the cluster is {c!r}", "集群名为 {c!r}", c=catalog.cluster)
        hint = both("The connection leads to another cluster than the policy is for.", "该连接指向的集群与策略不符。")
        found.append(("", Answer(Level.FAIL, words, both("{w!r}", "{w!r}", w=wanted), hint)))
    here = f"{catalog.cluster or '?'} ({catalog.cluster_id or '?'}), OceanBase {catalog.version}"
    if last is None:
        return found or [("", ok(same(here), expected))]
    if last.cluster_id and catalog.cluster_id and last.cluster_id != catalog.cluster_id:
        words = both("cluster id {a}, was {b}", "集群 ID {a}，之前为 {b}", a=catalog.cluster_id, b=last.cluster_id)
        found.append(("", Answer(Level.FAIL, words, expected, _OTHER)))
    if last.version and last.version != catalog.version:
        words = both("OceanBase {a}, was {b}", "OceanBase {a}，之前为 {b}", a=catalog.version, b=last.version)
        hint = both("After an upgrade take a full backup.", "升级后请做一次全量备份。")
        found.append(("", Answer(Level.WARN, words, expected, hint)))
    for record in catalog.tenants:
        name, then = record.tenant.name, last.tenants.get(record.tenant.name)
        if then is None:
            continue
        if then.tenant_id != record.tenant.tenant_id:
            words = both(
                "tenant id {a}, was {b}", "租户 ID {a}，之前为 {b}", a=record.tenant.tenant_id, b=then.tenant_id
            )
            found.append((name, Answer(Level.FAIL, words, expected, _OTHER)))
            continue
        number = max([record.archive.round_id if record.archive else 0, *(one.round_id for one in record.rounds)])
        if number < then.round_id and not (case.is_cluster and record.archive is None and not record.rounds):
            words = both("round {a}, was {b}", "轮次 {a}，之前为 {b}", a=number, b=then.round_id)
            found.append((name, Answer(Level.FAIL, words, expected, _OTHER)))
        if last.incarnation is not None and record.incarnation is not None and record.incarnation != last.incarnation:
            words = both(
                "incarnation {a}, was {b}", "incarnation {a}，之前为 {b}", a=record.incarnation, b=last.incarnation
            )
            found.append((name, Answer(Level.FAIL, words, expected, _OTHER)))
    return found or [("", ok(same(here), expected))]


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


_CLOCK = both("The server's clock was set back, or it is another server.", "服务器时钟被回拨，或连接到了另一台服务器。")

RULES = (
    Rule(18, "scope", both("No tenant is left out", "没有遗漏的租户"), CATALOG, judge_cluster=_scope),
    Rule(19, "identity", both("The same cluster as before", "集群身份未变"), CATALOG, judge_cluster=_identity),
    Rule(
        22, "check_recent", both("The check itself is alive", "检查本身持续运行"),
        both("that checks were made, not that they will be", "证明曾经检查过，不代表今后会检查"),
        judge_cluster=_check_recent,
    ),
)  # fmt: skip
