"""Where reports and the lag history are kept: a folder of any file system that Airflow can reach.

``<base>/<connection id>/state.json`` holds what the next check needs: what the last one saw, and the lag history.
``<base>/<connection id>/reports/<time in UTC>.json`` (also ``.md``, ``.en.html`` and ``.zh.html``) are the reports, and
``latest.…`` the newest of them.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_ob_provider.oceanbase.compliance.memory import Memory

log = logging.getLogger(__name__)

KEPT_REPORTS = 336
"""Reports of a cluster that are kept: two weeks of hourly checks."""
_CONN_ID = re.compile(r"[\w.-]+")


class ReportStore:
    """Reports of one cluster.

    :param base: a path or URL such as ``file:///var/lib/airflow/oceanbase`` or ``s3://aws_default@bucket/oceanbase``.
    :param conn_id: the connection of the cluster.
    :raises ValueError: the connection id cannot be the name of a folder.
    """

    def __init__(self, base: str, conn_id: str) -> None:
        if not _CONN_ID.fullmatch(conn_id) or not conn_id.strip("."):
            raise ValueError(f"oceanbase_conn_id {conn_id!r} may hold letters, digits, '_', '-' and '.' only")
        self.folder = ObjectStoragePath(base) / conn_id

    def state(self) -> tuple[Memory | None, list[dict[str, Any]]]:
        """What the last check saw, and the lag history; nothing at all where there was none, or it cannot be read."""
        path = self.folder / "state.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            samples = [dict(one) for one in data["samples"]]
            for one in samples:
                if datetime.fromisoformat(one["checked_at"]).tzinfo is None:
                    raise ValueError(f"{one['checked_at']} has no offset from UTC")
                one["verdict"], one["delay"], one["tenantName"]
        except FileNotFoundError:
            return None, []
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read, so this check is a first one: %s", path, error)
            return None, []
        return Memory.from_json(data.get("memory")), samples

    def keep(self, report: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, str]:
        """Write a report.

        :param report: the document.
        :param files: texts by what follows the time in their name (``md``, ``en.html``).
        :return: where each file is.
        """
        moment = datetime.fromisoformat(report["checked_at"])
        name = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = self.folder / "reports"
        folder.mkdir(parents=True, exist_ok=True)
        texts = {"json": json.dumps(report, ensure_ascii=False, indent=1), **files}
        found = {}
        for ending, text in texts.items():
            for path in (folder / f"{name}.{ending}", self.folder / f"latest.{ending}"):
                path.write_text(text, encoding="utf-8")
            found[ending] = str(folder / f"{name}.{ending}")
        self._prune(folder)
        return found

    def remember(self, memory: Memory | None, samples: list[dict[str, Any]]) -> None:
        """Write what the next check needs, after everything else."""
        self.folder.mkdir(parents=True, exist_ok=True)
        data = {"version": 1, "memory": memory.to_json() if memory else None, "samples": samples}
        (self.folder / "state.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")

    def _prune(self, folder: ObjectStoragePath) -> None:
        names = sorted({path.name.partition(".")[0] for path in folder.iterdir()})
        old = set(names[:-KEPT_REPORTS])
        for path in folder.iterdir() if old else ():
            if path.name.partition(".")[0] in old:
                path.unlink()
