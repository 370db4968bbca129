"""Where tenants of 4.x archive to: what each has, what a version accepts, and a place of its own for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.destination import NO_CLUSTER_NAME, PLACEHOLDERS, Destination, microseconds
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.models import Tenant
from airflow_ob_provider.oceanbase.options import ArchiveMode
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import text
from airflow_ob_provider.oceanbase.version import OceanBaseVersion

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect

NOT_SET = "not set"
_DAY_US = 86_400_000_000
_IN_A_PATH = re.compile(r"[\w$][\w$.-]*", re.ASCII)

_FIRST: dict[str, dict[tuple[int, int], tuple[int, ...]]] = {
    "cos": {(4, 2): (4, 2, 0)},
    "s3": {(4, 2): (4, 2, 1, 7), (4, 3): (4, 3, 0)},
    "azblob": {(4, 2): (4, 2, 5, 6), (4, 3): (4, 3, 5, 3)},
}
"""First version of each scheme by line; file and oss came with 4.0. A fourth number is the manual's BP number, which is
not known to be the server's, so it is worth a warning and no refusal. Of s3 on 4.2.2 the manual says nothing."""


def scheme_problem(scheme: str, version: OceanBaseVersion) -> str | None:
    """Why this version cannot archive to such a place; None if it can, or may."""
    lines = _FIRST.get(scheme)
    line = version.numbers[:2]
    if lines is None or line > max(lines):
        return None
    first = lines.get(line)
    if first is None or version.numbers[:3] < first[:3]:
        names = " and ".join(".".join(map(str, numbers)) for numbers in lines.values())
        return f"OceanBase {version} cannot archive to {scheme}://, which came with {names}"
    return None


def scheme_doubt(scheme: str, version: OceanBaseVersion) -> str | None:
    """Which patch of this version is needed, where the version does not tell it."""
    first = _FIRST.get(scheme, {}).get(version.numbers[:2], ())
    if len(first) < 4 or version.numbers[:3] < first[:3]:
        return None
    in_doubt = version.numbers < first or (scheme == "s3" and version.numbers[:3] == (4, 2, 2))
    patch = f"{'.'.join(map(str, first[:3]))} BP{first[3]}"
    return f"{scheme}:// needs {patch} or later; the server answers 9026 otherwise" if in_doubt else None


@dataclass(frozen=True)
class Place:
    """LOG_ARCHIVE_DEST of one tenant."""

    tenant: Tenant
    uri: str = field(repr=False)
    """As the server shows it, keys in it; '' where none is set."""
    mode: ArchiveMode | None
    """None where none is set, or the server's word cannot be read."""
    days: int | None
    """Piece switch interval; None as for the mode."""
    words: str
    """What the server shows for its attributes."""
    deferred: bool = False

    @classmethod
    def of(cls, tenant: Tenant, row: Row) -> Place:
        """From a row of the catalogue; manual and server differ in how they write mode and interval."""
        binding, interval = text(row, "binding").strip(), text(row, "piece_switch_interval").strip()
        word = binding.lower()
        return cls(
            tenant,
            text(row, "path").strip(),
            ArchiveMode(word) if word in tuple(ArchiveMode) else None,
            _days(interval),
            f"{binding or 'no binding'}, pieces of {interval or 'no interval'}",
            text(row, "dest_state").strip().upper() == "DEFER",
        )

    @property
    def destination(self) -> Destination | None:
        """Where it is; None where none is set, or what is set cannot be read."""
        try:
            return Destination.parse(self.uri) if self.uri else None
        except ValueError:
            return None

    def __str__(self) -> str:
        if not self.uri:
            return NOT_SET
        return f"{self.destination or redact(self.uri)}, {self.words}{', DEFER' if self.deferred else ''}"


def _days(interval: str) -> int | None:
    """``1d``, or microseconds without a unit."""
    length = int(interval) if re.fullmatch("[0-9]{1,18}", interval) else microseconds(interval.lower())
    return length // _DAY_US if length and length % _DAY_US == 0 else None


def wanted_places(
    dialect: V4Dialect, destination: Destination, places: Sequence[Place], everybody: Sequence[Place]
) -> dict[int, Destination | str]:
    """By tenant number: where it is to go, or why it cannot.

    Two tenants can never share a place (9081), nor can one take over what another has used.
    """
    cluster = dialect.cluster_name() if "cluster" in destination.placeholders else ""
    targets = {place.tenant.tenant_id: _own(destination, place, cluster) for place in places}
    wanted = Counter(_key(target) for target in targets.values() if isinstance(target, Destination))
    owners = {_key(other.destination): other.tenant.name for other in everybody}
    found: dict[int, Destination | str] = {}
    for place in places:
        target, here = targets[place.tenant.tenant_id], place.destination
        if isinstance(target, Destination):
            if here and target.same_place(here):
                target = here
            else:
                many = wanted[_key(target)]
                taken = owners.get(_key(target)) or (f"{many} tenants" if many > 1 else "")
                target = _refusal(target, dialect.version, taken) or target
        found[place.tenant.tenant_id] = target
    return found


def _key(place: Destination | None) -> tuple[object, ...]:
    return (place.scheme, place.path, dict(place.parameters).get("host")) if place else ()


def _refusal(target: Destination, version: OceanBaseVersion, taken: str) -> str:
    problem = target.problem() or scheme_problem(target.scheme, version)
    if problem:
        return f"destination {target}: {problem}"
    if taken:
        return (
            f"destination {target} would be shared with {taken} (9081): each tenant needs a directory of its own, such "
            f"as {target.scheme}://{target.path}/{{tenant}}"
        )
    return ""


def _own(destination: Destination, place: Place, cluster: str) -> Destination | str:
    """The destination of one tenant, or why it has none."""
    if not destination.placeholders <= set(PLACEHOLDERS):
        return f"destination {destination}: {destination.problem()}"
    if "cluster" in destination.placeholders and not cluster:
        return f"destination {destination}: {NO_CLUSTER_NAME}"
    values = {"cluster": cluster, "tenant": place.tenant.name, "tenant_id": str(place.tenant.tenant_id)}
    for name in sorted(destination.placeholders):
        if not _IN_A_PATH.fullmatch(values[name]):
            return f"destination {destination}: {{{name}}} is {values[name]!r} here, which cannot stand in a path"
    return destination.filled(**values)
