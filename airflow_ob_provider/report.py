"""The report of a run of the log backup DAG: one cluster, and all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_ob_provider.oceanbase.words import few
from airflow_ob_provider.tables import table as markdown_table

PROVEN = "proven"
NOT_PROVEN = "NOT PROVEN"
DRY_RUN = "dry run"

_STEPS = ("prerequisites", "destination", "option", "freeze", "start", "doing", "pieces", "checkpoint")
_FROZEN = {True: "on disk", False: "not on disk in time; gone on without it", None: "frozen, not waited for"}
_MAX_TENANTS = 50
_PROVES = (
    "Proven by the server's catalog: the logs of every tenant in scope up to the proven moment are archived in one "
    "unbroken round. Not proven: that the files can be read back (only a restore does), and nothing can be restored "
    "before a full data backup inside this round."
)


def cluster_report(
    conn_id: str, results: Mapping[str, Any], now: Mapping[str, Any] | None, *, dry_run: bool
) -> dict[str, Any]:
    """What happened to one cluster.

    Proven means: every tenant was DOING, its pieces were usable and its logs up to a moment are archived, all in one
    and the same round. A cluster without user tenants archives nothing, so it proves nothing; nor does one of whose
    tenants (4.x) one has failed or is not in the proof.

    :param results: results of the tasks by name, also of those that failed; None where a task was skipped, did not run
        or failed without a result.
    :param now: the state at the moment of the report, from
        :func:`~airflow_ob_provider.operators.archivelog.present_state`; None where it could not be read.
    :return: plain JSON: ``verdict``, ``markdown``, ``statements``, ``steps`` (each in words), ``row`` for
        :func:`fleet_report`, ``tenants`` (4.x: one row each), ``asset_extra``.
    """
    found = {step: results.get(step) or {} for step in _STEPS}
    proof, start = found["checkpoint"], found["start"]
    tenants = _tenants(found, now)
    failed = [(step, name, why) for step in _STEPS for name, why in (found[step].get("failed") or {}).items()]
    proven = (
        bool(found["prerequisites"].get("passed"))
        and not failed
        and bool(found["doing"].get("tenants_doing"))
        and _has_proof(found)
        and bool(start.get("running"))
        # What was proven must hold still: somebody may have cleared old tasks, or the stream may have broken since.
        and now is not None
        and set(now["states"].values()) == {"DOING"}
        and now["rounds"] == proof["rounds"]
        and all(row["verdict"] == PROVEN for row in tenants)
    )
    # A round that runs is verified in a dry run as well, and may fail there.
    dry = dry_run and bool(start) and not start.get("running") and not failed
    verdict = PROVEN if proven else DRY_RUN if dry else NOT_PROVEN
    who = found["prerequisites"].get("identity") or {}
    lines = [(step, _line(step, found[step], dry_run=dry_run)) for step in _STEPS]
    statements = [text for step in _STEPS for text in found[step].get("statements") or found[step].get("plan") or ()]
    failing = [finding for finding in found["prerequisites"].get("findings", ()) if finding["level"] != "OK"]
    parts = [
        f"## {conn_id}: {verdict}",
        f"OceanBase {who.get('version', 'unknown')}, cluster {who.get('cluster') or 'unknown'}",
        markdown_table(lines, headers=("step", "result")),
    ]
    if failing:
        rows = [(item["level"], item["check"], item["observed"], item["hint"]) for item in failing]
        parts.append(markdown_table(rows, headers=("level", "check", "observed", "what to do")))
    parts += _tenant_table(tenants)
    if failed and not tenants:
        parts.append("\n".join(f"* {step} failed. {why}" for step, _, why in failed))
    left_out = [name for name in start.get("out_of_scope") or [] if name not in {name for _, name, _ in failed}]
    if left_out:
        parts.append(
            f"Not archived by this run, because not asked for or not NORMAL: {few(left_out)}. OceanBase 4.x archives "
            "no tenant by itself."
        )
    present = f"{now['state']}, round {_rounds(now)}" if now else "the state could not be read"
    parts.append(f"At the time of this report: {present}.")
    title = "Would be sent" if dry_run else "Sent and seen to take effect"
    parts.append(
        f"{title}: " + ("; ".join(f"`{text}`" for text in statements) if statements else "nothing that writes")
    )
    if verdict == NOT_PROVEN:
        parts.append(
            "A task that failed without a result may have sent more: search `gv$sql_audit` for `airflow-ob-provider`."
        )
    if proven:
        parts.append(_PROVES)
    return {
        "verdict": verdict,
        "markdown": "\n\n".join(parts),
        "statements": statements,
        "steps": dict(lines),
        "tenants": tenants,
        "row": {
            "connection": conn_id,
            "verdict": verdict,
            "version": who.get("version") or "",
            "tenants": _count(tenants, found["doing"], left_out),
            "round": _rounds(now) if now else "",
            "state": now["state"] if now else "unknown",
            "started": proof.get("started") or start.get("started") or "",
            "checkpoint": proof.get("checkpoint") or "",
        },
        "asset_extra": {
            "round": proof.get("round"),
            "rounds": proof.get("rounds"),
            "started": proof.get("started"),
            "checkpoint": proof.get("checkpoint"),
            "cluster": who.get("cluster"),
            "version": who.get("version"),
        },
    }


def _has_proof(found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the three checks have looked at one and the same round of the same tenants."""
    proof = found["checkpoint"]
    return (
        bool(proof.get("checkpoint"))
        and proof.get("states") == ["DOING"]
        and bool(proof.get("rounds"))
        and all(found[step].get("rounds") == proof["rounds"] for step in ("doing", "pieces"))
    )


def _tenants(found: Mapping[str, Mapping[str, Any]], now: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """4.x: one row a tenant, those that are not proven first; none where a cluster archives as a whole."""
    if not now or set(now["rounds"]) == {"cluster"}:
        return []
    failed: dict[str, str] = {}
    for step in _STEPS:
        for name, reason in (found[step].get("failed") or {}).items():
            failed.setdefault(name, f"{step}: {reason}")
    states, rounds = now["states"], now["rounds"]
    seen = [found[step].get("rounds") or {} for step in ("doing", "pieces", "checkpoint")]
    rows = []
    for name in sorted({*states, *failed, *seen[0], *(found["start"].get("tenants") or ())}):
        there = [number.get(name) for number in seen]
        good = None not in there and len(set(there)) == 1 and found["checkpoint"].get("states") == ["DOING"]
        state = states.get(name, "no NORMAL tenant of this name")
        holds = good and state == "DOING" and rounds.get(name) == there[0] and name not in failed
        reason = failed.get(name) or now["remarks"].get(name, "")
        if not holds and not reason:
            reason = "in no proof of this run"
            if good:
                reason = f"was proven in round {there[0]}, and has left it since"
            elif None not in there:
                reason = f"its round changed during this run: {', then '.join(str(number) for number in there)}"
        rows.append(
            {
                "tenant": name,
                "verdict": PROVEN if holds else NOT_PROVEN,
                "state": state,
                "round": rounds.get(name, ""),
                "checkpoint": now["checkpoints"].get(name) or "",
                "reason": reason,
            }
        )
    return sorted(rows, key=lambda row: (row["verdict"] == PROVEN, row["tenant"]))


def _tenant_table(tenants: Sequence[Mapping[str, Any]]) -> list[str]:
    if not tenants:
        return []
    shown = [dict(row) for row in tenants[:_MAX_TENANTS]]
    table = markdown_table(shown, headers="keys", disable_numparse=True)
    rest = tenants[_MAX_TENANTS:]
    more = f"\n\nand {len(rest)} more, {sum(row['verdict'] == PROVEN for row in rest)} of them proven" if rest else ""
    return [table + more]


def _count(tenants: Sequence[Mapping[str, Any]], doing: Mapping[str, Any], left_out: Sequence[str]) -> str:
    if tenants:
        more = f", {len(left_out)} left out" if left_out else ""
        return f"{sum(row['verdict'] == PROVEN for row in tenants)} of {len(tenants)}{more}"
    return str(doing.get("tenants_doing", ""))


def _rounds(result: Mapping[str, Any]) -> int | str:
    """One number, or from the lowest to the highest where tenants count for themselves."""
    numbers = sorted(set(result["rounds"].values()))
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else numbers[0] if numbers else 0


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
    table = markdown_table(list(rows.values()), headers="keys", disable_numparse=True)
    markdown = f"# Log backup: {count} of {len(rows)} clusters proven\n\n{table}"
    return {"verdict": worst, "markdown": markdown, "clusters": list(rows.values())}


def _line(step: str, result: Mapping[str, Any], *, dry_run: bool) -> str:
    if not result:
        return "no result: it was skipped, failed or did not run; its log says which"
    if set(result) == {"failed"}:
        return _failures(result).removeprefix("; ")
    if step == "prerequisites":
        levels = [finding["level"] for finding in result["findings"]]
        counts = [f"{levels.count(level)} {level}" for level in ("OK", "WARN", "FAIL", "UNKNOWN") if level in levels]
        return ", ".join(counts) + _failures(result)
    if step in {"destination", "option"}:
        return _changed(result, dry_run=dry_run) + _settings(result.get("after") or {}) + _failures(result)
    if step == "freeze":
        return "would freeze" if result.get("dry_run") else _FROZEN[result.get("completed")]
    if step == "start":
        number = _rounds(result)
        which = f", round {number}" if number else ""
        return f"{_changed(result, dry_run=dry_run)}: {result['state']}{which}{_failures(result)}"
    if step == "doing":
        words = f"{' '.join(result['states'])}, round {_rounds(result)}, {result['tenants_doing']} user tenants"
        return words + _failures(result)
    if step == "pieces":
        newest = result["newest"][0] if result["newest"] else {}
        words = f"{newest.get('status')}/{newest.get('file_status')}"
        return f"{result['pieces']} pieces of {result['tenants']} tenants, newest {words}{_failures(result)}"
    return f"everything before {result['after']} is archived (checkpoint {result['checkpoint']}){_failures(result)}"


def _settings(after: Mapping[str, str]) -> str:
    if list(after) == ["cluster"]:
        return f": {after['cluster']}"
    return ": " + few([f"{name} {text}" for name, text in after.items()], "; ") if after else ""


def _failures(result: Mapping[str, Any]) -> str:
    failed = result.get("failed") or {}
    return f"; FAILED for {few(list(failed))}" if failed else ""


def _changed(result: Mapping[str, Any], *, dry_run: bool) -> str:
    if dry_run:
        return "would change" if result.get("plan") else "nothing to change"
    return "changed" if result["changed"] else "left as it was"
