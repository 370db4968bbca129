"""What a watch remembers from one look to the next, and what it tells.

Told is a change, never a state, and of each tenant once in a window (:attr:`Bounds.hysteresis`). Three rules come
before that one: the first look at something broken is told at once; so is a tenant that was told of as broken and,
without having wavered since, is now INTERRUPTED, because that one costs logs; and what has changed and changed back
within a window is told at its end, because between two breaks there may have been a repair that the second undid.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from airflow_ob_provider.oceanbase.models import ArchiveSnapshot
from airflow_ob_provider.oceanbase.watch.conditions import Bounds, Condition, Sighting, View, view
from airflow_ob_provider.oceanbase.watch.events import Change, Standing, event_of, unreadable_event

GONE = "gone"
"""Seen of a tenant that does not exist any more."""
SOME, ALL = "some", "all"


@dataclass(frozen=True)
class Subject:
    """One tenant, or a 3.x cluster."""

    name: str
    seen: str = ""
    """The last thing seen of it, UNKNOWN left out; '' before the first."""
    since: datetime | None = None
    """Since when; None of what is quiet, whose memory should not change with every restart."""
    now: Condition | None = None
    """What it is. None before the first time that it could be said."""
    told: Condition | None = None
    """As what it has been told of last, or was found healthy."""
    told_at: datetime | None = None
    """When, while the window since then is open."""
    changes: int = 0
    """How often it has become something else since."""
    wavered: bool = False
    """Whether the last telling was of more than one change."""

    @property
    def is_quiet(self) -> bool:
        """Healthy, and nothing left to tell."""
        return self == Subject(self.name, Condition.HEALTHY, None, Condition.HEALTHY, Condition.HEALTHY)


@dataclass(frozen=True)
class Step:
    """What a look has made of a memory, and what is to be told."""

    memory: WatchMemory
    event: dict[str, Any] | None = None


@dataclass(frozen=True)
class WatchMemory:
    """All that a watch must know of the past; as JSON it outlives a restart. A new one has seen nothing."""

    subjects: Mapping[int, Subject] = field(default_factory=dict)
    """By number of the tenant: a dropped one that is made anew is another."""
    blind: str = ""
    """Told that it cannot see: '' not, of ``some`` tenants, or of ``all``."""
    blind_since: datetime | None = None
    """Since when there is somebody whose state is not understood."""
    seeing_since: datetime | None = None
    """Since when it can see again, while that has not been told."""

    def after(self, snapshot: ArchiveSnapshot, bounds: Bounds, tenants: Sequence[str] = ()) -> Step:
        """Take in one snapshot.

        :param tenants: user tenants to watch, all if none is named.
        """
        seen = view(snapshot, bounds, tenants)
        subjects, changes = dict(self.subjects), []
        for sighting in seen.sightings:
            number = sighting.tenant.tenant_id
            subject, change = _looked(subjects.get(number), sighting, seen.read_at, bounds)
            subjects[number] = subject
            changes += [change] if change else []
        for number in [number for number in subjects if number not in seen.present]:
            gone = _gone(subjects.pop(number), seen.read_at, bounds)
            subjects |= {number: gone} if gone else {}
        unclear = [one.name for one in seen.sightings if one.condition is Condition.UNKNOWN]
        memory = replace(self, subjects=subjects)
        memory, cannot = memory._unclear(unclear, seen.read_at, bounds)
        memory, can = memory._clear(not unclear, bool(changes), seen.read_at, bounds)
        if not (changes or cannot or can):
            return Step(memory)
        left = memory._standing(without={change.tenant_id for change in changes})
        return Step(
            memory,
            event_of(changes, left, _facts(seen), unreadable=unclear if cannot else (), readable=can),
        )

    def unreadable(self, seconds: float, reason: str, bounds: Bounds) -> Step:
        """Take in a failed reading, which says nothing about log backup.

        :param seconds: for how long readings have failed in a row, by the reader's own clock.
        """
        memory = replace(self, seeing_since=None)
        if self.blind == ALL or seconds < bounds.max_unreadable:
            return Step(memory)
        return Step(replace(memory, blind=ALL), unreadable_event(reason, seconds, self._standing()))

    def _unclear(self, names: list[str], now: datetime, bounds: Bounds) -> tuple[WatchMemory, bool]:
        """Rows that are not understood, for too long; what is told already is not told again."""
        if not names:
            return replace(self, blind_since=None), False
        since = _not_after(self.blind_since or now, now)
        told = not self.blind and (now - since).total_seconds() >= bounds.max_unreadable
        return replace(self, blind_since=since, seeing_since=None, blind=SOME if told else self.blind), told

    def _clear(self, sees: bool, tells: bool, now: datetime, bounds: Bounds) -> tuple[WatchMemory, bool]:
        """It sees again: told along with anything else, and else when it has lasted."""
        if not self.blind or not sees:
            return self, False
        since = _not_after(self.seeing_since or now, now)
        if tells or (now - since).total_seconds() >= bounds.hysteresis:
            return replace(self, blind="", seeing_since=None), True
        return replace(self, seeing_since=since), False

    def _standing(self, without: Collection[int] = ()) -> Standing:
        """What is broken as far as is known, and those that are not to be named again."""
        broken = {number: one for number, one in self.subjects.items() if one.now and one.now.is_broken}
        return Standing(
            watched=len(self.subjects),
            broken=len(broken),
            elsewhere=tuple((one.name, one.now, one.since) for number, one in broken.items() if number not in without),
        )

    # --- JSON ---------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; of tenants that are healthy and have nothing left to tell just the numbers and names."""
        return {
            "quiet": {str(number): one.name for number, one in self.subjects.items() if one.is_quiet},
            "subjects": {
                str(number): [one.name, one.seen, _text(one.since), _word(one.now), _word(one.told),
                              _text(one.told_at), one.changes, one.wavered]
                for number, one in self.subjects.items() if not one.is_quiet
            },
            "blind": self.blind,
            "blind_since": _text(self.blind_since),
            "seeing_since": _text(self.seeing_since),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Any) -> WatchMemory | None:
        """What :meth:`to_json` gave; None where it cannot be read, so that the next look is a first one."""
        try:
            quiet = {int(number): _quiet(name) for number, name in data["quiet"].items()}
            others = {
                int(number): Subject(
                    str(one[0]), str(one[1]), _moment(one[2]), _condition(one[3]), _condition(one[4]), _moment(one[5]),
                    int(one[6]), bool(one[7]),
                )
                for number, one in data["subjects"].items()
            }  # fmt: skip
            blind = str(data["blind"])
            return cls(quiet | others, blind, _moment(data["blind_since"]), _moment(data["seeing_since"]))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return None


def _looked(
    subject: Subject | None, sighting: Sighting, now: datetime, bounds: Bounds
) -> tuple[Subject, Change | None]:
    """One tenant after a look, and what is to be told of it."""
    subject = replace(subject or Subject(sighting.name), name=sighting.name)
    if sighting.condition is Condition.UNKNOWN:
        return subject, None
    since = subject.since if subject.seen == sighting.seen else now
    since = _not_after(since or now, now)
    told_at = _not_after(subject.told_at, now) if subject.told_at else None
    subject = replace(subject, seen=sighting.seen, since=since, told_at=told_at)
    if (now - since).total_seconds() < sighting.patience:
        return subject, None  # it may pass; until then it is what it was
    if subject.now is not sighting.condition:
        subject = replace(subject, now=sighting.condition, changes=subject.changes + 1)
    if subject.told is None and subject.now is Condition.HEALTHY:
        subject = replace(subject, told=Condition.HEALTHY, changes=0)
    is_open = told_at is not None and (now - told_at).total_seconds() < bounds.hysteresis
    if subject.changes and (not is_open or _has_got_worse(subject)):
        change = Change(sighting, subject.told, sighting.condition, subject.changes, since)
        wavered = subject.changes > 1
        return replace(subject, told=sighting.condition, told_at=now, changes=0, wavered=wavered), change
    if is_open:
        return subject, None
    kept = None if subject.now is Condition.HEALTHY else since
    return replace(subject, since=kept, told_at=None, wavered=False), None


def _has_got_worse(subject: Subject) -> bool:
    broken_already = subject.told is not None and subject.told.is_broken
    return broken_already and subject.now is Condition.INTERRUPTED and subject.changes == 1 and not subject.wavered


def _gone(subject: Subject, now: datetime, bounds: Bounds) -> Subject | None:
    """One that is not there: no break. It is remembered for a while, in case a reading has left it out by mistake."""
    since = _not_after(subject.since if subject.seen == GONE and subject.since else now, now)
    if subject.is_quiet or (now - since).total_seconds() >= bounds.hysteresis:
        return None
    return replace(subject, seen=GONE, since=since)


def _facts(seen: View) -> dict[str, Any]:
    return {"read_at": seen.read_at, "not_found": seen.not_found}


def _not_after(moment: datetime, now: datetime) -> datetime:
    """A clock that was set back begins a time anew; otherwise nothing would end before it has caught up."""
    return min(moment, now)


def _quiet(name: Any) -> Subject:
    return Subject(str(name), Condition.HEALTHY, None, Condition.HEALTHY, Condition.HEALTHY)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: Any) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return moment


def _word(condition: Condition | None) -> str | None:
    return None if condition is None else str(condition)


def _condition(word: Any) -> Condition | None:
    return None if word is None else Condition(word)
