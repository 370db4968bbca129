"""One client session: what a statement is, and who runs it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from . import show
from .catalogue import DATABASES
from .clock import CLUSTER_UTC_OFFSET
from .cluster import BaseCluster, Caller
from .control import sandbox_statement
from .engine import Result, Scope, Table
from .errors import ServerError, not_supported, syntax_error
from .lexer import first_words, is_write, tokenize
from .topology import Tenant, User
from .variables import READ_ONLY, Value, defaults, parse_offset, parse_set
from .world import World


class Session:
    """State of a connection after login. The caller holds the world's lock."""

    def __init__(
        self, world: World, connection_id: int, tenant: Tenant, user: User, attributes: Mapping[str, str]
    ) -> None:
        self.world = world
        self.connection_id = connection_id
        self.tenant = tenant
        self.user = user
        #: what the client says about itself (program_name …)
        self.attributes = dict(attributes)
        self.database = ""
        self.encrypted = False
        #: simulated seconds the last statement took
        self.seconds = 0.0
        self.variables: dict[str, Value] = defaults(world.cluster.build) | world.global_variables

    @property
    def query_timeout(self) -> float:
        """ob_query_timeout in seconds."""
        return int(self.variables["ob_query_timeout"]) / 1e6

    @property
    def _cluster(self) -> BaseCluster:
        return self.world.cluster

    def use(self, database: str) -> None:
        if database.lower() not in DATABASES:
            raise ServerError(1049, f"Unknown database '{database}'")
        self.database = database.lower()

    def execute(self, sql: str) -> Result | None:
        """The result set of a statement, or None for OK."""
        self.seconds = 0.0
        words = first_words(sql)
        first = words[0] if words else ""
        if first in {"SELECT", "WITH", "("}:
            return self.world.select(sql, self.scope())
        if first in {"SHOW", "DESC", "DESCRIBE"}:
            return show.show(sql, self)
        if first == "SANDBOX":
            return sandbox_statement(sql, self.world, self.tenant, self.user)
        if first == "ALTER" or words[:2] in {("SET", "ENCRYPTION"), ("CREATE", "TENANT"), ("DROP", "TENANT")}:
            self._command(sql)
        elif first == "SET":
            self._set(sql)
        elif first == "USE":
            tokens = tokenize(sql)
            if len(tokens) != 2:
                raise syntax_error(sql)
            self.use(tokens[1].text)
        elif first in {"BEGIN", "START", "COMMIT", "ROLLBACK"}:
            pass
        elif is_write(sql):
            raise not_supported(f"{first.lower()} in the sandbox is")
        else:
            raise syntax_error(sql)
        return None

    # --- admin commands -------------------------------------------------------------------------------

    def _command(self, sql: str) -> None:
        caller = Caller(self.tenant, self.user, self.encrypted, self.query_timeout)
        effect = self._cluster.execute(sql, caller)
        self.seconds = effect.seconds
        if effect.encrypted is not None:
            self.encrypted = effect.encrypted

    # --- variables ------------------------------------------------------------------------------------

    def _set(self, sql: str) -> None:
        for scope, name, value in parse_set(sql):
            if scope == "user":
                continue
            if name not in self.variables:
                raise ServerError(1193, f"Unknown system variable '{name}'")
            if name in READ_ONLY:
                raise ServerError(1238, f"Variable '{name}' is a read only variable")
            if value is None:
                value = defaults(self._cluster.build)[name]
            if name == "time_zone":
                parse_offset(str(value), CLUSTER_UTC_OFFSET)
            elif isinstance(self.variables[name], int) and not isinstance(value, int):
                raise ServerError(1232, f"Incorrect argument type to variable '{name}'")
            target = self.world.global_variables if scope == "global" else self.variables
            target[name] = value

    def variable(self, name: str, scope: str = "") -> Value:
        known: Mapping[str, Value] = self.variables
        if scope.lower() == "global":
            known = defaults(self._cluster.build) | self.world.global_variables
        try:
            return known[name.lower()]
        except KeyError:
            raise ServerError(1193, f"Unknown system variable '{name}'") from None

    # --- what a SELECT can see ------------------------------------------------------------------------

    def _offset(self) -> timedelta:
        return parse_offset(str(self.variables["time_zone"]), CLUSTER_UTC_OFFSET)

    def table(self, database: str, name: str) -> Table:
        """A table by its (optional) database and name: 1046, 1142 or 1146 when it can't be read."""
        database = database or self.database
        if not database:
            raise ServerError(1046, "No database selected")
        if not self.user.may("SELECT"):
            raise ServerError(1142, f"SELECT command denied to user '{self.user.name}'@'%' for table '{name}'")
        return self.world.catalogue.table(self._cluster, self.tenant, database, name)

    def scope(self) -> Scope:
        offset = self._offset()
        profile = self._cluster.build
        return Scope(
            table=self.table,
            variable=self.variable,
            constants={
                "version": profile.version_function,
                "ob_version": profile.version,
                "user": f"{self.user.name}@127.0.0.1",
                "session_user": f"{self.user.name}@127.0.0.1",
                "system_user": f"{self.user.name}@127.0.0.1",
                "current_user": f"{self.user.name}@%",
                "connection_id": self.connection_id,
                "database": self.database or None,
                "effective_tenant": self.tenant.name,
                "effective_tenant_id": self.tenant.tenant_id,
            },
            now=self._cluster.timeline.now + self._cluster.clock_skew() - CLUSTER_UTC_OFFSET + offset,
            utc_offset=offset,
            shift=offset - CLUSTER_UTC_OFFSET,
        )
