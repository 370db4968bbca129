"""What a check remembers, and the lag history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_ob_provider.oceanbase.compliance.memory import MAX_SAMPLES, Memory, TenantMemory, history_of, with_sample
from tests.unit.compliance.world import DAY, GIB, HOUR, NOW

THEN = datetime(2024, 6, 21, tzinfo=UTC)


def test_what_is_remembered_comes_back_as_it_was(world):
    one = world("4.2.5", tenants=2).healthy(status="SUSPEND")
    one.history.log_disk(3 * GIB, 9 * GIB)
    one.check()
    memory, samples = one.store.state()
    assert Memory.from_json(json.loads(json.dumps(memory.to_json()))) == memory
    assert (memory.version, memory.cluster, memory.cluster_id, memory.incarnation) == ("4.2.5.0", "obcluster", "1", 1)
    assert memory.checked_at.isoformat() == "2024-06-21T08:00:00+08:00"
    tenant = memory.tenants["tenant1"]
    assert (tenant.tenant_id, tenant.round_id, tenant.state) == (1002, 1, "SUSPEND")
    assert tenant.checkpoint.isoformat() == "2024-06-21T07:59:00+08:00"
    assert tenant.state_since is not None
    assert tenant.log_disk_in_use == 3 * GIB
    assert len(samples) == 1


def test_nothing_but_what_is_there_is_remembered():
    memory = Memory(THEN, tenants={"t": TenantMemory(1, 2, "STOP")})
    assert Memory.from_json(memory.to_json()) == memory


@pytest.mark.parametrize(
    "damage",
    [
        {"checked_at": "yesterday"}, {"checked_at": None}, {"checked_at": "2024-06-21T08:00:00"}, {"tenants": None},
        {"tenants": {"t": []}}, {"tenants": {"t": ["x", 1, "DOING", None, None, None]}}, {"tenants": {"t": 7}},
        {"tenants": {"t": [1, 1, "DOING", "2024-06-21T08:00:00", None, None]}}, {"tenants": [1]},
        {"tenants": {"t": [1, 1, "DOING", "odd", None, None]}},
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_read_is_a_first_check(world, damage):
    one = world("4.2.5").healthy()
    one.check()
    one.store.memory = json.dumps({**json.loads(one.store.memory), **damage})
    report = one.check()
    assert report.verdict == "OK"
    assert report.reason("checkpoint_moved") == report.reason("check_recent") == "this is the first check"


@pytest.mark.parametrize("data", [None, {}, {"checked_at": "2024-06-21T08:00:00+08:00"}])
def test_no_state_at_all_is_a_first_check(data):
    assert Memory.from_json(data) is None


def test_since_when_a_state_has_held_is_kept_while_it_holds(world):
    one = world("4.2.5").healthy()
    one.check()
    one.advance(HOUR).check()
    since = one.store.state()[0].tenants["tenant1"].state_since
    assert since.isoformat() == "2024-06-21T08:00:00+08:00"
    one.history.clear()
    one.history.round(1, one.now - DAY, one.now - HOUR)
    one.unreadable("DBA_OB_ROOTSERVICE_EVENT_HISTORY")
    one.check()
    since = one.store.state()[0].tenants["tenant1"].state_since
    assert since.isoformat() == "2024-06-21T09:00:00+08:00", "another state"


def test_a_cluster_that_cannot_be_read_does_not_make_it_forget(world):
    one = world("4.2.5").healthy()
    one.check()
    before = one.store.memory
    one.as_user("nobody")
    report = one.check()
    assert one.store.memory == before
    assert len(one.store.state()[1]) == 2
    assert report.data["cluster"]["clusterName"] == "obcluster"
    assert report.data["cluster"]["incarnation"] == 1


def test_a_cluster_that_was_never_read(world):
    one = world("4.2.5").healthy()
    one.as_user("nobody")
    report = one.check()
    assert report.verdict == "UNKNOWN"
    assert report.data["cluster"]["clusterName"] == ""
    assert report.data["lag_history"]["percent_green"] == 0


# --- samples ---


def test_a_sample_names_the_tenant_that_is_furthest_behind(world):
    one = world("4.2.5", tenants=2)
    one.history.round(1, NOW - DAY, tenant="tenant1", checkpoint=NOW - 2 * HOUR)
    one.history.round(1, NOW - DAY, tenant="tenant2", checkpoint=NOW - HOUR)
    history = one.check().data["lag_history"]
    assert (history["worst_delay"], history["worst_tenant"]) == (7200, "tenant1")
    history = one.check({"tenants": {"tenant1": {"archive": False}}}, first=True).data["lag_history"]
    assert (history["worst_delay"], history["worst_tenant"]) == (3600, "tenant2")


@pytest.mark.parametrize(("state", "delay"), [("STOPPING", None), ("SUSPEND", 7200), ("INTERRUPTED", 7200)])
def test_what_has_stopped_is_not_late(world, state, delay):
    report = world("4.2.5").healthy(status=state, checkpoint=NOW - 2 * HOUR).check()
    assert report.data["lag_history"]["worst_delay"] == delay


def entry(hours, verdict="OK", delay=60.0, tenant="t"):
    moment = (THEN + timedelta(hours=hours)).isoformat()
    return {"checked_at": moment, "verdict": verdict, "delay": delay, "tenantName": tenant}


def test_a_repeated_check_replaces_its_sample():
    found = with_sample([entry(1), entry(2, delay=7)], entry(2, delay=9))
    assert [one["delay"] for one in found] == [60.0, 9]


def test_the_oldest_samples_go():
    found = with_sample([entry(n) for n in range(MAX_SAMPLES)], entry(MAX_SAMPLES))
    assert len(found) == MAX_SAMPLES == 2000
    assert (found[0], found[-1]) == (entry(1), entry(MAX_SAMPLES))


def test_the_history_of_no_check():
    assert history_of([], days=14) == {
        "samples": [], "from": None, "to": None, "checks": 0, "percent_green": None, "worst_delay": None,
        "worst_at": None, "worst_tenant": None,
    }  # fmt: skip


def test_how_often_all_was_well_and_how_late_it_has_been():
    history = history_of([entry(0), entry(1, "WARN", 200.5, "u"), entry(2, "UNKNOWN", None, None), entry(3, delay=5)])
    assert (history["checks"], history["percent_green"]) == (4, 50)
    assert (history["worst_delay"], history["worst_at"], history["worst_tenant"]) == (
        200.5,
        entry(1)["checked_at"],
        "u",
    )
    assert (history["from"], history["to"]) == (entry(0)["checked_at"], entry(3)["checked_at"])
    assert history_of([entry(0, delay=None)])["worst_at"] is None


def test_one_bad_check_of_thousands_is_not_a_hundred_per_cent():
    samples = [entry(n) for n in range(1999)] + [entry(1999, "FAIL")]
    assert history_of(samples)["percent_green"] == 99.9
    assert history_of(samples[:-1])["percent_green"] == 100.0


def test_only_the_last_days_are_shown():
    samples = [entry(0), entry(1), entry(24 * 14 + 1)]
    assert [one["checked_at"] for one in history_of(samples, days=14)["samples"]] == [
        entry(1)["checked_at"], entry(24 * 14 + 1)["checked_at"],
    ]  # fmt: skip
    assert history_of(samples)["checks"] == 3
