"""Data backups, clean-up, drills, the destination and the log disk."""

from __future__ import annotations

from datetime import timedelta

from airflow_ob_provider.oceanbase.catalog import LogDisk, Part
from airflow_ob_provider.oceanbase.compliance.continuity import FULL_BACKUP
from airflow_ob_provider.oceanbase.compliance.rule import CATALOG, Answer, Rule, TenantCase, not_applicable, ok, unknown
from airflow_ob_provider.oceanbase.compliance.words import Text, at, both, joined, length, percent, same
from airflow_ob_provider.oceanbase.destination import microseconds
from airflow_ob_provider.oceanbase.models import MAX_AHEAD_SECONDS, ArchiveState, Level
from airflow_ob_provider.oceanbase.windows import SetProblem

_RUNNING = frozenset({"DOING", "RUNNING"})


def _full_backup(case: TenantCase) -> Answer:
    if missing := case.unread(Part.BACKUPS):
        return missing
    if case.record.doubt and case.record.attempt is None:
        return unknown(same(case.record.doubt))
    limit = case.limits.full_backup_max_age
    expected = both("at most {t} old, the last one good", "不超过 {t}，且最近一次成功", t=length(limit))
    attempt, done = case.record.attempt, case.record.newest_full_at
    if case.record.newest_full is None:
        if case.runs_full_backup and attempt is not None:
            words = both("the first one runs since {t}", "首次备份自 {t} 起进行中", t=at(attempt.started))
            return Answer(Level.WARN, words, expected, both("Look again when it is done.", "完成后请再检查。"))
        if any(full.problem is SetProblem.UNKNOWN for full in case.record.fulls):
            return unknown(both("what the server says of it is not known", "服务器返回的状态未知"))
        return Answer(Level.FAIL, both("there is none", "没有可用的全量备份"), expected, FULL_BACKUP)
    if done is None:
        return unknown(both("when it was finished is not shown", "完成时间未知"))
    age = (case.now - done).total_seconds()
    if age < -MAX_AHEAD_SECONDS:
        return unknown(both("it was finished at {t}, which lies ahead", "完成时间 {t} 晚于当前时间", t=at(done)))
    found = [
        both("full backup {n} is {t} old", "全量备份 {n} 距今 {t}", n=case.record.newest_full.set_id, t=length(age))
    ]
    level = Level.FAIL if age > 2 * limit else Level.WARN if age > limit else Level.OK
    if attempt and attempt.status.upper() == "FAILED":
        found.append(both("backup {n} FAILED at {t}", "备份 {n} 于 {t} 失败", n=attempt.set_id, t=at(attempt.started)))
        level = max(level, Level.WARN, key=_WORSE.index)
    if attempt and attempt.status.upper() in _RUNNING:
        found.append(both("one runs now", "当前有备份进行中"))
    if level is Level.OK:
        return ok(joined(found), expected)
    hint = both(
        "Look at the failed job's COMMENT (4.x BACKUP_JOB_HISTORY), then back up again.",
        "请查看失败任务的 COMMENT（4.x 见 BACKUP_JOB_HISTORY），然后重新备份。",
    )
    return Answer(level, joined(found), expected, hint)


_WORSE = [Level.OK, Level.WARN, Level.FAIL]


def _cleanup(case: TenantCase) -> Answer:
    part = Part.SETTINGS if case.is_cluster else Part.CLEANUP
    if missing := case.unread(part):
        return missing
    cleanup = case.record.cleanup
    if cleanup is None:
        return unknown(both("not shown", "未显示"))
    expected = both("a recovery window, and clean-up that works", "已设置恢复窗口且清理正常")
    words: list[Text] = []
    hints: list[Text] = []
    if not cleanup.window or not cleanup.is_automatic:
        if not case.limits.cleanup_required:
            return not_applicable(both("the policy asks for no clean-up", "策略不要求自动清理"))
        words.append(both("old backups are not cleaned automatically", "未启用过期备份自动清理"))
        hints.append(_SET_3 if case.is_cluster else _SET_4)
    wanted, found = case.limits.recovery_window, microseconds(cleanup.window.lower()) if cleanup.window else None
    if cleanup.window and found is None:
        return unknown(both("its recovery window is {w!r}", "恢复窗口为 {w!r}", w=cleanup.window))
    if cleanup.window and wanted is not None and found is not None and found / 1e6 < wanted:
        words.append(
            both("keeps {a} only, the policy wants {b}", "仅保留 {a}，策略要求 {b}", a=cleanup.window, b=length(wanted))
        )
        hints.append(_SET_3 if case.is_cluster else _SET_4)
    if cleanup.last_status.upper() in {"FAILED", "CANCELED"}:
        comment = f" ({cleanup.last_comment})" if cleanup.last_comment else ""
        words.append(
            both("the last clean-up {s} at {t}{c}", "最近一次清理 {s}，时间 {t}{c}",
                 s=cleanup.last_status, t=at(cleanup.last_at), c=comment)
        )  # fmt: skip
        hints.append(both("Look at CDB_OB_BACKUP_DELETE_JOB_HISTORY.", "请查看 CDB_OB_BACKUP_DELETE_JOB_HISTORY。"))
    if words:
        return Answer(Level.WARN, joined(words), expected, joined(hints))
    last = both("; last clean-up {s} at {t}", "；最近清理 {s}，{t}", s=cleanup.last_status, t=at(cleanup.last_at))
    tail = last if cleanup.last_status else Text("", "")
    return ok(both("keeps {w}{l}", "保留 {w}{l}", w=cleanup.window, l=tail), expected)


_SET_3 = both(
    "backup_dest_option: recovery_window=7d&auto_delete_obsolete_backup=true (give all its keys).",
    "设置 backup_dest_option：recovery_window=7d&auto_delete_obsolete_backup=true（需写全所有键）。",
)
_SET_4 = both(
    "ALTER SYSTEM ADD DELETE BACKUP POLICY 'default' RECOVERY_WINDOW '7d' TENANT <tenant>.",
    "ALTER SYSTEM ADD DELETE BACKUP POLICY 'default' RECOVERY_WINDOW '7d' TENANT <租户>。",
)


def _restore_drill(case: TenantCase) -> Answer:
    limit, last = case.limits.restore_drill_max_age, case.limits.last_restore_drill
    if limit is None:
        return not_applicable(
            both("the policy names no restore_drill_max_age, and the catalog keeps no drills",
                 "策略未设置 restore_drill_max_age，目录中也没有恢复演练记录")
        )  # fmt: skip
    expected = both("a restore at most {t} ago", "{t} 内做过恢复演练", t=length(limit))
    hint = both(
        "Restore to a throw-away tenant and write the day into last_restore_drill.",
        "请恢复到临时租户，并将日期写入策略的 last_restore_drill。",
    )
    if last is None:
        return Answer(Level.WARN, both("none is written down", "没有记录"), expected, hint)
    age = (case.now.date() - last) / timedelta(seconds=1)
    observed = both("{t} ago ({d})", "{t} 前（{d}）", t=length(age), d=last.isoformat())
    return ok(observed, expected) if age <= limit else Answer(Level.WARN, observed, expected, hint)


def _destination_check(case: TenantCase) -> Answer:
    remark = case.row.remark if case.row else ""
    if remark and case.state is ArchiveState.DOING:
        return Answer(
            Level.WARN, same(remark), both("no remark of the server", "服务器无报错"),
            both("Look at the destination: can every server write there?", "请检查目的端：每个节点是否可写？"),
        )  # fmt: skip
    if case.is_cluster:
        return not_applicable(both("OceanBase 3.x shows no check of its destination", "OceanBase 3.x 不展示目的端检查"))
    if not case.version.has_log_mode:
        return not_applicable(
            both("OceanBase {v} shows no check of its destination", "OceanBase {v} 不展示目的端检查", v=case.version)
        )
    if missing := case.unread(Part.STORAGE):
        return missing
    checked, limit = case.record.storage_checked, case.limits.destination_check_max_age
    if checked is None:
        if limit is None:
            return not_applicable(both("no check is on record", "没有检查记录"))
        return unknown(both("no check is on record", "没有检查记录"))
    age = (case.now - checked).total_seconds()
    observed = both("reached {t} ago", "{t} 前可达", t=length(age))
    if limit is None or age <= limit:
        return ok(observed)
    hint = both("Look at the destination: can every server write there?", "请检查目的端：每个节点是否可写？")
    return Answer(Level.WARN, observed, both("at most {t} ago", "{t} 内", t=length(limit)), hint)


def _log_disk(case: TenantCase) -> Answer:
    if case.is_cluster:
        return not_applicable(both("OceanBase 3.x shows no log disk of tenants", "OceanBase 3.x 不展示租户日志盘"))
    if missing := case.unread(Part.LOG_DISK):
        return missing
    disk = case.record.log_disk
    if disk is None or not disk.size:
        return unknown(both("no unit is shown", "没有资源单元信息"))
    mode = case.record.settings.mode if case.record.settings else None
    mandatory = mode == "mandatory"
    edge = disk.stops_at if mandatory else disk.recycles_at
    words = [both("{p} of {s} GiB", "{p}，共 {s} GiB", p=percent(disk.percent), s=f"{disk.size / 2**30:.1f}")]
    stalled = case.lag is not None and case.lag > case.lag_warn
    growth = _growth(case, disk)
    left = None
    if stalled and growth and growth > 0:  # what is recycled while the archive keeps up has been archived
        left = max(0.0, (disk.size * edge / 100 - disk.in_use) / growth)
        what = (
            both("writes stop", "将停止写入")
            if mandatory
            else both("logs are recycled unarchived", "未归档日志将被回收")
        )
        words.append(
            both("grows by {g} MiB/h, so in about {t} {w}", "每小时增长 {g} MiB，约 {t} 后{w}",
                 g=f"{growth * 3600 / 2**20:.0f}", t=length(left), w=what)
        )  # fmt: skip
    warn_at = case.limits.log_disk_warn
    if not stalled and "log_disk_warn" not in case.limits.model_fields_set:
        warn_at = max(warn_at, disk.recycles_at + 1)  # a healthy tenant keeps its disk filled up to there
    expected = both("below {w} and {e} not near", "低于 {w}，且短期内不会达到 {e}",
                    w=percent(warn_at), e=percent(edge))  # fmt: skip
    near = left is not None and left <= case.limits.log_disk_horizon
    hint = both(
        "Let archiving catch up (destination, bandwidth, concurrency) or enlarge the tenant's log disk.",
        "请让归档追上（目的端、带宽、并发），或扩大租户日志盘。",
    )
    if disk.percent >= disk.stops_at or (disk.percent >= edge and stalled):
        return Answer(Level.FAIL, joined(words), expected, hint)
    if near or disk.percent >= warn_at:
        return Answer(Level.WARN, joined(words), expected, hint)
    return ok(joined(words), expected)


def _growth(case: TenantCase, disk: LogDisk) -> float | None:
    """Bytes a second since the last check."""
    last = case.remembered
    if case.memory is None or last is None or last.log_disk_in_use is None:
        return None
    passed = (case.now - case.memory.checked_at).total_seconds()
    return (disk.in_use - last.log_disk_in_use) / passed if passed > 0 else None


RULES = (
    Rule(11, "full_backup", both("A full backup is recent and good", "全量备份及时且成功"), CATALOG, _full_backup),
    Rule(15, "destination_check", both("The destination is reached", "归档目的端可达"), CATALOG, _destination_check),
    Rule(16, "log_disk", both("The log disk has room", "日志盘余量充足"), CATALOG, _log_disk),
    Rule(20, "cleanup", both("Old backups are cleaned", "过期备份得到清理"), CATALOG, _cleanup),
    Rule(
        21, "restore_drill", both("A restore was tried", "做过恢复演练"),
        both("what the policy says; a restore proves more than any catalog",
             "依据策略中的记录；恢复演练比任何目录都更有说服力"),
        _restore_drill,
    ),
)  # fmt: skip
