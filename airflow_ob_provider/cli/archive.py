"""``airflow oceanbase archive status|check|windows``: one check, printed."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

from airflow.models import Connection
from airflow.sdk.exceptions import AirflowException
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from airflow_ob_provider.compliance.check import check as run_check
from airflow_ob_provider.compliance.check import read_policy
from airflow_ob_provider.compliance.store import ReportStore
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.compliance.judge import worst
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from airflow_ob_provider.oceanbase.models import Level
from airflow_ob_provider.reports.cleaning import cleaned, line

EXIT = {Level.OK: 0, Level.WARN: 1, Level.FAIL: 2, Level.UNKNOWN: 3}
_RULES = {
    "status": {"reachable", "log_mode", "status", "state_age", "lag", "checkpoint_moved", "scope"},
    "windows": {"reachable", "pieces_available", "pieces_adjacent", "rounds_adjacent", "holes_covered", "full_backup",
                "restore_point", "retention"},
}  # fmt: skip
"""Rules that decide the exit code of a command; all of them that of ``check``."""
_COLOURS = {"OK": "green", "WARN": "yellow", "FAIL": "bold red", "UNKNOWN": "magenta", "NOT_APPLICABLE": "dim"}
_WORDS = {
    "en": {
        "tenant": "tenant", "state": "state", "round": "round", "checkpoint": "checkpoint", "delay": "lag (s)",
        "verdict": "verdict", "from": "restorable from", "to": "to", "carried": "carried by", "hole": "HOLE",
        "now": "now", "set": "full backup {n}, round {r}", "rule": "rule", "observed": "observed", "hint": "what to do",
        "no_windows": "nothing can be restored", "written": "Report: {path}", "waived": "waived by {owner}",
    },
    "zh": {
        "tenant": "租户", "state": "状态", "round": "轮次", "checkpoint": "检查点", "delay": "延迟（秒）",
        "verdict": "结论", "from": "可恢复起点", "to": "终点", "carried": "依据", "hole": "断档",
        "now": "现在", "set": "全量备份 {n}，轮次 {r}", "rule": "规则", "observed": "实际", "hint": "处理建议",
        "no_windows": "没有可恢复的时间点", "written": "报告：{path}", "waived": "已由 {owner} 豁免",
    },
}  # fmt: skip


def status(args: Any) -> None:
    """Whether log backup is alive, and how late it is."""
    _command("status", args)


def check(args: Any) -> None:
    """All rules."""
    _command("check", args)


def windows(args: Any) -> None:
    """To what moments each tenant can be restored."""
    _command("windows", args)


def _command(name: str, args: Any) -> None:
    console = Console()
    try:
        with _logs_on_stderr():
            policy = read_policy(args.policy_file) if args.policy_file else Policy()
            store = ReportStore(args.report_path, args.conn_id) if args.report_path else None
            # The command line is no task: only the server's own way finds connections kept in Airflow's database.
            connection = Connection.get_connection_from_secrets(args.conn_id)
            made = run_check(OceanBaseHook(oceanbase_conn_id=args.conn_id, connection=connection), policy, store)
    except (AirflowException, ValueError, OSError) as error:  # a policy, a folder or a connection that is not legal
        Console(stderr=True).print(line(str(error)), markup=False, highlight=False, soft_wrap=True)
        sys.exit(EXIT[Level.UNKNOWN])
    report = made.report
    level = _level(name, report)
    if args.json:
        shown = report if name == "check" else {key: report[key] for key in _OF_TENANTS}
        sys.stdout.write(json.dumps({**shown, "verdict": str(level)}, ensure_ascii=False, indent=1) + "\n")
    else:
        for part in tables(name, report, args.language):
            console.print(part, highlight=False)
        if "en.html" in made.files:
            path = made.files[f"{args.language}.html"]
            text = _WORDS[args.language]["written"].format(path=path)
            console.print(escape(text), highlight=False, soft_wrap=True)
    sys.exit(EXIT[level])


@contextmanager
def _logs_on_stderr() -> Iterator[None]:
    """Airflow's commands log to standard output, where only what was asked for shall be."""
    handlers = [
        one for one in logging.getLogger().handlers
        if isinstance(one, logging.StreamHandler) and one.stream is sys.stdout
    ]  # fmt: skip
    stdout = sys.stdout
    with redirect_stdout(sys.stderr):
        for one in handlers:
            one.setStream(sys.stderr)
        try:
            yield
        finally:
            for one in handlers:
                one.setStream(stdout)


def tables(name: str, report: Mapping[str, Any], language: str) -> Iterable[Table | str]:
    """What a command prints of a report: texts in rich's markup, and tables."""
    return _SHOWS[name](cleaned(report), _WORDS[language], language)


_OF_TENANTS = ("schema_version", "connection", "checked_at", "cluster", "tenants")


def _level(name: str, report: Mapping[str, Any]) -> Level:
    if name == "check":
        return Level(report["verdict"])
    counting = [one for one in report["findings"] if one["rule"] in _RULES[name] and not one["waiver"]]
    return worst(Level(one["level"]) for one in counting)


def _head(report: Mapping[str, Any], words: Mapping[str, str], language: str) -> str:
    level = report["verdict"]
    cluster = report["cluster"]
    who = f"{report['connection']}: OceanBase {cluster['obVersion']} {cluster['clusterName']}"
    summary = report["summary"][language]
    return f"[{_COLOURS[level]}]{words['verdict']}: {level}[/] {escape(who)}\n{escape(summary)}"


def _show_status(report: Mapping[str, Any], words: Mapping[str, str], language: str) -> Iterable[Table | str]:
    yield _head(report, words, language)
    table = _table(words, "tenant", "verdict", "state", "round", "checkpoint", "delay")
    for one in report["tenants"]:
        delay = "-" if one["delay"] is None else f"{one['delay']:.1f}"
        table.add_row(
            escape(one["tenantName"]), _coloured(one["verdict"]), escape(one["archive_status"]),
            str(one["logArchiveRound"]), _time(one["checkpoint"]), delay,
        )  # fmt: skip
    yield table


def _show_windows(report: Mapping[str, Any], words: Mapping[str, str], language: str) -> Iterable[Table | str]:
    yield _head(report, words, language)
    table = _table(words, "tenant", "from", "to", "carried")
    for one in report["tenants"]:
        rows: list[tuple[str, str | None, Any, Any]] = [
            (span["from"], span["to"], span, None) for span in one["windows"]
        ]
        rows += [(gap["from"], gap["to"], None, gap) for gap in one["gaps"]]
        for start, end, span, gap in sorted(rows, key=lambda row: (row[0], row[1] or "~")):
            until = _time(end) if end else words["now"]
            if gap is None:
                what = words["set"].format(n=span["backup_set_id"], r=span["round_id"])
            else:
                causes = "; ".join(cause["text"][language] for cause in gap["causes"])
                what = f"{words['hole']}: {causes}. {gap['action'][language]}"
            style = "red" if gap else ""
            table.add_row(escape(one["tenantName"]), _time(start), until, escape(what), style=style)
        if not rows:
            note = one["note"][language] if one["note"] else words["no_windows"]
            table.add_row(escape(one["tenantName"]), "-", "-", escape(note))
    yield table


def _show_check(report: Mapping[str, Any], words: Mapping[str, str], language: str) -> Iterable[Table | str]:
    yield from _show_status(report, words, language)
    if not report["findings"]:
        return
    table = _table(words, "verdict", "rule", "tenant", "observed", "hint")
    for one in report["findings"]:
        waiver = one["waiver"]
        level = escape(words["waived"].format(owner=waiver["owner"])) if waiver else _coloured(one["level"])
        table.add_row(
            level, escape(one["rule"]), escape(one["tenantName"] or ""), escape(one["observed"][language]),
            escape(one["hint"][language]),
        )  # fmt: skip
    yield table


def _table(words: Mapping[str, str], *names: str) -> Table:
    """A table that is never cut: on a narrow terminal its words are broken."""
    return Table(*(Column(words[name], overflow="fold") for name in names))


def _coloured(level: str) -> str:
    return f"[{_COLOURS[level]}]{level}[/]"


def _time(text: str | None) -> str:
    return text.replace("T", " ")[:19] if text else "-"


Show = Callable[[Mapping[str, Any], Mapping[str, str], str], Iterable[Table | str]]
_SHOWS: dict[str, Show] = {"status": _show_status, "check": _show_check, "windows": _show_windows}
