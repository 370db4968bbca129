"""The report of a run of the data backup DAG: one cluster, and all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_ob_provider.oceanbase.words import few
from airflow_ob_provider.tables import table as markdown_table

RESTORABLE = "restorable"
NOT_RESTORABLE = "NOT RESTORABLE"
NOT_NEEDED = "not needed"
DRY_RUN = "dry run"
_STEPS = ("doing", "proof", "destination", "backup", "archived", "windows")
_MAX_TENANTS = 50
_PROVES = (
    "By the server's catalog: each of these tenants has a usable set of this backup, and log backup has passed its "
    "restore point without a hole. Not proven: that the files can be read back; only a restore does."
)


def backup_report(conn_id: str, results: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """What has become of a data backup of one cluster.

    Restorable means: every tenant that was to be backed up lies in a window of the catalog that holds the restore point
    of its new set. One tenant that does not, makes the whole cluster not restorable.

    :param results: results of the tasks by name, also of those that failed; None where a task was skipped, did not run
        or failed without a result. ``needed`` is [] where no tenant needs one; ``windows`` is what
        :func:`~airflow_ob_provider.compliance.restorable.restorable` has found.
    :return: plain JSON: ``verdict``, ``markdown``, ``row`` for :func:`backup_fleet`, ``tenants``, ``asset_extra``.
    """
    found = {step: results.get(step) or {} for step in _STEPS}
    backup, windows = found["backup"], found["windows"]
    tenants = _tenants(found, windows)
    failed = [row["tenant"] for row in tenants if row["verdict"] != RESTORABLE]
    is_needed = results.get("needed") != []
    if not is_needed:
        verdict = NOT_NEEDED
    elif dry_run and backup.get("dry_run") and not failed:
        verdict = DRY_RUN
    else:
        verdict = RESTORABLE if tenants and not failed else NOT_RESTORABLE
    parts = [f"## {conn_id}: {verdict}"]
    if not is_needed:
        parts.append("Every tenant can be restored up to now with a data backup that exists.")
    if tenants:
        shown = markdown_table(tenants[:_MAX_TENANTS], headers="keys", disable_numparse=True)
        rest = len(tenants) - _MAX_TENANTS
        parts.append(shown + (f"\n\nand {rest} more" if rest > 0 else ""))
    if backup.get("became_full"):
        parts.append(f"Asked for incremental, made full, as there was none to build on: {few(backup['became_full'])}.")
    if backup.get("attached"):
        parts.append(f"A data backup ran already (job {backup.get('job')}): this run has waited for it.")
    statements = [
        text
        for step in ("destination", "backup")
        for text in found[step].get("statements") or found[step].get("plan") or ()
    ]
    title = "Would be sent" if dry_run else "Sent and seen to take effect"
    parts.append(f"{title}: " + ("; ".join(f"`{text}`" for text in statements) or "nothing that writes"))
    if verdict == NOT_RESTORABLE and not backup:
        parts.append("No data backup was made; the log of the first task that failed says why.")
    if verdict == RESTORABLE:
        parts.append(_PROVES)
    return {
        "verdict": verdict,
        "markdown": "\n\n".join(parts),
        "tenants": tenants,
        "statements": statements,
        "row": {
            "connection": conn_id,
            "verdict": verdict,
            "job": backup.get("job") or "",
            "tenants": f"{len(tenants) - len(failed)} of {len(tenants)}" if tenants else "",
            "started": backup.get("started") or "",
            "ended": backup.get("ended") or "",
            "restorable until": min((row["until"] for row in tenants if row["until"]), default=""),
        },
        "asset_extra": {
            "kind": backup.get("kind"),
            "sets": backup.get("sets"),
            "windows": {name: one for name, one in windows.items() if one.get("restorable")},
            "started": backup.get("started"),
            "ended": backup.get("ended"),
        },
    }


def _tenants(found: Mapping[str, Mapping[str, Any]], windows: Mapping[str, Any]) -> list[dict[str, str]]:
    """One row a tenant, those that are not restorable first."""
    reasons: dict[str, str] = {}
    for step in _STEPS:
        for name, reason in (found[step].get("failed") or {}).items():
            reasons.setdefault(name, f"{step}: {reason}")
    sets, kinds = found["backup"].get("sets") or {}, found["backup"].get("kinds") or {}
    rows = []
    for name in sorted({*sets, *reasons}):
        window = windows.get(name) or {}
        good = bool(window.get("restorable")) and name not in reasons and name in sets
        why = (
            reasons.get(name) or window.get("reason") or "its window was not read: the log of an earlier task says why"
        )
        rows.append(
            {
                "tenant": name,
                "verdict": RESTORABLE if good else NOT_RESTORABLE,
                "set": str(sets.get(name, "")),
                "kind": str(kinds.get(name, "")),
                "from": str(window.get("from", "")),
                "until": str(window.get("until", "")),
                "reason": "" if good else why,
            }
        )
    return sorted(rows, key=lambda row: (row["verdict"] == RESTORABLE, row["tenant"]))


def backup_fleet(conn_ids: Sequence[str], reports: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """All clusters in one table. A cluster that gave no report is not restorable.

    :return: plain JSON: ``verdict`` (the worst), ``markdown``, ``clusters``.
    """
    rows = {report["row"]["connection"]: dict(report["row"]) for report in reports if report}
    for conn_id in conn_ids:
        rows.setdefault(conn_id, {"connection": conn_id, "verdict": NOT_RESTORABLE})
    verdicts = {row["verdict"] for row in rows.values()}
    order = (NOT_RESTORABLE, DRY_RUN, RESTORABLE, NOT_NEEDED)
    worst = next((word for word in order if word in verdicts), NOT_RESTORABLE)
    table = markdown_table(list(rows.values()), headers="keys", disable_numparse=True)
    count = sum(row["verdict"] == RESTORABLE for row in rows.values())
    markdown = f"# Data backup: {count} of {len(rows)} clusters with a new backup that can be restored\n\n{table}"
    return {"verdict": worst, "markdown": markdown, "clusters": list(rows.values())}
