"""What a person does about a log backup that broke off, or does not move, in both languages.

Sources: V3.1.5 and V4.2.5 manuals (log backup; log archive; force stop), error code manual, OceanBase's community FAQ.
"""

from __future__ import annotations

from airflow_ob_provider.oceanbase.compliance.words import both
from airflow_ob_provider.oceanbase.recovery.cause import BreakCause

_RESTART = both(
    "stop, wait for STOP, start a new round, wait for DOING, full data backup",
    "停止 → 等待 STOP → 开启新轮次 → 等待 DOING → 全量备份",
)

BROKEN = {
    BreakCause.DESTINATION: both(
        "Repair the destination before anything else: mounted on every OBServer (NFS options as in the manual), "
        "readable and writable for the observer's user, not full; object stores: host, keys, network. Then: {r}.",
        "请先修复备份目的端：每台 OBServer 均已挂载（NFS 参数按手册）、observer 用户可读写、空间未满；对象存储请检查 "
        "host、密钥与网络。然后：{r}。",
        r=_RESTART,
    ),
    BreakCause.RECYCLED: both(
        "Logs were recycled before they were archived; they are lost. {r}. It will happen again unless log backup gets "
        "a faster destination, more concurrency or a larger log disk, or Mandatory mode (which may block writes).",
        "日志在归档之前已被回收，无法补回。{r}。若不提升目的端性能、归档并发或日志盘容量，"
        "也不改为 Mandatory（可能阻塞写入），还会再次发生。",
        r=_RESTART,
    ),
    BreakCause.DISCONTINUOUS: both(
        "The logs to be archived do not join; only a new round goes on. {r}. Keep observer.log of the time of the "
        "break for OceanBase's support.",
        "待归档的日志不连续，只能由新轮次继续。{r}。请保留断流时段的 observer.log 以便联系 OceanBase 支持。",
        r=_RESTART,
    ),
    BreakCause.GC: both(
        "A log stream was removed before all of it was archived; only a new round goes on. {r}.",
        "日志流在归档完成之前已被回收（GC），只能由新轮次继续。{r}。",
        r=_RESTART,
    ),
    BreakCause.UNKNOWN: both(
        "Nothing the server shows names the cause, so a person looks first: is the destination mounted, writable and "
        "not full on every OBServer (first on those named above)? Was log backup far behind in Optional mode, so that "
        "logs were recycled? rootservice.log and observer.log of that time (grep ARCHIVE). Then: {r}.",
        "服务器给出的信息不足以判断原因，请先人工检查：每台 OBServer（先查上面列出的）上的目的端是否已挂载、可写、"
        "未满？Optional 模式下是否因延迟过大导致日志被回收？查看该时段 rootservice.log 与 observer.log"
        "（grep ARCHIVE）。然后：{r}。",
        r=_RESTART,
    ),
}
STOPPING = both("It is being stopped: wait for STOP, then start.", "正在停止：等待 STOP 后再开启。")
STOPPING_FORCED = both(
    "It does not stop: the destination is dead, or an OBServer is down. The server ends it by force after 10 minutes; "
    "repair the destination before the start.",
    "停止未完成：目的端不可用或有 OBServer 宕机。服务器会在 10 分钟后强制停止；开启之前请先修复目的端。",
)
STOPPING_FORCE = both(
    "It does not stop: the destination is dead, or an OBServer is down. Repair it and STOPPING ends by itself; or, on "
    "an approval of its own, ALTER SYSTEM CANCEL ALL BACKUP FORCE, which cancels every backup and empties backup_dest: "
    "an empty directory that this cluster has never used must be set after it.",
    "停止未完成：目的端不可用或有 OBServer 宕机。修复后 STOPPING 会自行结束；或经单独审批执行 ALTER SYSTEM CANCEL ALL "
    "BACKUP FORCE，它会取消所有备份并清空 backup_dest，之后必须设置一个本集群从未使用过的空目录。",
)
STOPPING_PERSON = both(
    "It does not stop: the destination is dead, or an OBServer is down, and this version has no stop by force. Repair "
    "the destination or bring the OBServer back; STOPPING then ends by itself.",
    "停止未完成：目的端不可用或有 OBServer 宕机，且该版本没有强制停止。"
    "请修复目的端或恢复 OBServer，STOPPING 会自行结束。",
)
SUSPENDED = both(
    "Somebody has suspended it (DEFER). Let it go on: LOG_ARCHIVE_DEST_STATE = ENABLE continues the same round, and "
    "there is no gap as long as its logs are still there.",
    "有人将其暂停（DEFER）。请恢复：LOG_ARCHIVE_DEST_STATE = ENABLE 后继续同一轮次，只要日志尚未被回收就没有断档。",
)
SUSPENDING_STUCK = both(
    "It has been SUSPENDING for longer than it should: the destination is dead, or an OBServer is down. Repair it, "
    "then switch the destination on again; it goes on as the same round. A stop instead makes a gap.",
    "SUSPENDING 时间过长：目的端不可用或有 OBServer 宕机。请修复后重新启用目的端，同一轮次会继续；"
    "若改为停止则会产生断档。",
)
STOPPED = both(
    "It is stopped. Start it (a new round) and take a full data backup as soon as it is DOING.",
    "已停止。请开启（新轮次），进入 DOING 后立即做全量备份。",
)
NO_DESTINATION = both(
    "It is stopped and has no destination: set one (on 3.x an empty directory this cluster has never used), start it "
    "and take a full data backup.",
    "已停止且没有备份目的端：请设置目的端（3.x 须为本集群从未使用过的空目录），开启后做全量备份。",
)
STARTING = both("It is on its way up: wait for DOING.", "正在启动：等待 DOING。")
STARTING_STUCK = both(
    "It has been starting for longer than it should: is the destination mounted and writable on every OBServer, has "
    "every tenant a leader, are the clocks in step? rootservice.log tells more.",
    "启动时间过长：每台 OBServer 上目的端是否已挂载且可写？每个租户是否有主副本？时钟是否同步？详见 rootservice.log。",
)
NEEDS_FULL = both(
    "It archives; take a full data backup in this round: older ones cannot be restored past the gap.",
    "归档正常；请在本轮次做一次全量备份：更早的备份无法越过断档恢复。",
)
FINE = both("Nothing is to be done.", "无需处理。")
NEVER = both(
    "It has never been archived: that is a first start, not a recovery.", "从未归档过：应首次开启，而不是恢复。"
)
UNTOLD = both("It cannot be judged, so nothing is done: {why}.", "无法判断，因此不做任何操作：{why}。")
