"""One check of one cluster: read, judge, write the report. It never alters anything on the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath

from airflow_ob_provider.exceptions import OceanBaseServerError
from airflow_ob_provider.oceanbase.compliance.document import document, unreachable
from airflow_ob_provider.oceanbase.compliance.judge import judge
from airflow_ob_provider.oceanbase.compliance.memory import Memory, sample, with_sample
from airflow_ob_provider.oceanbase.compliance.policy import Policy, PolicyError
from airflow_ob_provider.oceanbase.dialects import detect_version, dialect_for
from airflow_ob_provider.oceanbase.evidence import Recorder
from airflow_ob_provider.oceanbase.models import Level
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.reports import html, markdown

if TYPE_CHECKING:
    from airflow_ob_provider.compliance.store import ReportStore
    from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
    from airflow_ob_provider.oceanbase.catalog import BackupCatalog

_LONG = 1000
"""Characters of an error that a report shows."""


@dataclass(frozen=True)
class Check:
    """What a check has made."""

    report: Mapping[str, Any]
    error: Exception | None = None
    """Why the cluster could not be read at all."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Where the report was written, by kind of file."""

    @property
    def verdict(self) -> Level:
        """The worst that was found."""
        return Level(self.report["verdict"])


def read_policy(place: str) -> Policy:
    """The policy of a YAML file.

    :param place: a path or URL of any file system that Airflow can reach.
    :raises PolicyError: it cannot be read, or is not legal.
    """
    try:
        text = ObjectStoragePath(place).read_text(encoding="utf-8")
    except (OSError, ImportError, ValueError) as error:
        raise PolicyError(f"policy_file {place!r} cannot be read: {error}") from None
    return Policy.parse(text)


def read(hook: OceanBaseHook) -> tuple[BackupCatalog, Recorder]:
    """The backup catalog, and what was asked for it.

    :raises OceanBaseServerError: it cannot be read.
    :raises ValueError: the server is not an OceanBase that is known, or the connection is not legal.
    """
    with hook.session() as session:
        recorder = Recorder(session.query)
        dialect = dialect_for(detect_version(recorder), recorder)
        return dialect.backup_catalog(), recorder


def check(
    hook: OceanBaseHook,
    policy: Policy,
    store: ReportStore | None = None,
    *,
    is_last_try: bool = True,
    run: Mapping[str, Any] | None = None,
) -> Check:
    """Check a cluster. A cluster that cannot be read is UNKNOWN, with a report that says why.

    :param store: where the last check is remembered and the report goes; None: a first check, not kept.
    :param run: the task instance that makes it: ``dag_id``, ``run_id``, ``task_id``, ``map_index``; it stands in the
        report, and who may read the DAG may see the report.
    :param is_last_try: nobody tries again after this; otherwise an error that may pass is raised, and nothing is kept.
    :raises OceanBaseTransientError: the cluster could not be read, and another try may help.
    :raises ReportStoreError: the store cannot be read or written.
    """
    memory, samples = store.state() if store else (None, [])
    connection = hook.get_conn_id()
    try:
        catalog, recorder = read(hook)
    except (OceanBaseServerError, ValueError) as error:
        if isinstance(error, OceanBaseServerError) and error.is_transient and not is_last_try:
            raise
        now = datetime.now(UTC)  # the only clock there is when the server does not answer
        report = unreachable(connection, policy, _short(redact(_why(error))), now, memory=memory, samples=samples)
        samples = with_sample(samples, report["lag_history"]["samples"][-1])
        return _kept(Check(report | {"run": run}, error), store, memory, samples)
    judgement = judge(catalog, policy, memory)
    samples = with_sample(samples, sample(catalog, policy, judgement.verdict))
    report = document(
        connection, catalog, policy, judgement, memory=memory, samples=samples, evidence=recorder.to_json()
    )
    return _kept(Check(report | {"run": run}), store, Memory.of(catalog, memory), samples)


def _short(text: str) -> str:
    """What is said first and last: a server quotes any length, and the alarm has this text four times over."""
    return text if len(text) <= _LONG else f"{text[: _LONG - 310]} … {text[-300:]}"


def _why(error: OceanBaseServerError | ValueError) -> str:
    """What happened and what to do, without the statement: it fills a screen, and an alarm is read on a telephone."""
    if not isinstance(error, OceanBaseServerError):
        return str(error)
    place = f" on {error.where}" if error.where else ""
    return f"[{error.errno}] {error.message}{place}: {error.fact.meaning}. {error.hint}"


def _kept(made: Check, store: ReportStore | None, memory: Memory | None, samples: list[dict[str, Any]]) -> Check:
    if store is None:
        return made
    texts = {
        "md": markdown(made.report),
        "en.html": html(made.report, "en"),
        "zh.html": html(made.report, "zh"),
    }
    files = store.keep(made.report, texts)
    store.remember(memory, samples)
    return Check(made.report, made.error, files)
