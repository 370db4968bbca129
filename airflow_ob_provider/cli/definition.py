"""The commands, as Airflow reads them. It does so for every ``airflow …``, so nothing else is imported."""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

_ARGS = (
    Arg(("--conn-id",), required=True, help="The Airflow connection of the cluster (type OceanBase)"),
    Arg(("--policy-file",), help="A policy: path or URL of a YAML file"),
    Arg(
        ("--report-path",),
        help="A folder of reports: the last check there is compared with, and the new report written to it",
    ),
    Arg(("--language",), choices=("en", "zh"), default="en", help="Language of what is printed"),
    Arg(("--json",), action="store_true", help="Print JSON instead of tables"),
)
_EXIT = "Exit code: 0 OK, 1 WARN, 2 FAIL, 3 UNKNOWN."


def get_commands() -> list[CLICommand]:
    """The command group ``oceanbase``."""
    commands = (
        ("status", "Is log backup alive, and how late is it?"),
        ("check", "Judge log backup by all rules"),
        ("windows", "To what moments can each tenant be restored?"),
    )
    return [
        GroupCommand(
            name="oceanbase",
            help="Log backup of OceanBase",
            subcommands=(
                GroupCommand(
                    name="archive",
                    help="Check log backup (log archive); these commands only read",
                    subcommands=tuple(
                        ActionCommand(
                            name=name,
                            help=text,
                            description=f"{text} It only reads. {_EXIT}",
                            func=lazy_load_command(f"airflow_ob_provider.cli.archive.{name}"),
                            args=_ARGS,
                        )
                        for name, text in commands
                    ),
                ),
            ),
        )
    ]
