"""What `mutmut run` has found: a table by module, every survivor in mutants/survivors.txt, and whether it is enough."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

MUTANTS = Path("mutants")
PACKAGE = "airflow_ob_provider/oceanbase/"
NOTICED = ("killed", "timeout")
UNTRIED = ("not checked", "check was interrupted by user")


def outcomes() -> dict[str, dict[str, str]]:
    """By source file: what became of each mutant."""
    found = {}
    for meta in sorted(MUTANTS.rglob("*.py.meta")):
        codes = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
        if codes:
            found[str(meta.relative_to(MUTANTS)).removesuffix(".meta")] = {
                name: status_by_exit_code[code] for name, code in codes.items()
            }
    return found


def changed_lines(source: str, name: str) -> list[str]:
    diff = get_diff_for_mutant(name, path=Path(source)).splitlines()
    return [line for line in diff if line[:1] in {"+", "-"} and not line.startswith(("+++", "---"))]


def main() -> int:
    least = float(sys.argv[1])
    found = outcomes()
    table = {source.removeprefix(PACKAGE): Counter(results.values()) for source, results in found.items()}
    table["all"] = sum(table.values(), Counter())
    lines = [f"{'module':<26}{'mutants':>9}{'killed':>9}{'timeout':>9}{'survived':>10}{'score':>8}"]
    for module, counts in table.items():
        total, noticed = counts.total(), sum(counts[status] for status in NOTICED)
        numbers = f"{total:>9}{counts['killed']:>9}{counts['timeout']:>9}{total - noticed:>10}"
        lines.append(f"{module:<26}{numbers}{100 * noticed / max(total, 1):>7.1f}%")

    survivors = MUTANTS / "survivors.txt"
    with survivors.open("w", encoding="utf-8") as out:
        for source, results in found.items():
            for name, status in results.items():
                if status not in (*NOTICED, *UNTRIED):
                    out.write("\n  ".join([f"{name}: {status}", *changed_lines(source, name)]) + "\n")

    everything = table["all"]
    unfinished = sum(everything[status] for status in UNTRIED)
    score = 100 * sum(everything[status] for status in NOTICED) / max(everything.total(), 1)
    if unfinished:
        lines.append(f"{unfinished} mutants have not been tried (they count as survivors): make mutation RESUME=1")
    lines.append(f"{score:.1f} % noticed, {least:g} % wanted; each survivor is in {survivors}")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(unfinished > 0 or score < least)


if __name__ == "__main__":
    sys.exit(main())
