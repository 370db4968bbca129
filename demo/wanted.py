"""What the caller wants, from the environment that `make demo` passes on."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from airflow_ob_provider.sandbox.profiles import PROFILES

#: Log backup cannot work in this release, so the demo shows how it is refused.
REFUSED = "3.1.0"
_FIELDS = frozenset({"conn_type", "host", "port", "login", "password", "schema", "extra", "description"})


class WantedError(Exception):
    """The environment does not say what to do. The message never holds a value of CONN."""


@dataclass(frozen=True)
class Wanted:
    """A simulated cluster of a profile, or a real one (``connection``)."""

    profile: str
    connection: dict[str, Any] | None
    apply: bool
    destination: str | None

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> Wanted:
        """Read the variables and take the connection out, so that no child process inherits it.

        :raises WantedError: a variable is not legal.
        """
        conn = environment.pop("CONN", "").strip()
        profile = environment.get("PROFILE", "").strip() or "3.2.4"
        apply = environment.get("APPLY", "").strip() or "0"
        if apply not in ("0", "1"):
            raise WantedError("APPLY must be 1 (write) or 0 (only read, the default).")
        if not conn and profile not in PROFILES:
            raise WantedError(f"Unknown PROFILE {profile!r}. Legal: {', '.join(PROFILES)}.")
        return cls(
            profile=profile,
            connection=_connection(conn) if conn else None,
            apply=apply == "1",
            destination=environment.get("DESTINATION", "").strip() or None,
        )

    @property
    def writes(self) -> bool:
        """Whether the DAG may write: to the simulator always, to a real cluster only when told to."""
        return self.connection is None or self.apply

    @property
    def refusal(self) -> bool:
        """Whether the cluster is expected to be refused."""
        return self.connection is None and self.profile == REFUSED

    @property
    def runs(self) -> int:
        """The second run shows that nothing is written twice, if the first can write."""
        return 2 if self.writes and not self.refusal else 1

    def conf(self) -> dict[str, Any]:
        """The DAG's parameters. A real cluster keeps its settings, except a destination given by name."""
        if self.connection is None:
            return {"mode": "optional", "poll_interval": 1, **self._simulated()}
        return {
            "destination": self.destination,
            "mode": "keep",
            "compression": "keep",
            "poll_interval": 5,
            "dry_run": not self.apply,
        }

    def _simulated(self) -> dict[str, Any]:
        """What shows most of a generation: 3.x compresses, 4.x has a place and a lag target for each tenant."""
        version = tuple(int(number) for number in self.profile.split("."))
        if version < (4,):
            return {"destination": self.destination or "file:///data/nfs/backup", "compression": "zstd_1.3.8"}
        destination = self.destination or "file:///data/nfs/backup/{cluster}/{tenant}"
        return {"destination": destination} | ({"lag_target": 60} if version >= (4, 2) else {})


def _connection(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise WantedError(f"CONN is not JSON{where}. {_EXAMPLE}") from None
    problem = ""
    if not isinstance(value, dict):
        problem = "is not a JSON object"
    elif not set(value) <= _FIELDS:
        problem = f"has a field that a connection does not have; legal: {', '.join(sorted(_FIELDS))}"
    elif not isinstance(value.get("host"), str) or not value["host"]:
        problem = "has no host"
    elif not all(isinstance(value.get(name, ""), str) for name in ("conn_type", "login", "password", "schema")):
        problem = "has a field that must be text and is not"
    elif not str(value.get("port", 0)).isdigit():
        problem = "has a port that is not a number"
    elif not isinstance(value.get("extra", {}), dict | str):
        problem = "has an extra that is not a JSON object"
    if problem:
        raise WantedError(f"CONN {problem}. {_EXAMPLE}")
    return {"conn_type": "oceanbase", **value}


_EXAMPLE = (
    'It must look like {"host": "10.0.0.1", "port": 2881, "login": "root@sys", "password": "...", '
    '"schema": "oceanbase"}. Its value is not shown here because it may hold a password.'
)
