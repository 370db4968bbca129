"""Whether log backup is set up as the policy wants it."""

from __future__ import annotations

from collections.abc import Callable

from airflow_ob_provider.oceanbase.catalog import Part, Settings
from airflow_ob_provider.oceanbase.compliance.rule import CATALOG, Answer, Rule, TenantCase, not_applicable, ok, unknown
from airflow_ob_provider.oceanbase.compliance.words import Text, both, length, same
from airflow_ob_provider.oceanbase.destination import Destination
from airflow_ob_provider.oceanbase.models import Level

_DAY = 86400.0
_NO_WISH = both("the policy does not say", "策略未要求")
_SET = both("Run the DAG ob_log_archive with the wanted value.", "请用期望值运行 DAG ob_log_archive。")
_GAP = both(
    "Changing it needs a stop, a new round and a full backup: plan it.",
    "修改需停止归档、产生新轮次并做全量备份，请先规划。",
)

Found = Callable[[TenantCase, Settings], "tuple[Text, Text, bool] | Answer"]
"""Observed, expected and whether they agree; or an answer of its own."""


def _rule(name: str, parameter: str, level: Level, hint: Text, found: Found) -> Callable[[TenantCase], Answer]:
    def judge(case: TenantCase) -> Answer:
        if getattr(case.limits, name) is None:
            return not_applicable(_NO_WISH)
        settings = case.record.settings
        if case.is_cluster and (missing := case.unread(Part.SETTINGS)):
            return missing
        if settings is None:
            return unknown(both("not shown", "未显示"))
        if parameter and parameter in settings.differs:
            differs = both("servers differ in {p}", "各节点的 {p} 不一致", p=parameter)
            return Answer(level, differs, both("the same everywhere", "各节点一致"), hint)
        answer = found(case, settings)
        if isinstance(answer, Answer):
            return answer
        observed, expected, agrees = answer
        return ok(observed, expected) if agrees else Answer(level, observed, expected, hint)

    return judge


def _destination(case: TenantCase, settings: Settings) -> tuple[Text, Text, bool] | Answer:
    wanted = Destination.parse(case.limits.destination or "")
    if "cluster" in wanted.placeholders and not case.catalog.cluster:
        return unknown(both("the cluster's name is not shown", "集群名不可见"))
    target = wanted.filled(cluster=case.catalog.cluster, tenant=case.name, tenant_id=str(case.record.tenant.tenant_id))
    here = settings.destination
    if settings.shown and here is None:
        return unknown(both("it cannot be read: {s}", "无法解析：{s}", s=settings.shown))
    return same(here) if here else both("not set", "未设置"), same(target), bool(here and here.same_place(target))


def _mode(case: TenantCase, settings: Settings) -> tuple[Text, Text, bool] | Answer:
    if settings.mode is None:
        return unknown(both("the mode is not stated", "未写明模式"))
    return same(settings.mode), same(case.limits.mode), settings.mode == case.limits.mode


def _compression(case: TenantCase, settings: Settings) -> tuple[Text, Text, bool] | Answer:
    if not case.is_cluster:
        return not_applicable(both("OceanBase 4.x does not compress archived logs", "OceanBase 4.x 不支持归档压缩"))
    if settings.compression is None:
        return unknown(both("the compression is not stated", "未写明压缩方式"))
    wanted = "lz4_1.0" if case.limits.compression == "enable" else case.limits.compression
    return same(settings.compression), same(wanted), settings.compression == wanted


def _piece_interval(case: TenantCase, settings: Settings) -> tuple[Text, Text, bool] | Answer:
    if settings.piece_days is None:
        return unknown(both("the interval cannot be read", "无法读取切片间隔"))
    wanted = case.limits.piece_switch_interval or 0.0
    found = settings.piece_days * _DAY
    return length(found), length(wanted), found == wanted


def _lag_target(case: TenantCase, settings: Settings) -> tuple[Text, Text, bool] | Answer:
    if not case.is_cluster and not case.version.has_lag_target:
        return not_applicable(
            both("OceanBase {v} has no archive_lag_target", "OceanBase {v} 没有 archive_lag_target", v=case.version)
        )
    if missing := case.unread(Part.SETTINGS):
        return missing
    if settings.lag_target is None:
        return unknown(both("it is not shown", "未显示"))
    wanted = case.limits.lag_target or 0.0
    return length(settings.lag_target), length(wanted), settings.lag_target == wanted


def _concurrency(case: TenantCase, settings: Settings) -> tuple[Text, Text, bool] | Answer:
    if not case.is_cluster and not case.version.has_log_mode:
        return not_applicable(
            both("OceanBase {v} has no log_archive_concurrency", "OceanBase {v} 没有 log_archive_concurrency",
                 v=case.version)
        )  # fmt: skip
    if missing := case.unread(Part.SETTINGS):
        return missing
    if settings.concurrency is None:
        return unknown(both("it is not shown", "未显示"))
    wanted = case.limits.concurrency
    return same(settings.concurrency), same(wanted), settings.concurrency == wanted


def _title(en: str, zh: str) -> Text:
    return both("As the policy wants it: {e}", "符合策略：{z}").filled(e=en, z=zh)


RULES = tuple(
    Rule(14, f"drift_{word}", _title(en, zh), CATALOG, _rule(name, parameter, level, hint, found))
    for word, en, zh, name, parameter, level, hint, found in (
        ("destination", "destination", "归档目的端", "destination", "backup_dest", Level.FAIL, _GAP, _destination),
        ("mode", "mode (BINDING)", "模式（BINDING）", "mode", "backup_log_archive_option", Level.FAIL, _SET, _mode),
        ("compression", "compression", "压缩", "compression", "backup_log_archive_option", Level.WARN, _SET,
         _compression),
        ("piece_interval", "piece switch interval", "切片间隔", "piece_switch_interval", "backup_dest_option",
         Level.WARN, _GAP, _piece_interval),
        ("lag_target", "lag target (3.x: checkpoint interval)", "延迟目标（3.x：检查点间隔）", "lag_target",
         "archive_lag_target", Level.WARN, _SET, _lag_target),
        ("concurrency", "concurrency", "并发", "concurrency", "log_archive_concurrency", Level.WARN, _SET,
         _concurrency),
    )
)  # fmt: skip
