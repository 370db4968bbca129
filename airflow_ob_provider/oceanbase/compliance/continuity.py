"""Whether the logs are whole, and to what moments a tenant can be restored."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from airflow_ob_provider.oceanbase.catalog import Part, TenantRecord
from airflow_ob_provider.oceanbase.compliance.rule import (
    CATALOG,
    Answer,
    Rule,
    TenantCase,
    not_applicable,
    ok,
    unknown,
)
from airflow_ob_provider.oceanbase.compliance.words import Text, at, both, joined, length, same
from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus, Level
from airflow_ob_provider.oceanbase.windows import CLEANED, Cause, CauseKind, Gap, Round, SetProblem, log_runs

_BAD_FILES = frozenset({CauseKind.PIECE_BROKEN, CauseKind.PIECE_INCOMPLETE, CauseKind.PIECE_CLEANED, CauseKind.UNKNOWN})
_BAD_ORDER = frozenset({CauseKind.PIECE_MISSING, CauseKind.NOT_ADJACENT})

FULL_BACKUP = both("Take a full data backup now.", "请立即做一次全量备份。")

_KINDS = {
    CauseKind.INTERRUPTED: both("round {r} was INTERRUPTED{c}", "轮次 {r} 中断（断流）{c}"),
    CauseKind.STOP_START: both("round {r} was stopped{c}", "轮次 {r} 已停止{c}"),
    CauseKind.PIECE_BROKEN: both("round {r}: piece {p} is BROKEN", "轮次 {r}：分片 {p} 状态为 BROKEN"),
    CauseKind.PIECE_INCOMPLETE: both("round {r}: piece {p} is INCOMPLETE", "轮次 {r}：分片 {p} 不完整"),
    CauseKind.PIECE_MISSING: both("round {r}: piece {p} is missing", "轮次 {r}：缺少分片 {p}"),
    CauseKind.PIECE_CLEANED: both("round {r}: piece {p} was cleaned", "轮次 {r}：分片 {p} 已被清理"),
    CauseKind.NOT_ADJACENT: both(
        "round {r}: piece {p} does not begin where the one before ends", "轮次 {r}：分片 {p} 与前一分片不连续"
    ),
    CauseKind.SET_FAILED: both("full backup {p} cannot be used", "全量备份 {p} 不可用"),
    CauseKind.SET_DELETED: both("full backup {p} was deleted", "全量备份 {p} 已被删除"),
    CauseKind.NO_FULL_BACKUP: both(
        "round {r}: logs since {t}, but no full backup", "轮次 {r}：自 {t} 起有日志但无全量备份"
    ),
    CauseKind.UNKNOWN: both("round {r}: nothing certain about piece {p}", "轮次 {r}：分片 {p} 状态不明"),
}


def cause_words(cause: Cause) -> Text:
    """One cause of a hole in words."""
    pieces = f"{cause.first_id}-{cause.last_id}" if cause.last_id > cause.first_id else cause.first_id
    comment = f" ({cause.comment})" if cause.comment else ""
    return _KINDS[cause.kind].filled(r=cause.round_id, p=pieces, t=at(cause.at), c=comment)


def action_words(gap: Gap, state: ArchiveState) -> Text:
    """What ends a hole, or has ended it."""
    if gap.ended_by is not None:
        return both("ended by full backup {n}", "由全量备份 {n} 结束", n=gap.ended_by)
    if state in {ArchiveState.PREPARE, ArchiveState.BEGINNING}:
        return both(
            "open: take a full backup as soon as log backup is DOING",
            "未结束：日志备份进入 DOING 后请立即做一次全量备份",
        )
    if state in {ArchiveState.SUSPENDING, ArchiveState.SUSPEND}:
        return both(
            "open: let log backup go on (LOG_ARCHIVE_DEST_STATE = ENABLE), then take a full backup",
            "未结束：请先恢复日志备份（LOG_ARCHIVE_DEST_STATE = ENABLE），再做一次全量备份",
        )
    if state is not ArchiveState.DOING:
        return both(
            "open: start log backup again, then take a full backup", "未结束：请先重新开启日志备份，再做一次全量备份"
        )
    if gap.pending is not None:
        return both(
            "open: full backup {n} will end it once the checkpoint has passed it",
            "未结束：检查点越过全量备份 {n} 后即结束",
            n=gap.pending,
        )
    return both("open: take a full backup now", "未结束：请立即做一次全量备份")


def piece_causes(record: TenantRecord, *, partial_pieces: bool) -> list[Cause]:
    """What is wrong with pieces; what clean-up has taken from the beginning of a round is not."""
    found = []
    for one in record.rounds:
        first = min((s.first_id for s in one.stretches if s.file_status not in CLEANED), default=None)
        causes = log_runs(one, partial_pieces=partial_pieces).breaks
        found += [
            cause
            for cause in causes
            if cause.kind is not CauseKind.PIECE_CLEANED or (first is not None and cause.last_id > first)
        ]
    return found


def _not_told(case: TenantCase) -> Answer | None:
    for part in (Part.PIECES, Part.BACKUPS):
        if missing := case.unread(part):
            return missing
    return unknown(same(case.record.doubt)) if case.record.doubt else None


def _pieces(case: TenantCase, kinds: frozenset[CauseKind], expected: Text, good: Text) -> Answer:
    if missing := case.unread(Part.PIECES):
        return missing
    if case.record.doubt and not case.record.rounds:
        return unknown(same(case.record.doubt))
    if not case.record.rounds:
        return _no_round(case)
    if not any(one.stretches for one in case.record.rounds) and not case.record.doubt:
        return not_applicable(both("there is no piece", "没有任何分片"))
    causes = [c for c in piece_causes(case.record, partial_pieces=case.is_cluster) if c.kind in kinds]
    if not causes:
        if case.record.doubt and not all(one.stretches for one in case.record.rounds):
            return unknown(same(case.record.doubt))
        return ok(good, expected)
    matters = [c for c in causes if case.is_needed(c.at)]
    words = joined([cause_words(c) for c in (matters or causes)[:5]])
    if len(causes) > 5:
        words = both("{w}; and {n} more", "{w}；另有 {n} 处", w=words, n=len(causes) - 5)
    hint = both(
        "Moments that need it cannot be restored. Look for the files at the destination, then take a full backup.",
        "依赖这些分片的时间点无法恢复。请检查目的端文件，并做一次全量备份。",
    )
    if not matters:
        hint = both(
            "What is needed does not depend on it. Find out why at the destination; waive it until clean-up takes it.",
            "所需时间点不依赖它。请到目的端查明原因，并在清理之前将其豁免。",
        )
    if {c.kind for c in matters} == {CauseKind.UNKNOWN}:
        return Answer(Level.UNKNOWN, words, expected, _LOOK)
    return Answer(Level.FAIL if matters else Level.WARN, words, expected, hint)


def _no_round(case: TenantCase) -> Answer:
    """None is on record, which is odd where STATUS tells of one that archives."""
    if case.state is ArchiveState.DOING and not case.is_joining:
        return unknown(both("STATUS is DOING, but no round is on record", "STATUS 为 DOING，但没有任何轮次记录"), _LOOK)
    return not_applicable(both("there is no round", "没有任何轮次"))


_LOOK = both(
    "The server says what no manual mentions; look at it by hand.", "服务器返回了手册中没有的内容，请人工检查。"
)


def _pieces_available(case: TenantCase) -> Answer:
    expected = both("every piece AVAILABLE", "所有分片均为 AVAILABLE")
    newest = case.newest_round
    if newest and case.state is ArchiveState.DOING and not newest.stretches and not case.record.doubt:
        old = newest.started is not None and (case.now - newest.started).total_seconds() > case.lag_fail
        level = Level.FAIL if old else Level.WARN
        return Answer(level, both("the round has no piece", "当前轮次没有分片"), expected, _NO_LOGS)
    answer = _pieces(case, _BAD_FILES, expected, both("all of them", "全部可用"))
    if answer.level is Level.OK and newest and (new := _new_piece(newest)):
        age = (case.now - new).total_seconds()
        if age > case.lag_fail:
            observed = both("the newest piece is INCOMPLETE for {t}", "最新分片 INCOMPLETE 已 {t}", t=length(age))
            return Answer(Level.WARN, observed, expected, _NO_LOGS)
    return answer


_NO_LOGS = both(
    "No log stream, or not each, has archived into it: compare with the rule slowest_stream, look at the destination.",
    "尚无日志流（或并非所有日志流）归档到其中：请对照规则 slowest_stream 并检查目的端。",
)


def _new_piece(one: Round) -> datetime | None:
    last = one.stretches[-1] if one.stretches else None
    is_new = last is not None and last.is_open and last.file_status is FileStatus.INCOMPLETE
    return last.start if is_new and last is not None else None


def _pieces_adjacent(case: TenantCase) -> Answer:
    return _pieces(
        case,
        _BAD_ORDER,
        both("each piece begins where the one before ends", "每个分片都与前一分片首尾相接"),
        both("without a hole", "连续无断档"),
    )


def _rounds_adjacent(case: TenantCase) -> Answer:
    if missing := case.unread(Part.PIECES):
        return missing
    rounds = [one for one in case.record.rounds if one.started]
    if not rounds:
        return unknown(same(case.record.doubt)) if case.record.doubt else _no_round(case)
    expected = both("one round in all of the recovery window", "恢复窗口内只有一个轮次")
    ends = [(before.round_id, after.round_id, before.checkpoint, after.started) for before, after in pairwise(rounds)]
    # A round of 3.x that is BEGINNING shows when its tenant was created instead of its own beginning.
    inside = [end for end in ends if case.is_needed(end[3]) and not (end[2] and end[3] and end[3] <= end[2])]
    if not inside:
        return ok(
            both("round {r} since {t}", "轮次 {r} 始于 {t}", r=rounds[-1].round_id, t=at(rounds[-1].started)), expected
        )
    words = [
        both(
            "no logs from {a} to {b} (round {m} to {n})",
            "{a} 到 {b} 没有日志（轮次 {m} 到 {n}）",
            a=at(a),
            b=at(b),
            m=m,
            n=n,
        )
        for m, n, a, b in inside[-5:]
    ]
    return Answer(
        Level.WARN,
        joined(words),
        expected,
        both(
            "Moments between two rounds are lost; a full backup in the new round ends the hole.",
            "两个轮次之间的时间点无法恢复；新轮次中的全量备份结束该断档。",
        ),
    )


def _holes_covered(case: TenantCase) -> Answer:
    if answer := _not_told(case):
        return answer
    recovery = case.record.recovery
    if recovery is None:
        return unknown(both("cannot be told", "无法判断"))
    if not case.record.rounds:
        return _no_round(case)
    expected = both("each hole is followed by a full backup", "每个断档之后都有全量备份")
    gap = recovery.open_gap
    if gap is None:
        closed = [gap for gap in recovery.gaps if case.is_needed(gap.end)]
        if not recovery.gaps:
            return ok(both("no hole", "没有断档"), expected)
        last = recovery.gaps[-1]
        return ok(
            both(
                "{n} holes, each ended by a full backup; the last one from {a} to {b}",
                "{n} 个断档，均已由全量备份结束；最近一个从 {a} 到 {b}",
                n=len(closed) or len(recovery.gaps),
                a=at(last.start),
                b=at(last.end),
            ),
            expected,
        )
    observed = both(
        "nothing after {t} can be restored: {c}",
        "{t} 之后的数据无法恢复：{c}",
        t=at(gap.start),
        c=joined([cause_words(cause) for cause in gap.causes[-3:]]),
    )
    odd = (f for f in case.record.fulls if f.problem is SetProblem.UNKNOWN)  # it may end the hole, or not
    after = any(full.logs_from is None or full.logs_from >= gap.start for full in odd)
    if after or {cause.kind for cause in gap.causes} == {CauseKind.UNKNOWN}:
        return Answer(Level.UNKNOWN, observed, expected, _LOOK)
    on_its_way = case.state is ArchiveState.DOING and (gap.pending is not None or case.runs_full_backup)
    hint = action_words(gap, case.state)
    if on_its_way and gap.pending is None:
        hint = both("open: the full backup that runs now will end it", "未结束：当前进行中的全量备份完成后即结束")
    return Answer(Level.WARN if on_its_way else Level.FAIL, observed, expected, hint)


def _restore_point(case: TenantCase) -> Answer:
    if answer := _not_told(case):
        return answer
    full = case.record.newest_full
    if full is None or full.logs_past is None:
        return not_applicable(both("there is no usable full backup", "没有可用的全量备份"))
    expected = both(
        "archived past {t} (full backup {n})", "归档已越过 {t}（全量备份 {n}）", t=at(full.logs_past), n=full.set_id
    )
    inside = [
        one
        for one in case.record.rounds
        if full.logs_from and one.started and one.checkpoint and one.started <= full.logs_from
    ]
    if not inside or inside[-1].checkpoint is None:
        return Answer(Level.FAIL, both("it lies in no round", "不属于任何轮次"), expected, FULL_BACKUP)
    one = inside[-1]
    checkpoint = inside[-1].checkpoint
    if checkpoint > full.logs_past:
        return ok(both("archived until {c}", "归档到 {c}", c=at(checkpoint)), expected)
    is_current = case.newest_round is one and case.state is ArchiveState.DOING
    waited = (case.now - full.logs_past).total_seconds()
    observed = both("round {r} is archived until {c} only", "轮次 {r} 只归档到 {c}", r=one.round_id, c=at(checkpoint))
    if is_current and waited <= case.lag_fail:
        in_flight = both("in flight: archived until {c}", "归档途中：已到 {c}", c=at(checkpoint))
        return ok(in_flight, expected)
    hint = both(
        "Such a backup restores nothing (4018): do not stop log backup before the checkpoint has passed it.",
        "该备份无法恢复（4018）：检查点越过之前不要停止日志备份。",
    )
    return Answer(Level.FAIL, observed, expected, hint)


def _retention(case: TenantCase) -> Answer:
    window = case.limits.recovery_window
    if window is None:
        return not_applicable(both("the policy names no recovery_window", "策略未设置 recovery_window"))
    if answer := _not_told(case):
        return answer
    recovery = case.record.recovery
    if recovery is None:
        return unknown(both("cannot be told", "无法判断"))
    start = case.now - timedelta(seconds=window)
    expected = both("every moment since {t}", "{t} 以来的任意时间点均可恢复", t=at(start))
    if not recovery.windows:
        return Answer(Level.FAIL, both("nothing can be restored", "没有可恢复的时间点"), expected, FULL_BACKUP)
    holes = [gap for gap in recovery.gaps if gap.end is None or gap.end > start]
    first = recovery.windows[0].start
    if first <= start and not holes:
        return ok(both("since {t}", "自 {t} 起", t=at(first)), expected)
    words = []
    if first > start:
        words.append(both("since {t} only", "仅自 {t} 起", t=at(first)))
    words += [
        both(
            "not from {a} to {b}", "{a} 到 {b} 除外", a=at(gap.start), b=at(gap.end) if gap.end else both("now", "现在")
        )
        for gap in holes[-3:]
    ]
    hint = both(
        "It heals with time, unless clean-up takes more than it should.", "随时间推移会自行满足，除非清理过多。"
    )
    if recovery.open_gap:
        hint = action_words(recovery.open_gap, case.state)
    return Answer(Level.WARN, joined(words), expected, hint)


RULES = (
    Rule(7, "pieces_available", both("All pieces are AVAILABLE", "分片均可用"), CATALOG, _pieces_available),
    Rule(8, "pieces_adjacent", both("Pieces are adjacent", "分片连续"), CATALOG, _pieces_adjacent),
    Rule(
        9,
        "rounds_adjacent",
        both("No change of rounds in the window", "恢复窗口内轮次未中断"),
        CATALOG,
        _rounds_adjacent,
    ),
    Rule(
        10,
        "holes_covered",
        both("Each hole is ended by a full backup", "断档均已由全量备份结束"),
        CATALOG,
        _holes_covered,
    ),
    Rule(
        12,
        "restore_point",
        both("The newest full backup is archived past", "归档已越过最新全量备份的恢复点"),
        CATALOG,
        _restore_point,
    ),
    Rule(13, "retention", both("The recovery window is reached", "满足恢复窗口要求"), CATALOG, _retention),
)
