"""
``python -m airflow_ob_provider copy-dags``: put the template DAGs into a DAG folder.

Templates are copied, not imported, because a team changes them: its schedule, its tenants, its approvers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


class _NotCopiedError(Exception):
    """Nothing was copied, and this is why."""


def _template_folder() -> Path:
    """
    Return the folder of the templates: inside the wheel, or next to the package in a checkout.

    It is not called ``example_dags``: Airflow 3.3 loads such a folder as examples by itself, under the same DAG
    ids as a team's copies, and the id then belongs to whichever file was parsed last (measured on 3.3.2).
    """
    for folder in (_PACKAGE / "dag_templates", _PACKAGE.parent / "dags"):
        if folder.is_dir():
            return folder
    raise _NotCopiedError(f"The template DAGs are missing from this installation: no {_PACKAGE / 'dag_templates'}")


def _templates(folder: Path) -> Iterator[Path]:
    """Yield the templates, relative to their folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder)


def _dags_folder() -> Path:
    """Return the DAG folder that Airflow is configured with."""
    # Only here: importing Airflow takes seconds, and reads its configuration.
    from airflow.configuration import conf

    return Path(conf.get("core", "dags_folder"))


def copy_dags(destination: Path, *, force: bool) -> None:
    """
    Copy the template DAGs into ``destination`` and print one line a file.

    A file that is there and identical stays as it is. If any file is there and differs, nothing is copied at
    all, unless ``force`` is set.
    """
    folder = _template_folder()
    plan: list[tuple[str, Path, bytes]] = []
    for name in _templates(folder):
        content, target = (folder / name).read_bytes(), destination / name
        if not target.exists():
            plan.append(("created", target, content))
        elif target.is_file() and target.read_bytes() == content:
            plan.append(("unchanged", target, content))
        else:
            plan.append(("replaced", target, content))

    changed = [str(target) for action, target, _ in plan if action == "replaced"]
    if changed and not force:
        raise _NotCopiedError(
            "Nothing was copied. These files are there and differ from the templates:\n  "
            + "\n  ".join(changed)
            + "\nChoose another folder to compare them, or overwrite them with --force."
        )

    for action, target, content in plan:
        if action != "unchanged":
            target.parent.mkdir(parents=True, exist_ok=True)
            # In one step, so that Airflow's DAG processor never reads half a file.
            unfinished = target.with_name(f".{target.name}.unfinished")
            unfinished.write_bytes(content)
            os.replace(unfinished, target)
        print(f"{action:<9} {target}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_ob_provider", description="Airflow provider for OceanBase."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    copy = commands.add_parser("copy-dags", help="copy the template DAGs into a DAG folder")
    copy.add_argument(
        "destination",
        nargs="?",
        type=Path,
        metavar="DEST",
        help="folder to copy to (default: the DAG folder Airflow is configured with)",
    )
    copy.add_argument("--force", action="store_true", help="overwrite files that differ from the templates")
    arguments = parser.parse_args(argv)
    try:
        copy_dags(arguments.destination or _dags_folder(), force=arguments.force)
    except (_NotCopiedError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
