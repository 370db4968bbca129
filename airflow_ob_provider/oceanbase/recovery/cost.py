"""What a hole in the logs costs until the next full backup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow_ob_provider.oceanbase.compliance.words import Text, at, both, few
from airflow_ob_provider.oceanbase.recovery.unit import Unit


@dataclass(frozen=True)
class Cost:
    """What cannot be restored until the steps are done, and what happens meanwhile."""

    gap_from: datetime | None
    """Moments after it cannot be restored; None where it is not known, or nothing ever could be."""
    gap_to: datetime | None
    """None: until the restore point of the next full backup."""
    is_new: bool
    """The steps themselves make it: now there is none."""
    tenants: tuple[str, ...]
    full_backups: dict[str, tuple[int, ...]]
    """By tenant, the full backups that cannot be rolled forward past it, as far as the catalog names them."""
    words: Text
    writes: Text


def cost_of(unit: Unit) -> Cost:
    """What is lost from the hole that is open, or from the one that a stop would make now."""
    gaps, windows = unit.open_gaps, unit.last_windows
    certain = [gap.start for gap in gaps.values()]
    row = unit.row
    checkpoint = row.checkpoint if row else None
    is_new = not gaps and not unit.why_untold
    start = min(certain) if certain else checkpoint
    names = tuple(sorted(gaps)) or tuple(record.tenant.name for record in unit.records)
    lost = {
        record.tenant.name: tuple(
            full.set_id
            for full in record.fulls
            if full.problem is None
            and full.restores_from is not None
            and (window := windows.get(record.tenant.name)) is not None
            and window.start <= full.restores_from <= window.end
        )
        for record in unit.records
        if record.tenant.name in names
    }
    if not any(lost.values()) and gaps and not windows:
        words = both(
            "nothing of {t} can be restored until a full backup has been taken",
            "在完成全量备份之前，{t} 没有任何可恢复的时间点",
            t=few(names),
        )
    else:
        words = both(
            "no moment from {a}{n} to the restore point of the next full backup can be restored",
            "自 {a}{n} 起，到下一个全量备份的可恢复点为止，其间的任何时间点都无法恢复",
            a=at(start),
            n=both(" at the earliest", "（最早）") if is_new else both("", ""),
        )
    modes = {record.settings.mode for record in unit.records if record.settings}
    writes = (
        both(
            "In Mandatory mode users' writes may be blocked until log backup is stopped or archives again; what they "
            "write meanwhile stays in the database but in no backup.",
            "Mandatory 模式下，在日志备份停止或恢复归档之前，用户写入可能被阻塞；"
            "其间的写入保留在数据库中，但不在任何备份里。",
        )
        if "mandatory" in modes
        else both(
            "Users' writes go on; what they write meanwhile is in the database but in no backup.",
            "用户写入不受影响；其间的写入保留在数据库中，但不在任何备份里。",
        )
    )
    return Cost(start, None, is_new, names, {name: sets for name, sets in lost.items() if sets}, words, writes)
