"""The words of the page, on top of those of the reports."""

from __future__ import annotations

from airflow_ob_provider.oceanbase.words import LANGUAGES
from airflow_ob_provider.reports.language import Language

_WORDS = {
    "page": ("OceanBase log backup", "OceanBase 日志备份"),
    "clusters": ("Clusters", "集群"),
    "all_clusters": ("All clusters", "全部集群"),
    "stored": (
        "What the last checks have stored. This page asks OceanBase nothing.",
        "显示最近检查所存储的内容。本页面不会访问 OceanBase。",
    ),
    "clusters_count": ("{n} cluster{s}", "{n} 个集群"),
    "no_clusters": ("No check of a cluster that you may see is stored yet.", "尚无您有权查看的集群检查结果。"),
    "no_clusters_hint": (
        "Run the DAG ob_archive_compliance. Checks are read from {path} ([oceanbase] report_path), which this server "
        "must be able to read. You see the clusters whose checks were made by a DAG that you may read.",
        "请运行 DAG ob_archive_compliance。检查结果从 {path}（[oceanbase] report_path）读取，本服务器须可读取该目录。"
        "您只能看到由您有权读取的 DAG 所检查的集群。",
    ),
    "no_match": ("Nothing matches.", "没有匹配项。"),
    "last_check": ("Last check", "最近检查"),
    "ago": ("{span} ago", "{span}前"),
    "just_now": ("just now", "刚刚"),
    "age_unknown": ("no time known", "时间未知"),
    "stale": (
        "Nobody has checked since: what is true now is not known. The last check said {level}.",
        "此后未再检查：当前状态未知。上次检查结论为 {level}。",
    ),
    "stale_short": ("was {level}", "上次 {level}"),
    "worst_lag_short": ("Worst lag", "最大延迟"),
    "until_short": ("Restorable until", "可恢复至"),
    "full_backup": ("Last full backup", "最近全量备份"),
    "ok_of": ("Tenants OK", "正常租户"),
    "of": ("{n} of {all}", "{n} / {all}"),
    "search": ("Name", "名称"),
    "search_cluster": ("Cluster or connection", "集群或连接"),
    "any_level": ("Any verdict", "全部结论"),
    "sort": ("Order", "排序"),
    "by_worst": ("worst first", "最差优先"),
    "by_name": ("by name", "按名称"),
    "by_lag": ("by lag", "按延迟"),
    "by_age": ("oldest check first", "最久未检查优先"),
    "apply": ("Show", "查询"),
    "pages": ("Pages", "分页"),
    "previous": ("Previous", "上一页"),
    "next": ("Next", "下一页"),
    "page_of": ("Page {n} of {all}", "第 {n} / {all} 页"),
    "run": ("Run", "运行"),
    "runs": ("Runs", "运行记录"),
    "checked_by": ("Last check", "最近检查"),
    "log_archive": ("Log backup last proven", "最近一次日志备份验证通过"),
    "data_backup": ("Last data backup that can be restored", "最近一次可恢复的数据备份"),
    "full_report": ("Full report", "完整报告"),
    "earlier": ("Earlier reports", "历史报告"),
    "recoveries": ("Recoveries", "恢复记录"),
    "recovery_kind": ("What", "类型"),
    "approved_by": ("Approved by", "审批人"),
    "nobody": ("nobody was asked", "无需审批"),
    "ended": ("Ended", "结束时间"),
    "began": ("Began", "开始时间"),
    "restored_from": ("Not restorable from", "不可恢复起点"),
    "not_found": ("There is nothing here that you may see.", "没有您有权查看的内容。"),
    "illegal": ("A parameter of the address is not legal.", "地址中的参数不合法。"),
    "log_in": ("Log in to Airflow first.", "请先登录 Airflow。"),
    "store_broken": ("The folder of reports cannot be read.", "无法读取报告目录。"),
    "nothing_of_run": (
        "This run has stored nothing about log backup of a cluster.",
        "此次运行未存储任何集群的日志备份信息。",
    ),
    "language": ("Language", "语言"),
    "to_content": ("To the content", "跳到正文"),
    "other_language": ("中文", "English"),
}


class PageLanguage(Language):
    """A language of the reports that has the words of the page too."""

    def __call__(self, word: str, **values: object) -> str:
        """A word or a sentence, with values filled in."""
        if word not in _WORDS:
            return super().__call__(word, **values)
        plural = "" if str(values.get("n")) == "1" else "s"
        return _WORDS[word][self._place].format(s=plural, **values)

    @property
    def other(self) -> str:
        """The code of the other language."""
        return LANGUAGES[1 - self._place]

    def ago(self, seconds: float | None) -> str:
        """How long ago something was."""
        if seconds is None:
            return self("age_unknown")
        if seconds < 60:
            return self("just_now")
        return self("ago", span=self.span(seconds) or self.seconds(round(seconds)))


def wanted(asked: str | None, accepted: str | None) -> PageLanguage:
    """The language that was asked for, or the first of the browser's that there is, or English."""
    codes = [asked or "", *((one.split(";")[0].strip()[:2].lower()) for one in (accepted or "").split(","))]
    return PageLanguage(next((code for code in codes if code in LANGUAGES), "en"))
