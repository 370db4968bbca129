"""What a person does with `make ui`, from its first line to Ctrl-C: a cluster of their own, and one that breaks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pymysql
import pytest

from airflow_ob_provider.sandbox import Sandbox

pytest.importorskip("playwright", reason="no browser: playwright is not installed")

from playwright.sync_api import expect

from demo import ui
from demo.browser import ConnectionForm, TriggerForm, open_page, press_test, run_path, task_path
from demo.processes import wait_until
from demo.rest import RUN_SECONDS, Rest, Run

from .conftest import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 600.0
"""Airflow, two log backups, two data backups and a check, one after the other."""
DONE = "The clusters: "


@dataclass(frozen=True)
class Shown:
    """`make ui`, running."""

    process: subprocess.Popen[bytes]
    output: Path
    rest: Rest

    @property
    def said(self) -> str:
        """All that it has told the person at the terminal."""
        return self.output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """`make ui` at a terminal, when the first runs have ended."""
    output = tmp_path_factory.mktemp("ui") / "terminal.txt"
    with output.open("wb") as terminal:
        process = subprocess.Popen(
            ["make", "ui"],
            cwd=ROOT,
            stdout=terminal,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:

        def ready() -> bool:
            assert process.poll() is None, output.read_text(encoding="utf-8")
            return DONE in output.read_text(encoding="utf-8")

        wait_until(ready, lambda: output.read_text(encoding="utf-8"), READY_SECONDS)
        (url,) = re.findall(r"Airflow is ready: (\S+)", output.read_text(encoding="utf-8"))
        with closing(Rest(url)) as rest:
            yield Shown(process, output, rest)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(120)


@pytest.fixture
def page(browser: Browser, shown: Shown) -> Iterator[Page]:
    """A page of somebody who has just opened the URL."""
    page = open_page(browser, shown.rest.url)
    yield page
    page.context.close()


def start(page: Page, shown: Shown, dag_id: str, **values: Any) -> Run:
    """Start a run from the form of its DAG."""
    path = f"dags/{dag_id}/dagRuns"

    def runs() -> set[str]:
        return {run["dag_run_id"] for run in shown.rest.get(path, run_type="manual")["dag_runs"]}

    before = runs()
    form = TriggerForm.open(page, dag_id, shown.rest.get(f"dags/{dag_id}/details")["params"])
    for name, value in values.items():
        form.fill(name, value)
    expect(form.submit).to_be_enabled()
    form.submit.click()
    expect(form.dialog).to_be_hidden()
    (run_id,) = wait_until(lambda: runs() - before, f"there is a run of {dag_id}")
    return Run(shown.rest, dag_id, run_id)


def follow(page: Page, run: Run, state: str) -> None:
    """Look at a run until its page says that it has ended so."""
    page.goto(run_path(run.dag_id, run.run_id))
    expect(page.get_by_text(state, exact=True).first).to_be_visible(timeout=RUN_SECONDS * 1000)
    assert run.wait() == state.lower(), run.story()


def test_the_terminal_tells_what_there_is(shown: Shown) -> None:
    said = shown.said
    assert re.findall(r"^ +(success|failed): \S+/dags/(\w+)/", said, re.MULTILINE) == [
        ("success", "ob_log_archive"),
        ("success", "ob_log_archive"),
        ("success", "ob_data_backup"),
        ("success", "ob_data_backup"),
        ("success", "ob_archive_compliance"),
    ], said


def test_a_person_makes_a_cluster_of_their_own_safe(page: Page, shown: Shown) -> None:
    with Sandbox("4.2.5", tenants=2, speed=10, password=PASSWORD, cluster="mine") as box:
        box.history.policy("7d")  # without one, old backups stay for ever, and the check warns
        account = box.connection()
        form = ConnectionForm.open(page)
        form.choose_type("OceanBase")
        wanted = {name: account[name] for name in ("host", "port", "login", "password")}
        form.fill(connection_id="mine", **wanted)
        form.save()
        answer = press_test(page, "mine")
        expect(answer).to_contain_text("Test Connection Successful")
        expect(answer).to_contain_text("OceanBase 4.2.5")

        logs = "file:///data/nfs/{cluster}/{tenant}/log"
        run = start(page, shown, "ob_log_archive", oceanbase_conn_ids="mine", destination=logs, poll_interval=1)
        run.wait_for_tasks("deferred", "cluster.verify.checkpoint")
        page.goto(task_path(run.dag_id, run.run_id, "cluster.verify.checkpoint", 0))
        log = page.get_by_test_id("virtualized-list")
        expect(log).to_contain_text(re.compile(r"Waiting for \d+ s, \d+% done, the checkpoint is usually behind by"))
        follow(page, run, "Success")

        data = "file:///data/nfs/{cluster}/{tenant}/data"
        backup = start(page, shown, "ob_data_backup", oceanbase_conn_ids="mine", destination=data, poll_interval=1)
        follow(page, backup, "Success")
        follow(page, start(page, shown, "ob_archive_compliance", oceanbase_conn_ids="mine"), "Success")

        page.get_by_role("link", name="OceanBase log backup", exact=True).click()
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("heading", level=1)).to_have_text("mine")
        expect(frame.get_by_role("heading", name="Verdict: OK")).to_be_visible()
        frame.get_by_role("link", name="中文").click()
        expect(frame.get_by_role("heading", name=re.compile("结论.*正常"))).to_be_visible()
        frame.get_by_role("link", name="完整报告").click()
        expect(frame.get_by_role("heading", name=re.compile("结论.*正常"))).to_be_visible()
        expect(frame.get_by_role("region", name="可恢复时间窗口", exact=True)).to_contain_text("tenant2")


def test_a_cluster_breaks_and_everything_says_so(page: Page, shown: Shown) -> None:
    (told,) = re.findall(
        r"(SANDBOX INTERRUPT \w+) \(MySQL protocol: (\S+):(\d+), (\S+), password '(.*?)'\)", shown.said
    )
    sql, host, port, user, password = told
    with closing(pymysql.connect(host=host, port=int(port), user=user, password=password)) as connection:
        connection.cursor().execute(sql)

    (recovery,) = wait_until(
        lambda: shown.rest.started_by_assets("ob_archive_recovery"), "recovery begins by itself", RUN_SECONDS
    )
    check = start(page, shown, "ob_archive_compliance", oceanbase_conn_ids=ui.CHECKED)
    follow(page, check, "Failed")
    page.get_by_role("link", name="OceanBase log backup", exact=True).click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Verdict: FAIL")).to_be_visible()
    expect(frame.get_by_role("region", name="Findings", exact=True)).to_contain_text("INTERRUPTED")
    page.goto(f"/plugin/{ui.ROUTE}")
    expect(page.frame_locator("iframe").get_by_role("row").filter(has_text=ui.CHECKED)).to_contain_text("FAIL")

    recovery.wait_for_tasks("awaiting_input", "approve")
    page.goto(task_path(recovery.dag_id, recovery.run_id, "approve") + "/required_actions")
    expect(page.get_by_role("button", name=re.compile("Approve", re.IGNORECASE))).to_be_visible()


def test_ctrl_c_ends_all_of_it(shown: Shown) -> None:
    family = psutil.Process(shown.process.pid).children(recursive=True)
    os.killpg(shown.process.pid, signal.SIGINT)
    shown.process.wait(120)

    assert "All of it has ended." in shown.said.splitlines()[-2:], "make may say behind it that it leaves its folder"
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    ((host, port),) = re.findall(r"MySQL protocol: (\S+):(\d+)", shown.said)
    with pytest.raises(pymysql.err.OperationalError):
        pymysql.connect(host=host, port=int(port), user="root@sys")
