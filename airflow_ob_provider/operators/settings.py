"""Where log backup goes, and how: destination, mode, compression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.log import mask_secret

from airflow_ob_provider.arguments import check_flag
from airflow_ob_provider.exceptions import ArchiveStateError, NotVerifiedError, PrerequisitesNotMetError
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.destination import Destination, DestinationOption
from airflow_ob_provider.oceanbase.dialects import Dialect
from airflow_ob_provider.oceanbase.models import ArchiveSnapshot, ArchiveState, Setting
from airflow_ob_provider.oceanbase.options import KEEP, ArchiveMode, ArchiveOption, WantedOption, plan_option
from airflow_ob_provider.oceanbase.statements import Statement
from airflow_ob_provider.operators.base import OceanBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class SetBackupDestinationOperator(OceanBaseOperator):
    """Set where backups go (3.x: ``backup_dest`` and ``backup_dest_option``), on every server.

    Compares first: the same directory and host is left alone, whatever its keys, because the server refuses to set a
    destination again that it has used (9026). ``backup_dest`` is written only while log backup is STOP. The server does
    not look whether the directory exists or can be written; only a start proves that.

    :param destination: ``file:///dir``, ``oss://bucket/dir?host=…`` or ``cos://…``, without keys; None keeps
        the one that is set.
    :param destination_option: ``key=value`` joined by ``&``, without blanks, replacing the old one; None keeps it.
    :param dest_conn_id: connection with the keys of an object store: login is the access id, password the access key,
        host the endpoint. The keys reach the server and nothing else.
    :return: ``changed``, ``statements`` (redacted), ``destination`` (redacted), ``destination_option``.
    """

    template_fields: Sequence[str] = (
        *OceanBaseOperator.template_fields,
        "destination",
        "destination_option",
        "dest_conn_id",
    )

    def __init__(
        self,
        *,
        destination: str | None = None,
        destination_option: str | None = None,
        dest_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.destination_option = destination_option
        self.dest_conn_id = dest_conn_id

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Check, compare, write, read back."""
        self.check_arguments()
        wanted = wanted_destination(self.destination, self.dest_conn_id)
        option = DestinationOption.check(self.destination_option) if _given(self.destination_option) else None
        snapshot = self.read(_archive)
        place, place_option = self.read_settled(_destination), self.read_settled(_destination_option)
        steps: list[tuple[Statement, str]] = []
        if wanted and not _all_at(place, wanted):
            _must_be_stopped(snapshot, place, wanted)
            steps.append((self.read(lambda dialect: dialect.set_destination(wanted)), "destination"))
        if option and not _all_option(place_option, option):
            _must_not_switch_splitting(snapshot, place_option, option)
            steps.append((self.read(lambda dialect: dialect.set_destination_option(option)), "option"))
        if self.is_dry_run:
            return self.planned([str(statement) for statement, _ in steps])
        for statement, kind in steps:
            if kind == "destination" and wanted:
                place = self.write(statement, _destination, lambda found: _all_at(found, wanted))
            elif option:
                place_option = self.write(statement, _destination_option, lambda found: _all_option(found, option))
        return {
            "changed": bool(steps),
            "statements": [str(statement) for statement, _ in steps],
            "destination": str(Destination.parse(place.agreed)) if place.agreed else "",
            "destination_option": place_option.agreed or "",
        }


class SetArchiveOptionOperator(OceanBaseOperator):
    """Set mode and compression of log backup (3.x: ``backup_log_archive_option``), on every server.

    Both are always sent together, because an attribute left out of the stored text is lost at the next restart.
    Dynamic, also while log backup runs. **Mandatory mode blocks user writes when archiving cannot keep up; Optional
    mode lets logs be recycled unarchived, which breaks the stream.** A retry is safe.

    :param mode: ``optional``, ``mandatory`` or ``keep``.
    :param compression: ``enable`` (lz4_1.0), ``disable``, ``lz4_1.0``, ``zstd_1.3.8`` or ``keep``.
    :param allow_mandatory: False refuses to switch to mandatory mode, for instance before somebody has approved it.
    :return: ``changed``, ``statements``, ``before``, ``after``.
    """

    template_fields: Sequence[str] = (*OceanBaseOperator.template_fields, "mode", "compression", "allow_mandatory")

    def __init__(
        self, *, mode: str = "keep", compression: str = "keep", allow_mandatory: bool | str = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.mode = mode
        self.compression = compression
        self.allow_mandatory = allow_mandatory

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Check, plan, write, read back."""
        self.check_arguments()
        wanted = WantedOption.check(self.mode, self.compression)
        setting = self.read_settled(_option)
        current = ArchiveOption.parse(setting.agreed or "")
        if setting.agreed is None:
            self.log.warning("The servers differ: %s", "; ".join(f"{place} {text!r}" for place, text in setting.values))
        rows = self.read(_archive).governing
        runs = not rows or any(row.state is not ArchiveState.STOP for row in rows)
        options = plan_option(current, wanted, round_runs=runs)
        mandatory = ArchiveMode.MANDATORY
        switches = current.mode is not mandatory and any(option.mode is mandatory for option in options)
        if switches and not self.is_dry_run and not check_flag(self.allow_mandatory, "allow_mandatory"):
            raise PrerequisitesNotMetError(
                f"switching {self.oceanbase_conn_id} to mandatory mode was not approved: users cannot write while "
                "archiving cannot keep up. Approve it and run again, or choose optional or keep"
            )
        statements = self.read(lambda dialect: [dialect.set_option(option) for option in options])
        if self.is_dry_run:
            return self.planned([str(statement) for statement in statements])
        for option, statement in zip(options, statements, strict=True):
            setting = self.write(statement, _option, lambda found, option=option: _all_set(found, option))  # type: ignore[misc]
        after = ArchiveOption.parse(setting.agreed or "")
        if wanted.differs_from(after):
            raise NotVerifiedError(f"the servers show {after} after setting {', '.join(map(str, options))}")
        return {
            "changed": bool(options),
            "statements": [str(statement) for statement in statements],
            "before": str(current),
            "after": str(after),
        }


def switches_mode(oceanbase_conn_id: str, mode: str) -> bool:
    """Whether setting ``mode`` would change this cluster.

    One that cannot be read counts as unchanged: it must not hold up the others, and ``allow_mandatory`` guards it.
    """
    wanted = WantedOption.check(mode, KEEP)
    try:
        with OceanBaseHook(oceanbase_conn_id=oceanbase_conn_id).session() as session:
            setting = session.dialect.option_setting()
    except (AirflowException, ValueError):
        return False
    return setting.agreed is None or wanted.differs_from(ArchiveOption.parse(setting.agreed))


def wanted_destination(uri: str | None, dest_conn_id: str | None) -> Destination | None:
    """The destination a user asks for, its keys from their connection and registered with the log masker.

    :raises ValueError: it is not legal, or holds its keys in the open.
    """
    if not uri or not _given(uri):
        return None
    destination = Destination.parse(uri.strip())
    if destination.secrets:
        raise ValueError(
            "destination holds access_id or access_key; arguments of a task are shown in the UI. Put them into a "
            "connection (login, password) and give its id as dest_conn_id"
        )
    if dest_conn_id and _given(dest_conn_id):
        destination = _with_keys(destination, dest_conn_id)
    problem = destination.problem()
    if problem:
        raise ValueError(f"destination {destination}: {problem}")
    return destination


def _with_keys(destination: Destination, conn_id: str) -> Destination:
    """A function of its own: error trackers show the variables of the frames that an error has passed."""
    keys = BaseHook.get_connection(conn_id)
    destination = destination.with_secrets(keys.login or "", keys.password or "", keys.host)
    for value in destination.secret_values:
        mask_secret(value)
    return destination


def _given(value: str | None) -> bool:
    """Whether an argument was given; an empty field of a form arrives as '' or, rendered, as 'None'."""
    return bool(value and value.strip() and value.strip() != "None")


def _all_at(setting: Setting, wanted: Destination) -> bool:
    return bool(setting.values) and all(
        value and Destination.parse(value).same_place(wanted) for _, value in setting.values
    )


def _all_option(setting: Setting, wanted: DestinationOption) -> bool:
    return bool(setting.values) and all(DestinationOption.parse(value).same_as(wanted) for _, value in setting.values)


def _all_set(setting: Setting, wanted: ArchiveOption) -> bool:
    return bool(setting.values) and all(ArchiveOption.parse(value) == wanted for _, value in setting.values)


def _must_be_stopped(snapshot: ArchiveSnapshot, place: Setting, wanted: Destination) -> None:
    running = [row for row in snapshot.governing if row.state is not ArchiveState.STOP]
    if running or not snapshot.governing:
        state = ", ".join(f"{row.status} (round {row.round_id})" for row in running) or "unknown"
        now = str(Destination.parse(place.agreed)) if place.agreed else "not the same on all servers"
        raise ArchiveStateError(
            f"the destination is {now} and log backup is {state}; {wanted} can be set only in STOP (9036). Stop log "
            "backup (a gap: take a full data backup afterwards), or keep the destination."
        )


def _must_not_switch_splitting(snapshot: ArchiveSnapshot, place: Setting, wanted: DestinationOption) -> None:
    running = not snapshot.governing or any(row.state is not ArchiveState.STOP for row in snapshot.governing)
    if running and DestinationOption.parse(place.agreed or "").splits != wanted.splits:
        raise ArchiveStateError(
            "log_archive_piece_switch_interval cannot be switched on or off while log backup runs (1235); keep it as "
            f"it is (now: {place.agreed or 'no option'}), or stop log backup first"
        )


def _archive(dialect: Dialect) -> ArchiveSnapshot:
    return dialect.archive()


def _option(dialect: Dialect) -> Setting:
    return dialect.option_setting()


def _destination(dialect: Dialect) -> Setting:
    return dialect.destination_setting()


def _destination_option(dialect: Dialect) -> Setting:
    return dialect.destination_option_setting()
