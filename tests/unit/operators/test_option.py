"""SetArchiveOptionOperator: reads, plans, writes, reads back on every server."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ob_provider.exceptions import (
    NotVerifiedError,
    OceanBasePermanentError,
    OceanBaseTransientError,
    PrerequisitesNotMetError,
    RequestRefusedError,
)
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.operators.settings import SetArchiveOptionOperator, switches_to_mandatory
from airflow_ob_provider.sandbox import Sandbox
from tests.unit.operators.harness import Time, drive, ending, make_context, writes

NAME = "backup_log_archive_option"


def option(**kwargs: Any) -> SetArchiveOptionOperator:
    return SetArchiveOptionOperator(task_id="option", **kwargs)


def execute(**kwargs: Any) -> dict[str, Any]:
    return option(**kwargs).execute(make_context())


def sets(*values: str) -> list[str]:
    return [f"ALTER SYSTEM SET {NAME} = '{value}'" for value in values]


@pytest.mark.parametrize(
    ("stored", "mode", "compression", "sent"),
    [
        ("OPTIONAL COMPRESSION=ENABLE", "optional", "enable", []),
        ("OPTIONAL COMPRESSION=ENABLE", "optional", "lz4_1.0", []),
        ("optional compression= lz4_1.0", "keep", "keep", []),
        ("mandatory compression = zstd_1.3.8", "mandatory", "zstd_1.3.8", []),
        ("OPTIONAL", "optional", "keep", []),
        ("OPTIONAL COMPRESSION=ENABLE", "mandatory", "keep", ["mandatory compression= lz4_1.0"]),
        ("OPTIONAL COMPRESSION=ENABLE", "keep", "disable", ["optional compression= disable"]),
        ("OPTIONAL COMPRESSION=ENABLE", "mandatory", "disable", ["mandatory compression= disable"]),
        ("OPTIONAL COMPRESSION=ENABLE", "keep", "zstd_1.3.8", ["optional compression= zstd_1.3.8"]),
        ("OPTIONAL", "optional", "enable", ["optional compression= lz4_1.0"]),
        ("mandatory compression=disable", "optional", "enable", ["optional compression= lz4_1.0"]),
        (
            "mandatory compression=enable",
            "mandatory",
            "disable",
            ["optional compression= disable", "mandatory compression= disable"],
        ),
        ("compression= disable", "optional", "disable", ["optional compression= disable"]),
    ],
)
def test_it_writes_only_a_difference(
    cluster: Sandbox, clock: Time, stored: str, mode: str, compression: str, sent: list[str]
) -> None:
    cluster.parameters[NAME] = stored
    result = execute(mode=mode, compression=compression)
    assert writes(cluster) == sets(*sent) == result["statements"]
    assert result["changed"] is bool(sent)
    shown = {cluster.parameters[NAME, server] for server in range(3)}
    assert shown == {sent[-1] if sent else stored}, "read back on every server"
    again = execute(mode=mode, compression=compression)
    assert again["changed"] is False
    assert again["after"] == again["before"] == result["after"]


def test_a_server_that_never_takes_it_over(cluster: Sandbox, clock: Time) -> None:
    show = cluster.parameters._show
    cluster.parameters._show = lambda index, *rest: index == 2 or show(index, *rest)  # type: ignore[method-assign]
    end = ending(lambda: execute(mode="mandatory"))
    assert isinstance(end.error, NotVerifiedError)
    assert "not seen on every server" in end.text
    assert writes(cluster) == sets("mandatory compression= lz4_1.0")
    assert 20 <= clock.elapsed < 25


def test_an_ok_without_effect(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.config_propagation_seconds = 10_000
    end = ending(lambda: execute(mode="mandatory"))
    assert isinstance(end.error, NotVerifiedError)


def test_servers_that_differ_for_good_are_set_alike(cluster: Sandbox, clock: Time, capsys: Any, caplog: Any) -> None:
    cluster.parameters[NAME, 1] = "mandatory compression=disable"
    result = execute(mode="optional", compression="enable")
    assert writes(cluster) == sets("optional compression= lz4_1.0")
    before = result["before"]["cluster"]
    assert before.count("'OPTIONAL COMPRESSION=ENABLE'") == 2
    assert before.count("'mandatory compression=disable'") == 1
    assert result["after"] == {"cluster": "optional, compression lz4_1.0"}
    assert "'mandatory compression=disable'" in capsys.readouterr().out + caplog.text


def test_servers_that_differ_cannot_be_kept(cluster: Sandbox, clock: Time) -> None:
    cluster.parameters[NAME, 1] = "mandatory compression=disable"
    with pytest.raises(RequestRefusedError, match=r"^cluster: mode='keep' cannot be met"):
        execute(compression="enable")
    assert cluster.writes == ()


def test_an_earlier_change_on_its_way_is_waited_for(cluster: Sandbox, clock: Time) -> None:
    """2-3 s after a SET the servers still differ: that is no reason to send it once more."""
    cluster._cluster.parameters.set(NAME, "mandatory compression= lz4_1.0")
    cluster.advance(2.2)
    assert len({cluster.parameters[NAME, server] for server in range(3)}) == 2
    result = execute(mode="mandatory", compression="keep")
    assert result["changed"] is False
    assert cluster.writes == ()


@pytest.mark.parametrize("moment", ["drop_before", "drop_after"])
def test_a_lost_connection_never_sends_twice(cluster: Sandbox, clock: Time, moment: str) -> None:
    setattr(cluster.faults, moment, (NAME, 0))
    setattr(cluster.faults, moment, (f"SET {NAME}", 1))
    end = ending(lambda: execute(mode="mandatory"))
    assert len(writes(cluster)) == 1
    if moment == "drop_before":
        assert isinstance(end.error, OceanBaseTransientError)
        assert cluster.parameters[NAME] == "OPTIONAL COMPRESSION=ENABLE"
        end = ending(lambda: execute(mode="mandatory"))
        assert len(writes(cluster)) == 2
    assert end.result["changed"] is True
    assert cluster.parameters[NAME] == "mandatory compression= lz4_1.0"


@pytest.mark.parametrize(("errno", "state"), [(4147, "failed"), (1227, "failed"), (5099, "failed"), (4012, "retry")])
def test_what_the_server_answers(cluster: Sandbox, clock: Time, errno: int, state: str) -> None:
    cluster.faults.error_once = (f"SET {NAME}", errno)
    end = ending(lambda: execute(mode="mandatory"))
    assert end.state == state
    assert end.error.errno == errno
    assert len(writes(cluster)) == 1


@pytest.mark.parametrize("state", ["BEGINNING", "DOING", "STOPPING", "INTERRUPTED"])
def test_the_detour_through_optional_never_happens_in_a_round(cluster: Sandbox, clock: Time, state: str) -> None:
    cluster.parameters[NAME] = "mandatory compression= enable"
    cluster.force_status(state)
    with pytest.raises(RequestRefusedError, match="while log backup runs"):
        execute(mode="mandatory", compression="disable")
    assert cluster.writes == ()


def test_the_detour_never_happens_when_the_state_is_not_known(cluster: Sandbox, clock: Time) -> None:
    cluster.parameters[NAME] = "mandatory compression= enable"
    cluster.force_status("DOING")
    cluster.faults.malformed = {"CDB_OB_BACKUP_ARCHIVELOG.TENANT_ID": 99}
    with pytest.raises(RequestRefusedError, match="while log backup runs"):
        execute(mode="mandatory", compression="disable")
    assert cluster.writes == ()


def test_somebody_who_sets_it_back_is_noticed(cluster: Sandbox, clock: Time) -> None:
    """Of the two steps of the detour the second is undone before it is read back: it is not sent once more."""
    cluster.parameters[NAME] = "mandatory compression= enable"
    send = OceanBaseHook.execute

    def undone(hook: Any, statement: Any) -> None:
        send(hook, statement)
        if len(writes(cluster)) == 2:
            cluster.parameters[NAME] = "optional compression=disable"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OceanBaseHook, "execute", undone)
        with pytest.raises(NotVerifiedError, match="'mandatory compression= disable' was accepted, but"):
            execute(mode="mandatory", compression="disable")
    assert writes(cluster) == sets("optional compression= disable", "mandatory compression= disable")


def test_the_steps_of_the_detour_that_took_effect_are_told(cluster: Sandbox, clock: Time) -> None:
    cluster.parameters[NAME] = "mandatory compression= enable"
    cluster.faults.error_once = ("'mandatory compression= disable'", 1227)
    context = make_context()
    end = ending(lambda: option(mode="mandatory", compression="disable").execute(context))
    assert end.error.errno == 1227
    result = context["ti"].xcom["return_value"]
    assert (result["changed"], result["statements"]) == (True, sets("optional compression= disable"))
    assert cluster.parameters[NAME] == "optional compression= disable"
    again = execute(mode="mandatory", compression="disable")
    assert again["statements"] == sets("mandatory compression= disable")


@pytest.mark.parametrize("dry_run", [True, "True"])
def test_a_dry_run_sends_nothing(cluster: Sandbox, clock: Time, dry_run: Any) -> None:
    result = execute(mode="mandatory", compression="zstd_1.3.8", dry_run=dry_run)
    assert result["plan"] == sets("mandatory compression= zstd_1.3.8")
    assert cluster.writes == ()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("mode", "archive"),
        ("mode", None),
        ("mode", ""),
        ("compression", "gzip"),
        ("compression", 1),
        ("lag_target", 7201),
        ("lag_target", "1m"),
        ("concurrency", 101),
        ("allow_mandatory", "maybe"),
        ("dry_run", "?"),
    ],
)
def test_illegal_arguments_are_refused_before_any_sql(cluster: Sandbox, argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=argument):
        execute(**{argument: value})
    assert cluster.statements == ()


@pytest.mark.parametrize(
    ("stored", "switches"),
    [
        ("OPTIONAL COMPRESSION=ENABLE", True),
        ("optional compression= disable", True),
        ("mandatory compression= lz4_1.0", False),
        ("MANDATORY", False),
        ("OPTIONAL", True),  # whatever compression the form will name
        ("compression= disable", True),
    ],
)
@pytest.mark.parametrize("state", ["STOP", "DOING"])
def test_switching_to_mandatory(cluster: Sandbox, stored: str, switches: bool, state: str) -> None:
    cluster.parameters[NAME] = stored
    cluster.force_status("DOING")
    cluster.force_status(state)
    assert switches_to_mandatory("oceanbase_default") is switches
    assert cluster.writes == ()


def test_servers_that_differ_are_switched_to_mandatory(cluster: Sandbox) -> None:
    cluster.parameters[NAME, 2] = "mandatory compression= lz4_1.0"
    assert switches_to_mandatory("oceanbase_default") is True


def test_one_that_cannot_be_read_holds_up_no_other(cluster: Sandbox, add_connection: Any) -> None:
    """It counts as unchanged: ``allow_mandatory`` guards it."""
    assert switches_to_mandatory("no_such_connection") is False
    assert switches_to_mandatory("oceanbase_default", ["tenant1"]) is False, "3.x archives the whole cluster"
    add_connection(cluster, "illegal", driver="carrier-pigeon")
    assert switches_to_mandatory("illegal") is False
    cluster.stop()
    assert switches_to_mandatory("oceanbase_default") is False


@pytest.mark.parametrize("wish", [{"lag_target": 60}, {"concurrency": "0"}, {"mode": "mandatory", "lag_target": 60}])
def test_what_3x_does_not_know_is_refused_before_any_write(cluster: Sandbox, clock: Time, wish: dict[str, Any]) -> None:
    end = ending(lambda: execute(**wish))
    assert end.state == "failed", end
    assert isinstance(end.error, RequestRefusedError)
    assert "destination_option='log_archive_checkpoint_interval=" in end.text
    assert cluster.writes == ()


@pytest.mark.parametrize("nothing", [None, "", "None"])
def test_what_is_not_given_is_kept(cluster: Sandbox, clock: Time, nothing: Any) -> None:
    result = execute(lag_target=nothing, concurrency=nothing, dest_conn_id=nothing)
    assert result["changed"] is False
    assert result["before"] == result["after"] == {"cluster": "optional, compression lz4_1.0"}
    assert (result["tenants"], result["failed"]) == ([], {})
    assert cluster.writes == ()


def test_a_refusal_is_not_tried_again(cluster: Sandbox, clock: Time) -> None:
    cluster.faults.error_once = (f"SET {NAME}", 4147)
    end = ending(lambda: execute(mode="mandatory"))
    assert isinstance(end.error, OceanBasePermanentError)
    assert clock.elapsed == 0


@pytest.mark.parametrize("allow", [False, "False"])
def test_a_switch_to_mandatory_that_nobody_approved(cluster: Sandbox, allow: Any) -> None:
    guarded = {"task_id": "option", "mode": "mandatory", "compression": "enable", "allow_mandatory": allow}
    with pytest.raises(
        PrerequisitesNotMetError, match=r"oceanbase_default \(cluster\) to mandatory mode was not approved"
    ):
        SetArchiveOptionOperator(**guarded).execute(make_context())
    assert writes(cluster) == []
    assert SetArchiveOptionOperator(**guarded, dry_run=True).execute(make_context())["plan"], "a plan needs no approval"


def test_no_approval_is_needed_where_it_is_mandatory_already(cluster: Sandbox, clock: Time) -> None:
    drive(SetArchiveOptionOperator(task_id="a", mode="mandatory", compression="enable"), make_context(), clock)
    guarded = SetArchiveOptionOperator(task_id="b", mode="mandatory", compression="zstd_1.3.8", allow_mandatory=False)
    assert drive(guarded, make_context(), clock)["changed"] is True
