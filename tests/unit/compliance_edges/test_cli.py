"""``airflow oceanbase archive …``, called with what Airflow's own parser makes of a command line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from airflow.cli.cli_parser import get_parser

from airflow_ob_provider.reports import schema
from airflow_ob_provider.sandbox import Sandbox

from .conftest import CLEAN, red

COMMANDS = ["status", "check", "windows"]
PASSWORD = "Pw5C/Ae6V+Ro7M=Ce8L%25Ti9P"


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


@pytest.fixture
def airflow(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run ``airflow oceanbase archive …`` in this process, on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "300")
    parser = get_parser()

    def run(name: str, *arguments: str, conn_id: str = "oceanbase_default") -> Ran:
        capsys.readouterr()
        args = parser.parse_args(["oceanbase", "archive", name, "--conn-id", conn_id, *arguments])
        with pytest.raises(SystemExit) as end:
            args.func(args)
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return Ran(int(end.value.code or 0), shown.out, shown.err)

    return run


@pytest.fixture
def clean(tmp_path: Path) -> list[str]:
    """A policy that a healthy cluster fulfils."""
    (tmp_path / "policy.yaml").write_text(json.dumps(CLEAN), encoding="utf-8")
    return ["--policy-file", str(tmp_path / "policy.yaml")]


@pytest.mark.parametrize("profile", ["3.2.4", "4.2.5"])
@pytest.mark.parametrize("name", COMMANDS)
def test_all_is_well(
    new: Callable[..., Sandbox], airflow: Callable[..., Ran], clean: list[str], name: str, profile: str
) -> None:
    box = new(profile=profile)
    ran = airflow(name, *clean)
    assert (ran.code, ran.err) == (0, ""), ran.out
    assert ran.out.startswith("verdict: OK oceanbase_default: OceanBase ")
    assert "tenant1" in ran.out
    assert "Report:" not in ran.out
    assert box.writes == ()


def test_a_warning_is_one_and_only_of_the_command_that_asks(box: Sandbox, airflow: Callable[..., Ran]) -> None:
    """No clean-up policy is a question of ``check`` alone."""
    assert [airflow(name).code for name in COMMANDS] == [0, 1, 0]
    assert "cleanup" in airflow("check").out


@pytest.mark.parametrize("name", COMMANDS)
def test_a_broken_stream_fails(box: Sandbox, airflow: Callable[..., Ran], clean: list[str], name: str) -> None:
    red(box)
    ran = airflow(name, *clean)
    assert ran.code == 2, ran.out
    assert "verdict: FAIL" in ran.out
    assert {"status": "INTERRUPTED", "check": "INTERRUPTED", "windows": "HOLE: "}[name] in ran.out


def test_a_lost_backup_is_no_question_of_status(box: Sandbox, airflow: Callable[..., Ran], clean: list[str]) -> None:
    now = box.now
    box.history.clear()
    box.history.round(1, now - timedelta(days=2))
    assert airflow("status", *clean).code == 0
    ran = airflow("windows", *clean)
    assert ran.code == 2
    assert "carried by" in ran.out
    assert "full backup 1" not in ran.out


@pytest.mark.parametrize("arguments", [[], ["--json"]])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_cluster_that_cannot_be_read_is_unknown(
    box: Sandbox, add_connection: Callable[..., str], airflow: Callable[..., Ran], name: str, arguments: list[str]
) -> None:
    add_connection({**box.connection(), "password": PASSWORD})
    ran = airflow(name, *arguments)
    assert ran.code == 3
    assert "UNKNOWN" in ran.out
    assert "Pw5C" not in ran.out + ran.err


@pytest.mark.parametrize("is_red", [False, True])
def test_the_json_of_check_is_the_report(
    box: Sandbox, airflow: Callable[..., Ran], clean: list[str], is_red: bool
) -> None:
    if is_red:
        red(box)
    ran = airflow("check", "--json", *clean)
    jsonschema.validate(ran.json, schema())
    assert (ran.code, ran.json["verdict"]) == ((2, "FAIL") if is_red else (0, "OK"))


@pytest.mark.parametrize("name", ["status", "windows"])
def test_the_json_of_the_others_is_about_tenants(box: Sandbox, airflow: Callable[..., Ran], name: str) -> None:
    ran = airflow(name, "--json")
    assert ran.json.keys() == {"schema_version", "connection", "checked_at", "cluster", "tenants", "verdict"}
    assert (ran.code, ran.json["verdict"]) == (0, "OK")
    assert [one["tenantName"] for one in ran.json["tenants"]] == ["tenant1", "tenant2"]


@pytest.mark.parametrize("name", COMMANDS)
def test_chinese(box: Sandbox, airflow: Callable[..., Ran], name: str) -> None:
    red(box)
    ran = airflow(name, "--language", "zh")
    assert ran.out.startswith("结论: FAIL oceanbase_default")
    assert "租户" in ran.out
    assert {"status": "延迟（秒）", "check": "处理建议", "windows": "断档: "}[name] in ran.out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_is_kept_and_named(
    box: Sandbox, airflow: Callable[..., Ran], clean: list[str], tmp_path: Path, language: str
) -> None:
    given = [*clean, "--report-path", str(tmp_path / "kept"), "--language", language]
    ran = airflow("status", *given)
    path = Path(ran.out.splitlines()[-1].partition(": " if language == "en" else "：")[2])
    assert path.name.endswith(f".{language}.html")
    assert path.parent == tmp_path / "kept" / "oceanbase_default" / "reports"
    assert path.exists()
    box.advance(3600)
    assert airflow("check", *given, "--json").json["lag_history"]["checks"] == 2


def test_logs_are_no_part_of_the_json(
    box: Sandbox, airflow: Callable[..., Ran], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "oceanbase_default").mkdir()
    (tmp_path / "oceanbase_default" / "state.json").write_text("{", encoding="utf-8")
    handler = logging.StreamHandler(sys.stdout)  # as Airflow's commands have it
    logging.getLogger().addHandler(handler)
    try:
        ran = airflow("status", "--json", "--report-path", str(tmp_path))
        assert handler.stream is sys.stdout
    finally:
        logging.getLogger().removeHandler(handler)
    assert ran.json["verdict"] == "OK"
    assert "so this check is a first one" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy-file", "/no/such.yaml"], "policy_file '/no/such.yaml' cannot be read"),
        (["--policy-file", "s3://bucket/p.yaml"], "s3fs"),
        (["--report-path", "no://bucket"], "report_path 'no://bucket' is no path or URL that Airflow knows"),
        (["--report-path", "s3://bucket/x"], "s3fs"),
        (["--report-path", "/dev/null"], "report_path"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_wrong_argument_is_named_and_nothing_is_printed(
    box: Sandbox, airflow: Callable[..., Ran], arguments: list[str], words: str, more: list[str]
) -> None:
    ran = airflow("check", *arguments, *more)
    assert (ran.code, ran.out) == (3, "")
    assert words in ran.err
    assert box.statements == ()


def test_a_policy_that_is_not_legal_is_named(box: Sandbox, airflow: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("defaults: {rpo: soon, speed: 1}", encoding="utf-8")
    ran = airflow("check", "--policy-file", str(tmp_path / "p.yaml"))
    assert (ran.code, ran.out) == (3, "")
    assert "rpo" in ran.err
    assert "speed" in ran.err


@pytest.mark.parametrize("conn_id", ["nobody", "../up"])
def test_a_connection_that_nobody_made_is_named(airflow: Callable[..., Ran], conn_id: str) -> None:
    ran = airflow("status", conn_id=conn_id)
    assert (ran.code, ran.out) == (3, "")
    assert conn_id in ran.err


def test_a_driver_that_is_missing_is_named(
    box: Sandbox, add_connection: Callable[..., str], airflow: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "MySQLdb", None)
    add_connection(box, driver="mysqlclient")
    ran = airflow("status")
    assert ran.code == 3
    assert "pip install 'airflow-ob-provider[mysqlclient]'" in ran.err


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_narrow_terminal_cuts_nothing_off(
    box: Sandbox, airflow: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, name: str, language: str
) -> None:
    red(box)
    monkeypatch.setenv("COLUMNS", "60")
    ran = airflow(name, "--language", language)
    assert ran.code == 2
    assert max(len(line) for line in ran.out.splitlines()) <= 60
    assert "…" not in ran.out
    assert "tenant1" in ran.out


@pytest.mark.parametrize("name", COMMANDS)
def test_text_of_a_server_is_neither_markup_nor_a_command_to_the_terminal(
    box: Sandbox, airflow: Callable[..., Ran], name: str
) -> None:
    now = box.now
    box.history.clear()
    box.history.round(1, now - timedelta(days=2), status="INTERRUPTED", tenant="tenant1",
                      comment="[bold]x[/bold] [/] \x1b[31mred\x1b[0m \\[y]")  # fmt: skip
    ran = airflow(name)
    assert ran.code == 2
    assert "\x1b" not in ran.out
    if name != "status":
        assert "[bold]x[/bold] [/]" in " ".join(ran.out.replace("│", " ").split())


def test_a_waiver_is_shown_with_its_owner(box: Sandbox, airflow: Callable[..., Ran], tmp_path: Path) -> None:
    waiver = {"rule": "cleanup*", "owner": "王五", "reason": "later", "expires": "2999-01-01"}
    (tmp_path / "p.yaml").write_text(json.dumps({"waivers": [waiver]}), encoding="utf-8")
    ran = airflow("check", "--policy-file", str(tmp_path / "p.yaml"))
    assert ran.code == 0, ran.out
    assert "waived by 王五" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["oceanbase"],
        ["oceanbase", "archive"],
        ["oceanbase", "archive", "status"],
        ["oceanbase", "archive", "check", "--conn-id", "x", "--language", "de"],
        ["oceanbase", "archive", "stop", "--conn-id", "x"],
    ],
)
def test_a_command_that_is_not_whole_prints_its_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        get_parser().parse_args(arguments)
    assert end.value.code == 2
    assert "usage: airflow oceanbase" in capsys.readouterr().out.lower()
