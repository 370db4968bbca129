"""Where log backup goes, and how: destination, mode, compression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.log import mask_secret

from airflow_ob_provider.arguments import check_flag
from airflow_ob_provider.exceptions import PrerequisitesNotMetError
from airflow_ob_provider.hooks.oceanbase import OceanBaseHook
from airflow_ob_provider.oceanbase.destination import (
    Destination,
    DestinationOption,
    Keys,
    WantedDestination,
    check_piece_switch_interval,
)
from airflow_ob_provider.oceanbase.options import WantedOption
from airflow_ob_provider.operators.tenantwise import TenantwiseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_ob_provider.oceanbase.changes import Change


class SetBackupDestinationOperator(TenantwiseOperator):
    """Set where log backup goes: on 3.x the cluster's ``backup_dest``, on 4.x each tenant's ``LOG_ARCHIVE_DEST``.

    Compares first: the same directory and host is left alone, whatever its keys. It is written only while log backup is
    STOP or has no round. 3.x refuses a destination that it has used before (9026) and does not look whether it can be
    written; only a start proves that. 4.x looks, from every OBServer, and each tenant needs an empty directory of its
    own; mode (BINDING) and piece interval stay as they are, ``Optional`` and one day where there was no destination.

    :param destination: ``file:///dir``, ``oss://bucket/dir?host=…``, ``cos://…``, 4.x also ``s3://…`` and
        ``azblob://…``, without keys. ``{cluster}``, and on 4.x ``{tenant}`` and ``{tenant_id}``, make a path for each.
        None keeps the one that is set.
    :param destination_option: 3.x: ``key=value`` joined by ``&``, without blanks, replacing the old one; None keeps it.
    :param piece_switch_interval: 4.x: ``1d`` to ``7d``; None keeps it.
    :param dest_conn_id: connection with the keys of an object store: login is the access id, password the access key,
        host the endpoint. The keys reach the server and nothing else.
    :return: ``changed``, ``statements`` (redacted), ``before`` and ``after`` (redacted, by tenant; 3.x:
        ``{"cluster": …}``), ``tenants`` and ``failed``.
    """

    template_fields: Sequence[str] = (
        *TenantwiseOperator.template_fields,
        "destination",
        "destination_option",
        "piece_switch_interval",
        "dest_conn_id",
    )

    def __init__(
        self,
        *,
        destination: str | None = None,
        destination_option: str | None = None,
        piece_switch_interval: str | None = None,
        dest_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.destination_option = destination_option
        self.piece_switch_interval = piece_switch_interval
        self.dest_conn_id = dest_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Check, compare, write, read back."""
        self.check_arguments()
        option = DestinationOption.check(self.destination_option) if _given(self.destination_option) else None
        days = check_piece_switch_interval(self.piece_switch_interval) if _given(self.piece_switch_interval) else None
        wanted = WantedDestination(
            wanted_destination(self.destination, self.dest_conn_id), option, days, wanted_keys(self.dest_conn_id)
        )
        return self.apply(lambda dialect, names: dialect.plan_destination(wanted, names), context)


class SetDataBackupDestinationOperator(TenantwiseOperator):
    """4.x: set where data backups go, ``DATA_BACKUP_DEST`` of each tenant. 3.x has one destination for logs and data.

    Compares first: the same directory and host is left alone, whatever its keys. It is not changed while a data backup
    of the tenant runs (9036). The server looks at the place from every OBServer, and wants an empty directory that
    neither log backup nor another tenant uses. After a change take a full backup: the sets in the old place are no
    longer cleaned up. A retry is safe.

    :param destination: as of :class:`SetBackupDestinationOperator`, ``{tenant}`` and its like included; None keeps the
        one that is set, and fails for a tenant that has none.
    :param dest_conn_id: connection with the keys of an object store.
    :return: as :class:`SetBackupDestinationOperator`.
    """

    template_fields: Sequence[str] = (*TenantwiseOperator.template_fields, "destination", "dest_conn_id")

    def __init__(self, *, destination: str | None = None, dest_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.dest_conn_id = dest_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Check, compare, write, read back."""
        self.check_arguments()
        wanted = WantedDestination(wanted_destination(self.destination, self.dest_conn_id))
        return self.apply(lambda dialect, names: dialect.data_backups.plan_destination(wanted, names), context)


class SetArchiveOptionOperator(TenantwiseOperator):
    """Set how log backup works: 3.x ``backup_log_archive_option``, 4.x BINDING and two parameters of each tenant.

    **Mandatory mode blocks user writes when archiving cannot keep up; Optional mode lets logs be recycled unarchived,
    which breaks the stream.** A retry is safe. On 3.x mode and compression are always sent together, because an
    attribute left out of the stored text is lost at the next restart, and they may change while log backup runs. On
    4.x the mode is a part of the destination, which can change only without a round or in STOP, and is refused
    otherwise; there is no compression.

    :param mode: ``optional``, ``mandatory`` or ``keep``.
    :param compression: 3.x: ``enable`` (lz4_1.0), ``disable``, ``lz4_1.0``, ``zstd_1.3.8`` or ``keep``.
    :param lag_target: 4.2+: ``archive_lag_target`` in seconds, 0 to 7,200; at least 60 for S3. None keeps it.
    :param concurrency: 4.1+: ``log_archive_concurrency``, 0 (by the tenant's CPU; 4.2+) to 100. None keeps it.
    :param dest_conn_id: 4.x: connection with the keys of the object store, where the server does not show them.
    :param allow_mandatory: False refuses to switch to mandatory mode, for instance before somebody has approved it.
    :return: as :class:`SetBackupDestinationOperator`.
    """

    template_fields: Sequence[str] = (
        *TenantwiseOperator.template_fields,
        "mode",
        "compression",
        "lag_target",
        "concurrency",
        "dest_conn_id",
        "allow_mandatory",
    )

    def __init__(
        self,
        *,
        mode: str = "keep",
        compression: str = "keep",
        lag_target: int | str | None = None,
        concurrency: int | str | None = None,
        dest_conn_id: str | None = None,
        allow_mandatory: bool | str = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mode = mode
        self.compression = compression
        self.lag_target = lag_target
        self.concurrency = concurrency
        self.dest_conn_id = dest_conn_id
        self.allow_mandatory = allow_mandatory

    def execute(self, context: Context) -> dict[str, Any]:
        """Check, plan, write, read back."""
        self.check_arguments()
        wanted = WantedOption.check(self.mode, self.compression, self.lag_target, self.concurrency).with_keys(
            wanted_keys(self.dest_conn_id)
        )
        check_flag(self.allow_mandatory, "allow_mandatory")
        return self.apply(lambda dialect, names: dialect.plan_option(wanted, names), context, approve=self._approve)

    def _approve(self, changes: Sequence[Change]) -> None:
        switched = [change.place for change in changes if change.to_mandatory]
        if switched and not check_flag(self.allow_mandatory, "allow_mandatory"):
            raise PrerequisitesNotMetError(
                f"switching {self.oceanbase_conn_id} ({', '.join(switched)}) to mandatory mode was not approved: users "
                "cannot write while archiving cannot keep up. Approve it and run again, or choose optional or keep"
            )


def switches_to_mandatory(oceanbase_conn_id: str, tenants: Sequence[str] = ()) -> bool:
    """Whether setting mandatory mode would change this cluster, or one of these tenants.

    One that cannot be read counts as unchanged: it must not hold up the others, and ``allow_mandatory`` guards it. So
    does a tenant that has no destination yet, whose mode is set with it.
    """
    wanted = WantedOption.check("mandatory")
    try:
        with OceanBaseHook(oceanbase_conn_id=oceanbase_conn_id).session() as session:
            changes = session.dialect.plan_option(wanted, tenants)
    except (AirflowException, ValueError):
        return False
    return any(change.to_mandatory or change.unset for change in changes)


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
    keys = wanted_keys(dest_conn_id)
    if keys:
        destination = destination.with_keys(keys)
    problem = destination.problem()
    if problem:
        raise ValueError(f"destination {destination}: {problem}")
    return destination


def wanted_keys(conn_id: str | None) -> Keys | None:
    """The keys in a connection. A function of its own: error trackers show the variables of frames an error passed."""
    if not conn_id or not _given(conn_id):
        return None
    connection = BaseHook.get_connection(conn_id)
    keys = Keys(connection.login or "", connection.password or "", connection.host or "")
    for value in Destination("s3", "/").with_keys(keys).secret_values:
        mask_secret(value)
    return keys


def _given(value: str | None) -> bool:
    """Whether an argument was given; an empty field of a form arrives as '' or, rendered, as 'None'."""
    return bool(value and value.strip() and value.strip() != "None")
