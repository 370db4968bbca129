"""One check of one cluster: what becomes of a cluster that cannot be read, and in what order things are written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_ob_provider.compliance.check import check
from airflow_ob_provider.compliance.store import ReportStore
from airflow_ob_provider.exceptions import OceanBasePermanentError, OceanBaseTransientError, ReportStoreError
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.compliance.policy import Policy
from airflow_ob_provider.oceanbase.models import Level
from airflow_ob_provider.reports import schema
from airflow_ob_provider.sandbox import Sandbox

from .conftest import CLEAN

POLICY = Policy.parse(CLEAN)


@pytest.fixture
def store(tmp_path: Path) -> ReportStore:
    return ReportStore(str(tmp_path), "oceanbase_default")


def state(store: ReportStore) -> dict[str, Any]:
    return dict(json.loads((store.folder / "state.json").read_text(encoding="utf-8")))


def test_without_a_store_nothing_is_kept_and_no_two_checks_are_compared(box: Sandbox) -> None:
    for _ in range(2):
        made = check(OceanBaseHook(), POLICY)
        assert (made.verdict, made.files, made.error) == (Level.OK, {}, None)
        assert made.report["lag_history"]["checks"] == 1


def test_a_check_remembers_the_last_one(box: Sandbox, store: ReportStore) -> None:
    check(OceanBaseHook(), POLICY, store)
    box.advance(3600)
    made = check(OceanBaseHook(), POLICY, store)
    assert made.report["lag_history"]["checks"] == 2
    assert {one["id"]: one["level"] for one in made.report["rules"]}["checkpoint_moved"] == "OK"


def test_a_state_that_makes_no_sense_is_a_first_check_and_is_replaced(box: Sandbox, store: ReportStore) -> None:
    check(OceanBaseHook(), POLICY, store)
    (store.folder / "state.json").write_text('{"memory": {"chec', encoding="utf-8")
    box.advance(3600)
    made = check(OceanBaseHook(), POLICY, store)
    assert made.verdict is Level.OK
    assert made.report["lag_history"]["checks"] == 1
    assert len(state(store)["samples"]) == 1


def test_a_crash_between_report_and_state_keeps_the_old_state(
    box: Sandbox, store: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the next check compares itself with the one before, which is right, only longer ago."""
    check(OceanBaseHook(), POLICY, store)
    before = state(store)
    box.advance(3600)

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ReportStore, "remember", crash)
        with pytest.raises(KeyboardInterrupt):
            check(OceanBaseHook(), POLICY, store)
    assert state(store) == before
    assert len([path for path in (store.folder / "reports").iterdir() if path.name.endswith(".json")]) == 2
    made = check(OceanBaseHook(), POLICY, store)
    assert made.report["lag_history"]["checks"] == 2


def test_a_report_that_could_not_be_written_leaves_the_old_state(
    box: Sandbox, store: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(OceanBaseHook(), POLICY, store)
    before = state(store)
    box.advance(3600)
    (store.folder / "latest.zh.html").unlink()
    (store.folder / "latest.zh.html").mkdir()
    with pytest.raises(ReportStoreError, match="cannot write to"):
        check(OceanBaseHook(), POLICY, store)
    assert state(store) == before


@pytest.mark.parametrize("is_last_try", [True, False])
def test_an_error_that_may_pass_is_raised_until_nobody_tries_again(
    box: Sandbox, store: ReportStore, is_last_try: bool
) -> None:
    check(OceanBaseHook(), POLICY, store)
    before = state(store)
    box.faults.error_once = {"pattern": "SELECT", "errno": 4012, "message": "timeout", "count": 99}
    if not is_last_try:
        with pytest.raises(OceanBaseTransientError):
            check(OceanBaseHook(), POLICY, store, is_last_try=False)
        assert state(store) == before
        return
    made = check(OceanBaseHook(), POLICY, store)
    assert made.verdict is Level.UNKNOWN
    assert isinstance(made.error, OceanBaseTransientError)
    assert "timeout" in made.report["summary"]["en"]
    jsonschema.validate(made.report, schema())
    assert state(store)["memory"] == before["memory"], "what the last good check saw"
    assert [one["verdict"] for one in state(store)["samples"]] == ["OK", "UNKNOWN"]


@pytest.mark.parametrize("is_last_try", [True, False])
def test_a_refused_login_is_unknown_at_once(
    box: Sandbox, add_connection: Callable[..., str], store: ReportStore, is_last_try: bool
) -> None:
    add_connection({**box.connection(), "password": "wrong"})
    made = check(OceanBaseHook(), POLICY, store, is_last_try=is_last_try)
    assert isinstance(made.error, OceanBasePermanentError)
    assert made.verdict is Level.UNKNOWN
    assert [one["id"] for one in made.report["findings"]] == ["reachable"]
    assert state(store)["memory"] is None


@pytest.mark.parametrize("is_last_try", [True, False])
def test_a_server_that_is_no_oceanbase_is_unknown_at_once(box: Sandbox, store: ReportStore, is_last_try: bool) -> None:
    cluster = box._cluster
    cluster.build = dataclasses.replace(
        cluster.build, version_comment="MySQL Community Server - GPL", version_function="8.0.36"
    )
    made = check(OceanBaseHook(), POLICY, store, is_last_try=is_last_try)
    assert made.verdict is Level.UNKNOWN
    assert "not an OceanBase server: it calls itself '8.0.36'" in made.report["summary"]["en"]


def test_a_connection_that_is_not_legal_is_unknown(add_connection: Callable[..., str], store: ReportStore) -> None:
    add_connection({"conn_type": "oceanbase", "host": "h", "login": "root@sys"}, connect_timeout="soon")
    made = check(OceanBaseHook(), POLICY, store, is_last_try=False)
    assert made.verdict is Level.UNKNOWN
    assert "connect_timeout" in made.report["summary"]["en"]


@pytest.mark.parametrize("year", [2019, 2034])
def test_the_workers_clock_decides_nothing(new: Callable[..., Sandbox], store: ReportStore, year: int) -> None:
    """A cluster that lives in another year is judged by its own time."""
    box = new(start_time=datetime(year, 7, 1, 12))  # noqa: DTZ001 - the cluster's local time
    made = check(OceanBaseHook(), POLICY, store)
    assert made.verdict is Level.OK
    assert made.report["checked_at"][:16] == box.now.isoformat()[:16]
    assert all(one["delay"] < 300 for one in made.report["tenants"])
    assert made.files["md"].startswith(f"{store.folder}/reports/{year}0701T0400")
