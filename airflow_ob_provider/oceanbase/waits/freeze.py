"""The wait for a minor freeze to be on disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from airflow_ob_provider.oceanbase.models import FreezeProgress, to_json
from airflow_ob_provider.oceanbase.waits.base import Ready, Snapshot, Terminal, Verdict, Wait, Waiting, time_left

QUIET_SECONDS = 10.0
"""4.x: this long after the last mini merge no other is believed to follow."""
IDLE_SECONDS = 60.0
"""4.x: a freeze that has started no mini merge by then had nothing to put on disk."""


@dataclass(frozen=True, kw_only=True)
class FreezeDone(Wait):
    """A minor freeze is on disk: no frozen memtable is left."""

    reads = "freeze"
    tenant_ids: tuple[int, ...] = ()
    """Empty: all tenants."""
    most: int | None = None
    """The most frozen memtables that were seen, of which the rest is what is left; None before one is shown."""

    def begun(self, snapshot: Snapshot) -> Self:
        """Also remembers how many there were."""
        wait = super().begun(snapshot)
        frozen = snapshot.frozen_memtables if isinstance(snapshot, FreezeProgress) else None
        return replace(wait, most=frozen) if frozen and frozen > (wait.most or 0) else wait

    def read_arguments(self) -> dict[str, Any]:
        """Memtables of these tenants, and the merges that ended since the first look."""
        return {"since": to_json(self.since), "tenant_ids": list(self.tenant_ids)}

    def judge(self, snapshot: FreezeProgress) -> Verdict:
        """The compaction has no completeness signal of its own; this is the best test there is."""
        merges = "unknown" if snapshot.merges is None else str(snapshot.merges)
        if snapshot.frozen_memtables is None and snapshot.merging is not None:
            return self._by_merges(snapshot, snapshot.merging)
        if snapshot.frozen_memtables is None:
            return Terminal(
                f"this server does not show frozen memtables (merges ended so far: {merges})",
                "Whether the freeze is on disk cannot be seen; log backup starts without it, maybe more slowly.",
            )
        if snapshot.frozen_memtables:
            # Under load new ones are frozen meanwhile: then it is less than nothing that is done.
            share = 1 - snapshot.frozen_memtables / max(self.most or 0, snapshot.frozen_memtables)
            return Waiting(
                f"{snapshot.frozen_memtables} frozen memtables are not on disk yet; merges ended: {merges}",
                share,
                left=time_left(self.since, snapshot.read_at, share),
            )
        return Ready({"read_at": to_json(snapshot.read_at), "frozen_memtables": 0, "merges": snapshot.merges})

    def _by_merges(self, snapshot: FreezeProgress, merging: int) -> Verdict:
        """4.x shows merges under way and merges that ended; none under way is "done" or "not yet scheduled"."""
        quiet = self.elapsed(snapshot.read_at).total_seconds()
        if snapshot.quiet_since:
            quiet = (snapshot.read_at - snapshot.quiet_since).total_seconds()
        enough = QUIET_SECONDS if snapshot.merges else IDLE_SECONDS
        if not merging and quiet >= enough:
            return Ready({"read_at": to_json(snapshot.read_at), "merges": snapshot.merges})
        return Waiting(
            f"{merging} mini merges under way, {snapshot.merges} ended since the freeze; on disk when none has been "
            f"under way for {enough:g} s"
        )
