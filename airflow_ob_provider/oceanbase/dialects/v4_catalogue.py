"""The views of 4.x that log backup is read from, as seen from tenant sys or from a user tenant.

A user tenant sees the DBA twin of each CDB view: its own rows, and no TENANT_ID. Column types and numbers differ by
release and between manual and server, so columns are read by name. Sources: V4.2.5 manual, dictionary views of the sys
tenant; ob_inner_table_schema_def.py of 4.3.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_ob_provider.oceanbase.dialects.reading import NOW

_STATUS = "CASE WHEN t.IN_RECYCLEBIN = 'YES' THEN 'IN RECYCLE BIN' ELSE t.STATUS END"


@dataclass(frozen=True)
class Catalogue:
    """Names of views and how they are joined to their tenant."""

    is_sys: bool

    def view(self, name: str) -> str:
        """A dictionary view."""
        return f"oceanbase.{'CDB' if self.is_sys else 'DBA'}_OB_{name}"

    def _of(self, alias: str, tenant: str = "t.TENANT_ID") -> str:
        return f"{alias}.TENANT_ID = {tenant}" if self.is_sys else "1 = 1"

    @property
    def _grouped(self) -> tuple[str, str]:
        return ("TENANT_ID, ", " GROUP BY TENANT_ID") if self.is_sys else ("", "")

    def tenants(self) -> str:
        """User tenants, in one row at least: the server's time stands in each."""
        return (
            f"SELECT {NOW}, t.TENANT_ID AS tenant_id, t.TENANT_NAME AS tenant_name, {_STATUS} AS tenant_status"
            f" {self._from_tenants} ORDER BY t.TENANT_ID"
        )

    _from_tenants = "FROM (SELECT 1 AS one) o LEFT JOIN oceanbase.DBA_OB_TENANTS t ON t.TENANT_TYPE = 'USER'"

    def archive(self, *, log_mode: bool, timestamps: bool) -> str:
        """The current round of every tenant, its mode and whether its destination is set and switched on."""
        tenant, by_tenant = self._grouped
        mode = "t.LOG_MODE" if log_mode else "NULL"
        clock, clocks = "NULL", ""
        if timestamps:
            # More than one row a tenant while its timestamp service changes its leader.
            clock = "c.newest"
            clocks = (
                "LEFT JOIN (SELECT TENANT_ID, MAX(TS_VALUE) AS newest FROM oceanbase.V$OB_TIMESTAMP_SERVICE "
                "GROUP BY TENANT_ID) c ON c.TENANT_ID = t.TENANT_ID"
            )
        return f"""
SELECT {NOW}, t.TENANT_ID AS tenant_id, t.TENANT_NAME AS tenant_name, {_STATUS} AS tenant_status, {mode} AS log_mode,
       a.STATUS AS status, a.ROUND_ID AS round_id, a.USED_PIECE_ID AS piece_id, a.START_SCN AS started,
       a.CHECKPOINT_SCN AS checkpoint, a.COMMENT AS remark, d.has_path AS has_path, d.dest_state AS dest_state,
       {clock} AS newest
  {self._from_tenants}
  LEFT JOIN {self.view("ARCHIVELOG")} a ON {self._of("a")}
  LEFT JOIN (SELECT {tenant}SUM(CASE WHEN NAME = 'path' AND VALUE <> '' THEN 1 ELSE 0 END) AS has_path,
                    MAX(CASE WHEN NAME = 'state' THEN VALUE END) AS dest_state
               FROM {self.view("ARCHIVE_DEST")} WHERE DEST_NO = 0{by_tenant}) d ON {self._of("d")}
  {clocks}
 ORDER BY t.TENANT_ID"""

    def overview(self, *, log_mode: bool) -> str:
        """The current round of every tenant with its destination. Keys stand in the path in clear text."""
        tenant, by_tenant = self._grouped
        mode = "t.LOG_MODE" if log_mode else "NULL"
        wanted = ("path", "binding", "piece_switch_interval", "dest_id")
        columns = ", ".join(f"MAX(CASE WHEN NAME = '{name}' THEN VALUE END) AS {name}" for name in wanted)
        return f"""
SELECT {NOW}, t.TENANT_ID AS tenant_id, t.TENANT_NAME AS tenant_name, {_STATUS} AS tenant_status, {mode} AS log_mode,
       a.STATUS AS status, a.ROUND_ID AS round_id, a.USED_PIECE_ID AS piece_id, a.START_SCN AS started,
       a.CHECKPOINT_SCN AS checkpoint, a.COMMENT AS remark, NULL AS newest, d.has_path AS has_path, d.path AS path,
       d.binding AS binding, d.piece_switch_interval AS piece_switch_interval, d.dest_state AS dest_state,
       d.dest_id AS dest_id
  {self._from_tenants}
  LEFT JOIN {self.view("ARCHIVELOG")} a ON {self._of("a")}
  LEFT JOIN (SELECT {tenant}SUM(CASE WHEN NAME = 'path' AND VALUE <> '' THEN 1 ELSE 0 END) AS has_path,
                    MAX(CASE WHEN NAME = 'state' THEN VALUE END) AS dest_state, {columns}
               FROM {self.view("ARCHIVE_DEST")} WHERE DEST_NO = 0{by_tenant}) d ON {self._of("d")}
 ORDER BY t.TENANT_ID"""

    def log_streams(self, rounds: dict[int, int]) -> str:
        """The slowest log streams of these rounds (by tenant number), the slowest first."""
        if self.is_sys:
            which = " OR ".join(f"(TENANT_ID = {tenant} AND ROUND_ID = {number})" for tenant, number in rounds.items())
        else:
            which = " OR ".join(f"ROUND_ID = {number}" for number in rounds.values())
        tenant = "TENANT_ID" if self.is_sys else "NULL"
        return f"""
SELECT {NOW}, {tenant} AS tenant_id, LS_ID AS ls_id, MAX(CHECKPOINT_SCN) AS checkpoint,
       MAX(CASE WHEN STATUS = 'INTERRUPTED' THEN 1 ELSE 0 END) AS interrupted
  FROM {self.view("LS_LOG_ARCHIVE_PROGRESS")} WHERE {which}
 GROUP BY {"TENANT_ID, " if self.is_sys else ""}LS_ID
 ORDER BY interrupted DESC, checkpoint, ls_id"""

    def destinations(self) -> str:
        """Destination of every tenant, one row each. Keys stand in the path in clear text."""
        tenant, by_tenant = self._grouped
        wanted = ("path", "binding", "piece_switch_interval", "state")
        columns = ", ".join(f"MAX(CASE WHEN NAME = '{name}' THEN VALUE END) AS {name}" for name in wanted)
        return f"""
SELECT {NOW}, t.TENANT_ID AS tenant_id, t.TENANT_NAME AS tenant_name, {_STATUS} AS tenant_status, d.path AS path,
       d.binding AS binding, d.piece_switch_interval AS piece_switch_interval, d.state AS dest_state
  {self._from_tenants}
  LEFT JOIN (SELECT {tenant}{columns} FROM {self.view("ARCHIVE_DEST")} WHERE DEST_NO = 0{by_tenant}) d
         ON {self._of("d")}
 ORDER BY t.TENANT_ID"""

    def data_backup(self, *, paths: bool = False) -> str:
        """What a data backup of each tenant needs. With ``paths`` also where to: keys stand in them in clear text."""
        tenant, by_tenant = self._grouped
        wanted = "p.path AS data_path, d.path AS log_path" if paths else "NULL AS data_path"
        log_paths = ""
        if paths:
            log_paths = (
                f"LEFT JOIN (SELECT {tenant}MAX(CASE WHEN NAME = 'path' THEN VALUE END) AS path FROM "
                f"{self.view('ARCHIVE_DEST')} WHERE DEST_NO = 0{by_tenant}) d ON {self._of('d')}"
            )
        return f"""
SELECT {NOW}, t.TENANT_ID AS tenant_id, t.TENANT_NAME AS tenant_name, {_STATUS} AS tenant_status,
       a.STATUS AS archive_status, CASE WHEN p.path <> '' THEN 1 ELSE 0 END AS has_data_path, j.jobs AS jobs, {wanted}
  {self._from_tenants}
  LEFT JOIN {self.view("ARCHIVELOG")} a ON {self._of("a")}
  LEFT JOIN (SELECT {tenant}MAX(VALUE) AS path FROM {self.view("BACKUP_PARAMETER")} WHERE NAME = 'data_backup_dest'
              {by_tenant}) p ON {self._of("p")}
  LEFT JOIN (SELECT {tenant}COUNT(*) AS jobs FROM {self.view("BACKUP_JOBS")}{by_tenant}) j ON {self._of("j")}
  {log_paths}
 ORDER BY t.TENANT_ID"""

    def pieces(self, round_id: int | None) -> str:
        """Pieces of each tenant's current round, or of one given by number, counted on the server."""
        tenant, _ = self._grouped
        group = f"{tenant}ROUND_ID"
        number = "a.ROUND_ID" if round_id is None else str(int(round_id))
        return f"""
SELECT {NOW}, t.TENANT_ID AS tenant_id, t.TENANT_NAME AS tenant_name, {_STATUS} AS tenant_status,
       {number} AS round_id, a.ROUND_ID AS current_round, a.STATUS AS round_status,
       n.pieces AS pieces, n.first_id AS first_id, n.newest_id AS newest_id, n.broken AS broken, n.cleaned AS cleaned,
       n.available AS available, p.STATUS AS status, p.FILE_STATUS AS file_status, p.START_SCN AS started,
       p.CHECKPOINT_SCN AS checkpoint
  {self._from_tenants}
  LEFT JOIN {self.view("ARCHIVELOG")} a ON {self._of("a")}
  LEFT JOIN (SELECT {group}, COUNT(*) AS pieces, MIN(PIECE_ID) AS first_id, MAX(PIECE_ID) AS newest_id,
                    SUM(CASE WHEN FILE_STATUS = 'BROKEN' THEN 1 ELSE 0 END) AS broken,
                    SUM(CASE WHEN FILE_STATUS IN ('EXPIRED', 'DELETING', 'DELETED') THEN 1 ELSE 0 END) AS cleaned,
                    SUM(CASE WHEN FILE_STATUS = 'AVAILABLE' THEN 1 ELSE 0 END) AS available
               FROM {self.view("ARCHIVELOG_PIECE_FILES")} GROUP BY {group}) n
         ON {self._of("n")} AND n.ROUND_ID = {number}
  LEFT JOIN {self.view("ARCHIVELOG_PIECE_FILES")} p
         ON {self._of("p")} AND p.ROUND_ID = {number} AND p.PIECE_ID = n.newest_id
 ORDER BY t.TENANT_ID"""

    def parameters(self, names: tuple[str, ...]) -> str:
        """Parameters of tenants: each value that one of their servers has."""
        which = ", ".join(f"'{name}'" for name in names)
        return (
            "SELECT DISTINCT TENANT_ID AS tenant_id, NAME AS name, VALUE AS value FROM oceanbase.GV$OB_PARAMETERS "
            f"WHERE NAME IN ({which}) AND TENANT_ID IS NOT NULL"
        )
