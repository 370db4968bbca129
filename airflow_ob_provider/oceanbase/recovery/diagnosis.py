"""What is wrong with log backup of a cluster or tenant, by evidence; what has none is UNKNOWN."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airflow_ob_provider.oceanbase.breaks import STUCK_SECONDS, BreakEvent, BreakHistory, Lag
from airflow_ob_provider.oceanbase.catalog import BackupCatalog
from airflow_ob_provider.oceanbase.compliance.words import Text, at, length
from airflow_ob_provider.oceanbase.models import ArchiveState, Scope
from airflow_ob_provider.oceanbase.recovery import runbook
from airflow_ob_provider.oceanbase.recovery.cause import FIRST, BreakCause, causes_in, causes_of, failed
from airflow_ob_provider.oceanbase.recovery.unit import Unit, units
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

FORCED_SECONDS = 600.0
"""4.2.3+ and 4.3.3+ end STOPPING after this time if the destination is dead (V4.2.5 manual, overview)."""
START_STUCK_SECONDS = 1800.0
"""BEGINNING takes up to some minutes; the specification's default of a start's timeout is 15 to 30 minutes."""
LAG_WINDOW = timedelta(days=1)
MAX_EVIDENCE = 10
MAX_LINE = 300
_RISING = frozenset({ArchiveState.PREPARE, ArchiveState.BEGINNING})
_SUSPENDED = frozenset({ArchiveState.SUSPENDING, ArchiveState.SUSPEND})


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with one cluster or tenant."""

    unit: Unit = field(repr=False, compare=False)
    place: str
    """The tenant's name, or ``cluster``."""
    tenants: tuple[str, ...]
    """The user tenants it is about."""
    state: ArchiveState
    status: str
    """The server's own word."""
    round_id: int
    cause: BreakCause
    """NONE where nothing has broken off; UNKNOWN where nothing that the server says names a cause."""
    causes: tuple[BreakCause, ...]
    """All that evidence names, in the order in which they are to be seen to."""
    evidence: tuple[str, ...]
    """What led to it, redacted, the server's words among it."""
    runbook: Text
    restart_suffices: bool
    """Known to be mended by a stop and a start alone; otherwise a person looks first, wherever one is needed."""
    is_stuck: bool = False
    """STOPPING, SUSPENDING or BEGINNING for longer than it should be, by the server's own record."""
    since: datetime | None = None
    """When it got into its state; None where no event tells."""
    ends_after: float | None = None
    """Seconds after which the server itself ends STOPPING; None where it does not."""
    can_force: bool = False
    """3.1.3+: there is a stop by force."""
    refusal: str = ""
    """Why it cannot be judged; '' if it can."""

    @property
    def needs_person(self) -> bool:
        """Whether somebody must repair or find out something before the steps can help."""
        return not self.restart_suffices


def diagnose(
    catalog: BackupCatalog,
    history: BreakHistory,
    version: OceanBaseVersion,
    *,
    tenants: Sequence[str] = (),
    stuck_after: float = STUCK_SECONDS,
    waited: float = 0.0,
    lags: Sequence[Lag] = (),
) -> tuple[Diagnosis, ...]:
    """A diagnosis of the cluster (3.x), or of each of these tenants (4.x; all, if none is named).

    :param stuck_after: seconds after which STOPPING and SUSPENDING count as stuck, by the server's own events.
    :param waited: seconds that the caller has seen STOPPING or SUSPENDING himself, where no event tells.
    :param lags: what earlier checks have seen, for the evidence.
    """
    return tuple(
        _Doctor(unit, history, version, stuck_after, waited, lags).diagnosis() for unit in units(catalog, tenants)
    )


class _Doctor:
    def __init__(
        self,
        unit: Unit,
        history: BreakHistory,
        version: OceanBaseVersion,
        stuck_after: float,
        waited: float,
        lags: Sequence[Lag],
    ) -> None:
        self.unit, self.history, self.version = unit, history, version
        self.stuck_after, self.waited, self.lags = stuck_after, waited, lags
        self.events = tuple(event for event in history.events if self._is_mine(event))

    def _is_mine(self, event: BreakEvent) -> bool:
        return event.module == "log_archive" and event.tenant_id == self.unit.tenant_id

    def diagnosis(self) -> Diagnosis:
        unit, row = self.unit, self.unit.row
        names = tuple(record.tenant.name for record in unit.records)
        shown = redact(row.status)[:MAX_LINE] if row else ""
        number = row.round_id if row else 0
        if unit.why_unknown:
            why = redact(unit.why_unknown)
            text = runbook.UNTOLD.filled(why=why)
            return Diagnosis(
                unit, unit.place, names, ArchiveState.UNKNOWN, shown, number, BreakCause.UNKNOWN, (), (why,), text,
                restart_suffices=False, refusal=why,
            )  # fmt: skip
        since = self._since()
        is_stuck = self._is_stuck(since)
        broken = unit.broken_round
        looks = broken is not None or is_stuck or unit.state is ArchiveState.STOP
        found = list(self._named(broken if broken is not None else number)) if looks else []
        causes = tuple(cause for cause in FIRST if any(cause in named for named, _ in found))
        cause = causes[0] if causes else BreakCause.NONE
        if not causes and (broken is not None or is_stuck):
            cause = BreakCause.UNKNOWN
        evidence = [*self._state(since), *(line for _, line in found)]
        evidence += self._circumstances(broken) if broken is not None or is_stuck else []
        text, suffices = self._runbook(cause, is_stuck=is_stuck)
        return Diagnosis(
            unit,
            unit.place,
            names,
            unit.state,
            shown,
            number,
            cause,
            causes,
            _capped(evidence),
            text,
            restart_suffices=suffices,
            is_stuck=is_stuck,
            since=since,
            ends_after=FORCED_SECONDS if self.version.forces_stop else None,
            can_force=self._can_force,
        )

    # --- how long it has been so --------------------------------------------------------------------------------------

    @property
    def _word(self) -> ArchiveState:
        """STATUS itself: from 4.1 on mode and destination tell of a state before STATUS does."""
        row = self.unit.row
        first = (row.status if row else "").replace(",", " ").split(" ")[0]
        parsed = ArchiveState.parse(first)
        return self.unit.state if parsed is ArchiveState.UNKNOWN else parsed

    def _since(self) -> datetime | None:
        number = self.unit.row.round_id if self.unit.row else 0
        told = (event for event in self.events if event.state is not None and event.round_id == number)
        newest = next(told, None)
        return newest.at if newest and newest.state is self._word else None

    def _is_stuck(self, since: datetime | None) -> bool:
        age = (self.unit.read_at - since).total_seconds() if since else 0.0
        if self._word in {ArchiveState.STOPPING, ArchiveState.SUSPENDING}:
            return max(age, self.waited) >= self.stuck_after
        return self._word in _RISING and age >= START_STUCK_SECONDS

    # --- evidence -----------------------------------------------------------------------------------------------------

    def _named(self, round_id: int) -> Iterator[tuple[frozenset[BreakCause], str]]:
        """What names a cause, with the causes it names."""
        row = self.unit.row
        remarks = [row.remark] if row and row.round_id == round_id else []
        remarks += [one.comment for record in self.unit.records for one in record.rounds if one.round_id == round_id]
        for remark in dict.fromkeys(filter(None, remarks)):
            if causes := causes_in(remark):
                yield causes, f"COMMENT of round {round_id}: {remark}"
        for event in self.events:
            if event.round_id == round_id and (causes := causes_of(event.values)):
                yield causes, f"event at {at(event.at)}: {event}"
        if self._never_archived(round_id):
            yield (
                frozenset({BreakCause.DESTINATION}),
                f"round {round_id} never got past its start, which the community FAQ knows from a destination that is "
                "not mounted, or not writable, on some OBServer",
            )

    def _never_archived(self, round_id: int) -> bool:
        """3.x: INTERRUPTED right after the start, ``checkpoint_ts == start_ts``."""
        row = self.unit.row
        if self.unit.scope is not Scope.CLUSTER or row is None:
            return False
        ranges = [
            (one.started, one.checkpoint)
            for record in self.unit.records
            for one in record.rounds
            if one.round_id == round_id and one.was_interrupted
        ]
        if self.unit.state is ArchiveState.INTERRUPTED and row.round_id == round_id:
            ranges = [(row.started, row.checkpoint)]
        return any(start is not None and (until is None or until <= start) for start, until in ranges)

    def _state(self, since: datetime | None) -> Iterator[str]:
        row = self.unit.row
        if row is None:  # pragma: no cover - such a unit was refused
            return
        for_so_long = f" since {at(since)} ({length(self.unit.read_at - since)})" if since else ""
        yield f"STATUS is {row.status}{for_so_long}, round {row.round_id}, archived until {at(row.checkpoint)}"
        if row.remark:
            yield f"COMMENT: {row.remark}"

    def _circumstances(self, broken: int | None) -> Iterator[str]:
        """What a person wants to know, and what by itself proves nothing."""
        unit, row = self.unit, self.unit.row
        broke = next((e for e in self.events if e.state is ArchiveState.INTERRUPTED and e.round_id == broken), None)
        rounds = [one for record in unit.records for one in record.rounds if one.round_id == broken]
        checkpoint = min((one.checkpoint for one in rounds if one.checkpoint), default=row.checkpoint if row else None)
        if broke and broke.at:
            behind = f", {length(broke.at - checkpoint)} behind" if checkpoint and checkpoint < broke.at else ""
            yield f"it broke off at {at(broke.at)}{behind}"
        yield from self._lag_before((broke.at if broke else None) or unit.read_at)
        streams = [
            f"{stream.name} of {record.tenant.name}, archived until {at(stream.checkpoint)}"
            for record in unit.records
            for stream in record.streams or ()
            if stream.is_broken
        ]
        if streams:
            yield f"INTERRUPTED: {'; '.join(streams[:5])}{f' and {len(streams) - 5} more' if len(streams) > 5 else ''}"
        yield from (f"OBServer {server.address} ({server.zone}) is {server.status}" for server in self.history.inactive)
        modes = sorted({one.settings.mode for one in unit.records if one.settings and one.settings.mode})
        if modes:
            risk = "writes may block" if "mandatory" in modes else "logs that are not archived may be recycled"
            yield f"mode is {', '.join(modes)}: while archiving cannot keep up, {risk}"
        for record in unit.records:
            if record.log_disk and record.log_disk.percent >= record.log_disk.recycles_at:
                yield (
                    f"log disk of {record.tenant.name} is {record.log_disk.percent:.0f} % full now; logs are recycled "
                    f"from {record.log_disk.recycles_at} % on"
                )
        yield from self._errors()
        yield from self.history.unread

    def _lag_before(self, moment: datetime) -> Iterator[str]:
        names = {record.tenant.name for record in self.unit.records}
        seen = [lag for lag in self.lags if lag.tenant in names and moment - LAG_WINDOW <= lag.at <= moment]
        if not seen:
            return
        worst, last = max(seen, key=lambda lag: lag.seconds), max(seen, key=lambda lag: lag.at)
        yield (
            f"lag history of the day before: at most {length(worst.seconds)} late ({worst.tenant}, {at(worst.at)}), "
            f"{length(last.seconds)} at the last check ({at(last.at)})"
        )

    def _errors(self) -> Iterator[str]:
        """Errors of the round's time that name no round, or another module's: they may have to do with it."""
        started = self.unit.row.started if self.unit.row else None
        seen = [
            event
            for event in self.history.events
            if failed(event.values)
            and event.tenant_id in {0, self.unit.tenant_id}
            and not (self._is_mine(event) and event.round_id)
            and (event.at is None or started is None or event.at >= started)
        ]
        yield from (f"error at {at(event.at)}: {event}" for event in seen[:2])

    # --- what to do ---------------------------------------------------------------------------------------------------

    def _runbook(self, cause: BreakCause, *, is_stuck: bool) -> tuple[Text, bool]:
        """The step, and whether a restart alone is known to mend it."""
        unit, state = self.unit, self.unit.state
        mended = cause not in {BreakCause.DESTINATION, BreakCause.UNKNOWN}
        if not unit.has_archived and state is ArchiveState.STOP:
            return runbook.NEVER, True
        if state is ArchiveState.INTERRUPTED:
            return runbook.BROKEN[cause], mended
        if self._word is ArchiveState.SUSPENDING and is_stuck:
            return runbook.SUSPENDING_STUCK, False
        if state in _SUSPENDED:
            return runbook.SUSPENDED, True
        if state is ArchiveState.STOPPING:
            return self._stopping(is_stuck=is_stuck, mended=mended)
        if state is ArchiveState.STOP:
            if unit.row is not None and unit.row.blocked:
                return runbook.NO_DESTINATION, False
            return (runbook.BROKEN[cause], mended) if cause is not BreakCause.NONE else (runbook.STOPPED, True)
        if state in _RISING:
            return (runbook.STARTING_STUCK, False) if is_stuck else (runbook.STARTING, True)
        return (runbook.NEEDS_FULL if unit.open_gaps else runbook.FINE), True

    def _stopping(self, *, is_stuck: bool, mended: bool) -> tuple[Text, bool]:
        if not is_stuck:
            return runbook.STOPPING, mended
        if self.version.forces_stop:
            return runbook.STOPPING_FORCED, False
        return (runbook.STOPPING_FORCE if self._can_force else runbook.STOPPING_PERSON), False

    @property
    def _can_force(self) -> bool:
        return self.unit.scope is Scope.CLUSTER and self.version.has_force_cancel


def _capped(lines: Iterable[str]) -> tuple[str, ...]:
    """Redacted before it is cut: the name that a secret goes by may be what is cut off."""
    found = list(dict.fromkeys(" ".join(redact(line).split())[:MAX_LINE] for line in lines))
    more = [f"and {len(found) - MAX_EVIDENCE} more"] if len(found) > MAX_EVIDENCE else []
    return (*found[:MAX_EVIDENCE], *more)
