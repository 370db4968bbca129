"""The report of a run that restarts log backup, and its entry in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_ob_provider.tables import table as markdown_table

RESTORED = "restorable again"
NOT_RESTORED = "NOT RESTORABLE"
NOTHING = "nothing to do"
PLANNED = "planned only"

STEPS = ("diagnose", "plan", "force", "stop", "destination", "start", "doing", "backup", "archived", "left", "check")
_EVIDENCE = 3


def recovery_report(conn_id: str, results: Mapping[str, Any], *, run: str, kind: str, dry_run: bool) -> dict[str, Any]:
    """What a run has done, and whether the cluster's tenants can be restored up to now again.

    Restorable again means: a last look at the server finds nothing left to do for any of them, and no step has failed.

    :param results: results of the tasks by the names of :data:`STEPS`, also of those that failed; ``approved`` and
        ``force_approved`` of the approvals. ``windows`` is what
        :func:`~airflow_ob_provider.compliance.restorable.restorable` has found for the new sets.
    :param run: what names the run in the ledger.
    :param kind: ``recovery`` or ``move``.
    :return: plain JSON: ``verdict``, ``markdown``, ``statements``, ``entry`` for the ledger (None where nothing was
        done).
    """
    found = {step: results.get(step) or {} for step in STEPS}
    first, plan, left = found["diagnose"], found["plan"], found["left"]
    statements = [text for step in STEPS for text in found[step].get("statements") or ()]
    failed = {name: f"{step}: {why}" for step in STEPS for name, why in (found[step].get("failed") or {}).items()}
    unknown = {**(first.get("unknown") or {}), **(left.get("unknown") or {})}
    if first and first.get("is_done") and not statements:
        verdict = NOTHING
    elif dry_run and first:
        verdict = PLANNED
    else:
        verdict = RESTORED if left.get("is_done") and not failed and not unknown else NOT_RESTORED
    rows = [_row(name, one, left, failed, unknown) for name, one in (first.get("tenants") or {}).items()]
    done = plan or first
    parts = [f"## {conn_id}: {verdict}"]
    if rows:
        parts.append(markdown_table(rows, headers="keys", disable_numparse=True))
    parts.append("Sent and seen to take effect: " + ("; ".join(f"`{one}`" for one in statements) or "nothing"))
    for who, word in (("approved", "Approved"), ("force_approved", "Stop by force approved")):
        if by := approver(results.get(who)):
            parts.append(f"{word} by {by}.")
    if check := found["check"]:
        parts.append(f"Compliance: {check['verdict']}. {check['summary']['en']}")
    if verdict == NOT_RESTORED:
        parts.append("Run it again when the cause is removed: it goes on from the state that is then.")
    entry = {
        "run": run,
        "kind": kind,
        "connection": conn_id,
        "began": first.get("read_at"),
        "ended": left.get("read_at"),
        "verdict": verdict,
        "approved_by": approver(results.get("approved")),
        "force_approved_by": approver(results.get("force_approved")),
        "statements": statements,
        "tenants": {name: _entry(one, name, results) for name, one in (done.get("tenants") or {}).items()},
    }
    touched = bool(statements) or bool(found["backup"])
    return {
        "verdict": verdict,
        "markdown": "\n\n".join(parts),
        "statements": statements,
        "entry": entry if touched else None,
    }


def approver(answer: Any) -> str:
    """Who has answered an approval; '' where nobody was asked."""
    who = (answer or {}).get("responded_by_user") if isinstance(answer, Mapping) else None
    if isinstance(who, Mapping):
        return str(who.get("name") or who.get("id") or "somebody")
    return str(who or "")


def _row(
    name: str, one: Mapping[str, Any], left: Mapping[str, Any], failed: Mapping[str, str], unknown: Mapping[str, str]
) -> dict[str, str]:
    now = (left.get("tenants") or {}).get(name) or {}
    reason = failed.get(name) or unknown.get(name) or ""
    if not reason and now.get("steps"):
        reason = f"left to do: {', '.join(now['steps'])}"
    return {
        "": name,
        "was": f"{one['status']} (round {one['round']})",
        "class": one["class"],
        "is": f"{now['status']} (round {now['round']})" if now else "not read",
        "not restorable from": str((one.get("gap") or {}).get("from") or ""),
        "reason": reason,
    }


def _entry(one: Mapping[str, Any], name: str, results: Mapping[str, Any]) -> dict[str, Any]:
    """One tenant, or the cluster: what broke, and the hole with its bounds."""
    windows, sets = results.get("windows") or {}, (results.get("backup") or {}).get("sets") or {}
    after = ((results.get("left") or {}).get("tenants") or {}).get(name) or {}
    tenants = one.get("tenants") or [name]
    ends = {tenant: windows[tenant].get("from") for tenant in tenants if tenant in windows}
    return {
        "state": one["state"],
        "class": one["class"],
        "evidence": list(one["evidence"])[:_EVIDENCE],
        "round": one["round"],
        "new_round": after.get("round"),
        "gap": {"from": (one.get("gap") or {}).get("from"), "to": ends} if one.get("gap") else None,
        "sets": {tenant: sets[tenant] for tenant in tenants if tenant in sets},
        "left": list(after.get("steps") or ()),
    }
