"""The backup catalog of 2.2.77 - 3.2.x in four queries that the server aggregates, and a closer look where needed.

Facts: OceanBase CE 3.1.5 source, ob_inner_table_schema_def.py; V3.1.5 manual, dictionary views. Times of the rounds
and pieces are texts ``YYYY-MM-DD HH:MM:SS.ffffff``, '' where not set and MAX where open, so they compare as texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.catalog import BackupCatalog, Cleanup, Part, Settings, Stream, TenantRecord
from airflow_ob_provider.oceanbase.destination import Destination, DestinationOption, microseconds
from airflow_ob_provider.oceanbase.dialects.aggregates import (
    LINK_COLUMNS,
    LINK_SUMS,
    PIECE_COLUMNS,
    PIECE_SUMS,
    set_problem,
)
from airflow_ob_provider.oceanbase.dialects.backup_reader import MAX_PIECES, MAX_SETS, BackupReader, Group, RoundRow
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.reading import address, tenant_list
from airflow_ob_provider.oceanbase.models import (
    SYS_TENANT_ID,
    ArchiveState,
    FileStatus,
    PieceStatus,
    Scope,
)
from airflow_ob_provider.oceanbase.options import ArchiveOption
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import moment, text, whole
from airflow_ob_provider.oceanbase.windows import FullBackup, Stretch

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v3 import V3Dialect

_PARAMETERS = (
    "cluster", "cluster_id", "backup_dest", "backup_dest_option", "backup_log_archive_option",
    "log_archive_checkpoint_interval", "log_archive_concurrency", "backup_recovery_window",
    "auto_delete_expired_backup",
)  # fmt: skip
_DAY_US = 86_400_000_000
_PIECES = "oceanbase.CDB_OB_BACKUP_PIECE_FILES"
_ROUNDS = "oceanbase.CDB_OB_BACKUP_ARCHIVELOG_SUMMARY"
_SETS = "oceanbase.CDB_OB_BACKUP_SET_FILES"
_USABLE = "s.BACKUP_TYPE = 'D' AND s.STATUS = 'SUCCESS' AND s.FILE_STATUS = 'AVAILABLE'"
_SET = (
    "CONCAT(s.START_TIME, '|', LPAD(s.BS_KEY, 20, '0'), '|', s.START_TIME, '|', s.COMPLETION_TIME, '|', "
    "s.COMPLETION_TIME)"
)
_WINDOW = "(PARTITION BY TENANT_ID, ROUND_ID ORDER BY BACKUP_PIECE_ID)"
_LINKED = f"""(STATUS <> 'FROZEN' OR (START_TS <= MAX_TS AND MAX_TS <> 'MAX'))
        AND (START_TS <> '' AND START_TS = COALESCE(LAG(MAX_TS) OVER {_WINDOW}, START_TS)
             OR START_TS = '' AND STATUS <> 'FROZEN' AND LAG(STATUS) OVER {_WINDOW} <> 'FROZEN')"""
"""In a switch of pieces the one before has no end yet, and the new one no beginning."""


class V3Backups(BackupReader):
    """Reads the catalog through a dialect."""

    scope = Scope.CLUSTER
    partial_pieces = True

    def __init__(self, dialect: V3Dialect) -> None:
        super().__init__(dialect)
        self._dialect = dialect

    def tenant_of(self, row: Row) -> int:
        """Every row names its tenant."""
        return whole(row, "tenant_id")

    def at(self, row: Row, name: str) -> datetime | None:
        """Times of the logs are times of the clock."""
        return moment(row, name, self.zone)

    def state(self) -> BackupCatalog:
        """Tenants and their current round; tenant sys stands for the cluster."""
        snapshot = self._dialect.archive()
        offset = snapshot.read_at.tzinfo
        self.zone = offset if offset is not None else self.zone  # type: ignore[assignment]
        archive = {row.tenant.tenant_id: row for row in snapshot.rows}
        records = tuple(TenantRecord(tenant, archive.get(tenant.tenant_id)) for tenant in snapshot.tenants)
        sys = archive.get(SYS_TENANT_ID)
        return BackupCatalog(
            snapshot.read_at, str(self._dialect.version), Scope.CLUSTER, "", "", sys, records, snapshot.out_of_scope
        )

    def upkeep_queries(self) -> Mapping[Part, str]:
        """Parameters; 3.x shows neither log disk nor storage checks in views of this kind."""
        names = ", ".join(f"'{name}'" for name in _PARAMETERS)
        return {
            Part.SETTINGS: (
                "SELECT name AS name, MIN(value) AS low, MAX(value) AS high "
                f"FROM oceanbase.__all_virtual_sys_parameter_stat WHERE name IN ({names}) GROUP BY name"
            )
        }

    def upkeep(self, catalog: BackupCatalog, rows: Sequence[Row]) -> BackupCatalog:
        """The catalog with what these rows tell; the settings are those of the cluster."""
        found = {text(row, "name").lower(): (text(row, "low"), text(row, "high")) for row in rows}
        values = {name: high for name, (_, high) in found.items()}
        option = ArchiveOption.parse(values.get("backup_log_archive_option", ""))
        extra = dict(DestinationOption.parse(values.get("backup_dest_option", "")).values)
        settings = Settings(
            (place := _destination(values.get("backup_dest", ""))),
            str(place or redact(values.get("backup_dest", ""))),
            str(option.mode) if option.mode else None,
            str(option.compression) if option.compression else None,
            _days(extra.get("log_archive_piece_switch_interval", "0")),
            _seconds(extra.get("log_archive_checkpoint_interval") or values.get("log_archive_checkpoint_interval", "")),
            int(values["log_archive_concurrency"]) if values.get("log_archive_concurrency", "").isdecimal() else None,
            tuple(name for name, (low, high) in found.items() if low != high),
        )
        window = extra.get("recovery_window") or values.get("backup_recovery_window", "")
        automatic = extra.get("auto_delete_obsolete_backup") or values.get("auto_delete_expired_backup", "")
        cleanup = Cleanup("" if window in {"", "0"} else window, automatic.lower() == "true")
        if catalog.why_unread(Part.SETTINGS) or catalog.why_absent(Part.SETTINGS):
            return catalog
        return replace(
            catalog,
            tenants=tuple(replace(record, settings=settings, cleanup=cleanup) for record in catalog.tenants),
            cluster=values.get("cluster", ""),
            cluster_id=values.get("cluster_id", ""),
        )

    def rounds_query(self) -> str:
        """All rounds of user tenants, each with the pieces of its first copy counted."""
        return f"""
SELECT r.TENANT_ID AS tenant_id, r.LOG_ARCHIVE_ROUND AS round_id, r.INCARNATION AS incarnation, r.STATUS AS status,
       r.MIN_FIRST_TIME AS started, r.MAX_NEXT_TIME AS checkpoint, p.*
  FROM {_ROUNDS} r
  LEFT JOIN (
SELECT of_tenant, of_round, {PIECE_SUMS}, {LINK_SUMS}
  FROM (SELECT TENANT_ID AS of_tenant, ROUND_ID AS of_round, BACKUP_PIECE_ID AS piece_id,
       NULLIF(START_TS, '') AS begins, NULLIF(MAX_TS, 'MAX') AS ends,
       {PIECE_COLUMNS.format(piece="BACKUP_PIECE_ID")},
       {LINK_COLUMNS.format(piece="BACKUP_PIECE_ID", window=_WINDOW, linked=_LINKED)}
  FROM {_PIECES} WHERE COPY_ID = 0 AND TENANT_ID <> {SYS_TENANT_ID}) f GROUP BY of_tenant, of_round) p
    ON p.of_round = r.LOG_ARCHIVE_ROUND AND p.of_tenant = r.TENANT_ID
 WHERE r.TENANT_ID <> {SYS_TENANT_ID}
 ORDER BY tenant_id, round_id"""

    def links_query(self, groups: Sequence[Group]) -> str | None:  # noqa: ARG002 - it is as the base says
        """Times are texts here, so that :meth:`rounds_query` compares each piece with the one before."""
        return None

    def round_row(self, row: Row) -> RoundRow:
        """A row of :meth:`rounds_query`."""
        return RoundRow(
            self.tenant_of(row),
            whole(row, "round_id"),
            ArchiveState.parse(text(row, "status")),
            self.at(row, "started"),
            self.at(row, "checkpoint"),
            "",
            whole(row, "incarnation"),
            row,
        )

    def backups_query(self) -> str:
        """Data backups of each tenant by the round that they began in; of no round, where none fits."""
        return f"""
SELECT s.TENANT_ID AS tenant_id, r.LOG_ARCHIVE_ROUND AS round_id,
       SUM(CASE WHEN {_USABLE} THEN 1 ELSE 0 END) AS usable,
       MIN(CASE WHEN {_USABLE} THEN {_SET} END) AS oldest,
       MAX(CASE WHEN {_USABLE} THEN {_SET} END) AS newest,
       MIN(CASE WHEN {_USABLE} THEN CONCAT(s.START_TIME) END) AS earliest,
       MAX(CASE WHEN {_USABLE} THEN CONCAT(s.COMPLETION_TIME) END) AS latest,
       MAX(CONCAT(s.START_TIME, '|', s.BS_KEY, '|', s.STATUS, '|', s.BACKUP_TYPE)) AS attempt
  FROM {_SETS} s
  LEFT JOIN {_ROUNDS} r ON r.TENANT_ID = s.TENANT_ID AND r.MIN_FIRST_TIME <> ''
        AND CONCAT(s.START_TIME) >= r.MIN_FIRST_TIME AND CONCAT(s.START_TIME) <= r.MAX_NEXT_TIME
 WHERE s.COPY_ID = 0 AND s.TENANT_ID <> {SYS_TENANT_ID}
 GROUP BY s.TENANT_ID, r.LOG_ARCHIVE_ROUND"""

    # --- a closer look -----------------------------------------------------------------------------------------------

    def pieces_query(self, groups: Iterable[Group]) -> str:
        """Each piece of these rounds, the newest first."""
        which = " OR ".join(f"(TENANT_ID = {int(tenant)} AND ROUND_ID = {int(number)})" for tenant, number in groups)
        return f"""
SELECT TENANT_ID AS tenant_id, ROUND_ID AS round_id, BACKUP_PIECE_ID AS piece_id, STATUS AS status,
       FILE_STATUS AS file_status, START_TS AS started, MAX_TS AS ended, CHECKPOINT_TS AS checkpoint
  FROM {_PIECES} WHERE COPY_ID = 0 AND ({which})
 ORDER BY tenant_id, round_id DESC, piece_id DESC LIMIT {MAX_PIECES}"""

    def stretch(self, row: Row) -> Stretch:
        """A row of :meth:`pieces_query`."""
        number = whole(row, "piece_id")
        return Stretch(
            number,
            number,
            FileStatus.parse(text(row, "file_status")),
            self.at(row, "started"),
            self.at(row, "ended"),
            self.at(row, "checkpoint"),
            PieceStatus.parse(text(row, "status")) is not PieceStatus.FROZEN,
        )

    def sets_query(self, tenant_ids: Iterable[int]) -> str:
        """Each full backup of these tenants, the newest first."""
        return f"""
SELECT TENANT_ID AS tenant_id, BS_KEY AS set_id, STATUS AS status, FILE_STATUS AS file_status,
       START_TIME AS started, COMPLETION_TIME AS completed
  FROM {_SETS} WHERE COPY_ID = 0 AND BACKUP_TYPE = 'D' AND TENANT_ID IN ({tenant_list(tenant_ids)})
 ORDER BY tenant_id, set_id DESC LIMIT {MAX_SETS}"""

    def full(self, row: Row) -> FullBackup | None:
        """A row of :meth:`sets_query`."""
        started = self.at(row, "started")
        problem = set_problem(text(row, "status"), text(row, "file_status"))
        return FullBackup(whole(row, "set_id"), started, self.at(row, "completed"), started, problem)

    def events_query(self) -> str:
        """Changes of STATUS, the newest first; they do not name a tenant."""
        values = ", ".join(f"name{n}, value{n}" for n in range(1, 7))
        return (
            f"SELECT gmt_create AS at, event, {values} FROM oceanbase.__all_rootservice_event_history "
            "WHERE module = 'log_archive' AND event IN ('change_status', 'handle_start_log_archive', "
            "'handle_stop_log_archive') ORDER BY at DESC LIMIT 500"
        )

    def streams_query(self, groups: Iterable[Group]) -> str | None:
        """The partition groups that are furthest behind."""
        tenants = tenant_list(tenant for tenant, _ in groups)
        return f"""
SELECT TENANT_ID AS tenant_id, SVR_IP AS svr_ip, SVR_PORT AS svr_port, TABLE_ID AS table_id,
       PARTITION_ID AS partition_id, MAX_NEXT_TIME AS checkpoint, STATUS AS status
  FROM oceanbase.CDB_OB_BACKUP_ARCHIVELOG_PROGRESS WHERE TENANT_ID IN ({tenants})
 ORDER BY checkpoint LIMIT 100"""

    def stream(self, row: Row) -> tuple[int, Stream]:
        """A row of :meth:`streams_query`."""
        where = f"partition {whole(row, 'table_id')}/{whole(row, 'partition_id')} on {address(row)}"
        broken = text(row, "status").upper() == ArchiveState.INTERRUPTED
        return self.tenant_of(row), Stream(where, self.at(row, "checkpoint"), broken)


def _destination(uri: str) -> Destination | None:
    try:
        return Destination.parse(uri) if uri else None
    except ValueError:
        return None


def _seconds(value: str) -> float | None:
    length = microseconds(value.lower())
    return None if length is None else length / 1e6


def _days(value: str) -> int | None:
    length = microseconds(value.lower())
    return None if length is None or length % _DAY_US else length // _DAY_US
