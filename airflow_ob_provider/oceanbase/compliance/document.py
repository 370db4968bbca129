"""The result of a check as a JSON document; ``reports/schema/compliance-1.json`` describes every field.

Names in camelCase are OCP's own for the same thing, so that whoever knows OCP finds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from airflow_ob_provider import __version__
from airflow_ob_provider.oceanbase.catalog import BackupCatalog, TenantRecord
from airflow_ob_provider.oceanbase.compliance.continuity import action_words, cause_words
from airflow_ob_provider.oceanbase.compliance.judge import BY_BADNESS, Finding, Judgement
from airflow_ob_provider.oceanbase.compliance.memory import Memory, history_of
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from airflow_ob_provider.oceanbase.compliance.rule import NO_TEXT, TenantCase
from airflow_ob_provider.oceanbase.compliance.streaming import lag_state
from airflow_ob_provider.oceanbase.compliance.words import Text, both, few, length
from airflow_ob_provider.oceanbase.models import ArchiveState, Level
from airflow_ob_provider.oceanbase.version import OceanBaseVersion
from airflow_ob_provider.oceanbase.windows import Gap, Round, Window

SCHEMA_VERSION = "1.1"
MAX_ROUNDS, MAX_PIECES = 10, 10
"""Of a tenant: rounds that a report shows, and runs of alike pieces of each; the newest."""
HISTORY_DAYS = 14.0
"""How far back a report's lag history goes."""

_OCP_STATUS = {
    ArchiveState.PREPARE: "BEGINNING",
    ArchiveState.BEGINNING: "BEGINNING",
    ArchiveState.DOING: "RUNNING",
    ArchiveState.STOPPING: "STOPPING",
    ArchiveState.STOP: "STOPPED",
    ArchiveState.SUSPENDING: "SUSPENDING",
    ArchiveState.SUSPEND: "SUSPENDED",
    ArchiveState.INTERRUPTED: "INTERRUPTED",
}
_PROVES = both(
    "The server's catalog: what OceanBase says about its log backup and data backups.",
    "服务器目录：OceanBase 对其日志备份与数据备份的记录。",
)
_DOES_NOT_PROVE = both(
    "That the files can be read back: only a restore does. Files changed or lost at the destination do not show here.",
    "不能证明备份文件可被读回，只有恢复演练可以。目的端文件被改动或丢失不会在此体现。",
)


def document(
    connection: str,
    catalog: BackupCatalog,
    policy: Policy,
    judgement: Judgement,
    *,
    memory: Memory | None,
    samples: Sequence[Mapping[str, Any]],
    evidence: Mapping[str, Any],
) -> dict[str, Any]:
    """The report of one cluster.

    :param memory: the check before this one.
    :param samples: the lag history, this check's own sample included.
    :param evidence: what was asked and answered.
    """
    version = OceanBaseVersion.parse(f"OceanBase {catalog.version}")
    cases = [
        TenantCase(catalog, policy, memory, version, record, policy.limits(record.tenant.name))
        for record in catalog.tenants
    ]
    tenants = [_tenant(case, judgement.tenants[case.name]) for case in cases]
    tenants.sort(key=lambda one: (BY_BADNESS.index(Level(one["verdict"])), one["tenantName"]))
    good = sum(level is Level.OK for level in judgement.tenants.values())
    incarnations = [record.incarnation for record in catalog.tenants if record.incarnation is not None]
    return {
        "schema_version": SCHEMA_VERSION,
        "generator": {"name": "airflow-ob-provider", "version": __version__},
        "connection": connection,
        "checked_at": _time(catalog.read_at),
        "verdict": str(judgement.verdict),
        "summary": _pair(summary(catalog, policy, judgement)),
        "proves": _pair(_PROVES),
        "does_not_prove": _pair(_DOES_NOT_PROVE),
        "cluster": {
            "clusterName": catalog.cluster,
            "obClusterId": catalog.cluster_id,
            "obVersion": catalog.version,
            "scope": str(catalog.scope),
            "incarnation": max(incarnations, default=None),
            "tenants": len(tenants),
            "tenants_ok": good,
        },
        "levels": _levels(judgement),
        "tenants": tenants,
        "rules": [
            {
                "id": result.rule.id,
                "number": result.rule.number,
                "title": _pair(result.rule.title),
                "proves": _pair(result.rule.proves),
                "level": str(result.level),
                "tenants": result.counts,
                "reason": _pair(result.reason) if result.reason else None,
            }
            for result in judgement.rules
        ],
        "findings": [_finding(finding) for finding in judgement.findings],
        "findings_left_out": dict(judgement.left_out),
        "lag_history": history_of(samples, days=HISTORY_DAYS),
        "waivers": [
            {
                "rule": waiver.rule,
                "tenant": waiver.tenant,
                "owner": waiver.owner,
                "reason": waiver.reason,
                "expires": waiver.expires.isoformat(),
                "state": state,
            }
            for waiver, state in judgement.waivers
        ],
        "policy": policy.shown(),
        "evidence": dict(evidence),
    }


def unreachable(
    connection: str,
    policy: Policy,
    why: str,
    now: datetime,
    *,
    memory: Memory | None,
    samples: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The report of a cluster that could not be read: UNKNOWN, which is neither good nor bad.

    :param why: the error, redacted.
    :param now: the moment of the try, by the worker's clock.
    """
    own = {"checked_at": _time(now), "verdict": str(Level.UNKNOWN), "delay": None, "tenantName": None}
    said = _pair(both("The cluster could not be read: {w}", "无法读取集群：{w}", w=why))
    finding = {
        "id": "reachable",
        "rule": "reachable",
        "level": str(Level.UNKNOWN),
        "tenantName": None,
        "obTenantId": None,
        "observed": said,
        "expected": _pair(both("an open connection", "可建立连接")),
        "hint": _pair(
            both("Log backup may be fine: look at the connection first.", "日志备份可能正常：请先检查连接。")
        ),
        "waiver": None,
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "generator": {"name": "airflow-ob-provider", "version": __version__},
        "connection": connection,
        "checked_at": _time(now),
        "verdict": str(Level.UNKNOWN),
        "summary": said,
        "proves": _pair(both("Nothing.", "无。")),
        "does_not_prove": _pair(_DOES_NOT_PROVE),
        "cluster": {
            "clusterName": memory.cluster if memory else "",
            "obClusterId": memory.cluster_id if memory else "",
            "obVersion": memory.version if memory else "",
            "scope": "tenant",
            "incarnation": memory.incarnation if memory else None,
            "tenants": 0,
            "tenants_ok": 0,
        },
        "levels": {**dict.fromkeys(map(str, BY_BADNESS), 0), str(Level.UNKNOWN): 1, "WAIVED": 0},
        "tenants": [],
        "rules": [
            {
                "id": "reachable",
                "number": 24,
                "title": _pair(both("The cluster answers", "集群可访问")),
                "proves": _pair(both("a login and an answer", "可登录并得到应答")),
                "level": str(Level.UNKNOWN),
                "tenants": {},
                "reason": None,
            }
        ],
        "findings": [finding],
        "findings_left_out": {},
        "lag_history": history_of([*samples, own], days=HISTORY_DAYS),
        "waivers": [],
        "policy": policy.shown(),
        "evidence": {"queries": [], "sha256": sha256(b"").hexdigest()},
    }


def summary(catalog: BackupCatalog, policy: Policy, judgement: Judgement) -> Text:
    """The whole check in one sentence."""
    counting = [finding for finding in judgement.findings if finding.counts]
    if judgement.verdict is Level.OK:
        waived = len(judgement.findings) - len(counting)
        tail = both("; {n} findings are waived", "；{n} 项已豁免", n=waived) if waived else NO_TEXT
        judged = [record for record in catalog.tenants if policy.limits(record.tenant.name).archive]
        lags = [
            (catalog.read_at - record.archive.checkpoint).total_seconds()
            for record in judged
            if record.archive and record.archive.checkpoint
        ]
        behind = both(", at most {t} behind", "，最大延迟 {t}", t=length(max(lags))) if lags else NO_TEXT
        return both(
            "Log backup of {n} {w} is as it should be{b}{t}.", "{n} 个租户的日志备份符合要求{b}{t}。",
            n=len(judged), w="tenant" if len(judged) == 1 else "tenants", b=behind, t=tail,
        )  # fmt: skip
    bad = [finding for finding in counting if finding.answer.level is judgement.verdict]
    rules = list(dict.fromkeys(finding.rule for finding in bad))
    names = list(dict.fromkeys(finding.tenant for finding in bad if finding.tenant))
    who = both(" ({t})", "（{t}）", t=few(names)) if names else NO_TEXT
    first = bad[0].answer.observed if bad else NO_TEXT
    whose = both("{t}, ", "{t}，", t=bad[0].tenant) if bad and bad[0].tenant else NO_TEXT
    return both(
        "{l}: {r}{w}. First: {t}{f}.",
        "{l}：{r}{w}。首要问题：{t}{f}。",
        l=_BAD[judgement.verdict],
        r=few(rules),
        w=who,
        t=whose,
        f=first,
    )


_BAD = {
    Level.FAIL: both("Not as it should be", "不符合要求"),
    Level.UNKNOWN: both("Not known", "无法判断"),
    Level.WARN: both("Worth a look", "需要关注"),
}


def _levels(judgement: Judgement) -> dict[str, int]:
    counts = Counter(str(result.level) for result in judgement.rules)
    waived = sum(1 for result in judgement.rules if result.counts.get("WAIVED"))
    return {**{str(level): counts.get(str(level), 0) for level in BY_BADNESS}, "WAIVED": waived}


def _tenant(case: TenantCase, verdict: Level) -> dict[str, Any]:
    record, row = case.record, case.row
    recovery = record.recovery
    windows = recovery.windows if recovery else ()
    newest = case.newest_round
    settings = record.settings
    status = case.state
    return {
        "tenantName": case.name,
        "obTenantId": record.tenant.tenant_id,
        "verdict": str(verdict),
        "archive_status": case.words,
        "status": "NOT_ARCHIVED" if case.never_archived else _OCP_STATUS.get(status, case.words),
        "logArchiveRound": newest.round_id if newest else (row.round_id if row else 0),
        "createTime": _time(newest.started if newest else None),
        "checkpoint": _time(row.checkpoint if row else newest.checkpoint if newest else None),
        "delay": None if case.lag is None or status is ArchiveState.STOP else round(case.lag, 4),
        "lag_state": lag_state(case),
        "lag_warn": case.lag_warn,
        "lag_fail": case.lag_fail,
        "backupUri": settings.shown if settings else "",
        "backupMode": "PHYSICAL_BACKUP",
        "lastDataBackupTime": _time(record.newest_full_at),
        "restorable_from": _time(windows[0].start if windows else None),
        "restorable_until": _time(windows[-1].end if windows else None),
        "windows": [_window(window) for window in windows],
        "gaps": [_gap(record, gap, case) for gap in (recovery.gaps if recovery else ())],
        "rounds": [_round(one) for one in record.rounds[-MAX_ROUNDS:]],
        "note": _pair(both("{d}", "{d}", d=record.doubt)) if record.doubt else None,
    }


def _round(one: Round) -> dict[str, Any]:
    return {
        "round_id": one.round_id,
        "archive_status": str(one.state),
        "from": _time(one.started),
        "checkpoint": _time(one.checkpoint),
        "pieces": [
            {
                "first": stretch.first_id,
                "last": stretch.last_id,
                "file_status": str(stretch.file_status),
                "from": _time(stretch.start),
                "to": None if stretch.is_open else _time(stretch.end),
                "open": stretch.is_open,
            }
            for stretch in one.stretches[-MAX_PIECES:]
        ],
    }


def _window(window: Window) -> dict[str, Any]:
    return {
        "from": _time(window.start),
        "to": _time(window.end),
        "backup_set_id": window.set_id,
        "round_id": window.round_id,
        "full_backups": window.full_backups,
    }


def _gap(record: TenantRecord, gap: Gap, case: TenantCase) -> dict[str, Any]:
    return {
        "id": f"{record.tenant.tenant_id}-{int(gap.start.timestamp() * 1e6)}",
        "from": _time(gap.start),
        "to": _time(gap.end),
        "open": gap.end is None,
        "causes": [
            {"kind": str(cause.kind), "at": _time(cause.at), "text": _pair(cause_words(cause))} for cause in gap.causes
        ],
        "ended_by": {"backup_set_id": gap.ended_by, "at": _time(gap.end)} if gap.ended_by is not None else None,
        "action": _pair(action_words(gap, case.state)),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    waiver = finding.waiver
    return {
        "id": finding.id,
        "rule": finding.rule,
        "level": str(finding.answer.level),
        "tenantName": finding.tenant or None,
        "obTenantId": finding.tenant_id,
        "observed": _pair(finding.answer.observed),
        "expected": _pair(finding.answer.expected),
        "hint": _pair(finding.answer.hint),
        "waiver": {"owner": waiver.owner, "reason": waiver.reason, "expires": waiver.expires.isoformat()}
        if waiver
        else None,
    }


def _pair(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
