"""The trigger of an asset watcher: an event when the log backup of a cluster breaks, and when it is healthy again.

Imported while a DAG is parsed, so what reads (hook, driver) is imported only where it runs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_ob_provider.oceanbase.watch import BOUNDS, Bounds

if TYPE_CHECKING:
    from airflow_ob_provider.triggers.watching import Watching

POLL_SECONDS = 30.0
_DEFAULTS = Bounds()


class ArchiveWatchTrigger(BaseEventTrigger):
    """Watches log backup for ever, and fires on changes only; see :mod:`airflow_ob_provider.oceanbase.watch`.

    It reads only, and it never raises. A quiet cluster costs one query a cadence: on Airflow 3.3 watches on the same
    connection and cadence share it in each triggerer process, whatever their bounds and tenants; before, each has its
    own.

    What has been told is kept in the state store of the watched asset (Airflow 3.3), a reading or more after the
    event, when that has reached Airflow's database; so a triggerer that is killed in between repeats an event and never
    loses one. Without a store, or when it cannot be used, each restart of the triggerer repeats one event of a break
    that still lasts; a break that has healed while nobody watched is then not told as healed.

    An event is plain JSON without secrets: ``kind`` (the worst condition that something has now: ``interrupted``,
    ``stopped``, ``out_of_scope``, ``stuck``, ``suspended``, ``late`` or ``healthy``; ``unreadable`` when the watch
    cannot see, ``readable`` when it sees again), ``summary``, ``read_at``, ``changes`` (each ``tenant``, ``tenant_id``,
    ``before``, ``after``, ``reason``, ``changes``, ``since``, ``round``, ``checkpoint``, ``lag_seconds``), ``watched``,
    ``broken``, ``still_broken``, ``unreadable``, ``readable_again`` and ``not_found``. Lists end after 20, and
    ``…_left_out`` counts the rest. In an asset event it is ``extra["payload"]``.

    All arguments are a wire format: optional, and only ever added to. One that cannot be understood counts as not
    given, with a warning in the triggerer's log.

    :param oceanbase_conn_id: connection to read from; privileges as for ``ArchiveDoingSensor``.
    :param tenants: names of the user tenants to watch, all if none is given. 3.x: the cluster is always watched.
    :param poll_interval: seconds between reads, at least 1, ±10 %; up to five times as long while reads fail.
    :param max_lag: seconds that the checkpoint of a round that archives may be behind the server's clock.
    :param max_suspended: seconds that a suspended tenant (4.1+) is let be.
    :param max_in_transition: seconds that PREPARE, BEGINNING and STOPPING may last.
    :param max_stopped: seconds that STOP, and a tenant that nobody archives, are let be.
    :param max_unreadable: seconds that readings may fail before that is told.
    :param hysteresis: seconds in which a tenant that keeps changing is told of once.
    :param label: who watches, for the comment in front of each statement.
    """

    def __init__(
        self,
        *,
        oceanbase_conn_id: str = "oceanbase_default",
        tenants: Sequence[str] = (),
        poll_interval: float = POLL_SECONDS,
        max_lag: float = _DEFAULTS.max_lag,
        max_suspended: float = _DEFAULTS.max_suspended,
        max_in_transition: float = _DEFAULTS.max_in_transition,
        max_stopped: float = _DEFAULTS.max_stopped,
        max_unreadable: float = _DEFAULTS.max_unreadable,
        hysteresis: float = _DEFAULTS.hysteresis,
        label: str = "",
        **newer: Any,  # noqa: ARG002 - a row that a newer release has written must not break a watch
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.oceanbase_conn_id = oceanbase_conn_id
        self.tenants = tenants
        self.poll_interval = poll_interval
        self.max_lag = max_lag
        self.max_suspended = max_suspended
        self.max_in_transition = max_in_transition
        self.max_stopped = max_stopped
        self.max_unreadable = max_unreadable
        self.hysteresis = hysteresis
        self.label = label

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Arguments as Airflow keeps them; equal watches give equal rows, so that they are one trigger."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "oceanbase_conn_id": self.oceanbase_conn_id,
                "tenants": list(self.tenants) if isinstance(self.tenants, list | tuple) else self.tenants,
                "poll_interval": self.poll_interval,
                **self.bounds,
                "label": self.label,
            },
        )

    @property
    def bounds(self) -> dict[str, Any]:
        """The bounds as they were given."""
        return {name: getattr(self, name) for name in BOUNDS}

    def shared_stream_key(self) -> Hashable | None:
        """Connection and cadence; what is made of a reading is each watch's own matter."""
        return (type(self).__qualname__, str(self.oceanbase_conn_id), _interval(self.poll_interval))

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Full snapshots, or a :class:`~airflow_ob_provider.triggers.waiting.ReadFailure`, for ever."""
        from airflow_ob_provider.triggers.poller import readings

        polled = readings(
            lambda dialect: dialect.archive(),
            oceanbase_conn_id=kwargs.get("oceanbase_conn_id"),
            label=str(kwargs.get("label") or "watch"),
            interval=_interval(kwargs.get("poll_interval")),
        )
        async with aclosing(polled) as stream:
            async for reading in stream:
                yield reading

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Own loop: before Airflow 3.3."""
        async for event in self._alone(self._watching()):
            yield event

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Take in each snapshot, and fire when it has changed something. A stream that ends is replaced by its own."""
        watching = self._watching()
        try:
            async for reading in shared_stream:
                async for event in watching.events(reading):
                    yield TriggerEvent(event)
        except Exception as error:  # a watch that ends is a watch that nobody misses
            self.log.warning("The shared readings ended, going on alone: %s: %s", type(error).__name__, error)
        async for fired in self._alone(watching):
            yield fired

    async def _alone(self, watching: Watching) -> AsyncIterator[TriggerEvent]:
        async with aclosing(self.open_shared_stream(self.serialize()[1])) as stream:
            async for reading in stream:
                async for event in watching.events(reading):
                    yield TriggerEvent(event)

    def _watching(self) -> Watching:
        from airflow_ob_provider.triggers.watching import Watching

        store = getattr(self, "asset_state_store", None)  # before 3.3 there is none
        return Watching(self.bounds, self.tenants, store=store, log=self.log)


def _interval(given: Any) -> float:
    """Seconds between polls; nonsense is the default, for a watch must not end."""
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        return POLL_SECONDS
    return min(max(seconds, 1.0), 86400.0) if seconds == seconds else POLL_SECONDS
