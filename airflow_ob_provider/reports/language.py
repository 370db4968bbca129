"""The words of a report in English and in Chinese: OCP's own where it has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_ob_provider.oceanbase.words import LANGUAGES

_LEVELS = {
    "OK": ("OK", "正常"),
    "WARN": ("WARN", "警告"),
    "FAIL": ("FAIL", "严重"),
    "UNKNOWN": ("UNKNOWN", "未知"),
    "WAIVED": ("WAIVED", "已豁免"),
    "NOT_APPLICABLE": ("NOT APPLICABLE", "不适用"),
}
_STATES = {
    "BEGINNING": "启动中",
    "RUNNING": "进行中",
    "STOPPING": "停止中",
    "STOPPED": "已停止",
    "INTERRUPTED": "已中断",
    "SUSPENDING": "暂停中",
    "SUSPENDED": "已暂停",
    "NOT_ARCHIVED": "未归档",
}
_LAG = {
    "ok": ("ok", "正常"),
    "in_flight": ("in flight", "传输中"),
    "delayed": ("delayed", "延迟"),
    "stalled": ("stalled", "停滞"),
    "lost": ("stream broken", "已断流"),
    "unknown": ("unknown", "未知"),
}
_CAUSES = {
    "interrupted": ("interrupted", "归档中断"),
    "stop_start": ("stopped and started", "停止后重启"),
    "piece_broken": ("piece broken", "分片损坏"),
    "piece_incomplete": ("piece incomplete", "分片不完整"),
    "piece_missing": ("piece missing", "分片缺失"),
    "piece_cleaned": ("piece cleaned", "分片已清理"),
    "not_adjacent": ("not adjacent", "分片不相接"),
    "set_failed": ("backup set failed", "备份集失败"),
    "set_deleted": ("backup set deleted", "备份集已删除"),
    "no_full_backup": ("no full backup", "无全量备份"),
    "unknown": ("unknown", "原因未知"),
}
_WAIVERS = {
    "active": ("active", "生效中"),
    "expired": ("EXPIRED", "已过期"),
    "unused": ("unused", "未使用"),
}
_WORDS = {
    "colon": (": ", "："),
    "brackets": (" ({text})", "（{text}）"),
    "title": ("Log backup compliance", "日志备份合规报告"),
    "verdict": ("Verdict", "结论"),
    "connection": ("Connection", "连接"),
    "cluster": ("Cluster", "集群"),
    "cluster_id": ("Cluster ID", "集群 ID"),
    "version": ("OceanBase", "OceanBase 版本"),
    "checked_at": ("Checked at", "检查时间"),
    "zone": ("Times are in {zone}, by the clock of the server.", "时间均为服务器时间，时区 {zone}。"),
    "all_tenants": ("the cluster", "整个集群"),
    "no_summary": ("The report has no summary.", "报告未给出摘要。"),
    "figures": ("Key figures", "关键指标"),
    "worst_lag": ("Worst lag", "最大延迟"),
    "restorable_until": ("All restorable until", "全部租户可恢复至"),
    "open_gaps": ("Open gaps", "未结束的断档"),
    "last_data_backup": ("Last data backup (oldest)", "最近数据备份（最早者）"),
    "percent_green": ("Checks that were OK", "检查正常率"),
    "in_tenants": ("in {n} of {all} tenants", "涉及 {all} 个租户中的 {n} 个"),
    "no_window_for": ("{n} of {all} tenants: no window", "{all} 个租户中 {n} 个无窗口"),
    "no_backup_for": ("{n} of {all} tenants: none", "{all} 个租户中 {n} 个无数据备份"),
    "unknown_for": ("{n} of {all} tenants: unknown", "{all} 个租户中 {n} 个未知"),
    "of_checks": ("of {n} check{s}", "共 {n} 次检查"),
    "none": ("none", "无"),
    "not_known": ("unknown", "未知"),
    "tenants": ("Tenants", "租户"),
    "tenants_ok": ("{n} of {all} tenants OK", "{all} 个租户中 {n} 个正常"),
    "tenant": ("Tenant", "租户"),
    "tenant_id": ("Tenant ID", "租户 ID"),
    "level": ("Level", "级别"),
    "status": ("Status", "状态"),
    "round": ("Round", "轮次"),
    "since": ("Round since", "轮次开始时间"),
    "lag": ("Lag", "延迟"),
    "checkpoint": ("Checkpoint", "检查点"),
    "from": ("Restorable from", "可恢复起点"),
    "until": ("Restorable until", "可恢复终点"),
    "data_backup": ("Last data backup", "最近数据备份"),
    "gaps": ("Gaps", "断档"),
    "destination": ("Destination", "存储目录"),
    "mode": ("Mode", "备份方式"),
    "more": ("and {n} more, {ok} of them OK", "另有 {n} 个，其中 {ok} 个正常"),
    "more_only": ("and {n} more", "另有 {n} 个"),
    "windows": ("Recoverable windows", "可恢复时间窗口"),
    "window": ("Window", "可恢复时间窗口"),
    "gap": ("Gap", "断档"),
    "open_gap": ("Open gap", "未结束的断档"),
    "now": ("now", "现在"),
    "still_open": ("open", "持续中"),
    "set": ("Backup set", "备份集"),
    "full_backups": ("Full backups", "全量备份数"),
    "cause": ("Cause", "原因"),
    "ends": ("Ended by", "结束于"),
    "ended_by": ("backup set {set}, {at}", "备份集 {set}，{at}"),
    "not_ended": ("nothing yet: a full backup ends it", "尚未结束：需执行一次全量备份"),
    "todo": ("What to do", "处理建议"),
    "begin": ("From", "起"),
    "end": ("To", "止"),
    "kind": ("Kind", "类型"),
    "windows_table": (
        "{name} in detail (windows: {windows}, gaps: {gaps})",
        "{name} 详情（窗口 {windows} 个，断档 {gaps} 个）",
    ),
    "windows_described": (
        "Windows: {windows}, gaps: {gaps}, between {start} and {end}. The table below has the same.",
        "{start} 至 {end} 之间有 {windows} 个可恢复时间窗口、{gaps} 个断档。下方表格内容相同。",
    ),
    "rounds": ("Rounds and their pieces", "轮次与分片"),
    "pieces": ("Pieces", "分片"),
    "files": ("Files", "文件状态"),
    "written_now": ("written now", "正在写入"),
    "no_windows": ("No recoverable window.", "无可恢复时间窗口。"),
    "rest": ("{n} more tenant{s}, {ok} of them OK", "其余 {n} 个租户，其中 {ok} 个正常"),
    "filter": ("Filter by tenant, level or status", "按租户、级别或状态筛选"),
    "no_tenants": ("There is no tenant in this report.", "报告中没有租户。"),
    "history": ("Lag over the last checks", "历次检查的延迟"),
    "history_facts": (
        "{n} check{s} from {start} to {end}, {green} OK. Worst: {worst}, {name}, {at}.",
        "{start} 至 {end} 共 {n} 次检查，正常率 {green}。最大延迟：{worst}，{name}，{at}。",
    ),
    "no_history": ("No checks are on record yet.", "尚无检查记录。"),
    "history_described": (
        "Line of the largest lag of each check. The table below has the same.",
        "每次检查的最大延迟曲线。下方表格内容相同。",
    ),
    "history_note": (
        "Line: largest lag of each check. Below it: the verdict, the taller the worse. Grey: no check was made.",
        "曲线：每次检查的最大延迟。下方条形：检查结论，越高越严重。灰色：未做检查。",
    ),
    "logarithmic": ("Logarithmic scale.", "对数刻度。"),
    "strictest": (
        "Thresholds differ between tenants; the strictest are drawn.",
        "各租户阈值不同，图中为最严格的阈值。",
    ),
    "history_table": ("The last {n} check{s} as a table", "最近 {n} 次检查（表格）"),
    "no_check": ("no check", "未检查"),
    "warn_from": ("WARN {lag}", "警告 {lag}"),
    "fail_from": ("FAIL {lag}", "严重 {lag}"),
    "findings": ("Findings", "检查发现"),
    "no_findings": ("Every rule that applies holds.", "所有适用的规则均满足。"),
    "finding_count": ("{n} finding{s}", "{n} 项"),
    "observed": ("Observed", "实际"),
    "expected": ("Expected", "期望"),
    "waived_by": ("Waived by {owner} until {date}: {reason}", "由 {owner} 豁免至 {date}：{reason}"),
    "left_out": ("Not listed", "未列出"),
    "left_out_of": ("{rule}, {n} more", "{rule}，另有 {n} 项"),
    "rules_ok": ("Rules that hold: {n}", "满足的规则：{n} 条"),
    "rules_na": ("Rules that do not apply: {n}", "不适用的规则：{n} 条"),
    "rules_other": ("Rules with findings: {n}", "有检查发现的规则：{n} 条"),
    "rule": ("Rule", "规则"),
    "proves": ("What it proves", "证明了什么"),
    "does_not_prove": ("What it does not prove", "未证明什么"),
    "claim": ("What this report proves", "本报告的证明范围"),
    "reason": ("Reason", "原因"),
    "policy": ("Policy in force", "生效策略"),
    "value": ("Value", "值"),
    "no_policy": ("The report names no policy.", "报告未包含策略。"),
    "waivers": ("Waivers", "豁免"),
    "no_waivers": ("There are none.", "无豁免。"),
    "waiver_expired": (
        "Expired waivers, which no longer count: {n}. Renew or remove them.",
        "{n} 项豁免已过期，不再生效。请续期或移除。",
    ),
    "owner": ("Owner", "负责人"),
    "expires": ("Expires", "到期日"),
    "evidence": ("Evidence", "证据"),
    "evidence_intro": (
        "What was read of the server. The hash covers all rows, also those that are not shown.",
        "从服务器读取的内容。哈希覆盖全部行，包括未展示的行。",
    ),
    "evidence_hash": ("SHA-256 of all of it", "整体 SHA-256"),
    "query": ("Query", "查询"),
    "rows": ("Rows", "行数"),
    "rows_count": ("{n} row{s}", "{n} 行"),
    "rows_left_out": ("Rows that are not shown: {n}.", "另有 {n} 行未展示。"),
    "made_by": ("Made by {name} {version}, report format {format}.", "由 {name} {version} 生成，报告格式 {format}。"),
    "sections": ("Sections", "章节"),
    "skip": ("To the findings", "跳到检查发现"),
}
_UNITS = {
    "en": ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")),
    "zh": ((86400, "天"), (3600, "小时"), (60, "分"), (1, "秒")),
}


class Language:
    """One of the two languages.

    :param code: ``en`` or ``zh``.
    :raises ValueError: for any other.
    """

    def __init__(self, code: str) -> None:
        if code not in LANGUAGES:
            raise ValueError(f"A report is in one of {', '.join(LANGUAGES)}, not in {code!r}.")
        self.code = code
        self.html_code = {"en": "en", "zh": "zh-Hans"}[code]
        self._place = LANGUAGES.index(code)

    def __call__(self, word: str, **values: object) -> str:
        """A word or a sentence of the report, with values filled in."""
        plural = "" if str(values.get("n")) == "1" else "s"
        return _WORDS[word][self._place].format(s=plural, **values)

    def pair(self, value: Any) -> str:
        """The text of a pair, in the other language where this one is missing."""
        if isinstance(value, Mapping):
            value = value.get(self.code) or next((value[code] for code in LANGUAGES if value.get(code)), "")
        return value if isinstance(value, str) else "" if value is None else str(value)

    def level(self, word: Any) -> str:
        """A level in the words of OCP."""
        return self._known(_LEVELS, word)

    def state(self, word: Any) -> str:
        """A state of log backup in the words of OCP; one that it does not have as it is."""
        return str(word or "") if self.code == "en" else _STATES.get(str(word), str(word or ""))

    def lag(self, word: Any) -> str:
        """What a lag means."""
        return self._known(_LAG, word)

    def cause(self, word: Any) -> str:
        """The kind of cause of a gap."""
        return self._known(_CAUSES, word)

    def waiver(self, word: Any) -> str:
        """The state of a waiver."""
        return self._known(_WAIVERS, word)

    def _known(self, words: Mapping[str, tuple[str, str]], word: Any) -> str:
        return words[word][self._place] if isinstance(word, str) and word in words else str(word or "")

    def count(self, value: int) -> str:
        """A whole number, with its thousands set apart."""
        return f"{value:,}"

    def seconds(self, value: float | None) -> str:
        """A lag. Always in seconds, as OCP has it."""
        if value is None:
            return self("not_known")
        digits = f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:,.1f}"
        return f"{digits} {_UNITS[self.code][-1][1]}"

    def span(self, value: float | None) -> str:
        """A long lag in its two largest units; empty for one of less than two minutes."""
        if value is None or value < 120:
            return ""
        units = _UNITS[self.code]
        rest = int(value)
        words: list[str] = []
        for size, name in units:
            amount, rest = divmod(rest, size)
            if words or amount:
                words.append(f"{amount:,} {name}" if amount else "")
            if len(words) == 2:
                break
        return " ".join(word for word in words if word)

    def time(self, value: datetime | None) -> str:
        """A time as OCP writes it, in full seconds: cut and not rounded, so that it never claims more than was read."""
        return self("none") if value is None else f"{value:%Y-%m-%d %H:%M:%S}".rjust(19, "0")
