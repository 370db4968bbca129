"""What the page draws: timelines of recoverable windows, and lag over the last checks. Places only, no markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_ob_provider.reports.language import Language
from airflow_ob_provider.reports.timeline import SMALLEST, Axis, Scale, Tick, broken, thinned
from airflow_ob_provider.reports.view import LEVELS, Sample, Tenant, View

MOST_BARS = 200
MOST_SAMPLES = 300
PLOT_HEIGHT = 160
"""Height in pixels of the lag chart without the strip of verdicts."""
_LABEL = 15
_OPEN = 1.5
_STRIP = {"OK": 4, "WARN": 9, "UNKNOWN": 13, "FAIL": 18}


@dataclass(frozen=True)
class Bar:
    """A stretch of time: ``window``, ``gap`` or ``open``, and what to say about it."""

    x: float
    width: float
    kind: str
    title: str


@dataclass(frozen=True)
class Timelines:
    """The common axis of all tenants.

    :ivar now: place of the time of the check, where it is known.
    :ivar until: where a gap that is open is drawn to.
    """

    axis: Axis
    ticks: list[Tick]
    now: float | None
    until: datetime
    words: Language

    def bars(self, tenant: Tenant) -> list[Bar]:
        """What is known of a tenant, the longest first, so that nothing short is hidden."""
        words, found = self.words, []
        for window in tenant.windows:
            if window.start and window.end:
                title = (
                    f"{words('window')}{words('colon')}{words.time(window.start)} – {words.time(window.end)}; "
                    f"{words('set')} {window.backup_set}; {words('round')} {window.round}"
                )
                found.append((window.start, window.end, "window", title))
        for gap in tenant.gaps:
            end = gap.end or (self.until if gap.open else None)
            if gap.start and end:
                until = words("still_open") if gap.open else words.time(gap.end)
                title = (
                    f"{words('open_gap') if gap.open else words('gap')}{words('colon')}{words.time(gap.start)} – "
                    f"{until}; {gap.kind}{words('colon')}{gap.cause}; {words('ends')}{words('colon')}{gap.ended_by}"
                )
                found.append((gap.start, end, "open" if gap.open else "gap", title))
        # Of equals, the hole lies above the window.
        ordered = sorted(found, key=lambda one: (-(one[1] - one[0]).total_seconds(), one[2] != "window"))
        return [
            # The marker of now lies over the end of an open gap, so that needs more room.
            Bar(*self.axis.span(start, end, _OPEN if kind == "open" else SMALLEST, ends=kind == "open"), kind, title)
            for start, end, kind, title in ordered[:MOST_BARS]
        ]

    def described(self, tenant: Tenant) -> str:
        """The picture in one sentence, for who cannot see it."""
        return self.words(
            "windows_described",
            windows=len(tenant.windows),
            gaps=len(tenant.gaps),
            start=self.words.time(self.axis.start),
            end=self.words.time(self.axis.end),
        )


def timelines(view: View) -> Timelines | None:
    """The axis for the windows of all tenants; None where there is not one time to draw."""
    moments = list(view.moments())
    now = view.checked_at or max(moments, default=None)
    if now is None:
        return None
    axis = Axis.around(moments, now)
    return Timelines(axis, axis.ticks(), axis.at(now) if view.checked_at else None, now, view.words)


@dataclass(frozen=True)
class Check:
    """A mark in the strip of verdicts: the taller, the worse."""

    x: float
    width: float
    height: int
    level: str
    title: str


@dataclass(frozen=True)
class Line:
    """A line across the lag chart, in pixels from above; of what level it is the threshold, if it is one."""

    y: float
    label: str
    level: str
    label_y: float


@dataclass(frozen=True)
class LagChart:
    """Lag over the last checks.

    :ivar paths: what to draw of the curve, in per cent; one path for each stretch without a break.
    :ivar pauses: where no check was made: place and width in per cent, and from when to when.
    """

    paths: list[str]
    pauses: list[tuple[float, float, str]]
    checks: list[Check]
    ticks: list[Tick]
    marks: list[Line]
    limits: list[Line]
    logarithmic: bool


def lag_chart(view: View) -> LagChart | None:
    """The lag history as a picture; None where there is nothing to draw."""
    samples = view.samples
    if not samples:
        return None
    words = view.words
    axis = Axis(samples[0].at, samples[-1].at)
    warn, fail, _ = view.thresholds()
    scale = Scale.over([one.delay for one in samples if one.delay is not None], fail or warn)
    limits = _limits(scale, words, warn, fail)
    marks = [
        Line(y, words.span(mark) or words.seconds(mark), "", y)
        for mark, y in ((mark, _y(scale, mark)) for mark in scale.marks())
    ]
    breaks = broken([one.at for one in samples])
    kept = thinned([_weight(one) for one in samples], MOST_SAMPLES)
    width = max(0.25, min(1.5, 70 / len(kept)))
    return LagChart(
        paths=_paths(samples, kept, set(breaks), axis, scale),
        pauses=[
            (*axis.span(samples[place - 1].at, samples[place].at), _pause(words, samples[place - 1], samples[place]))
            for place in breaks[:MOST_BARS]
        ],
        checks=[
            Check(
                round(min(100 - width, max(0.0, axis.at(one.at) - width / 2)), 3),
                round(width, 3),
                _STRIP[one.level],
                one.level,
                f"{words.time(one.at)}{words('colon')}{words.level(one.level)} · "
                f"{words.seconds(one.delay)} · {one.tenant}",
            )
            for one in map(samples.__getitem__, kept)
        ],
        ticks=axis.ticks(),
        marks=[line for line in marks if all(abs(line.y - limit.y) > _LABEL for limit in limits)],
        limits=limits,
        logarithmic=scale.logarithmic,
    )


def _weight(sample: Sample) -> float:
    return (len(LEVELS) - LEVELS.index(sample.level)) * 1e15 + (sample.delay or 0.0)


def _limits(scale: Scale, words: Language, warn: float | None, fail: float | None) -> list[Line]:
    found: list[Line] = []
    for value, level in ((fail, "FAIL"), (warn, "WARN")):
        if value is not None:
            y = _y(scale, value)
            # WARN is below FAIL; its label gives way where the two are close together.
            label_y = max(y, found[0].label_y + _LABEL) if found else y
            found.append(Line(y, words(f"{level.lower()}_from", lag=words.seconds(value)), level, label_y))
    return found


def _y(scale: Scale, value: float) -> float:
    return round(scale.at(value) * PLOT_HEIGHT / 100, 1)


def _pause(words: Language, before: Sample, after: Sample) -> str:
    return f"{words('no_check')}{words('colon')}{words.time(before.at)} – {words.time(after.at)}"


def _paths(samples: Sequence[Sample], kept: Sequence[int], breaks: set[int], axis: Axis, scale: Scale) -> list[str]:
    paths: list[list[str]] = [[]]
    last = -1
    for place in kept:
        sample = samples[place]
        if sample.delay is None or any(between in breaks for between in range(last + 1, place + 1)):
            paths.append([])
        if sample.delay is not None:
            paths[-1].append(f"{axis.at(sample.at):g} {scale.at(sample.delay):g}")
        last = place
    # A line of no length with round ends is a dot: a single check must be seen as well.
    return [f"M{points[0]}h0" + "".join(f"L{point}" for point in points[1:]) for points in paths if points]
