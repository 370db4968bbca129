"""ob_data_backup by dag.test(): on every generation green means restorable, and everything else is red."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from airflow_ob_provider.report_backup import DRY_RUN, NOT_NEEDED, NOT_RESTORABLE, RESTORABLE
from airflow_ob_provider.sandbox import Sandbox
from tests.airflow.conftest import DEST, Done
from tests.recorded import sent

DATA = "file:///data/nfs/{tenant}/data"
PROFILES = ("3.1.5", "3.2.4", "4.0.0", "4.2.5", "4.3.3")


@pytest.fixture
def archiving(new_cluster: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    """A cluster whose log backup is DOING everywhere."""

    def start(conn_id: str = "oceanbase_default", profile: str = "4.2.5", **options: Any) -> Sandbox:
        box = new_cluster(conn_id, profile=profile, **options)
        if profile.startswith("3"):
            box.parameters["backup_dest"] = DEST
        box.force_status("DOING")
        return box

    return start


@pytest.fixture
def back_up(run_dag: Callable[..., Done]) -> Callable[..., Done]:
    def run(*, place: str | None = DATA, **params: Any) -> Done:
        return run_dag("ob_data_backup", poll_interval=1, **({"destination": place} if place else {}), **params)

    return run


def backups(box: Sandbox) -> list[str]:
    """Statements that start a data backup."""
    return [text for text in sent(box.writes) if " DATABASE" in text or "BACKUP TENANT" in text]


@pytest.mark.parametrize("profile", PROFILES)
def test_green_is_restorable_until_after_the_set_was_made(
    profile: str, archiving: Callable[..., Sandbox], back_up: Callable[..., Done]
):
    box = archiving(profile=profile)
    done = back_up(place=None if profile.startswith("3") else DATA)
    assert done.state == "success"
    report = done.report_of()
    assert report["verdict"] == RESTORABLE
    assert [row["tenant"] for row in report["tenants"]] == ["tenant1", "tenant2"]
    made = done.result_of("cluster.backup")
    for row in report["tenants"]:
        point = datetime.fromisoformat(made["restore_points"][row["tenant"]])
        assert datetime.fromisoformat(row["from"]) <= point <= datetime.fromisoformat(row["until"])
    assert len(backups(box)) == 1
    [(uri, extra)] = done.asset_events
    assert uri == "oceanbase://oceanbase_default/data-backup"
    assert extra["sets"] == {"tenant1": 1, "tenant2": 1}


def test_where_nobody_needs_a_backup_none_is_made(archiving: Callable[..., Sandbox], back_up: Callable[..., Done]):
    box = archiving()
    assert back_up(only_if_needed="yes").report_of()["verdict"] == RESTORABLE
    done = back_up(only_if_needed="yes")
    assert done.state == "success"
    assert done.report_of()["verdict"] == NOT_NEEDED
    assert done.state_of("cluster.backup") == "skipped"
    assert len(backups(box)) == 1


def test_a_tenant_whose_log_backup_is_broken_is_named_and_hides_no_other(
    archiving: Callable[..., Sandbox], back_up: Callable[..., Done]
):
    box = archiving()
    box.interrupt("tenant1")
    box.force_status("INTERRUPTED", "tenant1")
    done = back_up()
    assert done.state == "failed"
    rows = {row["tenant"]: row for row in done.report_of()["tenants"]}
    assert rows["tenant1"]["verdict"] == NOT_RESTORABLE
    assert "INTERRUPTED" in rows["tenant1"]["reason"]
    assert rows["tenant2"]["verdict"] == RESTORABLE
    assert backups(box)[0].startswith("ALTER SYSTEM BACKUP TENANT = 'tenant2'")
    assert done.asset_events == []


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
def test_without_log_backup_nothing_is_sent(
    profile: str, archiving: Callable[..., Sandbox], back_up: Callable[..., Done]
):
    box = archiving(profile=profile)
    box.force_status("STOP")
    done = back_up(place=None)
    assert done.state == "failed"
    assert done.report_of()["verdict"] == NOT_RESTORABLE
    assert sent(box.writes) == []


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
def test_a_dry_run_writes_nothing(profile: str, archiving: Callable[..., Sandbox], back_up: Callable[..., Done]):
    box = archiving(profile=profile)
    done = back_up(place=None if profile.startswith("3") else DATA, dry_run=True)
    assert done.report_of()["verdict"] == DRY_RUN
    assert done.state == "success"
    assert "ALTER SYSTEM BACKUP" in done.report_of()["markdown"]
    assert sent(box.writes) == []


def test_one_cluster_that_fails_does_not_hide_another(archiving: Callable[..., Sandbox], back_up: Callable[..., Done]):
    archiving("one", profile="4.2.5")
    broken = archiving("two", profile="4.2.5")
    broken.faults.failed_backups = {"tenant2": 9086}
    done = back_up(oceanbase_conn_ids=["one", "two"])
    assert done.state == "failed"
    assert [row["verdict"] for row in done.fleet["clusters"]] == [RESTORABLE, NOT_RESTORABLE]
    rows = {row["tenant"]: row for row in done.report_of(1)["tenants"]}
    assert "9086" in rows["tenant2"]["reason"]
    assert rows["tenant1"]["verdict"] == RESTORABLE
    # Each try takes another one of what has failed, and of nothing else.
    assert backups(broken)[1].startswith("ALTER SYSTEM BACKUP TENANT = 'tenant2'")
