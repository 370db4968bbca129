"""Whether log backup runs, and how late it is."""

from __future__ import annotations

from datetime import datetime

from airflow_ob_provider.oceanbase.catalog import Part
from airflow_ob_provider.oceanbase.compliance.rule import (
    CATALOG,
    Answer,
    Rule,
    TenantCase,
    not_applicable,
    ok,
    unknown,
)
from airflow_ob_provider.oceanbase.compliance.words import at, both, joined, length, same
from airflow_ob_provider.oceanbase.models import MAX_AHEAD_SECONDS, ArchiveState, Level

_BEGINNING = frozenset({ArchiveState.PREPARE, ArchiveState.BEGINNING})
_PAUSED = frozenset({ArchiveState.SUSPENDING, ArchiveState.SUSPEND})
_ENDED = frozenset({ArchiveState.STOP, ArchiveState.STOPPING})

_RESTART = both(
    "It does not heal by itself. Remove the cause, stop and start log backup (a new round), then take a full data "
    "backup at once: nothing after the checkpoint can be restored until then.",
    "该状态不会自动恢复。请先排除原因，停止后重新开启日志备份（产生新轮次），并立即做一次全量备份：在此之前，"
    "检查点之后的数据无法恢复。",
)
_START = both(
    "Run the DAG ob_log_archive, then take a full data backup.", "请运行 DAG ob_log_archive，然后做一次全量备份。"
)
_UNKNOWN_STATE = both(
    "The server says what no manual mentions; look at it by hand.", "服务器返回了手册中没有的状态，请人工检查。"
)
_NOT_RUNNING = both("no round runs; the rule status says more", "没有正在运行的轮次，详见规则 status")


def _log_mode(case: TenantCase) -> Answer:
    if not case.version.has_log_mode:
        return not_applicable(
            both(
                "OceanBase {v} has no LOG_MODE: STATUS alone tells",
                "OceanBase {v} 没有 LOG_MODE，只看 STATUS",
                v=case.version,
            )
        )
    expected = same("ARCHIVELOG")
    mode = case.row.archivelog if case.row else None
    if mode is None:
        return unknown(both("LOG_MODE cannot be read", "无法读取 LOG_MODE"), _UNKNOWN_STATE)
    if mode:
        return ok(same("ARCHIVELOG"), expected)
    return Answer(Level.FAIL, same("NOARCHIVELOG"), expected, _START)


def _status(case: TenantCase) -> Answer:
    state, expected = case.state, same("DOING")
    remark = f" ({case.row.remark})" if case.row and case.row.remark else ""
    observed = same(f"{case.words}{remark}")
    if state is ArchiveState.DOING:
        own = case.row.state if case.row else None
        if not case.is_cluster or own in {ArchiveState.DOING, ArchiveState.BEGINNING}:
            return ok(observed, expected)
        words = case.row.status if case.row else "no row"
        apart = both("cluster DOING, tenant {s}", "集群 DOING，租户 {s}", s=words)
        if own is ArchiveState.UNKNOWN:
            return unknown(apart, _UNKNOWN_STATE)
        if own is ArchiveState.INTERRUPTED:
            return Answer(Level.FAIL, apart, expected, _RESTART)
        return Answer(Level.WARN, apart, expected, _LATE_TENANT)
    if state is ArchiveState.UNKNOWN:
        return unknown(observed, _UNKNOWN_STATE)
    if state is ArchiveState.INTERRUPTED:
        return Answer(Level.FAIL, observed, expected, _RESTART)
    if state in _BEGINNING:
        return Answer(Level.WARN, observed, expected, both("It is on its way; look again.", "正在启动，请稍后再查。"))
    if state in _PAUSED:
        return Answer(Level.WARN, observed, expected, _PAUSE)
    return Answer(Level.FAIL, observed, expected, _START)


_LATE_TENANT = both(
    "A tenant that is younger than the round joins by itself; if it does not, look at rootservice.log.",
    "新建租户会自动加入当前轮次；若一直未加入，请查看 rootservice.log。",
)


def _state_age(case: TenantCase) -> Answer:
    state, limits = case.state, case.limits
    if state is ArchiveState.UNKNOWN:
        return unknown(same(case.words), _UNKNOWN_STATE)
    if case.is_joining and case.row and case.row.started:
        return _aged(case, case.row.status, case.row.started, (limits.transition_max,) * 2)
    if case.is_joining and case.memory and case.since_last and case.remembered and not case.remembered.round_id:
        return _aged(case, "no row", case.memory.checked_at, (limits.transition_max,) * 2)
    if state in {ArchiveState.DOING, ArchiveState.STOP}:
        return ok(both("{s}: nothing is on its way", "{s}：没有过渡状态", s=case.words))
    if state is ArchiveState.INTERRUPTED:
        since = case.record.state_since or (case.row.checkpoint if case.row else None)
        observed = both("INTERRUPTED since {t}", "自 {t} 起处于 INTERRUPTED", t=at(since))
        return Answer(Level.FAIL, observed, both("not INTERRUPTED", "未中断"), _RESTART)
    last = case.remembered
    since = case.record.state_since or (last.state_since if last and last.state == str(state) else None)
    told = case.record.state_told
    if since is None and told not in {None, state}:
        return ok(both("{s}, since a moment ago", "{s}，刚刚开始", s=case.words))
    begins = case.catalog.governing if case.is_cluster else case.row  # 3.x: a tenant's row shows its creation
    if since is None and begins and _has_begun_nothing(case):
        since = begins.started
    suspended = state is ArchiveState.SUSPEND
    edges = (limits.suspend_warn, limits.suspend_fail) if suspended else (limits.transition_max,) * 2
    if since is None:
        return unknown(both("{s}; since when is not shown", "{s}，起始时间未知", s=case.words))
    return _aged(case, case.words, since, edges)


def _aged(case: TenantCase, words: str, since: datetime, edges: tuple[float, float]) -> Answer:
    warn, fail = edges
    expected = both("at most {t}", "不超过 {t}", t=length(fail))
    age = (case.now - since).total_seconds()
    if age < -MAX_AHEAD_SECONDS:
        ahead = both("{s} since {t}, which lies ahead", "{s} 始于 {t}，晚于当前时间", s=words, t=at(since))
        return unknown(ahead, _CLOCKS)
    observed = both("{s} for {t}", "{s} 已持续 {t}", s=words, t=length(age))
    if age <= warn:
        return ok(observed, expected)
    hint = both(
        "A destination that cannot be written or a dead server holds it up; 4.2.3+ ends STOPPING by force after "
        "10 min.",
        "通常是目的端不可写或有节点宕机；4.2.3 及以上版本的 STOPPING 会在 10 分钟后强制结束。",
    )
    return Answer(Level.FAIL if age > fail else Level.WARN, observed, expected, hint)


def lag_state(case: TenantCase) -> str:
    """Late is not lost: ``ok``, ``in_flight``, ``delayed``, ``stalled``, ``lost`` or ``unknown``."""
    if case.state in {ArchiveState.INTERRUPTED, *_ENDED}:
        return "lost"
    lag = case.lag
    if _has_begun_nothing(case):
        return "in_flight"
    if case.state is ArchiveState.UNKNOWN or lag is None or lag < -MAX_AHEAD_SECONDS:
        return "unknown"
    if lag <= case.lag_target:
        return "ok"
    if lag <= case.lag_warn:
        return "in_flight"
    return "stalled" if _is_stuck(case) else "delayed"


def _is_stuck(case: TenantCase) -> bool:
    """The checkpoint has not moved since a check that lies further back than a healthy one stands still."""
    last, row, passed = case.remembered, case.row, case.since_last
    if last is None or passed is None or row is None or row.checkpoint is None:
        return False
    return last.round_id == row.round_id and last.checkpoint == row.checkpoint and passed > case.lag_warn


_LAG_WORDS = {
    "ok": both("in time", "正常"),
    "in_flight": both("in flight", "归档途中"),
    "delayed": both("delayed", "延迟"),
    "stalled": both("stalled", "停滞"),
    "lost": both("lost until a new full backup", "已断流，需新的全量备份"),
    "unknown": both("unknown", "未知"),
}


def _lag(case: TenantCase) -> Answer:
    lag, kind = case.lag, lag_state(case)
    expected = both(
        "at most {w} (fails above {f})",
        "不超过 {w}（超过 {f} 判为失败）",
        w=length(case.lag_warn),
        f=length(case.lag_fail),
    )
    if case.state in _ENDED:
        return not_applicable(_NOT_RUNNING)
    if _has_begun_nothing(case):
        return not_applicable(both("nothing is archived yet", "尚未开始归档"))
    if lag is None:
        return unknown(both("no checkpoint is shown", "没有检查点"))
    if lag < -MAX_AHEAD_SECONDS:
        return unknown(
            both("the checkpoint is {t} ahead of the server's clock", "检查点比服务器时钟快 {t}", t=length(-lag)),
            _CLOCKS,
        )
    observed = both(
        "{t} behind ({k}); checkpoint {c}",
        "落后 {t}（{k}）；检查点 {c}",
        t=length(lag),
        k=_LAG_WORDS[kind],
        c=at(case.row.checkpoint if case.row else None),
    )
    if case.state is ArchiveState.INTERRUPTED:
        return Answer(Level.FAIL, observed, expected, _RESTART)
    if lag <= case.lag_warn:
        return ok(observed, expected)
    if case.state in _PAUSED and case.limits.lag_fail is None and case.limits.rpo is None:
        # Somebody wanted it so: how long that may last is asked by state_age, unless the policy names a lag.
        return Answer(Level.WARN, observed, expected, _PAUSE)
    hint = _PAUSE if case.state in _PAUSED else _SLOW
    return Answer(Level.FAIL if lag > case.lag_fail else Level.WARN, observed, expected, hint)


def _has_begun_nothing(case: TenantCase) -> bool:
    """The checkpoint of a round that is only beginning is where it starts: it says nothing about a delay."""
    if case.state not in _BEGINNING and not case.is_joining:
        return False
    row = case.row
    return row is None or row.checkpoint is None or (row.started is not None and row.checkpoint <= row.started)


_CLOCKS = both("Look at the clocks and time zones of the servers.", "请检查各节点的时钟与时区。")
_PAUSE = both(
    "Somebody has switched the destination off: LOG_ARCHIVE_DEST_STATE = ENABLE lets it go on.",
    "归档目的端被置为 DEFER：将 LOG_ARCHIVE_DEST_STATE 设为 ENABLE 后继续归档。",
)
_SLOW = both(
    "Compare with the rule slowest_stream; look at the destination's bandwidth, sys_bkgd_net_percentage, "
    "log_archive_concurrency and the log of the server that leads the slowest log stream.",
    "对照规则 slowest_stream；检查目的端带宽、sys_bkgd_net_percentage、log_archive_concurrency，"
    "以及最慢日志流主副本所在节点的日志。",
)


def _checkpoint_moved(case: TenantCase) -> Answer:
    last, row = case.remembered, case.row
    if case.memory is None or last is None:
        return not_applicable(both("this is the first check", "首次检查"))
    if not case.state.is_running and case.state is not ArchiveState.INTERRUPTED:
        return not_applicable(_NOT_RUNNING)
    now = row.checkpoint if row else None
    if row is None or now is None or last.checkpoint is None:
        return not_applicable(both("there was no checkpoint to compare", "没有可比较的检查点"))
    expected = both("later than at the last check", "晚于上次检查时的检查点")
    if last.round_id != row.round_id:
        return ok(
            both("a new round: {a}, was {b}", "新轮次 {a}，上次为 {b}", a=row.round_id, b=last.round_id), expected
        )
    passed = case.since_last
    if passed is None:
        return not_applicable(_SET_BACK)
    step = (now - last.checkpoint).total_seconds()
    if step > 0:
        return ok(both("moved by {s} in {p}", "{p} 内前进 {s}", s=length(step), p=length(passed)), expected)
    if step < 0:
        observed = both("went back by {s}", "后退了 {s}", s=length(-step))
        return Answer(Level.FAIL, observed, expected, _UNKNOWN_STATE)
    observed = both("has not moved for {p}: {c}", "{p} 未前进：{c}", p=length(passed), c=at(now))
    if passed <= case.lag_warn:
        return ok(observed, expected)
    return Answer(Level.FAIL, observed, expected, _SLOW)


def _checkpoint_proof(case: TenantCase) -> Answer:
    """Everything written before the last check is archived by now: pgBackRest's proof, an interval late."""
    if case.memory is None or case.remembered is None:
        return not_applicable(both("this is the first check", "首次检查"))
    if not case.state.is_running and case.state is not ArchiveState.INTERRUPTED:
        return not_applicable(_NOT_RUNNING)
    then, passed = case.memory.checked_at, case.since_last
    if passed is None:
        return not_applicable(_SET_BACK)
    checkpoint = case.row.checkpoint if case.row else None
    expected = both("everything written before {t} is archived", "{t} 之前写入的日志均已归档", t=at(then))
    started = case.row.started if case.row else None
    if started is not None and started > then:
        # Logs from before a round are in another one, or nowhere.
        return not_applicable(
            both("round {r} began at {t}, after the last check", "轮次 {r} 于 {t} 开始，晚于上次检查",
                 r=case.row.round_id if case.row else 0, t=at(started))
        )  # fmt: skip
    if checkpoint is not None and checkpoint >= then:
        return ok(both("proven: archived until {c}", "已证明：归档到 {c}", c=at(checkpoint)), expected)
    if passed <= case.lag_fail:
        return not_applicable(
            both("the last check is only {p} ago", "距上次检查仅 {p}，尚不足以判断", p=length(passed))
        )
    observed = both("archived until {c} only, {p} after", "{p} 之后仍只归档到 {c}", c=at(checkpoint), p=length(passed))
    return Answer(Level.FAIL, observed, expected, _SLOW)


_SET_BACK = both("the server's clock was set back since the last check", "自上次检查后服务器时钟被回拨")


def _slowest_stream(case: TenantCase) -> Answer:
    lag = case.lag
    if case.state in {*_ENDED, *_PAUSED} or lag is None:
        return not_applicable(_NOT_RUNNING)
    if lag <= case.lag_warn and case.state is not ArchiveState.INTERRUPTED:
        return ok(both("the tenant is in time, so no log stream is late", "租户未延迟，因此没有日志流延迟"))
    if missing := case.unread(Part.STREAMS):
        return missing
    if not case.is_cluster and not case.version.has_log_mode:
        return not_applicable(
            both("OceanBase {v} does not show log streams", "OceanBase {v} 不展示日志流进度", v=case.version)
        )
    if case.record.streams is None:
        return not_applicable(both("not late enough to ask for the log streams", "延迟尚短，未查询日志流"))
    if not case.record.streams:
        return unknown(both("no log stream is shown", "没有日志流信息"))
    found = [
        both(
            "{n} {w} {c}",
            "{n} {w} {c}",
            n=stream.name,
            c=at(stream.checkpoint),
            w=both("INTERRUPTED at", "中断于") if stream.is_broken else both("archived until", "归档到"),
        )
        for stream in case.record.streams[:3]
    ]
    broken = any(stream.is_broken for stream in case.record.streams)
    late = lag > case.lag_fail
    level = Level.FAIL if broken or late else Level.WARN
    return Answer(level, joined(found), both("no late log stream", "没有延迟的日志流"), _SLOW)


RULES = (
    Rule(1, "log_mode", both("Log mode is on", "日志归档模式已开启"), CATALOG, _log_mode),
    Rule(2, "status", both("Log backup is DOING", "日志备份状态为 DOING"), CATALOG, _status),
    Rule(3, "state_age", both("No state on the way lasts too long", "过渡状态未超时"), CATALOG, _state_age),
    Rule(4, "lag", both("The lag is within its limits", "日志备份延迟在限值内"), CATALOG, _lag),
    Rule(
        5,
        "checkpoint_moved",
        both("The checkpoint has moved since the last check", "检查点自上次检查后有前进"),
        CATALOG,
        _checkpoint_moved,
    ),
    Rule(
        6,
        "checkpoint_proof",
        both("What was written before the last check is archived", "上次检查前写入的日志已归档"),
        both(
            "logs reach the archive end to end, by the server's word; not that they can be read back",
            "日志端到端到达归档（据服务器所述），不代表可被读回",
        ),
        _checkpoint_proof,
    ),
    Rule(17, "slowest_stream", both("No log stream is late", "没有落后的日志流"), CATALOG, _slowest_stream),
)
