"""Where reports and the lag history are kept: a folder of any file system that Airflow can reach.

``<base>/<connection id>/state.json`` holds what the next check needs: what the last one saw, and the lag history.
``<base>/<connection id>/reports/<time in UTC>.json`` (also ``.md``, ``.en.html`` and ``.zh.html``) are the reports, and
``latest.…`` the newest of them; ``overview.json`` is that one in a line, for lists of many clusters.
``<base>/<connection id>/recoveries.json`` is the ledger of recoveries. A file is replaced as a whole: an object store
does so by itself, and a local file is written beside and renamed.
"""

from __future__ import annotations

import json
import logging
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_ob_provider.exceptions import ReportStoreError
from airflow_ob_provider.oceanbase.compliance.memory import Memory
from airflow_ob_provider.oceanbase.models import Level
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.reports import overview

log = logging.getLogger(__name__)

KEPT_REPORTS = 336
"""Reports of a cluster that are kept: two weeks of hourly checks."""
_CONN_ID = re.compile(r"[\w.-]+")


def clusters_in(base: str) -> list[str]:
    """Connections of which something is kept in a folder of reports, in order.

    :raises ReportStoreError: the file system does not show it.
    """
    folder = ReportStore(base, "any").folder.parent
    with _io(f"read {folder}"):
        if not folder.exists():
            return []
        return sorted(path.name for path in folder.iterdir() if _CONN_ID.fullmatch(path.name) and path.is_dir())


class ReportStore:
    """Reports of one cluster.

    :param base: a path or URL such as ``file:///var/lib/airflow/oceanbase`` or ``s3://aws_default@bucket/oceanbase``.
    :param conn_id: the connection of the cluster.
    :raises ValueError: the connection id cannot be the name of a folder, or no file system is known for the URL.
    """

    def __init__(self, base: str, conn_id: str) -> None:
        if not _CONN_ID.fullmatch(conn_id) or not conn_id.strip("."):
            raise ValueError(f"oceanbase_conn_id {conn_id!r} may hold letters, digits, '_', '-' and '.' only")
        try:
            self.folder = ObjectStoragePath(os.path.expanduser(base)) / conn_id
        except ValueError as error:
            raise ValueError(f"report_path {redact(base)!r} is no path or URL that Airflow knows: {error}") from None

    def state(self) -> tuple[Memory | None, list[dict[str, Any]]]:
        """What the last check saw, and the lag history; nothing at all where there was none, or it makes no sense.

        :raises ReportStoreError: there may be one, but the file system does not show it.
        """
        path = self.folder / "state.json"
        with _io(f"read {path}"):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                return None, []
        try:
            data = json.loads(content)
            memory = Memory.from_json(data["memory"])
            if memory is None and data["memory"] is not None:
                raise ValueError("its memory is not one of a check")
            samples = [_sample(one) for one in data["samples"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            log.warning("%s cannot be read, so this check is a first one: %s: %s", path, type(error).__name__, error)
            return None, []
        return memory, samples

    def keep(self, report: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, str]:
        """Write a report.

        :param report: the document.
        :param files: texts by what follows the time in their name (``md``, ``en.html``).
        :return: where each file is.
        :raises ReportStoreError: the file system does not let it.
        """
        moment = datetime.fromisoformat(report["checked_at"])
        name = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = self.folder / "reports"
        texts = {"json": json.dumps(report, ensure_ascii=False, indent=1), **files}
        with _io(f"write to {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            for ending, text in texts.items():
                _put(folder / f"{name}.{ending}", text)
            for ending, text in texts.items():
                _put(self.folder / f"latest.{ending}", text)
            # By the worker's clock: how old it is counts on whoever shows it.
            line = {**overview(report), "report": name, "kept_at": datetime.now(UTC).isoformat()}
            _put(self.folder / "overview.json", json.dumps(line, ensure_ascii=False))
            _prune(folder)
        return {ending: str(folder / f"{name}.{ending}") for ending in texts}

    def read(self, name: str) -> dict[str, Any] | None:
        """A file of JSON in the folder of the cluster; None where there is none, or none that makes sense.

        :param name: ``overview.json``, ``latest.json`` or ``reports/<time>.json``.
        :raises ReportStoreError: the file system does not show it.
        """
        path = self.folder / name
        with _io(f"read {path}"):
            try:
                content = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def reports(self) -> list[str]:
        """Names of the reports that are kept, the newest first.

        :raises ReportStoreError: the file system does not show them.
        """
        folder = self.folder / "reports"
        with _io(f"read {folder}"):
            if not folder.exists():
                return []
            return sorted({path.stem for path in folder.iterdir() if path.suffix == ".json"}, reverse=True)

    def remember(self, memory: Memory | None, samples: list[dict[str, Any]]) -> None:
        """Write what the next check needs, after everything else.

        :raises ReportStoreError: the file system does not let it.
        """
        data = {"version": 1, "memory": memory.to_json() if memory else None, "samples": samples}
        with _io(f"write to {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            _put(self.folder / "state.json", json.dumps(data, ensure_ascii=False))

    def recoveries(self) -> list[dict[str, Any]]:
        """The ledger of recoveries, the oldest first.

        :raises ReportStoreError: there is one, but it cannot be read; it is not written over either.
        """
        path = self.folder / "recoveries.json"
        with _io(f"read {path}"):
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                return []
            if not isinstance(found, list):
                raise TypeError("it is not a list")
            return found

    def enter(self, entry: Mapping[str, Any]) -> str:
        """Add a recovery to the ledger. The entry of a run (``run``) that is there already is replaced.

        :return: where the ledger is.
        :raises ReportStoreError: it cannot be read or written.
        """
        path = self.folder / "recoveries.json"
        kept = [one for one in self.recoveries() if one.get("run") != entry["run"]]
        with _io(f"write {path}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            _put(path, json.dumps([*kept, dict(entry)], ensure_ascii=False, indent=1))
        return str(path)


@contextmanager
def _io(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each file system has errors of its own
        raise ReportStoreError(
            f"cannot {redact(what)}: {redact(str(error)) or type(error).__name__}. Reports and lag history need a "
            "folder that may be read and written: see report_path, or [oceanbase] report_path"
        ) from None


def _put(path: ObjectStoragePath, text: str) -> None:
    """Write a file so that nobody ever reads half of it."""
    if path.protocol not in {"", "file", "local"}:
        path.write_text(text, encoding="utf-8")
        return
    place = Path(path.path)
    beside = place.with_name(f"{place.name}.{uuid.uuid4().hex}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


def _prune(folder: ObjectStoragePath) -> None:
    names = sorted({path.name.partition(".")[0] for path in folder.iterdir()})
    old = set(names[:-KEPT_REPORTS])
    for path in folder.iterdir() if old else ():
        if path.name.partition(".")[0] in old:
            path.unlink(missing_ok=True)


def _sample(one: Mapping[str, Any]) -> dict[str, Any]:
    """:raises ValueError: not one of a lag history; likewise KeyError and TypeError."""
    delay = one["delay"]
    if datetime.fromisoformat(one["checked_at"]).tzinfo is None:
        raise ValueError("a sample's time has no zone")
    if delay is not None and (isinstance(delay, bool) or not isinstance(delay, int | float)):
        raise TypeError(f"a sample's delay is {delay!r}")
    return {"checked_at": one["checked_at"], "verdict": str(Level(one["verdict"])), "delay": delay,
            "tenantName": one["tenantName"]}  # fmt: skip
