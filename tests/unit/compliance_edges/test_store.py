"""Where reports and the lag history are kept, on a disk and on another file system."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_ob_provider.compliance import store as store_module
from airflow_ob_provider.compliance.store import ReportStore
from airflow_ob_provider.exceptions import ReportStoreError
from airflow_ob_provider.oceanbase.compliance.memory import Memory, TenantMemory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MEMORY = Memory(NOON, "4.2.5.0", "obcluster", "1", 1, {"t": TenantMemory(1002, 3, "DOING", NOON, NOON, 7)})
SAMPLE = {"checked_at": NOON.isoformat(), "verdict": "OK", "delay": 12.5, "tenantName": "t"}


@pytest.fixture(params=["folder", "file URL", "another file system"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "folder":
        yield str(tmp_path / "kept")
    elif request.param == "file URL":
        yield f"file://{tmp_path}/kept"
    else:
        attach(protocol="memory", fs=MemoryFileSystem())
        yield "memory://kept/reports"
        MemoryFileSystem.store.clear()


def report(moment: datetime = NOON, **fields: Any) -> dict[str, Any]:
    return {"checked_at": moment.isoformat(), "summary": {"en": "well", "zh": "正常"}, **fields}


def names(store: ReportStore) -> list[str]:
    return sorted(path.name for path in (store.folder / "reports").iterdir())


def state_file(store: ReportStore, content: str | bytes) -> None:
    store.folder.mkdir(parents=True, exist_ok=True)
    (store.folder / "state.json").write_bytes(content.encode() if isinstance(content, str) else content)


def test_nothing_is_remembered_at_first(base: str, caplog: pytest.LogCaptureFixture) -> None:
    assert ReportStore(base, "ob").state() == (None, [])
    assert caplog.text == ""


def test_what_was_remembered_comes_back(base: str) -> None:
    ReportStore(base, "ob").remember(MEMORY, [SAMPLE])
    assert ReportStore(base, "ob").state() == (MEMORY, [SAMPLE])


def test_a_cluster_that_was_never_read_has_samples_only(base: str, caplog: pytest.LogCaptureFixture) -> None:
    ReportStore(base, "ob").remember(None, [SAMPLE])
    assert ReportStore(base, "ob").state() == (None, [SAMPLE])
    assert caplog.text == ""


def test_a_report_is_kept_under_its_time_in_utc_and_as_the_latest(base: str) -> None:
    store = ReportStore(base, "ob")
    made = report(NOON.astimezone(timezone(timedelta(hours=8))))
    files = store.keep(made, {"md": "# 正常", "zh.html": "<p>"})
    assert names(store) == ["20260301T120000Z.json", "20260301T120000Z.md", "20260301T120000Z.zh.html"]
    assert set(files) == {"json", "md", "zh.html"}
    assert files["md"].endswith("/ob/reports/20260301T120000Z.md")
    assert json.loads((store.folder / "latest.json").read_text(encoding="utf-8")) == made
    assert (store.folder / "latest.md").read_text(encoding="utf-8") == "# 正常"
    assert (store.folder / "latest.zh.html").exists()


def test_the_latest_is_the_last_one_written(base: str) -> None:
    store = ReportStore(base, "ob")
    store.keep(report(), {"md": "first, and longer"})
    store.keep(report(NOON + timedelta(hours=1)), {"md": "second"})
    assert (store.folder / "latest.md").read_text(encoding="utf-8") == "second"
    assert len(names(store)) == 4


def test_old_reports_go_with_all_their_files(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "KEPT_REPORTS", 3)
    store = ReportStore(base, "ob")
    for hour in range(5):
        store.keep(report(NOON + timedelta(hours=hour)), {"en.html": "x"})
    assert names(store) == [f"20260301T{hour}0000Z.{ending}" for hour in (14, 15, 16) for ending in ("en.html", "json")]
    assert (store.folder / "latest.json").exists()


def test_two_connections_do_not_mix(base: str) -> None:
    one, other = ReportStore(base, "ob-1"), ReportStore(base, "ob-2")
    one.keep(report(), {})
    one.remember(MEMORY, [SAMPLE])
    assert other.state() == (None, [])
    other.keep(report(NOON + timedelta(days=1)), {})
    assert names(one) == ["20260301T120000Z.json"]
    assert names(other) == ["20260302T120000Z.json"]


GOOD = {"version": 1, "memory": MEMORY.to_json(), "samples": [SAMPLE]}
TENANT = MEMORY.to_json()["tenants"]["t"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param(json.dumps(GOOD)[:-40], id="half"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param("7", id="a number"),
        pytest.param("[" * 100_000, id="without an end"),
        pytest.param({"samples": []}, id="no memory at all"),
        pytest.param({"memory": None}, id="no samples at all"),
        pytest.param({**GOOD, "samples": None}, id="samples null"),
        pytest.param({**GOOD, "samples": {"a": 1}}, id="samples a mapping"),
        pytest.param({**GOOD, "samples": ["abc"]}, id="a sample is a text"),
        pytest.param({**GOOD, "samples": [{}]}, id="a sample without fields"),
        pytest.param({**GOOD, "samples": [{**SAMPLE, "checked_at": 5}]}, id="a time is a number"),
        pytest.param({**GOOD, "samples": [{**SAMPLE, "checked_at": "2026-03-01T12:00:00"}]}, id="a time without zone"),
        pytest.param({**GOOD, "samples": [{**SAMPLE, "delay": "late"}]}, id="a delay is a text"),
        pytest.param({**GOOD, "samples": [{**SAMPLE, "delay": True}]}, id="a delay is true"),
        pytest.param({**GOOD, "samples": [{**SAMPLE, "verdict": "fine"}]}, id="an unknown verdict"),
        pytest.param({**GOOD, "memory": []}, id="no memory but a list"),
        pytest.param({**GOOD, "memory": [1]}, id="memory is a list"),
        pytest.param({**GOOD, "memory": "abc"}, id="memory is a text"),
        pytest.param({**GOOD, "memory": {**GOOD["memory"], "checked_at": "2026-03-01"}}, id="memory without zone"),
        pytest.param({**GOOD, "memory": {**GOOD["memory"], "incarnation": "x"}}, id="incarnation is a word"),
        pytest.param({**GOOD, "memory": {**GOOD["memory"], "tenants": ["t"]}}, id="tenants are a list"),
        pytest.param({**GOOD, "memory": {**GOOD["memory"], "tenants": {"t": TENANT[:4]}}}, id="a short tenant"),
        pytest.param({**GOOD, "memory": {**GOOD["memory"], "tenants": {"t": [*TENANT[:5], "x"]}}}, id="bytes: a word"),
    ],
)
def test_a_history_that_makes_no_sense_makes_a_first_check(
    content: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ReportStore(str(tmp_path), "ob")
    state_file(store, content if isinstance(content, str | bytes) else json.dumps(content))
    assert store.state() == (None, [])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(tmp_path / "ob" / "state.json") in record.getMessage()
    assert "this check is a first one" in record.getMessage()


@pytest.mark.parametrize("name", ["latest.json", "overview.json", "state.json"])
def test_nobody_reads_half_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that is cut short leaves the old file, and nothing beside it."""
    store = ReportStore(str(tmp_path), "ob")
    store.keep(report(), {})
    store.remember(MEMORY, [SAMPLE])
    before = (tmp_path / "ob" / name).read_text(encoding="utf-8")
    write = Path.write_text

    def half(self: Path, data: str, **kwargs: Any) -> int:
        if not self.name.startswith(name):
            return write(self, data, **kwargs)
        write(self, data[: len(data) // 2], **kwargs)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    again = (store.remember, None, []) if name == "state.json" else (store.keep, report(NOON + timedelta(hours=1)), {})
    with pytest.raises(ReportStoreError, match="No space left on device"):
        again[0](*again[1:])
    assert (tmp_path / "ob" / name).read_text(encoding="utf-8") == before
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {one for one in left if one.count(".") > 1} == set()


def test_a_path_in_the_way_is_named_with_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = ReportStore(str(tmp_path / "file"), "ob")
    for action in (lambda: store.keep(report(), {}), lambda: store.remember(None, []), store.state):
        with pytest.raises(ReportStoreError, match=r"(?s)cannot .*file/ob.*report_path, or \[oceanbase\] report_path"):
            action()


def test_a_folder_that_may_not_be_written_is_named_with_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.mkdir", refuse)  # root may write everywhere
    store = ReportStore(str(tmp_path), "ob")
    with pytest.raises(ReportStoreError, match="Permission denied") as caught:
        store.keep(report(), {})
    assert f"cannot write to {tmp_path}/ob/reports" in str(caught.value)
    assert "report_path" in str(caught.value)


def test_a_file_system_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportStoreError, match=r"cannot read s3://.*Install s3fs"):
        ReportStore("s3://bucket/reports", "ob").state()


def test_a_folder_below_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = ReportStore("~/kept", "ob")
    store.keep(report(), {})
    store.remember(MEMORY, [SAMPLE])
    assert store.state() == (MEMORY, [SAMPLE])
    assert (tmp_path / "kept" / "ob" / "latest.json").exists()


@pytest.mark.parametrize("base", ["nosuch://bucket/x", "C:/reports"])
def test_an_unknown_kind_of_place_is_refused_at_once(base: str) -> None:
    with pytest.raises(ValueError, match=f"report_path '{base}' is no path or URL that Airflow knows"):
        ReportStore(base, "ob")


@pytest.mark.parametrize("conn_id", ["", ".", "..", "a/b", "../up", "a b", "a\n", "{{ x }}"])
def test_a_connection_id_that_can_be_no_folder_is_refused(conn_id: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"oceanbase_conn_id .* may hold letters"):
        ReportStore(str(tmp_path), conn_id)


# --- the ledger of recoveries ---------------------------------------------------------------------------------------


def test_a_ledger_is_empty_at_first_and_keeps_what_is_entered(base: str) -> None:
    store = ReportStore(base, "ob")
    assert store.recoveries() == []
    store.enter({"run": "one", "verdict": "NOT RESTORABLE"})
    store.enter({"run": "two", "verdict": "restorable again"})
    assert [entry["run"] for entry in store.recoveries()] == ["one", "two"]


def test_a_run_that_is_told_of_again_replaces_its_entry(base: str) -> None:
    store = ReportStore(base, "ob")
    store.enter({"run": "one", "verdict": "NOT RESTORABLE"})
    store.enter({"run": "one", "verdict": "restorable again"})
    assert store.recoveries() == [{"run": "one", "verdict": "restorable again"}]


@pytest.mark.parametrize("content", ["{", '{"run": "one"}'])
def test_a_ledger_that_cannot_be_read_is_not_written_over(base: str, content: str) -> None:
    store = ReportStore(base, "ob")
    path = store.folder / "recoveries.json"
    store.folder.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    with pytest.raises(ReportStoreError):
        store.enter({"run": "two"})
    assert path.read_text() == content
