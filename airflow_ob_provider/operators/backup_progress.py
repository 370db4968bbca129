"""What a task knows about its data backup; it survives deferrals, and with Airflow 3.3 retries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from airflow.sdk import Context

_STORE_KEY = "oceanbase-data-backup"


@dataclass
class BackupProgress:
    """Plain JSON once it is a dict: names are only ever added."""

    token: str = ""
    """Marks the job in the server's views (4.x)."""
    after: int | None = None
    """The newest job before the statement was sent; None before it is."""
    pending: str = ""
    """The statement, as long as it is not known what has become of it."""
    job: int | None = None
    names: list[str] = field(default_factory=list)
    """4.x: who must have a set."""
    whole_cluster: bool = False
    statements: list[str] = field(default_factory=list)
    until: float = 0.0
    """When ``timeout`` is over, in seconds of the server's clock; each try has its own."""
    obstacles: dict[str, str] = field(default_factory=dict)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Sets of tenants that an earlier try has made: they are not backed up again."""

    @classmethod
    def of(cls, stored: object) -> Self:
        """From what was stored; a newer release may have stored more."""
        values = stored if isinstance(stored, Mapping) else {}
        return cls(**{item.name: values[item.name] for item in fields(cls) if item.name in values})

    @classmethod
    def recall(cls, context: Context) -> Self:
        """What an earlier try has left; nothing where Airflow has no task state store."""
        store = _store(context)
        return cls.of(store.get(_STORE_KEY) if store is not None else None)

    def remember(self, context: Context) -> None:
        """For the next try."""
        store = _store(context)
        if store is not None:
            store.set(_STORE_KEY, asdict(self))

    def forget_job(self, context: Context) -> None:
        """The next try begins anew, but for the sets that there are."""
        type(self)(kept=self.kept).remember(context)


def _store(context: Context) -> Any:
    return context.get("task_state_store")
