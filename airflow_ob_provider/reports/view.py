"""A report read for showing: typed, in order, and complete where the report itself is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import floor
from typing import Any

from airflow_ob_provider.reports.cleaning import cleaned, count, items, moment, number, part
from airflow_ob_provider.reports.language import Language

LEVELS = ("FAIL", "UNKNOWN", "WARN", "OK")
"""Worst first."""


@dataclass(frozen=True)
class Window:
    """What can be restored to."""

    start: datetime | None
    end: datetime | None
    backup_set: str
    round: str
    full_backups: int


@dataclass(frozen=True)
class Gap:
    """What cannot be restored to."""

    start: datetime | None
    end: datetime | None
    open: bool
    kind: str
    cause: str
    ended_by: str
    action: str


@dataclass(frozen=True)
class Pieces:
    """Adjacent pieces whose files are in one condition."""

    ids: str
    status: str
    start: datetime | None
    end: datetime | None
    open: bool


@dataclass(frozen=True)
class Round:
    """One round of log backup."""

    number: str
    status: str
    start: datetime | None
    checkpoint: datetime | None
    pieces: list[Pieces]


@dataclass(frozen=True)
class Tenant:
    """One tenant."""

    name: str
    number: str
    level: str
    status: str
    round: str
    since: datetime | None
    checkpoint: datetime | None
    delay: float | None
    lag_state: str
    warn: float | None
    fail: float | None
    destination: str
    mode: str
    last_backup: datetime | None
    start: datetime | None
    until: datetime | None
    windows: list[Window]
    gaps: list[Gap]
    rounds: list[Round]
    note: str

    @property
    def open_gaps(self) -> list[Gap]:
        """Those that nothing has ended."""
        return [gap for gap in self.gaps if gap.open]


@dataclass(frozen=True)
class Finding:
    """Something that is not OK."""

    rule: str
    level: str
    tenant: str
    observed: str
    expected: str
    hint: str
    waiver: str


@dataclass(frozen=True)
class Rule:
    """One rule."""

    id: str
    number: str
    title: str
    proves: str
    level: str
    tenants: str
    reason: str


@dataclass(frozen=True)
class Sample:
    """One check of the past."""

    at: datetime
    level: str
    delay: float | None
    tenant: str


@dataclass(frozen=True)
class Figure:
    """A key figure: what it is, its value, a remark, and how bad it is where that can be told."""

    label: str
    value: str
    note: str
    level: str


class View:
    """A compliance report, ready to be shown.

    :param report: the report, see :func:`~airflow_ob_provider.reports.schema`. What is missing or malformed is shown
        as missing.
    :param language: ``en`` or ``zh``.
    """

    def __init__(self, report: Mapping[str, Any], language: str) -> None:
        self.words = Language(language)
        self.raw: dict[str, Any] = part(cleaned(report))
        self.zone = _zone(self.raw.get("checked_at"))
        self.checked_at = self._time(self.raw.get("checked_at"))
        # A verdict that cannot be read is never a good one.
        self.verdict = level(self.raw.get("verdict"))
        self.summary = self.words.pair(self.raw.get("summary")) or self.words("no_summary")
        self.cluster = part(self.raw.get("cluster"))
        self.tenants = sorted(map(self._tenant, items(self.raw.get("tenants"))), key=_worst_first)
        self.rules = [self._rule(rule) for rule in items(self.raw.get("rules"))]
        self.findings = [self._finding(finding) for finding in items(self.raw.get("findings"))]
        self.history = part(self.raw.get("lag_history"))
        self.samples = self._samples()
        self.waivers = items(self.raw.get("waivers"))

    @property
    def zone_name(self) -> str:
        """The zone of all times: ``UTC+08:00``."""
        return str(datetime(2000, 1, 1, tzinfo=self.zone).tzname() or "UTC")

    @property
    def title(self) -> str:
        """The cluster by name, or the connection where it has none."""
        return str(self.cluster.get("clusterName") or self.raw.get("connection") or self.words("not_known"))

    @property
    def tenants_ok(self) -> int:
        """How many are OK."""
        return ok(self.tenants)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What identifies the report."""
        words, cluster = self.words, self.cluster
        facts = [
            (words("version"), cluster.get("obVersion")),
            (words("cluster_id"), cluster.get("obClusterId")),
            (words("connection"), self.raw.get("connection")),
            (words("checked_at"), words.time(self.checked_at) if self.checked_at else words("not_known")),
        ]
        return [(name, str(value)) for name, value in facts if value not in (None, "")]

    def figures(self) -> list[Figure]:
        """The five key figures."""
        words, tenants = self.words, self.tenants
        every = words.count(len(tenants))
        unknown = sum(tenant.delay is None for tenant in tenants)
        slowest = max((one for one in tenants if one.delay is not None), key=lambda one: one.delay or 0.0, default=None)
        ends = [tenant.until for tenant in tenants if tenant.until]
        endless = [tenant for tenant in tenants if not tenant.until]
        broken = [tenant for tenant in tenants if tenant.open_gaps]
        backups = [tenant.last_backup for tenant in tenants if tenant.last_backup]
        without = [tenant for tenant in tenants if not tenant.last_backup]
        lag = slowest.delay if slowest else None
        remark = [words("unknown_for", n=words.count(unknown), all=every)] if unknown else []
        if slowest:
            remark = [text for text in (slowest.name, words.span(lag)) if text] + remark
        return [
            Figure(words("worst_lag"), words.seconds(lag), " · ".join(remark), _lag_level(slowest, unknown)),
            Figure(
                words("restorable_until"),
                words.time(min(ends, default=None)),
                words("no_window_for", n=words.count(len(endless)), all=every) if endless else "",
                _worst(endless),
            ),
            Figure(
                words("open_gaps"),
                words.count(sum(len(tenant.open_gaps) for tenant in tenants)),
                words("in_tenants", n=words.count(len(broken)), all=every) if broken else "",
                _worst(broken) or "WARN" if broken else "OK" if tenants else "UNKNOWN",
            ),
            Figure(
                words("last_data_backup"),
                words.time(min(backups, default=None)),
                words("no_backup_for", n=words.count(len(without)), all=every) if without else "",
                _worst(without),
            ),
            Figure(
                words("percent_green"),
                self._green(),
                words("of_checks", n=words.count(count(self.history.get("checks")))),
                "OK" if number(self.history.get("percent_green")) == 100 else "",
            ),
        ]

    def history_facts(self) -> str:
        """The lag history in one sentence."""
        words, history = self.words, self.history
        if not count(history.get("checks")):
            return words("no_history")
        return words(
            "history_facts",
            n=words.count(count(history.get("checks"))),
            start=self.clock(history.get("from")),
            end=self.clock(history.get("to")),
            green=self._green(),
            worst=words.seconds(number(history.get("worst_delay"))),
            name=history.get("worst_tenant") or words("all_tenants"),
            at=self.clock(history.get("worst_at")),
        )

    def thresholds(self) -> tuple[float | None, float | None, bool]:
        """The strictest WARN and FAIL thresholds of lag, and whether tenants differ in them."""
        warn = {tenant.warn for tenant in self.tenants if tenant.warn is not None}
        fail = {tenant.fail for tenant in self.tenants if tenant.fail is not None}
        return min(warn, default=None), min(fail, default=None), len(warn) > 1 or len(fail) > 1

    def grouped(self) -> list[tuple[str, list[Finding]]]:
        """Findings by level, worst first, and those that are waived last."""
        groups = [(name, [one for one in self.findings if one.level == name and not one.waiver]) for name in LEVELS]
        groups.append(("WAIVED", [finding for finding in self.findings if finding.waiver]))
        return [(name, found) for name, found in groups if found]

    def rule_title(self, rule: str) -> str:
        """The title of a rule, or its id where the report doesn't have it."""
        return next((one.title for one in self.rules if one.id == rule and one.title), rule)

    def left_out(self) -> list[tuple[str, int]]:
        """Findings that the report does not list: rule and number."""
        return [(rule, count(n)) for rule, n in part(self.raw.get("findings_left_out")).items() if count(n)]

    def expired(self) -> int:
        """How many waivers are over."""
        return sum(waiver.get("state") == "expired" for waiver in self.waivers)

    def clock(self, value: Any) -> str:
        """A time of the report in words; what is none as it is."""
        found = self._time(value)
        return self.words.time(found) if found else self.words("not_known") if value in (None, "") else str(value)

    def moments(self) -> Iterable[datetime]:
        """All the times that windows and gaps begin or end at."""
        for tenant in self.tenants:
            stretches: list[Window | Gap] = [*tenant.windows, *tenant.gaps]
            for stretch in stretches:
                yield from (found for found in (stretch.start, stretch.end) if found)

    def _green(self) -> str:
        green = number(self.history.get("percent_green"))
        # Cut and not rounded: 100 % is said of nothing less.
        return self.words("not_known") if green is None else f"{floor(green * 10 + 1e-6) / 10:g} %"

    def _time(self, value: Any) -> datetime | None:
        return moment(value, self.zone)

    def _tenant(self, raw: Mapping[str, Any]) -> Tenant:
        words = self.words
        # OCP's word, and the server's where it is another.
        word, server = words.state(raw.get("status")), str(raw.get("archive_status") or "")
        return Tenant(
            name=str(raw.get("tenantName") or words("not_known")),
            number=_text(raw.get("obTenantId")),
            level=level(raw.get("verdict")),
            status=word + words("brackets", text=server) if word and server not in ("", word) else word or server,
            round=_text(raw.get("logArchiveRound")),
            since=self._time(raw.get("createTime")),
            checkpoint=self._time(raw.get("checkpoint")),
            delay=number(raw.get("delay")),
            lag_state=words.lag(raw.get("lag_state")),
            warn=number(raw.get("lag_warn")),
            fail=number(raw.get("lag_fail")),
            destination=_text(raw.get("backupUri")),
            mode=_text(raw.get("backupMode")),
            last_backup=self._time(raw.get("lastDataBackupTime")),
            start=self._time(raw.get("restorable_from")),
            until=self._time(raw.get("restorable_until")),
            windows=[
                Window(
                    self._time(one.get("from")),
                    self._time(one.get("to")),
                    _text(one.get("backup_set_id")),
                    _text(one.get("round_id")),
                    count(one.get("full_backups")),
                )
                for one in items(raw.get("windows"))
            ],
            gaps=[self._gap(one) for one in items(raw.get("gaps"))],
            rounds=[self._round(one) for one in reversed(items(raw.get("rounds")))],
            note=words.pair(raw.get("note")),
        )

    def _gap(self, raw: Mapping[str, Any]) -> Gap:
        words, causes, end = self.words, items(raw.get("causes")), part(raw.get("ended_by"))
        # A gap of which it is not said that it ended goes on.
        is_open = raw.get("open") is not False
        by = words("ended_by", set=_text(end.get("backup_set_id")), at=self.clock(end.get("at"))) if end else ""
        return Gap(
            start=self._time(raw.get("from")),
            end=None if is_open else self._time(raw.get("to")),
            open=is_open,
            kind=", ".join(dict.fromkeys(words.cause(cause.get("kind")) for cause in causes)) or words.cause("unknown"),
            cause=" ".join(text for cause in causes if (text := words.pair(cause.get("text")))),
            ended_by=words("not_ended") if is_open else by or words("not_known"),
            action=words.pair(raw.get("action")),
        )

    def _round(self, raw: Mapping[str, Any]) -> Round:
        return Round(
            _text(raw.get("round_id")),
            _text(raw.get("archive_status")),
            self._time(raw.get("from")),
            self._time(raw.get("checkpoint")),
            [
                Pieces(
                    " – ".join(dict.fromkeys((_text(one.get("first")), _text(one.get("last"))))),
                    _text(one.get("file_status")),
                    self._time(one.get("from")),
                    self._time(one.get("to")),
                    one.get("open") is True,
                )
                for one in reversed(items(raw.get("pieces")))
            ],
        )

    def _finding(self, raw: Mapping[str, Any]) -> Finding:
        words, waiver = self.words, part(raw.get("waiver"))
        keys = {"owner": waiver.get("owner"), "date": waiver.get("expires"), "reason": waiver.get("reason")}
        return Finding(
            rule=_text(raw.get("rule")),
            level=level(raw.get("level")),
            tenant=str(raw.get("tenantName") or words("all_tenants")),
            observed=words.pair(raw.get("observed")),
            expected=words.pair(raw.get("expected")),
            hint=words.pair(raw.get("hint")),
            waiver=words("waived_by", **{key: _text(value) for key, value in keys.items()}) if waiver else "",
        )

    def _rule(self, raw: Mapping[str, Any]) -> Rule:
        words = self.words
        counts = [(name, count(n)) for name, n in part(raw.get("tenants")).items() if count(n)]
        word = raw.get("level")
        return Rule(
            id=_text(raw.get("id")),
            number=_text(raw.get("number")),
            title=words.pair(raw.get("title")),
            proves=words.pair(raw.get("proves")),
            level=word if word in ("WAIVED", "NOT_APPLICABLE") else level(word),
            tenants=", ".join(f"{words.count(n)} {words.level(name)}" for name, n in counts),
            reason=words.pair(raw.get("reason")),
        )

    def _samples(self) -> list[Sample]:
        found = []
        for raw in items(self.history.get("samples")):
            if at := self._time(raw.get("checked_at")):
                delay = number(raw.get("delay"))
                found.append(Sample(at, level(raw.get("verdict")), delay, _text(raw.get("tenantName"))))
        return sorted(found, key=lambda sample: sample.at)


def level(word: Any) -> str:
    """One of the four levels; what is none of them is UNKNOWN."""
    return word if isinstance(word, str) and word in LEVELS else "UNKNOWN"


def ok(tenants: Iterable[Tenant]) -> int:
    """How many of them are OK."""
    return sum(tenant.level == "OK" for tenant in tenants)


def _worst(tenants: Iterable[Tenant]) -> str:
    """The worst level among some tenants; none where all of them are OK, as one is whose finding is waived."""
    found = min((LEVELS.index(tenant.level) for tenant in tenants), default=-1)
    return LEVELS[found] if LEVELS[found] != "OK" else ""


def _worst_first(tenant: Tenant) -> tuple[int, int, float, str]:
    return LEVELS.index(tenant.level), -len(tenant.open_gaps), -(tenant.delay or 0.0), tenant.name


def _lag_level(slowest: Tenant | None, unknown: int) -> str:
    if slowest is None or slowest.delay is None:
        return "UNKNOWN"
    if slowest.fail is not None and slowest.delay >= slowest.fail:
        return "FAIL"
    if unknown:
        return "UNKNOWN"
    return "WARN" if slowest.warn is not None and slowest.delay >= slowest.warn else "OK"


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _zone(checked_at: Any) -> tzinfo:
    try:
        return datetime.fromisoformat(checked_at).tzinfo or UTC
    except (TypeError, ValueError):
        return UTC
