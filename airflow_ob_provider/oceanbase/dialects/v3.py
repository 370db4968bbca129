"""OceanBase 2.2.77 - 3.2.x: log archive belongs to the cluster; tenant sys starts it and shows it.

Facts: OceanBase CE 3.1.5 source (ob_inner_table_schema_def.py, ob_log_archive_scheduler.cpp,
ob_alter_system_resolver.cpp, sql_parser_mysql_mode.y) and the V3.1.5 manual. Enterprise 3.2.x is of the same
generation; columns are therefore read by name and every time may be '', NULL, ``MAX`` or finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from airflow_ob_provider.oceanbase.breaks import BreakHistory, ForceStop
from airflow_ob_provider.oceanbase.catalog import BackupCatalog
from airflow_ob_provider.oceanbase.changes import Change
from airflow_ob_provider.oceanbase.destination import Destination, DestinationOption, WantedDestination
from airflow_ob_provider.oceanbase.dialects.backups import backup_catalog as read_catalog
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.breaks import EVENTS_3, break_history
from airflow_ob_provider.oceanbase.dialects.reading import MISSING, NOW, DialectBase, address, read_at, tenant_list
from airflow_ob_provider.oceanbase.dialects.v3_backups import V3Backups
from airflow_ob_provider.oceanbase.dialects.v3_data_backup import V3DataBackups
from airflow_ob_provider.oceanbase.dialects.v3_force import FORCE_STOP, check_force, force_stop_state
from airflow_ob_provider.oceanbase.dialects.v3_prerequisites import V3Prerequisites
from airflow_ob_provider.oceanbase.dialects.v3_settings import destination_change, option_change
from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.models import (
    SYS_TENANT_ID,
    ArchiveRow,
    ArchiveSnapshot,
    ArchiveState,
    FileStatus,
    Finding,
    FreezeProgress,
    Identity,
    PieceSnapshot,
    PieceStatus,
    Scope,
    Server,
    Setting,
    Tenant,
    TenantPieces,
)
from airflow_ob_provider.oceanbase.options import ArchiveOption, WantedOption
from airflow_ob_provider.oceanbase.rows import UnreadableError, moment, text, whole
from airflow_ob_provider.oceanbase.statements import SLOW_SECONDS, Statement, like_literal, quote

_RECYCLE_BIN = "__recycle_$_"

_ARCHIVE = f"""
SELECT {NOW}, t.tenant_id AS tenant_id, t.tenant_name AS tenant_name, a.TENANT_ID AS archived_id,
       a.STATUS AS status, a.LOG_ARCHIVE_ROUND AS round_id, a.BACKUP_PIECE_ID AS piece_id,
       a.MIN_FIRST_TIME AS started, a.MAX_NEXT_TIME AS checkpoint
  FROM oceanbase.gv$tenant t
  LEFT JOIN oceanbase.CDB_OB_BACKUP_ARCHIVELOG a ON a.TENANT_ID = t.tenant_id
 ORDER BY t.tenant_id"""

# 3.1.0 has no view of the current state. Its summary holds ended rounds (as STOP) and the running one; the newest
# round of each tenant is the current state, and no row at all is a cluster that never archived.
_ARCHIVE_3_1_0 = f"""
SELECT {NOW}, t.tenant_id AS tenant_id, t.tenant_name AS tenant_name, a.TENANT_ID AS archived_id,
       a.STATUS AS status, a.LOG_ARCHIVE_ROUND AS round_id, 0 AS piece_id,
       a.MIN_FIRST_TIME AS started, a.MAX_NEXT_TIME AS checkpoint
  FROM oceanbase.gv$tenant t
  LEFT JOIN (SELECT TENANT_ID, MAX(LOG_ARCHIVE_ROUND) AS newest
               FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG_SUMMARY GROUP BY TENANT_ID) n ON n.TENANT_ID = t.tenant_id
  LEFT JOIN oceanbase.CDB_OB_BACKUP_ARCHIVELOG_SUMMARY a
         ON a.TENANT_ID = n.TENANT_ID AND a.LOG_ARCHIVE_ROUND = n.newest
 ORDER BY t.tenant_id"""

_ROUND = (
    "SELECT LOG_ARCHIVE_ROUND AS round_id, STATUS AS status FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG WHERE TENANT_ID = 1"
)

_PIECES = """
SELECT {now}, t.tenant_id AS tenant_id, t.tenant_name AS tenant_name, n.pieces AS pieces, n.first_id AS first_id,
       n.newest_id AS newest_id, n.broken AS broken, n.cleaned AS cleaned, n.available AS available,
       p.STATUS AS status, p.FILE_STATUS AS file_status, p.START_TS AS started, p.CHECKPOINT_TS AS checkpoint
  FROM oceanbase.gv$tenant t
  LEFT JOIN (SELECT TENANT_ID, COUNT(*) AS pieces, MIN(BACKUP_PIECE_ID) AS first_id, MAX(BACKUP_PIECE_ID) AS newest_id,
                    SUM(CASE WHEN FILE_STATUS = 'BROKEN' THEN 1 ELSE 0 END) AS broken,
                    SUM(CASE WHEN FILE_STATUS IN ('EXPIRED', 'DELETING', 'DELETED') THEN 1 ELSE 0 END) AS cleaned,
                    SUM(CASE WHEN FILE_STATUS = 'AVAILABLE' THEN 1 ELSE 0 END) AS available
               FROM oceanbase.CDB_OB_BACKUP_PIECE_FILES
              WHERE ROUND_ID = {round_id} AND COPY_ID = 0 GROUP BY TENANT_ID) n ON n.TENANT_ID = t.tenant_id
  LEFT JOIN oceanbase.CDB_OB_BACKUP_PIECE_FILES p
         ON p.TENANT_ID = n.TENANT_ID AND p.ROUND_ID = {round_id} AND p.COPY_ID = 0 AND p.BACKUP_PIECE_ID = n.newest_id
 ORDER BY t.tenant_id"""


_DESTINATION_HINTS = (
    (
        1235,
        "A file:// destination takes no '?…' parameters, and backup_dest cannot change while backup_backup_dest is "
        "set: set backup_backup_dest to '' first.",
    ),
    (
        4009,
        "The destination cannot be read: mount it on every OBServer and let the observer's user read and write there "
        "(or check host and keys of the object store).",
    ),
    (
        9026,
        "A destination that this cluster has archived to before can never be set again, not even the current one: give "
        "an empty directory, or leave the destination as it is (a new round may use the unchanged one). Also check the "
        "prefix (file://, oss://, cos://).",
    ),
    (
        9036,
        "backup_dest can change only while log backup is STOP and no data backup runs: StopArchivelogOperator, wait "
        "for STOP, cancel or await the data backup, then set it. Stopping makes a gap: take a full backup afterwards.",
    ),
)


class V3Dialect(DialectBase):
    """See :class:`~airflow_ob_provider.oceanbase.dialects.base.Dialect`."""

    freeze_advised = True

    # --- reading -----------------------------------------------------------------------------------------------

    def tenants(self) -> tuple[Tenant, ...]:
        """User tenants; numbers begin at 1001."""
        rows = self.read("SELECT tenant_id, tenant_name FROM oceanbase.gv$tenant ORDER BY tenant_id")
        return _user_tenants(rows)

    def tenants_in_scope(self, names: Sequence[str]) -> tuple[Tenant, ...]:  # noqa: ARG002
        """None: the cluster is started and stopped as a whole."""
        return ()

    def servers(self) -> tuple[Server, ...]:
        """OBServers. One is fine when it is active, was not stopped and has started to serve."""
        rows = self.read(
            "SELECT svr_ip, svr_port, zone, status, stop_time, start_service_time FROM oceanbase.__all_server "
            "ORDER BY zone, svr_ip, svr_port"
        )
        servers = []
        for row in rows:
            status = text(row, "status")
            if whole(row, "stop_time") > 0:
                status += ", stopped by an administrator"
            if whole(row, "start_service_time") <= 0:
                status += ", not serving"
            servers.append(Server(address(row), text(row, "zone"), active=status.lower() == "active", status=status))
        return tuple(servers)

    def archive(self) -> ArchiveSnapshot:
        """One row for tenant sys, which stands for the cluster, and one a user tenant while a round runs."""
        try:
            rows = self.read(_ARCHIVE)
        except ServerError as error:
            if error.errno not in MISSING or self.version.archive_unusable is None:
                raise
            rows = self.read(_ARCHIVE_3_1_0)
        now, zone = read_at(rows)
        found = tuple(
            row for raw in rows if not _is_dropped(text(raw, "tenant_name")) and (row := self._archive_row(raw, zone))
        )
        return ArchiveSnapshot(now, Scope.CLUSTER, found, _user_tenants(rows))

    def _archive_row(self, row: Row, zone: timezone) -> ArchiveRow | None:
        tenant = Tenant(whole(row, "tenant_id"), text(row, "tenant_name"))
        if row.get("archived_id") is None:
            never = self.version.archive_unusable is not None and not tenant.is_user
            return ArchiveRow(tenant, ArchiveState.STOP, "STOP", 0, 0, None, None) if never else None
        status = text(row, "status")
        try:
            return ArchiveRow(
                tenant,
                ArchiveState.parse(status),
                status or "NULL",
                whole(row, "round_id"),
                whole(row, "piece_id"),
                moment(row, "started", zone),
                moment(row, "checkpoint", zone),
            )
        except UnreadableError as error:
            return ArchiveRow(tenant, ArchiveState.UNKNOWN, f"{status} ({error})", 0, 0, None, None)

    def pieces(self, round_id: int | None = None) -> PieceSnapshot:
        """Pieces of the first copy; without splitting there is one piece, 0, a tenant and round."""
        newest = self.read(_ROUND)
        current = whole(newest[0], "round_id") if newest else 0
        stopped = bool(newest) and ArchiveState.parse(text(newest[0], "status")) is ArchiveState.STOP
        if round_id is None:
            round_id = current
        rows = self.read(_PIECES.format(now=NOW, round_id=int(round_id)))
        now, zone = read_at(rows)
        found = tuple(
            _pieces_row(row, int(round_id), zone)
            for row in rows
            if row.get("pieces") is not None and not _is_dropped(text(row, "tenant_name"))
        )
        return PieceSnapshot(now, int(round_id), found, _user_tenants(rows), not stopped and int(round_id) >= current)

    def freeze_progress(self, *, since: datetime | None, tenant_ids: Sequence[int] = ()) -> FreezeProgress:
        """Frozen memtables (``gv$memstore_info``, IS_ACTIVE = 0) and the minor merges that ended since.

        No view says that a minor freeze is complete; that no frozen memtable is left is the best evidence.
        """
        which = f" AND TENANT_ID IN ({tenant_list(tenant_ids)})" if tenant_ids else ""
        now, _ = read_at(self.read(f"SELECT {NOW}"))
        ended = f" AND END_TIME >= {quote(since.strftime('%Y-%m-%d %H:%M:%S.%f'))}" if since else ""
        return FreezeProgress(
            now,
            self.count(f"SELECT COUNT(*) AS n FROM oceanbase.gv$memstore_info WHERE IS_ACTIVE = 0{which}"),
            self.count(f"SELECT COUNT(*) AS n FROM oceanbase.gv$merge_info WHERE TYPE = 'minor'{which}{ended}"),
        )

    def _setting(self, name: str) -> Setting:
        """A parameter, one row an OBServer; ``_`` is a wildcard in LIKE, so it is escaped and the name compared."""
        rows = self.read(f"SHOW PARAMETERS LIKE {like_literal(name)}", holds_secrets=True)
        return Setting(
            name,
            tuple((address(row), text(row, "value")) for row in rows if text(row, "name").lower() == name),
        )

    def option_setting(self) -> Setting:
        """``backup_log_archive_option``; the text is stored as it was typed."""
        return self._setting("backup_log_archive_option")

    def destination_setting(self) -> Setting:
        """``backup_dest``; '' when it was never set."""
        return self._setting("backup_dest")

    def second_destination_setting(self) -> Setting:
        """``backup_backup_dest``, where backups are copied to."""
        return self._setting("backup_backup_dest")

    def data_backup_runs(self) -> bool:
        """Whether a data backup runs: its rows vanish when the whole job is cleaned up."""
        return self.count("SELECT COUNT(*) AS n FROM oceanbase.CDB_OB_BACKUP_PROGRESS") not in (None, 0)

    def destination_option_setting(self) -> Setting:
        """``backup_dest_option``; absent before 3.1.1."""
        return self._setting("backup_dest_option")

    def checkpoint_delay(self, tenants: Sequence[str] = ()) -> float:  # noqa: ARG002
        """The checkpoint interval is at most an hour and 2 minutes by default: too little to matter."""
        return 0.0

    def backup_catalog(self) -> BackupCatalog:
        """Rounds, pieces, data backups and settings of every tenant."""
        return read_catalog(V3Backups(self))

    @property
    def data_backups(self) -> V3DataBackups:
        """Data backups."""
        return V3DataBackups(self)

    def break_history(self) -> BreakHistory:
        """Events of all modules of backup, and OBServers that are not active."""
        return break_history(self, EVENTS_3, self.servers)

    def prerequisites(
        self, *, destination: Destination | None, restart_interrupted: bool, tenants: Sequence[str] = ()
    ) -> tuple[Finding, ...]:
        """What ARCHIVELOG checks, and what it should check."""
        self.check_scope(tenants)
        if destination and destination.placeholders:
            destination = destination.filled(cluster=self.cluster_name() or "{cluster}")
        return V3Prerequisites(self, destination, restart_interrupted=restart_interrupted).findings()

    def timestamp_services(self) -> dict[int, str]:
        """``ob_timestamp_service`` by tenant: 0 LTS, 1 GTS, 2 HA_GTS."""
        rows = self.read(
            "SELECT tenant_id, value FROM oceanbase.__all_virtual_sys_variable WHERE name = 'ob_timestamp_service'"
        )
        return {whole(row, "tenant_id"): text(row, "value") for row in rows}

    def cluster_role(self) -> str:
        """PRIMARY or PHYSICAL STANDBY."""
        rows = self.read("SELECT CLUSTER_ROLE AS cluster_role FROM oceanbase.v$ob_cluster")
        return text(rows[0], "cluster_role") if rows else ""

    def clock_deviations(self) -> dict[str, tuple[int, str]]:
        """Deviation from the RootService's clock in µs, and SYNC or NOT SYNC, by server."""
        rows = self.read(
            "SELECT svr_ip, svr_port, clock_deviation, clock_sync_status FROM oceanbase.__all_virtual_server_stat"
        )
        return {address(row): (whole(row, "clock_deviation"), text(row, "clock_sync_status")) for row in rows}

    # --- statements that change the server ------------------------------------------------------------------------

    def check_scope(self, tenants: Sequence[str]) -> None:
        """ARCHIVELOG takes no tenant before 4.0."""
        if tenants:
            raise ValueError(
                f"tenants={list(tenants)!r}: OceanBase {self.version} archives the whole cluster; leave tenants out"
            )

    def plan_destination(self, wanted: WantedDestination, tenants: Sequence[str] = ()) -> tuple[Change, ...]:
        """``backup_dest`` and ``backup_dest_option``, the same on every server."""
        self.check_scope(tenants)
        return (destination_change(self, wanted),)

    def plan_option(self, wanted: WantedOption, tenants: Sequence[str] = ()) -> tuple[Change, ...]:
        """``backup_log_archive_option``, the same on every server."""
        self.check_scope(tenants)
        return (option_change(self, wanted),)

    def start_archive(self, row: ArchiveRow) -> Statement:  # noqa: ARG002 - one row governs the cluster
        """Not idempotent: anything but STOP answers 1235, or 9023 on older builds. OK means accepted, not DOING."""
        return Statement.write("ALTER SYSTEM ARCHIVELOG")

    def resume_archive(self, row: ArchiveRow) -> Statement:
        """3.x has no way to suspend a destination."""
        raise NotImplementedError(f"OceanBase {self.version} does not suspend log backup ({row})")

    def stop_archive(self, row: ArchiveRow) -> Statement:  # noqa: ARG002
        """Asynchronous: the state is STOPPING until every server has stopped. 9024 when STOP or STOPPING."""
        return Statement.write("ALTER SYSTEM NOARCHIVELOG")

    def force_stop_state(self, wanted: Destination) -> ForceStop:
        """State, destination and data backup, as a stop by force needs them."""
        return force_stop_state(self, wanted)

    def force_stop_archive(self) -> Statement:
        """Empties ``backup_dest`` and ``backup_backup_dest``, then cancels every kind of backup (3.1.3+)."""
        check_force(self.version)
        return FORCE_STOP

    def set_option(self, option: ArchiveOption) -> Statement:
        """Tokens are separated by blanks; dynamic, also while a round runs."""
        return Statement.write(f"ALTER SYSTEM SET backup_log_archive_option = {quote(option.text)}")

    def set_destination(self, destination: Destination) -> Statement:
        """Refused with 9036 while a round or a data backup runs, also for the value it has already."""
        return Statement.write(
            f"ALTER SYSTEM SET backup_dest = {quote(destination.uri, field_name='destination')}",
            secrets=destination.secret_values,
            hints=_DESTINATION_HINTS,
        )

    def set_destination_option(self, option: DestinationOption) -> Statement:
        """Replaces the whole string; no blanks."""
        return Statement.write(f"ALTER SYSTEM SET backup_dest_option = {quote(option.text)}")

    def connection_note(self, identity: Identity) -> str:
        """Only tenant sys sees log backup."""
        if identity.tenant in {"", "sys"}:
            return ""
        return f"Log backup of 3.x is started and shown in tenant sys only, and this is {identity.tenant}"

    def minor_freeze(self, tenants: Sequence[str] = ()) -> Statement:
        """3.x wants parentheses around the tenants. Returns when memtables are frozen, not when they are on disk."""
        which = f" TENANT = ({', '.join(quote(name) for name in tenants)})" if tenants else ""
        return Statement.write(f"ALTER SYSTEM MINOR FREEZE{which}", timeout=2 * SLOW_SECONDS)


def _is_dropped(tenant_name: str) -> bool:
    """Whether a tenant lies in the recycle bin: it takes no writes, so it is not waited for."""
    return tenant_name.startswith(_RECYCLE_BIN)


def _user_tenants(rows: Sequence[Row]) -> tuple[Tenant, ...]:
    tenants = (Tenant(whole(row, "tenant_id"), text(row, "tenant_name")) for row in rows)
    return tuple(tenant for tenant in tenants if tenant.tenant_id != SYS_TENANT_ID and not _is_dropped(tenant.name))


def _pieces_row(row: Row, round_id: int, zone: timezone) -> TenantPieces:
    tenant = Tenant(whole(row, "tenant_id"), text(row, "tenant_name"))
    status, file_status = text(row, "status"), text(row, "file_status")
    pieces, broken, cleaned = whole(row, "pieces"), whole(row, "broken"), whole(row, "cleaned")
    words = f"{status or 'NULL'}/{file_status or 'NULL'}"
    try:
        started, checkpoint, parsed = (
            moment(row, "started", zone),
            moment(row, "checkpoint", zone),
            PieceStatus.parse(status),
        )
    except UnreadableError as error:
        started, checkpoint, parsed, words = None, None, PieceStatus.UNKNOWN, f"{words} ({error})"
    return TenantPieces(
        tenant=tenant,
        round_id=round_id,
        count=pieces,
        first_id=whole(row, "first_id"),
        newest_id=whole(row, "newest_id"),
        status=parsed,
        file_status=FileStatus.parse(file_status),
        words=words,
        started=started,
        checkpoint=checkpoint,
        broken=broken,
        unready=pieces - broken - cleaned - whole(row, "available"),
        cleaned=cleaned,
    )
