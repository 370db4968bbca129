"""A plan as a person reads it before saying yes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_ob_provider.oceanbase.compliance.words import Text, at, both, few, length
from airflow_ob_provider.oceanbase.models import ArchiveState, Scope
from airflow_ob_provider.oceanbase.recovery.cause import BreakCause
from airflow_ob_provider.oceanbase.recovery.cost import Cost
from airflow_ob_provider.oceanbase.recovery.diagnosis import Diagnosis
from airflow_ob_provider.oceanbase.recovery.plan import RecoveryPlan, RecoveryStep, UnitPlan

_STEPS = {
    RecoveryStep.FORCE_STOP: both("stop by force, new destination", "强制停止并设置新目的端"),
    RecoveryStep.STOP: both("stop", "停止"),
    RecoveryStep.WAIT_STOP: both("wait for STOP", "等待 STOP"),
    RecoveryStep.SET_DESTINATION: both("set the destination", "设置目的端"),
    RecoveryStep.RESUME: both("resume", "恢复"),
    RecoveryStep.START: both("start a new round", "开启新轮次"),
    RecoveryStep.WAIT_DOING: both("wait for DOING", "等待 DOING"),
    RecoveryStep.FULL_BACKUP: both("full backup", "全量备份"),
    RecoveryStep.WAIT_BACKUP: both("wait for the full backup that runs", "等待进行中的全量备份"),
    RecoveryStep.WAIT_CHECKPOINT: both("wait until the logs have passed the full backup", "等待检查点越过全量备份"),
    RecoveryStep.CHECK: both("check", "合规检查"),
}
_CAUSES = {
    BreakCause.NONE: both("-", "-"),
    BreakCause.DESTINATION: both("destination", "目的端"),
    BreakCause.RECYCLED: both("recycled", "日志已回收"),
    BreakCause.DISCONTINUOUS: both("discontinuous", "日志不连续"),
    BreakCause.GC: both("GC", "GC"),
    BreakCause.UNKNOWN: both("unknown", "未知"),
}
_HEADS = both(
    "|  | state | class | steps | not restorable from | what to do |",
    "|  | 状态 | 断流原因 | 步骤 | 不可恢复起点 | 处理办法 |",
)
_RULE = "| --- | --- | --- | --- | --- | --- |"
MAX_ROWS = 100
"""Rows of the table; units with nothing to do come last."""


def plan_markdown(diagnoses: Sequence[Diagnosis], plan: RecoveryPlan, *, title: Text | None = None) -> Text:
    """The plan in both languages, as Markdown: a table, then the cost and the evidence of each that has steps."""
    pairs = sorted(zip(diagnoses, plan.plans, strict=True), key=lambda pair: pair[1].is_done)
    lines = [
        title or both("## Recovery of log backup", "## 日志备份恢复"),
        _summary(plan),
        _same(""),
        _HEADS,
        _same(_RULE),
    ]
    lines += [_row(diagnosis, one) for diagnosis, one in pairs[:MAX_ROWS]]
    if len(pairs) > MAX_ROWS:
        lines.append(both("\nand {n} more", "\n另有 {n} 个", n=len(pairs) - MAX_ROWS))
    for diagnosis, one in pairs[:MAX_ROWS]:
        if not one.is_done:
            lines += [_same(""), *_details(diagnosis, one)]
    return Text("\n".join(line.en for line in lines), "\n".join(line.zh for line in lines))


def _summary(plan: RecoveryPlan) -> Text:
    busy = sum(bool(one.steps) for one in plan.plans)
    what = both("Clusters", "集群") if plan.scope is Scope.CLUSTER else both("Tenants", "租户")
    return both(
        "{w}: {n} of {m} need something, {u} cannot be judged.",
        "{w}：{m} 个中有 {n} 个需要处理，{u} 个无法判断。",
        n=busy,
        m=len(plan.plans),
        w=what,
        u=len(plan.refused),
    )


def _row(diagnosis: Diagnosis, plan: UnitPlan) -> Text:
    round_id = f" (round {diagnosis.round_id})" if diagnosis.round_id else ""
    state = diagnosis.status or str(ArchiveState.UNKNOWN)
    cells: Iterable[Text] = (
        _same(diagnosis.place),
        _same(f"{state}{round_id}"),
        _CAUSES[diagnosis.cause],
        _arrows(plan.steps),
        at(plan.cost.gap_from) if plan.cost else _same("-"),
        plan.reason,
    )
    found = [_cell(cell) for cell in cells]
    return Text(
        "| " + " | ".join(cell.en for cell in found) + " |", "| " + " | ".join(cell.zh for cell in found) + " |"
    )


def _details(diagnosis: Diagnosis, plan: UnitPlan) -> list[Text]:
    lines = [_same(f"**{_one_line(diagnosis.place)}**")]
    if plan.cost:
        lines += [both("- cost: {c}", "- 代价：{c}", c=_cost(plan.cost))]
    if diagnosis.is_stuck and diagnosis.ends_after and diagnosis.state is ArchiveState.STOPPING:
        lines.append(
            both(
                "- the server ends it by force after {t}", "- 服务器将在 {t} 后强制停止", t=length(diagnosis.ends_after)
            )
        )
    if plan.steps and diagnosis.needs_person:
        lines.append(both("- **a person has to look first**", "- **需要先人工处理**"))
    return lines + [_same(f"- {_one_line(line)}") for line in diagnosis.evidence]


def _cost(cost: Cost) -> Text:
    sets = [f"{name}: {', '.join(map(str, ids[:5]))}" for name, ids in sorted(cost.full_backups.items())]
    lost = (
        both("; full backups that cannot be rolled past it: {s}", "；无法越过断档恢复的全量备份：{s}", s=few(sets))
        if sets
        else both("", "")
    )
    return both("{w}{l}. {u}", "{w}{l}。{u}", w=cost.words, l=lost, u=cost.writes)


def _arrows(steps: Sequence[RecoveryStep]) -> Text:
    if not steps:
        return _same("-")
    return Text(" → ".join(_STEPS[step].en for step in steps), " → ".join(_STEPS[step].zh for step in steps))


def _same(text: str) -> Text:
    return Text(text, text)


def _cell(text: Text) -> Text:
    """A cell: a bar would end it."""
    return Text(_one_line(text.en).replace("|", "/"), _one_line(text.zh).replace("|", "/"))


def _one_line(text: str) -> str:
    return " ".join(text.split())
