"""The backup catalog of 4.x in four queries that the server aggregates, and a closer look where something is wrong.

Facts: V4.2.5 manual, dictionary views (ARCHIVELOG_SUMMARY, ARCHIVELOG_PIECE_FILES, BACKUP_SET_FILES,
BACKUP_DELETE_POLICY, BACKUP_DELETE_JOB_HISTORY, BACKUP_STORAGE_INFO) and GV$OB_UNITS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_ob_provider.oceanbase.catalog import (
    BackupCatalog,
    Cleanup,
    LogDisk,
    Part,
    Settings,
    Stream,
    TenantRecord,
)
from airflow_ob_provider.oceanbase.destination import microseconds
from airflow_ob_provider.oceanbase.dialects.aggregates import (
    LINK_COLUMNS,
    LINK_SUMS,
    PIECE_COLUMNS,
    PIECE_SUMS,
    is_full,
    set_problem,
)
from airflow_ob_provider.oceanbase.dialects.backup_reader import MAX_PIECES, MAX_SETS, BackupReader, Group, RoundRow
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.reading import MISSING, read_at, tenant_list
from airflow_ob_provider.oceanbase.dialects.v4_catalogue import Catalogue
from airflow_ob_provider.oceanbase.dialects.v4_places import Place
from airflow_ob_provider.oceanbase.errors import ServerError
from airflow_ob_provider.oceanbase.models import ArchiveState, FileStatus, PieceStatus, Scope
from airflow_ob_provider.oceanbase.redact import redact
from airflow_ob_provider.oceanbase.rows import UnreadableError, scn, text, whole
from airflow_ob_provider.oceanbase.windows import FullBackup, Stretch

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.dialects.v4 import V4Dialect

_PARAMETERS = (
    "archive_lag_target", "log_archive_concurrency", "log_disk_utilization_threshold",
    "log_disk_utilization_limit_threshold", "cluster_id", "cluster",
)  # fmt: skip
"""Read as one text and so one row a tenant; only the last may hold a ``|``, which stands between them."""
_FULL = "BACKUP_TYPE IN ('FULL', 'D')"
_USABLE = f"{_FULL} AND s.STATUS = 'SUCCESS' AND s.FILE_STATUS = 'AVAILABLE'"
_SET = (
    "CONCAT(GREATEST(s.MIN_RESTORE_SCN, s.START_REPLAY_SCN), '|', LPAD(s.BACKUP_SET_ID, 20, '0'), '|', "
    "s.START_REPLAY_SCN, '|', s.MIN_RESTORE_SCN, '|', IFNULL(s.END_TIMESTAMP, ''))"
)
"""First what it is sorted by: numbers of nanoseconds have 19 digits from 2001 to 2286."""
_LINKED = "START_SCN > 0 AND START_SCN <= END_SCN AND START_SCN = COALESCE(LAG(END_SCN) OVER {window}, START_SCN)"

_LENGTH = "CAST(END_SCN AS SIGNED) - CAST(START_SCN AS SIGNED)"
_EVEN = (
    f"START_SCN > 0 AND START_SCN < END_SCN AND {_LENGTH} BETWEEN 1 AND 864000000000000 "
    "AND PIECE_ID BETWEEN 0 AND 10000"
)
"""Ten days and 10,000 pieces, so that no product leaves a bigint; an interval is 1 to 7 days. 2^64-1, which is no
system change number, is -1 when signed, so they are compared as they are first."""
_EVEN_COLUMNS = f"""DEST_ID AS dest_id, CASE WHEN {_EVEN} THEN {_LENGTH} END AS span,
       CASE WHEN {_EVEN} THEN CAST(START_SCN AS SIGNED) - PIECE_ID * ({_LENGTH}) END AS origin"""
_EVEN_SUMS = """0 AS jumps, CASE WHEN COUNT(*) = MAX(piece_id) - MIN(piece_id) + 1
            AND 2 * SUM(piece_id) = COUNT(*) * (MIN(piece_id) + MAX(piece_id)) AND MIN(dest_id) = MAX(dest_id)
            AND COUNT(span) = COUNT(*) AND MIN(span) = MAX(span) AND MIN(origin) = MAX(origin)
            THEN 0 ELSE 1 END AS breaks"""
"""Pieces of one length, each as many lengths from one moment as its number says, follow each other without a look at
the one before. A number is there once, as tenant, destination, round and piece are the key of the server's table."""
_MAX_NAMED = 200
"""Rounds that a query names; beyond that it asks for all."""


class V4Backups(BackupReader):
    """Reads the catalog through a dialect."""

    scope = Scope.TENANT
    partial_pieces = False

    def __init__(self, dialect: V4Dialect) -> None:
        super().__init__(dialect)
        self._dialect = dialect
        self._views = Catalogue(is_sys=True)
        self._own = 0
        self._dest_ids: dict[int, str] = {}

    @property
    def _is_sys(self) -> bool:
        return self._views.is_sys

    @property
    def _tenant(self) -> str:
        return "TENANT_ID, " if self._is_sys else ""

    def _same_tenant(self, left: str, right: str) -> str:
        return f"{left}.TENANT_ID = {right}.TENANT_ID" if self._is_sys else "1 = 1"

    def tenant_of(self, row: Row) -> int:
        """A user tenant's own rows do not name it."""
        return whole(row, "tenant_id") if self._is_sys else self._own

    def state(self) -> BackupCatalog:
        """Tenants, their current round and their destination."""
        rows = self._overview()
        now, self.zone = read_at(rows)
        snapshot = self._dialect.snapshot(rows)
        archive = {row.tenant.tenant_id: row for row in snapshot.rows}
        self._own = snapshot.tenants[0].tenant_id if snapshot.tenants else 0
        places = {whole(row, "tenant_id"): row for row in rows if row.get("tenant_id") is not None}
        self._dest_ids = {number: text(row, "dest_id") for number, row in places.items()}
        records = tuple(
            TenantRecord(
                tenant,
                archive.get(tenant.tenant_id),
                settings=_settings(Place.of(tenant, places[tenant.tenant_id])),
            )
            for tenant in snapshot.tenants
        )
        return BackupCatalog(
            now, str(self._dialect.version), Scope.TENANT, "", "", None, records, snapshot.out_of_scope
        )

    def _overview(self) -> Sequence[Row]:
        """Only tenant sys has the views of all tenants; to ask first would be one query more."""
        log_mode = self._dialect.version.has_log_mode
        try:
            return self._dialect.read(self._views.overview(log_mode=log_mode))
        except ServerError as error:
            if error.errno not in MISSING:
                raise
        self._views = Catalogue(is_sys=False)
        return self._dialect.read(self._views.overview(log_mode=log_mode))

    def upkeep_queries(self) -> Mapping[Part, str]:
        """Parameters, log disk, clean-up and storage, in columns of one kind, so that one query can ask for all."""
        names = ", ".join(f"'{name}'" for name in _PARAMETERS)
        tenant = "TENANT_ID" if self._is_sys else "NULL"
        grouped = "GROUP BY TENANT_ID" if self._is_sys else ""
        dest = "GROUP BY TENANT_ID, DEST_ID" if self._is_sys else "GROUP BY DEST_ID"
        job = "CONCAT(START_TIMESTAMP, '|', STATUS, '|', RESULT, '|', IFNULL(COMMENT, ''))"
        queries = {
            Part.SETTINGS: (
                f"SELECT 'parameter' AS part, TENANT_ID AS tenant_id, '' AS name, {_all('MIN')} AS low, "
                f"{_all('MAX')} AS high FROM oceanbase.GV$OB_PARAMETERS WHERE NAME IN ({names}) GROUP BY TENANT_ID"
            ),
            Part.LOG_DISK: (
                "SELECT 'unit' AS part, TENANT_ID AS tenant_id, '' AS name, CAST(MIN(LOG_DISK_SIZE) AS CHAR) AS low, "
                "CAST(MAX(LOG_DISK_IN_USE) AS CHAR) AS high FROM oceanbase.GV$OB_UNITS GROUP BY TENANT_ID"
            ),
            Part.CLEANUP: (
                f"SELECT 'policy' AS part, {tenant} AS tenant_id, POLICY_NAME AS name, RECOVERY_WINDOW AS low, "
                f"'' AS high FROM {self._views.view('BACKUP_DELETE_POLICY')} UNION ALL "
                f"SELECT 'clean' AS part, {tenant} AS tenant_id, '' AS name, '' AS low, MAX({job}) AS high "
                f"FROM {self._views.view('BACKUP_DELETE_JOB_HISTORY')} {grouped}"
            ),
        }
        if self._dialect.version.has_log_mode:
            queries[Part.STORAGE] = (
                f"SELECT 'storage' AS part, {tenant} AS tenant_id, CAST(DEST_ID AS CHAR) AS name, '' AS low, "
                "CAST(MAX(LAST_CHECK_TIMESTAMP) AS CHAR) AS high "
                f"FROM {self._views.view('BACKUP_STORAGE_INFO')} {dest}"
            )
        return queries

    def upkeep(self, catalog: BackupCatalog, rows: Sequence[Row]) -> BackupCatalog:
        """The catalog with what these rows tell."""
        shown = [_parameters(row) for row in rows if text(row, "part") == "parameter"]
        cluster = {name: values[1] for one in shown for name, values in one.items() if values[1]}
        if not self._is_sys:  # what the views of all tenants show of others
            rows = [row for row in rows if row.get("tenant_id") in {None, self._own}]
        by_tenant, why = self.by_tenant(rows)
        if why:
            return replace(catalog, unread=(*catalog.unread, *((part, why) for part in self.upkeep_queries())))
        odd: dict[Part, str] = {}
        tenants = tuple(self._kept(record, by_tenant[record.tenant.tenant_id], odd) for record in catalog.tenants)
        return replace(
            catalog,
            tenants=tenants,
            unread=(*catalog.unread, *odd.items()),
            cluster=cluster.get("cluster", ""),
            cluster_id=cluster.get("cluster_id", ""),
        )

    def _kept(self, record: TenantRecord, rows: Iterable[Row], odd: dict[Part, str]) -> TenantRecord:
        """The record with what these rows tell; a part with a time that is none goes to ``odd``."""
        found: dict[tuple[str, str], tuple[str, str]] = {}
        parameters: dict[str, tuple[str, str]] = {}
        for row in rows:
            if text(row, "part") == "parameter":
                parameters = _parameters(row)
            found[(text(row, "part"), text(row, "name").lower())] = (text(row, "low"), text(row, "high"))
        settings = record.settings or Settings()
        lag, lag_differs = _length(parameters.get("archive_lag_target"))
        concurrency, differs = _number(parameters.get("log_archive_concurrency"))
        names = [name for name, is_so in (("archive_lag_target", lag_differs), ("log_archive_concurrency", differs))
                 if is_so]  # fmt: skip
        low, high = found.get(("unit", ""), ("", ""))
        recycles, _ = _number(parameters.get("log_disk_utilization_threshold"))
        stops, _ = _number(parameters.get("log_disk_utilization_limit_threshold"))
        disk = (
            LogDisk(int(high), int(low), recycles or 80, stops or 95) if low.isdecimal() and high.isdecimal() else None
        )
        policy = next((low for (part, _), (low, _) in found.items() if part == "policy"), "")
        job = found.get(("clean", ""), ("", ""))[1]
        at, status, _, comment = [*job.split("|", 3), "", "", ""][:4]
        dest_id = self._dest_ids.get(record.tenant.tenant_id, "")
        checked = found.get(("storage", dest_id), ("", ""))[1]
        return replace(
            record,
            settings=replace(settings, lag_target=lag, concurrency=concurrency, differs=tuple(names)),
            log_disk=disk,
            cleanup=Cleanup(policy, bool(policy), status, self._maybe(at, Part.CLEANUP, odd), comment),
            storage_checked=self._maybe(checked, Part.STORAGE, odd),
        )

    def _maybe(self, at: str, part: Part, odd: dict[Part, str]) -> datetime | None:
        try:
            return self.clock({"at": at}, "at")
        except UnreadableError as error:
            odd[part] = redact(str(error))
            return None

    def rounds_query(self) -> str:
        """All rounds, each with its pieces counted; of those that are not even :meth:`links_query` tells more."""
        own, grouped = ("TENANT_ID AS of_tenant, ", "of_tenant, ") if self._is_sys else ("", "")
        return f"""
SELECT {"r.TENANT_ID" if self._is_sys else "NULL"} AS tenant_id, r.ROUND_ID AS round_id, r.INCARNATION AS incarnation,
       r.STATUS AS status, r.START_SCN AS started, r.CHECKPOINT_SCN AS checkpoint, r.COMMENT AS remark, p.*
  FROM {self._views.view("ARCHIVELOG_SUMMARY")} r
  LEFT JOIN (
SELECT {grouped}of_round, {PIECE_SUMS}, {_EVEN_SUMS}
  FROM (SELECT {own}ROUND_ID AS of_round, PIECE_ID AS piece_id, START_SCN AS begins, END_SCN AS ends, {_EVEN_COLUMNS},
       {PIECE_COLUMNS.format(piece="PIECE_ID")}
  FROM {self._views.view("ARCHIVELOG_PIECE_FILES")}) f GROUP BY {grouped}of_round) p
    ON p.of_round = r.ROUND_ID{" AND p.of_tenant = r.TENANT_ID" if self._is_sys else ""}
 ORDER BY tenant_id, round_id"""

    def links_query(self, groups: Sequence[Group]) -> str | None:
        """Whether the pieces of these rounds follow each other; to compare them with their neighbours takes long."""
        window = f"(PARTITION BY {self._tenant}ROUND_ID ORDER BY PIECE_ID)"
        columns = LINK_COLUMNS.format(piece="PIECE_ID", window=window, linked=_LINKED.format(window=window))
        which = f"WHERE {self._which(groups)}" if len(groups) <= _MAX_NAMED else ""
        tenant = "TENANT_ID" if self._is_sys else "NULL"
        return f"""
SELECT tenant_id, round_id, {LINK_SUMS}
  FROM (SELECT {tenant} AS tenant_id, ROUND_ID AS round_id, {columns}
  FROM {self._views.view("ARCHIVELOG_PIECE_FILES")} {which}) f GROUP BY tenant_id, round_id"""

    def round_row(self, row: Row) -> RoundRow:
        """A row of :meth:`rounds_query`."""
        return RoundRow(
            self.tenant_of(row),
            whole(row, "round_id"),
            ArchiveState.parse(text(row, "status")),
            self.at(row, "started"),
            self.at(row, "checkpoint"),
            text(row, "remark").strip(),
            whole(row, "incarnation"),
            row,
        )

    def backups_query(self) -> str:
        """Data backups of each tenant by the round that their logs begin in; of no round, where none fits."""
        tenant = "s.TENANT_ID" if self._is_sys else "NULL"
        return f"""
SELECT {tenant} AS tenant_id, r.ROUND_ID AS round_id,
       SUM(CASE WHEN {_USABLE} THEN 1 ELSE 0 END) AS usable,
       MIN(CASE WHEN {_USABLE} THEN {_SET} END) AS oldest,
       MAX(CASE WHEN {_USABLE} THEN {_SET} END) AS newest,
       MIN(CASE WHEN {_USABLE} THEN s.START_REPLAY_SCN END) AS earliest,
       MAX(CASE WHEN {_USABLE} THEN s.MIN_RESTORE_SCN END) AS latest,
       MAX(CONCAT(s.START_TIMESTAMP, '|', s.BACKUP_SET_ID, '|', s.STATUS, '|', s.BACKUP_TYPE)) AS attempt
  FROM {self._views.view("BACKUP_SET_FILES")} s
  LEFT JOIN {self._views.view("ARCHIVELOG_SUMMARY")} r ON {self._same_tenant("r", "s")}
        AND s.START_REPLAY_SCN >= r.START_SCN AND s.START_REPLAY_SCN <= r.CHECKPOINT_SCN
 GROUP BY {"s.TENANT_ID, " if self._is_sys else ""}r.ROUND_ID"""

    def at(self, row: Row, name: str) -> datetime | None:
        """A system change number."""
        return scn(row, name, self.zone)

    # --- a closer look -----------------------------------------------------------------------------------------------

    def pieces_query(self, groups: Iterable[Group]) -> str:
        """Each piece of these rounds, the newest first."""
        return f"""
SELECT {"TENANT_ID" if self._is_sys else "NULL"} AS tenant_id, ROUND_ID AS round_id, PIECE_ID AS piece_id,
       STATUS AS status, FILE_STATUS AS file_status, START_SCN AS started, END_SCN AS ended,
       CHECKPOINT_SCN AS checkpoint
  FROM {self._views.view("ARCHIVELOG_PIECE_FILES")} WHERE {self._which(groups)}
 ORDER BY tenant_id, round_id DESC, piece_id DESC LIMIT {MAX_PIECES}"""

    def _which(self, groups: Iterable[Group]) -> str:
        one = "(TENANT_ID = {} AND ROUND_ID = {})" if self._is_sys else "ROUND_ID = {1}"
        return " OR ".join(one.format(int(tenant), int(number)) for tenant, number in groups)

    def stretch(self, row: Row) -> Stretch:
        """A row of :meth:`pieces_query`."""
        number = whole(row, "piece_id")
        return Stretch(
            number, number, FileStatus.parse(text(row, "file_status")), self.at(row, "started"),
            self.at(row, "ended"), self.at(row, "checkpoint"),
            PieceStatus.parse(text(row, "status")) is not PieceStatus.FROZEN,
        )  # fmt: skip

    def sets_query(self, tenant_ids: Iterable[int]) -> str:
        """Each full backup of these tenants, the newest first."""
        which = f"TENANT_ID IN ({tenant_list(tenant_ids)}) AND " if self._is_sys else ""
        return f"""
SELECT {"TENANT_ID" if self._is_sys else "NULL"} AS tenant_id, BACKUP_SET_ID AS set_id, BACKUP_TYPE AS kind,
       STATUS AS status, FILE_STATUS AS file_status, START_REPLAY_SCN AS logs_from, MIN_RESTORE_SCN AS restores_from,
       START_TIMESTAMP AS started_at
  FROM {self._views.view("BACKUP_SET_FILES")} WHERE {which}{_FULL}
 ORDER BY tenant_id, set_id DESC LIMIT {MAX_SETS}"""

    def full(self, row: Row) -> FullBackup | None:
        """A row of :meth:`sets_query`."""
        if not is_full(text(row, "kind")):
            return None
        logs_from, restores_from = self.at(row, "logs_from"), self.at(row, "restores_from")
        problem = set_problem(text(row, "status"), text(row, "file_status"))
        # A set that failed early has no logs to begin at; its own beginning tells where it would have helped.
        begun = logs_from or (self.clock(row, "started_at") if problem else None)
        return FullBackup(whole(row, "set_id"), begun, restores_from, restores_from, problem)

    def events_query(self) -> str:
        """Changes of STATUS, the newest first."""
        return (
            "SELECT TIMESTAMP AS at, EVENT AS event, NAME1 AS name1, VALUE1 AS value1, NAME2 AS name2, "
            "VALUE2 AS value2, NAME3 AS name3, VALUE3 AS value3, NAME4 AS name4, VALUE4 AS value4, NAME5 AS name5, "
            "VALUE5 AS value5, NAME6 AS name6, VALUE6 AS value6 FROM oceanbase.DBA_OB_ROOTSERVICE_EVENT_HISTORY "
            "WHERE MODULE = 'log_archive' AND EVENT = 'change_status' ORDER BY at DESC LIMIT 500"
        )

    def streams_query(self, groups: Iterable[Group]) -> str | None:
        """The log streams of these tenants, the slowest first."""
        if not self._dialect.version.has_log_mode:
            return None
        return self._views.log_streams(dict(groups))

    def stream(self, row: Row) -> tuple[int, Stream]:
        """A row of :meth:`streams_query`."""
        return self.tenant_of(row), Stream(
            f"log stream {whole(row, 'ls_id')}", self.at(row, "checkpoint"), whole(row, "interrupted") > 0
        )


def _settings(place: Place) -> Settings:
    return Settings(
        place.destination,
        str(place.destination or redact(place.uri)) if place.uri else "",
        str(place.mode) if place.mode else None,
        None,
        place.days,
    )


def _all(bound: str) -> str:
    """All parameters of a tenant; ``bound``: MIN or MAX of its servers."""
    values = ", '|', ".join(f"IFNULL({bound}(CASE WHEN NAME = '{name}' THEN VALUE END), '')" for name in _PARAMETERS)
    return f"CONCAT({values})"


def _parameters(row: Row) -> dict[str, tuple[str, str]]:
    """The lowest and the highest value of each."""
    low, high = (text(row, bound).split("|", len(_PARAMETERS) - 1) for bound in ("low", "high"))
    return {name: (least, most) for name, least, most in zip(_PARAMETERS, low, high, strict=False)}


def _length(values: tuple[str, str] | None) -> tuple[float | None, bool]:
    """The larger of two lengths of time, and whether they differ."""
    lengths = [length for value in values or () if (length := microseconds(value.lower())) is not None]
    return (max(lengths) / 1e6 if lengths else None), len(set(lengths)) > 1


def _number(values: tuple[str, str] | None) -> tuple[int | None, bool]:
    numbers = [int(value) for value in values or () if value.isdecimal()]
    return (max(numbers) if numbers else None), len(set(numbers)) > 1
