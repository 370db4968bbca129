"""A simulated cluster with a past, checked as the operator checks it, and a report that is easy to ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import jsonschema
import pymysql

from airflow_ob_provider.compliance.check import check, read
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.compliance.judge import RULES
from airflow_ob_provider.oceanbase.compliance.memory import Memory
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from airflow_ob_provider.reports import schema
from airflow_ob_provider.sandbox import Sandbox

NOW = datetime.fromisoformat("2024-06-21 08:00:00")
V3 = ("2.2.77", "3.1.2", "3.1.5", "3.2.4")
V4 = ("4.0.0", "4.1.0", "4.2.1", "4.2.5", "4.3.3")
ALL = (*V3, *V4)
GIB = 2**30
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86400))
_SCHEMA = schema()
_VALIDATOR = jsonschema.Draft202012Validator(_SCHEMA)
_IDS = [*(rule.id for rule in RULES), "waiver_expired", "reachable"]
CLEANS_3 = "log_archive_piece_switch_interval={}d&recovery_window=7d&auto_delete_obsolete_backup=true"


class Report:
    """A report that has been held against its schema, and against what holds for every report."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data: dict[str, Any] = json.loads(json.dumps(data))
        _VALIDATOR.validate(self.data)
        ids = [finding["id"] for finding in self.data["findings"]]
        assert len(ids) == len(set(ids)), f"two findings of one id: {sorted(ids)}"
        for finding in self.data["findings"]:
            assert finding["rule"] in _IDS
            for name in ("observed", "expected"):
                assert all(finding[name].values()), f"{finding['id']}: {name} in one language only"
            assert bool(finding["hint"]["en"]) is bool(finding["hint"]["zh"])
            assert finding["level"] == "UNKNOWN" or finding["hint"]["en"], f"{finding['id']} tells no way out"
        texts = json.dumps(self.data, ensure_ascii=False)
        assert "None" not in texts
        assert "%s" not in texts
        for moment in _times(self.data):
            assert datetime.fromisoformat(moment).tzinfo is not None, moment

    @property
    def verdict(self) -> str:
        return self.data["verdict"]

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        return {finding["id"]: finding for finding in self.data["findings"]}

    def rule(self, rule_id: str) -> dict[str, Any]:
        return next(one for one in self.data["rules"] if one["id"] == rule_id)

    def level(self, rule_id: str, tenant: str = "") -> str:
        """Of a rule, or of one tenant in it."""
        if not tenant:
            return self.rule(rule_id)["level"]
        found = self.findings.get(f"{rule_id}/{tenant}")
        return found["level"] if found else "OK"

    def levels(self) -> dict[str, str]:
        """Every rule that is neither OK nor left out."""
        return {r["id"]: r["level"] for r in self.data["rules"] if r["level"] not in {"OK", "NOT_APPLICABLE"}}

    def says(self, rule_id: str, tenant: str = "tenant1", language: str = "en") -> str:
        """What a finding observed."""
        found = self.findings.get(f"{rule_id}/{tenant}" if tenant else rule_id)
        return found["observed"][language] if found else ""

    def hint(self, rule_id: str, tenant: str = "tenant1") -> str:
        return self.findings[f"{rule_id}/{tenant}" if tenant else rule_id]["hint"]["en"]

    def reason(self, rule_id: str) -> str:
        """Why a rule is not applicable."""
        one = self.rule(rule_id)
        assert one["level"] == "NOT_APPLICABLE", one
        return one["reason"]["en"]

    def tenant(self, name: str = "tenant1") -> dict[str, Any]:
        return next(one for one in self.data["tenants"] if one["tenantName"] == name)


class Store:
    """Remembers as the store of files does, in JSON."""

    def __init__(self) -> None:
        self.memory: str = "null"
        self.samples: str = "[]"
        self.texts: Mapping[str, str] = {}

    def state(self) -> tuple[Memory | None, list[dict[str, Any]]]:
        return Memory.from_json(json.loads(self.memory)), json.loads(self.samples)

    def keep(self, report: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, str]:
        self.texts = files
        return {}

    def remember(self, memory: Memory | None, samples: list[dict[str, Any]]) -> None:
        self.memory, self.samples = json.dumps(memory.to_json() if memory else None), json.dumps(samples)


class World:
    """A cluster whose clock stands still at :data:`NOW` until moved."""

    def __init__(self, profile: str, connect: Callable[..., str], **options: Any) -> None:
        options = {"tenants": 1, "start_time": NOW, **options}
        self.box = Sandbox(profile, manual_clock=True, **options).start()
        self.history = self.box.history
        self.is_v3 = profile[0] in "23"
        self.store = Store()
        self._connect = connect
        self.conn_id = connect(self.box)

    @property
    def now(self) -> datetime:
        return self.box.now

    def healthy(self, *, days: int = 20, piece_days: int = 1, **round_options: Any) -> World:
        """One round, a full backup early in it and one two days ago, and old backups are cleaned."""
        start = self.now - days * DAY
        self.history.round(1, start, piece_days=piece_days, **round_options)
        self.full(1, start + HOUR)
        self.full(2, self.now - 2 * DAY)
        return self.cleaned()

    def cleaned(self) -> World:
        """Clean-up is switched on."""
        if self.is_v3:
            self.box.parameters["backup_dest_option"] = CLEANS_3.format(1)
        else:
            self.history.policy("7d")
        return self

    def full(self, set_id: int, start: datetime, length: timedelta = MINUTE, **options: Any) -> None:
        """A full backup that took a minute."""
        self.history.backup_set(set_id, start, start + length, **options)

    def lag(self, seconds: float, **options: Any) -> World:
        """Healthy, but for a checkpoint that is so much behind."""
        return self.healthy(checkpoint=self.now - timedelta(seconds=seconds), **options)

    def advance(self, time: timedelta) -> World:
        self.box.advance(time.total_seconds())
        return self

    def frozen(self, time: timedelta) -> World:
        """Time passes, and checkpoints stand still."""
        self.box.faults.frozen_checkpoint = True
        return self.advance(time)

    def sql(self, statement: str) -> None:
        """A statement of root@sys."""
        with pymysql.connect(host=self.box.host, port=self.box.port, user="root@sys") as connection:
            connection.cursor().execute(statement)

    def unreadable(self, *views: str) -> World:
        """What a view without SELECT answers, from now on."""
        self.box.faults.error_once = [(rf"\b{view}\b", 1142, "SELECT command denied", False, 99) for view in views]
        return self

    def as_user(self, user: str, tenant: str = "sys", *privileges: str) -> None:
        """Look with another account from now on."""
        if user != "root":
            self.box.add_user(user, tenant, privileges=privileges)
        self._connect(self.box.connection(user, tenant))

    def catalog(self) -> Any:
        return read(OceanBaseHook(self.conn_id))[0]

    def check(self, policy: Mapping[str, Any] | str | None = None, *, first: bool = False, **defaults: Any) -> Report:
        """One check; it remembers the one before, unless it is made a ``first`` one."""
        if defaults:
            policy = {**dict(policy or {}), "defaults": defaults}  # type: ignore[arg-type]
        if first:
            self.store = Store()
        made = check(OceanBaseHook(self.conn_id), Policy.parse(policy), self.store)  # type: ignore[arg-type]
        return Report(made.report)


def _times(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in {"policy", "evidence", "waivers"}:
                yield from _times(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from _times(one, name)
    elif name in {"checked_at", "createTime", "checkpoint", "from", "to", "at", "worst_at"} and value is not None:
        yield value
