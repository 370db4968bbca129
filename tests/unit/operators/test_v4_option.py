"""SetArchiveOptionOperator on 4.x: BINDING is a part of the destination, and two parameters of each tenant."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.exceptions import OceanBaseTransientError, PrerequisitesNotMetError
from airflow_ob_provider.operators.prerequisites import CheckBackupPrerequisitesOperator
from airflow_ob_provider.operators.settings import SetArchiveOptionOperator, SetBackupDestinationOperator
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, ending, writes
from tests.unit.operators.harness4 import (
    MODERN,
    VERSIONS,
    builds,
    clock,
    cluster,
    dest,
    first_try,
    last_try,
    of,
    place_of,
    put,
    state_of,
)

__all__ = ["clock", "cluster"]

ONE = ["tenant1"]


def task(**kwargs: Any) -> SetArchiveOptionOperator:
    return SetArchiveOptionOperator(task_id="option", **kwargs)


def lag(seconds: int, tenant: str | None = "tenant1") -> str:
    return f"ALTER SYSTEM SET archive_lag_target = '{seconds}s'{of(tenant)}"


def concurrency(number: int, tenant: str | None = "tenant1") -> str:
    return f"ALTER SYSTEM SET log_archive_concurrency = '{number}'{of(tenant)}"


def mandatory(tenant: str | None = "tenant1", place: str = "tenant1") -> str:
    return dest(place_of(place), tenant, "Mandatory")


# --- mode -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cluster", "state"),
    [(version, state) for version in VERSIONS for state in ("READY", "STOP")] + [("4.2.5", "STOP+DEFER")],
    indirect=["cluster"],
)
def test_the_mode_is_set_without_a_round_or_in_stop(cluster: Sandbox, clock: Time, state: str) -> None:
    put(cluster, state)
    result = task(mode="mandatory", tenants=ONE).execute(last_try())
    assert (writes(cluster), result["statements"], result["changed"]) == ([mandatory()], [mandatory()], True)
    assert "MANDATORY" in result["after"]["tenant1"]
    assert state_of(cluster).binding == "MANDATORY"
    again = task(mode="mandatory", tenants=ONE).execute(last_try())
    assert (again["changed"], len(writes(cluster))) == (False, 1)


@pytest.mark.parametrize(
    ("cluster", "state"),
    [(version, state) for version in VERSIONS for state in ("BEGINNING", "DOING", "STOPPING", "INTERRUPTED")]
    + [(version, state) for version in MODERN for state in ("SUSPEND", "SUSPENDING")],
    indirect=["cluster"],
)
def test_the_mode_of_a_round_is_never_changed_silently(cluster: Sandbox, clock: Time, state: str) -> None:
    put(cluster, state)
    end = ending(lambda: task(mode="mandatory", tenants=ONE).execute(last_try()))
    assert end.state == "failed"
    assert "tenant1" in end.text
    assert state in end.text
    assert "BINDING" in end.text
    assert "top log backup" in end.text
    assert "full data backup" in end.text
    assert cluster.writes == ()
    same = task(mode="optional", tenants=ONE).execute(last_try())
    assert (same["changed"], cluster.writes) == (False, ())


@builds("4.0.0", "4.2.5")
def test_the_mode_needs_a_destination(cluster: Sandbox, clock: Time) -> None:
    end = ending(lambda: task(mode="mandatory", tenants=ONE).execute(last_try()))
    assert end.state == "failed"
    assert "destination is not set" in end.text
    assert cluster.writes == ()


def test_the_interval_is_kept(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    archive = cluster._cluster.archives[1002]
    archive.destination.rows["piece_switch_interval"] = "3d"
    task(mode="mandatory", tenants=ONE).execute(last_try())
    assert writes(cluster) == [dest(place_of("tenant1"), binding="Mandatory", interval="3d")]


@pytest.mark.parametrize("conflict", [False, True])
def test_words_of_the_manual_are_understood(cluster: Sandbox, clock: Time, conflict: bool) -> None:
    """The manual prints Mandatory and ENBALE, the kernel MANDATORY and ENABLE."""
    put(cluster, "DOING")
    if conflict:
        cluster.faults.doc_conflicts = {"enbale", "interval_text"}
    cluster._cluster.archives[1002].destination.rows["binding"] = "Mandatory"
    result = task(mode="mandatory", tenants=ONE).execute(last_try())
    assert (result["changed"], result["tenants"]) == (False, ONE)


def test_mandatory_may_need_an_approval(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    end = ending(lambda: task(mode="mandatory", allow_mandatory=False, tenants=ONE).execute(last_try()))
    assert isinstance(end.error, PrerequisitesNotMetError)
    assert "tenant1" in end.text
    assert cluster.writes == ()


@pytest.mark.parametrize(
    ("cluster", "word"),
    [("4.0.0", "enable"), ("4.1.0", "lz4_1.0"), ("4.2.5", "disable"), ("4.3.3", "zstd_1.3.8")],
    indirect=["cluster"],
)
def test_compression_is_refused_with_the_reason(cluster: Sandbox, clock: Time, word: str) -> None:
    put(cluster, "STOP")
    end = ending(lambda: task(compression=word, tenants=ONE).execute(last_try()))
    assert end.state == "failed"
    assert "does not compress" in end.text
    assert "keep" in end.text
    assert cluster.writes == ()


@builds("4.0.0", "4.2.5")
def test_keep_keeps(cluster: Sandbox, clock: Time) -> None:
    result = task().execute(last_try())
    assert (result["changed"], result["tenants"], cluster.writes) == (False, ["tenant1", "tenant2"], ())


# --- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["STOP", "DOING", "SUSPEND"])
@builds("4.2.5", "4.3.3")
def test_parameters_change_at_any_time(cluster: Sandbox, clock: Time, state: str) -> None:
    put(cluster, state)
    result = task(lag_target=60, concurrency=4, tenants=ONE).execute(last_try())
    assert sorted(writes(cluster)) == [lag(60), concurrency(4)]
    assert sorted(result["statements"]) == sorted(writes(cluster))
    again = task(lag_target=60, concurrency=4, tenants=ONE).execute(last_try())
    assert (again["changed"], len(writes(cluster))) == (False, 2)
    assert cluster.parameters["archive_lag_target", "tenant2"] == "120s"


@pytest.mark.parametrize(
    ("cluster", "wish", "words"),
    [
        ("4.0.0", {"lag_target": 60}, "4.2.0"),
        ("4.1.0", {"lag_target": 60}, "4.2.0"),
        ("4.0.0", {"concurrency": 2}, "4.1.0"),
        ("4.1.0", {"concurrency": 0}, "1 to 100"),
        ("4.2.5", {"lag_target": 60, "tenants": ["tenant2"]}, "4179"),
    ],
    indirect=["cluster"],
)
def test_what_the_build_or_the_tenant_lacks_is_refused(
    cluster: Sandbox, clock: Time, wish: dict[str, Any], words: str
) -> None:
    put(cluster, "STOP")
    end = ending(lambda: task(**{"tenants": ONE, **wish}).execute(last_try()))
    assert end.state == "failed"
    assert words in end.text
    assert cluster.writes == ()


@builds("4.1.0")
def test_concurrency_on_4_1(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "DOING")
    task(concurrency=2, tenants=ONE).execute(last_try())
    assert writes(cluster) == [concurrency(2)]


@pytest.mark.parametrize("wish", [{"lag_target": 7201}, {"lag_target": -1}, {"concurrency": 101}, {"mode": "x"}])
def test_numbers_out_of_range_are_refused_before(cluster: Sandbox, wish: dict[str, Any]) -> None:
    end = ending(lambda: task(**wish).execute(last_try()))
    assert isinstance(end.error, ValueError)
    assert cluster.statements == ()


def test_a_short_lag_target_is_not_for_s3(cluster: Sandbox, clock: Time, add_connection: Any) -> None:
    place = cluster._cluster.archives[1002].destination
    put(cluster, "DOING")
    place.rows["path"] = "s3://b/t1?host=h&access_id=AKIDEXAMPLE&access_key=wJalrXUtnFEMI"
    end = ending(lambda: task(lag_target=30, tenants=ONE).execute(last_try()))
    assert end.state == "failed"
    assert "at least 60 s" in end.text
    assert "wJalrXUtnFEMI" not in end.text
    assert cluster.writes == ()


@builds("4.2.5", "4.3.3")
def test_s3_and_a_short_lag_target(cluster: Sandbox, clock: Time, add_connection: Any) -> None:
    """4179 of one tenant, its way out, and the other tenant set all the same."""
    put(cluster, "STOP")
    put(cluster, "STOP", "tenant2")
    cluster.parameters["archive_lag_target", "tenant1"] = "30s"
    add_connection({"conn_type": "generic", "login": "AKID", "password": "s3cretK3y", "host": "s3.example"}, "keys")

    def move(context: Any) -> Any:
        return SetBackupDestinationOperator(
            task_id="destination", destination="s3://b/{tenant}", dest_conn_id="keys", on_partial_failure="continue"
        ).execute(context)

    check = CheckBackupPrerequisitesOperator(
        task_id="check", destination="s3://b/{tenant}", dest_conn_id="keys", on_partial_failure="continue"
    )
    found = check.execute(last_try())
    assert (found["tenants"], list(found["failed"])) == (["tenant2"], ["tenant1"])
    assert "60s" in found["failed"]["tenant1"]
    result = move(last_try())
    assert (result["tenants"], list(result["failed"])) == (["tenant2"], ["tenant1"])
    assert "4179" in result["failed"]["tenant1"]
    task(lag_target=60, tenants=ONE).execute(last_try())
    assert move(last_try())["tenants"] == ["tenant1", "tenant2"]
    end = ending(lambda: task(lag_target=30).execute(last_try()))
    assert end.state == "failed"
    assert "at least 60 s" in end.text


@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_one_that_is_refused_stops_no_other(cluster: Sandbox, clock: Time, policy: str) -> None:
    put(cluster, "DOING")
    put(cluster, "STOP", "tenant2")
    context = last_try()
    end = ending(lambda: task(mode="mandatory", on_partial_failure=policy).execute(context))
    result = end.result or context["ti"].xcom["return_value"]
    assert writes(cluster) == [mandatory("tenant2", "tenant2")]
    assert (result["tenants"], list(result["failed"])) == (["tenant2"], ["tenant1"])
    assert end.state == ("success" if policy == "continue" else "failed")


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
@pytest.mark.parametrize(
    ("wish", "statement"),
    [({"mode": "mandatory"}, mandatory()), ({"lag_target": 60}, lag(60)), ({"concurrency": 4}, concurrency(4))],
)
def test_a_lost_connection_never_sends_twice(
    cluster: Sandbox, clock: Time, wish: dict[str, Any], statement: str, moment: str
) -> None:
    put(cluster, "STOP")
    setattr(cluster.faults, moment, ("ALTER SYSTEM SET", 1))
    end = ending(lambda: task(tenants=ONE, **wish).execute(first_try()))
    assert writes(cluster) == [statement]
    if moment == "drop_before":
        assert isinstance(end.error, OceanBaseTransientError)
        assert end.state == "retry"
        end = ending(lambda: task(tenants=ONE, **wish).execute(last_try(2)))
    assert (end.state, end.result["changed"]) == ("success", True)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("errno", [4012, 4023, 4114])
def test_a_passing_error_is_settled_by_the_setting(cluster: Sandbox, clock: Time, errno: int, after: bool) -> None:
    put(cluster, "DOING")
    cluster.faults.error_once = {"pattern": "archive_lag_target =", "errno": errno, "after": after}
    end = ending(lambda: task(lag_target=60, tenants=ONE).execute(first_try()))
    assert writes(cluster) == [lag(60)]
    assert end.state == ("success" if after else "retry")


@builds("4.0.0", "4.2.5")
def test_a_user_tenant_sets_its_own(cluster: Sandbox, clock: Time, add_connection: Any) -> None:
    add_connection(cluster.connection("root", "tenant1"))
    put(cluster, "STOP")
    wish = {"mode": "mandatory"} | ({"lag_target": 60, "concurrency": 4} if cluster._cluster.profile.lag_target else {})
    result = task(**wish).execute(last_try())
    assert mandatory(None) in writes(cluster)
    assert all("TENANT" not in statement for statement in writes(cluster))
    assert (len(writes(cluster)), result["tenants"]) == (len(wish), ONE)
    assert task(**wish).execute(last_try())["changed"] is False


def test_a_dry_run_writes_nothing(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    put(cluster, "STOP", "tenant2")
    result = task(mode="mandatory", lag_target=60, dry_run=True).execute(last_try())
    assert sorted(result["plan"]) == sorted([lag(60), mandatory(), lag(60, "tenant2"), mandatory("tenant2", "tenant2")])
    assert cluster.writes == ()


# --- the prerequisites know what is out of scope ----------------------------------------------------------------------


@builds("4.0.0", "4.2.5")
def test_the_prerequisites_warn_of_tenants_out_of_scope(cluster: Sandbox, clock: Time) -> None:
    put(cluster, "STOP")
    put(cluster, "STOP", "tenant2")
    cluster.create_tenant("late")
    cluster.set_tenant("tenant2", status="CREATING")
    result = CheckBackupPrerequisitesOperator(task_id="check", tenants=ONE).execute(last_try())
    warnings = [str(finding) for finding in result["findings"] if finding["level"] == "WARN"]
    assert any("late" in warning and "tenant2" in warning for warning in warnings), result["findings"]
    assert (result["passed"], result["tenants"]) == (True, ONE)
    assert cluster.writes == ()


@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_names_that_cannot_be_served_stop_no_other(cluster: Sandbox, clock: Time, policy: str) -> None:
    put(cluster, "STOP")
    cluster.set_tenant("tenant2", status="CREATING")
    context = last_try()
    end = ending(
        lambda: task(mode="mandatory", tenants=["gone", "tenant2", "tenant1"], on_partial_failure=policy).execute(
            context
        )
    )
    result = end.result or context["ti"].xcom["return_value"]
    assert (result["tenants"], set(result["failed"])) == (ONE, {"gone", "tenant2"})
    assert writes(cluster) == [mandatory()]
    assert end.state == ("success" if policy == "continue" else "failed")
