"""The report of a run of the log backup DAG: one cluster, and all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabulate import tabulate

PROVEN = "proven"
NOT_PROVEN = "NOT PROVEN"
DRY_RUN = "dry run"

_STEPS = ("prerequisites", "destination", "option", "freeze", "start", "doing", "pieces", "checkpoint")
_FROZEN = {True: "on disk", False: "not on disk in time; gone on without it", None: "frozen, not waited for"}
_PROVES = (
    "Proven by the server's catalog: every tenant's logs up to the proven moment are archived in one unbroken round. "
    "Not proven: that the files can be read back (only a restore does), and nothing can be restored before a full data "
    "backup inside this round."
)


def cluster_report(
    conn_id: str, results: Mapping[str, Any], now: Mapping[str, Any] | None, *, dry_run: bool
) -> dict[str, Any]:
    """What happened to one cluster.

    Proven means: every tenant was DOING, its pieces were usable and its logs up to a moment are archived, all in one
    and the same round. A cluster without user tenants archives nothing, so it proves nothing.

    :param results: results of the tasks by name; None where a task failed, was skipped or did not run.
    :param now: the state at the moment of the report, from
        :func:`~airflow_ob_provider.operators.archivelog.present_state`; None where it could not be read.
    :return: plain JSON: ``verdict``, ``markdown``, ``statements``, ``steps`` (each in words), ``row`` for
        :func:`fleet_report`, ``asset_extra``.
    """
    found = {step: results.get(step) or {} for step in _STEPS}
    proof, start = found["checkpoint"], found["start"]
    rounds = {found[step].get("round") for step in ("doing", "pieces", "checkpoint")}
    proven = (
        bool(proof.get("checkpoint"))
        and proof.get("states") == ["DOING"]
        and len(rounds) == 1
        and bool(found["doing"].get("tenants_doing"))
        and bool(found["prerequisites"].get("passed"))
        and bool(start.get("running"))
        # What was proven must hold still: somebody may have cleared old tasks, or the stream may have broken since.
        and now is not None
        and now.get("state") == "DOING"
        and {now.get("round")} == rounds
    )
    # A round that runs is verified in a dry run as well, and may fail there.
    verdict = PROVEN if proven else DRY_RUN if dry_run and start and not start.get("running") else NOT_PROVEN
    who = found["prerequisites"].get("identity") or {}
    lines = [(step, _line(step, found[step], dry_run=dry_run)) for step in _STEPS]
    statements = [text for step in _STEPS for text in found[step].get("statements") or found[step].get("plan") or ()]
    failing = [finding for finding in found["prerequisites"].get("findings", ()) if finding["level"] != "OK"]
    parts = [
        f"## {conn_id}: {verdict}",
        f"OceanBase {who.get('version', 'unknown')}, cluster {who.get('cluster') or 'unknown'}",
        tabulate(lines, headers=("step", "result"), tablefmt="github"),
    ]
    if failing:
        rows = [(item["level"], item["check"], item["observed"], item["hint"]) for item in failing]
        parts.append(tabulate(rows, headers=("level", "check", "observed", "what to do"), tablefmt="github"))
    present = f"{now['state']}, round {now['round']}" if now else "the state could not be read"
    parts.append(f"At the time of this report: {present}.")
    title = "Would be sent" if dry_run else "Sent by the tasks that succeeded"
    parts.append(
        f"{title}: " + ("; ".join(f"`{text}`" for text in statements) if statements else "nothing that writes")
    )
    if verdict == NOT_PROVEN:
        parts.append("A task that failed may have sent more: search `gv$sql_audit` for `airflow-ob-provider`.")
    if proven:
        parts.append(_PROVES)
    return {
        "verdict": verdict,
        "markdown": "\n\n".join(parts),
        "statements": statements,
        "steps": dict(lines),
        "row": {
            "connection": conn_id,
            "verdict": verdict,
            "version": who.get("version") or "",
            "round": now["round"] if now else "",
            "state": now["state"] if now else "unknown",
            "started": proof.get("started") or start.get("started") or "",
            "checkpoint": proof.get("checkpoint") or "",
        },
        "asset_extra": {
            "round": proof.get("round"),
            "started": proof.get("started"),
            "checkpoint": proof.get("checkpoint"),
            "cluster": who.get("cluster"),
            "version": who.get("version"),
        },
    }


def fleet_report(
    conn_ids: Sequence[str], reports: Iterable[Mapping[str, Any] | None], *, dry_run: bool
) -> dict[str, Any]:
    """All clusters in one table. A cluster that gave no report is not proven.

    :return: plain JSON: ``verdict`` (the worst), ``markdown``, ``clusters``.
    """
    rows = {report["row"]["connection"]: dict(report["row"]) for report in reports if report}
    for conn_id in conn_ids:
        rows.setdefault(conn_id, {"connection": conn_id, "verdict": NOT_PROVEN, "state": "no report"})
    verdicts = {row["verdict"] for row in rows.values()}
    good = {PROVEN, DRY_RUN} if dry_run else {PROVEN}
    worst = NOT_PROVEN if verdicts - good or not rows else DRY_RUN if dry_run else PROVEN
    count = sum(row["verdict"] == PROVEN for row in rows.values())
    table = tabulate(list(rows.values()), headers="keys", tablefmt="github", disable_numparse=True)
    markdown = f"# Log backup: {count} of {len(rows)} clusters proven\n\n{table}"
    return {"verdict": worst, "markdown": markdown, "clusters": list(rows.values())}


def _line(step: str, result: Mapping[str, Any], *, dry_run: bool) -> str:
    if not result:
        return "no result: it was skipped, failed or did not run; its log says which"
    if step == "prerequisites":
        levels = [finding["level"] for finding in result["findings"]]
        return ", ".join(
            f"{levels.count(level)} {level}" for level in ("OK", "WARN", "FAIL", "UNKNOWN") if level in levels
        )
    if step == "destination":
        return _changed(result, dry_run=dry_run) + (f": {result['destination']}" if result.get("destination") else "")
    if step == "option":
        return _changed(result, dry_run=dry_run) + (f": {result['after']}" if result.get("after") else "")
    if step == "freeze":
        return "would freeze" if result.get("dry_run") else _FROZEN[result.get("completed")]
    if step == "start":
        return f"{_changed(result, dry_run=dry_run)}: {result['state']}, round {result['round']}"
    if step == "doing":
        return f"{' '.join(result['states'])}, round {result['round']}, {result['tenants_doing']} user tenants"
    if step == "pieces":
        newest = result["newest"][0] if result["newest"] else {}
        words = f"{newest.get('status')}/{newest.get('file_status')}"
        return f"{result['pieces']} pieces of {result['tenants']} tenants, newest {words}"
    return f"everything before {result['after']} is archived (checkpoint {result['checkpoint']})"


def _changed(result: Mapping[str, Any], *, dry_run: bool) -> str:
    if dry_run:
        return "would change" if result.get("plan") else "nothing to change"
    return "changed" if result["changed"] else "left as it was"
