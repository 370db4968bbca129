"""OceanBase 4.x: log archive belongs to each tenant; tenant sys starts and shows all, a user tenant its own.

Facts: V4.2.5 manual (log archive; ALTER SYSTEM; dictionary views) with the differences of V4.0.0, V4.1.0, V4.2.1 and
V4.3.3; kernel source ob_archive_scheduler_service.cpp (4.0, 4.1, 4.2 and newer), ob_alter_system_resolver.cpp,
sql_parser_mysql_mode.y and ob_inner_table_schema_def.py of 4.3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from airflow_ob_provider.oceanbase.breaks import BreakHistory, ForceStop
from airflow_ob_provider.oceanbase.catalog import BackupCatalog
from airflow_ob_provider.oceanbase.changes import Change
from airflow_ob_provider.oceanbase.destination import Destination, WantedDestination, microseconds
from airflow_ob_provider.oceanbase.dialects import v4_settings, v4_statements
from airflow_ob_provider.oceanbase.dialects.backups import backup_catalog as read_catalog
from airflow_ob_provider.oceanbase.dialects.base import Row
from airflow_ob_provider.oceanbase.dialects.breaks import EVENTS_4, break_history
from airflow_ob_provider.oceanbase.dialects.reading import MISSING, NOW, DialectBase, address, read_at, tenant_list
from airflow_ob_provider.oceanbase.dialects.v4_backups import V4Backups
from airflow_ob_provider.oceanbase.dialects.v4_catalogue import Catalogue
from airflow_ob_provider.oceanbase.dialects.v4_data_backup import V4DataBackups
from airflow_ob_provider.oceanbase.dialects.v4_places import Place
from airflow_ob_provider.oceanbase.dialects.v4_prerequisites import V4Prerequisites
from airflow_ob_provider.oceanbase.dialects.v4_rows import (
    archive_row,
    is_late,
    is_past,
    pieces_row,
    slowest_stream,
    user_tenants,
)
from airflow_ob_provider.oceanbase.errors import DENIED, ServerError
from airflow_ob_provider.oceanbase.models import (
    ArchiveRow,
    ArchiveSnapshot,
    Finding,
    FreezeProgress,
    Identity,
    PieceSnapshot,
    Scope,
    Server,
    Tenant,
)
from airflow_ob_provider.oceanbase.options import WantedOption
from airflow_ob_provider.oceanbase.rows import UnreadableError, moment, text, whole
from airflow_ob_provider.oceanbase.statements import Statement, quote

PASSES_SECONDS = 120.0
"""Two passes of the scheduler, which are 2 s (4.0 - 4.2.0) to 50 s (at the latest 4.3.5) apart, and some time."""
DEFAULT_LAG_SECONDS = 120.0
"""``archive_lag_target`` where it is not shown; a log stream archives at least that often (4.2.0+)."""
NO_TENANTS = "This server has no view of its tenants, as seekdb has none: there is no log backup on it"
_MAX_LATE_TENANTS = 5
_MERGES = "('MINI_MERGE', 'MINI')"
"""The manual of 4.0 names the type MINI."""


class V4Dialect(DialectBase):
    """See :class:`~airflow_ob_provider.oceanbase.dialects.base.Dialect`."""

    freeze_advised = False

    _shows_timestamps = True

    # --- reading -----------------------------------------------------------------------------------------------

    @cached_property
    def is_sys(self) -> bool:
        """Whether this is tenant sys: only there the row of sys is visible; a user tenant sees its own row."""
        return bool(self.read("SELECT TENANT_ID FROM oceanbase.DBA_OB_TENANTS WHERE TENANT_TYPE = 'SYS'"))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The views as this tenant sees them."""
        return Catalogue(self.is_sys)

    def identity(self) -> Identity:
        """As everywhere; the tenant's name comes from the catalogue where SHOW TENANT gives none."""
        found = super().identity()
        if found.tenant:
            return found
        names = [tenant.name for tenant in self.all_tenants()]
        return replace(found, tenant="sys" if self.is_sys else next(iter(names), ""))

    def all_tenants(self) -> tuple[Tenant, ...]:
        """User tenants in every status; in a user tenant, itself."""
        return user_tenants(self.read(self.catalogue.tenants()))

    def tenants(self) -> tuple[Tenant, ...]:
        """User tenants that are NORMAL."""
        return tuple(tenant for tenant in self.all_tenants() if tenant.is_normal)

    def tenants_in_scope(self, names: Sequence[str]) -> tuple[Tenant, ...]:
        """NORMAL user tenants, of these or all."""
        return tuple(tenant for tenant in self.tenants() if not names or tenant.name in names)

    def servers(self) -> tuple[Server, ...]:
        """OBServers, which only tenant sys sees."""
        rows = self.read(
            "SELECT SVR_IP AS svr_ip, SVR_PORT AS svr_port, ZONE AS zone, STATUS AS status, STOP_TIME AS stop_time, "
            "START_SERVICE_TIME AS start_service_time FROM oceanbase.DBA_OB_SERVERS ORDER BY zone, svr_ip, svr_port"
        )
        found = []
        for row in rows:
            status = text(row, "status")
            if text(row, "stop_time"):
                status += ", stopped by an administrator"
            if not text(row, "start_service_time"):
                status += ", not serving"
            found.append(Server(address(row), text(row, "zone"), active=status.upper() == "ACTIVE", status=status))
        return tuple(found)

    def archive(self) -> ArchiveSnapshot:
        """One row a NORMAL user tenant, also where it has never archived."""
        snapshot = self.snapshot(self._archive_rows())
        rows = self._with_log_streams(snapshot.rows, snapshot.read_at)
        return snapshot if rows is snapshot.rows else replace(snapshot, rows=rows)

    def snapshot(self, rows: Sequence[Row]) -> ArchiveSnapshot:
        """From rows of the catalogue, one a user tenant."""
        now, zone = read_at(rows)
        tenants = user_tenants(rows)
        normal = tuple(tenant for tenant in tenants if tenant.is_normal)
        by_id = {tenant.tenant_id: tenant for tenant in normal}
        found = tuple(
            archive_row(by_id[tenant_id], row, zone, has_mode=self.version.has_log_mode)
            for row in rows
            if row.get("tenant_id") is not None and (tenant_id := whole(row, "tenant_id")) in by_id
        )
        out_of_scope = tuple(tenant for tenant in tenants if not tenant.is_normal)
        return ArchiveSnapshot(now, Scope.TENANT, found, normal, out_of_scope)

    def _archive_rows(self) -> Sequence[Row]:
        log_mode = self.version.has_log_mode
        if self._shows_timestamps:
            try:
                return self.read(self.catalogue.archive(log_mode=log_mode, timestamps=True))
            except ServerError as error:
                if error.errno not in MISSING | DENIED:
                    raise
                self._shows_timestamps = False
        return self.read(self.catalogue.archive(log_mode=log_mode, timestamps=False))

    def _with_log_streams(self, rows: tuple[ArchiveRow, ...], now: datetime) -> tuple[ArchiveRow, ...]:
        """Name the log stream that is broken or holds up a tenant; a healthy cluster costs no second query."""
        late = [row for row in rows if is_late(row, now)][:_MAX_LATE_TENANTS]
        if not late or not self.version.has_log_mode:
            return rows
        try:
            found = self.read(self.catalogue.log_streams({row.tenant.tenant_id: row.round_id for row in late}))
            _, zone = read_at(found)
            slowest = {
                whole(stream, "tenant_id") if self.is_sys else late[0].tenant.tenant_id: slowest_stream(stream, zone)
                for stream in reversed(found)
            }
        except (ServerError, UnreadableError):
            return rows  # only an explanation is missing
        return tuple(
            replace(row, remark="; ".join(filter(None, (row.remark, slowest.get(row.tenant.tenant_id, "")))))
            for row in rows
        )

    def pieces(self, round_id: int | None = None) -> PieceSnapshot:
        """Pieces of each tenant's current round, or of the round of that number in every tenant."""
        rows = self.read(self.catalogue.pieces(round_id))
        now, zone = read_at(rows)
        tenants = tuple(tenant for tenant in user_tenants(rows) if tenant.is_normal)
        by_id = {tenant.tenant_id: tenant for tenant in tenants}
        found = tuple(
            pieces_row(by_id[whole(row, "tenant_id")], row, zone)
            for row in rows
            if row.get("pieces") is not None and whole(row, "tenant_id") in by_id
        )
        past = frozenset(
            whole(row, "tenant_id")
            for row in rows
            if round_id is not None and row.get("current_round") is not None and is_past(row, round_id)
        )
        newest = max((row.round_id for row in found), default=round_id or 0)
        return PieceSnapshot(now, newest, found, tenants, scope=Scope.TENANT, past=past)

    def freeze_progress(self, *, since: datetime | None, tenant_ids: Sequence[int] = ()) -> FreezeProgress:
        """Mini merges under way and those that ended since; a freeze that has nothing to dump leaves no trace."""
        now, zone = read_at(self.read(f"SELECT {NOW}"))
        which = f" AND TENANT_ID IN ({tenant_list(tenant_ids)})" if tenant_ids else ""
        begun = since.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S.%f") if since else ""
        ended = f" AND START_TIME >= {quote(begun)}" if begun else ""
        merging = self.count(
            f"SELECT COUNT(*) AS n FROM oceanbase.GV$OB_TABLET_COMPACTION_PROGRESS WHERE TYPE IN {_MERGES}{which}"
        )
        rows = self.read(
            "SELECT COUNT(*) AS n, MAX(FINISH_TIME) AS last FROM oceanbase.GV$OB_TABLET_COMPACTION_HISTORY "
            f"WHERE TYPE IN {_MERGES}{which}{ended}"
        )
        return FreezeProgress(now, None, whole(rows[0], "n"), merging, moment(rows[0], "last", zone))

    def checkpoint_delay(self, tenants: Sequence[str] = ()) -> float:
        """The largest ``archive_lag_target`` of these tenants, and two passes of the scheduler."""
        wanted = {tenant.tenant_id for tenant in self.all_tenants() if not tenants or tenant.name in tenants}
        lags = self.lag_targets()
        longest = [lags[number][1] if number in lags else DEFAULT_LAG_SECONDS for number in wanted]
        return max(longest, default=DEFAULT_LAG_SECONDS) + PASSES_SECONDS

    def lag_targets(self) -> dict[int, tuple[float, float]]:
        """``archive_lag_target`` in seconds by tenant, the least and the most that a server of it has.

        None of a tenant whose value cannot be read, and none where the version has no such parameter.
        """
        if not self.version.has_lag_target:
            return {}
        found = {}
        for (tenant_id, _), values in self.parameters("archive_lag_target").items():
            lengths = [length for value in values if (length := microseconds(value.lower())) is not None]
            if lengths:
                found[tenant_id] = (min(lengths) / 1e6, max(lengths) / 1e6)
        return found

    def parameters(self, *names: str) -> dict[tuple[int, str], frozenset[str]]:
        """Parameters by tenant number and name. More than one value: its servers differ, as they do after a change."""
        found: dict[tuple[int, str], frozenset[str]] = {}
        for row in self.read(self.catalogue.parameters(names)):
            key = (whole(row, "tenant_id"), text(row, "name").lower())
            found[key] = found.get(key, frozenset()) | {text(row, "value")}
        return found

    def destinations(self) -> tuple[Place, ...]:
        """Where each user tenant archives to, whatever its status. They hold the keys of object stores."""
        rows = self.read(self.catalogue.destinations(), holds_secrets=True)
        shown = [row for row in rows if row.get("tenant_id") is not None]
        return tuple(Place.of(tenant, row) for tenant, row in zip(user_tenants(shown), shown, strict=True))

    def backup_catalog(self) -> BackupCatalog:
        """Rounds, pieces, data backups and settings of every tenant."""
        return read_catalog(V4Backups(self))

    @property
    def data_backups(self) -> V4DataBackups:
        """Data backups."""
        return V4DataBackups(self)

    def break_history(self) -> BreakHistory:
        """Events of log backup, and OBServers that are not active; only tenant sys sees either."""
        return break_history(self, EVENTS_4, self.servers)

    def prerequisites(
        self, *, destination: Destination | None, restart_interrupted: bool, tenants: Sequence[str] = ()
    ) -> tuple[Finding, ...]:
        """What ARCHIVELOG needs, which the server does not say: it answers OK and starts nothing."""
        return V4Prerequisites(self, destination, tenants, restart_interrupted=restart_interrupted).findings()

    def connection_note(self, identity: Identity) -> str:
        """A user tenant sees and archives itself only; an account that may not ask sees nothing anyway."""
        try:
            is_sys = self.is_sys
        except ServerError as error:
            if error.is_transient:
                raise
            return NO_TENANTS if error.errno in MISSING else ""
        return "" if is_sys else f"Log backup of tenant {identity.tenant or 'unknown'} only; tenant sys sees all"

    # --- what changes the server ------------------------------------------------------------------------------------

    def check_scope(self, tenants: Sequence[str]) -> None:
        """Each tenant archives by itself, so any of them may be asked for."""

    def plan_destination(self, wanted: WantedDestination, tenants: Sequence[str] = ()) -> tuple[Change, ...]:
        """LOG_ARCHIVE_DEST of each tenant, with all its attributes."""
        return v4_settings.destination_changes(self, wanted, tenants)

    def plan_option(self, wanted: WantedOption, tenants: Sequence[str] = ()) -> tuple[Change, ...]:
        """BINDING (a part of LOG_ARCHIVE_DEST), ``archive_lag_target`` and ``log_archive_concurrency`` of each."""
        return v4_settings.option_changes(self, wanted, tenants)

    def start_archive(self, row: ArchiveRow) -> Statement:
        """4.1+: switches LOG_MODE, and a later pass starts the round. 4.0: creates the round at once."""
        return v4_statements.start(self.of_tenant(row.tenant))

    def resume_archive(self, row: ArchiveRow) -> Statement:
        """4.1+: a suspended round goes on as the same round."""
        return v4_statements.enable(self.of_tenant(row.tenant))

    def stop_archive(self, row: ArchiveRow) -> Statement:
        """Asynchronous; from tenant sys the answer is OK whatever comes of it (4.1+)."""
        return v4_statements.stop(self.of_tenant(row.tenant))

    def force_stop_state(self, wanted: Destination) -> ForceStop:  # noqa: ARG002
        """4.x has no stop by force."""
        raise ValueError(v4_settings.no_force(self.version))

    def force_stop_archive(self) -> Statement:
        """4.x has no stop by force."""
        raise ValueError(v4_settings.no_force(self.version))

    def minor_freeze(self, tenants: Sequence[str] = ()) -> Statement:
        """Returns when the freeze was issued; memtables get to disk in the background."""
        everyone = "all_user" if self.version.has_all_user else "all"
        return v4_statements.freeze(self.of_tenants(tenants) or (f" TENANT = {everyone}" if self.is_sys else ""))

    def of_tenant(self, tenant: Tenant) -> str:
        """The clause that names a tenant; a user tenant may not even name itself (1227).

        :raises ValueError: the name cannot be written there.
        """
        return self.of_tenants([tenant.name])

    def of_tenants(self, names: Sequence[str]) -> str:
        """The clause that names tenants; none without names, and none in a user tenant."""
        return f" TENANT = {', '.join(_quoted(name) for name in names)}" if names and self.is_sys else ""


def _quoted(name: str) -> str:
    """A tenant's name. The server takes these words for many tenants in quotes as well, so a stop would stop all."""
    if name.lower() in {"all", "all_user", "all_meta"}:
        raise ValueError(f"tenant {name!r} cannot be named: the server takes that word for many tenants; rename it")
    return quote(name, field_name="tenant")
