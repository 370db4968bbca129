"""Sample reports: what the compliance check hands to the renderers.

``python tests/unit/reports/samples.py <folder>`` renders all of them in both languages, to be looked at in a browser.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

Json = dict[str, Any]

ZONE = timezone(timedelta(hours=8))
NOW = datetime(2026, 11, 26, 18, 15, 0, 123456, tzinfo=ZONE)

RULES = (
    ("log_mode", "Log mode is ARCHIVELOG", "日志模式为 ARCHIVELOG"),
    ("status", "Log backup is running", "日志备份正在进行"),
    ("status_age", "No state lasts too long", "状态未长时间停留"),
    ("lag", "Lag is within the policy", "延迟在策略范围内"),
    ("moved", "The checkpoint has moved since the last check", "检查点自上次检查后有推进"),
    ("proof", "Everything written before the check is archived", "检查前写入的日志均已归档"),
    ("pieces", "All pieces are available", "所有分片均可用"),
    ("adjacent", "Pieces of a round are adjacent", "轮次内的分片首尾相接"),
    ("rounds", "Rounds are adjacent", "轮次首尾相接"),
    ("holes", "Each gap is ended by a later full backup", "每个断流之后均有全量备份"),
    ("full_backup", "The last data backup is recent", "近期有成功的数据备份"),
    ("min_restore", "The newest data backup can be restored", "最新数据备份可用于恢复"),
    ("retention", "The recovery window reaches back far enough", "可恢复时间窗口足够长"),
    ("drift", "Settings are as in the policy", "配置与策略一致"),
    ("destination", "The destination can be reached", "备份目的端可达"),
    ("log_disk", "The log disk has room", "日志盘空间充足"),
    ("slowest_stream", "No log stream lags behind its tenant", "没有日志流落后于所属租户"),
    ("scope", "Every tenant is archived", "所有租户均已开启日志备份"),
    ("identity", "The cluster is the one of the policy", "集群身份与策略一致"),
    ("cleanup", "Old backups are cleaned", "过期备份已清理"),
    ("drill", "A restore was tried lately", "近期做过恢复演练"),
    ("recent", "The last check is recent", "上次检查在规定时间内完成"),
)


def text(en: str, zh: str) -> Json:
    return {"en": en, "zh": zh}


def at(**before: float) -> str:
    return (NOW - timedelta(**before)).isoformat()


def sha(of: str) -> str:
    return hashlib.sha256(of.encode()).hexdigest()


def window(start: str, end: str, backup_set: int, round_id: int, full_backups: int = 1) -> Json:
    return {
        "from": start,
        "to": end,
        "backup_set_id": backup_set,
        "round_id": round_id,
        "full_backups": full_backups,
    }


def gap(name: str, start: str, end: str | None, kind: str, why: Json, backup_set: int | None = None) -> Json:
    return {
        "id": name,
        "from": start,
        "to": end,
        "open": end is None,
        "causes": [{"kind": kind, "at": start, "text": why}],
        "ended_by": None if end is None else {"backup_set_id": backup_set or 0, "at": end},
        "action": text(
            "Take a full backup now: nothing after the gap can be restored before it.",
            "请立即执行一次全量备份：在此之前，断流之后的数据无法恢复。",
        )
        if end is None
        else text("Nothing to do. Data of this time cannot be restored.", "无需处理。该时间段内的数据无法恢复。"),
    }


def piece(first: int, last: int, start: str, end: str | None, status: str = "AVAILABLE") -> Json:
    return {"first": first, "last": last, "file_status": status, "from": start, "to": end, "open": end is None}


def tenant(name: str, number: int, **changes: Any) -> Json:
    return {
        "tenantName": name,
        "obTenantId": number,
        "verdict": "OK",
        "archive_status": "DOING",
        "status": "RUNNING",
        "logArchiveRound": 3,
        "createTime": at(days=21, hours=3),
        "checkpoint": at(seconds=77.6421),
        "delay": 77.6421,
        "lag_state": "ok",
        "lag_warn": 300,
        "lag_fail": 900,
        "backupUri": f"oss://backup-prod/ob/{name}?host=oss-cn-hangzhou.example.com&access_key=***",
        "backupMode": "PHYSICAL_BACKUP",
        "lastDataBackupTime": at(hours=15, minutes=4),
        "restorable_from": at(days=20),
        "restorable_until": at(seconds=77.6421),
        "windows": [window(at(days=20), at(seconds=77.6421), 41, 3, 6)],
        "gaps": [],
        "rounds": [
            {
                "round_id": 3,
                "archive_status": "DOING",
                "from": at(days=21, hours=3),
                "checkpoint": at(seconds=77.6421),
                "pieces": [piece(3, 22, at(days=21, hours=3), at(hours=1)), piece(23, 23, at(hours=1), None)],
            }
        ],
        "note": None,
    } | changes


def finding(rule: str, level: str, name: str | None, observed: Json, expected: Json, hint: Json) -> Json:
    return {
        "id": f"{rule}/{name}" if name else rule,
        "rule": rule,
        "level": level,
        "tenantName": name,
        "obTenantId": 1002 if name else None,
        "observed": observed,
        "expected": expected,
        "hint": hint,
        "waiver": None,
    }


def history(delays: list[float | None], every: timedelta = timedelta(hours=1), fail: float = 900) -> Json:
    """One sample each ``every``, the last of them now; a delay of -1: no check was made."""
    samples = [
        {
            "checked_at": (NOW - every * (len(delays) - 1 - place)).isoformat(),
            "verdict": "UNKNOWN" if delay is None else "FAIL" if delay > fail else "WARN" if delay > 300 else "OK",
            "delay": delay,
            "tenantName": None if delay is None else "pay_core",
        }
        for place, delay in enumerate(delays)
        if delay != -1
    ]
    known = [sample for sample in samples if sample["delay"] is not None]
    worst = max(known, key=lambda sample: sample["delay"], default=None)
    green = sum(sample["verdict"] == "OK" for sample in samples)
    return {
        "samples": samples,
        "from": samples[0]["checked_at"] if samples else None,
        "to": samples[-1]["checked_at"] if samples else None,
        "checks": len(samples),
        "percent_green": round(100 * green / len(samples), 1) if samples else None,
        "worst_delay": worst["delay"] if worst else None,
        "worst_at": worst["checked_at"] if worst else None,
        "worst_tenant": worst["tenantName"] if worst else None,
    }


def rules(levels: dict[str, str], tenants: int, reasons: dict[str, Json] | None = None) -> list[Json]:
    made = []
    for number, (name, en, zh) in enumerate(RULES, 1):
        level = levels.get(name, "OK")
        counts = (
            {} if level == "NOT_APPLICABLE" else {"OK": tenants} if level == "OK" else {"OK": tenants - 1, level: 1}
        )
        made.append(
            {
                "id": name,
                "number": number,
                "title": text(en, zh),
                "proves": text(
                    "By the server's catalog, at the time of the check.", "依据服务器目录视图，在检查时刻成立。"
                ),
                "level": level,
                "tenants": counts,
                "reason": (reasons or {}).get(name),
            }
        )
    return made


def assemble(verdict: str, summary: Json, tenants: list[Json], **parts: Any) -> Json:
    listed: list[Json] = parts.get("rules") or rules({}, len(tenants))
    levels = dict.fromkeys(("OK", "WARN", "FAIL", "UNKNOWN", "NOT_APPLICABLE", "WAIVED"), 0)
    for rule in listed:
        levels[rule["level"]] += 1
    queries = [
        {
            "name": "archive log",
            "statement": "SELECT tenant_id, round_id, status, checkpoint_scn, path\nFROM oceanbase.CDB_OB_ARCHIVELOG\n"
            "WHERE tenant_id > 1000",
            "rows": len(tenants),
            "sha256": sha("archive log"),
            "sample": [
                {"tenant_id": row["obTenantId"], "round_id": row["logArchiveRound"], "status": row["archive_status"]}
                for row in tenants[:3]
            ],
            "left_out": max(0, len(tenants) - 3),
        },
        {
            "name": "backup parameters",
            "statement": "SELECT name, value FROM oceanbase.CDB_OB_BACKUP_PARAMETER",
            "rows": 0,
            "sha256": sha("backup parameters"),
            "sample": [],
            "left_out": 0,
        },
    ]
    return {
        "schema_version": "1.1",
        "generator": {"name": "airflow-ob-provider", "version": "0.1.0"},
        "connection": "oceanbase_default",
        "run": {
            "dag_id": "ob_archive_compliance",
            "run_id": "scheduled__1",
            "task_id": "cluster.check",
            "map_index": 0,
        },
        "checked_at": NOW.isoformat(),
        "verdict": verdict,
        "summary": summary,
        "proves": text(
            "By the server's catalog: the logs of every tenant in scope are archived without a break up to its "
            "checkpoint, and each window shown starts from a full backup that succeeded.",
            "依据服务器目录视图：范围内每个租户的日志均已连续归档至其检查点，且所列每个可恢复时间窗口都始于一次成功的全量备份。",
        ),
        "does_not_prove": text(
            "That the files can be read back from the destination. Only a restore proves that.",
            "不能证明备份文件可从目的端读回，只有实际恢复才能证明。",
        ),
        "cluster": {
            "clusterName": "obprod",
            "obClusterId": "1001",
            "obVersion": "4.2.5.1",
            "scope": "tenant",
            "incarnation": 1,
            "tenants": len(tenants),
            "tenants_ok": sum(row["verdict"] == "OK" for row in tenants),
        }
        | parts.get("cluster", {}),
        "levels": levels,
        "tenants": tenants,
        "rules": listed,
        "findings": parts.get("findings", []),
        "findings_left_out": parts.get("findings_left_out", {}),
        "lag_history": parts.get("lag_history") or history([60 + 31 * (place * 7 % 5) for place in range(48)]),
        "waivers": parts.get("waivers", []),
        "policy": {
            "lag_warn_seconds": 300,
            "lag_fail_seconds": 900,
            "last_data_backup_max_age_hours": 26,
            "retention_days": 14,
            "tenants": ["pay_core", "orders", "crm"],
            "piece_switch_interval": "1d",
            "binding": None,
        },
        "evidence": {"queries": queries, "sha256": sha("evidence")},
    }


def green() -> Json:
    """4.2.5, three tenants, everything as it should be."""
    return assemble(
        "OK",
        text(
            "All 3 tenants are archived without a break; each can be restored to any moment of the last 20 days.",
            "3 个租户的日志均连续归档，均可恢复到最近 20 天内的任意时刻。",
        ),
        [
            tenant("pay_core", 1002),
            tenant("orders", 1004, delay=12.5, checkpoint=at(seconds=12.5), restorable_until=at(seconds=12.5)),
            tenant(
                "crm",
                1006,
                windows=[window(at(days=18), at(days=9, hours=4), 38, 2, 3), window(at(days=9), at(seconds=77), 44, 3)],
                gaps=[
                    gap(
                        "crm-1",
                        at(days=9, hours=4),
                        at(days=9),
                        "stop_start",
                        text("Log backup was stopped and started again.", "日志备份曾被停止后重新启动。"),
                        44,
                    )
                ],
                restorable_from=at(days=18),
            ),
        ],
        rules=rules(
            {"drill": "NOT_APPLICABLE"},
            3,
            {"drill": text("The policy asks for no restore drill.", "策略未要求恢复演练。")},
        ),
    )


def red() -> Json:
    """3.2.4, log backup of the cluster interrupted: one open gap for all tenants."""
    why = text(
        "Log backup was interrupted: the server had recycled logs that were not archived yet (error -9022).",
        "日志备份中断：尚未归档的日志已被回收（错误码 -9022）。",
    )
    names = ("pay_core", "orders", "crm", "报表库")
    tenants = [
        tenant(
            name,
            1001 + place,
            verdict="FAIL",
            archive_status="INTERRUPTED",
            status="INTERRUPTED",
            checkpoint=at(days=2, hours=3),
            delay=183600.0,
            lag_state="lost",
            backupUri="file:///backup/ob",
            restorable_from=at(days=13),
            restorable_until=at(days=2, hours=3),
            windows=[window(at(days=13), at(days=2, hours=3), 12, 3, 2)],
            gaps=[gap(f"{name}-1", at(days=2, hours=3), None, "interrupted", why)],
            lastDataBackupTime=at(days=6),
        )
        for place, name in enumerate(names)
    ]
    hint = text(
        "Stop log backup, start it again, then take a full backup: see the runbook, section 4.",
        "请先停止日志备份再重新启动，然后执行一次全量备份：参见运行手册第 4 节。",
    )
    findings = [
        finding(
            "status",
            "FAIL",
            name,
            text("INTERRUPTED since 2026-11-24 15:15:00", "自 2026-11-24 15:15:00 起为 INTERRUPTED"),
            text("DOING", "DOING"),
            hint,
        )
        for name in names
    ] + [
        finding(
            "full_backup",
            "WARN",
            None,
            text("The last data backup is 6 days old.", "最近一次数据备份距今 6 天。"),
            text("At most 26 hours", "不超过 26 小时"),
            text("Run ALTER SYSTEM BACKUP DATABASE.", "执行 ALTER SYSTEM BACKUP DATABASE。"),
        )
    ]
    delays = [80.0] * 20 + [140.0, 260.0, 420.0, 800.0] + [3600.0 * hour for hour in range(1, 52)]
    return assemble(
        "FAIL",
        text(
            "Log backup has been interrupted for 2 days and 3 hours: no tenant can be restored to a moment since.",
            "日志备份已中断 2 天 3 小时：此后的任何时刻，所有租户均无法恢复。",
        ),
        tenants,
        cluster={"obVersion": "3.2.4.3", "scope": "cluster", "clusterName": "obcluster", "incarnation": 1},
        rules=rules({"status": "FAIL", "lag": "FAIL", "holes": "FAIL", "full_backup": "WARN"}, 4),
        findings=findings,
        lag_history=history(delays),
    )


def mixed() -> Json:
    """4.x, one tenant INTERRUPTED, one that could not be read, one suspended, one new; waivers of all kinds."""
    why = text("Round 2 was interrupted.", "第 2 轮次已中断。")
    broken = text("Piece 7 of round 2 is BROKEN.", "第 2 轮次的第 7 个分片已损坏（BROKEN）。")
    suspended = finding(
        "status",
        "FAIL",
        "archive_test",
        text("SUSPEND since 2026-11-20 09:00:00", "自 2026-11-20 09:00:00 起为 SUSPEND"),
        text("DOING", "DOING"),
        text("Set LOG_ARCHIVE_DEST_STATE to ENABLE.", "将 LOG_ARCHIVE_DEST_STATE 设为 ENABLE。"),
    )
    return assemble(
        "FAIL",
        text("1 of 5 tenants has lost logs, and 1 could not be checked.", "5 个租户中，1 个已丢失日志，1 个未能检查。"),
        [
            tenant("orders", 1004),
            tenant(
                "pay_core",
                1002,
                verdict="FAIL",
                archive_status="INTERRUPTED",
                status="INTERRUPTED",
                logArchiveRound=2,
                delay=7261.0,
                checkpoint=at(seconds=7261),
                lag_state="lost",
                restorable_until=at(seconds=7261),
                windows=[
                    window(at(days=19), at(days=12), 31, 2, 2),
                    window(at(days=11), at(days=11, seconds=-9), 35, 2),
                    window(at(days=8, hours=6), at(seconds=7261), 37, 2, 4),
                ],
                gaps=[
                    gap("p-1", at(days=12), at(days=11), "piece_broken", broken, 35),
                    gap("p-2", at(days=11, seconds=-9), at(days=8, hours=6), "piece_missing", broken, 37),
                    gap("p-3", at(seconds=7261), None, "interrupted", why),
                ],
            ),
            tenant(
                "crm",
                1006,
                verdict="UNKNOWN",
                archive_status="SOMETHING_NEW",
                status="SOMETHING_NEW",
                checkpoint=None,
                delay=None,
                lag_state="unknown",
                restorable_from=None,
                restorable_until=None,
                windows=[],
                lastDataBackupTime=None,
                note=text(
                    "The backup sets of this tenant could not be read (error 1142).",
                    "无法读取该租户的备份集（错误码 1142）。",
                ),
            ),
            tenant(
                "archive_test",
                1008,
                verdict="OK",
                archive_status="SUSPEND",
                status="SUSPENDED",
                delay=552000.0,
                checkpoint=at(seconds=552000),
                lag_state="stalled",
                restorable_until=at(seconds=552000),
                windows=[window(at(days=20), at(seconds=552000), 41, 3)],
            ),
            tenant(
                "fresh",
                1010,
                verdict="WARN",
                restorable_from=None,
                restorable_until=None,
                windows=[],
                lastDataBackupTime=None,
                logArchiveRound=1,
                createTime=at(hours=2),
                gaps=[
                    gap(
                        "f-1",
                        at(hours=2),
                        None,
                        "no_full_backup",
                        text("There is no full backup in round 1 yet.", "第 1 轮次内尚无全量备份。"),
                    )
                ],
            ),
        ],
        rules=rules(
            {
                "status": "FAIL",
                "min_restore": "UNKNOWN",
                "holes": "FAIL",
                "retention": "WARN",
                "drill": "WAIVED",
                "log_disk": "NOT_APPLICABLE",
            },
            5,
            {"log_disk": text("The user may not read GV$OB_UNITS.", "当前用户无权读取 GV$OB_UNITS。")},
        ),
        findings=[
            finding(
                "status",
                "FAIL",
                "pay_core",
                text("INTERRUPTED since 2026-11-26 16:13:59", "自 2026-11-26 16:13:59 起为 INTERRUPTED"),
                text("DOING", "DOING"),
                text("Stop and start log backup of this tenant.", "停止并重新启动该租户的日志备份。"),
            ),
            finding(
                "holes",
                "FAIL",
                "pay_core",
                text("1 open gap since 2026-11-26 16:13:59", "自 2026-11-26 16:13:59 起存在 1 个持续中的断流"),
                text("none", "无"),
                text("Take a full backup.", "执行一次全量备份。"),
            ),
            finding(
                "min_restore",
                "UNKNOWN",
                "crm",
                text("not read: error 1142", "未读取：错误码 1142"),
                text("a backup set that can be restored", "存在可用于恢复的备份集"),
                text("GRANT SELECT ON oceanbase.* to the user.", "授予用户 oceanbase.* 的 SELECT 权限。"),
            ),
            finding(
                "retention",
                "WARN",
                "fresh",
                text("no window", "无可恢复时间窗口"),
                text("14 days", "14 天"),
                text("Take a full backup.", "执行一次全量备份。"),
            ),
            suspended | {"waiver": {"owner": "li.wei", "reason": "测试租户，月底下线", "expires": "2026-12-31"}},
        ],
        findings_left_out={"retention": 3},
        lag_history=history(
            [90, 95, 120, 260, 420, 310, 180, 90, -1, -1, -1, -1, -1, 75, 80, None, None, 100, 640, 1300, 7261]
        ),
        waivers=[
            {
                "rule": "status",
                "tenant": "archive_test",
                "owner": "li.wei",
                "reason": "测试租户，月底下线",
                "expires": "2026-12-31",
                "state": "active",
            },
            {
                "rule": "drill",
                "tenant": None,
                "owner": "ops@example.com",
                "reason": "Drill moved to December",
                "expires": "2026-11-20",
                "state": "expired",
            },
            {
                "rule": "cleanup",
                "tenant": "orders",
                "owner": "wang.fang",
                "reason": "Legal hold",
                "expires": "2027-03-31",
                "state": "unused",
            },
        ],
    )


def large(tenants: int = 1000) -> Json:
    """As many tenants as a large cluster has, one in fifty of them with a gap."""
    why = text("Piece 12 is missing.", "第 12 个分片缺失。")
    rows, findings = [], []
    for number in range(tenants):
        name = f"tenant_{number:04}"
        row = tenant(name, 1002 + 2 * number)
        if number % 50 == 7:
            row["verdict"] = "FAIL"
            row["gaps"] = [
                gap(f"{name}-{place}", at(days=place + 1), at(days=place), "piece_missing", why, 50)
                for place in range(15, 1, -1)
            ] + [gap(f"{name}-open", at(hours=3), None, "piece_missing", why)]
            row["windows"] = [window(at(days=16 - place), at(days=15.5 - place), place, 3) for place in range(14)]
            findings.append(finding("holes", "FAIL", name, why, text("no gap", "无断流"), text("Back up.", "请备份。")))
        elif number % 20 == 3:
            row["verdict"] = "WARN"
            row["delay"] = 320.0 + number
            findings.append(
                finding(
                    "lag",
                    "WARN",
                    name,
                    text(f"{row['delay']} s", f"{row['delay']} 秒"),
                    text("300 s", "300 秒"),
                    text("Watch it.", "请关注。"),
                )
            )
        rows.append(row)
    return assemble(
        "FAIL",
        text("20 of 1,000 tenants have an open gap.", "1,000 个租户中有 20 个存在断流。"),
        rows,
        rules=rules({"lag": "WARN", "holes": "FAIL"}, tenants),
        findings=sorted(findings, key=lambda one: one["level"] != "FAIL"),
        lag_history=history([70.0 + place % 200 for place in range(2000)], timedelta(minutes=10)),
    )


SAMPLES = {"green": green, "red": red, "mixed": mixed}


def main(folder: Path) -> None:
    from airflow_ob_provider import reports

    for name, make in (SAMPLES | {"large": large}).items():
        for language in reports.LANGUAGES:
            (folder / f"{name}-{language}.html").write_text(reports.html(make(), language), encoding="utf-8")
            (folder / f"{name}-{language}.md").write_text(reports.markdown(make(), language), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
