"""A compliance report as Markdown that reads well in a task log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from airflow_ob_provider.reports.cleaning import count, items, part
from airflow_ob_provider.reports.view import View, ok

_MOST = 50
# Within a word an underscore means nothing, and most names have one.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&]|!(?=\[)|(?<![^\W_])_|_(?![^\W_])")
# What begins a list, a heading or a rule at the start of a line; not the point in "77.6 s".
_BLOCK = re.compile(r"^(\d*)([.)](?=\s|$)|[#+\-=](?=[\s#+\-=]|$))")


def markdown(report: Mapping[str, Any], language: str = "en") -> str:
    """A compliance report as Markdown: the verdict first, then what is wrong, then all the rest.

    :param report: see :func:`~airflow_ob_provider.reports.schema`; a part that is missing is shown as missing. Nothing
        in it can turn into markup.
    :param language: ``en`` or ``zh``.
    :raises ValueError: for another language.
    """
    view = View(report, language)
    words = view.words
    colon = words("colon")
    facts = " · ".join(f"{name} {inline(value)}" for name, value in view.facts)
    figures = [(one.label, one.value, one.note) for one in view.figures()]
    parts = [
        f"# {words('title')} · {inline(view.title)}{colon}{words.level(view.verdict)}",
        f"**{inline(view.summary)}**",
        facts,
        words("zone", zone=view.zone_name),
        _table((words("figures"), words("value"), ""), figures),
        *_tenants(view),
        *_gaps(view),
        *_findings(view),
        *_windows(view),
        f"## {words('history')}",
        inline(view.history_facts()),
        *_claims(view),
        *_waivers(view),
        *_evidence(view),
    ]
    return "\n\n".join(parts) + "\n"


def inline(value: object) -> str:
    """Text from outside, so that it stays text in one line of Markdown, also in a cell of a table."""
    text = " ".join(str(value).split())
    return _BLOCK.sub(r"\1\\\2", _MARKUP.sub(lambda found: f"\\{found[0]}", text))


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cells = [[inline(cell) for cell in row] for row in rows]
    return tabulate(cells, headers=headers, tablefmt="github", disable_numparse=True)


def _tenants(view: View) -> list[str]:
    words, tenants = view.words, view.tenants
    title = words("tenants_ok", n=words.count(view.tenants_ok), all=words.count(len(tenants)))
    if not tenants:
        return [f"## {words('tenants')}", words("no_tenants")]
    names = ("level", "tenant", "status", "round", "lag", "checkpoint", "from", "until", "data_backup", "gaps")
    rows = [
        (
            words.level(tenant.level),
            tenant.name,
            tenant.status,
            tenant.round,
            words.seconds(tenant.delay),
            words.time(tenant.checkpoint),
            words.time(tenant.start),
            words.time(tenant.until),
            words.time(tenant.last_backup),
            len(tenant.gaps),
        )
        for tenant in tenants[:_MOST]
    ]
    rest = tenants[_MOST:]
    more = [words("more", n=words.count(len(rest)), ok=words.count(ok(rest)))] if rest else []
    return [f"## {title}", _table([words(name) for name in names], rows), *more]


def _gaps(view: View) -> list[str]:
    words = view.words
    found = [
        (tenant.name, words.time(gap.start), gap.kind, gap.cause, gap.action)
        for tenant in view.tenants
        for gap in tenant.open_gaps
    ]
    headers = [words(name) for name in ("tenant", "begin", "kind", "cause", "todo")]
    table = [_table(headers, found[:_MOST]), *_more(view, len(found))] if found else [words("none")]
    return [f"## {words('open_gaps')}{words('colon')}{words.count(len(found))}", *table]


def _findings(view: View) -> list[str]:
    words = view.words
    parts = [f"## {words('findings')}"]
    if not view.findings and not view.left_out():
        return [*parts, words("no_findings")]
    for level, found in view.grouped():
        waived = level == "WAIVED"
        headers = [words(name) for name in ("rule", "tenant", "observed", "expected", "todo")]
        rows = [
            (view.rule_title(one.rule), one.tenant, one.observed, one.expected, one.waiver if waived else one.hint)
            for one in found[:_MOST]
        ]
        parts.append(f"### {words.level(level)}{words('colon')}{words('finding_count', n=words.count(len(found)))}")
        parts.append(_table([*headers[:-1], words("waivers") if waived else headers[-1]], rows))
        parts += _more(view, len(found))
    for rule, n in view.left_out():
        rest = words("left_out_of", n=words.count(n), rule=inline(view.rule_title(rule)))
        parts.append(f"{words('left_out')}{words('colon')}{rest}")
    return parts


def _windows(view: View) -> list[str]:
    words = view.words
    rows = [
        (tenant.name, words.time(one.start), words.time(one.end), one.backup_set, one.round, one.full_backups)
        for tenant in view.tenants
        for one in tenant.windows
    ]
    parts = [f"## {words('windows')}"]
    if rows:
        headers = [words(name) for name in ("tenant", "begin", "end", "set", "round", "full_backups")]
        parts += [_table(headers, rows[:_MOST]), *_more(view, len(rows))]
    else:
        parts.append(words("no_windows"))
    notes = [f"* {inline(tenant.name)}{words('colon')}{inline(tenant.note)}" for tenant in view.tenants if tenant.note]
    return [*parts, "\n".join(notes[:_MOST])] if notes else parts


def _claims(view: View) -> list[str]:
    words = view.words
    claims = [(name, words.pair(view.raw.get(name))) for name in ("proves", "does_not_prove")]
    lines = [f"* {words(name)}{words('colon')}{inline(text)}" for name, text in claims if text]
    return [f"## {words('claim')}", "\n".join(lines)] if lines else []


def _waivers(view: View) -> list[str]:
    words = view.words
    if not view.waivers:
        return []
    rows = [
        (
            words.waiver(one.get("state")),
            view.rule_title(str(one.get("rule") or "")),
            one.get("tenant") or words("all_tenants"),
            one.get("owner") or "",
            one.get("expires") or "",
            one.get("reason") or "",
        )
        for one in view.waivers[:_MOST]
    ]
    headers = [words(name) for name in ("status", "rule", "tenant", "owner", "expires", "reason")]
    loud = [f"**{words('waiver_expired', n=view.expired())}**"] if view.expired() else []
    return [f"## {words('waivers')}", *loud, _table(headers, rows), *_more(view, len(view.waivers))]


def _evidence(view: View) -> list[str]:
    words, evidence = view.words, part(view.raw.get("evidence"))
    queries = items(evidence.get("queries"))
    if not evidence:
        return []
    rows = [(one.get("name") or "", words.count(count(one.get("rows"))), one.get("sha256") or "") for one in queries]
    table = [_table((words("query"), words("rows"), "SHA-256"), rows[:_MOST])] if rows else []
    return [
        f"## {words('evidence')}",
        *table,
        f"{words('evidence_hash')}{words('colon')}{inline(evidence.get('sha256') or words('not_known'))}",
    ]


def _more(view: View, found: int) -> list[str]:
    return [view.words("more_only", n=view.words.count(found - _MOST))] if found > _MOST else []
