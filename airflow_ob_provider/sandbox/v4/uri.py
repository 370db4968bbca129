"""Places on storage media: what a destination's URI must look like, and which URIs mean the same place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_ob_provider.sandbox.errors import ServerError

#: Parameters an object store's URI can't do without.
_NEEDED = ("host", "access_id", "access_key")
#: Bytes of what stands before the parameters, measured on a 4.3.5 kernel.
LONGEST_PATH = 1023


@dataclass(frozen=True)
class Place:
    """A checked URI. Two places are the same if path and host are."""

    path: str
    host: str
    scheme: str
    #: the whole URI with its secrets, as ``path`` of CDB_OB_ARCHIVE_DEST shows it
    text: str

    @property
    def shown(self) -> str:
        """The PATH of every other view: no secrets."""
        return f"{self.path}?host={self.host}" if self.host else self.path

    @property
    def key(self) -> tuple[str, str]:
        return self.path, self.host


def parse_uri(text: str, schemes: tuple[str, ...]) -> Place:
    """The place a URI means, else 9026. ``schemes``: those the build has; they are written in lower case."""
    scheme, colon, _ = text.partition("://")
    base, question, query = text.partition("?")
    root = base.rstrip("/")
    if not colon or scheme not in schemes or len(root) <= len(scheme) + 3:
        raise _invalid(text)
    if len(base.encode()) > LONGEST_PATH:
        raise _invalid(text)
    if scheme == "file":
        if question or not base.startswith("file:///"):
            raise _invalid(text)
        return Place(root, "", scheme, root)
    parameters = {}
    for pair in query.split("&") if query else ():
        key, equals, value = pair.partition("=")
        if not equals or not value or key == "encrypt_key":
            raise _invalid(text)
        parameters[key] = value
    needed = (*_NEEDED, "appid") if scheme == "cos" else _NEEDED
    if any(key not in parameters for key in needed):
        raise _invalid(text)
    if parameters.get("delete_mode", "delete") not in {"delete", "tagging"}:
        raise _invalid(text)
    return Place(root, parameters["host"], scheme, f"{root}?{query}")


def _invalid(text: str) -> ServerError:
    """The kernel quotes the URI; here without its parameters, which hold secrets."""
    place = text.partition("?")[0]
    if re.match(r"[a-z0-9]+://", place):
        return ServerError(9026, f"{place} is not a valid uri")
    return ServerError(9026)
